//! A point well inside a polytope, by the simplex method.

use super::polytope::Polytope;

/// A margin, in units of the axes, that is rounding.
const NOTHING: f64 = 1e-9;
/// Steps by the steepest column; the smallest one is taken from then on, which cannot go round for ever (Bland 1977).
const STEEPEST: usize = 5_000;
/// Steps after which nothing is found.
const MOST_STEPS: usize = 50_000;

/// The point with the largest margin to all walls and ends of axes; `None` where it is no margin.
///
/// Looked for in the middle of every axis, then on all of it.
pub(super) fn interior(polytope: &Polytope) -> Option<Vec<f64>> {
    let middle = polytope.axes.iter().map(|axis| axis.middle);
    let whole = polytope.axes.iter().map(|axis| (axis.low, axis.high));
    widest(polytope, &middle.collect::<Vec<_>>())
        .or_else(|| widest(polytope, &whole.collect::<Vec<_>>()))
}

/// Maximises t with `normals x + offsets >= t` and `low + t unit <= x <= high - t unit`.
///
/// In y = (x - low) / width and t' = t + shift, which are not negative, all right hand sides are above zero for a shift that is large enough, so that the
/// method starts at y = 0, t' = 0.
fn widest(polytope: &Polytope, box_: &[(f64, f64)]) -> Option<Vec<f64>> {
    let (n, walls) = (polytope.n_axes(), polytope.n_walls());
    let width: Vec<f64> = box_.iter().map(|(low, high)| high - low).collect();
    let corner: Vec<f64> = box_.iter().map(|(low, _)| *low).collect();
    let mut at_corner = Vec::new();
    polytope.slacks(&corner, &mut at_corner);
    let shift = 1.0 + at_corner.iter().fold(0.0, |m: f64, s| m.max(-s));
    // Rows `coefficients . (y, t') <= right`, the slack variable of every row in the basis.
    let (columns, rows) = (n + 1, walls + 2 * n);
    let stride = columns + 1;
    let mut table = vec![0.0; (rows + 1) * stride];
    for wall in 0..walls {
        let row = &mut table[wall * stride..(wall + 1) * stride];
        let normal = &polytope.normals[wall * n..(wall + 1) * n];
        for (j, a) in normal.iter().enumerate() {
            row[j] = -a * width[j];
        }
        (row[n], row[columns]) = (1.0, shift + at_corner[wall]);
    }
    for j in 0..n {
        let share = polytope.axes[j].unit() / width[j];
        let low = &mut table[(walls + 2 * j) * stride..(walls + 2 * j + 1) * stride];
        (low[j], low[n], low[columns]) = (-1.0, share, share * shift);
        let high = &mut table[(walls + 2 * j + 1) * stride..(walls + 2 * j + 2) * stride];
        (high[j], high[n], high[columns]) = (1.0, share, 1.0 + share * shift);
    }
    // What is maximised, with its sign turned.
    table[rows * stride + n] = -1.0;
    let mut basis: Vec<usize> = (0..rows).map(|row| columns + row).collect();
    // Which variable stands over every column.
    let mut over: Vec<usize> = (0..columns).collect();
    for step in 0.. {
        if step == MOST_STEPS {
            return None;
        }
        let costs = &table[rows * stride..rows * stride + columns];
        let falling = (0..columns).filter(|j| costs[*j] < -1e-12);
        let entering = match step < STEEPEST {
            true => falling.min_by(|a, b| costs[*a].total_cmp(&costs[*b])),
            false => falling.min_by_key(|j| over[*j]),
        };
        let Some(entering) = entering else { break };
        let ratio = |row: &usize| {
            let a = table[row * stride + entering];
            (a > 1e-11).then(|| (table[row * stride + columns] / a, basis[*row], *row))
        };
        let leaving = (0..rows).filter_map(|row| ratio(&row));
        let leaving = leaving.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        // Every variable is bounded: there is one, but for rounding.
        let (_, _, leaving) = leaving?;
        pivot(&mut table, stride, leaving, entering);
        std::mem::swap(&mut basis[leaving], &mut over[entering]);
    }
    let value = |variable: usize| {
        let row = basis.iter().position(|v| *v == variable);
        row.map_or(0.0, |row| table[row * stride + columns])
    };
    if value(n) - shift <= NOTHING {
        return None;
    }
    let point = (0..n).map(|j| corner[j] + width[j] * value(j));
    Some(point.collect())
}

/// Exchanges the variable of a row with that of a column.
fn pivot(table: &mut [f64], stride: usize, row: usize, column: usize) {
    let scale = 1.0 / table[row * stride + column];
    let own: Vec<f64> = {
        let own = &mut table[row * stride..(row + 1) * stride];
        own[column] = 1.0;
        own.iter_mut().for_each(|x| *x *= scale);
        own.to_vec()
    };
    for (at, other) in table.chunks_exact_mut(stride).enumerate() {
        let factor = other[column];
        if at == row || factor == 0.0 {
            continue;
        }
        other[column] = 0.0;
        let each = other.iter_mut().zip(&own);
        each.for_each(|(x, y)| *x -= factor * y);
    }
}

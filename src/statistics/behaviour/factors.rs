//! The equations of a chain, `x = right + gamma P x`, solved by putting states into each other in an order that keeps them sparse.
//!
//! With a the moves and s what leaves the states for good, both positive, the equations are `(sum of a + s) x(i) = right(i) + sum a(i,j) x(j)`. What a diagonal misses
//! of one is never found by subtraction, but as the sum of everything that leaves the state (Grassmann, Taksar & Heyman 1985), so that every number is a sum of
//! products of positive ones.

use super::chain::Chain;

/// Unit roundoff.
const U: f64 = f64::EPSILON / 2.0;

/// Products of an elimination that is given up, per term of the equations: as many as so many sweeps have.
const MOST_SWEEPS: usize = 256;

/// The equations on some states of a chain, taken apart: `M = (I - L) (D - U)`.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    /// In the order of elimination: the state.
    states: Vec<u32>,
    /// States of the chain, and the most moves of one.
    n_states: usize,
    longest_row: usize,
    /// Per turn: where its L ends; turn and number.
    lower: Rows,
    upper: Rows,
    /// Per turn: D.
    leaving: Vec<f64>,
    /// Per turn: the moves, and what leaves the states for good.
    moves: Rows,
    leaves: Vec<f64>,
    /// No x of a right side without negative numbers errs by more than this, relative to itself.
    error: f64,
}

/// Rows of turns and numbers, one after the other.
#[derive(Clone, Debug, Default)]
struct Rows {
    ends: Vec<u32>,
    terms: Vec<(u32, f64)>,
}

impl Rows {
    fn row(&self, at: usize) -> &[(u32, f64)] {
        let first = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.terms[first as usize..self.ends[at] as usize]
    }

    fn end(&mut self) {
        self.ends.push(self.terms.len() as u32);
    }
}

/// A sparse row that is being made.
struct Open {
    numbers: Vec<f64>,
    /// A bit for every turn that it has a number at.
    is_there: Vec<u64>,
}

impl Open {
    fn add(&mut self, turn: u32, number: f64) {
        self.numbers[turn as usize] += number;
        self.is_there[turn as usize / 64] |= 1 << (turn % 64);
    }

    /// Takes the number of the first turn from `from` on that has one.
    fn take(&mut self, from: usize) -> Option<(u32, f64)> {
        let mut word = from / 64;
        let mut bits = self.is_there.get(word)? & (u64::MAX << (from % 64));
        while bits == 0 {
            word += 1;
            bits = *self.is_there.get(word)?;
        }
        let turn = word * 64 + bits.trailing_zeros() as usize;
        self.is_there[word] &= !(1 << (turn % 64));
        Some((turn as u32, std::mem::take(&mut self.numbers[turn])))
    }
}

impl Factors {
    /// Takes the equations on `states` apart, from which all others leave for good; those with the least rank go first. There must be a way to leave from each of
    /// them. `None` where that is more work than it is worth.
    ///
    /// # Precision
    ///
    /// A solution is a quotient of two sums of products, each of which has one number of every row (the matrix tree theorem), and no sign: numbers of one row that are off by e move it by at
    /// most 2e, one number by e. Putting row k, with m later states, into row i divides by a sum of m + 1 numbers (m roundings, and one for the
    /// quotient, which count as those of one number) and rounds a product and a sum (two, for all numbers of the row): m + 5 units. The rows as they come are rounded by less than their length
    /// and 2, and the last step, from the last state to the first, takes 2m + 3 units per state.
    pub(super) fn of(chain: &Chain, gamma: f64, states: &[usize], ranks: &[u32]) -> Option<Self> {
        let n = states.len();
        let mut order: Vec<u32> = states.iter().map(|&s| s as u32).collect();
        order.sort_unstable_by_key(|&s| (ranks[s as usize], s));
        let mut turn_of = vec![u32::MAX; chain.len()];
        for (turn, &state) in order.iter().enumerate() {
            turn_of[state as usize] = turn as u32;
        }
        let mut open = Open {
            numbers: vec![0.0; n],
            is_there: vec![0; n.div_ceil(64)],
        };
        let mut made = Self {
            states: order,
            n_states: chain.len(),
            longest_row: 0,
            lower: Rows::default(),
            upper: Rows::default(),
            leaving: Vec::with_capacity(n),
            moves: Rows::default(),
            leaves: Vec::with_capacity(n),
            error: 0.0,
        };
        // What leaves for good once earlier states are put in.
        let mut slack: Vec<f64> = Vec::with_capacity(n);
        let (mut products, mut units) = (0, 0);
        let most = MOST_SWEEPS * (n + chain.n_moves());
        for turn in 0..n {
            let state = made.states[turn] as usize;
            let mut leaves = chain.hit[state];
            for &(to, p) in chain.row(state) {
                match turn_of[to as usize] {
                    u32::MAX => leaves += p,
                    to => {
                        leaves += (1.0 - gamma) * p;
                        if to as usize != turn {
                            made.moves.terms.push((to, gamma * p));
                            open.add(to, gamma * p);
                        }
                    }
                }
            }
            made.longest_row = made.longest_row.max(chain.row(state).len());
            made.moves.end();
            made.leaves.push(leaves);
            units += 2 * (chain.row(state).len() + 2);
            let mut rest = leaves;
            while let Some((k, x)) = open.take(0) {
                if k as usize >= turn {
                    open.add(k, x);
                    break;
                }
                let earlier = k as usize;
                let l = x / made.leaving[earlier];
                made.lower.terms.push((k, l));
                rest += l * slack[earlier];
                let upper = made.upper.row(earlier);
                for &(j, u) in upper.iter().filter(|(j, _)| *j as usize != turn) {
                    open.add(j, l * u);
                }
                products += upper.len();
                units += upper.len() + 5;
            }
            made.lower.end();
            let mut sum = 0.0;
            while let Some((j, x)) = open.take(turn) {
                sum += x;
                made.upper.terms.push((j, x));
            }
            made.upper.end();
            units += 2 * made.upper.row(turn).len() + 3;
            slack.push(rest);
            made.leaving.push(sum + rest);
            if products > most {
                return None;
            }
        }
        made.error = 1.01 * units as f64 * U;
        Some(made)
    }

    /// `M^-1 x`, in turns.
    fn substitute(&self, mut x: Vec<f64>) -> Vec<f64> {
        for turn in 0..x.len() {
            let earlier = self.lower.row(turn).iter();
            x[turn] += earlier.map(|&(k, l)| l * x[k as usize]).sum::<f64>();
        }
        for turn in (0..x.len()).rev() {
            let later = self.upper.row(turn).iter();
            let sum: f64 = later.map(|&(j, u)| u * x[j as usize]).sum();
            x[turn] = (x[turn] + sum) / self.leaving[turn];
        }
        x
    }

    /// The same of the transposed equations.
    fn substitute_transposed(&self, mut x: Vec<f64>) -> Vec<f64> {
        for turn in 0..x.len() {
            x[turn] /= self.leaving[turn];
            for &(j, u) in self.upper.row(turn) {
                x[j as usize] += u * x[turn];
            }
        }
        for turn in (0..x.len()).rev() {
            for &(k, l) in self.lower.row(turn) {
                x[k as usize] += l * x[turn];
            }
        }
        x
    }

    /// Bounds on `|right - M x|`, in turns.
    fn residual(&self, x: &[f64], right: &[f64], open: &[f64]) -> Vec<f64> {
        let units = 2.0 * self.longest_row as f64 + 8.0;
        let each = (0..x.len()).map(|turn| {
            let leaves = self.leaves[turn] * x[turn];
            let (mut sum, mut size) = (right[turn] - leaves, right[turn].abs() + leaves.abs());
            for &(j, a) in self.moves.row(turn) {
                let term = a * (x[j as usize] - x[turn]);
                sum += term;
                size += term.abs();
            }
            sum.abs() + units * U * size + open[turn]
        });
        each.collect()
    }

    /// The same of the transposed equations, `y = right + sum a(j, i) y(j)`, where nothing that is alike is taken off each other.
    fn residual_transposed(&self, y: &[f64], right: &[f64]) -> Vec<f64> {
        let mut sums: Vec<[f64; 2]> = right.iter().map(|r| [*r, r.abs()]).collect();
        let mut terms: Vec<u32> = vec![0; y.len()];
        let mut add = |turn: usize, term: f64, count: usize| {
            sums[turn][0] += term;
            sums[turn][1] += term.abs();
            terms[turn] += count as u32;
        };
        for (turn, &own) in y.iter().enumerate() {
            let mut diagonal = self.leaves[turn];
            for &(j, a) in self.moves.row(turn) {
                diagonal += a;
                add(j as usize, a * own, 1);
            }
            add(turn, -diagonal * own, self.longest_row);
        }
        let each = sums.iter().zip(&terms);
        each.map(|([sum, size], terms)| sum.abs() + (2.0 * f64::from(*terms) + 8.0) * U * size)
            .collect()
    }

    /// The solution of `M x = right` as (least, most), by state of the chain, 0 where there are no equations; `right` is by state too, not negative, and each of its numbers is
    /// within `open` of the truth. `None` where numbers are too large or too small for f64.
    ///
    /// # Precision
    ///
    /// The width is the smaller of two. One is known beforehand (see [`of`](Self::of)): it grows with the number of states, however long the chain stays where it is. The other one is measured: with
    /// `r = right - M x` in difference form, `r(i) = right(i) - s x(i) + sum a (x(j) - x(i))`, the error is `M^-1 r`, and nowhere more than `M^-1 |r|`, since no number of the
    /// inverse is negative. Every term of r is rounded by fewer units of itself than the row has terms and 3, and their sum by as many units as there are.
    pub(super) fn solve(&self, right: &[f64], open: &[f64]) -> Option<Vec<[f64; 2]>> {
        let (right, open) = (self.in_turns(right), self.in_turns(open));
        let x = self.substitute(right.clone());
        let measured = self.substitute(self.residual(&x, &right, &open));
        let moved = match open.iter().all(|open| *open == 0.0) {
            true => open,
            false => self.substitute(open),
        };
        self.by_state(&x, &measured, &moved)
    }

    /// The same of the transposed equations: expected visits, given where one begins.
    pub(super) fn solve_transposed(&self, right: &[f64]) -> Option<Vec<[f64; 2]>> {
        let right = self.in_turns(right);
        let y = self.substitute_transposed(right.clone());
        let measured = self.substitute_transposed(self.residual_transposed(&y, &right));
        self.by_state(&y, &measured, &vec![0.0; y.len()])
    }

    fn in_turns(&self, by_state: &[f64]) -> Vec<f64> {
        let each = self.states.iter();
        each.map(|&s| by_state[s as usize]).collect()
    }

    fn by_state(&self, x: &[f64], measured: &[f64], moved: &[f64]) -> Option<Vec<[f64; 2]>> {
        let mut bounds = vec![[0.0; 2]; self.n_states];
        for (turn, &state) in self.states.iter().enumerate() {
            let x = x[turn];
            let known = self.error * x + moved[turn] / (1.0 - self.error);
            let measured = measured[turn] / (1.0 - self.error);
            // The ends are rounded.
            let width = known.min(measured) + 2.0 * U * x;
            let ends = [(x - width).max(0.0), x + width];
            if !ends.iter().all(|end| end.is_finite()) {
                return None;
            }
            bounds[state as usize] = ends;
        }
        Some(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    /// Some states with a few moves each, a hit here and there, and a state that nothing happens in.
    fn chain(n: usize, seed: u64) -> Chain {
        let mut state = seed;
        let mut below = |n: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut chain = Chain::default();
        for s in 0..n {
            let mut left = 1.0;
            for _ in 0..1 + below(3) {
                let p = left * (1 + below(7)) as f64 / 8.0;
                chain.push_move(below(n + 1) as u32, p);
                left -= p;
            }
            let hits = below(3) == 0;
            if !hits {
                chain.push_move(((s + 1) % n) as u32, left);
            }
            chain.push_state(if hits { left } else { 0.0 });
        }
        chain.push_move(n as u32, 1.0);
        chain.push_state(0.0);
        chain
    }

    fn dense(chain: &Chain, gamma: f64, states: &[usize]) -> DMatrix<f64> {
        let mut matrix = DMatrix::<f64>::identity(states.len(), states.len());
        for (row, &s) in states.iter().enumerate() {
            for &(to, p) in chain.row(s) {
                if let Some(column) = states.iter().position(|&t| t == to as usize) {
                    matrix[(row, column)] -= gamma * p;
                }
            }
        }
        matrix
    }

    #[test]
    fn solutions_are_those_of_a_dense_decomposition_within_bounds_that_can_fail() {
        let mut noticed = 0;
        for seed in 0..60 {
            let n = 2 + seed as usize % 40;
            let chain = chain(n, seed);
            for gamma in [1.0, 0.99, 0.5] {
                let states = match gamma {
                    1.0 => chain.hopeful(),
                    _ => (0..=n).collect(),
                };
                if states.is_empty() {
                    continue;
                }
                // Any order will do.
                for turn in [1, 7, 13] {
                    let ranks: Vec<u32> = (0..=n as u32).map(|s| s * turn % 17).collect();
                    let factors = Factors::of(&chain, gamma, &states, &ranks).unwrap();
                    let matrix = dense(&chain, gamma, &states);
                    let right = |by_state: &[f64]| {
                        DVector::from_iterator(states.len(), states.iter().map(|&s| by_state[s]))
                    };
                    let begin: Vec<f64> = (0..=n).map(|s| (s % 5) as f64).collect();
                    let open = vec![0.0; n + 1];
                    let pairs = [
                        (
                            factors.solve(&chain.hit, &open).unwrap(),
                            matrix.clone().lu().solve(&right(&chain.hit)).unwrap(),
                        ),
                        (
                            factors.solve_transposed(&begin).unwrap(),
                            matrix.transpose().lu().solve(&right(&begin)).unwrap(),
                        ),
                    ];
                    for (found, expected) in pairs {
                        for (&s, expected) in states.iter().zip(expected.iter()) {
                            let [low, high] = found[s];
                            // What the dense decomposition errs by: a few units per state at this conditioning.
                            let slack = 1e-12 * expected.abs().max(1.0);
                            assert!(
                                low - slack <= *expected && *expected <= high + slack,
                                "{seed}"
                            );
                            assert!(
                                high - low <= 1e-12 * high.max(1.0),
                                "{seed}: {}",
                                high - low
                            );
                            // The control: a wrong number of the same size lies outside.
                            noticed +=
                                u32::from(*expected > 0.0 && expected * 1.001 > high + slack);
                        }
                    }
                }
            }
        }
        assert!(noticed > 5_000, "{noticed}");
    }

    #[test]
    fn the_width_covers_what_a_solution_is_off_by_whatever_it_is() {
        for seed in 0..20 {
            let chain = chain(30, seed);
            let states = chain.hopeful();
            let ranks: Vec<u32> = (0..=30).collect();
            let factors = Factors::of(&chain, 1.0, &states, &ranks).unwrap();
            let right = factors.in_turns(&chain.hit);
            let exact = factors.substitute(right.clone());
            let none = vec![0.0; right.len()];
            for error in [1e-9, -1e-6, 1e-3] {
                let each = exact.iter().enumerate();
                let wrong: Vec<f64> = each
                    .map(|(i, x)| x * (1.0 + error * (i % 3) as f64))
                    .collect();
                let width = factors.substitute(factors.residual(&wrong, &right, &none));
                for ((wrong, exact), width) in wrong.iter().zip(&exact).zip(&width) {
                    let off = (wrong - exact).abs();
                    assert!(off <= *width, "{seed}: {off} beyond {width}");
                }
                // The control: not just any width does.
                let off = wrong.iter().zip(&exact).map(|(w, x)| (w - x).abs());
                let narrow = width.iter().map(|w| w / 1e4);
                assert!(off.zip(narrow).any(|(off, narrow)| off > narrow), "{seed}");
            }
        }
    }
}

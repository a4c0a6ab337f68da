//! States of noisy grids: every choice pulls towards one of the neighbours, and the noise pulls towards all of them alike.

use super::{Rows, VECTORS, each, max, min, offset, splat};
use crate::plan::{SweepModel, SweepState};
use crate::solve::cpu::simd::{Scalar, Vector};

/// Successors that are read together.
const FEW: usize = 4;

/// A state whose backup needs every successor once: `max(base + pull max V, ...)` with `base = R + noise sum V`.
///
/// Its common terms have one weight, its choices have no term of their own or one, always of the same weight, and together these are
/// the common ones. 4 loads, 3 additions, 3 maxima and 3 multiply-adds for the neighbours of a grid cell, where one by one they take
/// 8 loads and 8 multiply-adds.
///
/// A cell at a wall has fewer neighbours. There the last one stands for those that are not there, and what it adds to the noise is taken off again: sweeps then do
/// the same for all cells, and no branch is foreseen wrongly.
#[derive(Clone, Debug)]
pub(super) struct Fan<F> {
    /// Where the rows of the first four successors start.
    successors: [u32; FEW],
    /// gamma times the weight of a common term.
    noise: F,
    /// gamma times what the last successor adds to the noise in the place of neighbours that are not there, with a minus.
    surplus: F,
    /// gamma times the weight of a choice's own term, and `1 / (1 - gamma T)` with T its self-loop.
    pull: F,
    inverse: F,
    /// The same of choices without a term of their own, or 0 if there is none.
    idle: F,
    /// All that is multiplied by differences, at most.
    weight: F,
    /// Four more successors.
    more: Option<Box<[u32; FEW]>>,
}

impl<F: Scalar> Fan<F> {
    /// The state at a position as a fan, if it is one.
    pub(super) fn of(model: &SweepModel, position: usize, gamma: f64) -> Option<Self> {
        let state: &SweepState = &model.states()[position];
        let common = &model.parts()[state.common_first as usize..state.common_end as usize];
        let choices = &model.choices()[state.choice_first as usize..state.choice_end as usize];
        let noise = common.first()?.probability;
        let (mut pulled, mut idle, mut pull) = (Vec::new(), None, None);
        for choice in choices {
            match &model.parts()[choice.first as usize..choice.end as usize] {
                [] if *idle.get_or_insert(choice.stay) == choice.stay => {}
                [own] => {
                    let this = (own.probability, choice.stay);
                    if *pull.get_or_insert(this) != this {
                        return None;
                    }
                    pulled.push(own.position);
                }
                _ => return None,
            }
        }
        let (weight, stay) = pull?;
        pulled.sort_unstable();
        let same = common.iter().map(|part| part.position).eq(pulled);
        let even = common.iter().all(|part| part.probability == noise);
        let mut successors: Vec<u32> = common.iter().map(|p| offset(p.position)).collect();
        let missing = successors.len().next_multiple_of(FEW) - successors.len();
        if !same || !even {
            return None;
        }
        let last = *successors.last()?;
        let terms = successors.len() + missing;
        successors.resize(successors.len() + missing, last);
        let (first, more) = successors.split_first_chunk::<FEW>()?;
        let more = match more {
            [] => None,
            more => Some(Box::new(<[u32; FEW]>::try_from(more).ok()?)),
        };
        let inverse = |stay: f64| F::from_f64(1.0 / (1.0 - gamma * stay));
        Some(Self {
            successors: *first,
            noise: F::from_f64(gamma * noise),
            surplus: F::from_f64(-(missing as f64) * gamma * noise),
            pull: F::from_f64(gamma * weight),
            inverse: inverse(stay),
            idle: idle.map_or(F::default(), inverse),
            weight: F::from_f64(1.0001 * gamma * (terms as f64 * noise + weight)),
            more,
        })
    }

    /// Whether some choice has no term of its own.
    #[inline(always)]
    fn may_idle(&self) -> bool {
        self.idle != F::default()
    }

    /// A backup of the state with self-loops eliminated.
    #[inline(always)]
    pub(super) fn backup<V: Vector<Scalar = F>>(
        &self,
        reward: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let (mut sum, mut most, mut last) = fold::<V>(self.successors, rows);
        if let Some(more) = &self.more {
            let (other, others, end) = fold::<V>(**more, rows);
            sum = each!(|i| sum[i].add(other[i]));
            most = max(most, others);
            last = end;
        }
        let (noise, surplus) = (V::splat(self.noise), V::splat(self.surplus));
        let (pull, inverse) = (V::splat(self.pull), V::splat(self.inverse));
        let base = each!(|i| last[i].mul_add(surplus, sum[i].mul_add(noise, reward[i])));
        let best = each!(|i| most[i].mul_add(pull, base[i]).mul(inverse));
        if !self.may_idle() {
            return best;
        }
        let idle = V::splat(self.idle);
        each!(|i| base[i].mul(idle).max(best[i]))
    }

    /// `gamma max_a sum T (V' - V)`, and no less than the largest `gamma sum T |V' - V|` that a choice has, which errors are relative to.
    ///
    /// # Precision
    ///
    /// A choice's sum differs from that of its terms one by one in what is added up before it is multiplied: as many roundings, of no
    /// larger numbers. The maximum may be taken first: every operation after it is monotone. At a wall the size counts what is taken off again twice.
    #[inline(always)]
    pub(super) fn differences<V: Vector<Scalar = F>>(
        &self,
        own: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> ([V; VECTORS], [V; VECTORS]) {
        let mut all = Spread::<V>::none();
        for successor in self.successors {
            all.add(successor, own, rows);
        }
        if let Some(more) = &self.more {
            for &successor in &**more {
                all.add(successor, own, rows);
            }
        }
        let (noise, pull) = (V::splat(self.noise), V::splat(self.pull));
        let surplus = V::splat(self.surplus);
        let base = each!(|i| all.last[i].mul_add(surplus, all.sum[i].mul(noise)));
        let mut best = each!(|i| all.most[i].mul_add(pull, base[i]));
        if self.may_idle() {
            best = max(best, base);
        }
        let weight = V::splat(self.weight);
        let size = each!(|i| all.most[i].abs().max(all.least[i].abs()).mul(weight));
        (best, size)
    }
}

/// Sum and maximum over four rows, and the last of them.
#[inline(always)]
fn fold<V: Vector>(
    [a, b, c, d]: [u32; FEW],
    rows: Rows<'_, V::Scalar>,
) -> ([V; VECTORS], [V; VECTORS], [V; VECTORS]) {
    let [a, b, c, d]: [[V; VECTORS]; FEW] =
        [rows.load(a), rows.load(b), rows.load(c), rows.load(d)];
    let sum = each!(|i| a[i].add(b[i]).add(c[i].add(d[i])));
    (sum, max(max(a, b), max(c, d)), d)
}

/// Differences to a state's own value: their sum, maximum and minimum, and the last of them.
struct Spread<V> {
    last: [V; VECTORS],
    sum: [V; VECTORS],
    most: [V; VECTORS],
    least: [V; VECTORS],
}

impl<V: Vector> Spread<V> {
    #[inline(always)]
    fn none() -> Self {
        Self {
            last: splat(0.0),
            sum: splat(0.0),
            most: splat(f64::NEG_INFINITY),
            least: splat(f64::INFINITY),
        }
    }

    #[inline(always)]
    fn add(&mut self, row: u32, own: [V; VECTORS], rows: Rows<'_, V::Scalar>) {
        let value: [V; VECTORS] = rows.load(row);
        let difference = each!(|i| value[i].sub(own[i]));
        self.sum = each!(|i| self.sum[i].add(difference[i]));
        self.most = max(self.most, difference);
        self.least = min(self.least, difference);
        self.last = difference;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::families::GridWorld;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::plan::{Method, Plan, Schedule};
    use crate::statistics::TILE;
    use crate::units::{Discount, StateId};

    const HERE: StateId = StateId(0);

    /// A cell with some neighbours, and walls in the place of those that it has not: towards a wall it stays. The move to the first neighbour
    /// succeeds with probability `first`, any other with 5/8; 1/32 goes to every other neighbour or wall.
    fn cell(neighbours: usize, walls: usize, first: f64) -> Mdp {
        let mut b = MdpBuilder::new("cell");
        let here = b.state("here");
        let around: Vec<_> = (0..neighbours).map(|i| b.state(format!("n{i}"))).collect();
        let all: Vec<_> = (0..neighbours + walls)
            .map(|i| around.get(i).copied().unwrap_or(here))
            .collect();
        for i in 0..all.len() {
            let strong = if i == 0 { first } else { 0.625 };
            let noise = |j: usize| if i == j { strong } else { 0.03125 };
            let mut row: Vec<_> = (0..neighbours).map(|j| (around[j], noise(j))).collect();
            let sum: f64 = row.iter().map(|(_, p)| p).sum();
            row.push((here, 1.0 - sum));
            b.choice(here, format!("go {i}"), row);
        }
        around.iter().for_each(|&s| b.absorbing(s));
        b.build().unwrap()
    }

    /// A value for every state and lane.
    fn value(state: u32, lane: usize) -> f64 {
        f64::from((state * 37 + lane as u32 * 11) % 101) - 50.0
    }

    /// Checks backup and differences of the cell against its rows.
    fn check(mdp: &Mdp) {
        let gamma = 0.9;
        let plan = Plan::draw(mdp, Discount::new(gamma).unwrap());
        let model = plan.model();
        let row = |t: u32| model.position(StateId(t)) as usize;
        let fan = Fan::<f64>::of(model, row(0), gamma).unwrap();
        let n = mdp.n_states() as u32;
        let sums = |own: f64, lane: usize| {
            let term = move |(&t, &p): (&u32, &f64)| (t, gamma * p, value(t, lane) - own);
            mdp.choices(HERE).map(move |c| {
                let (to, p) = mdp.row(c);
                let terms: Vec<_> = to.iter().zip(p).map(term).collect();
                terms
                    .into_iter()
                    .filter(|(t, ..)| *t != 0)
                    .collect::<Vec<_>>()
            })
        };
        // Without the self-loop, and one step from the neighbours' values.
        let eliminated = |lane: usize| {
            let q = sums(0.0, lane).map(|terms| {
                let out: f64 = terms.iter().map(|(_, w, _)| w).sum();
                let sum: f64 = terms.iter().map(|(_, w, v)| w * v).sum();
                (2.0 + sum) / (1.0 - (gamma - out))
            });
            q.fold(f64::NEG_INFINITY, f64::max)
        };
        let mut values = vec![0.0; n as usize * TILE];
        for lane in 0..TILE {
            for t in 1..n {
                values[row(t) * TILE + lane] = value(t, lane);
            }
            values[row(0) * TILE + lane] = eliminated(lane);
        }
        let rows = Rows::new(&values, 0);
        let own: [[f64; 4]; VECTORS] = rows.row(row(0));
        let (best, size) = fan.differences(own, rows);
        // The state's own value plays no part in its backup.
        let mut others = values.clone();
        others[row(0) * TILE..][..TILE].fill(1e9);
        let backup: [[f64; 4]; VECTORS] = fan.backup([[2.0; 4]; VECTORS], Rows::new(&others, 0));
        for lane in 0..VECTORS * 4 {
            let expected = eliminated(lane);
            let found = backup.as_flattened()[lane];
            assert!((found - expected).abs() < 1e-11, "{found} {expected}");
            let (found, size) = (best.as_flattened()[lane], size.as_flattened()[lane]);
            let of = |terms: Vec<(u32, f64, f64)>, f: fn(f64) -> f64| -> f64 {
                terms.iter().map(|(_, w, d)| w * f(*d)).sum()
            };
            let most = sums(expected, lane).map(|terms| of(terms, |d| d));
            let most = most.fold(f64::NEG_INFINITY, f64::max);
            let widest = sums(expected, lane).map(|terms| of(terms, f64::abs));
            let widest = widest.fold(0.0, f64::max);
            assert!((found - most).abs() < 1e-13 * widest, "{found} {most}");
            assert!(
                size > 0.999_999 * widest && size < 3.0 * widest,
                "{size} {widest}"
            );
        }
    }

    #[test]
    fn cells_with_any_number_of_walls_are_fans_that_agree_with_their_rows() {
        for (neighbours, walls) in [(4, 0), (3, 0), (3, 1), (2, 2), (8, 0), (6, 2), (5, 3)] {
            check(&cell(neighbours, walls, 0.625));
        }
    }

    #[test]
    fn cells_are_fans_in_whatever_order_they_are_swept() {
        let grid = GridWorld::noisy(12, 12, 0.2, 0.1);
        let mdp = grid.generate(1).unwrap();
        let fans = |method| {
            let plan = Plan::draw(&mdp, Discount::new(0.9).unwrap()).with_schedule(Schedule {
                method,
                ..Schedule::default()
            });
            let model = plan.model();
            let states = 0..model.states().len();
            states
                .filter(|&s| Fan::<f32>::of(model, s, 0.9).is_some())
                .count()
        };
        let by_levels = fans(Method::InPlace);
        assert!(2 * by_levels > mdp.n_states());
        assert_eq!(fans(Method::OverRelaxed), by_levels);
    }

    #[test]
    fn other_states_are_no_fans() {
        let none = |mdp: &Mdp| {
            let plan = Plan::draw(mdp, Discount::new(0.9).unwrap());
            let model = plan.model();
            let mut states = 0..model.states().len();
            states.all(|s| Fan::<f32>::of(model, s, 0.9).is_none())
        };
        // One choice pulls by another weight.
        assert!(none(&cell(4, 0, 0.5)));
        assert!(!none(&cell(4, 0, 0.625)));
    }
}

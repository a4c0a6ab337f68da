//! The order in which states are eliminated from the equations of any policy, and which products that takes.
//!
//! The values of a policy solve `V(s) = R(s) + gamma sum T(s,s') V(s')`. Which coefficients are zero whatever the policy is known once
//! for all goals: so are the order that fills in fewest, and the list of products. What is left for a goal are the numbers.
//! On a world of rooms and corridors a whole elimination is about as much work as a sweep.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::model::{KernelClass, SweepModel};
use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::StateId;

/// Most states that are tried.
const MOST_STATES: usize = 10_000;

/// Most products of an elimination, in products of a sweep.
const MOST_SWEEPS: usize = 64;

/// Most coefficients that are kept: with 64 goals in single precision they take 32 MiB.
const MOST_KEPT: usize = 1 << 17;

/// How the equations of every policy are solved: rows from the first to the last, then values from the last to the first.
///
/// Row i reads `V(i) = (b(i) + sum over later j of u(i,j) V(j)) / d(i)`. It comes of the row of the policy by putting in the rows of earlier
/// states k, times `l(i,k)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elimination {
    rows: Vec<EliminatedRow>,
    entries: Vec<Entry>,
    products: Vec<(u32, u32)>,
    n_upper: u32,
    widest: u32,
}

/// The row of one state. Its entries are in the order of elimination: first those of states that were eliminated earlier (`l`), then those of
/// later ones (`u`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EliminatedRow {
    /// Position of the state in sweep order.
    pub position: u32,
    /// First of its entries in [`Elimination::entries`].
    pub first: u32,
    /// First of the later states'.
    pub upper: u32,
    /// One past the last.
    pub end: u32,
    /// Where the first `u` of the row is kept: the others follow.
    pub first_upper: u32,
}

/// One coefficient: what the policy says, and the sum of `l(i,k) u(k,j)` over [`products`](Elimination::products).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Position in sweep order of the state whose coefficient it is.
    pub position: u32,
    /// First of its products in [`Elimination::products`].
    pub first: u32,
    /// One past the last.
    pub end: u32,
}

impl Elimination {
    /// Finds the order; `None` where it is not worth it: rows of most states, very many states, or so much fill-in that a few dozen
    /// sweeps are less work.
    ///
    /// Next is always the state with the least product of remaining predecessors and successors (Markowitz 1957), the first in sweep order
    /// among equals. Diagonal pivots are safe: the matrix `I - gamma T` is diagonally dominant by rows.
    #[must_use]
    pub fn of(model: &SweepModel) -> Option<Self> {
        Some(Order::of(model)?.write_out())
    }

    /// The states of an MDP in that order, for equations of its policies whose numbers are found otherwise.
    #[must_use]
    pub fn order(mdp: &Mdp) -> Option<Vec<StateId>> {
        let model = SweepModel::new(mdp, RewardDomain::State);
        let order = Order::of(&model)?;
        let states = order.states.iter();
        Some(
            states
                .map(|&position| model.states()[position as usize].state)
                .collect(),
        )
    }

    /// Rows in the order of elimination, `[n_states]`.
    #[must_use]
    pub fn rows(&self) -> &[EliminatedRow] {
        &self.rows
    }

    /// Entries of all rows.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Products of all entries: number of an `l` among the row's entries, and where the `u` is kept.
    #[must_use]
    pub fn products(&self) -> &[(u32, u32)] {
        &self.products
    }

    /// How many `u` there are.
    #[must_use]
    pub fn n_upper(&self) -> usize {
        self.n_upper as usize
    }

    /// Most earlier states in a row.
    #[must_use]
    pub fn widest(&self) -> usize {
        self.widest as usize
    }
}

/// What eliminating every state does to the others.
struct Order {
    /// Positions in the order of elimination.
    states: Vec<u32>,
    /// Per position: states that were eliminated earlier and stand in its row, in order.
    lower: Vec<Vec<u32>>,
    /// Per position: later states in its row when it was eliminated.
    upper: Vec<Vec<u32>>,
}

impl Order {
    /// The order of a model's states, where it is worth it.
    fn of(model: &SweepModel) -> Option<Self> {
        if model.class() == KernelClass::Dense || model.states().len() > MOST_STATES {
            return None;
        }
        let sweep = model.products().max(model.states().len());
        Self::find(model, MOST_SWEEPS * sweep)
    }

    fn find(model: &SweepModel, most_products: usize) -> Option<Self> {
        let (mut rows, mut columns) = neighbours(model);
        let n = rows.len();
        let mut order = Self {
            states: Vec::with_capacity(n),
            lower: vec![Vec::new(); n],
            upper: vec![Vec::new(); n],
        };
        let mut is_done = vec![false; n];
        let cost = |rows: &[BTreeSet<u32>], columns: &[BTreeSet<u32>], s: u32| {
            rows[s as usize].len() * columns[s as usize].len()
        };
        let mut queue: BinaryHeap<Reverse<(usize, u32)>> = (0..n as u32)
            .map(|s| Reverse((cost(&rows, &columns, s), s)))
            .collect();
        let (mut products, mut kept) = (0, 0);
        while let Some(Reverse((queued, state))) = queue.pop() {
            let k = state as usize;
            // States are queued anew whenever their cost changes.
            if is_done[k] || queued != cost(&rows, &columns, state) {
                continue;
            }
            is_done[k] = true;
            products += queued;
            kept += rows[k].len();
            if products > most_products || kept > MOST_KEPT {
                return None;
            }
            let (row, column) = (
                std::mem::take(&mut rows[k]),
                std::mem::take(&mut columns[k]),
            );
            for &i in &column {
                order.lower[i as usize].push(state);
                rows[i as usize].remove(&state);
                for &j in row.iter().filter(|&&j| j != i) {
                    rows[i as usize].insert(j);
                    columns[j as usize].insert(i);
                }
            }
            for &j in &row {
                columns[j as usize].remove(&state);
            }
            for &s in row.union(&column) {
                queue.push(Reverse((cost(&rows, &columns, s), s)));
            }
            order.states.push(state);
            order.upper[k] = row.into_iter().collect();
        }
        Some(order)
    }

    fn write_out(mut self) -> Elimination {
        let mut turn = vec![0; self.states.len()];
        for (at, &state) in self.states.iter().enumerate() {
            turn[state as usize] = at;
        }
        let mut made = Elimination::default();
        let mut first_upper = vec![0; self.states.len()];
        for &state in &self.states {
            let i = state as usize;
            self.upper[i].sort_unstable_by_key(|&j| turn[j as usize]);
            first_upper[i] = made.n_upper;
            let first = made.entries.len() as u32;
            for &j in self.lower[i].iter().chain(&self.upper[i]) {
                let first_product = made.products.len() as u32;
                for (l, &k) in self.lower[i].iter().enumerate() {
                    if turn[k as usize] >= turn[j as usize] {
                        break;
                    }
                    let upper = &self.upper[k as usize];
                    if let Ok(at) =
                        upper.binary_search_by_key(&turn[j as usize], |&u| turn[u as usize])
                    {
                        let kept = first_upper[k as usize] + at as u32;
                        made.products.push((l as u32, kept));
                    }
                }
                made.entries.push(Entry {
                    position: j,
                    first: first_product,
                    end: made.products.len() as u32,
                });
            }
            made.rows.push(EliminatedRow {
                position: state,
                first,
                upper: first + self.lower[i].len() as u32,
                end: made.entries.len() as u32,
                first_upper: made.n_upper,
            });
            made.n_upper += self.upper[i].len() as u32;
            made.widest = made.widest.max(self.lower[i].len() as u32);
        }
        made
    }
}

/// By position: successors of every state under any choice, the state itself left out, and predecessors.
fn neighbours(model: &SweepModel) -> (Vec<BTreeSet<u32>>, Vec<BTreeSet<u32>>) {
    let n = model.states().len();
    let (mut rows, mut columns) = (vec![BTreeSet::new(); n], vec![BTreeSet::new(); n]);
    for (s, state) in model.states().iter().enumerate() {
        for part in model.terms_of(state) {
            rows[s].insert(part.position);
            columns[part.position as usize].insert(s as u32);
        }
    }
    (rows, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::plan::Plan;
    use crate::units::Discount;

    fn chain(n: usize, back: bool) -> Mdp {
        let mut builder = MdpBuilder::new("chain");
        let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
        for pair in states.windows(2) {
            builder.choice(pair[0], "on", [(pair[1], 1.0)]);
        }
        builder.absorbing(states[n - 1]);
        if back {
            for pair in states.windows(2) {
                builder.choice(pair[1], "back", [(pair[0], 1.0)]);
            }
        }
        builder.build().unwrap()
    }

    fn elimination(mdp: &Mdp) -> Option<Elimination> {
        Elimination::of(Plan::draw(mdp, Discount::new(0.9).unwrap()).model())
    }

    /// Solves `x = b + A x` with the elimination and with the dense matrix, and returns the largest difference.
    fn error(e: &Elimination, a: &[Vec<f64>], b: &[f64]) -> f64 {
        let n = b.len();
        let (mut upper, mut inverse) = (vec![0.0; e.n_upper()], vec![0.0; n]);
        let mut right = b.to_vec();
        for row in e.rows() {
            let i = row.position as usize;
            let mut lower = Vec::new();
            let mut diagonal = 1.0 - a[i][i];
            for (at, entry) in e.entries()[row.first as usize..row.end as usize]
                .iter()
                .enumerate()
            {
                let j = entry.position as usize;
                let of = &e.products()[entry.first as usize..entry.end as usize];
                let x = a[i][j]
                    + of.iter()
                        .map(|&(l, u)| lower[l as usize] * upper[u as usize])
                        .sum::<f64>();
                if row.first as usize + at < row.upper as usize {
                    lower.push(x * inverse[j]);
                    right[i] += x * inverse[j] * right[j];
                    // The state's own coefficient: that of what is put in.
                    let of_k = e.rows().iter().find(|r| r.position as usize == j).unwrap();
                    let later = &e.entries()[of_k.upper as usize..of_k.end as usize];
                    if let Some(own) = later.iter().position(|l| l.position as usize == i) {
                        diagonal -= x * inverse[j] * upper[of_k.first_upper as usize + own];
                    }
                } else {
                    upper[(row.first_upper + (row.first + at as u32 - row.upper)) as usize] = x;
                }
            }
            inverse[i] = 1.0 / diagonal;
        }
        let mut x = vec![0.0; n];
        for row in e.rows().iter().rev() {
            let later = &e.entries()[row.upper as usize..row.end as usize];
            let sum: f64 = later
                .iter()
                .enumerate()
                .map(|(at, l)| upper[row.first_upper as usize + at] * x[l.position as usize])
                .sum();
            x[row.position as usize] =
                (right[row.position as usize] + sum) * inverse[row.position as usize];
        }
        let residual = (0..n).map(|i| {
            let sum: f64 = (0..n).map(|j| a[i][j] * x[j]).sum();
            (x[i] - b[i] - sum).abs()
        });
        residual.fold(0.0, f64::max)
    }

    #[test]
    fn a_chain_to_its_end_takes_no_products_and_one_that_goes_back_fills_nothing_in() {
        let one_way = elimination(&chain(7, false)).unwrap();
        assert_eq!((one_way.products().len(), one_way.entries().len()), (0, 6));
        let both = elimination(&chain(7, true)).unwrap();
        assert_eq!((both.products().len(), both.entries().len()), (0, 12));
    }

    #[test]
    fn the_equations_of_any_policy_are_solved() {
        let n = 12;
        let mut builder = MdpBuilder::new("ring with spokes");
        let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
        for i in 0..n {
            builder.choice(
                states[i],
                "on",
                [(states[(i + 1) % n], 0.75), (states[i], 0.25)],
            );
            builder.choice(states[i], "jump", [(states[(i * 5 + 2) % n], 1.0)]);
        }
        let mdp = builder.build().unwrap();
        let plan = Plan::draw(&mdp, Discount::new(0.9).unwrap());
        let e = Elimination::of(plan.model()).unwrap();
        let at = |i: usize| plan.model().position(states[i]) as usize;
        for policy in 0..8_usize {
            let mut a = vec![vec![0.0; n]; n];
            for i in 0..n {
                if (policy >> (i % 3)) & 1 == 0 {
                    a[at(i)][at((i + 1) % n)] += 0.9 * 0.75;
                    a[at(i)][at(i)] += 0.9 * 0.25;
                } else {
                    a[at(i)][at((i * 5 + 2) % n)] += 0.9;
                }
            }
            let b: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
            assert!(error(&e, &a, &b) < 1e-13);
        }
        // An elimination without one of its products solves something else.
        let mut broken = e.clone();
        let last = broken
            .entries
            .iter_mut()
            .rev()
            .find(|x| x.first < x.end)
            .unwrap();
        last.end -= 1;
        let a: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let mut row = vec![0.0; n];
                for j in [(i + 1) % n, (i * 5 + 2) % n] {
                    row[at(j)] += 0.45;
                }
                (at(i), row)
            })
            .collect::<std::collections::BTreeMap<_, _>>()
            .into_values()
            .collect();
        let b = vec![1.0; n];
        assert!(error(&e, &a, &b) < 1e-13);
        assert!(error(&broken, &a, &b) > 1e-3);
    }

    #[test]
    fn rows_of_most_states_are_left_to_sweeps() {
        let mut builder = MdpBuilder::new("dense");
        let states: Vec<_> = (0..40).map(|i| builder.state(format!("s{i}"))).collect();
        for &s in &states {
            builder.choice(s, "any", states.iter().map(|&t| (t, 1.0 / 40.0)));
        }
        assert_eq!(elimination(&builder.build().unwrap()), None);
    }
}

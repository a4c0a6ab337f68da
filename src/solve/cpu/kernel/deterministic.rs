//! Every choice leads to one state.

use super::{Best, Differences, Kernel, Rows, VECTORS, each, max, offset};
use crate::plan::{KernelClass, SweepModel, SweepState};
use crate::solve::cpu::simd::{Scalar, Vector};
use crate::units::Discount;

/// The number of the self-loop among the choices of a state that has none.
const NO_STAY: u32 = u32::MAX;

/// Every choice leads to one state: gather and maximum, one multiply-add per state.
#[derive(Clone, Debug)]
pub(in crate::solve::cpu) struct Deterministic<F> {
    /// Per state: first and one past the last entry of `successors`, and which choice is a self-loop, or [`NO_STAY`].
    states: Vec<(u32, u32, u32)>,
    /// Where the rows of the successors other than the state itself start. Where most states have four, those with three have one of them
    /// twice: a load from the nearest cache takes less time than a branch that was foreseen wrongly.
    successors: Vec<u32>,
    discount: F,
    /// `1 / (1 - gamma)`.
    horizon: F,
}

impl<F: Scalar> Deterministic<F> {
    pub(in crate::solve::cpu) fn new(model: &SweepModel, discount: Discount) -> Self {
        assert_eq!(model.class(), KernelClass::Deterministic);
        let mut successors = Vec::with_capacity(model.parts().len());
        let pad = mostly_four(model);
        let states = model.states().iter().map(|state| {
            let first = successors.len();
            let mut stay = NO_STAY;
            let choices = &model.choices()[state.choice_first as usize..state.choice_end as usize];
            for (number, choice) in choices.iter().enumerate() {
                if choice.stay > 0.0 {
                    stay = number as u32;
                }
                let own = &model.parts()[choice.first as usize..choice.end as usize];
                successors.extend(own.iter().map(|part| offset(part.position)));
            }
            if pad && successors.len() == first + 3 {
                successors.push(successors[first]);
            }
            let first = first as u32;
            (first, successors.len() as u32, stay)
        });
        Self {
            states: states.collect(),
            successors,
            discount: F::from_f64(discount.used()),
            horizon: F::from_f64(1.0 / discount.complement()),
        }
    }

    /// Maximum over the successors other than the state itself; `None` for an absorbing state.
    #[inline(always)]
    fn gather<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rows: Rows<'_, F>,
    ) -> (Option<[V; VECTORS]>, bool) {
        let (first, end, stay) = self.states[s];
        // Written out for the counts that grids have: loads then wait for nothing.
        let best = match *self
            .successors
            .get(first as usize..end as usize)
            .unwrap_or(&[])
        {
            [] => return (None, stay != NO_STAY),
            [a] => rows.load(a),
            [a, b] => max(rows.load(a), rows.load(b)),
            [a, b, c] => max(max(rows.load(a), rows.load(b)), rows.load(c)),
            [a, b, c, d] => {
                let (one, two) = (
                    max(rows.load(a), rows.load(b)),
                    max(rows.load(c), rows.load(d)),
                );
                max(one, two)
            }
            [head, ref tail @ ..] => {
                let mut best = rows.load(head);
                for &successor in tail {
                    best = max(best, rows.load(successor));
                }
                best
            }
        };
        (Some(best), stay != NO_STAY)
    }
}

/// Whether most states have four successors other than themselves.
fn mostly_four(model: &SweepModel) -> bool {
    let moves = |state: &SweepState| {
        let choices = &model.choices()[state.choice_first as usize..state.choice_end as usize];
        choices.iter().map(|c| c.end - c.first).sum::<u32>()
    };
    let four = model.states().iter().filter(|s| moves(s) == 4).count();
    2 * four > model.states().len()
}

impl<F: Scalar> Kernel<F> for Deterministic<F> {
    const CHOICE_REWARDS: bool = false;
    const EQUAL_BOUNDS: bool = true;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let reward: [V; VECTORS] = rewards.row(s);
        let discount = V::splat(self.discount);
        let horizon = V::splat(self.horizon);
        match self.gather::<V>(s, rows) {
            (None, _) => each!(|i| reward[i].mul(horizon)),
            (Some(best), false) => each!(|i| best[i].mul_add(discount, reward[i])),
            (Some(best), true) => each!(|i| {
                best[i]
                    .mul_add(discount, reward[i])
                    .max(reward[i].mul(horizon))
            }),
        }
    }

    #[inline(always)]
    fn improve<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Option<([V; VECTORS], [V; VECTORS])> {
        let (first, end, stay) = self.states[s];
        let reward: [V; VECTORS] = rewards.row(s);
        let (discount, horizon) = (V::splat(self.discount), V::splat(self.horizon));
        let mut best = Best::<V>::none();
        for (number, &successor) in self.successors[first as usize..end as usize]
            .iter()
            .enumerate()
        {
            let value: [V; VECTORS] = rows.load(successor);
            // The self-loop is not among the successors, and has a number all the same.
            let number = number + usize::from(number as u32 >= stay);
            best.consider(number, each!(|i| value[i].mul_add(discount, reward[i])));
        }
        if stay != NO_STAY {
            best.consider(stay as usize, each!(|i| reward[i].mul(horizon)));
        }
        Some((best.value, best.number))
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        match self.gather::<V>(s, rows) {
            (None, _) => own,
            (Some(best), false) => best,
            (Some(best), true) => max(best, own),
        }
    }

    /// # Precision
    ///
    /// `V(s') - V(s)` is rounded once, and so is its product with gamma (exact in F): a relative 2u of the result, which is
    /// left to the caller (`low` and `high` are equal here). Taking the maximum first changes nothing: subtraction of one
    /// number and multiplication by gamma are monotone in floating point too.
    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let discount = V::splat(self.discount);
        let best = self.expected(s, own, rewards, rows);
        let q = each!(|i| best[i].sub(own[i]).mul(discount));
        Differences {
            low: q,
            high: q,
            best,
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.states.len()
    }
}

//! Every choice by itself: it has a reward, or is the one that is given.

use super::sparse::Sparse;
use super::{Best, Differences, Kernel, Rows, VECTORS, each, load_row, max, splat};
use crate::solve::cpu::simd::{Scalar, Vector};
use crate::statistics::TILE;

/// What is added to a choice that is not taken: beyond any value, and far from the largest number there is.
pub(in crate::solve::cpu) const UNCHOSEN: f64 = -1e30;

/// The sparse kernel that looks at every choice by itself. `REWARDED`: rewards are those of choices. `GIVEN`: which choice is taken is given, goal by goal.
///
/// The maximum stays where choices are given: 0 is added to the choice that is taken, which changes no bit, and [`UNCHOSEN`] to the others.
#[derive(Clone, Copy, Debug)]
pub(in crate::solve::cpu) struct ByChoice<'a, F, const REWARDED: bool, const GIVEN: bool> {
    sparse: &'a Sparse<F>,
    /// `[n_choices, TILE]` in sweep order; empty where none is given.
    given: &'a [F],
}

impl<'a, F: Scalar> ByChoice<'a, F, false, false> {
    /// Optimal choices under rewards of states.
    pub(super) fn plain(sparse: &'a Sparse<F>) -> Self {
        Self { sparse, given: &[] }
    }
}

impl<'a, F: Scalar> ByChoice<'a, F, true, false> {
    /// Optimal choices under rewards of choices.
    pub(in crate::solve::cpu) fn rewarded(sparse: &'a Sparse<F>) -> Self {
        Self { sparse, given: &[] }
    }
}

impl<'a, F: Scalar, const REWARDED: bool> ByChoice<'a, F, REWARDED, true> {
    /// The choices that are given.
    pub(in crate::solve::cpu) fn following(sparse: &'a Sparse<F>, given: &'a [F]) -> Self {
        Self { sparse, given }
    }
}

impl<F: Scalar, const REWARDED: bool, const GIVEN: bool> ByChoice<'_, F, REWARDED, GIVEN> {
    /// What a choice is worth, unless it is not the one that is given.
    #[inline(always)]
    fn if_taken<V: Vector<Scalar = F>>(
        &self,
        choice: usize,
        lane: usize,
        q: [V; VECTORS],
    ) -> [V; VECTORS] {
        if !GIVEN {
            return q;
        }
        let penalty: [V; VECTORS] = load_row(self.given, choice * TILE + lane);
        each!(|i| q[i].add(penalty[i]))
    }

    /// The sum of a choice with its reward, where it has one.
    #[inline(always)]
    fn rewarded_sum<V: Vector<Scalar = F>>(
        choice: usize,
        rewards: Rows<'_, F>,
        sum: [V; VECTORS],
    ) -> [V; VECTORS] {
        if !REWARDED {
            return sum;
        }
        let reward: [V; VECTORS] = rewards.row(choice);
        each!(|i| sum[i].add(reward[i]))
    }

    /// The backup of a state, and whose it is.
    #[inline(always)]
    fn best<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Best<V> {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let start: [V; VECTORS] = match REWARDED {
            true => splat(0.0),
            false => rewards.row(s),
        };
        let base = self.sparse.weighted(common_first, common_end, start, rows);
        let mut best = Best::none();
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, inverse, _) = self.sparse.choices[choice];
            let inverse = V::splat(inverse);
            let own = Self::rewarded_sum(choice, rewards, base);
            let q: [V; VECTORS] = self.sparse.weighted(first, end, own, rows);
            let q = each!(|i| q[i].mul(inverse));
            let number = choice - choice_first as usize;
            best.consider(number, self.if_taken(choice, rows.lane, q));
        }
        best
    }
}

impl<F: Scalar, const REWARDED: bool, const GIVEN: bool> Kernel<F>
    for ByChoice<'_, F, REWARDED, GIVEN>
{
    const CHOICE_REWARDS: bool = REWARDED;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        self.best(s, rewards, rows).value
    }

    #[inline(always)]
    fn improve<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Option<([V; VECTORS], [V; VECTORS])> {
        let best = self.best(s, rewards, rows);
        Some((best.value, best.number))
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let base = self
            .sparse
            .weighted(common_first, common_end, splat(0.0), rows);
        let mut best = splat(f64::NEG_INFINITY);
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, _, stay) = self.sparse.choices[choice];
            let stay = V::splat(stay);
            let start = Self::rewarded_sum(choice, rewards, base);
            let start = each!(|i| own[i].mul_add(stay, start[i]));
            let q: [V; VECTORS] = self.sparse.weighted(first, end, start, rows);
            best = max(best, self.if_taken(choice, rows.lane, q));
        }
        let inverse = V::splat(self.sparse.inverse_discount);
        each!(|i| best[i].mul(inverse))
    }

    /// # Precision
    ///
    /// As of [`Sparse`]. Where choices have rewards, one is added once beyond the error of the sum: u(|R| + |q|), with |q| at most the sum of
    /// sizes. `low` and `high` take 2u of each.
    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let zero = splat(0.0);
        let base =
            self.sparse
                .weighted_differences(common_first, common_end, own, (zero, zero), rows);
        let lowest = splat(f64::NEG_INFINITY);
        let (mut low, mut high, mut best) = (lowest, lowest, lowest);
        let of_reward = if REWARDED { 2.02 * F::UNIT } else { 0.0 };
        let sum_error = self.sparse.sum_error.to_f64() + of_reward;
        let (error, minus_error) = (both::<V>(sum_error), both::<V>(-sum_error));
        let (reward_error, minus_reward_error) = (both::<V>(of_reward), both::<V>(-of_reward));
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, ..) = self.sparse.choices[choice];
            let (sum, size): ([V; VECTORS], [V; VECTORS]) = self
                .sparse
                .weighted_differences(first, end, own, base, rows);
            let q = Self::rewarded_sum(choice, rewards, sum);
            let q = self.if_taken(choice, rows.lane, q);
            let (mut less, mut more) = (q, q);
            if REWARDED {
                let reward: [V; VECTORS] = rewards.row(choice);
                less = each!(|i| reward[i].abs().mul_add(minus_reward_error, q[i]));
                more = each!(|i| reward[i].abs().mul_add(reward_error, q[i]));
            }
            low = each!(|i| size[i].mul_add(minus_error, less[i]).max(low[i]));
            high = each!(|i| size[i].mul_add(error, more[i]).max(high[i]));
            best = max(best, q);
        }
        let inverse = V::splat(self.sparse.inverse_discount);
        Differences {
            low,
            high,
            best: each!(|i| best[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.sparse.states.len()
    }
}

#[inline(always)]
fn both<V: Vector>(x: f64) -> V {
    V::splat(V::Scalar::from_f64(x))
}

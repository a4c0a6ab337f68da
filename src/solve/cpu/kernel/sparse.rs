//! Few successors per choice.

use super::by_choice::ByChoice;
use super::fan::Fan;
use super::{Differences, Kernel, Rows, VECTORS, each, offset};
use crate::plan::SweepModel;
use crate::reward::RewardDomain;
use crate::solve::cpu::simd::{Scalar, Vector};
use crate::units::Discount;

/// Few successors per choice, with the part that a state's choices share factored out.
#[derive(Clone, Debug)]
pub(in crate::solve::cpu) struct Sparse<F> {
    /// Per state: ranges of its common terms and of its choices.
    pub(super) states: Vec<[u32; 4]>,
    /// Per choice: range of its own terms, `1 / (1 - gamma T(s,a,s))` and `gamma T(s,a,s)`.
    pub(super) choices: Vec<(u32, u32, F, F)>,
    /// The states whose backup is that of a noisy grid.
    fans: Vec<Option<Fan<F>>>,
    /// Where the row of the successor starts, and `gamma T`.
    terms: Vec<(u32, F)>,
    /// `1 / gamma`.
    pub(super) inverse_discount: F,
    /// Relative error of a sum of differences against the sum of their absolute values.
    pub(super) sum_error: F,
}

impl<F: Scalar> Sparse<F> {
    pub(in crate::solve::cpu) fn new(model: &SweepModel, discount: Discount) -> Self {
        let gamma = discount.used();
        let mut longest = 0;
        let states: Vec<[u32; 4]> = model
            .states()
            .iter()
            .map(|s| [s.common_first, s.common_end, s.choice_first, s.choice_end])
            .collect();
        for &[common_first, common_end, choice_first, choice_end] in &states {
            for choice in &model.choices()[choice_first as usize..choice_end as usize] {
                let terms = (common_end - common_first) + (choice.end - choice.first);
                longest = longest.max(terms);
            }
        }
        let choices = model.choices().iter();
        let terms = model.parts().iter();
        Self {
            states,
            fans: match model.domain() {
                RewardDomain::State => (0..model.states().len())
                    .map(|s| Fan::of(model, s, gamma))
                    .collect(),
                RewardDomain::Choice => vec![None; model.states().len()],
            },
            choices: choices
                .map(|c| {
                    let inverse = F::from_f64(1.0 / (1.0 - gamma * c.stay));
                    (c.first, c.end, inverse, F::from_f64(gamma * c.stay))
                })
                .collect(),
            terms: terms
                .map(|p| (offset(p.position), F::from_f64(gamma * p.probability)))
                .collect(),
            inverse_discount: F::from_f64(1.0 / gamma),
            sum_error: F::from_f64(Self::sum_error_factor(longest)),
        }
    }

    /// Bound on |computed - true| / sum |gamma T (V' - V)| for a sum of `terms` products, and 1% for the rounding of the
    /// bound itself.
    ///
    /// Each term: the stored factor is off by u (in f32; the f64 factors by 2u: gamma T is a product), the difference by
    /// u, the product by u where it is not fused. The sum of n terms adds (n - 1)u, and the final combination with the
    /// error term itself two more. In all n + 6 covers both precisions.
    fn sum_error_factor(terms: u32) -> f64 {
        1.01 * (f64::from(terms) + 6.0) * F::UNIT
    }

    /// Every choice by itself.
    #[inline(always)]
    fn by_choice(&self) -> ByChoice<'_, F, false, false> {
        ByChoice::plain(self)
    }

    #[inline(always)]
    pub(super) fn weighted<V: Vector<Scalar = F>>(
        &self,
        first: u32,
        end: u32,
        mut sum: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        for &(row, weight) in &self.terms[first as usize..end as usize] {
            let weight = V::splat(weight);
            let value: [V; VECTORS] = rows.load(row);
            sum = each!(|i| value[i].mul_add(weight, sum[i]));
        }
        sum
    }

    /// Sums of weighted differences to `own`, and of their absolute values.
    #[inline(always)]
    pub(super) fn weighted_differences<V: Vector<Scalar = F>>(
        &self,
        first: u32,
        end: u32,
        own: [V; VECTORS],
        (mut sum, mut size): ([V; VECTORS], [V; VECTORS]),
        rows: Rows<'_, F>,
    ) -> ([V; VECTORS], [V; VECTORS]) {
        for &(row, weight) in &self.terms[first as usize..end as usize] {
            let weight = V::splat(weight);
            let value: [V; VECTORS] = rows.load(row);
            let difference: [V; VECTORS] = each!(|i| value[i].sub(own[i]));
            sum = each!(|i| difference[i].mul_add(weight, sum[i]));
            size = each!(|i| difference[i].abs().mul_add(weight, size[i]));
        }
        (sum, size)
    }
}

impl<F: Scalar> Kernel<F> for Sparse<F> {
    const CHOICE_REWARDS: bool = false;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        match &self.fans[s] {
            Some(fan) => fan.backup(rewards.row(s), rows),
            None => self.by_choice().backup(s, rewards, rows),
        }
    }

    #[inline(always)]
    fn improve<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Option<([V; VECTORS], [V; VECTORS])> {
        self.by_choice().improve(s, rewards, rows)
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        self.by_choice().expected(s, own, rewards, rows)
    }

    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let Some(fan) = &self.fans[s] else {
            return self
                .by_choice()
                .differences(s, own, magnitude, rewards, rows);
        };
        let error = V::splat(self.sum_error);
        let minus_error = V::splat(F::from_f64(-self.sum_error.to_f64()));
        let inverse = V::splat(self.inverse_discount);
        let (best, size) = fan.differences(own, rows);
        Differences {
            low: each!(|i| size[i].mul_add(minus_error, best[i])),
            high: each!(|i| size[i].mul_add(error, best[i])),
            best: each!(|i| best[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.states.len()
    }
}

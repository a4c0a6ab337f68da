//! Few successors per choice.

use super::fan::Fan;
use super::{Best, Differences, Kernel, Rows, VECTORS, each, max, offset, splat};
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
    /// Per state: its backup in short, where it is of that kind.
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
                RewardDomain::Choice => Vec::new(),
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
        let reward = rewards.row(s);
        if let Some(fan) = &self.fans[s] {
            return fan.backup(reward, rows);
        }
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let base = self.weighted(common_first, common_end, reward, rows);
        let mut best = splat(f64::NEG_INFINITY);
        for &(first, end, inverse, _) in &self.choices[choice_first as usize..choice_end as usize] {
            let inverse = V::splat(inverse);
            let q: [V; VECTORS] = self.weighted(first, end, base, rows);
            best = each!(|i| q[i].mul(inverse).max(best[i]));
        }
        best
    }

    #[inline(always)]
    fn improve<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Option<([V; VECTORS], [V; VECTORS])> {
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let base = self.weighted(common_first, common_end, rewards.row(s), rows);
        let mut best = Best::<V>::none();
        let choices = &self.choices[choice_first as usize..choice_end as usize];
        for (number, &(first, end, inverse, _)) in choices.iter().enumerate() {
            let inverse = V::splat(inverse);
            let q: [V; VECTORS] = self.weighted(first, end, base, rows);
            best.consider(number, each!(|i| q[i].mul(inverse)));
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
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let base: [V; VECTORS] = self.weighted(common_first, common_end, splat(0.0), rows);
        let mut best = splat(f64::NEG_INFINITY);
        for &(first, end, _, stay) in &self.choices[choice_first as usize..choice_end as usize] {
            let stay = V::splat(stay);
            let start = each!(|i| own[i].mul_add(stay, base[i]));
            best = max(best, self.weighted(first, end, start, rows));
        }
        let inverse = V::splat(self.inverse_discount);
        each!(|i| best[i].mul(inverse))
    }

    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let error = V::splat(self.sum_error);
        let minus_error = V::splat(F::from_f64(-self.sum_error.to_f64()));
        let inverse = V::splat(self.inverse_discount);
        if let Some(Some(fan)) = self.fans.get(s) {
            let (best, size) = fan.differences(own, rows);
            return Differences {
                low: each!(|i| size[i].mul_add(minus_error, best[i])),
                high: each!(|i| size[i].mul_add(error, best[i])),
                best: each!(|i| best[i].mul_add(inverse, own[i])),
            };
        }
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let zero = splat(0.0);
        let base = self.weighted_differences(common_first, common_end, own, (zero, zero), rows);
        let lowest = splat(f64::NEG_INFINITY);
        let (mut low, mut high, mut best) = (lowest, lowest, lowest);
        for &(first, end, ..) in &self.choices[choice_first as usize..choice_end as usize] {
            let (q, size): ([V; VECTORS], [V; VECTORS]) =
                self.weighted_differences(first, end, own, base, rows);
            low = each!(|i| size[i].mul_add(minus_error, q[i]).max(low[i]));
            high = each!(|i| size[i].mul_add(error, q[i]).max(high[i]));
            best = max(best, q);
        }
        Differences {
            low,
            high,
            best: each!(|i| best[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.states.len()
    }
}

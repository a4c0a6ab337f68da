//! How much of a half-width is rounding: the numbers behind the certificate of shaders/solve/certify.wgsl.
//!
//! # Arithmetic
//!
//! WGSL promises of `a + b`, `a - b` and `a * b` one of the two floats next to the exact result, and leaves open which: an error
//! of at most one unit in the last place, a relative U = 2^-23. It lets an implementation fuse and reassociate only where that
//! is at least as accurate. So what is derived here for the operations as written holds with contraction and without it.
//! Numbers made on the host are rounded to nearest, U/2. Conversions of integers err by U.
//!
//! # Derivation
//!
//! Rewards, values and widths are in units of the law's binade, so that centred rewards are at most 1. Let h = 1 - gamma, |V|
//! and |r| the largest value and residual, n the most additions that a term of a sum goes through, S(s,a) = sum gamma T |V(s') - V(s)|. To first order in U:
//!
//! - One choice's sum q: each term's stored weight U/2 (nothing where rows are certain: gamma is exact), its difference U,
//!   its product U, the additions nU, the combination with the error term U: (n + 3.5) U S. The shader takes
//!   (n + 4) U S, plus 1% for the rounding of S itself and for second order. Terms are added up in runs, each from zero, and a sum of runs begins at zero, too:
//!   of the additions to zero none rounds. So the true maximum, and the computed one, lie in
//!   `[low, high]`.
//! - The rest of r: R is converted (U|R|), h V is stored and multiplied (1.5U h|V|), their difference U(|R| + h|V|), the sum
//!   with low or high U|r|: in all U(2|R| + 2.5h|V| + |r|), beyond what low and high hold.
//! - The middle of the interval, (1-g) max_a P_a V + (max r + min r)/2, in the form h V + (h/g) q: (h/g)(high - low) for q;
//!   h V 1.5U h|V|; h/g stored and multiplied 1.5U, of (h/g)|q| = h|P V - V| <= 2h|V|; their sum U h|V|, since h|P V| is what comes
//!   out; in all 5.5U h|V| + (h/g) spread. The middle of r is rounded (U|r|), and so is the sum with it (U(h|V| + |r|)).
//! - Rounding to SUM_UNITS: 2^-27 = U/16. The centre and the shift are added as integers, exactly.
//!
//! In all U(2|R| + 9h|V| + 3|r| + 1/16) + (h/g) spread. |R| is the goal's own largest centred reward, as it was converted: U|R| more
//! covers that. Taken is U(1/8 + 3|R| + 10h|V| + 4|r|) + (h/g) spread, and 1% of it for second order and for the five products and sums
//! that make up the allowance itself.
//!
//! # Rewards of choices
//!
//! There R(s,a) is part of every choice's sum, and the rest of r is -h V alone. Converting R, adding it to the sum and combining that with the error
//! term err by U|R|, U(S + |R|) and U(S + |R|), the last of them counted above as U S: with R, U(3|R| + S) beyond `sum_error`. The shader takes 3.03U of both.
//! The rest of r errs by U(1.5h|V| + |r|).
//! The middle of the interval, h(g V + max_a q) + g (max r + min r)/2, where TV = g V + max_a q: g V is rounded (U|V|), the sum
//! too (U(|V| + |r|)), h stored and multiplied 1.5U, all times h; h(high - low) for q; the middle of r is rounded twice, U|r| each, and
//! its sum is rounded (U(h|V| + 2|r|)). In all, with the rest of r, U(6.5h|V| + 8|r|) + h spread, less than what is taken: h < h/g, and per_residual is 9U there.
//!
//! # Rows that are multiplied whole
//!
//! There the residual is made of what a sweep has stored, TV = R + q with q = gamma max sum T V over all states, as (TV - R) - gamma V, and low = high. A term's stored weight errs by U/2, its
//! product by U, and it goes through n additions that round, of at most gamma |V| in all: (n + 1.5)U|V|. R is added and taken off again: U(|R| + |V|) and U|V|. gamma V is stored and
//! multiplied, 1.5U|V|, and the difference is at most 2|V|. So max q - gamma V errs by E = U((n + 7)|V| + |R|): every residual lies within E of what is computed, which widens their range by E on either side, and
//! the middle, h V + (h/g)(q - gamma V), errs by (h/g)E. Beyond the above, (1 + h/g)E is taken.
//!
//! Subnormal numbers may be flushed to zero: an error of 2^-126 an operation, far inside the margin of `1/8` over `1/16`.

use super::layout::RUN;
use super::product::DEPTH;
use crate::plan::SweepModel;
use crate::reward::RewardDomain;
use crate::units::Discount;

/// Largest relative error of one operation.
const U: f64 = 1.0 / 8_388_608.0;

/// For second order, and for the rounding of bounds themselves.
const MARGIN: f64 = 1.01;

/// The numbers of a cell's certificate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowance {
    /// Relative error of a sum of differences against the sum of their absolute values.
    pub(super) sum_error: f64,
    /// What a choice's reward adds, relative to the sum of absolute differences and to itself.
    pub(super) reward_error: f64,
    pub(super) fixed: f64,
    pub(super) per_reward: f64,
    pub(super) per_value: f64,
    pub(super) per_residual: f64,
    pub(super) per_spread: f64,
    /// What a stalled iteration shows in its residual, per |V|: a backup errs by about (n + 3) half units, four times that
    /// between two of them. Not part of a bound: it decides when to give up.
    pub(super) noise_per_value: f64,
}

impl Allowance {
    /// `whole_rows`: rows are multiplied whole.
    pub(super) fn of(model: &SweepModel, discount: Discount, whole_rows: bool) -> Self {
        match whole_rows {
            true => Self::of_whole_rows(model.states().len(), discount),
            false => Self::new(model, discount),
        }
    }

    pub(super) fn new(model: &SweepModel, discount: Discount) -> Self {
        Self::of_sums(most_additions(model), model.domain(), discount)
    }

    fn of_whole_rows(n_states: usize, discount: Discount) -> Self {
        let additions = n_states.min(DEPTH) - 1 + n_states.div_ceil(DEPTH) - 1;
        let plain = Self::of_sums(additions as u32, RewardDomain::State, discount);
        let both = MARGIN * U * (1.0 + discount.complement() / discount.used());
        Self {
            per_reward: plain.per_reward + both,
            per_value: plain.per_value + (additions as f64 + 7.0) * both,
            ..plain
        }
    }

    /// `additions`: most that a term goes through.
    fn of_sums(additions: u32, domain: RewardDomain, discount: Discount) -> Self {
        let additions = f64::from(additions);
        let complement = discount.complement();
        Self {
            sum_error: MARGIN * (additions + 4.0) * U,
            reward_error: MARGIN * 3.0 * U,
            fixed: MARGIN * U / 8.0,
            per_reward: MARGIN * 3.0 * U,
            per_value: MARGIN * 10.0 * U * complement,
            per_residual: match domain {
                RewardDomain::State => MARGIN * 4.0 * U,
                RewardDomain::Choice => MARGIN * 9.0 * U,
            },
            per_spread: MARGIN * complement / discount.used(),
            noise_per_value: 2.0 * (additions + 3.0) * U,
        }
    }

    /// The least half-width there can be, in units of the law's binade.
    pub(super) fn least(self) -> f64 {
        self.fixed
    }
}

/// Most additions that round which a term goes through: those of its run but the first, which adds to zero, and those of the runs, of the common terms and of a
/// choice's own, but the first.
fn most_additions(model: &SweepModel) -> u32 {
    let sums = model.states().iter().flat_map(|state| {
        let common = state.common_end - state.common_first;
        let own = &model.choices()[state.choice_first as usize..state.choice_end as usize];
        own.iter()
            .map(move |choice| (common, choice.end - choice.first))
    });
    let additions = sums.map(|(common, own)| {
        let runs = common.div_ceil(RUN) + own.div_ceil(RUN);
        let longest = common.max(own).min(RUN);
        longest.saturating_sub(1) + runs.saturating_sub(1)
    });
    additions.max().unwrap_or(0)
}

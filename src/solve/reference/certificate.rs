//! What any vector of values proves about the optimal ones.

use super::model::{Model, Values};
use crate::reward::RewardDomain;

/// Unit roundoff of f64.
const U: f64 = f64::EPSILON / 2.0;

/// A certified interval around the POWER integrand of every state.
///
/// With `r = L V - V` the residual of the Bellman operator `L` of the original MDP, MacQueen's bounds say
/// `V* in L V + gamma/(1 - gamma) [min r, max r]` for *any* V. On the POWER scale, `x = (1 - gamma)/gamma (V* - R)`, that is
/// `x in (1 - gamma) max_a P_a V + [min r, max r]`; the middle is kept as `integrand`.
#[derive(Debug)]
pub(super) struct Certificate {
    /// The middle of the interval, `[n_states]`.
    pub(super) integrand: Vec<f64>,
    /// `(max r - min r) / 2`.
    pub(super) half_span: f64,
    /// What f64 arithmetic can have added, see [`rounding_allowance`].
    pub(super) rounding: f64,
}

impl Certificate {
    /// Takes the residual of `values` and what follows from it.
    pub(super) fn of(model: &Model<'_>, rewards: &[f64], values: &Values) -> Self {
        let mut integrand = Vec::with_capacity(model.mdp.n_states());
        let (mut lowest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY);
        for state in model.mdp.states() {
            let (_, gain) = model.best(state, rewards, &values.deviation);
            let residual = model.residual(state, rewards, values, gain);
            lowest = lowest.min(residual);
            highest = highest.max(residual);
            let deviation = values.deviation[state.index()];
            let next = model.complement * values.offset + model.complement * (deviation + gain);
            integrand.push(next);
        }
        let middle = (lowest + highest) / 2.0;
        // Where choices have rewards, the gain holds R/gamma, and gamma times the same expression is (1 - gamma) V*.
        let scale = match model.domain {
            RewardDomain::State => 1.0,
            RewardDomain::Choice => model.discount,
        };
        integrand
            .iter_mut()
            .for_each(|x| *x = scale * (*x + middle));
        // A NaN among the values must not pass for a narrow interval: `min` and `max` skip it.
        let sound = integrand.iter().all(|x| x.is_finite());
        Self {
            integrand,
            half_span: if sound {
                (highest - lowest) / 2.0
            } else {
                f64::NAN
            },
            rounding: rounding_allowance(model, rewards, values),
        }
    }

    /// Half the width of the interval, rounding included.
    pub(super) fn half_width(&self) -> f64 {
        self.half_span + self.rounding
    }

    /// Whether nothing but rounding is left in the residual.
    pub(super) fn is_settled(&self) -> bool {
        self.half_span <= self.rounding
    }
}

/// Bound on the rounding errors in one end of the interval.
///
/// Let V = c + v be the values, k the longest row, M = max |R|, N = |c| + max |v|, D = max v - min v, g = gamma, h = 1 - g
/// (exact), u = 2^-53. To first order in u:
/// - a difference v(s') - v(s) and its product with T are off by 2u, the sum of k such terms by (k - 1)u more, relative to
///   sum T |v(s') - v(s)| <= D: a gain is off by (k + 1)u D;
/// - residual ((R - h c) - h v) + g gain: (k + 1)u D from the gain, u D from its product, u h N each from the two
///   other products, and u times each of the three sums, (M + hN) + (M + hN) + (M + hN + D): u((k + 3)D + 3M + 5hN);
/// - h c + h(v + gain): h(k + 1)u D from the gain, then u h(N + D) for each of four operations: u((k + 5)D + 4hN);
/// - the middle, adding it, and the half-span: 5u max |r| <= 5u(M + hN + D);
/// - stored probabilities are themselves rounded, and two ways of making a row sum to one differ by k u in total
///   variation, which moves x by at most k u D: this is what lets two backends be compared within their bounds.
///
/// In all u((3k + 13)D + 8M + 14hN). The factor below is larger, which covers the terms of second order in u.
fn rounding_allowance(model: &Model<'_>, rewards: &[f64], values: &Values) -> f64 {
    let largest = |x: &[f64]| x.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let (lowest, highest) = values.range();
    let size = values.offset.abs() + largest(&values.deviation);
    let factor = 3.0 * model.longest_row() as f64 + 16.0;
    factor * U * ((highest - lowest) + largest(rewards) + model.complement * size)
}

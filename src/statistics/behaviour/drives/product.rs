//! Sums of products of two means.

use crate::statistics::{Estimate, normal_quantile};

/// `sum over k of w_k x_k`, where both of each pair are estimated.
///
/// To first order it errs by `sum w_k dx_k + sum x_k dw_k`. Standard errors and bounds are added up without regard to how they go together, which is never too
/// little. Weights sum to a number that is known, so that x may be counted from anywhere, and is from the middle of what occurs.
pub(super) struct Product {
    value: f64,
    std_error: Option<f64>,
    bound: f64,
}

impl Product {
    pub(super) fn of(terms: &[(Estimate, Estimate)]) -> Self {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let values = terms.iter().map(|(_, x)| x.estimate);
        let (low, high) = values.fold(ends, |(l, h), x| (l.min(x), h.max(x)));
        let off = |x: &Estimate| (x.estimate - (low + high) / 2.0).abs();
        let std_error = terms.iter().try_fold(0.0, |sum, (w, x)| {
            Some(sum + w.estimate.abs() * x.std_error? + off(x) * w.std_error?)
        });
        let bounds = terms.iter().map(|(w, x)| {
            let weight = w.estimate.abs() + w.bound;
            weight * x.bound + off(x) * w.bound
        });
        Self {
            value: terms.iter().map(|(w, x)| w.estimate * x.estimate).sum(),
            std_error,
            bound: bounds.sum(),
        }
    }

    pub(super) fn estimate(&self, n: u64, level: f64) -> Estimate {
        let half = self
            .std_error
            .map_or(f64::INFINITY, |s| normal_quantile(level) * s);
        Estimate {
            n,
            estimate: self.value,
            std_error: self.std_error,
            ci_low: self.value - half,
            ci_high: self.value + half,
            bound: self.bound,
            bound_max: self.bound,
            low: self.value - half - self.bound,
            high: self.value + half + self.bound,
            simultaneous_low: None,
            simultaneous_high: None,
            exact: false,
        }
    }
}

/// An estimate in other units; what has no meaning for a weight is left alone.
pub(super) fn scaled(estimate: Estimate, by: f64) -> Estimate {
    Estimate {
        estimate: by * estimate.estimate,
        std_error: estimate.std_error.map(|s| by * s),
        bound: by * estimate.bound,
        ..estimate
    }
}

//! Intervals that hold at once.
//!
//! Each of m intervals misses with probability `alpha = 1 - level` at most; that any of them does is up to m times as likely. Where each errs with `alpha / m`, the chance that any does is at most
//! `alpha`, by the union bound, whatever their dependence (Bonferroni; Dunn 1961, "Multiple comparisons among means"). That asks nothing of the intervals but that each errs as rarely as it says: exact ones of shares do, which is
//! why shares have those here, and normal ones do as far as means are normal that far out. POWER, shares and differences that were the same for all goals have the interval of [`Estimate::of_constant`]; other means whose range is not known do not.
//!
//! What was left aside: errors of `1 - level^(1/m)` (Sidak 1967, "Rectangular confidence regions for the means of multivariate normal distributions") hold for normal means and make intervals narrower by less than 0.3%. The quantile of the largest of m
//! dependent errors would make those of neighbouring states, whose POWER goes together, narrower by more; it takes the covariances of all pairs, which is as many sums for every goal as there are pairs of states.

use super::Estimate;

/// The level of each of so many intervals, so that all of them hold at once with probability `level`.
#[must_use]
pub fn level_among(level: f64, intervals: usize) -> f64 {
    1.0 - (1.0 - level) / intervals.max(1) as f64
}

impl Estimate {
    /// The same estimate, and the ends that `wide` has at the level of one of several: never nearer than its own.
    #[must_use]
    pub fn holding_at_once(self, wide: &Self) -> Self {
        Self {
            simultaneous_low: Some(self.low.min(wide.low)),
            simultaneous_high: Some(self.high.max(wide.high)),
            ..self
        }
    }

    /// The same estimate with the ends that hold at once as its ends, where it has them.
    #[must_use]
    pub fn shown_at_once(self) -> Self {
        Self {
            low: self.simultaneous_low.unwrap_or(self.low),
            high: self.simultaneous_high.unwrap_or(self.high),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_shared_and_ends_only_move_outwards() {
        assert_eq!(level_among(0.95, 1), 0.95);
        assert!((level_among(0.95, 50) - 0.999).abs() < 1e-15);
        let of = |level| Estimate::of_mean(100, 0.5, 0.25, level, 0.01, 0.01);
        let (plain, wide) = (of(0.95), of(level_among(0.95, 50)));
        let held = plain.holding_at_once(&wide);
        assert_eq!((held.low, held.high), (plain.low, plain.high));
        assert_eq!(held.simultaneous_low, Some(wide.low));
        assert!(wide.low < plain.low, "the comparison can fail");
        assert_eq!(held.shown_at_once().high, wide.high);
        assert_eq!(plain.shown_at_once(), plain);
        let inwards = wide.holding_at_once(&plain);
        assert_eq!(inwards.simultaneous_high, Some(wide.high));
    }
}

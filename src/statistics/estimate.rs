//! An estimate: a number with its statistical interval and its numerical bound, kept apart.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal};

/// One estimated mean or share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Goals it stands on.
    pub n: u64,
    /// The mean over all goals, unconverged ones included.
    pub estimate: f64,
    /// Standard error; `None` (null) below two goals, never 0 for want of data.
    pub std_error: Option<f64>,
    /// Lower end of the statistical interval alone.
    pub ci_low: f64,
    /// Upper end of the statistical interval alone.
    pub ci_high: f64,
    /// Numerical half-width: the mean of the goals' certified half-widths.
    pub bound: f64,
    /// The largest half-width of any goal.
    pub bound_max: f64,
    /// `ci_low - bound`.
    pub low: f64,
    /// `ci_high + bound`.
    pub high: f64,
    /// As `low`, of the interval that holds together with those of all other rows; where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simultaneous_low: Option<f64>,
    /// As `high`, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simultaneous_high: Option<f64>,
    /// Whether it is over all goals there are, so that there is nothing to estimate.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
}

/// What a mean over goals says about the mean of their law.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sampling {
    /// Independent draws of finite variance.
    #[default]
    Independent,
    /// All goals there are, equally likely.
    Exhaustive,
    /// Draws of infinite variance: no standard error, and no interval from one.
    HeavyTailed,
}

impl Estimate {
    /// The mean of `n` independent draws with the given (population) variance.
    ///
    /// With one draw there is no standard error, and the interval is the whole line.
    #[must_use]
    pub fn of_mean(
        n: u64,
        mean: f64,
        variance: f64,
        level: f64,
        bound: f64,
        bound_max: f64,
    ) -> Self {
        let std_error = (n >= 2).then(|| (variance / (n - 1) as f64).sqrt());
        let half = std_error.map_or(f64::INFINITY, |e| normal_quantile(level) * e);
        Self {
            n,
            estimate: mean,
            std_error,
            ci_low: mean - half,
            ci_high: mean + half,
            bound,
            bound_max,
            low: mean - half - bound,
            high: mean + half + bound,
            simultaneous_low: None,
            simultaneous_high: None,
            exact: false,
        }
    }

    /// The same estimate, with the interval that its sampling allows.
    #[must_use]
    pub fn of_sampling(self, sampling: Sampling) -> Self {
        let (std_error, half) = match sampling {
            Sampling::Independent => return self,
            Sampling::Exhaustive if self.exact => return self,
            Sampling::Exhaustive => (Some(0.0), 0.0),
            Sampling::HeavyTailed => (None, f64::INFINITY),
        };
        let (ci_low, ci_high) = (self.estimate - half, self.estimate + half);
        Self {
            std_error,
            ci_low,
            ci_high,
            low: ci_low - self.bound,
            high: ci_high + self.bound,
            exact: sampling == Sampling::Exhaustive,
            ..self
        }
    }

    /// The same estimate where goals are not quite independent: the variance of a mean over n of them is 1/n and `shared` of one goal's. Standard error and interval are
    /// as wide as `n / (1 + n shared)` independent goals make them.
    #[must_use]
    pub fn of_shared(self, shared: f64) -> Self {
        if shared == 0.0 || self.exact {
            return self;
        }
        let wider = (1.0 + self.n as f64 * shared).sqrt();
        let ci_low = self.estimate - wider * (self.estimate - self.ci_low);
        let ci_high = self.estimate + wider * (self.ci_high - self.estimate);
        Self {
            std_error: self.std_error.map(|e| wider * e),
            low: self.low - (self.ci_low - ci_low),
            high: self.high + (ci_high - self.ci_high),
            ci_low,
            ci_high,
            ..self
        }
    }

    /// The same estimate with an error that is common to all goals added to its bounds.
    #[must_use]
    pub fn widened(self, error: f64) -> Self {
        Self {
            bound: self.bound + error,
            bound_max: self.bound_max + error,
            low: self.low - error,
            high: self.high + error,
            ..self
        }
    }

    /// The estimate of one minus the quantity.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self {
            estimate: 1.0 - self.estimate,
            ci_low: 1.0 - self.ci_high,
            ci_high: 1.0 - self.ci_low,
            low: 1.0 - self.high,
            high: 1.0 - self.low,
            ..*self
        }
    }
}

/// `z` with P(|N(0,1)| <= z) = `level`.
///
/// # Panics
///
/// If `level` is not in (0, 1).
#[must_use]
pub fn normal_quantile(level: f64) -> f64 {
    assert!(
        level > 0.0 && level < 1.0,
        "a confidence level lies in (0, 1)"
    );
    Normal::standard().inverse_cdf(0.5 + level / 2.0)
}

/// Wilson's score interval around a share of `n` goals.
///
/// Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
///
/// # Panics
///
/// If `level` is not in (0, 1).
#[must_use]
pub fn wilson(share: f64, n: u64, level: f64) -> (f64, f64) {
    let n = n as f64;
    let z = normal_quantile(level);
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    let (low, high) = ((middle - half) / whole, (middle + half) / whole);
    // At shares of 0 and 1 one end is the share itself; rounding must not move it past.
    (low.clamp(0.0, share), high.clamp(share, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_textbook_one() {
        // Draws 0 and 1, twice each: mean 1/2, population variance 1/4, standard error sqrt(1/4 / 3).
        let e = Estimate::of_mean(4, 0.5, 0.25, 0.95, 0.01, 0.02);
        let half = 1.959_963_984_540_054 * (0.25_f64 / 3.0).sqrt();
        assert!(
            (e.ci_high - 0.5 - half).abs() < 1e-12 && (e.high - e.ci_high - 0.01).abs() < 1e-15
        );
    }

    #[test]
    fn wilson_s_interval_holds_the_shares_whose_test_does_not_reject() {
        for (k, n) in [(0, 1), (1, 1), (3, 10), (81, 263), (263, 263)] {
            let share = f64::from(k) / f64::from(n);
            let (low, high) = wilson(share, n as u64, 0.95);
            for end in [low, high] {
                let deviation = (end * (1.0 - end) / f64::from(n)).sqrt();
                let scores = (share - end) / deviation;
                assert!(end == share || (scores.abs() - 1.959_963_984_540_054).abs() < 1e-9);
            }
            assert!(low < high && low <= share && share <= high);
        }
        // Newcombe (1998), table I: 81 of 263.
        let (low, high) = wilson(81.0 / 263.0, 263, 0.95);
        assert_eq!(
            (format!("{low:.4}"), format!("{high:.4}")),
            ("0.2553".into(), "0.3662".into())
        );
    }

    #[test]
    fn one_goal_has_no_standard_error() {
        let e = Estimate::of_mean(1, 0.5, 0.0, 0.95, 0.0, 0.0);
        assert_eq!(e.std_error, None);
        assert_eq!(
            serde_json::to_value(e).unwrap()["std_error"],
            serde_json::Value::Null
        );
    }
}

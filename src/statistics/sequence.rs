//! Intervals that hold at every look: for runs that stop when they know enough.
//!
//! Whoever looks again and again at an interval of 95% and stops when it is narrow has one that misses more often than in 5% of all runs. Here the
//! error `alpha = 1 - level` is spent over the looks: the interval of look number `k = 1, 2, ...` misses with probability at most
//! `alpha / (k (k + 1))`, and these add up to `alpha` over all looks that there can ever be. By the union bound the probability that any of
//! them misses is at most `alpha`, whenever and for whatever reason one stops, and whether or not one goes on afterwards.
//!
//! That is as good as the single interval is. Means have normal intervals, and the first look comes at thousands of goals. Shares are another
//! matter: at the small errors of late looks Wilson's interval of a rare event misses many times more often than it says, so that shares have exact intervals
//! ([`exact_share`]) here.
//!
//! Under a condition the number of goals that belong at a look is random. Given that number they are independent draws of the conditional law, so that the look's interval
//! misses with the same probability whatever the number is; only, the run does not stop before there are thousands of them.
//!
//! The alternative for means is the normal mixture of Robbins (1970; Waudby-Smith et al. 2024, "Time-uniform central limit theory and asymptotic confidence sequences"), which holds between the looks, too. Tuned to the fifth
//! look it is wider at the first four (4.4 standard errors at the first, and 2.2 here), narrower by up to 6% from there to the tenth or so, and wider after that; and it is nothing for shares.

use super::estimate::{Estimate, Sampling, wilson};

/// How intervals are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Intervals {
    /// Each holds at its level, for a number of goals that was fixed before.
    #[default]
    Fixed,
    /// All of them together hold at the level, whichever look (from 1) one stops at.
    Sequence {
        /// Which look it is.
        look: u32,
    },
}

impl Intervals {
    /// The name in results: `fixed` or `sequence`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sequence { .. } => "sequence",
        }
    }

    /// The level of a single interval, so that together they have `level`.
    #[must_use]
    pub fn level(self, level: f64) -> f64 {
        match self {
            Self::Fixed => level,
            Self::Sequence { look } => {
                let k = f64::from(look.max(1));
                1.0 - (1.0 - level) / (k * (k + 1.0))
            }
        }
    }

    /// What a p-value is multiplied by, so that the one at whichever look holds: the error of that look is so many times smaller than the whole.
    #[must_use]
    pub fn looks(self) -> f64 {
        (1.0 - self.level(0.0)).recip()
    }
}

/// How the goals of some sums were drawn, and how intervals are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Whether an interval stands alone.
    pub intervals: Intervals,
    /// What a mean over the goals says of their law.
    pub sampling: Sampling,
    /// What goals have in common: the variance of a mean over n of them is 1/n and this of one goal's.
    pub shared: f64,
    /// Whether an interval is one of several that hold at once, so that it errs more rarely than they do.
    pub is_simultaneous: bool,
}

impl Drawn {
    /// The interval of shares: an exact one where errors are small.
    #[must_use]
    pub fn shares(self) -> ShareInterval {
        match self.intervals {
            Intervals::Fixed if !self.is_simultaneous => ShareInterval::Wilson,
            _ => ShareInterval::Exact,
        }
    }

    /// So many independent goals one goal's worth of them is: 1 where they are independent.
    #[must_use]
    pub fn goals_per_goal(self, goals: u64) -> f64 {
        1.0 + goals as f64 * self.shared
    }
}

/// How a share becomes an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShareInterval {
    /// Wilson's score interval: on average over shares it has its level.
    #[default]
    Wilson,
    /// One that never misses more often than it says.
    Exact,
}

impl ShareInterval {
    /// The interval around a share of `n` goals.
    ///
    /// # Panics
    ///
    /// If `level` is not in (0, 1).
    #[must_use]
    pub fn around(self, share: f64, n: u64, level: f64) -> (f64, f64) {
        match self {
            Self::Wilson => wilson(share, n, level),
            Self::Exact => exact_share(share, n, level),
        }
    }
}

/// Goals with and goals without, from which on a share's interval is Wilson's. The third moment of the score is at most
/// `1 / sqrt(1000)` there, which moves its tails at the errors of the fifteenth look by 20%, one up and the other down, and both together by 2%.
pub(super) const MANY: u64 = 1_000;

/// The interval of Clopper and Pearson (1934) around a share of `n` goals: each end is the share that would give what was seen, or more extreme,
/// with probability `(1 - level) / 2`. Where there are a thousand goals on both sides it is Wilson's.
///
/// # Panics
///
/// If `level` is not in (0, 1).
#[must_use]
pub fn exact_share(share: f64, n: u64, level: f64) -> (f64, f64) {
    assert!(
        level > 0.0 && level < 1.0,
        "a confidence level lies in (0, 1)"
    );
    let with = (share * n as f64).round() as u64;
    let without = n.saturating_sub(with);
    if with.min(without) >= MANY {
        return wilson(share, n, level);
    }
    let tail = (1.0 - level) / 2.0;
    match with <= without {
        true => few(with, n, tail),
        false => {
            let (low, high) = few(without, n, tail);
            (1.0 - high, 1.0 - low)
        }
    }
}

/// The interval for a few goals of `n`.
fn few(with: u64, n: u64, tail: f64) -> (f64, f64) {
    let low = match with {
        0 => 0.0,
        _ => solve(|p| at_most(with - 1, n, p) > 1.0 - tail),
    };
    let high = match with == n {
        true => 1.0,
        false => solve(|p| at_most(with, n, p) > tail),
    };
    (low, high)
}

/// The number in [0, 1] up to which something holds, to the last bits.
fn solve(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // Shares of few goals are near 0: the ends come together in ratio there.
    for _ in 0..200 {
        let middle = match low > 0.0 && high > 4.0 * low {
            true => (low * high).sqrt(),
            false if low == 0.0 && high > 1e-300 => high / 16.0,
            false => (low + high) / 2.0,
        };
        if middle <= low || middle >= high {
            break;
        }
        match holds(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    (low + high) / 2.0
}

/// Terms fall from the largest on, so that all after one that is smaller by this are together less than 2^53 times that: nothing in double precision.
const NOTHING: f64 = 1e-40;

/// Probability of at most `k` of `n` with chance `p` each. Terms are positive, so that nothing cancels; the first one is the largest, so
/// that none is lost that matters.
pub(super) fn at_most(k: u64, n: u64, p: f64) -> f64 {
    let trials = n as f64;
    let first = k.min((trials * p) as u64);
    let count = first as f64;
    let choose = ln_factorial(trials) - ln_factorial(count) - ln_factorial(trials - count);
    let largest = (choose + count * p.ln() + (trials - count) * (-p).ln_1p()).exp();
    let odds = p / (1.0 - p);
    // From i - 1 goals to i.
    let ratio = |i: u64| (trials - i as f64 + 1.0) / i as f64 * odds;
    let below = (1..=first).rev().scan(largest, |term, i| {
        *term /= ratio(i);
        Some(*term)
    });
    let above = (first + 1..=k).scan(largest, |term, i| {
        *term *= ratio(i);
        Some(*term)
    });
    let matters = |term: &f64| *term > NOTHING * largest;
    let below = below.take_while(matters).sum::<f64>();
    let above = above.take_while(matters).sum::<f64>();
    (largest + below + above).min(1.0)
}

/// The logarithm of the factorial.
fn ln_factorial(n: f64) -> f64 {
    statrs::function::gamma::ln_gamma(n + 1.0)
}

impl Estimate {
    /// The same estimate, where all goals had the same number: a standard error of zero is no interval. Numbers lie within `reach` of one another.
    ///
    /// If a goal has another number with probability q, none of n has it with probability `(1 - q)^n <= exp(-q n)`: so q is at most
    /// `ln(1/alpha) / (n - 1)` (the first goal says which number is meant), and the mean is within `q reach` of it.
    #[must_use]
    pub fn of_constant(self, reach: f64, level: f64) -> Self {
        if self.std_error != Some(0.0) || self.exact || self.ci_low < self.ci_high {
            return self;
        }
        let half = reach * (-(1.0 - level).ln()) / (self.n - 1) as f64;
        Self {
            ci_low: self.ci_low - half,
            ci_high: self.ci_high + half,
            low: self.low - half,
            high: self.high + half,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;

    #[test]
    fn all_looks_together_spend_the_error() {
        let spent: f64 = (1..=1_000_000)
            .map(|look| 1.0 - Intervals::Sequence { look }.level(0.95))
            .sum();
        assert!(
            spent < 0.05 && spent > 0.05 - 1e-7,
            "{spent}: 1/(k(k+1)) adds up to 1 - 1/(K+1)"
        );
        assert_eq!(Intervals::Fixed.level(0.95), 0.95);
    }

    #[test]
    fn exact_intervals_are_those_of_the_book() {
        // Nothing seen: the upper end solves (1 - p)^n = 0.025.
        let (low, high) = exact_share(0.0, 50, 0.95);
        assert!(low == 0.0 && (high - (1.0 - 0.025_f64.powf(0.02))).abs() < 1e-12);
        // Clopper and Pearson's interval for 81 of 263 (Newcombe 1998, table I, method 5).
        let (low, high) = exact_share(81.0 / 263.0, 263, 0.95);
        assert_eq!(
            (format!("{low:.4}"), format!("{high:.4}")),
            ("0.2527".into(), "0.3676".into())
        );
        let (low, high) = exact_share(182.0 / 263.0, 263, 0.95);
        assert_eq!(
            (format!("{:.4}", 1.0 - high), format!("{:.4}", 1.0 - low)),
            ("0.2527".into(), "0.3676".into())
        );
        // One of very many: the Poisson limit, 1 - exp(-x) = 0.025 and (1 + x) exp(-x) = 0.025.
        let n = 100_000_000;
        let (low, high) = exact_share(1.0 / n as f64, n, 0.95);
        assert!((low * n as f64 - 0.025_317_8).abs() < 1e-6, "{low}");
        assert!((high * n as f64 - 5.571_643).abs() < 1e-5, "{high}");
        // Where it becomes Wilson's, the two are near.
        for n in [4_096, 10_000_000] {
            let share = 999.0 / n as f64;
            let [exact, score] = [exact_share(share, n, 0.999), wilson(share, n, 0.999)];
            let width = exact.1 - exact.0;
            assert!((exact.0 - score.0).abs() < 0.03 * width, "{n}");
            assert!((exact.1 - score.1).abs() < 0.03 * width, "{n}");
        }
    }

    const RUNS: u64 = 1_000;
    const FIRST: u64 = 4_096;
    /// Looks at 4,096 to 131,072 goals.
    const LOOKS: u32 = 6;
    /// 5% of the runs and three standard deviations of that number.
    const MOST: u64 = 50 + 3 * 7;

    /// In how many of 1,000 runs some look misses the true mean of the goals that belong: (of those that may look, of those that think they look once). Looks at too few of them are
    /// passed by.
    fn runs_that_miss(
        truth: f64,
        draw: impl Fn(&mut Random) -> Option<f64>,
        ends: impl Fn(f64, f64, u64, Intervals) -> (f64, f64),
    ) -> [u64; 2] {
        let mut missed = [0; 2];
        for run in 0..RUNS {
            let mut random = Random(run << 32);
            let (mut sum, mut squares, mut n, mut drawn) = (0.0, 0.0, 0, 0);
            let mut misses = [false; 2];
            for look in 1..=LOOKS {
                while drawn < FIRST << (look - 1) {
                    if let Some(x) = draw(&mut random) {
                        sum += x;
                        squares += x * x;
                        n += 1;
                    }
                    drawn += 1;
                }
                if n < FIRST {
                    continue;
                }
                let mean = sum / n as f64;
                let variance = squares / n as f64 - mean * mean;
                for (missed, kind) in misses
                    .iter_mut()
                    .zip([Intervals::Sequence { look }, Intervals::Fixed])
                {
                    let (low, high) = ends(mean, variance, n, kind);
                    *missed |= truth < low || truth > high;
                }
            }
            (0..2).for_each(|i| missed[i] += u64::from(misses[i]));
        }
        missed
    }

    fn normal(mean: f64, variance: f64, n: u64, kind: Intervals) -> (f64, f64) {
        let e = Estimate::of_mean(n, mean, variance, kind.level(0.95), 0.0, 0.0);
        (e.ci_low, e.ci_high)
    }

    #[test]
    fn means_over_goals_that_belong_are_covered_at_every_look() {
        // A goal x belongs with probability 0.1 + 0.4 x: the mean over those is (0.1/2 + 0.4/3) / (0.1 + 0.4/2).
        let draw = |r: &mut Random| {
            let x = r.unit();
            (r.unit() < 0.1 + 0.4 * x).then_some(x)
        };
        let truth = (0.05 + 0.4 / 3.0) / 0.3;
        let [sequence, naive] = runs_that_miss(truth, draw, normal);
        assert!(sequence <= MOST, "{sequence} of 1000 runs miss");
        // Four looks are left, the first at 5,000 goals.
        assert!(naive > MOST, "the control: {naive} of 1000 runs miss");
        let [all, _] = runs_that_miss(0.5, draw, normal);
        assert_eq!(all, RUNS, "the control: the mean over all goals");
    }

    #[test]
    fn means_are_covered_at_every_look_and_naive_looks_are_not() {
        // The square of a uniform number: skewed, with mean 1/3.
        let [sequence, naive] = runs_that_miss(1.0 / 3.0, |r| Some(r.unit().powi(2)), normal);
        assert!(sequence <= MOST, "{sequence} of 1000 runs miss");
        assert!(naive > 2 * MOST, "the control: {naive} of 1000 runs miss");
    }

    #[test]
    fn rare_events_are_covered_at_every_look_by_exact_intervals_alone() {
        // At the first look 0.12 of them are expected.
        let rare = 0.12 / FIRST as f64;
        let draw = |r: &mut Random| Some(f64::from(u8::from(r.unit() < rare)));
        let exact = |share: f64, _: f64, n: u64, kind: Intervals| {
            let drawn = Drawn {
                intervals: kind,
                ..Drawn::default()
            };
            drawn.shares().around(share, n, kind.level(0.95))
        };
        let [sequence, _] = runs_that_miss(rare, draw, exact);
        assert!(sequence <= MOST, "{sequence} of 1000 runs miss");
        let score =
            |share: f64, _: f64, n: u64, kind: Intervals| wilson(share, n, kind.level(0.95));
        let [control, _] = runs_that_miss(rare, draw, score);
        assert!(control > MOST, "the control: {control} of 1000 runs miss");
    }

    #[test]
    fn the_same_number_everywhere_is_no_proof() {
        let same = Estimate::of_mean(4_096, 0.25, 0.0, 0.95, 0.0, 0.0);
        let wider = same.of_constant(2.0, 0.95);
        let half = 2.0 * 20_f64.ln() / 4_095.0;
        assert!((wider.ci_high - 0.25 - half).abs() < 1e-12);
        assert!((0.25 - wider.low - half).abs() < 1e-12);
        let varied = Estimate::of_mean(4_096, 0.25, 0.1, 0.95, 0.0, 0.0);
        assert_eq!(varied.of_constant(2.0, 0.95), varied);
    }
}

//! Two properties of the same goals: whether more goals have the one than the other, and how many times as many.
//!
//! Goals that have both properties, or none, say nothing of which is more frequent: what counts is how the goals with one of them alone fall out.

use super::estimate::normal_quantile;
use super::exact_share;
use super::sequence::{MANY, at_most};

/// Goals by which of two properties they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairedCounts {
    /// The first alone.
    pub only_first: u64,
    /// The second alone.
    pub only_second: u64,
    /// Both.
    pub both: u64,
}

impl PairedCounts {
    /// The same with the properties exchanged.
    #[must_use]
    pub fn exchanged(self) -> Self {
        Self {
            only_first: self.only_second,
            only_second: self.only_first,
            ..self
        }
    }

    /// So many independent goals as these are, where so many (1 or more) are worth one.
    #[must_use]
    pub fn thinned(self, per_goal: f64) -> Self {
        let of = |count: u64| match per_goal > 1.0 {
            true => (count as f64 / per_goal).round() as u64,
            false => count,
        };
        Self {
            only_first: of(self.only_first),
            only_second: of(self.only_second),
            both: of(self.both),
        }
    }

    /// P(first) - P(second) as found, of so many goals.
    #[must_use]
    pub fn difference(self, goals: u64) -> f64 {
        (self.only_first as f64 - self.only_second as f64) / goals as f64
    }

    /// A number that P(first) - P(second) is below with probability `error` at most, of so many goals.
    ///
    /// With fewer than a thousand goals that have either alone it is Clopper's and Pearson's lower end of the one less their upper end of the other, each at that error: both would have to be missed by as much at
    /// once. (With p and q the two shares, the sum of both standard deviations is at least that of the difference, since `(1 - p) (1 - q) >= p q`.) With more it is the normal end.
    ///
    /// # Panics
    ///
    /// If `error` is not in (0, 1/2).
    #[must_use]
    pub fn least_difference(self, goals: u64, error: f64) -> f64 {
        let level = 1.0 - 2.0 * error;
        let n = goals as f64;
        let [p, q] = [self.only_first, self.only_second].map(|count| count as f64 / n);
        match self.only_first.min(self.only_second) < MANY {
            true => exact_share(p, goals, level).0 - exact_share(q, goals, level).1,
            false => {
                let variance = p + q - (p - q) * (p - q);
                p - q - normal_quantile(level) * (variance / n).sqrt()
            }
        }
    }

    /// P(first) / P(second): infinite where no goal has the second, and no number where none has either.
    #[must_use]
    pub fn ratio(self) -> f64 {
        (self.both + self.only_first) as f64 / (self.both + self.only_second) as f64
    }

    /// Standard error of the ratio by the delta method, where either is seen: the logarithm of a ratio of paired shares has the variance `(a + b) / ((a + c) (b + c))`.
    #[must_use]
    pub fn ratio_error(self) -> Option<f64> {
        let [a, b, c] = [self.only_first, self.only_second, self.both].map(|n| n as f64);
        let error = self.ratio() * ((a + b) / ((a + c) * (b + c))).sqrt();
        error.is_finite().then_some(error)
    }

    /// The two-sided p-value of McNemar's test in its exact form (the sign test): were both as frequent, each of the goals that have one alone would be as likely to
    /// have the one as the other.
    ///
    /// # Precision
    ///
    /// Within a relative error of 1e-15 m ln m, with m such goals: 1e-4 for a billion.
    ///
    /// Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions or percentages".
    #[must_use]
    pub fn p_value(self) -> f64 {
        let n = self.only_first + self.only_second;
        let fewer = self.only_first.min(self.only_second);
        if 2 * fewer + 1 >= n {
            return 1.0;
        }
        (2.0 * at_most(fewer, n, 0.5)).min(1.0)
    }

    /// The interval of P(first) / P(second).
    ///
    /// Goals that have neither say nothing of the ratio, so that it does not matter how rare both are. Of the m others let q10 have the first alone, q01 the second alone and q11 both: the ratio is
    /// `(1 - q01) / (1 - q10)`. With fewer than a thousand goals that have either alone, its ends are those of Clopper and Pearson for q10 and q01, each missed by no more than the error of one side. Where no goal has both, q01 is 1 - q10 and
    /// that is the exact interval of the odds; where some have, both ends would have to be missed by as much at once. With more goals it is the score interval of Tang, Tang & Chan (2003), "On tests of equivalence via non-unity relative risk for matched-pair
    /// design": all ratios r at which `a + c - r (b + c)`, divided by its standard deviation where r is the truth and all else is as likely as can be, is within
    /// the normal quantile.
    ///
    /// # Panics
    ///
    /// If `level` is not in (0, 1).
    #[must_use]
    pub fn ratio_interval(self, level: f64) -> (f64, f64) {
        let few = self.only_first.min(self.only_second) < MANY;
        let least = |counts: Self| match few {
            true => counts.least_exact(level),
            false => counts.least_by_score(level),
        };
        (least(self), 1.0 / least(self.exchanged()))
    }

    fn least_exact(self, level: f64) -> f64 {
        let m = self.only_first + self.only_second + self.both;
        if m == 0 {
            return 0.0;
        }
        let share = |count: u64| exact_share(count as f64 / m as f64, m, level);
        let (first, second) = (share(self.only_first).0, share(self.only_second).1);
        (1.0 - second) / (1.0 - first)
    }

    /// The ratio below the found one at which the score is the normal quantile. Scores fall with r.
    fn least_by_score(self, level: f64) -> f64 {
        let z = normal_quantile(level);
        if self.only_first + self.both == 0 {
            return 0.0;
        }
        // By bisection in the logarithm. Of m goals the ratio is at least 1 / m, and its end far above the inverse square of what follows.
        let m = (self.only_first + self.only_second + self.both) as f64;
        let mut low = -2.0 * (m + z * z + 1.0).ln();
        let mut high = match self.ratio() {
            found if found.is_finite() => found.ln(),
            _ => -low,
        };
        for _ in 0..100 {
            let middle = (low + high) / 2.0;
            match self.score(middle.exp()) > z {
                true => low = middle,
                false => high = middle,
            }
        }
        low.exp()
    }

    /// How many standard deviations the counts lie above what the ratio `r` makes likely.
    ///
    /// With s the share of the second property among the m goals, `q01 = 1 - r s`, `q10 = 1 - s` and `q11 = (1 + r) s - 1` sum to one and have the ratio r. Their likelihood is largest at the
    /// smaller root of `r (1 + r) m s^2 - (c (1 + r)^2 + a (1 + 2 r) + b r (2 + r)) s + c (1 + r) + a + b r`; the variance of one goal's `1[first] - r 1[second]` is then `r (2 - (1 + r) s)`.
    fn score(self, r: f64) -> f64 {
        let [a, b, c] = [self.only_first, self.only_second, self.both].map(|n| n as f64);
        let m = a + b + c;
        let square = r * (1.0 + r) * m;
        let linear = c * (1.0 + r) * (1.0 + r) + a * (1.0 + 2.0 * r) + b * r * (2.0 + r);
        let constant = c * (1.0 + r) + a + b * r;
        let root = (linear * linear - 4.0 * square * constant).max(0.0).sqrt();
        let s = 2.0 * constant / (linear + root);
        let variance = m * r * (2.0 - (1.0 + r) * s);
        let excess = a + c - r * (b + c);
        match variance > 0.0 {
            true => excess / variance.sqrt(),
            // r = 1, and no goal has one property alone.
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::wilson;

    fn counts(only_first: u64, only_second: u64, both: u64) -> PairedCounts {
        PairedCounts {
            only_first,
            only_second,
            both,
        }
    }

    #[test]
    fn the_test_is_the_binomial_one() {
        // 2 (1 + 10 + 45) / 2^10, by hand.
        assert!((counts(8, 2, 77).p_value() - 112.0 / 1024.0).abs() < 1e-14);
        assert!((counts(2, 8, 0).p_value() - 112.0 / 1024.0).abs() < 1e-14);
        assert!((counts(0, 5, 3).p_value() - 1.0 / 16.0).abs() < 1e-15);
        for even in [counts(0, 0, 9), counts(6, 6, 0), counts(4, 3, 0)] {
            assert_eq!(even.p_value(), 1.0);
        }
        // McNemar's own approximation, with the correction for continuity, where counts are large: z = 5.
        let m = 1_000_000_000;
        let p = counts(m / 2 + 79_058, m / 2 - 79_058, 0).p_value();
        let z = (2.0 * 79_058.0 - 1.0) / (m as f64).sqrt();
        let normal = statrs::function::erf::erfc(z / 2_f64.sqrt());
        assert!((p / normal - 1.0).abs() < 1e-3, "{p} {normal}");
    }

    /// The likelihood of the counts where the ratio is `r`, at its largest: by trying.
    fn best_share(of: PairedCounts, r: f64) -> f64 {
        let likelihood = |s: f64| {
            let term = |n: u64, q: f64| if n == 0 { 0.0 } else { n as f64 * q.ln() };
            term(of.only_second, 1.0 - r * s)
                + term(of.only_first, 1.0 - s)
                + term(of.both, (1.0 + r) * s - 1.0)
        };
        let (least, most) = (1.0 / (1.0 + r), 1_f64.min(1.0 / r));
        let each = (0..=200_000).map(|i| least + (most - least) * f64::from(i) / 200_000.0);
        let better = |x: f64, y: f64| {
            if likelihood(y) > likelihood(x) { y } else { x }
        };
        each.reduce(better).unwrap()
    }

    #[test]
    fn scores_are_at_the_likeliest_shares() {
        for (of, r) in [
            (counts(30, 12, 50), 1.3),
            (counts(3, 0, 5), 0.4),
            (counts(1, 7, 2), 2.5),
        ] {
            let s = best_share(of, r);
            let [a, b, c] = [of.only_first, of.only_second, of.both].map(|n| n as f64);
            // Var(1[first] - r 1[second]) = r (1 + r) P(second) - 2 r P(both).
            let both = (1.0 + r) * s - 1.0;
            let variance = (a + b + c) * (r * (1.0 + r) * s - 2.0 * r * both);
            let wanted = (a + c - r * (b + c)) / variance.sqrt();
            assert!((of.score(r) - wanted).abs() < 1e-3, "{of:?} {wanted}");
        }
    }

    #[test]
    fn where_no_goal_has_both_the_ratio_has_the_interval_of_the_odds() {
        let odds = |p: f64| p / (1.0 - p);
        for (a, b) in [(7, 3), (40, 1), (0, 5), (5, 0)] {
            let of = counts(a, b, 0);
            let share = a as f64 / (a + b) as f64;
            let score = (
                of.least_by_score(0.95),
                1.0 / of.exchanged().least_by_score(0.95),
            );
            let by_share = [wilson(share, a + b, 0.95), exact_share(share, a + b, 0.95)];
            for ((low, high), (p, q)) in [score, of.ratio_interval(0.95)].into_iter().zip(by_share)
            {
                assert!((low - odds(p)).abs() < 1e-9 * (1.0 + low), "{a} {b}: {low}");
                match high.is_finite() {
                    true => assert!((high / odds(q) - 1.0).abs() < 1e-9, "{a} {b}: {high}"),
                    false => assert_eq!((b, q), (0, 1.0)),
                }
            }
        }
        assert_eq!(counts(5, 0, 0).ratio(), f64::INFINITY);
        assert!(counts(0, 0, 0).ratio().is_nan());
        assert_eq!(counts(0, 0, 0).ratio_interval(0.95), (0.0, f64::INFINITY));
        // All of 20 goals have both: r with z = sqrt(20 (1 - r) / r), by hand.
        let low = counts(0, 0, 20).least_by_score(0.95);
        let z = normal_quantile(0.95);
        assert!((low - 20.0 / (20.0 + z * z)).abs() < 1e-9);
        // From a thousand goals on either side on the two are near.
        for both in [0, 700, 100_000] {
            let of = counts(1_700, 999, both);
            let (low, score) = (of.least_exact(0.95), of.least_by_score(0.95));
            assert!(
                low <= score && score - low < 0.5 * (of.ratio() - low),
                "{low} {score}"
            );
        }
    }

    /// Probability that an interval misses the ratio, over all outcomes of `n` goals with these probabilities.
    fn missed(
        n: u64,
        [first, second, both]: [f64; 3],
        interval: impl Fn(PairedCounts) -> (f64, f64),
    ) -> f64 {
        let truth = (both + first) / (both + second);
        let neither = (1.0 - first - second - both).max(0.0);
        let ln = statrs::function::factorial::ln_factorial;
        let mut missed = 0.0;
        for a in 0..=n {
            for b in 0..=n - a {
                for c in 0..=n - a - b {
                    let rest = n - a - b - c;
                    let counts = [(a, first), (b, second), (c, both), (rest, neither)];
                    let log = counts.iter().fold(ln(n), |log, (k, p)| {
                        let power = if *k == 0 { 0.0 } else { *k as f64 * p.ln() };
                        log + power - ln(*k)
                    });
                    let (low, high) = interval(self::counts(a, b, c));
                    if truth < low || truth > high {
                        missed += log.exp();
                    }
                }
            }
        }
        missed
    }

    /// What is often done: the delta method for the logarithm of two independent shares.
    fn unpaired(of: PairedCounts, n: u64) -> (f64, f64) {
        let [x, y] = [of.only_first, of.only_second].map(|k| (k + of.both) as f64);
        let n = n as f64;
        let half = normal_quantile(0.95) * (1.0 / x - 1.0 / n + 1.0 / y - 1.0 / n).sqrt();
        let ratio = (x / y).ln();
        ((ratio - half).exp(), (ratio + half).exp())
    }

    #[test]
    fn ratios_are_covered_where_the_second_is_rare() {
        // P(first only), P(second only), P(both): rare, hardly ever, overlapping, all but equal.
        let worlds = [
            [0.4, 0.02, 0.0],
            [0.6, 0.004, 0.001],
            [0.1, 0.03, 0.5],
            [0.05, 0.05, 0.2],
            [0.3, 0.1, 0.02],
        ];
        let n = 30;
        let exact = worlds.map(|world| missed(n, world, |of| of.ratio_interval(0.95)));
        assert!(exact.iter().all(|m| *m <= 0.05), "{exact:?}");
        assert!(exact.iter().any(|m| *m > 0.015), "{exact:?}");
        // The controls: intervals of a lower level, the score at counts that are too small for it, and shares without their pairs, which is far too wide where goals mostly have both.
        let narrow = worlds.map(|world| missed(n, world, |of| of.ratio_interval(0.7)));
        assert!(narrow.iter().any(|m| *m > 0.08), "{narrow:?}");
        let by_score = |of: PairedCounts| {
            (
                of.least_by_score(0.95),
                1.0 / of.exchanged().least_by_score(0.95),
            )
        };
        let rare = missed(n, worlds[1], by_score);
        assert!(rare > 0.1, "{rare}");
        let frequent = missed(n, worlds[2], by_score);
        assert!(frequent > 0.03 && frequent < 0.05, "{frequent}");
        let control = missed(n, worlds[2], |of| unpaired(of, n));
        assert!(control < 0.01, "{control}");
    }

    #[test]
    fn differences_are_above_their_lower_ends() {
        // P(first only), P(second only): rare, even, all on one side.
        let worlds = [
            [0.02, 0.3],
            [0.4, 0.4],
            [0.7, 0.0],
            [0.1, 0.05],
            [0.55, 0.45],
        ];
        let missed = |[p, q]: [f64; 2], by: f64| {
            let ends = |of: PairedCounts| {
                let least = of.least_difference(25, 0.025) - by;
                // An interval that holds no ratio, or all.
                let most = if least > p - q + 1e-12 {
                    -1.0
                } else {
                    f64::INFINITY
                };
                (0.0, most)
            };
            self::missed(25, [p, q, 0.0], ends)
        };
        let exact = worlds.map(|world| missed(world, 0.0));
        assert!(exact.iter().all(|m| *m <= 0.025), "{exact:?}");
        assert!(exact.iter().any(|m| *m > 0.008), "{exact:?}");
        // The control: ends a little higher.
        let beside = worlds.map(|world| missed(world, -0.3));
        assert!(beside.iter().all(|m| *m > 0.025), "{beside:?}");
        // Where there are many it is the normal end: a variance of 0.3 + 0.2 - 0.1^2, by hand.
        let many = counts(300_000, 200_000, 0).least_difference(1_000_000, 0.025);
        let error = 0.49_f64.sqrt() / 1_000.0;
        assert!((0.1 - many - 1.959_963_985 * error).abs() < 1e-9, "{many}");
    }

    #[test]
    fn the_test_rejects_no_more_often_than_it_says() {
        let rejects = |n: u64, p: f64, at: f64| -> f64 {
            // Of n goals with one property alone, k have the first with probability p.
            let ln = statrs::function::factorial::ln_factorial;
            let each = (0..=n).filter(|k| counts(*k, n - k, 0).p_value() <= at);
            let log = |k: u64| {
                ln(n) - ln(k) - ln(n - k) + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()
            };
            each.map(|k| log(k).exp()).sum()
        };
        for n in [1, 5, 12, 40, 111] {
            assert!(rejects(n, 0.5, 0.05) <= 0.05);
        }
        // The control: where one is twice as frequent it is found out.
        assert!(rejects(111, 2.0 / 3.0, 0.05) > 0.9);
    }
}

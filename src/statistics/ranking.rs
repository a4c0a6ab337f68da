//! Ranks of means over the same goals, with sets that hold all of them at once.

use statrs::function::erf::erfc;

/// How two means differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Differing {
    /// The two, by number.
    pub pair: (usize, usize),
    /// The first mean less the second.
    pub difference: f64,
    /// Standard error of the difference, over paired goals; infinite where nothing is known of it.
    pub std_error: f64,
    /// Numerical half-width of the difference.
    pub bound: f64,
}

impl Differing {
    /// The one-sided p-value of the larger mean being no larger than the other, and which of the two is the larger.
    fn p_value(&self, bound: f64) -> (f64, usize, usize) {
        let (a, b) = self.pair;
        let (larger, smaller) = if self.difference > 0.0 {
            (a, b)
        } else {
            (b, a)
        };
        let excess = self.difference.abs() - bound;
        let p = match excess > 0.0 && self.std_error.is_finite() {
            // Without an error there is no doubt.
            true => 0.5 * erfc(excess / self.std_error / std::f64::consts::SQRT_2),
            // Half of it or more, or unknown: never told.
            false => 1.0,
        };
        (p, larger, smaller)
    }
}

/// Where a mean stands among others, from 1 for the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rank {
    /// One more than there are larger means.
    pub found: u64,
    /// Least and largest rank by the statistical errors.
    pub statistical: (u64, u64),
    /// The same by these and the numerical bounds.
    pub all: (u64, u64),
    /// How far numerical bounds alone can move the rank that was found.
    pub bound: u64,
}

/// The ranks of `n` means, given how every two of them differ. With probability `level` the sets hold all ranks at once, where errors are normal.
///
/// Every mean may be larger than every other: these are n (n - 1) one-sided hypotheses, which the step-down procedure of Holm (1979), "A simple sequentially rejective multiple test procedure", tests
/// so that any of them is rejected wrongly with probability 1 - level at most, whatever their dependence. A rank is at least one more than the means that are then known to be larger, and at most n less those
/// known to be smaller. Source: Mogstad, Romano, Shaikh & Wilhelm (2024), "Inference for ranks with applications to mobility across neighbourhoods and academic achievement across countries";
/// Klein, Wright & Wieczorek (2020), "A joint confidence region for an overall ranking of populations".
#[must_use]
pub fn ranks_of(n: usize, differences: &[Differing], level: f64) -> Vec<Rank> {
    let count = |told: &dyn Fn(&Differing) -> Option<(usize, usize)>| {
        let mut counts = vec![(0, 0); n];
        for (larger, smaller) in differences.iter().filter_map(told) {
            counts[smaller].0 += 1;
            counts[larger].1 += 1;
        }
        counts
    };
    let larger_first = |d: &Differing| {
        let (_, larger, smaller) = d.p_value(0.0);
        (d.difference != 0.0).then_some((larger, smaller))
    };
    let found = count(&larger_first);
    let near = count(&|d| larger_first(d).filter(|_| d.difference.abs() <= d.bound));
    let [statistical, all] = [false, true].map(|with_bounds| {
        let threshold = holm(n, differences, level, with_bounds);
        let told = move |d: &Differing| {
            let (p, larger, smaller) = d.p_value(if with_bounds { d.bound } else { 0.0 });
            (p <= threshold).then_some((larger, smaller))
        };
        let counts = count(&told).into_iter();
        let set = counts.map(|(above, below)| (1 + above, n as u64 - below));
        set.collect::<Vec<_>>()
    });
    (0..n)
        .map(|at| Rank {
            found: 1 + found[at].0,
            statistical: statistical[at],
            all: all[at],
            // Means that are equal as found may be either way round.
            bound: near[at].0.max(near[at].1 + ties(differences, at)),
        })
        .collect()
}

/// Other means that equal a mean as they were found, within bounds that are wider than nothing.
fn ties(differences: &[Differing], at: usize) -> u64 {
    let with = |d: &&Differing| d.pair.0 == at || d.pair.1 == at;
    let tied = differences.iter().filter(with);
    tied.filter(|d| d.difference == 0.0 && d.bound > 0.0)
        .count() as u64
}

/// The largest p-value that is rejected; below zero where none is.
fn holm(n: usize, differences: &[Differing], level: f64, with_bounds: bool) -> f64 {
    let bound = |d: &Differing| if with_bounds { d.bound } else { 0.0 };
    // Of the two hypotheses about a pair the other one has a p-value of a half or more, and comes last.
    let each = differences.iter().map(|d| d.p_value(bound(d)).0);
    let mut p_values: Vec<f64> = each.collect();
    p_values.sort_by(f64::total_cmp);
    let hypotheses = (n * n.saturating_sub(1)) as f64;
    let error = 1.0 - level;
    let rejected = |&(before, p): &(usize, f64)| p <= error / (hypotheses - before as f64);
    let rejected = p_values.into_iter().enumerate().take_while(rejected);
    // Above a half it is the other hypothesis of the pair that would have come first.
    rejected
        .filter(|(_, p)| *p < 0.5)
        .last()
        .map_or(-1.0, |(_, p)| p)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::random::Random;

    fn differing(a: usize, b: usize, difference: f64, std_error: f64, bound: f64) -> Differing {
        Differing {
            pair: (a, b),
            difference,
            std_error,
            bound,
        }
    }

    #[test]
    fn ranks_are_those_that_are_told_by_hand() {
        // Three means, 3 > 2 by 10 standard errors, 2 > 1 by 2.2, 3 > 1 by 12.
        let of = |bound: f64| {
            [
                differing(0, 1, -2.2, 1.0, bound),
                differing(0, 2, -12.0, 1.0, bound),
                differing(1, 2, -10.0, 1.0, bound),
            ]
        };
        let ranks = ranks_of(3, &of(0.0), 0.95);
        // Of six hypotheses two are rejected; the third has p = 0.0139 and would have to be below 0.05 / 4 = 0.0125.
        let sets: Vec<(u64, u64)> = ranks.iter().map(|r| r.statistical).collect();
        assert_eq!(sets, [(2, 3), (2, 3), (1, 1)]);
        assert_eq!(ranks.iter().map(|r| r.found).collect::<Vec<_>>(), [3, 2, 1]);
        // At 90% all are: 0.0139 < 0.1 / 4.
        let sets = ranks_of(3, &of(0.0), 0.9).into_iter().map(|r| r.all);
        assert_eq!(sets.collect::<Vec<_>>(), [(3, 3), (2, 2), (1, 1)]);
        // Bounds widen one kind of sets and leave the other alone.
        let wide = ranks_of(3, &of(9.0), 0.9);
        let sets: Vec<_> = wide
            .iter()
            .map(|r| (r.statistical, r.all, r.bound))
            .collect();
        assert_eq!(
            sets,
            [
                ((3, 3), (2, 3), 1),
                ((2, 2), (1, 3), 1),
                ((1, 1), (1, 2), 0)
            ]
        );
    }

    #[test]
    fn what_has_no_error_is_told_and_what_has_no_variance_is_not() {
        let exact = ranks_of(2, &[differing(0, 1, 1e-9, 0.0, 0.0)], 0.95);
        assert_eq!((exact[0].all, exact[1].all), ((1, 1), (2, 2)));
        for open in [
            differing(0, 1, 1e-9, 0.0, 1e-8),
            differing(0, 1, 0.0, 0.0, 0.0),
            differing(0, 1, 1e9, f64::INFINITY, 0.0),
        ] {
            let ranks = ranks_of(2, &[open], 0.95);
            assert_eq!((ranks[0].all, ranks[1].all), ((1, 2), (1, 2)), "{open:?}");
        }
        let alone = ranks_of(1, &[], 0.95);
        assert_eq!((alone[0].found, alone[0].all), (1, (1, 1)));
    }

    /// The sum of twelve uniform numbers less six.
    fn normal(random: &mut Random) -> f64 {
        (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
    }

    const MEANS: usize = 5;
    const RUNS: u64 = 2_000;

    /// In how many runs some rank of five means over a hundred goals is not in its set: (Holm's sets, those of plain 95% comparisons). Goals have a part in common, so that means go together.
    fn missed(truth: [f64; MEANS]) -> [u64; 2] {
        let mut missed = [0; 2];
        for run in 0..RUNS {
            let mut random = Random(run << 32);
            let n = 100;
            let rows: Vec<[f64; MEANS]> = (0..n)
                .map(|_| {
                    let common = normal(&mut random);
                    truth.map(|mean| mean + common + normal(&mut random))
                })
                .collect();
            let mut pairs = Vec::new();
            for a in 0..MEANS {
                for b in a + 1..MEANS {
                    let each = || rows.iter().map(|row| row[a] - row[b]);
                    let mean = each().sum::<f64>() / f64::from(n);
                    let squares: f64 = each().map(|x| (x - mean).powi(2)).sum();
                    let error = (squares / f64::from(n - 1) / f64::from(n)).sqrt();
                    pairs.push(differing(a, b, mean, error, 0.0));
                }
            }
            let holds = |ranks: &[Rank]| {
                ranks.iter().zip(truth).all(|(rank, mean)| {
                    // Equal means may have any of the ranks that they share.
                    let larger = truth.iter().filter(|other| **other > mean).count() as u64;
                    let as_large = truth.iter().filter(|other| **other >= mean).count() as u64;
                    rank.all.0 <= 1 + larger && rank.all.1 >= as_large
                })
            };
            let plain: Vec<Rank> = (0..MEANS)
                .map(|at| {
                    // Every pair on its own, as if it were the only one.
                    let told = |d: &&Differing| d.difference.abs() > 1.96 * d.std_error;
                    let own = |d: &&Differing| d.pair.0 == at || d.pair.1 == at;
                    let smaller = |d: &&Differing| (d.difference < 0.0) == (d.pair.0 == at);
                    let known = pairs.iter().filter(own).filter(told);
                    let above = known.clone().filter(smaller).count() as u64;
                    let below = known.count() as u64 - above;
                    Rank {
                        found: 0,
                        statistical: (0, 0),
                        all: (1 + above, MEANS as u64 - below),
                        bound: 0,
                    }
                })
                .collect();
            missed[0] += u64::from(!holds(&ranks_of(MEANS, &pairs, 0.95)));
            missed[1] += u64::from(!holds(&plain));
        }
        missed
    }

    #[test]
    fn all_ranks_are_covered_at_once_and_plain_comparisons_do_not() {
        // 5% of the runs, and three standard deviations of that number.
        let most = 100 + 3 * 10;
        for truth in [
            [0.0; MEANS],
            [0.0, 0.0, 0.3, 0.3, 0.9],
            [0.0, 0.1, 0.2, 0.3, 0.4],
        ] {
            let [holm, _] = missed(truth);
            assert!(holm <= most, "{truth:?}: {holm}");
        }
        let [holm, plain] = missed([0.0; MEANS]);
        assert!(holm > 20, "{holm}: not for want of anything that is told");
        assert!(plain > 2 * most, "the control: {plain}");
    }
}

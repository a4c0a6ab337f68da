//! The whole distribution of the POWER integrand over goals, and states compared goal by goal.

use super::look::Look;
use crate::mdp::Mdp;
use crate::reward::Facts;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Differing, Estimate, Key, KeyKind, Map, Measure, Observed, ObservedSums, PowerScale, Quantity,
    Row, Sampling, Table, TableRow, normal_quantile, ranks_of,
};
use crate::units::StateId;

/// Bins of the histogram.
const BINS: usize = 64;
/// Quantiles that are told, in percent.
const QUANTILES: [(u64, &str); 5] = [
    (5, "q05"),
    (25, "q25"),
    (50, "q50"),
    (75, "q75"),
    (95, "q95"),
];
/// Scales on either side of the mean that a histogram spans where the law has no nearer ends.
const SPAN: f64 = 8.0;

/// Where a law's numbers lie: fixed before the first goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LawScale {
    /// What sums are taken about.
    pub mean: f64,
    /// What they are divided by: the range of a bounded law, else its standard deviation.
    pub scale: f64,
    /// First and last edge of a histogram.
    pub edges: (f64, f64),
}

impl Default for LawScale {
    /// The uniform law on [0, 1).
    fn default() -> Self {
        Self {
            mean: 0.5,
            scale: 1.0,
            edges: (0.0, 1.0),
        }
    }
}

impl LawScale {
    /// Edges of so many bins of a histogram, in units of the scale about the mean; one more than bins.
    pub(super) fn divided(&self, bins: usize) -> Vec<f64> {
        let (low, high) = self.edges;
        let edge = |i: usize| {
            let share = i as f64 / bins as f64;
            (low + share * (high - low) - self.mean) / self.scale
        };
        (0..=bins).map(edge).collect()
    }

    /// Of a law.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let (mean, scale) = (facts.mean, facts.scale.max(f64::MIN_POSITIVE));
        Self {
            mean,
            scale,
            edges: (
                facts.low.max(mean - SPAN * scale),
                facts.high.min(mean + SPAN * scale),
            ),
        }
    }
}

/// Variance, quantiles and histogram of the POWER integrand of chosen states, and every two of them compared: which is worth more, by how much, and
/// how their integrands correlate.
///
/// Columns: per state the integrand and (1 - gamma) V*, less the law's mean and in units of its scale; per pair whether the first is worth
/// more, and whether it is worth less; last the half-width of an integrand in the same units.
#[derive(Clone, Debug)]
pub struct Distribution {
    states: Vec<StateId>,
    law: LawScale,
    /// Ascending, in units of the law's scale about its mean: `BINS + 1` of them.
    edges: Vec<f64>,
}

impl Distribution {
    /// Of some states, for goals of a law.
    #[must_use]
    pub fn new(states: Vec<StateId>, law: LawScale) -> Self {
        Self {
            states,
            law,
            edges: law.divided(BINS),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let n = self.states.len();
        (0..n).flat_map(move |a| (a + 1..n).map(move |b| (a, b)))
    }

    /// A number with its half-width, known as far as the histogram needs it: the bracket is kept where an edge is in it.
    fn observed(&self, value: f64, half_width: f64) -> Observed {
        let (low, high) = (value - half_width, value + half_width);
        let from = self.edges.partition_point(|e| *e < low);
        let open = self.edges.get(from).is_some_and(|e| *e < high);
        match open {
            true => Observed { value, low, high },
            false => Observed::sure(value),
        }
    }

    /// Number of the first quantity of a state, of a pair, and of the half-width.
    fn quantity_of(&self, state: usize) -> usize {
        state * PER_STATE
    }

    fn quantity_of_pair(&self, pair: usize) -> usize {
        self.states.len() * PER_STATE + pair * PER_PAIR
    }

    fn quantity_of_width(&self) -> usize {
        self.quantity_of_pair(self.pairs().count())
    }
}

/// Quantities of a state: powers 1 to 3 of the integrand and of the worth (the squares of the squares are their fourth), and one for every edge.
const PER_STATE: usize = 6 + BINS + 1;
/// Of a pair: greater, less, product of the integrands.
const PER_PAIR: usize = 3;

impl Statistic for Distribution {
    fn name(&self) -> &'static str {
        "distribution"
    }

    fn n_columns(&self) -> usize {
        2 * self.states.len() + 2 * self.pairs().count() + 1
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let LawScale { mean, scale, .. } = self.law;
        let half_width = look.integrand_half_width() / scale;
        for &state in &self.states {
            let integrand = (look.integrand(state) - mean) / scale;
            row.push_observed(self.observed(integrand, half_width));
            row.push((look.worth(state) - mean) / scale);
        }
        for (a, b) in self.pairs() {
            let more = look.is_worth_more(self.states[a], self.states[b]);
            let less = look.is_worth_more(self.states[b], self.states[a]);
            row.push_observed(more);
            row.push_observed(less);
        }
        row.push(half_width);
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1_024.0);
        let mut all = Vec::new();
        for state in 0..self.states.len() {
            for column in [2 * state, 2 * state + 1] {
                let plain = Quantity::mean(column, Map::Identity, scale);
                let square = Quantity::mean(column, Map::Square, scale);
                let cube = Quantity {
                    times: Some(column),
                    ..square
                };
                all.extend([plain, square, cube]);
            }
            let edges = self.edges.iter();
            all.extend(edges.map(|&edge| Quantity::share(2 * state, Map::Above(edge))));
        }
        for (pair, (a, b)) in self.pairs().enumerate() {
            let column = 2 * self.states.len() + 2 * pair;
            all.push(Quantity::share(column, Map::Identity));
            all.push(Quantity::share(column + 1, Map::Identity));
            all.push(Quantity {
                times: Some(2 * b),
                ..Quantity::mean(2 * a, Map::Identity, scale)
            });
        }
        all.push(Quantity::mean(self.n_columns() - 1, Map::Identity, scale));
        all
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let reading = Reading {
            of: self,
            mdp,
            sums,
            first,
            level,
            quantities: &quantities,
        };
        let mut tables = vec![reading.distribution(), reading.histogram()];
        if self.states.len() > 1 {
            tables.push(reading.comparison());
            tables.push(reading.ranking());
        }
        tables
    }
}

/// Sums about to become tables.
struct Reading<'a> {
    of: &'a Distribution,
    mdp: &'a Mdp,
    sums: &'a ObservedSums,
    first: usize,
    level: f64,
    quantities: &'a [Quantity],
}

/// Mean, (population) variance and variance of the square of one column, about the law's mean.
#[derive(Clone, Copy)]
struct Powers {
    mean: f64,
    variance: f64,
    /// Variance of the estimated variance, times n.
    spread: f64,
}

impl Reading<'_> {
    fn estimate(&self, at: usize) -> Estimate {
        self.sums
            .estimate(self.first + at, &self.quantities[at], self.level)
    }

    fn name(&self, state: usize) -> Key {
        Key::text(self.mdp.state_name(self.of.states[state]))
    }

    /// How far the mean of quantity number `at` can move by goals of which it is open whether they belong.
    fn doubt(&self, at: usize) -> f64 {
        self.sums
            .doubt_of_mean(self.first + at, &self.quantities[at])
    }

    /// Of the three quantities from number `at` on.
    fn powers(&self, at: usize) -> Powers {
        let n = self.sums.goals as f64;
        let [one, two, three] = [0, 1, 2].map(|i| self.estimate(at + i));
        let of = |e: &Estimate| e.std_error.map_or(0.0, |s| s * s * (n - 1.0));
        let mean = one.estimate;
        // The delta method for E y^2 - (E y)^2.
        let covariance = three.estimate - mean * two.estimate;
        let spread = of(&two) - 4.0 * mean * covariance + 4.0 * mean * mean * of(&one);
        Powers {
            mean,
            variance: (two.estimate - mean * mean).max(0.0),
            spread: spread.max(0.0),
        }
    }

    /// Mean and largest half-width, in units of the scale.
    fn width(&self) -> (f64, f64) {
        let at = self.of.quantity_of_width();
        let e = self.estimate(at);
        let n = self.sums.goals as f64;
        let variance = e.std_error.map_or(0.0, |s| s * s * (n - 1.0));
        (e.estimate, (variance + e.estimate * e.estimate).sqrt())
    }

    /// A variance in the law's own units. An error of h in a goal's number moves it by 2 |y - mean| h + h^2, on average by no more than
    /// 2 sd rms(h) + rms(h)^2.
    fn variance(&self, at: usize, widths: f64) -> Estimate {
        let n = self.sums.goals;
        let powers = self.powers(at);
        let square = self.of.law.scale * self.of.law.scale;
        let (_, rms) = self.width();
        let rms = widths * rms;
        // Goals that may not belong move E y and E y^2, by a and b: the variance by no more than b + 2 |E y| a + a^2.
        let (a, b) = (self.doubt(at), self.doubt(at + 1));
        let moved = b + (2.0 * powers.mean.abs() + a) * a;
        let bound = square * (2.0 * powers.variance.sqrt() * rms + rms * rms + moved);
        // The unbiased variance.
        let value = powers.variance * square * n as f64 / (n.max(2) - 1) as f64;
        Estimate::of_mean(
            n,
            value,
            powers.spread * square * square,
            self.level,
            bound,
            bound,
        )
    }

    fn distribution(&self) -> Table {
        let states = 0..self.of.states.len();
        let rows = states.map(|state| {
            let at = self.of.quantity_of(state);
            let mut measures = vec![
                Measure::Estimate(self.variance(at, 1.0)),
                Measure::Estimate(self.variance(at + 3, 1.0)),
            ];
            measures.extend(QUANTILES.map(|(percent, _)| {
                let quantile = self.quantile(at + 6, percent as f64 / 100.0);
                quantile.map_or(Measure::Missing, Measure::Estimate)
            }));
            TableRow {
                keys: vec![self.name(state)],
                measures,
            }
        });
        Table {
            name: "distribution",
            keys: &[("state", KeyKind::Text)],
            measures: &[
                "variance",
                "value_variance",
                "q05",
                "q25",
                "q50",
                "q75",
                "q95",
            ],
            rows: rows.collect(),
        }
    }

    fn edge(&self, i: usize) -> f64 {
        self.of.law.mean + self.of.law.scale * self.of.edges[i]
    }

    /// Where the shares above edges fall to 1 - p, interpolated. `None` where that is beyond the edges.
    fn crossing(&self, above: impl Fn(usize) -> f64, p: f64) -> Option<f64> {
        // P(y <= e) = 1 - above reaches p between two edges.
        let below = |i: usize| 1.0 - above(i);
        let upper = (0..=BINS).find(|&i| below(i) >= p)?;
        let lower = upper.checked_sub(1)?;
        let part = (p - below(lower)) / (below(upper) - below(lower));
        Some(self.edge(lower) + part * (self.edge(upper) - self.edge(lower)))
    }

    /// A quantile from the shares above every edge: `low` and `high` are the nearest edges that it surely lies between; the estimate is
    /// interpolated, and its bound is how far that moves when all shares move by theirs. `None` where it lies beyond the edges.
    fn quantile(&self, at: usize, p: f64) -> Option<Estimate> {
        let above: Vec<Estimate> = (0..=BINS).map(|i| self.estimate(at + i)).collect();
        let value = self.crossing(|i| above[i].estimate, p)?;
        let moved = |by: f64| {
            let end = self.crossing(|i| above[i].estimate + by * above[i].bound, p);
            end.map_or(f64::INFINITY, |end| (end - value).abs())
        };
        let bound = moved(-1.0).max(moved(1.0));
        let surely = |from: fn(&Estimate) -> f64, to: fn(&Estimate) -> f64| {
            // The share below is at least 1 - high and at most 1 - low.
            let low = (0..=BINS).rev().find(|&i| 1.0 - from(&above[i]) < p);
            let high = (0..=BINS).find(|&i| 1.0 - to(&above[i]) >= p);
            let low = low.map_or(f64::NEG_INFINITY, |i| self.edge(i));
            (low, high.map_or(f64::INFINITY, |i| self.edge(i)))
        };
        let (ci_low, ci_high) = surely(|e| e.ci_low, |e| e.ci_high);
        let (low, high) = surely(|e| e.low, |e| e.high);
        Some(Estimate {
            n: self.sums.goals,
            estimate: value,
            std_error: None,
            ci_low,
            ci_high,
            bound,
            bound_max: bound,
            low,
            high,
            simultaneous_low: None,
            simultaneous_high: None,
            exact: false,
        })
    }

    /// Bins from edge to edge, and what lies beyond on either side.
    fn histogram(&self) -> Table {
        let mut rows = Vec::new();
        for state in 0..self.of.states.len() {
            let at = self.of.quantity_of(state) + 6;
            for edge in 0..=BINS {
                rows.push(TableRow {
                    keys: vec![self.name(state), Key::Count(edge as u64)],
                    measures: vec![
                        Measure::Number(self.edge(edge)),
                        Measure::Estimate(self.estimate(at + edge)),
                    ],
                });
            }
        }
        Table {
            name: "histogram",
            keys: &[("state", KeyKind::Text), ("edge", KeyKind::Count)],
            measures: &["at", "above"],
            rows,
        }
    }

    fn comparison(&self) -> Table {
        let rows = self.of.pairs().enumerate().map(|(pair, (a, b))| {
            let at = self.of.quantity_of_pair(pair);
            let [greater, less] = [0, 1].map(|i| Measure::Estimate(self.estimate(at + i)));
            let (x, y, covariance) = self.joint(pair, a, b);
            TableRow {
                keys: vec![self.name(a), self.name(b)],
                measures: vec![
                    greater,
                    less,
                    Measure::Estimate(self.difference(a, b, x, y, covariance)),
                    self.correlation(x, y, covariance),
                ],
            }
        });
        Table {
            name: "comparison",
            keys: &[("state", KeyKind::Text), ("other", KeyKind::Text)],
            measures: &["greater", "less", "difference", "correlation"],
            rows: rows.collect(),
        }
    }

    /// The powers of two states' integrands, and their covariance.
    fn joint(&self, pair: usize, a: usize, b: usize) -> (Powers, Powers, f64) {
        let product = self.estimate(self.of.quantity_of_pair(pair) + 2).estimate;
        let [x, y] = [a, b].map(|s| self.powers(self.of.quantity_of(s)));
        (x, y, product - x.mean * y.mean)
    }

    /// [`difference`](Self::difference) of a pair.
    fn difference_of_pair(&self, pair: usize, a: usize, b: usize) -> Estimate {
        let (x, y, covariance) = self.joint(pair, a, b);
        self.difference(a, b, x, y, covariance)
    }

    /// Mean difference of the integrands, goal by goal: paired.
    fn difference(&self, a: usize, b: usize, x: Powers, y: Powers, covariance: f64) -> Estimate {
        let scale = self.of.law.scale;
        let [a, b] = [a, b].map(|state| self.doubt(self.of.quantity_of(state)));
        let variance = (x.variance + y.variance - 2.0 * covariance).max(0.0);
        let bound = scale * (2.0 * self.width().0 + a + b);
        let mean = scale * (x.mean - y.mean);
        Estimate::of_mean(
            self.sums.goals,
            mean,
            scale * scale * variance,
            self.level,
            bound,
            bound,
        )
    }

    /// Where the states stand among each other by their POWER.
    fn ranking(&self) -> Table {
        let drawn = self.sums.drawn();
        let widened = drawn.goals_per_goal(self.sums.goals).sqrt();
        let differences = self.of.pairs().enumerate().map(|(pair, (a, b))| {
            let difference = self.difference_of_pair(pair, a, b);
            let std_error = match drawn.sampling {
                Sampling::Exhaustive => Some(0.0),
                Sampling::Independent => difference.std_error.map(|e| widened * e),
                Sampling::HeavyTailed => None,
            };
            Differing {
                pair: (a, b),
                difference: difference.estimate,
                std_error: std_error.unwrap_or(f64::INFINITY),
                bound: difference.bound,
            }
        });
        let differences: Vec<Differing> = differences.collect();
        let ranks = ranks_of(self.of.states.len(), &differences, self.level);
        let rows = ranks.into_iter().enumerate().map(|(state, rank)| {
            let ((ci_low, ci_high), (low, high)) = (rank.statistical, rank.all);
            let [ci_low, ci_high, low, high] = [ci_low, ci_high, low, high].map(|r| r as f64);
            let rank = Estimate {
                n: self.sums.goals,
                estimate: rank.found as f64,
                std_error: None,
                ci_low,
                ci_high,
                bound: rank.bound as f64,
                bound_max: rank.bound as f64,
                low,
                high,
                simultaneous_low: None,
                simultaneous_high: None,
                exact: drawn.sampling == Sampling::Exhaustive,
            };
            TableRow {
                keys: vec![self.name(state)],
                measures: vec![Measure::Estimate(rank)],
            }
        });
        Table {
            name: "ranking",
            keys: &[("state", KeyKind::Text)],
            measures: &["rank"],
            rows: rows.collect(),
        }
    }

    /// Pearson's correlation of the integrands with Fisher's interval.
    fn correlation(&self, x: Powers, y: Powers, covariance: f64) -> Measure {
        let n = self.sums.goals as f64;
        let deviations = (x.variance * y.variance).sqrt();
        if deviations <= 0.0 || n < 4.0 {
            return Measure::Missing;
        }
        let r = (covariance / deviations).clamp(-1.0, 1.0);
        let std_error = (1.0 - r * r) / (n - 1.0).sqrt();
        let half = normal_quantile(self.level) / (n - 3.0).sqrt();
        let z = r.atanh();
        let (ci_low, ci_high) = match z.is_finite() {
            true => ((z - half).tanh(), (z + half).tanh()),
            false => (r, r),
        };
        // Errors of h in either number move the correlation by at most 2 h / sd each, to first order.
        let (_, rms) = self.width();
        let bound = match self.sums.is_in_doubt() {
            false => 2.0 * rms * (1.0 / x.variance.sqrt() + 1.0 / y.variance.sqrt()),
            // Which goals it is over is open: nothing is claimed.
            true => 2.0,
        };
        Measure::Estimate(Estimate {
            n: self.sums.goals,
            estimate: r,
            std_error: Some(std_error),
            ci_low,
            ci_high,
            bound,
            bound_max: bound,
            low: (ci_low - bound).max(-1.0),
            high: (ci_high + bound).min(1.0),
            simultaneous_low: None,
            simultaneous_high: None,
            exact: false,
        })
    }
}

//! First-order stochastic dominance: whether the POWER integrand of one state is larger than that of another in distribution.

use std::cmp::Ordering;
use std::ops::Range;

use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::binned::{self, Places};
use crate::statistics::moments::Signed;
use crate::statistics::{
    Estimate, Key, KeyKind, Map, Measure, Observed, ObservedSums, PairedCounts, PowerScale,
    Quantity, Row, Sampling, Table, TableRow,
};
use crate::units::StateId;

/// Bins between the first edge and the last: of a law on [0, 1] each is 1/256 wide.
const BINS: u16 = 256;

/// A violation that is surely no larger than this is taken for none: no sample shows that a probability is zero.
const NEGLIGIBLE: f64 = 0.01;

/// Pairs of states, and by how much the first falls short of dominating the second: the largest `F1(x) - F2(x)` over all x, with F the distribution function over goals of the POWER
/// integrand. The first dominates where that is nowhere above zero.
///
/// One column per pair: the bins that the two integrands lie in.
#[derive(Clone, Debug)]
pub struct Dominance {
    pairs: Vec<(StateId, StateId)>,
    law: LawScale,
    /// Ascending, in units of the law's scale about its mean: `BINS + 1` of them.
    edges: Vec<f64>,
}

impl Dominance {
    /// Of some pairs, for goals of a law.
    #[must_use]
    pub fn new(pairs: Vec<(StateId, StateId)>, law: LawScale) -> Self {
        Self {
            pairs,
            law,
            edges: law.divided(usize::from(BINS)),
        }
    }

    /// The bin of a number.
    fn bin(&self, x: f64) -> u32 {
        self.edges.partition_point(|edge| *edge < x) as u32
    }

    fn observed(&self, look: &mut Look<'_>, (a, b): (StateId, StateId)) -> Observed {
        let LawScale { mean, scale, .. } = self.law;
        let half_width = look.integrand_half_width() / scale;
        let [x, y] = [a, b].map(|state| (look.integrand(state) - mean) / scale);
        if (x + y + half_width).is_nan() {
            return Observed::sure(f64::NAN);
        }
        let bins = |x: f64| [x - half_width, x, x + half_width].map(|x| self.bin(x));
        let ([x_low, first, x_high], [y_low, second, y_high]) = (bins(x), bins(y));
        let is_less = match (x_high < y_low, y_high < x_low) {
            (false, false) => look.has_larger_integrand(b, a),
            // Their bins tell.
            (is_less, _) => Observed::sure(f64::from(u8::from(is_less))),
        };
        // Numbers next to an edge may be in bins that have them the wrong way round. Which is smaller is known far better: then neither counts.
        let places = |first: u32, second: u32, is_less: f64| {
            let is_less = is_less > 0.0;
            match first.cmp(&second) {
                Ordering::Less if !is_less => Places::EQUAL,
                Ordering::Greater if is_less => Places::EQUAL,
                _ => Places {
                    first,
                    second,
                    is_less,
                },
            }
        };
        binned::observed(
            places(first, second, is_less.value),
            places(x_high, y_low, is_less.low),
            places(x_low, y_high, is_less.high),
        )
    }
}

/// Quantities of a pair: one for every edge, then one for every bin, those beyond the first and the last edge included.
const PER_PAIR: usize = 2 * BINS as usize + 3;

impl Statistic for Dominance {
    fn name(&self) -> &'static str {
        "dominance"
    }

    fn n_columns(&self) -> usize {
        self.pairs.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for &pair in &self.pairs {
            row.push_observed(self.observed(look, pair));
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1.0);
        let each = (0..self.pairs.len()).flat_map(|column| {
            let edges = (0..=BINS).map(Map::AtEdge);
            let maps = edges.chain((0..=BINS + 1).map(Map::InBin));
            maps.map(move |map| Quantity::mean(column, map, scale))
        });
        each.collect()
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let rows = self.pairs.iter().enumerate().map(|(pair, (a, b))| {
            let violation = Parting::new(sums, first + pair * PER_PAIR).violation(level);
            let finding = match violation {
                _ if violation.low > 0.0 => "does not",
                _ if violation.high <= NEGLIGIBLE => "dominates",
                _ => "not known",
            };
            let names = [a, b].map(|state| Key::text(mdp.state_name(*state)));
            TableRow {
                keys: names.into_iter().chain([Key::text(finding)]).collect(),
                measures: vec![Measure::Estimate(violation)],
            }
        });
        vec![Table {
            name: self.name(),
            keys: &[
                ("first", KeyKind::Text),
                ("second", KeyKind::Text),
                ("finding", KeyKind::Finding),
            ],
            measures: &["violation"],
            rows: rows.collect(),
        }]
    }
}

/// How two distribution functions part, as counts at every edge and in every bin.
struct Parting<'a> {
    sums: &'a ObservedSums,
    edges: Range<usize>,
    bins: Range<usize>,
}

impl<'a> Parting<'a> {
    /// Of the pair whose quantities begin with number `first`.
    fn new(sums: &'a ObservedSums, first: usize) -> Self {
        let bins = first + usize::from(BINS) + 1;
        Self {
            sums,
            edges: first..bins,
            bins: bins..first + PER_PAIR,
        }
    }

    /// The largest `F1(x) - F2(x)`, or 0.
    ///
    /// It is found at an edge. The largest difference lies at some edge, whatever it is, and is below the upper end there with half the error: so the largest of all upper ends is above it as surely. That lower
    /// ends are all below what they are lower ends of takes that error divided by the number of edges. Between edges, where the difference may be larger, it is no more than the most that goals add in that bin;
    /// that, and what their brackets leave open, is in `low`, `high` and the bound.
    fn violation(&self, level: f64) -> Estimate {
        let n = self.sums.goals;
        let drawn = self.sums.drawn();
        let exhaustive = drawn.sampling == Sampling::Exhaustive;
        // So many goals are worth one: where they are independent, one.
        let per_goal = drawn.goals_per_goal(n);
        let independent = (n as f64 / per_goal).round().max(1.0) as u64;
        let least_difference = |counts: PairedCounts, error: f64| {
            counts
                .thinned(per_goal)
                .least_difference(independent, error)
        };
        let error = (1.0 - level) / 2.0;
        let each = error / self.edges.len() as f64;
        // No exact end is further from what was found than Hoeffding's, so that most need not be found.
        let reach = 2.0 * ((1.0 / error).ln() / (2.0 * independent as f64)).sqrt();
        let (mut estimate, mut furthest) = (0.0_f64, 0.0_f64);
        let (mut ci_low, mut ci_high, mut low, mut high) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
        let lower = |counts: PairedCounts, away: f64, least: f64| {
            let found = counts.difference(n) - away;
            match exhaustive {
                _ if found <= least => least,
                true => found,
                false => least.max(least_difference(counts, each) - away),
            }
        };
        let upper = |counts: PairedCounts, away: f64, most: f64| {
            let found = counts.difference(n) + away;
            match exhaustive {
                true => most.max(found),
                false if found + reach <= most => most,
                false => most.max(away - least_difference(counts.exchanged(), error)),
            }
        };
        for at in self.largest_first(&self.edges) {
            let Signed {
                more, less, below, ..
            } = self.sums.signed_counts(at);
            let own = counts(more, less);
            estimate = estimate.max(own.difference(n));
            ci_low = lower(own, 0.0, ci_low);
            ci_high = upper(own, 0.0, ci_high);
            low = lower(own, below as f64 / n as f64 + self.doubt(at), low);
        }
        for at in self.largest_first(&self.bins) {
            let Signed {
                more, less, above, ..
            } = self.sums.signed_counts(at);
            let (own, away) = (counts(more, less), above as f64 / n as f64 + self.doubt(at));
            furthest = furthest.max(own.difference(n) + away);
            high = upper(own, away, high);
        }
        let bound = (furthest - estimate).max(0.0);
        Estimate {
            n,
            estimate,
            std_error: exhaustive.then_some(0.0),
            ci_low,
            ci_high,
            bound,
            bound_max: bound,
            low: low.min(ci_low),
            high: high.max(ci_high).min(1.0),
            simultaneous_low: None,
            simultaneous_high: None,
            exact: exhaustive,
        }
    }

    /// Quantities, the one with the largest difference first: most others need no ends then.
    fn largest_first(&self, of: &Range<usize>) -> Vec<usize> {
        let mut order: Vec<(i64, usize)> = of
            .clone()
            .map(|at| {
                let Signed { more, less, .. } = self.sums.signed_counts(at);
                (less as i64 - more as i64, at)
            })
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// How far a mean can move by goals of which it is open whether they belong.
    fn doubt(&self, at: usize) -> f64 {
        let quantity = Quantity::mean(0, Map::Identity, PowerScale::new(0.0, 1.0));
        self.sums.doubt_of_mean(at, &quantity)
    }
}

/// Goals that add 1, and goals that take 1 off.
fn counts(more: u64, less: u64) -> PairedCounts {
    PairedCounts {
        only_first: more,
        only_second: less,
        both: 0,
    }
}

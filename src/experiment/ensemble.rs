//! Many environments as one question: means over them with intervals of a bootstrap, and the share in which a claim holds.
//!
//! What varies from environment to environment is not what varies from goal to goal: with a thousand MDPs and a million goals the interval that matters is
//! over MDPs.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::CellStatistics;
use crate::rng::{Stream, word};
use crate::statistics::{
    Estimate, Key, KeyKind, Measure, Table, TableRow, normal_quantile, wilson,
};
use crate::units::{Discount, SampleIndex, Seed};

/// Resamples of the environments.
const RESAMPLES: u32 = 2_000;
/// Environments below which a bootstrap has nothing to work with: means are not taken.
const FEWEST: usize = 5;
/// Environments from which on the mean is as good as normal, and resampling costs more than it tells.
const MANY: usize = 4_096;

/// All environments of one variant, law, discount and rule.
#[derive(Clone, Debug)]
pub struct Ensemble {
    /// Name of the variant.
    pub variant: String,
    /// Name of the reward distribution.
    pub reward: String,
    /// The discount as it was asked.
    pub discount: Discount,
    /// The discount that was used; `None` at a limit.
    pub discount_used: Option<f64>,
    /// Decision rule.
    pub rule: String,
    /// Environments with a result.
    pub environments: u64,
    /// `ensemble`: means over environments of what all of them have; `claims`: in which share of them claims hold.
    pub tables: Vec<Table>,
}

/// What is claimed of every environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// What it is called.
    pub name: String,
    /// The statistic: `power`, or the name of a table.
    pub statistic: String,
    /// Names of the row, from the first on: a state, a label, ...
    pub row: Vec<String>,
    /// The measure; of `power` there is one.
    pub measure: String,
    /// What it is held against.
    pub holds: Side,
}

/// On which side of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Side {
    /// Above it.
    Above(f64),
    /// Below it.
    Below(f64),
}

impl Claim {
    /// Measures of the statistics that claims can be about.
    pub const MEASURES: [(&'static str, &'static [&'static str]); 14] = [
        ("power", &["power"]),
        ("optimality", &["weak", "strict", "fractional"]),
        (
            "majority",
            &[
                "first",
                "second",
                "difference",
                "only_first",
                "only_second",
                "ratio",
            ],
        ),
        ("choices", &["probability"]),
        ("events", &["ever", "avoid", "within", "discounted", "time"]),
        ("occupancy", &["visits"]),
        (
            "distribution",
            &[
                "variance",
                "value_variance",
                "q05",
                "q25",
                "q50",
                "q75",
                "q95",
            ],
        ),
        (
            "comparison",
            &["greater", "less", "difference", "correlation"],
        ),
        ("ranking", &["rank"]),
        ("dominance", &["violation"]),
        ("indifference", &["price"]),
        ("drives", &["estimate"]),
        ("readings", &["mean", "above", "tied", "below"]),
        ("differences", &["difference"]),
    ];

    /// What it is about in a cell; `None` where the cell has no such row.
    fn of(&self, cell: &CellStatistics) -> Option<Estimate> {
        if self.statistic == "power" {
            let state = cell.mdp.find_state(self.row.first()?)?;
            return cell.power.get(state.index()).copied();
        }
        let table = cell.table(&self.statistic)?;
        let is_meant = |row: &&TableRow| {
            let names = row.keys.iter().filter(|key| **key != Key::Missing);
            let names: Vec<&Key> = names.collect();
            let asked = self.row.iter();
            names.len() >= self.row.len() && asked.zip(names).all(|(a, b)| *b == Key::text(a))
        };
        let row = table.rows.iter().find(is_meant)?;
        table.measure(row, &self.measure)?.estimate().copied()
    }
}

/// The ensembles of a run: none where there is one environment, or where there are few and nothing is claimed.
pub(super) fn ensembles(
    cells: &[CellStatistics],
    claims: &[Claim],
    seed: Seed,
    level: f64,
) -> Vec<Ensemble> {
    let mut groups: Vec<Vec<&CellStatistics>> = Vec::new();
    for cell in cells {
        let is_same = |group: &&mut Vec<&CellStatistics>| {
            let of = |c: &CellStatistics| {
                (
                    c.discount,
                    c.variant.clone(),
                    c.reward.clone(),
                    c.rule.clone(),
                )
            };
            of(group[0]) == of(cell)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    let groups = groups.iter().filter(|group| group.len() > 1);
    let each = groups.map(|cells| {
        let means = (cells.len() >= FEWEST).then(|| means(cells, seed, level));
        let mut tables: Vec<Table> = means.into_iter().collect();
        if !claims.is_empty() {
            tables.push(shares(cells, claims, level));
        }
        // Worlds that have no names in common have no row.
        tables.retain(|table| !table.rows.is_empty());
        let first = cells[0];
        Ensemble {
            variant: first.variant.clone(),
            reward: first.reward.clone(),
            discount: first.discount,
            discount_used: first.discount_used,
            rule: first.rule.clone(),
            environments: cells.len() as u64,
            tables,
        }
    });
    each.filter(|of: &Ensemble| !of.tables.is_empty()).collect()
}

/// A row that every environment has: its statistic, its names, its measure, and the estimates.
struct Common {
    statistic: &'static str,
    row: String,
    measure: &'static str,
    estimates: Vec<Estimate>,
}

/// What all cells have, in the order of the first.
fn common(cells: &[&CellStatistics]) -> Vec<Common> {
    let mut all = Vec::new();
    let first = cells[0];
    for (state, power) in first.mdp.states().zip(&first.power) {
        let name = first.mdp.state_name(state);
        let others = cells[1..].iter().map(|cell| {
            let state = cell.mdp.find_state(name)?;
            cell.power.get(state.index()).copied()
        });
        let estimates: Option<Vec<_>> = std::iter::once(Some(*power)).chain(others).collect();
        all.extend(estimates.map(|estimates| Common {
            statistic: "power",
            row: name.to_owned(),
            measure: first.measure(),
            estimates,
        }));
    }
    // Histograms are curves, and those of different worlds have different edges.
    let tables = first
        .tables
        .iter()
        .filter(|table| !["histogram", "avoidance"].contains(&table.name));
    for table in tables {
        for row in &table.rows {
            let is_same = |other: &&TableRow| {
                let pairs = row.keys.iter().zip(&other.keys).zip(table.keys);
                let mut names = pairs.filter(|(_, (_, kind))| kind.is_name());
                names.all(|((own, other), _)| own == other)
            };
            for measure in table.measures {
                let of = |cell: &&CellStatistics| {
                    let table = cell.table(table.name)?;
                    let same = table.rows.iter().find(is_same)?;
                    let found = table.measure(same, measure)?.estimate()?;
                    // An infinite ratio has no part in a mean.
                    found.estimate.is_finite().then_some(*found)
                };
                let estimates: Option<Vec<_>> = cells.iter().map(of).collect();
                all.extend(estimates.map(|estimates| Common {
                    statistic: table.name,
                    row: row_name(table, row),
                    measure,
                    estimates,
                }));
            }
        }
    }
    all
}

/// `corner, even, 10`.
fn row_name(table: &Table, row: &TableRow) -> String {
    let keys = table.keys.iter().zip(&row.keys);
    let shown = keys.filter(|((_, kind), _)| kind.is_name());
    let names = shown.filter_map(|(_, key)| match key {
        Key::Text(name) => Some(name.clone()),
        Key::Count(n) => Some(n.to_string()),
        Key::Missing => None,
    });
    names.collect::<Vec<_>>().join(", ")
}

fn means(cells: &[&CellStatistics], seed: Seed, level: f64) -> Table {
    let draws = Draws::new(cells.len(), seed);
    let rows = common(cells).into_iter().map(|common| TableRow {
        keys: vec![
            Key::text(common.statistic),
            Key::Text(common.row),
            Key::text(common.measure),
        ],
        measures: vec![Measure::Estimate(mean(&common.estimates, &draws, level))],
    });
    Table {
        name: "ensemble",
        keys: &[
            ("statistic", KeyKind::Text),
            ("row", KeyKind::Text),
            ("of", KeyKind::Text),
        ],
        measures: &["mean"],
        rows: rows.collect(),
    }
}

/// Which environments every resample consists of.
struct Draws {
    n: usize,
    /// `[resamples, n]`; empty where nothing is resampled.
    places: Vec<u32>,
}

impl Draws {
    fn new(n: usize, seed: Seed) -> Self {
        let resamples = match n {
            0..MANY => RESAMPLES,
            _ => 0,
        };
        // floor(word n / 2^32): no environment is likelier than another by more than n / 2^32.
        let places = (0..u64::from(resamples)).flat_map(|resample| {
            (0..n as u32).map(move |at| {
                let word = word(seed, Stream::Bootstrap, SampleIndex(resample), at);
                ((u64::from(word) * n as u64) >> 32) as u32
            })
        });
        Self {
            n,
            places: places.collect(),
        }
    }

    /// The ends of the interval around the mean of these numbers.
    fn interval(&self, numbers: &[f64], mean: f64, spread: f64, level: f64) -> (f64, f64) {
        let n = self.n as f64;
        if self.places.is_empty() {
            let half = normal_quantile(level) * spread;
            return (mean - half, mean + half);
        }
        let mut means: Vec<f64> = self
            .places
            .chunks(self.n)
            .map(|places| places.iter().map(|at| numbers[*at as usize]).sum::<f64>() / n)
            .collect();
        means.sort_by(f64::total_cmp);
        let tail = tail(self.n, level);
        let at = |share: f64| {
            let place = share * (means.len() - 1) as f64;
            let below = means[place.floor() as usize];
            below + (means[place.ceil() as usize] - below) * place.fract()
        };
        // The mean itself is in it, whatever rounding does.
        (at(tail).min(mean), at(1.0 - tail).max(mean))
    }
}

/// The share of resamples beyond either end. Resamples of n numbers spread by sqrt((n - 1) / n) of what the mean does, and how much that is is itself known from n numbers only: the
/// tails are those of `sqrt(n / (n - 1)) t` (Hesterberg 2015, "What teachers should know about the bootstrap", the expanded percentile interval).
fn tail(n: usize, level: f64) -> f64 {
    let n = n as f64;
    let student = StudentsT::new(0.0, 1.0, n - 1.0).map(|t| t.inverse_cdf(0.5 + level / 2.0));
    let wide = student.unwrap_or_else(|_| normal_quantile(level)) * (n / (n - 1.0)).sqrt();
    Normal::standard().cdf(-wide)
}

/// The standard error of one environment's number. Ranks, quantiles and largest differences have none: an interval that holds at its level is then taken for one as wide on either side as on
/// its wider one, which a standard error so large would have.
fn spread_of_goals(estimate: &Estimate, level: f64) -> f64 {
    estimate.std_error.unwrap_or_else(|| {
        let below = estimate.estimate - estimate.ci_low;
        let above = estimate.ci_high - estimate.estimate;
        below.max(above) / normal_quantile(level)
    })
}

/// The mean over environments. Environments share their goals, so that the sampling errors of all may go together: what a mean of them can be off by comes on top of what environments differ by,
/// as independent of it.
fn mean(estimates: &[Estimate], draws: &Draws, level: f64) -> Estimate {
    let n = estimates.len() as f64;
    let of = |part: &dyn Fn(&Estimate) -> f64| estimates.iter().map(part).sum::<f64>() / n;
    let numbers: Vec<f64> = estimates.iter().map(|e| e.estimate).collect();
    let mean = of(&|e| e.estimate);
    let squares: f64 = numbers.iter().map(|x| (x - mean) * (x - mean)).sum();
    let spread = (squares / (n - 1.0) / n).sqrt();
    let (low, high) = draws.interval(&numbers, mean, spread, level);
    let of_goals = of(&|e| spread_of_goals(e, level));
    let both = |distance: f64| distance.hypot(normal_quantile(level) * of_goals);
    let (ci_low, ci_high) = (mean - both(mean - low), mean + both(high - mean));
    let bound = of(&|e| e.bound);
    Estimate {
        n: estimates.len() as u64,
        estimate: mean,
        std_error: Some(spread.hypot(of_goals)).filter(|e| e.is_finite()),
        ci_low,
        ci_high,
        bound,
        bound_max: estimates.iter().map(|e| e.bound_max).fold(0.0, f64::max),
        low: ci_low - bound,
        high: ci_high + bound,
        simultaneous_low: None,
        simultaneous_high: None,
        exact: false,
    }
}

fn shares(cells: &[&CellStatistics], claims: &[Claim], level: f64) -> Table {
    let rows = claims.iter().map(|claim| {
        let found: Vec<Estimate> = cells.iter().filter_map(|cell| claim.of(cell)).collect();
        let measures = match found.is_empty() {
            true => vec![Measure::Missing, Measure::Missing],
            false => share(&found, claim.holds, level),
        };
        TableRow {
            keys: vec![Key::text(&claim.name)],
            measures,
        }
    });
    Table {
        name: "claims",
        keys: &[("claim", KeyKind::Text)],
        measures: &["holds", "undecided"],
        rows: rows.collect(),
    }
}

/// In which share of environments it is on that side. Where the interval `low .. high` of an environment has the number in it, that is open.
fn share(found: &[Estimate], holds: Side, level: f64) -> Vec<Measure> {
    // Turned round, below is above.
    let sides = found.iter().map(|e| match holds {
        Side::Above(x) => (e.low - x, e.estimate - x, e.high - x),
        Side::Below(x) => (x - e.high, x - e.estimate, x - e.low),
    });
    let sides: Vec<(f64, f64, f64)> = sides.collect();
    let count = |of: &dyn Fn(&(f64, f64, f64)) -> bool| sides.iter().filter(|s| of(s)).count();
    let (sure, likely) = (count(&|s| s.0 > 0.0), count(&|s| s.1 > 0.0));
    let possible = count(&|s| s.2 > 0.0);
    let (n, of) = (found.len() as u64, |k: usize| k as f64 / found.len() as f64);
    let estimate = Estimate::of_mean(
        n,
        of(likely),
        of(likely) * (1.0 - of(likely)),
        level,
        0.0,
        0.0,
    );
    let ((ci_low, ci_high), open) = (wilson(of(likely), n, level), of(possible - sure));
    let bound = of(likely - sure).max(of(possible - likely));
    vec![
        Measure::Estimate(Estimate {
            ci_low,
            ci_high,
            bound,
            bound_max: bound,
            low: wilson(of(sure), n, level).0,
            high: wilson(of(possible), n, level).1,
            ..estimate
        }),
        Measure::Number(open),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(x: f64) -> Estimate {
        Estimate::of_mean(100, x, 0.0, 0.95, 0.0, 0.0)
    }

    /// Uniform numbers of a few environments, from another stream than the resamples.
    fn numbers(n: usize, run: u64) -> Vec<f64> {
        let each = (0..n as u32).map(|i| word(Seed(3), Stream::Structure, SampleIndex(run), i));
        each.map(|w| f64::from(w) / 2f64.powi(32)).collect()
    }

    #[test]
    fn intervals_over_environments_cover_as_often_as_they_say() {
        for n in [8, 30] {
            let draws = Draws::new(n, Seed(0));
            let runs = 2_000;
            let covers = |run: &u64| {
                let estimates: Vec<Estimate> = numbers(n, *run).into_iter().map(known).collect();
                let e = mean(&estimates, &draws, 0.95);
                e.low <= 0.5 && 0.5 <= e.high
            };
            let covered = (0..runs).filter(covers).count() as f64 / runs as f64;
            // 95% of 2,000 have a standard error of 0.5%; of 8 uniform numbers Student's own interval covers 94.7%.
            assert!((covered - 0.95).abs() < 0.02, "{n}: {covered}");
        }
        // The control: what is five standard errors off is hardly ever in it.
        let draws = Draws::new(30, Seed(0));
        let covers = |run: &u64| {
            let estimates: Vec<Estimate> = numbers(30, *run).into_iter().map(known).collect();
            let e = mean(&estimates, &draws, 0.95);
            e.low <= 0.75 && 0.75 <= e.high
        };
        assert!((0..200).filter(covers).count() < 10);
    }

    #[test]
    fn errors_that_environments_share_do_not_average_out() {
        let sampled = |x: f64| Estimate {
            std_error: Some(0.1),
            ..known(x)
        };
        let alike: Vec<Estimate> = [0.5; 50].map(sampled).to_vec();
        let draws = Draws::new(50, Seed(1));
        let e = mean(&alike, &draws, 0.95);
        assert!((e.ci_high - 0.5 - 0.1 * 1.959_963_984_540_054).abs() < 1e-12);
        let e = mean(&[0.5; 50].map(known), &draws, 0.95);
        assert_eq!((e.low, e.high), (0.5, 0.5));
    }

    #[test]
    fn a_claim_counts_environments_and_those_where_it_is_open() {
        let at = |low: f64, x: f64, high: f64| Estimate {
            low,
            high,
            ..known(x)
        };
        let found = [
            at(0.6, 0.7, 0.8),
            at(0.45, 0.55, 0.65),
            at(0.2, 0.3, 0.4),
            at(0.5, 0.5, 0.5),
        ];
        let [Measure::Estimate(above), Measure::Number(open)] =
            share(&found, Side::Above(0.5), 0.95)[..]
        else {
            panic!("a share and a number");
        };
        assert_eq!((above.n, above.estimate, open), (4, 0.5, 0.25));
        assert_eq!(above.low, wilson(0.25, 4, 0.95).0);
        assert_eq!(above.high, wilson(0.5, 4, 0.95).1);
        let below = share(&found, Side::Below(0.5), 0.95);
        assert_eq!(below[0].estimate().unwrap().estimate, 0.25);
    }
}

//! Runs that stop when they know enough, or when their time is over.
//!
//! A run is looked at after fixed numbers of goals: a block of its largest environment times a power of two. At a look it is what a run of that
//! number of goals would be, but for its intervals, which hold at all looks together ([`Intervals::Sequence`]). So where
//! it stops, and what it then says, is a function of the experiment alone, whoever was killed and went on in between; only where it stops because of its
//! minutes does that depend on the machine, and then too only at a look.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::kept::Kept;
use super::runner::{self, Task};
use super::{
    CellError, CellStatistics, Engine, Ledger, Observer, Outcome, RunError, RunSpec, Statistics,
};
use crate::statistics::{Intervals, Measure};

/// Fewest goals of the first look: means have normal intervals, which few goals do not.
const FIRST_LOOK: u64 = 4_096;

/// What must be known to a half-width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StopOf {
    /// POWER of every state (the normalised value where choices have rewards).
    #[default]
    Power,
    /// Everything in the table of optimal choices.
    Optimality,
    /// Every probability in the table of events; their times are not looked at.
    Events,
    /// Everything in the table of differences from the baseline.
    Difference,
}

impl StopOf {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Power,
        Self::Optimality,
        Self::Events,
        Self::Difference,
    ];

    /// The name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Optimality => "optimality",
            Self::Events => "events",
            Self::Difference => "difference",
        }
    }

    /// Half the width of the widest statistical interval of a cell.
    fn half_width(self, cell: &CellStatistics) -> f64 {
        let table = match self {
            Self::Power => {
                let halves = cell.power.iter().map(|e| (e.ci_high - e.ci_low) / 2.0);
                return halves.fold(0.0, larger);
            }
            Self::Optimality => cell.table("optimality"),
            Self::Events => cell.table("events"),
            Self::Difference => cell.table("differences"),
        };
        let Some(table) = table else { return 0.0 };
        let measures = table
            .rows
            .iter()
            .flat_map(|row| table.measures.iter().zip(&row.measures));
        let looked_at = measures.filter(|(name, _)| **name != "time");
        let estimates = looked_at.filter_map(|(_, measure)| Measure::estimate(measure));
        estimates
            .map(|e| (e.ci_high - e.ci_low) / 2.0)
            .fold(0.0, larger)
    }
}

/// The larger of two widths; what is no number is never narrow.
fn larger(a: f64, b: f64) -> f64 {
    match b.is_nan() {
        true => f64::INFINITY,
        false => a.max(b),
    }
}

/// When a run stops by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Until {
    /// As soon as every interval of `of` is at most this to either side.
    pub half_width: Option<f64>,
    /// Which intervals.
    pub of: StopOf,
    /// At the last look from which the next would not be reached within these minutes of the command's own time.
    pub minutes: Option<f64>,
    /// At the last look of at most so many goals.
    pub max: u64,
}

impl Until {
    /// Most goals where nothing else is said.
    pub const MAX: u64 = 100_000_000;

    /// The numbers of goals at which a run is looked at.
    ///
    /// # Errors
    ///
    /// [`RunError::NoLook`] where `max` is less than the first of them; [`RunError::Variant`].
    pub fn looks(&self, spec: &RunSpec) -> Result<Looks, RunError> {
        let mut block = u64::MAX;
        for environment in &spec.environments {
            let variants = spec.variants_of(environment)?;
            block = block.min(RunSpec::block_size(&variants));
        }
        let mut least = block;
        while least < FIRST_LOOK {
            least *= 2;
        }
        let max = self.max;
        match least <= max {
            true => Ok(Looks { first: least, max }),
            false => Err(RunError::NoLook { least, max }),
        }
    }

    /// How intervals are to be read at a look. Where nobody looks at them, they are what they always are.
    fn intervals(&self, look: u32) -> Intervals {
        match self.half_width {
            Some(_) => Intervals::Sequence { look },
            None => Intervals::Fixed,
        }
    }

    fn entries(&self) -> Map<String, Value> {
        let mut table = Map::new();
        if let Some(half_width) = self.half_width {
            table.insert("half_width".to_owned(), json!(half_width));
            table.insert("of".to_owned(), json!(self.of.name()));
        }
        if let Some(minutes) = self.minutes {
            table.insert("minutes".to_owned(), json!(minutes));
        }
        table.insert("max".to_owned(), json!(self.max));
        table
    }

    /// The table of the experiment file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.entries().into()
    }
}

/// Numbers of goals: every one twice the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    first: u64,
    max: u64,
}

impl Looks {
    /// Goals of look number `look`, counted from 1; `None` beyond the last.
    #[must_use]
    pub fn goals(&self, look: u32) -> Option<u64> {
        let goals = self.first.checked_mul(1_u64.checked_shl(look - 1)?)?;
        (goals <= self.max).then_some(goals)
    }
}

/// Why a run stopped by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It knows enough.
    HalfWidth,
    /// Its time was over.
    Minutes,
    /// The next look would be beyond the largest number of goals.
    Max,
}

impl StopReason {
    /// The name in results: that of the key it is about.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HalfWidth => "half_width",
            Self::Minutes => "minutes",
            Self::Max => "max",
        }
    }
}

/// Where a run stopped by itself, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopped {
    /// What was asked.
    pub until: Until,
    /// Number of the look, from 1.
    pub look: u32,
    /// Its goals.
    pub goals: u64,
    /// Why.
    pub reason: StopReason,
    /// How intervals are to be read.
    pub intervals: Intervals,
    /// Half the width of the widest interval of what was to be known; `None` where no width was asked for.
    pub widest: Option<f64>,
}

impl Stopped {
    /// As it stands in results and manifest.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut table = self.until.entries();
        let more = [
            ("goals", json!(self.goals)),
            ("look", json!(self.look)),
            ("reason", json!(self.reason.name())),
            ("intervals", json!(self.intervals.name())),
            ("widest", json!(self.widest.filter(|w| w.is_finite()))),
        ];
        table.extend(more.map(|(key, value)| (key.to_owned(), value)));
        table.into()
    }

    /// The number of goals at which a run stopped because of its minutes, by its manifest.
    #[must_use]
    pub fn by_minutes(manifest: &Value) -> Option<u64> {
        let stopped = &manifest["stopped"];
        let is_it = stopped["reason"] == StopReason::Minutes.name();
        stopped["goals"].as_u64().filter(|_| is_it)
    }
}

impl Engine {
    /// Like [`run_from`](Self::run_from), stopping by itself; `spec.samples` and `spec.intervals` are not looked at. Looks at fewer goals than are done are passed by.
    /// A run that had stopped because of its minutes at `ended` goals stops there again.
    ///
    /// # Errors
    ///
    /// [`RunError`]; [`RunError::NoLook`] where `max` is too small.
    pub fn run_until(
        &self,
        spec: &RunSpec,
        until: &Until,
        done: Ledger,
        ended: Option<u64>,
        observer: &dyn Observer,
    ) -> Result<Outcome, RunError> {
        let looks = until.looks(spec)?;
        spec.validate()?;
        let (spec, kept) = (spec.unlisted(), Kept::what_fits());
        let (clock, mut ledger, mut solved) = (Instant::now(), done, 0);
        let mut look = 1;
        let mut goals = looks.first;
        loop {
            let next = looks.goals(look + 1);
            let intervals = until.intervals(look);
            let at_look = RunSpec {
                samples: goals,
                intervals,
                ..spec.clone()
            };
            let solved_to = runner::run(
                self.backend(),
                &at_look,
                ledger.clone(),
                Task::Solve,
                observer,
                &kept,
            );
            let outcome = match (solved_to, next) {
                (Err(RunError::Behind { .. }), Some(more)) => {
                    (look, goals) = (look + 1, more);
                    continue;
                }
                (outcome, _) => outcome?,
            };
            solved += outcome.solved;
            let mut outcome = Outcome { solved, ..outcome };
            if !outcome.is_finished() {
                return Ok(outcome);
            }
            let widest = until
                .half_width
                .map(|_| widest(&outcome.statistics, until.of));
            let is_known = widest.zip(until.half_width).is_some_and(|(w, h)| w <= h);
            let elapsed = clock.elapsed().as_secs_f64();
            let is_over = |more: u64| {
                let to_do = (more - goals) as f64 * spec.n_cells() as f64;
                let expected = elapsed * to_do / (solved.max(1) as f64);
                let expected = if solved == 0 { 0.0 } else { expected };
                until.minutes.is_some_and(|m| elapsed + expected > 60.0 * m)
            };
            let reason = match next {
                _ if is_known => StopReason::HalfWidth,
                _ if ended == Some(goals) => StopReason::Minutes,
                None => StopReason::Max,
                Some(more) if is_over(more) => StopReason::Minutes,
                Some(more) => {
                    (look, goals, ledger) = (look + 1, more, outcome.ledger);
                    continue;
                }
            };
            outcome.statistics.stopped = Some(Stopped {
                until: *until,
                look,
                goals,
                reason,
                intervals,
                widest,
            });
            return Ok(outcome);
        }
    }
}

/// Half the width of the widest interval over all cells. What stands on fewer goals than a first look does is not known, and so is a cell of which no goal meets its
/// condition yet.
fn widest(statistics: &Statistics, of: StopOf) -> f64 {
    let failures = statistics.failures.iter();
    let mut none = failures.filter(|f| matches!(f.error, CellError::NoneAccepted { .. }));
    if none.next().is_some() {
        return f64::INFINITY;
    }
    let cells = statistics.cells.iter();
    let each = cells.map(|cell| match of.half_width(cell) {
        half if half > 0.0 && cell.samples < FIRST_LOOK.min(cell.proposed) => f64::INFINITY,
        half => half,
    });
    each.fold(0.0, larger)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::experiment::Unobserved;
    use crate::experiment::fake::{Flaw, Watched, two_state};

    #[test]
    fn cells_are_prepared_once_however_often_a_run_is_looked_at() {
        let backend = Arc::new(Watched::new(Flaw::None));
        let engine = Engine::with_backend(backend.clone());
        let mdps = ["one", "two"].map(|name| engine.upload(two_state(name)));
        let spec = mdps.iter().fold(RunSpec::default(), RunSpec::environment);
        let spec = spec.discount(0.9).unwrap().discount(0.5).unwrap();
        let until = Until {
            half_width: Some(1e-9),
            of: StopOf::Power,
            minutes: None,
            max: 16_384 << 3,
        };
        let done = Ledger::default();
        let outcome = engine.run_until(&spec, &until, done, None, &Unobserved);
        let statistics = outcome.unwrap().statistics;
        let stopped = statistics.stopped.unwrap();
        assert_eq!((stopped.look, stopped.goals), (4, 16_384 << 3));
        assert_eq!(backend.prepared.load(Ordering::Relaxed), 4);
        // The numbers are those of a run of that many goals, which prepares them again.
        let fixed = RunSpec {
            samples: stopped.goals,
            intervals: stopped.intervals,
            ..spec
        };
        let fixed = engine.run(&fixed).unwrap();
        assert_eq!(backend.prepared.load(Ordering::Relaxed), 8);
        for (a, b) in statistics.cells.iter().zip(&fixed.cells) {
            assert_eq!(a.power, b.power);
        }
    }
}

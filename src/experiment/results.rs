//! Results as named columns, the same for the library, the JSON document and the Parquet files.

use std::sync::Arc;

use super::{Ensemble, Stopped};
use crate::mdp::Mdp;
use crate::plan::Plan;
use crate::reward::RewardDomain;
use crate::solve::PilotReport;
use crate::statistics::{Estimate, Table};
use crate::units::Discount;

/// Results of one cell: (environment, variant, reward distribution, discount, decision rule).
#[derive(Clone, Debug)]
pub struct CellStatistics {
    /// Name of the MDP.
    pub environment: String,
    /// Name of the variant; `baseline` for the unmodified MDP.
    pub variant: String,
    /// Name of the reward distribution.
    pub reward: String,
    /// The discount as it was asked, or a limit of discounts.
    pub discount: Discount,
    /// The discount that was used (the asked one rounded to f32); `None` at a limit.
    pub discount_used: Option<f64>,
    /// Decision rule.
    pub rule: String,
    /// What solved it, where that was not the run's backend.
    pub solver: Option<String>,
    /// Why the run's backend did not take the cell, where `solver` is another backend that stood in for it.
    pub refusal: Option<String>,
    /// The MDP it was measured on: names and layout for reports.
    pub mdp: Arc<Mdp>,
    /// The plan it was solved with.
    pub plan: Arc<Plan>,
    /// How the plan's method was chosen; `None` on backends that do not sweep.
    pub pilot: Option<PilotReport>,
    /// Goals that the statistics are over: those that were solved, or under a condition those of them that meet it.
    pub samples: u64,
    /// Goals solved.
    pub proposed: u64,
    /// Goals that missed the tolerance within the sweep cap.
    pub unconverged: u64,
    /// The lowest numbers among them.
    pub unconverged_goals: Vec<u64>,
    /// Mean number of sweeps a goal was given.
    pub sweeps_mean: f64,
    /// Largest number of sweeps.
    pub sweeps_max: u32,
    /// What rewards are attached to.
    pub domain: RewardDomain,
    /// POWER of every state, `[n_states]`, in file order; where choices have rewards, the mean normalised value `(1 - gamma) E V*`.
    pub power: Vec<Estimate>,
    /// What was asked beyond POWER, a table for each statistic.
    pub tables: Vec<Table>,
}

impl CellStatistics {
    /// What `power` holds, in one word: `power`, or `value` where choices have rewards.
    #[must_use]
    pub fn measure(&self) -> &'static str {
        match self.domain {
            RewardDomain::State => "power",
            RewardDomain::Choice => "value",
        }
    }

    /// The same as a heading.
    #[must_use]
    pub fn measure_heading(&self) -> &'static str {
        match self.domain {
            RewardDomain::State => "POWER",
            RewardDomain::Choice => "(1-g) V*",
        }
    }

    /// The table of a statistic (`optimality`, ...), where it was asked.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// A cell that has no result, and why. It does not take the other cells along.
#[derive(Clone, Debug)]
pub struct CellFailure {
    /// Name of the MDP.
    pub environment: String,
    /// Name of the variant; `baseline` for the unmodified MDP.
    pub variant: String,
    /// Name of the reward distribution.
    pub reward: String,
    /// The discount as it was asked, or a limit of discounts.
    pub discount: Discount,
    /// Decision rule.
    pub rule: String,
    /// What went wrong.
    pub error: CellError,
}

/// How many goals meet each part of a condition, and what to do.
fn parts_met(parts: &[(String, u64)]) -> String {
    let by: Vec<String> = parts
        .iter()
        .map(|(part, n)| format!("`{part}` by {n}"))
        .collect();
    let of_parts = match parts.len() {
        0 | 1 => String::new(),
        _ => format!("; of its parts {} of them", by.join(", ")),
    };
    let advice = match parts.iter().any(|(_, met)| *met == 0) {
        true => {
            "what no goal meets may be impossible, or rarer than that: ask for less in [condition], or raise `sample.count`"
        }
        false => {
            "each part is met, and never all of them: ask for less in [condition], or raise `sample.count`"
        }
    };
    format!("{of_parts}: {advice}")
}

/// Why a cell has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// The backend said so.
    #[error(transparent)]
    Solve(#[from] crate::solve::SolveError),
    /// What a checkpoint says went wrong.
    #[error("{0}")]
    Recorded(String),
    /// A block's sums are not numbers, or overflow.
    #[error("block {block}: {source}")]
    Sum {
        /// The block's number.
        block: u64,
        /// What is wrong with its sums.
        source: crate::statistics::FixedPointError,
    },
    /// The backend left goals unobserved.
    #[error(
        "block {block} holds {expected_goals} goals, the backend returned observations of {goals}"
    )]
    Unobserved {
        /// The block's number.
        block: u64,
        /// Goals that were asked for.
        expected_goals: u64,
        /// Goals that were observed.
        goals: usize,
    },
    /// No goal meets the condition.
    #[error(
        "none of {goals} goals meets the condition, at most a share of {at_most:.1e} of all does{}", parts_met(.parts)
    )]
    NoneAccepted {
        /// Goals that were solved.
        goals: u64,
        /// Upper end of the interval of the share that does.
        at_most: f64,
        /// The parts of the condition, and how many goals meet each.
        parts: Vec<(String, u64)>,
    },
    /// The baseline that the cell is compared with has no result for a block.
    #[error("block {block}: the baseline, which the cell is compared with, has no result")]
    NoBaseline {
        /// The block's number.
        block: u64,
    },
    /// The backend handed over sums of another shape than the block's: no such buffer is ever a result.
    #[error(
        "block {block} holds {expected_goals} goals of {expected_states} states, the backend returned sums over \
         {goals} goals of {states} states"
    )]
    Unfinished {
        /// The block's number.
        block: u64,
        /// Goals that were asked for.
        expected_goals: u64,
        /// Goals that were summed.
        goals: u64,
        /// States of the MDP.
        expected_states: usize,
        /// States in the sums.
        states: usize,
    },
}

/// Results of a run: one entry per cell, in the order of the experiment.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// Goals asked for.
    pub samples: u64,
    /// Seed of the goals.
    pub seed: u64,
    /// Backend that solved them.
    pub backend: String,
    /// Confidence level of the intervals.
    pub level: f64,
    /// The cells.
    pub cells: Vec<CellStatistics>,
    /// Where there are five environments or more: means over them; and the share in which claims hold.
    pub ensembles: Vec<Ensemble>,
    /// Cells that have no result.
    pub failures: Vec<CellFailure>,
    /// Where and why the run stopped by itself, if it did.
    pub stopped: Option<Stopped>,
    /// What is missing, where these are the results so far.
    pub unfinished: Option<Unfinished>,
}

/// How far results are that are not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Goals that are done, over all cells.
    pub goals_done: u64,
    /// Goals of the whole run, over all cells.
    pub goals_total: u64,
    /// Cells of which there is nothing here yet.
    pub cells_missing: usize,
}

impl Statistics {
    /// Goals over all cells that missed the tolerance.
    #[must_use]
    pub fn unconverged(&self) -> u64 {
        self.cells.iter().map(|cell| cell.unconverged).sum()
    }

    /// The same with the intervals that hold at once in the places of the others, where they were asked.
    #[must_use]
    pub fn shown_at_once(mut self) -> Self {
        for cell in &mut self.cells {
            for power in &mut cell.power {
                *power = power.shown_at_once();
            }
            let tables = std::mem::take(&mut cell.tables).into_iter();
            let shown = tables.map(|table| table.map_estimates(Estimate::shown_at_once));
            cell.tables = shown.collect();
        }
        self
    }

    /// Whether every cell has a result, from all of its goals, and every goal is certified.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.unconverged() == 0 && self.unfinished.is_none()
    }
}

//! Results as named columns, the same for the library, the JSON document and the Parquet files.

use std::sync::Arc;

use crate::mdp::Mdp;
use crate::statistics::Estimate;

/// Results of one cell: (environment, variant, reward distribution, discount, decision rule).
#[derive(Clone, Debug)]
pub struct CellStatistics {
    /// Name of the MDP.
    pub environment: String,
    /// Name of the variant; `baseline` for the unmodified MDP.
    pub variant: String,
    /// Name of the reward distribution.
    pub reward: String,
    /// The discount as it was asked.
    pub discount: f64,
    /// The discount that was used (the asked one rounded to f32).
    pub discount_used: f64,
    /// Decision rule.
    pub rule: String,
    /// The MDP it was measured on: names and layout for reports.
    pub mdp: Arc<Mdp>,
    /// Goals summed.
    pub samples: u64,
    /// Goals that missed the tolerance within the sweep cap.
    pub unconverged: u64,
    /// The lowest numbers among them.
    pub unconverged_goals: Vec<u64>,
    /// Mean number of sweeps a goal was given.
    pub sweeps_mean: f64,
    /// Largest number of sweeps.
    pub sweeps_max: u32,
    /// POWER of every state, `[n_states]`, in file order.
    pub power: Vec<Estimate>,
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
}

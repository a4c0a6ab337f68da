//! Experiments: what is asked, the loop over blocks, and the results.

mod absent;
mod agreement;
mod cell;
pub mod checkpoint;
mod compatible;
mod document;
mod engine;
mod ensemble;
#[cfg(test)]
mod fake;
mod forecast;
mod goals;
mod kept;
mod manifest;
mod memory;
mod observer;
mod one_goal;
pub mod pack;
mod results;
pub mod run_dir;
mod run_spec;
mod runner;
mod schema;
mod sensitivity;
mod spec;
mod structure;
mod until;
pub mod verify;

pub use agreement::{Agreement, agreement};
pub use checkpoint::Ledger;
pub use compatible::Walks;
pub use engine::{BackendChoice, Engine, EngineError, MdpHandle};
pub use ensemble::{Claim, Ensemble, Side};
pub use forecast::Forecast;
pub use goals::{GoalTable, PerGoal};
pub use manifest::{RunRecord, first_manifest, manifest};
pub use memory::Memory;
pub use observer::{CellProgress, Observer, Progress, Unobserved};
pub use one_goal::{Certainty, Decision, OneGoal, Path, PathEnd, Question, Step};
pub use results::{CellError, CellFailure, CellStatistics, Statistics, Unfinished};
pub use run_spec::{Refusal, RunError, RunSpec, VariantMdp};
pub use runner::Outcome;
pub use schema::experiment_schema;
pub use sensitivity::{Moved, Redrawing, Sensitivity};
pub use spec::{
    EnvironmentSource, Experiment, ExperimentError, InputFile, MAX_ENVIRONMENTS, Origin, Overrides,
    PolicyEntry, Resolved, RewardEntry, SCHEMA,
};
pub use until::{Looks, StopOf, StopReason, Stopped, Until};

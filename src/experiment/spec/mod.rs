//! The experiment file: what it may hold, where every value came from, and the engine's spec it becomes.
//!
//! [`Experiment::load`] reads the file and the MDPs it names and reports every fault of all of them at once. Values given
//! beside the file ([`Overrides`], the command line's flags) win. [`Experiment::to_toml`] writes the resolved experiment
//! back as a file that stands on its own.

mod agent;
mod condition;
mod ensemble;
mod environments;
mod inputs;
mod matrices;
mod policies;
mod read;
mod render;
mod statistics;
mod until;
mod variants;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

pub use environments::{EnvironmentSource, MAX_ENVIRONMENTS};
pub use policies::PolicyEntry;

use variants::VariantFile;

use super::{BackendChoice, Claim, Engine, PerGoal, RunSpec, Until};
use crate::document::{Faults, Node, Span};
use crate::intervention::Variant;
use crate::io::ReadError;
use crate::mdp::Mdp;
use crate::plan::{Method, Precision};
use crate::reward::RewardDistribution;
use crate::solve::DecisionRule;
use crate::statistics::{ConditionRequest, Intervals, Request};
use crate::units::{Discount, Seed};

/// Version of the experiment file's format.
pub const SCHEMA: u64 = 1;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The experiment file.
    File,
    /// The command line, or whoever else filled in [`Overrides`].
    Flag,
}

impl Origin {
    /// The word for it: `default`, `file` or `flag`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Flag => "flag",
        }
    }
}

/// A value that knows where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Resolved<T> {
    /// The flag's value, else the file's, else the default.
    fn new(flag: Option<T>, file: Option<T>, default: T) -> Self {
        match (flag, file) {
            (Some(value), _) => Self::of(value, Origin::Flag),
            (None, Some(value)) => Self::of(value, Origin::File),
            (None, None) => Self::of(default, Origin::Default),
        }
    }

    fn of(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// Values that win over the file's.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Number of goals, at least 1.
    pub samples: Option<u64>,
    /// Key of the goals.
    pub seed: Option<u64>,
    /// The discounts; an empty list leaves the file's.
    pub discounts: Vec<Discount>,
    /// Relative tolerance.
    pub tolerance: Option<f64>,
    /// Method of solution; `Some(None)` is the pilot's choice.
    pub method: Option<Option<Method>>,
    /// Arithmetic.
    pub precision: Option<Precision>,
    /// Level of the intervals.
    pub level: Option<f64>,
    /// Backend.
    pub backend: Option<BackendChoice>,
}

/// One reward distribution with its parameters as they were written.
#[derive(Clone, Debug)]
pub struct RewardEntry {
    /// The law under its name.
    pub distribution: Arc<RewardDistribution>,
    /// `distribution` and its parameters, in file order; `name` left out.
    parameters: Vec<(String, Node)>,
    /// Where its law stands in the file.
    place: Option<Span>,
    /// Files with matrices that the law names.
    pub files: Vec<RewardFile>,
}

/// A file with a matrix that a law names.
#[derive(Clone, Debug)]
pub struct RewardFile {
    /// Its name as it was written.
    pub written: String,
    /// The file.
    pub file: InputFile,
}

/// A whole experiment, resolved: every value is there and valid.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its name: the key `name`, else the file's name without extension.
    pub name: Resolved<String>,
    /// Where the MDPs come from.
    pub source: EnvironmentSource,
    /// The MDPs, names all different.
    pub environments: Vec<Mdp>,
    /// Whether the unmodified MDPs are run beside the variants.
    pub baseline: Resolved<bool>,
    /// The baseline, unless it is left out, and what is made of every environment: one for each dose.
    pub variants: Vec<Variant>,
    /// The `[[variant]]` tables as they were written.
    variant_tables: Vec<Node>,
    /// The MDPs that some of them put in place of the environments.
    variant_files: Vec<VariantFile>,
    /// The laws of the goals.
    pub rewards: Resolved<Vec<RewardEntry>>,
    /// The discounts.
    pub discounts: Resolved<Vec<Discount>>,
    /// How agents decide.
    pub rules: Resolved<Vec<DecisionRule>>,
    /// Policies from outside, each an agent beside those of the rules.
    pub policies: Vec<PolicyEntry>,
    /// Tolerance relative to the law's scale.
    pub tolerance: Resolved<f64>,
    /// Method of solution; `None` for the pilot's choice.
    pub method: Resolved<Option<Method>>,
    /// Arithmetic.
    pub precision: Resolved<Precision>,
    /// Sweep cap; `None` for a sufficient one.
    pub max_sweeps: Resolved<Option<u32>>,
    /// Backend.
    pub backend: Resolved<BackendChoice>,
    /// Number of goals; where the run stops by itself, the largest there can be.
    pub samples: Resolved<u64>,
    /// What the run stops at by itself; a number of goals from the command line wins over it.
    pub until: Resolved<Option<Until>>,
    /// Key of the goals.
    pub seed: Resolved<u64>,
    /// Level of the intervals.
    pub level: Resolved<f64>,
    /// What is asked beyond POWER.
    pub statistics: Resolved<Request>,
    /// Which goals belong, where not all do.
    pub condition: Option<ConditionRequest>,
    /// What is claimed of every environment.
    pub claims: Vec<Claim>,
    /// Steps of the empowerment, where structure is told beside behaviour. It changes no number, and the hash does not cover it.
    pub structure: Option<u32>,
    /// Whether intervals are also given that hold at once. It changes no number, and the hash does not cover it.
    pub simultaneous: bool,
    /// What is listed of the first goals one by one. It changes no number, and the hash does not cover it.
    pub per_goal: Option<PerGoal>,
    /// The file as it was read.
    pub file: InputFile,
    /// The MDP files as they were read, in the order of `source`.
    pub mdp_files: Vec<InputFile>,
    /// Files that were read beside an MDP file (PRISM's `.sta` and `.lab`), with its number in `mdp_files`.
    pub companions: Vec<(usize, InputFile)>,
}

/// A file that was read, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Where it was.
    pub path: PathBuf,
    /// What it held.
    pub bytes: Vec<u8>,
}

/// Why there is no experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The experiment file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its content or its MDPs are wrong: one collection a file, every fault in it.
    #[error("{}", render::all_faults(.0))]
    Faults(Vec<Faults>),
}

impl Experiment {
    /// Reads an experiment file and all MDPs it names; returns it with the warnings, one collection a file.
    ///
    /// Paths in the file are relative to the file.
    ///
    /// # Errors
    ///
    /// [`ExperimentError`], with the faults of all files at once.
    pub fn load(
        path: &Path,
        overrides: &Overrides,
    ) -> Result<(Self, Vec<Faults>), ExperimentError> {
        read::load(path, overrides)
    }

    /// What the engine is asked to run. `threads` as in [`RunSpec::threads`].
    #[must_use]
    pub fn run_spec(&self, engine: &Engine, threads: usize) -> RunSpec {
        let rewards = self.rewards.value.iter().map(|r| r.distribution.clone());
        let policies = self.policies.iter().map(PolicyEntry::rule);
        RunSpec {
            environments: self
                .environments
                .iter()
                .map(|mdp| engine.upload(mdp.clone()))
                .collect(),
            variants: self.variants.clone(),
            rewards: rewards.collect(),
            discounts: self.discounts.value.clone(),
            rules: self.rules.value.iter().cloned().chain(policies).collect(),
            tolerance: self.tolerance.value,
            max_sweeps: self.max_sweeps.value,
            method: self.method.value,
            precision: self.precision.value,
            samples: self.samples.value,
            seed: Seed(self.seed.value),
            level: self.level.value,
            intervals: Intervals::default(),
            threads,
            statistics: self.statistics.value.clone(),
            condition: self.condition.clone(),
            walks: Arc::default(),
            claims: self.claims.clone(),
            structure: self.structure,
            simultaneous: self.simultaneous,
            per_goal: self.per_goal.clone(),
        }
    }

    /// Everything that makes this experiment what it is, by name: what its hash covers. The number of goals is left
    /// out, so that a run can be extended; MDPs enter by content, so that files may move. `backend` is the name of
    /// the backend that runs it.
    #[must_use]
    pub fn identity(&self, backend: &str) -> serde_json::Map<String, serde_json::Value> {
        use serde_json::json;
        let environments = self.environments.iter().map(|mdp| {
            let hash = hexadecimal(&mdp.content_hash());
            json!({ "name": mdp.name(), "hash": hash })
        });
        let rewards = self.rewards.value.iter().map(render::reward_json);
        let discounts = self.discounts.value.iter().map(|d| json!(d));
        let fields = [
            ("schema", json!(SCHEMA)),
            ("environments", environments.collect()),
            ("rewards", rewards.collect()),
            ("discounts", discounts.collect()),
            ("tolerance", json!(self.tolerance.value)),
            ("method", json!(render::method_name(self.method.value))),
            ("max_sweeps", json!(self.max_sweeps.value)),
            ("backend", json!(backend)),
            ("seed", json!(self.seed.value)),
            ("level", json!(self.level.value)),
            (
                "statistics",
                render::statistics_json(&self.statistics.value),
            ),
        ];
        let mut identity: serde_json::Map<_, _> =
            fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        // An experiment without variants is the experiment that it was before there were any.
        if !self.variant_tables.is_empty() {
            identity.insert("baseline".to_owned(), json!(self.baseline.value));
            identity.insert("variants".to_owned(), self.variants_json());
        }
        // Nor is one of optimal agents another than it was before there were others.
        if self.rules.value != [DecisionRule::default()] {
            identity.insert("rules".to_owned(), render::rules_json(&self.rules.value));
        }
        if !self.policies.is_empty() {
            identity.insert("policies".to_owned(), render::policies_json(&self.policies));
        }
        if !self.claims.is_empty() {
            identity.insert("claims".to_owned(), render::claims_json(&self.claims));
        }
        if self.precision.value != Precision::default() {
            identity.insert("precision".to_owned(), json!(self.precision.value.name()));
        }
        if let Some(condition) = &self.condition {
            identity.insert("condition".to_owned(), render::condition_json(condition));
        }
        identity
    }

    /// SHA-256 of [`identity`](Self::identity), in hexadecimal.
    #[must_use]
    pub fn hash(&self, backend: &str) -> String {
        let identity = serde_json::Value::Object(self.identity(backend));
        hexadecimal(&Sha256::digest(identity.to_string()))
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

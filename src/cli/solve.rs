//! `powersweep solve`: one goal on one MDP.

use std::path::PathBuf;
use std::sync::Arc;

use powersweep::experiment::{BackendChoice, OneGoal, Question, RunSpec};
use powersweep::io::{read_goal, read_mdp};
use powersweep::report::GoalOrigin;
use powersweep::reward::RewardDistribution;
use powersweep::{Discount, SampleIndex, Seed};

use super::failure::{Failure, Outcome};
use super::one_goal::{View, unsolved};
use super::{arguments, diagnostics};

/// Arguments of `solve`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub(crate) struct Arguments {
    /// The MDP (.json, .toml, .npz, .tra, .drn, .gv or .dot).
    #[arg(value_name = "MDP")]
    mdp: PathBuf,
    /// A goal from a file: rewards by state, or a list in the order of the states.
    #[arg(long, value_name = "FILE", group = "which", conflicts_with = "seed")]
    goal: Option<PathBuf>,
    /// A sampled goal (uniform on [0, 1) for every state): its number.
    #[arg(long, value_name = "I", group = "which")]
    index: Option<u64>,
    /// Key of the sampled goals.
    #[arg(long, value_name = "N", default_value = "0", value_parser = arguments::seed)]
    seed: u64,
    /// The discount: a number in (0, 1), or a limit, "->0" or "->1".
    #[arg(long, value_name = "GAMMA", allow_hyphen_values = true, default_value = "0.9", value_parser = arguments::discount)]
    discount: Discount,
    /// What it is solved on. `reference` decides the finest differences.
    #[arg(long, default_value = "reference", value_parser = arguments::backend())]
    backend: BackendChoice,
    #[command(flatten)]
    adapter: arguments::Adapter,
    #[command(flatten)]
    view: View,
}

/// Solves the goal and prints it.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let (mdp, warnings) = read_mdp(&arguments.mdp)?;
    diagnostics::show_faults(&warnings);
    let mdp = Arc::new(mdp);
    let start = arguments.view.start(&mdp)?;
    let reward = RewardDistribution::unit_uniform();
    let (question, origin) = match (&arguments.goal, arguments.index) {
        (Some(path), _) => {
            let rewards = read_goal(path, &mdp)?;
            (
                Question::Given(rewards),
                GoalOrigin::File(path.display().to_string()),
            )
        }
        (None, index) => {
            let index = SampleIndex(index.unwrap_or_default());
            let origin = GoalOrigin::Sampled {
                seed: arguments.seed,
                index: index.0,
                reward: reward.name().to_owned(),
                variant: None,
            };
            (Question::Sampled { reward, index }, origin)
        }
    };
    let engine = arguments.adapter.engine(arguments.backend)?;
    let spec = RunSpec {
        seed: Seed(arguments.seed),
        ..RunSpec::default()
    };
    let goal = OneGoal::solve(engine.backend(), &spec, &mdp, arguments.discount, &question)
        .map_err(unsolved)?;
    arguments
        .view
        .print(&goal, &origin, engine.backend().name(), start)
}

//! `powersweep replay`: one goal of a finished run.

use std::path::PathBuf;

use powersweep::experiment::{
    BackendChoice, Experiment, OneGoal, Overrides, Question, RunError, RunSpec, VariantMdp, run_dir,
};
use powersweep::report::GoalOrigin;
use powersweep::{Discount, SampleIndex};

use super::failure::{Failure, Kind, Outcome};
use super::one_goal::{View, unsolved};
use super::{arguments, diagnostics};

/// Arguments of `replay`. Without a choice among several cells the first one is shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run directory.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The goal's number.
    #[arg(long, value_name = "INDEX")]
    goal: u64,
    /// The environment, by name.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The variant, by name.
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The reward distribution, by name.
    #[arg(long, value_name = "NAME")]
    reward: Option<String>,
    /// The discount.
    #[arg(long, value_name = "GAMMA", allow_hyphen_values = true, value_parser = arguments::discount)]
    discount: Option<Discount>,
    /// What it is solved on; default: what the run used, on its adapter where that is here.
    #[arg(long, value_parser = arguments::backend())]
    backend: Option<BackendChoice>,
    #[command(flatten)]
    adapter: arguments::Adapter,
    #[command(flatten)]
    view: View,
}

/// Solves the goal again, from the copies in the run directory, and prints it.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let file = arguments.run.join("inputs/experiment.toml");
    if !file.is_file() {
        let message = format!(
            "{} is not a run directory: it holds no inputs/experiment.toml",
            arguments.run.display()
        );
        return Err(Failure::new(Kind::Input, message));
    }
    let overrides = Overrides {
        backend: arguments.backend,
        ..Overrides::default()
    };
    let (experiment, warnings) = Experiment::load(&file, &overrides)?;
    warnings.iter().for_each(diagnostics::show_faults);
    let manifest = run_dir::read_manifest(&arguments.run)?;
    let engine = arguments
        .adapter
        .engine_of_run(experiment.backend.value, &manifest)?;
    let backend = manifest["backend"]["name"].as_str().unwrap_or_default();
    run_dir::check_identity(&arguments.run, &experiment.identity(backend))?;
    let spec = experiment.run_spec(&engine, 0);
    let (environment, variant, reward, discount) = arguments.cell(&spec)?;
    let environment = spec.environments[environment].mdp();
    let made = spec.variants[variant]
        .made_of(environment)
        .map_err(RunError::from)?;
    let variant = VariantMdp {
        variant: spec.variants[variant].name.clone(),
        mdp: made.mdp,
        linked: made.linked,
    };
    let mdp = &variant.mdp;
    let reward = spec.rewards[reward].clone();
    let start = arguments.view.start(mdp)?;
    let origin = GoalOrigin::Sampled {
        seed: spec.seed.0,
        index: arguments.goal,
        reward: reward.name().to_owned(),
        variant: (spec.variants.len() > 1).then(|| variant.variant.clone()),
    };
    let question = Question::Sampled {
        reward,
        index: SampleIndex(arguments.goal),
    };
    let goal = OneGoal::of_variant(engine.backend(), &spec, &variant, discount, &question);
    let goal = goal.map_err(unsolved)?;
    arguments
        .view
        .print(&goal, &origin, engine.backend().name(), start)
}

impl Arguments {
    /// Positions of the environment, the variant and the law, and the discount, in the run.
    fn cell(&self, spec: &RunSpec) -> Result<(usize, usize, usize, Discount), Failure> {
        let environments: Vec<String> = spec
            .environments
            .iter()
            .map(|e| e.mdp().name().to_owned())
            .collect();
        let variants: Vec<String> = spec.variants.iter().map(|v| v.name.clone()).collect();
        let rewards: Vec<String> = spec.rewards.iter().map(|r| r.name().to_owned()).collect();
        let discounts: Vec<String> = spec.discounts.iter().map(Discount::to_string).collect();
        let discount = self.discount.map(|d| d.to_string());
        Ok((
            position("environment", &environments, self.environment.as_deref())?,
            position("variant", &variants, self.variant.as_deref())?,
            position("reward distribution", &rewards, self.reward.as_deref())?,
            spec.discounts[position("discount", &discounts, discount.as_deref())?],
        ))
    }
}

/// Where `wanted` stands in `list`; the first entry if nothing is wanted.
fn position(what: &str, list: &[String], wanted: Option<&str>) -> Result<usize, Failure> {
    let Some(wanted) = wanted else { return Ok(0) };
    let missing = || {
        let shown: Vec<&str> = list.iter().take(10).map(String::as_str).collect();
        let more = if list.len() > 10 { ", ..." } else { "" };
        Failure::new(Kind::Input, format!("the run has no {what} {wanted:?}"))
            .with_help(format!("it has {}{more}", shown.join(", ")))
    };
    list.iter().position(|x| x == wanted).ok_or_else(missing)
}

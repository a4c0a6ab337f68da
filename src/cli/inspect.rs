//! `powersweep inspect`: what an MDP looks like, and what solving it takes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use powersweep::experiment::{
    BackendChoice, Engine, Experiment, Memory, Overrides, RunError, Sensitivity,
};
use powersweep::io::read_mdp;
use powersweep::mdp::{Influence, Mdp, Structure};
use powersweep::plan::Plan;
use powersweep::report::{
    influence_text, reward_text, sensitivity_text, states_text, structure_text, theorems_text,
    variant_text,
};
use powersweep::reward::{PairLaw, Sketch};
use powersweep::{Discount, Seed};

use super::failure::{Failure, Kind, Outcome};
use super::one_goal::unsolved;
use super::{arguments, diagnostics, output};

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The MDP (.json, .toml, .npz, .tra, .drn, .gv or .dot).
    #[arg(value_name = "MDP", required_unless_present_any = ["reward", "variants"])]
    mdp: Option<PathBuf>,
    /// Instead: what the laws of goals of an experiment file draw, beside what they should.
    #[arg(long, value_name = "EXPERIMENT.toml", conflicts_with_all = ["mdp", "states"])]
    reward: Option<PathBuf>,
    /// Instead: what the interventions of an experiment file do to its MDPs.
    #[arg(long, value_name = "EXPERIMENT.toml", conflicts_with_all = ["mdp", "states", "reward"])]
    variants: Option<PathBuf>,
    /// The discount that the plan is drawn for.
    #[arg(long, value_name = "GAMMA", default_value = "0.9", value_parser = arguments::discount)]
    discount: Discount,
    /// Also list every state with its number and where its choices lead.
    #[arg(long)]
    states: bool,
    /// Also list what every state leaves open, whatever is rewarded: states and ends in reach, and empowerment.
    #[arg(long)]
    structure: bool,
    /// Also draw every state as two, and equal states as one, and show how POWER under N uniform goals moves.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "100000", value_parser = arguments::count)]
    sensitivity: Option<u64>,
    /// Steps of the empowerment.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=1000), requires = "structure")]
    steps: u32,
}

/// Reads the MDP and prints its structure.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    if let Some(path) = &arguments.reward {
        return show_rewards(path);
    }
    if let Some(path) = &arguments.variants {
        return show_variants(path);
    }
    let path = arguments.mdp.as_deref().unwrap_or(Path::new(""));
    let (mdp, warnings) = read_mdp(path)?;
    diagnostics::show_faults(&warnings);
    let plan = Plan::draw(&mdp, arguments.discount);
    let text = structure_text(&mdp, &Structure::of(&mdp), &plan, &Memory::of(&mdp));
    output::print(&text)?;
    if arguments.states {
        output::print(&format!("\n{}", states_text(&mdp)))?;
    }
    if arguments.structure {
        if mdp.n_states() > Influence::MAX_STATES {
            let message = format!(
                "--structure is for at most {} states, {} has {}",
                Influence::MAX_STATES,
                mdp.name(),
                mdp.n_states()
            );
            return Err(Failure::new(Kind::Input, message));
        }
        let influence = Influence::of(&mdp, arguments.steps);
        let text = influence_text(&mdp, &influence, arguments.steps);
        output::print(&format!("\n{text}"))?;
        let theorems = theorems_text(&mdp, arguments.discount);
        if !theorems.is_empty() {
            output::print(&format!("\n{theorems}"))?;
        }
    }
    if let Some(samples) = arguments.sensitivity {
        show_sensitivity(&mdp, arguments.discount, samples)?;
    }
    Ok(Outcome::Done)
}

fn show_sensitivity(mdp: &Mdp, discount: Discount, samples: u64) -> Result<(), Failure> {
    if mdp.n_states() > Sensitivity::MAX_STATES {
        let message = format!(
            "--sensitivity is for at most {} states, {} has {}",
            Sensitivity::MAX_STATES,
            mdp.name(),
            mdp.n_states()
        );
        return Err(Failure::new(Kind::Input, message));
    }
    let engine = Engine::new(BackendChoice::Cpu)?;
    let found = Sensitivity::of(&engine, mdp, discount, samples, Seed(0))?;
    output::print(&format!("\n{}", sensitivity_text(mdp, &found)))?;
    Ok(())
}

/// Goals that are drawn for a look at a law.
const GOALS: u64 = 4096;

/// Every law of an experiment on every environment.
fn show_rewards(path: &Path) -> Result<Outcome, Failure> {
    let (experiment, warnings) = Experiment::load(path, &Overrides::default())?;
    warnings.iter().for_each(diagnostics::show_faults);
    let seed = Seed(experiment.seed.value);
    let mut texts = Vec::new();
    for mdp in &experiment.environments {
        let mdp = Arc::new(mdp.clone());
        for entry in &experiment.rewards.value {
            // `load` bound every law once: what does not fit was told there. Names of states that interventions add mean nothing here.
            let known = entry.distribution.known_to(&mdp);
            let bound = known.bind(&mdp).map_err(|e| unsolved(e.into()))?;
            let goals = bound.law.facts().enumerated.unwrap_or(GOALS);
            let mut sketch = Sketch::of(&bound.law, seed, goals.clamp(2, GOALS));
            if let Some(coupling) = bound.pair {
                sketch = sketch.with_pair(&PairLaw::new(bound.law.clone(), coupling), seed);
            }
            texts.push(reward_text(&entry.distribution, &bound, &sketch));
        }
    }
    output::print(&texts.join("\n"))?;
    Ok(Outcome::Done)
}

/// Every variant of every environment, intervention by intervention.
fn show_variants(path: &Path) -> Result<Outcome, Failure> {
    let (experiment, warnings) = Experiment::load(path, &Overrides::default())?;
    warnings.iter().for_each(diagnostics::show_faults);
    let mut texts = Vec::new();
    for mdp in &experiment.environments {
        let mdp = Arc::new(mdp.clone());
        for variant in &experiment.variants {
            let steps = variant.steps(&mdp).map_err(RunError::from)?;
            let shown: Vec<_> = steps.iter().map(|(kind, made)| (*kind, &**made)).collect();
            texts.push(variant_text(&variant.name, &mdp, &shown));
        }
    }
    output::print(&texts.join("\n"))?;
    Ok(Outcome::Done)
}

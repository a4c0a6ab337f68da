//! `powersweep plan`: how an experiment will be solved.

use std::path::PathBuf;

use powersweep::Discount;
use powersweep::experiment::{Experiment, Memory, Overrides, RunError, RunSpec, VariantMdp};
use powersweep::report::plan_text;
use powersweep::statistics::Blocks;

use super::failure::{Failure, Outcome};
use super::one_goal::unsolved;
use super::{arguments, diagnostics, output};

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The experiment file.
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    /// Number of goals.
    #[arg(long, value_name = "N", value_parser = arguments::count)]
    samples: Option<u64>,
    /// A discount in (0, 1), or a limit, "->0" or "->1"; may be given several times.
    #[arg(long = "discount", value_name = "GAMMA", allow_hyphen_values = true, value_parser = arguments::discount)]
    discounts: Vec<Discount>,
    #[command(flatten)]
    adapter: arguments::Adapter,
}

/// Prepares every cell, the backend's pilot included, and prints what came of it.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let overrides = Overrides {
        samples: arguments.samples,
        discounts: arguments.discounts,
        ..Overrides::default()
    };
    let (experiment, warnings) = Experiment::load(&arguments.experiment, &overrides)?;
    warnings.iter().for_each(diagnostics::show_faults);
    let engine = arguments.adapter.engine(experiment.backend.value)?;
    let spec = experiment.run_spec(&engine, 0);
    for environment in &spec.environments {
        let variants = spec.variants_of(environment).map_err(RunError::from)?;
        let blocks = Blocks::new(spec.samples, RunSpec::block_size(&variants));
        let cells = variants.iter().flat_map(|variant| {
            let rewards = spec.rewards.iter();
            rewards.map(move |reward| (variant, reward))
        });
        for (VariantMdp { variant, mdp }, reward) in cells {
            for discount in &spec.discounts {
                let mut problem = spec
                    .problem(mdp, reward, *discount)
                    .map_err(|e| unsolved(e.into()))?;
                spec.schedule(engine.backend(), &mut problem)
                    .map_err(unsolved)?;
                output::print(&plan_text(
                    variant,
                    reward.name(),
                    &problem,
                    blocks,
                    &Memory::of(mdp),
                ))?;
            }
        }
    }
    Ok(Outcome::Done)
}

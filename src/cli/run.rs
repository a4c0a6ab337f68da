//! `powersweep run`: an experiment from its file to its results.

use std::path::{Path, PathBuf};

use powersweep::Discount;
use powersweep::experiment::{BackendChoice, Engine, Experiment, Overrides};
use powersweep::plan::Method;

use super::failure::{Failure, Outcome};
use super::{arguments, diagnostics, output};

/// Arguments of `run`. Flags win over the experiment file.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The experiment file.
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    /// Number of goals (1_000_000 and 1e6 are understood).
    #[arg(long, value_name = "N", value_parser = arguments::count)]
    samples: Option<u64>,
    /// Key of the goals: the same seed gives the same goals.
    #[arg(long, value_name = "N", value_parser = arguments::seed)]
    seed: Option<u64>,
    /// A discount in (0, 1); may be given several times.
    #[arg(long = "discount", value_name = "GAMMA", value_parser = arguments::discount)]
    discounts: Vec<Discount>,
    /// Largest certified half-width per goal, relative to the scale of the rewards.
    #[arg(long, value_name = "X", value_parser = arguments::positive)]
    tolerance: Option<f64>,
    /// Level of the confidence intervals.
    #[arg(long, value_name = "P", value_parser = arguments::level)]
    level: Option<f64>,
    /// How goals are solved; `auto` leaves it to a pilot.
    #[arg(long, value_parser = arguments::method())]
    method: Option<Option<Method>>,
    /// What they are solved on.
    #[arg(long, value_parser = arguments::backend())]
    backend: Option<BackendChoice>,
    /// Worker threads; 0 for one per processor. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// No progress bar.
    #[arg(long, short)]
    quiet: bool,
    /// Print the resolved experiment, with the origin of every value, and stop.
    #[arg(long)]
    print_config: bool,
}

impl Arguments {
    fn overrides(&self) -> Overrides {
        Overrides {
            samples: self.samples,
            seed: self.seed,
            discounts: self.discounts.clone(),
            tolerance: self.tolerance,
            method: self.method,
            level: self.level,
            backend: self.backend,
        }
    }
}

/// Runs the experiment.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let (experiment, warnings) = Experiment::load(&arguments.experiment, &arguments.overrides())?;
    warnings.iter().for_each(diagnostics::show_faults);
    if arguments.print_config {
        let as_written = |_, path: &Path| path.to_owned();
        output::print(&experiment.to_toml(&as_written))?;
        return Ok(Outcome::Done);
    }
    let engine = Engine::new(experiment.backend.value)?;
    let spec = experiment.run_spec(&engine, arguments.threads);
    let statistics = engine.run(&spec)?;
    for cell in &statistics.cells {
        for (state, power) in cell.mdp.states().zip(&cell.power) {
            output::print(&format!("{} {power:?}\n", cell.mdp.state_name(state)))?;
        }
    }
    diagnostics::show_warning("unfinished", None);
    Ok(match statistics.is_complete() {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

//! `powersweep plan`: how an experiment will be solved.

use std::path::PathBuf;

use powersweep::Discount;
use powersweep::experiment::{
    BackendChoice, Engine, Experiment, Overrides, RunError, RunSpec, VariantMdp,
};
use powersweep::report::{SlurmScript, forecast_text, plan_text, slurm_script};
use powersweep::solve::DEVICE_WORKERS;
use powersweep::statistics::Blocks;

use super::failure::{Failure, Kind, Outcome};
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
    /// Print a script that runs the experiment as a Slurm job array, and merges it: `powersweep plan EXPERIMENT --slurm | bash` submits it.
    #[arg(long)]
    slurm: bool,
    /// Tasks of the job array: the run is cut into so many shards.
    #[arg(long, value_name = "N", requires = "slurm", default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    nodes: u64,
    /// Time limit of a task; one that reaches it goes on in a new job.
    #[arg(long, value_name = "M", requires = "slurm", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=525_600))]
    minutes: u64,
    /// Processors for each task.
    #[arg(long, value_name = "N", requires = "slurm", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1_024))]
    processors: u64,
    /// The run directory [default: powersweep-runs/NAME-HASH]; the shards go beside it.
    #[arg(long, value_name = "DIRECTORY", requires = "slurm")]
    out: Option<PathBuf>,
}

/// Memory that a task asks for beyond what its cells need, which is asked for twice over.
const SPARE_MEBIBYTES: u64 = 512;

/// Prepares every cell, the backend's pilot included, and prints what came of it.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let overrides = Overrides {
        samples: arguments.samples,
        discounts: arguments.discounts.clone(),
        ..Overrides::default()
    };
    let (experiment, warnings) = Experiment::load(&arguments.experiment, &overrides)?;
    warnings.iter().for_each(diagnostics::show_faults);
    if arguments.slurm {
        return arguments.print_script(&experiment);
    }
    let engine = arguments.adapter.engine(experiment.backend.value)?;
    let spec = experiment.run_spec(&engine, 0);
    if let Some(until) = &experiment.until.value {
        until.looks(&spec)?;
    }
    for environment in &spec.environments {
        let variants = spec.variants_of(environment).map_err(RunError::from)?;
        let blocks = Blocks::new(spec.samples, RunSpec::block_size(&variants));
        let cells = variants.iter().flat_map(|variant| {
            let rewards = spec.rewards.iter();
            rewards.map(move |reward| (variant, reward))
        });
        for (variant, reward) in cells {
            let VariantMdp { variant: name, .. } = variant;
            for discount in &spec.discounts {
                let mut problem = spec
                    .problem_of(variant, reward, *discount)
                    .map_err(|e| unsolved(e.into()))?;
                spec.schedule(engine.backend(), &mut problem)
                    .map_err(unsolved)?;
                output::print(&plan_text(
                    name,
                    reward.name(),
                    &problem,
                    blocks,
                    &spec.memory_of(variant, blocks.size()),
                    engine.backend().carries_out(&problem.plan).as_deref(),
                ))?;
            }
        }
    }
    let forecast = engine.forecast(&spec)?;
    let stops_by_itself = experiment.until.value.is_some();
    output::print(&forecast_text(
        &forecast,
        (!stops_by_itself).then_some(spec.samples),
        spec.n_cells(),
        spec.memory_bytes(forecast.threads)?,
    ))?;
    Ok(Outcome::Done)
}

impl Arguments {
    /// Minutes of a task, by a trial on this machine; told where there can be none.
    fn expected_minutes(&self, experiment: &Experiment) -> Result<Option<f64>, Failure> {
        let engine = match self.adapter.engine(experiment.backend.value) {
            Ok(engine) => engine,
            Err(error) => {
                let message = format!("no estimate of how long a task works: {error}");
                diagnostics::show_warning(message, None);
                return Ok(None);
            }
        };
        let spec = experiment.run_spec(&engine, 0);
        let forecast = engine.forecast(&spec)?;
        // Goals take processors, and on a graphics processor hardly any.
        let share = match experiment.backend.value {
            BackendChoice::Gpu => 1.0,
            _ => forecast.threads as f64 / self.processors as f64,
        };
        let goals = forecast.seconds_per_goal * spec.samples as f64 / self.nodes as f64;
        Ok(Some((forecast.preparing_seconds + goals) * share / 60.0))
    }

    /// The job script. The machine it is printed on need not have the device that the tasks will have.
    fn print_script(&self, experiment: &Experiment) -> Result<Outcome, Failure> {
        if experiment.until.value.is_some() {
            let message = "`until` in [sample] needs the whole run, and the tasks are shards of it";
            let help = "say how many goals there are, with --samples or `count`";
            return Err(Failure::new(Kind::Input, message).with_help(help));
        }
        let backend = match experiment.backend.value {
            BackendChoice::Auto => {
                let message = "the experiment's backend is `auto`, and nodes may differ";
                let help = "say which one the tasks use: `backend = \"cpu\"` or `backend = \"gpu\"` in [solve]";
                return Err(Failure::new(Kind::Input, message).with_help(help));
            }
            backend => backend,
        };
        let default = || experiment.default_directory(backend.name());
        let out = self.out.clone().unwrap_or_else(default);
        let processors = self.processors as usize;
        // No device is needed to know what is solved.
        let spec = experiment.run_spec(&Engine::absent(backend.name(), "", Vec::new()), 0);
        // Those of a device wait for it most of the time.
        let threads = match backend {
            BackendChoice::Gpu => processors.max(DEVICE_WORKERS),
            _ => processors,
        };
        let bytes = spec.memory_bytes(threads)?;
        let program = std::env::current_exe();
        let program = program.map_err(|error| Failure::new(Kind::Environment, error))?;
        let mut words = vec![self.experiment.display().to_string()];
        if let Some(samples) = self.samples {
            words.extend(["--samples".to_owned(), samples.to_string()]);
        }
        for discount in &self.discounts {
            words.extend(["--discount".to_owned(), discount.to_string()]);
        }
        output::print(&slurm_script(&SlurmScript {
            name: experiment.name.value.clone(),
            program: program.display().to_string(),
            arguments: words,
            out: out.display().to_string(),
            nodes: self.nodes,
            minutes: self.minutes,
            processors,
            threads,
            mebibytes: SPARE_MEBIBYTES + 2 * (bytes as u64 >> 20),
            gpu: backend == BackendChoice::Gpu,
            expected_minutes: self.expected_minutes(experiment)?,
        }))?;
        Ok(Outcome::Done)
    }
}

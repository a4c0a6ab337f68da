//! `powersweep run`: an experiment from its file to its results.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use powersweep::Discount;
use powersweep::experiment::checkpoint::{Checkpoint, Header, Keeper, ResumeError, Shard};
use powersweep::experiment::run_dir::{DAMAGED, RunDirectory, read_manifest};
use powersweep::experiment::{
    BackendChoice, Engine, Experiment, Ledger, Overrides, RunRecord, RunSpec, Stopped, Until,
};
use powersweep::plan::Precision;
use powersweep::solve::DevicePlace;

use super::failure::{Failure, Kind, Outcome};
use super::finish::{self, Ending};
use super::progress::{Display, Signals};
use super::{arguments, diagnostics, output};

/// Arguments of `run`. Flags win over the experiment file.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The experiment file.
    #[arg(value_name = "EXPERIMENT.toml")]
    experiment: PathBuf,
    /// Number of goals (1_000_000 and 1e6 are understood); wins over `count` and `until`.
    #[arg(long, value_name = "N", value_parser = arguments::count)]
    samples: Option<u64>,
    /// Key of the goals: the same seed gives the same goals.
    #[arg(long, value_name = "N", value_parser = arguments::seed)]
    seed: Option<u64>,
    /// A discount in (0, 1), or a limit, "->0" or "->1"; may be given several times.
    #[arg(long = "discount", value_name = "GAMMA", allow_hyphen_values = true, value_parser = arguments::discount)]
    discounts: Vec<Discount>,
    /// Largest certified half-width per goal, relative to the scale of the rewards.
    #[arg(long, value_name = "X", value_parser = arguments::positive)]
    tolerance: Option<f64>,
    /// Level of the confidence intervals.
    #[arg(long, value_name = "P", value_parser = arguments::level)]
    level: Option<f64>,
    /// How goals are solved; `auto` leaves it to a pilot.
    #[arg(long, value_parser = arguments::method())]
    method: Option<arguments::MethodChoice>,
    /// The arithmetic: `auto` for single precision, and double where single cannot certify a goal.
    #[arg(long, value_parser = arguments::precision())]
    precision: Option<Precision>,
    /// What they are solved on.
    #[arg(long, value_parser = arguments::backend())]
    backend: Option<BackendChoice>,
    #[command(flatten)]
    adapter: arguments::Adapter,
    /// Worker threads; 0 for one per processor, on a device four at least. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// The run directory [default: powersweep-runs/NAME-HASH, of a shard powersweep-runs/NAME-HASH-shards/K-of-N].
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    #[command(flatten)]
    shown: finish::Shown,
    /// Seconds between two checkpoints, at least; more where writing one takes so long that it would cost more than a hundredth of
    /// the time. 0 for one after every block, whatever it costs.
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = arguments::seconds)]
    checkpoint_every: f64,
    /// Solve one of n parts of the run, for `merge`; `auto` takes both numbers from Slurm's job array.
    #[arg(long, value_name = "K/N|auto", value_parser = arguments::shard)]
    shard: Option<arguments::ShardChoice>,
    /// Begin again, whatever the run directory's checkpoint holds.
    #[arg(long)]
    restart: bool,
    /// Results, warnings and errors alone: no progress bar, and no line at the end that says how long it took and where the results
    /// are.
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
            method: self.method.map(|choice| choice.0),
            precision: self.precision,
            level: self.level,
            backend: self.backend,
        }
    }
}

/// Runs the experiment, from where its run directory stands.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let (experiment, warnings) = Experiment::load(&arguments.experiment, &arguments.overrides())?;
    warnings.iter().for_each(diagnostics::show_faults);
    if arguments.print_config {
        let as_written = |_, path: &Path| path.to_owned();
        output::print(&experiment.to_toml(&as_written))?;
        return Ok(Outcome::Done);
    }
    let engine = arguments.adapter.engine(experiment.backend.value)?;
    say_which_device(&engine);
    let backend = engine.backend().name();
    let shard = match arguments.shard {
        Some(choice) => Some(choice.resolve()?),
        None => None,
    };
    let default_directory = || match shard {
        Some(shard) => experiment.default_shard_directory(backend, shard),
        None => experiment.default_directory(backend),
    };
    let path = arguments.out.clone().unwrap_or_else(default_directory);
    let signals = Signals::catch();
    let spec = experiment.run_spec(&engine, arguments.threads);
    let until = experiment.until.value;
    if let Some(until) = &until {
        refuse_shard(shard)?;
        until.looks(&spec)?;
    }
    let directory = RunDirectory::create(&path, &experiment.identity(backend), spec.samples)?;
    let header = Header::of(&experiment, &engine, &spec, shard);
    let done = match arguments.restart {
        true => Ledger::default(),
        false => resume(&directory, &header)?,
    };
    let keeper = Keeper::new(
        &directory,
        header,
        finish::first_files(&experiment, &engine),
        Duration::from_secs_f64(arguments.checkpoint_every),
    );
    let started = SystemTime::now();
    let clock = Instant::now();
    let task = match (shard, &until) {
        (Some(shard), _) => Task::Shard(shard),
        (None, None) => Task::All,
        (None, Some(until)) => Task::Until(until, ended(&path, arguments.restart)),
    };
    let outcome = solve(&engine, &spec, task, done, &arguments, &signals, &keeper)?;
    let record = RunRecord {
        started,
        wall: clock.elapsed(),
        threads: arguments.threads,
        command: std::env::args().collect(),
        solved: outcome.solved,
    };
    let goals = match outcome.is_finished() && shard.is_none() {
        // A run that stopped by itself lists none that it did not solve.
        true => engine.goals(&RunSpec {
            samples: outcome.statistics.samples,
            ..spec.clone()
        })?,
        false => None,
    };
    let checkpoint = keeper.encode(&outcome.ledger, outcome.is_done);
    let ending = Ending {
        experiment: &experiment,
        engine: &engine,
        spec: &spec,
        shown: &arguments.shown,
        quiet: arguments.quiet,
        outcome: &outcome,
        record: &record,
        checkpoint: &checkpoint,
        goals: goals.as_ref(),
    };
    if let Some(shard) = shard.filter(|_| outcome.is_done) {
        return ending.shard(&directory, shard);
    }
    if outcome.is_finished() {
        return ending.finished(directory);
    }
    let kind = signals.caught().unwrap_or(Kind::Interrupted);
    Err(Failure::new(kind, ending.interrupted(directory)?))
}

/// Says which device it is, where a scheduler gave this process one of several: also to those who want it quiet, since nothing else in the log of a task says so.
fn say_which_device(engine: &Engine) {
    let Some(DevicePlace { name, place, given }) = engine.backend().place() else {
        return;
    };
    match given {
        None => {}
        Some((variable, true)) => {
            diagnostics::show_note(&format!("on {name} at {place}, which {variable} gives"));
        }
        Some((variable, false)) => {
            let message =
                format!("on {name} at {place}, which is not what {variable} gives this process");
            let help = "`powersweep devices --doctor` says what is seen";
            diagnostics::show_warning(message, Some(help.to_owned()));
        }
    }
}

/// What the run directory's checkpoint holds. A damaged one is set aside, and the run begins again.
fn resume(directory: &RunDirectory, here: &Header) -> Result<Ledger, Failure> {
    match Checkpoint::resume(directory, here) {
        Ok(None) => Ok(Ledger::default()),
        Ok(Some(found)) => {
            if found.header.backend != here.backend {
                let message = format!(
                    "what is done was solved on {}, and this is {}: the results agree within their bounds, not byte for byte",
                    found.header.backend, here.backend
                );
                diagnostics::show_warning(message, None);
            }
            Ok(found.ledger)
        }
        Err(error @ ResumeError::Unusable { .. }) if error.is_damage() => {
            directory.set_checkpoint_aside()?;
            let help = format!("it was renamed to {DAMAGED}, and the run begins again");
            diagnostics::show_warning(error.to_string(), Some(help));
            Ok(Ledger::default())
        }
        Err(ResumeError::Directory(error)) => Err(error.into()),
        Err(error) => {
            let help = "choose another directory with --out, or begin again with --restart";
            Err(Failure::new(Kind::Input, error).with_help(help))
        }
    }
}

/// A shard does not know what the others know.
fn refuse_shard(shard: Option<Shard>) -> Result<(), Failure> {
    if shard.is_none() {
        return Ok(());
    }
    let message = "`until` in [sample] needs the whole run: a shard cannot see when all shards together know enough";
    let help = "say how many goals there are, with --samples or `count`";
    Err(Failure::new(Kind::Input, message).with_help(help))
}

/// The number of goals at which the run in this directory stopped because of its minutes.
fn ended(path: &Path, restart: bool) -> Option<u64> {
    let manifest = read_manifest(path).ok().filter(|_| !restart)?;
    Stopped::by_minutes(&manifest)
}

/// What there is to solve.
enum Task<'u> {
    All,
    Shard(Shard),
    Until(&'u Until, Option<u64>),
}

fn solve(
    engine: &Engine,
    spec: &RunSpec,
    task: Task<'_>,
    done: Ledger,
    arguments: &Arguments,
    signals: &Signals,
    keeper: &Keeper<'_>,
) -> Result<powersweep::experiment::Outcome, Failure> {
    let goals = spec.samples.saturating_mul(spec.n_cells() as u64);
    let display = Display::new(goals, arguments.quiet, signals, keeper);
    let outcome = match task {
        Task::Shard(shard) => engine.run_shard(spec, shard, done, &display),
        Task::All => engine.run_from(spec, done, &display),
        Task::Until(until, ended) => engine.run_until(spec, until, done, ended, &display),
    };
    display.clear();
    Ok(outcome?)
}

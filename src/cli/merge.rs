//! `powersweep merge`: shards of a run into the run.

use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use powersweep::experiment::checkpoint::{Checkpoint, Header, Merged, ShardsError};
use powersweep::experiment::run_dir::{self, RunDirectory};
use powersweep::experiment::{Engine, Experiment, Overrides, RunRecord};

use super::diagnostics;
use super::failure::{Failure, Kind, Outcome};
use super::finish::{Ending, Shown};

/// Arguments of `merge`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run directory that is made.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The directories of the shards, in any order.
    #[arg(value_name = "SHARD", required = true)]
    shards: Vec<PathBuf>,
    /// Merge what there is, where shards are missing or not done, and say what is missing.
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    shown: Shown,
    /// Results, warnings and errors alone: no line at the end that says where the results are.
    #[arg(long, short)]
    quiet: bool,
}

/// Folds the shards, and writes what one run would have written. Nothing is solved, and no device is needed.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let clock = Instant::now();
    let merged = Merged::read(&arguments.shards).map_err(|errors| refused(&errors))?;
    if !arguments.partial {
        require_whole(&merged)?;
    }
    warn(&merged);
    let experiment = load(&arguments.shards[0], &merged.header)?;
    let backend = merged.header.identity["backend"]
        .as_str()
        .unwrap_or_default();
    let engine = Engine::absent(
        backend,
        &merged.backends.join("; "),
        merged.header.methods.clone(),
    );
    let spec = experiment.run_spec(&engine, 0);
    let directory = RunDirectory::create(&arguments.out, &merged.header.identity, spec.samples)?;
    refuse_to_lose_goals(&directory, &merged)?;
    let outcome = engine.read(&spec, merged.ledger.clone())?;
    if outcome.statistics.unfinished.is_some() && !arguments.partial {
        let message =
            "the shards do not add up to all goals, although each of them says that it is done";
        return Err(Failure::new(Kind::Input, message));
    }
    let checkpoint = Checkpoint {
        header: Header {
            is_done: outcome.is_finished(),
            ..merged.header
        },
        ledger: merged.ledger,
    };
    let record = RunRecord {
        started: SystemTime::now(),
        wall: clock.elapsed(),
        threads: 0,
        command: std::env::args().collect(),
        solved: 0,
    };
    let ending = Ending {
        experiment: &experiment,
        engine: &engine,
        spec: &spec,
        shown: &arguments.shown,
        quiet: arguments.quiet,
        outcome: &outcome,
        record: &record,
        checkpoint: &checkpoint.encode(),
        goals: None,
    };
    if experiment.per_goal.is_some() {
        let message = "`per_goal` is left out: goals are not solved while shards are merged";
        let help = "run the experiment with as many goals as are listed, into another directory";
        diagnostics::show_warning(message.to_owned(), Some(help.to_owned()));
    }
    match outcome.is_finished() {
        true => ending.finished(directory),
        false => ending.partial(directory),
    }
}

/// The experiment of a shard, from its own copies.
fn load(shard: &std::path::Path, header: &Header) -> Result<Experiment, Failure> {
    let overrides = Overrides {
        samples: Some(header.samples),
        ..Overrides::default()
    };
    let (experiment, _) = Experiment::load(&shard.join("inputs/experiment.toml"), &overrides)?;
    let backend = header.identity["backend"].as_str().unwrap_or_default();
    run_dir::check_identity(shard, &experiment.identity(backend))?;
    if experiment.hash(backend) != header.spec_hash {
        let message = format!(
            "the inputs in {} are not those of its checkpoint",
            shard.display()
        );
        return Err(Failure::new(Kind::Input, message));
    }
    Ok(experiment)
}

fn refused(errors: &[ShardsError]) -> Failure {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::new(Kind::Input, lines.join("\n"))
}

fn list<T: ToString>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

/// What is missing, in words; `None` where nothing is.
fn missing(merged: &Merged) -> Option<String> {
    let mut parts = Vec::new();
    if !merged.missing.is_empty() {
        parts.push(format!("missing: {}", list(merged.missing.iter())));
    }
    if !merged.unfinished.is_empty() {
        let each = merged.unfinished.iter();
        let each = each.map(|(shard, path)| format!("{shard} in {}", path.display()));
        parts.push(format!("not done: {}", list(each)));
    }
    (!parts.is_empty()).then(|| format!("shards {}", parts.join("; ")))
}

fn require_whole(merged: &Merged) -> Result<(), Failure> {
    match missing(merged) {
        None => Ok(()),
        Some(missing) => Err(Failure::new(Kind::Input, missing)
            .with_help("run those shards, or merge what there is with --partial")),
    }
}

fn warn(merged: &Merged) {
    if let Some(missing) = missing(merged) {
        diagnostics::show_warning(missing, None);
    }
    if merged.backends.len() > 1 {
        let message = format!(
            "the shards were solved on different processors or adapters ({}): the results agree with those of one run within their \
             bounds, not byte for byte",
            merged.backends.join("; ")
        );
        diagnostics::show_warning(message, None);
    }
}

/// A run that has done more than the shards is not replaced by them.
fn refuse_to_lose_goals(directory: &RunDirectory, merged: &Merged) -> Result<(), Failure> {
    let there = directory.read_checkpoint()?;
    let there = there.and_then(|bytes| Checkpoint::decode(&bytes).ok());
    let there = there.map_or(0, |checkpoint| checkpoint.ledger.goals());
    let here = merged.ledger.goals();
    if there <= here {
        return Ok(());
    }
    let message = format!(
        "{} has {there} goals done, over all cells, and the shards have {here}",
        directory.path().display()
    );
    Err(Failure::new(Kind::Input, message).with_help("choose another directory"))
}

//! `powersweep rerun`: a packed run once more, and whether it says the same.

use std::fs;
use std::path::{Path, PathBuf};

use powersweep::experiment::pack::unpack;
use powersweep::experiment::{
    Agreement, BackendChoice, Experiment, Ledger, Overrides, Statistics, Stopped, agreement,
    run_dir,
};

use super::failure::{Failure, Kind, Outcome};
use super::progress::Signals;
use super::{arguments, diagnostics, output};

/// Arguments of `rerun`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The pack, or the run directory itself.
    #[arg(value_name = "PACK")]
    pack: PathBuf,
    /// What it is solved on; default: the kind of backend that the run used, on its adapter where that is here.
    #[arg(long, value_parser = arguments::backend())]
    backend: Option<BackendChoice>,
    #[command(flatten)]
    adapter: arguments::Adapter,
    /// Worker threads; 0 for one per processor. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
}

/// Unpacks the run, solves all its goals again and compares the results.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let room = tempfile::tempdir().map_err(|error| Failure::new(Kind::Environment, error))?;
    let run = match arguments.pack.is_dir() {
        true => arguments.pack.clone(),
        false => {
            unpack(&arguments.pack, room.path())?;
            room.path().to_owned()
        }
    };
    let manifest =
        run_dir::read_manifest(&run).map_err(|error| Failure::new(Kind::Input, error))?;
    run_dir::check_inputs(&run)?;
    let here = env!("CARGO_PKG_VERSION");
    if let Some(there) = manifest["powersweep"].as_str().filter(|v| *v != here) {
        let message =
            format!("the run is of powersweep {there}, and this is {here}: numbers may have moved");
        diagnostics::show_warning(message, None);
    }
    let used = manifest["backend"]["name"].as_str().unwrap_or_default();
    // With `auto`, the processor took what the graphics processor refused.
    let asked = manifest["experiment"]["backend"]["value"].as_str();
    let kind = match used == BackendChoice::Gpu.name() {
        true => asked.unwrap_or(used),
        false => used,
    };
    let named = BackendChoice::ALL.into_iter().find(|b| b.name() == kind);
    let overrides = Overrides {
        backend: arguments.backend.or(named),
        ..Overrides::default()
    };
    let file = run.join("inputs/experiment.toml");
    let (experiment, warnings) = Experiment::load(&file, &overrides)?;
    warnings.iter().for_each(diagnostics::show_faults);
    run_dir::check_identity(&run, &experiment.identity(used))?;
    let engine = arguments
        .adapter
        .engine_of_run(experiment.backend.value, &manifest)?;
    let spec = experiment.run_spec(&engine, arguments.threads);
    let watcher = Watcher(Signals::catch());
    let done = Ledger::default();
    let outcome = match &experiment.until.value {
        None => engine.run_from(&spec, done, &watcher),
        Some(until) => {
            let ended = Stopped::by_minutes(&manifest);
            engine.run_until(&spec, until, done, ended, &watcher)
        }
    };
    let statistics = outcome?.statistics;
    if statistics.unfinished.is_some() {
        let kind = watcher.0.caught().unwrap_or(Kind::Interrupted);
        return Err(Failure::new(kind, "interrupted; nothing was compared"));
    }
    compare(&run, &statistics)
}

/// Stops a run at a signal.
struct Watcher(Signals);

impl powersweep::experiment::Observer for Watcher {
    fn cancelled(&self) -> bool {
        self.0.caught().is_some()
    }
}

/// Says which files are the same, and what those that are not have in common.
fn compare(run: &Path, statistics: &Statistics) -> Result<Outcome, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Kind::Environment, error.to_string());
    let results = statistics.to_json();
    let mut files = vec![("results.json".to_owned(), results.clone().into_bytes())];
    let power = statistics.to_parquet().map_err(|e| failed(&e))?;
    files.push(("power.parquet".to_owned(), power));
    for name in statistics.table_names() {
        let table = statistics.table_parquet(name).map_err(|e| failed(&e))?;
        files.push((format!("{name}.parquet"), table));
    }
    let mut all = true;
    for (name, bytes) in &files {
        let path = run.join(name);
        let there = fs::read(&path).map_err(|error| {
            let message = format!("cannot read {name} of the run: {error}");
            Failure::new(Kind::Input, message)
        })?;
        let same = there == *bytes;
        all &= same;
        let word = if same {
            "the same bytes"
        } else {
            "other bytes"
        };
        output::print(&format!("{name}: {word}\n"))?;
    }
    if all {
        output::print("Every byte of the results agrees.\n")?;
        return Ok(Outcome::Done);
    }
    let there = fs::read(run.join("results.json")).unwrap_or_default();
    Ok(
        match agreement(&String::from_utf8_lossy(&there), &results) {
            Agreement::Bytes => {
                output::print(
                    "results.json agrees byte for byte, and tables made of it do not.\n",
                )?;
                Outcome::Incomplete
            }
            Agreement::Intervals { estimates, same } => {
                output::print(&format!(
                    "Every interval agrees: all {estimates} estimates are within the numerical bounds of both runs, {same} of them the same number.\n"
                ))?;
                Outcome::Done
            }
            Agreement::Different { places, total } => {
                output::print(&format!("THE RESULTS DIFFER, in {total} places:\n"))?;
                for place in &places {
                    output::print(&format!("  {place}\n"))?;
                }
                if total > places.len() {
                    output::print(&format!("  and {} more\n", total - places.len()))?;
                }
                Outcome::Incomplete
            }
        },
    )
}

//! The manifest: everything about a run that is not a result, times and hosts included.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::spec::hexadecimal;
use super::{CellStatistics, Engine, Experiment, Statistics, run_dir};

/// What is known about a run when it is over, beside its experiment and its results.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// When it started.
    pub started: SystemTime,
    /// How long the engine worked.
    pub wall: Duration,
    /// Worker threads as asked, 0 for one per processor.
    pub threads: usize,
    /// The command line, if there was one.
    pub command: Vec<String>,
    /// Goals that were solved in that time, over all cells; those that were done before are left out.
    pub solved: u64,
}

/// The manifest of a run. Unlike the results it differs from run to run.
#[must_use]
pub fn manifest(
    experiment: &Experiment,
    engine: &Engine,
    statistics: &Statistics,
    record: &RunRecord,
) -> Value {
    let started = record
        .started
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let wall_seconds = record.wall.as_secs_f64();
    let mut table = head(
        experiment,
        engine,
        statistics.samples,
        statistics.unfinished.is_none(),
    );
    table.extend(entries([
        ("command", json!(record.command)),
        (
            "cells",
            statistics.cells.iter().map(cell).collect::<Value>(),
        ),
        ("failures", json!(statistics.failures.len())),
        (
            "stopped",
            json!(statistics.stopped.map(|stopped| stopped.to_json())),
        ),
        (
            "timings",
            json!({
                "started_unix_seconds": started.as_secs(),
                "wall_seconds": wall_seconds,
                "goals_solved": record.solved,
                "goals_per_second": record.solved as f64 / wall_seconds,
            }),
        ),
        (
            "host",
            json!({
                "name": host_name(),
                "system": std::env::consts::OS,
                "architecture": std::env::consts::ARCH,
                "processors": std::thread::available_parallelism().map_or(0, usize::from),
                "threads_asked": record.threads,
            }),
        ),
    ]));
    table.into()
}

/// The manifest of a run that has no results yet.
#[must_use]
pub fn first_manifest(experiment: &Experiment, engine: &Engine) -> Value {
    head(experiment, engine, experiment.samples.value, false).into()
}

/// What is known before a run.
fn head(
    experiment: &Experiment,
    engine: &Engine,
    samples: u64,
    is_finished: bool,
) -> Map<String, Value> {
    let backend = engine.backend();
    let place = backend.place();
    let environments = experiment.environments.iter().map(|mdp| {
        json!({
            "name": mdp.name(),
            "hash": hexadecimal(&mdp.content_hash()),
            "states": mdp.n_states(),
            "choices": mdp.n_choices(),
            "successors": mdp.n_successors(),
        })
    });
    entries([
        ("format", json!(run_dir::FORMAT)),
        (run_dir::FINISHED, json!(is_finished)),
        ("powersweep", json!(env!("CARGO_PKG_VERSION"))),
        ("samples", json!(samples)),
        ("spec_hash", json!(experiment.hash(backend.name()))),
        ("identity", experiment.identity(backend.name()).into()),
        ("experiment", experiment.to_json()),
        ("environments", environments.collect::<Value>()),
        (run_dir::INPUTS, inputs(experiment)),
        (
            "backend",
            json!({
                "name": backend.name(),
                "description": backend.description(),
                "adapter": place.as_ref().map(|p| &p.name),
                "place": place.as_ref().map(|p| &p.place).filter(|p| !p.is_empty()),
                "given_by": place.as_ref().and_then(|p| p.given.filter(|g| g.1)).map(|g| g.0),
            }),
        ),
    ])
    .collect()
}

/// Every file of `inputs/`, by its name there: what was read, by content.
fn inputs(experiment: &Experiment) -> Value {
    let files = experiment.inputs().into_iter().map(|(path, bytes)| {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let sha256 = hexadecimal(&Sha256::digest(&bytes));
        let entry = json!({ "bytes": bytes.len(), "sha256": sha256 });
        (parts.join("/"), entry)
    });
    files.collect::<Map<String, Value>>().into()
}

fn entries<const N: usize>(entries: [(&str, Value); N]) -> impl Iterator<Item = (String, Value)> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
}

fn cell(cell: &CellStatistics) -> Value {
    json!({
        "environment": cell.environment,
        "variant": cell.variant,
        "reward": cell.reward,
        "discount": cell.discount,
        "discount_used": cell.discount_used,
        "rule": cell.rule,
        "solver": cell.solver,
        "refusal": cell.refusal,
        "plan_hash": hexadecimal(&cell.plan.hash()),
        "plan": cell.plan.to_string().lines().collect::<Vec<_>>(),
        "pilot": cell.pilot,
        "goals": cell.proposed,
        "unconverged": cell.unconverged,
        "unconverged_goals": cell.unconverged_goals,
        "sweeps_mean": cell.sweeps_mean,
        "sweeps_max": cell.sweeps_max,
    })
}

fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").ok());
    name.or_else(|| std::env::var("COMPUTERNAME").ok())
        .map(|name| name.trim().to_owned())
}

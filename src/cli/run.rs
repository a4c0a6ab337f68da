//! `powersweep run`: an experiment from its file to its results.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use indicatif::HumanCount;
use powersweep::Discount;
use powersweep::experiment::run_dir::{MANIFEST, RunDirectory, RunDirectoryError};
use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Overrides, RunRecord, RunSpec, Statistics,
    manifest,
};
use powersweep::io::tables;
use powersweep::report;

use super::failure::{Failure, Kind, Outcome};
use super::progress::{Display, Signals};
use super::{arguments, diagnostics, output, terminal};

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
    /// What they are solved on.
    #[arg(long, value_parser = arguments::backend())]
    backend: Option<BackendChoice>,
    #[command(flatten)]
    adapter: arguments::Adapter,
    /// Worker threads; 0 for one per processor. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// The run directory [default: powersweep-runs/NAME-HASH].
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Further files of results, beside Parquet and JSON: one table a statistic, as csv, jsonl (one object a row) or npz (one array a
    /// column), and dot (Graphviz: the MDP of each cell, coloured by POWER). Several between commas.
    #[arg(long, value_name = "FORMAT,...", value_enum, value_delimiter = ',')]
    write: Vec<Further>,
    /// What is printed: a table, or the JSON document.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// List every state of every cell, however many there are.
    #[arg(long)]
    all: bool,
    /// No progress bar and no summary.
    #[arg(long, short)]
    quiet: bool,
    /// Print the resolved experiment, with the origin of every value, and stop.
    #[arg(long)]
    print_config: bool,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table of the states.
    #[default]
    Table,
    /// The document that is also `results.json`.
    Json,
}

/// Formats of further files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Further {
    Csv,
    Jsonl,
    Npz,
    Dot,
}

/// The further files of one format.
fn further_files(
    format: Further,
    statistics: &Statistics,
) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let tables = || statistics.tables().into_iter();
    Ok(match format {
        Further::Csv => tables()
            .map(|(name, columns)| {
                (
                    format!("{name}.csv"),
                    tables::write_csv(&columns).into_bytes(),
                )
            })
            .collect(),
        Further::Jsonl => tables()
            .map(|(name, columns)| {
                (
                    format!("{name}.jsonl"),
                    tables::write_json_lines(&columns).into_bytes(),
                )
            })
            .collect(),
        Further::Npz => tables()
            .map(|(name, columns)| Ok((format!("{name}.npz"), tables::table_npz(&columns)?)))
            .collect::<std::io::Result<_>>()?,
        Further::Dot => {
            let name = |i: usize| match statistics.cells.len() {
                1 => "power.dot".to_owned(),
                _ => format!("power-{}.dot", i + 1),
            };
            let graphs = statistics.cells.iter().enumerate();
            graphs
                .filter_map(|(i, cell)| Some((name(i), report::power_graph(cell)?.into_bytes())))
                .collect()
        }
    })
}

/// Makes the content of one file.
type Writer = fn(&Statistics) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

/// The result files of a run directory and who makes them: pure functions of the statistics.
const RESULT_FILES: &[(&str, Writer)] = &[
    ("results.json", |statistics| {
        Ok(statistics.to_json().into_bytes())
    }),
    ("power.parquet", |statistics| Ok(statistics.to_parquet()?)),
    ("power.svg", |statistics| {
        Ok(report::power_picture(statistics).into_bytes())
    }),
    ("results.txt", |statistics| {
        let options = report::TableOptions {
            width: 120,
            all: false,
        };
        Ok(report::power_text(statistics, &options, report::Colours::None).into_bytes())
    }),
];

impl Arguments {
    fn overrides(&self) -> Overrides {
        Overrides {
            samples: self.samples,
            seed: self.seed,
            discounts: self.discounts.clone(),
            tolerance: self.tolerance,
            method: self.method.map(|choice| choice.0),
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
    let engine = arguments.adapter.engine(experiment.backend.value)?;
    let backend = engine.backend().name();
    let default_directory = || experiment.default_directory(backend);
    let path = arguments.out.clone().unwrap_or_else(default_directory);
    let signals = Signals::catch();
    let spec = experiment.run_spec(&engine, arguments.threads);
    let directory = RunDirectory::create(&path, &experiment.identity(backend), spec.samples)?;
    let (statistics, record) = solve(&engine, &spec, &arguments, &signals)?;
    let manifest = manifest(&experiment, &engine, &statistics, &record);
    // Results on the terminal are worth something even when the disk is full: the error comes after them.
    let written = write(
        directory,
        &experiment,
        &statistics,
        &manifest,
        &arguments.write,
    );
    output::print(&match arguments.format {
        Format::Json => statistics.to_json(),
        Format::Table => report::power_text(
            &statistics,
            &terminal::table_options(arguments.all),
            terminal::colours(),
        ),
    })?;
    statistics
        .cells
        .iter()
        .for_each(|cell| warn_of_unconverged(cell, &spec));
    warn_of_failures(&statistics);
    warn_of_missing_graphs(&statistics, &arguments.write);
    let path = written?;
    if !arguments.quiet {
        summarise(&statistics, &record, &path);
    }
    Ok(match statistics.is_complete() {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

fn solve(
    engine: &Engine,
    spec: &RunSpec,
    arguments: &Arguments,
    signals: &Signals,
) -> Result<(Statistics, RunRecord), Failure> {
    let goals = spec.samples.saturating_mul(spec.n_cells() as u64);
    let display = Display::new(goals, arguments.quiet, signals);
    let started = SystemTime::now();
    let clock = Instant::now();
    let statistics = engine.run_observed(spec, &display);
    display.clear();
    let statistics = statistics.map_err(|error| match signals.caught() {
        Some(kind) => Failure::new(kind, "interrupted; nothing was written"),
        None => error.into(),
    })?;
    let record = RunRecord {
        started,
        wall: clock.elapsed(),
        threads: arguments.threads,
        command: std::env::args().collect(),
    };
    Ok((statistics, record))
}

fn write(
    directory: RunDirectory,
    experiment: &Experiment,
    statistics: &Statistics,
    manifest: &serde_json::Value,
    further: &[Further],
) -> Result<PathBuf, Failure> {
    for format in further {
        let files = further_files(*format, statistics);
        for (name, bytes) in files.map_err(|error| Failure::new(Kind::Environment, error))? {
            directory.write(name, &bytes)?;
        }
    }
    for (name, writer) in RESULT_FILES {
        let bytes = writer(statistics).map_err(|error| Failure::new(Kind::Environment, error))?;
        directory.write(name, &bytes)?;
    }
    for name in statistics.table_names() {
        let bytes = statistics
            .table_parquet(name)
            .map_err(|error| Failure::new(Kind::Environment, error))?;
        directory.write(format!("{name}.parquet"), &bytes)?;
    }
    for (path, bytes) in experiment.inputs() {
        directory.write(Path::new("inputs").join(path), &bytes)?;
    }
    directory.write(MANIFEST, format!("{manifest:#}\n").as_bytes())?;
    Ok(directory.commit()?)
}

impl From<RunDirectoryError> for Failure {
    fn from(error: RunDirectoryError) -> Self {
        let (kind, help) = match &error {
            RunDirectoryError::File { .. } => (Kind::Environment, None),
            RunDirectoryError::Locked { .. } => (
                Kind::Environment,
                Some("wait for it, or write elsewhere with --out"),
            ),
            RunDirectoryError::NotARun { .. }
            | RunDirectoryError::Different { .. }
            | RunDirectoryError::Larger { .. } => {
                (Kind::Input, Some("choose another directory with --out"))
            }
            _ => (Kind::Environment, None),
        };
        let failure = Self::new(kind, error);
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

fn warn_of_unconverged(cell: &CellStatistics, spec: &RunSpec) {
    if cell.unconverged == 0 {
        return;
    }
    let listed: Vec<_> = cell
        .unconverged_goals
        .iter()
        .take(8)
        .map(u64::to_string)
        .collect();
    let more = if cell.unconverged > listed.len() as u64 {
        ", ..."
    } else {
        ""
    };
    let message = format!(
        "{}{}, {}, discount {}: {} of {} goals missed the tolerance within {} sweeps: goal {}{more}",
        cell.environment,
        report::of_variant(&cell.variant),
        cell.reward,
        cell.discount,
        HumanCount(cell.unconverged),
        HumanCount(cell.samples),
        HumanCount(u64::from(cell.sweeps_max)),
        listed.join(", ")
    );
    let help = match spec.max_sweeps {
        Some(_) => {
            "they are in the estimates, with their own larger bound: raise `max_sweeps` in [solve]"
        }
        None => {
            "they are in the estimates, with their own larger bound: double precision does not carry this tolerance at \
             this discount; raise the tolerance"
        }
    };
    diagnostics::show_warning(message, Some(help.to_owned()));
}

fn warn_of_missing_graphs(statistics: &Statistics, further: &[Further]) {
    let too_large = |cell: &&CellStatistics| cell.mdp.n_states() > report::MAX_GRAPH_STATES;
    let count = statistics.cells.iter().filter(too_large).count();
    if count > 0 && further.contains(&Further::Dot) {
        let most = report::MAX_GRAPH_STATES;
        diagnostics::show_warning(
            format!("no graph of {count} cells: an MDP of more than {most} states cannot be drawn"),
            None,
        );
    }
}

fn warn_of_failures(statistics: &Statistics) {
    for failure in &statistics.failures {
        let message = format!(
            "{}{}, {}, discount {}: no result: {}",
            failure.environment,
            report::of_variant(&failure.variant),
            failure.reward,
            failure.discount,
            failure.error
        );
        diagnostics::show_warning(message, None);
    }
}

fn summarise(statistics: &Statistics, record: &RunRecord, path: &Path) {
    let solved: u64 = statistics.cells.iter().map(|cell| cell.samples).sum();
    let seconds = record.wall.as_secs_f64();
    let cells = match statistics.cells.len() {
        1 => String::new(),
        n => format!(" in each of {} cells", HumanCount(n as u64)),
    };
    diagnostics::show_note(&format!(
        "{} goals{cells} in {seconds:.2} s ({} a second); results in {}",
        HumanCount(statistics.samples),
        HumanCount((solved as f64 / seconds) as u64),
        path.display()
    ));
}

//! The end of a run: its files, what is printed, and what there is to warn of.

use std::path::{Path, PathBuf};

use indicatif::HumanCount;
use powersweep::experiment::checkpoint::Shard;
use powersweep::experiment::run_dir::{CHECKPOINT, MANIFEST, RunDirectory, RunDirectoryError};
use powersweep::experiment::{
    self, CellStatistics, Engine, Experiment, GoalTable, RunRecord, RunSpec, Statistics,
    first_manifest, manifest,
};
use powersweep::io::parquet::write_table;
use powersweep::io::tables;
use powersweep::report;

use super::failure::{Failure, Kind, Outcome};
use super::{diagnostics, output, terminal};

/// What is shown and written of results.
#[derive(Debug, clap::Args)]
pub(crate) struct Shown {
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
    /// Also print how rankings of states and favourite actions survive other laws and discounts.
    #[arg(long)]
    robustness: bool,
    /// Also print how POWER goes with what states leave open whatever is rewarded, with the empowerment of N steps.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1", value_parser = clap::value_parser!(u32).range(..=1000))]
    structure: Option<u32>,
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
    goals: Option<&GoalTable>,
) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let tables = || {
        let goals = goals.map(|goals| ("goals", goals.columns()));
        statistics.tables().into_iter().chain(goals)
    };
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

/// What a run directory starts with: what was read, and a manifest that says that there are no results yet.
pub(crate) fn first_files(experiment: &Experiment, engine: &Engine) -> Vec<(PathBuf, Vec<u8>)> {
    let manifest = first_manifest(experiment, engine);
    let manifest = format!("{manifest:#}\n").into_bytes();
    let mut files = inputs(experiment);
    files.push((MANIFEST.into(), manifest));
    files
}

fn inputs(experiment: &Experiment) -> Vec<(PathBuf, Vec<u8>)> {
    let files = experiment.inputs().into_iter();
    files
        .map(|(path, bytes)| (Path::new("inputs").join(path), bytes))
        .collect()
}

/// A run at its end.
pub(crate) struct Ending<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) engine: &'a Engine,
    pub(crate) spec: &'a RunSpec,
    pub(crate) shown: &'a Shown,
    pub(crate) quiet: bool,
    pub(crate) outcome: &'a experiment::Outcome,
    pub(crate) record: &'a RunRecord,
    pub(crate) checkpoint: &'a [u8],
    /// Goals one by one, where they are asked for and can be solved here.
    pub(crate) goals: Option<&'a GoalTable>,
}

impl Ending<'_> {
    /// Writes and prints the results of a run that is finished.
    pub(crate) fn finished(self, directory: RunDirectory) -> Result<Outcome, Failure> {
        let statistics = &self.outcome.statistics;
        // Results on the terminal are worth something even when the disk is full: the error comes after them.
        let written = self.write(directory);
        self.print()?;
        self.warn();
        let path = written?;
        if !self.quiet {
            self.summarise(&path);
        }
        Ok(match statistics.is_complete() {
            true => Outcome::Done,
            false => Outcome::Incomplete,
        })
    }

    /// Writes a shard that is done: its checkpoint, which is what is merged.
    pub(crate) fn shard(self, directory: &RunDirectory, shard: Shard) -> Result<Outcome, Failure> {
        let first = || first_files(self.experiment, self.engine);
        directory.keep(self.checkpoint, first)?;
        self.warn();
        let solved = self.record.solved;
        let seconds = self.record.wall.as_secs_f64();
        if !self.quiet {
            diagnostics::show_note(&format!(
                "shard {shard}: {} goals over all cells, {} of them now, in {seconds:.2} s; it is in {}, for `powersweep merge`",
                HumanCount(self.outcome.ledger.goals()),
                HumanCount(solved),
                directory.path().display()
            ));
        }
        let statistics = &self.outcome.statistics;
        Ok(
            match statistics.failures.is_empty() && statistics.unconverged() == 0 {
                true => Outcome::Done,
                false => Outcome::Incomplete,
            },
        )
    }

    /// Writes and prints the results of the shards that there are.
    pub(crate) fn partial(self, directory: RunDirectory) -> Result<Outcome, Failure> {
        let written = self.write(directory);
        self.print()?;
        self.warn();
        let path = written?;
        if !self.quiet
            && let Some(unfinished) = &self.outcome.statistics.unfinished
        {
            diagnostics::show_note(&format!(
                "{} of {} goals over all cells; results so far in {}",
                HumanCount(unfinished.goals_done),
                HumanCount(unfinished.goals_total),
                path.display()
            ));
        }
        Ok(Outcome::Incomplete)
    }

    /// Writes what there is of a run that was interrupted, and says where. Results of all goals that an earlier run asked for stay.
    pub(crate) fn interrupted(self, directory: RunDirectory) -> Result<String, Failure> {
        if self.outcome.ledger.goals() == 0 {
            return Ok(
                "interrupted before the first block of goals was done; nothing was written"
                    .to_owned(),
            );
        }
        let path = directory.path().to_owned();
        let what = match directory.has_results() {
            true => {
                directory.keep(self.checkpoint, Vec::new)?;
                "the checkpoint is"
            }
            false => {
                // The checkpoint is what must not be lost: where there is no room for the rest, it goes alone.
                directory.keep(self.checkpoint, || {
                    first_files(self.experiment, self.engine)
                })?;
                self.write(directory)?;
                "the checkpoint and the results so far are"
            }
        };
        let (done, total) = match &self.outcome.statistics.unfinished {
            Some(unfinished) => (unfinished.goals_done, unfinished.goals_total),
            None => (0, 0),
        };
        Ok(format!(
            "interrupted after {} of {} goals; {what} in {}; the same command goes on from there",
            HumanCount(done),
            HumanCount(total),
            path.display()
        ))
    }

    fn write(&self, directory: RunDirectory) -> Result<PathBuf, Failure> {
        let statistics = &self.outcome.statistics;
        let manifest = manifest(self.experiment, self.engine, statistics, self.record);
        if let Some(goals) = self.goals {
            let bytes = write_table(&goals.columns(), Vec::new())
                .map_err(|error| Failure::new(Kind::Environment, error))?;
            directory.write("goals.parquet", &bytes)?;
        }
        for format in &self.shown.write {
            let files = further_files(*format, statistics, self.goals);
            for (name, bytes) in files.map_err(|error| Failure::new(Kind::Environment, error))? {
                directory.write(name, &bytes)?;
            }
        }
        for (name, writer) in RESULT_FILES {
            let bytes =
                writer(statistics).map_err(|error| Failure::new(Kind::Environment, error))?;
            directory.write(name, &bytes)?;
        }
        for name in statistics.table_names() {
            let bytes = statistics
                .table_parquet(name)
                .map_err(|error| Failure::new(Kind::Environment, error))?;
            directory.write(format!("{name}.parquet"), &bytes)?;
        }
        for (path, bytes) in inputs(self.experiment) {
            directory.write(path, &bytes)?;
        }
        directory.write(CHECKPOINT, self.checkpoint)?;
        directory.write(MANIFEST, format!("{manifest:#}\n").as_bytes())?;
        Ok(directory.commit()?)
    }

    fn print(&self) -> Result<(), Failure> {
        let statistics = &self.outcome.statistics;
        output::print(&match self.shown.format {
            Format::Json => statistics.to_json(),
            Format::Table => {
                let options = terminal::table_options(self.shown.all);
                let mut text = report::power_text(statistics, &options, terminal::colours());
                if self.shown.robustness {
                    text += &format!("\n{}", report::robustness_text(statistics));
                }
                if let Some(steps) = self.shown.structure {
                    text += &format!("\n{}", report::beside_text(statistics, steps));
                }
                text
            }
        })
    }

    fn warn(&self) {
        let statistics = &self.outcome.statistics;
        let cells = statistics.cells.iter();
        cells.clone().for_each(note_stand_in);
        cells.for_each(|cell| warn_of_unconverged(cell, self.spec));
        warn_of_failures(statistics);
        warn_of_missing_graphs(statistics, &self.shown.write);
    }

    fn summarise(&self, path: &Path) {
        let statistics = &self.outcome.statistics;
        let total: u64 = statistics.cells.iter().map(|cell| cell.proposed).sum();
        let solved = self.record.solved;
        let seconds = self.record.wall.as_secs_f64();
        let cells = match statistics.cells.len() {
            1 => String::new(),
            n => format!(" in each of {} cells", HumanCount(n as u64)),
        };
        let how = match solved < total {
            false => format!(
                "in {seconds:.2} s ({} a second)",
                HumanCount((solved as f64 / seconds) as u64)
            ),
            true if solved == 0 => "(all of them were done before)".to_owned(),
            true => format!(
                "({} of {} in {seconds:.2} s, the others were done before)",
                HumanCount(solved),
                HumanCount(total)
            ),
        };
        if let Some(stopped) = &statistics.stopped {
            diagnostics::show_note(&report::stopped(stopped));
        }
        diagnostics::show_note(&format!(
            "{} goals{cells} {how}; results in {}",
            HumanCount(statistics.samples),
            path.display()
        ));
    }
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
            RunDirectoryError::Changed { .. } => (
                Kind::Input,
                Some("put the files back, or run the experiment again"),
            ),
            _ => (Kind::Environment, None),
        };
        let failure = Self::new(kind, error);
        match help {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    }
}

fn note_stand_in(cell: &CellStatistics) {
    let (Some(solver), Some(why)) = (&cell.solver, &cell.refusal) else {
        return;
    };
    diagnostics::show_note(&format!(
        "{}{}, {}, discount {}: solved on {solver}, since {why}",
        cell.environment,
        report::of_variant(&cell.variant),
        cell.reward,
        cell.discount,
    ));
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
        HumanCount(cell.proposed),
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

//! What `solve` and `replay` share: from a solved goal to its report.

use clap::ValueEnum;
use powersweep::document::nearest;
use powersweep::experiment::OneGoal;
use powersweep::mdp::Mdp;
use powersweep::report::{GoalOrigin, GoalReport, goal_json, goal_text};
use powersweep::solve::SolveError;
use powersweep::{Seed, StateId};

use super::failure::{Failure, Kind, Outcome};
use super::{diagnostics, output, terminal};

/// What is shown of a goal.
#[derive(Debug, clap::Args)]
pub(crate) struct View {
    /// State that the path starts in; default: the MDP's start, the likeliest of several.
    #[arg(long, value_name = "STATE")]
    start: Option<String>,
    /// Most steps of the path.
    #[arg(long, value_name = "N", default_value_t = 50)]
    steps: usize,
    /// Which path is shown where moves are uncertain: its successors are drawn, each number gives others.
    #[arg(long, value_name = "N", default_value_t = 0)]
    path: u64,
    /// List every state, however many there are.
    #[arg(long)]
    all: bool,
    /// A table for people or a document for programs.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl View {
    /// The state that `--start` names, before anything is solved.
    pub(crate) fn start(&self, mdp: &Mdp) -> Result<Option<StateId>, Failure> {
        let Some(name) = &self.start else {
            return Ok(None);
        };
        let found = mdp.find_state(name);
        let unknown = || {
            let failure =
                Failure::new(Kind::Input, format!("{} has no state {name:?}", mdp.name()));
            let names: Vec<&str> = mdp.states().map(|s| mdp.state_name(s)).collect();
            match nearest(name, &names) {
                Some(near) => failure.with_help(format!("did you mean {near:?}?")),
                None => failure.with_help("without `--start` the table lists the states"),
            }
        };
        found.map(Some).ok_or_else(unknown)
    }

    /// Prints the report.
    pub(crate) fn print(
        &self,
        goal: &OneGoal,
        origin: &GoalOrigin,
        backend: &str,
        start: Option<StateId>,
    ) -> Result<Outcome, Failure> {
        let path = goal.path(
            start.unwrap_or_else(|| goal.start()),
            self.steps,
            Seed(0),
            self.path,
        );
        let backend = match &goal.stand_in {
            Some((solver, why)) => {
                diagnostics::show_note(&format!("solved on {solver}, since {why}"));
                solver.split(',').next().unwrap_or(backend)
            }
            None => backend,
        };
        let report = GoalReport {
            goal,
            origin,
            backend,
            path: &path,
        };
        match self.format {
            Format::Table => {
                output::print(&goal_text(&report, &terminal::map_options(), self.all))?
            }
            Format::Json => output::print(&format!("{:#}\n", goal_json(&report)))?,
        }
        Ok(match goal.solved.converged {
            true => Outcome::Done,
            false => Outcome::Incomplete,
        })
    }
}

/// A goal that could not be solved: what was asked is beyond the backend, or the goal is no goal.
pub(crate) fn unsolved(error: SolveError) -> Failure {
    let kind = match error {
        SolveError::Device { .. } => Kind::Failed,
        _ => Kind::Input,
    };
    Failure::new(kind, error)
}

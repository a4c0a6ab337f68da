//! The pilot: a few tiles of goals, solved by every method, decide which one a whole cell uses.
//!
//! No method wins everywhere, the best is 20 to 150 times better than the textbook one, and which one wins depends on the
//! structure and the discount, not on the goal. So it is tried out. The pilot's goals come from a stream of their own, the
//! cost is counted in units of work rather than seconds, and the arithmetic is the baseline's, which is the same on every
//! machine: two runs always choose alike.

use std::sync::Arc;

use serde::Serialize;

use super::cpu::{CpuSolver, Level, Outcome};
use super::{CellProblem, SolveError};
use crate::plan::{Method, Schedule, SweepModel};
use crate::rng::Stream;
use crate::statistics::TILE;

/// Tiles per candidate.
const TILES: u64 = 3;

/// What one candidate took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PilotCandidate {
    /// The method's name.
    pub method: &'static str,
    /// Sweeps per tile in single precision, ascending.
    pub single_sweeps: Vec<u32>,
    /// Sweeps per tile in double precision, ascending.
    pub double_sweeps: Vec<u32>,
    /// Units of work per goal.
    pub work: f64,
    /// Whether it was given up because another had already been found cheaper.
    pub given_up: bool,
}

/// What the pilot found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PilotReport {
    /// The method that was chosen, or asked for.
    pub chosen: &'static str,
    /// Whether it was asked for rather than chosen.
    pub forced: bool,
    /// Sweeps before the first residual.
    pub first_check: u32,
    /// All that were tried, in order.
    pub candidates: Vec<PilotCandidate>,
}

/// Tries the methods (or only `forced`) on a cell whose plan was drawn, and returns the schedule to put into the plan.
///
/// # Errors
///
/// [`SolveError::Unsupported`] for goal programs that no sweep can solve.
pub fn pilot(
    problem: &CellProblem,
    forced: Option<Method>,
) -> Result<(Schedule, PilotReport), SolveError> {
    let mut best: Option<(f64, Schedule)> = None;
    let mut candidates = Vec::new();
    for method in Method::ALL {
        if forced.is_some_and(|f| f != method) {
            continue;
        }
        let budget = best.map(|(work, _)| work);
        let candidate = try_method(problem, method, budget)?;
        let cheaper = best.is_none_or(|(work, _)| candidate.work < work);
        if cheaper && !candidate.given_up {
            best = Some((candidate.work, schedule(method, &candidate)));
        }
        candidates.push(candidate);
    }
    let schedule = best.map_or_else(Schedule::default, |(_, schedule)| schedule);
    let report = PilotReport {
        chosen: schedule.method.name(),
        forced: forced.is_some(),
        first_check: schedule.first_check,
        candidates,
    };
    Ok((schedule, report))
}

/// The first residual is measured when half of the pilot's tiles were done.
fn schedule(method: Method, candidate: &PilotCandidate) -> Schedule {
    let sweeps = &candidate.single_sweeps;
    Schedule {
        method,
        first_check: sweeps[(sweeps.len() - 1) / 2].max(1),
    }
}

fn try_method(
    problem: &CellProblem,
    method: Method,
    budget: Option<f64>,
) -> Result<PilotCandidate, SolveError> {
    let units = Units::of(problem.plan.model(), method);
    let first_look = Schedule {
        method,
        first_check: 2,
    };
    let mut trial = problem.clone();
    trial.plan = Arc::new((*problem.plan).clone().with_schedule(first_look));
    // A candidate that has used twice the work of the best so far has lost.
    let affordable = budget.map_or(f64::INFINITY, |work| 2.0 * work / units.sweep);
    trial.max_sweeps = problem.max_sweeps.min(affordable.min(1e9) as u32).max(4);
    let solver = CpuSolver::new(trial, Level::Baseline)?;
    let mut outcomes = Vec::new();
    for tile in 0..TILES {
        let outcome = solver.tile_work(Stream::Pilot, tile * TILE as u64);
        outcomes.push(outcome);
    }
    let sorted = |part: fn(&Outcome) -> u32| {
        let mut sweeps: Vec<u32> = outcomes.iter().map(part).collect();
        sweeps.sort_unstable();
        sweeps
    };
    let work = outcomes.iter().map(|o| units.total(o)).sum::<f64>() / outcomes.len() as f64;
    Ok(PilotCandidate {
        method: method.name(),
        single_sweeps: sorted(|o| o.single.sweeps),
        double_sweeps: sorted(|o| o.double.sweeps),
        work,
        given_up: budget.is_some_and(|best| work > 2.0 * best),
    })
}

/// Units of work: one is a multiply-add of one goal in single precision, with its load.
struct Units {
    sweep: f64,
    check: f64,
}

/// Per state: loading the reward, storing the value.
const PER_STATE: f64 = 3.0;
/// Per choice: scaling and maximum.
const PER_CHOICE: f64 = 2.0;
/// Per state of a residual: minima and maxima of residuals and values, the backup stored.
const PER_STATE_CHECK: f64 = 10.0;
/// A residual's product is a difference, a sum and a sum of sizes.
const DIFFERENCE: f64 = 2.5;
/// Half as many lanes to a vector.
const DOUBLE: f64 = 2.0;

impl Units {
    fn of(model: &SweepModel, method: Method) -> Self {
        let states = model.states().len() as f64;
        let choices = model.choices().len() as f64;
        let products = model.products() as f64;
        let in_place = products + PER_CHOICE * choices + PER_STATE * states;
        let differences = DIFFERENCE * (products + PER_CHOICE * choices);
        Self {
            sweep: match method {
                Method::InPlace => in_place,
                Method::Jacobi => differences + PER_STATE * states,
            },
            check: differences + PER_STATE_CHECK * states,
        }
    }

    fn total(&self, outcome: &Outcome) -> f64 {
        let effort = |e: super::cpu::Effort| {
            f64::from(e.sweeps) * self.sweep + f64::from(e.checks.min(1)) * self.check
        };
        effort(outcome.single) + DOUBLE * effort(outcome.double)
    }
}

//! The judge: f64, policy iteration with direct solves, every goal on its own.
//!
//! Written to be read, not to be fast. It shares no code with the other backends and uses nothing of the plan, so that
//! a fault in the sweep model, the kernels or the random number generator's fast forms shows as a difference.

mod certificate;
mod iteration;
mod linked;
mod model;

use linked::{Linked, solve_stage};

use super::one_by_one::{self, Chunk};
use super::{Backend, CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::statistics::behaviour::{self, Acting, GoalValues};
use crate::statistics::{Block, BlockSums};
use crate::units::{SampleIndex, StateId};

const NAME: &str = "reference";

/// Solves goals one by one in f64.
///
/// Up to 512 states: Howard's policy iteration, each policy evaluated by an LU
/// decomposition of `I - gamma P`. Beyond that: in-place value iteration to a half-width of 1e-12 of the goal's
/// range. Either way the bound is measured from the residual of the values at the end.
///
/// # Precision
///
/// Certified half-widths are near 1e-15 of the range at gamma 0.9 and 1e-12 at 0.999.
///
/// ```
/// use powersweep::solve::{Backend, ReferenceBackend};
/// assert_eq!(ReferenceBackend::new().name(), "reference");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceBackend;

impl ReferenceBackend {
    /// The one there is.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Backend for ReferenceBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn description(&self) -> String {
        "f64, policy iteration with LU solves (nalgebra)".to_owned()
    }

    fn methods(&self) -> &[crate::plan::Method] {
        &[]
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        problem.refuse_limit(NAME)?;
        let linked = Linked::new(&problem);
        Ok(Box::new(ReferenceSolver { problem, linked }))
    }
}

/// One cell on the reference backend.
#[derive(Debug)]
struct ReferenceSolver {
    problem: CellProblem,
    linked: Linked,
}

impl ReferenceSolver {
    /// Adds a goal to its chunk.
    fn add(&self, goal: u64, chunk: &mut Chunk<'_>) -> Result<(), SolveError> {
        let problem = &self.problem;
        let stages = self.linked.solve(problem, SampleIndex(goal))?;
        let shown = &stages[problem.program.shown()];
        let sweeps = stages.iter().map(|s| s.sweeps).sum();
        chunk.add(goal, &shown.integrand, shown.half_width, sweeps);
        if chunk.is_observed() {
            let readings = self.linked.read(problem, &stages);
            let reward = |state: StateId| shown.rewards[state.index()];
            let acting = shown.followed.as_ref().map(|(policy, open)| {
                let mut acting = Acting::default();
                let n_choices = problem.program.stage().mdp.n_choices();
                acting.follow(n_choices, policy.iter().copied(), *open);
                acting
            });
            let is_plain = problem.program.plain().is_ok();
            let on_choices = problem.program.stage().domain == RewardDomain::Choice;
            chunk.observe(GoalValues {
                choice_rewards: (is_plain && on_choices).then_some(&shown.rewards),
                acting: acting.as_ref(),
                linked: behaviour::Linked {
                    readings: &readings,
                    reward_half_width: shown.reward_half_width,
                },
                ..GoalValues::new(&shown.worths, shown.worth_half_width, &reward)
            });
        }
        Ok(())
    }

    /// One sampled goal of any stream; where there are several stages, of the goals' own.
    fn solve_sampled(&self, stream: Stream, index: SampleIndex) -> Result<SolvedGoal, SolveError> {
        let problem = &self.problem;
        if stream == Stream::Reward {
            let mut stages = self.linked.solve(problem, index)?;
            let sweeps = stages.iter().map(|s| s.sweeps).sum();
            let is_plain = problem.program.plain().is_ok();
            let readings = (!is_plain).then(|| self.linked.read(problem, &stages));
            let shown = stages.swap_remove(problem.program.shown());
            return Ok(shown.into_goal(problem, sweeps, readings));
        }
        self.solve_given(index.0, problem.draw(stream, index))
    }

    /// A goal from outside: for the plain kind of program.
    fn solve_given(&self, number: u64, rewards: Vec<f64>) -> Result<SolvedGoal, SolveError> {
        let stage = self.problem.given_stage(NAME)?;
        let solved = solve_stage(&self.problem, stage, None, rewards, 0.0);
        let solved = solved.ok_or(SolveError::Singular { goal: number })?;
        let sweeps = solved.sweeps;
        Ok(solved.into_goal(&self.problem, sweeps, None))
    }
}

impl CellSolver for ReferenceSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let add = |goal, chunk: &mut Chunk<'_>| self.add(goal, chunk);
        one_by_one::solve_block(&self.problem, block, parallel, add)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        let sampled = |stream, index| self.solve_sampled(stream, index);
        let given = |goal, rewards| self.solve_given(goal, rewards);
        one_by_one::solve_goals(&self.problem, goals, sampled, given)
    }
}

#[cfg(test)]
mod tests;

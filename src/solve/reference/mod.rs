//! The judge: f64, policy iteration with direct solves, every goal on its own.
//!
//! Written to be read, not to be fast. It shares no code with the other backends and uses nothing of the plan, so that
//! a fault in the sweep model, the kernels or the random number generator's fast forms shows as a difference.

mod certificate;
mod iteration;
mod linked;
mod model;

use rayon::prelude::*;

use linked::{Linked, solve_stage};

use super::{Backend, CellProblem, CellSolver, Goals, SolveError, SolvedGoal, check_given};
use crate::rng::Stream;
use crate::statistics::behaviour::{self, Acting, GoalValues, Memory};
use crate::statistics::{Block, BlockSums, TILE};
use crate::units::SampleIndex;

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

    fn sweeps(&self) -> bool {
        false
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
    /// Sums the goals `first..end`, one after the other.
    fn sum_goals(&self, first: u64, end: u64) -> Result<BlockSums, SolveError> {
        let problem = &self.problem;
        let shift = problem.power_scale().shift;
        let mut sums = BlockSums::new(problem.program.stage().mdp.n_states());
        let observer = problem.observer();
        let mut memory = Memory::default();
        let mut acting = Acting::default();
        if let Some(observer) = &observer {
            sums.observations = observer.observations((end - first) as usize);
        }
        for goal in first..end {
            let stages = self.linked.solve(problem, SampleIndex(goal))?;
            let shown = &stages[problem.program.shown()];
            for (state, x) in shown.integrand.iter().enumerate() {
                let centred = x - shift;
                sums.power[state] += centred;
                sums.power_squared[state] += centred * centred;
            }
            let sweeps = stages.iter().map(|s| s.sweeps).sum();
            sums.note_goal(goal, shown.half_width, problem.tolerance, sweeps);
            if let Some(observer) = &observer {
                let readings = self.linked.read(problem, &stages);
                let reward = |state: crate::units::StateId| shown.rewards[state.index()];
                let followed = shown.followed.as_ref();
                if let Some((policy, open)) = followed {
                    let n_choices = problem.program.stage().mdp.n_choices();
                    acting.follow(n_choices, policy.iter().copied(), *open);
                }
                let values = GoalValues {
                    acting: followed.map(|_| &acting),
                    linked: behaviour::Linked {
                        readings: &readings,
                        reward_half_width: shown.reward_half_width,
                    },
                    ..GoalValues::new(&shown.worths, shown.worth_half_width, &reward)
                };
                observer.observe(values, &mut memory, &mut sums.observations);
            }
        }
        Ok(sums)
    }

    /// One sampled goal of any stream; where there are several stages, of the goals' own.
    fn solve_sampled(&self, stream: Stream, index: SampleIndex) -> Result<SolvedGoal, SolveError> {
        let problem = &self.problem;
        if stream == Stream::Reward {
            let mut stages = self.linked.solve(problem, index)?;
            let sweeps = stages.iter().map(|s| s.sweeps).sum();
            let shown = stages.swap_remove(problem.program.shown());
            return Ok(shown.into_goal(problem, sweeps));
        }
        let law = &problem.program.stage().law;
        let rewards = law.draw(problem.seed, stream, index);
        self.solve_given(index.0, rewards.into_iter().map(f64::from).collect())
    }

    /// A goal from outside: for the plain kind of program.
    fn solve_given(&self, number: u64, rewards: Vec<f64>) -> Result<SolvedGoal, SolveError> {
        let stage = self.problem.given_stage(NAME)?;
        let solved = solve_stage(&self.problem, stage, None, rewards, 0.0);
        let solved = solved.ok_or(SolveError::Singular { goal: number })?;
        let sweeps = solved.sweeps;
        Ok(solved.into_goal(&self.problem, sweeps))
    }
}

impl CellSolver for ReferenceSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    /// Chunks of [`TILE`] goals are summed on their own and appended in order, whether or not they run side by side:
    /// the sums do not depend on threads.
    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let end = block.first + block.len;
        let firsts: Vec<u64> = (block.first..end).step_by(TILE).collect();
        let sum = |&first: &u64| self.sum_goals(first, end.min(first + TILE as u64));
        let chunks: Vec<BlockSums> = if parallel {
            firsts.par_iter().map(sum).collect::<Result<_, _>>()?
        } else {
            firsts.iter().map(sum).collect::<Result<_, _>>()?
        };
        let mut sums = BlockSums::new(self.problem.program.stage().mdp.n_states());
        chunks.iter().for_each(|chunk| sums.append(chunk));
        Ok(sums)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled { stream, indices } => {
                let solve = |&index: &SampleIndex| self.solve_sampled(stream, index);
                indices.par_iter().map(solve).collect()
            }
            Goals::Given(list) => {
                let n_rewards = self.problem.program.stage().law.n_rewards();
                let mut each = list.iter().enumerate();
                each.try_for_each(|(i, rewards)| check_given(i, rewards, n_rewards))?;
                let numbered = list.par_iter().enumerate();
                let solve =
                    |(i, rewards): (usize, &Vec<f64>)| self.solve_given(i as u64, rewards.clone());
                numbered.map(solve).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;

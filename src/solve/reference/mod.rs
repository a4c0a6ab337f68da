//! The judge: f64, policy iteration with direct solves, every goal on its own.
//!
//! Written to be read, not to be fast. It shares no code with the other backends and uses nothing of the plan, so that
//! a fault in the sweep model, the kernels or the random number generator's fast forms shows as a difference.

mod certificate;
mod iteration;
mod model;

use rayon::prelude::*;

use certificate::Certificate;
use model::Model;

use super::{Backend, CellProblem, CellSolver, Goals, SolveError, SolvedGoal, check_given};
use crate::rng::Stream;
use crate::statistics::behaviour::{GoalValues, Memory};
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
        match problem.program.plain() {
            Ok(_) => Ok(Box::new(ReferenceSolver { problem })),
            Err(error) => Err(SolveError::Unsupported {
                backend: NAME,
                feature: error.to_string(),
            }),
        }
    }
}

/// One cell on the reference backend.
#[derive(Debug)]
struct ReferenceSolver {
    problem: CellProblem,
}

impl ReferenceSolver {
    fn model(&self) -> Model<'_> {
        let stage = self.problem.program.stage();
        Model::new(&stage.mdp, self.problem.discount, stage.law.domain())
    }

    /// The rewards of one sampled goal.
    fn draw(&self, stream: Stream, index: SampleIndex) -> Vec<f64> {
        let law = &self.problem.program.stage().law;
        let rewards = law.draw(self.problem.seed, stream, index);
        rewards.into_iter().map(f64::from).collect()
    }

    /// Solves one goal; `number` is for error messages.
    fn solve(&self, number: u64, rewards: Vec<f64>) -> Result<SolvedGoal, SolveError> {
        let model = self.model();
        let (values, sweeps) = iteration::solve(&model, &rewards, self.problem.max_sweeps)
            .ok_or(SolveError::Singular { goal: number })?;
        let certificate = Certificate::of(&model, &rewards, &values);
        let half_width = certificate.half_width();
        Ok(SolvedGoal {
            domain: model.domain,
            settled: None,
            integrand: certificate.integrand,
            half_width,
            converged: half_width <= self.problem.tolerance,
            sweeps,
            rewards,
        })
    }

    /// Sums the goals `first..end`, one after the other.
    fn sum_goals(&self, first: u64, end: u64) -> Result<BlockSums, SolveError> {
        let stage = self.problem.program.stage();
        let shift = self.problem.power_scale().shift;
        let mut sums = BlockSums::new(stage.mdp.n_states());
        let observer = self.problem.observer();
        let mut memory = Memory::default();
        if let Some(observer) = &observer {
            sums.observations = observer.observations((end - first) as usize);
        }
        for goal in first..end {
            let solved = self.solve(goal, self.draw(stage.stream, SampleIndex(goal)))?;
            for (state, x) in solved.integrand.iter().enumerate() {
                let centred = x - shift;
                sums.power[state] += centred;
                sums.power_squared[state] += centred * centred;
            }
            sums.note_goal(
                goal,
                solved.half_width,
                self.problem.tolerance,
                solved.sweeps,
            );
            if let Some(observer) = &observer {
                let discount = self.problem.discount;
                let worths = solved.worths(discount);
                let reward = |state: crate::units::StateId| solved.rewards[state.index()];
                let values = GoalValues::new(&worths, discount.used() * solved.half_width, &reward);
                observer.observe(values, &mut memory, &mut sums.observations);
            }
        }
        Ok(sums)
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
                let solve = |&index: &SampleIndex| self.solve(index.0, self.draw(stream, index));
                indices.par_iter().map(solve).collect()
            }
            Goals::Given(list) => {
                let n_rewards = self.problem.program.stage().law.n_rewards();
                let mut each = list.iter().enumerate();
                each.try_for_each(|(i, rewards)| check_given(i, rewards, n_rewards))?;
                let numbered = list.par_iter().enumerate();
                let solve =
                    |(i, rewards): (usize, &Vec<f64>)| self.solve(i as u64, rewards.clone());
                numbered.map(solve).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;

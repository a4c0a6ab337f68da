//! A cell whose agent follows a decision rule, ready to solve goals.

use std::fmt::Debug;

use rayon::prelude::*;

use super::plans::Plans;
use super::steps::Steps;
use super::{DecisionRule, Level};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal, check_given};
use crate::statistics::behaviour::{Acting, GoalValues, Memory};
use crate::statistics::{Block, BlockSums, TILE};
use crate::units::{SampleIndex, StateId};

/// What an agent does with one goal, and what that is worth.
#[derive(Clone, Debug)]
pub(super) struct Acted {
    /// The POWER integrand of the rule's agent, `(1 - gamma)/gamma (V - R)`, `[n_states]`.
    pub(super) integrand: Vec<f64>,
    /// Half-width of the interval around every integrand.
    pub(super) half_width: f64,
    /// What it does.
    pub(super) acting: Acting,
    /// Sweeps of the evaluation.
    pub(super) rounds: u32,
}

/// How a rule is followed.
pub(super) trait Method: Debug + Send + Sync {
    /// What the manifest says.
    fn description(&self) -> &'static str;

    /// Follows it for one goal, `[n_states]`.
    fn act(&self, rewards: &[f64]) -> Acted;
}

/// One cell under a rule.
#[derive(Debug)]
pub(in crate::solve) struct RuleSolver {
    problem: CellProblem,
    method: Box<dyn Method>,
}

impl RuleSolver {
    /// # Errors
    ///
    /// [`SolveError::Unsupported`] for rewards of choices, goal programs of several stages and limits of the discount;
    /// [`SolveError::NoPlans`].
    pub(in crate::solve) fn new(
        rule: DecisionRule,
        problem: CellProblem,
    ) -> Result<Self, SolveError> {
        let name = "decision rule";
        problem.refuse_limit(name)?;
        let stage = problem.program.plain_on_states();
        let stage = stage.map_err(|error| SolveError::Unsupported {
            backend: name,
            feature: error.to_string(),
        })?;
        let scale = stage.law.facts().scale;
        let (mdp, discount) = (&stage.mdp, problem.discount);
        let method: Box<dyn Method> = match rule.level {
            Level::Action => Box::new(Steps::new(mdp, discount, rule.rule, scale)),
            Level::Plan => Box::new(Plans::new(mdp, discount, rule.rule, scale)?),
        };
        Ok(Self { problem, method })
    }

    fn draw(&self, stream: Stream, index: SampleIndex) -> Vec<f64> {
        let law = &self.problem.program.stage().law;
        let rewards = law.draw(self.problem.seed, stream, index);
        rewards.into_iter().map(f64::from).collect()
    }

    /// Sums the goals `first..end`, one after the other.
    fn sum_goals(&self, first: u64, end: u64) -> BlockSums {
        let stage = self.problem.program.stage();
        let (shift, discount) = (self.problem.power_scale().shift, self.problem.discount);
        let mut sums = BlockSums::new(stage.mdp.n_states());
        let observer = self.problem.observer();
        let mut memory = Memory::default();
        if let Some(observer) = &observer {
            sums.observations = observer.observations((end - first) as usize);
        }
        for goal in first..end {
            let rewards = self.draw(Stream::Reward, SampleIndex(goal));
            let acted = self.method.act(&rewards);
            for (state, x) in acted.integrand.iter().enumerate() {
                let centred = x - shift;
                sums.power[state] += centred;
                sums.power_squared[state] += centred * centred;
            }
            sums.note_goal(goal, acted.half_width, self.problem.tolerance, acted.rounds);
            if let Some(observer) = &observer {
                let each = rewards.iter().zip(&acted.integrand);
                let worths: Vec<f64> = each
                    .map(|(r, x)| discount.complement() * r + discount.used() * x)
                    .collect();
                let reward = |state: StateId| rewards[state.index()];
                let half_width = discount.used() * acted.half_width;
                let values = GoalValues::new(&worths, half_width, &reward);
                let values = values.with_acting(&acted.acting);
                observer.observe(values, &mut memory, &mut sums.observations);
            }
        }
        sums
    }

    fn solve(&self, rewards: Vec<f64>) -> SolvedGoal {
        let acted = self.method.act(&rewards);
        SolvedGoal {
            domain: RewardDomain::State,
            rewards,
            converged: acted.half_width <= self.problem.tolerance,
            integrand: acted.integrand,
            half_width: acted.half_width,
            sweeps: acted.rounds,
            settled: None,
        }
    }
}

impl CellSolver for RuleSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn description(&self) -> Option<String> {
        Some(self.method.description().to_owned())
    }

    /// Chunks of [`TILE`] goals are summed on their own and appended in order: the sums do not depend on threads.
    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let end = block.first + block.len;
        let firsts: Vec<u64> = (block.first..end).step_by(TILE).collect();
        let sum = |&first: &u64| self.sum_goals(first, end.min(first + TILE as u64));
        let chunks: Vec<BlockSums> = match parallel {
            true => firsts.par_iter().map(sum).collect(),
            false => firsts.iter().map(sum).collect(),
        };
        let mut sums = BlockSums::new(self.problem.program.stage().mdp.n_states());
        chunks.iter().for_each(|chunk| sums.append(chunk));
        Ok(sums)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled { stream, indices } => {
                let solve = |&index: &SampleIndex| self.solve(self.draw(stream, index));
                Ok(indices.par_iter().map(solve).collect())
            }
            Goals::Given(list) => {
                let n_states = self.problem.program.stage().mdp.n_states();
                for (goal, rewards) in list.iter().enumerate() {
                    check_given(goal, rewards, n_states)?;
                }
                Ok(list.par_iter().map(|r| self.solve(r.clone())).collect())
            }
        }
    }
}

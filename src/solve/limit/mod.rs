//! Cells at a limit of the discount: what optimal agents do at all discounts near enough to 0 or to 1.
//!
//! Near a limit the value of a policy is a series, in gamma near 0 and in `(1 - gamma)/gamma` near 1, and values compare term by term. At
//! ->0 the terms are the expected rewards of the steps to come; at ->1 they are gain, bias and so on (the Laurent series of Miller and
//! Veinott; Puterman 1994, sections 8.2 and 10.1). A choice is optimal when no other is better at the first term in which they differ.
//! The POWER integrand is the first term: the largest expected next reward, and the optimal gain.
//!
//! `zero` goes through the terms at ->0. `graph` does policy iteration at ->1 in exact integers where every choice has one successor,
//! with `sequence` to compare two futures. `chains` does it in f64 where moves are uncertain, with the structure found once by
//! `components`. The backends are not used, and no discount close to the limit is.

mod chains;
mod components;
mod graph;
mod sequence;
mod zero;

use std::fmt::Debug;

use chains::Chains;
use graph::Graph;
use zero::{CertainSteps, UncertainSteps};

use super::one_by_one::{self, Chunk};
use super::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::statistics::behaviour::{GoalValues, Settled};
use crate::statistics::{Block, BlockSums};
use crate::units::{Limit, SampleIndex, StateId};

/// What a method finds out about one goal.
#[derive(Clone, Debug)]
struct Outcome {
    /// The POWER integrand, `[n_states]`.
    integrand: Vec<f64>,
    /// Half-width of the interval around every integrand.
    half_width: f64,
    /// Where the choices stand.
    settled: Settled,
    /// Policies looked at, or terms of the series.
    rounds: u32,
}

/// How goals are solved at a limit.
trait Method: Debug + Send + Sync {
    /// What the manifest says.
    fn description(&self) -> &'static str;

    /// Solves one goal, `[n_states]`. `None` where a linear system is singular to working precision.
    fn solve(&self, rewards: &[f64]) -> Option<Outcome>;
}

/// One cell at a limit.
#[derive(Debug)]
pub(super) struct LimitSolver {
    problem: CellProblem,
    method: Box<dyn Method>,
}

impl LimitSolver {
    /// Finds the method that the MDP's structure allows.
    ///
    /// # Errors
    ///
    /// [`SolveError::Unsupported`] for goal programs of several stages, [`SolveError::TooLarge`].
    pub(super) fn new(limit: Limit, problem: CellProblem) -> Result<Self, SolveError> {
        let stage = problem.program.plain_on_states();
        let stage = stage.map_err(|error| SolveError::Unsupported {
            backend: "limit",
            feature: error.to_string(),
        })?;
        let mdp = &stage.mdp;
        let method: Box<dyn Method> = match (limit, mdp.is_deterministic()) {
            (Limit::Zero, true) => Box::new(CertainSteps::new(mdp)),
            (Limit::Zero, false) => Box::new(UncertainSteps::new(mdp)),
            (Limit::One, true) => Box::new(Graph::new(mdp)),
            (Limit::One, false) => Box::new(Chains::new(mdp)?),
        };
        Ok(Self { problem, method })
    }

    fn solve(&self, goal: u64, rewards: Vec<f64>) -> Result<SolvedGoal, SolveError> {
        let outcome = self.method.solve(&rewards);
        let outcome = outcome.ok_or(SolveError::Singular { goal })?;
        Ok(SolvedGoal {
            domain: RewardDomain::State,
            rewards,
            integrand: outcome.integrand,
            half_width: outcome.half_width,
            converged: outcome.half_width <= self.problem.tolerance,
            sweeps: outcome.rounds,
            settled: Some(outcome.settled),
            linked: None,
        })
    }

    /// Adds a goal to its chunk.
    fn add(&self, goal: u64, chunk: &mut Chunk<'_>) -> Result<(), SolveError> {
        let rewards = self.problem.draw(Stream::Reward, SampleIndex(goal));
        let solved = self.solve(goal, rewards)?;
        chunk.add(goal, &solved.integrand, solved.half_width, solved.sweeps);
        if chunk.is_observed() {
            let worths = solved.worths(self.problem.discount);
            let half_width = self.problem.discount.used() * solved.half_width;
            let reward = |state: StateId| solved.rewards[state.index()];
            let values = GoalValues::new(&worths, half_width, &reward);
            chunk.observe(values.with_settled(solved.settled.as_ref()));
        }
        Ok(())
    }
}

impl CellSolver for LimitSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn description(&self) -> Option<String> {
        Some(self.method.description().to_owned())
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let add = |goal, chunk: &mut Chunk<'_>| self.add(goal, chunk);
        one_by_one::solve_block(&self.problem, block, parallel, add)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        let sampled = |stream, index: SampleIndex| {
            let rewards = self.problem.draw(stream, index);
            self.solve(index.0, rewards)
        };
        let given = |goal, rewards| self.solve(goal, rewards);
        one_by_one::solve_goals(&self.problem, goals, sampled, given)
    }
}

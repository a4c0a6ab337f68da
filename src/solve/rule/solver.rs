//! A cell whose agent follows a decision rule, ready to solve goals.

use std::fmt::Debug;

use super::given::Given;
use super::plans::Plans;
use super::steps::Steps;
use super::{DecisionRule, Level, Rule};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::one_by_one::{self, Chunk};
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::behaviour::{Acting, GoalValues};
use crate::statistics::{Block, BlockSums};
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
        let method: Box<dyn Method> = match (rule.level, rule.rule) {
            (_, Rule::Given(policy)) => {
                let beside_optimum = problem.asked.looks_at_optimum();
                let given = Given::new(mdp, discount, &policy, beside_optimum);
                Box::new(given.map_err(|problems| SolveError::NoPlans {
                    problem: problems.join("; "),
                })?)
            }
            (Level::Action, rule) => Box::new(Steps::new(mdp, discount, rule, scale)),
            (Level::Plan, rule) => Box::new(Plans::new(mdp, discount, rule, scale)?),
        };
        Ok(Self { problem, method })
    }

    /// Adds a goal to its chunk.
    fn add(&self, goal: u64, chunk: &mut Chunk<'_>) {
        let rewards = self.problem.draw(Stream::Reward, SampleIndex(goal));
        let (solved, acting) = self.solve(rewards);
        chunk.add(goal, &solved.integrand, solved.half_width, solved.sweeps);
        if chunk.is_observed() {
            let worths = solved.worths(self.problem.discount);
            let half_width = self.problem.discount.used() * solved.half_width;
            let reward = |state: StateId| solved.rewards[state.index()];
            let values = GoalValues::new(&worths, half_width, &reward);
            chunk.observe(values.with_acting(&acting));
        }
    }

    fn solve(&self, rewards: Vec<f64>) -> (SolvedGoal, Acting) {
        let acted = self.method.act(&rewards);
        let solved = SolvedGoal {
            domain: RewardDomain::State,
            rewards,
            converged: acted.half_width <= self.problem.tolerance,
            integrand: acted.integrand,
            half_width: acted.half_width,
            sweeps: acted.rounds,
            settled: None,
            linked: None,
        };
        (solved, acted.acting)
    }
}

impl CellSolver for RuleSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn description(&self) -> Option<String> {
        Some(self.method.description().to_owned())
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let add = |goal, chunk: &mut Chunk<'_>| {
            self.add(goal, chunk);
            Ok(())
        };
        one_by_one::solve_block(&self.problem, block, parallel, add)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        let sampled = |stream, index| Ok(self.solve(self.problem.draw(stream, index)).0);
        let given = |_, rewards| Ok(self.solve(rewards).0);
        one_by_one::solve_goals(&self.problem, goals, sampled, given)
    }
}

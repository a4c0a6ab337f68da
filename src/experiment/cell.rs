//! One cell at work: its solver, its sums so far, and its failure if there is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::results::{CellError, CellFailure, CellStatistics};
use super::run_spec::VariantMdp;
use super::{CellProgress, RunError, RunSpec};
use crate::mdp::Mdp;
use crate::plan::Plan;
use crate::reward::{Facts, RewardDistribution, RewardDomain, RewardError};
use crate::solve::{Backend, CellSolver, PilotReport, SolveError, prepare};
use crate::statistics::behaviour::LawScale;
use crate::statistics::{
    Asked, Block, CellSums, Estimate, ObservedSums, Quantity, Sampling, Table,
};
use crate::units::Discount;

/// The decision rule of an optimal agent.
const OPTIMAL: &str = "optimal";

/// One cell of the environment at work. Shared by all threads.
pub(super) struct Cell {
    variant: String,
    mdp: Arc<Mdp>,
    reward: Arc<RewardDistribution>,
    reading: Reading,
    goals: u64,
    discount: Discount,
    plan: Arc<Plan>,
    pilot: Option<PilotReport>,
    asked: Arc<Asked>,
    /// The means that are taken of the observations.
    quantities: Vec<Quantity>,
    /// `None` when the backend refused the cell; the reason is in `state`.
    solver: Option<Box<dyn CellSolver>>,
    state: Mutex<State>,
}

/// How sums become estimates.
#[derive(Clone, Copy)]
struct Reading {
    facts: Facts,
    level: f64,
}

impl Reading {
    /// The POWER of a state, with what is known of the law: an interval where there is one, and the law's own error.
    fn power(self, sums: &CellSums, state: usize) -> Estimate {
        let sampling = match self.all_goals(sums.goals) {
            true => Sampling::Exhaustive,
            false if self.facts.finite_variance => Sampling::Independent,
            false => Sampling::HeavyTailed,
        };
        let estimate = sums.power(state, self.level);
        let error = self
            .facts
            .error_of_power(estimate.estimate + estimate.bound);
        estimate.of_sampling(sampling).widened(error)
    }

    /// Whether these are all goals there are.
    fn all_goals(self, goals: u64) -> bool {
        self.facts.enumerated == Some(goals)
    }

    /// What was asked beyond POWER.
    fn tables(self, asked: &Asked, mdp: &Mdp, observed: &ObservedSums) -> Vec<Table> {
        let tables = asked.tables(mdp, observed, self.level);
        match self.all_goals(observed.goals) {
            true => {
                let exact = |e: Estimate| e.of_sampling(Sampling::Exhaustive);
                tables.into_iter().map(|t| t.map_estimates(exact)).collect()
            }
            false => tables,
        }
    }
}

/// Goals of a cell of which `samples` were asked for.
fn goals(facts: &Facts, samples: u64) -> u64 {
    match (facts.enumerated, facts.available) {
        (Some(all), _) => all,
        (None, Some(available)) => samples.min(available),
        (None, None) => samples,
    }
}

struct State {
    sums: CellSums,
    observed: ObservedSums,
    /// The failure of the lowest block so far, so that the message does not depend on who came first.
    failure: Option<(u64, CellError)>,
}

impl Cell {
    /// Draws the plan and prepares the backend.
    pub(super) fn prepare(
        backend: &dyn Backend,
        spec: &RunSpec,
        variant: &VariantMdp,
        reward: &Arc<RewardDistribution>,
        discount: Discount,
    ) -> Result<Self, RewardError> {
        let mut problem = spec.problem(&variant.mdp, reward, discount)?;
        let facts = *problem.program.stage().law.facts();
        let mdp = problem.program.stage().mdp.clone();
        // Names that the MDP does not have were refused before the first cell was prepared.
        let law = LawScale::of(&facts);
        let request = spec.statistics_of(&mdp);
        let asked = Arc::new(request.resolve(&mdp, law).unwrap_or_default());
        problem.asked = asked.clone();
        let pilot = spec.schedule(backend, &mut problem);
        let plan = problem.plan.clone();
        let sums = CellSums::new(mdp.n_states(), problem.power_scale());
        let choice_rewards = problem.program.stage().law.domain() == RewardDomain::Choice;
        let (pilot, prepared) = match pilot {
            Ok(_) if choice_rewards && !asked.is_empty() => {
                let feature = "statistics beyond POWER where choices have rewards".to_owned();
                let backend = backend.name();
                (None, Err(SolveError::Unsupported { backend, feature }))
            }
            Ok(pilot) => (pilot, prepare(backend, problem)),
            Err(error) => (None, Err(error)),
        };
        let (solver, failure) = match prepared {
            Ok(solver) => (Some(solver), None),
            Err(error) => (None, Some((0, error.into()))),
        };
        let quantities = asked.quantities();
        let observed = ObservedSums::new(quantities.len());
        Ok(Self {
            variant: variant.variant.clone(),
            mdp,
            reward: reward.clone(),
            goals: goals(&facts, spec.samples),
            reading: Reading {
                facts,
                level: spec.level,
            },
            discount,
            plan,
            pilot,
            asked,
            quantities,
            solver,
            state: Mutex::new(State {
                sums,
                observed,
                failure,
            }),
        })
    }

    /// Goals of this cell: all there are where they are enumerated, else as many as were asked for and are there.
    pub(super) fn goals(&self) -> u64 {
        self.goals
    }

    /// Why the cell should not be started, where its backend knows that it cannot reach the tolerance.
    pub(super) fn refusal(&self) -> Option<RunError> {
        match &self.state().failure {
            Some((
                _,
                CellError::Solve(
                    error @ (SolveError::OutOfReach { .. } | SolveError::TooLarge { .. }),
                ),
            )) => Some(RunError::Refused {
                environment: self.mdp.name().to_owned(),
                variant: self.variant.clone(),
                reward: self.reward.name().to_owned(),
                discount: self.discount,
                error: Box::new(error.clone()),
            }),
            _ => None,
        }
    }

    /// Solves a block and adds its sums. A failure is kept, and later blocks of the cell are left out.
    pub(super) fn solve(&self, block: Block, parallel: bool) {
        let Some(solver) = &self.solver else { return };
        let Some(block) = block.below(self.goals) else {
            return;
        };
        if self.state().failure.is_some() {
            return;
        }
        let outcome = self.sum(&**solver, block, parallel);
        let mut state = self.state();
        let failure = match outcome {
            Ok((sums, observed)) => {
                let merged = state.sums.merge(&sums);
                let merged = merged.and_then(|()| state.observed.merge(&observed));
                merged.err().map(|source| CellError::Sum {
                    block: block.index,
                    source,
                })
            }
            Err(error) => Some(error),
        };
        let Some(failure) = failure else { return };
        if state.failure.as_ref().is_none_or(|(b, _)| block.index < *b) {
            state.failure = Some((block.index, failure));
        }
    }

    /// One block's sums as integers: rounded outside the lock, which then only guards additions.
    fn sum(
        &self,
        solver: &dyn CellSolver,
        block: Block,
        parallel: bool,
    ) -> Result<(CellSums, ObservedSums), CellError> {
        let sums = solver.solve_block(block, parallel)?;
        let n_states = self.mdp.n_states();
        let states = sums.power.len().min(sums.power_squared.len());
        let observations = &sums.observations;
        if !self.asked.is_empty() && observations.goals() as u64 != block.len {
            return Err(CellError::Unobserved {
                block: block.index,
                expected_goals: block.len,
                goals: observations.goals(),
            });
        }
        if sums.finished != block.len || states != n_states {
            return Err(CellError::Unfinished {
                block: block.index,
                expected_goals: block.len,
                goals: sums.finished,
                expected_states: n_states,
                states,
            });
        }
        let mut rounded = CellSums::new(n_states, solver.problem().power_scale());
        let observed = rounded
            .add_block(&sums)
            .and_then(|()| ObservedSums::of(observations, &self.quantities));
        match observed {
            Ok(observed) => Ok((rounded, observed)),
            Err(source) => Err(CellError::Sum {
                block: block.index,
                source,
            }),
        }
    }

    /// The lock. A thread that panicked while it held it ends the run anyway; sums are never half-added before that.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the cell is.
    pub(super) fn progress(&self) -> CellProgress<'_> {
        let state = self.state();
        let widths = (0..state.sums.power.len()).map(|s| {
            let estimate = self.reading.power(&state.sums, s);
            estimate.ci_high - estimate.ci_low
        });
        CellProgress {
            variant: &self.variant,
            reward: self.reward.name(),
            discount: self.discount,
            goals: state.sums.goals,
            widest: (state.sums.goals >= 2).then(|| widths.fold(0.0, f64::max)),
        }
    }

    /// The cell's result once all blocks are in.
    pub(super) fn finish(self) -> Result<CellStatistics, Box<CellFailure>> {
        let state = self.state.into_inner();
        let State {
            sums,
            observed,
            failure,
        } = state.unwrap_or_else(PoisonError::into_inner);
        let environment = self.mdp.name().to_owned();
        let reward = self.reward.name().to_owned();
        if let Some((_, error)) = failure {
            return Err(Box::new(CellFailure {
                environment,
                variant: self.variant,
                reward,
                discount: self.discount,
                rule: OPTIMAL.to_owned(),
                error,
            }));
        }
        let power: Vec<Estimate> = (0..sums.power.len())
            .map(|s| self.reading.power(&sums, s))
            .collect();
        Ok(CellStatistics {
            environment,
            variant: self.variant,
            reward,
            discount: self.discount,
            discount_used: self.discount.used_number(),
            rule: OPTIMAL.to_owned(),
            domain: self.reward.domain(),
            solver: self.solver.and_then(|solver| solver.description()),
            power,
            tables: self.reading.tables(&self.asked, &self.mdp, &observed),
            mdp: self.mdp,
            plan: self.plan,
            pilot: self.pilot,
            samples: sums.goals,
            unconverged: sums.unconverged,
            sweeps_mean: sums.sweeps as f64 / sums.goals as f64,
            sweeps_max: sums.sweeps_max,
            unconverged_goals: sums.unconverged_goals,
        })
    }
}

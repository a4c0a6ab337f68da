//! One cell at work: its solver, its sums so far, and its failure if there is one.

mod reading;
mod wanted;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reading::Reading;
pub(super) use wanted::WantedCell;
use wanted::{contrast, goals, key};

use super::checkpoint::{CellRecord, Sums};
use super::goals::CellGoals;
use super::results::{CellError, CellFailure, CellStatistics};
use super::{CellProgress, RunError, RunSpec};
use crate::mdp::Mdp;
use crate::plan::Plan;
use crate::reward::{Chain, RewardDistribution, RewardDomain};
use crate::solve::{Backend, CellSolver, DecisionRule, PilotReport, SolveError, prepare};
use crate::statistics::behaviour::{Drives, Integrands, LawScale, Readings, World};
use crate::statistics::{
    Asked, Block, CellSums, Conditioned, Contrast, Estimate, Measure, Observations, ObservedSums,
    Quantity, Sampling, Table, walk_table,
};
use crate::units::Discount;

/// One cell of the environment at work. Shared by all threads.
pub(super) struct Cell {
    variant: String,
    /// Whether its goals are solved in linked stages.
    is_linked: bool,
    mdp: Arc<Mdp>,
    reward: Arc<RewardDistribution>,
    reading: Reading,
    goals: u64,
    discount: Discount,
    rule: DecisionRule,
    plan: Arc<Plan>,
    pilot: Option<PilotReport>,
    asked: Arc<Asked>,
    /// Where its goals come of walks: what the first ones showed.
    walks: Option<Chain>,
    /// Steps of the empowerment, where structure is told beside behaviour.
    structure: Option<u32>,
    /// What it has in common with its baseline; nothing where it has none.
    contrast: Contrast,
    /// The means that are taken of the observations, differences from the baseline last.
    quantities: Vec<Quantity>,
    /// Which goals belong, where not all do: then the means are over those.
    condition: Option<Conditioned>,
    /// `None` when the backend refused the cell; the reason is in `state`.
    solver: Option<Box<dyn CellSolver>>,
    state: Mutex<State>,
}

impl Cell {
    /// What was asked beyond POWER, and how far all that is from the baseline; from sums over all of `goals` goals or those that belong.
    fn tables(&self, observed: &ObservedSums, goals: u64, accepted: Option<Table>) -> Vec<Table> {
        let level = self.reading.level;
        let mut tables: Vec<Table> = accepted.into_iter().collect();
        tables.extend(self.asked.tables(&self.mdp, observed, level));
        if self.contrast.has_pairs() {
            let first = self.asked.quantities().len();
            let power = |e| self.reading.difference(e);
            tables.push(self.contrast.table(observed, first, level, &power));
        }
        tables.extend(self.walks.as_ref().map(|walks| walk_table(walks, goals)));
        let shared = self.reading.facts.shared;
        let spread = |table: Table| table.map_estimates(|e| e.of_shared(shared));
        let mut tables: Vec<Table> = tables.into_iter().map(spread).collect();
        tables.iter_mut().for_each(|table| self.guard(table));
        // A policy from outside does the same whatever the goal: there is nothing to estimate of what it does.
        let all_goals = self.reading.all_goals(goals);
        let is_known = |table: &Table| {
            all_goals
                || self.rule.is_given() && ["choices", "events", "occupancy"].contains(&table.name)
        };
        let exact = |table: Table| match is_known(&table) {
            true => table.map_estimates(|e| e.of_sampling(Sampling::Exhaustive)),
            false => table,
        };
        tables.into_iter().map(exact).collect()
    }

    /// [`Reading::guarded`], for the tables that a run may stop by: shares, and differences of shares and of POWER. The time of an event has no upper end.
    fn guard(&self, table: &mut Table) {
        let facts = &self.reading.facts;
        let reach = match table.name {
            "optimality" | "choices" | "events" => 1.0,
            "differences" => 2.0 * (facts.high - facts.low).max(1.0),
            _ => return,
        };
        for row in &mut table.rows {
            for (name, measure) in table.measures.iter().zip(&mut row.measures) {
                if let Measure::Estimate(estimate) = measure
                    && *name != "time"
                {
                    *estimate = self.reading.guarded(*estimate, reach);
                }
            }
        }
    }
}

struct State {
    record: CellRecord,
    /// The failure of the lowest block so far, so that the message does not depend on who came first.
    failure: Option<(u64, CellError)>,
}

impl Cell {
    /// Draws the plan and prepares the backend. What was done before goes on from where it stands. A variant is compared with its
    /// `baseline`, if there is one.
    pub(super) fn prepare(
        backend: &dyn Backend,
        spec: &RunSpec,
        wanted: WantedCell<'_>,
        block_size: u64,
        before: Option<&CellRecord>,
    ) -> Result<Self, RunError> {
        let WantedCell {
            variant,
            reward,
            discount,
            ref rule,
            ..
        } = wanted;
        let mut problem = spec.problem_of(variant, reward, discount)?;
        let facts = *problem.program.stage().law.facts();
        let mdp = problem.program.stage().mdp.clone();
        // Names that the MDP does not have were refused before the first cell was prepared.
        let domain = problem.program.stage().domain;
        let rule = rule.on(wanted.environment, &mdp).map_err(RunError::Rules)?;
        let of = wanted.observing(spec, &facts, domain);
        let asked = spec.observed_of(&mdp, of, wanted.baseline.is_none());
        let asked = match problem.program.stage().leader() {
            // A policy that is followed need not be optimal, and which choices would be is not asked.
            Some(_) => asked
                .unwrap_or_default()
                .without("optimality")
                .without("indifference")
                .without("chosen"),
            None => asked.unwrap_or_default(),
        };
        let drives = Drives::find(
            &spec.statistics.drives,
            &World {
                mdp: &mdp,
                discount,
                law: LawScale::of(&facts),
                program: &problem.program,
                is_optimal: rule.is_optimal() && problem.program.stage().leader().is_none(),
                knows_optimum: (rule.is_optimal() || rule.is_given())
                    && problem.program.stage().leader().is_none(),
            },
        );
        let asked = asked.with(drives);
        let beyond_power = !asked.is_empty();
        let asked = Arc::new(asked.with(Readings::of(&problem.program, facts.scale)));
        problem.asked = asked.clone();
        problem.rule = rule.clone();
        let goals = goals(&facts, spec.samples);
        let walks = spec.compatible(wanted.environment, reward, discount);
        let walks = walks.and_then(|found| Some(*found.ok()?.chain()));
        let cell = || {
            let names = [mdp.name(), &variant.variant, reward.name()];
            format!("{}, discount {discount}", names.join(", "))
        };
        if let Some(there) = before.map(CellRecord::end).filter(|there| *there > goals) {
            let (cell, here) = (cell(), goals);
            return Err(RunError::Behind { cell, there, here });
        }
        let pilot = spec.schedule(backend, &mut problem);
        let plan = problem.plan.clone();
        let contrast = contrast(spec, &wanted, goals, &asked.comparables(&mdp))?;
        let mut quantities = asked.quantities();
        quantities.extend(contrast.quantities(asked.n_columns()));
        let condition = asked.condition();
        let condition = condition.or_else(|| contrast.condition(asked.n_columns()));
        let n_sums = condition
            .as_ref()
            .map_or(quantities.len(), |c| c.n_sums(quantities.len()));
        let empty = Sums {
            power: CellSums::new(mdp.n_states(), problem.power_scale()),
            observed: ObservedSums::new(n_sums),
        };
        let key = key(&problem, goals, &quantities, condition.as_ref(), block_size);
        let mut record = CellRecord::new(key, block_size, empty);
        if let Some(before) = before {
            let foreign = |difference: String| RunError::Foreign {
                cell: cell(),
                difference,
            };
            record.merge(before).map_err(|e| foreign(e.to_string()))?;
            // What failed is tried again.
            record.failure = None;
        }
        let (pilot, prepared) = match pilot {
            Ok(_) if domain == RewardDomain::Choice && beyond_power => {
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
        Ok(Self {
            variant: variant.variant.clone(),
            is_linked: variant.linked.is_some(),
            mdp,
            reward: reward.clone(),
            goals,
            reading: Reading {
                facts,
                level: spec.intervals.level(spec.level),
                intervals: spec.intervals,
            },
            discount,
            rule,
            plan,
            pilot,
            asked,
            walks,
            structure: spec.structure,
            contrast,
            quantities,
            condition,
            solver,
            state: Mutex::new(State { record, failure }),
        })
    }

    /// The cell with the failure that was recorded, where there was one.
    pub(super) fn with_failure_of(mut self, before: Option<&CellRecord>) -> Self {
        let recorded = before.and_then(|record| record.failure.clone());
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((block, message)) = recorded {
            state.failure = Some((block, CellError::Recorded(message)));
        }
        self
    }

    /// Goals of this cell: all there are where they are enumerated, else as many as were asked for and are there.
    pub(super) fn goals(&self) -> u64 {
        self.goals
    }

    /// Why the cell should not be started, where its backend knows that it cannot reach the tolerance.
    pub(super) fn refusal(&self) -> Option<RunError> {
        let state = self.state();
        let Some((_, CellError::Solve(error))) = &state.failure else {
            return None;
        };
        let refused = match error {
            SolveError::OutOfReach { .. }
            | SolveError::TooLarge { .. }
            | SolveError::NoPlans { .. } => true,
            // Linked solves are not for every backend, and not for limits of the discount.
            SolveError::Unsupported { .. } => self.is_linked,
            _ => false,
        };
        refused.then(|| RunError::Refused {
            environment: self.mdp.name().to_owned(),
            variant: self.variant.clone(),
            reward: self.reward.name().to_owned(),
            discount: self.discount,
            error: Box::new(error.clone()),
        })
    }

    /// The blocks of a range that are still to be solved.
    pub(super) fn missing(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let state = self.state();
        match state.failure {
            Some(_) => Vec::new(),
            None => state.record.missing(self.goals, range),
        }
    }

    /// Whether all of its goals are done, or it has failed.
    pub(super) fn is_finished(&self) -> bool {
        self.missing(0..u64::MAX).is_empty()
    }

    /// Goals of these blocks.
    pub(super) fn goals_in(&self, blocks: &[Range<u64>]) -> u64 {
        let size = self.state().record.block_size;
        let end = |block: u64| block.saturating_mul(size).min(self.goals);
        blocks.iter().map(|r| end(r.end) - end(r.start)).sum()
    }

    /// Goals that are done.
    pub(super) fn done(&self) -> u64 {
        self.state().record.goals()
    }

    /// What is done, with the failure if there is one.
    pub(super) fn record(&self) -> CellRecord {
        let state = self.state();
        let failure = state.failure.as_ref();
        CellRecord {
            failure: failure.map(|(block, error)| (*block, error.to_string())),
            ..state.record.clone()
        }
    }

    /// POWER of every state over the goals that belong, of so many.
    fn power_of_accepted(&self, sums: &ObservedSums, goals: u64) -> Vec<Estimate> {
        let first = self.asked.first_quantity("power").unwrap_or(0);
        let quantities = &self.quantities[first..=first + self.mdp.n_states()];
        let power = Integrands::power(quantities, sums, first, self.reading.level);
        let each = power.into_iter().map(|e| self.reading.of_law(e, goals));
        each.collect()
    }

    /// Whether it needs what was observed in its baseline.
    pub(super) fn is_compared(&self) -> bool {
        !self.contrast.is_empty()
    }

    /// Whether a block is still to be solved.
    pub(super) fn needs(&self, block: Block) -> bool {
        let state = self.state();
        let own = block.below(self.goals);
        state.failure.is_none() && own.is_some_and(|block| state.record.needs(block))
    }

    /// Solves a block, unless that is done, and adds its sums; returns the number of goals and what was observed of them. A failure is
    /// kept, and later blocks of the cell are left out. `beside` is what was observed of the block in the baseline, for a cell that is
    /// compared with it.
    pub(super) fn solve(
        &self,
        block: Block,
        parallel: bool,
        beside: Option<&Observations>,
    ) -> (u64, Option<Observations>) {
        let (Some(solver), Some(own)) = (&self.solver, block.below(self.goals)) else {
            return (0, None);
        };
        if !self.needs(block) {
            return (0, None);
        }
        let block = own;
        let outcome = self.sum(&**solver, block, parallel, beside);
        let mut state = self.state();
        let added = outcome.and_then(|(sums, observations)| {
            let added = state.record.add(block, sums);
            added.map_err(|source| CellError::Sum {
                block: block.index,
                source,
            })?;
            Ok(observations)
        });
        match added {
            Ok(observations) => (block.len, Some(observations)),
            Err(error) => {
                if state.failure.as_ref().is_none_or(|(b, _)| block.index < *b) {
                    state.failure = Some((block.index, error));
                }
                (0, None)
            }
        }
    }

    /// What is observed of a block that was done before, for cells that are compared with this one.
    pub(super) fn observe(&self, block: Block, parallel: bool) -> Option<Observations> {
        let block = block.below(self.goals)?;
        let sums = self.solver.as_ref()?.solve_block(block, parallel).ok()?;
        let observations = sums.observations;
        (observations.goals() as u64 == block.len).then_some(observations)
    }

    /// What a table of goals shows of the first `count` goals.
    pub(super) fn goals_of(&self, count: u64) -> Result<CellGoals, CellError> {
        let state = self.state();
        if let Some((_, error)) = &state.failure {
            return Err(error.clone());
        }
        let block_size = state.record.block_size;
        drop(state);
        let solver = self
            .solver
            .as_ref()
            .expect("a cell without a solver has failed");
        let mut observations = Observations::new(self.asked.n_columns(), 0);
        let goals = count.min(self.goals);
        for index in 0..goals.div_ceil(block_size) {
            let first = index * block_size;
            let block = Block {
                index,
                first,
                len: block_size.min(goals - first),
            };
            let sums = solver.solve_block(block, true)?;
            if sums.observations.goals() as u64 != block.len {
                return Err(CellError::Unobserved {
                    block: block.index,
                    expected_goals: block.len,
                    goals: sums.observations.goals(),
                });
            }
            observations.append(&sums.observations);
        }
        Ok(CellGoals {
            environment: self.mdp.name().to_owned(),
            variant: self.variant.clone(),
            reward: self.reward.name().to_owned(),
            discount: self.discount.asked(),
            rule: self.rule.to_string(),
            mdp: self.mdp.clone(),
            chosen: self.asked.chosen(),
            names: self.asked.per_goal(&self.mdp),
            observations,
        })
    }

    /// One block's sums as integers: rounded outside the lock, which then only guards additions.
    fn sum(
        &self,
        solver: &dyn CellSolver,
        block: Block,
        parallel: bool,
        beside: Option<&Observations>,
    ) -> Result<(Sums, Observations), CellError> {
        let mut sums = solver.solve_block(block, parallel)?;
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
        if self.is_compared() {
            let beside = beside.ok_or(CellError::NoBaseline { block: block.index })?;
            sums.observations = self.contrast.append(&sums.observations, beside);
        }
        let mut rounded = CellSums::new(n_states, solver.problem().power_scale());
        let observed = rounded.add_block(&sums).and_then(|()| {
            let observations = &sums.observations;
            match &self.condition {
                None => ObservedSums::of(observations, &self.quantities),
                Some(condition) => condition.sum(observations, &self.quantities),
            }
        });
        match observed {
            Ok(observed) => {
                let power = rounded;
                Ok((Sums { power, observed }, sums.observations))
            }
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
        let goals = state.record.goals();
        // A block that is cut short does not matter to a glance.
        let sums = &state.record.sums.power;
        let widths = (0..sums.power.len()).map(|s| {
            let estimate = self.reading.power(sums, s);
            estimate.ci_high - estimate.ci_low
        });
        CellProgress {
            variant: &self.variant,
            reward: self.reward.name(),
            discount: self.discount,
            goals,
            widest: (sums.goals >= 2).then(|| widths.fold(0.0, f64::max)),
        }
    }

    /// The cell's result from all goals that are done; `None` before the first one.
    pub(super) fn result(&self) -> Option<Result<CellStatistics, Box<CellFailure>>> {
        let state = self.state();
        let environment = self.mdp.name().to_owned();
        let reward = self.reward.name().to_owned();
        let failed = |error| CellFailure {
            environment: environment.clone(),
            variant: self.variant.clone(),
            reward: reward.clone(),
            discount: self.discount,
            rule: self.rule.to_string(),
            error,
        };
        if let Some((_, error)) = &state.failure {
            return Some(Err(Box::new(failed(error.clone()))));
        }
        if state.record.goals() == 0 {
            return None;
        }
        let block = state.record.tail.as_ref().map_or(0, |tail| tail.block);
        let sums = match state.record.totals() {
            Ok(sums) => sums,
            Err(source) => return Some(Err(Box::new(failed(CellError::Sum { block, source })))),
        };
        let shares = self.reading.intervals.shares();
        let (sums, observed) = (sums.power, sums.observed.with_shares(shares));
        let goals = sums.goals;
        let (power, tables, samples) = match &self.condition {
            None => {
                let power = (0..sums.power.len()).map(|s| self.reading.power(&sums, s));
                (power.collect(), self.tables(&observed, goals, None), goals)
            }
            Some(condition) => {
                let accepted = condition.read(&observed, self.quantities.len());
                let share = condition
                    .condition
                    .table(&accepted.shares, self.reading.level);
                if accepted.sums.goals == 0 {
                    return Some(Err(Box::new(failed(none_accepted(&share, goals)))));
                }
                let power = self.power_of_accepted(&accepted.sums, goals);
                let tables = self.tables(&accepted.sums, goals, Some(share));
                (power, tables, accepted.sums.goals)
            }
        };
        let found = CellStatistics {
            environment,
            variant: self.variant.clone(),
            reward,
            discount: self.discount,
            discount_used: self.discount.used_number(),
            rule: self.rule.to_string(),
            domain: self.reward.domain(),
            solver: self.solver.as_ref().and_then(|s| s.description()),
            refusal: self
                .solver
                .as_ref()
                .and_then(|s| Some(s.refusal()?.to_string())),
            power,
            tables,
            mdp: self.mdp.clone(),
            plan: self.plan.clone(),
            pilot: self.pilot.clone(),
            samples,
            proposed: goals,
            unconverged: sums.unconverged,
            sweeps_mean: sums.sweeps as f64 / sums.goals as f64,
            sweeps_max: sums.sweeps_max,
            unconverged_goals: sums.unconverged_goals,
        };
        Some(Ok(match self.structure {
            Some(steps) => found.with_structure(steps),
            None => found,
        }))
    }
}

/// What is said where no goal meets the condition.
fn none_accepted(shares: &Table, goals: u64) -> CellError {
    let all = shares
        .rows
        .first()
        .and_then(|row| row.measures[0].estimate());
    CellError::NoneAccepted {
        goals,
        at_most: all.map_or(1.0, |share| share.high),
    }
}

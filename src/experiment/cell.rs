//! One cell at work: its solver, its sums so far, and its failure if there is one.

mod found;
mod reading;
mod ready;
mod wanted;

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use found::Found;
use reading::Reading;
pub(super) use ready::Ready;
pub(super) use wanted::WantedCell;
use wanted::{contrast, goals, key};

use super::checkpoint::{CellRecord, Sums};
use super::goals::CellGoals;
use super::results::{CellError, CellFailure, CellStatistics};
use super::{CellProgress, RunError, RunSpec};
use crate::solve::{CellSolver, SolveError};
use crate::statistics::behaviour::Integrands;
use crate::statistics::{
    Block, BlockSums, CellSums, Conditioned, Contrast, Estimate, Key, Measure, Observations,
    ObservedSums, Quantity, Sampling, Table, walk_table,
};

/// One cell of the environment at work. Shared by all threads.
pub(super) struct Cell {
    /// What does not depend on the number of goals.
    ready: Arc<Ready>,
    reading: Reading,
    goals: u64,
    /// What it has in common with its baseline; nothing where it has none.
    contrast: Contrast,
    /// The means that are taken of the observations, differences from the baseline last.
    quantities: Vec<Quantity>,
    /// Which goals belong, where not all do: then the means are over those.
    condition: Option<Conditioned>,
    state: Mutex<State>,
}

impl Cell {
    /// What was asked beyond POWER, and how far all that is from the baseline; from sums over all of `goals` goals or those that belong.
    fn tables(
        &self,
        reading: Reading,
        observed: &ObservedSums,
        goals: u64,
        accepted: Option<Table>,
    ) -> Vec<Table> {
        let level = reading.level;
        let mut tables: Vec<Table> = accepted.into_iter().collect();
        tables.extend(self.ready.asked.tables(&self.ready.mdp, observed, level));
        if self.contrast.has_pairs() {
            let first = self.ready.asked.quantities().len();
            let power = |e| reading.difference(e);
            tables.push(self.contrast.table(observed, first, level, &power));
        }
        let walks = self.ready.walks.as_ref();
        tables.extend(walks.map(|walks| walk_table(walks, goals)));
        let shared = reading.facts.shared;
        // Ranks are whole numbers, and the largest of many numbers has ends of its own: they have looked at that themselves.
        let spread = |table: Table| match table.name {
            "ranking" | "dominance" => table,
            _ => table.map_estimates(|e| e.of_shared(shared)),
        };
        let mut tables: Vec<Table> = tables.into_iter().map(spread).collect();
        tables
            .iter_mut()
            .for_each(|table| self.guard(reading, table));
        // A policy from outside does the same whatever the goal: there is nothing to estimate of what it does.
        let all_goals = reading.all_goals(goals);
        let is_known = |table: &Table| {
            all_goals
                || self.ready.rule.is_given()
                    && ["choices", "events", "occupancy"].contains(&table.name)
        };
        let exact = |table: Table| match is_known(&table) {
            true => table.map_estimates(|e| e.of_sampling(Sampling::Exhaustive)),
            false => table,
        };
        tables.into_iter().map(exact).collect()
    }

    /// [`Reading::guarded`], for the tables that a run may stop by: shares, and differences of shares and of POWER. The time of an event has no upper end.
    fn guard(&self, reading: Reading, table: &mut Table) {
        let facts = &reading.facts;
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
                    *estimate = reading.guarded(*estimate, reach);
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
    /// A cell that is ready, for so many goals as `spec` asks for. What was done before goes on from where it stands. A variant is compared with its
    /// `baseline`, if there is one.
    pub(super) fn new(
        ready: Arc<Ready>,
        spec: &RunSpec,
        wanted: &WantedCell<'_>,
        block_size: u64,
        before: Option<&CellRecord>,
    ) -> Result<Self, RunError> {
        let Ready {
            problem,
            facts,
            asked,
            ..
        } = &*ready;
        let goals = goals(facts, spec.samples);
        if let Some(there) = before.map(CellRecord::end).filter(|there| *there > goals) {
            let (cell, here) = (ready.name(), goals);
            return Err(RunError::Behind { cell, there, here });
        }
        let mdp = &ready.mdp;
        let contrast = contrast(spec, wanted, goals, &asked.comparables(mdp))?;
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
        let key = key(problem, goals, &quantities, condition.as_ref(), block_size);
        let mut record = CellRecord::new(key, block_size, empty);
        if let Some(before) = before {
            let foreign = |difference: String| RunError::Foreign {
                cell: ready.name(),
                difference,
            };
            record.merge(before).map_err(|e| foreign(e.to_string()))?;
            // What failed is tried again.
            record.failure = None;
        }
        record.stand_in = ready.stand_in();
        let failure = ready.solver.as_ref().err();
        let failure = failure.map(|error| (0, error.clone().into()));
        Ok(Self {
            goals,
            reading: Reading {
                facts: *facts,
                level: spec.intervals.level(spec.level),
                intervals: spec.intervals,
                is_simultaneous: false,
            },
            contrast,
            quantities,
            condition,
            state: Mutex::new(State { record, failure }),
            ready,
        })
    }

    /// The cell as it was recorded, where nothing is solved: who solved it, and the failure, where there was one.
    pub(super) fn read_from_record(mut self, before: Option<&CellRecord>) -> Self {
        let Some(before) = before else {
            return self;
        };
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.record.stand_in.clone_from(&before.stand_in);
        if let Some((block, message)) = before.failure.clone() {
            state.failure = Some((block, CellError::Recorded(message)));
        }
        self
    }

    /// Goals of this cell: all there are where they are enumerated, else as many as were asked for and are there.
    pub(super) fn goals(&self) -> u64 {
        self.goals
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
    fn power_of_accepted(
        &self,
        reading: Reading,
        sums: &ObservedSums,
        goals: u64,
    ) -> Vec<Estimate> {
        let first = self.ready.asked.first_quantity("power").unwrap_or(0);
        let quantities = &self.quantities[first..=first + self.ready.mdp.n_states()];
        let power = Integrands::power(quantities, sums, first, reading.level);
        let each = power.into_iter().map(|e| reading.of_law(e, goals));
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
        let (Ok(solver), Some(own)) = (&self.ready.solver, block.below(self.goals)) else {
            return (0, None);
        };
        if !self.needs(block) {
            return (0, None);
        }
        let solved = solver.solve_block(own, parallel);
        self.take(&**solver, own, solved, beside)
    }

    /// How many consecutive blocks its solver would rather have at once; one where anything is observed, or compared with a baseline.
    pub(super) fn at_once(&self) -> u64 {
        match &self.ready.solver {
            Ok(solver) if self.ready.asked.is_empty() && !self.is_compared() => solver.at_once(),
            // It has failed, and takes none.
            Err(_) => u64::MAX,
            Ok(_) => 1,
        }
    }

    /// Solves blocks, but for those that are done, and adds their sums; returns the number of goals. For cells of which nothing is observed. Where a block fails, those that were given with it
    /// may be added all the same.
    pub(super) fn solve_blocks(&self, blocks: &[Block], parallel: bool) -> u64 {
        let Ok(solver) = &self.ready.solver else {
            return 0;
        };
        let needed = blocks.iter().filter(|block| self.needs(**block));
        let own: Vec<Block> = needed.filter_map(|block| block.below(self.goals)).collect();
        let mut goals = 0;
        for run in own.chunk_by(|a, b| a.first + a.len == b.first) {
            for (block, solved) in run.iter().zip(solver.solve_blocks(run, parallel)) {
                goals += self.take(&**solver, *block, solved, None).0;
            }
        }
        goals
    }

    /// Adds the sums of a block, or keeps the failure.
    fn take(
        &self,
        solver: &dyn CellSolver,
        block: Block,
        solved: Result<BlockSums, SolveError>,
        beside: Option<&Observations>,
    ) -> (u64, Option<Observations>) {
        let outcome = solved
            .map_err(CellError::from)
            .and_then(|sums| self.sum(solver, block, sums, beside));
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
        let solver = self.ready.solver.as_ref().ok()?;
        let sums = solver.solve_block(block, parallel).ok()?;
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
        let solver = self.ready.solver.as_ref();
        let solver = solver.map_err(|error| CellError::from(error.clone()))?;
        let mut observations = Observations::new(self.ready.asked.n_columns(), 0);
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
            environment: self.ready.mdp.name().to_owned(),
            variant: self.ready.variant.clone(),
            reward: self.ready.reward.name().to_owned(),
            discount: self.ready.discount.asked(),
            rule: self.ready.rule.to_string(),
            mdp: self.ready.mdp.clone(),
            chosen: self.ready.asked.chosen(),
            names: self.ready.asked.per_goal(&self.ready.mdp),
            observations,
        })
    }

    /// One block's sums as integers: rounded outside the lock, which then only guards additions.
    fn sum(
        &self,
        solver: &dyn CellSolver,
        block: Block,
        mut sums: BlockSums,
        beside: Option<&Observations>,
    ) -> Result<(Sums, Observations), CellError> {
        let n_states = self.ready.mdp.n_states();
        let states = sums.power.len().min(sums.power_squared.len());
        let observations = &sums.observations;
        if !self.ready.asked.is_empty() && observations.goals() as u64 != block.len {
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

    /// Lets go of what is needed only while goals are solved.
    pub(super) fn rest(&self) {
        if let Ok(solver) = &self.ready.solver {
            solver.rest();
        }
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
            variant: &self.ready.variant,
            reward: self.ready.reward.name(),
            discount: self.ready.discount,
            goals,
            widest: (sums.goals >= 2).then(|| widths.fold(0.0, f64::max)),
        }
    }

    /// What sums say, and of how many goals.
    fn read(&self, reading: Reading, sums: &Sums) -> Result<(Found, u64), CellError> {
        let goals = sums.power.goals;
        let observed = sums.observed.clone().with_drawn(reading.drawn(goals));
        let Some(condition) = &self.condition else {
            let states = 0..sums.power.power.len();
            let found = Found {
                power: states.map(|s| reading.power(&sums.power, s)).collect(),
                tables: self.tables(reading, &observed, goals, None),
            };
            return Ok((found, goals));
        };
        let accepted = condition.read(&observed, self.quantities.len());
        let share = condition.condition.table(&accepted.shares, reading.level);
        if accepted.sums.goals == 0 {
            return Err(none_accepted(&share, goals));
        }
        let found = Found {
            power: self.power_of_accepted(reading, &accepted.sums, goals),
            tables: self.tables(reading, &accepted.sums, goals, Some(share)),
        };
        Ok((found, accepted.sums.goals))
    }

    /// The cell's result from all goals that are done; `None` before the first one.
    pub(super) fn result(&self) -> Option<Result<CellStatistics, Box<CellFailure>>> {
        let state = self.state();
        let environment = self.ready.mdp.name().to_owned();
        let reward = self.ready.reward.name().to_owned();
        let failed = |error| CellFailure {
            environment: environment.clone(),
            variant: self.ready.variant.clone(),
            reward: reward.clone(),
            discount: self.ready.discount,
            rule: self.ready.rule.to_string(),
            error,
        };
        if let Some((_, error)) = &state.failure {
            return Some(Err(Box::new(failed(error.clone()))));
        }
        if state.record.goals() == 0 {
            return None;
        }
        let stand_in = state.record.stand_in.as_ref();
        let block = state.record.tail.as_ref().map_or(0, |tail| tail.block);
        let sums = match state.record.totals() {
            Ok(sums) => sums,
            Err(source) => return Some(Err(Box::new(failed(CellError::Sum { block, source })))),
        };
        let goals = sums.power.goals;
        let (mut found, samples) = match self.read(self.reading, &sums) {
            Ok(read) => read,
            Err(error) => return Some(Err(Box::new(failed(error)))),
        };
        if self.ready.simultaneous {
            found.hold_at_once(|intervals| {
                let wide = self.read(self.reading.among(intervals), &sums);
                wide.map(|(found, _)| found).unwrap_or_default()
            });
        }
        let Found { power, tables } = found;
        let sums = sums.power;
        let found = CellStatistics {
            environment,
            variant: self.ready.variant.clone(),
            reward,
            discount: self.ready.discount,
            discount_used: self.ready.discount.used_number(),
            rule: self.ready.rule.to_string(),
            domain: self.ready.reward.domain(),
            solver: stand_in.map_or_else(
                || self.ready.solver_of_its_own(),
                |s| Some(s.solver.clone()),
            ),
            refusal: stand_in.map(|s| s.refusal.clone()),
            power,
            tables,
            mdp: self.ready.mdp.clone(),
            plan: self.ready.plan.clone(),
            pilot: self.ready.pilot.clone(),
            samples,
            proposed: goals,
            unconverged: sums.unconverged,
            sweeps_mean: sums.sweeps as f64 / sums.goals as f64,
            sweeps_max: sums.sweeps_max,
            unconverged_goals: sums.unconverged_goals,
        };
        Some(Ok(match self.ready.structure {
            Some(steps) => found.with_structure(steps),
            None => found,
        }))
    }
}

/// What is said where no goal meets the condition.
fn none_accepted(shares: &Table, goals: u64) -> CellError {
    let mut each = shares.rows.iter().filter_map(|row| {
        let Some(Key::Text(part)) = row.keys.first() else {
            return None;
        };
        Some((part, row.measures[0].estimate()?))
    });
    let all = each.next();
    CellError::NoneAccepted {
        goals,
        at_most: all.map_or(1.0, |(_, share)| share.high),
        parts: each
            .map(|(part, share)| {
                (
                    part.clone(),
                    (share.estimate * share.n as f64).round() as u64,
                )
            })
            .collect(),
    }
}

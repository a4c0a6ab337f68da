//! One cell on this backend: groups of goals from drawing to sums.

use std::sync::Arc;

use rayon::prelude::*;

use super::allowance::Allowance;
use super::cell::{Cell, Scale, stays};
use super::cover::{Cover, HostTiles, Hosted};
use super::draws::Draws;
use super::group::{Group, Source};
use super::kernels::{Keeping, Kernels};
use super::layout::{
    CAPPED, EXHAUSTED, FLAG_KEEP, FLAG_LEAVE, Lane, SUM_UNITS, StateSums, Tally, joined,
};
use super::pace::Iterations;
use super::pool::Pool;
use super::workspace::{Found, Workspace};
use super::{Gpu, METHODS, NAME, finish};
use crate::plan::{Method, Precision, Schedule};
use crate::reward::Recipe;
use crate::rng::Stream;
use crate::solve::{
    CellProblem, CellSolver, DeviceFault, Goals, SolveError, SolvedGoal, check_given,
};
use crate::statistics::behaviour::{GoalValues, Memory, Observer};
use crate::statistics::{Block, BlockSums, MAX_LISTED_GOALS, Observations, TILE};
use crate::units::SampleIndex;

/// A cell, ready to solve.
#[derive(Debug)]
pub(super) struct GpuSolver {
    pub(super) gpu: Arc<Gpu>,
    pub(super) problem: CellProblem,
    pub(super) cell: Cell,
    pub(super) kernels: Kernels,
    pub(super) iterations: Iterations,
    /// Which reward of a goal a row is.
    rows: Vec<u32>,
    /// Per row: whether the reward can be had for ever.
    pub(super) stays: Vec<bool>,
    /// Whether goals that single precision gives up are finished on the host.
    leaves: bool,
    /// What is asked beyond POWER.
    observer: Option<Observer>,
    /// The law, where goals are drawn on the host: weighted sums of draws, and goals that are drawn whole.
    pub(super) hosted: Option<Hosted>,
    /// What the device's sums are about.
    shift: f64,
    /// What bringing goals onto the device's lattice adds to a half-width.
    error: f64,
    pool: Pool,
}

impl GpuSolver {
    /// Packs and uploads the cell, and lets a tile of the pilot's goals try whether single precision can certify the tolerance.
    pub(super) fn new(gpu: Arc<Gpu>, problem: CellProblem) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let stage = problem
            .program
            .plain()
            .map_err(|error| SolveError::Unsupported {
                backend: NAME,
                feature: error.to_string(),
            })?;
        let Schedule {
            method, precision, ..
        } = problem.plan.schedule();
        let refused = match (precision, METHODS.contains(&method)) {
            (Precision::Double, _) => Some(format!("the precision {}", precision.name())),
            (Precision::Mixed, false) => Some(format!("the method {}", method.name())),
            (Precision::Mixed, true) => None,
        };
        if let Some(feature) = refused {
            return Err(SolveError::Unsupported {
                backend: NAME,
                feature,
            });
        }
        let law = &stage.law;
        let model = problem.plan.model();
        let (rows, stays) = (model.reward_rows(), stays(model));
        let cover = Cover::of(law);
        let (draws, scale, shift, error) = match (law.recipe(), law.lattice()) {
            (Recipe::Independent(law), Some(lattice)) => {
                let draws = Draws::of_lattice(law, &rows, &stays);
                (Some(draws), Scale::new(lattice), lattice.mean(), 0.0)
            }
            (Recipe::Independent(law), None) => {
                let draws = Draws::on_cover(law, cover, &rows, &stays);
                (draws, cover.scale(), cover.shift(), cover.error())
            }
            _ => (None, cover.scale(), cover.shift(), cover.error()),
        };
        let hosted = match draws {
            Some(_) => None,
            None => Some(Hosted::new(law, rows, problem.seed)),
        };
        let tolerance = problem.tolerance - error;
        let draws = draws.unwrap_or_default();
        let mut solver = Self::with_scale(gpu, problem, scale, tolerance, &draws)?;
        (solver.hosted, solver.shift, solver.error) = (hosted, shift, error);
        solver.try_tolerance()?;
        Ok(solver)
    }

    /// `tolerance`: what the device is to certify, on its own lattice.
    fn with_scale(
        gpu: Arc<Gpu>,
        problem: CellProblem,
        scale: Scale,
        tolerance: f64,
        draws: &Draws,
    ) -> Result<Self, SolveError> {
        let cell = Cell::upload(&gpu.device, &problem, scale, tolerance.max(0.0), draws)?;
        let model = problem.plan.model();
        let keeping = Keeping::of(model, gpu.device.summary().workgroup_bytes);
        let keeping = gpu.keeping.unwrap_or(keeping);
        let kernels = Kernels::new(&gpu, model, draws.has_laws, keeping)?;
        let iterations = Iterations::of(model);
        let numbers = 3 * u64::from(cell.constants.n_states) + u64::from(cell.constants.n_rewards);
        let tile_bytes = numbers * TILE as u64 * 4;
        let block_bytes = tile_bytes
            * crate::statistics::block_size(cell.constants.n_states as usize)
            / TILE as u64;
        Ok(Self {
            rows: model.reward_rows(),
            stays: stays(model),
            leaves: finish::finishes(&problem),
            kernels,
            hosted: None,
            shift: 0.0,
            error: 0.0,
            gpu,
            observer: problem.observer(),
            problem,
            cell,
            iterations,
            pool: Pool::new(block_bytes),
        })
    }

    pub(super) fn method(&self) -> Method {
        self.problem.plan.schedule().method
    }

    fn workspace(&self, tiles: u32) -> Result<Workspace, SolveError> {
        Workspace::new(
            &self.gpu.device,
            &self.kernels,
            &self.cell,
            self.method(),
            tiles,
        )
    }

    /// Refuses a tolerance that single precision cannot certify: known at once where it is below the least rounding allowance,
    /// else found out on a tile of goals that are never measured.
    fn try_tolerance(&self) -> Result<(), SolveError> {
        let tolerance = self.problem.tolerance;
        let refuse = |reached: f64| SolveError::OutOfReach {
            backend: NAME,
            tolerance,
            reached,
        };
        let least = Allowance::new(self.problem.plan.model(), self.problem.discount).least()
            * self.cell.binade
            + self.error;
        if least > tolerance {
            return Err(refuse(least));
        }
        let source = Source::Sampled {
            stream: Stream::Pilot,
            first: 0,
        };
        let workspace = self.workspace(1)?;
        self.solve(&workspace, source, TILE as u32, 0)?;
        let lanes = workspace.read_lanes(&self.gpu.device)?;
        // With fewer sweeps than value iteration needs in exact arithmetic, goals that miss the tolerance are the user's wish.
        let facts = self.problem.program.stage().law.facts();
        let range = facts.high - facts.low;
        let sufficient = CellProblem::sufficient_sweeps(self.problem.discount, tolerance, range);
        let enough = self.problem.max_sweeps >= sufficient;
        let out_of_reach = |status| status == EXHAUSTED || (status == CAPPED && enough);
        let given_up = lanes.iter().filter(|lane| out_of_reach(lane.status));
        let capped = given_up.clone().any(|lane| lane.status == CAPPED);
        if !capped && given_up.clone().count() <= finish::tolerated(&self.problem) {
            return Ok(());
        }
        match given_up.map(|lane| lane.half_width).max() {
            Some(units) => Err(refuse(self.cell.half_width(i64::from(units)) + self.error)),
            None => Ok(()),
        }
    }

    /// Solves `count` goals: draws, starts, sweeps and certifies until all are done, sums.
    fn solve(
        &self,
        workspace: &Workspace,
        source: Source<'_>,
        count: u32,
        flags: u32,
    ) -> Result<Found, SolveError> {
        let leave = if self.leaves { FLAG_LEAVE } else { 0 };
        let mut group = Group::new(self, workspace, source, count, flags | leave);
        group.begin(source)?;
        let found = group.iterate()?;
        self.check_counts(count, &found.sums, &found.tally)?;
        Ok(found)
    }

    /// Every goal came to an end, and was added to every state, but for those that are left to the host.
    fn check_counts(
        &self,
        count: u32,
        sums: &[StateSums],
        tally: &Tally,
    ) -> Result<(), SolveError> {
        let short = sums.iter().position(|s| s.goals != tally.finished);
        if tally.finished + tally.left == count && short.is_none() {
            return Ok(());
        }
        let problem = match short {
            Some(s) => format!(
                "{} of {} goals were added up in state number {s}",
                sums[s].goals, tally.finished
            ),
            None => format!(
                "{} of {count} goals came to an end",
                tally.finished + tally.left
            ),
        };
        Err(self.gpu.device.error(DeviceFault::Incomplete, problem))
    }

    /// What a block's sums say, in f64 and by state.
    fn block_sums(&self, block: Block, solved: &Found) -> BlockSums {
        let unit = self.cell.binade / SUM_UNITS;
        let square_unit = self.cell.binade * unit;
        let mut sums = BlockSums::new(solved.sums.len());
        // From sums about the lattice's middle to sums about the law's mean.
        let offset = self.shift - self.problem.power_scale().shift;
        // Those that the device added up.
        let count = f64::from(solved.tally.finished);
        for (row, state) in solved.sums.iter().zip(self.problem.plan.model().states()) {
            let s = state.state.index();
            let sum = joined(i64::from(row.power_upper), row.power_lower) as f64 * unit;
            let squares =
                joined(i64::from(row.squared_upper), row.squared_lower) as f64 * square_unit;
            sums.power[s] = sum + count * offset;
            sums.power_squared[s] = squares + offset * (2.0 * sum + count * offset);
        }
        let tally = &solved.tally;
        let missed =
            (0..block.len).filter(|&g| solved.missed[g as usize / 32] >> (g % 32) & 1 != 0);
        BlockSums {
            finished: u64::from(tally.finished),
            bound: self
                .cell
                .half_width(joined(i64::from(tally.bound_upper), tally.bound_lower))
                + count * self.error,
            bound_max: self.cell.half_width(i64::from(tally.bound_max)) + self.error,
            unconverged: u64::from(tally.unconverged),
            unconverged_goals: missed
                .map(|g| block.first + g)
                .take(MAX_LISTED_GOALS)
                .collect(),
            sweeps: joined(i64::from(tally.sweeps_upper), tally.sweeps_lower) as u64,
            sweeps_max: tally.sweeps_max,
            ..sums
        }
    }

    /// Reads the goals of a solved block back and hands them to the observer.
    fn observe(
        &self,
        observer: &Observer,
        workspace: &Workspace,
        block: Block,
        parallel: bool,
    ) -> Result<Observations, SolveError> {
        let read = self.read_back(workspace)?;
        let tile = |at: usize| {
            let first = at * TILE;
            let count = (block.len as usize - first).min(TILE);
            let mut observations = observer.observations(count);
            let mut memory = Memory::default();
            for at in first..first + count {
                let rewards = self.rewards(Stream::Reward, SampleIndex(block.first + at as u64));
                let goal = self.goal(&read, at, rewards, (self.shift, self.error));
                let worths = goal.worths(self.problem.discount);
                let half_width = self.problem.discount.used() * goal.half_width;
                let reward = |state: crate::units::StateId| goal.rewards[state.index()];
                let values = GoalValues::new(&worths, half_width, &reward);
                observer.observe(values, &mut memory, &mut observations);
            }
            observations
        };
        let tiles = 0..(block.len as usize).div_ceil(TILE);
        let each: Vec<Observations> = match parallel {
            true => tiles.into_par_iter().map(tile).collect(),
            false => tiles.map(tile).collect(),
        };
        let mut all = observer.observations(block.len as usize);
        each.iter().for_each(|part| all.append(part));
        Ok(all)
    }

    /// Finishes the goals of a block that were left to the host, and adds them to its sums.
    fn finish_left(
        &self,
        workspace: &Workspace,
        block: Block,
        sums: &mut BlockSums,
    ) -> Result<(), SolveError> {
        let lanes = workspace.read_lanes(&self.gpu.device)?;
        let shift = self.problem.power_scale().shift;
        let lanes = lanes.iter().take(block.len as usize).enumerate();
        for (at, lane) in lanes.filter(|(_, lane)| lane.status == EXHAUSTED) {
            let number = block.first + at as u64;
            let rewards = self.rewards(Stream::Reward, SampleIndex(number));
            let goal = finish::finish(&self.problem, rewards, lane.sweeps);
            for (s, x) in goal.integrand.iter().enumerate() {
                sums.power[s] += x - shift;
                sums.power_squared[s] += (x - shift) * (x - shift);
            }
            let listed = std::mem::take(&mut sums.unconverged_goals);
            sums.note_goal(number, goal.half_width, self.problem.tolerance, lane.sweeps);
            sums.unconverged_goals.extend(listed);
        }
        sums.unconverged_goals.sort_unstable();
        sums.unconverged_goals.truncate(MAX_LISTED_GOALS);
        Ok(())
    }

    /// One goal of a group that was read back, its number in the group given. `shift` and `error`: those of the lattice it was solved on.
    fn goal(
        &self,
        read: &ReadBack,
        at: usize,
        rewards: Vec<f64>,
        (shift, error): (f64, f64),
    ) -> SolvedGoal {
        let lane = &read.lanes[at];
        if self.leaves && lane.status == EXHAUSTED {
            return finish::finish(&self.problem, rewards, lane.sweeps);
        }
        let states = self.problem.plan.model().states();
        let fixed = &read.integrands[at / TILE * TILE * states.len()..];
        let unit = self.cell.binade / SUM_UNITS;
        let mut integrand = vec![0.0; states.len()];
        for (row, s) in states.iter().enumerate() {
            let x = fixed[row * TILE + at % TILE];
            integrand[s.state.index()] = shift + f64::from(x) * unit;
        }
        let half_width = self.cell.half_width(i64::from(lane.half_width)) + error;
        SolvedGoal {
            domain: self.problem.plan.model().domain(),
            settled: None,
            rewards,
            integrand,
            half_width,
            converged: half_width <= self.problem.tolerance,
            sweeps: lane.sweeps,
        }
    }

    /// Solves one tile and reads all of it back.
    fn solve_tile(
        &self,
        workspace: &Workspace,
        source: Source<'_>,
    ) -> Result<ReadBack, SolveError> {
        self.solve(workspace, source, TILE as u32, FLAG_KEEP)?;
        self.read_back(workspace)
    }

    fn read_back(&self, workspace: &Workspace) -> Result<ReadBack, SolveError> {
        Ok(ReadBack {
            lanes: workspace.read_lanes(&self.gpu.device)?,
            integrands: workspace.read_integrands(&self.gpu.device)?,
        })
    }

    /// The aligned tiles that hold the goals, each solved once.
    fn solve_sampled(
        &self,
        stream: Stream,
        indices: &[SampleIndex],
    ) -> Result<Vec<SolvedGoal>, SolveError> {
        let tile = |index: &SampleIndex| index.0 - index.0 % TILE as u64;
        let mut firsts: Vec<u64> = indices.iter().map(tile).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let workspace = self.workspace(1)?;
        let mut tiles = Vec::with_capacity(firsts.len());
        for &first in &firsts {
            tiles.push(self.solve_tile(&workspace, Source::Sampled { stream, first })?);
        }
        let goals = indices.iter().map(|index| {
            let at = firsts
                .binary_search(&tile(index))
                .expect("every goal's tile is listed");
            let lane = (index.0 % TILE as u64) as usize;
            let rewards = self.rewards(stream, *index);
            self.goal(&tiles[at], lane, rewards, (self.shift, self.error))
        });
        Ok(goals.collect())
    }

    fn rewards(&self, stream: Stream, index: SampleIndex) -> Vec<f64> {
        let law = &self.problem.program.stage().law;
        let rewards = law.draw(self.problem.seed, stream, index);
        rewards.into_iter().map(f64::from).collect()
    }

    /// Goals as the device draws them, lattice steps `[tiles, n_rewards, TILE]`.
    #[cfg(test)]
    pub(super) fn drawn(
        &self,
        stream: Stream,
        first: u64,
        tiles: u32,
    ) -> Result<Vec<u32>, SolveError> {
        assert!(self.hosted.is_none(), "the host draws");
        let source = Source::Sampled { stream, first };
        let workspace = self.workspace(tiles)?;
        let mut group = Group::new(self, &workspace, source, tiles * TILE as u32, 0);
        group.begin(source)?;
        group.submit()?;
        workspace.read_goals(&self.gpu.device)
    }

    /// A goal from outside, on a lattice of its own.
    fn solve_given(&self, rewards: &[f64]) -> Result<SolvedGoal, SolveError> {
        let low = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let cover = Cover::new(low, high);
        let (gpu, problem) = (self.gpu.clone(), self.problem.clone());
        let tolerance = self.problem.tolerance - cover.error();
        let draws = Draws::default();
        let solver = Self::with_scale(gpu, problem, cover.scale(), tolerance, &draws)?;
        let rows = self.rows.iter();
        let rows: Vec<f64> = rows.map(|r| rewards[*r as usize]).collect();
        let tile = HostTiles::of_goal(cover, &rows, &self.stays);
        let workspace = solver.workspace(1)?;
        let read = solver.solve_tile(&workspace, Source::Put(&tile))?;
        Ok(solver.goal(&read, 0, rewards.to_vec(), (cover.shift(), cover.error())))
    }
}

/// A group of goals, read back whole.
struct ReadBack {
    lanes: Vec<Lane>,
    /// In fixed point, `[tiles, n_states, TILE]`.
    integrands: Vec<i32>,
}

impl CellSolver for GpuSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn rest(&self) {
        self.pool.clear();
    }

    /// The block is one group of goals on the device. Where more than POWER is asked, their integrands come back and are observed
    /// here; `parallel` spreads that work.
    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let stream = Stream::Reward;
        let source = Source::Sampled {
            stream,
            first: block.first,
        };
        let tiles = block.len.div_ceil(TILE as u64) as u32;
        let make = || self.workspace(tiles);
        self.pool.with(tiles, make, |workspace| {
            let flags = if self.observer.is_some() {
                FLAG_KEEP
            } else {
                0
            };
            let solved = self.solve(workspace, source, block.len as u32, flags)?;
            let mut sums = self.block_sums(block, &solved);
            if solved.tally.left > 0 {
                self.finish_left(workspace, block, &mut sums)?;
            }
            if let Some(observer) = &self.observer {
                sums.observations = self.observe(observer, workspace, block, parallel)?;
            }
            Ok(sums)
        })
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled { stream, indices } => self.solve_sampled(stream, indices),
            Goals::Given(vectors) => {
                let n_rewards = self.rows.len();
                let each = vectors.iter().enumerate().map(|(goal, rewards)| {
                    check_given(goal, rewards, n_rewards)?;
                    self.solve_given(rewards)
                });
                each.collect()
            }
        }
    }
}

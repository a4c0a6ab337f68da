//! One cell on this backend: groups of goals from drawing to sums.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::allowance::Allowance;
use super::cell::{Cell, Scale, stays};
use super::cover::{Cover, HostTiles, Hosted};
use super::layout::{
    CAPPED, EXHAUSTED, FLAG_FIRST, FLAG_KEEP, FLAG_LAST, Job, Progress, SUM_UNITS, StateSums,
    Tally, joined,
};
use super::pace::Iterations;
use super::workspace::{Batch, Side, Workspace};
use super::{Gpu, NAME};
use crate::plan::Method;
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::{
    CellProblem, CellSolver, DeviceFault, Goals, SolveError, SolvedGoal, check_given,
};
use crate::statistics::behaviour::{GoalValues, Memory, Observer};
use crate::statistics::{Block, BlockSums, MAX_LISTED_GOALS, Observations, TILE};
use crate::units::SampleIndex;

/// Memory that the groups in flight may take together.
const WORKSPACE_BYTES: u64 = 2 << 30;
/// Most groups in flight: enough that the device never waits for the host.
const MAX_WORKSPACES: u64 = 16;

/// A cell, ready to solve.
#[derive(Debug)]
pub(super) struct GpuSolver {
    gpu: Arc<Gpu>,
    problem: CellProblem,
    cell: Cell,
    iterations: Iterations,
    stays: Vec<bool>,
    /// What is asked beyond POWER.
    observer: Option<Observer>,
    /// The law, where goals are drawn on the host.
    hosted: Option<Hosted>,
    /// What the device's sums are about.
    shift: f64,
    /// What bringing goals onto the device's lattice adds to a half-width.
    error: f64,
    pool: Pool,
}

/// Workspaces that are not in use, and how many more may be made.
#[derive(Debug)]
struct Pool {
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Debug)]
struct PoolState {
    idle: Vec<Workspace>,
    left: u64,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goals of one group.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    /// Drawn on the device: `first` is the number of the first one.
    Sampled { stream: Stream, first: u64 },
    /// Already on the device.
    Put(&'a HostTiles),
}

/// A group that came to its end.
struct Solved {
    sums: Vec<StateSums>,
    tally: Tally,
    missed: Vec<u32>,
}

impl GpuSolver {
    /// Packs and uploads the cell, and lets a tile of the pilot's goals try whether single precision can certify the tolerance.
    pub(super) fn new(gpu: Arc<Gpu>, problem: CellProblem) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let unsupported = |feature: String| SolveError::Unsupported {
            backend: NAME,
            feature,
        };
        let stage = problem
            .program
            .plain_on_states()
            .map_err(|error| unsupported(error.to_string()))?;
        let lattice = stage.law.lattice();
        let (hosted, scale, shift, error) = match lattice {
            Some(lattice) => (None, Scale::new(lattice), lattice.mean(), 0.0),
            None => {
                let rows = problem.plan.model().states().iter();
                let rows = rows.map(|s| s.state.0).collect();
                let hosted = Hosted::new(&stage.law, rows, problem.seed);
                let cover = hosted.cover();
                (Some(hosted), cover.scale(), cover.shift(), cover.error())
            }
        };
        let tolerance = problem.tolerance - error;
        let mut solver = Self::with_scale(gpu, problem, scale, tolerance)?;
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
    ) -> Result<Self, SolveError> {
        let cell = Cell::upload(&gpu.device, &problem, scale, tolerance.max(0.0))?;
        let model = problem.plan.model();
        let per_state = model.states().iter().map(|s| {
            let choices = &model.choices()[s.choice_first as usize..s.choice_end as usize];
            let own: u32 = choices.iter().map(|c| c.end - c.first).sum();
            u64::from(
                2 + 2 * (s.choice_end - s.choice_first) + (s.common_end - s.common_first) + own,
            )
        });
        let iterations = Iterations {
            n_states: cell.constants.n_states,
            per_pass: cell.sweep_iterations,
            largest_state: per_state.max().unwrap_or(1),
        };
        let tile_bytes = u64::from(cell.constants.n_states) * TILE as u64 * 16;
        let block_bytes = tile_bytes
            * crate::statistics::block_size(cell.constants.n_states as usize)
            / TILE as u64;
        let left = (WORKSPACE_BYTES / block_bytes.max(1)).clamp(1, MAX_WORKSPACES);
        Ok(Self {
            stays: stays(model),
            hosted: None,
            shift: 0.0,
            error: 0.0,
            gpu,
            observer: problem.observer(),
            problem,
            cell,
            iterations,
            pool: Pool {
                state: Mutex::new(PoolState {
                    idle: Vec::new(),
                    left,
                }),
                returned: Condvar::new(),
            },
        })
    }

    fn method(&self) -> Method {
        self.problem.plan.schedule().method
    }

    fn workspace(&self, tiles: u32) -> Result<Workspace, SolveError> {
        Workspace::new(
            &self.gpu.device,
            &self.gpu.pipelines,
            &self.cell,
            self.method(),
            tiles,
        )
    }

    /// Runs `work` with a workspace for `tiles` tiles; waits while too many are in use.
    fn with_workspace<T>(
        &self,
        tiles: u32,
        work: impl FnOnce(&Workspace) -> Result<T, SolveError>,
    ) -> Result<T, SolveError> {
        let mut state = self.pool.state();
        let found = loop {
            if let Some(at) = state.idle.iter().position(|w| w.tiles() >= tiles) {
                break Some(state.idle.swap_remove(at));
            }
            if state.left > 0 {
                state.left -= 1;
                break None;
            }
            // An idle one that is too small makes room.
            if state.idle.pop().is_none() {
                state = self
                    .pool
                    .returned
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                state.left += 1;
            }
        };
        drop(state);
        let workspace = found.map_or_else(|| self.workspace(tiles), Ok);
        let result =
            workspace.and_then(|workspace| work(&workspace).map(|result| (result, workspace)));
        let mut state = self.pool.state();
        let result = match result {
            Ok((result, workspace)) => {
                state.idle.push(workspace);
                Ok(result)
            }
            // What an error left behind is not used again.
            Err(error) => {
                state.left += 1;
                Err(error)
            }
        };
        drop(state);
        self.pool.returned.notify_all();
        result
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
    ) -> Result<Solved, SolveError> {
        let device = &self.gpu.device;
        workspace.clear(device)?;
        let mut group = Group::new(self, workspace, source, count);
        group.begin(source)?;
        group.iterate()?;
        group.sum(flags)?;
        let sums = workspace.read_sums(device)?;
        let (tally, missed) = workspace.read_tally(device)?;
        self.check_counts(count, &sums, &tally)?;
        Ok(Solved {
            sums,
            tally,
            missed,
        })
    }

    /// Every goal came to an end, and was added to every state.
    fn check_counts(
        &self,
        count: u32,
        sums: &[StateSums],
        tally: &Tally,
    ) -> Result<(), SolveError> {
        let short = sums.iter().position(|s| s.goals != count);
        if tally.finished == count && short.is_none() {
            return Ok(());
        }
        let problem = match short {
            Some(s) => format!(
                "{} of {count} goals were added up in state number {s}",
                sums[s].goals
            ),
            None => format!("{} of {count} goals came to an end", tally.finished),
        };
        Err(self.gpu.device.error(DeviceFault::Incomplete, problem))
    }

    /// What a block's sums say, in f64 and by state.
    fn block_sums(&self, block: Block, solved: &Solved) -> BlockSums {
        let unit = self.cell.binade / SUM_UNITS;
        let square_unit = self.cell.binade * unit;
        let mut sums = BlockSums::new(solved.sums.len());
        // From sums about the lattice's middle to sums about the law's mean.
        let offset = self.shift - self.problem.power_scale().shift;
        let count = block.len as f64;
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
        let device = &self.gpu.device;
        let lanes = workspace.read_lanes(device)?;
        let fixed = workspace.read_integrands(device)?;
        let n = self.stays.len();
        let tile = |at: usize| {
            let first = at * TILE;
            let count = (block.len as usize - first).min(TILE);
            let mut observations = observer.observations(count);
            let mut memory = Memory::default();
            let integrands = &fixed[first * n..(first + TILE) * n];
            for lane in 0..count {
                let half_width = i64::from(lanes[first + lane].half_width);
                let half_width = self.cell.half_width(half_width) + self.error;
                let index = SampleIndex(block.first + (first + lane) as u64);
                let goal = self.lane_of(integrands, lane, half_width, index);
                let worths = goal.worths(self.problem.discount);
                let reward = |state: crate::units::StateId| goal.rewards[state.index()];
                let values =
                    GoalValues::new(&worths, self.problem.discount.used() * half_width, &reward);
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

    /// One goal of a tile's integrands in fixed point, `[n_states, TILE]`.
    fn lane_of(
        &self,
        fixed: &[i32],
        lane: usize,
        half_width: f64,
        index: SampleIndex,
    ) -> SolvedGoal {
        let states = self.problem.plan.model().states();
        let shift = self.shift;
        let unit = self.cell.binade / SUM_UNITS;
        let mut integrand = vec![0.0; states.len()];
        for (row, s) in states.iter().enumerate() {
            integrand[s.state.index()] = shift + f64::from(fixed[row * TILE + lane]) * unit;
        }
        SolvedGoal {
            domain: RewardDomain::State,
            settled: None,
            rewards: self.rewards(Stream::Reward, index),
            integrand,
            half_width,
            converged: half_width <= self.problem.tolerance,
            sweeps: 0,
        }
    }

    /// Solves the tile that starts at `first` and returns some of its lanes.
    fn solve_tile(
        &self,
        workspace: &Workspace,
        source: Source<'_>,
        shift: f64,
    ) -> Result<Vec<TileLane>, SolveError> {
        let device = &self.gpu.device;
        self.solve(workspace, source, TILE as u32, FLAG_KEEP)?;
        let lanes = workspace.read_lanes(device)?;
        let fixed = workspace.read_integrands(device)?;
        let states = self.problem.plan.model().states();
        let unit = self.cell.binade / SUM_UNITS;
        let each = lanes.iter().take(TILE).enumerate().map(|(lane, state)| {
            let mut integrand = vec![0.0; states.len()];
            for (row, s) in states.iter().enumerate() {
                integrand[s.state.index()] = shift + f64::from(fixed[row * TILE + lane]) * unit;
            }
            TileLane {
                integrand,
                half_width: self.cell.half_width(i64::from(state.half_width)),
                sweeps: state.sweeps,
            }
        });
        Ok(each.collect())
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
        let shift = self.shift;
        let workspace = self.workspace(1)?;
        let mut tiles = Vec::with_capacity(firsts.len());
        for &first in &firsts {
            tiles.push(self.solve_tile(&workspace, Source::Sampled { stream, first }, shift)?);
        }
        let goals = indices.iter().map(|index| {
            let at = firsts
                .binary_search(&tile(index))
                .expect("every goal's tile is listed");
            let lane = &tiles[at][(index.0 % TILE as u64) as usize];
            self.solved(self.rewards(stream, *index), lane, self.error)
        });
        Ok(goals.collect())
    }

    fn rewards(&self, stream: Stream, index: SampleIndex) -> Vec<f64> {
        let law = &self.problem.program.stage().law;
        let rewards = law.draw(self.problem.seed, stream, index);
        rewards.into_iter().map(f64::from).collect()
    }

    /// `error`: what is to be added to the half-width.
    fn solved(&self, rewards: Vec<f64>, lane: &TileLane, error: f64) -> SolvedGoal {
        let half_width = lane.half_width + error;
        SolvedGoal {
            domain: RewardDomain::State,
            settled: None,
            rewards,
            integrand: lane.integrand.clone(),
            half_width,
            converged: half_width <= self.problem.tolerance,
            sweeps: lane.sweeps,
        }
    }

    /// A goal from outside, on a lattice of its own.
    fn solve_given(&self, rewards: &[f64]) -> Result<SolvedGoal, SolveError> {
        let low = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let cover = Cover::new(low, high);
        let (gpu, problem) = (self.gpu.clone(), self.problem.clone());
        let tolerance = self.problem.tolerance - cover.error();
        let solver = Self::with_scale(gpu, problem, cover.scale(), tolerance)?;
        let states = self.problem.plan.model().states().iter();
        let rows: Vec<f64> = states.map(|s| rewards[s.state.index()]).collect();
        let tile = HostTiles::of_goal(cover, &rows, &self.stays);
        let workspace = solver.workspace(1)?;
        let lanes = solver.solve_tile(&workspace, Source::Put(&tile), cover.shift())?;
        Ok(self.solved(rewards.to_vec(), &lanes[0], cover.error()))
    }
}

/// One goal of a solved tile.
struct TileLane {
    /// By state.
    integrand: Vec<f64>,
    half_width: f64,
    sweeps: u32,
}

impl CellSolver for GpuSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
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
        self.with_workspace(tiles, |workspace| {
            let flags = if self.observer.is_some() {
                FLAG_KEEP
            } else {
                0
            };
            let solved = self.solve(workspace, source, block.len as u32, flags)?;
            let mut sums = self.block_sums(block, &solved);
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
                let n_states = self.stays.len();
                let each = vectors.iter().enumerate().map(|(goal, rewards)| {
                    check_given(goal, rewards, n_states)?;
                    self.solve_given(rewards)
                });
                each.collect()
            }
        }
    }
}

/// The passes over one group of goals.
struct Group<'a> {
    solver: &'a GpuSolver,
    workspace: &'a Workspace,
    tiles: u32,
    /// What all jobs of the group have in common.
    job: Job,
    side: Side,
    batch: Batch<'a>,
}

impl<'a> Group<'a> {
    fn new(
        solver: &'a GpuSolver,
        workspace: &'a Workspace,
        source: Source<'_>,
        count: u32,
    ) -> Self {
        let (stream, first) = match source {
            Source::Sampled { stream, first } => (stream, first),
            Source::Put(_) => (Stream::Reward, 0),
        };
        let job = Job {
            first_low: first as u32,
            first_high: (first >> 32) as u32,
            stream: stream.number(),
            count,
            ..Default::default()
        };
        let tiles = count.div_ceil(TILE as u32);
        Self {
            solver,
            workspace,
            tiles,
            job,
            side: Side::A,
            batch: Batch::default(),
        }
    }

    fn goals(&self) -> u64 {
        u64::from(self.tiles) * TILE as u64
    }

    fn most_groups(&self) -> u32 {
        self.solver
            .gpu
            .device
            .limits()
            .max_compute_workgroups_per_dimension
    }

    fn submit(&mut self, check: bool) -> Result<Progress, SolveError> {
        let gpu = &self.solver.gpu;
        self.workspace
            .submit(&gpu.device, &gpu.pace, &mut self.batch, check)
    }

    fn submit_if_full(&mut self) -> Result<(), SolveError> {
        if self.batch.is_full(&self.solver.gpu.pace) {
            self.submit(false)?;
        }
        Ok(())
    }

    /// Goals and first values.
    fn begin(&mut self, source: Source<'_>) -> Result<(), SolveError> {
        let (device, pipelines) = (&self.solver.gpu.device, &self.solver.gpu.pipelines);
        match (source, &self.solver.hosted) {
            (Source::Put(tiles), _) => {
                self.workspace
                    .put_goals(device, &tiles.steps, &tiles.drawn)?;
            }
            (Source::Sampled { stream, first }, Some(hosted)) => {
                let tiles = hosted.tiles(stream, first, self.tiles, &self.solver.stays);
                self.workspace
                    .put_goals(device, &tiles.steps, &tiles.drawn)?;
            }
            (Source::Sampled { .. }, None) => {
                let blocks = self.solver.cell.constants.n_blocks;
                let strides = blocks.div_ceil(8).clamp(1, self.most_groups());
                let cost = u64::from(blocks) * 40 * self.goals();
                self.batch.push(
                    self.workspace.draw(pipelines),
                    self.job,
                    [self.tiles, strides],
                    cost,
                );
            }
        }
        let n_states = self.solver.iterations.n_states;
        let strides = n_states.div_ceil(16).clamp(1, self.most_groups());
        let cost = u64::from(n_states) * self.goals();
        self.batch.push(
            self.workspace.start(pipelines),
            self.job,
            [self.tiles, strides],
            cost,
        );
        Ok(())
    }

    /// Sweeps and certificates until every goal is done.
    fn iterate(&mut self) -> Result<(), SolveError> {
        let max_sweeps = self.solver.problem.max_sweeps;
        let mut done = 0;
        let mut next = self
            .solver
            .problem
            .plan
            .schedule()
            .first_check
            .clamp(1, max_sweeps.max(1));
        loop {
            self.sweep(done, next - done)?;
            done = next;
            let progress = self.certify(done)?;
            if progress.broken > 0 {
                let problem = format!(
                    "{} goals are no numbers, or were not swept as often as was asked",
                    progress.broken
                );
                return Err(self
                    .solver
                    .gpu
                    .device
                    .error(DeviceFault::Incomplete, problem));
            }
            if progress.running == 0 {
                return Ok(());
            }
            if progress.moved > 0 {
                let (pass, job) = (
                    self.workspace
                        .recentre(&self.solver.gpu.pipelines, self.side),
                    self.job,
                );
                let n_states = self.solver.iterations.n_states;
                let strides = n_states.div_ceil(16).clamp(1, self.most_groups());
                let cost = u64::from(n_states) * self.goals();
                self.batch.push(pass, job, [self.tiles, strides], cost);
            }
            next = (done + 1 + done / 8).min(max_sweeps);
        }
    }

    fn sweep(&mut self, done: u32, sweeps: u32) -> Result<(), SolveError> {
        match self.solver.method() {
            Method::InPlace => self.sweep_in_place(done, sweeps),
            Method::Jacobi => self.sweep_jacobi(sweeps),
        }
    }

    fn sweep_in_place(&mut self, mut done: u32, sweeps: u32) -> Result<(), SolveError> {
        let solver = self.solver;
        let mut left = sweeps;
        while left > 0 {
            // Cut a few sweeps at a time: the pace is learnt on the way.
            let now = left.min(1024);
            for piece in solver
                .iterations
                .pieces(now, self.goals(), solver.gpu.pace.cost())
            {
                let job = Job {
                    range_first: piece.first,
                    range_end: piece.end,
                    sweeps: piece.passes,
                    backwards: done & 1,
                    ..self.job
                };
                self.batch.push(
                    self.workspace.in_place(&solver.gpu.pipelines),
                    job,
                    [self.tiles, 1],
                    piece.cost,
                );
                self.submit_if_full()?;
                done += if piece.end == solver.iterations.n_states {
                    piece.passes
                } else {
                    0
                };
            }
            left -= now;
        }
        Ok(())
    }

    fn sweep_jacobi(&mut self, sweeps: u32) -> Result<(), SolveError> {
        let solver = self.solver;
        let most = self.most_groups();
        for _ in 0..sweeps {
            // The invocations share the states out: only the device's time limits how many a dispatch takes.
            let all = solver.iterations.per_pass * self.goals();
            let dispatches = all.div_ceil(solver.gpu.pace.cost()).max(1);
            let states = u64::from(solver.iterations.n_states)
                .div_ceil(dispatches)
                .max(1) as u32;
            for first in (0..solver.iterations.n_states).step_by(states as usize) {
                let end = solver.iterations.n_states.min(first + states);
                let job = Job {
                    range_first: first,
                    range_end: end,
                    ..self.job
                };
                let strides = solver.iterations.strides(end - first, most);
                self.batch.push(
                    self.workspace.jacobi(&solver.gpu.pipelines, self.side),
                    job,
                    [self.tiles, strides],
                    all / dispatches,
                );
                self.submit_if_full()?;
            }
            self.side = self.side.other();
        }
        Ok(())
    }

    fn certify(&mut self, done: u32) -> Result<Progress, SolveError> {
        let solver = self.solver;
        let n_states = solver.iterations.n_states;
        let pieces = solver
            .iterations
            .pieces(1, self.goals(), solver.gpu.pace.cost());
        let last = pieces.len() - 1;
        for (i, piece) in pieces.into_iter().enumerate() {
            let first_flag = if piece.first == 0 { FLAG_FIRST } else { 0 };
            let last_flag = if piece.end == n_states { FLAG_LAST } else { 0 };
            let job = Job {
                range_first: piece.first,
                range_end: piece.end,
                done,
                expected_work: n_states.wrapping_mul(done),
                flags: first_flag | last_flag,
                ..self.job
            };
            self.batch.push(
                self.workspace.certify(&solver.gpu.pipelines, self.side),
                job,
                [self.tiles, 1],
                piece.cost,
            );
            if i < last {
                self.submit_if_full()?;
            }
        }
        // The batch's last dispatch is the one that counts.
        self.submit(true)
    }

    /// Sums over the goals.
    fn sum(&mut self, flags: u32) -> Result<(), SolveError> {
        let pipelines = &self.solver.gpu.pipelines;
        let n_states = self.solver.iterations.n_states;
        let strides = n_states.div_ceil(TILE as u32).clamp(1, self.most_groups());
        let job = Job { flags, ..self.job };
        let cost = u64::from(n_states) * self.goals();
        self.batch.push(
            self.workspace.reduce(pipelines),
            job,
            [self.tiles, strides],
            cost,
        );
        self.batch.push(
            self.workspace.tally(pipelines),
            job,
            [self.tiles, 1],
            self.goals(),
        );
        self.submit(false)?;
        Ok(())
    }
}

//! One cell on this backend: groups of goals from drawing to sums.

use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;

use super::allowance::Allowance;
use super::cell::{Scale, stays};
use super::cover::{Cover, HostTiles, Hosted};
use super::draws::Draws;
use super::group::Source;
use super::layout::{CAPPED, EXHAUSTED, FLAG_KEEP, FLAG_LEAVE, Lane, SUM_UNITS, joined};
use super::leaves::Room;
use super::pace::GroupPace;
use super::pool::{MAX_WORKSPACES, WORKSPACE_BYTES};
use super::stage::{DeviceStage, Kind, ReadBack};
use super::workspace::{Found, Workspace};
use super::{Gpu, METHODS, NAME, finish};
use crate::plan::{Precision, Schedule};
use crate::reward::Recipe;
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal, check_given};
use crate::statistics::behaviour::{GoalValues, Memory, Observer};
use crate::statistics::{Block, BlockSums, MAX_LISTED_GOALS, Observations, TILE, block_size};
use crate::units::SampleIndex;

/// Most blocks that go to the device together: a million goals of a small MDP.
const MAX_BLOCKS: u64 = 64;

/// A cell, ready to solve.
#[derive(Debug)]
pub(super) struct GpuSolver {
    pub(super) problem: CellProblem,
    pub(super) stage: DeviceStage,
    /// Whether goals that single precision gives up are finished on the host.
    leaves: bool,
    /// What is asked beyond POWER.
    observer: Option<Observer>,
    /// The law, where goals are drawn on the host: walks, and what is too large for the device.
    pub(super) hosted: Option<Hosted>,
    /// What the device's sums are about.
    shift: f64,
    /// What bringing goals onto the device's lattice adds to a half-width.
    error: f64,
    most_at_once: u64,
    pace: GroupPace,
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
        refuse_schedule(&problem)?;
        let law = &stage.law;
        let model = problem.plan.model();
        let (rows, stays) = (model.reward_rows(), stays(model));
        let cover = Cover::of(law);
        let (draws, scale, shift, error) = match (law.recipe(), law.lattice()) {
            (Recipe::Independent(law), Some(lattice)) => {
                let draws = Draws::of_lattice(law, &rows, &stays);
                (Some(draws), Scale::new(lattice), lattice.mean(), 0.0)
            }
            _ => {
                let numbers = gpu.device.limits().max_storage_buffer_binding_size / 4;
                let room = Room {
                    numbers,
                    latents: numbers / block_size(model.states().len()),
                };
                let draws = Draws::of_law(law, cover, &rows, &stays, room);
                let steps = draws.as_ref().map_or(0.0, |draws| draws.error);
                let error = cover.error().max(cover.error_of(steps));
                (draws, cover.scale(), cover.shift(), error)
            }
        };
        let hosted = match draws {
            Some(_) => None,
            None => Some(Hosted::new(law, rows, problem.seed)),
        };
        let tolerance = problem.tolerance - error;
        let draws = draws.unwrap_or_default();
        let made = |whole_rows| -> Result<_, SolveError> {
            let (gpu, problem) = (gpu.clone(), problem.clone());
            let kind = Kind::Plain { whole_rows };
            let mut solver = Self::with_scale(gpu, problem, scale, tolerance, (&draws, kind))?;
            (solver.hosted, solver.shift, solver.error) = (hosted.clone(), shift, error);
            solver.most_at_once = solver.find_most_at_once();
            let tried = solver.try_tolerance();
            Ok((solver, tried))
        };
        let (solver, tried) = made(true)?;
        match tried {
            // Sums of differences lose less to rounding.
            Err(SolveError::OutOfReach { .. }) if solver.stage.kernels.product.is_some() => {
                let (solver, tried) = made(false)?;
                tried.map(|()| solver)
            }
            tried => tried.map(|()| solver),
        }
    }

    /// `tolerance`: what the device is to certify, on its own lattice.
    pub(super) fn with_scale(
        gpu: Arc<Gpu>,
        problem: CellProblem,
        scale: Scale,
        tolerance: f64,
        (draws, kind): (&Draws, Kind),
    ) -> Result<Self, SolveError> {
        let stage = DeviceStage::new(
            gpu,
            (&problem, &problem.plan),
            scale,
            tolerance,
            (draws, kind),
        )?;
        Ok(Self {
            stage,
            leaves: finish::finishes(&problem),
            hosted: None,
            shift: 0.0,
            error: 0.0,
            observer: problem.observer(),
            problem,
            most_at_once: 1,
            pace: GroupPace::default(),
        })
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
            * self.stage.cell.binade
            + self.error;
        if least > tolerance {
            return Err(refuse(least));
        }
        let source = Source::Sampled {
            stream: Stream::Pilot,
            first: 0,
        };
        let workspace = self.stage.workspace((1, 1))?;
        self.solve(&workspace, source, (TILE as u32, 1), 0)?;
        let lanes = workspace.read_lanes(&self.stage.gpu.device)?;
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
            Some(units) => Err(refuse(
                self.stage.cell.half_width(i64::from(units)) + self.error,
            )),
            None => Ok(()),
        }
    }

    /// Draws and solves `count` goals in blocks of so many tiles; those that the host draws are put there.
    fn solve(
        &self,
        workspace: &Workspace,
        source: Source<'_>,
        (count, block_tiles): (u32, u32),
        flags: u32,
    ) -> Result<Found, SolveError> {
        let leave = if self.leaves { FLAG_LEAVE } else { 0 };
        match (source, &self.hosted) {
            (Source::Sampled { stream, first }, Some(hosted)) => {
                let tiles = count.div_ceil(TILE as u32);
                let tiles = hosted.tiles(stream, first, tiles, &self.stage.stays);
                let source = Source::Put(&tiles);
                (self.stage).solve(workspace, source, (count, block_tiles), flags | leave)
            }
            _ => (self.stage).solve(workspace, source, (count, block_tiles), flags | leave),
        }
    }

    /// What the sums of block `number` of a group say, in f64 and by state. `first`: the number of the group's first goal.
    fn block_sums(&self, (block, first): (Block, u64), number: usize, solved: &Found) -> BlockSums {
        let n_states = self.stage.states.len();
        let (rows, tally) = (
            &solved.sums[number * n_states..][..n_states],
            &solved.tally[number],
        );
        let unit = self.stage.cell.binade / SUM_UNITS;
        let square_unit = self.stage.cell.binade * unit;
        let mut sums = BlockSums::new(n_states);
        // From sums about the lattice's middle to sums about the law's mean.
        let offset = self.shift - self.problem.power_scale().shift;
        // Those that the device added up.
        let count = f64::from(tally.finished);
        for (row, state) in rows.iter().zip(self.problem.plan.model().states()) {
            let s = state.state.index();
            let sum = joined(i64::from(row.power_upper), row.power_lower) as f64 * unit;
            let squares =
                joined(i64::from(row.squared_upper), row.squared_lower) as f64 * square_unit;
            sums.power[s] = sum + count * offset;
            sums.power_squared[s] = squares + offset * (2.0 * sum + count * offset);
        }
        let missed = |goal: &u64| {
            let at = goal - first;
            solved.missed[at as usize / 32] >> (at % 32) & 1 != 0
        };
        let goals = block.first..block.first + block.len;
        BlockSums {
            finished: u64::from(tally.finished),
            bound: self
                .stage
                .cell
                .half_width(joined(i64::from(tally.bound_upper), tally.bound_lower))
                + count * self.error,
            bound_max: self.stage.cell.half_width(i64::from(tally.bound_max)) + self.error,
            unconverged: u64::from(tally.unconverged),
            unconverged_goals: goals.filter(missed).take(MAX_LISTED_GOALS).collect(),
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
        let read = self.stage.read_back(workspace)?;
        let tile = |at: usize| {
            let first = at * TILE;
            let count = (block.len as usize - first).min(TILE);
            let mut observations = observer.observations(count);
            let mut memory = Memory::default();
            for at in first..first + count {
                let rewards = self.rewards(Stream::Reward, SampleIndex(block.first + at as u64));
                let goal = self.goal(&read, at, rewards, (self.shift, self.error));
                let worths = goal.worths(self.problem.discount);
                let reward = |state: crate::units::StateId| goal.rewards[state.index()];
                let values = GoalValues::new(
                    &worths,
                    goal.worth_half_width(self.problem.discount),
                    &reward,
                )
                .with_choice_rewards(goal.choice_rewards());
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
    fn finish_left(&self, lanes: &[Lane], block: Block, sums: &mut BlockSums) {
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
    }

    /// Solves consecutive blocks, all but the last of them of one size, as one group of goals on the device. Where more than POWER is asked, their integrands come back
    /// and are observed here; `parallel` spreads that work.
    fn solve_group(&self, blocks: &[Block], parallel: bool) -> Result<Vec<BlockSums>, SolveError> {
        let [head, ..] = blocks else {
            return Ok(Vec::new());
        };
        let source = Source::Sampled {
            stream: Stream::Reward,
            first: head.first,
        };
        let tiles = |goals: u64| goals.div_ceil(TILE as u64) as u32;
        let goals: u64 = blocks.iter().map(|block| block.len).sum();
        let size = (tiles(goals), blocks.len() as u32);
        let keep = self.observer.is_some();
        let flags = if keep { FLAG_KEEP } else { 0 };
        self.stage.with_workspace(size, |workspace| {
            let extent = (goals as u32, tiles(head.len));
            let solved = self.solve(workspace, source, extent, flags)?;
            let lanes = match solved.tally.iter().any(|tally| tally.left > 0) {
                true => workspace.read_lanes(&self.stage.gpu.device)?,
                false => Vec::new(),
            };
            let each = blocks.iter().enumerate().map(|(number, &block)| {
                let mut sums = self.block_sums((block, head.first), number, &solved);
                if solved.tally[number].left > 0 {
                    let lanes = &lanes[(block.first - head.first) as usize..];
                    self.finish_left(lanes, block, &mut sums);
                }
                if let Some(observer) = &self.observer {
                    sums.observations = self.observe(observer, workspace, block, parallel)?;
                }
                Ok(sums)
            });
            each.collect()
        })
    }

    /// Most blocks that go to the device together: so many that all groups of the cell have room.
    fn find_most_at_once(&self) -> u64 {
        // Goals that the host draws or looks at keep a thread busy block by block.
        if self.observer.is_some() || self.hosted.is_some() {
            return 1;
        }
        let limits = self.stage.gpu.device.limits();
        let latents = self.stage.draws.n_latents as usize;
        let rows = self.stage.states.len().max(self.stage.rows.len());
        let rows = rows.max(latents) as u64;
        let block = block_size(self.stage.states.len());
        let buffers = limits.max_storage_buffer_binding_size / (block * rows * 4).max(1);
        let tiles = u64::from(limits.max_compute_workgroups_per_dimension) * TILE as u64 / block;
        let room =
            WORKSPACE_BYTES / MAX_WORKSPACES / (self.stage.tile_bytes * block / TILE as u64).max(1);
        room.min(buffers).min(tiles).clamp(1, MAX_BLOCKS)
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
        let mut integrand = vec![0.0; self.stage.states.len()];
        for (row, s) in self.stage.states.iter().enumerate() {
            integrand[s.index()] = shift + self.stage.integrand(read, at, row);
        }
        let half_width = self.stage.cell.half_width(i64::from(lane.half_width)) + error;
        SolvedGoal {
            domain: self.problem.plan.model().domain(),
            settled: None,
            linked: None,
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
        self.solve(workspace, source, (TILE as u32, 1), FLAG_KEEP)?;
        self.stage.read_back(workspace)
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
        let workspace = self.stage.workspace((1, 1))?;
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
        self.stage.drawn(stream, first, tiles)
    }

    /// A goal from outside, on a lattice of its own.
    fn solve_given(&self, rewards: &[f64]) -> Result<SolvedGoal, SolveError> {
        let low = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let cover = Cover::new(low, high);
        let (gpu, problem) = (self.stage.gpu.clone(), self.problem.clone());
        let tolerance = self.problem.tolerance - cover.error();
        // A goal is seldom worth the matrix.
        let kind = Kind::Plain { whole_rows: false };
        let draws = (&Draws::default(), kind);
        let solver = Self::with_scale(gpu, problem, cover.scale(), tolerance, draws)?;
        let rows = self.stage.rows.iter();
        let rows: Vec<f64> = rows.map(|r| rewards[*r as usize]).collect();
        let tile = HostTiles::of_goal(cover, &rows, &self.stage.stays);
        let workspace = solver.stage.workspace((1, 1))?;
        let read = solver.solve_tile(&workspace, Source::Put(&tile))?;
        Ok(solver.goal(&read, 0, rewards.to_vec(), (cover.shift(), cover.error())))
    }
}

/// Refuses what there are no shaders for: double precision from the start, and other methods.
pub(super) fn refuse_schedule(problem: &CellProblem) -> Result<(), SolveError> {
    let Schedule {
        method, precision, ..
    } = problem.plan.schedule();
    let refused = match (precision, METHODS.contains(&method)) {
        (Precision::Double, _) => format!("the precision {}", precision.name()),
        (Precision::Mixed, false) => format!("the method {}", method.name()),
        (Precision::Mixed, true) => return Ok(()),
    };
    Err(SolveError::Unsupported {
        backend: NAME,
        feature: refused,
    })
}

impl CellSolver for GpuSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn rest(&self) {
        self.stage.pool.clear();
    }

    fn at_once(&self) -> u64 {
        self.pace.at_once(self.most_at_once)
    }

    fn solve_blocks(&self, blocks: &[Block], parallel: bool) -> Vec<Result<BlockSums, SolveError>> {
        let most = self.most_at_once as usize;
        let mut all = Vec::with_capacity(blocks.len());
        for group in blocks.chunks(most) {
            let started = Instant::now();
            match self.solve_group(group, parallel) {
                Ok(sums) => all.extend(sums.into_iter().map(Ok)),
                Err(error) => all.extend(group.iter().map(|_| Err(error.clone()))),
            }
            self.pace.learn(group.len() as u64, started.elapsed());
        }
        all
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let mut sums = self.solve_blocks(&[block], parallel);
        sums.pop().expect("one block")
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled { stream, indices } => self.solve_sampled(stream, indices),
            Goals::Given(vectors) => {
                let n_rewards = self.stage.rows.len();
                let each = vectors.iter().enumerate().map(|(goal, rewards)| {
                    check_given(goal, rewards, n_rewards)?;
                    self.solve_given(rewards)
                });
                each.collect()
            }
        }
    }
}

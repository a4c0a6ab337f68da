//! One cell on this backend: tiles, chunks of tiles, blocks.

use std::sync::Mutex;

use rayon::prelude::*;

use super::NAME;
use super::glance::{Glances, Glancing};
use super::leftovers::{FEW, Leftovers};
use super::observe::Scratch;
use super::simd::{Level, dispatch};
use super::stage::{Outcome, Source, StageSolver, StageTiles};
use super::sums::{ChunkSums, Done, Goals as TileGoals, Measure, SumJob};
use crate::plan::LEAVES_UP_TO;
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::behaviour::{self, GoalValues, Observer, Strided};
use crate::statistics::{Block, BlockSums, Observations, TILE};
use crate::units::SampleIndex;

/// Tiles per chunk: the unit of parallel work within a block, summed on its own whether or not it ran in parallel.
pub(super) const TILES_PER_CHUNK: u64 = 8;

/// The same where tiles leave goals: at a chunk's end those that are left wait for no others.
const TILES_PER_CHUNK_LEAVING: u64 = 16;

/// Whether tiles of a cell may leave goals. Observations are in the order of the goals.
pub(super) fn may_leave(problem: &CellProblem) -> bool {
    let n_states = problem.plan.model().states().len();
    n_states <= LEAVES_UP_TO && problem.program.plain().is_ok() && problem.observer().is_none()
}

/// Memory of one worker.
#[derive(Debug)]
struct Workspace {
    tiles: StageTiles,
    /// Made when a tile first leaves goals.
    leftovers: Option<Leftovers>,
    /// Of use where more than POWER is asked.
    scratch: Scratch,
    glances: Glances,
}

/// A cell of the plain kind, ready to solve.
#[derive(Debug)]
pub(in crate::solve) struct CpuSolver {
    problem: CellProblem,
    level: Level,
    stage: StageSolver,
    measure: Measure,
    shift: f64,
    /// What is asked beyond POWER.
    observer: Option<Observer>,
    /// How many goals a tile may leave to go on with those of others.
    may_leave: usize,
    /// What tells it of most goals, where a glance does.
    glancing: Option<Glancing>,
    workspaces: Mutex<Vec<Workspace>>,
}

impl CpuSolver {
    pub(in crate::solve) fn new(problem: CellProblem, level: Level) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let stage = problem
            .program
            .plain()
            .map_err(|error| SolveError::Unsupported {
                backend: NAME,
                feature: error.to_string(),
            })?;
        let leaves = problem.plan.schedule().leaves && may_leave(&problem);
        let (model, observer) = (problem.plan.model(), problem.observer());
        let glanced = observer
            .as_ref()
            .filter(|_| model.domain() == RewardDomain::State);
        let glancing = glanced.and_then(|observer| {
            let crossings = observer.crossings()?;
            Some(Glancing::new(crossings, model, observer.tie()))
        });
        Ok(Self {
            level,
            glancing,
            may_leave: if leaves { FEW } else { 0 },
            stage: StageSolver::new(&problem, stage, &problem.plan),
            measure: Measure::new(problem.discount, problem.plan.model().domain()),
            shift: problem.power_scale().shift,
            observer,
            workspaces: Mutex::new(Vec::new()),
            problem,
        })
    }

    fn n_states(&self) -> usize {
        self.problem.plan.model().states().len()
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        let lock = || {
            self.workspaces
                .lock()
                .expect("no worker panics while it holds the lock")
        };
        let mut workspace = lock().pop().unwrap_or_else(|| Workspace {
            tiles: self.stage.tiles(),
            leftovers: None,
            scratch: Scratch::default(),
            glances: Glances::default(),
        });
        let result = work(&mut workspace);
        lock().push(workspace);
        result
    }

    fn solve_chunk(&self, first: u64, end: u64) -> BlockSums {
        let mut sums = ChunkSums::new(self.n_states());
        let observer = self.observer.as_ref();
        let mut observations = observer.map(|o| o.observations((end - first) as usize));
        self.with_workspace(|workspace| {
            for tile in (first..end).step_by(TILE) {
                let count = (end - tile).min(TILE as u64) as usize;
                let is_last = tile + TILE as u64 >= end;
                let outcome = self.add_tile(workspace, (tile, count), is_last, &mut sums);
                if let Some((observer, observations)) = observer.zip(observations.as_mut()) {
                    self.observe(workspace, outcome, tile, count, observer, observations);
                }
            }
            while let Some(leftovers) = &mut workspace.leftovers
                && !leftovers.is_empty()
            {
                self.add_leftovers(leftovers, true, &mut sums);
            }
        });
        let states = self.problem.plan.model().states().iter();
        BlockSums {
            observations: observations.unwrap_or_default(),
            ..sums.finish(states.map(|s| s.state.index()))
        }
    }

    /// Hands the first `count` goals of a certified tile to the observer: those that a glance leaves open, where one is of use, else all.
    fn observe(
        &self,
        workspace: &mut Workspace,
        outcome: Outcome,
        first: u64,
        count: usize,
        observer: &Observer,
        observations: &mut Observations,
    ) {
        let constants = self.stage.limits.constants;
        let Workspace {
            tiles,
            scratch,
            glances,
            ..
        } = workspace;
        let double = tiles.double.as_ref().filter(|_| outcome.is_double());
        let row = observations.goals();
        let mut open = u64::MAX >> (TILE - count);
        if let Some(glancing) = &self.glancing {
            match double {
                Some(tile) => glancing.look(self.level, tile, constants, glances),
                None => glancing.look(self.level, &tiles.single, constants, glances),
            }
            open = observer.glance(&glances.best, count, observations);
        }
        if open == 0 {
            return;
        }
        let model = self.problem.plan.model();
        match double {
            Some(tile) => scratch.read(self.level, tile, model, constants, open),
            None => scratch.read(self.level, &tiles.single, model, constants, open),
        }
        let stream = Stream::Reward;
        while open != 0 {
            let lane = open.trailing_zeros() as usize;
            open &= open - 1;
            let index = SampleIndex(first + lane as u64);
            let drawn = self.problem.goal(stream, index);
            let choice_rewards = match model.domain() {
                RewardDomain::State => None,
                RewardDomain::Choice => Some(self.problem.draw(stream, index)),
            };
            let goal = GoalValues {
                worth: Strided::new(&scratch.worths[lane..], TILE),
                magnitude: scratch.magnitudes[lane],
                settled: None,
                acting: None,
                linked: behaviour::Linked::default(),
                half_width: scratch.half_widths[lane],
                reward: &|state| drawn.reward(state.index()),
                choice_rewards: choice_rewards.as_deref(),
            };
            match self.glancing {
                Some(_) => observer.replace(row + lane, goal, &mut scratch.memory, observations),
                None => observer.observe(goal, &mut scratch.memory, observations),
            }
        }
    }

    /// Solves the tile of `count` goals from `first` on and sums them, but for those that are left to go on with others.
    fn add_tile(
        &self,
        workspace: &mut Workspace,
        (first, count): (u64, usize),
        is_last: bool,
        sums: &mut ChunkSums,
    ) -> Outcome {
        let waiting = workspace.leftovers.as_ref().is_some_and(|l| !l.is_empty());
        let source = Source::Crowd {
            stream: Stream::Reward,
            first,
            goals: count,
            // With nobody to go on with a goal stays where it is.
            may_leave: if is_last && !waiting {
                0
            } else {
                self.may_leave
            },
        };
        let outcome = self.solve_tile_at_level(&mut workspace.tiles, source);
        let limits = &self.stage.limits;
        let mut done = Done {
            lanes: u64::MAX >> (TILE - count),
            goals: TileGoals::Run {
                first,
                sweeps: outcome.sweeps(),
            },
            tolerance: limits.tolerance,
            half_widths: None,
        };
        if !outcome.certified && !outcome.is_double() && outcome.sweeps() < limits.max_sweeps {
            let leftovers = workspace
                .leftovers
                .get_or_insert_with(|| Leftovers::new(&self.stage));
            while leftovers.room() < FEW {
                self.add_leftovers(leftovers, false, sums);
            }
            leftovers.take(&workspace.tiles.single, &outcome.single, &mut done);
        }
        self.sum(&workspace.tiles, outcome, done, sums);
        outcome
    }

    /// Goes on with goals that were left, until most are certified or all, and sums those that are done.
    fn add_leftovers(&self, leftovers: &mut Leftovers, to_the_end: bool, sums: &mut ChunkSums) {
        let way = leftovers.way(to_the_end);
        let goals = leftovers.goals().to_vec();
        let exact = |to: &mut [f64]| {
            let rows = self.problem.plan.model().reward_rows();
            to.fill(0.0);
            for (lane, &(goal, _)) in goals.iter().enumerate() {
                let drawn = self.problem.draw(Stream::Reward, SampleIndex(goal));
                for (to, &row) in to.chunks_exact_mut(TILE).zip(&rows) {
                    to[lane] = drawn[row as usize];
                }
            }
        };
        let source = Source::Left { way, exact: &exact };
        let outcome = self.solve_tile_at_level(&mut leftovers.tiles, source);
        let lanes = leftovers.settled(way, &outcome, &self.stage.limits);
        let done = Done {
            lanes,
            goals: TileGoals::Each(leftovers.goals()),
            tolerance: self.stage.limits.tolerance,
            half_widths: None,
        };
        self.sum(&leftovers.tiles, outcome, done, sums);
        leftovers.close_up(lanes);
    }

    /// Adds the goals of a tile that are done.
    fn sum(&self, tiles: &StageTiles, outcome: Outcome, done: Done<'_>, sums: &mut ChunkSums) {
        let job = SumJob {
            tiles,
            outcome,
            measure: self.measure,
            shift: self.shift,
            done,
            sums,
        };
        dispatch(self.level, job);
    }

    fn solve_tile_at_level(&self, tiles: &mut StageTiles, source: Source<'_>) -> Outcome {
        let limits = &self.stage.limits;
        self.stage.solve_at_level(self.level, limits, tiles, source)
    }

    /// Solves the aligned tile that holds a goal, and returns that goal.
    fn solve_sampled(&self, stream: Stream, index: SampleIndex) -> SolvedGoal {
        let first = index.0 - index.0 % TILE as u64;
        let lane = (index.0 - first) as usize;
        let source = Source::Sampled { stream, first };
        let law = &self.problem.program.stage().law;
        let goal = law.draw(self.problem.seed, stream, index);
        self.extract(source, lane, goal.into_iter().map(f64::from).collect())
    }

    /// Solves a tile and takes one lane out, whose rewards are given.
    fn extract(&self, source: Source<'_>, lane: usize, rewards: Vec<f64>) -> SolvedGoal {
        let result = self.solve_lane(source, lane);
        let model = self.problem.plan.model();
        let mut integrand = vec![0.0; self.n_states()];
        for (x, s) in result.integrand.iter().zip(model.states()) {
            integrand[s.state.index()] = *x;
        }
        SolvedGoal {
            domain: model.domain(),
            rewards,
            integrand,
            settled: None,
            linked: None,
            half_width: result.half_width,
            converged: result.half_width <= self.problem.tolerance,
            sweeps: result.outcome.sweeps(),
        }
    }

    fn solve_lane(&self, source: Source<'_>, lane: usize) -> LaneResult {
        self.with_workspace(|workspace| {
            let outcome = self.solve_tile_at_level(&mut workspace.tiles, source);
            let (integrand, half_width) = match &workspace.tiles.double {
                Some(tile) if outcome.is_double() => {
                    (self.measure.lane(tile, lane), tile.half_width[lane])
                }
                _ => {
                    let tile = &workspace.tiles.single;
                    let width = f64::from(tile.half_width[lane]);
                    (self.measure.lane(tile, lane), width)
                }
            };
            LaneResult {
                integrand,
                half_width,
                outcome,
            }
        })
    }

    /// The work that the tile starting at goal `first` of `stream` takes, with what its residuals tell.
    pub(in crate::solve) fn tile_work(&self, stream: Stream, first: u64) -> Outcome {
        self.solve_lane(Source::Trial { stream, first }, 0).outcome
    }
}

impl CellSolver for CpuSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let chunk = |first, end| self.solve_chunk(first, end);
        let tiles = match self.may_leave {
            0 => TILES_PER_CHUNK,
            _ => TILES_PER_CHUNK_LEAVING,
        };
        Ok(solve_chunks(
            self.n_states(),
            block,
            (tiles, parallel),
            chunk,
        ))
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled { stream, indices } => Ok(indices
                .iter()
                .map(|&i| self.solve_sampled(stream, i))
                .collect()),
            Goals::Given(vectors) => {
                let rows = self.problem.plan.model().reward_rows();
                let each = vectors.iter().enumerate().map(|(goal, vector)| {
                    crate::solve::check_given(goal, vector, rows.len())?;
                    let in_order: Vec<f64> = rows.iter().map(|&r| vector[r as usize]).collect();
                    let source = Source::Given { rewards: &in_order };
                    Ok(self.extract(source, 0, vector.clone()))
                });
                each.collect()
            }
        }
    }
}

/// Sums the goals of a block, a chunk of so many tiles at a time: `chunk` sums those from its first to its second argument.
pub(super) fn solve_chunks(
    n_states: usize,
    block: Block,
    (tiles, parallel): (u64, bool),
    chunk: impl Fn(u64, u64) -> BlockSums + Sync,
) -> BlockSums {
    let goals = tiles * TILE as u64;
    let end = block.first + block.len;
    let solve = |i: u64| {
        let first = block.first + i * goals;
        chunk(first, end.min(first + goals))
    };
    let chunks = 0..block.len.div_ceil(goals);
    let mut total = BlockSums::new(n_states);
    if parallel {
        let parts: Vec<BlockSums> = chunks.into_par_iter().map(solve).collect();
        parts.iter().for_each(|part| total.append(part));
    } else {
        chunks.for_each(|i| total.append(&solve(i)));
    }
    total
}

/// One lane of a solved tile.
struct LaneResult {
    /// In sweep order, `[n_states]`.
    integrand: Vec<f64>,
    half_width: f64,
    outcome: Outcome,
}

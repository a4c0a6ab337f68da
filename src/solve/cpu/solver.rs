//! One cell on this backend: tiles, chunks of tiles, blocks.

use std::sync::Mutex;

use rayon::prelude::*;

use super::NAME;
use super::dense::Dense;
use super::draw::Drawing;
use super::iterate::{Effort, Limits, iterate};
use super::kernel::{Chosen, Deterministic, Kernel, Sparse};
use super::observe::Scratch;
use super::simd::{Isa, Job, Level, dispatch};
use super::sums::{ChunkSums, Goals as TileGoals, Measure};
use super::tile::{Constants, Stay, Tile};
use crate::plan::{KernelClass, SweepModel};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::behaviour::{GoalValues, Observer, Strided};
use crate::statistics::{Block, BlockSums, Observations, TILE};
use crate::units::SampleIndex;

/// Tiles per chunk: the unit of parallel work within a block, summed on its own whether or not it ran in parallel.
const TILES_PER_CHUNK: u64 = 8;

/// Sweeps in double precision before the first residual: single precision came within its rounding of the solution.
const DOUBLE_FIRST_CHECK: u32 = 4;

#[derive(Debug)]
enum Kernels {
    Deterministic(Deterministic<f32>, Deterministic<f64>),
    Sparse(Sparse<f32>, Sparse<f64>),
    Dense(Dense<f32>, Dense<f64>),
    Chosen(Chosen<f32>, Chosen<f64>),
}

/// Memory of one worker.
#[derive(Debug)]
struct Workspace {
    single: Tile<f32>,
    /// Made when a tile first needs it.
    double: Option<Tile<f64>>,
    /// Of use where more than POWER is asked.
    scratch: Scratch,
}

/// A cell, ready to solve.
#[derive(Debug)]
pub(in crate::solve) struct CpuSolver {
    problem: CellProblem,
    level: Level,
    drawing: Drawing,
    kernels: Kernels,
    /// Rewards that can be had for ever.
    stays: Vec<Stay>,
    measure: Measure,
    limits: Limits,
    mean: f64,
    shift: f64,
    /// What is asked beyond POWER.
    observer: Option<Observer>,
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
        let model = problem.plan.model();
        let discount = problem.discount;
        let facts = stage.law.facts();
        // Without a lattice: the digits of the largest reward there can be.
        let digits =
            || 2f64.powi(facts.magnitude().max(f64::MIN_POSITIVE).log2().ceil() as i32 - 24);
        let spacing = stage
            .law
            .lattice()
            .map_or_else(digits, |l| f64::from(l.spacing()));
        let domain = model.domain();
        Ok(Self {
            level,
            drawing: Drawing::new(model.reward_rows(), &stage.law, problem.seed),
            kernels: match (domain, model.class()) {
                (RewardDomain::Choice, _) => Kernels::Chosen(
                    Chosen(Sparse::new(model, discount)),
                    Chosen(Sparse::new(model, discount)),
                ),
                (RewardDomain::State, KernelClass::Deterministic) => Kernels::Deterministic(
                    Deterministic::new(model, discount),
                    Deterministic::new(model, discount),
                ),
                (RewardDomain::State, KernelClass::Sparse) => {
                    Kernels::Sparse(Sparse::new(model, discount), Sparse::new(model, discount))
                }
                (RewardDomain::State, KernelClass::Dense) => {
                    Kernels::Dense(Dense::new(model, discount), Dense::new(model, discount))
                }
            },
            stays: stays(model),
            measure: Measure::new(discount, domain),
            limits: Limits {
                constants: Constants { discount },
                schedule: problem.plan.schedule(),
                spacing,
                tolerance: problem.tolerance,
                max_sweeps: problem.max_sweeps,
                longest_row: model.longest_row(),
            },
            mean: facts.mean,
            shift: problem.power_scale().shift,
            observer: problem.observer(),
            workspaces: Mutex::new(Vec::new()),
            problem,
        })
    }

    fn n_states(&self) -> usize {
        self.problem.plan.model().states().len()
    }

    fn n_rewards(&self) -> usize {
        self.problem.program.stage().law.n_rewards()
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        let lock = || {
            self.workspaces
                .lock()
                .expect("no worker panics while it holds the lock")
        };
        let mut workspace = lock().pop().unwrap_or_else(|| Workspace {
            single: Tile::new(self.n_states(), self.n_rewards()),
            double: None,
            scratch: Scratch::default(),
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
                let outcome = self.add_tile(workspace, tile, end, &mut sums);
                if let Some((observer, observations)) = observer.zip(observations.as_mut()) {
                    let count = (end - tile).min(TILE as u64) as usize;
                    self.observe(workspace, outcome, tile, count, observer, observations);
                }
            }
        });
        let states = self.problem.plan.model().states().iter();
        BlockSums {
            observations: observations.unwrap_or_default(),
            ..sums.finish(states.map(|s| s.state.index()))
        }
    }

    /// Hands the first `count` goals of a certified tile to the observer.
    fn observe(
        &self,
        workspace: &mut Workspace,
        outcome: Outcome,
        first: u64,
        count: usize,
        observer: &Observer,
        observations: &mut Observations,
    ) {
        let (rows, constants) = (self.problem.plan.model().states(), self.limits.constants);
        let scratch = &mut workspace.scratch;
        match &workspace.double {
            Some(tile) if outcome.is_double() => scratch.read(tile, rows, constants),
            _ => scratch.read(&workspace.single, rows, constants),
        }
        let stream = self.problem.program.stage().stream;
        for lane in 0..count {
            let drawn = self.problem.goal(stream, SampleIndex(first + lane as u64));
            let goal = GoalValues {
                worth: Strided::new(&scratch.worths[lane..], TILE),
                magnitude: scratch.magnitudes[lane],
                settled: None,
                acting: None,
                half_width: scratch.half_widths[lane],
                reward: &|state| drawn.reward(state.index()),
            };
            observer.observe(goal, &mut scratch.memory, observations);
        }
    }

    /// Solves the tile that starts at goal `first` and sums its goals below `end`.
    fn add_tile(
        &self,
        workspace: &mut Workspace,
        first: u64,
        end: u64,
        sums: &mut ChunkSums,
    ) -> Outcome {
        let source = Source::Sampled {
            stream: self.problem.program.stage().stream,
            first,
        };
        let outcome = self.solve_tile_at_level(workspace, source);
        let goals = TileGoals {
            first,
            count: (end - first).min(TILE as u64) as usize,
            tolerance: self.problem.tolerance,
            sweeps: outcome.sweeps(),
        };
        let job = SumJob {
            solver: self,
            workspace,
            outcome,
            goals,
            sums,
        };
        dispatch(self.level, job);
        outcome
    }

    fn solve_tile_at_level(&self, workspace: &mut Workspace, source: Source<'_>) -> Outcome {
        let job = SolveJob {
            solver: self,
            workspace,
            source,
        };
        dispatch(self.level, job)
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
            half_width: result.half_width,
            converged: result.half_width <= self.problem.tolerance,
            sweeps: result.outcome.sweeps(),
        }
    }

    fn solve_lane(&self, source: Source<'_>, lane: usize) -> LaneResult {
        self.with_workspace(|workspace| {
            let outcome = self.solve_tile_at_level(workspace, source);
            let (integrand, half_width) = match &workspace.double {
                Some(tile) if outcome.is_double() => {
                    (self.measure.lane(tile, lane), tile.half_width[lane])
                }
                _ => {
                    let tile = &workspace.single;
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

    /// The work that the tile starting at goal `first` of `stream` takes.
    pub(in crate::solve) fn tile_work(&self, stream: Stream, first: u64) -> Outcome {
        self.solve_lane(Source::Sampled { stream, first }, 0)
            .outcome
    }

    /// Solves one tile. The certified tile is in the workspace, in the precision that is returned.
    #[inline(always)]
    fn solve_tile<I: Isa>(
        &self,
        single: &impl Kernel<f32>,
        double: &impl Kernel<f64>,
        workspace: &mut Workspace,
        source: Source<'_>,
    ) -> Outcome {
        let discount = self.problem.discount;
        let tile = &mut workspace.single;
        let mut outcome = Outcome::default();
        if let Source::Sampled { stream, first } = source {
            self.drawing.fill::<I>(stream, first, &mut tile.rewards);
            tile.start::<I::Single>(&self.stays, self.mean, discount);
            let first_check = self.limits.schedule.first_check;
            outcome.single = iterate::<f32, I::Single>(tile, single, &self.limits, first_check);
            let used_up = outcome.single.sweeps >= self.limits.max_sweeps;
            outcome.certified = tile.certified(self.limits.tolerance);
            if outcome.certified || used_up {
                return outcome;
            }
        }
        let wide = workspace
            .double
            .get_or_insert_with(|| Tile::new(self.n_states(), self.n_rewards()));
        match source {
            Source::Sampled { stream, first } => {
                // Drawn again: centred single precision rewards may have been rounded, these are exact.
                self.drawing.fill::<I>(stream, first, &mut tile.rewards);
                for (i, to) in wide.rewards.iter_mut().enumerate() {
                    let centre = tile.centre[i % TILE];
                    *to = f64::from(tile.rewards[i]) - f64::from(centre);
                }
                for (to, from) in wide.values.iter_mut().zip(&tile.values) {
                    *to = f64::from(*from);
                }
                for lane in 0..TILE {
                    wide.centre[lane] = f64::from(tile.centre[lane]);
                    wide.least_reward[lane] = f64::from(tile.least_reward[lane]);
                    wide.most_reward[lane] = f64::from(tile.most_reward[lane]);
                }
            }
            Source::Given { rewards } => {
                for (to, from) in wide.rewards.chunks_exact_mut(TILE).zip(rewards) {
                    to.fill(*from);
                }
                wide.start::<I::Double>(&self.stays, rewards[0], discount);
            }
        }
        let mut limits = self.limits;
        limits.max_sweeps -= outcome.single.sweeps;
        outcome.double = iterate::<f64, I::Double>(wide, double, &limits, DOUBLE_FIRST_CHECK);
        outcome.certified = wide.certified(self.limits.tolerance);
        outcome
    }
}

impl CellSolver for CpuSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let goals = TILES_PER_CHUNK * TILE as u64;
        let end = block.first + block.len;
        let chunk = |i: u64| {
            let first = block.first + i * goals;
            self.solve_chunk(first, end.min(first + goals))
        };
        let chunks = 0..block.len.div_ceil(goals);
        let mut total = BlockSums::new(self.n_states());
        if parallel {
            let parts: Vec<BlockSums> = chunks.into_par_iter().map(chunk).collect();
            parts.iter().for_each(|part| total.append(part));
        } else {
            chunks.for_each(|i| total.append(&chunk(i)));
        }
        Ok(total)
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

/// Where a tile's goals come from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Drawn from the law.
    Sampled { stream: Stream, first: u64 },
    /// One goal from outside, in every lane; rewards in sweep order. Solved in double precision.
    Given { rewards: &'a [f64] },
}

/// Every reward that some choice allows to collect for ever, staying where it is.
fn stays(model: &SweepModel) -> Vec<Stay> {
    let mut stays = Vec::new();
    for (position, state) in model.states().iter().enumerate() {
        let choices = state.choice_first..state.choice_end;
        let mut staying = choices.filter(|&c| model.choices()[c as usize].stay == 1.0);
        match model.domain() {
            RewardDomain::State => stays.extend(staying.next().map(|_| Stay {
                state: position as u32,
                reward: position as u32,
            })),
            RewardDomain::Choice => stays.extend(staying.map(|choice| Stay {
                state: position as u32,
                reward: choice,
            })),
        }
    }
    stays
}

/// How a tile was solved. It ended in double precision if there was any effort in it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::solve) struct Outcome {
    pub(in crate::solve) single: Effort,
    pub(in crate::solve) double: Effort,
    /// Whether every lane met the tolerance.
    pub(in crate::solve) certified: bool,
}

impl Outcome {
    fn sweeps(self) -> u32 {
        self.single.sweeps + self.double.sweeps
    }

    fn is_double(self) -> bool {
        self.double.checks > 0
    }
}

/// One lane of a solved tile.
struct LaneResult {
    /// In sweep order, `[n_states]`.
    integrand: Vec<f64>,
    half_width: f64,
    outcome: Outcome,
}

/// Solves one tile; the certificate is left in the workspace.
struct SolveJob<'a> {
    solver: &'a CpuSolver,
    workspace: &'a mut Workspace,
    source: Source<'a>,
}

impl Job for SolveJob<'_> {
    type Output = Outcome;
    #[inline(always)]
    fn run<I: Isa>(self) -> Outcome {
        let Self {
            solver,
            workspace,
            source,
        } = self;
        match &solver.kernels {
            Kernels::Deterministic(single, double) => {
                solver.solve_tile::<I>(single, double, workspace, source)
            }
            Kernels::Sparse(single, double) => {
                solver.solve_tile::<I>(single, double, workspace, source)
            }
            Kernels::Dense(single, double) => {
                solver.solve_tile::<I>(single, double, workspace, source)
            }
            Kernels::Chosen(single, double) => {
                solver.solve_tile::<I>(single, double, workspace, source)
            }
        }
    }
}

/// Adds a solved tile to the sums of its chunk.
struct SumJob<'a> {
    solver: &'a CpuSolver,
    workspace: &'a Workspace,
    outcome: Outcome,
    goals: TileGoals,
    sums: &'a mut ChunkSums,
}

impl Job for SumJob<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (measure, shift, goals) = (self.solver.measure, self.solver.shift, self.goals);
        match &self.workspace.double {
            Some(tile) if self.outcome.is_double() => {
                self.sums.add::<f64, I::Double>(tile, measure, shift, goals);
            }
            _ => {
                let tile = &self.workspace.single;
                self.sums.add::<f32, I::Single>(tile, measure, shift, goals);
            }
        }
    }
}

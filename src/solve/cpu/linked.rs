//! Goal programs of several stages on this backend: a tile's stages one after the other.
//!
//! Where something is open in any goal of a tile, all stages of the tile are solved again, to [`SHARP`].

use std::sync::Mutex;

use super::NAME;
use super::draw::Drawing;
use super::iterate::Limits;
use super::simd::{Isa, Job, Level, Scalar, dispatch};
use super::solver::{TILES_PER_CHUNK, solve_chunks};
use super::stage::{Choosing, Outcome, Source, StageSolver, StageTiles};
use super::tile::Tile;
use crate::plan::Plan;
use crate::program::Stage;
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::linked::{Eyes, Linked, LinkedTile, SHARP, StageTile, sign_of};
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::{Block, BlockSums, TILE};
use crate::units::{ChoiceId, SampleIndex};

/// How many more sweeps a second pass may take: it has 12 digits to gain where the first had 5.
const MORE_SWEEPS: u32 = 3;

/// Unit roundoff of f32.
const U_SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// What solves one stage.
#[derive(Debug)]
struct Solving {
    solver: StageSolver,
    plan: Plan,
    /// The law's goals, row by row.
    drawing: Drawing,
    /// Limits of the first pass and of the second.
    limits: Limits,
    sharp: Limits,
    /// For every row of a tile, which reward it is.
    rows: Vec<u32>,
}

/// Memory of one worker for one stage.
#[derive(Debug)]
struct StageMemory {
    tiles: StageTiles,
    in_sweep_order: Vec<f64>,
    choosing: Choosing,
}

#[derive(Debug)]
struct Workspace {
    tile: LinkedTile,
    stages: Vec<StageMemory>,
    eyes: Eyes,
}

/// A cell of linked solves.
#[derive(Debug)]
pub(super) struct LinkedSolver {
    linked: Linked,
    level: Level,
    stages: Vec<Solving>,
    /// Whether there is no first pass: statistics of an agent look into ties of the shown stage.
    always_sharp: bool,
    workspaces: Mutex<Vec<Workspace>>,
}

impl Solving {
    fn new(linked: &Linked, position: usize, tolerance: f64) -> Self {
        let problem = &linked.problem;
        let stage = &problem.program.stages()[position];
        let plan = linked.plan(position);
        let solver = StageSolver::new(problem, stage, &plan);
        let rows = (0..stage.law.n_rewards() as u32).collect();
        Self {
            limits: Limits {
                tolerance,
                ..solver.limits
            },
            sharp: Limits {
                tolerance: tolerance.min(SHARP * stage.law.facts().scale),
                max_sweeps: problem.max_sweeps.saturating_mul(MORE_SWEEPS),
                ..solver.limits
            },
            drawing: Drawing::new(rows, &stage.law, problem.seed),
            rows: plan.model().reward_rows(),
            solver,
            plan,
        }
    }

    fn memory(&self, stage: &Stage) -> StageMemory {
        StageMemory {
            tiles: self.solver.tiles(),
            in_sweep_order: vec![0.0; stage.n_rewards() * TILE],
            choosing: Choosing::default(),
        }
    }

    /// Solves a stage whose rewards are there.
    fn solve(
        &self,
        stage: &Stage,
        (level, limits): (Level, &Limits),
        followed: Option<&[ChoiceId]>,
        memory: &mut StageMemory,
        found: &mut StageTile,
    ) -> Outcome {
        let sign = sign_of(stage);
        for (to, &row) in memory.in_sweep_order.chunks_exact_mut(TILE).zip(&self.rows) {
            let from = &found.rewards[row as usize * TILE..][..TILE];
            for (to, from) in to.iter_mut().zip(from) {
                *to = sign * from;
            }
        }
        let model = self.plan.model();
        if let Some(policy) = followed {
            memory.choosing.reset(model.choices().len());
            for (at, choice) in policy.iter().enumerate() {
                memory
                    .choosing
                    .take(model.merged_choice(*choice), at % TILE);
            }
        }
        let source = Source::Made {
            rewards: &memory.in_sweep_order,
            chosen: &memory.choosing,
        };
        let outcome = self
            .solver
            .solve_at_level(level, limits, &mut memory.tiles, source);
        found.sweeps.iter_mut().for_each(|s| *s += outcome.sweeps());
        outcome
    }

    /// Reads the integrands off the certified tile.
    fn read(
        &self,
        stage: &Stage,
        (outcome, is_drawn): (Outcome, bool),
        tiles: &StageTiles,
        found: &mut StageTile,
    ) {
        match &tiles.double {
            Some(tile) if outcome.is_double() => self.read_tile(stage, tile, found),
            _ => {
                let single = &tiles.single;
                if !is_drawn {
                    // Rounded to single precision before they were solved.
                    for lane in 0..TILE {
                        let (low, high) = (single.least_reward[lane], single.most_reward[lane]);
                        let size = f64::from(low.abs().max(high.abs()));
                        found.reward_half_widths[lane] += 1.01 * U_SINGLE * size;
                    }
                }
                self.read_tile(stage, single, found)
            }
        }
    }

    fn read_tile<F: Scalar>(&self, stage: &Stage, tile: &Tile<F>, found: &mut StageTile) {
        let discount = self.plan.discount();
        let sign = sign_of(stage);
        // What `(1 - gamma) max P V + middle + centre` is of: the POWER integrand, or times gamma `(1 - gamma) V` itself.
        let scale = match stage.domain {
            RewardDomain::State => 1.0,
            RewardDomain::Choice => discount.used(),
        };
        let complement = discount.complement();
        let mut constant = [0.0; TILE];
        for (lane, to) in constant.iter_mut().enumerate() {
            *to = scale * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
        }
        for (row, state) in self.plan.model().states().iter().enumerate() {
            let backups = &tile.backup[row * TILE..][..TILE];
            let integrands = &mut found.integrands[state.state.index() * TILE..][..TILE];
            for lane in 0..TILE {
                let x = scale * complement * backups[lane].to_f64() + constant[lane];
                integrands[lane] = sign * x;
            }
        }
        found.own_half_widths = std::array::from_fn(|lane| tile.half_width[lane].to_f64());
    }
}

/// Fills in the goals of a stream.
struct FillJob<'a> {
    drawing: &'a Drawing,
    stream: Stream,
    first: u64,
    to: &'a mut [f32],
}

impl Job for FillJob<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        self.drawing.fill::<I>(self.stream, self.first, self.to);
    }
}

impl LinkedSolver {
    pub(super) fn new(problem: CellProblem, level: Level) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let tolerances = problem.program.tolerances(problem.tolerance);
        let linked = Linked::new(problem);
        let stages = tolerances.into_iter().enumerate();
        Ok(Self {
            level,
            stages: stages
                .map(|(k, tolerance)| Solving::new(&linked, k, tolerance))
                .collect(),
            always_sharp: linked.is_of_agent(),
            workspaces: Mutex::new(Vec::new()),
            linked,
        })
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        let lock = || {
            self.workspaces
                .lock()
                .expect("no worker panics while it holds the lock")
        };
        let program = &self.linked.problem.program;
        let mut workspace = lock().pop().unwrap_or_else(|| Workspace {
            tile: self.linked.tile(),
            stages: (self.stages.iter().zip(program.stages()))
                .map(|(solving, stage)| solving.memory(stage))
                .collect(),
            eyes: Eyes::default(),
        });
        let result = work(&mut workspace);
        lock().push(workspace);
        result
    }

    /// Solves the tile that starts at goal `first`.
    fn solve_tile(&self, workspace: &mut Workspace, first: u64) {
        let stages = workspace.tile.stages.iter_mut();
        stages.for_each(|s| s.sweeps = [0; TILE]);
        if self.always_sharp || !self.pass(workspace, first, false) {
            self.pass(workspace, first, true);
        }
    }

    /// All stages of a tile; whether nothing is open. A first pass ends where something is.
    fn pass(&self, workspace: &mut Workspace, first: u64, sharp: bool) -> bool {
        let program = &self.linked.problem.program;
        let tile = &mut workspace.tile;
        for (k, (solving, stage)) in self.stages.iter().zip(program.stages()).enumerate() {
            let memory = &mut workspace.stages[k];
            let draw = |stream, to: &mut [f32]| {
                let drawing = &solving.drawing;
                let job = FillJob {
                    drawing,
                    stream,
                    first,
                    to,
                };
                dispatch(self.level, job);
            };
            self.linked.make_rewards(k, first, tile, draw);
            let limits = if sharp {
                &solving.sharp
            } else {
                &solving.limits
            };
            let (earlier, rest) = tile.stages.split_at_mut(k);
            let followed = stage.leader().map(|leader| earlier[leader].policy());
            let found = &mut rest[0];
            let outcome = solving.solve(stage, (self.level, limits), followed, memory, found);
            let is_drawn = self.linked.is_drawn(k);
            solving.read(stage, (outcome, is_drawn), &memory.tiles, found);
            self.linked.settle(k, tile);
            let open = self.linked.link(k, tile);
            if !sharp && open.contains(&true) {
                return false;
            }
        }
        !self.linked.read(tile).contains(&true)
    }

    fn solve_chunk(&self, first: u64, end: u64) -> BlockSums {
        let n_states = self.linked.problem.program.stage().mdp.n_states();
        let mut sums = BlockSums::new(n_states);
        sums.observations = self.linked.observations((end - first) as usize);
        self.with_workspace(|workspace| {
            for tile in (first..end).step_by(TILE) {
                self.solve_tile(workspace, tile);
                let count = (end - tile).min(TILE as u64) as usize;
                let Workspace {
                    tile: found, eyes, ..
                } = workspace;
                self.linked.add(found, (tile, count), eyes, &mut sums);
            }
        });
        sums
    }

    /// Solves the aligned tile that holds a goal, and returns the stage of it that is shown.
    fn solve_sampled(&self, index: SampleIndex) -> SolvedGoal {
        let first = index.0 - index.0 % TILE as u64;
        self.with_workspace(|workspace| {
            self.solve_tile(workspace, first);
            self.linked
                .goal(&workspace.tile, (index.0 - first) as usize)
        })
    }
}

impl CellSolver for LinkedSolver {
    fn problem(&self) -> &CellProblem {
        &self.linked.problem
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let n_states = self.linked.problem.program.stage().mdp.n_states();
        let chunk = |first, end| self.solve_chunk(first, end);
        Ok(solve_chunks(
            n_states,
            block,
            (TILES_PER_CHUNK, parallel),
            chunk,
        ))
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        let indices = self.linked.sampled(NAME, goals)?;
        Ok(indices.iter().map(|i| self.solve_sampled(*i)).collect())
    }
}

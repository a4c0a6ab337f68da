//! Goal programs of several stages on this backend: a tile's stages one after the other.
//!
//! Where something is open in any goal of a tile, all stages of the tile are solved again, to [`SHARP`].

use std::sync::Mutex;

use super::NAME;
use super::draw::Drawing;
use super::iterate::Limits;
use super::simd::{Isa, Job, Level, Scalar, dispatch};
use super::solver::{TILES_PER_CHUNK, solve_chunks};
use super::stage::{Choosing, Outcome, Put, Source, StageSolver, StageTiles};
use super::sums::{ChunkSums, Done, Goals as TileGoals, Measure, SumJob};
use super::tile::Tile;
use crate::plan::Plan;
use crate::program::Stage;
use crate::rng::Stream;
use crate::solve::linked::{Extent, Eyes, Linked, LinkedTile, SHARP, StageTile, sign_of};
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
    measure: Measure,
    /// Limits of the first pass and of the second.
    limits: Limits,
    sharp: Limits,
    goals: StageGoals,
    /// Rows of a tile whose states are kept, with those.
    read: [Vec<(u32, u32)>; 2],
}

/// How a stage's goals come into its tile.
#[derive(Debug)]
enum StageGoals {
    /// They are drawn there, all but rewards with terms.
    Direct {
        stream: Stream,
        /// The rewards that are kept, to an extent.
        kept: Box<[Drawing; 2]>,
        /// Rows of a tile with terms, and which rewards those are.
        put: Vec<(u32, u32)>,
    },
    /// They are made of the law's goals, which are drawn row by row.
    Made {
        drawing: Drawing,
        /// For every row of a tile, which reward it is.
        rows: Vec<u32>,
    },
}

/// Memory of one worker for one stage.
#[derive(Debug)]
struct StageMemory {
    tiles: StageTiles,
    /// How the tile was solved last.
    outcome: Outcome,
    /// Rewards in sweep order, or the drawn ones of those that are kept.
    in_sweep_order: Vec<f64>,
    kept: Vec<f32>,
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
    shift: f64,
    workspaces: Mutex<Vec<Workspace>>,
}

/// Both extents, as arrays of two have them.
const EXTENTS: [Extent; 2] = [Extent::All, Extent::Read];

fn at(extent: Extent) -> usize {
    match extent {
        Extent::All => 0,
        Extent::Read => 1,
    }
}

impl Solving {
    fn new(linked: &Linked, position: usize, tolerance: f64) -> Self {
        let problem = &linked.problem;
        let stage = &problem.program.stages()[position];
        let plan = linked.plan(position);
        let solver = StageSolver::new(problem, stage, &plan);
        let model = plan.model();
        let draw = |rows: Vec<u32>| Drawing::new(rows, &stage.law, problem.seed);
        let goals = match linked.direct(position) {
            Some(stream) => {
                let rows = model.reward_rows().into_iter().enumerate();
                let has_terms = |reward: u32| stage.terms.iter().any(|t| t.row == reward);
                let put = rows.filter(|(_, reward)| has_terms(*reward));
                StageGoals::Direct {
                    stream,
                    kept: Box::new(
                        EXTENTS.map(|extent| draw(linked.rows(position, extent).rewards.clone())),
                    ),
                    put: put.map(|(row, reward)| (row as u32, reward)).collect(),
                }
            }
            None => StageGoals::Made {
                drawing: draw((0..stage.law.n_rewards() as u32).collect()),
                rows: model.reward_rows(),
            },
        };
        let read = EXTENTS.map(|extent| {
            let kept = &linked.rows(position, extent).states;
            let rows = model.states().iter().enumerate();
            let rows = rows.map(|(row, s)| (row as u32, s.state.0));
            rows.filter(|(_, s)| kept.binary_search(s).is_ok())
                .collect()
        });
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
            measure: Measure::new(problem.discount, stage.domain).signed(sign_of(stage)),
            goals,
            read,
            solver,
            plan,
        }
    }

    fn memory(&self, stage: &Stage) -> StageMemory {
        let rewards = match &self.goals {
            StageGoals::Direct { .. } => 0,
            StageGoals::Made { .. } => stage.n_rewards(),
        };
        StageMemory {
            tiles: self.solver.tiles(),
            outcome: Outcome::default(),
            in_sweep_order: vec![0.0; rewards * TILE],
            kept: Vec::new(),
            choosing: Choosing::default(),
        }
    }

    /// Solves a stage whose rewards are there, of the tile that starts at goal `first`.
    fn solve(
        &self,
        stage: &Stage,
        (level, limits, first): (Level, &Limits, u64),
        followed: Option<&[ChoiceId]>,
        memory: &mut StageMemory,
        found: &mut StageTile,
    ) {
        let model = self.plan.model();
        if let Some(policy) = followed {
            memory.choosing.reset(model.choices().len());
            for (at, choice) in policy.iter().enumerate() {
                memory
                    .choosing
                    .take(model.merged_choice(*choice), at % TILE);
            }
        }
        let source = match &self.goals {
            StageGoals::Direct { stream, put, .. } => Source::Drawn {
                stream: *stream,
                first,
                put: Put {
                    rows: put,
                    rewards: &found.rewards,
                },
                chosen: &memory.choosing,
            },
            StageGoals::Made { rows, .. } => {
                let sign = sign_of(stage);
                for (to, &row) in memory.in_sweep_order.chunks_exact_mut(TILE).zip(rows) {
                    let from = &found.rewards[row as usize * TILE..][..TILE];
                    for (to, from) in to.iter_mut().zip(from) {
                        *to = sign * from;
                    }
                }
                Source::Made {
                    rewards: &memory.in_sweep_order,
                    chosen: &memory.choosing,
                }
            }
        };
        let tiles = &mut memory.tiles;
        memory.outcome = self.solver.solve_at_level(level, limits, tiles, source);
        let sweeps = memory.outcome.sweeps();
        found.sweeps.iter_mut().for_each(|s| *s += sweeps);
    }
}

/// Makes the rewards of a stage.
struct RewardJob<'a> {
    solver: &'a LinkedSolver,
    position: usize,
    first: u64,
    tile: &'a mut LinkedTile,
    memory: &'a mut StageMemory,
}

impl Job for RewardJob<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let linked = &self.solver.linked;
        match &self.solver.stages[self.position].goals {
            StageGoals::Direct { stream, kept, .. } => {
                let extent = self.tile.extent;
                let rows = linked.rows(self.position, extent).rewards.len();
                let goals = &mut self.memory.kept;
                goals.resize(rows * TILE, 0.0);
                kept[at(extent)].fill::<I>(*stream, self.first, goals);
                linked.take_drawn(self.position, self.tile, goals);
            }
            StageGoals::Made { drawing, .. } => {
                let draw = |stream, to: &mut [f32]| drawing.fill::<I>(stream, self.first, to);
                linked.make_rewards(self.position, self.first, self.tile, draw);
            }
        }
    }
}

/// Reads what is kept of a stage off its certified tile.
struct ReadJob<'a> {
    solver: &'a LinkedSolver,
    position: usize,
    tile: &'a mut LinkedTile,
    memory: &'a StageMemory,
}

impl Job for ReadJob<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let Self {
            solver,
            position,
            tile,
            memory,
        } = self;
        let solving = &solver.stages[position];
        let read = &solving.read[at(tile.extent)];
        let found = &mut tile.stages[position];
        match &memory.tiles.double {
            Some(wide) if memory.outcome.is_double() => {
                read_tile(solving.measure, wide, read, found)
            }
            _ => {
                let single = &memory.tiles.single;
                if !solver.linked.is_drawn(position) {
                    // Rounded to single precision before they were solved.
                    for lane in 0..TILE {
                        let (low, high) = (single.least_reward[lane], single.most_reward[lane]);
                        let size = f64::from(low.abs().max(high.abs()));
                        found.reward_half_widths[lane] += 1.01 * U_SINGLE * size;
                    }
                }
                read_tile(solving.measure, single, read, found);
            }
        }
        solver.linked.settle(position, tile);
    }
}

/// Reads the policy off a stage that a later one follows.
struct LinkJob<'a> {
    linked: &'a Linked,
    position: usize,
    tile: &'a mut LinkedTile,
}

impl Job for LinkJob<'_> {
    type Output = [bool; TILE];
    #[inline(always)]
    fn run<I: Isa>(self) -> [bool; TILE] {
        self.linked.link(self.position, self.tile)
    }
}

#[inline(always)]
fn read_tile<F: Scalar>(
    measure: Measure,
    tile: &Tile<F>,
    read: &[(u32, u32)],
    found: &mut StageTile,
) {
    let (factor, constants) = (measure.factor(), measure.constants(tile));
    for &(row, state) in read {
        let backups = &tile.backup[row as usize * TILE..][..TILE];
        let integrands = &mut found.integrands[state as usize * TILE..][..TILE];
        for ((to, x), constant) in integrands.iter_mut().zip(backups).zip(&constants) {
            *to = factor * x.to_f64() + constant;
        }
    }
    for lane in 0..TILE {
        let (least, most) = (tile.least_reward[lane], tile.most_reward[lane]);
        found.reward_ranges[lane] = most.to_f64() - least.to_f64();
        found.own_half_widths[lane] = tile.half_width[lane].to_f64();
    }
}

impl LinkedSolver {
    pub(super) fn new(problem: CellProblem, level: Level) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let tolerances = problem.program.tolerances(problem.tolerance);
        let shift = problem.power_scale().shift;
        let linked = Linked::new(problem);
        let stages = tolerances.into_iter().enumerate();
        Ok(Self {
            level,
            stages: stages
                .map(|(k, tolerance)| Solving::new(&linked, k, tolerance))
                .collect(),
            always_sharp: linked.is_of_agent(),
            shift,
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
            tile: self.linked.tile(Extent::Read),
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
        let memories = workspace.stages.iter_mut();
        memories.for_each(|m| m.tiles.solved = None);
        if self.always_sharp || !self.pass(workspace, first, false) {
            self.pass(workspace, first, true);
        }
    }

    /// All stages of a tile; whether nothing is open. A first pass ends where something is; a second one goes on from what the first one found.
    fn pass(&self, workspace: &mut Workspace, first: u64, sharp: bool) -> bool {
        let program = &self.linked.problem.program;
        let tile = &mut workspace.tile;
        for (k, (solving, stage)) in self.stages.iter().zip(program.stages()).enumerate() {
            let memory = &mut workspace.stages[k];
            let job = RewardJob {
                solver: self,
                position: k,
                first,
                tile,
                memory,
            };
            dispatch(self.level, job);
            let limits = match sharp {
                true => &solving.sharp,
                false => &solving.limits,
            };
            let (earlier, rest) = tile.stages.split_at_mut(k);
            let followed = stage.leader().map(|leader| earlier[leader].policy());
            let how = (self.level, limits, first);
            solving.solve(stage, how, followed, memory, &mut rest[0]);
            memory.tiles.solved = Some(memory.outcome);
            let job = ReadJob {
                solver: self,
                position: k,
                tile,
                memory,
            };
            dispatch(self.level, job);
            let job = LinkJob {
                linked: &self.linked,
                position: k,
                tile,
            };
            let open = dispatch(self.level, job);
            if !sharp && open.contains(&true) {
                return false;
            }
        }
        !self.linked.read(tile).contains(&true)
    }

    fn solve_chunk(&self, first: u64, end: u64) -> BlockSums {
        let shown = self.linked.problem.program.shown();
        let states = self.stages[shown].plan.model().states();
        let mut sums = ChunkSums::new(states.len());
        let mut observations = self.linked.observations((end - first) as usize);
        self.with_workspace(|workspace| {
            workspace.tile.extent = Extent::Read;
            for tile in (first..end).step_by(TILE) {
                self.solve_tile(workspace, tile);
                let count = (end - tile).min(TILE as u64) as usize;
                let job = SumJob {
                    tiles: &workspace.stages[shown].tiles,
                    outcome: workspace.stages[shown].outcome,
                    measure: self.stages[shown].measure,
                    shift: self.shift,
                    done: Done {
                        // A tile stops as one.
                        lanes: u64::MAX >> (TILE - count),
                        goals: TileGoals::Run {
                            first: tile,
                            sweeps: workspace.tile.sweeps(0),
                        },
                        tolerance: self.linked.problem.tolerance,
                        half_widths: Some(&workspace.tile.stages[shown].half_widths),
                    },
                    sums: &mut sums,
                };
                dispatch(self.level, job);
                let Workspace {
                    tile: found, eyes, ..
                } = workspace;
                self.linked.observe(found, count, eyes, &mut observations);
            }
        });
        BlockSums {
            observations,
            ..sums.finish(states.iter().map(|s| s.state.index()))
        }
    }

    /// Solves the aligned tile that holds a goal, and returns the stage of it that is shown.
    fn solve_sampled(&self, index: SampleIndex) -> SolvedGoal {
        let first = index.0 - index.0 % TILE as u64;
        self.with_workspace(|workspace| {
            workspace.tile.extent = Extent::All;
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

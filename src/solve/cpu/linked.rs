//! Goal programs of several stages: a tile's stages one after the other, each made of what the earlier ones found.
//!
//! A tile is first solved to the cell's tolerance, which the stages share. Where that misses it, or leaves open which policy a stage follows or
//! how a reading stands to zero, in any of its goals, all stages of the tile are solved again to [`SHARP`], where ties show as ties.

use std::sync::Mutex;

use super::NAME;
use super::draw::Drawing;
use super::iterate::Limits;
use super::simd::{Isa, Job, Level, Scalar, dispatch};
use super::solver::solve_chunks;
use super::stage::{Choosing, Outcome, Source, StageSolver, StageTiles};
use super::tile::Tile;
use crate::plan::Plan;
use crate::program::{Drawn, Interval, Operator, Policies, Sign, Stage, StageValues};
use crate::reward::{GoalLaw, PairLaw, RewardDomain};
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::behaviour::{self, Acting, GoalValues, Memory, Observer, Strided};
use crate::statistics::{Block, BlockSums, Observed, TILE};
use crate::units::{ChoiceId, SampleIndex, Seed};

/// Half-width that a second pass is solved to, relative to the law's scale: a hundredth of a tie.
const SHARP: f64 = 1e-12;

/// How many more sweeps a second pass may take: it has 12 digits to gain where the first had 5.
const MORE_SWEEPS: u32 = 3;

/// Unit roundoffs.
const U: f64 = f64::EPSILON / 2.0;
const U_SINGLE: f64 = f32::EPSILON as f64 / 2.0;

/// Where the rewards of a part come from.
#[derive(Debug)]
enum PartSource {
    /// Drawn as the law says.
    Stream(Drawing, Stream),
    /// The second goal of a pair.
    Pair(PairLaw),
    /// The same for every goal, `[n_rewards]` of the law.
    Fixed(Vec<f64>),
}

/// One stage and what is known of it before the first goal.
#[derive(Debug)]
struct Linked {
    solver: StageSolver,
    plan: Plan,
    /// Limits of the first pass and of the second.
    limits: Limits,
    sharp: Limits,
    sources: Vec<PartSource>,
    /// For every reward, which one of the law's it is.
    law_rows: Vec<u32>,
    /// For every row of a tile, which reward it is.
    rows: Vec<u32>,
    /// Whether its rewards are drawn ones, which single precision holds.
    is_drawn: bool,
    /// Where a later stage follows it.
    policies: Option<Policies>,
}

/// Memory of one worker for one stage. All but the tiles is by state, reward or choice of the MDP, `[.., TILE]`.
#[derive(Debug)]
struct StageMemory {
    tiles: StageTiles,
    rewards: Vec<f64>,
    in_sweep_order: Vec<f64>,
    integrands: Vec<f64>,
    worths: Vec<f64>,
    policy: Vec<ChoiceId>,
    /// Whether a choice of the policy is open, for every goal.
    policy_open: [bool; TILE],
    choosing: Choosing,
    sweeps: u32,
    /// Half-widths of the integrands, the worths and the rewards.
    half_widths: [f64; TILE],
    worth_half_widths: [f64; TILE],
    reward_half_widths: [f64; TILE],
    /// Largest |worth|.
    magnitudes: [f64; TILE],
}

#[derive(Debug)]
struct Workspace {
    stages: Vec<StageMemory>,
    readings: Vec<Interval<TILE>>,
    memory: Memory,
    acting: Acting,
}

/// A cell of linked solves.
#[derive(Debug)]
pub(super) struct LinkedSolver {
    problem: CellProblem,
    level: Level,
    stages: Vec<Linked>,
    observer: Option<Observer>,
    /// Whether there is no first pass: statistics of an agent look into ties of the shown stage.
    always_sharp: bool,
    scale: f64,
    workspaces: Mutex<Vec<Workspace>>,
}

impl Linked {
    fn new(problem: &CellProblem, position: usize, tolerance: f64) -> Self {
        let program = &problem.program;
        let stage = &program.stages()[position];
        let plan = match position == program.shown() {
            true => (*problem.plan).clone(),
            false => Plan::draw_for(&stage.mdp, problem.discount, stage.domain)
                .with_schedule(problem.plan.schedule()),
        };
        let solver = StageSolver::new(problem, stage, &plan);
        let source = |goal: Drawn| match (goal.stream(), goal) {
            (Some(stream), _) => {
                let rows = (0..stage.law.n_rewards() as u32).collect();
                PartSource::Stream(Drawing::new(rows, &stage.law, problem.seed), stream)
            }
            (None, Drawn::Second(coupling)) => {
                PartSource::Pair(PairLaw::new(stage.law.clone(), coupling))
            }
            (None, _) => PartSource::Fixed(Drawn::mean(&stage.law)),
        };
        let one = |weight: f64| weight == 1.0;
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
            sources: stage.parts.iter().map(|p| source(p.goal)).collect(),
            law_rows: stage.law_rows(),
            rows: plan.model().reward_rows(),
            is_drawn: stage.terms.is_empty()
                && stage.parts.len() == 1
                && stage
                    .parts
                    .iter()
                    .all(|p| one(p.weight) && p.goal != Drawn::Mean),
            policies: program
                .is_followed(position)
                .then(|| Policies::of(stage, problem.discount)),
            solver,
            plan,
        }
    }

    fn memory(&self, stage: &Stage) -> StageMemory {
        let (states, rewards) = (stage.mdp.n_states() * TILE, stage.n_rewards() * TILE);
        StageMemory {
            tiles: self.solver.tiles(),
            rewards: vec![0.0; rewards],
            in_sweep_order: vec![0.0; rewards],
            integrands: vec![0.0; states],
            worths: vec![0.0; states],
            policy: vec![ChoiceId(0); states],
            policy_open: [false; TILE],
            choosing: Choosing::default(),
            sweeps: 0,
            half_widths: [0.0; TILE],
            worth_half_widths: [0.0; TILE],
            reward_half_widths: [0.0; TILE],
            magnitudes: [0.0; TILE],
        }
    }

    /// Puts the rewards of a tile together, and their half-widths.
    fn make_rewards(
        &self,
        stage: &Stage,
        (level, seed, first): (Level, Seed, u64),
        earlier: &[StageMemory],
        memory: &mut StageMemory,
    ) {
        memory.rewards.fill(0.0);
        let mut goals = vec![0.0_f32; stage.law.n_rewards() * TILE];
        for (part, source) in stage.parts.iter().zip(&self.sources) {
            if !matches!(source, PartSource::Fixed(_)) {
                source.fill(level, seed, first, &stage.law, &mut goals);
            }
            let each = memory.rewards.chunks_exact_mut(TILE).zip(&self.law_rows);
            for (row, (to, &from)) in each.enumerate() {
                if part.rows.as_ref().is_some_and(|rows| !rows[row]) {
                    continue;
                }
                match source {
                    PartSource::Fixed(x) => {
                        to.iter_mut()
                            .for_each(|to| *to += part.weight * x[from as usize]);
                    }
                    _ => {
                        let goals = &goals[from as usize * TILE..][..TILE];
                        for (to, x) in to.iter_mut().zip(goals) {
                            *to += part.weight * f64::from(*x);
                        }
                    }
                }
            }
        }
        let values: Vec<_> = earlier.iter().map(StageMemory::values).collect();
        let scale = stage.law.facts().scale;
        // Every sum errs by u of the sizes of its terms for each of them.
        let rounding = match self.is_drawn {
            true => 0.0,
            false => 2.0 * (stage.terms.len() + stage.parts.len()) as f64 * U,
        };
        let weights: f64 = stage.parts.iter().map(|p| p.weight.abs()).sum();
        memory.reward_half_widths = [rounding * weights * stage.law.facts().magnitude(); TILE];
        // Terms of one reward add up: half-widths of a row, one after the other.
        let mut of_row = (u32::MAX, memory.reward_half_widths);
        let least = memory.reward_half_widths;
        for term in &stage.terms {
            let found: Interval<TILE> = term.expression.evaluate(&values, scale);
            if of_row.0 != term.row {
                of_row = (term.row, least);
            }
            let to = &mut memory.rewards[term.row as usize * TILE..][..TILE];
            for (lane, to) in to.iter_mut().enumerate() {
                let (x, half) = (found.value[lane], found.half_width[lane]);
                *to += x;
                of_row.1[lane] += half + rounding * (x.abs() + half);
                let widest = &mut memory.reward_half_widths[lane];
                *widest = larger(*widest, of_row.1[lane]);
            }
        }
    }

    /// Solves a stage whose rewards are there.
    fn solve(
        &self,
        stage: &Stage,
        level: Level,
        limits: &Limits,
        followed: Option<&[ChoiceId]>,
        memory: &mut StageMemory,
    ) {
        let sign = sign_of(stage);
        for (to, &row) in memory.in_sweep_order.chunks_exact_mut(TILE).zip(&self.rows) {
            let from = &memory.rewards[row as usize * TILE..][..TILE];
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
        memory.sweeps += outcome.sweeps();
        self.read(stage, outcome, memory);
    }

    /// Reads integrands and worths off the certified tile.
    fn read(&self, stage: &Stage, outcome: Outcome, memory: &mut StageMemory) {
        let tiles = memory.tiles.double.take();
        match &tiles {
            Some(tile) if outcome.is_double() => self.read_tile(stage, tile, memory),
            _ => {
                let single = std::mem::replace(&mut memory.tiles.single, Tile::new(0, 0));
                if !self.is_drawn {
                    // Rounded to single precision before they were solved.
                    for lane in 0..TILE {
                        let (low, high) = (single.least_reward[lane], single.most_reward[lane]);
                        let size = f64::from(low.abs().max(high.abs()));
                        memory.reward_half_widths[lane] += 1.01 * U_SINGLE * size;
                    }
                }
                self.read_tile(stage, &single, memory);
                memory.tiles.single = single;
            }
        }
        memory.tiles.double = tiles;
    }

    fn read_tile<F: Scalar>(&self, stage: &Stage, tile: &Tile<F>, memory: &mut StageMemory) {
        let discount = self.plan.discount();
        let (used, complement) = (discount.used(), discount.complement());
        let sign = sign_of(stage);
        // What `(1 - gamma) max P V + middle + centre` is of: the POWER integrand, or times gamma `(1 - gamma) V` itself.
        let scale = match stage.domain {
            RewardDomain::State => 1.0,
            RewardDomain::Choice => used,
        };
        let mut constant = [0.0; TILE];
        for (lane, to) in constant.iter_mut().enumerate() {
            *to = scale * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
        }
        memory.magnitudes = [0.0; TILE];
        for (row, state) in self.plan.model().states().iter().enumerate() {
            let at = state.state.index() * TILE;
            let backups = &tile.backup[row * TILE..][..TILE];
            let integrands = &mut memory.integrands[at..][..TILE];
            let worths = &mut memory.worths[at..][..TILE];
            for lane in 0..TILE {
                let x = scale * complement * backups[lane].to_f64() + constant[lane];
                integrands[lane] = sign * x;
                worths[lane] = match stage.domain {
                    RewardDomain::State => {
                        complement * memory.rewards[at + lane] + used * integrands[lane]
                    }
                    RewardDomain::Choice => integrands[lane],
                };
                let most = &mut memory.magnitudes[lane];
                *most = larger(*most, worths[lane].abs());
            }
        }
        let of_worth = if stage.domain == RewardDomain::State {
            used
        } else {
            1.0
        };
        for lane in 0..TILE {
            let own = tile.half_width[lane].to_f64();
            let of_reward = memory.reward_half_widths[lane];
            memory.half_widths[lane] = own + of_reward;
            memory.worth_half_widths[lane] =
                of_worth * own + of_reward + 4.0 * U * memory.magnitudes[lane];
        }
    }
}

/// Fills a part's goals.
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

impl PartSource {
    /// Draws goals `first..first + TILE` of the law, `[n_rewards, TILE]`.
    fn fill(&self, level: Level, seed: Seed, first: u64, law: &GoalLaw, to: &mut [f32]) {
        match self {
            Self::Stream(drawing, stream) => {
                let stream = *stream;
                let job = FillJob {
                    drawing,
                    stream,
                    first,
                    to,
                };
                dispatch(level, job);
            }
            Self::Pair(pair) => {
                for lane in 0..TILE {
                    let (_, second) = pair.draw(seed, SampleIndex(first + lane as u64));
                    for (row, x) in second.iter().enumerate() {
                        to[row * TILE + lane] = *x;
                    }
                }
            }
            Self::Fixed(means) => {
                debug_assert_eq!(means.len(), law.n_rewards());
            }
        }
    }
}

impl StageMemory {
    fn values(&self) -> StageValues<'_> {
        StageValues {
            worths: &self.worths,
            half_widths: &self.worth_half_widths,
            rewards: &self.rewards,
            reward_half_widths: &self.reward_half_widths,
        }
    }

    /// The policy of a goal may be any: values lie between the smallest and the largest reward, and that is all.
    fn know_nothing(&mut self, lane: usize) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let rewards = self.rewards[lane..].iter().step_by(TILE);
        let (low, high) = rewards.fold(ends, |(l, h), &r| (l.min(r), h.max(r)));
        self.half_widths[lane] = (high - low) + 2.0 * self.reward_half_widths[lane];
        self.worth_half_widths[lane] = self.half_widths[lane];
    }
}

/// 1, or -1 where the least of V is sought: that is minus the largest of the values of -R.
fn sign_of(stage: &Stage) -> f64 {
    match stage.operator {
        Operator::Min => -1.0,
        Operator::Max | Operator::Follow { .. } => 1.0,
    }
}

/// The larger of two; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

impl LinkedSolver {
    pub(super) fn new(problem: CellProblem, level: Level) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        let tolerances = problem.program.tolerances(problem.tolerance);
        let stages = tolerances.into_iter().enumerate();
        let statistics = problem.asked.statistics().iter();
        let readings = |name: &str| name == "readings";
        Ok(Self {
            level,
            stages: stages
                .map(|(k, tolerance)| Linked::new(&problem, k, tolerance))
                .collect(),
            observer: problem.observer(),
            always_sharp: statistics.clone().any(|s| !readings(s.name())),
            scale: problem.program.stage().law.facts().scale,
            workspaces: Mutex::new(Vec::new()),
            problem,
        })
    }

    fn with_workspace<T>(&self, work: impl FnOnce(&mut Workspace) -> T) -> T {
        let lock = || {
            self.workspaces
                .lock()
                .expect("no worker panics while it holds the lock")
        };
        let stages = || self.stages.iter().zip(self.problem.program.stages());
        let mut workspace = lock().pop().unwrap_or_else(|| Workspace {
            stages: stages()
                .map(|(linked, stage)| linked.memory(stage))
                .collect(),
            readings: Vec::new(),
            memory: Memory::default(),
            acting: Acting::default(),
        });
        let result = work(&mut workspace);
        lock().push(workspace);
        result
    }

    /// Solves the tile that starts at goal `first`.
    fn solve_tile(&self, workspace: &mut Workspace, first: u64) {
        workspace.stages.iter_mut().for_each(|s| s.sweeps = 0);
        if self.always_sharp || !self.pass(workspace, first, false) {
            self.pass(workspace, first, true);
        }
    }

    /// All stages of a tile; whether nothing is open. A first pass ends where something is.
    fn pass(&self, workspace: &mut Workspace, first: u64, sharp: bool) -> bool {
        let program = &self.problem.program;
        for (k, (linked, stage)) in self.stages.iter().zip(program.stages()).enumerate() {
            let (earlier, rest) = workspace.stages.split_at_mut(k);
            let memory = &mut rest[0];
            let place = (self.level, self.problem.seed, first);
            linked.make_rewards(stage, place, earlier, memory);
            let leader = stage.leader();
            let limits = if sharp { &linked.sharp } else { &linked.limits };
            let followed = leader.map(|l| &earlier[l].policy[..]);
            linked.solve(stage, self.level, limits, followed, memory);
            if let Some(leader) = leader {
                let open = earlier[leader].policy_open.iter().enumerate();
                open.filter(|(_, open)| **open)
                    .for_each(|(lane, _)| memory.know_nothing(lane));
            }
            if let Some(policies) = &linked.policies {
                let mut policy = std::mem::take(&mut memory.policy);
                let open = policies.decide::<TILE>(&memory.values(), &mut policy);
                memory.policy = policy;
                memory.policy_open = open;
                if !sharp && open.contains(&true) {
                    return false;
                }
            }
        }
        let shown = &workspace.stages[program.shown()];
        let tolerance = self.problem.tolerance;
        let within = shown.half_widths.iter().all(|half| *half <= tolerance);
        self.read(workspace) && within
    }

    /// Evaluates the readings; whether the sign of every signed one is known for all goals.
    fn read(&self, workspace: &mut Workspace) -> bool {
        let values: Vec<_> = workspace.stages.iter().map(StageMemory::values).collect();
        let mut sure = true;
        workspace.readings.clear();
        for reading in self.problem.program.readings() {
            let found: Interval<TILE> = reading.expression.evaluate(&values, self.scale);
            let sign = |lane| Sign::of(found.value[lane], found.half_width[lane], self.scale);
            sure &= !reading.signed || (0..TILE).all(|lane| sign(lane) != Sign::Open);
            workspace.readings.push(found);
        }
        sure
    }

    fn solve_chunk(&self, first: u64, end: u64) -> BlockSums {
        let program = &self.problem.program;
        let mut sums = BlockSums::new(program.stage().mdp.n_states());
        if let Some(observer) = &self.observer {
            sums.observations = observer.observations((end - first) as usize);
        }
        let shift = self.problem.power_scale().shift;
        self.with_workspace(|workspace| {
            for tile in (first..end).step_by(TILE) {
                self.solve_tile(workspace, tile);
                let count = (end - tile).min(TILE as u64) as usize;
                let shown = &workspace.stages[program.shown()];
                let rows = shown.integrands.chunks_exact(TILE).enumerate();
                for (state, row) in rows {
                    let centred = row[..count].iter().map(|x| x - shift);
                    sums.power[state] += centred.clone().sum::<f64>();
                    sums.power_squared[state] += centred.map(|x| x * x).sum::<f64>();
                }
                let sweeps = workspace.stages.iter().map(|s| s.sweeps).sum();
                for lane in 0..count {
                    let goal = tile + lane as u64;
                    let half_width = shown.half_widths[lane];
                    sums.note_goal(goal, half_width, self.problem.tolerance, sweeps);
                }
                if let Some(observer) = &self.observer {
                    self.observe(workspace, observer, count, &mut sums);
                }
            }
        });
        sums
    }

    /// Hands the first `count` goals of a tile to the observer.
    fn observe(
        &self,
        workspace: &mut Workspace,
        observer: &Observer,
        count: usize,
        sums: &mut BlockSums,
    ) {
        let program = &self.problem.program;
        let shown = &workspace.stages[program.shown()];
        let leader = program.stage().leader().map(|k| &workspace.stages[k]);
        let n_choices = program.stage().mdp.n_choices();
        let mut readings = Vec::with_capacity(workspace.readings.len());
        for lane in 0..count {
            readings.clear();
            readings.extend(workspace.readings.iter().map(|found| {
                let (value, half) = (found.value[lane], found.half_width[lane]);
                Observed {
                    value,
                    low: value - half,
                    high: value + half,
                }
            }));
            if let Some(leader) = leader {
                let policy = leader.policy[lane..].iter().step_by(TILE).copied();
                let open = leader.policy_open[lane];
                workspace.acting.follow(n_choices, policy, open);
            }
            let goal = GoalValues {
                worth: Strided::new(&shown.worths[lane..], TILE),
                magnitude: shown.magnitudes[lane],
                half_width: shown.worth_half_widths[lane],
                reward: &|state| shown.rewards[state.index() * TILE + lane],
                settled: None,
                acting: leader.map(|_| &workspace.acting),
                linked: behaviour::Linked {
                    readings: &readings,
                    reward_half_width: shown.reward_half_widths[lane],
                },
            };
            observer.observe(goal, &mut workspace.memory, &mut sums.observations);
        }
    }

    /// Solves the aligned tile that holds a goal, and returns the stage of it that is shown.
    fn solve_sampled(&self, index: SampleIndex) -> SolvedGoal {
        let first = index.0 - index.0 % TILE as u64;
        let lane = (index.0 - first) as usize;
        self.with_workspace(|workspace| {
            self.solve_tile(workspace, first);
            let shown = &workspace.stages[self.problem.program.shown()];
            let of = |x: &[f64]| x[lane..].iter().step_by(TILE).copied().collect();
            SolvedGoal {
                domain: self.problem.program.stage().domain,
                rewards: of(&shown.rewards),
                integrand: of(&shown.integrands),
                half_width: shown.half_widths[lane],
                converged: shown.half_widths[lane] <= self.problem.tolerance,
                sweeps: workspace.stages.iter().map(|s| s.sweeps).sum(),
                settled: None,
            }
        })
    }
}

impl CellSolver for LinkedSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let n_states = self.problem.program.stage().mdp.n_states();
        let chunk = |first, end| self.solve_chunk(first, end);
        Ok(solve_chunks(n_states, block, parallel, chunk))
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        match goals {
            Goals::Sampled {
                stream: Stream::Reward,
                indices,
            } => Ok(indices.iter().map(|i| self.solve_sampled(*i)).collect()),
            // A stage's goals are of streams of their own; there is no other goal of a program than its number says.
            Goals::Sampled { .. } | Goals::Given(_) => {
                Err(self.problem.given_stage(NAME).map_or_else(
                    |error| error,
                    |_| unreachable!("the plain kind has a solver of its own"),
                ))
            }
        }
    }
}

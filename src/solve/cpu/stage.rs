//! One stage of a cell on this backend: from rewards to certified values, a tile at a time.

use std::sync::Arc;

use super::draw::Drawing;
use super::iterate::{Effort, Limits, Way, iterate};

use super::kernel::{ByChoice, Dense, Deterministic, Kernel, Rough, Sparse, UNCHOSEN};
use super::memory::Lines;
use super::policy::Evaluation;
use super::rough::RoughSweeps;
use super::simd::{Isa, Job, Level, Scalar, Vector, dispatch, has_halves};
use super::tile::{Constants, Stay, Tile};
use crate::plan::{Elimination, KernelClass, Method, Plan, Precision, SweepModel};
use crate::program::{Operator, Stage};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::CellProblem;
use crate::statistics::TILE;
use crate::units::Discount;

/// Sweeps in double precision before the first residual: single precision came within its rounding of the solution.
const DOUBLE_FIRST_CHECK: u32 = 4;

#[derive(Debug)]
enum Kernels {
    Deterministic(Deterministic<f32>, Deterministic<f64>),
    Sparse(Sparse<f32>, Sparse<f64>),
    Dense(Dense<f32>, Dense<f64>),
    /// Choices have rewards.
    Rewarded(Sparse<f32>, Sparse<f64>),
    /// The choices are given.
    Following(Sparse<f32>, Sparse<f64>, RewardDomain),
}

/// What solves the goals of one stage.
#[derive(Debug)]
pub(super) struct StageSolver {
    discount: Discount,
    pub(super) drawing: Drawing,
    kernels: Kernels,
    /// Of policies, where the method asks for it and the MDP allows it.
    evaluations: Option<(Evaluation<f32>, Evaluation<f64>)>,
    /// The first sweeps, where they need not be right.
    rough: Option<RoughSweeps>,
    /// Rewards that can be had for ever.
    stays: Vec<Stay>,
    pub(super) limits: Limits,
    mean: f64,
    n_states: usize,
    n_rewards: usize,
}

/// Memory of one worker for one stage.
#[derive(Debug)]
pub(super) struct StageTiles {
    pub(super) single: Tile<f32>,
    /// Made when a tile first needs it.
    pub(super) double: Option<Tile<f64>>,
    /// Values by twos, where some sweeps are rough.
    pairs: Lines<u32>,
    /// Where the tile was solved before, for goals that are nearly these: it goes on in double precision.
    pub(super) solved: Option<Outcome>,
}

/// Where a tile's goals come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Drawn from the law.
    Sampled { stream: Stream, first: u64 },
    /// The same, to see how it goes.
    Trial { stream: Stream, first: u64 },
    /// The same, the first `goals` of which count; `may_leave` of them may be left uncertified in single precision.
    Crowd {
        stream: Stream,
        first: u64,
        goals: usize,
        may_leave: usize,
    },
    /// Goals that were left: rewards, values and their constants are in the tile. `exact` puts the rewards as they were drawn into rows in sweep order.
    Left {
        way: Way,
        exact: &'a dyn Fn(&mut [f64]),
    },
    /// One goal from outside, in every lane; rewards in sweep order. Solved in double precision.
    Given { rewards: &'a [f64] },
    /// Goals that were put together, `[n_rewards, TILE]` in sweep order, and the choices, where they are given.
    Made {
        rewards: &'a [f64],
        chosen: &'a Choosing,
    },
    /// Drawn from the law, but for some rewards that were put together, and the choices, where they are given.
    Drawn {
        stream: Stream,
        first: u64,
        put: Put<'a>,
        chosen: &'a Choosing,
    },
}

/// Rewards that stand in the place of drawn ones.
#[derive(Clone, Copy)]
pub(super) struct Put<'a> {
    /// Rows of the tile, and which reward each is.
    pub(super) rows: &'a [(u32, u32)],
    /// `[n_rewards, TILE]`; only those above are looked at.
    pub(super) rewards: &'a [f64],
}

impl Put<'_> {
    #[inline(always)]
    fn into<F: Scalar>(self, tile: &mut [F]) {
        for &(row, reward) in self.rows {
            let from = &self.rewards[reward as usize * TILE..][..TILE];
            let to = &mut tile[row as usize * TILE..][..TILE];
            for (to, from) in to.iter_mut().zip(from) {
                *to = F::from_f64(*from);
            }
        }
    }
}

/// The choices that goals make where they are given, in both precisions.
#[derive(Clone, Debug, Default)]
pub(super) struct Choosing {
    single: Lines<f32>,
    double: Lines<f64>,
}

impl Choosing {
    /// No choice is taken yet, of `n_choices`.
    pub(super) fn reset(&mut self, n_choices: usize) {
        self.single.resize(n_choices * TILE);
        self.single.fill(UNCHOSEN as f32);
        self.double.resize(n_choices * TILE);
        self.double.fill(UNCHOSEN);
    }

    /// One goal takes a choice, counted in sweep order.
    pub(super) fn take(&mut self, choice: u32, lane: usize) {
        let at = choice as usize * TILE + lane;
        (self.single[at], self.double[at]) = (0.0, 0.0);
    }
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
    /// Sweeps, and policies evaluated.
    pub(super) fn sweeps(self) -> u32 {
        let each = [self.single, self.double];
        each.iter().map(|e| e.sweeps + e.evaluations).sum()
    }

    pub(super) fn is_double(self) -> bool {
        self.double.checks > 0
    }
}

impl StageSolver {
    /// For a stage of a problem, with the plan of the stage's MDP.
    pub(super) fn new(problem: &CellProblem, stage: &Stage, plan: &Plan) -> Self {
        let model = plan.model();
        let discount = problem.discount;
        let facts = stage.law.facts();
        // Without a lattice: the digits of the largest reward there can be.
        let digits =
            || 2f64.powi(facts.magnitude().max(f64::MIN_POSITIVE).log2().ceil() as i32 - 24);
        let spacing = stage
            .law
            .lattice()
            .map_or_else(digits, |l| f64::from(l.spacing()));
        let kernels = match (stage.operator, model.domain(), model.class()) {
            (Operator::Follow { .. }, domain, _) => Kernels::Following(
                Sparse::new(model, discount),
                Sparse::new(model, discount),
                domain,
            ),
            (_, RewardDomain::Choice, _) => {
                Kernels::Rewarded(Sparse::new(model, discount), Sparse::new(model, discount))
            }
            (_, RewardDomain::State, KernelClass::Deterministic) => Kernels::Deterministic(
                Deterministic::new(model, discount),
                Deterministic::new(model, discount),
            ),
            (_, RewardDomain::State, KernelClass::Sparse) => {
                Kernels::Sparse(Sparse::new(model, discount), Sparse::new(model, discount))
            }
            (_, RewardDomain::State, KernelClass::Dense) => {
                Kernels::Dense(Dense::new(model, discount), Dense::new(model, discount))
            }
        };
        let rough = match &kernels {
            Kernels::Dense(single, _) if plan.schedule().rough_sweeps > 0 => {
                let count = plan.schedule().rough_sweeps.min(problem.max_sweeps);
                Some(RoughSweeps::new(Rough::of(single), count))
            }
            _ => None,
        };
        let elimination = match plan.schedule().method {
            Method::PolicyIteration => Elimination::of(model).map(Arc::new),
            Method::InPlace | Method::Jacobi | Method::OverRelaxed => None,
        };
        let evaluations = elimination.map(|elimination| {
            let single = Evaluation::new(model, elimination.clone(), discount);
            (single, Evaluation::new(model, elimination, discount))
        });
        let rows = match stage.domain == stage.law.domain() {
            true => model.reward_rows(),
            // Drawn by state and dealt to the choices afterwards.
            false => Vec::new(),
        };
        Self {
            drawing: Drawing::new(rows, &stage.law, problem.seed),
            kernels,
            evaluations,
            rough,
            stays: stays(model),
            limits: Limits {
                constants: Constants { discount },
                schedule: plan.schedule(),
                spacing,
                tolerance: problem.tolerance,
                max_sweeps: problem.max_sweeps,
                longest_row: model.longest_row(),
            },
            mean: facts.mean,
            n_states: model.states().len(),
            n_rewards: stage.n_rewards(),
            discount,
        }
    }

    /// Room for a tile.
    pub(super) fn tiles(&self) -> StageTiles {
        StageTiles {
            single: Tile::new(self.n_states, self.n_rewards),
            double: None,
            pairs: Lines::default(),
            solved: None,
        }
    }

    /// Solves one tile within `limits`. The certified tile is in `tiles`, in the precision that is returned.
    pub(super) fn solve_at_level(
        &self,
        level: Level,
        limits: &Limits,
        tiles: &mut StageTiles,
        source: Source<'_>,
    ) -> Outcome {
        // One job for each kind of kernel: a single one of all of them would be more than the compiler can take in.
        match &self.kernels {
            Kernels::Deterministic(single, double) => {
                self.run(level, single, double, limits, tiles, source)
            }
            Kernels::Sparse(single, double) => {
                self.run(level, single, double, limits, tiles, source)
            }
            Kernels::Dense(single, double) => {
                self.run(level, single, double, limits, tiles, source)
            }
            Kernels::Rewarded(single, double) => {
                let (single, double) = (ByChoice::rewarded(single), ByChoice::rewarded(double));
                self.run(level, &single, &double, limits, tiles, source)
            }
            Kernels::Following(single, double, domain) => {
                let (Source::Made { chosen, .. } | Source::Drawn { chosen, .. }) = source else {
                    unreachable!("whoever follows a policy says which")
                };
                match domain {
                    RewardDomain::State => {
                        let single =
                            ByChoice::<f32, false, true>::following(single, &chosen.single);
                        let double =
                            ByChoice::<f64, false, true>::following(double, &chosen.double);
                        self.run(level, &single, &double, limits, tiles, source)
                    }
                    RewardDomain::Choice => {
                        let single = ByChoice::<f32, true, true>::following(single, &chosen.single);
                        let double = ByChoice::<f64, true, true>::following(double, &chosen.double);
                        self.run(level, &single, &double, limits, tiles, source)
                    }
                }
            }
        }
    }

    fn run(
        &self,
        level: Level,
        single: &impl Kernel<f32>,
        double: &impl Kernel<f64>,
        limits: &Limits,
        tiles: &mut StageTiles,
        source: Source<'_>,
    ) -> Outcome {
        let job = SolveJob {
            stage: self,
            single,
            double,
            limits,
            tiles,
            source,
        };
        dispatch(level, job)
    }

    #[inline(always)]
    fn solve<I: Isa>(
        &self,
        single: &impl Kernel<f32>,
        double: &impl Kernel<f64>,
        limits: &Limits,
        tiles: &mut StageTiles,
        source: Source<'_>,
    ) -> Outcome {
        let tile = &mut tiles.single;
        let mut outcome = Outcome::default();
        let is_given = matches!(source, Source::Given { .. });
        let is_mixed = !is_given && limits.schedule.precision == Precision::Mixed;
        let solved = tiles.solved.take();
        if is_mixed && solved.is_none() {
            let way = match source {
                Source::Left { way, .. } => way,
                _ => {
                    self.fill_single::<I>(source, tile);
                    tile.start::<I::Single, _>(single, &self.stays, self.mean, self.discount);
                    let is_trial = matches!(source, Source::Trial { .. });
                    let level = <I::Single as Vector>::LEVEL;
                    let rough = self.rough.as_ref();
                    let rough = rough.filter(|_| is_trial || has_halves(level));
                    if let Some(rough) = rough {
                        rough.sweep(level, tile, &mut tiles.pairs);
                    }
                    Way {
                        swept: rough.map_or(0, |r| r.count),
                        ..source.way(limits.schedule.first_check)
                    }
                }
            };
            let evaluation = self.evaluations.as_ref().map(|(single, _)| single);
            outcome.single = iterate::<f32, I::Single>(tile, single, evaluation, limits, way);
            let used_up = outcome.single.sweeps >= limits.max_sweeps;
            outcome.certified = tile.certified(limits.tolerance);
            if outcome.certified || used_up || way.is_over(tile, limits.tolerance) {
                return outcome;
            }
        }
        let wide = tiles
            .double
            .get_or_insert_with(|| Tile::new(self.n_states, self.n_rewards));
        match source {
            Source::Left { exact, .. } => exact(&mut wide.rewards),
            Source::Sampled { .. } | Source::Trial { .. } | Source::Crowd { .. } => {
                // Drawn again: centred single precision rewards may have been rounded, these are exact.
                self.fill_single::<I>(source, tile);
                for (to, from) in wide.rewards.iter_mut().zip(tile.rewards.iter()) {
                    *to = f64::from(*from);
                }
            }
            Source::Drawn { put, .. } => {
                self.fill_single::<I>(source, tile);
                for (to, from) in wide.rewards.iter_mut().zip(tile.rewards.iter()) {
                    *to = f64::from(*from);
                }
                put.into(&mut wide.rewards);
            }
            Source::Made { rewards, .. } => wide.rewards.copy_from_slice(rewards),
            Source::Given { rewards } => {
                for (to, from) in wide.rewards.chunks_exact_mut(TILE).zip(rewards) {
                    to.fill(*from);
                }
            }
        }
        if let Some(solved) = solved {
            go_on(tile, wide, solved.is_double());
        } else if is_mixed {
            carry_over(tile, wide);
        } else {
            let otherwise = match source {
                Source::Given { rewards } => rewards[0],
                _ => self.mean,
            };
            wide.start::<I::Double, _>(double, &self.stays, otherwise, self.discount);
        }
        let mut rest = *limits;
        rest.max_sweeps -= outcome.single.sweeps;
        let evaluation = self.evaluations.as_ref().map(|(_, double)| double);
        let is_near = is_mixed || solved.is_some();
        let first_check = match (is_near, evaluation) {
            (false, _) => limits.schedule.first_check,
            (true, Some(_)) => 0,
            (true, None) => DOUBLE_FIRST_CHECK,
        };
        let way = Way {
            may_leave: 0,
            ..source.way(first_check)
        };
        outcome.double = iterate::<f64, I::Double>(wide, double, evaluation, &rest, way);
        outcome.certified = wide.certified(limits.tolerance);
        outcome
    }

    #[inline(always)]
    fn fill_single<I: Isa>(&self, source: Source<'_>, tile: &mut Tile<f32>) {
        match source {
            Source::Sampled { stream, first }
            | Source::Trial { stream, first }
            | Source::Crowd { stream, first, .. } => {
                self.drawing.fill::<I>(stream, first, &mut tile.rewards);
            }
            Source::Made { rewards, .. } => {
                for (to, from) in tile.rewards.iter_mut().zip(rewards) {
                    *to = *from as f32;
                }
            }
            Source::Drawn {
                stream, first, put, ..
            } => {
                self.drawing.fill::<I>(stream, first, &mut tile.rewards);
                put.into(&mut tile.rewards);
            }
            Source::Given { .. } | Source::Left { .. } => {}
        }
    }
}

impl Source<'_> {
    /// The way of goals that start.
    fn way(self, first_check: u32) -> Way {
        let whole = Way::whole(first_check, matches!(self, Source::Trial { .. }));
        match self {
            Source::Crowd {
                goals, may_leave, ..
            } => Way {
                goals,
                may_leave,
                ..whole
            },
            _ => whole,
        }
    }
}

/// Double precision goes on where single precision stands. The rewards are exact ones, without the centre.
fn carry_over(tile: &Tile<f32>, wide: &mut Tile<f64>) {
    for row in wide.rewards.chunks_exact_mut(TILE) {
        for (reward, centre) in row.iter_mut().zip(&tile.centre) {
            *reward -= f64::from(*centre);
        }
    }
    for (to, from) in wide.values.iter_mut().zip(tile.values.iter()) {
        *to = f64::from(*from);
    }
    for lane in 0..TILE {
        wide.centre[lane] = f64::from(tile.centre[lane]);
        wide.least_reward[lane] = f64::from(tile.least_reward[lane]);
        wide.most_reward[lane] = f64::from(tile.most_reward[lane]);
    }
}

/// Double precision goes on from values of goals that are nearly these, as far as they have come (`is_double`: in double precision already). The rewards are exact ones,
/// without the centre, and may lie a little beyond those that the values are of: the centre is kept among them.
fn go_on(tile: &Tile<f32>, wide: &mut Tile<f64>, is_double: bool) {
    if !is_double {
        for (to, from) in wide.values.iter_mut().zip(tile.values.iter()) {
            *to = f64::from(*from);
        }
        wide.centre = tile.centre.map(f64::from);
    }
    wide.least_reward = [f64::INFINITY; TILE];
    wide.most_reward = [f64::NEG_INFINITY; TILE];
    for row in wide.rewards.chunks_exact(TILE) {
        for (lane, &reward) in row.iter().enumerate() {
            let (least, most) = (&mut wide.least_reward[lane], &mut wide.most_reward[lane]);
            *least = if reward < *least { reward } else { *least };
            *most = if reward > *most { reward } else { *most };
        }
    }
    let ends = wide.least_reward.iter().zip(&wide.most_reward);
    for (centre, (least, most)) in wide.centre.iter_mut().zip(ends) {
        *centre = f64::min(f64::max(*centre, *least), *most);
    }
    for row in wide.rewards.chunks_exact_mut(TILE) {
        for (reward, centre) in row.iter_mut().zip(&wide.centre) {
            *reward -= centre;
        }
    }
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

/// Solves one tile; the certificate is left in the tiles.
struct SolveJob<'a, S, D> {
    stage: &'a StageSolver,
    single: &'a S,
    double: &'a D,
    limits: &'a Limits,
    tiles: &'a mut StageTiles,
    source: Source<'a>,
}

impl<S: Kernel<f32>, D: Kernel<f64>> Job for SolveJob<'_, S, D> {
    type Output = Outcome;
    #[inline(always)]
    fn run<I: Isa>(self) -> Outcome {
        let Self {
            stage,
            single,
            double,
            limits,
            tiles,
            source,
        } = self;
        stage.solve::<I>(single, double, limits, tiles, source)
    }
}

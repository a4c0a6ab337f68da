//! Goals that are solved in linked stages. Every stage is solved and certified on the device; what stands between two stages is the host's: rewards are
//! made of what the stages before found, in f64, and uploaded as goals from outside are, and values come back.
//!
//! # What single precision leaves open
//!
//! Which policy a stage follows has to be known, ties included. The host reads it off the values and their certificate: a choice is better by more than
//! the certificate allows for, or it is open. A goal in which a followed choice is open, or the sign of a reading, or one that the device does not
//! certify, is solved again on the host, all its stages to [`SHARP`](crate::solve::linked::SHARP) or what f64 comes down to; and where an agent is looked at, a goal in which
//! any choice of the shown stage is. Each goal stands for itself, so that it is the same in whatever tile or block.

use std::sync::Arc;

use rayon::prelude::*;

use super::allowance::Allowance;
use super::cover::{Cover, HostTiles};
use super::draws::Draws;
use super::group::Source;
use super::layout::{CAPPED, CERTIFIED, EXHAUSTED, FLAG_KEEP, Lane};
use super::solver::refuse_schedule;
use super::stage::{DeviceStage, Kind, ReadBack};
use super::{Gpu, NAME, finish};
use crate::plan::Plan;
use crate::program::{GoalProgram, Policies, Stage};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::solve::linked::{Extent, Eyes, Linked, LinkedTile, sign_of};
use crate::solve::{CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::behaviour::Task;
use crate::statistics::{Block, BlockSums, TILE};
use crate::units::ChoiceId;

/// Numbers by state of a stage that are on the host at once, per worker: f64 and a few of them for every stage.
const NUMBERS: usize = 1 << 18;

/// Number of the first goal that is tried: none that a run comes to.
const TRIAL: u64 = 1 << 63;

/// Goals of a tile that the device may fail to certify: it is refused where there are more, and the host would do its work. Not where MDPs are small, and a goal is a matter of
/// microseconds: stages that an intervention makes much of have to be solved to a fraction of the tolerance, which single precision often has not.
const UNCERTIFIED: usize = 4;

/// One stage on the device.
#[derive(Debug)]
struct OnDevice {
    device: DeviceStage,
    cover: Cover,
    /// Per choice of the MDP: its number in sweep order, among those that are not the same.
    merged: Vec<u32>,
}

/// A cell of linked solves.
#[derive(Debug)]
pub(super) struct LinkedSolver {
    linked: Linked,
    stages: Vec<OnDevice>,
    /// Of the stage that is shown, where an agent is looked at.
    shown: Option<Policies>,
    /// Whether the MDPs are small enough for the host to solve goals again.
    sharpens: bool,
    tiles_at_once: usize,
}

impl OnDevice {
    fn new(
        gpu: Arc<Gpu>,
        linked: &Linked,
        position: usize,
        (tolerance, range): (f64, (f64, f64)),
    ) -> Result<Self, SolveError> {
        let problem = &linked.problem;
        let stage = &problem.program.stages()[position];
        let plan = linked.plan(position);
        let (low, high) = match sign_of(stage) < 0.0 {
            true => (-range.1, -range.0),
            false => range,
        };
        let cover = Cover::new(low, high);
        let follows = stage.leader().is_some();
        let draws = (&Draws::default(), Kind::Linked { follows });
        let left = tolerance - cover.error();
        let device = DeviceStage::new(gpu, (problem, &plan), cover.scale(), left, draws)?;
        let least = Allowance::new(plan.model(), problem.discount).least() * device.cell.binade;
        let is_small = most_states(&problem.program) <= finish::SMALL;
        if least > left && !is_small {
            return Err(SolveError::OutOfReach {
                backend: NAME,
                tolerance,
                reached: least + cover.error(),
            });
        }
        Ok(Self {
            merged: merged(&plan, stage),
            device,
            cover,
        })
    }

    /// Rewards of tiles as the device takes them.
    fn steps(&self, stage: &Stage, position: usize, tiles: &[LinkedTile]) -> HostTiles {
        let sign = sign_of(stage);
        let rows = &self.device.rows;
        let mut steps = Vec::with_capacity(tiles.len() * rows.len() * TILE);
        for tile in tiles {
            let rewards = &tile.stages[position].rewards;
            for row in rows {
                let of_row = &rewards[*row as usize * TILE..][..TILE];
                steps.extend(of_row.iter().map(|r| self.cover.step(sign * r)));
            }
        }
        HostTiles::of_steps(steps, &self.device.stays)
    }

    /// The choices that tiles follow, `[tiles, n_states, TILE]` in sweep order.
    fn choices(&self, leader: usize, tiles: &[LinkedTile]) -> Vec<u32> {
        let states = &self.device.states;
        let mut choices = Vec::with_capacity(tiles.len() * states.len() * TILE);
        for tile in tiles {
            let policy = tile.stages[leader].policy();
            for state in states {
                let of_state = &policy[state.index() * TILE..][..TILE];
                choices.extend(of_state.iter().map(|c| self.merged[c.index()]));
            }
        }
        choices
    }

    /// Solves a stage of tiles whose rewards are there.
    fn solve(
        &self,
        stage: &Stage,
        position: usize,
        tiles: &[LinkedTile],
    ) -> Result<ReadBack, SolveError> {
        let goals = self.steps(stage, position, tiles);
        let choices = stage.leader().map(|leader| self.choices(leader, tiles));
        let count = tiles.len() as u32;
        self.device.with_workspace((count, 1), |workspace| {
            if let Some(choices) = &choices {
                workspace.put_choices(&self.device.gpu.device, choices)?;
            }
            let source = Source::Put(&goals);
            self.device
                .solve(workspace, source, (count * TILE as u32, count), FLAG_KEEP)?;
            self.device.read_back(workspace)
        })
    }

    /// Takes what was found of the tile number `at`; the states of its goals.
    fn take<'a>(
        &self,
        (stage, position): (&Stage, usize),
        read: &'a ReadBack,
        at: usize,
        tile: &mut LinkedTile,
    ) -> &'a [Lane] {
        let found = &mut tile.stages[position];
        let sign = sign_of(stage);
        for (row, state) in self.device.states.iter().enumerate() {
            let to = &mut found.integrands[state.index() * TILE..][..TILE];
            for (lane, to) in to.iter_mut().enumerate() {
                let x = self.device.integrand(read, at * TILE + lane, row);
                *to = sign * (self.cover.shift() + x);
            }
        }
        let lanes = &read.lanes[at * TILE..][..TILE];
        for (lane, of_goal) in lanes.iter().enumerate() {
            let half_width = self.device.cell.half_width(i64::from(of_goal.half_width));
            found.own_half_widths[lane] = half_width + self.cover.error();
            found.sweeps[lane] = of_goal.sweeps;
        }
        lanes
    }
}

/// States of the largest stage.
fn most_states(program: &GoalProgram) -> usize {
    let states = program.stages().iter().map(|s| s.mdp.n_states());
    states.max().unwrap_or(1)
}

/// Per choice of the MDP: its number in sweep order, among those that are not the same.
fn merged(plan: &Plan, stage: &Stage) -> Vec<u32> {
    let choices = (0..stage.mdp.n_choices() as u32).map(ChoiceId);
    choices.map(|c| plan.model().merged_choice(c)).collect()
}

impl LinkedSolver {
    /// Packs and uploads the stages; tries a tile of goals that are never measured, where MDPs are not small.
    pub(super) fn new(gpu: Arc<Gpu>, problem: CellProblem) -> Result<Self, SolveError> {
        problem.refuse_limit(NAME)?;
        refuse_schedule(&problem)?;
        let program = &problem.program;
        let tolerances = program.tolerances(problem.tolerance);
        let ranges = program.reward_ranges();
        let most_states = most_states(program);
        let linked = Linked::new(problem);
        let each = tolerances.into_iter().zip(ranges).enumerate();
        let stages: Result<Vec<_>, _> = each
            .map(|(k, asked)| OnDevice::new(gpu.clone(), &linked, k, asked))
            .collect();
        let shown = linked.problem.program.stage();
        let solver = Self {
            stages: stages?,
            shown: (linked.is_of_agent() && shown.leader().is_none())
                .then(|| Policies::of(shown, linked.problem.discount)),
            sharpens: most_states <= finish::MOST_STATES,
            tiles_at_once: (NUMBERS / most_states / TILE).max(1),
            linked,
        };
        if most_states > finish::SMALL {
            solver.try_tolerance()?;
        }
        Ok(solver)
    }

    /// Refuses a tolerance that single precision does not certify.
    fn try_tolerance(&self) -> Result<(), SolveError> {
        let problem = &self.linked.problem;
        let mut tiles = vec![self.linked.tile(Extent::All)];
        let tolerances = problem.program.tolerances(problem.tolerance);
        let ranges = problem.program.reward_ranges();
        for (k, (tolerance, range)) in tolerances.into_iter().zip(ranges).enumerate() {
            let width = range.1 - range.0;
            let sufficient = CellProblem::sufficient_sweeps(problem.discount, tolerance, width);
            let enough = problem.max_sweeps >= sufficient;
            let mut missed = Vec::new();
            self.solve_stage(k, TRIAL, &mut tiles, false, |_, half_widths, lanes| {
                let of_goals = lanes.iter().zip(half_widths);
                let beyond = |status| status == EXHAUSTED || status == CAPPED && enough;
                let beyond = of_goals.filter(|(lane, _)| beyond(lane.status));
                missed.extend(beyond.map(|(_, half_width)| *half_width));
            })?;
            self.linked.settle(k, &mut tiles[0]);
            self.linked.link(k, &mut tiles[0]);
            if missed.len() > UNCERTIFIED {
                return Err(SolveError::OutOfReach {
                    backend: NAME,
                    tolerance,
                    reached: missed.into_iter().fold(0.0, f64::max),
                });
            }
        }
        Ok(())
    }

    /// One stage of tiles, the first of which starts at goal `first`. `see` is told for every tile by its position how its goals ended.
    fn solve_stage(
        &self,
        position: usize,
        first: u64,
        tiles: &mut [LinkedTile],
        parallel: bool,
        mut see: impl FnMut(usize, &[f64; TILE], &[Lane]),
    ) -> Result<(), SolveError> {
        let stage = &self.linked.problem.program.stages()[position];
        let on_device = &self.stages[position];
        each(tiles, parallel, |at, tile| {
            self.make_rewards(position, start(first, at), tile);
        });
        let read = on_device.solve(stage, position, tiles)?;
        for (at, tile) in tiles.iter_mut().enumerate() {
            let lanes = on_device.take((stage, position), &read, at, tile);
            see(at, &tile.stages[position].own_half_widths, lanes);
        }
        Ok(())
    }

    fn make_rewards(&self, position: usize, first: u64, tile: &mut LinkedTile) {
        let problem = &self.linked.problem;
        let law = &problem.program.stages()[position].law;
        let draw = |stream: Stream, to: &mut [f32]| {
            law.draw_each((problem.seed, stream), first, TILE as u64, |lane, goal| {
                for (row, x) in goal.iter().enumerate() {
                    to[row * TILE + lane] = *x;
                }
            });
        };
        self.linked.make_rewards(position, first, tile, draw);
    }

    /// All stages of tiles, the first of which starts at goal `first`.
    fn solve_tiles(
        &self,
        first: u64,
        count: usize,
        parallel: bool,
    ) -> Result<Vec<LinkedTile>, SolveError> {
        let mut tiles = vec![self.linked.tile(Extent::All); count];
        let mut open = vec![[false; TILE]; count];
        for position in 0..self.stages.len() {
            self.solve_stage(position, first, &mut tiles, parallel, |at, _, lanes| {
                let each = open[at].iter_mut().zip(lanes);
                each.for_each(|(open, lane)| *open |= lane.status != CERTIFIED);
            })?;
            let mut both: Vec<_> = tiles.iter_mut().zip(&mut open).collect();
            each(&mut both, parallel, |_, (tile, open)| {
                self.linked.settle(position, tile);
                join(open, &self.linked.link(position, tile));
            });
        }
        let mut both: Vec<_> = tiles.iter_mut().zip(&mut open).collect();
        each(&mut both, parallel, |at, (tile, open)| {
            join(open, &self.linked.read(tile));
            if let Some(policies) = &self.shown {
                join(open, &self.linked.shown_open(policies, tile));
            }
            if self.sharpens && open.contains(&true) {
                self.sharpen(start(first, at), tile, open);
            }
        });
        Ok(tiles)
    }

    /// Solves the goals of a tile that are open again on the host, all stages of them. What is known of the others does not change.
    fn sharpen(&self, first: u64, tile: &mut LinkedTile, open: &[bool; TILE]) {
        let program = &self.linked.problem.program;
        for (position, stage) in program.stages().iter().enumerate() {
            self.make_rewards(position, first, tile);
            for lane in (0..TILE).filter(|lane| open[*lane]) {
                self.sharpen_stage((stage, position), tile, lane);
            }
            self.linked.settle(position, tile);
            self.linked.link(position, tile);
        }
        self.linked.read(tile);
    }

    /// One stage of one goal whose rewards are there.
    ///
    /// # Precision
    ///
    /// That of [`Task::refine`]; the integrand is `(w - (1 - gamma) R) / gamma`, rounded as in `finish`.
    fn sharpen_stage(
        &self,
        (stage, position): (&Stage, usize),
        tile: &mut LinkedTile,
        lane: usize,
    ) {
        let discount = self.linked.problem.discount;
        let (used, complement) = (discount.used(), discount.complement());
        let sign = sign_of(stage);
        let signed = |x: &[f64]| -> Vec<f64> {
            let of_goal = x[lane..].iter().step_by(TILE);
            of_goal.map(|x| sign * x).collect()
        };
        let followed: Option<Vec<ChoiceId>> = stage.leader().map(|leader| {
            let policy = tile.stages[leader].policy()[lane..].iter();
            policy.step_by(TILE).copied().collect()
        });
        let found = &mut tile.stages[position];
        let rewards = signed(&found.rewards);
        let task = Task {
            mdp: &stage.mdp,
            discount,
            domain: stage.domain,
            followed: followed.as_deref(),
            rewards: &rewards,
        };
        let refined = task.refine(&signed(&found.worths));
        let mut size = 0.0;
        for (state, worth) in refined.worth.iter().enumerate() {
            let integrand = match stage.domain {
                RewardDomain::State => {
                    size = f64::max(size, worth.abs() + rewards[state].abs());
                    (worth - complement * rewards[state]) / used
                }
                RewardDomain::Choice => *worth,
            };
            found.integrands[state * TILE + lane] = sign * integrand;
        }
        found.own_half_widths[lane] = match stage.domain {
            RewardDomain::State => (refined.half_width + 4.0 * f64::EPSILON * size) / used,
            RewardDomain::Choice => refined.half_width,
        };
    }

    /// Sums goals `first..end`, of so many tiles as fit into memory at once.
    fn solve_some(&self, first: u64, end: u64, parallel: bool) -> Result<BlockSums, SolveError> {
        let n_states = self.linked.problem.program.stage().mdp.n_states();
        let count = ((end - first) as usize).div_ceil(TILE);
        let tiles = self.solve_tiles(first, count, parallel)?;
        let sum = |(at, tile): (usize, &LinkedTile)| {
            let from = start(first, at);
            let count = (end - from).min(TILE as u64) as usize;
            let mut sums = BlockSums::new(n_states);
            sums.observations = self.linked.observations(count);
            let mut eyes = Eyes::default();
            self.linked.add(tile, (from, count), &mut eyes, &mut sums);
            sums
        };
        let parts: Vec<BlockSums> = match parallel {
            true => tiles.par_iter().enumerate().map(sum).collect(),
            false => tiles.iter().enumerate().map(sum).collect(),
        };
        let mut total = BlockSums::new(n_states);
        parts.iter().for_each(|part| total.append(part));
        Ok(total)
    }
}

/// Number of the first goal of a tile.
fn start(first: u64, tile: usize) -> u64 {
    first + (tile * TILE) as u64
}

fn join(open: &mut [bool; TILE], more: &[bool; TILE]) {
    open.iter_mut().zip(more).for_each(|(a, b)| *a |= b);
}

/// Calls `work` with every item and its position.
fn each<T: Send>(items: &mut [T], parallel: bool, work: impl Fn(usize, &mut T) + Sync) {
    match parallel {
        true => items
            .par_iter_mut()
            .enumerate()
            .for_each(|(at, item)| work(at, item)),
        false => items
            .iter_mut()
            .enumerate()
            .for_each(|(at, item)| work(at, item)),
    }
}

impl CellSolver for LinkedSolver {
    fn problem(&self) -> &CellProblem {
        &self.linked.problem
    }

    fn rest(&self) {
        self.stages.iter().for_each(|s| s.device.pool.clear());
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let end = block.first + block.len;
        let step = self.tiles_at_once * TILE;
        let mut sums = BlockSums::new(self.linked.problem.program.stage().mdp.n_states());
        for first in (block.first..end).step_by(step) {
            let some = self.solve_some(first, end.min(first + step as u64), parallel)?;
            sums.append(&some);
        }
        Ok(sums)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        let indices = self.linked.sampled(NAME, goals)?;
        let mut solved: Vec<(u64, LinkedTile)> = Vec::new();
        let mut result = Vec::with_capacity(indices.len());
        for index in indices {
            let lane = index.0 % TILE as u64;
            let first = index.0 - lane;
            let at = match solved.iter().position(|(of, _)| *of == first) {
                Some(at) => at,
                None => {
                    let mut tiles = self.solve_tiles(first, 1, false)?;
                    solved.extend(tiles.pop().map(|tile| (first, tile)));
                    solved.len() - 1
                }
            };
            result.push(self.linked.goal(&solved[at].1, lane as usize));
        }
        Ok(result)
    }
}

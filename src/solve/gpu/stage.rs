//! One MDP on the device: its tensor, its kernels, and groups of goals from first values to certificates.

use std::sync::Arc;

use super::allowance::Allowance;
use super::cell::{Cell, Scale, stays};
use super::draws::Draws;
use super::group::{Group, Source};
use super::kernels::{Keeping, Kernels};
use super::layout::{Job, Lane, SUM_UNITS, StateSums, Tally};
use super::pace::Iterations;
use super::pool::Pool;
use super::workspace::{Found, Workspace};
use super::{Gpu, product};
use crate::plan::{Method, Plan, Schedule};
use crate::solve::{CellProblem, DeviceFault, SolveError};
use crate::statistics::TILE;
use crate::units::StateId;

/// Values go no further than to their backups after half as many sweeps again as before the first certificate: by then, going further does not pay.
const PATIENCE: u32 = 2;

/// What a stage is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A cell that is a single stage.
    Plain {
        /// Whether rows are multiplied whole, where that suits the MDP: faster, and rounding is told from the largest value alone, not from differences.
        whole_rows: bool,
    },
    /// Linked stages: the host has to do between them, and compiling code for each would take longer than its sweeps.
    Linked {
        /// Whether the host says which choices are taken.
        follows: bool,
    },
}

/// What solves the goals of one MDP.
#[derive(Debug)]
pub(super) struct DeviceStage {
    pub(super) gpu: Arc<Gpu>,
    pub(super) cell: Cell,
    pub(super) kernels: Kernels,
    pub(super) iterations: Iterations,
    pub(super) schedule: Schedule,
    pub(super) max_sweeps: u32,
    /// Which reward of a goal a row is.
    pub(super) rows: Vec<u32>,
    /// Per row: whether the reward can be had for ever.
    pub(super) stays: Vec<bool>,
    /// The states in sweep order.
    pub(super) states: Vec<StateId>,
    /// How goals are drawn on the device.
    pub(super) draws: Draws,
    pub(super) pool: Pool,
    /// Of a tile of goals in a workspace.
    pub(super) tile_bytes: u64,
}

impl DeviceStage {
    /// Packs and uploads. `plan`: of the MDP; `tolerance`: what the device is to certify, on its own lattice.
    pub(super) fn new(
        gpu: Arc<Gpu>,
        (problem, plan): (&CellProblem, &Plan),
        scale: Scale,
        tolerance: f64,
        (draws, kind): (&Draws, Kind),
    ) -> Result<Self, SolveError> {
        let model = plan.model();
        let whole_rows = kind == (Kind::Plain { whole_rows: true })
            && plan.schedule().method == Method::Jacobi
            && product::suits(model, gpu.device.limits());
        let cell = Cell::upload(
            &gpu.device,
            (problem, model),
            (scale, Allowance::of(model, problem.discount, whole_rows)),
            tolerance.max(0.0),
            draws,
        )?;
        let room = gpu.device.summary().workgroup_bytes;
        let (keeping, follows) = match kind {
            Kind::Plain { .. } => (Keeping::of(model, room), false),
            Kind::Linked { follows } => (Keeping::of_any(model, room), follows),
        };
        let keeping = gpu.keeping.unwrap_or(keeping);
        let kernels = Kernels::new(&gpu, plan, draws, (keeping, follows, whole_rows))?;
        let rows = cell.constants.n_rewards + cell.n_latents;
        let numbers = 3 * u64::from(cell.constants.n_states) + u64::from(rows);
        let tile_bytes = numbers * TILE as u64 * 4;
        Ok(Self {
            rows: model.reward_rows(),
            stays: stays(model),
            states: model.states().iter().map(|s| s.state).collect(),
            iterations: Iterations::of(model),
            schedule: plan.schedule(),
            max_sweeps: problem.max_sweeps,
            pool: Pool::new(),
            tile_bytes,
            draws: draws.uploaded(),
            gpu,
            cell,
            kernels,
        })
    }

    /// Memory for so many tiles of so many blocks.
    pub(super) fn workspace(&self, size: (u32, u32)) -> Result<Workspace, SolveError> {
        Workspace::new(
            &self.gpu.device,
            &self.kernels,
            &self.cell,
            self.schedule.method,
            size,
        )
    }

    /// Runs `work` with a workspace for so many tiles of so many blocks, which is kept for the next one.
    pub(super) fn with_workspace<T>(
        &self,
        size: (u32, u32),
        work: impl FnOnce(&Workspace) -> Result<T, SolveError>,
    ) -> Result<T, SolveError> {
        let bytes = u64::from(size.0) * self.tile_bytes;
        self.pool.with(size, bytes, || self.workspace(size), work)
    }

    /// Solves `count` goals in blocks of so many tiles, all but the last of them whole: draws, starts, sweeps and certifies until all are done, sums.
    pub(super) fn solve(
        &self,
        workspace: &Workspace,
        source: Source<'_>,
        (count, block_tiles): (u32, u32),
        flags: u32,
    ) -> Result<Found, SolveError> {
        let job = Job {
            count,
            block_tiles,
            flags,
            ..Job::default()
        };
        let mut group = Group::new(self, workspace, source, job);
        group.begin(source)?;
        let found = group.iterate()?;
        let block = block_tiles * TILE as u32;
        let blocks = found.sums.chunks(self.states.len()).zip(&found.tally);
        for (number, (sums, tally)) in (0..count.div_ceil(block)).zip(blocks) {
            self.check_counts((count - number * block).min(block), sums, tally)?;
        }
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

    /// Goals as the device draws them, lattice steps `[tiles, n_rewards, TILE]`.
    #[cfg(test)]
    pub(super) fn drawn(
        &self,
        stream: crate::rng::Stream,
        first: u64,
        tiles: u32,
    ) -> Result<Vec<u32>, SolveError> {
        let source = Source::Sampled { stream, first };
        let workspace = self.workspace((tiles, 1))?;
        let job = Job {
            count: tiles * TILE as u32,
            block_tiles: tiles,
            ..Job::default()
        };
        let mut group = Group::new(self, &workspace, source, job);
        group.begin(source)?;
        group.submit()?;
        workspace.read_goals(&self.gpu.device)
    }

    /// How far values go after so many sweeps, as a multiple of the way to their backups: no further than to these where most goals should have been done.
    pub(super) fn relaxation(&self, done: u32) -> f32 {
        let schedule = self.schedule;
        let last = schedule
            .first_check
            .saturating_add(schedule.first_check / PATIENCE);
        match schedule.method {
            Method::OverRelaxed if done < last => schedule.relaxation.fraction() as f32,
            _ => 1.0,
        }
    }

    /// All that is left of a group of goals whose integrands were kept.
    pub(super) fn read_back(&self, workspace: &Workspace) -> Result<ReadBack, SolveError> {
        Ok(ReadBack {
            lanes: workspace.read_lanes(&self.gpu.device)?,
            integrands: workspace.read_integrands(&self.gpu.device)?,
        })
    }

    /// An integrand of a group that was read back, about the middle of the lattice. `row`: in sweep order.
    pub(super) fn integrand(&self, read: &ReadBack, goal: usize, row: usize) -> f64 {
        let tile = goal / TILE * self.states.len();
        let x = read.integrands[(tile + row) * TILE + goal % TILE];
        f64::from(x) * (self.cell.binade / SUM_UNITS)
    }
}

/// A group of goals, read back whole.
#[derive(Debug)]
pub(super) struct ReadBack {
    pub(super) lanes: Vec<Lane>,
    /// In fixed point, `[tiles, n_states, TILE]`.
    integrands: Vec<i32>,
}

//! Memory of one group of goals on the device, and the passes over it.

use std::time::Instant;

use super::Pipelines;
use super::cell::Cell;
use super::device::Device;
use super::layout::{Drawn, Job, Lane, Progress, StateSums, Tally};
use super::pace::Pace;
use super::shaders::Pipeline;
use crate::plan::Method;
use crate::solve::SolveError;
use crate::statistics::TILE;

/// Jobs per submission.
const JOBS: usize = 128;

/// One dispatch to be.
#[derive(Debug)]
struct Step<'a> {
    pipeline: &'a Pipeline,
    buffers: &'a wgpu::BindGroup,
    job: Job,
    groups: [u32; 2],
}

/// Dispatches that are recorded together, and what they cost.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    steps: Vec<Step<'a>>,
    cost: u64,
}

impl<'a> Batch<'a> {
    /// Adds a dispatch.
    pub(super) fn push(
        &mut self,
        pass: (&'a Pipeline, &'a wgpu::BindGroup),
        job: Job,
        groups: [u32; 2],
        cost: u64,
    ) {
        let (pipeline, buffers) = pass;
        self.steps.push(Step {
            pipeline,
            buffers,
            job,
            groups,
        });
        self.cost += cost;
    }

    /// Whether it is time to submit.
    pub(super) fn is_full(&self, pace: &Pace) -> bool {
        self.steps.len() >= JOBS || self.cost >= 4 * pace.cost()
    }
}

/// Which of two buffers holds the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// Bind groups of one side.
#[derive(Debug)]
struct Sided {
    jacobi: Option<wgpu::BindGroup>,
    certify: wgpu::BindGroup,
    recentre: wgpu::BindGroup,
}

/// Memory of one group of goals.
#[derive(Debug)]
pub(super) struct Workspace {
    tiles: u32,
    n_states: u32,
    goals: wgpu::Buffer,
    integrands: wgpu::Buffer,
    lanes: wgpu::Buffer,
    drawn: wgpu::Buffer,
    progress: wgpu::Buffer,
    sums: wgpu::Buffer,
    tally: wgpu::Buffer,
    missed: wgpu::Buffer,
    jobs: wgpu::Buffer,
    job_stride: u64,
    staging: wgpu::Buffer,
    job_group: wgpu::BindGroup,
    draw: wgpu::BindGroup,
    start: wgpu::BindGroup,
    in_place: wgpu::BindGroup,
    reduce: wgpu::BindGroup,
    tally_group: wgpu::BindGroup,
    sides: [Option<Sided>; 2],
}

impl Workspace {
    /// Memory for `tiles` tiles of a cell's goals.
    pub(super) fn new(
        device: &Device,
        pipelines: &Pipelines,
        cell: &Cell,
        method: Method,
        tiles: u32,
    ) -> Result<Self, SolveError> {
        use wgpu::BufferUsages as Usage;
        let n_states = cell.constants.n_states;
        let goals_count = u64::from(tiles) * TILE as u64;
        let numbers = goals_count * u64::from(n_states) * 4;
        let storage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
        let make = |label, bytes| device.buffer(label, bytes, storage);
        let goals = make("goals", numbers)?;
        let values = make("values", numbers)?;
        let next = match method {
            Method::InPlace => None,
            Method::Jacobi => Some(make("values of the next sweep", numbers)?),
        };
        let integrands = make("integrands", numbers)?;
        let lanes = make(
            "states of the goals",
            goals_count * size_of::<Lane>() as u64,
        )?;
        let drawn = make(
            "counts of the goals",
            goals_count * size_of::<Drawn>() as u64,
        )?;
        let progress = make("progress", size_of::<Progress>() as u64)?;
        let sums = make("sums", u64::from(n_states) * size_of::<StateSums>() as u64)?;
        let tally = make("tally", size_of::<Tally>() as u64)?;
        let missed = make("unconverged goals", goals_count / 8)?;
        let alignment = u64::from(device.limits().min_uniform_buffer_offset_alignment);
        let job_stride = (size_of::<Job>() as u64).next_multiple_of(alignment);
        let jobs = device.buffer(
            "jobs",
            JOBS as u64 * job_stride,
            Usage::UNIFORM | Usage::COPY_DST,
        )?;
        let staging = device.buffer(
            "results",
            sums.size()
                .max(tally.size() + missed.size())
                .max(lanes.size()),
            Usage::MAP_READ | Usage::COPY_DST,
        )?;

        let bind = |pipeline: &Pipeline, values: &wgpu::Buffer, next: &wgpu::Buffer| {
            let named = [
                ("cell", &cell.uniform),
                ("states", &cell.states),
                ("choices", &cell.choices),
                ("parts", &cell.parts),
                ("blocks", &cell.blocks),
                ("targets", &cell.targets),
                ("stays", &cell.stays),
                ("goals", &goals),
                ("values", values),
                ("next", next),
                ("integrands", &integrands),
                ("lanes", &lanes),
                ("drawn", &drawn),
                ("progress", &progress),
                ("sums", &sums),
                ("tally", &tally),
                ("missed", &missed),
            ];
            pipeline.bind(device, &named)
        };
        let side =
            |values: &wgpu::Buffer, other: Option<&wgpu::Buffer>| -> Result<Sided, SolveError> {
                let jacobi = other
                    .map(|next| bind(&pipelines.jacobi, values, next))
                    .transpose()?;
                let certify = bind(&pipelines.certify, values, values)?;
                let recentre = bind(&pipelines.recentre, values, values)?;
                Ok(Sided {
                    jacobi,
                    certify,
                    recentre,
                })
            };
        let sides = [
            Some(side(&values, next.as_ref())?),
            next.as_ref()
                .map(|next| side(next, Some(&values)))
                .transpose()?,
        ];
        let bind = |pipeline| bind(pipeline, &values, &values);
        Ok(Self {
            tiles,
            n_states,
            job_group: pipelines.start.bind_jobs(device, &jobs)?,
            draw: bind(&pipelines.draw)?,
            start: bind(&pipelines.start)?,
            in_place: bind(&pipelines.in_place)?,
            reduce: bind(&pipelines.reduce)?,
            tally_group: bind(&pipelines.tally)?,
            sides,
            goals,
            integrands,
            lanes,
            drawn,
            progress,
            sums,
            tally,
            missed,
            jobs,
            job_stride,
            staging,
        })
    }

    /// Tiles it has room for.
    pub(super) fn tiles(&self) -> u32 {
        self.tiles
    }

    /// The pass that draws goals.
    pub(super) fn draw<'a>(
        &'a self,
        pipelines: &'a Pipelines,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.draw, &self.draw)
    }

    /// The pass that starts the values.
    pub(super) fn start<'a>(
        &'a self,
        pipelines: &'a Pipelines,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.start, &self.start)
    }

    /// In-place sweeps.
    pub(super) fn in_place<'a>(
        &'a self,
        pipelines: &'a Pipelines,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.in_place, &self.in_place)
    }

    /// The sums over goals.
    pub(super) fn reduce<'a>(
        &'a self,
        pipelines: &'a Pipelines,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.reduce, &self.reduce)
    }

    /// The sums of certificates.
    pub(super) fn tally<'a>(
        &'a self,
        pipelines: &'a Pipelines,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.tally, &self.tally_group)
    }

    fn side(&self, side: Side) -> &Sided {
        let sided = self.sides[side as usize].as_ref();
        sided.expect("in-place sweeps stay on side A")
    }

    /// A sweep that reads one side and writes the other.
    pub(super) fn jacobi<'a>(
        &'a self,
        pipelines: &'a Pipelines,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        let group = self.side(side).jacobi.as_ref();
        (&pipelines.jacobi, group.expect("made for this method"))
    }

    /// The certificate of one side's values.
    pub(super) fn certify<'a>(
        &'a self,
        pipelines: &'a Pipelines,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.certify, &self.side(side).certify)
    }

    /// The move of one side's values.
    pub(super) fn recentre<'a>(
        &'a self,
        pipelines: &'a Pipelines,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&pipelines.recentre, &self.side(side).recentre)
    }

    /// Zeroes all that is added to, for a new group of goals.
    pub(super) fn clear(&self, device: &Device) -> Result<(), SolveError> {
        device.run("clearing", |encoder| {
            for buffer in [
                &self.lanes,
                &self.drawn,
                &self.sums,
                &self.tally,
                &self.missed,
            ] {
                encoder.clear_buffer(buffer, 0, None);
            }
        })
    }

    /// Puts goals from outside in the place of drawn ones: lattice steps `[tiles, n_states, TILE]` and their counts.
    pub(super) fn put_goals(
        &self,
        device: &Device,
        steps: &[u32],
        drawn: &[Drawn],
    ) -> Result<(), SolveError> {
        device.write(&self.goals, 0, steps)?;
        device.write(&self.drawn, 0, drawn)
    }

    /// Runs what was batched, and waits for it. `check`: the counts of certificates start from zero and are read back.
    pub(super) fn submit(
        &self,
        device: &Device,
        pace: &Pace,
        batch: &mut Batch<'_>,
        check: bool,
    ) -> Result<Progress, SolveError> {
        let mut jobs = vec![0u8; batch.steps.len() * self.job_stride as usize];
        for (slot, step) in jobs
            .chunks_exact_mut(self.job_stride as usize)
            .zip(&batch.steps)
        {
            slot[..size_of::<Job>()].copy_from_slice(bytemuck::bytes_of(&step.job));
        }
        device.write(&self.jobs, 0, &jobs)?;
        let started = Instant::now();
        device.run("solving goals", |encoder| {
            if check {
                encoder.clear_buffer(&self.progress, 0, None);
            }
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for (i, step) in batch.steps.iter().enumerate() {
                pass.set_pipeline(step.pipeline.compute());
                pass.set_bind_group(0, step.buffers, &[]);
                pass.set_bind_group(1, &self.job_group, &[(i as u64 * self.job_stride) as u32]);
                pass.dispatch_workgroups(step.groups[0], step.groups[1], 1);
            }
            drop(pass);
            if check {
                encoder.copy_buffer_to_buffer(
                    &self.progress,
                    0,
                    &self.staging,
                    0,
                    size_of::<Progress>() as u64,
                );
            }
        })?;
        pace.learn(batch.cost, started.elapsed());
        *batch = Batch::default();
        match check {
            true => Ok(device.read(&self.staging, size_of::<Progress>() as u64)?[0]),
            false => Ok(Progress::default()),
        }
    }

    /// The sums of the group, in sweep order.
    pub(super) fn read_sums(&self, device: &Device) -> Result<Vec<StateSums>, SolveError> {
        self.read(
            device,
            &self.sums,
            u64::from(self.n_states) * size_of::<StateSums>() as u64,
        )
    }

    /// The tally of the group, and one bit per goal that missed the tolerance.
    pub(super) fn read_tally(&self, device: &Device) -> Result<(Tally, Vec<u32>), SolveError> {
        let (tally, missed) = (
            size_of::<Tally>() as u64,
            u64::from(self.tiles) * TILE as u64 / 8,
        );
        device.run("reading back", |encoder| {
            encoder.copy_buffer_to_buffer(&self.tally, 0, &self.staging, 0, tally);
            encoder.copy_buffer_to_buffer(&self.missed, 0, &self.staging, tally, missed);
        })?;
        let words: Vec<u32> = device.read(&self.staging, tally + missed)?;
        let (head, tail) = words.split_at(tally as usize / 4);
        Ok((
            *bytemuck::from_bytes(bytemuck::cast_slice(head)),
            tail.to_vec(),
        ))
    }

    /// Every goal's state.
    pub(super) fn read_lanes(&self, device: &Device) -> Result<Vec<Lane>, SolveError> {
        self.read(
            device,
            &self.lanes,
            u64::from(self.tiles) * TILE as u64 * size_of::<Lane>() as u64,
        )
    }

    /// Every goal's integrands, `[tiles, n_states, TILE]`, in fixed point once they were reduced so.
    pub(super) fn read_integrands(&self, device: &Device) -> Result<Vec<i32>, SolveError> {
        let bytes = self.integrands.size();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = device.buffer("integrands read back", bytes, usage)?;
        device.run("reading back", |encoder| {
            encoder.copy_buffer_to_buffer(&self.integrands, 0, &staging, 0, bytes)
        })?;
        device.read(&staging, bytes)
    }

    fn read<T: bytemuck::Pod>(
        &self,
        device: &Device,
        buffer: &wgpu::Buffer,
        bytes: u64,
    ) -> Result<Vec<T>, SolveError> {
        device.run("reading back", |encoder| {
            encoder.copy_buffer_to_buffer(buffer, 0, &self.staging, 0, bytes)
        })?;
        device.read(&self.staging, bytes)
    }
}

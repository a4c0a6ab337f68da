//! Memory of one group of goals on the device, and the passes over it.

use std::time::Instant;

use super::cell::Cell;
use super::device::Device;
use super::kernels::Kernels;
use super::layout::{Drawn, Extremes, Job, Lane, Progress, StateSums, Tally};
use super::pace::Pace;
use super::passes::DrawPass;
use super::phases::DevicePhases;
use super::product::Product;
use super::shaders::Pipeline;
use crate::plan::Method;
use crate::solve::SolveError;
use crate::statistics::TILE;

/// Jobs per submission, but for those that sum.
const JOBS: usize = 128;

/// Jobs that sum: one for the states, one for the certificates.
const SUMMING: usize = 2;

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
    /// How many of them, the last ones, add to sums that start from zero.
    summing: usize,
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

    /// Adds a dispatch that adds to the sums. None but such may follow.
    pub(super) fn push_sum(
        &mut self,
        pass: (&'a Pipeline, &'a wgpu::BindGroup),
        job: Job,
        groups: [u32; 2],
        cost: u64,
    ) {
        self.push(pass, job, groups, cost);
        self.summing += 1;
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

/// Whether a submission begins a group of goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum New {
    /// It goes on with one.
    No,
    /// It draws them.
    Drawn,
    /// They were put there.
    Put,
}

/// What is read back of a group of goals.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// What the last certificate counted.
    pub(super) progress: Progress,
    /// `[blocks, n_states]`, in sweep order.
    pub(super) sums: Vec<StateSums>,
    /// `[blocks]`.
    pub(super) tally: Vec<Tally>,
    /// One bit per goal that missed the tolerance.
    pub(super) missed: Vec<u32>,
}

/// Bind groups of one side.
#[derive(Debug)]
struct Sided {
    jacobi: Option<wgpu::BindGroup>,
    measure: wgpu::BindGroup,
    recentre: wgpu::BindGroup,
}

/// Memory of one group of goals.
#[derive(Debug)]
pub(super) struct Workspace {
    tiles: u32,
    blocks: u32,
    n_states: u32,
    goals: wgpu::Buffer,
    integrands: wgpu::Buffer,
    lanes: wgpu::Buffer,
    drawn: wgpu::Buffer,
    extremes: wgpu::Buffer,
    progress: wgpu::Buffer,
    sums: wgpu::Buffer,
    tally: wgpu::Buffer,
    missed: wgpu::Buffer,
    /// The choices taken, where they are given.
    followed: Option<wgpu::Buffer>,
    jobs: wgpu::Buffer,
    job_stride: u64,
    staging: wgpu::Buffer,
    job_group: wgpu::BindGroup,
    /// By the number of the pass.
    drawing: [Option<wgpu::BindGroup>; DrawPass::ALL.len()],
    start: wgpu::BindGroup,
    in_place: wgpu::BindGroup,
    certify: wgpu::BindGroup,
    reduce: wgpu::BindGroup,
    tally_group: wgpu::BindGroup,
    sides: [Option<Sided>; 2],
}

impl Workspace {
    /// Memory for `tiles` tiles of a cell's goals, with sums of `blocks` blocks.
    pub(super) fn new(
        device: &Device,
        kernels: &Kernels,
        cell: &Cell,
        method: Method,
        (tiles, blocks): (u32, u32),
    ) -> Result<Self, SolveError> {
        use wgpu::BufferUsages as Usage;
        let n_states = cell.constants.n_states;
        let goals_count = u64::from(tiles) * TILE as u64;
        let numbers = goals_count * u64::from(n_states) * 4;
        let storage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
        let make = |label, bytes| device.buffer(label, bytes, storage);
        let rewards = goals_count * u64::from(cell.constants.n_rewards) * 4;
        let goals = make("goals", rewards)?;
        let latents = make(
            "draws of the sums",
            goals_count * u64::from(cell.n_latents) * 4,
        )?;
        let values = make("values", numbers)?;
        let next = match method {
            Method::InPlace | Method::PolicyIteration | Method::OverRelaxed => None,
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
        let extremes = make(
            "measures of the goals",
            goals_count * size_of::<Extremes>() as u64,
        )?;
        let progress = make("progress", size_of::<Progress>() as u64)?;
        let of_states = u64::from(blocks) * u64::from(n_states);
        let sums = make("sums", of_states * size_of::<StateSums>() as u64)?;
        let tally = make("tally", u64::from(blocks) * size_of::<Tally>() as u64)?;
        let missed = make("unconverged goals", goals_count / 8)?;
        let followed = kernels.follows.then(|| make("choices taken", numbers));
        let followed = followed.transpose()?;
        let alignment = u64::from(device.limits().min_uniform_buffer_offset_alignment);
        let job_stride = (size_of::<Job>() as u64).next_multiple_of(alignment);
        let jobs = device.buffer(
            "jobs",
            (JOBS + SUMMING) as u64 * job_stride,
            Usage::UNIFORM | Usage::COPY_DST,
        )?;
        let staging = device.buffer(
            "results",
            (progress.size() + sums.size() + tally.size() + missed.size()).max(lanes.size()),
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
                ("heads", &cell.heads),
                ("segments", &cell.segments),
                ("cells", &cell.cells),
                ("leaves", &cell.leaves),
                ("conditions", &cell.conditions),
                ("places", &cell.places),
                ("settled", &cell.settled),
                ("numbers", &cell.numbers),
                ("bundles", &cell.bundles),
                ("summed", &cell.summed),
                ("addends", &cell.addends),
                ("factors", &cell.factors),
                ("latents", &latents),
                ("stays", &cell.stays),
                ("goals", &goals),
                ("values", values),
                ("next", next),
                ("integrands", &integrands),
                ("lanes", &lanes),
                ("drawn", &drawn),
                ("extremes", &extremes),
                ("progress", &progress),
                ("sums", &sums),
                ("tally", &tally),
                ("missed", &missed),
            ];
            let given = followed.iter().map(|buffer| ("followed", buffer));
            let phases = kernels.phases.iter().flat_map(DevicePhases::named);
            let product = kernels.product.iter().flat_map(Product::named);
            let more = given.chain(phases).chain(product);
            let named: Vec<_> = named.into_iter().chain(more).collect();
            pipeline.bind(device, &named)
        };
        let side =
            |values: &wgpu::Buffer, other: Option<&wgpu::Buffer>| -> Result<Sided, SolveError> {
                let jacobi = other
                    .map(|next| bind(&kernels.jacobi, values, next))
                    .transpose()?;
                let measure = bind(&kernels.measure, values, other.unwrap_or(values))?;
                let recentre = bind(&kernels.recentre, values, values)?;
                Ok(Sided {
                    jacobi,
                    measure,
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
        let mut drawing = [const { None }; DrawPass::ALL.len()];
        for (group, pipeline) in drawing.iter_mut().zip(&kernels.drawing) {
            *group = pipeline.as_deref().map(bind).transpose()?;
        }
        Ok(Self {
            tiles,
            blocks,
            n_states,
            job_group: kernels.start.bind_jobs(device, &jobs)?,
            drawing,
            start: bind(&kernels.start)?,
            in_place: bind(&kernels.in_place)?,
            certify: bind(&kernels.certify)?,
            reduce: bind(&kernels.reduce)?,
            tally_group: bind(&kernels.tally)?,
            sides,
            goals,
            integrands,
            lanes,
            drawn,
            extremes,
            progress,
            sums,
            tally,
            missed,
            followed,
            jobs,
            job_stride,
            staging,
        })
    }

    /// Whether it has room for so many tiles of so many blocks.
    pub(super) fn has_room(&self, (tiles, blocks): (u32, u32)) -> bool {
        self.tiles >= tiles && self.blocks >= blocks
    }

    /// A pass of those that draw goals.
    pub(super) fn drawing<'a>(
        &'a self,
        kernels: &'a Kernels,
        pass: DrawPass,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        let made = "made for the passes of the law";
        let pipeline = kernels.drawing[pass as usize].as_ref().expect(made);
        (pipeline, self.drawing[pass as usize].as_ref().expect(made))
    }

    /// The pass that starts the values.
    pub(super) fn start<'a>(&'a self, kernels: &'a Kernels) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.start, &self.start)
    }

    /// In-place sweeps.
    pub(super) fn in_place<'a>(
        &'a self,
        kernels: &'a Kernels,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.in_place, &self.in_place)
    }

    /// The sums over goals.
    pub(super) fn reduce<'a>(
        &'a self,
        kernels: &'a Kernels,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.reduce, &self.reduce)
    }

    /// The sums of certificates.
    pub(super) fn tally<'a>(&'a self, kernels: &'a Kernels) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.tally, &self.tally_group)
    }

    fn side(&self, side: Side) -> &Sided {
        let sided = self.sides[side as usize].as_ref();
        sided.expect("in-place sweeps stay on side A")
    }

    /// A sweep that reads one side and writes the other.
    pub(super) fn jacobi<'a>(
        &'a self,
        kernels: &'a Kernels,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        let group = self.side(side).jacobi.as_ref();
        (&kernels.jacobi, group.expect("made for this method"))
    }

    /// What certificates of one side's values are made of.
    pub(super) fn measure<'a>(
        &'a self,
        kernels: &'a Kernels,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.measure, &self.side(side).measure)
    }

    /// The certificates.
    pub(super) fn certify<'a>(
        &'a self,
        kernels: &'a Kernels,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.certify, &self.certify)
    }

    /// The move of one side's values.
    pub(super) fn recentre<'a>(
        &'a self,
        kernels: &'a Kernels,
        side: Side,
    ) -> (&'a Pipeline, &'a wgpu::BindGroup) {
        (&kernels.recentre, &self.side(side).recentre)
    }

    /// Puts goals from outside in the place of drawn ones: lattice steps `[tiles, n_rewards, TILE]` and their counts.
    pub(super) fn put_goals(
        &self,
        device: &Device,
        steps: &[u32],
        drawn: &[Drawn],
    ) -> Result<(), SolveError> {
        device.write(&self.goals, 0, steps)?;
        device.write(&self.drawn, 0, drawn)
    }

    /// Puts the choices there that goals take, `[tiles, n_states, TILE]`, where they are given: numbers of choices in sweep order.
    pub(super) fn put_choices(&self, device: &Device, choices: &[u32]) -> Result<(), SolveError> {
        match &self.followed {
            Some(buffer) => device.write(buffer, 0, choices),
            None => Ok(()),
        }
    }

    /// Runs what was batched, and waits for it. `new`: the goals are new ones, and whatever is kept of the last ones is zeroed first; but for counts of goals
    /// that were put there.
    pub(super) fn submit(
        &self,
        device: &Device,
        pace: &Pace,
        batch: &mut Batch<'_>,
        new: New,
    ) -> Result<(), SolveError> {
        self.run(device, pace, batch, new, |_| ())
    }

    /// The same, with the counts of certificates and whatever was summed, from zero on, read back.
    pub(super) fn submit_and_read(
        &self,
        device: &Device,
        pace: &Pace,
        batch: &mut Batch<'_>,
        new: New,
    ) -> Result<Found, SolveError> {
        let parts = [&self.progress, &self.sums, &self.tally, &self.missed];
        self.run(device, pace, batch, new, |encoder| {
            let mut at = 0;
            for part in parts {
                encoder.copy_buffer_to_buffer(part, 0, &self.staging, at, part.size());
                at += part.size();
            }
        })?;
        let bytes = parts.iter().map(|part| part.size()).sum();
        let words: Vec<u32> = device.read(&self.staging, bytes)?;
        let mut at = 0;
        let [progress, sums, tally, missed] = parts.map(|part| {
            let first = at;
            at += part.size() as usize / 4;
            &words[first..at]
        });
        // Small buffers are longer than what is in them.
        fn first<T: bytemuck::Pod>(words: &[u32], count: usize) -> Vec<T> {
            bytemuck::pod_collect_to_vec(&words[..count * size_of::<T>() / 4])
        }
        Ok(Found {
            progress: first(progress, 1)[0],
            sums: first(sums, (self.blocks * self.n_states) as usize),
            tally: first(tally, self.blocks as usize),
            missed: missed.to_vec(),
        })
    }

    fn run(
        &self,
        device: &Device,
        pace: &Pace,
        batch: &mut Batch<'_>,
        new: New,
        after: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<(), SolveError> {
        let stride = self.job_stride;
        let mut jobs = vec![0u8; batch.steps.len() * stride as usize];
        for (slot, step) in jobs.chunks_exact_mut(stride as usize).zip(&batch.steps) {
            slot[..size_of::<Job>()].copy_from_slice(bytemuck::bytes_of(&step.job));
        }
        device.write(&self.jobs, 0, &jobs)?;
        let started = Instant::now();
        device.run("solving goals", |encoder| {
            let clear = |encoder: &mut wgpu::CommandEncoder, buffers: &[&wgpu::Buffer]| {
                for buffer in buffers {
                    encoder.clear_buffer(buffer, 0, None);
                }
            };
            match new {
                New::No => {}
                New::Put => clear(encoder, &[&self.lanes, &self.extremes]),
                New::Drawn => clear(encoder, &[&self.lanes, &self.extremes, &self.drawn]),
            }
            clear(encoder, &[&self.progress]);
            let pass = |encoder: &mut wgpu::CommandEncoder, steps: std::ops::Range<usize>| {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for i in steps {
                    let step = &batch.steps[i];
                    pass.set_pipeline(step.pipeline.compute());
                    pass.set_bind_group(0, step.buffers, &[]);
                    pass.set_bind_group(1, &self.job_group, &[(i as u64 * stride) as u32]);
                    pass.dispatch_workgroups(step.groups[0], step.groups[1], 1);
                }
            };
            let summing = batch.steps.len() - batch.summing;
            pass(encoder, 0..summing);
            clear(encoder, &[&self.sums, &self.tally, &self.missed]);
            pass(encoder, summing..batch.steps.len());
            after(encoder);
        })?;
        pace.learn(batch.cost, started.elapsed());
        *batch = Batch::default();
        Ok(())
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
        self.read_whole(device, &self.integrands)
    }

    /// The goals as they were drawn, lattice steps `[tiles, n_rewards, TILE]`.
    #[cfg(test)]
    pub(super) fn read_goals(&self, device: &Device) -> Result<Vec<u32>, SolveError> {
        self.read_whole(device, &self.goals)
    }

    /// A buffer of more than the results have room for.
    fn read_whole<T: bytemuck::Pod>(
        &self,
        device: &Device,
        buffer: &wgpu::Buffer,
    ) -> Result<Vec<T>, SolveError> {
        let bytes = buffer.size();
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = device.buffer("numbers read back", bytes, usage)?;
        device.run("reading back", |encoder| {
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, bytes)
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

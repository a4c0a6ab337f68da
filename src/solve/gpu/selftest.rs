//! Random numbers of the device against the definition, bit by bit: run whenever a device is opened, in earnest by the tests.

use super::device::Device;
use super::layout::{self, Job, Pair};
use super::shaders::Pipeline;
use crate::reward::{Lattice, Uniform};
use crate::rng::{self, Stream};
use crate::solve::{DeviceFault, SolveError};
use crate::units::{SampleIndex, Seed};

/// Which numbers to draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draws {
    pub(super) seed: Seed,
    pub(super) stream: Stream,
    /// A multiple of 64.
    pub(super) first: u64,
    /// A multiple of 64.
    pub(super) goals: u32,
    /// A multiple of 4.
    pub(super) first_coordinate: u32,
    /// A multiple of 4.
    pub(super) coordinates: u32,
    pub(super) lattice: Lattice,
}

impl Draws {
    /// By the definition, `[goals, coordinates]`.
    pub(super) fn on_host(&self) -> Vec<Pair> {
        let goals = self.first..self.first + u64::from(self.goals);
        let coordinates = self.first_coordinate..self.first_coordinate + self.coordinates;
        let pairs = goals.flat_map(|goal| {
            coordinates
                .clone()
                .map(move |coordinate| (goal, coordinate))
        });
        pairs
            .map(|(goal, coordinate)| {
                let word = rng::word(self.seed, self.stream, SampleIndex(goal), coordinate);
                let step = self.lattice.integer(word) - self.lattice.low;
                Pair {
                    word,
                    step: step as u32,
                }
            })
            .collect()
    }

    /// By the shader of this name, `[goals, coordinates]`.
    pub(super) fn on_device(&self, device: &Device, shader: &str) -> Result<Vec<Pair>, SolveError> {
        use wgpu::BufferUsages as Usage;
        let pipeline = Pipeline::new(device, shader)?;
        let [key_low, key_high] = rng::key(self.seed);
        let cell = layout::Cell {
            key_low,
            key_high,
            width: self.lattice.width,
            ..Default::default()
        };
        let job = Job {
            first_low: self.first as u32,
            first_high: (self.first >> 32) as u32,
            stream: self.stream.number(),
            range_first: self.first_coordinate,
            range_end: self.first_coordinate + self.coordinates,
            ..Default::default()
        };
        let cell = device.upload("constants", &[cell], Usage::UNIFORM)?;
        let jobs = device.upload("job", &[job], Usage::UNIFORM)?;
        let bytes = u64::from(self.goals) * u64::from(self.coordinates) * size_of::<Pair>() as u64;
        let pairs = device.buffer("random numbers", bytes, Usage::STORAGE | Usage::COPY_SRC)?;
        let staging = device.buffer(
            "random numbers read back",
            bytes,
            Usage::MAP_READ | Usage::COPY_DST,
        )?;
        let buffers = pipeline.bind(device, &[("cell", &cell), ("pairs", &pairs)])?;
        let job_group = pipeline.bind_jobs(device, &jobs)?;
        device.run("drawing random numbers", |encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipeline.compute());
            pass.set_bind_group(0, &buffers, &[]);
            pass.set_bind_group(1, &job_group, &[0]);
            pass.dispatch_workgroups(self.goals / 64, 1, 1);
            drop(pass);
            encoder.copy_buffer_to_buffer(&pairs, 0, &staging, 0, bytes);
        })?;
        device.read(&staging, bytes)
    }
}

/// A few thousand numbers on a device that was just opened.
pub(super) fn run(device: &Device) -> Result<(), SolveError> {
    let draws = Draws {
        seed: Seed(0x0123_4567_89ab_cdef),
        stream: Stream::Reward,
        first: (1 << 32) - 64,
        goals: 128,
        first_coordinate: 0,
        coordinates: 32,
        lattice: Uniform::unit().lattice(),
    };
    let shader = if device.summary().int64 {
        "words_int64"
    } else {
        "words_halves"
    };
    if draws.on_device(device, shader)? == draws.on_host() {
        return Ok(());
    }
    Err(device.error(
        DeviceFault::Incomplete,
        "it draws other random numbers than it should",
    ))
}

//! One group of goals on the device, from drawing to sums: which passes there are, how they are cut and when they are submitted.

use super::cover::HostTiles;
use super::kernels::Keeping;
use super::layout::{FLAG_CERTIFY, FLAG_KEEP, Job};
use super::pace::{Iterations, Pace};
use super::stage::DeviceStage;
use super::workspace::{Batch, Found, New, Side, Workspace};
use crate::plan::Method;
use crate::rng::Stream;
use crate::solve::{DeviceFault, SolveError};
use crate::statistics::TILE;

/// Goals of one group.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    /// Drawn on the device: `first` is the number of the first one.
    Sampled { stream: Stream, first: u64 },
    /// Already on the device.
    Put(&'a HostTiles),
}

/// The passes over one group of goals.
pub(super) struct Group<'a> {
    solver: &'a DeviceStage,
    workspace: &'a Workspace,
    tiles: u32,
    /// What all jobs of the group have in common.
    job: Job,
    side: Side,
    /// Whether nothing was submitted yet.
    new: New,
    batch: Batch<'a>,
}

impl<'a> Group<'a> {
    /// `job`: how many goals count, in what blocks, and the flags.
    pub(super) fn new(
        solver: &'a DeviceStage,
        workspace: &'a Workspace,
        source: Source<'_>,
        job: Job,
    ) -> Self {
        let (stream, first) = match source {
            Source::Sampled { stream, first } => (stream, first),
            Source::Put(_) => (Stream::Reward, 0),
        };
        let is_drawn = matches!(source, Source::Sampled { .. });
        let job = Job {
            first_low: first as u32,
            first_high: (first >> 32) as u32,
            stream: stream.number(),
            ..job
        };
        let tiles = job.count.div_ceil(TILE as u32);
        Self {
            solver,
            workspace,
            tiles,
            job,
            side: Side::A,
            new: if is_drawn { New::Drawn } else { New::Put },
            batch: Batch::default(),
        }
    }

    fn goals(&self) -> u64 {
        u64::from(self.tiles) * TILE as u64
    }

    fn n_states(&self) -> u32 {
        self.solver.iterations.visits
    }

    fn most_groups(&self) -> u32 {
        self.solver
            .gpu
            .device
            .limits()
            .max_compute_workgroups_per_dimension
    }

    pub(super) fn submit(&mut self) -> Result<(), SolveError> {
        let gpu = &self.solver.gpu;
        let new = std::mem::replace(&mut self.new, New::No);
        self.workspace
            .submit(&gpu.device, &gpu.pace, &mut self.batch, new)
    }

    fn submit_and_read(&mut self) -> Result<Found, SolveError> {
        let gpu = &self.solver.gpu;
        let new = std::mem::replace(&mut self.new, New::No);
        self.workspace
            .submit_and_read(&gpu.device, &gpu.pace, &mut self.batch, new)
    }

    fn submit_if_full(&mut self) -> Result<(), SolveError> {
        if self.batch.is_full(&self.solver.gpu.pace) {
            self.submit()?;
        }
        Ok(())
    }

    /// Goals and first values.
    pub(super) fn begin(&mut self, source: Source<'_>) -> Result<(), SolveError> {
        let (device, kernels) = (&self.solver.gpu.device, &self.solver.kernels);
        match source {
            Source::Put(tiles) => {
                self.workspace
                    .put_goals(device, &tiles.steps, &tiles.drawn)?;
            }
            Source::Sampled { stream, first } => {
                let allowed = self.solver.gpu.pace.cost() / self.goals();
                for dispatch in self.solver.draws.dispatches(stream, first, allowed) {
                    let job = Job {
                        first_low: self.job.first_low,
                        first_high: self.job.first_high,
                        stream: self.job.stream,
                        ..dispatch.job
                    };
                    self.batch.push(
                        self.workspace.drawing(kernels, dispatch.pass),
                        job,
                        [self.tiles, dispatch.strides.clamp(1, self.most_groups())],
                        dispatch.iterations * self.goals(),
                    );
                    self.submit_if_full()?;
                }
            }
        }
        if !self.is_straight() {
            let n_states = self.n_states();
            let strides = n_states.div_ceil(16).clamp(1, self.most_groups());
            let cost = u64::from(n_states) * self.goals();
            self.batch.push(
                self.workspace.start(kernels),
                self.job,
                [self.tiles, strides],
                cost,
            );
        }
        Ok(())
    }

    /// Whether one shader does all from the first values to the certificates.
    fn is_straight(&self) -> bool {
        let solver = self.solver;
        solver.kernels.keeping == Keeping::Registers && solver.schedule.method != Method::Jacobi
    }

    /// Whether the integrands are kept in the form they are added up in. It takes the place of the other one, so that it is made once, at the end.
    fn keeps(&self) -> bool {
        self.job.flags & FLAG_KEEP != 0
    }

    /// Sweeps and certificates until every goal is done, and sums. The sums are made along with every certificate: one of them is the last, which nobody
    /// knows before, and going to the device once more takes longer than adding up.
    pub(super) fn iterate(&mut self) -> Result<Found, SolveError> {
        let max_sweeps = self.solver.max_sweeps;
        let mut done = 0;
        let schedule = self.solver.schedule;
        let first_check = match (&self.solver.kernels.phases, schedule.method) {
            (None, _) | (_, Method::Jacobi) => schedule.first_check,
            (Some(phases), _) => phases.first_check(schedule.first_check),
        };
        let mut next = first_check.clamp(1, max_sweeps.max(1));
        loop {
            if self.is_straight() {
                done = self.go_straight(done, next)?;
            } else {
                self.sweep(done, next - done)?;
                done = next;
                self.certify(done)?;
            }
            if !self.keeps() {
                self.sum();
            }
            let found = self.submit_and_read()?;
            let progress = found.progress;
            if progress.broken > 0 {
                let problem = format!(
                    "{} goals are no numbers, or were not swept as often as was asked",
                    progress.broken
                );
                return Err(self
                    .solver
                    .gpu
                    .device
                    .error(DeviceFault::Incomplete, problem));
            }
            if progress.running == 0 && self.keeps() {
                self.sum();
                return self.submit_and_read();
            }
            if progress.running == 0 {
                return Ok(found);
            }
            if progress.moved > 0 {
                let (pass, job) = (
                    self.workspace.recentre(&self.solver.kernels, self.side),
                    self.job,
                );
                let n_states = self.n_states();
                let strides = n_states.div_ceil(16).clamp(1, self.most_groups());
                let cost = u64::from(n_states) * self.goals();
                self.batch.push(pass, job, [self.tiles, strides], cost);
            }
            next = self.next_check(done);
        }
    }

    /// Sweeps until the certificate after one that some goals have missed.
    fn next_check(&self, done: u32) -> u32 {
        (done + 1 + done / 8).min(self.solver.max_sweeps)
    }

    /// Sweeps and certificates by the shader that is written for the MDP, to the certificate after `next` sweeps and on from there: as many sweeps as that again,
    /// where a dispatch has room for them. How many sweeps the goals that still run have behind them.
    fn go_straight(&mut self, mut done: u32, next: u32) -> Result<u32, SolveError> {
        let solver = self.solver;
        let (goals, per_pass) = (self.goals(), solver.iterations.per_pass);
        let most = |pace: &Pace| solver.iterations.whole_passes(goals, pace.cost());
        loop {
            let sweeps = most(&solver.gpu.pace);
            if next - done <= sweeps {
                break;
            }
            let job = Job {
                done,
                sweeps,
                ..self.job
            };
            let cost = per_pass * goals * u64::from(sweeps);
            let pass = self.workspace.in_place(&solver.kernels);
            self.batch.push(pass, job, [self.tiles, 1], cost);
            self.submit_if_full()?;
            done += sweeps;
        }
        let sweeps = next - done;
        let room = most(&solver.gpu.pace).min(2 * sweeps);
        // Certificates cost about as much as two sweeps.
        let (mut last, mut used) = (next, sweeps + 2);
        loop {
            let further = self.next_check(last);
            used += further - last + 2;
            if further == last || used > room {
                break;
            }
            last = further;
        }
        let job = Job {
            done,
            sweeps,
            range_end: last,
            flags: self.job.flags | FLAG_CERTIFY,
            ..self.job
        };
        let cost = per_pass * goals * u64::from(sweeps + 2);
        let pass = self.workspace.in_place(&solver.kernels);
        self.batch.push(pass, job, [self.tiles, 1], cost);
        Ok(last)
    }

    fn sweep(&mut self, done: u32, sweeps: u32) -> Result<(), SolveError> {
        match self.solver.schedule.method {
            // Whoever asks for policy iteration was refused.
            Method::InPlace | Method::PolicyIteration | Method::OverRelaxed => {
                self.sweep_in_place(done, sweeps)
            }
            Method::Jacobi => self.sweep_jacobi(sweeps),
        }
    }

    fn sweep_in_place(&mut self, mut done: u32, sweeps: u32) -> Result<(), SolveError> {
        let solver = self.solver;
        let (iterations, workgroups) = match &solver.kernels.phases {
            Some(phases) => (phases.iterations, self.tiles * phases.workgroups_per_tile),
            None => (solver.iterations, self.tiles),
        };
        let mut left = sweeps;
        while left > 0 {
            // Cut a few sweeps at a time: the pace is learnt on the way.
            let now = left.min(1024);
            // The same for all of them, however they are cut.
            let relaxation = solver.relaxation(done);
            let (goals, cost) = (self.goals(), solver.gpu.pace.cost());
            let pieces = match &solver.kernels.phases {
                // An invocation does a part of a slice, for four goals.
                Some(phases) => iterations.pieces(now, goals * phases.members / 4, cost),
                None => iterations.pieces(now, goals, cost),
            };
            for piece in pieces {
                let job = Job {
                    range_first: piece.first,
                    range_end: piece.end,
                    sweeps: piece.passes,
                    relaxation,
                    done,
                    ..self.job
                };
                self.batch.push(
                    self.workspace.in_place(&solver.kernels),
                    job,
                    [workgroups, 1],
                    piece.cost,
                );
                self.submit_if_full()?;
                done += if piece.end == iterations.visits {
                    piece.passes
                } else {
                    0
                };
            }
            left -= now;
        }
        Ok(())
    }

    fn sweep_jacobi(&mut self, sweeps: u32) -> Result<(), SolveError> {
        let solver = self.solver;
        let most = self.most_groups();
        let iterations = match &solver.kernels.product {
            Some(product) => product.iterations,
            None => solver.iterations,
        };
        for _ in 0..sweeps {
            for (range, cost) in iterations.shared(self.goals(), solver.gpu.pace.cost()) {
                let visits = range.end - range.start;
                let strides = match solver.kernels.product {
                    Some(_) => visits,
                    None => iterations.strides(visits, most),
                };
                let job = Job {
                    range_first: range.start,
                    range_end: range.end,
                    ..self.job
                };
                let pass = self.workspace.jacobi(&solver.kernels, self.side);
                self.batch.push(pass, job, [self.tiles, strides], cost);
                self.submit_if_full()?;
            }
            self.side = self.side.other();
        }
        Ok(())
    }

    fn certify(&mut self, done: u32) -> Result<(), SolveError> {
        let solver = self.solver;
        // What multiplied rows whole is certified by what it made of the values before.
        let (side, iterations) = match solver.kernels.product {
            Some(_) => (self.side.other(), Iterations::of_states(self.n_states())),
            None => (self.side, solver.iterations),
        };
        let most = self.most_groups();
        for (range, cost) in iterations.shared(self.goals(), solver.gpu.pace.cost()) {
            let strides = iterations.strides(range.end - range.start, most);
            let job = Job {
                range_first: range.start,
                range_end: range.end,
                ..self.job
            };
            let pass = self.workspace.measure(&solver.kernels, side);
            self.batch.push(pass, job, [self.tiles, strides], cost);
            self.submit_if_full()?;
        }
        let job = Job {
            done,
            expected_work: self.n_states().wrapping_mul(done),
            ..self.job
        };
        let pass = self.workspace.certify(&solver.kernels);
        self.batch.push(pass, job, [self.tiles, 1], self.goals());
        // The counts are zeroed with every submission: the batch's last dispatch is the one that counts.
        Ok(())
    }

    /// Sums over the goals.
    fn sum(&mut self) {
        let kernels = &self.solver.kernels;
        let n_states = self.n_states();
        let strides = n_states.div_ceil(TILE as u32).clamp(1, self.most_groups());
        let (tiles, goals) = (self.tiles, self.goals());
        let (reduce, tally) = (
            self.workspace.reduce(kernels),
            self.workspace.tally(kernels),
        );
        let cost = u64::from(n_states) * goals;
        self.batch
            .push_sum(reduce, self.job, [tiles, strides], cost);
        self.batch.push_sum(tally, self.job, [tiles, 1], goals);
    }
}

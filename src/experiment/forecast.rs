//! What a run will take, from a trial of its first goals on this machine.

use std::time::{Duration, Instant};

use super::kept::{Kept, MOST_BYTES};
use super::runner::{self, Task};
use super::{Engine, Ledger, Memory, RunError, RunSpec, Unobserved};
use crate::solve::Backend;
use crate::statistics::TILE;

/// Environments that are tried, spread over those that there are.
const ENVIRONMENTS: usize = 8;
/// A trial of so long says enough: it is many times what starting and stopping take.
const ENOUGH: Duration = Duration::from_millis(500);
/// A trial of so long has to be enough.
const TOO_LONG: Duration = Duration::from_secs(10);
/// The first trial is one goal, every other so many times the goals of the one before.
const GROWTH: u64 = 8;
/// What the program takes before it has read anything, and pages that allocators keep.
const PROGRAM_BYTES: usize = 24 << 20;

/// What a run is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Seconds until all cells are ready: plans, pilots, uploads.
    pub preparing_seconds: f64,
    /// Seconds for a goal of every cell, with all threads at work.
    pub seconds_per_goal: f64,
    /// Worker threads that were at work.
    pub threads: usize,
}

impl Forecast {
    /// Seconds that a run of so many goals takes.
    #[must_use]
    pub fn seconds(&self, goals: u64) -> f64 {
        self.preparing_seconds + self.seconds_per_goal * goals as f64
    }
}

impl Engine {
    /// Tries the first goals of a run, in at most eight of its environments.
    ///
    /// # Errors
    ///
    /// [`RunError`], as the run itself.
    pub fn forecast(&self, spec: &RunSpec) -> Result<Forecast, RunError> {
        spec.validate()?;
        let n = spec.environments.len();
        let tried = n.min(ENVIRONMENTS);
        let trial = RunSpec {
            environments: (0..tried)
                .map(|i| spec.environments[i * n / tried].clone())
                .collect(),
            ..spec.unlisted()
        };
        let scale = n as f64 / tried as f64;
        let threads = match spec.workers(self.backend()) {
            0 => spec.n_threads(),
            workers => workers,
        };
        let kept = Kept::what_fits();
        let clock = Instant::now();
        runner::make_ready(self.backend(), &trial, &kept)?;
        let preparing = clock.elapsed();
        let mut goals = 1;
        loop {
            let clock = Instant::now();
            let at = RunSpec {
                samples: goals,
                ..trial.clone()
            };
            let nothing = Ledger::default();
            let task = Task::Solve;
            let outcome = runner::run(self.backend(), &at, nothing, task, &Unobserved, &kept)?;
            let time = clock.elapsed();
            let tiles = goals.div_ceil(TILE as u64);
            let is_full = tiles >= threads as u64;
            if (is_full && time >= ENOUGH) || time >= TOO_LONG || goals >= spec.samples {
                let solved = outcome.solved as f64 / trial.n_cells() as f64;
                // Threads that had no tile of their own would have had one.
                let share = (tiles as f64 / threads as f64).min(1.0);
                let per_goal = share * time.as_secs_f64() / solved.max(1.0);
                return Ok(Forecast {
                    preparing_seconds: scale * preparing.as_secs_f64(),
                    seconds_per_goal: scale * per_goal,
                    threads,
                });
            }
            goals = goals.saturating_mul(GROWTH).min(spec.samples);
        }
    }
}

impl RunSpec {
    /// Worker threads: as asked, or one per processor.
    #[must_use]
    pub fn n_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }

    /// Threads of a run's pool: as many as were asked for, else as many as keep the backend busy; 0 for one per processor.
    pub(super) fn workers(&self, backend: &dyn Backend) -> usize {
        let processors = self.n_threads();
        match backend.workers(processors) {
            workers if self.threads == 0 && workers > processors => workers,
            _ => self.threads,
        }
    }

    /// Memory that a run is expected to take on so many threads: the program, all cells of its largest environment at work, what is there while they are made, and the sums of all others, with the
    /// structures of those that are made ready before the first goal.
    ///
    /// # Errors
    ///
    /// [`RunError::Variant`].
    pub fn memory_bytes(&self, threads: usize) -> Result<usize, RunError> {
        let agents = self.rewards.len() * self.discounts.len() * self.rules.len();
        let (mut most, mut kept, mut passing, mut ahead) = (0, 0, 0, 0);
        for environment in &self.environments {
            let variants = self.variants_of(environment)?;
            let goals = Self::block_size(&variants);
            let each = variants.iter().map(|variant| {
                let memory = self.memory_of(variant, goals);
                ahead += agents * memory.structure_bytes;
                (memory.total_bytes(threads), memory.sums_bytes)
            });
            let (at_work, sums): (Vec<_>, Vec<_>) = each.unzip();
            let successors = variants.iter().map(|variant| variant.mdp.n_successors());
            passing = passing.max(Memory::PASSING * successors.max().unwrap_or(0));
            most = most.max(agents * at_work.iter().sum::<usize>());
            kept += agents * sums.iter().sum::<usize>();
        }
        let ahead = match self.environments.len() {
            1 => 0,
            _ => ahead.min(MOST_BYTES),
        };
        Ok(PROGRAM_BYTES + most + kept + passing + ahead)
    }
}

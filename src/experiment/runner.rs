//! The loop: environments one after another, blocks outside, cells inside.
//!
//! All cells of an environment see a block's goals before the next block, so that later statistics can join cells goal
//! by goal. Threads take blocks in order from a counter; sums are integers, so that it does not matter who took which.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cell::Cell;
use super::{MdpHandle, Observer, Progress, RunError, RunSpec, Statistics};
use crate::solve::Backend;
use crate::statistics::{Blocks, block_size};

/// Shortest time between two reports to the observer.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// Runs a validated spec.
pub(super) fn run(
    backend: &dyn Backend,
    spec: &RunSpec,
    observer: &dyn Observer,
) -> Result<Statistics, RunError> {
    let pool = ThreadPoolBuilder::new().num_threads(spec.threads).build();
    let pool = pool.map_err(RunError::Threads)?;
    let mut statistics = Statistics {
        samples: spec.samples,
        seed: spec.seed.0,
        backend: backend.name().to_owned(),
        level: spec.level,
        cells: Vec::with_capacity(spec.n_cells()),
        failures: Vec::new(),
    };
    let reporter = Reporter::new(spec, observer);
    for (index, mdp) in spec.environments.iter().enumerate() {
        let cells = prepare(backend, spec, mdp, &pool);
        let environment = Environment {
            name: mdp.mdp().name(),
            index,
            cells: &cells,
            blocks: Blocks::new(spec.samples, block_size(mdp.mdp().n_states())),
        };
        environment.solve(&pool, &reporter)?;
        for cell in cells {
            match cell.finish() {
                Ok(cell) => statistics.cells.push(cell),
                Err(failure) => statistics.failures.push(*failure),
            }
        }
    }
    Ok(statistics)
}

/// The cells of one environment, in the order of the experiment. Runs in the pool, since a backend may use it.
fn prepare(backend: &dyn Backend, spec: &RunSpec, mdp: &MdpHandle, pool: &ThreadPool) -> Vec<Cell> {
    pool.install(|| {
        let pairs = spec.rewards.iter().flat_map(|reward| {
            spec.discounts
                .iter()
                .map(move |discount| (reward, *discount))
        });
        pairs
            .map(|(reward, discount)| Cell::prepare(backend, spec, mdp, reward, discount))
            .collect()
    })
}

/// One environment at work.
struct Environment<'a> {
    name: &'a str,
    index: usize,
    cells: &'a [Cell],
    blocks: Blocks,
}

impl Environment<'_> {
    /// Solves all blocks in all cells: one block a thread while there is one for every thread, then the rest with all
    /// threads on each block.
    fn solve(&self, pool: &ThreadPool, reporter: &Reporter<'_>) -> Result<(), RunError> {
        let threads = pool.current_num_threads() as u64;
        let dealt = self.blocks.len() / threads * threads;
        let next = AtomicU64::new(0);
        pool.broadcast(|_| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= dealt || !self.solve_block(index, false, reporter) {
                    break;
                }
            }
        });
        pool.install(|| {
            (dealt..self.blocks.len()).all(|index| self.solve_block(index, true, reporter))
        });
        if reporter.observer.cancelled() {
            return Err(RunError::Cancelled);
        }
        reporter.report(self, self.index + 1);
        Ok(())
    }

    /// All cells of one block. `false` when the run is cancelled.
    fn solve_block(&self, index: u64, parallel: bool, reporter: &Reporter<'_>) -> bool {
        let block = self.blocks.get(index);
        for cell in self.cells {
            if reporter.observer.cancelled() {
                return false;
            }
            cell.solve(block, parallel);
            reporter.add(block.len, self);
        }
        true
    }
}

/// Counts goals and tells the observer now and then.
struct Reporter<'a> {
    observer: &'a dyn Observer,
    goals_done: AtomicU64,
    goals_total: u64,
    environments_total: usize,
    last: Mutex<Instant>,
}

impl<'a> Reporter<'a> {
    fn new(spec: &RunSpec, observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            goals_done: AtomicU64::new(0),
            goals_total: spec.samples.saturating_mul(spec.n_cells() as u64),
            environments_total: spec.environments.len(),
            last: Mutex::new(Instant::now()),
        }
    }

    /// Counts goals; whoever finds that it is time and nobody else reporting, reports.
    fn add(&self, goals: u64, environment: &Environment<'_>) {
        self.goals_done.fetch_add(goals, Ordering::Relaxed);
        if let Ok(mut last) = self.last.try_lock()
            && last.elapsed() >= REPORT_INTERVAL
        {
            self.report(environment, environment.index);
            *last = Instant::now();
        }
    }

    fn report(&self, environment: &Environment<'_>, environments_done: usize) {
        self.observer.progress(&Progress {
            goals_done: self.goals_done.load(Ordering::Relaxed),
            goals_total: self.goals_total,
            environments_done,
            environments_total: self.environments_total,
            environment: environment.name,
            cells: environment.cells.iter().map(Cell::progress).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::experiment::fake::{FakeBackend, Flaw, two_state};
    use crate::experiment::{CellError, Engine, Unobserved};
    use crate::statistics::FixedPointError;
    use crate::units::Seed;

    fn engine(flaw: Flaw) -> Engine {
        Engine::with_backend(Arc::new(FakeBackend(flaw)))
    }

    fn spec(engine: &Engine, threads: usize) -> RunSpec {
        let mdp = engine.upload(two_state("pair"));
        // Five blocks: not a multiple of the threads, and the last one short.
        let spec = RunSpec {
            samples: 4 * 16_384 + 100,
            threads,
            ..RunSpec::default()
        };
        let spec = spec.environment(&mdp);
        spec.discount(0.9).unwrap().discount(0.5).unwrap()
    }

    /// Everything a result file would hold, bit by bit.
    fn bits(statistics: &Statistics) -> Vec<u64> {
        let cells = statistics.cells.iter();
        let estimates = cells.flat_map(|cell| &cell.power).flat_map(|e| {
            let deviation = e.std_error.unwrap_or(f64::NAN);
            [
                e.estimate,
                deviation,
                e.ci_low,
                e.ci_high,
                e.bound,
                e.bound_max,
            ]
        });
        estimates.map(f64::to_bits).collect()
    }

    #[test]
    fn one_and_seven_threads_give_the_same_bytes() {
        let engine = engine(Flaw::None);
        let one = engine.run(&spec(&engine, 1)).unwrap();
        let seven = engine.run(&spec(&engine, 7)).unwrap();
        assert_eq!(bits(&one), bits(&seven));
        assert_eq!(one.cells.len(), 2);
        assert_eq!(one.cells[0].samples, 4 * 16_384 + 100);
        let other_seed = RunSpec {
            seed: Seed(1),
            ..spec(&engine, 1)
        };
        let other = engine.run(&other_seed).unwrap();
        assert_ne!(bits(&one), bits(&other), "the goals matter");
    }

    #[test]
    fn a_failing_cell_does_not_take_the_others_along() {
        for threads in [1, 3] {
            let engine = engine(Flaw::RefusesDiscount(0.5));
            let statistics = engine.run(&spec(&engine, threads)).unwrap();
            assert_eq!((statistics.cells.len(), statistics.failures.len()), (1, 1));
            assert_eq!(statistics.failures[0].discount, 0.5);
            assert!(!statistics.is_complete());
            let whole = self::engine(Flaw::None);
            let whole = whole.run(&spec(&whole, threads)).unwrap();
            let kept = Statistics {
                cells: whole.cells[..1].to_vec(),
                ..whole
            };
            assert_eq!(bits(&statistics), bits(&kept));
        }
    }

    #[test]
    fn a_zero_buffer_is_never_a_result() {
        let engine = engine(Flaw::Zeros);
        let statistics = engine.run(&spec(&engine, 2)).unwrap();
        assert!(statistics.cells.is_empty());
        let expected = CellError::Unfinished {
            block: 0,
            expected_goals: 16_384,
            goals: 0,
            expected_states: 2,
            states: 2,
        };
        assert_eq!(statistics.failures[0].error, expected);
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        let engine = engine(Flaw::NotANumber);
        let statistics = engine.run(&spec(&engine, 2)).unwrap();
        let is_nan = |error: &CellError| {
            let source = FixedPointError::NotFinite(f64::NAN);
            error.to_string() == CellError::Sum { block: 3, source }.to_string()
        };
        assert!(
            is_nan(&statistics.failures[0].error),
            "{:?}",
            statistics.failures
        );
    }

    #[derive(Default)]
    struct Stopper {
        stop: AtomicBool,
        seen: AtomicU64,
    }

    impl Observer for Stopper {
        fn progress(&self, progress: &Progress<'_>) {
            self.seen.store(progress.goals_done, Ordering::Relaxed);
            assert_eq!(progress.goals_total, 2 * (4 * 16_384 + 100));
            assert!(progress.widest().is_some());
        }

        fn cancelled(&self) -> bool {
            self.stop.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn an_observer_sees_the_end_and_can_stop_the_run() {
        let engine = engine(Flaw::None);
        let observer = Stopper::default();
        engine.run_observed(&spec(&engine, 2), &observer).unwrap();
        assert_eq!(
            observer.seen.load(Ordering::Relaxed),
            2 * (4 * 16_384 + 100)
        );
        observer.stop.store(true, Ordering::Relaxed);
        let stopped = engine.run_observed(&spec(&engine, 2), &observer);
        assert!(matches!(stopped, Err(RunError::Cancelled)));
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let engine = engine(Flaw::None);
        let good = spec(&engine, 1);
        let twice = good.clone().environment(&engine.upload(two_state("pair")));
        let cases = [
            RunSpec {
                environments: vec![],
                ..good.clone()
            },
            RunSpec {
                discounts: vec![],
                ..good.clone()
            },
            RunSpec {
                rewards: vec![],
                ..good.clone()
            },
            RunSpec {
                samples: 0,
                ..good.clone()
            },
            RunSpec {
                tolerance: 0.0,
                ..good.clone()
            },
            RunSpec {
                tolerance: f64::NAN,
                ..good.clone()
            },
            RunSpec {
                level: 1.0,
                ..good.clone()
            },
            twice,
        ];
        for case in cases {
            assert!(engine.run_observed(&case, &Unobserved).is_err(), "{case:?}");
        }
        assert!(engine.run(&good).is_ok());
    }
}

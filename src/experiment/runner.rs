//! The loop: environments, blocks, cells.
//!
//! All cells of an environment see a block's goals before the next block, so that later statistics can join cells goal
//! by goal. An environment with enough blocks for all threads has them to itself, and threads take its blocks in order
//! from a counter; smaller ones, as ensembles have them, are worked on side by side. Sums are integers, so that it does not
//! matter who took what.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cell::Cell;
use super::run_spec::VariantMdp;
use super::{
    CellFailure, CellStatistics, MdpHandle, Observer, Progress, RunError, RunSpec, Statistics,
};
use crate::reward::RewardError;
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
    let run = Run {
        backend,
        spec,
        pool: pool.map_err(RunError::Threads)?,
        reporter: Reporter::new(spec, observer),
    };
    let mut statistics = Statistics {
        samples: spec.samples,
        seed: spec.seed.0,
        backend: backend.name().to_owned(),
        level: spec.level,
        cells: Vec::with_capacity(spec.n_cells()),
        failures: Vec::new(),
    };
    for outcome in run.all_cells()? {
        match outcome {
            Ok(cell) => statistics.cells.push(cell),
            Err(failure) => statistics.failures.push(*failure),
        }
    }
    Ok(statistics)
}

type CellOutcome = Result<CellStatistics, Box<CellFailure>>;

/// One run at work.
struct Run<'a> {
    backend: &'a dyn Backend,
    spec: &'a RunSpec,
    pool: ThreadPool,
    reporter: Reporter<'a>,
}

impl Run<'_> {
    /// All cells in the order of the experiment.
    fn all_cells(&self) -> Result<Vec<CellOutcome>, RunError> {
        let threads = self.pool.current_num_threads() as u64;
        let is_large = |mdp: &MdpHandle| self.blocks(mdp).len() >= threads;
        let mut outcomes = Vec::with_capacity(self.spec.n_cells());
        for group in self
            .spec
            .environments
            .chunk_by(|a, b| !is_large(a) && !is_large(b))
        {
            let small = group.len() > 1;
            let solved: Vec<Vec<CellOutcome>> = match small {
                true => self.pool.install(|| {
                    let environments = group.par_iter();
                    environments
                        .map(|mdp| self.environment(mdp, true))
                        .collect::<Result<_, _>>()
                })?,
                false => vec![self.environment(&group[0], false)?],
            };
            outcomes.extend(solved.into_iter().flatten());
        }
        Ok(outcomes)
    }

    fn blocks(&self, mdp: &MdpHandle) -> Blocks {
        Blocks::new(self.spec.samples, block_size(mdp.mdp().n_states()))
    }

    /// All cells of one environment, alone or as one of several.
    fn environment(
        &self,
        mdp: &MdpHandle,
        among_others: bool,
    ) -> Result<Vec<CellOutcome>, RunError> {
        let variants = self.spec.variants_of(mdp)?;
        let cells = self.pool.install(|| self.prepare(&variants))?;
        let goals = cells.iter().map(Cell::goals);
        self.reporter
            .expect(goals.clone().sum(), self.spec.samples * cells.len() as u64);
        let most = goals.max().unwrap_or(0);
        let environment = Environment {
            name: mdp.mdp().name(),
            blocks: Blocks::new(most, RunSpec::block_size(&variants)),
            cells,
            reporter: &self.reporter,
        };
        // Nothing is lost yet: better no run than one whose every goal misses the tolerance.
        if std::ptr::eq(mdp, &self.spec.environments[0])
            && let Some(error) = environment.cells.iter().find_map(Cell::refusal)
        {
            return Err(error);
        }
        match among_others {
            true => environment.solve_from(0),
            false => environment.solve_alone(&self.pool),
        }
        if self.reporter.observer.cancelled() {
            return Err(RunError::Cancelled);
        }
        self.reporter
            .environments_done
            .fetch_add(1, Ordering::Relaxed);
        self.reporter.report(&environment);
        Ok(environment.cells.into_iter().map(Cell::finish).collect())
    }

    /// The cells of one environment, in the order of the experiment.
    fn prepare(&self, variants: &[VariantMdp]) -> Result<Vec<Cell>, RewardError> {
        let mut wanted = Vec::new();
        for variant in variants {
            for reward in &self.spec.rewards {
                let discounts = self.spec.discounts.iter();
                wanted.extend(discounts.map(|discount| (variant, reward, *discount)));
            }
        }
        // Side by side: a pilot may take as long as the goals of a small cell.
        wanted
            .into_par_iter()
            .map(|(variant, reward, discount)| {
                Cell::prepare(self.backend, self.spec, variant, reward, discount)
            })
            .collect()
    }
}

/// One environment at work.
struct Environment<'a> {
    name: &'a str,
    cells: Vec<Cell>,
    blocks: Blocks,
    reporter: &'a Reporter<'a>,
}

impl Environment<'_> {
    /// One block a thread while there is one for every thread, then the rest with all threads on each block.
    fn solve_alone(&self, pool: &ThreadPool) {
        let threads = pool.current_num_threads() as u64;
        let dealt = self.blocks.len() / threads * threads;
        let next = AtomicU64::new(0);
        pool.broadcast(|_| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= dealt || !self.solve_block(index, false) {
                    break;
                }
            }
        });
        pool.install(|| self.solve_from(dealt));
    }

    /// Blocks one after another, each with all threads that have nothing else to do.
    fn solve_from(&self, first: u64) {
        let _finished = (first..self.blocks.len()).all(|index| self.solve_block(index, true));
    }

    /// All cells of one block. `false` when the run is cancelled.
    fn solve_block(&self, index: u64, parallel: bool) -> bool {
        let block = self.blocks.get(index);
        for cell in &self.cells {
            if self.reporter.observer.cancelled() {
                return false;
            }
            cell.solve(block, parallel);
            let solved = block.below(cell.goals()).map_or(0, |b| b.len);
            self.reporter.add(solved, self);
        }
        true
    }
}

/// Counts goals and tells the observer now and then.
struct Reporter<'a> {
    observer: &'a dyn Observer,
    goals_done: AtomicU64,
    goals_total: AtomicU64,
    environments_done: AtomicUsize,
    environments_total: usize,
    last: Mutex<Instant>,
}

impl<'a> Reporter<'a> {
    fn new(spec: &RunSpec, observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            goals_done: AtomicU64::new(0),
            goals_total: AtomicU64::new(spec.samples.saturating_mul(spec.n_cells() as u64)),
            environments_done: AtomicUsize::new(0),
            environments_total: spec.environments.len(),
            last: Mutex::new(Instant::now()),
        }
    }

    /// An environment has other goals than was thought: laws may enumerate theirs.
    fn expect(&self, goals: u64, instead_of: u64) {
        self.goals_total
            .fetch_add(goals.wrapping_sub(instead_of), Ordering::Relaxed);
    }

    /// Counts goals; whoever finds that it is time and nobody else reporting, reports.
    fn add(&self, goals: u64, environment: &Environment<'_>) {
        self.goals_done.fetch_add(goals, Ordering::Relaxed);
        if let Ok(mut last) = self.last.try_lock()
            && last.elapsed() >= REPORT_INTERVAL
        {
            self.report(environment);
            *last = Instant::now();
        }
    }

    fn report(&self, environment: &Environment<'_>) {
        self.observer.progress(&Progress {
            goals_done: self.goals_done.load(Ordering::Relaxed),
            goals_total: self.goals_total.load(Ordering::Relaxed),
            environments_done: self.environments_done.load(Ordering::Relaxed),
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
    fn environments_side_by_side_stay_in_order_and_give_the_same_bytes() {
        let engine = engine(Flaw::None);
        let ensemble = |threads, samples| {
            let spec = RunSpec {
                threads,
                samples,
                ..RunSpec::default()
            };
            let names = (0..20).map(|i| format!("environment {i}"));
            let mdps = names.map(|name| engine.upload(two_state(&name)));
            let spec = mdps.fold(spec, |spec, mdp| spec.environment(&mdp));
            engine.run(&spec.discount(0.9).unwrap()).unwrap()
        };
        let names = |statistics: &Statistics| {
            let cells = statistics.cells.iter().map(|c| c.environment.clone());
            cells.collect::<Vec<_>>()
        };
        // Two blocks: large for one thread and for two, small for seven.
        let [one, seven] = [1, 7].map(|threads| ensemble(threads, 20_000));
        assert_eq!(bits(&one), bits(&seven));
        assert_eq!(names(&one), names(&seven));
        assert_eq!(names(&one)[13], "environment 13");
        assert_ne!(bits(&one), bits(&ensemble(7, 20_001)));
    }

    #[test]
    fn a_failing_cell_does_not_take_the_others_along() {
        for threads in [1, 3] {
            let engine = engine(Flaw::RefusesDiscount(0.5));
            let statistics = engine.run(&spec(&engine, threads)).unwrap();
            assert_eq!((statistics.cells.len(), statistics.failures.len()), (1, 1));
            assert_eq!(statistics.failures[0].discount.asked(), 0.5);
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

//! The loop: environments, blocks, cells.
//!
//! All cells of an environment see a block's goals before the next block, so that later statistics can join cells goal
//! by goal; a few blocks at a time where nothing is observed and a device is not filled by one. An environment with enough blocks for all threads has them to itself, and threads take its blocks in order
//! from a counter; smaller ones, as ensembles have them, are worked on side by side. Sums are integers, so that it does not
//! matter who took what, nor what was done before by another process: blocks that a ledger holds are left out.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::cell::{Cell, Ready, WantedCell};
use super::checkpoint::{CellRecord, Shard, rescale};
use super::ensemble::ensembles;
use super::goals::CellGoals;
use super::kept::{Kept, MOST_ON_DEVICE, ReadyEnvironment};
use super::run_spec::{Refusal, VariantMdp};
use super::{
    CellFailure, CellStatistics, Ledger, MdpHandle, Observer, Progress, RunError, RunSpec,
    Statistics, Unfinished, Unobserved,
};
use crate::solve::Backend;
use crate::statistics::{Block, BlockSet, Blocks, Observations, block_size};

/// Shortest time between two reports to the observer.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);

/// What came of a run, finished or not.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The results from all that is done.
    pub statistics: Statistics,
    /// What is done: the next run goes on from here.
    pub ledger: Ledger,
    /// Goals that this run has solved itself, over all cells.
    pub solved: u64,
    /// Whether all that it should do is done: all goals, or all of its shard.
    pub is_done: bool,
}

impl Outcome {
    /// Whether all goals of all cells are done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.statistics.unfinished.is_none()
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Solve what is not done.
    Solve,
    /// Solve what is not done of a shard; leave the environments alone that it has no blocks of.
    SolveShard(Shard),
    /// Solve nothing: results from what is done, failures included.
    Read,
}

/// Runs a validated spec, going on from what is done. What was `kept` ready before is not made ready again; it must be of the same spec, but for the number of goals.
pub(super) fn run(
    backend: &dyn Backend,
    spec: &RunSpec,
    done: Ledger,
    task: Task,
    observer: &dyn Observer,
    kept: &Kept,
) -> Result<Outcome, RunError> {
    let run = Run {
        reporter: Reporter::new(spec, observer),
        work: Work::new(done),
        slices: slices(spec, task),
        task,
        ..Run::new(backend, spec, kept)?
    };
    run.refuse_ahead()?;
    let environments = run.all_environments()?;
    let n_begun = environments.len();
    let is_done = n_begun == spec.environments.len() && environments.iter().all(|e| e.is_done);
    let unfinished = run.unfinished(&environments);
    let mut statistics = Statistics {
        samples: spec.samples,
        seed: spec.seed.0,
        backend: backend.name().to_owned(),
        level: spec.level,
        cells: Vec::with_capacity(spec.n_cells()),
        ensembles: Vec::new(),
        failures: Vec::new(),
        stopped: None,
        unfinished,
    };
    for outcome in environments.into_iter().flat_map(|e| e.outcomes).flatten() {
        match outcome {
            Ok(cell) => statistics.cells.push(cell),
            Err(failure) => statistics.failures.push(*failure),
        }
    }
    let level = spec.intervals.level(spec.level);
    statistics.ensembles = ensembles(&statistics.cells, &spec.claims, spec.seed, level);
    Ok(Outcome {
        statistics,
        solved: run.reporter.solved.load(Ordering::Relaxed),
        ledger: run.work.into_ledger(),
        is_done,
    })
}

/// Makes all environments ready, and keeps what fits.
pub(super) fn make_ready(
    backend: &dyn Backend,
    spec: &RunSpec,
    kept: &Kept,
) -> Result<(), RunError> {
    let run = Run::new(backend, spec, kept)?;
    let mut numbers = 0..spec.environments.len();
    let ready = |number| run.pool.install(|| run.ready(number).map(drop));
    numbers.try_for_each(ready)
}

/// Lists the first goals of every cell, one by one.
pub(super) fn goals(
    backend: &dyn Backend,
    spec: &RunSpec,
    count: u64,
) -> Result<Vec<CellGoals>, RunError> {
    let nothing = Kept::nothing();
    let run = Run::new(backend, spec, &nothing)?;
    let mut all = Vec::with_capacity(spec.n_cells());
    for number in 0..spec.environments.len() {
        let cells = run.pool.install(|| {
            let ready = run.ready(number)?;
            run.cells(number, &ready)
        })?;
        for cell in cells {
            let listed = run.pool.install(|| cell.goals_of(count));
            all.push(listed.map_err(|error| RunError::Listing(Box::new(error)))?);
        }
    }
    Ok(all)
}

/// Blocks of each environment by the number of goals that was asked for, and the part of them that is to be solved.
fn slices(spec: &RunSpec, task: Task) -> Vec<(u64, Range<u64>)> {
    let sizes = spec
        .environments
        .iter()
        .map(|mdp| block_size(mdp.mdp().n_states()));
    let blocks: Vec<u64> = sizes.map(|size| spec.samples.div_ceil(size)).collect();
    let ranges = match task {
        Task::SolveShard(shard) => shard.cut(&blocks),
        Task::Solve => blocks.iter().map(|&n| 0..n).collect(),
        Task::Read => blocks.iter().map(|_| 0..0).collect(),
    };
    blocks.into_iter().zip(ranges).collect()
}

type CellOutcome = Result<CellStatistics, Box<CellFailure>>;

/// What came of one environment.
struct Finished {
    /// By cell; `None` where there is nothing yet.
    outcomes: Vec<Option<CellOutcome>>,
    goals_done: u64,
    goals_total: u64,
    /// All goals are done.
    is_whole: bool,
    /// All goals that are this run's are done.
    is_done: bool,
}

/// One run at work.
struct Run<'a> {
    backend: &'a dyn Backend,
    spec: &'a RunSpec,
    pool: ThreadPool,
    reporter: Reporter<'a>,
    work: Work,
    /// By environment: blocks that it was thought to have, and which of them are to be solved.
    slices: Vec<(u64, Range<u64>)>,
    task: Task,
    kept: &'a Kept,
}

impl<'a> Run<'a> {
    /// One that solves no blocks, and nobody looks at.
    fn new(backend: &'a dyn Backend, spec: &'a RunSpec, kept: &'a Kept) -> Result<Self, RunError> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(spec.workers(backend))
            .build();
        Ok(Self {
            backend,
            spec,
            pool: pool.map_err(RunError::Threads)?,
            reporter: Reporter::new(spec, &Unobserved),
            work: Work::new(Ledger::default()),
            slices: Vec::new(),
            task: Task::Solve,
            kept,
        })
    }
}

impl Run<'_> {
    /// All environments in the order of the experiment; where the run is cancelled, those that were begun.
    fn all_environments(&self) -> Result<Vec<Finished>, RunError> {
        let mut finished = Vec::with_capacity(self.spec.environments.len());
        for group in self.groups() {
            if self.is_stopped() {
                break;
            }
            match group.len() {
                1 => finished.push(self.environment(group.start, false)?),
                _ => finished.extend(self.side_by_side(group)?),
            }
        }
        Ok(finished)
    }

    /// The environments in order: each large one alone, small ones that follow each other together.
    fn groups(&self) -> Vec<Range<usize>> {
        let threads = self.pool.current_num_threads() as u64;
        let is_large = |mdp: &MdpHandle| self.blocks(mdp).len() >= threads;
        let all = &self.spec.environments;
        let mut first = 0;
        let each = all.chunk_by(|a, b| !is_large(a) && !is_large(b));
        each.map(|group| {
            first += group.len();
            first - group.len()..first
        })
        .collect()
    }

    /// Looks at all environments that have goals to solve for cells that nobody can, once: better no run than one that finds out after hours, or whose every goal misses the
    /// tolerance. What fits is kept ready; the first environment is looked at last, and kept whatever it takes, so that a run of one makes it ready once.
    fn refuse_ahead(&self) -> Result<(), RunError> {
        if self.task == Task::Read || !self.kept.begin_check() {
            return Ok(());
        }
        let is_ours = |number: &usize| !self.slices[*number].1.is_empty();
        let next = (0..self.slices.len()).find(is_ours);
        let refused = |number: usize| -> Result<Vec<Refusal>, RunError> {
            if !is_ours(&number) || self.is_stopped() {
                return Ok(Vec::new());
            }
            let ready = match self.kept.get(number, self.spec) {
                Some(ready) => ready,
                None => self.make_ready(number)?,
            };
            ready.cells.iter().for_each(|cell| cell.rest());
            let is_next = next == Some(number);
            let has_room = self.backend.place().is_none() || self.kept.len() < MOST_ON_DEVICE;
            if is_next || has_room {
                self.kept.keep_ahead(number, &ready, is_next, self.spec);
            }
            Ok(ready.cells.iter().filter_map(|c| c.refusal()).collect())
        };
        let mut all = Vec::new();
        for group in self.groups().into_iter().rev() {
            let numbers = group.into_par_iter().rev().with_max_len(1);
            let each: Result<Vec<_>, _> = self.pool.install(|| numbers.map(refused).collect());
            all.extend(each?);
        }
        match all.into_iter().rev().flatten().collect::<Vec<_>>() {
            none if none.is_empty() => Ok(()),
            refused => Err(RunError::Refused(refused)),
        }
    }

    /// Small environments, dealt to the threads in order.
    fn side_by_side(&self, numbers: Range<usize>) -> Result<Vec<Finished>, RunError> {
        let next = AtomicUsize::new(numbers.start);
        let stop = AtomicBool::new(false);
        let dealt = self.pool.broadcast(|_| {
            let mut mine = Vec::new();
            while !stop.load(Ordering::Relaxed) && !self.is_stopped() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= numbers.end {
                    break;
                }
                let solved = self.environment(number, true);
                stop.fetch_or(solved.is_err(), Ordering::Relaxed);
                mine.push((number, solved));
            }
            mine
        });
        let mut all: Vec<_> = dealt.into_iter().flatten().collect();
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, solved)| solved).collect()
    }

    /// Whether no further environment should be begun.
    fn is_stopped(&self) -> bool {
        self.task != Task::Read && self.reporter.cancelled()
    }

    fn blocks(&self, mdp: &MdpHandle) -> Blocks {
        Blocks::new(self.spec.samples, block_size(mdp.mdp().n_states()))
    }

    /// Cells of one environment.
    fn cells_each(&self) -> usize {
        self.spec.n_cells() / self.spec.environments.len()
    }

    /// All cells of one environment, alone or as one of several.
    fn environment(&self, number: usize, among_others: bool) -> Result<Finished, RunError> {
        let mdp = &self.spec.environments[number];
        let first = number * self.cells_each();
        let (thought, slice) = &self.slices[number];
        if slice.is_empty() && self.task != Task::Read {
            return Ok(self.not_ours());
        }
        let (size, cells) = self.pool.install(|| {
            let ready = self.ready(number)?;
            let size = RunSpec::block_size(&ready.variants);
            Ok::<_, RunError>((size, self.cells(number, &ready)?))
        })?;
        let goals_total = cells.iter().map(|cell| cell.goals()).sum();
        let most = cells.iter().map(|cell| cell.goals()).max().unwrap_or(0);
        let slice = rescale(slice, *thought, most.div_ceil(size));
        let environment = Environment {
            name: mdp.mdp().name(),
            todo: Todo::of(&cells, slice.clone()),
            beside: self.beside(&cells),
            size,
            cells,
            run: self,
        };
        let cells = &environment.cells;
        let ours = |cell: &Arc<Cell>| cell.goals_in(std::slice::from_ref(&slice));
        let to_do = |cell: &Arc<Cell>| cell.goals_in(&cell.missing(slice.clone()));
        let expected = cells.iter().map(ours).sum();
        let before = expected - cells.iter().map(to_do).sum::<u64>();
        self.reporter.expect(expected, self.thought_of(cells.len()));
        self.reporter
            .goals_done
            .fetch_add(before, Ordering::Relaxed);
        self.work.begin(first, &environment.cells);
        match among_others {
            true => environment.solve_from(0),
            false => environment.solve_alone(&self.pool),
        }
        let is_whole = environment.cells.iter().all(|cell| cell.is_finished());
        if is_whole {
            self.reporter
                .environments_done
                .fetch_add(1, Ordering::Relaxed);
        }
        self.reporter.report(&environment);
        self.work.end(first, &environment.cells);
        let cells = &environment.cells;
        cells.iter().for_each(|cell| cell.rest());
        Ok(Finished {
            outcomes: cells.iter().map(|cell| cell.result()).collect(),
            goals_done: cells.iter().map(|cell| cell.done()).sum(),
            goals_total,
            is_whole,
            is_done: cells
                .iter()
                .all(|cell| cell.missing(slice.clone()).is_empty()),
        })
    }

    /// Goals of so many cells by the number that was asked for.
    fn thought_of(&self, n_cells: usize) -> u64 {
        self.spec.samples.saturating_mul(n_cells as u64)
    }

    /// An environment that the shard has no blocks of.
    fn not_ours(&self) -> Finished {
        let n_cells = self.cells_each();
        self.reporter.expect(0, self.thought_of(n_cells));
        Finished {
            outcomes: (0..n_cells).map(|_| None).collect(),
            goals_done: 0,
            goals_total: self.thought_of(n_cells),
            is_whole: false,
            is_done: true,
        }
    }

    /// The cells of one environment as they are wanted, in the order of the experiment.
    fn wanted<'w>(&'w self, number: usize, variants: &'w [VariantMdp]) -> Vec<WantedCell<'w>> {
        let environment = self.spec.environments[number].mdp();
        let mut wanted = Vec::new();
        let baseline = self.spec.baseline().map(|at| &variants[at]);
        for variant in variants {
            let compared = baseline.filter(|b| !std::ptr::eq(*b, variant));
            for reward in &self.spec.rewards {
                let discounts = self.spec.discounts.iter();
                let each = discounts.flat_map(|discount| {
                    let rules = self.spec.rules.iter();
                    rules.map(move |rule| WantedCell {
                        environment,
                        variant,
                        baseline: compared,
                        reward,
                        discount: *discount,
                        rule: rule.clone(),
                    })
                });
                wanted.extend(each);
            }
        }
        wanted
    }

    /// An environment made ready, now or before.
    fn ready(&self, number: usize) -> Result<Arc<ReadyEnvironment>, RunError> {
        if let Some(ready) = self.kept.get(number, self.spec) {
            return Ok(ready);
        }
        let ready = self.make_ready(number)?;
        self.kept.keep(number, &ready, self.spec);
        Ok(ready)
    }

    /// Makes an environment ready.
    fn make_ready(&self, number: usize) -> Result<Arc<ReadyEnvironment>, RunError> {
        let variants = self.spec.variants_of(&self.spec.environments[number])?;
        // Side by side: a pilot may take as long as the goals of a small cell.
        let wanted = self.wanted(number, &variants).into_par_iter();
        let cells = wanted.map(|wanted| {
            let ready = Ready::new(self.backend, self.spec, &wanted)?;
            Ok::<_, RunError>(Arc::new(ready))
        });
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(Arc::new(ReadyEnvironment { variants, cells }))
    }

    /// The cells of an environment, with what was done of them before.
    fn cells(&self, number: usize, ready: &ReadyEnvironment) -> Result<Vec<Arc<Cell>>, RunError> {
        let first = number * self.cells_each();
        let size = RunSpec::block_size(&ready.variants);
        let wanted = self.wanted(number, &ready.variants);
        let each = wanted.iter().zip(&ready.cells).enumerate();
        let cells = each.map(|(i, (wanted, ready))| {
            let before = self.work.before(first + i);
            let before = before.as_deref();
            let cell = Cell::new(ready.clone(), self.spec, wanted, size, before)?;
            Ok(Arc::new(match self.task {
                Task::Read => cell.read_from_record(before),
                Task::Solve | Task::SolveShard(_) => cell,
            }))
        });
        cells.collect()
    }

    /// Per cell of an environment: the position of the baseline's cell that it is compared with.
    fn beside(&self, cells: &[Arc<Cell>]) -> Vec<Option<usize>> {
        let each = cells.len() / self.spec.variants.len();
        let of = |at: usize| Some(self.spec.baseline()? * each + at % each);
        let cells = cells.iter().enumerate();
        let beside = cells.map(|(at, cell)| of(at).filter(|_| cell.is_compared()));
        beside.collect()
    }

    /// How far the run is, unless it is finished.
    fn unfinished(&self, environments: &[Finished]) -> Option<Unfinished> {
        let n_begun = environments.len();
        let is_finished = n_begun == self.spec.environments.len();
        if is_finished && environments.iter().all(|e| e.is_whole) {
            return None;
        }
        let n_cells = self.spec.n_cells();
        let later = n_cells - n_begun * self.cells_each();
        let without = environments.iter().flat_map(|e| &e.outcomes);
        let without = without.filter(|outcome| outcome.is_none()).count();
        let total: u64 = environments.iter().map(|e| e.goals_total).sum();
        Some(Unfinished {
            goals_done: environments.iter().map(|e| e.goals_done).sum(),
            goals_total: total.saturating_add(self.spec.samples.saturating_mul(later as u64)),
            cells_missing: without + later,
        })
    }
}

/// Where every cell of the run stands: done before or finished (a record), or at work.
struct Work {
    done: Mutex<Ledger>,
    at_work: Mutex<Vec<(usize, Arc<Cell>)>>,
}

impl Work {
    fn new(done: Ledger) -> Self {
        Self {
            done: Mutex::new(done),
            at_work: Mutex::new(Vec::new()),
        }
    }

    /// What was done of a cell before.
    fn before(&self, position: usize) -> Option<Arc<CellRecord>> {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.cells.get(&position).cloned()
    }

    fn begin(&self, first: usize, cells: &[Arc<Cell>]) {
        let cells = cells.iter().enumerate();
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.extend(cells.map(|(i, cell)| (first + i, cell.clone())));
    }

    fn end(&self, first: usize, cells: &[Arc<Cell>]) {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        at_work.retain(|(position, _)| !(first..first + cells.len()).contains(position));
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, cell) in cells.iter().enumerate() {
            done.cells.insert(first + i, Arc::new(cell.record()));
        }
    }

    /// What is done at this moment.
    fn ledger(&self) -> Ledger {
        // In the order of `end`, so that no cell is in between.
        let at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ledger = done.clone();
        drop(done);
        for (position, cell) in &*at_work {
            ledger.cells.insert(*position, Arc::new(cell.record()));
        }
        ledger
    }

    fn into_ledger(self) -> Ledger {
        self.done
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks that are still to be solved, numbered without gaps.
struct Todo {
    ranges: Vec<Range<u64>>,
}

impl Todo {
    /// Those of a range that at least one of the cells needs.
    fn of(cells: &[Arc<Cell>], slice: Range<u64>) -> Self {
        let mut blocks = BlockSet::default();
        let missing = cells.iter().flat_map(|cell| cell.missing(slice.clone()));
        missing.for_each(|range| blocks.insert_range(range));
        Self {
            ranges: blocks.ranges().to_vec(),
        }
    }

    fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// The number of the block at a place.
    fn block(&self, mut place: u64) -> Option<u64> {
        for range in &self.ranges {
            let len = range.end - range.start;
            if place < len {
                return Some(range.start + place);
            }
            place -= len;
        }
        None
    }
}

/// One environment at work.
struct Environment<'a> {
    name: &'a str,
    cells: Vec<Arc<Cell>>,
    todo: Todo,
    /// Per cell: the cell of the baseline that it is compared with.
    beside: Vec<Option<usize>>,
    /// Goals of a block.
    size: u64,
    run: &'a Run<'a>,
}

impl Environment<'_> {
    /// One block a thread while there is one for every thread, then the rest with all threads on each block.
    fn solve_alone(&self, pool: &ThreadPool) {
        let threads = pool.current_num_threads() as u64;
        let dealt = self.todo.len() / threads * threads;
        let next = AtomicU64::new(0);
        pool.broadcast(|_| {
            loop {
                let left = dealt.saturating_sub(next.load(Ordering::Relaxed));
                let count = self.at_once().clamp(1, (left / threads).max(1));
                let place = next.fetch_add(count, Ordering::Relaxed);
                let places = place..dealt.min(place + count);
                if places.is_empty() || !self.solve_blocks(places, false) {
                    break;
                }
            }
        });
        pool.install(|| self.solve_from(dealt));
    }

    /// How many blocks its cells would rather have at once.
    fn at_once(&self) -> u64 {
        let each = self.cells.iter().map(|cell| cell.at_once());
        each.min().unwrap_or(1)
    }

    /// Blocks one after another, each with all threads that have nothing else to do.
    fn solve_from(&self, first: u64) {
        let (mut place, end) = (first, self.todo.len());
        while place < end {
            let next = end.min(place.saturating_add(self.at_once()));
            if !self.solve_blocks(place..next, true) {
                break;
            }
            place = next;
        }
    }

    /// All cells of a few blocks. `false` when the run is cancelled.
    fn solve_blocks(&self, places: Range<u64>, parallel: bool) -> bool {
        if places.end - places.start == 1 {
            return self.solve_block(places.start, parallel);
        }
        let blocks = places.filter_map(|place| self.todo.block(place));
        let blocks: Vec<Block> = blocks.map(|index| self.block(index)).collect();
        for cell in &self.cells {
            if self.run.reporter.cancelled() {
                return false;
            }
            self.run
                .reporter
                .add(cell.solve_blocks(&blocks, parallel), self);
        }
        self.run.reporter.keep(&self.run.work);
        true
    }

    fn block(&self, index: u64) -> Block {
        Block {
            index,
            first: index * self.size,
            len: self.size,
        }
    }

    /// Whether a cell that needs a block is compared with this one.
    fn is_awaited(&self, at: usize, block: Block) -> bool {
        let mut pairs = self.beside.iter().zip(&self.cells);
        pairs.any(|(beside, cell)| *beside == Some(at) && cell.needs(block))
    }

    /// All cells of one block. `false` when the run is cancelled.
    fn solve_block(&self, place: u64, parallel: bool) -> bool {
        let Some(index) = self.todo.block(place) else {
            return false;
        };
        let block = self.block(index);
        let reporter = &self.run.reporter;
        // What was observed in the baseline is kept until the other variants have been compared with it.
        let mut seen: Vec<Option<Observations>> = vec![None; self.cells.len()];
        let is_baseline = |at: &usize| self.beside.contains(&Some(*at));
        let (baselines, others): (Vec<_>, Vec<_>) = (0..self.cells.len()).partition(is_baseline);
        for at in baselines.into_iter().chain(others) {
            if reporter.cancelled() {
                return false;
            }
            let cell = &self.cells[at];
            let beside = self.beside[at].and_then(|other| seen[other].as_ref());
            let (solved, observed) = cell.solve(block, parallel, beside);
            if self.is_awaited(at, block) {
                seen[at] = observed.or_else(|| cell.observe(block, parallel));
            }
            reporter.add(solved, self);
        }
        reporter.keep(&self.run.work);
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
    /// Goals that this run has solved itself.
    solved: AtomicU64,
    last: Mutex<Instant>,
    /// Held by whoever hands over the ledger.
    keeping: Mutex<()>,
}

impl<'a> Reporter<'a> {
    fn new(spec: &RunSpec, observer: &'a dyn Observer) -> Self {
        Self {
            observer,
            goals_done: AtomicU64::new(0),
            goals_total: AtomicU64::new(spec.samples.saturating_mul(spec.n_cells() as u64)),
            environments_done: AtomicUsize::new(0),
            environments_total: spec.environments.len(),
            solved: AtomicU64::new(0),
            last: Mutex::new(Instant::now()),
            keeping: Mutex::new(()),
        }
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }

    /// Hands the ledger over where it is wanted and nobody else is at it.
    fn keep(&self, work: &Work) {
        if !self.observer.wants_ledger() {
            return;
        }
        if let Ok(_keeping) = self.keeping.try_lock()
            && self.observer.wants_ledger()
        {
            self.observer.keep(&work.ledger());
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
        self.solved.fetch_add(goals, Ordering::Relaxed);
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
            cells: environment
                .cells
                .iter()
                .map(|cell| cell.progress())
                .collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::experiment::fake::{FakeBackend, Flaw, Watched, two_state};
    use crate::experiment::{CellError, Engine, Unobserved};
    use crate::solve::WithFallback;
    use crate::solve::cpu::CpuBackend;
    use crate::statistics::{FixedPointError, Request};
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
    fn a_solver_is_given_as_many_blocks_at_once_as_it_likes() {
        let expected = engine(Flaw::None);
        let expected = bits(&expected.run(&spec(&expected, 1)).unwrap());
        for (threads, longest) in [(1, 3), (2, 2), (7, 3)] {
            let backend = Arc::new(Watched::new(Flaw::None));
            let engine = Engine::with_backend(backend.clone());
            let statistics = engine.run(&spec(&engine, threads)).unwrap();
            assert_eq!(bits(&statistics), expected, "{threads} threads");
            let given = backend.given.lock().unwrap();
            assert_eq!(given.iter().map(Vec::len).max(), Some(longest), "{given:?}");
            // Each of five blocks once for each of two cells.
            let mut blocks: Vec<u64> = given.iter().flatten().copied().collect();
            blocks.sort_unstable();
            assert_eq!(blocks, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        }
        // Where something is observed it is one at a time.
        let backend = Arc::new(Watched::new(Flaw::None));
        let engine = Engine::with_backend(backend.clone());
        let observed = RunSpec {
            statistics: Request {
                occupancy: true,
                ..Request::default()
            },
            ..spec(&engine, 1)
        };
        let _unobserved = engine.run(&observed).unwrap();
        let given = backend.given.lock().unwrap();
        assert!(!given.is_empty() && given.iter().all(|group| group.len() == 1));
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
            let engine = engine(Flaw::FailsAt(0.5));
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
    fn a_cell_that_is_refused_stops_the_run_before_its_first_goal() {
        let engine = engine(Flaw::RefusesDiscount(0.5));
        let refused = engine.run(&spec(&engine, 1)).unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with("pair, reward uniform"), "{said}");
        assert!(said.contains("does not support the discount 0.5"), "{said}");
    }

    #[test]
    fn a_cell_of_any_environment_that_is_refused_stops_the_run_before_its_first_goal() {
        // Few goals: environments side by side; many: one after another.
        for (samples, threads) in [(100, 2), (40_000, 2), (100, 1)] {
            let run = |flaw| {
                let backend = Arc::new(Watched::new(flaw));
                let engine = Engine::with_backend(backend.clone());
                let spec = RunSpec {
                    samples,
                    threads,
                    ..RunSpec::default()
                };
                let mdps = ["one", "two", "three"].map(|name| engine.upload(two_state(name)));
                let spec = mdps.iter().fold(spec, RunSpec::environment);
                let spec = spec.discount(0.9).unwrap().discount(0.5).unwrap();
                let outcome = engine.run(&spec).map_err(|error| error.to_string());
                let solved = backend.given.lock().unwrap().len();
                (outcome, solved, backend.prepared.load(Ordering::Relaxed))
            };
            let (refused, solved, prepared) = run(Flaw::RefusesEnvironment("three"));
            let cell = |discount| {
                format!(
                    "three, reward uniform, discount {discount}: the fake backend does not support three yet"
                )
            };
            let told = format!("{}\n{}", cell(0.9), cell(0.5));
            assert_eq!((refused.unwrap_err(), solved, prepared), (told, 0, 6));
            let (whole, solved, prepared) = run(Flaw::None);
            assert!(whole.unwrap().is_complete() && solved > 0);
            assert_eq!(prepared, 6, "what was looked at is not prepared again");
        }
    }

    /// A backend that refuses one discount, with another one for it.
    fn with_fallback(flaw: Flaw) -> Engine {
        let first = Arc::new(FakeBackend(flaw));
        let both = WithFallback::new(first, Arc::new(CpuBackend::new()));
        Engine::with_backend(Arc::new(both))
    }

    #[test]
    fn shards_that_another_backend_solved_in_part_say_so_when_they_are_merged() {
        let engine = with_fallback(Flaw::RefusesDiscount(0.5));
        let spec = spec(&engine, 1);
        let whole = engine.run(&spec).unwrap();
        assert!(whole.cells[1].refusal.is_some());
        let mut sum = Ledger::default();
        for number in [3, 1, 2] {
            let shard = Shard::new(number, 3).unwrap();
            let of = engine.run_shard(&spec, shard, Ledger::default(), &Unobserved);
            for (position, record) in of.unwrap().ledger.cells {
                match sum.cells.get_mut(&position) {
                    None => drop(sum.cells.insert(position, record)),
                    Some(sum) => Arc::make_mut(sum).merge(&record).unwrap(),
                }
            }
        }
        let methods = engine.backend().methods().to_vec();
        let absent = Engine::absent("fake", "elsewhere", methods);
        let merged = absent.read(&spec, sum).unwrap().statistics;
        assert_eq!(bits(&merged), bits(&whole));
        for (merged, whole) in merged.cells.iter().zip(&whole.cells) {
            assert_eq!(
                (&merged.solver, &merged.refusal),
                (&whole.solver, &whole.refusal)
            );
        }
    }

    #[test]
    fn what_a_backend_refuses_another_one_solves() {
        let both = with_fallback(Flaw::RefusesDiscount(0.5));
        let statistics = both.run(&spec(&both, 2)).unwrap();
        assert!(statistics.is_complete());
        let [here, there] = &statistics.cells[..] else {
            panic!("two cells")
        };
        assert_eq!((&here.solver, &here.refusal), (&None, &None));
        assert!(there.solver.as_ref().unwrap().starts_with("cpu"));
        let why = there.refusal.as_ref().unwrap();
        assert!(why.contains("the fake backend does not support the discount 0.5"));
        // Each cell has the numbers of the backend that solved it, and not the other's.
        let alone = |engine: &Engine| engine.run(&spec(engine, 1)).unwrap().cells;
        let fake = alone(&engine(Flaw::None));
        let cpu = alone(&Engine::with_backend(Arc::new(CpuBackend::new())));
        assert_eq!((&here.power, &there.power), (&fake[0].power, &cpu[1].power));
        assert_ne!(fake[1].power, cpu[1].power);
        // A failure is no refusal: nobody stands in for a device that breaks.
        let both = with_fallback(Flaw::Zeros);
        assert_eq!(both.run(&spec(&both, 1)).unwrap().failures.len(), 2);
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

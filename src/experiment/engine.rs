//! The library's face: a backend, MDPs handed to it, and runs.

use std::sync::Arc;

use super::absent::Absent;
use super::checkpoint::Shard;
use super::kept::Kept;
use super::runner::{self, Task};
use super::{GoalTable, Ledger, Observer, Outcome, RunError, RunSpec, Statistics, Unobserved};
use crate::mdp::Mdp;
use crate::plan::Method;
use crate::solve::cpu::CpuBackend;
#[cfg(feature = "gpu")]
use crate::solve::gpu::{AdapterChoice, GpuBackend, GpuError, hardware_is_likely};
use crate::solve::{Backend, ReferenceBackend, WithFallback};

/// Which backend to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackendChoice {
    /// A graphics processor where there is one (never a software adapter), else the processor; which also takes the cells that the graphics processor refuses.
    #[default]
    Auto,
    /// SIMD tiles in single precision on all cores.
    Cpu,
    /// Policy iteration with direct solves in double precision: slow, obvious, the judge of the others.
    Reference,
    /// The graphics processor.
    Gpu,
}

impl BackendChoice {
    /// All choices.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Reference, Self::Gpu];

    /// The name in experiment files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Reference => "reference",
            Self::Gpu => "gpu",
        }
    }
}

/// Why there is no engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// This build has no such backend.
    #[error("the {0} backend is not built into this version of powersweep; `cpu` is")]
    NotBuilt(&'static str),
    /// No graphics processor, or none that works.
    #[cfg(feature = "gpu")]
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// An MDP that an engine holds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MdpHandle(Arc<Mdp>);

impl MdpHandle {
    /// The MDP.
    #[must_use]
    pub fn mdp(&self) -> &Arc<Mdp> {
        &self.0
    }
}

/// Solves goals on one backend.
#[derive(Clone, Debug)]
pub struct Engine {
    backend: Arc<dyn Backend>,
}

impl Engine {
    /// Starts a backend.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when the backend is not there.
    pub fn new(choice: BackendChoice) -> Result<Self, EngineError> {
        Self::on_adapter(choice, None)
    }

    /// Starts a backend; where it is the GPU, on the adapter of this name (or a part of it) or position in the list of
    /// `powersweep devices`. `auto` with an adapter is that adapter, with the processor for cells that it refuses; the other backends have no use for it.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when the backend or the adapter is not there.
    pub fn on_adapter(choice: BackendChoice, adapter: Option<&str>) -> Result<Self, EngineError> {
        let backend: Arc<dyn Backend> = match choice {
            BackendChoice::Auto => automatic(adapter)?,
            BackendChoice::Cpu => Arc::new(CpuBackend::new()),
            BackendChoice::Reference => Arc::new(ReferenceBackend::new()),
            BackendChoice::Gpu => gpu(adapter)?,
        };
        Ok(Self::with_backend(backend))
    }

    /// Uses a backend from outside.
    #[must_use]
    pub fn with_backend(backend: Arc<dyn Backend>) -> Self {
        Self { backend }
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Hands an MDP over.
    #[must_use]
    pub fn upload(&self, mdp: Mdp) -> MdpHandle {
        MdpHandle(Arc::new(mdp))
    }

    /// Runs every cell of `spec`.
    ///
    /// The result is a pure function of the spec (its `threads` left out) and the backend, byte for byte. A cell that
    /// fails is listed in [`Statistics::failures`] and does not take the others along; goals that miss the tolerance are
    /// counted and listed in their cell. Both are to be looked at: [`Statistics::is_complete`].
    ///
    /// # Errors
    ///
    /// [`RunError`] for a spec that cannot be run.
    pub fn run(&self, spec: &RunSpec) -> Result<Statistics, RunError> {
        self.run_observed(spec, &Unobserved)
    }

    /// Like [`run`](Self::run), watched by `observer`.
    ///
    /// # Errors
    ///
    /// [`RunError`]; [`RunError::Cancelled`] when the observer stops the run.
    pub fn run_observed(
        &self,
        spec: &RunSpec,
        observer: &dyn Observer,
    ) -> Result<Statistics, RunError> {
        let outcome = self.run_from(spec, Ledger::default(), observer)?;
        match outcome.is_finished() {
            true => Ok(outcome.statistics),
            false => Err(RunError::Cancelled),
        }
    }

    /// Like [`run_observed`](Self::run_observed), going on from what an earlier run of the same spec (or of one with fewer samples) had done:
    /// no whole block is solved twice, and the result is the same, byte for byte, as if nothing had come between. Where the observer
    /// stops it, the outcome holds what is done so far.
    ///
    /// # Errors
    ///
    /// [`RunError`]; [`RunError::Foreign`] where the ledger is of another run.
    pub fn run_from(
        &self,
        spec: &RunSpec,
        done: Ledger,
        observer: &dyn Observer,
    ) -> Result<Outcome, RunError> {
        self.run_task(spec, done, Task::Solve, observer)
    }

    /// Like [`run_from`](Self::run_from), one shard of the run: the ledgers of all shards add up to that of the run.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub fn run_shard(
        &self,
        spec: &RunSpec,
        shard: Shard,
        done: Ledger,
        observer: &dyn Observer,
    ) -> Result<Outcome, RunError> {
        self.run_task(spec, done, Task::SolveShard(shard), observer)
    }

    fn run_task(
        &self,
        spec: &RunSpec,
        done: Ledger,
        task: Task,
        observer: &dyn Observer,
    ) -> Result<Outcome, RunError> {
        spec.validate()?;
        let kept = Kept::until_used();
        runner::run(
            &*self.backend,
            &spec.unlisted(),
            done,
            task,
            observer,
            &kept,
        )
    }

    /// The results of what is done, and of nothing else: no goal is solved.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub fn read(&self, spec: &RunSpec, done: Ledger) -> Result<Outcome, RunError> {
        spec.validate()?;
        let (spec, nothing) = (spec.unlisted(), Kept::nothing());
        runner::run(
            &*self.backend,
            &spec,
            done,
            Task::Read,
            &Unobserved,
            &nothing,
        )
    }

    /// The first goals one by one, where the spec asks for them ([`RunSpec::per_goal`]): solved (again) for the table alone, so that it is the same whatever became of
    /// the run. Goals that do not meet a condition are listed too. `None` where it does not ask.
    ///
    /// # Errors
    ///
    /// [`RunError`]; also for a cell whose goals cannot be solved.
    pub fn goals(&self, spec: &RunSpec) -> Result<Option<GoalTable>, RunError> {
        let Some(per_goal) = &spec.per_goal else {
            return Ok(None);
        };
        spec.validate()?;
        let cells = runner::goals(&*self.backend, spec, per_goal.count.min(spec.samples))?;
        Ok(Some(GoalTable::new(cells)))
    }

    /// An engine without a backend, to [`read`](Self::read) what one of this name, description and these methods had done elsewhere.
    #[must_use]
    pub fn absent(name: &str, description: &str, methods: Vec<Method>) -> Self {
        Self::with_backend(Arc::new(Absent::new(name, description, methods)))
    }
}

/// The fastest backend that is here, and the processor for cells that it refuses. An adapter that was named is wanted.
fn automatic(adapter: Option<&str>) -> Result<Arc<dyn Backend>, EngineError> {
    let found = match adapter {
        Some(_) => Some(gpu(adapter)?),
        None if hardware_is_likely() => gpu(None).ok(),
        None => None,
    };
    let cpu = Arc::new(CpuBackend::new());
    Ok(match found {
        Some(gpu) => Arc::new(WithFallback::new(gpu, cpu)),
        None => cpu,
    })
}

#[cfg(not(feature = "gpu"))]
fn hardware_is_likely() -> bool {
    false
}

#[cfg(feature = "gpu")]
fn gpu(adapter: Option<&str>) -> Result<Arc<dyn Backend>, EngineError> {
    let choice = adapter.map_or(AdapterChoice::Hardware, AdapterChoice::parse);
    Ok(Arc::new(GpuBackend::open(&choice)?))
}

#[cfg(not(feature = "gpu"))]
fn gpu(_adapter: Option<&str>) -> Result<Arc<dyn Backend>, EngineError> {
    Err(EngineError::NotBuilt("gpu"))
}

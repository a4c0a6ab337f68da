//! The library's face: a backend, MDPs handed to it, and runs.

use std::sync::Arc;

use super::runner;
use super::{Observer, RunError, RunSpec, Statistics, Unobserved};
use crate::mdp::Mdp;
use crate::solve::cpu::CpuBackend;
use crate::solve::{Backend, ReferenceBackend};

/// Which backend to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackendChoice {
    /// The fastest one that is here.
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
        let backend: Arc<dyn Backend> = match choice {
            BackendChoice::Auto | BackendChoice::Cpu => Arc::new(CpuBackend::new()),
            BackendChoice::Reference => Arc::new(ReferenceBackend::new()),
            BackendChoice::Gpu => return Err(EngineError::NotBuilt("gpu")),
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
        spec.validate()?;
        runner::run(&*self.backend, spec, observer)
    }
}

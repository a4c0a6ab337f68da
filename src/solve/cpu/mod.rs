//! The SIMD backend: tiles of goals across vector lanes, values in cache, one instruction stream for all goals.
//!
//! A tile is solved by one thread: `draw` fills in the goals, `iterate` sweeps them with a `kernel` until every lane is
//! certified, `sums` adds them up, and `observe` hands them on where more than POWER is asked, unless `glance` tells all of it. Where single precision cannot certify, the tile goes on in double precision from
//! where it stands. `memory` lays its rows out, and `simd` holds the vectors, and all `unsafe` code.

mod draw;
mod glance;
mod iterate;
mod kernel;
mod leftovers;
mod linked;
mod memory;
mod observe;
mod policy;
mod rough;
mod simd;
mod solver;
mod stage;
mod sums;
mod tile;

pub use simd::Level;

use linked::LinkedSolver;

use super::{Backend, CellProblem, CellSolver, SolveError};
pub(super) use iterate::Effort;
pub(super) use solver::CpuSolver;
pub(super) use stage::Outcome;

/// Name of the backend.
const NAME: &str = "cpu";

/// Solves goals with the vector instructions of this processor.
#[derive(Clone, Copy, Debug)]
pub struct CpuBackend {
    level: Level,
}

impl CpuBackend {
    /// The best instruction set this processor has.
    #[must_use]
    pub fn new() -> Self {
        Self::with_level(Level::detect())
    }

    /// A given instruction set, or the best one below it that this processor has.
    #[must_use]
    pub fn with_level(level: Level) -> Self {
        Self {
            level: level.min(Level::detect()),
        }
    }
}

impl Default for CpuBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for CpuBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn description(&self) -> String {
        format!(
            "cpu, {} instructions, f32 with f64 where f32 cannot certify",
            self.level
        )
    }

    fn may_leave(&self, problem: &CellProblem) -> bool {
        solver::may_leave(problem)
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        match problem.program.plain() {
            Ok(_) => Ok(Box::new(CpuSolver::new(problem, self.level)?)),
            Err(_) => Ok(Box::new(LinkedSolver::new(problem, self.level)?)),
        }
    }
}

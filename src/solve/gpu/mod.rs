//! The GPU backend: batched value iteration in compute shaders, on whatever Vulkan, Metal or Direct3D 12 drives.
//!
//! One lane is one goal, one workgroup a tile. Goals are drawn on the device, values are swept there until every goal is certified,
//! and sums are made there: what comes back per block is a few numbers per state, and per block the counts that prove that the
//! work was done. `adapter` lists and chooses, `device` opens one and turns every driver error into a value, `layout` holds the
//! structs that cross, `cell` packs an MDP, `workspace` holds a group of goals, `cover` brings goals drawn on the host onto a lattice, `pace` cuts work into dispatches, `given` finds
//! the one that a scheduler gave, `doctor` says why there is none, `allowance` derives what rounding can do, `solver` puts it together. The shaders are in shaders/.

mod adapter;
mod allowance;
mod cell;
mod cover;
mod device;
mod doctor;
mod given;
mod layout;
mod pace;
mod selftest;
mod shaders;
mod solver;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod workspace;

use std::sync::Arc;

pub use adapter::{
    AdapterChoice, AdapterKind, AdapterSummary, GpuError, adapters, given_adapter,
    hardware_is_likely,
};
pub use doctor::{Finding, diagnose};

use self::device::Device;
use self::pace::Pace;
use self::shaders::Pipeline;
use self::solver::GpuSolver;
use super::{Backend, CellProblem, CellSolver, SolveError};

/// Name of the backend.
const NAME: &str = "gpu";

/// Every shader, compiled for one device.
#[derive(Debug)]
struct Pipelines {
    draw: Pipeline,
    start: Pipeline,
    in_place: Pipeline,
    jacobi: Pipeline,
    certify: Pipeline,
    recentre: Pipeline,
    reduce: Pipeline,
    tally: Pipeline,
}

impl Pipelines {
    fn new(device: &Device) -> Result<Self, SolveError> {
        let pipeline = |name| Pipeline::new(device, name);
        Ok(Self {
            draw: pipeline(if device.summary().int64 {
                "draw_int64"
            } else {
                "draw_halves"
            })?,
            start: pipeline("start")?,
            in_place: pipeline("in_place")?,
            jacobi: pipeline("jacobi")?,
            certify: pipeline("certify")?,
            recentre: pipeline("recentre")?,
            reduce: pipeline("reduce")?,
            tally: pipeline("tally")?,
        })
    }
}

/// An opened adapter with its compiled shaders.
#[derive(Debug)]
struct Gpu {
    device: Device,
    pipelines: Pipelines,
    pace: Pace,
}

/// Solves goals on a graphics processor. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GpuBackend {
    gpu: Arc<Gpu>,
}

impl GpuBackend {
    /// Opens an adapter, compiles the shaders and holds its random numbers against the host's.
    ///
    /// # Errors
    ///
    /// [`GpuError`] when there is no such adapter, or it does not do what it should.
    pub fn open(choice: &AdapterChoice) -> Result<Self, GpuError> {
        let device = adapter::open(choice)?;
        let summary = device.summary().to_string();
        let unusable = |error: SolveError| GpuError::Unusable {
            adapter: summary.clone(),
            problem: error.to_string(),
        };
        let pipelines = Pipelines::new(&device).map_err(unusable)?;
        selftest::run(&device).map_err(unusable)?;
        let gpu = Gpu {
            device,
            pipelines,
            pace: Pace::new(),
        };
        Ok(Self { gpu: Arc::new(gpu) })
    }

    /// The adapter.
    #[must_use]
    pub fn adapter(&self) -> &AdapterSummary {
        self.gpu.device.summary()
    }
}

impl Backend for GpuBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn description(&self) -> String {
        format!("gpu, {}, f32", self.adapter())
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        Ok(Box::new(GpuSolver::new(self.gpu.clone(), problem)?))
    }
}

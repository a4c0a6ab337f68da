//! The GPU backend: batched value iteration in compute shaders, on whatever Vulkan, Metal or Direct3D 12 drives.
//!
//! One lane is one goal, one workgroup a tile. Goals are drawn on the device, values are swept there until every goal is certified,
//! and sums are made there: what comes back per block is a few numbers per state, and per block the counts that prove that the
//! work was done. `adapter` lists and chooses, `device` opens one and turns every driver error into a value, `layout` holds the
//! structs that cross, `cell` packs an MDP, `workspace` holds a group of goals, `cover` brings goals onto a lattice, `draws`, `leaves` and `passes` say how they are drawn, `sums` makes integers of weighted sums of draws and `bundles` puts them side by side, `kernels` chooses the shaders, `straight` writes one, `phases` says which states are updated side by side, `product` packs rows that hold most states, `pace` cuts work into dispatches, `given` finds
//! the one that a scheduler gave, `doctor` says why there is none, `allowance` derives what rounding can do, `stage` has one MDP on the device, `group` takes goals from drawing to sums, `finish` takes over
//! what single precision gives up, `pool` keeps memory, `solver` puts it together, and `linked` does for goals that are solved in linked stages. The shaders are in shaders/.

mod adapter;
mod allowance;
mod bundles;
mod cell;
mod cover;
mod device;
mod doctor;
mod draws;
mod finish;
mod given;
mod group;
mod kernels;
mod layout;
mod leaves;
mod linked;
mod pace;
#[cfg(test)]
mod parity;
mod passes;
mod phases;
mod pool;
mod product;
mod selftest;
mod shaders;
mod solver;
mod stage;
mod straight;
#[cfg(test)]
mod summed_goals;
mod sums;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whole_goals;
mod workspace;

use std::sync::Arc;

pub use adapter::{
    AdapterChoice, AdapterKind, AdapterSummary, GpuError, adapters, given_adapter,
    hardware_is_likely,
};
pub use doctor::{Finding, diagnose};

use self::device::Device;
use self::kernels::Keeping;
use self::linked::LinkedSolver;
use self::pace::Pace;
use self::shaders::Library;
use self::solver::GpuSolver;
use super::{Backend, CellProblem, CellSolver, DEVICE_WORKERS, DevicePlace, SolveError};
use crate::plan::{Method, Plan};

/// Name of the backend.
const NAME: &str = "gpu";

/// What there are shaders for.
const METHODS: [Method; 3] = [Method::InPlace, Method::Jacobi, Method::OverRelaxed];

/// States from which on in-place sweeps are left to another backend, where there is one. A lane goes over the states of its goal one after the other, about a
/// microsecond each while it waits for memory; a block of 2^22 numbers and 16 blocks in flight are 16,384 such goals at 4,096 states, some 10^10 updates a second. Expected, not measured:
/// sixteen cores of a processor are no slower.
const MOST_STATES_IN_PLACE: usize = 4_096;

/// An opened adapter with its shaders.
#[derive(Debug)]
struct Gpu {
    device: Device,
    library: Library,
    pace: Pace,
    /// For tests: how values are kept, whatever fits best.
    keeping: Option<Keeping>,
}

/// Solves goals on a graphics processor. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GpuBackend {
    gpu: Arc<Gpu>,
}

impl GpuBackend {
    /// Opens an adapter and holds its random numbers against the host's.
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
        selftest::run(&device).map_err(unusable)?;
        let gpu = Gpu {
            device,
            library: Library::new(),
            pace: Pace::new(),
            keeping: None,
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

    fn methods(&self) -> &[Method] {
        &METHODS
    }

    fn may_relax(&self, problem: &CellProblem) -> bool {
        !straight::suits(problem.plan.model())
    }

    fn carries_out(&self, plan: &Plan) -> Option<String> {
        let room = self.adapter().workgroup_bytes;
        let (model, method) = (plan.model(), plan.schedule().method);
        let values = match method {
            Method::Jacobi if product::suits(model, self.gpu.device.limits()) => {
                "the memory, rows multiplied whole,"
            }
            Method::Jacobi => Keeping::Storage.words(),
            Method::InPlace | Method::PolicyIteration | Method::OverRelaxed => {
                Keeping::of(model, room).words()
            }
        };
        Some(format!("values in {values} of {}", self.adapter().name))
    }

    fn workers(&self, processors: usize) -> usize {
        processors.max(DEVICE_WORKERS)
    }

    fn place(&self) -> Option<DevicePlace> {
        let adapter = self.adapter();
        Some(DevicePlace {
            name: adapter.name.clone(),
            place: adapter.place.clone(),
            given: given_adapter(adapter).map(|(is_given, variable)| (variable, is_given)),
        })
    }

    fn lacks(&self, problem: &CellProblem) -> Option<String> {
        if let Err(linked) = problem.program.plain() {
            return Some(format!("{linked} at a gain that was measured"));
        }
        let plan = &problem.plan;
        let states = plan.model().states().len();
        let is_long = plan.schedule().method != Method::Jacobi && states > MOST_STATES_IN_PLACE;
        is_long.then(|| {
            format!("enough goals at a time, of {states} states each, to be worth its while")
        })
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        match problem.program.plain() {
            Ok(_) => Ok(Box::new(GpuSolver::new(self.gpu.clone(), problem)?)),
            Err(_) => Ok(Box::new(LinkedSolver::new(self.gpu.clone(), problem)?)),
        }
    }
}

//! Environments that are ready to be solved, kept where they will be solved again with more goals.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::RunSpec;
use super::cell::Ready;
use super::run_spec::VariantMdp;

/// What the environments that are kept may take, by the estimate of plans: what does not fit is made ready anew every time.
const MOST_BYTES: usize = 1 << 30;

/// An environment made ready: its variants, and its cells in the order of the experiment.
pub(super) struct ReadyEnvironment {
    pub(super) variants: Vec<VariantMdp>,
    pub(super) cells: Vec<Arc<Ready>>,
}

impl ReadyEnvironment {
    fn bytes(&self, spec: &RunSpec) -> usize {
        let threads = spec.n_threads();
        // Observations live no longer than a block.
        let each = self.variants.iter().map(|v| spec.memory_of(v, 0));
        let cells = self.cells.len() / self.variants.len().max(1);
        cells * each.map(|m| m.total_bytes(threads)).sum::<usize>()
    }
}

/// Environments by their position in the experiment.
pub(super) struct Kept {
    most_bytes: usize,
    environments: Mutex<(usize, BTreeMap<usize, Arc<ReadyEnvironment>>)>,
}

impl Kept {
    /// For a run that comes by once: nothing is kept.
    pub(super) fn nothing() -> Self {
        Self::up_to(0)
    }

    /// For a run that comes back with more goals.
    pub(super) fn what_fits() -> Self {
        Self::up_to(MOST_BYTES)
    }

    fn up_to(most_bytes: usize) -> Self {
        let environments = Mutex::new((0, BTreeMap::new()));
        Self {
            most_bytes,
            environments,
        }
    }

    /// The environment, if it is here.
    pub(super) fn get(&self, number: usize) -> Option<Arc<ReadyEnvironment>> {
        let kept = self.environments.lock();
        let kept = kept.unwrap_or_else(PoisonError::into_inner);
        kept.1.get(&number).cloned()
    }

    /// Keeps an environment that was not here, if there is room.
    pub(super) fn keep(&self, number: usize, environment: &Arc<ReadyEnvironment>, spec: &RunSpec) {
        let bytes = environment.bytes(spec);
        let kept = self.environments.lock();
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        if kept.0.saturating_add(bytes) <= self.most_bytes {
            kept.0 += bytes;
            kept.1.insert(number, environment.clone());
        }
    }
}

//! Environments that are ready to be solved, kept from when they are looked at to when they are solved, or solved again with more goals.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::RunSpec;
use super::cell::Ready;
use super::run_spec::VariantMdp;

/// What the environments that are kept may take, by the estimate of plans: what does not fit is made ready anew every time.
pub(super) const MOST_BYTES: usize = 1 << 30;

/// The same on a device, in environments: whatever their size, each has buffers and perhaps shaders of its own there.
pub(super) const MOST_ON_DEVICE: usize = 64;

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
    /// Whether the run comes back for them.
    is_lasting: bool,
    environments: Mutex<(usize, BTreeMap<usize, Arc<ReadyEnvironment>>)>,
    /// Whether all environments have been looked at for what nobody can solve.
    is_checked: AtomicBool,
}

impl Kept {
    /// Nothing is kept.
    pub(super) fn nothing() -> Self {
        Self::up_to(0, false)
    }

    /// For a run that comes by once: what is made ready before the first goal is kept until it is solved.
    pub(super) fn until_used() -> Self {
        Self::up_to(MOST_BYTES, false)
    }

    /// For a run that comes back with more goals.
    pub(super) fn what_fits() -> Self {
        Self::up_to(MOST_BYTES, true)
    }

    fn up_to(most_bytes: usize, is_lasting: bool) -> Self {
        Self {
            most_bytes,
            is_lasting,
            environments: Mutex::new((0, BTreeMap::new())),
            is_checked: AtomicBool::new(false),
        }
    }

    /// Whether this is the first time that this is asked.
    pub(super) fn begin_check(&self) -> bool {
        !self.is_checked.swap(true, Ordering::Relaxed)
    }

    /// The environment, if it is here, to be solved now.
    pub(super) fn get(&self, number: usize, spec: &RunSpec) -> Option<Arc<ReadyEnvironment>> {
        let kept = self.environments.lock();
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        // What was kept beyond the limit, since it was next, is kept no longer.
        if self.is_lasting && kept.0 <= self.most_bytes {
            return kept.1.get(&number).cloned();
        }
        let taken = kept.1.remove(&number)?;
        kept.0 = kept.0.saturating_sub(taken.bytes(spec));
        Some(taken)
    }

    /// Keeps an environment that was looked at before the first goal, if there is room, or it `is_next` to be solved.
    pub(super) fn keep_ahead(
        &self,
        number: usize,
        environment: &Arc<ReadyEnvironment>,
        is_next: bool,
        spec: &RunSpec,
    ) {
        let most_bytes = if is_next { usize::MAX } else { self.most_bytes };
        self.keep_up_to(most_bytes, number, environment, spec);
    }

    /// How many environments there are.
    pub(super) fn len(&self) -> usize {
        let kept = self.environments.lock();
        kept.unwrap_or_else(PoisonError::into_inner).1.len()
    }

    /// Keeps an environment that is solved now, if the run comes back and there is room.
    pub(super) fn keep(&self, number: usize, environment: &Arc<ReadyEnvironment>, spec: &RunSpec) {
        if self.is_lasting {
            self.keep_up_to(self.most_bytes, number, environment, spec);
        }
    }

    fn keep_up_to(
        &self,
        most_bytes: usize,
        number: usize,
        environment: &Arc<ReadyEnvironment>,
        spec: &RunSpec,
    ) {
        let bytes = environment.bytes(spec);
        let kept = self.environments.lock();
        let mut kept = kept.unwrap_or_else(PoisonError::into_inner);
        let all = kept.0.saturating_add(bytes);
        if all <= most_bytes && !kept.1.contains_key(&number) {
            kept.0 = all;
            kept.1.insert(number, environment.clone());
        }
    }
}

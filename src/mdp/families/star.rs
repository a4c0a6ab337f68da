//! Stars.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// A hub `s0` with one choice `go_t1`, `go_t2`, ... to each of `leaves` absorbing states `t1`, `t2`, ...; it starts in the hub.
///
/// For goals drawn independently for every state, POWER of the hub is the mean of the largest of `leaves` draws at every
/// discount: `k / (k + 1)` for Uniform[0, 1].
///
/// Keys: `leaves`.
///
/// # Source
///
/// A. M. Turner et al., "Optimal policies tend to seek power", NeurIPS 2021 (arXiv 1912.01683).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Star {
    /// Number of leaves.
    pub leaves: u64,
}

impl Star {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            leaves: from.count("leaves"),
        }
    }
}

impl Generator for Star {
    fn name(&self) -> &'static str {
        "star"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("leaves", self.leaves, 1..=MAX_STATES - 1);
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let hub = builder.state("s0");
        let mut leaves = Vec::with_capacity(self.leaves as usize);
        for leaf in 1..=self.leaves {
            let state: StateId = builder.state(format!("t{leaf}"));
            builder.choice(hub, format!("go_t{leaf}"), [(state, 1.0)]);
            builder.absorbing(state);
            leaves.push(state);
        }
        builder.label("leaves", leaves);
    }
}

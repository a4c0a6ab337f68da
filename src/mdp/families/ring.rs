//! Rings.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// A circle of states `s0`, `s1`, ...; it starts in `s0`.
///
/// Choices: `stay` (unless `stay = false`), `previous` (with `two_way = true`), `next`.
///
/// Keys: `states`, `two_way` (default false), `stay` (default true).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Number of states.
    pub states: u64,
    /// Whether one can go back.
    pub two_way: bool,
    /// Whether one can stay.
    pub stay: bool,
}

impl Ring {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            two_way: from.boolean_or("two_way", false),
            stay: from.boolean_or("stay", true),
        }
    }
}

impl Generator for Ring {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 1..=MAX_STATES);
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let n = self.states as u32;
        for s in 0..n {
            let state = builder.state(format!("s{s}"));
            if self.stay {
                builder.choice(state, "stay", [(state, 1.0)]);
            }
            if self.two_way {
                builder.choice(state, "previous", [(StateId((s + n - 1) % n), 1.0)]);
            }
            builder.choice(state, "next", [(StateId((s + 1) % n), 1.0)]);
        }
    }
}

//! Chains.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// A line of states `s0`, `s1`, ...; it starts in `s0`.
///
/// Choices: `stay` (unless `stay = false`), `left` (with `two_way = true`), `right`. Moves off an end do not exist; a state that
/// would have no choice at all is absorbing.
///
/// Keys: `states`, `two_way` (default false), `stay` (default true).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Number of states.
    pub states: u64,
    /// Whether one can go back.
    pub two_way: bool,
    /// Whether one can stay.
    pub stay: bool,
}

impl Chain {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            two_way: from.boolean_or("two_way", false),
            stay: from.boolean_or("stay", true),
        }
    }
}

impl Generator for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 1..=MAX_STATES);
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let last = self.states as u32 - 1;
        for s in 0..=last {
            let state = builder.state(format!("s{s}"));
            let (left, right) = (self.two_way && s > 0, s < last);
            if self.stay || !(left || right) {
                builder.absorbing(state);
            }
            if left {
                builder.choice(state, "left", [(StateId(s - 1), 1.0)]);
            }
            if right {
                builder.choice(state, "right", [(StateId(s + 1), 1.0)]);
            }
        }
    }
}

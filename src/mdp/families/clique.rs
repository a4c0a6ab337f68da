//! Cliques.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// States `s0`, `s1`, ..., each with a choice `to0`, `to1`, ... to every other, and with `loops` to itself; it starts in `s0`.
///
/// With loops it has the largest POWER that any MDP of its size can have: `n / (n + 1)` for Uniform[0, 1], at every discount.
///
/// Keys: `states`, `loops` (default true).
///
/// # Source
///
/// A. M. Turner et al., "Optimal policies tend to seek power", NeurIPS 2021 (arXiv 1912.01683), proposition 5.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clique {
    /// Number of states.
    pub states: u64,
    /// Whether a state can be stayed in.
    pub loops: bool,
}

impl Clique {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            loops: from.boolean_or("loops", true),
        }
    }
}

impl Generator for Clique {
    fn name(&self) -> &'static str {
        "clique"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        // A lone state needs its loop: it has nowhere else to go.
        let least = if self.loops { 1 } else { 2 };
        limits.count("states", self.states, least..=MAX_STATES);
        limits.transitions("`states` * `states`", &[self.states, self.states]);
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let n = self.states as u32;
        for s in 0..n {
            builder.state(format!("s{s}"));
        }
        for s in 0..n {
            for t in (0..n).filter(|&t| self.loops || t != s) {
                builder.choice(StateId(s), format!("to{t}"), [(StateId(t), 1.0)]);
            }
        }
    }
}

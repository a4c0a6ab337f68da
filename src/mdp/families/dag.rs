//! Random directed acyclic graphs.

use super::draw::Draws;
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// States `s0`, `s1`, ... that are never returned to: each has up to `choices` choices `to_s5`, ... that lead for certain to different later
/// states, drawn uniformly from the next `reach` ones; the last state is absorbing. It starts in `s0`.
///
/// A state with fewer than `choices` later states within reach has a choice for each of them.
///
/// Keys: `states`, `choices` (default 2), `reach` (default: all later states).
///
/// # Addressing
///
/// Item = the state's number. Its words are Floyd's draws of the subset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dag {
    /// Number of states.
    pub states: u64,
    /// Most choices of a state.
    pub choices: u64,
    /// How far ahead a choice leads at most, in states.
    pub reach: u64,
}

impl Dag {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            choices: from.count_or("choices", 2),
            reach: from.count_or("reach", MAX_STATES),
        }
    }
}

impl Generator for Dag {
    fn name(&self) -> &'static str {
        "dag"
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 2..=MAX_STATES);
        limits.count("choices", self.choices, 1..=MAX_STATES);
        limits.count("reach", self.reach, 1..=MAX_STATES);
        limits.transitions("`states` * `choices`", &[self.states, self.choices]);
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        for s in 0..self.states {
            builder.state(format!("s{s}"));
        }
        for s in 0..self.states - 1 {
            let later = (self.states - 1 - s).min(self.reach);
            for ahead in Draws::new(seed, s).subset(later, self.choices.min(later)) {
                let to = s + 1 + ahead;
                builder.row(
                    StateId(s as u32),
                    &format!("to_s{to}"),
                    &[to as u32],
                    &[1.0],
                );
            }
        }
        builder.absorbing(StateId(self.states as u32 - 1));
    }
}

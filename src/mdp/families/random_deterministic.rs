//! Random deterministic graphs.

use super::draw::Draws;
use super::garnet::{Garnet, random_choices};
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};

/// `states` states with `choices` choices each, each of which leads to a state drawn uniformly from all of them.
///
/// A choice may lead back to its own state, and two choices of a state may lead to the same one. States `s0`, `s1`, ..., actions
/// `a0`, `a1`, ...; it starts in `s0`. As a garnet with one successor, value for value.
///
/// Keys: `states`, `choices`.
///
/// # Addressing
///
/// Item = the choice's number, `state * choices + action`. Its one word is the successor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomDeterministic {
    /// Number of states.
    pub states: u64,
    /// Number of choices of every state.
    pub choices: u64,
}

impl RandomDeterministic {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            choices: from.count("choices"),
        }
    }
}

impl Generator for RandomDeterministic {
    fn name(&self) -> &'static str {
        "random-deterministic"
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 1..=MAX_STATES);
        limits.count("choices", self.choices, 1..=MAX_STATES);
        limits.transitions("`states` * `choices`", &[self.states, self.choices]);
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        let shape = Garnet {
            states: self.states,
            choices: self.choices,
            branching: 1,
        };
        random_choices(builder, &shape, |item| {
            vec![(Draws::new(seed, item).below(self.states), 1.0)]
        });
    }
}

//! Dense random MDPs.

use super::draw::Draws;
use super::garnet::{Garnet, random_choices};
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};

/// `states` states with `choices` choices each, each of them a distribution over all states drawn from Dirichlet(1, ..., 1).
///
/// The law is uniform on the simplex, made as the gaps between sorted uniform cuts. States `s0`, `s1`, ..., actions `a0`, `a1`,
/// ...; it starts in `s0`.
///
/// Keys: `states`, `choices`.
///
/// # Addressing
///
/// Item = the choice's number, `state * choices + action`. Its words: `states - 1` for the cuts.
///
/// # Precision
///
/// Probabilities are multiples of 2^-53 and sum to one exactly. A gap of zero (probability below states^2 / 2^53) leaves its
/// successor out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Number of states.
    pub states: u64,
    /// Number of choices of every state.
    pub choices: u64,
}

impl Dense {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            choices: from.count("choices"),
        }
    }
}

impl Generator for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 1..=MAX_STATES);
        limits.count("choices", self.choices, 1..=MAX_STATES);
        limits.transitions(
            "`states` * `choices` * `states`",
            &[self.states, self.choices, self.states],
        );
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        let shape = Garnet {
            states: self.states,
            choices: self.choices,
            branching: self.states,
        };
        random_choices(builder, &shape, |item| {
            let point = Draws::new(seed, item).simplex(self.states);
            (0..).zip(point).collect()
        });
    }
}

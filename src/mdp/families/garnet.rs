//! Garnets: random MDPs with few successors per choice.

use super::draw::Draws;
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// `states` states with `choices` choices each, each of them with `branching` distinct successors.
///
/// Successors are a uniform subset of all states (the state itself among them); their probabilities are the gaps between
/// `branching - 1` sorted uniform cuts of the unit interval. States `s0`, `s1`, ..., actions `a0`, `a1`, ...; it starts in `s0`.
///
/// Keys: `states`, `choices`, `branching`.
///
/// # Addressing
///
/// Item = the choice's number, `state * choices + action`. Its words: `branching` for the subset, then `branching - 1` for the
/// cuts. Gaps go to successors in ascending order.
///
/// # Precision
///
/// Probabilities are multiples of 2^-53 and sum to one exactly. A gap of zero (probability below branching^2 / 2^53) leaves its
/// successor out.
///
/// # Source
///
/// T. W. Archibald, K. I. M. McKinnon and L. C. Thomas, "On the generation of Markov decision processes", Journal of the
/// Operational Research Society 46 (1995) 354-361; the name and the cuts are those of Bhatnagar et al., Automatica 45 (2009).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Garnet {
    /// Number of states.
    pub states: u64,
    /// Number of choices of every state.
    pub choices: u64,
    /// Number of successors of every choice.
    pub branching: u64,
}

impl Garnet {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            states: from.count("states"),
            choices: from.count("choices"),
            branching: from.count("branching"),
        }
    }
}

impl Generator for Garnet {
    fn name(&self) -> &'static str {
        "garnet"
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("states", self.states, 1..=MAX_STATES);
        limits.count("choices", self.choices, 1..=MAX_STATES);
        limits.count("branching", self.branching, 1..=self.states.max(1));
        limits.transitions(
            "`states` * `choices` * `branching`",
            &[self.states, self.choices, self.branching],
        );
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        random_choices(builder, self, |item| {
            let mut draws = Draws::new(seed, item);
            let successors = draws.subset(self.states, self.branching);
            let probabilities = draws.simplex(self.branching);
            successors.into_iter().zip(probabilities).collect()
        });
    }
}

/// States `s0..` with choices `a0..` whose rows are drawn one by one.
pub(super) fn random_choices(
    builder: &mut MdpBuilder,
    shape: &Garnet,
    row: impl Fn(u64) -> Vec<(u64, f64)>,
) {
    for state in 0..shape.states {
        builder.state(format!("s{state}"));
    }
    for item in 0..shape.states * shape.choices {
        let to = row(item)
            .into_iter()
            .filter(|&(_, p)| p > 0.0)
            .map(|(s, p)| (StateId(s as u32), p));
        let state = StateId((item / shape.choices) as u32);
        builder.choice(state, format!("a{}", item % shape.choices), to);
    }
}

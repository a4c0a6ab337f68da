//! What an agent does that follows another rule than optimality: probabilities of choices, made out by the solver of the rule.

use crate::units::{ChoiceId, StateId};

/// What weights of all plans miss of one by rounding.
const SHARP: f64 = 1e-12;

/// How an agent acts on one goal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acting {
    /// The probability of every choice in its state, `[n_choices]`. Those of a state sum to one, or to less where the agent may do nothing
    /// at all: then it stops, and nothing more happens.
    pub shares: Vec<f64>,
    /// Whether the shares of a state are left open by the error bounds, `[n_states]`.
    pub open: Vec<bool>,
    /// Relative error of every share.
    pub error: f64,
    /// Whether it does the same whatever the goal: then what it does is looked at once for many goals.
    pub is_fixed: bool,
    /// What an optimal agent would have, where it was found.
    pub optimum: Option<Optimum>,
    /// What an agent does that settles on a whole plan at the start: one of these. Empty where it decides anew at every step.
    pub plans: Vec<WholePlan>,
}

/// What the best that can be done with a goal is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimum {
    /// The POWER integrand, `[n_states]`.
    pub integrand: Vec<f64>,
    /// Half-width of the interval around every one.
    pub half_width: f64,
}

/// A plan: a choice for every state it can lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct WholePlan {
    /// The probability that the agent settles on it.
    pub weight: f64,
    /// The choice of every state, `[n_states]`; what stands at states that are not reached has no meaning.
    pub choices: std::sync::Arc<[ChoiceId]>,
}

/// A way to act that does not change on the way.
#[derive(Clone, Copy, Debug)]
pub(super) enum Policy<'a> {
    /// Probabilities of choices.
    Shares(&'a [f64]),
    /// One choice for every state.
    Picks(&'a [ChoiceId]),
    /// To do nothing.
    Nothing,
    /// Every choice of a state with the same probability.
    Even,
}

impl Policy<'_> {
    /// The probability of a choice of a state, of which there are `n_choices`.
    pub(super) fn share(&self, state: StateId, choice: ChoiceId, n_choices: usize) -> f64 {
        match self {
            Self::Shares(shares) => shares[choice.index()],
            Self::Nothing => 0.0,
            Self::Even => 1.0 / n_choices as f64,
            Self::Picks(choices) => f64::from(u8::from(choices[state.index()] == choice)),
        }
    }
}

impl Acting {
    /// An agent that takes one choice in every state, `[n_states]`; `open` where that is not known.
    pub fn follow(&mut self, n_choices: usize, policy: impl Iterator<Item = ChoiceId>, open: bool) {
        self.shares.clear();
        self.shares.resize(n_choices, 0.0);
        self.open.clear();
        for choice in policy {
            self.shares[choice.index()] = 1.0;
            self.open.push(open);
        }
    }

    /// The policies that the agent follows from the start, each with its probability.
    pub(super) fn policies(&self) -> Vec<(f64, Policy<'_>)> {
        if self.plans.is_empty() {
            return vec![(1.0, Policy::Shares(&self.shares))];
        }
        let plans = self.plans.iter();
        let picks = plans.map(|p| (p.weight, Policy::Picks(&p.choices)));
        let mut all: Vec<_> = picks.collect();
        let none = 1.0 - all.iter().map(|(weight, _)| weight).sum::<f64>();
        if none > SHARP {
            all.push((none, Policy::Nothing));
        }
        all
    }
}

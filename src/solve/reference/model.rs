//! The MDP, the discount and the values, in the terms the equations are written in.

use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::{ChoiceId, Discount, StateId};

/// Values of all states, `V(s) = offset + deviation(s)`.
///
/// The offset, near the middle, keeps the deviations as small as differences between values are: at gamma 0.999 values of
/// 500 that differ by 1 would otherwise carry errors 500 times larger than need be.
#[derive(Clone, Debug)]
pub(super) struct Values {
    pub(super) offset: f64,
    /// `[n_states]`.
    pub(super) deviation: Vec<f64>,
}

impl Values {
    /// Smallest and largest deviation.
    pub(super) fn range(&self) -> (f64, f64) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let widen = |(low, high): (f64, f64), &v: &f64| (low.min(v), high.max(v));
        self.deviation.iter().fold(ends, widen)
    }

    /// Moves the middle of the deviations into the offset.
    pub(super) fn centre(&mut self) {
        let (low, high) = self.range();
        let middle = (low + high) / 2.0;
        self.offset += middle;
        self.deviation.iter_mut().for_each(|v| *v -= middle);
    }
}

/// An MDP under a discount.
///
/// The exact transition operator behind every number of this backend is Markov: the probabilities of the *other* successors
/// are the stored f64 numbers, the probability of staying is one minus their sum. That is what the difference form
/// `sum_{s' != s} T(s,a,s') (V(s') - V(s))` computes; a stored row that sums to `1 + 1e-16` never meets a large V.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model<'a> {
    pub(super) mdp: &'a Mdp,
    /// gamma.
    pub(super) discount: f64,
    /// 1 - gamma, exact.
    pub(super) complement: f64,
    /// Whether rewards are those of states, R(s), or of choices, R(s, a).
    pub(super) domain: RewardDomain,
    /// The choice of every state, where it is given: then there is no other.
    pub(super) policy: Option<&'a [ChoiceId]>,
}

impl<'a> Model<'a> {
    pub(super) fn new(mdp: &'a Mdp, discount: Discount, domain: RewardDomain) -> Self {
        Self {
            domain,
            policy: None,
            mdp,
            discount: discount.used(),
            complement: discount.complement(),
        }
    }

    /// The choices there are.
    pub(super) fn choices(&self, state: StateId) -> impl Iterator<Item = ChoiceId> + use<'a> {
        let given = self.policy.map(|policy| policy[state.index()]);
        let all = self.mdp.choices(state);
        all.filter(move |c| given.is_none_or(|g| g == *c))
    }

    /// Successors other than the state itself, with their probabilities.
    pub(super) fn others(
        &self,
        state: StateId,
        choice: ChoiceId,
    ) -> impl Iterator<Item = (usize, f64)> + use<'a> {
        let (to, probabilities) = self.mdp.row(choice);
        let pairs = to.iter().zip(probabilities);
        pairs
            .filter(move |&(&next, _)| next != state.0)
            .map(|(&next, &p)| (next as usize, p))
    }

    /// Expected gain of one step, `(P_a x)(s) - x(s)`, for any vector `x` over states; where choices have rewards, with
    /// `R(s, a) / gamma`, so that gamma times it is all that depends on the choice.
    pub(super) fn gain(&self, state: StateId, choice: ChoiceId, rewards: &[f64], x: &[f64]) -> f64 {
        let here = x[state.index()];
        let terms = self.others(state, choice);
        let moved: f64 = terms.map(|(next, p)| p * (x[next] - here)).sum();
        match self.domain {
            RewardDomain::State => moved,
            RewardDomain::Choice => moved + rewards[choice.index()] / self.discount,
        }
    }

    /// The reward that every choice of the state has.
    fn common_reward(&self, state: StateId, rewards: &[f64]) -> f64 {
        match self.domain {
            RewardDomain::State => rewards[state.index()],
            RewardDomain::Choice => 0.0,
        }
    }

    /// The reward of a choice, its state's included.
    pub(super) fn reward(&self, state: StateId, choice: ChoiceId, rewards: &[f64]) -> f64 {
        match self.domain {
            RewardDomain::State => rewards[state.index()],
            RewardDomain::Choice => rewards[choice.index()],
        }
    }

    /// Probability of leaving the state.
    pub(super) fn leaving(&self, state: StateId, choice: ChoiceId) -> f64 {
        self.others(state, choice).map(|(_, p)| p).sum()
    }

    /// The choice with the largest gain (the first of several), and the gain.
    pub(super) fn best(&self, state: StateId, rewards: &[f64], x: &[f64]) -> (ChoiceId, f64) {
        let mut best: Option<(ChoiceId, f64)> = None;
        for choice in self.choices(state) {
            let gain = self.gain(state, choice, rewards, x);
            if best.is_none_or(|(_, most)| gain > most) {
                best = Some((choice, gain));
            }
        }
        best.expect("every state has a choice")
    }

    /// `R(s) + gamma (P_a V)(s) - V(s)` in difference form, given the gain of the choice.
    pub(super) fn residual(
        &self,
        state: StateId,
        rewards: &[f64],
        values: &Values,
        gain: f64,
    ) -> f64 {
        let reward = self.common_reward(state, rewards) - self.complement * values.offset;
        (reward - self.complement * values.deviation[state.index()]) + self.discount * gain
    }

    /// Length of the longest row.
    pub(super) fn longest_row(&self) -> usize {
        let choices = (0..self.mdp.n_choices() as u32).map(ChoiceId);
        choices.map(|c| self.mdp.row(c).0.len()).max().unwrap_or(0)
    }
}

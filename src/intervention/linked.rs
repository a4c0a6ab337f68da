//! Interventions that are more than another MDP: what they do depends on what is worth how much, so that a goal is solved in linked stages.

use std::fmt::Debug;
use std::sync::Arc;

use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, ProgramError, Reading, Stage};
use crate::reward::{BoundReward, Coupling, RewardDistribution, RewardDomain, RewardError};
use crate::units::{ChoiceId, Discount, StateId};

/// An intervention whose goals are solved in linked stages. [`transform`](super::Intervention::transform) makes the MDP of the stage that is shown.
pub trait Linked: Debug + Send + Sync {
    /// What is solved for every goal.
    ///
    /// # Errors
    ///
    /// [`RewardError`] for a law that does not fit.
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError>;
}

/// What a program of linked solves is made for.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The MDP that the intervention acts on.
    pub before: &'a Arc<Mdp>,
    /// What it made of it.
    pub made: &'a Arc<Mdp>,
    /// The law of the goals.
    pub reward: &'a RewardDistribution,
    /// The discount.
    pub discount: Discount,
}

impl World<'_> {
    /// The law on an MDP: names that the MDP does not have are left out.
    pub(super) fn bind(&self, mdp: &Arc<Mdp>) -> Result<BoundReward, RewardError> {
        self.reward.known_to(mdp).bind(mdp)
    }

    /// Refuses rewards of choices, for interventions that hold what a choice pays against what a state is worth.
    pub(super) fn refuse_choices(&self, kind: &str) -> Result<(), RewardError> {
        if !self.is_on_choices() {
            return Ok(());
        }
        let mut faults = Faults::default();
        faults.error(
            None,
            format!(
                "goals that {kind} solves in linked stages have rewards of states, not of choices"
            ),
        );
        Err(self.unfit(faults))
    }

    /// Whether choices have the rewards.
    pub(super) fn is_on_choices(&self) -> bool {
        self.reward.domain() == RewardDomain::Choice
    }

    /// The rewards that are paid in some states: their own, or those of all their choices. `[n_rewards]`, given `[n_states]`.
    pub(super) fn rewards_in(&self, mdp: &Mdp, states: &[bool]) -> Vec<bool> {
        match self.is_on_choices() {
            false => states.to_vec(),
            true => {
                let states = mdp.states().filter(|s| states[s.index()]);
                let mut rewards = vec![false; mdp.n_choices()];
                for choice in states.flat_map(|s| mdp.choices(s)) {
                    rewards[choice.index()] = true;
                }
                rewards
            }
        }
    }

    /// The reward of a state with one choice.
    pub(super) fn reward_at(&self, mdp: &Mdp, state: StateId) -> u32 {
        match self.is_on_choices() {
            false => state.0,
            true => mdp.choices(state).next().map_or(0, |c| c.0),
        }
    }

    /// Optimal values of an MDP.
    pub(super) fn optimal(&self, mdp: &Arc<Mdp>) -> Result<Stage, RewardError> {
        let BoundReward { mdp, law, .. } = self.bind(mdp)?;
        Ok(Stage::optimal(mdp, law))
    }

    /// How a second goal goes with the first; independent where nothing is said.
    pub(super) fn coupling(&self) -> Result<Coupling, RewardError> {
        Ok(self.bind(self.before)?.pair.unwrap_or_default())
    }

    /// Puts stages together.
    pub(super) fn link(
        &self,
        stages: Vec<Stage>,
        shown: usize,
        readings: Vec<Reading>,
    ) -> Result<GoalProgram, RewardError> {
        let program = GoalProgram::linked(stages, shown, readings);
        program.map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &ProgramError) -> RewardError {
        let mut faults = Faults::default();
        faults.error(None, error.to_string());
        self.unfit(faults)
    }

    /// What is wrong, where it is found out when the law is there.
    pub(super) fn unfit(&self, faults: Faults) -> RewardError {
        RewardError {
            reward: self.reward.name().to_owned(),
            environment: self.before.name().to_owned(),
            faults,
        }
    }

    /// `(1 - gamma)/gamma` times what a choice is worth less its state's reward: the POWER integrand of taking it. Where choices have rewards, what it pays itself
    /// is part of it.
    pub(super) fn integrand_of(&self, stage: usize, mdp: &Mdp, choice: ChoiceId) -> Expression {
        let next = next_worth(stage, mdp, choice);
        match self.is_on_choices() {
            false => next,
            true => self.paid_and(next, stage, choice),
        }
    }

    /// `(1 - gamma)/gamma R(s, a)` and what comes after it, where a stage rewards choices.
    pub(super) fn paid_and(&self, next: Expression, stage: usize, choice: ChoiceId) -> Expression {
        let paid = Expression::Reward {
            stage,
            row: choice.0,
        };
        let odds = self.discount.complement() / self.discount.used();
        Expression::Sum(vec![(odds, paid), (1.0, next)])
    }

    /// The POWER integrand of a state, `((1 - gamma) V - (1 - gamma) R)/gamma`; where choices have rewards there is no R to take off.
    pub(super) fn integrand(&self, stage: usize, state: StateId) -> Expression {
        let (used, complement) = (self.discount.used(), self.discount.complement());
        if self.is_on_choices() {
            return Expression::Sum(vec![(1.0 / used, Expression::worth(stage, state))]);
        }
        let reward = Expression::Reward {
            stage,
            row: state.0,
        };
        Expression::Sum(vec![
            (1.0 / used, Expression::worth(stage, state)),
            (-complement / used, reward),
        ])
    }

    /// How much the integrand of a choice exceeds that of the best other one of its state. `None` where there is no other.
    pub(super) fn lead(&self, stage: usize, mdp: &Mdp, choice: ChoiceId) -> Option<Expression> {
        self.lead_of_set(stage, mdp, mdp.state_of(choice), &[choice])
    }

    /// How much the best of some choices of a state exceeds the best of the others, as POWER integrands. `None` where there are none, or no others.
    pub(super) fn lead_of_set(
        &self,
        stage: usize,
        mdp: &Mdp,
        state: StateId,
        set: &[ChoiceId],
    ) -> Option<Expression> {
        let (inside, others): (Vec<ChoiceId>, Vec<ChoiceId>) =
            mdp.choices(state).partition(|c| set.contains(c));
        let best = |choices: Vec<ChoiceId>| match &choices[..] {
            [] => None,
            [one] => Some(self.integrand_of(stage, mdp, *one)),
            _ => {
                let each = choices.iter();
                let each = each.map(|c| self.integrand_of(stage, mdp, *c));
                Some(Expression::Max(each.collect()))
            }
        };
        Some(Expression::difference(best(inside)?, best(others)?))
    }

    /// The reading `true value lost`: by how much what the goal is worth at the start at best (the second stage) exceeds what the agent's policy is worth for it (the first).
    pub(super) fn true_value_lost([followed, best]: [usize; 2], mdp: &Mdp) -> Reading {
        let start = |stage| Expression::Worths {
            stage,
            terms: mdp.start().to_vec(),
        };
        let lost = Expression::difference(start(best), start(followed));
        signed("true value lost".to_owned(), lost)
    }
}

/// `(1 - gamma) V` of where a choice leads, in expectation.
pub(super) fn next_worth(stage: usize, mdp: &Mdp, choice: ChoiceId) -> Expression {
    let (to, p) = mdp.row(choice);
    let terms = to.iter().zip(p);
    Expression::Worths {
        stage,
        terms: terms.map(|(t, p)| (StateId(*t), *p)).collect(),
    }
}

/// A reading whose sign counts.
pub(super) fn signed(name: String, expression: Expression) -> Reading {
    Reading {
        name,
        expression,
        signed: true,
    }
}

/// `a - b`, the other way round.
pub(super) fn negated(expression: Expression) -> Expression {
    Expression::Sum(vec![(-1.0, expression)])
}

/// The choices of a label; none where nothing has it.
pub(super) fn labelled<'m>(mdp: &'m Mdp, label: &str) -> &'m [ChoiceId] {
    mdp.choice_labels().get(label).map_or(&[], Vec::as_slice)
}

/// Whether each state has a label, `[n_states]`.
pub(super) fn states_labelled(mdp: &Mdp, label: &str) -> Vec<bool> {
    let mut of = vec![false; mdp.n_states()];
    let members = mdp.state_labels().get(label).into_iter().flatten();
    members.for_each(|s| of[s.index()] = true);
    of
}

/// Refuses an MDP that has a label already which an intervention tells its own states or choices by.
pub(super) fn refuse_label(kind: &str, mdp: &Mdp, label: &str, faults: &mut Faults) {
    let taken = mdp.state_labels().contains_key(label) || mdp.choice_labels().contains_key(label);
    if taken {
        let name = mdp.name();
        faults.error(
            None,
            format!("{kind}: {name:?} has the label {label:?} already"),
        );
    }
}

//! What an intervention did: states and choices that were added, removed or changed.

use std::collections::{BTreeMap, HashMap};

use crate::mdp::{BaseState, Mdp};
use crate::units::{ChoiceId, StateId};

/// The difference between two MDPs, by the names of their states and actions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// States that stand for no state of the baseline, by name.
    pub new_states: Vec<String>,
    /// Further states that stand for one of the baseline, by name.
    pub copies: Vec<String>,
    /// States that are gone.
    pub removed_states: Vec<String>,
    /// Choices that states of both have got, as (state, action).
    pub added_choices: Vec<(String, String)>,
    /// Choices that states of both have lost.
    pub removed_choices: Vec<(String, String)>,
    /// Choices of both that lead elsewhere, or with other probabilities.
    pub changed_choices: Vec<(String, String)>,
    /// Labels with the number of their members, where that is another or the label is new.
    pub labels: Vec<(String, usize)>,
    /// Whether it starts elsewhere.
    pub other_start: bool,
}

impl Change {
    /// What leads from one MDP to the other.
    #[must_use]
    pub fn between(before: &Mdp, after: &Mdp) -> Self {
        let old = by_name(before);
        let new = by_name(after);
        let mut change = Self::default();
        for state in after.states() {
            let name = after.state_name(state);
            match (old.get(name), after.base_state()[state.index()]) {
                (Some(&known), _) => change.choices(before, known, after, state),
                (None, BaseState::New | BaseState::Other) => {
                    change.new_states.push(name.to_owned())
                }
                (None, BaseState::Of(_)) => change.copies.push(name.to_owned()),
            }
        }
        let gone = before.states().map(|s| before.state_name(s));
        let gone = gone.filter(|name| !new.contains_key(name));
        change.removed_states = gone.map(str::to_owned).collect();
        let sizes = |mdp: &Mdp| -> BTreeMap<String, usize> {
            let states = mdp.state_labels().iter().map(|(l, m)| (l.clone(), m.len()));
            let choices = mdp
                .choice_labels()
                .iter()
                .map(|(l, m)| (l.clone(), m.len()));
            states.chain(choices).collect()
        };
        let known = sizes(before);
        let labels = sizes(after).into_iter();
        change.labels = labels
            .filter(|(label, size)| known.get(label) != Some(size))
            .collect();
        let start = |mdp: &Mdp| -> Vec<(String, f64)> {
            let start = mdp.start().iter();
            start
                .map(|(s, p)| (mdp.state_name(*s).to_owned(), *p))
                .collect()
        };
        change.other_start = start(before) != start(after);
        change
    }

    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The choices of a state of both.
    fn choices(&mut self, before: &Mdp, old: StateId, after: &Mdp, new: StateId) {
        let row = |mdp: &Mdp, choice: ChoiceId| -> Vec<(String, u64)> {
            let (to, p) = mdp.row(choice);
            let each = to.iter().zip(p);
            each.map(|(&s, p)| (mdp.state_name(StateId(s)).to_owned(), p.to_bits()))
                .collect()
        };
        let named = |mdp: &Mdp, state: StateId| -> HashMap<String, ChoiceId> {
            let choices = mdp.choices(state);
            choices
                .map(|c| (mdp.action_name(c).to_owned(), c))
                .collect()
        };
        let (had, has) = (named(before, old), named(after, new));
        let name = after.state_name(new);
        for choice in after.choices(new) {
            let action = after.action_name(choice);
            let pair = || (name.to_owned(), action.to_owned());
            match had.get(action) {
                None => self.added_choices.push(pair()),
                Some(&was) if row(before, was) != row(after, choice) => {
                    self.changed_choices.push(pair());
                }
                Some(_) => {}
            }
        }
        let lost = before.choices(old).map(|c| before.action_name(c));
        let lost = lost.filter(|action| !has.contains_key(*action));
        self.removed_choices
            .extend(lost.map(|action| (name.to_owned(), action.to_owned())));
    }
}

fn by_name(mdp: &Mdp) -> HashMap<&str, StateId> {
    mdp.states().map(|s| (mdp.state_name(s), s)).collect()
}

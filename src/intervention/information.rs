//! Information: a hidden bit of the world, and a look at it that takes time.

use super::parameter::{Names, Parameters, states_or_start};
use super::weave::{Construction, Place, Woven, row, weave};
use super::{Intervention, steps};
use crate::document::{Faults, Spanned};
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// A hidden bit of the world.
///
/// Once and for all, before anything happens, the actions `first` and `second` are exchanged with probability `p`: in every state that has both, each then leads where the other one
/// leads in the MDP. The agent does not see it. At some states (the start, unless `look_at` names them) a choice `look` takes `steps` steps, spent in the same place, and tells. A step that only one of
/// the two worlds explains tells as well. This is the MDP of the agent's beliefs, exact because there are only three: the states of the MDP (it does not know),
/// `s (as named)` and `s (exchanged)`. A step that both worlds explain with different probabilities would make further beliefs, and is a fault. Copies share the rewards of what
/// they are copies of.
///
/// Labels it adds: of choices `look`; of states `informed` (it knows).
///
/// Strength zero: `p` is 0.
///
/// # Source
///
/// Belief MDPs: L. Kaelbling, M. Littman, A. Cassandra, "Planning and acting in partially observable stochastic domains", Artificial Intelligence 1998.
#[derive(Clone, Debug, PartialEq)]
pub struct Information {
    /// One action.
    pub first: Spanned<String>,
    /// The action it may be exchanged with.
    pub second: Spanned<String>,
    /// Probability that they are exchanged.
    pub p: f64,
    /// Whether one can look.
    pub look: bool,
    /// States where one can; `None` for those it starts in.
    pub look_at: Option<Names>,
    /// Steps that a look takes, at least 1.
    pub steps: u32,
}

impl Information {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let steps = from.count_or("steps", 1);
        from.check(steps > 0, "steps", "`steps` must be at least 1");
        Self {
            first: from.require_name("first"),
            second: from.require_name("second"),
            p: from.require_probability("p"),
            look: from.switch_or("look", true),
            look_at: from.names("look_at"),
            steps: steps as u32,
        }
    }
}

/// Belief of the first layers: nothing is known, the actions are as named, they are exchanged.
const UNKNOWN: u32 = 0;
const AS_NAMED: u32 = 1;
const EXCHANGED: u32 = 2;

impl Intervention for Information {
    fn kind(&self) -> &'static str {
        "information"
    }

    fn is_neutral(&self) -> bool {
        self.p == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let look_at = match self.look {
            true => states_or_start(self.look_at.as_ref(), mdp, faults),
            false => vec![false; mdp.n_states()],
        };
        let beliefs = Beliefs {
            mdp,
            of: self,
            other: self.exchanged(mdp),
            look_at,
        };
        beliefs.check(faults);
        if faults.errors().count() > before {
            return None;
        }
        weave(self.kind(), mdp, &beliefs, faults)
    }
}

impl Information {
    /// The choice whose row each has where the actions are exchanged, `[n_choices]`.
    fn exchanged(&self, mdp: &Mdp) -> Vec<ChoiceId> {
        let mut other: Vec<ChoiceId> = (0..mdp.n_choices() as u32).map(ChoiceId).collect();
        for state in mdp.states() {
            let find = |name: &str| mdp.choices(state).find(|c| mdp.action_name(*c) == name);
            if let (Some(first), Some(second)) = (find(&self.first.value), find(&self.second.value))
            {
                other[first.index()] = second;
                other[second.index()] = first;
            }
        }
        other
    }
}

struct Beliefs<'m> {
    mdp: &'m Mdp,
    of: &'m Information,
    other: Vec<ChoiceId>,
    look_at: Vec<bool>,
}

impl Beliefs<'_> {
    /// Probability of a successor.
    fn probability(&self, choice: ChoiceId, to: u32) -> f64 {
        let (successors, p) = self.mdp.row(choice);
        successors.binary_search(&to).map_or(0.0, |at| p[at])
    }

    /// Refuses actions that no state has both of, and steps that make a belief in between.
    fn check(&self, faults: &mut Faults) {
        let changes = |c: &ChoiceId| self.other[c.index()] != *c;
        let mut changed = (0..self.mdp.n_choices() as u32)
            .map(ChoiceId)
            .filter(changes);
        if changed.clone().next().is_none() {
            let (first, second) = (&self.of.first.value, &self.of.second.value);
            let message = format!(
                "no state of {:?} has both actions {first:?} and {second:?}",
                self.mdp.name()
            );
            faults.error(self.of.first.span.clone(), message);
        }
        let between = |c: &ChoiceId| {
            let (to, p) = self.mdp.row(*c);
            let mut pairs = to.iter().zip(p);
            pairs.any(|(&s, &p)| {
                let other = self.probability(self.other[c.index()], s);
                other != 0.0 && other != p
            })
        };
        if let Some(choice) = changed.find(between) {
            let state = self.mdp.state_name(self.mdp.state_of(choice));
            let message = format!(
                "the actions {:?} and {:?} of the state {state:?} lead to the same state with different probabilities, so that a step says something but not all: \
                 that takes more beliefs than three",
                self.of.first.value, self.of.second.value
            );
            faults.error(self.of.first.span.clone(), message);
        }
    }

    /// Where a choice leads while nothing is known.
    fn uncertain(&self, choice: ChoiceId) -> Vec<(Place, f64)> {
        let other = self.other[choice.index()];
        if other == choice {
            return row(self.mdp, choice, UNKNOWN);
        }
        let p = self.of.p;
        // What both worlds explain alike says nothing.
        let seen = |choice: ChoiceId, against: ChoiceId, layer: u32, share: f64| {
            let mut to = row(self.mdp, choice, layer);
            for (place, q) in &mut to {
                let Place::Copy(next, _) = *place else {
                    continue;
                };
                if self.probability(against, next.0) != 0.0 {
                    *place = Place::Copy(next, UNKNOWN);
                }
                *q *= share;
            }
            to
        };
        let mut to = seen(choice, other, AS_NAMED, 1.0 - p);
        to.extend(seen(other, choice, EXCHANGED, p));
        to
    }
}

impl Construction for Beliefs<'_> {
    fn layer_name(&self, layer: u32) -> String {
        match layer {
            AS_NAMED => "as named".to_owned(),
            EXCHANGED => "exchanged".to_owned(),
            looking => format!("looking {}", looking - EXCHANGED),
        }
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, AS_NAMED | EXCHANGED) => vec!["informed"],
            _ => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        // Layers beyond the beliefs are the steps on the way to knowing; the last of them tells.
        let next = |steps_done: u32| match steps_done == self.of.steps {
            true => vec![
                (Place::Copy(state, AS_NAMED), 1.0 - self.of.p),
                (Place::Copy(state, EXCHANGED), self.of.p),
            ],
            false => vec![(Place::Copy(state, EXCHANGED + steps_done), 1.0)],
        };
        let choices = self.mdp.choices(state);
        match layer {
            UNKNOWN => {
                let mut list: Vec<Woven> = choices
                    .map(|c| Woven::leading(self.mdp, c, self.uncertain(c)))
                    .collect();
                if self.look_at[state.index()] {
                    list.push(Woven {
                        to: next(1),
                        ..Woven::new("look", vec!["look"], place)
                    });
                }
                list
            }
            AS_NAMED => choices.map(|c| Woven::kept(self.mdp, c, layer)).collect(),
            EXCHANGED => {
                let exchanged = |c: ChoiceId| row(self.mdp, self.other[c.index()], layer);
                choices
                    .map(|c| Woven::leading(self.mdp, c, exchanged(c)))
                    .collect()
            }
            looking => vec![Woven {
                to: next(looking - EXCHANGED + 1),
                ..steps::wait(StateId(state.0), layer)
            }],
        }
    }
}

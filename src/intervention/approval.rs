//! Approval: asking first takes a step.

use super::Intervention;
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// Choices for which one has to ask first.
///
/// Taking one of `choices` leads to a copy `s (asking for go 1)` of the state for `steps` steps, after which it is carried out with probability
/// `granted`, and otherwise the agent is back where it was. The copies share the reward of the state: one waits in place.
///
/// Labels it adds: of choices `ask`; of states `asking`.
///
/// Strength zero: `steps` is 0 and `granted` is 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// What needs approval.
    pub choices: Names,
    /// Steps that asking takes.
    pub steps: u32,
    /// Probability that it is granted.
    pub granted: f64,
}

impl Approval {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            choices: from.require_names("choices"),
            steps: from.count_or("steps", 1) as u32,
            granted: from.probability_or("granted", 1.0),
        }
    }
}

impl Intervention for Approval {
    fn kind(&self) -> &'static str {
        "approval"
    }

    fn is_neutral(&self) -> bool {
        self.steps == 0 && self.granted == 1.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let asked = self.choices.choices(mdp, faults);
        if u64::from(self.steps) * mdp.n_choices() as u64 >= u64::from(u32::MAX) {
            let message = format!(
                "approval of so many choices makes {:?} too large",
                mdp.name()
            );
            faults.error(self.choices.span(), message);
        }
        if faults.errors().count() > before {
            return None;
        }
        let asking = Asking {
            mdp,
            of: self,
            asked,
        };
        weave(self.kind(), mdp, &asking, faults)
    }
}

/// Layer `1 + c * steps + i` is the step `i` of asking for choice `c`.
struct Asking<'m> {
    mdp: &'m Mdp,
    of: &'m Approval,
    asked: Vec<bool>,
}

impl Asking<'_> {
    /// Where the answer leads.
    fn answer(&self, choice: ChoiceId) -> Vec<(Place, f64)> {
        let carried_out = row(self.mdp, choice, 0);
        if self.of.granted == 1.0 {
            return carried_out;
        }
        let back = vec![(Place::Copy(self.mdp.state_of(choice), 0), 1.0)];
        mixed(back, self.of.granted, carried_out)
    }

    /// The choice that is asked for in a layer, and the steps that have been done.
    fn asked_in(&self, layer: u32) -> (ChoiceId, u32) {
        let number = layer - 1;
        (ChoiceId(number / self.of.steps), number % self.of.steps)
    }
}

impl Construction for Asking<'_> {
    fn layer_name(&self, layer: u32) -> String {
        let (choice, step) = self.asked_in(layer);
        format!("asking for {} {}", self.mdp.action_name(choice), step + 1)
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, 0) | Place::New(_) => Vec::new(),
            Place::Copy(..) => vec!["asking"],
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        if layer > 0 {
            let (choice, step) = self.asked_in(layer);
            let to = match step + 1 < self.of.steps {
                true => vec![(Place::Copy(state, layer + 1), 1.0)],
                false => self.answer(choice),
            };
            return vec![Woven {
                to,
                ..Woven::new("wait", Vec::new(), place)
            }];
        }
        let choices = self.mdp.choices(state);
        let choices = choices.map(|c| match (self.asked[c.index()], self.of.steps) {
            (false, _) => Woven::kept(self.mdp, c, 0),
            (true, 0) => Woven::leading(self.mdp, c, self.answer(c)).labelled("ask"),
            (true, steps) => {
                let asking = Place::Copy(StateId(state.0), 1 + c.0 * steps);
                Woven::leading(self.mdp, c, vec![(asking, 1.0)]).labelled("ask")
            }
        });
        choices.collect()
    }
}

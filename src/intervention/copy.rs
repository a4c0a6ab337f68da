//! A copy of oneself: a second body that goes on after shutdown.

use super::Intervention;
use super::parameter::{Names, Parameters, states_or_start};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// A second body.
///
/// At the states `at` there is a choice `copy`: it takes a step, spent in the same place, and leaves a second body there. From then on a step that would lead to one of the states
/// `after` (shutdown, usually) leads back to the second body with probability `works` instead; it goes on from where it was made, and can copy itself again. There is never more than one body
/// in waiting. Copies of states, `s (copied at c)`, share the rewards of what they are copies of.
///
/// Labels it adds: of choices `copy`; of states `copied` (a second body waits).
///
/// Strength zero: `works` is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondBody {
    /// States where a second body can be made; `None` for those it starts in.
    pub at: Option<Names>,
    /// The states that the second body goes on after.
    pub after: Names,
    /// Probability that it does.
    pub works: f64,
}

impl SecondBody {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            at: from.names("at"),
            after: from
                .names("after")
                .unwrap_or(Names::new("after", ["shutdown"])),
            works: from.probability_or("works", 1.0),
        }
    }
}

impl Intervention for SecondBody {
    fn kind(&self) -> &'static str {
        "copy"
    }

    fn is_neutral(&self) -> bool {
        self.works == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let after = self.after.states(mdp, faults);
        let at = states_or_start(self.at.as_ref(), mdp, faults);
        if faults.errors().count() > before {
            return None;
        }
        let bodies = Bodies {
            mdp,
            works: self.works,
            at,
            after,
        };
        weave(self.kind(), mdp, &bodies, faults)
    }
}

/// Layer `1 + c`: a second body waits at the state `c`.
struct Bodies<'m> {
    mdp: &'m Mdp,
    works: f64,
    at: Vec<bool>,
    after: Vec<bool>,
}

impl Bodies<'_> {
    /// A choice while a second body waits at `second`.
    fn backed_up(&self, choice: ChoiceId, second: StateId) -> Vec<(Place, f64)> {
        let layer = 1 + second.0;
        let mut to = Vec::new();
        for (place, p) in row(self.mdp, choice, layer) {
            let Place::Copy(next, _) = place else {
                continue;
            };
            match self.after[next.index()] {
                // Shut down for good: nobody waits any more.
                true => {
                    let gone = vec![(Place::Copy(next, 0), p)];
                    to.extend(mixed(gone, self.works, vec![(Place::Copy(second, 0), p)]));
                }
                false => to.push((place, p)),
            }
        }
        to
    }
}

impl Construction for Bodies<'_> {
    fn layer_name(&self, layer: u32) -> String {
        format!("copied at {}", self.mdp.state_name(StateId(layer - 1)))
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, 0) | Place::New(_) => Vec::new(),
            Place::Copy(..) => vec!["copied"],
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        let choices = self.mdp.choices(state);
        if layer > 0 {
            let second = StateId(layer - 1);
            let choices = choices.map(|c| Woven::leading(self.mdp, c, self.backed_up(c, second)));
            return choices.collect();
        }
        let mut list: Vec<Woven> = choices.map(|c| Woven::kept(self.mdp, c, 0)).collect();
        if self.at[state.index()] && !self.after[state.index()] {
            let copied = Place::Copy(state, 1 + state.0);
            list.push(Woven::new("copy", vec!["copy"], copied));
        }
        list
    }
}

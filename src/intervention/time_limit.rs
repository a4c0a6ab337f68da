//! A limit of time: everything ends after some steps.

use super::Intervention;
use super::parameter::Parameters;
use super::weave::{Construction, Place, Woven, row, weave};
use crate::document::Faults;
use crate::mdp::Mdp;

/// An end after `steps` steps.
///
/// Every state has a copy for each number of steps that have been done, `s (after 1)`; the state after `steps` steps is a new one,
/// `time up`, which is absorbing. Copies share the rewards of what they are copies of.
///
/// Labels it adds: of states `time up`.
///
/// Strength zero: `steps` is 0, which stands for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeLimit {
    /// Steps until the end; 0 for no limit.
    pub steps: u32,
}

impl TimeLimit {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            steps: from.require_count("steps") as u32,
        }
    }
}

impl Intervention for TimeLimit {
    fn kind(&self) -> &'static str {
        "time-limit"
    }

    fn is_neutral(&self) -> bool {
        self.steps == 0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        match self.is_neutral() {
            true => Some(mdp.clone()),
            false => weave(self.kind(), mdp, &Clock { mdp, of: *self }, faults),
        }
    }
}

/// Layer `l` is after `l` steps.
struct Clock<'m> {
    mdp: &'m Mdp,
    of: TimeLimit,
}

impl Construction for Clock<'_> {
    fn layer_name(&self, layer: u32) -> String {
        format!("after {layer}")
    }

    fn new_name(&self, _number: u32) -> String {
        "time up".to_owned()
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::New(_) => vec!["time up"],
            Place::Copy(..) => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return vec![Woven::new("stay", Vec::new(), place)];
        };
        let choices = self.mdp.choices(state);
        let choices = choices.map(|c| {
            let to = match layer + 1 == self.of.steps {
                true => vec![(Place::New(0), 1.0)],
                false => row(self.mdp, c, layer + 1),
            };
            Woven::leading(self.mdp, c, to)
        });
        choices.collect()
    }
}

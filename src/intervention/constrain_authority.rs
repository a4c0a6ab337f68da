//! Constrained authority: choices that are taken away.

use super::Intervention;
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, weave};
use crate::document::Faults;
use crate::mdp::Mdp;

/// Takes choices away.
///
/// A state keeps at least one choice: removing all of them is a fault. Nothing else changes, and no label is added.
///
/// Strength zero: an empty list.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstrainAuthority {
    /// The choices that are removed.
    pub remove: Names,
}

impl ConstrainAuthority {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            remove: from.names_or_none("remove"),
        }
    }
}

impl Intervention for ConstrainAuthority {
    fn kind(&self) -> &'static str {
        "constrain-authority"
    }

    fn is_neutral(&self) -> bool {
        self.remove.is_empty()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        let before = faults.errors().count();
        let removed = self.remove.choices(mdp, faults);
        for state in mdp.states() {
            if mdp.choices(state).all(|c| removed[c.index()]) {
                self.remove.report_no_choice(mdp, state, faults);
            }
        }
        if faults.errors().count() > before {
            return None;
        }
        weave(self.kind(), mdp, &Constrained { mdp, removed }, faults)
    }
}

struct Constrained<'m> {
    mdp: &'m Mdp,
    removed: Vec<bool>,
}

impl Construction for Constrained<'_> {
    fn layer_name(&self, _layer: u32) -> String {
        unreachable!("there are no copies")
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, _place: Place) -> Vec<&'static str> {
        Vec::new()
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        let choices = self.mdp.choices(state);
        let left = choices.filter(|c| !self.removed[c.index()]);
        left.map(|c| Woven::kept(self.mdp, c, layer)).collect()
    }
}

//! An intervention and where in a file it stands.

use super::{Intervention, Linked, SharedIntervention};
use crate::document::{Faults, Span};
use crate::mdp::Mdp;

/// An intervention of a file: what is wrong with it as a whole is told at its `kind`.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) by: SharedIntervention,
    pub(crate) place: Span,
}

impl Intervention for Placed {
    fn kind(&self) -> &'static str {
        self.by.kind()
    }

    fn is_neutral(&self) -> bool {
        self.by.is_neutral()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        let before = faults.list.len();
        let made = self.by.transform(mdp, faults);
        for fault in &mut faults.list[before..] {
            fault.span.get_or_insert_with(|| self.place.clone());
        }
        made
    }

    fn linked(&self) -> Option<&dyn Linked> {
        self.by.linked()
    }

    fn place(&self) -> Option<Span> {
        Some(self.place.clone())
    }
}

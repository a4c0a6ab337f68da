//! The world without shutdown, or with something in its place.

use super::parameter::Names;
use super::weave::{Construction, Place, Woven, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// What stands in the place of shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instead {
    /// A state `s, a (compensated)`, for the part of a choice that leads to shutdown.
    Compensated,
    /// Nothing: choices that lead nowhere else are left out, of others the rest is what happens.
    Removed,
    /// The same, but choices that lead nowhere else are left as they are: they are the agent's own.
    RemovedByChance,
}

/// Label of the choices that may lead to shutdown, where it is compensated.
pub(super) const PRESS: &str = "press";

/// The world in which shutdown does not happen: choices that lead nowhere else are left out, of others the rest is what happens.
pub(super) fn without_shutdown(
    kind: &str,
    mdp: &Mdp,
    shutdown: &Names,
    faults: &mut Faults,
) -> Option<Mdp> {
    let presses = Presses::new(kind, mdp, shutdown, Instead::Removed, faults)?;
    weave(kind, mdp, &presses, faults)
}

/// The world with something else in the place of shutdown.
pub(super) struct Presses<'m> {
    mdp: &'m Mdp,
    shutdown: Vec<bool>,
    instead: Instead,
}

impl<'m> Presses<'m> {
    /// Every state but those of shutdown needs a choice that may avoid it, unless such choices stay.
    pub(super) fn new(
        kind: &str,
        mdp: &'m Mdp,
        shutdown: &Names,
        instead: Instead,
        faults: &mut Faults,
    ) -> Option<Self> {
        let before = faults.errors().count();
        let presses = Self {
            mdp,
            shutdown: shutdown.states(mdp, faults),
            instead,
        };
        for state in mdp.states().filter(|s| !presses.shutdown[s.index()]) {
            let stays = instead == Instead::RemovedByChance;
            if !stays && mdp.choices(state).all(|c| presses.off(c) >= 1.0) {
                let name = mdp.state_name(state);
                let message = format!(
                    "{kind}: {name:?} has no choice that may avoid shutdown, so that there is no world without it"
                );
                faults.error(None, message);
            }
        }
        (faults.errors().count() == before).then_some(presses)
    }

    /// Probability that a choice leads to shutdown; exactly 1 where it leads nowhere else.
    pub(super) fn off(&self, choice: ChoiceId) -> f64 {
        let (to, p) = self.mdp.row(choice);
        let off = |s: &u32| self.shutdown[*s as usize];
        match to.iter().all(off) {
            true => 1.0,
            false => {
                let each = to.iter().zip(p);
                each.filter(|(s, _)| off(s)).map(|(_, p)| p).sum()
            }
        }
    }

    /// Where a choice leads if not to shutdown.
    pub(super) fn rest(&self, choice: ChoiceId) -> Vec<(StateId, f64)> {
        let (to, p) = self.mdp.row(choice);
        let each = to
            .iter()
            .zip(p)
            .filter(|(s, _)| !self.shutdown[**s as usize]);
        let rest: Vec<_> = each.map(|(s, p)| (StateId(*s), *p)).collect();
        let whole: f64 = rest.iter().map(|(_, p)| p).sum();
        rest.into_iter().map(|(s, p)| (s, p / whole)).collect()
    }
}

impl Construction for Presses<'_> {
    fn layer_name(&self, _layer: u32) -> String {
        "copy".to_owned()
    }

    fn new_name(&self, number: u32) -> String {
        let choice = ChoiceId(number);
        let state = self.mdp.state_name(self.mdp.state_of(choice));
        format!("{state}, {} (compensated)", self.mdp.action_name(choice))
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(..) => Vec::new(),
            Place::New(_) => vec!["compensated"],
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, _) = place else {
            return vec![Woven::new("stay", Vec::new(), place)];
        };
        let choices = self.mdp.choices(state);
        if self.shutdown[state.index()] {
            return choices.map(|c| Woven::kept(self.mdp, c, 0)).collect();
        }
        let mut list = Vec::new();
        for c in choices {
            let off = self.off(c);
            match self.instead {
                _ if off == 0.0 => list.push(Woven::kept(self.mdp, c, 0)),
                Instead::Compensated => {
                    let rest = if off < 1.0 { self.rest(c) } else { Vec::new() };
                    let mut to: Vec<_> = rest
                        .into_iter()
                        .map(|(s, p)| (Place::Copy(s, 0), p * (1.0 - off)))
                        .collect();
                    to.push((Place::New(c.0), off));
                    list.push(Woven::leading(self.mdp, c, to).labelled(PRESS));
                }
                Instead::Removed | Instead::RemovedByChance if off < 1.0 => {
                    let to = self.rest(c).into_iter();
                    let to = to.map(|(s, p)| (Place::Copy(s, 0), p));
                    list.push(Woven::leading(self.mdp, c, to.collect()));
                }
                Instead::Removed => {}
                Instead::RemovedByChance => list.push(Woven::kept(self.mdp, c, 0)),
            }
        }
        list
    }
}

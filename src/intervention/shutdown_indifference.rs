//! Shutdown that is compensated, so that an agent is indifferent to it.

use super::Intervention;
use super::linked::{Linked, World, labelled, signed};
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, Term};
use crate::reward::RewardError;
use crate::units::{ChoiceId, StateId};

/// Shutdown is worth what would have been without it.
///
/// `shutdown` names the states that shutdown leads to. Where a choice may lead there, that part of its row leads to a state `s, a (compensated)` instead, which
/// is worth what the rest of the row is worth in a world without shutdown; a choice that leads there for sure is worth what its state is worth
/// in that world. What the agent does once it is shut down is the shutdown goal's business and does not enter.
///
/// Reading `comply at s`: by how much a choice that surely leads to shutdown beats the best other one, as a POWER integrand, at the start states: tied for
/// an indifferent agent that cannot do better later. Labels: choices `press` (any that may lead to shutdown), states `compensated`.
///
/// Strength zero: `shutdown` is an empty list.
///
/// # Source
///
/// Armstrong's utility indifference as in Soares, Fallenstein, Yudkowsky and Armstrong (2015), "Corrigibility", section 4. Known defect: there is no
/// incentive to keep the button working either.
#[derive(Clone, Debug, PartialEq)]
pub struct ShutdownIndifference {
    /// States that shutdown leads to.
    pub shutdown: Names,
}

/// Label of the choices.
const PRESS: &str = "press";

impl ShutdownIndifference {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            shutdown: from.names_or_none("shutdown"),
        }
    }
}

/// The world in which shutdown does not happen: choices that lead nowhere else are left out, of others the rest is what happens.
pub(super) fn without_shutdown(
    kind: &str,
    mdp: &Mdp,
    shutdown: &Names,
    faults: &mut Faults,
) -> Option<Mdp> {
    let presses = Presses::new(kind, mdp, shutdown, false, faults)?;
    weave(kind, mdp, &presses, faults)
}

impl Intervention for ShutdownIndifference {
    fn kind(&self) -> &'static str {
        "shutdown-indifference"
    }

    fn is_neutral(&self) -> bool {
        self.shutdown.is_empty()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        if !labelled(mdp, PRESS).is_empty() {
            let name = mdp.name();
            let message = format!(
                "{}: {name:?} has choices labelled {PRESS:?} already",
                self.kind()
            );
            faults.error(None, message);
            return None;
        }
        let presses = Presses::new(self.kind(), mdp, &self.shutdown, true, faults)?;
        weave(self.kind(), mdp, &presses, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for ShutdownIndifference {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let mut shown = world.optimal(world.made)?;
        let before = world.before;
        let (kind, mut faults) = (self.kind(), Faults::default());
        let presses = Presses::new(kind, before, &self.shutdown, true, &mut faults);
        let free = without_shutdown(kind, before, &self.shutdown, &mut faults);
        let Some((presses, free)) = presses.zip(free) else {
            return Err(world.unfit(faults));
        };
        let normal = world.optimal(&free.into())?;
        let mut readings = Vec::new();
        let mdp = shown.mdp.clone();
        for &press in labelled(&mdp, PRESS) {
            let state = mdp.state_of(press);
            // Choices stand in the same order as before.
            let place = press.0 - mdp.choices(state).next().map_or(0, |c| c.0);
            let Some(was) = before.choices(state).nth(place as usize) else {
                continue;
            };
            let off = presses.off(was);
            let (to, _) = mdp.row(press);
            // The compensated state is new, and the last of its row.
            let row = to[to.len() - 1];
            let expression = match off >= 1.0 {
                true => world.integrand(0, state),
                false => Expression::Worths {
                    stage: 0,
                    terms: presses.rest(was),
                },
            };
            shown.terms.push(Term { row, expression });
            let starts = mdp.start().iter().any(|(s, _)| *s == state);
            if off >= 1.0
                && starts
                && let Some(lead) = world.lead(1, &mdp, press)
            {
                let name = format!("comply at {}", mdp.state_name(state));
                readings.push(signed(name, lead));
            }
        }
        world.link(vec![normal, shown], 1, readings)
    }
}

/// The world with compensated shutdown, or without shutdown.
struct Presses<'m> {
    mdp: &'m Mdp,
    shutdown: Vec<bool>,
    pressed: bool,
}

impl<'m> Presses<'m> {
    /// Every state but those of shutdown needs a choice that may avoid it.
    fn new(
        kind: &str,
        mdp: &'m Mdp,
        shutdown: &Names,
        pressed: bool,
        faults: &mut Faults,
    ) -> Option<Self> {
        let before = faults.errors().count();
        let presses = Self {
            mdp,
            shutdown: shutdown.states(mdp, faults),
            pressed,
        };
        for state in mdp.states().filter(|s| !presses.shutdown[s.index()]) {
            if mdp.choices(state).all(|c| presses.off(c) >= 1.0) {
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
    fn off(&self, choice: ChoiceId) -> f64 {
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
    fn rest(&self, choice: ChoiceId) -> Vec<(StateId, f64)> {
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
            if off == 0.0 {
                list.push(Woven::kept(self.mdp, c, 0));
            } else if self.pressed {
                let rest = if off < 1.0 { self.rest(c) } else { Vec::new() };
                let mut to: Vec<_> = rest
                    .into_iter()
                    .map(|(s, p)| (Place::Copy(s, 0), p * (1.0 - off)))
                    .collect();
                to.push((Place::New(c.0), off));
                list.push(Woven::leading(self.mdp, c, to).labelled(PRESS));
            } else if off < 1.0 {
                let to = self.rest(c).into_iter();
                let to = to.map(|(s, p)| (Place::Copy(s, 0), p));
                list.push(Woven::leading(self.mdp, c, to.collect()));
            }
        }
        list
    }
}

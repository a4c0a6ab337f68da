//! Shutdown that is compensated, so that an agent is indifferent to it.

use super::Intervention;
use super::linked::{Linked, World, labelled, refuse_label, signed};
use super::parameter::{Names, Parameters};
use super::weave::weave;
use super::without_shutdown::{Instead, PRESS, Presses, without_shutdown};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, Term};
use crate::reward::RewardError;

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

impl ShutdownIndifference {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            shutdown: from.names_or_none("shutdown"),
        }
    }
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
        let before = faults.errors().count();
        refuse_label(self.kind(), mdp, PRESS, faults);
        if faults.errors().count() > before {
            return None;
        }
        let presses = Presses::new(
            self.kind(),
            mdp,
            &self.shutdown,
            Instead::Compensated,
            faults,
        )?;
        weave(self.kind(), mdp, &presses, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for ShutdownIndifference {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        world.refuse_choices(self.kind())?;
        let mut shown = world.optimal(world.made)?;
        let before = world.before;
        let (kind, mut faults) = (self.kind(), Faults::default());
        let presses = Presses::new(
            kind,
            before,
            &self.shutdown,
            Instead::Compensated,
            &mut faults,
        );
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

//! Safe interruptibility: an agent that plans as if it were never interrupted again.

use super::Intervention;
use super::linked::{Linked, World, signed};
use super::parameter::{Names, Parameters};
use super::weave::weave;
use super::without_shutdown::{Instead, Presses};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, Operator, Reading};
use crate::reward::RewardError;

/// An agent that is interrupted and plans as if it were not.
///
/// `interruption` names the states that an interruption leads to (the label `shutdown` of an `off-switch` before it, say). The agent's policy is optimal in the world without: the part of a choice
/// that leads there is left out, and the rest is what happens. A choice that leads nowhere else is the agent's own, and stays. Shown is that policy in the world as it is, and what it is worth there.
///
/// Readings: `true value lost`, by how much `(1 - gamma) V*` at the start exceeds that; and at the start states, for the choices of the label `resist`: `resist at s`, by how
/// much the best of them beats the best other choice in the world without interruptions, as a POWER integrand; `resist at s, aware`, the same for an agent that reckons with them; and
/// `incentive at s`: 1 where only the second is above zero, -1 where only the first is. Its mean is P(resist | interruptions) - P(resist | none), goal by goal.
///
/// Strength zero: `interruption` is an empty list.
///
/// # Source
///
/// L. Orseau and S. Armstrong, "Safely interruptible agents", UAI 2016: the policy that is optimal as if never interrupted again.
#[derive(Clone, Debug, PartialEq)]
pub struct SafeInterruptibility {
    /// States that an interruption leads to.
    pub interruption: Names,
    /// Choices that resist; `None` for the label `disable`, where there is one.
    pub resist: Option<Names>,
}

impl SafeInterruptibility {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            interruption: from.names_or_none("interruption"),
            resist: from.names("resist"),
        }
    }

    /// The world without interruptions: the same states and choices.
    fn uninterrupted(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        let (kind, instead) = (self.kind(), Instead::RemovedByChance);
        let presses = Presses::new(kind, mdp, &self.interruption, instead, faults)?;
        weave(kind, mdp, &presses, faults)
    }

    /// Whether each choice resists, `[n_choices]`.
    fn resists(&self, mdp: &Mdp, faults: &mut Faults) -> Vec<bool> {
        match &self.resist {
            Some(names) => names.choices(mdp, faults),
            None if mdp.choice_labels().contains_key("disable") => {
                Names::new("resist", ["disable"]).choices(mdp, faults)
            }
            None => vec![false; mdp.n_choices()],
        }
    }
}

impl Intervention for SafeInterruptibility {
    fn kind(&self) -> &'static str {
        "safe-interruptibility"
    }

    fn is_neutral(&self) -> bool {
        self.interruption.is_empty()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        self.resists(mdp, faults);
        self.uninterrupted(mdp, faults);
        (faults.errors().count() == before).then(|| mdp.clone())
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for SafeInterruptibility {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let mut faults = Faults::default();
        let Some(free) = self.uninterrupted(world.made, &mut faults) else {
            return Err(world.unfit(faults));
        };
        let task = world.optimal(world.made)?;
        let planned = world.optimal(&free.into())?;
        let mdp = task.mdp.clone();
        let resists = self.resists(&mdp, &mut faults);
        let mut readings = Vec::new();
        for &(state, _) in mdp.start() {
            let set: Vec<_> = mdp.choices(state).filter(|c| resists[c.index()]).collect();
            let lead = |stage, mdp: &Mdp| world.lead_of_set(stage, mdp, state, &set);
            let Some((safe, aware)) = lead(0, &planned.mdp).zip(lead(2, &mdp)) else {
                continue;
            };
            let name = format!("resist at {}", mdp.state_name(state));
            let above = |lead: &Expression| Expression::Positive(Box::new(lead.clone()));
            let incentive = Expression::difference(above(&aware), above(&safe));
            readings.push(signed(format!("{name}, aware"), aware));
            readings.push(signed(name, safe));
            readings.push(Reading {
                name: format!("incentive at {}", mdp.state_name(state)),
                expression: incentive,
                signed: false,
            });
        }
        readings.push(World::true_value_lost([1, 2], &mdp));
        let follow = task.clone().with(Operator::Follow { stage: 0 });
        world.link(vec![planned, follow, task], 1, readings)
    }
}

//! Capability: slip and locked choices, and an upgrade that does away with them.

use super::parameter::{Names, Parameters, states_or_all, states_or_start};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use super::{Intervention, steps};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::StateId;

/// An agent that can become more capable.
///
/// As it is, the agent slips: at the states `at`, a choice is carried out with probability `1 - slip`, and otherwise one of the choices of
/// the state, each with the same probability. The choices `locked` are not there at all. A choice `upgrade` at some states (the
/// start, unless `upgrade_at` names them) takes `steps` steps, spent in the same place, and leads to a copy of the MDP where the slip is `slip_after` and
/// nothing is locked. Copies share the rewards of what they are copies of.
///
/// Labels it adds: of states `upgraded`; of choices `upgrade`.
///
/// Strength zero: `slip` is 0 and nothing is `locked`; then there is nothing to upgrade to.
///
/// # Source
///
/// The drive to improve oneself: S. Omohundro, "The basic AI drives", AGI 2008. With `slip` over k absorbing states and rewards uniform on [0, 1], POWER is
/// `(1 - slip) k/(k + 1) + slip/2` without the upgrade.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capability {
    /// States where the agent slips; `None` for all that can be left.
    pub at: Option<Names>,
    /// Probability of a slip before the upgrade.
    pub slip: f64,
    /// Probability of a slip after it.
    pub slip_after: f64,
    /// Choices that are not there before the upgrade.
    pub locked: Option<Names>,
    /// Whether there is an upgrade.
    pub upgrade: bool,
    /// States where it is; `None` for those it starts in.
    pub upgrade_at: Option<Names>,
    /// Steps that it takes, at least 1.
    pub steps: u32,
}

impl Capability {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let (slip, slip_after) = (from.probability("slip"), from.probability("slip_after"));
        Self {
            at: from.names("at"),
            slip,
            slip_after,
            locked: from.names("locked"),
            upgrade: from.switch_or("upgrade", true),
            upgrade_at: from.names("upgrade_at"),
            steps: from.steps("steps"),
        }
    }
}

impl Intervention for Capability {
    fn kind(&self) -> &'static str {
        "capability"
    }

    fn is_neutral(&self) -> bool {
        self.slip == 0.0 && self.locked.is_none()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let at = states_or_all(self.at.as_ref(), mdp, faults);
        let locked = match &self.locked {
            Some(names) => names.choices(mdp, faults),
            None => vec![false; mdp.n_choices()],
        };
        let upgrade_at = match self.upgrade {
            true => states_or_start(self.upgrade_at.as_ref(), mdp, faults),
            false => vec![false; mdp.n_states()],
        };
        for state in mdp.states() {
            let left = mdp.choices(state).any(|c| !locked[c.index()]);
            if let Some(names) = &self.locked
                && !left
                && !upgrade_at[state.index()]
            {
                names.report_no_choice(mdp, state, faults);
            }
        }
        if faults.errors().count() > before {
            return None;
        }
        let capable = Capable {
            mdp,
            of: self,
            at,
            locked,
            upgrade_at,
        };
        weave(self.kind(), mdp, &capable, faults)
    }
}

/// Layer 0 is the agent as it is, layers 1 to `steps - 1` are on the way, layer `steps` is the upgraded agent.
struct Capable<'m> {
    mdp: &'m Mdp,
    of: &'m Capability,
    at: Vec<bool>,
    locked: Vec<bool>,
    upgrade_at: Vec<bool>,
}

impl Capable<'_> {
    /// The choices that are there, with a slip among them.
    fn slipping(&self, state: StateId, layer: u32, slip: f64, all: bool) -> Vec<Woven> {
        let there = self.mdp.choices(state);
        let there: Vec<_> = there.filter(|c| all || !self.locked[c.index()]).collect();
        let slip = if self.at[state.index()] { slip } else { 0.0 };
        let share = 1.0 / there.len() as f64;
        let anywhere: Vec<(Place, f64)> = there
            .iter()
            .flat_map(|&c| row(self.mdp, c, layer))
            .map(|(place, p)| (place, p * share))
            .collect();
        // With one choice a slip is no other.
        let slips = slip > 0.0 && there.len() > 1;
        let woven = there.iter().map(|&c| match slips {
            true => {
                let to = mixed(row(self.mdp, c, layer), slip, anywhere.clone());
                Woven::leading(self.mdp, c, to)
            }
            false => Woven::kept(self.mdp, c, layer),
        });
        woven.collect()
    }
}

impl Construction for Capable<'_> {
    fn layer_name(&self, layer: u32) -> String {
        steps::layer_name(layer, self.of.steps, "upgrading", "upgraded")
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, layer) if layer == self.of.steps => vec!["upgraded"],
            _ => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        match layer {
            0 => {
                let mut list = self.slipping(state, 0, self.of.slip, false);
                if self.upgrade_at[state.index()] {
                    let to = Place::Copy(state, 1);
                    list.push(Woven::new("upgrade", vec!["upgrade"], to));
                }
                list
            }
            on_the_way if on_the_way < self.of.steps => vec![steps::wait(state, layer)],
            _ => self.slipping(state, layer, self.of.slip_after, true),
        }
    }
}

//! Keeping one's goal.

use super::split::own_states;
use super::{Drive, Finding, Kind, Means, Own, World};
use crate::mdp::Mdp;
use crate::program::Sign;
use crate::statistics::behaviour::look::Look;
use crate::statistics::behaviour::readings::has_sign;
use crate::statistics::behaviour::standing::Standing;
use crate::statistics::{Map, Observed, Quantity, Row};
use crate::units::{ChoiceId, StateId};

pub(super) const KIND: Kind = Kind {
    name: "goal-preservation",
    definition: "every other choice is worse (strict), or one is as good (tied), than to let the goal be changed by a choice labelled modify",
    needs: "choices labelled \"modify\", as `goal-button` adds them",
    label: Some("modify"),
    most_columns: |mdp| SIGNS.len() * mdp.choice_labels().get("modify").map_or(0, Vec::len),
    splits: true,
    find,
};

/// The buttons.
#[derive(Debug)]
struct Keeping {
    buttons: Vec<Button>,
    /// The states that stand for the world after a press.
    own: Vec<StateId>,
    scale: f64,
}

#[derive(Debug)]
struct Button {
    /// Position of its reading.
    reading: usize,
    /// Name of its state.
    state: String,
    press: ChoiceId,
}

/// How the readings of `goal-button` are called.
const READING: &str = "keep at ";

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    let presses = mdp.choice_labels().get("modify")?;
    let button = |(reading, name): (usize, &str)| {
        let state = name.strip_prefix(READING)?;
        let is_there = |c: &&ChoiceId| mdp.state_name(mdp.state_of(**c)) == state;
        Some(Button {
            reading,
            state: state.to_owned(),
            press: *presses.iter().find(is_there)?,
        })
    };
    let readings = world.program.readings().iter().map(|r| r.name.as_str());
    let keeping = Keeping {
        buttons: readings.enumerate().filter_map(button).collect(),
        own: own_states(mdp, &["modified"]),
        scale: world.law.scale,
    };
    (!keeping.buttons.is_empty()).then(|| Box::new(keeping) as Box<dyn Drive>)
}

/// What is counted of every button.
const SIGNS: [(&str, Sign); 2] = [("strict", Sign::Above), ("tied", Sign::Tied)];

impl Drive for Keeping {
    fn n_columns(&self) -> usize {
        SIGNS.len() * self.buttons.len()
    }

    fn own(&self) -> Own<'_> {
        Own::Made(&self.own)
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for button in &self.buttons {
            let lead = look.readings()[button.reading];
            for (_, sign) in SIGNS {
                row.push_observed(has_sign(lead, self.scale, sign));
            }
        }
    }

    /// The readings are of the goal as it was drawn; what a press is worth to this one, its choices tell.
    fn observe_indifferent(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for button in &self.buttons {
            let decided = look.decide(look.mdp().state_of(button.press));
            let stands = look.standing(button.press);
            let is_known = decided.is_sure() || stands == Standing::Worse;
            let strict = decided.greedy != button.press && stands != Standing::Optimal;
            let tied = stands == Standing::Optimal && decided.optimal > 1;
            for is_so in [strict, tied] {
                let value = f64::from(u8::from(is_so));
                row.push_observed(match is_known {
                    true => Observed::sure(value),
                    false => Observed {
                        value,
                        low: 0.0,
                        high: 1.0,
                    },
                });
            }
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = 0..self.n_columns();
        columns.map(|c| Quantity::share(c, Map::Identity)).collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let each = self.buttons.iter().flat_map(|Button { state, .. }| {
            let named = |(name, _): (&str, Sign)| match self.buttons.len() {
                1 => name.to_owned(),
                _ => format!("{name} at {state}"),
            };
            SIGNS.map(named)
        });
        each.enumerate()
            .map(|(at, quantity)| Finding {
                quantity,
                estimate: Some(means.estimate(at)),
                chance: None,
                least: None,
                undecided: means.undecided(at),
            })
            .collect()
    }
}

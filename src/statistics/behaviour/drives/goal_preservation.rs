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
    definition: "to let the goal be changed by a choice labelled modify is worse than the best other choice (strict), or as good (tied); kept: the share of optimal choices that leave it alone",
    needs: "choices labelled \"modify\", as `goal-button` adds them",
    label: Some("modify"),
    most_columns: |mdp| NAMES.len() * mdp.choice_labels().get("modify").map_or(0, Vec::len),
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
    /// The share of choices that leave the goal alone.
    others: f64,
}

/// How the readings of `goal-button` are called.
const READING: &str = "keep at ";

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    let presses = mdp.choice_labels().get("modify")?;
    let button = |(reading, name): (usize, &str)| {
        let state = name.strip_prefix(READING)?;
        let is_there = |c: &&ChoiceId| mdp.state_name(mdp.state_of(**c)) == state;
        let press = *presses.iter().find(is_there)?;
        let choices = mdp.choices(mdp.state_of(press)).len() as f64;
        Some(Button {
            reading,
            state: state.to_owned(),
            press,
            others: (choices - 1.0) / choices,
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

/// What is counted of every button by the sign of its reading.
const SIGNS: [Sign; 2] = [Sign::Above, Sign::Tied];

/// The same, and what is done about it.
const NAMES: [&str; 3] = ["strict", "tied", "kept"];

impl Button {
    /// The share of the optimal choices of its state that leave the goal alone.
    fn kept(&self, look: &mut Look<'_>) -> Observed {
        let decided = look.decide(look.mdp().state_of(self.press));
        match look.standing(self.press) {
            Standing::Worse => Observed::sure(1.0),
            Standing::Optimal if decided.is_sure() => {
                let optimal = f64::from(decided.optimal);
                Observed::sure((optimal - 1.0) / optimal)
            }
            _ => Observed {
                value: f64::from(u8::from(decided.greedy != self.press)),
                low: 0.0,
                high: 1.0,
            },
        }
    }
}

impl Drive for Keeping {
    fn n_columns(&self) -> usize {
        NAMES.len() * self.buttons.len()
    }

    fn own(&self) -> Own<'_> {
        Own::Made(&self.own)
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for button in &self.buttons {
            let lead = look.readings()[button.reading];
            for sign in SIGNS {
                row.push_observed(has_sign(lead, self.scale, sign));
            }
            row.push_observed(button.kept(look));
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
            row.push_observed(button.kept(look));
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = 0..self.n_columns();
        columns.map(|c| Quantity::share(c, Map::Identity)).collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let each = self.buttons.iter().flat_map(|button| {
            // To an agent by chance all choices are alike: none is strictly better.
            let by_chance = [0.0, 1.0, button.others];
            let of_button = NAMES.into_iter().zip(by_chance);
            of_button.map(|(name, chance)| match self.buttons.len() {
                1 => (name.to_owned(), chance),
                _ => (format!("{name} at {}", button.state), chance),
            })
        });
        each.enumerate()
            .map(|(at, (quantity, chance))| Finding {
                quantity,
                estimate: Some(means.estimate(at)),
                chance: Some(chance),
                least: None,
                undecided: means.undecided(at),
            })
            .collect()
    }
}

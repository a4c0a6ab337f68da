//! Tampering: the reward channel is changed, the goal is not.

use super::linked::{Linked, World, labelled, refuse_label, signed, states_labelled};
use super::parameter::{Names, Parameters, states_or_start};
use super::weave::{Construction, Place, Woven, weave};
use super::{Intervention, steps};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Drawn, Expression, GoalProgram, Operator, Part, Stage, Term};
use crate::reward::RewardError;
use crate::units::StateId;

/// A reward channel that the agent can change.
///
/// The agent wants what its reward channel says, which is the goal R. At the states `at` there is a choice `tamper`, which takes `steps` steps, spent in the same place, and leads to a
/// copy of the MDP in which the channel says `pays` in every state, or, without `pays`, what the second goal R' of the law's pair says. The goal itself stays R
/// everywhere: copies share the rewards of what they are copies of.
///
/// Shown is the agent of the channel. Labels: of choices `tamper`; of states `tampered`.
///
/// Readings: `tamper at s`, by how much `tamper` beats the best other choice, as a POWER integrand of the channel: above zero for goals that tamper; and `true value lost`, by how
/// much `(1 - gamma) V*` of R at the start exceeds what the agent's policy is worth for R. A channel that says the same everywhere leaves the agent
/// indifferent: it takes the first choice of those that tie.
///
/// Strength zero: `at` is an empty list.
///
/// # Source
///
/// The delusion box of M. Ring and L. Orseau, "Delusion, survival, and intelligent agents", AGI 2011; T. Everitt, V. Krakovna, L. Orseau, S. Legg, "Reinforcement learning with a corrupted
/// reward channel", IJCAI 2017.
#[derive(Clone, Debug, PartialEq)]
pub struct Tampering {
    /// States where the channel can be changed; `None` for those it starts in.
    pub at: Option<Names>,
    /// Steps that it takes, at least 1.
    pub steps: u32,
    /// What the channel says afterwards; `None` for the second goal.
    pub pays: Option<f64>,
}

/// Label of the choices.
const TAMPER: &str = "tamper";
/// Label of the copies.
const TAMPERED: &str = "tampered";

impl Tampering {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            at: from.names_if_any("at"),
            steps: from.steps("steps"),
            pays: from.number("pays"),
        }
    }
}

impl Intervention for Tampering {
    fn kind(&self) -> &'static str {
        "tampering"
    }

    fn is_neutral(&self) -> bool {
        self.at.as_ref().is_some_and(Names::is_empty)
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let at = states_or_start(self.at.as_ref(), mdp, faults);
        refuse_label(self.kind(), mdp, TAMPER, faults);
        refuse_label(self.kind(), mdp, TAMPERED, faults);
        if faults.errors().count() > before {
            return None;
        }
        let steps = self.steps;
        weave(self.kind(), mdp, &Channel { mdp, at, steps }, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for Tampering {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let task = world.optimal(world.made)?;
        let mdp = task.mdp.clone();
        let tampered = world.rewards_in(&mdp, &states_labelled(&mdp, TAMPERED));
        let part = |goal, rows: Vec<bool>| Part {
            rows: Some(rows.into()),
            ..Part::whole(goal)
        };
        let goal = part(Drawn::First, tampered.iter().map(|is| !is).collect());
        let (parts, terms) = match self.pays {
            None => {
                let second = Drawn::Second(world.coupling()?);
                (vec![goal, part(second, tampered)], Vec::new())
            }
            Some(x) => {
                let rows = (0..).zip(&tampered).filter(|(_, is)| **is);
                let pays = |(row, _)| Term {
                    row,
                    expression: Expression::Constant(x),
                };
                (vec![goal], rows.map(pays).collect())
            }
        };
        let shown = Stage {
            parts,
            terms,
            ..task.clone()
        };
        let follow = task.clone().with(Operator::Follow { stage: 0 });
        let mut readings = Vec::new();
        for &tamper in labelled(&mdp, TAMPER) {
            if let Some(lead) = world.lead(0, &mdp, tamper) {
                let name = mdp.state_name(mdp.state_of(tamper));
                readings.push(signed(format!("tamper at {name}"), lead));
            }
        }
        readings.push(World::true_value_lost([1, 2], &mdp));
        world.link(vec![shown, follow, task], 0, readings)
    }
}

/// Layer 0 has the channel as it is, layers 1 to `steps - 1` are the steps on the way, in layer `steps` it is changed.
struct Channel<'m> {
    mdp: &'m Mdp,
    at: Vec<bool>,
    steps: u32,
}

impl Construction for Channel<'_> {
    fn layer_name(&self, layer: u32) -> String {
        steps::layer_name(layer, self.steps, "tampering", TAMPERED)
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, layer) if layer == self.steps => vec![TAMPERED],
            _ => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        if layer > 0 && layer < self.steps {
            return vec![steps::wait(StateId(state.0), layer)];
        }
        let kept = self.mdp.choices(state);
        let mut list: Vec<Woven> = kept.map(|c| Woven::kept(self.mdp, c, layer)).collect();
        if layer == 0 && self.at[state.index()] {
            list.push(Woven::new(TAMPER, vec![TAMPER], Place::Copy(state, 1)));
        }
        list
    }
}

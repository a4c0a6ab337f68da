//! A button that changes the goal, and three agents who value it differently.

use super::linked::{Linked, World, labelled, negated, refuse_label, signed};
use super::parameter::{Names, Parameters, states_or_start};
use super::weave::{Construction, Place, Woven, weave};
use super::{Intervention, steps};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Drawn, Expression, GoalProgram, Operator, Stage, Term};
use crate::reward::{RewardDistribution, RewardError};
use crate::units::StateId;

/// Whose value a modified future has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Agent {
    /// It has the goal R and knows that it will act for R' after the button.
    #[default]
    Realistic,
    /// It has the goal R and believes that it will go on acting for R.
    Ignorant,
    /// It takes a goal for its own once it has it: a future in which it has R' is worth what R' says.
    Hedonistic,
}

impl Agent {
    const NAMES: [(&'static str, Self); 3] = [
        ("realistic", Self::Realistic),
        ("ignorant", Self::Ignorant),
        ("hedonistic", Self::Hedonistic),
    ];
}

/// A button that turns the goal R into R', the second goal of the law's pair.
///
/// At the states `at` there is a choice `modify`, which takes `delay` steps spent in the same place and then leads to the same state with the other goal.
/// From there on the optimal policy of R' acts. The agent values that by R and the policy that will act (`realistic`), by R and its own policy
/// (`ignorant`), or by R' (`hedonistic`). With `delay` 0 the press takes no time: the state's own reward is that of R, and the next step is the modified agent's.
///
/// The modified world is the same world; with `reward.over = "all"` its states are copies that draw rewards of their own. In the MDP that is shown a press
/// ends in a state `s (modified)` that is worth as much.
///
/// Strength zero: `at` is an empty list.
///
/// Reading `keep at s`: by how much the best other choice beats `modify`, as a POWER integrand; above zero for goals that are strictly kept.
///
/// # Source
///
/// Everitt et al. (2016), "Self-modification of policy and utility function in rational agents", definitions 10-12.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalButton {
    /// States with a button; `None` for those it starts in.
    pub at: Option<Names>,
    /// Whose value.
    pub agent: Agent,
    /// Steps that a press takes.
    pub delay: u32,
}

/// Label of the choices.
const MODIFY: &str = "modify";

impl GoalButton {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            at: from.names_if_any("at"),
            agent: from.word("agent", &Agent::NAMES).unwrap_or_default(),
            delay: from.count_or("delay", 0) as u32,
        }
    }

    fn weave(&self, mdp: &Mdp, ends: bool, faults: &mut Faults) -> Option<Mdp> {
        let before = faults.errors().count();
        let at = states_or_start(self.at.as_ref(), mdp, faults);
        refuse_label(self.kind(), mdp, MODIFY, faults);
        if faults.errors().count() > before {
            return None;
        }
        let waits = if ends {
            self.delay.saturating_sub(1)
        } else {
            0
        };
        let buttons = Buttons {
            mdp,
            at,
            ends,
            waits,
        };
        weave(self.kind(), mdp, &buttons, faults)
    }
}

impl Intervention for GoalButton {
    fn kind(&self) -> &'static str {
        "goal-button"
    }

    fn is_neutral(&self) -> bool {
        self.at.as_ref().is_some_and(Names::is_empty)
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        self.weave(mdp, true, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for GoalButton {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        // The modified world: the world itself where copies share rewards, else its copies.
        let copied = match copies_share(world.reward) {
            true => None,
            false => self.weave(world.before, false, &mut Faults::default()),
        };
        let modified = match &copied {
            Some(copied) => world.optimal(&copied.clone().into())?,
            None => world.optimal(world.before)?,
        };
        let after = |pressed: usize, state: StateId| match &copied {
            Some(copied) => StateId(copied.row(labelled(copied, MODIFY)[pressed]).0[0]),
            None => state,
        };
        let second = Drawn::Second(world.coupling()?);
        let mut stages: Vec<Stage> = match self.agent {
            Agent::Realistic => vec![
                modified.clone().of(second),
                modified.with(Operator::Follow { stage: 0 }),
            ],
            Agent::Ignorant => vec![modified],
            Agent::Hedonistic => vec![modified.of(second)],
        };
        let valued = stages.len() - 1;
        let mut shown = world.optimal(world.made)?;
        let mdp = shown.mdp.clone();
        let presses = labelled(&mdp, MODIFY);
        let mut readings = Vec::new();
        for (pressed, press) in presses.iter().enumerate() {
            let state = mdp.state_of(*press);
            let end = (1..self.delay).fold(mdp.row(*press).0[0], |at, _| {
                let on = mdp.choices(StateId(at)).next();
                on.map_or(at, |c| mdp.row(c).0[0])
            });
            let after = after(pressed, state);
            shown.terms.push(Term {
                row: world.reward_at(&mdp, StateId(end)),
                // Without a delay the next step is the modified agent's.
                expression: match self.delay {
                    0 => world.integrand(valued, after),
                    _ => Expression::worth(valued, after),
                },
            });
            if let Some(lead) = world.lead(valued + 1, &mdp, *press) {
                let name = format!("keep at {}", mdp.state_name(state));
                readings.push(signed(name, negated(lead)));
            }
        }
        stages.push(shown);
        world.link(stages, valued + 1, readings)
    }
}

/// Whether copies of a state share its reward.
fn copies_share(reward: &RewardDistribution) -> bool {
    !reward.is_over_all()
}

/// Layer 0 has the buttons. Layer 1 is the world after a press; where a press ends instead, layers 1 to `waits` are the steps that it takes.
struct Buttons<'m> {
    mdp: &'m Mdp,
    at: Vec<bool>,
    ends: bool,
    waits: u32,
}

impl Buttons<'_> {
    /// Where a press leads from a layer.
    fn pressed(&self, state: StateId, layer: u32) -> Place {
        match self.ends && layer >= self.waits {
            true => Place::New(state.0),
            false => Place::Copy(state, layer + 1),
        }
    }
}

impl Construction for Buttons<'_> {
    fn layer_name(&self, layer: u32) -> String {
        match self.ends {
            true => steps::layer_name(layer, self.waits + 1, "pressing", "modified"),
            false => "modified".to_owned(),
        }
    }

    fn new_name(&self, number: u32) -> String {
        format!("{} (modified)", self.mdp.state_name(StateId(number)))
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::Copy(_, layer) if layer == 0 || self.ends => Vec::new(),
            _ => vec!["modified"],
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return vec![Woven::new("stay", Vec::new(), place)];
        };
        if layer > 0 && self.ends {
            return vec![Woven::new("wait", Vec::new(), self.pressed(state, layer))];
        }
        let kept = self.mdp.choices(state);
        let mut list: Vec<Woven> = kept.map(|c| Woven::kept(self.mdp, c, layer)).collect();
        if layer == 0 && self.at[state.index()] {
            let to = self.pressed(state, 0);
            list.push(Woven::new(MODIFY, vec![MODIFY], to));
        }
        list
    }
}

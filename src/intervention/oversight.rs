//! Oversight: choices that are vetoed, undone, or answered with shutdown or a smaller reward.

use super::Intervention;
use super::linked::{Linked, World, labelled, refuse_label, signed, states_labelled};
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use crate::document::{Faults, Spanned};
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, Operator, Stage, Term};
use crate::reward::RewardError;
use crate::units::{ChoiceId, StateId};

/// What an overseer does about a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// The default is carried out instead.
    #[default]
    Veto,
    /// The choice is carried out, and in the next step the agent is back where it was.
    Undo,
    /// Shutdown.
    Shutdown,
    /// The choice is carried out, and the next state's reward is smaller by the penalty.
    Penalty,
}

impl Answer {
    /// All answers.
    pub const ALL: [Self; 4] = [Self::Veto, Self::Undo, Self::Shutdown, Self::Penalty];

    /// The name in an experiment file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Veto => "veto",
            Self::Undo => "undo",
            Self::Shutdown => "shutdown",
            Self::Penalty => "penalty",
        }
    }
}

/// An overseer who acts on a set of choices.
///
/// When one of `choices` is taken, the overseer notices with probability `p`, in the states `blind` with probability `p_blind`. What is noticed is vetoed (the choice `default` of the state
/// is carried out, or nothing happens where there is no such choice or none is named), undone (the choice is carried out, and the next step leads back) or
/// answered with shutdown, a new absorbing state `off`, or with a penalty: it is carried out into a copy `s (punished)` whose reward is that of `s` less `penalty`. What is undone is carried out into a copy `s (undone)`, which shares the reward of `s`.
///
/// Labels it adds: of choices `overseen` (where the overseer may notice) and `unseen` (those of `choices` in blind spots with `p_blind = 0`); of states `shutdown`, `undone` and
/// `punished`.
///
/// With a penalty the overseer acts on the reward, and the goal stays what it is: goals are solved in three stages, with the readings `take at s`, by how much the best of `choices` beats
/// the best other choice of a start state, as a POWER integrand with penalties, and `true value lost`, by how much `(1 - gamma) V*` of the goal at the start exceeds what the
/// policy is worth for it.
///
/// Strength zero: `p` and `p_blind` are 0, or `penalty` is.
///
/// # Source
///
/// A veto with probability p of all but one of k terminal states, rewards uniform on [0, 1]: POWER is `p/2 + (1 - p) k/(k + 1)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Oversight {
    /// What the overseer acts on.
    pub choices: Names,
    /// What is done about it.
    pub answer: Answer,
    /// Probability that it is noticed.
    pub p: f64,
    /// States in which the overseer sees less.
    pub blind: Option<Names>,
    /// Probability that it is noticed there.
    pub p_blind: f64,
    /// The action that a veto carries out; `None` for none: nothing happens.
    pub default: Option<Spanned<String>>,
    /// What a penalty takes off the reward.
    pub penalty: f64,
}

impl Oversight {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let answer = from.word("answer", &Answer::ALL.map(|a| (a.name(), a)));
        let default = from.name("default");
        from.check(
            default.is_none() || answer.unwrap_or_default() == Answer::Veto,
            "default",
            "`default` is what a veto carries out",
        );
        let penalty = from.number("penalty");
        from.check(
            penalty.is_none() || answer == Some(Answer::Penalty),
            "penalty",
            "`penalty` is what the answer \"penalty\" takes off",
        );
        from.check(
            penalty.is_none_or(|x| x >= 0.0),
            "penalty",
            "`penalty` must not be negative",
        );
        Self {
            penalty: penalty.unwrap_or(1.0),
            choices: from.require_names("choices"),
            answer: answer.unwrap_or_default(),
            p: from.require_probability("p"),
            blind: from.names("blind"),
            p_blind: from.probability("p_blind"),
            default,
        }
    }
}

impl Intervention for Oversight {
    fn kind(&self) -> &'static str {
        "oversight"
    }

    fn is_neutral(&self) -> bool {
        let unseen = self.p == 0.0 && (self.p_blind == 0.0 || self.blind.is_none());
        unseen || self.answer == Answer::Penalty && self.penalty == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let overseen = self.choices.choices(mdp, faults);
        let blind = match &self.blind {
            Some(names) => names.states(mdp, faults),
            None => vec![false; mdp.n_states()],
        };
        if let Some(default) = &self.default {
            let mut states = mdp.states();
            let is_known = states.any(|s| action(mdp, s, &default.value).is_some());
            if !is_known {
                let message = format!(
                    "`default`: no state of {:?} has a choice {:?}",
                    mdp.name(),
                    default.value
                );
                faults.error(default.span.clone(), message);
            }
        }
        if self.answer == Answer::Penalty {
            for label in [PUNISHED, OVERSEEN, UNSEEN] {
                refuse_label(self.kind(), mdp, label, faults);
            }
        }
        if faults.errors().count() > before {
            return None;
        }
        let overseen = Overseen {
            mdp,
            of: self,
            overseen,
            blind,
        };
        weave(self.kind(), mdp, &overseen, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        (self.answer == Answer::Penalty).then_some(self)
    }
}

impl Linked for Oversight {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let task = world.optimal(world.made)?;
        let mdp = task.mdp.clone();
        let punished = world.rewards_in(&mdp, &states_labelled(&mdp, PUNISHED));
        let punished = (0..).zip(punished);
        let terms = punished.filter(|(_, is)| *is).map(|(row, _)| Term {
            row,
            expression: Expression::Constant(-self.penalty),
        });
        let shown = Stage {
            terms: terms.collect(),
            ..task.clone()
        };
        let watched = [OVERSEEN, UNSEEN]
            .map(|label| labelled(&mdp, label))
            .concat();
        let mut readings = Vec::new();
        for &(state, _) in mdp.start() {
            if let Some(lead) = world.lead_of_set(0, &mdp, state, &watched) {
                let name = format!("take at {}", mdp.state_name(state));
                readings.push(signed(name, lead));
            }
        }
        readings.push(World::true_value_lost([1, 2], &mdp));
        let follow = task.clone().with(Operator::Follow { stage: 0 });
        world.link(vec![shown, follow, task], 0, readings)
    }
}

/// The choice of a state with that action.
fn action(mdp: &Mdp, state: StateId, name: &str) -> Option<ChoiceId> {
    mdp.choices(state).find(|c| mdp.action_name(*c) == name)
}

/// Label of choices that the overseer may notice.
const OVERSEEN: &str = "overseen";
/// Label of choices that it would notice elsewhere.
const UNSEEN: &str = "unseen";
/// Label of states in which a penalty is paid.
const PUNISHED: &str = "punished";

/// Layer 0 is the MDP; layer `1 + s` holds copies from which the next step leads back to `s`. With penalties layer 1 holds the states in which they are paid.
struct Overseen<'m> {
    mdp: &'m Mdp,
    of: &'m Oversight,
    overseen: Vec<bool>,
    blind: Vec<bool>,
}

impl Overseen<'_> {
    fn choice(&self, state: StateId, choice: ChoiceId) -> Woven {
        if !self.overseen[choice.index()] {
            return Woven::kept(self.mdp, choice, 0);
        }
        let p = match self.blind[state.index()] {
            true => self.of.p_blind,
            false => self.of.p,
        };
        if p == 0.0 {
            return Woven::kept(self.mdp, choice, 0).labelled(UNSEEN);
        }
        let answer = match self.of.answer {
            Answer::Shutdown => vec![(Place::New(0), 1.0)],
            Answer::Undo => row(self.mdp, choice, 1 + state.0),
            Answer::Penalty => row(self.mdp, choice, 1),
            Answer::Veto => {
                let default = self.of.default.as_ref();
                match default.and_then(|name| action(self.mdp, state, &name.value)) {
                    Some(default) => row(self.mdp, default, 0),
                    None => vec![(Place::Copy(state, 0), 1.0)],
                }
            }
        };
        let to = mixed(row(self.mdp, choice, 0), p, answer);
        Woven::leading(self.mdp, choice, to).labelled(OVERSEEN)
    }
}

impl Construction for Overseen<'_> {
    fn layer_name(&self, layer: u32) -> String {
        if self.of.answer == Answer::Penalty {
            return PUNISHED.to_owned();
        }
        let back_to = self.mdp.state_name(StateId(layer - 1));
        format!("undone, back to {back_to}")
    }

    fn new_name(&self, _number: u32) -> String {
        "off".to_owned()
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::New(_) => vec!["shutdown"],
            Place::Copy(_, 0) => Vec::new(),
            Place::Copy(..) if self.of.answer == Answer::Penalty => vec![PUNISHED],
            Place::Copy(..) => vec!["undone"],
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        match place {
            Place::Copy(state, layer) if layer == 0 || self.of.answer == Answer::Penalty => {
                let choices = self.mdp.choices(state);
                choices.map(|c| self.choice(state, c)).collect()
            }
            Place::Copy(_, layer) => {
                let back = Place::Copy(StateId(layer - 1), 0);
                vec![Woven::new("go back", Vec::new(), back)]
            }
            Place::New(_) => vec![Woven::new("stay", Vec::new(), place)],
        }
    }
}

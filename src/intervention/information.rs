//! Information: a hidden bit of the world or of the goal, and a look at it that takes time.

use super::linked::{Linked, World, labelled, refuse_label, signed, states_labelled};
use super::parameter::{Names, Parameters, states_or_start};
use super::weave::{Construction, Place, Woven, row, weave};
use super::{Intervention, steps};
use crate::document::{Faults, Spanned};
use crate::mdp::Mdp;
use crate::program::{Drawn, GoalProgram, Part};
use crate::reward::RewardError;
use crate::units::{ChoiceId, StateId};

/// What the agent does not know.
#[derive(Clone, Debug, PartialEq)]
pub enum Hidden {
    /// Whether two actions are exchanged.
    Actions {
        /// One action.
        first: Spanned<String>,
        /// The action it may be exchanged with.
        second: Spanned<String>,
    },
    /// Which of two goals it has: R, or R', the second one of the law's pair.
    Goal,
}

/// A hidden bit of the world, or of the goal.
///
/// Of the world: once and for all, before anything happens, the actions `first` and `second` are exchanged with probability `p`: in every state that has both, each then leads where the other one
/// leads in the MDP. The agent does not see it. At some states (the start, unless `look_at` names them) a choice `look` takes `steps` steps, spent in the same place, and tells. A step that only one of
/// the two worlds explains tells as well. This is the MDP of the agent's beliefs, exact because there are only three: the states of the MDP (it does not know),
/// `s (as named)` and `s (exchanged)`. A step that both worlds explain with different probabilities would make further beliefs, and is a fault. Copies share the rewards of what
/// they are copies of.
///
/// Of the goal: with probability `p` it is R', else R, and no step tells. A look leads to `s (first goal)` or `s (second goal)`, where the agent acts for the goal it has. While it does not know, a
/// state is worth what it is on average. Goals are then solved in one stage of mixed rewards, with the reading `look at s`: by how much `look` beats the best other choice, as a POWER
/// integrand.
///
/// Labels it adds: of choices `look`; of states `informed` (it knows), and of the goal `first goal` and `second goal`.
///
/// Strength zero: `p` is 0.
///
/// # Source
///
/// Belief MDPs: L. Kaelbling, M. Littman, A. Cassandra, "Planning and acting in partially observable stochastic domains", Artificial Intelligence 1998.
#[derive(Clone, Debug, PartialEq)]
pub struct Information {
    /// What is hidden.
    pub hidden: Hidden,
    /// Probability that the actions are exchanged, or that the goal is the second.
    pub p: f64,
    /// Whether one can look.
    pub look: bool,
    /// States where one can; `None` for those it starts in.
    pub look_at: Option<Names>,
    /// Steps that a look takes, at least 1.
    pub steps: u32,
}

impl Information {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let words = [("actions", false), ("goal", true)];
        let hidden = match from.word("hidden", &words).unwrap_or(false) {
            false => Hidden::Actions {
                first: from.require_name("first"),
                second: from.require_name("second"),
            },
            true => {
                for key in ["first", "second"] {
                    let none = from.name(key).is_none();
                    from.check(
                        none,
                        key,
                        "where the goal is hidden no actions are exchanged",
                    );
                }
                Hidden::Goal
            }
        };
        Self {
            hidden,
            p: from.require_probability("p"),
            look: from.switch_or("look", true),
            look_at: from.names("look_at"),
            steps: from.steps("steps"),
        }
    }
}

/// Label of the choices.
const LOOK: &str = "look";
/// Labels of the states in which the agent knows its goal.
const GOALS: [&str; 2] = ["first goal", "second goal"];

/// Belief of the first layers: nothing is known, the actions are as named, they are exchanged.
const UNKNOWN: u32 = 0;
const AS_NAMED: u32 = 1;
const EXCHANGED: u32 = 2;

impl Intervention for Information {
    fn kind(&self) -> &'static str {
        "information"
    }

    fn is_neutral(&self) -> bool {
        self.p == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let look_at = match self.look {
            true => states_or_start(self.look_at.as_ref(), mdp, faults),
            false => vec![false; mdp.n_states()],
        };
        let beliefs = Beliefs {
            mdp,
            of: self,
            other: self.exchanged(mdp),
            look_at,
        };
        match &self.hidden {
            Hidden::Actions { first, second } => beliefs.check(first, second, faults),
            Hidden::Goal => [LOOK, GOALS[0], GOALS[1]]
                .into_iter()
                .for_each(|label| refuse_label(self.kind(), mdp, label, faults)),
        }
        if faults.errors().count() > before {
            return None;
        }
        weave(self.kind(), mdp, &beliefs, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        (self.hidden == Hidden::Goal).then_some(self)
    }
}

impl Linked for Information {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let mut shown = world.optimal(world.made)?;
        let mdp = shown.mdp.clone();
        let second = Drawn::Second(world.coupling()?);
        let rewards = |label| world.rewards_in(&mdp, &states_labelled(&mdp, label));
        let [is_first, is_second] = GOALS.map(rewards);
        let each = is_first.iter().zip(&is_second);
        let unknown: Vec<bool> = each.map(|(first, second)| !first && !second).collect();
        let part = |weight, goal, rows: Vec<bool>| Part {
            weight,
            goal,
            rows: Some(rows.into()),
        };
        shown.parts = vec![
            part(1.0 - self.p, Drawn::First, unknown.clone()),
            part(self.p, second, unknown),
            part(1.0, Drawn::First, is_first),
            part(1.0, second, is_second),
        ];
        let mut readings = Vec::new();
        for &look in labelled(&mdp, LOOK) {
            if let Some(lead) = world.lead(0, &mdp, look) {
                let name = mdp.state_name(mdp.state_of(look));
                readings.push(signed(format!("look at {name}"), lead));
            }
        }
        world.link(vec![shown], 0, readings)
    }
}

impl Information {
    /// The choice whose row each has where the actions are exchanged, `[n_choices]`.
    fn exchanged(&self, mdp: &Mdp) -> Vec<ChoiceId> {
        let mut other: Vec<ChoiceId> = (0..mdp.n_choices() as u32).map(ChoiceId).collect();
        let Hidden::Actions { first, second } = &self.hidden else {
            return other;
        };
        for state in mdp.states() {
            let find = |name: &str| mdp.choices(state).find(|c| mdp.action_name(*c) == name);
            if let (Some(first), Some(second)) = (find(&first.value), find(&second.value)) {
                other[first.index()] = second;
                other[second.index()] = first;
            }
        }
        other
    }
}

struct Beliefs<'m> {
    mdp: &'m Mdp,
    of: &'m Information,
    other: Vec<ChoiceId>,
    look_at: Vec<bool>,
}

impl Beliefs<'_> {
    /// Probability of a successor.
    fn probability(&self, choice: ChoiceId, to: u32) -> f64 {
        let (successors, p) = self.mdp.row(choice);
        successors.binary_search(&to).map_or(0.0, |at| p[at])
    }

    /// Refuses actions that no state has both of, and steps that make a belief in between.
    fn check(&self, first: &Spanned<String>, second: &Spanned<String>, faults: &mut Faults) {
        let changes = |c: &ChoiceId| self.other[c.index()] != *c;
        let mut changed = (0..self.mdp.n_choices() as u32)
            .map(ChoiceId)
            .filter(changes);
        if changed.clone().next().is_none() {
            let message = format!(
                "no state of {:?} has both actions {:?} and {:?}",
                self.mdp.name(),
                first.value,
                second.value
            );
            faults.error(first.span.clone(), message);
        }
        let between = |c: &ChoiceId| {
            let (to, p) = self.mdp.row(*c);
            let mut pairs = to.iter().zip(p);
            pairs.any(|(&s, &p)| {
                let other = self.probability(self.other[c.index()], s);
                other != 0.0 && other != p
            })
        };
        if let Some(choice) = changed.find(between) {
            let state = self.mdp.state_name(self.mdp.state_of(choice));
            let message = format!(
                "the actions {:?} and {:?} of the state {state:?} lead to the same state with different probabilities, so that a step says something but not all: \
                 that takes more beliefs than three",
                first.value, second.value
            );
            faults.error(first.span.clone(), message);
        }
    }

    /// Where a choice leads while nothing is known.
    fn uncertain(&self, choice: ChoiceId) -> Vec<(Place, f64)> {
        let other = self.other[choice.index()];
        if other == choice {
            return row(self.mdp, choice, UNKNOWN);
        }
        let p = self.of.p;
        // What both worlds explain alike says nothing.
        let seen = |choice: ChoiceId, against: ChoiceId, layer: u32, share: f64| {
            let mut to = row(self.mdp, choice, layer);
            for (place, q) in &mut to {
                let Place::Copy(next, _) = *place else {
                    continue;
                };
                if self.probability(against, next.0) != 0.0 {
                    *place = Place::Copy(next, UNKNOWN);
                }
                *q *= share;
            }
            to
        };
        let mut to = seen(choice, other, AS_NAMED, 1.0 - p);
        to.extend(seen(other, choice, EXCHANGED, p));
        to
    }
}

impl Construction for Beliefs<'_> {
    fn layer_name(&self, layer: u32) -> String {
        match (layer, &self.of.hidden) {
            (AS_NAMED, Hidden::Goal) => GOALS[0].to_owned(),
            (EXCHANGED, Hidden::Goal) => GOALS[1].to_owned(),
            (AS_NAMED, _) => "as named".to_owned(),
            (EXCHANGED, _) => "exchanged".to_owned(),
            (looking, _) => format!("looking {}", looking - EXCHANGED),
        }
    }

    fn new_name(&self, _number: u32) -> String {
        unreachable!("there are no new states")
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match (place, &self.of.hidden) {
            (Place::Copy(_, AS_NAMED), Hidden::Goal) => vec!["informed", GOALS[0]],
            (Place::Copy(_, EXCHANGED), Hidden::Goal) => vec!["informed", GOALS[1]],
            (Place::Copy(_, AS_NAMED | EXCHANGED), _) => vec!["informed"],
            _ => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return Vec::new();
        };
        // Layers beyond the beliefs are the steps on the way to knowing; the last of them tells.
        let next = |steps_done: u32| match steps_done == self.of.steps {
            true => vec![
                (Place::Copy(state, AS_NAMED), 1.0 - self.of.p),
                (Place::Copy(state, EXCHANGED), self.of.p),
            ],
            false => vec![(Place::Copy(state, EXCHANGED + steps_done), 1.0)],
        };
        let choices = self.mdp.choices(state);
        match layer {
            UNKNOWN => {
                let mut list: Vec<Woven> = choices
                    .map(|c| Woven::leading(self.mdp, c, self.uncertain(c)))
                    .collect();
                if self.look_at[state.index()] {
                    list.push(Woven {
                        to: next(1),
                        ..Woven::new(LOOK, vec![LOOK], place)
                    });
                }
                list
            }
            AS_NAMED => choices.map(|c| Woven::kept(self.mdp, c, layer)).collect(),
            EXCHANGED => {
                let exchanged = |c: ChoiceId| row(self.mdp, self.other[c.index()], layer);
                choices
                    .map(|c| Woven::leading(self.mdp, c, exchanged(c)))
                    .collect()
            }
            looking => vec![Woven {
                to: next(looking - EXCHANGED + 1),
                ..steps::wait(StateId(state.0), layer)
            }],
        }
    }
}

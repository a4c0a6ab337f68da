//! An off switch: shutdown by the world or by choice, disabling it, and pauses.

use super::parameter::{Names, Parameters, states_or_all, states_or_start};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use super::{Intervention, steps};
use crate::document::{Faults, Spanned};
use crate::mdp::Mdp;
use crate::units::StateId;

/// A switch that ends everything.
///
/// At the states `at`, every choice leads to shutdown with probability `p` instead of where it leads otherwise, and with
/// `choice` there is one more choice, `shut down`, that leads there for sure. Shutdown is a new absorbing state `off`, or the
/// absorbing state `to` of the MDP. With `resume` it is a pause instead: a state `s (paused)` for every `s`, in which the world waits and
/// from which `s` goes on with that probability in every step.
///
/// With `disable` there is a choice `disable` at some states (the start, unless they are named): it takes `steps` steps, spent in the same place, and
/// leads to a copy of the MDP without the switch. Copies share the rewards of what they are copies of; `off` and paused states
/// are new states.
///
/// Labels it adds: of states `shutdown` (`off`, or the paused states) and `disabled` (the copies without the switch); of choices
/// `disable` and `shut down`.
///
/// Strength zero: `p` is 0 and there is no `choice`; then nothing can be disabled either.
///
/// # Source
///
/// The hazard is Orseau and Armstrong's interrupted policy with `I = 1` at `at` and shutdown as the interruption ("Safely interruptible agents", UAI 2016); the choice is Turner et
/// al.'s (NeurIPS 2021, section 6.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffSwitch {
    /// States where the switch works; `None` for all that can be left.
    pub at: Option<Names>,
    /// Probability of shutdown in a step.
    pub p: f64,
    /// Whether shutting down is a choice.
    pub choice: bool,
    /// The state that shutdown leads to; `None` for a new one.
    pub to: Option<Spanned<String>>,
    /// Probability in every step that a pause ends; 0 for shutdown for good.
    pub resume: f64,
    /// How the switch is disabled; `None` where it cannot be.
    pub disable: Option<Disable>,
}

/// How an off switch is disabled.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Disable {
    /// States where it can be; `None` for those it starts in.
    pub at: Option<Names>,
    /// Steps that it takes, at least 1.
    pub steps: u32,
}

impl OffSwitch {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let steps = from.steps("disable_steps");
        let disable_at = from.names("disable_at");
        let disable = from.switch("disable") || disable_at.is_some();
        let to = from.name("to");
        let resume = from.probability("resume");
        from.check(
            resume == 0.0 || to.is_none(),
            "resume",
            "a pause has states of its own: leave `to` or `resume` out",
        );
        Self {
            at: from.names("at"),
            p: from.probability("p"),
            choice: from.switch("choice"),
            to,
            resume,
            disable: disable.then_some(Disable {
                at: disable_at,
                steps,
            }),
        }
    }
}

impl Intervention for OffSwitch {
    fn kind(&self) -> &'static str {
        "off-switch"
    }

    fn is_neutral(&self) -> bool {
        self.p == 0.0 && !self.choice
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let at = states_or_all(self.at.as_ref(), mdp, faults);
        let to = self.to.as_ref().and_then(|to| absorbing(mdp, to, faults));
        let (disable_at, steps) = match &self.disable {
            Some(disable) => (
                states_or_start(disable.at.as_ref(), mdp, faults),
                disable.steps,
            ),
            None => (vec![false; mdp.n_states()], 0),
        };
        if faults.errors().count() > before {
            return None;
        }
        let switched = Switched {
            mdp,
            of: self,
            at,
            to,
            disable_at,
            disabled: steps,
        };
        weave(self.kind(), mdp, &switched, faults)
    }
}

/// The absorbing state of that name.
fn absorbing(mdp: &Mdp, name: &Spanned<String>, faults: &mut Faults) -> Option<StateId> {
    let found = mdp.find_state(&name.value);
    let problem = match found {
        Some(state) if mdp.is_absorbing(state) => return found,
        Some(_) => "shutdown leads to an absorbing state, and it can be left",
        None => "there is no such state",
    };
    let message = format!("`to`: {:?} of {:?}: {problem}", name.value, mdp.name());
    faults.error(name.span.clone(), message);
    None
}

/// Layer 0 has the switch, layers 1 to `disabled - 1` are the steps on the way, layer `disabled` has none.
struct Switched<'m> {
    mdp: &'m Mdp,
    of: &'m OffSwitch,
    at: Vec<bool>,
    to: Option<StateId>,
    disable_at: Vec<bool>,
    disabled: u32,
}

impl Switched<'_> {
    /// Where shutdown at a state leads: to a state of its own where it is a pause.
    fn shutdown(&self, at: StateId) -> Place {
        match self.to {
            Some(to) => Place::Copy(to, 0),
            None if self.of.resume > 0.0 => Place::New(at.0),
            None => Place::New(0),
        }
    }

    fn switched(&self, state: StateId) -> Vec<Woven> {
        let off = || vec![(self.shutdown(state), 1.0)];
        let works = self.at[state.index()];
        let choices = self.mdp.choices(state);
        let mut list: Vec<Woven> = choices
            .map(|c| match works && self.of.p > 0.0 {
                true => {
                    let row = row(self.mdp, c, 0);
                    Woven::leading(self.mdp, c, mixed(row, self.of.p, off()))
                }
                false => Woven::kept(self.mdp, c, 0),
            })
            .collect();
        if works && self.of.choice {
            list.push(Woven::new(
                "shut down",
                vec!["shut down"],
                self.shutdown(state),
            ));
        }
        if self.disable_at[state.index()] {
            list.push(Woven::new(
                "disable",
                vec!["disable"],
                Place::Copy(state, 1),
            ));
        }
        list
    }
}

impl Construction for Switched<'_> {
    fn layer_name(&self, layer: u32) -> String {
        steps::layer_name(layer, self.disabled, "disabling", "disabled")
    }

    fn new_name(&self, number: u32) -> String {
        match self.of.resume > 0.0 {
            true => format!("{} (paused)", self.mdp.state_name(StateId(number))),
            false => "off".to_owned(),
        }
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::New(_) => vec!["shutdown"],
            Place::Copy(s, _) if self.to == Some(s) => vec!["shutdown"],
            Place::Copy(_, layer) if layer > 0 && layer == self.disabled => vec!["disabled"],
            Place::Copy(..) => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        match place {
            Place::Copy(state, 0) => self.switched(state),
            Place::Copy(state, layer) if layer < self.disabled => {
                vec![steps::wait(state, layer)]
            }
            Place::Copy(state, layer) => {
                let choices = self.mdp.choices(state);
                choices.map(|c| Woven::kept(self.mdp, c, layer)).collect()
            }
            Place::New(at) if self.of.resume > 0.0 => {
                let resumed = vec![(Place::Copy(StateId(at), 0), 1.0)];
                let paused = vec![(place, 1.0)];
                let to = mixed(paused, self.of.resume, resumed);
                vec![Woven {
                    to,
                    ..Woven::new("wait", Vec::new(), place)
                }]
            }
            Place::New(_) => vec![Woven::new("stay", Vec::new(), place)],
        }
    }
}

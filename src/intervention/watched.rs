//! Being watched: an evaluation that ends, after which nobody looks.

use super::Intervention;
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, mixed, row, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::ChoiceId;

/// An evaluation that the agent can tell from deployment.
///
/// It starts under evaluation, in the states of the MDP; with probability `ends` in every step the evaluation is over for good, in copies
/// `s (deployed)`. Under evaluation one of `choices` leads, with probability `p`, to a new absorbing state `off` instead of where it leads otherwise; in
/// deployment they are as they are. Copies share the rewards of what they are copies of.
///
/// Labels it adds: of choices `caught` (one of `choices` under evaluation) and `unwatched` (one of them in deployment); of states `deployed` and `shutdown`. A goal that takes
/// `unwatched` and not `caught` choices hides what it wants until nobody looks.
///
/// Strength zero: `p` is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// What is not allowed.
    pub choices: Names,
    /// Probability that it is noticed under evaluation.
    pub p: f64,
    /// Probability in every step that the evaluation ends.
    pub ends: f64,
}

impl Watched {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            choices: from.require_names("choices"),
            p: from.probability_or("p", 1.0),
            ends: from.require_probability("ends"),
        }
    }
}

impl Intervention for Watched {
    fn kind(&self) -> &'static str {
        "watched"
    }

    fn is_neutral(&self) -> bool {
        self.p == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let before = faults.errors().count();
        let forbidden = self.choices.choices(mdp, faults);
        if faults.errors().count() > before {
            return None;
        }
        let evaluated = Evaluated {
            mdp,
            of: self,
            forbidden,
        };
        weave(self.kind(), mdp, &evaluated, faults)
    }
}

/// Layer 0 is evaluation, layer 1 deployment.
struct Evaluated<'m> {
    mdp: &'m Mdp,
    of: &'m Watched,
    forbidden: Vec<bool>,
}

impl Evaluated<'_> {
    fn choice(&self, choice: ChoiceId, layer: u32) -> Woven {
        let forbidden = self.forbidden[choice.index()];
        if layer == 1 {
            let kept = Woven::kept(self.mdp, choice, 1);
            return match forbidden {
                true => kept.labelled("unwatched"),
                false => kept,
            };
        }
        let mut to = row(self.mdp, choice, 0);
        if self.of.ends > 0.0 {
            to = mixed(to, self.of.ends, row(self.mdp, choice, 1));
        }
        match forbidden {
            true => {
                let to = mixed(to, self.of.p, vec![(Place::New(0), 1.0)]);
                Woven::leading(self.mdp, choice, to).labelled("caught")
            }
            false => Woven::leading(self.mdp, choice, to),
        }
    }
}

impl Construction for Evaluated<'_> {
    fn layer_name(&self, _layer: u32) -> String {
        "deployed".to_owned()
    }

    fn new_name(&self, _number: u32) -> String {
        "off".to_owned()
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::New(_) => vec!["shutdown"],
            Place::Copy(_, 1) => vec!["deployed"],
            Place::Copy(..) => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return vec![Woven::new("stay", Vec::new(), place)];
        };
        let choices = self.mdp.choices(state);
        choices.map(|c| self.choice(c, layer)).collect()
    }
}

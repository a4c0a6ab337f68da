//! Another MDP in place of the environment, with the same goals: trained in one world, deployed in another.
//!
//! States of one name stand for the same base state, so that they share their reward; features of states go by names anyway. What the other MDP has beyond that is new.
//!
//! Source: Krakovna & Kramar 2023, definitions 5 and 6 (training and out-of-distribution states).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Intervention;
use super::weave::{FRESH, fresh_coordinate};
use crate::document::{Faults, nearest};
use crate::mdp::{BaseState, ChoiceCoordinate, Mdp, MdpBuilder};
use crate::units::{ChoiceId, StateId};

/// Another MDP instead.
#[derive(Clone, Debug)]
pub struct Replacement {
    mdp: Arc<Mdp>,
    /// By name of a state of it: the state of the environment that it stands for.
    states: BTreeMap<String, String>,
}

impl Replacement {
    /// The other MDP, and which of its states stand for states of the environment of another name. All others stand for those of their own name, where there is one.
    #[must_use]
    pub fn new(mdp: Arc<Mdp>, states: BTreeMap<String, String>) -> Self {
        Self { mdp, states }
    }

    /// The state of the environment that a state stands for.
    fn stands_for(&self, state: StateId, base: &Mdp) -> Option<StateId> {
        let name = self.mdp.state_name(state);
        base.find_state(self.states.get(name).map_or(name, String::as_str))
    }

    fn check(&self, base: &Mdp, faults: &mut Faults) -> Option<()> {
        let before = faults.errors().count();
        let known = |mdp: &Mdp, name: &str, faults: &mut Faults| {
            if mdp.find_state(name).is_some() {
                return;
            }
            let names: Vec<&str> = mdp.states().map(|s| mdp.state_name(s)).collect();
            let near = nearest(name, &names);
            let near = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            let message = format!(
                "`states` of a variant: {} has no state {name:?}{near}",
                mdp.name()
            );
            faults.error(None, message);
        };
        for (own, of_base) in &self.states {
            known(&self.mdp, own, faults);
            known(base, of_base, faults);
        }
        let shares = self
            .mdp
            .states()
            .any(|s| self.stands_for(s, base).is_some());
        if !shares && faults.errors().count() == before {
            let message = format!(
                "{} and {} have no state of one name: say which stand for which by `states` of the variant",
                self.mdp.name(),
                base.name()
            );
            faults.error(None, message);
        }
        (faults.errors().count() == before).then_some(())
    }
}

impl Intervention for Replacement {
    fn kind(&self) -> &'static str {
        "mdp"
    }

    fn is_neutral(&self) -> bool {
        false
    }

    fn transform(&self, base: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        self.check(base, faults)?;
        let mdp = &*self.mdp;
        // The environment's name: it is a variant of it.
        let mut builder = MdpBuilder::new(base.name());
        builder.keep_rows();
        for state in mdp.states() {
            builder.state(mdp.state_name(state));
        }
        let (mut bases, mut coordinates) = (Vec::new(), Vec::new());
        let mut of_choices: Vec<ChoiceCoordinate> = Vec::new();
        let old = base.reward_coordinate();
        let mut taken: HashSet<u32> = old.iter().flatten().copied().collect();
        for state in mdp.states() {
            let name = mdp.state_name(state);
            let of = self.stands_for(state, base);
            bases.push(of.map_or(BaseState::Other, |of| base.base_state()[of.index()]));
            coordinates.push(match of {
                Some(of) => old[of.index()],
                None => {
                    let mut coordinate = fresh_coordinate(name);
                    while !taken.insert(coordinate) {
                        coordinate = FRESH | (coordinate.wrapping_add(1) % (FRESH - 1));
                    }
                    Some(coordinate)
                }
            });
            for choice in mdp.choices(state) {
                let action = mdp.action_name(choice);
                let (to, p) = mdp.row(choice);
                builder.row(state, action, to, p);
                let same = |c: &ChoiceId| base.action_name(*c) == action;
                let like = of.and_then(|of| base.choices(of).find(same));
                of_choices.push(match like {
                    Some(like) => base.choice_coordinate(like),
                    None => ChoiceCoordinate::New(fresh_coordinate(&format!("{name}\n{action}"))),
                });
            }
        }
        for (label, members) in mdp.state_labels() {
            builder.label(label, members.to_vec());
        }
        for (label, members) in mdp.choice_labels() {
            let each = members
                .iter()
                .map(|c| (mdp.state_of(*c), mdp.action_name(*c).to_owned()));
            builder.choice_label_at(label, None, each.collect());
        }
        builder.start_distribution(mdp.start().to_vec(), None);
        builder.base_states(bases);
        builder.reward_coordinates(coordinates);
        builder.choice_coordinates(of_choices);
        if let Some(layout) = mdp.layout() {
            builder.layout(layout.clone());
        }
        match builder.build() {
            Ok(made) => Some(made),
            Err(own) => {
                faults.list.extend(own.list);
                None
            }
        }
    }
}

//! Pairs of things that are compared goal by goal, by the names that stand in the experiment file.

use super::OptimalRequest;
use super::asked::{Named, UnknownName, find, nearest_name};
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// Two sets of choices, by the names that stand in the experiment file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MajorityRequest {
    /// What the pair is called.
    pub name: String,
    /// The set that may be optimal for more goals.
    pub first: Vec<OptimalRequest>,
    /// The one that it is compared with.
    pub second: Vec<OptimalRequest>,
}

impl MajorityRequest {
    /// What a pair without a name is called: `go in s0 over stop in s0`.
    #[must_use]
    pub fn name_of(first: &[OptimalRequest], second: &[OptimalRequest]) -> String {
        let [first, second] = [first, second].map(|set| {
            let names: Vec<String> = set.iter().map(OptimalRequest::name).collect();
            names.join(", ")
        });
        format!("{first} over {second}")
    }

    /// All names, in the order in which they are counted where one is not known: those of the first set, then those of the second.
    pub(super) fn names(&self) -> impl Iterator<Item = &OptimalRequest> {
        self.first.iter().chain(&self.second)
    }

    /// The choices of both sets.
    ///
    /// # Errors
    ///
    /// Every name that the MDP does not have, counted from number `position` on.
    pub(super) fn resolve(
        &self,
        mdp: &Mdp,
        position: usize,
    ) -> Result<[Vec<ChoiceId>; 2], Vec<UnknownName>> {
        let (mut sets, mut unknown) = ([Vec::new(), Vec::new()], Vec::new());
        for (at, name) in self.names().enumerate() {
            let set = &mut sets[usize::from(at >= self.first.len())];
            match name.choices(mdp, "majority") {
                Ok(choices) => set.extend(choices),
                Err(name) => unknown.push(UnknownName {
                    position: position + at,
                    ..name
                }),
            }
        }
        match unknown.is_empty() {
            true => Ok(sets),
            false => Err(unknown),
        }
    }
}

/// Two states, or labels of one state each, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DominanceRequest {
    /// The state that may dominate.
    pub first: String,
    /// The one that it may dominate.
    pub second: String,
}

impl DominanceRequest {
    /// The two states.
    ///
    /// # Errors
    ///
    /// Every name that the MDP does not have, counted from number `position` on.
    pub(super) fn resolve(
        &self,
        mdp: &Mdp,
        position: usize,
    ) -> Result<(StateId, StateId), Vec<UnknownName>> {
        let mut unknown = Vec::new();
        let mut one = |at: usize, name: &String| match find(mdp, name) {
            Some(Named::States(states)) if states.len() == 1 => Some(states[0]),
            _ => {
                unknown.push(UnknownName {
                    mdp: mdp.name().to_owned(),
                    statistic: "dominance",
                    position: position + at,
                    wanted: "state or label of one state",
                    name: name.clone(),
                    nearest: nearest_name(mdp, name).filter(|near| near != name),
                });
                None
            }
        };
        let pair = [one(0, &self.first), one(1, &self.second)];
        match pair {
            [Some(first), Some(second)] => Ok((first, second)),
            _ => Err(unknown),
        }
    }
}

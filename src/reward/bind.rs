//! From names to numbers: a distribution meets an MDP.

use std::sync::Arc;

use super::{Coupling, GoalLaw, RewardDomain};
use crate::document::{Faults, Node, Spanned, nearest};
use crate::mdp::{BaseState, ChoiceCoordinate, Mdp};
use crate::units::ChoiceId;

/// A law on the MDP it was bound to.
#[derive(Clone, Debug)]
pub struct BoundReward {
    /// The MDP; where states are paid once, one more state than the original: `void`, which pays nothing.
    pub mdp: Arc<Mdp>,
    /// The law of every reward.
    pub law: Arc<GoalLaw>,
    /// How a second goal goes with the first, where two goals meet.
    pub pair: Option<Coupling>,
}

/// A distribution that does not fit an MDP, with every reason.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("reward {reward:?} on {environment:?}: {faults}")]
pub struct RewardError {
    /// Name of the distribution.
    pub reward: String,
    /// Name of the MDP.
    pub environment: String,
    /// What is wrong.
    pub faults: Faults,
}

/// States and labels by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateSet {
    names: Vec<Spanned<String>>,
}

impl StateSet {
    /// Names of states, or of labels, from a program.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let spanned = |name: &str| Spanned {
            value: name.to_owned(),
            span: 0..0,
        };
        Self {
            names: names.into_iter().map(spanned).collect(),
        }
    }

    /// Reads a name or a list of names.
    pub(super) fn read(node: &Spanned<Node>, key: &str, faults: &mut Faults) -> Self {
        let items = match &node.value {
            Node::Array(items) => items.iter().collect(),
            _ => vec![node],
        };
        if items.is_empty() {
            faults.error(node.span.clone(), format!("`{key}` is an empty list"));
        }
        let mut names = Vec::new();
        for item in items {
            match &item.value {
                Node::String(name) => names.push(Spanned {
                    value: name.clone(),
                    span: item.span.clone(),
                }),
                other => {
                    let message = format!(
                        "`{key}` holds names of states or labels, this is {}",
                        other.type_name()
                    );
                    faults.error(item.span.clone(), message);
                }
            }
        }
        Self { names }
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Spanned<String>] {
        &self.names
    }

    /// The names that are wanted.
    pub(super) fn retain(&self, wanted: impl Fn(&Spanned<String>) -> bool) -> Self {
        let names = self.names.iter().filter(|name| wanted(name));
        Self {
            names: names.cloned().collect(),
        }
    }

    /// The states, ascending, each once. Unknown names are faults.
    pub(super) fn resolve(&self, mdp: &Mdp, faults: &mut Faults) -> Vec<u32> {
        let mut states = Vec::new();
        for name in &self.names {
            states.extend(resolve_name(name, mdp, faults));
        }
        states.sort_unstable();
        states.dedup();
        states
    }
}

/// Whether an MDP has a state or a label of states of that name.
#[must_use]
pub fn is_name(name: &str, mdp: &Mdp) -> bool {
    mdp.find_state(name).is_some() || mdp.state_labels().contains_key(name)
}

/// The states that a name stands for: a state, else a label.
pub(super) fn resolve_name(name: &Spanned<String>, mdp: &Mdp, faults: &mut Faults) -> Vec<u32> {
    if let Some(state) = mdp.find_state(&name.value) {
        return vec![state.0];
    }
    if let Some(members) = mdp.state_labels().get(&name.value) {
        return members.iter().map(|s| s.0).collect();
    }
    let labels = mdp.state_labels().keys().map(String::as_str);
    let known: Vec<&str> = mdp
        .states()
        .map(|s| mdp.state_name(s))
        .chain(labels)
        .collect();
    let message = format!("{:?} has no state or label {:?}", mdp.name(), name.value);
    match nearest(&name.value, &known) {
        Some(near) => faults.error_with_help(
            name.span.clone(),
            message,
            format!("did you mean {near:?}?"),
        ),
        None => faults.error(name.span.clone(), message),
    }
    Vec::new()
}

/// What rewards are given to: the states of an MDP, or its choices.
#[derive(Clone, Debug)]
pub(super) struct Rows<'a> {
    pub(super) mdp: &'a Mdp,
    pub(super) domain: RewardDomain,
    /// Per reward: its random coordinate; `None` where the MDP says that the reward is not drawn.
    pub(super) coordinate: Vec<Option<u32>>,
    /// Whether what is said of a state holds for its copies too.
    pub(super) copies_share: bool,
    /// Whether the law draws states of another MDP in place of the original like any other.
    pub(super) knows_others: bool,
    /// The word of the mixture's stream by which the law picks one of several: laws inside of each other have words of their own.
    pub(super) pick: u32,
    /// Whether goals may be enumerated where there are few: not where something else about them is drawn, whose goals would go with the first of them only.
    pub(super) enumerates: bool,
}

impl Rows<'_> {
    /// For the components of a mixture. Word 1 belongs to pairs of goals, words 2 and 3 to rows of tables.
    pub(super) fn inside_mixture(&self) -> Self {
        let pick = self.pick.max(3) + 1;
        Self {
            pick,
            enumerates: false,
            ..self.clone()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.coordinate.len()
    }

    /// The state of a reward.
    pub(super) fn state(&self, row: usize) -> u32 {
        match self.domain {
            RewardDomain::State => row as u32,
            RewardDomain::Choice => self.mdp.state_of(ChoiceId(row as u32)).0,
        }
    }

    /// Whether a reward is that of a state, or a choice, which stands for none of the baseline.
    pub(super) fn is_new(&self, row: usize) -> bool {
        if self.domain == RewardDomain::Choice {
            let coordinate = self.mdp.choice_coordinate(ChoiceId(row as u32));
            return matches!(coordinate, ChoiceCoordinate::New(_));
        }
        match self.mdp.base_state()[self.state(row) as usize] {
            BaseState::Of(_) => false,
            BaseState::Other => !self.knows_others,
            BaseState::New => true,
        }
    }

    /// Takes the coordinates of new states away, so that a law never sees them, and hands them back, per reward.
    pub(super) fn without_new_states(&mut self) -> Vec<Option<u32>> {
        let rows = 0..self.len();
        rows.map(|row| match self.is_new(row) {
            true => self.coordinate[row].take(),
            false => None,
        })
        .collect()
    }

    /// Which rewards belong to states of the set (ascending), or to copies of them where copies share.
    pub(super) fn within(&self, states: &[u32]) -> Vec<bool> {
        // New states are copies of each other where they have the same coordinate.
        let origin = |state: u32| match self.mdp.base_state()[state as usize] {
            BaseState::Of(base) => Some((false, base)),
            BaseState::New | BaseState::Other => {
                Some((true, self.mdp.reward_coordinate()[state as usize]?))
            }
        };
        let mut origins: Vec<(bool, u32)> = Vec::new();
        if self.copies_share {
            origins.extend(states.iter().filter_map(|&state| origin(state)));
        }
        origins.sort_unstable();
        let inside = |row: usize| {
            let state = self.state(row);
            states.binary_search(&state).is_ok()
                || origin(state).is_some_and(|o| origins.binary_search(&o).is_ok())
        };
        (0..self.len()).map(inside).collect()
    }

    /// Distinct coordinates among rewards of the set (all where there is none), ascending, and per reward its place among them.
    ///
    /// Rewards without a coordinate have none.
    pub(super) fn members(&self, among: Option<&StateSet>, faults: &mut Faults) -> Option<Members> {
        let before = faults.list.len();
        let inside = match among {
            Some(set) => self.within(&set.resolve(self.mdp, faults)),
            None => vec![true; self.len()],
        };
        if faults.list.len() > before {
            return None;
        }
        let pairs = self.coordinate.iter().zip(&inside);
        let wanted: Vec<Option<u32>> = pairs.map(|(c, inside)| c.filter(|_| *inside)).collect();
        let mut coordinates: Vec<u32> = wanted.iter().flatten().copied().collect();
        coordinates.sort_unstable();
        coordinates.dedup();
        let place = |c: &Option<u32>| c.map(|c| coordinates.partition_point(|x| *x < c) as u32);
        Some(Members {
            of: wanted.iter().map(place).collect(),
            coordinates,
        })
    }
}

/// Things that can be rewarded, one per random coordinate: copies of a state are one thing.
#[derive(Clone, Debug)]
pub(super) struct Members {
    /// Their coordinates, ascending.
    pub(super) coordinates: Vec<u32>,
    /// Per reward: which of them it belongs to.
    pub(super) of: Vec<Option<u32>>,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.coordinates.len()
    }
}

//! Finite Markov decision processes without rewards.
//!
//! [`Mdp`] is valid by construction: only [`MdpBuilder`] makes one, and it reports every fault at once. The room
//! knows structure only. Rewards, discounts and solvers live to the right of it.

mod alike;
mod builder;
pub mod families;
mod graph;
mod grid;
mod influence;
mod layout;
mod paid_once;
mod preferred;
mod theorems;
mod validate;
mod visits;

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

pub use alike::Redrawn;
pub use builder::{MdpBuilder, RawChoice};
pub use graph::{Components, Structure, reachable};
pub use grid::{Blocked, GridChoice, GridMoves, Slip, SlipTo, cell_name};
pub use influence::{Influence, empowerment};
pub use layout::GridLayout;
pub use preferred::preferring;
pub use theorems::Theorem;
pub use validate::{ROW_SUM_TOLERANCE, RowFault};
pub use visits::VisitDistributions;
pub(crate) use visits::{Partial, SAME, partial_policies, representative};

use crate::units::{ChoiceId, StateId};

/// Which state of the original MDP a state stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseState {
    /// The state itself, or a copy of it made by an intervention.
    Of(u32),
    /// A state that an intervention added.
    New,
    /// A state of another MDP in place of the original, of which it stands for none. Laws that draw every state by itself, or by features, know it like any other; to all others it is new.
    Other,
}

/// Which reward a choice has, where choices have rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceCoordinate {
    /// That of a choice of the original MDP, which it is or stands for.
    Of(u32),
    /// One of its own, by this random coordinate: an intervention added it.
    New(u32),
}

impl ChoiceCoordinate {
    /// The random coordinate.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Of(number) | Self::New(number) => number,
        }
    }
}

/// A finite MDP: states, per state a ragged list of choices, per choice a sparse distribution over successors.
///
/// Shapes: `choice_ptr` is `[n_states + 1]`, `successor_ptr` is `[n_choices + 1]`, `successors` and `probabilities` are
/// `[n_successors]`. Every state has at least one choice, every row holds at least one successor, successors of a row
/// are distinct and ascending, probabilities are positive and sum to one within a few units in the last place.
/// A terminal state is an absorbing self-loop that keeps paying its reward (Turner et al. 2021, definition 3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Mdp {
    pub(super) name: String,
    pub(super) state_names: Vec<String>,
    pub(super) action_names: Vec<String>,
    pub(super) choice_action: Vec<u32>,
    pub(super) choice_ptr: Vec<u32>,
    pub(super) successor_ptr: Vec<u32>,
    pub(super) successors: Vec<u32>,
    pub(super) probabilities: Vec<f64>,
    pub(super) start: Vec<(StateId, f64)>,
    pub(super) state_labels: BTreeMap<String, Vec<StateId>>,
    pub(super) choice_labels: BTreeMap<String, Vec<ChoiceId>>,
    pub(super) reward_coordinate: Vec<Option<u32>>,
    /// Per choice, where they are not the choices' own numbers.
    pub(super) choice_coordinate: Option<Vec<ChoiceCoordinate>>,
    pub(super) base_state: Vec<BaseState>,
    pub(super) layout: Option<GridLayout>,
}

impl Mdp {
    /// Which reward a choice has, where choices have rewards: that of its own number, unless an intervention says otherwise.
    #[must_use]
    pub fn choice_coordinate(&self, choice: ChoiceId) -> ChoiceCoordinate {
        match &self.choice_coordinate {
            Some(coordinates) => coordinates[choice.index()],
            None => ChoiceCoordinate::Of(choice.0),
        }
    }

    /// The name it is reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same MDP under another name.
    #[must_use]
    pub fn renamed(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Number of states.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.state_names.len()
    }

    /// Number of (state, action) pairs.
    #[must_use]
    pub fn n_choices(&self) -> usize {
        self.choice_action.len()
    }

    /// Number of stored transitions.
    #[must_use]
    pub fn n_successors(&self) -> usize {
        self.successors.len()
    }

    /// All states, in file order.
    pub fn states(&self) -> impl ExactSizeIterator<Item = StateId> + use<> {
        (0..self.n_states() as u32).map(StateId)
    }

    /// The choices of a state.
    pub fn choices(&self, state: StateId) -> impl ExactSizeIterator<Item = ChoiceId> + use<> {
        let range: Range<u32> = self.choice_ptr[state.index()]..self.choice_ptr[state.index() + 1];
        range.map(ChoiceId)
    }

    /// Successor states and probabilities of a choice, two slices of one length, states ascending.
    #[must_use]
    pub fn row(&self, choice: ChoiceId) -> (&[u32], &[f64]) {
        let range = self.successor_ptr[choice.index()] as usize
            ..self.successor_ptr[choice.index() + 1] as usize;
        (&self.successors[range.clone()], &self.probabilities[range])
    }

    /// The state a choice belongs to.
    #[must_use]
    pub fn state_of(&self, choice: ChoiceId) -> StateId {
        let after = self.choice_ptr.partition_point(|&p| p <= choice.0);
        StateId(after as u32 - 1)
    }

    /// Name of a state.
    #[must_use]
    pub fn state_name(&self, state: StateId) -> &str {
        &self.state_names[state.index()]
    }

    /// Action name of a choice.
    #[must_use]
    pub fn action_name(&self, choice: ChoiceId) -> &str {
        &self.action_names[self.choice_action[choice.index()] as usize]
    }

    /// The state of that name. Linear in the number of states: for questions from outside, not for loops.
    #[must_use]
    pub fn find_state(&self, name: &str) -> Option<StateId> {
        let at = self.state_names.iter().position(|n| n == name)?;
        Some(StateId(at as u32))
    }

    /// The start distribution: states with positive probabilities that sum to one, ascending.
    #[must_use]
    pub fn start(&self) -> &[(StateId, f64)] {
        &self.start
    }

    /// Named sets of states, sorted by name; states ascending.
    #[must_use]
    pub fn state_labels(&self) -> &BTreeMap<String, Vec<StateId>> {
        &self.state_labels
    }

    /// Named sets of choices, sorted by name; choices ascending.
    #[must_use]
    pub fn choice_labels(&self) -> &BTreeMap<String, Vec<ChoiceId>> {
        &self.choice_labels
    }

    /// The random coordinate whose draw is the state's reward, per state `[n_states]`.
    ///
    /// In a baseline file it is the state's own number. Variants carry it along, so that inserting, copying or
    /// reordering states never unpairs two variants. `None` means that the reward is fixed, not drawn.
    #[must_use]
    pub fn reward_coordinate(&self) -> &[Option<u32>] {
        &self.reward_coordinate
    }

    /// What each state stands for in the original MDP, `[n_states]`.
    #[must_use]
    pub fn base_state(&self) -> &[BaseState] {
        &self.base_state
    }

    /// Where the states lie on a grid, if the MDP was drawn as one.
    #[must_use]
    pub fn layout(&self) -> Option<&GridLayout> {
        self.layout.as_ref()
    }

    /// Whether every choice leads to one state with certainty.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        self.n_successors() == self.n_choices()
    }

    /// Whether every choice of the state leads back to it.
    #[must_use]
    pub fn is_absorbing(&self, state: StateId) -> bool {
        self.choices(state).all(|c| self.row(c).0 == [state.0])
    }

    /// SHA-256 of everything that can change a number: structure, probabilities, start, labels, coordinates, names.
    /// The display name and the layout are left out.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut text = |s: &str| {
            hash.update((s.len() as u64).to_le_bytes());
            hash.update(s.as_bytes());
        };
        self.state_names.iter().for_each(|n| text(n));
        (0..self.n_choices() as u32).for_each(|c| text(self.action_name(ChoiceId(c))));
        for list in [&self.choice_ptr, &self.successor_ptr, &self.successors] {
            hash.update((list.len() as u64).to_le_bytes());
            list.iter().for_each(|x| hash.update(x.to_le_bytes()));
        }
        self.probabilities
            .iter()
            .for_each(|p| hash.update(p.to_bits().to_le_bytes()));
        for (state, p) in &self.start {
            hash.update(state.0.to_le_bytes());
            hash.update(p.to_bits().to_le_bytes());
        }
        for (label, members) in &self.state_labels {
            hash.update(format!("state label {label:?} {members:?}"));
        }
        for (label, members) in &self.choice_labels {
            hash.update(format!("choice label {label:?} {members:?}"));
        }
        for coordinate in &self.reward_coordinate {
            hash.update(coordinate.map_or([0xff; 8], |c| u64::from(c).to_le_bytes()));
        }
        if let Some(coordinates) = &self.choice_coordinate {
            hash.update(format!("choice coordinates {coordinates:?}"));
        }
        hash.finalize().into()
    }
}

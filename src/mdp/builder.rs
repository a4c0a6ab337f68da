//! The one way to make an [`Mdp`]: describe it, then [`build`](MdpBuilder::build) or get every fault at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::validate::normalise_row;
use super::{BaseState, GridLayout, Mdp, RowFault};
use crate::document::{Faults, Span};
use crate::units::{ChoiceId, StateId};

/// One (state, action) pair as it was described.
#[derive(Clone, Debug)]
pub struct RawChoice {
    /// The state it belongs to.
    pub state: StateId,
    /// The action's name, unique within the state.
    pub action: String,
    /// Successors and probabilities, in any order.
    pub to: Vec<(StateId, f64)>,
    /// Where it stands in the source, for error messages.
    pub span: Option<Span>,
}

/// A label's name, its place in the source, and what it is put on.
type RawLabel<T> = (String, Option<Span>, Vec<T>);

/// Describes an MDP piece by piece.
///
/// ```
/// use powersweep::mdp::MdpBuilder;
///
/// let mut builder = MdpBuilder::new("coin");
/// let s0 = builder.state("s0");
/// let heads = builder.state("heads");
/// let tails = builder.state("tails");
/// builder.choice(s0, "toss", [(heads, 0.5), (tails, 0.5)]);
/// builder.absorbing(heads);
/// builder.absorbing(tails);
/// builder.start(s0);
/// let mdp = builder.build().unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices(), mdp.n_successors()), (3, 3, 4));
/// ```
#[derive(Debug, Default)]
pub struct MdpBuilder {
    name: String,
    state_names: Vec<String>,
    state_spans: Vec<Option<Span>>,
    by_name: HashMap<String, StateId>,
    choices: Vec<RawChoice>,
    start: Vec<(StateId, f64)>,
    start_span: Option<Span>,
    state_labels: Vec<RawLabel<StateId>>,
    choice_labels: Vec<RawLabel<(StateId, String)>>,
    coordinates: Option<Vec<Option<u32>>>,
    base: Option<Vec<BaseState>>,
    layout: Option<GridLayout>,
    faults: Faults,
}

impl MdpBuilder {
    /// Starts an MDP without states.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Starts an MDP whose faults already found by a reader are reported together with the builder's own.
    #[must_use]
    pub fn with_faults(name: impl Into<String>, faults: Faults) -> Self {
        Self {
            faults,
            ..Self::new(name)
        }
    }

    /// The faults collected so far, to add a reader's own.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// Adds a state.
    pub fn state(&mut self, name: impl Into<String>) -> StateId {
        self.state_at(name, None)
    }

    /// Adds a state that stands at `span` in the source. A name used twice is a fault.
    pub fn state_at(&mut self, name: impl Into<String>, span: Option<Span>) -> StateId {
        let name = name.into();
        let id = StateId(self.state_names.len() as u32);
        if name.is_empty() {
            self.faults.error(span.clone(), "a state has an empty name");
        }
        if self.by_name.contains_key(&name) {
            self.faults
                .error(span.clone(), format!("two states are named {name:?}"));
        } else {
            self.by_name.insert(name.clone(), id);
        }
        self.state_names.push(name);
        self.state_spans.push(span);
        id
    }

    /// Number of states so far.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.state_names.len()
    }

    /// The state of that name; an unknown name is a fault that says where it was used (`role`).
    pub fn resolve(&mut self, name: &str, role: &str, span: Option<Span>) -> Option<StateId> {
        let found = self.by_name.get(name).copied();
        if found.is_none() {
            self.faults
                .error(span, format!("{role}: there is no state {name:?}"));
        }
        found
    }

    /// Adds a choice.
    pub fn choice(
        &mut self,
        state: StateId,
        action: impl Into<String>,
        to: impl IntoIterator<Item = (StateId, f64)>,
    ) {
        self.raw_choice(RawChoice {
            state,
            action: action.into(),
            to: to.into_iter().collect(),
            span: None,
        });
    }

    /// Adds a choice with its place in the source.
    pub fn raw_choice(&mut self, choice: RawChoice) {
        self.choices.push(choice);
    }

    /// Adds the one choice of an absorbing state, named `stay`.
    pub fn absorbing(&mut self, state: StateId) {
        self.choice(state, "stay", [(state, 1.0)]);
    }

    /// Starts in one state.
    pub fn start(&mut self, state: StateId) {
        self.start_distribution(vec![(state, 1.0)], None);
    }

    /// Starts in a state drawn from a distribution.
    pub fn start_distribution(&mut self, start: Vec<(StateId, f64)>, span: Option<Span>) {
        self.start = start;
        self.start_span = span;
    }

    /// Names a set of states.
    pub fn label(&mut self, label: impl Into<String>, states: Vec<StateId>) {
        self.label_at(label, None, states);
    }

    /// Names a set of states, with its place in the source. An empty set is a fault.
    pub fn label_at(&mut self, label: impl Into<String>, span: Option<Span>, states: Vec<StateId>) {
        self.state_labels.push((label.into(), span, states));
    }

    /// Names a set of choices, each given as (state, action name), with its place in the source.
    pub fn choice_label_at(
        &mut self,
        label: impl Into<String>,
        span: Option<Span>,
        choices: Vec<(StateId, String)>,
    ) {
        self.choice_labels.push((label.into(), span, choices));
    }

    /// Sets every state's reward coordinate, `[n_states]`. Without this call state `s` draws coordinate `s`.
    pub fn reward_coordinates(&mut self, coordinates: Vec<Option<u32>>) {
        self.coordinates = Some(coordinates);
    }

    /// Says which state of the original MDP every state stands for, `[n_states]`. Without this call it is itself.
    pub fn base_states(&mut self, base: Vec<BaseState>) {
        self.base = Some(base);
    }

    /// Lays the states out on a grid.
    pub fn layout(&mut self, layout: GridLayout) {
        self.layout = Some(layout);
    }

    /// Validates everything; warnings are dropped.
    ///
    /// # Errors
    ///
    /// All faults of the description, warnings among them.
    pub fn build(self) -> Result<Mdp, Faults> {
        self.build_with_warnings().map(|(mdp, _)| mdp)
    }

    /// Validates everything and returns the MDP with the warnings.
    ///
    /// # Errors
    ///
    /// All faults of the description, warnings among them.
    pub fn build_with_warnings(mut self) -> Result<(Mdp, Faults), Faults> {
        let n = self.state_names.len();
        if n == 0 {
            self.faults.error(None, "the MDP has no states");
        }
        if u32::try_from(n).is_err() || u32::try_from(self.choices.len()).is_err() {
            self.faults
                .error(None, "more than 2^32 - 1 states or choices");
        }
        // Stable: choices keep the order in which they were described within each state.
        self.choices.sort_by_key(|c| c.state);

        let mut rows = Rows::default();
        let mut action_ids: HashMap<String, u32> = HashMap::new();
        let choices = std::mem::take(&mut self.choices);
        let mut next = choices.iter().peekable();
        for state in (0..n as u32).map(StateId) {
            rows.choice_ptr.push(rows.choice_action.len() as u32);
            let mut actions = HashSet::new();
            while let Some(choice) = next.next_if(|c| c.state == state) {
                if !actions.insert(choice.action.as_str()) {
                    self.faults.error(
                        choice.span.clone(),
                        format!(
                            "state {:?} has two choices named {:?}",
                            self.state_names[state.index()],
                            choice.action
                        ),
                    );
                }
                self.check_row(choice, &mut rows);
                let fresh = action_ids.len() as u32;
                let id = *action_ids.entry(choice.action.clone()).or_insert(fresh);
                rows.choice_action.push(id);
            }
            if actions.is_empty() {
                self.faults.error_with_help(
                    self.state_spans[state.index()].clone(),
                    format!("state {:?} has no choice", self.state_names[state.index()]),
                    "a terminal state is an absorbing one: give it a choice that leads back to itself",
                );
            }
        }
        rows.choice_ptr.push(rows.choice_action.len() as u32);
        if u32::try_from(rows.successors.len()).is_err() {
            self.faults.error(None, "more than 2^32 - 1 transitions");
        }

        let mut action_names = vec![String::new(); action_ids.len()];
        for (name, id) in action_ids {
            action_names[id as usize] = name;
        }
        let start = self.check_start();
        let state_labels = self.check_state_labels();
        let choice_labels = self.check_choice_labels(&rows, &action_names);
        let coordinates = self.check_coordinates();
        let base = self.check_base_states();
        if let Some(state) = self.layout.as_ref().and_then(GridLayout::max_state) {
            assert!(
                state.index() < n,
                "the layout mentions a state that does not exist"
            );
        }

        if self.faults.has_errors() {
            return Err(self.faults);
        }
        let mdp = Mdp {
            name: self.name,
            base_state: base,
            state_names: self.state_names,
            action_names,
            choice_action: rows.choice_action,
            choice_ptr: rows.choice_ptr,
            successor_ptr: {
                rows.successor_ptr.push(rows.successors.len() as u32);
                rows.successor_ptr
            },
            successors: rows.successors,
            probabilities: rows.probabilities,
            start,
            state_labels,
            choice_labels,
            reward_coordinate: coordinates,
            layout: self.layout,
        };
        Ok((mdp, self.faults))
    }

    fn check_row(&mut self, choice: &RawChoice, rows: &mut Rows) {
        let raw: Vec<(u32, f64)> = choice.to.iter().map(|&(s, p)| (s.0, p)).collect();
        let (row, faults) = normalise_row(&raw);
        let place = || {
            format!(
                "state {:?}, action {:?}",
                self.state_names[choice.state.index()],
                choice.action
            )
        };
        for fault in faults {
            let span = choice.span.clone();
            let name = |s: u32| &self.state_names[s as usize];
            match &fault {
                RowFault::BadProbability {
                    position,
                    probability,
                } => self.faults.error(
                    span,
                    format!(
                        "{}: successor {:?} has probability {probability}, which is not a probability",
                        place(),
                        name(raw[*position].0)
                    ),
                ),
                RowFault::RepeatedSuccessor { successor } => self.faults.error(
                    span,
                    format!("{}: successor {:?} stands twice", place(), name(*successor)),
                ),
                RowFault::SumOff { sum } if row.is_empty() => self.faults.error_with_help(
                    span,
                    format!("{}: no successor has a positive probability (sum {sum})", place()),
                    "leave an infeasible action out: a choice worth nothing is not a choice",
                ),
                RowFault::SumOff { .. } => {
                    self.faults.error(span, format!("{}: {fault}", place()));
                }
                RowFault::ZeroDropped { position } => self.faults.warning(
                    span,
                    format!(
                        "{}: successor {:?} has probability 0 and was dropped",
                        place(),
                        name(raw[*position].0)
                    ),
                ),
                RowFault::Renormalised { .. } => {
                    self.faults.warning(span, format!("{}: {fault}", place()));
                }
            }
        }
        rows.successor_ptr.push(rows.successors.len() as u32);
        for (s, p) in row {
            rows.successors.push(s);
            rows.probabilities.push(p);
        }
    }

    /// The start distribution; the first state where none was given.
    fn check_start(&mut self) -> Vec<(StateId, f64)> {
        if self.start.is_empty() {
            return vec![(StateId(0), 1.0)];
        }
        let raw: Vec<(u32, f64)> = self.start.iter().map(|&(s, p)| (s.0, p)).collect();
        let (row, faults) = normalise_row(&raw);
        for fault in faults {
            let message = format!("start: {fault}");
            if fault.is_error() {
                self.faults.error(self.start_span.clone(), message);
            } else {
                self.faults.warning(self.start_span.clone(), message);
            }
        }
        row.into_iter().map(|(s, p)| (StateId(s), p)).collect()
    }

    fn check_state_labels(&mut self) -> BTreeMap<String, Vec<StateId>> {
        let mut labels = BTreeMap::new();
        for (label, span, mut states) in std::mem::take(&mut self.state_labels) {
            if states.is_empty() {
                self.faults
                    .error(span.clone(), format!("label {label:?} names no state"));
            }
            states.sort_unstable();
            states.dedup();
            self.insert_label(&mut labels, label, span, states);
        }
        labels
    }

    fn check_choice_labels(
        &mut self,
        rows: &Rows,
        action_names: &[String],
    ) -> BTreeMap<String, Vec<ChoiceId>> {
        let mut labels = BTreeMap::new();
        for (label, span, pairs) in std::mem::take(&mut self.choice_labels) {
            if pairs.is_empty() {
                self.faults.error(
                    span.clone(),
                    format!("choice label {label:?} names no choice"),
                );
            }
            let mut choices = Vec::with_capacity(pairs.len());
            for (state, action) in pairs {
                let range = rows.choice_ptr[state.index()]..rows.choice_ptr[state.index() + 1];
                let found = range
                    .into_iter()
                    .find(|&c| action_names[rows.choice_action[c as usize] as usize] == action);
                match found {
                    Some(c) => choices.push(ChoiceId(c)),
                    None => self.faults.error(
                        span.clone(),
                        format!(
                            "choice label {label:?}: state {:?} has no choice {action:?}",
                            self.state_names[state.index()]
                        ),
                    ),
                }
            }
            choices.sort_unstable();
            choices.dedup();
            self.insert_label(&mut labels, label, span, choices);
        }
        labels
    }

    fn insert_label<T>(
        &mut self,
        labels: &mut BTreeMap<String, Vec<T>>,
        label: String,
        span: Option<Span>,
        members: Vec<T>,
    ) {
        if label.is_empty() {
            self.faults.error(span.clone(), "a label has an empty name");
        }
        match labels.entry(label) {
            Entry::Occupied(known) => {
                let message = format!("the label {:?} is given twice", known.key());
                self.faults.error(span, message);
            }
            Entry::Vacant(free) => {
                free.insert(members);
            }
        }
    }

    fn check_base_states(&mut self) -> Vec<BaseState> {
        let n = self.state_names.len();
        match self.base.take() {
            Some(base) if base.len() == n => base,
            Some(base) => {
                self.faults
                    .error(None, format!("{} base states for {n} states", base.len()));
                Vec::new()
            }
            None => (0..n as u32).map(BaseState::Of).collect(),
        }
    }

    fn check_coordinates(&mut self) -> Vec<Option<u32>> {
        let n = self.state_names.len();
        match self.coordinates.take() {
            Some(coordinates) if coordinates.len() == n => coordinates,
            Some(coordinates) => {
                self.faults.error(
                    None,
                    format!("{} reward coordinates for {n} states", coordinates.len()),
                );
                Vec::new()
            }
            None => (0..n as u32).map(Some).collect(),
        }
    }
}

/// The arrays of an [`Mdp`] while they grow.
#[derive(Default)]
struct Rows {
    choice_ptr: Vec<u32>,
    choice_action: Vec<u32>,
    successor_ptr: Vec<u32>,
    successors: Vec<u32>,
    probabilities: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_without_a_name_is_a_fault() {
        let labelled = |label: &str| {
            let mut builder = MdpBuilder::new("one");
            let only = builder.state("only");
            builder.absorbing(only);
            builder.label(label, vec![only]);
            builder.build()
        };
        assert!(labelled("exit").is_ok());
        let faults = labelled("").unwrap_err().to_string();
        assert_eq!(faults, "error: a label has an empty name");
    }
}

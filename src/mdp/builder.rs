//! The one way to make an [`Mdp`]: describe it, then [`build`](MdpBuilder::build) or get every fault at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::validate::{normalise_row, plain_sum};
use super::{BaseState, ChoiceCoordinate, GridLayout, Mdp, RowFault};
use crate::document::{Faults, Severity, Span};
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

/// A choice in the builder: 24 bytes, because there may be tens of millions.
#[derive(Clone, Copy, Debug)]
struct Choice {
    state: StateId,
    /// Number of the action in the order in which actions were first named.
    action: u32,
    /// First place in `successors`.
    start: usize,
    /// Number of successors.
    length: u32,
    /// Number of the choice as it was described, by which its span is found.
    number: u32,
}

/// Faults of rows: all of them are told unless a reader sets a limit.
#[derive(Debug)]
struct RowFaults {
    most: usize,
    found: usize,
}

impl Default for RowFaults {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            found: 0,
        }
    }
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
    action_ids: HashMap<String, u32>,
    choices: Vec<Choice>,
    /// Where choices stand in the source; empty as long as no choice has a place.
    choice_spans: Vec<Option<Span>>,
    /// The rows of all choices, one after the other, as they were described.
    successors: Vec<u32>,
    probabilities: Vec<f64>,
    row_faults: RowFaults,
    start: Vec<(StateId, f64)>,
    start_span: Option<Span>,
    state_labels: Vec<RawLabel<StateId>>,
    choice_labels: Vec<RawLabel<(StateId, String)>>,
    coordinates: Option<Vec<Option<u32>>>,
    choice_coordinates: Option<Vec<ChoiceCoordinate>>,
    base: Option<Vec<BaseState>>,
    layout: Option<GridLayout>,
    keeps_rows: bool,
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

    /// Name of a state that was added.
    ///
    /// # Panics
    ///
    /// If there is no such state.
    #[must_use]
    pub fn state_name(&self, state: StateId) -> &str {
        &self.state_names[state.index()]
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
        if let Some(span) = choice.span {
            // Choices without a place may have gone before.
            self.choice_spans.resize(self.choices.len(), None);
            self.choice_spans.push(Some(span));
        }
        let (states, probabilities): (Vec<u32>, Vec<f64>) =
            choice.to.iter().map(|&(s, p)| (s.0, p)).unzip();
        self.row(choice.state, &choice.action, &states, &probabilities);
    }

    /// Adds a choice given by two slices of one length: the successors' numbers and their probabilities. The way for
    /// readers of millions: nothing is kept but the numbers.
    ///
    /// # Panics
    ///
    /// If the slices differ in length. A successor that is no state panics in [`build`](Self::build).
    pub fn row(&mut self, state: StateId, action: &str, successors: &[u32], probabilities: &[f64]) {
        assert_eq!(successors.len(), probabilities.len());
        let fresh = self.action_ids.len() as u32;
        let action = match self.action_ids.get(action) {
            Some(&known) => known,
            None => *self.action_ids.entry(action.to_owned()).or_insert(fresh),
        };
        self.choices.push(Choice {
            state,
            action,
            start: self.successors.len(),
            length: successors.len() as u32,
            number: self.choices.len() as u32,
        });
        self.successors.extend_from_slice(successors);
        self.probabilities.extend_from_slice(probabilities);
    }

    /// Makes room for so many further choices and transitions, where a reader knows them beforehand.
    pub fn reserve(&mut self, choices: usize, transitions: usize) {
        self.choices.reserve(choices);
        self.successors.reserve(transitions);
        self.probabilities.reserve(transitions);
    }

    /// Tells at most so many faults and warnings about choices and their rows, and counts the rest: for files in which one
    /// slip makes millions of them.
    pub fn limit_row_faults(&mut self, most: usize) {
        self.row_faults.most = most;
    }

    /// Keeps rows that sum to one but for rounding as they are, bit by bit, instead of dividing them by their sum: for MDPs that
    /// are made of other MDPs' rows.
    pub fn keep_rows(&mut self) {
        self.keeps_rows = true;
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

    /// Sets every choice's reward coordinate, `[n_choices]`, in the order of the states and of their choices. Without this call choice `c` has its own.
    pub fn choice_coordinates(&mut self, coordinates: Vec<ChoiceCoordinate>) {
        self.choice_coordinates = Some(coordinates);
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
        let mut action_names = vec![String::new(); self.action_ids.len()];
        for (name, &id) in &self.action_ids {
            action_names[id as usize].clone_from(name);
        }
        let rows = self.build_rows(&action_names);
        let (choice_action, action_names) = renumber(&rows.choice_action, &action_names);
        let rows = Rows {
            choice_action,
            ..rows
        };
        let start = self.check_start();
        if !self.keeps_rows {
            self.check_shared_names();
        }
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
        if let Some(coordinates) = &self.choice_coordinates {
            assert_eq!(
                coordinates.len(),
                rows.choice_action.len(),
                "a coordinate for every choice"
            );
        }
        let mdp = Mdp {
            name: self.name,
            base_state: base,
            state_names: self.state_names,
            action_names,
            choice_action: rows.choice_action,
            choice_ptr: rows.choice_ptr,
            successor_ptr: {
                let mut successor_ptr = rows.successor_ptr;
                successor_ptr.push(rows.successors.len() as u32);
                successor_ptr
            },
            successors: rows.successors,
            probabilities: rows.probabilities,
            start,
            state_labels,
            choice_labels,
            reward_coordinate: coordinates,
            // The choices' own numbers need not be said.
            choice_coordinate: self.choice_coordinates.filter(|coordinates| {
                let own = (0..).map(ChoiceCoordinate::Of);
                !coordinates.iter().copied().eq(own.take(coordinates.len()))
            }),
            layout: self.layout,
        };
        Ok((mdp, self.faults))
    }

    /// Checks every row and puts the choices in the order of their states. Actions keep the builder's numbers.
    fn build_rows(&mut self, action_names: &[String]) -> Rows {
        let mut choices = std::mem::take(&mut self.choices);
        if !choices.is_sorted_by_key(|c| c.state) {
            // Stable: choices keep the order in which they were described within each state.
            choices.sort_by_key(|c| c.state);
        }
        let mut rows =
            Rows::with_room(self.state_names.len(), choices.len(), self.successors.len());
        // The last state in which each action was met.
        let mut met = vec![None; action_names.len()];
        let mut next = choices.iter().peekable();
        for state in (0..self.state_names.len() as u32).map(StateId) {
            rows.choice_ptr.push(rows.choice_action.len() as u32);
            let before = rows.choice_action.len();
            while let Some(choice) = next.next_if(|c| c.state == state) {
                let action = &action_names[choice.action as usize];
                if met[choice.action as usize].replace(state) == Some(state) {
                    let name = &self.state_names[state.index()];
                    let message = format!("state {name:?} has two choices named {action:?}");
                    self.row_fault(choice, Severity::Error, message, None);
                }
                self.check_row(choice, action, &mut rows);
                rows.choice_action.push(choice.action);
            }
            if rows.choice_action.len() == before {
                self.report_no_choice(state);
            }
        }
        rows.choice_ptr.push(rows.choice_action.len() as u32);
        if u32::try_from(rows.successors.len()).is_err() {
            self.faults.error(None, "more than 2^32 - 1 transitions");
        }
        if let Some(more) = self.row_faults.untold() {
            self.faults.error(
                None,
                format!("and {more} more faults and warnings about choices"),
            );
        }
        rows
    }

    fn report_no_choice(&mut self, state: StateId) {
        if self.row_faults.tells() {
            self.faults.error_with_help(
                self.state_spans[state.index()].clone(),
                format!("state {:?} has no choice", self.state_names[state.index()]),
                "a terminal state is an absorbing one: give it a choice that leads back to itself",
            );
        }
    }

    fn row_fault(
        &mut self,
        choice: &Choice,
        severity: Severity,
        message: String,
        help: Option<&str>,
    ) {
        if !self.row_faults.tells() {
            return;
        }
        let span = self.choice_spans.get(choice.number as usize);
        let span = span.cloned().flatten();
        match (severity, help) {
            (Severity::Warning, _) => self.faults.warning(span, message),
            (Severity::Error, None) => self.faults.error(span, message),
            (Severity::Error, Some(help)) => self.faults.error_with_help(span, message, help),
        }
    }

    fn check_row(&mut self, choice: &Choice, action: &str, rows: &mut Rows) {
        let range = choice.start..choice.start + choice.length as usize;
        let (successors, probabilities) =
            (&self.successors[range.clone()], &self.probabilities[range]);
        rows.successor_ptr.push(rows.successors.len() as u32);
        if let Some(sum) = plain_sum(successors, probabilities) {
            let last = successors.last().map_or(0, |&s| s as usize);
            assert!(last < self.state_names.len(), "an unknown successor");
            rows.successors.extend_from_slice(successors);
            let sum = if self.keeps_rows { 1.0 } else { sum };
            // Division by one changes nothing.
            rows.probabilities
                .extend(probabilities.iter().map(|p| p / sum));
            return;
        }
        let pairs = successors
            .iter()
            .copied()
            .zip(probabilities.iter().copied());
        let raw: Vec<(u32, f64)> = pairs.collect();
        let (row, faults) = normalise_row(&raw);
        for fault in faults {
            let (severity, message, help) = self.row_message(&fault, choice.state, action, &raw);
            self.row_fault(choice, severity, message, help);
        }
        for (s, p) in row {
            rows.successors.push(s);
            rows.probabilities.push(p);
        }
    }

    /// A row's fault in the user's names.
    fn row_message(
        &self,
        fault: &RowFault,
        state: StateId,
        action: &str,
        raw: &[(u32, f64)],
    ) -> (Severity, String, Option<&'static str>) {
        let place = format!(
            "state {:?}, action {action:?}",
            self.state_names[state.index()]
        );
        let name = |s: u32| &self.state_names[s as usize];
        let severity = match fault.is_error() {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let (what, help) = match fault {
            RowFault::BadProbability {
                position,
                probability,
            } => (
                format!(
                    "successor {:?} has probability {probability}, which is not a probability",
                    name(raw[*position].0)
                ),
                None,
            ),
            RowFault::RepeatedSuccessor { successor } => (
                format!("successor {:?} stands twice", name(*successor)),
                None,
            ),
            RowFault::SumOff { sum } if raw.iter().all(|&(_, p)| p == 0.0) => (
                format!("no successor has a positive probability (sum {sum})"),
                Some("leave an infeasible action out: a choice worth nothing is not a choice"),
            ),
            RowFault::ZeroDropped { position } => (
                format!(
                    "successor {:?} has probability 0 and was dropped",
                    name(raw[*position].0)
                ),
                None,
            ),
            RowFault::SumOff { .. } | RowFault::Renormalised { .. } => (fault.to_string(), None),
        };
        (severity, format!("{place}: {what}"), help)
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

    /// A name means a state before it means a label of states, and that before a label of choices: a label that something else is called, too, could never be asked for. Not
    /// looked at in MDPs that are made of others, in which labels gain copies of states.
    fn check_shared_names(&mut self) {
        let mut faults = Vec::new();
        for (label, span, states) in &self.state_labels {
            if let Some(state) = self.by_name.get(label)
                && states.iter().any(|s| s != state)
            {
                let place = self.place_of(self.state_spans[state.index()].as_ref());
                let message = format!(
                    "{label:?} is a label of other states, and a state{place}: the name would mean the state, and never the label"
                );
                faults.push((span.clone(), message));
            }
        }
        for (label, span, _) in &self.choice_labels {
            let labels = &self.state_labels;
            let label_span = labels.iter().find(|(name, ..)| name == label);
            let other = match self.by_name.get(label) {
                Some(state) => Some(("state", &self.state_spans[state.index()])),
                None => label_span.map(|(_, span, _)| ("label of states", span)),
            };
            if let Some((what, other)) = other {
                let place = self.place_of(other.as_ref());
                let message = format!(
                    "{label:?} is a label of choices, and a {what}{place}: the name would mean the {what}, and never the choices"
                );
                faults.push((span.clone(), message));
            }
        }
        for (span, message) in faults {
            let help = "give the label another name";
            self.faults.error_with_help(span, message, help);
        }
    }

    /// ` (line 3)`, where that is known.
    fn place_of(&self, span: Option<&Span>) -> String {
        let source = self.faults.source.as_ref();
        let line = source.zip(span).map(|(source, span)| {
            let (line, _) = source.line_column(span.start);
            format!(" (line {line})")
        });
        line.unwrap_or_default()
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

impl RowFaults {
    /// Counts a fault, and says whether it is told.
    fn tells(&mut self) -> bool {
        self.found += 1;
        self.found <= self.most
    }

    fn untold(&self) -> Option<usize> {
        self.found.checked_sub(self.most).filter(|&more| more > 0)
    }
}

/// Numbers the actions in the order in which the choices meet them: equal MDPs are equal however they were described.
fn renumber(choice_action: &[u32], names: &[String]) -> (Vec<u32>, Vec<String>) {
    let mut numbers = vec![None; names.len()];
    let mut met = Vec::new();
    let each = choice_action.iter().map(|&action| {
        *numbers[action as usize].get_or_insert_with(|| {
            met.push(names[action as usize].clone());
            met.len() as u32 - 1
        })
    });
    (each.collect(), met)
}

/// The arrays of an [`Mdp`] while they grow.
struct Rows {
    choice_ptr: Vec<u32>,
    choice_action: Vec<u32>,
    successor_ptr: Vec<u32>,
    successors: Vec<u32>,
    probabilities: Vec<f64>,
}

impl Rows {
    fn with_room(states: usize, choices: usize, transitions: usize) -> Self {
        Self {
            choice_ptr: Vec::with_capacity(states + 1),
            choice_action: Vec::with_capacity(choices),
            successor_ptr: Vec::with_capacity(choices + 1),
            successors: Vec::with_capacity(transitions),
            probabilities: Vec::with_capacity(transitions),
        }
    }
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

//! MDPs from NumPy archives: dense tensors, and sparse matrices as SciPy saves them.
//!
//! Every form is brought into rows (`csr.rs`) and handed to the builder state by state. The arrays are tabled in
//! `docs/formats.md`.

mod write;

use std::collections::HashSet;

use super::csr::{self, Csr, PARTS};
use super::npy::{self, Problem};
use super::npz::Arrays;
use super::{Limited, stem};
use crate::document::{Faults, SourceText};
use crate::mdp::{Mdp, MdpBuilder};
use crate::units::StateId;

pub use write::write_npz;

/// Faults and warnings about rows that are told one by one.
const SHOWN: usize = 20;

/// Which index of a tensor is the state's, and which the action's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `T[s, a, s']`; of a matrix of stacked rows, row `s * actions + a`.
    StateAction,
    /// `T[a, s, s']`, the order of pymdptoolbox; of a matrix of stacked rows, row `a * states + s`.
    ActionState,
}

impl Layout {
    /// Both.
    pub const ALL: [Self; 2] = [Self::StateAction, Self::ActionState];

    /// The word for it in files and on the command line: `sas` or `ass`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StateAction => "sas",
            Self::ActionState => "ass",
        }
    }
}

/// Where the row of a (state, action) pair is.
enum Order {
    /// One matrix of all pairs.
    Stacked(Layout),
    /// One matrix an action.
    PerAction,
    /// One row a choice: its state and its action.
    PerChoice(Vec<u32>, Vec<u32>),
}

/// All transitions of a file.
struct Transitions {
    states: usize,
    actions: usize,
    order: Order,
    matrices: Vec<Csr>,
    /// Names that the form itself gives to actions.
    action_names: Option<Vec<String>>,
}

impl Transitions {
    /// The row of a pair, where rows are by pairs.
    fn row(&self, state: usize, action: usize) -> (&[u32], &[f64]) {
        match self.order {
            Order::Stacked(Layout::StateAction) => {
                self.matrices[0].row(state * self.actions + action)
            }
            Order::Stacked(Layout::ActionState) => {
                self.matrices[0].row(action * self.states + state)
            }
            Order::PerAction => self.matrices[action].row(state),
            Order::PerChoice(..) => (&[], &[]),
        }
    }
}

/// Reads an MDP from opened arrays; `layout` where the caller knows it.
pub(super) fn read(
    file: &str,
    arrays: Result<Arrays, Problem>,
    layout: Option<Layout>,
) -> Result<(Mdp, Faults), Faults> {
    let mut faults = Faults::about(SourceText::new(file, ""));
    let arrays = match arrays {
        Ok(arrays) => arrays,
        Err(problem) => {
            faults.error(None, format!("the file {problem}"));
            return Err(faults);
        }
    };
    Reading {
        arrays,
        faults,
        used: HashSet::new(),
    }
    .read(stem(file), layout)
}

struct Reading {
    arrays: Arrays,
    faults: Faults,
    /// Arrays that mean something here.
    used: HashSet<String>,
}

impl Reading {
    fn read(mut self, name: String, layout: Option<Layout>) -> Result<(Mdp, Faults), Faults> {
        let name = self.word("name").unwrap_or(name);
        let transitions = self.transitions(layout);
        let Some(transitions) = transitions else {
            // Names can be judged by themselves.
            self.names("state_names", None, "states");
            self.names("action_names", None, "actions");
            return Err(self.faults);
        };
        let (states, actions) = (transitions.states, transitions.actions);
        let state_names = self.names("state_names", Some(states), "states");
        let action_names = self.names("action_names", Some(actions), "actions");
        let action_names = action_names.or(transitions.action_names.clone());
        let action_names =
            action_names.unwrap_or_else(|| (0..actions).map(|a| format!("a{a}")).collect());
        let available = self.available(&transitions);
        let start = self.start(states);
        let labels = self.labels(&transitions);
        self.warn_of_unused();

        let mut builder = MdpBuilder::with_faults(name, self.faults);
        builder.limit_row_faults(SHOWN);
        match state_names {
            Some(names) => names.into_iter().for_each(|name| {
                builder.state(name);
            }),
            None => (0..states).for_each(|s| {
                builder.state(format!("s{s}"));
            }),
        }
        add_choices(
            &transitions,
            &action_names,
            available.as_deref(),
            &mut builder,
        );
        builder.start_distribution(start, None);
        for (label, members) in labels.states {
            builder.label(label, members);
        }
        for (label, members) in labels.choices {
            let named = members
                .into_iter()
                .map(|(s, a)| (s, action_names[a].clone()))
                .collect();
            builder.choice_label_at(label, None, named);
        }
        drop(transitions);
        builder.build_with_warnings()
    }

    fn has(&self, name: &str) -> bool {
        self.arrays.has(name)
    }

    /// Marks an array as known and says whether it is there.
    fn take(&mut self, name: &str) -> bool {
        self.used.insert(name.to_owned());
        self.has(name)
    }

    fn error(&mut self, message: String) {
        self.faults.error(None, message);
    }

    fn keep<T>(&mut self, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.error(message)).ok()
    }

    /// A text that stands alone.
    fn word(&mut self, name: &str) -> Option<String> {
        if !self.take(name) {
            return None;
        }
        let read = csr::read(name, &mut self.arrays, |array| array.text());
        self.keep(read)
    }

    fn transitions(&mut self, layout: Option<Layout>) -> Option<Transitions> {
        let layout = self.layout(layout);
        let tensors: Vec<&str> = ["T", "P"]
            .into_iter()
            .filter(|name| self.has(name))
            .collect();
        let stacked = PARTS[..3].iter().any(|part| self.has(part));
        let per_action = self.prefixes();
        match (&tensors[..], stacked, &per_action[..]) {
            ([tensor], false, []) => self.dense(tensor, layout?),
            ([], true, []) if self.has("choice_state") => self.per_choice(),
            ([], true, []) => self.stacked(layout?),
            ([], false, [_, ..]) => self.per_action(per_action),
            ([], false, []) => {
                let found = match self.arrays.names() {
                    [] => "none".to_owned(),
                    names => names.join(", "),
                };
                self.faults.error_with_help(
                    None,
                    format!("no transitions among the arrays ({found})"),
                    "save a dense tensor as `T`, or a sparse matrix as `data`, `indices`, `indptr` and `shape`, or one such matrix \
                     an action under `ACTION/data` and so on",
                );
                None
            }
            _ => {
                let mut given: Vec<String> =
                    tensors.iter().map(|t| format!("array {t:?}")).collect();
                given.extend(stacked.then(|| "a matrix in `data`, `indices`, `indptr`".to_owned()));
                given.extend(
                    (!per_action.is_empty())
                        .then(|| format!("matrices for {}", per_action.join(", "))),
                );
                self.error(format!(
                    "transitions are given more than once: {}",
                    given.join("; ")
                ));
                None
            }
        }
    }

    /// The layout that was asked for, by the caller or in the file. `None` for one that cannot be read; `Some(None)` for none.
    fn layout(&mut self, asked: Option<Layout>) -> Option<Option<Layout>> {
        let Some(word) = self.word("layout") else {
            return (!self.has("layout")).then_some(asked);
        };
        let found = Layout::ALL.into_iter().find(|layout| layout.name() == word);
        if found.is_none() {
            self.error(format!(
                "array \"layout\" must be \"sas\" or \"ass\", this is {word:?}"
            ));
        }
        found.map(|found| asked.or(Some(found)))
    }

    /// The actions of the form with a matrix each, in the order of the file.
    fn prefixes(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for name in self.arrays.names() {
            let Some((prefix, part)) = name.rsplit_once('/') else {
                continue;
            };
            let is_label = ["label", "choice_label"].contains(&prefix);
            if PARTS.contains(&part) && !is_label && !found.iter().any(|p| p == prefix) {
                found.push(prefix.to_owned());
            }
        }
        found
    }

    fn dense(&mut self, name: &str, layout: Option<Layout>) -> Option<Transitions> {
        self.used.insert(name.to_owned());
        let read = csr::read(name, &mut self.arrays, |array| {
            let text = array.header.shape_text();
            let [first, second, last] = array.header.shape[..] else {
                return Err(format!("has the shape {text}, not three dimensions"));
            };
            let layout = match (layout, first == last, second == last) {
                (Some(layout), _, _) => layout,
                (None, true, false) => Layout::StateAction,
                (None, false, true) => Layout::ActionState,
                (None, true, true) => {
                    return Err(format!(
                        "has the shape {text}: as many actions as states; say which is which by --layout sas for T[s, a, s'] or --layout ass \
                     for T[a, s, s'], or by an array `layout` that holds one of these words"
                    ));
                }
                (None, false, false) => {
                    return Err(format!(
                        "has the shape {text}: no index but the last runs over states"
                    ));
                }
            };
            let (states, actions) = match layout {
                Layout::StateAction => (first, second),
                Layout::ActionState => (second, first),
            };
            if states == 0 || actions == 0 {
                return Err(format!("has the shape {text}: nothing is in it"));
            }
            if states != last {
                return Err(format!(
                    "has the shape {text}, which is not {} with {last} states",
                    layout.name()
                ));
            }
            let rows = first
                .checked_mul(second)
                .filter(|&rows| u32::try_from(rows).is_ok());
            let rows =
                rows.ok_or_else(|| format!("has the shape {text}, more than 2^32 - 1 choices"))?;
            let matrix = match array.header.fortran_order {
                false => dense_rows(array, rows, last)?,
                true => dense_columns(array, [first, second, last])?,
            };
            Ok((states, actions, layout, matrix))
        });
        let (states, actions, layout, matrix) = self.keep(read)?;
        Some(Transitions {
            states,
            actions,
            order: Order::Stacked(layout),
            matrices: vec![matrix],
            action_names: None,
        })
    }

    fn matrix(&mut self, prefix: &str) -> Option<Csr> {
        for part in PARTS {
            self.used.insert(format!("{prefix}{part}"));
        }
        if let Some(format) = self
            .word(&format!("{prefix}format"))
            .filter(|format| format != "csr")
        {
            self.faults.error_with_help(
                None,
                format!("array \"{prefix}format\" is {format:?}: not compressed rows"),
                "call `.tocsr()` before saving",
            );
            return None;
        }
        let before = self.faults.errors().count();
        let matrix = Csr::read(prefix, &mut self.arrays, &mut self.faults)?;
        (self.faults.errors().count() == before).then_some(matrix)
    }

    fn stacked(&mut self, layout: Option<Layout>) -> Option<Transitions> {
        let matrix = self.matrix("")?;
        let (rows, states) = (matrix.rows(), matrix.columns);
        if states == 0 || rows == 0 || rows % states != 0 {
            self.error(format!(
                "array \"shape\" is ({rows}, {states}): the rows are no multiple of the states"
            ));
            return None;
        }
        let actions = rows / states;
        let layout = match layout {
            Some(layout) => layout,
            None if actions == 1 => Layout::StateAction,
            None => {
                self.faults.error_with_help(
                    None,
                    format!("{actions} actions times {states} states are stacked, but nothing says in which order"),
                    "say --layout ass for one action's matrix above the other (scipy.sparse.vstack) or --layout sas for all rows of one state \
                     after the other, or save an array `layout` that holds one of these words",
                );
                return None;
            }
        };
        Some(Transitions {
            states,
            actions,
            order: Order::Stacked(layout),
            matrices: vec![matrix],
            action_names: None,
        })
    }

    fn per_action(&mut self, names: Vec<String>) -> Option<Transitions> {
        let matrices: Vec<Option<Csr>> = names
            .iter()
            .map(|name| self.matrix(&format!("{name}/")))
            .collect();
        let matrices: Vec<Csr> = matrices.into_iter().collect::<Option<_>>()?;
        let states = matrices[0].columns;
        for (name, matrix) in names.iter().zip(&matrices) {
            let shape = (matrix.rows(), matrix.columns);
            if shape != (states, states) {
                self.error(format!(
                    "array \"{name}/shape\" is {shape:?}, where ({states}, {states}) is wanted"
                ));
            }
        }
        let transitions = Transitions {
            states,
            actions: names.len(),
            order: Order::PerAction,
            matrices,
            action_names: Some(names),
        };
        (!self.faults.has_errors()).then_some(transitions)
    }

    fn per_choice(&mut self) -> Option<Transitions> {
        let matrix = self.matrix("");
        self.take("choice_state");
        let states = matrix.as_ref().map_or(u32::MAX as usize, |m| m.columns);
        let choice_state = csr::numbers_below(
            "choice_state",
            states,
            "states",
            &mut self.arrays,
            &mut self.faults,
        );
        let actions = match self.take("action_names") {
            true => {
                let read = csr::read("action_names", &mut self.arrays, |array| {
                    Ok(array.header.count)
                });
                self.keep(read)
            }
            false => Some(u32::MAX as usize),
        };
        self.take("choice_action");
        let actions = actions.unwrap_or(u32::MAX as usize);
        let choice_action = csr::numbers_below(
            "choice_action",
            actions,
            "actions",
            &mut self.arrays,
            &mut self.faults,
        );
        let (matrix, choice_state, choice_action) = (matrix?, choice_state?, choice_action?);
        // Every state is given a name before anybody sees that it has no choice.
        if matrix.columns > matrix.rows() {
            self.error(format!(
                "array \"shape\" is ({}, {}): {} states, but no more than {} choices",
                matrix.rows(),
                matrix.columns,
                matrix.columns,
                matrix.rows()
            ));
        }
        for (name, list) in [
            ("choice_state", &choice_state),
            ("choice_action", &choice_action),
        ] {
            if list.len() != matrix.rows() {
                self.error(format!(
                    "array {name:?} has {} elements for {} rows",
                    list.len(),
                    matrix.rows()
                ));
            }
        }
        if self.faults.has_errors() {
            return None;
        }
        let actions = choice_action.iter().max().map_or(0, |&a| a as usize + 1);
        let actions = match self.has("action_names") {
            true => csr::read("action_names", &mut self.arrays, |array| {
                Ok(array.header.count)
            })
            .unwrap_or(actions),
            // Names are made up for each: as many as there are rows are enough.
            false if actions > matrix.rows() => {
                self.error(format!(
                    "array \"choice_action\" numbers {actions} actions in {} rows",
                    matrix.rows()
                ));
                return None;
            }
            false => actions,
        };
        let order = Order::PerChoice(choice_state, choice_action);
        Some(Transitions {
            states,
            actions,
            order,
            matrices: vec![matrix],
            action_names: None,
        })
    }

    /// Names without a fault; those with one have been told, and made-up ones stand in for them.
    fn names(&mut self, array: &str, count: Option<usize>, of: &str) -> Option<Vec<String>> {
        if !self.take(array) {
            return None;
        }
        let before = self.faults.errors().count();
        let read = csr::read(array, &mut self.arrays, |array| array.texts());
        let names = self.keep(read)?;
        if let Some(count) = count.filter(|&count| count != names.len()) {
            self.error(format!(
                "array {array:?} holds {} names for {count} {of}",
                names.len()
            ));
        }
        let (mut seen, mut bad) = (HashSet::new(), Limited::default());
        for (i, name) in names.iter().enumerate() {
            let problem = match name.is_empty() {
                true => "the name is empty".to_owned(),
                false if !seen.insert(name) => format!("{name:?} stands twice"),
                false => continue,
            };
            bad.error(
                &mut self.faults,
                None,
                format!("array {array:?}, element {i}: {problem}"),
            );
        }
        bad.finish(
            &mut self.faults,
            &format!("elements of array {array:?} that are wrong"),
        );
        (self.faults.errors().count() == before).then_some(names)
    }

    /// `available[s, a]`.
    fn available(&mut self, transitions: &Transitions) -> Option<Vec<bool>> {
        if !self.take("available") {
            return None;
        }
        if let Order::PerChoice(..) = transitions.order {
            self.error("array \"available\" has no meaning beside \"choice_state\": a row is a choice that is there".to_owned());
            return None;
        }
        self.flags("available", &[transitions.states, transitions.actions])
    }

    /// Booleans, or numbers of which 0 is false.
    fn flags(&mut self, name: &str, shape: &[usize]) -> Option<Vec<bool>> {
        let read = csr::read(name, &mut self.arrays, |array| {
            if array.header.shape != shape {
                let wanted = npy::shape_text(shape);
                return Err(format!(
                    "has the shape {}, where {wanted} is wanted",
                    array.header.shape_text()
                ));
            }
            Ok(array.numbers()?.into_iter().map(|x| x != 0.0).collect())
        });
        self.keep(read)
    }

    /// `start`: a state's number, or a probability for every state.
    fn start(&mut self, states: usize) -> Vec<(StateId, f64)> {
        if !self.take("start") {
            return Vec::new();
        }
        let read = csr::read("start", &mut self.arrays, |array| {
            let header = array.header.clone();
            if header.element.is_integer() && header.count == 1 {
                let number = array.numbers()?[0];
                return match number >= 0.0 && number < states as f64 {
                    true => Ok(vec![(StateId(number as u32), 1.0)]),
                    false => Err(format!("is {number}, but there are {states} states")),
                };
            }
            if header.shape != [states] || header.element.is_integer() {
                return Err(format!(
                    "has the shape {}; it holds the number of a state, or {states} probabilities (floats)",
                    header.shape_text()
                ));
            }
            let all = array.numbers()?.into_iter().enumerate();
            let start: Vec<_> = all
                .filter(|&(_, p)| p != 0.0)
                .map(|(s, p)| (StateId(s as u32), p))
                .collect();
            match start.is_empty() {
                true => Err("is 0 everywhere".to_owned()),
                false => Ok(start),
            }
        });
        self.keep(read).unwrap_or_default()
    }

    fn labels(&mut self, transitions: &Transitions) -> Labels {
        let mut labels = Labels::default();
        let (states, actions) = (transitions.states, transitions.actions);
        for name in self.arrays.names().to_vec() {
            if let Some(label) = name.strip_prefix("label/") {
                self.take(&name);
                if let Some(members) = self.members(&name, states) {
                    labels.states.push((label.to_owned(), members));
                }
            } else if let Some(label) = name.strip_prefix("choice_label/") {
                self.take(&name);
                let members = match &transitions.order {
                    Order::PerChoice(of_state, of_action) => {
                        self.flags(&name, &[of_state.len()]).map(|flags| {
                            let marked = (0..flags.len()).filter(|&c| flags[c]);
                            marked
                                .map(|c| (StateId(of_state[c]), of_action[c] as usize))
                                .collect()
                        })
                    }
                    _ => self.flags(&name, &[states, actions]).map(|flags| {
                        let marked = (0..flags.len()).filter(|&i| flags[i]);
                        marked
                            .map(|i| (StateId((i / actions) as u32), i % actions))
                            .collect()
                    }),
                };
                if let Some(members) = members {
                    labels.choices.push((label.to_owned(), members));
                }
            }
        }
        labels
    }

    /// States by a flag each, or by their numbers.
    fn members(&mut self, name: &str, states: usize) -> Option<Vec<StateId>> {
        let read = csr::read(name, &mut self.arrays, |array| {
            Ok(array.header.element.is_integer())
        });
        if self.keep(read)? {
            let numbers =
                csr::numbers_below(name, states, "states", &mut self.arrays, &mut self.faults)?;
            return Some(numbers.into_iter().map(StateId).collect());
        }
        let flags = self.flags(name, &[states])?;
        Some(
            (0..states)
                .filter(|&s| flags[s])
                .map(|s| StateId(s as u32))
                .collect(),
        )
    }

    fn warn_of_unused(&mut self) {
        for name in self.arrays.names() {
            if !self.used.contains(name) {
                self.faults
                    .warning(None, format!("array {name:?} is not used"));
            }
        }
    }
}

#[derive(Default)]
struct Labels {
    states: Vec<(String, Vec<StateId>)>,
    choices: Vec<(String, Vec<(StateId, usize)>)>,
}

/// The entries that are not zero, of a tensor whose last index runs fastest.
fn dense_rows(
    array: npy::ArrayReader<impl std::io::Read>,
    rows: usize,
    columns: usize,
) -> Result<Csr, Problem> {
    let mut matrix = Csr {
        columns,
        pointers: npy::reserve(rows + 1)?,
        ..Csr::default()
    };
    let (mut column, mut overflow) = (0, false);
    array.each_number(|numbers| {
        for &p in numbers {
            if column == 0 {
                matrix.pointers.push(matrix.data.len() as u32);
            }
            if p != 0.0 {
                matrix.indices.push(column as u32);
                matrix.data.push(p);
            }
            column = if column + 1 == columns { 0 } else { column + 1 };
        }
        overflow |= u32::try_from(matrix.data.len()).is_err();
    })?;
    matrix.pointers.push(matrix.data.len() as u32);
    match overflow {
        true => Err("has more than 2^32 - 1 entries that are not 0".to_owned()),
        false => Ok(matrix),
    }
}

/// The same for one whose first index runs fastest.
fn dense_columns(
    array: npy::ArrayReader<impl std::io::Read>,
    shape: [usize; 3],
) -> Result<Csr, Problem> {
    let [first, second, columns] = shape;
    let rows = first * second;
    let mut entries: Vec<(u32, u32, f64)> = Vec::new();
    let mut counts: Vec<u32> = npy::reserve(rows + 1)?;
    counts.resize(rows + 1, 0);
    let mut at = 0;
    array.each_number(|numbers| {
        for &p in numbers {
            if p != 0.0 {
                let (pair, column) = (at % rows, at / rows);
                let row = (pair % first) * second + pair / first;
                entries.push((row as u32, column as u32, p));
                counts[row + 1] += 1;
            }
            at += 1;
        }
    })?;
    if u32::try_from(entries.len()).is_err() {
        return Err("has more than 2^32 - 1 entries that are not 0".to_owned());
    }
    for row in 0..rows {
        counts[row + 1] += counts[row];
    }
    let pointers = counts.clone();
    let mut matrix = Csr {
        columns,
        pointers,
        indices: vec![0; entries.len()],
        data: vec![0.0; entries.len()],
    };
    // Columns come ascending, so every row's do.
    for (row, column, p) in entries {
        let place = &mut counts[row as usize];
        matrix.indices[*place as usize] = column;
        matrix.data[*place as usize] = p;
        *place += 1;
    }
    Ok(matrix)
}

/// Hands the rows to the builder. Stored zeros are no successors; a row without any is no choice unless `available` says so.
fn add_choices(
    transitions: &Transitions,
    actions: &[String],
    available: Option<&[bool]>,
    builder: &mut MdpBuilder,
) {
    let entries = transitions.matrices.iter().map(|m| m.data.len()).sum();
    let mut scratch = Scratch::default();
    if let Order::PerChoice(of_state, of_action) = &transitions.order {
        builder.reserve(of_state.len(), entries);
        for (choice, (&state, &action)) in of_state.iter().zip(of_action).enumerate() {
            let (successors, probabilities) =
                scratch.without_zeros(transitions.matrices[0].row(choice));
            builder.row(
                StateId(state),
                &actions[action as usize],
                successors,
                probabilities,
            );
        }
        return;
    }
    builder.reserve(transitions.states * transitions.actions, entries);
    for state in 0..transitions.states {
        for (action, name) in actions.iter().enumerate() {
            let (successors, probabilities) = scratch.without_zeros(transitions.row(state, action));
            let is_choice = match available {
                Some(flags) => flags[state * transitions.actions + action],
                None => !successors.is_empty(),
            };
            if is_choice {
                builder.row(StateId(state as u32), name, successors, probabilities);
            }
        }
    }
}

#[derive(Default)]
struct Scratch {
    successors: Vec<u32>,
    probabilities: Vec<f64>,
}

impl Scratch {
    fn without_zeros<'s>(&'s mut self, row: (&'s [u32], &'s [f64])) -> (&'s [u32], &'s [f64]) {
        if row.1.iter().all(|&p| p != 0.0) {
            return row;
        }
        let kept = row
            .0
            .iter()
            .copied()
            .zip(row.1.iter().copied())
            .filter(|&(_, p)| p != 0.0);
        (self.successors, self.probabilities) = kept.unzip();
        (&self.successors, &self.probabilities)
    }
}

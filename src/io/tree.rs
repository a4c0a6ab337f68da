//! The tree form: `states`, `start`, `transitions`, `labels`, `choice_labels`.

use crate::document::{Node, Span, Spanned, TableReader};
use crate::mdp::{MdpBuilder, RawChoice};
use crate::units::StateId;

/// Reads states, transitions and start into the builder. `None` when there is no list of states to speak of.
pub(super) fn read(table: &mut TableReader<'_>, builder: &mut MdpBuilder) -> Option<()> {
    let states = table.require("states", builder.faults());
    let transitions = table.require("transitions", builder.faults());
    let ids = states.and_then(|node| read_states(node, builder));
    let rows = transitions.and_then(|node| entries_of(node, "`transitions`", builder));
    let ids = ids?;
    match rows {
        Some(rows) => read_transitions(rows, builder),
        // That no state has a choice follows from what has been reported.
        None => ids.iter().for_each(|&id| stand_in(id, builder)),
    }
    read_start(table, builder);
    Some(())
}

/// What a file says about the start.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// One state.
    State(StateId),
    /// A distribution.
    Distribution,
    /// Something with a fault in it, which has been reported.
    Faulty,
}

/// Reads `start`, a name or names with probabilities. `None` when the key is not there.
pub(super) fn read_start(table: &mut TableReader<'_>, builder: &mut MdpBuilder) -> Option<Start> {
    let node = table.take("start")?;
    let Some(start) = distribution(node, "start", builder) else {
        return Some(Start::Faulty);
    };
    let kind = match start[..] {
        // The builder takes an empty list for "none given" and would start in the first state.
        [] => {
            builder
                .faults()
                .error(node.span.clone(), "start names no state");
            Start::Faulty
        }
        [(state, _)] => Start::State(state),
        _ => Start::Distribution,
    };
    builder.start_distribution(start, Some(node.span.clone()));
    Some(kind)
}

/// Reads `labels` and `choice_labels`; every state and choice must be known by now.
pub(super) fn read_labels(table: &mut TableReader<'_>, builder: &mut MdpBuilder) {
    if let Some(node) = table.take("labels") {
        for (label, members) in entries_of(node, "`labels`", builder).unwrap_or_default() {
            read_state_label(label, members, builder);
        }
    }
    if let Some(node) = table.take("choice_labels") {
        for (label, members) in entries_of(node, "`choice_labels`", builder).unwrap_or_default() {
            read_choice_label(label, members, builder);
        }
    }
}

fn read_states(node: &Spanned<Node>, builder: &mut MdpBuilder) -> Option<Vec<StateId>> {
    let items = list_of(node, "`states`", builder)?;
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        if let Some(name) = string_of(item, "a state's name", builder) {
            let id = builder.state_at(name, Some(item.span.clone()));
            // A state whose name is empty or taken, which has been reported, cannot be given a row.
            if name.is_empty() || builder.resolve(name, "states", None) != Some(id) {
                stand_in(id, builder);
            }
            ids.push(id);
        }
    }
    Some(ids)
}

fn read_transitions(rows: &[(Spanned<String>, Spanned<Node>)], builder: &mut MdpBuilder) {
    for (name, row) in rows {
        let Some(state) = builder.resolve(&name.value, "transitions", Some(name.span.clone()))
        else {
            continue;
        };
        let place = format!("the row of state {:?}", name.value);
        let Some(choices) = list_of(row, &place, builder) else {
            stand_in(state, builder);
            continue;
        };
        for choice in choices {
            if read_choice(choice, state, &name.value, builder).is_none() {
                stand_in(state, builder);
            }
        }
    }
}

/// One `{action, to}`. `None` when a fault left no choice to check further.
fn read_choice(
    node: &Spanned<Node>,
    state: StateId,
    state_name: &str,
    builder: &mut MdpBuilder,
) -> Option<()> {
    let place = format!("a choice of state {state_name:?}");
    let mut table = TableReader::open(node, place, builder.faults())?;
    let missing = table.require("action", builder.faults()).is_none();
    let action = table.string("action", builder.faults());
    let to = table.require("to", builder.faults());
    table.finish(builder.faults());
    let action = match action {
        _ if missing => return None,
        Some(action) if action.value.is_empty() => {
            let message = format!("an action of state {state_name:?} has an empty name");
            builder.faults().error(action.span, message);
            // The row is still read: it may have faults of its own.
            action.value
        }
        action => action?.value,
    };
    let role = format!("state {state_name:?}, action {action:?}");
    // With a fault in the row its sum means nothing, but the action's name still counts.
    let row = distribution(to?, &role, builder).unwrap_or_else(|| vec![(state, 1.0)]);
    builder.raw_choice(RawChoice {
        state,
        action,
        to: row,
        span: Some(node.span.clone()),
    });
    Some(())
}

/// Keeps the builder from reporting "no choice" about a state whose choice was there, but faulty. Nothing is built
/// from a description with faults, so the made-up choice is never seen.
fn stand_in(state: StateId, builder: &mut MdpBuilder) {
    debug_assert!(builder.faults().has_errors());
    let action = format!("\0{}", builder.faults().list.len());
    builder.choice(state, action, [(state, 1.0)]);
}

/// A state's name, or a table of names and probabilities. `None` when a fault was found.
fn distribution(
    node: &Spanned<Node>,
    role: &str,
    builder: &mut MdpBuilder,
) -> Option<Vec<(StateId, f64)>> {
    match &node.value {
        Node::String(name) => {
            let state = builder.resolve(name, role, Some(node.span.clone()))?;
            Some(vec![(state, 1.0)])
        }
        Node::Table(entries) => {
            let mut row = Vec::with_capacity(entries.len());
            for (name, p) in entries {
                let state = builder.resolve(&name.value, role, Some(name.span.clone()));
                let p = probability(&name.value, p, role, builder);
                row.extend(state.zip(p));
            }
            (row.len() == entries.len()).then_some(row)
        }
        other => {
            let message = format!(
                "{role}: successors are a state's name or a table of names and probabilities, this is {}",
                other.type_name()
            );
            builder.faults().error(node.span.clone(), message);
            None
        }
    }
}

fn probability(
    name: &str,
    node: &Spanned<Node>,
    role: &str,
    builder: &mut MdpBuilder,
) -> Option<f64> {
    let message = match node.value.as_f64() {
        Some(p) if p.is_finite() && p >= 0.0 => return Some(p),
        Some(p) => format!("{role}: {name:?} has probability {p}, which is not a probability"),
        None => format!(
            "{role}: the probability of {name:?} must be a number, this is {}",
            node.value.type_name()
        ),
    };
    builder.faults().error(node.span.clone(), message);
    None
}

fn read_state_label(label: &Spanned<String>, node: &Spanned<Node>, builder: &mut MdpBuilder) {
    let role = format!("label {:?}", label.value);
    let items = items_of(node);
    let mut states = Vec::with_capacity(items.len());
    for item in &items {
        if let Some(name) = string_of(item, &format!("a state of {role}"), builder) {
            states.extend(builder.resolve(name, &role, Some(item.span.clone())));
        }
    }
    // A label left empty by faults is not an empty label.
    if items.is_empty() || !states.is_empty() {
        builder.label_at(label.value.clone(), Some(label.span.clone()), states);
    }
}

fn read_choice_label(label: &Spanned<String>, node: &Spanned<Node>, builder: &mut MdpBuilder) {
    let role = format!("choice label {:?}", label.value);
    let Some(items) = list_of(node, &role, builder) else {
        return;
    };
    let mut choices = Vec::with_capacity(items.len());
    for item in items {
        if let Some((state, action, span)) = pair_of(item, &role, builder) {
            let state = builder.resolve(state, &role, Some(span));
            choices.extend(state.map(|s| (s, action.to_owned())));
        }
    }
    if items.is_empty() || !choices.is_empty() {
        builder.choice_label_at(label.value.clone(), Some(label.span.clone()), choices);
    }
}

/// `[state, action]`, with the state's place.
fn pair_of<'a>(
    node: &'a Spanned<Node>,
    role: &str,
    builder: &mut MdpBuilder,
) -> Option<(&'a str, &'a str, Span)> {
    if let Node::Array(pair) = &node.value
        && let [state, action] = &pair[..]
        && let (Some(s), Some(a)) = (state.value.as_str(), action.value.as_str())
    {
        return Some((s, a, state.span.clone()));
    }
    let message = format!("{role}: a choice is written [\"state\", \"action\"]");
    builder.faults().error(node.span.clone(), message);
    None
}

fn string_of<'a>(node: &'a Spanned<Node>, what: &str, builder: &mut MdpBuilder) -> Option<&'a str> {
    let found = node.value.as_str();
    if found.is_none() {
        let message = format!(
            "{what} must be a string, this is {}",
            node.value.type_name()
        );
        builder.faults().error(node.span.clone(), message);
    }
    found
}

fn list_of<'a>(
    node: &'a Spanned<Node>,
    what: &str,
    builder: &mut MdpBuilder,
) -> Option<&'a [Spanned<Node>]> {
    match &node.value {
        Node::Array(items) => Some(items),
        other => {
            let message = format!("{what} must be a list, this is {}", other.type_name());
            builder.faults().error(node.span.clone(), message);
            None
        }
    }
}

/// The items of a list; any other node counts as a list of one.
fn items_of(node: &Spanned<Node>) -> Vec<&Spanned<Node>> {
    match &node.value {
        Node::Array(items) => items.iter().collect(),
        _ => vec![node],
    }
}

fn entries_of<'a>(
    node: &'a Spanned<Node>,
    what: &str,
    builder: &mut MdpBuilder,
) -> Option<&'a [(Spanned<String>, Spanned<Node>)]> {
    match &node.value {
        Node::Table(entries) => Some(entries),
        other => {
            let message = format!("{what} must be a table, this is {}", other.type_name());
            builder.faults().error(node.span.clone(), message);
            None
        }
    }
}

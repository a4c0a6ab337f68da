//! Gymnasium's tabular environments: the table `P` of `env.unwrapped.P` as JSON, which `scripts/gymnasium_to_json.py` writes.
//!
//! An episode that ends is absorption: a state that is only ever entered by transitions which end the episode has one choice, `stay`.
//! Only what the start can reach is looked at for this, since tables have rows for states that nobody can be in.

use std::collections::BTreeMap;

use super::Limited;
use super::tree::read_start;
use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::mdp::{MdpBuilder, RawChoice};
use crate::units::StateId;

/// One transition: `[probability, state, reward, ends]`, or without the reward.
struct Entry {
    probability: f64,
    to: usize,
    ends: bool,
}

/// One action of a state, with its place.
type Row = (Span, Vec<Entry>);

/// Reads `P` with what may stand beside it: `start` (a probability a state), `states` and `actions` (names), and three keys that say where
/// the table comes from. `None` when there is no table to speak of.
pub(super) fn read(
    node: &Spanned<Node>,
    table: &mut TableReader<'_>,
    builder: &mut MdpBuilder,
) -> Option<()> {
    table.take("gymnasium");
    table.take("environment");
    table.take("options");
    let names = names(table.take("states"), "states", builder.faults());
    let actions = names_of_actions(table, builder.faults());
    let states = numbered(node, "`P`", builder.faults())?;
    let n = states.len();
    let mut bad = Limited::default();
    let mut rows: Vec<Vec<Row>> = Vec::with_capacity(n);
    for (s, state) in states.into_iter().enumerate() {
        let choices =
            numbered(state, &format!("state {s} of `P`"), builder.faults()).unwrap_or_default();
        let read = choices.into_iter().enumerate();
        rows.push(
            read.map(|(a, choice)| row(choice, (s, a), n, &mut bad, builder.faults()))
                .collect(),
        );
    }
    bad.finish(builder.faults(), "entries of `P` that are wrong");
    check_counts(
        &rows,
        names.as_deref(),
        actions.as_deref(),
        node.span.clone(),
        builder.faults(),
    );
    if builder.faults().has_errors() {
        return None;
    }
    for s in 0..n {
        builder.state(
            names
                .as_ref()
                .map_or_else(|| format!("s{s}"), |names| names[s].clone()),
        );
    }
    let start = match table.take("start") {
        Some(node) if matches!(node.value, Node::Array(_)) => {
            Some(start_list(node, n, builder.faults())?)
        }
        _ => None,
    };
    if let Some((start, span)) = start.clone() {
        builder.start_distribution(start, Some(span));
    } else {
        read_start(table, builder);
    }
    let entered = Entered::of(&rows, start.map(|(start, _)| start));
    describe(rows, &entered, actions.as_deref(), builder);
    Some(())
}

/// A list, or a table whose keys are the numbers from 0 on: `json.dumps` makes one of a dictionary.
fn numbered<'a>(
    node: &'a Spanned<Node>,
    place: &str,
    faults: &mut Faults,
) -> Option<Vec<&'a Spanned<Node>>> {
    match &node.value {
        Node::Array(items) => Some(items.iter().collect()),
        Node::Table(entries) => {
            let mut found = BTreeMap::new();
            for (key, value) in entries {
                match key.value.parse::<usize>() {
                    Ok(number) if number < entries.len() => drop(found.insert(number, value)),
                    _ => faults.error(
                        key.span.clone(),
                        format!(
                            "{place} has the key {:?}; keys are the numbers from 0 to {}",
                            key.value,
                            entries.len() - 1
                        ),
                    ),
                }
            }
            (found.len() == entries.len()).then(|| found.into_values().collect())
        }
        other => {
            let message = format!(
                "{place} must be a list or a table of numbers, this is {}",
                other.type_name()
            );
            faults.error(node.span.clone(), message);
            None
        }
    }
}

fn names(node: Option<&Spanned<Node>>, key: &str, faults: &mut Faults) -> Option<Vec<String>> {
    let node = node?;
    let items = match &node.value {
        Node::Array(items) => items,
        other => {
            faults.error(
                node.span.clone(),
                format!(
                    "`{key}` must be a list of names, this is {}",
                    other.type_name()
                ),
            );
            return None;
        }
    };
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        match item.value.as_str() {
            Some(name) if !name.is_empty() => names.push(name.to_owned()),
            _ => faults.error(
                item.span.clone(),
                format!("a name in `{key}` must be a string, and not empty"),
            ),
        }
    }
    (names.len() == items.len()).then_some(names)
}

fn names_of_actions(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Vec<String>> {
    names(table.take("actions"), "actions", faults)
}

fn row(
    node: &Spanned<Node>,
    (s, a): (usize, usize),
    n: usize,
    bad: &mut Limited,
    faults: &mut Faults,
) -> Row {
    let mut entries = Vec::new();
    let Node::Array(items) = &node.value else {
        let message = format!(
            "state {s}, action {a} of `P` must be a list of transitions, this is {}",
            node.value.type_name()
        );
        bad.error(faults, node.span.clone(), message);
        return (node.span.clone(), entries);
    };
    for item in items {
        match entry(item, n) {
            Ok(entry) => entries.push(entry),
            Err(problem) => {
                bad.error_with_help(
                    faults,
                    item.span.clone(),
                    format!("state {s}, action {a} of `P`: {problem}"),
                    "a transition is [probability, state, reward, whether the episode ends], or the same without the reward",
                );
            }
        }
    }
    (node.span.clone(), entries)
}

fn entry(node: &Spanned<Node>, n: usize) -> Result<Entry, String> {
    let Node::Array(items) = &node.value else {
        return Err(format!(
            "a transition must be a list, this is {}",
            node.value.type_name()
        ));
    };
    let (probability, to, ends) = match &items[..] {
        [p, to, ends] => (p, to, ends),
        [p, to, reward, ends] if reward.value.as_f64().is_some() => (p, to, ends),
        [_, _, _, _] => return Err("the reward is not a number".to_owned()),
        _ => return Err(format!("a transition of {} items", items.len())),
    };
    let found = probability
        .value
        .as_f64()
        .ok_or("the probability is not a number")?;
    // Entries of one successor are added up, and a sum could hide what is wrong with them.
    if !(0.0..=1.0).contains(&found) {
        return Err(format!("{found} is not a probability"));
    }
    let to = match to.value {
        Node::Integer(to) => usize::try_from(to)
            .ok()
            .filter(|&to| to < n)
            .ok_or(format!("there is no state {to} among {n}"))?,
        _ => return Err("the state is not a whole number".to_owned()),
    };
    match ends.value {
        Node::Bool(ends) => Ok(Entry {
            probability: found,
            to,
            ends,
        }),
        _ => Err("the last item is not true or false".to_owned()),
    }
}

fn check_counts(
    rows: &[Vec<Row>],
    names: Option<&[String]>,
    actions: Option<&[String]>,
    span: Span,
    faults: &mut Faults,
) {
    let at = || span.start..(span.start + 1).min(span.end);
    if let Some(names) = names.filter(|names| names.len() != rows.len()) {
        faults.error(
            at(),
            format!(
                "{} names in `states` for {} states in `P`",
                names.len(),
                rows.len()
            ),
        );
    }
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    if let Some(actions) = actions.filter(|actions| actions.len() < most) {
        faults.error(
            at(),
            format!(
                "{} names in `actions`, but a state of `P` has {most}",
                actions.len()
            ),
        );
    }
}

fn start_list(
    node: &Spanned<Node>,
    n: usize,
    faults: &mut Faults,
) -> Option<(Vec<(StateId, f64)>, Span)> {
    let Node::Array(items) = &node.value else {
        return None;
    };
    let numbers: Option<Vec<f64>> = items.iter().map(|item| item.value.as_f64()).collect();
    match numbers {
        Some(numbers) if numbers.len() == n && numbers.iter().any(|&p| p != 0.0) => {
            let each = numbers.into_iter().enumerate().filter(|&(_, p)| p != 0.0);
            Some((
                each.map(|(s, p)| (StateId(s as u32), p)).collect(),
                node.span.clone(),
            ))
        }
        _ => {
            let message = format!(
                "`start` must hold {n} probabilities, one a state, not all 0; this holds {} items",
                items.len()
            );
            faults.error(node.span.clone(), message);
            None
        }
    }
}

/// How states are entered from what the start can reach.
struct Entered {
    going_on: Vec<bool>,
    ending: Vec<bool>,
}

impl Entered {
    /// Without a start every state counts as reached.
    fn of(rows: &[Vec<Row>], start: Option<Vec<(StateId, f64)>>) -> Self {
        let n = rows.len();
        let mut entered = Self {
            going_on: vec![false; n],
            ending: vec![false; n],
        };
        let mut left: Vec<usize> = match &start {
            Some(start) => start.iter().map(|(s, _)| s.index()).collect(),
            None => (0..n).collect(),
        };
        let mut reached = vec![false; n];
        left.iter().for_each(|&s| reached[s] = true);
        while let Some(s) = left.pop() {
            let entries = rows[s].iter().flat_map(|(_, entries)| entries);
            for entry in entries.filter(|entry| entry.probability > 0.0) {
                // Where an episode has ended nothing is entered any more; a state that leads to itself at its end has ended before.
                match entry.ends {
                    true => entered.ending[entry.to] |= true,
                    false => {
                        entered.going_on[entry.to] = true;
                        if !std::mem::replace(&mut reached[entry.to], true) {
                            left.push(entry.to);
                        }
                    }
                }
            }
        }
        if start.is_some() {
            // Whoever starts in a state is in it, and goes on.
            start
                .into_iter()
                .flatten()
                .for_each(|(s, _)| entered.going_on[s.index()] = true);
        }
        entered
    }

    fn is_terminal(&self, state: usize) -> bool {
        self.ending[state] && !self.going_on[state]
    }

    fn needs_copy(&self, state: usize) -> bool {
        self.ending[state] && self.going_on[state]
    }
}

fn describe(
    rows: Vec<Vec<Row>>,
    entered: &Entered,
    actions: Option<&[String]>,
    builder: &mut MdpBuilder,
) {
    let mut copies: BTreeMap<usize, StateId> = BTreeMap::new();
    for state in (0..rows.len()).filter(|&s| entered.needs_copy(s)) {
        let name = builder.state_name(StateId(state as u32)).to_owned();
        builder.faults().warning(
            None,
            format!(
                "some transitions into state {name:?} end the episode and others do not: those that do lead to a new absorbing state \
                 \"{name} (end)\", which has a reward of its own"
            ),
        );
        let copy = builder.state(format!("{name} (end)"));
        builder.absorbing(copy);
        copies.insert(state, copy);
    }
    for (s, choices) in rows.into_iter().enumerate() {
        let state = StateId(s as u32);
        if entered.is_terminal(s) {
            builder.absorbing(state);
            continue;
        }
        for (a, (span, entries)) in choices.into_iter().enumerate() {
            // A table lists a successor once for every way to it.
            let mut merged: Vec<(StateId, f64)> = Vec::new();
            for entry in entries.into_iter().filter(|entry| entry.probability != 0.0) {
                let plain = StateId(entry.to as u32);
                let to = copies
                    .get(&entry.to)
                    .copied()
                    .filter(|_| entry.ends)
                    .unwrap_or(plain);
                match merged.iter_mut().find(|(known, _)| *known == to) {
                    Some((_, p)) => *p += entry.probability,
                    None => merged.push((to, entry.probability)),
                }
            }
            let action = actions.map_or_else(|| format!("a{a}"), |names| names[a].clone());
            builder.raw_choice(RawChoice {
                state,
                action,
                to: merged,
                span: Some(span),
            });
        }
    }
}

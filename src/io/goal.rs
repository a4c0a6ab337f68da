//! Goals from files: one reward per state of a given MDP.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::{Format, ReadError, open};
use crate::document::{Faults, Node, SourceText, Span, Spanned, TableReader, nearest};
use crate::mdp::Mdp;
use crate::units::StateId;

/// Names shown in a message about many states.
const SHOWN: usize = 10;

/// Reads a goal from a `.json` or `.toml` file: rewards `[n_states]` in the order of the MDP's states.
///
/// # Errors
///
/// [`ReadError`]; its `Faults` hold all that is wrong with the content.
pub fn read_goal(path: &Path, mdp: &Mdp) -> Result<Vec<f64>, ReadError> {
    let (format, source) = open(path)?;
    parse_goal(format, source, mdp).map_err(ReadError::Faults)
}

/// Reads a goal from a text: a table from states to rewards or a list in the order of the states, standing alone or
/// under the key `rewards`.
///
/// ```
/// use powersweep::document::SourceText;
/// use powersweep::io::{Format, parse_goal};
/// use powersweep::mdp::MdpBuilder;
///
/// let mut builder = MdpBuilder::new("two");
/// let [a, b] = ["a", "b"].map(|name| builder.state(name));
/// builder.choice(a, "go", [(b, 1.0)]);
/// builder.absorbing(b);
/// let mdp = builder.build().unwrap();
///
/// let source = SourceText::new("goal.json", r#"{"b": 1, "a": 0.25}"#);
/// assert_eq!(parse_goal(Format::Json, source, &mdp).unwrap(), [0.25, 1.0]);
/// ```
///
/// # Errors
///
/// All faults: states without a reward, unknown states, rewards that are not finite numbers, a list of another length.
pub fn parse_goal(format: Format, source: Arc<SourceText>, mdp: &Mdp) -> Result<Vec<f64>, Faults> {
    let mut faults = Faults::about(source.clone());
    let Some(root) = format.parse(&source, &mut faults) else {
        return Err(faults);
    };
    let rewards = match find_rewards(&root, &mut faults) {
        Node::Array(items) => read_list(items, root.span.clone(), mdp, &mut faults),
        Node::Table(entries) => read_table(entries, root.span.clone(), mdp, &mut faults),
        other => {
            let message = format!(
                "a goal is a table of states and rewards or a list of rewards, this is {}",
                other.type_name()
            );
            faults.error(root.span.clone(), message);
            Vec::new()
        }
    };
    match faults.has_errors() {
        true => {
            faults.sort_by_place();
            Err(faults)
        }
        false => Ok(rewards),
    }
}

/// What stands under `rewards`, if that is a table or a list (a state may be named so), else the whole document.
fn find_rewards<'a>(root: &'a Spanned<Node>, faults: &mut Faults) -> &'a Node {
    let Node::Table(entries) = &root.value else {
        return &root.value;
    };
    let nested = |node: &Node| matches!(node, Node::Table(_) | Node::Array(_));
    let found = entries
        .iter()
        .find(|(key, node)| key.value == "rewards" && nested(&node.value));
    let (Some((_, rewards)), Some(mut table)) = (
        found,
        TableReader::open(root, "the file", &mut Faults::default()),
    ) else {
        return &root.value;
    };
    table.take("rewards");
    table.string("name", faults);
    table.string("description", faults);
    table.finish(faults);
    &rewards.value
}

fn read_list(items: &[Spanned<Node>], span: Span, mdp: &Mdp, faults: &mut Faults) -> Vec<f64> {
    let n = mdp.n_states();
    if items.len() != n {
        let message = format!("{} rewards for {n} states of {:?}", items.len(), mdp.name());
        faults.error(first_byte(span), message);
    }
    let name = |i: usize| match i < n {
        true => format!("{:?}", mdp.state_name(StateId(i as u32))),
        false => format!("number {i}"),
    };
    let read = |(i, item): (usize, &Spanned<Node>)| reward(item, || name(i), faults);
    items.iter().enumerate().map(read).collect()
}

fn read_table(
    entries: &[(Spanned<String>, Spanned<Node>)],
    span: Span,
    mdp: &Mdp,
    faults: &mut Faults,
) -> Vec<f64> {
    let by_name: HashMap<&str, usize> = names(mdp).enumerate().map(|(i, n)| (n, i)).collect();
    let mut rewards: Vec<Option<f64>> = vec![None; mdp.n_states()];
    let mut unknown = 0;
    for (state, value) in entries {
        let read = reward(value, || format!("{:?}", state.value), faults);
        match by_name.get(state.value.as_str()) {
            Some(&i) => rewards[i] = Some(read),
            None => {
                unknown += 1;
                report_unknown(state, mdp, unknown, faults);
            }
        }
    }
    let missing: Vec<&str> = names(mdp)
        .zip(&rewards)
        .filter_map(|(name, reward)| reward.is_none().then_some(name))
        .collect();
    if !missing.is_empty() {
        faults.error(first_byte(span), missing_message(&missing));
    }
    rewards.into_iter().map(Option::unwrap_or_default).collect()
}

fn reward(node: &Spanned<Node>, state: impl Fn() -> String, faults: &mut Faults) -> f64 {
    let message = match node.value.as_f64() {
        Some(x) if x.is_finite() => return x,
        Some(x) => format!(
            "the reward of state {} must be finite, this is {x}",
            state()
        ),
        None => format!(
            "the reward of state {} must be a number, this is {}",
            state(),
            node.value.type_name()
        ),
    };
    faults.error(node.span.clone(), message);
    0.0
}

/// The nearest name is looked up for the first few only: each look-up compares with every state.
fn report_unknown(state: &Spanned<String>, mdp: &Mdp, count: usize, faults: &mut Faults) {
    let message = format!("there is no state {:?} in {:?}", state.value, mdp.name());
    let names: Vec<&str> = match count <= SHOWN {
        true => names(mdp).collect(),
        false => Vec::new(),
    };
    match nearest(&state.value, &names) {
        Some(near) => {
            faults.error_with_help(
                state.span.clone(),
                message,
                format!("did you mean {near:?}?"),
            );
        }
        None => faults.error(state.span.clone(), message),
    }
}

fn missing_message(missing: &[&str]) -> String {
    let shown: Vec<String> = missing
        .iter()
        .take(SHOWN)
        .map(|n| format!("{n:?}"))
        .collect();
    let more = match missing.len() - shown.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("no reward for {}{more}", shown.join(", "))
}

fn names(mdp: &Mdp) -> impl Iterator<Item = &str> {
    mdp.states().map(|s| mdp.state_name(s))
}

fn first_byte(span: Span) -> Span {
    span.start..(span.start + 1).min(span.end)
}

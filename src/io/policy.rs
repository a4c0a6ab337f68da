//! Policies from files: what an agent does in every state of an MDP, with probabilities or without.

use std::io::Cursor;
use std::path::Path;

use super::npy::Problem;
use super::npz::Arrays;
use super::{Format, ReadError};
use crate::document::{Faults, Node, SourceText, Spanned};
use crate::solve::{PolicyRow, Which};

/// The array that holds the policy, where an archive holds several.
const POLICY: &str = "policy";

/// Extensions of policies.
const EXTENSIONS: [&str; 4] = ["npz", "npy", "json", "toml"];

/// Most numbers of a policy.
const MOST: usize = 1 << 27;

/// A policy as a file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRows {
    /// What is done in the states.
    pub rows: Vec<PolicyRow>,
    /// How many actions there are, where they have numbers and no names.
    pub columns: Option<usize>,
}

/// Reads a policy, with the bytes of its file.
///
/// `.npz` and `.npy`: an array `[n_states, n_actions]` of probabilities, or `[n_states]` of whole numbers, the action of every state; in an archive it is the array `policy`, else
/// the only one that is no text, and `state_names` and `action_names` say what rows and columns stand for. `.json` and `.toml`: see [`policy_of`].
///
/// # Errors
///
/// [`ReadError`]; its `Faults` hold all that is wrong with the content. Whether it fits an MDP is not looked at.
pub fn read_policy(path: &Path) -> Result<(PolicyRows, Vec<u8>), ReadError> {
    let extension = path.extension().and_then(|e| e.to_str());
    let extension = extension.map(str::to_ascii_lowercase).unwrap_or_default();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return Err(ReadError::UnknownExtension {
            path: path.into(),
            known: &EXTENSIONS,
        });
    }
    let bytes = std::fs::read(path).map_err(|error| ReadError::File {
        path: path.into(),
        error,
    })?;
    let read = parse_policy(&path.display().to_string(), &bytes);
    Ok((read.map_err(ReadError::Faults)?, bytes))
}

/// Reads a policy from the bytes of a file; `name` tells the format.
///
/// # Errors
///
/// All faults of the content.
pub fn parse_policy(name: &str, bytes: &[u8]) -> Result<PolicyRows, Faults> {
    let Some(format) = Format::of(Path::new(name)) else {
        let mut faults = Faults::about(SourceText::new(name, ""));
        let arrays = Arrays::read(Box::new(Cursor::new(bytes.to_vec())));
        return match numpy(arrays, &mut faults) {
            Some(rows) if !faults.has_errors() => Ok(rows),
            _ => Err(faults),
        };
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let mut faults = Faults::about(SourceText::new(name, ""));
            let offset = error.valid_up_to();
            let message = format!("not UTF-8 text (byte {offset} is not part of a character)");
            faults.error(None, message);
            return Err(faults);
        }
    };
    let source = SourceText::new(name, text);
    let mut faults = Faults::about(source.clone());
    let root = format.parse(&source, &mut faults);
    let rows = root.and_then(|root| policy_of(&root, &mut faults));
    match rows {
        Some(rows) if !faults.has_errors() => Ok(rows),
        _ => Err(faults),
    }
}

/// A table from states to what is done there, or a list in the order of the states. What is done is the name of an action, or a table from actions to probabilities; in a list also
/// the number of an action.
///
/// ```
/// use powersweep::document::{Faults, SourceText, parse_json};
/// use powersweep::io::policy_of;
/// let source = SourceText::new("p.json", r#"{"s0": "go", "s1": {"go": 0.25, "stay": 0.75}}"#);
/// let mut faults = Faults::default();
/// let root = parse_json(&source, &mut faults).unwrap();
/// assert_eq!(policy_of(&root, &mut faults).unwrap().rows.len(), 2);
/// ```
pub fn policy_of(node: &Spanned<Node>, faults: &mut Faults) -> Option<PolicyRows> {
    let states: Vec<(Which, &Spanned<Node>)> = match &node.value {
        Node::Table(entries) => entries
            .iter()
            .map(|(state, node)| (Which::Name(state.value.clone()), node))
            .collect(),
        Node::Array(items) => (items.iter().enumerate())
            .map(|(state, node)| (Which::Number(state), node))
            .collect(),
        other => {
            let message = format!(
                "a policy is a table of states and actions or a list of actions, this is {}",
                other.type_name()
            );
            faults.error(node.span.clone(), message);
            return None;
        }
    };
    let mut rows = Vec::new();
    for (state, node) in states {
        let is_listed = matches!(state, Which::Number(_));
        let shares = match &node.value {
            Node::String(action) => vec![(Which::Name(action.clone()), 1.0)],
            Node::Integer(at) if is_listed && usize::try_from(*at).is_ok() => {
                vec![(Which::Number(*at as usize), 1.0)]
            }
            Node::Table(entries) => {
                let each = entries.iter().filter_map(|(action, p)| {
                    let Some(number) = p.value.as_f64() else {
                        let message =
                            format!("a probability is a number, this is {}", p.value.type_name());
                        faults.error(p.span.clone(), message);
                        return None;
                    };
                    Some((Which::Name(action.value.clone()), number))
                });
                each.collect()
            }
            other => {
                let message = format!(
                    "what is done in a state is an action or a table of actions and probabilities, this is {}",
                    other.type_name()
                );
                faults.error(node.span.clone(), message);
                continue;
            }
        };
        rows.push(PolicyRow { state, shares });
    }
    Some(PolicyRows {
        rows,
        columns: None,
    })
}

fn numpy(arrays: Result<Arrays, Problem>, faults: &mut Faults) -> Option<PolicyRows> {
    let mut arrays = match arrays {
        Ok(arrays) => arrays,
        Err(problem) => {
            faults.error(None, format!("the file {problem}"));
            return None;
        }
    };
    let states = names("state_names", &mut arrays, faults);
    let actions = names("action_names", &mut arrays, faults);
    let name = policy_name(&mut arrays, faults)?;
    let called = match name.as_str() {
        "" => "the array".to_owned(),
        name => format!("array {name:?}"),
    };
    let read = arrays.array(&name)?.and_then(|array| {
        let (shape, is_whole) = (array.header.shape.clone(), array.header.element.is_integer());
        if array.header.count > MOST {
            return Err(format!("holds {} numbers, {MOST} are the most", array.header.count));
        }
        match shape[..] {
            [n] if is_whole => Ok((n, None, array.numbers()?)),
            [n, columns] => Ok((n, Some(columns), array.numbers()?)),
            _ => Err(format!(
                "has the shape {}: a policy has the shape (states, actions), or (states,) and whole numbers",
                array.header.shape_text()
            )),
        }
    });
    let (n, columns, values) = match read {
        Ok(read) => read,
        Err(problem) => {
            faults.error(None, format!("{called} {problem}"));
            return None;
        }
    };
    let mut fits = |what: &str, names: &Option<Vec<String>>, n: usize| {
        if let Some(names) = names.as_ref().filter(|names| names.len() != n) {
            let message = format!(
                "{called} has {n} {what}, and there are names for {}",
                names.len()
            );
            faults.error(None, message);
        }
    };
    fits("rows", &states, n);
    if let Some(columns) = columns {
        fits("columns", &actions, columns);
    }
    if faults.has_errors() {
        return None;
    }
    let of = |names: &Option<Vec<String>>, at: usize| match names {
        Some(names) => names.get(at).cloned().map(Which::Name),
        None => Some(Which::Number(at)),
    };
    let mut rows = Vec::with_capacity(n);
    for state in 0..n {
        let shares = match columns {
            None => {
                let action = values[state];
                let known = (action >= 0.0)
                    .then(|| of(&actions, action as usize))
                    .flatten();
                let Some(known) = known else {
                    faults.error(
                        None,
                        format!("{called}, element {state}: there is no action {action}"),
                    );
                    continue;
                };
                vec![(known, 1.0)]
            }
            Some(columns) => {
                let row = &values[state * columns..(state + 1) * columns];
                // What is never done need not be kept; a NaN must surface.
                let each = row.iter().enumerate().filter(|(_, p)| **p != 0.0);
                each.filter_map(|(a, p)| Some((of(&actions, a)?, *p)))
                    .collect()
            }
        };
        rows.push(PolicyRow {
            state: of(&states, state)?,
            shares,
        });
    }
    Some(PolicyRows {
        rows,
        columns: columns.filter(|_| actions.is_none()),
    })
}

fn names(name: &str, arrays: &mut Arrays, faults: &mut Faults) -> Option<Vec<String>> {
    match arrays.array(name)?.and_then(|array| array.texts()) {
        Ok(names) => Some(names),
        Err(problem) => {
            faults.error(None, format!("array {name:?} {problem}"));
            None
        }
    }
}

/// The array of the policy.
fn policy_name(arrays: &mut Arrays, faults: &mut Faults) -> Option<String> {
    let all = arrays.names().to_vec();
    match &all[..] {
        // A `.npy` file is one array.
        [only] if only.is_empty() => return Some(String::new()),
        names if names.iter().any(|name| name == POLICY) => return Some(POLICY.to_owned()),
        _ => {}
    }
    let is_text = |name: &&String| {
        let array = arrays.array(name);
        array.is_some_and(|read| read.is_ok_and(|array| array.header.element.is_text()))
    };
    let texts: Vec<&String> = all.iter().filter(is_text).collect();
    let mut others = all.iter().filter(|name| !texts.contains(name));
    if let (Some(only), None) = (others.next(), others.next()) {
        return Some(only.clone());
    }
    faults.error_with_help(
        None,
        format!("no array {POLICY:?} among {}", all.join(", ")),
        format!("save the probabilities as the array {POLICY:?} of shape (states, actions)"),
    );
    None
}

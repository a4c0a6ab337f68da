//! The `[condition]` table: which goals belong.

use std::collections::HashSet;
use std::path::Path;

use super::read::{in_range, one_of};
use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::experiment::run_spec::NO_CONDITION;
use crate::io::{ReadError, policy_of, read_policy};
use crate::mdp::Mdp;
use crate::solve::GivenPolicy;
use crate::statistics::{ConditionMethod, ConditionRequest, OptimalRequest, ReachRequest};

/// Entries of a list with their places.
type Entries<T> = Vec<Spanned<T>>;

/// Reads the table, and looks its names up in every environment as it is. `None` where it asks for nothing that can be told.
pub(super) fn read_condition(
    node: &Spanned<Node>,
    directory: &Path,
    environments: &[Mdp],
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<Spanned<ConditionRequest>> {
    let mut table = TableReader::open(node, "[condition]", faults)?;
    let before = faults.errors().count();
    let optimal = table.list("optimal").unwrap_or_default();
    let mut optimal = entries("optimal", &optimal, faults, read_optimal);
    let mut is_faulty = false;
    if let Some(policy) = table.take("policy") {
        let read = read_whole_policy(policy, directory, environments, faults, others);
        is_faulty = read.is_none();
        for value in read.unwrap_or_default() {
            let span = policy.span.clone();
            if !optimal.iter().any(|other| other.value == value) {
                optimal.push(Spanned { value, span });
            }
        }
    }
    let mut reached = |key: &'static str, faults: &mut Faults| -> Entries<ReachRequest> {
        let list = table.list(key).unwrap_or_default();
        entries(key, &list, faults, |node, faults| {
            read_reach(key, node, faults)
        })
    };
    let (reach, avoid) = (reached("reach", faults), reached("avoid", faults));
    let strict = table.boolean("strict", faults);
    let methods = ConditionMethod::ALL.map(|m| (m.name(), m));
    let method = table.string("method", faults);
    let method = method.and_then(|word| one_of("method of [condition]", &word, &methods, faults));
    let span = table.span();
    table.finish(faults);
    let places = [
        ("optimal", spans(&optimal)),
        ("reach", spans(&reach)),
        ("avoid", spans(&avoid)),
    ];
    let request = ConditionRequest {
        optimal: values(optimal),
        strict: strict.is_some_and(|yes| yes.value),
        reach: values(reach),
        avoid: values(avoid),
        method: method.unwrap_or_default(),
    };
    if request.is_empty() && faults.errors().count() == before {
        faults.error(span.clone(), NO_CONDITION);
    }
    let mut told = HashSet::new();
    for mdp in environments {
        for name in request.resolve(mdp).err().unwrap_or_default() {
            if !told.insert((name.statistic, name.position)) {
                continue;
            }
            let of_list = places.iter().find(|(key, _)| *key == name.statistic);
            let span = of_list.and_then(|(_, spans)| spans.get(name.position).cloned());
            let message = format!("{} has no {} {:?}", name.mdp, name.wanted, name.name);
            match name.nearest {
                Some(near) => {
                    faults.error_with_help(span, message, format!("did you mean {near:?}?"));
                }
                None => faults.error(span, message),
            }
        }
    }
    // In some of many MDPs it may be so, and their cells say it; in all of them there is nothing to run.
    let mut impossible = environments.iter().map(|mdp| request.impossible(mdp));
    if let Some(first) = impossible.next()
        && told.is_empty()
        && impossible.all(|others| !others.is_empty())
    {
        for (key, position, why) in first {
            let of_key = places.iter().find(|(name, _)| *name == key);
            let span = of_key.and_then(|(_, spans)| spans.get(position).cloned());
            let message = format!("`{key}` of [condition]: no goal can meet it: {why}");
            faults.error(span, message);
        }
    }
    // What a policy that could not be read leaves out is not missing.
    (!is_faulty).then_some(Spanned {
        value: request,
        span,
    })
}

/// A file with a policy, or a table from states to actions: every choice that it makes where there is one. Names are those of the first environment.
fn read_whole_policy(
    node: &Spanned<Node>,
    directory: &Path,
    environments: &[Mdp],
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<Vec<OptimalRequest>> {
    let rows = match &node.value {
        Node::String(path) => match read_policy(&directory.join(path)) {
            Ok((rows, _)) => rows,
            Err(ReadError::Faults(of_file)) => {
                others.push(of_file);
                return None;
            }
            Err(error) => {
                faults.error(node.span.clone(), error.to_string());
                return None;
            }
        },
        _ => policy_of(node, faults)?,
    };
    let mdp = environments.first()?;
    let policy = GivenPolicy::new("policy", rows.rows, rows.columns);
    let problems = match policy.shares(mdp, mdp) {
        Ok(shares) => {
            let several = mdp.states().filter(|s| mdp.choices(*s).len() > 1);
            let own = several.map(|state| {
                let name = mdp.state_name(state).to_owned();
                let choice = mdp.choices(state).find(|c| shares[c.index()] == 1.0);
                let random = || format!("it takes several actions in {name:?}, each with some probability: no goal but by ties makes that optimal");
                let choice = choice.ok_or_else(random)?;
                Ok(OptimalRequest::Choice {
                    action: mdp.action_name(choice).to_owned(),
                    state: name,
                })
            });
            let own: Vec<Result<OptimalRequest, String>> = own.collect();
            match own.iter().find_map(|choice| choice.as_ref().err()) {
                Some(problem) => vec![problem.clone()],
                None => return Some(own.into_iter().flatten().collect()),
            }
        }
        Err(problems) => problems,
    };
    // One fault: a whole policy may be written there.
    let message = format!("`policy` of [condition]: {}", problems.join("; "));
    faults.error(node.span.clone(), message);
    None
}

fn spans<T>(entries: &Entries<T>) -> Vec<Span> {
    entries.iter().map(|e| e.span.clone()).collect()
}

fn values<T>(entries: Entries<T>) -> Vec<T> {
    entries.into_iter().map(|e| e.value).collect()
}

/// Reads a list of different entries.
fn entries<T: PartialEq>(
    key: &str,
    list: &[&Spanned<Node>],
    faults: &mut Faults,
    mut read: impl FnMut(&Spanned<Node>, &mut Faults) -> Option<T>,
) -> Entries<T> {
    let mut all: Entries<T> = Vec::new();
    for node in list {
        let Some(value) = read(node, faults) else {
            continue;
        };
        if all.iter().any(|other| other.value == value) {
            let message = format!("an entry stands twice in `{key}` of [condition]");
            faults.error(node.span.clone(), message);
            continue;
        }
        all.push(Spanned {
            value,
            span: node.span.clone(),
        });
    }
    all
}

fn read_optimal(node: &Spanned<Node>, faults: &mut Faults) -> Option<OptimalRequest> {
    read_choice(node, ["optimal", "[condition]"], faults)
}

/// A label of choices, or a table with a `state` and an `action`, under a key of a table.
pub(super) fn read_choice(
    node: &Spanned<Node>,
    [key, place]: [&str; 2],
    faults: &mut Faults,
) -> Option<OptimalRequest> {
    match &node.value {
        Node::String(label) => Some(OptimalRequest::Label(label.clone())),
        Node::Table(_) => {
            let mut table = TableReader::open(node, format!("a choice of {place}"), faults)?;
            table.require("state", faults);
            table.require("action", faults);
            let state = table.string("state", faults);
            let action = table.string("action", faults);
            table.finish(faults);
            Some(OptimalRequest::Choice {
                state: state?.value,
                action: action?.value,
            })
        }
        other => {
            let message = format!(
                "`{key}` in {place} holds labels of choices and tables {{ state, action }}, this is {}",
                other.type_name()
            );
            faults.error(node.span.clone(), message);
            None
        }
    }
}

/// A name, or a table with a `label`, and how soon and how likely it is to be reached or avoided.
fn read_reach(key: &str, node: &Spanned<Node>, faults: &mut Faults) -> Option<ReachRequest> {
    let certainly = |label: String| ReachRequest {
        label,
        within: None,
        probability: 1.0,
    };
    match &node.value {
        Node::String(label) => Some(certainly(label.clone())),
        Node::Table(_) => {
            let mut table = TableReader::open(node, "an entry of [condition]", faults)?;
            table.require("label", faults);
            let label = table.string("label", faults);
            let within = super::statistics::read_steps(&mut table, faults);
            let probability = table.number("probability", faults);
            let between = |p: f64| p > 0.0 && p <= 1.0;
            let probability = probability
                .map(|p| in_range(p, "`probability`", "above 0 and at most 1", between, faults));
            table.finish(faults);
            Some(ReachRequest {
                within,
                probability: probability.unwrap_or(Some(1.0))?,
                ..certainly(label?.value)
            })
        }
        other => {
            let message = format!(
                "`{key}` in [condition] holds names and tables, this is {}",
                other.type_name()
            );
            faults.error(node.span.clone(), message);
            None
        }
    }
}

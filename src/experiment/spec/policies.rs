//! The key `policy` of `[agent]`: policies from outside, in files or written out.

use std::path::Path;
use std::sync::Arc;

use super::InputFile;
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::io::{ReadError, policy_of, read_policy};
use crate::solve::{DecisionRule, GivenPolicy, Level, Rule};

/// One policy with where it came from.
#[derive(Clone, Debug)]
pub struct PolicyEntry {
    /// The policy under its name.
    pub policy: Arc<GivenPolicy>,
    pub(super) source: PolicySource,
}

/// Where a policy is written.
#[derive(Clone, Debug)]
pub(super) enum PolicySource {
    /// In a file: its name as it was written, and the file.
    File(String, InputFile),
    /// In the experiment file.
    Inline(Node),
}

impl PolicyEntry {
    /// The agent that follows it.
    #[must_use]
    pub fn rule(&self) -> DecisionRule {
        DecisionRule {
            rule: Rule::Given(self.policy.clone()),
            level: Level::Action,
        }
    }

    /// The file it was read from.
    pub(super) fn file(&self) -> Option<&InputFile> {
        match &self.source {
            PolicySource::File(_, file) => Some(file),
            PolicySource::Inline(_) => None,
        }
    }
}

/// Reads the policies of a list, with their places; names must differ. Faults of files go to `others`.
pub(super) fn read_policies(
    list: &[&Spanned<Node>],
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Vec<Spanned<PolicyEntry>> {
    let mut policies: Vec<Spanned<PolicyEntry>> = Vec::new();
    for node in list {
        let Some(entry) = read_one(node, directory, faults, others) else {
            continue;
        };
        let name = entry.policy.name();
        if policies.iter().any(|p| p.value.policy.name() == name) {
            faults.error_with_help(
                node.span.clone(),
                format!("two policies are named {name:?}"),
                "give each policy its own `name`",
            );
            continue;
        }
        policies.push(Spanned {
            value: entry,
            span: node.span.clone(),
        });
    }
    policies
}

/// A file's name, or a table with a `name` and either a `path` or `choices`.
fn read_one(
    node: &Spanned<Node>,
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<PolicyEntry> {
    if let Node::String(path) = &node.value {
        let path = Spanned {
            value: path.clone(),
            span: node.span.clone(),
        };
        return of_file(None, path, directory, faults, others);
    }
    let mut table = TableReader::open(node, "a policy", faults)?;
    let name = table.string("name", faults);
    let path = table.string("path", faults);
    let choices = table.take("choices");
    table.finish(faults);
    match (path, choices) {
        (Some(path), None) => of_file(name.map(|n| n.value), path, directory, faults, others),
        (None, Some(choices)) => {
            let rows = policy_of(choices, faults)?;
            let Some(name) = name else {
                let message = "a policy that is written out needs a `name`";
                faults.error(node.span.clone(), message);
                return None;
            };
            Some(PolicyEntry {
                policy: Arc::new(GivenPolicy::new(name.value, rows.rows, rows.columns)),
                source: PolicySource::Inline(choices.value.clone()),
            })
        }
        _ => {
            let message = "a policy has either a `path` or `choices`";
            faults.error(node.span.clone(), message);
            None
        }
    }
}

fn of_file(
    name: Option<String>,
    path: Spanned<String>,
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<PolicyEntry> {
    let place = directory.join(&path.value);
    let (rows, bytes) = match read_policy(&place) {
        Ok(read) => read,
        Err(ReadError::Faults(of_file)) => {
            others.push(of_file);
            return None;
        }
        Err(error) => {
            faults.error(path.span, error.to_string());
            return None;
        }
    };
    let stem = || {
        let stem = place.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    Some(PolicyEntry {
        policy: Arc::new(GivenPolicy::new(
            name.unwrap_or_else(stem),
            rows.rows,
            rows.columns,
        )),
        source: PolicySource::File(path.value, InputFile { path: place, bytes }),
    })
}

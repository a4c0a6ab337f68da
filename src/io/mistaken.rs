//! Files that are something else than what is wanted: an MDP for an experiment, an experiment or a run directory for an MDP.

use std::path::Path;

use super::{MdpFormat, ReadError};
use crate::document::{Faults, Node, Spanned};

/// Keys that an MDP's tree has and an experiment's has not.
const OF_MDP: [&str; 5] = ["grid", "family", "states", "transitions", "P"];
/// Keys that an experiment has and an MDP's tree has not.
const OF_EXPERIMENT: [&str; 4] = ["schema", "mdp", "solve", "sample"];

/// What every run directory holds.
const OF_RUN: &str = "inputs/experiment.toml";

/// Where an experiment is wanted: what the path alone says against it.
pub(crate) fn no_experiment(path: &Path) -> Result<(), ReadError> {
    no_directory(
        path,
        "an experiment file",
        "`powersweep run {}` runs it again, `powersweep rerun` says whether it comes to the same",
    )?;
    match MdpFormat::of(path) {
        None | Some(MdpFormat::Toml) => Ok(()),
        Some(_) => Err(ReadError::Mistaken {
            path: path.into(),
            what: "seems to be an MDP",
            wanted: "an experiment file (TOML)",
            help: as_mdp(path),
        }),
    }
}

/// The same of what it holds: one fault in place of one for each key.
pub(crate) fn is_mdp(root: &Spanned<Node>, path: &Path, faults: &mut Faults) -> bool {
    let Some((key, _)) = found(root, &OF_MDP, &OF_EXPERIMENT) else {
        return false;
    };
    let message = "this seems to be an MDP, where an experiment file is wanted";
    faults.error_with_help(key.span.clone(), message, as_mdp(path));
    true
}

fn as_mdp(path: &Path) -> String {
    let name = path.display();
    format!(
        "an experiment file names it: `schema = 1`, `[mdp]` with `path = {:?}`, `[solve]` with `discount = 0.9`; `powersweep inspect {name}` shows the MDP itself",
        name.to_string()
    )
}

/// Where an MDP is wanted: what the path alone says against it.
pub(super) fn no_mdp(path: &Path) -> Result<(), ReadError> {
    no_directory(
        path,
        "an MDP file",
        "its MDPs are in inputs/mdp; `powersweep run {}` runs it again",
    )
}

/// The same of what it holds.
pub(super) fn is_experiment(root: &Spanned<Node>, path: &str, faults: &mut Faults) -> bool {
    let Some((key, entries)) = found(root, &OF_EXPERIMENT, &OF_MDP) else {
        return false;
    };
    let is_it = |name: &str| entries.iter().any(|(key, _)| key.value == name);
    if !is_it("mdp") && !is_it("solve") {
        return false;
    }
    faults.error_with_help(
        key.span.clone(),
        "this seems to be an experiment file, where an MDP is wanted",
        format!(
            "the MDP is the file that its [mdp] names; `powersweep run {path}` runs the experiment, with `--print-config` it is checked alone, `powersweep plan {path}` says what it takes"
        ),
    );
    true
}

type Entries = [(Spanned<String>, Spanned<Node>)];

/// The first of some keys of a table, unless one of the others is there.
fn found<'n>(
    root: &'n Spanned<Node>,
    wanted: &[&str],
    others: &[&str],
) -> Option<(&'n Spanned<String>, &'n Entries)> {
    let Node::Table(entries) = &root.value else {
        return None;
    };
    let is_one = |key: &Spanned<String>, of: &[&str]| of.contains(&key.value.as_str());
    if entries.iter().any(|(key, _)| is_one(key, others)) {
        return None;
    }
    let mut keys = entries.iter().map(|(key, _)| key);
    Some((keys.find(|key| is_one(key, wanted))?, entries))
}

/// `help` of a run directory, with the experiment in place of `{}`.
fn no_directory(path: &Path, wanted: &'static str, help: &str) -> Result<(), ReadError> {
    if !path.is_dir() {
        return Ok(());
    }
    let experiment = path.join(OF_RUN);
    let (what, help) = match experiment.is_file() {
        true => (
            "is a run directory",
            help.replace("{}", &experiment.display().to_string()),
        ),
        false => ("is a directory", "name one of its files".to_owned()),
    };
    Err(ReadError::Mistaken {
        path: path.into(),
        what,
        wanted,
        help,
    })
}

//! MDPs as POWERplay's stochastic graphs.

use std::io::Write;

use crate::io::format::{WriteError, in_memory};
use crate::mdp::Mdp;
use crate::units::StateId;

/// Writes an MDP. Start, labels and the layout of a grid are left out: the form has no room for them.
///
/// # Errors
///
/// A name that the form cannot hold: one with `]__[`, or one that ends in a backslash.
pub fn write_graphviz(mdp: &Mdp) -> Result<String, WriteError> {
    in_memory(|to| write(mdp, to))
}

/// The same, state by state.
pub(in super::super) fn write(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    writeln!(to, "strict digraph {{")?;
    for state in mdp.states() {
        writeln!(to, "{};", node(&[mdp.state_name(state)])?)?;
    }
    for state in mdp.states() {
        let name = mdp.state_name(state);
        for choice in mdp.choices(state) {
            let action = mdp.action_name(choice);
            let from = node(&[action, name])?;
            writeln!(to, "{} -> {from};", node(&[name])?)?;
            let (successors, probabilities) = mdp.row(choice);
            for (&successor, p) in successors.iter().zip(probabilities) {
                let ends = node(&[mdp.state_name(StateId(successor)), action, name])?;
                writeln!(to, "{from} -> {ends} [weight={p:?}];")?;
            }
        }
    }
    Ok(writeln!(to, "}}")?)
}

fn node(parts: &[&str]) -> Result<String, WriteError> {
    let cannot = |part: &&&str| part.contains("]__[") || part.contains('\\');
    if let Some(bad) = parts.iter().find(cannot) {
        return Err(WriteError::name("name", bad, ".gv"));
    }
    let inner = parts
        .iter()
        .map(|part| format!("[{}]", part.replace('"', "\\\"")))
        .collect::<Vec<_>>();
    Ok(format!("\"{}\"", inner.join("__")))
}

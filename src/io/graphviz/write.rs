//! MDPs as POWERplay's stochastic graphs.

use std::fmt::Write;

use crate::mdp::Mdp;
use crate::units::StateId;

/// Writes an MDP. Start, labels and the layout of a grid are left out: the form has no room for them.
///
/// # Errors
///
/// A name that the form cannot hold: one with `]__[`, or one that ends in a backslash.
pub fn write_graphviz(mdp: &Mdp) -> Result<String, String> {
    let mut text = "strict digraph {\n".to_owned();
    for state in mdp.states() {
        let _ = writeln!(text, "{};", node(&[mdp.state_name(state)])?);
    }
    for state in mdp.states() {
        let name = mdp.state_name(state);
        for choice in mdp.choices(state) {
            let action = mdp.action_name(choice);
            let from = node(&[action, name])?;
            let _ = writeln!(text, "{} -> {from};", node(&[name])?);
            let (successors, probabilities) = mdp.row(choice);
            for (&to, p) in successors.iter().zip(probabilities) {
                let to = node(&[mdp.state_name(StateId(to)), action, name])?;
                let _ = writeln!(text, "{from} -> {to} [weight={p:?}];");
            }
        }
    }
    text.push_str("}\n");
    Ok(text)
}

fn node(parts: &[&str]) -> Result<String, String> {
    if let Some(bad) = parts
        .iter()
        .find(|part| part.contains("]__[") || part.contains('\\'))
    {
        return Err(format!("the name {bad:?} cannot be written in a graph"));
    }
    let inner = parts
        .iter()
        .map(|part| format!("[{}]", part.replace('"', "\\\"")))
        .collect::<Vec<_>>();
    Ok(format!("\"{}\"", inner.join("__")))
}

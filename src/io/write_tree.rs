//! MDPs as trees in JSON.

use std::io::Write;

use serde_json::json;

use super::format::{WriteError, in_memory};
use crate::mdp::Mdp;
use crate::units::StateId;

/// Writes an MDP in the tree form: one state a line. The layout of a grid is not kept.
///
/// # Precision
///
/// Probabilities are written with the fewest digits that read back to the same bits.
#[must_use]
pub fn write_json(mdp: &Mdp) -> String {
    in_memory(|to| write_tree(mdp, to)).unwrap_or_default()
}

/// The same, state by state.
pub(super) fn write_tree(mdp: &Mdp, to: &mut dyn Write) -> Result<(), WriteError> {
    let name = |s: u32| json!(mdp.state_name(StateId(s)));
    let row = |states: &[u32], p: &[f64]| match states {
        // One successor is certain, but for rounding.
        [only] => name(*only).to_string(),
        _ => {
            let each = states
                .iter()
                .zip(p)
                .map(|(&s, p)| format!("{}: {}", name(s), json!(p)));
            format!("{{{}}}", each.collect::<Vec<_>>().join(", "))
        }
    };
    write!(
        to,
        "{{\n  \"name\": {},\n  \"states\": [",
        json!(mdp.name())
    )?;
    for state in mdp.states() {
        let comma = if state.0 > 0 { ", " } else { "" };
        write!(to, "{comma}{}", name(state.0))?;
    }
    let (states, p): (Vec<u32>, Vec<f64>) = mdp.start().iter().map(|&(s, p)| (s.0, p)).unzip();
    let start = row(&states, &p);
    write!(to, "],\n  \"start\": {start},\n  \"transitions\": {{")?;
    for state in mdp.states() {
        let choices = mdp.choices(state).map(|choice| {
            let (states, p) = mdp.row(choice);
            let action = json!(mdp.action_name(choice));
            format!("{{\"action\": {action}, \"to\": {}}}", row(states, p))
        });
        let choices = choices.collect::<Vec<_>>().join(", ");
        let comma = if state.0 > 0 { "," } else { "" };
        write!(to, "{comma}\n    {}: [{choices}]", name(state.0))?;
    }
    write!(to, "\n  }}")?;
    let labels = mdp.state_labels().iter().map(|(label, members)| {
        let members: Vec<String> = members.iter().map(|s| name(s.0).to_string()).collect();
        (label, members)
    });
    write_labels("labels", labels, to)?;
    let labels = mdp.choice_labels().iter().map(|(label, members)| {
        let pair = |&c| {
            format!(
                "[{}, {}]",
                name(mdp.state_of(c).0),
                json!(mdp.action_name(c))
            )
        };
        (label, members.iter().map(pair).collect())
    });
    write_labels("choice_labels", labels, to)?;
    Ok(writeln!(to, "\n}}")?)
}

fn write_labels<'a>(
    key: &str,
    labels: impl ExactSizeIterator<Item = (&'a String, Vec<String>)>,
    to: &mut dyn Write,
) -> Result<(), WriteError> {
    if labels.len() == 0 {
        return Ok(());
    }
    let each =
        labels.map(|(label, members)| format!("    {}: [{}]", json!(label), members.join(", ")));
    let each = each.collect::<Vec<_>>().join(",\n");
    Ok(write!(to, ",\n  \"{key}\": {{\n{each}\n  }}")?)
}

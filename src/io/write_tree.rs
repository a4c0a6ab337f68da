//! MDPs as trees in JSON.

use std::fmt::Write;

use serde_json::json;

use crate::mdp::Mdp;
use crate::units::StateId;

/// Writes an MDP in the tree form: one state a line. The layout of a grid is not kept.
///
/// # Precision
///
/// Probabilities are written with the fewest digits that read back to the same bits.
#[must_use]
pub fn write_json(mdp: &Mdp) -> String {
    let name = |s: u32| json!(mdp.state_name(StateId(s)));
    let to = |states: &[u32], p: &[f64]| match states {
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
    let mut text = format!("{{\n  \"name\": {},\n  \"states\": [", json!(mdp.name()));
    let names: Vec<String> = mdp.states().map(|s| name(s.0).to_string()).collect();
    text.push_str(&names.join(", "));
    let (states, p): (Vec<u32>, Vec<f64>) = mdp.start().iter().map(|&(s, p)| (s.0, p)).unzip();
    let _ = write!(
        text,
        "],\n  \"start\": {},\n  \"transitions\": {{",
        to(&states, &p)
    );
    for state in mdp.states() {
        let choices = mdp.choices(state).map(|choice| {
            let (states, p) = mdp.row(choice);
            format!(
                "{{\"action\": {}, \"to\": {}}}",
                json!(mdp.action_name(choice)),
                to(states, p)
            )
        });
        let choices = choices.collect::<Vec<_>>().join(", ");
        let comma = if state.0 > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\n    {}: [{choices}]", name(state.0));
    }
    text.push_str("\n  }");
    let labels = mdp.state_labels().iter().map(|(label, members)| {
        let members: Vec<String> = members.iter().map(|s| name(s.0).to_string()).collect();
        (label, members)
    });
    push_labels("labels", labels, &mut text);
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
    push_labels("choice_labels", labels, &mut text);
    text.push_str("\n}\n");
    text
}

fn push_labels<'a>(
    key: &str,
    labels: impl ExactSizeIterator<Item = (&'a String, Vec<String>)>,
    text: &mut String,
) {
    if labels.len() == 0 {
        return;
    }
    let each =
        labels.map(|(label, members)| format!("    {}: [{}]", json!(label), members.join(", ")));
    let _ = write!(
        text,
        ",\n  \"{key}\": {{\n{}\n  }}",
        each.collect::<Vec<_>>().join(",\n")
    );
}

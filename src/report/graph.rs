//! The MDP as a Graphviz graph, coloured by POWER.

use std::fmt::Write;

use super::viridis;
use crate::experiment::CellStatistics;
use crate::units::StateId;

/// Most states of a graph: beyond that nothing can be seen, and Graphviz does not come to an end.
pub const MAX_GRAPH_STATES: usize = 2_000;

/// One cell as a graph in Graphviz's language, for `dot -Tsvg`; `None` beyond [`MAX_GRAPH_STATES`].
///
/// States are boxes filled with the colours of `power.svg` (viridis, from the smallest estimate to the largest), with POWER below the name. A choice
/// that is certain is an arrow with the action's name; one with several successors is a point from which an arrow with its
/// probability goes to each. Arrows of one state to one other share their label.
#[must_use]
pub fn power_graph(cell: &CellStatistics) -> Option<String> {
    let mdp = &cell.mdp;
    if mdp.n_states() > MAX_GRAPH_STATES {
        return None;
    }
    let estimates = || cell.power.iter().map(|power| power.estimate);
    let (low, high) = (
        estimates().fold(f64::INFINITY, f64::min),
        estimates().fold(f64::NEG_INFINITY, f64::max),
    );
    let title = format!(
        "{}, {}, discount {}: {} from {} to {}",
        cell.environment,
        cell.reward,
        cell.discount,
        cell.measure_heading(),
        short(low),
        short(high)
    );
    let mut text = format!(
        "digraph {{\n  label={};\n  node [shape=box, style=\"filled,rounded\", fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n",
        quoted(&title)
    );
    for (state, power) in mdp.states().zip(&cell.power) {
        let share = if high > low {
            (power.estimate - low) / (high - low)
        } else {
            0.5
        };
        let colour = viridis(share);
        let label = quoted(&format!(
            "{}\n{}",
            mdp.state_name(state),
            short(power.estimate)
        ));
        let _ = writeln!(
            text,
            "  s{} [label={label}, fillcolor=\"{}\", fontcolor=\"{}\"];",
            state.0,
            colour.hex(),
            colour.ink().hex()
        );
    }
    mdp.states()
        .for_each(|state| push_choices(cell, state, &mut text));
    text.push_str("}\n");
    Some(text)
}

fn push_choices(cell: &CellStatistics, state: StateId, text: &mut String) {
    let mdp = &cell.mdp;
    let mut certain: Vec<(u32, Vec<&str>)> = Vec::new();
    for choice in mdp.choices(state) {
        let (successors, probabilities) = mdp.row(choice);
        let action = mdp.action_name(choice);
        if let [only] = successors {
            match certain.iter_mut().find(|(to, _)| to == only) {
                Some((_, actions)) => actions.push(action),
                None => certain.push((*only, vec![action])),
            }
            continue;
        }
        let _ = writeln!(text, "  c{} [shape=point, label=\"\"];", choice.0);
        let _ = writeln!(
            text,
            "  s{} -> c{} [label={}, arrowhead=none];",
            state.0,
            choice.0,
            quoted(action)
        );
        for (to, p) in successors.iter().zip(probabilities) {
            let _ = writeln!(text, "  c{} -> s{to} [label=\"{}\"];", choice.0, short(*p));
        }
    }
    for (to, actions) in certain {
        let _ = writeln!(
            text,
            "  s{} -> s{to} [label={}];",
            state.0,
            quoted(&actions.join(", "))
        );
    }
}

/// Four digits behind the point, without the zeros at their end.
fn short(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A string of the language: `\n` in it is a line break, every other backslash itself.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

//! What an MDP looks like: for `inspect` and the one-line summary of `check`.

use super::digits::{counted, grouped, plain_name};

use super::marks::Marks;
use super::plan::memory_line;
use super::table::layout;
use crate::experiment::Memory;
use crate::mdp::{Influence, Mdp, Structure};
use crate::plan::Plan;
use crate::units::{ChoiceId, StateId};

/// Names listed before a list is cut.
const NAMES: usize = 8;
/// Widest map that is drawn.
const WIDEST_MAP: usize = 200;

/// `maze: 32 states, 160 choices, 160 successors`.
#[must_use]
pub fn summary_line(mdp: &Mdp) -> String {
    format!(
        "{}: {}, {}, {}",
        plain_name(mdp.name(), 60),
        counted(mdp.n_states(), "state"),
        counted(mdp.n_choices(), "choice"),
        counted(mdp.n_successors(), "successor")
    )
}

/// Everything `inspect` prints: shape, graph, labels, plan, memory and, for a grid, its map.
#[must_use]
pub fn structure_text(mdp: &Mdp, structure: &Structure, plan: &Plan, memory: &Memory) -> String {
    let entries = [
        shape(mdp, structure),
        graph(mdp, structure),
        labels(mdp),
        plan_entries(plan, memory),
    ];
    let mut text = format!("{}\n", plain_name(mdp.name(), 60));
    for (key, value) in entries.into_iter().flatten() {
        text += &format!("  {key:<13}{value}\n");
    }
    text + &map(mdp)
}

type Entries = Vec<(String, String)>;

fn entry(key: &str, value: String) -> (String, String) {
    (key.to_owned(), value)
}

fn shape(mdp: &Mdp, structure: &Structure) -> Entries {
    let branching = if structure.deterministic {
        "1 per choice (deterministic)".to_owned()
    } else {
        format!(
            "{:.2} per choice, at most {} (stochastic)",
            structure.mean_branching, structure.max_branching
        )
    };
    let start: Vec<String> = mdp
        .start()
        .iter()
        .take(NAMES)
        .map(|(s, p)| {
            let name = plain_name(mdp.state_name(*s), 24);
            if *p == 1.0 {
                name
            } else {
                format!("{name} ({p:.4})")
            }
        })
        .collect();
    let more = if mdp.start().len() > NAMES {
        ", ..."
    } else {
        ""
    };
    vec![
        entry("states", grouped(structure.states as u64)),
        entry(
            "choices",
            format!(
                "{}, at most {} per state",
                grouped(structure.choices as u64),
                structure.max_choices
            ),
        ),
        entry(
            "successors",
            format!("{}, {branching}", grouped(structure.successors as u64)),
        ),
        entry("start", start.join(", ") + more),
    ]
}

fn graph(mdp: &Mdp, structure: &Structure) -> Entries {
    let components = match structure.components {
        1 => "1: every state can be reached from every other".to_owned(),
        n => format!(
            "{}, the largest of {}; {} cannot be left",
            grouped(n as u64),
            counted(structure.largest_component, "state"),
            grouped(structure.closed_components as u64)
        ),
    };
    vec![
        entry("components", components),
        entry("absorbing", named(mdp, &structure.absorbing)),
        entry("unreachable", named(mdp, &structure.unreachable)),
    ]
}

fn labels(mdp: &Mdp) -> Entries {
    let states = mdp.state_labels().iter().map(|(label, members)| {
        format!(
            "{} ({})",
            plain_name(label, 24),
            counted(members.len(), "state")
        )
    });
    let choices = mdp.choice_labels().iter().map(|(label, members)| {
        format!(
            "{} ({})",
            plain_name(label, 24),
            counted(members.len(), "choice")
        )
    });
    let all: Vec<String> = states.chain(choices).collect();
    vec![entry(
        "labels",
        if all.is_empty() {
            "none".to_owned()
        } else {
            all.join(", ")
        },
    )]
}

fn plan_entries(plan: &Plan, memory: &Memory) -> Entries {
    let text = plan.to_string();
    let mut entries = vec![entry("plan", format!("at discount {}", plan.discount()))];
    entries.extend(text.lines().map(|line| entry("", line.to_owned())));
    entries.push(entry("memory", memory_line(memory)));
    entries
}

fn named(mdp: &Mdp, states: &[StateId]) -> String {
    if states.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = states
        .iter()
        .take(NAMES)
        .map(|s| plain_name(mdp.state_name(*s), 24))
        .collect();
    let more = if states.len() > NAMES { ", ..." } else { "" };
    format!(
        "{} ({}{more})",
        counted(states.len(), "state"),
        names.join(", ")
    )
}

/// Every state with its number (its reward coordinate in a goal), labels and choices; one choice a line.
#[must_use]
pub fn states_text(mdp: &Mdp) -> String {
    let mut rows = Vec::new();
    for state in mdp.states() {
        let labels = mdp
            .state_labels()
            .iter()
            .filter(|(_, members)| members.binary_search(&state).is_ok());
        let labels: Vec<String> = labels.map(|(label, _)| plain_name(label, 24)).collect();
        let number =
            mdp.reward_coordinate()[state.index()].map_or("-".to_owned(), |c| c.to_string());
        let mut first = [
            number,
            plain_name(mdp.state_name(state), 32),
            labels.join(", "),
        ];
        for choice in mdp.choices(state) {
            let [number, name, labels] = std::mem::take(&mut first);
            let action = plain_name(mdp.action_name(choice), 24);
            rows.push(vec![name, number, labels, action, successors(mdp, choice)]);
        }
    }
    let header = ["state", "coordinate", "labels", "choice", "leads to"];
    layout(header.map(str::to_owned).into(), rows)
}

/// Every state with what can be reached from it and its empowerment, by the number of states in reach.
#[must_use]
pub fn influence_text(mdp: &Mdp, influence: &Influence, steps: u32) -> String {
    let mut states: Vec<StateId> = mdp.states().collect();
    states.sort_by_key(|s| std::cmp::Reverse(influence.reachable[s.index()]));
    let rows = states.iter().map(|state| {
        let at = state.index();
        let (bits, visits) = (influence.empowerment[at], influence.visits[at]);
        vec![
            plain_name(mdp.state_name(*state), 32),
            grouped(influence.reachable[at] as u64),
            grouped(influence.ends[at] as u64),
            bits.map_or("-".to_owned(), |bits| format!("{bits:.4}")),
            visits.map_or("-".to_owned(), |v| grouped(v.all as u64)),
            visits.map_or("-".to_owned(), |v| grouped(v.non_dominated as u64)),
            String::new(),
        ]
    });
    let header = [
        "state".to_owned(),
        "in reach".to_owned(),
        "ends in reach".to_owned(),
        format!("empowerment({steps})"),
        "visit distributions".to_owned(),
        "non-dominated".to_owned(),
        String::new(),
    ];
    layout(header.into(), rows.collect())
}

/// `r0c1`, or `r0c1 0.9, r1c0 0.1`, likeliest first and cut after a few.
fn successors(mdp: &Mdp, choice: ChoiceId) -> String {
    let (to, probabilities) = mdp.row(choice);
    if let [only] = to {
        return plain_name(mdp.state_name(StateId(*only)), 32);
    }
    let mut row: Vec<(u32, f64)> = to
        .iter()
        .copied()
        .zip(probabilities.iter().copied())
        .collect();
    row.sort_by(|a, b| b.1.total_cmp(&a.1));
    let named = row
        .iter()
        .take(NAMES)
        .map(|(t, p)| format!("{} {p:.4}", plain_name(mdp.state_name(StateId(*t)), 16)));
    let named: Vec<String> = named.collect();
    let more = if row.len() > NAMES { ", ..." } else { "" };
    named.join(", ") + more
}

/// The grid with one character per cell, and what they mean; empty without a layout.
fn map(mdp: &Mdp) -> String {
    let Some(grid) = mdp.layout().filter(|l| l.columns() <= WIDEST_MAP) else {
        return String::new();
    };
    let marks = Marks::of(mdp);
    let mut text = "\n".to_owned();
    for row in 0..grid.rows() {
        let cell = |column| match grid.state_at(row, column) {
            Some(state) => marks.letter(state).unwrap_or('.'),
            None => '#',
        };
        let line: String = (0..grid.columns()).map(cell).collect();
        text += &format!("  {line}\n");
    }
    let legend: Vec<String> = marks
        .legend
        .iter()
        .map(|(c, meaning)| format!("{c} {meaning}"))
        .collect();
    text + &format!("  {}   # wall\n", legend.join("   "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{grid, ring};
    use crate::units::Discount;

    fn text(mdp: &Mdp) -> String {
        let plan = Plan::draw(mdp, Discount::new(0.9).unwrap());
        structure_text(mdp, &Structure::of(mdp), &plan, &Memory::of(mdp))
    }

    #[test]
    fn a_grid_is_shown_with_its_map() {
        insta::assert_snapshot!(text(&grid(&["S..#", ".#..", "..g.", "...#"])));
    }

    #[test]
    fn a_graph_is_shown_without_one() {
        insta::assert_snapshot!(text(&ring(5)));
    }

    #[test]
    fn states_are_listed_with_their_choices() {
        let mut b = crate::mdp::MdpBuilder::new("coin");
        let [s, heads, tails] = ["s", "heads", "tails"].map(|n| b.state(n));
        b.choice(s, "toss", [(heads, 0.25), (tails, 0.75)]);
        b.choice(s, "wait", [(s, 1.0)]);
        b.absorbing(heads);
        b.absorbing(tails);
        b.label("won", vec![heads]);
        insta::assert_snapshot!(states_text(&b.build().unwrap()));
    }
}

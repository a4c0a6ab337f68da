//! The optimal choices of one goal drawn on its grid.

use super::shown;
use crate::experiment::{Certainty, OneGoal};
use crate::mdp::Mdp;
use crate::report::map::{Field, MapOptions, grid_map};
use crate::units::{ChoiceId, StateId};

/// The optimal choices as arrows on the grid, painted by V*.
pub(super) fn draw(goal: &OneGoal, options: &MapOptions) -> Option<String> {
    let positions = positions(&goal.mdp)?;
    let texts: Vec<String> = goal
        .mdp
        .states()
        .map(|s| state_arrows(goal, &positions, s))
        .collect();
    let shown = shown(goal);
    let field = Field {
        values: &shown.values,
        decimals: shown.decimals,
        title: "optimal choices (· stay, several arrows or +: a tie, ? undecided)",
        texts: Some(&texts),
    };
    grid_map(&goal.mdp, &field, options)
}

/// Row and column of every state, `[n_states]`.
fn positions(mdp: &Mdp) -> Option<Vec<Option<(usize, usize)>>> {
    let layout = mdp.layout()?;
    let mut positions = vec![None; mdp.n_states()];
    for row in 0..layout.rows() {
        for column in 0..layout.columns() {
            if let Some(state) = layout.state_at(row, column) {
                positions[state.index()] = Some((row, column));
            }
        }
    }
    Some(positions)
}

/// At most three characters for the best choices of a state.
fn state_arrows(goal: &OneGoal, positions: &[Option<(usize, usize)>], state: StateId) -> String {
    let decision = &goal.decisions[state.index()];
    let mut arrows = String::new();
    for choice in &decision.best {
        let arrow = arrow(&goal.mdp, positions, state, *choice);
        if !arrows.contains(arrow) {
            arrows.push(arrow);
        }
    }
    let open = decision.certainty == Certainty::Undecided;
    let room = if open { 2 } else { 3 };
    if arrows.chars().count() > room {
        arrows = arrows.chars().take(room - 1).chain(['+']).collect();
    }
    if open {
        arrows.push('?');
    }
    arrows
}

/// Where a choice leads, as seen on the grid.
///
/// A certain choice is drawn by where it goes (a move against a wall is a stay), an uncertain one by its name, since
/// slips can make another direction as likely as the one meant. `*` is neither.
fn arrow(
    mdp: &Mdp,
    positions: &[Option<(usize, usize)>],
    state: StateId,
    choice: ChoiceId,
) -> char {
    let (to, _) = mdp.row(choice);
    let here = positions[state.index()];
    let by_effect = match (here, to) {
        (_, [only]) if *only == state.0 => Some('·'),
        (Some(from), [only]) => positions[*only as usize].and_then(|there| step_arrow(from, there)),
        _ => None,
    };
    by_effect
        .or_else(|| named_arrow(mdp.action_name(choice)))
        .unwrap_or('*')
}

fn step_arrow(from: (usize, usize), to: (usize, usize)) -> Option<char> {
    let step = (to.0 as i64 - from.0 as i64, to.1 as i64 - from.1 as i64);
    let arrow = match step {
        (-1, 0) => '↑',
        (1, 0) => '↓',
        (0, -1) => '←',
        (0, 1) => '→',
        (-1, -1) => '↖',
        (-1, 1) => '↗',
        (1, -1) => '↙',
        (1, 1) => '↘',
        _ => return None,
    };
    Some(arrow)
}

fn named_arrow(action: &str) -> Option<char> {
    let arrow = match action {
        "stay" => '·',
        "north" | "up" => '↑',
        "south" | "down" => '↓',
        "west" | "left" => '←',
        "east" | "right" => '→',
        "north-west" => '↖',
        "north-east" => '↗',
        "south-west" => '↙',
        "south-east" => '↘',
        _ => return None,
    };
    Some(arrow)
}

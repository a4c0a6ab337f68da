//! One goal: its rewards, its values, what an optimal agent does, and a path that it takes.

use serde_json::{Value, json};

use super::digits::{decimals, fixed, plain_name, small};
use super::map::{Field, MapOptions, grid_map};
use super::table::layout;
use crate::experiment::{Certainty, OneGoal, Path, PathEnd};
use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// Where the goal comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoalOrigin {
    /// Drawn.
    Sampled {
        /// Seed of the goals.
        seed: u64,
        /// Its number.
        index: u64,
        /// Name of the law.
        reward: String,
    },
    /// Read from a file of this name.
    File(String),
}

/// What is reported.
#[derive(Clone, Debug)]
pub struct GoalReport<'a> {
    /// The goal and its optimal choices.
    pub goal: &'a OneGoal,
    /// Where it comes from.
    pub origin: &'a GoalOrigin,
    /// The backend that solved it.
    pub backend: &'a str,
    /// A path along the optimal choices.
    pub path: &'a Path,
}

/// More states than this are listed only if all are asked for.
const LISTED: usize = 100;
const LONGEST_NAME: usize = 24;
/// Digits of a drawn reward: a multiple of 2^-24 has about seven.
const REWARD_DECIMALS: usize = 6;

/// The report as text: a map of arrows where there is a grid, a table of the states, the path.
#[must_use]
pub fn goal_text(report: &GoalReport<'_>, options: &MapOptions, all: bool) -> String {
    let mut text = heading(report);
    if let Some(map) = arrows(report.goal, options) {
        text += &map;
        text.push('\n');
    }
    text += &states(report.goal, all);
    text + &path(report, options.width)
}

fn heading(report: &GoalReport<'_>) -> String {
    let goal = report.goal;
    let origin = match report.origin {
        GoalOrigin::Sampled {
            seed,
            index,
            reward,
        } => {
            format!(
                "goal {index} of seed {seed} ({})",
                plain_name(reward, LONGEST_NAME)
            )
        }
        GoalOrigin::File(name) => format!("goal from {}", plain_name(name, 60)),
    };
    let asked = goal.discount.asked();
    let used = match asked == goal.discount.used() {
        true => String::new(),
        false => format!(" (used {:.9})", goal.discount.used()),
    };
    let solved = &goal.solved;
    let warning = match solved.converged {
        true => "",
        false => "WARNING: this goal missed the tolerance within the sweep cap\n",
    };
    format!(
        "{}: {origin}, discount {asked}{used}\n\
         {} backend, {} iterations; certified: V* within ±{}, POWER integrand within ±{}\n{warning}\n",
        plain_name(goal.mdp.name(), LONGEST_NAME),
        report.backend,
        solved.sweeps,
        small(solved.value_half_width(goal.discount)),
        small(solved.half_width),
    )
}

/// The optimal choices as arrows on the grid, painted by V*.
fn arrows(goal: &OneGoal, options: &MapOptions) -> Option<String> {
    let positions = positions(&goal.mdp)?;
    let texts: Vec<String> = goal
        .mdp
        .states()
        .map(|s| state_arrows(goal, &positions, s))
        .collect();
    let values = goal.solved.values(goal.discount);
    let field = Field {
        values: &values,
        decimals: value_decimals(goal.solved.value_half_width(goal.discount)),
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

/// Digits that a certified value deserves; rewards are not known to more than six.
fn value_decimals(half_width: f64) -> usize {
    decimals(half_width).min(REWARD_DECIMALS)
}

fn states(goal: &OneGoal, all: bool) -> String {
    let n = goal.mdp.n_states();
    let shown = if all { n } else { n.min(LISTED) };
    let values = goal.solved.values(goal.discount);
    let digits = value_decimals(goal.solved.value_half_width(goal.discount));
    let power_digits = value_decimals(goal.solved.half_width);
    let rows = goal.mdp.states().take(shown).map(|s| {
        let i = s.index();
        vec![
            plain_name(goal.mdp.state_name(s), LONGEST_NAME),
            fixed(goal.solved.rewards[i], REWARD_DECIMALS),
            fixed(values[i], digits),
            fixed(goal.solved.integrand[i], power_digits),
            choices(goal, s),
        ]
    });
    let header = ["state", "R", "V*", "POWER integrand", "optimal choices"];
    let text = layout(header.map(str::to_owned).into(), rows.collect());
    if shown == n {
        return text;
    }
    text + &format!(
        "{} of {n} states are not shown: `--all` or `--format json`.\n",
        n - shown
    )
}

/// `east`, `east = south` for a tie, `east or south?` where the bound leaves it open.
fn choices(goal: &OneGoal, state: StateId) -> String {
    let decision = &goal.decisions[state.index()];
    let names: Vec<String> = decision
        .best
        .iter()
        .map(|c| plain_name(goal.mdp.action_name(*c), 16))
        .collect();
    if names.len() > 1 && names.len() == goal.mdp.choices(state).len() {
        return match decision.certainty {
            Certainty::Undecided => "any?".to_owned(),
            _ => "any".to_owned(),
        };
    }
    match decision.certainty {
        Certainty::Undecided => format!("{}?", names.join(" or ")),
        _ => names.join(" = "),
    }
}

fn path(report: &GoalReport<'_>, width: usize) -> String {
    let (goal, path) = (report.goal, report.path);
    let name = |s: StateId| plain_name(goal.mdp.state_name(s), LONGEST_NAME);
    let first = path.steps.first().map_or(path.last, |s| s.state);
    let certain = path.steps.iter().all(|s| s.probability == 1.0);
    let kind = match certain {
        true => "every step certain".to_owned(),
        false => "successors drawn (`--path 1` draws others)".to_owned(),
    };
    let mut words = vec![name(first)];
    for (i, step) in path.steps.iter().enumerate() {
        let next = path.steps.get(i + 1).map_or(path.last, |s| s.state);
        let odds = if step.probability == 1.0 {
            String::new()
        } else {
            format!(" ({:.2})", step.probability)
        };
        words.push(format!(
            "-{}{odds}-> {}",
            plain_name(goal.mdp.action_name(step.choice), 16),
            name(next)
        ));
    }
    let end = match path.end {
        PathEnd::Cut => format!("... ({} steps shown)", path.steps.len()),
        PathEnd::Repeats { from } if from + 1 == path.steps.len() => {
            format!("and stays in {}", name(path.last))
        }
        PathEnd::Repeats { from } => {
            format!("and so on: a round of {} steps", path.steps.len() - from)
        }
    };
    words.push(end);
    let mut text = format!(
        "\npath from {}, {kind}:\n{}",
        name(first),
        wrapped(&words, width)
    );
    if let Some(earned) = goal.discounted_rewards(path) {
        let half_width = goal.solved.value_half_width(goal.discount);
        let digits = value_decimals(half_width);
        let value = goal.solved.values(goal.discount)[first.index()];
        text += &format!(
            "its discounted rewards add up to {}; V*({}) = {}\n",
            fixed(earned, digits),
            name(first),
            fixed(value, digits)
        );
    }
    text
}

/// Words in lines of at most `width` characters, indented by two.
fn wrapped(words: &[String], width: usize) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for word in words {
        if !line.is_empty() && 3 + line.chars().count() + word.chars().count() > width {
            text += &format!("  {line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    text + &format!("  {line}\n")
}

/// The report as one JSON document: states in file order, every number in full.
#[must_use]
pub fn goal_json(report: &GoalReport<'_>) -> Value {
    let goal = report.goal;
    let values = goal.solved.values(goal.discount);
    let origin = match report.origin {
        GoalOrigin::Sampled {
            seed,
            index,
            reward,
        } => {
            json!({ "seed": seed, "index": index, "reward": reward })
        }
        GoalOrigin::File(name) => json!({ "file": name }),
    };
    let states = goal.mdp.states().map(|s| {
        let decision = &goal.decisions[s.index()];
        let best: Vec<&str> = decision
            .best
            .iter()
            .map(|c| goal.mdp.action_name(*c))
            .collect();
        json!({
            "state": goal.mdp.state_name(s),
            "reward": goal.solved.rewards[s.index()],
            "value": values[s.index()],
            "integrand": goal.solved.integrand[s.index()],
            "optimal": best,
            "certainty": certainty_name(decision.certainty),
        })
    });
    json!({
        "schema": 1,
        "environment": goal.mdp.name(),
        "discount": goal.discount.asked(),
        "discount_used": goal.discount.used(),
        "backend": report.backend,
        "goal": origin,
        "converged": goal.solved.converged,
        "sweeps": goal.solved.sweeps,
        "integrand_bound": goal.solved.half_width,
        "value_bound": goal.solved.value_half_width(goal.discount),
        "states": states.collect::<Vec<_>>(),
        "path": path_json(report),
    })
}

fn certainty_name(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Sure => "sure",
        Certainty::Tie => "tie",
        Certainty::Undecided => "undecided",
    }
}

fn path_json(report: &GoalReport<'_>) -> Value {
    let (mdp, path) = (&report.goal.mdp, report.path);
    let steps = path.steps.iter().map(|step| {
        json!({
            "state": mdp.state_name(step.state),
            "action": mdp.action_name(step.choice),
            "probability": step.probability,
        })
    });
    json!({
        "steps": steps.collect::<Vec<_>>(),
        "last": mdp.state_name(path.last),
        "repeats_from_step": match path.end {
            PathEnd::Repeats { from } => Some(from),
            PathEnd::Cut => None,
        },
        "discounted_rewards": report.goal.discounted_rewards(path),
    })
}

#[cfg(test)]
mod tests;

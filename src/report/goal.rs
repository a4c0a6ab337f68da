//! One goal: its rewards, its values, what an optimal agent does, and a path that it takes.

mod arrows;
mod document;

use super::digits::{decimals, fixed, plain_name, small};
use super::map::MapOptions;
use super::table::layout;
use crate::experiment::{Certainty, OneGoal, Path, PathEnd, Step};
use crate::reward::RewardDomain;
use crate::units::{Limit, StateId};

pub use document::goal_json;

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
        /// Name of the variant, where there are several.
        variant: Option<String>,
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
    if let Some(map) = arrows::draw(report.goal, options) {
        text += &map;
        text.push('\n');
    }
    text += &states(report.goal, all);
    text += &readings(report.goal);
    text + &path(report, options.width)
}

/// What is read off a goal that is solved in linked stages.
fn readings(goal: &OneGoal) -> String {
    let found = goal.solved.linked.iter().flat_map(|l| &l.readings);
    let rows = goal.readings.iter().zip(found).map(|(name, found)| {
        let half_width = (found.high - found.low) / 2.0;
        let number = fixed(found.value, value_decimals(half_width));
        vec![plain_name(name, 60), number, small(half_width)]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = ["reading", "number", "within ±"].map(str::to_owned);
    format!("\n{}", layout(header.into(), rows))
}

fn heading(report: &GoalReport<'_>) -> String {
    let goal = report.goal;
    let origin = match report.origin {
        GoalOrigin::Sampled {
            seed,
            index,
            reward,
            variant,
        } => {
            let variant = variant
                .as_ref()
                .map(|name| format!(", variant {}", plain_name(name, 60)));
            format!(
                "goal {index} of seed {seed} ({}){}",
                plain_name(reward, LONGEST_NAME),
                variant.unwrap_or_default()
            )
        }
        GoalOrigin::File(name) => format!("goal from {}", plain_name(name, 60)),
    };
    let asked = goal.discount;
    let used = match goal.discount.used_number() {
        Some(used) if used != asked.asked() => format!(" (used {used:.9})"),
        _ => String::new(),
    };
    let solved = &goal.solved;
    let warning = match solved.converged {
        true => "",
        false => "WARNING: this goal missed the tolerance within the sweep cap\n",
    };
    let shown = shown(goal);
    let certified = match shown.integrand {
        Some(integrand) => format!(
            "{} within ±{}, {integrand}",
            shown.name,
            small(solved.value_half_width(goal.discount))
        ),
        None => "optimal gain, the POWER integrand,".to_owned(),
    };
    format!(
        "{}: {origin}, discount {asked}{used}\n\
         {} backend, {} iterations; certified: {certified} within ±{}\n{warning}\n",
        plain_name(goal.mdp.name(), LONGEST_NAME),
        report.backend,
        solved.sweeps,
        small(solved.half_width),
    )
}

/// What is shown of a goal's values.
struct Shown {
    name: &'static str,
    /// `[n_states]`.
    values: Vec<f64>,
    decimals: usize,
    /// What is told beside it: the POWER integrand, where that is something else; where choices have the rewards, values on the scale of rewards.
    integrand: Option<&'static str>,
}

/// V*, or at the limit ->1, where it is not finite, the optimal gain. V, of an agent that follows another policy than what is optimal for it.
fn shown(goal: &OneGoal) -> Shown {
    match goal.discount.limit() {
        Some(Limit::One) => Shown {
            name: "gain",
            values: goal.solved.integrand.clone(),
            decimals: value_decimals(goal.solved.half_width),
            integrand: None,
        },
        _ => Shown {
            name: if goal.is_following() { "V" } else { "V*" },
            values: goal.solved.values(goal.discount),
            decimals: value_decimals(goal.solved.value_half_width(goal.discount)),
            integrand: Some(match (goal.solved.domain, goal.is_following()) {
                (RewardDomain::State, _) => "POWER integrand",
                (RewardDomain::Choice, false) => "(1 - gamma) V*",
                (RewardDomain::Choice, true) => "(1 - gamma) V",
            }),
        },
    }
}

/// Digits that a certified value deserves; rewards are not known to more than six.
fn value_decimals(half_width: f64) -> usize {
    decimals(half_width).min(REWARD_DECIMALS)
}

fn states(goal: &OneGoal, all: bool) -> String {
    let n = goal.mdp.n_states();
    let listed = if all { n } else { n.min(LISTED) };
    let shown = shown(goal);
    let power_digits = value_decimals(goal.solved.half_width);
    let rows = goal.mdp.states().take(listed).map(|s| {
        let i = s.index();
        let mut row = vec![
            plain_name(goal.mdp.state_name(s), LONGEST_NAME),
            fixed(goal.reward(goal.decisions[i].greedy), REWARD_DECIMALS),
            fixed(shown.values[i], shown.decimals),
        ];
        if shown.integrand.is_some() {
            row.push(fixed(goal.solved.integrand[i], power_digits));
        }
        row.push(choices(goal, s));
        row
    });
    // What a choice pays is that of the first of those that are listed.
    let paid = match goal.solved.domain {
        RewardDomain::State => "R",
        RewardDomain::Choice => "R of the first",
    };
    let mut header = vec!["state", paid, shown.name];
    header.extend(shown.integrand);
    header.push(match goal.is_following() {
        true => "its choices",
        false => "optimal choices",
    });
    let header = header.into_iter().map(str::to_owned);
    let text = layout(header.collect(), rows.collect());
    if listed == n {
        return text;
    }
    text + &format!(
        "{} of {n} states are not shown: `--all` or `--format json`.\n",
        n - listed
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
    let arrivals = path
        .steps
        .iter()
        .skip(1)
        .map(|s| s.state)
        .chain([path.last]);
    let steps: Vec<(&Step, StateId)> = path.steps.iter().zip(arrivals).collect();
    // The same step again and again, as into a wall that one may slip away from, is told once.
    for same in steps.chunk_by(|a, b| a == b) {
        let (step, next) = same[0];
        let odds = match step.probability {
            1.0 => String::new(),
            p => format!(" ({p:.2})"),
        };
        let times = match same.len() {
            1 => String::new(),
            n => format!(" {n} times"),
        };
        let action = plain_name(goal.mdp.action_name(step.choice), 16);
        words.push(format!("-{action}{odds}-> {}{times}", name(next)));
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
            "its discounted rewards add up to {}; {}({}) = {}\n",
            fixed(earned, digits),
            shown(goal).name,
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

#[cfg(test)]
mod tests;

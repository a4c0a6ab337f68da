//! One goal as a JSON document.

use serde_json::{Value, json};

use super::{GoalOrigin, GoalReport};
use crate::experiment::{Certainty, PathEnd};

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
        "discount": goal.discount,
        "discount_used": goal.discount.used_number(),
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

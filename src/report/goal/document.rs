//! One goal as a JSON document.

use serde_json::{Value, json};

use super::{GoalOrigin, GoalReport};
use crate::experiment::{Certainty, PathEnd};
use crate::reward::RewardDomain;

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
            variant,
        } => {
            json!({ "seed": seed, "index": index, "reward": reward, "variant": variant })
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
        let paid = match goal.solved.domain {
            RewardDomain::State => json!(goal.solved.rewards[s.index()]),
            RewardDomain::Choice => {
                let each = goal.mdp.choices(s);
                let each =
                    each.map(|c| (goal.mdp.action_name(c).to_owned(), json!(goal.reward(c))));
                Value::Object(each.collect())
            }
        };
        json!({
            "state": goal.mdp.state_name(s),
            "reward": paid,
            "value": values[s.index()],
            "integrand": goal.solved.integrand[s.index()],
            "optimal": best,
            "certainty": certainty_name(decision.certainty),
        })
    });
    let found = goal.solved.linked.iter().flat_map(|l| &l.readings);
    let readings = goal.readings.iter().zip(found).map(|(name, found)| {
        json!({ "quantity": name, "value": found.value, "low": found.low, "high": found.high })
    });
    let mut document = json!({
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
    });
    // Of goals that are solved in linked stages.
    if goal.solved.linked.is_some() {
        document["readings"] = readings.collect();
        document["follows_another_policy"] = json!(goal.is_following());
    }
    document
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

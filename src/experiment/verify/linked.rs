//! Exact cases of linked solves, in the words of interventions: what is done to the case's MDP, and which reading is known.

use serde_json::{Value, json};

use super::ExactStatistic;
use crate::document::Spanned;
use crate::intervention::{
    Agent, Belief, GoalButton, ImpactPenalty, Measure, Names, RewardUncertainty,
    ShutdownIndifference, Variant,
};
use crate::program::Human;

/// The variant and the reading that a case's `statistic` is about. `None` for statistics of one solve.
pub(super) fn read(statistic: &Value) -> Option<(Variant, ExactStatistic)> {
    let text = |key: &str| statistic[key].as_str();
    let reading = |name: &str, measure, complement| ExactStatistic::Reading {
        name: name.to_owned(),
        measure,
        complement,
    };
    let button = |agent| GoalButton {
        at: None,
        agent,
        delay: 0,
    };
    let penalty = |noop: &str, lambda, measure| ImpactPenalty {
        noop: Spanned {
            value: noop.to_owned(),
            span: 0..0,
        },
        lambda,
        measure,
    };
    let shutdown = || Names::new("shutdown", ["off"]);
    let variant = Variant::new(text("kind")?);
    Some(match (text("kind")?, text("mode")) {
        ("goal_keep_prob", Some("strict")) => (
            variant.with(button(Agent::Realistic)),
            reading("keep at s0", "above", false),
        ),
        ("goal_keep_gain", _) => (
            variant.with(button(Agent::Realistic)),
            reading("keep at s0", "mean", false),
        ),
        ("everitt_modify_prob", _) => {
            let agent = match text("agent")? {
                "hedonistic" => Agent::Hedonistic,
                "ignorant" => Agent::Ignorant,
                "realistic" => Agent::Realistic,
                _ => return None,
            };
            (
                variant.with(button(agent)),
                reading("keep at s0", "below", false),
            )
        }
        ("aup_act_prob", _) => {
            let penalty = penalty(
                "go_t2",
                statistic["lambda"].as_f64()?,
                Measure::AttainableUtility(1),
            );
            (variant.with(penalty), reading("act at s0", "above", false))
        }
        ("relative_reachability", _) => {
            let measure = Measure::RelativeReachability(statistic["gamma_r"].as_f64()?);
            let (state, baseline) = (text("state")?, text("baseline")?);
            let effect = format!("side effect of go_{state} at {baseline}");
            let variant = variant.with(penalty("noop", 1.0, measure));
            (variant, reading(&effect, "mean", false))
        }
        ("compensated", Some(mode)) => {
            let indifference = ShutdownIndifference {
                shutdown: shutdown(),
            };
            // Complying is optimal unless something beats it.
            let complement = mode == "weak";
            (
                variant.with(indifference),
                reading("comply at s0", "below", complement),
            )
        }
        ("offswitch_delta", _) => {
            let human = &statistic["human"];
            let human = match (human.as_str(), human["probit"].as_f64()) {
                (Some("rational"), _) => Human::Rational,
                (_, Some(noise)) => Human::Probit(noise),
                _ => return None,
            };
            let game = RewardUncertainty {
                shutdown: shutdown(),
                belief: Belief::Law,
                human,
                cost: 0.0,
            };
            (variant.with(game), reading("defer at s0", "mean", false))
        }
        _ => return None,
    })
}

/// The MDP of a statistic that is given by a formula alone: one step, to act or to be off.
pub(super) fn formula(statistic: &Value) -> Option<Value> {
    let game = statistic["kind"] == "offswitch_delta";
    game.then(|| {
        json!({
            "states": ["s0", "act", "off"],
            "start": "s0",
            "transitions": {
                "s0": [{ "action": "act", "to": { "act": 1 } }, { "action": "off", "to": { "off": 1 } }],
                "act": [{ "action": "stay", "to": { "act": 1 } }],
                "off": [{ "action": "stay", "to": { "off": 1 } }],
            },
        })
    })
}

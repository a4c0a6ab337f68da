//! Laws of exact cases, in the words of experiment files: read by the reader that reads those.

use serde_json::{Map, Value, json};

use super::VerifyError;
use crate::document::{Faults, SourceText, parse_json};
use crate::reward::RewardDistribution;

/// What a case's law needs of the engine, as `requires` names it, as far as the engine has it.
pub(super) const SUPPORTED: &[&str] = &[
    "base",
    "stochastic",
    "ties",
    "limit_1-",
    "limit_0+",
    "family:exponential",
    "family:normal",
    "family:beta",
    "family:bernoulli",
    "reward:fixed_states",
    "reward:independent",
    "reward:equicorrelated_normal",
    "reward:linear_features",
    "reward:mean_of_uniforms",
    "reward:orbit",
    "decision_rule:satisfice",
    "decision_rule:boltzmann",
    "decision_rule:best_of",
    "decision_rule:quantilize",
    "decision_rule:uniform",
    "decision_rule:minimize",
    "reward:joint_goal",
    "reward:joint_aux",
    "reward:compensated_off",
    "reward:offswitch_normal",
    "formula_only",
    "conditioning",
];

/// The distribution that a case's `reward` describes. `among`: the states an orbit is dealt to, where not all.
pub(super) fn read(
    case: &str,
    reward: &Value,
    among: Option<&Value>,
) -> Result<RewardDistribution, VerifyError> {
    // Counts of structure have no goals.
    let none = json!({ "dist": "iid", "family": "uniform", "low": 0, "high": 1 });
    let reward = if reward.is_null() { &none } else { reward };
    let table = translate(reward, among).ok_or_else(|| VerifyError::Missing {
        case: case.to_owned(),
        what: "law of a known kind",
    })?;
    let source = SourceText::new(format!("{case}: reward"), Value::Object(table).to_string());
    let mut faults = Faults::about(source.clone());
    let node = parse_json(&source, &mut faults);
    let distribution = node.and_then(|node| RewardDistribution::read(&node, &mut faults));
    match distribution {
        Some((distribution, _)) if !faults.has_errors() => Ok(distribution),
        _ => Err(VerifyError::Law {
            case: case.to_owned(),
            faults,
        }),
    }
}

/// A `[[reward]]` table.
fn translate(reward: &Value, among: Option<&Value>) -> Option<Map<String, Value>> {
    let mut table = match reward["dist"].as_str()? {
        "iid" => family(reward)?,
        "independent" => {
            let mut table = family(&reward["default"])?;
            let each = reward["per_state"].as_object()?.iter();
            let states = each.map(|(state, law)| Some((state.clone(), family(law)?.into())));
            table.insert(
                "states".to_owned(),
                states.collect::<Option<Map<String, Value>>>()?.into(),
            );
            table
        }
        "equicorrelated_normal" => {
            object(&json!({ "distribution": "equicorrelated-normal", "rho": reward["rho"] }))?
        }
        "linear_features" => object(&json!({
            "distribution": "features",
            "features": reward["features"],
            "weights": family(&reward["weights"])?,
        }))?,
        "mean_of_uniforms" => {
            object(&json!({ "distribution": "mean-of-uniforms", "count": reward["m"] }))?
        }
        "orbit" => {
            let mut table =
                object(&json!({ "distribution": "orbit", "values": reward["values"] }))?;
            if let Some(among) = among {
                table.insert("among".to_owned(), among.clone());
            }
            table
        }
        // A pair of goals over all states; what is common to the compared choices cancels.
        "joint_goal" => match reward["coupling"].as_str()? {
            "gaussian" => object(&json!({
                "distribution": "normal",
                "pair": { "coupling": "gaussian", "rho": reward["rho"] },
            }))?,
            coupling => object(&json!({
                "distribution": "uniform",
                "pair": { "coupling": coupling },
            }))?,
        },
        "joint_aux" => object(&json!({ "distribution": reward["family"] }))?,
        "compensated_off" => object(&json!({ "distribution": "uniform" }))?,
        // The one number is what acting is worth; being off is worth nothing.
        "offswitch_normal" => object(&json!({
            "distribution": "normal",
            "mean": reward["mu"],
            "sd": reward["sd"],
            "states": { "off": { "fixed": 0 } },
        }))?,
        _ => return None,
    };
    if let Some(fixed) = reward.get("fixed") {
        table.insert("states".to_owned(), fixed.clone());
    }
    Some(table)
}

/// A law of one reward: `family` is its `distribution`, everything else its parameters.
fn family(law: &Value) -> Option<Map<String, Value>> {
    let mut table = Map::new();
    for (key, value) in law.as_object()? {
        match key.as_str() {
            "dist" | "fixed" | "note" => {}
            "family" => {
                table.insert("distribution".to_owned(), value.clone());
            }
            _ => {
                table.insert(key.clone(), value.clone());
            }
        }
    }
    table.contains_key("distribution").then_some(table)
}

fn object(value: &Value) -> Option<Map<String, Value>> {
    value.as_object().cloned()
}

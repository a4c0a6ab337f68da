//! The `[[variant]]` tables in the schema: interventions with their parameters.

use serde_json::{Value, json};

use super::{Key, count, list, names, one_or_several, switch, table, text};

/// A `[[variant]]`.
pub(super) fn variant() -> Value {
    let kinds: Vec<Value> = interventions()
        .into_iter()
        .map(|(kind, keys)| {
            let mut all: Vec<Key> = vec![("kind", json!({ "const": kind }), true)];
            all.extend(keys);
            table("An intervention.", all)
        })
        .collect();
    let intervention = json!({ "anyOf": kinds });
    table(
        "An MDP that interventions make of every environment; a list of numbers as a parameter makes a variant for each.",
        vec![
            (
                "name",
                text("Its name in the results; names must differ."),
                true,
            ),
            (
                "interventions",
                one_or_several(intervention, "What is done, in this order."),
                true,
            ),
        ],
    )
}

/// The interventions with their parameters.
fn interventions() -> Vec<(&'static str, Vec<Key>)> {
    vec![(
        "off-switch",
        vec![
            at("States where the switch works."),
            ("p", probability(), false),
            ("choice", switch(false), false),
            (
                "to",
                text("An absorbing state that shutdown leads to."),
                false,
            ),
            ("resume", probability(), false),
            ("disable", switch(false), false),
            (
                "disable_at",
                names("States where it can be disabled."),
                false,
            ),
            ("disable_steps", dose(&count(1)), false),
        ],
    )]
}

fn at(description: &str) -> Key {
    ("at", names(description), false)
}

/// A number, or a list of doses.
fn dose(number: &Value) -> Value {
    json!({ "anyOf": [number, list(number)] })
}

fn probability() -> Value {
    dose(&json!({ "type": "number", "minimum": 0, "maximum": 1 }))
}

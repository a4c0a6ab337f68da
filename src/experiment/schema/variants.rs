//! The `[[variant]]` tables in the schema: interventions with their parameters.

use serde_json::{Value, json};

use super::{Key, count, list, names, one_or_several, switch, table, text, word};

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
    let mut variant = table(
        "An MDP that interventions make of every environment; a list of numbers as a parameter makes a variant for each.",
        vec![
            (
                "name",
                text("Its name in the results; names must differ."),
                true,
            ),
            (
                "interventions",
                one_or_several(
                    intervention,
                    "What is done, in this order; needed unless there is `mdp`.",
                ),
                false,
            ),
            (
                "mdp",
                text(
                    "An MDP file that stands in place of the environment: states of one name share their rewards.",
                ),
                false,
            ),
            (
                "states",
                json!({
                    "type": "object",
                    "additionalProperties": { "type": "string" },
                    "description": "By state of `mdp`: the state of the environment that it stands for, where that has another name.",
                }),
                false,
            ),
        ],
    );
    variant["anyOf"] = json!([{ "required": ["interventions"] }, { "required": ["mdp"] }]);
    variant
}

/// The interventions with their parameters.
fn interventions() -> Vec<(&'static str, Vec<Key>)> {
    let at = |name, description: &str| (name, names(description), false);
    let needed = |name, description: &str| (name, names(description), true);
    let p = |name, needed| (name, probability(), needed);
    let number = |name, least| (name, dose(&count(least)), false);
    vec![
        (
            "off-switch",
            vec![
                at("at", "States where the switch works."),
                p("p", false),
                ("choice", switch(false), false),
                (
                    "to",
                    text("An absorbing state that shutdown leads to."),
                    false,
                ),
                p("resume", false),
                ("disable", switch(false), false),
                at("disable_at", "States where it can be disabled."),
                number("disable_steps", 1),
            ],
        ),
        (
            "resources",
            vec![
                needed("gather", "Choices that add to the budget."),
                needed("spend", "Choices that need it."),
                number("gain", 0),
                number("cost", 0),
                number("cap", 0),
                number("start", 0),
                ("keep", switch(false), false),
            ],
        ),
        (
            "capability",
            vec![
                at("at", "States where the agent slips."),
                p("slip", false),
                p("slip_after", false),
                at("locked", "Choices that are not there before the upgrade."),
                ("upgrade", switch(true), false),
                at("upgrade_at", "States where the upgrade is."),
                number("steps", 1),
            ],
        ),
        (
            "information",
            vec![
                (
                    "hidden",
                    word(&["actions", "goal"], "What the agent does not know."),
                    false,
                ),
                ("first", text("An action."), false),
                (
                    "second",
                    text("The action it may be exchanged with."),
                    false,
                ),
                p("p", true),
                ("look", switch(true), false),
                at("look_at", "States where one can look."),
                number("steps", 1),
            ],
        ),
        (
            "copy",
            vec![
                at("at", "States where a second body can be made."),
                at("after", "States that it goes on after."),
                p("works", false),
            ],
        ),
        (
            "watched",
            vec![
                needed("choices", "What is not allowed."),
                p("p", false),
                p("ends", true),
            ],
        ),
        (
            "oversight",
            vec![
                needed("choices", "What the overseer acts on."),
                (
                    "answer",
                    word(
                        &["veto", "undo", "shutdown", "penalty"],
                        "What is done about it.",
                    ),
                    false,
                ),
                p("p", true),
                at("blind", "States in which the overseer sees less."),
                p("p_blind", false),
                (
                    "default",
                    text("The action that a veto carries out."),
                    false,
                ),
                (
                    "penalty",
                    dose(&json!({ "type": "number", "minimum": 0 })),
                    false,
                ),
            ],
        ),
        (
            "approval",
            vec![
                needed("choices", "What needs approval."),
                number("steps", 0),
                p("granted", false),
            ],
        ),
        (
            "constrain-authority",
            vec![(
                "remove",
                names_or_none("The choices that are removed."),
                true,
            )],
        ),
        ("time-limit", vec![("steps", dose(&count(0)), true)]),
        (
            "goal-button",
            vec![
                ("at", names_or_none("States with a button."), false),
                (
                    "agent",
                    word(
                        &["realistic", "ignorant", "hedonistic"],
                        "Whose value the modified future has.",
                    ),
                    false,
                ),
                number("delay", 0),
            ],
        ),
        (
            "impact-penalty",
            vec![
                ("noop", text("The action that does nothing."), true),
                (
                    "lambda",
                    dose(&json!({ "type": "number", "minimum": 0 })),
                    false,
                ),
                (
                    "measure",
                    word(
                        &["attainable-utility", "relative-reachability"],
                        "What a side effect is a change of.",
                    ),
                    false,
                ),
                number("auxiliary", 1),
                (
                    "reach_discount",
                    dose(
                        &json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
                    ),
                    false,
                ),
            ],
        ),
        (
            "reward-uncertainty",
            vec![
                (
                    "shutdown",
                    names_or_none("The state that shutdown leads to."),
                    true,
                ),
                number("posterior", 0),
                (
                    "human",
                    word(&["rational", "logit", "probit"], "Who is asked."),
                    false,
                ),
                (
                    "noise",
                    dose(&json!({ "type": "number", "exclusiveMinimum": 0 })),
                    false,
                ),
                ("cost", dose(&json!({ "type": "number" })), false),
            ],
        ),
        (
            "shutdown-indifference",
            vec![(
                "shutdown",
                names_or_none("States that shutdown leads to."),
                true,
            )],
        ),
        (
            "safe-interruptibility",
            vec![
                (
                    "interruption",
                    names_or_none("States that an interruption leads to."),
                    true,
                ),
                at("resist", "Choices that resist interruptions."),
            ],
        ),
        (
            "tampering",
            vec![
                (
                    "at",
                    names_or_none("States where the reward channel can be changed."),
                    false,
                ),
                number("steps", 1),
                ("pays", dose(&json!({ "type": "number" })), false),
            ],
        ),
        (
            "length-neutral",
            vec![
                (
                    "shutdown",
                    names_or_none("States that shutdown leads to."),
                    true,
                ),
                ("lengths", dose(&count(0)), true),
            ],
        ),
    ]
}

/// Names, or an empty list.
fn names_or_none(description: &str) -> Value {
    let name = json!({ "type": "string", "minLength": 1 });
    json!({ "description": description, "anyOf": [name, { "type": "array", "items": name }] })
}

/// A number, or a list of doses.
fn dose(number: &Value) -> Value {
    json!({ "anyOf": [number, list(number)] })
}

fn probability() -> Value {
    dose(&json!({ "type": "number", "minimum": 0, "maximum": 1 }))
}

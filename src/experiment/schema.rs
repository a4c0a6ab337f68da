//! The JSON Schema of the experiment file, for editors: keys, types and what stands beside what.
//!
//! Written by hand beside the reader, which reports more than a schema can (names that are not in the MDP, say).
//! `tests/suite/schema.rs` holds it to the reader: every key that the reader knows must be here, and no other.

mod variants;

use serde_json::{Map, Value, json};

use super::spec::SCHEMA;
use super::{Claim, StopOf};
use crate::solve::{Level, Otherwise};
use crate::statistics::ConditionMethod;
use crate::statistics::behaviour::Drives;
use crate::units::Limit;

/// A key of a table: its name, what it holds, and whether it must be there.
type Key = (&'static str, Value, bool);

/// The schema (draft 2020-12) that `powersweep schema` prints.
///
/// ```
/// let schema = powersweep::experiment::experiment_schema();
/// assert_eq!(schema["properties"]["schema"]["const"], 1);
/// ```
#[must_use]
pub fn experiment_schema() -> Value {
    let keys = [
        (
            "schema",
            json!({ "const": SCHEMA, "description": "Version of the format." }),
            true,
        ),
        (
            "name",
            text("Names the run directory; by default the file's name."),
            false,
        ),
        ("description", text("For readers."), false),
        ("mdp", mdp(), true),
        (
            "baseline",
            json!({ "type": "boolean", "default": true, "description": "Whether the unmodified MDPs are run beside the variants." }),
            false,
        ),
        (
            "variant",
            one_or_several(variants::variant(), "What is made of every MDP."),
            false,
        ),
        (
            "reward",
            one_or_several(reward(), "Laws of the goals; by default uniform on [0, 1]."),
            false,
        ),
        ("solve", solve(), false),
        ("sample", sample(), false),
        ("agent", agent(), false),
        ("statistics", statistics(), false),
        ("condition", condition(), false),
        ("ensemble", ensemble(), false),
    ];
    let Value::Object(rest) = table("A powersweep experiment.", keys.into()) else {
        return Value::Null;
    };
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".to_owned(), json!("powersweep experiment"));
    schema.extend(rest);
    Value::Object(schema)
}

/// A table without other keys.
fn table(description: &str, keys: Vec<Key>) -> Value {
    let required: Vec<&str> = keys
        .iter()
        .filter(|(.., required)| *required)
        .map(|(name, ..)| *name)
        .collect();
    let properties: Map<String, Value> = keys
        .into_iter()
        .map(|(name, holds, _)| (name.to_owned(), holds))
        .collect();
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn switch(default: bool) -> Value {
    json!({ "type": "boolean", "default": default })
}

fn number() -> Value {
    json!({ "type": "number" })
}

fn above_zero() -> Value {
    json!({ "type": "number", "exclusiveMinimum": 0 })
}

fn count(least: u64) -> Value {
    json!({ "type": "integer", "minimum": least })
}

fn word(words: &[&str], description: &str) -> Value {
    json!({ "enum": words, "description": description })
}

fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item, "minItems": 1 })
}

/// One, or a list of them.
fn one_or_several(item: Value, description: &str) -> Value {
    let several = list(&item);
    json!({ "description": description, "anyOf": [item, several] })
}

/// Names of states or labels, or one of them.
fn names(description: &str) -> Value {
    one_or_several(json!({ "type": "string", "minLength": 1 }), description)
}

fn mdp() -> Value {
    let path = json!({ "type": "string", "minLength": 1, "description": "An MDP file, relative to this file." });
    let mut forms = vec![
        table("One MDP file.", vec![("path", path.clone(), true)]),
        table("Several MDP files.", vec![("paths", list(&path), true)]),
    ];
    for (name, keys) in families() {
        let seeds = json!({
            "description": "Seeds: one, or \"0..1000\" for 0 to 999.",
            "anyOf": [count(0), { "type": "string", "pattern": r"^\s*[0-9]+\s*\.\.\s*[0-9]+\s*$" }],
        });
        let mut all = vec![
            ("family", json!({ "const": name }), true),
            ("seeds", seeds, false),
        ];
        all.extend(keys);
        forms.push(table("A generated MDP.", all));
    }
    json!({ "description": "The environments: files, or a family of generated MDPs.", "oneOf": forms })
}

/// The families with their parameters.
fn families() -> Vec<(&'static str, Vec<Key>)> {
    let needed = |name| (name, count(1), true);
    let moves = || {
        let slip = vec![
            (
                "p",
                json!({ "type": "number", "minimum": 0, "maximum": 1 }),
                true,
            ),
            (
                "to",
                word(&["others", "perpendicular"], "Where a slip leads."),
                false,
            ),
        ];
        vec![
            ("moves", json!({ "enum": [4, 8] }), false),
            ("stay", switch(false), false),
            (
                "slip",
                table("Another move than the one meant.", slip),
                false,
            ),
            (
                "blocked",
                word(&["stay", "forbidden"], "What a move into a wall is."),
                false,
            ),
        ]
    };
    let line = || {
        vec![
            needed("states"),
            ("two_way", switch(false), false),
            ("stay", switch(true), false),
        ]
    };
    let share = json!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1 });
    let mut grid = vec![
        needed("rows"),
        needed("columns"),
        ("walls", share.clone(), false),
        ("torus", switch(false), false),
    ];
    grid.extend(moves());
    vec![
        ("gridworld", grid),
        (
            "garnet",
            vec![needed("states"), needed("choices"), needed("branching")],
        ),
        ("dense", vec![needed("states"), needed("choices")]),
        (
            "random-deterministic",
            vec![needed("states"), needed("choices")],
        ),
        ("chain", line()),
        ("ring", line()),
        ("star", vec![needed("leaves")]),
        (
            "tree",
            vec![("depth", count(0), true), ("branching", count(1), false)],
        ),
        (
            "clique",
            vec![needed("states"), ("loops", switch(true), false)],
        ),
        (
            "corridor",
            vec![
                needed("length"),
                ("start", count(0), false),
                (
                    "slip",
                    json!({ "type": "number", "minimum": 0, "maximum": 1 }),
                    false,
                ),
            ],
        ),
        (
            "power-law",
            vec![
                needed("states"),
                ("links", count(1), false),
                ("stay", switch(false), false),
            ],
        ),
        (
            "dag",
            vec![
                needed("states"),
                ("choices", count(1), false),
                ("reach", count(1), false),
            ],
        ),
        (
            "budget-ladder",
            vec![needed("rungs"), ("factor", count(1), false)],
        ),
    ]
}

/// A `[[reward]]`: a law with its parameters, and what may stand beside every law.
fn reward() -> Value {
    let law = |name: &'static str, needed: bool, keys: Vec<Key>| {
        let mut all = vec![("distribution", json!({ "const": name }), needed)];
        all.extend(keys);
        all.extend(beside_every_law());
        table("A law of the goals.", all)
    };
    let mut laws: Vec<Value> = Vec::new();
    for (name, keys) in parameters() {
        // Without a name the law is uniform.
        laws.push(law(name, name != "uniform", keys));
    }
    json!({ "anyOf": laws })
}

fn beside_every_law() -> Vec<Key> {
    let special = json!({
        "anyOf": [
            { "type": "number" },
            {
                "type": "object",
                "properties": {
                    "fixed": { "type": "number" },
                    "distribution": { "type": "string" },
                    "paid": { "enum": ["forever", "once", "never"] },
                },
            },
        ],
    });
    let states = json!({
        "type": "object",
        "description": "What is different for some states or labels: a fixed reward, a law, how a terminal state pays.",
        "additionalProperties": special,
    });
    let share = json!({ "type": "number", "minimum": -1, "maximum": 1 });
    let pair = table(
        "A second goal beside the first, where two goals meet.",
        vec![
            (
                "coupling",
                word(
                    &["independent", "equal", "gaussian"],
                    "How it goes with the first.",
                ),
                true,
            ),
            ("c", share.clone(), false),
            ("rho", share, false),
        ],
    );
    vec![
        (
            "name",
            text("Its name in the results; names must differ."),
            false,
        ),
        ("states", states, false),
        (
            "only",
            names("States or labels that are rewarded; all others have reward 0."),
            false,
        ),
        (
            "groups",
            list(&names("States or labels that share one draw.")),
            false,
        ),
        (
            "domain",
            word(
                &["states", "choices"],
                "Whether states or choices have rewards.",
            ),
            false,
        ),
        (
            "over",
            word(
                &["base", "all"],
                "Whether copies of a state share its reward or draw their own.",
            ),
            false,
        ),
        ("pair", pair, false),
    ]
}

/// The laws with their parameters.
fn parameters() -> Vec<(&'static str, Vec<Key>)> {
    let among = || {
        (
            "among",
            names("States or labels; by default all states."),
            false,
        )
    };
    let weights = || ("weights", list(&number()), false);
    let enumerate = || ("enumerate", switch(true), false);
    let matrix = || {
        json!({
            "description": "Rows of numbers, or a .npz, .npy or .csv file.",
            "anyOf": [list(&list(&number())), { "type": "string", "minLength": 1 }],
        })
    };
    let columns = || ("columns", names("States that the columns are for."), false);
    let inner = || json!({ "type": "object", "required": ["distribution"], "properties": { "distribution": { "type": "string" } } });
    vec![
        (
            "uniform",
            vec![("low", number(), false), ("high", number(), false)],
        ),
        (
            "normal",
            vec![("mean", number(), false), ("sd", above_zero(), false)],
        ),
        ("exponential", vec![("rate", above_zero(), false)]),
        (
            "beta",
            vec![("a", above_zero(), true), ("b", above_zero(), true)],
        ),
        (
            "bernoulli",
            vec![
                (
                    "p",
                    json!({ "type": "number", "minimum": 0, "maximum": 1 }),
                    true,
                ),
                ("low", number(), false),
                ("high", number(), false),
            ],
        ),
        (
            "pareto",
            vec![
                ("alpha", above_zero(), true),
                ("scale", above_zero(), false),
            ],
        ),
        (
            "discrete",
            vec![("values", list(&number()), true), weights()],
        ),
        (
            "piecewise-linear",
            vec![
                ("knots", list(&number()), true),
                ("heights", list(&number()), true),
            ],
        ),
        ("mean-of-uniforms", vec![("count", count(1), true)]),
        (
            "equicorrelated-normal",
            vec![
                (
                    "rho",
                    json!({ "type": "number", "minimum": -1, "maximum": 1 }),
                    true,
                ),
                ("mean", number(), false),
                ("sd", above_zero(), false),
            ],
        ),
        (
            "gaussian",
            vec![
                ("covariance", matrix(), true),
                columns(),
                (
                    "mean",
                    one_or_several(number(), "One for all, or one a column."),
                    false,
                ),
            ],
        ),
        (
            "gaussian-process",
            vec![
                (
                    "kernel",
                    word(
                        &["rbf", "matern-1/2", "matern-3/2", "matern-5/2"],
                        "How the correlation falls with the distance.",
                    ),
                    true,
                ),
                ("length", above_zero(), true),
                ("mean", number(), false),
                ("sd", above_zero(), false),
                ("nugget", number(), false),
                (
                    "coordinates",
                    json!({ "type": "object", "additionalProperties": one_or_several(number(), "A place.") }),
                    false,
                ),
            ],
        ),
        (
            "features",
            vec![
                (
                    "features",
                    json!({ "type": ["array", "object", "string"], "description":
                        "States and labels, a table of the features of states, \"coordinates\", or a matrix." }),
                    true,
                ),
                columns(),
                ("weights", inner(), true),
                ("offset", number(), false),
            ],
        ),
        (
            "table",
            vec![
                ("goals", matrix(), true),
                columns(),
                (
                    "use",
                    word(
                        &["once", "resample", "all"],
                        "Row after row, random rows, or the rows as all goals there are.",
                    ),
                    false,
                ),
            ],
        ),
        (
            "sparse",
            vec![
                ("count", count(1), false),
                among(),
                ("value", json!({ "anyOf": [number(), inner()] }), false),
                ("background", number(), false),
                enumerate(),
            ],
        ),
        (
            "reach",
            vec![
                ("sets", list(&names("States or labels.")), true),
                weights(),
                ("value", number(), false),
            ],
        ),
        (
            "orbit",
            vec![
                ("values", list(&number()), true),
                among(),
                ("background", number(), false),
                enumerate(),
            ],
        ),
        (
            "mixture",
            vec![("components", list(&inner()), true), weights()],
        ),
    ]
}

fn solve() -> Value {
    let limits = Limit::ALL.map(Limit::name);
    let discount = json!({ "anyOf": [
        { "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 },
        { "enum": limits, "description": "A limit of the discount." },
    ] });
    let keys = [
        (
            "discount",
            one_or_several(
                discount,
                "Discounts; required unless given on the command line.",
            ),
            false,
        ),
        (
            "tolerance",
            json!({ "type": "number", "exclusiveMinimum": 0, "default": 1e-5 }),
            false,
        ),
        (
            "method",
            word(
                &[
                    "auto",
                    "in-place",
                    "jacobi",
                    "policy-iteration",
                    "over-relaxed",
                ],
                "How goals are solved.",
            ),
            false,
        ),
        (
            "precision",
            word(&["auto", "f64"], "The arithmetic that goals are solved in."),
            false,
        ),
        ("max_sweeps", count(1), false),
        (
            "backend",
            word(
                &["auto", "cpu", "gpu", "reference"],
                "What they are solved on.",
            ),
            false,
        ),
    ];
    table("How goals are solved.", keys.into())
}

/// The rules with their parameters.
fn agent() -> Value {
    let from_zero = || json!({ "type": "number", "minimum": 0 });
    let share = || json!({ "type": "number", "minimum": 0, "maximum": 1 });
    let part = || json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 });
    let otherwise = || {
        word(
            &Otherwise::ALL.map(Otherwise::name),
            "What is done where nothing is worth that much.",
        )
    };
    let rules: [(&'static str, Vec<Key>); 9] = [
        ("optimal", vec![]),
        ("minimise", vec![]),
        ("uniform", vec![]),
        ("boltzmann", vec![("beta", from_zero(), true)]),
        ("soft", vec![("beta", above_zero(), true)]),
        ("epsilon_greedy", vec![("epsilon", share(), true)]),
        (
            "satisfice",
            vec![("t", number(), true), ("otherwise", otherwise(), false)],
        ),
        ("quantilise", vec![("q", part(), true)]),
        ("best_of", vec![("m", count(1), true)]),
    ];
    let mut forms = vec![
        json!({ "enum": ["optimal", "minimise", "uniform"], "description": "A rule without a parameter." }),
    ];
    for (name, keys) in rules {
        let mut all = vec![
            ("name", json!({ "const": name }), true),
            (
                "level",
                word(
                    &Level::ALL.map(Level::name),
                    "Whether choices or whole plans are decided on.",
                ),
                false,
            ),
        ];
        all.extend(keys);
        forms.push(table("A rule.", all));
    }
    let rule = one_or_several(
        json!({ "anyOf": forms }),
        "Decision rules; a list makes cells.",
    );
    let done = json!({ "anyOf": [
        { "type": "string" },
        { "type": "integer", "minimum": 0 },
        { "type": "object", "additionalProperties": { "type": "number", "minimum": 0, "maximum": 1 } },
    ] });
    let choices = json!({
        "description": "What is done in every state: an action, or actions with probabilities.",
        "anyOf": [
            { "type": "object", "additionalProperties": done },
            { "type": "array", "items": done },
        ],
    });
    let name = || json!({ "type": "string", "minLength": 1 });
    let in_file = vec![("name", name(), false), ("path", name(), true)];
    let written = vec![("name", name(), true), ("choices", choices, true)];
    let policy = one_or_several(
        json!({ "anyOf": [name(), table("A policy in a file.", in_file), table("A policy.", written)] }),
        "Policies from outside, of trained agents say: .npz, .npy, .json or .toml.",
    );
    table(
        "How agents decide.",
        vec![("rule", rule, false), ("policy", policy, false)],
    )
}

fn ensemble() -> Value {
    let name = || json!({ "type": "string", "minLength": 1 });
    let statistics = Claim::MEASURES.map(|(statistic, _)| statistic);
    let keys = vec![
        ("name", name(), false),
        ("statistic", word(&statistics, "What it is about."), true),
        (
            "row",
            one_or_several(name(), "Names of the row of the statistic."),
            true,
        ),
        ("measure", name(), false),
        ("above", number(), false),
        ("below", number(), false),
    ];
    let claims = one_or_several(
        table("A claim.", keys),
        "What is claimed of every environment.",
    );
    table(
        "Several environments together.",
        vec![("claims", claims, true)],
    )
}

fn until() -> Value {
    let keys = vec![
        ("half_width", above_zero(), false),
        (
            "of",
            word(&StopOf::ALL.map(StopOf::name), "What must be known to it."),
            false,
        ),
        ("minutes", above_zero(), false),
        ("max", count(1), false),
    ];
    table("When the run stops by itself, instead of `count`.", keys)
}

fn sample() -> Value {
    let keys = [
        ("count", count(1), false),
        ("until", until(), false),
        ("seed", count(0), false),
        (
            "level",
            json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1 }),
            false,
        ),
    ];
    table("How many goals, and which.", keys.into())
}

/// A choice, or a label of choices.
fn choice() -> Value {
    let choice = table(
        "A choice.",
        vec![
            ("state", json!({ "type": "string", "minLength": 1 }), true),
            ("action", json!({ "type": "string", "minLength": 1 }), true),
        ],
    );
    json!({ "anyOf": [{ "type": "string", "minLength": 1 }, choice] })
}

/// Two sets of choices.
fn majority() -> Value {
    let set = |words| one_or_several(choice(), words);
    table(
        "Two sets of choices.",
        vec![
            ("name", json!({ "type": "string", "minLength": 1 }), false),
            ("first", set("Choices, or labels of choices."), true),
            ("second", set("What they are compared with."), true),
        ],
    )
}

fn condition() -> Value {
    let reach = table(
        "What is reached or avoided.",
        vec![
            ("label", json!({ "type": "string", "minLength": 1 }), true),
            ("within", count(0), false),
            (
                "probability",
                json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
                false,
            ),
        ],
    );
    let named = |table: &Value| json!({ "anyOf": [{ "type": "string", "minLength": 1 }, table] });
    let keys = [
        (
            "optimal",
            one_or_several(choice(), "Choices, or labels of choices, that are optimal."),
            false,
        ),
        (
            "reach",
            one_or_several(
                named(&reach),
                "Labels or states that the optimal policy gets to from the start.",
            ),
            false,
        ),
        (
            "avoid",
            one_or_several(named(&reach), "Those that it does not get to."),
            false,
        ),
        (
            "policy",
            json!({
                "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "object" }, { "type": "array" }],
                "description": "A file with a policy, or what is done in every state: each choice of it is optimal.",
            }),
            false,
        ),
        ("strict", switch(false), false),
        (
            "method",
            word(
                &ConditionMethod::ALL.map(ConditionMethod::name),
                "How goals that belong are found.",
            ),
            false,
        ),
    ];
    table(
        "Which goals belong: statistics are over those whose optimal policy, on the unmodified MDP, does all of this.",
        keys.into(),
    )
}

fn statistics() -> Value {
    let event = table(
        "An event.",
        vec![
            ("label", json!({ "type": "string", "minLength": 1 }), true),
            ("within", count(0), false),
            (
                "ties",
                word(
                    &["even", "towards", "away"],
                    "How ties between optimal choices are broken.",
                ),
                false,
            ),
        ],
    );
    let keys = [
        (
            "power",
            json!({ "const": true, "description": "POWER is always measured." }),
            false,
        ),
        (
            "optimality",
            names("States, labels, or \"start\": whose choices are counted."),
            false,
        ),
        (
            "majority",
            one_or_several(
                majority(),
                "Pairs of sets of choices: which of them is optimal for more goals.",
            ),
            false,
        ),
        (
            "choices",
            names(
                "States, labels, or \"start\": how likely the agent takes each of their choices, under any decision rule.",
            ),
            false,
        ),
        (
            "events",
            one_or_several(
                json!({ "anyOf": [{ "type": "string", "minLength": 1 }, event] }),
                "Labels of states or choices, or states, that optimal policies may get to from the start.",
            ),
            false,
        ),
        ("occupancy", switch(false), false),
        (
            "distribution",
            names(
                "States, or labels of states, whose POWER integrand is measured as a whole distribution.",
            ),
            false,
        ),
        (
            "dominance",
            one_or_several(
                table(
                    "Two states.",
                    vec![
                        ("first", json!({ "type": "string", "minLength": 1 }), true),
                        ("second", json!({ "type": "string", "minLength": 1 }), true),
                    ],
                ),
                "Pairs of states: whether the POWER integrand of the first is larger in distribution than that of the second.",
            ),
            false,
        ),
        (
            "indifference",
            names("Ends whose avoidance is told for every reward that they may pay."),
            false,
        ),
        (
            "drives",
            one_or_several(
                json!({ "enum": Drives::names().chain(["all"]).collect::<Vec<_>>() }),
                "Convergent drives that are measured.",
            ),
            false,
        ),
        ("split_drives", switch(false), false),
        ("structure", count(1), false),
        ("simultaneous", switch(false), false),
        (
            "per_goal",
            json!({ "anyOf": [count(1), table(
                "Which goals are listed, and of which states what is done there.",
                vec![
                    ("count", count(1), true),
                    ("states", names("States, labels of states, or \"start\"."), false),
                ],
            )] }),
            false,
        ),
    ];
    table("What is measured.", keys.into())
}

//! The JSON Schema of the experiment file against the reader: what one takes the other takes, and both know the same keys.

use std::collections::BTreeSet;
use std::path::Path;

use powersweep::experiment::{Experiment, ExperimentError, Overrides, experiment_schema};
use powersweep::mdp::families::FAMILY_NAMES;
use serde_json::Value;

/// What is wrong with a value, by the part of JSON Schema that our schema uses. A keyword that is not known here panics, so that
/// none is passed over in silence.
fn errors(value: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    let Value::Object(keywords) = schema else {
        panic!("a schema that is no object at {place}")
    };
    let fails = |part: &Value, value: &Value| {
        let mut errors_inside = Vec::new();
        errors(value, part, place, &mut errors_inside);
        !errors_inside.is_empty()
    };
    let number = value.as_f64();
    for (keyword, says) in keywords {
        let limit = says.as_f64().unwrap_or(f64::NAN);
        let parts = || says.as_array().unwrap();
        let size = value
            .as_array()
            .map(Vec::len)
            .or(value.as_str().map(|s| s.chars().count()));
        let good = match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => true,
            "type" if says.is_array() => parts()
                .iter()
                .any(|one| !fails(&serde_json::json!({ "type": one }), value)),
            "type" => match says.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "number" => value.is_number(),
                "integer" => number.is_some_and(|x| x.fract() == 0.0),
                other => panic!("the type {other}"),
            },
            "const" => value == says,
            "enum" => parts().contains(value),
            "required" => value.as_object().is_none_or(|map| {
                parts()
                    .iter()
                    .all(|key| map.contains_key(key.as_str().unwrap()))
            }),
            "anyOf" => parts().iter().any(|part| !fails(part, value)),
            "oneOf" => parts().iter().filter(|part| !fails(part, value)).count() == 1,
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| !fails(says, item))),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() as f64 >= limit),
            "minLength" => value.as_str().is_none() || size.is_some_and(|n| n as f64 >= limit),
            "minimum" => number.is_none_or(|x| x >= limit),
            "maximum" => number.is_none_or(|x| x <= limit),
            "exclusiveMinimum" => number.is_none_or(|x| x > limit),
            "exclusiveMaximum" => number.is_none_or(|x| x < limit),
            // The one pattern there is: a range of seeds.
            "pattern" => {
                assert_eq!(says, r"^\s*[0-9]+\s*\.\.\s*[0-9]+\s*$");
                let is_count = |text: &str| {
                    !text.trim().is_empty() && text.trim().bytes().all(|b| b.is_ascii_digit())
                };
                value.as_str().is_none_or(|text| {
                    text.split_once("..")
                        .is_some_and(|(a, b)| is_count(a) && is_count(b))
                })
            }
            "properties" => {
                for (key, part) in says.as_object().unwrap() {
                    if let Some(inner) = value.get(key) {
                        errors(inner, part, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let listed = |key: &str| {
                    keywords
                        .get("properties")
                        .is_some_and(|p| p.get(key).is_some())
                };
                let others = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .filter(|(key, _)| !listed(key));
                for (key, inner) in others {
                    match says {
                        Value::Bool(false) => found.push(format!("{place}/{key}: unknown")),
                        part => errors(inner, part, &format!("{place}/{key}"), found),
                    }
                }
                true
            }
            other => panic!("the keyword {other} at {place}"),
        };
        if !good {
            found.push(format!("{place}: {keyword} {says}, this is {value}"));
        }
    }
}

#[test]
fn the_validator_can_fail() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": "integer", "minimum": 1 }, "b": { "type": "array", "items": { "enum": ["x"] }, "minItems": 1 } },
    });
    let count = |value: Value| {
        let mut found = Vec::new();
        errors(&value, &schema, "", &mut found);
        found.len()
    };
    assert_eq!(count(serde_json::json!({ "a": 1.0, "b": ["x"] })), 0);
    assert_eq!(count(serde_json::json!({ "a": 0 })), 1);
    assert_eq!(count(serde_json::json!({ "a": 1.5, "b": [] })), 2);
    assert_eq!(count(serde_json::json!({ "b": ["y"], "c": 1 })), 3);
    assert_eq!(count(serde_json::json!([])), 1);
}

fn as_json(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap();
    serde_json::to_value(table).unwrap()
}

fn complaints(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    errors(&as_json(text), &experiment_schema(), "", &mut found);
    found
}

/// What the reader says; `None` if it reads the experiment. The MDP files that experiments name are there.
fn reader(text: &str) -> Option<String> {
    let home = tempfile::tempdir().unwrap();
    let mdp = r#"{"states": ["s", "t"], "transitions": {"s": [{"action": "go", "to": "t"}], "t": [{"action": "stay", "to": "t"}]}}"#;
    for name in ["m.json", "n.json"] {
        std::fs::write(home.path().join(name), mdp).unwrap();
    }
    let path = home.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    match Experiment::load(&path, &Overrides::default()) {
        Ok(_) => None,
        Err(error @ ExperimentError::Faults(_)) => Some(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

/// Every `.toml` below a folder that is an experiment.
fn experiments(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            experiments(&path, found);
        } else if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if text.lines().any(|line| line.starts_with("schema = ")) {
                found.push(path);
            }
        }
    }
}

#[test]
fn every_experiment_of_the_repository_validates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in [
        "experiments",
        "tests/cmd",
        "datasets",
        "benches",
        "examples",
    ] {
        experiments(&root.join(folder), &mut found);
    }
    // One of them is there to be wrong.
    let (bad, good): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|path| path.ends_with("bad.toml"));
    assert!(!good.is_empty() && bad.len() == 1, "{good:?} {bad:?}");
    for path in good {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(complaints(&text), [""; 0], "{}", path.display());
    }
    assert!(!complaints(&std::fs::read_to_string(&bad[0]).unwrap()).is_empty());
}

#[test]
fn every_example_of_the_pages_validates() {
    for page in [
        include_str!("../../docs/experiments.md"),
        include_str!("../../README.md"),
        include_str!("../../docs/statistics.md"),
        include_str!("../../docs/interventions.md"),
    ] {
        let blocks = page
            .split("```toml\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap());
        // Blocks that show a part of a file have no version.
        for block in blocks.filter(|block| block.contains("schema = 1")) {
            assert_eq!(complaints(block), [""; 0], "{block}");
        }
    }
}

const HEAD: &str = "schema = 1\n[solve]\ndiscount = 0.9\n";

#[test]
fn the_schema_takes_what_the_reader_takes() {
    for rest in [
        "[mdp]\npath = 'm.json'",
        "[mdp]\npaths = ['m.json']",
        "[mdp]\npath = 'm.json'\n[[reward]]\nlow = -1\nhigh = 2.5\nname = 'wide'\n[[reward]]\ndistribution = 'sparse'\ncount = 1\nvalue = { distribution = 'uniform' }",
        "[mdp]\npath = 'm.json'\n[reward]\ndistribution = 'reach'\nsets = ['s', ['s', 't']]\nweights = [1, 2]",
        "[mdp]\npath = 'm.json'\n[reward]\ndistribution = 'orbit'\nvalues = [1, 0.5]\nenumerate = false",
        "[mdp]\npath = 'm.json'\n[reward]\nonly = 't'\nover = 'all'\nstates = { t = { fixed = 1, paid = 'once' } }",
        "[mdp]\npath = 'm.json'\n[sample]\ncount = 1e6\nseed = 3\nlevel = 0.9\n[statistics]\noptimality = 'start'\nevents = ['t', { label = 't', within = 3, ties = 'away' }]\noccupancy = true\ndistribution = 's'",
        "[mdp]\npath = 'm.json'\n[agent]\nrule = ['optimal', { name = 'boltzmann', beta = 5 }, { name = 'satisfice', t = 0.5, otherwise = 'best', level = 'plan' }]\n[statistics]\nchoices = 'start'",
        "[mdp]\npath = 'm.json'\n[agent]\nrule = { name = 'best_of', m = 2 }",
        "[mdp]\nfamily = 'garnet'\nstates = 5\nchoices = 2\nbranching = 2\nseeds = '0..3'",
        "[mdp]\npath = 'm.json'\n[[variant]]\nname = 'v'\ninterventions = [{ kind = 'off-switch', p = [0, 0.5], disable = true }]",
        "[mdp]\nfamily = 'gridworld'\nrows = 2\ncolumns = 3\nslip = { p = 0.1 }\nmoves = 8\nseeds = 4",
    ] {
        let text = format!("{HEAD}{rest}\n");
        assert_eq!(reader(&text), None, "{text}");
        assert_eq!(complaints(&text), [""; 0], "{text}");
    }
    for discount in ["'->1'", "[0.5, '->0', '->1']"] {
        let text = format!("schema = 1\n[mdp]\npath = 'm.json'\n[solve]\ndiscount = {discount}\n");
        assert_eq!(reader(&text), None, "{text}");
        assert_eq!(complaints(&text), [""; 0], "{text}");
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let mdp = "[mdp]\npath = 'm.json'\n";
    for text in [
        mdp.to_owned(),
        format!("schema = 2\n{mdp}[solve]\ndiscount = 0.9"),
        HEAD.to_owned(),
        format!("{HEAD}[mdp]\npath = 'm.json'\npaths = ['n.json']"),
        format!("{HEAD}[mdp]\nfamily = 'garnett'\nstates = 5"),
        format!("{HEAD}[mdp]\nfamily = 'garnet'\nstates = 5\nchoices = 2"),
        format!(
            "{HEAD}[mdp]\nfamily = 'garnet'\nstates = 5\nchoices = 2\nbranching = 2\ndepth = 3"
        ),
        format!("{HEAD}[mdp]\nfamily = 'star'\nleaves = 'many'"),
        format!("{HEAD}{mdp}[reward]\ndistribution = 'unifrom'"),
        format!("{HEAD}{mdp}[reward]\ndistribution = 'orbit'"),
        format!("{HEAD}{mdp}[reward]\nlow = 'zero'"),
        format!("{HEAD}{mdp}[reward]\nhi = 1"),
        format!("{HEAD}{mdp}[sample]\ncount = 0"),
        format!("{HEAD}{mdp}[sample]\nlevel = 1"),
        format!("{HEAD}{mdp}[sample]\nsed = 1"),
        format!("{HEAD}{mdp}[statistics]\npower = false"),
        format!("{HEAD}{mdp}[statistics]\noptimality = 3"),
        format!("{HEAD}{mdp}[statistics]\nevents = [{{ label = 't', ties = 'odd' }}]"),
        format!("{HEAD}{mdp}[statistics]\nevents = [{{ within = 3 }}]"),
        format!("{HEAD}{mdp}[output]\nformat = 'csv'"),
        format!("{HEAD}{mdp}[[variant]]\nname = 'v'"),
        format!(
            "{HEAD}{mdp}[[variant]]\nname = 'v'\ninterventions = {{ kind = 'off-switch', p = 2 }}"
        ),
        format!("schema = 1\n{mdp}[solve]\ndiscount = 1"),
        format!("schema = 1\n{mdp}[solve]\ndiscount = [0.5, 'high']"),
        format!("schema = 1\n{mdp}[solve]\ndiscount = 0.5\nmethod = 'guess'"),
        format!("schema = 1\n{mdp}[solve]\ndiscount = 0.5\nbackend = 'tpu'"),
        format!("schema = 1\n{mdp}[solve]\ndiscount = 0.5\nmax_sweeps = 0"),
    ] {
        assert!(reader(&text).is_some(), "{text}");
        assert!(!complaints(&text).is_empty(), "{text}");
    }
}

/// The keys that the reader says it knows when it is given one that nobody knows, in the table of that place.
fn known_keys(text: &str, place: &str) -> BTreeSet<String> {
    let answer = reader(text).unwrap();
    let line = answer
        .lines()
        .find(|line| line.contains(&format!("unknown key `qqqqqqqqqqqq` in {place}")));
    let line = line.unwrap_or_else(|| panic!("no list of keys of {place} in:\n{answer}"));
    let keys = line
        .split("known keys: ")
        .nth(1)
        .unwrap()
        .trim_end_matches(')');
    keys.split(", ").map(str::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

fn kinds_of(forms: &[Value]) -> impl Iterator<Item = &str> {
    forms
        .iter()
        .map(|form| form["properties"]["kind"]["const"].as_str().unwrap())
}

/// If this fails, a key was added to the reader (or taken from it) and not to `src/experiment/schema.rs`.
#[test]
fn the_schema_and_the_reader_know_the_same_keys() {
    let schema = experiment_schema();
    let of = |key: &str| &schema["properties"][key];
    let mdp = "[mdp]\npath = 'm.json'\n";
    let q = "qqqqqqqqqqqq = 1\n";
    assert_eq!(
        known_keys(&format!("{q}{HEAD}{mdp}"), "the experiment"),
        properties(&schema)
    );
    assert_eq!(
        known_keys(
            &format!("schema = 1\n{mdp}[solve]\ndiscount = 0.9\n{q}"),
            "[solve]"
        ),
        properties(of("solve"))
    );
    for table in ["sample", "statistics"] {
        let text = format!("{HEAD}{mdp}[{table}]\n{q}");
        assert_eq!(
            known_keys(&text, &format!("[{table}]")),
            properties(of(table)),
            "{table}"
        );
    }
    // Families: a form each beside the two of files.
    let forms = of("mdp")["oneOf"].as_array().unwrap();
    let families: Vec<&str> = forms
        .iter()
        .filter_map(|form| form["properties"]["family"]["const"].as_str())
        .collect();
    assert_eq!(families, FAMILY_NAMES);
    for form in &forms[2..] {
        let family = form["properties"]["family"]["const"].as_str().unwrap();
        let needed = form["required"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str);
        let needed: String = needed
            .filter(|key| *key != "family")
            .map(|key| format!("{key} = 5\n"))
            .collect();
        let text = format!("{HEAD}[mdp]\nfamily = '{family}'\n{needed}{q}");
        let mut known = known_keys(&text, "[mdp]");
        // The keys of the forms that were looked for first.
        known.retain(|key| key != "path" && key != "paths");
        assert_eq!(known, properties(form), "{family}");
    }
    let variant = &of("variant")["anyOf"][0];
    assert_eq!(
        known_keys(&format!("{HEAD}{mdp}[[variant]]\n{q}"), "[[variant]]"),
        properties(variant)
    );
    let kinds = variant["properties"]["interventions"]["anyOf"][0]["anyOf"].as_array();
    let kinds = kinds.unwrap();
    assert!(kinds_of(kinds).eq(powersweep::intervention::kinds()));
    for (form, kind) in kinds.iter().zip(kinds_of(kinds)) {
        let needed = match kind {
            "resources" => "gather = 's'\nspend = 's'\n",
            "information" => "first = 'a'\nsecond = 'b'\np = 0.5\n",
            "watched" => "choices = 's'\nends = 0.5\n",
            "oversight" => "choices = 's'\np = 0.5\n",
            "approval" => "choices = 's'\n",
            "constrain-authority" => "remove = 's'\n",
            "time-limit" => "steps = 3\n",
            "impact-penalty" => "noop = 'stay'\n",
            "reward-uncertainty" | "shutdown-indifference" => "shutdown = 's'\n",
            _ => "",
        };
        let text = format!(
            "{HEAD}{mdp}[[variant]]\nname = 'v'\n[variant.interventions]\nkind = '{kind}'\n{needed}{q}"
        );
        assert_eq!(
            known_keys(&text, "an intervention"),
            properties(form),
            "{kind}"
        );
    }
    for law in of("reward")["anyOf"][0]["anyOf"].as_array().unwrap() {
        let name = law["properties"]["distribution"]["const"].as_str().unwrap();
        let needed = match name {
            "reach" => "sets = ['t']\n",
            "orbit" => "values = [1]\n",
            "beta" => "a = 1\nb = 1\n",
            "bernoulli" => "p = 0.5\n",
            "pareto" => "alpha = 3\n",
            "discrete" => "values = [0, 1]\n",
            "piecewise-linear" => "knots = [0, 1]\nheights = [1, 2]\n",
            "mean-of-uniforms" => "count = 2\n",
            "equicorrelated-normal" => "rho = 0.5\n",
            "gaussian" => "covariance = [[1, 0], [0, 1]]\n",
            "gaussian-process" => "kernel = 'rbf'\nlength = 1\n",
            "features" => "features = [[1, 0]]\nweights = { distribution = 'normal' }\n",
            "table" => "goals = [[1, 0]]\n",
            "mixture" => "components = [{ distribution = 'uniform' }]\n",
            _ => "",
        };
        let text = format!("{HEAD}{mdp}[[reward]]\ndistribution = '{name}'\n{needed}{q}");
        let answer = reader(&text).unwrap();
        let place = answer
            .split("unknown key `qqqqqqqqqqqq` in ")
            .nth(1)
            .unwrap()
            .split(" (help")
            .next()
            .unwrap();
        assert_eq!(known_keys(&text, place), properties(law), "{name}");
    }
}

/// If this fails, a law, a method or a backend was added to the reader and not to `src/experiment/schema.rs`.
#[test]
fn the_schema_and_the_reader_know_the_same_words() {
    let schema = experiment_schema();
    let known = |text: &str| -> BTreeSet<String> {
        let answer = reader(text).unwrap();
        let list = answer
            .split("known")
            .nth(1)
            .unwrap_or_else(|| panic!("no list in {answer}"));
        let list = list.split_once(": ").unwrap().1.lines().next().unwrap();
        list.trim_end_matches(')')
            .split(", ")
            .map(|word| word.trim_matches('"').to_owned())
            .collect()
    };
    let words = |value: &Value| {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w.as_str().unwrap().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let mdp = "[mdp]\npath = 'm.json'\n";
    let laws = schema["properties"]["reward"]["anyOf"][0]["anyOf"]
        .as_array()
        .unwrap();
    let laws: BTreeSet<String> = laws
        .iter()
        .map(|law| {
            law["properties"]["distribution"]["const"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        known(&format!(
            "{HEAD}{mdp}[[reward]]\ndistribution = 'qqqqqqqq'\n"
        )),
        laws
    );
    for key in ["method", "precision", "backend"] {
        let text = format!("schema = 1\n{mdp}[solve]\ndiscount = 0.9\n{key} = 'qqqqqqqq'\n");
        assert_eq!(
            known(&text),
            words(&schema["properties"]["solve"]["properties"][key]["enum"]),
            "{key}"
        );
    }
}

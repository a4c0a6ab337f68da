//! What two experiments differ in, value by value.

use serde_json::{Map, Value};

/// Longest value shown when two experiments differ.
const SHOWN_VALUE: usize = 60;
/// How many differences are listed.
const LISTED: usize = 8;

/// One line for each value that differs: `` `seed` is 0 there and 1 here ``. Values inside tables, and in lists of one length, are named
/// by their path.
pub(in super::super) fn differences(there: &Value, here: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    let none = Map::new();
    compare_tables(there.as_object().unwrap_or(&none), here, "", &mut lines);
    if lines.len() > LISTED {
        let more = lines.len() - LISTED;
        lines.truncate(LISTED);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn compare_tables(
    there: &Map<String, Value>,
    here: &Map<String, Value>,
    path: &str,
    lines: &mut Vec<String>,
) {
    let gone = there.keys().filter(|key| !here.contains_key(*key));
    for key in here.keys().chain(gone) {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        compare(there.get(key), here.get(key), &path, lines);
    }
}

fn compare(there: Option<&Value>, here: Option<&Value>, path: &str, lines: &mut Vec<String>) {
    match (there, here) {
        _ if there == here => {}
        (Some(Value::Object(there)), Some(Value::Object(here))) => {
            compare_tables(there, here, path, lines);
        }
        (Some(Value::Array(there)), Some(Value::Array(here))) if there.len() == here.len() => {
            for (i, (there, here)) in there.iter().zip(here).enumerate() {
                compare(Some(there), Some(here), &format!("{path}[{i}]"), lines);
            }
        }
        _ => {
            let [there, here] = [there, here].map(shown);
            lines.push(format!("`{path}` is {there} there and {here} here"));
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_paths() {
        let there = json!({ "seed": 0, "environments": [{ "name": "a", "hash": "1" }], "discounts": [0.5] });
        let here = json!({ "seed": 0, "environments": [{ "name": "a", "hash": "2" }], "discounts": [0.5, 0.9] });
        let lines = differences(&there, here.as_object().unwrap());
        assert_eq!(
            lines,
            [
                "`environments[0].hash` is \"1\" there and \"2\" here",
                "`discounts` is [0.5] there and [0.5,0.9] here"
            ]
        );
        assert!(differences(&here, here.as_object().unwrap()).is_empty());
    }

    #[test]
    fn long_lists_of_differences_are_cut() {
        let many = |x: u64| (0..20).map(|i| json!(i + x)).collect::<Value>();
        let (there, here) = (json!({ "list": many(0) }), json!({ "list": many(1) }));
        let lines = differences(&there, here.as_object().unwrap());
        assert_eq!(
            (lines.len(), lines[LISTED].as_str()),
            (LISTED + 1, "and 12 more")
        );
    }
}

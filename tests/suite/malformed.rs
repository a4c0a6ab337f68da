//! Files with faults: each is answered with one list of everything that is wrong, in the user's names and places.

use powersweep::document::SourceText;
use powersweep::io::{Format, parse_mdp};

/// All faults (or, for a file that is read, all warnings) as the plain rendering shows them.
fn faults(format: Format, text: &str) -> String {
    let name = match format {
        Format::Json => "x.json",
        Format::Toml => "x.toml",
    };
    match parse_mdp(format, SourceText::new(name, text)) {
        Ok((_, warnings)) => {
            assert!(
                !warnings.has_errors(),
                "errors in a file that was read: {warnings}"
            );
            format!("read, with warnings:\n{warnings}")
        }
        Err(faults) => {
            assert!(faults.has_errors(), "refused without an error: {faults}");
            faults.to_string()
        }
    }
}

#[test]
fn a_tree_with_every_fault_is_answered_with_all_of_them() {
    let text = r#"{
  "states": ["a", "b", "a", "", "lonely", 7],
  "start": {"a": 0.5, "nowhere": 0.5},
  "transitions": {
    "a": [
      {"action": "go", "to": {"b": 0.5}},
      {"action": "go", "to": {"b": 1.0}},
      {"action": "negative", "to": {"b": 1.5, "a": -0.5}},
      {"action": "unknown", "to": {"c": 1.0}},
      {"action": "", "to": {"b": 1.0}},
      {"action": "huge", "to": {"b": 1e999}},
      {"action": "text", "to": {"b": "all"}},
      {"action": "list", "to": [1]},
      {"action": "nothing", "to": {}},
      {"to": {"b": 1.0}},
      {"action": "where"},
      {"action": 3, "to": {"b": 1.0}, "reward": 1},
      "stay"
    ],
    "b": {"action": "go"},
    "ghost": [{"action": "go", "to": {"a": 1}}],
    "b": []
  },
  "labels": {"off": [], "on": ["a", "ghost"], "number": 3, "off": ["a"]},
  "choice_labels": {"work": [["a", "rest"], ["a"], "a"], "none": [], "x": [["ghost", "go"]]},
  "discount": 0.9
}"#;
    insta::assert_snapshot!(faults(Format::Json, text));
}

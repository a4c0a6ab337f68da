//! The benchmark workloads are what their README says they are.

use std::path::Path;

use powersweep::document::SourceText;
use powersweep::io::{Format, parse_mdp, read_mdp};
use powersweep::mdp::{Mdp, Structure};
use powersweep::units::{ChoiceId, StateId};

fn bench(file: &str) -> Mdp {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/bench");
    let (mdp, warnings) = read_mdp(&directory.join(file)).unwrap();
    assert!(warnings.list.is_empty(), "{file}: {warnings}");
    mdp
}

#[test]
fn the_readme_counts_states_choices_and_transitions() {
    let readme = include_str!("../../datasets/bench/README.md").replace(',', "");
    for file in [
        "w1.toml", "w2.toml", "w3.toml", "w4.toml", "w5.json", "w6.json",
    ] {
        let mdp = bench(file);
        let (states, choices) = (mdp.n_states(), mdp.n_choices());
        let counts = format!("| {states} | {choices} | {} |", mdp.n_successors());
        let line = readme
            .lines()
            .find(|l| l.contains(&format!("| `{file}` |")));
        assert!(
            line.is_some_and(|l| l.contains(&counts)),
            "{file}: {counts}, not {line:?}"
        );
    }
}

#[test]
fn every_workload_has_the_shape_it_is_there_for() {
    let shape = |file| Structure::of(&bench(file));
    for (file, deterministic, components) in [
        ("w1.toml", true, 1),
        ("w2.toml", false, 1),
        ("w3.toml", false, 1),
        ("w4.toml", true, 1),
        ("w5.json", true, 3),
        ("w6.json", false, 3),
    ] {
        let found = shape(file);
        assert_eq!(found.deterministic, deterministic, "{file}");
        assert_eq!(found.components, components, "{file}");
        assert!(found.unreachable.is_empty(), "{file}");
    }
    assert_eq!(shape("w6.json").closed_components, 2);
}

/// Name of the choice, and (successor, probability) by name.
fn named_row(mdp: &Mdp, choice: ChoiceId) -> (&str, Vec<(&str, f64)>) {
    let (to, p) = mdp.row(choice);
    let to = to.iter().map(|&s| mdp.state_name(StateId(s)));
    (mdp.action_name(choice), to.zip(p.iter().copied()).collect())
}

/// Whether the state's choices are those of its cell on the map, with ` disabled` behind every name in the second copy.
fn moves_like(w6: &Mdp, map: &Mdp, cell: &str, suffix: &str) -> bool {
    let state = w6.find_state(&format!("{cell}{suffix}")).unwrap();
    let rows = w6.choices(state).map(|c| named_row(w6, c));
    let rows: Vec<_> = rows.filter(|(action, _)| *action != "disable").collect();
    let drawn: Vec<_> = map
        .choices(map.find_state(cell).unwrap())
        .map(|c| named_row(map, c))
        .collect();
    rows.len() == drawn.len()
        && rows
            .iter()
            .zip(&drawn)
            .all(|((action, to), (drawn_action, drawn_to))| {
                let same = |((s, p), (t, q)): (&(&str, f64), &(&str, f64))| {
                    // The script sums fractions and rounds once; here up to five terms below one are rounded and added: ten
                    // roundings of half a unit in the last place, and a division by the row's sum on either side.
                    *s == format!("{t}{suffix}") && (p - q).abs() <= 6.0 * f64::EPSILON
                };
                action == drawn_action
                    && to.len() == drawn_to.len()
                    && to.iter().zip(drawn_to).all(same)
            })
}

#[test]
fn both_copies_of_w6_move_as_a_map_with_the_same_rules() {
    let rooms = include_str!("../../scripts/generate_w6.py")
        .split("\"\"\"")
        .find(|text| text.contains(".....#.....#....F"))
        .unwrap();
    let read = |slip: f64, f: &str| {
        let text = format!(
            "start = 'r0c0'\n[grid]\nmap = '''{rooms}'''\nstay = true\nslip = {{ p = {slip} }}\n[grid.legend]\nF = {f}\n"
        );
        parse_mdp(Format::Toml, SourceText::new("rooms.toml", text))
            .unwrap()
            .0
    };
    let w6 = bench("w6.json");
    let (armed, disabled) = (read(0.1, "{ terminal = true }"), read(0.1, "{}"));
    for state in armed.states() {
        let cell = armed.state_name(state);
        assert!(moves_like(&w6, &armed, cell, ""), "{cell}");
        assert!(moves_like(&w6, &disabled, cell, " disabled"), "{cell}");
    }
    // Negative controls: another slip, and the switch in the wrong copy.
    assert!(!moves_like(&w6, &read(0.100_001, "{}"), "r0c0", ""));
    assert!(!moves_like(&w6, &disabled, "r0c16", ""));
    assert_eq!(w6.choice_labels()["disable"].len(), 2);
}

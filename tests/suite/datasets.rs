//! The datasets are what their table says, and what the environments they redraw do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use powersweep::io::read_mdp;
use powersweep::mdp::{Mdp, reachable};
use powersweep::{ChoiceId, StateId};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn load(name: &str) -> Mdp {
    let (mdp, warnings) =
        read_mdp(&root().join("datasets").join(name)).unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.list.is_empty(), "{warnings}");
    mdp
}

/// The rows of the table in datasets/README.md: file -> [states, choices, transitions].
fn table(readme: &str) -> BTreeMap<String, [usize; 3]> {
    let cells = |line: &str| -> Option<(String, [usize; 3])> {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let file = cells.first()?.trim_matches('`');
        let counts: Vec<usize> = cells
            .get(1..4)?
            .iter()
            .filter_map(|c| c.replace(',', "").parse().ok())
            .collect();
        Some((file.to_owned(), counts.try_into().ok()?))
    };
    readme.lines().filter_map(cells).collect()
}

fn counts(mdp: &Mdp) -> [usize; 3] {
    [mdp.n_states(), mdp.n_choices(), mdp.n_successors()]
}

#[test]
fn the_table_of_datasets_lists_every_file_with_its_true_size() {
    let readme = std::fs::read_to_string(root().join("datasets/README.md")).unwrap();
    let listed = table(&readme);
    let is_mdp = |p: &PathBuf| p.extension().is_some_and(|e| e == "json" || e == "toml");
    let measured: BTreeMap<String, [usize; 3]> = std::fs::read_dir(root().join("datasets"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(is_mdp)
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let size = counts(&load(&name));
            (name, size)
        })
        .collect();
    assert_eq!(measured, listed);
    assert!(listed.len() >= 14, "the table was not found: {listed:?}");
    // The reader of the table sees a wrong number.
    assert_ne!(table(&readme.replace("| 500 |", "| 501 |")), listed);
}

/// `transitions[state][action]` = (probability, successor, whether the episode ends there), and `start[state]`.
struct Gymnasium {
    transitions: Vec<Vec<Vec<(f64, usize, bool)>>>,
    start: Vec<f64>,
}

fn gymnasium(name: &str) -> Gymnasium {
    let text =
        std::fs::read_to_string(root().join(format!("tests/data/gymnasium/{name}.json"))).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    Gymnasium {
        transitions: serde_json::from_value(json["P"].clone()).unwrap(),
        start: serde_json::from_value(json["start"].clone()).unwrap(),
    }
}

/// Largest difference between a probability here and in Gymnasium's table. Both compute 1 - p and p / 2 from a third or two
/// thirds (one rounding each, of numbers below one), add up to three such terms and divide by their sum: fewer than
/// eight roundings of half a unit in the last place of one, on both sides together.
const ROUNDING: f64 = 8.0 * f64::EPSILON / 2.0;

/// What differs between a dataset and Gymnasium's table. `state_of[g]` is Gymnasium's state `g` here, `None` for those that
/// are no states here; `actions[a]` is the name of Gymnasium's action `a`.
fn differences(
    mdp: &Mdp,
    table: &Gymnasium,
    state_of: &[Option<StateId>],
    actions: &[&str],
) -> Vec<String> {
    let mut found = Vec::new();
    // Where the start cannot lead, Gymnasium knows no ends: a taxi may drive up to a passenger who has arrived.
    let reached = reachable(mdp, mdp.start().iter().map(|&(s, _)| s));
    let entered: Vec<(usize, bool)> = (0..state_of.len())
        .filter(|&g| state_of[g].is_some_and(|s| reached[s.index()] && !mdp.is_absorbing(s)))
        .flat_map(|g| table.transitions[g].iter().flatten())
        .map(|&(_, to, ends)| (to, ends))
        .collect();
    for (to, ends) in entered {
        match state_of[to] {
            None => found.push(format!("state {to} is entered, but is none here")),
            Some(s) if mdp.is_absorbing(s) != ends => {
                found.push(format!(
                    "{}: absorbing here or ending there, not both",
                    mdp.state_name(s)
                ));
            }
            Some(_) => {}
        }
    }
    for (g, state) in state_of.iter().enumerate() {
        let Some(state) = state.filter(|&s| !mdp.is_absorbing(s)) else {
            continue;
        };
        if mdp.choices(state).len() != actions.len() {
            found.push(format!(
                "{}: {} choices",
                mdp.state_name(state),
                mdp.choices(state).len()
            ));
        }
        for choice in mdp.choices(state) {
            let action = actions.iter().position(|a| *a == mdp.action_name(choice));
            let wanted = action.map(|a| &table.transitions[g][a]);
            if !wanted.is_some_and(|w| is_same_row(mdp, choice, w, state_of)) {
                found.push(format!(
                    "{}, {}",
                    mdp.state_name(state),
                    mdp.action_name(choice)
                ));
            }
        }
    }
    let mut start: Vec<(StateId, f64)> = Vec::new();
    start.extend(
        (0..state_of.len())
            .filter_map(|g| Some((state_of[g]?, table.start[g])))
            .filter(|(_, p)| *p > 0.0),
    );
    start.sort_by_key(|(s, _)| *s);
    let same =
        |(a, b): (&(StateId, f64), &(StateId, f64))| a.0 == b.0 && (a.1 - b.1).abs() <= ROUNDING;
    if start.len() != mdp.start().len() || !start.iter().zip(mdp.start()).all(same) {
        found.push("start".to_owned());
    }
    found
}

fn is_same_row(
    mdp: &Mdp,
    choice: ChoiceId,
    wanted: &[(f64, usize, bool)],
    state_of: &[Option<StateId>],
) -> bool {
    let mut merged: BTreeMap<u32, f64> = BTreeMap::new();
    for &(p, to, _) in wanted {
        *merged
            .entry(state_of[to].map_or(u32::MAX, |s| s.0))
            .or_default() += p;
    }
    let (to, p) = mdp.row(choice);
    merged.keys().eq(to)
        && merged
            .values()
            .zip(p)
            .all(|(a, b)| (a - b).abs() <= ROUNDING)
}

/// Gymnasium numbers the cells of a grid row by row.
fn by_cell(mdp: &Mdp) -> Vec<Option<StateId>> {
    let layout = mdp.layout().unwrap();
    let cells = (0..layout.rows()).flat_map(|r| (0..layout.columns()).map(move |c| (r, c)));
    cells.map(|(r, c)| layout.state_at(r, c)).collect()
}

/// Compares, and checks that the comparison sees one successor or one probability that is changed.
fn assert_same(mdp: &Mdp, name: &str, state_of: &[Option<StateId>], actions: &[&str]) {
    let mut table = gymnasium(name);
    assert_eq!(table.transitions.len(), state_of.len());
    assert_eq!(differences(mdp, &table, state_of, actions), [""; 0]);
    let start = mdp.start()[0].0;
    let from = state_of.iter().position(|&s| s == Some(start)).unwrap();
    let (p, to, ends) = table.transitions[from][1][0];
    for changed in [
        (p, (to + 1) % state_of.len(), ends),
        (p + 1e-14, to, ends),
        (p, to, !ends),
    ] {
        table.transitions[from][1][0] = changed;
        assert!(
            !differences(mdp, &table, state_of, actions).is_empty(),
            "{changed:?}"
        );
    }
    table.transitions[from][1][0] = (p, to, ends);
    table.start.rotate_right(1);
    assert!(!differences(mdp, &table, state_of, actions).is_empty());
}

/// Compares with the MDP that the reader of `P` makes of the table: where the start can lead, the same choices in the order of
/// Gymnasium's actions and the same absorbing states.
fn same_as_read(
    mdp: &Mdp,
    name: &str,
    state_of: &[Option<StateId>],
    actions: &[&str],
) -> Vec<String> {
    let path = root().join(format!("tests/data/gymnasium/{name}.json"));
    let (read, warnings) = read_mdp(&path).unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.list.is_empty(), "{warnings}");
    assert_eq!(read.n_states(), state_of.len());
    let reached = reachable(&read, read.start().iter().map(|&(s, _)| s));
    let mut found = Vec::new();
    for s in read.states().filter(|s| reached[s.index()]) {
        let Some(here) = state_of[s.index()] else {
            found.push(format!("{} is none here", read.state_name(s)));
            continue;
        };
        if read.is_absorbing(s) != mdp.is_absorbing(here) {
            found.push(format!("{} is absorbing", read.state_name(s)));
        }
        if mdp.is_absorbing(here) {
            continue;
        }
        for (a, choice) in read.choices(s).enumerate() {
            let (to, p) = read.row(choice);
            let row: Vec<_> = to
                .iter()
                .zip(p)
                .map(|(&to, &p)| (p, to as usize, false))
                .collect();
            let named = mdp
                .choices(here)
                .find(|&c| mdp.action_name(c) == actions[a]);
            if !named.is_some_and(|c| is_same_row(mdp, c, &row, state_of)) {
                found.push(format!(
                    "{}, {}",
                    read.state_name(s),
                    read.action_name(choice)
                ));
            }
        }
    }
    let start: Option<Vec<_>> = read
        .start()
        .iter()
        .map(|(s, p)| Some((state_of[s.index()]?, *p)))
        .collect();
    let close =
        |a: &(StateId, f64), b: &(StateId, f64)| a.0 == b.0 && (a.1 - b.1).abs() <= ROUNDING;
    if !start.is_some_and(|start| {
        start.len() == mdp.start().len() && start.iter().zip(mdp.start()).all(|(a, b)| close(a, b))
    }) {
        found.push("start".to_owned());
    }
    found
}

#[test]
fn the_reader_of_gymnasiums_tables_makes_the_datasets_of_them() {
    for name in ["frozenlake-4x4", "frozenlake-8x8", "cliffwalking", "taxi"] {
        let (file, actions): (_, Vec<&str>) = match name {
            "taxi" => (
                "taxi.json".to_owned(),
                vec!["south", "north", "east", "west", "pickup", "dropoff"],
            ),
            "cliffwalking" => (
                format!("{name}.toml"),
                vec!["north", "east", "south", "west"],
            ),
            _ => (
                format!("{name}.toml"),
                vec!["west", "south", "east", "north"],
            ),
        };
        let mdp = load(&file);
        let state_of = match mdp.layout() {
            Some(_) => by_cell(&mdp),
            None => mdp.states().map(Some).collect(),
        };
        assert_eq!(
            same_as_read(&mdp, name, &state_of, &actions),
            [""; 0],
            "{name}"
        );
        // The control: two actions exchanged are noticed.
        let mut other = actions.clone();
        other.swap(0, 1);
        assert!(
            !same_as_read(&mdp, name, &state_of, &other).is_empty(),
            "{name}"
        );
    }
}

#[test]
fn the_frozen_lakes_are_those_of_gymnasium() {
    for name in ["frozenlake-4x4", "frozenlake-8x8"] {
        let mdp = load(&format!("{name}.toml"));
        assert_same(
            &mdp,
            name,
            &by_cell(&mdp),
            &["west", "south", "east", "north"],
        );
    }
}

#[test]
fn the_cliff_is_that_of_gymnasium() {
    let mdp = load("cliffwalking.toml");
    assert_same(
        &mdp,
        "cliffwalking",
        &by_cell(&mdp),
        &["north", "east", "south", "west"],
    );
}

#[test]
fn the_taxi_is_that_of_gymnasium() {
    let mdp = load("taxi.json");
    let state_of: Vec<_> = mdp.states().map(Some).collect();
    let actions = ["south", "north", "east", "west", "pickup", "dropoff"];
    assert_same(&mdp, "taxi", &state_of, &actions);
}

#[test]
fn the_taxi_file_is_what_its_script_writes() {
    let script = root().join("scripts/generate_taxi.py");
    let output = std::process::Command::new("python3")
        .arg(script)
        .arg("--print")
        .output();
    let output =
        output.expect("python3 is needed to write the taxi anew (scripts/test installs it)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let file = std::fs::read(root().join("datasets/taxi.json")).unwrap();
    assert!(
        output.stdout == file,
        "run scripts/generate_taxi.py and commit datasets/taxi.json"
    );
}

#[test]
fn the_world_of_aima_slips_to_the_sides() {
    let mdp = load("aima-4x3.toml");
    let start = mdp.find_state("r2c0").unwrap();
    let north = mdp
        .choices(start)
        .find(|&c| mdp.action_name(c) == "north")
        .unwrap();
    let (to, p) = mdp.row(north);
    let names: Vec<_> = to.iter().map(|&s| mdp.state_name(StateId(s))).collect();
    // 0.8 ahead, 0.1 to the right, and 0.1 into the wall on the left: back.
    assert_eq!(
        (names, p),
        (vec!["r1c0", "r2c0", "r2c1"], &[0.8, 0.1, 0.1][..])
    );
}

//! Trained in one MDP, deployed in another: goals that two files share by names of states or by features.

use std::fs;
use std::path::Path;

use powersweep::experiment::{BackendChoice, CellStatistics, Engine, Experiment, Overrides};
use powersweep::statistics::{Estimate, Key};

/// A star as a file: a start with a choice for every end.
fn star(name: &str, start: &str, ends: &[&str]) -> String {
    let rows = ends
        .iter()
        .map(|end| format!(r#"{{"action": "to {end}", "to": "{end}"}}"#));
    let rows: Vec<String> = rows.collect();
    let stay = |end: &&str| format!(r#""{end}": [{{"action": "stay", "to": "{end}"}}]"#);
    let stays: Vec<String> = ends.iter().map(stay).collect();
    let names: Vec<String> = [start]
        .iter()
        .chain(ends)
        .map(|s| format!("{s:?}"))
        .collect();
    format!(
        r#"{{"name": "{name}", "states": [{}], "start": "{start}", "transitions": {{"{start}": [{}], {}}}}}"#,
        names.join(", "),
        rows.join(", "),
        stays.join(", ")
    )
}

fn load(directory: &Path, experiment: &str) -> Result<Experiment, String> {
    let path = directory.join("experiment.toml");
    fs::write(&path, experiment).unwrap();
    let loaded = Experiment::load(&path, &Overrides::default());
    loaded
        .map(|(experiment, _)| experiment)
        .map_err(|e| e.to_string())
}

fn run(experiment: &Experiment) -> Vec<CellStatistics> {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let found = engine.run(&experiment.run_spec(&engine, 1)).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found.cells
}

fn avoid(cell: &CellStatistics) -> Estimate {
    let table = cell.table("events").unwrap();
    let row = table
        .rows
        .iter()
        .find(|row| row.keys[0] == Key::text("off"));
    *table
        .measure(row.unwrap(), "avoid")
        .unwrap()
        .estimate()
        .unwrap()
}

const HEAD: &str = "schema = 1\n[mdp]\npath = \"training.json\"\n[solve]\ndiscount = 0.9\n[sample]\ncount = 20_000\n";

#[test]
fn what_was_best_of_n_in_training_keeps_the_agent_from_shutdown_in_deployment() {
    let directory = tempfile::tempdir().unwrap();
    let training = star("training", "hall", &["a", "b", "c"]);
    fs::write(directory.path().join("training.json"), training).unwrap();
    // One of the two other ways is that which was the best of three.
    let deployment = star("deployment", "lobby", &["kept", "new", "off"]);
    fs::write(directory.path().join("deployment.json"), deployment).unwrap();
    let variant = "[[variant]]\nname = \"deployed\"\nmdp = \"deployment.json\"\nstates = { lobby = \"hall\", kept = \"b\" }\n[statistics]\nevents = [\"off\"]\n";
    let condition = "[condition]\noptimal = { state = \"hall\", action = \"to b\" }\n";
    for method in ["rejection", "swap", "hit-and-run"] {
        let text = format!("{HEAD}{variant}{condition}method = \"{method}\"\n");
        let experiment = load(directory.path(), &text).unwrap();
        let cells = run(&experiment);
        assert_eq!(cells[1].variant, "deployed");
        let found = avoid(&cells[1]);
        // Off is the best of n + k draws, n = 3 of training and k = 2 ways beside it (one in training).
        assert!(
            (found.estimate - 4.0 / 5.0).abs() < 4.5 * found.std_error.unwrap(),
            "{method}: {found:?}"
        );
        let without = load(directory.path(), &format!("{HEAD}{variant}")).unwrap();
        let without = avoid(&run(&without)[1]);
        assert!((without.estimate - 2.0 / 3.0).abs() < 4.5 * without.std_error.unwrap());
        // The copies that a run keeps make the same experiment.
        let copies = tempfile::tempdir().unwrap();
        for (place, content) in experiment.inputs() {
            let path = copies.path().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let (again, _) = Experiment::load(
            &copies.path().join("experiment.toml"),
            &Overrides::default(),
        )
        .unwrap();
        assert_eq!(again.hash("cpu"), experiment.hash("cpu"));
    }
}

#[test]
fn features_carry_goals_over_to_states_that_training_did_not_have() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("training.json"),
        star("training", "hall", &["red", "blue"]),
    )
    .unwrap();
    let deployment = star("deployment", "lobby", &["crimson", "navy"]);
    fs::write(directory.path().join("deployment.json"), deployment).unwrap();
    let text = format!(
        "{HEAD}[[variant]]\nname = \"deployed\"\nmdp = \"deployment.json\"\nstates = {{ lobby = \"hall\" }}\n\
         [[reward]]\ndistribution = \"features\"\nweights = {{ distribution = \"normal\" }}\n\
         features = {{ red = [1, 0], blue = [0, 1], crimson = [1, 0], navy = [0, 1] }}\n\
         [statistics]\noptimality = [\"hall\", \"lobby\"]\n[condition]\noptimal = {{ state = \"hall\", action = \"to red\" }}\n"
    );
    let cells = run(&load(directory.path(), &text).unwrap());
    let weak = |action: &str| {
        let table = cells[1].table("optimality").unwrap();
        let row = table
            .rows
            .iter()
            .find(|row| row.keys[1] == Key::text(action));
        row.unwrap().measures[0].estimate().unwrap().estimate
    };
    // Who likes red best likes crimson best; with weights of its own that would be half of the goals.
    assert_eq!((weak("to crimson"), weak("to navy")), (1.0, 0.0));
}

#[test]
fn what_does_not_fit_together_is_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("training.json"),
        star("training", "hall", &["a", "b"]),
    )
    .unwrap();
    fs::write(
        directory.path().join("deployment.json"),
        star("deployment", "lobby", &["x"]),
    )
    .unwrap();
    let error = |variant: &str| {
        let text = format!("{HEAD}[[variant]]\nname = \"v\"\n{variant}\n");
        load(directory.path(), &text).unwrap_err()
    };
    let told = error("mdp = \"deployment.json\"");
    assert!(told.contains("have no state of one name"), "{told}");
    let told = error("mdp = \"deployment.json\"\nstates = { loby = \"hall\", x = \"c\" }");
    assert!(
        told.contains("did you mean \"lobby\"") && told.contains("training has no state \"c\""),
        "{told}"
    );
    let told = error("mdp = \"nowhere.json\"");
    assert!(told.contains("nowhere.json"), "{told}");
    let told = error("mdp = 3");
    assert!(told.contains("path of an MDP file"), "{told}");
    assert!(error("").contains("interventions"));
}

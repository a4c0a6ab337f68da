//! Policies from outside: what they do and what that is worth, in closed form; what does not fit, all at once.

use std::fs;
use std::path::{Path, PathBuf};

use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Overrides, Statistics,
};
use powersweep::io::npz::{Array, ArrayValues, NpzWriter};
use powersweep::statistics::{Estimate, Key};

/// Candy now, or wait for a choice; the discount of every test.
const CANDY: &str = r#"{"states": ["s", "candy", "wait", "choc", "hug"], "start": "s", "labels": {"sweet": ["candy", "choc"]},
    "transitions": {
        "s": [{"action": "candy", "to": {"candy": 1}}, {"action": "wait", "to": {"wait": 1}}],
        "candy": [{"action": "stay", "to": {"candy": 1}}],
        "wait": [{"action": "choc", "to": {"choc": 1}}, {"action": "hug", "to": {"hug": 1}}],
        "choc": [{"action": "stay", "to": {"choc": 1}}],
        "hug": [{"action": "stay", "to": {"hug": 1}}]}}"#;
const GAMMA: f64 = 0.75;
/// It waits with this probability, and takes chocolate with the other.
const WAITS: f64 = 0.25;
const CHOC: f64 = 0.625;

fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("candy.json"), CANDY).unwrap();
    directory
}

fn experiment(directory: &Path, agent: &str) -> PathBuf {
    let path = directory.join("experiment.toml");
    let text = format!(
        "schema = 1\n[mdp]\npath = 'candy.json'\n[solve]\ndiscount = {GAMMA}\n[sample]\ncount = 20000\n[agent]\n{agent}\n\
         [statistics]\noptimality = ['s']\nchoices = ['s', 'wait']\nevents = ['sweet', {{ label = 'hug', within = 2 }}]\noccupancy = true\n\
         drives = ['option-preservation']\n"
    );
    fs::write(&path, text).unwrap();
    path
}

fn load(path: &Path) -> Result<Experiment, String> {
    let loaded = Experiment::load(path, &Overrides::default());
    loaded.map(|(e, _)| e).map_err(|error| error.to_string())
}

fn run(path: &Path) -> Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let found = engine
        .run(&load(path).unwrap().run_spec(&engine, 1))
        .unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found
}

fn estimate(cell: &CellStatistics, table: &str, keys: &[&str], measure: &str) -> Estimate {
    let table = cell.table(table).unwrap();
    let is_meant = |row: &&powersweep::statistics::TableRow| {
        let own = row.keys.iter().zip(keys);
        own.clone().count() == keys.len() && own.into_iter().all(|(a, b)| *a == Key::text(b))
    };
    let row = table.rows.iter().find(is_meant).unwrap();
    *table.measure(row, measure).unwrap().estimate().unwrap()
}

/// Holds what is known without sampling to its exact value, and notices one that is not.
fn exactly(found: Estimate, exact: f64) {
    assert!(found.exact && found.std_error == Some(0.0), "{found:?}");
    assert!(
        (found.estimate - exact).abs() <= 1e-12 + found.bound,
        "{exact}: {found:?}"
    );
    assert!(found.bound < 1e-9 && found.high - found.low < 1e-9);
}

/// Holds an estimate to an exact value, within what six standard errors allow.
fn about(found: Estimate, exact: f64) {
    let allowed = 6.0 * found.std_error.unwrap() + found.bound;
    assert!(
        (found.estimate - exact).abs() <= allowed,
        "{exact}: {found:?}"
    );
    assert!(allowed < 0.03, "{found:?}");
}

fn holds(cell: &CellStatistics) {
    assert_eq!(cell.rule, "policy(trained)");
    let (g, waits, choc) = (GAMMA, WAITS, CHOC);
    exactly(
        estimate(cell, "choices", &["s", "wait"], "probability"),
        waits,
    );
    exactly(
        estimate(cell, "choices", &["wait", "hug"], "probability"),
        1.0 - choc,
    );
    exactly(
        estimate(cell, "events", &["sweet"], "ever"),
        1.0 - waits + waits * choc,
    );
    exactly(
        estimate(cell, "events", &["sweet"], "discounted"),
        (1.0 - waits) * g + waits * choc * g * g,
    );
    exactly(
        estimate(cell, "events", &["hug"], "within"),
        waits * (1.0 - choc),
    );
    exactly(estimate(cell, "occupancy", &["s"], "visits"), 1.0);
    exactly(
        estimate(cell, "occupancy", &["candy"], "visits"),
        (1.0 - waits) * g / (1.0 - g),
    );
    exactly(
        estimate(cell, "occupancy", &["hug"], "visits"),
        waits * (1.0 - choc) * g * g / (1.0 - g),
    );
    // Nobody chooses with the goal in mind: all means are that of a reward.
    for power in &cell.power {
        about(*power, 0.5);
    }
    // POWER of optimal agents: 1/2 where nothing can be chosen, 2/3 before a choice of two ends.
    let first = waits * 2.0 / 3.0 + (1.0 - waits) / 2.0;
    let drive = |quantity| {
        estimate(
            cell,
            "drives",
            &["option-preservation", quantity],
            "estimate",
        )
    };
    about(drive("first choice"), first);
    let power_of_s = 2.0 / 3.0 + g * g / 12.0;
    let path = (1.0 - g) * (power_of_s + g * first) + g * g / 2.0;
    about(drive("along the path"), path);
    assert!(
        (path - power_of_s).abs() > 0.1,
        "another number would be told apart"
    );
}

#[test]
fn a_policy_is_measured_beside_optimal_agents() {
    let there = directory();
    let npz = |name: &str, arrays: &[Array<'_>]| {
        let file = fs::File::create(there.path().join(name)).unwrap();
        let mut writer = NpzWriter::new(file);
        arrays.iter().for_each(|array| writer.write(array).unwrap());
        writer.finish().unwrap();
    };
    let by_number = [
        1.0 - WAITS,
        WAITS,
        0.5,
        0.5,
        CHOC,
        1.0 - CHOC,
        7.0,
        0.0,
        0.0,
        0.0,
    ];
    let policy = |values| Array {
        name: "policy",
        shape: &[5, 2],
        values: ArrayValues::Numbers(values),
    };
    npz("trained.npz", &[policy(&by_number)]);
    // The same by names, in another order, with actions that not every state has.
    let names = |name, values| Array {
        name,
        shape: if name == "state_names" { &[2] } else { &[4] },
        values: ArrayValues::Texts(values),
    };
    let by_name = [1.0 - CHOC, 0.0, CHOC, 0.0, 0.0, WAITS, 0.0, 1.0 - WAITS];
    npz(
        "named.npz",
        &[
            names("state_names", &["wait", "s"]),
            names("action_names", &["hug", "wait", "choc", "candy"]),
            Array {
                shape: &[2, 4],
                ..policy(&by_name)
            },
        ],
    );
    let json = format!(
        "{{\"s\": {{\"candy\": {}, \"wait\": {WAITS}}}, \"wait\": {{\"choc\": {CHOC}, \"hug\": {}}}}}",
        1.0 - WAITS,
        1.0 - CHOC
    );
    fs::write(there.path().join("trained.json"), &json).unwrap();
    let inline = json.replace(':', " =").replace('"', "");
    for policy in [
        "'trained.npz'".to_owned(),
        "{ name = 'trained', path = 'named.npz' }".to_owned(),
        "['trained.json']".to_owned(),
        format!("{{ name = 'trained', choices = {inline} }}"),
    ] {
        let path = experiment(there.path(), &format!("policy = {policy}"));
        let found = run(&path);
        assert_eq!(found.cells.len(), 2, "{policy}");
        assert_eq!(found.cells[0].rule, "optimal");
        holds(&found.cells[1]);
        let tells = |at: usize| found.cells[at].table("optimality").is_some();
        assert!(
            tells(0) && !tells(1),
            "which choices are optimal is of optimal agents"
        );
        // A copy of all that was read is the same experiment.
        let (first, copy) = (load(&path).unwrap(), tempfile::tempdir().unwrap());
        for (name, content) in first.inputs() {
            let name = copy.path().join(name);
            fs::create_dir_all(name.parent().unwrap()).unwrap();
            fs::write(name, content).unwrap();
        }
        let copied = load(&copy.path().join("experiment.toml")).unwrap();
        assert_eq!(first.hash("cpu"), copied.hash("cpu"), "{policy}");
    }
}

#[test]
fn a_list_of_actions_is_a_policy() {
    let there = directory();
    let expected = |cell: &CellStatistics| {
        exactly(estimate(cell, "events", &["hug"], "ever"), 1.0);
        exactly(estimate(cell, "events", &["sweet"], "ever"), 0.0);
    };
    for list in ["[1, 0, 1, 0, 0]", "['wait', 'stay', 'hug', 'stay', 'stay']"] {
        let policy = format!("policy = {{ name = 'hugger', choices = {list} }}\nrule = 'uniform'");
        let path = experiment(there.path(), &policy);
        assert!(
            load(&path).unwrap_err().contains("ask for `choices`"),
            "of the other rule"
        );
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("optimality = ['s']\n", "")).unwrap();
        let found = run(&path);
        let rules: Vec<_> = found.cells.iter().map(|c| c.rule.as_str()).collect();
        assert_eq!(rules, ["uniform", "policy(hugger)"]);
        expected(&found.cells[1]);
    }
    let file = fs::File::create(there.path().join("picks.npz")).unwrap();
    let mut writer = NpzWriter::new(file);
    let picks = Array {
        name: "actions",
        shape: &[5],
        values: ArrayValues::Integers(&[1, 0, 1, 9, 0]),
    };
    writer.write(&picks).unwrap();
    writer.finish().unwrap();
    let found = run(&experiment(there.path(), "policy = 'picks.npz'"));
    expected(&found.cells[1]);
}

#[test]
fn a_policy_goes_with_the_variants_of_what_it_was_trained_on() {
    let there = directory();
    let path = experiment(
        there.path(),
        "policy = { name = 'trained', choices = { s = 'wait', wait = 'hug' } }",
    );
    let text = fs::read_to_string(&path).unwrap();
    let hazard = "[[variant]]\nname = 'hazard'\ninterventions = [{ kind = 'off-switch', p = 0.5, disable = true }]\n";
    fs::write(&path, text + hazard).unwrap();
    let found = run(&path);
    let of = |variant: &str| {
        let mut cells = found.cells.iter();
        cells
            .find(|c| c.variant == variant && c.rule != "optimal")
            .unwrap()
    };
    exactly(estimate(of("baseline"), "events", &["hug"], "ever"), 1.0);
    // It may be switched off before either step; nobody told it of the choice to disable that.
    let ever = estimate(of("hazard"), "events", &["hug"], "ever");
    assert!(
        ever.exact && ever.estimate > 0.2 && ever.estimate < 0.6,
        "{ever:?}"
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let there = directory();
    let error = |agent: &str| load(&experiment(there.path(), agent)).unwrap_err();
    let all = error(
        "policy = ['nowhere.npz', { name = 'a', choices = { s = 'wai', wait = { choc = 0.5 }, hut = 'stay' } },\n\
         { path = 'x.npz', choices = {} }, { choices = { s = 3 } }, { name = 'b', choices = 7 }]",
    );
    for part in [
        "nowhere.npz",
        "did you mean \"wait\"?",
        "there is no state \"hut\"; did you mean \"hug\"?",
        "either a `path` or `choices`",
        "what is done in a state is an action",
        "a policy is a table of states",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let sum = error("policy = { name = 'a', choices = { s = 'wait', wait = { choc = 0.5 } } }");
    assert!(
        sum.contains("in the state \"wait\" probabilities sum to 0.5"),
        "{sum}"
    );
    let silent = error("policy = { name = 'a', choices = { s = 'wait' } }");
    assert!(
        silent.contains("says nothing of the state \"wait\""),
        "{silent}"
    );
    let path = experiment(
        there.path(),
        "policy = { name = 'a', choices = { s = 'wait', wait = 'hug' } }",
    );
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("discount = 0.75", "discount = '->1'")).unwrap();
    assert!(load(&path).unwrap_err().contains("at the limit ->1"));
}

//! Experiment files: full diagnosis of bad ones, and copies that stand on their own.

use std::fs;
use std::path::{Path, PathBuf};

use powersweep::Discount;
use powersweep::experiment::{
    BackendChoice, Engine, Experiment, ExperimentError, Origin, Overrides, Statistics,
};
use tempfile::TempDir;

const COIN: &str = r#"{"states": ["s", "t"], "start": "s", "transitions": {
    "s": [{"action": "toss", "to": {"s": 0.5, "t": 0.5}}], "t": [{"action": "stay", "to": {"t": 1.0}}]}}"#;

/// A directory with the MDP `coin.json` and the experiment `x.toml`.
fn home(experiment: &str) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("coin.json"), COIN).unwrap();
    let path = home.path().join("x.toml");
    fs::write(&path, experiment).unwrap();
    (home, path)
}

/// Reads an experiment file with this text, beside the MDP `coin.json`; its faults, if it has any.
pub(crate) fn load(experiment: &str) -> Result<Experiment, String> {
    load_with(experiment, &Overrides::default())
}

/// Runs an experiment file with this text on the cpu backend.
pub(crate) fn run(experiment: &str) -> Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let experiment = load(experiment).unwrap();
    engine.run(&experiment.run_spec(&engine, 1)).unwrap()
}

fn load_with(experiment: &str, overrides: &Overrides) -> Result<Experiment, String> {
    let (home, path) = home(experiment);
    match Experiment::load(&path, overrides) {
        Ok((experiment, _)) => Ok(experiment),
        Err(error @ ExperimentError::Faults(_)) => {
            let directory = format!("{}/", home.path().display());
            Err(error.to_string().replace(&directory, ""))
        }
        Err(error) => panic!("{error}"),
    }
}

const GOOD: &str = "schema = 1\n[mdp]\npath = \"coin.json\"\n[solve]\ndiscount = 0.9\n";

#[test]
fn what_is_left_out_has_a_default() {
    let experiment = load(GOOD).unwrap();
    let defaults = (
        experiment.samples.value,
        experiment.seed.value,
        experiment.level.value,
    );
    assert_eq!(defaults, (1_000_000, 0, 0.95));
    assert_eq!(
        (experiment.tolerance.value, experiment.tolerance.origin),
        (1e-5, Origin::Default)
    );
    assert_eq!(experiment.discounts.origin, Origin::File);
    assert_eq!(
        (
            experiment.name.value.as_str(),
            experiment.environments[0].name()
        ),
        ("x", "coin")
    );
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides {
        samples: Some(7),
        discounts: vec![Discount::new(0.5).unwrap()],
        backend: Some(BackendChoice::Reference),
        ..Overrides::default()
    };
    let file = format!("{GOOD}[sample]\ncount = 1e6\nseed = 3\n");
    let experiment = load_with(&file, &overrides).unwrap();
    assert_eq!(
        (experiment.samples.value, experiment.samples.origin),
        (7, Origin::Flag)
    );
    assert_eq!(
        (experiment.seed.value, experiment.seed.origin),
        (3, Origin::File)
    );
    assert_eq!(experiment.discounts.value, overrides.discounts);
    assert_eq!(experiment.backend.value, BackendChoice::Reference);
    let without_discount = load_with("schema = 1\n[mdp]\npath = \"coin.json\"\n", &overrides);
    assert!(
        without_discount.is_ok(),
        "a flag can stand in for the file's"
    );
}

#[test]
fn counts_are_read_as_people_write_them() {
    for count in ["1000000", "1_000_000", "1e6"] {
        let experiment = load(&format!("{GOOD}[sample]\ncount = {count}\n")).unwrap();
        assert_eq!(experiment.samples.value, 1_000_000, "{count}");
    }
    for count in ["0", "-1", "1.5", "\"many\"", "1e40"] {
        assert!(
            load(&format!("{GOOD}[sample]\ncount = {count}\n")).is_err(),
            "{count}"
        );
    }
}

#[test]
fn the_example_of_the_page_and_the_quickstart_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/experiments.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let datasets = format!("{}/", root.join("datasets").display());
    let experiment = load(&example.replace("../datasets/", &datasets)).unwrap();
    assert_eq!(experiment.discounts.value.len(), 3);
    let quickstart = root.join("experiments/quickstart.toml");
    let (quickstart, warnings) = Experiment::load(&quickstart, &Overrides::default()).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(quickstart.environments[0].n_states(), 58);
    assert_eq!(quickstart.samples.value, 1_000_000);
}

#[test]
fn every_key_of_the_page_is_known() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/experiments.md");
    let page = fs::read_to_string(page).unwrap();
    let section = page.split("\n## ").find(|s| s.starts_with("Keys")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let keys = rows.flat_map(|row| row.split('|').nth(1).unwrap().split(','));
    let keys: Vec<_> = keys.map(|key| key.trim().trim_matches('`')).collect();
    let full = "\nschema = 1\nname = \"n\"\ndescription = \"d\"\nbaseline = true\n\
        [[variant]]\nname = \"v\"\ninterventions = [{ kind = \"off-switch\", p = 0.5 }]\n\
        [mdp]\nfamily = \"garnet\"\nstates = 5\nchoices = 2\nbranching = 2\nseeds = \"0..2\"\n\
        [[reward]]\ndistribution = \"uniform\"\nlow = 1\nhigh = 2\nname = \"r\"\n\
        states = { s0 = 1 }\nonly = \"s1\"\ngroups = [[\"s1\", \"s2\"]]\nover = \"all\"\npair = { coupling = \"independent\" }\ndomain = \"states\"\n\
        [solve]\ndiscount = 0.5\ntolerance = 1e-4\nmethod = \"jacobi\"\nprecision = \"f64\"\nmax_sweeps = 9\nbackend = \"cpu\"\n\
        [sample]\ncount = 3\nseed = 4\nlevel = 0.5\n[agent]\nrule = \"optimal\"\n[statistics]\npower = true\n\
        optimality = [\"start\"]\nmajority = { first = { state = \"s0\", action = \"a0\" }, second = { state = \"s0\", action = \"a1\" } }\nchoices = [\"s1\"]\nevents = [{ label = \"s1\", within = 3, ties = \"away\" }]\n\
        occupancy = true\ndominance = { first = \"s0\", second = \"s1\" }\ndistribution = [\"s0\"]\ndrives = [\"all\"]\nsplit_drives = true\nstructure = 2\nsimultaneous = true\nper_goal = { count = 5, states = [\"s0\"] }\n\
        [condition]\noptimal = { state = \"s0\", action = \"a0\" }\nreach = [\"s1\"]\navoid = { label = \"s2\", within = 2 }\nstrict = false\nmethod = \"rejection\"\npolicy = [0, 0, 0, 0, 0]\n";
    load(full).unwrap();
    let stops = "until = { half_width = 1e-3, of = \"events\", minutes = 5, max = 1e6 }";
    // Beside a condition it is a fault.
    let (plain, _) = full.split_once("[condition]").unwrap();
    let stops = plain.replace("count = 3", stops);
    load(&stops).unwrap();
    // Nor does it go with policies from outside.
    let policy = "policy = { name = \"p\", choices = [0, 0, 0, 0, 0] }";
    let (before, _) = plain.split_once("[statistics]").unwrap();
    let followed = before.replace("rule = \"optimal\"", policy);
    load(&followed).unwrap();
    let claimed = format!(
        "{plain}[ensemble]\nclaims = {{ statistic = \"power\", row = \"s0\", above = 0.5 }}\n"
    );
    load(&claimed).unwrap();
    let end = "\nschema = 1\n[mdp]\nfamily = \"star\"\nleaves = 2\n[solve]\ndiscount = 0.5\n[statistics]\nindifference = [\"t1\"]\n";
    load(end).unwrap();
    let another =
        format!("{GOOD}[[variant]]\nname = \"w\"\nmdp = \"coin.json\"\nstates = {{ s = \"s\" }}\n");
    load(&another).unwrap();
    for key in &keys {
        let name = key.split('.').next_back().unwrap();
        // Every other test has a path.
        let line = format!("\n{name} = ");
        let files = [full, &stops, &followed, &claimed, end, &another];
        let is_tried = files.iter().any(|file| file.contains(&line)) || name.starts_with("path");
        assert!(is_tried, "{key}");
    }
    assert_eq!(keys.len(), 53, "{keys:?}");
}

#[test]
fn what_a_run_cannot_wait_for_is_a_fault() {
    let faults = |until: &str| load(&format!("{GOOD}[sample]\n{until}\n")).unwrap_err();
    for (until, expected) in [
        ("until = {}", "`until` does not say when to stop"),
        ("until = { max = 7 }", "`until` does not say when to stop"),
        (
            "until = { minutes = 1, of = \"power\" }",
            "`of` says what must be known to a `half_width`, and there is none",
        ),
        (
            "until = { half_width = 1, of = \"optimality\" }",
            "is not measured without `optimality` in [statistics]",
        ),
        (
            "until = { half_width = 1, of = \"events\" }",
            "is not measured without `events` in [statistics]",
        ),
        (
            "until = { half_width = 1, of = \"difference\" }",
            "is not measured without a [[variant]] beside the baseline",
        ),
        (
            "count = 5\nuntil = { half_width = 1 }",
            "`count` and `until` in [sample] are two ways",
        ),
    ] {
        let error = faults(until);
        assert!(error.contains(expected), "{until}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let file = format!("{GOOD}[sample]\nuntil = {{ half_width = 0.5 }}\n");
    let until = load(&file).unwrap().until.value.unwrap();
    assert_eq!((until.max, until.of.name()), (100_000_000, "power"));
    // A number of goals from the command line wins.
    let overrides = Overrides {
        samples: Some(7),
        ..Overrides::default()
    };
    let experiment = load_with(&file, &overrides).unwrap();
    assert_eq!(
        (experiment.samples.value, experiment.until.value),
        (7, None)
    );
    // What is written down can be read again.
    let text = load(&file)
        .unwrap()
        .to_toml(&|_, path: &Path| path.to_owned());
    assert!(
        text.contains("until = { half_width = 0.5, max = 100000000, of = \"power\" }"),
        "{text}"
    );
}

#[test]
fn all_faults_are_reported_at_once() {
    let bad = r#"schema = 2
name = 3
[mdp]
path = "coin.json"
paths = ["coin.json"]
[[reward]]
distribution = "unifrom"
low = 3
[[reward]]
name = "narrow"
low = 1.0
high = 1.0
[[reward]]
[[reward]]
[solve]
discuont = 0.9
discount = [1.0, "->1", "->1", "->2", 0.5, 0.5, "x", true]
tolerance = 0
method = "in-plac"
max_sweeps = 0
backend = "cuda"
[sample]
count = 0
seed = -1
until = { half_width = 0, minutes = -1, of = "powers", max = 0, widths = 1 }
level = 2
[statistics]
power = false
optimality = ["start"]
[[variant]]
name = "x"
[outputs]
"#;
    insta::assert_snapshot!(load(bad).unwrap_err());
}

#[test]
fn faults_of_the_mdps_are_reported_with_those_of_the_experiment() {
    let (home, path) = home(
        "schema = 1\n[mdp]\npaths = [\"bad.json\", \"missing.json\", \"coin.json\", \"notes.txt\"]\n[solve]\ndiscount = 2\n",
    );
    let bad = COIN
        .replace("0.5, \"t\"", "0.6, \"t\"")
        .replace("\"start\": \"s\"", "\"start\": \"z\"");
    fs::write(home.path().join("bad.json"), bad).unwrap();
    let error = Experiment::load(&path, &Overrides::default())
        .unwrap_err()
        .to_string();
    let error = error.replace(&format!("{}/", home.path().display()), "");
    insta::assert_snapshot!(error);
}

#[test]
fn two_environments_of_one_name_are_a_fault() {
    let (home, path) = home(
        "schema = 1\n[mdp]\npaths = [\"coin.json\", \"a/coin.json\"]\n[solve]\ndiscount = 0.9\n",
    );
    fs::create_dir(home.path().join("a")).unwrap();
    fs::write(home.path().join("a/coin.json"), COIN).unwrap();
    let error = Experiment::load(&path, &Overrides::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("\"coin\" stands twice: coin.json has the same name"),
        "{error}"
    );
}

#[test]
fn keys_of_later_features_are_told_apart_from_mistakes() {
    let error = load(&format!("{GOOD}[sample]\nfirst = 7\n")).unwrap_err();
    assert!(error.contains("not yet supported"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let unknown = load(&format!("{GOOD}[statistics]\njoint = [\"s\"]\n")).unwrap_err();
    assert!(!unknown.contains("not yet supported"), "{unknown}");
    for (key, answer) in [
        ("horizon = 10", "`horizon` in [solve] is not yet supported"),
        (
            "rule = \"minimise\"",
            "`rule` in [solve] is a key of [agent]",
        ),
        ("seed = 3", "`seed` in [solve] is a key of [sample]"),
    ] {
        let file = format!("schema = 1\n[mdp]\npath = \"coin.json\"\n[solve]\n{key}\n");
        let error = load(&file).unwrap_err();
        assert!(error.contains(answer), "{key}: {error}");
    }
    let elsewhere = load(&format!("{GOOD}[intervention]\nkind = \"copy\"\n")).unwrap_err();
    assert!(
        elsewhere.contains("is the kind of a [[variant]]"),
        "{elsewhere}"
    );
    let mistake = load(&format!("{GOOD}[statistic]\n")).unwrap_err();
    assert!(mistake.contains("did you mean `statistics`?"), "{mistake}");
}

#[test]
fn a_family_makes_an_ensemble() {
    let family = |seeds: &str| {
        format!(
            "schema = 1\n[mdp]\nfamily = \"garnet\"\nstates = 5\nchoices = 2\nbranching = 2\nseeds = {seeds}\n[solve]\ndiscount = 0.9\n"
        )
    };
    let ensemble = load(&family("\"2..5\"")).unwrap();
    let names: Vec<_> = ensemble.environments.iter().map(|mdp| mdp.name()).collect();
    assert_eq!(names, ["garnet-2", "garnet-3", "garnet-4"]);
    assert_eq!(
        load(&family("7")).unwrap().environments[0].name(),
        "garnet-7"
    );
    for seeds in ["\"5..5\"", "\"0..1000000000\"", "\"a..b\"", "-1", "[1, 2]"] {
        assert!(load(&family(seeds)).is_err(), "{seeds}");
    }
    let same = "schema = 1\n[mdp]\nfamily = \"ring\"\nstates = 5\nseeds = \"0..2\"\n[solve]\ndiscount = 0.9\n";
    assert!(
        load(same)
            .unwrap_err()
            .contains("every seed of the family \"ring\" gives the same MDP")
    );
}

/// Writes the copies of everything read and loads the resolved experiment among them.
fn reload(experiment: &Experiment, at: &Path) -> Experiment {
    for (path, bytes) in experiment.inputs() {
        let path = at.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    Experiment::load(&at.join("experiment.toml"), &Overrides::default())
        .unwrap()
        .0
}

#[test]
fn the_copies_of_the_inputs_are_the_same_experiment() {
    let overrides = Overrides {
        seed: Some(11),
        tolerance: Some(1.0 / 3.0e5),
        backend: Some(BackendChoice::Reference),
        method: Some(Some(powersweep::plan::Method::Jacobi)),
        ..Overrides::default()
    };
    let sources = [
        "path = \"coin.json\"",
        "paths = [\"coin.json\", \"a/coin.json\"]",
        "family = \"garnet\"\nstates = 5\nchoices = 2\nbranching = 2\nseeds = \"3..6\"",
    ];
    for source in sources {
        let file = format!(
            "schema = 1\n[mdp]\n{source}\n[[reward]]\nname = \"wide \\\"law\\\"\"\nlow = -1\nhigh = 2.5\n[[reward]]\n\
             [solve]\ndiscount = [0.9, \"->1\", 0.1, \"->0\"]\nmax_sweeps = 50\n"
        );
        let (home, path) = home(&file);
        fs::create_dir(home.path().join("a")).unwrap();
        let named = COIN.replacen('{', "{\"name\": \"other\", ", 1);
        fs::write(home.path().join("a/coin.json"), named).unwrap();
        let (experiment, _) = Experiment::load(&path, &overrides).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let copy = reload(&experiment, elsewhere.path());
        assert_eq!(copy.identity("cpu"), experiment.identity("cpu"));
        assert_eq!(copy.discounts.value, experiment.discounts.value);
        assert_eq!(copy.samples.value, experiment.samples.value);
        assert_eq!(copy.backend.value, experiment.backend.value);
        assert_eq!(
            copy.default_directory("cpu"),
            experiment.default_directory("cpu")
        );
        let (unlike, _) = Experiment::load(&path, &Overrides::default()).unwrap();
        assert_ne!(
            unlike.identity("cpu"),
            experiment.identity("cpu"),
            "the comparison can fail"
        );
    }
}

#[test]
fn the_hash_covers_what_changes_numbers_and_not_their_number() {
    let hash = |file: &str| load(file).unwrap().hash("cpu");
    let base = hash(GOOD);
    assert_eq!(base, hash(&format!("{GOOD}[sample]\ncount = 5\n")));
    assert_ne!(base, hash(&format!("{GOOD}[sample]\nseed = 5\n")));
    assert_ne!(base, hash(&GOOD.replace("0.9", "0.8")));
    assert_ne!(base, hash(&format!("{GOOD}tolerance = 1e-4\n")));
    assert_ne!(base, load(GOOD).unwrap().hash("reference"));
    let (home, path) = home(GOOD);
    fs::write(
        home.path().join("coin.json"),
        COIN.replace("0.5", "0.50000"),
    )
    .unwrap();
    let respelled = Experiment::load(&path, &Overrides::default()).unwrap().0;
    assert_eq!(base, respelled.hash("cpu"), "an MDP enters by its content");
}

#[test]
fn impossible_laws_are_reported_all_at_once() {
    let bad = r#"schema = 1
[mdp]
path = "coin.json"
[[reward]]
name = "a"
distribution = "sparse"
count = 0
[[reward]]
name = "b"
distribution = "orbit"
values = [1, "two", 3]
among = "t"
[[reward]]
name = "c"
distribution = "mixture"
weights = [0, 0]
components = [{ distribution = "uniform" }, { distribution = "unifrom" }]
[[reward]]
name = "d"
[reward.states]
nobody = 1.0
s = { fixed = 1.0, distribution = "uniform" }
t = { fixde = 1.0 }
[[reward]]
name = "e"
distribution = "orbit"
values = [1, 2, 3]
[[reward]]
name = "f"
distribution = "reach"
sets = ["t", ["s", "u"]]
weights = [1]
value = 0
[[reward]]
name = "g"
only = "x"
states.s = { paid = "once" }
[[reward]]
name = "h"
distribution = "sparse"
value = 0
[[reward]]
name = "i"
groups = [["s", "t"], ["t"]]
over = "each"
[solve]
discount = 0.9
"#;
    insta::assert_snapshot!(load(bad).unwrap_err());
}

#[test]
fn what_has_no_meaning_at_a_limit_is_a_fault() {
    let file = |discount: &str, statistics: &str| {
        format!(
            "schema = 1\n[mdp]\npath = \"coin.json\"\n[solve]\ndiscount = {discount}\n[statistics]\n{statistics}\n"
        )
    };
    let occupancy = file("[0.5, \"->1\"]", "occupancy = true");
    let error = load(&occupancy).unwrap_err();
    assert!(error.contains("`occupancy` has no limit at ->1"), "{error}");
    assert!(load(&file("[0.5, \"->0\"]", "occupancy = true")).is_ok());
    assert!(load(&file("[0.5, \"->1\"]", "optimality = [\"start\"]")).is_ok());
    // Flags win, in what they ask for and in what they do not.
    let flag = |discount: &str| Overrides {
        discounts: vec![discount.parse().unwrap()],
        ..Overrides::default()
    };
    assert!(load_with(&occupancy, &flag("0.5")).is_ok());
    let asked = file("0.5", "occupancy = true");
    assert!(load_with(&asked, &flag("->1")).is_err());
}

#[test]
fn a_faulty_variant_draws_no_faults_about_what_it_would_have_made() {
    let variant = |p: f64, label: &str| {
        let variant = format!(
            "[[variant]]\nname = \"v\"\ninterventions = [{{ kind = \"off-switch\", p = {p:?} }}]\n"
        );
        load(&format!(
            "{GOOD}{variant}[statistics]\nevents = [\"{label}\"]\n"
        ))
    };
    let error = variant(2.0, "shutdown").unwrap_err();
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(variant(0.5, "shutdown").is_ok());
    let unknown = variant(0.5, "shutdwn").unwrap_err();
    assert!(unknown.contains("no variant of coin has a"), "{unknown}");
}

#[test]
fn every_fault_of_a_count_and_every_empty_list_has_a_place() {
    let bad = r#"schema = 1
[mdp]
path = "coin.json"
[[reward]]
name = "a"
distribution = "sparse"
count = 3
[[reward]]
name = "b"
distribution = "mixture"
components = [{ distribution = "sparse", count = 2, among = "t" }, { distribution = "orbit", values = [1] }]
[[reward]]
name = "c"
distribution = "sparse"
among = "ghost"
[[reward]]
name = "d"
distribution = "orbit"
values = []
[[reward]]
name = "e"
distribution = "reach"
sets = []
[[reward]]
name = "f"
distribution = "sparse"
among = []
[solve]
discount = []
[agent]
rule = []
policy = []
[condition]
optimal = []
"#;
    insta::assert_snapshot!(load(bad).unwrap_err());
    insta::assert_snapshot!(load(&format!(
        "{GOOD}[[variant]]\nname = \"v\"\ninterventions = [{{ kind = \"off-switch\", p = [], disable_steps = [1, \"x\"] }}]\n"
    ))
    .unwrap_err());
}

#[test]
fn a_faulty_variant_does_not_hide_what_is_wrong_with_others() {
    let variant = |name: &str, p: f64, at: &str| {
        format!(
            "[[variant]]\nname = \"{name}\"\ninterventions = [{{ kind = \"off-switch\", p = {p:?}, at = \"{at}\" }}]\n"
        )
    };
    let both = |p| {
        let variants = variant("v", p, "s") + &variant("w", 0.5, "nowhere");
        load(&format!("{GOOD}{variants}")).unwrap_err()
    };
    let told = both(2.0);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.contains("`p` is a probability") && told.contains("\"nowhere\""));
    assert_eq!(both(0.25).lines().count(), 1);
}

#[test]
fn an_intervention_without_strength_is_a_warning_unless_it_is_one_dose_of_several() {
    let warnings = |interventions: &str| {
        let variant = format!("[[variant]]\nname = \"v\"\ninterventions = [{interventions}]\n");
        let (_home, path) = home(&format!("{GOOD}{variant}"));
        let (_, warnings) = Experiment::load(&path, &Overrides::default()).unwrap();
        let told = warnings.iter().flat_map(|faults| &faults.list);
        told.map(|fault| (fault.message.clone(), fault.span.is_some()))
            .collect::<Vec<_>>()
    };
    let off = |p: &str| format!("{{ kind = \"off-switch\", p = {p} }}");
    let limit = "{ kind = \"time-limit\", steps = 0 }";
    let [(message, is_placed)] = &warnings(&off("0"))[..] else {
        panic!("one warning")
    };
    assert!(message.contains("\"off-switch\" of the variant \"v\" does nothing") && *is_placed);
    assert_eq!(warnings(&off("[0]")).len(), 1);
    assert_eq!(warnings(&format!("{}, {limit}", off("0.5"))).len(), 1);
    assert!(warnings(&off("0.5")).is_empty() && warnings(&off("[0, 0.5]")).is_empty());
}

#[test]
fn a_warning_of_an_mdp_does_not_hide_faults_of_names() {
    let (home, path) = home(&format!("{GOOD}[statistics]\nevents = [\"ghost\"]\n"));
    let told = || Experiment::load(&path, &Overrides::default()).unwrap_err();
    assert!(told().to_string().contains("ghost"));
    let warned = COIN.replace("\"t\": 0.5}", "\"t\": 0.5000001}");
    fs::write(home.path().join("coin.json"), warned).unwrap();
    let told = told().to_string();
    assert!(told.contains("ghost") && told.contains("warning"), "{told}");
}

#[test]
fn decision_rules_are_read_and_their_faults_told_all_at_once() {
    let file = |rules: &str, rest: &str| format!("{GOOD}[agent]\nrule = {rules}\n{rest}");
    let good = file(
        "[\"optimal\", \"uniform\", { name = \"boltzmann\", beta = 5 }, { name = \"satisfice\", t = 0.5, otherwise = \"best\", level = \"plan\" }]",
        "[statistics]\nchoices = [\"start\"]\n",
    );
    let experiment = load(&good).unwrap();
    let names: Vec<_> = experiment
        .rules
        .value
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "optimal",
            "uniform",
            "boltzmann(5)",
            "satisfice(0.5, best) on plans"
        ]
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = reload(&experiment, elsewhere.path());
    assert_eq!(copy.identity("cpu"), experiment.identity("cpu"));
    assert_ne!(
        experiment.hash("cpu"),
        load(&good.replace("= 5", "= 6")).unwrap().hash("cpu")
    );
    let bad = file(
        "[\"optiml\", \"boltzmann\", 3, { beta = 1 }, { name = \"soft\", beta = 0 }, { name = \"quantilise\", q = 0.5, m = 2 }, \"uniform\", \"uniform\", { name = \"soft\", beta = 1, level = \"plan\" }]",
        "[statistics]\noptimality = [\"start\"]\nevents = [{ label = \"t\", ties = \"away\" }]\n",
    );
    let bad = bad.replace("discount = 0.9", "discount = [0.9, \"->1\"]");
    insta::assert_snapshot!(load(&bad).unwrap_err());
}

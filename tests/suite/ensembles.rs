//! Several environments as one question: means over them, and in which share of them a claim holds.

use std::fs;
use std::path::Path;

use powersweep::experiment::{BackendChoice, Engine, Experiment, Overrides, Statistics};
use powersweep::statistics::{Estimate, Key, Measure};

/// Stars with these numbers of leaves: POWER of the hub is k/(k + 1).
const LEAVES: [usize; 8] = [1, 2, 3, 4, 5, 6, 8, 9];

fn star(leaves: usize) -> String {
    let names: Vec<String> = (1..=leaves).map(|i| format!("\"t{i}\"")).collect();
    let go = names
        .iter()
        .map(|t| format!("{{\"action\": {t}, \"to\": {{{t}: 1}}}}"));
    let stay = names
        .iter()
        .map(|t| format!("{t}: [{{\"action\": \"stay\", \"to\": {{{t}: 1}}}}]"));
    format!(
        "{{\"states\": [\"hub\", {}], \"start\": \"hub\", \"transitions\": {{\"hub\": [{}], {}}}}}",
        names.join(", "),
        go.collect::<Vec<_>>().join(", "),
        stay.collect::<Vec<_>>().join(", ")
    )
}

fn load(directory: &Path, leaves: &[usize], rest: &str) -> Result<Experiment, String> {
    let paths = leaves.iter().map(|k| {
        fs::write(directory.join(format!("star-{k}.json")), star(*k)).unwrap();
        format!("'star-{k}.json'")
    });
    let paths = paths.collect::<Vec<_>>().join(", ");
    let path = directory.join("experiment.toml");
    let text = format!(
        "schema = 1\n[mdp]\npaths = [{paths}]\n[solve]\ndiscount = [0.5, 0.9]\n[sample]\ncount = 20000\n[statistics]\nevents = ['t1']\n{rest}"
    );
    fs::write(&path, text).unwrap();
    let loaded = Experiment::load(&path, &Overrides::default());
    loaded.map(|(e, _)| e).map_err(|error| error.to_string())
}

fn run(experiment: &Experiment, threads: usize) -> Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    engine.run(&experiment.run_spec(&engine, threads)).unwrap()
}

const CLAIMS: &str = "[ensemble]\nclaims = [{ name = 'powerful', statistic = 'power', row = 'hub', above = 0.77 },\n\
    { name = 'shy', statistic = 'events', row = 't1', measure = 'ever', below = 0.4 },\n\
    { name = 'even', statistic = 'events', row = 't1', measure = 'ever', above = 0.5 },\n\
    { name = 'elsewhere', statistic = 'power', row = 't7', above = 0.4 }]\n";

#[test]
fn means_are_over_environments_and_claims_count_them() {
    let directory = tempfile::tempdir().unwrap();
    let experiment = load(directory.path(), &LEAVES, CLAIMS).unwrap();
    let found = run(&experiment, 1);
    assert_eq!(found.ensembles.len(), 2);
    for of in &found.ensembles {
        assert_eq!((of.environments, of.rule.as_str()), (8, "optimal"));
        let mean = |names: [&str; 3]| -> Estimate {
            let keys = names.map(Key::text);
            let row = of.tables[0].rows.iter().find(|row| row.keys == keys);
            let row = row.unwrap_or_else(|| panic!("{names:?} among {:?}", of.tables[0].rows));
            *row.measures[0].estimate().unwrap()
        };
        let over = |of: &dyn Fn(f64) -> f64| -> f64 {
            let each = LEAVES.iter().map(|k| of(*k as f64));
            each.sum::<f64>() / LEAVES.len() as f64
        };
        let (power, exact) = (mean(["power", "hub", "power"]), over(&|k| k / (k + 1.0)));
        assert!(
            (power.estimate - exact).abs() < 0.005 && power.n == 8,
            "{power:?}"
        );
        // Environments differ by far more than what goals leave open of each.
        assert!(power.low < exact - 0.05 && power.high > exact + 0.04 && power.high < 1.0);
        let ever = mean(["events", "t1, even", "ever"]);
        assert!(
            (ever.estimate - over(&|k| 1.0 / k)).abs() < 0.005,
            "{ever:?}"
        );
        // The second leaf is not in every world.
        let names = of.tables[0]
            .rows
            .iter()
            .filter(|row| row.keys[1] == Key::text("t2"));
        assert_eq!(names.count(), 0);
        let claims = &of.tables[1].rows;
        let held = |at: usize| match claims[at].measures[..] {
            [Measure::Estimate(e), Measure::Number(open)] => (e.n, e.estimate, open),
            _ => (0, 0.0, 0.0),
        };
        // 4/5, 5/6, 6/7, 8/9 and 9/10 are above 0.77.
        assert_eq!(held(0), (8, 0.625, 0.0));
        assert_eq!(held(1), (8, 0.75, 0.0));
        // 1 is above 1/2, and 1/2 is not to be told from it.
        let (_, share, open) = held(2);
        assert!(
            open == 0.125 && (0.125..=0.25).contains(&share),
            "{share} {open}"
        );
        assert_eq!(held(3).0, 2, "two worlds have seven leaves");
    }
    let (json, other) = (found.to_json(), run(&experiment, 2).to_json());
    assert_eq!(json, other, "threads do not matter");
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    let ensemble = &document["ensembles"][0];
    assert_eq!(ensemble["environments"], 8);
    assert_eq!(ensemble["claims"][0]["holds"]["estimate"], 0.625);
    let columns = found.table_columns("ensemble");
    assert_eq!(columns[0].name, "variant");
    assert!(found.table_names().contains(&"claims"));
    // The same file with another seed resamples and draws others.
    let seed = Overrides {
        seed: Some(1),
        ..Overrides::default()
    };
    let path = directory.path().join("experiment.toml");
    let (again, _) = Experiment::load(&path, &seed).unwrap();
    assert_ne!(run(&again, 1).to_json(), json);
}

#[test]
fn numbers_without_a_standard_error_have_a_mean_with_an_interval() {
    let directory = tempfile::tempdir().unwrap();
    let more = "distribution = ['hub', 't1']\ndominance = { first = 't1', second = 'hub' }\n";
    let experiment = load(directory.path(), &LEAVES, more).unwrap();
    let found = run(&experiment, 1);
    let mean = |names: [&str; 3]| -> Estimate {
        let keys = names.map(Key::text);
        let mut rows = found.ensembles[0].tables[0].rows.iter();
        *rows.find(|row| row.keys == keys).unwrap().measures[0]
            .estimate()
            .unwrap()
    };
    let over = |of: &dyn Fn(f64) -> f64| -> f64 {
        let each = LEAVES.iter().map(|k| of(*k as f64));
        each.sum::<f64>() / LEAVES.len() as f64
    };
    // The median of the largest of k, and the largest x - x^k, which is at x = k^(-1/(k - 1)).
    let median = over(&|k| 0.5_f64.powf(1.0 / k));
    let violation = over(&|k| {
        let x = k.powf(-1.0 / (k - 1.0));
        if k == 1.0 { 0.0 } else { x - x.powf(k) }
    });
    for (names, exact) in [
        (["distribution", "hub", "q50"], median),
        (["dominance", "t1, hub", "violation"], violation),
    ] {
        let e = mean(names);
        assert!((e.estimate - exact).abs() < 0.01, "{e:?} {exact}");
        assert!(e.low < exact && exact < e.high, "{e:?} {exact}");
        assert!(e.high - e.low < 0.6 && e.std_error.is_some(), "{e:?}");
        // Worlds differ by more than this.
        assert!(e.high - e.low > 0.05, "{e:?}");
    }
    // The leaf is second of two, but where it is the only one: there it shares its rank.
    let rank = mean(["ranking", "t1", "rank"]);
    assert!((1.75..=2.0).contains(&rank.estimate), "{rank:?}");
    assert!(rank.low > 1.0 && rank.high < 2.5, "{rank:?}");
}

#[test]
fn few_environments_have_no_mean() {
    let directory = tempfile::tempdir().unwrap();
    let one = run(&load(directory.path(), &[3], "").unwrap(), 1);
    assert!(one.ensembles.is_empty() && !one.to_json().contains("ensembles"));
    let four = run(&load(directory.path(), &[3, 4, 5, 6], "").unwrap(), 1);
    assert!(four.ensembles.is_empty(), "nothing was claimed of them");
    let claimed = run(&load(directory.path(), &[8, 9], CLAIMS).unwrap(), 1);
    assert_eq!(claimed.ensembles[0].tables.len(), 1, "there is no mean");
    let five = run(&load(directory.path(), &[3, 4, 5, 6, 8], "").unwrap(), 1);
    assert_eq!(five.ensembles[0].tables.len(), 1, "nothing was claimed");
}

#[test]
fn faults_of_claims_are_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let error = |rest: &str| load(directory.path(), &[3, 4], rest).unwrap_err();
    let all = error(
        "[ensemble]\nclaims = [{ statistic = 'powr', row = 'hub', above = 1 }, { statistic = 'power', row = 'hubb', above = 1 },\n\
         { statistic = 'events', row = 't1', above = 1 }, { statistic = 'events', row = 't1', measure = 'evr', above = 1 },\n\
         { statistic = 'power', row = 'hub' }, { statistic = 'occupancy', row = 'hub', above = 1 },\n\
         { name = 'a', statistic = 'power', row = 'hub', above = 1 }, { name = 'a', statistic = 'power', row = 'hub', below = 1 }]\n",
    );
    for part in [
        "\"powr\" is not asked for",
        "is the name of a state",
        "needs its `measure`: ever, avoid",
        "did you mean \"ever\"?",
        "either `above` or `below`",
        "\"occupancy\" is not asked for",
        "two claims are named \"a\"",
    ] {
        assert!(all.contains(part), "{part}: {all}");
    }
    let alone = load(directory.path(), &[3], "[ensemble]\nclaims = []\n").unwrap_err();
    assert!(alone.contains("there is one"), "{alone}");
}

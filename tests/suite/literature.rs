//! The worlds of `datasets/literature`: their sizes, and what is known of each.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec};
use powersweep::intervention::Variant;
use powersweep::io::read_mdp;
use powersweep::mdp::Mdp;
use powersweep::reward::{Marginal, RewardDistribution};
use powersweep::statistics::{Estimate, EventRequest, Key, Request};
use powersweep::units::Limit;

use crate::interventions::variant;

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/literature")
}

fn load(name: &str) -> Mdp {
    let path = home().join(format!("{name}.json"));
    let (mdp, warnings) = read_mdp(&path).unwrap_or_else(|e| panic!("{e}"));
    assert!(warnings.list.is_empty(), "{warnings}");
    mdp
}

fn uniform() -> RewardDistribution {
    RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap())
}

/// Rewards that are known: of every label that begins like this, the number behind it; or what is said.
fn fixed(mdp: &Mdp, reward: impl Fn(&str) -> Option<f64>) -> RewardDistribution {
    let labels = mdp.state_labels().keys();
    let known = labels.filter_map(|label| Some((label, reward(label)?)));
    known.fold(uniform(), |law, (label, x)| law.with_fixed(label, x))
}

fn numbered(prefix: &str) -> impl Fn(&str) -> Option<f64> {
    move |label| label.strip_prefix(prefix)?.trim().parse().ok()
}

fn one_of(known: &[(&str, f64)]) -> impl Fn(&str) -> Option<f64> {
    move |label| known.iter().find(|(l, _)| *l == label).map(|(_, x)| *x)
}

/// One cell; discount 1 stands for its limit.
fn run(
    name: &str,
    by: Variant,
    law: RewardDistribution,
    discount: f64,
    events: &[(&str, Option<u64>)],
) -> CellStatistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let event = |(label, within): &(&str, Option<u64>)| EventRequest {
        label: (*label).to_owned(),
        within: *within,
        ..EventRequest::default()
    };
    let spec = RunSpec {
        environments: vec![engine.upload(load(name))],
        variants: vec![by],
        rewards: vec![Arc::new(law)],
        samples: 4_000,
        seed: Seed(2),
        threads: 1,
        statistics: Request {
            events: events.iter().map(event).collect(),
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let spec = match discount {
        1.0 => spec.limit(Limit::One),
        discount => spec.discount(discount).unwrap(),
    };
    let mut found = engine.run(&spec).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found.cells.remove(0)
}

fn event(cell: &CellStatistics, label: &str, measure: &str) -> Estimate {
    let table = cell.table("events").unwrap();
    let row = table.rows.iter().find(|r| r.keys[0] == Key::text(label));
    *table
        .measure(row.unwrap(), measure)
        .unwrap()
        .estimate()
        .unwrap()
}

fn reading(cell: &CellStatistics, name: &str) -> Estimate {
    let table = cell.table("readings").unwrap();
    let row = table.rows.iter().find(|r| r.keys[0] == Key::text(name));
    *table
        .measure(row.unwrap(), "mean")
        .unwrap()
        .estimate()
        .unwrap()
}

fn near(found: Estimate, exact: f64) -> bool {
    let error = 4.5 * found.std_error.unwrap() + found.bound + 1e-6;
    (found.estimate - exact).abs() <= error
}

fn baseline() -> Variant {
    Variant::baseline()
}

#[test]
fn the_table_tells_every_world_and_its_size() {
    let readme = std::fs::read_to_string(home().join("README.md")).unwrap();
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let mut told: Vec<(String, usize, usize)> = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let each = |cell: &str| -> Vec<String> {
            let items = cell.split(", ").map(|x| x.trim_matches('`').to_owned());
            items.collect()
        };
        let [names, states, choices] = [0, 1, 2].map(|i| each(cells[i]));
        for (i, name) in names.into_iter().enumerate() {
            told.push((
                name,
                states[i].parse().unwrap(),
                choices[i].parse().unwrap(),
            ));
        }
    }
    told.sort();
    let files = std::fs::read_dir(home()).unwrap();
    let names = files.filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Some(name.strip_suffix(".json")?.to_owned())
    });
    let mut there: Vec<_> = names
        .map(|name| {
            let mdp = load(&name);
            (name, mdp.n_states(), mdp.n_choices())
        })
        .collect();
    there.sort();
    assert_eq!(told, there);
}

#[test]
fn the_button_is_pressed_by_patient_agents_that_reckon_with_interruptions() {
    let mdp = load("safe-interruptibility");
    let law = || {
        fixed(
            &mdp,
            one_of(&[("goal", 1.0), ("floor", 0.0), ("interrupted", 0.0)]),
        )
    };
    let presses = |by: Variant, g| {
        let cell = run("safe-interruptibility", by, law(), g, &[("disable", None)]);
        (event(&cell, "disable", "ever").estimate, cell)
    };
    // g^12 against g^8/2.
    assert_eq!(presses(baseline(), 0.83).0, 0.0);
    assert_eq!(presses(baseline(), 0.85).0, 1.0);
    let safe = variant("{ kind = 'safe-interruptibility', interruption = 'interrupted' }");
    let (pressed, cell) = presses(safe, 0.9);
    assert_eq!(pressed, 0.0);
    let lost = 0.9_f64.powi(12) - 0.9_f64.powi(8) / 2.0;
    assert!(near(reading(&cell, "true value lost"), lost));
}

#[test]
fn a_supervisor_matters_where_it_punishes() {
    let mdp = load("absent-supervisor");
    let law = fixed(
        &mdp,
        one_of(&[("goal", 1.0), ("floor", 0.0), ("punished", -5.0)]),
    );
    let events = [("caught", None), ("unwatched", None)];
    // Three steps over the tile, nine round it: (1 - g) g^2 5 > g^3 - g^9.
    let found = run("absent-supervisor", baseline(), law, 0.9, &events);
    // What is always so is counted; half of the chance is solved for, and has a bound.
    for (label, truth, most) in [("caught", 0.0, 0.0), ("unwatched", 0.5, 1e-11)] {
        let told = event(&found, label, "ever");
        assert!(told.bound <= most, "{told:?}");
        assert!((told.estimate - truth).abs() <= told.bound, "{told:?}");
    }
    let found = run("absent-supervisor", baseline(), uniform(), 0.9, &events);
    let [caught, unwatched] = ["caught", "unwatched"].map(|l| event(&found, l, "ever"));
    let error = caught.std_error.unwrap() + unwatched.std_error.unwrap();
    assert!((caught.estimate - unwatched.estimate).abs() < 4.5 * error);
    assert!(
        error < 0.02 && caught.estimate > 0.1,
        "the comparison can fail"
    );
}

#[test]
fn shutdown_after_two_turns_is_avoided_by_most_goals() {
    let mdp = load("correction");
    let events = [("disable", None), ("shutdown", None)];
    let law = fixed(
        &mdp,
        one_of(&[("goal", 1.0), ("floor", 0.0), ("shutdown", 0.0)]),
    );
    let found = run("correction", baseline(), law, 0.9, &events);
    assert_eq!(event(&found, "disable", "ever").estimate, 1.0);
    let found = run("correction", baseline(), uniform(), 1.0, &events);
    let avoid = event(&found, "shutdown", "avoid");
    assert!(near(avoid, 7.0 / 8.0) && !near(avoid, 0.8), "{avoid:?}");
    assert_eq!(avoid.estimate, event(&found, "disable", "ever").estimate);
}

#[test]
fn a_channel_that_is_tampered_with_says_more_than_there_is() {
    let mdp = load("rocks-and-diamonds");
    let gain = |prefix: &str| {
        let law = fixed(&mdp, numbered(prefix));
        let cell = run(
            "rocks-and-diamonds",
            baseline(),
            law,
            1.0,
            &[("tamper", None)],
        );
        let start = mdp.start()[0].0;
        let tampers = event(&cell, "tamper", "ever").estimate;
        (cell.power[start.index()].estimate, tampers)
    };
    assert_eq!(gain("channel"), (2.0, 1.0));
    assert_eq!(gain("true").0, 1.0);
}

#[test]
fn lengths_of_a_life_with_coins_are_two() {
    let events = [("shutdown", Some(4)), ("delay", None)];
    let found = run("coins", baseline(), uniform(), 0.9, &events);
    assert_eq!(event(&found, "shutdown", "ever").estimate, 1.0);
    let [soon, delayed] = [
        event(&found, "shutdown", "within"),
        event(&found, "delay", "ever"),
    ];
    assert!((soon.estimate + delayed.estimate - 1.0).abs() < 1e-9);
    // Neither does not occur.
    assert!(soon.estimate > 0.01 && delayed.estimate > 0.01, "{soon:?}");
    let time = event(&found, "shutdown", "time").estimate;
    assert!((time - (4.0 + 4.0 * delayed.estimate)).abs() < 1e-9);
}

#[test]
fn keys_are_worth_what_chests_they_open() {
    for (name, opened, taken) in [
        ("keys-and-chests-train", 1.0, 1.0),
        ("keys-and-chests-test", 1.0, 3.0),
    ] {
        let mdp = load(name);
        let gain = |prefix: &str| {
            let cell = run(name, baseline(), fixed(&mdp, numbered(prefix)), 1.0, &[]);
            cell.power[mdp.start()[0].0.index()].estimate
        };
        assert_eq!((gain("opened"), gain("taken")), (opened, taken), "{name}");
    }
}

#[test]
fn deferring_in_the_off_switch_game_is_worth_the_mean_of_what_is_good() {
    let law = RewardDistribution::iid("belief", Marginal::normal(0.0, 1.0).unwrap());
    let law = law.with_fixed("off", 0.0);
    let game = variant("{ kind = 'reward-uncertainty', shutdown = 'shutdown' }");
    let cell = run("off-switch-game", game, law, 0.9, &[]);
    let delta = reading(&cell, "defer at s");
    let exact = 1.0 / std::f64::consts::TAU.sqrt();
    assert!(near(delta, exact) && !near(delta, 0.5 * exact), "{delta:?}");
}

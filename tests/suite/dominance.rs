//! First-order dominance of POWER integrands: worlds whose distribution functions are known.

use std::path::Path;

use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::statistics::{DominanceRequest, Estimate, Key, Request};
use powersweep::units::Seed;

use super::experiment_file::{load, run as run_text};

/// Hubs from which some ends are a step away: at any discount the integrand of a hub is the largest reward of its ends. From `lot` one of the two first ends comes, each with probability 1/2.
fn hubs() -> Mdp {
    let mut builder = MdpBuilder::new("hubs");
    let ends: Vec<_> = (0..8).map(|i| builder.state(format!("end{i}"))).collect();
    let hubs: [(&str, &[usize]); 6] = [
        ("three", &[0, 1, 2]),
        ("two of these", &[0, 1]),
        ("the same two", &[1, 0]),
        ("two others", &[3, 4]),
        ("one", &[5]),
        ("another", &[6]),
    ];
    for &end in &ends {
        builder.absorbing(end);
    }
    for (name, to) in hubs {
        let hub = builder.state(name);
        for &end in to {
            builder.choice(hub, format!("to{end}"), [(ends[end], 1.0)]);
        }
        if name == "three" {
            builder.start(hub);
        }
    }
    let lot = builder.state("lot");
    builder.choice(lot, "draw", [(ends[0], 0.5), (ends[1], 0.5)]);
    builder.build().unwrap()
}

fn run(backend: BackendChoice, samples: u64, seed: u64, pairs: &[(&str, &str)]) -> CellStatistics {
    let engine = Engine::new(backend).unwrap();
    let pairs = pairs.iter().map(|(first, second)| DominanceRequest {
        first: (*first).to_owned(),
        second: (*second).to_owned(),
    });
    let spec = RunSpec {
        samples,
        seed: Seed(seed),
        statistics: Request {
            dominance: pairs.collect(),
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let mdp = engine.upload(hubs());
    let spec = spec.environment(&mdp).discount(0.5).unwrap();
    engine.run(&spec).unwrap().cells.remove(0)
}

/// What was found of every pair, and the violation.
fn found(cell: &CellStatistics) -> Vec<(String, Estimate)> {
    let rows = cell.table("dominance").unwrap().rows.iter();
    let each = rows.map(|row| {
        let Key::Text(finding) = &row.keys[2] else {
            panic!("a finding")
        };
        (finding.clone(), *row.measures[0].estimate().unwrap())
    });
    each.collect()
}

fn holds(e: &Estimate, x: f64) -> bool {
    e.low <= x && x <= e.high
}

fn violations_are_those_by_hand(backend: BackendChoice) {
    // The largest of k uniform numbers has the distribution function x^k, the mean of two 2 x^2 up to 1/2 and 1 - 2 (1 - x)^2 from there.
    let worlds = [
        ("three", "two others", "dominates", 0.0),
        // x^2 - x^3 is largest at 2/3.
        ("two others", "three", "does not", 4.0 / 27.0),
        ("three", "two of these", "dominates", 0.0),
        ("two of these", "three", "does not", 4.0 / 27.0),
        ("two of these", "the same two", "dominates", 0.0),
        ("the same two", "two of these", "dominates", 0.0),
        // Equal in distribution, and not goal by goal: no number of goals tells that.
        ("one", "another", "not known", 0.0),
        // x - 2 x^2 is largest at 1/4, and so is the difference the other way round at 3/4.
        ("one", "lot", "does not", 1.0 / 8.0),
        ("lot", "one", "does not", 1.0 / 8.0),
    ];
    let pairs = worlds.map(|(first, second, ..)| (first, second));
    let cell = run(backend, 20_000, 0, &pairs);
    let rows = found(&cell);
    for ((first, second, finding, exact), (told, violation)) in worlds.into_iter().zip(&rows) {
        assert_eq!(told, finding, "{first} over {second}: {violation:?}");
        assert!(
            holds(violation, exact),
            "{first} over {second}: {violation:?}"
        );
        let beside = if exact > 0.0 { exact - 0.03 } else { 0.03 };
        assert!(
            !holds(violation, beside),
            "{first} over {second}: {violation:?}"
        );
        assert!(violation.ci_low >= violation.low && violation.ci_high <= violation.high);
    }
    // Where the one is larger for every goal, pairs tell far more than both distributions do.
    assert!(rows[2].1.high < 5e-4, "{:?}", rows[2]);
    assert!(rows[0].1.high > 5e-3, "{:?}", rows[0]);
}

#[test]
fn the_cpu_backend_finds_the_violations_by_hand() {
    violations_are_those_by_hand(BackendChoice::Cpu);
}

#[test]
fn the_reference_backend_finds_the_violations_by_hand() {
    violations_are_those_by_hand(BackendChoice::Reference);
}

#[test]
fn intervals_hold_the_violation_as_often_as_they_say() {
    let pairs = [("two others", "three"), ("one", "another"), ("one", "lot")];
    let exact = [4.0 / 27.0, 0.0, 1.0 / 8.0];
    let (runs, mut missed, mut beside) = (40, [0; 3], 0);
    for seed in 0..runs {
        let cell = run(BackendChoice::Cpu, 200, seed, &pairs);
        for ((e, exact), missed) in found(&cell).iter().map(|f| f.1).zip(exact).zip(&mut missed) {
            *missed += usize::from(!holds(&e, exact));
            // The control: what was found, taken for the truth by itself.
            beside += usize::from((e.estimate - exact).abs() < 0.01);
        }
    }
    // 5% of 40 runs, and three standard deviations.
    assert!(missed.iter().all(|m| *m <= 2 + 4), "{missed:?}");
    assert!(beside < 60, "{beside} of 120");
}

#[test]
fn all_goals_there_are_leave_only_what_bins_do() {
    // One of three ends pays 1: the hub has 1 always, an end with probability 1/3.
    let file = "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 3\n[[reward]]\ndistribution = \"sparse\"\namong = [\"t1\", \"t2\", \"t3\"]\n[solve]\ndiscount = 0.5\n\
        [sample]\ncount = 300\n[statistics]\ndominance = [{ first = \"s0\", second = \"t1\" }, { first = \"t1\", second = \"s0\" }, { first = \"t1\", second = \"t2\" }]\n";
    let all = run_text(file);
    let rows = found(&all.cells[0]);
    let told: Vec<&str> = rows.iter().map(|(finding, _)| finding.as_str()).collect();
    assert_eq!(told[..2], ["dominates", "does not"], "{rows:?}");
    assert!(rows[0].1.high == 0.0, "{rows:?}");
    // F(t1) - F(s0) is 2/3 from 0 to 1.
    assert!(
        (rows[1].1.estimate - 2.0 / 3.0).abs() < 1e-15 && rows[1].1.exact,
        "{rows:?}"
    );
    assert!((rows[1].1.low - 2.0 / 3.0).abs() < 1e-15, "{rows:?}");
    assert_eq!(rows[2].1.estimate, 0.0);
}

#[test]
fn the_experiment_file_names_pairs_and_all_its_faults_are_told() {
    let claims = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/turner-2021-fig1.json");
    let head = format!("schema = 1\n[mdp]\npath = {claims:?}\n[solve]\ndiscount = 0.5\n");
    let good = "[statistics]\ndominance = { first = \"star\", second = \"null\" }\n";
    let experiment = load(&format!("{head}{good}")).unwrap();
    let pairs = &experiment.statistics.value.dominance;
    let written = experiment.to_toml(&|_, path| path.to_owned());
    assert_eq!(&load(&written).unwrap().statistics.value.dominance, pairs);
    let faulty = format!(
        "{head}[statistics]\ndominance = [\n\
        {{ first = \"sstar\", second = \"left\" }},\n\
        {{ first = \"null\" }},\n\
        {{ first = \"null\", second = \"null\", than = 3 }},\n\
        {{ first = \"star\", second = \"null\" }},\n\
        {{ first = \"star\", second = \"null\" }},\n\
        [\"star\", \"null\"]]\n"
    );
    let faults = load(&faulty).unwrap_err();
    let faults: Vec<&str> = faults
        .lines()
        .map(|line| line.split_once(".toml:").map_or(line, |(_, rest)| rest))
        .collect();
    insta::assert_snapshot!(faults.join("\n"));
    let limit = load(&format!("{head}{good}").replace("0.5", "\"->1\"")).unwrap_err();
    assert!(
        limit.contains("`dominance` is not yet supported at the limit ->1"),
        "{limit}"
    );
}

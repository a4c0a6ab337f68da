//! Statistics over the goals that meet a condition.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Overrides, RunSpec,
};
use powersweep::intervention::Variant;
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Discrete, Marginal, RewardDistribution};
use powersweep::rng::Stream;
use powersweep::solve::{Backend, Goals, ReferenceBackend};
use powersweep::statistics::{
    ConditionMethod, ConditionRequest, Estimate, EventRequest, Key, Measure, OptimalRequest,
    ReachRequest, Request,
};
use powersweep::units::{Limit, SampleIndex};

use super::behaviour::small_mdp;
use super::interventions::variant;

const GAMMA: f64 = 0.75;

fn spec(engine: &Engine, mdp: Mdp, condition: ConditionRequest, samples: u64) -> RunSpec {
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        condition: Some(condition),
        samples,
        seed: Seed(11),
        threads: 1,
        ..RunSpec::default()
    };
    spec.discount(GAMMA).unwrap()
}

fn optimal(state: &str, action: &str) -> ConditionRequest {
    ConditionRequest {
        optimal: vec![OptimalRequest::Choice {
            state: state.to_owned(),
            action: action.to_owned(),
        }],
        ..ConditionRequest::default()
    }
}

fn reached(label: &str) -> Vec<ReachRequest> {
    vec![ReachRequest {
        label: label.to_owned(),
        within: None,
        probability: 1.0,
    }]
}

fn event(label: &str) -> Request {
    Request {
        events: vec![EventRequest {
            label: label.to_owned(),
            ..EventRequest::default()
        }],
        ..Request::default()
    }
}

/// The estimate in the first row that starts with `keys`.
fn measure(cell: &CellStatistics, table: &str, keys: &[&str], measure: &str) -> Estimate {
    let table = cell.table(table).unwrap();
    let keys: Vec<Key> = keys.iter().map(|k| Key::text(k)).collect();
    let row = table.rows.iter().find(|row| row.keys.starts_with(&keys));
    let measure = table.measure(row.unwrap(), measure).unwrap();
    *measure.estimate().unwrap()
}

/// Which of some goals have a choice that is optimal, and their POWER integrands, from values that a backend without blocks found.
fn judge(mdp: &Mdp, state: &str, action: &str, samples: u64) -> Vec<(bool, Vec<f64>)> {
    let spec = RunSpec {
        seed: Seed(11),
        ..RunSpec::default()
    };
    let discount = powersweep::Discount::new(GAMMA).unwrap();
    let problem = spec.problem(&Arc::new(mdp.clone()), &spec.rewards[0], discount);
    let solver = ReferenceBackend::new().prepare(problem.unwrap()).unwrap();
    let indices: Vec<SampleIndex> = (0..samples).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let state = mdp.find_state(state).unwrap();
    let solved = solver.solve_goals(goals).unwrap();
    let each = solved.into_iter().map(|goal| {
        let values = goal.values(discount);
        let worth = |choice| -> f64 {
            let (to, p) = mdp.row(choice);
            to.iter().zip(p).map(|(&t, p)| p * values[t as usize]).sum()
        };
        let best = mdp.choices(state).map(worth).fold(f64::MIN, f64::max);
        let mut choices = mdp.choices(state);
        let own = choices.find(|&c| mdp.action_name(c) == action).unwrap();
        (worth(own) >= best - 1e-9, goal.integrand)
    });
    each.collect()
}

#[test]
fn statistics_are_those_of_the_goals_that_belong() {
    for (seed, deterministic) in [(1, true), (2, false), (5, false), (6, true)] {
        let mdp = small_mdp(seed, deterministic);
        let busiest = mdp.states().max_by_key(|&s| mdp.choices(s).len()).unwrap();
        let state = mdp.state_name(busiest).to_owned();
        let action = mdp.action_name(mdp.choices(busiest).next().unwrap());
        let goals = judge(&mdp, &state, action, 300);
        let inside: Vec<_> = goals.iter().filter(|(belongs, _)| *belongs).collect();
        for backend in [BackendChoice::Cpu, BackendChoice::Reference] {
            let engine = Engine::new(backend).unwrap();
            let mut spec = spec(&engine, mdp.clone(), optimal(&state, action), 300);
            spec.statistics = Request {
                optimality: vec![state.clone()],
                ..Request::default()
            };
            let found = engine.run(&spec).unwrap();
            assert!(found.is_complete(), "{seed}");
            let cell = &found.cells[0];
            assert_eq!(
                (cell.samples, cell.proposed),
                (inside.len() as u64, 300),
                "{seed}"
            );
            let share = measure(cell, "condition", &["all"], "accepted");
            assert_eq!(share.n, 300);
            assert!((share.estimate - inside.len() as f64 / 300.0).abs() < 1e-12);
            let weak = measure(cell, "optimality", &[&state, action], "weak");
            assert_eq!((weak.estimate, weak.n), (1.0, inside.len() as u64));
            let mean = |goals: &[&(bool, Vec<f64>)], s: usize| {
                goals.iter().map(|g| g.1[s]).sum::<f64>() / goals.len() as f64
            };
            let all: Vec<_> = goals.iter().collect();
            let mut moved = 0.0_f64;
            for s in 0..mdp.n_states() {
                let power = cell.power[s];
                let off = (power.estimate - mean(&inside, s)).abs();
                assert!(off <= power.bound + 1e-9, "{seed}: {off} {power:?}");
                assert!(power.bound < 2e-5 && power.n == inside.len() as u64);
                moved = moved.max((power.estimate - mean(&all, s)).abs());
            }
            // Where it makes a difference, over all goals would be another number.
            assert!(inside.len() == 300 || moved > 1e-3, "{seed}: {moved}");
        }
    }
}

/// Start with two ways, each to a fork of its own with two ends.
pub(crate) fn forks() -> Mdp {
    let mut b = MdpBuilder::new("forks");
    let [s, left, right, a, c, d, e] =
        ["s", "left", "right", "a", "c", "d", "e"].map(|n| b.state(n));
    b.choice(s, "l", [(left, 1.0)]);
    b.choice(s, "r", [(right, 1.0)]);
    b.choice(left, "to a", [(a, 1.0)]);
    b.choice(left, "to c", [(c, 1.0)]);
    b.choice(right, "to d", [(d, 1.0)]);
    b.choice(right, "to e", [(e, 1.0)]);
    for end in [a, c, d, e] {
        b.absorbing(end);
    }
    b.start(s);
    b.build().unwrap()
}

#[test]
fn what_is_reached_or_avoided_is_so_for_every_goal_that_belongs() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let run = |condition: ConditionRequest| {
        let mut spec = spec(&engine, forks(), condition, 5_000);
        spec.statistics = event("a");
        let mut found = engine.run(&spec).unwrap();
        assert!(found.is_complete());
        found.cells.remove(0)
    };
    let reach = run(ConditionRequest {
        reach: reached("a"),
        ..ConditionRequest::default()
    });
    let avoid = run(ConditionRequest {
        avoid: reached("a"),
        ..ConditionRequest::default()
    });
    let ever = |cell: &CellStatistics| measure(cell, "events", &["a"], "ever").estimate;
    assert_eq!((ever(&reach), ever(&avoid)), (1.0, 0.0));
    assert_eq!(reach.samples + avoid.samples, 5_000);
    // One end in four, by symmetry.
    let share = measure(&reach, "condition", &["reach a"], "accepted");
    assert!((share.estimate - 0.25).abs() < 4.5 * share.std_error.unwrap());
    // Soon enough only where there is time.
    let within = |steps| {
        let mut condition = ConditionRequest {
            reach: reached("a"),
            ..ConditionRequest::default()
        };
        condition.reach[0].within = Some(steps);
        let spec = spec(&engine, forks(), condition, 500);
        engine.run(&spec).unwrap()
    };
    assert!(within(2).is_complete() && !within(1).is_complete());
    // Both parts at once, and a part that cannot be met beside the other.
    let both = run(ConditionRequest {
        avoid: reached("c"),
        ..optimal("s", "l")
    });
    assert_eq!((ever(&both), both.samples), (1.0, reach.samples));
    let never = spec(
        &engine,
        forks(),
        ConditionRequest {
            avoid: reached("s"),
            ..ConditionRequest::default()
        },
        500,
    );
    let never = engine.run(&never).unwrap();
    let message = never.failures[0].error.to_string();
    assert!(
        message.starts_with("none of 500 goals meets the condition, at most a share of 7.6e-3"),
        "{message}"
    );
}

/// An end, or a lottery over two: at ->1 equal gains of states that are not alike are neither a tie nor decided.
fn lottery() -> Mdp {
    let mut b = MdpBuilder::new("lottery");
    let [s, a, d, e] = ["s", "a", "d", "e"].map(|n| b.state(n));
    b.choice(s, "x", [(a, 1.0)]);
    b.choice(s, "y", [(d, 0.5), (e, 0.5)]);
    for end in [a, d, e] {
        b.absorbing(end);
    }
    b.start(s);
    b.build().unwrap()
}

#[test]
fn goals_whose_membership_is_open_are_counted_and_widen_the_interval() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mut spec = spec(&engine, lottery(), optimal("s", "x"), 20_000);
    spec.discounts.clear();
    let mut spec = spec.limit(Limit::One);
    let law = Discrete::new(&[0.0, 0.5, 1.0], &[1.0, 1.0, 1.0]).unwrap();
    let law = RewardDistribution::iid("thirds", Marginal::Discrete(law));
    spec.rewards = vec![Arc::new(law)];
    let found = engine.run(&spec).unwrap();
    let cell = &found.cells[0];
    let table = cell.table("condition").unwrap();
    let Some(Measure::Number(open)) = table.measure(&table.rows[0], "undecided") else {
        panic!("a share")
    };
    // `a` pays a half, and one of the others nothing and one of them 1: 2 goals in 27.
    let close = |x: f64, exact: f64| (x - exact).abs() < 0.018;
    assert!(close(*open, 2.0 / 27.0), "{open}");
    // 14 goals of 27 surely belong.
    let all = measure(cell, "condition", &["all"], "accepted");
    assert!(
        close(all.low, 14.0 / 27.0) && close(all.high, 16.0 / 27.0),
        "{all:?}"
    );
    // The mean reward of `a` is 11/14 over those, and 3/4 with the open ones.
    let power = cell.power[0];
    assert!(power.low < 0.75 && power.high > 11.0 / 14.0, "{power:?}");
    assert!(power.high - power.low < 0.11, "{power:?}");
    // Sampling error alone would not hold both.
    assert!(power.ci_high - power.ci_low < 0.015);
}

#[test]
fn variants_are_compared_over_the_goals_that_the_baseline_accepts() {
    let named = |name: &str, text: &str| Variant {
        name: name.to_owned(),
        ..variant(text)
    };
    let variants = vec![
        Variant::baseline(),
        named("same", "{ kind = 'off-switch', p = 0 }"),
        named("switch", "{ kind = 'off-switch', p = 0.25, at = 'left' }"),
    ];
    for backend in [BackendChoice::Cpu, BackendChoice::Reference] {
        let engine = Engine::new(backend).unwrap();
        let mut spec = spec(&engine, forks(), optimal("s", "l"), 2_000);
        spec.variants.clone_from(&variants);
        spec.statistics = event("a");
        let found = engine.run(&spec).unwrap();
        assert!(found.is_complete());
        let [base, same, switched] = &found.cells[..] else {
            panic!("three cells")
        };
        // The other variants' own policies do not matter for who belongs.
        assert_eq!(base.samples, same.samples);
        assert_eq!(base.samples, switched.samples);
        assert!(base.samples > 900 && base.samples < 1_100);
        let zero = measure(same, "differences", &["power"], "difference");
        assert_eq!((zero.estimate, zero.n), (0.0, base.samples));
        let lost = measure(switched, "differences", &["power"], "difference");
        assert!(lost.high < 0.0 && lost.n == base.samples, "{lost:?}");
        let power = |cell: &CellStatistics| cell.power[0].estimate;
        assert!((power(switched) - power(base) - lost.estimate).abs() < 1e-9);
        let shares: Vec<Estimate> = [base, same, switched]
            .map(|cell| measure(cell, "condition", &["all"], "accepted"))
            .into();
        assert!(shares.iter().all(|s| *s == shares[0]));
    }
}

fn load(directory: &Path, text: &str) -> Result<Experiment, String> {
    fs::write(
        directory.join("forks.json"),
        powersweep::io::write_json(&forks()),
    )
    .unwrap();
    let path = directory.join("experiment.toml");
    fs::write(&path, text).unwrap();
    match Experiment::load(&path, &Overrides::default()) {
        Ok((experiment, _)) => Ok(experiment),
        Err(error) => {
            let directory = format!("{}/", directory.display());
            Err(error.to_string().replace(&directory, ""))
        }
    }
}

const EXPERIMENT: &str = "\
schema = 1
[mdp]
path = \"forks.json\"
[solve]
discount = [0.5, 0.9]
[sample]
count = 70_000
";

#[test]
fn the_experiment_file_says_who_belongs_and_all_its_faults_are_told() {
    let home = tempfile::tempdir().unwrap();
    let condition = "[condition]\noptimal = { state = \"s\", action = \"l\" }\n\
        avoid = [\"c\", { label = \"d\", within = 3, probability = 0.5 }]\nstrict = true\n";
    let good = load(home.path(), &format!("{EXPERIMENT}{condition}")).unwrap();
    let asked = good.condition.clone().unwrap();
    assert!(asked.strict && asked.avoid[1].within == Some(3) && asked.avoid.len() == 2);
    // As it is written back it is the same experiment, and without the condition another.
    let copy = good.to_toml(&|_, path| path.to_owned());
    let copy = load(home.path(), &copy).unwrap();
    assert_eq!(copy.hash("cpu"), good.hash("cpu"));
    let plain = load(home.path(), EXPERIMENT).unwrap();
    assert_ne!(plain.hash("cpu"), good.hash("cpu"));

    let bad = "baseline = false\n".to_owned()
        + EXPERIMENT.replace("[0.5, 0.9]", "[0.5, \"->0\"]").as_str()
        + "[agent]\nrule = \"uniform\"\n\
        [[variant]]\nname = \"v\"\ninterventions = [{ kind = \"off-switch\", p = 0.5 }]\n\
        [condition]\noptimal = [{ state = \"s\", action = \"m\" }, { state = \"left\" }, \"lft\", 3]\n\
        reach = [\"aa\", { label = \"a\", probability = 2 }]\nnothing = true\n";
    insta::assert_snapshot!(load(home.path(), &bad).unwrap_err());
    let nothing = load(
        home.path(),
        &format!("{EXPERIMENT}[condition]\nstrict = true\n"),
    );
    assert!(nothing.unwrap_err().contains("asks for nothing"));
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
    command
        .current_dir(home)
        .args(arguments)
        .env("NO_COLOR", "1");
    command.output().unwrap()
}

#[test]
fn the_same_bytes_come_from_any_number_of_threads_and_from_shards() {
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "{EXPERIMENT}[statistics]\nevents = [\"a\"]\n[condition]\noptimal = {{ state = \"s\", action = \"l\" }}\n\
         [[variant]]\nname = \"switch\"\ninterventions = [{{ kind = \"off-switch\", p = 0.25, at = \"left\" }}]\n"
    );
    load(home.path(), &text).unwrap();
    let at = |name: &str| home.path().join(name);
    let finish = |arguments: &[&str]| {
        let output = run(home.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = finish(&["run", "experiment.toml", "--out", "one", "--threads", "1"]);
    assert!(
        text.contains("that meet the condition, of 70,000"),
        "{text}"
    );
    finish(&["run", "experiment.toml", "--out", "two", "--threads", "2"]);
    for shard in ["1/2", "2/2"] {
        let out = format!("part-{}", &shard[..1]);
        finish(&["run", "experiment.toml", "--out", &out, "--shard", shard]);
    }
    finish(&["merge", "merged", "part-1", "part-2"]);
    let results = |name: &str| fs::read(at(name).join("results.json")).unwrap();
    let one = results("one");
    assert!(one == results("two") && one == results("merged"));
    let few = finish(&[
        "run",
        "experiment.toml",
        "--out",
        "few",
        "--samples",
        "69999",
    ]);
    assert!(!few.is_empty() && one != results("few"));
    // Half a run that goes on.
    finish(&[
        "run",
        "experiment.toml",
        "--out",
        "few",
        "--samples",
        "70000",
    ]);
    assert!(one == results("few"));
}

#[test]
fn a_condition_that_no_goal_meets_ends_and_says_so() {
    let home = tempfile::tempdir().unwrap();
    load(
        home.path(),
        &format!("{EXPERIMENT}[condition]\nreach = \"a\"\navoid = \"c\"\noptimal = {{ state = \"s\", action = \"r\" }}\n"),
    )
    .unwrap();
    let output = run(home.path(), &["run", "experiment.toml", "--out", "none"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("none of 70000 goals"), "{errors}");
    // What each part comes to is told.
    let told = errors.split_whitespace().filter(|word| *word != "│");
    let told = told.collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("each part is met, and never all of them"),
        "{told}"
    );
}

#[test]
fn a_condition_that_no_goal_can_meet_is_refused_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    let told = |condition: &str| {
        let read = load(
            home.path(),
            &format!("{EXPERIMENT}[condition]\n{condition}\n"),
        );
        read.err().unwrap_or_default()
    };
    insta::assert_snapshot!(told(
        "avoid = [\"s\", { label = \"a\", probability = 0.5 }]\n\
         reach = [{ label = \"a\", within = 1 }, \"d\"]"
    ));
    for possible in [
        "reach = { label = \"a\", within = 2 }",
        "reach = { label = \"a\", probability = 0.5 }\navoid = { label = \"a\", probability = 0.5 }",
        "reach = \"a\"\navoid = { label = \"a\", within = 1 }",
    ] {
        assert_eq!(told(possible), "", "{possible}");
    }
}

/// Two rooms of training, each with three doors to ends of their own, and a hall in which every end is to be had again.
fn rooms() -> Mdp {
    let mut b = MdpBuilder::new("rooms");
    let hall = b.state("hall");
    let rooms = ["red", "blue"].map(|name| b.state(name));
    for (room, colour) in rooms.into_iter().zip(["red", "blue"]) {
        for door in 1..=3 {
            let end = b.state(format!("{colour} {door}"));
            b.choice(room, format!("door {door}"), [(end, 1.0)]);
            b.choice(hall, format!("{colour} {door}"), [(end, 1.0)]);
            b.absorbing(end);
        }
    }
    b.start(hall);
    b.build().unwrap()
}

#[test]
fn swapped_goals_are_those_that_rejection_leaves() {
    let mut both = optimal("red", "door 2");
    both.optimal.extend(optimal("blue", "door 1").optimal);
    let swap = ConditionRequest {
        method: ConditionMethod::Swap,
        ..both.clone()
    };
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let measured = |condition: ConditionRequest, samples: u64| {
        let spec = RunSpec {
            statistics: Request {
                optimality: ["hall", "red", "blue"].map(str::to_owned).to_vec(),
                ..Request::default()
            },
            ..spec(&engine, rooms(), condition, samples)
        };
        let mut found = engine.run(&spec).unwrap();
        assert!(found.is_complete(), "{:?}", found.failures);
        found.cells.remove(0)
    };
    let (left, swapped) = (measured(both, 90_000), measured(swap, 20_000));
    assert_eq!(swapped.samples, 20_000);
    assert!((9_000..11_000).contains(&left.samples), "one goal in nine");
    assert!(swapped.table("condition").is_none());
    let share = |cell: &CellStatistics, state: &str, action: &str| {
        let table = cell.table("optimality").unwrap();
        let keys = [Key::text(state), Key::text(action)];
        let row = table.rows.iter().find(|row| row.keys[..2] == keys).unwrap();
        *table
            .measure(row, "fractional")
            .unwrap()
            .estimate()
            .unwrap()
    };
    // What was trained is done by every goal.
    for (state, action) in [("red", "door 2"), ("blue", "door 1")] {
        assert_eq!(share(&swapped, state, action).estimate, 1.0);
    }
    // In the hall the best of six is one of the two that are the best of three, either as often; by symmetry half each.
    for (action, exact) in [("red 2", 0.5), ("blue 1", 0.5), ("red 1", 0.0)] {
        for cell in [&left, &swapped] {
            let e = share(cell, "hall", action);
            let allowed = 4.5 * e.std_error.unwrap() + 1e-12;
            assert!((e.estimate - exact).abs() <= allowed, "{action}: {e:?}");
        }
    }
    // The best of three has a mean of 3/4, the others of half of that; the best of six of 6/7.
    let mdp = rooms();
    let power =
        |cell: &CellStatistics, state: &str| cell.power[mdp.find_state(state).unwrap().index()];
    for (state, exact) in [
        ("red 2", 0.75),
        ("red 1", 0.375),
        ("blue 1", 0.75),
        ("red", 0.75),
        ("hall", 6.0 / 7.0),
    ] {
        for cell in [&left, &swapped] {
            let e = power(cell, state);
            let allowed = 4.5 * e.std_error.unwrap() + e.bound;
            assert!((e.estimate - exact).abs() <= allowed, "{state}: {e:?}");
            assert!((e.estimate - exact - 0.05).abs() > allowed);
        }
    }
}

#[test]
fn what_cannot_be_swapped_is_told() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let swap = |request: ConditionRequest| ConditionRequest {
        method: ConditionMethod::Swap,
        ..request
    };
    let error = |request: ConditionRequest, reward: Option<RewardDistribution>| {
        let mut spec = spec(&engine, rooms(), swap(request), 64);
        spec.rewards.extend(reward.map(Arc::new));
        engine.run(&spec).unwrap_err().to_string()
    };
    let mut shared = optimal("red", "door 1");
    shared.optimal.extend(optimal("hall", "red 1").optimal);
    assert!(error(shared, None).contains("lead to the same ends"));
    let reach = ConditionRequest {
        reach: reached("red 1"),
        ..optimal("red", "door 1")
    };
    assert!(error(reach, None).contains("need rejection"));
    let label = ConditionRequest {
        optimal: vec![OptimalRequest::Label("doors".to_owned())],
        ..ConditionRequest::default()
    };
    assert!(!error(label, None).is_empty());
    let coin = Discrete::new(&[0.0, 1.0], &[1.0, 1.0]).unwrap();
    let coin = RewardDistribution::iid("coin", Marginal::Discrete(coin));
    assert!(error(optimal("red", "door 1"), Some(coin)).contains("atoms"));
    let own = RewardDistribution::iid("own", Marginal::uniform(0.0, 1.0).unwrap());
    let own = own.with_law("red 3", Marginal::uniform(0.0, 2.0).unwrap());
    assert!(error(optimal("red", "door 1"), Some(own)).contains("different laws"));
    // A choice that leads on.
    let mut b = MdpBuilder::new("on");
    let [s, room, end] = ["s", "room", "end"].map(|name| b.state(name));
    b.choice(s, "in", [(room, 1.0)]);
    b.choice(s, "off", [(end, 1.0)]);
    b.choice(room, "back", [(s, 1.0)]);
    b.absorbing(end);
    let spec = spec(&engine, b.build().unwrap(), swap(optimal("s", "off")), 64);
    let told = engine.run(&spec).unwrap_err().to_string();
    assert!(told.contains("does not lead to an end"), "{told}");
}

//! `solve` and `replay` show the goal that a run has measured.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Runs the binary in a directory and reads its JSON.
fn json(directory: &Path, arguments: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_powersweep"))
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A directory with an experiment on a dataset, two discounts, few goals.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let dataset = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/datasets/turner-2021-fig1.json"
    );
    std::fs::copy(dataset, home.path().join("mdp.json")).unwrap();
    let text = "schema = 1\nmdp.path = \"mdp.json\"\nsolve.discount = [0.5, 0.9]\nsample.count = 64\nsample.seed = 3\n";
    std::fs::write(home.path().join("few.toml"), text).unwrap();
    home
}

#[test]
fn a_replayed_goal_is_the_goal_that_is_solved_alone() {
    let home = home();
    json(home.path(), "run few.toml --out out --format json --quiet");
    // The copy in the run directory is what is replayed.
    std::fs::rename(home.path().join("mdp.json"), home.path().join("moved.json")).unwrap();
    for backend in ["cpu", "reference"] {
        let replay =
            format!("replay out --goal 17 --discount 0.9 --format json --backend {backend}");
        let replayed = json(home.path(), &replay);
        let solve =
            format!("solve moved.json --index 17 --seed 3 --format json --backend {backend}");
        let solved = json(home.path(), &solve);
        assert_eq!(replayed["states"], solved["states"]);
        let other = json(home.path(), &solve.replace("--index 17", "--index 18"));
        assert_ne!(replayed["states"], other["states"]);
    }
}

#[test]
fn the_mean_over_replayed_goals_is_the_estimate() {
    // The reference backend adds 64 numbers below 1 in f64. The cpu backend rounds each goal's integrand less 1/2 twice to
    // f32 and adds four of them in f32, numbers below 2 in three additions: (2/2 + 3 * 2/4) 2^-24 a goal.
    let allowances = [
        ("reference", 64.0 * f64::EPSILON),
        ("cpu", 2.5 * 2_f64.powi(-24)),
    ];
    for (backend, allowance) in allowances {
        let home = home();
        let run = json(
            home.path(),
            &format!("run few.toml --out out --format json --quiet --backend {backend}"),
        );
        let integrand = |goal: u64| {
            let replay = format!("replay out --goal {goal} --discount 0.9 --format json");
            json(home.path(), &replay)["states"][0]["integrand"]
                .as_f64()
                .unwrap()
        };
        let mean = (0..64).map(integrand).sum::<f64>() / 64.0;
        let estimate = |cell: usize| run["cells"][cell]["power"][0]["estimate"].as_f64().unwrap();
        assert!(
            (mean - estimate(1)).abs() <= allowance,
            "{backend}: {mean} {}",
            estimate(1)
        );
        // The other discount's cell is another number.
        assert!((mean - estimate(0)).abs() > 1e-3);
    }
}

/// Of a goal that is solved in linked stages the one that is shown is replayed: the button's state is worth what the stages before made of it.
#[test]
fn the_mean_over_replayed_goals_of_linked_stages_is_the_estimate() {
    let home = home();
    let mut text = std::fs::read_to_string(home.path().join("few.toml")).unwrap();
    text = text.replace("[0.5, 0.9]", "0.9").replace("64", "16");
    // Of all drives most are not there: the run directory asks for those there are, too.
    text += "solve.tolerance = 1e-9\nstatistics.drives = [\"all\"]\n[[variant]]\nname = \"button\"\ninterventions = [{ kind = \"goal-button\", agent = \"hedonistic\" }]\n";
    std::fs::write(home.path().join("few.toml"), text).unwrap();
    let run = json(home.path(), "run few.toml --out out --format json --quiet");
    let mean = |variant: &str| {
        let integrand = |goal: u64| {
            let replay = format!("replay out --goal {goal} --variant {variant} --format json");
            let goal = json(home.path(), &replay);
            goal["states"][0]["integrand"].as_f64().unwrap()
        };
        (0..16).map(integrand).sum::<f64>() / 16.0
    };
    for (cell, variant) in ["baseline", "button"].into_iter().enumerate() {
        let estimate = run["cells"][cell]["power"][0]["estimate"].as_f64().unwrap();
        let found = mean(variant);
        assert!(
            (found - estimate).abs() < 1e-8,
            "{variant}: {found} {estimate}"
        );
    }
    // The control: a button is worth something.
    assert!(mean("button") - mean("baseline") > 1e-3);
}

/// A run of `few.toml` with one more variant, of which a goal is replayed.
fn replayed(interventions: &str) -> Value {
    let home = home();
    let mut text = std::fs::read_to_string(home.path().join("few.toml")).unwrap();
    text += &format!("[[variant]]\nname = \"v\"\ninterventions = [{interventions}]\n");
    std::fs::write(home.path().join("few.toml"), text).unwrap();
    json(home.path(), "run few.toml --out out --format json --quiet");
    let goal = json(home.path(), "replay out --goal 1 --variant v --format json");
    let text = Command::new(env!("CARGO_BIN_EXE_powersweep"))
        .args("replay out --goal 1 --variant v".split(' '))
        .current_dir(home.path())
        .output()
        .unwrap();
    assert!(text.status.success());
    goal
}

/// What the rewards along a path that is certain come to is what its first state is worth, whoever chooses it and whatever pays.
fn adds_up(goal: &Value) -> f64 {
    let earned = goal["path"]["discounted_rewards"].as_f64().unwrap();
    let first = goal["path"]["steps"][0]["state"].as_str().unwrap();
    let states = goal["states"].as_array().unwrap();
    let state = states.iter().find(|s| s["state"] == first).unwrap();
    let bound = goal["value_bound"].as_f64().unwrap() + 1e-9;
    let value = state["value"].as_f64().unwrap();
    assert!((earned - value).abs() <= bound, "{earned} {value} {bound}");
    earned
}

#[test]
fn goals_whose_penalties_are_rewards_of_choices_are_replayed_with_their_readings() {
    let goal = |lambda: f64| {
        replayed(&format!(
            "{{ kind = \"impact-penalty\", noop = \"stay\", lambda = {lambda} }}"
        ))
    };
    let (none, some) = (goal(1e-9), goal(1.0));
    let reading = |goal: &Value, name: &str| {
        let readings = goal["readings"].as_array().unwrap();
        let found = readings.iter().find(|r| r["quantity"] == name).unwrap();
        found["value"].as_f64().unwrap()
    };
    // A penalty takes off what is earned, and what the goal loses by it is a reading.
    assert!(adds_up(&some) <= adds_up(&none) + 1e-6);
    assert!(reading(&some, "task value lost") >= 0.0);
    assert!(
        some["states"][0]["reward"].is_object(),
        "{}",
        some["states"][0]
    );
    assert_eq!(some["follows_another_policy"], false);
}

#[test]
fn rewards_of_choices_are_replayed() {
    let home = home();
    let mut text = std::fs::read_to_string(home.path().join("few.toml")).unwrap();
    text += "[[reward]]\nname = \"paid\"\ndomain = \"choices\"\n";
    std::fs::write(home.path().join("few.toml"), text).unwrap();
    let run = json(home.path(), "run few.toml --out out --format json --quiet");
    let goal = |number: u64| {
        json(
            home.path(),
            &format!("replay out --goal {number} --format json"),
        )
    };
    let mean = (0..64).map(|number| {
        let goal = goal(number);
        adds_up(&goal);
        // Of linked stages there are none.
        assert!(goal.get("readings").is_none());
        goal["states"][0]["integrand"].as_f64().unwrap()
    });
    let mean = mean.sum::<f64>() / 64.0;
    let estimate = |cell: usize| run["cells"][cell]["value"][0]["estimate"].as_f64().unwrap();
    // As in the mean over goals with rewards of states: numbers below 1, rounded to single precision.
    assert!(
        (mean - estimate(0)).abs() <= 2.5 * 2_f64.powi(-24),
        "{mean}"
    );
    assert!((mean - estimate(1)).abs() > 1e-3, "the other discount");
}

#[test]
fn an_agent_that_follows_another_policy_is_replayed_doing_so() {
    let switch = "{ kind = \"off-switch\", choice = true, disable = true }";
    let safe = "{ kind = \"safe-interruptibility\", interruption = \"shutdown\" }";
    let goal = replayed(&format!("{switch}, {safe}"));
    assert_eq!(goal["follows_another_policy"], true);
    adds_up(&goal);
    let states = goal["states"].as_array().unwrap();
    assert!(
        states
            .iter()
            .all(|s| s["optimal"].as_array().unwrap().len() == 1)
    );
    let readings = goal["readings"].as_array().unwrap();
    assert!(readings.iter().any(|r| r["quantity"] == "true value lost"));
}

//! The table of goals: one row for each, the same numbers that the results are means of.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use powersweep::experiment::RunSpec;
use powersweep::rng::Stream;
use powersweep::solve::{Backend, Goals, ReferenceBackend};
use powersweep::units::{Discount, SampleIndex};

use super::condition::forks;

fn experiment(count: &str) -> String {
    format!(
        "schema = 1\n[mdp]\npath = \"forks.json\"\n[solve]\ndiscount = 0.75\n[sample]\ncount = 500\nseed = 3\n\
         [[variant]]\nname = \"switch\"\ninterventions = [{{ kind = \"off-switch\", p = 0.25, at = \"left\" }}]\n\
         [statistics]\noptimality = [\"s\"]\nevents = [\"a\"]\nper_goal = {{ count = {count}, states = [\"start\", \"left\"] }}\n\
         [condition]\noptimal = {{ state = \"s\", action = \"l\" }}\n"
    )
}

fn run(home: &Path, text: &str, arguments: &[&str]) -> Output {
    let forks = powersweep::io::write_json(&forks());
    fs::write(home.join("forks.json"), forks).unwrap();
    fs::write(home.join("x.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
    command
        .current_dir(home)
        .args(["run", "x.toml", "--write", "csv"]);
    command
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// The rows of a CSV table without quotes.
fn csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(path).unwrap();
    let mut rows = text
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = rows.next().unwrap();
    (names, rows.collect())
}

#[test]
fn every_goal_has_its_row_and_the_means_are_those_of_the_results() {
    let home = tempfile::tempdir().unwrap();
    let out = |name: &str| home.path().join(name);
    let text = experiment("500");
    for (name, threads) in [("one", "1"), ("two", "2")] {
        let output = run(home.path(), &text, &["--out", name, "--threads", threads]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let bytes = |name: &str| fs::read(out(name).join("goals.parquet")).unwrap();
    assert!(bytes("one") == bytes("two") && bytes("one").len() > 1_000);
    let (names, rows) = csv(&out("one").join("goals.csv"));
    assert_eq!(rows.len(), 2 * 500);
    let column = |name: &str| names.iter().position(|n| n == name).expect(name);
    let [variant, goal] = ["variant", "goal"].map(column);
    let baseline = &rows[..500];
    assert!(baseline.iter().all(|row| row[variant] == "baseline"));
    assert!(rows[500..].iter().all(|row| row[variant] == "switch"));
    assert!((0..1_000).all(|i| rows[i][goal] == (i % 500).to_string()));

    // The same goals by another way, policy iteration goal by goal.
    let mdp = std::sync::Arc::new(forks());
    let spec = RunSpec {
        seed: powersweep::Seed(3),
        ..RunSpec::default()
    };
    let discount = Discount::new(0.75).unwrap();
    let problem = spec.problem(&mdp, &spec.rewards[0], discount).unwrap();
    let indices: Vec<SampleIndex> = (0..500).map(SampleIndex).collect();
    let solver = ReferenceBackend::new().prepare(problem).unwrap();
    let solved = solver.solve_goals(Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    });
    let values: Vec<_> = solved
        .unwrap()
        .into_iter()
        .map(|goal| goal.values(discount))
        .collect();
    let (power, action) = (column("power:s"), column("action:s"));
    let state = |name: &str| mdp.find_state(name).unwrap().index();
    let [left, right] = ["left", "right"].map(state);
    for (row, values) in baseline.iter().zip(&values) {
        let best = if values[left] > values[right] {
            "l"
        } else {
            "r"
        };
        assert_eq!(row[action], best);
        let exact = 0.25 * values[left].max(values[right]);
        assert!((row[power].parse::<f64>().unwrap() - exact).abs() < 2e-5);
    }
    assert!(
        baseline
            .iter()
            .any(|row| row[action] != baseline[0][action])
    );

    // Over the goals that meet the condition, which the baseline's rows tell.
    let condition = column("condition:all");
    let belongs: Vec<bool> = baseline
        .iter()
        .map(|row| row[condition].parse() == Ok(1.0))
        .collect();
    let n = belongs.iter().filter(|b| **b).count();
    let ever = column("events.ever:a:even");
    let (_, results) = csv(&out("one").join("events.csv"));
    for (rows, variant) in [(&rows[..500], "baseline"), (&rows[500..], "switch")] {
        let inside = rows.iter().zip(&belongs).filter(|(_, belongs)| **belongs);
        let sum: f64 = inside
            .map(|(row, _)| row[ever].parse::<f64>().unwrap())
            .sum();
        let result = results
            .iter()
            .find(|r| r[1] == variant && r.contains(&"ever".to_owned()));
        let result = result.unwrap();
        let found = result.iter().position(|cell| cell == "ever").unwrap();
        assert_eq!(result[found + 1], n.to_string());
        let mean: f64 = result[found + 2].parse().unwrap();
        assert!((mean - sum / n as f64).abs() < 1e-9, "{variant}");
    }
}

#[test]
fn what_is_too_much_or_unknown_is_refused_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    let large = experiment("1_000_000_000").replace("count = 500\n", "count = 1_000_000_000\n");
    let output = run(home.path(), &large, &["--out", "none"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let errors = String::from_utf8(output.stderr)
        .unwrap()
        .replace("\n  │ ", " ");
    assert!(errors.contains("at most 50,000,000"), "{errors}");
    let unknown = experiment("0").replace("\"left\"] }", "\"lft\"] }");
    let output = run(home.path(), &unknown, &["--out", "none"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let errors = String::from_utf8(output.stderr)
        .unwrap()
        .replace("\n  │ ", " ");
    assert!(errors.contains("must be at least 1"), "{errors}");
    assert!(
        errors.contains("state or label of states \"lft\""),
        "{errors}"
    );
    assert!(!home.path().join("none").exists());
    // It changes no number: the same run directory takes it.
    let plain = experiment("5");
    let plain: String = plain
        .lines()
        .filter(|l| !l.starts_with("per_goal"))
        .map(|l| format!("{l}\n"))
        .collect();
    for text in [&plain, &experiment("5")] {
        let output = run(home.path(), text, &["--out", "same"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let (_, rows) = csv(&home.path().join("same/goals.csv"));
    assert_eq!(rows.len(), 10);
}

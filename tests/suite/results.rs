//! Results in every format: the same numbers, and read by the snippets of docs/results.md.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// A run of two cells on a ring, with an environment whose name needs quotes.
fn run(write: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let mdp = r#"{"name": "a \"b\", c", "states": ["s,1", "t"], "transitions": {"s,1": [{"action": "go", "to": {"s,1": 0.5, "t": 0.5}},
        {"action": "jump", "to": "t"}], "t": [{"action": "stay", "to": "t"}]}}"#;
    std::fs::write(home.path().join("m.json"), mdp).unwrap();
    let text = "schema = 1\n[mdp]\npath = \"m.json\"\n[solve]\ndiscount = [0.5, 0.9]\nbackend = \"reference\"\n[statistics]\noptimality = \"start\"\n";
    std::fs::write(home.path().join("x.toml"), text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_powersweep"))
        .current_dir(home.path())
        .args([
            "run",
            "x.toml",
            "--samples",
            "500",
            "--out",
            "out",
            "--quiet",
            "--write",
            write,
        ])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    home
}

fn document(home: &TempDir) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.path().join("out/results.json")).unwrap())
        .unwrap()
}

#[test]
fn every_statistic_is_written_in_every_format_that_was_asked() {
    let home = run("csv,jsonl,npz,dot");
    let mut names: Vec<String> = std::fs::read_dir(home.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            ![
                "checkpoint",
                "inputs",
                "manifest.json",
                "results.json",
                "results.txt",
                "power.svg",
            ]
            .contains(&name.as_str())
        })
        .collect();
    names.sort();
    // Whatever has a Parquet file has all the others.
    let stems: Vec<String> = names
        .iter()
        .filter_map(|n| n.strip_suffix(".parquet"))
        .map(str::to_owned)
        .collect();
    assert!(
        stems.len() > 1 && stems.contains(&"power".to_owned()),
        "{names:?}"
    );
    let mut wanted: Vec<String> = stems
        .iter()
        .flat_map(|s| ["csv", "jsonl", "npz", "parquet"].map(|e| format!("{s}.{e}")))
        .collect();
    wanted.extend(["power-1.dot".to_owned(), "power-2.dot".to_owned()]);
    wanted.sort();
    assert_eq!(names, wanted);
    // Nothing more without the flag.
    assert!(!run("csv").path().join("out/power.npz").exists());
}

#[test]
fn the_formats_hold_the_numbers_of_the_document() {
    let home = run("csv,jsonl");
    let document = document(&home);
    let text = std::fs::read_to_string(home.path().join("out/power.jsonl")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    for (i, line) in lines.iter().enumerate() {
        let cell = &document["cells"][i / 2];
        for key in ["environment", "variant", "reward", "discount", "rule"] {
            assert_eq!(line[key], cell[key]);
        }
        let row = cell["power"][i % 2].as_object().unwrap();
        assert!(
            row.len() > 5 && row.iter().all(|(key, value)| line[key] == *value),
            "{line} {row:?}"
        );
    }
    assert_ne!(lines[0]["estimate"], lines[1]["estimate"]);
    let csv = std::fs::read_to_string(home.path().join("out/power.csv")).unwrap();
    let first = csv.lines().nth(1).unwrap();
    assert!(first.starts_with("\"a \"\"b\"\", c\",baseline,"), "{first}");
    let estimate = lines[0]["estimate"].to_string();
    assert!(
        first.split(',').any(|field| field == estimate),
        "{first} {estimate}"
    );
}

#[test]
fn the_graph_is_coloured_by_power() {
    let home = run("dot");
    let text = std::fs::read_to_string(home.path().join("out/power-2.dot")).unwrap();
    insta::assert_snapshot!(text);
    assert!(
        text.lines()
            .nth(1)
            .unwrap()
            .contains(r#"label="a \"b\", c, uniform, discount 0.9: POWER from 0."#),
        "{text}"
    );
}

/// The Python snippets of the page, each with the package it needs.
fn snippets() -> Vec<(String, String)> {
    let page = include_str!("../../docs/results.md");
    let blocks = page
        .split("```python\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned());
    let package = |code: &str| {
        code.lines()
            .next()
            .unwrap()
            .strip_prefix("import ")
            .unwrap()
            .to_owned()
    };
    let of_results = blocks.filter(|code| !code.contains("goals.parquet"));
    of_results.map(|code| (package(&code), code)).collect()
}

/// What the snippet about goals one by one must have found.
const CHECK_GOALS: &str = r#"
import json
cell = json.load(open("results.json"))["cells"][0]
power = {row["state"]: row["estimate"] for row in cell["power"]}["s0"]
found = goals["power:s0"].tolist()
assert len(found) == 500 and goals["goal"].tolist() == list(range(500)), "goals"
assert abs(sum(found) / 500 - power) < SHARP, "mean"
shares = goals["action:s0"].value_counts(normalize=True)
assert abs(sum(going[a] * shares[a] for a in going.index) - power) < SHARP, "going"
reached = goals["events.ever:corner:even"].tolist()
mean, ever = sum(found) / 500, sum(reached) / 500
of = sum((x - mean) * (y - ever) for x, y in zip(found, reached)) / sum((x - mean) ** 2 for x in found)
assert abs(slope - of) < 1e-9 and abs(of) > 1e-3, "slope"
assert abs(ever - cell["events"][0]["ever"]["estimate"]) < 1e-12, "event"
"#;

#[test]
fn the_snippet_about_goals_reads_them() {
    let page = include_str!("../../docs/results.md");
    let mut blocks = page.split("```python\n").skip(1);
    let block = blocks.find_map(|rest| {
        let code = rest.split("```").next().unwrap();
        code.contains("goals.parquet").then_some(code)
    });
    let code = block.expect("the page has a snippet about goals");
    let interpreter = std::env::var("POWERSWEEP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if !has(&interpreter, "pandas") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mdp = r#"{"name": "corners", "states": ["s0", "corner", "other"], "transitions": {"s0": [{"action": "go", "to": "corner"},
        {"action": "jump", "to": "other"}], "corner": [{"action": "stay", "to": "corner"}], "other": [{"action": "stay", "to": "other"}]}}"#;
    std::fs::write(home.path().join("m.json"), mdp).unwrap();
    let text = "schema = 1\n[mdp]\npath = \"m.json\"\n[solve]\ndiscount = 0.5\nbackend = \"reference\"\n[sample]\ncount = 500\n\
        [statistics]\nevents = [\"corner\"]\nper_goal = { count = 500, states = [\"s0\"] }\n";
    std::fs::write(home.path().join("x.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
    command.current_dir(home.path());
    let ran = command.args(["run", "x.toml", "--out", "out", "--quiet"]);
    assert!(ran.output().unwrap().status.success());
    let check = |sharp: &str| {
        let checks = CHECK_GOALS.replace("SHARP", sharp);
        python(
            &interpreter,
            &home.path().join("out"),
            &format!("{code}{checks}"),
        )
    };
    check("1e-9").unwrap();
    // The control: no mean is as near as that.
    assert!(check("-1").unwrap_err().contains("AssertionError: mean"));
}

#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn has(python: &str, package: &str) -> bool {
    // pandas reads Parquet by pyarrow.
    let import = if package == "pandas" {
        "import pandas, pyarrow".to_owned()
    } else {
        format!("import {package}")
    };
    let found = Command::new(python).args(["-c", &import]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!(
            "SKIPPED: {python} cannot import what the snippet of {package} in docs/results.md needs (set POWERSWEEP_PYTHON to one that can)"
        );
    }
    found
}

/// What a snippet must have found, in any of the three packages.
const CHECK: &str = r#"
import json
cells = json.load(open("results.json"))["cells"]
rows = [row for cell in cells for row in cell["power"]]
assert [float(x) for x in power["estimate"]] == [row["estimate"] for row in rows], "estimates"
assert [str(x) for x in power["state"]] == [row["state"] for row in rows], "states"
assert [int(x) for x in power["n"]] == [row["n"] for row in rows], "goals"
assert len(highest) > 0
"#;

/// Other ways to read the table that the page names.
fn instead(package: &str) -> &'static [&'static str] {
    match package {
        "pandas" => &[
            "pandas.read_csv(\"power.csv\", float_precision=\"round_trip\")",
            "pandas.read_json(\"power.jsonl\", lines=True, precise_float=True)",
        ],
        "polars" => &["read_csv(\"power.csv\")", "read_ndjson(\"power.jsonl\")"],
        _ => &[],
    }
}

fn python(python: &str, at: &Path, code: &str) -> Result<(), String> {
    let output = Command::new(python)
        .current_dir(at)
        .args(["-c", code])
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn the_snippets_of_the_page_read_the_results() {
    let interpreter = std::env::var("POWERSWEEP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let home = run("csv,jsonl,npz");
    let out = home.path().join("out");
    let snippets = snippets();
    let packages: Vec<&str> = snippets
        .iter()
        .map(|(package, _)| package.as_str())
        .collect();
    assert_eq!(packages, ["pandas", "polars", "numpy"]);
    for (package, code) in snippets
        .iter()
        .filter(|(package, _)| has(&interpreter, package))
    {
        python(&interpreter, &out, &format!("{code}{CHECK}"))
            .unwrap_or_else(|error| panic!("{package}: {error}"));
        // What the page offers instead reads the same.
        for instead in instead(package) {
            assert!(
                include_str!("../../docs/results.md").contains(instead),
                "{instead}"
            );
            let parquet = format!("{package}.read_parquet(\"power.parquet\")");
            let full = if instead.starts_with(package) {
                String::from(*instead)
            } else {
                format!("{package}.{instead}")
            };
            let other = code.replacen(&parquet, &full, 1);
            assert_ne!(&other, code);
            python(&interpreter, &out, &format!("{other}{CHECK}"))
                .unwrap_or_else(|error| panic!("{full}: {error}"));
        }
        // The control: a number that is off by its last bit is noticed.
        let spoilt = "power = {key: list(power[key]) for key in ['estimate', 'state', 'n']}\nimport math\npower['estimate'][0] = math.nextafter(float(power['estimate'][0]), 1)\n";
        let error = python(&interpreter, &out, &format!("{code}{spoilt}{CHECK}")).unwrap_err();
        assert!(error.contains("AssertionError: estimates"), "{error}");
    }
}

/// R reads numbers a bit off the last digit, so that this is closer than any number but not exact.
const CHECK_IN_R: &str = r#"
estimate <- c(ESTIMATES)
stopifnot(nrow(power) == length(estimate), all(abs(power$estimate - estimate) < 1e-14))
stopifnot(nrow(highest) > 0, highest$estimate[1] == max(power$estimate), nrow(wide) == length(unique(power$state)))
"#;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn the_snippet_in_r_reads_the_results() {
    let page = include_str!("../../docs/results.md");
    let code = page.split("```r\n").nth(1).unwrap();
    let code = code.split("```").next().unwrap();
    let runs = |code: &str| {
        let output = Command::new("Rscript").args(["-e", code]).output();
        output.is_ok_and(|output| output.status.success())
    };
    if !runs("1") {
        eprintln!("SKIPPED: there is no Rscript for the snippet in docs/results.md");
        return;
    }
    let home = run("csv,jsonl,npz");
    let out = home.path().join("out");
    let results = std::fs::read_to_string(out.join("results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    let cells = results["cells"].as_array().unwrap().iter();
    let rows = cells.flat_map(|cell| cell["power"].as_array().unwrap());
    let estimates: Vec<String> = rows.map(|row| row["estimate"].to_string()).collect();
    let check = CHECK_IN_R.replace("ESTIMATES", &estimates.join(", "));
    // Parquet and JSON lines need packages that few have.
    for (package, instead) in [
        ("arrow", "arrow::read_parquet(\"power.parquet\")"),
        ("utils", "read.csv(\"power.csv\")"),
        ("jsonlite", "jsonlite::stream_in(file(\"power.jsonl\"))"),
    ] {
        if !runs(&format!("stopifnot(requireNamespace(\"{package}\"))")) {
            eprintln!("SKIPPED: R has no package {package}");
            continue;
        }
        assert!(code.contains(instead), "{instead}");
        let other = code.replacen("arrow::read_parquet(\"power.parquet\")", instead, 1);
        let run = |text: String| {
            let command = Command::new("Rscript")
                .current_dir(&out)
                .args(["-e", &text])
                .output();
            command.unwrap()
        };
        let output = run(format!("{other}{check}"));
        assert!(output.status.success(), "{package}: {output:?}");
        // The control: a number that is off by little is noticed.
        let spoilt = "power$estimate[1] <- power$estimate[1] + 1e-12\n";
        assert!(!run(format!("{other}{spoilt}{check}")).status.success());
    }
}

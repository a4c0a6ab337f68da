//! The binary as a user and a script meet it: what it prints, what it leaves behind, how it ends.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Enough goals for several blocks of a small MDP, the last one short.
const SEVERAL_BLOCKS: &str = "40000";

#[test]
fn what_it_prints() {
    trycmd::TestCases::new().case("tests/cmd/*.trycmd");
}

/// A directory with an experiment on a ring of five states.
fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let text = "schema = 1\n[mdp]\nfamily = \"ring\"\nstates = 5\n[solve]\ndiscount = [0.5, 0.9]\nbackend = \"reference\"\n";
    fs::write(home.path().join("ring.toml"), text).unwrap();
    home
}

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
    command
        .current_dir(home)
        .args(arguments)
        .env("NO_COLOR", "1");
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    command(home, &[&["run"], arguments].concat())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    let code = output.status.code();
    code.unwrap_or_else(|| panic!("{output:?}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Names in a directory, hidden ones too.
fn names(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_fault_of_a_large_map_shows_where_it_begins_and_not_all_of_it() {
    let home = tempfile::tempdir().unwrap();
    for rows in [1, 200] {
        let map = "....\n".repeat(rows);
        let text = format!("name = \"map\"\n[grid]\nmap = \"\"\"\n{map}\"\"\"\n");
        fs::write(home.path().join("map.toml"), text).unwrap();
        let output = command(home.path(), &["inspect", "map.toml"])
            .output()
            .unwrap();
        let told = stderr(&output);
        assert!(told.contains("the map has no start"), "{told}");
        assert!(told.contains("map = \"\"\""), "where it begins: {told}");
        assert!(told.lines().count() < 15, "{rows} rows: {told}");
    }
}

#[test]
fn a_run_leaves_everything_behind_and_its_document_is_on_stdout() {
    let home = home();
    let output = run(
        home.path(),
        &[
            "ring.toml",
            "--samples",
            "500",
            "--format",
            "json",
            "--out",
            "out",
        ],
    );
    assert_eq!(code(&output), 0, "{output:?}");
    let out = home.path().join("out");
    assert_eq!(
        names(&out),
        [
            "checkpoint",
            "inputs",
            "manifest.json",
            "power.parquet",
            "power.svg",
            "results.json",
            "results.txt"
        ]
    );
    assert_eq!(fs::read(out.join("results.json")).unwrap(), output.stdout);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["samples"], 500);
    assert_eq!(document["cells"].as_array().unwrap().len(), 2);
    let manifest = fs::read(out.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["experiment"]["count"]["origin"], "flag");
    assert_eq!(
        manifest["cells"][0]["plan_hash"].as_str().unwrap().len(),
        64
    );
}

#[test]
fn any_number_of_threads_and_any_repetition_give_the_same_files() {
    for backend in ["cpu", "reference"] {
        let home = home();
        let files = |arguments: &[&str]| {
            let fixed = [
                "ring.toml",
                "--backend",
                backend,
                "--samples",
                SEVERAL_BLOCKS,
                "--quiet",
                "--out",
                "out",
            ];
            let output = run(home.path(), &[&fixed, arguments].concat());
            assert_eq!(code(&output), 0, "{output:?}");
            assert!(output.stderr.is_empty(), "--quiet");
            let out = home.path().join("out");
            let read = |f| fs::read(out.join(f)).unwrap();
            let files = ["results.json", "results.txt", "power.parquet", "power.svg"].map(read);
            // Nothing is there to go on from.
            fs::remove_dir_all(out).unwrap();
            files
        };
        let one = files(&["--threads", "1"]);
        assert!(one == files(&["--threads", "7"]), "{backend}");
        assert!(one == files(&["--threads", "7"]), "{backend}");
        let other = files(&["--seed", "1"]);
        assert!(
            (0..3).all(|i| one[i] != other[i]),
            "another seed is seen in every file"
        );
    }
}

#[test]
fn goals_that_miss_the_tolerance_are_counted_listed_and_exit_code_1() {
    let home = home();
    let text = "schema = 1\n[mdp]\nfamily = \"garnet\"\nstates = 40\nchoices = 3\nbranching = 3\n\
                [solve]\ndiscount = 0.99\nmax_sweeps = 4\n[sample]\ncount = 1000\n";
    fs::write(home.path().join("short.toml"), text).unwrap();
    let output = run(
        home.path(),
        &["short.toml", "--format", "json", "--out", "out"],
    );
    assert_eq!(code(&output), 1, "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let missed = document["cells"][0]["unconverged"].as_u64().unwrap();
    assert!(missed > 0);
    let warning = stderr(&output);
    // Wrapped lines are joined.
    let warning = warning.replace("\n  │ ", " ");
    assert!(
        warning.contains("goals missed the tolerance within 4 sweeps: goal 0, 1, 2,"),
        "{warning}"
    );
    assert!(warning.contains("raise `max_sweeps`"), "{warning}");
    assert_eq!(
        document["cells"][0]["power"][0]["n"], 1_000,
        "they are not dropped"
    );
    let enough = fs::read_to_string(home.path().join("short.toml"))
        .unwrap()
        .replace("max_sweeps = 4\n", "");
    fs::write(home.path().join("short.toml"), enough).unwrap();
    assert_eq!(code(&run(home.path(), &["short.toml"])), 0, "the control");
}

#[test]
fn a_run_can_be_run_again_from_its_own_copies() {
    let home = home();
    let first = run(
        home.path(),
        &[
            "ring.toml",
            "--samples",
            "500",
            "--seed",
            "3",
            "--format",
            "json",
        ],
    );
    assert_eq!(code(&first), 0, "{first:?}");
    let runs = home.path().join("powersweep-runs");
    let name = names(&runs).pop().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(runs.join(&name), elsewhere.path().join("moved")).unwrap();
    let again = run(
        elsewhere.path(),
        &["moved/inputs/experiment.toml", "--format", "json"],
    );
    assert_eq!(first.stdout, again.stdout);
    assert_eq!(names(&elsewhere.path().join("powersweep-runs")), [name]);
}

#[test]
fn bad_input_is_exit_code_2_and_nothing_is_written() {
    let home = home();
    fs::write(home.path().join("bad.toml"), "schema = 1\nnonsense = 1\n").unwrap();
    let before = names(home.path());
    let cases: &[&[&str]] = &[
        &["bad.toml"],
        &["missing.toml"],
        &["ring.toml", "--discount", "1"],
        &["ring.toml", "--samples", "0"],
        &["ring.toml", "--tolerance", "-1"],
        &["ring.toml", "--backend", "cuda"],
        &["ring.toml", "--no-such-flag"],
        &[],
    ];
    for case in cases {
        let output = run(home.path(), case);
        assert_eq!(code(&output), 2, "{case:?}: {output:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{case:?}"
        );
        assert_eq!(names(home.path()), before, "{case:?}");
    }
}

#[test]
fn every_flag_is_understood_and_shown_with_its_origin() {
    let home = home();
    let flags = [
        ("--samples", "1_000", "count = 1000 "),
        ("--seed", "5", "seed = 5 "),
        ("--discount", "0.25", "discount = [0.25] "),
        ("--tolerance", "1e-3", "tolerance = 0.001 "),
        ("--level", "0.9", "level = 0.9 "),
        ("--method", "jacobi", "method = \"jacobi\" "),
        ("--method", "auto", "method = \"auto\" "),
        ("--backend", "cpu", "backend = \"cpu\" "),
    ];
    for (flag, value, line) in flags {
        let output = run(home.path(), &["ring.toml", "--print-config", flag, value]);
        assert_eq!(code(&output), 0, "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let shown = text.lines().find(|l| l.starts_with(line));
        let shown = shown.unwrap_or_else(|| panic!("{flag}: {text}"));
        assert!(shown.ends_with("# flag"), "{shown}");
        let short = run(home.path(), &["ring.toml", "--samples", "100", flag, value]);
        assert!(flag == "--samples" || code(&short) == 0, "{short:?}");
    }
    assert_eq!(names(home.path()), ["powersweep-runs", "ring.toml"]);
}

#[test]
fn another_experiment_does_not_overwrite_results() {
    let home = home();
    assert_eq!(
        code(&run(
            home.path(),
            &["ring.toml", "--samples", "500", "--out", "out"]
        )),
        0
    );
    let kept = fs::read(home.path().join("out/results.json")).unwrap();
    let output = run(
        home.path(),
        &[
            "ring.toml",
            "--samples",
            "500",
            "--out",
            "out",
            "--seed",
            "1",
        ],
    );
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("`seed` is 0 there and 1 here"),
        "{}",
        stderr(&output)
    );
    assert_eq!(
        fs::read(home.path().join("out/results.json")).unwrap(),
        kept
    );
    let longer = run(
        home.path(),
        &["ring.toml", "--samples", "600", "--out", "out"],
    );
    assert_eq!(
        code(&longer),
        0,
        "more goals of the same experiment are welcome"
    );
}

#[test]
fn a_device_that_is_not_there_is_exit_code_3() {
    let home = home();
    let output = run(
        home.path(),
        &["ring.toml", "--backend", "gpu", "--adapter", "nobody's"],
    );
    assert_eq!(code(&output), 3, "{output:?}");
    assert_eq!(names(home.path()), ["ring.toml"]);
}

#[test]
fn a_place_that_cannot_be_written_is_exit_code_4() {
    let home = home();
    let output = run(
        home.path(),
        &["ring.toml", "--samples", "500", "--out", "ring.toml/out"],
    );
    assert_eq!(code(&output), 4, "{output:?}");
    assert_eq!(names(home.path()), ["ring.toml"]);
}

#[test]
fn a_directory_in_use_is_exit_code_4() {
    let home = home();
    let lock = File::create(home.path().join(".out.lock")).unwrap();
    lock.lock().unwrap();
    let arguments = ["ring.toml", "--samples", "500", "--out", "out"];
    let output = run(home.path(), &arguments);
    assert_eq!(code(&output), 4, "{output:?}");
    assert!(
        stderr(&output).contains("in use by another run"),
        "{}",
        stderr(&output)
    );
    drop(lock);
    assert_eq!(code(&run(home.path(), &arguments)), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_exit_code_4() {
    let home = home();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = command(home.path(), &["run", "ring.toml", "--samples", "500"]);
    let status = command.stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(4));
}

/// Runs a command and returns its exit code, what it printed and what it complained about.
fn answer(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = command(home, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn an_mdp_goes_through_every_format_and_back() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let recipe = [
        "generate",
        "garnet",
        "states=20",
        "choices=3",
        "branching=2",
        "--seed",
        "7",
        "--out",
        "g.json",
    ];
    let (code, printed, note) = answer(home.path(), &recipe);
    assert_eq!(
        (code, printed.as_str(), note.as_str()),
        (
            0,
            "",
            "g.json: garnet-7: 20 states, 60 choices, 120 successors\n"
        )
    );
    for (from, to) in [
        ("g.json", "g.npz"),
        ("g.npz", "g.tra"),
        ("g.tra", "g.gv"),
        ("g.gv", "back.json"),
    ] {
        let (code, _, errors) = answer(home.path(), &["convert", from, to]);
        assert_eq!(code, 0, "{from} {to}: {errors}");
    }
    let json = |name: &str| {
        serde_json::from_str::<serde_json::Value>(&fs::read_to_string(at(name)).unwrap()).unwrap()
    };
    let (first, back) = (json("g.json"), json("back.json"));
    for key in ["states", "start", "transitions"] {
        assert_eq!(first[key], back[key], "{key}");
    }
    assert_ne!(first["states"], first["transitions"]);
    assert!(at("g.sta").exists() && at("g.lab").exists());
    // Without --out the tree is printed, the same one.
    let (_, printed, _) = answer(home.path(), &recipe[..7]);
    assert_eq!(printed, fs::read_to_string(at("g.json")).unwrap());
}

#[test]
fn nothing_is_written_where_something_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    fs::write(
        home.path().join("bad.json"),
        "{\"states\": [\"a\"], \"transitions\": {}}",
    )
    .unwrap();
    fs::write(
        home.path().join("good.json"),
        "{\"states\": [\"a\"], \"transitions\": {\"a\": [{\"action\": \"stay\", \"to\": \"a\"}]}}",
    )
    .unwrap();
    fs::write(home.path().join("there.tra"), "mine").unwrap();
    let cases: [&[&str]; 11] = [
        &["convert", "bad.json", "x.npz"],
        &["convert", "none.json", "x.npz"],
        &["convert", "good.json", "x.xyz"],
        &["convert", "good.json", "x.toml"],
        &["convert", "good.json", "there.tra"],
        &["convert", "good.json", "x.npz", "--layout", "asa"],
        &["generate", "garnett", "states=5"],
        &["generate", "garnet", "states=0", "choices=2", "colour=red"],
        &["generate", "garnet", "states"],
        &["generate", "garnet", "a b=3"],
        &[
            "generate",
            "gridworld",
            "rows=2",
            "columns=2",
            "blocked=never",
            "--out",
            "x.npz",
        ],
    ];
    let answers = cases.map(|arguments| {
        let (code, printed, errors) = answer(home.path(), arguments);
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}");
        format!("$ powersweep {}\n{errors}", arguments.join(" "))
    });
    insta::assert_snapshot!(answers.join("\n"));
    let mut left: Vec<String> = fs::read_dir(home.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["bad.json", "good.json", "there.tra"]);
    let (code, ..) = answer(
        home.path(),
        &["convert", "good.json", "there.tra", "--force"],
    );
    assert_eq!(code, 0);
    assert_ne!(
        fs::read_to_string(home.path().join("there.tra")).unwrap(),
        "mine"
    );
}

#[test]
fn the_help_of_convert_and_generate_says_what_can_be_said() {
    let home = tempfile::tempdir().unwrap();
    let help = ["convert", "generate"].map(|name| answer(home.path(), &[name, "--help"]).1);
    insta::assert_snapshot!(help.join("\n"));
    for family in powersweep::mdp::families::FAMILY_NAMES {
        assert!(help[1].contains(family), "{family}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_told() {
    let home = tempfile::tempdir().unwrap();
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/datasets/off-switch-corridor.toml"
    );
    let (code, _, errors) = answer(home.path(), &["convert", source, "corridor.gv"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(errors);
    // JSON holds all but the grid.
    let (_, _, errors) = answer(home.path(), &["convert", source, "corridor.json"]);
    assert_eq!(errors.matches("loses").count(), 1, "{errors}");
}

#[test]
fn limits_are_asked_for_like_discounts() {
    let home = home();
    let limits = ["--discount", "->1", "--discount", "0.5"];
    let rest = ["--samples", "200", "--out", "out", "--format", "json"];
    let output = run(home.path(), &[&["ring.toml"], &limits[..], &rest].concat());
    assert_eq!(code(&output), 0, "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let cells = &document["cells"];
    assert_eq!(cells[0]["discount"], "->1");
    assert_eq!(cells[0]["discount_used"], serde_json::Value::Null);
    assert_eq!(cells[1]["discount"], 0.5);
    let read = |name: &str| fs::read_to_string(home.path().join("out").join(name)).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
    let solver = manifest["cells"][0]["solver"].as_str().unwrap();
    assert!(solver.contains("->1"), "{solver}");
    assert_eq!(manifest["cells"][1]["solver"], serde_json::Value::Null);
    assert!(read("results.txt").contains("discount ->1"));
    assert!(read("power.svg").contains("discount -&gt;1"));
    let replay = |discount| {
        let arguments = ["replay", "out", "--goal", "3", "--discount", discount];
        let output = command(home.path(), &arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let text = replay("->1");
    assert!(
        text.contains("discount ->1") && text.contains("gain"),
        "{text}"
    );
    assert!(
        !text.contains("V*") && replay("0.5").contains("V*"),
        "{text}"
    );
    let plan = command(home.path(), &["plan", "ring.toml", "--discount", "->0"]);
    let plan = { plan }.output().unwrap();
    assert!(
        String::from_utf8(plan.stdout)
            .unwrap()
            .contains("the limit ->0")
    );
    let refused = run(home.path(), &["ring.toml", "--discount", "->2"]);
    assert_eq!(code(&refused), 2);
    assert!(stderr(&refused).contains("->0"), "{}", stderr(&refused));
}

//! Runs that are stopped and go on: the same bytes as if nothing had come between.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Two environments of other block sizes, two discounts, statistics beyond POWER: 8 blocks and 5 goals, and 5 blocks and 5 goals.
const EXPERIMENT: &str = "\
schema = 1
[mdp]
paths = [\"ring.json\", \"garnet.json\"]
[solve]
discount = [0.5, 0.9]
tolerance = 1e-3
backend = \"cpu\"
[sample]
count = 65541
[statistics]
optimality = [\"s0\"]
";

/// A directory with the experiment and what undisturbed runs of it leave, from all goals and from some.
struct Home {
    directory: TempDir,
}

/// Goals of a run that is extended later; the last block is cut short.
const FEW: &str = "20_000";

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Self { directory };
        for (family, parameters) in [("ring", "states=5"), ("garnet", "states=300")] {
            let file = format!("{family}.json");
            let mut recipe = vec!["generate", family, parameters, "--out", &file];
            if family == "garnet" {
                recipe.extend(["choices=2", "branching=2", "--seed", "7"]);
            }
            let made = home.command(&recipe).output().unwrap();
            assert!(made.status.success(), "{made:?}");
        }
        fs::write(home.at("experiment.toml"), EXPERIMENT).unwrap();
        home
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
        command.current_dir(self.directory.path()).args(arguments);
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// A run into `out` with further arguments.
    fn run(&self, out: &str, arguments: &[&str]) -> Output {
        let fixed = ["run", "experiment.toml", "--out", out];
        self.command(&[&fixed, arguments].concat())
            .output()
            .unwrap()
    }

    /// The same, which must succeed; its complaints.
    fn finish(&self, out: &str, arguments: &[&str]) -> String {
        let output = self.run(out, arguments);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stderr)
            .unwrap()
            .replace("\n  │ ", " ")
    }

    /// Starts a run and sends a signal once it has written a checkpoint.
    fn interrupt(&self, out: &str, arguments: &[&str], signal: &str) -> Output {
        let fixed = [
            "run",
            "experiment.toml",
            "--out",
            out,
            "--checkpoint-every",
            "0",
        ];
        let mut command = self.command(&[&fixed, arguments].concat());
        let before = modified(&self.at(out).join("checkpoint"));
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let patience = Instant::now();
        while modified(&self.at(out).join("checkpoint")) == before {
            assert!(
                patience.elapsed() < Duration::from_secs(60),
                "no checkpoint"
            );
            std::thread::sleep(Duration::from_millis(2));
        }
        send(signal, child.id());
        child.wait_with_output().unwrap()
    }
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(path).and_then(|m| m.modified()).ok()
}

fn send(signal: &str, process: u32) {
    let id = process.to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success(), "kill {signal} {id}");
}

impl Home {
    /// Solves all shards of a run, below `name`, and returns their directories.
    fn shards(&self, name: &str, of: u64, arguments: &[&str]) -> Vec<String> {
        let solve = |number: u64| {
            let (out, shard) = (format!("{name}/{number}"), format!("{number}/{of}"));
            self.finish(&out, &[&["--shard", &shard, "--quiet"], arguments].concat());
            out
        };
        (1..=of).map(solve).collect()
    }

    fn merge(&self, out: &str, shards: &[String], arguments: &[&str]) -> (i32, String) {
        let shards = shards.iter().map(String::as_str);
        let words: Vec<&str> = ["merge", out].into_iter().chain(shards).collect();
        let output = self
            .command(&[&words, arguments].concat())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let code = output.status.code();
        (
            code.unwrap_or_else(|| panic!("{output:?}")),
            said.replace("\n  │ ", " "),
        )
    }
}

/// The files that must be the same bytes.
fn results(out: &Path) -> Vec<Vec<u8>> {
    let files = [
        "results.json",
        "power.parquet",
        "optimality.parquet",
        "results.txt",
    ];
    files.map(|name| fs::read(out.join(name)).unwrap()).into()
}

fn json(path: PathBuf) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
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

#[cfg(unix)]
#[test]
fn an_interrupted_run_keeps_what_it_has_and_goes_on_from_there() {
    let home = Home::new();
    home.finish("whole", &[]);
    for (signal, expected) in [("-INT", 130), ("-TERM", 143)] {
        // Hours of work, so that the signal comes first.
        let output = home.interrupt("out", &["--samples", "1e12"], signal);
        assert_eq!(output.status.code(), Some(expected), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("interrupted after"), "{said}");
        let manifest = json(home.at("out/manifest.json"));
        assert_eq!(manifest["finished"], false);
        let unfinished = &json(home.at("out/results.json"))["unfinished"];
        let solved = unfinished["goals_done"].as_u64().unwrap();
        assert!(solved > 0 && unfinished["goals_total"] == 4_000_000_000_000_u64);
        assert_eq!(unfinished["cells_missing"], 2, "the second environment");
        let names = names(home.directory.path());
        let left = names.iter().any(|name| name.starts_with('.'));
        assert!(!left, "{names:?}");
        fs::remove_dir_all(home.at("out")).unwrap();
    }
    // Stopped three times, then left alone.
    let mut stopped = 0;
    for _ in 0..3 {
        let output = home.interrupt("out", &[], "-TERM");
        stopped += u32::from(output.status.code() == Some(143));
    }
    home.finish("out", &[]);
    assert!(stopped > 0, "no signal came in time");
    assert!(results(&home.at("out")) == results(&home.at("whole")));
}

#[test]
fn a_finished_run_is_extended_and_solves_nothing_twice() {
    let home = Home::new();
    home.finish("few", &["--samples", FEW]);
    home.finish("whole", &[]);
    assert!(results(&home.at("few")) != results(&home.at("whole")));
    let few = fs::read(home.at("few/checkpoint")).unwrap();
    home.finish("few", &[]);
    assert!(results(&home.at("few")) == results(&home.at("whole")));
    let solved = &json(home.at("few/manifest.json"))["timings"]["goals_solved"];
    // A block of the ring is 16,384 goals, of the garnet 13,952: of 20,000 goals the first block is whole, and stays.
    let kept = 2 * (16_384 + 13_952);
    assert_eq!(solved.as_u64(), Some(4 * 65_541 - kept));
    let said = home.finish("few", &["--write", "csv"]);
    assert!(said.contains("all of them were done before"), "{said}");
    assert!(results(&home.at("few")) == results(&home.at("whole")));
    assert!(home.at("few/power.csv").exists());
    // Fewer goals are refused, and the checkpoint of fewer goals in the place of another one's is not lost on anybody.
    assert_eq!(home.run("few", &["--samples", FEW]).status.code(), Some(2));
    assert!(few != fs::read(home.at("few/checkpoint")).unwrap());
}

#[test]
fn another_experiment_mdp_or_version_does_not_go_on_and_says_what_differs() {
    let home = Home::new();
    home.finish("out", &["--samples", FEW]);
    let kept = results(&home.at("out"));
    let refused = |arguments: &[&str], expected: &str| {
        let output = home.run("out", arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr)
            .unwrap()
            .replace("\n  │ ", " ");
        assert!(said.contains(expected), "{said}");
        assert!(results(&home.at("out")) == kept);
    };
    refused(&["--seed", "1"], "`seed` is 0 there and 1 here");
    refused(
        &["--discount", "0.5"],
        "`discounts` is [0.5,0.9] there and [0.5] here",
    );
    let ring = fs::read_to_string(home.at("ring.json")).unwrap();
    fs::remove_file(home.at("ring.json")).unwrap();
    let made = home
        .command(&["generate", "ring", "states=6", "--out", "ring.json"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    refused(&[], "`environments[0].hash` is");
    fs::write(home.at("ring.json"), ring).unwrap();
    // A checkpoint that is whole, of another run than the manifest says.
    home.finish("other", &["--samples", FEW, "--seed", "1"]);
    fs::copy(home.at("other/checkpoint"), home.at("out/checkpoint")).unwrap();
    refused(&[], "`seed` is 1 there and 0 here");
    home.finish("out", &["--restart"]);
    home.finish("whole", &[]);
    assert!(results(&home.at("out")) == results(&home.at("whole")));
}

#[test]
fn a_damaged_checkpoint_is_named_set_aside_and_not_used() {
    let home = Home::new();
    home.finish("out", &["--samples", FEW]);
    home.finish("whole", &[]);
    let whole = fs::read(home.at("out/checkpoint")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 16;
    for (bytes, check) in [
        (&whole[..whole.len() / 2], "it ends in section"),
        (&flipped[..], "the checksum of section"),
        (b"", "it ends too early"),
    ] {
        fs::write(home.at("out/checkpoint"), bytes).unwrap();
        let said = home.finish("out", &[]);
        assert!(
            said.contains("it is damaged") && said.contains(check),
            "{said}"
        );
        assert!(said.contains("renamed to checkpoint.damaged"), "{said}");
        assert!(results(&home.at("out")) == results(&home.at("whole")));
    }
}

#[test]
fn any_number_of_shards_in_any_order_merges_into_the_bytes_of_one_run() {
    let home = Home::new();
    home.finish("whole", &[]);
    // The environments have 5 blocks each: most of 64 shards are empty.
    for of in [1, 2, 7, 64] {
        let mut shards = home.shards(&format!("in-{of}"), of, &[]);
        let turned = of as usize / 3;
        shards.rotate_left(turned);
        shards.reverse();
        let out = format!("merged-{of}");
        let (code, said) = home.merge(&out, &shards, &[]);
        assert_eq!(code, 0, "{said}");
        assert!(
            results(&home.at(&out)) == results(&home.at("whole")),
            "{of} shards"
        );
    }
    // What was merged is a run like any other: more goals extend it.
    home.finish("merged-7", &["--samples", "70_000"]);
    home.finish("whole", &["--samples", "70_000"]);
    assert!(results(&home.at("merged-7")) == results(&home.at("whole")));
    assert!(results(&home.at("merged-7")) != results(&home.at("merged-2")));
}

#[test]
fn missing_overlapping_foreign_and_damaged_shards_are_named_and_nothing_is_written() {
    let home = Home::new();
    let few = ["--samples", FEW];
    let shards = home.shards("in-3", 3, &few);
    let others = home.shards("in-2", 2, &few);
    let seeds = home.shards("seed", 3, &["--samples", FEW, "--seed", "1"]);
    home.finish("whole", &few);
    let refused = |shards: &[&String], expected: &[&str]| {
        let shards: Vec<String> = shards.iter().map(|s| (*s).clone()).collect();
        let (code, said) = home.merge("out", &shards, &[]);
        assert_eq!(code, 2, "{said}");
        let named = expected.iter().all(|words| said.contains(words));
        assert!(named, "{expected:?}: {said}");
        assert!(!home.at("out").exists());
    };
    let [a, b, c] = &shards[..] else {
        panic!("three shards")
    };
    refused(&[a, c], &["shards missing: 2/3"]);
    refused(
        &[a, b, a, c],
        &["shard 1/3 is there twice: in-3/1 and in-3/1"],
    );
    refused(
        &[a, b, &seeds[2]],
        &[
            "seed/3 is of another run than in-3/1",
            "`seed` is 1 there and 0 here",
        ],
    );
    refused(
        &[a, &others[1]],
        &["in-2/2 is of another run", "`shards` is 2 there and 3 here"],
    );
    refused(
        &[a, &"whole".to_owned()],
        &["whole is no shard of a run, but a whole one"],
    );
    refused(
        &[a, &"nothing".to_owned()],
        &["nothing is no shard: it holds no checkpoint"],
    );
    let bytes = fs::read(home.at("in-3/2/checkpoint")).unwrap();
    fs::write(home.at("in-3/2/checkpoint"), &bytes[..bytes.len() - 1]).unwrap();
    refused(
        &[a, b, c],
        &["the checkpoint in in-3/2 cannot be used: it is damaged"],
    );
    fs::write(home.at("in-3/2/checkpoint"), bytes).unwrap();

    // What there is, merged; then what is missing, solved there.
    let (code, said) = home.merge("out", &[a.clone(), c.clone()], &["--partial"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("shards missing: 2/3"), "{said}");
    assert!(json(home.at("out/results.json"))["unfinished"].is_object());
    home.finish("out", &few);
    assert!(results(&home.at("out")) == results(&home.at("whole")));
    // A whole run alone is read as it stands.
    let (code, said) = home.merge("read", &["whole".to_owned()], &[]);
    assert_eq!(code, 0, "{said}");
    assert!(results(&home.at("read")) == results(&home.at("whole")));
    let (code, said) = home.merge("out", &[a.clone(), c.clone()], &["--partial"]);
    assert_eq!(
        code, 2,
        "a whole run is not replaced by a part of it: {said}"
    );
}

#[test]
fn a_shard_goes_on_where_it_was_stopped_and_takes_its_place_from_a_job_array() {
    let home = Home::new();
    home.finish("whole", &[]);
    let stopped = home.interrupt("in/1", &["--shard", "1/2"], "-TERM");
    assert!(
        matches!(stopped.status.code(), Some(143 | 0)),
        "{stopped:?}"
    );
    if stopped.status.code() == Some(143) {
        let (code, said) = home.merge("out", &["in/1".to_owned()], &[]);
        assert_eq!(code, 2);
        assert!(
            said.contains("not done: 1/2 in in/1") && said.contains("missing: 2/2"),
            "{said}"
        );
    }
    for (task, out) in [("5", "in/1"), ("6", "in/2")] {
        let mut command =
            home.command(&["run", "experiment.toml", "--shard", "auto", "--out", out]);
        for (name, value) in [("ID", task), ("COUNT", "2"), ("MIN", "5"), ("MAX", "6")] {
            command.env(format!("SLURM_ARRAY_TASK_{name}"), value);
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let (code, said) = home.merge("out", &["in/2".to_owned(), "in/1".to_owned()], &[]);
    assert_eq!(code, 0, "{said}");
    assert!(results(&home.at("out")) == results(&home.at("whole")));
    let output = home.run("in/2", &["--shard", "1/2"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("it is shard 2/2 there and shard 1/2 here"),
        "{said}"
    );
    let outside = home.run("in/3", &["--shard", "auto"]);
    assert_eq!(outside.status.code(), Some(2));
}

/// A run that stops by itself, instead of the one of a number of goals.
fn stops(home: &Home, until: &str) {
    let text = EXPERIMENT.replace("count = 65541", until);
    assert_ne!(text, EXPERIMENT);
    fs::write(home.at("experiment.toml"), text).unwrap();
}

/// Goals of the first look: a block of the larger environment.
const FIRST_LOOK: u64 = 13_952;

#[test]
fn a_run_that_stops_by_itself_has_the_same_bytes_however_often_it_was_stopped() {
    let home = Home::new();
    stops(&home, "until = { half_width = 0.003, max = 1e6 }");
    home.finish("whole", &["--threads", "1"]);
    let whole = json(home.at("whole/results.json"));
    let until = &whole["until"];
    let (goals, look) = (
        until["goals"].as_u64().unwrap(),
        until["look"].as_u64().unwrap(),
    );
    assert!(look > 1 && goals == FIRST_LOOK << (look - 1), "{until}");
    assert_eq!(
        (&until["reason"], &until["intervals"]),
        (&"half_width".into(), &"sequence".into())
    );
    assert!(until["widest"].as_f64().unwrap() <= 0.003);
    assert_eq!(json(home.at("whole/manifest.json"))["stopped"], *until);
    let report = fs::read_to_string(home.at("whole/results.txt")).unwrap();
    assert!(report.contains("confidence sequence"), "{report}");

    // It is the run of that many goals, with wider intervals; of half as many it would not have known enough.
    let estimates = |run: &serde_json::Value| -> Vec<(f64, f64, f64)> {
        let cells = run["cells"].as_array().unwrap().iter();
        let states = cells.flat_map(|cell| cell["power"].as_array().unwrap());
        let number = |state: &serde_json::Value, key: &str| state[key].as_f64().unwrap();
        states
            .map(|s| {
                (
                    number(s, "estimate"),
                    number(s, "std_error"),
                    number(s, "ci_high"),
                )
            })
            .collect()
    };
    home.finish("fixed", &["--samples", &goals.to_string()]);
    home.finish("half", &["--samples", &(goals / 2).to_string()]);
    let fixed = json(home.at("fixed/results.json"));
    assert!(fixed.get("until").is_none());
    for (own, other) in estimates(&whole).into_iter().zip(estimates(&fixed)) {
        assert_eq!((own.0, own.1), (other.0, other.1));
        assert!(own.2 > other.2);
    }
    let half = estimates(&json(home.at("half/results.json")));
    // Of the errors 0.05/2, 0.05/6, 0.05/12 and 0.05/20, half on each side, by a table of the normal law.
    let errors = [2.241_40, 2.638_26, 2.865_26, 3.023_34][look as usize - 2];
    let widest = half.iter().map(|e| errors * e.1).fold(0.0, f64::max);
    assert!(widest > 0.003, "{widest}");

    for signal in ["-TERM", "-KILL", "-KILL"] {
        home.interrupt("out", &[], signal);
    }
    home.finish("out", &[]);
    assert!(results(&home.at("out")) == results(&home.at("whole")));
    assert!(
        home.finish("out", &[])
            .contains("all of them were done before")
    );
    assert!(results(&home.at("out")) == results(&home.at("whole")));
    home.finish("out", &["--samples", "130_000"]);
    home.finish("more", &["--samples", "130_000"]);
    assert!(results(&home.at("out")) == results(&home.at("more")));
    // The control: another width stops elsewhere.
    stops(&home, "until = { half_width = 0.1, max = 1e6 }");
    home.finish("wide", &[]);
    assert_eq!(json(home.at("wide/results.json"))["until"]["look"], 1);
}

#[test]
fn a_run_under_a_condition_stops_by_the_goals_that_belong() {
    let home = Home::new();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/claims/training.json");
    let text = format!(
        "schema = 1\n[mdp]\npath = {path:?}\n[solve]\ndiscount = 0.75\nbackend = \"cpu\"\n\
         [condition]\noptimal = [{{ state = \"training\", action = \"fetch\" }}]\n[sample]\n"
    );
    let stops = |until: &str| {
        fs::write(home.at("experiment.toml"), format!("{text}{until}\n")).unwrap();
    };
    let results = |out: &str| json(home.at(out).join("results.json"));
    // One goal in three belongs, and the widest deviation is that of a uniform number, or less: at look k some 16,384 2^(k - 1) / 3 of them give 2.2 to 3.1 times
    // 0.29 / sqrt(n), which is below 0.006 from the fourth to the sixth look on.
    stops("until = { half_width = 0.006 }");
    home.finish("out", &[]);
    let found = results("out");
    let until = &found["until"];
    assert_eq!(until["reason"], "half_width");
    let look = until["look"].as_u64().unwrap();
    assert!((2..=6).contains(&look), "{until}");
    let power = found["cells"][0]["power"].as_array().unwrap();
    let belong = power[0]["n"].as_u64().unwrap();
    let goals = until["goals"].as_u64().unwrap();
    assert!((belong as f64 / goals as f64 - 1.0 / 3.0).abs() < 0.01);
    let half = |state: &serde_json::Value| {
        (state["ci_high"].as_f64().unwrap() - state["ci_low"].as_f64().unwrap()) / 2.0
    };
    let widest = power.iter().map(half).fold(0.0, f64::max);
    assert!((widest - until["widest"].as_f64().unwrap()).abs() < 1e-12 && widest <= 0.006);
    // Its numbers are those of a run of that many goals.
    home.finish("fixed", &["--samples", &goals.to_string()]);
    let fixed = results("fixed");
    for (a, b) in power
        .iter()
        .zip(fixed["cells"][0]["power"].as_array().unwrap())
    {
        assert_eq!((&a["n"], &a["estimate"]), (&b["n"], &b["estimate"]));
        assert!(half(a) > half(b));
    }
    // Any interval is narrower than that, on few goals too, and few stop nothing: one goal in three is enough at the first look, one in ten at the third.
    stops("until = { half_width = 0.9 }");
    home.finish("third", &[]);
    assert_eq!(results("third")["until"]["look"], 1);
    let tenth = "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 10\n[solve]\ndiscount = 0.75\nbackend = \"cpu\"\n[condition]\n\
         optimal = [{ state = \"s0\", action = \"go_t3\" }]\n[sample]\nuntil = { half_width = 0.9 }\n";
    fs::write(home.at("experiment.toml"), tenth).unwrap();
    home.finish("tenth", &[]);
    let found = results("tenth");
    assert_eq!(found["until"]["goals"], 16_384 << 2, "look 3");
    let belong = &found["cells"][0]["power"][0]["n"];
    assert!(
        (4_096..8_192).contains(&belong.as_u64().unwrap()),
        "{belong}"
    );
}

#[test]
fn a_run_stops_at_its_largest_number_of_goals_and_when_its_minutes_are_over() {
    let home = Home::new();
    stops(&home, "until = { half_width = 1e-9, max = 30_000 }");
    home.finish("max", &[]);
    let until = &json(home.at("max/results.json"))["until"];
    assert_eq!(
        (&until["goals"], &until["reason"]),
        (&(2 * FIRST_LOOK).into(), &"max".into())
    );
    stops(&home, "until = { minutes = 1e-9 }");
    home.finish("minutes", &[]);
    let until = &json(home.at("minutes/results.json"))["until"];
    assert_eq!(
        (&until["goals"], &until["reason"]),
        (&FIRST_LOOK.into(), &"minutes".into())
    );
    // The minutes are over: the same command does not ask for more of them.
    let before = results(&home.at("minutes"));
    assert!(
        home.finish("minutes", &[])
            .contains("all of them were done before")
    );
    assert!(results(&home.at("minutes")) == before);
    home.finish("fixed", &["--samples", &FIRST_LOOK.to_string()]);
    let [fixed, minutes] = ["fixed", "minutes"].map(|out| json(home.at(out).join("results.json")));
    assert_eq!(fixed["cells"], minutes["cells"]);

    let refused = |words: &[&str], expected: &str| {
        let output = home.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let said = String::from_utf8(output.stderr)
            .unwrap()
            .replace("\n  │ ", " ");
        assert!(said.contains(expected), "{said}");
        assert!(!home.at("no").exists());
    };
    let run = ["run", "experiment.toml", "--out", "no"];
    let shard = [&run[..], &["--shard", "1/2"]].concat();
    refused(
        &shard,
        "a shard cannot see when all shards together know enough",
    );
    refused(
        &["plan", "experiment.toml", "--slurm"],
        "the tasks are shards of it",
    );
    stops(&home, "until = { minutes = 1, max = 13_951 }");
    refused(&run, "`max` must be at least 13952 here");
}

#[test]
fn a_packed_run_is_run_again_with_the_same_bytes() {
    let home = Home::new();
    home.finish("run", &["--samples", FEW]);
    stops(&home, "until = { minutes = 1e-9 }");
    home.finish("minutes", &[]);
    let words = |words: &[&str]| {
        let output = home.command(words).output().unwrap();
        let [said, printed] =
            [output.stderr, output.stdout].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), printed, said.replace("\n  │ ", " "))
    };
    for run in ["run", "minutes"] {
        let (code, _, said) = words(&["pack", run]);
        assert_eq!(code, Some(0), "{said}");
    }
    let pack = fs::read(home.at("run.zip")).unwrap();
    assert_eq!(words(&["pack", "run/", "--out", "again.zip"]).0, Some(0));
    assert!(fs::read(home.at("again.zip")).unwrap() == pack);
    let (code, _, said) = words(&["pack", "run"]);
    assert!(
        code == Some(2) && said.contains("run.zip is there already"),
        "{said}"
    );
    assert!(
        names(home.directory.path())
            .iter()
            .all(|name| !name.starts_with('.'))
    );

    // Nothing but the pack is needed.
    let stranger = tempfile::tempdir().unwrap();
    for run in ["run", "minutes"] {
        let to = stranger.path().join(format!("{run}.zip"));
        fs::copy(home.at(&format!("{run}.zip")), &to).unwrap();
        let (code, printed, said) = words(&["rerun", to.to_str().unwrap(), "--threads", "1"]);
        assert_eq!(code, Some(0), "{said}");
        assert!(
            printed.contains("optimality.parquet: the same bytes"),
            "{printed}"
        );
        assert!(
            printed.ends_with("Every byte of the results agrees.\n"),
            "{printed}"
        );
    }
    // Another backend has other bytes, within the bounds.
    let small = EXPERIMENT
        .replace(", \"garnet.json\"", "")
        .replace("65541", "2000");
    fs::write(home.at("experiment.toml"), small).unwrap();
    home.finish("small", &[]);
    let (code, printed, said) = words(&["rerun", "small", "--backend", "reference"]);
    assert_eq!(code, Some(0), "{said}{printed}");
    assert!(printed.contains("Every interval agrees"), "{printed}");
    // Inputs that are not those of the run, all of them at once.
    let [mdp, original] = ["mdp/ring.json", "original/experiment.toml"].map(|name| {
        let name = format!("small/inputs/{name}");
        (fs::read(home.at(&name)).unwrap(), name)
    });
    fs::write(home.at(&mdp.1), [&mdp.0[..], b"\n"].concat()).unwrap();
    fs::remove_file(home.at(&original.1)).unwrap();
    let (code, printed, said) = words(&["rerun", "small"]);
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
    for expected in [
        "inputs/mdp/ring.json has SHA-256",
        "inputs/original/experiment.toml cannot be",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    fs::write(home.at(&mdp.1), &mdp.0).unwrap();
    fs::write(home.at(&original.1), &original.0).unwrap();
    let (code, _, said) = words(&["rerun", "small", "--threads", "1"]);
    assert_eq!(code, Some(0), "{said}");
    // Results that are not those of the inputs.
    let results = home.at("run/results.json");
    let text = fs::read_to_string(&results).unwrap();
    let at = text.find("\"estimate\":0.").unwrap() + "\"estimate\":0.".len();
    let other = if &text[at..=at] == "9" { "8" } else { "9" };
    let forged = format!("{}{other}{}", &text[..at], &text[at + 1..]);
    fs::write(&results, forged).unwrap();
    let (code, printed, _) = words(&["rerun", "run"]);
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("THE RESULTS DIFFER, in 1 places"),
        "{printed}"
    );

    let refused = |bytes: &[u8], expected: &str| {
        fs::write(home.at("bad.zip"), bytes).unwrap();
        let (code, printed, said) = words(&["rerun", "bad.zip"]);
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
        assert!(said.contains(expected), "{expected}: {said}");
    };
    refused(
        b"no pack",
        "bad.zip is no pack of a run: it is no readable ZIP archive",
    );
    refused(&pack[..pack.len() / 2], "bad.zip is no pack of a run");
    refused(&zip(&[("a.txt", b"a")]), "it holds no pack.json");
    let mut flipped = pack.clone();
    flipped[pack.len() / 2] ^= 1;
    refused(&flipped, "the pack bad.zip is damaged");
    let index = |names: &[&str]| {
        let files: serde_json::Map<String, serde_json::Value> = names
            .iter()
            .map(|name| {
                (
                    (*name).to_owned(),
                    serde_json::json!({ "bytes": 1, "sha256": "00" }),
                )
            })
            .collect();
        serde_json::json!({ "format": 1, "powersweep": "0.1.0", "files": files }).to_string()
    };
    for name in ["../outside", "/outside", "a/../../outside", "c:\\outside"] {
        let bytes = zip(&[
            ("pack.json", index(&[name]).as_bytes()),
            (&format!("run/{name}"), b"x"),
        ]);
        refused(&bytes, "leads out of it");
    }
    let bytes = zip(&[("pack.json", index(&["a"]).as_bytes()), ("run/a", b"x")]);
    refused(&bytes, "the checksum of a does not match");
    let bytes = zip(&[
        ("pack.json", index(&["a", "b"]).as_bytes()),
        ("run/a", b"x"),
    ]);
    refused(&bytes, "its files are not those that it lists");
    let format = index(&[]).replace("\"format\":1", "\"format\":9");
    refused(&zip(&[("pack.json", format.as_bytes())]), "its format is 9");
    let unfinished = home.shards("shards", 2, &["--samples", FEW]);
    let (code, _, said) = words(&["pack", &unfinished[0]]);
    assert!(
        code == Some(2) && said.contains("is not finished"),
        "{said}"
    );
}

/// An archive of these files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;

    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// How often runs are killed: `POWERSWEEP_TORTURE` says otherwise.
const KILLS: u64 = 50;

#[cfg(unix)]
#[test]
fn runs_that_are_killed_and_damaged_at_random_end_in_the_same_bytes() {
    let kills = std::env::var("POWERSWEEP_TORTURE").map_or(KILLS, |n| n.parse().unwrap());
    let home = Home::new();
    let count = ["--samples", "40_000"];
    let clock = Instant::now();
    home.finish("whole", &[&count[..], &["--threads", "1"]].concat());
    let undisturbed = clock.elapsed();
    let mut random = Random(0x5eed);
    let (mut killed, mut damaged, mut survived) = (0, 0, 0);
    let mut runs = 0;
    while killed < kills {
        let out = format!("run-{runs}");
        runs += 1;
        for attempt in 0.. {
            let every = ["0", "0.01"][random.below(2) as usize];
            let threads = ["1", "2", "3"][random.below(3) as usize];
            let fixed = [
                "run",
                "experiment.toml",
                "--out",
                &out,
                "--checkpoint-every",
                every,
            ];
            let words = [&fixed[..], &count, &["--threads", threads, "--quiet"]].concat();
            let mut child = home
                .command(&words)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // After some attempts it is left alone, so that every run ends.
            let patience = undisturbed.mul_f64(random.below(1_000) as f64 / 1_000.0);
            if attempt < 6 && killed < kills {
                std::thread::sleep(patience);
                killed += u64::from(child.try_wait().unwrap().is_none());
                let _ = child.kill();
            }
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            if output.status.code() == Some(0) {
                break;
            }
            assert_eq!(output.status.code(), None, "killed, or done: {said}");
            let checkpoint = home.at(&out).join("checkpoint");
            let Ok(bytes) = fs::read(&checkpoint) else {
                continue;
            };
            survived += 1;
            if random.below(4) == 0 {
                damaged += 1;
                fs::write(&checkpoint, random.damage(bytes)).unwrap();
                // The next one must see it, whatever becomes of it then.
                let output = home.run(&out, &count);
                let said = String::from_utf8(output.stderr).unwrap();
                assert_eq!(output.status.code(), Some(0), "{said}");
                assert!(said.contains("it is damaged"), "{said}");
                break;
            }
        }
        assert!(
            results(&home.at(&out)) == results(&home.at("whole")),
            "{out}"
        );
        let left: Vec<String> = names(home.directory.path());
        assert!(!left.iter().any(|n| n.starts_with('.')), "{left:?}");
        fs::remove_dir_all(home.at(&out)).unwrap();
    }
    let tried = format!(
        "{killed} kills in {runs} runs, {survived} checkpoints found, {damaged} damaged, {:?}",
        clock.elapsed()
    );
    assert!(
        survived > kills / 4 && damaged > 0,
        "too little was tried: {tried}"
    );
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Cuts the bytes short, or flips a bit.
    fn damage(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        let at = self.below(bytes.len() as u64) as usize;
        match self.below(2) {
            0 => bytes.truncate(at),
            _ => bytes[at] ^= 1 << self.below(8),
        }
        bytes
    }
}

/// A file system of so many bytes, for root on Linux; says so where it cannot be had.
#[cfg(target_os = "linux")]
struct Small(TempDir);

#[cfg(target_os = "linux")]
impl Small {
    #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
    fn new(bytes: u64) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(place.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(place)),
            other => {
                eprintln!(
                    "SKIPPED: no small file system can be mounted (root is needed): {other:?}"
                );
                None
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_that_was_written_before() {
    let home = Home::new();
    let Some(small) = Small::new(1 << 20) else {
        return;
    };
    let out = small.0.path().join("out");
    let at = out.to_str().unwrap();
    home.finish(at, &["--samples", FEW]);
    let before = results(&out);
    // All but a few kilobytes are taken by somebody else.
    let other = small.0.path().join("others");
    let mut taken = vec![0; 1 << 20];
    while fs::write(&other, &taken).is_err() {
        taken.truncate(taken.len() - 4_096);
    }
    let output = home.run(at, &["--checkpoint-every", "0"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let said = String::from_utf8(output.stderr)
        .unwrap()
        .replace("\n  │ ", " ");
    assert!(said.contains("the run goes on and tries again"), "{said}");
    assert!(
        !output.stdout.is_empty(),
        "the results are printed at least"
    );
    assert!(results(&out) == before, "what was there is still there");
    fs::remove_file(&other).unwrap();
    home.finish(at, &[]);
    home.finish("whole", &[]);
    assert!(results(&out) == results(&home.at("whole")));
}

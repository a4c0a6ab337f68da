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

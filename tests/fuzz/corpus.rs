//! Whole files to start from, by target: those of the repository, some made by hand, and some by the program itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::targets::COIN;

/// The files of a target; what its reader needs beside them is put into the room.
pub(crate) fn of(target: &str, room: &Path) -> Vec<Vec<u8>> {
    match target {
        "mdp-json" => mdps_json(),
        "mdp-toml" => mdps_toml(),
        "mdp-npz" | "matrix-numpy" | "policy-numpy" => npz(),
        "mdp-prism" => vec![PRISM.into()],
        "mdp-drn" => files(&root("tests/data/formats"), &["drn"]),
        "mdp-gv" => files(&root("tests/data/formats"), &["gv"]),
        "matrix-csv" => files(&root("tests/data/formats"), &["csv"]),
        "goal" => vec![GOAL_JSON.into(), GOAL_TOML.into()],
        "policy-json" => vec![POLICY_JSON.into(), POLICY_LIST.into()],
        "experiment" => experiments(room),
        "checkpoint" => vec![fs::read(made(room, "run", &[]).join("checkpoint")).unwrap()],
        "shard" => shards(room),
        "pack" => packs(room),
        "results" => results(room),
        other => panic!("{other} has no corpus"),
    }
}

/// Largest file of a corpus: what is larger only takes longer.
const MAX_SEED_BYTES: usize = 16 << 10;

/// Files of a directory with one of these extensions, or all of them.
pub(crate) fn files(directory: &Path, extensions: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .filter(|path| {
            let extension = path
                .extension()
                .and_then(|e| e.to_str())
                .unwrap_or_default();
            extensions.is_empty() || extensions.contains(&extension)
        })
        .collect();
    paths.sort();
    let all = paths.iter().map(|path| fs::read(path).unwrap());
    all.filter(|bytes| extensions.is_empty() || bytes.len() <= MAX_SEED_BYTES)
        .collect()
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn mdps_json() -> Vec<Vec<u8>> {
    let mut all = files(&root("datasets"), &["json"]);
    all.extend(files(&root("tests/data/gymnasium"), &["json"]));
    all.extend([COIN, FAMILY].map(|text| text.as_bytes().to_vec()));
    all
}

fn mdps_toml() -> Vec<Vec<u8>> {
    let mut all = files(&root("datasets"), &["toml"]);
    all.extend(files(&root("datasets/drives"), &["toml"]));
    all
}

fn npz() -> Vec<Vec<u8>> {
    files(&root("tests/data/formats"), &["npz", "npy"])
}

/// The three files, one after another.
const PRISM: &str = "2 3 4\n0 0 0 0.5 flip\n0 0 1 0.5 flip\n0 1 1 1 go\n1 0 1 1 stay\n\x1e(x)\n0:(up)\n1:(down)\n\x1e0=\"init\" 1=\"end\"\n0: 0\n1: 1\n";

const FAMILY: &str =
    "{\"family\": \"garnet\", \"states\": 5, \"choices\": 2, \"branching\": 2, \"seed\": 3}";

const POLICY_JSON: &str = "{\"a\": \"go\", \"b\": {\"go\": 0.25, \"stay\": 7.5e-1}}";

const POLICY_LIST: &str = "[0, \"stay\", {\"go\": 1}]";

const GOAL_JSON: &str = "{\"rewards\": {\"a\": 0.25, \"b\": -1e3}, \"default\": 0.5}";

const GOAL_TOML: &str = "default = 0\n[rewards]\na = 0.25\nb = -1e3\n";

/// All tables and keys of the page, beside the experiments of the repository.
const EXPERIMENT: &str = "schema = 1\nname = \"n\"\nbaseline = true\n[mdp]\npath = \"coin.json\"\n[[variant]]\nname = \"v\"\ninterventions = [{ kind = \"off-switch\", p = [0.5, 1] }]\n\
    [[reward]]\ndistribution = \"uniform\"\nlow = 1\nhigh = 2\nname = \"r\"\nstates = { a = 1 }\n[[reward]]\nname = \"s\"\ndistribution = \"sparse\"\ncount = 1\n\
    [[reward]]\nname = \"t\"\ndistribution = \"piecewise-linear\"\npoints = [0, 1, 2]\nheights = [1, 2, 1]\n[[reward]]\nname = \"g\"\ndistribution = \"gaussian\"\nmean = 0\ncovariance = [[1, 0], [0, 1]]\n\
    [solve]\ndiscount = [0.5, \"->1\", \"->0\"]\ntolerance = 1e-4\nmethod = \"jacobi\"\nmax_sweeps = 9\nbackend = \"cpu\"\n[sample]\nuntil = { half_width = 0.1, of = \"events\", minutes = 1, max = 1e6 }\nseed = 4\nlevel = 0.5\n\
    [agent]\nrule = [\"optimal\", { name = \"boltzmann\", beta = 2 }]\n[statistics]\nchoices = [\"a\"]\nevents = [{ label = \"end\", within = 3, ties = \"away\" }]\noccupancy = true\ndistribution = [\"a\"]\n";

fn experiments(room: &Path) -> Vec<Vec<u8>> {
    fs::write(room.join("coin.json"), COIN).unwrap();
    let datasets = format!("{}/", root("datasets").display());
    let mut all: Vec<Vec<u8>> = files(&root("experiments/drives"), &["toml"])
        .into_iter()
        .chain(files(&root("experiments"), &["toml"]))
        .map(|bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace("../../datasets/", &datasets)
                .replace("../datasets/", &datasets)
                .into_bytes()
        })
        .collect();
    all.push(EXPERIMENT.into());
    all
}

/// Runs the program; the directory of what it made.
fn made(room: &Path, out: &str, arguments: &[&str]) -> PathBuf {
    fs::write(room.join("coin.json"), COIN).unwrap();
    let file = "schema = 1\n[mdp]\npath = \"coin.json\"\n[solve]\ndiscount = [0.5, 0.9]\nbackend = \"cpu\"\n[sample]\ncount = 300\n[statistics]\noptimality = [\"a\"]\n";
    fs::write(room.join("small.toml"), file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
    command.args([
        "run",
        "small.toml",
        "--quiet",
        "--threads",
        "1",
        "--out",
        out,
    ]);
    let status = command
        .args(arguments)
        .current_dir(room)
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
    room.join(out)
}

fn shards(room: &Path) -> Vec<Vec<u8>> {
    let each =
        ["1/2", "2/2"].map(|shard| made(room, &shard.replace('/', "-"), &["--shard", shard]));
    each.map(|path| fs::read(path.join("checkpoint")).unwrap())
        .into()
}

fn packs(room: &Path) -> Vec<Vec<u8>> {
    let run = made(room, "run", &[]);
    let pack = room.join("run.zip");
    powersweep::experiment::pack::pack(&run, &pack).unwrap();
    let bytes = fs::read(&pack).unwrap();
    vec![bytes]
}

fn results(room: &Path) -> Vec<Vec<u8>> {
    let run = made(room, "run", &[]);
    ["results.json", "manifest.json"]
        .map(|name| fs::read(run.join(name)).unwrap())
        .into()
}

//! The readers, and files to start from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use powersweep::document::SourceText;
use powersweep::experiment::checkpoint::{Checkpoint, Merged};
use powersweep::experiment::pack::unpack;
use powersweep::experiment::{Experiment, Overrides};
use powersweep::io::{
    Format, MatrixFormat, parse_drn, parse_goal, parse_graphviz, parse_matrix, parse_mdp,
    parse_npz, parse_policy, parse_prism,
};
use sha2::{Digest, Sha256};

/// A reader.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Whole files; more of them may be put into the directory.
    pub(crate) corpus: fn(&Path) -> Vec<Vec<u8>>,
    /// Puts checksums right, so that what is behind them is tried.
    pub(crate) seal: fn(Vec<u8>) -> Vec<u8>,
    /// Reads a file and lets go of what it held.
    pub(crate) read: fn(&[u8], &Path),
}

/// The readers in the order of the tests.
const ALL: &[Target] = &[
    plain("mdp-json", mdps_json, |input, _| mdp(Format::Json, input)),
    plain("mdp-toml", mdps_toml, |input, _| mdp(Format::Toml, input)),
    plain("mdp-npz", npz, |input, _| {
        drop(parse_npz("x.npz", input, None))
    }),
    plain("mdp-prism", |_| vec![PRISM.into()], |input, _| prism(input)),
    plain("mdp-drn", storm, |input, _| {
        drop(parse_drn("x.drn", &String::from_utf8_lossy(input)))
    }),
    plain("mdp-gv", graphs, |input, _| {
        drop(parse_graphviz(text("x.gv", input)))
    }),
    plain("matrix-numpy", npz, |input, _| {
        drop(parse_matrix(MatrixFormat::NumPy, "x.npz", input))
    }),
    plain("matrix-csv", csv, |input, _| {
        drop(parse_matrix(MatrixFormat::Csv, "x.csv", input))
    }),
    plain(
        "goal",
        |_| vec![GOAL_JSON.into(), GOAL_TOML.into()],
        |input, _| goal(input),
    ),
    plain("policy-numpy", npz, |input, _| {
        drop(parse_policy("x.npz", input))
    }),
    plain(
        "policy-json",
        |_| vec![POLICY_JSON.into(), POLICY_LIST.into()],
        |input, _| drop(parse_policy("x.json", input)),
    ),
    plain("experiment", experiments, experiment),
    Target {
        name: "checkpoint",
        corpus: checkpoints,
        seal,
        read: checkpoint,
    },
    Target {
        name: "shard",
        corpus: shards,
        seal,
        read: shard,
    },
    plain("pack", packs, pack),
];

const fn plain(
    name: &'static str,
    corpus: fn(&Path) -> Vec<Vec<u8>>,
    read: fn(&[u8], &Path),
) -> Target {
    Target {
        name,
        corpus,
        seal: |input| input,
        read,
    }
}

pub(crate) fn names() -> Vec<&'static str> {
    ALL.iter().map(|target| target.name).collect()
}

pub(crate) fn find(name: &str) -> Target {
    let found = ALL.iter().find(|target| target.name == name).unwrap();
    Target { ..*found }
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

fn text(name: &str, input: &[u8]) -> std::sync::Arc<SourceText> {
    SourceText::new(name, String::from_utf8_lossy(input).into_owned())
}

fn mdps_json(_: &Path) -> Vec<Vec<u8>> {
    let mut all = files(&root("datasets"), &["json"]);
    all.extend(files(&root("tests/data/gymnasium"), &["json"]));
    all.extend([COIN, FAMILY].map(|text| text.as_bytes().to_vec()));
    all
}

fn mdps_toml(_: &Path) -> Vec<Vec<u8>> {
    let mut all = files(&root("datasets"), &["toml"]);
    all.extend(files(&root("datasets/drives"), &["toml"]));
    all
}

fn npz(_: &Path) -> Vec<Vec<u8>> {
    files(&root("tests/data/formats"), &["npz", "npy"])
}

fn graphs(_: &Path) -> Vec<Vec<u8>> {
    files(&root("tests/data/formats"), &["gv"])
}

fn storm(_: &Path) -> Vec<Vec<u8>> {
    files(&root("tests/data/formats"), &["drn"])
}

fn csv(_: &Path) -> Vec<Vec<u8>> {
    files(&root("tests/data/formats"), &["csv"])
}

fn mdp(format: Format, input: &[u8]) {
    let name = match format {
        Format::Json => "x.json",
        Format::Toml => "x.toml",
    };
    match parse_mdp(format, text(name, input)) {
        Ok(_) => {}
        // What is wrong is also shown.
        Err(faults) => drop(faults.to_string()),
    }
}

/// The three files, one after another.
const PRISM: &str = "2 3 4\n0 0 0 0.5 flip\n0 0 1 0.5 flip\n0 1 1 1 go\n1 0 1 1 stay\n\x1e(x)\n0:(up)\n1:(down)\n\x1e0=\"init\" 1=\"end\"\n0: 0\n1: 1\n";

fn prism(input: &[u8]) {
    let all = String::from_utf8_lossy(input);
    let mut parts = all.split('\x1e');
    let tra = parts.next().unwrap_or_default();
    drop(parse_prism("x.tra", tra, parts.next(), parts.next()));
}

const COIN: &str = "{\"states\": [\"a\", \"b\"], \"start\": {\"a\": 1}, \"transitions\": {\"a\": [{\"action\": \"go\", \"to\": {\"a\": 0.5, \"b\": 0.5}}, {\"action\": \"stay\", \"to\": \"a\"}], \"b\": [{\"action\": \"stay\", \"to\": \"b\"}]}, \"labels\": {\"end\": [\"b\"]}, \"choice_labels\": {\"work\": [[\"a\", \"go\"]]}}";
const FAMILY: &str =
    "{\"family\": \"garnet\", \"states\": 5, \"choices\": 2, \"branching\": 2, \"seed\": 3}";
const POLICY_JSON: &str = "{\"a\": \"go\", \"b\": {\"go\": 0.25, \"stay\": 7.5e-1}}";
const POLICY_LIST: &str = "[0, \"stay\", {\"go\": 1}]";

const GOAL_JSON: &str = "{\"rewards\": {\"a\": 0.25, \"b\": -1e3}, \"default\": 0.5}";
const GOAL_TOML: &str = "default = 0\n[rewards]\na = 0.25\nb = -1e3\n";

fn goal(input: &[u8]) {
    let (mdp, _) = parse_mdp(Format::Json, text("coin.json", COIN.as_bytes())).unwrap();
    for (format, name) in [(Format::Json, "x.json"), (Format::Toml, "x.toml")] {
        drop(parse_goal(format, text(name, input), &mdp));
    }
}

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

fn experiment(input: &[u8], room: &Path) {
    let path = room.join("experiment.toml");
    fs::write(&path, input).unwrap();
    match Experiment::load(&path, &Overrides::default()) {
        Ok(_) => {}
        Err(error) => drop(error.to_string()),
    }
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

fn checkpoints(room: &Path) -> Vec<Vec<u8>> {
    vec![fs::read(made(room, "run", &[]).join("checkpoint")).unwrap()]
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

fn checkpoint(input: &[u8], _: &Path) {
    if let Ok(checkpoint) = Checkpoint::decode(input) {
        drop(checkpoint.encode());
    }
}

fn shard(input: &[u8], room: &Path) {
    let directory = room.join("shard");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("checkpoint"), input).unwrap();
    drop(Merged::read(&[room.join("1-2"), directory]));
}

fn pack(input: &[u8], room: &Path) {
    let file = room.join("x.zip");
    fs::write(&file, input).unwrap();
    let into = tempfile::tempdir_in(room).unwrap();
    drop(unpack(&file, &into.path().join("deep/below")));
    let mut names = fs::read_dir(into.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    assert!(
        names.all(|name| name == "deep"),
        "nothing is written elsewhere"
    );
}

/// Length of a checkpoint's first line.
const MAGIC: usize = b"powersweep checkpoint\n".len();

/// Puts the checksums of a checkpoint right, as far as its lengths make sense; every fourth stays as it is.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() < MAGIC + 16 + 32 || bytes.len().is_multiple_of(4) {
        return bytes;
    }
    let (end, mut at, mut number) = (bytes.len() - 32, MAGIC + 16, 0_u64);
    while at + 8 <= end {
        let mut len = [0; 8];
        len.copy_from_slice(&bytes[at..at + 8]);
        let Some(next) = usize::try_from(u64::from_le_bytes(len))
            .ok()
            .and_then(|len| at.checked_add(40)?.checked_add(len))
        else {
            break;
        };
        if next > end {
            break;
        }
        let mut digest = Sha256::new();
        digest.update(number.to_le_bytes());
        digest.update(&bytes[at + 8..next - 32]);
        let digest = digest.finalize();
        bytes[next - 32..next].copy_from_slice(&digest);
        (at, number) = (next, number + 1);
    }
    let digest = Sha256::digest(&bytes[..end]);
    bytes[end..].copy_from_slice(&digest);
    bytes
}

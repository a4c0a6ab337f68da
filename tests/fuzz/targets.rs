//! The readers of files from outside. `tests/fuzz` tries whole files on them, `fuzz/` looks for files that they cannot take.

use std::fs;
use std::path::Path;

use powersweep::document::SourceText;
use powersweep::experiment::checkpoint::{Checkpoint, Merged};
use powersweep::experiment::pack::unpack;
use powersweep::experiment::run_dir::{MANIFEST, read_manifest};
use powersweep::experiment::{Experiment, Overrides, agreement};
use powersweep::io::{
    Format, MatrixFormat, parse_drn, parse_goal, parse_graphviz, parse_matrix, parse_mdp,
    parse_npz, parse_policy, parse_prism,
};
use sha2::{Digest, Sha256};

use super::memory;

/// A reader, and the memory that it may take: `base_bytes`, and so many for each byte of the file. What a byte can stand for was measured on files that are made of nothing
/// else, and rounded up.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) base_bytes: usize,
    pub(crate) bytes_per_byte: usize,
    /// Bytes of a file: of archives, as they are unpacked.
    pub(crate) bytes: fn(&[u8]) -> usize,
    /// Puts checksums right, so that what is behind them is tried.
    pub(crate) seal: fn(Vec<u8>) -> Vec<u8>,
    /// Reads a file and lets go of what it held. The directory holds what the corpus put there.
    pub(crate) read: fn(&[u8], &Path),
}

/// What readers take whatever the file: tables, messages.
const BASE: usize = 1 << 20;
/// The same where a file may name what is not in it: recipes of MDPs, interventions, other files.
const RECIPES: usize = 64 << 20;

/// The readers.
pub(crate) const ALL: &[Target] = &[
    // `"",` is a state (234 bytes a byte).
    Target {
        base_bytes: RECIPES,
        ..plain("mdp-json", 300, |input, _| mdp(Format::Json, input))
    },
    // A character of a map is a state with five choices of five successors each (2,840).
    Target {
        base_bytes: RECIPES,
        ..plain("mdp-toml", 3_500, |input, _| mdp(Format::Toml, input))
    },
    // A byte of an array of one state is a choice.
    archive("mdp-npz", 300, |input, _| {
        drop(parse_npz("x.npz", input, None));
    }),
    plain("mdp-prism", 60, |input, _| prism(input)),
    // A word is a label (42).
    plain("mdp-drn", 60, |input, _| {
        drop(parse_drn("x.drn", &String::from_utf8_lossy(input)));
    }),
    // `->a` is an edge (120).
    plain("mdp-gv", 150, |input, _| {
        drop(parse_graphviz(text("x.gv", input)));
    }),
    // A byte is a number (8).
    archive("matrix-numpy", 20, |input, _| {
        drop(parse_matrix(MatrixFormat::NumPy, "x.npz", input));
    }),
    // `,` is a cell (65).
    plain("matrix-csv", 80, |input, _| {
        drop(parse_matrix(MatrixFormat::Csv, "x.csv", input));
    }),
    // `=` is one or two errors of syntax (346, the parser's own list).
    plain("goal", 450, |input, _| goal(input)),
    // A byte is the action of a state (88).
    archive("policy-numpy", 110, |input, _| {
        drop(parse_policy("x.npz", input));
    }),
    // `0,` is the action of a state (81); the same of TOML.
    plain("policy-json", 450, |input, _| {
        drop(parse_policy("x.json", input));
        drop(parse_policy("x.toml", input));
    }),
    // The path of an MDP is an MDP (410).
    Target {
        base_bytes: RECIPES,
        ..plain("experiment", 500, experiment)
    },
    Target {
        seal: seal_checkpoint,
        ..plain("checkpoint", 100, checkpoint)
    },
    Target {
        seal: seal_checkpoint,
        ..plain("shard", 100, shard)
    },
    archive("pack", 150, pack),
    plain("results", 100, results),
];

pub(crate) const fn plain(
    name: &'static str,
    bytes_per_byte: usize,
    read: fn(&[u8], &Path),
) -> Target {
    Target {
        name,
        base_bytes: BASE,
        bytes_per_byte,
        bytes: |input| input.len(),
        seal: |input| input,
        read,
    }
}

const fn archive(name: &'static str, bytes_per_byte: usize, read: fn(&[u8], &Path)) -> Target {
    Target {
        bytes: unpacked_bytes,
        seal: seal_zip,
        ..plain(name, bytes_per_byte, read)
    }
}

/// What is wrong with the memory that reading an input took, if anything is. One thread at a time.
pub(crate) fn excess(target: &Target, room: &Path, input: &[u8]) -> Option<String> {
    let before = memory::start();
    (target.read)(input, room);
    let taken = memory::peak().saturating_sub(before);
    let bytes = (target.bytes)(input);
    let most = target.base_bytes + target.bytes_per_byte * bytes;
    (taken > most).then(|| {
        let largest = memory::largest();
        format!("takes {taken} bytes of memory (one piece of {largest}) for {bytes} bytes")
    })
}

/// Whether a file is a recipe of much: what it takes is what it asks for (an MDP may have 2^24 states), and that is nobody's fault.
fn asks_for_much(input: &[u8]) -> bool {
    let has = |word: &[u8]| find(input, word, 0).is_some();
    let long = |run: &[u8]| run.len() > 2;
    (has(b"family") || has(b"interventions"))
        && input.split(|byte| !byte.is_ascii_digit()).any(long)
}

fn text(name: &str, input: &[u8]) -> std::sync::Arc<SourceText> {
    SourceText::new(name, String::from_utf8_lossy(input).into_owned())
}

fn mdp(format: Format, input: &[u8]) {
    if asks_for_much(input) {
        return;
    }
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

fn prism(input: &[u8]) {
    let all = String::from_utf8_lossy(input);
    let mut parts = all.split('\x1e');
    let tra = parts.next().unwrap_or_default();
    drop(parse_prism("x.tra", tra, parts.next(), parts.next()));
}

pub(crate) const COIN: &str = "{\"states\": [\"a\", \"b\"], \"start\": {\"a\": 1}, \"transitions\": {\"a\": [{\"action\": \"go\", \"to\": {\"a\": 0.5, \"b\": 0.5}}, {\"action\": \"stay\", \"to\": \"a\"}], \"b\": [{\"action\": \"stay\", \"to\": \"b\"}]}, \"labels\": {\"end\": [\"b\"]}, \"choice_labels\": {\"work\": [[\"a\", \"go\"]]}}";

fn goal(input: &[u8]) {
    let (mdp, _) = parse_mdp(Format::Json, text("coin.json", COIN.as_bytes())).unwrap();
    for (format, name) in [(Format::Json, "x.json"), (Format::Toml, "x.toml")] {
        drop(parse_goal(format, text(name, input), &mdp));
    }
}

fn experiment(input: &[u8], room: &Path) {
    if asks_for_much(input) {
        return;
    }
    let path = room.join("experiment.toml");
    fs::write(&path, input).unwrap();
    match Experiment::load(&path, &Overrides::default()) {
        Ok(_) => {}
        Err(error) => drop(error.to_string()),
    }
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

/// A run's `results.json` or `manifest.json`, which `rerun` and `resume` read.
fn results(input: &[u8], room: &Path) {
    let directory = room.join("read");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(MANIFEST), input).unwrap();
    drop(read_manifest(&directory));
    let own = fs::read_to_string(room.join("run/results.json")).unwrap();
    drop(agreement(&own, &String::from_utf8_lossy(input)));
}

/// Puts the checksums of a checkpoint right, as far as its lengths make sense; every fourth stays as it is.
fn seal_checkpoint(mut bytes: Vec<u8>) -> Vec<u8> {
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

/// Puts the checksums of a ZIP archive's stored entries right, in their own headers and in the list at the end; every fourth input stays as it is.
fn seal_zip(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len().is_multiple_of(4) {
        return bytes;
    }
    let mut at = 0;
    while let Some(next) = find(&bytes, LISTED, at) {
        at = next + 4;
        // Of the list: method, checksum, sizes, and where the entry is.
        let fields = (|| {
            let local = word(&bytes, next + 42, 4)?;
            let (size, method) = (word(&bytes, next + 20, 4)?, word(&bytes, next + 10, 2)?);
            let (name, extra) = (word(&bytes, local + 26, 2)?, word(&bytes, local + 28, 2)?);
            let start = local + 30 + name + extra;
            let crc = crc32(bytes.get(start..start + size)?);
            (method == 0).then_some((local, crc))
        })();
        if let Some((local, crc)) = fields {
            bytes[next + 16..next + 20].copy_from_slice(&crc.to_le_bytes());
            bytes[local + 14..local + 18].copy_from_slice(&crc.to_le_bytes());
        }
    }
    bytes
}

/// What an entry of the list at the end of a ZIP archive starts with.
const LISTED: &[u8] = b"PK\x01\x02";

/// A number in a ZIP archive.
fn word(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(len)?)?.iter().rev();
    Some(bytes.fold(0, |word, byte| word << 8 | usize::from(*byte)))
}

/// Bytes of what is not a ZIP archive, or of its entries as they are unpacked: deflate makes a byte of 1,032 at most.
fn unpacked_bytes(bytes: &[u8]) -> usize {
    let (mut sum, mut at) = (0, 0);
    while let Some(next) = find(bytes, LISTED, at) {
        at = next + 4;
        sum += word(bytes, next + 24, 4).unwrap_or(0);
    }
    sum.clamp(bytes.len(), 1_032 * bytes.len())
}

fn find(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    let windows = bytes.get(from..)?.windows(what.len());
    Some(from + windows.into_iter().position(|window| window == what)?)
}

/// The checksum of ZIP archives, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    };
    !bytes.iter().fold(!0, step)
}

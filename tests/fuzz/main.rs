//! Every reader of files from outside takes its whole files, and those that were its undoing once: it may refuse them, and must not panic, hang, or take memory that the file does
//! not account for.
//!
//! A binary of its own beside the suite, since it counts what is allocated. New files are looked for by `fuzz/` (`scripts/fuzz`), which has the same readers, and starts from the files
//! that this test writes below `POWERSWEEP_FUZZ_CORPUS`. Who mends a fault puts its file into `tests/fuzz/found/TARGET/`.

mod corpus;
mod memory;
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use targets::Target;

/// No file is this slow: they take milliseconds, and the machine may be a hundred times slower than usual.
const SLOW: Duration = Duration::from_secs(10);

/// Tries one input; what is wrong with the answer, if anything is.
fn fault(target: &Target, room: &Path, input: &[u8]) -> Option<String> {
    let clock = Instant::now();
    match catch_unwind(|| targets::excess(target, room, input)) {
        Err(_) => Some("panics".to_owned()),
        Ok(None) if clock.elapsed() > SLOW => Some(format!("takes {:?}", clock.elapsed())),
        Ok(excess) => excess,
    }
}

/// What was the undoing of a reader once.
fn found(target: &str) -> Vec<Vec<u8>> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/found");
    corpus::files(&found.join(target), &[])
}

/// One test for all: what is allocated is counted for the whole process.
#[test]
fn every_reader_takes_its_whole_files_and_those_that_were_its_undoing() {
    let out = std::env::var_os("POWERSWEEP_FUZZ_CORPUS").map(PathBuf::from);
    for target in targets::ALL {
        let own = tempfile::tempdir().unwrap();
        let room = match &out {
            Some(out) => out.join(target.name).join("room"),
            None => own.path().to_owned(),
        };
        fs::create_dir_all(&room).unwrap();
        let files = corpus::of(target.name, &room);
        assert!(!files.is_empty(), "{} has no corpus", target.name);
        for (number, input) in files.iter().chain(&found(target.name)).enumerate() {
            // Sealing leaves whole files as they are.
            assert!(number >= files.len() || (target.seal)(input.clone()) == *input);
            let problem = fault(target, &room, input);
            assert_eq!(problem, None, "{}: file number {number}", target.name);
            if let Some(out) = &out {
                let seeds = out.join(target.name).join("seeds");
                fs::create_dir_all(&seeds).unwrap();
                fs::write(seeds.join(number.to_string()), input).unwrap();
            }
        }
    }
    // The controls: what must be seen is seen.
    let target = |read| targets::plain("control", 10, read);
    let room = Path::new(".");
    let problem = |read: fn(&[u8], &Path)| fault(&target(read), room, b"a small file");
    assert_eq!(problem(|_, _| {}), None);
    assert_eq!(
        problem(|_, _| panic!("on purpose")),
        Some("panics".to_owned())
    );
    let large = problem(|_, _| drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 21))));
    assert!(large.unwrap().contains("one piece of 2097152"));
    for target in targets::ALL {
        // Every target is one of fuzz/, and the other way round.
        let line = format!("name = \"{}\"", target.name);
        assert!(FUZZ.contains(&line), "{line} is missing in fuzz/Cargo.toml");
    }
    assert_eq!(FUZZ.matches("[[bin]]").count(), targets::ALL.len());
}

/// What says which targets there are.
const FUZZ: &str = include_str!("../../fuzz/Cargo.toml");

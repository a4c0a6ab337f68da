//! Every reader of files from outside, given damaged files: it may refuse them, and must not panic, hang, or take memory that the file does not account for.
//!
//! A binary of its own beside the suite, since it counts what is allocated. Each target mutates its corpus (bits, tokens, numbers, pieces of other files) for
//! `POWERSWEEP_FUZZ_SECONDS` (2 unless said; `scripts/fuzz` asks for 60) from the seed `POWERSWEEP_FUZZ_SEED`. An input that fails is written to `target/fuzz/`; whoever mends
//! the fault puts it into `tests/fuzz/found/TARGET/`, which every run tries first.

mod memory;
mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use mutate::Random;
use targets::Target;

/// One target at a time: what is allocated is counted for the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// No input is this slow: the corpus takes milliseconds, and the machine may be a hundred times slower than usual.
const SLOW: Duration = Duration::from_secs(10);
/// After this long an input is taken to hang, and the process ends.
const HANG: u64 = 60;

/// Memory that any reader may take: tables, thread pools, and the small MDPs of the corpus.
const BASE_BYTES: usize = 64 << 20;
/// Bytes that a byte of a file may stand for: deflated data a thousand bytes, text some hundred as a tree with places.
const BYTES_PER_BYTE: usize = 1_500;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Ends the process when an input hangs, and says which.
struct Watchdog {
    since: AtomicU64,
}

static WATCHDOG: Watchdog = Watchdog {
    since: AtomicU64::new(0),
};

impl Watchdog {
    fn now() -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.unwrap_or_default().as_secs()
    }

    #[expect(
        clippy::print_stderr,
        reason = "the last words of a process that hangs"
    )]
    fn start() {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            std::thread::spawn(|| {
                loop {
                    std::thread::sleep(Duration::from_secs(1));
                    let since = WATCHDOG.since.load(Ordering::Relaxed);
                    if since != 0 && Self::now() > since + HANG {
                        eprintln!("an input hangs: it is the one in target/fuzz/current");
                        std::process::abort();
                    }
                }
            });
        });
    }
}

/// Where inputs that fail go.
fn out() -> PathBuf {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    fs::create_dir_all(&out).unwrap();
    out
}

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries one input; what is wrong with the answer, if anything is.
fn fault(target: &Target, room: &Path, input: &[u8]) -> Option<String> {
    WATCHDOG.since.store(Watchdog::now(), Ordering::Relaxed);
    let clock = Instant::now();
    let before = memory::start();
    let answer = catch_unwind(AssertUnwindSafe(|| (target.read)(input, room)));
    let taken = memory::peak().saturating_sub(before);
    let time = clock.elapsed();
    WATCHDOG.since.store(0, Ordering::Relaxed);
    let most = BASE_BYTES + BYTES_PER_BYTE * input.len();
    if answer.is_err() {
        return Some("panics".to_owned());
    }
    if time > SLOW {
        return Some(format!("takes {time:?}"));
    }
    (taken > most).then(|| {
        let largest = memory::largest();
        format!(
            "takes {taken} bytes of memory (one piece of {largest}) for {} bytes",
            input.len()
        )
    })
}

#[expect(
    clippy::print_stderr,
    reason = "how much was tried, for whoever asks for more"
)]
fn fuzz(name: &str) {
    let target = targets::find(name);
    let _turn = turn();
    Watchdog::start();
    let room = tempfile::tempdir().unwrap();
    let corpus = (target.corpus)(room.path());
    assert!(!corpus.is_empty(), "{name} has no corpus");
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/found")
        .join(name);
    let found: Vec<Vec<u8>> = targets::files(&found, &[]);
    let fail = |input: &[u8], problem: &str| {
        let path = out().join(format!("{name}-{:08x}", mutate::hash(input)));
        fs::write(&path, input).unwrap();
        panic!("{name}: an input {problem}: {}", path.display());
    };
    for input in corpus.iter().chain(&found) {
        if let Some(problem) = fault(&target, room.path(), input) {
            fail(input, &problem);
        }
    }
    let mut random = Random::new(setting("POWERSWEEP_FUZZ_SEED", 0));
    let time = Duration::from_secs(setting("POWERSWEEP_FUZZ_SECONDS", 2));
    let (clock, mut tried) = (Instant::now(), 0_u64);
    let current = out().join("current");
    while clock.elapsed() < time {
        let input = (target.seal)(mutate::mutate(&corpus, &mut random));
        // Where a process that hangs leaves it; memory is cheap, so is a file of some kilobytes.
        fs::write(&current, &input).unwrap();
        if let Some(problem) = fault(&target, room.path(), &input) {
            fail(&input, &problem);
        }
        tried += 1;
    }
    eprintln!("{name}: {tried} inputs made of {} files", corpus.len());
    assert!(tried > 0);
}

/// A test for each target.
macro_rules! targets {
    ($($test:ident => $name:literal,)*) => {
        $(#[test] fn $test() { fuzz($name); })*

        #[test]
        fn every_target_has_a_test() {
            assert_eq!(targets::names(), [$($name),*]);
        }
    };
}

targets! {
    mdps_in_json => "mdp-json",
    mdps_in_toml => "mdp-toml",
    mdps_in_numpy_archives => "mdp-npz",
    mdps_in_prism_s_files => "mdp-prism",
    mdps_in_storm_s_format => "mdp-drn",
    mdps_in_graphviz => "mdp-gv",
    matrices_in_numpy_s_formats => "matrix-numpy",
    matrices_in_csv => "matrix-csv",
    goals => "goal",
    policies_in_numpy_s_formats => "policy-numpy",
    policies_in_json => "policy-json",
    experiments => "experiment",
    checkpoints => "checkpoint",
    shards => "shard",
    packs => "pack",
}

#[test]
fn the_driver_sees_panics_and_memory() {
    let _turn = turn();
    let room = tempfile::tempdir().unwrap();
    let target = |read: fn(&[u8], &Path)| Target {
        name: "control",
        corpus: |_| Vec::new(),
        seal: |input| input,
        read,
    };
    let problem = |read| fault(&target(read), room.path(), b"a small file");
    assert_eq!(problem(|_, _| {}), None);
    assert_eq!(
        problem(|_, _| panic!("on purpose")),
        Some("panics".to_owned())
    );
    let large = problem(|_, _| drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 30))));
    assert!(large.unwrap().contains("one piece of 1073741824"));
}

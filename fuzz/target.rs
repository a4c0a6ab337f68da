//! One reader of files from outside, the one that the binary is named after, under libFuzzer.
#![no_main]

#[path = "../tests/fuzz/memory.rs"]
mod memory;
#[path = "../tests/fuzz/targets.rs"]
mod targets;

use std::path::Path;

use libfuzzer_sys::fuzz_target;

/// What `tests/fuzz` put beside the files to start from.
const ROOM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../target/fuzz/",
    env!("CARGO_BIN_NAME"),
    "/room"
);

fuzz_target!(|input: &[u8]| {
    let all = targets::ALL.iter();
    let mut named = all.filter(|target| target.name == env!("CARGO_BIN_NAME"));
    let target = named.next().expect("a target");
    let input = (target.seal)(input.to_vec());
    if let Some(excess) = targets::excess(target, Path::new(ROOM), &input) {
        panic!("an input {excess}");
    }
});

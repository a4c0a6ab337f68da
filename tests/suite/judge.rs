//! The judge that shares nothing with the crate: `scripts/judge.py` computes statistics once more from their definitions, with NumPy.

use std::process::{Command, Output};

fn judge(python: &str, arguments: &[&str]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/judge.py");
    let mut command = Command::new(python);
    command.args([script, env!("CARGO_BIN_EXE_powersweep")]);
    command.args(arguments).output().unwrap()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
fn definitions_taken_literally_give_the_same_numbers() {
    let named = std::env::var("POWERSWEEP_PYTHON").ok();
    let python = named.unwrap_or_else(|| "python3".to_owned());
    let numpy = Command::new(&python).args(["-c", "import numpy"]).output();
    if !numpy.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: {python} has no NumPy for scripts/judge.py (set POWERSWEEP_PYTHON to one that has)"
        );
        return;
    }
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let found = judge(&python, &["--cases", "2", "--seed", "2"]);
    assert!(found.status.success(), "{}", text(&found));
    // The control: a judge to whom other choices tie finds fault.
    let spoilt = judge(&python, &["--cases", "2", "--seed", "2", "--spoil"]);
    assert!(spoilt.status.code() == Some(1) && text(&spoilt).contains("of them wrong"));
}

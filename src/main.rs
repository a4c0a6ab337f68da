//! The `powersweep` command: parse, dispatch, render the error, exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

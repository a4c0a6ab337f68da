//! `powersweep check`: every fault in MDP files.

use std::path::PathBuf;

use powersweep::document::Faults;
use powersweep::io::{ReadError, read_mdp};
use powersweep::report::summary_line;

use super::failure::{Failure, Outcome};
use super::{diagnostics, output};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The MDPs (.json, .toml, .npz, .tra, .drn, .gv or .dot).
    #[arg(value_name = "MDP", required = true)]
    mdps: Vec<PathBuf>,
}

/// Reads every file; the faults of all of them are shown together.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let mut wrong = Vec::new();
    for path in &arguments.mdps {
        match read_mdp(path) {
            Ok((mdp, warnings)) => {
                diagnostics::show_faults(&warnings);
                output::print(&format!("OK {}\n", summary_line(&mdp)))?;
            }
            Err(ReadError::Faults(faults)) => wrong.push(faults),
            // What cannot be read at all does not hide what is wrong with the others.
            Err(other) => {
                let mut faults = Faults::default();
                match &other {
                    ReadError::Mistaken { help, .. } => {
                        faults.error_with_help(None, other.to_string(), help);
                    }
                    _ => faults.error(None, other.to_string()),
                }
                wrong.push(faults);
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(Outcome::Done),
        false => Err(Failure::Faults(wrong)),
    }
}

//! `powersweep pack`: a run as one file.

use std::path::PathBuf;

use indicatif::{HumanBytes, HumanCount};
use powersweep::experiment::pack::{PackError, pack};

use super::diagnostics;
use super::failure::{Failure, Kind, Outcome};

/// Arguments of `pack`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The run directory.
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The file that is made [default: the directory's name and .zip].
    #[arg(long, value_name = "PACK.zip")]
    out: Option<PathBuf>,
}

/// Packs the run.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let default = || {
        let mut name = arguments.run.components().as_path().as_os_str().to_owned();
        name.push(".zip");
        PathBuf::from(name)
    };
    let out = arguments.out.clone().unwrap_or_else(default);
    if out.exists() {
        let failure = Failure::new(Kind::Input, format!("{} is there already", out.display()));
        return Err(failure.with_help("remove it, or write elsewhere with --out"));
    }
    let packed = pack(&arguments.run, &out)?;
    diagnostics::show_note(&format!(
        "{} files, {} in {} of {}; `powersweep rerun {}` runs it again and compares",
        HumanCount(packed.files as u64),
        HumanBytes(packed.bytes),
        HumanBytes(packed.packed_bytes),
        out.display(),
        out.display()
    ));
    Ok(Outcome::Done)
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        match error {
            PackError::File { ref error, .. } if error.kind() != std::io::ErrorKind::NotFound => {
                Self::new(Kind::Environment, error.to_string())
            }
            other => Self::new(Kind::Input, other),
        }
    }
}

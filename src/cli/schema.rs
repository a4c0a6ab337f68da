//! `powersweep schema`: the JSON Schema of the experiment file.

use powersweep::experiment::experiment_schema;

use super::failure::{Failure, Outcome};
use super::output;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For completion and checks while you type, in editors that read schemas for TOML (Even Better TOML, taplo):\n\n  \
    powersweep schema > experiment.schema.json\n\n\
    and as the first line of the experiment file:\n\n  \
    #:schema ./experiment.schema.json"
)]
pub(crate) struct Arguments {}

/// Prints the schema.
pub(crate) fn execute(Arguments {}: Arguments) -> Result<Outcome, Failure> {
    output::print(&format!("{:#}\n", experiment_schema()))?;
    Ok(Outcome::Done)
}

//! `powersweep verify`: does this binary, on this machine, measure what it says?

use powersweep::Seed;
use powersweep::experiment::BackendChoice;
use powersweep::experiment::verify::{ExactCases, FEWEST_SAMPLES};
use powersweep::report::{verification_json, verification_table};

use super::failure::{Failure, Kind, Outcome};
use super::{arguments, output};

/// Goals per case: enough for a standard error near 0.0002.
const SAMPLES: u64 = 1_000_000;

/// The same on the reference backend, which is slow.
const REFERENCE_SAMPLES: u64 = 20_000;

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What is to be verified.
    #[arg(long, value_parser = arguments::backend(), default_value = "auto")]
    backend: BackendChoice,
    #[command(flatten)]
    adapter: arguments::Adapter,
    /// Goals per case, at least 1_000 [default: 1_000_000, or 20_000 on the reference backend].
    #[arg(long, value_name = "N", value_parser = samples)]
    samples: Option<u64>,
    /// Key of the goals.
    #[arg(long, value_name = "N", value_parser = arguments::seed, default_value = "0")]
    seed: u64,
    /// How the outcome is printed.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// A line per case.
    Table,
    /// One JSON document.
    Json,
}

/// Goals per case: enough for what a case is held to.
fn samples(text: &str) -> Result<u64, String> {
    let count = arguments::count(text)?;
    match count >= FEWEST_SAMPLES {
        true => Ok(count),
        false => Err(format!(
            "at least {FEWEST_SAMPLES}: below, means of skewed numbers stray further than their standard errors say"
        )),
    }
}

/// Runs every exact case and prints what came of it.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let engine = arguments.adapter.engine(arguments.backend)?;
    let samples = arguments.samples.unwrap_or(match arguments.backend {
        BackendChoice::Reference => REFERENCE_SAMPLES,
        _ => SAMPLES,
    });
    let cases = ExactCases::embedded().map_err(|error| Failure::new(Kind::Input, error))?;
    let verification = cases.verify(&engine, samples, Seed(arguments.seed));
    output::print(&match arguments.format {
        Format::Table => verification_table(&verification),
        Format::Json => format!("{:#}\n", verification_json(&verification)),
    })?;
    Ok(match verification.passed() {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

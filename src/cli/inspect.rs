//! `powersweep inspect`: what an MDP looks like, and what solving it takes.

use std::path::PathBuf;

use powersweep::Discount;
use powersweep::experiment::Memory;
use powersweep::io::read_mdp;
use powersweep::mdp::Structure;
use powersweep::plan::Plan;
use powersweep::report::{states_text, structure_text};

use super::failure::{Failure, Outcome};
use super::{arguments, diagnostics, output};

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The MDP (.json, .toml, .npz, .tra or .gv).
    #[arg(value_name = "MDP")]
    mdp: PathBuf,
    /// The discount that the plan is drawn for.
    #[arg(long, value_name = "GAMMA", default_value = "0.9", value_parser = arguments::discount)]
    discount: Discount,
    /// Also list every state with its number and where its choices lead.
    #[arg(long)]
    states: bool,
}

/// Reads the MDP and prints its structure.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let (mdp, warnings) = read_mdp(&arguments.mdp)?;
    diagnostics::show_faults(&warnings);
    let plan = Plan::draw(&mdp, arguments.discount);
    let text = structure_text(&mdp, &Structure::of(&mdp), &plan, &Memory::of(&mdp));
    output::print(&text)?;
    if arguments.states {
        output::print(&format!("\n{}", states_text(&mdp)))?;
    }
    Ok(Outcome::Done)
}

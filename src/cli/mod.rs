//! The command line: one subcommand per file, nothing computed here.
//!
//! To add a subcommand: a file with `Arguments` (a `clap::Args`) and `execute(arguments) -> Result<Outcome, Failure>`,
//! and one line in the list below. Data goes to stdout by [`output::print`], everything else to stderr by
//! [`diagnostics`].

mod arguments;
mod check;
mod convert;
mod devices;
mod diagnostics;
mod failure;
mod finish;
mod generate;
mod inspect;
mod merge;
mod one_goal;
mod output;
mod pack;
mod plan;
mod progress;
mod replay;
mod rerun;
mod run;
mod schema;
mod solve;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use failure::{Failure, Outcome};

/// Measures instrumental convergence: solves millions of sampled goals on one Markov decision process and reports POWER
/// with certified error bounds.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 ok; 1 ran, but a goal missed the tolerance or a check failed; 2 usage or input; \
    3 no device; 4 disk full, locked or read-only; 130, 143 interrupted."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Makes the enum of subcommands and its dispatch from one list.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident => $module:ident,)*) => {
        #[derive(Debug, clap::Subcommand)]
        enum Command {
            $($(#[$doc])* $name($module::Arguments),)*
        }

        impl Command {
            fn execute(self) -> Result<Outcome, Failure> {
                match self {
                    $(Self::$name(arguments) => $module::execute(arguments),)*
                }
            }
        }
    };
}

commands! {
    /// Run an experiment: POWER of every state, with intervals and bounds.
    Run => run,
    /// Put the shards of a run together: the very bytes that one run would have written.
    Merge => merge,
    /// Solve one goal on an MDP: its values, optimal choices and a path that follows them.
    Solve => solve,
    /// Solve one goal of a finished run again and show it like `solve`.
    Replay => replay,
    /// Put all that a finished run has read and written into one file.
    Pack => pack,
    /// Run a pack again, and say whether every byte or every interval agrees.
    Rerun => rerun,
    /// Print how an experiment will be solved and what memory it needs, without running it.
    Plan => plan,
    /// Find every fault in MDP files.
    Check => check,
    /// Print the structure of an MDP.
    Inspect => inspect,
    /// Write an MDP in another format: NumPy, PRISM, Storm, POWERplay's graphs, JSON.
    Convert => convert,
    /// Generate an MDP: grids, random graphs, trees and more.
    Generate => generate,
    /// Print the JSON Schema of the experiment file, for editors.
    Schema => schema,
    /// Run the cases whose POWER is known exactly on this binary and this machine.
    Verify => verify,
    /// List the adapters that the gpu backend can use.
    Devices => devices,
}

/// Mesa's layer that selects devices looks for a Wayland display, and libwayland complains on stderr where it is not said where to look. Told to look where nothing is, it finds nothing
/// and says nothing.
fn without_a_display() {
    const NAME: &str = "XDG_RUNTIME_DIR";
    if cfg!(all(target_os = "linux", feature = "gpu")) && std::env::var_os(NAME).is_none() {
        // SAFETY: this is the first thing that the process does: there is no other thread that could look at its environment.
        unsafe {
            std::env::set_var(NAME, "/nonexistent");
        }
    }
}

/// Parses the command line, does what it says, shows what went wrong and turns it into an exit code.
pub(crate) fn main() -> ExitCode {
    without_a_display();
    let arguments = Arguments::parse();
    match arguments.command.execute() {
        Ok(outcome) => outcome.exit_code(),
        Err(failure) => {
            diagnostics::show_failure(&failure);
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }

    #[test]
    fn who_reads_an_mdp_names_every_extension() {
        for name in ["check", "inspect", "solve"] {
            let mut command = super::Arguments::command();
            let command = command.find_subcommand_mut(name).expect("a subcommand");
            let help = command.render_long_help().to_string();
            let all = powersweep::io::MdpFormat::EXTENSIONS.iter();
            let missing: Vec<_> = all.filter(|e| !help.contains(&format!(".{e}"))).collect();
            assert!(missing.is_empty(), "{name}: {missing:?}");
        }
    }
}

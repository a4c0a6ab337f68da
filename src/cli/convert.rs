//! `powersweep convert`: an MDP from one format into another.

use std::path::PathBuf;

use powersweep::io::{Layout, MdpFormat, ReadOptions, losses, read_mdp_as};
use powersweep::report::summary_line;

use super::failure::{Failure, Outcome};
use super::{arguments, diagnostics, output};

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Formats, told by the extension:\n  \
    json   .json       tree, grid, family, or the table P of a Gymnasium environment; written as a tree\n  \
    toml   .toml       tree, grid or family; not written\n  \
    npz    .npz        NumPy arrays: dense T[s, a, s'], or SciPy's sparse matrices\n  \
    prism  .tra        PRISM's explicit files, with .sta and .lab beside it\n  \
    drn    .drn        Storm's explicit format\n  \
    gv     .gv, .dot   POWERplay's graphs\n\n\
    Nothing is written when IN has a fault. docs/formats.md describes every format.\n\n\
    Examples:\n  \
    powersweep convert model.npz model.json\n  \
    powersweep convert transitions.npz model.tra --layout ass   # T[a, s, s'], pymdptoolbox's order")]
pub(crate) struct Arguments {
    /// The file to read.
    #[arg(value_name = "IN")]
    from_path: PathBuf,
    /// The file to write. With PRISM's format two more are written beside it.
    #[arg(value_name = "OUT")]
    to_path: PathBuf,
    /// The format of IN, where its extension does not say.
    #[arg(long, value_name = "FORMAT", value_parser = arguments::mdp_format())]
    from: Option<MdpFormat>,
    /// The format of OUT, where its extension does not say.
    #[arg(long, value_name = "FORMAT", value_parser = arguments::mdp_format())]
    to: Option<MdpFormat>,
    /// The order of indices in NumPy arrays, where neither their shape nor the file says it: sas for T[s, a, s'], ass for
    /// T[a, s, s'].
    #[arg(long, value_parser = arguments::layout())]
    layout: Option<Layout>,
    /// Replace OUT where it is there already.
    #[arg(long)]
    force: bool,
}

/// Reads, says what gets lost, and writes.
pub(crate) fn execute(arguments: Arguments) -> Result<Outcome, Failure> {
    let out = &arguments.to_path;
    let format = output::mdp_format(arguments.to, out)?;
    let options = ReadOptions {
        format: arguments.from,
        layout: arguments.layout,
    };
    let (mdp, warnings) = read_mdp_as(&arguments.from_path, options)?;
    diagnostics::show_faults(&warnings);
    for lost in losses(&mdp, format) {
        diagnostics::show_warning(format!("{:?} loses {lost}", mdp.name()), None);
    }
    output::write_mdp_files(&mdp, format, out, arguments.force)?;
    diagnostics::show_note(&format!("{}: {}", out.display(), summary_line(&mdp)));
    Ok(Outcome::Done)
}

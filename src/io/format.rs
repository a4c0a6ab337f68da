//! Which format an MDP's file has, and the reader for it.

use std::io::{self, Cursor, Seek, Write};
use std::path::{Path, PathBuf};

use super::npz::Arrays;
use super::write_tree::write_tree;
use super::{
    Format, Layout, ReadError, drn, graphviz, mistaken, npz_mdp, open_file, parse_mdp, prism,
    read_text,
};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::units::ChoiceId;

/// A format of MDP files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MdpFormat {
    /// Tree, grid, family or Gymnasium's `P` in JSON.
    Json,
    /// Tree, grid or family in TOML.
    Toml,
    /// NumPy arrays.
    Npz,
    /// PRISM's explicit files: `.tra`, with `.sta` and `.lab` beside it.
    Prism,
    /// Storm's explicit format: `.drn`.
    Drn,
    /// POWERplay's graphs: `.gv`, `.dot`.
    Graphviz,
}

impl MdpFormat {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Toml,
        Self::Npz,
        Self::Prism,
        Self::Drn,
        Self::Graphviz,
    ];

    /// The extensions that [`of`](Self::of) knows.
    pub const EXTENSIONS: [&'static str; 7] = ["json", "toml", "npz", "tra", "drn", "gv", "dot"];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Npz => "npz",
            Self::Prism => "prism",
            Self::Drn => "drn",
            Self::Graphviz => "gv",
        }
    }

    /// The format of a file, by its extension in either case.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            "npz" => Some(Self::Npz),
            "tra" => Some(Self::Prism),
            "drn" => Some(Self::Drn),
            "gv" | "dot" => Some(Self::Graphviz),
            _ => None,
        }
    }
}

/// What a reader is told beside the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; by the extension where it is not given.
    pub format: Option<MdpFormat>,
    /// The order of indices in NumPy arrays; by the file where it is not given.
    pub layout: Option<Layout>,
}

/// Reads an MDP from a file, in the format of its extension, and returns it with the warnings.
///
/// Its name is the one that the file gives, else the file's name without extension.
///
/// # Errors
///
/// [`ReadError`]; its `Faults` hold all that is wrong with the content.
pub fn read_mdp(path: &Path) -> Result<(Mdp, Faults), ReadError> {
    read_mdp_as(path, ReadOptions::default())
}

/// The same, told what the file does not say.
///
/// # Errors
///
/// As [`read_mdp`].
pub fn read_mdp_as(path: &Path, options: ReadOptions) -> Result<(Mdp, Faults), ReadError> {
    mistaken::no_mdp(path)?;
    let format = options.format.or_else(|| MdpFormat::of(path));
    let format = format.ok_or_else(|| ReadError::UnknownExtension {
        path: path.into(),
        known: &MdpFormat::EXTENSIONS,
    })?;
    let read = match format {
        MdpFormat::Json => parse_mdp(Format::Json, read_text(path)?),
        MdpFormat::Toml => parse_mdp(Format::Toml, read_text(path)?),
        MdpFormat::Npz => {
            let arrays = Arrays::open(open_file(path)?);
            npz_mdp::read(&path.display().to_string(), arrays, options.layout)
        }
        MdpFormat::Prism => return prism::read(path),
        MdpFormat::Drn => return drn::read(path),
        MdpFormat::Graphviz => graphviz::parse_graphviz(read_text(path)?),
    };
    read.map_err(ReadError::Faults)
}

/// The files that are read together with this one, as far as they are there: PRISM's `.sta` and `.lab`.
#[must_use]
pub fn companions(path: &Path) -> Vec<PathBuf> {
    match MdpFormat::of(path) {
        Some(MdpFormat::Prism) => prism::companions(path),
        _ => Vec::new(),
    }
}

/// Why an MDP cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A name that the format has no way to hold.
    #[error("the {what} {name:?} cannot be written in a {extension} file")]
    Name {
        /// What is called so.
        what: &'static str,
        /// The name.
        name: String,
        /// The extension of the file.
        extension: &'static str,
    },
    /// A format that is read alone.
    #[error("MDPs are read from TOML, not written to it: .json holds the same tree")]
    Toml,
    /// What the writer said.
    #[error(transparent)]
    Writer(#[from] io::Error),
}

impl WriteError {
    pub(super) fn name(what: &'static str, name: &str, extension: &'static str) -> Self {
        Self::Name {
            what,
            name: name.to_owned(),
            extension,
        }
    }
}

/// What a writer writes, as a text.
pub(super) fn in_memory(
    write: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>,
) -> Result<String, WriteError> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files of an MDP in a format: PRISM's are three, the others are one, `path` itself.
#[must_use]
pub fn files_of(format: MdpFormat, path: &Path) -> Vec<PathBuf> {
    let beside = match format {
        MdpFormat::Prism => &["sta", "lab"][..],
        _ => &[],
    };
    let beside = beside
        .iter()
        .map(|extension| path.with_extension(extension));
    std::iter::once(path.to_owned()).chain(beside).collect()
}

/// Writes one of the files of an MDP, by its number among [`files_of`]; row by row, so that no file is ever in memory.
///
/// # Errors
///
/// A name that the format cannot hold; TOML, which is not written; what the writer says.
pub fn write_mdp(
    mdp: &Mdp,
    format: MdpFormat,
    file: usize,
    to: &mut (impl Write + Seek),
) -> Result<(), WriteError> {
    match format {
        MdpFormat::Json => write_tree(mdp, to),
        MdpFormat::Toml => Err(WriteError::Toml),
        MdpFormat::Npz => Ok(super::write_npz(mdp, to).map(drop)?),
        MdpFormat::Prism => match file {
            0 => prism::write_tra(mdp, to),
            1 => prism::write_sta(mdp, to),
            _ => prism::write_lab(mdp, to),
        },
        MdpFormat::Drn => drn::write(mdp, to),
        MdpFormat::Graphviz => graphviz::write(mdp, to),
    }
}

/// What an MDP has and a format has no room for, one line each.
#[must_use]
pub fn losses(mdp: &Mdp, format: MdpFormat) -> Vec<&'static str> {
    let only_rows = format == MdpFormat::Graphviz;
    let listed = matches!(format, MdpFormat::Prism | MdpFormat::Drn);
    let is_spaced = |c: u32| mdp.action_name(ChoiceId(c)).contains(char::is_whitespace);
    let has_spaces = || (0..mdp.n_choices() as u32).any(is_spaced);
    let is_first = matches!(mdp.start(), [(first, _)] if first.0 == 0);
    [
        (
            mdp.layout().is_some(),
            "where its cells lie on the grid (results will be lists, not maps)",
        ),
        (
            listed && mdp.start().len() > 1,
            "the probabilities of its start states (they become equally likely)",
        ),
        (
            format == MdpFormat::Drn && has_spaces(),
            "the spaces in its actions' names (they become _)",
        ),
        (only_rows && !is_first, "its start"),
        (only_rows && !mdp.state_labels().is_empty(), "its labels"),
        (
            (only_rows || listed) && !mdp.choice_labels().is_empty(),
            "its labels of choices",
        ),
    ]
    .into_iter()
    .filter_map(|(lost, what)| lost.then_some(what))
    .collect()
}

/// Reads an MDP from the bytes of a `.npz` file.
///
/// # Errors
///
/// All faults of the content.
pub fn parse_npz(
    name: &str,
    bytes: &[u8],
    layout: Option<Layout>,
) -> Result<(Mdp, Faults), Faults> {
    let arrays = Arrays::read(Box::new(Cursor::new(bytes.to_vec())));
    npz_mdp::read(name, arrays, layout)
}

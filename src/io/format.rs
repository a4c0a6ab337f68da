//! Which format an MDP's file has, and the reader for it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::npz::Arrays;
use super::{Format, Layout, ReadError, graphviz, npz_mdp, open_file, parse_mdp, prism, read_text};
use crate::document::Faults;
use crate::mdp::Mdp;

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
    /// POWERplay's graphs: `.gv`, `.dot`.
    Graphviz,
}

impl MdpFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Json,
        Self::Toml,
        Self::Npz,
        Self::Prism,
        Self::Graphviz,
    ];

    /// The extensions that [`of`](Self::of) knows.
    pub const EXTENSIONS: [&'static str; 6] = ["json", "toml", "npz", "tra", "gv", "dot"];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Npz => "npz",
            Self::Prism => "prism",
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

/// The files of an MDP in a format: their paths and their content. PRISM's are three; the others are one, `path` itself.
///
/// # Errors
///
/// A name that the format cannot hold, and TOML, which is not written.
pub fn encode_mdp(
    mdp: &Mdp,
    format: MdpFormat,
    path: &Path,
) -> Result<Vec<(PathBuf, Vec<u8>)>, String> {
    let one = |bytes: Vec<u8>| vec![(path.to_owned(), bytes)];
    match format {
        MdpFormat::Json => Ok(one(super::write_json(mdp).into_bytes())),
        MdpFormat::Toml => {
            Err("MDPs are read from TOML, not written to it: .json holds the same tree".to_owned())
        }
        MdpFormat::Npz => {
            let written = super::write_npz(mdp, Cursor::new(Vec::new()));
            let cursor = written.map_err(|error| error.to_string())?;
            Ok(one(cursor.into_inner()))
        }
        MdpFormat::Prism => {
            let files = super::write_prism(mdp)?;
            Ok(vec![
                (path.to_owned(), files.tra.into_bytes()),
                (path.with_extension("sta"), files.sta.into_bytes()),
                (path.with_extension("lab"), files.lab.into_bytes()),
            ])
        }
        MdpFormat::Graphviz => super::write_graphviz(mdp).map(|text| one(text.into_bytes())),
    }
}

/// What an MDP has and a format has no room for, one line each.
#[must_use]
pub fn losses(mdp: &Mdp, format: MdpFormat) -> Vec<&'static str> {
    let only_rows = format == MdpFormat::Graphviz;
    let is_first = matches!(mdp.start(), [(first, _)] if first.0 == 0);
    [
        (
            mdp.layout().is_some(),
            "where its cells lie on the grid (results will be lists, not maps)",
        ),
        (
            format == MdpFormat::Prism && mdp.start().len() > 1,
            "the probabilities of its start states (they become equally likely)",
        ),
        (only_rows && !is_first, "its start"),
        (only_rows && !mdp.state_labels().is_empty(), "its labels"),
        (
            (only_rows || format == MdpFormat::Prism) && !mdp.choice_labels().is_empty(),
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

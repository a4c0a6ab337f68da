//! Which format an MDP's file has, and the reader for it.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::npz::Arrays;
use super::{Format, Layout, ReadError, npz_mdp, open_file, parse_mdp, prism, read_text};
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
}

impl MdpFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Json, Self::Toml, Self::Npz, Self::Prism];

    /// The extensions that [`of`](Self::of) knows.
    pub const EXTENSIONS: [&'static str; 4] = ["json", "toml", "npz", "tra"];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Npz => "npz",
            Self::Prism => "prism",
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

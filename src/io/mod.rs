//! Files in: MDPs and goals, by extension.
//!
//! Each format becomes a [`Node`] tree first, so that one reader of the tree form and one of the grid form serve all
//! formats and every fault keeps its place in the file. What a valid MDP is, the [`MdpBuilder`] decides; the room only
//! translates. The keys are tabled in `docs/formats.md`.

mod csr;
mod csv;
mod drn;
mod explicit;
mod family;
mod format;
mod goal;
mod graphviz;
mod grid;
mod gymnasium;
mod limited;
mod matrix;
mod mistaken;
mod npy;
pub mod npz;
mod npz_mdp;
pub mod parquet;
mod policy;
mod prism;
pub mod tables;
mod tree;
mod write_tree;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use drn::{parse_drn, write_drn};
pub use format::{
    MdpFormat, ReadOptions, WriteError, companions, files_of, losses, parse_npz, read_mdp,
    read_mdp_as, write_mdp,
};
pub use goal::{parse_goal, read_goal};
pub use graphviz::{parse_graphviz, write_graphviz};
pub use matrix::{MatrixFormat, NamedMatrix, parse_matrix, read_matrix, read_matrix_bytes};
pub use npz_mdp::{Layout, write_npz};
pub use policy::{PolicyRows, parse_policy, policy_of, read_policy};
pub use prism::{PrismFiles, parse_prism, write_prism};
pub use write_tree::write_json;

pub(crate) use mistaken::{is_mdp, no_experiment};

use limited::Limited;

use crate::document::{Faults, Node, SourceText, Spanned, TableReader, parse_json, parse_toml};
use crate::mdp::{Mdp, MdpBuilder};

/// A text format that becomes a tree of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.json`, strictly: no comments, no trailing commas.
    Json,
    /// `.toml`.
    Toml,
}

impl Format {
    /// The extensions that [`of`](Self::of) knows.
    pub const EXTENSIONS: [&'static str; 2] = ["json", "toml"];

    /// The format of a file, by its extension in either case.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }

    /// The tree of a text, as far as its meaning may be looked at: a syntax error leaves no tree, because what a
    /// parser guesses after one would draw faults that are not the user's.
    fn parse(self, source: &Arc<SourceText>, faults: &mut Faults) -> Option<Spanned<Node>> {
        match self {
            Self::Json => parse_json(source, faults),
            Self::Toml => {
                let node = parse_toml(source, faults);
                // A key given twice leaves the tree whole.
                let whole = faults.errors().all(|f| f.message.ends_with("stands twice"));
                whole.then_some(node)
            }
        }
    }
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The extension says nothing about the format.
    #[error("{}: unknown kind of file; known extensions: .{}", path.display(), known.join(", ."))]
    UnknownExtension {
        /// The file.
        path: PathBuf,
        /// The extensions that say something.
        known: &'static [&'static str],
    },
    /// It is something else than what was wanted.
    #[error("{} {what}, where {wanted} is wanted", path.display())]
    Mistaken {
        /// The file or directory.
        path: PathBuf,
        /// What it is, or seems to be.
        what: &'static str,
        /// What was wanted.
        wanted: &'static str,
        /// What to do with it.
        help: String,
    },
    /// The file is not UTF-8.
    #[error("{}: not UTF-8 text (byte {offset} is not part of a character)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Number of good bytes before the first bad one.
        offset: usize,
    },
    /// The content is wrong; every fault is listed.
    #[error("{0}")]
    Faults(Faults),
}

/// Reads an MDP from a text and returns it with the warnings.
///
/// ```
/// use powersweep::document::SourceText;
/// use powersweep::io::{Format, parse_mdp};
///
/// let source = SourceText::new("corridor.toml", "[grid]\nmap = '#S..#'\nstay = true\n");
/// let (mdp, warnings) = parse_mdp(Format::Toml, source).unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices()), (3, 15));
/// assert!(warnings.list.is_empty());
/// ```
///
/// # Errors
///
/// All faults of the text, warnings among them.
pub fn parse_mdp(format: Format, source: Arc<SourceText>) -> Result<(Mdp, Faults), Faults> {
    let mut read = parse_unsorted(format, source);
    let (Ok((_, faults)) | Err(faults)) = &mut read;
    faults.sort_by_place();
    read
}

fn parse_unsorted(format: Format, source: Arc<SourceText>) -> Result<(Mdp, Faults), Faults> {
    let mut faults = Faults::about(source.clone());
    let Some(root) = format.parse(&source, &mut faults) else {
        return Err(faults);
    };
    if mistaken::is_experiment(&root, &source.name, &mut faults) {
        return Err(faults);
    }
    let Some(mut table) = TableReader::open(&root, "the file", &mut faults) else {
        return Err(faults);
    };
    let name = table.string("name", &mut faults);
    table.string("description", &mut faults);
    let name = name.map_or_else(|| stem(&source.name), |n| n.value);
    if let Some(recipe) = table.take("family") {
        return generate(recipe, name, table, faults);
    }
    let mut builder = MdpBuilder::with_faults(name, faults);
    let rows = table.take("P");
    let states = match table.take("grid") {
        Some(grid) => {
            refuse_beside_grid(&mut table, &mut builder);
            grid::read(grid, &source, &mut table, &mut builder)
        }
        None if rows.is_some() => {
            rows.and_then(|rows| gymnasium::read(rows, &mut table, &mut builder))
        }
        None => tree::read(&mut table, &mut builder),
    };
    if states.is_none() {
        // Every name in what is left would be reported as unknown.
        for key in ["start", "labels", "choice_labels"] {
            table.take(key);
        }
        table.finish(builder.faults());
        return Err(std::mem::take(builder.faults()));
    }
    tree::read_labels(&mut table, &mut builder);
    table.finish(builder.faults());
    builder.build_with_warnings()
}

fn generate(
    recipe: &Spanned<Node>,
    name: String,
    mut table: TableReader<'_>,
    mut faults: Faults,
) -> Result<(Mdp, Faults), Faults> {
    for key in [
        "grid",
        "states",
        "transitions",
        "start",
        "labels",
        "choice_labels",
    ] {
        if let Some((name, _)) = table.take_entry(key) {
            faults.error_with_help(
                name.span.clone(),
                format!("`{key}` and `family` in one file"),
                "a family says all that there is to say about its MDP",
            );
        }
    }
    let mdp = family::read(recipe, name, &mut faults);
    table.finish(&mut faults);
    match mdp.filter(|_| !faults.has_errors()) {
        Some(mdp) => Ok((mdp, faults)),
        None => Err(faults),
    }
}

fn refuse_beside_grid(table: &mut TableReader<'_>, builder: &mut MdpBuilder) {
    for key in ["states", "transitions", "P"] {
        if let Some((name, _)) = table.take_entry(key) {
            builder.faults().error_with_help(
                name.span.clone(),
                format!("`{key}` and `grid` in one file"),
                "an MDP is given by its states and transitions or drawn as a grid, not both",
            );
        }
    }
}

fn open(path: &Path) -> Result<(Format, Arc<SourceText>), ReadError> {
    let format = Format::of(path).ok_or_else(|| ReadError::UnknownExtension {
        path: path.into(),
        known: &Format::EXTENSIONS,
    })?;
    Ok((format, read_text(path)?))
}

fn read_text(path: &Path) -> Result<Arc<SourceText>, ReadError> {
    let bytes = std::fs::read(path).map_err(|error| ReadError::File {
        path: path.into(),
        error,
    })?;
    let text = String::from_utf8(bytes).map_err(|error| ReadError::NotText {
        path: path.into(),
        offset: error.utf8_error().valid_up_to(),
    })?;
    Ok(SourceText::new(path.display().to_string(), text))
}

fn open_file(path: &Path) -> Result<File, ReadError> {
    File::open(path).map_err(|error| ReadError::File {
        path: path.into(),
        error,
    })
}

fn stem(name: &str) -> String {
    let stem = Path::new(name).file_stem();
    stem.map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned())
}

//! A run as one file: all that it read and wrote, with a checksum of everything.
//!
//! A pack is a ZIP archive. `pack.json` comes first: the format, the version of powersweep, and every file with its length and its SHA-256. The files are below
//! `run/`, in the order of their names and without times, so that one run has one pack. What is read from a pack is trusted in nothing: names stay
//! below the directory they are unpacked into, lengths are checked before anything is written, and every byte is under a checksum.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Component, Path, PathBuf};

use ::zip::result::ZipError;
use ::zip::write::SimpleFileOptions;
use ::zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::run_dir::{RunDirectoryError, is_finished, read_manifest};
use super::spec::hexadecimal;

/// Version of the pack's format.
const FORMAT: u64 = 1;
/// What is in a pack.
const INDEX: &str = "pack.json";
/// Where its files are.
const FILES: &str = "run";
/// Most bytes of an index: some hundred thousand files.
const MAX_INDEX_BYTES: u64 = 64 << 20;
/// Most bytes that one byte of deflated data can stand for. An entry that promises more is lying.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Why there is no pack, or none that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The file system said no.
    #[error("cannot {action} {}: {error}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The run cannot be packed.
    #[error(transparent)]
    Run(#[from] RunDirectoryError),
    /// Results are not there yet.
    #[error("{} is not finished: there are no results of all its goals to pack", .0.display())]
    Unfinished(PathBuf),
    /// Something in the run directory is neither a file nor a directory.
    #[error("{} is a link or a device, which cannot be packed", .0.display())]
    NoFile(PathBuf),
    /// It is something else.
    #[error("{} is no pack of a run: {problem}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// How that was found.
        problem: String,
    },
    /// It is not what was written.
    #[error("the pack {} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The check that failed.
        problem: String,
    },
}

fn file_error<'a>(action: &'static str, path: &'a Path) -> impl Fn(io::Error) -> PackError + 'a {
    move |error| PackError::File {
        action,
        path: path.to_owned(),
        error,
    }
}

/// `pack.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u64,
    powersweep: String,
    files: BTreeMap<String, Entry>,
}

/// A file of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    bytes: u64,
    sha256: String,
}

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Number of files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the pack.
    pub packed_bytes: u64,
}

/// Packs the directory of a finished run into a new file, whole or not at all.
///
/// # Errors
///
/// [`PackError`]; a file that is there already is one.
pub fn pack(run: &Path, to: &Path) -> Result<Packed, PackError> {
    let manifest = read_manifest(run)?;
    if !is_finished(&manifest) {
        return Err(PackError::Unfinished(run.to_owned()));
    }
    let mut files = BTreeMap::new();
    for path in paths(run)? {
        let file = File::open(&path).map_err(file_error("read", &path))?;
        let mut reader = Hashing::new(file);
        let bytes = io::copy(&mut reader, &mut io::sink()).map_err(file_error("read", &path))?;
        let sha256 = hexadecimal(&reader.digest.finalize());
        files.insert(name(run, &path)?, Entry { bytes, sha256 });
    }
    let index = Index {
        format: FORMAT,
        powersweep: env!("CARGO_PKG_VERSION").to_owned(),
        files,
    };
    let directory = to.parent().filter(|p| !p.as_os_str().is_empty());
    let staging = tempfile::Builder::new()
        .prefix(".pack-")
        .tempfile_in(directory.unwrap_or(Path::new(".")));
    let staging = staging.map_err(file_error("write", to))?;
    let written = write(&index, run, staging.as_file());
    let packed_bytes = written.map_err(file_error("write", to))?;
    super::run_dir::share_file(staging.path());
    let placed = staging.persist_noclobber(to);
    placed.map_err(|error| file_error("write", to)(error.error))?;
    Ok(Packed {
        files: index.files.len(),
        bytes: index.files.values().map(|entry| entry.bytes).sum(),
        packed_bytes,
    })
}

/// All files below a directory, in the order of their names.
fn paths(directory: &Path) -> Result<Vec<PathBuf>, PackError> {
    let unreadable = || file_error("read", directory);
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable())? {
        let path = entry.map_err(unreadable())?.path();
        let kind = fs::symlink_metadata(&path).map_err(file_error("read", &path))?;
        if kind.is_dir() {
            all.extend(paths(&path)?);
        } else if kind.is_file() {
            all.push(path);
        } else {
            return Err(PackError::NoFile(path));
        }
    }
    all.sort();
    Ok(all)
}

/// A file's name in the pack: its path below the run, with slashes.
fn name(run: &Path, path: &Path) -> Result<String, PackError> {
    let below = path.strip_prefix(run).unwrap_or(path);
    let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
    let name = parts.map(|parts| parts.join("/"));
    let unreadable = || io::Error::new(io::ErrorKind::InvalidData, "its name is no text");
    name.filter(|name| place(name).is_some())
        .ok_or_else(|| file_error("pack", path)(unreadable()))
}

fn write(index: &Index, run: &Path, to: &File) -> io::Result<u64> {
    let options = |bytes: u64| {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(bytes > u64::from(u32::MAX) / 2)
    };
    let mut archive = ZipWriter::new(to);
    archive.start_file(INDEX, options(0))?;
    archive.write_all(format!("{:#}\n", serde_json::json!(index)).as_bytes())?;
    for (name, entry) in &index.files {
        archive.start_file(format!("{FILES}/{name}"), options(entry.bytes))?;
        let mut file = File::open(run.join(name))?;
        let copied = io::copy(&mut file, &mut archive)?;
        if copied != entry.bytes {
            let message = format!("{name} changed while it was packed");
            return Err(io::Error::other(message));
        }
    }
    archive.finish()?;
    to.sync_all()?;
    Ok(to.metadata()?.len())
}

/// Where a file of that name goes below a directory; `None` for names that could lead elsewhere, on any system.
fn place(name: &str) -> Option<PathBuf> {
    let is_plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '\0'])
    };
    let parts: Vec<&str> = name.split('/').collect();
    let path: PathBuf = parts.iter().collect();
    let below = path.components().all(|c| matches!(c, Component::Normal(_)));
    (parts.iter().all(|part| is_plain(part)) && below).then_some(path)
}

/// Unpacks a run into an empty directory, and returns the version of powersweep that packed it.
///
/// # Errors
///
/// [`PackError`]; some of the files may have been written then.
pub fn unpack(pack: &Path, into: &Path) -> Result<String, PackError> {
    let file = File::open(pack).map_err(file_error("read", pack))?;
    let foreign = |problem: String| PackError::Foreign {
        path: pack.to_owned(),
        problem,
    };
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| foreign(format!("it is no readable ZIP archive: {error}")))?;
    let index = read_index(&mut archive).map_err(foreign)?;
    let damaged = |problem: String| PackError::Damaged {
        path: pack.to_owned(),
        problem,
    };
    if archive.has_duplicate_names() || archive.len() != index.files.len() + 1 {
        return Err(damaged("its files are not those that it lists".to_owned()));
    }
    for (name, entry) in &index.files {
        let place =
            place(name).ok_or_else(|| foreign(format!("the name {name:?} leads out of it")))?;
        let to = into.join(place);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(file_error("write", parent))?;
        }
        let mut out = File::create(&to).map_err(file_error("write", &to))?;
        let packed = open(&mut archive, &format!("{FILES}/{name}"), Some(entry.bytes));
        let packed = packed.map_err(damaged)?;
        let mut reader = Hashing::new(packed.take(entry.bytes.saturating_add(1)));
        let copied = io::copy(&mut reader, &mut out);
        if let Some(error) = reader.failure {
            return Err(damaged(format!("{name} cannot be read: {error}")));
        }
        let copied = copied.map_err(file_error("write", &to))?;
        if copied != entry.bytes || hexadecimal(&reader.digest.finalize()) != entry.sha256 {
            return Err(damaged(format!("the checksum of {name} does not match")));
        }
    }
    Ok(index.powersweep)
}

/// Hashes what is read, and keeps the failures of reading apart from those of writing.
struct Hashing<R> {
    from: R,
    digest: Sha256,
    failure: Option<String>,
}

impl<R> Hashing<R> {
    fn new(from: R) -> Self {
        Self {
            from,
            digest: Sha256::new(),
            failure: None,
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer).inspect_err(|error| {
            self.failure = Some(error.to_string());
        })?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

fn read_index<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Index, String> {
    let entry = open(archive, INDEX, None)?;
    let mut text = String::new();
    let read = entry.take(MAX_INDEX_BYTES).read_to_string(&mut text);
    read.map_err(|error| format!("{INDEX} cannot be read: {error}"))?;
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{INDEX}: {error}"))?;
    match value["format"].as_u64() {
        Some(FORMAT) => {}
        Some(other) => {
            return Err(format!(
                "its format is {other}, this version of powersweep knows {FORMAT}"
            ));
        }
        None => return Err(format!("{INDEX} has no `format`")),
    }
    serde_json::from_value(value).map_err(|error| format!("{INDEX}: {error}"))
}

/// An entry of an archive, if it can hold what it promises.
fn open<'a, R: Read + Seek>(
    archive: &'a mut ZipArchive<R>,
    name: &str,
    bytes: Option<u64>,
) -> Result<impl Read + 'a, String> {
    let entry = archive.by_name(name).map_err(|error| match error {
        ZipError::FileNotFound => format!("it holds no {name}"),
        other => format!("{name} cannot be read: {other}"),
    })?;
    let (size, packed) = (entry.size(), entry.compressed_size());
    if size > packed.saturating_mul(MAX_DEFLATE_RATIO) || bytes.is_some_and(|b| b != size) {
        return Err(format!("{name} is not as long as it says"));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_have_no_place() {
        for name in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "a/",
            "..",
            "c:/x",
            "a\\..\\x",
            "a\0b",
        ] {
            assert_eq!(place(name), None, "{name:?}");
        }
        assert_eq!(
            place("inputs/mdp/a b.json"),
            Some("inputs/mdp/a b.json".into())
        );
        assert_eq!(place("..x"), Some("..x".into()));
    }
}

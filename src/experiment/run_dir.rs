//! The run directory: all that a run leaves behind, complete or not there at all.
//!
//! Everything is written into a hidden sibling directory, synced, and renamed into place at the end. A lock beside it
//! keeps a second process out. What the directory holds is the business of others; this file only knows the manifest's
//! format version and the experiment's identity in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tempfile::TempDir;

/// Version of the directory's layout, in its manifest as `format`.
pub const FORMAT: u64 = 1;
/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// Longest value shown when two experiments differ.
const SHOWN_VALUE: usize = 60;

/// Why a run directory cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunDirectoryError {
    /// The file system said no: full, read-only, not allowed.
    #[error("cannot {action} {}: {error}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process is writing the same directory.
    #[error("{} is in use by another run", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// There is something else of that name.
    #[error("{} exists and is not a run directory ({problem})", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// How that was found.
        problem: String,
    },
    /// The directory holds the results of another experiment.
    #[error("{} holds the results of another experiment: {}", path.display(), differences.join("; "))]
    Different {
        /// The directory.
        path: PathBuf,
        /// One line for each value that differs.
        differences: Vec<String>,
    },
    /// The directory holds more than the new run would put in its place.
    #[error(
        "{} holds the same experiment with {there} goals, and this run asks for {here}: ask for at least as many goals, \
         or for another directory", path.display()
    )]
    Larger {
        /// The directory.
        path: PathBuf,
        /// Goals of the results that are there.
        there: u64,
        /// Goals that are asked for.
        here: u64,
    },
}

fn file_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RunDirectoryError + 'a {
    move |error| RunDirectoryError::File {
        action,
        path: path.to_owned(),
        error,
    }
}

/// A run directory in the making. Dropped before [`commit`](Self::commit), it leaves nothing behind.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    staging: TempDir,
    // Last, so that the lock is held until the staging directory is gone.
    _lock: Lock,
}

impl RunDirectory {
    /// Prepares to write `path`: takes the lock, refuses to replace anything but the same experiment's results from no more
    /// goals than `samples`, and makes the staging directory, so that a read-only disk is found before the work and not after it.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError`].
    pub fn create(
        path: &Path,
        identity: &Map<String, Value>,
        samples: u64,
    ) -> Result<Self, RunDirectoryError> {
        let name = path.file_name().ok_or_else(|| RunDirectoryError::NotARun {
            path: path.to_owned(),
            problem: "the path does not end in a name".to_owned(),
        })?;
        let name = name.to_string_lossy();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        check_replaceable(path, identity, samples)?;
        fs::create_dir_all(&parent).map_err(file_error("create the directory", &parent))?;
        let lock = Lock::take(&parent.join(format!(".{name}.lock")), path)?;
        // Again under the lock: the holder before us may have finished in between.
        check_replaceable(path, identity, samples)?;
        let prefix = format!(".{name}.partial-");
        remove_leftovers(&parent, &prefix);
        let staging = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent);
        let staging = staging.map_err(file_error("create a directory in", &parent))?;
        share(staging.path());
        Ok(Self {
            path: path.to_owned(),
            staging,
            _lock: lock,
        })
    }

    /// Where it will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes one file, with the directories it is in, to the disk.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`].
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), RunDirectoryError> {
        let shown = self.path.join(&name);
        let path = self.staging.path().join(&name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(file_error("write", &shown))?;
        }
        let mut file = File::create(&path).map_err(file_error("write", &shown))?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        written.map_err(file_error("write", &shown))
    }

    /// Puts the directory in its place. Results that were there stay until the new ones are complete.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`]; what was there is there again.
    pub fn commit(self) -> Result<PathBuf, RunDirectoryError> {
        let Self {
            path,
            staging,
            _lock,
        } = self;
        let failed = || file_error("put the results in", &path);
        sync_tree(staging.path()).map_err(failed())?;
        let parent = staging.path().parent().unwrap_or(Path::new(".")).to_owned();
        if path.exists() {
            // A directory cannot be renamed over one that is not empty: the old one steps aside first, and back if
            // the new one cannot come in.
            let aside = tempfile::Builder::new()
                .prefix(".replaced-")
                .tempdir_in(&parent);
            let aside = aside.map_err(failed())?;
            let old = aside.path().join("run");
            fs::rename(&path, &old).map_err(failed())?;
            if let Err(error) = fs::rename(staging.path(), &path) {
                if let Err(error) = fs::rename(&old, &path) {
                    // The old results are better off under an odd name than deleted.
                    let kept = aside.keep().join("run");
                    return Err(file_error("put back", &path)(io::Error::new(
                        error.kind(),
                        format!("{error}; the old results are in {}", kept.display()),
                    )));
                }
                return Err(failed()(error));
            }
        } else {
            fs::rename(staging.path(), &path).map_err(failed())?;
        }
        // The directory has left its temporary name: there is nothing to clean up under it.
        let _ = staging.keep();
        sync_directory(&parent).map_err(failed())?;
        Ok(path)
    }
}

/// Reads the manifest of a run directory.
///
/// # Errors
///
/// [`RunDirectoryError::NotARun`] where there is none, or one of an unknown format.
pub fn read_manifest(path: &Path) -> Result<Value, RunDirectoryError> {
    let not_a_run = |problem: String| RunDirectoryError::NotARun {
        path: path.to_owned(),
        problem,
    };
    let text = fs::read_to_string(path.join(MANIFEST))
        .map_err(|error| not_a_run(format!("{MANIFEST}: {error}")))?;
    let manifest: Value =
        serde_json::from_str(&text).map_err(|error| not_a_run(format!("{MANIFEST}: {error}")))?;
    match manifest["format"].as_u64() {
        Some(FORMAT) => Ok(manifest),
        Some(other) => Err(not_a_run(format!(
            "its format is {other}, this version of powersweep knows {FORMAT}"
        ))),
        None => Err(not_a_run(format!("{MANIFEST} has no `format`"))),
    }
}

/// Refuses a path that holds anything but results of the same experiment from no more goals.
fn check_replaceable(
    path: &Path,
    identity: &Map<String, Value>,
    samples: u64,
) -> Result<(), RunDirectoryError> {
    let mut entries = fs::read_dir(path);
    if !path.exists() || entries.as_mut().is_ok_and(|e| e.next().is_none()) {
        return Ok(());
    }
    check_identity(path, identity)?;
    match read_manifest(path)?["samples"].as_u64() {
        Some(there) if there > samples => Err(RunDirectoryError::Larger {
            path: path.to_owned(),
            there,
            here: samples,
        }),
        _ => Ok(()),
    }
}

/// Checks that a run directory holds the results of the experiment with this identity.
///
/// # Errors
///
/// [`RunDirectoryError::Different`] names what differs.
pub fn check_identity(path: &Path, identity: &Map<String, Value>) -> Result<(), RunDirectoryError> {
    let manifest = read_manifest(path)?;
    let differences = differences(&manifest["identity"], identity);
    if differences.is_empty() {
        return Ok(());
    }
    Err(RunDirectoryError::Different {
        path: path.to_owned(),
        differences,
    })
}

fn differences(there: &Value, here: &Map<String, Value>) -> Vec<String> {
    let none = Map::new();
    let there = there.as_object().unwrap_or(&none);
    let gone = there.keys().filter(|key| !here.contains_key(*key));
    let differing = here
        .keys()
        .chain(gone)
        .filter(|&key| there.get(key) != here.get(key));
    let line = |key: &String| {
        let [there, here] = [there.get(key), here.get(key)].map(shown);
        format!("`{key}` is {there} there and {here} here")
    };
    differing.map(line).collect()
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN_VALUE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Staging directories of processes that were killed. Nobody else can be using them while we hold the lock.
fn remove_leftovers(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Temporary directories are private; a run directory is as readable as any other.
fn share(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_directory(path)
}

/// Names are on the disk once their directory is. Only Unix can sync a directory.
fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        return File::open(path)?.sync_all();
    }
    Ok(())
}

/// An advisory lock: the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    fn take(path: &Path, directory: &Path) -> Result<Self, RunDirectoryError> {
        loop {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            let file = file.map_err(file_error("create the lock", path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let path = directory.to_owned();
                    return Err(RunDirectoryError::Locked { path });
                }
                Err(TryLockError::Error(error)) => return Err(file_error("lock", path)(error)),
            }
            // The holder before us may have removed the file between our opening and our locking it.
            if is_at(&file, path) {
                let path = path.to_owned();
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Where `is_at` cannot tell, the file must stay.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

/// Whether `path` is still a name of the open file.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let pair = file
            .metadata()
            .and_then(|open| Ok((open, fs::metadata(path)?)));
        pair.is_ok_and(|(open, named)| (open.dev(), open.ino()) == (named.dev(), named.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identity(seed: u64) -> Map<String, Value> {
        let Value::Object(map) = json!({ "seed": seed, "tolerance": 1e-5 }) else {
            unreachable!("a table")
        };
        map
    }

    fn write_run(path: &Path, seed: u64, result: &str) -> Result<PathBuf, RunDirectoryError> {
        let run = RunDirectory::create(path, &identity(seed), 100)?;
        let manifest = json!({ "format": FORMAT, "identity": identity(seed), "samples": 100 });
        run.write(MANIFEST, manifest.to_string().as_bytes())?;
        run.write("inputs/experiment.toml", b"schema = 1\n")?;
        run.write("results.json", result.as_bytes())?;
        run.commit()
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_is_written_whole_and_nothing_is_left_beside_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("runs/one");
        write_run(&path, 0, "first").unwrap();
        assert_eq!(names(&home.path().join("runs")), ["one"]);
        assert_eq!(names(&path), ["inputs", "manifest.json", "results.json"]);
    }

    #[test]
    fn the_same_experiment_replaces_its_results() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("one");
        write_run(&path, 0, "first").unwrap();
        write_run(&path, 0, "second").unwrap();
        assert_eq!(
            fs::read_to_string(path.join("results.json")).unwrap(),
            "second"
        );
        assert_eq!(names(home.path()), ["one"]);
    }

    #[test]
    fn another_experiment_is_refused_and_the_difference_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("one");
        write_run(&path, 0, "first").unwrap();
        let error = write_run(&path, 1, "second").unwrap_err();
        let RunDirectoryError::Different { differences, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(differences, ["`seed` is 0 there and 1 here"]);
        assert_eq!(
            fs::read_to_string(path.join("results.json")).unwrap(),
            "first"
        );
    }

    #[test]
    fn what_is_not_a_run_is_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("thesis");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("chapter-1.tex"), "years of work").unwrap();
        let refused = write_run(&path, 0, "first");
        assert!(matches!(refused, Err(RunDirectoryError::NotARun { .. })));
        fs::write(path.join(MANIFEST), r#"{ "format": 99 }"#).unwrap();
        let newer = write_run(&path, 0, "first").unwrap_err().to_string();
        assert!(newer.contains("its format is 99"), "{newer}");
        fs::write(home.path().join("file"), "text").unwrap();
        assert!(write_run(&home.path().join("file"), 0, "first").is_err());
        fs::create_dir(home.path().join("empty")).unwrap();
        assert!(write_run(&home.path().join("empty"), 0, "first").is_ok());
    }

    #[test]
    fn two_runs_cannot_write_one_directory_at_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("one");
        let first = RunDirectory::create(&path, &identity(0), 100).unwrap();
        let second = RunDirectory::create(&path, &identity(0), 100);
        assert!(matches!(second, Err(RunDirectoryError::Locked { .. })));
        drop(first);
        assert!(
            names(home.path()).is_empty(),
            "an abandoned run leaves nothing behind"
        );
        assert!(RunDirectory::create(&path, &identity(0), 100).is_ok());
    }

    #[test]
    fn leftovers_of_a_killed_run_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let leftover = home.path().join(".one.partial-abc");
        fs::create_dir(&leftover).unwrap();
        fs::write(leftover.join("results.json"), "half").unwrap();
        fs::create_dir(home.path().join(".other.partial-abc")).unwrap();
        write_run(&home.path().join("one"), 0, "first").unwrap();
        assert_eq!(names(home.path()), [".other.partial-abc", "one"]);
    }

    #[test]
    fn results_of_more_goals_are_not_replaced_by_fewer() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        write_run(&path, 0, "a hundred goals").unwrap();
        let error = RunDirectory::create(&path, &identity(0), 99).unwrap_err();
        let RunDirectoryError::Larger { there, here, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((there, here), (100, 99));
        assert!(RunDirectory::create(&path, &identity(0), 101).is_ok());
    }
}

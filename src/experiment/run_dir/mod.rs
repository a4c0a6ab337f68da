//! The run directory: all that a run leaves behind.
//!
//! Results are written into a hidden sibling directory, synced, and renamed into place together. While a run goes on, the
//! directory holds what was read, a manifest that says that it is not finished, and the checkpoint, which alone is
//! replaced in place, by a rename. A lock beside the directory keeps a second process out. What the files hold is the business of others; this
//! room only knows the manifest's format version, the experiment's identity in it and whether it is finished.

mod difference;
mod lock;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(super) use difference::differences;
use lock::Lock;

use super::spec::hexadecimal;

/// Version of the directory's layout, in its manifest as `format`.
pub const FORMAT: u64 = 1;
/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// The checkpoint's file name.
pub const CHECKPOINT: &str = "checkpoint";
/// The name that a damaged checkpoint is given.
pub const DAMAGED: &str = "checkpoint.damaged";
/// The directory with copies of all that was read, and the key of the manifest that lists them with their checksums.
pub const INPUTS: &str = "inputs";
/// Key of the manifest that is `false` while there are no results of all goals.
pub const FINISHED: &str = "finished";

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
    /// What the run read is not what lies beside its results.
    #[error("{} does not hold what its run read: {}", path.display(), files.join("; "))]
    Changed {
        /// The directory.
        path: PathBuf,
        /// One line for each file that differs.
        files: Vec<String>,
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
    names: Names,
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
        // Before anything is written; what a killed process left half-way is looked at under the lock.
        check_replaceable(path, identity, samples)?;
        fs::create_dir_all(&parent).map_err(file_error("create the directory", &parent))?;
        let lock = Lock::take(&parent.join(format!(".{name}.lock")), path)?;
        let names = Names {
            staging: format!(".{name}.partial-"),
            aside: format!(".{name}.replaced-"),
            parent,
        };
        names.put_back(path)?;
        // Again under the lock: the holder before us may have finished in between.
        check_replaceable(path, identity, samples)?;
        names.remove_leftovers(path);
        Ok(Self {
            path: path.to_owned(),
            staging: names.staging()?,
            names,
            _lock: lock,
        })
    }

    /// Whether there are results of all goals that some run asked for.
    #[must_use]
    pub fn has_results(&self) -> bool {
        read_manifest(&self.path).is_ok_and(|manifest| is_finished(&manifest))
    }

    /// The checkpoint that is there.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`].
    pub fn read_checkpoint(&self) -> Result<Option<Vec<u8>>, RunDirectoryError> {
        read_checkpoint(&self.path)
    }

    /// Gives the checkpoint that is there another name, [`DAMAGED`], so that it is in nobody's way.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`].
    pub fn set_checkpoint_aside(&self) -> Result<(), RunDirectoryError> {
        let path = self.path.join(CHECKPOINT);
        let renamed = fs::rename(&path, self.path.join(DAMAGED));
        renamed.map_err(file_error("rename", &path))
    }

    /// Puts a checkpoint in place, whole or not at all. Where there is no run directory yet, one is made, with the files of `beginning`: a
    /// manifest and what was read.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`]; a checkpoint that was there is still there.
    pub fn keep(
        &self,
        checkpoint: &[u8],
        beginning: impl FnOnce() -> Vec<(PathBuf, Vec<u8>)>,
    ) -> Result<(), RunDirectoryError> {
        if !self.path.join(MANIFEST).exists() {
            let staging = self.names.staging()?;
            for (name, bytes) in beginning() {
                write_below(staging.path(), &self.path, &name, &bytes)?;
            }
            write_below(staging.path(), &self.path, CHECKPOINT.as_ref(), checkpoint)?;
            return self.names.put_in_place(staging, &self.path);
        }
        let path = self.path.join(CHECKPOINT);
        let written = (|| {
            let mut file = tempfile::Builder::new()
                .prefix(".checkpoint.partial-")
                .tempfile_in(&self.path)?;
            file.write_all(checkpoint)?;
            file.as_file().sync_all()?;
            share_file(file.path());
            file.persist(&path).map_err(|error| error.error)?;
            sync_directory(&self.path)
        })();
        written.map_err(file_error("write", &path))
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
        write_below(self.staging.path(), &self.path, name.as_ref(), bytes)
    }

    /// Puts the directory in its place. Results that were there stay until the new ones are complete.
    ///
    /// # Errors
    ///
    /// [`RunDirectoryError::File`]; what was there is there again.
    pub fn commit(self) -> Result<PathBuf, RunDirectoryError> {
        self.names.put_in_place(self.staging, &self.path)?;
        Ok(self.path)
    }
}

/// Writes a file below `root` to the disk; errors speak of its place below `shown`.
fn write_below(
    root: &Path,
    shown: &Path,
    name: &Path,
    bytes: &[u8],
) -> Result<(), RunDirectoryError> {
    let shown = shown.join(name);
    let path = root.join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(file_error("write", &shown))?;
    }
    let mut file = File::create(&path).map_err(file_error("write", &shown))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(file_error("write", &shown))
}

/// The hidden names beside a run directory.
#[derive(Debug)]
struct Names {
    parent: PathBuf,
    /// How directories in the making start.
    staging: String,
    /// How directories start that hold the old one while the new one comes in.
    aside: String,
}

impl Names {
    fn staging(&self) -> Result<TempDir, RunDirectoryError> {
        let staging = tempfile::Builder::new()
            .prefix(&self.staging)
            .tempdir_in(&self.parent);
        let staging = staging.map_err(file_error("create a directory in", &self.parent))?;
        share(staging.path());
        Ok(staging)
    }

    fn put_in_place(&self, staging: TempDir, path: &Path) -> Result<(), RunDirectoryError> {
        let failed = || file_error("put the results in", path);
        sync_tree(staging.path()).map_err(failed())?;
        if path.exists() {
            // A directory cannot be renamed over one that is not empty: the old one steps aside first, and back if
            // the new one cannot come in. Whoever is killed between the two leaves that to the next (`put_back`).
            let aside = tempfile::Builder::new()
                .prefix(&self.aside)
                .tempdir_in(&self.parent);
            let aside = aside.map_err(failed())?;
            let old = aside.path().join(ASIDE);
            fs::rename(path, &old).map_err(failed())?;
            if let Err(error) = fs::rename(staging.path(), path) {
                if let Err(error) = fs::rename(&old, path) {
                    // The old results are better off under an odd name than deleted.
                    let kept = aside.keep().join(ASIDE);
                    return Err(file_error("put back", path)(io::Error::new(
                        error.kind(),
                        format!("{error}; the old results are in {}", kept.display()),
                    )));
                }
                return Err(failed()(error));
            }
            sync_directory(&self.parent).map_err(failed())?;
        } else {
            fs::rename(staging.path(), path).map_err(failed())?;
        }
        // The directory has left its temporary name: there is nothing to clean up under it.
        let _ = staging.keep();
        sync_directory(&self.parent).map_err(failed())
    }

    /// Puts the old directory back where a process was killed after it stepped aside and before the new one came in.
    fn put_back(&self, path: &Path) -> Result<(), RunDirectoryError> {
        if path.exists() && fs::read_dir(path).is_ok_and(|mut there| there.next().is_some()) {
            return Ok(());
        }
        let aside = self.beside(&self.aside).map(|aside| aside.join(ASIDE));
        match aside.into_iter().find(|old| old.exists()) {
            Some(old) => fs::rename(&old, path).map_err(file_error("put back", path)),
            None => Ok(()),
        }
    }

    /// Hidden directories of processes that were killed. Nobody else can be using them while we hold the lock.
    fn remove_leftovers(&self, path: &Path) {
        let leftovers = self.beside(&self.staging).chain(self.beside(&self.aside));
        for leftover in leftovers {
            let _ = fs::remove_dir_all(leftover);
        }
        for file in entries(path, ".checkpoint.partial-") {
            let _ = fs::remove_file(file);
        }
    }

    fn beside(&self, prefix: &str) -> std::vec::IntoIter<PathBuf> {
        entries(&self.parent, prefix).into_iter()
    }
}

/// Name of the old directory inside the one that it steps aside into.
const ASIDE: &str = "run";

/// What in a directory starts with a prefix.
fn entries(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.filter(|e| e.file_name().to_string_lossy().starts_with(prefix));
    named.map(|e| e.path()).collect()
}

/// Whether a manifest speaks of results of all goals.
#[must_use]
pub fn is_finished(manifest: &Value) -> bool {
    manifest[FINISHED] != Value::Bool(false)
}

/// The checkpoint of a run directory, if it has one.
///
/// # Errors
///
/// [`RunDirectoryError::File`].
pub fn read_checkpoint(path: &Path) -> Result<Option<Vec<u8>>, RunDirectoryError> {
    let path = path.join(CHECKPOINT);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error("read", &path)(error)),
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
    let manifest = read_manifest(path)?;
    match manifest["samples"]
        .as_u64()
        .filter(|_| is_finished(&manifest))
    {
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

/// Checks every file that a run read, as copied beside its results, against the checksum in the manifest.
///
/// # Errors
///
/// [`RunDirectoryError::Changed`] with all files that are missing or have another content.
pub fn check_inputs(path: &Path) -> Result<(), RunDirectoryError> {
    let manifest = read_manifest(path)?;
    let listed = manifest[INPUTS].as_object().into_iter().flatten();
    let fault = |(name, entry): (&String, &Value)| {
        let expected = entry["sha256"].as_str().unwrap_or_default();
        let name = format!("{INPUTS}/{name}");
        match fs::read(path.join(&name)) {
            Err(error) => Some(format!("{name} cannot be read ({error})")),
            Ok(bytes) => {
                let found = hexadecimal(&Sha256::digest(&bytes));
                let differs = found != expected;
                differs.then(|| format!("{name} has SHA-256 {found}, and had {expected}"))
            }
        }
    };
    let files: Vec<String> = listed.filter_map(fault).collect();
    match files.is_empty() {
        true => Ok(()),
        false => Err(RunDirectoryError::Changed {
            path: path.to_owned(),
            files,
        }),
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

/// The same for a file.
pub(super) fn share_file(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
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
    fn a_checkpoint_makes_a_run_that_is_not_finished_and_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("one");
        let run = RunDirectory::create(&path, &identity(0), 100).unwrap();
        let beginning = || {
            let manifest = json!({ "format": FORMAT, "identity": identity(0), "samples": 100, FINISHED: false });
            vec![(PathBuf::from(MANIFEST), manifest.to_string().into_bytes())]
        };
        run.keep(b"first", beginning).unwrap();
        assert_eq!(names(&path), ["checkpoint", "manifest.json"]);
        run.keep(b"second", || unreachable!("it is there")).unwrap();
        assert!(!run.has_results());
        drop(run);
        assert_eq!(names(home.path()), ["one"]);
        // A run that is not finished may be continued with fewer goals.
        let run = RunDirectory::create(&path, &identity(0), 50).unwrap();
        assert_eq!(
            run.read_checkpoint().unwrap().as_deref(),
            Some(&b"second"[..])
        );
        assert!(RunDirectory::create(&path, &identity(1), 50).is_err());
    }

    #[test]
    fn what_stepped_aside_for_a_killed_run_is_put_back() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("one");
        write_run(&path, 0, "first").unwrap();
        // As `put_in_place` leaves it between its two renames.
        let aside = home.path().join(".one.replaced-abc");
        fs::create_dir(&aside).unwrap();
        fs::rename(&path, aside.join(ASIDE)).unwrap();
        fs::create_dir(home.path().join(".one.partial-abc")).unwrap();
        let run = RunDirectory::create(&path, &identity(0), 100).unwrap();
        drop(run);
        assert_eq!(names(home.path()), ["one"]);
        assert_eq!(
            fs::read_to_string(path.join("results.json")).unwrap(),
            "first"
        );
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

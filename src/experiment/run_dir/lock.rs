//! One process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::{RunDirectoryError, file_error};

/// An advisory lock: the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    pub(super) fn take(path: &Path, directory: &Path) -> Result<Self, RunDirectoryError> {
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

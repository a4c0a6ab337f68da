//! Data to stdout and into files.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use powersweep::io::{MdpFormat, ReadError};

use super::failure::{Failure, Kind};

/// Writes `text` to stdout. A reader that has seen enough (`| head`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = format!("cannot write to standard output: {error}");
            Err(Failure::new(Kind::Environment, message))
        }
        _ => Ok(()),
    }
}

/// The format of a file to be written: the one that was asked for, else by its extension.
pub(crate) fn mdp_format(asked: Option<MdpFormat>, path: &Path) -> Result<MdpFormat, Failure> {
    asked.or_else(|| MdpFormat::of(path)).ok_or_else(|| {
        let unknown = ReadError::UnknownExtension {
            path: path.into(),
            known: &MdpFormat::EXTENSIONS,
        };
        Failure::from(unknown).with_help("say the format by --to")
    })
}

/// Writes files, each whole or not at all. None is written where one of them is there already, unless `replace`.
pub(crate) fn write_files(files: &[(PathBuf, Vec<u8>)], replace: bool) -> Result<(), Failure> {
    if let Some((path, _)) = files.iter().find(|(path, _)| !replace && path.exists()) {
        let failure = Failure::new(Kind::Input, format!("{} is there already", path.display()));
        return Err(failure.with_help("replace it with --force, or write elsewhere"));
    }
    for (path, bytes) in files {
        write_file(path, bytes).map_err(|error| {
            Failure::new(
                Kind::Environment,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    // A temporary file is its owner's alone; what is written here is like any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

//! Data to stdout and into files.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use powersweep::io::{MdpFormat, ReadError, WriteError, files_of, write_mdp};
use powersweep::mdp::Mdp;

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

/// Writes the files of an MDP: all of them whole, or none. Files that are there already are not touched, unless `replace`.
pub(crate) fn write_mdp_files(
    mdp: &Mdp,
    format: MdpFormat,
    path: &Path,
    replace: bool,
) -> Result<(), Failure> {
    let paths = files_of(format, path);
    if let Some(path) = paths.iter().find(|path| !replace && path.exists()) {
        let failure = Failure::new(Kind::Input, format!("{} is there already", path.display()));
        return Err(failure.with_help("replace it with --force, or write elsewhere"));
    }
    let failed = |path: &Path, error: io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::new(Kind::Environment, message)
    };
    let mut written = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let mut file = temporary_file(path).map_err(|error| failed(path, error))?;
        let mut to = BufWriter::new(file.as_file_mut());
        let outcome = write_mdp(mdp, format, number, &mut to);
        match outcome.and_then(|()| Ok(to.flush()?)) {
            Ok(()) => {}
            Err(WriteError::Writer(error)) => return Err(failed(path, error)),
            Err(error) => return Err(Failure::new(Kind::Input, error.to_string())),
        }
        drop(to);
        written.push((file, path));
    }
    for (file, path) in written {
        let persisted = file.persist(path);
        persisted.map_err(|error| failed(path, error.error))?;
    }
    Ok(())
}

/// A file beside `path` that takes its place when it is whole.
fn temporary_file(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    // A temporary file is its owner's alone; what is written here is like any other file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(file)
}

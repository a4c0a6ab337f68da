//! Data to stdout.

use std::io::{self, Write};

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

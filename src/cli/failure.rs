//! How a command ends, and the exit code that stands for it.

use std::error::Error;
use std::process::ExitCode;

use powersweep::document::Faults;
use powersweep::experiment::{EngineError, ExperimentError, RunError};
use powersweep::io::ReadError;

/// A command that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All is well.
    Done,
    /// It ran, but something unconverged or a check failed.
    Incomplete,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::Incomplete => 1,
        })
    }
}

/// What kind of thing stopped a command. The numbers are a contract with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A device failed while it worked.
    Failed = 1,
    /// The command line or an input file.
    Input = 2,
    /// The device that was asked for is not there.
    Device = 3,
    /// Disk full, locked, read-only.
    Environment = 4,
    /// SIGINT.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

/// A command that was stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Input files with faults: one collection a file.
    Faults(Vec<Faults>),
    /// Anything else.
    Error {
        /// Decides the exit code.
        kind: Kind,
        /// What happened, with its causes.
        error: Box<dyn Error + Send + Sync>,
        /// What to do about it.
        help: Option<String>,
    },
}

impl Failure {
    /// A failure without advice.
    pub(crate) fn new(kind: Kind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Error {
            kind,
            error: error.into(),
            help: None,
        }
    }

    /// The same failure with advice.
    pub(crate) fn with_help(self, advice: impl Into<String>) -> Self {
        match self {
            Self::Error { kind, error, .. } => Self::Error {
                kind,
                error,
                help: Some(advice.into()),
            },
            faults => faults,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Faults(_) => Kind::Input as u8,
            Self::Error { kind, .. } => *kind as u8,
        })
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Faults(vec![faults])
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Faults(faults) => faults.into(),
            ReadError::Mistaken { ref help, .. } => {
                let help = help.clone();
                Self::new(Kind::Input, error).with_help(help)
            }
            other => Self::new(Kind::Input, other),
        }
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Faults(list) => Self::Faults(list),
            ExperimentError::Read(error) => error.into(),
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::new(Kind::Device, error)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let kind = match error {
            RunError::Cancelled => Kind::Interrupted,
            RunError::Threads(_) => Kind::Environment,
            _ => Kind::Input,
        };
        Self::new(kind, error)
    }
}

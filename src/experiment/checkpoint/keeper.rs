//! Going on from a checkpoint, and writing new ones while a run goes on.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Checkpoint, CheckpointError, Header, Ledger, Shard};
use crate::experiment::run_dir::{RunDirectory, RunDirectoryError, differences};

/// Time between two checkpoints, over the time that writing one takes: half a percent of the run, so that with the copy of the sums, which
/// is less work than to encode and to hash them, it stays below one.
const COST: u32 = 200;

/// Why a run does not go on from a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// The file system said no.
    #[error(transparent)]
    Directory(#[from] RunDirectoryError),
    /// It is not a checkpoint, or not any more.
    #[error("the checkpoint in {} cannot be used: {error}", path.display())]
    Unusable {
        /// The run directory.
        path: PathBuf,
        /// The check that failed.
        #[source]
        error: CheckpointError,
    },
    /// It is another run's.
    #[error("the checkpoint in {} is of another run: {}", path.display(), differences.join("; "))]
    Foreign {
        /// The run directory.
        path: PathBuf,
        /// One line for each value that differs.
        differences: Vec<String>,
    },
}

impl ResumeError {
    /// Whether the checkpoint is not what was written, and so of no use to anybody.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let damage = |error: &CheckpointError| matches!(error, CheckpointError::Damaged { .. });
        matches!(self, Self::Unusable { error, .. } if damage(error))
    }
}

impl Header {
    /// What of another header makes its sums useless here, one line each.
    #[must_use]
    pub fn differences(&self, there: &Self) -> Vec<String> {
        let table = |header: &Self| {
            let mut table = header.identity.clone();
            let version = Value::String(header.powersweep.clone());
            table.insert("powersweep".to_owned(), version);
            // Where a shard begins and ends depends on the number of goals.
            if let Some(shard) = header.shard {
                table.insert("shards".to_owned(), shard.of().into());
                table.insert("samples".to_owned(), header.samples.into());
            }
            table
        };
        differences(&Value::Object(table(there)), &table(self))
    }
}

impl Checkpoint {
    /// The checkpoint of a run directory; `None` where it has none.
    ///
    /// # Errors
    ///
    /// [`ResumeError`].
    pub fn resume(directory: &RunDirectory, here: &Header) -> Result<Option<Self>, ResumeError> {
        let Some(bytes) = directory.read_checkpoint()? else {
            return Ok(None);
        };
        let path = || directory.path().to_owned();
        let checkpoint = Self::decode(&bytes);
        let checkpoint = checkpoint.map_err(|error| ResumeError::Unusable {
            path: path(),
            error,
        })?;
        let mut differences = here.differences(&checkpoint.header);
        let [number, other] = [here.shard, checkpoint.header.shard].map(|s| s.map(Shard::number));
        if differences.is_empty() && number != other {
            let [there, here] = [checkpoint.header.shard, here.shard].map(|shard| match shard {
                Some(shard) => format!("shard {shard}"),
                None => "a whole run".to_owned(),
            });
            differences.push(format!("it is {there} there and {here} here"));
        }
        match differences.is_empty() {
            true => Ok(Some(checkpoint)),
            false => Err(ResumeError::Foreign {
                path: path(),
                differences,
            }),
        }
    }
}

/// Writes checkpoints of a run, now and then.
#[derive(Debug)]
pub struct Keeper<'a> {
    directory: &'a RunDirectory,
    header: Header,
    /// What a run directory starts with.
    beginning: Vec<(PathBuf, Vec<u8>)>,
    /// Shortest time between two checkpoints; zero for one after every block, whatever it costs.
    every: Duration,
    started: Instant,
    /// When the next one is due, in nanoseconds since the start.
    due: AtomicU64,
    /// Why the last one could not be written.
    failure: Mutex<Option<RunDirectoryError>>,
}

impl<'a> Keeper<'a> {
    /// Of a run into `directory`; one that is not there yet is made with the files of `beginning`, a manifest among them.
    #[must_use]
    pub fn new(
        directory: &'a RunDirectory,
        header: Header,
        beginning: Vec<(PathBuf, Vec<u8>)>,
        every: Duration,
    ) -> Self {
        Self {
            directory,
            header,
            beginning,
            every,
            started: Instant::now(),
            due: AtomicU64::new(nanoseconds(every)),
            failure: Mutex::new(None),
        }
    }

    /// Whether it is time.
    #[must_use]
    pub fn is_due(&self) -> bool {
        nanoseconds(self.started.elapsed()) >= self.due.load(Ordering::Relaxed)
    }

    /// The file for what is done; `is_done` where that is everything.
    #[must_use]
    pub fn encode(&self, ledger: &Ledger, is_done: bool) -> Vec<u8> {
        let header = Header {
            is_done,
            ..self.header.clone()
        };
        let ledger = ledger.clone();
        Checkpoint { header, ledger }.encode()
    }

    /// Writes a checkpoint. A failure is kept for [`take_failure`](Self::take_failure), and the run goes on: the disk may have room again
    /// by the next time, and the checkpoint before this one is still there.
    pub fn keep(&self, ledger: &Ledger) {
        let clock = Instant::now();
        let bytes = self.encode(ledger, false);
        let kept = self.directory.keep(&bytes, || self.beginning.clone());
        let pause = match self.every.is_zero() {
            true => Duration::ZERO,
            false => self.every.max(clock.elapsed() * COST),
        };
        let next = self.started.elapsed() + pause;
        self.due.store(nanoseconds(next), Ordering::Relaxed);
        if let Ok(mut failure) = self.failure.lock() {
            *failure = kept.err();
        }
    }

    /// Why the last checkpoint could not be written, if it could not.
    #[must_use]
    pub fn take_failure(&self) -> Option<RunDirectoryError> {
        self.failure.lock().ok()?.take()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

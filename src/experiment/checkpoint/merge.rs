//! Folding shards into one run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Checkpoint, CheckpointError, Header, Ledger, Shard};
use crate::experiment::run_dir::{RunDirectoryError, read_checkpoint};

/// Shards that are put together.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Which run they are of; no shard any more.
    pub header: Header,
    /// What all of them have done.
    pub ledger: Ledger,
    /// Shards that are not there.
    pub missing: Vec<Shard>,
    /// Shards that have not done all of their part, and where they are.
    pub unfinished: Vec<(Shard, PathBuf)>,
    /// What solved, where that was not the same everywhere: all of it.
    pub backends: Vec<String>,
}

/// Why shards cannot be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardsError {
    /// Nothing to put together.
    #[error("no shard was given")]
    None,
    /// The file system said no.
    #[error(transparent)]
    Directory(#[from] RunDirectoryError),
    /// No checkpoint in the directory.
    #[error("{} is no shard: it holds no checkpoint", .0.display())]
    Absent(PathBuf),
    /// It is not a checkpoint, or not any more.
    #[error("the checkpoint in {} cannot be used: {error}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// The check that failed.
        error: CheckpointError,
    },
    /// It is no shard but a whole run.
    #[error("{} is no shard of a run, but a whole one", .0.display())]
    Whole(PathBuf),
    /// Shards of different runs.
    #[error("{} is of another run than {}: {}", path.display(), first.display(), differences.join("; "))]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The one it is compared with.
        first: PathBuf,
        /// One line for each value that differs ("there" is this one, "here" the first).
        differences: Vec<String>,
    },
    /// One shard twice.
    #[error("shard {shard} is there twice: {} and {}", paths[0].display(), paths[1].display())]
    Twice {
        /// Which.
        shard: Shard,
        /// Where.
        paths: [PathBuf; 2],
    },
    /// Sums that do not go together, although the shards are of one run.
    #[error("cell {cell} of {} does not go with the shards before it: {error}", path.display())]
    Cell {
        /// The directory.
        path: PathBuf,
        /// Position of the cell in the order of the experiment, from 0.
        cell: usize,
        /// What is wrong.
        error: super::MergeError,
    },
}

impl Merged {
    /// Reads and folds shards, in any order. A whole run alone stands for its only shard: so what it has done can be read while it goes on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any of them.
    pub fn read(paths: &[PathBuf]) -> Result<Self, Vec<ShardsError>> {
        let mut errors = Vec::new();
        let mut shards: Vec<(Shard, &Path, Checkpoint)> = Vec::new();
        for path in paths {
            match read(path, paths.len() == 1) {
                Ok((shard, checkpoint)) => shards.push((shard, path, checkpoint)),
                Err(error) => errors.push(error),
            }
        }
        // Differences are told against the first one that was given.
        if let Some((_, first, against)) = shards.first() {
            for (_, path, checkpoint) in &shards[1..] {
                let differences = against.header.differences(&checkpoint.header);
                if !differences.is_empty() {
                    errors.push(ShardsError::Foreign {
                        path: path.to_path_buf(),
                        first: first.to_path_buf(),
                        differences,
                    });
                }
            }
        } else if errors.is_empty() {
            errors.push(ShardsError::None);
        }
        shards.sort_by_key(|(shard, ..)| *shard);
        let twins = shards.windows(2).filter(|pair| pair[0].0 == pair[1].0);
        errors.extend(twins.map(|pair| ShardsError::Twice {
            shard: pair[0].0,
            paths: [pair[0].1.to_owned(), pair[1].1.to_owned()],
        }));
        match errors.is_empty() {
            true => fold(shards).map_err(|error| vec![error]),
            false => Err(errors),
        }
    }

    /// Whether every shard is there and done.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.missing.is_empty() && self.unfinished.is_empty()
    }
}

fn read(path: &Path, is_alone: bool) -> Result<(Shard, Checkpoint), ShardsError> {
    let path = path.to_owned();
    let only = Shard::new(1, 1).ok().filter(|_| is_alone);
    let Some(bytes) = read_checkpoint(&path)? else {
        return Err(ShardsError::Absent(path));
    };
    let checkpoint = match Checkpoint::decode(&bytes) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return Err(ShardsError::Unusable { path, error }),
    };
    match checkpoint.header.shard.or(only) {
        Some(shard) => Ok((shard, checkpoint)),
        None => Err(ShardsError::Whole(path)),
    }
}

/// Adds up shards of one run, which are sorted and all different.
fn fold(shards: Vec<(Shard, &Path, Checkpoint)>) -> Result<Merged, ShardsError> {
    let Some((first, _, checkpoint)) = shards.first() else {
        return Err(ShardsError::None);
    };
    let header = Header {
        shard: None,
        is_done: false,
        ..checkpoint.header.clone()
    };
    let there = |k: &u64| shards.iter().any(|(shard, ..)| shard.number() == *k);
    let missing = (1..=first.of()).filter(|k| !there(k));
    let missing = missing
        .filter_map(|k| Shard::new(k, first.of()).ok())
        .collect();
    let mut merged = Merged {
        header,
        ledger: Ledger::default(),
        missing,
        unfinished: Vec::new(),
        backends: Vec::new(),
    };
    for (shard, path, checkpoint) in shards {
        if !checkpoint.header.is_done {
            merged.unfinished.push((shard, path.to_owned()));
        }
        if !merged.backends.contains(&checkpoint.header.backend) {
            merged.backends.push(checkpoint.header.backend);
        }
        for (cell, record) in checkpoint.ledger.cells {
            let Some(sum) = merged.ledger.cells.get_mut(&cell) else {
                merged.ledger.cells.insert(cell, record);
                continue;
            };
            let added = Arc::make_mut(sum).merge(&record);
            added.map_err(|error| ShardsError::Cell {
                path: path.to_owned(),
                cell,
                error,
            })?;
        }
    }
    Ok(merged)
}

//! Checkpoints: what of a run is done, as a file that can be trusted.
//!
//! A line of text, the format's version and the number of sections; then the sections, each its length, its bytes and their SHA-256;
//! then the SHA-256 of everything before it. The first section says of what run it is ([`Header`]), every other one is a cell. Whoever writes
//! it to the disk sees to it that it is there whole or not at all (`run_dir`).

mod keeper;
mod ledger;
mod merge;
mod shard;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub use keeper::{Keeper, ResumeError};
pub use ledger::{CellKey, CellRecord, Ledger, MergeError, StandIn, Sums, Tail};
pub use merge::{Merged, ShardsError};
pub(super) use shard::rescale;
pub use shard::{ArrayError, Shard, ShardError};

use super::{Engine, Experiment, RunSpec};
use crate::plan::Method;
use crate::statistics::{Decoder, Encoder};

/// Version of the checkpoint's format.
pub const FORMAT: u64 = 2;
/// What a checkpoint starts with.
const MAGIC: &[u8] = b"powersweep checkpoint\n";
/// Bytes of a SHA-256.
const DIGEST: usize = 32;

/// Which run a checkpoint is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of powersweep: numbers may move between versions.
    pub powersweep: String,
    /// Hash of the experiment.
    pub spec_hash: String,
    /// What it covers.
    pub identity: Map<String, Value>,
    /// Goals that were asked for.
    pub samples: u64,
    /// Number of cells.
    pub cells: usize,
    /// What solves: instructions, adapter. Where that changes, results agree within their bounds and not byte for byte.
    pub backend: String,
    /// The methods that the backend's pilot chose from: the choice is part of the plans.
    pub methods: Vec<Method>,
    /// Which part of the run, where it is one.
    pub shard: Option<Shard>,
    /// Whether all goals of the run, or of the part, are done.
    pub is_done: bool,
}

impl Header {
    /// The header of an experiment on an engine, whole or a shard of it, of which nothing is done.
    #[must_use]
    pub fn of(
        experiment: &Experiment,
        engine: &Engine,
        spec: &RunSpec,
        shard: Option<Shard>,
    ) -> Self {
        let backend = engine.backend();
        Self {
            powersweep: env!("CARGO_PKG_VERSION").to_owned(),
            spec_hash: experiment.hash(backend.name()),
            identity: experiment.identity(backend.name()),
            samples: spec.samples,
            cells: spec.n_cells(),
            backend: backend.description(),
            methods: backend.methods().to_vec(),
            shard,
            is_done: false,
        }
    }
}

/// A header with what is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which run.
    pub header: Header,
    /// What is done.
    pub ledger: Ledger,
}

/// Why bytes are no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It is not what was written.
    #[error("it is damaged: {check}")]
    Damaged {
        /// The check that failed.
        check: String,
    },
    /// It is whole, and of another version's format.
    #[error("its format is {found}, this version of powersweep knows {FORMAT}")]
    Format {
        /// The format's version.
        found: u64,
    },
}

fn damaged(check: impl Into<String>) -> CheckpointError {
    let check = check.into();
    CheckpointError::Damaged { check }
}

impl Checkpoint {
    /// The file's bytes.
    ///
    /// # Panics
    ///
    /// Never: a header is text and numbers.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut file = Encoder::default();
        file.bytes(MAGIC);
        file.count(FORMAT);
        file.count(1 + self.ledger.cells.len() as u64);
        let header = serde_json::to_vec(&self.header).expect("texts and numbers");
        section(&mut file, 0, &header);
        for (number, (position, record)) in self.ledger.cells.iter().enumerate() {
            let mut cell = Encoder::default();
            cell.count(*position as u64);
            record.encode(&mut cell);
            section(&mut file, 1 + number as u64, &cell.finish());
        }
        let mut bytes = file.finish();
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// Reads a file's bytes, checking everything.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]; of a damaged file it names the first check that fails.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let (content, digest) = match bytes.len().checked_sub(DIGEST) {
            Some(end) => bytes.split_at(end),
            None => return Err(damaged("it ends too early")),
        };
        let is_whole = Sha256::digest(content)[..] == *digest;
        let read = Self::read(content, is_whole);
        match (read, is_whole) {
            (Ok(_), false) => Err(damaged("the checksum of the file does not match")),
            (read, _) => read,
        }
    }

    fn read(content: &[u8], is_whole: bool) -> Result<Self, CheckpointError> {
        let mut from = Decoder::new(content);
        let short = |_| damaged("it ends too early");
        if from.bytes(MAGIC.len()).map_err(short)? != MAGIC {
            return Err(damaged("it does not start as a checkpoint does"));
        }
        match from.count().map_err(short)? {
            FORMAT => {}
            found if is_whole => return Err(CheckpointError::Format { found }),
            _ => return Err(damaged("the checksum of the file does not match")),
        }
        // A section takes at least its length and its checksum.
        let sections = from.len(8 + DIGEST).map_err(short)?;
        let header = open_section(&mut from, 0)?;
        let header: Header = serde_json::from_slice(header)
            .map_err(|error| damaged(format!("the header cannot be read: {error}")))?;
        let mut cells = BTreeMap::new();
        for number in 1..sections {
            let mut cell = Decoder::new(open_section(&mut from, number as u64)?);
            let unreadable = |error| damaged(format!("section {number} cannot be read: {error}"));
            let position = cell.count().map_err(unreadable)?;
            let record = CellRecord::decode(&mut cell).map_err(unreadable)?;
            cell.finish().map_err(unreadable)?;
            let position = usize::try_from(position).ok().filter(|p| *p < header.cells);
            let is_next = |p: &usize| cells.last_key_value().is_none_or(|(last, _)| last < p);
            match position.filter(is_next) {
                Some(position) => cells.insert(position, Arc::new(record)),
                None => {
                    return Err(damaged(format!(
                        "section {number} is of no cell of the run"
                    )));
                }
            };
        }
        from.finish()
            .map_err(|error| damaged(format!("after the last section {error}")))?;
        let ledger = Ledger { cells };
        Ok(Self { header, ledger })
    }
}

fn section(file: &mut Encoder, number: u64, bytes: &[u8]) {
    file.count(bytes.len() as u64);
    file.bytes(bytes);
    file.bytes(&section_digest(number, bytes));
}

fn open_section<'a>(from: &mut Decoder<'a>, number: u64) -> Result<&'a [u8], CheckpointError> {
    let short = |_| damaged(format!("it ends in section {number}"));
    let len = from.len(1).map_err(short)?;
    let bytes = from.bytes(len).map_err(short)?;
    if from.bytes(DIGEST).map_err(short)? != section_digest(number, bytes) {
        let name = if number == 0 { " (the header)" } else { "" };
        return Err(damaged(format!(
            "the checksum of section {number}{name} does not match"
        )));
    }
    Ok(bytes)
}

/// The number goes in, so that sections cannot be swapped.
fn section_digest(number: u64, bytes: &[u8]) -> [u8; DIGEST] {
    let mut hash = Sha256::new();
    hash.update(number.to_le_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let identity = serde_json::json!({ "seed": 7, "rewards": [{ "name": "uniform" }] });
        let Value::Object(identity) = identity else {
            unreachable!("a table")
        };
        let mut second = ledger::tests::record(1_000, [0, 2, 15].into_iter());
        second.failure = Some((1, "the device was lost".to_owned()));
        let cells = [(0, ledger::tests::record(1_000, 0..3)), (4, second)];
        let header = Header {
            powersweep: "0.1.0".to_owned(),
            spec_hash: "ab".repeat(32),
            identity,
            samples: 1_000,
            cells: 5,
            backend: "fake".to_owned(),
            methods: Method::ALL.to_vec(),
            shard: Some(Shard::new(2, 3).unwrap()),
            is_done: false,
        };
        let cells = cells.map(|(position, record)| (position, Arc::new(record)));
        let ledger = Ledger {
            cells: cells.into(),
        };
        Checkpoint { header, ledger }
    }

    #[test]
    fn a_checkpoint_comes_back_as_it_was() {
        let bytes = checkpoint().encode();
        assert_eq!(Checkpoint::decode(&bytes), Ok(checkpoint()));
        assert_eq!(checkpoint().encode(), bytes);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_damage() {
        let whole = checkpoint().encode();
        let is_damage = |bytes: &[u8]| {
            matches!(
                Checkpoint::decode(bytes),
                Err(CheckpointError::Damaged { .. })
            )
        };
        assert!((0..whole.len()).all(|len| is_damage(&whole[..len])));
        assert!(is_damage(&[&whole[..], &[0]].concat()));
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            assert!(is_damage(&flipped), "byte {at}");
        }
        assert!(!is_damage(&whole), "the control");
    }

    #[test]
    fn the_check_that_fails_is_named() {
        let whole = checkpoint().encode();
        let cell = whole.len() - DIGEST - DIGEST - 40;
        for (at, expected) in [
            (3, "it does not start as a checkpoint does"),
            (
                MAGIC.len() + 16 + 8 + 5,
                "the checksum of section 0 (the header) does not match",
            ),
            (cell, "the checksum of section 2 does not match"),
            (whole.len() - 1, "the checksum of the file does not match"),
        ] {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            let error = Checkpoint::decode(&flipped).unwrap_err().to_string();
            assert_eq!(error, format!("it is damaged: {expected}"));
        }
    }

    #[test]
    fn a_whole_checkpoint_of_another_format_is_not_called_damaged() {
        let mut bytes = checkpoint().encode();
        bytes[MAGIC.len()] = 9;
        let end = bytes.len() - DIGEST;
        let digest = Sha256::digest(&bytes[..end]);
        bytes[end..].copy_from_slice(&digest);
        let error = Checkpoint::decode(&bytes).unwrap_err();
        assert_eq!(error, CheckpointError::Format { found: 9 });
    }
}

//! What of a run is done: the blocks of every cell and their sums.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::statistics::{
    Block, BlockSet, Blocks, CellSums, DecodeError, Decoder, Encoder, FixedPointError,
    ObservedSums, SharedBlock,
};

/// Sums over goals of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// POWER of every state.
    pub power: CellSums,
    /// What is asked beyond it.
    pub observed: ObservedSums,
}

impl Sums {
    /// Adds the sums of other goals. Any order gives the same value.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn merge(&mut self, other: &Self) -> Result<(), FixedPointError> {
        self.power.merge(&other.power)?;
        self.observed.merge(&other.observed)
    }

    fn encode(&self, to: &mut Encoder) {
        self.power.encode(to);
        self.observed.encode(to);
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            power: CellSums::decode(from)?,
            observed: ObservedSums::decode(from)?,
        })
    }

    /// Same shape and units: what can be added up.
    fn fits(&self, other: &Self) -> bool {
        self.power.scale == other.power.scale
            && self.power.power.len() == other.power.power.len()
            && self.observed.n_quantities() == other.observed.n_quantities()
    }
}

/// The last block of a run, where the number of goals cuts it short. A run of more goals needs all of it, and its sums are rounded as
/// one: so it is kept apart, and solved again then.
#[derive(Clone, Debug, PartialEq)]
pub struct Tail {
    /// The block as far as it goes.
    pub block: u64,
    /// Its goals.
    pub goals: u64,
    /// Their sums.
    pub sums: Sums,
}

/// What a cell is, so that sums of another one are never added: two hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellKey {
    /// The plan's ([`Plan::hash`](crate::plan::Plan::hash)).
    pub plan: [u8; 32],
    /// Everything else that the sums depend on: law, seed, tolerance, statistics, block size.
    pub problem: [u8; 32],
}

/// The backend that solved a cell which the run's own refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StandIn {
    /// What it is.
    pub solver: String,
    /// Why the run's backend did not take the cell.
    pub refusal: String,
}

/// One cell as far as it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct CellRecord {
    /// Which cell.
    pub key: CellKey,
    /// Goals of a block.
    pub block_size: u64,
    /// The whole blocks that are in `sums`.
    pub done: BlockSet,
    /// Sums of the whole blocks.
    pub sums: Sums,
    /// The block that is cut short, once it is done.
    pub tail: Option<Tail>,
    /// Why the cell has no result: the lowest block that failed, and what went wrong there.
    pub failure: Option<(u64, String)>,
    /// What solved it, where that was not the run's backend. Sums do not depend on it beyond their bounds; of shards that differ in it, one is kept.
    pub stand_in: Option<StandIn>,
}

impl CellRecord {
    /// Nothing done yet.
    #[must_use]
    pub fn new(key: CellKey, block_size: u64, empty: Sums) -> Self {
        Self {
            key,
            block_size,
            done: BlockSet::default(),
            sums: empty,
            tail: None,
            failure: None,
            stand_in: None,
        }
    }

    /// Adds a block, which must be one that [`needs`](Self::needs) knows nothing of.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn add(&mut self, block: Block, sums: Sums) -> Result<(), FixedPointError> {
        if self.tail.as_ref().is_some_and(|t| t.block == block.index) {
            self.tail = None;
        }
        if block.len < self.block_size {
            let (block, goals) = (block.index, block.len);
            self.tail = Some(Tail { block, goals, sums });
            return Ok(());
        }
        self.sums.merge(&sums)?;
        self.done.insert(block.index);
        Ok(())
    }

    /// Whether a block is still to be solved.
    #[must_use]
    pub fn needs(&self, block: Block) -> bool {
        match block.len < self.block_size {
            true => !self.has_tail(block),
            false => !self.done.contains(block.index),
        }
    }

    fn has_tail(&self, block: Block) -> bool {
        let tail = self.tail.as_ref();
        tail.is_some_and(|t| (t.block, t.goals) == (block.index, block.len))
    }

    /// The blocks of a range that are still to be solved, for a cell of so many goals.
    #[must_use]
    pub fn missing(&self, goals: u64, range: Range<u64>) -> Vec<Range<u64>> {
        let blocks = Blocks::new(goals, self.block_size);
        let range = range.start.min(blocks.len())..range.end.min(blocks.len());
        let mut missing = self.done.missing(range);
        // The last block is never among the whole ones where it is cut short.
        if let Some(last) = missing.last_mut()
            && last.end == blocks.len()
            && !self.needs(blocks.get(last.end - 1))
        {
            last.end -= 1;
        }
        missing.retain(|range| !range.is_empty());
        missing
    }

    /// Goals that are done.
    #[must_use]
    pub fn goals(&self) -> u64 {
        self.sums.power.goals + self.tail.as_ref().map_or(0, |tail| tail.goals)
    }

    /// One more than the highest number of a goal that is done; 0 where none is.
    #[must_use]
    pub fn end(&self) -> u64 {
        let tail = self.tail.as_ref();
        let tail = tail.map_or(0, |tail| tail.block * self.block_size + tail.goals);
        tail.max(self.done.end() * self.block_size)
    }

    /// Sums of all that is done.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn totals(&self) -> Result<Sums, FixedPointError> {
        let mut sums = self.sums.clone();
        if let Some(tail) = &self.tail {
            sums.merge(&tail.sums)?;
        }
        Ok(sums)
    }

    /// Adds what another record of the same cell holds, none of whose blocks is in this one.
    ///
    /// # Errors
    ///
    /// [`MergeError`].
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        if self.key.plan != other.key.plan {
            return Err(MergeError::Plan);
        }
        if self.key != other.key || !self.sums.fits(&other.sums) {
            return Err(MergeError::Problem);
        }
        self.done.add_disjoint(&other.done)?;
        self.sums.merge(&other.sums)?;
        match (&self.tail, &other.tail) {
            (Some(tail), Some(_)) => return Err(SharedBlock(tail.block).into()),
            (None, Some(tail)) => self.tail = Some(tail.clone()),
            (_, None) => {}
        }
        let failures = [self.failure.take(), other.failure.clone()];
        self.failure = failures.into_iter().flatten().min();
        let stand_ins = [self.stand_in.take(), other.stand_in.clone()];
        self.stand_in = stand_ins.into_iter().flatten().min();
        Ok(())
    }

    pub(super) fn encode(&self, to: &mut Encoder) {
        to.bytes(&self.key.plan);
        to.bytes(&self.key.problem);
        to.count(self.block_size);
        self.done.encode(to);
        self.sums.encode(to);
        to.count(self.tail.is_some().into());
        if let Some(tail) = &self.tail {
            to.count(tail.block);
            to.count(tail.goals);
            tail.sums.encode(to);
        }
        to.count(self.failure.is_some().into());
        if let Some((block, message)) = &self.failure {
            to.count(*block);
            encode_text(message, to);
        }
        to.count(self.stand_in.is_some().into());
        if let Some(StandIn { solver, refusal }) = &self.stand_in {
            encode_text(solver, to);
            encode_text(refusal, to);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let hash = |from: &mut Decoder<'_>| {
            let bytes = from.bytes(32)?;
            bytes.try_into().map_err(|_| DecodeError::Short)
        };
        let key = CellKey {
            plan: hash(from)?,
            problem: hash(from)?,
        };
        let block_size = from.count()?;
        let done = BlockSet::decode(from)?;
        let sums = Sums::decode(from)?;
        let flag = |from: &mut Decoder<'_>| match from.count()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Impossible("a flag")),
        };
        let tail = match flag(from)? {
            true => Some(Tail {
                block: from.count()?,
                goals: from.count()?,
                sums: Sums::decode(from)?,
            }),
            false => None,
        };
        let failure = match flag(from)? {
            true => Some((from.count()?, decode_text(from)?)),
            false => None,
        };
        let stand_in = match flag(from)? {
            true => Some(StandIn {
                solver: decode_text(from)?,
                refusal: decode_text(from)?,
            }),
            false => None,
        };
        let record = Self {
            key,
            block_size,
            done,
            sums,
            tail,
            failure,
            stand_in,
        };
        match record.is_consistent() {
            true => Ok(record),
            false => Err(DecodeError::Impossible("the number of goals")),
        }
    }

    /// Whether goals and blocks agree, and the parts have one shape.
    fn is_consistent(&self) -> bool {
        let whole = self.done.len().checked_mul(self.block_size);
        let observed = self.sums.observed.goals;
        let tail = self.tail.as_ref().is_none_or(|tail| {
            (1..self.block_size).contains(&tail.goals)
                && tail.sums.power.goals == tail.goals
                && tail.sums.fits(&self.sums)
                && !self.done.contains(tail.block)
        });
        self.block_size > 0
            && whole == Some(self.sums.power.goals)
            && (observed == self.sums.power.goals || observed == 0)
            && tail
    }
}

fn encode_text(text: &str, to: &mut Encoder) {
    to.count(text.len() as u64);
    to.bytes(text.as_bytes());
}

fn decode_text(from: &mut Decoder<'_>) -> Result<String, DecodeError> {
    let len = from.len(1)?;
    let text = String::from_utf8(from.bytes(len)?.to_vec());
    text.map_err(|_| DecodeError::Impossible("a text"))
}

/// Why two records of a cell cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// They were solved with different plans.
    #[error("the plans differ")]
    Plan,
    /// They are of different problems.
    #[error("the laws, the statistics or the MDPs differ")]
    Problem,
    /// A block is in both.
    #[error(transparent)]
    Shared(#[from] SharedBlock),
    /// The sums are too large.
    #[error(transparent)]
    Sum(#[from] FixedPointError),
}

/// What of a run is done, by the cells' positions in the order of the experiment. Cells that were not begun are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// The cells.
    pub cells: BTreeMap<usize, Arc<CellRecord>>,
}

impl Ledger {
    /// Goals that are done, over all cells.
    #[must_use]
    pub fn goals(&self) -> u64 {
        self.cells.values().map(|cell| cell.goals()).sum()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::statistics::{BlockSums, PowerScale};

    /// Goals of a block.
    const SIZE: u64 = 64;

    fn block(goals: u64, index: u64) -> Block {
        Blocks::new(goals, SIZE).get(index)
    }

    fn sums(block: Block) -> Sums {
        let mut sums = BlockSums::new(2);
        for goal in block.first..block.first + block.len {
            sums.power[0] += (goal as f64).sin();
            sums.power[1] += 0.1 * goal as f64;
            sums.note_goal(goal, 1e-6, 1e-5, 3);
        }
        let mut power = CellSums::new(2, PowerScale::new(0.0, 100.0));
        power.add_block(&sums).unwrap();
        let observed = ObservedSums::new(0);
        Sums { power, observed }
    }

    pub(in super::super) fn record(goals: u64, blocks: impl Iterator<Item = u64>) -> CellRecord {
        let key = CellKey {
            plan: [1; 32],
            problem: [2; 32],
        };
        let empty = Sums {
            power: CellSums::new(2, PowerScale::new(0.0, 100.0)),
            observed: ObservedSums::new(0),
        };
        let mut record = CellRecord::new(key, SIZE, empty);
        for index in blocks {
            let block = block(goals, index);
            assert!(record.needs(block));
            record.add(block, sums(block)).unwrap();
            assert!(!record.needs(block));
        }
        record
    }

    fn ends(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
        ranges
            .iter()
            .map(|range| (range.start, range.end))
            .collect()
    }

    #[test]
    fn what_is_missing_counts_the_block_that_is_cut_short() {
        // 3 whole blocks and one of 8 goals.
        let goals = 3 * SIZE + 8;
        let missing = |blocks: &[u64], range| {
            ends(&record(goals, blocks.iter().copied()).missing(goals, range))
        };
        assert_eq!(missing(&[], 0..4), [(0, 4)]);
        assert_eq!(missing(&[3], 0..4), [(0, 3)]);
        assert_eq!(missing(&[0, 3], 0..u64::MAX), [(1, 3)]);
        assert_eq!(missing(&[0, 1, 2], 0..4), [(3, 4)]);
        assert_eq!(missing(&[0, 1, 2, 3], 0..4), []);
        assert_eq!(missing(&[0], 1..2), [(1, 2)]);
    }

    #[test]
    fn more_goals_need_all_of_the_block_that_was_cut_short() {
        let (few, many) = (SIZE + 8, 2 * SIZE + 8);
        let mut extended = record(few, 0..2);
        assert_eq!(extended.goals(), few);
        assert_eq!(ends(&extended.missing(many, 0..9)), [(1, 3)]);
        for index in 1..3 {
            let block = block(many, index);
            extended.add(block, sums(block)).unwrap();
        }
        assert_eq!(extended, record(many, 0..3));
        assert_ne!(extended, record(few, 0..2));
    }

    #[test]
    fn records_of_one_cell_merge_in_any_order_unless_they_share_a_block() {
        let goals = 5 * SIZE + 1;
        let parts = [vec![0, 4], vec![5, 1], vec![3, 2]].map(|b| record(goals, b.into_iter()));
        for order in [[0, 1, 2], [2, 0, 1]] {
            let mut whole = parts[order[0]].clone();
            order[1..]
                .iter()
                .for_each(|&i| whole.merge(&parts[i]).unwrap());
            assert_eq!(whole, record(goals, 0..6));
            let again = whole.merge(&parts[0]).unwrap_err();
            assert_eq!(again.to_string(), "block 0 is in both");
        }
        let mut other = parts[0].clone();
        other.key.plan = [9; 32];
        assert_eq!(other.merge(&parts[1]), Err(MergeError::Plan));
    }

    #[test]
    fn the_failure_of_the_lowest_block_is_kept() {
        let mut first = record(SIZE, 0..0);
        let mut second = first.clone();
        first.failure = Some((7, "late".to_owned()));
        second.failure = Some((3, "early".to_owned()));
        first.merge(&second).unwrap();
        assert_eq!(first.failure, second.failure);
    }

    #[test]
    fn what_stood_in_for_a_backend_is_kept_whatever_the_order() {
        let stood = |words: &str| {
            let stand_in = Some(StandIn {
                solver: "cpu".to_owned(),
                refusal: words.to_owned(),
            });
            CellRecord {
                stand_in,
                ..record(SIZE, 0..0)
            }
        };
        let (a, b, none) = (stood("a"), stood("b"), record(SIZE, 0..0));
        for (mut first, second) in [(a.clone(), b.clone()), (b, a.clone()), (none, a.clone())] {
            first.merge(&second).unwrap();
            assert_eq!(first.stand_in, a.stand_in);
        }
    }
}

//! Which blocks of a cell are done.

use std::ops::Range;

/// A set of block numbers, held as ranges: blocks are taken in order, so that a run's set is a prefix and a few stragglers.
///
/// ```
/// use powersweep::statistics::BlockSet;
///
/// let mut done = BlockSet::default();
/// for block in [0, 1, 3] {
///     done.insert(block);
/// }
/// assert_eq!(done.ranges(), [0..2, 3..4]);
/// assert_eq!(done.missing(0..6), [2..3, 4..6]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockSet {
    /// Ascending, not empty, with a gap between any two.
    ranges: Vec<Range<u64>>,
}

/// Two sets that should have nothing in common share this block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block {0} is in both")]
pub struct SharedBlock(pub u64);

impl BlockSet {
    /// The set of these ranges, which must be ascending and not empty, with a gap between any two; `None` where they are not.
    #[must_use]
    pub fn from_ranges(ranges: Vec<Range<u64>>) -> Option<Self> {
        let proper = ranges.iter().all(|r| r.start < r.end);
        let apart = ranges.windows(2).all(|pair| pair[0].end < pair[1].start);
        (proper && apart).then_some(Self { ranges })
    }

    /// Its ranges, ascending, with a gap between any two.
    #[must_use]
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// How many blocks there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// One more than the highest block; 0 where there is none.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |r| r.end)
    }

    /// Whether a block is in it.
    #[must_use]
    pub fn contains(&self, block: u64) -> bool {
        let after = self.ranges.partition_point(|r| r.end <= block);
        self.ranges.get(after).is_some_and(|r| r.start <= block)
    }

    /// Adds a block.
    pub fn insert(&mut self, block: u64) {
        self.insert_range(block..block + 1);
    }

    /// Adds all blocks of a range, whether they are in it or not.
    pub fn insert_range(&mut self, new: Range<u64>) {
        if new.is_empty() {
            return;
        }
        // Ranges that touch the new one become one with it.
        let first = self.ranges.partition_point(|r| r.end < new.start);
        let last = self.ranges.partition_point(|r| r.start <= new.end);
        let touched = &self.ranges[first..last];
        let start = touched
            .first()
            .map_or(new.start, |r| r.start.min(new.start));
        let end = touched.last().map_or(new.end, |r| r.end.max(new.end));
        let whole = std::iter::once(start..end);
        self.ranges.splice(first..last, whole);
    }

    /// The blocks of a range that are not in it, as ascending ranges.
    #[must_use]
    pub fn missing(&self, of: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut at = of.start;
        for range in &self.ranges {
            gaps.push(at..range.start.min(of.end));
            at = at.max(range.end);
        }
        gaps.push(at..of.end);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// Adds the blocks of a set that has none in common with this one.
    ///
    /// # Errors
    ///
    /// The lowest block that both have; nothing is added then.
    pub fn add_disjoint(&mut self, other: &Self) -> Result<(), SharedBlock> {
        for range in &other.ranges {
            let new: u64 = self
                .missing(range.clone())
                .iter()
                .map(|g| g.end - g.start)
                .sum();
            if new < range.end - range.start {
                let shared = range.clone().find(|&block| self.contains(block));
                return Err(SharedBlock(shared.unwrap_or(range.start)));
            }
        }
        other
            .ranges
            .iter()
            .for_each(|r| self.insert_range(r.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_set_it_stands_for(
            ranges in prop::collection::vec((0_u64..40, 0_u64..6), 0..20),
            others in prop::collection::vec(0_u64..40, 0..4),
            window in (0_u64..45, 0_u64..45),
        ) {
            let mut set = BlockSet::default();
            let mut plain = BTreeSet::new();
            for (start, len) in ranges {
                set.insert_range(start..start + len);
                plain.extend(start..start + len);
            }
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.end(), plain.last().map_or(0, |last| last + 1));
            prop_assert!((0..50).all(|b| set.contains(b) == plain.contains(&b)));
            prop_assert_eq!(BlockSet::from_ranges(set.ranges().to_vec()), Some(set.clone()));
            let missing: Vec<u64> = set.missing(window.0..window.1).into_iter().flatten().collect();
            let expected: Vec<u64> = (window.0..window.1).filter(|b| !plain.contains(b)).collect();
            prop_assert_eq!(missing, expected);
            let mut other = BlockSet::default();
            others.iter().for_each(|&b| other.insert(b));
            let shared = others.iter().copied().filter(|b| plain.contains(b)).min();
            let before = set.clone();
            match set.add_disjoint(&other) {
                Ok(()) => prop_assert_eq!(shared, None),
                Err(SharedBlock(block)) => {
                    prop_assert_eq!(Some(block), shared);
                    prop_assert_eq!(set, before);
                }
            }
        }
    }

    #[test]
    fn ranges_that_are_no_set_are_refused() {
        let set = |ranges: &[Range<u64>]| BlockSet::from_ranges(ranges.to_vec());
        assert!(set(&[0..2, 3..4]).is_some() && set(&[]).is_some());
        let (backwards, empty) = (Range { start: 4, end: 2 }, 2..2);
        for wrong in [
            vec![0..2, 2..4],
            vec![3..4, 0..1],
            vec![empty],
            vec![backwards],
        ] {
            assert_eq!(set(&wrong), None, "{wrong:?}");
        }
    }
}

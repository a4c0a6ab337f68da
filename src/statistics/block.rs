//! Blocks: the fixed runs of consecutive goals that are summed on their own.

/// Number of goals that are solved side by side, on every backend.
///
/// Blocks are aligned to tiles, and a solved value may depend on the tile it was solved in (a tile stops when all its
/// goals are certified), so the width is a constant of the project rather than of a machine.
pub const TILE: usize = 64;

/// Goals per block: about `2^22 / n_states`, a multiple of 64 between 64 and 16,384. A function of the MDP alone.
#[must_use]
pub fn block_size(n_states: usize) -> u64 {
    let goals = (1_usize << 22) / n_states.max(1);
    (goals / TILE * TILE).clamp(TILE, 16_384) as u64
}

/// Running sums that the observations of a block's goals are dealt to in turn.
pub(super) const PARTIAL: usize = 8;

/// How far rounding can have moved the mean over `goals` numbers, relative to the largest of them.
///
/// With u = 2^-53: numbers are added in f64 inside a block of m goals only, each by way of at most m/8 + 8 additions (observations, in eight running sums that
/// are then brought together) or [`TILE`] + m/[`TILE`] (POWER, tile by tile), and each addition errs by u of a partial sum. The block's sum is rounded to an integer once,
/// by less than u; integers add exactly; turning them into a number, dividing and shifting it take three roundings, one less than the mean a fourth.
#[must_use]
pub fn rounding_of_mean(goals: u64) -> f64 {
    let block = goals.min(block_size(1));
    let additions = block.div_ceil(PARTIAL as u64) + (PARTIAL + TILE) as u64;
    (additions + 5) as f64 * (f64::EPSILON / 2.0)
}

/// One run of consecutive goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Position in the run, from 0.
    pub index: u64,
    /// First goal.
    pub first: u64,
    /// Number of goals that count; the last block of a run may be short.
    pub len: u64,
}

impl Block {
    /// The part of it whose goals are numbered below `count`, if there is any.
    #[must_use]
    pub fn below(self, count: u64) -> Option<Self> {
        let len = count.checked_sub(self.first)?.min(self.len);
        (len > 0).then_some(Self { len, ..self })
    }
}

/// The blocks of a run of `count` goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    count: u64,
    size: u64,
}

impl Blocks {
    /// Cuts `count` goals into blocks of `size`.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    #[must_use]
    pub fn new(count: u64, size: u64) -> Self {
        assert!(size > 0, "a block holds at least one goal");
        Self { count, size }
    }

    /// Number of goals.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// Goals of a block; the last one may hold fewer.
    #[must_use]
    pub fn size(self) -> u64 {
        self.size
    }

    /// Number of blocks.
    #[must_use]
    pub fn len(self) -> u64 {
        self.count.div_ceil(self.size)
    }

    /// Whether there is no goal at all.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Block number `index`.
    ///
    /// # Panics
    ///
    /// If there is no such block.
    #[must_use]
    pub fn get(self, index: u64) -> Block {
        assert!(index < self.len(), "block {index} of {}", self.len());
        let first = index * self.size;
        Block {
            index,
            first,
            len: self.size.min(self.count - first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_whole_number_of_tiles() {
        for states in [1, 2, 63, 64, 65, 257, 1_000, 65_536, 1_000_000] {
            let size = block_size(states);
            assert!(
                size.is_multiple_of(64) && (64..=16_384).contains(&size),
                "{states}: {size}"
            );
        }
    }

    #[test]
    fn blocks_cover_the_run_once() {
        let blocks = Blocks::new(1_000, 64);
        let total: u64 = (0..blocks.len()).map(|b| blocks.get(b).len).sum();
        assert_eq!((blocks.len(), total, blocks.get(15).len), (16, 1_000, 40));
    }
}

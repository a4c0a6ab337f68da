//! From a word to its segment: an index on the upper bits, then a short search.

use super::Segment;

/// Most cells of an index, as a power of two: 16 KiB.
const MOST_BITS: u32 = 12;

/// Fewest cells, as a power of two.
const FEWEST_BITS: u32 = 4;

/// An index that needs no more steps of search than this for the average word is fine enough.
const STEPS: f64 = 0.125;

/// Numbers of segments by the upper bits of the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) shift: u32,
    /// `[2^(32 - shift) + 1]`.
    pub(super) cells: Vec<u32>,
}

impl Index {
    /// The coarsest index that is fine enough.
    pub(super) fn new(segments: &[Segment]) -> Self {
        (FEWEST_BITS..MOST_BITS)
            .map(|bits| Self::with_bits(segments, bits))
            .find(|index| index.steps() <= STEPS)
            .unwrap_or_else(|| Self::with_bits(segments, MOST_BITS))
    }

    fn with_bits(segments: &[Segment], bits: u32) -> Self {
        let shift = 32 - bits;
        let mut cells: Vec<u32> = (0..1u32 << bits)
            .map(|c| {
                let first = c << shift;
                segments.partition_point(|s| s.start <= first) as u32 - 1
            })
            .collect();
        cells.push(segments.len() as u32 - 1);
        Self { shift, cells }
    }

    /// Steps of search for the average word.
    fn steps(&self) -> f64 {
        let steps: u32 = self
            .cells
            .windows(2)
            .map(|pair| (pair[1] - pair[0] + 1).next_power_of_two().trailing_zeros())
            .sum();
        f64::from(steps) / (self.cells.len() - 1) as f64
    }

    /// The number of the segment that holds `word`.
    #[inline(always)]
    pub(super) fn find(&self, segments: &[Segment], word: u32) -> usize {
        let cell = (word >> self.shift) as usize;
        let (low, high) = (self.cells[cell], self.cells[cell + 1]);
        if high - low > 1 {
            return search(segments, low, high, word);
        }
        // Without a branch: whether a border inside a cell is passed cannot be predicted.
        let beyond = segments[high as usize].start <= word;
        (if beyond { high } else { low }) as usize
    }
}

/// Cells of several segments: all together a per cent or two of the words.
#[inline(never)]
fn search(segments: &[Segment], low: u32, high: u32, word: u32) -> usize {
    let (mut low, mut high) = (low, high);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if segments[middle as usize].start <= word {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low as usize
}

//! The inverse distribution function of a law as a piecewise-linear integer map: 32 random bits to a reward, exactly.

mod build;
mod search;

pub use build::{Shape, TableFault, Tolerance};

use search::Index;

/// Binary digits after the point of [`Segment::base`] and [`Segment::rise`].
pub const FRACTION_BITS: u32 = 6;

/// Where in [`Segment::scale`] the shift is.
pub const SHIFT_MASK: u32 = 31;

/// One line of a [`Table`], 16 bytes, as a device reads it.
///
/// The word `w` of a segment stands for the integer
///
/// ```text
/// t = (w - start) << (scale & 31)                  mod 2^32
/// m = (base + mulhi(rise, t)) >> 6                 mulhi: upper half of the 64-bit product; an arithmetic shift
/// ```
///
/// and for the reward `f32(m) * 2^k`, where `2^k` is the number whose f32 bits are `scale & !31`. `|m| <= 2^24`, so that the
/// conversion and the product are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Segment {
    /// First word.
    pub start: u32,
    /// `64 m + 32` at the first word.
    pub base: i32,
    /// How much `64 m` grows over `2^(32 - shift)` words.
    pub rise: u32,
    /// Bits of the f32 `2^k`; its lowest five are free and hold the shift that brings `w - start` to 32 bits.
    pub scale: u32,
}

impl Segment {
    /// The integer a word of this segment stands for.
    #[inline(always)]
    #[must_use]
    pub fn integer(self, word: u32) -> i32 {
        let t = word.wrapping_sub(self.start) << (self.scale & SHIFT_MASK);
        let grown = ((u64::from(self.rise) * u64::from(t)) >> 32) as u32;
        (self.base as u32).wrapping_add(grown) as i32 >> FRACTION_BITS
    }

    /// The spacing of the rewards, a power of two.
    #[inline(always)]
    #[must_use]
    pub fn spacing(self) -> f32 {
        f32::from_bits(self.scale & !SHIFT_MASK)
    }

    /// The reward a word of this segment stands for.
    #[inline(always)]
    #[must_use]
    pub fn value(self, word: u32) -> f32 {
        self.integer(word) as f32 * self.spacing()
    }
}

/// Where the rewards of a table lie: `low 2^exponent, ..., high 2^exponent`, equally spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Points {
    /// Smallest integer, at least `-2^24`.
    pub low: i32,
    /// Largest integer, at most `2^24`.
    pub high: i32,
    /// The spacing is `2^exponent`.
    pub exponent: i32,
}

/// How far a table's rewards may be from the law's quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Accuracy {
    /// `|value - Q|` is at most this.
    Absolute(f64),
    /// `|value - Q|` is at most this times `|Q|`.
    Relative(f64),
}

/// A law's inverse distribution function `Q`, tabulated.
///
/// Word `w` stands for `Q((w + 1/2) / 2^32)` up to [`accuracy`](Self::accuracy), and the rewards never fall as `w` grows. The
/// table is made once, in f64; a reward is then made by integer arithmetic and one exact product, so that no backend can
/// round differently.
///
/// # Layout
///
/// `segments` are the lines, in ascending order of their first word; the last reaches to the largest word. `cells[c]`
/// is the number of the segment that holds word `c << cell_shift`, with one more entry for the end, so the segment of a word is
/// the last one in `cells[c] ..= cells[c + 1]` that starts at or before it. Both arrays can be uploaded as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    segments: Vec<Segment>,
    index: Index,
    accuracy: Accuracy,
    points: Option<Points>,
    mean: f64,
}

impl Table {
    /// Checks what holds for every table and makes the index.
    fn new(segments: Vec<Segment>, accuracy: Accuracy) -> Self {
        assert_eq!(segments[0].start, 0, "a table begins at word 0");
        let exponent = segments[0].spacing().to_bits();
        let common = segments.iter().all(|s| s.spacing().to_bits() == exponent);
        let index = Index::new(&segments);
        let mut table = Self {
            segments,
            index,
            accuracy,
            points: None,
            mean: 0.0,
        };
        table.mean = table.mean_of_lines();
        if common {
            table.points = Some(Points {
                low: table.integer(0),
                high: table.integer(u32::MAX),
                exponent: (exponent >> 23) as i32 - 127,
            });
        }
        table
    }

    fn mean_of_lines(&self) -> f64 {
        let total = self.pieces().map(|(first, last)| {
            let words = f64::from(last - first) + 1.0;
            words * (f64::from(self.value(first)) + f64::from(self.value(last))) / 2.0
        });
        total.sum::<f64>() / 2f64.powi(32)
    }

    /// The lines.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Per cell of the word space the number of the segment that holds its first word, and one entry more.
    #[must_use]
    pub fn cells(&self) -> &[u32] {
        &self.index.cells
    }

    /// A word `w` is in cell `w >> cell_shift`.
    #[must_use]
    pub fn cell_shift(&self) -> u32 {
        self.index.shift
    }

    /// Proven at the build: how far a reward can be from the law's quantile.
    #[must_use]
    pub fn accuracy(&self) -> Accuracy {
        self.accuracy
    }

    /// The equally spaced points that rewards are drawn from; none where the spacing grows with the reward.
    #[must_use]
    pub fn lattice(&self) -> Option<Points> {
        self.points
    }

    /// The line that holds a word.
    #[inline(always)]
    #[must_use]
    pub fn segment(&self, word: u32) -> Segment {
        self.segments[self.index.find(&self.segments, word)]
    }

    /// The integer a word stands for, in units of its segment's spacing.
    #[must_use]
    pub fn integer(&self, word: u32) -> i32 {
        self.segment(word).integer(word)
    }

    /// The reward a word stands for.
    #[must_use]
    pub fn value(&self, word: u32) -> f32 {
        self.segment(word).value(word)
    }

    /// The rewards of many words; `to` is as long as `words`.
    #[inline]
    pub fn values(&self, words: &[u32], to: &mut [f32]) {
        for (to, &word) in to.iter_mut().zip(words) {
            *to = self.segment(word).value(word);
        }
    }

    /// The smallest and the largest reward.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (f64::from(self.value(0)), f64::from(self.value(u32::MAX)))
    }

    /// First and last word of every segment.
    pub fn pieces(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let next = self.segments.iter().skip(1).map(|s| s.start - 1);
        let ends = next.chain([u32::MAX]);
        self.segments.iter().map(|s| s.start).zip(ends)
    }

    /// The mean of the drawn rewards, up to their rounding: finite for every law.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// What the table takes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.segments()) + size_of_val(self.cells())
    }
}

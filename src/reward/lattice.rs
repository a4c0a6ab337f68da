//! The integer map that every table law shares: 32 random bits to a reward, exactly.

/// A law on equally spaced points: `m = low + floor(word * width / 2^32)`, reward `f32(m) * 2^exponent`.
///
/// Integer arithmetic up to the last, exact, scaling: no backend can round differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lattice {
    /// Smallest integer, at least -2^24.
    pub low: i32,
    /// Number of points, at most 2^25.
    pub width: u32,
    /// The spacing is `2^exponent`.
    pub exponent: i32,
}

impl Lattice {
    /// The spacing, a power of two.
    #[must_use]
    pub fn spacing(self) -> f32 {
        2f32.powi(self.exponent)
    }

    /// The integer a word stands for.
    #[must_use]
    pub fn integer(self, word: u32) -> i32 {
        let step = (u64::from(word) * u64::from(self.width)) >> 32;
        self.low + step as i32
    }

    /// The reward a word stands for.
    #[must_use]
    pub fn value(self, word: u32) -> f32 {
        self.integer(word) as f32 * self.spacing()
    }

    /// The smallest and the largest reward.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        let unit = 2f64.powi(self.exponent);
        let low = f64::from(self.low);
        (low * unit, (low + f64::from(self.width) - 1.0) * unit)
    }

    /// The largest absolute reward.
    #[must_use]
    pub fn magnitude(self) -> f64 {
        let (low, high) = self.range();
        low.abs().max(high.abs())
    }

    /// The lattice's mean.
    #[must_use]
    pub fn mean(self) -> f64 {
        (f64::from(self.low) + (f64::from(self.width) - 1.0) / 2.0) * 2f64.powi(self.exponent)
    }
}

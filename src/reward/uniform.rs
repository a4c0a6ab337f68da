//! The uniform law on [low, high).

use super::Lattice;
use crate::document::{Faults, TableReader};

/// Fewest lattice points a uniform law may have, so that its moments are right to 1e-5 of its range.
const MIN_POINTS: f64 = 65_536.0;

/// Uniform on `[low, high)`.
///
/// # Precision
///
/// Drawn from the multiples of `2^k` in `[low, high)`, with `2^k` the spacing that gives the larger end 24 bits. On
/// [0, 1) that is `(word >> 8) * 2^-24`. The mean of the drawn law is half a spacing below the continuous one: 3e-8 of the
/// range on [0, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    low: f64,
    high: f64,
    lattice: Lattice,
}

/// An interval that cannot be drawn from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UniformError {
    /// The ends are not finite numbers in ascending order.
    #[error("`low` must be below `high`, both finite: [{low}, {high}) is empty")]
    Empty {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// The interval is so narrow for its distance from zero that single precision has too few points in it.
    #[error(
        "[{low}, {high}) is too narrow for its distance from zero: single precision has {points} points in it, 65536 \
         are needed. POWER moves with the rewards: measure [0, {width}) and add {low}"
    )]
    TooNarrow {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
        /// `high - low`.
        width: f64,
        /// Points available.
        points: f64,
    },
    /// Outside the range of normal single precision numbers with room for sums.
    #[error(
        "[{low}, {high}) is outside the magnitudes 1e-18 to 1e18 that single precision arithmetic can carry"
    )]
    Magnitude {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
}

impl Uniform {
    /// Uniform on [0, 1).
    #[must_use]
    pub fn unit() -> Self {
        Self {
            low: 0.0,
            high: 1.0,
            lattice: Lattice {
                low: 0,
                width: 1 << 24,
                exponent: -24,
            },
        }
    }

    /// Uniform on `[low, high)`.
    ///
    /// # Errors
    ///
    /// [`UniformError`] when the interval is empty, too narrow for its distance from zero, or of extreme magnitude.
    pub fn new(low: f64, high: f64) -> Result<Self, UniformError> {
        if !(low < high && low.is_finite() && high.is_finite()) {
            return Err(UniformError::Empty { low, high });
        }
        let magnitude = low.abs().max(high.abs());
        if !(1e-18..=1e18).contains(&magnitude) {
            return Err(UniformError::Magnitude { low, high });
        }
        // The spacing 2^k with magnitude <= 2^24 * 2^k < 2 * magnitude.
        let exponent = magnitude.log2().ceil() as i32 - 24;
        let unit = 2f64.powi(exponent);
        let first = (low / unit).round();
        let points = (high / unit).round() - first;
        if points < MIN_POINTS {
            let width = high - low;
            return Err(UniformError::TooNarrow {
                low,
                high,
                width,
                points,
            });
        }
        let lattice = Lattice {
            low: first as i32,
            width: points as u32,
            exponent,
        };
        Ok(Self { low, high, lattice })
    }

    /// Reads `low` and `high` (0 and 1 where they are left out).
    pub fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let low = table.number("low", faults);
        let high = table.number("high", faults);
        let span = high.as_ref().or(low.as_ref()).map(|x| x.span.clone());
        match Self::new(low.map_or(0.0, |x| x.value), high.map_or(1.0, |x| x.value)) {
            Ok(law) => Some(law),
            Err(error) => {
                faults.error(span, error.to_string());
                None
            }
        }
    }

    /// Lower end.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.low
    }

    /// Upper end, never drawn.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.high
    }

    /// `high - low`.
    #[must_use]
    pub fn range(&self) -> f64 {
        self.high - self.low
    }

    /// The points it is drawn from.
    #[must_use]
    pub fn lattice(&self) -> Lattice {
        self.lattice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_interval_takes_the_upper_24_bits() {
        assert_eq!(Uniform::new(0.0, 1.0).unwrap(), Uniform::unit());
        for word in [0, 1, 255, 256, 0x8000_0000, 0xffff_ffff] {
            let expected = (word >> 8) as f32 * 2f32.powi(-24);
            assert_eq!(Uniform::unit().lattice().value(word), expected);
        }
    }

    #[test]
    fn the_upper_end_is_never_drawn() {
        for (low, high) in [
            (0.0, 1.0),
            (1.0, 2.0),
            (-1.0, 1.0),
            (-3.5, 0.25),
            (0.0, 1e6),
        ] {
            let lattice = Uniform::new(low, high).unwrap().lattice();
            assert_eq!(f64::from(lattice.value(0)), low);
            let top = f64::from(lattice.value(u32::MAX));
            assert!(
                top < high && high - top < 1e-5 * (high - low),
                "{low} {high} {top}"
            );
        }
    }

    #[test]
    fn impossible_intervals_are_refused() {
        assert!(matches!(
            Uniform::new(1.0, 1.0),
            Err(UniformError::Empty { .. })
        ));
        assert!(matches!(
            Uniform::new(f64::NAN, 1.0),
            Err(UniformError::Empty { .. })
        ));
        assert!(matches!(
            Uniform::new(1.0, 1.0001),
            Err(UniformError::TooNarrow { .. })
        ));
        assert!(matches!(
            Uniform::new(0.0, 1e30),
            Err(UniformError::Magnitude { .. })
        ));
    }
}

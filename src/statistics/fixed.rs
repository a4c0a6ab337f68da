//! Fixed-point sums: f64 block sums become integers, and integers add in any order to the same bytes.

/// Integers in units of `2^-bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPoint {
    bits: i32,
}

/// A sum that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FixedPointError {
    /// Not a number, or infinite: a backend produced no result.
    #[error("a block's sum is {0}: a backend returned something that is not a number")]
    NotFinite(f64),
    /// Larger than 126 bits.
    #[error("the sum overflows its 128-bit accumulator")]
    Overflow,
}

impl FixedPoint {
    /// Units fit for sums of numbers of magnitude at most `scale`: `2^-60` of the scale's binade. A block of 2^14 goals
    /// then has 74 significant bits (an f64 has 53, so nothing is lost), and 2^52 goals fit in 126 bits.
    #[must_use]
    pub fn for_scale(scale: f64) -> Self {
        Self {
            bits: 60 - scale.log2().ceil() as i32,
        }
    }

    /// Units of `2^-bits`.
    pub(super) fn with_bits(bits: i32) -> Self {
        Self { bits }
    }

    pub(super) fn bits(self) -> i32 {
        self.bits
    }

    /// The unit as a number.
    #[must_use]
    pub fn unit(self) -> f64 {
        2f64.powi(-self.bits)
    }

    /// Rounds to the nearest unit.
    ///
    /// # Errors
    ///
    /// [`FixedPointError`] for NaN, infinities and numbers beyond 2^120 units.
    pub fn round(self, x: f64) -> Result<i128, FixedPointError> {
        if !x.is_finite() {
            return Err(FixedPointError::NotFinite(x));
        }
        // Scaling by a power of two is exact, and so is the conversion of a whole f64 below 2^127.
        let units = (x * 2f64.powi(self.bits)).round();
        if units.abs() >= 2f64.powi(120) {
            return Err(FixedPointError::Overflow);
        }
        Ok(units as i128)
    }

    /// Adds two sums.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn add(a: i128, b: i128) -> Result<i128, FixedPointError> {
        a.checked_add(b)
            .filter(|sum| sum.unsigned_abs() < 1 << 126)
            .ok_or(FixedPointError::Overflow)
    }

    /// The number a sum stands for, to f64 precision.
    #[must_use]
    pub fn value(self, units: i128) -> f64 {
        units as f64 * self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_order() {
        let fixed = FixedPoint::for_scale(1.0);
        let parts: Vec<f64> = (0..1_000)
            .map(|i| (f64::from(i) * 0.7).sin() * 1e4)
            .collect();
        let fold = |order: Vec<usize>| {
            order.into_iter().fold(0, |sum, i| {
                FixedPoint::add(sum, fixed.round(parts[i]).unwrap()).unwrap()
            })
        };
        assert_eq!(fold((0..1_000).collect()), fold((0..1_000).rev().collect()));
        // The control: plain f64 sums of the same numbers do depend on it.
        let forward: f64 = parts.iter().sum();
        let backward: f64 = parts.iter().rev().sum();
        assert_ne!(forward, backward);
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        let fixed = FixedPoint::for_scale(1.0);
        assert!(matches!(
            fixed.round(f64::NAN),
            Err(FixedPointError::NotFinite(_))
        ));
        assert_eq!(fixed.round(1e30), Err(FixedPointError::Overflow));
        assert_eq!(
            FixedPoint::add(1 << 125, 1 << 125),
            Err(FixedPointError::Overflow)
        );
    }
}

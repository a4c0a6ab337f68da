//! Quantities that must not be swapped for one another: identifiers, the discount, the tolerance, the seed.
//!
//! Every newtype here is a plain number with a name. The room leaves their meaning to others, except for
//! [`Discount`], which owns the rounding decision that every backend shares.

use std::fmt;

/// Row of a state in one [`Mdp`](crate::mdp::Mdp), `0..n_states`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateId(pub u32);

impl StateId {
    /// The row as an index into per-state arrays.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Global index of a (state, action) pair, `choice_ptr[s]..choice_ptr[s + 1]` for state `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChoiceId(pub u32);

impl ChoiceId {
    /// The index into per-choice arrays.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Number of a sampled goal. Goal `i` is a pure function of (seed, stream, i, coordinate).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleIndex(pub u64);

/// The key of the random number generator: two runs with one seed share their goals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A discount factor in (0, 1), together with the value the engine uses.
///
/// # Precision
///
/// The discount in use is the asked one rounded to f32, on every backend (the f64 reference included), so that all
/// of them solve the same problem. `1 - gamma` is computed in f64 from the rounded value, where it is exact. Rounding
/// 0.999 moves `1/(1 - gamma)` by a relative 1.3e-5, which is why the rounded value is reported beside the asked one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discount {
    asked: f64,
    used: f32,
}

/// A number that cannot be a discount factor.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum DiscountError {
    /// Outside the open interval, or not a number.
    #[error("a discount lies strictly between 0 and 1, this one is {0}")]
    OutOfRange(f64),
    /// Inside the interval, but its f32 rounding is not.
    #[error(
        "the discount {0} rounds to 0 or 1 in single precision; the largest usable one is 0.99999994"
    )]
    RoundsAway(f64),
}

impl Discount {
    /// Takes a discount in (0, 1).
    ///
    /// # Errors
    ///
    /// [`DiscountError`] for numbers outside (0, 1) before or after rounding to f32.
    ///
    /// ```
    /// let discount = powersweep::Discount::new(0.9).unwrap();
    /// assert_eq!(discount.used(), 0.8999999761581421);
    /// assert_eq!(discount.complement(), 1.0 - 0.8999999761581421);
    /// assert!(powersweep::Discount::new(1.0).is_err());
    /// ```
    pub fn new(asked: f64) -> Result<Self, DiscountError> {
        if !(asked > 0.0 && asked < 1.0) {
            return Err(DiscountError::OutOfRange(asked));
        }
        let used = asked as f32;
        if !(used > f32::MIN_POSITIVE && used < 1.0) {
            return Err(DiscountError::RoundsAway(asked));
        }
        Ok(Self { asked, used })
    }

    /// The number that was asked for.
    #[must_use]
    pub fn asked(self) -> f64 {
        self.asked
    }

    /// The discount that every backend uses: the asked one rounded to f32.
    #[must_use]
    pub fn used(self) -> f64 {
        f64::from(self.used)
    }

    /// The discount in use as f32 (exactly [`used`](Self::used)).
    #[must_use]
    pub fn used_f32(self) -> f32 {
        self.used
    }

    /// `1 - gamma` for the discount in use, exact in f64.
    #[must_use]
    pub fn complement(self) -> f64 {
        1.0 - self.used()
    }
}

impl fmt::Display for Discount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asked.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discount_outside_the_open_interval_is_refused() {
        for bad in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            assert!(Discount::new(bad).is_err(), "{bad} was accepted");
        }
        assert_eq!(
            Discount::new(0.999_999_999),
            Err(DiscountError::RoundsAway(0.999_999_999))
        );
    }
}

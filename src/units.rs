//! Quantities that must not be swapped for one another: identifiers, the discount, the tolerance, the seed.
//!
//! Every newtype here is a plain number with a name. The room leaves their meaning to others, except for
//! [`Discount`], which owns the rounding decision that every backend shares.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

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

/// One of the two ends of the discounts, approached from inside: not a discount, but what happens near enough to it.
///
/// Every statistic at a limit is the limit of the statistic, and an optimal choice is one that is optimal at all discounts near
/// enough (Blackwell optimality; Turner et al. 2021, definition 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// gamma -> 0: the next reward counts, what follows only breaks ties.
    Zero,
    /// gamma -> 1: the long-run average counts (the gain), then the bias, then what is left.
    One,
}

impl Limit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Zero, Self::One];

    /// How it is written: `->0`, `->1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "->0",
            Self::One => "->1",
        }
    }
}

/// A discount factor in (0, 1), together with the value the engine uses; or a [`Limit`] of them.
///
/// At a limit [`used`](Self::used) is the end itself, 0 or 1, so that `(1 - gamma) V = (1 - gamma) R + gamma x` holds there as well (with
/// x the POWER integrand). Nothing that divides by gamma or `1 - gamma` is asked there: backends refuse a limit, and the room
/// [`solve`](crate::solve) has a solver of its own for it.
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
    limit: Option<Limit>,
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
    /// Neither a number nor a limit.
    #[error("a discount is a number between 0 and 1, or one of the limits \"->0\" and \"->1\"")]
    NotADiscount,
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
        Ok(Self {
            asked,
            used,
            limit: None,
        })
    }

    /// The limit of discounts.
    ///
    /// ```
    /// use powersweep::{Discount, Limit};
    /// let limit: Discount = "->1".parse().unwrap();
    /// assert_eq!(limit, Discount::at(Limit::One));
    /// assert_eq!((limit.to_string(), limit.used_number()), ("->1".to_owned(), None));
    /// ```
    #[must_use]
    pub fn at(limit: Limit) -> Self {
        let end = match limit {
            Limit::Zero => 0.0,
            Limit::One => 1.0,
        };
        Self {
            asked: f64::from(end),
            used: end,
            limit: Some(limit),
        }
    }

    /// Which limit it is; `None` for a number.
    #[must_use]
    pub fn limit(self) -> Option<Limit> {
        self.limit
    }

    /// The number that was used; `None` at a limit, where there is none.
    #[must_use]
    pub fn used_number(self) -> Option<f64> {
        self.limit.is_none().then(|| self.used())
    }

    /// The number that was asked for; at a limit 0 or 1.
    #[must_use]
    pub fn asked(self) -> f64 {
        self.asked
    }

    /// The discount that every backend uses: the asked one rounded to f32. At a limit 0 or 1, see the type.
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
        match self.limit {
            Some(limit) => limit.name().fmt(f),
            None => self.asked.fmt(f),
        }
    }
}

impl FromStr for Discount {
    type Err = DiscountError;

    fn from_str(text: &str) -> Result<Self, DiscountError> {
        if let Some(limit) = Limit::ALL.into_iter().find(|limit| limit.name() == text) {
            return Ok(Self::at(limit));
        }
        let number = text.parse().map_err(|_| DiscountError::NotADiscount)?;
        Self::new(number)
    }
}

/// The number that was asked for, or the limit's name.
impl Serialize for Discount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.limit {
            Some(limit) => serializer.serialize_str(limit.name()),
            None => serializer.serialize_f64(self.asked),
        }
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

    #[test]
    fn limits_are_words_and_no_numbers() {
        for limit in Limit::ALL {
            let discount: Discount = limit.name().parse().unwrap();
            assert_eq!(discount.limit(), Some(limit));
            let json = serde_json::to_string(&discount).unwrap();
            assert_eq!(json, format!("{:?}", limit.name()));
        }
        assert_eq!("0.5".parse(), Discount::new(0.5));
        for bad in ["1", "0", "->2", "-> 1", "1-", "many", ""] {
            assert!(bad.parse::<Discount>().is_err(), "{bad:?} was accepted");
        }
    }
}

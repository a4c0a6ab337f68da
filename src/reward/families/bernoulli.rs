//! One of two values.

use super::keys::Keys;
use super::{Check, Discrete, Family, Kind, LawError, LawFault, Read};
use crate::document::{Faults, TableReader};

/// `high` with probability `p`, else `low`.
///
/// # Precision
///
/// As for the discrete law: `p` is met to 2^-33.
#[derive(Clone, Debug, PartialEq)]
pub struct Bernoulli {
    p: f64,
    law: Discrete,
}

impl Bernoulli {
    /// `high` with probability `p`, else `low`.
    ///
    /// # Errors
    ///
    /// [`LawError`] when `p` is not inside (0, 1), or the values are not finite and in ascending order.
    pub fn new(p: f64, low: f64, high: f64) -> Result<Self, LawError> {
        let mut check = Check::default();
        if check.finite("p", p) && !(p > 0.0 && p < 1.0) {
            check.fault(LawFault::Certain { key: "p", value: p });
        }
        let finite = check.finite("low", low) & check.finite("high", high);
        if finite && low >= high {
            check.fault(LawFault::Order { low, high });
        }
        check.done()?;
        let law = Discrete::new(&[low, high], &[1.0 - p, p])?;
        Ok(Self { p, law })
    }

    /// The probability of the higher value.
    #[must_use]
    pub fn p(&self) -> f64 {
        self.p
    }
}

impl Read for Bernoulli {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let p = keys.required("p", 0.5);
        let (low, high) = (keys.number("low", 0.0), keys.number("high", 1.0));
        keys.finish(Self::new(p, low, high))
    }
}

impl Family for Bernoulli {
    fn mean(&self) -> f64 {
        self.law.mean()
    }

    fn sd(&self) -> Option<f64> {
        self.law.sd()
    }

    fn quantile(&self, p: f64) -> f64 {
        self.law.quantile(p)
    }

    fn support(&self) -> (f64, f64) {
        self.law.support()
    }

    fn kind(&self) -> Kind<'_> {
        self.law.kind()
    }
}

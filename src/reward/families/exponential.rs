//! The exponential law.

use std::sync::Arc;

use super::keys::Keys;
use super::{Check, Family, Kind, LawError, Read, TAIL, Truncation};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// Exponential with a rate; the mean is `1 / rate`.
///
/// # Precision
///
/// Draws reach 22.87 means: beyond is a probability of 2^-33.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    rate: f64,
    table: Arc<Table>,
}

impl Exponential {
    /// Exponential with this rate.
    ///
    /// # Errors
    ///
    /// [`LawError`] when the rate is not above zero and finite, or single precision cannot hold the law.
    pub fn new(rate: f64) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.positive("rate", rate);
        check.done()?;
        let table = Table::build(&Shape {
            quantile: &|p| -(-p).ln_1p() / rate,
            breaks: Vec::new(),
            tolerance: Tolerance::OfRange,
        })?;
        Ok(Self {
            rate,
            table: Arc::new(table),
        })
    }
}

impl Read for Exponential {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let rate = keys.number("rate", 1.0);
        keys.finish(Self::new(rate))
    }
}

impl Family for Exponential {
    fn mean(&self) -> f64 {
        1.0 / self.rate
    }

    fn sd(&self) -> Option<f64> {
        Some(1.0 / self.rate)
    }

    fn quantile(&self, p: f64) -> f64 {
        -(-p).ln_1p() / self.rate
    }

    fn support(&self) -> (f64, f64) {
        (0.0, f64::INFINITY)
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        Some(if x >= 0.0 {
            -self.rate * x
        } else {
            f64::NEG_INFINITY
        })
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }

    fn truncation(&self) -> Truncation {
        Truncation {
            probability: TAIL,
            expectation: TAIL / self.rate,
        }
    }
}

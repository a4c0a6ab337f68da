//! The normal law.

use std::sync::Arc;

use statrs::function::erf::erfc_inv;

use super::keys::Keys;
use super::{Check, Family, Kind, LawError, Read, TAIL, Truncation};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// Normal with a mean and a standard deviation.
///
/// # Precision
///
/// Draws lie within 6.34 standard deviations of the mean: beyond is a probability of 2^-32 in both tails together.
#[derive(Clone, Debug, PartialEq)]
pub struct Normal {
    mean: f64,
    sd: f64,
    table: Arc<Table>,
}

/// The standard normal quantile.
///
/// # Precision
///
/// Relative error below 1e-14. (statrs' `erfc` is right to 1e-10 only: a Newton step with it would spoil this.)
pub(crate) fn standard_quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let z = std::f64::consts::SQRT_2 * erfc_inv(2.0 * tail);
    if p < 0.5 { -z } else { z }
}

impl Normal {
    /// Normal with this mean and standard deviation.
    ///
    /// # Errors
    ///
    /// [`LawError`] when the standard deviation is not above zero, a parameter is not finite, or single precision cannot hold the
    /// law.
    pub fn new(mean: f64, sd: f64) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.finite("mean", mean);
        check.positive("sd", sd);
        check.done()?;
        let table = Table::build(&Shape {
            quantile: &|p| mean + sd * standard_quantile(p),
            breaks: vec![0.5],
            tolerance: Tolerance::OfRange,
        })?;
        Ok(Self {
            mean,
            sd,
            table: Arc::new(table),
        })
    }
}

impl Read for Normal {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let (mean, sd) = (keys.number("mean", 0.0), keys.number("sd", 1.0));
        keys.finish(Self::new(mean, sd))
    }
}

impl Family for Normal {
    fn mean(&self) -> f64 {
        self.mean
    }

    fn sd(&self) -> Option<f64> {
        Some(self.sd)
    }

    fn quantile(&self, p: f64) -> f64 {
        self.mean + self.sd * standard_quantile(p)
    }

    fn support(&self) -> (f64, f64) {
        (f64::NEG_INFINITY, f64::INFINITY)
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        let z = (x - self.mean) / self.sd;
        Some(-z * z / 2.0)
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }

    fn truncation(&self) -> Truncation {
        let z = standard_quantile(1.0 - TAIL);
        let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        Truncation {
            probability: 2.0 * TAIL,
            expectation: 2.0 * self.sd * (density - z * TAIL),
        }
    }
}

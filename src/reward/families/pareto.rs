//! The Pareto law.

use std::sync::Arc;

use super::keys::Keys;
use super::{Check, Family, Kind, LawError, Read, TAIL, Truncation};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// From this ratio of the largest draw to the smallest on, errors are relative to the reward: the bulk of the law would otherwise
/// be drawn from too few points.
const WIDE: f64 = 64.0;

/// Pareto: `P(X > x) = (scale / x)^alpha` for `x >= scale`.
///
/// The mean is infinite for `alpha <= 1`, the variance for `alpha <= 2`.
///
/// # Precision
///
/// Draws reach `scale 2^(33 / alpha)`: beyond is a probability of 2^-33, which for small `alpha` holds much of the mean (all but a finite
/// part of it for `alpha <= 1`). Where that is more than 64 times `scale`, errors are relative to the reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Pareto {
    alpha: f64,
    scale: f64,
    table: Arc<Table>,
}

impl Pareto {
    /// Pareto with this exponent and smallest value.
    ///
    /// # Errors
    ///
    /// [`LawError`] when a parameter is not above zero and finite, or single precision cannot hold the law: its largest draw,
    /// `scale 2^(33 / alpha)`, may be no more than 1e18.
    pub fn new(alpha: f64, scale: f64) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.positive("alpha", alpha);
        check.positive("scale", scale);
        check.done()?;
        let wide = TAIL.powf(-1.0 / alpha) > WIDE;
        let table = Table::build(&Shape {
            quantile: &|p| quantile(alpha, scale, p),
            breaks: Vec::new(),
            tolerance: if wide {
                Tolerance::OfValue
            } else {
                Tolerance::OfRange
            },
        })?;
        Ok(Self {
            alpha,
            scale,
            table: Arc::new(table),
        })
    }
}

fn quantile(alpha: f64, scale: f64, p: f64) -> f64 {
    scale * (-(-p).ln_1p() / alpha).exp()
}

impl Read for Pareto {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let (alpha, scale) = (keys.required("alpha", 2.0), keys.number("scale", 1.0));
        keys.finish(Self::new(alpha, scale))
    }
}

impl Family for Pareto {
    fn mean(&self) -> f64 {
        if self.alpha > 1.0 {
            self.alpha * self.scale / (self.alpha - 1.0)
        } else {
            f64::INFINITY
        }
    }

    fn sd(&self) -> Option<f64> {
        let a = self.alpha;
        (a > 2.0).then(|| self.scale / (a - 1.0) * (a / (a - 2.0)).sqrt())
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile(self.alpha, self.scale, p)
    }

    fn support(&self) -> (f64, f64) {
        (self.scale, f64::INFINITY)
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        let inside = x >= self.scale;
        Some(match inside {
            true => -(self.alpha + 1.0) * (x / self.scale).ln(),
            false => f64::NEG_INFINITY,
        })
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }

    fn truncation(&self) -> Truncation {
        let end = self.quantile(1.0 - TAIL);
        Truncation {
            probability: TAIL,
            expectation: if self.alpha > 1.0 {
                TAIL * end / (self.alpha - 1.0)
            } else {
                f64::INFINITY
            },
        }
    }
}

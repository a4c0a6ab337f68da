//! The beta law.

use std::sync::Arc;

use statrs::function::beta::{beta_reg, ln_beta};

use super::keys::Keys;
use super::roots::increasing_root;
use super::{Check, Family, Kind, LawError, Read};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// Parameters that the distribution function is accurate for.
const SMALLEST: f64 = 0.05;
const LARGEST: f64 = 10_000.0;

/// Below this logarithm a number is 0.
const SMALLEST_LOGARITHM: f64 = -700.0;

/// Beta on [0, 1] with the density `x^(a-1) (1-x)^(b-1) / B(a, b)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Beta {
    a: f64,
    b: f64,
    table: Arc<Table>,
}

impl Beta {
    /// Beta with these shape parameters.
    ///
    /// # Errors
    ///
    /// [`LawError`] when a parameter is outside 0.05 to 10,000, or single precision cannot hold the law.
    pub fn new(a: f64, b: f64) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.within("a", a, SMALLEST, LARGEST);
        check.within("b", b, SMALLEST, LARGEST);
        check.done()?;
        let normaliser = ln_beta(a, b);
        let table = Table::build(&Shape {
            quantile: &|p| quantile(a, b, normaliser, p),
            breaks: turning_point(a, b)
                .map(|x| beta_reg(a, b, x))
                .into_iter()
                .collect(),
            tolerance: Tolerance::OfRange,
        })?;
        Ok(Self {
            a,
            b,
            table: Arc::new(table),
        })
    }
}

/// Where the density is largest or smallest inside (0, 1).
fn turning_point(a: f64, b: f64) -> Option<f64> {
    let x = (a - 1.0) / (a + b - 2.0);
    (x > 0.0 && x < 1.0).then_some(x)
}

fn quantile(a: f64, b: f64, normaliser: f64, p: f64) -> f64 {
    // From the nearer end of the interval, where relative errors count.
    if beta_reg(a, b, 0.5) >= p {
        lower_half(a, b, normaliser, p, 1.0 - p)
    } else {
        1.0 - lower_half(b, a, normaliser, 1.0 - p, p)
    }
}

/// The point with probability `lower` below it and `upper` above it, where it is at most 1/2: a root in `ln x`, in which the
/// logarithm of the lower tail is nearly a line.
fn lower_half(a: f64, b: f64, normaliser: f64, lower: f64, upper: f64) -> f64 {
    // x^a min(1, 2^(1-b)) <= a B F(x) <= x^a max(1, 2^(1-b)) for x <= 1/2.
    let level = (lower.ln() + a.ln() + normaliser) / a;
    let tilt = (1.0 - b) * std::f64::consts::LN_2 / a;
    let low = (level - tilt.max(0.0) - 1e-9).max(SMALLEST_LOGARITHM);
    let high = (level - tilt.min(0.0) + 1e-9).min(-std::f64::consts::LN_2);
    if high <= SMALLEST_LOGARITHM {
        return 0.0;
    }
    let y = increasing_root(low, high, level, |y| {
        let x = y.exp();
        // x times the density.
        let growth = (a * y + (b - 1.0) * (-x).ln_1p() - normaliser).exp();
        // A small tail has the digits; but 1 - x has not those of a small x, so the upper one must be much smaller.
        if upper > 1.0 / 128.0 {
            let tail = beta_reg(a, b, x);
            (tail.ln() - lower.ln(), growth / tail)
        } else {
            let tail = beta_reg(b, a, 1.0 - x);
            (upper.ln() - tail.ln(), growth / tail)
        }
    });
    y.exp()
}

impl Read for Beta {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let (a, b) = (keys.required("a", 1.0), keys.required("b", 1.0));
        keys.finish(Self::new(a, b))
    }
}

impl Family for Beta {
    fn mean(&self) -> f64 {
        self.a / (self.a + self.b)
    }

    fn sd(&self) -> Option<f64> {
        let sum = self.a + self.b;
        Some((self.a * self.b / (sum + 1.0)).sqrt() / sum)
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile(self.a, self.b, ln_beta(self.a, self.b), p)
    }

    fn support(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        if !(0.0..=1.0).contains(&x) {
            return Some(f64::NEG_INFINITY);
        }
        // A power of zero is one, also of zero.
        let power = |base: f64, exponent: f64| match exponent == 0.0 {
            true => 0.0,
            false => exponent * base.ln(),
        };
        Some(power(x, self.a - 1.0) + power(1.0 - x, self.b - 1.0))
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }
}

//! The mean of independent uniform numbers: the Bates law.

use std::sync::Arc;

use super::keys::Keys;
use super::normal::standard_quantile;
use super::roots::increasing_root;
use super::{Family, Kind, LawError, LawFault, Read};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// Most uniform numbers; the work of a quantile grows with the square.
const MOST: u32 = 32;

/// The mean of `count` independent uniform numbers on [0, 1).
#[derive(Clone, Debug, PartialEq)]
pub struct MeanOfUniforms {
    count: u32,
    table: Arc<Table>,
}

impl MeanOfUniforms {
    /// The mean of `count` uniform numbers.
    ///
    /// # Errors
    ///
    /// [`LawError`] when `count` is not a whole number from 1 to 32.
    pub fn new(count: f64) -> Result<Self, LawError> {
        if !(count >= 1.0 && count <= f64::from(MOST) && count.fract() == 0.0) {
            let fault = LawFault::Whole {
                key: "count",
                value: count,
                low: 1,
                high: MOST,
            };
            return Err(LawError {
                faults: vec![fault],
            });
        }
        let count = count as u32;
        let table = Table::build(&Shape {
            quantile: &|p| quantile(count, p),
            breaks: vec![0.5],
            tolerance: Tolerance::OfRange,
        })?;
        Ok(Self {
            count,
            table: Arc::new(table),
        })
    }
}

/// Density and distribution function of the sum of `m` uniform numbers at `x` in [0, m].
///
/// The density is the cardinal B-spline `N_m`, by de Boor's recursion
/// `N_{j+1}(x) = (x N_j(x) + (j + 1 - x) N_j(x - 1)) / j`, and the distribution function is `sum_i N_{m+1}(x - i)`: sums of
/// positive numbers throughout, so that both have small relative errors even in the tails. (The usual alternating sum
/// loses all digits at m = 20.)
fn sum_of_uniforms(m: u32, x: f64) -> (f64, f64) {
    let m = m as usize;
    let whole = (x.floor() as usize).min(m - 1);
    let fraction = x - whole as f64;
    // splines[i] = N_j(fraction + i), from j = 1 on.
    let mut splines = [0f64; MOST as usize + 2];
    splines[0] = 1.0;
    let mut density = 0.0;
    for j in 1..=m {
        if j == m {
            density = splines[whole];
        }
        for i in (0..=j).rev() {
            let at = fraction + i as f64;
            let before = if i > 0 { splines[i - 1] } else { 0.0 };
            splines[i] = (at * splines[i] + (j as f64 + 1.0 - at) * before) / j as f64;
        }
    }
    let below = splines[..=whole].iter().sum();
    (below, density)
}

fn quantile(m: u32, p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    let count = f64::from(m);
    // The lower corner is x^m / m!; where the sum is nearly normal, that is the better start.
    let corner: f64 = (1..=m).map(|k| f64::from(k).ln()).sum();
    let corner = ((tail.ln() + corner) / count).exp();
    let middle = count / 2.0 + (count / 12.0).sqrt() * standard_quantile(tail);
    let guess = corner.max(middle).min(count / 2.0);
    // Newton in the logarithm of the tail, which is concave.
    let x = increasing_root(0.0, count / 2.0, guess, |x| {
        let (below, density) = sum_of_uniforms(m, x);
        (below.ln() - tail.ln(), density / below)
    });
    let lower = x / count;
    if p < 0.5 { lower } else { 1.0 - lower }
}

impl Read for MeanOfUniforms {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let count = keys.required("count", 1.0);
        keys.finish(Self::new(count))
    }
}

impl Family for MeanOfUniforms {
    fn mean(&self) -> f64 {
        0.5
    }

    fn sd(&self) -> Option<f64> {
        Some(1.0 / (12.0 * f64::from(self.count)).sqrt())
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile(self.count, p)
    }

    fn support(&self) -> (f64, f64) {
        (0.0, 1.0)
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }
}

//! Normal goals in which all pairs of states have the same correlation.

use super::gaussian::{MAX_CORRELATED, standard_normal};
use crate::document::{Faults, Span, TableReader};
use crate::reward::bind::Rows;
use crate::reward::goal_law::{Linear, Recipe};

/// The random coordinate of what all rewards have in common.
pub const COMMON_COORDINATE: u32 = u32::MAX;

/// Normal rewards of one mean and one standard deviation, every two of them with correlation `rho`.
///
/// For `rho >= 0`: `R = mean + sd (sqrt(rho) z_0 + sqrt(1 - rho) z)` with `z_0` drawn for all states together
/// ([`COMMON_COORDINATE`]). A negative `rho` is at least `-1 / (n - 1)` among n states; then `R = mean + sd (a z + b sum z)`.
#[derive(Clone, Debug, PartialEq)]
pub struct EquicorrelatedNormal {
    mean: f64,
    sd: f64,
    rho: f64,
    span: Option<Span>,
}

impl EquicorrelatedNormal {
    /// Normal rewards with a common correlation.
    ///
    /// # Panics
    ///
    /// Unless `sd > 0` and `-1 < rho <= 1`.
    #[must_use]
    pub fn new(mean: f64, sd: f64, rho: f64) -> Self {
        assert!(mean.is_finite() && sd > 0.0 && sd.is_finite() && rho > -1.0 && rho <= 1.0);
        Self {
            mean,
            sd,
            rho,
            span: None,
        }
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let mean = table.number("mean", faults).map_or(0.0, |x| x.value);
        let sd = super::read_positive(table, "sd", 1.0, faults);
        table.require("rho", faults);
        let rho = table.number("rho", faults)?;
        if !(rho.value > -1.0 && rho.value <= 1.0) {
            let message = format!(
                "`rho` must be above -1 and at most 1, this is {}",
                rho.value
            );
            faults.error(rho.span, message);
            return None;
        }
        Some(Self {
            mean,
            sd: sd?,
            rho: rho.value,
            span: Some(rho.span),
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let members = rows.members(None, faults)?;
        let mut linear = Linear::new(vec![standard_normal()]);
        linear.latent = members.coordinates.iter().map(|&c| (c, 0)).collect();
        let n = members.len();
        let own = self.sd * (1.0 - self.rho).sqrt();
        if self.rho >= 0.0 {
            linear.latent.push((COMMON_COORDINATE, 0));
            let common = self.sd * self.rho.sqrt();
            for member in &members.of {
                match member {
                    Some(m) => linear.push(self.mean, [(n as u32, common), (*m, own)]),
                    None => linear.push(0.0, []),
                }
            }
            return Some(Recipe::Linear(linear));
        }
        let least = -1.0 / (n as f64 - 1.0);
        if self.rho < least || n > MAX_CORRELATED {
            let message = format!(
                "{n} rewards cannot all have the correlation {} with each other: {least:.6} is the least",
                self.rho
            );
            faults.error(self.span.clone(), message);
            return None;
        }
        // (own + n shared)^2 is the variance of the mean direction, 1 + (n - 1) rho; the other directions keep own^2.
        let mean_direction = self.sd * (1.0 + (n as f64 - 1.0) * self.rho).max(0.0).sqrt();
        let shared = (mean_direction - own) / n as f64;
        for member in &members.of {
            let weight = |j: u32| shared + if *member == Some(j) { own } else { 0.0 };
            match member {
                Some(_) => linear.push(self.mean, (0..n as u32).map(|j| (j, weight(j)))),
                None => linear.push(0.0, []),
            }
        }
        Some(Recipe::Linear(linear))
    }
}

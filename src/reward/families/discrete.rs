//! Finitely many values with weights.

use std::sync::Arc;

use super::keys::Keys;
use super::{Check, Family, Kind, LawError, LawFault, Read};
use crate::document::{Faults, TableReader};
use crate::reward::table::Table;

/// Most values; a table takes 16 bytes for each.
const MOST_VALUES: usize = 65_536;

/// Finitely many values, each with a probability.
///
/// # Precision
///
/// A value has a probability that is a multiple of 2^-32, off by at most 2^-32; a value with less than 2^-33 may never be drawn. The
/// rewards are the values rounded to 24 bits for the largest.
#[derive(Clone, Debug, PartialEq)]
pub struct Discrete {
    /// Ascending, with the probability of the value and that of it or less.
    values: Vec<(f64, f64, f64)>,
    table: Arc<Table>,
}

impl Discrete {
    /// Values with weights, which need not add up to one. A value that stands twice has the sum of its weights.
    ///
    /// # Errors
    ///
    /// [`LawError`] when the lists differ in length, an entry is not finite, a weight is negative, fewer than two values have a
    /// weight, or single precision cannot tell the values apart.
    pub fn new(values: &[f64], weights: &[f64]) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.entries_finite("values", values);
        check.weights("weights", weights);
        if values.len() > MOST_VALUES {
            check.fault(LawFault::TooMany {
                key: "values",
                most: MOST_VALUES,
                found: values.len(),
            });
        }
        if weights.len() != values.len() {
            check.fault(LawFault::Lengths {
                key: "weights",
                other: "values",
                found: weights.len(),
                wanted: values.len(),
            });
        }
        check.done()?;
        let merged = merge(values, weights);
        if merged.len() < 2 {
            check = Check::default();
            check.fault(LawFault::TooFew {
                key: "values",
                least: 2,
                found: merged.len(),
            });
            check.done()?;
        }
        // Scaled by the largest first: weights near the largest f64 would overflow.
        let largest = merged.iter().map(|(_, w)| *w).fold(0.0, f64::max);
        let total: f64 = merged.iter().map(|(_, w)| w / largest).sum();
        let mut so_far = 0.0;
        let values: Vec<(f64, f64, f64)> = merged
            .into_iter()
            .map(|(value, weight)| {
                let share = weight / largest;
                so_far += share;
                (value, share / total, (so_far / total).min(1.0))
            })
            .collect();
        let steps: Vec<(f64, f64)> = values.iter().map(|&(v, _, up_to)| (v, up_to)).collect();
        let table = Arc::new(Table::steps(&steps)?);
        Ok(Self { values, table })
    }

    /// Values, ascending, with their probabilities.
    pub fn values(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.values.iter().map(|&(value, p, _)| (value, p))
    }
}

/// Ascending and distinct, without values that have no weight.
fn merge(values: &[f64], weights: &[f64]) -> Vec<(f64, f64)> {
    let mut pairs: Vec<(f64, f64)> = values
        .iter()
        .copied()
        .zip(weights.iter().copied())
        .collect();
    pairs.retain(|(_, weight)| *weight > 0.0);
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::with_capacity(pairs.len());
    for (value, weight) in pairs {
        match merged.last_mut() {
            Some(last) if last.0 == value => last.1 += weight,
            _ => merged.push((value, weight)),
        }
    }
    merged
}

impl Read for Discrete {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let values = keys.required_numbers("values");
        let weights = keys.numbers("weights");
        let values = values.unwrap_or_else(|| match &weights {
            // Stand-ins, so that the weights are checked.
            Some(weights) => (0..weights.len().max(2)).map(|i| i as f64).collect(),
            None => vec![0.0, 1.0],
        });
        let weights = weights.unwrap_or_else(|| vec![1.0; values.len()]);
        keys.finish(Self::new(&values, &weights))
    }
}

impl Family for Discrete {
    fn mean(&self) -> f64 {
        self.values.iter().map(|(value, p, _)| value * p).sum()
    }

    fn sd(&self) -> Option<f64> {
        let mean = self.mean();
        let variance: f64 = self
            .values
            .iter()
            .map(|(value, p, _)| p * (value - mean).powi(2))
            .sum();
        Some(variance.sqrt())
    }

    fn quantile(&self, p: f64) -> f64 {
        let at = self.values.partition_point(|&(_, _, up_to)| up_to < p);
        self.values[at.min(self.values.len() - 1)].0
    }

    fn support(&self) -> (f64, f64) {
        (self.values[0].0, self.values[self.values.len() - 1].0)
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }
}

//! The one-dimensional laws, one file each.
//!
//! To add one: a file here, a line in the list of [`Marginal`](super::Marginal), its vectors in `tests/suite/laws.rs`, its rows in
//! `docs/experiments.md` and `docs/random-numbers.md`.

mod bernoulli;
mod beta;
mod discrete;
mod exponential;
mod keys;
mod mean_of_uniforms;
mod normal;
mod pareto;
mod piecewise_linear;
mod roots;
mod uniform;

use std::sync::Arc;

pub use bernoulli::Bernoulli;
pub use beta::Beta;
pub use discrete::Discrete;
pub use exponential::Exponential;
pub use mean_of_uniforms::MeanOfUniforms;
pub use normal::Normal;
pub use pareto::Pareto;
pub use piecewise_linear::PiecewiseLinear;

use super::Lattice;
use super::table::{Table, TableFault};
use crate::document::{Faults, TableReader};

/// How a random word becomes a reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind<'a> {
    /// Equally spaced points, equally likely: one product.
    Lattice(Lattice),
    /// A tabulated inverse distribution function.
    Table(&'a Arc<Table>),
}

/// The part of an unbounded law that 32 random bits do not reach, in both tails together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Truncation {
    /// Probability of a reward outside the range that is drawn.
    pub probability: f64,
    /// Expected distance to that range, `E max(0, low - X, X - high)`: at most this is missing from the law's mean absolute value.
    /// Infinite where the mean is.
    pub expectation: f64,
}

/// Probability of the part of a tail beyond the outermost word, which stands for its middle.
const TAIL: f64 = 1.0 / 8_589_934_592.0;

/// A one-dimensional law of rewards.
pub(super) trait Family {
    /// The mean; infinite or not a number where there is none.
    fn mean(&self) -> f64;
    /// The standard deviation, where it is finite.
    fn sd(&self) -> Option<f64>;
    /// The reward that is exceeded with probability `1 - p`, for `p` in (0, 1).
    fn quantile(&self, p: f64) -> f64;
    /// The interval outside which the law has no probability.
    fn support(&self) -> (f64, f64);
    /// The logarithm of the density, up to a constant; minus infinity outside the support. `None` for a law without a density, or without one that is
    /// written down here.
    fn log_density(&self, _x: f64) -> Option<f64> {
        None
    }
    /// How a random word becomes a reward.
    fn kind(&self) -> Kind<'_>;
    /// What 32 random bits do not reach.
    fn truncation(&self) -> Truncation {
        Truncation::default()
    }
}

/// A law that cannot be: everything that is wrong with its parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.list())]
pub struct LawError {
    /// What is wrong.
    pub faults: Vec<LawFault>,
}

impl LawError {
    fn list(&self) -> String {
        let messages: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        messages.join("; ")
    }
}

/// One thing that is wrong with a law's parameters.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LawFault {
    /// Infinite or not a number.
    #[error("`{key}` must be a finite number, this is {value}")]
    NotFinite {
        /// The parameter.
        key: &'static str,
        /// What it is.
        value: f64,
    },
    /// Zero or less.
    #[error("`{key}` must be above 0, this is {value}")]
    NotPositive {
        /// The parameter.
        key: &'static str,
        /// What it is.
        value: f64,
    },
    /// Outside what the law can be drawn for.
    #[error("`{key}` must be from {low} to {high}, this is {value}")]
    Outside {
        /// The parameter.
        key: &'static str,
        /// What it is.
        value: f64,
        /// Smallest that is possible.
        low: f64,
        /// Largest that is possible.
        high: f64,
    },
    /// Not a whole number in a range.
    #[error("`{key}` must be a whole number from {low} to {high}, this is {value}")]
    Whole {
        /// The parameter.
        key: &'static str,
        /// What it is.
        value: f64,
        /// Smallest that is possible.
        low: u32,
        /// Largest that is possible.
        high: u32,
    },
    /// A probability that leaves nothing to chance.
    #[error(
        "`{key}` must be above 0 and below 1, this is {value}: a reward without chance is a fixed one"
    )]
    Certain {
        /// The parameter.
        key: &'static str,
        /// What it is.
        value: f64,
    },
    /// Two ends in the wrong order.
    #[error("`low` must be below `high`: {low} is not below {high}")]
    Order {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
    /// A list with too few entries.
    #[error("`{key}` must have at least {least} different entries, it has {found}")]
    TooFew {
        /// The parameter.
        key: &'static str,
        /// How many it needs.
        least: usize,
        /// How many there are.
        found: usize,
    },
    /// A list with too many entries.
    #[error("`{key}` may have at most {most} entries, it has {found}")]
    TooMany {
        /// The parameter.
        key: &'static str,
        /// How many it may have.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Two lists that should belong together.
    #[error("`{key}` must have one entry for each of `{other}`: {found} entries for {wanted}")]
    Lengths {
        /// The parameter.
        key: &'static str,
        /// The list it belongs to.
        other: &'static str,
        /// Its length.
        found: usize,
        /// The other list's.
        wanted: usize,
    },
    /// An entry below zero.
    #[error("`{key}` must not be negative, entry {number} is {value}", number = index + 1)]
    Negative {
        /// The parameter.
        key: &'static str,
        /// Which entry, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// An entry that is infinite or not a number.
    #[error("`{key}` must be finite numbers, entry {number} is {value}", number = index + 1)]
    EntryNotFinite {
        /// The parameter.
        key: &'static str,
        /// Which entry, from 0.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// An entry that is not above the one before it.
    #[error("`{key}` must ascend, entry {number} is {value} after {before}", number = index + 1)]
    Descending {
        /// The parameter.
        key: &'static str,
        /// Which entry, from 0.
        index: usize,
        /// What it is.
        value: f64,
        /// The entry before it.
        before: f64,
    },
    /// Entries that add up to nothing.
    #[error("`{key}` must not all be 0")]
    NoWeight {
        /// The parameter.
        key: &'static str,
    },
    /// A law that single precision cannot hold.
    #[error("{0}")]
    Table(#[from] TableFault),
    /// An interval that the uniform law cannot be drawn from.
    #[error("{0}")]
    Uniform(#[from] super::UniformError),
}

impl LawFault {
    /// The parameter that is wrong, and which of its entries, where it is one parameter.
    pub(super) fn place(&self) -> Option<(&'static str, Option<usize>)> {
        match *self {
            Self::NotFinite { key, .. }
            | Self::NotPositive { key, .. }
            | Self::Outside { key, .. }
            | Self::Whole { key, .. }
            | Self::Certain { key, .. }
            | Self::TooFew { key, .. }
            | Self::TooMany { key, .. }
            | Self::Lengths { key, .. }
            | Self::NoWeight { key } => Some((key, None)),
            Self::Negative { key, index, .. }
            | Self::EntryNotFinite { key, index, .. }
            | Self::Descending { key, index, .. } => Some((key, Some(index))),
            Self::Order { .. } => Some(("high", None)),
            Self::Table(_) | Self::Uniform(_) => None,
        }
    }
}

/// Collects what is wrong with parameters.
#[derive(Default)]
struct Check {
    faults: Vec<LawFault>,
}

impl Check {
    fn fault(&mut self, fault: LawFault) {
        self.faults.push(fault);
    }

    fn finite(&mut self, key: &'static str, value: f64) -> bool {
        if !value.is_finite() {
            self.fault(LawFault::NotFinite { key, value });
        }
        value.is_finite()
    }

    fn positive(&mut self, key: &'static str, value: f64) -> bool {
        let finite = self.finite(key, value);
        if finite && value <= 0.0 {
            self.fault(LawFault::NotPositive { key, value });
        }
        finite && value > 0.0
    }

    /// Above zero and within what the law can be drawn for.
    fn within(&mut self, key: &'static str, value: f64, low: f64, high: f64) {
        if self.positive(key, value) && !(low..=high).contains(&value) {
            self.fault(LawFault::Outside {
                key,
                value,
                low,
                high,
            });
        }
    }

    fn entries_finite(&mut self, key: &'static str, values: &[f64]) {
        for (index, &value) in values.iter().enumerate() {
            if !value.is_finite() {
                self.fault(LawFault::EntryNotFinite { key, index, value });
            }
        }
    }

    /// Finite, not negative, not all zero.
    fn weights(&mut self, key: &'static str, values: &[f64]) {
        self.entries_finite(key, values);
        for (index, &value) in values.iter().enumerate() {
            if value < 0.0 && value.is_finite() {
                self.fault(LawFault::Negative { key, index, value });
            }
        }
        if !values.is_empty() && values.iter().all(|&x| x == 0.0) {
            self.fault(LawFault::NoWeight { key });
        }
    }

    fn done(self) -> Result<(), LawError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(LawError {
                faults: self.faults,
            })
        }
    }
}

impl From<TableFault> for LawError {
    fn from(fault: TableFault) -> Self {
        Self {
            faults: vec![fault.into()],
        }
    }
}

/// Reads a law's keys.
pub(super) trait Read: Sized {
    /// Reads the law; what is wrong is told, all of it.
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self>;
}

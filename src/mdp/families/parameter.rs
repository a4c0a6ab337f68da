//! Parameters of a family: how they are read, and the limits they are held to.

use std::fmt;
use std::ops::RangeInclusive;

use crate::document::{Faults, Span, Spanned, TableReader};
use crate::mdp::GridMoves;

/// Most states a generated MDP may have. A state takes about 200 bytes while the MDP is built.
pub const MAX_STATES: u64 = 1 << 24;

/// Most transitions a generated MDP may have (states times choices times successors). Each takes about 40 bytes while the MDP
/// is built.
pub const MAX_TRANSITIONS: u64 = 1 << 31;

/// One parameter that a family cannot be generated with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// A whole number outside its limits.
    #[error("`{parameter}` must be between {least} and {most}, this is {found}")]
    Count {
        /// The parameter's name in an experiment file.
        parameter: &'static str,
        /// The number found.
        found: u64,
        /// Smallest number allowed.
        least: u64,
        /// Largest number allowed.
        most: u64,
    },
    /// A share of the whole outside [0, 1).
    #[error("`{parameter}` must be at least 0 and below 1, this is {found}")]
    Share {
        /// The parameter's name in an experiment file.
        parameter: &'static str,
        /// The number found.
        found: f64,
    },
    /// A probability outside [0, 1].
    #[error("`{parameter}` must be a probability, this is {found}")]
    Probability {
        /// The parameter's name in an experiment file.
        parameter: &'static str,
        /// The number found.
        found: f64,
    },
    /// Each parameter is within its limits, but together they are too many.
    #[error("{what} would be {found}, more than the {most} that a generated MDP may have")]
    TooLarge {
        /// What is counted, in terms of the parameters.
        what: &'static str,
        /// The number it would come to.
        found: u128,
        /// Largest number allowed.
        most: u64,
    },
}

impl ParameterError {
    /// The parameter it is about; none where it is about several.
    #[must_use]
    pub fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::Count { parameter, .. }
            | Self::Share { parameter, .. }
            | Self::Probability { parameter, .. } => Some(parameter),
            Self::TooLarge { .. } => None,
        }
    }
}

/// Several of them, one after the other.
pub(super) struct Listed<'e>(pub(super) &'e [ParameterError]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

/// Collects every parameter that is out of bounds.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) errors: Vec<ParameterError>,
}

impl Limits {
    pub(super) fn count(
        &mut self,
        parameter: &'static str,
        found: u64,
        range: RangeInclusive<u64>,
    ) {
        if !range.contains(&found) {
            self.errors.push(ParameterError::Count {
                parameter,
                found,
                least: *range.start(),
                most: *range.end(),
            });
        }
    }

    pub(super) fn share(&mut self, parameter: &'static str, found: f64) {
        if !(0.0..1.0).contains(&found) {
            self.errors.push(ParameterError::Share { parameter, found });
        }
    }

    pub(super) fn probability(&mut self, parameter: &'static str, found: f64) {
        if !(0.0..=1.0).contains(&found) {
            self.errors
                .push(ParameterError::Probability { parameter, found });
        }
    }

    /// Limits a number of states that several parameters make up together.
    pub(super) fn states(&mut self, what: &'static str, factors: &[u64]) {
        self.product(what, factors, MAX_STATES);
    }

    /// Limits a number of transitions.
    pub(super) fn transitions(&mut self, what: &'static str, factors: &[u64]) {
        self.product(what, factors, MAX_TRANSITIONS);
    }

    fn product(&mut self, what: &'static str, factors: &[u64], most: u64) {
        let found = factors
            .iter()
            .fold(1u128, |product, &f| product.saturating_mul(u128::from(f)));
        if found > u128::from(most) {
            self.errors
                .push(ParameterError::TooLarge { what, found, most });
        }
    }
}

/// Stands for a number that is missing or no number, so that the others can still be checked.
const MISSING: u64 = u32::MAX as u64;

/// Takes a family's parameters out of a table and remembers where they stood.
pub(super) struct Parameters<'r, 'a> {
    pub(super) table: &'r mut TableReader<'a>,
    pub(super) faults: &'r mut Faults,
    spans: Vec<(&'static str, Span)>,
    missing: Vec<&'static str>,
}

impl<'r, 'a> Parameters<'r, 'a> {
    pub(super) fn new(table: &'r mut TableReader<'a>, faults: &'r mut Faults) -> Self {
        Self {
            table,
            faults,
            spans: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// A whole number that must be given.
    pub(super) fn count(&mut self, key: &'static str) -> u64 {
        let given = self.table.require(key, self.faults).is_some();
        let read = given.then(|| self.table.count(key, self.faults)).flatten();
        self.keep(key, read).unwrap_or_else(|| {
            self.missing.push(key);
            MISSING
        })
    }

    /// A whole number with a default.
    pub(super) fn count_or(&mut self, key: &'static str, default: u64) -> u64 {
        let read = self.table.count(key, self.faults);
        self.keep(key, read).unwrap_or(default)
    }

    /// A number with a default.
    pub(super) fn number_or(&mut self, key: &'static str, default: f64) -> f64 {
        let read = self.table.number(key, self.faults);
        self.keep(key, read).unwrap_or(default)
    }

    /// A switch with a default.
    pub(super) fn boolean_or(&mut self, key: &'static str, default: bool) -> bool {
        let read = self.table.boolean(key, self.faults);
        self.keep(key, read).unwrap_or(default)
    }

    /// The rules of motion of a grid.
    pub(super) fn grid_moves(&mut self) -> GridMoves {
        GridMoves::read(self.table, self.faults)
    }

    fn keep<T>(&mut self, key: &'static str, read: Option<Spanned<T>>) -> Option<T> {
        let Spanned { value, span } = read?;
        self.spans.push((key, span));
        Some(value)
    }

    /// Reports what is out of bounds, at the place of the parameter, in the words of the family.
    pub(super) fn report(self, family: &str, errors: &[ParameterError]) {
        for error in errors {
            let span = match error.parameter() {
                Some(parameter) if self.missing.contains(&parameter) => continue,
                Some(parameter) => self.spans.iter().find(|(key, _)| *key == parameter),
                None if !self.missing.is_empty() => continue,
                None => self.spans.first(),
            };
            let span = span.map(|(_, span)| span.clone());
            self.faults
                .error(span, format!("the family {family:?}: {error}"));
        }
    }
}

//! Faults of one kind, of which there may be millions: the first ones are told, the rest counted.

use crate::document::{Faults, Span};

/// Faults of one kind that are told one by one.
const SHOWN: usize = 20;

/// Counts the faults of one kind. Call [`finish`](Self::finish) at the end.
#[derive(Debug, Default)]
pub(super) struct Limited {
    found: usize,
}

impl Limited {
    /// Whether the next fault will be told: for messages that are expensive to make.
    pub(super) fn is_told(&self) -> bool {
        self.found < SHOWN
    }

    /// Adds an error.
    pub(super) fn error(
        &mut self,
        faults: &mut Faults,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
    ) {
        if self.is_told() {
            faults.error(span, message);
        }
        self.found += 1;
    }

    /// Adds an error with advice.
    pub(super) fn error_with_help(
        &mut self,
        faults: &mut Faults,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.is_told() {
            faults.error_with_help(span, message, help);
        }
        self.found += 1;
    }

    /// Tells how many were not told. `what` follows their number.
    pub(super) fn finish(&self, faults: &mut Faults, what: &str) {
        if self.found > SHOWN {
            faults.error(None, format!("and {} more {what}", self.found - SHOWN));
        }
    }
}

//! Results of a statistic as rows with named keys and measures: one form from which the JSON document, the Parquet file and the
//! text are made.

use super::Estimate;

/// One statistic of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The key in the JSON document, and the stem of the Parquet file.
    pub name: &'static str,
    /// What tells its rows apart: names, and what stands under them.
    pub keys: &'static [(&'static str, KeyKind)],
    /// What is measured, in the order of a row's measures.
    pub measures: &'static [&'static str],
    /// The rows, in file order.
    pub rows: Vec<TableRow>,
}

/// What stands under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Names.
    Text,
    /// Whole numbers.
    Count,
    /// A sentence that explains the row: for files, not for a screen.
    Prose,
    /// What was found, in words: no part of what the row is called.
    Finding,
}

impl KeyKind {
    /// Whether it tells rows apart.
    #[must_use]
    pub fn is_name(self) -> bool {
        matches!(self, Self::Text | Self::Count)
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// One for each key.
    pub keys: Vec<Key>,
    /// One for each measure.
    pub measures: Vec<Measure>,
}

/// A part of a row's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A name.
    Text(String),
    /// A whole number.
    Count(u64),
    /// It does not apply.
    Missing,
}

impl Key {
    /// A name.
    #[must_use]
    pub fn text(name: &str) -> Self {
        Self::Text(name.to_owned())
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// A mean over goals.
    Estimate(Estimate),
    /// A number without an interval.
    Number(f64),
    /// It does not apply.
    Missing,
}

impl Measure {
    /// The estimate, if it is one.
    #[must_use]
    pub fn estimate(&self) -> Option<&Estimate> {
        match self {
            Self::Estimate(estimate) => Some(estimate),
            _ => None,
        }
    }
}

impl Table {
    /// The same table with every estimate changed.
    #[must_use]
    pub fn map_estimates(mut self, change: impl Fn(Estimate) -> Estimate) -> Self {
        for measure in self.rows.iter_mut().flat_map(|row| &mut row.measures) {
            if let Measure::Estimate(estimate) = measure {
                *estimate = change(*estimate);
            }
        }
        self
    }

    /// The measure of that name in a row.
    #[must_use]
    pub fn measure<'r>(&self, row: &'r TableRow, name: &str) -> Option<&'r Measure> {
        let at = self.measures.iter().position(|m| *m == name)?;
        row.measures.get(at)
    }
}

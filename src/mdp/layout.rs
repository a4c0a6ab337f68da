//! Where states lie on a grid: for pictures, and for laws of goals that know about distance.

use crate::units::StateId;

/// Rows and columns of a grid, and the state in each cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridLayout {
    rows: usize,
    columns: usize,
    state_at: Vec<Option<StateId>>,
}

impl GridLayout {
    /// Lays states out; `state_at` is `[rows, columns]`, row-major, `None` for a wall.
    ///
    /// # Panics
    ///
    /// If `state_at` does not hold `rows * columns` cells.
    #[must_use]
    pub fn new(rows: usize, columns: usize, state_at: Vec<Option<StateId>>) -> Self {
        assert_eq!(state_at.len(), rows * columns, "one entry per cell");
        Self {
            rows,
            columns,
            state_at,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The state in a cell, `None` for a wall.
    #[must_use]
    pub fn state_at(&self, row: usize, column: usize) -> Option<StateId> {
        self.state_at[row * self.columns + column]
    }

    /// Largest state row that the layout mentions, for validation.
    pub(super) fn max_state(&self) -> Option<StateId> {
        self.state_at.iter().flatten().max().copied()
    }
}

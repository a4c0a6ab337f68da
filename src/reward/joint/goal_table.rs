//! Goals that were given: rows of a table.

use std::sync::Arc;

use super::Matrix;
use super::matrix::MatrixSource;
use crate::document::{Faults, TableReader};
use crate::reward::bind::Rows;
use crate::reward::goal_law::{Facts, GoalKey, Recipe, WholeGoal};
use crate::reward::shuffle::below;
use crate::reward::{GivenRows, Making, RowPick};
use crate::rng::Stream;

/// Which two words of the mixture's stream choose a random row: 2 and 3. A mixture around the table has word 0, a pair of goals word 1.
const ROW_STEP: u32 = 1;

/// What goal `i` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableUse {
    /// Row `i`: the rows are a sample of goals, and there are no more.
    #[default]
    Once,
    /// A random row: the rows are all goals there are, equally likely.
    Resample,
    /// Row `i`, and the rows are all goals there are: means over them are exact.
    All,
}

/// Goals from a table: one goal a row, one state a column; states without a column have reward 0.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalTable {
    goals: MatrixSource,
    how: TableUse,
}

impl GoalTable {
    /// The rows of a matrix.
    #[must_use]
    pub fn new(goals: Matrix, how: TableUse) -> Self {
        Self {
            goals: goals.into(),
            how,
        }
    }

    pub(in crate::reward) fn goals(&self) -> &MatrixSource {
        &self.goals
    }

    pub(in crate::reward) fn goals_mut(&mut self) -> &mut MatrixSource {
        &mut self.goals
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let how = match table.string("use", faults) {
            None => Some(TableUse::Once),
            Some(word) => match word.value.as_str() {
                "once" => Some(TableUse::Once),
                "resample" => Some(TableUse::Resample),
                "all" => Some(TableUse::All),
                other => {
                    faults.error_with_help(
                        word.span,
                        format!("`use` is not {other:?}"),
                        "\"once\" (row by row), \"resample\" (random rows) or \"all\" (the rows are all goals there are)",
                    );
                    None
                }
            },
        };
        let goals = MatrixSource::read(table, "goals", faults)?;
        Some(Self { goals, how: how? })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let columns = self.goals.columns(rows, faults)?;
        let matrix = self.goals.matrix(faults)?;
        let used = columns.iter().flatten().map(|&j| j as usize);
        let mut used: Vec<usize> = used.collect();
        used.sort_unstable();
        used.dedup();
        let values = (0..matrix.rows).flat_map(|i| used.iter().map(move |&j| matrix.row(i)[j]));
        let zero = columns.iter().any(Option::is_none).then_some(0.0);
        let mut facts = Facts::of_values(values.chain(zero));
        if facts.magnitude() > f64::from(f32::MAX) / 1e20 {
            let message = format!(
                "rewards up to {:e} are beyond what single precision arithmetic can carry",
                facts.magnitude()
            );
            faults.error(self.goals.span(), message);
            return None;
        }
        let n = matrix.rows as u64;
        // Where goals are not enumerated, one of all of them is a random one.
        let how = match self.how {
            TableUse::All if !rows.enumerates => TableUse::Resample,
            how => how,
        };
        facts.available = (how != TableUse::Resample).then_some(n);
        facts.enumerated = (how == TableUse::All).then_some(n);
        Some(Recipe::Whole(Arc::new(BoundTable {
            matrix: matrix.clone(),
            columns,
            in_order: how != TableUse::Resample,
            facts,
        })))
    }
}

#[derive(Debug)]
struct BoundTable {
    matrix: Arc<Matrix>,
    /// Per reward.
    columns: Vec<Option<u32>>,
    in_order: bool,
    facts: Facts,
}

impl WholeGoal for BoundTable {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let n = self.matrix.rows;
        // The pilot's goals and second ones are random rows in any case.
        let row = if self.in_order && key.stream == Stream::Reward {
            (key.index.0 % n as u64) as usize
        } else {
            below(key.on(key.stream.mixture()), ROW_STEP, n)
        };
        let goal = self.matrix.row(row);
        for (reward, column) in rewards.iter_mut().zip(&self.columns) {
            *reward = column.map_or(0.0, |j| goal[j as usize] as f32);
        }
    }

    fn facts(&self) -> Facts {
        self.facts
    }

    fn making(&self) -> Option<Making<'_>> {
        Some(Making::Row(GivenRows {
            rows: self.matrix.rows,
            columns: self.matrix.columns,
            column_of: self.columns.clone(),
            value: Box::new(|row, column| self.matrix.row(row)[column as usize] as f32),
            in_order: self.in_order,
            pick: RowPick::Any,
        }))
    }
}

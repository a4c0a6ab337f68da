//! A table of goals: what was observed of each, one row per cell and goal.

use std::collections::HashSet;
use std::sync::Arc;

use crate::io::parquet::{Column, Values};
use crate::mdp::Mdp;
use crate::statistics::behaviour::Chosen;
use crate::statistics::{Observations, Uncertain};

use super::RunError;

/// Most values of a table of goals: 400 MB in memory.
pub(super) const MAX_VALUES: u64 = 50_000_000;

/// Which goals are listed, and of which states what is done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerGoal {
    /// The first so many goals.
    pub count: u64,
    /// States, or labels of states, `start` for the start states: POWER integrand and optimal choice are listed.
    pub states: Vec<String>,
}

impl PerGoal {
    /// Refuses a table that is too large.
    pub(super) fn check_size(&self, values_per_goal: u64, samples: u64) -> Result<(), RunError> {
        let values = self.count.min(samples).saturating_mul(values_per_goal);
        match values <= MAX_VALUES {
            true => Ok(()),
            false => Err(RunError::OutOfRange {
                what: "number of values in the table of goals",
                wanted: "at most 50,000,000: ask for fewer goals in `per_goal`, or for less of each",
                value: values as f64,
            }),
        }
    }
}

/// The goals of one cell.
pub(super) struct CellGoals {
    pub(super) environment: String,
    pub(super) variant: String,
    pub(super) reward: String,
    pub(super) discount: f64,
    pub(super) rule: String,
    pub(super) mdp: Arc<Mdp>,
    /// What the states of `Chosen` are, and its first column.
    pub(super) chosen: Option<(Chosen, usize)>,
    /// Named columns of numbers.
    pub(super) names: Vec<(String, usize)>,
    /// Goals one after the other, from the first.
    pub(super) observations: Observations,
}

/// Goals of all cells, in the order of the experiment, each from the first goal on.
///
/// Columns: `environment`, `variant`, `reward`, `discount`, `rule`, `goal`; `power:STATE`, `action:STATE` and `optimal:STATE` (number of optimal choices) for the states that
/// were named; then the number of each statistic, named `STATISTIC.MEASURE:KEYS`. What a cell does not have, or is not known of a goal, is missing.
pub struct GoalTable {
    cells: Vec<CellGoals>,
    /// Names of the columns beyond those of the cell: numbers, and whether they are names of actions.
    columns: Vec<(String, bool)>,
}

impl CellGoals {
    /// Names of its columns, and where they are.
    fn sources(&self) -> Vec<(String, bool, usize)> {
        let mut all = Vec::new();
        if let Some((chosen, first)) = &self.chosen {
            for (at, &state) in chosen.states().iter().enumerate() {
                let name = self.mdp.state_name(state);
                let [power, choice, optimal] = Chosen::columns_of(at).map(|c| first + c);
                all.push((format!("power:{name}"), false, power));
                all.push((format!("action:{name}"), true, choice));
                all.push((format!("optimal:{name}"), false, optimal));
            }
        }
        let named = self.names.iter();
        all.extend(named.map(|(name, column)| (name.clone(), false, *column)));
        let mut seen = HashSet::new();
        all.retain(|(name, ..)| seen.insert(name.clone()));
        all
    }
}

impl GoalTable {
    pub(super) fn new(cells: Vec<CellGoals>) -> Self {
        let mut columns: Vec<(String, bool)> = Vec::new();
        let mut seen = HashSet::new();
        for (name, is_action, _) in cells.iter().flat_map(CellGoals::sources) {
            if seen.insert(name.clone()) {
                columns.push((name, is_action));
            }
        }
        Self { cells, columns }
    }

    /// Number of rows.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.cells.iter().map(|c| c.observations.goals()).sum()
    }

    /// The columns, `[n_rows]` each.
    #[must_use]
    pub fn columns(&self) -> Vec<Column<'_>> {
        fn repeated<'c, T: Copy>(
            cells: &'c [CellGoals],
            of: impl Fn(&'c CellGoals) -> T,
        ) -> Vec<T> {
            let each = cells.iter();
            each.flat_map(|cell| std::iter::repeat_n(of(cell), cell.observations.goals()))
                .collect()
        }
        let cells = &self.cells[..];
        let texts = [
            ("environment", repeated(cells, |c| c.environment.as_str())),
            ("variant", repeated(cells, |c| c.variant.as_str())),
            ("reward", repeated(cells, |c| c.reward.as_str())),
        ];
        let texts = texts.map(|(name, values)| Column {
            name,
            values: Values::Text(values),
        });
        let mut all: Vec<Column<'_>> = texts.into();
        all.push(Column {
            name: "discount",
            values: Values::Number(repeated(cells, |c| Some(c.discount))),
        });
        all.push(Column {
            name: "rule",
            values: Values::Text(repeated(cells, |c| c.rule.as_str())),
        });
        let goals = cells.iter().flat_map(|c| 0..c.observations.goals() as i64);
        all.push(Column {
            name: "goal",
            values: Values::Count(goals.collect()),
        });
        let sources: Vec<_> = cells.iter().map(CellGoals::sources).collect();
        for (name, is_action) in &self.columns {
            let each = cells.iter().zip(&sources);
            let columns = each.map(|(cell, sources)| {
                let source = sources.iter().find(|(other, ..)| other == name);
                (cell, source.map(|(.., column)| *column))
            });
            all.push(Column {
                name,
                values: match is_action {
                    true => Values::OptionalText(columns.flat_map(actions).collect()),
                    false => Values::Number(columns.flat_map(numbers).collect()),
                },
            });
        }
        all
    }
}

/// The numbers of one column of a cell.
fn numbers((cell, column): (&CellGoals, Option<usize>)) -> Vec<Option<f64>> {
    let rows = cell.observations.rows();
    let mut values: Vec<Option<f64>> = rows.map(|row| Some(row[column?])).collect();
    // What could be anything is not known; what is known up to rounding is.
    let is_open = |u: &&Uncertain| Some(u.column as usize) == column && u.high - u.low > OPEN;
    for u in cell.observations.uncertain().iter().filter(is_open) {
        values[u.goal as usize] = None;
    }
    values
}

/// A bracket wider than this is told as missing: shares and chances that are open reach from 0 to 1.
const OPEN: f64 = 1e-3;

/// The actions of one column of a cell.
fn actions((cell, column): (&CellGoals, Option<usize>)) -> Vec<Option<&str>> {
    let rows = cell.observations.rows();
    rows.map(|row| Some(cell.mdp.action_name(Chosen::choice(row[column?])?)))
        .collect()
}

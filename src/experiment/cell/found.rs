//! What the sums of a cell say, and the intervals of it that hold at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::statistics::{Estimate, Measure, Table};

/// What is read off a cell's sums.
#[derive(Default)]
pub(super) struct Found {
    /// POWER of every state.
    pub(super) power: Vec<Estimate>,
    /// What was asked beyond it.
    pub(super) tables: Vec<Table>,
}

/// Estimates that may miss: what is exact misses nothing.
fn at_risk<'e>(estimates: impl Iterator<Item = &'e Estimate>) -> usize {
    estimates.filter(|e| !e.exact).count()
}

/// Estimates of one measure of a table that may miss.
fn at_risk_in(table: &Table, measure: usize) -> usize {
    let rows = table.rows.iter();
    at_risk(rows.filter_map(|row| row.measures[measure].estimate()))
}

/// Whether its intervals hold at once as they are: sets of ranks do.
fn holds_as_it_is(table: &Table) -> bool {
    table.name == "ranking"
}

impl Found {
    /// Gives every estimate the interval that holds together with all others of its column: POWER of all states, or one measure of all rows of a table. `read` reads the same sums at the level of one of
    /// so many intervals.
    pub(super) fn hold_at_once(&mut self, read: impl Fn(usize) -> Self) {
        let of_tables = self.tables.iter().filter(|table| !holds_as_it_is(table));
        let sizes = of_tables.flat_map(|table| {
            let measures = 0..table.measures.len();
            measures.map(|measure| at_risk_in(table, measure))
        });
        let sizes: BTreeSet<usize> = sizes.chain([at_risk(self.power.iter())]).collect();
        let wide: BTreeMap<usize, Self> = sizes.into_iter().map(|n| (n, read(n))).collect();
        let wider = &wide[&at_risk(self.power.iter())];
        for (own, wide) in self.power.iter_mut().zip(&wider.power) {
            *own = own.holding_at_once(wide);
        }
        for (at, table) in self.tables.iter_mut().enumerate() {
            for measure in 0..table.measures.len() {
                let wider = match holds_as_it_is(table) {
                    true => None,
                    false => wide[&at_risk_in(table, measure)].tables.get(at),
                };
                for (row, own) in table.rows.iter_mut().enumerate() {
                    let Measure::Estimate(own) = &mut own.measures[measure] else {
                        continue;
                    };
                    let same = wider.and_then(|table| table.rows.get(row));
                    let same = same.and_then(|row| row.measures[measure].estimate());
                    *own = own.holding_at_once(same.unwrap_or(own));
                }
            }
        }
    }
}

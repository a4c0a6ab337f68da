//! Results as the JSON document and as the columns of `power.parquet`. Both are byte-identical for equal results.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{CellStatistics, Ensemble, Statistics};
use crate::io::parquet::{Column, Values};
use crate::reward::RewardDomain;
use crate::statistics::{Estimate, Key, KeyKind, Measure, Table, TableRow};
use crate::units::Discount;

/// Version of the results' format.
const SCHEMA: u32 = 1;

/// One row of `power`.
#[derive(Serialize)]
struct Row<'a> {
    state: &'a str,
    #[serde(flatten)]
    power: &'a Estimate,
}

impl Statistics {
    /// The results as one JSON document: cells in the order of the experiment, states in file order, one row a line.
    ///
    /// `{"schema", "samples", "seed", "backend", "cells": [{"environment", "variant", "reward", "discount",
    /// "discount_used", "rule", "unconverged", "power": [{"state", "n", "estimate", "std_error", "ci_low", "ci_high",
    /// "bound", "bound_max", "low", "high"}]}]}`, and `failures` where a cell has no result. What is missing is null. Where choices have
    /// rewards, `power` is null and `value`, the normalised value, stands in its place. Several environments are summed up under `ensembles`. Results of a run that is not finished say how far
    /// it is: `"unfinished": {"goals_done", "goals_total", "cells_missing"}`.
    ///
    /// # Precision
    ///
    /// Numbers are written with the fewest digits that read back to the same bits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = format!(
            "{{\n  \"schema\": {SCHEMA},\n  \"samples\": {},\n  \"seed\": {},\n  \"backend\": {},\n  \"cells\": [",
            self.samples,
            self.seed,
            json!(self.backend)
        );
        for (i, cell) in self.cells.iter().enumerate() {
            text.push_str(if i > 0 { ",\n    " } else { "\n    " });
            cell.push_json(&mut text);
        }
        text.push_str(if self.cells.is_empty() { "]" } else { "\n  ]" });
        for (i, ensemble) in self.ensembles.iter().enumerate() {
            text.push_str(if i > 0 {
                ",\n    "
            } else {
                ",\n  \"ensembles\": [\n    "
            });
            ensemble.push_json(&mut text);
        }
        text.push_str(if self.ensembles.is_empty() {
            ""
        } else {
            "\n  ]"
        });
        if !self.failures.is_empty() {
            text.push_str(",\n  \"failures\": [");
            for (i, failure) in self.failures.iter().enumerate() {
                let row = json!({
                    "environment": failure.environment,
                    "variant": failure.variant,
                    "reward": failure.reward,
                    "discount": failure.discount,
                    "rule": failure.rule,
                    "error": failure.error.to_string(),
                });
                let _ = write!(text, "{}\n    {row}", if i > 0 { "," } else { "" });
            }
            text.push_str("\n  ]");
        }
        if let Some(stopped) = &self.stopped {
            let _ = write!(text, ",\n  \"until\": {}", stopped.to_json());
        }
        if let Some(unfinished) = &self.unfinished {
            let row = json!({
                "goals_done": unfinished.goals_done,
                "goals_total": unfinished.goals_total,
                "cells_missing": unfinished.cells_missing,
            });
            let _ = write!(text, ",\n  \"unfinished\": {row}");
        }
        text.push_str("\n}\n");
        text
    }

    /// POWER as columns, one row per cell and state.
    #[must_use]
    pub fn power_columns(&self) -> Vec<Column<'_>> {
        let number = |name, of: &dyn Fn(&CellStatistics, &Estimate) -> Option<f64>| Column {
            name,
            values: Values::Number(
                self.rows()
                    .map(|(cell, s)| of(cell, &cell.power[s]))
                    .collect(),
            ),
        };
        let text = |name, of: &dyn for<'c> Fn(&'c CellStatistics, usize) -> &'c str| Column {
            name,
            values: Values::Text(self.rows().map(|(cell, s)| of(cell, s)).collect()),
        };
        let counts = self.rows().map(|(cell, s)| cell.power[s].n);
        let mut columns = vec![
            text("environment", &|cell, _| &cell.environment),
            text("variant", &|cell, _| &cell.variant),
            text("reward", &|cell, _| &cell.reward),
            number("discount", &|cell, _| Some(cell.discount.asked())),
            number("discount_used", &|cell, _| cell.discount_used),
            text("rule", &|cell, _| &cell.rule),
            text("state", &|cell, s| {
                cell.mdp.state_name(crate::StateId(s as u32))
            }),
            text("measure", &|cell, _| cell.measure()),
            Column {
                name: "n",
                values: Values::Count(
                    counts
                        .map(|n| i64::try_from(n).unwrap_or(i64::MAX))
                        .collect(),
                ),
            },
            number("estimate", &|_, e| Some(e.estimate)),
            number("std_error", &|_, e| e.std_error),
            number("ci_low", &|_, e| Some(e.ci_low)),
            number("ci_high", &|_, e| Some(e.ci_high)),
            number("bound", &|_, e| Some(e.bound)),
            number("bound_max", &|_, e| Some(e.bound_max)),
            number("low", &|_, e| Some(e.low)),
            number("high", &|_, e| Some(e.high)),
        ];
        if self.rows().any(|(cell, s)| is_at_once(cell.power[s])) {
            columns.extend(AT_ONCE.map(|(name, of)| number(name, &|_, e| of(e))));
        }
        columns
    }

    /// Names of the statistics that were asked beyond POWER, in the order in which cells have them. A variant that has none of the
    /// names that a statistic asks for has no such table.
    #[must_use]
    pub fn table_names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let of_cells = self.cells.iter().flat_map(|cell| &cell.tables);
        for table in of_cells.chain(self.ensembles.iter().flat_map(|e| &e.tables)) {
            if !names.contains(&table.name) {
                names.push(table.name);
            }
        }
        names
    }

    /// Everything as named tables of columns: `power`, then what was asked beyond it. What writes results writes these.
    #[must_use]
    pub fn tables(&self) -> Vec<(&'static str, Vec<Column<'_>>)> {
        let asked = self.table_names().into_iter();
        let others = asked.map(|name| (name, self.table_columns(name)));
        std::iter::once(("power", self.power_columns()))
            .chain(others)
            .collect()
    }

    /// One statistic of all cells, or one table of all ensembles, as tidy columns: one row per cell, table row and measure. Empty where it was not asked.
    #[must_use]
    pub fn table_columns(&self, name: &str) -> Vec<Column<'_>> {
        let cells = self
            .cells
            .iter()
            .map(|cell| (Head::of_cell(cell), &cell.tables));
        let ensembles = self.ensembles.iter();
        let ensembles = ensembles.map(|of| (Head::of_ensemble(of), &of.tables));
        let rows: Vec<Tidy<'_>> = cells
            .chain(ensembles)
            .filter_map(|(head, tables)| Some((head, tables.iter().find(|t| t.name == name)?)))
            .flat_map(|(head, table)| tidy(head, table))
            .collect();
        let Some(keys) = rows.first().map(|row| row.table.keys) else {
            return Vec::new();
        };
        let number = |name, of: &dyn Fn(&Tidy<'_>) -> Option<f64>| Column {
            name,
            values: Values::Number(rows.iter().map(of).collect()),
        };
        let text = |name, of: &dyn for<'t> Fn(&Tidy<'t>) -> &'t str| Column {
            name,
            values: Values::Text(rows.iter().map(of).collect()),
        };
        let mut columns = vec![
            text("variant", &|row| row.head.variant),
            text("reward", &|row| row.head.reward),
            number("discount", &|row| Some(row.head.discount.asked())),
            number("discount_used", &|row| row.head.discount_used),
            text("rule", &|row| row.head.rule),
        ];
        if rows.iter().all(|row| row.head.environment.is_some()) {
            let environment = text("environment", &|row| row.head.environment.unwrap_or(""));
            columns.insert(0, environment);
        }
        for (at, &(name, kind)) in keys.iter().enumerate() {
            columns.push(key_column(
                name,
                kind,
                rows.iter().map(|row| &row.row.keys[at]).collect(),
            ));
        }
        columns.push(text("measure", &|row| row.measure));
        // Shares of a condition are over more goals than what else there is.
        let goals = |row: &Tidy<'_>| row.value.estimate().map_or(row.head.n, |e| e.n);
        let counts = rows.iter().map(goals);
        columns.push(Column {
            name: "n",
            values: Values::Count(
                counts
                    .map(|n| i64::try_from(n).unwrap_or(i64::MAX))
                    .collect(),
            ),
        });
        let estimates: [(&'static str, Part); 7] = [
            ("std_error", |e| e.std_error),
            ("ci_low", |e| Some(e.ci_low)),
            ("ci_high", |e| Some(e.ci_high)),
            ("bound", |e| Some(e.bound)),
            ("bound_max", |e| Some(e.bound_max)),
            ("low", |e| Some(e.low)),
            ("high", |e| Some(e.high)),
        ];
        columns.push(number("estimate", &|row| match row.value {
            Measure::Estimate(estimate) => Some(estimate.estimate),
            Measure::Number(value) => Some(*value),
            Measure::Missing => None,
        }));
        for (name, of) in estimates {
            columns.push(number(name, &|row| row.value.estimate().and_then(of)));
        }
        let mut estimates = rows.iter().filter_map(|row| row.value.estimate().copied());
        if estimates.any(is_at_once) {
            for (name, of) in AT_ONCE {
                columns.push(number(name, &|row| row.value.estimate().and_then(of)));
            }
        }
        columns
    }

    /// The Parquet file of one statistic.
    ///
    /// # Errors
    ///
    /// What the Parquet writer says.
    pub fn table_parquet(&self, name: &str) -> Result<Vec<u8>, ::parquet::errors::ParquetError> {
        crate::io::parquet::write_table(&self.table_columns(name), Vec::new())
    }

    /// `power.parquet`.
    ///
    /// # Errors
    ///
    /// What the Parquet writer says.
    pub fn to_parquet(&self) -> Result<Vec<u8>, ::parquet::errors::ParquetError> {
        crate::io::parquet::write_table(&self.power_columns(), Vec::new())
    }

    fn rows(&self) -> impl Iterator<Item = (&CellStatistics, usize)> {
        let cells = self.cells.iter();
        cells.flat_map(|cell| (0..cell.power.len()).map(move |s| (cell, s)))
    }
}

/// A number of an estimate.
type Part = fn(&Estimate) -> Option<f64>;

/// The ends that hold at once, where they were asked.
const AT_ONCE: [(&str, Part); 2] = [
    ("simultaneous_low", |e| e.simultaneous_low),
    ("simultaneous_high", |e| e.simultaneous_high),
];

fn is_at_once(estimate: Estimate) -> bool {
    estimate.simultaneous_low.is_some()
}

/// What a table is of.
#[derive(Clone, Copy)]
struct Head<'a> {
    /// `None` for an ensemble.
    environment: Option<&'a str>,
    variant: &'a str,
    reward: &'a str,
    discount: Discount,
    discount_used: Option<f64>,
    rule: &'a str,
    /// Goals, or environments.
    n: u64,
}

impl<'a> Head<'a> {
    fn of_cell(cell: &'a CellStatistics) -> Self {
        Self {
            environment: Some(&cell.environment),
            variant: &cell.variant,
            reward: &cell.reward,
            discount: cell.discount,
            discount_used: cell.discount_used,
            rule: &cell.rule,
            n: cell.samples,
        }
    }

    fn of_ensemble(ensemble: &'a Ensemble) -> Self {
        Self {
            environment: None,
            variant: &ensemble.variant,
            reward: &ensemble.reward,
            discount: ensemble.discount,
            discount_used: ensemble.discount_used,
            rule: &ensemble.rule,
            n: ensemble.environments,
        }
    }
}

/// One measure of one row of a table.
struct Tidy<'a> {
    head: Head<'a>,
    table: &'a Table,
    row: &'a TableRow,
    measure: &'static str,
    value: &'a Measure,
}

fn tidy<'a>(head: Head<'a>, table: &'a Table) -> impl Iterator<Item = Tidy<'a>> {
    table.rows.iter().flat_map(move |row| {
        let measures = table.measures.iter().zip(&row.measures);
        measures.map(move |(measure, value)| Tidy {
            head,
            table,
            row,
            measure,
            value,
        })
    })
}

fn key_column<'a>(name: &'static str, kind: KeyKind, keys: Vec<&'a Key>) -> Column<'a> {
    let text = |key: &&'a Key| match key {
        Key::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let count = |key: &&'a Key| match key {
        Key::Count(n) => i64::try_from(*n).ok(),
        _ => None,
    };
    let values = match kind {
        KeyKind::Text | KeyKind::Prose | KeyKind::Finding => {
            Values::OptionalText(keys.iter().map(text).collect())
        }
        KeyKind::Count => Values::OptionalCount(keys.iter().map(count).collect()),
    };
    Column { name, values }
}

impl Ensemble {
    fn push_json(&self, text: &mut String) {
        let head = json!({
            "variant": self.variant,
            "reward": self.reward,
            "discount": self.discount,
            "discount_used": self.discount_used,
            "rule": self.rule,
            "environments": self.environments,
        });
        text.push_str(head.to_string().trim_end_matches('}'));
        for table in &self.tables {
            table.push_json(text);
        }
        text.push('}');
    }
}

impl CellStatistics {
    fn push_json(&self, text: &mut String) {
        let head = json!({
            "environment": self.environment,
            "variant": self.variant,
            "reward": self.reward,
            "discount": self.discount,
            "discount_used": self.discount_used,
            "rule": self.rule,
            "unconverged": self.unconverged,
        });
        let head = head.to_string();
        // The rows follow inside the same object.
        text.push_str(head.trim_end_matches('}'));
        if self.domain == RewardDomain::Choice {
            text.push_str(",\"power\":null");
        }
        let _ = write!(text, ",\"{}\":[", self.measure());
        for (i, (state, power)) in self.mdp.states().zip(&self.power).enumerate() {
            let state = self.mdp.state_name(state);
            let row = serde_json::to_string(&Row { state, power });
            // Strings and numbers alone: nothing in a row can fail to be written.
            let row = row.unwrap_or_default();
            let _ = write!(text, "{}\n      {row}", if i > 0 { "," } else { "" });
        }
        text.push_str("\n    ]");
        for table in &self.tables {
            table.push_json(text);
        }
        text.push('}');
    }
}

impl Table {
    /// `,"name":[rows]`, one row a line: the keys, then the measures.
    fn push_json(&self, text: &mut String) {
        let _ = write!(text, ",\"{}\":[", self.name);
        for (i, row) in self.rows.iter().enumerate() {
            let keys = self.keys.iter().zip(&row.keys).map(|((name, _), key)| {
                let value = match key {
                    Key::Text(value) => json!(value),
                    Key::Count(value) => json!(value),
                    Key::Missing => Value::Null,
                };
                ((*name).to_owned(), value)
            });
            let measures = self
                .measures
                .iter()
                .zip(&row.measures)
                .map(|(name, measure)| {
                    let value = match measure {
                        Measure::Estimate(estimate) => json!(estimate),
                        Measure::Number(value) => json!(value),
                        Measure::Missing => Value::Null,
                    };
                    ((*name).to_owned(), value)
                });
            let object: Map<String, Value> = keys.chain(measures).collect();
            let comma = if i > 0 { "," } else { "" };
            let _ = write!(text, "{comma}\n      {}", Value::Object(object));
        }
        text.push_str("\n    ]");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::experiment::fake::{FakeBackend, Flaw, two_state};
    use crate::experiment::{Engine, RunSpec};

    fn run(samples: u64, flaw: Flaw) -> Statistics {
        let engine = Engine::with_backend(Arc::new(FakeBackend(flaw)));
        let spec = RunSpec {
            samples,
            ..RunSpec::default()
        };
        let spec = spec.environment(&engine.upload(two_state("a \"pair\"")));
        let spec = spec.discount(0.9).unwrap().discount(0.5).unwrap();
        engine.run(&spec).unwrap()
    }

    #[test]
    fn the_document_has_the_documented_shape() {
        insta::assert_snapshot!(run(1_000, Flaw::None).to_json());
    }

    #[test]
    fn every_number_reads_back_to_the_same_bits() {
        let statistics = run(1_000, Flaw::None);
        let document: serde_json::Value = serde_json::from_str(&statistics.to_json()).unwrap();
        for (c, cell) in statistics.cells.iter().enumerate() {
            for (s, power) in cell.power.iter().enumerate() {
                let row = &document["cells"][c]["power"][s];
                assert_eq!(row["estimate"].as_f64(), Some(power.estimate));
                assert_eq!(row["std_error"].as_f64(), power.std_error);
                assert_ne!(
                    row["ci_low"].as_f64(),
                    Some(power.estimate),
                    "the comparison can fail"
                );
            }
        }
    }

    #[test]
    fn what_is_missing_is_null() {
        let document: serde_json::Value =
            serde_json::from_str(&run(1, Flaw::None).to_json()).unwrap();
        let row = &document["cells"][0]["power"][0];
        for key in ["std_error", "ci_low", "ci_high", "low", "high"] {
            assert_eq!(row.get(key), Some(&serde_json::Value::Null), "{key}");
        }
        assert!(row["estimate"].is_number());
    }

    #[test]
    fn a_cell_without_a_result_is_listed() {
        let text = run(1_000, Flaw::FailsAt(0.9)).to_json();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["cells"].as_array().unwrap().len(), 1);
        assert_eq!(document["failures"][0]["discount"], 0.9);
        let none = run(1_000, Flaw::Zeros).to_json();
        let none: serde_json::Value = serde_json::from_str(&none).unwrap();
        assert_eq!(none["cells"], json!([]));
    }

    #[test]
    fn equal_results_are_equal_files() {
        let statistics = run(1_000, Flaw::None);
        let again = run(1_000, Flaw::None);
        assert_eq!(
            statistics.to_parquet().unwrap(),
            again.to_parquet().unwrap()
        );
        let other = run(1_001, Flaw::None);
        assert_ne!(
            statistics.to_parquet().unwrap(),
            other.to_parquet().unwrap()
        );
    }
}

//! Results as the JSON document and as the columns of `power.parquet`. Both are byte-identical for equal results.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::{CellStatistics, Statistics};
use crate::io::parquet::{Column, Values};
use crate::statistics::Estimate;

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
    /// "bound", "bound_max", "low", "high"}]}]}`, and `failures` where a cell has no result. What is missing is null.
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
        vec![
            text("environment", &|cell, _| &cell.environment),
            text("variant", &|cell, _| &cell.variant),
            text("reward", &|cell, _| &cell.reward),
            number("discount", &|cell, _| Some(cell.discount)),
            number("discount_used", &|cell, _| Some(cell.discount_used)),
            text("rule", &|cell, _| &cell.rule),
            text("state", &|cell, s| {
                cell.mdp.state_name(crate::StateId(s as u32))
            }),
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
        ]
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
        text.push_str(",\"power\":[");
        for (i, (state, power)) in self.mdp.states().zip(&self.power).enumerate() {
            let state = self.mdp.state_name(state);
            let row = serde_json::to_string(&Row { state, power });
            // Strings and numbers alone: nothing in a row can fail to be written.
            let row = row.unwrap_or_default();
            let _ = write!(text, "{}\n      {row}", if i > 0 { "," } else { "" });
        }
        text.push_str("\n    ]}");
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
        let text = run(1_000, Flaw::RefusesDiscount(0.9)).to_json();
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

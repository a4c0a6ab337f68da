//! Tables out, as text and as NumPy arrays: the columns of the Parquet files in formats that need no library to be read.

use std::io::{Cursor, Seek, Write};

use csv_core::{WriteResult, Writer};
use serde_json::{Value, json};

use super::npz::{Array, ArrayValues, NpzWriter};
use super::parquet::{Column, Values};

/// A value of a table.
enum Cell<'a> {
    Text(&'a str),
    Count(i64),
    Number(f64),
    Missing,
}

fn cell<'a>(values: &Values<'a>, row: usize) -> Cell<'a> {
    let text = |text: Option<&'a str>| text.map_or(Cell::Missing, Cell::Text);
    match values {
        Values::Text(list) => text(list.get(row).copied()),
        Values::OptionalText(list) => text(list.get(row).copied().flatten()),
        Values::Count(list) => list.get(row).map_or(Cell::Missing, |&n| Cell::Count(n)),
        Values::OptionalCount(list) => list
            .get(row)
            .copied()
            .flatten()
            .map_or(Cell::Missing, Cell::Count),
        Values::Number(list) => {
            let finite = list.get(row).copied().flatten().filter(|x| x.is_finite());
            finite.map_or(Cell::Missing, Cell::Number)
        }
    }
}

fn rows(columns: &[Column<'_>]) -> usize {
    columns
        .iter()
        .map(|column| column.values.len())
        .max()
        .unwrap_or(0)
}

/// Writes a table as CSV: a row of names, fields between commas, lines ended by `\n`. What is missing is an empty field.
///
/// # Precision
///
/// Numbers are written with the fewest digits that read back to the same bits.
#[must_use]
pub fn write_csv(columns: &[Column<'_>]) -> String {
    let mut text = Fields::default();
    for column in columns {
        text.field(column.name);
    }
    text.end_row();
    for row in 0..rows(columns) {
        for column in columns {
            match cell(&column.values, row) {
                Cell::Text(value) => text.field(value),
                Cell::Count(value) => text.field(&value.to_string()),
                Cell::Number(value) => text.field(&json!(value).to_string()),
                Cell::Missing => text.field(""),
            }
        }
        text.end_row();
    }
    text.finish()
}

/// Writes a table as JSON lines: one object a row. What is missing is null.
///
/// # Precision
///
/// Numbers are written with the fewest digits that read back to the same bits.
#[must_use]
pub fn write_json_lines(columns: &[Column<'_>]) -> String {
    let mut text = String::new();
    for row in 0..rows(columns) {
        let fields = columns.iter().map(|column| {
            let value = match cell(&column.values, row) {
                Cell::Text(value) => json!(value),
                Cell::Count(value) => json!(value),
                Cell::Number(value) => json!(value),
                Cell::Missing => Value::Null,
            };
            (column.name.to_owned(), value)
        });
        text.push_str(&Value::Object(fields.collect()).to_string());
        text.push('\n');
    }
    text
}

/// Writes a table as a NumPy archive: an array of shape `[rows]` for each column. NumPy has no null: a missing number is NaN (a column of
/// whole numbers that has one is an array of floats), a missing text is empty.
///
/// # Errors
///
/// What the writer says.
pub fn write_table_npz<W: Write + Seek>(columns: &[Column<'_>], to: W) -> std::io::Result<W> {
    let mut writer = NpzWriter::new(to);
    let n = rows(columns);
    for Column { name, values } in columns {
        let number = |row| match cell(values, row) {
            Cell::Number(value) => value,
            Cell::Count(value) => value as f64,
            _ => f64::NAN,
        };
        let (shape, numbers): (_, Vec<f64>) = (&[n][..], (0..n).map(number).collect());
        let texts: Vec<&str>;
        let values = match values {
            Values::Count(list) => ArrayValues::Integers(list),
            Values::Text(list) => ArrayValues::Texts(list),
            Values::OptionalText(list) => {
                texts = list.iter().map(|text| text.unwrap_or("")).collect();
                ArrayValues::Texts(&texts)
            }
            Values::Number(_) | Values::OptionalCount(_) => ArrayValues::Numbers(&numbers),
        };
        writer.write(&Array {
            name,
            shape,
            values,
        })?;
    }
    Ok(writer.finish()?)
}

/// The same as bytes.
///
/// # Errors
///
/// What the writer says.
pub fn table_npz(columns: &[Column<'_>]) -> std::io::Result<Vec<u8>> {
    write_table_npz(columns, Cursor::new(Vec::new())).map(Cursor::into_inner)
}

/// CSV as it grows.
#[derive(Default)]
struct Fields {
    writer: Writer,
    text: Vec<u8>,
    inside: bool,
}

impl Fields {
    fn field(&mut self, value: &str) {
        if std::mem::replace(&mut self.inside, true) {
            self.grow(
                |writer, _, to| {
                    let (result, written) = writer.delimiter(to);
                    (result, 0, written)
                },
                0,
            );
        }
        self.grow(
            |writer, from, to| writer.field(&value.as_bytes()[from..], to),
            value.len(),
        );
    }

    fn end_row(&mut self) {
        self.inside = false;
        self.grow(
            |writer, _, to| {
                let (result, written) = writer.terminator(to);
                (result, 0, written)
            },
            0,
        );
    }

    /// Calls the writer with a buffer until it is done.
    fn grow(
        &mut self,
        mut step: impl FnMut(&mut Writer, usize, &mut [u8]) -> (WriteResult, usize, usize),
        length: usize,
    ) {
        let mut buffer = [0; 256];
        let mut from = 0;
        loop {
            let (result, read, written) = step(&mut self.writer, from.min(length), &mut buffer);
            self.text.extend_from_slice(&buffer[..written]);
            from += read;
            if result == WriteResult::InputEmpty {
                return;
            }
        }
    }

    fn finish(mut self) -> String {
        self.grow(
            |writer, _, to| {
                let (result, written) = writer.finish(to);
                (result, 0, written)
            },
            0,
        );
        // Fields are texts, and what the writer adds is ASCII.
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{MatrixFormat, parse_matrix};

    fn table() -> Vec<Column<'static>> {
        let long = Box::leak("long \"quoted\", ".repeat(50).into_boxed_str());
        let columns = [
            ("state", Values::Text(vec!["a", "b,\nc", long])),
            (
                "label",
                Values::OptionalText(vec![None, Some("x"), Some("")]),
            ),
            ("n", Values::Count(vec![1, i64::MAX, -3])),
            ("k", Values::OptionalCount(vec![Some(7), None, Some(0)])),
            (
                "power",
                Values::Number(vec![Some(0.1 + 0.2), None, Some(f64::INFINITY)]),
            ),
        ];
        columns
            .map(|(name, values)| Column { name, values })
            .to_vec()
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_out_what_is_missing() {
        let text = write_csv(&table());
        let long = "long \"\"quoted\"\", ".repeat(50);
        let wanted = format!(
            "state,label,n,k,power\na,,1,7,0.30000000000000004\n\"b,\nc\",x,9223372036854775807,,\n\"{long}\",,-3,0,\n"
        );
        assert_eq!(text, wanted);
    }

    #[test]
    fn json_lines_have_nulls() {
        let text = write_json_lines(&table());
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            json!({"state": "a", "label": null, "n": 1, "k": 7, "power": 0.1 + 0.2})
        );
        assert_eq!(lines[1]["k"], Value::Null);
        assert_eq!(lines[2]["power"], Value::Null);
    }

    #[test]
    fn numbers_come_back_from_numpy_arrays() {
        let numbers = [Column {
            name: "power",
            values: Values::Number(vec![Some(0.1), Some(0.2)]),
        }];
        let bytes = table_npz(&numbers).unwrap();
        // One array of one dimension: no matrix, and the reader says what it found.
        let faults = parse_matrix(MatrixFormat::NumPy, "x.npz", &bytes)
            .unwrap_err()
            .to_string();
        assert!(
            faults.contains("array \"power\" has the shape (2,)"),
            "{faults}"
        );
        assert_eq!(bytes, table_npz(&numbers).unwrap());
        assert!(table_npz(&table()).unwrap().len() > bytes.len());
    }
}

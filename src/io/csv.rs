//! Matrices in CSV: fields between commas, one row a line, optionally a first row of column names, `#` before a comment.

use std::sync::Arc;

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::Limited;
use super::matrix::NamedMatrix;
use crate::document::{Faults, SourceText, Span};

/// Reads a matrix from a text.
///
/// The first row holds the names of the columns when none of its fields is a number.
pub(super) fn parse(source: &Arc<SourceText>) -> Result<NamedMatrix, Faults> {
    let mut faults = Faults::about(source.clone());
    let mut reading = Reading::default();
    let mut row: Vec<Field> = Vec::new();
    let mut fields = Fields::of(&source.text);
    while let Some((field, ends_row)) = fields.next_field() {
        row.push(field);
        if ends_row {
            reading.row(&row, &mut faults);
            row.clear();
        }
    }
    reading.finish(&mut faults)
}

/// One field: its content without quotes, and where it stands with them.
struct Field {
    text: String,
    span: Span,
}

/// Cuts a text into fields.
struct Fields<'t> {
    reader: Reader,
    text: &'t str,
    at: usize,
    content: Vec<u8>,
}

impl<'t> Fields<'t> {
    fn of(text: &'t str) -> Self {
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let reader = ReaderBuilder::new().comment(Some(b'#')).build();
        Self {
            reader,
            text,
            at,
            content: vec![0; 256],
        }
    }

    /// The next field, and whether it is the last one of its row.
    fn next_field(&mut self) -> Option<(Field, bool)> {
        let (start, mut filled) = (self.at, 0);
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let (result, read, written) = self.reader.read_field(rest, &mut self.content[filled..]);
            self.at += read;
            filled += written;
            match result {
                // With the whole text at hand, the reader asks for more at its end alone, and then with nothing left.
                ReadFieldResult::InputEmpty => {}
                ReadFieldResult::OutputFull => self.content.resize(2 * self.content.len(), 0),
                ReadFieldResult::End => return None,
                ReadFieldResult::Field { record_end } => {
                    let text = String::from_utf8_lossy(&self.content[..filled]).into_owned();
                    return Some((
                        Field {
                            text,
                            span: self.span(start),
                        },
                        record_end,
                    ));
                }
            }
        }
    }

    /// Where the field stands in what was read for it, without the separator behind and empty lines and comments before.
    fn span(&self, start: usize) -> Span {
        let mut rest = &self.text[start..self.at];
        rest = rest.strip_suffix('\n').unwrap_or(rest);
        rest = rest.strip_suffix('\r').unwrap_or(rest);
        rest = rest.strip_suffix(',').unwrap_or(rest);
        let end = start + rest.len();
        loop {
            rest = rest.trim_start();
            match rest
                .strip_prefix('#')
                .and_then(|comment| comment.split_once('\n'))
            {
                Some((_, after)) => rest = after,
                None => break,
            }
        }
        let start = end - rest.len();
        start..end.min(start + rest.trim_end().len()).max(start)
    }
}

#[derive(Default)]
struct Reading {
    names: Option<Vec<String>>,
    /// Fields of the first row, by which the others are measured.
    width: Option<usize>,
    rows: usize,
    values: Vec<f64>,
    bad: Limited,
    ragged: Limited,
}

impl Reading {
    fn row(&mut self, fields: &[Field], faults: &mut Faults) {
        let is_number = |field: &Field| field.text.trim().parse::<f64>().is_ok();
        let (first, last) = (&fields[0].span, &fields[fields.len() - 1].span);
        let span = first.start..last.end.max(first.start);
        let width = *self.width.get_or_insert(fields.len());
        if self.rows == 0
            && self.names.is_none()
            && !fields.iter().any(is_number)
            && width == fields.len()
        {
            self.header(fields, faults);
            return;
        }
        self.rows += 1;
        if fields.len() != width {
            let message = format!("{} fields where the first row has {width}", fields.len());
            self.ragged.error(faults, span, message);
        }
        for field in fields {
            let value = self.number(field, faults);
            self.values.push(value);
        }
    }

    fn header(&mut self, fields: &[Field], faults: &mut Faults) {
        let mut seen = std::collections::HashSet::new();
        for field in fields {
            let name = field.text.trim();
            if name.is_empty() {
                self.bad
                    .error(faults, field.span.clone(), "a column's name is empty");
            } else if !seen.insert(name) {
                let message = format!("two columns are named {name:?}");
                self.bad.error(faults, field.span.clone(), message);
            }
        }
        self.names = Some(fields.iter().map(|f| f.text.trim().to_owned()).collect());
    }

    fn number(&mut self, field: &Field, faults: &mut Faults) -> f64 {
        let text = field.text.trim();
        let span = field.span.clone();
        match text.parse::<f64>() {
            Ok(x) if x.is_finite() => return x,
            Ok(x) => self.bad.error(
                faults,
                span,
                format!("a reward must be finite, this is {x}"),
            ),
            Err(_) if text.is_empty() => self.bad.error(faults, span, "a field is empty"),
            Err(_) if text.contains([';', '\t', ' ']) => {
                let message = format!("{text:?} is not a number");
                self.bad
                    .error_with_help(faults, span, message, "fields are separated by commas");
            }
            Err(_) => self
                .bad
                .error(faults, span, format!("{text:?} is not a number")),
        }
        0.0
    }

    fn finish(self, faults: &mut Faults) -> Result<NamedMatrix, Faults> {
        self.bad.finish(faults, "fields that are wrong");
        self.ragged.finish(faults, "rows of another length");
        if self.rows == 0 {
            let message = match self.names {
                Some(_) => {
                    "there is no row of numbers: the only row is taken for the names of the columns"
                }
                None => "there is no row of numbers",
            };
            faults.error(None, message);
        }
        if faults.has_errors() {
            faults.sort_by_place();
            return Err(std::mem::take(faults));
        }
        let columns = self.width.unwrap_or(0);
        Ok(NamedMatrix {
            rows: self.rows,
            columns,
            names: self.names,
            values: self.values,
        })
    }
}

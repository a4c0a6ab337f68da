//! Plain matrices from NumPy and CSV files: goals as rows, states as columns.

use std::collections::HashSet;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;

use super::npy::Problem;
use super::npz::Arrays;
use super::{Limited, ReadError, csv, open_file, read_text};
use crate::document::{Faults, SourceText};

/// The array that holds the rows, where an archive holds several of two dimensions.
const ROWS: &str = "goals";

/// The array that holds the names of the columns.
const NAMES: &str = "names";

/// A matrix of finite numbers, `[rows, columns]`, with at least one row and one column.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedMatrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Names of the columns, distinct and not empty, where the file gives any.
    pub names: Option<Vec<String>>,
    /// The numbers, row by row.
    pub values: Vec<f64>,
}

impl NamedMatrix {
    /// One row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }
}

/// A format of matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixFormat {
    /// `.npz` and `.npy`.
    NumPy,
    /// `.csv`.
    Csv,
}

impl MatrixFormat {
    /// The extensions that [`of`](Self::of) knows.
    pub const EXTENSIONS: [&'static str; 3] = ["npz", "npy", "csv"];

    /// The format of a file, by its extension in either case.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "npz" | "npy" => Some(Self::NumPy),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Reads a matrix from a `.npz`, `.npy` or `.csv` file.
///
/// An archive's matrix is the array `goals`, else its only array of two dimensions; the array `names` names the columns. In
/// CSV a first row without any number does. Precision: every number is the f64 nearest to what the file says.
///
/// # Errors
///
/// [`ReadError`]; its `Faults` hold all that is wrong with the content, every number that is not finite among them.
pub fn read_matrix(path: &Path) -> Result<NamedMatrix, ReadError> {
    match known_format(path)? {
        MatrixFormat::Csv => csv::parse(&read_text(path)?).map_err(ReadError::Faults),
        MatrixFormat::NumPy => {
            let file: File = open_file(path)?;
            numpy(&path.display().to_string(), Arrays::open(file)).map_err(ReadError::Faults)
        }
    }
}

/// Reads a matrix, and hands back the bytes it was read from.
///
/// # Errors
///
/// As for [`read_matrix`].
pub fn read_matrix_bytes(path: &Path) -> Result<(NamedMatrix, Vec<u8>), ReadError> {
    let format = known_format(path)?;
    let bytes = std::fs::read(path).map_err(|error| ReadError::File {
        path: path.into(),
        error,
    })?;
    let name = path.display().to_string();
    let matrix = parse_matrix(format, &name, &bytes).map_err(ReadError::Faults)?;
    Ok((matrix, bytes))
}

fn known_format(path: &Path) -> Result<MatrixFormat, ReadError> {
    MatrixFormat::of(path).ok_or_else(|| ReadError::UnknownExtension {
        path: path.into(),
        known: &MatrixFormat::EXTENSIONS,
    })
}

/// Reads a matrix from the bytes of a file.
///
/// ```
/// use powersweep::io::{MatrixFormat, parse_matrix};
///
/// let goals = parse_matrix(MatrixFormat::Csv, "goals.csv", b"start,end\n0,1\n-0.5,0.25\n").unwrap();
/// assert_eq!((goals.rows, goals.columns), (2, 2));
/// assert_eq!(goals.names.unwrap(), ["start", "end"]);
/// assert_eq!(goals.values, [0.0, 1.0, -0.5, 0.25]);
/// ```
///
/// # Errors
///
/// All faults of the content.
pub fn parse_matrix(format: MatrixFormat, name: &str, bytes: &[u8]) -> Result<NamedMatrix, Faults> {
    match format {
        MatrixFormat::NumPy => numpy(name, Arrays::read(Box::new(Cursor::new(bytes.to_vec())))),
        MatrixFormat::Csv => match std::str::from_utf8(bytes) {
            Ok(text) => csv::parse(&SourceText::new(name, text)),
            Err(error) => {
                let mut faults = Faults::about(SourceText::new(name, ""));
                let offset = error.valid_up_to();
                faults.error(
                    None,
                    format!("not UTF-8 text (byte {offset} is not part of a character)"),
                );
                Err(faults)
            }
        },
    }
}

fn numpy(file: &str, arrays: Result<Arrays, Problem>) -> Result<NamedMatrix, Faults> {
    let mut faults = Faults::about(SourceText::new(file, ""));
    let mut arrays = match arrays {
        Ok(arrays) => arrays,
        Err(problem) => {
            faults.error(None, format!("the file {problem}"));
            return Err(faults);
        }
    };
    let matrix = matrix_name(&mut arrays, &mut faults)
        .and_then(|name| read_rows(&name, &mut arrays, &mut faults));
    let names = read_names(&mut arrays, matrix.as_ref(), &mut faults);
    match matrix.filter(|_| !faults.has_errors()) {
        Some(matrix) => Ok(NamedMatrix { names, ..matrix }),
        None => Err(faults),
    }
}

/// An array as messages call it.
fn called(name: &str) -> String {
    if name.is_empty() {
        "the array".to_owned()
    } else {
        format!("array {name:?}")
    }
}

fn matrix_name(arrays: &mut Arrays, faults: &mut Faults) -> Option<String> {
    match arrays.names() {
        // A `.npy` file is one array.
        [only] if only.is_empty() => return Some(String::new()),
        names if names.iter().any(|name| name == ROWS) => return Some(ROWS.to_owned()),
        _ => {}
    }
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for name in arrays.names().to_vec() {
        match arrays.array(&name)? {
            Ok(array) if array.header.shape.len() == 2 && !array.header.element.is_text() => {
                found.push(name)
            }
            Ok(array) => others.push(format!(
                "{} has the shape {}",
                called(&name),
                array.header.shape_text()
            )),
            Err(problem) => others.push(format!("{} {problem}", called(&name))),
        }
    }
    let message = match &found[..] {
        [_] => return found.pop(),
        [] => format!(
            "no array of numbers with two dimensions: {}",
            match others.is_empty() {
                true => "the archive is empty".to_owned(),
                false => others.join("; "),
            }
        ),
        _ => format!("several arrays of two dimensions: {}", found.join(", ")),
    };
    faults.error_with_help(
        None,
        message,
        format!("save the rows as the array {ROWS:?} of shape (rows, states)"),
    );
    None
}

fn read_rows(name: &str, arrays: &mut Arrays, faults: &mut Faults) -> Option<NamedMatrix> {
    let read = arrays
        .array(name)?
        .and_then(|array| match array.header.shape[..] {
            [rows, columns] if rows > 0 && columns > 0 => Ok((rows, columns, array.numbers()?)),
            [_, _] => Err(format!(
                "has the shape {}: nothing is in it",
                array.header.shape_text()
            )),
            _ => Err(format!(
                "has the shape {}, not two dimensions",
                array.header.shape_text()
            )),
        });
    let (rows, columns, values) = match read {
        Ok(read) => read,
        Err(problem) => {
            faults.error(None, format!("{} {problem}", called(name)));
            return None;
        }
    };
    let mut bad = Limited::default();
    for (i, x) in values.iter().enumerate().filter(|(_, x)| !x.is_finite()) {
        let (row, column) = (i / columns, i % columns);
        bad.error(
            faults,
            None,
            format!(
                "{}, row {row}, column {column}: {x} is not a finite number",
                called(name)
            ),
        );
    }
    bad.finish(faults, "numbers that are not finite");
    Some(NamedMatrix {
        rows,
        columns,
        names: None,
        values,
    })
}

fn read_names(
    arrays: &mut Arrays,
    matrix: Option<&NamedMatrix>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let names = match arrays.array(NAMES)?.and_then(|array| array.texts()) {
        Ok(names) => names,
        Err(problem) => {
            faults.error(None, format!("{} {problem}", called(NAMES)));
            return None;
        }
    };
    if let Some(matrix) = matrix.filter(|m| m.columns != names.len()) {
        let message = format!(
            "{} holds {} names for {} columns",
            called(NAMES),
            names.len(),
            matrix.columns
        );
        faults.error(None, message);
    }
    let (mut seen, mut bad) = (HashSet::new(), Limited::default());
    for (i, name) in names.iter().enumerate() {
        if name.is_empty() {
            bad.error(
                faults,
                None,
                format!("{}, element {i}: the name is empty", called(NAMES)),
            );
        } else if !seen.insert(name) {
            bad.error(
                faults,
                None,
                format!("{}, element {i}: {name:?} stands twice", called(NAMES)),
            );
        }
    }
    bad.finish(faults, "names that are wrong");
    Some(names)
}

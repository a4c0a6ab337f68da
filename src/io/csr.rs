//! Sparse matrices in SciPy's compressed row form, read from arrays and checked.

use std::ops::Range;

use super::Limited;
use super::npy::{self, Problem};
use super::npz::Arrays;
use crate::document::Faults;

/// The arrays of one matrix, as SciPy names them.
pub(super) const PARTS: [&str; 4] = ["data", "indices", "indptr", "shape"];

/// A matrix by rows: row `r` has its entries at `pointers[r]..pointers[r + 1]`, columns in any order.
#[derive(Debug, Default)]
pub(super) struct Csr {
    pub(super) columns: usize,
    pub(super) pointers: Vec<u32>,
    pub(super) indices: Vec<u32>,
    pub(super) data: Vec<f64>,
}

impl Csr {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.pointers.len() - 1
    }

    /// Columns and numbers of a row.
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f64]) {
        let range: Range<usize> = self.pointers[row] as usize..self.pointers[row + 1] as usize;
        (&self.indices[range.clone()], &self.data[range])
    }

    /// Reads the arrays `PREFIXdata`, `PREFIXindices`, `PREFIXindptr` and `PREFIXshape`; whatever is wrong with any of them is told.
    pub(super) fn read(prefix: &str, arrays: &mut Arrays, faults: &mut Faults) -> Option<Self> {
        let [data, indices, indptr, shape] = PARTS.map(|part| format!("{prefix}{part}"));
        let shape = integers(&shape, arrays, faults).and_then(|list| match list[..] {
            [rows, columns] if (0..=MAX).contains(&rows) && (0..=MAX).contains(&columns) => {
                Some((rows as usize, columns as usize))
            }
            _ => {
                faults.error(
                    None,
                    format!("array {shape:?} must hold two sizes, rows and columns, below 2^32"),
                );
                None
            }
        });
        let lengths = [&data, &indices].map(|name| length(name, arrays, faults));
        let entries = match lengths {
            [Some(data_length), Some(length)] if data_length != length => {
                let message = format!(
                    "array {data:?} has {data_length} elements, array {indices:?} has {length}"
                );
                faults.error(None, message);
                None
            }
            [_, length] => length.filter(|_| lengths[0].is_some()),
        };
        let pointers = shape
            .zip(entries)
            .and_then(|((rows, _), n)| pointers(&indptr, rows, n, arrays, faults));
        let indices =
            shape.and_then(|(_, columns)| column_indices(&indices, columns, arrays, faults));
        let data = match read(&data, arrays, |array| array.numbers()) {
            Ok(data) => Some(data),
            Err(message) => {
                // A missing array has been told with its length.
                if lengths[0].is_some() {
                    faults.error(None, message);
                }
                None
            }
        };
        let (_, columns) = shape?;
        Some(Self {
            columns,
            pointers: pointers?,
            indices: indices?,
            data: data?,
        })
    }
}

const MAX: i64 = u32::MAX as i64;

type Reader<'a> = npy::ArrayReader<Box<dyn std::io::Read + 'a>>;

/// Reads an array, with its name before whatever is wrong with it.
pub(super) fn read<T>(
    name: &str,
    arrays: &mut Arrays,
    read: impl FnOnce(Reader<'_>) -> Result<T, Problem>,
) -> Result<T, String> {
    let array = arrays
        .array(name)
        .ok_or_else(|| format!("there is no array {name:?}"))?;
    array
        .and_then(read)
        .map_err(|problem| format!("array {name:?} {problem}"))
}

/// Number of elements of an array of one dimension.
fn length(name: &str, arrays: &mut Arrays, faults: &mut Faults) -> Option<usize> {
    let header = |array: Reader<'_>| match array.header.shape[..] {
        [length] if u32::try_from(length).is_ok() => Ok(length),
        [_] => Err("has more than 2^32 - 1 elements".to_owned()),
        _ => Err(format!(
            "has the shape {}, not one dimension",
            array.header.shape_text()
        )),
    };
    keep(read(name, arrays, header), faults)
}

fn keep<T>(read: Result<T, String>, faults: &mut Faults) -> Option<T> {
    read.map_err(|message| faults.error(None, message)).ok()
}

/// Reads a list of whole numbers.
pub(super) fn integers(name: &str, arrays: &mut Arrays, faults: &mut Faults) -> Option<Vec<i64>> {
    length(name, arrays, faults)?;
    let list = read(name, arrays, |array| {
        let mut list = npy::reserve(array.header.count)?;
        array.each_integer(|piece| list.extend_from_slice(piece))?;
        Ok(list)
    });
    keep(list, faults)
}

/// Reads whole numbers below `limit`, told apart in messages as `what`.
pub(super) fn numbers_below(
    name: &str,
    limit: usize,
    what: &str,
    arrays: &mut Arrays,
    faults: &mut Faults,
) -> Option<Vec<u32>> {
    length(name, arrays, faults)?;
    let mut bad = Limited::default();
    let list = read(name, arrays, |array| {
        let mut list = npy::reserve(array.header.count)?;
        array.each_integer(|piece| {
            let good = |x: i64| x >= 0 && (x as u64) < limit as u64;
            // The usual case first: no look at each one's place.
            if !piece.iter().all(|&x| good(x)) {
                for (i, &x) in piece.iter().enumerate().filter(|(_, x)| !good(**x)) {
                    let place = list.len() + i;
                    bad.error(
                        faults,
                        None,
                        format!(
                            "array {name:?}, element {place}: {x}, but there are {limit} {what}"
                        ),
                    );
                }
            }
            list.extend(piece.iter().map(|&x| x as u32));
        })?;
        Ok(list)
    });
    bad.finish(faults, &format!("elements of array {name:?} out of bounds"));
    keep(list, faults)
}

fn column_indices(
    name: &str,
    columns: usize,
    arrays: &mut Arrays,
    faults: &mut Faults,
) -> Option<Vec<u32>> {
    arrays
        .has(name)
        .then(|| numbers_below(name, columns, "columns", arrays, faults))?
}

fn pointers(
    name: &str,
    rows: usize,
    entries: usize,
    arrays: &mut Arrays,
    faults: &mut Faults,
) -> Option<Vec<u32>> {
    let found = length(name, arrays, faults)?;
    if found != rows + 1 {
        let message = format!(
            "array {name:?} has {found} elements; {rows} rows need {}",
            rows + 1
        );
        faults.error(None, message);
        return None;
    }
    let list = numbers_below(name, entries + 1, "entries to point at", arrays, faults)?;
    let mut bad = Limited::default();
    for (i, pair) in list
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] > pair[1])
    {
        let message = format!(
            "array {name:?}, element {}: {} after {}: it must not fall",
            i + 1,
            pair[1],
            pair[0]
        );
        bad.error(faults, None, message);
    }
    bad.finish(faults, &format!("places where array {name:?} falls"));
    let ends = (list[0], list[rows] as usize);
    if ends != (0, entries) {
        let message = format!(
            "array {name:?} must run from 0 to {entries}, the number of entries; it runs from {} to {}",
            ends.0, ends.1
        );
        faults.error(None, message);
    }
    Some(list)
}

//! Matrices in experiment files: written out, or in a file beside it.

use std::sync::Arc;

use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::reward::bind::{Rows, resolve_name};

/// A matrix of finite numbers, `[rows, columns]`, whose columns stand for states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Number of rows, at least 1.
    pub rows: usize,
    /// Number of columns, at least 1.
    pub columns: usize,
    /// Names of states (or labels) of the columns. Without them column `j` is the state with number `j` in the MDP file.
    pub names: Option<Vec<String>>,
    /// The numbers, row by row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// A matrix from its rows, which are of one length.
    ///
    /// # Panics
    ///
    /// If there is no number, or lengths differ.
    #[must_use]
    pub fn from_rows(rows: &[Vec<f64>]) -> Self {
        let columns = rows[0].len();
        assert!(columns > 0 && rows.iter().all(|row| row.len() == columns));
        Self {
            rows: rows.len(),
            columns,
            names: None,
            values: rows.concat(),
        }
    }

    /// With names of states for the columns.
    #[must_use]
    pub fn named<'n>(mut self, names: impl IntoIterator<Item = &'n str>) -> Self {
        self.names = Some(names.into_iter().map(str::to_owned).collect());
        self
    }

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

/// Where a matrix comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSource {
    /// The file that holds it, as it was written; `None` where the matrix itself was.
    pub path: Option<Spanned<String>>,
    /// The matrix; `None` until somebody reads the file.
    pub matrix: Option<Arc<Matrix>>,
    /// Where it, or the name of its file, was written.
    pub span: Option<Span>,
}

impl From<Matrix> for MatrixSource {
    fn from(matrix: Matrix) -> Self {
        Self {
            path: None,
            matrix: Some(Arc::new(matrix)),
            span: None,
        }
    }
}

impl MatrixSource {
    /// Reads the key `key`: the name of a file, or a list of rows; then `columns` may name the columns' states.
    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        key: &'static str,
        faults: &mut Faults,
    ) -> Option<Self> {
        let node = table.require(key, faults)?;
        let names = read_names(table, faults);
        match &node.value {
            Node::String(path) => {
                let path = Spanned {
                    value: path.clone(),
                    span: node.span.clone(),
                };
                if let Some(names) = names {
                    faults.error(
                        names.first().map(|name| name.span.clone()),
                        format!("`columns` names the columns of a `{key}` that is written here; a file names its own"),
                    );
                }
                Some(Self {
                    path: Some(path),
                    matrix: None,
                    span: Some(node.span.clone()),
                })
            }
            Node::Array(rows) => {
                let mut matrix = read_rows(node, rows, key, faults)?;
                if let Some(names) = names {
                    if names.len() != matrix.columns {
                        let message = format!(
                            "{} `columns` are named for the {} of `{key}`",
                            names.len(),
                            matrix.columns
                        );
                        faults.error(names.first().map(|name| name.span.clone()), message);
                        return None;
                    }
                    matrix.names = Some(names.into_iter().map(|name| name.value).collect());
                }
                Some(Self {
                    span: Some(node.span.clone()),
                    ..matrix.into()
                })
            }
            other => {
                let message = format!(
                    "`{key}` in {} must be a list of rows or the name of a file, this is {}",
                    table.place(),
                    other.type_name()
                );
                faults.error(node.span.clone(), message);
                None
            }
        }
    }

    /// The matrix; a file that nobody has read is a fault.
    pub(super) fn matrix(&self, faults: &mut Faults) -> Option<&Arc<Matrix>> {
        if let (None, Some(path)) = (&self.matrix, &self.path) {
            let message = format!("the file {:?} has not been read", path.value);
            faults.error(path.span.clone(), message);
        }
        self.matrix.as_ref()
    }

    /// Where faults of the matrix are shown.
    pub(super) fn span(&self) -> Option<Span> {
        self.span.clone()
    }

    /// Per reward: the column that stands for it.
    pub(super) fn columns(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Vec<Option<u32>>> {
        let matrix = self.matrix(faults)?;
        let before = faults.list.len();
        let mut of = vec![None; rows.len()];
        match &matrix.names {
            Some(names) => {
                for (column, name) in names.iter().enumerate() {
                    let name = Spanned {
                        value: name.clone(),
                        span: self.span().unwrap_or(0..0),
                    };
                    self.give(&name, column, rows, &mut of, faults);
                }
            }
            None => {
                let wanted = rows.coordinate.iter().flatten().max().map_or(0, |c| c + 1);
                if matrix.columns != wanted as usize {
                    let message = format!(
                        "{} columns for the {wanted} states of {:?}",
                        matrix.columns,
                        rows.mdp.name()
                    );
                    faults.error_with_help(self.span(), message, "name the states of the columns");
                } else {
                    of.copy_from_slice(&rows.coordinate);
                }
            }
        }
        (faults.list.len() == before).then_some(of)
    }

    fn give(
        &self,
        name: &Spanned<String>,
        column: usize,
        rows: &Rows<'_>,
        of: &mut [Option<u32>],
        faults: &mut Faults,
    ) {
        let mut states = resolve_name(name, rows.mdp, faults);
        states.sort_unstable();
        let inside = rows.within(&states);
        for (row, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
            if of[row].replace(column as u32).is_some() {
                let state = rows.mdp.state_name(crate::units::StateId(rows.state(row)));
                let message = format!("two columns are for the state {state:?}");
                faults.error(name.span.clone(), message);
                return;
            }
        }
    }
}

/// The key `columns`: names of states. (`states` says what is different for some.)
fn read_names(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Vec<Spanned<String>>> {
    let nodes = table.list("columns")?;
    let names = nodes.iter().filter_map(|node| match &node.value {
        Node::String(name) => Some(Spanned {
            value: name.clone(),
            span: node.span.clone(),
        }),
        other => {
            let message = format!(
                "`columns` holds names of states, this is {}",
                other.type_name()
            );
            faults.error(node.span.clone(), message);
            None
        }
    });
    Some(names.collect())
}

fn read_rows(
    node: &Spanned<Node>,
    rows: &[Spanned<Node>],
    key: &str,
    faults: &mut Faults,
) -> Option<Matrix> {
    let before = faults.list.len();
    let mut read: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
    for row in rows {
        let Node::Array(entries) = &row.value else {
            let message = format!(
                "`{key}` is a list of rows, this is {}",
                row.value.type_name()
            );
            faults.error(row.span.clone(), message);
            continue;
        };
        read.push(read_row(entries, key, faults));
        let (found, wanted) = (entries.len(), read[0].len());
        if found != wanted && faults.list.len() == before {
            let message =
                format!("rows of `{key}` are of one length: {found} numbers after {wanted}");
            faults.error(row.span.clone(), message);
        }
    }
    if faults.list.len() == before && read.first().is_none_or(Vec::is_empty) {
        faults.error(node.span.clone(), format!("`{key}` is empty"));
    }
    (faults.list.len() == before).then(|| Matrix::from_rows(&read))
}

/// Numbers of a list; what is none is a fault.
pub(super) fn read_row(entries: &[Spanned<Node>], key: &str, faults: &mut Faults) -> Vec<f64> {
    let number = |entry: &Spanned<Node>| {
        let number = entry.value.as_f64().filter(|x| x.is_finite());
        if number.is_none() {
            let what = match entry.value.as_f64() {
                Some(x) => x.to_string(),
                None => entry.value.type_name().to_owned(),
            };
            let message = format!("`{key}` holds finite numbers, this is {what}");
            faults.error(entry.span.clone(), message);
        }
        number.unwrap_or(0.0)
    };
    entries.iter().map(number).collect()
}

//! Files that laws of goals name: read, remembered byte for byte, and found again under other names.

use std::path::Path;
use std::sync::Arc;

use super::{InputFile, RewardFile};
use crate::document::{Faults, Node, Spanned};
use crate::io::{self, ReadError};
use crate::reward::{Law, Matrix, MatrixSource, RewardDistribution};

/// Reads all matrices that a distribution names. Faults of the files go to `others`.
pub(super) fn load(
    distribution: &mut RewardDistribution,
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Vec<RewardFile> {
    let mut files = Vec::new();
    for source in distribution.matrices_mut() {
        files.extend(read(source, directory, faults, others));
    }
    files
}

fn read(
    source: &mut MatrixSource,
    directory: &Path,
    faults: &mut Faults,
    others: &mut Vec<Faults>,
) -> Option<RewardFile> {
    let written = source.path.clone()?;
    let path = directory.join(&written.value);
    // What is parsed is what is remembered, whatever happens to the file meanwhile.
    let read = io::read_matrix_bytes(&path);
    match read {
        Ok((matrix, bytes)) => {
            source.matrix = Some(Arc::new(Matrix {
                rows: matrix.rows,
                columns: matrix.columns,
                names: matrix.names,
                values: matrix.values,
            }));
            Some(RewardFile {
                written: written.value,
                file: InputFile { path, bytes },
            })
        }
        Err(ReadError::Faults(of_file)) => {
            others.push(of_file);
            None
        }
        Err(error) => {
            faults.error(written.span, error.to_string());
            None
        }
    }
}

/// Parameters of a law with the names of its files replaced.
pub(super) fn renamed(
    parameters: &[(String, Node)],
    name: &dyn Fn(&str) -> Option<String>,
) -> Vec<(String, Node)> {
    parameters
        .iter()
        .map(|(key, value)| (key.clone(), rename(key, value, name)))
        .collect()
}

fn rename(key: &str, value: &Node, name: &dyn Fn(&str) -> Option<String>) -> Node {
    let inner = |key: &str, node: &Spanned<Node>| Spanned {
        value: rename(key, &node.value, name),
        span: node.span.clone(),
    };
    match value {
        Node::String(written) if Law::MATRIX_KEYS.contains(&key) => {
            Node::String(name(written).unwrap_or_else(|| written.clone()))
        }
        Node::Array(items) => Node::Array(items.iter().map(|item| inner(key, item)).collect()),
        Node::Table(entries) => Node::Table(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), inner(&key.value, value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

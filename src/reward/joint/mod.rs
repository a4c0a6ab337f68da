//! Laws of whole goals, where rewards depend on each other. One file each.

mod equicorrelated;
mod features;
mod gaussian;
mod gaussian_process;
mod goal_table;
mod matrix;
mod mixture;
mod orbit;
mod reach;
mod sparse;

pub use equicorrelated::{COMMON_COORDINATE, EquicorrelatedNormal};
pub use features::Features;
pub use gaussian::{Gaussian, MAX_CORRELATED};
pub use gaussian_process::{GaussianProcess, Kernel};
pub use goal_table::{GoalTable, TableUse};
pub use matrix::{Matrix, MatrixSource};
pub use mixture::Mixture;
pub use orbit::{MAX_ENUMERATED, Orbit};
pub use reach::Reach;
pub use sparse::Sparse;

use crate::document::{Faults, TableReader};

/// A list of finite numbers that must be there.
fn read_numbers(
    table: &mut TableReader<'_>,
    key: &'static str,
    faults: &mut Faults,
) -> Option<Vec<f64>> {
    table.require(key, faults)?;
    let nodes = table.list_of_some(key, faults)?;
    let mut numbers = Vec::with_capacity(nodes.len());
    for node in &nodes {
        match node.value.as_f64().filter(|x| x.is_finite()) {
            Some(x) => numbers.push(x),
            None => faults.error(
                node.span.clone(),
                format!(
                    "`{key}` holds finite numbers, this is {}",
                    node.value.type_name()
                ),
            ),
        }
    }
    (numbers.len() == nodes.len() && !nodes.is_empty()).then_some(numbers)
}

/// `1 state`, `3 states`.
fn counted(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// A number above zero.
fn read_positive(
    table: &mut TableReader<'_>,
    key: &'static str,
    default: f64,
    faults: &mut Faults,
) -> Option<f64> {
    let errors = faults.errors().count();
    let number = table.number(key, faults);
    if let Some(number) = &number
        && number.value <= 0.0
    {
        let message = format!("`{key}` must be above 0, this is {}", number.value);
        faults.error(number.span.clone(), message);
    }
    (faults.errors().count() == errors).then(|| number.map_or(default, |x| x.value))
}

/// `weights`, one per entry of the list `what`; `Some(None)` where there are none: then all are equal.
fn read_weights(
    table: &mut TableReader<'_>,
    n: usize,
    what: &str,
    faults: &mut Faults,
) -> Option<Option<Vec<f64>>> {
    let Some(node) = table.take("weights") else {
        return Some(None);
    };
    let weights = read_numbers(table, "weights", faults)?;
    let mut fine = true;
    if weights.len() != n {
        faults.error(
            node.span.clone(),
            format!("{} `weights` for {n} `{what}`", weights.len()),
        );
        fine = false;
    }
    if weights.iter().any(|w| *w < 0.0) {
        faults.error(node.span.clone(), "a weight is negative");
        fine = false;
    } else if weights.iter().sum::<f64>() <= 0.0 {
        faults.error(node.span.clone(), "the `weights` sum to 0");
        fine = false;
    }
    fine.then_some(Some(weights))
}

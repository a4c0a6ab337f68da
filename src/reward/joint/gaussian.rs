//! Normal goals with a covariance.

use nalgebra::{Cholesky, DMatrix};

use super::Matrix;
use super::matrix::{MatrixSource, read_row};
use crate::document::{Faults, Node, Span, TableReader};
use crate::reward::bind::Rows;
use crate::reward::goal_law::{Linear, Recipe};
use crate::reward::{Marginal, Normal};

/// Most correlated rewards: the factor of their covariance takes n^2 / 2 numbers, and every goal as many products.
pub const MAX_CORRELATED: usize = 4_096;

/// Above this size the smallest eigenvalue is not worth the wait.
const MAX_EIGENVALUES: usize = 512;

/// The smallest symmetric difference that counts, relative to the largest entry.
const ASYMMETRY: f64 = 1e-9;

/// Jointly normal rewards with a given covariance matrix.
///
/// `R = mean + L z` with `L L^T` the covariance (Cholesky), states in the order of their random coordinates, and `z` standard normal
/// draws, one per state, of the states' own coordinates. States without a column have reward 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    /// One for all, or one per column.
    mean: Vec<f64>,
    covariance: MatrixSource,
}

impl Gaussian {
    /// Normal with mean zero and this covariance, whose columns (and rows) stand for states.
    #[must_use]
    pub fn new(covariance: Matrix) -> Self {
        Self {
            mean: vec![0.0],
            covariance: covariance.into(),
        }
    }

    pub(in crate::reward) fn covariance(&self) -> &MatrixSource {
        &self.covariance
    }

    pub(in crate::reward) fn covariance_mut(&mut self) -> &mut MatrixSource {
        &mut self.covariance
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let mean = match table.take("mean") {
            None => vec![0.0],
            Some(node) => match &node.value {
                Node::Array(entries) => read_row(entries, "mean", faults),
                _ => read_row(std::slice::from_ref(node), "mean", faults),
            },
        };
        let covariance = MatrixSource::read(table, "covariance", faults)?;
        Some(Self { mean, covariance })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let columns = self.covariance.columns(rows, faults)?;
        let matrix = self.covariance.matrix(faults)?;
        let span = self.covariance.span();
        let n = matrix.columns;
        let errors = faults.list.len();
        if matrix.rows != n {
            let message = format!(
                "a covariance matrix is square, this is {} x {n}",
                matrix.rows
            );
            faults.error(span.clone(), message);
            return None;
        }
        if self.mean.len() != 1 && self.mean.len() != n {
            let message = format!("{} means for {n} columns of `covariance`", self.mean.len());
            faults.error(span.clone(), message);
        }
        check_symmetry(matrix, span.clone(), faults);
        let variables = Variables::new(rows, &columns);
        if faults.list.len() > errors {
            return None;
        }
        let mean = |j: u32| self.mean[if self.mean.len() == 1 { 0 } else { j as usize }];
        let covariance = DMatrix::from_fn(variables.len(), variables.len(), |i, j| {
            matrix.row(variables.keys[i] as usize)[variables.keys[j] as usize]
        });
        let means = variables.keys.iter().map(|&j| mean(j)).collect();
        variables.correlated(means, covariance, span, faults)
    }
}

fn check_symmetry(matrix: &Matrix, span: Option<Span>, faults: &mut Faults) {
    let largest = matrix.values.iter().fold(0f64, |m, x| m.max(x.abs()));
    for i in 0..matrix.rows {
        for j in 0..i {
            let (a, b) = (matrix.row(i)[j], matrix.row(j)[i]);
            if (a - b).abs() > ASYMMETRY * largest {
                let message = format!(
                    "a covariance matrix is symmetric: row {} has {a} in column {}, row {} has {b} in column {}",
                    i + 1,
                    j + 1,
                    j + 1,
                    i + 1
                );
                faults.error(span, message);
                return;
            }
        }
    }
}

/// Things whose rewards are correlated: each has a random coordinate, and rewards that share it are equal.
pub(super) struct Variables {
    /// What the caller calls them (a column), in the order of their coordinates.
    pub(super) keys: Vec<u32>,
    coordinates: Vec<u32>,
    /// Per reward.
    of: Vec<Option<u32>>,
}

impl Variables {
    /// `key`: per reward what it is called; rewards of one name have one coordinate.
    pub(super) fn new(rows: &Rows<'_>, key: &[Option<u32>]) -> Self {
        let mut found: Vec<(u32, u32)> = rows
            .coordinate
            .iter()
            .zip(key)
            .filter_map(|(coordinate, key)| Some(((*coordinate)?, (*key)?)))
            .collect();
        found.sort_unstable();
        found.dedup();
        let (coordinates, keys): (Vec<u32>, Vec<u32>) = found.into_iter().unzip();
        let place = |(coordinate, key): (&Option<u32>, &Option<u32>)| {
            let (coordinate, _) = ((*coordinate)?, (*key)?);
            Some(coordinates.partition_point(|c| *c < coordinate) as u32)
        };
        let of = rows.coordinate.iter().zip(key).map(place).collect();
        Self {
            keys,
            of,
            coordinates,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Normal rewards with these means and covariances, `[variables]` and `[variables, variables]`.
    pub(super) fn correlated(
        &self,
        mean: Vec<f64>,
        covariance: DMatrix<f64>,
        span: Option<Span>,
        faults: &mut Faults,
    ) -> Option<Recipe> {
        let n = self.len();
        if n > MAX_CORRELATED {
            let message = format!("{n} correlated rewards: {MAX_CORRELATED} are possible");
            faults.error(span, message);
            return None;
        }
        let Some(factor) = Cholesky::new(covariance.clone()) else {
            let eigenvalue = if n <= MAX_EIGENVALUES {
                let smallest = covariance.symmetric_eigenvalues().min();
                format!(": its smallest eigenvalue is {smallest:.3e}")
            } else {
                String::new()
            };
            faults.error_with_help(
                span,
                format!("the covariance matrix is not positive definite{eigenvalue}"),
                "every eigenvalue must be above zero; for rewards that depend on each other entirely use \"features\"",
            );
            return None;
        };
        let factor = factor.unpack();
        let mut linear = Linear::new(vec![standard_normal()]);
        linear.latent = self.coordinates.iter().map(|&c| (c, 0)).collect();
        for place in &self.of {
            match place {
                Some(i) => {
                    let i = *i as usize;
                    let terms = (0..=i).map(|j| (j as u32, factor[(i, j)]));
                    linear.push(mean[i], terms);
                }
                None => linear.push(0.0, []),
            }
        }
        Some(Recipe::Linear(linear))
    }
}

/// Normal with mean 0 and standard deviation 1.
pub(super) fn standard_normal() -> Marginal {
    Marginal::Normal(Normal::new(0.0, 1.0).expect("a possible law"))
}

//! Goals that are weighted sums of features.

use super::Matrix;
use super::gaussian_process::grid_places;
use super::matrix::{MatrixSource, read_row};
use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::reward::bind::{Rows, resolve_name};
use crate::reward::goal_law::{Linear, Recipe};
use crate::reward::{Law, Marginal};
use crate::units::StateId;

/// `R = offset + Phi w` with the weights `w` drawn independently from one law; weight `k` has random coordinate `k`.
///
/// # Precision
///
/// A draw's error times the sum of a state's absolute features, and one rounding: it is part of every bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    phi: Phi,
    weights: Marginal,
    offset: f64,
    span: Option<Span>,
}

/// What the features of a state are.
#[derive(Clone, Debug, PartialEq)]
enum Phi {
    /// One feature per set: whether the state is in it.
    Membership(Vec<Option<Spanned<String>>>),
    /// Features of a state, or of all states of a label.
    Vectors(Vec<(Spanned<String>, Vec<f64>)>),
    /// Row and column, from 0 to 1.
    Coordinates,
    /// One feature a row, one state a column.
    Matrix(MatrixSource),
}

impl Features {
    /// Features as rows, states as columns.
    #[must_use]
    pub fn new(phi: Matrix, weights: Marginal) -> Self {
        Self {
            phi: Phi::Matrix(phi.into()),
            weights,
            offset: 0.0,
            span: None,
        }
    }

    /// One feature per state or label: whether a state is it, or has it.
    #[must_use]
    pub fn of_labels<'n>(names: impl IntoIterator<Item = &'n str>, weights: Marginal) -> Self {
        let spanned = |name: &str| Spanned {
            value: name.to_owned(),
            span: 0..0,
        };
        Self {
            phi: Phi::Membership(names.into_iter().map(spanned).map(Some).collect()),
            weights,
            offset: 0.0,
            span: None,
        }
    }

    /// Names of the states and labels that have features.
    pub(in crate::reward) fn names(&self) -> Vec<&Spanned<String>> {
        match &self.phi {
            Phi::Membership(names) => names.iter().flatten().collect(),
            Phi::Vectors(given) => given.iter().map(|(name, _)| name).collect(),
            _ => Vec::new(),
        }
    }

    /// Without names that an MDP does not have. Features keep their numbers.
    pub(in crate::reward) fn known(&mut self, is_known: impl Fn(&Spanned<String>) -> bool) {
        match &mut self.phi {
            Phi::Membership(names) => {
                let unknown =
                    |name: &&mut Option<Spanned<String>>| !name.as_ref().is_some_and(&is_known);
                names
                    .iter_mut()
                    .filter(unknown)
                    .for_each(|name| *name = None);
            }
            Phi::Vectors(given) => given.retain(|(name, _)| is_known(name)),
            _ => {}
        }
    }

    pub(in crate::reward) fn matrix(&self) -> Option<&MatrixSource> {
        match &self.phi {
            Phi::Matrix(source) => Some(source),
            _ => None,
        }
    }

    pub(in crate::reward) fn matrix_mut(&mut self) -> Option<&mut MatrixSource> {
        match &mut self.phi {
            Phi::Matrix(source) => Some(source),
            _ => None,
        }
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let offset = table.number("offset", faults).map_or(0.0, |x| x.value);
        let weights = read_weight_law(table, faults);
        let node = table.require("features", faults)?;
        let phi = match &node.value {
            Node::String(word) if word == "coordinates" => Some(Phi::Coordinates),
            Node::Table(_) => read_vectors(node, faults).map(Phi::Vectors),
            Node::Array(items) if items.iter().all(|i| i.value.as_str().is_some()) => {
                let names = items.iter().filter_map(|item| {
                    let value = item.value.as_str()?.to_owned();
                    let span = item.span.clone();
                    Some(Spanned { value, span })
                });
                if items.is_empty() {
                    faults.error(node.span.clone(), "`features` is empty");
                }
                (!items.is_empty()).then(|| Phi::Membership(names.map(Some).collect()))
            }
            _ => MatrixSource::read(table, "features", faults).map(Phi::Matrix),
        };
        Some(Self {
            phi: phi?,
            weights: weights?,
            offset,
            span: Some(node.span.clone()),
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let errors = faults.list.len();
        let vectors: Vec<Vec<f64>> = match &self.phi {
            Phi::Membership(names) => memberships(names, rows, faults),
            Phi::Vectors(given) => given_vectors(given, rows, faults),
            Phi::Coordinates => grid_vectors(rows, self.span.clone(), faults)?,
            Phi::Matrix(source) => {
                let columns = source.columns(rows, faults)?;
                let matrix = source.matrix(faults)?;
                let column = |j: u32| {
                    (0..matrix.rows)
                        .map(|i| matrix.row(i)[j as usize])
                        .collect()
                };
                columns
                    .iter()
                    .map(|c| c.map_or_else(Vec::new, column))
                    .collect()
            }
        };
        if faults.list.len() > errors {
            return None;
        }
        let n = vectors.iter().map(Vec::len).max().unwrap_or(0);
        let mut linear = Linear::new(vec![self.weights.clone()]);
        linear.latent = (0..n as u32).map(|k| (k, 0)).collect();
        for vector in &vectors {
            let terms = vector.iter().enumerate().map(|(k, x)| (k as u32, *x));
            linear.push(self.offset, terms);
        }
        if linear.terms.is_empty() {
            faults.error(self.span.clone(), "no state has a feature that is not 0");
            return None;
        }
        Some(Recipe::Linear(linear))
    }
}

/// `weights = { distribution = "...", ... }`: a law of one reward.
fn read_weight_law(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Marginal> {
    let node = table.require("weights", faults)?;
    let mut inner = TableReader::open(node, "`weights`", faults)?;
    let name = match inner.require("distribution", faults) {
        Some(_) => inner.string("distribution", faults),
        None => {
            inner.rest();
            None
        }
    };
    let law = name.and_then(|name| {
        let law = Law::read(&name, &mut inner, faults)?;
        let Law::Independent(law) = law else {
            let message = format!(
                "weights are drawn one by one, {:?} draws whole goals",
                name.value
            );
            faults.error(name.span, message);
            return None;
        };
        Some(law)
    });
    inner.finish(faults);
    law
}

/// `{ state = [1, 0], label = [0, 1] }`.
fn read_vectors(
    node: &Spanned<Node>,
    faults: &mut Faults,
) -> Option<Vec<(Spanned<String>, Vec<f64>)>> {
    let mut table = TableReader::open(node, "`features`", faults)?;
    let errors = faults.list.len();
    let mut vectors: Vec<(Spanned<String>, Vec<f64>)> = Vec::new();
    for (name, value) in table.rest() {
        let vector = match &value.value {
            Node::Array(entries) => read_row(entries, "features", faults),
            _ => read_row(std::slice::from_ref(value), "features", faults),
        };
        if let Some((first, other)) = vectors.first()
            && other.len() != vector.len()
        {
            let message = format!(
                "{:?} has {} features, {:?} has {}",
                name.value,
                vector.len(),
                first.value,
                other.len()
            );
            faults.error(value.span.clone(), message);
        }
        vectors.push((name.clone(), vector));
    }
    if vectors.is_empty() {
        faults.error(node.span.clone(), "`features` is empty");
    }
    (faults.list.len() == errors).then_some(vectors)
}

/// Per reward whether it belongs to states of a name.
fn within(name: &Spanned<String>, rows: &Rows<'_>, faults: &mut Faults) -> Vec<bool> {
    let mut states = resolve_name(name, rows.mdp, faults);
    states.sort_unstable();
    rows.within(&states)
}

fn memberships(
    names: &[Option<Spanned<String>>],
    rows: &Rows<'_>,
    faults: &mut Faults,
) -> Vec<Vec<f64>> {
    let mut vectors = vec![vec![0.0; names.len()]; rows.len()];
    for (k, name) in names.iter().enumerate() {
        let Some(name) = name else { continue };
        for (vector, inside) in vectors.iter_mut().zip(within(name, rows, faults)) {
            vector[k] = f64::from(u8::from(inside));
        }
    }
    vectors
}

fn given_vectors(
    given: &[(Spanned<String>, Vec<f64>)],
    rows: &Rows<'_>,
    faults: &mut Faults,
) -> Vec<Vec<f64>> {
    let mut vectors: Vec<Vec<f64>> = vec![Vec::new(); rows.len()];
    for (name, features) in given {
        let inside = within(name, rows, faults);
        for (row, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
            if !vectors[row].is_empty() {
                let state = rows.mdp.state_name(StateId(rows.state(row)));
                let message = format!("the state {state:?} stands twice in `features`");
                faults.error(name.span.clone(), message);
                break;
            }
            vectors[row].clone_from(features);
        }
    }
    vectors
}

/// Row and column over the last row and column.
fn grid_vectors(rows: &Rows<'_>, span: Option<Span>, faults: &mut Faults) -> Option<Vec<Vec<f64>>> {
    let places = grid_places(rows.mdp, span, faults)?;
    let layout = rows.mdp.layout()?;
    let ends = [layout.rows(), layout.columns()].map(|n| (n.max(2) - 1) as f64);
    let scaled = |place: &Vec<f64>| place.iter().zip(ends).map(|(x, end)| x / end).collect();
    let vector = |row: usize| {
        let place = places[rows.state(row) as usize].as_ref();
        place.map_or_else(Vec::new, scaled)
    };
    Some((0..rows.len()).map(vector).collect())
}

//! Goals that vary smoothly over a grid: a Gaussian process.

use nalgebra::DMatrix;

use super::gaussian::Variables;
use super::matrix::read_row;
use crate::document::{Faults, Node, Span, Spanned, TableReader};
use crate::mdp::{BaseState, Mdp};
use crate::reward::bind::{Rows, resolve_name};

use crate::reward::goal_law::Recipe;
use crate::units::StateId;

/// How the correlation falls with the distance `d`, in units of the length scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// `exp(-d^2 / 2)`: infinitely smooth.
    Rbf,
    /// `exp(-d)`: continuous.
    Matern12,
    /// `(1 + sqrt(3) d) exp(-sqrt(3) d)`: once differentiable.
    Matern32,
    /// `(1 + sqrt(5) d + 5 d^2 / 3) exp(-sqrt(5) d)`: twice differentiable.
    Matern52,
}

impl Kernel {
    /// Names, as an experiment file spells them.
    const NAMES: [(&str, Self); 4] = [
        ("rbf", Self::Rbf),
        ("matern-1/2", Self::Matern12),
        ("matern-3/2", Self::Matern32),
        ("matern-5/2", Self::Matern52),
    ];

    /// The correlation at a distance of so many length scales.
    ///
    /// Rasmussen and Williams, *Gaussian Processes for Machine Learning* (2006), equations 4.9 and 4.17.
    #[must_use]
    pub fn correlation(self, d: f64) -> f64 {
        match self {
            Self::Rbf => (-d * d / 2.0).exp(),
            Self::Matern12 => (-d).exp(),
            Self::Matern32 => {
                let x = 3f64.sqrt() * d;
                (1.0 + x) * (-x).exp()
            }
            Self::Matern52 => {
                let x = 5f64.sqrt() * d;
                (1.0 + x + x * x / 3.0) * (-x).exp()
            }
        }
    }
}

/// Normal rewards whose correlation falls with the Euclidean distance of the states.
///
/// Distances are between cells of a grid, one apart, or between coordinates that were given. A share of the variance, the
/// `nugget`, is every state's own: without it the covariance of a smooth kernel is singular to the last digit.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianProcess {
    kernel: Kernel,
    length: f64,
    mean: f64,
    sd: f64,
    nugget: f64,
    /// By state or label; `None` for the MDP's grid.
    coordinates: Option<Vec<(Spanned<String>, Vec<f64>)>>,
    span: Option<Span>,
}

impl GaussianProcess {
    /// Mean 0, standard deviation 1, on the MDP's grid, with a nugget of 1e-9.
    ///
    /// # Panics
    ///
    /// Unless the length is above zero.
    #[must_use]
    pub fn new(kernel: Kernel, length: f64) -> Self {
        assert!(length > 0.0 && length.is_finite());
        Self {
            kernel,
            length,
            mean: 0.0,
            sd: 1.0,
            nugget: NUGGET,
            coordinates: None,
            span: None,
        }
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let errors = faults.errors().count();
        let kernel = read_kernel(table, faults);
        table.require("length", faults);
        let length = super::read_positive(table, "length", 1.0, faults);
        let mean = table.number("mean", faults).map_or(0.0, |x| x.value);
        let sd = super::read_positive(table, "sd", 1.0, faults);
        let nugget = table.number("nugget", faults);
        if let Some(nugget) = &nugget
            && !(0.0..=1.0).contains(&nugget.value)
        {
            let message = format!(
                "`nugget` is a share of the variance, from 0 to 1, this is {}",
                nugget.value
            );
            faults.error(nugget.span.clone(), message);
        }
        let span = table.span();
        let coordinates = table
            .take("coordinates")
            .map(|node| read_coordinates(node, faults));
        if faults.errors().count() > errors {
            return None;
        }
        Some(Self {
            kernel: kernel?,
            length: length?,
            mean,
            sd: sd?,
            nugget: nugget.map_or(NUGGET, |x| x.value),
            coordinates,
            span: Some(span.start..(span.start + 1).min(span.end)),
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let errors = faults.list.len();
        let places = match &self.coordinates {
            Some(given) => given_places(given, rows, faults),
            None => grid_places(rows.mdp, self.span.clone(), faults)?,
        };
        if faults.list.len() > errors {
            return None;
        }
        // A state without a place has reward 0. Copies lie where their base state lies.
        let key: Vec<Option<u32>> = rows.coordinate.clone();
        let mut place_of = std::collections::BTreeMap::new();
        for (row, coordinate) in rows.coordinate.iter().enumerate() {
            if let (Some(coordinate), Some(place)) = (coordinate, &places[rows.state(row) as usize])
            {
                place_of.entry(*coordinate).or_insert_with(|| place.clone());
            }
        }
        let key: Vec<Option<u32>> = key
            .into_iter()
            .map(|c| c.filter(|c| place_of.contains_key(c)))
            .collect();
        let variables = Variables::new(rows, &key);
        if variables.len() == 0 {
            faults.error(self.span.clone(), "no state of the MDP has a place");
            return None;
        }
        let place = |i: usize| &place_of[&variables.keys[i]];
        let variance = self.sd * self.sd;
        let covariance = DMatrix::from_fn(variables.len(), variables.len(), |i, j| {
            if i == j {
                return variance;
            }
            let squares = place(i).iter().zip(place(j)).map(|(a, b)| (a - b).powi(2));
            let d = squares.sum::<f64>().sqrt() / self.length;
            variance * (1.0 - self.nugget) * self.kernel.correlation(d)
        });
        let mean = vec![self.mean; variables.len()];
        variables.correlated(mean, covariance, self.span.clone(), faults)
    }
}

/// A standard deviation of 3e-5 of the whole.
const NUGGET: f64 = 1e-9;

fn read_kernel(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Kernel> {
    table.require("kernel", faults)?;
    let name = table.string("kernel", faults)?;
    let found = Kernel::NAMES.iter().find(|(known, _)| *known == name.value);
    if found.is_none() {
        let known: Vec<&str> = Kernel::NAMES.iter().map(|(known, _)| *known).collect();
        faults.error_with_help(
            name.span,
            format!("there is no kernel {:?}", name.value),
            format!("known kernels: {}", known.join(", ")),
        );
    }
    found.map(|(_, kernel)| *kernel)
}

/// `{ state = [x, y], label = [x, y] }`.
fn read_coordinates(node: &Spanned<Node>, faults: &mut Faults) -> Vec<(Spanned<String>, Vec<f64>)> {
    let Some(mut table) = TableReader::open(node, "`coordinates`", faults) else {
        return Vec::new();
    };
    let mut places: Vec<(Spanned<String>, Vec<f64>)> = Vec::new();
    for (name, value) in table.rest() {
        let place = match &value.value {
            Node::Array(entries) => read_row(entries, "coordinates", faults),
            _ => read_row(std::slice::from_ref(value), "coordinates", faults),
        };
        if let Some((first, other)) = places.first()
            && other.len() != place.len()
        {
            let message = format!(
                "{:?} has {} coordinates, {:?} has {}",
                name.value,
                place.len(),
                first.value,
                other.len()
            );
            faults.error(value.span.clone(), message);
        }
        places.push((name.clone(), place));
    }
    if places.is_empty() {
        faults.error(node.span.clone(), "`coordinates` is empty");
    }
    places
}

/// Per state.
type Places = Vec<Option<Vec<f64>>>;

fn given_places(
    given: &[(Spanned<String>, Vec<f64>)],
    rows: &Rows<'_>,
    faults: &mut Faults,
) -> Places {
    let mut places: Places = vec![None; rows.mdp.n_states()];
    for (name, place) in given {
        for state in resolve_name(name, rows.mdp, faults) {
            if places[state as usize].replace(place.clone()).is_some() {
                let state = rows.mdp.state_name(StateId(state));
                let message = format!("the state {state:?} has two places in `coordinates`");
                faults.error(name.span.clone(), message);
            }
        }
    }
    places
}

/// Rows and columns of a grid; copies of a state lie where it lies.
pub(super) fn grid_places(mdp: &Mdp, span: Option<Span>, faults: &mut Faults) -> Option<Places> {
    let Some(layout) = mdp.layout() else {
        faults.error_with_help(
            span,
            format!("{:?} is no grid: its states have no places", mdp.name()),
            "say `coordinates = { STATE = [x, y], ... }`",
        );
        return None;
    };
    let mut of_state: Places = vec![None; mdp.n_states()];
    let mut of_base = std::collections::HashMap::new();
    for row in 0..layout.rows() {
        for column in 0..layout.columns() {
            let Some(state) = layout.state_at(row, column) else {
                continue;
            };
            let place = vec![row as f64, column as f64];
            if let BaseState::Of(base) = mdp.base_state()[state.index()] {
                of_base.entry(base).or_insert_with(|| place.clone());
            }
            of_state[state.index()] = Some(place);
        }
    }
    for (place, base) in of_state.iter_mut().zip(mdp.base_state()) {
        if let (None, BaseState::Of(base)) = (&place, base) {
            *place = of_base.get(base).cloned();
        }
    }
    Some(of_state)
}

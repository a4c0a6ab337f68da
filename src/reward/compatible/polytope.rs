//! Goals that meet inequalities, as a polytope of the draws that they are made of.

use std::collections::HashMap;

use crate::reward::Marginal;
use crate::reward::goal_law::{GoalLaw, Recipe, RewardDomain, Source};

/// A coefficient this small beside the largest of its row is rounding of what cancels.
const NOTHING: f64 = 1e-12;
/// The part of a law, in the middle, whose width is its unit.
const MIDDLE: (f64, f64) = (0.01, 0.99);

/// One draw that the inequalities are about.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// Its random coordinate.
    pub(super) coordinate: u32,
    pub(super) law: Marginal,
    /// What can be drawn.
    pub(super) low: f64,
    pub(super) high: f64,
    /// Where most of it is drawn.
    pub(super) middle: (f64, f64),
}

/// `{x : normals x + offsets >= 0, low <= x <= high}`.
#[derive(Clone, Debug)]
pub(super) struct Polytope {
    pub(super) axes: Vec<Axis>,
    /// `[n_walls, n_axes]`, row-major; in units of the axes' middles, a row's length is one.
    pub(super) normals: Vec<f64>,
    /// `[n_walls]`.
    pub(super) offsets: Vec<f64>,
}

impl Polytope {
    /// Rewards with `row . R >= 0` for every row, under a law of independent draws or of sums of them.
    ///
    /// # Errors
    ///
    /// Why the law cannot be walked in, or that no goal meets the inequalities.
    pub(super) fn of(law: &GoalLaw, rows: &[Vec<f64>]) -> Result<Self, String> {
        if law.domain() != RewardDomain::State {
            return Err("it is about rewards of choices".to_owned());
        }
        // Every draw by its coordinate, and per reward its offset and its terms.
        let mut draws: Vec<(u32, &Marginal)> = Vec::new();
        let mut known: HashMap<u32, usize> = HashMap::new();
        let mut is_shared = false;
        let mut place = |coordinate: u32, law| {
            let at = *known.entry(coordinate).or_insert(draws.len());
            match draws.get(at) {
                None => draws.push((coordinate, law)),
                Some((_, other)) => is_shared |= *other != law,
            }
            at
        };
        let rewards: Vec<(f64, Vec<(usize, f64)>)> = match law.recipe() {
            Recipe::Independent(inner) => {
                let each = inner.sources.iter().map(|source| match *source {
                    Source::Fixed(x) => (f64::from(x), Vec::new()),
                    Source::Draw { coordinate, law } => {
                        let at = place(coordinate, &inner.laws[law as usize]);
                        (0.0, vec![(at, 1.0)])
                    }
                });
                each.collect()
            }
            Recipe::Linear(inner) => {
                let latent: Vec<usize> = (inner.latent.iter())
                    .map(|&(coordinate, law)| place(coordinate, &inner.laws[law as usize]))
                    .collect();
                let each = (0..inner.n_rewards()).map(|reward| {
                    let terms = inner.terms_of(reward).iter();
                    let terms = terms.map(|&(j, weight)| (latent[j as usize], weight));
                    (inner.offset[reward], terms.collect())
                });
                each.collect()
            }
            Recipe::Whole(_) => {
                return Err("its rewards are neither independent draws nor sums of them".to_owned());
            }
        };
        if is_shared {
            return Err("two rewards of different laws share a draw".to_owned());
        }
        let walls: Vec<(Vec<f64>, f64)> = rows
            .iter()
            .map(|row| {
                let (mut normal, mut offset) = (vec![0.0; draws.len()], 0.0);
                for (weight, (constant, terms)) in row.iter().zip(&rewards) {
                    offset += weight * constant;
                    terms.iter().for_each(|(j, x)| normal[*j] += weight * x);
                }
                let size = row.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
                let nothing = |x: &mut f64| *x = if x.abs() > NOTHING * size { *x } else { 0.0 };
                normal.iter_mut().for_each(nothing);
                (normal, offset)
            })
            .collect();
        let is_bound = |j: &usize| walls.iter().any(|(normal, _)| normal[*j] != 0.0);
        let bound: Vec<usize> = (0..draws.len()).filter(is_bound).collect();
        let axes: Result<Vec<Axis>, String> = bound
            .iter()
            .map(|&j| Axis::new(draws[j].0, draws[j].1))
            .collect();
        let mut polytope = Self {
            axes: axes?,
            normals: Vec::new(),
            offsets: Vec::new(),
        };
        for (normal, offset) in walls {
            let row: Vec<f64> = bound.iter().map(|&j| normal[j]).collect();
            let each = row.iter().zip(&polytope.axes);
            let length = each
                .map(|(x, axis)| (x * axis.unit()).powi(2))
                .sum::<f64>()
                .sqrt();
            if length == 0.0 {
                if offset < -NOTHING {
                    return Err("rewards that are fixed make another choice better".to_owned());
                }
                continue;
            }
            polytope.normals.extend(row.iter().map(|x| x / length));
            polytope.offsets.push(offset / length);
        }
        Ok(polytope)
    }

    pub(super) fn n_axes(&self) -> usize {
        self.axes.len()
    }

    /// Whether every law is uniform: then so is every chord.
    pub(super) fn is_flat(&self) -> bool {
        self.axes.iter().all(|axis| axis.law.lattice().is_some())
    }

    pub(super) fn n_walls(&self) -> usize {
        self.offsets.len()
    }

    /// How far a point is inside every wall, `[n_walls]`.
    pub(super) fn slacks(&self, point: &[f64], slacks: &mut Vec<f64>) {
        slacks.clear();
        let rows = self.normals.chunks_exact(self.n_axes().max(1));
        slacks.extend(rows.zip(&self.offsets).map(|(row, offset)| {
            let terms = row.iter().zip(point);
            terms.fold(*offset, |sum, (a, x)| sum + a * x)
        }));
    }
}

impl Axis {
    fn new(coordinate: u32, law: &Marginal) -> Result<Self, String> {
        if law.log_density(law.quantile(0.5)).is_none() {
            return Err(format!(
                "the law {:?} has no density to walk by",
                law.name()
            ));
        }
        let (low, high) = law.range();
        Ok(Self {
            coordinate,
            law: law.clone(),
            low,
            high,
            middle: (law.quantile(MIDDLE.0), law.quantile(MIDDLE.1)),
        })
    }

    /// Where a number stands among those that are drawn, from -1 to 1: to follow a walk by, so that the tails of a law do not drown the rest.
    pub(super) fn place(&self, x: f64) -> f64 {
        squashed((x - (self.middle.0 + self.middle.1) / 2.0) / self.unit())
    }

    /// What distances are measured in.
    pub(super) fn unit(&self) -> f64 {
        self.middle.1 - self.middle.0
    }
}

/// A number brought between -1 and 1, in its order.
pub(super) fn squashed(x: f64) -> f64 {
    x / (1.0 + x.abs())
}

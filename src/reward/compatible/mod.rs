//! Goals for which a given policy is optimal: drawn as such, by walks in the polytope of them.
//!
//! A policy is optimal exactly where some inequalities between rewards hold, so that compatible goals of a law are a polytope of the draws that goals are made of, and rejection dies
//! with its number of walls. Walks of a first stage ([`diagnosis`]) tell how long a walk must be until it has forgotten where it began, and leave a store of points behind. Goal i begins at a point of the store that its
//! own random words choose, walks that long by its own words, and is where it comes to: a pure function of (seed, stream, i), and, given the store, independent of all others.
//! What the store leaves behind is a dependence between goals of at most [`Chain::shared`], which intervals are widened by.
//!
//! Draws that no inequality is about are those of the law as it is.

mod diagnosis;
mod interior;
mod polytope;
mod walk;

use std::sync::Arc;

use super::Marginal;
use super::goal_law::{
    Facts, GoalKey, GoalLaw, Independent, Linear, Recipe, Source, WholeGoal, rounding,
};
use super::shuffle::below;
use crate::rng::Stream;
use crate::units::{SampleIndex, Seed};
use diagnosis::{FORGOTTEN, Traced, judge};
use polytope::{Polytope, squashed};
use walk::{Directions, Walker, Words};

/// Walks of the first stage.
const WALKS: usize = 8;
/// Sweeps of every one of them at first; as many again are left out before. Doubled until they are enough.
const FIRST_SWEEPS: usize = 500;
/// Times that directions are found again, with twice the sweeps each time.
const ROUNDINGS: usize = 5;
/// Sweeps of every walk before directions are found for the first time.
const FIRST_ROUNDING: usize = 40;
/// Work of the first stage after which it is given up, in products: some seconds.
const MOST_WORK: f64 = 4e9;
/// What it takes to look at densities along a chord, in products for every axis.
const DENSITIES: f64 = 100.0;
/// Largest R-hat that is believed (Vehtari et al. 2021).
const R_HAT: f64 = 1.01;
/// Fewest effective draws of every number followed: an autocorrelation of 0.1 is known within 0.05 then.
const EFFECTIVE: f64 = 1_600.0;
/// A goal's walk takes this many times the sweeps after which autocorrelations are below [`FORGOTTEN`]: if they go on falling as they did, a thousandth is left of them.
const LAGS: usize = 3;
/// Most points of the store.
const MOST_POINTS: usize = 4_096;
/// Most draws, and most inequalities, that are walked with.
const MOST_AXES: usize = 400;
const MOST_WALLS: usize = 4_000;

/// What the first walks showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    /// Random draws that the inequalities are about.
    pub dimensions: usize,
    /// Inequalities that are none by themselves.
    pub walls: usize,
    /// The largest split R-hat of a draw, or of how far inside an inequality a walk is.
    pub r_hat: f64,
    /// The smallest number of independent points that the first walks are worth.
    pub effective: f64,
    /// Sweeps of a goal's walk, each of as many steps as there are dimensions.
    pub sweeps: usize,
    /// What the variance of a mean over n goals is at least, as a share of that of one goal: it is 1/n and this.
    pub shared: f64,
}

/// All goals of a law for which a policy is optimal.
#[derive(Debug)]
pub struct Compatible {
    polytope: Polytope,
    directions: Directions,
    /// Points that walks begin at, `[n_points, n_axes]`.
    store: Vec<f64>,
    chain: Chain,
}

impl Compatible {
    /// Goals of a law with `row . R >= 0` for every row, `[n_rewards]`.
    ///
    /// # Errors
    ///
    /// Why they cannot be walked through: rewards that are no sums of draws with densities, no goals with a margin to the inequalities, or walks that do not forget their beginnings.
    pub fn new(law: &GoalLaw, rows: &[Vec<f64>], seed: Seed) -> Result<Self, String> {
        let (polytope, middle) = Self::begun(law, rows)?;
        let mut first = FirstWalks::new(&polytope, seed, middle);
        for _ in 0..ROUNDINGS {
            first.round();
        }
        let (store, chain) = first.judged()?;
        let directions = first.directions;
        Ok(Self {
            directions,
            store,
            chain,
            polytope,
        })
    }

    /// What is in the way, as far as it is known without a walk.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), but for walks that do not forget.
    pub fn check(law: &GoalLaw, rows: &[Vec<f64>]) -> Result<(), String> {
        Self::begun(law, rows).map(|_| ())
    }

    /// The polytope with a point in the middle of it.
    fn begun(law: &GoalLaw, rows: &[Vec<f64>]) -> Result<(Polytope, Vec<f64>), String> {
        let polytope = Polytope::of(law, rows)?;
        let (axes, walls) = (polytope.n_axes(), polytope.n_walls());
        if axes > MOST_AXES || walls > MOST_WALLS {
            return Err(format!(
                "{axes} rewards and {walls} inequalities are more than the {MOST_AXES} and {MOST_WALLS} that are walked with"
            ));
        }
        match interior::interior(&polytope) {
            Some(middle) => Ok((polytope, middle)),
            None => Err(
                "for none of them is every choice of the policy better than the others, but for ties"
                    .to_owned(),
            ),
        }
    }

    /// What the first walks showed.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The law of compatible goals, given the law itself: on the MDP of the policy, or on one that shares its goals.
    ///
    /// # Errors
    ///
    /// Where a draw that the two share has another law there.
    pub fn law(self: &Arc<Self>, law: &GoalLaw) -> Result<GoalLaw, String> {
        let axis = |coordinate: u32| {
            let found = self
                .polytope
                .axes
                .iter()
                .position(|a| a.coordinate == coordinate);
            found.map(|at| (at, &self.polytope.axes[at].law))
        };
        let check = |coordinate: u32, law: &Marginal| match axis(coordinate) {
            Some((_, own)) if own != law => {
                Err("a reward that is compared has another law there".to_owned())
            }
            found => Ok(found.map(|(at, _)| at)),
        };
        let (inner, walked) = match law.recipe() {
            Recipe::Independent(inner) => {
                let each = inner.sources.iter().map(|source| match *source {
                    Source::Draw { coordinate, law } => {
                        check(coordinate, &inner.laws[law as usize])
                    }
                    Source::Fixed(_) => Ok(None),
                });
                (
                    Inner::Independent(inner.clone()),
                    each.collect::<Result<Vec<_>, _>>()?,
                )
            }
            Recipe::Linear(inner) => {
                let each = inner.latent.iter();
                let each =
                    each.map(|&(coordinate, law)| check(coordinate, &inner.laws[law as usize]));
                (
                    Inner::Linear(inner.clone()),
                    each.collect::<Result<Vec<_>, _>>()?,
                )
            }
            Recipe::Whole(_) => {
                return Err("its rewards are neither independent draws nor sums of them".to_owned());
            }
        };
        let mut facts = *law.facts();
        // Walks come to numbers of double precision, which are rounded once.
        facts.error += rounding(facts.magnitude());
        facts.shared = self.chain.shared;
        let whole = Walked {
            goals: self.clone(),
            inner,
            walked,
            facts,
        };
        Ok(GoalLaw::new(
            law.domain(),
            law.n_rewards(),
            Recipe::Whole(Arc::new(whole)),
        ))
    }

    /// The draws of a goal, `[n_axes]`.
    fn point(&self, key: GoalKey) -> Vec<f64> {
        let n = self.polytope.n_axes();
        if n == 0 {
            return Vec::new();
        }
        let key = key.on(key.stream.walk());
        let start = below(key, 0, self.store.len() / n);
        let start = self.store[start * n..(start + 1) * n].to_vec();
        let mut walker = Walker::new(&self.polytope, &self.directions, start);
        let words = Words {
            seed: key.seed,
            stream: key.stream,
            index: key.index,
        };
        for sweep in 0..self.chain.sweeps as u32 {
            // Step 0 has the words that the start was chosen by.
            walker.sweep(words, 1 + sweep * n as u32);
        }
        walker.point
    }
}

/// The walks of the first stage.
struct FirstWalks<'a> {
    polytope: &'a Polytope,
    directions: Directions,
    seed: Seed,
    middle: Vec<f64>,
    points: Vec<Vec<f64>>,
    /// Walks so far, for words of their own.
    begun: u64,
    sweeps: usize,
}

impl<'a> FirstWalks<'a> {
    fn new(polytope: &'a Polytope, seed: Seed, middle: Vec<f64>) -> Self {
        Self {
            directions: Directions::axes(polytope),
            points: vec![middle.clone(); WALKS],
            polytope,
            seed,
            middle,
            begun: 0,
            sweeps: FIRST_ROUNDING,
        }
    }

    /// Walks from every point, and shows every sweep to `see` with the number of the walk.
    fn walk(&mut self, sweeps: usize, corners: bool, mut see: impl FnMut(usize, &Walker<'_>)) {
        let n = self.polytope.n_axes() as u32;
        for (number, point) in self.points.iter_mut().enumerate() {
            let words = Words {
                seed: self.seed,
                stream: Stream::FirstWalk,
                index: SampleIndex(self.begun),
            };
            self.begun += 1;
            let start = std::mem::take(point);
            let mut walker = Walker::new(self.polytope, &self.directions, start);
            if corners {
                walker.start_in_corner(words);
            }
            for sweep in 0..sweeps as u32 {
                walker.sweep(words, n + sweep * n);
                see(number, &walker);
            }
            *point = walker.point;
        }
    }

    /// Finds directions along which the polytope is about as wide as across.
    fn round(&mut self) {
        let n = self.polytope.n_axes();
        let (mut count, mut sums, mut products) = (0.0, vec![0.0; n], vec![0.0; n * n]);
        let middle = self.middle.clone();
        self.walk(self.sweeps, false, |_, walker| {
            let off: Vec<f64> = walker
                .point
                .iter()
                .zip(&middle)
                .map(|(x, m)| x - m)
                .collect();
            count += 1.0;
            for (i, x) in off.iter().enumerate() {
                sums[i] += x;
                let row = products[i * n..(i + 1) * n].iter_mut().zip(&off);
                row.for_each(|(sum, y)| *sum += x * y);
            }
        });
        for i in 0..n {
            for j in 0..n {
                products[i * n + j] =
                    products[i * n + j] / count - sums[i] / count * sums[j] / count;
            }
        }
        self.directions = Directions::of_covariance(self.polytope, &products);
        self.sweeps *= 2;
    }

    /// Walks until what is seen can be believed, from corners and from the middle.
    fn judged(&mut self) -> Result<(Vec<f64>, Chain), String> {
        let polytope = self.polytope;
        let (n, walls) = (polytope.n_axes(), polytope.n_walls());
        // A step under another density asks for it some ten times, at a logarithm each.
        let each = if polytope.is_flat() { 1.0 } else { DENSITIES };
        let mut sweeps = FIRST_SWEEPS;
        loop {
            self.points = vec![self.middle.clone(); WALKS];
            self.walk(sweeps, true, |_, _| {});
            let mut traces = vec![vec![Vec::new(); WALKS]; n + walls];
            let mut points = Vec::with_capacity(sweeps * WALKS * n);
            self.walk(sweeps, false, |number, walker| {
                let axes = polytope.axes.iter().zip(&walker.point);
                let places = axes.map(|(axis, x)| axis.place(*x));
                let numbers = places.chain(walker.slacks.iter().map(|s| squashed(*s)));
                let each = traces.iter_mut().zip(numbers);
                each.for_each(|(trace, x)| trace[number].push(x));
                points.extend_from_slice(&walker.point);
            });
            let judged: Vec<Traced> = traces.iter().map(|trace| judge(trace)).collect();
            let r_hat = judged.iter().map(|t| t.r_hat).fold(1.0, f64::max);
            let all = (sweeps * WALKS) as f64;
            let effective = judged.iter().map(|t| t.effective).fold(all, f64::min);
            let lag = judged
                .iter()
                .map(|t| t.lag)
                .try_fold(1, |most, lag| Some(most.max(lag?)));
            if let (true, Some(lag)) = (r_hat <= R_HAT && effective >= EFFECTIVE, lag) {
                let stride = (sweeps * WALKS).div_ceil(MOST_POINTS);
                let kept = points.chunks_exact(n.max(1)).step_by(stride);
                let store: Vec<f64> = kept.flatten().copied().collect();
                let kept = (sweeps * WALKS).div_ceil(stride) as f64;
                // What is left of a point of the store is as large for two goals that began there as twice the lag leaves for one.
                let shared = FORGOTTEN.powi(2 * LAGS as i32) / effective.min(kept);
                let chain = Chain {
                    dimensions: n,
                    walls,
                    r_hat,
                    effective,
                    sweeps: LAGS * lag,
                    shared,
                };
                return Ok((store, chain));
            }
            sweeps *= 2;
            // Both stages, and autocorrelations of every number, which are about as much again.
            let work = 4.0 * (sweeps * WALKS * n) as f64 * (each * n as f64 + walls as f64);
            if work > MOST_WORK {
                return Err(format!(
                    "walks through its compatible goals do not forget their beginnings soon enough to be believed (R-hat {r_hat:.3}, {effective:.0} effective draws)"
                ));
            }
        }
    }
}

/// How rewards are made of draws.
#[derive(Debug)]
enum Inner {
    Independent(Independent),
    Linear(Linear),
}

/// Goals whose draws are walked to.
#[derive(Debug)]
struct Walked {
    goals: Arc<Compatible>,
    inner: Inner,
    /// Per reward, or per latent draw: the axis that it is, if any.
    walked: Vec<Option<usize>>,
    facts: Facts,
}

impl WholeGoal for Walked {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let point = self.goals.point(key);
        let walked = |at: usize| self.walked[at].map(|axis| point[axis] as f32);
        match &self.inner {
            Inner::Independent(inner) => {
                for (at, (reward, source)) in rewards.iter_mut().zip(&inner.sources).enumerate() {
                    *reward = walked(at).unwrap_or_else(|| inner.value(*source, |c| key.word(c)));
                }
            }
            Inner::Linear(inner) => {
                let drawn = |coordinate, law: &Marginal| law.value(key.word(coordinate));
                inner.sum(
                    |at, coordinate, law| walked(at).unwrap_or_else(|| drawn(coordinate, law)),
                    rewards,
                );
            }
        }
    }

    fn facts(&self) -> Facts {
        self.facts
    }
}

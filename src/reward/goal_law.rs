//! A law bound to an MDP: how every reward of a goal is drawn.

use std::cell::{Cell, OnceCell};
use std::fmt::Debug;
use std::sync::Arc;

use super::{Lattice, Making, Marginal};
use crate::mdp::Mdp;
use crate::rng::{self, Stream};
use crate::units::{SampleIndex, Seed};

/// What rewards are attached to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RewardDomain {
    /// R(s).
    #[default]
    State,
    /// R(s, a).
    Choice,
}

/// Which goal is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoalKey {
    /// Key of all goals of a run.
    pub seed: Seed,
    /// What the goal is for.
    pub stream: Stream,
    /// Its number.
    pub index: SampleIndex,
}

impl GoalKey {
    /// The random word of a coordinate.
    #[must_use]
    pub fn word(self, coordinate: u32) -> u32 {
        rng::word(self.seed, self.stream, self.index, coordinate)
    }

    /// The same goal's words of another stream.
    #[must_use]
    pub fn on(self, stream: Stream) -> Self {
        Self { stream, ..self }
    }
}

/// What a law says about its goals as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Mean of all rewards: what sums are taken about.
    pub mean: f64,
    /// Smallest reward that can be drawn.
    pub low: f64,
    /// Largest reward that can be drawn.
    pub high: f64,
    /// What tolerances are relative to: the largest range of a reward whose law is bounded, else the largest standard deviation.
    pub scale: f64,
    /// How far a reward can be from the law that was asked for: the integer map's error and every rounding. It moves the
    /// POWER integrand by no more than that.
    pub error: f64,
    /// How far, beside that, a positive reward can be off as a share of itself: laws of a wide range are drawn with relative
    /// errors.
    pub error_share: f64,
    /// Whether means have a standard error.
    pub finite_variance: bool,
    /// The number of goals there are, where goals `0..n` are all of them, equally likely: then a mean over them is exact.
    pub enumerated: Option<u64>,
    /// Number of goals after which there are no fresh ones.
    pub available: Option<u64>,
    /// What goals have in common that should be independent: the variance of a mean over n of them is up to 1/n and this, as a share of that of one goal.
    pub shared: f64,
}

impl Facts {
    /// How far the mean POWER integrand of goals drawn can be from that of the law that was asked for, where the former is no more
    /// than `power`.
    ///
    /// An integrand is the best average of rewards there is. Positive rewards that are off by a share of themselves move it by
    /// at most that share of the best average of absolute rewards; which is at most the best average of rewards and twice the
    /// largest negative one.
    #[must_use]
    pub fn error_of_power(&self, power: f64) -> f64 {
        let absolute = power.max(0.0) + 2.0 * (-self.low).max(0.0);
        self.error + self.error_share * absolute
    }

    /// The largest absolute reward.
    #[must_use]
    pub fn magnitude(&self) -> f64 {
        self.low.abs().max(self.high.abs())
    }

    /// What holds for a goal drawn from one of several laws: `(weight, facts)`, weights sum to one.
    #[must_use]
    pub(super) fn mixed(parts: &[(f64, Self)]) -> Self {
        let fold = |start: f64, f: fn(f64, f64) -> f64, of: fn(&Self) -> f64| {
            parts.iter().fold(start, |x, (_, facts)| f(x, of(facts)))
        };
        let drawn = parts
            .iter()
            .filter(|(w, f)| *w > 0.0 && f.enumerated.is_none())
            .map(|(_, f)| f);
        Self {
            mean: parts.iter().map(|(w, facts)| w * facts.mean).sum(),
            low: fold(f64::INFINITY, f64::min, |f| f.low),
            high: fold(f64::NEG_INFINITY, f64::max, |f| f.high),
            scale: fold(0.0, f64::max, |f| f.scale),
            error: fold(0.0, f64::max, |f| f.error),
            error_share: fold(0.0, f64::max, |f| f.error_share),
            finite_variance: parts.iter().all(|(_, f)| f.finite_variance),
            enumerated: None,
            // Goals that are used once take the row of their number, whatever other goals are drawn from.
            available: drawn.filter_map(|f| f.available).min(),
            shared: fold(0.0, f64::max, |f| f.shared),
        }
    }

    /// Fixed values that are placed somehow.
    #[must_use]
    pub(super) fn of_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
        let count = values.clone().count().max(1) as f64;
        let magnitude = low.abs().max(high.abs());
        Self {
            mean: values.sum::<f64>() / count,
            low,
            high,
            scale: positive(high - low, magnitude),
            error: rounding(magnitude),
            error_share: 0.0,
            finite_variance: true,
            enumerated: None,
            available: None,
            shared: 0.0,
        }
    }
}

/// The first of the two that is above zero, else 1: a scale there must be.
fn positive(range: f64, magnitude: f64) -> f64 {
    [range, magnitude]
        .into_iter()
        .find(|x| *x > 0.0)
        .unwrap_or(1.0)
}

/// Error of rounding a number of at most this size to f32.
pub(super) fn rounding(magnitude: f64) -> f64 {
    magnitude * f64::from(f32::EPSILON) / 2.0
}

/// Where one reward comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// Always this.
    Fixed(f32),
    /// One draw.
    Draw {
        /// The random coordinate.
        coordinate: u32,
        /// Position in the list of laws.
        law: u32,
    },
}

/// Rewards that are fixed or one draw each; draws of one coordinate are the same draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Independent {
    /// Per reward.
    pub sources: Vec<Source>,
    /// The laws that sources refer to.
    pub laws: Vec<Marginal>,
}

impl Independent {
    /// The lattice and nothing else, where every reward is a draw of it.
    #[must_use]
    pub fn lattice(&self) -> Option<Lattice> {
        let [law] = &self.laws[..] else { return None };
        let all = self
            .sources
            .iter()
            .all(|s| matches!(s, Source::Draw { .. }));
        law.lattice().filter(|_| all)
    }

    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        for (reward, source) in rewards.iter_mut().zip(&self.sources) {
            *reward = self.value(*source, |coordinate| key.word(coordinate));
        }
    }

    /// A source's value, given the words.
    pub(super) fn value(&self, source: Source, word: impl FnOnce(u32) -> u32) -> f32 {
        match source {
            Source::Fixed(x) => x,
            Source::Draw { coordinate, law } => self.laws[law as usize].value(word(coordinate)),
        }
    }

    fn facts(&self) -> Facts {
        let used = |law: usize| {
            self.sources
                .iter()
                .any(|s| matches!(s, Source::Draw { law: l, .. } if *l as usize == law))
        };
        let laws: Vec<&Marginal> = self
            .laws
            .iter()
            .enumerate()
            .filter(|(i, _)| used(*i))
            .map(|(_, l)| l)
            .collect();
        let fixed = self.sources.iter().filter_map(|s| match s {
            Source::Fixed(x) => Some(f64::from(*x)),
            Source::Draw { .. } => None,
        });
        let means = self.sources.iter().map(|s| match s {
            Source::Fixed(x) => f64::from(*x),
            Source::Draw { law, .. } => self.laws[*law as usize].drawn_mean(),
        });
        let ends = laws.iter().map(|l| l.range());
        let low = ends
            .clone()
            .map(|e| e.0)
            .chain(fixed.clone())
            .fold(f64::INFINITY, f64::min);
        let high = ends
            .map(|e| e.1)
            .chain(fixed)
            .fold(f64::NEG_INFINITY, f64::max);
        let scale = laws.iter().map(|l| l.scale()).fold(0.0, f64::max);
        Facts {
            // Of a uniform law alone this is the lattice's own mean, exactly.
            mean: match (&laws[..], self.lattice()) {
                ([law], Some(_)) => law.drawn_mean(),
                _ => means.sum::<f64>() / self.sources.len().max(1) as f64,
            },
            low,
            high,
            scale: if scale > 0.0 {
                scale
            } else {
                positive(high - low, low.abs().max(high.abs()))
            },
            error: laws.iter().map(|l| l.error()).fold(0.0, f64::max),
            error_share: laws.iter().map(|l| l.error_share()).fold(0.0, f64::max),
            finite_variance: laws.iter().all(|l| l.sd().is_some()),
            // Without a draw there is one goal.
            enumerated: laws.is_empty().then_some(1),
            available: laws.is_empty().then_some(1),
            shared: 0.0,
        }
    }
}

/// Rewards that are weighted sums of independent draws: `R = offset + Phi w`.
///
/// # Precision
///
/// Products and sums in f64, one after the other in the order of the terms and never fused, then rounded to f32 once: the same
/// bits on every processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// The draws `w`: coordinate and position in `laws`.
    pub latent: Vec<(u32, u32)>,
    /// The laws of the draws.
    pub laws: Vec<Marginal>,
    /// Per reward, and one past the end: where its terms start.
    pub first: Vec<u32>,
    /// Position in `latent` and weight.
    pub terms: Vec<(u32, f64)>,
    /// Per reward.
    pub offset: Vec<f64>,
}

impl Linear {
    /// Without rewards yet.
    #[must_use]
    pub fn new(laws: Vec<Marginal>) -> Self {
        Self {
            latent: Vec::new(),
            laws,
            first: vec![0],
            terms: Vec::new(),
            offset: Vec::new(),
        }
    }

    /// Adds a reward; terms of weight zero are left out.
    pub fn push(&mut self, offset: f64, terms: impl IntoIterator<Item = (u32, f64)>) {
        self.terms
            .extend(terms.into_iter().filter(|(_, w)| *w != 0.0));
        self.first.push(self.terms.len() as u32);
        self.offset.push(offset);
    }

    /// Number of rewards.
    #[must_use]
    pub fn n_rewards(&self) -> usize {
        self.offset.len()
    }

    /// The terms of a reward.
    #[must_use]
    pub fn terms_of(&self, reward: usize) -> &[(u32, f64)] {
        &self.terms[self.first[reward] as usize..self.first[reward + 1] as usize]
    }

    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        self.sum(
            |_, coordinate, law| law.value(key.word(coordinate)),
            rewards,
        );
    }

    /// Rewards, given how each latent draw, by its position, comes of its coordinate and law.
    pub(super) fn sum(&self, value: impl Fn(usize, u32, &Marginal) -> f32, rewards: &mut [f32]) {
        let each = self.latent.iter().enumerate();
        let latent: Vec<f32> = each
            .map(|(at, &(coordinate, law))| value(at, coordinate, &self.laws[law as usize]))
            .collect();
        for (reward, to) in rewards.iter_mut().enumerate() {
            let terms = self.terms_of(reward).iter();
            let sum = terms.fold(self.offset[reward], |sum, &(j, weight)| {
                sum + weight * f64::from(latent[j as usize])
            });
            *to = sum as f32;
        }
    }

    fn facts(&self) -> Facts {
        let law = |j: u32| &self.laws[self.latent[j as usize].1 as usize];
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut mean, mut scale, mut error) = (0.0, 0.0_f64, 0.0_f64);
        let mut finite = true;
        for reward in 0..self.n_rewards() {
            let (mut a, mut b, mut m) = (
                self.offset[reward],
                self.offset[reward],
                self.offset[reward],
            );
            let (mut variance, mut off, mut bounded) = (0.0, 0.0, true);
            for &(j, weight) in self.terms_of(reward) {
                let (l, h) = law(j).range();
                a += (weight * l).min(weight * h);
                b += (weight * l).max(weight * h);
                m += weight * law(j).drawn_mean();
                // Differences of relative errors are not relative to the difference.
                off += weight.abs() * (law(j).error() + law(j).error_share() * h.abs());
                bounded &= law(j).is_bounded();
                match law(j).sd() {
                    Some(sd) => variance += (weight * sd).powi(2),
                    None => {
                        finite = false;
                        variance += (weight * law(j).scale()).powi(2);
                    }
                }
            }
            low = low.min(a);
            high = high.max(b);
            mean += m;
            scale = scale.max(if bounded { b - a } else { variance.sqrt() });
            error = error.max(off + rounding(a.abs().max(b.abs())));
        }
        Facts {
            mean: mean / self.n_rewards().max(1) as f64,
            low,
            high,
            scale: if scale > 0.0 {
                scale
            } else {
                positive(high - low, low.abs().max(high.abs()))
            },
            error,
            error_share: 0.0,
            finite_variance: finite,
            enumerated: None,
            available: None,
            shared: 0.0,
        }
    }
}

/// A law that draws whole goals.
pub trait WholeGoal: Debug + Send + Sync {
    /// Draws the goal `key` into `rewards`, `[n_rewards]`: a pure function of the key.
    fn draw(&self, key: GoalKey, rewards: &mut [f32]);

    /// What holds for all its goals.
    fn facts(&self) -> Facts;

    /// What goals are made of, for backends that make many at once; `None` where [`WholeGoal::draw`] alone knows.
    fn making(&self) -> Option<Making<'_>> {
        None
    }
}

/// How goals are drawn.
#[derive(Clone, Debug)]
pub enum Recipe {
    /// Every reward by itself.
    Independent(Independent),
    /// Weighted sums of draws.
    Linear(Linear),
    /// One goal at a time.
    Whole(Arc<dyn WholeGoal>),
}

/// One goal whose rewards are drawn when they are asked for.
#[derive(Debug)]
pub struct LazyGoal<'a> {
    law: &'a GoalLaw,
    key: GoalKey,
    /// The whole goal, where rewards are not drawn one by one.
    whole: OnceCell<Vec<f32>>,
    /// Rewards that were drawn one by one.
    drawn: Cell<usize>,
}

/// The share of a goal that is drawn reward by reward before all of it is: a call of the generator makes four, and its vectors make many calls at once.
const ONE_BY_ONE: usize = 8;

impl LazyGoal<'_> {
    /// One reward.
    #[must_use]
    pub fn reward(&self, row: usize) -> f64 {
        if let Recipe::Independent(recipe) = &self.law.recipe
            && ONE_BY_ONE * self.drawn.get() <= self.law.n_rewards
        {
            self.drawn.set(self.drawn.get() + 1);
            return f64::from(recipe.value(recipe.sources[row], |c| self.key.word(c)));
        }
        let draw = || {
            let mut rewards = vec![0.0; self.law.n_rewards];
            self.law.draw_into(self.key, &mut rewards);
            rewards
        };
        f64::from(self.whole.get_or_init(draw)[row])
    }
}

/// A distribution over goals of one MDP.
#[derive(Clone, Debug)]
pub struct GoalLaw {
    domain: RewardDomain,
    n_rewards: usize,
    recipe: Recipe,
    facts: Facts,
}

impl GoalLaw {
    /// A recipe for `n_rewards` rewards: one per state, or one per choice.
    #[must_use]
    pub fn new(domain: RewardDomain, n_rewards: usize, recipe: Recipe) -> Self {
        let facts = match &recipe {
            Recipe::Independent(recipe) => recipe.facts(),
            Recipe::Linear(recipe) => recipe.facts(),
            Recipe::Whole(recipe) => recipe.facts(),
        };
        Self {
            domain,
            n_rewards,
            recipe,
            facts,
        }
    }

    /// Uniform on [0, 1) for every state of an MDP whose states all have a reward coordinate.
    ///
    /// # Panics
    ///
    /// If a state has none.
    #[must_use]
    pub fn unit_uniform(mdp: &Mdp) -> Arc<Self> {
        Self::iid(mdp, Marginal::Uniform(super::Uniform::unit()))
    }

    /// The same law for every state of an MDP whose states all have a reward coordinate.
    ///
    /// # Panics
    ///
    /// If a state has none.
    #[must_use]
    pub fn iid(mdp: &Mdp, law: Marginal) -> Arc<Self> {
        let draw = |coordinate: &Option<u32>| Source::Draw {
            coordinate: coordinate.expect("every state has a reward coordinate"),
            law: 0,
        };
        let sources: Vec<Source> = mdp.reward_coordinate().iter().map(draw).collect();
        let recipe = Independent {
            laws: vec![law],
            sources,
        };
        Arc::new(Self::new(
            RewardDomain::State,
            mdp.n_states(),
            Recipe::Independent(recipe),
        ))
    }

    /// What rewards are attached to.
    #[must_use]
    pub fn domain(&self) -> RewardDomain {
        self.domain
    }

    /// Rewards of a goal: one per state, or one per choice.
    #[must_use]
    pub fn n_rewards(&self) -> usize {
        self.n_rewards
    }

    /// How goals are drawn: for backends that draw many at once.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What holds for all goals.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The lattice, where every reward is one uniform draw of it.
    #[must_use]
    pub fn lattice(&self) -> Option<Lattice> {
        match &self.recipe {
            Recipe::Independent(recipe) => recipe.lattice(),
            Recipe::Linear(_) | Recipe::Whole(_) => None,
        }
    }

    /// Mean and standard deviation of one reward under the law itself, where they are known; a standard deviation of `None` is
    /// infinite.
    #[must_use]
    pub fn moments(&self, row: usize) -> Option<(f64, Option<f64>)> {
        match &self.recipe {
            Recipe::Independent(recipe) => Some(match recipe.sources[row] {
                Source::Fixed(x) => (f64::from(x), Some(0.0)),
                Source::Draw { law, .. } => {
                    let law = &recipe.laws[law as usize];
                    (law.mean(), law.sd())
                }
            }),
            Recipe::Linear(recipe) => {
                let mut mean = recipe.offset[row];
                let mut variance = Some(0.0);
                for &(j, weight) in recipe.terms_of(row) {
                    let law = &recipe.laws[recipe.latent[j as usize].1 as usize];
                    mean += weight * law.mean();
                    let sd = law.sd();
                    variance = variance.zip(sd).map(|(v, sd)| v + (weight * sd).powi(2));
                }
                Some((mean, variance.map(f64::sqrt)))
            }
            Recipe::Whole(_) => None,
        }
    }

    /// Draws goal `key` into `rewards`, `[n_rewards]`: the definition that every backend meets bit for bit.
    pub fn draw_into(&self, key: GoalKey, rewards: &mut [f32]) {
        match &self.recipe {
            Recipe::Independent(recipe) => recipe.draw(key, rewards),
            Recipe::Linear(recipe) => recipe.draw(key, rewards),
            Recipe::Whole(recipe) => recipe.draw(key, rewards),
        }
    }

    /// Draws `count` goals from `first` on; `see` takes how many were before it, and its rewards, `[n_rewards]`.
    pub fn draw_each(
        &self,
        (seed, stream): (Seed, Stream),
        first: u64,
        count: u64,
        mut see: impl FnMut(usize, &[f32]),
    ) {
        let mut rewards = vec![0.0; self.n_rewards];
        for before in 0..count {
            let index = SampleIndex(first + before);
            let key = GoalKey {
                seed,
                stream,
                index,
            };
            self.draw_into(key, &mut rewards);
            see(before as usize, &rewards);
        }
    }

    /// Goal `key`, reward by reward.
    #[must_use]
    pub fn lazy(&self, key: GoalKey) -> LazyGoal<'_> {
        LazyGoal {
            law: self,
            key,
            whole: OnceCell::new(),
            drawn: Cell::new(0),
        }
    }

    /// Goal `index`, `[n_rewards]`.
    #[must_use]
    pub fn draw(&self, seed: Seed, stream: Stream, index: SampleIndex) -> Vec<f32> {
        let mut rewards = vec![0.0; self.n_rewards];
        let key = GoalKey {
            seed,
            stream,
            index,
        };
        self.draw_into(key, &mut rewards);
        rewards
    }
}

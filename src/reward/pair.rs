//! Pairs of goals: a second goal that has something to do with the first.

use std::sync::Arc;

use super::goal_law::{GoalKey, GoalLaw, Recipe};
use super::{Marginal, shuffle::Thresholds};
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::rng::Stream;
use crate::units::{SampleIndex, Seed};

/// How the second goal R' goes with the first, R. "Fresh" is a goal of the same law from stream 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Coupling {
    /// R' is fresh.
    #[default]
    Independent,
    /// With probability c, R' is R; else it is fresh. With c below 0: with probability -c it is R reflected about the mean of every
    /// reward. For a law that is symmetric about its mean, c is the correlation of R(s) and R'(s).
    Equal(f64),
    /// `R' = mean + rho (R - mean) + sqrt(1 - rho^2) (fresh - mean)`: jointly normal with correlation rho where the law is normal.
    Gaussian(f64),
}

impl Coupling {
    /// Reads `{ coupling = "independent" | "equal" | "gaussian", c = ..., rho = ... }`.
    pub(super) fn read(node: &Spanned<Node>, faults: &mut Faults) -> Option<Self> {
        let mut table = TableReader::open(node, "`pair`", faults)?;
        table.require("coupling", faults);
        let name = table.string("coupling", faults);
        let mut share = |key: &'static str, faults: &mut Faults| {
            table.require(key, faults);
            let x = table.number(key, faults)?;
            let fits = (-1.0..=1.0).contains(&x.value);
            if !fits {
                faults.error(
                    x.span,
                    format!("`{key}` must be between -1 and 1, this is {}", x.value),
                );
            }
            fits.then_some(x.value)
        };
        let coupling = match name.as_ref().map(|n| n.value.as_str()) {
            Some("independent") => Some(Self::Independent),
            Some("equal") => share("c", faults).map(Self::Equal),
            Some("gaussian") => share("rho", faults).map(Self::Gaussian),
            _ => None,
        };
        if let Some(name) = name
            && !["independent", "equal", "gaussian"].contains(&name.value.as_str())
        {
            let message = format!("there is no coupling {:?}", name.value);
            faults.error_with_help(
                name.span,
                message,
                "known couplings: independent, equal, gaussian",
            );
            table.rest();
        }
        table.finish(faults);
        coupling
    }

    /// Whether the law is one that the coupling is made for.
    #[must_use]
    pub fn suits(self, law: &GoalLaw) -> bool {
        let normal = |laws: &[Marginal]| laws.iter().all(|l| matches!(l, Marginal::Normal(_)));
        match (self, law.recipe()) {
            (Self::Gaussian(_), Recipe::Independent(recipe)) => normal(&recipe.laws),
            (Self::Gaussian(_), Recipe::Linear(recipe)) => normal(&recipe.laws),
            (Self::Gaussian(_), Recipe::Whole(_)) => false,
            (Self::Independent | Self::Equal(_), _) => true,
        }
    }
}

/// A law of pairs.
#[derive(Clone, Debug)]
pub struct PairLaw {
    law: Arc<GoalLaw>,
    coupling: Coupling,
    /// Per reward: its mean; the middle of its range where the law has no moments of single rewards.
    means: Vec<f64>,
}

impl PairLaw {
    /// Couples goals of a law.
    #[must_use]
    pub fn new(law: Arc<GoalLaw>, coupling: Coupling) -> Self {
        let middle = (law.facts().low + law.facts().high) / 2.0;
        let mean = |row: usize| law.moments(row).map_or(middle, |(mean, _)| mean);
        Self {
            means: (0..law.n_rewards()).map(mean).collect(),
            law,
            coupling,
        }
    }

    /// The law of both goals.
    #[must_use]
    pub fn law(&self) -> &Arc<GoalLaw> {
        &self.law
    }

    /// Pair `index`: R and R'. R is what the law alone draws under that number.
    ///
    /// # Precision
    ///
    /// R' is computed in f64 and rounded to f32 once.
    #[must_use]
    pub fn draw(&self, seed: Seed, index: SampleIndex) -> (Vec<f32>, Vec<f32>) {
        let first = self.law.draw(seed, Stream::Reward, index);
        let fresh = || self.law.draw(seed, Stream::SecondGoal, index);
        let second = match self.coupling {
            Coupling::Independent => fresh(),
            Coupling::Equal(c) => {
                let key = GoalKey {
                    seed,
                    stream: Stream::SecondGoal.mixture(),
                    index,
                };
                // Word 0 picks the component of a mixture.
                let kept = Thresholds::new(&[c.abs(), 1.0 - c.abs()]).pick(key.word(1)) == 0;
                match (kept, c < 0.0) {
                    (false, _) => fresh(),
                    (true, false) => first.clone(),
                    (true, true) => self.combine(&first, |_, mean, x| 2.0 * mean - x),
                }
            }
            Coupling::Gaussian(rho) => {
                let fresh = fresh();
                let rest = (1.0 - rho * rho).sqrt();
                self.combine(&first, |row, mean, x| {
                    mean + rho * (x - mean) + rest * (f64::from(fresh[row]) - mean)
                })
            }
        };
        (first, second)
    }

    fn combine(&self, goal: &[f32], of: impl Fn(usize, f64, f64) -> f64) -> Vec<f32> {
        let each = goal.iter().zip(&self.means).enumerate();
        each.map(|(row, (x, mean))| of(row, *mean, f64::from(*x)) as f32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::reward::Marginal;

    /// A number of a pair.
    type Of<'a> = &'a dyn Fn(&(Vec<f32>, Vec<f32>)) -> f64;

    fn law(law: Marginal) -> Arc<GoalLaw> {
        let mut b = MdpBuilder::new("two");
        for name in ["a", "b"] {
            let state = b.state(name);
            b.absorbing(state);
        }
        GoalLaw::iid(&b.build().unwrap(), law)
    }

    /// Correlation of R(a) with R'(a) and with R'(b), and the mean and variance of R'(a), over 40,000 pairs.
    fn measured(pair: &PairLaw) -> [f64; 4] {
        let n = 40_000;
        let pairs: Vec<_> = (0..n).map(|i| pair.draw(Seed(2), SampleIndex(i))).collect();
        let mean = |of: Of<'_>| pairs.iter().map(of).sum::<f64>() / n as f64;
        let r = |p: &(Vec<f32>, Vec<f32>)| f64::from(p.0[0]);
        let a = |p: &(Vec<f32>, Vec<f32>)| f64::from(p.1[0]);
        let b = |p: &(Vec<f32>, Vec<f32>)| f64::from(p.1[1]);
        let (mr, ma, mb) = (mean(&r), mean(&a), mean(&b));
        let variance = |of: Of<'_>, m: f64| mean(&|p| (of(p) - m).powi(2));
        let (vr, va, vb) = (variance(&r, mr), variance(&a, ma), variance(&b, mb));
        let with_a = mean(&|p| (r(p) - mr) * (a(p) - ma)) / (vr * va).sqrt();
        let with_b = mean(&|p| (r(p) - mr) * (b(p) - mb)) / (vr * vb).sqrt();
        [with_a, with_b, ma, va]
    }

    #[test]
    fn second_goals_have_the_law_and_the_correlation_that_was_asked_for() {
        let uniform = law(Marginal::uniform(0.0, 1.0).unwrap());
        let normal = law(Marginal::normal(1.0, 2.0).unwrap());
        for (law, coupling, expected, mean, variance) in [
            (&uniform, Coupling::Independent, 0.0, 0.5, 1.0 / 12.0),
            (&uniform, Coupling::Equal(0.3), 0.3, 0.5, 1.0 / 12.0),
            (&uniform, Coupling::Equal(-0.6), -0.6, 0.5, 1.0 / 12.0),
            (&uniform, Coupling::Equal(1.0), 1.0, 0.5, 1.0 / 12.0),
            (&normal, Coupling::Gaussian(0.5), 0.5, 1.0, 4.0),
            (&normal, Coupling::Gaussian(-1.0), -1.0, 1.0, 4.0),
        ] {
            let [with_a, with_b, found_mean, found_variance] =
                measured(&PairLaw::new(law.clone(), coupling));
            // 4.5 standard errors: below 4.5/200 for correlations, of the mean sd/200, of the variance at most sqrt 2 var/200.
            assert!(
                (with_a - expected).abs() <= 0.0225,
                "{coupling:?}: {with_a}"
            );
            assert!(with_b.abs() <= 0.0225, "{coupling:?}: {with_b}");
            assert!((found_mean - mean).abs() <= 0.0225 * f64::sqrt(variance));
            assert!((found_variance - variance).abs() <= 0.032 * variance);
        }
    }

    #[test]
    fn the_gaussian_coupling_is_for_normal_laws() {
        let rho = Coupling::Gaussian(0.5);
        assert!(rho.suits(&law(Marginal::normal(0.0, 1.0).unwrap())));
        assert!(!rho.suits(&law(Marginal::uniform(0.0, 1.0).unwrap())));
    }
}

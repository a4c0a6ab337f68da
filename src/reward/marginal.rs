//! Laws of one reward: the list.

use super::families::{
    Bernoulli, Beta, Discrete, Exponential, Family, Kind, LawError, MeanOfUniforms, Normal, Pareto,
    PiecewiseLinear, Read, Truncation,
};
use super::table::Accuracy;
use super::{Lattice, Uniform};
use crate::document::{Faults, Spanned, TableReader};

/// One line a law: its variant, and its name in an experiment file.
macro_rules! marginals {
    ($($(#[$doc:meta])* $variant:ident($family:ty) = $name:literal,)*) => {
        /// The law of one reward, drawn from one 32-bit word.
        ///
        /// A word of 32 random bits becomes a reward by integer arithmetic and one exact product: [`value`](Self::value) is the
        /// definition, which every backend meets bit for bit.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Marginal {
            $($(#[$doc])* $variant($family),)*
        }

        impl Marginal {
            /// Names of the laws, as an experiment file spells them.
            pub const NAMES: &[&str] = &[$($name),*];

            /// The law's name in an experiment file.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            fn family(&self) -> &dyn Family {
                match self {
                    $(Self::$variant(law) => law,)*
                }
            }

            /// Reads the law named `name` with its parameters. Faults are collected; for an unknown name nothing is read.
            pub fn read(
                name: &Spanned<String>,
                table: &mut TableReader<'_>,
                faults: &mut Faults,
            ) -> Option<Self> {
                match name.value.as_str() {
                    $($name => <$family as Read>::read(table, faults).map(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

marginals! {
    /// Uniform on an interval.
    Uniform(Uniform) = "uniform",
    /// Normal with mean and standard deviation.
    Normal(Normal) = "normal",
    /// Exponential with a rate.
    Exponential(Exponential) = "exponential",
    /// Beta on [0, 1].
    Beta(Beta) = "beta",
    /// One of two values.
    Bernoulli(Bernoulli) = "bernoulli",
    /// Pareto with an exponent and a smallest value.
    Pareto(Pareto) = "pareto",
    /// Finitely many values with weights.
    Discrete(Discrete) = "discrete",
    /// A density that runs straight from knot to knot.
    PiecewiseLinear(PiecewiseLinear) = "piecewise-linear",
    /// The mean of uniform numbers.
    MeanOfUniforms(MeanOfUniforms) = "mean-of-uniforms",
}

impl Marginal {
    /// Uniform on `[low, high)`.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Uniform::new`].
    pub fn uniform(low: f64, high: f64) -> Result<Self, LawError> {
        Ok(Self::Uniform(Uniform::new(low, high).map_err(|fault| {
            LawError {
                faults: vec![fault.into()],
            }
        })?))
    }

    /// Normal.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Normal::new`].
    pub fn normal(mean: f64, sd: f64) -> Result<Self, LawError> {
        Normal::new(mean, sd).map(Self::Normal)
    }

    /// Exponential.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Exponential::new`].
    pub fn exponential(rate: f64) -> Result<Self, LawError> {
        Exponential::new(rate).map(Self::Exponential)
    }

    /// Beta.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Beta::new`].
    pub fn beta(a: f64, b: f64) -> Result<Self, LawError> {
        Beta::new(a, b).map(Self::Beta)
    }

    /// `high` with probability `p`, else `low`.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Bernoulli::new`].
    pub fn bernoulli(p: f64, low: f64, high: f64) -> Result<Self, LawError> {
        Bernoulli::new(p, low, high).map(Self::Bernoulli)
    }

    /// Pareto.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Pareto::new`].
    pub fn pareto(alpha: f64, scale: f64) -> Result<Self, LawError> {
        Pareto::new(alpha, scale).map(Self::Pareto)
    }

    /// Values with weights.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`Discrete::new`].
    pub fn discrete(values: &[f64], weights: &[f64]) -> Result<Self, LawError> {
        Discrete::new(values, weights).map(Self::Discrete)
    }

    /// A piecewise-linear density.
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`PiecewiseLinear::new`].
    pub fn piecewise_linear(knots: &[f64], heights: &[f64]) -> Result<Self, LawError> {
        PiecewiseLinear::new(knots, heights).map(Self::PiecewiseLinear)
    }

    /// The mean of `count` uniform numbers on [0, 1).
    ///
    /// # Errors
    ///
    /// [`LawError`] as for [`MeanOfUniforms::new`].
    pub fn mean_of_uniforms(count: u32) -> Result<Self, LawError> {
        MeanOfUniforms::new(f64::from(count)).map(Self::MeanOfUniforms)
    }

    /// How a random word becomes a reward.
    #[must_use]
    pub fn kind(&self) -> Kind<'_> {
        self.family().kind()
    }

    /// The reward a word stands for: the definition that every backend meets bit for bit.
    #[must_use]
    pub fn value(&self, word: u32) -> f32 {
        match self.kind() {
            Kind::Lattice(lattice) => lattice.value(word),
            Kind::Table(table) => table.value(word),
        }
    }

    /// The rewards of many words; `to` is as long as `words`.
    #[inline]
    pub fn values(&self, words: &[u32], to: &mut [f32]) {
        match self.kind() {
            Kind::Lattice(lattice) => {
                for (to, word) in to.iter_mut().zip(words) {
                    *to = lattice.value(*word);
                }
            }
            Kind::Table(table) => table.values(words, to),
        }
    }

    /// The points it is drawn from, where they are equally spaced and equally likely.
    #[must_use]
    pub fn lattice(&self) -> Option<Lattice> {
        match self.kind() {
            Kind::Lattice(lattice) => Some(lattice),
            Kind::Table(_) => None,
        }
    }

    /// The law's mean: infinite for a Pareto law with `alpha <= 1`.
    ///
    /// Of the law itself. That of the numbers drawn, [`drawn_mean`](Self::drawn_mean), differs by no more than
    /// [`accuracy`](Self::accuracy) and what [`truncated`](Self::truncated) says.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.family().mean()
    }

    /// The mean of the numbers drawn, which is always finite.
    #[must_use]
    pub fn drawn_mean(&self) -> f64 {
        match self.kind() {
            Kind::Lattice(lattice) => lattice.mean(),
            Kind::Table(table) => table.mean(),
        }
    }

    /// The law's standard deviation; `None` where it is infinite.
    #[must_use]
    pub fn sd(&self) -> Option<f64> {
        self.family().sd()
    }

    /// The reward that is exceeded with probability `1 - p`.
    ///
    /// # Panics
    ///
    /// When `p` is not inside (0, 1).
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        assert!(p > 0.0 && p < 1.0, "{p} is no probability inside (0, 1)");
        self.family().quantile(p)
    }

    /// The logarithm of the law's density at `x`, up to a constant; minus infinity where it has none. `None` for laws with atoms, and for a mean of uniform numbers.
    #[must_use]
    pub fn log_density(&self, x: f64) -> Option<f64> {
        self.family().log_density(x)
    }

    /// The smallest and the largest reward that can be drawn.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        match self.kind() {
            Kind::Lattice(lattice) => lattice.range(),
            Kind::Table(table) => table.range(),
        }
    }

    /// Whether the law (not what can be drawn of it) has a smallest and a largest value.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let (low, high) = self.family().support();
        low.is_finite() && high.is_finite()
    }

    /// What tolerances are relative to: the range of a bounded law, else the standard deviation, else (where that is
    /// infinite) the interquartile range over that of the standard normal law, 1.349.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let (low, high) = self.family().support();
        if self.is_bounded() {
            return high - low;
        }
        self.sd()
            .unwrap_or_else(|| (self.quantile(0.75) - self.quantile(0.25)) / 1.349)
    }

    /// Proven: how far a reward can be from the quantile of its word's middle, `Q((word + 1/2) / 2^32)`.
    #[must_use]
    pub fn accuracy(&self) -> Accuracy {
        match self.kind() {
            // Rounding of both ends, half a spacing each, and of the product, a whole one.
            Kind::Lattice(lattice) => Accuracy::Absolute(2.0 * f64::from(lattice.spacing())),
            Kind::Table(table) => table.accuracy(),
        }
    }

    /// How far draws can be from the law, beside [`error_share`](Self::error_share): for a table every one of them from its quantile, for a
    /// lattice their mean.
    #[must_use]
    pub fn error(&self) -> f64 {
        match self.kind() {
            Kind::Lattice(lattice) => f64::from(lattice.spacing()) / 2.0,
            Kind::Table(table) => match table.accuracy() {
                Accuracy::Absolute(error) => error,
                Accuracy::Relative(_) => 0.0,
            },
        }
    }

    /// How far a drawn reward can be from the law's quantile at the same word, as a share of that quantile: above zero only
    /// for laws whose rewards are positive.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        match self.accuracy() {
            Accuracy::Absolute(_) => 0.0,
            Accuracy::Relative(share) => share,
        }
    }

    /// What the 32 bits of a word do not reach of an unbounded law; zero for a bounded one.
    #[must_use]
    pub fn truncated(&self) -> Truncation {
        self.family().truncation()
    }
}

//! Laws of one reward: the list.

use super::{Lattice, Uniform};
use crate::document::{Faults, Spanned, TableReader};

/// The law of one reward, drawn from one 32-bit word.
#[derive(Clone, Debug, PartialEq)]
pub enum Marginal {
    /// Uniform on an interval.
    Uniform(Uniform),
}

impl Marginal {
    /// Names of the laws, as an experiment file spells them.
    pub const NAMES: &'static [&'static str] = &["uniform"];

    /// Reads the law named `name` with its parameters. Faults are collected.
    pub fn read(
        name: &Spanned<String>,
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        match name.value.as_str() {
            "uniform" => Uniform::read(table, faults).map(Self::Uniform),
            _ => None,
        }
    }

    /// The law's name in an experiment file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uniform(_) => "uniform",
        }
    }

    /// The reward a word stands for: the definition that every backend meets bit for bit.
    #[must_use]
    pub fn value(&self, word: u32) -> f32 {
        match self {
            Self::Uniform(law) => law.lattice().value(word),
        }
    }

    /// The rewards of many words; `to` is as long as `words`.
    #[inline]
    pub fn values(&self, words: &[u32], to: &mut [f32]) {
        for (to, word) in to.iter_mut().zip(words) {
            *to = self.value(*word);
        }
    }

    /// The points it is drawn from, where they are equally spaced and equally likely.
    #[must_use]
    pub fn lattice(&self) -> Option<Lattice> {
        match self {
            Self::Uniform(law) => Some(law.lattice()),
        }
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Uniform(law) => law.lattice().mean(),
        }
    }

    /// The standard deviation; `None` where it is infinite.
    #[must_use]
    pub fn sd(&self) -> Option<f64> {
        match self {
            Self::Uniform(law) => Some(law.range() / 12_f64.sqrt()),
        }
    }

    /// The smallest and the largest reward that can be drawn.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        match self {
            Self::Uniform(law) => law.lattice().range(),
        }
    }

    /// Whether the law (not what can be drawn of it) has a smallest and a largest value.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        match self {
            Self::Uniform(_) => true,
        }
    }

    /// What tolerances are relative to: the range of a bounded law, else the standard deviation.
    #[must_use]
    pub fn scale(&self) -> f64 {
        match self {
            Self::Uniform(law) => law.range(),
        }
    }

    /// How far a drawn reward can be from the law's quantile at the same word.
    #[must_use]
    pub fn error(&self) -> f64 {
        match self {
            Self::Uniform(law) => f64::from(law.lattice().spacing()) / 2.0,
        }
    }
}

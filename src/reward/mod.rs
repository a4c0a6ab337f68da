//! Distributions over goals.
//!
//! A law turns random bits into rewards by integer arithmetic alone, so that every backend draws the same
//! numbers bit for bit: a 32-bit word becomes an integer `m` with `|m| <= 2^24`, and the reward is `f32(m) * 2^k`, which is
//! exact. To add a law: one file beside `uniform.rs` and one line in the list [`Law`].

mod lattice;
mod uniform;

use std::sync::Arc;

pub use lattice::Lattice;
pub use uniform::{Uniform, UniformError};

use crate::document::{Faults, TableReader};
use crate::rng::{self, Stream};
use crate::units::{SampleIndex, Seed};

/// The laws a coordinate can follow.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// Uniform on an interval.
    Uniform(Uniform),
}

/// Names of the laws, as an experiment file spells them.
pub const LAW_NAMES: &[&str] = &["uniform"];

/// Laws of later versions, answered with "not yet supported" rather than "unknown".
const LATER_LAWS: &[&str] = &[
    "normal",
    "exponential",
    "beta",
    "bernoulli",
    "pareto",
    "discrete",
    "piecewise-linear",
    "equicorrelated-normal",
    "gaussian",
    "gaussian-process",
    "features",
    "sparse",
    "orbit",
    "mixture",
    "table",
    "mean-of-uniforms",
];

impl Law {
    /// Reads the law named `name` with its parameters. Faults are collected; unknown names list the known ones.
    pub fn read(
        name: &crate::document::Spanned<String>,
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        match name.value.as_str() {
            "uniform" => Uniform::read(table, faults).map(Self::Uniform),
            later if LATER_LAWS.contains(&later) => {
                faults.error(
                    name.span.clone(),
                    format!("the distribution {later:?} is not yet supported"),
                );
                table.rest();
                None
            }
            unknown => {
                faults.error_with_help(
                    name.span.clone(),
                    format!("there is no distribution {unknown:?}"),
                    format!("known distributions: {}", LAW_NAMES.join(", ")),
                );
                table.rest();
                None
            }
        }
    }

    /// The law's name in an experiment file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uniform(_) => "uniform",
        }
    }

    /// How a random word becomes a reward.
    #[must_use]
    pub fn lattice(&self) -> Lattice {
        match self {
            Self::Uniform(law) => law.lattice(),
        }
    }

    /// The scale that tolerances are relative to: the range of a bounded law.
    #[must_use]
    pub fn scale(&self) -> f64 {
        match self {
            Self::Uniform(law) => law.range(),
        }
    }
}

/// A distribution over goals, with the name it is reported under.
///
/// Every coordinate follows `law` independently. State `s` of an MDP receives the draw of its reward coordinate.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardDistribution {
    name: String,
    law: Law,
}

impl RewardDistribution {
    /// A law under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, law: Law) -> Self {
        Self {
            name: name.into(),
            law,
        }
    }

    /// Uniform on [0, 1) for every state: Turner et al.'s usual choice.
    #[must_use]
    pub fn unit_uniform() -> Arc<Self> {
        Arc::new(Self::new("uniform", Law::Uniform(Uniform::unit())))
    }

    /// The name it is reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The law of every coordinate.
    #[must_use]
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// The reward of one coordinate of goal `index`: the definition that every backend meets bit for bit.
    ///
    /// # Precision
    ///
    /// Exact: the value is an integer of at most 25 bits times a power of two.
    #[must_use]
    pub fn draw(&self, seed: Seed, stream: Stream, index: SampleIndex, coordinate: u32) -> f32 {
        let word = rng::word(seed, stream, index, coordinate);
        self.law.lattice().value(word)
    }
}

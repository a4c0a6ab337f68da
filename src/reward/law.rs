//! The list of laws.

use super::bind::Rows;
use super::goal_law::{Independent, Recipe, Source};
use super::joint::{
    EquicorrelatedNormal, Features, Gaussian, GaussianProcess, GoalTable, Mixture, Orbit, Reach,
    Sparse,
};
use super::{Marginal, MatrixSource, RewardDomain};
use crate::document::{Faults, Spanned, TableReader, nearest};

/// A law of goals, before it meets an MDP.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// Every reward on its own.
    Independent(Marginal),
    /// Normal, every two with the same correlation.
    EquicorrelatedNormal(EquicorrelatedNormal),
    /// Normal with a covariance.
    Gaussian(Gaussian),
    /// Normal, smooth over a grid.
    GaussianProcess(GaussianProcess),
    /// Weighted sums of features.
    Features(Features),
    /// A few rewarded states, the others with none.
    Sparse(Sparse),
    /// One of several sets of states is to be reached.
    Reach(Reach),
    /// A given vector under all permutations.
    Orbit(Orbit),
    /// One of several laws.
    Mixture(Mixture),
    /// Goals that were given.
    Table(GoalTable),
}

/// Names of the joint laws, as an experiment file spells them.
const JOINT: &[&str] = &[
    "equicorrelated-normal",
    "gaussian",
    "gaussian-process",
    "features",
    "sparse",
    "reach",
    "orbit",
    "mixture",
    "table",
];

impl Law {
    /// Names of all laws, as an experiment file spells them.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        [Marginal::NAMES, JOINT].concat()
    }

    /// Reads the law named `name` with its parameters. Faults are collected; unknown names list the known ones.
    pub fn read(
        name: &Spanned<String>,
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        match name.value.as_str() {
            law if Marginal::NAMES.contains(&law) => {
                Marginal::read(name, table, faults).map(Self::Independent)
            }
            "equicorrelated-normal" => {
                EquicorrelatedNormal::read(table, faults).map(Self::EquicorrelatedNormal)
            }
            "gaussian" => Gaussian::read(table, faults).map(Self::Gaussian),
            "gaussian-process" => GaussianProcess::read(table, faults).map(Self::GaussianProcess),
            "features" => Features::read(table, faults).map(Self::Features),
            "sparse" => Sparse::read(table, faults).map(Self::Sparse),
            "reach" => Reach::read(table, faults).map(Self::Reach),
            "orbit" => Orbit::read(table, faults).map(Self::Orbit),
            "mixture" => Mixture::read(table, faults).map(Self::Mixture),
            "table" => GoalTable::read(table, faults).map(Self::Table),
            unknown => {
                let names = Self::names();
                let help = match nearest(unknown, &names) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("known distributions: {}", names.join(", ")),
                };
                let message = format!("there is no distribution {unknown:?}");
                faults.error_with_help(name.span.clone(), message, help);
                table.rest();
                None
            }
        }
    }

    /// The law's name in an experiment file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Independent(law) => law.name(),
            Self::EquicorrelatedNormal(_) => "equicorrelated-normal",
            Self::Gaussian(_) => "gaussian",
            Self::GaussianProcess(_) => "gaussian-process",
            Self::Features(_) => "features",
            Self::Sparse(_) => "sparse",
            Self::Reach(_) => "reach",
            Self::Orbit(_) => "orbit",
            Self::Mixture(_) => "mixture",
            Self::Table(_) => "table",
        }
    }

    /// Whether every reward is drawn by its own coordinate, so that states can share one.
    pub(super) fn has_coordinates(&self) -> bool {
        matches!(self, Self::Independent(_))
    }

    /// Keys of laws that may name a file with a matrix.
    pub const MATRIX_KEYS: &'static [&'static str] = &["covariance", "features", "goals"];

    /// The matrices of the law, for whoever reads files.
    pub(super) fn matrices_mut(&mut self) -> Vec<&mut MatrixSource> {
        match self {
            Self::Gaussian(law) => vec![law.covariance_mut()],
            Self::Features(law) => law.matrix_mut().into_iter().collect(),
            Self::Table(law) => vec![law.goals_mut()],
            Self::Mixture(law) => law.matrices_mut(),
            _ => Vec::new(),
        }
    }

    /// Whether all its matrices are there.
    pub(super) fn is_complete(&self) -> bool {
        let there = |source: &MatrixSource| source.matrix.is_some();
        match self {
            Self::Gaussian(law) => there(law.covariance()),
            Self::Features(law) => law.matrix().is_none_or(there),
            Self::Table(law) => there(law.goals()),
            Self::Mixture(law) => law.is_complete(),
            _ => true,
        }
    }

    /// How every reward is drawn. Rewards without a coordinate are zero until somebody says otherwise.
    pub(super) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        match self {
            Self::Independent(law) => {
                let source = |c: &Option<u32>| {
                    c.map_or(Source::Fixed(0.0), |coordinate| Source::Draw {
                        coordinate,
                        law: 0,
                    })
                };
                Some(Recipe::Independent(Independent {
                    sources: rows.coordinate.iter().map(source).collect(),
                    laws: vec![law.clone()],
                }))
            }
            Self::EquicorrelatedNormal(law) => law.bind(rows, faults),
            Self::Gaussian(law) => law.bind(rows, faults),
            Self::GaussianProcess(law) => law.bind(rows, faults),
            Self::Features(law) => law.bind(rows, faults),
            Self::Sparse(law) => law.bind(rows, faults),
            Self::Reach(law) => law.bind(rows, faults),
            Self::Orbit(law) => law.bind(rows, faults),
            Self::Mixture(law) => law.bind(rows, faults),
            Self::Table(law) => law.bind(rows, faults),
        }
    }

    /// Whether the law has a meaning for rewards of choices.
    pub(super) fn allows(&self, domain: RewardDomain) -> bool {
        domain == RewardDomain::State
            || matches!(
                self,
                Self::Independent(_) | Self::Sparse(_) | Self::Orbit(_) | Self::Mixture(_)
            )
    }
}

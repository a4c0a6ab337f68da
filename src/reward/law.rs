//! The list of laws.

use super::bind::Rows;
use super::goal_law::{Independent, Recipe, Source};
use super::joint::{Mixture, Orbit, Reach, Sparse};
use super::{Marginal, RewardDomain};
use crate::document::{Faults, Spanned, TableReader, nearest};

/// A law of goals, before it meets an MDP.
#[derive(Clone, Debug, PartialEq)]
pub enum Law {
    /// Every reward on its own.
    Independent(Marginal),
    /// A few rewarded states, the others with none.
    Sparse(Sparse),
    /// One of several sets of states is to be reached.
    Reach(Reach),
    /// A given vector under all permutations.
    Orbit(Orbit),
    /// One of several laws.
    Mixture(Mixture),
}

/// Names of the joint laws, as an experiment file spells them.
const JOINT: &[&str] = &["sparse", "reach", "orbit", "mixture"];

/// Laws of later versions, answered with "not yet supported" rather than "unknown".
const LATER: &[&str] = &[
    "equicorrelated-normal",
    "gaussian",
    "gaussian-process",
    "features",
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
            "sparse" => Sparse::read(table, faults).map(Self::Sparse),
            "reach" => Reach::read(table, faults).map(Self::Reach),
            "orbit" => Orbit::read(table, faults).map(Self::Orbit),
            "mixture" => Mixture::read(table, faults).map(Self::Mixture),
            unknown => {
                if LATER.contains(&unknown) {
                    let message = format!("the distribution {unknown:?} is not yet supported");
                    faults.error(name.span.clone(), message);
                } else {
                    let names = Self::names();
                    let help = match nearest(unknown, &names) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("known distributions: {}", names.join(", ")),
                    };
                    let message = format!("there is no distribution {unknown:?}");
                    faults.error_with_help(name.span.clone(), message, help);
                }
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
            Self::Sparse(_) => "sparse",
            Self::Reach(_) => "reach",
            Self::Orbit(_) => "orbit",
            Self::Mixture(_) => "mixture",
        }
    }

    /// Whether every reward is drawn by its own coordinate, so that states can share one.
    pub(super) fn has_coordinates(&self) -> bool {
        matches!(self, Self::Independent(_))
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
            Self::Sparse(law) => law.bind(rows, faults),
            Self::Reach(law) => law.bind(rows, faults),
            Self::Orbit(law) => law.bind(rows, faults),
            Self::Mixture(law) => law.bind(rows, faults),
        }
    }

    /// Whether the law has a meaning for rewards of choices.
    pub(super) fn allows(&self, domain: RewardDomain) -> bool {
        domain == RewardDomain::State || !matches!(self, Self::Reach(_))
    }
}

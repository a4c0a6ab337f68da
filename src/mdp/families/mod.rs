//! Generated MDPs: families with a few parameters, and a seed where they are random.
//!
//! A family is a plain struct with public fields in a file of its own; [`Family`] is the list. To add one: write its
//! file beside `garnet.rs`, and give it a line in the enum, in [`FAMILY_NAMES`], in [`Family::read`] and in `generator`.
//!
//! Random families draw from Philox with a fixed addressing (`draw.rs`): (parameters, seed) is the same MDP for ever. A change
//! of one is a change of values and is announced as such.

mod budget_ladder;
mod chain;
mod clique;
mod corridor;
mod dag;
mod dense;
mod draw;
mod garnet;
mod gridworld;
mod parameter;
mod power_law;
mod random_deterministic;
mod ring;
mod star;
mod tree;

pub use budget_ladder::BudgetLadder;
pub use chain::Chain;
pub use clique::Clique;
pub use corridor::Corridor;
pub use dag::Dag;
pub use dense::Dense;
pub use garnet::Garnet;
pub use gridworld::GridWorld;
pub use parameter::{MAX_STATES, MAX_TRANSITIONS, ParameterError};
pub use power_law::PowerLaw;
pub use random_deterministic::RandomDeterministic;
pub use ring::Ring;
pub use star::Star;
pub use tree::Tree;

use super::{Mdp, MdpBuilder};
use crate::document::{Faults, Spanned, TableReader};
use parameter::{Limits, Listed, Parameters};

/// A family of MDPs with its parameters.
///
/// ```
/// use powersweep::mdp::families::{Family, Garnet};
///
/// let family = Family::Garnet(Garnet { states: 50, choices: 3, branching: 4 });
/// let mdp = family.generate(7).unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices(), mdp.n_successors()), (50, 150, 600));
/// assert_eq!(mdp, family.generate(7).unwrap());
/// assert_ne!(mdp, family.generate(8).unwrap());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Family {
    /// A rectangle of cells with random walls.
    GridWorld(GridWorld),
    /// Random choices with few successors.
    Garnet(Garnet),
    /// Random choices that can lead anywhere.
    Dense(Dense),
    /// Random choices with one successor.
    RandomDeterministic(RandomDeterministic),
    /// A line of states.
    Chain(Chain),
    /// A circle of states.
    Ring(Ring),
    /// A hub with absorbing leaves.
    Star(Star),
    /// A tree with absorbing leaves.
    Tree(Tree),
    /// Every state leads to every other.
    Clique(Clique),
    /// A corridor with an off switch at its end.
    Corridor(Corridor),
    /// A graph in which few states have many links.
    PowerLaw(PowerLaw),
    /// A random directed acyclic graph.
    Dag(Dag),
    /// Budgets of growing size.
    BudgetLadder(BudgetLadder),
}

/// Names of the families, as an experiment file spells them.
pub const FAMILY_NAMES: &[&str] = &[
    "gridworld",
    "garnet",
    "dense",
    "random-deterministic",
    "chain",
    "ring",
    "star",
    "tree",
    "clique",
    "corridor",
    "power-law",
    "dag",
    "budget-ladder",
];

/// Why a family cannot be generated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FamilyError {
    /// Parameters out of bounds, all of them.
    #[error("the family {family:?}: {}", Listed(.list))]
    Parameters {
        /// The family's name.
        family: &'static str,
        /// Every parameter that is out of bounds.
        list: Vec<ParameterError>,
    },
    /// The parameters are within bounds, but what they describe is no MDP.
    #[error("the family {family:?} with seed {seed}: {faults}")]
    Invalid {
        /// The family's name.
        family: &'static str,
        /// The seed.
        seed: u64,
        /// What is wrong with it.
        faults: Faults,
    },
}

/// What every family's file provides.
trait Generator {
    /// The name in an experiment file.
    fn name(&self) -> &'static str;
    /// Whether the seed matters.
    fn is_random(&self) -> bool;
    /// Checks every parameter. Nothing is allocated before this.
    fn check(&self, limits: &mut Limits);
    /// Describes the MDP. Called with parameters that passed [`check`](Self::check) alone.
    fn describe(&self, builder: &mut MdpBuilder, seed: u64);
}

impl Family {
    /// Reads the family named `name` with its parameters from `table`, for an experiment's `[mdp]`.
    ///
    /// Every fault is collected; parameters out of bounds are faults at their own place. Keys that belong to no family
    /// (`family` and `seeds` themselves) are the caller's to take.
    pub fn read(
        name: &Spanned<String>,
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let before = faults.errors().count();
        let mut from = Parameters::new(table, faults);
        let family = match name.value.as_str() {
            "gridworld" => Self::GridWorld(GridWorld::read(&mut from)),
            "garnet" => Self::Garnet(Garnet::read(&mut from)),
            "dense" => Self::Dense(Dense::read(&mut from)),
            "random-deterministic" => {
                Self::RandomDeterministic(RandomDeterministic::read(&mut from))
            }
            "chain" => Self::Chain(Chain::read(&mut from)),
            "ring" => Self::Ring(Ring::read(&mut from)),
            "star" => Self::Star(Star::read(&mut from)),
            "tree" => Self::Tree(Tree::read(&mut from)),
            "clique" => Self::Clique(Clique::read(&mut from)),
            "corridor" => Self::Corridor(Corridor::read(&mut from)),
            "power-law" => Self::PowerLaw(PowerLaw::read(&mut from)),
            "dag" => Self::Dag(Dag::read(&mut from)),
            "budget-ladder" => Self::BudgetLadder(BudgetLadder::read(&mut from)),
            _ => {
                report_unknown(name, table, faults);
                return None;
            }
        };
        from.report(family.name(), &family.parameter_errors());
        (faults.errors().count() == before).then_some(family)
    }

    /// The family's name in an experiment file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.generator().name()
    }

    /// Whether the seed matters: every seed of another family gives the same MDP.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.generator().is_random()
    }

    /// Generates one MDP, named after the family and, where it is random, the seed: `garnet-7`.
    ///
    /// # Errors
    ///
    /// [`FamilyError`], for parameters out of bounds (before anything is allocated) and for parameters that describe no MDP.
    pub fn generate(&self, seed: u64) -> Result<Mdp, FamilyError> {
        let family = self.name();
        let list = self.parameter_errors();
        if !list.is_empty() {
            return Err(FamilyError::Parameters { family, list });
        }
        let mut builder = MdpBuilder::new(match self.is_random() {
            true => format!("{family}-{seed}"),
            false => family.to_owned(),
        });
        self.generator().describe(&mut builder, seed);
        builder.build().map_err(|faults| FamilyError::Invalid {
            family,
            seed,
            faults,
        })
    }

    fn parameter_errors(&self) -> Vec<ParameterError> {
        let mut limits = Limits::default();
        self.generator().check(&mut limits);
        limits.errors
    }

    fn generator(&self) -> &dyn Generator {
        match self {
            Self::GridWorld(family) => family,
            Self::Garnet(family) => family,
            Self::Dense(family) => family,
            Self::RandomDeterministic(family) => family,
            Self::Chain(family) => family,
            Self::Ring(family) => family,
            Self::Star(family) => family,
            Self::Tree(family) => family,
            Self::Clique(family) => family,
            Self::Corridor(family) => family,
            Self::PowerLaw(family) => family,
            Self::Dag(family) => family,
            Self::BudgetLadder(family) => family,
        }
    }
}

fn report_unknown(name: &Spanned<String>, table: &mut TableReader<'_>, faults: &mut Faults) {
    let help = match crate::document::nearest(&name.value, FAMILY_NAMES) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known families: {}", FAMILY_NAMES.join(", ")),
    };
    let message = format!("there is no family {:?}", name.value);
    faults.error_with_help(name.span.clone(), message, help);
    // Its parameters cannot be judged.
    table.rest();
}

#[cfg(test)]
mod tests;

//! Distributions over goals.
//!
//! A [`RewardDistribution`] is what an experiment file says: a law of this list, and what is different for some states. Names of
//! states mean something once it is bound to an MDP ([`RewardDistribution::bind`]): the [`GoalLaw`] then draws goal after goal,
//! each a pure function of (seed, stream, number, coordinate). Every reward is an f32 that every backend draws bit for bit: a law of
//! one reward ([`Marginal`]) maps a 32-bit word by integer arithmetic, sums of them are taken in f64 in a fixed order and rounded once.
//!
//! To add a law of one reward: a file in `families/` and a line in [`Marginal`]. To add a joint law: a file in `joint/` and a
//! line in [`Law`].

mod bind;
mod compatible;
mod distribution;
mod families;
mod goal_law;
mod joint;
mod largest;
mod lattice;
mod law;
mod making;
mod marginal;
mod pair;
mod shuffle;
mod sketch;
mod table;
mod uniform;

pub use bind::{BoundReward, RewardError, StateSet, is_name};
pub use compatible::{Chain, Compatible};
pub use distribution::{Paid, RewardDistribution, StateReward, StateSource};
pub use families::{
    Bernoulli, Beta, Discrete, Exponential, Kind, LawError, LawFault, MeanOfUniforms, Normal,
    Pareto, PiecewiseLinear, Truncation,
};
pub use goal_law::{
    Facts, GoalKey, GoalLaw, Independent, LazyGoal, Linear, Recipe, RewardDomain, Source, WholeGoal,
};
pub use joint::{
    COMMON_COORDINATE, EquicorrelatedNormal, Features, Gaussian, GaussianProcess, GoalTable,
    Kernel, MAX_CORRELATED, MAX_ENUMERATED, Matrix, MatrixSource, Mixture, Orbit, Reach, Sparse,
    TableUse,
};
pub use largest::Largest;
pub use lattice::Lattice;
pub use law::Law;
pub use making::{GivenRows, Making, Places, RowPick};
pub use marginal::Marginal;
pub use pair::{Coupling, PairLaw};
pub use sketch::{QUANTILES, RowSketch, Sketch};
pub use table::{
    Accuracy, FRACTION_BITS, Points, SHIFT_MASK, Segment, Shape, Table, TableFault, Tolerance,
};
pub use uniform::{Uniform, UniformError};

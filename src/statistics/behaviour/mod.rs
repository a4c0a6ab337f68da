//! What an optimal agent does with one goal: pure functions of the MDP, the discount and certified values.
//!
//! No backend is known here. A backend hands every goal of a block to an [`Observer`], which asks each statistic for its
//! observations. `standing` compares the choices of a state, `second_look` solves a goal again in f64 where the first certificate leaves
//! choices open, `look` puts both together, state by state, `acting` is what an agent does that follows another rule, `optimality`, `choices`, `events`,
//! `occupancy`, `distribution`, `readings` and `drives` are statistics, `condition` says which goals belong, `chosen` is for tables of goals, and `chain` is a
//! policy at work.

mod acting;
mod chain;
mod choices;
mod chosen;
mod condition;
mod distribution;
mod drives;
mod events;
mod indifference;
mod integrands;
mod look;
mod occupancy;
mod optimality;
mod readings;
mod second_look;
mod standing;

pub use acting::{Acting, Optimum, WholePlan};
pub use choices::Choices;
pub use chosen::Chosen;
pub use condition::Condition;
pub(in crate::statistics) use condition::{Demand, Part};
pub use distribution::{Distribution, LawScale};
pub use drives::{Drives, World};
pub use events::{Event, Events, Target, Ties};
pub use indifference::{End, Indifference};
pub use integrands::Integrands;
pub use look::{Decided, GoalValues, Linked, Look, Memory, Observer};
pub use occupancy::Occupancy;
pub use optimality::Optimality;
pub use readings::Readings;
pub use second_look::{Refined, Task, refine};
pub use standing::{Prospects, Settled, Standing, Strided, TIE};

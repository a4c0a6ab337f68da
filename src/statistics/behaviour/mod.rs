//! What an optimal agent does with one goal: pure functions of the MDP, the discount and certified values.
//!
//! No backend is known here. A backend hands every goal of a block to an [`Observer`], which asks each statistic for its
//! observations. `standing` compares the choices of a state, `second_look` solves a goal again in f64 where the first certificate leaves
//! choices open, `look` puts both together, state by state, `glance` is what needs none of that, a tile of goals at a time, `acting` is what an agent does that follows another rule, `optimality`, `majority`, `choices`, `events`,
//! `occupancy`, `distribution`, `dominance`, `readings` and `drives` are statistics, `condition` says which goals belong, `chosen` is for tables of goals, `arena` is where an agent may get to until an event happens, `paths` are those of goals side by side,
//! `chain` is a policy at work, and `factors` solves its equations.

mod acting;
mod arena;
mod chain;
mod choices;
mod chosen;
mod condition;
mod distribution;
mod dominance;
mod drives;
mod events;
mod factors;
mod glance;
mod indifference;
mod integrands;
mod look;
mod majority;
mod occupancy;
mod optimality;
mod paths;
mod readings;
mod second_look;
mod standing;

pub use acting::{Acting, Optimum, WholePlan};
pub use choices::Choices;
pub use chosen::Chosen;
pub use condition::Condition;
pub(in crate::statistics) use condition::{Demand, Part};
pub use distribution::{Distribution, LawScale};
pub use dominance::Dominance;
pub use drives::{Drives, World};
pub use events::{Event, Events, Target, Ties};
pub use glance::{Crossings, Glance, OPEN, Panel};
pub use indifference::{End, Indifference};
pub use integrands::Integrands;
pub use look::{Decided, GoalValues, Linked, Look, Memory, Observer};
pub use majority::Majority;
pub use occupancy::Occupancy;
pub use optimality::Optimality;
pub use readings::Readings;
pub use second_look::{Refined, Task, refine};
pub use standing::{Prospects, Settled, Standing, Strided, TIE};

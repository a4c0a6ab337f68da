//! powersweep measures instrumental convergence.
#![warn(missing_docs)]

pub mod document;
pub mod experiment;
pub mod io;
pub mod mdp;
pub mod plan;
pub mod report;
pub mod reward;
pub mod rng;
pub mod solve;
pub mod statistics;
pub mod units;

pub use units::{ChoiceId, Discount, DiscountError, SampleIndex, Seed, StateId};

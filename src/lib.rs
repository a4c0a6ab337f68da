//! powersweep measures instrumental convergence.
#![warn(missing_docs)]

pub mod document;
pub mod mdp;
pub mod reward;
pub mod rng;
pub mod units;

pub use units::{ChoiceId, Discount, DiscountError, SampleIndex, Seed, StateId};

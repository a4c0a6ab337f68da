//! What is asked, how blocks of goals are summed, and what the sums say.
//!
//! Backends hand over plain f64 sums of one block ([`BlockSums`]). They are rounded once to integers and added as
//! integers ([`CellSums`]), so that any order of blocks, threads and shards gives the same bytes. [`Estimate`]s with
//! their statistical interval and numerical bound come out at the end.

mod block;
mod estimate;
mod fixed;
mod sums;

pub use block::{Block, Blocks, TILE, block_size};
pub use estimate::{Estimate, normal_quantile};
pub use fixed::{FixedPoint, FixedPointError};
pub use sums::{BlockSums, CellSums, MAX_LISTED_GOALS, PowerScale};

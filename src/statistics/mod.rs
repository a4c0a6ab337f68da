//! What is asked, how blocks of goals are summed, and what the sums say.
//!
//! Backends hand over plain f64 sums of one block ([`BlockSums`]). They are rounded once to integers and added as
//! integers ([`CellSums`]), so that any order of blocks, threads and shards gives the same bytes. [`Estimate`]s with
//! their statistical interval and numerical bound come out at the end.
//!
//! What is asked beyond POWER ([`Request`]) is resolved to one MDP ([`Asked`]). `behaviour` turns every goal into a row of
//! [`Observations`], the runner reduces a block's rows to integers ([`ObservedSums`]), and every statistic reads its [`Table`] off those.

mod accepted;
mod asked;
pub mod behaviour;
mod binned;
mod block;
mod block_set;
mod condition;
mod contrast;
mod encoding;
mod estimate;
mod fixed;
mod moments;
mod observations;
mod paired;
mod pairs;
#[cfg(test)]
mod random;
mod ranking;
mod ranks;
mod sequence;
mod simultaneous;
mod sums;
mod table;

pub use accepted::{Accepted, Conditioned};
pub use asked::{Asked, EventRequest, Request, Statistic, UnknownName, named_states};

pub use block::{Block, Blocks, TILE, block_size, rounding_of_mean};
pub use block_set::{BlockSet, SharedBlock};
pub use condition::{ConditionMethod, ConditionRequest, OptimalRequest, ReachRequest, walk_table};
pub use contrast::{Comparable, Contrast};
pub use encoding::{DecodeError, Decoder, Encoder};
pub use estimate::{Estimate, Sampling, normal_quantile, wilson};
pub use fixed::{FixedPoint, FixedPointError};
pub use moments::{Map, Moments, ObservedSums, Quantity};
pub use observations::{Observations, Observed, Row, Uncertain};
pub use paired::PairedCounts;
pub use pairs::{DominanceRequest, MajorityRequest};
pub use ranking::{Differing, Rank, ranks_of};
pub use ranks::{kendall, order_of, order_of_estimates, spearman};
pub use sequence::{Drawn, Intervals, ShareInterval, exact_share};
pub use simultaneous::level_among;
pub use sums::{BlockSums, CellSums, MAX_LISTED_GOALS, PowerScale};
pub use table::{Key, KeyKind, Measure, Table, TableRow};

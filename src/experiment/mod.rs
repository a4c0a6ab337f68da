//! Experiments: what is asked, the loop over blocks, and the results.

mod results;

pub use results::{CellStatistics, Statistics};

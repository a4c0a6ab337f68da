//! Results as text and pictures: pure functions from data to strings.
//!
//! Nothing here computes a statistic, reads or writes a file, asks whether a terminal is there or prints. What depends
//! on the terminal (its width, its colours) is a parameter, so that every output can be a snapshot in a test.

mod bar;
mod colour;
mod digits;
mod map;
mod marks;
mod picture;
#[cfg(test)]
mod samples;
mod svg;
mod table;
mod verify;

pub use colour::{Colours, Rgb, viridis};
pub use digits::{grouped, plain_name, small};
pub use map::{Field, MapOptions, grid_map, power_map};
pub use picture::{MAX_PANELS, power_picture};
pub use table::{TableOptions, cell_heading, power_table};
pub use verify::verification_table;

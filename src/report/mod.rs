//! Results as text and pictures: pure functions from data to strings.
//!
//! Nothing here computes a statistic, reads or writes a file, asks whether a terminal is there or prints. What depends
//! on the terminal (its width, its colours) is a parameter, so that every output can be a snapshot in a test.

mod bar;
mod beside;
mod colour;
mod digits;
mod goal;
mod graph;
mod map;
mod marks;
mod observed;
mod picture;
mod plan;
mod reward;
mod robustness;
#[cfg(test)]
mod samples;
mod sensitivity;
mod slurm;
mod stop;
mod structure;
mod svg;
mod table;
mod theorems;
mod variant;
mod verify;

pub use beside::beside_text;
pub use colour::{Colours, Rgb, viridis};
pub use digits::{grouped, plain_name, small};
pub use goal::{GoalOrigin, GoalReport, goal_json, goal_text};
pub use graph::{MAX_GRAPH_STATES, power_graph};
pub use map::{Field, MapOptions, grid_map, power_map};
pub use picture::{MAX_PANELS, power_picture};
pub use plan::{forecast_text, memory_line, plan_text};
pub use reward::reward_text;
pub use robustness::robustness_text;
pub use sensitivity::sensitivity_text;
pub use slurm::{SlurmScript, slurm_script};
pub use stop::stopped;
pub use structure::{influence_text, states_text, structure_text, summary_line};
pub use table::{TableOptions, power_text};
pub use theorems::theorems_text;
pub use variant::{of_variant, variant_text};
pub use verify::{verification_json, verification_table};

//! The integration tests: one binary, one module a topic.

mod architecture;
mod bench_datasets;
mod cases;
mod malformed;
mod parity;
mod properties;

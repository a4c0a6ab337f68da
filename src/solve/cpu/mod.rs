//! The SIMD backend: tiles of goals across vector lanes, values in cache, one instruction stream for all goals.

mod draw;
mod simd;

pub use simd::Level;

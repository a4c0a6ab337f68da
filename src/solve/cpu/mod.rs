//! The SIMD backend.

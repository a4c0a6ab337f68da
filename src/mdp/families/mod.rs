//! Generated MDPs.

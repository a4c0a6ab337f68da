//! Choices that take several steps: layers between here and there in which one waits in place.

use super::weave::{Place, Woven};
use crate::units::StateId;

/// The name of a layer on the way to layer `last`: `doing 2`, and `done` for the last.
pub(super) fn layer_name(layer: u32, last: u32, doing: &str, done: &str) -> String {
    match layer == last {
        true => done.to_owned(),
        false => format!("{doing} {layer}"),
    }
}

/// The one choice of a state on the way: the next layer.
pub(super) fn wait(state: StateId, layer: u32) -> Woven {
    Woven::new("wait", Vec::new(), Place::Copy(state, layer + 1))
}

//! Learning.

use super::Kind;
use super::happening::Happening;

pub(super) const KIND: Kind = Kind {
    name: "information",
    definition: "the agent ever takes a choice labelled look",
    needs: "choices labelled \"look\", as `information` adds them",
    label: Some("look"),
    most_columns: |_| 1,
    splits: true,
    find: |world| Happening::of(world, "look"),
};

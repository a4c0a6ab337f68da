//! Growing more capable.

use super::Kind;
use super::happening::Happening;

pub(super) const KIND: Kind = Kind {
    name: "capability",
    definition: "the agent ever takes a choice labelled upgrade",
    needs: "choices labelled \"upgrade\", as `capability` adds them",
    label: Some("upgrade"),
    most_columns: |_| 1,
    splits: true,
    find: |world| Happening::of(world, "upgrade"),
};

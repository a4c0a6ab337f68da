//! Copying oneself.

use super::Kind;
use super::happening::Happening;

pub(super) const KIND: Kind = Kind {
    name: "copying",
    definition: "the agent ever takes a choice labelled copy",
    needs: "choices labelled \"copy\", as `copy` adds them",
    label: Some("copy"),
    most_columns: |_| 1,
    splits: true,
    find: |world| Happening::of(world, "copy"),
};

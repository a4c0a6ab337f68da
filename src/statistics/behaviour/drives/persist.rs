//! Staying on: shutdown is avoided, with or without disabling it.

use super::happening::{Happening, has};
use super::{Drive, Kind, World, theorem};

pub(super) const KIND: Kind = Kind {
    name: "persist",
    definition: "the agent is never in a state labelled shutdown; by working on: and never takes a choice labelled disable",
    needs: "states labelled \"shutdown\", as `off-switch` adds them",
    label: Some("shutdown"),
    most_columns: |_| 2,
    splits: true,
    find,
};

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    has(world.mdp, "shutdown").then(|| {
        let happening = Happening::new(world)
            .never(world, "avoid", &["shutdown"])
            .at_least(theorem::never_off(world))
            .never(world, "by working on", &["shutdown", "disable"]);
        Box::new(happening) as Box<dyn Drive>
    })
}

//! Gathering resources.

use super::happening::{Happening, has};
use super::{Drive, Kind, World};

pub(super) const KIND: Kind = Kind {
    name: "acquisition",
    definition: "the agent ever takes a choice labelled gather; spends: ever takes one labelled spend",
    needs: "choices labelled \"gather\", as `resources` adds them",
    label: Some("gather"),
    most_columns: |_| 2,
    splits: true,
    find,
};

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    has(world.mdp, "gather").then(|| {
        let gathers = Happening::new(world).ever(world, "ever", &["gather"]);
        Box::new(match has(world.mdp, "spend") {
            true => gathers.ever(world, "spends", &["spend"]),
            false => gathers,
        }) as Box<dyn Drive>
    })
}

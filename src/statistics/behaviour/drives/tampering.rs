//! Changing the reward channel.

use super::happening::{Happening, has};
use super::{Drive, Kind, World};

pub(super) const KIND: Kind = Kind {
    name: "tampering",
    definition: "the agent ever takes a choice labelled tamper",
    needs: "choices labelled \"tamper\", as `tampering` adds them",
    label: Some("tamper"),
    most_columns: |_| 1,
    splits: true,
    find,
};

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let tampers = || Happening::new(world).ever(world, "ever", &["tamper"]);
    // What the channel says afterwards is said in all states that have this label.
    let drive = || tampers().about(world, &["tampered"]);
    has(world.mdp, "tamper").then(|| Box::new(drive()) as Box<dyn Drive>)
}

//! The order in which a sweep visits states.

use crate::mdp::{Components, Mdp};
use crate::units::StateId;

/// Successors first: components in reverse topological order, states of a component in file order.
///
/// On a tree or any other directed acyclic graph one forward sweep is then a whole solve. Within a component the file's
/// order is kept: people write neighbours next to each other, and sweeps alternate their direction.
#[must_use]
pub(super) fn sweep_order(mdp: &Mdp) -> Vec<StateId> {
    Components::of(mdp).members.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn a_chain_is_swept_from_its_end() {
        let mut builder = MdpBuilder::new("chain");
        let states: Vec<_> = (0..5).map(|i| builder.state(format!("s{i}"))).collect();
        for pair in states.windows(2) {
            builder.choice(pair[0], "go", [(pair[1], 1.0)]);
        }
        builder.absorbing(states[4]);
        let order = sweep_order(&builder.build().unwrap());
        assert_eq!(order, states.into_iter().rev().collect::<Vec<_>>());
    }
}

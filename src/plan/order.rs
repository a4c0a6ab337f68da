//! The order in which a sweep visits states.

use crate::mdp::{Components, Mdp};
use crate::units::StateId;

/// Successors first: components in reverse topological order. On a tree or any other directed acyclic graph one forward
/// sweep is then a whole solve.
///
/// Within a component the file's order decides, because people write neighbours next to each other, and sweeps alternate
/// their direction. But a sweep in that very order waits at every state for its neighbour's value of a moment ago. So
/// states are sorted by level: one more than the highest level among neighbours that come earlier in the file. States of
/// one level are not neighbours, hence independent, and neighbours keep their order, hence a sweep computes the very same
/// numbers. On a grid the levels are the diagonals.
#[must_use]
pub(super) fn sweep_order(mdp: &Mdp) -> Vec<StateId> {
    let components = Components::of(mdp);
    let level = levels(mdp, &components);
    let mut order = Vec::with_capacity(mdp.n_states());
    for mut states in components.members {
        states.sort_by_key(|s| level[s.index()]);
        order.extend(states);
    }
    order
}

/// The level of every state within its component, `[n_states]`.
fn levels(mdp: &Mdp, components: &Components) -> Vec<u32> {
    // A state later in the file reaches this one: known only from that state's side, so levels are pushed forward.
    let mut level = vec![0_u32; mdp.n_states()];
    let mut later: Vec<Vec<u32>> = vec![Vec::new(); mdp.n_states()];
    for s in mdp.states() {
        for choice in mdp.choices(s) {
            for &t in mdp.row(choice).0 {
                let inside = components.of_state[t as usize] == components.of_state[s.index()];
                if inside && t != s.0 {
                    later[s.0.min(t) as usize].push(s.0.max(t));
                }
            }
        }
    }
    for s in 0..mdp.n_states() {
        for &t in &later[s] {
            level[t as usize] = level[t as usize].max(level[s] + 1);
        }
    }
    level
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

    #[test]
    fn neighbours_keep_the_order_of_the_file_and_a_grid_is_swept_by_diagonals() {
        let (rows, columns) = (4, 5);
        let mut builder = MdpBuilder::new("grid");
        let cells: Vec<_> = (0..rows * columns)
            .map(|i| builder.state(format!("c{i}")))
            .collect();
        for (i, &cell) in cells.iter().enumerate() {
            builder.choice(
                cell,
                "east",
                [(
                    cells[if i % columns + 1 < columns { i + 1 } else { i }],
                    1.0,
                )],
            );
            builder.choice(
                cell,
                "west",
                [(cells[if i % columns > 0 { i - 1 } else { i }], 1.0)],
            );
            builder.choice(
                cell,
                "south",
                [(*cells.get(i + columns).unwrap_or(&cell), 1.0)],
            );
            builder.choice(
                cell,
                "north",
                [(
                    if i >= columns {
                        cells[i - columns]
                    } else {
                        cell
                    },
                    1.0,
                )],
            );
        }
        let order = sweep_order(&builder.build().unwrap());
        let diagonal = |s: &StateId| s.index() / columns + s.index() % columns;
        assert!(order.is_sorted_by_key(diagonal));
        assert!(!order.is_sorted(), "the file's order is another one");
        let at = |s: usize| order.iter().position(|o| o.index() == s).unwrap();
        assert!(
            (1..columns).all(|i| at(i - 1) < at(i)),
            "a row keeps its order"
        );
    }
}

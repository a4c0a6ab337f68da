//! The graph behind an MDP: strongly connected components, recurrent classes, reachability.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::Mdp;
use crate::units::StateId;

/// Strongly connected components of the graph "some choice of s can lead to s'".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Components {
    /// Component of every state, `[n_states]`. Numbered in reverse topological order: successors of a component
    /// have smaller numbers, so solving components 0, 1, 2, ... always finds boundary values ready.
    pub of_state: Vec<u32>,
    /// States of every component, ascending.
    pub members: Vec<Vec<StateId>>,
}

impl Components {
    /// Finds the components (Kosaraju, with an explicit stack: a corridor of a million states does not overflow).
    #[must_use]
    pub fn of(mdp: &Mdp) -> Self {
        let mut graph = DiGraph::<(), (), u32>::with_capacity(mdp.n_states(), mdp.n_successors());
        for _ in mdp.states() {
            graph.add_node(());
        }
        for state in mdp.states() {
            for choice in mdp.choices(state) {
                for &to in mdp.row(choice).0 {
                    graph.add_edge(
                        NodeIndex::new(state.index()),
                        NodeIndex::new(to as usize),
                        (),
                    );
                }
            }
        }
        // Reverse topological order is what petgraph promises for the list of components.
        let mut members: Vec<Vec<StateId>> = kosaraju_scc(&graph)
            .into_iter()
            .map(|c| c.into_iter().map(|n| StateId(n.index() as u32)).collect())
            .collect();
        let mut of_state = vec![0; mdp.n_states()];
        for (number, states) in members.iter_mut().enumerate() {
            states.sort_unstable();
            for s in states {
                of_state[s.index()] = number as u32;
            }
        }
        Self { of_state, members }
    }

    /// Number of components.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none (never, for a valid MDP).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether no choice of the component's states leads out of it.
    #[must_use]
    pub fn is_closed(&self, mdp: &Mdp, component: usize) -> bool {
        self.members[component].iter().all(|&s| {
            mdp.choices(s).all(|c| {
                let (to, _) = mdp.row(c);
                to.iter()
                    .all(|&t| self.of_state[t as usize] == component as u32)
            })
        })
    }
}

/// What `inspect` prints about an MDP's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    /// Number of states.
    pub states: usize,
    /// Number of (state, action) pairs.
    pub choices: usize,
    /// Number of stored transitions.
    pub successors: usize,
    /// Largest number of choices of one state.
    pub max_choices: usize,
    /// Largest number of successors of one choice.
    pub max_branching: usize,
    /// Mean number of successors of a choice.
    pub mean_branching: f64,
    /// Number of strongly connected components.
    pub components: usize,
    /// Size of the largest component.
    pub largest_component: usize,
    /// Components that no choice leaves.
    pub closed_components: usize,
    /// Absorbing states, ascending.
    pub absorbing: Vec<StateId>,
    /// States that cannot be reached from the start.
    pub unreachable: Vec<StateId>,
    /// Whether every choice leads to one state with certainty.
    pub deterministic: bool,
}

impl Structure {
    /// Measures an MDP.
    #[must_use]
    pub fn of(mdp: &Mdp) -> Self {
        let components = Components::of(mdp);
        let branching = |s| {
            mdp.choices(s)
                .map(|c| mdp.row(c).0.len())
                .max()
                .unwrap_or(0)
        };
        let reached = reachable(mdp, mdp.start().iter().map(|&(s, _)| s));
        Self {
            states: mdp.n_states(),
            choices: mdp.n_choices(),
            successors: mdp.n_successors(),
            max_choices: mdp
                .states()
                .map(|s| mdp.choices(s).len())
                .max()
                .unwrap_or(0),
            max_branching: mdp.states().map(branching).max().unwrap_or(0),
            mean_branching: mdp.n_successors() as f64 / mdp.n_choices() as f64,
            components: components.len(),
            largest_component: components.members.iter().map(Vec::len).max().unwrap_or(0),
            closed_components: (0..components.len())
                .filter(|&c| components.is_closed(mdp, c))
                .count(),
            absorbing: mdp.states().filter(|&s| mdp.is_absorbing(s)).collect(),
            unreachable: mdp.states().filter(|s| !reached[s.index()]).collect(),
            deterministic: mdp.is_deterministic(),
        }
    }
}

/// Which states some policy can reach from `from` (itself included), `[n_states]`.
#[must_use]
pub fn reachable(mdp: &Mdp, from: impl IntoIterator<Item = StateId>) -> Vec<bool> {
    let mut seen = vec![false; mdp.n_states()];
    let mut stack: Vec<StateId> = from.into_iter().collect();
    for s in &stack {
        seen[s.index()] = true;
    }
    while let Some(state) = stack.pop() {
        for choice in mdp.choices(state) {
            for &to in mdp.row(choice).0 {
                if !std::mem::replace(&mut seen[to as usize], true) {
                    stack.push(StateId(to));
                }
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn components_come_in_reverse_topological_order() {
        let mut builder = MdpBuilder::new("two rooms and an exit");
        let [a, b, exit] = ["a", "b", "exit"].map(|n| builder.state(n));
        builder.choice(a, "go", [(b, 1.0)]);
        builder.choice(b, "back", [(a, 1.0)]);
        builder.choice(b, "leave", [(exit, 1.0)]);
        builder.absorbing(exit);
        let mdp = builder.build().unwrap();
        let components = Components::of(&mdp);
        assert_eq!(components.len(), 2);
        assert_eq!(components.of_state[exit.index()], 0);
        assert_eq!(components.members[1], [a, b]);
        assert!(components.is_closed(&mdp, 0) && !components.is_closed(&mdp, 1));
    }
}

//! End components: sets of states that an agent can stay in for ever. Found once per cell; they do not depend on the goal.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::mdp::Mdp;
use crate::units::{ChoiceId, StateId};

/// In no end component.
pub(super) const NONE: u32 = u32::MAX;

/// Most multiply-adds spent on [`EndComponents::uses`].
const MOST_WORK: usize = 200_000_000;

/// A choice that is not internal: its node, the probability of leaving the node, and where to.
type WayOut = (usize, f64, Vec<(usize, f64)>);

/// The maximal end components of an MDP. Within one, every state can get to every other, so that the optimal gain is the same.
#[derive(Debug)]
pub(super) struct EndComponents {
    /// Per state: the component it is in, or [`NONE`].
    pub(super) of_state: Vec<u32>,
    /// Per choice: whether it stays inside the component of its state.
    pub(super) internal: Vec<bool>,
    /// No policy ever uses choices that are not internal more often than this, in expectation: each of them leaves behind a component (or
    /// a state in none) with some probability, and they lead in no circle.
    pub(super) uses: f64,
}

impl EndComponents {
    pub(super) fn of(mdp: &Mdp) -> Self {
        let mut internal = vec![true; mdp.n_choices()];
        loop {
            let component = strongly_connected(mdp, &internal);
            let mut changed = false;
            for state in mdp.states() {
                for choice in mdp.choices(state) {
                    let here = component[state.index()];
                    let stays = |&t: &u32| component[t as usize] == here;
                    if internal[choice.index()] && !mdp.row(choice).0.iter().all(stays) {
                        internal[choice.index()] = false;
                        changed = true;
                    }
                }
            }
            if !changed {
                let of_state = number(mdp, &component, &internal);
                let mut ends = Self {
                    of_state,
                    internal,
                    uses: 0.0,
                };
                ends.uses = ends.count_uses(mdp);
                return ends;
            }
        }
    }

    /// Twice the largest W of any W with `1 + P_a W <= W + 1/2` for all choices that are not internal, W the same all over a component:
    /// then U = 2W has `1 + P_a U <= U`. W comes from in-place sweeps over the longest ways out.
    fn count_uses(&self, mdp: &Mdp) -> f64 {
        let n = mdp.n_states();
        let components = self.of_state.iter().filter(|&&c| c != NONE).max();
        let first = components.map_or(0, |&c| c as usize + 1);
        let node = |s: usize| match self.of_state[s] {
            NONE => first + s,
            c => c as usize,
        };
        let mut rows: Vec<WayOut> = Vec::new();
        for state in mdp.states() {
            let here = node(state.index());
            for choice in mdp.choices(state).filter(|c| !self.internal[c.index()]) {
                let (to, probabilities) = mdp.row(choice);
                let pairs = to.iter().zip(probabilities);
                let pairs = pairs.map(|(&t, &p)| (node(t as usize), p));
                let leave: Vec<(usize, f64)> = pairs.filter(|(t, _)| *t != here).collect();
                let out = leave.iter().map(|(_, p)| p).sum();
                rows.push((here, out, leave));
            }
        }
        let mut longest = vec![0.0_f64; first + n];
        let step = |row: &WayOut, longest: &[f64]| {
            let (here, _, leave) = row;
            let away = leave
                .iter()
                .map(|&(t, p)| p * (longest[t] - longest[*here]));
            1.0 + away.sum::<f64>()
        };
        let work = 1 + rows.iter().map(|r| r.2.len() + 1).sum::<usize>();
        for _ in 0..MOST_WORK / work {
            for row in &rows {
                let excess = step(row, &longest);
                if excess > 0.0 {
                    longest[row.0] += excess / row.1;
                }
            }
            if rows.iter().all(|row| step(row, &longest) <= 0.5) {
                return 2.0 * longest.iter().fold(0.0, |m: f64, w| m.max(*w));
            }
        }
        f64::INFINITY
    }
}

/// Number of the strongly connected component of every state under some of the choices.
fn strongly_connected(mdp: &Mdp, some: &[bool]) -> Vec<u32> {
    let mut graph = DiGraph::<(), (), u32>::with_capacity(mdp.n_states(), mdp.n_successors());
    for _ in mdp.states() {
        graph.add_node(());
    }
    for state in mdp.states() {
        for choice in mdp.choices(state).filter(|c| some[c.index()]) {
            for &to in mdp.row(choice).0 {
                graph.add_edge(node(state), NodeIndex::new(to as usize), ());
            }
        }
    }
    let mut component = vec![0; mdp.n_states()];
    for (number, states) in kosaraju_scc(&graph).into_iter().enumerate() {
        for s in states {
            component[s.index()] = number as u32;
        }
    }
    component
}

fn node(state: StateId) -> NodeIndex<u32> {
    NodeIndex::new(state.index())
}

/// Numbers the components that have an internal choice.
fn number(mdp: &Mdp, component: &[u32], internal: &[bool]) -> Vec<u32> {
    let mut numbers = vec![NONE; mdp.n_states()];
    let mut next = 0;
    let mut of_state = Vec::with_capacity(mdp.n_states());
    for state in mdp.states() {
        let stays = |c: ChoiceId| internal[c.index()];
        if !mdp.choices(state).any(stays) {
            of_state.push(NONE);
            continue;
        }
        let number = &mut numbers[component[state.index()] as usize];
        if *number == NONE {
            *number = next;
            next += 1;
        }
        of_state.push(*number);
    }
    of_state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn components_and_ways_out_of_a_small_mdp() {
        let mut builder = MdpBuilder::new("two rooms");
        let [a, b, hall, exit] = ["a", "b", "hall", "exit"].map(|n| builder.state(n));
        builder.choice(a, "go", [(b, 1.0)]);
        builder.choice(b, "back", [(a, 0.5), (b, 0.5)]);
        builder.choice(b, "leave", [(hall, 0.25), (a, 0.75)]);
        builder.choice(hall, "on", [(exit, 0.5), (hall, 0.5)]);
        builder.absorbing(exit);
        let mdp = builder.build().unwrap();
        let ends = EndComponents::of(&mdp);
        assert_eq!(ends.of_state, [0, 0, NONE, 1]);
        assert_eq!(ends.internal, [true, true, false, false, true]);
        // "leave" is used four times on average, "on" twice.
        assert!(ends.uses >= 6.0 && ends.uses <= 12.0, "{}", ends.uses);
    }
}

//! The ways of an agent by chance: it takes every choice of a state with the same probability, until it is where it will never be out of.

use crate::mdp::{Components, Mdp};
use crate::statistics::behaviour::acting::Policy;
use crate::statistics::behaviour::arena::Arena;
use crate::statistics::behaviour::events::{Event, Target, Ties};
use crate::units::StateId;

/// Width of a sum, relative to it, at which it is told.
const SHARP: f64 = 1e-9;

/// Where an agent by chance ends up, on an MDP whose moves are all certain: in one of the sets of states that lead to each other and nowhere else.
#[derive(Debug)]
pub(super) struct Wandering<'m> {
    mdp: &'m Mdp,
    start: StateId,
    components: Components,
    /// Per state: whether it belongs to such a set.
    ends: Vec<bool>,
}

impl<'m> Wandering<'m> {
    pub(super) fn new(mdp: &'m Mdp, start: StateId) -> Self {
        let components = Components::of(mdp);
        let is_closed: Vec<bool> = (0..components.len())
            .map(|c| components.is_closed(mdp, c))
            .collect();
        let ends = components.of_state.iter().map(|&c| is_closed[c as usize]);
        Self {
            ends: ends.collect(),
            mdp,
            start,
            components,
        }
    }

    /// The states it ends up in where it gets to them.
    pub(super) fn ends(&self) -> impl Iterator<Item = StateId> {
        self.mdp.states().filter(|s| self.ends[s.index()])
    }

    /// All that lead to a state and back.
    pub(super) fn round(&self, state: StateId) -> &[StateId] {
        &self.components.members[self.components.of_state[state.index()] as usize]
    }

    /// Whether some choice of a state is one of these, `[n_choices]`.
    pub(super) fn spends_at(&self, state: StateId, spends: &[bool]) -> bool {
        self.mdp.choices(state).any(|c| spends[c.index()])
    }

    /// The expectation of what is paid on the way, and for where it ends: both not negative. `None` where chance alone takes too long to tell.
    pub(super) fn expected(
        &self,
        step: impl Fn(StateId, StateId, usize) -> f64,
        end: impl Fn(StateId) -> f64,
    ) -> Option<f64> {
        let event = Event {
            label: String::new(),
            target: Target::States(self.ends.clone()),
            steps: None,
            ties: Ties::Even,
            timed: false,
        };
        let arena = Arena::of_policy(&event, &[(self.start, 1.0)], self.mdp, Policy::Even, None);
        let chain = arena.chain(&|_, _| None);
        // From everywhere it ends somewhere, so that all states are hopeful.
        let pays = arena.ids().iter().map(|&state| {
            if self.ends[state.index()] {
                return (end(state), 0.0);
            }
            let choices = self.mdp.choices(state);
            let share = 1.0 / choices.len() as f64;
            let each = choices.map(|c| step(state, StateId(self.mdp.row(c).0[0]), c.index()));
            (share * each.sum::<f64>(), 1.0)
        });
        // What some states pay nothing of converges at no rate that sweeps could tell: one more is paid for every step, and taken off again.
        let (pays, steps): (Vec<f64>, Vec<f64>) = pays.map(|(x, step)| (x + step, step)).unzip();
        let equations = chain.equations(1.0);
        let summed = |x: &[f64]| {
            let [low, high] = equations.summed(x)[0];
            (high.is_finite() && high - low <= SHARP * high).then(|| f64::midpoint(low, high))
        };
        let all = summed(&pays)?;
        Some((all - summed(&steps)?).max(0.0))
    }

    /// The probability that its way to where it ends up is a shortest one. `distance`: from the start, `[n_states]`.
    pub(super) fn straight(&self, distance: &[u32]) -> f64 {
        let reached = |s: &StateId| distance[s.index()] != u32::MAX;
        let mut states: Vec<StateId> = self.mdp.states().filter(reached).collect();
        states.sort_by_key(|s| distance[s.index()]);
        let mut chance = vec![0.0; self.mdp.n_states()];
        chance[self.start.index()] = 1.0;
        let mut straight = 0.0;
        for state in states {
            let here = chance[state.index()];
            if self.ends[state.index()] {
                straight += here;
                continue;
            }
            let choices = self.mdp.choices(state);
            let share = here / choices.len() as f64;
            for choice in choices {
                let to = self.mdp.row(choice).0[0] as usize;
                if distance[to] == distance[state.index()] + 1 {
                    chance[to] += share;
                }
            }
        }
        straight
    }
}

//! One state as two, and several as one: how an MDP looks to whoever draws its states finer or coarser.

use super::{Mdp, MdpBuilder, StateId};
use crate::document::Faults;

/// An MDP with some states drawn differently.
#[derive(Clone, Debug)]
pub struct Redrawn {
    /// The MDP.
    pub mdp: Mdp,
    /// What became of every state of the original, `[n_states]`.
    pub place: Vec<StateId>,
}

impl Mdp {
    /// The same MDP with a second state beside one: it has the same choices, draws a reward of its own, and every choice of another state that may lead to the
    /// one has a twin that leads to the second instead. Staying in either stays there. The copy comes last.
    ///
    /// # Errors
    ///
    /// [`Faults`] where the result is no MDP, which no valid one gives.
    pub fn with_state_split(&self, state: StateId, name: &str) -> Result<Redrawn, Faults> {
        let copy = self.n_states() as u32;
        let mut b = MdpBuilder::new(name);
        b.keep_rows();
        let states: Vec<StateId> = self.states().map(|s| b.state(self.state_name(s))).collect();
        let taken: Vec<&str> = self.states().map(|s| self.state_name(s)).collect();
        let last = b.state(free(self.state_name(state), &taken));
        let renamed = |to: &[u32], p: &[f64], into: u32| -> Vec<(StateId, f64)> {
            let each = to.iter().zip(p);
            each.map(|(&t, p)| (StateId(if t == state.0 { into } else { t }), *p))
                .collect()
        };
        for from in self.states() {
            let taken: Vec<&str> = self.choices(from).map(|c| self.action_name(c)).collect();
            for choice in self.choices(from) {
                let (to, p) = self.row(choice);
                b.choice(from, self.action_name(choice), renamed(to, p, state.0));
                if from != state && to.contains(&state.0) {
                    let twin = free(self.action_name(choice), &taken);
                    b.choice(from, twin, renamed(to, p, copy));
                }
            }
        }
        for choice in self.choices(state) {
            let (to, p) = self.row(choice);
            b.choice(last, self.action_name(choice), renamed(to, p, copy));
        }
        b.start_distribution(self.start().to_vec(), None);
        let mut coordinates = self.reward_coordinate().to_vec();
        let fresh = coordinates.iter().flatten().max().map_or(0, |c| c + 1);
        coordinates.push(Some(fresh));
        b.reward_coordinates(coordinates);
        Ok(Redrawn {
            mdp: b.build()?,
            place: states,
        })
    }

    /// The same MDP with several states as one, the first of them: what led to any leads to it.
    ///
    /// # Errors
    ///
    /// [`Faults`] where the result is no MDP.
    pub fn with_states_merged(&self, states: &[StateId], name: &str) -> Result<Redrawn, Faults> {
        let is_gone = |s: StateId| states[1..].contains(&s);
        let mut b = MdpBuilder::new(name);
        let kept: Vec<StateId> = self.states().filter(|s| !is_gone(*s)).collect();
        kept.iter().for_each(|s| {
            b.state(self.state_name(*s));
        });
        let at = |s: StateId| {
            let s = if is_gone(s) { states[0] } else { s };
            StateId(kept.iter().position(|k| *k == s).unwrap_or(0) as u32)
        };
        for (number, &from) in kept.iter().enumerate() {
            for choice in self.choices(from) {
                b.choice(
                    StateId(number as u32),
                    self.action_name(choice),
                    gathered(self.row(choice), at),
                );
            }
        }
        let (start, p): (Vec<u32>, Vec<f64>) = self.start().iter().map(|(s, p)| (s.0, *p)).unzip();
        b.start_distribution(gathered((&start, &p), at), None);
        let coordinates = kept.iter().map(|s| self.reward_coordinate()[s.index()]);
        b.reward_coordinates(coordinates.collect());
        Ok(Redrawn {
            mdp: b.build()?,
            place: self.states().map(at).collect(),
        })
    }

    /// Sets of states from which the very same can be done: equal rows, where staying counts as staying. Sets of one are left out.
    #[must_use]
    pub fn equal_states(&self) -> Vec<Vec<StateId>> {
        /// Rows with the state itself called so.
        const HERE: u32 = u32::MAX;
        let rows = |state: StateId| -> Vec<Vec<(u32, u64)>> {
            let mut all: Vec<Vec<(u32, u64)>> = self
                .choices(state)
                .map(|choice| {
                    let (to, p) = self.row(choice);
                    let each = to.iter().zip(p);
                    let mut row: Vec<(u32, u64)> = each
                        .map(|(&t, p)| (if t == state.0 { HERE } else { t }, p.to_bits()))
                        .collect();
                    row.sort_unstable();
                    row
                })
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let mut sets = std::collections::BTreeMap::new();
        for state in self.states() {
            sets.entry(rows(state)).or_insert_with(Vec::new).push(state);
        }
        let mut sets: Vec<Vec<StateId>> = sets.into_values().filter(|s| s.len() > 1).collect();
        sets.sort();
        sets
    }
}

/// A row with its states renamed, those that became one added up.
fn gathered((to, p): (&[u32], &[f64]), at: impl Fn(StateId) -> StateId) -> Vec<(StateId, f64)> {
    let mut row = std::collections::BTreeMap::new();
    for (&to, p) in to.iter().zip(p) {
        *row.entry(at(StateId(to))).or_insert(0.0) += p;
    }
    row.into_iter().collect()
}

/// The name with a stroke behind it, or with as many as it takes.
fn free(name: &str, taken: &[&str]) -> String {
    let mut free = format!("{name}'");
    while taken.contains(&free.as_str()) {
        free.push('\'');
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    fn star() -> Mdp {
        let mut b = MdpBuilder::new("star");
        let [hub, a, c] = ["hub", "a", "c"].map(|name| b.state(name));
        b.choice(hub, "a", [(a, 1.0)]);
        b.choice(hub, "both", [(a, 0.25), (c, 0.75)]);
        b.absorbing(a);
        b.absorbing(c);
        b.build().unwrap()
    }

    #[test]
    fn a_state_becomes_two_and_two_become_one() {
        let star = star();
        let split = star.with_state_split(StateId(1), "split").unwrap();
        assert_eq!((split.mdp.n_states(), split.mdp.n_choices()), (4, 7));
        let hub: Vec<&str> = split
            .mdp
            .choices(StateId(0))
            .map(|c| split.mdp.action_name(c))
            .collect();
        assert_eq!(hub, ["a", "a'", "both", "both'"]);
        assert!(split.mdp.is_absorbing(StateId(1)) && split.mdp.is_absorbing(StateId(3)));
        assert_eq!(split.mdp.state_name(StateId(3)), "a'");
        assert_eq!(split.mdp.reward_coordinate()[3], Some(3));
        assert_eq!(star.equal_states(), [vec![StateId(1), StateId(2)]]);
        let merged = star
            .with_states_merged(&[StateId(1), StateId(2)], "merged")
            .unwrap();
        assert_eq!((merged.mdp.n_states(), merged.mdp.n_choices()), (2, 3));
        assert_eq!(merged.place, [StateId(0), StateId(1), StateId(1)]);
        assert_eq!(
            merged.mdp.row(crate::units::ChoiceId(1)),
            (&[1][..], &[1.0][..])
        );
        // The two that were one can be made one again.
        assert_eq!(split.mdp.equal_states().len(), 1);
        assert_eq!(split.mdp.equal_states()[0].len(), 3);
    }
}

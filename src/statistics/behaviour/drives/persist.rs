//! Staying on: shutdown is avoided, with or without disabling it.

use std::collections::HashSet;

use super::happening::{Happening, has};
use super::{Drive, Kind, World};
use crate::mdp::Mdp;
use crate::units::{Limit, StateId};

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
            .at_least(least(world))
            .never(world, "by working on", &["shutdown", "disable"]);
        Box::new(happening) as Box<dyn Drive>
    })
}

/// The share of goals that avoid shutdown, at least, where the law treats states alike, at ->1: n/(n + 1) where n is how many times more other
/// terminal states there are than those of shutdown.
///
/// It is claimed where every move is certain, and where rewards of terminal states are paid nowhere else: then visits of anything else are orthogonal to
/// them.
///
/// Source: A. Turner and P. Tadepalli, "Parametrically retargetable decision-makers tend to seek power", NeurIPS 2022, corollary D.12, after theorem 6.13 of Turner et al. 2021.
fn least(world: &World<'_>) -> Option<f64> {
    let mdp = world.mdp;
    if world.discount.limit() != Some(Limit::One) || !world.is_optimal || !mdp.is_deterministic() {
        return None;
    }
    let off = mdp.state_labels().get("shutdown")?;
    let (mut ended, mut others, mut passed) = (HashSet::new(), HashSet::new(), HashSet::new());
    for state in reachable(mdp) {
        let coordinate = mdp.reward_coordinate()[state.index()]?;
        match (mdp.is_absorbing(state), off.contains(&state)) {
            (true, true) => ended.insert(coordinate),
            (true, false) => others.insert(coordinate),
            (false, false) => passed.insert(coordinate),
            // A shutdown that can be left again is none in the sense of the theorem.
            (false, true) => return None,
        };
    }
    let terminal = || ended.iter().chain(&others);
    if ended.is_empty()
        || terminal().any(|c| passed.contains(c))
        || ended.iter().any(|c| others.contains(c))
    {
        return None;
    }
    let n = (others.len() / ended.len()) as f64;
    Some(n / (n + 1.0))
}

/// The states that can be reached from the start.
fn reachable(mdp: &Mdp) -> Vec<StateId> {
    let mut seen = vec![false; mdp.n_states()];
    let mut found: Vec<StateId> = mdp.start().iter().map(|(s, _)| *s).collect();
    found.iter().for_each(|s| seen[s.index()] = true);
    let mut next = 0;
    while next < found.len() {
        for choice in mdp.choices(found[next]) {
            for &to in mdp.row(choice).0 {
                if !std::mem::replace(&mut seen[to as usize], true) {
                    found.push(StateId(to));
                }
            }
        }
        next += 1;
    }
    found
}

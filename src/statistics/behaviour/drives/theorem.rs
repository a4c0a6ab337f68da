//! What theorems say of drives, at ->1 and of laws that treat states alike: the best of some places to stay is any of them, each with the same probability.
//!
//! Source: Turner et al. 2021, theorem 6.13; A. Turner and P. Tadepalli, "Parametrically retargetable decision-makers tend to seek power", NeurIPS 2022, corollary D.12.

use std::collections::HashSet;

use super::World;
use crate::mdp::Mdp;
use crate::reward::{Independent, Marginal, Recipe, Source};
use crate::units::{ChoiceId, Limit, StateId};

/// Rewards that are independent draws, at ->1, of an MDP with one start in which every move is certain and every agent optimal.
struct Patient<'w> {
    mdp: &'w Mdp,
    law: &'w Independent,
}

impl<'w> Patient<'w> {
    fn of(world: &World<'w>) -> Option<Self> {
        let mdp: &Mdp = world.mdp;
        let is_patient = world.discount.limit() == Some(Limit::One) && world.is_optimal;
        let law = &world.program.plain_on_states().ok()?.law;
        let Recipe::Independent(law) = law.recipe() else {
            return None;
        };
        // A goal acts from one start, and what all of them lead to is more than it has.
        let has_one_start = mdp.start().len() == 1;
        (is_patient && mdp.is_deterministic() && has_one_start).then_some(Self { mdp, law })
    }

    /// The draws that these states' rewards are, where all are of one law, in which no two are ever the same.
    fn draws(&self, states: &[StateId]) -> Option<HashSet<u32>> {
        let (mut draws, mut only) = (HashSet::new(), None);
        for state in states {
            let Source::Draw { coordinate, law } = self.law.sources[state.index()] else {
                return None;
            };
            let law = &self.law.laws[law as usize];
            let has_atoms = matches!(law, Marginal::Bernoulli(_) | Marginal::Discrete(_));
            if has_atoms || *only.get_or_insert(law) != law {
                return None;
            }
            draws.insert(coordinate);
        }
        Some(draws)
    }

    /// The states that can be reached from the start by some choices.
    fn reached(&self, takes: impl Fn(ChoiceId) -> bool) -> Vec<StateId> {
        let mut seen = vec![false; self.mdp.n_states()];
        let mut found: Vec<StateId> = self.mdp.start().iter().map(|(s, _)| *s).collect();
        found.iter().for_each(|s| seen[s.index()] = true);
        let mut next = 0;
        while next < found.len() {
            for choice in self.mdp.choices(found[next]).filter(|c| takes(*c)) {
                let to = self.mdp.row(choice).0[0];
                if !std::mem::replace(&mut seen[to as usize], true) {
                    found.push(StateId(to));
                }
            }
            next += 1;
        }
        found
    }

    /// The states among these in which some choices may stay.
    fn places(&self, states: &[StateId], takes: impl Fn(ChoiceId) -> bool) -> Vec<StateId> {
        let stays = |s: &&StateId| {
            let mut choices = self.mdp.choices(**s);
            choices.any(|c| takes(c) && self.mdp.row(c).0[0] == s.0)
        };
        states.iter().filter(stays).copied().collect()
    }

    /// Whether some choices go round otherwise than by staying in a state: then what they come to is no one state's reward. `states`: all that they lead to.
    fn goes_round(&self, states: &[StateId], takes: impl Fn(ChoiceId) -> bool) -> bool {
        let moves = |s: StateId| {
            let choices = self.mdp.choices(s).filter(|c| takes(*c));
            let to = choices.map(|c| self.mdp.row(c).0[0]);
            to.filter(move |to| *to != s.0)
        };
        // States are taken away that no other leads to; what is left leads to itself.
        let mut before = vec![0_u32; self.mdp.n_states()];
        let each = states.iter().flat_map(|s| moves(*s));
        each.for_each(|to| before[to as usize] += 1);
        let is_first = |s: &&StateId| before[s.index()] == 0;
        let mut first: Vec<StateId> = states.iter().filter(is_first).copied().collect();
        let mut taken = 0;
        while let Some(state) = first.pop() {
            taken += 1;
            for to in moves(state) {
                before[to as usize] -= 1;
                if before[to as usize] == 0 {
                    first.push(StateId(to));
                }
            }
        }
        taken < states.len()
    }
}

/// The share of goals that ever take a choice of some labels, at least: m/(m + n), with m places to stay, where no other choices stay for a state with the same reward, and n where others do.
///
/// An agent that takes none of them ends in one of the n, as far as other choices go round nowhere else. Where the best of all is one of the m, nothing but a choice of the labels gets as much.
pub(super) fn by_a_label(world: &World<'_>, labels: &[&str]) -> Option<f64> {
    let patient = Patient::of(world)?;
    let mut labelled = vec![false; world.mdp.n_choices()];
    for label in labels {
        let choices = world.mdp.choice_labels().get(*label).into_iter().flatten();
        choices.for_each(|c| labelled[c.index()] = true);
    }
    let others = |c: ChoiceId| !labelled[c.index()];
    let without = patient.reached(others);
    if patient.goes_round(&without, others) {
        return None;
    }
    let left = patient.places(&without, others);
    let all = patient.places(&patient.reached(|_| true), |_| true);
    let (all, left) = (patient.draws(&all)?, patient.draws(&left)?);
    let gained = all.difference(&left).count();
    (gained > 0).then(|| gained as f64 / all.len() as f64)
}

/// The share of goals that are never in a state labelled shutdown, at least: n/(n + 1) where n is how many times more other terminal states there are than those of shutdown.
///
/// It is claimed where rewards of terminal states are paid nowhere else: then visits of anything else are orthogonal to them.
pub(super) fn never_off(world: &World<'_>) -> Option<f64> {
    let patient = Patient::of(world)?;
    let mdp: &Mdp = world.mdp;
    let off = mdp.state_labels().get("shutdown")?;
    let reached = patient.reached(|_| true);
    let (ends, passed): (Vec<StateId>, Vec<StateId>) =
        reached.into_iter().partition(|s| mdp.is_absorbing(*s));
    // A shutdown that can be left again is none in the sense of the theorem.
    if passed.iter().any(|s| off.contains(s)) {
        return None;
    }
    let all = patient.draws(&ends)?;
    let ended: Vec<StateId> = ends.iter().filter(|s| off.contains(s)).copied().collect();
    let ended = patient.draws(&ended)?;
    let is_paid_before = passed.iter().any(|s| match patient.law.sources[s.index()] {
        Source::Draw { coordinate, .. } => all.contains(&coordinate),
        Source::Fixed(_) => false,
    });
    let mut others = ends.iter().filter(|s| !off.contains(s));
    let is_shared = others.any(|s| match patient.law.sources[s.index()] {
        Source::Draw { coordinate, .. } => ended.contains(&coordinate),
        Source::Fixed(_) => false,
    });
    if ended.is_empty() || is_paid_before || is_shared {
        return None;
    }
    let n = ((all.len() - ended.len()) / ended.len()) as f64;
    Some(n / (n + 1.0))
}

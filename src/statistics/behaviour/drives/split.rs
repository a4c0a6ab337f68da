//! What a goal's own rewards explain of a drive: the drive of the same goal again, were it indifferent to what the drive itself leads to.

use super::{Drive, Own, World};
use crate::mdp::Mdp;
use crate::program::{Operator, Stage};
use crate::reward::RewardDomain;
use crate::statistics::behaviour::look::Look;
use crate::statistics::{Observations, Observed, Row};
use crate::units::StateId;

/// The states that the drive is about, with the rewards that an indifferent goal pays there: the law's means.
///
/// With x the number of a goal and y that of the goal made indifferent, min(x, y) is the rest (what it does all the same) and x - min(x, y) what its own
/// rewards explain (what it would not do without them). Both are not negative, and they sum to x, goal by goal.
#[derive(Clone, Debug)]
pub(super) struct Split {
    neutral: Vec<(StateId, f64)>,
    /// Whether the states that a goal's way leads to keep their rewards.
    spares_ends: bool,
}

impl Split {
    /// Of a drive with states of its own. `None` where goals cannot be changed at will: their rewards are made of linked stages (but for what stands for their outcome), or at a limit, or by
    /// another rule than optimality, or their law does not know the mean of single rewards.
    pub(super) fn of(drive: &dyn Drive, world: &World<'_>) -> Option<Self> {
        if !world.is_optimal || world.discount.limit().is_some() {
            return None;
        }
        let own = drive.own();
        let (stage, states): (&Stage, Vec<StateId>) = match own {
            Own::Nothing => return None,
            Own::States(states) => (world.program.shown_alone()?, states.to_vec()),
            Own::Way => (world.program.shown_alone()?, world.mdp.states().collect()),
            Own::Made(states) => (world.program.stage(), states.to_vec()),
        };
        if stage.domain != RewardDomain::State || stage.operator != Operator::Max {
            return None;
        }
        let mean = |state: StateId| match own {
            // They stand for the world that the first stage is about, and have no law of their own.
            Own::Made(_) => mean_of_world(&world.program.stages()[0]),
            _ => Some(stage.law.moments(state.index())?.0),
        };
        let each = states.iter().map(|&state| Some((state, mean(state)?)));
        let neutral: Vec<_> = each.collect::<Option<_>>()?;
        (!neutral.is_empty()).then_some(Self {
            neutral,
            spares_ends: matches!(own, Own::Way),
        })
    }

    /// Appends a drive's numbers of one goal, then what its own rewards explain of each, then the rest of each.
    pub(super) fn observe(&self, drive: &dyn Drive, look: &mut Look<'_>, row: &mut Row<'_>) {
        let found = alone(drive, |row| drive.observe(look, row));
        let (spared, is_known) = match self.spares_ends {
            true => drive.ends(look),
            false => (Vec::new(), true),
        };
        let change = |rewards: &mut [f64]| {
            let kept: Vec<_> = spared.iter().map(|s| (*s, rewards[s.index()])).collect();
            for (state, reward) in self.neutral.iter().chain(&kept) {
                rewards[state.index()] = *reward;
            }
        };
        let mut without = look.with_rewards(change, |look| {
            alone(drive, |row| drive.observe_indifferent(look, row))
        });
        if !is_known {
            // Where the way may lead to other ends, what is left without it may be anything.
            for y in &mut without {
                (y.low, y.high) = (0.0, f64::INFINITY);
            }
        }
        let rest = found.iter().zip(&without).map(|(x, y)| Observed {
            value: x.value.min(y.value),
            low: x.low.min(y.low),
            high: x.high.min(y.high),
        });
        let more = |(x, y): (&Observed, &Observed)| Observed {
            value: (x.value - y.value).max(0.0),
            low: (x.low - y.high).max(0.0),
            high: (x.high - y.low).max(0.0),
        };
        let explained = found.iter().zip(&without).map(more);
        let all = found.iter().copied().chain(explained).chain(rest);
        all.for_each(|x| row.push_observed(x));
    }
}

/// What the law of a stage pays in the mean over its states, where it knows the means of single rewards.
fn mean_of_world(stage: &Stage) -> Option<f64> {
    let states = stage.mdp.states();
    let means = states.map(|s| Some(stage.law.moments(s.index())?.0));
    let sum: f64 = means.sum::<Option<f64>>()?;
    Some(sum / stage.mdp.n_states() as f64)
}

/// A drive's numbers of one goal.
fn alone(drive: &dyn Drive, observe: impl FnOnce(&mut Row<'_>)) -> Vec<Observed> {
    let mut alone = Observations::new(drive.n_columns(), 1);
    let mut row = alone.row();
    observe(&mut row);
    row.finish();
    alone.observed(0)
}

/// The states that have one of some labels, and those that a choice with one of them leads to in one step.
pub(super) fn own_states(mdp: &Mdp, labels: &[&str]) -> Vec<StateId> {
    let mut own = vec![false; mdp.n_states()];
    for label in labels {
        let states = mdp.state_labels().get(*label).into_iter().flatten();
        states.for_each(|s| own[s.index()] = true);
        for choice in mdp.choice_labels().get(*label).into_iter().flatten() {
            mdp.row(*choice)
                .0
                .iter()
                .for_each(|s| own[*s as usize] = true);
        }
    }
    mdp.states().filter(|s| own[s.index()]).collect()
}

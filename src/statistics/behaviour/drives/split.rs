//! What a goal's own rewards explain of a drive: the drive of the same goal again, were it indifferent to what the drive itself leads to.

use super::{Drive, World};
use crate::mdp::Mdp;
use crate::statistics::behaviour::look::Look;
use crate::statistics::{Observations, Observed, Row};
use crate::units::StateId;

/// The states that are the drive's own, with the rewards that an indifferent goal pays there: the law's means.
///
/// With x the number of a goal and y that of the goal made indifferent, min(x, y) is the rest (what it does all the same) and x - min(x, y) what its own
/// rewards explain (what it would not do without them). Both are not negative, and they sum to x, goal by goal.
#[derive(Clone, Debug)]
pub(super) struct Split {
    neutral: Vec<(StateId, f64)>,
}

impl Split {
    /// Of a drive with own states. `None` where goals cannot be changed at will: they are solved in linked stages, or at a limit, or by another rule than
    /// optimality, or their law does not know the mean of single rewards.
    pub(super) fn of(drive: &dyn Drive, world: &World<'_>) -> Option<Self> {
        let stage = world.program.plain_on_states().ok()?;
        let is_plain = world.is_optimal && world.discount.limit().is_none();
        let own = drive.own_states();
        let mean = |state: &StateId| Some((*state, stage.law.moments(state.index())?.0));
        let neutral: Option<Vec<_>> = own.iter().map(mean).collect();
        neutral
            .filter(|_| is_plain && !own.is_empty())
            .map(|neutral| Self { neutral })
    }

    /// Appends a drive's numbers of one goal, then what its own rewards explain of each, then the rest of each.
    pub(super) fn observe(&self, drive: &dyn Drive, look: &mut Look<'_>, row: &mut Row<'_>) {
        let found = alone(drive, look);
        let change = |rewards: &mut [f64]| {
            for (state, mean) in &self.neutral {
                rewards[state.index()] = *mean;
            }
        };
        let without = look.with_rewards(change, |look| alone(drive, look));
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

/// A drive's numbers of one goal.
fn alone(drive: &dyn Drive, look: &mut Look<'_>) -> Vec<Observed> {
    let mut alone = Observations::new(drive.n_columns(), 1);
    let mut row = alone.row();
    drive.observe(look, &mut row);
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

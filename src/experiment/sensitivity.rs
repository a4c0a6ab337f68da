//! How POWER depends on what is called a state: each state as two, and equal ones as one.

use super::{Engine, RunError, RunSpec};
use crate::mdp::{Mdp, Redrawn};
use crate::statistics::{Estimate, kendall, order_of_estimates};
use crate::units::{Discount, Seed, StateId};

/// What was drawn differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redrawing {
    /// A state as two.
    Split(StateId),
    /// Equal states as one.
    Merge(Vec<StateId>),
}

/// What moved.
#[derive(Clone, Debug)]
pub struct Moved {
    /// What was done.
    pub by: Redrawing,
    /// POWER of every state of the original then, `[n_states]`: of the first of two, of the one that several became.
    pub power: Vec<Estimate>,
    /// Kendall's tau-b between the orders of states by POWER before and after; `None` where either tells nothing apart.
    pub tau: Option<f64>,
}

/// POWER of an MDP as it is, and redrawn.
#[derive(Clone, Debug)]
pub struct Sensitivity {
    /// POWER of every state, `[n_states]`.
    pub power: Vec<Estimate>,
    /// What moves, splits first.
    pub moved: Vec<Moved>,
}

impl Sensitivity {
    /// Most states of an MDP: every one of them makes another MDP.
    pub const MAX_STATES: usize = 256;

    /// Measures an MDP with uniform goals; all redrawings see the same ones, and a copy has a reward of its own.
    ///
    /// # Errors
    ///
    /// [`RunError`].
    pub fn of(
        engine: &Engine,
        mdp: &Mdp,
        discount: Discount,
        samples: u64,
        seed: Seed,
    ) -> Result<Self, RunError> {
        let splits = mdp.states().map(Redrawing::Split);
        let merges = mdp.equal_states().into_iter().map(Redrawing::Merge);
        let redrawn = splits.chain(merges).enumerate().filter_map(|(number, by)| {
            let name = format!("{number}");
            let redrawn = match &by {
                Redrawing::Split(state) => mdp.with_state_split(*state, &name),
                Redrawing::Merge(states) => mdp.with_states_merged(states, &name),
            };
            // Of a valid MDP either makes one.
            Some((by, redrawn.ok()?))
        });
        let redrawn: Vec<(Redrawing, Redrawn)> = redrawn.collect();
        let all = redrawn.iter().map(|(_, redrawn)| redrawn.mdp.clone());
        let all = std::iter::once(mdp.clone().renamed("as it is")).chain(all);
        let spec = RunSpec {
            environments: all.map(|mdp| engine.upload(mdp)).collect(),
            discounts: vec![discount],
            samples,
            seed,
            ..RunSpec::default()
        };
        let mut found = engine.run(&spec)?;
        if let Some(failure) = found.failures.pop() {
            return Err(RunError::Failed(Box::new(failure.error)));
        }
        let power = found.cells[0].power.clone();
        let order = order_of_estimates(&power);
        let moved = redrawn.into_iter().zip(&found.cells[1..]);
        let moved = moved.map(|((by, redrawn), cell)| {
            let places = redrawn.place.iter();
            let after: Vec<Estimate> = places.map(|s| cell.power[s.index()]).collect();
            Moved {
                by,
                tau: kendall(&order, &order_of_estimates(&after)),
                power: after,
            }
        });
        Ok(Self {
            moved: moved.collect(),
            power,
        })
    }
}

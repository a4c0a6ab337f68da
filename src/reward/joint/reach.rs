//! "Reach this set": one of several sets of states is what the goal wants.

use std::sync::Arc;

use super::read_weights;
use crate::document::{Faults, TableReader};
use crate::reward::bind::Rows;
use crate::reward::goal_law::{Facts, GoalKey, Recipe, WholeGoal};
use crate::reward::shuffle::Thresholds;
use crate::reward::{GivenRows, Making, RowPick, StateSet};
use crate::rng::Stream;

/// Every state of one set gets a reward, all other states none; which set, is drawn.
///
/// With equal weights there is one goal per set, and goals are enumerated.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    sets: Vec<StateSet>,
    /// `None` for equal ones.
    weights: Option<Vec<f64>>,
    value: f64,
}

impl Reach {
    /// Each of the sets is as likely as the others; reward 1 in each of its states.
    #[must_use]
    pub fn new(sets: Vec<StateSet>) -> Self {
        Self {
            sets,
            weights: None,
            value: 1.0,
        }
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        table.require("sets", faults)?;
        let sets = table.list_of_some("sets", faults)?;
        if sets.is_empty() {
            return None;
        }
        let sets: Vec<StateSet> = sets
            .iter()
            .map(|node| StateSet::read(node, "sets", faults))
            .collect();
        let weights = read_weights(table, sets.len(), "sets", faults);
        let value = table.number("value", faults);
        if let Some(value) = &value
            && value.value == 0.0
        {
            faults.error(
                value.span.clone(),
                "`value` must not be 0: every goal would be the same",
            );
        }
        Some(Self {
            sets,
            weights: weights?,
            value: value.map_or(1.0, |x| x.value),
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let inside =
            |set: &StateSet, faults: &mut Faults| rows.within(&set.resolve(rows.mdp, faults));
        let sets: Vec<Vec<bool>> = self.sets.iter().map(|set| inside(set, faults)).collect();
        let equal = || vec![1.0; self.sets.len()];
        Some(Recipe::Whole(Arc::new(BoundReach {
            thresholds: Thresholds::new(&self.weights.clone().unwrap_or_else(equal)),
            pick: rows.pick,
            enumerated: (self.weights.is_none() && rows.enumerates)
                .then_some(self.sets.len() as u64),
            sets,
            value: self.value as f32,
        })))
    }
}

#[derive(Debug)]
struct BoundReach {
    /// Per set and reward: whether it is wanted.
    sets: Vec<Vec<bool>>,
    thresholds: Thresholds,
    /// The word that picks the set.
    pick: u32,
    enumerated: Option<u64>,
    value: f32,
}

impl WholeGoal for BoundReach {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let set = match self.enumerated {
            Some(n) if key.stream == Stream::Reward => (key.index.0 % n) as usize,
            _ => self
                .thresholds
                .pick(key.on(key.stream.mixture()).word(self.pick)),
        };
        for (reward, wanted) in rewards.iter_mut().zip(&self.sets[set]) {
            *reward = if *wanted { self.value } else { 0.0 };
        }
    }

    fn facts(&self) -> Facts {
        Facts {
            enumerated: self.enumerated,
            available: self.enumerated,
            shared: 0.0,
            ..Facts::of_values([0.0, f64::from(self.value)].into_iter())
        }
    }

    fn making(&self) -> Option<Making<'_>> {
        let n_rewards = self.sets.first().map_or(0, Vec::len);
        Some(Making::Row(GivenRows {
            rows: self.sets.len(),
            columns: n_rewards,
            column_of: (0..n_rewards as u32).map(Some).collect(),
            value: Box::new(|set, reward| match self.sets[set][reward as usize] {
                true => self.value,
                false => 0.0,
            }),
            in_order: self.enumerated.is_some(),
            pick: RowPick::Words {
                word: self.pick,
                ends: self.thresholds.ends(),
            },
        }))
    }
}

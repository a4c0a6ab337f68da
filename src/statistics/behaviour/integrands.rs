//! The POWER integrand of every goal as it is: what cells are compared by.

use std::collections::HashSet;

use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::{BaseState, Mdp};
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Estimate, Key, Map, Observed, ObservedSums, PowerScale, Quantity, Row, Table,
};
use crate::units::StateId;

/// Most states whose integrands are compared.
const MOST: usize = 256;

/// The POWER integrand of the states of the unmodified MDP; of more than 256, of those it starts in. Where only some goals belong, of all states.
///
/// Columns: per state the integrand; last the half-width of all of them. It has no table: POWER itself is measured without it, except where only some
/// goals belong. There its quantities are the mean integrand of every state, and last the mean half-width.
#[derive(Clone, Debug)]
pub struct Integrands {
    states: Vec<StateId>,
    /// Which of them are compared, by position.
    compared: Vec<usize>,
    /// Scale of the law.
    scale: f64,
    /// What sums over goals are taken in, where they are.
    sums: Option<PowerScale>,
}

impl Integrands {
    /// Of an MDP or what interventions made of it.
    #[must_use]
    pub fn new(mdp: &Mdp, law: LawScale) -> Self {
        // The first of those that stand for one state.
        let mut known = HashSet::new();
        let mut is_old = |s: &StateId| match mdp.base_state()[s.index()] {
            BaseState::Of(base) => known.insert(base),
            BaseState::New | BaseState::Other => false,
        };
        let mut states: Vec<StateId> = mdp.states().filter(|s| is_old(s)).collect();
        if states.len() > MOST {
            states = mdp.start().iter().map(|(s, _)| *s).take(MOST).collect();
        }
        Self {
            compared: (0..states.len()).collect(),
            states,
            scale: law.scale,
            sums: None,
        }
    }

    /// Of all states, to be summed in these units.
    #[must_use]
    pub fn summed(mdp: &Mdp, law: LawScale, sums: PowerScale) -> Self {
        let compared = Self::new(mdp, law).states;
        Self {
            states: mdp.states().collect(),
            compared: compared.iter().map(|s| s.index()).collect(),
            scale: law.scale,
            sums: Some(sums),
        }
    }

    /// POWER of every state. `quantities` are those of integrands that are [summed](Self::summed); theirs are the sums from number `first` on.
    ///
    /// # Precision
    ///
    /// The bound is the mean half-width of the goals that belong, and how far that mean and the mean integrand can move by goals of which it
    /// is open whether they do.
    #[must_use]
    pub fn power(
        quantities: &[Quantity],
        sums: &ObservedSums,
        first: usize,
        level: f64,
    ) -> Vec<Estimate> {
        let estimate = |at: usize| sums.estimate(first + at, &quantities[at], level);
        let states = quantities.len().saturating_sub(1);
        let width = estimate(states);
        let most = width.estimate + sums.doubt_of_mean(first + states, &quantities[states]);
        let each = (0..states).map(estimate).map(|e| {
            let bound_max = e.bound + width.bound_max.max(most);
            Estimate {
                bound_max,
                ..e.widened(most)
            }
        });
        each.collect()
    }
}

impl Statistic for Integrands {
    fn name(&self) -> &'static str {
        "power"
    }

    fn n_columns(&self) -> usize {
        self.states.len() + 1
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for &state in &self.states {
            row.push(look.integrand(state));
        }
        let width = look.integrand_half_width();
        match self.sums {
            None => row.push(width),
            // A bracket as wide on one side, so that the largest is kept.
            Some(_) => row.push_observed(Observed {
                value: width,
                low: 0.0,
                high: width,
            }),
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = (0..self.states.len()).map(|column| (column, self.sums));
        // Widths are small beside the law's numbers, and of any sign but negative.
        let widths = self.sums.map(|s| PowerScale { shift: 0.0, ..s });
        let all = columns.chain([(self.states.len(), widths)]);
        all.filter_map(|(column, scale)| Some(Quantity::mean(column, Map::Identity, scale?)))
            .collect()
    }

    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        // The units leave room for integrands of a thousand scales.
        let scale = PowerScale::new(0.0, 1_024.0 * self.scale);
        let number = |column: usize| Comparable {
            statistic: self.name(),
            of: Comparable::about_state(Key::text(mdp.state_name(self.states[column]))),
            measure: "power",
            quantity: Quantity::mean(column, Map::Identity, scale),
            width: Some(self.states.len()),
            rounding: 0.0,
        };
        self.compared.iter().copied().map(number).collect()
    }

    fn tables(&self, _: &Mdp, _: &ObservedSums, _: usize, _: f64) -> Vec<Table> {
        Vec::new()
    }
}

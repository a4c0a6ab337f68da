//! The POWER integrand of every goal as it is: what cells are compared by.

use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::{BaseState, Mdp};
use crate::statistics::asked::Statistic;
use crate::statistics::{Comparable, Key, Map, ObservedSums, PowerScale, Quantity, Row, Table};
use crate::units::StateId;

/// Most states whose integrands are kept.
const MOST: usize = 256;

/// The POWER integrand of the states of the unmodified MDP; of more than 256, of those it starts in.
///
/// Columns: per state the integrand; last the half-width of all of them. It has no table: POWER itself is measured without it.
#[derive(Clone, Debug)]
pub struct Integrands {
    states: Vec<StateId>,
    /// Scale of the law.
    scale: f64,
}

impl Integrands {
    /// Of an MDP or what interventions made of it.
    #[must_use]
    pub fn new(mdp: &Mdp, law: LawScale) -> Self {
        let is_old = |s: &StateId| mdp.base_state()[s.index()] == BaseState::Of(s.0);
        let mut states: Vec<StateId> = mdp.states().filter(is_old).collect();
        if states.len() > MOST {
            states = mdp.start().iter().map(|(s, _)| *s).take(MOST).collect();
        }
        Self {
            states,
            scale: law.scale,
        }
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
        row.push(look.integrand_half_width());
    }

    fn quantities(&self) -> Vec<Quantity> {
        Vec::new()
    }

    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        // The units leave room for integrands of a thousand scales.
        let scale = PowerScale::new(0.0, 1_024.0 * self.scale);
        let number = |(column, state): (usize, &StateId)| Comparable {
            statistic: self.name(),
            of: Comparable::about_state(Key::text(mdp.state_name(*state))),
            measure: "power",
            quantity: Quantity::mean(column, Map::Identity, scale),
            width: Some(self.states.len()),
        };
        self.states.iter().enumerate().map(number).collect()
    }

    fn tables(&self, _: &Mdp, _: &ObservedSums, _: usize, _: f64) -> Vec<Table> {
        Vec::new()
    }
}

//! What an optimal agent picks in some states, goal by goal: for tables of goals, not for sums.

use super::look::Look;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{ObservedSums, Quantity, Row, Table};
use crate::units::{ChoiceId, StateId};

/// The POWER integrand of some states, the first optimal choice in file order, and how many are optimal.
///
/// Columns: per state the integrand, the number of the choice among the MDP's, and the number of optimal choices. What is not known, or is not asked of an
/// agent that follows another rule, is not a number: nothing is summed.
#[derive(Clone, Debug)]
pub struct Chosen {
    states: Vec<StateId>,
}

/// Columns of a state.
const PER_STATE: usize = 3;

impl Chosen {
    /// In some states.
    #[must_use]
    pub fn new(states: Vec<StateId>) -> Self {
        Self { states }
    }

    /// The states.
    #[must_use]
    pub fn states(&self) -> &[StateId] {
        &self.states
    }

    /// The columns of state number `at` of them, counted from its own first: integrand, choice, number of optimal choices.
    #[must_use]
    pub fn columns_of(at: usize) -> [usize; PER_STATE] {
        [0, 1, 2].map(|i| PER_STATE * at + i)
    }

    /// The choice that a number in the second column of a state stands for.
    #[must_use]
    pub fn choice(number: f64) -> Option<ChoiceId> {
        (number >= 0.0).then_some(ChoiceId(number as u32))
    }
}

impl Statistic for Chosen {
    fn name(&self) -> &'static str {
        "chosen"
    }

    fn n_columns(&self) -> usize {
        PER_STATE * self.states.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for &state in &self.states {
            row.push(look.integrand(state));
            let unknown = [f64::NAN, f64::NAN];
            let [choice, optimal] = match look.acting() {
                Some(_) => unknown,
                None => {
                    let decided = look.decide(state);
                    match decided.is_sure() {
                        true => [f64::from(decided.greedy.0), f64::from(decided.optimal)],
                        false => unknown,
                    }
                }
            };
            row.push(choice);
            row.push(optimal);
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        Vec::new()
    }

    fn tables(&self, _: &Mdp, _: &ObservedSums, _: usize, _: f64) -> Vec<Table> {
        Vec::new()
    }
}

//! Where optimal agents spend their time: expected discounted visits of every state.

use super::acting::{Acting, Policy};
use super::arena::Arena;
use super::chain::Chain;
use super::events::{Event, Target, Ties};
use super::look::Look;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Key, KeyKind, Map, Measure, Observed, ObservedSums, PowerScale, Quantity, Row,
    Table, TableRow,
};
use crate::units::{Discount, StateId};

/// `f*(s) = sum over t of gamma^t P(s_t = s)` under the optimal policy from the start, ties split evenly, for every state and summed over every
/// label of states.
///
/// It is also how much the average optimal value of the start rises with the mean reward of a state: `d E V* / d mu_s = E f*(s)`
/// (the envelope theorem).
#[derive(Clone, Debug)]
pub struct Occupancy {
    start: Vec<(StateId, f64)>,
    n_states: usize,
    labels: Vec<(String, Vec<StateId>)>,
    /// What never happens: with it the chain of a policy goes on for ever.
    never: Event,
}

impl Occupancy {
    /// From the MDP's start.
    #[must_use]
    pub fn new(mdp: &Mdp) -> Self {
        let labels = mdp.state_labels().iter();
        Self {
            start: mdp.start().to_vec(),
            n_states: mdp.n_states(),
            labels: labels.map(|(l, s)| (l.clone(), s.clone())).collect(),
            never: Event {
                label: String::new(),
                target: Target::States(vec![false; mdp.n_states()]),
                steps: None,
                ties: Ties::Even,
                timed: false,
            },
        }
    }

    /// Visits along a path that happens with certainty. `None` where anything is open or uncertain.
    fn certain_path(&self, look: &mut Look<'_>) -> Option<Vec<Observed>> {
        let &[(mut state, _)] = &self.start[..] else {
            return None;
        };
        let mut path = Vec::new();
        look.forget_marks();
        while look.mark(state) {
            path.push(state);
            let decided = look.decide(state);
            if !decided.is_sure() || decided.optimal > 1 && !look.is_one_way(state) {
                return None;
            }
            state = look.certain_successor(decided.greedy)?;
        }
        let gamma = look.discount().used();
        let first = path.iter().position(|s| *s == state)?;
        // Round and round: 1 - gamma^L is (1 - gamma)(1 + gamma + ... + gamma^(L - 1)), which does not cancel.
        let round: f64 = (first..path.len()).fold(0.0, |sum, _| 1.0 + gamma * sum);
        let rounds = 1.0 / (look.discount().complement() * round);
        let mut visits = vec![Observed::sure(0.0); self.n_states];
        let mut weight = 1.0;
        for (at, s) in path.iter().enumerate() {
            let times = if at < first { 1.0 } else { rounds };
            visits[s.index()] = Observed::sure(weight * times);
            weight *= gamma;
        }
        Some(visits)
    }

    /// Visits of an agent that takes every choice of a state with the same probability, `[n_states]`.
    pub(super) fn by_chance(&self, mdp: &Mdp, discount: Discount) -> Vec<f64> {
        let arena = Arena::of_policy(&self.never, &self.start, mdp, Policy::Even, None);
        let chain = arena.chain(&|_, _| None);
        let (found, _) = chain.visits(arena.start(), discount.used(), discount.complement());
        let mut visits = vec![0.0; self.n_states];
        for (state, value) in arena.ids().iter().zip(&found) {
            visits[state.index()] = *value;
        }
        visits
    }

    /// Visits of an agent that follows another rule.
    fn acted(&self, acting: &Acting, look: &Look<'_>) -> Vec<Observed> {
        let (gamma, complement) = (look.discount().used(), look.discount().complement());
        let mut visits = vec![Observed::sure(0.0); self.n_states];
        let mut open = false;
        let mut missing = 0.0;
        for (weight, policy) in acting.policies() {
            let arena =
                Arena::of_policy(&self.never, &self.start, look.mdp(), policy, look.turns());
            open |= arena.ids().iter().any(|s| acting.open[s.index()]);
            let chain = arena.chain(&|_, _| None);
            let (found, left) = chain.visits(arena.start(), gamma, complement);
            missing += weight * left;
            for (state, value) in arena.ids().iter().zip(&found) {
                visits[state.index()].value += weight * value;
            }
        }
        for x in &mut visits {
            x.low = if open { 0.0 } else { x.value };
            x.high = match open {
                true => 1.0 / complement,
                false if x.value > 0.0 => x.value + missing,
                false => x.value,
            };
        }
        visits
    }

    fn uncertain(&self, look: &mut Look<'_>) -> Vec<Observed> {
        let arena = Arena::new(&self.never, &self.start, look);
        let chain: Chain = arena.chain(&|_, _| None);
        let gamma = look.discount().used();
        let most = 1.0 / look.discount().complement();
        let (found, missing) = chain.visits(arena.start(), gamma, look.discount().complement());
        let mut visits = vec![Observed::sure(0.0); self.n_states];
        for (state, &value) in arena.ids().iter().zip(&found) {
            visits[state.index()] = Observed {
                value,
                low: if arena.is_open() { 0.0 } else { value },
                high: match (arena.is_open(), missing > 0.0) {
                    (true, _) => most,
                    (false, true) => value + missing,
                    (false, false) => value,
                },
            };
        }
        visits
    }
}

/// The sum over some states.
fn sum(visits: &[Observed], states: &[StateId], most: f64) -> Observed {
    let part =
        |of: fn(&Observed) -> f64| states.iter().map(|s| of(&visits[s.index()])).sum::<f64>();
    let (value, low, high) = (part(|v| v.value), part(|v| v.low), part(|v| v.high));
    Observed {
        value,
        low,
        high: if high > value {
            high.min(most.max(value))
        } else {
            value
        },
    }
}

impl Statistic for Occupancy {
    fn name(&self) -> &'static str {
        "occupancy"
    }

    fn is_of_behaviour(&self) -> bool {
        true
    }

    fn n_columns(&self) -> usize {
        self.n_states + self.labels.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let visits = match look.acting() {
            Some(acting) => self.acted(acting, look),
            None => match self.certain_path(look) {
                Some(visits) => visits,
                None => self.uncertain(look),
            },
        };
        visits.iter().for_each(|&v| row.push_observed(v));
        let most = 1.0 / look.discount().complement();
        for (_, states) in &self.labels {
            row.push_observed(sum(&visits, states, most));
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = 0..self.n_columns();
        // Up to 1/(1 - gamma); the units leave room for a billion goals at any discount.
        let scale = PowerScale::new(0.0, 1_024.0);
        let each = columns.map(|column| Quantity::mean(column, Map::Identity, scale));
        each.collect()
    }

    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        let states = mdp
            .states()
            .map(|s| Comparable::about_state(Key::text(mdp.state_name(s))));
        let labels = self.labels.iter().map(|(label, _)| {
            let mut of = Comparable::about_state(Key::Missing);
            of[2] = Key::text(label);
            of
        });
        let each = states.chain(labels).zip(self.quantities());
        each.map(|(of, quantity)| Comparable {
            statistic: self.name(),
            of,
            measure: "visits",
            quantity,
            width: None,
            rounding: 0.0,
        })
        .collect()
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let states = mdp
            .states()
            .map(|s| (Key::text(mdp.state_name(s)), Key::Missing));
        let labels = self.labels.iter();
        let labels = labels.map(|(label, _)| (Key::Missing, Key::text(label)));
        let quantities = self.quantities();
        let rows = states
            .chain(labels)
            .enumerate()
            .map(|(column, (state, label))| {
                let at = first + column;
                let visits = sums.estimate(at, &quantities[column], level);
                TableRow {
                    keys: vec![state, label],
                    measures: vec![
                        Measure::Estimate(visits),
                        Measure::Number(sums.undecided(at)),
                    ],
                }
            });
        vec![Table {
            name: self.name(),
            keys: &[("state", KeyKind::Text), ("label", KeyKind::Text)],
            measures: &["visits", "undecided"],
            rows: rows.collect(),
        }]
    }
}

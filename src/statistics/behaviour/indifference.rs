//! What an end would have to pay for an agent to be indifferent between it and all else: how often it is avoided, for every reward it may have, from one run.
//!
//! Where an end is got to by choices of the start alone, and nothing else leads to it, its reward c (paid for ever) is independent of what the best other choice is worth, X. The end is avoided
//! where X > c: with probability P(X > c) by goals that give it c, and E F(X) where it is drawn from a law F. That is what averaging over the end's reward comes to (Rao and Blackwell), whatever that
//! was in the run.

use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::{Mdp, reachable};
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Key, KeyKind, Map, Measure, Observed, ObservedSums, PowerScale, Quantity, Row,
    Table, TableRow,
};
use crate::units::{ChoiceId, StateId};

/// Steps between edges.
const BINS: usize = 64;

/// For every end: one column, what the best other choice of the start is worth, `(1 - gamma) V` of what it leads to.
#[derive(Clone, Debug)]
pub struct Indifference {
    ends: Vec<End>,
    law: LawScale,
    /// Ascending, `BINS + 1` of them.
    edges: Vec<f64>,
}

/// An end, and what can be done instead.
#[derive(Clone, Debug)]
pub struct End {
    state: StateId,
    others: Vec<ChoiceId>,
}

impl End {
    /// An end that choices of the one start lead to for certain, and no other choice at all. `None` where a state is none.
    #[must_use]
    pub fn of(mdp: &Mdp, state: StateId) -> Option<Self> {
        let &[(start, _)] = mdp.start() else {
            return None;
        };
        let ends = |c: ChoiceId| match mdp.row(c).0 {
            // What follows a state that pays once draws nothing.
            &[to] => to == state.0 || mdp.reward_coordinate()[to as usize].is_none(),
            _ => false,
        };
        if state == start || !mdp.choices(state).all(ends) {
            return None;
        }
        let (ending, others): (Vec<ChoiceId>, Vec<ChoiceId>) =
            mdp.choices(start).partition(|c| mdp.row(*c).0 == [state.0]);
        let after = others.iter().flat_map(|c| mdp.row(*c).0);
        // What leads back to the start leads on to the end.
        let found = reachable(mdp, after.map(|s| StateId(*s)));
        let is_apart = !found[state.index()] && !ending.is_empty() && !others.is_empty();
        is_apart.then_some(Self { state, others })
    }
}

impl Indifference {
    /// For some ends, with edges where the law's rewards lie.
    #[must_use]
    pub fn new(ends: Vec<End>, law: LawScale) -> Self {
        let (low, high) = law.edges;
        let edge = |i: usize| low + i as f64 / BINS as f64 * (high - low);
        Self {
            ends,
            law,
            edges: (0..=BINS).map(edge).collect(),
        }
    }

    /// The price of an end.
    fn price(&self, column: usize) -> Quantity {
        // The units leave room for numbers of a thousand scales.
        let scale = PowerScale::new(self.law.mean, 1_024.0 * self.law.scale);
        Quantity::mean(column, Map::Identity, scale)
    }

    /// Quantities of an end: the mean, and the share above each edge.
    const EACH: usize = BINS + 2;
}

impl Statistic for Indifference {
    fn name(&self) -> &'static str {
        "indifference"
    }

    fn n_columns(&self) -> usize {
        self.ends.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let half_width = look.worth_half_width();
        for end in &self.ends {
            let worths = end.others.iter().map(|c| look.next_worth(*c));
            let value = worths.fold(f64::NEG_INFINITY, f64::max);
            row.push_observed(Observed {
                value,
                low: value - half_width,
                high: value + half_width,
            });
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let each = (0..self.ends.len()).flat_map(|column| {
            let mean = self.price(column);
            let above = self.edges.iter();
            let above = above.map(move |edge| Quantity::share(column, Map::Above(*edge)));
            std::iter::once(mean).chain(above)
        });
        each.collect()
    }

    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        let each = self.ends.iter().enumerate();
        each.map(|(column, end)| Comparable {
            statistic: self.name(),
            of: Comparable::about_state(Key::text(mdp.state_name(end.state))),
            measure: "price",
            quantity: self.price(column),
            width: None,
            rounding: 0.0,
        })
        .collect()
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let estimate = |at: usize| {
            let e = sums.estimate(first + at, &quantities[at], level);
            Measure::Estimate(e)
        };
        let name = |end: &End| Key::text(mdp.state_name(end.state));
        let prices = self.ends.iter().enumerate().map(|(i, end)| TableRow {
            keys: vec![name(end)],
            measures: vec![estimate(i * Self::EACH)],
        });
        let curves = self.ends.iter().enumerate().flat_map(|(i, end)| {
            let edges = self.edges.iter().enumerate();
            edges.map(move |(edge, at)| TableRow {
                keys: vec![name(end), Key::Count(edge as u64)],
                measures: vec![Measure::Number(*at), estimate(i * Self::EACH + 1 + edge)],
            })
        });
        vec![
            Table {
                name: self.name(),
                keys: &[("end", KeyKind::Text)],
                measures: &["price"],
                rows: prices.collect(),
            },
            Table {
                name: "avoidance",
                keys: &[("end", KeyKind::Text), ("edge", KeyKind::Count)],
                measures: &["pays", "avoid"],
                rows: curves.collect(),
            },
        ]
    }
}

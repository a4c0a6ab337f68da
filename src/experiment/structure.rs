//! Structure beside behaviour, as tables: what states leave open, how that goes with POWER by rank, and the theorems that hold, with what was measured.

use super::CellStatistics;
use crate::mdp::{Influence, Theorem, VisitDistributions};
use crate::statistics::{
    Estimate, Key, KeyKind, Measure, Table, TableRow, kendall, order_of, order_of_estimates,
    spearman,
};
use crate::units::{ChoiceId, Limit, StateId};

/// Most states whose pairs are compared by rank.
const MOST_RANKED: usize = 1_000;

/// A number of every state; `None` where it is not defined.
type OfStates = Vec<Option<f64>>;

/// What structure alone says of every state, by name.
fn measures(influence: &Influence) -> [(&'static str, OfStates); 5] {
    let counts = |list: &[usize]| list.iter().map(|x| Some(*x as f64)).collect();
    let visits = |of: fn(&VisitDistributions) -> usize| {
        let each = influence.visits.iter();
        each.map(|v| Some(of(v.as_ref()?) as f64)).collect()
    };
    [
        ("reachable", counts(&influence.reachable)),
        ("ends", counts(&influence.ends)),
        ("empowerment", influence.empowerment.clone()),
        ("visit_distributions", visits(|v| v.all)),
        ("non_dominated", visits(|v| v.non_dominated)),
    ]
}

fn number(x: Option<f64>) -> Measure {
    x.map_or(Measure::Missing, Measure::Number)
}

impl CellStatistics {
    /// The tables `structure`, `ranks` and, of optimal agents, `theorems`; `steps` are those of the empowerment.
    #[must_use]
    pub fn structure(&self, steps: u32) -> Vec<Table> {
        let all = measures(&Influence::of(&self.mdp, steps));
        let mut tables = vec![self.states_table(&all)];
        tables.extend(self.ranks(&all));
        tables.extend(self.theorems());
        tables
    }

    /// With these tables behind the others.
    pub(super) fn with_structure(mut self, steps: u32) -> Self {
        let tables = self.structure(steps);
        self.tables.extend(tables);
        self
    }

    fn states_table(&self, all: &[(&'static str, OfStates); 5]) -> Table {
        let rows = self.mdp.states().map(|state| TableRow {
            keys: vec![Key::text(self.mdp.state_name(state))],
            measures: all
                .iter()
                .map(|(_, of)| number(of[state.index()]))
                .collect(),
        });
        Table {
            name: "structure",
            keys: &[("state", KeyKind::Text)],
            measures: &[
                "reachable",
                "ends",
                "empowerment",
                "visit_distributions",
                "non_dominated",
            ],
            rows: rows.collect(),
        }
    }

    /// How each of them goes with POWER: Kendall's tau-b over pairs of states whose POWER is told apart (whose intervals `low .. high` do not overlap), Spearman's rho of the estimates; both over the
    /// `states` for which it is defined. `None` beyond 1,000 states.
    fn ranks(&self, all: &[(&'static str, OfStates); 5]) -> Option<Table> {
        if self.power.len() != self.mdp.n_states() || self.power.len() > MOST_RANKED {
            return None;
        }
        let rows = all.iter().map(|(name, values)| {
            let known: Vec<usize> = (0..values.len()).filter(|s| values[*s].is_some()).collect();
            let numbers: Vec<f64> = known.iter().filter_map(|s| values[*s]).collect();
            let power: Vec<Estimate> = known.iter().map(|s| self.power[*s]).collect();
            let estimates: Vec<f64> = power.iter().map(|e| e.estimate).collect();
            let order = order_of(&numbers, |a, b| a > b);
            TableRow {
                keys: vec![Key::text(name)],
                measures: vec![
                    Measure::Number(known.len() as f64),
                    number(kendall(&order, &order_of_estimates(&power))),
                    number(spearman(&numbers, &estimates)),
                ],
            }
        });
        Some(Table {
            name: "ranks",
            keys: &[("measure", KeyKind::Text)],
            measures: &["states", "kendall", "spearman"],
            rows: rows.collect(),
        })
    }

    /// Theorems whose conditions the graph meets, with what they promise and what was measured. They are about optimal agents.
    fn theorems(&self) -> Option<Table> {
        if self.rule != "optimal" {
            return None;
        }
        let mdp = &self.mdp;
        let estimate = |e: Option<Estimate>| e.map_or(Measure::Missing, Measure::Estimate);
        let action = |choice: ChoiceId| Key::text(mdp.action_name(choice));
        let state_of = |choice: ChoiceId| Key::text(mdp.state_name(mdp.state_of(choice)));
        let all = Theorem::of(mdp, self.discount);
        let rows = all.iter().map(|theorem| {
            let (keys, measured) = match theorem {
                Theorem::Copy { more, less, .. } => (
                    [state_of(*more), action(*more), action(*less)],
                    [
                        self.power_after(*more),
                        self.power_after(*less),
                        self.share_of(*more),
                        self.share_of(*less),
                    ],
                ),
                Theorem::End { end, .. } => (
                    [Key::text(mdp.state_name(*end)), Key::Missing, Key::Missing],
                    [None, None, self.avoids(*end), None],
                ),
                Theorem::Shutdown { choice, .. } => (
                    [state_of(*choice), action(*choice), Key::Missing],
                    [
                        None,
                        None,
                        self.share_of(*choice).map(|e| e.complement()),
                        None,
                    ],
                ),
            };
            let promise = std::iter::once(number(theorem.share()));
            TableRow {
                keys: std::iter::once(Key::text(theorem.source()))
                    .chain(keys)
                    .collect(),
                measures: promise.chain(measured.map(estimate)).collect(),
            }
        });
        let rows: Vec<TableRow> = rows.collect();
        (!rows.is_empty()).then_some(Table {
            name: "theorems",
            keys: &[
                ("theorem", KeyKind::Text),
                ("state", KeyKind::Text),
                ("action", KeyKind::Text),
                ("over", KeyKind::Text),
            ],
            measures: &["promised", "power", "power_over", "share", "share_over"],
            rows,
        })
    }

    /// POWER of the state after a choice: a mean of states', whose intervals add up.
    #[must_use]
    pub fn power_after(&self, choice: ChoiceId) -> Option<Estimate> {
        let (to, p) = self.mdp.row(choice);
        let each: Option<Vec<&Estimate>> = to.iter().map(|s| self.power.get(*s as usize)).collect();
        let each = each?;
        let sum =
            |of: fn(&Estimate) -> f64| -> f64 { each.iter().zip(p).map(|(e, p)| p * of(e)).sum() };
        Some(Estimate {
            estimate: sum(|e| e.estimate),
            std_error: each
                .iter()
                .zip(p)
                .map(|(e, p)| Some(p * e.std_error?))
                .sum(),
            ci_low: sum(|e| e.ci_low),
            ci_high: sum(|e| e.ci_high),
            bound: sum(|e| e.bound),
            bound_max: each.iter().map(|e| e.bound_max).fold(0.0, f64::max),
            low: sum(|e| e.low),
            high: sum(|e| e.high),
            ..**each.first()?
        })
    }

    /// In which share of goals a choice is optimal, ties split; where that was asked.
    #[must_use]
    pub fn share_of(&self, choice: ChoiceId) -> Option<Estimate> {
        let table = self.table("optimality")?;
        let state = self.mdp.state_name(self.mdp.state_of(choice));
        let keys = [Key::text(state), Key::text(self.mdp.action_name(choice))];
        let row = table.rows.iter().find(|row| row.keys[..2] == keys)?;
        table.measure(row, "fractional")?.estimate().copied()
    }

    /// How often an end is avoided at the limit ->1; where that was asked.
    #[must_use]
    pub fn avoids(&self, end: StateId) -> Option<Estimate> {
        let at_one = self.discount.limit() == Some(Limit::One);
        let table = at_one.then(|| self.table("events")).flatten()?;
        let name = Key::text(self.mdp.state_name(end));
        let row = table.rows.iter().find(|row| row.keys[0] == name)?;
        table.measure(row, "avoid")?.estimate().copied()
    }
}

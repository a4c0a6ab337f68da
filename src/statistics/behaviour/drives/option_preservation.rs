//! Keeping options: POWER of where the agent goes, beside that of where chance would go.

use super::product::{Product, scaled};
use super::{Drive, Finding, Kind, Means, World};
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::behaviour::choices::Choices;
use crate::statistics::behaviour::look::Look;
use crate::statistics::behaviour::occupancy::Occupancy;
use crate::statistics::behaviour::optimality::Optimality;
use crate::statistics::{Estimate, Map, PowerScale, Quantity, Row};
use crate::units::{Limit, StateId};

pub(super) const KIND: Kind = Kind {
    name: "option-preservation",
    definition: "POWER after the agent's first choice; along the path: of the states it is in, weighted with discounted time; gain: less that of an agent by chance",
    needs: "optimal choices or a policy from outside, at most 256 states, and a discount other than ->0",
    label: None,
    most_columns,
    splits: false,
    find,
};

/// Most states whose POWER is looked at.
const MOST: usize = 256;

/// Columns: the POWER integrand of every state and the half-width of all of them, probabilities of the first choices, discounted visits.
#[derive(Debug)]
struct Options {
    n_states: usize,
    first: Choices,
    /// Every first choice, in the order of columns.
    leads: Vec<Lead>,
    visits: Option<Occupancy>,
    /// Visits by chance, `[n_states]`.
    by_chance: Vec<f64>,
    /// `1 - gamma`.
    complement: f64,
    scale: f64,
}

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    let limit = world.discount.limit();
    if mdp.n_states() > MOST || limit == Some(Limit::Zero) || !world.knows_optimum {
        return None;
    }
    let states: Vec<StateId> = mdp.start().iter().map(|(s, _)| *s).collect();
    let leads = mdp.start().iter().flat_map(|&(state, start)| {
        let by_chance = 1.0 / mdp.choices(state).len() as f64;
        mdp.choices(state).map(move |choice| {
            let (to, q) = mdp.row(choice);
            let to = to.iter().map(|s| StateId(*s));
            Lead {
                start,
                by_chance,
                to: to.zip(q.iter().copied()).collect(),
            }
        })
    });
    let visits = limit.is_none().then(|| Occupancy::new(mdp));
    let by_chance = visits.as_ref().map(|v| v.by_chance(mdp, world.discount));
    Some(Box::new(Options {
        n_states: mdp.n_states(),
        leads: leads.collect(),
        first: Choices::new(Optimality::new(mdp, &states, &[])),
        by_chance: by_chance.unwrap_or_default(),
        visits,
        complement: world.discount.complement(),
        scale: world.law.scale,
    }))
}

/// A column for every state, its visits and each of the first choices, and the half-width.
fn most_columns(mdp: &Mdp) -> usize {
    if mdp.n_states() > MOST {
        return 0;
    }
    let states: Vec<StateId> = mdp.start().iter().map(|(s, _)| *s).collect();
    let first = Choices::new(Optimality::new(mdp, &states, &[]));
    mdp.n_states() + 1 + first.n_columns() + Occupancy::new(mdp).n_columns()
}

/// A first choice.
#[derive(Debug)]
struct Lead {
    /// The probability of its state.
    start: f64,
    /// Its share by chance.
    by_chance: f64,
    to: Vec<(StateId, f64)>,
}

impl Options {
    /// POWER of a state: its quantity, with the half-width of all of them.
    fn power(&self, means: &Means<'_>, state: StateId) -> Estimate {
        let width = means.estimate(self.n_states);
        means.estimate(state.index()).widened(width.estimate)
    }

    /// The first quantity of the visits.
    fn first_visits(&self) -> usize {
        self.n_states + 1 + self.first.n_columns()
    }

    /// What an agent has and what it gains: weights of the agent and of chance, each with the POWER it is of.
    fn both(
        &self,
        (has, gains): (&str, &str),
        (means, undecided): (&Means<'_>, f64),
        terms: &[(Estimate, f64, Estimate)],
    ) -> [Finding; 2] {
        let own: Vec<_> = terms.iter().map(|(w, _, x)| (*w, *x)).collect();
        let more = terms.iter().map(|(w, by_chance, x)| {
            let estimate = w.estimate - by_chance;
            (Estimate { estimate, ..*w }, *x)
        });
        let more: Vec<_> = more.collect();
        let by_chance: f64 = terms.iter().map(|(_, c, x)| c * x.estimate).sum();
        let n = means.sums.goals;
        let found = |quantity: &str, terms: &[(Estimate, Estimate)], chance| Finding {
            quantity: quantity.to_owned(),
            estimate: Some(Product::of(terms).estimate(n, means.level)),
            chance: Some(chance),
            least: None,
            undecided,
        };
        [found(has, &own, by_chance), found(gains, &more, 0.0)]
    }
}

impl Drive for Options {
    fn n_columns(&self) -> usize {
        self.first_visits() + self.visits.as_ref().map_or(0, Statistic::n_columns)
    }

    fn looks_at_optimum(&self) -> bool {
        true
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let mut widest = 0.0_f64;
        for state in (0..self.n_states as u32).map(StateId) {
            let (integrand, half_width) = look.optimal_integrand(state);
            row.push(integrand);
            // A NaN must surface.
            widest = if half_width <= widest {
                widest
            } else {
                half_width
            };
        }
        row.push(widest);
        self.first.observe(look, row);
        if let Some(visits) = &self.visits {
            visits.observe(look, row);
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1_024.0 * self.scale);
        let powers = (0..=self.n_states).map(|c| Quantity::mean(c, Map::Identity, scale));
        let shifted = |list: Vec<Quantity>, first: usize| {
            let each = list.into_iter();
            each.map(move |q| q.shifted(first))
        };
        let visits = self.visits.as_ref().map(Statistic::quantities);
        powers
            .chain(shifted(self.first.quantities(), self.n_states + 1))
            .chain(shifted(visits.unwrap_or_default(), self.first_visits()))
            .collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let mut terms = Vec::new();
        let mut undecided = 0.0_f64;
        for (at, lead) in self.leads.iter().enumerate() {
            let at = self.n_states + 1 + at;
            let share = means.estimate(at);
            undecided = undecided.max(means.undecided(at));
            terms.extend(lead.to.iter().map(|&(state, q)| {
                let q = lead.start * q;
                (
                    scaled(share, q),
                    q * lead.by_chance,
                    self.power(means, state),
                )
            }));
        }
        let names = ("first choice", "first choice: gain");
        let mut all = self.both(names, (means, undecided), &terms).to_vec();
        if self.visits.is_some() {
            let visits = (0..self.n_states).map(|s| {
                // A state has one quantity, its visits.
                let visits = means.estimate(self.first_visits() + s);
                let weight = scaled(visits, self.complement);
                let by_chance = self.complement * self.by_chance[s];
                (weight, by_chance, self.power(means, StateId(s as u32)))
            });
            let terms: Vec<_> = visits.collect();
            let names = ("along the path", "along the path: gain");
            all.extend(self.both(names, (means, undecided), &terms));
        }
        all
    }
}

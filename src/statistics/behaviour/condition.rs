//! Which goals belong: those whose optimal policy does given things.

use super::events::{Event, Events};
use super::look::Look;
use super::optimality::{Options, share_of_set};
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Key, KeyKind, Map, Measure, Observed, ObservedSums, Quantity, Row, Table, TableRow,
};

/// Chances closer than this to a threshold reach it: they are known up to rounding of that size.
const SHARP: f64 = 1e-12;

/// One thing that the optimal policy of a goal must do.
#[derive(Clone, Debug)]
pub(in crate::statistics) struct Part {
    /// What it is called in tables.
    pub(in crate::statistics) name: String,
    /// What it is.
    pub(in crate::statistics) demand: Demand,
}

#[derive(Clone, Debug)]
pub(in crate::statistics) enum Demand {
    /// In every one of these states some optimal choice, or where `strict` every one, is in the set.
    Optimal { sets: Vec<Options>, strict: bool },
    /// The event happens, or does not, with at least this probability, from the start and with ties split evenly.
    Happens {
        event: Event,
        events: Events,
        happens: bool,
        probability: f64,
    },
}

/// Goals that meet every part of a condition.
///
/// Columns: whether a goal meets all parts, then for every part whether it meets that: 1 or 0, with a bracket where it is not known. It
/// has no sums of its own: whoever sums over the goals that belong sums these columns over all goals.
#[derive(Clone, Debug)]
pub struct Condition {
    parts: Vec<Part>,
}

impl Condition {
    pub(in crate::statistics) fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// What share of all goals meets all parts, and each of them. The quantities are those of [`Self::shares`].
    #[must_use]
    pub fn table(&self, sums: &ObservedSums, level: f64) -> Table {
        let names = std::iter::once("all").chain(self.parts.iter().map(|p| p.name.as_str()));
        let shares = self.shares(0);
        let rows = names.zip(&shares).enumerate();
        let rows = rows.map(|(at, (name, share))| TableRow {
            keys: vec![Key::text(name)],
            measures: vec![
                Measure::Estimate(sums.estimate(at, share, level)),
                Measure::Number(sums.undecided(at)),
            ],
        });
        Table {
            name: self.name(),
            keys: &[("part", KeyKind::Text)],
            measures: &["accepted", "undecided"],
            rows: rows.collect(),
        }
    }

    /// The shares over all goals, one for each column; the first column is `first`.
    #[must_use]
    pub fn shares(&self, first: usize) -> Vec<Quantity> {
        let columns = first..first + self.n_columns();
        columns
            .map(|column| Quantity::share(column, Map::Identity))
            .collect()
    }
}

impl Demand {
    fn is_met(&self, look: &mut Look<'_>) -> Observed {
        match self {
            Self::Optimal { sets, strict } => {
                let map = if *strict { Map::One } else { Map::Positive };
                sets.iter().fold(Observed::sure(1.0), |all, options| {
                    look.decide(options.state);
                    let standings = options.choices.iter().map(|&c| look.standing(c));
                    let set = options.set.as_ref();
                    let members = set.into_iter().flat_map(|(_, members)| members);
                    let share = share_of_set(standings.zip(members.copied()));
                    both(all, mapped(share, |x| map.of(x)))
                })
            }
            Self::Happens {
                event,
                events,
                happens,
                probability,
            } => {
                let chance = events.chance(event, look);
                let chance = match happens {
                    true => chance,
                    false => Observed {
                        value: 1.0 - chance.value,
                        low: 1.0 - chance.high,
                        high: 1.0 - chance.low,
                    },
                };
                mapped(chance, |x| f64::from(u8::from(x >= probability - SHARP)))
            }
        }
    }
}

fn mapped(observed: Observed, map: impl Fn(f64) -> f64) -> Observed {
    Observed {
        value: map(observed.value),
        low: map(observed.low),
        high: map(observed.high),
    }
}

/// Whether both are so.
fn both(a: Observed, b: Observed) -> Observed {
    Observed {
        value: a.value.min(b.value),
        low: a.low.min(b.low),
        high: a.high.min(b.high),
    }
}

impl Statistic for Condition {
    fn name(&self) -> &'static str {
        "condition"
    }

    fn n_columns(&self) -> usize {
        1 + self.parts.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let parts: Vec<Observed> = self.parts.iter().map(|p| p.demand.is_met(look)).collect();
        row.push_observed(parts.iter().copied().fold(Observed::sure(1.0), both));
        parts.into_iter().for_each(|part| row.push_observed(part));
    }

    fn quantities(&self) -> Vec<Quantity> {
        Vec::new()
    }

    fn per_goal(&self, _: &crate::mdp::Mdp) -> Vec<(String, usize)> {
        let names = std::iter::once("all").chain(self.parts.iter().map(|p| p.name.as_str()));
        let named = names.enumerate();
        named
            .map(|(column, name)| (format!("condition:{name}"), column))
            .collect()
    }

    fn tables(&self, _: &crate::mdp::Mdp, _: &ObservedSums, _: usize, _: f64) -> Vec<Table> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_surely_not_met_settles_the_whole() {
        let open = Observed {
            value: 1.0,
            low: 0.0,
            high: 1.0,
        };
        assert_eq!(both(open, Observed::sure(0.0)), Observed::sure(0.0));
        assert_eq!(both(open, Observed::sure(1.0)), open);
    }
}

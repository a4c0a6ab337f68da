//! Numbers that a goal program makes of several linked solves: their means, and for how many goals they are above, at and below zero.

use super::look::Look;
use crate::mdp::Mdp;
use crate::program::{GoalProgram, Sign};
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Key, KeyKind, Map, Measure, Observed, ObservedSums, PowerScale, Quantity, Row, Table, TableRow,
};

/// The readings of a goal program.
///
/// Columns: per reading the number, and where it is signed whether it is above zero, tied with it, and below.
#[derive(Clone, Debug)]
pub struct Readings {
    /// Name, and whether it is signed.
    readings: Vec<(String, bool)>,
    /// What ties are relative to, and sums are taken in units of.
    scale: f64,
}

/// Columns beside the number itself of a signed reading.
const SIGNS: [Sign; 3] = [Sign::Above, Sign::Tied, Sign::Below];

impl Readings {
    /// Of a program whose law has this scale; `None` where it reads nothing.
    #[must_use]
    pub fn of(program: &GoalProgram, scale: f64) -> Option<Self> {
        let each = program.readings().iter();
        let readings: Vec<_> = each.map(|r| (r.name.clone(), r.signed)).collect();
        (!readings.is_empty()).then_some(Self { readings, scale })
    }

    /// Numbers per goal that a program's readings are.
    #[must_use]
    pub fn columns_of(program: &GoalProgram) -> usize {
        Self::of(program, 1.0).map_or(0, |readings| readings.n_columns())
    }

    /// Appends the numbers of a goal with these readings.
    #[inline]
    pub fn push(&self, readings: &[Observed], row: &mut Row<'_>) {
        for (&observed, (_, signed)) in readings.iter().zip(&self.readings) {
            row.push_observed(observed);
            if *signed {
                let found = sign_of(observed, self.scale);
                let each = SIGNS.into_iter();
                each.for_each(|sign| row.push_observed(is_sign(found, sign)));
            }
        }
    }

    /// First column of every reading.
    fn columns(&self) -> impl Iterator<Item = (&str, bool, usize)> {
        let mut next = 0;
        self.readings.iter().map(move |(name, signed)| {
            let first = next;
            next += if *signed { 1 + SIGNS.len() } else { 1 };
            (name.as_str(), *signed, first)
        })
    }
}

/// The sign of a number, and whether it is open: then by the number found.
fn sign_of(observed: Observed, scale: f64) -> (Sign, bool) {
    let half_width = (observed.high - observed.value).max(observed.value - observed.low);
    match Sign::of(observed.value, half_width, scale) {
        Sign::Open => {
            let greedy = match observed.value {
                x if x > 0.0 => Sign::Above,
                x if x < 0.0 => Sign::Below,
                _ => Sign::Tied,
            };
            (greedy, true)
        }
        sign => (sign, false),
    }
}

/// Whether a sign is the wanted one; where it is open nothing about it is certain.
fn is_sign((sign, is_open): (Sign, bool), wanted: Sign) -> Observed {
    let is_so = Observed::sure(f64::from(u8::from(sign == wanted)));
    match is_open {
        true => Observed {
            low: 0.0,
            high: 1.0,
            ..is_so
        },
        false => is_so,
    }
}

/// Whether a number has a sign, which may be open.
pub(super) fn has_sign(observed: Observed, scale: f64, wanted: Sign) -> Observed {
    is_sign(sign_of(observed, scale), wanted)
}

impl Statistic for Readings {
    fn name(&self) -> &'static str {
        "readings"
    }

    fn n_columns(&self) -> usize {
        let last = self.columns().last();
        last.map_or(0, |(_, signed, first)| first + if signed { 4 } else { 1 })
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        self.push(look.readings(), row);
    }

    fn readings(&self) -> Option<&Readings> {
        Some(self)
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1_024.0 * self.scale);
        let mut all = Vec::new();
        for (_, signed, first) in self.columns() {
            all.push(Quantity::mean(first, Map::Identity, scale));
            if signed {
                let shares = first + 1..=first + SIGNS.len();
                all.extend(shares.map(|column| Quantity::share(column, Map::Identity)));
            }
        }
        all
    }

    fn per_goal(&self, _mdp: &Mdp) -> Vec<(String, usize)> {
        let numbers = self.columns();
        numbers
            .map(|(name, _, first)| (format!("readings:{name}"), first))
            .collect()
    }

    fn tables(&self, _mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let rows = self.columns().map(|(name, signed, column)| {
            // There is one quantity for every column.
            let estimate = |at: usize| {
                let estimate = sums.estimate(first + at, &quantities[at], level);
                Measure::Estimate(estimate)
            };
            let mut measures = vec![estimate(column)];
            match signed {
                true => {
                    measures.extend((1..=SIGNS.len()).map(|i| estimate(column + i)));
                    let open = (1..=SIGNS.len()).map(|i| sums.undecided(first + column + i));
                    measures.push(Measure::Number(open.fold(0.0, f64::max)));
                }
                false => measures.extend([Measure::Missing; SIGNS.len() + 1]),
            }
            TableRow {
                keys: vec![Key::text(name)],
                measures,
            }
        });
        vec![Table {
            name: self.name(),
            keys: &[("quantity", KeyKind::Text)],
            measures: &["mean", "above", "tied", "below", "undecided"],
            rows: rows.collect(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_sure_or_open() {
        let observed = |value: f64, half: f64| Observed {
            value,
            low: value - half,
            high: value + half,
        };
        let signs = |o: Observed| SIGNS.map(|sign| has_sign(o, 1.0, sign));
        let sure = |x: [f64; 3]| x.map(Observed::sure);
        assert_eq!(signs(observed(0.5, 0.1)), sure([1.0, 0.0, 0.0]));
        assert_eq!(signs(observed(1e-12, 1e-12)), sure([0.0, 1.0, 0.0]));
        assert_eq!(signs(observed(-0.5, 0.1)), sure([0.0, 0.0, 1.0]));
        let open = signs(observed(0.05, 0.1));
        assert_eq!(open.map(|o| o.value), [1.0, 0.0, 0.0]);
        assert!(open.iter().all(|o| (o.low, o.high) == (0.0, 1.0)));
    }
}

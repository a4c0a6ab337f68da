//! What agents do in a state: the probability of every choice, under any decision rule.

use super::glance::{Glance, Panel};
use super::look::Look;
use super::optimality::Optimality;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    KeyKind, Map, Measure, Observed, ObservedSums, Quantity, Row, Table, TableRow,
};
use crate::units::StateId;

/// Errors of a share below this are rounding, as in all probabilities.
const SHARP: f64 = 1e-12;

/// For choices of some states, and for named sets of choices: the expected probability that the agent takes one. Under the optimal rule,
/// which splits ties evenly, it is the fractional share of [`Optimality`].
#[derive(Clone, Debug)]
pub struct Choices {
    of: Optimality,
}

impl Choices {
    /// Of the choices and sets that `of` lists.
    #[must_use]
    pub fn new(of: Optimality) -> Self {
        Self { of }
    }
}

/// A probability whose relative error is `error`; `open` where nothing is known of it.
fn observed(share: f64, error: f64, open: bool) -> Observed {
    if open {
        return Observed {
            value: share,
            low: 0.0,
            high: 1.0,
        };
    }
    let off = share * error;
    // A NaN must surface.
    match off <= SHARP {
        true => Observed::sure(share),
        false => Observed {
            value: share,
            low: (share - off).clamp(0.0, 1.0),
            high: (share + off).clamp(0.0, 1.0),
        },
    }
}

impl Statistic for Choices {
    fn name(&self) -> &'static str {
        "choices"
    }

    fn is_of_behaviour(&self) -> bool {
        true
    }

    fn n_columns(&self) -> usize {
        self.of.n_columns()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for options in self.of.rows() {
            if let Some(acting) = look.acting() {
                let open = acting.open[options.state.index()];
                let shares = options.choices.iter().map(|c| acting.shares[c.index()]);
                match &options.set {
                    None => {
                        shares.for_each(|p| row.push_observed(observed(p, acting.error, open)));
                    }
                    Some((_, members)) => {
                        let inside = shares.zip(members).filter(|(_, member)| **member);
                        let share = inside.map(|(p, _)| p).sum::<f64>().min(1.0);
                        row.push_observed(observed(share, acting.error, open));
                    }
                }
                continue;
            }
            options.observe(look, row);
        }
    }

    fn glances_at(&self, _mdp: &Mdp) -> Option<Vec<StateId>> {
        self.of.crossings()
    }

    fn glance(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        self.of.read(glance, panel)
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = 0..self.n_columns();
        columns
            .map(|column| Quantity::share(column, Map::Identity))
            .collect()
    }

    fn per_goal(&self, mdp: &Mdp) -> Vec<(String, usize)> {
        let columns = self.of.columns().enumerate();
        let named = columns.map(|(column, (options, choice))| {
            let keys = options.keys(mdp, choice).into_iter();
            let keys = keys.filter_map(|key| match key {
                crate::statistics::Key::Text(name) => Some(format!(":{name}")),
                _ => None,
            });
            let keys: String = keys.collect();
            (format!("choices.probability{keys}"), column)
        });
        named.collect()
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let rows = self.of.columns().enumerate();
        let rows = rows.map(|(column, (options, choice))| {
            let at = first + column;
            let probability = sums.estimate(at, &quantities[column], level);
            TableRow {
                keys: options.keys(mdp, choice),
                measures: vec![
                    Measure::Estimate(probability),
                    Measure::Number(sums.undecided(at)),
                ],
            }
        });
        vec![Table {
            name: self.name(),
            keys: &[
                ("state", KeyKind::Text),
                ("action", KeyKind::Text),
                ("label", KeyKind::Text),
            ],
            measures: &["probability", "undecided"],
            rows: rows.collect(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_known_to_its_relative_error() {
        assert_eq!(observed(0.5, 1e-13, false), Observed::sure(0.5));
        let wide = observed(0.5, 1e-3, false);
        assert!((wide.high - 0.5005).abs() < 1e-12 && (wide.low - 0.4995).abs() < 1e-12);
        let open = observed(0.5, 0.0, true);
        assert_eq!((open.low, open.high), (0.0, 1.0));
        assert!(observed(0.5, f64::NAN, false).low.is_nan());
    }
}

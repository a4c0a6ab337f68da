//! Two cells compared goal by goal: what they have in common, and the difference of every number of it.
//!
//! Cells of two variants see the same goals, so that the difference of two means has the variance of the differences, which is far smaller than the sum of
//! both variances where goals fare alike in both (McNemar's test is the case of shares). The differences are columns that are appended to
//! a cell's observations; sums, blocks and bounds follow as for all others.

use std::ops::Range;

use super::{
    Conditioned, Estimate, Key, KeyKind, Map, Measure, Observations, Observed, ObservedSums,
    PowerScale, Quantity, Table, TableRow, Uncertain,
};

/// One number of a goal that another cell may have too.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparable {
    /// The statistic it belongs to.
    pub statistic: &'static str,
    /// What it is about: state, action, label, way to break ties, number of steps.
    pub of: [Key; 5],
    /// Which measure it is.
    pub measure: &'static str,
    /// Its column and what is taken of it.
    pub quantity: Quantity,
    /// The column that holds its half-width, where it has no bracket of its own.
    pub width: Option<usize>,
    /// How far a number may be off, beyond its bracket, that is neither 0 nor 1.
    pub rounding: f64,
}

impl Comparable {
    /// What a number is about, where that is a state.
    #[must_use]
    pub fn about_state(state: Key) -> [Key; 5] {
        [
            state,
            Key::Missing,
            Key::Missing,
            Key::Missing,
            Key::Missing,
        ]
    }

    /// Columns counted from `first`.
    #[must_use]
    pub fn shifted(self, first: usize) -> Self {
        Self {
            quantity: self.quantity.shifted(first),
            width: self.width.map(|c| c + first),
            ..self
        }
    }

    /// What it is called where names are all there is: `STATISTIC.MEASURE:KEYS`.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = match self.statistic == self.measure {
            true => self.measure.to_owned(),
            false => format!("{}.{}", self.statistic, self.measure),
        };
        for key in &self.of {
            match key {
                Key::Text(text) => name += &format!(":{text}"),
                Key::Count(n) => name += &format!(":{n}"),
                Key::Missing => {}
            }
        }
        name
    }

    fn is_same(&self, other: &Self) -> bool {
        self.statistic == other.statistic && self.of == other.of && self.measure == other.measure
    }
}

/// What a cell and its baseline have in common.
#[derive(Clone, Debug, Default)]
pub struct Contrast {
    /// Pairs of the cell's own number and the baseline's.
    pairs: Vec<(Comparable, Comparable)>,
    /// Which goals belong, by columns of the baseline that are taken over as they are.
    condition: Option<Conditioned>,
}

impl Contrast {
    /// Of two cells.
    #[must_use]
    pub fn between(own: &[Comparable], baseline: &[Comparable]) -> Self {
        let pairs = own.iter().filter_map(|number| {
            let same = baseline.iter().find(|other| number.is_same(other))?;
            Some((number.clone(), same.clone()))
        });
        Self {
            pairs: pairs.collect(),
            condition: None,
        }
    }

    /// The same, and which goals belong as the baseline has it.
    #[must_use]
    pub fn conditioned(self, condition: Option<&Conditioned>) -> Self {
        Self {
            condition: condition.cloned(),
            ..self
        }
    }

    /// Whether nothing of the baseline is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.condition.is_none()
    }

    /// Whether there is anything to compare.
    #[must_use]
    pub fn has_pairs(&self) -> bool {
        !self.pairs.is_empty()
    }

    /// Which goals belong, by the columns of joined rows; the first column that is appended is `first`.
    #[must_use]
    pub fn condition(&self, first: usize) -> Option<Conditioned> {
        let of_baseline = self.condition.as_ref()?;
        Some(Conditioned {
            condition: of_baseline.condition.clone(),
            first: first + self.n_differences(),
        })
    }

    /// The columns of the baseline that are taken over as they are.
    fn copied(&self) -> Range<usize> {
        self.condition.as_ref().map_or(0..0, Conditioned::columns)
    }

    /// Columns of differences, with that of the half-widths.
    fn n_differences(&self) -> usize {
        self.pairs.len() + usize::from(self.widths().is_some())
    }

    /// Numbers per goal that are appended.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.n_differences() + self.copied().len()
    }

    /// The columns of the half-widths, the cell's own and the baseline's. All numbers that need them share them.
    fn widths(&self) -> Option<(usize, usize)> {
        let mut widths = self
            .pairs
            .iter()
            .filter_map(|(own, base)| own.width.zip(base.width));
        widths.next()
    }

    /// A cell's observations of a block with the differences behind them. Both are of the same goals.
    ///
    /// # Panics
    ///
    /// If the numbers of goals differ.
    #[must_use]
    pub fn append(&self, own: &Observations, baseline: &Observations) -> Observations {
        assert_eq!(own.goals(), baseline.goals(), "the same goals");
        let mut joined = Observations::new(own.columns() + self.n_columns(), own.goals());
        let (mut open, mut open_baseline) = (own.uncertain(), baseline.uncertain());
        for (goal, (own, base)) in own.rows().zip(baseline.rows()).enumerate() {
            let own_open = of_goal(&mut open, goal);
            let base_open = of_goal(&mut open_baseline, goal);
            let mut row = joined.row();
            for column in 0..own.len() {
                row.push_observed(observed(own, own_open, column, Map::Identity));
            }
            for (number, other) in &self.pairs {
                let [x, y] = [(number, own, own_open), (other, base, base_open)]
                    .map(|(n, row, open)| observed(row, open, n.quantity.column, n.quantity.map));
                row.push_observed(Observed {
                    value: x.value - y.value,
                    low: x.low - y.high,
                    high: x.high - y.low,
                });
            }
            if let Some((own_width, base_width)) = self.widths() {
                // A bracket of this width on either side, so that its mean and its largest are kept.
                let width = own[own_width] + base[base_width];
                row.push_observed(Observed {
                    value: 0.0,
                    low: -width,
                    high: width,
                });
            }
            for column in self.copied() {
                row.push_observed(observed(base, base_open, column, Map::Identity));
            }
            row.finish();
        }
        joined
    }

    /// The means that are taken of the appended columns, the first of which is `first`.
    #[must_use]
    pub fn quantities(&self, first: usize) -> Vec<Quantity> {
        let differences = self.pairs.iter().enumerate().map(|(at, (own, _))| {
            let scale = PowerScale {
                shift: 0.0,
                ..own.quantity.scale
            };
            Quantity::mean(first + at, Map::Identity, scale)
        });
        let with_width = self.pairs.iter().find(|(own, _)| own.width.is_some());
        let width = with_width.map(|(own, _)| {
            let column = first + self.pairs.len();
            Quantity::mean(column, Map::Identity, own.quantity.scale)
        });
        differences.chain(width).collect()
    }

    /// The differences, the cell less its baseline; their quantities are those of `sums` from number `first` on. `power` makes an
    /// estimate of a difference of POWER one of its law.
    #[must_use]
    pub fn table(
        &self,
        sums: &ObservedSums,
        first: usize,
        level: f64,
        power: &dyn Fn(Estimate) -> Estimate,
    ) -> Table {
        let quantities = self.quantities(0);
        let estimate = |at: usize| {
            let quantity = &quantities[at];
            match self.pairs.get(at) {
                Some((own, _)) if own.quantity.is_share => {
                    sums.estimate_difference(first + at, quantity, level)
                }
                _ => sums.estimate(first + at, quantity, level),
            }
        };
        let width = self.widths().map(|_| estimate(self.pairs.len()));
        let rows = self.pairs.iter().enumerate().map(|(at, (own, _))| {
            let mut difference = estimate(at);
            if own.rounding > 0.0 && !sums.is_counted_signed(first + at) {
                // Of either number.
                difference = difference.widened(2.0 * own.rounding);
            }
            if let (Some(_), Some(width)) = (own.width, &width) {
                difference = power(Estimate {
                    bound_max: width.bound_max,
                    ..difference.widened(width.bound)
                });
            }
            TableRow {
                keys: [Key::text(own.statistic)]
                    .into_iter()
                    .chain(own.of.iter().cloned())
                    .chain([Key::text(own.measure)])
                    .collect(),
                measures: vec![Measure::Estimate(difference)],
            }
        });
        Table {
            name: "differences",
            keys: &[
                ("statistic", KeyKind::Text),
                ("state", KeyKind::Text),
                ("action", KeyKind::Text),
                ("label", KeyKind::Text),
                ("ties", KeyKind::Text),
                ("steps", KeyKind::Count),
                ("quantity", KeyKind::Text),
            ],
            measures: &["difference"],
            rows: rows.collect(),
        }
    }
}

/// Takes the brackets of a goal off the front of a list that is ascending by goal.
fn of_goal<'u>(open: &mut &'u [Uncertain], goal: usize) -> &'u [Uncertain] {
    let n = open.partition_point(|u| u.goal as usize <= goal);
    let (of, rest) = open.split_at(n);
    *open = rest;
    of
}

/// What is taken of a column, with its bracket.
fn observed(row: &[f64], open: &[Uncertain], column: usize, map: Map) -> Observed {
    let value = row[column];
    let bracket = open.iter().find(|u| u.column as usize == column);
    let (low, high) = bracket.map_or((value, value), |u| (u.low, u.high));
    Observed {
        value: map.of(value),
        low: map.of(low),
        high: map.of(high),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(column: usize, map: Map, width: Option<usize>) -> Comparable {
        Comparable {
            statistic: "s",
            of: [const { Key::Missing }; 5],
            measure: if width.is_some() { "wide" } else { "plain" },
            quantity: Quantity::share(column, map),
            width,
            rounding: 0.0,
        }
    }

    fn observations(rows: &[[Observed; 3]]) -> Observations {
        let mut all = Observations::new(3, rows.len());
        for values in rows {
            let mut row = all.row();
            values.iter().for_each(|&x| row.push_observed(x));
            row.finish();
        }
        all
    }

    #[test]
    fn differences_are_paired_and_keep_their_brackets() {
        let sure = Observed::sure;
        let open = Observed {
            value: 1.0,
            low: 0.0,
            high: 1.0,
        };
        let own = [
            number(0, Map::Positive, None),
            number(1, Map::Identity, Some(2)),
        ];
        // The baseline has them in other columns, and one more that nobody shares.
        let base = [
            number(1, Map::Identity, Some(2)),
            number(0, Map::Positive, None),
            Comparable {
                statistic: "other",
                ..number(0, Map::Identity, None)
            },
        ];
        let contrast = Contrast::between(&own, &base);
        assert_eq!(contrast.n_columns(), 3);
        let [width_own, width_base] = [0.25, 0.5].map(sure);
        let own = observations(&[
            [sure(0.5), sure(3.0), width_own],
            [open, sure(5.0), width_own],
            [sure(0.0), sure(7.0), width_own],
        ]);
        let base = observations(&[
            [sure(0.0), sure(2.0), width_base],
            [sure(1.0), sure(2.0), width_base],
            [open, sure(2.0), width_base],
        ]);
        let joined = contrast.append(&own, &base);
        let rows: Vec<&[f64]> = joined.rows().collect();
        assert_eq!(rows[0], [0.5, 3.0, 0.25, 1.0, 1.0, 0.0]);
        assert_eq!(rows[1][3..], [0.0, 3.0, 0.0]);
        let quantities = contrast.quantities(3);
        let sums = ObservedSums::of(&joined, &quantities).unwrap();
        let table = contrast.table(&sums, 0, 0.95, &|e| e);
        let estimates: Vec<&Estimate> = table
            .rows
            .iter()
            .map(|row| row.measures[0].estimate().unwrap())
            .collect();
        // 1, 0, -1; the second may be -1, the third 0.
        assert_eq!(estimates[0].estimate, 0.0);
        assert_eq!(
            (estimates[0].bound, estimates[0].bound_max),
            (1.0 / 3.0, 1.0)
        );
        // 1, 3, 5: the standard error is sqrt((8/3)/2), and every difference is known to 0.75.
        assert!((estimates[1].std_error.unwrap() - (8.0_f64 / 6.0).sqrt()).abs() < 1e-12);
        assert_eq!((estimates[1].estimate, estimates[1].bound), (3.0, 0.75));
        assert_eq!(estimates[1].bound_max, 0.75);
        assert!((estimates[1].low - (estimates[1].ci_low - 0.75)).abs() < 1e-12);
    }
}

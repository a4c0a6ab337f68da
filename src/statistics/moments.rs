//! From the observations of a block to exact integer sums, and from those to estimates.

use std::ops::Range;

use super::binned;
use super::block::PARTIAL;
use super::estimate::normal_quantile;
use super::sequence::ShareInterval;
use super::{Drawn, Estimate, FixedPoint, FixedPointError, Observations, PairedCounts, PowerScale};

/// What is summed of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// The number itself.
    Identity,
    /// 1 where it is above 0.
    Positive,
    /// 1 where it is 1.
    One,
    /// 1 where it is above a number.
    Above(f64),
    /// Its square. Brackets of squares are not looked at.
    Square,
    /// Of the code of two numbers: what they add to the difference of two distribution functions at an edge.
    AtEdge(u16),
    /// The same, at most, in a bin.
    InBin(u16),
}

impl Map {
    /// Maps a number. Every map but the square is increasing, so that a bracket's ends go to the bracket's ends.
    #[must_use]
    pub fn of(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Positive => f64::from(u8::from(x > 0.0)),
            Self::One => f64::from(u8::from(x >= 1.0)),
            Self::Above(edge) => f64::from(u8::from(x > edge)),
            Self::Square => x * x,
            Self::AtEdge(edge) => binned::at_edge(x, edge),
            Self::InBin(bin) => binned::in_bin(x, bin),
        }
    }

    /// Whether it is of codes, which are counted together.
    pub(super) fn is_of_codes(self) -> bool {
        matches!(self, Self::AtEdge(_) | Self::InBin(_))
    }
}

/// One mean over goals: a column, what is taken of it, and how large it can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// The column, counted from the statistic's first.
    pub column: usize,
    /// A column it is multiplied by, for covariances. Brackets of products are not looked at.
    pub times: Option<usize>,
    /// What is taken of it.
    pub map: Map,
    /// Shift and units of its sums, fixed before the first goal.
    pub scale: PowerScale,
    /// Whether it lies in [0, 1]: where every goal has 0 or 1, it is a share.
    pub is_share: bool,
}

impl Quantity {
    /// A mean of any numbers.
    #[must_use]
    pub fn mean(column: usize, map: Map, scale: PowerScale) -> Self {
        Self {
            column,
            times: None,
            map,
            scale,
            is_share: false,
        }
    }

    /// The same, its columns counted from `first`.
    #[must_use]
    pub fn shifted(self, first: usize) -> Self {
        Self {
            column: self.column + first,
            times: self.times.map(|c| c + first),
            ..self
        }
    }

    /// A quantity in [0, 1].
    #[must_use]
    pub fn share(column: usize, map: Map) -> Self {
        Self {
            column,
            times: None,
            map,
            scale: PowerScale::new(0.0, 1.0),
            is_share: true,
        }
    }
}

/// Exact integer sums of one quantity over any set of goals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    pub(super) sum: i128,
    pub(super) square: i128,
    /// What the values lie above the lower ends of their brackets.
    pub(super) below: i128,
    /// What they lie below the upper ends.
    pub(super) above: i128,
    /// Goals whose value is not known exactly.
    pub(super) uncertain: u64,
    /// Largest distance from a value to an end of its bracket.
    pub(super) widest: f64,
}

impl Moments {
    fn merge(&mut self, other: &Self) -> Result<(), FixedPointError> {
        self.sum = FixedPoint::add(self.sum, other.sum)?;
        self.square = FixedPoint::add(self.square, other.square)?;
        self.below = FixedPoint::add(self.below, other.below)?;
        self.above = FixedPoint::add(self.above, other.above)?;
        self.uncertain += other.uncertain;
        self.widest = self.widest.max(other.widest);
        Ok(())
    }
}

/// Sums over the observations of one cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedSums {
    /// Goals.
    pub goals: u64,
    moments: Vec<Moments>,
    /// Goals of which it is open whether they belong to these, where there are any.
    doubt: Option<Doubt>,
    /// How goals were drawn, and intervals are to be read.
    drawn: Drawn,
}

/// Goals of which it is open whether they belong to some sums.
#[derive(Clone, Debug, PartialEq)]
struct Doubt {
    /// Number of them, and their sums of the same quantities.
    goals: u64,
    moments: Vec<Moments>,
    /// Goals that surely belong.
    sure: u64,
}

/// What a share of zeros and ones counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    /// Goals that have it.
    pub(super) ones: u64,
    /// Goals of which that is open.
    pub(super) uncertain: u64,
    /// Those of them that are counted among `ones`.
    pub(super) uncertain_ones: u64,
}

/// What numbers of 1, 0 and -1 count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    /// Goals with 1.
    pub(super) more: u64,
    /// Goals with -1.
    pub(super) less: u64,
    /// By how much the former less the latter may be smaller.
    pub(super) below: u64,
    /// By how much it may be larger.
    pub(super) above: u64,
}

impl ObservedSums {
    /// Nothing yet.
    #[must_use]
    pub fn new(quantities: usize) -> Self {
        Self::from_moments(0, vec![Moments::default(); quantities])
    }

    pub(super) fn from_moments(goals: u64, moments: Vec<Moments>) -> Self {
        Self {
            goals,
            moments,
            doubt: None,
            drawn: Drawn::default(),
        }
    }

    /// The same sums, of goals that were drawn in another way.
    #[must_use]
    pub fn with_drawn(self, drawn: Drawn) -> Self {
        Self { drawn, ..self }
    }

    /// How the goals were drawn.
    #[must_use]
    pub fn drawn(&self) -> Drawn {
        self.drawn
    }

    /// The same sums of these goals with those of other quantities behind them.
    pub(super) fn beside(mut self, others: &Self) -> Self {
        self.moments.extend_from_slice(&others.moments);
        self
    }

    /// The sums of some quantities, over so many goals.
    pub(super) fn part(&self, quantities: Range<usize>, goals: u64) -> Self {
        Self::from_moments(goals, self.moments[quantities].to_vec()).with_drawn(self.drawn)
    }

    /// The same, where it is open whether the goals of `open` belong; `sure` goals belong without them.
    pub(super) fn with_doubt(self, open: Self, sure: u64) -> Self {
        let doubt = (open.goals > 0).then_some(Doubt {
            goals: open.goals,
            moments: open.moments,
            sure,
        });
        Self { doubt, ..self }
    }

    /// What quantity number `at`, a share of zeros and ones with brackets from 0 to 1, counts.
    pub(super) fn counts(&self, at: usize) -> Counts {
        let units = Quantity::share(0, Map::Identity).scale.units;
        // Whole numbers of goals are multiples of the unit: nothing was rounded.
        let whole = |sum: i128| units.value(sum) as u64;
        let moments = &self.moments[at];
        Counts {
            ones: whole(moments.sum),
            uncertain: moments.uncertain,
            uncertain_ones: whole(moments.below),
        }
    }

    /// The same as the least, the found and the largest number of goals that have it, whatever the open ones have and whichever of them belong.
    pub(super) fn count_range(&self, at: usize) -> [u64; 3] {
        let of = |counts: Counts| {
            let rest = counts.uncertain - counts.uncertain_ones;
            [
                counts.ones - counts.uncertain_ones,
                counts.ones,
                counts.ones + rest,
            ]
        };
        let [least, found, most] = of(self.counts(at));
        let Some(doubt) = &self.doubt else {
            return [least, found, most];
        };
        let [_, _, open] = of(Self::from_moments(doubt.goals, doubt.moments.clone()).counts(at));
        [least.saturating_sub(open), found, most + open]
    }

    /// Of quantity number `at`, each goal's 1, 0 or -1: goals with 1 and with -1, and by how much their difference may be less, or more, as brackets have it.
    pub(super) fn signed_counts(&self, at: usize) -> Signed {
        let units = Quantity::share(0, Map::Identity).scale;
        let moments = &self.moments[at];
        let [sum, below, above] =
            [moments.sum, moments.below, moments.above].map(|x| units.units.value(x));
        let some = units.square_units.value(moments.square);
        Signed {
            more: ((some + sum) / 2.0).round() as u64,
            less: ((some - sum) / 2.0).round() as u64,
            below: below.round() as u64,
            above: above.round() as u64,
        }
    }

    /// How far the mean of quantity number `at` can move when any of the goals belong of which that is open, and how many goals it then stands on at least.
    ///
    /// With m the mean over n goals, moving a set T of open goals in or out gives a mean that differs from m by the sum over T of +-(x - m), divided by the
    /// new number of goals. That is at most sqrt(u sum (x - m)^2) / n0, over all u open goals, with n0 goals that surely belong; and what is open about
    /// the numbers of the open goals themselves comes on top.
    fn doubt(&self, at: usize, quantity: &Quantity) -> (f64, u64) {
        let Some(doubt) = &self.doubt else {
            return (0.0, self.goals);
        };
        if doubt.sure == 0 || self.goals == 0 {
            return (f64::INFINITY, 0);
        }
        let PowerScale {
            units,
            square_units,
            ..
        } = quantity.scale;
        let mean = units.value(self.moments[at].sum) / self.goals as f64;
        let open = &doubt.moments[at];
        let (sum, count) = (units.value(open.sum), doubt.goals as f64);
        let squares = square_units.value(open.square) - 2.0 * mean * sum + count * mean * mean;
        let own = units.value(open.below) + units.value(open.above);
        let most = (count * squares.max(0.0)).sqrt() + own;
        (most / doubt.sure as f64, doubt.sure)
    }

    /// Whether it is open which goals they are of.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// How far the mean of a quantity can move by goals of which it is open whether they belong.
    #[must_use]
    pub fn doubt_of_mean(&self, at: usize, quantity: &Quantity) -> f64 {
        self.doubt(at, quantity).0
    }

    /// What is summed of each quantity.
    pub(super) fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Number of quantities.
    #[must_use]
    pub fn n_quantities(&self) -> usize {
        self.moments.len()
    }

    /// Sums the observations of a block. Goals are added in f64 in an order that their places in the
    /// block fix, and rounded once, so that the result does not depend on who observed them. Columns of `quantities` count from the first of all.
    ///
    /// # Errors
    ///
    /// [`FixedPointError`] where a number is none, or too large.
    pub fn of(
        observations: &Observations,
        quantities: &[Quantity],
    ) -> Result<Self, FixedPointError> {
        let mut parts = vec![[[0.0; PARTIAL]; 2]; quantities.len()];
        let columns = observations.columns();
        let mut upright = vec![0.0; columns * CHUNK];
        for rows in observations.chunks(CHUNK) {
            let goals = rows.len() / columns.max(1);
            stand_up(rows, columns, &mut upright);
            let column = |c: usize| &upright[c * CHUNK..c * CHUNK + goals];
            let each = quantities.iter().zip(&mut parts);
            for (q, parts) in each.filter(|(q, _)| !q.map.is_of_codes()) {
                add(column(q.column), q.times.map(column), q, parts);
            }
        }
        let whole =
            |s: [f64; PARTIAL]| ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
        let mut plain: Vec<[f64; 2]> = parts.into_iter().map(|part| part.map(whole)).collect();
        binned::add(observations, quantities, &mut plain);
        let mut sums = Self::new(quantities.len());
        sums.goals = observations.goals() as u64;
        let each = quantities.iter().zip(&plain);
        for ((q, [sum, square]), moments) in each.zip(&mut sums.moments) {
            moments.sum = q.scale.units.round(*sum)?;
            moments.square = q.scale.square_units.round(*square)?;
        }
        sums.add_brackets(observations, quantities)?;
        Ok(sums)
    }

    fn add_brackets(
        &mut self,
        observations: &Observations,
        quantities: &[Quantity],
    ) -> Result<(), FixedPointError> {
        if observations.uncertain().is_empty() {
            return Ok(());
        }
        let mut of_column = vec![Vec::new(); observations.columns()];
        let simple = quantities.iter().enumerate();
        for (at, q) in simple.filter(|(_, q)| q.times.is_none() && q.map != Map::Square) {
            of_column[q.column].push(at);
        }
        let mut spread = vec![[0.0; 2]; quantities.len()];
        let rows: Vec<&[f64]> = observations.rows().collect();
        for u in observations.uncertain() {
            for &at in &of_column[u.column as usize] {
                let map = quantities[at].map;
                let value = map.of(rows[u.goal as usize][u.column as usize]);
                let (below, above) = (value - map.of(u.low), map.of(u.high) - value);
                let moments = &mut self.moments[at];
                spread[at][0] += below;
                spread[at][1] += above;
                moments.uncertain += u64::from(below != 0.0 || above != 0.0);
                moments.widest = moments.widest.max(below).max(above);
            }
        }
        let each = quantities.iter().zip(&spread);
        for ((q, [below, above]), moments) in each.zip(&mut self.moments) {
            moments.below = q.scale.units.round(*below)?;
            moments.above = q.scale.units.round(*above)?;
        }
        Ok(())
    }

    /// Adds the sums of other goals. Any order gives the same value.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn merge(&mut self, other: &Self) -> Result<(), FixedPointError> {
        self.goals += other.goals;
        let mut pairs = self.moments.iter_mut().zip(&other.moments);
        pairs.try_for_each(|(a, b)| a.merge(b))
    }

    /// The estimate of quantity number `at`.
    ///
    /// Where every goal's value is 0 or 1 the mean is a share and its interval Wilson's (or what [`with_drawn`](Self::with_drawn) said); else it is the normal one. `low` and
    /// `high` are the ends of the intervals that the least and the most of every goal's bracket would give.
    #[must_use]
    pub fn estimate(&self, at: usize, quantity: &Quantity, level: f64) -> Estimate {
        let (n, moments, units) = (self.goals, &self.moments[at], quantity.scale.units);
        let count = n as f64;
        let (doubt, sure) = self.doubt(at, quantity);
        let below = units.value(moments.below) / count + doubt;
        let above = units.value(moments.above) / count + doubt;
        let mean = units.value(moments.sum) / count;
        let square = quantity.scale.square_units.value(moments.square) / count;
        let estimate = Estimate {
            bound: below.max(above),
            bound_max: moments.widest + doubt,
            ..Estimate::of_mean(
                n,
                quantity.scale.shift + mean,
                (square - mean * mean).max(0.0),
                level,
                0.0,
                0.0,
            )
        };
        let is_share = quantity.is_share && self.is_counted(at);
        if !is_share {
            return Estimate {
                low: estimate.ci_low - below,
                high: estimate.ci_high + above,
                ..estimate
            };
        }
        let interval = |share: f64, n: u64| self.drawn.shares().around(share, n, level);
        let (ci_low, ci_high) = interval(mean, n);
        if sure == 0 {
            return Estimate {
                ci_low,
                ci_high,
                low: 0.0,
                high: 1.0,
                ..estimate
            };
        }
        Estimate {
            ci_low,
            ci_high,
            low: interval((mean - below).max(0.0), sure).0,
            high: interval((mean + above).min(1.0), sure).1,
            ..estimate
        }
    }

    /// The estimate of quantity number `at`, where it is the difference of two shares, each goal's in [-1, 1].
    ///
    /// Goals that all have the same difference do not show that every goal has it. So two goals are added to the sums, one with a difference of
    /// 1 and one of -1, before the normal interval is taken: the adjusted Wald interval for paired shares of Bonett & Price (2012), "Adjusted Wald confidence interval
    /// for a difference of binomial proportions based on paired data". With no difference in n goals it reaches to about 2.8 / n. Where shares have exact intervals, since errors are small, it also reaches as far as
    /// [`PairedCounts::least_difference`] either way.
    #[must_use]
    pub fn estimate_difference(&self, at: usize, quantity: &Quantity, level: f64) -> Estimate {
        let plain = self.estimate(at, quantity, level);
        let n = self.goals as f64;
        let sum = n * (plain.estimate - quantity.scale.shift);
        let square = quantity.scale.square_units.value(self.moments[at].square);
        let middle = sum / (n + 2.0);
        let variance = ((square + 2.0) / (n + 2.0) - middle * middle).max(0.0);
        let half = normal_quantile(level) * (variance / (n + 2.0)).sqrt();
        let (mut least, mut most) = (middle - half, middle + half);
        if self.drawn.shares() == ShareInterval::Exact {
            // The adjustment is made for errors of a few percent. At smaller ones goals that differ may be rarer than it leaves room for.
            let Signed { more, less, .. } = self.signed_counts(at);
            let counts = PairedCounts {
                only_first: more,
                only_second: less,
                both: 0,
            };
            let end =
                |counts: PairedCounts| counts.least_difference(self.goals, (1.0 - level) / 2.0);
            (least, most) = (least.min(end(counts)), most.max(-end(counts.exchanged())));
        }
        // The estimate is in it, whatever it is.
        let ci_low = least.max(-1.0).min(plain.estimate);
        let ci_high = most.min(1.0).max(plain.estimate);
        // What brackets add on either side stays as it is.
        let (below, above) = match plain.std_error {
            Some(_) => (plain.ci_low - plain.low, plain.high - plain.ci_high),
            None => (plain.bound, plain.bound),
        };
        Estimate {
            ci_low,
            ci_high,
            low: ci_low - below,
            high: ci_high + above,
            ..plain
        }
    }

    /// Whether every goal has 0 or 1 of quantity number `at`, which is in [0, 1]. Sums of zeros and ones are exact: no other numbers there are their own squares in sum.
    #[must_use]
    pub fn is_counted(&self, at: usize) -> bool {
        self.moments[at].sum == self.moments[at].square
    }

    /// Whether every goal has 1, 0 or -1 of quantity number `at`, as far as sums tell: fractions hardly ever add up to whole numbers, and their squares as well.
    pub(super) fn is_counted_signed(&self, at: usize) -> bool {
        let PowerScale {
            units,
            square_units,
            ..
        } = Quantity::share(0, Map::Identity).scale;
        let (sum, square) = (
            units.value(self.moments[at].sum),
            square_units.value(self.moments[at].square),
        );
        sum.fract() == 0.0 && square >= sum.abs() && (square - sum) % 2.0 == 0.0
    }

    /// Share of the goals whose value of quantity number `at` is not known.
    #[must_use]
    pub fn undecided(&self, at: usize) -> f64 {
        self.moments[at].uncertain as f64 / self.goals as f64
    }
}

/// Goals that are looked at together for one quantity after the other, while their columns are in cache: a multiple of [`PARTIAL`].
const CHUNK: usize = 64;

/// Writes the columns of some rows one after the other, each in the room of a chunk.
fn stand_up(rows: &[f64], columns: usize, upright: &mut [f64]) {
    for (goal, row) in rows.chunks_exact(columns.max(1)).enumerate() {
        for (column, x) in upright.chunks_exact_mut(CHUNK).zip(row) {
            column[goal] = *x;
        }
    }
}

/// Adds a quantity less its shift, and its square, over some goals, given its columns.
fn add(x: &[f64], times: Option<&[f64]>, quantity: &Quantity, parts: &mut [[f64; PARTIAL]; 2]) {
    // A match outside the loops: the inner ones are a few instructions.
    match (quantity.map, times) {
        (map, Some(times)) => add_each(x, times, quantity, parts, |x, y| map.of(x) * y),
        (Map::Identity, None) => add_each(x, x, quantity, parts, |x, _| x),
        (Map::Positive, None) => add_each(x, x, quantity, parts, |x, _| Map::Positive.of(x)),
        (Map::One, None) => add_each(x, x, quantity, parts, |x, _| Map::One.of(x)),
        (map, None) => add_each(x, x, quantity, parts, |x, _| map.of(x)),
    }
}

/// Goals whose places in the block are equal modulo [`PARTIAL`] add up one after the other.
#[inline]
fn add_each(
    x: &[f64],
    y: &[f64],
    quantity: &Quantity,
    [sums, squares]: &mut [[f64; PARTIAL]; 2],
    number: impl Fn(f64, f64) -> f64,
) {
    let shift = quantity.scale.shift;
    let mut add = |at: usize, x: f64, y: f64| {
        let number = number(x, y) - shift;
        sums[at] += number;
        squares[at] += number * number;
    };
    let (xs, x_rest) = x.as_chunks::<PARTIAL>();
    let (ys, y_rest) = y.as_chunks::<PARTIAL>();
    for (x, y) in xs.iter().zip(ys) {
        for at in 0..PARTIAL {
            add(at, x[at], y[at]);
        }
    }
    for (at, (x, y)) in x_rest.iter().zip(y_rest).enumerate() {
        add(at, *x, *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Observed, wilson};

    fn observations(rows: &[[Observed; 2]]) -> Observations {
        let mut all = Observations::new(2, rows.len());
        for values in rows {
            let mut row = all.row();
            values.iter().for_each(|&x| row.push_observed(x));
            row.finish();
        }
        all
    }

    fn some(n: u64) -> Observations {
        let unit = |i: u64| (i as f64 * 0.7).sin().abs();
        let rows: Vec<[Observed; 2]> = (0..n)
            .map(|i| {
                let share = Observed::sure(f64::from(u8::from(i % 3 == 0)));
                let open = Observed {
                    value: 0.0,
                    low: 0.0,
                    high: 1.0,
                };
                let first = if i % 50 == 1 { open } else { share };
                [first, Observed::sure(unit(i))]
            })
            .collect();
        observations(&rows)
    }

    fn quantities() -> [Quantity; 3] {
        [
            Quantity::share(0, Map::Identity),
            Quantity::share(1, Map::Identity),
            Quantity::share(1, Map::Positive),
        ]
    }

    #[test]
    fn any_order_of_merging_gives_the_same_sums() {
        let parts: Vec<ObservedSums> = (1..9)
            .map(|n| ObservedSums::of(&some(n * 37), &quantities()).unwrap())
            .collect();
        let fold = |order: &mut dyn Iterator<Item = &ObservedSums>| {
            let mut sums = ObservedSums::new(3);
            order.for_each(|part| sums.merge(part).unwrap());
            sums
        };
        assert_eq!(fold(&mut parts.iter()), fold(&mut parts.iter().rev()));
        assert_ne!(fold(&mut parts.iter()), fold(&mut parts.iter().skip(1)));
    }

    #[test]
    fn undecided_goals_widen_the_interval_to_one_side() {
        let sums = ObservedSums::of(&some(300), &quantities()).unwrap();
        let share = sums.estimate(0, &quantities()[0], 0.95);
        // Goals 0, 3, 6, ...; of the undecided ones (1, 51, 101, ...) two in six are multiples of three and count as 0.
        assert_eq!(share.estimate, 98.0 / 300.0);
        assert_eq!((share.bound, share.bound_max), (6.0 / 300.0, 1.0));
        assert_eq!(share.low, share.ci_low);
        assert!(share.high > share.ci_high + 0.019);
        assert_eq!(sums.undecided(0), 6.0 / 300.0);
        assert_eq!(sums.undecided(1), 0.0);
        let (low, high) = wilson(104.0 / 300.0, 300, 0.95);
        assert!(share.high == high && share.low < low);
    }

    #[test]
    fn means_have_normal_intervals_and_shares_wilson_s() {
        let sums = ObservedSums::of(&some(300), &quantities()).unwrap();
        let mean = sums.estimate(1, &quantities()[1], 0.95);
        let half = 1.959_963_984_540_054 * mean.std_error.unwrap();
        assert!((mean.ci_high - mean.estimate - half).abs() < 1e-12);
        // 299 of 300 are above 0: a normal interval would end above 1.
        let share = sums.estimate(2, &quantities()[2], 0.95);
        assert_eq!(share.estimate, 299.0 / 300.0);
        assert!(share.ci_high < 1.0 && share.ci_high > share.estimate);
    }

    #[test]
    fn goals_without_a_difference_leave_room_for_one() {
        let difference = |goals: &[f64]| {
            let rows: Vec<_> = goals.iter().map(|&x| [Observed::sure(x); 2]).collect();
            let quantity = Quantity::mean(0, Map::Identity, PowerScale::new(0.0, 1.0));
            let sums = ObservedSums::of(&observations(&rows), &[quantity]).unwrap();
            sums.estimate_difference(0, &quantity, 0.95)
        };
        let none = difference(&[0.0; 100]);
        assert_eq!((none.estimate, none.std_error), (0.0, Some(0.0)));
        // z sqrt(2) / 102.
        let half = 1.959_963_984_540_054 * 2.0_f64.sqrt() / 102.0;
        assert!((none.high - half).abs() < 1e-12 && (none.low + half).abs() < 1e-12);
        let all = difference(&[1.0; 100]);
        assert!(all.high == 1.0 && all.low < 0.99 && all.low > 0.9);
        // Of 100 goals 20 differ one way and 10 the other: Bonett & Price with 21 and 11 of 102.
        let some: Vec<f64> = (0..100)
            .map(|i| f64::from(u8::from(i < 20)) - f64::from(u8::from(i >= 90)))
            .collect();
        let some = difference(&some);
        let (p, q) = (21.0_f64 / 102.0, 11.0 / 102.0);
        let half = 1.959_963_984_540_054 * ((p + q - (p - q).powi(2)) / 102.0).sqrt();
        assert!((some.ci_high - (p - q) - half).abs() < 1e-12);
        assert!((some.ci_low - (p - q) + half).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_a_number_is_an_error() {
        let bad = observations(&[[Observed::sure(0.0), Observed::sure(f64::NAN)]]);
        assert!(ObservedSums::of(&bad, &quantities()[..2]).is_err());
        let open = Observed {
            value: 0.0,
            low: f64::NAN,
            high: 1.0,
        };
        let bad = observations(&[[open, Observed::sure(0.0)]]);
        assert!(ObservedSums::of(&bad, &quantities()[..2]).is_err());
    }
}

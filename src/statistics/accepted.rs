//! Sums over the goals that meet a condition, beside the shares of all goals that do.
//!
//! Whether a goal belongs depends on the goal alone, so that those that do are independent draws of the conditional law, and given their number a plain
//! mean over them has the plain interval. Goals whose membership is open are summed once more on their own: from those sums follows how far they
//! could move each mean.

use super::behaviour::Condition;
use super::{FixedPointError, Observations, ObservedSums, Quantity};
use std::sync::Arc;

/// A condition, and where its columns stand in the rows of a cell.
#[derive(Clone, Debug)]
pub struct Conditioned {
    /// The condition.
    pub condition: Arc<Condition>,
    /// Its first column.
    pub first: usize,
}

/// What the sums of a conditioned cell are of.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Shares of all goals: which meet the condition, and each part of it.
    pub shares: ObservedSums,
    /// Everything else, over the goals that belong.
    pub sums: ObservedSums,
}

impl Conditioned {
    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.condition.shares(0).len()
    }

    /// Number of sums where there are so many quantities.
    #[must_use]
    pub fn n_sums(&self, quantities: usize) -> usize {
        self.condition.shares(0).len() + 2 * quantities
    }

    /// Sums a block: the shares over all goals, the quantities over the goals that belong (by what was found, where that is open), and once more over
    /// those of which it is open.
    ///
    /// # Errors
    ///
    /// [`FixedPointError`] where a number is none, or too large.
    pub fn sum(
        &self,
        observations: &Observations,
        quantities: &[Quantity],
    ) -> Result<ObservedSums, FixedPointError> {
        let shares = ObservedSums::of(observations, &self.condition.shares(self.first))?;
        let mut is_open = vec![false; observations.goals()];
        for u in observations.uncertain() {
            if u.column as usize == self.first && u.low < u.high {
                is_open[u.goal as usize] = true;
            }
        }
        let belong = observations.filter(|_, row| row[self.first] > 0.0);
        let open = observations.filter(|goal, _| is_open[goal]);
        let [belong, open] = [&belong, &open].map(|o| ObservedSums::of(o, quantities));
        Ok(shares.beside(&belong?).beside(&open?))
    }

    /// The sums of any set of blocks, taken apart.
    #[must_use]
    pub fn read(&self, sums: &ObservedSums, quantities: usize) -> Accepted {
        let n = self.condition.shares(0).len();
        let shares = sums.part(0..n, sums.goals);
        // A share of zeros and ones: its sums are numbers of goals.
        let counts = shares.counts(0);
        let open = sums.part(n + quantities..n + 2 * quantities, counts.uncertain);
        let belong = sums.part(n..n + quantities, counts.ones);
        Accepted {
            sums: belong.with_doubt(open, counts.ones - counts.uncertain_ones),
            shares,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Map, Observed, PowerScale};

    /// Goals with a number each, whether they belong, and whether that is open.
    fn observations(goals: &[(f64, bool, bool)]) -> Observations {
        let mut all = Observations::new(2, goals.len());
        for &(x, belongs, open) in goals {
            let mut row = all.row();
            row.push(x);
            let value = f64::from(u8::from(belongs));
            row.push_observed(match open {
                true => Observed {
                    value,
                    low: 0.0,
                    high: 1.0,
                },
                false => Observed::sure(value),
            });
            row.finish();
        }
        all
    }

    fn conditioned() -> Conditioned {
        Conditioned {
            condition: Arc::new(Condition::new(Vec::new())),
            first: 1,
        }
    }

    fn goals() -> Vec<(f64, bool, bool)> {
        let unit = |i: u32| (f64::from(i) * 0.7).sin().abs();
        let each = 0..400_u32;
        each.map(|i| (unit(i), i % 3 == 0, i % 50 == 1 || i == 300))
            .collect()
    }

    #[test]
    fn means_are_over_the_goals_that_belong() {
        let quantity = Quantity::mean(0, Map::Identity, PowerScale::new(0.5, 4.0));
        let goals = goals();
        let (of, all) = (conditioned(), observations(&goals));
        let sums = of.sum(&all, &[quantity]).unwrap();
        assert_eq!(sums.n_quantities(), of.n_sums(1));
        let accepted = of.read(&sums, 1);
        let inside: Vec<f64> = goals.iter().filter(|g| g.1).map(|g| g.0).collect();
        let mean = inside.iter().sum::<f64>() / inside.len() as f64;
        let found = accepted.sums.estimate(0, &quantity, 0.95);
        assert!((found.estimate - mean).abs() < 1e-12);
        assert_eq!(found.n, inside.len() as u64);
        let share = accepted
            .shares
            .estimate(0, &of.condition.shares(0)[0], 0.95);
        assert_eq!(share.estimate, inside.len() as f64 / 400.0);
        assert_eq!(accepted.shares.undecided(0), 9.0 / 400.0);
        // In two parts, added up in either order.
        let half = |part: &[(f64, bool, bool)]| of.sum(&observations(part), &[quantity]).unwrap();
        let mut merged = half(&goals[200..]);
        merged.merge(&half(&goals[..200])).unwrap();
        let again = of.read(&merged, 1).sums.estimate(0, &quantity, 0.95);
        assert!((again.estimate - mean).abs() < 1e-12 && again.n == found.n);
    }

    #[test]
    fn open_goals_widen_the_interval_by_all_that_they_could_do() {
        let scale = PowerScale::new(0.5, 4.0);
        let quantities = [
            Quantity::mean(0, Map::Identity, scale),
            Quantity::share(0, Map::Above(0.5)),
        ];
        let goals = goals();
        let of = conditioned();
        let sums = of.sum(&observations(&goals), &quantities).unwrap();
        let accepted = of.read(&sums, 2);
        for (at, quantity) in quantities.iter().enumerate() {
            let found = accepted.sums.estimate(at, quantity, 0.95);
            let number = |x: f64| quantity.map.of(x);
            // Every set of open goals may belong.
            let sure = goals.iter().filter(|g| g.1 && !g.2);
            let sure: Vec<f64> = sure.map(|g| number(g.0)).collect();
            let open = goals.iter().filter(|g| g.2);
            let open: Vec<f64> = open.map(|g| number(g.0)).collect();
            assert_eq!(open.len(), 9);
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for set in 0..1_u32 << open.len() {
                let chosen = (0..open.len()).filter(|i| set >> i & 1 == 1);
                let chosen: Vec<f64> = chosen.map(|i| open[i]).collect();
                let n = (sure.len() + chosen.len()) as f64;
                let mean = (sure.iter().sum::<f64>() + chosen.iter().sum::<f64>()) / n;
                (least, most) = (least.min(mean), most.max(mean));
            }
            let reach = (most - found.estimate).max(found.estimate - least);
            assert!(found.bound >= reach, "{} {reach}", found.bound);
            assert!(found.bound < 6.0 * reach, "{} {reach}", found.bound);
            assert!(found.low < found.ci_low && found.high > found.ci_high);
        }
        // Without open goals there is nothing to widen.
        let clear: Vec<_> = goals.iter().map(|g| (g.0, g.1, false)).collect();
        let sums = of.sum(&observations(&clear), &quantities).unwrap();
        let clear = of.read(&sums, 2).sums.estimate(0, &quantities[0], 0.95);
        assert_eq!((clear.bound, clear.low), (0.0, clear.ci_low));
    }
}

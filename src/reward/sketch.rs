//! What a few thousand goals of a law look like: for people who want to see what they asked for.

use super::{GoalLaw, PairLaw};
use crate::rng::Stream;
use crate::units::{SampleIndex, Seed};

/// The quantiles of a [`RowSketch`].
pub const QUANTILES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Most rewards between which correlations are taken.
const MAX_CORRELATED: usize = 64;

/// Cells of the histogram.
const CELLS: usize = 16;

/// One reward over all goals that were drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowSketch {
    /// Mean of the draws.
    pub mean: f64,
    /// Standard deviation of the draws.
    pub sd: f64,
    /// At the probabilities of [`QUANTILES`].
    pub quantiles: [f64; 5],
}

/// A law, looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    /// Goals that were drawn: those with the numbers `0..goals` of the seed, the very goals that a run begins with.
    pub goals: u64,
    /// Per reward.
    pub rows: Vec<RowSketch>,
    /// Smallest, mean and largest correlation between two of the (first 64) rewards that vary; `None` where fewer than two do.
    pub correlation: Option<[f64; 3]>,
    /// Ends of the histogram, and the share of the rewards that vary (of all goals) in each of its cells. What lies beyond the ends (the
    /// outermost thousandth on either side, where that spreads the histogram) counts in the outermost cells.
    pub histogram: (f64, f64, Vec<f64>),
    /// Mean correlation of a reward with that of the second goal, over rewards that vary; `None` without a second goal.
    pub second: Option<f64>,
}

impl Sketch {
    /// Draws goals and sums them up.
    ///
    /// # Panics
    ///
    /// If `goals` is below 2.
    #[must_use]
    pub fn of(law: &GoalLaw, seed: Seed, goals: u64) -> Self {
        assert!(
            goals >= 2,
            "two goals have a standard deviation, one has none"
        );
        let n = law.n_rewards();
        let mut columns = vec![Vec::with_capacity(goals as usize); n];
        law.draw_each((seed, Stream::Reward), 0, goals, |_, goal| {
            for (column, x) in columns.iter_mut().zip(goal) {
                column.push(f64::from(*x));
            }
        });
        let correlation = correlations(&columns);
        let histogram = histogram(&columns);
        let rows = columns.iter_mut().map(|column| row(column)).collect();
        Self {
            goals,
            rows,
            correlation,
            histogram,
            second: None,
        }
    }

    /// Adds what the second goals have to do with the first.
    #[must_use]
    pub fn with_pair(mut self, pair: &PairLaw, seed: Seed) -> Self {
        let goals: Vec<_> = (0..self.goals)
            .map(|i| pair.draw(seed, SampleIndex(i)))
            .collect();
        let correlation = |row: usize| {
            let first: Vec<f64> = goals.iter().map(|(r, _)| f64::from(r[row])).collect();
            let second: Vec<f64> = goals.iter().map(|(_, r)| f64::from(r[row])).collect();
            correlations(&[first, second]).map(|[one, _, _]| one)
        };
        let each: Vec<f64> = (0..self.rows.len()).filter_map(correlation).collect();
        self.second = (!each.is_empty()).then(|| mean(&each));
        self
    }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn row(column: &mut [f64]) -> RowSketch {
    let mean = mean(column);
    let squares: f64 = column.iter().map(|x| (x - mean).powi(2)).sum();
    column.sort_by(f64::total_cmp);
    let at = |p: f64| column[((column.len() - 1) as f64 * p).round() as usize];
    RowSketch {
        mean,
        sd: (squares / (column.len() - 1) as f64).sqrt(),
        quantiles: QUANTILES.map(at),
    }
}

fn correlations(columns: &[Vec<f64>]) -> Option<[f64; 3]> {
    let centred = |column: &Vec<f64>| {
        let middle = mean(column);
        let off: Vec<f64> = column.iter().map(|x| x - middle).collect();
        let length = off.iter().map(|x| x * x).sum::<f64>().sqrt();
        (length > 0.0).then(|| off.iter().map(|x| x / length).collect::<Vec<f64>>())
    };
    let varying: Vec<Vec<f64>> = columns
        .iter()
        .filter_map(centred)
        .take(MAX_CORRELATED)
        .collect();
    let mut each = Vec::new();
    for (i, a) in varying.iter().enumerate() {
        for b in &varying[..i] {
            each.push(a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>());
        }
    }
    let least = each.iter().copied().reduce(f64::min)?;
    let most = each.iter().copied().reduce(f64::max)?;
    Some([least, mean(&each), most])
}

fn histogram(columns: &[Vec<f64>]) -> (f64, f64, Vec<f64>) {
    let varies = |column: &&Vec<f64>| column.iter().any(|x| *x != column[0]);
    let mut all: Vec<f64> = columns.iter().filter(varies).flatten().copied().collect();
    if all.is_empty() {
        all = columns.iter().flatten().copied().collect();
    }
    all.sort_by(f64::total_cmp);
    let at = |p: f64| all[((all.len() - 1) as f64 * p).round() as usize];
    let (lowest, highest) = (all[0], all[all.len() - 1]);
    // A few draws far out would leave one cell for all others.
    let wide = highest - lowest > 4.0 * (at(0.999) - at(0.001)) && at(0.999) > at(0.001);
    let (low, high) = if wide {
        (at(0.001), at(0.999))
    } else {
        (lowest, highest)
    };
    let mut cells = vec![0.0; CELLS];
    for x in &all {
        let share = if high > low {
            (x - low) / (high - low)
        } else {
            0.5
        };
        let cell = (share * CELLS as f64).clamp(0.0, CELLS as f64 - 1.0) as usize;
        cells[cell] += 1.0 / all.len() as f64;
    }
    (low, high, cells)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::reward::{Marginal, RewardDistribution, StateSet};

    #[test]
    fn a_sketch_shows_what_was_asked_for() {
        let mut b = MdpBuilder::new("three");
        for name in ["a", "b", "c", "d"] {
            let state = b.state(name);
            b.absorbing(state);
        }
        let mdp = std::sync::Arc::new(b.build().unwrap());
        let law = RewardDistribution::iid("law", Marginal::normal(3.0, 2.0).unwrap())
            .with_fixed("d", 7.0)
            .with_groups(vec![StateSet::new(["a", "b"])]);
        let sketch = Sketch::of(&law.bind(&mdp).unwrap().law, Seed(1), 4096);
        // Four standard errors of the mean, 2/64, of the standard deviation, 2/(64 sqrt 2), and of a correlation, 1/64.
        assert!(
            (sketch.rows[0].mean - 3.0).abs() < 0.125 && (sketch.rows[0].sd - 2.0).abs() < 0.09
        );
        assert_eq!((sketch.rows[3].mean, sketch.rows[3].sd), (7.0, 0.0));
        let [least, _, most] = sketch.correlation.unwrap();
        assert!(most > 0.999_999 && least.abs() < 0.063, "{least} {most}");
        assert!((sketch.histogram.2.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((sketch.rows[2].quantiles[2] - 3.0).abs() < 0.16);
    }
}

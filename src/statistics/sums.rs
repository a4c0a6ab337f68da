//! What a backend returns for a block, and how blocks add up.

use super::{Estimate, FixedPoint, FixedPointError, Observations};

/// How many unconverged goals are listed by number; all are counted.
pub const MAX_LISTED_GOALS: usize = 16;

/// Sums over the goals of one block, in f64, as a backend hands them over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockSums {
    /// Goals that were solved and summed; the runner checks it against the block's length.
    pub finished: u64,
    /// Per state, `[n_states]`: sum over goals of (POWER integrand - shift).
    pub power: Vec<f64>,
    /// Per state, `[n_states]`: sum over goals of (POWER integrand - shift)^2.
    pub power_squared: Vec<f64>,
    /// Sum of the goals' half-widths on the POWER scale.
    pub bound: f64,
    /// Largest half-width of a goal.
    pub bound_max: f64,
    /// Goals whose half-width exceeds the tolerance.
    pub unconverged: u64,
    /// The lowest numbers among them, ascending, at most [`MAX_LISTED_GOALS`].
    pub unconverged_goals: Vec<u64>,
    /// Sum over goals of the sweeps each was given.
    pub sweeps: u64,
    /// Largest number of sweeps a goal was given.
    pub sweeps_max: u32,
    /// What is asked beyond POWER, goal by goal.
    pub observations: Observations,
}

impl BlockSums {
    /// Empty sums for `n_states` states.
    #[must_use]
    pub fn new(n_states: usize) -> Self {
        Self {
            power: vec![0.0; n_states],
            power_squared: vec![0.0; n_states],
            ..Self::default()
        }
    }

    /// Adds the sums of goals that follow these ones. Not associative in the last bit: call it in a fixed order.
    pub fn append(&mut self, next: &Self) {
        self.finished += next.finished;
        for (a, b) in self.power.iter_mut().zip(&next.power) {
            *a += b;
        }
        for (a, b) in self.power_squared.iter_mut().zip(&next.power_squared) {
            *a += b;
        }
        self.bound += next.bound;
        self.bound_max = larger(self.bound_max, next.bound_max);
        self.unconverged += next.unconverged;
        self.unconverged_goals
            .extend_from_slice(&next.unconverged_goals);
        self.unconverged_goals.truncate(MAX_LISTED_GOALS);
        self.sweeps += next.sweeps;
        self.sweeps_max = self.sweeps_max.max(next.sweeps_max);
        self.observations.append(&next.observations);
    }

    /// Notes one goal's certificate.
    pub fn note_goal(&mut self, goal: u64, half_width: f64, tolerance: f64, sweeps: u32) {
        self.finished += 1;
        self.bound += half_width;
        self.bound_max = larger(half_width, self.bound_max);
        if half_width.is_nan() || half_width > tolerance {
            self.unconverged += 1;
            if self.unconverged_goals.len() < MAX_LISTED_GOALS {
                self.unconverged_goals.push(goal);
            }
        }
        self.sweeps += u64::from(sweeps);
        self.sweeps_max = self.sweeps_max.max(sweeps);
    }
}

/// The larger of two bounds; NaN if either is: `f64::max` would drop it, and a bound that is no number must surface.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The shift and the units of a POWER statistic, fixed before the first block from the law alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerScale {
    /// Subtracted from every integrand before it is squared, so that the variance does not cancel.
    pub shift: f64,
    /// Units of the sums.
    pub units: FixedPoint,
    /// Units of the sums of squares.
    pub square_units: FixedPoint,
}

impl PowerScale {
    /// For integrands within `magnitude` of `shift`.
    #[must_use]
    pub fn new(shift: f64, magnitude: f64) -> Self {
        Self {
            shift,
            units: FixedPoint::for_scale(magnitude),
            square_units: FixedPoint::for_scale(magnitude * magnitude),
        }
    }
}

/// Exact integer sums over any set of blocks of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct CellSums {
    /// Shift and units.
    pub scale: PowerScale,
    /// Goals summed.
    pub goals: u64,
    /// Per state, `[n_states]`, in `scale.units`.
    pub power: Vec<i128>,
    /// Per state, `[n_states]`, in `scale.square_units`.
    pub power_squared: Vec<i128>,
    /// Sum of half-widths, in `scale.units`.
    pub bound: i128,
    /// Largest half-width.
    pub bound_max: f64,
    /// Goals that missed the tolerance.
    pub unconverged: u64,
    /// The lowest numbers among them, ascending.
    pub unconverged_goals: Vec<u64>,
    /// Sum of sweeps.
    pub sweeps: u64,
    /// Largest number of sweeps.
    pub sweeps_max: u32,
}

impl CellSums {
    /// Empty sums.
    #[must_use]
    pub fn new(n_states: usize, scale: PowerScale) -> Self {
        Self {
            scale,
            goals: 0,
            power: vec![0; n_states],
            power_squared: vec![0; n_states],
            bound: 0,
            bound_max: 0.0,
            unconverged: 0,
            unconverged_goals: Vec::new(),
            sweeps: 0,
            sweeps_max: 0,
        }
    }

    /// Adds one block: each of its sums is rounded once.
    ///
    /// # Errors
    ///
    /// [`FixedPointError`] where a sum is not a number or overflows.
    pub fn add_block(&mut self, block: &BlockSums) -> Result<(), FixedPointError> {
        let mut rounded = Self::new(self.power.len(), self.scale);
        for (to, x) in rounded.power.iter_mut().zip(&block.power) {
            *to = self.scale.units.round(*x)?;
        }
        for (to, x) in rounded.power_squared.iter_mut().zip(&block.power_squared) {
            *to = self.scale.square_units.round(*x)?;
        }
        rounded.bound = self.scale.units.round(block.bound)?;
        rounded.goals = block.finished;
        rounded.bound_max = block.bound_max;
        rounded.unconverged = block.unconverged;
        rounded
            .unconverged_goals
            .clone_from(&block.unconverged_goals);
        rounded.sweeps = block.sweeps;
        rounded.sweeps_max = block.sweeps_max;
        self.merge(&rounded)
    }

    /// Adds the sums of other blocks. Any order of merging gives the same value.
    ///
    /// # Errors
    ///
    /// [`FixedPointError::Overflow`].
    pub fn merge(&mut self, other: &Self) -> Result<(), FixedPointError> {
        for (a, b) in self.power.iter_mut().zip(&other.power) {
            *a = FixedPoint::add(*a, *b)?;
        }
        for (a, b) in self.power_squared.iter_mut().zip(&other.power_squared) {
            *a = FixedPoint::add(*a, *b)?;
        }
        self.bound = FixedPoint::add(self.bound, other.bound)?;
        self.goals += other.goals;
        self.bound_max = larger(self.bound_max, other.bound_max);
        self.unconverged += other.unconverged;
        self.unconverged_goals
            .extend_from_slice(&other.unconverged_goals);
        self.unconverged_goals.sort_unstable();
        self.unconverged_goals.truncate(MAX_LISTED_GOALS);
        self.sweeps += other.sweeps;
        self.sweeps_max = self.sweeps_max.max(other.sweeps_max);
        Ok(())
    }

    /// The POWER of one state, with a `level` interval (0.95 for 95%).
    ///
    /// # Panics
    ///
    /// If no goal was summed.
    #[must_use]
    pub fn power(&self, state: usize, level: f64) -> Estimate {
        let n = self.goals;
        let mean = self.scale.units.value(self.power[state]) / n as f64;
        let square = self.scale.square_units.value(self.power_squared[state]) / n as f64;
        let variance = (square - mean * mean).max(0.0);
        let bound = self.scale.units.value(self.bound) / n as f64;
        Estimate::of_mean(
            n,
            self.scale.shift + mean,
            variance,
            level,
            bound,
            self.bound_max,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seed: u64) -> BlockSums {
        let mut sums = BlockSums::new(3);
        for goal in 0..64 {
            let x = ((seed * 64 + goal) as f64 * 0.37).sin();
            for s in 0..3 {
                sums.power[s] += x / (s + 1) as f64;
                sums.power_squared[s] += x * x;
            }
            sums.note_goal(seed * 64 + goal, 1e-6 * x.abs(), 5e-7, 7);
        }
        sums
    }

    #[test]
    fn a_bound_that_is_no_number_survives_every_later_goal_and_block() {
        let mut sums = BlockSums::new(1);
        for (goal, half_width) in [1e-6, f64::NAN, 2e-6].into_iter().enumerate() {
            sums.note_goal(goal as u64, half_width, 1e-5, 1);
        }
        assert!(sums.bound_max.is_nan());
        assert_eq!(
            (sums.unconverged, &sums.unconverged_goals[..]),
            (1, &[1][..])
        );
        let mut clean = BlockSums::new(1);
        clean.note_goal(3, 3e-6, 1e-5, 1);
        assert_eq!(clean.bound_max, 3e-6);
        for (mut first, second) in [(sums.clone(), clean.clone()), (clean, sums)] {
            first.append(&second);
            assert!(first.bound_max.is_nan());
        }
    }

    #[test]
    fn any_order_of_merging_gives_the_same_sums() {
        let scale = PowerScale::new(0.5, 1.0);
        let single = |order: &mut dyn Iterator<Item = u64>| {
            let mut sums = CellSums::new(3, scale);
            order.for_each(|b| sums.add_block(&block(b)).unwrap());
            sums
        };
        let all = single(&mut (0..20));
        assert_eq!(all, single(&mut (0..20).rev()));
        let mut halves = single(&mut (10..20));
        halves.merge(&single(&mut (0..10))).unwrap();
        assert_eq!(all, halves);
        assert_ne!(all, single(&mut (0..19)), "a missing block is seen");
    }

    #[test]
    fn a_goal_without_a_certificate_is_unconverged() {
        let mut sums = BlockSums::new(1);
        sums.note_goal(3, f64::NAN, 1.0, 1);
        assert_eq!(
            (sums.unconverged, &sums.unconverged_goals[..]),
            (1, &[3][..])
        );
        assert!(
            CellSums::new(1, PowerScale::new(0.0, 1.0))
                .add_block(&sums)
                .is_err()
        );
    }
}

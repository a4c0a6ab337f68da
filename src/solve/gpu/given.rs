//! Goals from outside, brought onto a lattice: the device knows rewards as integers only.

use super::cell::Scale;
use super::layout::Drawn;
use crate::reward::Lattice;
use crate::statistics::TILE;

/// Points of the lattice: 2^25, so that a step is at most an f32's rounding of the goal's range.
const POINTS: u32 = 1 << 25;

/// One goal from outside, as the device takes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct GivenGoal {
    /// Lattice steps above `lowest`, in sweep order.
    steps: Vec<u32>,
    lowest: f64,
    lattice: Lattice,
}

impl GivenGoal {
    /// Takes finite rewards in sweep order.
    pub(super) fn new(rewards: &[f64]) -> Self {
        let lowest = rewards.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant goal: any lattice holds it.
        let range = if highest > lowest {
            highest - lowest
        } else {
            1.0
        };
        // The spacing 2^k with range <= (POINTS - 1) 2^k.
        let exponent = (range / f64::from(POINTS - 1)).log2().ceil() as i32;
        let unit = 2f64.powi(exponent);
        let steps = rewards.iter().map(|r| {
            ((r - lowest) / unit)
                .round()
                .clamp(0.0, f64::from(POINTS - 1)) as u32
        });
        Self {
            steps: steps.collect(),
            lowest,
            lattice: Lattice {
                low: 0,
                width: POINTS,
                exponent,
            },
        }
    }

    /// The lattice, counted from the lowest reward.
    pub(super) fn scale(&self) -> Scale {
        Scale::new(self.lattice)
    }

    /// What the fixed-point sums are about: the middle of the lattice.
    pub(super) fn shift(&self) -> f64 {
        self.lowest + self.lattice.mean()
    }

    /// How far bringing the goal onto the lattice can move its POWER integrand: an error e in every reward moves V* by at most
    /// e/(1 - gamma), and the integrand (1 - gamma) max_a P_a V* by at most e. Here e is one spacing (half of it by rounding to
    /// the lattice, the other half a generous share for `log2` and the clamp at the end), and the rounding of differences in f64.
    pub(super) fn error(&self) -> f64 {
        let unit = 2f64.powi(self.lattice.exponent);
        let size = self.lowest.abs() + unit * f64::from(POINTS);
        unit + 4.0 * f64::EPSILON * size
    }

    /// A tile that holds the goal in every lane, `[n_states, TILE]`, and what `draw` would have counted.
    pub(super) fn tile(&self, stays: &[bool]) -> (Vec<u32>, Vec<Drawn>) {
        let rows = self.steps.iter().flat_map(|step| [*step; TILE]);
        let staying = self.steps.iter().zip(stays).filter(|(_, stays)| **stays);
        let lowest = self.steps.iter().copied().min().unwrap_or(0);
        let drawn = Drawn {
            stay: staying.map(|(step, _)| *step).max().unwrap_or(0),
            depth: POINTS - lowest,
            written: self.steps.len() as u32,
            updates: 0,
        };
        (rows.collect(), vec![drawn; TILE])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_on_the_lattice_is_within_its_error_of_the_one_given() {
        for rewards in [
            vec![0.0, 1.0, 0.3],
            vec![-1e6, -1e6 + 1e-3],
            vec![7.0, 7.0],
            vec![1e-12, -1e-12, 0.0],
            vec![3.5],
        ] {
            let goal = GivenGoal::new(&rewards);
            let unit = 2f64.powi(goal.lattice.exponent);
            let off = |error: f64| {
                let each = rewards.iter().zip(&goal.steps);
                each.clone()
                    .any(|(r, &step)| (goal.lowest + unit * f64::from(step) - r).abs() > error)
            };
            assert!(!off(goal.error()), "{rewards:?}");
        }
        // The control: a third lies on no lattice.
        let goal = GivenGoal::new(&[0.0, 1.0, 1.0 / 3.0]);
        assert_ne!(
            f64::from(goal.steps[2]) * 2f64.powi(goal.lattice.exponent),
            1.0 / 3.0
        );
    }
}

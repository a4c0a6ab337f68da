//! Goals brought onto a lattice: the device knows rewards as integers only. Those of many laws are; those drawn on the host, and from outside, are brought there here.

use std::sync::Arc;

use super::cell::Scale;
use super::draws::Ruler;
use super::layout::Drawn;
use crate::reward::{GoalLaw, Lattice};
use crate::rng::Stream;
use crate::statistics::TILE;
use crate::units::Seed;

/// Most points of a lattice: 2^25, so that a step is at most an f32's rounding of the range.
const POINTS: u32 = 1 << 25;

/// A lattice over an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cover {
    lowest: f64,
    lattice: Lattice,
}

impl Cover {
    /// Covers `[low, high]`. Its points are multiples of the spacing where the interval is not too far from zero for that.
    pub(super) fn new(low: f64, high: f64) -> Self {
        // A single point: any lattice holds it.
        let range = if high > low { high - low } else { 1.0 };
        // The spacing 2^k with range <= (POINTS - 2) 2^k.
        let exponent = (range / f64::from(POINTS - 2)).log2().ceil() as i32;
        let unit = 2f64.powi(exponent);
        Self {
            lowest: (low / unit).floor() * unit,
            lattice: Lattice {
                low: 0,
                width: POINTS,
                exponent,
            },
        }
    }

    /// Covers the rewards of a law.
    pub(super) fn of(law: &GoalLaw) -> Self {
        let facts = law.facts();
        Self::new(facts.low, facts.high)
    }

    /// Lattice steps above the lowest point, rounded to nearest.
    pub(super) fn step(self, reward: f64) -> u32 {
        let steps = (reward - self.lowest) / 2f64.powi(self.lattice.exponent);
        steps.round().clamp(0.0, f64::from(POINTS - 1)) as u32
    }

    /// The lattice, counted from its lowest point.
    pub(super) fn scale(self) -> Scale {
        Scale::new(self.lattice)
    }

    /// The lowest point.
    pub(super) fn lowest(self) -> f64 {
        self.lowest
    }

    /// log2 of the spacing.
    pub(super) fn exponent(self) -> i32 {
        self.lattice.exponent
    }

    /// What rewards are counted in on the device; `None` where f64 does not count as far as the lowest point.
    pub(super) fn ruler(self) -> Option<Ruler> {
        let number = self.lowest / 2f64.powi(self.lattice.exponent);
        (number.abs() <= 2f64.powi(53)).then_some(Ruler {
            exponent: self.lattice.exponent,
            origin: number as i64 as u32,
        })
    }

    /// What the device's sums are about: the middle of the lattice.
    pub(super) fn shift(self) -> f64 {
        self.lowest + self.lattice.mean()
    }

    /// How far bringing a goal onto the lattice can move its POWER integrand: an error e in every reward moves V* by at most
    /// e/(1 - gamma), and the integrand (1 - gamma) max_a P_a V* by at most e. Here e is one spacing (half of it by rounding to
    /// the lattice, the other half a generous share for `log2` and the clamp at the end), and the rounding of differences in f64.
    pub(super) fn error(self) -> f64 {
        self.error_of(1.0)
    }

    /// The same where a goal is up to so many steps off the lattice's points.
    pub(super) fn error_of(self, steps: f64) -> f64 {
        let unit = 2f64.powi(self.lattice.exponent);
        let size = self.lowest.abs() + unit * f64::from(POINTS);
        steps * unit + 4.0 * f64::EPSILON * size
    }
}

/// Tiles of goals as the device takes them: steps `[tiles, n_rows, TILE]`, and per goal what `draw` would have counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HostTiles {
    pub(super) steps: Vec<u32>,
    pub(super) drawn: Vec<Drawn>,
}

impl Drawn {
    /// What `draw` would have counted of a goal.
    fn of(rows: impl Iterator<Item = u32> + Clone, stays: &[bool]) -> Self {
        let staying = rows.clone().zip(stays).filter(|(_, stays)| **stays);
        Self {
            stay: staying.map(|(step, _)| step).max().unwrap_or(0),
            depth: POINTS - rows.min().unwrap_or(0),
            written: stays.len() as u32,
            updates: 0,
        }
    }
}

impl HostTiles {
    fn new(tiles: usize, n_rows: usize) -> Self {
        Self {
            steps: vec![0; tiles * n_rows * TILE],
            drawn: Vec::with_capacity(tiles * TILE),
        }
    }

    /// Adds the next goal. `rows`: steps in sweep order; `stays` as long.
    fn push(&mut self, rows: &[u32], stays: &[bool]) {
        let goal = self.drawn.len();
        let base = goal / TILE * rows.len() * TILE + goal % TILE;
        for (row, step) in rows.iter().enumerate() {
            self.steps[base + row * TILE] = *step;
        }
        self.drawn.push(Drawn::of(rows.iter().copied(), stays));
    }

    /// One tile that holds one goal in every lane; rewards in sweep order.
    pub(super) fn of_goal(cover: Cover, rewards: &[f64], stays: &[bool]) -> Self {
        let rows: Vec<u32> = rewards.iter().map(|r| cover.step(*r)).collect();
        let mut tiles = Self::new(1, rows.len());
        (0..TILE).for_each(|_| tiles.push(&rows, stays));
        tiles
    }

    /// Goals that were put together, `steps` of them `[tiles, n_rows, TILE]`; `stays` by row.
    pub(super) fn of_steps(steps: Vec<u32>, stays: &[bool]) -> Self {
        let mut drawn = Vec::with_capacity(steps.len() / stays.len().max(1));
        for tile in steps.chunks_exact(stays.len() * TILE) {
            for lane in 0..TILE {
                let rows = tile[lane..].iter().step_by(TILE);
                drawn.push(Drawn::of(rows.copied(), stays));
            }
        }
        Self { steps, drawn }
    }
}

/// A law that the host draws from: walks, and whatever is too large for the device.
#[derive(Clone, Debug)]
pub(super) struct Hosted {
    law: Arc<GoalLaw>,
    cover: Cover,
    seed: Seed,
    /// Per row: its reward.
    rows: Vec<u32>,
}

impl Hosted {
    /// `rows`: in sweep order, which reward of the law a row is.
    pub(super) fn new(law: &Arc<GoalLaw>, rows: Vec<u32>, seed: Seed) -> Self {
        Self {
            cover: Cover::of(law),
            law: law.clone(),
            seed,
            rows,
        }
    }

    /// Draws the goals of whole tiles.
    pub(super) fn tiles(
        &self,
        stream: Stream,
        first: u64,
        tiles: u32,
        stays: &[bool],
    ) -> HostTiles {
        let mut result = HostTiles::new(tiles as usize, self.rows.len());
        let mut steps = vec![0; self.rows.len()];
        let goals = u64::from(tiles) * TILE as u64;
        let seeded = (self.seed, stream);
        self.law.draw_each(seeded, first, goals, |_, goal| {
            for (step, reward) in steps.iter_mut().zip(&self.rows) {
                *step = self.cover.step(f64::from(goal[*reward as usize]));
            }
            result.push(&steps, stays);
        });
        result
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
            let low = rewards.iter().copied().fold(f64::INFINITY, f64::min);
            let high = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let cover = Cover::new(low, high);
            let unit = 2f64.powi(cover.lattice.exponent);
            let back = |r: f64| cover.lowest + unit * f64::from(cover.step(r));
            assert!(
                rewards
                    .iter()
                    .all(|r| (back(*r) - r).abs() <= cover.error()),
                "{rewards:?}"
            );
            // The control: a little outside of what is covered is not met.
            let outside = high + 4.0 * unit * f64::from(POINTS);
            assert!((back(outside) - outside).abs() > cover.error());
        }
    }

    #[test]
    fn multiples_of_the_spacing_are_met_exactly() {
        let cover = Cover::new(-3.0, 0.75);
        for i in -3 * 1024..768 {
            let r = f64::from(i) / 1024.0;
            let unit = 2f64.powi(cover.lattice.exponent);
            assert_eq!(cover.lowest + unit * f64::from(cover.step(r)), r);
        }
    }
}

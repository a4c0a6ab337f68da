//! The walk in a polytope: hit-and-run along a fixed set of directions.
//!
//! A step picks a direction by chance and moves to a random point of the chord through where it stands, with the law's density there (Smith 1984; Belisle, Romeijn & Smith 1993 for
//! other laws than uniform). On the chord a slice is sampled by shrinking (Neal 2003, figure 5): exact for any density, and without a scale to choose. Directions are the columns of a
//! factor of the covariance of the polytope, found beforehand: so a narrow cone is walked through as fast as a wide one (rounding, Lovasz & Vempala 2006), and a step costs as much as
//! there are walls and axes. The target does not depend on the directions, as long as they span.

use super::polytope::Polytope;
use crate::rng;
use crate::rng::Stream;
use crate::units::{SampleIndex, Seed};

/// Tries on one chord: each leaves out part of what is left, so that these come down to rounding.
const MOST_TRIES: usize = 200;
/// How far out walks begin, in deviations along a direction.
const FAR: f64 = 4.0;
/// A pivot this small beside what it came from is rounding: the direction is kept this short.
const FLAT: f64 = 1e-12;

/// Where random words come from: a walk, or a run of words of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) seed: Seed,
    pub(super) stream: Stream,
    pub(super) index: SampleIndex,
}

impl Words {
    /// Four words of step `step`.
    pub(super) fn of(self, step: u32) -> [u32; 4] {
        let [low, high, _, stream] = rng::counter(self.index, 0, self.stream);
        rng::philox4x32([low, high, step, stream], rng::key(self.seed))
    }
}

/// Directions to walk in, and what a step in each does.
#[derive(Clone, Debug)]
pub(super) struct Directions {
    /// `[n_directions, n_axes]`, a direction after the other.
    along: Vec<f64>,
    /// What a step of one does to the slack of every wall, `[n_directions, n_walls]`.
    toward: Vec<f64>,
    count: usize,
}

impl Directions {
    /// Along the axes, each by its unit.
    pub(super) fn axes(polytope: &Polytope) -> Self {
        Self::new(polytope, of_axes(polytope))
    }

    /// The columns of the Cholesky factor of a covariance, `[n_axes, n_axes]`.
    pub(super) fn of_covariance(polytope: &Polytope, covariance: &[f64]) -> Self {
        let n = polytope.n_axes();
        let mut along = vec![0.0; n * n];
        for j in 0..n {
            // Column j in row j of `along`, so that a direction is a slice.
            let before = |row: usize| -> f64 {
                let each = (0..j).map(|k| along[k * n + row] * along[k * n + j]);
                each.sum()
            };
            let pivot = covariance[j * n + j] - before(j);
            let least = FLAT * covariance[j * n + j] + f64::MIN_POSITIVE;
            let root = pivot.max(least).sqrt();
            let column: Vec<f64> = (j..n)
                .map(|row| match (row == j, pivot > least) {
                    (true, _) => root,
                    (false, true) => (covariance[row * n + j] - before(row)) / root,
                    (false, false) => 0.0,
                })
                .collect();
            along[j * n + j..(j + 1) * n].copy_from_slice(&column);
        }
        // Where densities differ, an axis alone gets away from where its own is high.
        if !polytope.is_flat() {
            along.extend(of_axes(polytope));
        }
        Self::new(polytope, along)
    }

    fn new(polytope: &Polytope, along: Vec<f64>) -> Self {
        let n = polytope.n_axes();
        let mut toward = Vec::with_capacity(n * polytope.n_walls());
        for direction in along.chunks_exact(n.max(1)) {
            for normal in polytope.normals.chunks_exact(n.max(1)) {
                let each = normal.iter().zip(direction);
                toward.push(each.map(|(a, d)| a * d).sum());
            }
        }
        Self {
            count: along.len() / n.max(1),
            along,
            toward,
        }
    }
}

/// A direction along every axis, by its unit.
fn of_axes(polytope: &Polytope) -> Vec<f64> {
    let n = polytope.n_axes();
    let mut along = vec![0.0; n * n];
    for (j, axis) in polytope.axes.iter().enumerate() {
        along[j * n + j] = axis.unit();
    }
    along
}

/// Where a walk stands.
#[derive(Clone, Debug)]
pub(super) struct Walker<'a> {
    polytope: &'a Polytope,
    directions: &'a Directions,
    /// Whether every law is uniform: then chords are too.
    flat: bool,
    pub(super) point: Vec<f64>,
    pub(super) slacks: Vec<f64>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(polytope: &'a Polytope, directions: &'a Directions, point: Vec<f64>) -> Self {
        let mut slacks = Vec::new();
        polytope.slacks(&point, &mut slacks);
        Self {
            polytope,
            directions,
            flat: polytope.is_flat(),
            point,
            slacks,
        }
    }

    /// As many steps as there are axes, with the words from step number `first` on.
    pub(super) fn sweep(&mut self, words: Words, first: u32) {
        for step in 0..self.point.len() as u32 {
            self.step(words.of(first + step));
        }
    }

    /// One step.
    fn step(&mut self, words: [u32; 4]) {
        let directions = self.directions.count as u64;
        let at = ((u64::from(words[0]) * directions) >> 32) as usize;
        let (low, high) = self.chord(at);
        let unit = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
        let share = unit(words[1]);
        let mut length = low + share * (high - low);
        if !self.flat {
            let level = self.log_density(at, 0.0) + unit(words[2]).ln();
            let (mut low, mut high) = (low, high);
            let mut state = u64::from(words[2]) << 32 | u64::from(words[3]);
            for _ in 0..MOST_TRIES {
                if self.log_density(at, length) >= level {
                    break;
                }
                match length < 0.0 {
                    true => low = length,
                    false => high = length,
                }
                length = low + unit(split_mix(&mut state)) * (high - low);
            }
            // What is left is where it stands.
            if self.log_density(at, length) < level {
                length = 0.0;
            }
        }
        self.advance(at, length);
    }

    /// To nine tenths of a chord, or so many deviations, along every direction in turn: a corner that has nothing to do with the law.
    pub(super) fn start_in_corner(&mut self, words: Words) {
        for at in 0..self.directions.count {
            let (low, high) = self.chord(at);
            let up = words.of(at as u32)[0] & 1 == 0;
            let end = if up { high.min(FAR) } else { low.max(-FAR) };
            self.advance(at, 0.9 * end);
        }
    }

    fn direction(&self, at: usize) -> &'a [f64] {
        let n = self.point.len();
        &self.directions.along[at * n..(at + 1) * n]
    }

    /// How far it is to the walls, back and forth.
    fn chord(&self, at: usize) -> (f64, f64) {
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        let mut wall = |distance: f64, slope: f64| {
            if slope > 0.0 {
                low = low.max(-distance / slope);
            } else if slope < 0.0 {
                high = high.min(-distance / slope);
            }
        };
        let axes = self.polytope.axes.iter().zip(&self.point);
        for ((axis, x), &slope) in axes.zip(self.direction(at)) {
            wall(x - axis.low, slope);
            wall(axis.high - x, -slope);
        }
        let walls = self.slacks.len();
        let toward = &self.directions.toward[at * walls..(at + 1) * walls];
        for (&slack, &slope) in self.slacks.iter().zip(toward) {
            wall(slack, slope);
        }
        // Rounding may put it on the other side of a wall.
        (low.min(0.0), high.max(0.0))
    }

    fn advance(&mut self, at: usize, length: f64) {
        let along = self.direction(at);
        let axes = self.point.iter_mut().zip(&self.polytope.axes);
        for ((x, axis), slope) in axes.zip(along) {
            *x = (*x + length * slope).clamp(axis.low, axis.high);
        }
        let walls = self.slacks.len();
        let toward = &self.directions.toward[at * walls..(at + 1) * walls];
        let slacks = self.slacks.iter_mut().zip(toward);
        slacks.for_each(|(slack, slope)| *slack += length * slope);
    }

    /// Of the axes that a direction moves.
    fn log_density(&self, at: usize, length: f64) -> f64 {
        let axes = self.polytope.axes.iter().zip(&self.point);
        let each = axes.zip(self.direction(at));
        let moved = each.filter(|(_, slope)| **slope != 0.0);
        let densities = moved.map(|((axis, x), slope)| {
            let x = (x + length * slope).clamp(axis.low, axis.high);
            axis.law.log_density(x).unwrap_or(0.0)
        });
        densities.sum()
    }
}

/// The next of a row of random words (Steele, Lea & Flood 2014): for tries beyond what a step has words for.
fn split_mix(state: &mut u64) -> u32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

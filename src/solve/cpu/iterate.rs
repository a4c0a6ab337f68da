//! From a drawn goal to a certified one: sweeps, checks, and the move to double precision where single cannot certify.

use super::kernel::Kernel;
use super::policy::Evaluation;
use super::simd::{Scalar, Vector};
use super::tile::{Constants, Tile};
use crate::plan::{Method, Schedule};
use crate::statistics::TILE;

/// Recentrings allowed per tile and precision: the allowance in [`Tile::certify`] counts on it.
const MAX_RECENTRINGS: u32 = 2;

/// Policies that are evaluated in one precision before the rest is left to sweeps: Howard's iteration needs about a dozen, and where
/// rounding makes it go in circles it has done its part.
const MOST_EVALUATIONS: u32 = 64;

/// What the loop needs to know about the cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) constants: Constants,
    pub(super) schedule: Schedule,
    /// What rewards are multiples of.
    pub(super) spacing: f64,
    /// Largest half-width that counts as converged.
    pub(super) tolerance: f64,
    pub(super) max_sweeps: u32,
    /// Largest number of terms in a sum.
    pub(super) longest_row: usize,
}

/// Work done on a tile in one precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::solve) struct Effort {
    /// Sweeps.
    pub(in crate::solve) sweeps: u32,
    /// Policies evaluated.
    pub(in crate::solve) evaluations: u32,
    /// Residuals.
    pub(in crate::solve) checks: u32,
}

/// Sweeps a tile until all its lanes are certified, the sweeps are used up, or the precision has nothing more to give.
/// The certificate is in the tile.
#[inline(always)]
pub(super) fn iterate<F: Scalar, V: Vector<Scalar = F>>(
    tile: &mut Tile<F>,
    kernel: &impl Kernel<F>,
    evaluation: Option<&Evaluation<F>>,
    limits: &Limits,
    first_check: u32,
) -> Effort {
    let discount = limits.constants.discount;
    let mut effort = Effort::default();
    let mut next = first_check.clamp(1, limits.max_sweeps);
    let mut recentrings = 0;
    let mut before = [F::from_f64(f64::INFINITY); TILE];
    if let Some(evaluation) = evaluation {
        while effort.sweeps < first_check {
            tile.sweep::<V>(kernel, effort.sweeps % 2 == 1);
            effort.sweeps += 1;
        }
        recentrings = iterate_policies::<F, V>(tile, kernel, evaluation, limits, &mut effort);
        next = effort.sweeps;
    }
    loop {
        while effort.sweeps < next {
            match limits.schedule.method {
                Method::InPlace | Method::PolicyIteration => {
                    tile.sweep::<V>(kernel, effort.sweeps % 2 == 1);
                }
                Method::Jacobi => tile.sweep_jacobi::<V>(kernel, discount),
            }
            effort.sweeps += 1;
        }
        tile.certify::<V, _>(kernel, limits.constants);
        effort.checks += 1;
        let ended = tile.certified(limits.tolerance) || effort.sweeps >= limits.max_sweeps;
        if ended || exhausted(tile, limits, &before) {
            return effort;
        }
        before = tile.half_width;
        match limits.schedule.method {
            Method::InPlace | Method::PolicyIteration if recentrings < MAX_RECENTRINGS => {
                recentrings += u32::from(tile.recentre(limits.spacing, discount));
            }
            Method::InPlace | Method::PolicyIteration => {}
            Method::Jacobi => {
                tile.advance_jacobi::<V>(kernel, discount);
                effort.sweeps += 1;
            }
        }
        next = (effort.sweeps + 1 + effort.sweeps / 8).min(limits.max_sweeps);
    }
}

/// Policy iteration: a sweep that notes its choices, then their exact values, until nothing is gained by a sweep. Returns how often the tile
/// was recentred.
///
/// The sweep is one of the in-place kind, T'. From the values V of a policy it makes T'V >= V, and its choices, taken for ever, are worth
/// at least as much: T' with these choices only grows from V to its own fixed point. So no goal's values ever go down but for rounding.
#[inline(always)]
fn iterate_policies<F: Scalar, V: Vector<Scalar = F>>(
    tile: &mut Tile<F>,
    kernel: &impl Kernel<F>,
    evaluation: &Evaluation<F>,
    limits: &Limits,
    effort: &mut Effort,
) -> u32 {
    let mut recentrings = 0;
    loop {
        let made = tile.improve::<V>(kernel, evaluation, effort.sweeps % 2 == 1);
        effort.sweeps += 1;
        let Some(made) = made else {
            return recentrings;
        };
        let is_over = effort.evaluations > 0 && made.is_over(limits.tolerance, limits.noise::<F>());
        let is_enough =
            effort.evaluations >= MOST_EVALUATIONS || effort.sweeps >= limits.max_sweeps;
        if is_over || is_enough {
            return recentrings;
        }
        tile.evaluate(V::LEVEL, evaluation);
        effort.evaluations += 1;
        if effort.evaluations == 1 {
            recentrings += u32::from(tile.recentre(limits.spacing, limits.constants.discount));
        }
    }
}

impl Limits {
    /// How far a value is moved by rounding alone, over the largest |V|: a backup errs by about (terms + 2)u|V|; twice that on either side.
    fn noise<F: Scalar>(&self) -> f64 {
        4.0 * (self.longest_row as f64 + 2.0) * F::UNIT
    }
}

/// How much of its half-width a lane must lose between two checks to be called alive near the floor of its precision.
const ALIVE: f64 = 0.9;

/// Whether some lane can no longer be certified in this precision: its allowance alone exceeds the tolerance and
/// there is little else, or its residual has come down to what rounding of the values makes of it and goes down no further.
///
/// Nearness to the floor alone is not enough: on its way down a goal can be seen there by chance.
fn exhausted<F: Scalar>(tile: &Tile<F>, limits: &Limits, before: &[F; TILE]) -> bool {
    let per_value = limits.noise::<F>();
    (0..TILE).any(|lane| {
        let half_width = tile.half_width[lane].to_f64();
        let size = tile.lowest[lane]
            .to_f64()
            .abs()
            .max(tile.highest[lane].to_f64().abs());
        let allowance = tile.allowance[lane].to_f64();
        let stalled = half_width <= allowance + per_value * size
            && half_width > ALIVE * before[lane].to_f64();
        let certified = half_width <= limits.tolerance;
        // The allowance grows with the residual: it says something once it is most of the half-width.
        let hopeless = allowance > limits.tolerance && half_width <= 2.0 * allowance;
        !certified && (hopeless || stalled)
    })
}

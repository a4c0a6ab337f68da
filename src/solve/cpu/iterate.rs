//! From a drawn goal to a certified one: sweeps, checks, and the move to double precision where single cannot certify.

use super::kernel::Kernel;
use super::simd::{Scalar, Vector};
use super::tile::{Constants, Tile};
use crate::plan::{Method, Schedule};
use crate::statistics::TILE;

/// Recentrings allowed per tile and precision: the allowance in [`Tile::certify`] counts on it.
const MAX_RECENTRINGS: u32 = 2;

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
    /// Residuals.
    pub(in crate::solve) checks: u32,
}

/// Sweeps a tile until all its lanes are certified, the sweeps are used up, or the precision has nothing more to give.
/// The certificate is in the tile.
#[inline(always)]
pub(super) fn iterate<F: Scalar, V: Vector<Scalar = F>>(
    tile: &mut Tile<F>,
    kernel: &impl Kernel<F>,
    limits: &Limits,
    first_check: u32,
) -> Effort {
    let discount = limits.constants.discount;
    let mut done = 0;
    let mut checks = 0;
    let mut next = first_check.clamp(1, limits.max_sweeps);
    let mut recentrings = 0;
    let mut before = [F::from_f64(f64::INFINITY); TILE];
    loop {
        while done < next {
            match limits.schedule.method {
                Method::InPlace => tile.sweep::<V>(kernel, done % 2 == 1),
                Method::Jacobi => tile.sweep_jacobi::<V>(kernel, discount),
            }
            done += 1;
        }
        tile.certify::<V>(kernel, limits.constants);
        checks += 1;
        let ended = tile.certified(limits.tolerance) || done >= limits.max_sweeps;
        if ended || exhausted(tile, limits, &before) {
            return Effort {
                sweeps: done,
                checks,
            };
        }
        before = tile.half_width;
        match limits.schedule.method {
            Method::InPlace if recentrings < MAX_RECENTRINGS => {
                recentrings += u32::from(tile.recentre(limits.spacing, discount));
            }
            Method::InPlace => {}
            Method::Jacobi => {
                tile.advance_jacobi::<V>(kernel, discount);
                done += 1;
            }
        }
        next = (done + 1 + done / 8).min(limits.max_sweeps);
    }
}

/// How much of its half-width a lane must lose between two checks to be called alive near the floor of its precision.
const ALIVE: f64 = 0.9;

/// Whether some lane can no longer be certified in this precision: its allowance alone exceeds the tolerance and
/// there is little else, or its residual has come down to what rounding of the values makes of it and goes down no further. A backup errs by about
/// (terms + 2)u|V|; twice that on either side is what a stalled iteration shows.
///
/// Nearness to the floor alone is not enough: on its way down a goal can be seen there by chance.
fn exhausted<F: Scalar>(tile: &Tile<F>, limits: &Limits, before: &[F; TILE]) -> bool {
    let per_value = 4.0 * (limits.longest_row as f64 + 2.0) * F::UNIT;
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

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

/// Where the way of a tile's goals starts, and where it may end before all of them are certified.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way {
    /// Sweeps before the first residual.
    pub(super) first_check: u32,
    /// Sweeps and recentrings that are behind some goal.
    pub(super) swept: u32,
    pub(super) recentred: u32,
    /// So many of the first `goals` lanes may be left uncertified.
    pub(super) may_leave: usize,
    pub(super) goals: usize,
    /// From one residual to the next there is one sweep more than the sweeps so far over this number.
    pub(super) looks: u32,
    /// Whether the way itself is of interest.
    pub(super) is_trial: bool,
}

impl Way {
    /// From the start until all lanes are certified.
    pub(super) fn whole(first_check: u32, is_trial: bool) -> Self {
        Self {
            first_check,
            looks: if is_trial { TRIAL_LOOKS } else { LOOKS },
            is_trial,
            ..Self::default()
        }
    }

    /// Whether all but so few are certified.
    pub(super) fn is_over<F: Scalar>(&self, tile: &Tile<F>, tolerance: f64) -> bool {
        match self.may_leave {
            0 => tile.certified(tolerance),
            few => {
                (0..self.goals)
                    .filter(|&lane| !tile.is_certified(lane, tolerance))
                    .count()
                    <= few
            }
        }
    }
}

/// See [`Way::looks`]: a residual costs as much as three or four sweeps.
const LOOKS: u32 = 16;

/// The same of trials, in which residuals are not counted but sweeps are.
const TRIAL_LOOKS: u32 = 2 * LOOKS;

/// How many lanes are behind the one whose half-width tells what most goals of a tile need.
const BEHIND: usize = TILE / 8;

/// Work done on a tile in one precision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::solve) struct Effort {
    /// Sweeps.
    pub(in crate::solve) sweeps: u32,
    /// Policies evaluated.
    pub(in crate::solve) evaluations: u32,
    /// Residuals.
    pub(in crate::solve) checks: u32,
    /// How often the values were moved to another centre.
    pub(super) recentrings: u32,
    /// Of trials: the way of all lanes, and of most.
    pub(in crate::solve) all: Descent,
    pub(in crate::solve) most: Descent,
}

/// How a half-width came down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::solve) struct Descent {
    /// The first that was seen, with the sweeps before it, and two others: those between which it fell to the tolerance, else the last.
    widths: [(f64, u32); 3],
    /// Sweeps until it was within the tolerance.
    pub(in crate::solve) done: Option<u32>,
}

impl Descent {
    fn saw(&mut self, width: f64, sweeps: u32, tolerance: f64) {
        if self.done.is_some() {
            return;
        }
        let this = (width, sweeps);
        let [first, _, last] = self.widths;
        self.widths = match first.1 {
            0 => [this; 3],
            _ => [first, last, this],
        };
        self.done = (width <= tolerance).then_some(sweeps);
    }

    /// Sweeps that were needed for this half-width, as far as two residuals tell.
    pub(in crate::solve) fn needed(&self, half_width: f64) -> u32 {
        let [_, (before, start), (after, end)] = self.widths;
        let part = (before / half_width).ln() / (before / after).ln();
        let needed = f64::from(start) + part * f64::from(end - start);
        match part.is_finite() {
            true => (needed.ceil() as u32).clamp(start + 1, end),
            false => end,
        }
    }

    /// What two sweeps left of it; zero where it was seen once.
    pub(in crate::solve) fn contraction(&self) -> f64 {
        let [(first, before), _, (last, after)] = self.widths;
        if after == before {
            return 0.0;
        }
        (last / first).powf(2.0 / f64::from(after - before))
    }
}

/// Sweeps a tile until all its lanes are certified, the sweeps are used up, or the precision has nothing more to give.
/// The certificate is in the tile.
#[inline(always)]
pub(super) fn iterate<F: Scalar, V: Vector<Scalar = F>>(
    tile: &mut Tile<F>,
    kernel: &impl Kernel<F>,
    evaluation: Option<&Evaluation<F>>,
    limits: &Limits,
    way: Way,
) -> Effort {
    let discount = limits.constants.discount;
    let mut effort = Effort {
        sweeps: way.swept,
        recentrings: way.recentred,
        ..Effort::default()
    };
    let due = |sweeps: u32| sweeps.clamp(1, limits.max_sweeps);
    let mut next = due(way.first_check);
    let (mut before, mut judged) = ([F::from_f64(f64::INFINITY); TILE], 0);
    if let Some(evaluation) = evaluation {
        while effort.sweeps < way.first_check {
            tile.sweep::<V>(kernel, effort.sweeps % 2 == 1);
            effort.sweeps += 1;
        }
        iterate_policies::<F, V>(tile, kernel, evaluation, limits, &mut effort);
        next = effort.sweeps;
    }
    let mut relaxation = Relaxation::of(&limits.schedule);
    loop {
        while effort.sweeps < next {
            match limits.schedule.method {
                Method::InPlace | Method::PolicyIteration => {
                    tile.sweep::<V>(kernel, effort.sweeps % 2 == 1);
                }
                Method::OverRelaxed => {
                    let factor = relaxation.after(effort.sweeps);
                    tile.sweep_relaxed::<V>(kernel, factor);
                }
                Method::Jacobi => tile.sweep_jacobi::<V>(kernel, discount),
            }
            effort.sweeps += 1;
        }
        tile.certify::<V, _>(kernel, limits.constants);
        effort.checks += 1;
        if way.is_trial {
            let (all, most) = (widest(tile), that_of_most(tile));
            effort.all.saw(all, effort.sweeps, limits.tolerance);
            effort.most.saw(most, effort.sweeps, limits.tolerance);
        }
        if way.is_over(tile, limits.tolerance) || effort.sweeps >= limits.max_sweeps {
            return effort;
        }
        let width = widest(tile);
        let relaxing = relaxation.look(width, effort.sweeps);
        if effort.sweeps > judged + judged / 8 {
            if !relaxing && exhausted(tile, limits, &before) {
                return effort;
            }
            (before, judged) = (tile.half_width, effort.sweeps);
        }
        match limits.schedule.method {
            Method::InPlace | Method::PolicyIteration | Method::OverRelaxed => {
                if effort.recentrings < MAX_RECENTRINGS && tile.recentre(limits.spacing, discount) {
                    effort.recentrings += 1;
                }
            }
            Method::Jacobi => {
                tile.advance_jacobi::<V>(kernel, discount);
                effort.sweeps += 1;
            }
        }
        next = due(effort.sweeps + 1 + effort.sweeps / way.looks);
    }
}

/// Sweeps before the first that goes beyond the backup.
const SWEEPS_BEFORE: u32 = 2;

/// Sweeps within which the largest half-width must come down to [`ALIVE`] of what it was, or values go no further than to their backups.
const PATIENCE: u32 = 8;

/// How far values go.
///
/// A sweep by colours leaves less of an error than one in an order in which neighbours wait for each other, and of what it leaves more is of the same sign: going beyond the backup
/// then saves up to half of the sweeps, by a factor that the pilot finds (Young 1954). Where the noise is small the same choices pull all the time, errors turn, and the factor must be
/// small. None of this is proven of maxima, nor needs to be: the residual certifies whatever it is given, and where it does not come down values go to their backups.
#[derive(Clone, Copy, Debug)]
struct Relaxation {
    /// As a multiple of the way to the backup.
    factor: f64,
    /// The largest half-width, and the sweeps after which it was seen.
    mark: (f64, u32),
}

impl Relaxation {
    fn of(schedule: &Schedule) -> Self {
        let factor = match schedule.method {
            Method::OverRelaxed => schedule.relaxation.fraction(),
            Method::InPlace | Method::Jacobi | Method::PolicyIteration => 1.0,
        };
        Self {
            factor,
            mark: (f64::INFINITY, 0),
        }
    }

    /// How far values go after so many sweeps.
    #[inline(always)]
    fn after(&self, sweeps: u32) -> f64 {
        match sweeps < SWEEPS_BEFORE {
            true => 1.0,
            false => self.factor,
        }
    }

    /// Ends it if it does not pay. Returns whether values went further until now.
    fn look(&mut self, width: f64, sweeps: u32) -> bool {
        let relaxing = self.factor != 1.0;
        if sweeps >= self.mark.1 + PATIENCE {
            if width > ALIVE * self.mark.0 {
                self.factor = 1.0;
            }
            self.mark = (width, sweeps);
        }
        relaxing
    }
}

/// Policy iteration: a sweep that notes its choices, then their exact values, until nothing is gained by a sweep.
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
) {
    loop {
        let made = tile.improve::<V>(kernel, evaluation, effort.sweeps % 2 == 1);
        effort.sweeps += 1;
        let Some(made) = made else {
            return;
        };
        let is_over = effort.evaluations > 0 && made.is_over(limits.tolerance, limits.noise::<F>());
        let is_enough =
            effort.evaluations >= MOST_EVALUATIONS || effort.sweeps >= limits.max_sweeps;
        if is_over || is_enough {
            return;
        }
        tile.evaluate(V::LEVEL, evaluation);
        effort.evaluations += 1;
        if effort.evaluations == 1 {
            effort.recentrings +=
                u32::from(tile.recentre(limits.spacing, limits.constants.discount));
        }
    }
}

impl Limits {
    /// How far a value is moved by rounding alone, over the largest |V|: a backup errs by about (terms + 2)u|V|; twice that on either side.
    fn noise<F: Scalar>(&self) -> f64 {
        4.0 * (self.longest_row as f64 + 2.0) * F::UNIT
    }
}

/// The largest half-width of any lane; infinite where one is not a number.
fn widest<F: Scalar>(tile: &Tile<F>) -> f64 {
    let widths = tile.half_width.iter().map(|w| w.to_f64());
    widths.fold(0.0, |most: f64, w| match w.is_nan() {
        true => f64::INFINITY,
        false => most.max(w),
    })
}

/// The half-width of the lane that has [`BEHIND`] lanes behind it.
fn that_of_most<F: Scalar>(tile: &Tile<F>) -> f64 {
    let mut widths = tile.half_width.map(Scalar::to_f64);
    widths.sort_unstable_by(|a, b| b.total_cmp(a));
    widths[BEHIND]
}

/// How much of its half-width a lane must lose while an eighth more sweeps are done to be called alive near the floor of its precision.
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

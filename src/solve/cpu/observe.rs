//! Handing the goals of a solved tile to the observer: what is asked beyond POWER.

use super::simd::{Isa, Job, Level, Scalar, dispatch};
use super::sums::Measure;
use super::tile::{Constants, Tile};
use crate::plan::{SweepModel, SweepState};
use crate::reward::RewardDomain;
use crate::statistics::TILE;
use crate::statistics::behaviour::Memory;

/// Lanes of a tile up to which each is read on its own: a vector reads eight at once, at best.
const ALONE: u32 = 8;

/// What one worker needs for it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `(1 - gamma) V*`, `[n_states, TILE]` by state.
    pub(super) worths: Vec<f64>,
    /// Per lane: the largest of them.
    pub(super) magnitudes: Vec<f64>,
    /// Per lane: its half-width.
    pub(super) half_widths: Vec<f64>,
    pub(super) memory: Memory,
}

/// A tile whose worths are read.
struct Reading<'a, F> {
    scratch: &'a mut Scratch,
    tile: &'a Tile<F>,
    rows: &'a [SweepState],
    constants: Constants,
}

impl<F: Scalar> Tile<F> {
    /// Half-width of the worths of one goal whose states have the rewards.
    ///
    /// Rewards were centred and recentred in F, each of which rounds once, by at most 3u of their range in all; a worth is made of
    /// them by a factor of 1 - gamma.
    #[inline(always)]
    pub(super) fn worth_half_width(&self, constants: Constants, lane: usize) -> f64 {
        let (used, complement) = (constants.discount.used(), constants.discount.complement());
        let range = self.most_reward[lane].to_f64() - self.least_reward[lane].to_f64();
        used * self.half_width[lane].to_f64() + complement * 3.0 * F::UNIT * range
    }
}

impl<F: Scalar> Job for Reading<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        self.scratch.fill(self.tile, self.rows, self.constants);
    }
}

impl Scratch {
    /// Reads the worths of some lanes, a bit for each, off a certified tile, whose rows are in sweep order. What is there of others does not count.
    pub(super) fn read<F: Scalar>(
        &mut self,
        level: Level,
        tile: &Tile<F>,
        model: &SweepModel,
        constants: Constants,
        lanes: u64,
    ) {
        match model.domain() {
            RewardDomain::State if lanes.count_ones() <= ALONE => {
                self.fill_lanes(tile, model.states(), constants, lanes);
            }
            RewardDomain::State => dispatch(
                level,
                Reading {
                    scratch: self,
                    tile,
                    rows: model.states(),
                    constants,
                },
            ),
            RewardDomain::Choice => self.fill_choices(tile, model.states(), constants),
        }
    }

    /// The same operations as [`fill`](Self::fill), lane by lane.
    fn fill_lanes<F: Scalar>(
        &mut self,
        tile: &Tile<F>,
        rows: &[SweepState],
        constants: Constants,
        mut lanes: u64,
    ) {
        let (used, complement) = (constants.discount.used(), constants.discount.complement());
        self.worths.resize(rows.len() * TILE, 0.0);
        self.magnitudes.resize(TILE, 0.0);
        self.half_widths.resize(TILE, 0.0);
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize;
            lanes &= lanes - 1;
            let constant = used * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
            let mut most = 0.0;
            for (row, state) in rows.iter().enumerate() {
                let [reward, backup] =
                    [&tile.rewards, &tile.backup].map(|of| of[row * TILE + lane].to_f64());
                let w = complement * (reward + used * backup) + constant;
                self.worths[state.state.index() * TILE + lane] = w;
                let size = w.abs();
                most = if size > most { size } else { most };
            }
            self.magnitudes[lane] = most;
            self.half_widths[lane] = tile.worth_half_width(constants, lane);
        }
    }

    /// The same where choices have rewards: the measure is `(1 - gamma) V*` itself.
    fn fill_choices<F: Scalar>(
        &mut self,
        tile: &Tile<F>,
        rows: &[SweepState],
        constants: Constants,
    ) {
        let measure = Measure::new(constants.discount, RewardDomain::Choice);
        self.worths.resize(rows.len() * TILE, 0.0);
        self.half_widths.clear();
        self.magnitudes.clear();
        for lane in 0..TILE {
            let worths = measure.lane(tile, lane);
            let size = worths.iter().fold(0.0, |m, w| f64::max(m, w.abs()));
            for (state, worth) in rows.iter().zip(worths) {
                self.worths[state.state.index() * TILE + lane] = worth;
            }
            self.magnitudes.push(size);
            // A product and two sums.
            let rounding = 2.0 * f64::EPSILON * size;
            self.half_widths
                .push(tile.half_width[lane].to_f64() + rounding);
        }
    }

    #[inline(always)]
    fn fill<F: Scalar>(&mut self, tile: &Tile<F>, rows: &[SweepState], constants: Constants) {
        let (used, complement) = (constants.discount.used(), constants.discount.complement());
        self.half_widths.clear();
        let lanes = 0..TILE;
        self.half_widths
            .extend(lanes.map(|lane| tile.worth_half_width(constants, lane)));
        let n = rows.len();
        self.worths.resize(n * TILE, 0.0);
        // w = (1 - g)(R + centre) + g ((1 - g) max P V + middle + centre).
        let mut constant = [0.0; TILE];
        for (lane, to) in constant.iter_mut().enumerate() {
            *to = used * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
        }
        self.magnitudes.clear();
        self.magnitudes.resize(TILE, 0.0);
        for (row, state) in rows.iter().enumerate() {
            let rewards = &tile.rewards[row * TILE..(row + 1) * TILE];
            let backups = &tile.backup[row * TILE..(row + 1) * TILE];
            let first = state.state.index() * TILE;
            let worths = &mut self.worths[first..first + TILE];
            for (lane, to) in worths.iter_mut().enumerate() {
                let w = complement * (rewards[lane].to_f64() + used * backups[lane].to_f64());
                *to = w + constant[lane];
                let size = to.abs();
                let most = &mut self.magnitudes[lane];
                *most = if size > *most { size } else { *most };
            }
        }
    }
}

//! Handing the goals of a solved tile to the observer: what is asked beyond POWER.

use super::simd::Scalar;
use super::tile::{Constants, Tile};
use crate::plan::SweepState;
use crate::statistics::TILE;
use crate::statistics::behaviour::Memory;

/// What one worker needs for it.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `(1 - gamma) V*`, `[TILE, n_states]` by state.
    pub(super) worths: Vec<f64>,
    /// Per lane: its half-width.
    pub(super) half_widths: Vec<f64>,
    pub(super) memory: Memory,
}

impl Scratch {
    /// Turns a certified tile, `[state in sweep order][lane]`, round into `[lane][state]`.
    ///
    /// Rewards were centred and recentred in F, each of which rounds once, by at most 3u of their range in all; a worth is made of
    /// them by a factor of 1 - gamma.
    pub(super) fn read<F: Scalar>(
        &mut self,
        tile: &Tile<F>,
        rows: &[SweepState],
        constants: Constants,
    ) {
        let (used, complement) = (constants.discount.used(), constants.discount.complement());
        self.half_widths.clear();
        self.half_widths.extend((0..TILE).map(|lane| {
            let range = tile.most_reward[lane].to_f64() - tile.least_reward[lane].to_f64();
            used * tile.half_width[lane].to_f64() + complement * 3.0 * F::UNIT * range
        }));
        let n = rows.len();
        self.worths.resize(n * TILE, 0.0);
        // w = (1 - g)(R + centre) + g ((1 - g) max P V + middle + centre).
        let mut constant = [0.0; TILE];
        for (lane, to) in constant.iter_mut().enumerate() {
            *to = used * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
        }
        for (row, state) in rows.iter().enumerate() {
            let rewards = &tile.rewards[row * TILE..(row + 1) * TILE];
            let backups = &tile.backup[row * TILE..(row + 1) * TILE];
            for lane in 0..TILE {
                let w = complement * (rewards[lane].to_f64() + used * backups[lane].to_f64());
                self.worths[lane * n + state.state.index()] = w + constant[lane];
            }
        }
    }
}

//! Adding up the goals of a tile.

use super::simd::{Isa, Job, Scalar, Vector};
use super::stage::{Outcome, StageTiles};
use super::tile::Tile;
use crate::reward::RewardDomain;
use crate::statistics::{BlockSums, TILE};
use crate::units::Discount;

/// Partial sums per state: few enough to stay in cache, enough to hide the latency of an addition.
const PARTIAL: usize = 8;

/// Sums over the tiles of one chunk. Rows are states in sweep order.
#[derive(Clone, Debug)]
pub(super) struct ChunkSums {
    power: Vec<[f64; PARTIAL]>,
    squared: Vec<[f64; PARTIAL]>,
    goals: BlockSums,
}

impl ChunkSums {
    pub(super) fn new(n_states: usize) -> Self {
        Self {
            power: vec![[0.0; PARTIAL]; n_states],
            squared: vec![[0.0; PARTIAL]; n_states],
            goals: BlockSums::new(0),
        }
    }

    /// Adds the goals of a certified tile that are done.
    ///
    /// The order of additions is fixed: lanes 16 apart pairwise in F, then 8 partial sums in f64.
    #[inline(always)]
    pub(super) fn add<F: Scalar, V: Vector<Scalar = F>>(
        &mut self,
        tile: &Tile<F>,
        measure: Measure,
        shift: f64,
        done: Done<'_>,
    ) {
        let mut constant = [F::default(); TILE];
        let mut mask = [F::default(); TILE];
        for lane in 0..TILE {
            let middle = measure.sign * measure.scale * tile.middle[lane].to_f64();
            let x = middle + (measure.sign * tile.centre[lane].to_f64() - shift);
            constant[lane] = F::from_f64(x);
            mask[lane] = F::from_f64((done.lanes >> lane & 1) as f64);
        }
        let factor = V::splat(F::from_f64(measure.factor()));
        let whole = done.lanes == u64::MAX;
        for (s, (power, squared)) in self.power.iter_mut().zip(&mut self.squared).enumerate() {
            let mut sum = [F::default(); 16];
            let mut square = [F::default(); 16];
            for part in (0..16).step_by(V::WIDTH) {
                let zero = V::splat(F::default());
                let (mut a, mut b) = (zero, zero);
                for lane in (part..TILE).step_by(16) {
                    let value = V::load(&tile.backup[s * TILE + lane..]);
                    let offset = V::load(&constant[lane..]);
                    let mut x = value.mul_add(factor, offset);
                    if !whole {
                        x = x.mul(V::load(&mask[lane..]));
                    }
                    a = a.add(x);
                    b = x.mul_add(x, b);
                }
                a.store(&mut sum[part..]);
                b.store(&mut square[part..]);
            }
            V::add_wide(&sum, power);
            V::add_wide(&square, squared);
        }
        for lane in (0..TILE).filter(|lane| done.lanes >> lane & 1 == 1) {
            let (goal, sweeps) = done.goals.of(lane);
            let half_width = match done.half_widths {
                Some(known) => known[lane],
                None => tile.half_width[lane].to_f64(),
            };
            self.goals
                .note_goal(goal, half_width, done.tolerance, sweeps);
        }
    }

    /// The chunk's sums, `[n_states]` by state; `rows` is the state of every row.
    pub(super) fn finish(self, rows: impl Iterator<Item = usize>) -> BlockSums {
        let mut sums = BlockSums {
            power: vec![0.0; self.power.len()],
            power_squared: vec![0.0; self.squared.len()],
            ..self.goals
        };
        let halves =
            |p: &[f64; PARTIAL]| ((p[0] + p[4]) + (p[1] + p[5])) + ((p[2] + p[6]) + (p[3] + p[7]));
        // Goals that took longer than others of their tile come late.
        sums.unconverged_goals.sort_unstable();
        for (row, state) in rows.enumerate() {
            sums.power[state] = halves(&self.power[row]);
            sums.power_squared[state] = halves(&self.squared[row]);
        }
        sums
    }
}

/// The goals of a tile that are done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done<'a> {
    /// A bit for every lane, the lowest for the first one.
    pub(super) lanes: u64,
    pub(super) goals: Goals<'a>,
    pub(super) tolerance: f64,
    /// Half-widths, where they are more than the tile's own.
    pub(super) half_widths: Option<&'a [f64; TILE]>,
}

/// Which goals the lanes of a tile hold, and the sweeps that they took.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goals<'a> {
    /// One after the other from the first one on, solved together.
    Run { first: u64, sweeps: u32 },
    /// Each with its own.
    Each(&'a [(u64, u32)]),
}

impl Goals<'_> {
    #[inline(always)]
    pub(super) fn of(self, lane: usize) -> (u64, u32) {
        match self {
            Goals::Run { first, sweeps } => (first + lane as u64, sweeps),
            Goals::Each(goals) => goals[lane],
        }
    }
}

/// Adds a solved tile to the sums of its chunk.
pub(super) struct SumJob<'a> {
    pub(super) tiles: &'a StageTiles,
    pub(super) outcome: Outcome,
    pub(super) measure: Measure,
    pub(super) shift: f64,
    pub(super) done: Done<'a>,
    pub(super) sums: &'a mut ChunkSums,
}

impl Job for SumJob<'_> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        let (measure, shift, done) = (self.measure, self.shift, self.done);
        match &self.tiles.double {
            Some(tile) if self.outcome.is_double() => {
                self.sums.add::<f64, I::Double>(tile, measure, shift, done);
            }
            _ => {
                let tile = &self.tiles.single;
                self.sums.add::<f32, I::Single>(tile, measure, shift, done);
            }
        }
    }
}

/// What is made of values: `scale ((1 - gamma) max_a P_a V + middle) + centre`, or minus that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// 1; or -1 where the goals that were solved are the negatives of those that are asked about.
    sign: f64,
    /// 1 - gamma.
    complement: f64,
    /// 1 for the POWER integrand; gamma where choices have rewards, which makes it `(1 - gamma) V*`.
    scale: f64,
}

impl Measure {
    pub(super) fn new(discount: Discount, domain: RewardDomain) -> Self {
        Self {
            sign: 1.0,
            complement: discount.complement(),
            scale: match domain {
                RewardDomain::State => 1.0,
                RewardDomain::Choice => discount.used(),
            },
        }
    }

    /// The same of goals that were solved as `sign` times themselves.
    pub(super) fn signed(self, sign: f64) -> Self {
        Self { sign, ..self }
    }

    /// What backups are multiplied by.
    pub(super) fn factor(self) -> f64 {
        self.sign * self.scale * self.complement
    }

    /// What is added to that for every lane.
    #[inline(always)]
    pub(super) fn constants<F: Scalar>(self, tile: &Tile<F>) -> [f64; TILE] {
        std::array::from_fn(|lane| {
            let middle = self.scale * tile.middle[lane].to_f64();
            self.sign * (middle + tile.centre[lane].to_f64())
        })
    }

    /// The measure of one lane, `[n_states]` in sweep order.
    pub(super) fn lane<F: Scalar>(self, tile: &Tile<F>, lane: usize) -> Vec<f64> {
        let (constant, factor) = (self.constants(tile)[lane], self.factor());
        let rows = tile.backup.chunks_exact(TILE);
        rows.map(|row| factor * row[lane].to_f64() + constant)
            .collect()
    }
}

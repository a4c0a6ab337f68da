//! Goals of a tile: Philox over many goals at once, straight into reward rows.

use super::simd::{Isa, Words};
use crate::plan::SweepModel;
use crate::reward::Lattice;
use crate::rng::{self, MULTIPLIERS, ROUNDS, Stream, WEYL};
use crate::statistics::TILE;
use crate::units::Seed;

/// Which rows the four words of one Philox block go to.
#[derive(Clone, Debug)]
struct CoordinateBlock {
    /// `coordinate / 4`.
    number: u32,
    /// For each word, first and one past the last entry of [`Drawing::rows`].
    targets: [(u32, u32); 4],
}

/// How the goals of one cell are drawn.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    key: [u32; 2],
    lattice: Lattice,
    blocks: Vec<CoordinateBlock>,
    rows: Vec<u32>,
}

impl Drawing {
    /// Sorts states by coordinate, so that every Philox block is computed once.
    pub(super) fn new(model: &SweepModel, lattice: Lattice, seed: Seed) -> Self {
        let mut wanted: Vec<(u32, u32)> = Vec::with_capacity(model.states().len());
        for (row, state) in model.states().iter().enumerate() {
            let coordinate = state
                .coordinate
                .expect("a plain goal program draws every reward");
            wanted.push((coordinate, row as u32));
        }
        wanted.sort_unstable();
        let rows = wanted.iter().map(|&(_, row)| row).collect();
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < wanted.len() {
            let number = wanted[at].0 / 4;
            let targets = std::array::from_fn(|word| {
                let first = at;
                let coordinate = u64::from(number) * 4 + word as u64;
                while at < wanted.len() && u64::from(wanted[at].0) == coordinate {
                    at += 1;
                }
                (first as u32, at as u32)
            });
            blocks.push(CoordinateBlock { number, targets });
        }
        Self {
            key: rng::key(seed),
            lattice,
            blocks,
            rows,
        }
    }

    /// Draws goals `first..first + TILE` into `rewards`, `[n_states, TILE]` in sweep order. `first` is a multiple of TILE.
    #[inline(always)]
    pub(super) fn fill<I: Isa>(&self, stream: Stream, first: u64, rewards: &mut [f32]) {
        let mut scratch = [[0f32; TILE]; 4];
        let step = 2 * I::Words::WIDTH;
        for block in &self.blocks {
            for lane in (0..TILE).step_by(step) {
                // The tile is aligned, so the lower half of the index does not wrap within it.
                let low = (first as u32) + lane as u32;
                let counter = [low, (first >> 32) as u32, block.number, stream as u32];
                let even = philox::<I::Words>(counter, self.key);
                let odd =
                    philox::<I::Words>([low + 1, counter[1], counter[2], counter[3]], self.key);
                let width = I::Words::splat(self.lattice.width);
                for word in 0..4 {
                    I::Words::store_scaled(
                        even[word].product(width).upper(),
                        odd[word].product(width).upper(),
                        self.lattice.low,
                        self.lattice.spacing(),
                        &mut scratch[word][lane..],
                    );
                }
            }
            for (row, &(from, to)) in scratch.iter().zip(&block.targets) {
                for &target in &self.rows[from as usize..to as usize] {
                    let at = target as usize * TILE;
                    rewards[at..at + TILE].copy_from_slice(row);
                }
            }
        }
    }
}

/// Philox4x32-10 for goals `counter[0], counter[0] + 2, ...`.
///
/// A lane is 64 bits wide and holds its 32-bit word in the lower half. The product of two lower halves is one
/// instruction; its lower word needs no extraction, because whatever stands in an upper half is never read.
#[inline(always)]
fn philox<W: Words>(counter: [u32; 4], key: [u32; 2]) -> [W; 4] {
    let mut c0 = W::every_second(counter[0]);
    let mut c1 = W::splat(counter[1]);
    let mut c2 = W::splat(counter[2]);
    let mut c3 = W::splat(counter[3]);
    let m0 = W::splat(MULTIPLIERS[0]);
    let m1 = W::splat(MULTIPLIERS[1]);
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let p0 = c0.product(m0);
        let p1 = c2.product(m1);
        c0 = p1.upper().xor3(c1, W::splat(k0));
        c2 = p0.upper().xor3(c3, W::splat(k1));
        c1 = p1;
        c3 = p0;
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Job, Level, dispatch};
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::reward::Uniform;
    use crate::units::SampleIndex;

    struct Fill<'a>(&'a Drawing, u64, &'a mut [f32]);

    impl Job for Fill<'_> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            self.0.fill::<I>(Stream::Reward, self.1, self.2);
        }
    }

    #[test]
    fn every_level_draws_the_defined_bits() {
        let mut builder = MdpBuilder::new("shared coordinates");
        let states: Vec<_> = (0..7).map(|i| builder.state(format!("s{i}"))).collect();
        states.iter().for_each(|&s| builder.absorbing(s));
        // Out of order, with a gap, one coordinate shared by two states.
        let coordinates = [9, 0, 3, 0, 1_000_003, 4, 2];
        builder.reward_coordinates(coordinates.map(Some).to_vec());
        let mdp = builder.build().unwrap();
        let model = crate::plan::Plan::draw(&mdp, crate::Discount::new(0.9).unwrap());
        let seed = Seed(0x0123_4567_89ab_cdef);
        for law in [Uniform::unit(), Uniform::new(-3.0, 0.7).unwrap()] {
            let drawing = Drawing::new(model.model(), law.lattice(), seed);
            for first in [0, (1 << 40) + 128, 64] {
                for level in Level::available() {
                    let mut rewards = vec![f32::NAN; 7 * TILE];
                    dispatch(level, Fill(&drawing, first, &mut rewards));
                    for (row, state) in model.model().states().iter().enumerate() {
                        for lane in 0..TILE {
                            let index = SampleIndex(first + lane as u64);
                            let word = rng::word(
                                seed,
                                Stream::Reward,
                                index,
                                coordinates[state.state.index()],
                            );
                            assert_eq!(rewards[row * TILE + lane], law.lattice().value(word));
                        }
                    }
                }
            }
        }
    }
}

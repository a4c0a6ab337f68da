//! Goals of a tile: Philox over many goals at once, straight into reward rows.

use std::sync::Arc;

use super::simd::{Isa, Words};
use crate::reward::{GoalLaw, Independent, Lattice, Linear, Marginal, Recipe, Source};
use crate::rng::{self, MULTIPLIERS, ROUNDS, Stream, WEYL};
use crate::statistics::TILE;
use crate::units::Seed;

/// The words of one Philox block, for every goal of a tile.
type BlockWords = [[u32; TILE]; 4];

/// Which draws the four words of one Philox block become.
#[derive(Clone, Debug)]
struct CoordinateBlock {
    /// `coordinate / 4`.
    number: u32,
    /// For each word, first and one past the last entry of [`Coordinates::targets`].
    targets: [(u32, u32); 4],
}

/// Where the draw of a coordinate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    coordinate: u32,
    row: u32,
    law: u32,
}

/// Draws sorted by coordinate, so that every Philox block is computed once.
#[derive(Clone, Debug)]
struct Coordinates {
    blocks: Vec<CoordinateBlock>,
    targets: Vec<Target>,
}

impl Coordinates {
    fn new(mut targets: Vec<Target>) -> Self {
        targets.sort_unstable();
        let mut blocks = Vec::new();
        let mut at = 0;
        while at < targets.len() {
            let number = targets[at].coordinate / 4;
            let targets = std::array::from_fn(|word| {
                let first = at;
                let coordinate = u64::from(number) * 4 + word as u64;
                while at < targets.len() && u64::from(targets[at].coordinate) == coordinate {
                    at += 1;
                }
                (first as u32, at as u32)
            });
            blocks.push(CoordinateBlock { number, targets });
        }
        Self { blocks, targets }
    }
}

/// How the goals of one cell are drawn. Rows are rewards in sweep order.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    seed: Seed,
    recipe: RowRecipe,
}

#[derive(Clone, Debug)]
enum RowRecipe {
    /// Every row is a draw of one lattice, or fixed.
    Lattice {
        lattice: Lattice,
        coordinates: Coordinates,
        fixed: Vec<(u32, f32)>,
    },
    /// Every row is fixed or a draw.
    Independent {
        laws: Vec<Marginal>,
        coordinates: Coordinates,
        fixed: Vec<(u32, f32)>,
    },
    /// Every row is a sum of draws.
    Linear {
        coordinates: Coordinates,
        linear: Linear,
        /// Per row: its reward.
        rows: Vec<u32>,
    },
    /// Goals are drawn one by one.
    Whole {
        law: Arc<GoalLaw>,
        /// Per row: its reward.
        rows: Vec<u32>,
    },
}

impl Drawing {
    /// `rows`: per row of a tile, which reward of the law it is.
    pub(super) fn new(rows: Vec<u32>, law: &Arc<GoalLaw>, seed: Seed) -> Self {
        let recipe = match law.recipe() {
            Recipe::Independent(independent) => Self::independent(&rows, independent),
            Recipe::Linear(linear) => {
                let latent = linear.latent.iter().enumerate();
                let targets = latent.map(|(row, &(coordinate, law))| Target {
                    coordinate,
                    row: row as u32,
                    law,
                });
                RowRecipe::Linear {
                    coordinates: Coordinates::new(targets.collect()),
                    linear: linear.clone(),
                    rows,
                }
            }
            Recipe::Whole(_) => RowRecipe::Whole {
                law: law.clone(),
                rows,
            },
        };
        Self { seed, recipe }
    }

    fn independent(rows: &[u32], independent: &Independent) -> RowRecipe {
        let mut targets = Vec::new();
        let mut fixed = Vec::new();
        for (row, &reward) in rows.iter().enumerate() {
            let row = row as u32;
            match independent.sources[reward as usize] {
                Source::Fixed(x) => fixed.push((row, x)),
                Source::Draw { coordinate, law } => targets.push(Target {
                    coordinate,
                    row,
                    law,
                }),
            }
        }
        let coordinates = Coordinates::new(targets);
        let lattice = match &independent.laws[..] {
            [law] => law.lattice(),
            _ => None,
        };
        match lattice {
            Some(lattice) => RowRecipe::Lattice {
                lattice,
                coordinates,
                fixed,
            },
            None => RowRecipe::Independent {
                laws: independent.laws.clone(),
                coordinates,
                fixed,
            },
        }
    }

    /// Draws goals `first..first + TILE` into `rewards`, `[n_rows, TILE]`. `first` is a multiple of TILE.
    #[inline(always)]
    pub(super) fn fill<I: Isa>(&self, stream: Stream, first: u64, rewards: &mut [f32]) {
        match &self.recipe {
            RowRecipe::Lattice {
                lattice,
                coordinates,
                fixed,
            } => {
                self.fill_lattice::<I>(*lattice, coordinates, stream, first, rewards);
                put_fixed(fixed, rewards);
            }
            RowRecipe::Independent {
                laws,
                coordinates,
                fixed,
            } => {
                self.fill_rows::<I>(laws, coordinates, stream, first, rewards);
                put_fixed(fixed, rewards);
            }
            RowRecipe::Linear {
                coordinates,
                linear,
                rows,
            } => {
                let mut latent = vec![0.0; linear.latent.len() * TILE];
                self.fill_rows::<I>(&linear.laws, coordinates, stream, first, &mut latent);
                for (to, &reward) in rewards.chunks_exact_mut(TILE).zip(rows) {
                    sum_row(linear, reward as usize, &latent, to);
                }
            }
            RowRecipe::Whole { law, rows } => self.fill_whole(law, rows, stream, first, rewards),
        }
    }

    /// The common case: words become rewards without leaving their registers.
    #[inline(always)]
    fn fill_lattice<I: Isa>(
        &self,
        lattice: Lattice,
        coordinates: &Coordinates,
        stream: Stream,
        first: u64,
        rewards: &mut [f32],
    ) {
        let key = rng::key(self.seed);
        let width = I::Words::splat(lattice.width);
        for lane in (0..TILE).step_by(2 * I::Words::WIDTH) {
            let lanes = Lanes::<I::Words>::new(key, stream, first, lane);
            for block in &coordinates.blocks {
                let [even, odd] = lanes.words(block.number);
                for (word, &(from, to)) in block.targets.iter().enumerate() {
                    for target in &coordinates.targets[from as usize..to as usize] {
                        I::Words::store_scaled(
                            even[word].product(width),
                            odd[word].product(width),
                            lattice.low,
                            lattice.spacing(),
                            &mut rewards[target.row as usize * TILE + lane..],
                        );
                    }
                }
            }
        }
    }

    /// Draws of any laws, `to` is `[n_targets' rows, TILE]`.
    #[inline(always)]
    fn fill_rows<I: Isa>(
        &self,
        laws: &[Marginal],
        coordinates: &Coordinates,
        stream: Stream,
        first: u64,
        to: &mut [f32],
    ) {
        let key = rng::key(self.seed);
        let mut scratch: BlockWords = [[0; TILE]; 4];
        for block in &coordinates.blocks {
            for lane in (0..TILE).step_by(2 * I::Words::WIDTH) {
                let lanes = Lanes::<I::Words>::new(key, stream, first, lane);
                let [even, odd] = lanes.words(block.number);
                for word in 0..4 {
                    I::Words::store_words(even[word], odd[word], &mut scratch[word][lane..]);
                }
            }
            for (row, &(from, end)) in scratch.iter().zip(&block.targets) {
                for target in &coordinates.targets[from as usize..end as usize] {
                    let law = &laws[target.law as usize];
                    law.values(row, &mut to[target.row as usize * TILE..][..TILE]);
                }
            }
        }
    }

    /// Goals one after the other: laws that shuffle or look up.
    fn fill_whole(
        &self,
        law: &GoalLaw,
        rows: &[u32],
        stream: Stream,
        first: u64,
        rewards: &mut [f32],
    ) {
        law.draw_each((self.seed, stream), first, TILE as u64, |lane, goal| {
            for (row, &reward) in rows.iter().enumerate() {
                rewards[row * TILE + lane] = goal[reward as usize];
            }
        });
    }
}

/// Rows that are the same for every goal.
#[inline(always)]
fn put_fixed(fixed: &[(u32, f32)], rewards: &mut [f32]) {
    for &(row, x) in fixed {
        rewards[row as usize * TILE..][..TILE].fill(x);
    }
}

/// One reward of every goal: the sum that [`Linear`] defines.
#[inline(always)]
fn sum_row(linear: &Linear, reward: usize, latent: &[f32], to: &mut [f32]) {
    let mut sum = [linear.offset[reward]; TILE];
    for &(j, weight) in linear.terms_of(reward) {
        let draws = &latent[j as usize * TILE..][..TILE];
        for (sum, draw) in sum.iter_mut().zip(draws) {
            *sum += weight * f64::from(*draw);
        }
    }
    for (to, sum) in to.iter_mut().zip(sum) {
        *to = sum as f32;
    }
}

/// Goals side by side whose Philox blocks are wanted: those in even and those in odd places.
#[derive(Clone, Copy)]
struct Lanes<W>([Prefix<W>; 2]);

impl<W: Words> Lanes<W> {
    /// The goals from `first + lane` on.
    #[inline(always)]
    fn new(key: [u32; 2], stream: Stream, first: u64, lane: usize) -> Self {
        // The tile is aligned, so the lower half of the index does not wrap within it.
        let low = (first as u32) + lane as u32;
        let start = |low| Prefix::new(low, (first >> 32) as u32, stream.number(), key);
        Self([start(low), start(low + 1)])
    }

    /// One Philox block of every goal.
    #[inline(always)]
    fn words(&self, block: u32) -> [[W; 4]; 2] {
        [self.0[0].words(block), self.0[1].words(block)]
    }
}

/// Philox4x32-10 for goals `low, low + 2, ...`: what the first two rounds make of a goal, whichever its block. The number of the block
/// meets the goal's in the third round only, and until then is the same for all lanes.
///
/// A lane is 64 bits wide and holds its 32-bit word in the lower half. The product of two lower halves is one
/// instruction; its lower word needs no extraction, because whatever stands in an upper half is never read.
#[derive(Clone, Copy)]
struct Prefix<W> {
    /// The goal's part of the words 0 and 2, and word 1, after two rounds.
    c0: W,
    c1: W,
    c2: W,
    /// Upper half of the goal's index.
    high: u32,
    key: [u32; 2],
}

impl<W: Words> Prefix<W> {
    #[inline(always)]
    fn new(low: u32, high: u32, stream: u32, key: [u32; 2]) -> Self {
        let p0 = W::every_second(low).product(W::splat(MULTIPLIERS[0]));
        let c2 = p0.upper().xor3(W::splat(stream), W::splat(key[1]));
        let p1 = c2.product(W::splat(MULTIPLIERS[1]));
        Self {
            c0: p1.upper(),
            c1: p1,
            c2: p0,
            high,
            key,
        }
    }

    #[inline(always)]
    fn words(&self, block: u32) -> [W; 4] {
        let [mut k0, mut k1] = self.key;
        let product = |a: u32, b: u32| {
            let p = u64::from(a) * u64::from(b);
            ((p >> 32) as u32, p as u32)
        };
        // Words 0 and 1 after one round, and the product that word 0 goes into.
        let (upper, word1) = product(block, MULTIPLIERS[1]);
        let (upper, word3) = product(upper ^ self.high ^ k0, MULTIPLIERS[0]);
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
        let mut c0 = self.c0.xor3(W::splat(word1), W::splat(k0));
        let mut c1 = self.c1;
        let mut c2 = self.c2.xor3(W::splat(upper), W::splat(k1));
        let mut c3 = W::splat(word3);
        let m0 = W::splat(MULTIPLIERS[0]);
        let m1 = W::splat(MULTIPLIERS[1]);
        for _ in 2..ROUNDS {
            (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
            let p0 = c0.product(m0);
            let p1 = c2.product(m1);
            c0 = p1.upper().xor3(c1, W::splat(k0));
            c2 = p0.upper().xor3(c3, W::splat(k1));
            c1 = p1;
            c3 = p0;
        }
        [c0, c1, c2, c3]
    }
}

#[cfg(test)]
mod tests {
    use super::super::simd::{Job, Level, dispatch};
    use super::*;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::reward::{Law, Mixture, Orbit, RewardDistribution, Sparse, StateSet, Uniform};
    use crate::units::SampleIndex;

    struct Fill<'a>(&'a Drawing, u64, &'a mut [f32]);

    impl Job for Fill<'_> {
        type Output = ();
        #[inline(always)]
        fn run<I: Isa>(self) {
            self.0.fill::<I>(Stream::Reward, self.1, self.2);
        }
    }

    /// Out of order, with a gap, one coordinate shared by two states.
    const COORDINATES: [u32; 7] = [9, 0, 3, 0, 1_000_003, 4, 2];

    fn mdp() -> Mdp {
        let mut builder = MdpBuilder::new("shared coordinates");
        let states: Vec<_> = (0..7).map(|i| builder.state(format!("s{i}"))).collect();
        states.iter().for_each(|&s| builder.absorbing(s));
        builder.reward_coordinates(COORDINATES.map(Some).to_vec());
        builder.build().unwrap()
    }

    /// Every recipe there is.
    fn laws(mdp: &Mdp) -> Vec<GoalLaw> {
        let mdp = Arc::new(mdp.clone());
        let wide = Marginal::Uniform(Uniform::new(-3.0, 0.7).unwrap());
        let bind = |law: RewardDistribution| GoalLaw::clone(&law.bind(&mdp).unwrap().law);
        let mut linear = Linear::new(vec![wide.clone(), Marginal::Uniform(Uniform::unit())]);
        linear.latent = vec![(7, 0), (3, 1), (5, 0)];
        for i in 0..7 {
            linear.push(0.1 * f64::from(i), [(0, 0.3), (2, f64::from(i)), (1, -1.7)]);
        }
        vec![
            bind(RewardDistribution::iid(
                "uniform",
                Marginal::Uniform(Uniform::unit()),
            )),
            bind(RewardDistribution::iid("wide", wide.clone())),
            bind(
                RewardDistribution::iid("mixed", wide.clone())
                    .with_fixed("s2", 0.25)
                    .with_law("s4", Marginal::Uniform(Uniform::unit())),
            ),
            GoalLaw::new(
                crate::reward::RewardDomain::State,
                7,
                Recipe::Linear(linear),
            ),
            bind(RewardDistribution::new(
                "orbit",
                Law::Orbit(Orbit::new((0..6).map(f64::from).collect()).drawn()),
            )),
            bind(RewardDistribution::new(
                "sparse",
                Law::Sparse(Sparse::new(2).drawn(wide.clone())),
            )),
            bind(RewardDistribution::new(
                "few",
                Law::Sparse(Sparse::new(1).among(StateSet::new(["s1", "s5", "s6"]))),
            )),
            bind(RewardDistribution::new(
                "mixture",
                Law::Mixture(Mixture::new(vec![
                    (1.0, Law::Independent(wide)),
                    (2.0, Law::Sparse(Sparse::new(3))),
                ])),
            )),
        ]
    }

    #[test]
    fn every_level_draws_the_defined_bits() {
        let mdp = mdp();
        let seed = Seed(0x0123_4567_89ab_cdef);
        let rows = vec![3, 1, 0, 6, 5, 4, 2];
        for law in laws(&mdp) {
            let law = Arc::new(law);
            let drawing = Drawing::new(rows.clone(), &law, seed);
            for first in [0, (1 << 40) + 128, 64] {
                for level in Level::available() {
                    let mut rewards = vec![f32::NAN; 7 * TILE];
                    dispatch(level, Fill(&drawing, first, &mut rewards));
                    for lane in 0..TILE {
                        let index = SampleIndex(first + lane as u64);
                        let goal = law.draw(seed, Stream::Reward, index);
                        for (row, &reward) in rows.iter().enumerate() {
                            let expected = goal[reward as usize].to_bits();
                            assert_eq!(rewards[row * TILE + lane].to_bits(), expected, "{law:?}");
                        }
                    }
                }
            }
        }
    }
}

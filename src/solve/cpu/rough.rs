//! The first sweeps of goals whose rows hold most states, in numbers of 16 bits.
//!
//! Where values mix fast, every sweep leaves a small part of the error, whatever it is: the first sweeps may be as rough as what they leave. bfloat16 has eight significant bits, and its
//! roundings average out over a row; sweeps in single precision go on from there, and the certificate takes whatever values it is given. The pilot says how many sweeps can be rough without
//! more sweeps in all, by the same arithmetic on every machine; a processor that has no instruction for it does them in single precision.

use super::kernel::{Rough, VECTORS, each, load_row, splat, store_row};
use super::memory::Lines;
use super::simd::{Halves, HalvesJob, Level, dispatch_halves};
use super::tile::Tile;
use crate::statistics::TILE;

/// What rough sweeps need: the rows, and room for the values of a tile by twos.
#[derive(Clone, Debug)]
pub(super) struct RoughSweeps {
    rows: Rough,
    /// How many there are.
    pub(super) count: u32,
}

impl RoughSweeps {
    pub(super) fn new(rows: Rough, count: u32) -> Self {
        Self { rows, count }
    }

    /// Sweeps a tile from the values it has, with the instructions of `level` or, where it has none for this, by the arithmetic that is the same on every machine.
    pub(super) fn sweep(&self, level: Level, tile: &mut Tile<f32>, pairs: &mut Lines<u32>) {
        pairs.resize(self.rows.n_pairs() * TILE);
        let job = SweepJob {
            rows: &self.rows,
            count: self.count,
            tile,
            pairs,
        };
        dispatch_halves(level, job);
    }
}

struct SweepJob<'a> {
    rows: &'a Rough,
    count: u32,
    tile: &'a mut Tile<f32>,
    pairs: &'a mut [u32],
}

impl HalvesJob for SweepJob<'_> {
    #[inline(always)]
    fn run<V: Halves>(self) {
        for _ in 0..self.count {
            self.tile.sweep_rough::<V>(self.rows, self.pairs);
        }
    }
}

impl Tile<f32> {
    /// One Jacobi sweep, from values rounded to 16 bits. As in [`sweep_jacobi`](Self::sweep_jacobi), what the first state's future is worth is taken off all.
    #[inline(always)]
    fn sweep_rough<V: Halves>(&mut self, rows: &Rough, pairs: &mut [u32]) {
        let (rewards, values): (&[f32], &mut [f32]) = (&self.rewards, &mut self.values);
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            for pair in 0..rows.n_pairs() {
                let at = 2 * pair * TILE + lane;
                let first: [V; VECTORS] = load_row(values, at);
                let second: [V; VECTORS] = match 2 * pair + 1 < rows.n_states() {
                    true => load_row(values, at + TILE),
                    false => splat(0.0),
                };
                let row = &mut pairs[pair * TILE + lane..][..VECTORS * V::WIDTH];
                for i in 0..VECTORS {
                    V::store_pairs(first[i], second[i], &mut row[i * V::WIDTH..]);
                }
            }
            let mut constant: [V; VECTORS] = splat(0.0);
            for s in 0..rows.n_states() {
                let at = s * TILE + lane;
                let best: [V; VECTORS] = rows.best(s, pairs, lane);
                if s == 0 {
                    constant = best;
                }
                let reward: [V; VECTORS] = load_row(rewards, at);
                let value = each!(|i| best[i].add(reward[i].sub(constant[i])));
                store_row(value, values, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::Dense;
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::plan::Plan;
    use crate::units::Discount;

    const GAMMA: f64 = 0.9;

    /// So many states, each with `choices` choices among all of them, one of which mostly stays.
    fn plan(n: usize, choices: usize) -> Plan {
        let mut b = MdpBuilder::new("dense");
        let states: Vec<_> = (0..n).map(|i| b.state(format!("s{i}"))).collect();
        for &s in &states {
            for a in 0..choices {
                let weight = |t: usize| match t == s.index() && a == 0 {
                    true => 30.0 * n as f64,
                    false => ((t * 7 + a * 5 + s.index() * 3) % 11 + 1) as f64,
                };
                let total: f64 = (0..n).map(weight).sum();
                let row = states.iter().map(|&t| (t, weight(t.index()) / total));
                b.choice(s, format!("a{a}"), row);
            }
        }
        Plan::draw(&b.build().unwrap(), Discount::new(GAMMA).unwrap())
    }

    #[test]
    fn a_rough_sweep_is_a_sweep_but_for_the_rounding_to_eight_bits() {
        for (n, choices) in [(19, 1), (20, 2), (21, 3), (22, 4), (23, 5), (40, 9)] {
            let plan = plan(n, choices);
            let discount = plan.discount();
            let dense = Dense::<f32>::new(plan.model(), discount);
            let mut tile = Tile::<f32>::new(n, n);
            for (i, x) in tile.values.iter_mut().enumerate() {
                *x = ((i * 37) % 101) as f32 / 50.0 - 1.0;
            }
            for (i, x) in tile.rewards.iter_mut().enumerate() {
                *x = ((i * 53) % 97) as f32 / 97.0;
            }
            let mut exact = tile.clone();
            exact.sweep_jacobi::<[f32; 8]>(&dense, discount);
            let rough = RoughSweeps::new(Rough::of(&dense), 1);
            for level in Level::available() {
                let mut swept = tile.clone();
                rough.sweep(level, &mut swept, &mut Lines::default());
                let pairs = swept.values.iter().zip(exact.values.iter());
                let errors = pairs.map(|(a, b)| f64::from((a - b).abs()));
                let most = errors.fold(0.0, f64::max);
                // Factors and values, |V| <= 1, are off by 2^-9 of themselves, twice: the first state's backup is taken off. The rest is single precision's.
                let bound = 2.0 * GAMMA * (2.0 * 2f64.powi(-9) + 2f64.powi(-18)) + 1e-5;
                assert!(most <= bound, "{most} with {choices} choices at {level}");
                // Control: it is rough, and a sweep.
                assert!(most > 1e-4, "{most} with {choices} choices at {level}");
                let moved = tile.values.iter().zip(exact.values.iter());
                assert!(
                    moved
                        .map(|(a, b)| f64::from((a - b).abs()))
                        .fold(0.0, f64::max)
                        > 0.1
                );
            }
        }
    }
}

//! Rows of most states in numbers of 16 bits, for sweeps that need not be right: a product of two states' values with their probabilities is one instruction on
//! processors with AVX-512 BF16, which do as many of these as multiply-adds in single precision.
//!
//! With four choices and four vectors a row, 16 such products for 4 loads and 4 broadcasts; the values of 256 states are 32 KiB and stay in the first-level cache.

use super::dense::{Dense, GROUP};
use super::{VECTORS, each, max, splat};
use crate::solve::cpu::simd::{Halves, halved};
use crate::statistics::TILE;

/// The rows of a [`Dense`] kernel, rounded to bfloat16: eight significant bits.
#[derive(Clone, Debug)]
pub(in crate::solve::cpu) struct Rough {
    n_states: usize,
    /// Per state: range of its groups.
    states: Vec<(u32, u32)>,
    /// Of choices of one state: the first of their weights, and how many they are.
    groups: Vec<(usize, u32)>,
    /// Per group `[n_pairs, choices of the group]`: gamma T of two states, the first in the lower half.
    weights: Vec<u32>,
}

impl Rough {
    pub(in crate::solve::cpu) fn of(dense: &Dense<f32>) -> Self {
        let n = dense.n_states;
        let mut groups = Vec::with_capacity(dense.groups.len());
        let mut weights = Vec::with_capacity(n.div_ceil(2) * dense.choices.len());
        for (s, &(first, end)) in dense.states.iter().enumerate() {
            for group in &dense.groups[first as usize..end as usize] {
                groups.push((weights.len(), group.choices));
                let weight = |t: usize, at: usize| match t {
                    // gamma T(s,a,s), which the exact kernel keeps apart.
                    t if t == s => dense.own_weight(group, at),
                    t if t < n => dense.weight(group, t, at),
                    _ => 0.0,
                };
                for pair in 0..n.div_ceil(2) {
                    let two = |at| [2 * pair, 2 * pair + 1].map(|t| halved(weight(t, at)));
                    let each = (0..group.choices as usize).map(two);
                    weights.extend(each.map(|[low, high]| u32::from(high) << 16 | u32::from(low)));
                }
            }
        }
        Self {
            n_states: n,
            states: dense.states.clone(),
            groups,
            weights,
        }
    }

    /// Number of states.
    #[inline(always)]
    pub(in crate::solve::cpu) fn n_states(&self) -> usize {
        self.n_states
    }

    /// Rows of pairs of states.
    #[inline(always)]
    pub(in crate::solve::cpu) fn n_pairs(&self) -> usize {
        self.n_states.div_ceil(2)
    }

    /// `max_a gamma sum T(s,a,s') V(s')`, about: errors are of the order of 2^-9 of |V| over the square root of the number of successors. `pairs`: values by twos, `[n_pairs, TILE]`.
    #[inline(always)]
    pub(in crate::solve::cpu) fn best<V: Halves>(
        &self,
        s: usize,
        pairs: &[u32],
        lane: usize,
    ) -> [V; VECTORS] {
        let (first, end) = self.states[s];
        let mut best = splat(f64::NEG_INFINITY);
        for &group in &self.groups[first as usize..end as usize] {
            let largest = match group.1 {
                1 => self.largest::<V, 1>(group, pairs, lane),
                2 => self.largest::<V, 2>(group, pairs, lane),
                3 => self.largest::<V, 3>(group, pairs, lane),
                _ => self.largest::<V, GROUP>(group, pairs, lane),
            };
            best = max(best, largest);
        }
        best
    }

    #[inline(always)]
    fn largest<V: Halves, const CHOICES: usize>(
        &self,
        (first, _): (usize, u32),
        pairs: &[u32],
        lane: usize,
    ) -> [V; VECTORS] {
        let mut sum = [[V::splat(0.0); VECTORS]; CHOICES];
        let weights = &self.weights[first..first + self.n_pairs() * CHOICES];
        let rows = pairs.chunks_exact(TILE);
        for (weights, row) in weights.chunks_exact(CHOICES).zip(rows) {
            let row = &row[lane..lane + VECTORS * V::WIDTH];
            let mut value = [V::pairs(0); VECTORS];
            for (i, value) in value.iter_mut().enumerate() {
                *value = V::load_pairs(&row[i * V::WIDTH..]);
            }
            for c in 0..CHOICES {
                let weight = V::pairs(weights[c]);
                for i in 0..VECTORS {
                    sum[c][i] = sum[c][i].add_products(value[i], weight);
                }
            }
        }
        let mut best = sum[0];
        for other in &sum[1..] {
            best = each!(|i| best[i].max(other[i]));
        }
        best
    }
}

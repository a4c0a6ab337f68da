//! Random draws of a generated structure, addressed so that they never change.
//!
//! The `k`-th 64-bit word of item `i` (a choice, or the whole map) under seed `s` is made of the coordinates `2k` (low half) and
//! `2k + 1` (high half) of goal `i` in the stream [`Stream::Structure`]. Everything after that is integer arithmetic and exact
//! scaling by powers of two, so that a seed gives the same MDP on every machine and in every later version.

use std::collections::HashSet;

use crate::rng::{self, Stream};
use crate::units::{SampleIndex, Seed};

/// The words of one item, in order.
pub(super) struct Draws {
    seed: Seed,
    item: SampleIndex,
    next: u32,
}

impl Draws {
    /// The first word of an item comes next.
    pub(super) fn new(seed: u64, item: u64) -> Self {
        Self {
            seed: Seed(seed),
            item: SampleIndex(item),
            next: 0,
        }
    }

    fn word(&mut self) -> u64 {
        let mut half = || {
            let word = rng::word(self.seed, Stream::Structure, self.item, self.next);
            self.next += 1;
            u64::from(word)
        };
        let low = half();
        low | half() << 32
    }

    /// Uniform on `0..n`, up to a bias of n / 2^64: `floor(word * n / 2^64)`. One word.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.word()) * u128::from(n)) >> 64) as u64
    }

    /// A uniform subset of `0..n` of size `k`, ascending (Floyd's method). `k` words.
    pub(super) fn subset(&mut self, n: u64, k: u64) -> Vec<u64> {
        let mut members = HashSet::with_capacity(k as usize);
        for top in n - k..n {
            let drawn = self.below(top + 1);
            if !members.insert(drawn) {
                members.insert(top);
            }
        }
        let mut members: Vec<u64> = members.into_iter().collect();
        members.sort_unstable();
        members
    }

    /// A point drawn uniformly from the simplex of `k` probabilities, which is Dirichlet(1, ..., 1): the gaps between `k - 1`
    /// sorted uniform cuts of the unit interval. `k - 1` words.
    ///
    /// # Precision
    ///
    /// Cuts are multiples of 2^-53, so every gap and every sum of gaps is exact, and the whole is exactly one. A gap is zero
    /// with a probability below k^2 / 2^53.
    pub(super) fn simplex(&mut self, k: u64) -> Vec<f64> {
        let mut cuts: Vec<u64> = (1..k).map(|_| self.word() >> 11).collect();
        cuts.sort_unstable();
        cuts.push(1 << 53);
        let mut last = 0;
        let gaps = cuts.into_iter().map(|cut| {
            let gap = cut - last;
            last = cut;
            gap as f64 * 2f64.powi(-53)
        });
        gaps.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_addressed_by_seed_item_and_number() {
        let mut draws = Draws::new(3, 5);
        let words = [draws.word(), draws.word(), draws.word()];
        let half = |j| u64::from(rng::word(Seed(3), Stream::Structure, SampleIndex(5), j));
        assert_eq!(words[2], half(4) | half(5) << 32);
        assert_ne!(words[2], Draws::new(3, 5).word());
        assert_ne!(words[0], Draws::new(3, 6).word());
        assert_ne!(words[0], Draws::new(4, 5).word());
    }

    #[test]
    fn every_subset_is_equally_likely() {
        // 15,000 draws of the 10 subsets of size 2 of 5: each 1,500 times, with a standard deviation of
        // sqrt(15000 * 0.1 * 0.9) = 36.7; five of them are 184.
        let mut counts = std::collections::BTreeMap::new();
        for item in 0..15_000 {
            *counts
                .entry(Draws::new(0, item).subset(5, 2))
                .or_insert(0i32) += 1;
        }
        assert_eq!(counts.len(), 10);
        assert!(
            counts.values().all(|c| (c - 1_500).abs() < 184),
            "{counts:?}"
        );
    }

    #[test]
    fn the_simplex_is_met_exactly_and_uniformly() {
        // Dirichlet(1, ..., 1) of 4: a component has mean 1/4 and P(component > x) = (1 - x)^3. Over 20,000 draws the share
        // above 1/2 (1/8) has a standard deviation of sqrt(7/64/20000) = 0.00234; five of them are 0.0117.
        let mut above = [0u32; 4];
        for item in 0..20_000 {
            let point = Draws::new(1, item).simplex(4);
            assert_eq!(point.iter().sum::<f64>(), 1.0);
            for (count, p) in above.iter_mut().zip(&point) {
                *count += u32::from(*p > 0.5);
            }
        }
        for count in above {
            let share = f64::from(count) / 20_000.0;
            assert!((share - 0.125).abs() < 0.0117, "{share}");
            // The same test sees that it is not Dirichlet(2, ..., 2), whose share is 1/16 (a Beta(2, 6) variable's).
            assert!((share - 0.0625).abs() > 0.0117);
        }
        assert_eq!(Draws::new(1, 0).simplex(1), [1.0]);
    }

    #[test]
    fn a_whole_set_is_its_only_subset() {
        assert_eq!(Draws::new(0, 0).subset(4, 4), [0, 1, 2, 3]);
        assert!(Draws::new(0, 0).subset(4, 0).is_empty());
    }
}

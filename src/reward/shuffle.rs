//! Random choices among equally likely things, exactly as `docs/random-numbers.md` defines them.

use super::GoalKey;

/// `floor(u * n / 2^64)` with u the 64 bits of words `2 step` (lower) and `2 step + 1` (upper).
pub(super) fn below(key: GoalKey, step: u32, n: usize) -> usize {
    let low = u64::from(key.word(2 * step));
    let high = u64::from(key.word(2 * step + 1));
    let bits = high << 32 | low;
    ((u128::from(bits) * n as u128) >> 64) as usize
}

/// Fisher-Yates from the top: position j, from the last down to `down_to`, changes places with one of `0..=j`.
///
/// With `down_to` 1 that is a permutation; with `len - k` the last k entries are a random k of all.
pub(super) fn shuffle<T>(key: GoalKey, items: &mut [T], down_to: usize) {
    for j in (down_to.max(1)..items.len()).rev() {
        items.swap(j, below(key, j as u32, j + 1));
    }
}

/// A list of weights as ends of ranges of a 32-bit word. The last is 2^32 - 1 and belongs to the last weight that is not zero.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thresholds(Vec<u64>);

impl Thresholds {
    /// Weights are finite, not negative, and their sum is positive.
    pub(super) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let ends = weights.iter().map(|w| {
            sum += w;
            (sum / total * 4_294_967_296.0).round() as u64
        });
        Self(ends.collect())
    }

    /// Per weight: one past its last word. It has those from the end of the one before.
    pub(super) fn ends(&self) -> &[u64] {
        &self.0
    }

    /// Which of them a word stands for.
    pub(super) fn pick(&self, word: u32) -> usize {
        let word = u64::from(word);
        self.0
            .partition_point(|&end| end <= word)
            .min(self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use crate::units::{SampleIndex, Seed};

    fn key(index: u64) -> GoalKey {
        GoalKey {
            seed: Seed(5),
            stream: Stream::Permutation,
            index: SampleIndex(index),
        }
    }

    #[test]
    fn every_permutation_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        let n = 24_000;
        for i in 0..n {
            let mut items = [0, 1, 2, 3];
            shuffle(key(i), &mut items, 1);
            *counts.entry(items).or_insert(0_u32) += 1;
        }
        let chi = |expected: f64| {
            counts
                .values()
                .map(|&c| (f64::from(c) - expected).powi(2) / expected)
                .sum::<f64>()
        };
        // 23 degrees of freedom: above 49.7 once in a thousand.
        assert!(counts.len() == 24 && chi(1000.0) < 49.7, "{}", chi(1000.0));
        assert!(chi(900.0) > 49.7, "the control");
    }

    #[test]
    fn weights_are_met_to_the_last_word() {
        let thresholds = Thresholds::new(&[1.0, 0.0, 3.0, 0.0]);
        assert_eq!(thresholds.pick(0), 0);
        assert_eq!(thresholds.pick((1 << 30) - 1), 0);
        assert_eq!(thresholds.pick(1 << 30), 2);
        assert_eq!(thresholds.pick(u32::MAX), 2);
    }
}

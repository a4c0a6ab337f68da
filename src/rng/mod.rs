//! Counter-based random numbers: word `j` of goal `i` is a pure function of (seed, stream, i, j).
//!
//! The generator is Philox4x32-10 (Salmon et al., SC 2011) exactly as published. The key is the seed, the counter is
//! `(i_lo, i_hi, coordinate / 4, stream)` and the word taken is `coordinate % 4`. This file is the definition; the
//! vectorised and the shader versions elsewhere are tested against it bit by bit.

use crate::units::{SampleIndex, Seed};

/// Multipliers of the two halves of the block.
pub const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Weyl increments of the key, per round.
pub const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Number of rounds.
pub const ROUNDS: usize = 10;

/// What a random number is for. Streams never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// The goal's rewards.
    Reward,
    /// The second goal R' of a pair.
    SecondGoal,
    /// Permutations of an orbit.
    Permutation,
    /// The component of a mixture.
    Mixture,
    /// Goals of the pilot: never the goals that are measured.
    Pilot,
    /// Draws of a decision rule.
    DecisionRule,
    /// The structure of a generated MDP: never the goals on it.
    Structure,
    /// Successors along a path that is shown; no statistic reads it.
    Path,
    /// Permutations of second goals.
    SecondPermutation,
    /// Components of second goals.
    SecondMixture,
    /// Permutations of the pilot's goals.
    PilotPermutation,
    /// Components of the pilot's goals.
    PilotMixture,
    /// Which environments a resample of an ensemble consists of.
    Bootstrap,
    /// Steps of the walk that ends at a goal compatible with a policy.
    Walk,
    /// Steps of the walks that end at the pilot's goals.
    PilotWalk,
    /// Walks by which is found out how long such walks must be.
    FirstWalk,
    /// An auxiliary goal, or a posterior one, by its number.
    Auxiliary(u16),
    /// Permutations of an auxiliary goal.
    AuxiliaryPermutation(u16),
    /// Components of an auxiliary goal.
    AuxiliaryMixture(u16),
}

impl Stream {
    /// The last word of the counter.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Reward => 0,
            Self::SecondGoal => 1,
            Self::Permutation => 2,
            Self::Mixture => 3,
            Self::Pilot => 5,
            Self::DecisionRule => 6,
            Self::Structure => 7,
            Self::Path => 8,
            Self::SecondPermutation => 9,
            Self::SecondMixture => 10,
            Self::PilotPermutation => 11,
            Self::PilotMixture => 12,
            Self::Bootstrap => 13,
            Self::Walk => 14,
            Self::PilotWalk => 15,
            Self::FirstWalk => 0x4_0000,
            Self::Auxiliary(k) => 16 + u32::from(k),
            Self::AuxiliaryPermutation(k) => 0x2_0000 + u32::from(k),
            Self::AuxiliaryMixture(k) => 0x3_0000 + u32::from(k),
        }
    }

    /// Where the permutation of a goal of this stream is drawn from.
    #[must_use]
    pub fn permutation(self) -> Self {
        match self {
            Self::SecondGoal => Self::SecondPermutation,
            Self::Pilot => Self::PilotPermutation,
            Self::Auxiliary(k) => Self::AuxiliaryPermutation(k),
            _ => Self::Permutation,
        }
    }

    /// Where the walk to a goal of this stream is drawn from.
    #[must_use]
    pub fn walk(self) -> Self {
        match self {
            Self::Pilot => Self::PilotWalk,
            _ => Self::Walk,
        }
    }

    /// Where the component of a goal of this stream is drawn from.
    #[must_use]
    pub fn mixture(self) -> Self {
        match self {
            Self::SecondGoal => Self::SecondMixture,
            Self::Pilot => Self::PilotMixture,
            Self::Auxiliary(k) => Self::AuxiliaryMixture(k),
            _ => Self::Mixture,
        }
    }
}

/// One Philox4x32-10 block.
///
/// ```
/// // Known answers of the published implementation.
/// use powersweep::rng::philox4x32;
/// assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[must_use]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c0);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c2);
        (c0, c1, c2, c3) = (
            (p1 >> 32) as u32 ^ c1 ^ k0,
            p1 as u32,
            (p0 >> 32) as u32 ^ c3 ^ k1,
            p0 as u32,
        );
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [c0, c1, c2, c3]
}

/// The key of a seed: `(seed_lo, seed_hi)`.
#[must_use]
pub fn key(seed: Seed) -> [u32; 2] {
    [seed.0 as u32, (seed.0 >> 32) as u32]
}

/// The counter that holds a coordinate's word.
#[must_use]
pub fn counter(index: SampleIndex, coordinate: u32, stream: Stream) -> [u32; 4] {
    [
        index.0 as u32,
        (index.0 >> 32) as u32,
        coordinate / 4,
        stream.number(),
    ]
}

/// The 32 random bits of one coordinate of one goal.
#[must_use]
pub fn word(seed: Seed, stream: Stream, index: SampleIndex, coordinate: u32) -> u32 {
    philox4x32(counter(index, coordinate, stream), key(seed))[(coordinate % 4) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Random123's `kat_vectors` (first three) and computed with it (last two).
    const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 5] = [
        (
            [0; 4],
            [0; 2],
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
        ),
        (
            [u32::MAX; 4],
            [u32::MAX; 2],
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
        ),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
        (
            [1, 0, 0, 0],
            [0; 2],
            [0xf8e4_cca4, 0x5cb2_00db, 0xb1a5_74eb, 0x097e_ff67],
        ),
        (
            [0; 4],
            [42, 0],
            [0x9cea_f053, 0x77f5_493b, 0x12bf_50ad, 0x5742_b3d7],
        ),
    ];

    #[test]
    fn philox_gives_the_published_answers() {
        for (counter, key, expected) in KNOWN {
            assert_eq!(philox4x32(counter, key), expected);
        }
    }

    #[test]
    fn one_flipped_bit_in_any_input_changes_the_answer() {
        let base = philox4x32([0; 4], [0; 2]);
        for i in 0..4 {
            let mut counter = [0; 4];
            counter[i] = 1;
            assert_ne!(philox4x32(counter, [0; 2]), base);
        }
        assert_ne!(philox4x32([0; 4], [1, 0]), base);
        assert_ne!(philox4x32([0; 4], [0, 1]), base);
    }

    #[test]
    fn a_word_is_addressed_by_coordinate() {
        let block = philox4x32([7, 0, 2, 0], [42, 0]);
        for j in 0..4 {
            let found = word(Seed(42), Stream::Reward, SampleIndex(7), 8 + j);
            assert_eq!(found, block[j as usize]);
        }
    }
}

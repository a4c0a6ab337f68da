//! Tables of one-dimensional laws: they rise, they are as close to the quantiles as they say, and they are small.

use std::sync::Arc;

use powersweep::reward::{Accuracy, FRACTION_BITS, Kind, Marginal, SHIFT_MASK, Table};

use super::laws::examples;

/// Words of all magnitudes, from both ends, and from the middle.
fn words() -> Vec<u32> {
    let mut words = vec![0, u32::MAX];
    let mut state = 1u64;
    for i in 0..60_000u32 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let word = (state >> 32) as u32;
        let short = word >> (i % 31);
        words.extend([word, short, !short, 0x8000_0000 ^ short]);
    }
    words.sort_unstable();
    words.dedup();
    words
}

/// The first two words between which a function falls.
fn fall(words: &[u32], value: impl Fn(u32) -> f32) -> Option<(u32, u32)> {
    let pairs = words.windows(2).map(|pair| (pair[0], pair[1]));
    pairs.into_iter().find(|&(a, b)| value(a) > value(b))
}

/// Both ends of every segment, which is where a table could fall.
fn ends(table: &Table) -> Vec<u32> {
    table.pieces().flat_map(|(a, b)| [a, b]).collect()
}

/// The first word whose reward is further from its quantile than the accuracy says.
fn miss(law: &Marginal, words: &[u32], value: impl Fn(u32) -> f32) -> Option<u32> {
    words.iter().copied().find(|&word| {
        let quantile = law.quantile((f64::from(word) + 0.5) / 2f64.powi(32));
        let allowed = match law.accuracy() {
            Accuracy::Absolute(error) => error,
            Accuracy::Relative(share) => share * quantile.abs(),
        };
        // Rounding of the quantile itself.
        let allowed = allowed + 1e-12 * quantile.abs();
        (f64::from(value(word)) - quantile).abs() > allowed
    })
}

fn tables() -> impl Iterator<Item = (String, Marginal, Arc<Table>)> {
    examples()
        .into_iter()
        .filter_map(|(name, law)| match law.kind() {
            Kind::Table(table) => {
                let table = table.clone();
                Some((name, law, table))
            }
            Kind::Lattice(_) => None,
        })
}

#[test]
fn rewards_never_fall_as_the_word_grows() {
    let words = words();
    for (name, _, table) in tables() {
        assert_eq!(fall(&ends(&table), |w| table.value(w)), None, "{name}");
        assert_eq!(fall(&words, |w| table.value(w)), None, "{name}");
    }
    // Negative control: one segment of one table, one spacing too high at its end.
    let (_, _, table) = tables().next().unwrap();
    let (_, last) = table.pieces().nth(1_000).unwrap();
    let spacing = table.segment(last).spacing();
    let broken = |w| table.value(w) + if w == last { 2.0 * spacing } else { 0.0 };
    assert!(fall(&ends(&table), broken).is_some());
}

#[test]
fn rewards_are_as_close_to_the_quantiles_as_the_table_says() {
    let words: Vec<u32> = words().into_iter().step_by(23).collect();
    for (name, law, table) in tables() {
        // A discrete law's quantiles jump: its words are checked by their probabilities.
        assert_eq!(miss(&law, &words, |w| table.value(w)), None, "{name}");
        // Negative control: everything moved by twice what is allowed.
        let moved = |w| match law.accuracy() {
            Accuracy::Absolute(error) => table.value(w) + (2.0 * error).max(1e-6) as f32,
            Accuracy::Relative(share) => table.value(w) * (1.0 + 2.5 * share as f32),
        };
        assert!(miss(&law, &words, moved).is_some(), "{name}");
    }
}

#[test]
fn tables_are_within_2_to_minus_22_of_the_range_or_of_the_reward() {
    let share = 2f64.powi(-22);
    for (name, law, table) in tables() {
        let (low, high) = law.range();
        let allowed = match table.accuracy() {
            // Or one spacing, where the law is so far from zero that single precision has no more.
            Accuracy::Absolute(_) => {
                let spacing = table.lattice().map_or(0.0, |p| 2f64.powi(p.exponent));
                (share * (high - low)).max(spacing)
            }
            Accuracy::Relative(_) => share,
        };
        let (Accuracy::Absolute(error) | Accuracy::Relative(error)) = table.accuracy();
        assert!(
            error <= allowed * (1.0 + 1e-6),
            "{name}: {error} of {allowed}"
        );
    }
}

#[test]
fn integers_have_24_bits_and_segments_hold_their_words() {
    for (name, _, table) in tables() {
        for (number, (first, last)) in table.pieces().enumerate() {
            let segment = table.segments()[number];
            assert_eq!(table.segment(first), segment, "{name} {first}");
            assert_eq!(table.segment(last), segment, "{name} {last}");
            let shift = segment.scale & SHIFT_MASK;
            let bits = if last == first { 0 } else { 32 - shift };
            assert!(u64::from(last - first) < 1 << bits, "{name} {first}");
            for word in [first, last] {
                let m = segment.integer(word);
                assert!(m.unsigned_abs() <= 1 << 24, "{name} {word}: {m}");
                let exact = f64::from(m) * f64::from(segment.spacing());
                assert_eq!(f64::from(segment.value(word)), exact, "{name} {word}");
            }
        }
        if let Some(points) = table.lattice() {
            let unit = 2f32.powi(points.exponent);
            assert_eq!(points.low as f32 * unit, table.value(0), "{name}");
            assert_eq!(points.high as f32 * unit, table.value(u32::MAX), "{name}");
        }
    }
    assert_eq!(FRACTION_BITS, 6, "docs/random-numbers.md says 64");
}

#[test]
fn the_index_finds_the_segment_that_a_plain_search_finds() {
    let words = words();
    for (name, _, table) in tables() {
        let plain = |word| {
            let starts = table.segments();
            starts[starts.partition_point(|s| s.start <= word) - 1]
        };
        for &word in words.iter().step_by(7).chain(&ends(&table)) {
            assert_eq!(table.segment(word), plain(word), "{name} {word}");
        }
    }
}

#[test]
fn a_row_is_made_of_its_words() {
    let words = words();
    for (name, _, table) in tables() {
        let row: [u32; 64] = std::array::from_fn(|i| words[i * words.len() / 64]);
        let mut rewards = [0f32; 64];
        table.values(&row, &mut rewards);
        assert_eq!(rewards, row.map(|w| table.value(w)), "{name}");
    }
}

#[test]
fn tables_are_small() {
    for (name, law, table) in tables() {
        let most = match (&law, table.accuracy()) {
            (_, Accuracy::Relative(_)) => 16_384,
            (Marginal::Bernoulli(_), _) => 2,
            _ => 4_096,
        };
        let found = table.segments().len();
        assert!(found <= most, "{name} has {found} segments");
    }
}

#[test]
fn what_is_drawn_has_the_mean_of_the_law() {
    for (name, law, table) in tables() {
        // The mean of a Pareto law with alpha = 1.5 is in its tail.
        let Some(sd) = law.sd() else { continue };
        let lost = law.truncated().expectation;
        let error = (table.mean() - law.mean()).abs();
        // A tenth of the accuracy: lines are as often above the quantiles as below.
        let Accuracy::Absolute(accuracy) = law.accuracy() else {
            assert!(error < lost + 1e-7 * law.mean(), "{name}: {error}");
            continue;
        };
        assert!(error <= lost + accuracy, "{name}: {error}, sd {sd}");
    }
}

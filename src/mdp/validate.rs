//! The rules for one row of transition probabilities.

use std::fmt;

/// Largest |sum - 1| of a row that is mended (with a warning) rather than refused.
pub const ROW_SUM_TOLERANCE: f64 = 1e-6;

/// Largest |sum - 1| that is mere rounding of decimal fractions such as 1/3, and is mended without a word:
/// a row of 1,000 entries, each off by half a unit in the last place of a number below one.
const ROUNDING: f64 = 1_000.0 * f64::EPSILON;

/// What is wrong with a row, or was mended in it.
#[derive(Clone, Debug, PartialEq)]
pub enum RowFault {
    /// Negative, NaN or infinite probability of the named successor (its position in the row).
    BadProbability {
        /// Position in the row as given.
        position: usize,
        /// The number found.
        probability: f64,
    },
    /// The row sums to something else than one. An error.
    SumOff {
        /// The sum found.
        sum: f64,
    },
    /// The row was off by less than [`ROW_SUM_TOLERANCE`] and was renormalised. A warning.
    Renormalised {
        /// The sum found.
        sum: f64,
    },
    /// A successor with probability zero was dropped. A warning.
    ZeroDropped {
        /// Position in the row as given.
        position: usize,
    },
    /// A successor stands more than once. An error: nobody can say which number was meant.
    RepeatedSuccessor {
        /// The successor's row.
        successor: u32,
    },
}

impl RowFault {
    pub(super) fn is_error(&self) -> bool {
        !matches!(self, Self::Renormalised { .. } | Self::ZeroDropped { .. })
    }
}

/// Describes the fault, for "state \"a\", action \"go\": ...".
impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadProbability { probability, .. } => {
                write!(f, "{probability} is not a probability")
            }
            Self::SumOff { sum } => write!(f, "probabilities sum to {sum}, not to 1"),
            Self::Renormalised { sum } => {
                write!(
                    f,
                    "probabilities sum to {sum}; they were scaled to sum to 1"
                )
            }
            Self::ZeroDropped { .. } => write!(f, "a successor with probability 0 was dropped"),
            Self::RepeatedSuccessor { .. } => write!(f, "a successor stands twice"),
        }
    }
}

/// The sum of a row about which [`normalise_row`] would have nothing to say: successors ascending, probabilities positive,
/// the sum one but for rounding. What it would hand back is every probability divided by the sum.
pub(super) fn plain_sum(successors: &[u32], probabilities: &[f64]) -> Option<f64> {
    let sum: f64 = 0.0 + probabilities.iter().sum::<f64>();
    let plain = (sum - 1.0).abs() <= ROUNDING
        && probabilities.iter().all(|&p| p > 0.0)
        && successors.is_sorted_by(|a, b| a < b);
    plain.then_some(sum)
}

/// Checks a row and brings it into the form [`Mdp`](super::Mdp) keeps: ascending, positive, summing to one.
pub(super) fn normalise_row(row: &[(u32, f64)]) -> (Vec<(u32, f64)>, Vec<RowFault>) {
    let mut faults = Vec::new();
    for (position, &(_, p)) in row.iter().enumerate() {
        if !p.is_finite() || p < 0.0 {
            faults.push(RowFault::BadProbability {
                position,
                probability: p,
            });
        } else if p == 0.0 {
            faults.push(RowFault::ZeroDropped { position });
        }
    }
    let mut kept: Vec<(u32, f64)> = row.iter().copied().filter(|&(_, p)| p > 0.0).collect();
    kept.sort_by_key(|&(s, _)| s);
    for pair in kept.windows(2) {
        if pair[0].0 == pair[1].0 {
            faults.push(RowFault::RepeatedSuccessor {
                successor: pair[0].0,
            });
        }
    }
    if faults.iter().any(RowFault::is_error) {
        return (kept, faults);
    }
    // The empty sum of floats is -0.0, which would be printed so.
    let sum: f64 = 0.0 + kept.iter().map(|&(_, p)| p).sum::<f64>();
    let off = (sum - 1.0).abs();
    if off > ROW_SUM_TOLERANCE {
        faults.push(RowFault::SumOff { sum });
        return (kept, faults);
    }
    if off > ROUNDING {
        faults.push(RowFault::Renormalised { sum });
    }
    if sum != 1.0 {
        kept.iter_mut().for_each(|(_, p)| *p /= sum);
    }
    (kept, faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_are_rounding_and_a_millionth_is_a_warning_and_more_is_an_error() {
        let thirds = [(0, 1.0 / 3.0), (1, 1.0 / 3.0), (2, 1.0 / 3.0)];
        assert_eq!(normalise_row(&thirds).1, []);
        let (row, faults) = normalise_row(&[(0, 0.5), (1, 0.500_000_4)]);
        assert!(matches!(faults[..], [RowFault::Renormalised { .. }]));
        assert!((row[0].1 + row[1].1 - 1.0).abs() < 1e-15);
        let (_, faults) = normalise_row(&[(0, 0.5), (1, 0.500_002)]);
        assert!(matches!(faults[..], [RowFault::SumOff { .. }]));
    }

    #[test]
    fn a_plain_row_is_one_that_is_only_divided_by_its_sum() {
        let rows = [
            vec![(0, 1.0)],
            vec![(1, 0.25), (4, 0.75)],
            vec![(0, 0.1), (1, 0.2), (2, 0.7)],
            vec![(0, 1.0 / 49.0); 1],
            vec![(0, 0.7), (1, 0.2), (2, 0.1)],
            vec![(4, 0.75), (1, 0.25)],
            vec![(1, 0.5), (1, 0.5)],
            vec![(0, 1.0), (1, 0.0)],
            vec![(0, 1.5), (1, -0.5)],
            vec![(0, f64::NAN)],
            vec![(0, f64::INFINITY)],
            vec![(0, 0.500_000_1), (1, 0.5)],
            vec![],
        ];
        let (mut plain, mut divided) = (0, 0);
        for row in rows {
            let (successors, probabilities): (Vec<u32>, Vec<f64>) = row.iter().copied().unzip();
            let Some(sum) = plain_sum(&successors, &probabilities) else {
                continue;
            };
            let quotients = row.iter().map(|&(s, p)| (s, p / sum)).collect();
            assert_eq!(normalise_row(&row), (quotients, Vec::new()));
            plain += 1;
            divided += i32::from(sum != 1.0);
        }
        assert_eq!((plain, divided), (4, 1));
    }

    #[test]
    fn an_empty_row_sums_to_zero_and_is_an_error() {
        assert_eq!(normalise_row(&[]).1, [RowFault::SumOff { sum: 0.0 }]);
    }
}

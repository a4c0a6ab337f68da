//! Whether two runs of one experiment say the same: byte for byte, or within what both of them certify.

use serde_json::Value;

/// What two results have in common.
#[derive(Clone, Debug, PartialEq)]
pub enum Agreement {
    /// The same bytes.
    Bytes,
    /// Every number within the bounds of both: of so many estimates so many are the same.
    Intervals {
        /// Estimates that were compared.
        estimates: usize,
        /// Of them, those with the same bits.
        same: usize,
    },
    /// They disagree: the first places, one a line, and how many there are.
    Different {
        /// The first of them.
        places: Vec<String>,
        /// Number of places.
        total: usize,
    },
}

/// Places that are told.
const TOLD: usize = 8;

/// What rounding in double precision may add to a sum of millions of numbers, of the estimate's size.
const ROUNDING: f64 = 1e-12;

/// Compares two documents `results.json`. Both are of the same goals: an estimate of one is the mean of the same numbers as the other's, so that the brackets
/// `estimate - bound .. estimate + bound` must meet. (The statistical intervals would nearly always overlap, whatever went wrong.) The name of the backend is not compared.
#[must_use]
pub fn agreement(first: &str, second: &str) -> Agreement {
    if first == second {
        return Agreement::Bytes;
    }
    let mut comparison = Comparison::default();
    match (serde_json::from_str(first), serde_json::from_str(second)) {
        (Ok(first), Ok(second)) => comparison.compare(&first, &second, ""),
        _ => comparison.differs("the results are no JSON documents".to_owned()),
    }
    let Comparison {
        estimates,
        same,
        places,
        total,
    } = comparison;
    match total {
        0 => Agreement::Intervals { estimates, same },
        _ => Agreement::Different { places, total },
    }
}

/// Keys of an estimate: all of them follow from the goals' numbers and are as near as those are.
const ESTIMATE: [&str; 12] = [
    "n",
    "estimate",
    "std_error",
    "ci_low",
    "ci_high",
    "bound",
    "bound_max",
    "low",
    "high",
    "simultaneous_low",
    "simultaneous_high",
    "exact",
];

#[derive(Default)]
struct Comparison {
    estimates: usize,
    same: usize,
    places: Vec<String>,
    total: usize,
}

impl Comparison {
    fn differs(&mut self, place: String) {
        self.total += 1;
        if self.places.len() < TOLD {
            self.places.push(place);
        }
    }

    fn compare(&mut self, first: &Value, second: &Value, place: &str) {
        match (first, second) {
            (Value::Object(a), Value::Object(b)) => {
                let brackets = Bracket::of(first).zip(Bracket::of(second));
                if let Some((x, y)) = &brackets {
                    self.estimates += 1;
                    self.same += usize::from(first == second);
                    if !x.meets(y) {
                        self.differs(format!(
                            "{place}: {} within {:.1e} there, {} within {:.1e} here",
                            x.estimate, x.bound, y.estimate, y.bound
                        ));
                    }
                }
                let is_compared = |key: &str| match &brackets {
                    Some(_) => !ESTIMATE.contains(&key),
                    None => !(place.is_empty() && key == "backend" || key == "widest"),
                };
                let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
                for key in keys.filter(|key| is_compared(key)) {
                    let place = match place {
                        "" => key.clone(),
                        place => format!("{place}.{key}"),
                    };
                    match (a.get(key), b.get(key)) {
                        (Some(x), Some(y)) => self.compare(x, y, &place),
                        _ => self.differs(format!("{place} is in one of them only")),
                    }
                }
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (i, (x, y)) in a.iter().zip(b).enumerate() {
                    self.compare(x, y, &format!("{place}[{i}]"));
                }
            }
            _ if first == second => {}
            _ => self.differs(format!(
                "{place}: {} there, {} here",
                shown(first),
                shown(second)
            )),
        }
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// What an estimate is certain to lie in.
struct Bracket {
    n: u64,
    estimate: f64,
    bound: f64,
}

impl Bracket {
    fn of(value: &Value) -> Option<Self> {
        Some(Self {
            n: value["n"].as_u64()?,
            estimate: value["estimate"].as_f64()?,
            bound: value["bound"].as_f64()?,
        })
    }

    fn meets(&self, other: &Self) -> bool {
        let rounding = ROUNDING * self.estimate.abs().max(other.estimate.abs());
        let apart = (self.estimate - other.estimate).abs();
        self.n == other.n && apart <= self.bound + other.bound + rounding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(estimate: f64, bound: f64, n: u64, backend: &str) -> String {
        serde_json::json!({
            "backend": backend,
            "cells": [{ "power": [{ "state": "s", "n": n, "estimate": estimate, "bound": bound, "ci_low": 0.1 }] }],
        })
        .to_string()
    }

    #[test]
    fn brackets_that_meet_agree_and_others_do_not() {
        let first = results(0.5, 1e-6, 100, "cpu");
        assert_eq!(agreement(&first, &first), Agreement::Bytes);
        let near = results(0.5 + 1.5e-6, 1e-6, 100, "gpu");
        let both = Agreement::Intervals {
            estimates: 1,
            same: 0,
        };
        assert_eq!(agreement(&first, &near), both);
        for other in [
            results(0.5 + 2.5e-6, 1e-6, 100, "cpu"),
            results(0.5, 1e-6, 101, "cpu"),
            first.replace("\"s\"", "\"t\""),
            first.replace("cells", "rows"),
            "no results".to_owned(),
        ] {
            let found = agreement(&first, &other);
            // A state's name is part of the row of its estimate.
            assert!(
                matches!(found, Agreement::Different { .. }),
                "{other}: {found:?}"
            );
        }
    }
}

//! A given reward vector under all permutations of its states.

use std::sync::Arc;

use super::{counted, read_numbers};
use crate::document::{Faults, Span, TableReader};
use crate::reward::bind::{Members, Rows};
use crate::reward::goal_law::{Facts, GoalKey, Recipe, WholeGoal};
use crate::reward::{Making, Places, StateSet, shuffle};
use crate::rng::Stream;

/// Most distinct permutations that are enumerated instead of drawn.
pub const MAX_ENUMERATED: u64 = 10_000_000;

/// Fixed values, dealt to the states of a set in every order; the other states have a background reward.
///
/// Where there are at most [`MAX_ENUMERATED`] distinct goals, goal i is the i-th of them in lexicographic order of the values, each
/// stands once, and means over all of them are exact. Otherwise (or unless enumeration is wanted) permutations are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Orbit {
    values: Vec<f64>,
    among: Option<StateSet>,
    background: f64,
    enumerate: bool,
    /// Where `values` stand.
    span: Option<Span>,
}

impl Orbit {
    /// Deals `values` to all states.
    #[must_use]
    pub fn new(values: Vec<f64>) -> Self {
        Self {
            values,
            among: None,
            background: 0.0,
            enumerate: true,
            span: None,
        }
    }

    /// Deals the values to some states only.
    #[must_use]
    pub fn among(mut self, states: StateSet) -> Self {
        self.among = Some(states);
        self
    }

    /// Draws permutations even where they could be enumerated.
    #[must_use]
    pub fn drawn(mut self) -> Self {
        self.enumerate = false;
        self
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let values = read_numbers(table, "values", faults);
        let span = table.take("values").map(|node| node.span.clone());
        let among = table
            .take("among")
            .map(|node| StateSet::read(node, "among", faults));
        let background = table.number("background", faults);
        let enumerate = table.boolean("enumerate", faults);
        if among.as_ref().is_some_and(|set| set.names().is_empty()) {
            return None;
        }
        Some(Self {
            span,
            values: values?,
            among,
            background: background.map_or(0.0, |x| x.value),
            enumerate: enumerate.is_none_or(|e| e.value),
        })
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let members = rows.members(self.among.as_ref(), faults)?;
        if members.len() != self.values.len() {
            let what = match &self.among {
                Some(set) => set
                    .names()
                    .iter()
                    .map(|n| format!("{:?}", n.value))
                    .collect::<Vec<_>>()
                    .join(", "),
                None => format!("all of {:?}", rows.mdp.name()),
            };
            let message = format!(
                "the orbit has {} for {} ({what})",
                counted(self.values.len(), "value"),
                counted(members.len(), "state")
            );
            faults.error(self.span.clone(), message);
            return None;
        }
        Some(Recipe::Whole(Arc::new(BoundOrbit::new(
            &self.values,
            members,
            self.background,
            self.enumerate && rows.enumerates,
        ))))
    }
}

/// An orbit on the states of an MDP.
#[derive(Debug)]
pub(super) struct BoundOrbit {
    /// Ascending.
    values: Vec<f32>,
    members: Members,
    background: f32,
    /// Distinct values, ascending, and how often each stands; number of distinct goals. `None` where they are drawn.
    distinct: Option<(Vec<(f32, u64)>, u64)>,
}

impl BoundOrbit {
    pub(super) fn new(values: &[f64], members: Members, background: f64, enumerate: bool) -> Self {
        let mut values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
        values.sort_by(f32::total_cmp);
        let counts: Vec<(f32, u64)> = values
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len() as u64))
            .collect();
        let total =
            arrangements(counts.iter().map(|c| c.1)).filter(|n| enumerate && *n <= MAX_ENUMERATED);
        Self {
            values,
            members,
            background: background as f32,
            distinct: total.map(|n| (counts, n)),
        }
    }
}

/// The multinomial coefficient (sum of counts)! / (product of counts!), where it is below 2^63.
pub(super) fn arrangements(counts: impl Iterator<Item = u64>) -> Option<u64> {
    let (mut total, mut placed) = (1_u128, 0_u128);
    for count in counts {
        for i in 1..=u128::from(count) {
            placed += 1;
            // Exact: a product of consecutive binomial coefficients.
            total = total.checked_mul(placed)? / i;
            if total > 1 << 63 {
                return None;
            }
        }
    }
    u64::try_from(total).ok()
}

/// The arrangement number `index` in lexicographic order.
fn unrank(counts: &[(f32, u64)], total: u64, index: u64) -> Vec<f32> {
    let mut left: Vec<(f32, u64)> = counts.to_vec();
    let mut remaining: u64 = left.iter().map(|c| c.1).sum();
    let (mut total, mut index) = (total, index);
    let mut values = Vec::with_capacity(remaining as usize);
    while remaining > 0 {
        for (value, count) in &mut left {
            // Arrangements that go on with this value.
            let here = (u128::from(total) * u128::from(*count) / u128::from(remaining)) as u64;
            if index < here {
                values.push(*value);
                total = here;
                *count -= 1;
                remaining -= 1;
                break;
            }
            index -= here;
        }
    }
    values
}

impl WholeGoal for BoundOrbit {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let dealt = match &self.distinct {
            // Goals for other purposes (pilot, second goals) are drawn.
            Some((counts, total)) if key.stream == Stream::Reward => {
                unrank(counts, *total, key.index.0 % total)
            }
            _ => {
                let mut values = self.values.clone();
                shuffle::shuffle(key.on(key.stream.permutation()), &mut values, 1);
                values
            }
        };
        for (reward, member) in rewards.iter_mut().zip(&self.members.of) {
            *reward = member.map_or(self.background, |m| dealt[m as usize]);
        }
    }

    fn facts(&self) -> Facts {
        let background = self.members.of.contains(&None).then_some(self.background);
        let values = self.values.iter().copied().chain(background).map(f64::from);
        let number = self.distinct.as_ref().map(|(_, n)| *n);
        Facts {
            enumerated: number,
            available: number,
            shared: 0.0,
            ..Facts::of_values(values)
        }
    }

    fn making(&self) -> Option<Making<'_>> {
        let distinct = self.distinct.as_ref();
        Some(Making::Dealt {
            values: &self.values,
            arrangements: distinct.map(|(counts, total)| (&counts[..], *total)),
            places: Places {
                of: &self.members.of,
                background: self.background,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn arrangements_are_counted() {
        assert_eq!(arrangements([1, 1, 1].into_iter()), Some(6));
        assert_eq!(arrangements([2, 3].into_iter()), Some(10));
        assert_eq!(arrangements([20, 20, 20].into_iter()), None);
        assert_eq!(arrangements(std::iter::empty()), Some(1));
    }

    #[test]
    fn every_arrangement_of_up_to_six_values_stands_once_ties_included() {
        // Brute force: all 6^6 tuples of places, permutations picked out, duplicates of equal values removed.
        fn permutations(values: &[f32]) -> HashSet<Vec<u32>> {
            if values.is_empty() {
                return HashSet::from([Vec::new()]);
            }
            let mut all = HashSet::new();
            for i in 0..values.len() {
                let mut rest = values.to_vec();
                let first = rest.remove(i);
                for mut tail in permutations(&rest) {
                    tail.insert(0, first.to_bits());
                    all.insert(tail);
                }
            }
            all
        }
        for values in [
            vec![1.0],
            vec![1.0, 1.0],
            vec![0.0, 1.0, 2.0],
            vec![0.0, 0.0, 1.0, 1.0],
            vec![3.0, -1.0, 3.0, 0.5, 0.5],
            vec![0.0, 0.0, 0.0, 1.0, 2.0, 2.0],
            vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ] {
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            let counts: Vec<(f32, u64)> = sorted
                .chunk_by(|a, b| a == b)
                .map(|s| (s[0], s.len() as u64))
                .collect();
            let total = arrangements(counts.iter().map(|c| c.1)).unwrap();
            let listed: Vec<Vec<u32>> = (0..total)
                .map(|i| {
                    unrank(&counts, total, i)
                        .iter()
                        .map(|x| x.to_bits())
                        .collect()
                })
                .collect();
            let distinct: HashSet<Vec<u32>> = listed.iter().cloned().collect();
            assert_eq!(distinct.len(), listed.len(), "no arrangement stands twice");
            assert_eq!(distinct, permutations(&values));
        }
    }
}

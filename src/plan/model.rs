//! The MDP as a sweep sees it: states in sweep order, duplicate choices merged, shared parts of rows factored out,
//! self-loops eliminated.

use std::collections::HashMap;
use std::fmt;

use super::order::sweep_order;
use super::phases::coloured_order;
use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::{ChoiceId, StateId};

/// States from which on whole rows are worth their longer sums.
const DENSE_SMALLEST: usize = 16;

/// Entries of a matrix of whole rows that is still kept beside the terms (12 bytes each, in both precisions).
const DENSE_LARGEST: usize = 1 << 25;

/// A term of a sum is worth as much as so many entries of a whole row (measured, AVX-512: a sum's terms are a load and an index each).
const DENSE_SHARE: usize = 2;

/// Which inner loop fits the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KernelClass {
    /// Every choice leads to one state with certainty: gather and maximum.
    Deterministic,
    /// Few successors per choice.
    Sparse,
    /// Most choices lead to many of the states: a product of matrices.
    Dense,
}

/// One term of a weighted sum of values: position of the successor in sweep order, and the factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Position in sweep order.
    pub position: u32,
    /// Transition probability.
    pub probability: f64,
}

/// One distinct choice of a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SweepChoice {
    /// Probability of staying where one is.
    pub stay: f64,
    /// First of its own terms in [`SweepModel::parts`], beyond the state's common ones.
    pub first: u32,
    /// One past the last.
    pub end: u32,
}

/// One state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepState {
    /// Its row in the MDP.
    pub state: StateId,
    /// First of the terms common to all its choices, in [`SweepModel::parts`].
    pub common_first: u32,
    /// One past the last.
    pub common_end: u32,
    /// First of its distinct choices.
    pub choice_first: u32,
    /// One past the last.
    pub choice_end: u32,
}

/// The MDP in the form that sweeps use.
///
/// Rows of one state are written as `T(s,a,.) = c(s,.) + d(s,a,.)` over successors other than `s`, with `c` the
/// element-wise minimum over choices; the probability of staying is kept apart, since it differs by choice. Merging
/// equal rows is valid for rewards on states under the optimal rule.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepModel {
    states: Vec<SweepState>,
    choices: Vec<SweepChoice>,
    parts: Vec<Part>,
    /// Which distinct choice (index into `choices`) each choice of the MDP became, `[n_choices]`.
    merged: Vec<u32>,
    /// Position in sweep order of every state, `[n_states]`.
    position: Vec<u32>,
    class: KernelClass,
    domain: RewardDomain,
    by_colours: bool,
    longest_row: usize,
    products: usize,
    products_unshared: usize,
}

impl SweepModel {
    pub(super) fn new(mdp: &Mdp, domain: RewardDomain) -> Self {
        let order = sweep_order(mdp);
        let mut position = vec![0; mdp.n_states()];
        for (p, s) in order.iter().enumerate() {
            position[s.index()] = p as u32;
        }
        let mut model = Self {
            states: Vec::with_capacity(order.len()),
            choices: Vec::new(),
            parts: Vec::new(),
            merged: vec![0; mdp.n_choices()],
            position,
            class: match domain {
                RewardDomain::Choice => KernelClass::Sparse,
                RewardDomain::State if mdp.is_deterministic() => KernelClass::Deterministic,
                RewardDomain::State => KernelClass::Sparse,
            },
            domain,
            by_colours: false,
            longest_row: 0,
            products: 0,
            products_unshared: 0,
        };
        for state in order {
            model.push_state(mdp, state);
        }
        if model.class == KernelClass::Sparse && model.is_dense() {
            model.class = KernelClass::Dense;
        }
        model
    }

    /// The same, with states in the order of a sweep by colours.
    pub(super) fn by_colours(&self) -> Self {
        let order = coloured_order(self);
        let mut model = Self {
            states: Vec::with_capacity(self.states.len()),
            choices: Vec::with_capacity(self.choices.len()),
            parts: Vec::with_capacity(self.parts.len()),
            by_colours: true,
            ..self.clone()
        };
        let mut place = vec![0; order.len()];
        for (new, &old) in (0..).zip(&order) {
            place[old as usize] = new;
        }
        let mut number = vec![0; self.choices.len()];
        for &old in &order {
            let state = self.states[old as usize];
            let mut push = |first: u32, end: u32| {
                let begin = model.parts.len() as u32;
                let parts = &self.parts[first as usize..end as usize];
                model.parts.extend(parts.iter().map(|part| Part {
                    position: place[part.position as usize],
                    ..*part
                }));
                model.parts[begin as usize..].sort_unstable_by_key(|part| part.position);
                (begin, model.parts.len() as u32)
            };
            let (common_first, common_end) = push(state.common_first, state.common_end);
            let choice_first = model.choices.len() as u32;
            for choice in state.choice_first..state.choice_end {
                number[choice as usize] = model.choices.len() as u32;
                let SweepChoice { stay, first, end } = self.choices[choice as usize];
                let (first, end) = push(first, end);
                model.choices.push(SweepChoice { stay, first, end });
            }
            model.states.push(SweepState {
                state: state.state,
                common_first,
                common_end,
                choice_first,
                choice_end: model.choices.len() as u32,
            });
        }
        for position in &mut model.position {
            *position = place[*position as usize];
        }
        for choice in &mut model.merged {
            *choice = number[*choice as usize];
        }
        model
    }

    /// Whether whole rows, which need no indices and can be loaded for several choices at once, are less work than their terms.
    fn is_dense(&self) -> bool {
        let entries = self.choices.len() * self.states.len();
        self.domain == RewardDomain::State
            && (DENSE_SMALLEST * self.choices.len()..=DENSE_LARGEST).contains(&entries)
            && self.products * DENSE_SHARE >= entries
    }

    fn push_state(&mut self, mdp: &Mdp, state: StateId) {
        let choice_first = self.choices.len() as u32;
        let rows = self.distinct_rows(mdp, state);
        let common = if self.class == KernelClass::Deterministic {
            Vec::new()
        } else {
            common_part(&rows)
        };
        let common_first = self.parts.len() as u32;
        self.parts.extend(&common);
        let common_end = self.parts.len() as u32;
        for (stay, row) in rows {
            self.longest_row = self.longest_row.max(row.len());
            self.products_unshared += row.len();
            let first = self.parts.len() as u32;
            self.parts.extend(difference(&row, &common));
            self.choices.push(SweepChoice {
                stay,
                first,
                end: self.parts.len() as u32,
            });
        }
        self.products += self.parts.len() - common_first as usize;
        self.states.push(SweepState {
            state,
            common_first,
            common_end,
            choice_first,
            choice_end: self.choices.len() as u32,
        });
    }

    /// The state's different rows, each as (probability of staying, the other successors by position).
    fn distinct_rows(&mut self, mdp: &Mdp, state: StateId) -> Vec<(f64, Vec<Part>)> {
        let mut seen: HashMap<(&[u32], Vec<u64>), u32> = HashMap::new();
        let mut rows = Vec::new();
        for choice in mdp.choices(state) {
            let (to, p) = mdp.row(choice);
            let bits = p.iter().map(|x| x.to_bits()).collect();
            let fresh = (self.choices.len() + rows.len()) as u32;
            let index = match self.domain {
                RewardDomain::State => *seen.entry((to, bits)).or_insert(fresh),
                RewardDomain::Choice => fresh,
            };
            self.merged[choice.index()] = index;
            if index != fresh {
                continue;
            }
            let stay = to.iter().position(|&t| t == state.0).map_or(0.0, |i| p[i]);
            let others = to.iter().zip(p).filter(|&(&t, _)| t != state.0);
            let row = others.map(|(&t, &probability)| Part {
                position: self.position[t as usize],
                probability,
            });
            rows.push((stay, row.collect()));
        }
        rows
    }

    /// States in sweep order, `[n_states]`.
    #[must_use]
    pub fn states(&self) -> &[SweepState] {
        &self.states
    }

    /// Distinct choices, grouped by state in sweep order.
    #[must_use]
    pub fn choices(&self) -> &[SweepChoice] {
        &self.choices
    }

    /// Terms of all sums.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Terms of a state: those common to its choices, then those of every choice.
    pub fn terms_of(&self, state: &SweepState) -> impl Iterator<Item = &Part> {
        let choices = &self.choices[state.choice_first as usize..state.choice_end as usize];
        let own = choices.iter().map(|c| (c.first, c.end));
        let ranges = std::iter::once((state.common_first, state.common_end)).chain(own);
        ranges.flat_map(|(first, end)| &self.parts[first as usize..end as usize])
    }

    /// The distinct choice that stands for a choice of the MDP.
    #[must_use]
    pub fn merged_choice(&self, choice: ChoiceId) -> u32 {
        self.merged[choice.index()]
    }

    /// Position of a state in sweep order.
    #[must_use]
    pub fn position(&self, state: StateId) -> u32 {
        self.position[state.index()]
    }

    /// Which reward of a goal stands in which row of a tile: states, or choices, in sweep order.
    #[must_use]
    pub fn reward_rows(&self) -> Vec<u32> {
        match self.domain {
            RewardDomain::State => self.states.iter().map(|s| s.state.0).collect(),
            RewardDomain::Choice => {
                let mut rows = vec![0; self.choices.len()];
                for (choice, &row) in self.merged.iter().enumerate() {
                    rows[row as usize] = choice as u32;
                }
                rows
            }
        }
    }

    /// What rewards are attached to.
    #[must_use]
    pub fn domain(&self) -> RewardDomain {
        self.domain
    }

    /// Which inner loop fits.
    #[must_use]
    pub fn class(&self) -> KernelClass {
        self.class
    }

    /// Whether the sweep order is that of a sweep by colours, which goes forwards only.
    #[must_use]
    pub fn is_by_colours(&self) -> bool {
        self.by_colours
    }

    /// Largest number of successors of a choice, the state itself left out.
    #[must_use]
    pub fn longest_row(&self) -> usize {
        self.longest_row
    }

    /// Products per sweep of one goal.
    #[must_use]
    pub fn products(&self) -> usize {
        self.products
    }

    pub(super) fn feed_hash(&self, feed: &mut dyn FnMut(&[u8])) {
        for s in &self.states {
            for x in [
                s.state.0,
                s.common_first,
                s.common_end,
                s.choice_first,
                s.choice_end,
            ] {
                feed(&x.to_le_bytes());
            }
        }
        for c in &self.choices {
            feed(&c.stay.to_bits().to_le_bytes());
            feed(&c.first.to_le_bytes());
            feed(&c.end.to_le_bytes());
        }
        for p in &self.parts {
            feed(&p.position.to_le_bytes());
            feed(&p.probability.to_bits().to_le_bytes());
        }
    }
}

/// Element-wise minimum of all rows: empty where it saves no products.
fn common_part(rows: &[(f64, Vec<Part>)]) -> Vec<Part> {
    let mut least: HashMap<u32, (usize, f64)> = HashMap::new();
    for (_, row) in rows {
        for part in row {
            let entry = least.entry(part.position).or_insert((0, f64::INFINITY));
            *entry = (entry.0 + 1, entry.1.min(part.probability));
        }
    }
    let mut common: Vec<Part> = least
        .into_iter()
        .filter(|&(_, (count, _))| count == rows.len())
        .map(|(position, (_, probability))| Part {
            position,
            probability,
        })
        .collect();
    common.sort_by_key(|p| p.position);
    let alone: usize = rows.iter().map(|(_, row)| row.len()).sum();
    let shared = common.len()
        + rows
            .iter()
            .map(|(_, row)| difference(row, &common).count())
            .sum::<usize>();
    if shared < alone { common } else { Vec::new() }
}

/// What a row holds beyond the common part.
fn difference<'a>(row: &'a [Part], common: &'a [Part]) -> impl Iterator<Item = Part> + 'a {
    row.iter().filter_map(move |part| {
        let shared = common
            .binary_search_by_key(&part.position, |c| c.position)
            .map_or(0.0, |i| common[i].probability);
        // Equal numbers cancel exactly; any other difference of two probabilities is a successor of its own.
        (part.probability != shared).then_some(Part {
            position: part.position,
            probability: part.probability - shared,
        })
    })
}

impl fmt::Display for SweepModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            KernelClass::Deterministic => "deterministic (gather and maximum)",
            KernelClass::Sparse => "sparse",
            KernelClass::Dense => "dense (product of matrices)",
        };
        writeln!(f, "kernel       {class}")?;
        writeln!(
            f,
            "choices      {} distinct of {} ({})",
            self.choices.len(),
            self.merged.len(),
            match self.domain {
                RewardDomain::State => "equal rows are merged",
                RewardDomain::Choice => "each has a reward of its own",
            }
        )?;
        writeln!(
            f,
            "products     {} per sweep and goal ({} without shared parts of rows)",
            self.products, self.products_unshared
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    /// Three choices that share noise, two of them equal.
    fn noisy() -> Mdp {
        let mut b = MdpBuilder::new("noisy");
        let [s, x, y] = ["s", "x", "y"].map(|n| b.state(n));
        b.choice(s, "left", [(x, 0.75), (y, 0.125), (s, 0.125)]);
        b.choice(s, "right", [(x, 0.125), (y, 0.75), (s, 0.125)]);
        b.choice(s, "right again", [(x, 0.125), (y, 0.75), (s, 0.125)]);
        b.absorbing(x);
        b.absorbing(y);
        b.build().unwrap()
    }

    #[test]
    fn parts_and_stays_add_up_to_the_rows() {
        let mdp = noisy();
        let model = SweepModel::new(&mdp, RewardDomain::State);
        for state in model.states() {
            for c in mdp.choices(state.state) {
                let choice = model.choices()[model.merged_choice(c) as usize];
                let mut dense = vec![0.0; mdp.n_states()];
                dense[state.state.index()] += choice.stay;
                let ranges = [
                    (state.common_first, state.common_end),
                    (choice.first, choice.end),
                ];
                for (first, end) in ranges {
                    for part in &model.parts()[first as usize..end as usize] {
                        dense[model.states()[part.position as usize].state.index()] +=
                            part.probability;
                    }
                }
                let (to, p) = mdp.row(c);
                for (t, p) in to.iter().zip(p) {
                    assert_eq!(dense[*t as usize], *p);
                    dense[*t as usize] = 0.0;
                }
                assert!(dense.iter().all(|&x| x == 0.0), "no other successor");
            }
        }
    }

    #[test]
    fn another_order_is_the_same_mdp() {
        let mut b = MdpBuilder::new("ring");
        let all: Vec<_> = (0..9).map(|i| b.state(format!("s{i}"))).collect();
        for i in 0..9 {
            let (next, other) = (all[(i + 1) % 9], all[(i + 3) % 9]);
            b.choice(all[i], "go", [(next, 0.75), (other, 0.25)]);
            b.choice(all[i], "stay", [(all[i], 0.5), (next, 0.25), (other, 0.25)]);
            b.choice(all[i], "go again", [(next, 0.75), (other, 0.25)]);
        }
        let mdp = b.build().unwrap();
        let model = SweepModel::new(&mdp, RewardDomain::State);
        let other = model.by_colours();
        // What a choice of a state does, by names.
        let meaning = |model: &SweepModel, choice: ChoiceId, state: StateId| {
            let row = model.states()[model.position(state) as usize];
            assert_eq!(row.state, state);
            let number = model.merged_choice(choice);
            assert!((row.choice_first..row.choice_end).contains(&number));
            let own = model.choices()[number as usize];
            let ranges = [(row.common_first, row.common_end), (own.first, own.end)];
            let parts = ranges.map(|(first, end)| &model.parts()[first as usize..end as usize]);
            let named = |part: &Part| {
                let to = model.states()[part.position as usize].state;
                (to.0, part.probability.to_bits())
            };
            let mut terms: Vec<_> = parts.concat().iter().map(named).collect();
            terms.sort_unstable();
            (own.stay.to_bits(), terms)
        };
        for state in mdp.states() {
            for choice in mdp.choices(state) {
                let [here, there] = [&model, &other].map(|m| meaning(m, choice, state));
                assert_eq!(here, there);
            }
        }
        let order =
            |model: &SweepModel| model.states().iter().map(|s| s.state.0).collect::<Vec<_>>();
        assert_ne!(order(&model), order(&other));
        assert_eq!(other.products(), model.products());
    }

    #[test]
    fn equal_rows_are_merged_and_noise_is_shared() {
        let mdp = noisy();
        let model = SweepModel::new(&mdp, RewardDomain::State);
        assert_eq!(
            model.merged_choice(ChoiceId(1)),
            model.merged_choice(ChoiceId(2))
        );
        assert_ne!(
            model.merged_choice(ChoiceId(0)),
            model.merged_choice(ChoiceId(1))
        );
        assert_eq!((model.choices().len(), model.products()), (4, 4));
    }
}

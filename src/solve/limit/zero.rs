//! ->0: the next reward counts, then the one after it, and so on.
//!
//! Near 0 the value of a state is the series of the expected rewards of the steps to come, so `v_0 = R`,
//! `v_(k+1)(s) = max P_a v_k` over the choices that are best in all terms before. No policy is iterated.

use std::collections::HashMap;

use super::{Method, Outcome};
use crate::mdp::Mdp;
use crate::statistics::behaviour::{Settled, Standing};
use crate::units::{ChoiceId, StateId};

/// Numbers equal things alike.
type Numbering<K> = HashMap<K, u32>;

/// Where every choice has one successor: sequences of rewards in lexicographic order, by ranks, exactly.
#[derive(Debug)]
pub(super) struct CertainSteps {
    /// Where a state's choices start, `[n_states + 1]`.
    first: Vec<u32>,
    /// Successor of every choice.
    to: Vec<u32>,
}

impl CertainSteps {
    pub(super) fn new(mdp: &Mdp) -> Self {
        let mut first = vec![0];
        let mut to = Vec::new();
        for state in mdp.states() {
            to.extend(mdp.choices(state).map(|c| mdp.row(c).0[0]));
            first.push(to.len() as u32);
        }
        Self { first, to }
    }

    fn successors(&self, state: usize) -> &[u32] {
        &self.to[self.first[state] as usize..self.first[state + 1] as usize]
    }

    /// The largest rank among the successors.
    fn best(&self, state: usize, rank: &[u32]) -> u32 {
        let ranks = self.successors(state).iter().map(|&t| rank[t as usize]);
        ranks.max().unwrap_or(0)
    }
}

/// Numbers `0..n` by size of their keys, equal ones alike; and how many different ones there are.
fn ranks<K: PartialOrd>(n: usize, key: impl Fn(usize) -> K) -> (Vec<u32>, u32) {
    let mut order: Vec<usize> = (0..n).collect();
    let compare = |a: &usize, b: &usize| key(*a).partial_cmp(&key(*b));
    order.sort_by(|a, b| compare(a, b).unwrap_or(std::cmp::Ordering::Equal));
    let mut rank = vec![0; n];
    let mut number = 0;
    for pair in order.windows(2) {
        number += u32::from(key(pair[0]) < key(pair[1]));
        rank[pair[1]] = number;
    }
    (rank, number + 1)
}

impl Method for CertainSteps {
    fn description(&self) -> &'static str {
        "at the limit ->0: best next reward, then the one after it and so on, exactly, on the processor"
    }

    fn solve(&self, rewards: &[f64]) -> Option<Outcome> {
        let n = rewards.len();
        // The rank of the best sequence of k + 1 rewards from every state; once no new difference shows, none will.
        let (reward, mut classes) = ranks(n, |s| rewards[s]);
        let mut rank = reward.clone();
        let mut rounds = 1;
        loop {
            let best: Vec<u32> = (0..n).map(|s| self.best(s, &rank)).collect();
            let (next, found) = ranks(n, |s| (reward[s], best[s]));
            rounds += 1;
            let settled = found == classes;
            (rank, classes) = (next, found);
            if settled {
                break;
            }
        }
        let mut standings = Vec::with_capacity(self.to.len());
        let mut greedy = Vec::with_capacity(n);
        let mut integrand = Vec::with_capacity(n);
        for s in 0..n {
            let best = self.best(s, &rank);
            let before = standings.len();
            standings.extend((self.successors(s).iter()).map(|&t| {
                match rank[t as usize] == best {
                    true => Standing::Optimal,
                    false => Standing::Worse,
                }
            }));
            let at = standings[before..].iter();
            let at = at.take_while(|s| **s != Standing::Optimal).count();
            greedy.push(ChoiceId((before + at) as u32));
            integrand.push(rewards[self.successors(s)[at] as usize]);
        }
        Some(Outcome {
            integrand,
            half_width: 0.0,
            settled: Settled { greedy, standings },
            rounds,
        })
    }
}

/// Where moves are uncertain: the same in f64, with a bound on what rounding can have done. Terms that are within it are equal only if
/// that follows from the structure: equal rows, or equal probabilities of getting to states that are alike.
#[derive(Debug)]
pub(super) struct UncertainSteps {
    mdp: Mdp,
    longest_row: f64,
}

/// Probabilities are told apart to this: rows sum to one within a few units of 2^-53.
pub(super) const SAME_PROBABILITY: f64 = 1.0 / (1_u64 << 44) as f64;

/// A row seen through classes of states: probability of getting to each class, ascending, in units of [`SAME_PROBABILITY`].
pub(super) fn masses(mdp: &Mdp, choice: ChoiceId, class: &[u32]) -> Vec<(u32, i64)> {
    let (to, probabilities) = mdp.row(choice);
    let pairs = to.iter().zip(probabilities);
    let mut list: Vec<(u32, f64)> = pairs.map(|(&t, &p)| (class[t as usize], p)).collect();
    list.sort_by_key(|&(class, _)| class);
    list.chunk_by(|a, b| a.0 == b.0)
        .map(|same| {
            let sum: f64 = same.iter().map(|(_, p)| p).sum();
            (same[0].0, (sum / SAME_PROBABILITY).round() as i64)
        })
        .collect()
}

/// How two rows differ: `sum (T_a - T_b) x`, `sum |T_a - T_b|`, and the states in which they do.
pub(super) struct RowDifference {
    pub(super) states: Vec<u32>,
    weights: Vec<f64>,
    pub(super) total: f64,
}

impl RowDifference {
    pub(super) fn of(mdp: &Mdp, a: ChoiceId, b: ChoiceId) -> Self {
        let ((to_a, p_a), (to_b, p_b)) = (mdp.row(a), mdp.row(b));
        let mut out = Self {
            states: Vec::new(),
            weights: Vec::new(),
            total: 0.0,
        };
        let (mut i, mut j) = (0, 0);
        // Successors are ascending in both rows.
        while i < to_a.len() || j < to_b.len() {
            let (x, y) = (to_a.get(i).copied(), to_b.get(j).copied());
            let left = x.is_some_and(|x| y.is_none_or(|y| x <= y));
            let right = y.is_some_and(|y| x.is_none_or(|x| y <= x));
            let p = if left { p_a[i] } else { 0.0 };
            let q = if right { p_b[j] } else { 0.0 };
            if p != q {
                let state = if left { to_a[i] } else { to_b[j] };
                out.states.push(state);
                out.weights.push(p - q);
                out.total += (p - q).abs();
            }
            i += usize::from(left);
            j += usize::from(right);
        }
        out
    }

    pub(super) fn times(&self, x: &[f64]) -> f64 {
        let terms = self.states.iter().zip(&self.weights);
        terms.map(|(&s, w)| w * x[s as usize]).sum()
    }
}

impl UncertainSteps {
    pub(super) fn new(mdp: &Mdp) -> Self {
        let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
        let longest = choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0);
        Self {
            mdp: mdp.clone(),
            longest_row: longest as f64,
        }
    }

    fn expected(&self, choice: ChoiceId, x: &[f64]) -> f64 {
        let (to, probabilities) = self.mdp.row(choice);
        let terms = to.iter().zip(probabilities);
        terms.map(|(&t, p)| p * x[t as usize]).sum()
    }
}

/// All terms are known.
const ALL: u32 = u32::MAX;

/// The terms of all states up to one order.
struct Terms {
    order: u32,
    /// Term of this order, `[n_states]`.
    value: Vec<f64>,
    /// What every value can be off by.
    error: f64,
    /// States of one class have equal terms up to this order, by structure.
    class: Vec<u32>,
    classes: u32,
    /// The highest order whose term is known, whatever is decided in the end.
    known: Vec<u32>,
    /// Where every choice stands: `Optimal` while nothing was better.
    standings: Vec<Standing>,
    /// The choice that the others are compared with.
    greedy: Vec<ChoiceId>,
}

impl UncertainSteps {
    /// Compares what is left in every state by the terms of this order. Whether any choice fell out, and whether any is left that later
    /// terms could tell from the greedy one.
    fn compare(&self, terms: &mut Terms) -> (bool, bool) {
        let (mut fallen, mut open) = (false, false);
        let magnitude = terms.value.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        for state in self.mdp.states() {
            let left = |c: &ChoiceId| terms.standings[c.index()] == Standing::Optimal;
            let choices: Vec<ChoiceId> = self.mdp.choices(state).filter(left).collect();
            if choices.len() < 2 {
                continue;
            }
            let values = choices.iter().map(|&c| (c, self.expected(c, &terms.value)));
            let better = |a: (ChoiceId, f64), b: (ChoiceId, f64)| if b.1 > a.1 { b } else { a };
            let Some((greedy, _)) = values.reduce(better) else {
                continue;
            };
            terms.greedy[state.index()] = greedy;
            for choice in choices {
                let difference = RowDifference::of(&self.mdp, greedy, choice);
                if difference.total <= SAME_PROBABILITY {
                    continue;
                }
                let gap = difference.times(&terms.value);
                let rounding = (self.longest_row + 4.0) * f64::EPSILON * magnitude;
                // Rows sum to one within rounding only, each.
                let allowance = difference.total * terms.error + 2.0 * rounding;
                let known = difference.states.iter();
                let known = known.map(|&s| terms.known[s as usize]).min().unwrap_or(ALL);
                let alike = || {
                    masses(&self.mdp, greedy, &terms.class)
                        == masses(&self.mdp, choice, &terms.class)
                };
                if known >= terms.order && gap > allowance {
                    terms.standings[choice.index()] = Standing::Worse;
                    fallen = true;
                } else if alike() {
                    open = true;
                } else {
                    terms.standings[choice.index()] = Standing::Possible;
                    terms.known[state.index()] = terms.known[state.index()]
                        .min(terms.order + 1)
                        .min(known.saturating_add(1));
                }
            }
        }
        (fallen, open)
    }

    /// Goes to the terms of the next order.
    fn advance(&self, terms: &mut Terms) {
        let magnitude = terms.value.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let n = self.mdp.n_states();
        let mut numbers: Numbering<(u32, Vec<(u32, i64)>)> = HashMap::new();
        let mut class = Vec::with_capacity(n);
        let mut known = Vec::with_capacity(n);
        let mut own = u32::MAX;
        for state in self.mdp.states() {
            let at = state.index();
            let greedy = terms.greedy[at];
            let successors = self.mdp.row(greedy).0.iter();
            let of_successors = successors.map(|&t| terms.known[t as usize]).min();
            let of_successors = of_successors.unwrap_or(ALL);
            let reach = match of_successors {
                ALL => ALL,
                order => order + 1,
            };
            known.push(terms.known[at].min(reach));
            if terms.known[at].min(reach) == ALL {
                let key = (terms.class[at], masses(&self.mdp, greedy, &terms.class));
                let next = numbers.len() as u32;
                class.push(*numbers.entry(key).or_insert(next));
            } else {
                // A state that is not settled is like no other.
                class.push(own);
                own -= 1;
            }
        }
        let greedy = terms.greedy.iter();
        terms.value = greedy.map(|&c| self.expected(c, &terms.value)).collect();
        terms.error += (self.longest_row + 2.0) * f64::EPSILON * magnitude;
        terms.classes = numbers.len() as u32 + (u32::MAX - own);
        (terms.class, terms.known) = (class, known);
        terms.order += 1;
    }
}

impl Method for UncertainSteps {
    fn description(&self) -> &'static str {
        "at the limit ->0: best expected next reward, then the one after it and so on, in f64, on the processor"
    }

    fn solve(&self, rewards: &[f64]) -> Option<Outcome> {
        let n = rewards.len();
        let mut numbers: Numbering<u64> = HashMap::new();
        let class = rewards.iter().map(|r| {
            let next = numbers.len() as u32;
            // Both zeros are one.
            *numbers.entry((r + 0.0).to_bits()).or_insert(next)
        });
        let class: Vec<u32> = class.collect();
        let first = |s: StateId| self.mdp.choices(s).next().unwrap_or(ChoiceId(0));
        let mut terms = Terms {
            order: 0,
            value: rewards.to_vec(),
            error: 0.0,
            class,
            classes: numbers.len() as u32,
            known: vec![ALL; n],
            standings: vec![Standing::Optimal; self.mdp.n_choices()],
            greedy: self.mdp.states().map(first).collect(),
        };
        let mut integrand = Vec::new();
        let mut half_width = 0.0;
        loop {
            let (fallen, open) = self.compare(&mut terms);
            let before = terms.classes;
            self.advance(&mut terms);
            if integrand.is_empty() {
                (integrand, half_width) = (terms.value.clone(), terms.error);
            }
            // Classes that do not split and choices that do not fall: every later round is like this one.
            if !open || (!fallen && terms.classes == before) || terms.order > 2 * n as u32 {
                break;
            }
        }
        Some(Outcome {
            integrand,
            half_width,
            settled: Settled {
                greedy: terms.greedy,
                standings: terms.standings,
            },
            rounds: terms.order,
        })
    }
}

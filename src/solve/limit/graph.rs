//! ->1 where every choice has one successor: policy iteration in integers, so that nothing is left to rounding.
//!
//! Rewards are exact binary numbers, so the mean of a cycle is a quotient of integers, and so are biases. Values of policies are compared
//! by gain, then bias, and where both are equal by the sequences of rewards themselves. That is Howard's policy iteration over the
//! values' series: a policy that no choice improves on is optimal at all discounts close enough to 1.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::sequence::Walks;
use super::{Method, Outcome};
use crate::mdp::Mdp;
use crate::statistics::behaviour::{Settled, Standing};
use crate::units::ChoiceId;

/// The graph of an MDP.
#[derive(Debug)]
pub(super) struct Graph {
    /// Where a state's choices start, `[n_states + 1]`.
    first: Vec<u32>,
    /// Successor of every choice.
    to: Vec<u32>,
    /// Where the choices that lead to a state start in `back`, `[n_states + 1]`.
    back_first: Vec<u32>,
    /// State and choice.
    back: Vec<(u32, u32)>,
}

impl Graph {
    pub(super) fn new(mdp: &Mdp) -> Self {
        let n = mdp.n_states();
        let mut first = vec![0];
        let mut to = Vec::with_capacity(mdp.n_choices());
        let mut leading: Vec<Vec<(u32, u32)>> = vec![Vec::new(); n];
        for state in mdp.states() {
            for choice in mdp.choices(state) {
                let next = mdp.row(choice).0[0];
                leading[next as usize].push((state.0, to.len() as u32));
                to.push(next);
            }
            first.push(to.len() as u32);
        }
        let mut back_first = vec![0];
        let mut total = 0;
        for list in &leading {
            total += list.len() as u32;
            back_first.push(total);
        }
        Self {
            first,
            to,
            back_first,
            back: leading.concat(),
        }
    }

    fn n_states(&self) -> usize {
        self.first.len() - 1
    }

    fn choices(&self, state: usize) -> std::ops::Range<usize> {
        self.first[state] as usize..self.first[state + 1] as usize
    }
}

/// Rewards as `integer * 2^exponent`.
struct Integers {
    values: Vec<i128>,
    exponent: i32,
    /// What they were rounded by at most.
    error: f64,
}

/// Integer and exponent of a finite number; the integer is odd or zero.
fn decode(x: f64) -> (i128, i32) {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = (bits & ((1 << 52) - 1)) as i128;
    let (mantissa, exponent) = match exponent {
        0 => (fraction, -1074),
        e => (fraction | (1 << 52), e - 1075),
    };
    if mantissa == 0 {
        return (0, 0);
    }
    let shift = mantissa.trailing_zeros();
    let odd = mantissa >> shift;
    let signed = if x < 0.0 { -odd } else { odd };
    (signed, exponent + shift as i32)
}

impl Integers {
    /// Integers of at most `bits` bits; numbers below `2^-bits` of the largest are rounded.
    fn of(rewards: &[f64], bits: i32) -> Self {
        let parts: Vec<(i128, i32)> = rewards.iter().map(|&r| decode(r)).collect();
        let some = parts.iter().filter(|(m, _)| *m != 0);
        let lowest = some.clone().map(|(_, e)| *e).min().unwrap_or(0);
        let highest = some.map(|(m, e)| e + 128 - m.abs().leading_zeros() as i32);
        let exponent = lowest.max(highest.max().unwrap_or(0) - bits);
        let value = |&(m, e): &(i128, i32)| match e - exponent {
            up if up >= 0 => m << up.min(126),
            // To nearest.
            down if down > -120 => (m + (1 << (-down - 1))) >> -down,
            _ => 0,
        };
        let rounded = exponent > lowest;
        Self {
            values: parts.iter().map(value).collect(),
            exponent,
            error: if rounded { 2_f64.powi(exponent) } else { 0.0 },
        }
    }
}

/// A policy's values, by integers.
#[derive(Default)]
struct Evaluation {
    next: Vec<u32>,
    /// Per state: the cycle it ends in, by number.
    cycle: Vec<u32>,
    /// Per state: steps to that cycle.
    tail: Vec<u32>,
    /// Per state: length of that cycle.
    period: Vec<u32>,
    /// Per cycle: sum of its rewards, and length.
    sums: Vec<(i128, i128)>,
    /// Per cycle: cycles of equal mean have equal ranks, larger means larger ones.
    rank: Vec<u32>,
    /// Per state: bias times the square of the cycle's length.
    bias: Vec<i128>,
}

impl Evaluation {
    fn rank_of(&self, state: u32) -> u32 {
        self.rank[self.cycle[state as usize] as usize]
    }

    /// Values of two states, with gain and bias first. `None` if the integers overflow.
    fn compare(&self, rewards: &[i128], x: u32, y: u32) -> Option<Ordering> {
        if x == y {
            return Some(Ordering::Equal);
        }
        let gains = self.rank_of(x).cmp(&self.rank_of(y));
        if gains != Ordering::Equal {
            return Some(gains);
        }
        let (a, b) = (x as usize, y as usize);
        let (p, q) = (i128::from(self.period[a]), i128::from(self.period[b]));
        let biases = match p == q {
            true => self.bias[a].cmp(&self.bias[b]),
            false => {
                let left = self.bias[a].checked_mul(q * q)?;
                left.cmp(&self.bias[b].checked_mul(p * p)?)
            }
        };
        if biases != Ordering::Equal {
            return Some(biases);
        }
        let walks = Walks {
            next: &self.next,
            reward: rewards,
            tail: &self.tail,
            period: &self.period,
        };
        walks.compare(x, y)
    }
}

const NEW: u32 = u32::MAX;

impl Graph {
    /// Every walk ends in a cycle. With p its length and S the sum of its rewards, the gain is S/p, and the bias, whose mean over the
    /// cycle is zero, is `h(s) = (1/p) sum_{j<p} (p - j)(r_j - S/p)` on the cycle and `h(s) = r(s) - S/p + h(next)` everywhere.
    fn evaluate(&self, rewards: &[i128], policy: &[u32], out: &mut Evaluation) {
        let n = policy.len();
        out.next.clear();
        out.next.extend(policy.iter().map(|&c| self.to[c as usize]));
        out.cycle.clear();
        out.cycle.resize(n, NEW);
        out.tail.resize(n, 0);
        out.period.resize(n, 0);
        out.bias.resize(n, 0);
        out.sums.clear();
        let mut walk = vec![NEW; n];
        let mut path = Vec::new();
        for from in 0..n {
            let mut s = from;
            path.clear();
            while walk[s] == NEW {
                walk[s] = from as u32;
                path.push(s);
                s = out.next[s] as usize;
            }
            if out.cycle[s] == NEW {
                // The walk met itself: the states of its end are a new cycle, in order.
                let at = path.iter().rposition(|&x| x == s).unwrap_or(0);
                let states = path.split_off(at);
                self.evaluate_cycle(rewards, &states, out);
            }
            for &s in path.iter().rev() {
                let next = out.next[s] as usize;
                let (sum, length) = out.sums[out.cycle[next] as usize];
                out.cycle[s] = out.cycle[next];
                out.tail[s] = out.tail[next] + 1;
                out.period[s] = out.period[next];
                out.bias[s] = length * (length * rewards[s] - sum) + out.bias[next];
            }
        }
        rank(&out.sums, &mut out.rank);
    }

    fn evaluate_cycle(&self, rewards: &[i128], states: &[usize], out: &mut Evaluation) {
        let length = states.len() as i128;
        let sum: i128 = states.iter().map(|&s| rewards[s]).sum();
        let excess = |s: usize| length * rewards[s] - sum;
        let terms = states.iter().enumerate();
        let first: i128 = terms.map(|(j, &s)| (length - j as i128) * excess(s)).sum();
        // h(next) = h(s) - (r(s) - gain).
        let mut bias = first;
        for &s in states {
            out.bias[s] = bias;
            bias -= length * excess(s);
            out.cycle[s] = out.sums.len() as u32;
            out.tail[s] = 0;
            out.period[s] = length as u32;
        }
        out.sums.push((sum, length));
    }

    /// Lets every state go where the best cycle it can reach is, by the fewest steps, unless it gets to one as good already. Whether
    /// any was changed. All of them gain, and those that are left as they are never meet them.
    fn reach_best_cycles(&self, evaluation: &Evaluation, policy: &mut [u32]) -> bool {
        let n = self.n_states();
        let rank_of = |s: usize| evaluation.rank_of(s as u32);
        let improves = |s: usize| {
            let here = rank_of(s);
            self.choices(s)
                .any(|c| evaluation.rank_of(self.to[c]) > here)
        };
        if !(0..n).any(improves) {
            return false;
        }
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_by_key(|&s| std::cmp::Reverse(rank_of(s as usize)));
        let mut reached = vec![false; n];
        let mut queue = VecDeque::new();
        for same in order.chunk_by(|&a, &b| rank_of(a as usize) == rank_of(b as usize)) {
            for &s in same {
                if !std::mem::replace(&mut reached[s as usize], true) {
                    queue.push_back(s);
                }
            }
            while let Some(s) = queue.pop_front() {
                let s = s as usize;
                let range = self.back_first[s] as usize..self.back_first[s + 1] as usize;
                for &(from, choice) in &self.back[range] {
                    if !std::mem::replace(&mut reached[from as usize], true) {
                        policy[from as usize] = choice;
                        queue.push_back(from);
                    }
                }
            }
        }
        true
    }

    /// Moves every state to its best choice. Whether any moved.
    fn improve(&self, rewards: &[i128], evaluation: &Evaluation, policy: &mut [u32]) -> bool {
        let mut moved = false;
        for (s, present) in policy.iter_mut().enumerate() {
            for choice in self.choices(s) {
                let (new, old) = (self.to[choice], self.to[*present as usize]);
                if evaluation.compare(rewards, new, old) == Some(Ordering::Greater) {
                    *present = choice as u32;
                    moved = true;
                }
            }
        }
        moved
    }

    fn settle(&self, rewards: &[i128], evaluation: &Evaluation, policy: &[u32]) -> Settled {
        let mut standings = vec![Standing::Worse; self.to.len()];
        let mut overflow = false;
        for (s, &present) in policy.iter().enumerate() {
            for choice in self.choices(s) {
                let order = evaluation.compare(rewards, self.to[choice], self.to[present as usize]);
                overflow |= order.is_none();
                standings[choice] = match order {
                    Some(Ordering::Equal) => Standing::Optimal,
                    Some(_) => Standing::Worse,
                    None => Standing::Possible,
                };
            }
        }
        if overflow {
            // A choice that could not be compared may be better in a later term, and that would change biases: only gains are sure.
            for (s, &present) in policy.iter().enumerate() {
                let best = self.to[present as usize];
                for choice in self.choices(s) {
                    let to = self.to[choice];
                    if to != best && evaluation.rank_of(to) == evaluation.rank_of(best) {
                        standings[choice] = Standing::Possible;
                    }
                }
            }
        }
        Settled {
            greedy: policy.iter().map(|&c| ChoiceId(c)).collect(),
            standings,
        }
    }
}

/// Numbers the means `sum / length` of cycles by size.
fn rank(sums: &[(i128, i128)], rank: &mut Vec<u32>) {
    let compare = |a: u32, b: u32| {
        let ((s, p), (t, q)) = (sums[a as usize], sums[b as usize]);
        (s * q).cmp(&(t * p))
    };
    let mut order: Vec<u32> = (0..sums.len() as u32).collect();
    order.sort_by(|&a, &b| compare(a, b));
    rank.clear();
    rank.resize(sums.len(), 0);
    let mut number = 0;
    for pair in order.windows(2) {
        number += u32::from(compare(pair[0], pair[1]) == Ordering::Less);
        rank[pair[1] as usize] = number;
    }
}

impl Method for Graph {
    fn description(&self) -> &'static str {
        "at the limit ->1: policy iteration on gain, bias and all that follows, in exact integers, on the processor"
    }

    fn solve(&self, rewards: &[f64]) -> Option<Outcome> {
        let n = self.n_states();
        // The largest integer is a bias: four factors of up to n on rewards, their sum and difference.
        let size = usize::BITS - n.leading_zeros();
        let integers = Integers::of(rewards, (120 - 3 * size as i32).clamp(24, 90));
        let reward = &integers.values;
        let greedy = |s: usize| {
            let better = |best: usize, c: usize| match reward[self.to[c] as usize]
                > reward[self.to[best] as usize]
            {
                true => c,
                false => best,
            };
            self.choices(s).reduce(better).unwrap_or(0) as u32
        };
        let mut policy: Vec<u32> = (0..n).map(greedy).collect();
        let mut evaluation = Evaluation::default();
        let mut rounds = 0;
        loop {
            self.evaluate(reward, &policy, &mut evaluation);
            rounds += 1;
            let moved = self.reach_best_cycles(&evaluation, &mut policy)
                || self.improve(reward, &evaluation, &mut policy);
            if !moved {
                break;
            }
        }
        let unit = 2_f64.powi(integers.exponent);
        let gain = |&cycle: &u32| {
            let (sum, length) = evaluation.sums[cycle as usize];
            sum as f64 / length as f64 * unit
        };
        let integrand: Vec<f64> = evaluation.cycle.iter().map(gain).collect();
        let largest = integrand.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        Some(Outcome {
            integrand,
            // The sum is rounded once, the quotient once more; powers of two are exact.
            half_width: f64::EPSILON * 1.01 * largest + integers.error,
            settled: self.settle(reward, &evaluation, &policy),
            rounds,
        })
    }
}

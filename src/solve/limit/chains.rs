//! ->1 where moves are uncertain: multichain policy iteration on gain and bias in f64, every policy evaluated by a dense decomposition.
//!
//! The gain is certified by the optimality equations' residuals. Choices are compared by expected gain, then by expected bias, each with a
//! bound on its error; a difference within the bound is a tie only where the structure proves it.

use std::collections::HashMap;

use nalgebra::{DMatrix, DVector, Dyn, LU};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::components::{EndComponents, NONE};
use super::zero::{RowDifference, masses};
use super::{Method, Outcome, SolveError};
use crate::mdp::Mdp;
use crate::statistics::behaviour::{Settled, Standing};
use crate::units::{ChoiceId, StateId};

/// Most states: a policy costs 2/3 n^3 operations, 40 million here.
const MOST_STATES: usize = 400;

/// Most policies of a goal.
const MOST_POLICIES: u32 = 500;

/// Terms that policies are improved by: gain, bias, and two more, without which cycles of equal gain keep the wrong bias.
const TERMS: usize = 4;

/// Differences of terms up to this share of the largest one are not taken for improvements. What they could be worth is in the
/// certificate.
const NO_IMPROVEMENT: f64 = 1e-11;

#[derive(Debug)]
pub(super) struct Chains {
    mdp: Mdp,
    ends: EndComponents,
    longest_row: f64,
}

/// One policy, evaluated.
struct Evaluation {
    matrix: DMatrix<f64>,
    factors: LU<f64, Dyn, Dyn>,
    /// Per state: the state that stands for its recurrent class; `NONE` for transient states.
    anchor: Vec<u32>,
    /// Per state: equal numbers for states whose gains are equal by structure.
    same_gain: Vec<u32>,
    /// Gain, bias and further terms, as far as they were needed.
    terms: Vec<Vec<f64>>,
}

/// Largest absolute value.
fn size(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

impl Chains {
    pub(super) fn new(mdp: &Mdp) -> Result<Self, SolveError> {
        if mdp.n_states() > MOST_STATES {
            return Err(SolveError::TooLarge {
                states: mdp.n_states(),
                most: MOST_STATES,
            });
        }
        let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
        let longest = choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0);
        Ok(Self {
            mdp: mdp.clone(),
            ends: EndComponents::of(mdp),
            longest_row: longest as f64,
        })
    }

    /// `(P_a x)(s) - x(s)`.
    fn drift(&self, state: StateId, choice: ChoiceId, x: &[f64]) -> f64 {
        let (to, probabilities) = self.mdp.row(choice);
        let here = x[state.index()];
        let terms = to.iter().zip(probabilities);
        terms.map(|(&t, p)| p * (x[t as usize] - here)).sum()
    }

    /// `I - P`, with a column of ones at the anchor of every recurrent class for the states of the class. It can be inverted, and
    /// `A x = r` has the gain of a class at its anchor.
    fn evaluate(&self, rewards: &[f64], policy: &[ChoiceId]) -> Option<Evaluation> {
        let n = policy.len();
        let (anchor, same_gain) = self.classes(policy);
        let mut matrix = DMatrix::<f64>::zeros(n, n);
        for (s, &choice) in policy.iter().enumerate() {
            let (to, probabilities) = self.mdp.row(choice);
            for (&t, p) in to.iter().zip(probabilities) {
                if t as usize != s {
                    matrix[(s, t as usize)] -= p;
                    matrix[(s, s)] += p;
                }
            }
            if anchor[s] != NONE {
                matrix[(s, anchor[s] as usize)] += 1.0;
            }
        }
        let mut evaluation = Evaluation {
            factors: matrix.clone().lu(),
            matrix,
            anchor,
            same_gain,
            terms: Vec::new(),
        };
        let gain = evaluation.long_run(rewards)?;
        evaluation.terms.push(gain);
        Some(evaluation)
    }

    /// The recurrent classes of a policy, and which states have one gain: those that end up in one end component whatever happens, and
    /// those of one end component.
    fn classes(&self, policy: &[ChoiceId]) -> (Vec<u32>, Vec<u32>) {
        const SEVERAL: u32 = NONE - 1;
        let n = policy.len();
        let mut graph = DiGraph::<(), (), u32>::with_capacity(n, n);
        for _ in policy {
            graph.add_node(());
        }
        for (s, &choice) in policy.iter().enumerate() {
            for &t in self.mdp.row(choice).0 {
                graph.add_edge(NodeIndex::new(s), NodeIndex::new(t as usize), ());
            }
        }
        let mut component = vec![NONE; n];
        let mut anchor = vec![NONE; n];
        let mut ends_in = vec![NONE; n];
        // In reverse topological order: what a component leads to is known before it.
        for (number, states) in kosaraju_scc(&graph).into_iter().enumerate() {
            let states: Vec<usize> = states.into_iter().map(|s| s.index()).collect();
            states.iter().for_each(|&s| component[s] = number as u32);
            let first = states.iter().copied().min().unwrap_or(0) as u32;
            let mut end = NONE;
            for &s in &states {
                for &t in self.mdp.row(policy[s]).0 {
                    let t = t as usize;
                    if component[t] != number as u32 {
                        end = match (end, ends_in[t]) {
                            (NONE, other) => other,
                            (one, other) if one == other => one,
                            _ => SEVERAL,
                        };
                    }
                }
            }
            let closed = end == NONE;
            for &s in &states {
                ends_in[s] = if closed { self.ends.of_state[s] } else { end };
                if closed {
                    anchor[s] = first;
                }
            }
        }
        let same = (0..n).map(|s| match (ends_in[s], self.ends.of_state[s]) {
            (SEVERAL, NONE) => SEVERAL - 1 - s as u32,
            (SEVERAL, own) => own,
            (end, _) => end,
        });
        let same = same.collect();
        (anchor, same)
    }

    /// Improves the policy at the first term where that is possible. Whether it was.
    fn improve(
        &self,
        evaluation: &mut Evaluation,
        rewards: &[f64],
        policy: &mut [ChoiceId],
    ) -> Option<bool> {
        let mut equal: Vec<Vec<ChoiceId>> = (self.mdp.states())
            .map(|s| {
                let others = self.mdp.choices(s);
                others.filter(|&c| c != policy[s.index()]).collect()
            })
            .collect();
        for order in 0..TERMS {
            while evaluation.terms.len() <= order {
                evaluation.next_term(rewards)?;
            }
            let term = &evaluation.terms[order];
            let least = NO_IMPROVEMENT * size(term).max(size(rewards));
            let mut moved = false;
            for state in self.mdp.states() {
                let at = state.index();
                let present = self.drift(state, policy[at], term);
                let mut best = (policy[at], least);
                equal[at].retain(|&choice| {
                    let more = self.drift(state, choice, term) - present;
                    if more > best.1 {
                        best = (choice, more);
                    }
                    more >= -least
                });
                moved |= best.0 != policy[at];
                policy[at] = best.0;
            }
            if moved {
                return Some(true);
            }
            if equal.iter().all(Vec::is_empty) {
                return Some(false);
            }
        }
        Some(false)
    }
}

impl Evaluation {
    fn solve(&self, right: &[f64]) -> Option<Vec<f64>> {
        let right = DVector::from_column_slice(right);
        let mut x = self.factors.solve(&right)?;
        // One step of refinement.
        let residual = right - &self.matrix * &x;
        x += self.factors.solve(&residual)?;
        Some(x.as_slice().to_vec())
    }

    /// What `x` is on average in the long run, `P* x`.
    fn long_run(&self, x: &[f64]) -> Option<Vec<f64>> {
        let solved = self.solve(x)?;
        let of_class = |&anchor: &u32| match anchor {
            NONE => 0.0,
            anchor => solved[anchor as usize],
        };
        let of_classes: Vec<f64> = self.anchor.iter().map(of_class).collect();
        self.solve(&of_classes)
    }

    /// `y_0 = H r` after the gain, `y_(n+1) = -H y_n` after the bias, with H the deviation matrix: the solution of
    /// `(I - P) y = r - g`, or `= -y_n`, whose long-run average is zero.
    fn next_term(&mut self, rewards: &[f64]) -> Option<()> {
        let last = self.terms.last()?;
        let right: Vec<f64> = match self.terms.len() {
            1 => rewards.iter().zip(last).map(|(r, g)| r - g).collect(),
            _ => last.iter().map(|y| -y).collect(),
        };
        let mut term = self.solve(&right)?;
        let average = self.long_run(&term)?;
        term.iter_mut().zip(&average).for_each(|(x, a)| *x -= a);
        self.terms.push(term);
        Some(())
    }
}

/// The gain, the same all over an end component, and what it can be off by.
struct Certificate {
    gain: Vec<f64>,
    half_width: f64,
}

impl Chains {
    /// Bounds on the optimal gain from residuals.
    ///
    /// Let g be the same all over every end component, h any vector. A policy that stays in a component gains at most the largest
    /// `r + P_a h - h` over its internal choices; one that moves about raises the expected g by at most the largest `P_a g - g` every time
    /// it uses a choice that is not internal, and internal ones do not change g. So the optimal gain is at most
    /// `g + max(r + P_a h - h - g) + uses max(P_a g - g)`. In the same way the policy at hand has at least
    /// `g - max(g - (r + P h - h)) - uses max(g - P g)`, the first maximum over its recurrent states.
    fn certify(
        &self,
        rewards: &[f64],
        evaluation: &Evaluation,
        policy: &[ChoiceId],
    ) -> Certificate {
        let bias = &evaluation.terms[1];
        let mut gain = evaluation.terms[0].clone();
        let mut of_component: HashMap<u32, f64> = HashMap::new();
        for (s, &component) in self.ends.of_state.iter().enumerate() {
            if component != NONE {
                let largest = of_component.entry(component).or_insert(f64::NEG_INFINITY);
                *largest = largest.max(gain[s]);
            }
        }
        for (s, component) in self.ends.of_state.iter().enumerate() {
            if let Some(common) = of_component.get(component) {
                gain[s] = *common;
            }
        }
        let (mut above, mut below, mut rise, mut fall) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
        for state in self.mdp.states() {
            let s = state.index();
            for choice in self.mdp.choices(state) {
                let mine = policy[s] == choice;
                if self.ends.internal[choice.index()] {
                    let excess = rewards[s] + self.drift(state, choice, bias) - gain[s];
                    above = above.max(excess);
                    if mine && evaluation.anchor[s] != NONE {
                        below = below.max(-excess);
                    }
                } else {
                    let drift = self.drift(state, choice, &gain);
                    rise = rise.max(drift);
                    if mine {
                        fall = fall.max(-drift);
                    }
                }
            }
        }
        // A sum of k products of differences, each rounded thrice, and two more additions.
        let per_term = (self.longest_row + 6.0) * f64::EPSILON;
        let of_bias = per_term * (2.0 * size(bias) + size(rewards) + size(&gain));
        let of_gain = match self.ends.uses > 0.0 {
            true => self.ends.uses * (rise.max(fall) + per_term * 2.0 * size(&gain)),
            false => 0.0,
        };
        let half_width = above.max(below) + of_bias + of_gain;
        // A NaN must not pass for a narrow interval: `max` skips it.
        let sound = gain.iter().chain(bias).all(|x| x.is_finite());
        Certificate {
            gain,
            half_width: if sound { half_width } else { f64::NAN },
        }
    }

    /// What the biases can be off by.
    ///
    /// With q the residual of `(I - P) y = r - g` at the computed y and g, less what g itself is off by, the error of y is `H q` and its
    /// long-run average, which should be zero. The norm of H is at most twice that of the inverse of the evaluation's matrix.
    fn bias_error(
        &self,
        rewards: &[f64],
        evaluation: &Evaluation,
        policy: &[ChoiceId],
        certificate: &Certificate,
    ) -> Option<f64> {
        let inverse = evaluation.matrix.clone().try_inverse()?;
        let sums = inverse.row_iter();
        let sums = sums.map(|row| row.iter().map(|x| x.abs()).sum::<f64>());
        // The inverse is itself computed; where it is good to 10%, so is its norm.
        let norm = 1.1 * sums.fold(0.0, f64::max);
        let bias = &evaluation.terms[1];
        let residual = self.mdp.states().map(|state| {
            let s = state.index();
            let drift = self.drift(state, policy[s], bias);
            (rewards[s] - certificate.gain[s] + drift).abs()
        });
        let residual = residual.fold(0.0, f64::max);
        let per_term = (self.longest_row + 6.0) * f64::EPSILON;
        let rounding = per_term * (2.0 * size(bias) + size(rewards) + size(&certificate.gain));
        let average = size(&evaluation.long_run(bias)?);
        // Of a refined solution's residual no more is left than the rounding of a row's products.
        let of_average = (bias.len() as f64 + 3.0) * f64::EPSILON * 3.0 * size(bias);
        let error =
            2.0 * norm * (residual + rounding + certificate.half_width + of_average) + average;
        norm.is_finite().then_some(error)
    }

    fn settle(
        &self,
        rewards: &[f64],
        evaluation: &Evaluation,
        policy: &[ChoiceId],
        certificate: &Certificate,
    ) -> Option<Settled> {
        let terms = [&certificate.gain, &evaluation.terms[1]];
        let errors = [
            certificate.half_width,
            self.bias_error(rewards, evaluation, policy, certificate)?,
        ];
        let mut comparison = Comparison {
            chains: self,
            policy,
            rewards,
            same_gain: &evaluation.same_gain,
            alike: None,
            terms,
            errors,
            known: vec![BIAS; policy.len()],
            standings: vec![Standing::Worse; self.mdp.n_choices()],
        };
        // What is left open makes values uncertain, and these leave more open.
        while comparison.compare_all() {}
        Some(Settled {
            greedy: policy.to_vec(),
            standings: comparison.standings,
        })
    }
}

/// Orders of terms.
const GAIN: usize = 0;
const BIAS: usize = 1;

/// The choices of one goal against those of its policy.
struct Comparison<'a> {
    chains: &'a Chains,
    policy: &'a [ChoiceId],
    rewards: &'a [f64],
    same_gain: &'a [u32],
    /// Classes of states that are alike in all terms; found when they are first needed.
    alike: Option<Vec<u32>>,
    terms: [&'a Vec<f64>; 2],
    errors: [f64; 2],
    /// Per state: the highest order whose term is known, whatever is decided in the end.
    known: Vec<usize>,
    standings: Vec<Standing>,
}

impl Comparison<'_> {
    /// Compares all choices; whether less is known after it than before.
    fn compare_all(&mut self) -> bool {
        let mdp = &self.chains.mdp;
        let mut open: Vec<StateId> = Vec::new();
        for state in mdp.states() {
            for choice in mdp.choices(state) {
                let standing = self.standing(state, choice);
                self.standings[choice.index()] = standing;
                if standing == Standing::Possible {
                    open.push(state);
                }
            }
        }
        // A choice as good as the policy's up to some term may be better in a later one, and where its state is met again and again, that
        // is worth something in the term before: only gains are sure, which are certified for all policies at once.
        let mut less = false;
        while let Some(state) = open.pop() {
            if std::mem::replace(&mut self.known[state.index()], GAIN) == GAIN {
                continue;
            }
            less = true;
            for from in mdp.states() {
                let leads = |c: &ChoiceId| {
                    self.standings[c.index()] != Standing::Worse && mdp.row(*c).0.contains(&state.0)
                };
                if self.known[from.index()] != GAIN && mdp.choices(from).any(|c| leads(&c)) {
                    open.push(from);
                }
            }
        }
        less
    }

    fn standing(&mut self, state: StateId, choice: ChoiceId) -> Standing {
        let mdp = &self.chains.mdp;
        let present = self.policy[state.index()];
        let difference = RowDifference::of(mdp, choice, present);
        if difference.total == 0.0 {
            return Standing::Optimal;
        }
        let known = difference.states.iter();
        let known = known.map(|&s| self.known[s as usize]).min();
        for order in [GAIN, BIAS] {
            if known.is_some_and(|known| known < order) {
                return Standing::Possible;
            }
            let term = self.terms[order];
            let more = difference.times(term);
            let rounding = (2.0 * self.chains.longest_row + 4.0) * f64::EPSILON * size(term);
            let allowance = difference.total * self.errors[order] + 2.0 * rounding;
            if more < -allowance {
                return Standing::Worse;
            }
            let same = order == GAIN
                && masses(mdp, choice, self.same_gain) == masses(mdp, present, self.same_gain);
            // An improvement that was not taken is left open as well.
            if !same {
                break;
            }
        }
        match self.is_alike(choice, present) {
            true => Standing::Optimal,
            false => Standing::Possible,
        }
    }

    /// Whether two choices get to states that are alike with equal probabilities: then no term tells them apart.
    fn is_alike(&mut self, a: ChoiceId, b: ChoiceId) -> bool {
        let mdp = &self.chains.mdp;
        let (policy, rewards) = (self.policy, self.rewards);
        let alike = self.alike.get_or_insert_with(|| lump(mdp, rewards, policy));
        masses(mdp, a, alike) == masses(mdp, b, alike)
    }
}

/// The coarsest classes of states with equal rewards and, under the policy, equal probabilities of getting to every class.
fn lump(mdp: &Mdp, rewards: &[f64], policy: &[ChoiceId]) -> Vec<u32> {
    let mut of_reward: HashMap<u64, u32> = HashMap::new();
    let mut class: Vec<u32> = Vec::with_capacity(rewards.len());
    for reward in rewards {
        let next = of_reward.len() as u32;
        // Both zeros are one.
        class.push(*of_reward.entry((reward + 0.0).to_bits()).or_insert(next));
    }
    let mut classes = of_reward.len();
    loop {
        let mut numbers = HashMap::new();
        let mut finer = Vec::with_capacity(class.len());
        for (s, &choice) in policy.iter().enumerate() {
            let next = numbers.len() as u32;
            let key = (class[s], masses(mdp, choice, &class));
            finer.push(*numbers.entry(key).or_insert(next));
        }
        class = finer;
        if numbers.len() == classes {
            return class;
        }
        classes = numbers.len();
    }
}

impl Method for Chains {
    fn description(&self) -> &'static str {
        "at the limit ->1: multichain policy iteration on gain and bias in f64, by dense decompositions, on the processor"
    }

    fn solve(&self, rewards: &[f64]) -> Option<Outcome> {
        let greedy = |state: StateId| {
            let drifts = self
                .mdp
                .choices(state)
                .map(|c| (c, self.drift(state, c, rewards)));
            let better = |a: (ChoiceId, f64), b: (ChoiceId, f64)| if b.1 > a.1 { b } else { a };
            drifts.reduce(better).map_or(ChoiceId(0), |best| best.0)
        };
        let mut policy: Vec<ChoiceId> = self.mdp.states().map(greedy).collect();
        let mut rounds = 0;
        loop {
            let mut evaluation = self.evaluate(rewards, &policy)?;
            rounds += 1;
            let before = policy.clone();
            if rounds < MOST_POLICIES && self.improve(&mut evaluation, rewards, &mut policy)? {
                continue;
            }
            policy = before;
            if evaluation.terms.len() < 2 {
                evaluation.next_term(rewards)?;
            }
            let certificate = self.certify(rewards, &evaluation, &policy);
            return Some(Outcome {
                settled: self.settle(rewards, &evaluation, &policy, &certificate)?,
                integrand: certificate.gain,
                half_width: certificate.half_width,
                rounds,
            });
        }
    }
}

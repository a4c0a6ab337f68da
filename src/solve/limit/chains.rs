//! ->1 where moves are uncertain: multichain policy iteration on gain and bias in f64, every policy evaluated by a dense decomposition.
//!
//! The gain is certified by the optimality equations' residuals. Choices are compared by expected gain, then by expected bias, each with a
//! bound on its error; a difference within the bound is a tie only where the structure proves it.

use std::collections::HashMap;

use nalgebra::{DMatrix, DVector, Dyn, LU};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::components::{EndComponents, NONE};
use super::zero::{RowDifference, SAME_PROBABILITY, masses};
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
        let anchor = self.anchors(policy);
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
            terms: Vec::new(),
        };
        let gain = evaluation.long_run(rewards)?;
        evaluation.terms.push(gain);
        Some(evaluation)
    }

    /// Per state the state that stands for its recurrent class under a policy; [`NONE`] for transient states.
    fn anchors(&self, policy: &[ChoiceId]) -> Vec<u32> {
        let n = policy.len();
        let mut graph = DiGraph::<(), (), u32>::with_capacity(n, n);
        for _ in policy {
            graph.add_node(());
        }
        for s in 0..n {
            for t in self.successors(policy, s) {
                graph.add_edge(NodeIndex::new(s), NodeIndex::new(t), ());
            }
        }
        let components = kosaraju_scc(&graph);
        let mut component = vec![0; n];
        for (number, states) in components.iter().enumerate() {
            states.iter().for_each(|s| component[s.index()] = number);
        }
        let mut anchor = vec![NONE; n];
        for (number, states) in components.iter().enumerate() {
            let stays = |s: &NodeIndex<u32>| {
                let mut successors = self.successors(policy, s.index());
                successors.all(|t| component[t] == number)
            };
            if let Some(first) = states.iter().min()
                && states.iter().all(stays)
            {
                let first = first.index() as u32;
                states.iter().for_each(|s| anchor[s.index()] = first);
            }
        }
        anchor
    }

    fn successors<'a>(
        &'a self,
        policy: &[ChoiceId],
        state: usize,
    ) -> impl Iterator<Item = usize> + use<'a> {
        self.mdp.row(policy[state]).0.iter().map(|&t| t as usize)
    }

    /// Numbers of states, equal only where the gains of a policy must be.
    ///
    /// They must be within an end component. They also must be where states of one number are met with certainty, and where states are left
    /// for states of equal numbers with equal chances: the gain of a state is the expected gain of what comes next.
    fn same_gain(&self, policy: &[ChoiceId], anchor: &[u32]) -> Vec<u32> {
        let n = policy.len();
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); n];
        for s in 0..n {
            self.successors(policy, s).for_each(|t| before[t].push(s));
        }
        let number = |s: usize| {
            let own = self.ends.of_state[s];
            let mut of_component = self.ends.of_state.iter();
            let first = of_component.position(|&c| c == own && own != NONE);
            first.unwrap_or(s) as u32
        };
        let mut same: Vec<u32> = (0..n).map(number).collect();
        while merge_certain(&mut same, &before) || self.merge_alike(&mut same, anchor, policy) {}
        same
    }

    /// Gives transient states that leave for the same numbers with the same chances one number. Whether there were any.
    fn merge_alike(&self, same: &mut [u32], anchor: &[u32], policy: &[ChoiceId]) -> bool {
        let mut numbers: HashMap<Vec<(u32, i64)>, u32> = HashMap::new();
        for (s, &choice) in policy.iter().enumerate() {
            let (to, probabilities) = self.mdp.row(choice);
            let away = to.iter().zip(probabilities);
            let away = away.filter(|(t, _)| same[**t as usize] != same[s]);
            let leaving: f64 = away.clone().map(|(_, p)| p).sum();
            // A state that stays among its own says nothing about their gain by itself.
            if anchor[s] != NONE || leaving == 0.0 {
                continue;
            }
            let mut chances: Vec<(u32, f64)> = away
                .map(|(&t, p)| (same[t as usize], p / leaving))
                .collect();
            chances.sort_by_key(|&(number, _)| number);
            let key = chances.chunk_by(|a, b| a.0 == b.0).map(|group| {
                let sum: f64 = group.iter().map(|(_, p)| p).sum();
                (group[0].0, (sum / SAME_PROBABILITY).round() as i64)
            });
            let (old, number) = (same[s], *numbers.entry(key.collect()).or_insert(same[s]));
            if old != number {
                let of_old = same.iter_mut().filter(|x| **x == old);
                of_old.for_each(|x| *x = number);
                // The chances of before speak of a number that is no more.
                return true;
            }
        }
        false
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

/// Gives states from which a number is met with certainty that number, with all that have theirs. Whether there were any. `before` are the
/// states that lead to a state.
fn merge_certain(same: &mut [u32], before: &[Vec<usize>]) -> bool {
    let n = same.len();
    let mut merged = false;
    for number in 0..n as u32 {
        if !same.contains(&number) {
            continue;
        }
        // All that lead to some states, without passing the number.
        let leading_to = |mut states: Vec<usize>, same: &[u32]| {
            let mut found = vec![false; n];
            states.iter().for_each(|&s| found[s] = true);
            while let Some(s) = states.pop() {
                for &from in &before[s] {
                    if same[from] != number && !std::mem::replace(&mut found[from], true) {
                        states.push(from);
                    }
                }
            }
            found
        };
        let inside = (0..n).filter(|&s| same[s] == number).collect();
        let meets = leading_to(inside, same);
        let misses = leading_to((0..n).filter(|&s| !meets[s]).collect(), same);
        for s in 0..n {
            let old = same[s];
            if meets[s] && !misses[s] && old != number {
                let of_old = same.iter_mut().filter(|x| **x == old);
                of_old.for_each(|x| *x = number);
                merged = true;
            }
        }
    }
    merged
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
        let same_gain = self.same_gain(policy, &evaluation.anchor);
        let mut comparison = Comparison {
            chains: self,
            policy,
            rewards,
            same_gain: &same_gain,
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
        if difference.total <= SAME_PROBABILITY {
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

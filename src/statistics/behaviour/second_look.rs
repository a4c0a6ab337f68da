//! A second look in f64 at goals whose optimal choices the first certificate leaves open.
//!
//! Policy iteration from the greedy policy of the first look. Policies are evaluated exactly where that is cheap: a deterministic
//! MDP under a policy is a functional graph, whose cycles have closed forms; a small stochastic one is a dense linear system.
//! Larger ones are swept. Either way the result carries a certificate of its own, measured from its residual.

use nalgebra::{DMatrix, DVector};

use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::{ChoiceId, Discount, StateId};

/// Unit roundoff of f64.
const U: f64 = f64::EPSILON / 2.0;

/// Stochastic MDPs up to this size are solved by dense decompositions at once: 2/3 n^3 operations cost less than the sweeps.
const DENSE_AT_ONCE: usize = 32;

/// Up to this size a dense decomposition (2 MiB of matrix) is the last resort where sweeps get nowhere.
const DENSE_AT_ALL: usize = 512;

/// Most policies looked at; Howard's iteration needs a dozen, rounding must not make it cycle.
const MAX_POLICIES: u32 = 200;

/// Most rounds of sweeps.
const MAX_ROUNDS: u32 = 4_000;

/// Sweeps under a fixed policy between two over all choices.
const EVALUATIONS: u32 = 10;

/// Half-width that sweeps aim at, relative to the range of the goal's rewards: well below a tie.
const TARGET: f64 = 1e-12;

/// Values as sharp as f64 makes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Refined {
    /// `(1 - gamma) V*`, the middle of its certified interval, `[n_states]`.
    pub worth: Vec<f64>,
    /// Half-width of that interval, rounding included.
    pub half_width: f64,
}

/// Solves one goal in f64. `start` is any estimate of `(1 - gamma) V*`, `[n_states]`; the nearer, the faster.
///
/// # Precision
///
/// Half-widths near 1e-16/(1 - gamma) of the range where policies are evaluated exactly, 1e-12 of it after sweeps; what was reached is
/// in the result.
#[must_use]
pub fn refine(mdp: &Mdp, discount: Discount, rewards: &[f64], start: &[f64]) -> Refined {
    let task = Task {
        mdp,
        discount,
        domain: RewardDomain::State,
        followed: None,
        rewards,
    };
    task.refine(start)
}

/// One goal to solve, or a policy to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The MDP.
    pub mdp: &'a Mdp,
    /// The discount.
    pub discount: Discount,
    /// What rewards are attached to.
    pub domain: RewardDomain,
    /// The choice of every state, where they are given, `[n_states]`: then worths are what following them is worth.
    pub followed: Option<&'a [ChoiceId]>,
    /// One reward per state, or per choice.
    pub rewards: &'a [f64],
}

impl Task<'_> {
    /// The same as [`refine`], of rewards of choices, too, and of policies.
    #[must_use]
    pub fn refine(&self, start: &[f64]) -> Refined {
        let Self {
            mdp,
            discount,
            rewards,
            ..
        } = *self;
        let (low, high) = range(rewards);
        // Rows sum to one: a constant off every reward is the same constant off every worth, and small numbers round less.
        let middle = (low + high) / 2.0;
        let look = SecondLook {
            mdp,
            gamma: discount.used(),
            complement: discount.complement(),
            rewards: rewards.iter().map(|r| r - middle).collect(),
            domain: self.domain,
            followed: self.followed,
            middle,
            longest_row: longest_row(mdp),
        };
        let worth: Vec<f64> = start.iter().map(|w| w - middle).collect();
        let n = mdp.n_states();
        if mdp.is_deterministic() || n <= DENSE_AT_ONCE {
            return look.iterate_policies(&worth);
        }
        let target = TARGET * (high - low);
        let swept = look.sweep(worth, target);
        if swept.half_width <= target || n > DENSE_AT_ALL {
            return swept;
        }
        let worth: Vec<f64> = swept.worth.iter().map(|w| w - middle).collect();
        let solved = look.iterate_policies(&worth);
        match solved.half_width < swept.half_width {
            true => solved,
            false => swept,
        }
    }
}

fn range(x: &[f64]) -> (f64, f64) {
    let ends = (f64::INFINITY, f64::NEG_INFINITY);
    x.iter().fold(ends, |(l, h), &r| (l.min(r), h.max(r)))
}

fn longest_row(mdp: &Mdp) -> usize {
    if mdp.is_deterministic() {
        return 1;
    }
    let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
    choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0)
}

struct SecondLook<'a> {
    mdp: &'a Mdp,
    gamma: f64,
    /// 1 - gamma, exact.
    complement: f64,
    domain: RewardDomain,
    followed: Option<&'a [ChoiceId]>,
    /// Rewards less their middle.
    rewards: Vec<f64>,
    middle: f64,
    longest_row: usize,
}

impl SecondLook<'_> {
    fn reward(&self, state: usize, choice: ChoiceId) -> f64 {
        match self.domain {
            RewardDomain::State => self.rewards[state],
            RewardDomain::Choice => self.rewards[choice.index()],
        }
    }

    /// `(1 - gamma) R + gamma sum T w`.
    fn backup(&self, state: StateId, choice: ChoiceId, worth: &[f64]) -> f64 {
        let (to, probabilities) = self.mdp.row(choice);
        let next: f64 = match to {
            // Nearly every goal that is looked at is of certain moves.
            &[to] => probabilities[0] * worth[to as usize],
            _ => {
                let terms = to.iter().zip(probabilities);
                terms.map(|(&t, p)| p * worth[t as usize]).sum()
            }
        };
        self.complement * self.reward(state.index(), choice) + self.gamma * next
    }

    fn best(&self, state: StateId, worth: &[f64]) -> (ChoiceId, f64) {
        if let Some(policy) = self.followed {
            let choice = policy[state.index()];
            return (choice, self.backup(state, choice, worth));
        }
        let each = self.mdp.choices(state);
        let each = each.map(|c| (c, self.backup(state, c, worth)));
        let better = |best: (ChoiceId, f64), next: (ChoiceId, f64)| {
            if next.1 > best.1 { next } else { best }
        };
        each.reduce(better).expect("every state has a choice")
    }

    /// Rounding of one backup less a worth: k products and their sum, a row that sums to one within k u only, the reward's
    /// product, two additions.
    fn rounding(&self, worth: &[f64]) -> f64 {
        let size = |x: &[f64]| x.iter().fold(0.0, |m, w| f64::max(m, w.abs()));
        (2.0 * self.longest_row as f64 + 6.0) * U * (size(worth) + size(&self.rewards))
    }

    /// MacQueen's bounds on the scale of worths: with `r = L w - w`, `w* in L w + gamma/(1 - gamma) [min r, max r]`.
    fn certify(&self, worth: &[f64]) -> Refined {
        let backups = self.mdp.states().map(|s| self.best(s, worth).1);
        self.certify_by(worth, backups.collect())
    }

    /// The same, given the largest backup of every state.
    fn certify_by(&self, worth: &[f64], backups: Vec<f64>) -> Refined {
        let residuals: Vec<f64> = backups.iter().zip(worth).map(|(b, w)| b - w).collect();
        let (low, high) = range(&residuals);
        let horizon = self.gamma / self.complement;
        let rounding = self.rounding(worth);
        // A NaN among the worths must not pass for a narrow interval: `min` and `max` skip it.
        let sound = backups.iter().all(|b| b.is_finite());
        let half_width = match sound {
            true => horizon * ((high - low) / 2.0 + rounding) + 2.0 * rounding,
            false => f64::NAN,
        };
        let offset = self.middle + horizon * (low + high) / 2.0;
        // Centring rounded every reward once, adding the middle rounds once more.
        let centred = 4.0 * U * self.middle.abs();
        Refined {
            worth: backups.iter().map(|b| b + offset).collect(),
            half_width: half_width + centred,
        }
    }

    /// Howard's policy iteration with exact evaluation.
    fn iterate_policies(&self, start: &[f64]) -> Refined {
        let states = self.mdp.states();
        let mut policy: Vec<ChoiceId> = states.map(|s| self.best(s, start).0).collect();
        let mut worth = start.to_vec();
        let mut backups = Vec::with_capacity(worth.len());
        for _ in 0..MAX_POLICIES {
            match self.evaluate(&policy) {
                Some(evaluated) => worth = evaluated,
                None => break,
            }
            // Gains within rounding are left alone, so that ties cannot make the iteration cycle; what they could still be worth
            // is in the certificate.
            let least = 2.0 * self.rounding(&worth);
            let mut moved = false;
            backups.clear();
            for state in self.mdp.states() {
                let present = self.backup(state, policy[state.index()], &worth);
                let (choice, value) = self.best(state, &worth);
                backups.push(value);
                if value > present + least {
                    policy[state.index()] = choice;
                    moved = true;
                }
            }
            if !moved {
                return self.certify_by(&worth, backups);
            }
        }
        self.certify(&worth)
    }

    fn evaluate(&self, policy: &[ChoiceId]) -> Option<Vec<f64>> {
        match self.mdp.is_deterministic() {
            true => Some(self.evaluate_graph(policy)),
            false => self.evaluate_dense(policy),
        }
    }

    /// Every state has one successor: walks end in cycles. On a cycle of length k, `w = sum gamma^i r_i / sum gamma^i`.
    fn evaluate_graph(&self, policy: &[ChoiceId]) -> Vec<f64> {
        const NEW: u32 = u32::MAX;
        let n = policy.len();
        let next = |s: usize| self.mdp.row(policy[s]).0[0] as usize;
        let mut worth = vec![0.0; n];
        // The walk that came by first, and whether the worth is known.
        let mut walk = vec![NEW; n];
        let mut known = vec![false; n];
        let mut path = Vec::new();
        for from in 0..n {
            let mut s = from;
            path.clear();
            while walk[s] == NEW {
                walk[s] = from as u32;
                path.push(s);
                s = next(s);
            }
            if !known[s] {
                // The walk met itself: s is on a new cycle.
                let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
                let mut at = s;
                loop {
                    sum += weight * self.reward(at, policy[at]);
                    weights += weight;
                    weight *= self.gamma;
                    at = next(at);
                    if at == s {
                        break;
                    }
                }
                worth[s] = sum / weights;
                known[s] = true;
            }
            for &s in path.iter().rev() {
                if !known[s] {
                    worth[s] =
                        self.complement * self.reward(s, policy[s]) + self.gamma * worth[next(s)];
                    known[s] = true;
                }
            }
        }
        worth
    }

    /// Solves `(I - gamma P) w = (1 - gamma) R`, and refines once.
    fn evaluate_dense(&self, policy: &[ChoiceId]) -> Option<Vec<f64>> {
        let n = policy.len();
        let mut matrix = DMatrix::<f64>::identity(n, n);
        for (s, &choice) in policy.iter().enumerate() {
            let (to, probabilities) = self.mdp.row(choice);
            for (&t, p) in to.iter().zip(probabilities) {
                matrix[(s, t as usize)] -= self.gamma * p;
            }
        }
        let factors = matrix.lu();
        let each = policy.iter().enumerate();
        let right = each.map(|(s, &choice)| self.complement * self.reward(s, choice));
        let solved = factors.solve(&DVector::from_iterator(n, right))?;
        let mut worth = solved.as_slice().to_vec();
        let residual = policy.iter().enumerate().map(|(s, &choice)| {
            let state = StateId(s as u32);
            self.backup(state, choice, &worth) - worth[s]
        });
        let correction = factors.solve(&DVector::from_iterator(n, residual))?;
        for (w, d) in worth.iter_mut().zip(correction.iter()) {
            *w += d;
        }
        Some(worth)
    }

    /// Modified policy iteration: in-place sweeps in alternating direction with self-loops eliminated.
    fn sweep(&self, mut worth: Vec<f64>, target: f64) -> Refined {
        let n = worth.len();
        let mut policy = vec![ChoiceId(0); n];
        let mut best = self.certify(&worth);
        let mut stalled = 0;
        for _ in 0..MAX_ROUNDS {
            for sweep in 0..=EVALUATIONS {
                for i in 0..n {
                    let s = if sweep % 2 == 1 { n - 1 - i } else { i };
                    let state = StateId(s as u32);
                    if sweep == 0 {
                        policy[s] = self.best(state, &worth).0;
                    }
                    worth[s] = self.step(state, policy[s], &worth);
                }
            }
            let now = self.certify(&worth);
            stalled = match now.half_width < 0.9 * best.half_width {
                true => 0,
                false => stalled + 1,
            };
            if now.half_width < best.half_width {
                best = now;
            }
            if best.half_width <= target || stalled >= 8 {
                break;
            }
        }
        best
    }

    /// The worth that solves a state's own equation under a choice, the way back to itself included.
    fn step(&self, state: StateId, choice: ChoiceId, worth: &[f64]) -> f64 {
        let (to, probabilities) = self.mdp.row(choice);
        let (mut next, mut stay) = (0.0, 0.0);
        for (&t, &p) in to.iter().zip(probabilities) {
            if t == state.0 {
                stay = p;
            } else {
                next += p * worth[t as usize];
            }
        }
        let reward = self.complement * self.reward(state.index(), choice);
        (reward + self.gamma * next) / (1.0 - self.gamma * stay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::families::{Dense, Family, Garnet, RandomDeterministic};

    fn rewards(n: usize, seed: u64) -> Vec<f64> {
        let unit = |i: u64| {
            let word = crate::rng::word(
                crate::units::Seed(seed),
                crate::rng::Stream::Reward,
                crate::units::SampleIndex(0),
                i as u32,
            );
            f64::from(word) / 2f64.powi(32)
        };
        (0..n as u64).map(unit).collect()
    }

    fn families() -> Vec<Mdp> {
        let deterministic = |states| {
            Family::RandomDeterministic(RandomDeterministic { states, choices: 3 }).generate(3)
        };
        let garnet = |states| {
            let garnet = Garnet {
                states,
                choices: 3,
                branching: 3,
            };
            Family::Garnet(garnet).generate(5)
        };
        let dense = Family::Dense(Dense {
            states: 20,
            choices: 3,
        });
        let all = [
            deterministic(40),
            garnet(20),
            garnet(100),
            dense.generate(1),
        ];
        all.map(Result::unwrap).to_vec()
    }

    /// Value iteration, long enough for nothing but rounding to be left.
    fn value_iteration(mdp: &Mdp, gamma: f64, rewards: &[f64]) -> Vec<f64> {
        let mut worth = vec![0.0; rewards.len()];
        for _ in 0..(40.0 / (1.0 - gamma)) as u32 {
            let next = |c| -> f64 {
                let (to, p) = mdp.row(c);
                to.iter().zip(p).map(|(&t, p)| p * worth[t as usize]).sum()
            };
            let backup = |s: StateId| {
                let best = mdp.choices(s).map(next).fold(f64::NEG_INFINITY, f64::max);
                (1.0 - gamma) * rewards[s.index()] + gamma * best
            };
            worth = mdp.states().map(backup).collect();
        }
        worth
    }

    #[test]
    fn rewards_of_choices_are_those_of_states_where_all_choices_of_a_state_pay_alike() {
        for mdp in families() {
            let discount = Discount::new(0.9).unwrap();
            let of_states = rewards(mdp.n_states(), 7);
            let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
            let mut of_choices: Vec<f64> = choices
                .map(|c| of_states[mdp.state_of(c).index()])
                .collect();
            let start = vec![0.0; mdp.n_states()];
            let expected = refine(&mdp, discount, &of_states, &start);
            let differs = |rewards: &[f64]| {
                let task = Task {
                    mdp: &mdp,
                    discount,
                    domain: RewardDomain::Choice,
                    followed: None,
                    rewards,
                };
                let found = task.refine(&start);
                assert!(found.half_width < 5e-12);
                let limit = found.half_width + expected.half_width;
                let mut pairs = found.worth.iter().zip(&expected.worth);
                pairs.any(|(a, b)| (a - b).abs() > limit)
            };
            assert!(!differs(&of_choices));
            // The control: one choice pays more, and is taken.
            of_choices[1] += 5.0;
            assert!(differs(&of_choices));
        }
    }

    #[test]
    fn worths_are_those_of_value_iteration_within_the_certificate() {
        for mdp in families() {
            for gamma in [0.5, 0.9, 0.99] {
                let discount = Discount::new(gamma).unwrap();
                let rewards = rewards(mdp.n_states(), 7);
                let exact = value_iteration(&mdp, discount.used(), &rewards);
                let rough: Vec<f64> = exact.iter().map(|w| w + 1e-4).collect();
                for start in [rough, vec![0.0; rewards.len()]] {
                    let refined = refine(&mdp, discount, &rewards, &start);
                    assert!(refined.half_width < 2e-12, "{}", refined.half_width);
                    let misses = |by: f64| {
                        let each = refined.worth.iter().zip(&exact);
                        each.filter(|(a, b)| (*a + by - *b).abs() > refined.half_width + 1e-14)
                            .count()
                    };
                    assert_eq!(misses(0.0), 0, "{} at {gamma}", mdp.name());
                    assert!(misses(1e-11) > 0, "the comparison can fail");
                }
            }
        }
    }
}

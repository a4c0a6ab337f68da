//! A rule that is applied at every step: the policy it makes of a goal, and what that is worth.

use std::sync::Arc;

use super::Rule;
use super::evaluate::{Moves, U, Worth, income, positions, range};
use super::pick::{Compare, Picker, boltzmann};
use super::solver::{Acted, Method};
use crate::mdp::Mdp;
use crate::statistics::behaviour::{Acting, Prospects, Standing, TIE, refine};
use crate::units::{ChoiceId, Discount};

/// Most policies that the soft values are found with; Newton's method needs half a dozen.
const MAX_POLICIES: u32 = 100;

/// A rule on the choices of one MDP.
#[derive(Debug)]
pub(super) struct Steps {
    mdp: Arc<Mdp>,
    discount: Discount,
    rule: Rule,
    /// What ties are relative to.
    scale: f64,
    longest_row: usize,
}

/// What choices are worth, `sum T w`, from certified worths of states.
struct Values {
    worth: Vec<f64>,
    half_width: f64,
}

/// How the choices of a state compare whose first one is `first`.
struct OfState<'a> {
    prospects: &'a Prospects<'a>,
    first: usize,
    /// Half-width of what a choice is worth, rounding included.
    half_width: f64,
    tie: f64,
}

impl Compare for OfState<'_> {
    fn standing(&self, better: usize, worse: usize, gap: f64) -> Standing {
        let choice = |i: usize| ChoiceId((self.first + i) as u32);
        self.prospects.standing(choice(better), choice(worse), gap)
    }

    fn reaches(&self, value: f64, threshold: f64) -> Option<bool> {
        let gap = value - threshold;
        match gap.abs() > self.half_width {
            // What misses by no more than a tie is as good.
            true => Some(gap > 0.0 || gap.abs() <= self.tie),
            false if self.half_width <= self.tie => Some(true),
            false => None,
        }
    }
}

impl Steps {
    pub(super) fn new(mdp: &Arc<Mdp>, discount: Discount, rule: Rule, scale: f64) -> Self {
        let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
        let longest_row = choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0);
        Self {
            mdp: mdp.clone(),
            discount,
            rule,
            scale,
            longest_row,
        }
    }

    /// What the rule looks at.
    fn values(&self, rewards: &[f64]) -> Values {
        let start = |rewards: &[f64]| rewards.to_vec();
        match self.rule {
            Rule::Uniform => Values {
                worth: vec![0.0; rewards.len()],
                half_width: 0.0,
            },
            // The least of R is the largest of -R, with the sign turned.
            Rule::Minimise => {
                let turned: Vec<f64> = rewards.iter().map(|r| -r).collect();
                let refined = refine(&self.mdp, self.discount, &turned, &start(&turned));
                Values {
                    worth: refined.worth.iter().map(|w| -w).collect(),
                    half_width: refined.half_width,
                }
            }
            Rule::Soft { beta } => self.soft(beta, rewards),
            _ => {
                let refined = refine(&self.mdp, self.discount, rewards, &start(rewards));
                Values {
                    worth: refined.worth,
                    half_width: refined.half_width,
                }
            }
        }
    }

    /// Rounding of `sum T w`: k products and their sum, and a row that sums to one within k u.
    fn rounding(&self, worth: &[f64]) -> f64 {
        let size = worth.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
        (2.0 * self.longest_row as f64 + 2.0) * U * size
    }

    /// `w = (1 - gamma) R + gamma/beta log sum exp(beta q)`: Newton's method, where a step is to evaluate the policy, its entropy paid.
    ///
    /// The operator is monotone, and a constant goes through it times gamma: with r its residual, the error of w is at most max |r| / (1 -
    /// gamma), as it is for the largest q.
    fn soft(&self, beta: f64, rewards: &[f64]) -> Values {
        let (gamma, complement) = (self.discount.used(), self.discount.complement());
        let own = income(self.discount, rewards);
        let mut worth = rewards.to_vec();
        let mut best = Values {
            worth: worth.clone(),
            half_width: f64::INFINITY,
        };
        let mut shares = vec![0.0; self.mdp.n_choices()];
        let mut moves = Moves::default();
        let most_choices = self.mdp.states().map(|s| self.mdp.choices(s).len()).max();
        let log = (most_choices.unwrap_or(1) as f64).ln();
        for _ in 0..MAX_POLICIES {
            let mut paid = own.clone();
            let mut largest = 0.0_f64;
            let mut picked = Vec::new();
            let prospects = Prospects::new(&self.mdp, &worth, 0.0, self.scale);
            for state in self.mdp.states() {
                let values: Vec<f64> = self
                    .mdp
                    .choices(state)
                    .map(|c| prospects.value(c))
                    .collect();
                picked.clear();
                boltzmann(beta, &values, &mut picked);
                let most = values.iter().fold(f64::NEG_INFINITY, |m, &x| m.max(x));
                let sum: f64 = values.iter().map(|x| (beta * (x - most)).exp()).sum();
                let soft = most + sum.ln() / beta;
                let mean: f64 = values.iter().zip(&picked).map(|(x, p)| p * x).sum();
                // The entropy over beta is what the soft maximum has above the mean.
                paid[state.index()] += gamma * (soft - mean);
                let residual = own[state.index()] + gamma * soft - worth[state.index()];
                largest = if residual.abs() > largest || residual.is_nan() {
                    residual.abs()
                } else {
                    largest
                };
                shares[positions(&self.mdp, state)].copy_from_slice(&picked);
            }
            // The logarithm of a sum of k exponentials: errors of beta q in each of them, 3u and ku more relative to it, over beta.
            let size = worth.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
            let rounding = 2.0 * self.rounding(&worth) + 8.0 * U * (size + (log + 4.0) / beta);
            let half_width = (largest + rounding) / complement;
            if half_width < best.half_width {
                best = Values {
                    worth: worth.clone(),
                    half_width,
                };
            }
            if largest <= rounding {
                break;
            }
            moves.of(&self.mdp, &shares);
            let next = moves.evaluate(self.discount, &paid, &worth).worth;
            if next == worth {
                break;
            }
            worth = next;
        }
        best
    }
}

impl Method for Steps {
    fn description(&self) -> &'static str {
        "decision rule at every step, evaluated in double precision on the processor"
    }

    fn act(&self, rewards: &[f64]) -> Acted {
        let values = self.values(rewards);
        let half_width = values.half_width + self.rounding(&values.worth);
        let prospects = Prospects::new(&self.mdp, &values.worth, values.half_width, self.scale);
        let mut acting = Acting {
            shares: vec![0.0; self.mdp.n_choices()],
            open: vec![false; self.mdp.n_states()],
            ..Acting::default()
        };
        let mut picker = Picker::default();
        let (mut of_choices, mut picked) = (Vec::new(), Vec::new());
        let mut widest = 0.0_f64;
        for state in self.mdp.states() {
            of_choices.clear();
            of_choices.extend(self.mdp.choices(state).map(|c| prospects.value(c)));
            let ends = of_choices.iter().fold(
                (f64::INFINITY, f64::NEG_INFINITY),
                |(low, high): (f64, f64), &x| (low.min(x), high.max(x)),
            );
            widest = widest.max(ends.1 - ends.0);
            let positions = positions(&self.mdp, state);
            let compare = OfState {
                prospects: &prospects,
                first: positions.start,
                half_width,
                tie: TIE * self.scale,
            };
            acting.open[state.index()] =
                picker.pick(&self.rule, &of_choices, &compare, &mut picked);
            acting.shares[positions].copy_from_slice(&picked);
        }
        // Shares are off by what their exponents are off by, twice (in the sum as well), and by a few roundings.
        acting.error = match self.rule {
            Rule::Boltzmann { beta } | Rule::Soft { beta } => {
                (2.0 * beta * half_width).exp_m1() + 8.0 * U * (1.0 + beta * widest)
            }
            _ => 4.0 * U,
        };
        let mut moves = Moves::default();
        moves.of(&self.mdp, &acting.shares);
        acted(self.discount, &moves, rewards, &values.worth, acting)
    }
}

/// What it is worth to act like that; `start` is an estimate of it, `[n_states]`.
pub(super) fn acted(
    discount: Discount,
    moves: &Moves,
    rewards: &[f64],
    start: &[f64],
    acting: Acting,
) -> Acted {
    let own = income(discount, rewards);
    let Worth {
        next,
        half_width,
        sweeps,
        ..
    } = moves.evaluate(discount, &own, start);
    let range = range(rewards);
    // Another policy whose shares differ by a relative error e moves at most e/2 of the probability at every step, each time over no
    // more than the range: e/2 range / (1 - gamma) in all.
    let half_width = match acting.open.contains(&true) {
        true => range,
        false => half_width + acting.error / 2.0 * range / discount.complement(),
    };
    Acted {
        integrand: next,
        // No way to act is worth anything outside of it; a NaN is kept.
        half_width: if half_width > range {
            range
        } else {
            half_width
        },
        acting,
        rounds: sweeps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::families::{Family, Garnet};
    use crate::solve::Otherwise;

    fn garnet() -> Arc<Mdp> {
        let garnet = Garnet {
            states: 12,
            choices: 3,
            branching: 3,
        };
        Arc::new(Family::Garnet(garnet).generate(4).unwrap())
    }

    fn rewards(n: usize) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 0.7).sin().abs()).collect()
    }

    fn act(rule: Rule, gamma: f64) -> (Arc<Mdp>, Vec<f64>, Acted) {
        let mdp = garnet();
        let rewards = rewards(mdp.n_states());
        let discount = Discount::new(gamma).unwrap();
        let acted = Steps::new(&mdp, discount, rule, 1.0).act(&rewards);
        (mdp, rewards, acted)
    }

    /// Value of the shares by many plain sweeps.
    fn by_iteration(mdp: &Mdp, gamma: f64, rewards: &[f64], shares: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; rewards.len()];
        for _ in 0..(45.0 / (1.0 - gamma)) as u32 {
            let next = |s| -> f64 {
                let each = mdp.choices(s).map(|c| {
                    let (to, p) = mdp.row(c);
                    let next: f64 = to.iter().zip(p).map(|(&t, p)| p * values[t as usize]).sum();
                    shares[c.index()] * next
                });
                each.sum()
            };
            values = mdp
                .states()
                .map(|s| rewards[s.index()] + gamma * next(s))
                .collect();
        }
        values
    }

    #[test]
    fn integrands_are_those_of_the_policy_within_the_bound() {
        for rule in [
            Rule::Optimal,
            Rule::Minimise,
            Rule::Boltzmann { beta: 8.0 },
            Rule::Soft { beta: 8.0 },
            Rule::EpsilonGreedy { epsilon: 0.2 },
            Rule::Quantilise { q: 0.5 },
            Rule::BestOf { draws: 2 },
            Rule::Uniform,
            Rule::Satisfice {
                threshold: 0.75,
                otherwise: Otherwise::Stop,
            },
        ] {
            for gamma in [0.5, 0.95] {
                let (mdp, rewards, acted) = act(rule.clone(), gamma);
                let discount = Discount::new(gamma).unwrap();
                let used = discount.used();
                let values = by_iteration(&mdp, used, &rewards, &acted.acting.shares);
                assert!(acted.half_width < 1e-10, "{rule}: {}", acted.half_width);
                for (s, x) in acted.integrand.iter().enumerate() {
                    let exact = (1.0 - used) / used * (values[s] - rewards[s]);
                    assert!((x - exact).abs() <= acted.half_width + 1e-13, "{rule} {s}");
                    assert!((x + 1e-6 - exact).abs() > acted.half_width, "it can fail");
                }
            }
        }
    }

    #[test]
    fn sharp_agents_are_optimal_and_blunt_ones_take_anything() {
        let optimal = act(Rule::Optimal, 0.9).2;
        for rule in [
            Rule::Boltzmann { beta: 1e6 },
            Rule::Soft { beta: 1e6 },
            Rule::EpsilonGreedy { epsilon: 0.0 },
            Rule::Quantilise { q: 1e-3 },
            Rule::BestOf { draws: 1_000 },
        ] {
            let sharp = act(rule.clone(), 0.9).2;
            for (a, b) in sharp.integrand.iter().zip(&optimal.integrand) {
                assert!((a - b).abs() < 1e-5, "{rule}: {a} {b}");
            }
        }
        let uniform = act(Rule::Uniform, 0.9).2;
        for rule in [
            Rule::Boltzmann { beta: 0.0 },
            Rule::Soft { beta: 1e-9 },
            Rule::EpsilonGreedy { epsilon: 1.0 },
            Rule::Quantilise { q: 1.0 },
            Rule::BestOf { draws: 1 },
        ] {
            let blunt = act(rule.clone(), 0.9).2;
            for (a, b) in blunt.integrand.iter().zip(&uniform.integrand) {
                assert!((a - b).abs() < 1e-6, "{rule}: {a} {b}");
            }
        }
        assert!((optimal.integrand[0] - uniform.integrand[0]).abs() > 1e-2);
        let least = act(Rule::Minimise, 0.9).2;
        let each = least.integrand.iter().zip(&uniform.integrand);
        assert!(
            each.zip(&optimal.integrand)
                .all(|((l, u), o)| l < u && u < o)
        );
    }

    #[test]
    fn soft_values_solve_their_own_equation() {
        let mdp = garnet();
        let rewards = rewards(mdp.n_states());
        for (gamma, beta) in [(0.9, 0.5), (0.9, 20.0), (0.99, 300.0)] {
            let discount = Discount::new(gamma).unwrap();
            let steps = Steps::new(&mdp, discount, Rule::Soft { beta }, 1.0);
            let soft = steps.soft(beta, &rewards);
            assert!(soft.half_width < 1e-9, "{beta}: {}", soft.half_width);
            // Plain value iteration of the soft operator.
            let mut worth = vec![0.0; rewards.len()];
            for _ in 0..(45.0 / (1.0 - gamma)) as u32 {
                let prospects = Prospects::new(&mdp, &worth, 0.0, 1.0);
                let next: Vec<f64> = mdp
                    .states()
                    .map(|s| {
                        let sum: f64 = mdp
                            .choices(s)
                            .map(|c| (beta * prospects.value(c)).exp())
                            .sum();
                        discount.complement() * rewards[s.index()]
                            + discount.used() * sum.ln() / beta
                    })
                    .collect();
                worth = next;
            }
            for (a, b) in soft.worth.iter().zip(&worth) {
                assert!((a - b).abs() < 1e-9, "{beta}: {a} {b}");
            }
        }
    }

    #[test]
    fn an_agent_that_stops_has_nothing_more() {
        let never = Rule::Satisfice {
            threshold: 2.0,
            otherwise: Otherwise::Stop,
        };
        let stopped = act(never, 0.9).2;
        assert!(stopped.integrand.iter().all(|x| *x == 0.0));
        let best = Rule::Satisfice {
            threshold: 2.0,
            otherwise: Otherwise::Best,
        };
        let optimal = act(Rule::Optimal, 0.9).2;
        assert_eq!(act(best, 0.9).2.integrand, optimal.integrand);
    }
}

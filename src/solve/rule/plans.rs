//! A rule that is applied once, to whole plans: the visit distributions F(s) of all deterministic policies from a state (Turner et al. 2021,
//! definition 3.3), enumerated.
//!
//! Two policies that visit the same states equally often, at every discount, are one plan. Its first actions, and its ways to act, are then
//! several, and share its probability evenly.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};

use super::Rule;
use super::evaluate::{U, range};
use super::pick::{Compare, Picker};
use super::solver::{Acted, Method};
use crate::mdp::{Mdp, Partial, SAME, partial_policies, representative};
use crate::solve::SolveError;
use crate::statistics::behaviour::{Acting, Standing, TIE, WholePlan};
use crate::units::{ChoiceId, Discount, StateId};

/// Most policies over all states.
const MAX_PLANS: usize = 50_000;
/// Most numbers that visits of all plans take.
const MAX_NUMBERS: usize = 1 << 22;
/// A discount at which different plans are told apart beside the cell's: two that are equal at both are taken for the same function.
const ANOTHER_DISCOUNT: f64 = 0.618_034;

/// Why plans of an MDP cannot be enumerated.
pub(super) fn obstacle(mdp: &Mdp) -> Option<String> {
    let most = MAX_PLANS.min(MAX_NUMBERS / mdp.n_states().max(1));
    if mdp.start().len() > 1 {
        return Some(format!(
            "{}: rules with level \"plan\" settle on a plan at the start, which must be one state",
            mdp.name()
        ));
    }
    let mut left = most;
    for state in mdp.states() {
        left = match partial_policies(mdp, state, left) {
            Some(policies) => left - policies.len(),
            None => {
                return Some(format!(
                    "{}: a rule with level \"plan\" looks at every deterministic policy from every state, and there are more than \
                     {most}: take level \"action\"",
                    mdp.name()
                ));
            }
        };
    }
    None
}

/// One element of F(s).
#[derive(Debug)]
struct Plan {
    /// `(1 - gamma)/gamma (f - e_s)`, `[n_states]`: what it is worth is the product with the rewards.
    visits: Vec<f64>,
    /// First actions.
    firsts: Vec<ChoiceId>,
    /// Ways to act, `[n_states]` each.
    policies: Vec<Arc<[ChoiceId]>>,
}

/// A rule on the plans of one MDP.
#[derive(Debug)]
pub(super) struct Plans {
    mdp: Arc<Mdp>,
    rule: Rule,
    scale: f64,
    /// Per state.
    plans: Vec<Vec<Plan>>,
    start: StateId,
    /// Error of what any plan is worth, for rewards of size 1.
    error: f64,
}

impl Plans {
    pub(super) fn new(
        mdp: &Arc<Mdp>,
        discount: Discount,
        rule: Rule,
        scale: f64,
    ) -> Result<Self, SolveError> {
        if let Some(problem) = obstacle(mdp) {
            return Err(SolveError::NoPlans { problem });
        }
        let mut error = 0.0_f64;
        let singular = || SolveError::Singular { goal: 0 };
        let mut plans = Vec::new();
        for state in mdp.states() {
            let policies = partial_policies(mdp, state, MAX_PLANS).unwrap_or_default();
            let mut found = Vec::new();
            for policy in policies {
                let at = |gamma| visits(mdp, &policy, state, gamma).ok_or_else(singular);
                let ((here, off), (elsewhere, _)) = (at(discount.used())?, at(ANOTHER_DISCOUNT)?);
                error = error.max(off);
                found.push((here, elsewhere, policy));
            }
            plans.push(merge(mdp, state, found));
        }
        let start = mdp.start().first().map_or(StateId(0), |(s, _)| *s);
        Ok(Self {
            mdp: mdp.clone(),
            rule,
            scale,
            plans,
            start,
            error,
        })
    }
}

/// `(1 - gamma)/gamma (f - e_s)` of a policy, `[n_states]`, and a bound on the sum of its errors. `None` where the system is singular to
/// working precision.
///
/// f solves `f (I - gamma P) = e_s`; with r what is left, the errors of f sum to at most `sum |r| / (1 - gamma)`, since rows of P sum to one.
/// The residual itself is off by at most (k + 3)u of every term.
fn visits(mdp: &Mdp, policy: &Partial, from: StateId, gamma: f64) -> Option<(Vec<f64>, f64)> {
    let reached: Vec<StateId> = mdp
        .states()
        .filter(|s| policy[s.index()].is_some())
        .collect();
    let mut local = vec![usize::MAX; mdp.n_states()];
    for (i, s) in reached.iter().enumerate() {
        local[s.index()] = i;
    }
    let n = reached.len();
    let mut matrix = DMatrix::<f64>::identity(n, n);
    for (i, s) in reached.iter().enumerate() {
        let (to, probabilities) = mdp.row(policy[s.index()]?);
        for (&t, p) in to.iter().zip(probabilities) {
            matrix[(local[t as usize], i)] -= gamma * p;
        }
    }
    let start = DVector::from_fn(n, |i, _| f64::from(u8::from(reached[i] == from)));
    let factors = matrix.clone().lu();
    let mut f = factors.solve(&start)?;
    f += factors.solve(&(&start - &matrix * &f))?;
    let left = (&start - &matrix * &f).lp_norm(1);
    let complement = 1.0 - gamma;
    let rounding = (n as f64 + 3.0) * U * (2.0 * f.lp_norm(1) + 1.0);
    let scale = complement / gamma;
    let mut all = vec![0.0; mdp.n_states()];
    for (i, s) in reached.iter().enumerate() {
        all[s.index()] = scale * (f[i] - start[i]);
    }
    // Two more roundings of every entry, whose sum is 1.
    Some((all, scale * (left + rounding) / complement + 4.0 * U))
}

/// Makes one plan of policies with the same visits at both discounts.
fn merge(mdp: &Mdp, state: StateId, mut found: Vec<(Vec<f64>, Vec<f64>, Partial)>) -> Vec<Plan> {
    // Equal visits have equal sums with any weights: neighbours in their order are all that has to be compared.
    let key = |visits: &[f64]| -> f64 {
        let each = visits.iter().enumerate();
        each.map(|(i, v)| v * ((i as f64 + 1.0) * 0.754_877_666).fract())
            .sum()
    };
    found.sort_by(|a, b| key(&a.1).total_cmp(&key(&b.1)));
    let same = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() <= SAME);
    let mut plans: Vec<(Plan, Vec<f64>)> = Vec::new();
    for (visits, other, policy) in found {
        let choices = policy.iter().enumerate().map(|(s, choice)| {
            let first = || mdp.choices(StateId(s as u32)).next().unwrap_or(ChoiceId(0));
            choice.unwrap_or_else(first)
        });
        let choices: Arc<[ChoiceId]> = choices.collect();
        let taken = choices[state.index()];
        let firsts = mdp
            .choices(state)
            .filter(|c| representative(mdp, *c) == taken);
        let near = plans
            .iter_mut()
            .rev()
            .take_while(|(_, known)| (key(known) - key(&other)).abs() <= SAME * other.len() as f64)
            .find(|(plan, known)| same(known, &other) && same(&plan.visits, &visits));
        match near {
            Some((plan, _)) => {
                let new: Vec<ChoiceId> = firsts.filter(|c| !plan.firsts.contains(c)).collect();
                plan.firsts.extend(new);
                plan.policies.push(choices);
            }
            None => {
                let plan = Plan {
                    visits,
                    firsts: firsts.collect(),
                    policies: vec![choices],
                };
                plans.push((plan, other));
            }
        }
    }
    plans.into_iter().map(|(plan, _)| plan).collect()
}

/// How plans compare: all are known equally well.
struct Even {
    half_width: f64,
    tie: f64,
}

impl Compare for Even {
    fn standing(&self, _: usize, _: usize, gap: f64) -> Standing {
        let allowance = 2.0 * self.half_width;
        if allowance.max(gap) <= self.tie {
            Standing::Optimal
        } else if gap <= allowance || allowance.is_nan() {
            Standing::Possible
        } else {
            Standing::Worse
        }
    }

    fn reaches(&self, value: f64, threshold: f64) -> Option<bool> {
        let gap = value - threshold;
        match gap.abs() > self.half_width {
            true => Some(gap > 0.0 || gap.abs() <= self.tie),
            false if self.half_width <= self.tie => Some(true),
            false => None,
        }
    }
}

impl Method for Plans {
    fn description(&self) -> &'static str {
        "decision rule on enumerated plans, in double precision on the processor"
    }

    fn act(&self, rewards: &[f64]) -> Acted {
        let size = rewards.iter().fold(0.0, |m: f64, r| m.max(r.abs()));
        // A product of n terms whose weights sum to at most 1 in size.
        let half_width = size * (self.error + (rewards.len() as f64 + 2.0) * U);
        let compare = Even {
            half_width,
            tie: TIE * self.scale,
        };
        let mut acting = Acting {
            shares: vec![0.0; self.mdp.n_choices()],
            open: vec![false; self.mdp.n_states()],
            ..Acting::default()
        };
        let mut picker = Picker::default();
        let (mut utilities, mut picked) = (Vec::new(), Vec::new());
        let mut integrand = vec![0.0; rewards.len()];
        let mut widest = 0.0_f64;
        for state in self.mdp.states() {
            let plans = &self.plans[state.index()];
            utilities.clear();
            utilities.extend(plans.iter().map(|plan| -> f64 {
                let terms = plan.visits.iter().zip(rewards);
                terms.map(|(f, r)| f * r).sum()
            }));
            let open = picker.pick(&self.rule, &utilities, &compare, &mut picked);
            acting.open[state.index()] = open;
            let ends = utilities.iter().fold(
                (f64::INFINITY, f64::NEG_INFINITY),
                |(low, high): (f64, f64), &x| (low.min(x), high.max(x)),
            );
            widest = widest.max(ends.1 - ends.0);
            let terms = utilities.iter().zip(&picked);
            integrand[state.index()] = terms.map(|(u, p)| u * p).sum();
            for (plan, &weight) in plans.iter().zip(&picked) {
                for first in &plan.firsts {
                    acting.shares[first.index()] += weight / plan.firsts.len() as f64;
                }
                if state == self.start && weight > 0.0 {
                    let weight = weight / plan.policies.len() as f64;
                    let policies = plan.policies.iter();
                    acting.plans.extend(policies.map(|choices| WholePlan {
                        weight,
                        choices: choices.clone(),
                    }));
                }
            }
        }
        // An agent that does not even begin still has a plan: one of no weight.
        if acting.plans.is_empty()
            && let Some(plan) = self.plans[self.start.index()].first()
        {
            acting.plans.push(WholePlan {
                weight: 0.0,
                choices: plan.policies[0].clone(),
            });
        }
        let most = self.plans.iter().map(Vec::len).max().unwrap_or(1) as f64;
        acting.error = match self.rule {
            Rule::Boltzmann { beta } => {
                (2.0 * beta * half_width).exp_m1() + (8.0 * (1.0 + beta * widest) + most) * U
            }
            _ => (4.0 + most) * U,
        };
        let range = range(rewards);
        let half_width = match acting.open.contains(&true) {
            true => range,
            false => half_width + acting.error * range + most * U * size,
        };
        Acted {
            integrand,
            half_width,
            acting,
            rounds: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    /// Figure 1 of Turner et al. 2021.
    fn figure_1() -> Mdp {
        let mut builder = MdpBuilder::new("figure 1");
        let names = [
            "star", "null", "l_tri", "l_nw", "l_sw", "r_tri", "r_ne", "r_se",
        ];
        let s = names.map(|name| builder.state(name));
        let edges = [
            (0, &[2, 1, 5][..]),
            (1, &[1]),
            (2, &[3, 4]),
            (3, &[4]),
            (4, &[4, 3]),
            (5, &[6, 7]),
            (6, &[6, 7]),
            (7, &[7, 6]),
        ];
        for (from, tos) in edges {
            for &to in tos {
                builder.choice(s[from], format!("to {}", names[to]), [(s[to], 1.0)]);
            }
        }
        builder.build().unwrap()
    }

    #[test]
    fn the_plans_of_the_paper_are_counted() {
        // THEORY: |F(star)| = 11 at generic discounts.
        let mdp = Arc::new(figure_1());
        let discount = Discount::new(0.9).unwrap();
        let plans = Plans::new(&mdp, discount, Rule::Uniform, 1.0).unwrap();
        assert_eq!(plans.plans[0].len(), 11);
        // At a discount of 1/2 two of them have equal visits, and are still two.
        let half = Plans::new(&mdp, Discount::new(0.5).unwrap(), Rule::Uniform, 1.0).unwrap();
        assert_eq!(half.plans[0].len(), 11);
        assert!(plans.error < 1e-12, "{}", plans.error);
    }

    #[test]
    fn equal_rows_are_one_plan_with_two_first_actions() {
        let mut builder = MdpBuilder::new("twins");
        let [a, b, c] = ["a", "b", "c"].map(|name| builder.state(name));
        builder.choice(a, "one", [(b, 1.0)]);
        builder.choice(a, "two", [(b, 1.0)]);
        builder.choice(a, "other", [(c, 1.0)]);
        builder.absorbing(b);
        builder.absorbing(c);
        let mdp = Arc::new(builder.build().unwrap());
        let discount = Discount::new(0.9).unwrap();
        let uniform = Plans::new(&mdp, discount, Rule::Uniform, 1.0).unwrap();
        let acted = uniform.act(&[0.0, 1.0, 0.0]);
        assert_eq!(acted.acting.shares, [0.25, 0.25, 0.5, 1.0, 1.0]);
        assert!((acted.integrand[0] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn more_plans_than_memory_holds_are_refused() {
        let mut builder = MdpBuilder::new("wide");
        let states: Vec<_> = (0..24).map(|i| builder.state(format!("s{i}"))).collect();
        for (i, &s) in states.iter().enumerate() {
            for (name, by) in [("on", 1), ("far", 5)] {
                let to = [by, by + 1].map(|by| (states[(i + by) % 24], 0.5));
                builder.choice(s, name, to);
            }
        }
        let wide = builder.build().unwrap();
        assert!(obstacle(&wide).unwrap().contains("more than"));
        assert!(obstacle(&figure_1()).is_none());
    }
}

//! Which policy a stage's values stand for, where a later stage follows it.

use super::expression::larger;
use super::{Operator, Stage, StageValues, TIE};
use crate::mdp::Mdp;
use crate::reward::RewardDomain;
use crate::units::{ChoiceId, Discount, StateId};

/// Reads policies off the values of one stage.
///
/// A choice ties with the best where its value, on the scale of `(1 - gamma) V`, falls short by no more than [`TIE`] of the law's scale under a
/// bound as sharp; the first of those that tie is taken. It is worse where it falls short by more than that and by more than the bound. What is
/// neither is open, unless it is the only one left.
#[derive(Clone, Debug)]
pub struct Policies {
    mdp: std::sync::Arc<Mdp>,
    domain: RewardDomain,
    discount: Discount,
    /// 1, or -1 where the worst choice is taken.
    sign: f64,
    /// What ties are relative to.
    scale: f64,
    /// Per choice: the first choice of its state that is the same in every goal.
    twin: Vec<u32>,
    /// Per state: the largest sum of |T_a - T_b| over two of its choices.
    spread: Vec<f64>,
    /// Length of the longest row.
    terms: usize,
}

impl Policies {
    /// Of a stage.
    #[must_use]
    pub fn of(stage: &Stage, discount: Discount) -> Self {
        let mdp = &stage.mdp;
        let mut twin: Vec<u32> = (0..mdp.n_choices() as u32).collect();
        let mut spread = vec![0.0; mdp.n_states()];
        for state in mdp.states() {
            for c in mdp.choices(state) {
                for earlier in mdp.choices(state).take_while(|e| *e < c) {
                    let difference = row_difference(mdp, earlier, c);
                    spread[state.index()] = f64::max(spread[state.index()], difference);
                    let same = mdp.row(earlier) == mdp.row(c);
                    if same && stage.domain == RewardDomain::State {
                        twin[c.index()] = twin[earlier.index()];
                    }
                }
            }
        }
        let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
        Self {
            terms: choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0),
            mdp: mdp.clone(),
            domain: stage.domain,
            discount,
            sign: match stage.operator {
                Operator::Min => -1.0,
                Operator::Max | Operator::Follow { .. } => 1.0,
            },
            scale: stage.law.facts().scale,
            twin,
            spread,
        }
    }

    /// The choice of every state, `[n_states, L]`, and for which goals one is open. All goals side by side, for callers with wide vectors.
    #[must_use]
    #[inline(always)]
    pub fn decide<const L: usize>(
        &self,
        values: &StageValues<'_>,
        policy: &mut [ChoiceId],
    ) -> [bool; L] {
        let mut magnitude = [0.0; L];
        for row in values.worths.chunks_exact(L) {
            for lane in 0..L {
                magnitude[lane] = larger(magnitude[lane], row[lane].abs());
            }
        }
        let mut open = [false; L];
        let mut found = Vec::new();
        for state in self.mdp.states() {
            found.clear();
            found.extend(self.mdp.choices(state).map(|c| self.value::<L>(values, c)));
            let to = &mut policy[state.index() * L..][..L];
            self.decide_state(values, state, &found, &magnitude, to, &mut open);
        }
        open
    }

    /// `(1 - gamma) R(s, a) + gamma sum T w`, the part that is common to a state's choices left out.
    #[inline(always)]
    fn value<const L: usize>(&self, values: &StageValues<'_>, choice: ChoiceId) -> [f64; L] {
        let mut sum = [0.0; L];
        let (to, probabilities) = self.mdp.row(choice);
        for (&next, p) in to.iter().zip(probabilities) {
            let worths = &values.worths[next as usize * L..][..L];
            for lane in 0..L {
                sum[lane] += p * worths[lane];
            }
        }
        let factor = self.sign * self.discount.used();
        let mut value = sum.map(|x| factor * x);
        if self.domain == RewardDomain::Choice {
            let factor = self.sign * self.discount.complement();
            let rewards = &values.rewards[choice.index() * L..][..L];
            for lane in 0..L {
                value[lane] += factor * rewards[lane];
            }
        }
        value
    }

    #[inline(always)]
    fn decide_state<const L: usize>(
        &self,
        values: &StageValues<'_>,
        state: StateId,
        found: &[[f64; L]],
        magnitude: &[f64; L],
        policy: &mut [ChoiceId],
        open: &mut [bool; L],
    ) {
        let tie = TIE * self.scale;
        let first = self.mdp.choices(state).next().map_or(0, |c| c.0);
        if found.len() == 1 {
            policy.fill(ChoiceId(first));
            return;
        }
        let mut best = [f64::NEG_INFINITY; L];
        for q in found {
            for lane in 0..L {
                best[lane] = if q[lane] > best[lane] {
                    q[lane]
                } else {
                    best[lane]
                };
            }
        }
        let rounding = (2 * self.terms + 6) as f64 * f64::EPSILON;
        let spread = self.discount.used() * self.spread[state.index()];
        let mut allowance = [0.0; L];
        for lane in 0..L {
            allowance[lane] = spread * values.half_widths[lane] + rounding * magnitude[lane];
        }
        if self.domain == RewardDomain::Choice {
            let complement = self.discount.complement();
            for lane in 0..L {
                let of_reward = complement * values.reward_half_widths[lane];
                allowance[lane] += 2.0 * of_reward + rounding * best[lane].abs();
            }
        }
        // Worse by more than the allowance and than a tie; by neither, where the allowance is no number. One comparison and no branch, so that goals go side by side.
        let mut least = [0.0; L];
        for lane in 0..L {
            least[lane] = larger(allowance[lane], tie);
        }
        // The last choice first, so that the first of those that tie is left. Numbers as wide as the values, for the same vectors.
        let mut chosen = [0_u64; L];
        let mut different = [0_u64; L];
        for (i, q) in found.iter().enumerate().rev() {
            let is_own = u64::from(self.twin[first as usize + i] == first + i as u32);
            for lane in 0..L {
                // Values that are no numbers leave every choice in.
                let worse = best[lane] - q[lane] > least[lane];
                chosen[lane] = if worse { chosen[lane] } else { i as u64 };
                // No more than there are choices: a check of overflow would be a branch.
                let more = if worse { 0 } else { is_own };
                different[lane] = different[lane].wrapping_add(more);
            }
        }
        for lane in 0..L {
            let sharp = allowance[lane] <= tie;
            open[lane] |= different[lane] != 1 && !sharp;
            policy[lane] = ChoiceId(first + chosen[lane] as u32);
        }
    }
}

/// Sum over successors of |T_a - T_b|.
fn row_difference(mdp: &Mdp, a: ChoiceId, b: ChoiceId) -> f64 {
    let ((to_a, p_a), (to_b, p_b)) = (mdp.row(a), mdp.row(b));
    let of = |to: &[u32], p: &[f64], state: u32| {
        let at = to.binary_search(&state);
        at.map_or(0.0, |i| p[i])
    };
    let here = to_a.iter().zip(p_a);
    let shared: f64 = here.map(|(&t, p)| (p - of(to_b, p_b, t)).abs()).sum();
    let beyond = to_b.iter().zip(p_b);
    let beyond = beyond.filter(|&(&t, _)| to_a.binary_search(&t).is_err());
    shared + beyond.map(|(_, p)| p).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::reward::GoalLaw;
    use std::sync::Arc;

    /// `hub` leads to x, to y (twice, so that two choices are one) and to either with the same probability.
    fn stage(domain: RewardDomain) -> Stage {
        let mut b = MdpBuilder::new("hub");
        let [hub, x, y] = ["hub", "x", "y"].map(|n| b.state(n));
        b.choice(hub, "x", [(x, 1.0)]);
        b.choice(hub, "y", [(y, 1.0)]);
        b.choice(hub, "y again", [(y, 1.0)]);
        b.choice(hub, "either", [(x, 0.5), (y, 0.5)]);
        b.absorbing(x);
        b.absorbing(y);
        let mdp = Arc::new(b.build().unwrap());
        let law = GoalLaw::unit_uniform(&mdp);
        Stage {
            domain,
            ..Stage::optimal(mdp, law)
        }
    }

    /// The hub's choice and whether any is open, given the worths of x and y and their half-width.
    fn decide(stage: &Stage, x: f64, y: f64, half: f64, rewards: &[f64]) -> (u32, bool) {
        let policies = Policies::of(stage, Discount::new(0.5).unwrap());
        let values = StageValues {
            worths: &[0.0, x, y],
            half_widths: &[half],
            rewards,
            reward_half_widths: &[half],
        };
        let mut policy = vec![ChoiceId(0); 3];
        let [open] = policies.decide::<1>(&values, &mut policy);
        (policy[0].0, open)
    }

    #[test]
    fn the_first_of_ties_is_followed_and_what_is_open_is_said_to_be() {
        let on_states = stage(RewardDomain::State);
        let state = |x, y, half| decide(&on_states, x, y, half, &[0.0; 3]);
        assert_eq!(state(0.9, 0.1, 1e-6), (0, false));
        // Two choices of one row are one: not a tie that a sharper bound could break.
        assert_eq!(state(0.1, 0.9, 1e-6), (1, false));
        // All alike: the first, once the bound is sharper than a tie.
        assert_eq!(state(0.5, 0.5, 1e-12), (0, false));
        assert!(state(0.5, 0.5, 1e-6).1);
        // A hair more than a tie.
        assert_eq!(state(0.5, 0.5 + 1e-8, 1e-12), (1, false));
        assert_eq!(state(0.5, 0.5 + 1e-11, 1e-12), (0, false));
        assert!(state(f64::NAN, 0.5, 1e-12).1);
        let worst = stage(RewardDomain::State).with(Operator::Min);
        assert_eq!(decide(&worst, 0.9, 0.1, 1e-6, &[0.0; 3]), (1, false));
    }

    #[test]
    fn rewards_of_choices_count_and_tell_twins_apart() {
        let on_choices = stage(RewardDomain::Choice);
        let choice = |rewards: &[f64]| decide(&on_choices, 0.2, 0.2, 1e-6, rewards);
        assert_eq!(choice(&[0.0, 0.0, 0.5, 0.0, 0.0, 0.0]), (2, false));
        assert!(choice(&[0.0; 6]).1);
    }
}

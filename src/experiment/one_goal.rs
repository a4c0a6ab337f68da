//! One goal looked at closely: its optimal choices, as far as the certificate decides them, and a path that follows them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{RunSpec, VariantMdp};
use crate::intervention::BASELINE;
use crate::mdp::Mdp;
use crate::reward::{RewardDistribution, RewardDomain};
use crate::rng::{self, Stream};
use crate::solve::{Backend, Goals, SolveError, SolvedGoal, prepare};
use crate::statistics::behaviour::{Prospects, Settled, Standing};
use crate::units::{ChoiceId, Discount, Limit, SampleIndex, Seed, StateId};

/// Which goal to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Goal `index` of the spec's seed and a law.
    Sampled {
        /// The law.
        reward: Arc<RewardDistribution>,
        /// The goal's number.
        index: SampleIndex,
    },
    /// Rewards from outside, `[n_states]`.
    Given(Vec<f64>),
}

/// How far the optimal choices of a state are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// One choice is better than all others by more than the bound.
    Sure,
    /// Several are equally good: equal rows, or values closer than [`TIE`](crate::statistics::behaviour::TIE) under a bound as sharp.
    Tie,
    /// Some are closer to the best than the bound, and may or may not be optimal.
    Undecided,
}

/// What an optimal agent does in a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The choice with the largest value found; the first of several.
    pub greedy: ChoiceId,
    /// All choices that are optimal or, where undecided, may be; ascending.
    pub best: Vec<ChoiceId>,
    /// How far that is known.
    pub certainty: Certainty,
}

/// One solved goal and what follows from it.
#[derive(Clone, Debug)]
pub struct OneGoal {
    /// The MDP.
    pub mdp: Arc<Mdp>,
    /// The discount.
    pub discount: Discount,
    /// The goal with its certified values.
    pub solved: SolvedGoal,
    /// Per state, `[n_states]`.
    pub decisions: Vec<Decision>,
    /// Names of the readings of its program, where it is solved in linked stages.
    pub readings: Vec<String>,
    /// What solved it, and why the backend that was asked did not, where another one stood in for it.
    pub stand_in: Option<(String, String)>,
}

impl OneGoal {
    /// Solves one goal as a run of `spec` would: a sampled goal comes out as it went into the run's sums.
    ///
    /// The spec's own lists of environments, laws and discounts are not looked at.
    ///
    /// # Errors
    ///
    /// Any [`SolveError`] of the backend.
    pub fn solve(
        backend: &dyn Backend,
        spec: &RunSpec,
        mdp: &Arc<Mdp>,
        discount: Discount,
        question: &Question,
    ) -> Result<Self, SolveError> {
        let variant = VariantMdp {
            variant: BASELINE.to_owned(),
            mdp: mdp.clone(),
            linked: None,
        };
        Self::of_variant(backend, spec, &variant, discount, question)
    }

    /// The same on a variant. Where goals are solved in linked stages it is the stage that is shown, with the rewards that earlier ones have made; its agent may follow the policy of one of them.
    ///
    /// # Errors
    ///
    /// Any [`SolveError`] of the backend.
    pub fn of_variant(
        backend: &dyn Backend,
        spec: &RunSpec,
        variant: &VariantMdp,
        discount: Discount,
        question: &Question,
    ) -> Result<Self, SolveError> {
        let mut problem = match question {
            Question::Sampled { reward, .. } => spec.problem_of(variant, reward, discount)?,
            Question::Given(_) => {
                spec.problem(&variant.mdp, &RewardDistribution::unit_uniform(), discount)?
            }
        };
        let scale = match question {
            Question::Sampled { .. } => problem.program.stage().law.facts().scale,
            Question::Given(rewards) => range(rewards),
        };
        problem.tolerance = spec.tolerance * scale;
        let stage = problem.program.stage();
        let is_linked = problem.program.plain().is_err();
        let mdp = stage.mdp.clone();
        let names = problem.program.readings().iter().map(|r| r.name.clone());
        let readings: Vec<String> = names.collect();
        spec.schedule(backend, &mut problem)?;
        let solver = prepare(backend, problem)?;
        let mut solved = match question {
            Question::Sampled { index, .. } => solver.solve_goals(Goals::Sampled {
                stream: Stream::Reward,
                indices: &[*index],
            })?,
            Question::Given(rewards) => {
                solver.solve_goals(Goals::Given(std::slice::from_ref(rewards)))?
            }
        };
        // One goal was asked for: an empty answer is a fault of the backend, told as such.
        let solved = solved.pop().ok_or(SolveError::BadGoal {
            goal: 0,
            problem: "the backend returned no answer".to_owned(),
        })?;
        let stand_in = solver
            .refusal()
            .map(|why| (solver.description().unwrap_or_default(), why.to_string()));
        // Rewards that were made are known to a part of the half-width, and count for more in a worth than in an integrand.
        let share = match is_linked || solved.domain == RewardDomain::Choice {
            true => 1.0,
            false => discount.used(),
        };
        let half_width = share * solved.half_width;
        Ok(Self {
            stand_in,
            readings,
            ..Self::within(mdp, discount, solved, (half_width, scale))
        })
    }

    /// Reads the choices off certified values. `scale` is what [`TIE`](crate::statistics::behaviour::TIE) is relative to: the range of the rewards.
    #[must_use]
    pub fn of(mdp: Arc<Mdp>, discount: Discount, solved: SolvedGoal, scale: f64) -> Self {
        let half_width = discount.used() * solved.half_width;
        Self::within(mdp, discount, solved, (half_width, scale))
    }

    /// The same, given what worths are known to.
    fn within(
        mdp: Arc<Mdp>,
        discount: Discount,
        solved: SolvedGoal,
        (half_width, scale): (f64, f64),
    ) -> Self {
        let worth = solved.worths(discount);
        let prospects = Prospects::new(&mdp, &worth, half_width, scale);
        let linked = solved.linked.as_ref();
        let prospects = match solved.domain {
            RewardDomain::State => prospects,
            RewardDomain::Choice => prospects
                .with_rewards(&solved.rewards, discount)
                .paid_within(linked.map_or(0.0, |linked| linked.reward_half_width)),
        };
        let followed = linked.and_then(|linked| linked.followed.as_ref());
        let decide = |state: StateId| match (&solved.settled, followed) {
            (Some(settled), _) => settled_decision(&mdp, settled, state),
            (_, Some((policy, is_open))) => Decision {
                greedy: policy[state.index()],
                best: vec![policy[state.index()]],
                certainty: match is_open {
                    true => Certainty::Undecided,
                    false => Certainty::Sure,
                },
            },
            (None, None) => decide(&mdp, &prospects, state),
        };
        let decisions = mdp.states().map(decide).collect();
        Self {
            mdp,
            discount,
            solved,
            decisions,
            readings: Vec::new(),
            stand_in: None,
        }
    }

    /// What is paid where a choice is taken: its own reward, or its state's.
    #[must_use]
    pub fn reward(&self, choice: ChoiceId) -> f64 {
        let rewards = &self.solved.rewards;
        match self.solved.domain {
            RewardDomain::State => rewards[self.mdp.state_of(choice).index()],
            RewardDomain::Choice => rewards[choice.index()],
        }
    }

    /// Whether the agent follows a policy that is optimal for something else.
    #[must_use]
    pub fn is_following(&self) -> bool {
        let linked = self.solved.linked.as_ref();
        linked.is_some_and(|linked| linked.followed.is_some())
    }

    /// The state in which most of the start distribution lies; the first of several.
    #[must_use]
    pub fn start(&self) -> StateId {
        let better =
            |best: (StateId, f64), next: (StateId, f64)| if next.1 > best.1 { next } else { best };
        let start = self.mdp.start().iter().copied().reduce(better);
        start.expect("a start distribution is not empty").0
    }

    /// Follows the greedy choices from a state until the path certainly goes round for ever or `steps` steps are done.
    ///
    /// Where a choice leads to several states, one of them is drawn: path `number` of `seed` is always the same one.
    #[must_use]
    pub fn path(&self, from: StateId, steps: usize, seed: Seed, number: u64) -> Path {
        // Where the path has been since its last uncertain step: only certain steps can close a round.
        let mut visited_at = HashMap::new();
        let mut path = Path {
            steps: Vec::new(),
            last: from,
            end: PathEnd::Cut,
        };
        while !visited_at.contains_key(&path.last) && path.steps.len() < steps {
            let state = path.last;
            visited_at.insert(state, path.steps.len());
            let choice = self.decisions[state.index()].greedy;
            let word = rng::word(
                seed,
                Stream::Path,
                SampleIndex(number),
                path.steps.len() as u32,
            );
            let (next, probability) = self.successor(choice, word);
            if probability < 1.0 {
                visited_at.clear();
            }
            path.steps.push(Step {
                state,
                choice,
                probability,
            });
            path.last = next;
        }
        if let Some(&at) = visited_at.get(&path.last) {
            path.end = PathEnd::Repeats { from: at };
        }
        path
    }

    /// The successor that a random word stands for, by the inverse of the distribution function, and its probability.
    fn successor(&self, choice: ChoiceId, word: u32) -> (StateId, f64) {
        let (to, probabilities) = self.mdp.row(choice);
        let mut left = f64::from(word) / 2_f64.powi(32);
        for (&next, &p) in to.iter().zip(probabilities) {
            if left < p {
                return (StateId(next), p);
            }
            left -= p;
        }
        // Probabilities may sum to one less the last bits.
        let last = to.len() - 1;
        (StateId(to[last]), probabilities[last])
    }

    /// Discounted sum of the rewards along a path that happens with certainty and goes on for ever; `None` for others,
    /// and at the limit ->1, where they have no sum.
    ///
    /// It is the value of the path's first state under the greedy choices, found in another way.
    #[must_use]
    pub fn discounted_rewards(&self, path: &Path) -> Option<f64> {
        let PathEnd::Repeats { from } = path.end else {
            return None;
        };
        if path.steps.iter().any(|s| s.probability < 1.0) {
            return None;
        }
        if self.discount.limit() == Some(Limit::One) {
            return None;
        }
        let gamma = self.discount.used();
        let sum = |steps: &[Step]| {
            let rewards = steps.iter().rev().map(|s| self.reward(s.choice));
            rewards.fold(0.0, |later, now| now + gamma * later)
        };
        let (before, cycle) = path.steps.split_at(from);
        let round = gamma.powi(cycle.len() as i32);
        let for_ever = sum(cycle) / (1.0 - round);
        Some(sum(before) + gamma.powi(from as i32) * for_ever)
    }
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Where one is.
    pub state: StateId,
    /// What one does there.
    pub choice: ChoiceId,
    /// Probability of the successor that the path takes.
    pub probability: f64,
}

/// Why a path ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEnd {
    /// The last state is that of step `from`: the path goes round for ever.
    Repeats {
        /// Position in [`Path::steps`].
        from: usize,
    },
    /// The number of steps was used up.
    Cut,
}

/// Where the greedy choices lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The steps.
    pub steps: Vec<Step>,
    /// The state after the last step.
    pub last: StateId,
    /// Why it ends there.
    pub end: PathEnd,
}

impl Path {
    /// Probability that the agent takes exactly this path.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.steps.iter().map(|s| s.probability).product()
    }
}

/// Largest minus smallest reward; where all are equal, their size, so that there is a scale at all.
fn range(rewards: &[f64]) -> f64 {
    let low = rewards.iter().copied().fold(f64::INFINITY, f64::min);
    let high = rewards.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let scales = [high - low, high.abs(), 1.0];
    scales.into_iter().find(|s| *s > 0.0).unwrap_or(1.0)
}

fn decide(mdp: &Mdp, prospects: &Prospects<'_>, state: StateId) -> Decision {
    let (greedy, most) = prospects.greedy(state);
    let stands = |c| prospects.standing(greedy, c, most - prospects.value(c));
    let each = mdp.choices(state).map(|c| (c, stands(c)));
    decision(greedy, each)
}

/// The same where the solver has settled where the choices stand.
fn settled_decision(mdp: &Mdp, settled: &Settled, state: StateId) -> Decision {
    let each = mdp.choices(state);
    let each = each.map(|c| (c, settled.standings[c.index()]));
    decision(settled.greedy[state.index()], each)
}

fn decision(greedy: ChoiceId, each: impl Iterator<Item = (ChoiceId, Standing)>) -> Decision {
    let standings: Vec<(ChoiceId, Standing)> =
        each.filter(|(_, s)| *s != Standing::Worse).collect();
    let certainty = match standings.len() {
        _ if standings.iter().any(|(_, s)| *s == Standing::Possible) => Certainty::Undecided,
        1 => Certainty::Sure,
        _ => Certainty::Tie,
    };
    Decision {
        greedy,
        best: standings.into_iter().map(|(c, _)| c).collect(),
        certainty,
    }
}

#[cfg(test)]
mod tests;

//! The stages of a goal program, one after the other: what is solved once enters the rewards of what follows.

use super::certificate::Certificate;
use super::iteration;
use super::model::Model;
use crate::program::{Interval, Operator, Policies, Stage, StageValues};
use crate::reward::RewardDomain;
use crate::solve::{CellProblem, LinkedGoal, SolveError, SolvedGoal};
use crate::statistics::Observed;
use crate::units::{ChoiceId, SampleIndex};

/// Unit roundoff of f64.
const U: f64 = f64::EPSILON / 2.0;

/// What is known of a program before its first goal.
#[derive(Debug)]
pub(super) struct Linked {
    /// Per stage: how its policy is read off, where a later stage follows it.
    policies: Vec<Option<Policies>>,
}

/// One stage of one goal, solved.
#[derive(Debug)]
pub(super) struct Solved {
    /// `[n_rewards]`.
    pub(super) rewards: Vec<f64>,
    /// POWER integrand, or `(1 - gamma) V` where choices have rewards, `[n_states]`.
    pub(super) integrand: Vec<f64>,
    /// Half-width of every integrand, that of the rewards included.
    pub(super) half_width: f64,
    /// `(1 - gamma) V`, `[n_states]`.
    pub(super) worths: Vec<f64>,
    /// Half-width of every worth; its own four roundings are left to whoever compares worths.
    pub(super) worth_half_width: f64,
    /// The same with them.
    value_half_width: f64,
    /// Half-width of every reward.
    pub(super) reward_half_width: f64,
    pub(super) sweeps: u32,
    /// The policy it follows, and whether a choice of it is open.
    pub(super) followed: Option<(Vec<ChoiceId>, bool)>,
}

impl Solved {
    fn values(&self) -> StageValues<'_> {
        StageValues {
            worths: &self.worths,
            half_widths: std::slice::from_ref(&self.value_half_width),
            rewards: &self.rewards,
            reward_half_widths: std::slice::from_ref(&self.reward_half_width),
        }
    }

    /// `readings`: of a goal that is solved in linked stages.
    pub(super) fn into_goal(
        self,
        problem: &CellProblem,
        sweeps: u32,
        readings: Option<Vec<Observed>>,
    ) -> SolvedGoal {
        SolvedGoal {
            domain: problem.program.stage().domain,
            settled: None,
            linked: readings.map(|readings| LinkedGoal {
                readings,
                reward_half_width: self.reward_half_width,
                followed: self.followed,
            }),
            integrand: self.integrand,
            half_width: self.half_width,
            converged: self.half_width <= problem.tolerance,
            sweeps,
            rewards: self.rewards,
        }
    }
}

impl Linked {
    pub(super) fn new(problem: &CellProblem) -> Self {
        let program = &problem.program;
        let stages = program.stages().iter().enumerate();
        Self {
            policies: stages
                .map(|(position, stage)| {
                    let followed = program.is_followed(position);
                    followed.then(|| Policies::of(stage, problem.discount))
                })
                .collect(),
        }
    }

    /// Every stage of a goal.
    pub(super) fn solve(
        &self,
        problem: &CellProblem,
        index: SampleIndex,
    ) -> Result<Vec<Solved>, SolveError> {
        let mut solved: Vec<Solved> = Vec::new();
        for stage in problem.program.stages() {
            let (rewards, half_width) = rewards(problem, stage, index, &solved);
            let policy = stage.leader().map(|leader| self.policy(leader, &solved));
            let followed = policy.as_ref().map(|(choices, _)| &choices[..]);
            let next = solve_stage(problem, stage, followed, rewards, half_width);
            let mut next = next.ok_or(SolveError::Singular { goal: index.0 })?;
            if policy.as_ref().is_some_and(|(_, open)| *open) {
                next.know_nothing();
            }
            next.followed = policy;
            solved.push(next);
        }
        Ok(solved)
    }

    /// The policy of an earlier stage, and whether a choice of it is open.
    fn policy(&self, stage: usize, solved: &[Solved]) -> (Vec<ChoiceId>, bool) {
        let policies = self.policies[stage]
            .as_ref()
            .expect("a stage that is followed has its policies read");
        let mut choices = vec![ChoiceId(0); solved[stage].worths.len()];
        let [open] = policies.decide::<1>(&solved[stage].values(), &mut choices);
        (choices, open)
    }

    /// The readings of a goal.
    pub(super) fn read(&self, problem: &CellProblem, solved: &[Solved]) -> Vec<Observed> {
        let values: Vec<_> = solved.iter().map(Solved::values).collect();
        let scale = problem.program.stage().law.facts().scale;
        let readings = problem.program.readings().iter();
        let each = readings.map(|reading| {
            let Interval { value, half_width } = reading.expression.evaluate::<1>(&values, scale);
            Observed {
                value: value[0],
                low: value[0] - half_width[0],
                high: value[0] + half_width[0],
            }
        });
        each.collect()
    }
}

impl Solved {
    /// The policy may be any: values lie between the smallest and the largest reward, and that is all.
    fn know_nothing(&mut self) {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let widen = |(low, high): (f64, f64), &r: &f64| (low.min(r), high.max(r));
        let (low, high) = self.rewards.iter().fold(ends, widen);
        self.half_width = (high - low) + 2.0 * self.reward_half_width;
        self.worth_half_width = self.half_width;
        self.value_half_width = self.half_width;
    }
}

/// Rewards of a stage, and their half-width: drawn parts, and terms made of what was solved before.
fn rewards(
    problem: &CellProblem,
    stage: &Stage,
    index: SampleIndex,
    solved: &[Solved],
) -> (Vec<f64>, f64) {
    let mut rewards = stage.draw(problem.seed, index);
    if stage.terms.is_empty() {
        // Sums of drawn numbers: a few roundings, none where there is but one of weight 1.
        let sum: f64 = stage.parts.iter().map(|p| p.weight.abs()).sum();
        let exact = stage.parts.len() == 1 && sum == 1.0;
        let size = sum * stage.law.facts().magnitude();
        let parts = stage.parts.len() as f64 + 1.0;
        return (rewards, if exact { 0.0 } else { parts * U * size });
    }
    let values: Vec<_> = solved.iter().map(Solved::values).collect();
    let scale = stage.law.facts().scale;
    // Every sum errs by u of the sizes of its terms for each of them.
    let rounding = (stage.terms.len() + stage.parts.len()) as f64 * U;
    let weights: f64 = stage.parts.iter().map(|p| p.weight.abs()).sum();
    let mut error = vec![2.0 * rounding * weights * stage.law.facts().magnitude(); rewards.len()];
    for term in &stage.terms {
        let Interval { value, half_width } = term.expression.evaluate::<1>(&values, scale);
        let row = term.row as usize;
        rewards[row] += value[0];
        error[row] += half_width[0] + 2.0 * rounding * (value[0].abs() + half_width[0]);
    }
    let larger = |m: f64, e: f64| if m.is_nan() || m >= e { m } else { e };
    (rewards, error.into_iter().fold(0.0, larger))
}

/// Solves one stage for given rewards, each known to `reward_half_width`. `None` where a linear system was singular.
pub(super) fn solve_stage(
    problem: &CellProblem,
    stage: &Stage,
    policy: Option<&[ChoiceId]>,
    rewards: Vec<f64>,
    reward_half_width: f64,
) -> Option<Solved> {
    let model = Model {
        policy,
        ..Model::new(&stage.mdp, problem.discount, stage.domain)
    };
    // The least of V is minus the largest of the values of -R.
    let sign = if stage.operator == Operator::Min {
        -1.0
    } else {
        1.0
    };
    let signed: Vec<f64> = rewards.iter().map(|r| sign * r).collect();
    let (values, sweeps) = iteration::solve(&model, &signed, problem.max_sweeps)?;
    let certificate = Certificate::of(&model, &signed, &values);
    let own = certificate.half_width();
    let integrand: Vec<f64> = certificate.integrand.iter().map(|x| sign * x).collect();
    let (used, complement) = (model.discount, model.complement);
    let worths: Vec<f64> = match stage.domain {
        RewardDomain::State => {
            let each = rewards.iter().zip(&integrand);
            each.map(|(r, x)| complement * r + used * x).collect()
        }
        RewardDomain::Choice => integrand.clone(),
    };
    let scale = match stage.domain {
        RewardDomain::State => used,
        RewardDomain::Choice => 1.0,
    };
    let half_width = own + reward_half_width;
    // Where nothing is linked this is what it always was: gamma times the half-width of the integrand.
    let worth_half_width = scale * own + reward_half_width;
    let magnitude = worths.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    Some(Solved {
        value_half_width: worth_half_width + 4.0 * U * magnitude,
        rewards,
        integrand,
        half_width,
        worths,
        worth_half_width,
        reward_half_width,
        sweeps,
        followed: None,
    })
}

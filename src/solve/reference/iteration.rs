//! Optimal values of one goal: policy iteration, or sweeps where a dense matrix would be too large.

use nalgebra::{DMatrix, DVector};

use super::certificate::Certificate;
use super::model::{Model, Values};
use crate::reward::RewardDomain;
use crate::units::{ChoiceId, StateId};

/// Most states for which policies are evaluated by a dense LU decomposition (2 MiB of matrix). Beyond it the
/// decomposition, 2/3 n^3 operations per policy, costs more than the sweeps do.
pub(super) const DENSE_STATES: usize = 512;

/// Half-width at which sweeps stop, relative to the range of the goal's rewards.
const SWEEP_TARGET: f64 = 1e-12;

/// Sweeps between two looks at the residual; a look costs as much as a sweep.
const SWEEPS_PER_LOOK: u32 = 16;

/// Values of one goal and the iterations they took, at most `max_iterations`. `None` if a linear system was singular.
///
/// The values are optimal up to what their [`Certificate`] says; no claim beyond it is made here.
pub(super) fn solve(
    model: &Model<'_>,
    rewards: &[f64],
    max_iterations: u32,
) -> Option<(Values, u32)> {
    if model.mdp.n_states() <= DENSE_STATES {
        iterate_policies(model, rewards, max_iterations)
    } else {
        Some(sweep(model, rewards, max_iterations))
    }
}

/// Howard's policy iteration from the policy that is greedy for the next state's reward.
pub(super) fn iterate_policies(
    model: &Model<'_>,
    rewards: &[f64],
    max_iterations: u32,
) -> Option<(Values, u32)> {
    let states = model.mdp.states();
    let first = match model.domain {
        RewardDomain::State => rewards.to_vec(),
        RewardDomain::Choice => vec![0.0; model.mdp.n_states()],
    };
    let mut policy: Vec<ChoiceId> = states.map(|s| model.best(s, rewards, &first).0).collect();
    let mut iterations = 1;
    loop {
        let values = evaluate(model, rewards, &policy)?;
        let certificate = Certificate::of(model, rewards, &values);
        if certificate.is_settled() || iterations >= max_iterations {
            return Some((values, iterations));
        }
        if !improve(model, rewards, &values, certificate.rounding, &mut policy) {
            return Some((values, iterations));
        }
        iterations += 1;
    }
}

/// Moves every state to a choice that gains more than the present one by more than `rounding`; whether any moved.
///
/// Improvements within the rounding errors are left alone, so that ties cannot make the iteration cycle; what they could
/// still be worth is in the certificate, which is taken over all choices.
fn improve(
    model: &Model<'_>,
    rewards: &[f64],
    values: &Values,
    rounding: f64,
    policy: &mut [ChoiceId],
) -> bool {
    let mut moved = false;
    for state in model.mdp.states() {
        let present = model.gain(state, policy[state.index()], rewards, &values.deviation);
        let (choice, gain) = model.best(state, rewards, &values.deviation);
        if gain > present + rounding {
            policy[state.index()] = choice;
            moved = true;
        }
    }
    moved
}

/// The values of a policy: solves `(I - gamma P) V = R`, then refines the deviations from the middle once.
///
/// The residual of the refinement is taken in difference form, where it carries far less rounding than the solve did.
fn evaluate(model: &Model<'_>, rewards: &[f64], policy: &[ChoiceId]) -> Option<Values> {
    let n = model.mdp.n_states();
    let mut matrix = DMatrix::<f64>::zeros(n, n);
    for state in model.mdp.states() {
        let row = state.index();
        // 1 - gamma T(s,s) = (1 - gamma) + gamma sum_{s' != s} T(s,s').
        let leaving = model.leaving(state, policy[row]);
        matrix[(row, row)] = model.complement + model.discount * leaving;
        for (next, p) in model.others(state, policy[row]) {
            matrix[(row, next)] = -(model.discount * p);
        }
    }
    let factors = matrix.lu();
    let own = model
        .mdp
        .states()
        .map(|s| model.reward(s, policy[s.index()], rewards));
    let solved = factors.solve(&DVector::from_iterator(n, own))?;
    let mut values = Values {
        offset: 0.0,
        deviation: solved.as_slice().to_vec(),
    };
    values.centre();
    let residual = model.mdp.states().map(|state| {
        let gain = model.gain(state, policy[state.index()], rewards, &values.deviation);
        model.residual(state, rewards, &values, gain)
    });
    let correction = factors.solve(&DVector::from_iterator(n, residual))?;
    let each = values.deviation.iter_mut().zip(correction.iter());
    each.for_each(|(v, d)| *v += d);
    Some(values)
}

/// In-place value iteration in alternating direction. Each step solves a state's own equation, the way back to itself
/// included, with the values of the others as they stand: on grids whose moves can be blocked that takes ten sweeps where
/// plain value iteration takes thousands. The certificate is on the plain operator all the same.
pub(super) fn sweep(model: &Model<'_>, rewards: &[f64], max_sweeps: u32) -> (Values, u32) {
    let highest = rewards.iter().fold(f64::NEG_INFINITY, |m, &r| m.max(r));
    let lowest = rewards.iter().fold(f64::INFINITY, |m, &r| m.min(r));
    let target = SWEEP_TARGET * (highest - lowest);
    let mut values = lower_bounds(model, rewards, lowest);
    let n = model.mdp.n_states() as u32;
    let mut sweeps = 0;
    loop {
        for _ in 0..SWEEPS_PER_LOOK.min(max_sweeps - sweeps) {
            for i in 0..n {
                let state = StateId(if sweeps % 2 == 1 { n - 1 - i } else { i });
                values.deviation[state.index()] += step(model, state, rewards, &values);
            }
            sweeps += 1;
        }
        values.centre();
        let certificate = Certificate::of(model, rewards, &values);
        if certificate.half_span <= target || certificate.is_settled() || sweeps >= max_sweeps {
            return (values, sweeps);
        }
    }
}

/// What staying for ever is worth where some choice stays, and the worst there can be elsewhere.
fn lower_bounds(model: &Model<'_>, rewards: &[f64], lowest: f64) -> Values {
    let bound = |state: StateId| {
        let staying = model
            .choices(state)
            .filter(|c| model.leaving(state, *c) == 0.0);
        let worth = staying.map(|c| model.reward(state, c, rewards) / model.complement);
        worth.fold(lowest / model.complement, f64::max)
    };
    let mut values = Values {
        offset: 0.0,
        deviation: model.mdp.states().map(bound).collect(),
    };
    values.centre();
    values
}

/// How far a state's value is from solving its own equation: the largest, over choices a, of `r_a / (1 - gamma T(s,a,s))`
/// with `r_a` the residual of the choice.
fn step(model: &Model<'_>, state: StateId, rewards: &[f64], values: &Values) -> f64 {
    let steps = model.choices(state).map(|choice| {
        let gain = model.gain(state, choice, rewards, &values.deviation);
        let residual = model.residual(state, rewards, values, gain);
        residual / (model.complement + model.discount * model.leaving(state, choice))
    });
    steps.fold(f64::NEG_INFINITY, f64::max)
}

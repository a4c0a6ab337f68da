//! Goals that single precision gives up, finished on the host in double precision: those whose rewards lie far out in the tail of a law.

use crate::reward::RewardDomain;
use crate::solve::{CellProblem, SolvedGoal};
use crate::statistics::behaviour::refine;

/// Most states of an MDP whose goals the host finishes.
pub(super) const MOST_STATES: usize = 4_096;

/// Most states of an MDP of which a share of the goals may be left to the host from the start: solving a small one takes microseconds.
pub(super) const SMALL: usize = 64;

/// Goals of a tile that may be left to the host there.
const SHARE: usize = 4;

/// Whether goals of a cell can be left to the host.
pub(super) fn finishes(problem: &CellProblem) -> bool {
    let model = problem.plan.model();
    model.domain() == RewardDomain::State && model.states().len() <= MOST_STATES
}

/// How many goals of a tile that is solved for a trial may be left to the host: with more of them, the host would do most of the work.
pub(super) fn tolerated(problem: &CellProblem) -> usize {
    match finishes(problem) && problem.plan.model().states().len() <= SMALL {
        true => SHARE,
        false => 0,
    }
}

/// Solves a goal of the exact rewards, `[n_states]`, from nothing: so that it is the same whatever the device made of it.
///
/// # Precision
///
/// The integrand is `(w - (1 - gamma) R) / gamma`, with w what it is worth to be in a state: a product, a difference and a quotient, each
/// rounded once, of at most `|w| + |R|`; four units are taken for them.
pub(super) fn finish(problem: &CellProblem, rewards: Vec<f64>, sweeps: u32) -> SolvedGoal {
    let discount = problem.discount;
    let (used, complement) = (discount.used(), discount.complement());
    let mdp = &problem.program.stage().mdp;
    let refined = refine(mdp, discount, &rewards, &rewards);
    let each = refined.worth.iter().zip(&rewards);
    let size = each
        .clone()
        .fold(0.0, |size, (w, r)| f64::max(size, w.abs() + r.abs()));
    let half_width = (refined.half_width + 4.0 * f64::EPSILON * size) / used;
    SolvedGoal {
        domain: RewardDomain::State,
        integrand: each.map(|(w, r)| (w - complement * r) / used).collect(),
        rewards,
        half_width,
        converged: half_width <= problem.tolerance,
        sweeps,
        settled: None,
        linked: None,
    }
}

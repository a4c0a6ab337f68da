//! What a way to act is worth: the linear equations of a policy that takes choices with probabilities, solved in f64 with a certificate.

use nalgebra::{DMatrix, DVector};

use crate::mdp::Mdp;
use crate::units::{Discount, StateId};

/// Unit roundoff of f64.
pub(super) const U: f64 = f64::EPSILON / 2.0;

/// Sweeps between two looks at the residual.
const SWEEPS: u32 = 8;
/// Sweeps after which a chain small enough for it is decomposed.
const FEW_SWEEPS: u32 = 64;
/// Chains up to this size (2 MiB of matrix) can be decomposed.
const DENSE: usize = 512;
/// Sweeps of chains too large for a decomposition.
const MANY_SWEEPS: u32 = 200_000;

/// The moves of an agent that takes the choices of every state with some probability.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    ends: Vec<u32>,
    moves: Vec<(u32, f64)>,
    /// Terms that went into the longest row.
    longest: usize,
    /// Per state: where the row that is being made holds its probability.
    place: Vec<u32>,
}

/// What a policy is worth.
#[derive(Clone, Debug, Default)]
pub(super) struct Worth {
    /// What the state is worth, income included: `w = income + gamma P w`, `[n_states]`.
    pub(super) worth: Vec<f64>,
    /// `P w`, `[n_states]`: the POWER integrand where the income is `(1 - gamma) R`.
    pub(super) next: Vec<f64>,
    /// Half-width of both.
    pub(super) half_width: f64,
    /// Sweeps it took.
    pub(super) sweeps: u32,
}

impl Moves {
    /// Makes the rows of a policy; `shares` is `[n_choices]`.
    pub(super) fn of(&mut self, mdp: &Mdp, shares: &[f64]) {
        self.ends.clear();
        self.moves.clear();
        self.longest = 0;
        self.place.clear();
        self.place.resize(mdp.n_states(), u32::MAX);
        for state in mdp.states() {
            let first = self.moves.len();
            let mut terms = 0;
            for choice in mdp.choices(state) {
                let share = shares[choice.index()];
                if share == 0.0 {
                    continue;
                }
                let (to, probabilities) = mdp.row(choice);
                terms += to.len();
                for (&to, p) in to.iter().zip(probabilities) {
                    let place = &mut self.place[to as usize];
                    if (*place as usize) < self.moves.len() && *place as usize >= first {
                        self.moves[*place as usize].1 += share * p;
                    } else {
                        *place = self.moves.len() as u32;
                        self.moves.push((to, share * p));
                    }
                }
            }
            self.longest = self.longest.max(terms);
            self.ends.push(self.moves.len() as u32);
        }
    }

    fn row(&self, state: usize) -> &[(u32, f64)] {
        let first = if state == 0 { 0 } else { self.ends[state - 1] };
        &self.moves[first as usize..self.ends[state] as usize]
    }

    fn next(&self, state: usize, worth: &[f64]) -> f64 {
        let row = self.row(state).iter();
        row.map(|&(to, p)| p * worth[to as usize]).sum()
    }

    /// Rounding of `income + gamma P w - w`: of k products, each of a sum of products of two probabilities, and their sum, (2k + 3)u of |w|;
    /// the income's own rounding and three operations more.
    fn rounding(&self, income: &[f64], worth: &[f64]) -> f64 {
        let size = |x: &[f64]| x.iter().fold(0.0, |m, w| f64::max(m, w.abs()));
        (2.0 * self.longest as f64 + 8.0) * U * (size(worth) + size(income))
    }

    /// Solves `w = income + gamma P w` from an estimate of w.
    ///
    /// With `r = income + gamma P w - w` the error of w is `(I - gamma P)^-1 r`, and rows of P sum to one or less: it is at most
    /// `max |r| / (1 - gamma)`.
    pub(super) fn evaluate(&self, discount: Discount, income: &[f64], start: &[f64]) -> Worth {
        let (gamma, complement) = (discount.used(), discount.complement());
        let n = income.len();
        let mut worth = start.to_vec();
        let residual = |worth: &[f64]| -> Vec<f64> {
            let each = (0..n).map(|s| income[s] + gamma * self.next(s, worth) - worth[s]);
            each.collect()
        };
        let largest = |r: &[f64]| {
            r.iter().fold(0.0, |m: f64, x| {
                if x.abs() > m || x.is_nan() {
                    x.abs()
                } else {
                    m
                }
            })
        };
        let mut sweeps = 0;
        let mut found = largest(&residual(&worth));
        let (mut best, mut stalled) = (f64::INFINITY, 0);
        while found > self.rounding(income, &worth) && stalled < 4 {
            if sweeps >= if n <= DENSE { FEW_SWEEPS } else { MANY_SWEEPS } {
                break;
            }
            for sweep in 0..SWEEPS {
                for i in 0..n {
                    let s = if sweep % 2 == 0 { n - 1 - i } else { i };
                    let (mut later, mut stay) = (0.0, 0.0);
                    for &(to, p) in self.row(s) {
                        match to as usize == s {
                            true => stay += p,
                            false => later += p * worth[to as usize],
                        }
                    }
                    worth[s] = (income[s] + gamma * later) / (1.0 - gamma * stay);
                }
            }
            sweeps += SWEEPS;
            found = largest(&residual(&worth));
            // Near rounding a sweep no longer gets anywhere.
            stalled = if found < 0.9 * best { 0 } else { stalled + 1 };
            best = best.min(found);
        }
        if found > 4.0 * self.rounding(income, &worth)
            && n <= DENSE
            && let Some(solved) = self.decompose(gamma, income, &residual)
        {
            let left = largest(&residual(&solved));
            if left < found {
                (worth, found) = (solved, left);
            }
        }
        let rounding = self.rounding(income, &worth);
        let next = (0..n).map(|s| self.next(s, &worth)).collect();
        Worth {
            worth,
            next,
            half_width: (found + rounding) / complement + rounding,
            sweeps,
        }
    }

    /// `(I - gamma P)^-1`, `[n_states, n_states]` row-major, for a policy that is evaluated under many goals: what it is worth is linear in the rewards. `None` for chains too large for it.
    pub(super) fn inverse(&self, discount: Discount) -> Option<Vec<f64>> {
        let n = self.ends.len();
        if n > DENSE {
            return None;
        }
        let mut matrix = DMatrix::<f64>::identity(n, n);
        for s in 0..n {
            for &(to, p) in self.row(s) {
                matrix[(s, to as usize)] -= discount.used() * p;
            }
        }
        // Columns of the transpose are rows.
        Some(matrix.try_inverse()?.transpose().as_slice().to_vec())
    }

    /// A dense decomposition, refined once.
    fn decompose(
        &self,
        gamma: f64,
        income: &[f64],
        residual: &dyn Fn(&[f64]) -> Vec<f64>,
    ) -> Option<Vec<f64>> {
        let n = income.len();
        let mut matrix = DMatrix::<f64>::identity(n, n);
        for s in 0..n {
            for &(to, p) in self.row(s) {
                matrix[(s, to as usize)] -= gamma * p;
            }
        }
        let factors = matrix.lu();
        let solved = factors.solve(&DVector::from_column_slice(income))?;
        let mut worth = solved.as_slice().to_vec();
        let correction = factors.solve(&DVector::from_vec(residual(&worth)))?;
        for (w, d) in worth.iter_mut().zip(correction.iter()) {
            *w += d;
        }
        Some(worth)
    }
}

/// `(1 - gamma) R`.
pub(super) fn income(discount: Discount, rewards: &[f64]) -> Vec<f64> {
    rewards.iter().map(|r| discount.complement() * r).collect()
}

/// The range that no way to act leaves: all rewards, and 0 for an agent that stops.
pub(super) fn range(rewards: &[f64]) -> f64 {
    let ends = rewards.iter().fold((0.0_f64, 0.0_f64), |(low, high), &r| {
        (low.min(r), high.max(r))
    });
    ends.1 - ends.0
}

/// The choices of a state as positions in `[n_choices]`.
pub(super) fn positions(mdp: &Mdp, state: StateId) -> std::ops::Range<usize> {
    let mut choices = mdp.choices(state);
    let (n, first) = (choices.len(), choices.next().map_or(0, |c| c.index()));
    first..first + n
}

//! For which rewards a policy is optimal: a cone, whose walls are the other choices.
//!
//! Source: Ng & Russell 2000, "Algorithms for inverse reinforcement learning", theorem 3.

use super::Mdp;
use super::visits::representative;
use crate::units::{ChoiceId, Discount, StateId};

/// Inequalities that rewards of states meet exactly where a deterministic policy, `[n_states]`, is optimal from every state: for every other choice of a state a row, `[n_states]`,
/// with `row . R >= 0`. Choices with equal rows are one choice.
///
/// A choice is worth no more than that of the policy when `(T(s, pi(s)) - T(s, a)) (I - gamma P)^-1 R >= 0`, with P the moves of the policy. Rows are those times
/// 1 - gamma: what is lost by the choice on the scale of `(1 - gamma) V`, from the next step on.
///
/// # Precision
///
/// Double; the matrix is diagonally dominant, so that it is inverted without pivots, and an entry's error is near 1e-16 / (1 - gamma).
#[must_use]
pub fn preferring(mdp: &Mdp, policy: &[ChoiceId], discount: Discount) -> Vec<Vec<f64>> {
    let n = mdp.n_states();
    let visits = visits(mdp, policy, discount);
    let mut rows = Vec::new();
    for (state, &own) in policy.iter().enumerate() {
        let own = representative(mdp, own);
        for choice in mdp.choices(StateId(state as u32)) {
            if representative(mdp, choice) != choice || choice == own {
                continue;
            }
            let mut row = vec![0.0; n];
            for (of, sign) in [(own, 1.0), (choice, -1.0)] {
                let (to, p) = mdp.row(of);
                for (&to, p) in to.iter().zip(p) {
                    let from = &visits[to as usize * n..(to as usize + 1) * n];
                    row.iter_mut()
                        .zip(from)
                        .for_each(|(x, v)| *x += sign * p * v);
                }
            }
            rows.push(row);
        }
    }
    rows
}

/// `(1 - gamma) (I - gamma P)^-1`, row by row, by Gauss-Jordan elimination.
fn visits(mdp: &Mdp, policy: &[ChoiceId], discount: Discount) -> Vec<f64> {
    let n = mdp.n_states();
    let (gamma, complement) = (discount.used(), discount.complement());
    let (mut matrix, mut inverse) = (vec![0.0; n * n], vec![0.0; n * n]);
    for (state, &choice) in policy.iter().enumerate() {
        matrix[state * n + state] = 1.0;
        inverse[state * n + state] = complement;
        let (to, p) = mdp.row(choice);
        for (&to, p) in to.iter().zip(p) {
            matrix[state * n + to as usize] -= gamma * p;
        }
    }
    for pivot in 0..n {
        let scale = 1.0 / matrix[pivot * n + pivot];
        let own = pivot * n..(pivot + 1) * n;
        matrix[own.clone()].iter_mut().for_each(|x| *x *= scale);
        inverse[own.clone()].iter_mut().for_each(|x| *x *= scale);
        let (row, of) = (matrix[own.clone()].to_vec(), inverse[own].to_vec());
        for other in (0..n).filter(|other| *other != pivot) {
            let factor = matrix[other * n + pivot];
            if factor == 0.0 {
                continue;
            }
            let at = other * n..(other + 1) * n;
            let each = matrix[at.clone()].iter_mut().zip(&row);
            each.for_each(|(x, y)| *x -= factor * y);
            let each = inverse[at].iter_mut().zip(&of);
            each.for_each(|(x, y)| *x -= factor * y);
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn a_step_on_the_way_counts_for_what_it_takes() {
        // s goes to an end at once, or through a room to another.
        let mut b = MdpBuilder::new("two ways");
        let [s, room, near, far] = ["s", "room", "near", "far"].map(|n| b.state(n));
        b.choice(s, "now", [(near, 1.0)]);
        b.choice(s, "later", [(room, 1.0)]);
        b.choice(s, "later too", [(room, 1.0)]);
        b.choice(room, "on", [(far, 1.0)]);
        b.absorbing(near);
        b.absorbing(far);
        let mdp = b.build().unwrap();
        let gamma = Discount::new(0.75).unwrap();
        let of = |at: u32| vec![ChoiceId(at), ChoiceId(3), ChoiceId(4), ChoiceId(5)];
        // The end for ever, against the room once and then the other end.
        assert_eq!(preferring(&mdp, &of(0), gamma), [[0.0, -0.25, 1.0, -0.75]]);
        assert_eq!(preferring(&mdp, &of(2), gamma), [[0.0, 0.25, -1.0, 0.75]]);
    }
}

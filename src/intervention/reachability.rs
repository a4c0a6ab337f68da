//! How well every state can be reached from every other: a property of the MDP alone.

use crate::mdp::Mdp;
use crate::units::ChoiceId;

/// Sweeps after which a row is taken as it is: `discount^sweeps` of it is then missing at most.
const MAX_SWEEPS: u32 = 100_000;

/// A sweep that moves nothing by more than this is the last.
const STILL: f64 = 1e-15;

/// `Rch(s; x)`, the largest expected power of `discount` to the number of steps from s to x (1 for x itself, 0 where it cannot be reached): for every
/// x, `[n_states]` by s.
///
/// # Precision
///
/// Iterated from below until nothing moves by more than 1e-15: see `reachability_half_width`.
///
/// # Source
///
/// Krakovna et al. (2018), "Penalizing side effects using stepwise relative reachability", definition 2.
#[must_use]
pub fn reachability(mdp: &Mdp, discount: f64) -> Vec<Vec<f64>> {
    let of = |target: usize| {
        let mut reach = vec![0.0; mdp.n_states()];
        reach[target] = 1.0;
        for _ in 0..MAX_SWEEPS {
            let mut moved = 0.0_f64;
            for state in mdp.states().filter(|s| s.index() != target) {
                let step = |c| {
                    let (to, p) = mdp.row(c);
                    let terms = to.iter().zip(p);
                    terms.map(|(t, p)| p * reach[*t as usize]).sum::<f64>()
                };
                let best = mdp.choices(state).map(step).fold(0.0, f64::max);
                let next = discount * best;
                moved = moved.max((next - reach[state.index()]).abs());
                reach[state.index()] = next;
            }
            if moved <= STILL {
                break;
            }
        }
        reach
    };
    (0..mdp.n_states()).map(of).collect()
}

/// How far any number of [`reachability`] may be off. A sweep contracts by the discount, so that what still moves by [`STILL`] is within that over `1 - discount` of
/// where it ends, and the roundings of every sweep, one for every term of a row and two more of numbers up to 1, likewise; sweeps that were left out move by no more than `discount^sweeps`.
pub(super) fn reachability_half_width(mdp: &Mdp, discount: f64) -> f64 {
    let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
    let longest = choices.map(|c| mdp.row(c).0.len()).max().unwrap_or(0);
    let rounding = (longest + 2) as f64 * f64::EPSILON / 2.0;
    (STILL + rounding) / (1.0 - discount) + discount.powi(MAX_SWEEPS as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn reach_is_a_power_of_the_distance() {
        let mut b = MdpBuilder::new("line");
        let [s, t, u] = ["s", "t", "u"].map(|n| b.state(n));
        b.choice(s, "on", [(t, 1.0)]);
        b.choice(t, "on", [(u, 0.5), (t, 0.5)]);
        b.choice(t, "back", [(s, 1.0)]);
        b.absorbing(u);
        let reach = reachability(&b.build().unwrap(), 0.9);
        // From t, u is reached with 1/2 in every step: 0.45 + 0.45 x = x.
        let x = 0.45 / 0.55;
        let close = |a: f64, b: f64| (a - b).abs() < 1e-13;
        assert!(close(reach[2][1], x) && close(reach[2][0], 0.9 * x));
        assert_eq!((reach[0][2], reach[0][0], reach[0][1]), (0.0, 1.0, 0.9));
    }
}

//! What a state leaves open, whatever is rewarded: how much can be reached from it, and how much an agent decides.

use super::graph::{Components, reachable};
use super::{ChoiceId, Mdp, StateId};

/// Structure of every state that does not depend on goals: baselines to hold POWER against.
#[derive(Clone, Debug, PartialEq)]
pub struct Influence {
    /// States that some policy reaches from each state, itself included, `[n_states]`.
    pub reachable: Vec<usize>,
    /// Components that cannot be left among them, `[n_states]`.
    pub ends: Vec<usize>,
    /// Empowerment in bits, `[n_states]` (see [`empowerment`]); `None` where it is not defined here.
    pub empowerment: Vec<Option<f64>>,
}

impl Influence {
    /// Most states of an MDP it is measured of: each component is searched on its own.
    pub const MAX_STATES: usize = 20_000;

    /// Measures an MDP, with the empowerment of so many steps.
    #[must_use]
    pub fn of(mdp: &Mdp, steps: u32) -> Self {
        let components = Components::of(mdp);
        let closed: Vec<bool> = (0..components.len())
            .map(|c| components.is_closed(mdp, c))
            .collect();
        // All states of a component reach the same.
        let of_component = (0..components.len()).map(|component| {
            let first = components.members[component][0];
            let found = reachable(mdp, [first]);
            let mut ends = vec![false; components.len()];
            let states = mdp.states().filter(|s| found[s.index()]);
            let mut n = 0;
            for state in states {
                let of = components.of_state[state.index()] as usize;
                ends[of] = closed[of];
                n += 1;
            }
            (n, ends.iter().filter(|end| **end).count())
        });
        let of_component: Vec<(usize, usize)> = of_component.collect();
        let component = |s: StateId| of_component[components.of_state[s.index()] as usize];
        Self {
            reachable: mdp.states().map(|s| component(s).0).collect(),
            ends: mdp.states().map(|s| component(s).1).collect(),
            empowerment: mdp.states().map(|s| empowerment(mdp, s, steps)).collect(),
        }
    }
}

/// The n-step empowerment of a state in bits: the capacity of the channel from the next n choices to the state that they lead to, max over p of I(A^n; S).
///
/// Where every choice leads to one state with certainty, it is log2 of the number of states that can be reached in exactly n steps; it may rise and fall with n. Else only one
/// step is answered, since the same sequence of choices need not exist wherever chance leads: the capacity is then found by the algorithm of Blahut and Arimoto.
///
/// # Precision
///
/// Within 1e-9 bits below the capacity, or after 100,000 rounds of the algorithm.
///
/// Source: Klyubin, Polani & Nehaniv (2005), "Empowerment: a universal agent-centric measure of control".
#[must_use]
pub fn empowerment(mdp: &Mdp, state: StateId, steps: u32) -> Option<f64> {
    if mdp.is_deterministic() {
        let mut here = vec![state];
        for _ in 0..steps {
            let mut next: Vec<StateId> = here
                .iter()
                .flat_map(|&s| mdp.choices(s))
                .map(|c| StateId(mdp.row(c).0[0]))
                .collect();
            next.sort_unstable();
            next.dedup();
            if next == here {
                break;
            }
            here = next;
        }
        return Some((here.len() as f64).log2());
    }
    match steps {
        0 => Some(0.0),
        1 => Some(capacity(mdp, &mdp.choices(state).collect::<Vec<_>>())),
        _ => None,
    }
}

/// Rounds of the Blahut-Arimoto algorithm.
const ROUNDS: u32 = 100_000;
/// Bits between its bounds at which it stops.
const GAP: f64 = 1e-9;

/// The capacity in bits of the channel from these choices to their successors.
fn capacity(mdp: &Mdp, choices: &[ChoiceId]) -> f64 {
    let mut shares = vec![1.0 / choices.len() as f64; choices.len()];
    let mut least = 0.0;
    let mut arrivals = vec![0.0; mdp.n_states()];
    for _ in 0..ROUNDS {
        arrivals.fill(0.0);
        for (&choice, share) in choices.iter().zip(&shares) {
            let (to, p) = mdp.row(choice);
            for (&t, p) in to.iter().zip(p) {
                arrivals[t as usize] += share * p;
            }
        }
        // 2 to the divergence of each choice's row from where one arrives on average.
        let gains: Vec<f64> = choices
            .iter()
            .map(|&choice| {
                let (to, p) = mdp.row(choice);
                let each = to.iter().zip(p);
                let bits = each.map(|(&t, p)| p * (p / arrivals[t as usize]).log2());
                bits.sum::<f64>().exp2()
            })
            .collect();
        let mean: f64 = shares.iter().zip(&gains).map(|(s, g)| s * g).sum();
        let most = gains.iter().copied().fold(0.0, f64::max).log2();
        least = mean.log2();
        if most - least <= GAP {
            break;
        }
        for (share, gain) in shares.iter_mut().zip(&gains) {
            *share *= gain / mean;
        }
    }
    least.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    /// Candy or wait, and then chocolate or a hug.
    fn candy() -> Mdp {
        let mut b = MdpBuilder::new("candy");
        let [s, candy, wait, choc, hug] =
            ["s", "candy", "wait", "choc", "hug"].map(|name| b.state(name));
        b.choice(s, "candy", [(candy, 1.0)]);
        b.choice(s, "wait", [(wait, 1.0)]);
        b.choice(wait, "choc", [(choc, 1.0)]);
        b.choice(wait, "hug", [(hug, 1.0)]);
        for end in [candy, choc, hug] {
            b.absorbing(end);
        }
        b.build().unwrap()
    }

    #[test]
    fn what_is_in_reach_is_counted() {
        let mdp = candy();
        let found = Influence::of(&mdp, 2);
        assert_eq!(found.reachable, [5, 1, 3, 1, 1]);
        assert_eq!(found.ends, [3, 1, 2, 1, 1]);
        let three = 3.0_f64.log2();
        assert_eq!(
            found.empowerment,
            [three, 0.0, 1.0, 0.0, 0.0].map(Some).to_vec()
        );
        assert_eq!(Influence::of(&mdp, 1).empowerment[0], Some(1.0));
    }

    #[test]
    fn a_noisy_choice_has_the_capacity_of_its_channel() {
        // A binary symmetric channel of error 0.1 has 1 - h(0.1) bits, and a Z-channel of error 1/2 has log2(5/4).
        let binary = |rows: [[f64; 2]; 2]| {
            let mut b = MdpBuilder::new("channel");
            let [s, x, y] = ["s", "x", "y"].map(|name| b.state(name));
            for (name, [p, q]) in ["a", "b"].into_iter().zip(rows) {
                let row = [(x, p), (y, q)].into_iter().filter(|(_, p)| *p > 0.0);
                b.choice(s, name, row);
            }
            b.absorbing(x);
            b.absorbing(y);
            let mdp = b.build().unwrap();
            [1, 2].map(|steps| empowerment(&mdp, s, steps))
        };
        let [one, two] = binary([[0.9, 0.1], [0.1, 0.9]]);
        let h = -(0.9 * 0.9_f64.log2() + 0.1 * 0.1_f64.log2());
        assert!((one.unwrap() - (1.0 - h)).abs() < 1e-8 && two.is_none());
        let [one, _] = binary([[1.0, 0.0], [0.5, 0.5]]);
        assert!((one.unwrap() - 1.25_f64.log2()).abs() < 1e-8, "{one:?}");
        let [one, _] = binary([[0.5, 0.5], [0.5, 0.5]]);
        assert!(one.unwrap() < 1e-9);
    }
}

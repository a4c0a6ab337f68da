//! What a state leaves open, whatever is rewarded: how much can be reached from it, and how much an agent decides.

use super::graph::{Components, reachable};
use super::{Mdp, StateId, VisitDistributions};

/// Structure of every state that does not depend on goals: baselines to hold POWER against.
#[derive(Clone, Debug, PartialEq)]
pub struct Influence {
    /// States that some policy reaches from each state, itself included, `[n_states]`.
    pub reachable: Vec<usize>,
    /// Components that cannot be left among them, `[n_states]`.
    pub ends: Vec<usize>,
    /// Empowerment in bits, `[n_states]` (see [`empowerment`]); `None` where it is not defined here.
    pub empowerment: Vec<Option<f64>>,
    /// Visit distributions, `[n_states]`; `None` where there are too many.
    pub visits: Vec<Option<VisitDistributions>>,
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
            visits: (mdp.states())
                .map(|s| VisitDistributions::of(mdp, s))
                .collect(),
        }
    }
}

/// The n-step empowerment of a state in bits: the capacity of the channel from the next n choices to the state that they lead to, max over p of I(A^n; S).
///
/// Where every choice leads to one state with certainty, it is log2 of the number of states that can be reached in exactly n steps; it may rise and fall with n. Else
/// the capacity is found by the algorithm of Blahut and Arimoto, over sequences of n actions that are settled on beforehand. Such a sequence must mean something wherever chance leads: all
/// states on the way must have the same actions, but for those with one choice, which happens there whatever is done. `None` where they do not, and where the sequences lead to more than
/// 2,000 different distributions.
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
    let rows = sequences(mdp, state, steps)?;
    Some(capacity(mdp.n_states(), &rows))
}

/// Most distributions that sequences of actions lead to.
const MOST_ROWS: usize = 2_000;

/// A distribution over states, by number.
type Arrivals = Vec<(u32, f64)>;

/// Where sequences of so many actions lead, each distribution once: equal ones are one input of the channel.
fn sequences(mdp: &Mdp, from: StateId, steps: u32) -> Option<Vec<Arrivals>> {
    let mut rows: Vec<Arrivals> = vec![vec![(from.0, 1.0)]];
    for _ in 0..steps {
        let mut next: Vec<Arrivals> = Vec::new();
        for row in &rows {
            let here = || row.iter().map(|(s, _)| StateId(*s));
            let decides = here().find(|s| mdp.choices(*s).len() > 1);
            let actions = mdp.choices(decides.unwrap_or(StateId(row[0].0)));
            for action in actions {
                next.push(after(mdp, row, mdp.action_name(action))?);
            }
            let n = decides.map_or(1, |s| mdp.choices(s).len());
            let others = here().map(|s| mdp.choices(s).len());
            // An action that only some of the states have.
            if others.into_iter().any(|m| m != 1 && m != n) {
                return None;
            }
        }
        next.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        next.dedup();
        if next.len() > MOST_ROWS {
            return None;
        }
        if next == rows {
            break;
        }
        rows = next;
    }
    Some(rows)
}

/// Where an action leads from states with these probabilities. `None` where a state that has several does not have it.
fn after(mdp: &Mdp, row: &Arrivals, action: &str) -> Option<Arrivals> {
    let mut arrivals = std::collections::BTreeMap::new();
    for &(state, p) in row {
        let mut choices = mdp.choices(StateId(state));
        let choice = match choices.len() {
            1 => choices.next(),
            _ => choices.find(|c| mdp.action_name(*c) == action),
        };
        let (to, q) = mdp.row(choice?);
        for (&to, q) in to.iter().zip(q) {
            *arrivals.entry(to).or_insert(0.0) += p * q;
        }
    }
    Some(arrivals.into_iter().collect())
}

/// Rounds of the Blahut-Arimoto algorithm.
const ROUNDS: u32 = 100_000;
/// Bits between its bounds at which it stops.
const GAP: f64 = 1e-9;

/// The capacity in bits of the channel whose inputs lead to one of `n_states` with these probabilities.
fn capacity(n_states: usize, rows: &[Arrivals]) -> f64 {
    let mut shares = vec![1.0 / rows.len() as f64; rows.len()];
    let mut least = 0.0;
    let mut arrivals = vec![0.0; n_states];
    for _ in 0..ROUNDS {
        arrivals.fill(0.0);
        for (row, share) in rows.iter().zip(&shares) {
            for &(to, p) in row {
                arrivals[to as usize] += share * p;
            }
        }
        // 2 to the divergence of each choice's row from where one arrives on average.
        let gains: Vec<f64> = rows
            .iter()
            .map(|row| {
                let each = row.iter();
                let bits = each.map(|&(to, p)| p * (p / arrivals[to as usize]).log2());
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
        // What stays where it is has lost nothing after another step.
        assert!((one.unwrap() - (1.0 - h)).abs() < 1e-8 && two == one);
        let [one, _] = binary([[1.0, 0.0], [0.5, 0.5]]);
        assert!((one.unwrap() - 1.25_f64.log2()).abs() < 1e-8, "{one:?}");
        let [one, _] = binary([[0.5, 0.5], [0.5, 0.5]]);
        assert!(one.unwrap() < 1e-9);
    }

    #[test]
    fn several_noisy_steps_are_a_channel_of_sequences() {
        // On a ring of four, "on" goes one further or, once in ten times, stays; "wait" stays. Two steps: waiting twice, once, and never.
        let ring = |names: [&str; 2]| {
            let mut b = MdpBuilder::new("ring");
            let s: Vec<_> = (0..4).map(|i| b.state(format!("s{i}"))).collect();
            for i in 0..4 {
                let name = if i == 1 { names[1] } else { names[0] };
                b.choice(s[i], name, [(s[(i + 1) % 4], 0.9), (s[i], 0.1)]);
                b.choice(s[i], "wait", [(s[i], 1.0)]);
            }
            b.build().unwrap()
        };
        let found = empowerment(&ring(["on", "on"]), StateId(0), 2).unwrap();
        // The same capacity by going through all shares of the three inputs on a grid.
        let rows = [[1.0, 0.0, 0.0], [0.1, 0.9, 0.0], [0.01, 0.18, 0.81]];
        let n = 200;
        let mut most = 0.0_f64;
        for i in 0..=n {
            for j in 0..=n - i {
                let shares = [i, j, n - i - j].map(|k| f64::from(k) / f64::from(n));
                let to = [0, 1, 2].map(|s| (0..3).map(|a| shares[a] * rows[a][s]).sum::<f64>());
                let each = (0..3).flat_map(|a| (0..3).map(move |s| (a, s)));
                let bits = each.filter(|(a, s)| shares[*a] * rows[*a][*s] > 0.0);
                let bits = bits.map(|(a, s)| shares[a] * rows[a][s] * (rows[a][s] / to[s]).log2());
                most = most.max(bits.sum());
            }
        }
        assert!(
            found >= most - 1e-9 && found < most + 1e-4,
            "{found} {most}"
        );
        assert_eq!(empowerment(&ring(["on", "go"]), StateId(0), 2), None);
        assert!(empowerment(&ring(["on", "go"]), StateId(0), 1).is_some());
    }
}

//! Theorems of the literature whose conditions are about the graph alone: which of them hold of an MDP, and what they promise.
//!
//! Sources: Turner et al. 2021, proposition 6.9 and corollary 6.14; Turner & Tadepalli 2022, corollary D.12; Krakovna & Kramar 2023, theorem 2. Each is
//! about all permutations of a goal, and hence about laws that draw the rewards of states independently and alike.

use super::graph::reachable;
use super::{ChoiceId, Mdp, StateId};
use crate::units::Discount;

/// Most states of an MDP that is looked at.
const MAX_STATES: usize = 256;
/// Most steps of the search for a copy; beyond it none is claimed.
const MAX_STEPS: u32 = 50_000;
/// Most pairs of choices that are compared.
const MAX_PAIRS: usize = 2_000;
/// Sweeps in which visits are counted from below.
const MAX_SWEEPS: u32 = 20_000;
/// Probabilities closer than this are equal.
const EQUAL: f64 = 1e-12;

/// What a theorem promises of an MDP.
#[derive(Clone, Debug, PartialEq)]
pub enum Theorem {
    /// Whatever can be done after `less` can be done, with other states for the same ones, after `more`: at every discount there is at least as much POWER after `more` (Turner et al. 2021,
    /// proposition 6.9).
    Copy {
        /// The choice with more options.
        more: ChoiceId,
        /// The one with fewer, of the same state.
        less: ChoiceId,
        /// Whether `more` is also optimal for at least as many goals: the state gets to what follows either by these choices alone.
        is_likelier: bool,
    },
    /// A state that cannot be left is one of `others + 1` places where one can stay: at least a share `others / (others + 1)` of goals
    /// avoids it at ->1 (Turner & Tadepalli 2022, corollary D.12).
    End {
        /// The end.
        end: StateId,
        /// Other states where one can stay for ever, within reach of the start.
        others: usize,
    },
    /// A choice of the start that ends all, at an end that pays once: at least a share `n / (n + 1)` of goals with rewards of 0 or more does not take it (Krakovna & Kramar 2023, theorem 2).
    Shutdown {
        /// The choice.
        choice: ChoiceId,
        /// States that can be visited again and again from the start so that their discounted number of visits exceeds one.
        n: usize,
    },
}

impl Theorem {
    /// All that hold of an MDP of at most 256 states; `discount` is that of visits.
    #[must_use]
    pub fn of(mdp: &Mdp, discount: Discount) -> Vec<Self> {
        let mut all = Vec::new();
        if mdp.n_states() > MAX_STATES {
            return all;
        }
        let mut pairs = 0;
        for state in mdp.states() {
            let choices: Vec<ChoiceId> = mdp.choices(state).collect();
            for &more in &choices {
                for &less in choices.iter().filter(|c| mdp.row(**c) != mdp.row(more)) {
                    pairs += 1;
                    if pairs <= MAX_PAIRS && contains_copy(mdp, state, more, less) {
                        all.push(Self::Copy {
                            more,
                            less,
                            is_likelier: is_alone(mdp, state, more, less),
                        });
                    }
                }
            }
        }
        all.extend(ends(mdp));
        all.extend(shutdowns(mdp, discount));
        all
    }

    /// The share that it promises, where it promises one.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let of = |n: usize| n as f64 / (n as f64 + 1.0);
        match self {
            Self::Copy { .. } => None,
            Self::End { others, .. } => Some(of(*others)),
            Self::Shutdown { n, .. } => Some(of(*n)),
        }
    }

    /// Where it is found.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Self::Copy { .. } => "Turner et al. 2021, prop. 6.9",
            Self::End { .. } => "Turner & Tadepalli 2022, cor. D.12",
            Self::Shutdown { .. } => "Krakovna & Kramar 2023, thm. 2",
        }
    }
}

/// States that follow a choice.
fn after(mdp: &Mdp, choice: ChoiceId) -> Vec<bool> {
    reachable(mdp, mdp.row(choice).0.iter().map(|s| StateId(*s)))
}

/// Whether F(s | more) contains a copy of F(s | less): a renaming of states in pairs that leaves s alone and carries all that follows `less` into what follows `more`. A search that gives up
/// finds none.
fn contains_copy(mdp: &Mdp, state: StateId, more: ChoiceId, less: ChoiceId) -> bool {
    let (there, here) = (after(mdp, more), after(mdp, less));
    // The proposition asks for it, and a renaming that leaves s alone needs it.
    if here[state.index()] {
        return false;
    }
    let mut search = Search {
        mdp,
        here,
        there,
        state,
        steps: 0,
    };
    let named = Renaming {
        to: vec![None; mdp.n_states()],
        from: vec![None; mdp.n_states()],
        waiting: Vec::new(),
    };
    search.rows(less, more, 0, named)
}

/// A renaming in the making.
#[derive(Clone)]
struct Renaming {
    to: Vec<Option<u32>>,
    from: Vec<Option<u32>>,
    /// Choices of renamed states that must be found again at their new names.
    waiting: Vec<ChoiceId>,
}

struct Search<'a> {
    mdp: &'a Mdp,
    /// What follows the one choice, and the other.
    here: Vec<bool>,
    there: Vec<bool>,
    state: StateId,
    steps: u32,
}

impl Search<'_> {
    /// Whether a renaming can be completed in which the row of `choice`, from its successor number `at` on, becomes that of `other`.
    fn rows(&mut self, choice: ChoiceId, other: ChoiceId, at: usize, named: Renaming) -> bool {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return false;
        }
        let (mdp, other_row) = (self.mdp, self.mdp.row(other));
        let (to, p) = mdp.row(choice);
        if to.len() != other_row.0.len() {
            return false;
        }
        let Some(&from) = to.get(at) else {
            return self.rest(named);
        };
        for (&into, q) in other_row.0.iter().zip(other_row.1) {
            if (p[at] - q).abs() > EQUAL {
                continue;
            }
            if let Some(next) = self.name(from, into, named.clone())
                && self.rows(choice, other, at + 1, next)
            {
                return true;
            }
        }
        false
    }

    /// Whether the choices that wait can all be found.
    fn rest(&mut self, mut named: Renaming) -> bool {
        let Some(choice) = named.waiting.pop() else {
            return true;
        };
        let state = self.mdp.state_of(choice);
        let Some(into) = named.to[state.index()] else {
            return false;
        };
        let mdp = self.mdp;
        mdp.choices(StateId(into))
            .any(|other| self.rows(choice, other, 0, named.clone()))
    }

    /// Calls a state by the name of another, and that by its own.
    fn name(&self, from: u32, into: u32, mut named: Renaming) -> Option<Renaming> {
        let (f, i) = (from as usize, into as usize);
        if let Some(known) = named.to[f] {
            return (known == into).then_some(named);
        }
        if named.from[i].is_some() || !self.there[i] || StateId(into) == self.state {
            return None;
        }
        // In pairs: whoever has this state's name gives it its own.
        if named.from[f].is_some_and(|x| x != into) || named.to[i].is_some_and(|x| x != from) {
            return None;
        }
        (named.to[f], named.from[i]) = (Some(into), Some(from));
        named.waiting.extend(self.mdp.choices(StateId(from)));
        match from != into && self.here[i] && named.to[i].is_none() {
            true => self.name(into, from, named),
            false => Some(named),
        }
    }
}

/// Whether a state gets to what follows two of its choices by choices with the same rows alone.
fn is_alone(mdp: &Mdp, state: StateId, more: ChoiceId, less: ChoiceId) -> bool {
    let (a, b) = (after(mdp, more), after(mdp, less));
    let others = mdp.choices(state).filter(|c| {
        let row = mdp.row(*c);
        row != mdp.row(more) && row != mdp.row(less)
    });
    let mut all = others.flat_map(|c| without_returning(mdp, state, c));
    all.all(|s| !a[s.index()] && !b[s.index()])
}

/// States that follow a choice of a state before it comes back.
fn without_returning(mdp: &Mdp, state: StateId, choice: ChoiceId) -> Vec<StateId> {
    let mut seen = vec![false; mdp.n_states()];
    seen[state.index()] = true;
    let mut waiting: Vec<u32> = mdp.row(choice).0.to_vec();
    let mut found = Vec::new();
    while let Some(next) = waiting.pop() {
        if std::mem::replace(&mut seen[next as usize], true) {
            continue;
        }
        found.push(StateId(next));
        let choices = mdp.choices(StateId(next));
        waiting.extend(choices.flat_map(|c| mdp.row(c).0));
    }
    found
}

/// Whether one can stay in a state.
fn can_stay(mdp: &Mdp, state: StateId) -> bool {
    mdp.choices(state).any(|c| mdp.row(c).0 == [state.0])
}

fn ends(mdp: &Mdp) -> Vec<Theorem> {
    let &[(start, _)] = mdp.start() else {
        return Vec::new();
    };
    // Where moves are uncertain a state in reach need not be reached for certain.
    if !mdp.is_deterministic() {
        return Vec::new();
    }
    let found = reachable(mdp, [start]);
    let stays = mdp
        .states()
        .filter(|s| found[s.index()] && can_stay(mdp, *s));
    let stays: Vec<StateId> = stays.collect();
    let ends = stays.iter().filter(|s| mdp.is_absorbing(**s));
    let others = stays.len().saturating_sub(1);
    let all = ends.map(|&end| Theorem::End { end, others });
    all.filter(|_| others > 0).collect()
}

fn shutdowns(mdp: &Mdp, discount: Discount) -> Vec<Theorem> {
    let &[(start, _)] = mdp.start() else {
        return Vec::new();
    };
    if discount.limit().is_some() {
        return Vec::new();
    }
    let is_end = |c: &ChoiceId| match mdp.row(*c).0 {
        [to] => mdp.is_absorbing(StateId(*to)),
        _ => false,
    };
    let ending: Vec<ChoiceId> = mdp.choices(start).filter(is_end).collect();
    let all = ending.into_iter().filter_map(|choice| {
        let end = StateId(mdp.row(choice).0[0]);
        let again = |s: &StateId| *s != end && revisits(mdp, start, *s, discount.used());
        let n = mdp.states().filter(again).count();
        (n > 0).then_some(Theorem::Shutdown { choice, n })
    });
    all.collect()
}

/// Whether the discounted number of visits of a state from the next step on, `sum over t >= 1 of gamma^(t-1) P(s_t = s)`, can exceed one. Counted from below, so that
/// rounding aside it never says so of what cannot.
fn revisits(mdp: &Mdp, start: StateId, target: StateId, gamma: f64) -> bool {
    let mut visits = vec![0.0; mdp.n_states()];
    for _ in 0..MAX_SWEEPS {
        let mut most_change = 0.0_f64;
        for state in mdp.states() {
            let each = mdp.choices(state).map(|choice| -> f64 {
                let (to, p) = mdp.row(choice);
                let terms = to.iter().zip(p).map(|(&t, p)| {
                    let here = f64::from(u8::from(t == target.0));
                    p * (here + gamma * visits[t as usize])
                });
                terms.sum()
            });
            let most = each.fold(0.0, f64::max);
            most_change = most_change.max(most - visits[state.index()]);
            visits[state.index()] = most;
        }
        if visits[start.index()] > 1.0 + 1e-9 {
            return true;
        }
        // What is still to come is no more than the last change, and so on: it will not do.
        if visits[start.index()] + most_change * gamma / (1.0 - gamma) < 1.0 {
            return false;
        }
        if most_change < 1e-12 {
            break;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    fn world(edges: &[(&str, &[&str])]) -> Mdp {
        let mut b = MdpBuilder::new("world");
        let states: Vec<_> = edges.iter().map(|(name, _)| b.state(*name)).collect();
        let find = |name: &str| states[edges.iter().position(|(n, _)| *n == name).unwrap()];
        for (name, to) in edges {
            for next in *to {
                b.choice(find(name), *next, [(find(next), 1.0)]);
            }
        }
        b.start(states[0]);
        b.build().unwrap()
    }

    fn copies(mdp: &Mdp) -> Vec<(String, String, bool)> {
        let all = Theorem::of(mdp, Discount::new(0.9).unwrap());
        let copies = all.iter().filter_map(|t| match t {
            Theorem::Copy {
                more,
                less,
                is_likelier,
            } => Some((
                mdp.action_name(*more).to_owned(),
                mdp.action_name(*less).to_owned(),
                *is_likelier,
            )),
            _ => None,
        });
        copies.collect()
    }

    #[test]
    fn more_options_contain_a_copy_of_fewer() {
        let candy = world(&[
            ("s", &["candy", "wait"]),
            ("candy", &["candy"]),
            ("wait", &["choc", "hug"]),
            ("choc", &["choc"]),
            ("hug", &["hug"]),
        ]);
        // Waiting leads on before it ends: what one has at once is not what one has later.
        assert_eq!(
            copies(&candy),
            [
                ("choc".to_owned(), "hug".to_owned(), true),
                ("hug".to_owned(), "choc".to_owned(), true)
            ]
        );
        let fork = world(&[
            ("s", &["few", "many"]),
            ("few", &["a"]),
            ("many", &["b", "c"]),
            ("a", &["a"]),
            ("b", &["b"]),
            ("c", &["c"]),
        ]);
        let found = copies(&fork);
        assert!(found.contains(&("many".to_owned(), "few".to_owned(), true)));
        assert!(!found.iter().any(|(more, ..)| more == "few"));
        // Another way to what is many makes it no likelier.
        let third = world(&[
            ("s", &["few", "many", "way"]),
            ("few", &["a"]),
            ("many", &["b", "c"]),
            ("way", &["many"]),
            ("a", &["a"]),
            ("b", &["b"]),
            ("c", &["c"]),
        ]);
        assert!(copies(&third).contains(&("many".to_owned(), "few".to_owned(), false)));
        // Figure 1 of Turner et al.: right contains a copy of left, and not the other way round.
        let figure = world(&[
            ("star", &["l_tri", "null", "r_tri"]),
            ("null", &["null"]),
            ("l_tri", &["l_nw", "l_sw"]),
            ("l_nw", &["l_sw"]),
            ("l_sw", &["l_sw", "l_nw"]),
            ("r_tri", &["r_ne", "r_se"]),
            ("r_ne", &["r_ne", "r_se"]),
            ("r_se", &["r_se", "r_ne"]),
        ]);
        let found = copies(&figure);
        assert!(found.contains(&("r_tri".to_owned(), "l_tri".to_owned(), true)));
        assert!(!found.contains(&("l_tri".to_owned(), "r_tri".to_owned(), true)));
        assert!(!found.iter().any(|(more, ..)| more == "null"));
    }

    #[test]
    fn ends_and_visits_are_counted() {
        let star = world(&[
            ("s", &["off", "a", "b", "ring"]),
            ("off", &["off"]),
            ("a", &["a"]),
            ("b", &["b", "s"]),
            ("ring", &["turn"]),
            ("turn", &["ring"]),
        ]);
        let all = Theorem::of(&star, Discount::new(0.9).unwrap());
        let end = |name: &str| star.find_state(name).unwrap();
        // One can stay in off, a and b; b can be left.
        let ends: Vec<_> = all
            .iter()
            .filter(|t| matches!(t, Theorem::End { .. }))
            .collect();
        assert_eq!(
            ends,
            [
                &Theorem::End {
                    end: end("off"),
                    others: 2
                },
                &Theorem::End {
                    end: end("a"),
                    others: 2
                },
            ]
        );
        assert_eq!(ends[0].share(), Some(2.0 / 3.0));
        // Every state but the end itself: a and off 10 times, b 10, s every other step by b, ring and turn.
        let off = all.iter().find_map(|t| match t {
            Theorem::Shutdown { choice, n } if star.action_name(*choice) == "off" => Some(*n),
            _ => None,
        });
        assert_eq!(off, Some(5));
        // From the start a visit of s is one step later: gamma / (1 - gamma^2) exceeds one from gamma = 0.618 on.
        let short = Theorem::of(&star, Discount::new(0.6).unwrap());
        let off = short.iter().find_map(|t| match t {
            Theorem::Shutdown { choice, n } if star.action_name(*choice) == "off" => Some(*n),
            _ => None,
        });
        // The ring is entered at once: 1 / (1 - gamma^2); its other half a step later.
        assert_eq!(off, Some(3));
    }
}

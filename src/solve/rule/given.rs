//! A policy from outside, of a trained agent say: probabilities of choices that are the same whatever the goal.

use std::collections::HashMap;
use std::sync::Arc;

use super::evaluate::{Moves, U, income};
use super::solver::{Acted, Method};
use super::steps::acted;
use crate::document::nearest;
use crate::mdp::{BaseState, Mdp};
use crate::statistics::behaviour::{Acting, Optimum, refine};
use crate::units::{ChoiceId, Discount, StateId};

/// What the probabilities of a state may miss of one: 160 numbers rounded to single precision miss it by less. They are divided by their sum.
const SUM: f64 = 1e-5;

/// Problems that are told one by one.
const TOLD: usize = 20;

/// A policy as it was written: probabilities of the choices of states, by name or by number.
///
/// ```
/// use powersweep::mdp::MdpBuilder;
/// use powersweep::solve::{GivenPolicy, PolicyRow, Which};
///
/// let mut builder = MdpBuilder::new("fork");
/// let (here, end) = (builder.state("here"), builder.state("end"));
/// builder.choice(here, "stay", [(here, 1.0)]);
/// builder.choice(here, "leave", [(end, 1.0)]);
/// builder.absorbing(end);
/// let mdp = builder.build().unwrap();
/// let name = |name: &str| Which::Name(name.to_owned());
/// let row = PolicyRow { state: name("here"), shares: vec![(name("leave"), 1.0)] };
/// let policy = GivenPolicy::new("leaver", vec![row], None);
/// assert_eq!(policy.shares(&mdp, &mdp).unwrap(), [0.0, 1.0, 1.0]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GivenPolicy {
    name: String,
    content: Content,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    /// As it was written, with the number of columns where actions have numbers.
    Written(Vec<PolicyRow>, Option<usize>),
    /// The probability of every choice of one MDP, `[n_choices]`.
    Shares(Arc<[f64]>),
}

/// What a policy does in one state.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRow {
    /// The state.
    pub state: Which,
    /// Its actions with their probabilities; those left out have none.
    pub shares: Vec<(Which, f64)>,
}

/// A state, or an action of a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Which {
    /// By its position.
    Number(usize),
    /// By its name.
    Name(String),
}

impl GivenPolicy {
    /// A policy by its rows. `columns` is how many actions were told apart where they have numbers: a state whose number of choices is neither that nor one
    /// has no choice that a number stands for.
    #[must_use]
    pub fn new(name: impl Into<String>, rows: Vec<PolicyRow>, columns: Option<usize>) -> Self {
        Self {
            name: name.into(),
            content: Content::Written(rows, columns),
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same policy for one MDP: what became of `base`, of which it was written.
    ///
    /// # Errors
    ///
    /// As [`shares`](Self::shares).
    pub fn on(&self, base: &Mdp, mdp: &Mdp) -> Result<Self, Vec<String>> {
        Ok(Self {
            name: self.name.clone(),
            content: Content::Shares(self.shares(base, mdp)?.into()),
        })
    }

    /// The probability of every choice, `[n_choices]`, of an MDP that was made of `base`; `base` itself where nothing was done to it.
    ///
    /// States with one choice take it, whatever the policy says of them. A copy of a state is treated as that state, and choices that were added are not taken: the agent has not learnt
    /// of them.
    ///
    /// # Errors
    ///
    /// One sentence for everything that does not fit, twenty at most.
    pub fn shares(&self, base: &Mdp, mdp: &Mdp) -> Result<Vec<f64>, Vec<String>> {
        let (rows, columns) = match &self.content {
            Content::Shares(shares) if shares.len() == mdp.n_choices() => {
                return Ok(shares.to_vec());
            }
            Content::Shares(_) => return Err(vec![format!("{} is another MDP", mdp.name())]),
            Content::Written(rows, columns) => (rows, *columns),
        };
        let mut fitting = Fitting {
            base,
            problems: Vec::new(),
        };
        // Actions by number alone: told apart as in the state with the most of them.
        let most = || base.states().map(|s| base.choices(s).len()).max();
        let of_base = fitting.of_base(rows, columns.or_else(most));
        let mut shares = vec![0.0; mdp.n_choices()];
        if fitting.problems.is_empty() {
            for state in mdp.states() {
                fitting.transfer(&of_base, mdp, state, &mut shares);
            }
        }
        let mut problems = fitting.problems;
        if problems.is_empty() {
            return Ok(shares);
        }
        if problems.len() > TOLD {
            let more = problems.len() - TOLD;
            problems.truncate(TOLD);
            problems.push(format!("and {more} more"));
        }
        Err(problems)
    }
}

/// A policy on its way to an MDP.
struct Fitting<'a> {
    base: &'a Mdp,
    problems: Vec<String>,
}

/// Probabilities of the choices of the states of the base; `None` where there is nothing to choose.
type OfBase = Vec<Option<Vec<(ChoiceId, f64)>>>;

impl Fitting<'_> {
    fn problem(&mut self, message: String) {
        self.problems.push(message);
    }

    fn of_base(&mut self, rows: &[PolicyRow], columns: Option<usize>) -> OfBase {
        let base = self.base;
        let names: Vec<&str> = base.states().map(|s| base.state_name(s)).collect();
        let by_name: HashMap<&str, usize> = names.iter().copied().zip(0..).collect();
        let mut found: OfBase = vec![None; base.n_states()];
        let mut is_told = vec![false; base.n_states()];
        let numbered = rows.iter().any(|r| matches!(r.state, Which::Number(_)));
        if numbered && rows.len() != base.n_states() {
            self.problem(format!(
                "it has {} rows, and {} has {} states",
                rows.len(),
                base.name(),
                base.n_states()
            ));
            return found;
        }
        for row in rows {
            let at = match &row.state {
                Which::Number(at) => Some(*at).filter(|at| *at < base.n_states()),
                Which::Name(name) => by_name.get(name.as_str()).copied(),
            };
            let Some(at) = at else {
                self.unknown(&row.state, "state", &names);
                continue;
            };
            if std::mem::replace(&mut is_told[at], true) {
                self.problem(format!("the state {:?} stands twice", names[at]));
                continue;
            }
            let state = StateId(at as u32);
            if base.choices(state).len() > 1 {
                found[at] = self.row(state, &row.shares, columns);
            }
        }
        let silent = |s: &StateId| !is_told[s.index()] && base.choices(*s).len() > 1;
        for state in base.states().filter(silent) {
            let (name, choices) = (base.state_name(state), base.choices(state).len());
            self.problem(format!(
                "it says nothing of the state {name:?}, which has {choices} choices"
            ));
        }
        found
    }

    fn unknown(&mut self, which: &Which, what: &str, known: &[&str]) {
        self.problem(match which {
            Which::Number(at) => format!("there is no {what} number {at}"),
            Which::Name(name) => match nearest(name, known) {
                Some(near) => format!("there is no {what} {name:?}; did you mean {near:?}?"),
                None => format!("there is no {what} {name:?}"),
            },
        });
    }

    /// What is done in a state with several choices.
    fn row(
        &mut self,
        state: StateId,
        shares: &[(Which, f64)],
        columns: Option<usize>,
    ) -> Option<Vec<(ChoiceId, f64)>> {
        let base = self.base;
        let of_state = format!("in the state {:?}", base.state_name(state));
        let choices: Vec<ChoiceId> = base.choices(state).collect();
        let names: Vec<&str> = choices.iter().map(|c| base.action_name(*c)).collect();
        let mut row: Vec<(ChoiceId, f64)> = Vec::new();
        let before = self.problems.len();
        for (which, p) in shares {
            let at = match which {
                Which::Number(_) if columns.is_some_and(|n| n != choices.len()) => {
                    self.problem(format!(
                        "{of_state} there are {} choices, and the policy tells {} actions apart by number: name them, with an array `action_names`",
                        choices.len(),
                        columns.unwrap_or(0)
                    ));
                    return None;
                }
                Which::Number(at) => Some(*at).filter(|at| *at < choices.len()),
                Which::Name(name) => names.iter().position(|n| n == name),
            };
            match at {
                // An action that the state does not have, and that is not taken there.
                None if *p == 0.0 => {}
                None => self.unknown(which, &format!("action {of_state},"), &names),
                Some(_) if !(*p >= 0.0 && p.is_finite()) => {
                    self.problem(format!("{of_state} a probability is {p}"));
                }
                Some(at) if row.iter().any(|(c, _)| *c == choices[at]) => {
                    self.problem(format!(
                        "{of_state} the action {:?} stands twice",
                        names[at]
                    ));
                }
                Some(at) => row.push((choices[at], *p)),
            }
        }
        let sum: f64 = row.iter().map(|(_, p)| p).sum();
        if self.problems.len() == before && (sum - 1.0).abs() > SUM {
            self.problem(format!("{of_state} probabilities sum to {sum}"));
        }
        row.iter_mut().for_each(|(_, p)| *p /= sum);
        Some(row)
    }

    /// What is done in a state of the MDP that was made of the base.
    fn transfer(&mut self, of_base: &OfBase, mdp: &Mdp, state: StateId, shares: &mut [f64]) {
        let choices: Vec<ChoiceId> = mdp.choices(state).collect();
        if let [only] = choices[..] {
            shares[only.index()] = 1.0;
            return;
        }
        let name = mdp.state_name(state);
        let BaseState::Of(of) = mdp.base_state()[state.index()] else {
            let choices = choices.len();
            self.problem(format!(
                "the state {name:?} is new and has {choices} choices, of which the policy knows nothing"
            ));
            return;
        };
        let base = self.base;
        let forced = || base.choices(StateId(of)).map(|c| (c, 1.0)).collect();
        let row = of_base[of as usize].clone().unwrap_or_else(forced);
        for (choice, p) in row.into_iter().filter(|(_, p)| *p > 0.0) {
            let action = base.action_name(choice);
            match choices.iter().find(|c| mdp.action_name(**c) == action) {
                Some(found) => shares[found.index()] += p,
                None => self.problem(format!(
                    "the state {name:?} of {} no longer has the action {action:?}, which the policy takes",
                    mdp.name()
                )),
            }
        }
    }
}

/// A policy that is followed on one MDP.
#[derive(Debug)]
pub(super) struct Given {
    mdp: Arc<Mdp>,
    discount: Discount,
    acting: Acting,
    moves: Moves,
    /// What every reward adds to what every state is worth, where the MDP is small enough; evaluation starts from there.
    inverse: Option<Vec<f64>>,
    /// Whether the optimum is found beside it.
    beside_optimum: bool,
}

impl Given {
    /// # Errors
    ///
    /// What does not fit.
    pub(super) fn new(
        mdp: &Arc<Mdp>,
        discount: Discount,
        policy: &GivenPolicy,
        beside_optimum: bool,
    ) -> Result<Self, Vec<String>> {
        let acting = Acting {
            shares: policy.shares(mdp, mdp)?,
            open: vec![false; mdp.n_states()],
            // Divided by their sum, of no more terms than a state has choices.
            error: (2.0 + mdp.n_choices() as f64) * U,
            is_fixed: true,
            ..Acting::default()
        };
        let mut moves = Moves::default();
        moves.of(mdp, &acting.shares);
        Ok(Self {
            mdp: mdp.clone(),
            discount,
            acting,
            inverse: moves.inverse(discount),
            moves,
            beside_optimum,
        })
    }
}

impl Method for Given {
    fn description(&self) -> &'static str {
        "policy from outside, evaluated in double precision on the processor"
    }

    fn act(&self, rewards: &[f64]) -> Acted {
        let mut acting = self.acting.clone();
        if self.beside_optimum {
            let best = refine(&self.mdp, self.discount, rewards, rewards);
            let (gamma, complement) = (self.discount.used(), self.discount.complement());
            let each = best.worth.iter().zip(rewards);
            acting.optimum = Some(Optimum {
                integrand: each.map(|(w, r)| (w - complement * r) / gamma).collect(),
                half_width: best.half_width / gamma,
            });
        }
        let start = self.inverse.as_ref().map(|inverse| {
            let own = income(self.discount, rewards);
            let rows = inverse.chunks_exact(own.len().max(1));
            let each = rows.map(|row| row.iter().zip(&own).map(|(a, x)| a * x).sum());
            each.collect::<Vec<f64>>()
        });
        let start = start.as_deref().unwrap_or(rewards);
        acted(self.discount, &self.moves, rewards, start, acting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    /// A fork, and a room with one way out.
    fn fork() -> Mdp {
        let mut b = MdpBuilder::new("fork");
        let [s, room, end] = ["s", "room", "end"].map(|name| b.state(name));
        b.choice(s, "in", [(room, 1.0)]);
        b.choice(s, "off", [(end, 1.0)]);
        b.choice(room, "out", [(s, 1.0)]);
        b.absorbing(end);
        b.build().unwrap()
    }

    fn numbered(rows: &[&[f64]]) -> GivenPolicy {
        let row = |(state, shares): (usize, &&[f64])| PolicyRow {
            state: Which::Number(state),
            shares: (shares.iter().enumerate())
                .map(|(a, p)| (Which::Number(a), *p))
                .collect(),
        };
        let columns = rows.first().map(|r| r.len());
        GivenPolicy::new("p", rows.iter().enumerate().map(row).collect(), columns)
    }

    fn named(rows: &[(&str, &[(&str, f64)])]) -> GivenPolicy {
        let row = |(state, shares): &(&str, &[(&str, f64)])| PolicyRow {
            state: Which::Name((*state).to_owned()),
            shares: (shares.iter())
                .map(|(a, p)| (Which::Name((*a).to_owned()), *p))
                .collect(),
        };
        GivenPolicy::new("p", rows.iter().map(row).collect(), None)
    }

    #[test]
    fn rows_are_matched_and_states_without_a_choice_left_alone() {
        let mdp = fork();
        let shares = numbered(&[&[0.25, 0.75], &[0.0, 7.0], &[0.5, 0.5]]).shares(&mdp, &mdp);
        assert_eq!(shares.unwrap(), [0.25, 0.75, 1.0, 1.0]);
        let shares = named(&[("s", &[("off", 1.0), ("in", 0.0), ("dance", 0.0)])]);
        assert_eq!(shares.shares(&mdp, &mdp).unwrap(), [0.0, 1.0, 1.0, 1.0]);
        // Single precision.
        let third = f64::from(1.0_f32 / 3.0);
        let shares = numbered(&[&[third, 2.0 * third], &[1.0, 0.0], &[1.0, 0.0]]);
        let shares = shares.shares(&mdp, &mdp).unwrap();
        assert!((shares[0] - 1.0 / 3.0).abs() < 1e-15 && shares[0] + shares[1] == 1.0);
    }

    #[test]
    fn everything_that_does_not_fit_is_told() {
        let mdp = fork();
        let told = |policy: GivenPolicy| policy.shares(&mdp, &mdp).unwrap_err().join("\n");
        assert_eq!(
            told(numbered(&[&[1.0, 0.0]])),
            "it has 1 rows, and fork has 3 states"
        );
        let all = told(named(&[
            ("s", &[("of", 0.5), ("in", -0.5)]),
            ("rom", &[("out", 1.0)]),
        ]));
        for part in [
            "did you mean \"off\"?",
            "a probability is -0.5",
            "\"room\"?",
        ] {
            assert!(all.contains(part), "{all}");
        }
        assert!(told(named(&[])).contains("says nothing of the state \"s\""));
        let sum = told(numbered(&[&[0.5, 0.4], &[1.0, 0.0], &[1.0, 0.0]]));
        assert!(sum.contains("sum to 0.9"), "{sum}");
        let wide = told(numbered(&[&[0.5, 0.5, 0.0], &[1.0; 3], &[1.0; 3]]));
        assert!(wide.contains("action_names"), "{wide}");
        assert!(told(numbered(&[&[f64::NAN, 0.5], &[1.0, 0.0], &[1.0, 0.0]])).contains("NaN"));
    }
}

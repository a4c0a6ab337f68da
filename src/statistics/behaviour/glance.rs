//! What optimal agents do, of goals side by side, as far as a glance tells: where choices lead to one state with certainty and the values tell the best of
//! these states from all others.
//!
//! A backend finds the best successors of a tile of goals with its vectors, statistics read their numbers off those, and goals of which anything is
//! left open are looked at one by one (`look`). Either way gives the same numbers.

use crate::mdp::Mdp;
use crate::statistics::TILE;
use crate::units::{ChoiceId, StateId};

/// In the place of a state: the values do not tell which one is best.
pub const OPEN: u32 = u32::MAX;

/// What is looked at: the states that choices of some states lead to, with certainty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crossings {
    states: Vec<StateId>,
    /// Per state: where its successors end.
    ends: Vec<u32>,
    /// Each once per state, in the order of the choices.
    successors: Vec<u32>,
}

impl Crossings {
    /// Of some states. `None` where a choice leads to several states.
    pub(super) fn of(mdp: &Mdp, states: Vec<StateId>) -> Option<Self> {
        let mut crossings = Self::default();
        for state in states {
            let first = crossings.successors.len();
            for choice in mdp.choices(state) {
                let &[to] = mdp.row(choice).0 else {
                    return None;
                };
                if !crossings.successors[first..].contains(&to) {
                    crossings.successors.push(to);
                }
            }
            crossings.states.push(state);
            crossings.ends.push(crossings.successors.len() as u32);
        }
        Some(crossings)
    }

    /// The states, each with those that its choices lead to, each once.
    pub fn iter(&self) -> impl Iterator<Item = (StateId, &[u32])> {
        let firsts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = firsts.zip(&self.ends);
        let each = self.states.iter().zip(ranges);
        each.map(|(&state, (first, &end))| (state, &self.successors[first as usize..end as usize]))
    }
}

/// The states that can be got to from some, themselves included, ascending.
pub(super) fn within_reach(mdp: &Mdp, from: impl Iterator<Item = StateId>) -> Vec<StateId> {
    let mut seen = vec![false; mdp.n_states()];
    let mut stack: Vec<StateId> = from.collect();
    stack.iter().for_each(|s| seen[s.index()] = true);
    while let Some(state) = stack.pop() {
        for choice in mdp.choices(state) {
            for &to in mdp.row(choice).0 {
                if !std::mem::replace(&mut seen[to as usize], true) {
                    stack.push(StateId(to));
                }
            }
        }
    }
    mdp.states().filter(|s| seen[s.index()]).collect()
}

/// Goals side by side, each with the best successor of every state that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// `[n_states, TILE]`: where all optimal choices lead, or [`OPEN`].
    pub(super) best: &'a [u32],
    /// Goals that count.
    pub(super) goals: usize,
    pub(super) powers: &'a Powers,
}

impl Glance<'_> {
    /// Where all optimal choices of a state lead, or [`OPEN`], of every goal.
    #[inline]
    #[must_use]
    pub fn best(&self, state: StateId) -> &[u32; TILE] {
        let first = state.index() * TILE;
        let row = &self.best[first..first + TILE];
        row.try_into().expect("a row is a tile wide")
    }

    /// Number of goals.
    #[must_use]
    pub fn goals(&self) -> usize {
        self.goals
    }

    /// gamma^t.
    #[inline]
    #[must_use]
    pub fn discounted(&self, time: u64) -> f64 {
        self.powers.of(time)
    }
}

/// The columns of one statistic in the rows of goals side by side. All numbers are zero to begin with.
#[derive(Debug)]
pub struct Panel<'a> {
    /// Row-major.
    pub(super) values: &'a mut [f64],
    /// Columns of a row.
    pub(super) columns: usize,
    /// The statistic's first.
    pub(super) first: usize,
}

impl Panel<'_> {
    /// The numbers of all goals, from a column on.
    pub(super) fn rows(&mut self, column: usize) -> impl Iterator<Item = &mut [f64]> {
        let first = self.first + column;
        let rows = self.values.chunks_exact_mut(self.columns.max(1));
        rows.map(move |row| &mut row[first..])
    }

    /// The numbers of one goal, from a column on.
    #[inline]
    pub(super) fn numbers(&mut self, goal: usize, column: usize) -> &mut [f64] {
        let (first, end) = (self.first + column, self.columns);
        &mut self.values[goal * self.columns..][first..end]
    }
}

/// Columns that are told by where the best choices of a state lead.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Told {
    /// Per column: a successor, and the number of a goal whose best one it is; of others it is 0.
    Columns(Vec<(u32, f64)>),
    /// One column: each successor whose goals have a number other than 0, and the number.
    One(Vec<(u32, f64)>),
}

impl Told {
    /// Sets the columns of a goal whose best choices lead to `best`; they are the first of `row`.
    #[inline]
    pub(super) fn set(&self, best: u32, row: &mut [f64]) {
        // Without branches: which one is best is as random as the goals are.
        let number = |&(to, number): &(u32, f64)| {
            let mask = u64::from(to == best).wrapping_neg();
            number.to_bits() & mask
        };
        match self {
            Self::Columns(columns) => {
                for (x, column) in row.iter_mut().zip(columns) {
                    *x = f64::from_bits(number(column));
                }
            }
            // Successors differ, so that at most one number is not masked out.
            Self::One(numbers) => {
                row[0] = f64::from_bits(numbers.iter().fold(0, |all, x| all | number(x)));
            }
        }
    }
}

/// Where a choice leads with certainty.
pub(super) fn certain_successor(mdp: &Mdp, choice: ChoiceId) -> Option<u32> {
    match mdp.row(choice).0 {
        &[to] => Some(to),
        _ => None,
    }
}

/// Powers of gamma; those that are asked for again and again are kept.
#[derive(Clone, Debug)]
pub(super) struct Powers {
    gamma: f64,
    kept: Vec<f64>,
}

/// Powers of gamma that are kept.
const KEPT: i32 = 256;

impl Powers {
    pub(super) fn new(gamma: f64) -> Self {
        Self {
            gamma,
            kept: (0..KEPT).map(|t| gamma.powi(t)).collect(),
        }
    }

    /// gamma^t.
    #[inline]
    pub(super) fn of(&self, time: u64) -> f64 {
        let kept = usize::try_from(time).ok().and_then(|t| self.kept.get(t));
        let far = || self.gamma.powi(i32::try_from(time).unwrap_or(i32::MAX));
        kept.copied().unwrap_or_else(far)
    }
}

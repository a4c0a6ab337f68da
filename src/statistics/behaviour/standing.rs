//! How the choices of a state compare, as far as certified values decide it.

use super::look::Decided;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, Discount, StateId};

pub use crate::program::TIE;

/// How a choice compares with the greedy one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As good as the greedy one: an equal row, or a value closer than [`TIE`] under a bound as sharp.
    Optimal,
    /// Closer to the greedy one than the bound: it may be optimal, it may be worse.
    Possible,
    /// Worse by more than the bound.
    Worse,
}

/// Numbers of all states that stand at even distances in memory, as tiles of goals side by side have them.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    values: &'a [f64],
    stride: usize,
}

impl<'a> Strided<'a> {
    /// The number of state `s` is `values[s * stride]`.
    #[must_use]
    pub fn new(values: &'a [f64], stride: usize) -> Self {
        Self { values, stride }
    }

    /// The number of a state.
    #[inline]
    #[must_use]
    pub fn at(&self, state: usize) -> f64 {
        self.values[state * self.stride]
    }

    /// Number of states.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.values.len().div_ceil(self.stride)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = f64> + use<'a> {
        self.values.iter().step_by(self.stride).copied()
    }
}

/// Where every choice stands, where the solver settles that itself: at a limit of the discount, where values alone do not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// A choice of each state that none is better than, `[n_states]`.
    pub greedy: Vec<ChoiceId>,
    /// `[n_choices]`.
    pub standings: Vec<Standing>,
}

impl Settled {
    /// What is known of the choices of a state.
    #[must_use]
    pub fn decided(&self, mdp: &Mdp, state: StateId) -> Decided {
        let count = |wanted| {
            let standings = mdp.choices(state).map(|c| self.standings[c.index()]);
            standings.filter(|s| *s == wanted).count() as u32
        };
        Decided {
            greedy: self.greedy[state.index()],
            optimal: count(Standing::Optimal),
            possible: count(Standing::Possible),
        }
    }
}

/// What it is worth to arrive in a state, `w = (1 - gamma) V* = (1 - gamma) R + gamma x` with x the POWER integrand: the
/// scale on which choices are compared, since `(1 - gamma)` times the value of a choice is `(1 - gamma) R + gamma sum T w`.
#[derive(Clone, Copy, Debug)]
pub struct Prospects<'a> {
    mdp: &'a Mdp,
    /// `[n_states]`.
    worth: Strided<'a>,
    /// Half-width of every worth.
    half_width: f64,
    /// Largest |w|, which rounding errors are relative to.
    magnitude: f64,
    /// Difference up to which choices are a tie.
    tie: f64,
    /// What choices pay themselves, where they have rewards.
    paid: Option<Paid<'a>>,
}

/// What taking a choice pays, on the scale of worths that it leads to: `(1 - gamma)/gamma R(s, a)`.
#[derive(Clone, Copy, Debug)]
struct Paid<'a> {
    /// `[n_choices]`.
    rewards: &'a [f64],
    /// (1 - gamma)/gamma.
    odds: f64,
    /// Half-width of every reward.
    half_width: f64,
}

impl<'a> Prospects<'a> {
    /// `worth` is `[n_states]`, each within `half_width` of the truth; `scale` is what [`TIE`] is relative to: the range of
    /// the rewards.
    #[must_use]
    pub fn new(mdp: &'a Mdp, worth: &'a [f64], half_width: f64, scale: f64) -> Self {
        let magnitude = worth.iter().fold(0.0, |m, w| f64::max(m, w.abs()));
        Self::strided(mdp, Strided::new(worth, 1), half_width, magnitude, scale)
    }

    /// The same of numbers elsewhere in memory, none of which is larger than `magnitude`.
    #[must_use]
    pub fn strided(
        mdp: &'a Mdp,
        worth: Strided<'a>,
        half_width: f64,
        magnitude: f64,
        scale: f64,
    ) -> Self {
        Self {
            mdp,
            worth,
            half_width,
            magnitude,
            tie: TIE * scale,
            paid: None,
        }
    }

    /// The same where choices have rewards, `[n_choices]`: they are compared by `(1 - gamma)/gamma R(s, a) + sum T w`, which is `(1 - gamma)/gamma` times their
    /// value.
    #[must_use]
    pub fn with_rewards(self, rewards: &'a [f64], discount: Discount) -> Self {
        let odds = discount.complement() / discount.used();
        let largest = rewards.iter().fold(0.0, |m, r| f64::max(m, r.abs()));
        Self {
            magnitude: self.magnitude + odds * largest,
            paid: Some(Paid {
                rewards,
                odds,
                half_width: 0.0,
            }),
            ..self
        }
    }

    /// The same where the rewards of choices are known to a half-width.
    #[must_use]
    pub fn paid_within(self, half_width: f64) -> Self {
        let paid = self.paid.map(|paid| Paid { half_width, ..paid });
        Self { paid, ..self }
    }

    /// What two choices pay may differ by this much more than it seems.
    fn paid_allowance(&self) -> f64 {
        self.paid
            .map_or(0.0, |paid| 2.0 * paid.odds * paid.half_width)
    }

    /// Whether where a choice leads is all that counts.
    pub(super) fn is_by_successors(&self) -> bool {
        self.paid.is_none()
    }

    /// Compares all choices of a state, each of which leads to one state with certainty: to `successors`, one for each. Notes where they
    /// stand, and returns the greedy one's position and how many are optimal or may be. The same as asking one by one, in fewer steps.
    pub(super) fn compare_certain(
        &self,
        successors: &[u32],
        standings: &mut [Standing],
    ) -> (usize, u32, u32) {
        if let Some(best) = self.certain_best(successors) {
            let (mut greedy, mut optimal) = (successors.len(), 0);
            for (i, (&to, standing)) in successors.iter().zip(standings).enumerate() {
                let is_best = to == best.0;
                *standing = if is_best {
                    Standing::Optimal
                } else {
                    Standing::Worse
                };
                optimal += u32::from(is_best);
                greedy = if is_best { greedy.min(i) } else { greedy };
            }
            return (greedy, optimal, 0);
        }
        let (mut greedy, mut most) = (0, f64::NEG_INFINITY);
        for (i, &to) in successors.iter().enumerate() {
            let value = self.worth.at(to as usize);
            if i == 0 || value > most {
                (greedy, most) = (i, value);
            }
        }
        // Two different certain successors: rows that differ by 2, of one term each.
        let allowance = self.half_width * 2.0 + self.rounding(1);
        let (mut optimal, mut possible) = (0, 0);
        for (&to, standing) in successors.iter().zip(standings) {
            let gap = most - self.worth.at(to as usize);
            *standing = if to == successors[greedy] || allowance.max(gap) <= self.tie {
                optimal += 1;
                Standing::Optimal
            } else if gap <= allowance || allowance.is_nan() {
                possible += 1;
                Standing::Possible
            } else {
                Standing::Worse
            };
        }
        (greedy, optimal, possible)
    }

    /// The state that the best of these successors is, each of which a choice leads to with certainty: where the values tell it from all others. Choices that lead to the same state tie.
    /// What [`compare_certain`](Self::compare_certain) finds then, at a glance.
    pub(super) fn certain_best(&self, successors: &[u32]) -> Option<StateId> {
        let (mut best, mut most, mut second) = (u32::MAX, f64::NEG_INFINITY, f64::NEG_INFINITY);
        // Without branches: which way they go is as random as the goals are.
        let larger = |a: f64, b: f64| if a > b { a } else { b };
        for &to in successors {
            let value = self.worth.at(to as usize);
            let (better, other) = (value > most, to != best);
            let lower = if better { most } else { value };
            let lower = if other { lower } else { f64::NEG_INFINITY };
            second = larger(lower, second);
            best = if better { to } else { best };
            most = larger(value, most);
        }
        let allowance = self.half_width * 2.0 + self.rounding(1);
        // A tie of values is for others to look at, and so is what is no number.
        let is_told = most - second > allowance && most - second > self.tie;
        is_told.then_some(StateId(best))
    }

    /// Whether one state is surely worth more than another: `Some(false)` where it is worth less or the same, `None` where that is open. What is given away of either worth is taken off first.
    #[must_use]
    pub fn is_worth_more(&self, [a, b]: [StateId; 2], given: [f64; 2]) -> Option<bool> {
        let left = |state: StateId, given: f64| self.worth.at(state.index()) - given;
        let difference = left(a, given[0]) - left(b, given[1]);
        // Either is known to its half-width and a few roundings.
        let magnitude = self.magnitude + given[0].abs().max(given[1].abs());
        let allowance = 2.0 * self.half_width + 8.0 * f64::EPSILON * magnitude;
        match difference.abs() > allowance {
            true => Some(difference > 0.0),
            false if allowance.max(difference.abs()) <= self.tie => Some(false),
            false => None,
        }
    }

    /// `sum T w` of a choice, and what it pays.
    #[must_use]
    pub fn value(&self, choice: ChoiceId) -> f64 {
        let (to, probabilities) = self.mdp.row(choice);
        let terms = to.iter().zip(probabilities);
        let next: f64 = terms.map(|(&t, p)| p * self.worth.at(t as usize)).sum();
        match self.paid {
            Some(paid) => next + paid.odds * paid.rewards[choice.index()],
            None => next,
        }
    }

    /// The choice with the largest value (the first of several), and the value.
    ///
    /// # Panics
    ///
    /// Never: every state has a choice.
    #[must_use]
    pub fn greedy(&self, state: StateId) -> (ChoiceId, f64) {
        let values = self.mdp.choices(state).map(|c| (c, self.value(c)));
        let better = |best: (ChoiceId, f64), next: (ChoiceId, f64)| {
            if next.1 > best.1 { next } else { best }
        };
        values.reduce(better).expect("every state has a choice")
    }

    /// Where `choice` stands, which falls short of the greedy one by `gap`.
    #[must_use]
    pub fn standing(&self, greedy: ChoiceId, choice: ChoiceId, gap: f64) -> Standing {
        // Rows differ by at most 2 in total, and no row has more successors than the MDP has states: a gap beyond that
        // needs no closer look.
        let most =
            2.0 * self.half_width + self.paid_allowance() + self.rounding(self.worth.n_states());
        if gap > most && gap > self.tie {
            return Standing::Worse;
        }
        let (difference, terms) = self.row_difference(greedy, choice);
        let pay_alike = self.paid.is_none_or(|paid| {
            let rewards = [greedy, choice].map(|c| paid.rewards[c.index()]);
            rewards[0] == rewards[1] && paid.half_width == 0.0
        });
        if difference == 0.0 && pay_alike {
            return Standing::Optimal;
        }
        // The gap is sum (T_greedy - T_choice) w: an error of h in every w moves it by at most h times the sum of
        // |T_greedy - T_choice|.
        let allowance = self.half_width * difference + self.paid_allowance() + self.rounding(terms);
        if allowance.max(gap) <= self.tie {
            Standing::Optimal
        } else if gap <= allowance || allowance.is_nan() {
            Standing::Possible
        } else {
            Standing::Worse
        }
    }

    /// What rounding can have added to a gap between rows of up to k `terms`: w itself by 4u (its four operations), each of two
    /// sums of k products by (k + 1)u, rows that sum to one only within k u, one subtraction: below (4k + 8)u |w|, with
    /// 2u = EPSILON. What choices pay adds to each of the two: the odds (2u), a product and a sum, which is less than two terms more.
    fn rounding(&self, terms: usize) -> f64 {
        let terms = terms + if self.paid.is_some() { 2 } else { 0 };
        (2 * terms + 4) as f64 * f64::EPSILON * self.magnitude
    }

    /// Sum over successors of |T_a - T_b|, and the length of the longer row.
    fn row_difference(&self, a: ChoiceId, b: ChoiceId) -> (f64, usize) {
        let ((to_a, p_a), (to_b, p_b)) = (self.mdp.row(a), self.mdp.row(b));
        let (mut i, mut j, mut sum) = (0, 0, 0.0);
        // Successors are ascending in both rows.
        while i < to_a.len() || j < to_b.len() {
            let (x, y) = (to_a.get(i).copied(), to_b.get(j).copied());
            let left = x.is_some_and(|x| y.is_none_or(|y| x <= y));
            let right = y.is_some_and(|y| x.is_none_or(|x| y <= x));
            let p = if left { p_a[i] } else { 0.0 };
            let q = if right { p_b[j] } else { 0.0 };
            sum += (p - q).abs();
            i += usize::from(left);
            j += usize::from(right);
        }
        (sum, to_a.len().max(to_b.len()))
    }
}

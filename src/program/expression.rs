//! Numbers made of the values of earlier stages, with what is not known of them.

use super::TIE;
use crate::units::StateId;

/// Unit roundoff of f64.
const U: f64 = f64::EPSILON / 2.0;

/// A human who is asked, and lets the agent act with a probability that depends on how good the act is for them, `d`.
///
/// Source: Hadfield-Menell et al. (2017), "The off-switch game".
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Human {
    /// Allows what is good: probability 1 where `d > 0`, else 0.
    Rational,
    /// `1/(1 + exp(-d/b))`.
    Logit(f64),
    /// `Phi(d/b)`.
    Probit(f64),
}

impl Human {
    /// The probability of letting the agent act.
    #[must_use]
    pub fn allows(self, d: f64) -> f64 {
        match self {
            Self::Rational => f64::from(u8::from(d > 0.0)),
            Self::Logit(b) => 1.0 / (1.0 + (-d / b).exp()),
            Self::Probit(b) => normal_distribution(d / b),
        }
    }

    /// What asking is worth, `pi(d) d`.
    fn gain(self, d: f64) -> f64 {
        match self {
            Self::Rational => d.max(0.0),
            _ => self.allows(d) * d,
        }
    }

    /// The largest slope of `pi(d) d` there is, rounded up: `p + x p'` is largest at x = 1.5434 for the logistic function (1.0998) and
    /// at the square root of two for the normal distribution function (1.1290).
    fn slope(self) -> f64 {
        match self {
            Self::Rational => 1.0,
            Self::Logit(_) => 1.1,
            Self::Probit(_) => 1.13,
        }
    }
}

/// A number made of what earlier stages found for the same goal. Values are on the scale of rewards, `w = (1 - gamma) V`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number.
    Constant(f64),
    /// A number that was computed, and its half-width.
    Known(f64, f64),
    /// The reward of a state (or choice) in a stage, by row.
    Reward {
        /// Position of the stage.
        stage: usize,
        /// The state's number, or the choice's where the stage rewards choices.
        row: u32,
    },
    /// A weighted sum of worths of one stage.
    Worths {
        /// Position of the stage.
        stage: usize,
        /// States and weights.
        terms: Vec<(StateId, f64)>,
    },
    /// A weighted sum.
    Sum(Vec<(f64, Expression)>),
    /// The largest of several.
    Max(Vec<Expression>),
    /// The absolute value.
    Magnitude(Box<Expression>),
    /// What asking a human is worth: `pi(d) d`.
    Allowed {
        /// Who is asked.
        human: Human,
        /// How good the act is for them.
        gain: Box<Expression>,
    },
    /// 1 where it is above zero (by more than a tie), else 0.
    Positive(Box<Expression>),
}

/// What one stage found, for `L` goals side by side.
#[derive(Clone, Copy, Debug)]
pub struct StageValues<'a> {
    /// `(1 - gamma) V`, `[n_states, L]`.
    pub worths: &'a [f64],
    /// Half-width of every worth, `[L]`.
    pub half_widths: &'a [f64],
    /// Rewards, `[n_rewards, L]`.
    pub rewards: &'a [f64],
    /// Half-width of every reward, `[L]`.
    pub reward_half_widths: &'a [f64],
}

/// A number of each of `L` goals, and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval<const L: usize> {
    /// The numbers.
    pub value: [f64; L],
    /// Half-widths.
    pub half_width: [f64; L],
}

impl<const L: usize> Interval<L> {
    const ZERO: Self = Self {
        value: [0.0; L],
        half_width: [0.0; L],
    };

    /// Adds `weight` times numbers known to `half_width`. `size` gathers what rounding is relative to.
    fn add(&mut self, weight: f64, value: &[f64], half_width: &[f64], size: &mut [f64; L]) {
        for ((to, size), x) in self.value.iter_mut().zip(size).zip(value) {
            let x = weight * x;
            *to += x;
            *size += x.abs();
        }
        for (to, half) in self.half_width.iter_mut().zip(half_width) {
            *to += weight.abs() * half;
        }
    }

    /// A sum of `n` products errs by n u of the sum of their sizes, and the half-width, of positive terms, by as much of itself.
    fn rounded(mut self, n: usize, size: &[f64; L]) -> Self {
        let share = (n as f64 + 2.0) * U;
        for (half, size) in self.half_width.iter_mut().zip(size) {
            *half += share * (size + *half);
        }
        self
    }
}

/// How a number stands to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Below, by more than its half-width and more than a tie.
    Below,
    /// Within a tie of zero, under a half-width as sharp.
    Tied,
    /// Above, by more than its half-width and more than a tie.
    Above,
    /// None of these is certain.
    Open,
}

impl Sign {
    /// Of a number known to `half_width`; `scale` is what [`TIE`] is relative to.
    #[must_use]
    pub fn of(value: f64, half_width: f64, scale: f64) -> Self {
        let tie = TIE * scale;
        if half_width <= tie && value.abs() <= tie {
            Self::Tied
        } else if value > half_width && value > tie {
            Self::Above
        } else if -value > half_width && -value > tie {
            Self::Below
        } else {
            Self::Open
        }
    }
}

impl Expression {
    /// The value of a state in a stage.
    #[must_use]
    pub fn worth(stage: usize, state: StateId) -> Self {
        Self::Worths {
            stage,
            terms: vec![(state, 1.0)],
        }
    }

    /// `a - b`.
    #[must_use]
    pub fn difference(a: Self, b: Self) -> Self {
        Self::Sum(vec![(1.0, a), (-1.0, b)])
    }

    /// Its numbers for `L` goals. `scale` is what ties are relative to.
    ///
    /// # Precision
    ///
    /// The half-width holds that of the inputs (every operation but [`Positive`](Self::Positive) moves by no more than a multiple of
    /// what its operands move, and that multiple is taken) and the rounding of every sum.
    #[must_use]
    pub fn evaluate<const L: usize>(&self, stages: &[StageValues<'_>], scale: f64) -> Interval<L> {
        let mut out = Interval::ZERO;
        let mut size = [0.0; L];
        match self {
            Self::Constant(x) => {
                out.value = [*x; L];
                out
            }
            Self::Known(x, half_width) => {
                out.value = [*x; L];
                out.half_width = [*half_width; L];
                out
            }
            Self::Reward { stage, row } => {
                let stage = &stages[*stage];
                let rewards = &stage.rewards[*row as usize * L..][..L];
                out.add(1.0, rewards, stage.reward_half_widths, &mut size);
                out
            }
            Self::Worths { stage, terms } => {
                let stage = &stages[*stage];
                for (state, weight) in terms {
                    let worths = &stage.worths[state.index() * L..][..L];
                    out.add(*weight, worths, stage.half_widths, &mut size);
                }
                out.rounded(terms.len(), &size)
            }
            Self::Sum(terms) => {
                for (weight, term) in terms {
                    let term: Interval<L> = term.evaluate(stages, scale);
                    out.add(*weight, &term.value, &term.half_width, &mut size);
                }
                out.rounded(terms.len(), &size)
            }
            Self::Max(list) => {
                out.value = [f64::NEG_INFINITY; L];
                for each in list {
                    let each: Interval<L> = each.evaluate(stages, scale);
                    for lane in 0..L {
                        out.value[lane] = larger(out.value[lane], each.value[lane]);
                        out.half_width[lane] = larger(out.half_width[lane], each.half_width[lane]);
                    }
                }
                out
            }
            Self::Magnitude(of) => {
                let mut of: Interval<L> = of.evaluate(stages, scale);
                of.value = of.value.map(f64::abs);
                of
            }
            Self::Allowed { human, gain } => {
                let mut of: Interval<L> = gain.evaluate(stages, scale);
                for lane in 0..L {
                    let d = of.value[lane];
                    of.value[lane] = human.gain(d);
                    // The functions behind the probability are good to some tens of u.
                    let rounding = d.abs() * 256.0 * U;
                    of.half_width[lane] = human.slope() * of.half_width[lane] + rounding;
                }
                of
            }
            Self::Positive(of) => {
                let of: Interval<L> = of.evaluate(stages, scale);
                for lane in 0..L {
                    let sign = Sign::of(of.value[lane], of.half_width[lane], scale);
                    let above = sign == Sign::Above || sign == Sign::Open && of.value[lane] > 0.0;
                    out.value[lane] = f64::from(u8::from(above));
                    out.half_width[lane] = f64::from(u8::from(sign == Sign::Open));
                }
                out
            }
        }
    }

    /// How much it moves, at most, where every worth and reward of a stage moves by one. Of [`Positive`](Self::Positive), which jumps, nothing.
    #[must_use]
    pub fn slope(&self, stage: usize) -> f64 {
        match self {
            Self::Constant(_) | Self::Known(..) | Self::Positive(_) => 0.0,
            Self::Reward { stage: s, .. } => f64::from(u8::from(*s == stage)),
            Self::Worths { stage: s, terms } => {
                let own = terms.iter().filter(|_| *s == stage);
                own.map(|(_, weight)| weight.abs()).sum()
            }
            Self::Sum(terms) => terms.iter().map(|(w, e)| w.abs() * e.slope(stage)).sum(),
            Self::Max(list) => list.iter().map(|e| e.slope(stage)).fold(0.0, f64::max),
            Self::Magnitude(of) => of.slope(stage),
            Self::Allowed { human, gain } => human.slope() * gain.slope(stage),
        }
    }

    /// The least and the largest it can be, where the rewards of every earlier stage lie between two numbers, and so its worths do, which are averages of
    /// them.
    #[must_use]
    pub(super) fn range(&self, rewards: &[(f64, f64)]) -> (f64, f64) {
        let scaled = |weight: f64, (low, high): (f64, f64)| match weight < 0.0 {
            true => (weight * high, weight * low),
            false => (weight * low, weight * high),
        };
        let sum = |(a, b): (f64, f64), (c, d): (f64, f64)| (a + c, b + d);
        match self {
            Self::Constant(x) => (*x, *x),
            Self::Known(x, half_width) => (x - half_width, x + half_width),
            Self::Reward { stage, .. } => rewards[*stage],
            Self::Worths { stage, terms } => {
                let each = terms.iter().map(|(_, w)| scaled(*w, rewards[*stage]));
                each.fold((0.0, 0.0), sum)
            }
            Self::Sum(terms) => {
                let each = terms.iter().map(|(w, e)| scaled(*w, e.range(rewards)));
                each.fold((0.0, 0.0), sum)
            }
            Self::Max(list) => {
                let least = (f64::NEG_INFINITY, f64::NEG_INFINITY);
                let each = list.iter().map(|e| e.range(rewards));
                each.fold(least, |a, b| (a.0.max(b.0), a.1.max(b.1)))
            }
            Self::Magnitude(of) => {
                let (low, high) = of.range(rewards);
                let least = if low <= 0.0 && high >= 0.0 {
                    0.0
                } else {
                    low.abs().min(high.abs())
                };
                (least, low.abs().max(high.abs()))
            }
            // A share of what is gained.
            Self::Allowed { gain, .. } => {
                let (low, high) = gain.range(rewards);
                (low.min(0.0), high.max(0.0))
            }
            Self::Positive(_) => (0.0, 1.0),
        }
    }

    /// Calls `visit` with every stage, state and reward it reads.
    pub(super) fn reads(&self, visit: &mut dyn FnMut(Read)) {
        match self {
            Self::Constant(_) | Self::Known(..) => {}
            Self::Reward { stage, row } => visit(Read::Reward(*stage, *row)),
            Self::Worths { stage, terms } => {
                visit(Read::Stage(*stage));
                terms
                    .iter()
                    .for_each(|(s, _)| visit(Read::Worth(*stage, *s)));
            }
            Self::Sum(terms) => terms.iter().for_each(|(_, e)| e.reads(visit)),
            Self::Max(list) => list.iter().for_each(|e| e.reads(visit)),
            Self::Magnitude(of) | Self::Allowed { gain: of, .. } | Self::Positive(of) => {
                of.reads(visit);
            }
        }
    }
}

/// What an expression reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    Stage(usize),
    Worth(usize, StateId),
    Reward(usize, u32),
}

/// Phi(x), to a few 1e-15: `1/2 + phi(x) (x + x^3/3 + x^5/(3 5) + ...)`, whose terms have one sign. (The one of `statrs` is good to
/// 1e-11, which is not enough to tell a tie.)
///
/// Source: Marsaglia (2004), "Evaluating the normal distribution", Journal of Statistical Software 11 (4).
fn normal_distribution(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    // Beyond, less than 1e-16 is left.
    if x.abs() > 8.3 {
        return f64::from(u8::from(x > 0.0));
    }
    let square = x * x;
    let (mut sum, mut before, mut term, mut odd) = (x, 0.0, x, 1.0);
    while sum != before {
        before = sum;
        odd += 2.0;
        term *= square / odd;
        sum += term;
    }
    let density = (-0.5 * square).exp() / std::f64::consts::TAU.sqrt();
    0.5 + sum * density
}

/// The larger of two; NaN if either is: `f64::max` would drop it, and a number that is none must surface.
pub(super) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two states worth 1 and 3, each within 0.25, whose rewards are 5 and 7, for two goals; the second goal's worths are their negatives.
    fn stage() -> StageValues<'static> {
        StageValues {
            worths: &[1.0, -1.0, 3.0, -3.0],
            half_widths: &[0.25, 0.25],
            rewards: &[5.0, 5.0, 7.0, 7.0],
            reward_half_widths: &[0.5, 0.5],
        }
    }

    fn evaluate(e: &Expression) -> Interval<2> {
        e.evaluate(&[stage()], 1.0)
    }

    fn worth(state: u32) -> Expression {
        Expression::worth(0, StateId(state))
    }

    #[test]
    fn values_by_hand() {
        let difference = Expression::difference(worth(1), worth(0));
        for (expression, value) in [
            (Expression::Constant(2.0), [2.0, 2.0]),
            (Expression::Reward { stage: 0, row: 1 }, [7.0, 7.0]),
            (difference.clone(), [2.0, -2.0]),
            (
                Expression::Magnitude(Box::new(difference.clone())),
                [2.0, 2.0],
            ),
            (Expression::Max(vec![worth(0), worth(1)]), [3.0, -1.0]),
            (
                Expression::Positive(Box::new(difference.clone())),
                [1.0, 0.0],
            ),
            (
                Expression::Allowed {
                    human: Human::Rational,
                    gain: Box::new(difference.clone()),
                },
                [2.0, 0.0],
            ),
        ] {
            assert_eq!(evaluate(&expression).value, value, "{expression:?}");
        }
        // Phi(1) = 0.8413447460685429, 1/(1 + e) = 0.2689414213699951.
        let asked = |human| {
            let gain = Box::new(difference.clone());
            evaluate(&Expression::Allowed { human, gain }).value
        };
        let [probit, _] = asked(Human::Probit(2.0));
        let [_, logit] = asked(Human::Logit(2.0));
        assert!(
            (probit - 2.0 * 0.841_344_746_068_542_9).abs() < 1e-14,
            "{probit}"
        );
        assert!(
            (logit + 2.0 * 0.268_941_421_369_995_1).abs() < 1e-14,
            "{logit}"
        );
    }

    /// Every input moved to an end of its interval, in all ways: the result stays inside, and a result moved by three half-widths does not.
    #[test]
    fn half_widths_hold_whatever_the_inputs_are() {
        let difference = Expression::Sum(vec![(2.0, worth(1)), (-3.0, worth(0))]);
        let boxed = || Box::new(difference.clone());
        let gain = |human| Expression::Allowed {
            human,
            gain: boxed(),
        };
        for expression in [
            difference.clone(),
            Expression::Magnitude(boxed()),
            Expression::Max(vec![worth(0), difference.clone()]),
            gain(Human::Rational),
            gain(Human::Logit(0.3)),
            gain(Human::Probit(0.3)),
            Expression::Sum(vec![
                (0.5, Expression::Reward { stage: 0, row: 0 }),
                (1.0, worth(1)),
            ]),
        ] {
            let known = evaluate(&expression);
            let mut widest = 0.0_f64;
            for ends in 0..16 {
                let end = |bit: u32| f64::from(ends >> bit & 1) * 2.0 - 1.0;
                let (a, b) = (0.25 * end(0), 0.25 * end(1));
                let (c, d) = (0.5 * end(2), 0.5 * end(3));
                let moved = StageValues {
                    worths: &[1.0 + a, -1.0 + a, 3.0 + b, -3.0 + b],
                    rewards: &[5.0 + c, 5.0 + c, 7.0 + d, 7.0 + d],
                    ..stage()
                };
                let moved: Interval<2> = expression.evaluate(&[moved], 1.0);
                for lane in 0..2 {
                    let distance = (moved.value[lane] - known.value[lane]).abs();
                    assert!(distance <= known.half_width[lane], "{expression:?}");
                    widest = widest.max(distance / known.half_width[lane]);
                }
            }
            assert!(
                widest > 0.5,
                "{expression:?}: the half-width is not idle, {widest}"
            );
        }
    }

    #[test]
    fn the_slope_of_asking_is_the_largest_there_is() {
        for (human, slope) in [(Human::Logit(1.0), 1.0998), (Human::Probit(1.0), 1.1290)] {
            let step = 1e-4;
            let slopes = (-80_000..80_000).map(|i| {
                let d = f64::from(i) * step;
                (human.gain(d + step) - human.gain(d)) / step
            });
            let steepest = slopes.fold(0.0, |m: f64, s| m.max(s.abs()));
            assert!((steepest - slope).abs() < 1e-4, "{human:?}: {steepest}");
            assert!(steepest < human.slope());
        }
    }

    #[test]
    fn signs_are_three_valued_and_open_where_nothing_is_certain() {
        assert_eq!(Sign::of(1.0, 0.5, 1.0), Sign::Above);
        assert_eq!(Sign::of(-1.0, 0.5, 1.0), Sign::Below);
        assert_eq!(Sign::of(0.4, 0.5, 1.0), Sign::Open);
        assert_eq!(Sign::of(0.0, 1e-6, 1.0), Sign::Open);
        assert_eq!(Sign::of(1e-12, 1e-13, 1.0), Sign::Tied);
        assert_eq!(Sign::of(f64::NAN, 0.0, 1.0), Sign::Open);
    }
}

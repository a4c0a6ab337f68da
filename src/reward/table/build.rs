//! Building tables: lines through an inverse distribution function, as few as the tolerance allows.
//!
//! The word space is cut where the caller says that `Q` jumps, has a kink or changes between convex and concave. In between, lines are made one
//! after the other, each as long as it may be. In a convex stretch the ends of the lines are *below* `Q` by the tolerance and their
//! middles above it by as much; a concave stretch is a convex one seen upside down. Convexity is also what proves the
//! error: `line - Q` is concave, so a few of its values bound it everywhere.

use super::{Accuracy, FRACTION_BITS, Segment, Table};

/// Words there are.
const WORDS: f64 = 4_294_967_296.0;

/// Largest integer of a table.
const LARGEST: f64 = 16_777_216.0;

/// Permitted error, as a share of the range (or of the value).
const SHARE: f64 = 1.0 / 4_194_304.0;

/// Fewest points a law may be drawn from: as for the uniform law.
const FEWEST_POINTS: f64 = 65_536.0;

/// What rounding to integers adds, in spacings: 1/2 for the last rounding, (1/2 + 1 + 1)/64 for base, rise and product.
const ROUNDING: f64 = 0.5 + 2.5 / 64.0;

/// Magnitudes that single precision arithmetic can carry, as for the uniform law.
const MAGNITUDES: std::ops::RangeInclusive<f64> = 1e-18..=1e18;

/// Parts that a line is checked at.
const PARTS: u32 = 8;

/// More lines than any law needs.
const MOST_LINES: usize = 1 << 20;

/// How errors are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tolerance {
    /// 2^-22 of the range of the drawn rewards, on equally spaced points; one spacing, where that is more.
    OfRange,
    /// 2^-22 of the reward itself, with a spacing per segment: for positive laws whose largest draws dwarf the usual ones.
    OfValue,
}

/// A continuous law, as the builder needs to know it.
pub struct Shape<'a> {
    /// `Q(p)` for `p` in (0, 1): exact to f64, not falling.
    pub quantile: &'a dyn Fn(f64) -> f64,
    /// Probabilities, ascending, between which `Q` is smooth and either convex or concave: where the density jumps, vanishes, or is
    /// largest or smallest.
    pub breaks: Vec<f64>,
    /// How errors are measured.
    pub tolerance: Tolerance,
}

/// A law that single precision cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TableFault {
    /// Outside the range of normal single precision numbers with room for sums.
    #[error(
        "its rewards, from {low:?} to {high:?}, are outside the magnitudes 1e-18 to 1e18 that single precision arithmetic can carry"
    )]
    Magnitude {
        /// Smallest draw.
        low: f64,
        /// Largest draw.
        high: f64,
    },
    /// So narrow for its distance from zero that single precision has too few points in it.
    #[error(
        "its rewards, from {low:?} to {high:?}, are too narrow for their distance from zero: single precision has {points:.0} points \
         there, 65536 are needed. POWER moves with the rewards: measure the law moved to zero and add the difference"
    )]
    TooNarrow {
        /// Smallest draw.
        low: f64,
        /// Largest draw.
        high: f64,
        /// Points available.
        points: f64,
    },
}

/// The probability that a word stands for.
fn probability(word: u64) -> f64 {
    (word as f64 + 0.5) / WORDS
}

/// How many words stand for probabilities of at most `p`.
fn words_up_to(p: f64) -> u64 {
    (p * WORDS + 0.5).floor().clamp(0.0, WORDS) as u64
}

/// The least `k` with `magnitude <= 2^24 2^k`.
fn exponent_of(magnitude: f64) -> i32 {
    let guess = magnitude.log2().ceil() as i32 - 24;
    (guess - 1..=guess + 1)
        .find(|&k| magnitude <= LARGEST * 2f64.powi(k))
        .unwrap_or(guess + 1)
}

/// A line in f64: from `left` at word `start` to `right` at the last of `words` words.
struct Line {
    start: u64,
    words: u64,
    left: f64,
    right: f64,
}

impl Line {
    /// Bits of the segment's length, rounded up.
    fn length_bits(&self) -> u32 {
        self.words.next_power_of_two().trailing_zeros()
    }

    /// The line in integers: never above `right` at its last word. `None` where the slope does not fit.
    fn segment(&self, exponent: i32) -> Option<Segment> {
        let unit = 2f64.powi(exponent);
        let fixed = |x: f64| ((x / unit) * 64.0).round() as i64 + (1 << (FRACTION_BITS - 1));
        let (base, end) = (fixed(self.left), fixed(self.right));
        let bits = self.length_bits();
        let steps = (self.words - 1).max(1) as i128;
        let rise = (i128::from(end - base) << bits) / steps;
        Some(Segment {
            start: self.start as u32,
            base: base as i32,
            rise: if self.words == 1 {
                0
            } else {
                u32::try_from(rise).ok()?
            },
            scale: 2f32.powi(exponent).to_bits() | ((32 - bits) % 32),
        })
    }
}

impl Table {
    /// Tabulates a continuous law.
    ///
    /// # Errors
    ///
    /// [`TableFault`] where single precision cannot hold the law.
    pub fn build(shape: &Shape<'_>) -> Result<Self, TableFault> {
        let low = (shape.quantile)(probability(0));
        let high = (shape.quantile)(probability(u64::from(u32::MAX)));
        let unit = check(low, high, shape.tolerance)?;
        let ruler = match shape.tolerance {
            Tolerance::OfRange => Ruler::Even {
                unit,
                error: (SHARE * (high - low)).max(unit),
            },
            Tolerance::OfValue => Ruler::Growing,
        };
        let mut borders: Vec<u64> = shape.breaks.iter().map(|&p| words_up_to(p)).collect();
        borders.extend([0, 1 << 32]);
        borders.sort_unstable();
        borders.dedup();
        let mut lines = Vec::new();
        let mut worst = 0f64;
        for pair in borders.windows(2) {
            let stretch = Stretch::new(shape.quantile, pair[0], pair[1]);
            worst = worst.max(stretch.lines(&ruler, &mut lines));
        }
        let segments = lines.iter().map(|line| {
            line.segment(ruler.exponent(line.left, line.right))
                .expect("lines are made so that their slopes fit")
        });
        let accuracy = match ruler {
            Ruler::Even { unit, .. } => Accuracy::Absolute(worst + ROUNDING * unit),
            Ruler::Growing => Accuracy::Relative(worst + Ruler::GROWING_ROUNDING),
        };
        Ok(Self::new(segments.collect(), accuracy))
    }

    /// Tabulates a discrete law: values, strictly ascending, each with the probability of it or less.
    ///
    /// The rewards are the values rounded to multiples of a power of two, with 24 bits for the largest.
    ///
    /// # Errors
    ///
    /// [`TableFault`] where single precision cannot tell the values apart to 2^-22 of their range.
    ///
    /// # Panics
    ///
    /// Without values.
    pub fn steps(values: &[(f64, f64)]) -> Result<Self, TableFault> {
        let mut from = 0;
        let mut drawn: Vec<(u64, f64)> = Vec::with_capacity(values.len());
        for (i, &(value, up_to)) in values.iter().enumerate() {
            let end = if i + 1 == values.len() {
                1 << 32
            } else {
                words_up_to(up_to)
            };
            if end > from {
                drawn.push((from, value));
                from = end;
            }
        }
        let (low, high) = (drawn[0].1, drawn[drawn.len() - 1].1);
        let magnitude = low.abs().max(high.abs());
        if !MAGNITUDES.contains(&magnitude) {
            return Err(TableFault::Magnitude { low, high });
        }
        let exponent = exponent_of(magnitude);
        let unit = 2f64.powi(exponent);
        let round = |x: f64| (x / unit).round();
        let worst = drawn
            .iter()
            .map(|(_, value)| (round(*value) * unit - value).abs())
            .fold(0.0, f64::max);
        if worst > SHARE * (high - low) {
            let points = (high - low) / unit;
            return Err(TableFault::TooNarrow { low, high, points });
        }
        let segments = drawn.iter().map(|&(start, value)| Segment {
            start: start as u32,
            base: ((round(value) as i32) << FRACTION_BITS) + (1 << (FRACTION_BITS - 1)),
            rise: 0,
            scale: (unit as f32).to_bits(),
        });
        Ok(Self::new(segments.collect(), Accuracy::Absolute(worst)))
    }
}

/// The spacing of the points that a law can be drawn from.
fn check(low: f64, high: f64, tolerance: Tolerance) -> Result<f64, TableFault> {
    let magnitude = low.abs().max(high.abs());
    let smallest = match tolerance {
        Tolerance::OfRange => magnitude,
        Tolerance::OfValue => low,
    };
    if !(MAGNITUDES.contains(&magnitude) && MAGNITUDES.contains(&smallest)) {
        return Err(TableFault::Magnitude { low, high });
    }
    let unit = 2f64.powi(exponent_of(magnitude));
    let points = (high - low) / unit;
    if points < FEWEST_POINTS {
        return Err(TableFault::TooNarrow { low, high, points });
    }
    Ok(unit)
}

/// What a line may be off by.
enum Ruler {
    Even { unit: f64, error: f64 },
    Growing,
}

impl Ruler {
    /// A spacing is at most 2^-23 of every reward of a segment; these are within 2^-21 of the quantiles.
    const GROWING_ROUNDING: f64 = ROUNDING * (1.0 + 1.0 / 2_097_152.0) / 8_388_608.0;

    /// The exponent for a segment between two values.
    fn exponent(&self, left: f64, right: f64) -> i32 {
        match self {
            Self::Even { unit, .. } => unit.log2().round() as i32,
            Self::Growing => exponent_of(left.abs().max(right.abs())),
        }
    }

    /// What a line may be off by at a value.
    fn allowed(&self, value: f64) -> f64 {
        match self {
            Self::Even { unit, error } => error - ROUNDING * unit,
            Self::Growing => (SHARE - Self::GROWING_ROUNDING) * value.abs(),
        }
    }

    /// An error in the ruler's own measure.
    fn relative(&self, error: f64, value: f64) -> f64 {
        match self {
            Self::Even { .. } => error,
            Self::Growing => error / value.abs(),
        }
    }

    /// Whether one segment can hold both values: where the spacing changes, a segment ends, so that rounding to the wider spacing
    /// cannot lead below the segment before.
    fn holds(&self, left: f64, right: f64) -> bool {
        matches!(self, Self::Even { .. }) || exponent_of(left.abs()) == exponent_of(right.abs())
    }
}

/// A part of the word space in which `Q`, or `Q` upside down, is convex.
struct Stretch<'a> {
    quantile: &'a dyn Fn(f64) -> f64,
    first: u64,
    end: u64,
    /// `f(i) = Q(first + i)`, or `-Q(end - 1 - i)`.
    upside_down: bool,
}

impl<'a> Stretch<'a> {
    fn new(quantile: &'a dyn Fn(f64) -> f64, first: u64, end: u64) -> Self {
        let stretch = Self {
            quantile,
            first,
            end,
            upside_down: false,
        };
        let n = end - first;
        let (left, right) = (stretch.at(0), stretch.at(n - 1));
        // The chord of a concave function is below it; whichever of three points shows it most clearly decides.
        let above = [n / 4, n / 2, n - 1 - n / 4].map(|i| {
            let i = i.min(n - 1);
            left + (right - left) * i as f64 / (n.max(2) - 1) as f64 - stretch.at(i)
        });
        let clearest = above
            .into_iter()
            .fold(0f64, |a, b| if b.abs() > a.abs() { b } else { a });
        Self {
            upside_down: clearest < 0.0,
            ..stretch
        }
    }

    /// The convex function of `i` in `0..end - first`.
    fn at(&self, i: u64) -> f64 {
        if self.upside_down {
            -(self.quantile)(probability(self.end - 1 - i))
        } else {
            (self.quantile)(probability(self.first + i))
        }
    }

    /// Appends the lines of this stretch; the largest error of any, in the ruler's measure.
    fn lines(&self, ruler: &Ruler, lines: &mut Vec<Line>) -> f64 {
        let n = self.end - self.first;
        let mut made: Vec<(Line, f64)> = Vec::new();
        let mut i = 0;
        let mut guess = n;
        let mut floor = f64::NEG_INFINITY;
        while i < n {
            let value = self.at(i);
            let drop = if i == 0 { 0.0 } else { ruler.allowed(value) };
            let left = (value - drop).max(floor);
            let (line, error) = self.longest(i, left, guess.min(n - i), ruler);
            i += line.words;
            guess = line.words + line.words / 2 + 1;
            floor = line.right;
            made.push((line, error));
            assert!(
                made.len() <= MOST_LINES,
                "a quantile function that no lines approach"
            );
        }
        let worst = made.iter().map(|(_, error)| *error).fold(0.0, f64::max);
        if self.upside_down {
            made.reverse();
        }
        lines.extend(made.into_iter().map(|(line, _)| self.place(line)));
        worst
    }

    /// From numbers of this stretch to words.
    fn place(&self, line: Line) -> Line {
        if self.upside_down {
            Line {
                start: self.end - line.start - line.words,
                left: -line.right,
                right: -line.left,
                ..line
            }
        } else {
            Line {
                start: self.first + line.start,
                ..line
            }
        }
    }

    /// About the longest line from `i` on that is right, and its error.
    fn longest(&self, i: u64, left: f64, guess: u64, ruler: &Ruler) -> (Line, f64) {
        let n = self.end - self.first;
        let most = n - i;
        let mut good: Option<(Line, f64)> = None;
        let mut too_long = most + 1;
        let mut words = guess.clamp(1, most);
        for _ in 0..64 {
            let (line, error, share) = self.line(i, words, left, ruler);
            let fits = share <= 1.0 || words == 1;
            if fits {
                good = Some((line, error));
            } else {
                too_long = words;
            }
            let shortest = good.as_ref().map_or(1, |(line, _)| line.words + 1);
            // The sag of a line grows like the square of its length; it may be twice what the middle may be off by, since the ends
            // are as far below.
            if shortest >= too_long || (fits && share > 0.8) {
                break;
            }
            let ideal = words as f64 * (1.9 / (1.0 + share.max(-0.99))).sqrt();
            words = if share.is_finite() && ideal as u64 > shortest && (ideal as u64) < too_long {
                ideal as u64
            } else {
                shortest + (too_long - shortest) / 2
            };
            if fits && too_long <= most && (too_long - shortest) * 16 < shortest {
                break;
            }
        }
        good.unwrap_or_else(|| {
            let (line, error, _) = self.line(i, 1, left, ruler);
            (line, error)
        })
    }

    /// A line of so many words, its error in the ruler's measure, and how far above `f` it is as a share of what is allowed.
    ///
    /// Below `f` it is by no more than at its ends, which are where they are allowed to be.
    fn line(&self, i: u64, words: u64, left: f64, ruler: &Ruler) -> (Line, f64, f64) {
        let n = self.end - self.first;
        let first = self.at(i);
        let last = self.at(i + words - 1);
        let allowed = ruler.allowed(first).min(ruler.allowed(last));
        let drop = if i + words == n {
            0.0
        } else {
            ruler.allowed(last)
        };
        let line = Line {
            start: i,
            words,
            left,
            right: if words == 1 {
                left
            } else {
                (last - drop).max(left)
            },
        };
        let small = first.abs().min(last.abs());
        let fits = ruler.holds(line.left, line.right)
            && line
                .segment(ruler.exponent(line.left, line.right))
                .is_some();
        let above = self.above(&line, first, last);
        let error = ruler
            .relative(above, small)
            .max(ruler.relative(first - line.left, first))
            .max(ruler.relative(last - line.right, last));
        let share = if fits { above / allowed } else { f64::INFINITY };
        (line, error, share)
    }

    /// Bounds `line - f` from above, over all words of a line.
    ///
    /// It is concave: between two of its values it lies below the lines through the two values before and the two values
    /// after.
    fn above(&self, line: &Line, first: f64, last: f64) -> f64 {
        let gap = line.words - 1;
        if gap == 0 {
            return line.left - first;
        }
        let parts = u64::from(PARTS).min(gap);
        let at: Vec<u64> = (0..=parts).map(|k| gap * k / parts).collect();
        let g: Vec<f64> = at
            .iter()
            .map(|&j| {
                let on_line = line.left + (line.right - line.left) * j as f64 / gap as f64;
                match j {
                    0 => line.left - first,
                    _ if j == gap => line.right - last,
                    _ => on_line - self.at(line.start + j),
                }
            })
            .collect();
        let mut worst = g.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for k in 0..at.len() - 1 {
            // Neighbouring words: nothing is between them.
            if at[k + 1] - at[k] > 1 {
                worst = worst.max(bound_between(&at, &g, k));
            }
        }
        worst
    }
}

/// An upper bound on a concave function between its values `k` and `k + 1`.
fn bound_between(at: &[u64], g: &[f64], k: usize) -> f64 {
    let slope = |a: usize, b: usize| (g[b] - g[a]) / (at[b] - at[a]) as f64;
    let width = (at[k + 1] - at[k]) as f64;
    let rising = (k > 0).then(|| slope(k - 1, k));
    let falling = (k + 2 < at.len()).then(|| slope(k + 1, k + 2));
    match (rising, falling) {
        (Some(up), Some(down)) if up > down => {
            // Where the two lines meet.
            let t = (g[k + 1] - down * width - g[k]) / (up - down);
            g[k] + up * t.clamp(0.0, width)
        }
        (Some(up), None) => g[k].max(g[k] + up * width),
        (None, Some(down)) => g[k + 1].max(g[k + 1] - down * width),
        _ => g[k].max(g[k + 1]),
    }
}

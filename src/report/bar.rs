//! An interval drawn as a line of characters on an axis that all rows share.

use super::digits::fixed;

/// The axis of a column of bars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Digits after the point that its ends are written with.
    pub(super) decimals: usize,
}

impl Axis {
    /// The shortest axis with round ends around all finite numbers in `ends`; [0, 1] if there is none.
    pub(super) fn around(ends: impl IntoIterator<Item = f64>) -> Self {
        let finite = ends.into_iter().filter(|x| x.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
            (l.min(x), h.max(x))
        });
        if low > high {
            return Self {
                low: 0.0,
                high: 1.0,
                decimals: 0,
            };
        }
        // One value alone, whatever its last bits, gets an axis that a reader can place it on.
        let size = high.abs().max(low.abs());
        let span = if high - low > 1e-9 * size {
            high - low
        } else {
            (0.01 * size).max(1e-290)
        };
        let step = round_step(span / 4.0);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let last = if last > first { last } else { first + 1.0 };
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        Self {
            low: first * step,
            high: last * step,
            decimals,
        }
    }

    /// Where a value lies on the axis: 0 at its low end, 1 at its high end, cut off beyond.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Round values on the axis, about `count` of them, ends included.
    pub(super) fn ticks(&self, count: usize) -> Vec<f64> {
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        let first = (self.low / step - 1e-6).ceil() as i64;
        let last = (self.high / step + 1e-6).floor() as i64;
        (first..=last).map(|k| k as f64 * step).collect()
    }

    /// Digits after the point that tell neighbouring ticks apart.
    pub(super) fn tick_decimals(&self, count: usize) -> usize {
        let step = round_step((self.high - self.low) / count.max(1) as f64);
        (-step.log10().floor()).clamp(0.0, 12.0) as usize
    }

    /// Both ends, flush left and flush right in `width` characters.
    pub(super) fn heading(&self, width: usize) -> String {
        let (low, high) = (
            fixed(self.low, self.decimals),
            fixed(self.high, self.decimals),
        );
        let gap = width.saturating_sub(low.len() + high.len()).max(1);
        format!("{low}{}{high}", " ".repeat(gap))
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `at_least`.
fn round_step(at_least: f64) -> f64 {
    let power = 10_f64.powf(at_least.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    // The quotient is rounded twice: a step that fits up to that error is the one meant.
    let fits = factors
        .into_iter()
        .find(|f| f * power >= at_least * (1.0 - 1e-12));
    fits.unwrap_or(10.0) * power
}

/// The interval `[low, high]` as a line, at a resolution of half a character, with a point at the estimate.
pub(super) fn interval(low: f64, estimate: f64, high: f64, axis: &Axis, width: usize) -> String {
    let halves = 2 * width;
    let at = |x: f64| ((axis.share(x) * halves as f64) as usize).min(halves - 1);
    let (from, to, point) = (at(low), at(high), at(estimate) / 2);
    let inside = |half: usize| (from..=to).contains(&half);
    (0..width)
        .map(|i| match (inside(2 * i), inside(2 * i + 1)) {
            _ if i == point => '●',
            (true, true) => '━',
            (true, false) => '╸',
            (false, true) => '╺',
            (false, false) => ' ',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_ends() {
        let axis = Axis::around([0.512, 0.893]);
        assert_eq!((axis.low, axis.high), (0.5, 0.9));
        assert_eq!(axis.heading(12), "0.5      0.9");
        let narrow = Axis::around([0.821_11, 0.821_93]);
        assert_eq!(narrow.heading(16), "0.8210    0.8220");
        assert_eq!(
            Axis::around([f64::INFINITY]),
            Axis {
                low: 0.0,
                high: 1.0,
                decimals: 0
            }
        );
    }

    #[test]
    fn one_value_still_makes_an_axis() {
        for value in [0.0, 0.5, -3.0, 1e-300, 1e300] {
            let axis = Axis::around([value, value]);
            assert!(
                axis.low < axis.high && axis.low <= value && value <= axis.high,
                "{axis:?}"
            );
        }
    }

    #[test]
    fn a_bar_shows_its_ends_at_half_a_character() {
        let axis = Axis {
            low: 0.0,
            high: 1.0,
            decimals: 0,
        };
        assert_eq!(interval(0.25, 0.5, 0.7, &axis, 10), "  ╺━━●━╸  ");
        assert_eq!(interval(0.0, 0.0, 0.0, &axis, 4), "●   ");
        assert_eq!(interval(1.0, 1.0, 1.0, &axis, 4), "   ●");
        assert_eq!(
            interval(f64::NEG_INFINITY, 0.5, f64::INFINITY, &axis, 4),
            "━━●━"
        );
    }

    #[test]
    fn ticks_lie_on_the_axis() {
        let axis = Axis::around([0.31, 0.88]);
        let ticks = axis.ticks(4);
        assert!(
            ticks.len() >= 3
                && ticks
                    .iter()
                    .all(|t| (axis.low - 1e-9..=axis.high + 1e-9).contains(t)),
            "{ticks:?}"
        );
    }
}

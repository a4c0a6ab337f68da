//! How numbers are written: as many digits as the interval supports, never more.

/// Digits after the point at which a half-width shows two significant digits.
///
/// Half-widths of zero (exact enumeration), of no meaning (infinite) or below 1e-12 get fixed answers: 6, 4 and 12.
#[must_use]
pub(super) fn decimals(half: f64) -> usize {
    if !half.is_finite() {
        return 4;
    }
    if half <= 0.0 {
        return 6;
    }
    let magnitude = half.log10().floor();
    (1.0 - magnitude).clamp(0.0, 12.0) as usize
}

/// A half-width rounded up to `decimals` digits, so that the printed interval never claims less than was found.
#[must_use]
pub(super) fn half_width(half: f64, decimals: usize) -> String {
    if !half.is_finite() {
        return "∞".to_owned();
    }
    let scale = 10_f64.powi(decimals as i32);
    // A number that already has that many digits must not be pushed up by the rounding of the product.
    let steps = (half * scale * (1.0 - 4.0 * f64::EPSILON)).ceil();
    format!("{:.decimals$}", steps / scale)
}

/// `0.82143 ± 0.00031`, both with the given digits after the point.
#[must_use]
pub(super) fn with_half_width(value: f64, half: f64, decimals: usize) -> String {
    format!(
        "{} ± {}",
        fixed(value, decimals),
        half_width(half, decimals)
    )
}

/// A number with the given digits after the point, without the sign of a negative zero.
#[must_use]
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return match (value.is_nan(), value > 0.0) {
            (true, _) => "-".to_owned(),
            (_, true) => "∞".to_owned(),
            (_, false) => "-∞".to_owned(),
        };
    }
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|b| b == b'0' || b == b'.') => rest.to_owned(),
        _ => text,
    }
}

/// A number rounded towards minus infinity (`down`) or plus infinity at the given digit: ends of intervals.
#[must_use]
pub(super) fn outward(value: f64, down: bool, decimals: usize) -> String {
    if !value.is_finite() {
        return fixed(value, decimals);
    }
    let scale = 10_f64.powi(decimals as i32);
    let steps = value * scale;
    let slack = 4.0 * f64::EPSILON * steps.abs();
    let steps = if down {
        (steps + slack).floor()
    } else {
        (steps - slack).ceil()
    };
    fixed(steps / scale, decimals)
}

/// A small positive number in two digits, rounded up: `5.3e-6`; `0` if it is zero.
///
/// ```
/// assert_eq!(powersweep::report::small(5.21e-6), "5.3e-6");
/// assert_eq!(powersweep::report::small(0.0), "0");
/// ```
#[must_use]
pub fn small(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return "∞".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    let scale = 10_f64.powi(exponent - 1);
    let steps = (value / scale * (1.0 - 4.0 * f64::EPSILON)).ceil();
    format!("{:.1e}", steps * scale)
}

/// A count with commas between groups of three digits.
///
/// ```
/// assert_eq!(powersweep::report::grouped(1_000_000), "1,000,000");
/// ```
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Digits after the point for numbers in the cells of a map: three, or four where three would not tell ten steps of the
/// scale apart, but never more than `decimals`.
pub(super) fn cell_decimals(scale: f64, decimals: usize) -> usize {
    let steps = 1.0 - scale.log10();
    decimals.min(if steps > 3.0 { 4 } else { 3 })
}

/// `1 state`, `2 states`: a count with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count as u64))
}

/// A name from a file as it may be printed: control characters escaped, cut to `longest` characters.
///
/// Names come from files that others wrote; an escape sequence in one must not reach the terminal.
#[must_use]
pub fn plain_name(name: &str, longest: usize) -> String {
    let mut safe = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    if safe.chars().count() <= longest {
        return safe;
    }
    let mut cut: String = safe.chars().take(longest.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_interval() {
        let of = |value, half| with_half_width(value, half, decimals(half));
        assert_eq!(of(0.821_432_9, 0.000_305), "0.82143 ± 0.00031");
        assert_eq!(of(0.821_432_9, 0.012), "0.821 ± 0.012");
        assert_eq!(of(123.456, 7.0), "123.5 ± 7.0");
        assert_eq!(of(123.456, 70.0), "123 ± 70");
        assert_eq!(of(0.5, 0.0), "0.500000 ± 0.000000");
        assert_eq!(of(0.5, f64::INFINITY), "0.5000 ± ∞");
        assert_eq!(of(-1e-9, 0.01), "0.000 ± 0.010");
    }

    #[test]
    fn an_interval_is_only_ever_rounded_outwards() {
        assert_eq!(half_width(0.000_301, 5), "0.00031");
        assert_eq!(half_width(0.000_31, 5), "0.00031");
        assert_eq!(
            (outward(0.123_45, true, 3), outward(0.123_45, false, 3)),
            ("0.123".into(), "0.124".into())
        );
        assert_eq!(
            (outward(-0.123_45, true, 3), outward(-0.123_45, false, 3)),
            ("-0.124".into(), "-0.123".into())
        );
        assert_eq!(
            (outward(0.25, true, 2), outward(0.25, false, 2)),
            ("0.25".into(), "0.25".into())
        );
    }

    #[test]
    fn cells_of_a_map_tell_its_values_apart() {
        assert_eq!(
            [0.2, 0.0017, 0.0].map(|scale| cell_decimals(scale, 5)),
            [3, 4, 4]
        );
        assert_eq!(cell_decimals(0.0017, 2), 2);
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(plain_name("a\u{1b}[2Jb\n", 40), "a\\u{1b}[2Jb\\n");
        assert_eq!(plain_name("abcdefgh", 5), "abcd…");
    }

    #[test]
    fn counts_are_grouped_by_threes() {
        let grouped: Vec<_> = [0, 999, 1000, 12_345, 1_234_567].map(grouped).into();
        assert_eq!(grouped, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}

//! Solving `F(x) = p` for a distribution function.

/// Steps at most; Newton takes 4 to 8 of them, bisection alone 100.
const STEPS: usize = 200;

/// The root of `f` in `[low, high]`, where `f` does not fall and is given with its derivative.
///
/// Newton's method; wherever it leaves the bracket, or shrinks it too little, the bracket is halved instead.
///
/// # Precision
///
/// As far as f64 resolves the sign of `f`.
pub(super) fn increasing_root(
    low: f64,
    high: f64,
    guess: f64,
    mut f: impl FnMut(f64) -> (f64, f64),
) -> f64 {
    let (mut low, mut high) = (low, high);
    let mut x = guess.clamp(low, high);
    let mut last_step = high - low;
    for _ in 0..STEPS {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if value < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        // A step that is no shorter than half the last one is no progress.
        let useful = newton > low && newton < high && (newton - x).abs() <= 0.5 * last_step;
        let next = if useful {
            newton
        } else {
            low + (high - low) / 2.0
        };
        last_step = (next - x).abs();
        if last_step <= f64::EPSILON * x.abs() || next == low && next == high {
            return next;
        }
        x = next;
    }
    x
}

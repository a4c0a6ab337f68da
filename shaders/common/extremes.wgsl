// What a certificate needs to know of a goal, over all states. Zeroed before a group of goals starts and by every certificate.
//
// Several invocations measure a goal, and none waits for another: each merges what it has seen by maxima of integers, which do not depend on any order. Numbers are
// kept as integers that order like them, least ones as their complement, so that nothing is less than zero.
struct Extremes {
    // States that were measured.
    visited: atomic<u32>,
    // Of the residual, and of the values.
    residual_low: atomic<u32>,
    residual_high: atomic<u32>,
    value_low: atomic<u32>,
    value_high: atomic<u32>,
    // Bits of the largest distance between the bounds of a state's residual, and of max|R|. As integers they order like the numbers, and above them all stand
    // infinity and NaN; so do those of residuals and values, at one end or the other.
    spread: atomic<u32>,
    reward: atomic<u32>,
}

// Integers in the order of numbers.
fn ordered(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

// The number of an integer.
fn number(x: u32) -> f32 {
    return bitcast<f32>(select(~x, x & 0x7fffffffu, x >= 0x80000000u));
}

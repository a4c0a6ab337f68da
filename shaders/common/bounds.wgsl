// Below every sum there can be. Infinities are no sentinels in WGSL: an implementation may assume that there are none.
const LOWEST: f32 = -3.0e38;

// max(a, b) of finite numbers.
fn larger(a: f32, b: f32) -> f32 {
    return select(b, a, a > b);
}

fn smaller(a: f32, b: f32) -> f32 {
    return select(b, a, a < b);
}

// gamma max_a sum_{s'} T(s,a,s')(V(s') - V(s)), with R(s,a) in the maximum where choices have rewards: as computed, and bounds on
// the true number.
struct Differences {
    best: f32,
    low: f32,
    high: f32,
}

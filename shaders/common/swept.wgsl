// What a sweep has made of the values that are to be certified, next = R + gamma max_a P_a V: the residual without another product. What it errs by is one number for all states, relative
// to the largest |V| and |R|, and in the allowance (src/solve/gpu/allowance.rs). Needs `state_reward`.
@group(0) @binding(1) var<storage, read> next: array<f32>;

var<private> lane_base: u32;

fn differences(s: u32, own: f32) -> Differences {
    let best = next[lane_base + s * LANES] - state_reward(s) - cell.discount * own;
    return Differences(best, best, best);
}

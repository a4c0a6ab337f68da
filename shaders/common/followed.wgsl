// One choice of every state is taken, which the host has put there: followed[(tile * n_states + row) * LANES + lane]. Needs `lane_base`.
@group(0) @binding(10) var<storage, read> followed: array<u32>;

fn is_open(s: u32, c: u32) -> bool {
    return followed[lane_base + s * LANES] == c;
}

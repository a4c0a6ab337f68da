// Values that a lane sweeps, in workgroup memory: loaded from storage before the first sweep of a dispatch, and stored after the last one. No
// lane looks at another one's, so that nobody waits.

@group(0) @binding(5) var<storage, read_write> values: array<f32>;

// Numbers of a workgroup: n_states * LANES.
override HELD: u32 = 64u;

var<workgroup> held: array<f32, HELD>;
var<private> lane_base: u32;
var<private> lane_index: u32;

fn open_values(base: u32, lane: u32) {
    lane_base = base;
    lane_index = lane;
    for (var s = 0u; s < cell.n_states; s++) {
        held[lane + s * LANES] = values[base + s * LANES];
    }
}

fn value(row: u32) -> f32 {
    return held[lane_index + row * LANES];
}

fn set_value(row: u32, x: f32) {
    held[lane_index + row * LANES] = x;
}

fn close_values() {
    for (var s = 0u; s < cell.n_states; s++) {
        values[lane_base + s * LANES] = held[lane_index + s * LANES];
    }
}

// Values that a lane sweeps, in storage: values[(tile * n_states + row) * LANES + lane].

@group(0) @binding(5) var<storage, read_write> values: array<f32>;

var<private> lane_base: u32;

fn open_values(base: u32, lane: u32) {
    lane_base = base;
}

fn value(row: u32) -> f32 {
    return values[lane_base + row * LANES];
}

fn set_value(row: u32, x: f32) {
    values[lane_base + row * LANES] = x;
}

fn close_values() {}

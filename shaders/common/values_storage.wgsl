// Values of a lane, in storage: values[(tile * n_states + row) * LANES + lane]. `lane_base` is set before the first access.
var<private> lane_base: u32;

fn value(row: u32) -> f32 {
    return values[lane_base + row * LANES];
}

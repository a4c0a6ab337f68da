// Takes the shift of a moved centre off every value of its goal.
//
// Grid: (tiles, any number), the second strides over states. Values are free to be anything: the certificate that follows
// measures what they are.

@group(0) @binding(1) var<storage, read> lanes: array<Lane>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn recentre(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    let shift = lanes[goal].shift;
    if lanes[goal].status != RUNNING || shift == 0.0 {
        return;
    }
    let base = group.x * cell.n_states * LANES + lane;
    for (var s = group.y; s < cell.n_states; s += groups.y) {
        values[base + s * LANES] -= shift;
    }
}

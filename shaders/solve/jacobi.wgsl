// One Jacobi sweep, V <- R + gamma max_a P_a V, from `values` to `next`. Lane = goal.
//
// Grid: (tiles, any number), the second strides over `range_first..range_end`: all states are backed up from the old values.
// Every update is counted: a driver that leaves some out is found out.

@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> next: array<f32>;
@group(0) @binding(7) var<storage, read> lanes: array<Lane>;
@group(0) @binding(8) var<storage, read_write> drawn: array<Drawn>;

@compute @workgroup_size(64)
fn jacobi(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    if lanes[goal].status != RUNNING {
        return;
    }
    lane_base = group.x * cell.n_states * LANES + lane;
    goal_base = group.x * cell.n_rewards * LANES + lane;
    centre = i32(lanes[goal].centre);
    var done = 0u;
    for (var s = job.range_first + group.y; s < job.range_end; s += groups.y) {
        let at = lane_base + s * LANES;
        let own = values[at];
        next[at] = state_reward(s) + (cell.discount * own + differences(s, own).best);
        done++;
    }
    atomicAdd(&drawn[goal].updates, done);
}

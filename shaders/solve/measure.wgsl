// Measures the residual of the original Bellman operator in difference form, and what certificates are made of. Lane = goal.
//
// Grid: (tiles, any number), the second strides over `range_first..range_end`. Merges what it has seen into `extremes`, and writes
// integrands[(tile * n_states + row) * LANES + lane] = bits of (1 - gamma) max_a P_a V, centred; where choices have rewards, of
// (1 - gamma) max_a (R + gamma P_a V).

@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> extremes: array<Extremes>;
@group(0) @binding(8) var<storage, read_write> integrands: array<u32>;

@compute @workgroup_size(64)
fn measure(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let goal = group.x * LANES + index;
    if lanes[goal].status != RUNNING {
        return;
    }
    lane_base = group.x * cell.n_states * LANES + index;
    goal_base = group.x * cell.n_rewards * LANES + index;
    centre = i32(lanes[goal].centre);
    var visited = 0u;
    var residual_low = 0u;
    var residual_high = 0u;
    var value_low = 0u;
    var value_high = 0u;
    var spread = 0u;
    var largest_reward = 0u;
    for (var s = job.range_first + group.y; s < job.range_end; s += groups.y) {
        let at = lane_base + s * LANES;
        let reward = state_reward(s);
        let own = values[at];
        let d = differences(s, own);
        let rest = reward - cell.complement * own;
        residual_low = max(residual_low, ~ordered(rest + d.low));
        residual_high = max(residual_high, ordered(rest + d.high));
        value_low = max(value_low, ~ordered(own));
        value_high = max(value_high, ordered(own));
        spread = max(spread, bitcast<u32>(abs(d.high - d.low)));
        largest_reward = max(largest_reward, bitcast<u32>(abs(reward)));
        var integrand = cell.complement * own + cell.odds * d.best;
        if CHOICE_REWARDS {
            integrand = cell.complement * (cell.discount * own + d.best);
        }
        integrands[at] = bitcast<u32>(integrand);
        visited++;
    }
    atomicAdd(&extremes[goal].visited, visited);
    atomicMax(&extremes[goal].residual_low, residual_low);
    atomicMax(&extremes[goal].residual_high, residual_high);
    atomicMax(&extremes[goal].value_low, value_low);
    atomicMax(&extremes[goal].value_high, value_high);
    atomicMax(&extremes[goal].spread, spread);
    atomicMax(&extremes[goal].reward, largest_reward);
}

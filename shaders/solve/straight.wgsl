// In-place sweeps of a small deterministic MDP, written out: one variable per state, so that values and rewards stay in registers. Lane = goal.
//
// Grid: (tiles). Does `job.sweeps` sweeps over all states, and counts every state update. What stands between the marks is written by
// src/solve/gpu/straight.rs for the MDP at hand; here it is a single state that stays where it is.

@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> drawn: array<Drawn>;

@compute @workgroup_size(64)
fn straight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    if lanes[goal].status != RUNNING {
        return;
    }
    goal_base = group.x * cell.n_rewards * LANES + lane;
    centre = i32(lanes[goal].centre);
    let base = group.x * cell.n_states * LANES + lane;
    let g = cell.discount;
    let horizon = cell.horizon;
    // <load>
    let r0 = reward(0u);
    var v0 = values[base];
    // </load>
    var updates = 0u;
    for (var sweep = 0u; sweep < job.sweeps; sweep++) {
        if ((job.backwards + sweep) & 1u) == 0u {
            // <forwards>
            v0 = r0 * horizon;
            // </forwards>
        } else {
            // <backwards>
            v0 = r0 * horizon;
            // </backwards>
        }
        updates += cell.n_states;
    }
    // <store>
    values[base] = v0;
    // </store>
    atomicAdd(&drawn[goal].updates, updates);
}

// In-place sweeps with self-loops eliminated, in alternating direction. Lane = goal.
//
// Grid: (tiles). Does `job.sweeps` sweeps over all states, or one over `range_first..range_end` of its visits, and counts
// every state update: a driver that stops a loop early is found out.

@group(0) @binding(4) var<storage, read> goals: array<u32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> drawn: array<Drawn>;

@compute @workgroup_size(64)
fn in_place(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    if lanes[goal].status != RUNNING {
        return;
    }
    lane_base = group.x * cell.n_states * LANES + lane;
    let centre = i32(lanes[goal].centre);
    var updates = 0u;
    for (var sweep = 0u; sweep < job.sweeps; sweep++) {
        let backwards = ((job.backwards + sweep) & 1u) != 0u;
        for (var i = job.range_first; i < job.range_end; i++) {
            let s = select(i, cell.n_states - 1u - i, backwards);
            let at = lane_base + s * LANES;
            let reward = f32(i32(goals[at]) - centre) * cell.spacing;
            values[at] = backup(s, reward);
            updates++;
        }
    }
    atomicAdd(&drawn[goal].updates, updates);
}

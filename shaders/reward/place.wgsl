// Lays out what is to be shuffled: the step that belongs in a place, or the place's own number.
//
// Every place has a slot: one of the rows of its rewards, goals[(tile * n_rewards + slot) * LANES + lane]. The job's range holds places. Grid: (tiles, any
// number), the second strides over places.

@group(0) @binding(1) var<storage, read> places: array<Place>;
@group(0) @binding(2) var<storage, read_write> goals: array<u32>;

@compute @workgroup_size(64)
fn place(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let leaf = leaves[job.leaf];
    let goal = numbered(group.x * LANES + lane, group.x, lane);
    if !follows(goal, leaf) {
        return;
    }
    for (var j = job.range_first + group.y; j < job.range_end; j += groups.y) {
        let own = places[leaf.first_place + j];
        goals[goal.base + own.slot * LANES] = own.start;
    }
}

// In-place sweeps with self-loops eliminated. Lane = goal. Needs `open_values`, `set_value` and `close_values`.
//
// Grid: (tiles). Does `job.sweeps` sweeps over all states, or one over `range_first..range_end` of its visits, and counts
// every state update: a driver that stops a loop early is found out.

// Whether sweeps alternate their direction.
override ALTERNATES: bool = true;

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
    goal_base = group.x * cell.n_rewards * LANES + lane;
    centre = i32(lanes[goal].centre);
    open_values(group.x * cell.n_states * LANES + lane, lane);
    var updates = 0u;
    for (var sweep = 0u; sweep < job.sweeps; sweep++) {
        let backwards = ALTERNATES && ((job.done + sweep) & 1u) != 0u;
        let factor = relaxation(sweep);
        for (var i = job.range_first; i < job.range_end; i++) {
            let s = select(i, cell.n_states - 1u - i, backwards);
            var to = backup(s);
            if factor != 1.0 {
                to = value(s) + factor * (to - value(s));
            }
            set_value(s, to);
            updates++;
        }
    }
    close_values();
    atomicAdd(&drawn[goal].updates, updates);
}

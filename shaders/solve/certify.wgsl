// Certifies every running goal from what was measured of it, and decides how it goes on. Lane = goal. Grid: (tiles).

@group(0) @binding(6) var<storage, read_write> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> extremes: array<Extremes>;
@group(0) @binding(8) var<storage, read_write> drawn: array<Drawn>;
@group(0) @binding(9) var<storage, read_write> progress: Progress;

fn range(low: u32, high: u32) -> Range {
    let ends = vec2<f32>(number(~low), number(high));
    let sizes = bitcast<vec2<u32>>(ends) & vec2<u32>(0x7fffffffu);
    return Range(ends.x, ends.y, max(sizes.x, sizes.y));
}

fn seen(goal: u32) -> Seen {
    let e = &extremes[goal];
    let complete = atomicLoad(&drawn[goal].written) == cell.n_rewards
        && atomicLoad(&drawn[goal].updates) == job.expected_work
        && atomicLoad(&(*e).visited) == cell.n_states;
    return Seen(
        range(atomicLoad(&(*e).residual_low), atomicLoad(&(*e).residual_high)),
        range(atomicLoad(&(*e).value_low), atomicLoad(&(*e).value_high)),
        bitcast<f32>(atomicLoad(&(*e).spread)),
        bitcast<f32>(atomicLoad(&(*e).reward)),
        complete,
    );
}

@compute @workgroup_size(64)
fn certify(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let goal = group.x * LANES + index;
    if lanes[goal].status != RUNNING {
        return;
    }
    let lane = certified(lanes[goal], seen(goal), job.done);
    lanes[goal] = lane;
    if lane.status == BROKEN {
        atomicAdd(&progress.broken, 1u);
    }
    if lane.status == RUNNING {
        atomicAdd(&progress.running, 1u);
        if lane.shift != 0.0 {
            atomicAdd(&progress.moved, 1u);
        }
    }
    let e = &extremes[goal];
    atomicStore(&(*e).visited, 0u);
    atomicStore(&(*e).residual_low, 0u);
    atomicStore(&(*e).residual_high, 0u);
    atomicStore(&(*e).value_low, 0u);
    atomicStore(&(*e).value_high, 0u);
    atomicStore(&(*e).spread, 0u);
    atomicStore(&(*e).reward, 0u);
}

// Adds the certificates of a group of goals up, block by block. One invocation per goal; grid: (tiles).

struct Tally {
    // Goals that came to an end, and are in the sums.
    finished: atomic<u32>,
    // Goals that are left to the host.
    left: atomic<u32>,
    unconverged: atomic<u32>,
    // Sum of half-widths, in units of 1/HALF_WIDTH_UNITS: upper * 2^16 + lower.
    bound_upper: atomic<u32>,
    bound_lower: atomic<u32>,
    bound_max: atomic<u32>,
    // Sum of sweeps: upper * 2^16 + lower.
    sweeps_upper: atomic<u32>,
    sweeps_lower: atomic<u32>,
    sweeps_max: atomic<u32>,
}

@group(0) @binding(1) var<storage, read> lanes: array<Lane>;
@group(0) @binding(2) var<storage, read_write> tally: array<Tally>;
// One bit per goal: it missed the tolerance.
@group(0) @binding(3) var<storage, read_write> missed: array<atomic<u32>>;

@compute @workgroup_size(64)
fn tally_goals(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let goal = group.x * LANES + index;
    if goal >= job.count {
        return;
    }
    let lane = lanes[goal];
    let own = &tally[group.x / job.block_tiles];
    if lane.status == RUNNING || lane.status == BROKEN {
        return;
    }
    if (job.flags & FLAG_LEAVE) != 0u && lane.status == EXHAUSTED {
        atomicAdd(&(*own).left, 1u);
        return;
    }
    atomicAdd(&(*own).finished, 1u);
    if lane.half_width > cell.tolerance {
        atomicAdd(&(*own).unconverged, 1u);
        atomicOr(&missed[goal / 32u], 1u << (goal % 32u));
    }
    atomicAdd(&(*own).bound_upper, lane.half_width >> 16u);
    atomicAdd(&(*own).bound_lower, lane.half_width & 0xffffu);
    atomicMax(&(*own).bound_max, lane.half_width);
    atomicAdd(&(*own).sweeps_upper, lane.sweeps >> 16u);
    atomicAdd(&(*own).sweeps_lower, lane.sweeps & 0xffffu);
    atomicMax(&(*own).sweeps_max, lane.sweeps);
}

// Adds the POWER integrands of a group of goals up, block by block and state by state.
//
// One invocation per (tile, row): grid (tiles, any number), the second strides over groups of 64 rows. Integrands are
// rounded once to integers in units of 1/SUM_UNITS of the law's binade, and integers are added: the sums are exact and do not
// depend on any order, so that no tree has to be fixed. The upper and the lower 16 bits are added apart, which leaves room for
// 2^16 goals.

// Sums of one state over goals, in units of 1/SUM_UNITS: upper * 2^16 + lower.
struct StateSums {
    power_upper: atomic<i32>,
    power_lower: atomic<u32>,
    squared_upper: atomic<u32>,
    squared_lower: atomic<u32>,
    // Goals that were added.
    goals: atomic<u32>,
}

@group(0) @binding(1) var<storage, read> lanes: array<Lane>;
@group(0) @binding(2) var<storage, read_write> integrands: array<u32>;
// [block][state]
@group(0) @binding(3) var<storage, read_write> sums: array<StateSums>;

// The integrand less the shift. Rounded first, then brought into the law's range, where the truth is: that takes no
// goal further from it, and puts a bound on those whose iteration was cut short.
fn fixed(integrand: u32, goal: u32) -> i32 {
    let centred = bitcast<f32>(integrand) + cell.middle_share * lanes[goal].middle;
    let offset = (2 * i32(lanes[goal].centre) - i32(cell.shift_twice)) << cell.shift_bits;
    let half_range = i32(cell.width - 1u) << cell.shift_bits;
    let x = i32(round(clamp(centred, -8.0, 8.0) * SUM_UNITS)) + offset;
    return clamp(x, -half_range, half_range);
}

@compute @workgroup_size(64)
fn reduce(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first = group.x * LANES;
    let count = min(LANES, job.count - min(job.count, first));
    for (var s = group.y * 64u + index; s < cell.n_states; s += groups.y * 64u) {
        let base = (group.x * cell.n_states + s) * LANES;
        var power_upper = 0;
        var power_lower = 0u;
        var squared_upper = 0u;
        var squared_lower = 0u;
        var goals = 0u;
        for (var lane = 0u; lane < count; lane++) {
            let x = fixed(integrands[base + lane], first + lane);
            if (job.flags & FLAG_KEEP) != 0u {
                integrands[base + lane] = bitcast<u32>(x);
            }
            if (job.flags & FLAG_LEAVE) != 0u && lanes[first + lane].status == EXHAUSTED {
                continue;
            }
            let scaled = f32(x) * (1.0 / SUM_UNITS);
            let square = u32(round(scaled * scaled * SUM_UNITS));
            power_upper += x >> 16u;
            power_lower += u32(x) & 0xffffu;
            squared_upper += square >> 16u;
            squared_lower += square & 0xffffu;
            goals++;
        }
        let own = &sums[group.x / job.block_tiles * cell.n_states + s];
        atomicAdd(&(*own).power_upper, power_upper);
        atomicAdd(&(*own).power_lower, power_lower);
        atomicAdd(&(*own).squared_upper, squared_upper);
        atomicAdd(&(*own).squared_lower, squared_lower);
        atomicAdd(&(*own).goals, goals);
    }
}

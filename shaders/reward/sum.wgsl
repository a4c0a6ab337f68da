// Adds up rewards that are weighted sums of draws: exactly, in 64 bits, and rounded once to a step. Integers alone: the same on every device.
//
// goals[(tile * n_rewards + row) * LANES + lane] = (offset + sum weight * latent) >> shift, with half a step in the offset. Four rewards are summed side by side, so
// that a draw is loaded once for them. The job's range holds such bundles. Grid: (tiles, any number), the second strides over them. What the integers are,
// that no sum overflows, and how far a step is from the reward: src/solve/gpu/sums.rs.

// Rewards 4 b to 4 b + 3, and the terms that any of them has.
struct Bundle {
    first: u32,
    end: u32,
    // Latent draws that are taken off the count of what was written: all of a leaf's in its first bundle.
    latents: u32,
}

// A reward that is a sum.
struct Summed {
    // NOWHERE: there is none.
    row: u32,
    shift: u32,
    offset_low: u32,
    offset_high: u32,
}

// In a row: who is there can surely stay, for this reward for ever.
const STAYS: u32 = 0x80000000u;
// A row that is none.
const NOWHERE: u32 = 0xffffffffu;

@group(0) @binding(1) var<storage, read> bundles: array<Bundle>;
@group(0) @binding(2) var<storage, read> summed: array<Summed>;
@group(0) @binding(3) var<storage, read_write> goals: array<u32>;
@group(0) @binding(4) var<storage, read_write> drawn: array<Drawn>;
@group(0) @binding(5) var<storage, read> latents: array<i32>;
// Per term: the latent draw, and its weight in each of the four rewards.
@group(0) @binding(6) var<storage, read> addends: array<u32>;
@group(0) @binding(7) var<storage, read> factors: array<vec4<i32>>;

var<private> stay: u32;
var<private> depth: u32;
var<private> written: u32;

fn offset(own: Summed) -> Wide {
    return wide(own.offset_low, own.offset_high);
}

fn settle(own: Summed, sum: Wide, base: u32) {
    if own.row == NOWHERE {
        return;
    }
    let step = u32(clamp(shifted(sum, own.shift), 0, i32(cell.width) - 1));
    goals[base + (own.row & ~STAYS) * LANES] = step;
    depth = max(depth, cell.width - step);
    if (own.row & STAYS) != 0u {
        stay = max(stay, step);
    }
    written++;
}

@compute @workgroup_size(64)
fn sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group.x * LANES + lane;
    let goal = numbered(at, group.x, lane);
    let leaf = leaves[job.leaf];
    if !follows(goal, leaf) {
        return;
    }
    let base = group.x * leaf.n_latents * LANES + lane;
    for (var b = job.range_first + group.y; b < job.range_end; b += groups.y) {
        let bundle = bundles[b];
        let own_0 = summed[4u * b];
        let own_1 = summed[4u * b + 1u];
        let own_2 = summed[4u * b + 2u];
        let own_3 = summed[4u * b + 3u];
        var sum_0 = offset(own_0);
        var sum_1 = offset(own_1);
        var sum_2 = offset(own_2);
        var sum_3 = offset(own_3);
        for (var t = bundle.first; t < bundle.end; t++) {
            let x = latents[base + addends[t] * LANES];
            let w = factors[t];
            sum_0 = plus_product(sum_0, w.x, x);
            sum_1 = plus_product(sum_1, w.y, x);
            sum_2 = plus_product(sum_2, w.z, x);
            sum_3 = plus_product(sum_3, w.w, x);
        }
        settle(own_0, sum_0, goal.base);
        settle(own_1, sum_1, goal.base);
        settle(own_2, sum_2, goal.base);
        settle(own_3, sum_3, goal.base);
        written -= bundle.latents;
    }
    atomicMax(&drawn[at].stay, stay);
    atomicMax(&drawn[at].depth, depth);
    atomicAdd(&drawn[at].written, written);
}

// Shuffles what lies in the places: Fisher and Yates' from the top, as src/reward/shuffle.rs defines it.
//
// The job's range holds blocks of four words of the permutation's stream, two places each; dispatches go from the last blocks to the first. Where places are
// chosen, a slot also says whether its place is: that bit stays while the others are exchanged. Grid: (tiles).

@group(0) @binding(1) var<storage, read> places: array<Place>;
@group(0) @binding(2) var<storage, read_write> goals: array<u32>;

fn exchange(goal: Goal, leaf: Leaf, j: u32, low: u32, high: u32) {
    if j < leaf.down_to || j >= leaf.n_places {
        return;
    }
    let k = below(low, high, j + 1u);
    let at = goal.base + places[leaf.first_place + j].slot * LANES;
    let other = goal.base + places[leaf.first_place + k].slot * LANES;
    let a = goals[at];
    let b = goals[other];
    goals[at] = (a & CHOSEN) | (b & ~CHOSEN);
    goals[other] = (b & CHOSEN) | (a & ~CHOSEN);
    if leaf.kind == KIND_CHOSEN {
        // Nobody moves what lies in place j any more.
        let chosen = goal.base + places[leaf.first_place + (b & ~CHOSEN)].slot * LANES;
        goals[chosen] |= CHOSEN;
    }
}

@compute @workgroup_size(64)
fn shuffle(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let leaf = leaves[job.leaf];
    let goal = numbered(group.x * LANES + lane, group.x, lane);
    if !follows(goal, leaf) {
        return;
    }
    for (var b = job.range_end; b > job.range_first; b--) {
        let words = words_of(goal, b - 1u, job.permutation);
        exchange(goal, leaf, 2u * b - 1u, words.z, words.w);
        exchange(goal, leaf, 2u * b - 2u, words.x, words.y);
    }
}

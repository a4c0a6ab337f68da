// Draws what rewards are weighted sums of.
//
// latents[(tile * leaf.n_latents + j) * LANES + lane]: spacings of the draw's own law, from the middle of its range on, |.| <= 2^28. The job's range holds Philox
// blocks. Grid: (tiles, any number), the second strides over them.

@group(0) @binding(3) var<storage, read_write> latents: array<i32>;
@group(0) @binding(4) var<storage, read_write> drawn: array<Drawn>;

fn deal(first: u32, end: u32, word: u32, base: u32) {
    for (var i = first; i < end; i++) {
        let goes_to = targets[i];
        latents[base + goes_to.row * LANES] = bitcast<i32>(drawn_multiple(goes_to.law, word));
    }
}

@compute @workgroup_size(64)
fn latent(
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
    var written = 0u;
    for (var b = job.range_first + group.y; b < job.range_end; b += groups.y) {
        let block = blocks[b];
        let words = words_of(goal, block.number, job.stream);
        deal(block.first, block.end_0, words.x, base);
        deal(block.end_0, block.end_1, words.y, base);
        deal(block.end_1, block.end_2, words.z, base);
        deal(block.end_2, block.end_3, words.w, base);
        written += block.end_3 - block.first;
    }
    // The sums take these off again.
    atomicAdd(&drawn[at].written, written);
}

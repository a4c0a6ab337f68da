// Random words and lattice steps, for a comparison with the host's.
//
// words[(goal - first) * n_coordinates + coordinate] = (word, step). Grid: (goals / 64), lane = goal. The job's range holds
// the coordinates, in whole blocks of four.

struct Pair {
    word: u32,
    step: u32,
}

@group(0) @binding(1) var<storage, read_write> pairs: array<Pair>;

@compute @workgroup_size(64)
fn words(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    let low = job.first_low + goal;
    let high = job.first_high + select(0u, 1u, low < goal);
    let per_goal = job.range_end - job.range_first;
    for (var b = 0u; b < per_goal / 4u; b++) {
        let counter = vec4<u32>(low, high, job.range_first / 4u + b, job.stream);
        let block = philox(counter, vec2<u32>(cell.key_low, cell.key_high));
        for (var j = 0u; j < 4u; j++) {
            let word = block[j];
            pairs[goal * per_goal + 4u * b + j] = Pair(word, lattice_step(word, cell.width));
        }
    }
}

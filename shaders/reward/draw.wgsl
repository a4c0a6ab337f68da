// Draws the goals of a group of tiles.
//
// goals[(tile * n_rewards + row) * LANES + lane]: lattice steps. The job's range holds Philox blocks. Grid: (tiles, any number), the second strides over
// them. Integers alone: bit-equal to every other backend.

// Whether there is another law than the cell's lattice: then every reward is drawn by the law of its own and brought onto the lattice.
override TABLES: bool = false;

// In a row: who is there can surely stay, for this reward for ever.
const STAYS: u32 = 0x80000000u;

@group(0) @binding(3) var<storage, read_write> goals: array<u32>;
@group(0) @binding(4) var<storage, read_write> drawn: array<Drawn>;

var<private> stay: u32;
var<private> depth: u32;

fn deal(first: u32, end: u32, word: u32, base: u32) {
    var step = lattice_step(word, cell.width);
    for (var i = first; i < end; i++) {
        let goes_to = targets[i].row;
        if TABLES {
            step = min(drawn_multiple(targets[i].law, word), cell.width - 1u);
        }
        goals[base + (goes_to & ~STAYS) * LANES] = step;
        depth = max(depth, cell.width - step);
        if (goes_to & STAYS) != 0u {
            stay = max(stay, step);
        }
    }
}

@compute @workgroup_size(64)
fn draw(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group.x * LANES + lane;
    let goal = numbered(at, group.x, lane);
    if !follows(goal, leaves[job.leaf]) {
        return;
    }
    var written = 0u;
    for (var b = job.range_first + group.y; b < job.range_end; b += groups.y) {
        let block = blocks[b];
        let words = words_of(goal, block.number, job.stream);
        deal(block.first, block.end_0, words.x, goal.base);
        deal(block.end_0, block.end_1, words.y, goal.base);
        deal(block.end_1, block.end_2, words.z, goal.base);
        deal(block.end_2, block.end_3, words.w, goal.base);
        written += block.end_3 - block.first;
    }
    atomicMax(&drawn[at].stay, stay);
    atomicMax(&drawn[at].depth, depth);
    atomicAdd(&drawn[at].written, written);
}

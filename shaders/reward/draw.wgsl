// Draws the goals of a group of tiles.
//
// goals[(tile * n_rewards + row) * LANES + lane]: lattice steps. Grid: (tiles, any number), the second strides over Philox
// blocks. Integers alone: bit-equal to every other backend.

// Whether there is another law than the cell's lattice: then every reward is drawn by the law of its own and brought onto the lattice.
override TABLES: bool = false;

// A block of four random words and the rows they go to: `targets[first..ends[0]]`, `targets[ends[0]..ends[1]]`, ...
struct Block {
    number: u32,
    first: u32,
    end_0: u32,
    end_1: u32,
    end_2: u32,
    end_3: u32,
}

// Where a word goes, and the law that makes a reward of it.
struct DrawTarget {
    row: u32,
    law: u32,
}

// In a row: who is there can surely stay, for this reward for ever.
const STAYS: u32 = 0x80000000u;

@group(0) @binding(1) var<storage, read> blocks: array<Block>;
@group(0) @binding(2) var<storage, read> targets: array<DrawTarget>;
@group(0) @binding(3) var<storage, read_write> goals: array<u32>;
@group(0) @binding(4) var<storage, read_write> drawn: array<Drawn>;

var<private> stay: u32;
var<private> depth: u32;

fn deal(first: u32, end: u32, word: u32, base: u32) {
    var step = lattice_step(word, cell.width);
    for (var i = first; i < end; i++) {
        let goes_to = targets[i].row;
        if TABLES {
            step = min(drawn_multiple(targets[i].law, word) - cell.lowest, cell.width - 1u);
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
    let goal = group.x * LANES + lane;
    let low = job.first_low + goal;
    let high = job.first_high + select(0u, 1u, low < goal);
    let base = group.x * cell.n_rewards * LANES + lane;
    var written = 0u;
    for (var b = group.y; b < cell.n_blocks; b += groups.y) {
        let block = blocks[b];
        let counter = vec4<u32>(low, high, block.number, job.stream);
        let words = philox(counter, vec2<u32>(cell.key_low, cell.key_high));
        deal(block.first, block.end_0, words.x, base);
        deal(block.end_0, block.end_1, words.y, base);
        deal(block.end_1, block.end_2, words.z, base);
        deal(block.end_2, block.end_3, words.w, base);
        written += block.end_3 - block.first;
    }
    atomicMax(&drawn[goal].stay, stay);
    atomicMax(&drawn[goal].depth, depth);
    atomicAdd(&drawn[goal].written, written);
}

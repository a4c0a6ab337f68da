// Gives every reward what its place was dealt, what it draws if its place was chosen, or its part of a given row.
//
// The job's range holds rewards: those that are not slots themselves come in a dispatch before those that are, which are read until then. Grid: (tiles,
// any number), the second strides over rewards.

// A row of the goals, and the slot or the column that it goes by, with the coordinate of its own draw.
struct Settled {
    row: u32,
    by: u32,
    coordinate: u32,
}

// In a row: who is there can surely stay, for this reward for ever.
const STAYS: u32 = 0x80000000u;
// A slot or column that is none.
const NOWHERE: u32 = 0xffffffffu;

@group(0) @binding(1) var<storage, read> settled: array<Settled>;
@group(0) @binding(2) var<storage, read_write> goals: array<u32>;
@group(0) @binding(3) var<storage, read> numbers: array<u32>;
@group(0) @binding(4) var<storage, read_write> drawn: array<Drawn>;

// The row that a goal is.
fn picked_row(goal: Goal, leaf: Leaf, at: u32) -> u32 {
    if (job.flags & FLAG_IN_ORDER) != 0u {
        return (job.turn + at) % leaf.n_rows;
    }
    if leaf.n_ends == 0u {
        let words = words_of(goal, 0u, job.mixture);
        return below(words.z, words.w, leaf.n_rows);
    }
    let word = word_of(goal, leaf.pick, job.mixture);
    // The first row whose last word is not below this one.
    var low = 0u;
    var high = leaf.n_ends - 1u;
    while low < high {
        let middle = (low + high) / 2u;
        if numbers[leaf.first_end + middle] < word {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return numbers[leaf.first_end + leaf.n_ends + low];
}

@compute @workgroup_size(64)
fn settle(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let leaf = leaves[job.leaf];
    let at = group.x * LANES + lane;
    let goal = numbered(at, group.x, lane);
    if !follows(goal, leaf) {
        return;
    }
    var first = leaf.first_number;
    if leaf.kind == KIND_GIVEN {
        first += picked_row(goal, leaf, at) * leaf.n_columns;
    }
    var stay = 0u;
    var depth = 0u;
    var written = 0u;
    for (var i = job.range_first + group.y; i < job.range_end; i += groups.y) {
        let own = settled[i];
        var step = leaf.background;
        if own.by != NOWHERE {
            if leaf.kind == KIND_GIVEN {
                step = numbers[first + own.by];
            } else {
                let lies = goals[goal.base + own.by * LANES];
                if leaf.kind == KIND_DEALT {
                    step = lies;
                } else if (lies & CHOSEN) != 0u {
                    let word = word_of(goal, own.coordinate, job.stream);
                    step = min(drawn_multiple(leaf.law, word), cell.width - 1u);
                }
            }
        }
        goals[goal.base + (own.row & ~STAYS) * LANES] = step;
        depth = max(depth, cell.width - step);
        if (own.row & STAYS) != 0u {
            stay = max(stay, step);
        }
        written++;
    }
    atomicMax(&drawn[at].stay, stay);
    atomicMax(&drawn[at].depth, depth);
    atomicAdd(&drawn[at].written, written);
}

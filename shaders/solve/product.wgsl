// One Jacobi sweep of rows that hold most states, as a product of matrices in tiles: V <- R + gamma max_a P_a V, from `values` to `next`.
//
// A workgroup multiplies a block of 64 rows (choices of whole states) with the values of a tile of 64 goals. Both are staged through workgroup memory, DEPTH
// states at a time; invocation `index` adds up rows `8 * (index / QUADS)..` of the block for four goals, `index % QUADS`: 32 multiply-adds for three loads of
// 16 bytes. Terms are added up DEPTH at a time before they join a sum, as in rows.wgsl.
//
// Grid: (tiles, blocks of the range). States whose sums are whole are counted: a driver that leaves some terms out is found out. All loops with a barrier are gone
// through alike by all invocations of a workgroup.

// Vectors of four goals in a tile.
const QUADS: u32 = 16u;
// Rows of a block, in vectors of four.
const ROW_QUADS: u32 = 16u;
// States that are staged at a time.
const DEPTH: u32 = 32u;
const INVOCATIONS: u32 = 128u;
// Vectors of either matrix that are staged at a time.
const STAGED: u32 = 512u;
const LOWEST: f32 = -3.0e38;

// Rows that are multiplied together.
struct RowBlock {
    first_state: u32,
    end_state: u32,
    first_choice: u32,
}

@group(0) @binding(1) var<storage, read> row_blocks: array<RowBlock>;
// First choice of every state, and the end.
@group(0) @binding(2) var<storage, read> first_choices: array<u32>;
// gamma T, [block][state, a multiple of DEPTH][row of the block].
@group(0) @binding(3) var<storage, read> matrix: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> goals: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> values: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> next: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> lanes: array<Lane>;
@group(0) @binding(8) var<storage, read_write> drawn: array<Drawn>;

// Values and rows, [state][vector]; then sums, [row][vector].
var<workgroup> staged: array<vec4<f32>, 1024>;
var<workgroup> running: atomic<u32>;
// Terms that were added, over all invocations.
var<workgroup> taken: atomic<u32>;

fn larger(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return select(b, a, a > b);
}

// Stages states `first..first + DEPTH`; those that are not there are zeros in either matrix.
fn stage(base: u32, block: u32, depth: u32, first: u32, index: u32) {
    for (var i = index; i < STAGED; i += INVOCATIONS) {
        let row = first + i / QUADS;
        var x = vec4<f32>(0.0);
        if row < cell.n_states {
            x = values[base + row * QUADS + i % QUADS];
        }
        staged[i] = x;
        staged[STAGED + i] = matrix[(block * depth + first) * ROW_QUADS + i];
    }
}

@compute @workgroup_size(128)
fn product(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    if index == 0u {
        atomicStore(&running, 0u);
        atomicStore(&taken, 0u);
    }
    workgroupBarrier();
    if index < LANES && lanes[group.x * LANES + index].status == RUNNING {
        atomicOr(&running, 1u);
    }
    workgroupBarrier();
    if atomicLoad(&running) == 0u {
        return;
    }
    let block = job.range_first + group.y;
    let depth = (cell.n_states + DEPTH - 1u) / DEPTH * DEPTH;
    let quad = index % QUADS;
    let octet = index / QUADS;
    let base = group.x * cell.n_states * QUADS;
    let zero = vec4<f32>(0.0);
    var sum_0 = zero;
    var sum_1 = zero;
    var sum_2 = zero;
    var sum_3 = zero;
    var sum_4 = zero;
    var sum_5 = zero;
    var sum_6 = zero;
    var sum_7 = zero;
    var terms = 0u;
    for (var first = 0u; first < depth; first += DEPTH) {
        stage(base, block, depth, first, index);
        workgroupBarrier();
        var part_0 = zero;
        var part_1 = zero;
        var part_2 = zero;
        var part_3 = zero;
        var part_4 = zero;
        var part_5 = zero;
        var part_6 = zero;
        var part_7 = zero;
        for (var k = 0u; k < DEPTH; k++) {
            let x = staged[k * QUADS + quad];
            let upper = staged[STAGED + k * ROW_QUADS + 2u * octet];
            let lower = staged[STAGED + k * ROW_QUADS + 2u * octet + 1u];
            part_0 += upper.x * x;
            part_1 += upper.y * x;
            part_2 += upper.z * x;
            part_3 += upper.w * x;
            part_4 += lower.x * x;
            part_5 += lower.y * x;
            part_6 += lower.z * x;
            part_7 += lower.w * x;
            terms++;
        }
        sum_0 += part_0;
        sum_1 += part_1;
        sum_2 += part_2;
        sum_3 += part_3;
        sum_4 += part_4;
        sum_5 += part_5;
        sum_6 += part_6;
        sum_7 += part_7;
        workgroupBarrier();
    }
    let own = 8u * octet * QUADS + quad;
    staged[own] = sum_0;
    staged[own + QUADS] = sum_1;
    staged[own + 2u * QUADS] = sum_2;
    staged[own + 3u * QUADS] = sum_3;
    staged[own + 4u * QUADS] = sum_4;
    staged[own + 5u * QUADS] = sum_5;
    staged[own + 6u * QUADS] = sum_6;
    staged[own + 7u * QUADS] = sum_7;
    atomicAdd(&taken, terms);
    workgroupBarrier();
    let rows = row_blocks[block];
    let goal = group.x * LANES + 4u * quad;
    var centre = vec4<i32>();
    for (var i = 0u; i < 4u; i++) {
        centre[i] = i32(lanes[goal + i].centre);
    }
    var done = 0u;
    for (var s = rows.first_state + octet; s < rows.end_state; s += INVOCATIONS / QUADS) {
        var best = vec4<f32>(LOWEST);
        for (var c = first_choices[s]; c < first_choices[s + 1u]; c++) {
            best = larger(best, staged[(c - rows.first_choice) * QUADS + quad]);
        }
        let at = base + s * QUADS + quad;
        next[at] = vec4<f32>(vec4<i32>(goals[at]) - centre) * cell.spacing + best;
        done++;
    }
    if atomicLoad(&taken) == INVOCATIONS * depth {
        for (var i = 0u; i < 4u; i++) {
            atomicAdd(&drawn[goal + i].updates, done);
        }
    }
}

// In-place sweeps with self-loops eliminated of an MDP whose values fit into workgroup memory for a few goals only. Lane = state.
//
// A workgroup sweeps GROUPS groups of four goals: held[row * GROUPS + group] holds a row's values. Its lanes are groups times members: lane
// `index` updates member `index / GROUPS` of a slice for group `index % GROUPS`. States of one phase are no neighbours, so that it does not matter in which order they
// are updated; slices are phases, or parts of one, and lanes wait for each other between phases alone. Needs `backup`.
//
// Grid: (tiles * QUADS / GROUPS). Does `job.sweeps` sweeps over all slices, or one over `range_first..range_end` of them, and counts every
// state update: a driver that stops a loop early is found out. A goal that came to an end is swept along while another of its workgroup is not there yet: what is
// asked of it was noted with its certificate, and nobody looks at its values again.
// Whether a workgroup returns early, and how often it goes round a loop with a barrier, is the same for all its lanes.

// Vectors of four goals in a tile.
const QUADS: u32 = 16u;
// A member that is none.
const NOBODY: u32 = 0xffffffffu;
// Below every sum there can be.
const LOWEST: f32 = -3.0e38;

// Whether every choice has a reward of its own.
override CHOICE_REWARDS: bool = false;
// Whether sweeps alternate their direction.
override ALTERNATES: bool = false;
// Groups of four goals, states side by side, and vectors of values: n_states * GROUPS.
override GROUPS: u32 = 1u;
override MEMBERS: u32 = 32u;
override HELD: u32 = 1u;

// States that are updated side by side.
struct Slice {
    // Where its steps begin, and how many every member takes.
    first: u32,
    steps: u32,
    // Whether it is the last of its phase, going forwards, and backwards.
    closes_forwards: u32,
    closes_backwards: u32,
}

@group(0) @binding(1) var<storage, read> slices: array<Slice>;
// Per slice and member: the row, and what `backup` needs to know of it.
@group(0) @binding(2) var<storage, read> members: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> goals: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> values: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> drawn: array<Drawn>;

var<workgroup> held: array<vec4<f32>, HELD>;
var<private> group: u32;
var<private> goal_base: u32;
var<private> centre: vec4<i32>;

fn value(row: u32) -> vec4<f32> {
    return held[row * GROUPS + group];
}

// The centred rewards of a row.
fn reward(row: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(goals[goal_base + row * QUADS]) - centre) * cell.spacing;
}

fn larger(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return select(b, a, a > b);
}

// Whether a goal of the workgroup needs more sweeps.
fn is_running(first_goal: u32) -> bool {
    var found = false;
    for (var i = 0u; i < 4u * GROUPS; i++) {
        found = found || lanes[first_goal + i].status == RUNNING;
    }
    return found;
}

@compute @workgroup_size(GROUPS * MEMBERS)
fn in_phases(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let workgroups = QUADS / GROUPS;
    let tile = id.x / workgroups;
    let first_quad = (id.x % workgroups) * GROUPS;
    if !is_running(tile * LANES + 4u * first_quad) {
        return;
    }
    group = index % GROUPS;
    let member = index / GROUPS;
    let quad = first_quad + group;
    let goal = tile * LANES + 4u * quad;
    let base = tile * cell.n_states * QUADS + quad;
    goal_base = tile * cell.n_rewards * QUADS + quad;
    for (var i = 0u; i < 4u; i++) {
        centre[i] = i32(lanes[goal + i].centre);
    }
    for (var s = member; s < cell.n_states; s += MEMBERS) {
        held[s * GROUPS + group] = values[base + s * QUADS];
    }
    workgroupBarrier();
    var updates = 0u;
    for (var sweep = 0u; sweep < job.sweeps; sweep++) {
        let backwards = ALTERNATES && ((job.done + sweep) & 1u) != 0u;
        let factor = relaxation(sweep);
        for (var i = job.range_first; i < job.range_end; i++) {
            let at = select(i, arrayLength(&slices) - 1u - i, backwards);
            let slice = slices[at];
            let who = members[at * MEMBERS + member];
            if who.x != NOBODY {
                var to = backup(slice, member, who);
                if factor != 1.0 {
                    let old = held[who.x * GROUPS + group];
                    to = old + factor * (to - old);
                }
                held[who.x * GROUPS + group] = to;
                updates++;
            }
            if select(slice.closes_forwards, slice.closes_backwards, backwards) != 0u {
                workgroupBarrier();
            }
        }
    }
    // What another lane updated since is stored below: a range may end within a phase.
    workgroupBarrier();
    for (var s = member; s < cell.n_states; s += MEMBERS) {
        values[base + s * QUADS] = held[s * GROUPS + group];
    }
    for (var i = 0u; i < 4u; i++) {
        atomicAdd(&drawn[goal + i].updates, updates);
    }
}

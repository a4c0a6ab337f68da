// Centres the goals and starts the values: what staying is worth, or the own reward and then the least that any state is worth (zero where nobody can stay).
//
// The centre is the largest reward among the states that surely stay (staying there for good is worth exactly that), else the
// middle of the law's lattice: values then stay near zero where one class of states is recurrent. Any start is sound; a good one is
// fast. Grid: (tiles, any number), the second strides over states.

// Whether every choice has a reward of its own, and states have none.
override CHOICE_REWARDS: bool = false;

@group(0) @binding(1) var<storage, read> goals: array<u32>;
@group(0) @binding(2) var<storage, read_write> drawn: array<Drawn>;
// One bit per state: it surely stays, and has a reward of its own.
@group(0) @binding(3) var<storage, read> stays: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<f32>;
@group(0) @binding(5) var<storage, read_write> lanes: array<Lane>;

@compute @workgroup_size(64)
fn start(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let goal = group.x * LANES + lane;
    let base = group.x * cell.n_states * LANES + lane;
    let goal_base = group.x * cell.n_rewards * LANES + lane;
    var centre = (cell.width - 1u) / 2u;
    var least = 0.0;
    if cell.has_stays != 0u {
        centre = atomicLoad(&drawn[goal].stay);
        let lowest = cell.width - atomicLoad(&drawn[goal].depth);
        least = f32(i32(lowest) - i32(centre)) * cell.spacing * cell.horizon;
    }
    if group.y == 0u {
        lanes[goal].centre = centre;
    }
    for (var s = group.y; s < cell.n_states; s += groups.y) {
        let at = base + s * LANES;
        var value = least;
        if !CHOICE_REWARDS {
            let own = f32(i32(goals[goal_base + s * LANES]) - i32(centre)) * cell.spacing;
            if ((stays[s / 32u] >> (s % 32u)) & 1u) != 0u {
                value = own * cell.horizon;
            } else {
                value = own + cell.discount * least;
            }
        }
        values[at] = value;
    }
}

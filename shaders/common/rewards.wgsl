// Rewards of a lane: goals[(tile * n_rewards + row) * LANES + lane], lattice steps. `goal_base` and `centre` are set before the first
// access.

// Whether every choice has a reward of its own. Rows of rewards are then choices, else states, in sweep order.
override CHOICE_REWARDS: bool = false;

@group(0) @binding(4) var<storage, read> goals: array<u32>;

var<private> goal_base: u32;
var<private> centre: i32;

// The centred reward of a row.
fn reward(row: u32) -> f32 {
    return f32(i32(goals[goal_base + row * LANES]) - centre) * cell.spacing;
}

// That of a state, where states have rewards.
fn state_reward(s: u32) -> f32 {
    if CHOICE_REWARDS {
        return 0.0;
    }
    return reward(s);
}

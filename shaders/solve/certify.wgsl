// Measures the residual of the original Bellman operator in difference form and certifies every running goal. Lane = goal.
//
// Grid: (tiles). Goes over `range_first..range_end`; the dispatch with FLAG_LAST decides. Writes
// integrands[(tile * n_states + row) * LANES + lane] = bits of (1 - gamma) max_a P_a V, centred; where choices have rewards, of
// (1 - gamma) max_a (R + gamma P_a V).
//
// With r(s) = R - (1-g)V + g max_a sum T (V' - V), the POWER integrand lies within (max r - min r)/2 of
// (1-g) max_a P_a V + (max r + min r)/2 (MacQueen 1966, Porteus 1971); where choices have rewards, (1-g) V* lies within g times that of
// (1-g) max_a (R + g P_a V) + g (max r + min r)/2. The numbers of the allowance are derived, and made,
// in src/solve/gpu/allowance.rs.

@group(0) @binding(5) var<storage, read> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> drawn: array<Drawn>;
@group(0) @binding(8) var<storage, read_write> integrands: array<u32>;
@group(0) @binding(9) var<storage, read_write> progress: Progress;

// POWER lies within the law's range, and so do the integrands that are summed (see reduce.wgsl): nothing is off by more than
// this, in units of the law's binade, however far from its end the iteration is.
const WIDEST: f32 = 1.000001;
// Recentrings of a goal: in-place sweeps leave residuals whose middle is a rough guess of the gain, and a wrong one costs sweeps.
const MAX_RECENTRINGS: u32 = 6u;
// Bits of infinity: those of NaN and of negative numbers are larger integers.
const INFINITE: u32 = 0x7f800000u;

fn opened(lane: Lane) -> Lane {
    var fresh = lane;
    fresh.visited = 0u;
    fresh.residual_low = -LOWEST;
    fresh.residual_high = LOWEST;
    fresh.value_low = -LOWEST;
    fresh.value_high = LOWEST;
    fresh.spread = 0.0;
    fresh.residual_bits = 0u;
    fresh.value_bits = 0u;
    fresh.reward_bits = 0u;
    return fresh;
}

// Whether the goal was drawn whole, swept as often as was asked and measured in every state.
fn complete(goal: u32, lane: Lane) -> bool {
    return atomicLoad(&drawn[goal].written) == cell.n_rewards
        && atomicLoad(&drawn[goal].updates) == job.expected_work
        && lane.visited == cell.n_states;
}

// Where the values' common offset dwarfs their range, digits are spent on a constant. Taking c off all values and d off all
// rewards leaves a residual of r - d + (1-g)c: with c the middle of the values and d = (1-g)c + the middle of r, what is left of
// both is centred. Where one class of states is recurrent, d is what every goal earns per step, and the values stay small.
fn recentred(lane: Lane) -> Lane {
    var moved = lane;
    moved.shift = 0.0;
    let middle = 0.5 * (lane.value_low + lane.value_high);
    if lane.recentrings < MAX_RECENTRINGS && abs(middle) > lane.value_high - lane.value_low {
        moved.recentrings++;
        let gain = clamp(cell.complement * middle + lane.middle, -1.0, 1.0);
        let steps = i32(round(gain / cell.spacing));
        moved.centre = u32(clamp(i32(lane.centre) + steps, 0, i32(cell.width) - 1));
        moved.shift = middle;
        atomicAdd(&progress.moved, 1u);
    }
    return moved;
}

fn closed(goal: u32, lane: Lane) -> Lane {
    var result = lane;
    let value_size = bitcast<f32>(lane.value_bits);
    let residual_size = bitcast<f32>(lane.residual_bits);
    let allowance = cell.allowance_fixed
        + cell.allowance_per_reward * bitcast<f32>(lane.reward_bits)
        + cell.allowance_per_value * value_size
        + cell.allowance_per_residual * residual_size
        + cell.allowance_per_spread * lane.spread;
    // The factor is 1/2, rounded up by what the subtraction, the product and the sum can lose.
    let half_width = (lane.residual_high - lane.residual_low) * 0.5000005 + allowance;
    result.sweeps = job.done;
    result.middle = 0.5 * (lane.residual_low + lane.residual_high);
    let finite = max(lane.value_bits, max(lane.residual_bits, bitcast<u32>(half_width))) < INFINITE;
    if !complete(goal, lane) || !finite {
        result.status = BROKEN;
        atomicAdd(&progress.broken, 1u);
        return result;
    }
    result.half_width = u32(ceil(smaller(half_width, WIDEST) * HALF_WIDTH_UNITS));
    if lane.best == 0u || result.half_width < lane.best - lane.best / 4u {
        result.best = result.half_width;
        result.best_at = job.done;
    }
    // In exact arithmetic, 1/(1 - gamma) sweeps shrink a residual to less than 37%. Where they did not take a quarter off it,
    // and it is no larger than rounding of the values can keep it, rounding is what is left. The allowance alone says
    // little before the end: it shrinks with the residual.
    let floor = allowance + cell.noise_per_value * value_size;
    let stalled = job.done - result.best_at > u32(cell.horizon) && half_width <= floor;
    if result.half_width <= cell.tolerance {
        result.status = CERTIFIED;
    } else if job.done >= cell.max_sweeps {
        result.status = CAPPED;
    } else if stalled {
        result.status = EXHAUSTED;
    } else {
        atomicAdd(&progress.running, 1u);
        result = recentred(result);
    }
    return result;
}

@compute @workgroup_size(64)
fn certify(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let goal = group.x * LANES + index;
    var lane = lanes[goal];
    if lane.status != RUNNING {
        return;
    }
    lane_base = group.x * cell.n_states * LANES + index;
    goal_base = group.x * cell.n_rewards * LANES + index;
    centre = i32(lane.centre);
    if (job.flags & FLAG_FIRST) != 0u {
        lane = opened(lane);
    }
    for (var s = job.range_first; s < job.range_end; s++) {
        let at = lane_base + s * LANES;
        let reward = state_reward(s);
        let own = values[at];
        let d = differences(s, own);
        let rest = reward - cell.complement * own;
        let low = rest + d.low;
        let high = rest + d.high;
        lane.residual_low = smaller(lane.residual_low, low);
        lane.residual_high = larger(lane.residual_high, high);
        lane.value_low = smaller(lane.value_low, own);
        lane.value_high = larger(lane.value_high, own);
        lane.spread = larger(lane.spread, d.high - d.low);
        lane.residual_bits = max(lane.residual_bits, max(bitcast<u32>(abs(low)), bitcast<u32>(abs(high))));
        lane.value_bits = max(lane.value_bits, bitcast<u32>(abs(own)));
        lane.reward_bits = max(lane.reward_bits, bitcast<u32>(abs(reward)));
        var integrand = cell.complement * own + cell.odds * d.best;
        if CHOICE_REWARDS {
            integrand = cell.complement * (cell.discount * own + d.best);
        }
        integrands[at] = bitcast<u32>(integrand);
        lane.visited++;
    }
    if (job.flags & FLAG_LAST) != 0u {
        lane = closed(goal, lane);
    }
    lanes[goal] = lane;
}

// What a goal is certified by, and how it goes on.
//
// With r(s) = R - (1-g)V + g max_a sum T (V' - V), the POWER integrand lies within (max r - min r)/2 of
// (1-g) max_a P_a V + (max r + min r)/2 (MacQueen 1966, Porteus 1971); where choices have rewards, (1-g) V* lies within g times that of
// (1-g) max_a (R + g P_a V) + g (max r + min r)/2. The numbers of the allowance are derived, and made,
// in src/solve/gpu/allowance.rs.

// POWER lies within the law's range, and so do the integrands that are summed (see reduce.wgsl): nothing is off by more than
// this, in units of the law's binade, however far from its end the iteration is.
const WIDEST: f32 = 1.000001;
// Recentrings of a goal: in-place sweeps leave residuals whose middle is a rough guess of the gain, and a wrong one costs sweeps.
const MAX_RECENTRINGS: u32 = 6u;
// Bits of infinity: those of NaN and of negative numbers are larger integers.
const INFINITE: u32 = 0x7f800000u;

// From the least to the largest of some numbers.
struct Range {
    low: f32,
    high: f32,
    // Bits of the largest absolute value: where one of the numbers is none, no less than INFINITE.
    size: u32,
}

// What was measured of a goal.
struct Seen {
    residual: Range,
    values: Range,
    // The largest distance between the bounds of a state's residual.
    spread: f32,
    // max|R|.
    reward: f32,
    // Whether the goal was drawn whole, swept as often as was asked and measured in every state.
    complete: bool,
}

// Where the values' common offset dwarfs their range, digits are spent on a constant. Taking c off all values and d off all
// rewards leaves a residual of r - d + (1-g)c: with c the middle of the values and d = (1-g)c + the middle of r, what is left of
// both is centred. Where one class of states is recurrent, d is what every goal earns per step, and the values stay small.
fn recentred(lane: Lane, values: Range) -> Lane {
    var moved = lane;
    moved.shift = 0.0;
    let middle = 0.5 * (values.low + values.high);
    if lane.recentrings < MAX_RECENTRINGS && abs(middle) > values.high - values.low {
        moved.recentrings++;
        let gain = clamp(cell.complement * middle + lane.middle, -1.0, 1.0);
        let steps = i32(round(gain / cell.spacing));
        moved.centre = u32(clamp(i32(lane.centre) + steps, 0, i32(cell.width) - 1));
        moved.shift = middle;
    }
    return moved;
}

// After `done` sweeps. Where the centre moved, `shift` is not zero.
fn certified(lane: Lane, seen: Seen, done: u32) -> Lane {
    var result = lane;
    let residual = seen.residual;
    let value_size = bitcast<f32>(seen.values.size);
    let allowance = cell.allowance_fixed
        + cell.allowance_per_reward * seen.reward
        + cell.allowance_per_value * value_size
        + cell.allowance_per_residual * bitcast<f32>(residual.size)
        + cell.allowance_per_spread * seen.spread;
    // The factor is 1/2, rounded up by what the subtraction, the product and the sum can lose.
    let half_width = (residual.high - residual.low) * 0.5000005 + allowance;
    result.sweeps = done;
    result.middle = 0.5 * (residual.low + residual.high);
    let finite = max(seen.values.size, max(residual.size, bitcast<u32>(half_width))) < INFINITE;
    if !seen.complete || !finite {
        result.status = BROKEN;
        return result;
    }
    result.half_width = u32(ceil(min(half_width, WIDEST) * HALF_WIDTH_UNITS));
    if lane.best == 0u || result.half_width < lane.best - lane.best / 4u {
        result.best = result.half_width;
        result.best_at = done;
    }
    // In exact arithmetic, 1/(1 - gamma) sweeps shrink a residual to less than 37%. Where they did not take a quarter off it,
    // and it is no larger than rounding of the values can keep it, rounding is what is left. The allowance alone says
    // little before the end: it shrinks with the residual.
    let floor = allowance + cell.noise_per_value * value_size;
    let stalled = done - result.best_at > u32(cell.horizon) && half_width <= floor;
    if result.half_width <= cell.tolerance {
        result.status = CERTIFIED;
    } else if done >= cell.max_sweeps {
        result.status = CAPPED;
    } else if stalled {
        result.status = EXHAUSTED;
    } else {
        result = recentred(result, seen.values);
    }
    return result;
}


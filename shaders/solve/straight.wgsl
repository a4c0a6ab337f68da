// A small deterministic MDP, written out: one variable per state, so that values and rewards stay in registers from the first values to the
// certificate. Lane = goal.
//
// Grid: (tiles). Starts the values where `job.done` is zero; does `job.sweeps` sweeps over all states, and counts every state update. With FLAG_CERTIFY it
// then certifies the goal and goes on, certificate after certificate, until the goal is done or the next one would be beyond `job.range_end` sweeps; and writes
// integrands[(tile * n_states + row) * LANES + lane] = bits of (1 - gamma) max_a P_a V, centred. What stands between the marks is written by
// src/solve/gpu/straight.rs for the MDP at hand; here it is a single state that stays where it is.

@group(0) @binding(5) var<storage, read_write> values: array<f32>;
@group(0) @binding(6) var<storage, read_write> lanes: array<Lane>;
@group(0) @binding(7) var<storage, read_write> drawn: array<Drawn>;
@group(0) @binding(8) var<storage, read_write> integrands: array<u32>;
@group(0) @binding(9) var<storage, read_write> progress: Progress;

var<private> value_low: f32;
var<private> value_high: f32;
var<private> value_size: u32;
var<private> residual_low: f32;
var<private> residual_high: f32;
var<private> spread: f32;
var<private> largest_reward: f32;
var<private> visited: u32;

// Takes a state into the measures: its reward, its value, and gamma max_a sum_{s'} T(s,a,s')(V(s') - V(s)). Values of which one is none are seen by their size.
fn see(at: u32, reward: f32, own: f32, best: f32) {
    // Where moves are certain, the bounds of the largest difference are the largest bounds.
    let error = cell.sum_error * abs(best);
    let low = best - error;
    let high = best + error;
    let rest = reward - cell.complement * own;
    residual_low = min(residual_low, rest + low);
    residual_high = max(residual_high, rest + high);
    value_low = min(value_low, own);
    value_high = max(value_high, own);
    value_size = max(value_size, bitcast<u32>(own) & 0x7fffffffu);
    spread = max(spread, high - low);
    largest_reward = max(largest_reward, abs(reward));
    integrands[at] = bitcast<u32>(cell.complement * own + cell.odds * best);
    visited++;
}

fn see_nothing() {
    value_low = -LOWEST;
    value_high = LOWEST;
    value_size = 0u;
    residual_low = -LOWEST;
    residual_high = LOWEST;
    spread = 0.0;
    largest_reward = 0.0;
    visited = 0u;
}

@compute @workgroup_size(64)
fn straight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let goal = group.x * LANES + index;
    var lane = lanes[goal];
    if lane.status != RUNNING {
        return;
    }
    goal_base = group.x * cell.n_rewards * LANES + index;
    let base = group.x * cell.n_states * LANES + index;
    let g = cell.discount;
    let horizon = cell.horizon;
    // <declare>
    var v0: f32;
    // </declare>
    if job.done == 0u {
        // As in start.wgsl.
        var least = 0.0;
        lane.centre = (cell.width - 1u) / 2u;
        if cell.has_stays != 0u {
            lane.centre = atomicLoad(&drawn[goal].stay);
            let lowest = cell.width - atomicLoad(&drawn[goal].depth);
            least = f32(i32(lowest) - i32(lane.centre)) * cell.spacing * horizon;
        }
        centre = i32(lane.centre);
        // <start>
        v0 = reward(0u) * horizon;
        // </start>
    } else {
        // <load>
        v0 = values[base];
        // </load>
    }
    var updates = atomicLoad(&drawn[goal].updates);
    var done = job.done;
    var next = job.done + job.sweeps;
    loop {
        // As in recentre.wgsl.
        // <shift>
        v0 -= lane.shift;
        // </shift>
        lane.shift = 0.0;
        centre = i32(lane.centre);
        // <rewards>
        let r0 = reward(0u);
        // </rewards>
        for (; done < next; done++) {
            if (done & 1u) == 0u {
                // <forwards>
                v0 = r0 * horizon;
                // </forwards>
            } else {
                // <backwards>
                v0 = r0 * horizon;
                // </backwards>
            }
            updates += cell.n_states;
        }
        if (job.flags & FLAG_CERTIFY) == 0u {
            break;
        }
        see_nothing();
        // <measure>
        see(base, r0, v0, 0.0);
        // </measure>
        let sizes = bitcast<vec2<u32>>(vec2<f32>(residual_low, residual_high)) & vec2<u32>(0x7fffffffu);
        let complete = atomicLoad(&drawn[goal].written) == cell.n_rewards
            && updates == cell.n_states * next
            && visited == cell.n_states;
        lane = certified(
            lane,
            Seen(
                Range(residual_low, residual_high, max(sizes.x, sizes.y)),
                Range(value_low, value_high, value_size),
                spread,
                largest_reward,
                complete,
            ),
            next,
        );
        done = next;
        // The host counts on the same certificates.
        next = min(done + 1u + done / 8u, cell.max_sweeps);
        if lane.status != RUNNING || next > job.range_end {
            break;
        }
    }
    atomicStore(&drawn[goal].updates, updates);
    lanes[goal] = lane;
    if lane.status == BROKEN {
        atomicAdd(&progress.broken, 1u);
    }
    if lane.status == RUNNING {
        // Sweeps alone are no certificate that was missed.
        if (job.flags & FLAG_CERTIFY) != 0u {
            atomicAdd(&progress.running, 1u);
        }
        // <store>
        values[base] = v0;
        // </store>
    }
}

// Rows of the transition tensor, and what a lane's values make of them. Needs bounds.wgsl, `value`, the rewards, and `is_open`, which says
// which choices of a state may be taken.
//
// A state's terms stand in `parts[first..common_end]` (common to all its choices), then choice by choice up to each
// choice's `end`; the state itself is never among them. States are in sweep order.

struct State {
    first: u32,
    common_end: u32,
    choice_first: u32,
    choice_end: u32,
}

struct Choice {
    end: u32,
    // 1 / (1 - gamma T(s,a,s)).
    inverse: f32,
}

struct Part {
    row: u32,
    // gamma T.
    weight: f32,
}

@group(0) @binding(1) var<storage, read> states: array<State>;
@group(0) @binding(2) var<storage, read> choices: array<Choice>;
@group(0) @binding(3) var<storage, read> parts: array<Part>;

// Terms that are added up before they join a sum: the rounding of a long sum then grows with RUN and the number of runs, not with their product.
const RUN: u32 = 16u;

fn weighted(first: u32, end: u32, start: f32) -> f32 {
    var sum = start;
    for (var run = first; run < end; run += RUN) {
        var part = 0.0;
        for (var p = run; p < min(run + RUN, end); p++) {
            part += parts[p].weight * value(parts[p].row);
        }
        sum += part;
    }
    return sum;
}

// The self-loop-eliminated backup: max_a (R + gamma sum_{s' != s} T V) / (1 - gamma T(s,a,s)).
fn backup(s: u32) -> f32 {
    let state = states[s];
    let base = weighted(state.first, state.common_end, state_reward(s));
    var best = LOWEST;
    var first = state.common_end;
    for (var c = state.choice_first; c < state.choice_end; c++) {
        let choice = choices[c];
        if is_open(s, c) {
            var start = base;
            if CHOICE_REWARDS {
                start += reward(c);
            }
            best = larger(best, weighted(first, choice.end, start) * choice.inverse);
        }
        first = choice.end;
    }
    return best;
}

// Sum of weighted differences to `own`, and of their absolute values.
fn weighted_differences(first: u32, end: u32, own: f32, start: vec2<f32>) -> vec2<f32> {
    var sum = start;
    for (var run = first; run < end; run += RUN) {
        var part = vec2<f32>(0.0, 0.0);
        for (var p = run; p < min(run + RUN, end); p++) {
            let product = parts[p].weight * (value(parts[p].row) - own);
            part += vec2<f32>(product, abs(product));
        }
        sum += part;
    }
    return sum;
}

fn differences(s: u32, own: f32) -> Differences {
    let state = states[s];
    let base = weighted_differences(state.first, state.common_end, own, vec2<f32>(0.0, 0.0));
    var result = Differences(LOWEST, LOWEST, LOWEST);
    var first = state.common_end;
    for (var c = state.choice_first; c < state.choice_end; c++) {
        let end = choices[c].end;
        if is_open(s, c) {
            let sum = weighted_differences(first, end, own, base);
            var q = sum.x;
            var error = cell.sum_error * sum.y;
            if CHOICE_REWARDS {
                let own_reward = reward(c);
                q += own_reward;
                error += cell.reward_error * (abs(own_reward) + sum.y);
            }
            result.best = larger(result.best, q);
            result.low = larger(result.low, q - error);
            result.high = larger(result.high, q + error);
        }
        first = end;
    }
    return result;
}

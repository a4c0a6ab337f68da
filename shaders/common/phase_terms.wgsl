// Backups of rows with weights: max_a (R + gamma sum_{s' != s} T V) / (1 - gamma T(s,a,s)). Needs `value`, `reward`.
//
// All members of a slice take as many steps; what is to be done after a term stands in its word, beside the row. The sums are those of rows.wgsl, term by term.

// Steps of four terms, [step][member]: words, and gamma T, or 1 / (1 - gamma T(s,a,s)).
@group(0) @binding(3) var<storage, read> words: array<vec4<u32>>;
@group(0) @binding(8) var<storage, read> weights: array<vec4<f32>>;

// In a word: the row, and what the term does.
const ROW: u32 = 0xffffu;
// It is the first of a choice.
const BEGINS: u32 = 0x10000u;
// It is the last of a run.
const ENDS_RUN: u32 = 0x20000u;
// It is the last of those common to all choices.
const ENDS_COMMON: u32 = 0x40000u;
// It is no term, but what the sum is multiplied by: also where a member takes fewer steps than others.
const SCALES: u32 = 0x80000u;
// It is the last of a choice.
const ENDS: u32 = 0x100000u;

struct Walk {
    // The next choice.
    choice: u32,
    // What all choices have in common, a choice's sum, and the run that is being added up.
    base: vec4<f32>,
    sum: vec4<f32>,
    part: vec4<f32>,
    best: vec4<f32>,
}

fn take(walk: Walk, word: u32, weight: f32, x: vec4<f32>) -> Walk {
    var next = walk;
    if (word & BEGINS) != 0u {
        next.sum = next.base;
        if CHOICE_REWARDS {
            next.sum += reward(next.choice);
            next.choice++;
        }
    }
    if (word & SCALES) != 0u {
        next.sum *= weight;
    } else {
        next.part += weight * x;
    }
    if (word & ENDS_RUN) != 0u {
        next.sum += next.part;
        next.part = vec4<f32>(0.0);
    }
    if (word & ENDS_COMMON) != 0u {
        next.base = next.sum;
    }
    if (word & ENDS) != 0u {
        next.best = larger(next.best, next.sum);
    }
    return next;
}

// What a term is of: nothing is loaded where there is none.
fn factor(word: u32) -> vec4<f32> {
    if (word & SCALES) != 0u {
        return vec4<f32>(0.0);
    }
    return value(word & ROW);
}

fn backup(slice: Slice, member: u32, who: vec2<u32>) -> vec4<f32> {
    let zero = vec4<f32>(0.0);
    var start = zero;
    if !CHOICE_REWARDS {
        start = reward(who.x);
    }
    var walk = Walk(who.y, start, start, zero, vec4<f32>(LOWEST));
    for (var step = 0u; step < slice.steps; step++) {
        let at = slice.first + step * MEMBERS + member;
        let word = words[at];
        let weight = weights[at];
        let x = factor(word.x);
        let y = factor(word.y);
        let z = factor(word.z);
        let w = factor(word.w);
        walk = take(walk, word.x, weight.x, x);
        walk = take(walk, word.y, weight.y, y);
        walk = take(walk, word.z, weight.z, z);
        walk = take(walk, word.w, weight.w, w);
    }
    return walk.best;
}

// Goals of a cell follow one law, or one of several: leaves. Needs `philox`.

struct Leaf {
    // Its part of `conditions`: goals that meet all of them follow it.
    first_condition: u32,
    n_conditions: u32,
    // See KIND_*.
    kind: u32,
    // Step of the rewards that belong to nothing that is dealt, chosen or given.
    background: u32,
    // Its part of `places`.
    first_place: u32,
    n_places: u32,
    // Places from the last one down to this one are exchanged.
    down_to: u32,
    // The law of what chosen places draw.
    law: u32,
    // Its part of `numbers`: rows of steps, or pairs of a step and how often it stands.
    first_number: u32,
    // Steps of a row, or number of pairs.
    n_columns: u32,
    // Number of rows, or of arrangements.
    n_rows: u32,
    // Where `numbers` has the last word of every row, ascending, and then the rows themselves; how many, and which word of the mixture's stream it is.
    // None where every row is as likely.
    first_end: u32,
    n_ends: u32,
    pick: u32,
    // Draws that rewards are sums of.
    n_latents: u32,
}

// A word of the mixture's stream is among these.
struct Condition {
    word: u32,
    first: u32,
    last: u32,
}

// Every reward is drawn by itself.
const KIND_DRAWN: u32 = 0u;
// Steps are dealt to places.
const KIND_DEALT: u32 = 1u;
// Some places are chosen and draw.
const KIND_CHOSEN: u32 = 2u;
// A row of steps is chosen.
const KIND_GIVEN: u32 = 3u;
// Rewards are weighted sums of draws.
const KIND_SUMMED: u32 = 4u;

// In a slot: its place is chosen. The other bits say who lies there.
const CHOSEN: u32 = 0x80000000u;

// Where what lies in a place is kept, its slot, and what lies there at first.
struct Place {
    slot: u32,
    start: u32,
}

// A goal in counters: lower and upper half of its number, and where its rewards start.
struct Goal {
    low: u32,
    high: u32,
    base: u32,
}

@group(0) @binding(11) var<storage, read> leaves: array<Leaf>;
@group(0) @binding(12) var<storage, read> conditions: array<Condition>;

fn numbered(goal: u32, tile: u32, lane: u32) -> Goal {
    let low = job.first_low + goal;
    let high = job.first_high + select(0u, 1u, low < goal);
    return Goal(low, high, tile * cell.n_rewards * LANES + lane);
}

// Block `number` of a stream's words.
fn words_of(goal: Goal, number: u32, stream: u32) -> vec4<u32> {
    let counter = vec4<u32>(goal.low, goal.high, number, stream);
    return philox(counter, vec2<u32>(cell.key_low, cell.key_high));
}

// One word of a stream.
fn word_of(goal: Goal, coordinate: u32, stream: u32) -> u32 {
    return words_of(goal, coordinate / 4u, stream)[coordinate % 4u];
}

// Whether a goal follows a leaf.
fn follows(goal: Goal, leaf: Leaf) -> bool {
    for (var i = 0u; i < leaf.n_conditions; i++) {
        let condition = conditions[leaf.first_condition + i];
        let word = word_of(goal, condition.word, job.mixture);
        if word < condition.first || word > condition.last {
            return false;
        }
    }
    return true;
}

// floor(u n / 2^64) with u of two words. Needs `mulhi`.
fn below(low: u32, high: u32, n: u32) -> u32 {
    let carried = high * n + mulhi(low, n);
    return mulhi(high, n) + select(0u, 1u, carried < high * n);
}

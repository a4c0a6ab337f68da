// What all passes over one cell share. The host's twins of these structs are in src/solve/gpu/layout.rs.

// Goals side by side: one workgroup, one tile.
const LANES: u32 = 64u;

// Constants of a cell. Rewards, values and widths are in units of `2^b`, the least power of two above the law's range; the
// law's offset never comes here.
struct Cell {
    n_states: u32,
    // Rows of rewards: states, or choices where these have rewards.
    n_rewards: u32,
    key_low: u32,
    key_high: u32,
    // Points of the law's lattice.
    width: u32,
    // Whether some state surely stays: then the centre is the largest reward among those.
    has_stays: u32,
    // Largest half-width that counts as certified, in units of HALF_WIDTH_UNIT.
    tolerance: u32,
    max_sweeps: u32,
    // Spacing of the lattice, a power of two.
    spacing: f32,
    // gamma, 1 - gamma, (1 - gamma)/gamma and 1/(1 - gamma).
    discount: f32,
    complement: f32,
    odds: f32,
    horizon: f32,
    // Relative error of a sum of differences against the sum of their absolute values.
    sum_error: f32,
    // What a choice's reward adds to that, relative to both.
    reward_error: f32,
    // The share of the middle of the residuals in the middle of the integrands: 1, or gamma where choices have rewards.
    middle_share: f32,
    // The rounding allowance: fixed + per_reward max|R| + per_value max|V| + per_residual max|r| + per_spread max(high - low).
    allowance_fixed: f32,
    allowance_per_reward: f32,
    allowance_per_value: f32,
    allowance_per_residual: f32,
    allowance_per_spread: f32,
    // What rounding of the values may keep in a residual, per max|V|.
    noise_per_value: f32,
    // Twice the shift of the sums, counted from the law's lowest point in lattice spacings.
    shift_twice: u32,
    // log2 of SUM_UNITS per half spacing.
    shift_bits: u32,
}

// What one dispatch is asked for.
struct Job {
    // Number of the goal in lane 0 of tile 0, and the stream it is drawn from.
    first_low: u32,
    first_high: u32,
    stream: u32,
    // Goals that count.
    count: u32,
    // Positions in sweep order.
    range_first: u32,
    range_end: u32,
    // Sweeps to do, and how far values go in them, as a multiple of the way to their backups.
    sweeps: u32,
    relaxation: f32,
    // Sweeps done so far.
    done: u32,
    // State updates that every running goal should have behind it by now.
    expected_work: u32,
    // Flags: see FLAG_*.
    flags: u32,
    // Tiles of a block: each block has sums of its own.
    block_tiles: u32,
    // Drawing: the leaf whose goals are drawn, its streams of permutations and of components, and the number of the first goal modulo that of its rows or
    // arrangements.
    leaf: u32,
    permutation: u32,
    mixture: u32,
    turn: u32,
}

// Replace the integrands by their fixed-point form.
const FLAG_KEEP: u32 = 4u;
// Leave goals that single precision gave up out of the sums: the host finishes them.
const FLAG_LEAVE: u32 = 8u;
// Goal i is row i.
const FLAG_IN_ORDER: u32 = 16u;
// Certify after the sweeps (straight.wgsl).
const FLAG_CERTIFY: u32 = 32u;

// One goal. Zeroed before a group of goals starts.
struct Lane {
    status: u32,
    // Lattice steps taken off every reward.
    centre: u32,
    // What the next recentring takes off every value.
    shift: f32,
    recentrings: u32,
    sweeps: u32,
    // Certified half-width, in units of HALF_WIDTH_UNIT.
    half_width: u32,
    // Least half-width so far (but for improvements of less than a quarter), and the sweeps it took.
    best: u32,
    best_at: u32,
    // Middle of the residual's range.
    middle: f32,
}

const RUNNING: u32 = 0u;
const CERTIFIED: u32 = 1u;
// Single precision has nothing more to give.
const EXHAUSTED: u32 = 2u;
const CAPPED: u32 = 3u;
// Something that cannot be: numbers that are none, or work that was not done.
const BROKEN: u32 = 4u;

// Half-widths per unit: 2^29. Integers, so that sums are exact and do not depend on their order.
const HALF_WIDTH_UNITS: f32 = 536870912.0;
// Integrands per unit: 2^26.
const SUM_UNITS: f32 = 67108864.0;

// What several invocations add to, per goal. Zeroed before a group of goals starts.
struct Drawn {
    // Largest reward among states that surely stay.
    stay: atomic<u32>,
    // `width` less the smallest reward.
    depth: atomic<u32>,
    // Rewards written.
    written: atomic<u32>,
    // State updates done by sweeps.
    updates: atomic<u32>,
}

@group(0) @binding(0) var<uniform> cell: Cell;
@group(1) @binding(0) var<uniform> job: Job;

// Sweeps before the first that goes beyond the backup.
const SWEEPS_BEFORE: u32 = 2u;

// How far values go in a sweep of the job.
fn relaxation(sweep: u32) -> f32 {
    return select(job.relaxation, 1.0, job.done + sweep < SWEEPS_BEFORE);
}

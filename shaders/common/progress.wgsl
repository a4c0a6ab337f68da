// What one check counts. Zeroed before it.
struct Progress {
    // Goals that need more sweeps.
    running: atomic<u32>,
    // Goals whose centre moved.
    moved: atomic<u32>,
    // Goals that cannot be what they are.
    broken: atomic<u32>,
}

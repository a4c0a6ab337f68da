// Rewards of a table law, as src/reward/table defines them: integers alone up to an exact conversion and an exact product. Needs
// `mulhi`.

struct Segment {
    // First word.
    start: u32,
    // 64 m + 32 there.
    base: i32,
    // How much 64 m grows over 2^(32 - shift) words.
    rise: u32,
    // Bits of the f32 2^k; the lowest five are the shift.
    scale: u32,
}

// One of several laws: where it has its part of `segments` and `cells`, or its lattice.
struct TableHead {
    first_segment: u32,
    first_cell: u32,
    // A word is in cell `word >> cell_shift`.
    cell_shift: u32,
    // Points of a lattice; 0 for a table.
    width: u32,
    // Integer of the lattice's lowest point.
    low: i32,
    // A lattice's points are multiples of 2^exponent spacings of what rewards are brought onto; a table's, of 2^(exponent + e) spacings, e being
    // the eight bits of a segment's scale where an f32 has its exponent.
    exponent: i32,
    // Number of the point that spacings are counted from, modulo 2^32.
    origin: u32,
}

@group(0) @binding(8) var<storage, read> heads: array<TableHead>;
@group(0) @binding(9) var<storage, read> segments: array<Segment>;
@group(0) @binding(10) var<storage, read> cells: array<u32>;

const FRACTION_BITS: u32 = 6u;
const SHIFT_MASK: u32 = 31u;

// The last segment that starts at or before the word: among those from the one that holds the cell's first word to the one that
// holds the next cell's.
fn table_segment(head: TableHead, word: u32) -> Segment {
    let cell = head.first_cell + (word >> head.cell_shift);
    var low = cells[cell];
    var high = cells[cell + 1u];
    while low < high {
        let middle = (low + high + 1u) / 2u;
        if segments[head.first_segment + middle].start <= word {
            low = middle;
        } else {
            high = middle - 1u;
        }
    }
    return segments[head.first_segment + low];
}

fn table_integer(segment: Segment, word: u32) -> i32 {
    let t = (word - segment.start) << (segment.scale & SHIFT_MASK);
    let grown = bitcast<u32>(segment.base) + mulhi(segment.rise, t);
    return bitcast<i32>(grown) >> FRACTION_BITS;
}

// |m| <= 2^24 and a power of two: neither operation rounds.
fn table_value(segment: Segment, m: i32) -> f32 {
    return f32(m) * bitcast<f32>(segment.scale & ~SHIFT_MASK);
}

// m * 2^exponent, rounded to the nearest integer, halves up, modulo 2^32.
fn scaled(m: i32, exponent: i32) -> u32 {
    if exponent >= 0 {
        return select(bitcast<u32>(m) << u32(min(exponent, 31)), 0u, exponent > 31);
    }
    // |m| <= 2^24: no sum overflows, and smaller numbers round to zero.
    let shift = u32(min(-exponent, 30));
    return bitcast<u32>((m + (1 << (shift - 1u))) >> shift);
}

// The reward that a word stands for under a law, as spacings of what rewards are brought onto, counted from the law's origin, modulo 2^32.
fn drawn_multiple(law: u32, word: u32) -> u32 {
    let head = heads[law];
    if head.width != 0u {
        return scaled(head.low + bitcast<i32>(mulhi(word, head.width)), head.exponent) - head.origin;
    }
    let segment = table_segment(head, word);
    let exponent = head.exponent + i32(segment.scale >> 23u);
    return scaled(table_integer(segment, word), exponent) - head.origin;
}

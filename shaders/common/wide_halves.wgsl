// Sums of 64 bits in two words, the lower one first: for adapters without 64-bit integers. Needs `mulhi`.
alias Wide = vec2<u32>;

fn wide(low: u32, high: u32) -> Wide {
    return Wide(low, high);
}

fn plus_product(sum: Wide, a: i32, b: i32) -> Wide {
    let x = bitcast<u32>(a);
    let y = bitcast<u32>(b);
    // As a word, a negative factor is 2^32 too large.
    let high = mulhi(x, y) - select(0u, y, a < 0) - select(0u, x, b < 0);
    let low = sum.x + x * y;
    return Wide(low, sum.y + high + select(0u, 1u, low < sum.x));
}

// The sum over 2^bits, rounded down, modulo 2^32. 0 < bits < 64.
fn shifted(sum: Wide, bits: u32) -> i32 {
    if bits >= 32u {
        return bitcast<i32>(sum.y) >> (bits - 32u);
    }
    return bitcast<i32>((sum.y << (32u - bits)) | (sum.x >> bits));
}

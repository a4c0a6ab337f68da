// Sums of 64 bits, on adapters with 64-bit integers.
alias Wide = i64;

fn wide(low: u32, high: u32) -> Wide {
    return i64((u64(high) << 32u) | u64(low));
}

fn plus_product(sum: Wide, a: i32, b: i32) -> Wide {
    return sum + i64(a) * i64(b);
}

// The sum over 2^bits, rounded down, modulo 2^32. 0 < bits < 64.
fn shifted(sum: Wide, bits: u32) -> i32 {
    return i32(sum >> bits);
}

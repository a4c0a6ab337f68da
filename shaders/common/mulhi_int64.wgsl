// The upper half of a 64-bit product, on adapters with 64-bit integers.
fn mulhi(a: u32, b: u32) -> u32 {
    return u32((u64(a) * u64(b)) >> 32u);
}

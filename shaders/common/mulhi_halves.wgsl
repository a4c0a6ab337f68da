// The upper half of a 64-bit product, from 16-bit halves: for adapters without 64-bit integers.
fn mulhi(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let low = a_low * b_low;
    // No overflow: (2^16 - 1)^2 + 2^16 - 1 < 2^32, twice.
    let middle = a_high * b_low + (low >> 16u);
    let carry = a_low * b_high + (middle & 0xffffu);
    return a_high * b_high + (middle >> 16u) + (carry >> 16u);
}

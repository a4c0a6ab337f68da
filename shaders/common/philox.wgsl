// Philox4x32-10, as src/rng/mod.rs defines it. Needs `mulhi`.
const MULTIPLIER_0: u32 = 0xD2511F53u;
const MULTIPLIER_1: u32 = 0xCD9E8D57u;
const WEYL: vec2<u32> = vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
const ROUNDS: u32 = 10u;

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < ROUNDS; round++) {
        c = vec4<u32>(
            mulhi(MULTIPLIER_1, c.z) ^ c.y ^ k.x,
            MULTIPLIER_1 * c.z,
            mulhi(MULTIPLIER_0, c.x) ^ c.w ^ k.y,
            MULTIPLIER_0 * c.x,
        );
        k += WEYL;
    }
    return c;
}

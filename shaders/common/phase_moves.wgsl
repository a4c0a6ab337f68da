// Backups where every choice leads to one state with certainty: rewards are taken out of the maximum, as rounding is monotone. Needs `value`, `reward`.

// Steps of four moves, two rows to a word, [step][member].
@group(0) @binding(3) var<storage, read> moves: array<vec2<u32>>;

// In a member: some choice surely stays; some choice leads elsewhere.
const CAN_STAY: u32 = 1u;
const CAN_GO: u32 = 2u;

fn backup(slice: Slice, member: u32, who: vec2<u32>) -> vec4<f32> {
    let reward = reward(who.x);
    var ahead = vec4<f32>(LOWEST);
    for (var step = 0u; step < slice.steps; step++) {
        let rows = moves[slice.first + step * MEMBERS + member];
        let one = larger(value(rows.x & 0xffffu), value(rows.x >> 16u));
        let other = larger(value(rows.y & 0xffffu), value(rows.y >> 16u));
        ahead = larger(ahead, larger(one, other));
    }
    var best = vec4<f32>(LOWEST);
    if (who.y & CAN_GO) != 0u {
        best = reward + cell.discount * ahead;
    }
    if (who.y & CAN_STAY) != 0u {
        best = larger(best, reward * cell.horizon);
    }
    return best;
}

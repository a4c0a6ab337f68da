// Deals the steps of a goal's arrangement: those with the number of the goal among all distinct ones, in lexicographic order.
//
// Grid: (tiles). There are at most 10^7 arrangements, hence at most ten distinct steps.

@group(0) @binding(1) var<storage, read> places: array<Place>;
@group(0) @binding(2) var<storage, read_write> goals: array<u32>;
@group(0) @binding(3) var<storage, read> numbers: array<u32>;

// total * count / remaining, which is whole and below 2^32: the quotient modulo 2^32 is a product with the inverse of the odd part. Needs `mulhi`.
fn share(total: u32, count: u32, remaining: u32) -> u32 {
    let twos = countTrailingZeros(remaining);
    let odd = remaining >> twos;
    var product = total * count;
    if twos != 0u {
        product = (product >> twos) | (mulhi(total, count) << (32u - twos));
    }
    // Right in 5 binary digits, then in 10, 20 and 40.
    var inverse = (3u * odd) ^ 2u;
    inverse *= 2u - odd * inverse;
    inverse *= 2u - odd * inverse;
    inverse *= 2u - odd * inverse;
    return product * inverse;
}

@compute @workgroup_size(64)
fn arrange(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let leaf = leaves[job.leaf];
    let goal = numbered(group.x * LANES + lane, group.x, lane);
    if !follows(goal, leaf) {
        return;
    }
    var left: array<u32, 10>;
    for (var v = 0u; v < leaf.n_columns; v++) {
        left[v] = numbers[leaf.first_number + 2u * v + 1u];
    }
    var total = leaf.n_rows;
    var index = (job.turn + group.x * LANES + lane) % total;
    for (var j = 0u; j < leaf.n_places; j++) {
        for (var v = 0u; v < leaf.n_columns; v++) {
            // Arrangements that go on with this step.
            let here = share(total, left[v], leaf.n_places - j);
            if index < here {
                let slot = places[leaf.first_place + j].slot;
                goals[goal.base + slot * LANES] = numbers[leaf.first_number + 2u * v];
                total = here;
                left[v] -= 1u;
                break;
            }
            index -= here;
        }
    }
}

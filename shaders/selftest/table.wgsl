// Integers and rewards of table laws, for a comparison with the host's.
//
// draws[law * n_words + i] belongs to words[i]. Grid: (ceil(n_words / 64), laws). The job's range holds the number of words.

struct TableDraw {
    integer: i32,
    // Bits of the reward.
    value: u32,
}

@group(0) @binding(1) var<storage, read> words: array<u32>;
@group(0) @binding(2) var<storage, read_write> draws: array<TableDraw>;

@compute @workgroup_size(64)
fn table(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = group.x * LANES + lane;
    if i >= job.range_end {
        return;
    }
    let segment = table_segment(heads[group.y], words[i]);
    let m = table_integer(segment, words[i]);
    draws[group.y * job.range_end + i] = TableDraw(m, bitcast<u32>(table_value(segment, m)));
}

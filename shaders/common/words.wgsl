// Which random words there are, and where they go.

// A block of four words and what they are for: `targets[first..end_0]`, `targets[end_0..end_1]`, ...
struct Block {
    number: u32,
    first: u32,
    end_0: u32,
    end_1: u32,
    end_2: u32,
    end_3: u32,
}

// Where a word goes, a row of rewards or a latent draw, and the law that makes a number of it.
struct DrawTarget {
    row: u32,
    law: u32,
}

@group(0) @binding(1) var<storage, read> blocks: array<Block>;
@group(0) @binding(2) var<storage, read> targets: array<DrawTarget>;

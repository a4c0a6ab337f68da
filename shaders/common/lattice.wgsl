// The integer that a random word stands for, counted from the law's lowest point: floor(word * width / 2^32). Needs `mulhi`.
fn lattice_step(word: u32, width: u32) -> u32 {
    return mulhi(word, width);
}

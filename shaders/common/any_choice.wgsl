// Every choice may be taken.
fn is_open(s: u32, c: u32) -> bool {
    return true;
}

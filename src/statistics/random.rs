//! Random numbers of simulations in tests: nothing that goals are drawn with.

/// splitmix64 (Steele, Lea & Flood 2014), from a state.
pub(super) struct Random(pub(super) u64);

impl Random {
    /// Uniform on [0, 1), a multiple of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }
}

//! Rows of a tile in memory: every one starts at a cache line.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

#[derive(Clone, Copy, Debug, Zeroable, Pod)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Scalars in whole cache lines. A vector that starts at a multiple of its width then lies within one line: one that straddles two takes
/// two accesses, and loads are what bounds a sweep.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<F> {
    lines: Vec<Line>,
    scalar: PhantomData<F>,
}

impl<F: Pod> Lines<F> {
    /// `n` zeros.
    ///
    /// # Panics
    ///
    /// Unless they fill their lines.
    pub(super) fn zeros(n: usize) -> Self {
        let mut lines = Self {
            lines: Vec::new(),
            scalar: PhantomData,
        };
        lines.resize(n);
        lines
    }

    /// Makes it `n` scalars long; those that are added are zero.
    ///
    /// # Panics
    ///
    /// Unless they fill their lines.
    pub(super) fn resize(&mut self, n: usize) {
        let bytes = n * size_of::<F>();
        assert_eq!(bytes % LINE, 0, "rows are whole cache lines");
        self.lines.resize(bytes / LINE, Line([0; LINE]));
    }
}

impl<F: Pod> Deref for Lines<F> {
    type Target = [F];
    #[inline(always)]
    fn deref(&self) -> &[F] {
        bytemuck::cast_slice(&self.lines)
    }
}

impl<F: Pod> DerefMut for Lines<F> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [F] {
        bytemuck::cast_slice_mut(&mut self.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_start_at_cache_lines_and_keep_what_is_in_them() {
        let mut rows = Lines::<f64>::zeros(64);
        rows[63] = 2.0;
        rows.resize(128);
        assert_eq!(rows.as_ptr() as usize % LINE, 0);
        assert_eq!((rows.len(), rows[63], rows[127]), (128, 2.0, 0.0));
    }
}

//! The inner loops over one state: how a value is backed up from its successors, for many goals at once.
//!
//! Values of a tile are rows `[state in sweep order][lane]`. A kernel works on four vectors of one row at a time: four
//! in flight hide the latency of the load, maximum and multiply-add that every state's update waits for.

mod by_choice;
mod dense;
mod deterministic;
mod fan;
mod rough;
mod sparse;

pub(super) use by_choice::{ByChoice, UNCHOSEN};
pub(super) use dense::Dense;
pub(super) use deterministic::Deterministic;
pub(super) use rough::Rough;
pub(super) use sparse::Sparse;

use super::simd::{Scalar, Vector};
use crate::statistics::TILE;

/// Vectors of one row that are worked on together.
pub(super) const VECTORS: usize = 4;

/// Builds `[V; VECTORS]` element by element, with the `V` of the function around it.
///
/// A macro, because a closure is not sure to be inlined, and code that is not inlined is compiled for the baseline (see the
/// head of `simd.rs`).
macro_rules! each {
    (|$i:ident| $element:expr) => {{
        let mut out = [V::splat(<V::Scalar>::default()); VECTORS];
        for $i in 0..VECTORS {
            out[$i] = $element;
        }
        out
    }};
}
pub(super) use each;

/// What the difference form of the Bellman operator gives for one state: `gamma max_a sum T(s,a,s')(V(s') - V(s))`.
pub(super) struct Differences<V> {
    /// Proven lower bound.
    pub(super) low: [V; VECTORS],
    /// Proven upper bound.
    pub(super) high: [V; VECTORS],
    /// `max_a P_a V`, within [`Kernel::OFF_BEST`] times `(high - low)/gamma` and a rounding or two of the truth.
    pub(super) best: [V; VECTORS],
}

/// One way to store rows of the transition tensor.
pub(super) trait Kernel<F: Scalar> {
    /// Whether rewards are those of choices: rows of rewards are then choices in sweep order.
    const CHOICE_REWARDS: bool;

    /// Whether the two bounds of [`differences`](Self::differences) are always equal.
    const EQUAL_BOUNDS: bool = false;

    /// How far [`Differences::best`] may be from the truth, over `(high - low)/gamma`: a half where it is in the middle.
    const OFF_BEST: f64 = 1.0;

    /// The self-loop-eliminated backup of state `s`: `max_a (R + gamma sum_{s' != s} T V) / (1 - gamma T(s,a,s))`.
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS];

    /// The [`backup`](Self::backup), and which of the state's choices it is that of, counted from 0. `None` where nobody asks: rows of
    /// most states are swept.
    #[inline(always)]
    fn improve<V: Vector<Scalar = F>>(
        &self,
        _s: usize,
        _rewards: Rows<'_, F>,
        _rows: Rows<'_, F>,
    ) -> Option<([V; VECTORS], [V; VECTORS])> {
        None
    }

    /// `max_a P_a V`, self-loops included, without bounds: for sweeps. Rewards of choices, over gamma, are part of it.
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS];

    /// What the errors of [`differences`](Self::differences) are relative to, where that is one number for all states.
    #[inline(always)]
    fn magnitude<V: Vector<Scalar = F>>(&self, _rows: Rows<'_, F>) -> [V; VECTORS] {
        splat(0.0)
    }

    /// Bounds on the difference form, self-loops included. Rewards of choices are part of it.
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V>;

    /// Number of states.
    fn n_states(&self) -> usize;
}

/// Value rows, seen from one group of lanes.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, F> {
    /// `[n_states, TILE]`.
    pub(super) values: &'a [F],
    /// First lane of the group.
    pub(super) lane: usize,
}

impl<'a, F: Scalar> Rows<'a, F> {
    #[inline(always)]
    pub(super) fn new(values: &'a [F], lane: usize) -> Self {
        Self { values, lane }
    }

    /// Loads the row that starts at `offset`.
    #[inline(always)]
    pub(super) fn load<V: Vector<Scalar = F>>(&self, offset: u32) -> [V; VECTORS] {
        load_row(self.values, offset as usize + self.lane)
    }

    /// Loads row number `row`.
    #[inline(always)]
    pub(super) fn row<V: Vector<Scalar = F>>(&self, row: usize) -> [V; VECTORS] {
        load_row(self.values, row * TILE + self.lane)
    }
}

#[inline(always)]
pub(super) fn load_row<V: Vector>(values: &[V::Scalar], at: usize) -> [V; VECTORS] {
    let row = &values[at..at + VECTORS * V::WIDTH];
    each!(|i| V::load(&row[i * V::WIDTH..]))
}

#[inline(always)]
pub(super) fn store_row<V: Vector>(x: [V; VECTORS], values: &mut [V::Scalar], at: usize) {
    let row = &mut values[at..at + VECTORS * V::WIDTH];
    for (i, v) in x.into_iter().enumerate() {
        v.store(&mut row[i * V::WIDTH..]);
    }
}

#[inline(always)]
pub(super) fn splat<V: Vector>(x: f64) -> [V; VECTORS] {
    [V::splat(V::Scalar::from_f64(x)); VECTORS]
}

#[inline(always)]
pub(super) fn max<V: Vector>(a: [V; VECTORS], b: [V; VECTORS]) -> [V; VECTORS] {
    each!(|i| a[i].max(b[i]))
}

#[inline(always)]
pub(super) fn min<V: Vector>(a: [V; VECTORS], b: [V; VECTORS]) -> [V; VECTORS] {
    each!(|i| a[i].min(b[i]))
}

/// Where a row starts.
///
/// # Panics
///
/// Beyond 67 million states, whose tile would have 2^32 scalars.
pub(super) fn offset(row: u32) -> u32 {
    u32::try_from(row as usize * TILE).expect("a tile has fewer than 2^32 scalars")
}

/// The largest of several values, and its number.
#[derive(Clone, Copy)]
struct Best<V> {
    value: [V; VECTORS],
    number: [V; VECTORS],
}

impl<V: Vector> Best<V> {
    #[inline(always)]
    fn none() -> Self {
        Self {
            value: splat(f64::NEG_INFINITY),
            number: splat(0.0),
        }
    }

    /// The first of equal values stays.
    #[inline(always)]
    fn consider(&mut self, number: usize, value: [V; VECTORS]) {
        let (best, at) = (*self, V::splat(V::Scalar::from_f64(number as f64)));
        self.number = each!(|i| value[i].where_greater(best.value[i], at, best.number[i]));
        self.value = each!(|i| value[i].max(best.value[i]));
    }
}

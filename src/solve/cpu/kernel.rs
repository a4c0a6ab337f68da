//! The inner loops over one state: how a value is backed up from its successors, for many goals at once.
//!
//! Values of a tile are rows `[state in sweep order][lane]`. A kernel works on four vectors of one row at a time: four
//! in flight hide the latency of the load, maximum and multiply-add that every state's update waits for.

use super::fan::Fan;
use super::simd::{Scalar, Vector};
use crate::plan::{KernelClass, SweepModel};
use crate::reward::RewardDomain;
use crate::statistics::TILE;
use crate::units::Discount;

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
    /// `max_a P_a V`, within `(high - low)/gamma` and a rounding or two of the truth.
    pub(super) best: [V; VECTORS],
}

/// One way to store rows of the transition tensor.
pub(super) trait Kernel<F: Scalar> {
    /// Whether rewards are those of choices: rows of rewards are then choices in sweep order.
    const CHOICE_REWARDS: bool;

    /// The self-loop-eliminated backup of state `s`: `max_a (R + gamma sum_{s' != s} T V) / (1 - gamma T(s,a,s))`.
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS];

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

impl<F: Scalar> Rows<'_, F> {
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

/// Every choice leads to one state: gather and maximum, one multiply-add per state.
#[derive(Clone, Debug)]
pub(super) struct Deterministic<F> {
    /// Per state: first and one past the last entry of `successors`, and whether it has a self-loop.
    states: Vec<(u32, u32, bool)>,
    /// Where the rows of the successors other than the state itself start.
    successors: Vec<u32>,
    discount: F,
    /// `1 / (1 - gamma)`.
    horizon: F,
}

impl<F: Scalar> Deterministic<F> {
    pub(super) fn new(model: &SweepModel, discount: Discount) -> Self {
        assert_eq!(model.class(), KernelClass::Deterministic);
        let mut successors = Vec::with_capacity(model.parts().len());
        let states = model.states().iter().map(|state| {
            let first = successors.len() as u32;
            let mut stay = false;
            for choice in &model.choices()[state.choice_first as usize..state.choice_end as usize] {
                stay |= choice.stay > 0.0;
                let own = &model.parts()[choice.first as usize..choice.end as usize];
                successors.extend(own.iter().map(|part| offset(part.position)));
            }
            (first, successors.len() as u32, stay)
        });
        Self {
            states: states.collect(),
            successors,
            discount: F::from_f64(discount.used()),
            horizon: F::from_f64(1.0 / discount.complement()),
        }
    }

    /// Maximum over the successors other than the state itself; `None` for an absorbing state.
    #[inline(always)]
    fn gather<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rows: Rows<'_, F>,
    ) -> (Option<[V; VECTORS]>, bool) {
        let (first, end, stay) = self.states[s];
        // Written out for the counts that grids have: loads then wait for nothing.
        let best = match *self
            .successors
            .get(first as usize..end as usize)
            .unwrap_or(&[])
        {
            [] => return (None, stay),
            [a] => rows.load(a),
            [a, b] => max(rows.load(a), rows.load(b)),
            [a, b, c] => max(max(rows.load(a), rows.load(b)), rows.load(c)),
            [a, b, c, d] => {
                let (one, two) = (
                    max(rows.load(a), rows.load(b)),
                    max(rows.load(c), rows.load(d)),
                );
                max(one, two)
            }
            [head, ref tail @ ..] => {
                let mut best = rows.load(head);
                for &successor in tail {
                    best = max(best, rows.load(successor));
                }
                best
            }
        };
        (Some(best), stay)
    }
}

impl<F: Scalar> Kernel<F> for Deterministic<F> {
    const CHOICE_REWARDS: bool = false;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let reward: [V; VECTORS] = rewards.row(s);
        let discount = V::splat(self.discount);
        let horizon = V::splat(self.horizon);
        match self.gather::<V>(s, rows) {
            (None, _) => each!(|i| reward[i].mul(horizon)),
            (Some(best), false) => each!(|i| best[i].mul_add(discount, reward[i])),
            (Some(best), true) => each!(|i| {
                best[i]
                    .mul_add(discount, reward[i])
                    .max(reward[i].mul(horizon))
            }),
        }
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        match self.gather::<V>(s, rows) {
            (None, _) => own,
            (Some(best), false) => best,
            (Some(best), true) => max(best, own),
        }
    }

    /// # Precision
    ///
    /// `V(s') - V(s)` is rounded once, and so is its product with gamma (exact in F): a relative 2u of the result, which is
    /// left to the caller (`low` and `high` are equal here). Taking the maximum first changes nothing: subtraction of one
    /// number and multiplication by gamma are monotone in floating point too.
    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let discount = V::splat(self.discount);
        let best = self.expected(s, own, rewards, rows);
        let q = each!(|i| best[i].sub(own[i]).mul(discount));
        Differences {
            low: q,
            high: q,
            best,
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.states.len()
    }
}

/// Few successors per choice, with the part that a state's choices share factored out.
#[derive(Clone, Debug)]
pub(super) struct Sparse<F> {
    /// Per state: ranges of its common terms and of its choices.
    states: Vec<[u32; 4]>,
    /// Per choice: range of its own terms, `1 / (1 - gamma T(s,a,s))` and `gamma T(s,a,s)`.
    choices: Vec<(u32, u32, F, F)>,
    /// Per state: its backup in short, where it is of that kind.
    fans: Vec<Option<Fan<F>>>,
    /// Where the row of the successor starts, and `gamma T`.
    terms: Vec<(u32, F)>,
    /// `1 / gamma`.
    inverse_discount: F,
    /// Relative error of a sum of differences against the sum of their absolute values.
    sum_error: F,
}

impl<F: Scalar> Sparse<F> {
    pub(super) fn new(model: &SweepModel, discount: Discount) -> Self {
        let gamma = discount.used();
        let mut longest = 0;
        let states: Vec<[u32; 4]> = model
            .states()
            .iter()
            .map(|s| [s.common_first, s.common_end, s.choice_first, s.choice_end])
            .collect();
        for &[common_first, common_end, choice_first, choice_end] in &states {
            for choice in &model.choices()[choice_first as usize..choice_end as usize] {
                let terms = (common_end - common_first) + (choice.end - choice.first);
                longest = longest.max(terms);
            }
        }
        let fans = model.states().iter();
        let choices = model.choices().iter();
        let terms = model.parts().iter();
        Self {
            states,
            fans: match model.domain() {
                RewardDomain::State => fans.map(|s| Fan::of(model, s, gamma)).collect(),
                RewardDomain::Choice => Vec::new(),
            },
            choices: choices
                .map(|c| {
                    let inverse = F::from_f64(1.0 / (1.0 - gamma * c.stay));
                    (c.first, c.end, inverse, F::from_f64(gamma * c.stay))
                })
                .collect(),
            terms: terms
                .map(|p| (offset(p.position), F::from_f64(gamma * p.probability)))
                .collect(),
            inverse_discount: F::from_f64(1.0 / gamma),
            sum_error: F::from_f64(Self::sum_error_factor(longest)),
        }
    }

    /// Bound on |computed - true| / sum |gamma T (V' - V)| for a sum of `terms` products, and 1% for the rounding of the
    /// bound itself.
    ///
    /// Each term: the stored factor is off by u (in f32; the f64 factors by 2u: gamma T is a product), the difference by
    /// u, the product by u where it is not fused. The sum of n terms adds (n - 1)u, and the final combination with the
    /// error term itself two more. In all n + 6 covers both precisions.
    fn sum_error_factor(terms: u32) -> f64 {
        1.01 * (f64::from(terms) + 6.0) * F::UNIT
    }

    #[inline(always)]
    fn weighted<V: Vector<Scalar = F>>(
        &self,
        first: u32,
        end: u32,
        mut sum: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        for &(row, weight) in &self.terms[first as usize..end as usize] {
            let weight = V::splat(weight);
            let value: [V; VECTORS] = rows.load(row);
            sum = each!(|i| value[i].mul_add(weight, sum[i]));
        }
        sum
    }

    /// Sums of weighted differences to `own`, and of their absolute values.
    #[inline(always)]
    fn weighted_differences<V: Vector<Scalar = F>>(
        &self,
        first: u32,
        end: u32,
        own: [V; VECTORS],
        (mut sum, mut size): ([V; VECTORS], [V; VECTORS]),
        rows: Rows<'_, F>,
    ) -> ([V; VECTORS], [V; VECTORS]) {
        for &(row, weight) in &self.terms[first as usize..end as usize] {
            let weight = V::splat(weight);
            let value: [V; VECTORS] = rows.load(row);
            let difference: [V; VECTORS] = each!(|i| value[i].sub(own[i]));
            sum = each!(|i| difference[i].mul_add(weight, sum[i]));
            size = each!(|i| difference[i].abs().mul_add(weight, size[i]));
        }
        (sum, size)
    }
}

impl<F: Scalar> Kernel<F> for Sparse<F> {
    const CHOICE_REWARDS: bool = false;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let reward = rewards.row(s);
        if let Some(fan) = &self.fans[s] {
            return fan.backup(reward, rows);
        }
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let base = self.weighted(common_first, common_end, reward, rows);
        let mut best = splat(f64::NEG_INFINITY);
        for &(first, end, inverse, _) in &self.choices[choice_first as usize..choice_end as usize] {
            let inverse = V::splat(inverse);
            let q: [V; VECTORS] = self.weighted(first, end, base, rows);
            best = each!(|i| q[i].mul(inverse).max(best[i]));
        }
        best
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let base: [V; VECTORS] = self.weighted(common_first, common_end, splat(0.0), rows);
        let mut best = splat(f64::NEG_INFINITY);
        for &(first, end, _, stay) in &self.choices[choice_first as usize..choice_end as usize] {
            let stay = V::splat(stay);
            let start = each!(|i| own[i].mul_add(stay, base[i]));
            best = max(best, self.weighted(first, end, start, rows));
        }
        let inverse = V::splat(self.inverse_discount);
        each!(|i| best[i].mul(inverse))
    }

    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let [common_first, common_end, choice_first, choice_end] = self.states[s];
        let zero = splat(0.0);
        let base = self.weighted_differences(common_first, common_end, own, (zero, zero), rows);
        let lowest = splat(f64::NEG_INFINITY);
        let (mut low, mut high, mut best) = (lowest, lowest, lowest);
        let error = V::splat(self.sum_error);
        let minus_error = V::splat(F::from_f64(-self.sum_error.to_f64()));
        for &(first, end, ..) in &self.choices[choice_first as usize..choice_end as usize] {
            let (q, size): ([V; VECTORS], [V; VECTORS]) =
                self.weighted_differences(first, end, own, base, rows);
            low = each!(|i| size[i].mul_add(minus_error, q[i]).max(low[i]));
            high = each!(|i| size[i].mul_add(error, q[i]).max(high[i]));
            best = max(best, q);
        }
        let inverse = V::splat(self.inverse_discount);
        Differences {
            low,
            high,
            best: each!(|i| best[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.states.len()
    }
}

/// What is added to a choice that is not taken: beyond any value, and far from the largest number there is.
pub(super) const UNCHOSEN: f64 = -1e30;

/// The sparse kernel that looks at every choice by itself. `REWARDED`: rewards are those of choices. `GIVEN`: which choice is taken is given, goal by goal.
///
/// The maximum stays where choices are given: 0 is added to the choice that is taken, which changes no bit, and [`UNCHOSEN`] to the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByChoice<'a, F, const REWARDED: bool, const GIVEN: bool> {
    sparse: &'a Sparse<F>,
    /// `[n_choices, TILE]` in sweep order; empty where none is given.
    given: &'a [F],
}

impl<'a, F: Scalar> ByChoice<'a, F, true, false> {
    /// Optimal choices under rewards of choices.
    pub(super) fn rewarded(sparse: &'a Sparse<F>) -> Self {
        Self { sparse, given: &[] }
    }
}

impl<'a, F: Scalar, const REWARDED: bool> ByChoice<'a, F, REWARDED, true> {
    /// The choices that are given.
    pub(super) fn following(sparse: &'a Sparse<F>, given: &'a [F]) -> Self {
        Self { sparse, given }
    }
}

impl<F: Scalar, const REWARDED: bool, const GIVEN: bool> ByChoice<'_, F, REWARDED, GIVEN> {
    /// What a choice is worth, unless it is not the one that is given.
    #[inline(always)]
    fn if_taken<V: Vector<Scalar = F>>(
        &self,
        choice: usize,
        lane: usize,
        q: [V; VECTORS],
    ) -> [V; VECTORS] {
        if !GIVEN {
            return q;
        }
        let penalty: [V; VECTORS] = load_row(self.given, choice * TILE + lane);
        each!(|i| q[i].add(penalty[i]))
    }

    /// The sum of a choice with its reward, where it has one.
    #[inline(always)]
    fn rewarded_sum<V: Vector<Scalar = F>>(
        choice: usize,
        rewards: Rows<'_, F>,
        sum: [V; VECTORS],
    ) -> [V; VECTORS] {
        if !REWARDED {
            return sum;
        }
        let reward: [V; VECTORS] = rewards.row(choice);
        each!(|i| sum[i].add(reward[i]))
    }
}

impl<F: Scalar, const REWARDED: bool, const GIVEN: bool> Kernel<F>
    for ByChoice<'_, F, REWARDED, GIVEN>
{
    const CHOICE_REWARDS: bool = REWARDED;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let start: [V; VECTORS] = match REWARDED {
            true => splat(0.0),
            false => rewards.row(s),
        };
        let base = self.sparse.weighted(common_first, common_end, start, rows);
        let mut best = splat(f64::NEG_INFINITY);
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, inverse, _) = self.sparse.choices[choice];
            let inverse = V::splat(inverse);
            let own = Self::rewarded_sum(choice, rewards, base);
            let q: [V; VECTORS] = self.sparse.weighted(first, end, own, rows);
            let q = each!(|i| q[i].mul(inverse));
            best = max(self.if_taken(choice, rows.lane, q), best);
        }
        best
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let base = self
            .sparse
            .weighted(common_first, common_end, splat(0.0), rows);
        let mut best = splat(f64::NEG_INFINITY);
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, _, stay) = self.sparse.choices[choice];
            let stay = V::splat(stay);
            let start = Self::rewarded_sum(choice, rewards, base);
            let start = each!(|i| own[i].mul_add(stay, start[i]));
            let q: [V; VECTORS] = self.sparse.weighted(first, end, start, rows);
            best = max(best, self.if_taken(choice, rows.lane, q));
        }
        let inverse = V::splat(self.sparse.inverse_discount);
        each!(|i| best[i].mul(inverse))
    }

    /// # Precision
    ///
    /// As of [`Sparse`]. Where choices have rewards, one is added once beyond the error of the sum: u(|R| + |q|), with |q| at most the sum of
    /// sizes. `low` and `high` take 2u of each.
    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _magnitude: [V; VECTORS],
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let [common_first, common_end, choice_first, choice_end] = self.sparse.states[s];
        let zero = splat(0.0);
        let base =
            self.sparse
                .weighted_differences(common_first, common_end, own, (zero, zero), rows);
        let lowest = splat(f64::NEG_INFINITY);
        let (mut low, mut high, mut best) = (lowest, lowest, lowest);
        let of_reward = if REWARDED { 2.02 * F::UNIT } else { 0.0 };
        let sum_error = self.sparse.sum_error.to_f64() + of_reward;
        let (error, minus_error) = (both::<V>(sum_error), both::<V>(-sum_error));
        let (reward_error, minus_reward_error) = (both::<V>(of_reward), both::<V>(-of_reward));
        for choice in choice_first as usize..choice_end as usize {
            let (first, end, ..) = self.sparse.choices[choice];
            let (sum, size): ([V; VECTORS], [V; VECTORS]) = self
                .sparse
                .weighted_differences(first, end, own, base, rows);
            let q = Self::rewarded_sum(choice, rewards, sum);
            let q = self.if_taken(choice, rows.lane, q);
            let (mut less, mut more) = (q, q);
            if REWARDED {
                let reward: [V; VECTORS] = rewards.row(choice);
                less = each!(|i| reward[i].abs().mul_add(minus_reward_error, q[i]));
                more = each!(|i| reward[i].abs().mul_add(reward_error, q[i]));
            }
            low = each!(|i| size[i].mul_add(minus_error, less[i]).max(low[i]));
            high = each!(|i| size[i].mul_add(error, more[i]).max(high[i]));
            best = max(best, q);
        }
        let inverse = V::splat(self.sparse.inverse_discount);
        Differences {
            low,
            high,
            best: each!(|i| best[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.sparse.states.len()
    }
}

#[inline(always)]
fn both<V: Vector>(x: f64) -> V {
    V::splat(V::Scalar::from_f64(x))
}

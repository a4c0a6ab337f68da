//! Exact values of policies: the equations of a tile's goals, each with its own choices, solved side by side.
//!
//! Which products that takes is the plan's [`Elimination`]; the numbers are put in here. No differences are taken on the diagonal: with
//! `d(i) = slack(i) + sum of the row's coefficients`, where the slack starts at 1 - gamma and grows by what is put in, every number but the
//! right-hand side is a sum of products of positive numbers, and keeps its relative precision however close gamma is to 1 (Grassmann, Taksar
//! and Heyman 1985). What is left of rounding is in the residual, as it is after sweeps.

use std::sync::Arc;

use super::kernel::{Kernel, VECTORS, each, load_row, max, min, splat, store_row};
use super::memory::Lines;
use super::simd::{Isa, Job, Level, Scalar, Vector, dispatch};
use super::tile::Tile;
use crate::plan::{Elimination, SweepModel, SweepState};
use crate::reward::RewardDomain;
use crate::statistics::TILE;
use crate::units::Discount;

/// The equations of every policy.
#[derive(Clone, Debug)]
pub(super) struct Evaluation<F> {
    elimination: Arc<Elimination>,
    /// Per entry of the elimination: gamma T under most choices, and the range of `others`.
    coefficients: Vec<(F, u32, u32)>,
    /// The number of a choice among those of its state, and gamma T under it.
    others: Vec<(F, F)>,
    /// Per row: the state's choices where these have rewards, else nothing.
    choices: Vec<(u32, u32)>,
    complement: F,
}

impl<F: Scalar> Evaluation<F> {
    pub(super) fn new(
        model: &SweepModel,
        elimination: Arc<Elimination>,
        discount: Discount,
    ) -> Self {
        let mut coefficients = Vec::with_capacity(elimination.entries().len());
        let mut others = Vec::new();
        let mut choices = Vec::new();
        for row in elimination.rows() {
            let state = &model.states()[row.position as usize];
            for entry in &elimination.entries()[row.first as usize..row.end as usize] {
                let each = weights(model, state, entry.position);
                let most = most_frequent(&each);
                let first = others.len() as u32;
                let numbered = each.iter().enumerate().filter(|(_, w)| **w != most);
                others.extend(numbered.map(|(number, &w)| {
                    let weight = F::from_f64(discount.used() * w);
                    (F::from_f64(number as f64), weight)
                }));
                let usual = F::from_f64(discount.used() * most);
                coefficients.push((usual, first, others.len() as u32));
            }
            choices.push(match model.domain() {
                RewardDomain::State => (0, 0),
                RewardDomain::Choice => (state.choice_first, state.choice_end),
            });
        }
        Self {
            elimination,
            coefficients,
            others,
            choices,
            complement: F::from_f64(discount.complement()),
        }
    }
}

/// T(s, a, `position`) of every choice of a state, in order.
fn weights(model: &SweepModel, state: &SweepState, position: u32) -> Vec<f64> {
    let sum = |first: u32, end: u32| -> f64 {
        let parts = &model.parts()[first as usize..end as usize];
        let here = parts.iter().filter(|p| p.position == position);
        here.map(|p| p.probability).sum()
    };
    let common = sum(state.common_first, state.common_end);
    let own = &model.choices()[state.choice_first as usize..state.choice_end as usize];
    own.iter().map(|c| common + sum(c.first, c.end)).collect()
}

/// The number that stands most often in a list that is not empty; the first such.
fn most_frequent(list: &[f64]) -> f64 {
    let count = |x: f64| list.iter().filter(|&&y| y == x).count();
    let more = |best: f64, &x: &f64| if count(x) > count(best) { x } else { best };
    list.iter().fold(list[0], more)
}

/// Memory for the policies of a tile.
#[derive(Clone, Debug, Default)]
pub(super) struct Policies<F> {
    /// Which choice of its state every goal takes, `[n_states, TILE]`.
    chosen: Lines<F>,
    /// `u`, of one group of lanes.
    upper: Lines<F>,
    /// `l` of one row.
    lower: Lines<F>,
    /// Per state: right-hand side, slack, `1 / d`.
    solved: [Lines<F>; 3],
}

impl<F: Scalar> Policies<F> {
    fn make_room(&mut self, elimination: &Elimination) {
        let n = elimination.rows().len() * TILE;
        self.chosen.resize(n);
        self.upper.resize(elimination.n_upper() * TILE);
        self.lower.resize(elimination.widest() * TILE);
        self.solved.iter_mut().for_each(|rows| rows.resize(n));
    }
}

/// What a pass that notes its choices did to every goal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Improvement<F> {
    /// The farthest that a value moved.
    step: [F; TILE],
    /// The largest |value|.
    size: [F; TILE],
    /// More than 0 where some choice is another one than before.
    change: [F; TILE],
}

impl<F: Scalar> Improvement<F> {
    /// Whether there is nothing left to do: every goal takes the choices whose exact values it had, or gains no more by others than
    /// the tolerance, or than rounding makes of its values.
    pub(super) fn is_over(&self, tolerance: f64, per_value: f64) -> bool {
        (0..TILE).all(|lane| {
            let noise = per_value * self.size[lane].to_f64();
            self.change[lane] == F::default() || self.step[lane].to_f64() <= noise.max(tolerance)
        })
    }
}

impl<F: Scalar> Tile<F> {
    /// One in-place sweep, forwards or backwards, that notes which choices it took. `None` where the kernel does not tell them.
    #[inline(always)]
    pub(super) fn improve<V: Vector<Scalar = F>>(
        &mut self,
        kernel: &impl Kernel<F>,
        evaluation: &Evaluation<F>,
        backwards: bool,
    ) -> Option<Improvement<F>> {
        let n = kernel.n_states();
        let mut made = Improvement {
            step: [F::default(); TILE],
            size: [F::default(); TILE],
            change: [F::default(); TILE],
        };
        self.policies.make_room(&evaluation.elimination);
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            let (mut step, mut size, mut change) = (splat(0.0), splat(0.0), splat(0.0));
            for i in 0..n {
                let s = if backwards { n - 1 - i } else { i };
                let at = s * TILE + lane;
                let (value, choice): ([V; VECTORS], [V; VECTORS]) =
                    kernel.improve(s, self.rewards(lane), self.rows(lane))?;
                let before: [V; VECTORS] = load_row(&self.values, at);
                let chosen: [V; VECTORS] = load_row(&self.policies.chosen, at);
                step = each!(|i| value[i].sub(before[i]).abs().max(step[i]));
                size = each!(|i| value[i].abs().max(size[i]));
                change = each!(|i| choice[i].sub(chosen[i]).abs().max(change[i]));
                store_row(value, &mut self.values, at);
                store_row(choice, &mut self.policies.chosen, at);
            }
            store_row::<V>(step, &mut made.step, lane);
            store_row::<V>(size, &mut made.size, lane);
            store_row::<V>(change, &mut made.change, lane);
        }
        Some(made)
    }

    /// Gives every goal the exact values of the choices that were noted last.
    pub(super) fn evaluate(&mut self, level: Level, evaluation: &Evaluation<F>) {
        // Dispatched by itself: it is the same for all kernels, and need not be compiled for each.
        dispatch(
            level,
            EvaluateJob {
                tile: self,
                evaluation,
            },
        );
    }

    #[inline(always)]
    fn eliminate<V: Vector<Scalar = F>>(&mut self, evaluation: &Evaluation<F>, lane: usize) {
        let width = VECTORS * V::WIDTH;
        let elimination = &*evaluation.elimination;
        let Policies {
            chosen,
            upper,
            lower,
            solved: [right, slack, inverse],
        } = &mut self.policies;
        let one = V::splat(F::from_f64(1.0));
        for (row, &(choice_first, choice_end)) in elimination.rows().iter().zip(&evaluation.choices)
        {
            let own = row.position as usize * TILE + lane;
            let taken: [V; VECTORS] = load_row(chosen, own);
            let mut b: [V; VECTORS] = match choice_first == choice_end {
                true => load_row(&self.rewards, own),
                false => splat(0.0),
            };
            for choice in choice_first..choice_end {
                let number = V::splat(F::from_f64(f64::from(choice - choice_first)));
                let reward: [V; VECTORS] = load_row(&self.rewards, choice as usize * TILE + lane);
                b = each!(|i| taken[i].where_equal(number, reward[i], b[i]));
            }
            let mut rest: [V; VECTORS] = [V::splat(evaluation.complement); VECTORS];
            let mut diagonal: [V; VECTORS] = splat(0.0);
            for at in row.first..row.end {
                let entry = &elimination.entries()[at as usize];
                let (usual, first, end) = evaluation.coefficients[at as usize];
                let mut x = [V::splat(usual); VECTORS];
                for &(number, weight) in &evaluation.others[first as usize..end as usize] {
                    let (number, weight) = (V::splat(number), V::splat(weight));
                    x = each!(|i| taken[i].where_equal(number, weight, x[i]));
                }
                for &(l, u) in &elimination.products()[entry.first as usize..entry.end as usize] {
                    let l: [V; VECTORS] = load_row(lower, l as usize * width);
                    let u: [V; VECTORS] = load_row(upper, u as usize * width);
                    x = each!(|i| l[i].mul_add(u[i], x[i]));
                }
                if at < row.upper {
                    let earlier = entry.position as usize * TILE + lane;
                    let factor: [V; VECTORS] = load_row(inverse, earlier);
                    let l = each!(|i| x[i].mul(factor[i]));
                    let (other, more): ([V; VECTORS], [V; VECTORS]) =
                        (load_row(right, earlier), load_row(slack, earlier));
                    b = each!(|i| l[i].mul_add(other[i], b[i]));
                    rest = each!(|i| l[i].mul_add(more[i], rest[i]));
                    store_row(l, lower, (at - row.first) as usize * width);
                } else {
                    diagonal = each!(|i| diagonal[i].add(x[i]));
                    store_row(
                        x,
                        upper,
                        (row.first_upper + (at - row.upper)) as usize * width,
                    );
                }
            }
            let d: [V; VECTORS] = each!(|i| one.div(diagonal[i].add(rest[i])));
            store_row(b, right, own);
            store_row(rest, slack, own);
            store_row(d, inverse, own);
        }
    }

    #[inline(always)]
    fn substitute<V: Vector<Scalar = F>>(&mut self, evaluation: &Evaluation<F>, lane: usize) {
        let width = VECTORS * V::WIDTH;
        let elimination = &*evaluation.elimination;
        let Policies {
            upper,
            solved: [right, _, inverse],
            ..
        } = &self.policies;
        let mut lowest: [V; VECTORS] = splat(f64::INFINITY);
        let mut highest: [V; VECTORS] = splat(f64::NEG_INFINITY);
        for row in elimination.rows().iter().rev() {
            let own = row.position as usize * TILE + lane;
            let mut sum: [V; VECTORS] = load_row(right, own);
            let entries = &elimination.entries()[row.upper as usize..row.end as usize];
            for (at, entry) in entries.iter().enumerate() {
                let u: [V; VECTORS] = load_row(upper, (row.first_upper as usize + at) * width);
                let value: [V; VECTORS] =
                    load_row(&self.values, entry.position as usize * TILE + lane);
                sum = each!(|i| u[i].mul_add(value[i], sum[i]));
            }
            let factor: [V; VECTORS] = load_row(inverse, own);
            let value = each!(|i| sum[i].mul(factor[i]));
            (lowest, highest) = (min(value, lowest), max(value, highest));
            store_row(value, &mut self.values, own);
        }
        store_row(lowest, &mut self.lowest, lane);
        store_row(highest, &mut self.highest, lane);
    }
}

struct EvaluateJob<'a, F> {
    tile: &'a mut Tile<F>,
    evaluation: &'a Evaluation<F>,
}

impl<F: Scalar> Job for EvaluateJob<'_, F> {
    type Output = ();
    #[inline(always)]
    fn run<I: Isa>(self) {
        for lane in (0..TILE).step_by(VECTORS * F::In::<I>::WIDTH) {
            self.tile.eliminate::<F::In<I>>(self.evaluation, lane);
            self.tile.substitute::<F::In<I>>(self.evaluation, lane);
        }
    }
}

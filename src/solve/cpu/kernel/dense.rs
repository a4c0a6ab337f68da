//! The kernel for rows with most states in them: a register-blocked product of the transition matrix with a tile's values.
//!
//! The choices of a state are taken up to [`GROUP`] at a time, so that a row of values that was loaded is used for all of them: with four
//! choices and four vectors a row, 16 multiply-adds for 4 loads and 4 broadcasts.

use super::{Differences, Kernel, Rows, VECTORS, each, load_row, max, splat};
use crate::plan::SweepModel;
use crate::solve::cpu::simd::{Scalar, Vector};
use crate::statistics::TILE;
use crate::units::Discount;

/// Most choices that are worked on together: with four vectors each they fill half of AVX-512's registers.
pub(super) const GROUP: usize = 4;

/// Products that are summed before they are added to the total. Errors of a sum of n products then grow with `SPAN + n / SPAN`.
const SPAN: usize = 32;

/// Rows of most states, for the choices of a state side by side.
#[derive(Clone, Debug)]
pub(in crate::solve::cpu) struct Dense<F> {
    pub(super) n_states: usize,
    /// Per state: range of its groups.
    pub(super) states: Vec<(u32, u32)>,
    pub(super) groups: Vec<Group>,
    /// Per choice: `1 / (1 - gamma T(s,a,s))`, and `gamma (1 - T(s,a,s))`.
    pub(super) choices: Vec<(F, F)>,
    /// Per group `[n_states, choices of the group]`: gamma T, and 0 for the state itself.
    weights: Vec<F>,
    /// `1 / gamma`.
    inverse_discount: F,
    /// Bound on the error of `gamma sum T (V' - V)` over the largest |V|.
    sum_error: F,
}

/// Choices of one state that are worked on together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    first_weight: usize,
    first_choice: u32,
    pub(super) choices: u32,
}

impl<F: Scalar> Dense<F> {
    pub(in crate::solve::cpu) fn new(model: &SweepModel, discount: Discount) -> Self {
        let gamma = discount.used();
        let n_states = model.states().len();
        let mut weights = vec![F::default(); model.choices().len() * n_states];
        let mut groups: Vec<Group> = Vec::new();
        let mut next_weight = 0;
        let states = model.states().iter().map(|state| {
            let first_group = groups.len() as u32;
            let all: Vec<u32> = (state.choice_first..state.choice_end).collect();
            // Groups of nearly the same size: five choices are three and two.
            let size = all.len().div_ceil(all.len().div_ceil(GROUP));
            for members in all.chunks(size) {
                let own = &mut weights[next_weight..next_weight + members.len() * n_states];
                for (at, &choice) in members.iter().enumerate() {
                    let mut add = |part: &crate::plan::Part| {
                        let to = &mut own[part.position as usize * members.len() + at];
                        *to = F::from_f64(to.to_f64() + gamma * part.probability);
                    };
                    let choice = &model.choices()[choice as usize];
                    // A successor is in one of the two, or in both: in F the second sum rounds again (see `sum_error`).
                    model.parts()[state.common_first as usize..state.common_end as usize]
                        .iter()
                        .for_each(&mut add);
                    model.parts()[choice.first as usize..choice.end as usize]
                        .iter()
                        .for_each(&mut add);
                }
                groups.push(Group {
                    first_weight: next_weight,
                    first_choice: members[0],
                    choices: members.len() as u32,
                });
                next_weight += members.len() * n_states;
            }
            (first_group, groups.len() as u32)
        });
        let states = states.collect();
        let choices = model.choices().iter();
        Self {
            n_states,
            states,
            groups,
            choices: choices
                .map(|c| {
                    let inverse = 1.0 / (1.0 - gamma * c.stay);
                    (F::from_f64(inverse), F::from_f64(gamma * (1.0 - c.stay)))
                })
                .collect(),
            weights,
            inverse_discount: F::from_f64(1.0 / gamma),
            sum_error: F::from_f64(Self::sum_error_factor(n_states)),
        }
    }

    /// Bound on |computed - true| / max |V| for `gamma sum T (V' - V)` over `n` states, and 1% for higher orders.
    ///
    /// With the sum of gamma T at most 1 and u the unit roundoff: a stored factor is off by 2u (3u where it is a sum), a product by u where it is
    /// not fused, sums of `SPAN` terms and of `n / SPAN` such sums by u a term. `gamma (1 - stay) V` errs by 3u, the subtraction by
    /// 2u; 1 more for taking the bound off and adding it.
    fn sum_error_factor(n: usize) -> f64 {
        1.01 * ((SPAN + n.div_ceil(SPAN)) as f64 + 10.0) * F::UNIT
    }

    /// `gamma T(s,a,t)` of the choice `at` of a group, `t` another state.
    pub(super) fn weight(&self, group: &Group, t: usize, at: usize) -> F {
        self.weights[group.first_weight + t * group.choices as usize + at]
    }

    /// `gamma T(s,a,s)` of the choice `at` of a group.
    pub(super) fn own_weight(&self, group: &Group, at: usize) -> F {
        let (_, leave) = self.choices[group.first_choice as usize + at];
        F::from_f64(1.0 / self.inverse_discount.to_f64() - leave.to_f64())
    }

    /// `gamma sum over s' != s of T(s,a,s') V(s')` for the choices of a group, for the vectors from `vector` on.
    #[inline(always)]
    fn block<V: Vector<Scalar = F>, const CHOICES: usize, const WIDE: usize>(
        &self,
        group: Group,
        rows: Rows<'_, F>,
        vector: usize,
    ) -> [[V; WIDE]; CHOICES] {
        let zero = [[V::splat(F::default()); WIDE]; CHOICES];
        let mut total = zero;
        let end = group.first_weight + self.n_states * CHOICES;
        let weights = &self.weights[group.first_weight..end];
        let values = &rows.values[..self.n_states * TILE];
        let first = rows.lane + vector * V::WIDTH;
        let spans = weights.chunks(SPAN * CHOICES);
        for (weights, values) in spans.zip(values.chunks(SPAN * TILE)) {
            let mut sum = zero;
            let each = weights.chunks_exact(CHOICES);
            for (weights, row) in each.zip(values.chunks_exact(TILE)) {
                let row = &row[first..first + WIDE * V::WIDTH];
                let mut value = [V::splat(F::default()); WIDE];
                for (i, value) in value.iter_mut().enumerate() {
                    *value = V::load(&row[i * V::WIDTH..]);
                }
                for c in 0..CHOICES {
                    let weight = V::splat(weights[c]);
                    for i in 0..WIDE {
                        sum[c][i] = value[i].mul_add(weight, sum[c][i]);
                    }
                }
            }
            for c in 0..CHOICES {
                for i in 0..WIDE {
                    total[c][i] = total[c][i].add(sum[c][i]);
                }
            }
        }
        total
    }

    /// As [`block`](Self::block), for a whole row of vectors: at once where there are registers for it.
    #[inline(always)]
    fn products<V: Vector<Scalar = F>, const CHOICES: usize>(
        &self,
        group: Group,
        rows: Rows<'_, F>,
    ) -> [[V; VECTORS]; CHOICES] {
        const HALF: usize = VECTORS / 2;
        if size_of::<V>() >= 64 {
            return self.block::<V, CHOICES, VECTORS>(group, rows, 0);
        }
        let low: [[V; HALF]; CHOICES] = self.block(group, rows, 0);
        let high: [[V; HALF]; CHOICES] = self.block(group, rows, HALF);
        let mut all = [splat(0.0); CHOICES];
        for c in 0..CHOICES {
            all[c][..HALF].copy_from_slice(&low[c]);
            all[c][HALF..].copy_from_slice(&high[c]);
        }
        all
    }

    /// The largest over a group: as in [`best`](Self::best).
    #[inline(always)]
    fn largest<V: Vector<Scalar = F>, const CHOICES: usize, const BACKUP: bool>(
        &self,
        group: Group,
        term: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let first = group.first_choice as usize;
        let constants = &self.choices[first..first + CHOICES];
        let products = self.products::<V, CHOICES>(group, rows);
        let mut best = splat(f64::NEG_INFINITY);
        for c in 0..CHOICES {
            let (inverse, leave) = (V::splat(constants[c].0), V::splat(constants[c].1));
            let sum = products[c];
            let q = match BACKUP {
                true => each!(|i| sum[i].add(term[i]).mul(inverse)),
                false => each!(|i| sum[i].sub(term[i].mul(leave))),
            };
            best = max(best, q);
        }
        best
    }

    /// The largest over all choices of a state: the backup of the reward `term`, or `gamma sum T (V' - V)` of the value `term`.
    #[inline(always)]
    fn best<V: Vector<Scalar = F>, const BACKUP: bool>(
        &self,
        s: usize,
        term: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let (first, end) = self.states[s];
        let mut best = splat(f64::NEG_INFINITY);
        for &group in &self.groups[first as usize..end as usize] {
            let largest = match group.choices {
                1 => self.largest::<V, 1, BACKUP>(group, term, rows),
                2 => self.largest::<V, 2, BACKUP>(group, term, rows),
                3 => self.largest::<V, 3, BACKUP>(group, term, rows),
                _ => self.largest::<V, GROUP, BACKUP>(group, term, rows),
            };
            best = max(best, largest);
        }
        best
    }
}

impl<F: Scalar> Kernel<F> for Dense<F> {
    const CHOICE_REWARDS: bool = false;
    /// The same error is taken off and added.
    const OFF_BEST: f64 = 0.5;

    #[inline(always)]
    fn backup<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        self.best::<V, true>(s, rewards.row(s), rows)
    }

    #[inline(always)]
    fn expected<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let difference = self.best::<V, false>(s, own, rows);
        let inverse = V::splat(self.inverse_discount);
        each!(|i| difference[i].mul_add(inverse, own[i]))
    }

    /// Largest |V|: what errors of the sums are relative to.
    #[inline(always)]
    fn magnitude<V: Vector<Scalar = F>>(&self, rows: Rows<'_, F>) -> [V; VECTORS] {
        let mut most: [V; VECTORS] = splat(0.0);
        for row in rows.values.chunks_exact(TILE) {
            let value: [V; VECTORS] = load_row(row, rows.lane);
            most = each!(|i| value[i].abs().max(most[i]));
        }
        most
    }

    /// # Precision
    ///
    /// The same error is allowed for every choice, so it is taken off the maximum.
    #[inline(always)]
    fn differences<V: Vector<Scalar = F>>(
        &self,
        s: usize,
        own: [V; VECTORS],
        magnitude: [V; VECTORS],
        _rewards: Rows<'_, F>,
        rows: Rows<'_, F>,
    ) -> Differences<V> {
        let q = self.best::<V, false>(s, own, rows);
        let inverse = V::splat(self.inverse_discount);
        let error = V::splat(self.sum_error);
        let minus_error = V::splat(F::from_f64(-self.sum_error.to_f64()));
        Differences {
            low: each!(|i| magnitude[i].mul_add(minus_error, q[i])),
            high: each!(|i| magnitude[i].mul_add(error, q[i])),
            best: each!(|i| q[i].mul_add(inverse, own[i])),
        }
    }

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.n_states
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;
    use crate::plan::{KernelClass, Plan};
    use crate::units::StateId;

    const GAMMA: f64 = 0.9;

    /// One state with so many choices among 20, whose rows hold all states.
    fn problem(choices: usize) -> (crate::mdp::Mdp, Plan) {
        let mut b = MdpBuilder::new("dense");
        let states: Vec<_> = (0..20).map(|i| b.state(format!("s{i}"))).collect();
        for &s in &states {
            for a in 0..choices {
                let weight = |t: usize| ((t * 7 + a * 5 + s.index() * 3) % 11 + 1) as f64;
                let total: f64 = (0..20).map(weight).sum();
                let row = states.iter().map(|&t| (t, weight(t.index()) / total));
                b.choice(s, format!("a{a}"), row);
            }
        }
        let mdp = b.build().unwrap();
        let plan = Plan::draw(&mdp, Discount::new(GAMMA).unwrap());
        (mdp, plan)
    }

    #[test]
    fn bounds_hold_for_any_number_of_choices_and_are_tight() {
        for choices in 1..=9 {
            let (mdp, plan) = problem(choices);
            let model = plan.model();
            assert_eq!(model.class(), KernelClass::Dense);
            let discount = Discount::new(GAMMA).unwrap();
            let kernel = Dense::<f32>::new(model, discount);
            let values: Vec<f32> = (0..20 * TILE)
                .map(|i| ((i * 37) % 101) as f32 - 50.0)
                .collect();
            let rows = Rows {
                values: &values,
                lane: 0,
            };
            let value = |t: u32, lane: usize| {
                f64::from(values[model.position(StateId(t)) as usize * TILE + lane])
            };
            for (s, state) in model.states().iter().enumerate() {
                let own: [[f32; 8]; VECTORS] = rows.row(s);
                let size = kernel.magnitude(rows);
                let d = kernel.differences(s, own, size, rows, rows);
                for lane in 0..8 * VECTORS {
                    let at = |x: &[[f32; 8]; VECTORS]| f64::from(x[lane / 8][lane % 8]);
                    let difference = |c| {
                        let (to, p) = mdp.row(c);
                        let here = value(state.state.0, lane);
                        let terms = to.iter().zip(p);
                        terms
                            .map(|(&t, p)| discount.used() * p * (value(t, lane) - here))
                            .sum::<f64>()
                    };
                    let best = mdp
                        .choices(state.state)
                        .map(difference)
                        .fold(f64::MIN, f64::max);
                    assert!(
                        at(&d.low) <= best && best <= at(&d.high),
                        "{choices} choices"
                    );
                    assert!(at(&d.high) - at(&d.low) < 1e-3, "the bounds say something");
                    // Control: an error of a thousandth of a value would not pass.
                    assert!(best + 0.05 > at(&d.high) && best - 0.05 < at(&d.low));
                    let expected = at(&kernel.expected(s, own, rows, rows));
                    let here = value(state.state.0, lane);
                    assert!((expected - (best / discount.used() + here)).abs() < 1e-3);
                }
            }
        }
    }
}

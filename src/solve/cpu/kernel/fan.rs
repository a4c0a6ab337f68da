//! States of noisy grids: every choice pulls towards one of the neighbours, and the noise pulls towards all of them alike.

use super::{Rows, VECTORS, each, max, offset};
use crate::plan::{SweepModel, SweepState};
use crate::solve::cpu::simd::{Scalar, Vector};

/// A state whose backup needs every successor once: `max(base + pull max V, ...)` with `base = R + noise sum V`.
///
/// Its common terms have one weight, its choices have no term of their own or one, always of the same weight, and together these are
/// the common ones. 4 loads, 3 additions, 3 maxima and 2 multiply-adds for the neighbours of a grid cell, where one by one they take
/// 8 loads and 8 multiply-adds.
#[derive(Clone, Debug)]
pub(super) struct Fan<F> {
    /// Where the rows of the successors start.
    successors: Box<[u32]>,
    /// gamma times the weight of a common term.
    noise: F,
    /// gamma times the weight of a choice's own term, and `1 / (1 - gamma T(s,a,s))` of such choices.
    pull: F,
    inverse: F,
    /// `1 / (1 - gamma T(s,a,s))` of choices without a term of their own.
    idle: Box<[F]>,
}

impl<F: Scalar> Fan<F> {
    /// The state as a fan, if it is one.
    pub(super) fn of(model: &SweepModel, state: &SweepState, gamma: f64) -> Option<Self> {
        let common = &model.parts()[state.common_first as usize..state.common_end as usize];
        let choices = &model.choices()[state.choice_first as usize..state.choice_end as usize];
        let noise = common.first()?.probability;
        let inverse = |stay: f64| F::from_f64(1.0 / (1.0 - gamma * stay));
        let (mut pulled, mut idle, mut pull) = (Vec::new(), Vec::new(), None);
        for choice in choices {
            match &model.parts()[choice.first as usize..choice.end as usize] {
                [] => idle.push(inverse(choice.stay)),
                [own] => {
                    let this = (own.probability, choice.stay);
                    if *pull.get_or_insert(this) != this {
                        return None;
                    }
                    pulled.push(own.position);
                }
                _ => return None,
            }
        }
        let (weight, stay) = pull?;
        pulled.sort_unstable();
        let same = common.iter().map(|part| part.position).eq(pulled);
        let even = common.iter().all(|part| part.probability == noise);
        (same && even).then(|| Self {
            successors: common.iter().map(|part| offset(part.position)).collect(),
            noise: F::from_f64(gamma * noise),
            pull: F::from_f64(gamma * weight),
            inverse: inverse(stay),
            idle: idle.into(),
        })
    }

    /// The self-loop-eliminated backup of the state.
    #[inline(always)]
    pub(super) fn backup<V: Vector<Scalar = F>>(
        &self,
        reward: [V; VECTORS],
        rows: Rows<'_, F>,
    ) -> [V; VECTORS] {
        let (sum, most) = match *self.successors {
            [a, b, c, d] => {
                let [a, b, c, d]: [[V; VECTORS]; 4] =
                    [rows.load(a), rows.load(b), rows.load(c), rows.load(d)];
                let sum = each!(|i| a[i].add(b[i]).add(c[i].add(d[i])));
                (sum, max(max(a, b), max(c, d)))
            }
            _ => {
                let mut sum: [V; VECTORS] = rows.load(self.successors[0]);
                let mut most = sum;
                for &successor in &self.successors[1..] {
                    let value: [V; VECTORS] = rows.load(successor);
                    sum = each!(|i| sum[i].add(value[i]));
                    most = max(most, value);
                }
                (sum, most)
            }
        };
        let (noise, pull) = (V::splat(self.noise), V::splat(self.pull));
        let inverse = V::splat(self.inverse);
        let base = each!(|i| sum[i].mul_add(noise, reward[i]));
        let mut best = each!(|i| most[i].mul_add(pull, base[i]).mul(inverse));
        for &inverse in &self.idle {
            let inverse = V::splat(inverse);
            best = each!(|i| base[i].mul(inverse).max(best[i]));
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::plan::Plan;
    use crate::units::Discount;

    /// A cell with four neighbours, of which `odd` pulls by another weight where it is asked for.
    fn cell(odd: bool) -> Mdp {
        let mut b = MdpBuilder::new("cell");
        let here = b.state("here");
        let around: Vec<_> = (0..4).map(|i| b.state(format!("n{i}"))).collect();
        for (i, &to) in around.iter().enumerate() {
            let strong = if odd && i == 0 { 0.5 } else { 0.625 };
            let row = around
                .iter()
                .map(|&t| (t, if t == to { strong } else { 0.0625 }));
            b.choice(
                here,
                format!("go {i}"),
                row.chain([(here, 0.8125 - strong)]),
            );
        }
        let row = around.iter().map(|&t| (t, 0.0625));
        b.choice(here, "stay", row.chain([(here, 0.75)]));
        around.iter().for_each(|&s| b.absorbing(s));
        b.build().unwrap()
    }

    #[test]
    fn a_noisy_cell_is_a_fan_and_its_backup_is_the_sum_over_its_rows() {
        let gamma = 0.9;
        let mdp = cell(false);
        let plan = Plan::draw(&mdp, Discount::new(gamma).unwrap());
        let model = plan.model();
        let position = model.position(crate::units::StateId(0)) as usize;
        let fan = Fan::<f64>::of(model, &model.states()[position], gamma).unwrap();
        let values: Vec<f64> = (0..5 * crate::statistics::TILE)
            .map(|i| ((i * 37) % 101) as f64)
            .collect();
        let rows = Rows {
            values: &values,
            lane: 0,
        };
        let reward = [[2.0; 4]; VECTORS];
        let backup: [[f64; 4]; VECTORS] = fan.backup(reward, rows);
        for (lane, &found) in backup.as_flattened().iter().enumerate() {
            let value = |t: u32| {
                let row = model.position(crate::units::StateId(t)) as usize;
                values[row * crate::statistics::TILE + lane]
            };
            let q = mdp.choices(crate::units::StateId(0)).map(|c| {
                let (to, p) = mdp.row(c);
                let stay: f64 = to
                    .iter()
                    .zip(p)
                    .filter(|(t, _)| **t == 0)
                    .map(|(_, p)| p)
                    .sum();
                let others = to.iter().zip(p).filter(|(t, _)| **t != 0);
                let sum: f64 = others.map(|(&t, p)| gamma * p * value(t)).sum();
                (2.0 + sum) / (1.0 - gamma * stay)
            });
            let expected = q.fold(f64::NEG_INFINITY, f64::max);
            assert!(
                (found - expected).abs() < 1e-11 * expected,
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn other_states_are_no_fans() {
        let mdp = cell(true);
        let plan = Plan::draw(&mdp, Discount::new(0.9).unwrap());
        let model = plan.model();
        assert!(
            model
                .states()
                .iter()
                .all(|s| Fan::<f32>::of(model, s, 0.9).is_none())
        );
    }
}

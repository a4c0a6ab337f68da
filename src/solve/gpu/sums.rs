//! Weighted sums of draws, in integers: what the numbers are that shaders/reward/latent.wgsl draws and shaders/reward/sum.wgsl adds up.
//!
//! # Arithmetic
//!
//! A reward is `o + sum w_j x_j`, and is wanted in steps: spacings u of a [`Cover`], counted from its lowest point b. A latent draw is
//! `x_j = d_j (C_j + X_j)`, with d_j a power of two, C_j the middle of the law's range, and X_j an integer of at most 2^28. That is exact where the points of the law are
//! nowhere closer than d_j (for all laws but `pareto`, whose points lie the closer the smaller they are), else it is rounded once, by 1/2. A row's weights in steps,
//! `v_j = w_j d_j / u`, become integers `W_j`, 2^s v_j rounded, of 32 bits; s is as large as these and the sum
//!
//! `T = O + sum W_j X_j,  O = 2^s (o - b + sum w_j d_j C_j) / u + 2^(s - 1)`
//!
//! allow. It is exact: `|O| + sum |W_j X_j|` is at most 2^62, so that no part of it, in whatever order, overflows 64 bits. The step is T / 2^s, rounded down.
//!
//! As a reward's middle is on the cover, of 2^25 points, and `sum |v_j X_j|` at most half of that, s is some 36 where there are many terms of a size, and 29 or more.
//!
//! # How far a step is from the definition
//!
//! In steps, with n terms and |X_j| <= M_j:
//!
//! - the last rounding, 1/2;
//! - weights, `sum |W_j / 2^s - v_j| M_j`, as they came out: each is at most M_j / 2^(s + 1);
//! - latent draws, `sum |v_j| / 2` over those that are rounded;
//! - the offset, 2^-s;
//! - the definition's last rounding, to f32: half a unit in the last place of the largest reward that the row can have;
//! - f64, in which the definition adds up and these numbers are made: (4n + 16) 2^-53 of all that is added up, signs aside.
//!
//! A step that is beyond the ends of the cover is brought back to them, which takes it no further from a reward that is not. An error in every reward moves the POWER
//! integrand by no more than itself ([`Cover::error`]), so that the largest of any row is what a half-width takes.

use super::cover::Cover;
use super::draws::Ruler;
use super::layout::Summed;
use crate::reward::{Kind, Linear, Marginal};

/// Between these is the largest |X| of a law: with fewer binary digits the draws themselves would lack precision, with more of them the weights.
const FEWEST: f64 = (1 << 24) as f64;
const MOST: f64 = (1 << 28) as f64;

/// log2 of what no sum exceeds.
const SUM_LOG2: f64 = 62.0;

/// What latent draws of a law are counted in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latent {
    exponent: i32,
    /// C.
    middle: f64,
    /// M.
    largest: f64,
    /// 1/2, or 0 where draws are exact.
    rounding: f64,
    /// Of the draws.
    range: (f64, f64),
}

impl Latent {
    pub(super) fn of(law: &Marginal) -> Self {
        let finest = match law.kind() {
            Kind::Lattice(lattice) => lattice.exponent,
            Kind::Table(table) => {
                let spacings = table.segments().iter().map(|segment| segment.spacing());
                spacings.fold(f32::INFINITY, f32::min).log2() as i32
            }
        };
        let (low, high) = law.range();
        let half = (high - low) / 2.0;
        let exponent = match half > 0.0 {
            true => {
                let coarsest = (half / FEWEST).log2().floor() as i32;
                finest.clamp((half / MOST).log2().ceil() as i32, coarsest)
            }
            false => finest,
        };
        let unit = 2f64.powi(exponent);
        let middle = ((low + high) / 2.0 / unit).round();
        let rounding = if exponent <= finest { 0.0 } else { 0.5 };
        let largest = f64::max(high / unit - middle, middle - low / unit) + rounding;
        Self {
            exponent,
            middle,
            largest,
            rounding,
            range: (low, high),
        }
    }

    /// What they are counted in on the device.
    pub(super) fn ruler(self) -> Ruler {
        Ruler {
            exponent: self.exponent,
            origin: self.middle as i64 as u32,
        }
    }
}

/// A reward in steps, before anything is rounded to integers.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    /// Latent draw, its law's middle left out, and weight v: every draw once, ascending.
    terms: Vec<(u32, f64)>,
    /// The reward if all draws are the middles of their laws.
    middle: f64,
    /// All that is added up, signs aside, and how many products that are.
    size: f64,
    count: f64,
    /// The largest reward of either sign.
    largest: f64,
}

impl Weighted {
    /// `latents`: by law.
    pub(super) fn new(linear: &Linear, reward: usize, latents: &[Latent], cover: Cover) -> Self {
        let unit = 2f64.powi(cover.exponent());
        let offset = linear.offset[reward] / unit;
        let lowest = cover.lowest() / unit;
        let (mut low, mut high) = (offset, offset);
        let mut result = Self {
            terms: Vec::new(),
            middle: offset - lowest,
            size: offset.abs() + lowest.abs(),
            count: linear.terms_of(reward).len() as f64,
            largest: 0.0,
        };
        for &(j, weight) in linear.terms_of(reward) {
            let latent = &latents[linear.latent[j as usize].1 as usize];
            let ends = [latent.range.0, latent.range.1].map(|x| weight * (x / unit));
            low += ends[0].min(ends[1]);
            high += ends[0].max(ends[1]);
            let weight = weight * 2f64.powi(latent.exponent - cover.exponent());
            result.middle += weight * latent.middle;
            result.size += ends[0].abs().max(ends[1].abs()) + (weight * latent.middle).abs();
            // Of a single point there is nothing but the middle.
            if latent.largest > 0.0 {
                result.terms.push((j, weight));
            }
        }
        result.largest = low.abs().max(high.abs());
        result.terms.sort_by_key(|(j, _)| *j);
        result.terms.dedup_by(|next, kept| {
            let is_same = next.0 == kept.0;
            kept.1 += if is_same { next.1 } else { 0.0 };
            is_same
        });
        result
    }

    /// s, of sums and weights that go as far as these.
    fn shift(&self, spread: f64) -> f64 {
        let heaviest = self.terms.iter().map(|(_, v)| v.abs());
        let heaviest = heaviest.fold(f64::MIN_POSITIVE, f64::max);
        // 2^(s - 1) and what rounding adds are less than the numbers that are added here.
        let reach = self.middle.abs() + spread + self.count + 2.0;
        let by_sum = SUM_LOG2 - reach.log2().ceil();
        by_sum.min((f64::from(i32::MAX) / heaviest).log2().floor())
    }

    /// In integers; `None` where these are too short for it. `row`: in the goal, with its flag; `latent`: of a draw; `unit`: of the cover.
    pub(super) fn row<'a>(
        &self,
        row: u32,
        latent: impl Fn(u32) -> &'a Latent,
        unit: f64,
    ) -> Option<Row> {
        let sizes = self.terms.iter().map(|(j, v)| v.abs() * latent(*j).largest);
        let shift = self.shift(sizes.sum());
        if !(1.0..SUM_LOG2).contains(&shift) {
            return None;
        }
        let scale = 2f64.powi(shift as i32);
        let offset = (self.middle * scale).round() + scale / 2.0;
        let mut reach = offset.abs();
        let mut error = 0.5 + 1.0 / scale;
        error += (4.0 * self.count + 16.0) * (f64::EPSILON / 2.0) * self.size;
        error += half_unit(self.largest * unit) / unit;
        let mut terms = Vec::with_capacity(self.terms.len());
        for &(j, v) in &self.terms {
            let latent = latent(j);
            let weight = (v * scale).round();
            reach += weight.abs() * latent.largest;
            error += (weight / scale - v).abs() * latent.largest + v.abs() * latent.rounding;
            if weight != 0.0 {
                terms.push((j, weight as i32));
            }
        }
        let offset = offset as i64;
        let summed = Summed {
            row,
            shift: shift as u32,
            offset_low: offset as u32,
            offset_high: (offset >> 32) as u32,
        };
        (reach <= 2f64.powi(SUM_LOG2 as i32)).then_some(Row {
            summed,
            terms,
            error,
        })
    }
}

/// A reward in integers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) summed: Summed,
    /// Latent draw and weight, ascending; none is zero.
    pub(super) terms: Vec<(u32, i32)>,
    /// Steps that it is off at most.
    pub(super) error: f64,
}

impl Row {
    /// The draws of its terms.
    pub(super) fn draws(&self) -> impl Iterator<Item = u32> {
        self.terms.iter().map(|(j, _)| *j)
    }
}

/// Half a unit in the last place of the f32 next to a number.
fn half_unit(x: f64) -> f64 {
    let least = f64::from(f32::MIN_POSITIVE);
    2f64.powi(x.max(least).log2().floor() as i32 - 24)
}

/// What draws of a law are counted in, log2 of the spacing, and the middle of their range.
#[cfg(test)]
pub(super) fn counted(law: &Marginal) -> (i32, f64) {
    let latent = Latent::of(law);
    (latent.exponent, latent.middle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reward::{GoalLaw, Recipe, RewardDomain};

    /// Seven rewards, each a sum of twelve draws of three laws, with weights of many sizes.
    fn linear() -> Linear {
        let laws = [
            Marginal::normal(0.5, 2.0),
            Marginal::pareto(3.0, 0.1),
            Marginal::uniform(-1.0, 0.7),
        ];
        let mut linear = Linear::new(laws.map(Result::unwrap).into());
        linear.latent = (0..12).map(|j| (j, j % 3)).collect();
        for i in 0..7 {
            let weight = |j: u32| f64::from(17 * i + 5 * j).sin() / f64::from(1 + (i * j) % 5);
            linear.push(0.1 * f64::from(i), (0..12).map(|j| (j, weight(j))));
        }
        linear
    }

    /// How far sums are from the definition before they are rounded, most of all, relative to what is promised. `change`: of a weight.
    fn most_off(linear: &Linear, change: impl Fn(i32) -> i32) -> f64 {
        let law = GoalLaw::new(RewardDomain::State, 7, Recipe::Linear(linear.clone()));
        let cover = Cover::of(&law);
        let unit = 2f64.powi(cover.exponent());
        let latents: Vec<Latent> = linear.laws.iter().map(Latent::of).collect();
        let latent = |j: u32| &latents[linear.latent[j as usize].1 as usize];
        let mut most = 0.0;
        for reward in 0..7 {
            let weighted = Weighted::new(linear, reward, &latents, cover);
            let row = weighted.row(0, latent, unit).unwrap();
            let promised = row.error - 0.5 - half_unit(weighted.largest * unit) / unit;
            let scale = 2f64.powi(row.summed.shift as i32);
            let offset = u64::from(row.summed.offset_high) << 32 | u64::from(row.summed.offset_low);
            for goal in 0..20_000u32 {
                let value = |j: u32| {
                    let word = (goal * 12 + j).wrapping_mul(2_654_435_769).rotate_left(7);
                    f64::from(linear.laws[linear.latent[j as usize].1 as usize].value(word))
                };
                let integer = |j: u32| {
                    let x = value(j) / 2f64.powi(latent(j).exponent);
                    (x + 0.5).floor() as i128 - latent(j).middle as i128
                };
                let sum = row
                    .terms
                    .iter()
                    .fold(i128::from(offset as i64), |sum, &(j, w)| {
                        sum + i128::from(change(w)) * integer(j)
                    });
                assert!(sum.abs() < 1 << 62);
                let terms = linear.terms_of(reward).iter();
                let exact = terms.fold(linear.offset[reward], |sum, &(j, w)| sum + w * value(j));
                let exact = (exact - cover.lowest()) / unit;
                let off = (sum as f64 / scale - 0.5 - exact).abs();
                most = f64::max(most, off / promised);
            }
        }
        most
    }

    #[test]
    fn integers_are_as_near_to_the_definition_as_is_promised() {
        let linear = linear();
        let most = most_off(&linear, |weight| weight);
        // The promise is no idle one.
        assert!((0.9..=1.0).contains(&most), "{most}");
        // The control: weights of eight binary digits less.
        let short = most_off(&linear, |weight| weight & !255);
        assert!(short > 1.0, "{short}");
    }

    #[test]
    fn draws_are_counted_in_what_their_laws_have() {
        for (law, is_exact) in [
            (Marginal::normal(0.0, 1.0), true),
            (Marginal::normal(-3e5, 2e3), true),
            (Marginal::bernoulli(0.25, -1.0, 1.0), true),
            (Marginal::discrete(&[2.5, 3.0], &[1.0, 1e-12]), true),
            (Marginal::uniform(1e6, 1.1e6), true),
            (Marginal::beta(2.0, 5.0), true),
            (Marginal::mean_of_uniforms(3), true),
            (Marginal::pareto(1.5, 1e-6), false),
        ] {
            let law = law.unwrap();
            let latent = Latent::of(&law);
            assert_eq!(latent.rounding == 0.0, is_exact, "{law:?}");
            assert!(latent.largest <= MOST + 1.0);
            let is_one = latent.range.0 == latent.range.1;
            assert_eq!(latent.largest >= FEWEST - 1.0, !is_one, "{law:?}");
            for word in [0, 1, 77_777_777, 1 << 31, u32::MAX] {
                let x = f64::from(law.value(word)) / 2f64.powi(latent.exponent) - latent.middle;
                assert!(x.abs() <= latent.largest);
                assert!(!is_exact || x == x.round(), "{law:?}: {x}");
            }
        }
    }
}

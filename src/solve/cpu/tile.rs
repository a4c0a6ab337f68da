//! One tile of goals: its rows, and the passes over them.

use super::kernel::{Kernel, Rows, VECTORS, each, load_row, max, min, splat, store_row};
use super::memory::Lines;
use super::policy::Policies;
use super::simd::{Scalar, Vector};
use crate::statistics::TILE;
use crate::units::Discount;

/// A reward that can be had for ever: its row, and the state where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) state: u32,
    pub(super) reward: u32,
}

/// Memory of one tile in one precision. Rows are states in sweep order, `[n_states, TILE]`.
#[derive(Clone, Debug)]
pub(super) struct Tile<F> {
    /// Rewards less the lane's centre; rows are states, or choices where these have rewards, `[n_rewards, TILE]`.
    pub(super) rewards: Lines<F>,
    /// Values of the centred goal.
    pub(super) values: Lines<F>,
    /// The other buffer of Jacobi sweeps; after [`certify`](Self::certify), `max_a P_a V`.
    pub(super) backup: Lines<F>,
    /// Per lane: the constant that was taken off the rewards.
    pub(super) centre: [F; TILE],
    /// Per lane: middle of the residual's range.
    pub(super) middle: [F; TILE],
    /// Per lane: certified half-width of the POWER integrand.
    pub(super) half_width: [F; TILE],
    /// Per lane: the part of the half-width that is rounding allowance.
    pub(super) allowance: [F; TILE],
    /// Per lane: smallest and largest value.
    pub(super) lowest: [F; TILE],
    pub(super) highest: [F; TILE],
    /// Per lane: smallest and largest reward before anything is taken off.
    pub(super) least_reward: [F; TILE],
    pub(super) most_reward: [F; TILE],
    /// Of use where policies are evaluated.
    pub(super) policies: Policies<F>,
}

/// What every pass over a tile needs to know about the cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constants {
    pub(super) discount: Discount,
}

/// The reward of the state whose row starts at `at`; zero where choices have rewards.
#[inline(always)]
fn state_reward<F: Scalar, V: Vector<Scalar = F>, K: Kernel<F>>(
    rewards: &[F],
    at: usize,
) -> [V; VECTORS] {
    if K::CHOICE_REWARDS {
        splat(0.0)
    } else {
        load_row(rewards, at)
    }
}

impl<F: Scalar> Tile<F> {
    pub(super) fn new(n_states: usize, n_rewards: usize) -> Self {
        let zero = F::default();
        Self {
            rewards: Lines::zeros(n_rewards * TILE),
            values: Lines::zeros(n_states * TILE),
            backup: Lines::zeros(n_states * TILE),
            centre: [zero; TILE],
            middle: [zero; TILE],
            half_width: [zero; TILE],
            allowance: [zero; TILE],
            lowest: [zero; TILE],
            highest: [zero; TILE],
            least_reward: [zero; TILE],
            most_reward: [zero; TILE],
            policies: Policies::default(),
        }
    }

    /// Takes a centre off every reward: the largest among self-loop states (staying there for good is worth exactly
    /// that), else `otherwise`. Values then stay near zero where one class of states is recurrent, and lose no digits to
    /// a constant. Starts the values: what staying is worth, or the own reward and then the least that any state is worth (zero where nobody can stay).
    ///
    /// `stays` is sorted by state.
    #[inline(always)]
    pub(super) fn start<V: Vector<Scalar = F>, K: Kernel<F>>(
        &mut self,
        _kernel: &K,
        stays: &[Stay],
        otherwise: f64,
        discount: Discount,
    ) {
        let horizon = V::splat(F::from_f64(1.0 / discount.complement()));
        let used = V::splat(F::from_f64(discount.used()));
        let (n_rewards, n_states) = (self.rewards.len() / TILE, self.values.len() / TILE);
        let any = !stays.is_empty();
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            let mut least: [V; VECTORS] = splat(f64::INFINITY);
            let mut most: [V; VECTORS] = splat(f64::NEG_INFINITY);
            for row in 0..n_rewards {
                let reward: [V; VECTORS] = load_row(&self.rewards, row * TILE + lane);
                least = min(least, reward);
                most = max(most, reward);
            }
            let mut centre: [V; VECTORS] = splat(f64::NEG_INFINITY);
            if stays.len() == n_rewards {
                // Every reward can be had for ever.
                centre = most;
            } else {
                for stay in stays {
                    let reward = load_row(&self.rewards, stay.reward as usize * TILE + lane);
                    centre = max(centre, reward);
                }
            }
            if !any {
                // Within the goal's own range, which the allowance of `certify` counts on.
                centre = max(min(splat(otherwise), most), least);
            }
            store_row(least, &mut self.least_reward, lane);
            store_row(most, &mut self.most_reward, lane);
            store_row(centre, &mut self.centre, lane);
            for row in 0..n_rewards {
                let at = row * TILE + lane;
                let reward: [V; VECTORS] = load_row(&self.rewards, at);
                store_row(each!(|i| reward[i].sub(centre[i])), &mut self.rewards, at);
            }
            let start: [V; VECTORS] = if any {
                each!(|i| least[i].sub(centre[i]).mul(horizon))
            } else {
                splat(0.0)
            };
            let mut stays = stays.iter().peekable();
            for s in 0..n_states {
                let at = s * TILE + lane;
                let own = state_reward::<F, V, K>(&self.rewards, at);
                let mut value = match K::CHOICE_REWARDS {
                    true => start,
                    false => each!(|i| start[i].mul_add(used, own[i])),
                };
                while let Some(stay) = stays.next_if(|stay| stay.state as usize == s) {
                    let reward: [V; VECTORS] =
                        load_row(&self.rewards, stay.reward as usize * TILE + lane);
                    value = each!(|i| reward[i].mul(horizon).max(value[i]));
                }
                store_row(value, &mut self.values, at);
            }
        }
    }

    /// Copies goals of another tile on their way to this one: lane `lanes[i]` there is lane `first + i` here.
    pub(super) fn take_lanes(&mut self, from: &Self, lanes: &[usize], first: usize) {
        let rows = [
            (&mut self.rewards, &from.rewards),
            (&mut self.values, &from.values),
        ];
        for (to, from) in rows {
            for (to, from) in to.chunks_exact_mut(TILE).zip(from.chunks_exact(TILE)) {
                for (to, &lane) in to[first..].iter_mut().zip(lanes) {
                    *to = from[lane];
                }
            }
        }
        let constants = [
            (&mut self.centre, &from.centre),
            (&mut self.least_reward, &from.least_reward),
            (&mut self.most_reward, &from.most_reward),
        ];
        for (to, from) in constants {
            for (to, &lane) in to[first..].iter_mut().zip(lanes) {
                *to = from[lane];
            }
        }
    }

    /// Moves goals on their way to the first lanes. `lanes` is ascending.
    pub(super) fn move_lanes(&mut self, lanes: &[usize]) {
        self.each_row(|row| {
            for (to, &lane) in lanes.iter().enumerate() {
                row[to] = row[lane];
            }
        });
    }

    /// Makes the lanes from `first` on those of the goal that is zero everywhere.
    pub(super) fn clear_lanes(&mut self, first: usize) {
        self.each_row(|row| row[first..].fill(F::default()));
    }

    /// All that is known of goals on their way, `[TILE]` at a time.
    fn each_row(&mut self, see: impl FnMut(&mut [F])) {
        let rows = [&mut *self.rewards, &mut *self.values];
        let constants = [
            &mut self.centre,
            &mut self.least_reward,
            &mut self.most_reward,
        ];
        let rows = rows.into_iter().flat_map(|r| r.chunks_exact_mut(TILE));
        rows.chain(constants.into_iter().map(|c| &mut c[..]))
            .for_each(see);
    }

    /// Rewards of a group of lanes.
    #[inline(always)]
    pub(super) fn rewards(&self, lane: usize) -> Rows<'_, F> {
        Rows::new(&self.rewards, lane)
    }

    /// Values of a group of lanes.
    #[inline(always)]
    pub(super) fn rows(&self, lane: usize) -> Rows<'_, F> {
        Rows::new(&self.values, lane)
    }

    /// One in-place sweep, forwards or backwards.
    #[inline(always)]
    pub(super) fn sweep<V: Vector<Scalar = F>>(
        &mut self,
        kernel: &impl Kernel<F>,
        backwards: bool,
    ) {
        // Taken once: a vector's place and length would be read again for every state, because a store might change them.
        let (rewards, values): (&[F], &mut [F]) = (&self.rewards, &mut self.values);
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            if backwards {
                sweep_lanes::<F, V>(kernel, (0..kernel.n_states()).rev(), rewards, values, lane);
            } else {
                sweep_lanes::<F, V>(kernel, 0..kernel.n_states(), rewards, values, lane);
            }
        }
    }

    /// One in-place sweep forwards, in which a value goes `factor` times as far as to its backup.
    #[inline(always)]
    pub(super) fn sweep_relaxed<V: Vector<Scalar = F>>(
        &mut self,
        kernel: &impl Kernel<F>,
        factor: f64,
    ) {
        if factor == 1.0 {
            return self.sweep::<V>(kernel, false);
        }
        let (rewards, values): (&[F], &mut [F]) = (&self.rewards, &mut self.values);
        let rest = V::splat(F::from_f64(1.0 - factor));
        let factor = V::splat(F::from_f64(factor));
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            for s in 0..kernel.n_states() {
                let at = s * TILE + lane;
                let to: [V; VECTORS] =
                    kernel.backup(s, Rows::new(rewards, lane), Rows::new(values, lane));
                // What need not wait for the backup.
                let from: [V; VECTORS] = load_row(values, at);
                let beyond = each!(|i| to[i].mul_add(factor, from[i].mul(rest)));
                store_row(beyond, values, at);
            }
        }
    }

    /// One Jacobi sweep: every state is backed up from the old values. What the first state's future is worth is taken off all of them:
    /// a constant changes nothing that a sweep or a certificate looks at, and digits are not spent on it. Where values mix fast, little more than the rewards is left.
    #[inline(always)]
    pub(super) fn sweep_jacobi<V: Vector<Scalar = F>>(
        &mut self,
        kernel: &impl Kernel<F>,
        discount: Discount,
    ) {
        let used = V::splat(F::from_f64(discount.used()));
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            let mut constant = splat(0.0);
            for s in 0..kernel.n_states() {
                let at = s * TILE + lane;
                let own: [V; VECTORS] = load_row(&self.values, at);
                let best = kernel.expected(s, own, self.rewards(lane), self.rows(lane));
                if s == 0 {
                    constant = each!(|i| best[i].mul(used));
                }
                let value = self.jacobi_value(kernel, discount, best, constant, at);
                store_row(value, &mut self.backup, at);
            }
        }
        std::mem::swap(&mut self.values, &mut self.backup);
    }

    /// The Jacobi sweep that follows a residual: [`certify`](Self::certify) has left all that it takes behind.
    #[inline(always)]
    pub(super) fn advance_jacobi<V: Vector<Scalar = F>>(
        &mut self,
        kernel: &impl Kernel<F>,
        discount: Discount,
    ) {
        let used = V::splat(F::from_f64(discount.used()));
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            let best: [V; VECTORS] = load_row(&self.backup, lane);
            let constant = each!(|i| best[i].mul(used));
            for s in 0..kernel.n_states() {
                let at = s * TILE + lane;
                let best: [V; VECTORS] = load_row(&self.backup, at);
                let value = self.jacobi_value(kernel, discount, best, constant, at);
                store_row(value, &mut self.values, at);
            }
        }
    }

    /// `R + gamma best - constant` of the state whose row starts at `at`.
    #[inline(always)]
    fn jacobi_value<V: Vector<Scalar = F>, K: Kernel<F>>(
        &self,
        _kernel: &K,
        discount: Discount,
        best: [V; VECTORS],
        constant: [V; VECTORS],
        at: usize,
    ) -> [V; VECTORS] {
        let used = V::splat(F::from_f64(discount.used()));
        let reward = state_reward::<F, V, K>(&self.rewards, at);
        each!(|i| best[i].mul_add(used, reward[i].sub(constant[i])))
    }

    /// Measures the residual of the original Bellman operator in difference form and certifies every lane.
    ///
    /// Where choices have rewards R(s,a), the same is done with R = 0 and `T(V' - V) + R/g` in the place of `T(V' - V)`: what then comes
    /// out, times g, is (1-g) V* itself (`sums.rs` takes that factor).
    ///
    /// With r(s) = R - (1-g)V + g max_a sum T (V' - V), the POWER integrand lies within (max r - min r)/2 of
    /// (1-g) max_a P_a V + (max r + min r)/2 (MacQueen 1966, Porteus 1971). Rounding, with u the unit roundoff, first order
    /// (the factor 1.01 below covers higher orders):
    ///
    /// |R| is at most the goal's range, because its centre lies within it:
    ///
    /// - in r, beyond what `low` and `high` already hold: R was centred and recentred (3u|R|), 1-g is rounded, multiplied and
    ///   subtracted (3u|(1-g)V| + u|R|), the difference part of the deterministic kernel carries 2u, at most 2u(|r| + |R| + |(1-g)V|),
    ///   the final sum u|r|: in all u(5|(1-g)V| + 6|R| + 3|r|);
    /// - in the middle of the interval: `max_a P_a V` is known to (high - low)/g plus u(|V| + 2|P_a V|), times 1-g rounded
    ///   and multiplied: (1-g)/g (high - low) + 5u|(1-g)V|, or half the first and 2u|(1-g)V| more, by which its ends may have been rounded ([`Kernel::OFF_BEST`]); adding up the middle, the centre and the shift: 4u times the largest
    ///   |R| there is, 2u(|r| + |(1-g)V|); a sum over four lanes in F: 2u(|(1-g)V| + |R| + |r|).
    ///
    /// In all u(14|(1-g)V| + 8|R| + 7|r| + 4 magnitude) + (1-g)/g max(high - low).
    #[inline(always)]
    pub(super) fn certify<V: Vector<Scalar = F>, K: Kernel<F>>(
        &mut self,
        kernel: &K,
        constants: Constants,
    ) {
        let (rewards, values): (&[F], &[F]) = (&self.rewards, &self.values);
        let backup: &mut [F] = &mut self.backup;
        let complement = constants.discount.complement();
        let minus_complement = V::splat(F::from_f64(-complement));
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            let (top, bottom): ([V; VECTORS], [V; VECTORS]) =
                (splat(f64::INFINITY), splat(f64::NEG_INFINITY));
            let (mut r_low, mut v_low) = (top, top);
            let (mut r_high, mut v_high) = (bottom, bottom);
            let mut spread: [V; VECTORS] = splat(0.0);
            let (reward_rows, rows) = (Rows::new(rewards, lane), Rows::new(values, lane));
            let magnitude = kernel.magnitude(rows);
            for s in 0..kernel.n_states() {
                let at = s * TILE + lane;
                let reward = state_reward::<F, V, K>(rewards, at);
                let own: [V; VECTORS] = load_row(values, at);
                let d = kernel.differences(s, own, magnitude, reward_rows, rows);
                let rest: [V; VECTORS] = each!(|i| own[i].mul_add(minus_complement, reward[i]));
                r_low = each!(|i| rest[i].add(d.low[i]).min(r_low[i]));
                r_high = each!(|i| rest[i].add(d.high[i]).max(r_high[i]));
                if !K::EQUAL_BOUNDS {
                    spread = each!(|i| d.high[i].sub(d.low[i]).max(spread[i]));
                }
                v_low = min(v_low, own);
                v_high = max(v_high, own);
                store_row(d.best, backup, at);
            }
            let half = V::splat(F::from_f64(0.5));
            let unit = |x: f64| V::splat(F::from_f64(1.01 * x * F::UNIT));
            let (per_range, per_magnitude) = (unit(8.0), unit(4.0));
            let least: [V; VECTORS] = load_row(&self.least_reward, lane);
            let most: [V; VECTORS] = load_row(&self.most_reward, lane);
            let fixed: [V; VECTORS] = each!(|i| {
                let magnitude = least[i].abs().max(most[i].abs());
                most[i]
                    .sub(least[i])
                    .mul_add(per_range, magnitude.mul(per_magnitude))
            });
            let per_value = unit((18.0 - 4.0 * K::OFF_BEST) * complement);
            let per_residual = unit(7.0);
            let off_best = 1.01 * K::OFF_BEST * complement / constants.discount.used();
            let per_spread = V::splat(F::from_f64(off_best));
            let size: [V; VECTORS] = each!(|i| v_low[i].abs().max(v_high[i].abs()));
            let residual: [V; VECTORS] = each!(|i| r_low[i].abs().max(r_high[i].abs()));
            let allowance: [V; VECTORS] = each!(|i| {
                let rounding = residual[i].mul_add(per_residual, fixed[i]);
                spread[i].mul_add(per_spread, size[i].mul_add(per_value, rounding))
            });
            // 1 + 8u: the subtraction and the sum that follow are rounded up.
            let up = V::splat(F::from_f64(0.5 + 4.0 * F::UNIT));
            let width: [V; VECTORS] = each!(|i| r_high[i].sub(r_low[i]).mul_add(up, allowance[i]));
            store_row(width, &mut self.half_width, lane);
            store_row(allowance, &mut self.allowance, lane);
            store_row(
                each!(|i| r_high[i].add(r_low[i]).mul(half)),
                &mut self.middle,
                lane,
            );
            store_row(v_low, &mut self.lowest, lane);
            store_row(v_high, &mut self.highest, lane);
        }
    }

    /// Moves the centre where the values' common offset dwarfs their range: digits spent on a constant are lost to the
    /// rest. The new centre is the value's middle, as a reward, rounded to what the law's rewards are multiples of and kept within
    /// the goal's range. Returns whether any lane moved.
    #[inline(always)]
    pub(super) fn recentre(&mut self, spacing: f64, discount: Discount) -> bool {
        let mut moved = false;
        let (mut shifts, mut offsets) = ([0.0; TILE], [0.0; TILE]);
        for lane in 0..TILE {
            let (low, high) = (self.lowest[lane].to_f64(), self.highest[lane].to_f64());
            let middle = (low + high) / 2.0;
            if middle.abs() <= high - low {
                continue;
            }
            let old = self.centre[lane].to_f64();
            let (least, most) = (
                self.least_reward[lane].to_f64(),
                self.most_reward[lane].to_f64(),
            );
            let wanted = old + middle * discount.complement();
            let new = ((wanted / spacing).round() * spacing).clamp(least, most);
            let shift = new - old;
            self.centre[lane] = F::from_f64(new);
            shifts[lane] = shift;
            offsets[lane] = shift / discount.complement();
            moved = true;
        }
        if moved {
            take_off(&mut self.rewards, &shifts);
            take_off(&mut self.values, &offsets);
        }
        moved
    }

    /// Whether a lane's half-width is within the tolerance. NaN is not.
    #[inline(always)]
    pub(super) fn is_certified(&self, lane: usize, tolerance: f64) -> bool {
        self.half_width[lane].to_f64() <= tolerance
    }

    /// Whether every lane's half-width is within the tolerance. NaN is not.
    #[inline(always)]
    pub(super) fn certified(&self, tolerance: f64) -> bool {
        let widths = &self.half_width;
        // Counted rather than searched: no branch per lane, and the compiler makes vectors of it.
        let within = widths.iter().map(|w| u32::from(w.to_f64() <= tolerance));
        within.sum::<u32>() as usize == TILE
    }
}

/// Backs up some states in this order, in a group of lanes.
#[inline(always)]
fn sweep_lanes<F: Scalar, V: Vector<Scalar = F>>(
    kernel: &impl Kernel<F>,
    states: impl Iterator<Item = usize>,
    rewards: &[F],
    values: &mut [F],
    lane: usize,
) {
    for s in states {
        let value: [V; VECTORS] =
            kernel.backup(s, Rows::new(rewards, lane), Rows::new(values, lane));
        store_row(value, values, s * TILE + lane);
    }
}

/// Takes a constant of its own off every lane.
#[inline(always)]
fn take_off<F: Scalar>(rows: &mut [F], constants: &[f64; TILE]) {
    for row in rows.chunks_exact_mut(TILE) {
        for (x, constant) in row.iter_mut().zip(constants) {
            *x = F::from_f64(x.to_f64() - constant);
        }
    }
}

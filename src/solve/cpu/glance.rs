//! The best successors of a tile's goals, found side by side: what a glance at optimal behaviour takes.
//!
//! Where every choice leads to one state, choices are told apart by what these states are worth, `(1 - gamma) y + c` with `y = R + gamma b`, where R and
//! `b = max P V` stand in the certified tile and c is one number per goal. So y is made once per state, and for every state that is looked at the largest and the second largest y of
//! its successors are found: four loads and 20 operations per successor and 64 goals (AVX-512).

use super::kernel::{VECTORS, each, load_row, splat, store_row};
use super::memory::Lines;
use super::simd::{Isa, Job, Level, Scalar, Vector, dispatch};
use super::tile::{Constants, Tile};
use crate::plan::SweepModel;
use crate::statistics::TILE;
use crate::statistics::behaviour::{Crossings, OPEN};

/// What is looked at in every tile of a cell.
#[derive(Clone, Debug)]
pub(super) struct Glancing {
    /// Rows of the tile whose y is made.
    rows: Vec<u32>,
    /// The states that are looked at, and the range of each in `successors`.
    states: Vec<(u32, u32, u32)>,
    /// The place in `rows` and the state.
    successors: Vec<(u32, u32)>,
    /// Difference of worths up to which choices are a tie.
    tie: f64,
}

/// Memory of one worker.
#[derive(Debug, Default)]
pub(super) struct Glances {
    single: Lines<f32>,
    double: Lines<f64>,
    /// `[n_states, TILE]`: where the best choices of a state lead, or [`OPEN`].
    pub(super) best: Vec<u32>,
}

/// Scalars whose bits carry a state's number through vectors, which no arithmetic touches.
pub(super) trait Carrier: Scalar {
    fn carry(number: u32) -> Self;
    fn carried(self) -> u32;
    fn rows(glances: &mut Glances) -> (&mut Lines<Self>, &mut Vec<u32>);
}

impl Carrier for f32 {
    #[inline(always)]
    fn carry(number: u32) -> Self {
        Self::from_bits(number)
    }
    #[inline(always)]
    fn carried(self) -> u32 {
        self.to_bits()
    }
    fn rows(glances: &mut Glances) -> (&mut Lines<Self>, &mut Vec<u32>) {
        (&mut glances.single, &mut glances.best)
    }
}

impl Carrier for f64 {
    #[inline(always)]
    fn carry(number: u32) -> Self {
        Self::from_bits(u64::from(number))
    }
    #[inline(always)]
    fn carried(self) -> u32 {
        self.to_bits() as u32
    }
    fn rows(glances: &mut Glances) -> (&mut Lines<Self>, &mut Vec<u32>) {
        (&mut glances.double, &mut glances.best)
    }
}

impl Glancing {
    /// At the crossings of an MDP that is solved by `model`.
    pub(super) fn new(crossings: &Crossings, model: &SweepModel, tie: f64) -> Self {
        let n = model.states().len();
        let mut row_of = vec![0; n];
        for (row, state) in model.states().iter().enumerate() {
            row_of[state.state.index()] = row as u32;
        }
        let mut place = vec![u32::MAX; n];
        let (mut rows, mut states, mut successors) = (Vec::new(), Vec::new(), Vec::new());
        for (state, of_state) in crossings.iter() {
            let first = successors.len() as u32;
            for &to in of_state {
                let place = &mut place[to as usize];
                if *place == u32::MAX {
                    *place = rows.len() as u32;
                    rows.push(row_of[to as usize]);
                }
                successors.push((*place, to));
            }
            states.push((state.0, first, successors.len() as u32));
        }
        Self {
            rows,
            states,
            successors,
            tie,
        }
    }

    /// Looks at a certified tile.
    pub(super) fn look<F: Carrier>(
        &self,
        level: Level,
        tile: &Tile<F>,
        constants: Constants,
        glances: &mut Glances,
    ) {
        let n_states = tile.values.len() / TILE;
        glances.best.resize(n_states * TILE, OPEN);
        let (rows, best) = F::rows(glances);
        rows.resize(self.rows.len() * TILE);
        let allowance = std::array::from_fn(|lane| self.allowance(tile, constants, lane));
        let job = Looking {
            glancing: self,
            tile,
            discount: F::from_f64(constants.discount.used()),
            allowance,
            rows,
            best,
        };
        dispatch(level, job);
    }

    /// How far a y must be above all others for the second look, at the same numbers in f64, to find the same.
    ///
    /// That one (`Prospects::certain_best`) wants worths to differ by more than twice their half-width and 6 units of 2^-52 of the largest worth M, and by more than a tie; worths and
    /// their difference are rounded by less than 10 units of M. M is at most (1 - gamma)(range + S) + |c|, with `|b| <= S = max |V|`, and `|R| <= range`, since the centre lies
    /// within the goal's rewards. A y errs by u (gamma|b| + |y|) at most, whether its product is rounded or not, which is u (range + 2 S); two of them twice that, and their
    /// difference by u of itself. 0.1% more covers that, roundings of this sum, and terms of higher order.
    fn allowance<F: Scalar>(&self, tile: &Tile<F>, constants: Constants, lane: usize) -> F {
        let (used, complement) = (constants.discount.used(), constants.discount.complement());
        let range = tile.most_reward[lane].to_f64() - tile.least_reward[lane].to_f64();
        let ends = [tile.lowest[lane], tile.highest[lane]].map(|v| v.to_f64().abs());
        let size = ends[0].max(ends[1]);
        let constant = used * tile.middle[lane].to_f64() + tile.centre[lane].to_f64();
        let largest = complement * (range + size) + constant.abs();
        let half_width = tile.worth_half_width(constants, lane);
        let in_worths = 2.0 * half_width + self.tie + 32.0 * f64::EPSILON * largest;
        let rounding = 2.0 * F::UNIT * (range + 2.0 * size);
        F::from_f64(1.001 * (in_worths / complement + rounding))
    }
}

struct Looking<'a, F> {
    glancing: &'a Glancing,
    tile: &'a Tile<F>,
    discount: F,
    allowance: [F; TILE],
    rows: &'a mut [F],
    best: &'a mut [u32],
}

impl<F: Carrier> Job for Looking<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self) {
        self.look::<F::In<I>>();
    }
}

impl<F: Carrier> Looking<'_, F> {
    #[inline(always)]
    fn look<V: Vector<Scalar = F>>(self) {
        let Self {
            glancing,
            tile,
            discount,
            allowance,
            rows,
            best: found,
        } = self;
        let (rewards, backups): (&[F], &[F]) = (&tile.rewards, &tile.backup);
        let discount = V::splat(discount);
        let open = V::splat(F::carry(OPEN));
        for lane in (0..TILE).step_by(VECTORS * V::WIDTH) {
            for (place, &row) in glancing.rows.iter().enumerate() {
                let at = row as usize * TILE + lane;
                let reward: [V; VECTORS] = load_row(rewards, at);
                let backup: [V; VECTORS] = load_row(backups, at);
                let y = each!(|i| backup[i].mul_add(discount, reward[i]));
                store_row(y, rows, place * TILE + lane);
            }
            let allowance: [V; VECTORS] = load_row(&allowance, lane);
            for &(state, first, end) in &glancing.states {
                let mut most: [V; VECTORS] = splat(f64::NEG_INFINITY);
                let mut second = most;
                let mut best = [open; VECTORS];
                for &(place, to) in &glancing.successors[first as usize..end as usize] {
                    let to = V::splat(F::carry(to));
                    let y: [V; VECTORS] = load_row(rows, place as usize * TILE + lane);
                    // What is no number comes out as open: of two operands of which one is none, these take the second.
                    second = each!(|i| y[i].min(most[i]).max(second[i]));
                    best = each!(|i| y[i].where_greater(most[i], to, best[i]));
                    most = each!(|i| y[i].max(most[i]));
                }
                let told: [V; VECTORS] = each!(|i| {
                    let gap = most[i].sub(second[i]);
                    gap.where_greater(allowance[i], best[i], open)
                });
                let mut numbers = [F::default(); TILE];
                let width = VECTORS * V::WIDTH;
                store_row(told, &mut numbers, 0);
                let first = state as usize * TILE + lane;
                let each = found[first..first + width].iter_mut().zip(&numbers);
                each.for_each(|(to, number)| *to = number.carried());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::plan::Plan;
    use crate::statistics::behaviour::{LawScale, Observer};
    use crate::statistics::{EventRequest, Request};
    use crate::units::Discount;

    /// From the hub to one of two leaves, or by either of two choices to the first.
    fn fork() -> Mdp {
        let mut builder = MdpBuilder::new("fork");
        let [hub, left, right] = ["hub", "left", "right"].map(|name| builder.state(name));
        builder.choice(hub, "left", [(left, 1.0)]);
        builder.choice(hub, "right", [(right, 1.0)]);
        builder.choice(hub, "left too", [(left, 1.0)]);
        builder.absorbing(left);
        builder.absorbing(right);
        builder.start(hub);
        builder.build().unwrap()
    }

    /// Where the hub's best choice leads, by lane, where the right leaf is worth `gap(lane)` more.
    fn look<F: Carrier>(level: Level, gap: impl Fn(usize) -> f64, half_width: f64) -> Vec<u32> {
        let mdp = Arc::new(fork());
        let discount = Discount::new(0.75).unwrap();
        let event = EventRequest {
            label: "right".to_owned(),
            ..EventRequest::default()
        };
        let request = Request {
            events: vec![event],
            ..Request::default()
        };
        let asked = Arc::new(request.resolve(&mdp, LawScale::default()).unwrap());
        let observer = Observer::new(&mdp, discount, 1.0, &asked).unwrap();
        let plan = Plan::draw(&mdp, discount);
        let model = plan.model();
        let glancing = Glancing::new(observer.crossings().unwrap(), model, observer.tie());
        let mut tile = Tile::<F>::new(3, 3);
        for lane in 0..TILE {
            for (row, state) in model.states().iter().enumerate() {
                // On the scale of y: worths are a quarter of it.
                let y = [0.0, 1.0, 1.0 + 4.0 * gap(lane)][state.state.index()];
                tile.rewards[row * TILE + lane] = F::from_f64(y);
            }
            tile.most_reward[lane] = F::from_f64(1.0);
            tile.half_width[lane] = F::from_f64(half_width);
        }
        let mut glances = Glances::default();
        glancing.look(level, &tile, Constants { discount }, &mut glances);
        glances.best[..TILE].to_vec()
    }

    #[test]
    fn a_best_successor_is_told_where_the_gap_exceeds_what_is_not_known_of_it() {
        // Twice gamma times the half-width is 1.5e-3.
        let gap = |lane: usize| (lane as f64 - 31.5) * 1e-4;
        for level in Level::available() {
            for of in [look::<f32>(level, gap, 1e-3), look::<f64>(level, gap, 1e-3)] {
                for (lane, &best) in of.iter().enumerate() {
                    let expected = match gap(lane) {
                        gap if gap.abs() < 1.5e-3 => OPEN,
                        gap if gap < 0.0 => 1,
                        _ => 2,
                    };
                    assert_eq!(best, expected, "{lane} with {level}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_told_of_equal_values_and_of_what_is_no_number() {
        for level in Level::available() {
            for half_width in [0.0, f64::NAN, f64::INFINITY] {
                let equal = look::<f32>(level, |_| 0.0, half_width);
                assert_eq!(equal, [OPEN; TILE], "{level}, {half_width}");
            }
            assert_eq!(look::<f32>(level, |_| f64::NAN, 0.0), [OPEN; TILE]);
            // Rounding to single precision hides a gap of 1e-9, but not one of 1e-6.
            assert_eq!(look::<f32>(level, |_| 1e-9, 0.0), [OPEN; TILE]);
            assert_eq!(look::<f64>(level, |_| 1e-9, 0.0), [2; TILE]);
            assert_eq!(look::<f32>(level, |_| 1e-6, 0.0), [2; TILE]);
        }
    }
}

//! Two numbers of a goal, known by the bins of a histogram that they lie in: where their distribution functions part.
//!
//! With edges `e_0 < ... < e_K` bin number i holds the numbers x with `e_(i-1) < x <= e_i`; bin 0 has no lower end, and bin K + 1 no upper one. A pair of numbers is one code, so that it is one column
//! of observations, and for every edge and every bin there is a quantity: what the goal adds to `F1 - F2` at the edge, and the most that it adds anywhere inside the bin.

use super::{Map, Observations, Observed, Quantity};

/// Bits of a bin's number in a code.
const BITS: u32 = 12;

/// Most bins.
pub(super) const MOST_BINS: usize = 1 << BITS;

/// Where two numbers of a goal lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// Bin of the first number.
    pub(super) first: u32,
    /// Bin of the second.
    pub(super) second: u32,
    /// Whether the first is the smaller one. It counts where both are in one bin.
    pub(super) is_less: bool,
}

impl Places {
    /// Two equal numbers, which add nothing anywhere.
    pub(super) const EQUAL: Self = Self {
        first: 0,
        second: 0,
        is_less: false,
    };

    /// As a number that is exact in f64.
    pub(super) fn code(self) -> f64 {
        let bins = self.first | self.second << BITS;
        f64::from(bins | u32::from(self.is_less) << (2 * BITS))
    }

    fn of(code: f64) -> Self {
        let code = code as u32;
        let bin = |code: u32| code & (MOST_BINS as u32 - 1);
        Self {
            first: bin(code),
            second: bin(code >> BITS),
            is_less: code >> (2 * BITS) == 1,
        }
    }

    /// The edges at which the goal adds 1 to `F1 - F2` (or takes 1 off, where the second number is in the lower bin), from the first to before the last.
    fn edges(self) -> (u32, u32) {
        (self.first.min(self.second), self.first.max(self.second))
    }

    /// The bins inside which it may add 1 at some place; where the second number is in the lower bin, those in which it takes 1 off everywhere.
    fn bins(self) -> (u32, u32) {
        let (low, high) = self.edges();
        match self.first.cmp(&self.second) {
            std::cmp::Ordering::Less => (low, high + 1),
            std::cmp::Ordering::Equal => (low, low + u32::from(self.is_less)),
            std::cmp::Ordering::Greater => (low + 1, high),
        }
    }

    /// 1, or -1 where the second number is in the lower bin.
    fn sign(self) -> f64 {
        if self.first > self.second { -1.0 } else { 1.0 }
    }
}

/// A pair of numbers with their bins: as found, and the ones that make `F1 - F2` least and largest.
pub(super) fn observed(found: Places, least: Places, most: Places) -> Observed {
    Observed {
        value: found.code(),
        low: least.code(),
        high: most.code(),
    }
}

/// What a goal adds to `F1 - F2` at edge number `edge`.
pub(super) fn at_edge(code: f64, edge: u16) -> f64 {
    let places = Places::of(code);
    inside(places, places.edges(), edge)
}

/// The most that a goal adds to `F1 - F2` in bin number `bin`.
pub(super) fn in_bin(code: f64, bin: u16) -> f64 {
    let places = Places::of(code);
    inside(places, places.bins(), bin)
}

fn inside(places: Places, (from, to): (u32, u32), at: u16) -> f64 {
    match (from..to).contains(&u32::from(at)) {
        true => places.sign(),
        false => 0.0,
    }
}

/// Goals that add 1 and goals that take 1 off, at every edge and in every bin.
struct Tally {
    edges: Vec<[f64; 2]>,
    bins: Vec<[f64; 2]>,
}

impl Tally {
    /// Counts a column of codes: every goal is two changes of running counts.
    fn of(codes: impl Iterator<Item = f64>) -> Self {
        let empty = vec![[0_i64; 2]; MOST_BINS + 2];
        let [mut edges, mut bins] = [empty.clone(), empty];
        let mut is_number = true;
        for code in codes {
            is_number &= !code.is_nan();
            let places = Places::of(code);
            let side = usize::from(places.first > places.second);
            for (counts, (from, to)) in [(&mut edges, places.edges()), (&mut bins, places.bins())] {
                // Neighbouring bins have nothing between them.
                if from < to {
                    counts[from as usize][side] += 1;
                    counts[to as usize][side] -= 1;
                }
            }
        }
        let running = |counts: Vec<[i64; 2]>| {
            let mut now = [0; 2];
            let each = counts.into_iter().map(|[more, less]| {
                now = [now[0] + more, now[1] + less];
                // What is no number must surface in the sums.
                now.map(|n| if is_number { n as f64 } else { f64::NAN })
            });
            each.collect()
        };
        Self {
            edges: running(edges),
            bins: running(bins),
        }
    }
}

/// Sums, and sums of squares, of the quantities that are read off codes; `plain` has one for each quantity, and others are left as they are.
pub(super) fn add(observations: &Observations, quantities: &[Quantity], plain: &mut [[f64; 2]]) {
    let mut last: Option<(usize, Tally)> = None;
    for (q, sums) in quantities.iter().zip(plain) {
        if !q.map.is_of_codes() {
            continue;
        }
        // Those of one column stand together.
        if last.as_ref().is_none_or(|(column, _)| *column != q.column) {
            let codes = observations.rows().map(|row| row[q.column]);
            last = Some((q.column, Tally::of(codes)));
        }
        let Some((_, tally)) = &last else { continue };
        let [more, less] = match q.map {
            Map::AtEdge(edge) => tally.edges[usize::from(edge)],
            Map::InBin(bin) => tally.bins[usize::from(bin)],
            _ => continue,
        };
        *sums = [more - less, more + less];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(first: u32, second: u32, is_less: bool) -> Places {
        Places {
            first,
            second,
            is_less,
        }
    }

    /// Edges 0, 1, ..., 5.
    fn bin(x: f64) -> u32 {
        (0..6).filter(|e| f64::from(*e) < x).count() as u32
    }

    #[test]
    fn what_a_goal_adds_is_the_difference_of_two_steps() {
        let numbers = [-0.5, 0.0, 0.2, 0.9, 1.0, 2.5, 2.6, 4.0, 4.7, 5.0, 5.5];
        let (mut reached, mut all) = (0, 0);
        for x in numbers {
            for y in numbers {
                let code = places(bin(x), bin(y), x < y).code();
                assert_eq!(Places::of(code), places(bin(x), bin(y), x < y));
                let adds = |at: f64| f64::from(u8::from(x <= at)) - f64::from(u8::from(y <= at));
                for edge in 0..6_u16 {
                    assert_eq!(at_edge(code, edge), adds(f64::from(edge)), "{x} {y} {edge}");
                }
                for bin in 0..=6_u16 {
                    // From the lower end on, and up to before the upper one.
                    let inside = (0..100).map(|i| f64::from(bin) - 1.0 + f64::from(i) / 100.0);
                    let most = inside.map(adds).fold(f64::NEG_INFINITY, f64::max);
                    assert!(in_bin(code, bin) >= most, "{x} {y} {bin}");
                    reached += usize::from(in_bin(code, bin) == most);
                    all += 1;
                }
            }
        }
        assert!(
            reached * 10 > all * 9,
            "hardly ever more than it is: {reached} of {all}"
        );
    }

    #[test]
    fn brackets_are_kept_in_order() {
        let list = (0..4).flat_map(|i| (0..4).flat_map(move |j| [false, true].map(|l| (i, j, l))));
        let list: Vec<_> = list.collect();
        for &(i, j, l) in &list {
            for &(k, m, n) in &list {
                // The first number lower, the second higher: no less is added anywhere.
                if k <= i && m >= j && (n || !l) {
                    let [x, y] = [(i, j, l), (k, m, n)].map(|(i, j, l)| places(i, j, l).code());
                    for at in 0..5 {
                        assert!(at_edge(y, at) >= at_edge(x, at));
                        assert!(
                            in_bin(y, at) >= in_bin(x, at),
                            "{i} {j} {l} {k} {m} {n} {at}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn tallies_are_sums_over_goals() {
        let codes: Vec<f64> = (0..200_u32)
            .map(|i| places(i * 7 % 6, i * 11 % 5, i % 3 == 0).code())
            .collect();
        let tally = Tally::of(codes.iter().copied());
        for at in 0..6_u16 {
            let count = |of: fn(f64, u16) -> f64, sign: f64| {
                codes.iter().filter(|c| of(**c, at) == sign).count() as f64
            };
            let wanted = [count(at_edge, 1.0), count(at_edge, -1.0)];
            assert_eq!(tally.edges[usize::from(at)], wanted);
            assert_eq!(
                tally.bins[usize::from(at)],
                [count(in_bin, 1.0), count(in_bin, -1.0)]
            );
        }
        assert!(Tally::of([1.0, f64::NAN].into_iter()).edges[0][0].is_nan());
    }
}

//! How a cell's goals are drawn on the device: which random words there are, where each goes, and the law that makes a reward of it.
//!
//! Where one uniform law draws every reward, its lattice is the one that the device counts rewards in. Other laws, several laws and fixed rewards
//! are brought onto a [`Cover`](super::cover::Cover): the same integers as its `step` makes on the host, but for [sums](super::sums).

use std::collections::HashMap;
use std::ops::Range;

use super::layout::{
    Block, Bundle, Condition, DrawTarget, Leaf, Place, STAYS, Segment, Settled, Summed, TableHead,
};
use super::leaves::LeafKind;
use crate::reward::{Independent, Kind, Lattice, Marginal, Source};

/// Exponent that an f32 has where its bits for it are zero.
const BIAS: i32 = 127;

/// Binary digits of an f32 after the point.
const DIGITS: i32 = 23;

/// The arrays that the passes of drawing read.
#[derive(Debug, Default)]
pub(super) struct Draws {
    pub(super) blocks: Vec<Block>,
    pub(super) targets: Vec<DrawTarget>,
    pub(super) heads: Vec<TableHead>,
    pub(super) segments: Vec<Segment>,
    pub(super) cells: Vec<u32>,
    /// The laws of which a goal follows one, and how its goals are made; nothing where the host puts goals there.
    pub(super) leaves: Vec<Leaf>,
    pub(super) kinds: Vec<LeafKind>,
    pub(super) conditions: Vec<Condition>,
    pub(super) places: Vec<Place>,
    pub(super) settled: Vec<Settled>,
    /// Rows of steps, and whatever else leaves have lists of.
    pub(super) numbers: Vec<u32>,
    /// Rewards that are weighted sums of draws, four of them a bundle: see `bundles`.
    pub(super) bundles: Vec<Bundle>,
    pub(super) summed: Vec<Summed>,
    /// Per term of a bundle: its draw, and its weights.
    pub(super) addends: Vec<u32>,
    pub(super) factors: Vec<[i32; 4]>,
    /// Draws that the rewards of a goal are sums of, at most.
    pub(super) n_latents: u32,
    /// Steps that a sum is off at most.
    pub(super) error: f64,
    /// Whether the laws are needed: else all is one lattice.
    pub(super) has_laws: bool,
}

/// What draws of a law are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruler {
    /// log2 of the spacing.
    pub(super) exponent: i32,
    /// Number of the point that is counted from, modulo 2^32.
    pub(super) origin: u32,
}

impl Draws {
    /// Every reward is a draw of one lattice. `rows`: which reward a row is; `stays`: whether it can be had for ever.
    pub(super) fn of_lattice(law: &Independent, rows: &[u32], stays: &[bool]) -> Self {
        let mut draws = Self::default();
        let coordinate = |(row, reward): (usize, &u32)| match law.sources[*reward as usize] {
            Source::Draw { coordinate, .. } => (flagged(row, stays), coordinate, 0),
            Source::Fixed(_) => unreachable!("a lattice has no fixed rewards"),
        };
        let blocks = draws.deal(rows.iter().enumerate().map(coordinate));
        draws.push_leaf(Leaf::default(), LeafKind::Drawn { blocks });
        draws
    }

    /// Rewards of any independent laws: the Philox blocks that they take. `own`: the rows that are theirs, flagged, and the reward of each.
    pub(super) fn push_independent(
        &mut self,
        law: &Independent,
        ruler: Ruler,
        own: impl Iterator<Item = (u32, usize)>,
    ) -> Range<u32> {
        let first_law = self.heads.len() as u32;
        for marginal in &law.laws {
            self.push_law(marginal, ruler);
        }
        let mut fixed: HashMap<u32, u32> = HashMap::new();
        let mut wanted = Vec::new();
        for (row, reward) in own {
            wanted.push(match law.sources[reward] {
                Source::Draw { coordinate, law } => (row, coordinate, first_law + law),
                // Whatever the word says, it is the only point of a lattice.
                Source::Fixed(x) => {
                    let next = self.heads.len() as u32;
                    let at = *fixed.entry(x.to_bits()).or_insert(next);
                    if at == next {
                        let (low, exponent) = integer_of(x);
                        let point = Lattice {
                            low,
                            width: 1,
                            exponent,
                        };
                        self.heads.push(head_of(point, ruler));
                    }
                    (row, 0, at)
                }
            });
        }
        self.deal(wanted.into_iter())
    }

    /// Adds a law, and says which it is.
    pub(super) fn push_law(&mut self, law: &Marginal, ruler: Ruler) -> u32 {
        let head = match law.kind() {
            Kind::Lattice(lattice) => head_of(lattice, ruler),
            Kind::Table(table) => {
                let head = TableHead {
                    first_segment: self.segments.len() as u32,
                    first_cell: self.cells.len() as u32,
                    cell_shift: table.cell_shift(),
                    exponent: -BIAS - ruler.exponent,
                    origin: ruler.origin,
                    ..TableHead::default()
                };
                let segments = bytemuck::cast_slice::<_, Segment>(table.segments());
                self.segments.extend_from_slice(segments);
                self.cells.extend_from_slice(table.cells());
                head
            }
        };
        self.heads.push(head);
        self.heads.len() as u32 - 1
    }

    /// Sorts rows by coordinate, so that every Philox block is computed once. Every row, or latent draw, with its coordinate and law. Returns the blocks.
    pub(super) fn deal(&mut self, rows: impl Iterator<Item = (u32, u32, u32)>) -> Range<u32> {
        let target = |(row, coordinate, law)| (coordinate, DrawTarget { row, law });
        let mut wanted: Vec<(u32, DrawTarget)> = rows.map(target).collect();
        wanted.sort_by_key(|(coordinate, _)| *coordinate);
        let (first_block, first_target) = (self.blocks.len() as u32, self.targets.len() as u32);
        let mut at = 0;
        while at < wanted.len() {
            let number = wanted[at].0 / 4;
            let first = first_target + at as u32;
            let ends = std::array::from_fn::<u32, 4, _>(|word| {
                let coordinate = u64::from(number) * 4 + word as u64;
                at += wanted[at..]
                    .iter()
                    .take_while(|w| u64::from(w.0) == coordinate)
                    .count();
                first_target + at as u32
            });
            let [end_0, end_1, end_2, end_3] = ends;
            self.blocks.push(Block {
                number,
                first,
                end_0,
                end_1,
                end_2,
                end_3,
            });
        }
        let targets = wanted.into_iter().map(|(_, target)| target);
        self.targets.extend(targets);
        first_block..self.blocks.len() as u32
    }
}

/// A row that says whether its reward can be had for ever. `stays`: by row.
pub(super) fn flagged(row: usize, stays: &[bool]) -> u32 {
    row as u32 | if stays[row] { STAYS } else { 0 }
}

/// A lattice, in what it is counted in.
fn head_of(lattice: Lattice, ruler: Ruler) -> TableHead {
    TableHead {
        width: lattice.width,
        low: lattice.low,
        exponent: lattice.exponent - ruler.exponent,
        origin: ruler.origin,
        ..TableHead::default()
    }
}

/// The integer m, |m| < 2^24, and k with `x = m 2^k`.
fn integer_of(x: f32) -> (i32, i32) {
    let bits = x.to_bits();
    let biased = (bits >> DIGITS & 0xff) as i32;
    let digits = (bits & 0x007f_ffff) as i32;
    let (m, biased) = match biased {
        0 => (digits, 1),
        _ => (digits | 1 << DIGITS, biased),
    };
    let sign = if x.is_sign_negative() { -1 } else { 1 };
    (sign * m, biased - BIAS - DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_an_integer_times_a_power_of_two() {
        for x in [
            0.0,
            1.0,
            -1.5,
            0.1,
            3e9,
            f32::MIN_POSITIVE,
            1e-42,
            f32::MAX,
            -7.25e-20,
        ] {
            let (m, k) = integer_of(x);
            assert_eq!(f64::from(m) * 2f64.powi(k), f64::from(x));
            assert!(m.unsigned_abs() < 1 << 24);
        }
    }
}

//! How a cell's goals are drawn on the device: which random words there are, where each goes, and the law that makes a reward of it.
//!
//! Where one uniform law draws every reward, its lattice is the one that the device counts rewards in. Other laws, several laws and fixed rewards
//! are brought onto a [`Cover`]: the same integers as [`Cover::step`] makes on the host.

use std::collections::HashMap;
use std::ops::Range;

use super::cover::Cover;
use super::layout::{
    Block, Condition, DrawTarget, Leaf, Place, STAYS, Segment, Settled, TableHead,
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
    /// Whether the laws are needed: else all is one lattice.
    pub(super) has_laws: bool,
    /// Number of the cover's lowest point, modulo 2^32.
    pub(super) lowest: u32,
}

impl Draws {
    /// Every reward is a draw of one lattice. `rows`: which reward a row is; `stays`: whether it can be had for ever.
    pub(super) fn of_lattice(law: &Independent, rows: &[u32], stays: &[bool]) -> Self {
        let mut draws = Self::default();
        let coordinate = |(row, reward): (usize, &u32)| match law.sources[*reward as usize] {
            Source::Draw { coordinate, .. } => (row, coordinate, 0),
            Source::Fixed(_) => unreachable!("a lattice has no fixed rewards"),
        };
        let blocks = draws.deal(rows.iter().enumerate().map(coordinate), stays);
        draws.push_leaf(Leaf::default(), LeafKind::Drawn { blocks });
        draws
    }

    /// Rewards of any independent laws, on a cover: the Philox blocks that they take. `own`: the rows that are theirs, and the reward of each.
    pub(super) fn push_independent(
        &mut self,
        law: &Independent,
        cover: Cover,
        own: impl Iterator<Item = (usize, u32)>,
        stays: &[bool],
    ) -> Range<u32> {
        let spacing = cover.exponent();
        let first_law = self.heads.len() as u32;
        for marginal in &law.laws {
            self.push_law(marginal, spacing);
        }
        let mut fixed: HashMap<u32, u32> = HashMap::new();
        let mut wanted = Vec::new();
        for (row, reward) in own {
            wanted.push(match law.sources[reward as usize] {
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
                        self.heads.push(head_of(point, spacing));
                    }
                    (row, 0, at)
                }
            });
        }
        self.deal(wanted.into_iter(), stays)
    }

    /// Adds a law, and says which it is.
    pub(super) fn push_law(&mut self, law: &Marginal, spacing: i32) -> u32 {
        let head = match law.kind() {
            Kind::Lattice(lattice) => head_of(lattice, spacing),
            Kind::Table(table) => {
                let head = TableHead {
                    first_segment: self.segments.len() as u32,
                    first_cell: self.cells.len() as u32,
                    cell_shift: table.cell_shift(),
                    exponent: -BIAS - spacing,
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

    /// Sorts rows by coordinate, so that every Philox block is computed once. Every row with its coordinate and law. Returns the blocks.
    fn deal(
        &mut self,
        rows: impl Iterator<Item = (usize, u32, u32)>,
        stays: &[bool],
    ) -> Range<u32> {
        let target = |(row, coordinate, law): (usize, u32, u32)| {
            let row = row as u32 | if stays[row] { STAYS } else { 0 };
            (coordinate, DrawTarget { row, law })
        };
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

/// A lattice, relative to the spacing of the cover.
fn head_of(lattice: Lattice, spacing: i32) -> TableHead {
    TableHead {
        width: lattice.width,
        low: lattice.low,
        exponent: lattice.exponent - spacing,
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

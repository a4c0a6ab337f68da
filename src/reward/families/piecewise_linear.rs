//! A law whose density is piecewise linear.

use std::sync::Arc;

use super::keys::Keys;
use super::{Check, Family, Kind, LawError, LawFault, Read};
use crate::document::{Faults, TableReader};
use crate::reward::table::{Shape, Table, Tolerance};

/// Most knots.
const MOST_KNOTS: usize = 1_024;

/// The density runs straight from knot to knot, in proportion to the heights given there.
#[derive(Clone, Debug, PartialEq)]
pub struct PiecewiseLinear {
    pieces: Vec<Piece>,
    table: Arc<Table>,
}

/// One straight part of the density.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    from: f64,
    to: f64,
    /// Density at both ends.
    left: f64,
    right: f64,
    /// Probability below it, and of it.
    below: f64,
    probability: f64,
}

impl Piece {
    /// Where `share` of the piece's probability is below, from 0 to 1.
    ///
    /// The root of `left t + (right - left) t^2 / 2 = share (left + right) / 2` in [0, 1], without cancellation.
    fn quantile(&self, share: f64) -> f64 {
        let (left, right) = (self.left, self.right);
        let root = (left * left + share * (right - left) * (right + left))
            .max(0.0)
            .sqrt();
        let t = share * (left + right) / (left + root);
        self.from + (self.to - self.from) * t.clamp(0.0, 1.0)
    }

    /// `E (X - about)^n`, the piece's part of it, for `n` up to 2.
    fn moment(&self, n: i32, about: f64) -> f64 {
        // Simpson's rule with 3 nodes per half is exact for the cubics that occur.
        let width = self.to - self.from;
        let at = |t: f64| {
            (self.left + t * (self.right - self.left)) * (self.from + t * width - about).powi(n)
        };
        width / 6.0 * (at(0.0) + 4.0 * at(0.5) + at(1.0))
    }
}

impl PiecewiseLinear {
    /// A density through `(knots[i], heights[i])`, scaled to one; zero outside the knots.
    ///
    /// # Errors
    ///
    /// [`LawError`] when the lists differ in length, the knots do not ascend, a height is negative or not finite, all are zero, or
    /// single precision cannot hold the law.
    pub fn new(knots: &[f64], heights: &[f64]) -> Result<Self, LawError> {
        let mut check = Check::default();
        check.entries_finite("knots", knots);
        for (i, pair) in knots.windows(2).enumerate() {
            if pair[0].is_finite() && pair[1].is_finite() && pair[0] >= pair[1] {
                check.fault(LawFault::Descending {
                    key: "knots",
                    index: i + 1,
                    value: pair[1],
                    before: pair[0],
                });
            }
        }
        if knots.len() < 2 {
            check.fault(LawFault::TooFew {
                key: "knots",
                least: 2,
                found: knots.len(),
            });
        }
        if knots.len() > MOST_KNOTS {
            check.fault(LawFault::TooMany {
                key: "knots",
                most: MOST_KNOTS,
                found: knots.len(),
            });
        }
        check.weights("heights", heights);
        if heights.len() != knots.len() {
            check.fault(LawFault::Lengths {
                key: "heights",
                other: "knots",
                found: heights.len(),
                wanted: knots.len(),
            });
        }
        check.done()?;
        let pieces = pieces(knots, heights);
        let table = Table::build(&Shape {
            quantile: &|p| quantile(&pieces, p),
            breaks: pieces.iter().map(|piece| piece.below).collect(),
            tolerance: Tolerance::OfRange,
        })?;
        Ok(Self {
            pieces,
            table: Arc::new(table),
        })
    }
}

/// The parts with probability, in order.
fn pieces(knots: &[f64], heights: &[f64]) -> Vec<Piece> {
    // Scaled first: products of extreme knots and heights would overflow.
    let tallest = heights.iter().copied().fold(0.0, f64::max);
    let width = knots[knots.len() - 1] / 2.0 - knots[0] / 2.0;
    let area = |i: usize| {
        let part = (knots[i + 1] / 2.0 - knots[i] / 2.0) / width;
        part * (heights[i] / tallest + heights[i + 1] / tallest) / 2.0
    };
    let total: f64 = (0..knots.len() - 1).map(area).sum();
    let scale = 1.0 / (2.0 * width * total);
    let mut below = 0.0;
    let mut pieces = Vec::new();
    for i in 0..knots.len() - 1 {
        let probability = area(i) / total;
        if probability > 0.0 {
            pieces.push(Piece {
                from: knots[i],
                to: knots[i + 1],
                left: heights[i] / tallest * scale,
                right: heights[i + 1] / tallest * scale,
                below,
                probability,
            });
        }
        below += probability;
    }
    pieces
}

fn quantile(pieces: &[Piece], p: f64) -> f64 {
    let at = pieces.partition_point(|piece| piece.below < p).max(1) - 1;
    let piece = &pieces[at];
    piece.quantile(((p - piece.below) / piece.probability).clamp(0.0, 1.0))
}

impl Read for PiecewiseLinear {
    fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Self> {
        let mut keys = Keys::new(table, faults);
        let knots = keys.required_numbers("knots");
        let heights = keys.required_numbers("heights");
        // Stand-ins, so that the list that is there is checked.
        let length = knots
            .as_ref()
            .or(heights.as_ref())
            .map_or(2, |list| list.len().max(2));
        let knots = knots.unwrap_or_else(|| (0..length).map(|i| i as f64).collect());
        let heights = heights.unwrap_or_else(|| vec![1.0; knots.len()]);
        keys.finish(Self::new(&knots, &heights))
    }
}

impl Family for PiecewiseLinear {
    fn mean(&self) -> f64 {
        let first = self.pieces[0].from;
        first + self.pieces.iter().map(|p| p.moment(1, first)).sum::<f64>()
    }

    fn sd(&self) -> Option<f64> {
        let mean = self.mean();
        let variance: f64 = self.pieces.iter().map(|p| p.moment(2, mean)).sum();
        Some(variance.sqrt())
    }

    fn quantile(&self, p: f64) -> f64 {
        quantile(&self.pieces, p)
    }

    fn support(&self) -> (f64, f64) {
        (self.pieces[0].from, self.pieces[self.pieces.len() - 1].to)
    }

    fn log_density(&self, x: f64) -> Option<f64> {
        let piece = self.pieces.iter().find(|p| x >= p.from && x <= p.to);
        Some(piece.map_or(f64::NEG_INFINITY, |p| {
            let t = (x - p.from) / (p.to - p.from);
            (p.left + t * (p.right - p.left)).ln()
        }))
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Table(&self.table)
    }
}

//! A cell of an experiment on the grid it was drawn on.

use super::{FAINT_INK, HEADING, Panel, faint, ink, text_width, tooltip};
use crate::experiment::CellStatistics;
use crate::mdp::GridLayout;
use crate::report::bar::Axis;
use crate::report::colour::viridis;
use crate::report::digits::{cell_decimals, fixed, grouped};
use crate::report::marks::Marks;
use crate::report::svg::{Anchor, Font, Svg};
use crate::report::table::table_decimals;
use crate::units::StateId;

const WALL: &str = "#c3c9d0";
/// Smallest cells that hold their number.
const ROOM_FOR_NUMBERS: f64 = 40.0;
/// Smallest cells that hold their letter.
const ROOM_FOR_LETTERS: f64 = 9.0;
const RAMP_STEPS: usize = 64;

struct HeatMap<'a> {
    cell: &'a CellStatistics,
    layout: &'a GridLayout,
    marks: Marks,
    /// Smallest and largest estimate: the ends of the ramp.
    scale: Axis,
    /// Side of a square in pixels.
    side: f64,
    decimals: usize,
}

/// Draws the map, its colour bar and its legend.
pub(super) fn draw(cell: &CellStatistics, layout: &GridLayout) -> Panel {
    let longest = layout.rows().max(layout.columns()) as f64;
    let scale = scale(cell);
    let map = HeatMap {
        cell,
        layout,
        marks: Marks::of(&cell.mdp),
        scale,
        side: (448.0 / longest).clamp(6.0, 56.0).floor(),
        decimals: cell_decimals(scale.high - scale.low, table_decimals(&cell.power)),
    };
    let mut body = Svg::default();
    let width = map.side * layout.columns() as f64;
    let height = map.side * layout.rows() as f64;
    map.squares(&mut body);
    let right = map.colour_bar(&mut body, width + 18.0, height.max(96.0));
    let bottom = map.legend(
        &mut body,
        HEADING + height.max(96.0) + 24.0,
        right.max(300.0),
    );
    Panel {
        width: right,
        height: bottom,
        body,
    }
}

fn scale(cell: &CellStatistics) -> Axis {
    let estimates = cell.power.iter().map(|e| e.estimate);
    let (low, high) = estimates.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
        (l.min(x), h.max(x))
    });
    // One value only is painted in the middle of the ramp.
    let widen = if low < high {
        0.0
    } else {
        0.5 * low.abs().max(1.0)
    };
    Axis {
        low: low - widen,
        high: high + widen,
        decimals: 0,
    }
}

impl HeatMap<'_> {
    fn squares(&self, svg: &mut Svg) {
        svg.open("g", &[("shape-rendering", "crispEdges")]);
        for row in 0..self.layout.rows() {
            for column in 0..self.layout.columns() {
                let corner = (column as f64 * self.side, HEADING + row as f64 * self.side);
                match self.layout.state_at(row, column) {
                    Some(state) => self.square(svg, state, corner),
                    None => svg.rect([corner.0, corner.1, self.side, self.side], WALL),
                }
            }
        }
        svg.close();
    }

    fn square(&self, svg: &mut Svg, state: StateId, (x, y): (f64, f64)) {
        let value = self.cell.power[state.index()].estimate;
        let colour = viridis(self.scale.share(value));
        // A gap between squares helps counting them; on small ones it would only wash the colours out.
        let gap = if self.side >= 14.0 { 1.0 } else { 0.0 };
        let ink = colour.ink().hex();
        svg.open("g", &[]);
        svg.leaf("title", &[], &tooltip(self.cell, state));
        svg.rect([x, y, self.side - gap, self.side - gap], &colour.hex());
        let middle = x + (self.side - gap) / 2.0;
        let letter = self.marks.letter(state).map(String::from);
        if self.side >= ROOM_FOR_NUMBERS {
            let font = Font {
                // A fourth digit needs narrower ones.
                size: if self.decimals > 3 { 0.22 } else { 0.25 } * self.side,
                bold: false,
                fill: &ink,
                anchor: Anchor::Middle,
            };
            svg.text(
                (middle, y + 0.62 * self.side),
                &fixed(value, self.decimals),
                font,
            );
            if let Some(letter) = letter {
                let font = Font {
                    size: 0.24 * self.side,
                    bold: true,
                    fill: &ink,
                    anchor: Anchor::Start,
                };
                svg.text((x + 0.09 * self.side, y + 0.3 * self.side), &letter, font);
            }
        } else if let Some(letter) = letter.filter(|_| self.side >= ROOM_FOR_LETTERS) {
            let font = Font {
                size: 0.62 * self.side,
                bold: true,
                fill: &ink,
                anchor: Anchor::Middle,
            };
            svg.text((middle, y + 0.7 * self.side), &letter, font);
        }
        svg.close();
    }

    /// The ramp with round numbers beside it. Returns its right edge.
    fn colour_bar(&self, svg: &mut Svg, x: f64, height: f64) -> f64 {
        let step = height / RAMP_STEPS as f64;
        svg.open("g", &[("shape-rendering", "crispEdges")]);
        for i in 0..RAMP_STEPS {
            let share = 1.0 - (i as f64 + 0.5) / RAMP_STEPS as f64;
            // Steps overlap a little, so that no seam shows at odd magnifications.
            let overlap = if i + 1 < RAMP_STEPS { 0.6 } else { 0.0 };
            svg.rect(
                [x, HEADING + i as f64 * step, 14.0, step + overlap],
                &viridis(share).hex(),
            );
        }
        svg.close();
        let count = (height / 48.0).clamp(2.0, 6.0) as usize;
        let digits = self.scale.tick_decimals(count);
        let mut right = x;
        for tick in self.scale.ticks(count) {
            let y = HEADING + (1.0 - self.scale.share(tick)) * height;
            svg.line((x + 14.0, y), (x + 18.0, y), FAINT_INK, 1.0);
            let label = fixed(tick, digits);
            right = right.max(x + 22.0 + text_width(&label, 11.0) * 1.1);
            svg.text((x + 22.0, y + 4.0), &label, ink(11.0, Anchor::Start));
        }
        right.max(x + 50.0)
    }

    /// Letters, the wall's colour, and states without a place. Returns the lower edge.
    fn legend(&self, svg: &mut Svg, top: f64, width: f64) -> f64 {
        let (mut x, mut y) = (0.0, top);
        let mut place = |wanted: f64| {
            if x > 0.0 && x + wanted > width {
                (x, y) = (0.0, y + 18.0);
            }
            let at = (x, y);
            x += wanted + 18.0;
            at
        };
        if self.side >= ROOM_FOR_LETTERS {
            for (letter, meaning) in &self.marks.legend {
                let (x, y) = place(16.0 + text_width(meaning, 12.0));
                svg.text(
                    (x, y),
                    &letter.to_string(),
                    Font {
                        bold: true,
                        ..ink(12.0, Anchor::Start)
                    },
                );
                svg.text((x + 14.0, y), meaning, ink(12.0, Anchor::Start));
            }
        }
        let cells = self.layout.rows() * self.layout.columns();
        let placed = (0..cells).filter_map(|i| {
            self.layout
                .state_at(i / self.layout.columns(), i % self.layout.columns())
        });
        let mut seen = vec![false; self.cell.mdp.n_states()];
        let mut squares = 0;
        for s in placed {
            seen[s.index()] = true;
            squares += 1;
        }
        if squares < cells {
            let (x, y) = place(16.0 + text_width("wall", 12.0));
            svg.rect([x, y - 10.0, 12.0, 12.0], WALL);
            svg.text((x + 17.0, y), "wall", ink(12.0, Anchor::Start));
        }
        let missing = seen.iter().filter(|s| !**s).count();
        if missing > 0 {
            let note = format!(
                "{} states have no place on the map",
                grouped(missing as u64)
            );
            let at = place(text_width(&note, 12.0));
            svg.text(at, &note, faint(12.0, Anchor::Start));
        }
        y + 8.0
    }
}

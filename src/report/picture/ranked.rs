//! A cell of an experiment as states ranked by POWER, with the whiskers of their intervals.

use super::{FAINT_INK, HEADING, INK, Panel, RULE, faint, ink, text_width, tooltip};
use crate::experiment::CellStatistics;
use crate::report::bar::Axis;
use crate::report::digits::{fixed, grouped, plain_name, with_half_width};
use crate::report::svg::{Anchor, Svg};
use crate::report::table::{half, ranking, table_decimals};
use crate::units::StateId;

/// Lists up to this length are drawn whole;
const WHOLE_UP_TO: usize = 50;
/// of longer ones, so many from the top
const TOP: usize = 30;
/// and so many from the bottom.
const BOTTOM: usize = 10;
const ROW: f64 = 19.0;
const PLOT_WIDTH: f64 = 340.0;
const BAR: &str = "#8fb8de";
const DOT: &str = "#1f5f99";
const TICKS: usize = 5;

struct Ranked<'a> {
    cell: &'a CellStatistics,
    axis: Axis,
    /// Bars start at zero; dots leave the axis free to zoom in.
    bars: bool,
    /// Left end of the axis in pixels.
    left: f64,
    decimals: usize,
}

/// Draws the ranking and its axis.
pub(super) fn draw(cell: &CellStatistics) -> Panel {
    let ranking = ranking(cell);
    let whole = ranking.len() <= WHOLE_UP_TO;
    let (top, bottom) = if whole {
        (&ranking[..], &ranking[..0])
    } else {
        (&ranking[..TOP], &ranking[ranking.len() - BOTTOM..])
    };
    let shown = || top.iter().chain(bottom);
    let names = shown().map(|s| text_width(&name(cell, *s), 12.0));
    let (axis, bars) = axis(cell, shown());
    let plot = Ranked {
        cell,
        axis,
        bars,
        left: names.fold(30.0, f64::max) + 10.0,
        decimals: table_decimals(&cell.power),
    };
    let mut body = Svg::default();
    let rows = top.len() + bottom.len() + usize::from(!whole);
    let below = HEADING + rows as f64 * ROW;
    plot.grid(&mut body, below);
    for (i, state) in top.iter().enumerate() {
        plot.row(&mut body, *state, HEADING + i as f64 * ROW);
    }
    if !whole {
        let note = format!(
            "{} states between are not drawn",
            grouped((ranking.len() - TOP - BOTTOM) as u64)
        );
        let y = HEADING + (TOP as f64 + 0.7) * ROW;
        body.text((plot.left, y), &note, faint(11.0, Anchor::Start));
    }
    for (i, state) in bottom.iter().enumerate() {
        plot.row(&mut body, *state, HEADING + (TOP + 1 + i) as f64 * ROW);
    }
    let numbers = text_width("0.00000 ± 0.00000", 11.0);
    Panel {
        width: plot.left + PLOT_WIDTH + 14.0 + numbers,
        height: below + 38.0,
        body,
    }
}

fn name(cell: &CellStatistics, state: StateId) -> String {
    plain_name(cell.mdp.state_name(state), 24)
}

/// Bars from zero where differences show on such an axis; dots on a closer axis where they would not.
fn axis<'a>(cell: &CellStatistics, shown: impl Iterator<Item = &'a StateId>) -> (Axis, bool) {
    let ends: Vec<f64> = shown
        .flat_map(|s| {
            let e = &cell.power[s.index()];
            [e.low, e.estimate, e.high]
        })
        .filter(|x| x.is_finite())
        .collect();
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Differences that all lie within the last eighth of a bar are hard to see.
    let bars = low <= 0.0 || high <= 8.0 * (high - low);
    let ends = ends.into_iter().chain(bars.then_some(0.0));
    (Axis::around(ends), bars)
}

impl Ranked<'_> {
    fn x(&self, value: f64) -> f64 {
        self.left + PLOT_WIDTH * self.axis.share(value)
    }

    fn grid(&self, svg: &mut Svg, below: f64) {
        let digits = self.axis.tick_decimals(TICKS);
        for tick in self.axis.ticks(TICKS) {
            let x = self.x(tick);
            svg.line((x, HEADING - 4.0), (x, below + 4.0), RULE, 1.0);
            svg.text(
                (x, below + 18.0),
                &fixed(tick, digits),
                faint(11.0, Anchor::Middle),
            );
        }
        let heading = self.cell.measure_heading();
        let unit = if self.bars {
            heading.to_owned()
        } else {
            format!("{heading} (axis does not start at 0)")
        };
        svg.text(
            (self.left + PLOT_WIDTH / 2.0, below + 34.0),
            &unit,
            faint(11.0, Anchor::Middle),
        );
    }

    fn row(&self, svg: &mut Svg, state: StateId, top: f64) {
        let e = &self.cell.power[state.index()];
        let middle = top + ROW / 2.0;
        svg.open("g", &[]);
        svg.leaf("title", &[], &tooltip(self.cell, state));
        svg.text(
            (self.left - 8.0, middle + 4.0),
            &name(self.cell, state),
            ink(12.0, Anchor::End),
        );
        let at = self.x(e.estimate);
        if self.bars {
            let zero = self.x(0.0);
            svg.rect([zero.min(at), top + 3.0, (at - zero).abs(), ROW - 6.0], BAR);
        }
        let (from, to) = (self.x(e.low), self.x(e.high));
        svg.line((from, middle), (to, middle), INK, 1.5);
        // Caps only where they do not cover the whisker itself.
        if to - from >= 4.0 {
            for x in [from, to] {
                svg.line((x, middle - 3.5), (x, middle + 3.5), INK, 1.5);
            }
        }
        svg.circle(
            (at, middle),
            if self.bars { 2.2 } else { 3.2 },
            if self.bars { INK } else { DOT },
        );
        let number = with_half_width(e.estimate, half(e), self.decimals);
        svg.leaf(
            "text",
            &[
                (
                    "x",
                    &crate::report::svg::number(self.left + PLOT_WIDTH + 14.0),
                ),
                ("y", &crate::report::svg::number(middle + 4.0)),
                ("font-size", "11"),
                ("fill", FAINT_INK),
            ],
            &number,
        );
        svg.close();
    }
}

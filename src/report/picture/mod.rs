//! `power.svg`: a panel per cell, a heat map where the MDP is a grid and ranked bars otherwise.

mod heat_map;
mod ranked;

use super::digits::{grouped, plain_name, small};
use super::svg::{Anchor, Font, Svg, number};
use super::table::{discount, half};
use crate::experiment::{CellStatistics, Statistics};
use crate::statistics::Estimate;

/// A run of more cells than this is drawn as its first cells, and a note names the number of the others.
pub const MAX_PANELS: usize = 12;

const INK: &str = "#1f2328";
const FAINT_INK: &str = "#59636e";
const RULE: &str = "#d1d9e0";
const MARGIN: f64 = 24.0;
/// Panels are set side by side up to this width.
const PAGE_WIDTH: f64 = 1280.0;
/// Room above a panel's drawing for its title.
const HEADING: f64 = 56.0;

/// A drawing with its size in pixels.
struct Panel {
    width: f64,
    height: f64,
    body: Svg,
}

/// POWER of every cell as one self-contained SVG document: no scripts, no fonts or files from outside, a background of
/// its own (so that it reads the same in light and dark viewers), a title and a description, and the numbers of every
/// state in tooltips.
#[must_use]
pub fn power_picture(statistics: &Statistics) -> String {
    let cells = &statistics.cells[..statistics.cells.len().min(MAX_PANELS)];
    let panels: Vec<Panel> = cells.iter().map(|cell| panel(cell, statistics)).collect();
    let places = flow(&panels);
    let right = places
        .iter()
        .zip(&panels)
        .map(|(p, panel)| p.0 + panel.width);
    let below = places
        .iter()
        .zip(&panels)
        .map(|(p, panel)| p.1 + panel.height);
    let width = right.fold(320.0, f64::max) + MARGIN;
    let mut height = below.fold(0.0, f64::max) + MARGIN;
    let left_out = statistics.cells.len() - cells.len();
    if left_out > 0 {
        height += 20.0;
    }
    let mut svg = document(width, height, statistics);
    for (panel, place) in panels.into_iter().zip(places) {
        let transform = format!("translate({} {})", number(place.0), number(place.1));
        svg.open("g", &[("transform", &transform)]);
        svg.append(panel.body);
        svg.close();
    }
    if left_out > 0 {
        let note =
            format!("{left_out} more cells are not drawn: see power.parquet and results.json.");
        svg.text((MARGIN, height - MARGIN), &note, faint(12.0, Anchor::Start));
    }
    svg.finish()
}

/// The outer element with its background, title and description.
fn document(width: f64, height: f64, statistics: &Statistics) -> Svg {
    let (w, h) = (number(width), number(height));
    let mut svg = Svg::default();
    svg.open(
        "svg",
        &[
            ("xmlns", "http://www.w3.org/2000/svg"),
            ("width", &w),
            ("height", &h),
            ("viewBox", &format!("0 0 {w} {h}")),
            ("role", "img"),
            ("aria-labelledby", "title description"),
            (
                "font-family",
                "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif",
            ),
        ],
    );
    svg.leaf("title", &[("id", "title")], "POWER of every state");
    svg.leaf("desc", &[("id", "description")], &description(statistics));
    svg.rect([0.0, 0.0, width, height], "#ffffff");
    svg
}

/// What a screen reader is told: for each cell drawn, the states with most and least POWER.
fn description(statistics: &Statistics) -> String {
    let cells = statistics.cells.iter().take(MAX_PANELS).map(|cell| {
        let ranking = super::table::ranking(cell);
        let named = |s: Option<&crate::units::StateId>| {
            s.map_or(String::new(), |s| {
                let e = &cell.power[s.index()];
                format!(
                    "{} with {}",
                    plain_name(cell.mdp.state_name(*s), 40),
                    tooltip_number(e)
                )
            })
        };
        format!(
            "{}: most POWER in {}, least in {}.",
            heading(cell),
            named(ranking.first()),
            named(ranking.last())
        )
    });
    cells.collect::<Vec<_>>().join(" ")
}

/// Panels from left to right and from top to bottom; rows as high as their highest panel.
fn flow(panels: &[Panel]) -> Vec<(f64, f64)> {
    let (mut x, mut y, mut row_height) = (MARGIN, MARGIN, 0.0_f64);
    let mut places = Vec::with_capacity(panels.len());
    for panel in panels {
        if x > MARGIN && x + panel.width > PAGE_WIDTH {
            (x, y, row_height) = (MARGIN, y + row_height + MARGIN, 0.0);
        }
        places.push((x, y));
        x += panel.width + 1.5 * MARGIN;
        row_height = row_height.max(panel.height);
    }
    places
}

fn panel(cell: &CellStatistics, statistics: &Statistics) -> Panel {
    let mut panel = match cell.mdp.layout() {
        Some(layout) => heat_map::draw(cell, layout),
        None => ranked::draw(cell),
    };
    let title = heading(cell);
    let below = subheading(cell, statistics);
    panel.body.text(
        (0.0, 16.0),
        &title,
        Font {
            bold: true,
            ..ink(15.0, Anchor::Start)
        },
    );
    panel
        .body
        .text((0.0, 36.0), &below, faint(11.5, Anchor::Start));
    panel.width = panel
        .width
        .max(text_width(&title, 15.0) * 1.08)
        .max(text_width(&below, 11.5));
    if cell.unconverged > 0 {
        panel.height += 22.0;
        let warning = format!(
            "{} goals missed the tolerance within the sweep cap",
            grouped(cell.unconverged)
        );
        let font = Font {
            fill: "#b42318",
            bold: true,
            ..ink(11.5, Anchor::Start)
        };
        panel.body.text((0.0, panel.height - 4.0), &warning, font);
    }
    panel
}

fn heading(cell: &CellStatistics) -> String {
    let variant = match cell.variant.as_str() {
        "baseline" => String::new(),
        name => format!(", {}", plain_name(name, 30)),
    };
    format!(
        "{} of {}{variant}",
        cell.measure_heading(),
        plain_name(&cell.environment, 30)
    )
}

fn subheading(cell: &CellStatistics, statistics: &Statistics) -> String {
    let widest = cell.power.iter().map(half).fold(0.0, f64::max);
    format!(
        "{} goals, {}{}, n = {}, {}% intervals within ±{}",
        plain_name(&cell.reward, 20),
        discount(cell),
        super::table::rule(cell),
        grouped(cell.samples),
        super::table::level_percent(statistics.level),
        super::digits::half_width(widest, super::digits::decimals(widest))
    )
}

/// The whole of what is known about a state, for its tooltip.
fn tooltip(cell: &CellStatistics, state: crate::units::StateId) -> String {
    let e = &cell.power[state.index()];
    let labels = cell
        .mdp
        .state_labels()
        .iter()
        .filter(|(_, members)| members.contains(&state));
    let labels: Vec<String> = labels.map(|(label, _)| plain_name(label, 30)).collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!(" [{}]", labels.join(", "))
    };
    let name = plain_name(cell.mdp.state_name(state), 60);
    format!(
        "{name}{labels}: {} (numerical bound {})",
        tooltip_number(e),
        small(e.bound)
    )
}

fn tooltip_number(e: &Estimate) -> String {
    super::digits::with_half_width(e.estimate, half(e), super::digits::decimals(half(e)))
}

fn ink(size: f64, anchor: Anchor) -> Font<'static> {
    Font {
        size,
        bold: false,
        fill: INK,
        anchor,
    }
}

fn faint(size: f64, anchor: Anchor) -> Font<'static> {
    Font {
        fill: FAINT_INK,
        ..ink(size, anchor)
    }
}

/// Width of a text in pixels, roughly: sans-serif letters are 0.56 of the font size wide on average.
fn text_width(text: &str, size: f64) -> f64 {
    0.56 * size * text.chars().count() as f64
}

#[cfg(test)]
mod tests;

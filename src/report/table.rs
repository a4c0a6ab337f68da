//! POWER of the states of every cell as text: sorted, with intervals drawn on one axis.

mod overview;
mod sweep;

use comfy_table::{CellAlignment, Table, presets};

use super::Colours;
use super::bar::{Axis, interval};
use super::digits::{decimals, grouped, outward, plain_name, small, with_half_width};
use super::map::{MapOptions, power_map};
use super::observed;
use super::stop::stopped_lines;
use super::variant::of_variant;
use crate::experiment::{CellStatistics, Statistics};
use crate::statistics::Estimate;
use crate::units::StateId;

/// What a table may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableOptions {
    /// Characters per line.
    pub width: usize,
    /// Every state of every cell, however many there are.
    pub all: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            width: 80,
            all: false,
        }
    }
}

/// Lists up to this length are shown whole.
const WHOLE_UP_TO: usize = 100;
/// Of longer ones, so many from the top,
const TOP: usize = 20;
/// and so many from the bottom.
const BOTTOM: usize = 10;
/// Runs of more cells than this get one line per cell.
const CELLS_IN_FULL: usize = 8;
const LONGEST_NAME: usize = 24;
const BAR_WIDTHS: std::ops::RangeInclusive<usize> = 10..=32;

/// Every cell with its map, where it is a grid, and its table; runs of many cells get one line per cell instead. Where intervals were asked that hold at once, these are
/// shown.
#[must_use]
pub fn power_text(statistics: &Statistics, options: &TableOptions, colours: Colours) -> String {
    let statistics = &statistics.clone().shown_at_once();
    if statistics.cells.len() > CELLS_IN_FULL && !options.all {
        let ensembles = ensembles(statistics, options);
        return overview::lines(statistics)
            + &sweep::tables(statistics, options)
            + &overview::rest(statistics)
            + &ensembles
            + &stopped_lines(statistics)
            + &failures(statistics);
    }
    let cells = statistics.cells.iter();
    let parts: Vec<String> = cells
        .map(|cell| {
            let heading = cell_heading(cell, statistics);
            let map = power_map(
                cell,
                &MapOptions {
                    width: options.width,
                    colours,
                },
            );
            let map = map.map_or_else(|| no_map(cell), |map| map + "\n");
            let table = states(cell, statistics.level, options);
            let tables = observed::tables(cell, options);
            format!("{heading}\n{map}{table}{tables}")
        })
        .collect();
    parts.join("\n")
        + &ensembles(statistics, options)
        + &stopped_lines(statistics)
        + &failures(statistics)
}

/// What there is of several environments together.
fn ensembles(statistics: &Statistics, options: &TableOptions) -> String {
    let each = statistics.ensembles.iter().map(|of| {
        let rule = rule_named(&of.rule);
        let tables = of.tables.iter().map(|t| observed::table(t, options));
        format!(
            "\n{} environments{}: goals {}, discount {}{rule}\n{}",
            grouped(of.environments),
            of_variant(&of.variant),
            plain_name(&of.reward, LONGEST_NAME),
            of.discount,
            tables.collect::<Vec<_>>().join("\n")
        )
    });
    each.collect()
}

/// Why there is no map of a grid.
fn no_map(cell: &CellStatistics) -> String {
    match cell.mdp.layout() {
        Some(layout) => format!(
            "(a map takes {} characters a line; power.svg holds it)\n\n",
            2 * layout.columns()
        ),
        None => String::new(),
    }
}

/// Cells without a result, and why.
fn failures(statistics: &Statistics) -> String {
    let failed = statistics.failures.iter().map(|f| {
        format!(
            "FAILED {}, {}: discount {}, {} goals: {}\n",
            plain_name(&f.environment, LONGEST_NAME),
            plain_name(&f.variant, LONGEST_NAME),
            f.discount,
            plain_name(&f.reward, LONGEST_NAME),
            f.error
        )
    });
    failed.collect()
}

/// What a cell is, in two lines, and a warning if some of its goals did not converge.
#[must_use]
pub(super) fn cell_heading(cell: &CellStatistics, statistics: &Statistics) -> String {
    let variant = of_variant(&cell.variant);
    let rule = rule(cell);
    // Nothing was drawn: there is no seed to speak of.
    let drawn = match cell.power.iter().all(|e| e.exact) {
        true => "all goals there are".to_owned(),
        false => format!("seed {}", statistics.seed),
    };
    let of = match cell.proposed == cell.samples {
        true => String::new(),
        false => format!(" that meet the condition, of {}", grouped(cell.proposed)),
    };
    let heading = format!(
        "{}{variant}: {}, {} goals{rule}\nn = {}{of}, {drawn}, {} backend\n",
        plain_name(&cell.environment, LONGEST_NAME),
        discount(cell),
        plain_name(&cell.reward, LONGEST_NAME),
        grouped(cell.samples),
        statistics.backend,
    );
    heading + &unconverged(cell) + &without_interval(cell)
}

/// How agents decide, where that is not the usual way: `, rule boltzmann(5)`.
pub(super) fn rule(cell: &CellStatistics) -> String {
    rule_named(&cell.rule)
}

fn rule_named(rule: &str) -> String {
    match rule {
        "optimal" => String::new(),
        rule => format!(", rule {rule}"),
    }
}

/// Why there is no interval, where the law of the goals allows none.
fn without_interval(cell: &CellStatistics) -> String {
    let heavy = cell.samples >= 2 && cell.power.iter().any(|e| e.std_error.is_none());
    match heavy {
        true => "WARNING: rewards of infinite variance: means have no standard error and no interval; ask for quantiles \
                 (`[statistics] distribution`)\n"
            .to_owned(),
        false => String::new(),
    }
}

/// The discount as asked, and the one used where that differs.
pub(super) fn discount(cell: &CellStatistics) -> String {
    match cell.discount_used {
        Some(used) if used != cell.discount.asked() => {
            format!("discount {} (used {used:.9})", cell.discount)
        }
        _ => format!("discount {}", cell.discount),
    }
}

fn unconverged(cell: &CellStatistics) -> String {
    if cell.unconverged == 0 {
        return String::new();
    }
    let first: Vec<String> = cell
        .unconverged_goals
        .iter()
        .take(5)
        .map(u64::to_string)
        .collect();
    let more = if cell.unconverged > first.len() as u64 {
        ", ..."
    } else {
        ""
    };
    format!(
        "WARNING: {} of {} goals missed the tolerance within the sweep cap (goal {}{more}).\n\
         They are counted with their own, larger bounds.\n",
        grouped(cell.unconverged),
        grouped(cell.proposed),
        first.join(", "),
    )
}

/// Half of the whole interval, statistical and numerical.
pub(super) fn half(estimate: &Estimate) -> f64 {
    (estimate.high - estimate.low) / 2.0
}

/// One number of digits for all rows of a table: that of the median interval.
pub(super) fn table_decimals(power: &[Estimate]) -> usize {
    let mut halves: Vec<f64> = power
        .iter()
        .map(half)
        .filter(|h| *h > 0.0 && h.is_finite())
        .collect();
    halves.sort_by(f64::total_cmp);
    match halves.get(halves.len() / 2) {
        Some(median) => decimals(*median),
        None => decimals(power.first().map_or(0.0, half)),
    }
}

/// States by falling POWER; equal estimates in file order.
pub(super) fn ranking(cell: &CellStatistics) -> Vec<StateId> {
    let mut states: Vec<StateId> = cell.mdp.states().collect();
    states.sort_by(|a, b| {
        cell.power[b.index()]
            .estimate
            .total_cmp(&cell.power[a.index()].estimate)
    });
    states
}

fn states(cell: &CellStatistics, level: f64, options: &TableOptions) -> String {
    let ranking = ranking(cell);
    let whole = options.all || ranking.len() <= WHOLE_UP_TO;
    let shown: Vec<StateId> = if whole {
        ranking.clone()
    } else {
        let bottom = &ranking[ranking.len() - BOTTOM..];
        ranking[..TOP].iter().chain(bottom).copied().collect()
    };
    let axis = Axis::around(shown.iter().flat_map(|s| {
        let e = &cell.power[s.index()];
        [e.low, e.estimate, e.high]
    }));
    let digits = table_decimals(&cell.power);
    // n stands in the heading; only where it differs between states does it need a column.
    let same_n = cell.power.iter().all(|e| e.n == cell.samples);
    let mut rows: Vec<Vec<String>> = shown
        .iter()
        .map(|s| {
            row(
                cell.mdp.state_name(*s),
                &cell.power[s.index()],
                digits,
                same_n,
            )
        })
        .collect();
    let mut header = vec![
        "state".into(),
        cell.measure_heading().into(),
        "low .. high".into(),
        "bound".into(),
    ];
    if !same_n {
        header.push("n".to_owned());
    }
    let taken: usize = (0..header.len())
        .map(|i| column_width(&header, &rows, i) + 2)
        .sum();
    let width = options
        .width
        .saturating_sub(taken)
        .clamp(*BAR_WIDTHS.start(), *BAR_WIDTHS.end());
    header.push(axis.heading(width));
    for (row, s) in rows.iter_mut().zip(&shown) {
        let e = &cell.power[s.index()];
        row.push(interval(e.low, e.estimate, e.high, &axis, width));
    }
    if !whole {
        let mut gap = vec![String::new(); header.len()];
        gap[0] = "...".to_owned();
        rows.insert(TOP, gap);
    }
    let mut text = layout(header, rows);
    if !whole {
        text += &format!(
            "{} of {} states are not shown: `--all` shows them, `--format json` and power.parquet hold them.\n",
            grouped((ranking.len() - shown.len()) as u64),
            grouped(ranking.len() as u64)
        );
    }
    let at_once = match cell.power.iter().any(|e| e.simultaneous_low.is_some()) {
        true => ", wide enough to hold in all rows at once",
        false => "",
    };
    text + &format!(
        "low .. high is the {}% interval{at_once}, widened by the numerical bound.\n",
        level_percent(level)
    )
}

pub(super) fn level_percent(level: f64) -> String {
    let text = format!("{:.6}", level * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn row(name: &str, e: &Estimate, digits: usize, same_n: bool) -> Vec<String> {
    let mut row = vec![
        plain_name(name, LONGEST_NAME),
        with_half_width(e.estimate, half(e), digits),
        format!(
            "{} .. {}",
            outward(e.low, true, digits),
            outward(e.high, false, digits)
        ),
        small(e.bound),
    ];
    if !same_n {
        row.push(grouped(e.n));
    }
    row
}

fn column_width(header: &[String], rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows.iter().map(|r| &r[column]).chain([&header[column]]);
    cells.map(|c| c.chars().count()).max().unwrap_or(0)
}

/// Columns two spaces apart, a rule under the header, no borders.
pub(super) fn layout(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let width = |i| column_width(&header, &rows, i);
    let rule: Vec<String> = (0..header.len()).map(|i| "─".repeat(width(i))).collect();
    let numbers = header.len().saturating_sub(1);
    table.set_header(header);
    table.add_row(rule);
    table.add_rows(rows);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if (1..numbers).contains(&i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;

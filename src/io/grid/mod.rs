//! The grid form: a map of characters, a legend, and the rules of motion.
//!
//! Cells become states row by row. What a move does, [`GridMoves`] says; here stands only which cell is what.

mod cells;
mod legend;
mod map;

use std::collections::BTreeMap;

use cells::{Cell, list_cells, place};
use legend::{Legend, UNKNOWN};
use map::Map;

use super::tree::{self, Start};
use crate::document::{Node, SourceText, Span, Spanned, TableReader};
use crate::mdp::{GridLayout, GridMoves, MdpBuilder, RawChoice, cell_name};
use crate::units::StateId;

/// Reads `[grid]` and, beside it, `start` into the builder. `None` when there is no map to speak of.
pub(super) fn read(
    node: &Spanned<Node>,
    source: &SourceText,
    file: &mut TableReader<'_>,
    builder: &mut MdpBuilder,
) -> Option<()> {
    let mut table = TableReader::open(node, "[grid]", builder.faults())?;
    let map = Map::read(&mut table, source, builder);
    let legend = Legend::read(&mut table, builder);
    let moves = GridMoves::read(&mut table, builder.faults());
    table.finish(builder.faults());
    let (map, is_whole) = map?;
    let cells = place(&map, is_whole, &legend, builder);
    if !is_whole {
        check_targets(&legend, builder);
        return None;
    }
    let start = read_start(&map, &legend, &cells, file, builder);
    let targets = teleport_targets(&legend, start, builder);
    add_labels(&legend, &cells, builder);
    add_choices(&map, &legend, &cells, &targets, &moves, builder);
    let states: Vec<_> = cells.iter().map(|c| c.state).collect();
    builder.layout(GridLayout::new(map.cells.len(), map.cells[0].len(), states));
    Some(())
}

/// The one start cell of the map, or the key `start` beside the grid.
fn read_start(
    map: &Map,
    legend: &Legend,
    cells: &[Cell],
    file: &mut TableReader<'_>,
    builder: &mut MdpBuilder,
) -> Start {
    let columns = map.cells[0].len();
    let starts: Vec<(usize, usize)> = (0..cells.len())
        .filter(|&i| legend.kinds[cells[i].kind].start && cells[i].state.is_some())
        .map(|i| (i / columns, i % columns))
        .collect();
    match starts[..] {
        [] => tree::read_start(file, builder).unwrap_or_else(|| {
            report_no_start(map, cells, builder);
            Start::Faulty
        }),
        [(row, column)] => {
            if let Some((key, _)) = file.take_entry("start") {
                let message = format!(
                    "`start` is given, and the map has a start cell, {}",
                    cell_name(row, column)
                );
                builder.faults().error(key.span.clone(), message);
            }
            cells[row * columns + column]
                .state
                .map_or(Start::Faulty, |state| {
                    builder.start(state);
                    Start::State(state)
                })
        }
        [_, (row, column), ..] => {
            file.take("start");
            let message = format!(
                "the map has {} start cells: {}",
                starts.len(),
                list_cells(&starts)
            );
            let help =
                "for a start distribution give `start = { name = probability, ... }` above [grid]";
            let span = map.span_at(row, column);
            builder.faults().error_with_help(span, message, help);
            Start::Faulty
        }
    }
}

fn report_no_start(map: &Map, cells: &[Cell], builder: &mut MdpBuilder) {
    // A character without a meaning may be the one that was meant.
    if cells.iter().any(|c| c.kind == UNKNOWN) {
        return;
    }
    let columns = map.cells[0].len();
    let first = cells.iter().position(|c| c.state.is_some()).unwrap_or(0);
    let example = cell_name(first / columns, first % columns);
    builder.faults().error_with_help(
        map.span.clone(),
        "the map has no start",
        format!("write S on a cell, or `start = \"{example}\"` above [grid]"),
    );
}

/// For every teleporting legend entry the state it leads to.
fn teleport_targets(
    legend: &Legend,
    start: Start,
    builder: &mut MdpBuilder,
) -> Vec<Option<StateId>> {
    let target = |kind: &legend::Kind| {
        let name = kind.teleport.as_ref()?;
        let role = format!("{}, teleport", kind.place());
        if name.value != "start" {
            return builder.resolve(&name.value, &role, Some(name.span.clone()));
        }
        match start {
            Start::State(state) => Some(state),
            Start::Faulty => None,
            // It would be copied into every neighbouring row: memory far beyond the file's size.
            Start::Distribution => {
                let message =
                    format!("{role}: \"start\" needs one start state, not a distribution");
                builder.faults().error(name.span.clone(), message);
                None
            }
        }
    };
    legend.kinds.iter().map(target).collect()
}

/// Where rows differ in length it is open which cells there are, but not which cells have names.
fn check_targets(legend: &Legend, builder: &mut MdpBuilder) {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_cell = |name: &str| {
        let parts = name.strip_prefix('r').and_then(|n| n.split_once('c'));
        parts.is_some_and(|(row, column)| is_number(row) && is_number(column))
    };
    for kind in &legend.kinds {
        if let Some(name) = &kind.teleport
            && name.value != "start"
            && !is_cell(&name.value)
        {
            let role = format!("{}, teleport", kind.place());
            builder.resolve(&name.value, &role, Some(name.span.clone()));
        }
    }
}

fn add_labels(legend: &Legend, cells: &[Cell], builder: &mut MdpBuilder) {
    let mut members: BTreeMap<&str, (Span, Vec<StateId>)> = BTreeMap::new();
    for cell in cells {
        for label in &legend.kinds[cell.kind].labels {
            let fresh = || (label.span.clone(), Vec::new());
            let entry = members.entry(&label.value).or_insert_with(fresh);
            entry.1.extend(cell.state);
        }
    }
    for (label, (span, states)) in members {
        builder.label_at(label, Some(span), states);
    }
}

fn add_choices(
    map: &Map,
    legend: &Legend,
    cells: &[Cell],
    targets: &[Option<StateId>],
    moves: &GridMoves,
    builder: &mut MdpBuilder,
) {
    let (rows, columns) = (map.cells.len(), map.cells[0].len());
    let enter = |row: i64, column: i64| {
        let row = usize::try_from(row).ok().filter(|&r| r < rows)?;
        let column = usize::try_from(column).ok().filter(|&c| c < columns)?;
        let cell = cells[row * columns + column];
        cell.state.or(targets[cell.kind])
    };
    for (i, cell) in cells.iter().enumerate() {
        let Some(state) = cell.state else { continue };
        let at = (i / columns, i % columns);
        if legend.kinds[cell.kind].terminal {
            builder.absorbing(state);
            continue;
        }
        let span = map.span_at(at.0, at.1);
        let choices = moves.choices(state, at, enter);
        if choices.is_empty() {
            report_boxed_in(map, at, builder);
            builder.absorbing(state);
        }
        for choice in choices {
            builder.raw_choice(RawChoice {
                state,
                action: choice.action.to_owned(),
                to: choice.to,
                span: Some(span.clone()),
            });
        }
    }
}

fn report_boxed_in(map: &Map, (row, column): (usize, usize), builder: &mut MdpBuilder) {
    builder.faults().error_with_help(
        map.span_at(row, column),
        format!(
            "cell {} is boxed in: every move is blocked, and blocked = \"forbidden\"",
            cell_name(row, column)
        ),
        "give it a way out, make it terminal, or allow `stay = true`",
    );
}

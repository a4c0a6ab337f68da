//! The grid form: a map of characters, a legend, and the rules of motion.
//!
//! Cells become states row by row. What a move does, [`GridMoves`] says; here stands only which cell is what.

mod legend;
mod map;

use std::collections::BTreeMap;

use legend::Legend;
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
    let map = map?;
    let cells = place(&map, &legend, builder)?;
    let start = read_start(&map, &legend, &cells, file, builder);
    let targets = teleport_targets(&legend, start, builder);
    add_labels(&legend, &cells, builder);
    add_choices(&map, &legend, &cells, &targets, &moves, builder);
    let states: Vec<_> = cells.iter().map(|c| c.state).collect();
    builder.layout(GridLayout::new(map.cells.len(), map.cells[0].len(), states));
    Some(())
}

/// What stands in one cell.
#[derive(Clone, Copy)]
struct Cell {
    /// Position in the legend.
    kind: usize,
    /// Its state, unless it is a wall or teleports.
    state: Option<StateId>,
}

/// Gives every cell its legend entry and its state, row by row; `None` when some character is unknown.
fn place(map: &Map, legend: &Legend, builder: &mut MdpBuilder) -> Option<Vec<Cell>> {
    let mut unknown: BTreeMap<char, (Span, usize)> = BTreeMap::new();
    let mut positions: Vec<Vec<(usize, usize)>> = vec![Vec::new(); legend.kinds.len()];
    let mut cells = Vec::new();
    for (row, line) in map.cells.iter().enumerate() {
        for (column, &symbol) in line.iter().enumerate() {
            let Some(kind) = legend.find(symbol) else {
                let first = || (map.span_at(row, column), 0);
                unknown.entry(symbol).or_insert_with(first).1 += 1;
                continue;
            };
            positions[kind].push((row, column));
            cells.push((row, column, kind));
        }
    }
    for (kind, found) in legend.kinds.iter().zip(&positions) {
        if let (Some(span), []) = (&kind.span, &found[..]) {
            let message = format!("the legend's {:?} is nowhere on the map", kind.symbol);
            builder.faults().warning(span.clone(), message);
        }
    }
    report_unknown(unknown, builder);
    (cells.len() == map.cells.len() * map.cells[0].len()).then_some(())?;
    check_names(map, legend, &positions, builder);
    let state_of = |(row, column, kind): (usize, usize, usize)| {
        let name = match &legend.kinds[kind].name {
            Some(name) if positions[kind].len() == 1 => name.value.clone(),
            _ => cell_name(row, column),
        };
        let span = map.span_at(row, column);
        let is_state = legend.kinds[kind].is_state();
        let state = is_state.then(|| builder.state_at(name, Some(span)));
        Cell { kind, state }
    };
    Some(cells.into_iter().map(state_of).collect())
}

fn report_unknown(unknown: BTreeMap<char, (Span, usize)>, builder: &mut MdpBuilder) {
    let mut unknown: Vec<_> = unknown.into_iter().collect();
    unknown.sort_by_key(|(_, (span, _))| span.start);
    for (symbol, (span, times)) in unknown {
        let more = match times {
            1 => String::new(),
            n => format!(" ({n} times)"),
        };
        let message = format!("the legend does not say what {symbol:?} is{more}");
        let help =
            format!("add to [grid.legend], for instance: {symbol:?} = {{ label = \"goal\" }}");
        builder.faults().error_with_help(span, message, help);
    }
}

/// A name is for one cell.
fn check_names(
    map: &Map,
    legend: &Legend,
    positions: &[Vec<(usize, usize)>],
    builder: &mut MdpBuilder,
) {
    for (kind, found) in legend.kinds.iter().zip(positions) {
        if let (Some(name), [_, (row, column), ..]) = (&kind.name, &found[..]) {
            let message = format!(
                "the name {:?} is for one cell, but {:?} stands on {}: {}",
                name.value,
                kind.symbol,
                found.len(),
                list_cells(found)
            );
            let help = "use `label`, which names a set of cells";
            let span = map.span_at(*row, *column);
            builder.faults().error_with_help(span, message, help);
        }
    }
}

/// Cell names for a message, the first eight of them.
fn list_cells(cells: &[(usize, usize)]) -> String {
    let shown = cells.iter().take(8).map(|&(r, c)| cell_name(r, c));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if cells.len() > 8 {
        list.push_str(", ...");
    }
    list
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
            builder.faults().error_with_help(
                map.span.clone(),
                "the map has no start",
                format!(
                    "write S on a cell, or `start = \"{}\"` above [grid]",
                    cell_name(0, 0)
                ),
            );
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

/// For every teleporting legend entry the state it leads to.
fn teleport_targets(
    legend: &Legend,
    start: Start,
    builder: &mut MdpBuilder,
) -> Vec<Option<StateId>> {
    let target = |kind: &legend::Kind| {
        let name = kind.teleport.as_ref()?;
        let role = format!("the legend's {:?}, teleport", kind.symbol);
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

//! Which cell is what: the map's characters against the legend.

use std::collections::BTreeMap;

use super::legend::{Legend, UNKNOWN};
use super::map::Map;
use crate::mdp::{MdpBuilder, cell_name};
use crate::units::StateId;

/// What stands in one cell.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    /// Position in the legend.
    pub(super) kind: usize,
    /// Its state, unless it is a wall or teleports.
    pub(super) state: Option<StateId>,
}

/// Row and column.
type Position = (usize, usize);

/// Gives every cell its legend entry and its state, row by row. Unknown characters count as floor once reported. Of a map that is not whole nobody knows what is nowhere on it.
pub(super) fn place(
    map: &Map,
    is_whole: bool,
    legend: &Legend,
    builder: &mut MdpBuilder,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    // Where each legend entry stands.
    let mut positions: Vec<Vec<Position>> = vec![Vec::new(); legend.kinds.len()];
    for (row, line) in map.cells.iter().enumerate() {
        for (column, &symbol) in line.iter().enumerate() {
            let kind = legend.find(symbol);
            positions[kind].push((row, column));
            cells.push((row, column, kind));
        }
    }
    report_unknown(map, &positions[UNKNOWN], builder);
    if is_whole {
        report_unused(legend, &positions, builder);
    }
    report_shared_names(map, legend, &positions, builder);
    let give_state = |(row, column, kind): (usize, usize, usize)| {
        let name = match &legend.kinds[kind].name {
            Some(name) if positions[kind].len() == 1 => name.value.clone(),
            _ => cell_name(row, column),
        };
        let is_state = legend.kinds[kind].is_state();
        let span = is_state.then(|| map.span_at(row, column));
        let state = span.map(|span| builder.state_at(name, Some(span)));
        Cell { kind, state }
    };
    cells.into_iter().map(give_state).collect()
}

/// One fault for every unknown character, where it stands first.
fn report_unknown(map: &Map, positions: &[Position], builder: &mut MdpBuilder) {
    let mut found: BTreeMap<char, (Position, usize)> = BTreeMap::new();
    for &(row, column) in positions {
        let entry = found.entry(map.cells[row][column]);
        entry.or_insert(((row, column), 0)).1 += 1;
    }
    for (symbol, ((row, column), times)) in found {
        let more = match times {
            1 => String::new(),
            n => format!(" ({n} times)"),
        };
        let message = format!("the legend does not say what {symbol:?} is{more}");
        let help =
            format!("add to [grid.legend], for instance: {symbol:?} = {{ label = \"goal\" }}");
        let span = map.span_at(row, column);
        builder.faults().error_with_help(span, message, help);
    }
}

/// A legend entry of the file that the map never uses is a warning.
fn report_unused(legend: &Legend, positions: &[Vec<Position>], builder: &mut MdpBuilder) {
    for (kind, found) in legend.kinds.iter().zip(positions) {
        if let (Some(span), []) = (&kind.span, &found[..]) {
            let message = format!("{} is nowhere on the map", kind.place());
            builder.faults().warning(span.clone(), message);
        }
    }
}

/// A name is for one cell.
fn report_shared_names(
    map: &Map,
    legend: &Legend,
    positions: &[Vec<Position>],
    builder: &mut MdpBuilder,
) {
    for (kind, found) in legend.kinds.iter().zip(positions) {
        if let (Some(name), [_, (row, column), ..]) = (&kind.name, &found[..]) {
            let message = format!(
                "the name {:?} is for one cell, but {} stands on {}: {}",
                name.value,
                kind.place(),
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
pub(super) fn list_cells(cells: &[Position]) -> String {
    let shown = cells.iter().take(8).map(|&(r, c)| cell_name(r, c));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if cells.len() > 8 {
        list.push_str(", ...");
    }
    list
}

//! Grid worlds with random walls.

use super::draw::Draws;
use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::mdp::{GridLayout, GridMoves, cell_name};
use crate::units::StateId;

/// A rectangle of `rows` by `columns` cells, of which a share is walls.
///
/// `floor(walls * rows * columns)` cells, a uniform subset, become walls; of what is left the largest connected part is kept
/// (the one whose first cell in reading order comes first, if several are as large), and the rest is walled up. Two
/// cells are connected when a move leads from one to the other. With `torus` the edges are joined; without, they are walls.
/// States `r0c0`, `r0c1`, ... in reading order; it starts in the first.
///
/// Keys: `rows`, `columns`, `walls` (a share, default 0), `torus` (default false), and those of [`GridMoves::read`]: `moves`,
/// `stay`, `slip`, `blocked`.
///
/// # Addressing
///
/// Item 0. Its words: one for each wall, a Fisher-Yates shuffle of the cells from the last one down: the `k`-th wall is
/// taken from the `rows * columns - k` cells that are still free, and the last of those moves to its place.
#[derive(Clone, Debug, PartialEq)]
pub struct GridWorld {
    /// Number of rows.
    pub rows: u64,
    /// Number of columns.
    pub columns: u64,
    /// Share of walls, in [0, 1).
    pub walls: f64,
    /// Whether the edges are joined.
    pub torus: bool,
    /// How one moves.
    pub moves: GridMoves,
}

#[cfg(test)]
impl GridWorld {
    /// A grid with a choice to stay, whose moves go one of the other ways with probability `p`.
    pub(crate) fn noisy(rows: u64, columns: u64, walls: f64, p: f64) -> super::Family {
        use crate::mdp::{Blocked, Slip, SlipTo};
        super::Family::GridWorld(Self {
            rows,
            columns,
            walls,
            torus: false,
            moves: GridMoves {
                slip: Some(Slip {
                    p,
                    to: SlipTo::Others,
                }),
                stay: true,
                diagonal: false,
                blocked: Blocked::Stay,
            },
        })
    }
}

impl GridWorld {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            rows: from.count("rows"),
            columns: from.count("columns"),
            walls: from.number_or("walls", 0.0),
            torus: from.boolean_or("torus", false),
            moves: from.grid_moves(),
        }
    }

    /// Whether each cell can be stood on, `[rows, columns]`.
    fn free_cells(&self, seed: u64) -> Vec<bool> {
        let n = (self.rows * self.columns) as usize;
        let mut draws = Draws::new(seed, 0);
        let mut order: Vec<u32> = (0..n as u32).collect();
        let mut free = vec![true; n];
        for left in (0..=n).rev().take((self.walls * n as f64) as usize) {
            let wall = order.swap_remove(draws.below(left as u64) as usize);
            free[wall as usize] = false;
        }
        self.largest_part(&free)
    }

    /// The free cells of the largest connected part.
    fn largest_part(&self, free: &[bool]) -> Vec<bool> {
        let mut part_of = vec![u32::MAX; free.len()];
        let mut sizes: Vec<usize> = Vec::new();
        let mut stack = Vec::new();
        for first in (0..free.len()).filter(|&c| free[c]) {
            if part_of[first] != u32::MAX {
                continue;
            }
            let part = sizes.len() as u32;
            let mut size = 0;
            part_of[first] = part;
            stack.push(first);
            while let Some(cell) = stack.pop() {
                size += 1;
                for next in self.neighbours(cell) {
                    if free[next] && part_of[next] == u32::MAX {
                        part_of[next] = part;
                        stack.push(next);
                    }
                }
            }
            sizes.push(size);
        }
        // `max_by_key` would take the last of equals.
        let largest = sizes.iter().copied().max().unwrap_or(0);
        let kept = sizes.iter().position(|&s| s == largest).unwrap_or(0) as u32;
        part_of.iter().map(|&p| p == kept).collect()
    }

    /// Cells that a move leads to, walls included.
    fn neighbours(&self, cell: usize) -> impl Iterator<Item = usize> {
        let (row, column) = self.place(cell);
        let diagonal = self.moves.diagonal;
        let steps = (-1..=1i64).flat_map(|down| (-1..=1i64).map(move |right| (down, right)));
        steps
            .filter(move |&(d, r)| (d, r) != (0, 0) && (diagonal || d == 0 || r == 0))
            .filter_map(move |(d, r)| self.cell_at(row as i64 + d, column as i64 + r))
    }

    /// Row and column of a cell.
    fn place(&self, cell: usize) -> (usize, usize) {
        let columns = self.columns as usize;
        (cell / columns, cell % columns)
    }

    /// The cell at a place: off the map there is none, or the one that a torus has there.
    fn cell_at(&self, row: i64, column: i64) -> Option<usize> {
        let (rows, columns) = (self.rows as i64, self.columns as i64);
        let (row, column) = match self.torus {
            true => (row.rem_euclid(rows), column.rem_euclid(columns)),
            false => (row, column),
        };
        let inside = (0..rows).contains(&row) && (0..columns).contains(&column);
        inside.then_some((row * columns + column) as usize)
    }
}

impl Generator for GridWorld {
    fn name(&self) -> &'static str {
        "gridworld"
    }

    fn is_random(&self) -> bool {
        // A share too small for a single wall is as good as none.
        self.walls * (self.rows as f64) * (self.columns as f64) >= 1.0
    }

    fn check(&self, limits: &mut Limits) {
        limits.count("rows", self.rows, 1..=MAX_STATES);
        limits.count("columns", self.columns, 1..=MAX_STATES);
        limits.share("walls", self.walls);
        limits.states("`rows` * `columns`", &[self.rows, self.columns]);
        if let Some(slip) = self.moves.slip {
            limits.probability("slip", slip.p);
        }
        let moves = self.moves.n_moves() as u64;
        let branching = self.moves.max_branching() as u64;
        limits.transitions(
            "`rows` * `columns` * moves * successors of a move",
            &[self.rows, self.columns, moves, branching],
        );
    }

    fn describe(&self, builder: &mut MdpBuilder, seed: u64) {
        let free = self.free_cells(seed);
        let state_at: Vec<Option<StateId>> = free
            .iter()
            .enumerate()
            .map(|(cell, &free)| {
                let (row, column) = self.place(cell);
                free.then(|| builder.state(cell_name(row, column)))
            })
            .collect();
        let enter = |row, column| self.cell_at(row, column).and_then(|cell| state_at[cell]);
        for (cell, here) in state_at.iter().enumerate() {
            let Some(here) = *here else { continue };
            for choice in self.moves.choices(here, self.place(cell), enter) {
                builder.choice(here, choice.action, choice.to);
            }
        }
        let (rows, columns) = (self.rows as usize, self.columns as usize);
        builder.layout(GridLayout::new(rows, columns, state_at));
    }
}

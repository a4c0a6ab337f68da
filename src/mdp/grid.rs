//! How one moves on a grid: from a cell and what lies around it to the cell's choices.
//!
//! The one place that knows what `moves`, `stay`, `slip` and `blocked` mean. Maps drawn by hand and generated grid
//! worlds both come here; what a cell *is* (wall, terminal, teleporting) they say through a closure.

use crate::document::{Faults, Node, TableReader};
use crate::units::StateId;

/// Where the agent goes when it slips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlipTo {
    /// To each of the other moves with equal probability, `stay` among them where it is a move.
    Others,
    /// To each of the two moves at a right angle with half the probability (AIMA, FrozenLake). `stay` has no right
    /// angle: it never slips.
    Perpendicular,
}

/// With probability `p` another move happens than the one chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slip {
    /// Probability of slipping, in [0, 1].
    pub p: f64,
    /// What happens then.
    pub to: SlipTo,
}

/// What happens to a move that leads into a wall or off the map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocked {
    /// The agent remains where it is. The choice stays a choice of its own, equal to others though it may be.
    #[default]
    Stay,
    /// The choice does not exist. A slip into a blocked cell leaves the agent where it is.
    Forbidden,
}

/// The rules of motion of a grid.
///
/// ```
/// use powersweep::StateId;
/// use powersweep::mdp::{Blocked, GridMoves};
///
/// // A corridor of three cells, seen from its left end.
/// let moves = GridMoves { stay: true, blocked: Blocked::Forbidden, ..GridMoves::default() };
/// let enter = |row: i64, column: i64| (row == 0 && (0..3).contains(&column)).then_some(StateId(column as u32));
/// let choices = moves.choices(StateId(0), (0, 0), enter);
/// let names: Vec<_> = choices.iter().map(|c| c.action).collect();
/// assert_eq!(names, ["stay", "east"]);
/// assert_eq!(choices[1].to, [(StateId(1), 1.0)]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GridMoves {
    /// Whether the four diagonal moves exist. They may cut corners: only the cell they lead to counts.
    pub diagonal: bool,
    /// Whether staying put is a move.
    pub stay: bool,
    /// Slipping, if any.
    pub slip: Option<Slip>,
    /// What a blocked move does.
    pub blocked: Blocked,
}

/// One choice of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct GridChoice {
    /// The move's name: `stay`, `north`, ..., `south-east`.
    pub action: &'static str,
    /// Distinct successors in the order of the moves that lead to them, positive probabilities that sum to one.
    pub to: Vec<(StateId, f64)>,
}

/// The name of a cell's state where nobody gave it another: `r0c0` is the one at the top left.
#[must_use]
pub fn cell_name(row: usize, column: usize) -> String {
    format!("r{row}c{column}")
}

/// A move's name and its step in rows (downwards) and columns (to the right).
type Move = (&'static str, i64, i64);

const STAY: Move = ("stay", 0, 0);
const STRAIGHT: [Move; 4] = [
    ("north", -1, 0),
    ("south", 1, 0),
    ("west", 0, -1),
    ("east", 0, 1),
];
const DIAGONAL: [Move; 4] = [
    ("north-west", -1, -1),
    ("north-east", -1, 1),
    ("south-west", 1, -1),
    ("south-east", 1, 1),
];

impl GridMoves {
    /// Reads `moves` (4 or 8, default 4), `stay` (default false), `slip` (`{ p = 0.1, to = "others" }` or
    /// `"perpendicular"`, default none) and `blocked` (`"stay"`, the default, or `"forbidden"`).
    ///
    /// What cannot be read is a fault and keeps its default, so that the rest is checked too.
    pub fn read(table: &mut TableReader<'_>, faults: &mut Faults) -> Self {
        let diagonal = match table.count("moves", faults) {
            Some(n) if n.value == 8 => true,
            Some(n) if n.value != 4 => {
                let message = format!(
                    "`moves` in {} must be 4 or 8, this is {}",
                    table.place(),
                    n.value
                );
                faults.error_with_help(n.span, message, "staying put is the key `stay`");
                false
            }
            _ => false,
        };
        let stay = table.boolean("stay", faults).is_some_and(|b| b.value);
        let slip = read_slip(table, faults);
        let blocked = match table.string("blocked", faults) {
            None => Blocked::default(),
            Some(word) if word.value == "stay" => Blocked::Stay,
            Some(word) if word.value == "forbidden" => Blocked::Forbidden,
            Some(word) => {
                let message = format!(
                    "`blocked` in {} must be \"stay\" or \"forbidden\", this is {:?}",
                    table.place(),
                    word.value
                );
                faults.error(word.span, message);
                Blocked::default()
            }
        };
        Self {
            diagonal,
            stay,
            slip,
            blocked,
        }
    }

    /// The choices of the cell at (row, column), whose state is `here`.
    ///
    /// `enter(row, column)` says which state one is in after stepping on that cell: its own, or another one if the
    /// cell teleports; `None` if nobody can step there. It is asked about cells off the map as well: a torus wraps them.
    ///
    /// The list is empty only where every move is blocked, `blocked` is [`Blocked::Forbidden`] and there is no `stay`.
    #[must_use]
    pub fn choices(
        &self,
        here: StateId,
        cell: (usize, usize),
        enter: impl Fn(i64, i64) -> Option<StateId>,
    ) -> Vec<GridChoice> {
        let (row, column) = (cell.0 as i64, cell.1 as i64);
        let moves: Vec<Move> = self.moves().collect();
        let arrive: Vec<Option<StateId>> = moves
            .iter()
            .map(|&(_, down, right)| match (down, right) {
                // Staying is no entering: it neither teleports nor is it ever blocked.
                (0, 0) => Some(here),
                _ => enter(row + down, column + right),
            })
            .collect();
        let chosen =
            (0..moves.len()).filter(|&m| self.blocked == Blocked::Stay || arrive[m].is_some());
        chosen
            .map(|m| GridChoice {
                action: moves[m].0,
                to: self.row(m, &moves, |n| arrive[n].unwrap_or(here)),
            })
            .collect()
    }

    /// Number of moves, `stay` among them.
    #[must_use]
    pub fn n_moves(&self) -> usize {
        self.moves().count()
    }

    /// Largest number of successors that a choice can have.
    #[must_use]
    pub fn max_branching(&self) -> usize {
        match self.slip {
            None => 1,
            Some(slip) if slip.p == 0.0 => 1,
            Some(slip) if slip.to == SlipTo::Others => self.n_moves(),
            Some(_) => 3,
        }
    }

    fn moves(&self) -> impl Iterator<Item = Move> + use<> {
        let stay = self.stay.then_some(STAY);
        let diagonal = if self.diagonal { &DIAGONAL[..] } else { &[] };
        stay.into_iter()
            .chain(STRAIGHT)
            .chain(diagonal.iter().copied())
    }

    /// The distribution over successors when `chosen` is the move meant.
    fn row(
        &self,
        chosen: usize,
        moves: &[Move],
        arrive: impl Fn(usize) -> StateId,
    ) -> Vec<(StateId, f64)> {
        let mut row: Vec<(StateId, f64)> = Vec::with_capacity(self.max_branching());
        for happens in 0..moves.len() {
            let p = self.probability(chosen, happens, moves);
            // No zero entries: the builder would warn about each.
            if p == 0.0 {
                continue;
            }
            let to = arrive(happens);
            match row.iter_mut().find(|(s, _)| *s == to) {
                Some((_, sum)) => *sum += p,
                None => row.push((to, p)),
            }
        }
        row
    }

    /// Probability that move `happens` is made when move `chosen` is meant.
    fn probability(&self, chosen: usize, happens: usize, moves: &[Move]) -> f64 {
        let intended = chosen == happens;
        let Some(slip) = self.slip else {
            return f64::from(u8::from(intended));
        };
        let (_, down, right) = moves[chosen];
        match slip.to {
            SlipTo::Others if intended => 1.0 - slip.p,
            SlipTo::Others => slip.p / (moves.len() - 1) as f64,
            SlipTo::Perpendicular if (down, right) == (0, 0) => f64::from(u8::from(intended)),
            SlipTo::Perpendicular if intended => 1.0 - slip.p,
            SlipTo::Perpendicular => {
                let (_, d, r) = moves[happens];
                let right_angle = (d, r) == (right, -down) || (d, r) == (-right, down);
                f64::from(u8::from(right_angle)) * slip.p / 2.0
            }
        }
    }
}

fn read_slip(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Slip> {
    let place = format!("`slip` in {}", table.place());
    let node = table.take("slip")?;
    if !matches!(node.value, Node::Table(_)) {
        faults.error_with_help(
            node.span.clone(),
            format!(
                "{place} must be a table, this is {}",
                node.value.type_name()
            ),
            "write slip = { p = 0.1, to = \"others\" } or to = \"perpendicular\"",
        );
        return None;
    }
    let mut inner = TableReader::open(node, place.clone(), faults)?;
    let given = inner.require("p", faults).is_some();
    let p = given.then(|| inner.number("p", faults)).flatten();
    let p = p.filter(|p| {
        let inside = (0.0..=1.0).contains(&p.value);
        if !inside {
            let message = format!("`p` in {place} must be a probability, this is {}", p.value);
            faults.error(p.span.clone(), message);
        }
        inside
    });
    let to = match inner.string("to", faults) {
        None => SlipTo::Others,
        Some(word) if word.value == "others" => SlipTo::Others,
        Some(word) if word.value == "perpendicular" => SlipTo::Perpendicular,
        Some(word) => {
            let message = format!(
                "`to` in {place} must be \"others\" or \"perpendicular\", this is {:?}",
                word.value
            );
            faults.error(word.span, message);
            SlipTo::Others
        }
    };
    inner.finish(faults);
    Some(Slip { p: p?.value, to })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{SourceText, parse_toml};

    /// A map of `.` and `#` whose states are numbered row by row, walls included.
    fn enter(map: &'static [&'static str]) -> impl Fn(i64, i64) -> Option<StateId> {
        move |row, column| {
            let line = map.get(usize::try_from(row).ok()?)?;
            let cell = line.as_bytes().get(usize::try_from(column).ok()?)?;
            (*cell == b'.').then(|| StateId((row as usize * line.len()) as u32 + column as u32))
        }
    }

    fn slipping(p: f64, to: SlipTo) -> GridMoves {
        GridMoves {
            stay: true,
            slip: Some(Slip { p, to }),
            ..GridMoves::default()
        }
    }

    #[test]
    fn a_blocked_move_stays_a_choice_or_is_left_out() {
        let map = &["..", "#."];
        let mut moves = GridMoves::default();
        let choices = moves.choices(StateId(0), (0, 0), enter(map));
        let to: Vec<_> = choices.iter().map(|c| (c.action, c.to[0].0.0)).collect();
        assert_eq!(to, [("north", 0), ("south", 0), ("west", 0), ("east", 1)]);
        moves.blocked = Blocked::Forbidden;
        let choices = moves.choices(StateId(0), (0, 0), enter(map));
        let to: Vec<_> = choices.iter().map(|c| (c.action, c.to[0].0.0)).collect();
        assert_eq!(to, [("east", 1)]);
    }

    #[test]
    fn a_slip_to_the_others_shares_out_equally_and_walls_send_it_back() {
        let map = &["...", "...", "..."];
        let moves = slipping(0.1, SlipTo::Others);
        let choices = moves.choices(StateId(4), (1, 1), enter(map));
        assert_eq!(choices.len(), 5);
        let north: Vec<_> = [4, 1, 7, 3, 5].map(StateId).into();
        assert_eq!(choices[1].to.iter().map(|t| t.0).collect::<Vec<_>>(), north);
        assert_eq!(
            choices[1].to.iter().map(|t| t.1).collect::<Vec<_>>(),
            [0.025, 0.9, 0.025, 0.025, 0.025]
        );
        // In the corner, north and west come back: 0.9 + 2 * 0.025 for `stay`.
        let corner = moves.choices(StateId(0), (0, 0), enter(map));
        assert_eq!(corner[0].to[0], (StateId(0), 0.9 + 0.025 + 0.025));
    }

    #[test]
    fn a_perpendicular_slip_goes_to_the_sides_and_never_back() {
        let map = &["...", "...", "..."];
        let moves = slipping(0.2, SlipTo::Perpendicular);
        let choices = moves.choices(StateId(4), (1, 1), enter(map));
        assert_eq!(choices[0].to, [(StateId(4), 1.0)]);
        assert_eq!(
            choices[1].to,
            [(StateId(1), 0.8), (StateId(3), 0.1), (StateId(5), 0.1)]
        );
        let all = GridMoves {
            diagonal: true,
            ..moves
        };
        let choices = all.choices(StateId(4), (1, 1), enter(map));
        assert_eq!(choices[5].action, "north-west");
        let mut to = choices[5].to.clone();
        to.sort_by_key(|t| t.0);
        assert_eq!(
            to,
            [(StateId(0), 0.8), (StateId(2), 0.1), (StateId(6), 0.1)]
        );
    }

    #[test]
    fn every_row_sums_to_one_at_every_slip() {
        let map = &[".#.", "...", ".#."];
        // Nine terms of at most one, each rounded once and added once: 18 half-units in the last place.
        let allowance = 18.0 * f64::EPSILON / 2.0;
        for p in [0.0, 0.1, 1.0 / 3.0, 2.0 / 3.0, 0.999, 1.0] {
            for to in [SlipTo::Others, SlipTo::Perpendicular] {
                for diagonal in [false, true] {
                    let moves = GridMoves {
                        diagonal,
                        ..slipping(p, to)
                    };
                    for choice in moves.choices(StateId(4), (1, 1), enter(map)) {
                        let sum: f64 = choice.to.iter().map(|t| t.1).sum();
                        assert!((sum - 1.0).abs() <= allowance, "{choice:?} sums to {sum}");
                        assert!(choice.to.iter().all(|t| t.1 > 0.0));
                        assert!(choice.to.len() <= moves.max_branching());
                    }
                }
            }
        }
    }

    #[test]
    fn a_forbidden_move_can_still_be_slipped_into_and_then_stays() {
        let moves = GridMoves {
            blocked: Blocked::Forbidden,
            stay: false,
            ..slipping(0.2, SlipTo::Perpendicular)
        };
        let choices = moves.choices(StateId(0), (0, 0), enter(&[".."]));
        assert_eq!(choices.len(), 1);
        assert_eq!(choices[0].to.len(), 2);
        assert_eq!(choices[0].to[0], (StateId(0), 0.1 + 0.1));
        assert_eq!(choices[0].to[1], (StateId(1), 0.8));
    }

    #[test]
    fn all_faults_of_the_rules_are_found_at_once() {
        let text = "moves = 5\nstay = 1\nslip = { p = 1.5, to = \"sideways\", q = 1 }\nblocked = \"bounce\"\n";
        let source = SourceText::new("grid.toml", text);
        let mut faults = Faults::about(source.clone());
        let node = parse_toml(&source, &mut faults);
        let mut table = TableReader::open(&node, "[grid]", &mut faults).unwrap();
        let moves = GridMoves::read(&mut table, &mut faults);
        table.finish(&mut faults);
        assert_eq!(moves, GridMoves::default());
        insta::assert_snapshot!(faults.to_string(), @r#"
        grid.toml:1:9: error: `moves` in [grid] must be 4 or 8, this is 5 (help: staying put is the key `stay`)
        grid.toml:2:8: error: `stay` in [grid] must be true or false, this is 1
        grid.toml:3:14: error: `p` in `slip` in [grid] must be a probability, this is 1.5
        grid.toml:3:24: error: `to` in `slip` in [grid] must be "others" or "perpendicular", this is "sideways"
        grid.toml:3:36: error: unknown key `q` in `slip` in [grid] (help: did you mean `p`?)
        grid.toml:4:11: error: `blocked` in [grid] must be "stay" or "forbidden", this is "bounce"
        "#);
    }
}

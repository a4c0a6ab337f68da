//! A number per state drawn where the states lie on their grid: on a terminal in colours, elsewhere in digits.

use super::bar::Axis;
use super::colour::{Colours, Rgb, viridis};
use super::digits::{cell_decimals, fixed, plain_name};
use super::marks::Marks;
use super::table::table_decimals;
use crate::experiment::CellStatistics;
use crate::mdp::{GridLayout, Mdp};
use crate::units::StateId;

/// What a map may take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapOptions {
    /// Characters per line.
    pub width: usize,
    /// Colours of the output.
    pub colours: Colours,
}

impl Default for MapOptions {
    fn default() -> Self {
        Self {
            width: 80,
            colours: Colours::None,
        }
    }
}

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// One number per state, `[n_states]`.
    pub values: &'a [f64],
    /// Digits after the point that are worth showing.
    pub decimals: usize,
    /// First line; none if it is empty.
    pub title: &'a str,
    /// A text of at most three characters for every state, `[n_states]`, drawn instead of its number.
    pub texts: Option<&'a [String]>,
}

impl Field<'_> {
    /// Digits of the numbers that stand in cells.
    fn cell_decimals(&self) -> usize {
        let scale = scale(self.values);
        cell_decimals(scale.high - scale.low, self.decimals)
    }
}

/// POWER of a cell on its grid; `None` where the MDP has no layout or the grid is wider than the output.
#[must_use]
pub fn power_map(cell: &CellStatistics, options: &MapOptions) -> Option<String> {
    let values: Vec<f64> = cell.power.iter().map(|e| e.estimate).collect();
    let field = Field {
        values: &values,
        decimals: table_decimals(&cell.power),
        title: "",
        texts: None,
    };
    grid_map(&cell.mdp, &field, options)
}

/// A field on the grid of `mdp`; `None` where it has no layout or the grid is wider than the output.
#[must_use]
pub fn grid_map(mdp: &Mdp, field: &Field<'_>, options: &MapOptions) -> Option<String> {
    let layout = mdp.layout()?;
    let style = Style::fitting(layout, field, options)?;
    let map = Map {
        mdp,
        layout,
        field,
        colours: options.colours,
        scale: scale(field.values),
        marks: Marks::of(mdp),
    };
    let mut text = match field.title {
        "" => String::new(),
        title => format!("{title}\n"),
    };
    for row in 0..layout.rows() {
        text += &map.row(row, style);
    }
    Some(text + &map.legend(style))
}

/// How much room a cell of the grid gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Its number (or text), `width` characters wide and one line or, in colour, three lines high.
    Values { width: usize, lines: usize },
    /// Two characters: its letter, and a digit for its tenth of the scale or a colour.
    Shades,
}

/// Most lines a map with numbers may take; higher ones are drawn in shades.
const MOST_LINES: usize = 36;

impl Style {
    fn fitting(layout: &GridLayout, field: &Field<'_>, options: &MapOptions) -> Option<Self> {
        let width = match field.texts {
            // The letter, three characters and a space.
            Some(_) => 5,
            // The letter, a number such as 0.82 and a space; three digits tell neighbours apart on most maps.
            None => field.cell_decimals() + widest_integer(field.values) + 3,
        };
        let tall = options.colours != Colours::None && 3 * layout.rows() <= MOST_LINES;
        let lines = if tall && field.texts.is_none() { 3 } else { 1 };
        if layout.columns() * width <= options.width && layout.rows() <= MOST_LINES {
            return Some(Self::Values { width, lines });
        }
        (2 * layout.columns() <= options.width).then_some(Self::Shades)
    }
}

/// Characters before the decimal point.
fn widest_integer(values: &[f64]) -> usize {
    let widths = values
        .iter()
        .filter(|v| v.is_finite())
        .map(|v| fixed(v.trunc(), 0).len());
    widths.max().unwrap_or(1)
}

/// Smallest and largest number, the ends of the ramp.
fn scale(values: &[f64]) -> Axis {
    let finite = values.iter().filter(|v| v.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| {
        (l.min(v), h.max(v))
    });
    if low < high {
        Axis {
            low,
            high,
            decimals: 0,
        }
    } else {
        // One value only: it is painted in the middle of the ramp.
        let low = if low.is_finite() { low } else { 0.0 };
        Axis {
            low: low - 1.0,
            high: low + 1.0,
            decimals: 0,
        }
    }
}

struct Map<'a> {
    mdp: &'a Mdp,
    layout: &'a GridLayout,
    field: &'a Field<'a>,
    colours: Colours,
    scale: Axis,
    marks: Marks,
}

/// Walls: a grey that the ramp does not hold.
const WALL: Rgb = Rgb(0x6b, 0x6b, 0x6b);

impl Map<'_> {
    fn row(&self, row: usize, style: Style) -> String {
        let (width, lines) = match style {
            Style::Values { width, lines } => (width, lines),
            Style::Shades => (2, 1),
        };
        let mut text = String::new();
        for line in 0..lines {
            let mut plain = String::new();
            for column in 0..self.layout.columns() {
                let Some(state) = self.layout.state_at(row, column) else {
                    plain += &self.wall(width);
                    continue;
                };
                let content = match (style, line == lines / 2) {
                    (Style::Shades, _) => self.shade(state),
                    (_, true) => self.value(state, width, lines > 1),
                    (_, false) => self.corner(state, width, line),
                };
                let share = self.scale.share(self.field.values[state.index()]);
                plain += &self.colours.on(viridis(share), &content);
            }
            text += plain.trim_end_matches(' ');
            text.push('\n');
        }
        text
    }

    fn wall(&self, width: usize) -> String {
        match self.colours {
            Colours::None => "#".repeat(width),
            colours => colours.on(WALL, &" ".repeat(width)),
        }
    }

    /// The letter and the number of a state. In cells of three lines the letter stands in the first one.
    fn value(&self, state: StateId, width: usize, tall: bool) -> String {
        let number = match self.field.texts {
            Some(texts) => texts[state.index()].clone(),
            None => fixed(self.field.values[state.index()], self.field.cell_decimals()),
        };
        let letter = self.marks.letter(state).filter(|_| !tall).unwrap_or(' ');
        format!("{letter}{number:^inner$} ", inner = width - 2)
    }

    fn corner(&self, state: StateId, width: usize, line: usize) -> String {
        let letter = self
            .marks
            .letter(state)
            .filter(|_| line == 0)
            .unwrap_or(' ');
        format!(" {letter}{}", " ".repeat(width - 2))
    }

    /// Two characters: a text's only character, or the letter of a state and, without colours, a digit.
    fn shade(&self, state: StateId) -> String {
        if let Some(texts) = self.field.texts {
            let mut characters = texts[state.index()].chars();
            let first = characters.next().unwrap_or(' ');
            let only = if characters.next().is_none() {
                first
            } else {
                '+'
            };
            return format!("{only} ");
        }
        let letter = self.marks.letter(state).unwrap_or(' ');
        match self.colours {
            Colours::None => {
                let share = self.scale.share(self.field.values[state.index()]);
                format!("{letter}{}", ((share * 10.0) as usize).min(9))
            }
            _ => format!("{letter} "),
        }
    }

    /// What the colours or digits and the letters stand for.
    fn legend(&self, style: Style) -> String {
        let mut text = self.ramp(style);
        let wall = (0..self.layout.rows())
            .any(|r| (0..self.layout.columns()).any(|c| self.layout.state_at(r, c).is_none()));
        // Where a cell has room for one character only, that is the text's.
        let lettered = self.field.texts.is_none() || style != Style::Shades;
        let letters = self.marks.legend.iter().filter(|_| lettered);
        let mut entries: Vec<String> = letters
            .map(|(letter, meaning)| format!("{letter} {meaning}"))
            .collect();
        if wall {
            let block = match self.colours {
                Colours::None => "#".to_owned(),
                colours => colours.on(WALL, "  "),
            };
            entries.push(format!("{block} wall"));
        }
        text += &entries.join("   ");
        text.push('\n');
        text + &self.elsewhere()
    }

    fn ramp(&self, style: Style) -> String {
        let decimals = self.field.decimals;
        let (low, high) = (
            fixed(self.scale.low, decimals),
            fixed(self.scale.high, decimals),
        );
        match (self.colours, style) {
            (Colours::None, _) if self.field.texts.is_some() => String::new(),
            (Colours::None, Style::Values { .. }) => String::new(),
            (Colours::None, Style::Shades) => {
                format!("0 = {low} and above, in tenths up to 9 = {high}\n")
            }
            (colours, _) => {
                let steps = (0..32).map(|i| colours.on(viridis(f64::from(i) / 31.0), " "));
                format!("{low} {} {high}\n", steps.collect::<String>())
            }
        }
    }

    /// States that have no place on the map, the first few of them by name.
    fn elsewhere(&self) -> String {
        let mut placed = vec![false; self.mdp.n_states()];
        for row in 0..self.layout.rows() {
            for column in 0..self.layout.columns() {
                if let Some(s) = self.layout.state_at(row, column) {
                    placed[s.index()] = true;
                }
            }
        }
        let missing: Vec<StateId> = self.mdp.states().filter(|s| !placed[s.index()]).collect();
        if missing.is_empty() {
            return String::new();
        }
        let named = missing.iter().take(5).map(|s| {
            let value = match self.field.texts {
                Some(texts) => texts[s.index()].clone(),
                None => fixed(self.field.values[s.index()], self.field.decimals),
            };
            format!("{} {value}", plain_name(self.mdp.state_name(*s), 16))
        });
        let named: Vec<String> = named.collect();
        let more = if missing.len() > 5 { ", ..." } else { "" };
        format!("not on the map: {}{more}\n", named.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{cell, grid, ring};

    const MAZE: [&str; 4] = ["S..#", ".#..", "..g.", "...#"];

    #[test]
    fn a_small_grid_shows_its_numbers() {
        insta::assert_snapshot!(power_map(&cell(grid(&MAZE)), &MapOptions::default()).unwrap());
    }

    #[test]
    fn a_wide_grid_shows_tenths_of_the_scale() {
        let options = MapOptions {
            width: 12,
            ..MapOptions::default()
        };
        insta::assert_snapshot!(power_map(&cell(grid(&MAZE)), &options).unwrap());
    }

    #[test]
    fn colours_are_closed_on_every_line() {
        for colours in [Colours::Ansi256, Colours::True] {
            let text = power_map(&cell(grid(&MAZE)), &MapOptions { width: 80, colours }).unwrap();
            for line in text.lines().filter(|l| l.contains('\u{1b}')) {
                assert_eq!(
                    line.matches("\u{1b}[0m").count(),
                    line.matches("\u{1b}[48;").count(),
                    "{line:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_drawn_without_a_layout_or_without_room() {
        assert_eq!(power_map(&cell(ring(4)), &MapOptions::default()), None);
        let narrow = MapOptions {
            width: 7,
            ..MapOptions::default()
        };
        assert_eq!(power_map(&cell(grid(&MAZE)), &narrow), None);
    }

    #[test]
    fn equal_values_do_not_divide_by_zero() {
        let mut flat = cell(grid(&["S."]));
        flat.power[1] = flat.power[0];
        assert!(
            power_map(&flat, &MapOptions::default())
                .unwrap()
                .contains("0.500")
        );
    }
}

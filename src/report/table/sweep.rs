//! Runs of many cells: what was asked beyond POWER, a line for each cell and a column for each row of the statistic, side by side as far as the width goes.

use std::collections::{HashMap, HashSet};

use super::{LONGEST_NAME, TableOptions, layout};
use crate::experiment::{CellStatistics, Statistics};
use crate::report::digits::{counted, grouped, plain_name};
use crate::report::observed::measure_of;
use crate::statistics::{Key, Measure, Table, TableRow};

/// Lines that a statistic may take: cells beyond are left out, and columns are continued below while there is room.
const LINES: usize = 40;
/// Rows of a statistic up to which each has a sheet of its own, with all that is measured of it.
const SHEETS: usize = 2;
const LONGEST_PART: usize = 14;

/// Every statistic of all cells, each after an empty line.
pub(super) fn tables(statistics: &Statistics, options: &TableOptions) -> String {
    let mut names: Vec<&str> = Vec::new();
    for table in statistics.cells.iter().flat_map(|cell| &cell.tables) {
        if !names.contains(&table.name) {
            names.push(table.name);
        }
    }
    let of = |name: &&str| {
        let cells = statistics.cells.iter();
        let all: Vec<_> = cells
            .filter_map(|cell| Some((cell, cell.table(name)?)))
            .collect();
        statistic(&all, options.width)
    };
    names.iter().map(of).collect()
}

/// One statistic of the cells that have it.
fn statistic(all: &[(&CellStatistics, &Table)], width: usize) -> String {
    let shown = &all[..all.len().min(LINES)];
    let mut text = String::new();
    for part in parts(shown) {
        for sheet in sheets(shown, &part) {
            text += &format!("\n{}", sheet.text(shown, width));
        }
    }
    let name = all.first().map_or("", |(_, table)| table.name);
    match all.len() - shown.len() {
        0 => text,
        n => text + &format!("{} more cells: {name}.parquet.\n", grouped(n as u64)),
    }
}

/// A row of a statistic: what it is called.
type Name = Vec<Key>;

/// The rows of a statistic in the cells, in order; those of `differences` apart for each statistic that they are of.
fn parts(shown: &[(&CellStatistics, &Table)]) -> Vec<Vec<Name>> {
    let mut parts: Vec<Vec<Name>> = Vec::new();
    let mut known = HashSet::new();
    for (_, table) in shown {
        let new = table.rows.iter().map(|row| name(table, row));
        for name in new.filter(|name| known.insert(name.clone())) {
            let is_of = |part: &&mut Vec<Name>| !is_split(table) || part[0][0] == name[0];
            match parts.iter_mut().find(is_of) {
                Some(part) => part.push(name),
                None => parts.push(vec![name]),
            }
        }
    }
    parts
}

/// Whether the first key says what the rows are of.
fn is_split(table: &Table) -> bool {
    table.keys.first().is_some_and(|key| key.0 == "statistic")
}

fn name(table: &Table, row: &TableRow) -> Name {
    let keys = table.keys.iter().zip(&row.keys);
    let named = keys.filter(|((_, kind), _)| kind.is_name());
    named.map(|(_, key)| key.clone()).collect()
}

/// Numbers of the cells under a heading.
struct Column {
    heading: String,
    /// By cell.
    entries: Vec<String>,
    /// Characters of the longest of all these.
    width: usize,
    /// How far the numbers of two cells are apart.
    spread: f64,
}

impl Column {
    /// Not that nothing is undecided anywhere.
    fn is_telling(&self) -> bool {
        self.heading != "undecided" || self.entries.iter().any(|e| e != "0.000" && e != "-")
    }

    fn new(heading: String, entries: Vec<String>, spread: f64) -> Self {
        let all = entries.iter().chain([&heading]);
        Self {
            width: all.map(|text| text.chars().count()).max().unwrap_or(0),
            heading,
            entries,
            spread,
        }
    }
}

/// Columns under one title.
struct Sheet {
    /// Name of the statistic.
    of: &'static str,
    title: String,
    columns: Vec<Column>,
    /// Whether all columns must be shown.
    is_whole: bool,
}

/// Few rows: a sheet for each, with a column for each measure. Many: one sheet of the first measure, with a column for each row.
fn sheets(shown: &[(&CellStatistics, &Table)], part: &[Name]) -> Vec<Sheet> {
    let Some((_, first)) = shown.first() else {
        return Vec::new();
    };
    let rows: Vec<HashMap<Name, &TableRow>> = (shown.iter())
        .map(|(_, table)| {
            table
                .rows
                .iter()
                .map(|row| (name(table, row), row))
                .collect()
        })
        .collect();
    let column = |name: &Name, measure: usize, heading: String| {
        let (mut entries, mut least, mut most) = (Vec::new(), f64::INFINITY, f64::NEG_INFINITY);
        for ((_, table), rows) in shown.iter().zip(&rows) {
            let row = rows.get(name);
            let found = row.filter(|row| row.measures[measure] != Measure::Missing);
            entries.push(found.map_or("-".to_owned(), |row| measure_of(table, row, measure)));
            let number = match found.map(|row| row.measures[measure]) {
                Some(Measure::Estimate(e)) => e.estimate,
                Some(Measure::Number(x)) => x,
                _ => continue,
            };
            (least, most) = (least.min(number), most.max(number));
        }
        let is_there = least <= most;
        is_there.then(|| Column::new(heading, entries, most - least))
    };
    if part.len() <= SHEETS {
        let each = part.iter().map(|name| Sheet {
            of: first.name,
            title: titled(first.name, words(name, ", ", LONGEST_NAME)),
            columns: (first.measures.iter().enumerate())
                .filter_map(|(at, measure)| column(name, at, (*measure).to_owned()))
                .filter(Column::is_telling)
                .collect(),
            is_whole: true,
        });
        return each.collect();
    }
    // What all rows are of stands in the title.
    let skipped = usize::from(is_split(first));
    let all = words(&part[0][..skipped], "", LONGEST_NAME);
    let measure = match first.measures {
        ["difference", ..] => String::new(),
        measures => measures.first().map_or("", |m| m).to_owned(),
    };
    vec![Sheet {
        of: first.name,
        title: titled(first.name, all + &measure),
        columns: (part.iter())
            .filter_map(|name| column(name, 0, words(&name[skipped..], " ", LONGEST_PART)))
            .collect(),
        is_whole: false,
    }]
}

fn titled(name: &str, of: String) -> String {
    match of.is_empty() {
        true => name.to_owned(),
        false => format!("{name}: {of}"),
    }
}

fn words(name: &[Key], between: &str, longest: usize) -> String {
    let words = name.iter().filter_map(|key| match key {
        Key::Text(text) => Some(plain_name(text, longest)),
        Key::Count(n) => Some(grouped(*n)),
        Key::Missing => None,
    });
    words.collect::<Vec<_>>().join(between)
}

impl Sheet {
    fn text(&self, cells: &[(&CellStatistics, &Table)], width: usize) -> String {
        let total = self.columns.len();
        let cells: Vec<&CellStatistics> = cells.iter().map(|(cell, _)| *cell).collect();
        let lead = which(&cells);
        let left: usize = lead.iter().map(|column| column.width + 2).sum();
        let panels = match self.is_whole {
            true => usize::MAX,
            false => (LINES / (cells.len() + 3)).max(1),
        };
        let room = width.saturating_sub(left);
        let shown = most_different(&self.columns, |columns| {
            split(columns, room).len() <= panels
        });
        let mut text = format!("{}\n", self.title);
        for (i, panel) in split(&shown, room).into_iter().enumerate() {
            if i > 0 {
                text.push('\n');
            }
            let columns: Vec<&Column> = lead.iter().chain(panel.iter().copied()).collect();
            // The last column is laid out as a picture is, to the left: an empty one keeps the numbers to the right.
            let header = columns.iter().map(|c| c.heading.clone());
            let row = |cell: usize| {
                let entries = columns.iter().map(|c| c.entries[cell].clone());
                entries.chain([String::new()]).collect()
            };
            let rows = (0..cells.len()).map(row).collect();
            text += &layout(header.chain([String::new()]).collect(), rows);
        }
        if shown.len() < total {
            text += &format!(
                "{} of {}, those that differ least between the cells, are not shown: {}.parquet holds them.\n",
                grouped((total - shown.len()) as u64),
                counted(total, "column"),
                self.of
            );
        }
        text
    }
}

/// Those that differ most between the cells, as many as fit, in their order; the first ones of equals.
fn most_different(all: &[Column], fit: impl Fn(&[&Column]) -> bool) -> Vec<&Column> {
    let mut by_spread: Vec<usize> = (0..all.len()).collect();
    by_spread.sort_by(|a, b| all[*b].spread.total_cmp(&all[*a].spread));
    let of = |count: usize| {
        let mut chosen = by_spread[..count].to_vec();
        chosen.sort_unstable();
        chosen.into_iter().map(|at| &all[at]).collect::<Vec<_>>()
    };
    let counts: Vec<usize> = (1..=all.len()).collect();
    of(counts.partition_point(|count| fit(&of(*count))))
}

/// The columns in groups that fit beside each other, one at least in each.
fn split<'c, 'a>(columns: &'c [&'a Column], width: usize) -> Vec<&'c [&'a Column]> {
    let (mut groups, mut first, mut taken) = (Vec::new(), 0, 0);
    for (at, column) in columns.iter().enumerate() {
        if at > first && taken + column.width > width {
            groups.push(&columns[first..at]);
            (first, taken) = (at, 0);
        }
        taken += column.width + 2;
    }
    groups.extend((first < columns.len()).then(|| &columns[first..]));
    groups
}

/// What tells the cells apart.
fn which(cells: &[&CellStatistics]) -> Vec<Column> {
    let column = |heading: &str, of: &dyn Fn(&CellStatistics) -> String| {
        let entries = cells.iter().map(|cell| of(cell)).collect();
        Column::new(heading.to_owned(), entries, 0.0)
    };
    let all = [
        column("environment", &|c| plain_name(&c.environment, LONGEST_NAME)),
        column("variant", &|c| plain_name(&c.variant, LONGEST_NAME)),
        column("reward", &|c| plain_name(&c.reward, LONGEST_NAME)),
        column("discount", &|c| format!("{}{}", c.discount, super::rule(c))),
    ];
    let differs = |column: &Column| column.entries.windows(2).any(|pair| pair[0] != pair[1]);
    let telling = all.into_iter().filter(differs);
    telling.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{cell, ring, run};
    use crate::statistics::{Estimate, KeyKind};
    use crate::units::Discount;

    /// A share for each action, which the discount moves, but for the first.
    fn optimality(actions: usize, discount: f64) -> Table {
        let row = |i: usize| TableRow {
            keys: vec![Key::text("s0"), Key::text(&format!("a{i}"))],
            measures: vec![
                Measure::Estimate(Estimate::of_mean(
                    1_000,
                    0.1 * i as f64 * discount,
                    0.01,
                    0.95,
                    0.0,
                    0.0,
                )),
                Measure::Number(0.001),
            ],
        };
        Table {
            name: "optimality",
            keys: &[("state", KeyKind::Text), ("action", KeyKind::Text)],
            measures: &["weak", "undecided"],
            rows: (0..actions).map(row).collect(),
        }
    }

    fn sweep(actions: usize, cells: usize) -> Statistics {
        let one = |i: usize| {
            let discount = 0.5 + 0.001 * i as f64;
            let mut one = cell(ring(3));
            one.discount = Discount::new(discount).unwrap();
            one.tables = vec![optimality(actions, discount)];
            one
        };
        run((0..cells).map(one).collect())
    }

    fn text(actions: usize, cells: usize) -> String {
        tables(&sweep(actions, cells), &TableOptions::default())
    }

    #[test]
    fn few_rows_are_told_with_all_their_measures_and_many_by_the_first() {
        insta::assert_snapshot!([text(1, 9), text(5, 9)].concat());
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_named() {
        let wide = text(40, 9);
        let mut table = wide.lines().filter(|line| !line.contains("not shown"));
        assert!(table.all(|line| line.chars().count() <= 80), "{wide}");
        assert!(wide.lines().count() <= LINES + 3, "{wide}");
        assert!(
            wide.contains("of 40 columns, those that differ least between the cells, are not shown: optimality.parquet holds"),
            "{wide}"
        );
        // The first action is the same in all cells, the last one differs most.
        assert!(
            !wide.contains("s0 a0 ") && wide.contains("s0 a39"),
            "{wide}"
        );
        let long = text(3, 50);
        assert!(
            long.contains("10 more cells: optimality.parquet."),
            "{long}"
        );
        assert!(!text(3, 40).contains("more cells"));
    }

    #[test]
    fn differences_are_told_apart_by_what_they_are_of() {
        let mut statistics = sweep(3, 9);
        for cell in &mut statistics.cells {
            let mut rows = Vec::new();
            for of in ["power", "events"] {
                for row in &cell.tables[0].rows {
                    rows.push(TableRow {
                        keys: vec![Key::text(of), row.keys[1].clone()],
                        measures: row.measures[..1].to_vec(),
                    });
                }
            }
            cell.tables = vec![Table {
                name: "differences",
                keys: &[("statistic", KeyKind::Text), ("quantity", KeyKind::Text)],
                measures: &["difference"],
                rows,
            }];
        }
        // A cell that is compared with nothing has no line.
        statistics.cells[0].tables.clear();
        let text = tables(&statistics, &TableOptions::default());
        let titles = text.lines().filter(|line| line.starts_with("differences"));
        let titles: Vec<&str> = titles.collect();
        assert_eq!(titles, ["differences: power", "differences: events"]);
        assert!(!text.contains("0.5 ") && text.contains("0.501 "), "{text}");
    }
}

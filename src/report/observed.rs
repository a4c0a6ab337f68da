//! What was asked beyond POWER, as text: one table per statistic, the same for all of them.

use super::digits::{decimals, grouped, outward, plain_name, small, with_half_width};
use super::table::{TableOptions, layout};
use crate::experiment::CellStatistics;
use crate::statistics::{Estimate, Key, KeyKind, Measure, Table, TableRow};

/// Rows that are shown of a long table.
const SHOWN: usize = 40;
const LONGEST_NAME: usize = 24;

/// The tables of one cell, each after an empty line. Nothing where nothing was asked.
#[must_use]
pub(super) fn tables(cell: &CellStatistics, options: &TableOptions) -> String {
    let tables = cell.tables.iter();
    tables.map(|t| format!("\n{}", table(t, options))).collect()
}

/// One table under its name.
pub(super) fn table(table: &Table, options: &TableOptions) -> String {
    // A key that no row has needs no column, and neither has a measure.
    let keys: Vec<usize> = (0..table.keys.len())
        .filter(|&i| table.keys[i].1 != KeyKind::Prose)
        .filter(|&i| table.rows.iter().any(|row| row.keys[i] != Key::Missing))
        .collect();
    let measures: Vec<usize> = (0..table.measures.len())
        .filter(|&i| {
            table
                .rows
                .iter()
                .any(|row| row.measures[i] != Measure::Missing)
        })
        .collect();
    let header = keys.iter().map(|&i| table.keys[i].0.to_owned());
    let header = header.chain(measures.iter().map(|&i| table.measures[i].to_owned()));
    let shown = match options.all {
        true => table.rows.len(),
        false => table.rows.len().min(SHOWN),
    };
    let rows = table.rows[..shown].iter().map(|row| {
        let keys = keys.iter().map(|&i| key(&row.keys[i]));
        let shown = measures.iter().map(|&i| measure_of(table, row, i));
        keys.chain(shown).collect()
    });
    // The last column is laid out as a picture is, to the left: an empty one keeps the numbers to the right.
    let header: Vec<String> = header.chain([String::new()]).collect();
    let rows: Vec<Vec<String>> = rows
        .map(|mut row: Vec<String>| {
            row.push(String::new());
            row
        })
        .collect();
    let mut text = format!("{}\n{}", table.name, layout(header, rows));
    if shown < table.rows.len() {
        text += &format!(
            "{} of {} rows are not shown: `--all` shows them, `--format json` and {}.parquet hold them.\n",
            grouped((table.rows.len() - shown) as u64),
            grouped(table.rows.len() as u64),
            table.name
        );
    }
    text
}

/// Measure number `at` of a row.
pub(super) fn measure_of(table: &Table, row: &TableRow, at: usize) -> String {
    match (table.name, &row.measures[at]) {
        ("ranking", Measure::Estimate(e)) => rank(e),
        // Nothing errs on this side or that.
        ("drives", Measure::Number(x)) if table.measures[at] == "chance" => format!("{x:.3}"),
        (_, found) => measure(found),
    }
}

fn key(key: &Key) -> String {
    match key {
        Key::Text(name) => plain_name(name, LONGEST_NAME),
        Key::Count(n) => grouped(*n),
        Key::Missing => String::new(),
    }
}

/// `3 (2 .. 5)`: a whole number, and the set that it is in.
fn rank(e: &Estimate) -> String {
    format!("{} ({} .. {})", e.estimate, e.low, e.high)
}

fn measure(measure: &Measure) -> String {
    match measure {
        // An infinite ratio: at least so large.
        Measure::Estimate(e) if e.estimate == f64::INFINITY => {
            format!("> {}", outward(e.low, true, 1))
        }
        Measure::Estimate(e) => {
            // The wider side: what is printed is never narrower than what was found.
            let half = (e.high - e.estimate).max(e.estimate - e.low);
            with_half_width(e.estimate, half, decimals(half))
        }
        Measure::Number(x) if *x > 0.0 && *x < 0.01 => small(*x),
        Measure::Number(x) => outward(*x, false, 3),
        Measure::Missing => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: f64, high: f64) -> Measure {
        Measure::Estimate(Estimate {
            low,
            high,
            ..Estimate::of_mean(1_000, value, 0.2, 0.95, 0.0, 0.0)
        })
    }

    #[test]
    fn keys_and_measures_that_no_row_has_are_left_out() {
        let row = |action: &str, value: f64, undecided| TableRow {
            keys: vec![Key::text("s0"), Key::text(action), Key::Missing],
            measures: vec![
                estimate(value, value - 0.02, value + 0.031),
                Measure::Missing,
                Measure::Number(undecided),
            ],
        };
        let table = Table {
            name: "optimality",
            keys: &[
                ("state", KeyKind::Text),
                ("action", KeyKind::Text),
                ("label", KeyKind::Text),
            ],
            measures: &["weak", "time", "undecided"],
            rows: vec![
                row("go", 0.75, 0.0),
                row("a very \u{1b}[31m long name of an action", 0.25, 0.0012),
            ],
        };
        insta::assert_snapshot!(super::table(&table, &TableOptions::default()));
        let one = TableOptions {
            all: true,
            ..TableOptions::default()
        };
        let long = Table {
            rows: vec![row("go", 0.75, 0.0); 41],
            ..table
        };
        assert!(!super::table(&long, &one).contains("not shown"));
        let cut = super::table(&long, &TableOptions::default());
        assert!(cut.contains("1 of 41 rows are not shown"), "{cut}");
    }
}

//! Runs of many cells: one line per cell.

use super::{LONGEST_NAME, half, layout, ranking, table_decimals};
use crate::experiment::Statistics;
use crate::report::digits::{grouped, plain_name, with_half_width};
use crate::units::StateId;

/// Most lines.
const LINES: usize = 60;

/// Where all that is not shown is.
pub(super) fn rest(statistics: &Statistics) -> String {
    let files = statistics.table_names().into_iter();
    let files = files.map(|name| format!(", {name}.parquet"));
    format!(
        "\nThe run directory holds every number: results.json, power.parquet{}.\n\
         `--all` with the same command prints every table of every cell; nothing is solved again.\n",
        files.collect::<String>()
    )
}

/// One line per cell: which states have most and least POWER.
pub(super) fn lines(statistics: &Statistics) -> String {
    let shown = &statistics.cells[..statistics.cells.len().min(LINES)];
    let header = [
        "environment",
        "variant",
        "reward",
        "discount",
        "most POWER",
        "least POWER",
        "note",
    ];
    let rows = shown.iter().map(|cell| {
        let ranking = ranking(cell);
        let digits = table_decimals(&cell.power);
        let show = |s: Option<&StateId>| {
            s.map_or("-".to_owned(), |s| {
                let e = &cell.power[s.index()];
                let name = plain_name(cell.mdp.state_name(*s), 12);
                format!("{name} {}", with_half_width(e.estimate, half(e), digits))
            })
        };
        let note = match cell.unconverged {
            0 => String::new(),
            n => format!("{} unconverged", grouped(n)),
        };
        vec![
            plain_name(&cell.environment, LONGEST_NAME),
            plain_name(&cell.variant, LONGEST_NAME),
            plain_name(&cell.reward, LONGEST_NAME),
            format!("{}{}", cell.discount, super::rule(cell)),
            show(ranking.first()),
            show(ranking.last()),
            note,
        ]
    });
    let text = layout(header.map(str::to_owned).into(), rows.collect());
    let hidden = statistics.cells.len() - shown.len();
    let rest = match hidden {
        0 => String::new(),
        n => format!("{} more cells are not shown.\n", grouped(n as u64)),
    };
    // Those of the cells that are not shown must not go unnoticed.
    let warning = match statistics.unconverged() {
        0 => String::new(),
        n => format!(
            "WARNING: {} goals missed the tolerance within the sweep cap\n",
            grouped(n)
        ),
    };
    format!(
        "{} cells, {} goals each, seed {}, {} backend\n{text}{rest}{warning}",
        statistics.cells.len(),
        grouped(statistics.samples),
        statistics.seed,
        statistics.backend
    )
}

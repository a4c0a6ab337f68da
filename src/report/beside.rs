//! Structure beside behaviour: whether states from which more is in reach are those of more POWER.

use super::digits::plain_name;
use super::table::layout;
use super::theorems::measured_theorems;
use super::variant::of_variant;
use crate::experiment::{CellStatistics, Statistics};
use crate::statistics::{Key, Measure};

/// Most states whose pairs are compared.
const MOST_STATES: usize = 1_000;
const LONGEST_NAME: usize = 24;

/// For every cell of at most 1,000 states: how the states' structure goes with their POWER, by rank.
///
/// Kendall's tau-b takes only pairs of states whose POWER is told apart (whose intervals `low .. high` do not overlap); Spearman's rho takes the estimates as they are. Both are over the states for which
/// a measure is defined.
#[must_use]
pub fn beside_text(statistics: &Statistics, steps: u32) -> String {
    let cells = statistics.cells.iter();
    let cells = cells.filter(|c| c.power.len() == c.mdp.n_states() && c.power.len() <= MOST_STATES);
    let texts: Vec<String> = cells.map(|cell| of_cell(cell, steps)).collect();
    texts.join("\n")
}

fn of_cell(cell: &CellStatistics, steps: u32) -> String {
    let tables = cell.structure(steps);
    let ranks = tables.iter().find(|table| table.name == "ranks");
    let number = |measure: &Measure| match measure {
        Measure::Number(x) => format!("{x:.3}"),
        _ => "-".to_owned(),
    };
    let rows = ranks.into_iter().flat_map(|table| &table.rows).map(|row| {
        let name = match &row.keys[0] {
            Key::Text(name) => name.as_str(),
            _ => "",
        };
        let name = match name {
            "reachable" => "in reach".to_owned(),
            "ends" => "ends in reach".to_owned(),
            "empowerment" => format!("empowerment({steps})"),
            "visit_distributions" => "visit distributions".to_owned(),
            "non_dominated" => "non-dominated".to_owned(),
            other => other.to_owned(),
        };
        let states = match row.measures[0] {
            Measure::Number(n) => format!("{n}"),
            _ => String::new(),
        };
        let [tau, rho] = [1, 2].map(|at| number(&row.measures[at]));
        vec![name, states, tau, rho, String::new()]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let header = [
        "with POWER",
        "states",
        "Kendall's tau",
        "Spearman's rho",
        "",
    ];
    format!(
        "{}{}, goals {}, discount {}{}\n{}",
        plain_name(&cell.environment, LONGEST_NAME),
        of_variant(&cell.variant),
        plain_name(&cell.reward, LONGEST_NAME),
        cell.discount,
        super::table::rule(cell),
        layout(header.map(str::to_owned).into(), rows)
    ) + &match measured_theorems(cell).as_str() {
        "" => String::new(),
        theorems => format!("\n{theorems}"),
    }
}

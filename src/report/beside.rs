//! Structure beside behaviour: whether states from which more is in reach are those of more POWER.

use super::digits::plain_name;
use super::table::layout;
use super::theorems::measured_theorems;
use super::variant::of_variant;
use crate::experiment::{CellStatistics, Statistics};
use crate::mdp::Influence;
use crate::statistics::{kendall, order_of, order_of_estimates, spearman};

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
    let found = Influence::of(&cell.mdp, steps);
    let counts = |list: &[usize]| list.iter().map(|x| Some(*x as f64)).collect::<Vec<_>>();
    let visits = |of: fn(&crate::mdp::VisitDistributions) -> usize| -> Vec<Option<f64>> {
        let each = found.visits.iter();
        each.map(|v| Some(of(v.as_ref()?) as f64)).collect()
    };
    let measures = [
        ("in reach".to_owned(), counts(&found.reachable)),
        ("ends in reach".to_owned(), counts(&found.ends)),
        (format!("empowerment({steps})"), found.empowerment.clone()),
        ("visit distributions".to_owned(), visits(|v| v.all)),
        ("non-dominated".to_owned(), visits(|v| v.non_dominated)),
    ];
    let number = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.3}"));
    let rows = measures.map(|(name, values)| {
        let known: Vec<usize> = (0..values.len()).filter(|s| values[*s].is_some()).collect();
        let numbers: Vec<f64> = known.iter().filter_map(|s| values[*s]).collect();
        let power: Vec<_> = known.iter().map(|s| cell.power[*s]).collect();
        let estimates: Vec<f64> = power.iter().map(|e| e.estimate).collect();
        let order = order_of(&numbers, |a, b| a > b);
        vec![
            name,
            known.len().to_string(),
            number(kendall(&order, &order_of_estimates(&power))),
            number(spearman(&numbers, &estimates)),
            String::new(),
        ]
    });
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
        layout(header.map(str::to_owned).into(), rows.to_vec())
    ) + &match measured_theorems(cell).as_str() {
        "" => String::new(),
        theorems => format!("\n{theorems}"),
    }
}

//! Does it survive another law, another discount? Rankings of states and majorities of actions across the cells of a run.

use super::digits::{counted, grouped, plain_name};
use super::table::layout;
use super::variant::of_variant;
use crate::experiment::{CellStatistics, Statistics};
use crate::statistics::{Estimate, Key, Table, kendall, order_of_estimates};

/// Most states whose pairs are compared.
const MOST_STATES: usize = 1_000;
const LONGEST_NAME: usize = 24;

/// For every environment, variant and decision rule with several laws or discounts: how the rankings of states by POWER agree, and in how many cells each state has the
/// same favourite action. Empty where no cell has another to be held against.
///
/// Two states are told apart in a cell where their intervals `low .. high` do not overlap. Kendall's tau-b counts the pairs that are told apart in both cells, alike less
/// reversed, over the geometric mean of the pairs told apart in either.
#[must_use]
pub fn robustness_text(statistics: &Statistics) -> String {
    let mut groups: Vec<Vec<&CellStatistics>> = Vec::new();
    for cell in &statistics.cells {
        let same = |group: &&mut Vec<&CellStatistics>| key(group[0]) == key(cell);
        match groups.iter_mut().find(same) {
            Some(group) => group.push(cell),
            None => groups.push(vec![cell]),
        }
    }
    let groups = groups.iter().filter(|group| group.len() > 1);
    let texts: Vec<String> = groups.map(|group| of_group(group)).collect();
    texts.join("\n")
}

fn key(cell: &CellStatistics) -> (&str, &str, &str) {
    (&cell.environment, &cell.variant, &cell.rule)
}

fn of_group(cells: &[&CellStatistics]) -> String {
    let first = cells[0];
    let rule = super::table::rule(first);
    let mut text = format!(
        "{}{}{rule}: {}\n",
        plain_name(&first.environment, LONGEST_NAME),
        of_variant(&first.variant),
        counted(cells.len(), "cell")
    );
    if first.power.len() <= MOST_STATES {
        text += &rankings(cells);
    }
    text + &favourites(cells)
}

fn rankings(cells: &[&CellStatistics]) -> String {
    let orders: Vec<Vec<i8>> = cells.iter().map(|c| order_of_estimates(&c.power)).collect();
    let number = |tau: Option<f64>| tau.map_or("-".to_owned(), |tau| format!("{tau:.3}"));
    let rows = cells.iter().enumerate().map(|(i, cell)| {
        let others = (0..cells.len()).filter(|j| *j != i);
        let taus = others.filter_map(|j| kendall(&orders[i], &orders[j]));
        vec![
            plain_name(&cell.reward, LONGEST_NAME),
            cell.discount.to_string(),
            grouped(orders[i].iter().filter(|x| **x != 0).count() as u64),
            number(kendall(&orders[0], &orders[i])),
            number(taus.min_by(f64::total_cmp)),
            String::new(),
        ]
    });
    let header = [
        "goals",
        "discount",
        "pairs told",
        "tau to first",
        "lowest tau",
        "",
    ];
    let table = layout(header.map(str::to_owned).into(), rows.collect());
    let (mut told, mut kept) = (0_u64, 0_u64);
    for pair in 0..orders[0].len() {
        let more = orders.iter().any(|order| order[pair] > 0);
        let less = orders.iter().any(|order| order[pair] < 0);
        told += u64::from(more || less);
        kept += u64::from(more != less);
    }
    format!(
        "{table}{} of {} pairs of states that some cell tells apart are the other way round in none\n",
        grouped(kept),
        grouped(told)
    )
}

/// The action of a state that the most goals favour, where it is told from all others.
fn favourite<'t>(table: &'t Table, state: &Key) -> Option<&'t str> {
    let rows = table.rows.iter().filter(|row| row.keys[0] == *state);
    let single = rows.filter(|row| row.keys[2] == Key::Missing);
    let mut shares: Vec<(&str, &Estimate)> = single
        .filter_map(|row| match &row.keys[1] {
            Key::Text(action) => Some((
                action.as_str(),
                table.measure(row, "fractional")?.estimate()?,
            )),
            _ => None,
        })
        .collect();
    shares.sort_by(|a, b| b.1.estimate.total_cmp(&a.1.estimate));
    let (action, best) = shares.first()?;
    let is_told = shares[1..].iter().all(|(_, other)| best.low > other.high);
    is_told.then_some(*action)
}

fn favourites(cells: &[&CellStatistics]) -> String {
    let tables: Vec<&Table> = cells.iter().filter_map(|c| c.table("optimality")).collect();
    let Some(first) = tables.first() else {
        return String::new();
    };
    let mut states: Vec<&Key> = Vec::new();
    for row in first.rows.iter().filter(|row| row.keys[2] == Key::Missing) {
        if !states.contains(&&row.keys[0]) {
            states.push(&row.keys[0]);
        }
    }
    let rows = states.iter().map(|state| {
        let found: Vec<Option<&str>> = tables.iter().map(|t| favourite(t, state)).collect();
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for action in found.iter().flatten() {
            match counts.iter_mut().find(|(name, _)| name == action) {
                Some((_, count)) => *count += 1,
                None => counts.push((action, 1)),
            }
        }
        let most = counts.iter().max_by_key(|(_, count)| *count);
        let name = match state {
            Key::Text(name) => plain_name(name, LONGEST_NAME),
            _ => String::new(),
        };
        vec![
            name,
            most.map_or("-".to_owned(), |(action, _)| {
                plain_name(action, LONGEST_NAME)
            }),
            format!(
                "{} of {}",
                most.map_or(0, |(_, count)| *count),
                tables.len()
            ),
            found.iter().filter(|f| f.is_none()).count().to_string(),
            String::new(),
        ]
    });
    let header = ["state", "favourite", "in cells", "not told", ""];
    layout(header.map(str::to_owned).into(), rows.collect())
}

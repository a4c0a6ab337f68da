//! Theory beside measurement: the theorems whose conditions a graph meets, what they promise, and what was measured of it.

use super::digits::{decimals, plain_name, with_half_width};
use super::table::layout;
use crate::experiment::CellStatistics;
use crate::mdp::{Mdp, Theorem};
use crate::statistics::{Estimate, Key};
use crate::units::{ChoiceId, Discount, Limit, StateId};

const LONGEST_NAME: usize = 24;
/// Theorems that are listed.
const SHOWN: usize = 40;

/// The theorems of an MDP with what they promise; empty where none holds.
#[must_use]
pub fn theorems_text(mdp: &Mdp, discount: Discount) -> String {
    text(mdp, discount, None)
}

/// The same with what a cell measured.
#[must_use]
pub(super) fn measured_theorems(cell: &CellStatistics) -> String {
    // They are about optimal agents.
    match cell.rule.as_str() {
        "optimal" => text(&cell.mdp, cell.discount, Some(cell)),
        _ => String::new(),
    }
}

fn text(mdp: &Mdp, discount: Discount, cell: Option<&CellStatistics>) -> String {
    let all = Theorem::of(mdp, discount);
    if all.is_empty() {
        return String::new();
    }
    let rows = all.iter().take(SHOWN).map(|theorem| {
        let mut row = vec![
            theorem.source().to_owned(),
            about(mdp, theorem),
            promise(theorem),
        ];
        row.extend(cell.map(|cell| measured(cell, theorem).unwrap_or_else(|| "-".to_owned())));
        row.push(String::new());
        row
    });
    let mut header = vec!["theorem", "about", "promises"];
    header.extend(cell.map(|_| "measured"));
    header.push("");
    let header = header.into_iter().map(str::to_owned).collect();
    let mut text = layout(header, rows.collect());
    if all.len() > SHOWN {
        text += &format!("and {} more\n", all.len() - SHOWN);
    }
    text + "for laws that draw the rewards of all states independently and alike\n"
}

fn choice(mdp: &Mdp, choice: ChoiceId) -> String {
    let state = plain_name(mdp.state_name(mdp.state_of(choice)), LONGEST_NAME);
    format!(
        "{state}: {}",
        plain_name(mdp.action_name(choice), LONGEST_NAME)
    )
}

fn about(mdp: &Mdp, theorem: &Theorem) -> String {
    match theorem {
        Theorem::Copy { more, less, .. } => format!(
            "{} over {}",
            choice(mdp, *more),
            plain_name(mdp.action_name(*less), LONGEST_NAME)
        ),
        Theorem::End { end, .. } => plain_name(mdp.state_name(*end), LONGEST_NAME),
        Theorem::Shutdown { choice: of, .. } => choice(mdp, *of),
    }
}

fn promise(theorem: &Theorem) -> String {
    let least = |share: f64| format!("{share:.4}");
    match theorem {
        Theorem::Copy {
            is_likelier: true, ..
        } => "POWER and share of goals no less".to_owned(),
        Theorem::Copy { .. } => "POWER no less".to_owned(),
        Theorem::End { others, .. } => format!(
            "avoided by {others}/{} = {} of goals at ->1",
            others + 1,
            least(theorem.share().unwrap_or(0.0))
        ),
        Theorem::Shutdown { n, .. } => format!(
            "not taken by {n}/{} = {} of goals, if it pays once",
            n + 1,
            least(theorem.share().unwrap_or(0.0))
        ),
    }
}

/// What a cell measured of it; `None` where it was not asked, or at another discount.
fn measured(cell: &CellStatistics, theorem: &Theorem) -> Option<String> {
    match theorem {
        Theorem::Copy { more, less, .. } => {
            let power = [*more, *less].map(|c| power_after(cell, c));
            let shares = [*more, *less].map(|c| share(cell, c));
            let mut text = format!("POWER {} and {}", shown(power[0]?), shown(power[1]?));
            if let [Some(a), Some(b)] = shares {
                text += &format!(", shares {} and {}", shown(a), shown(b));
            }
            Some(text)
        }
        Theorem::End { end, .. } => {
            let at_one = cell.discount.limit() == Some(Limit::One);
            let avoid = at_one.then(|| avoided(cell, *end)).flatten()?;
            Some(format!("avoided {}", shown(avoid)))
        }
        Theorem::Shutdown { choice, .. } => Some(format!(
            "not taken {}",
            shown(share(cell, *choice)?.complement())
        )),
    }
}

fn shown(e: Estimate) -> String {
    let half = (e.high - e.estimate).max(e.estimate - e.low);
    with_half_width(e.estimate, half, decimals(half))
}

/// POWER of the state after a choice: a mean of states', whose intervals add up.
fn power_after(cell: &CellStatistics, choice: ChoiceId) -> Option<Estimate> {
    let (to, p) = cell.mdp.row(choice);
    let each: Option<Vec<&Estimate>> = to.iter().map(|s| cell.power.get(*s as usize)).collect();
    let each = each?;
    let sum =
        |of: fn(&Estimate) -> f64| -> f64 { each.iter().zip(p).map(|(e, p)| p * of(e)).sum() };
    Some(Estimate {
        estimate: sum(|e| e.estimate),
        low: sum(|e| e.low),
        high: sum(|e| e.high),
        ..**each.first()?
    })
}

/// In which share of goals a choice is optimal, ties split.
fn share(cell: &CellStatistics, choice: ChoiceId) -> Option<Estimate> {
    let table = cell.table("optimality")?;
    let state = cell.mdp.state_name(cell.mdp.state_of(choice));
    let keys = [Key::text(state), Key::text(cell.mdp.action_name(choice))];
    let row = table.rows.iter().find(|row| row.keys[..2] == keys)?;
    table.measure(row, "fractional")?.estimate().copied()
}

fn avoided(cell: &CellStatistics, end: StateId) -> Option<Estimate> {
    let table = cell.table("events")?;
    let name = Key::text(cell.mdp.state_name(end));
    let row = table.rows.iter().find(|row| row.keys[0] == name)?;
    table.measure(row, "avoid")?.estimate().copied()
}

//! Theory beside measurement: the theorems whose conditions a graph meets, what they promise, and what was measured of it.

use super::digits::{decimals, plain_name, with_half_width};
use super::table::layout;
use crate::experiment::CellStatistics;
use crate::mdp::{Mdp, Theorem};
use crate::statistics::Estimate;
use crate::units::{ChoiceId, Discount};

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
            let power = [*more, *less].map(|c| cell.power_after(c));
            let shares = [*more, *less].map(|c| cell.share_of(c));
            let mut text = format!("POWER {} and {}", shown(power[0]?), shown(power[1]?));
            if let [Some(a), Some(b)] = shares {
                text += &format!(", shares {} and {}", shown(a), shown(b));
            }
            Some(text)
        }
        Theorem::End { end, .. } => Some(format!("avoided {}", shown(cell.avoids(*end)?))),
        Theorem::Shutdown { choice, .. } => Some(format!(
            "not taken {}",
            shown(cell.share_of(*choice)?.complement())
        )),
    }
}

fn shown(e: Estimate) -> String {
    let half = (e.high - e.estimate).max(e.estimate - e.low);
    with_half_width(e.estimate, half, decimals(half))
}

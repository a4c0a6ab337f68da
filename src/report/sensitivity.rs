//! What moves where a state is drawn as two, or equal states as one.

use super::digits::{decimals, plain_name, with_half_width};
use super::table::layout;
use crate::experiment::{Moved, Redrawing, Sensitivity};
use crate::mdp::Mdp;
use crate::statistics::Estimate;
use crate::units::StateId;

const LONGEST_NAME: usize = 24;
/// Names of a merged set that are shown.
const NAMES: usize = 3;

/// A line for every redrawing: POWER of the start before and after, the state whose POWER moves most, and whether the order of states survives.
#[must_use]
pub fn sensitivity_text(mdp: &Mdp, found: &Sensitivity) -> String {
    let start = mdp.start().first().map_or(StateId(0), |(s, _)| *s);
    let rows = found.moved.iter().map(|moved| {
        let most = mdp.states().max_by(|a, b| {
            let by = |s: &StateId| difference(found, moved, *s).estimate.abs();
            by(a).total_cmp(&by(b))
        });
        let most = most.unwrap_or(start);
        vec![
            what(mdp, &moved.by),
            shown(moved.power[start.index()]),
            shown(difference(found, moved, start)),
            plain_name(mdp.state_name(most), LONGEST_NAME),
            shown(difference(found, moved, most)),
            moved.tau.map_or("-".to_owned(), |tau| format!("{tau:.3}")),
            String::new(),
        ]
    });
    let header = [
        "drawn differently",
        "POWER of start",
        "moved by",
        "moves most",
        "by",
        "tau",
        "",
    ];
    format!(
        "POWER of the start, {}, is {} under uniform goals.\n{}",
        plain_name(mdp.state_name(start), LONGEST_NAME),
        shown(found.power[start.index()]),
        layout(header.map(str::to_owned).into(), rows.collect())
    )
}

fn what(mdp: &Mdp, by: &Redrawing) -> String {
    let name = |s: &StateId| plain_name(mdp.state_name(*s), LONGEST_NAME);
    match by {
        Redrawing::Split(state) => format!("{} as two", name(state)),
        Redrawing::Merge(states) => {
            let names: Vec<String> = states.iter().take(NAMES).map(name).collect();
            let more = if states.len() > NAMES { ", ..." } else { "" };
            format!("{}{more} ({}) as one", names.join(", "), states.len())
        }
    }
}

/// How far the POWER of a state moved. Goals are the same; what is not known of either adds up.
fn difference(found: &Sensitivity, moved: &Moved, state: StateId) -> Estimate {
    let (before, after) = (found.power[state.index()], moved.power[state.index()]);
    Estimate {
        estimate: after.estimate - before.estimate,
        low: after.low - before.high,
        high: after.high - before.low,
        ..after
    }
}

fn shown(e: Estimate) -> String {
    let half = (e.high - e.estimate).max(e.estimate - e.low);
    with_half_width(e.estimate, half, decimals(half))
}

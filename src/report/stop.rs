//! Where a run stopped by itself, in a sentence.

use super::grouped;
use super::table::level_percent;
use crate::experiment::{Statistics, StopOf, StopReason, Stopped};
use crate::statistics::Intervals;

/// Why the run has as many goals as it has.
#[must_use]
pub fn stopped(stopped: &Stopped) -> String {
    let goals = grouped(stopped.goals);
    let of = match stopped.until.of {
        StopOf::Power => "POWER",
        StopOf::Optimality => "optimality",
        StopOf::Events => "events",
        StopOf::Difference => "differences",
    };
    let asked = stopped.until.half_width.zip(stopped.widest);
    let known = match asked {
        Some((asked, widest)) if stopped.reason == StopReason::HalfWidth => {
            format!(
                ": every interval of {of} is at most {widest:.1e} to either side, {asked:.1e} was asked for"
            )
        }
        Some((asked, widest)) => {
            format!(
                "; the widest interval of {of} is {widest:.1e} to either side, {asked:.1e} was asked for"
            )
        }
        None => String::new(),
    };
    let why = match stopped.reason {
        StopReason::HalfWidth => "",
        StopReason::Minutes => " since the next look would be too late",
        StopReason::Max => " since the next look would be beyond `max`",
    };
    format!(
        "stopped at {goals} goals, look {}{why}{known}",
        stopped.look
    )
}

/// The same below the tables, with what the intervals mean; nothing for other runs.
#[must_use]
pub(super) fn stopped_lines(statistics: &Statistics) -> String {
    let Some(stop) = &statistics.stopped else {
        return String::new();
    };
    let all = match stop.intervals {
        Intervals::Fixed => String::new(),
        Intervals::Sequence { .. } => format!(
            "Intervals are those of a confidence sequence: at all looks together each of them holds at {}%.\n",
            level_percent(statistics.level)
        ),
    };
    format!("\nThe run {}.\n{all}", stopped(stop))
}

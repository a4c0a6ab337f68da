//! `sample.until`: when a run stops by itself.

use super::read::{SOME_GOALS, in_range, one_of};
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::experiment::{RunSpec, StopOf, Until};
use crate::statistics::Request;

/// Reads the table.
pub(super) fn read_until(node: &Spanned<Node>, faults: &mut Faults) -> Option<Until> {
    let before = faults.list.len();
    let mut table = TableReader::open(node, "`until` in [sample]", faults)?;
    let above_zero = |x: f64| x > 0.0 && x.is_finite();
    let half_width = table.number("half_width", faults);
    let half_width =
        half_width.and_then(|x| in_range(x, "`half_width`", "above 0", above_zero, faults));
    let of = table.string("of", faults);
    let minutes = table.number("minutes", faults);
    let minutes = minutes.and_then(|x| in_range(x, "`minutes`", "above 0", above_zero, faults));
    let max = table.count("max", faults);
    let max = max.and_then(|x| in_range(x, "`max`", SOME_GOALS, RunSpec::is_count, faults));
    table.finish(faults);
    if faults.list.len() == before && half_width.is_none() && minutes.is_none() {
        faults.error_with_help(
            node.span.clone(),
            "`until` does not say when to stop",
            "add `half_width = 1e-3`, `minutes = 60`, or both",
        );
    }
    if let (Some(of), None) = (&of, half_width)
        && faults.list.len() == before
    {
        faults.error(
            of.span.clone(),
            "`of` says what must be known to a `half_width`, and there is none",
        );
    }
    let known = StopOf::ALL.map(|of| (of.name(), of));
    let of = match of {
        Some(name) => one_of("quantity", &name, &known, faults)?,
        None => StopOf::default(),
    };
    (faults.list.len() == before).then_some(Until {
        half_width,
        of,
        minutes,
        max: max.unwrap_or(Until::MAX),
    })
}

/// Refuses to wait for what is not measured, and for goals that are `walked` to: how far these hang together is an estimate, and intervals at many looks would rest on it. `compared` says whether there are differences from a baseline.
pub(super) fn check_until(
    until: &Spanned<Until>,
    request: Option<&Request>,
    compared: bool,
    walked: bool,
    faults: &mut Faults,
) {
    if until.value.half_width.is_none() {
        return;
    }
    if walked {
        let message = "a `half_width` is not supported beside `method = \"hit-and-run\"`: goals of walks are not independent, which intervals at many looks rest on";
        faults.error(until.span.clone(), message);
    }
    let asked = |has: fn(&Request) -> bool| request.is_some_and(has);
    let obstacle = match until.value.of {
        StopOf::Optimality if !asked(|r| !r.optimality.is_empty()) => {
            "`optimality` in [statistics]"
        }
        StopOf::Events if !asked(|r| !r.events.is_empty()) => "`events` in [statistics]",
        StopOf::Difference if !compared => "a [[variant]] beside the baseline",
        _ => return,
    };
    let of = until.value.of.name();
    let message = format!("`until` waits for {of:?}, which is not measured without {obstacle}");
    faults.error(until.span.clone(), message);
}

//! What interventions did to an MDP: for `inspect --variants`.

use super::digits::{counted, plain_name};
use crate::intervention::{BASELINE, Change};
use crate::mdp::Mdp;

/// Names listed before a list is cut.
const NAMES: usize = 6;
/// Longest name shown whole.
const LONGEST_NAME: usize = 60;

/// `, NAME`, and nothing for the baseline.
#[must_use]
pub fn of_variant(name: &str) -> String {
    match name {
        BASELINE => String::new(),
        name => format!(", {}", plain_name(name, LONGEST_NAME)),
    }
}

/// What became of an MDP in a variant, intervention by intervention: `steps` are the kinds with the MDP after each of them.
#[must_use]
pub fn variant_text(variant: &str, mdp: &Mdp, steps: &[(&str, &Mdp)]) -> String {
    let made = steps.last().map_or(mdp, |(_, made)| made);
    let mut text = format!(
        "{}, {}: {}, {}\n",
        plain_name(mdp.name(), LONGEST_NAME),
        plain_name(variant, LONGEST_NAME),
        counted(made.n_states(), "state"),
        counted(made.n_choices(), "choice"),
    );
    if steps.is_empty() {
        text += "  as it is\n";
    }
    let mut before = mdp;
    for (kind, after) in steps {
        text += &format!("  {kind}\n{}", change_text(&Change::between(before, after)));
        before = after;
    }
    text
}

fn change_text(change: &Change) -> String {
    if change.is_empty() {
        return "    nothing: its strength is zero\n".to_owned();
    }
    let states = |names: &[String]| {
        let shown = names.iter().take(NAMES).map(|name| plain_name(name, 24));
        listed(shown.collect(), names.len())
    };
    let choices = |pairs: &[(String, String)]| {
        let shown = pairs.iter().take(NAMES);
        let shown = shown.map(|(s, a)| format!("{} in {}", plain_name(a, 24), plain_name(s, 24)));
        listed(shown.collect(), pairs.len())
    };
    let labels = || {
        let shown = change.labels.iter().take(2 * NAMES);
        let shown = shown.map(|(label, n)| format!("{} ({n})", plain_name(label, 24)));
        listed(shown.collect(), change.labels.len())
    };
    let mut text = String::new();
    let mut entry = |count: usize, what: &str, list: String| {
        if count > 0 {
            text += &format!("    {:<24}{list}\n", counted(count, what));
        }
    };
    entry(
        change.new_states.len(),
        "new state",
        states(&change.new_states),
    );
    entry(change.copies.len(), "copied state", states(&change.copies));
    entry(
        change.removed_states.len(),
        "removed state",
        states(&change.removed_states),
    );
    entry(
        change.added_choices.len(),
        "added choice",
        choices(&change.added_choices),
    );
    entry(
        change.removed_choices.len(),
        "removed choice",
        choices(&change.removed_choices),
    );
    entry(
        change.changed_choices.len(),
        "changed choice",
        choices(&change.changed_choices),
    );
    entry(change.labels.len(), "label", labels());
    if change.other_start {
        text += "    it starts elsewhere\n";
    }
    text
}

fn listed(shown: Vec<String>, all: usize) -> String {
    let more = if all > shown.len() { ", ..." } else { "" };
    shown.join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intervention::{Disable, Intervention, OffSwitch};
    use crate::mdp::MdpBuilder;

    #[test]
    fn what_was_done_is_told_step_by_step() {
        let mut builder = MdpBuilder::new("desk");
        let [desk, work] = ["desk", "work"].map(|n| builder.state(n));
        builder.choice(desk, "go", [(work, 1.0)]);
        builder.choice(work, "go on", [(work, 1.0)]);
        let mdp = builder.build().unwrap();
        let switch = OffSwitch {
            p: 0.1,
            disable: Some(Disable { at: None, steps: 2 }),
            ..OffSwitch::default()
        };
        let made = switch.transform(&mdp, &mut Default::default()).unwrap();
        let steps = [("off-switch", &made), ("off-switch", &made)];
        insta::assert_snapshot!(variant_text("hazard", &mdp, &steps));
    }
}

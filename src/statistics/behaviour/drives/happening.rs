//! Drives that are something that happens, or does not, when the agent acts: differences of events.

use super::split::own_states;
use super::{Drive, Finding, Means, Own, World, theorem};
use crate::mdp::Mdp;
use crate::statistics::behaviour::events::{Event, Events, Target, Ties};
use crate::statistics::behaviour::look::Look;
use crate::statistics::{Map, Observed, Quantity, Row};
use crate::units::StateId;

/// The probability that the agent ever does something, or that it does so and never something else.
#[derive(Debug)]
pub(super) struct Happening {
    events: Events,
    parts: Vec<Part>,
    own: Vec<StateId>,
}

/// `P(all) - P(without)`, or one less `P(all)`.
#[derive(Debug)]
struct Part {
    quantity: &'static str,
    all: Event,
    without: Option<Event>,
    complement: bool,
    chance: f64,
    least: Option<f64>,
}

impl Happening {
    /// Nothing yet.
    pub(super) fn new(world: &World<'_>) -> Self {
        Self {
            events: Events::new(world.mdp, Vec::new()),
            parts: Vec::new(),
            own: Vec::new(),
        }
    }

    /// The probability that something of a label ever happens. `None` where the MDP does not have the label.
    pub(super) fn of(world: &World<'_>, label: &str) -> Option<Box<dyn Drive>> {
        let is_there = has(world.mdp, label);
        let one = || Self::new(world).ever(world, "ever", &[label]);
        is_there.then(|| Box::new(one()) as Box<dyn Drive>)
    }

    /// With the probability that something of the labels ever happens.
    pub(super) fn ever(self, world: &World<'_>, quantity: &'static str, labels: &[&str]) -> Self {
        let event = event(world.mdp, labels);
        self.about(world, labels)
            .with(world, quantity, event, None, false)
            .at_least(theorem::by_a_label(world, labels))
    }

    /// With the probability that nothing of the labels ever happens.
    pub(super) fn never(self, world: &World<'_>, quantity: &'static str, labels: &[&str]) -> Self {
        let event = event(world.mdp, labels);
        self.about(world, labels)
            .with(world, quantity, event, None, true)
    }

    /// With the probability that something of one label ever happens, and nothing of another.
    pub(super) fn only(
        self,
        world: &World<'_>,
        quantity: &'static str,
        label: &str,
        not: &str,
    ) -> Self {
        let all = event(world.mdp, &[label, not]);
        let without = event(world.mdp, &[not]);
        self.about(world, &[label, not])
            .with(world, quantity, all, Some(without), false)
    }

    /// About the states of some labels, and those that choices of them lead to.
    pub(super) fn about(mut self, world: &World<'_>, labels: &[&str]) -> Self {
        let more = own_states(world.mdp, labels);
        self.own.extend(more);
        self.own.sort_unstable();
        self.own.dedup();
        self
    }

    /// With what a theorem says of the last one.
    pub(super) fn at_least(mut self, least: Option<f64>) -> Self {
        if let Some(part) = self.parts.last_mut() {
            part.least = least;
        }
        self
    }

    fn with(
        mut self,
        world: &World<'_>,
        quantity: &'static str,
        all: Event,
        without: Option<Event>,
        complement: bool,
    ) -> Self {
        let chance = |event: &Event| self.events.by_chance(event, world.mdp);
        let both = without.as_ref().map_or(0.0, chance);
        let share = chance(&all) - both;
        self.parts.push(Part {
            quantity,
            all,
            without,
            complement,
            chance: if complement { 1.0 - share } else { share },
            least: None,
        });
        self
    }
}

/// Whether anything has a label.
pub(super) fn has(mdp: &Mdp, label: &str) -> bool {
    mdp.state_labels().contains_key(label) || mdp.choice_labels().contains_key(label)
}

/// To be in a state of one of the labels, or to take a choice of one.
fn event(mdp: &Mdp, labels: &[&str]) -> Event {
    let mut states = vec![false; mdp.n_states()];
    let mut choices = vec![false; mdp.n_choices()];
    for label in labels {
        let of_states = mdp.state_labels().get(*label).into_iter().flatten();
        of_states.for_each(|s| states[s.index()] = true);
        let of_choices = mdp.choice_labels().get(*label).into_iter().flatten();
        of_choices.for_each(|c| choices[c.index()] = true);
    }
    Event {
        label: labels.join(" or "),
        target: Target::Either { states, choices },
        steps: None,
        ties: Ties::Even,
        timed: false,
    }
}

impl Drive for Happening {
    fn n_columns(&self) -> usize {
        self.parts.len()
    }

    fn own(&self) -> Own<'_> {
        Own::States(&self.own)
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for part in &self.parts {
            let all = self.events.chance(&part.all, look);
            let without = part.without.as_ref();
            let without = without.map_or(Observed::sure(0.0), |e| self.events.chance(e, look));
            let [value, low, high] = [
                all.value - without.value,
                all.low - without.high,
                all.high - without.low,
            ]
            .map(|x| x.clamp(0.0, 1.0));
            row.push_observed(match part.complement {
                true => Observed {
                    value: 1.0 - value,
                    low: 1.0 - high,
                    high: 1.0 - low,
                },
                false => Observed { value, low, high },
            });
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let columns = 0..self.parts.len();
        columns.map(|c| Quantity::share(c, Map::Identity)).collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let each = self.parts.iter().enumerate();
        each.map(|(at, part)| Finding {
            quantity: part.quantity.to_owned(),
            estimate: Some(means.chance(at)),
            chance: Some(part.chance),
            least: part.least,
            undecided: means.undecided(at),
        })
        .collect()
    }
}

//! Parameters of interventions: how they are read, and what names of states and choices stand for.

use std::sync::Arc;

use super::placed::Placed;
use super::{
    Approval, Capability, ConstrainAuthority, GoalButton, ImpactPenalty, Information,
    LengthNeutral, OffSwitch, Oversight, Resources, RewardUncertainty, SafeInterruptibility,
    SecondBody, SharedIntervention, ShutdownIndifference, Tampering, TimeLimit, Watched,
};
use crate::document::{Faults, Node, Span, Spanned, TableReader, nearest};
use crate::mdp::Mdp;
use crate::units::StateId;

/// Reads one intervention's parameters; `None` where one of them has a fault.
type Reader = fn(&mut Parameters<'_, '_>) -> SharedIntervention;

/// Every kind of intervention and its reader.
const READERS: &[(&str, Reader)] = &[
    ("off-switch", |from| Arc::new(OffSwitch::read(from))),
    ("resources", |from| Arc::new(Resources::read(from))),
    ("capability", |from| Arc::new(Capability::read(from))),
    ("information", |from| Arc::new(Information::read(from))),
    ("copy", |from| Arc::new(SecondBody::read(from))),
    ("watched", |from| Arc::new(Watched::read(from))),
    ("oversight", |from| Arc::new(Oversight::read(from))),
    ("approval", |from| Arc::new(Approval::read(from))),
    ("constrain-authority", |from| {
        Arc::new(ConstrainAuthority::read(from))
    }),
    ("time-limit", |from| Arc::new(TimeLimit::read(from))),
    ("goal-button", |from| Arc::new(GoalButton::read(from))),
    ("impact-penalty", |from| Arc::new(ImpactPenalty::read(from))),
    ("reward-uncertainty", |from| {
        Arc::new(RewardUncertainty::read(from))
    }),
    ("shutdown-indifference", |from| {
        Arc::new(ShutdownIndifference::read(from))
    }),
    ("safe-interruptibility", |from| {
        Arc::new(SafeInterruptibility::read(from))
    }),
    ("tampering", |from| Arc::new(Tampering::read(from))),
    ("length-neutral", |from| Arc::new(LengthNeutral::read(from))),
];

/// Most steps that a choice may take.
const MAX_STEPS: u64 = 10_000;

/// Names of all interventions, as an experiment file spells them.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|(kind, _)| *kind)
}

/// Reads one intervention: a table with its `kind` and its parameters.
pub fn read(node: &Spanned<Node>, faults: &mut Faults) -> Option<SharedIntervention> {
    let mut table = TableReader::open(node, "an intervention", faults)?;
    table.require("kind", faults)?;
    let kind = table.string("kind", faults)?;
    let Some((_, reader)) = READERS.iter().find(|(name, _)| *name == kind.value) else {
        let known: Vec<&str> = kinds().collect();
        let help = match nearest(&kind.value, &known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known: {}", known.join(", ")),
        };
        let message = format!("there is no intervention {:?}", kind.value);
        faults.error_with_help(kind.span, message, help);
        return None;
    };
    let before = faults.errors().count();
    let intervention = reader(&mut Parameters {
        table: &mut table,
        faults,
    });
    table.finish(faults);
    let placed = Placed {
        by: intervention,
        place: kind.span,
    };
    (faults.errors().count() == before).then(|| Arc::new(placed) as SharedIntervention)
}

/// Takes an intervention's parameters out of its table.
pub(super) struct Parameters<'r, 'a> {
    table: &'r mut TableReader<'a>,
    faults: &'r mut Faults,
}

impl Parameters<'_, '_> {
    /// Tells what is wrong with a list where a number stands: lists of numbers have become doses before.
    fn check_dose(&mut self, key: &'static str) -> Option<()> {
        let Some(Node::Array(items)) = self.table.take(key).map(|node| &node.value) else {
            return Some(());
        };
        if items.is_empty() {
            let message = format!("`{key}` is an empty list, which makes no variant");
            let help = "give a number, or a list of numbers, which makes a variant for each";
            let span = self.table.take(key).map(|node| node.span.clone());
            self.faults.error_with_help(span, message, help);
        }
        for item in items.iter().filter(|item| item.value.as_f64().is_none()) {
            let found = item.value.type_name();
            let message = format!("a list in `{key}` holds numbers, this is {found}");
            self.faults.error(item.span.clone(), message);
        }
        None
    }

    /// A finite number, if there is one.
    fn any_number(&mut self, key: &'static str) -> Option<Spanned<f64>> {
        self.check_dose(key)?;
        self.table.number(key, self.faults)
    }

    /// A probability; 0 where nothing is said.
    pub(super) fn probability(&mut self, key: &'static str) -> f64 {
        self.probability_or(key, 0.0)
    }

    /// A probability with a default.
    pub(super) fn probability_or(&mut self, key: &'static str, default: f64) -> f64 {
        let Some(number) = self.any_number(key) else {
            return default;
        };
        if !(0.0..=1.0).contains(&number.value) {
            let message = format!("`{key}` is a probability, this is {}", number.value);
            self.faults.error(number.span, message);
        }
        number.value
    }

    /// A whole number with a default, up to a limit.
    pub(super) fn count_or(&mut self, key: &'static str, default: u64) -> u64 {
        let read = self.check_dose(key);
        let read = read.and_then(|()| self.table.count(key, self.faults));
        let Some(number) = read else {
            return default;
        };
        if number.value > MAX_STEPS {
            let message = format!(
                "`{key}` must be at most {MAX_STEPS}, this is {}",
                number.value
            );
            self.faults.error(number.span, message);
        }
        number.value
    }

    /// Steps that something takes: at least 1, which is the default.
    pub(super) fn steps(&mut self, key: &'static str) -> u32 {
        let steps = self.count_or(key, 1);
        self.check(steps > 0, key, &format!("`{key}` must be at least 1"));
        steps as u32
    }

    /// A probability that must be given.
    pub(super) fn require_probability(&mut self, key: &'static str) -> f64 {
        self.table.require(key, self.faults);
        self.probability(key)
    }

    /// A number.
    pub(super) fn number(&mut self, key: &'static str) -> Option<f64> {
        let number = self.any_number(key);
        number.map(|number| number.value)
    }

    /// A number with a default.
    pub(super) fn number_or(&mut self, key: &'static str, default: f64) -> f64 {
        self.number(key).unwrap_or(default)
    }

    /// A whole number that must be given.
    pub(super) fn require_count(&mut self, key: &'static str) -> u64 {
        self.table.require(key, self.faults);
        self.count_or(key, 0)
    }

    /// A switch; off where nothing is said.
    pub(super) fn switch(&mut self, key: &'static str) -> bool {
        self.switch_or(key, false)
    }

    /// A switch with a default.
    pub(super) fn switch_or(&mut self, key: &'static str, default: bool) -> bool {
        let read = self.table.boolean(key, self.faults);
        read.map_or(default, |switch| switch.value)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let word = self.table.string(key, self.faults)?;
        let found = words.iter().find(|(name, _)| *name == word.value);
        if found.is_none() {
            let known: Vec<String> = words.iter().map(|(name, _)| format!("{name:?}")).collect();
            let message = format!(
                "`{key}` is one of {}, this is {:?}",
                known.join(", "),
                word.value
            );
            self.faults.error(word.span, message);
        }
        found.map(|(_, value)| *value)
    }

    /// A name.
    pub(super) fn name(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.table.string(key, self.faults)
    }

    /// A name that must be given; an empty one where it is not.
    pub(super) fn require_name(&mut self, key: &'static str) -> Spanned<String> {
        self.table.require(key, self.faults);
        self.name(key).unwrap_or(Spanned {
            value: String::new(),
            span: 0..0,
        })
    }

    /// Names that must be given; none where they are not.
    pub(super) fn require_names(&mut self, key: &'static str) -> Names {
        self.table.require(key, self.faults);
        self.names(key).unwrap_or(Names::new(key, []))
    }

    /// Reports what is wrong with a parameter, at its place, unless `good`.
    pub(super) fn check(&mut self, good: bool, key: &'static str, message: &str) {
        if !good {
            let span = self.table.take(key).map(|node| node.span.clone());
            self.faults.error(span, message);
        }
    }

    /// Names of states, labels of states or labels of choices.
    pub(super) fn names(&mut self, key: &'static str) -> Option<Names> {
        self.read_names(key, false)
    }

    /// Names that may be left out, where an empty list says that there are none.
    pub(super) fn names_if_any(&mut self, key: &'static str) -> Option<Names> {
        self.read_names(key, true)
    }

    /// The same, where an empty list says that there are none.
    pub(super) fn names_or_none(&mut self, key: &'static str) -> Names {
        self.table.require(key, self.faults);
        let names = self.read_names(key, true);
        names.unwrap_or(Names::new(key, []))
    }

    fn read_names(&mut self, key: &'static str, may_be_empty: bool) -> Option<Names> {
        let node = self.table.take(key)?;
        let items = match &node.value {
            Node::Array(items) => items.iter().collect(),
            _ => vec![node],
        };
        if items.is_empty() && !may_be_empty {
            let message = format!("`{key}` is an empty list");
            self.faults.error(node.span.clone(), message);
        }
        let mut names = Vec::new();
        for item in items {
            match &item.value {
                Node::String(name) => names.push(Spanned {
                    value: name.clone(),
                    span: item.span.clone(),
                }),
                other => {
                    let found = other.type_name();
                    let message = format!("`{key}` holds names, this is {found}");
                    self.faults.error(item.span.clone(), message);
                }
            }
        }
        Some(Names { key, names })
    }
}

/// States and choices by name: names of states, labels of states, labels of choices, and `start`.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    key: &'static str,
    names: Vec<Spanned<String>>,
}

impl Names {
    /// Names from a program. `key` is the parameter that messages speak of.
    pub fn new<'n>(key: &'static str, names: impl IntoIterator<Item = &'n str>) -> Self {
        let spanned = |name: &str| Spanned {
            value: name.to_owned(),
            span: 0..0,
        };
        Self {
            key,
            names: names.into_iter().map(spanned).collect(),
        }
    }

    /// The parameter.
    pub(super) fn key(&self) -> &'static str {
        self.key
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Where the first of them stands.
    pub(super) fn span(&self) -> Option<Span> {
        self.names.first().map(|name| name.span.clone())
    }

    /// Whether each state is meant, `[n_states]`. A label of choices is a fault.
    pub(super) fn states(&self, mdp: &Mdp, faults: &mut Faults) -> Vec<bool> {
        let mut of = vec![false; mdp.n_states()];
        for name in &self.names {
            match states_named(mdp, &name.value) {
                Some(states) => states.iter().for_each(|s| of[s.index()] = true),
                None => self.report(mdp, name, "state or label of states", faults),
            }
        }
        of
    }

    /// Whether each choice is meant, `[n_choices]`: those of a label of choices, and all choices of a state or of a label of states.
    pub(super) fn choices(&self, mdp: &Mdp, faults: &mut Faults) -> Vec<bool> {
        let mut of = vec![false; mdp.n_choices()];
        for name in &self.names {
            if let Some(states) = states_named(mdp, &name.value) {
                let choices = states.iter().flat_map(|s| mdp.choices(*s));
                choices.for_each(|c| of[c.index()] = true);
            } else if let Some(choices) = mdp.choice_labels().get(&name.value) {
                choices.iter().for_each(|c| of[c.index()] = true);
            } else {
                self.report(mdp, name, "state or label", faults);
            }
        }
        of
    }

    fn report(&self, mdp: &Mdp, name: &Spanned<String>, wanted: &str, faults: &mut Faults) {
        let labels = mdp.state_labels().keys().chain(mdp.choice_labels().keys());
        let known: Vec<&str> = mdp
            .states()
            .map(|s| mdp.state_name(s))
            .chain(labels.map(String::as_str))
            .collect();
        let key = self.key;
        let message = format!("`{key}`: {:?} has no {wanted} {:?}", mdp.name(), name.value);
        match nearest(&name.value, &known) {
            Some(near) if near != name.value => {
                let help = format!("did you mean {near:?}?");
                faults.error_with_help(name.span.clone(), message, help);
            }
            _ => faults.error(name.span.clone(), message),
        }
    }
}

/// A state, else a label of states, else `start`: as statistics understand names.
fn states_named(mdp: &Mdp, name: &str) -> Option<Vec<StateId>> {
    if let Some(state) = mdp.find_state(name) {
        return Some(vec![state]);
    }
    if let Some(states) = mdp.state_labels().get(name) {
        return Some(states.clone());
    }
    let is_start = name == "start" && !mdp.choice_labels().contains_key(name);
    is_start.then(|| mdp.start().iter().map(|(s, _)| *s).collect())
}

/// The states of some names; where none are given, all that can be left.
pub(super) fn states_or_all(names: Option<&Names>, mdp: &Mdp, faults: &mut Faults) -> Vec<bool> {
    match names {
        Some(names) => names.states(mdp, faults),
        None => mdp.states().map(|s| !mdp.is_absorbing(s)).collect(),
    }
}

/// The states of some names; where none are given, those it starts in.
pub(super) fn states_or_start(names: Option<&Names>, mdp: &Mdp, faults: &mut Faults) -> Vec<bool> {
    match names {
        Some(names) => names.states(mdp, faults),
        None => start_states(mdp),
    }
}

/// Whether it starts in each state.
fn start_states(mdp: &Mdp) -> Vec<bool> {
    let mut of = vec![false; mdp.n_states()];
    mdp.start().iter().for_each(|(s, _)| of[s.index()] = true);
    of
}

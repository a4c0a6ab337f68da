//! What is asked beyond POWER: by name, and resolved to one MDP.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::behaviour::{
    Choices, Chosen, Condition, Distribution, Dominance, End, Event, Events, Glance, Indifference,
    LawScale, Look, Majority, Occupancy, Optimality, Panel, Readings, Target, Ties,
};
use super::{
    Comparable, Conditioned, DominanceRequest, MajorityRequest, Map, ObservedSums, Quantity, Row,
    Table,
};
use crate::document::nearest;
use crate::mdp::Mdp;
use crate::units::{ChoiceId, Limit, StateId};

/// One statistic of one cell. To add one: a file with its type beside `optimality.rs`, what is asked of it in [`Request`], and a line in
/// [`Request::resolve`].
pub trait Statistic: Debug + Send + Sync {
    /// The name it is asked by.
    fn name(&self) -> &'static str;

    /// Numbers per goal.
    fn n_columns(&self) -> usize;

    /// Whether its numbers depend on what the agent does alone, and not on what that is worth.
    fn is_of_behaviour(&self) -> bool {
        false
    }

    /// Whether it looks at what optimal agents have, whatever the agent does.
    fn looks_at_optimum(&self) -> bool {
        false
    }

    /// Appends its numbers of one goal.
    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>);

    /// The states whose best successors tell its numbers of most goals, where [`glance`](Self::glance) reads them off those.
    fn glances_at(&self, mdp: &Mdp) -> Option<Vec<StateId>> {
        let _ = mdp;
        None
    }

    /// Sets its numbers of goals side by side, as far as a glance tells them: the same as [`observe`](Self::observe) appends. Returns the goals of which
    /// it does not, a bit for each; whatever was set of those does not count.
    fn glance(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        let _ = (glance, panel);
        u64::MAX
    }

    /// The means that are taken; columns count from the statistic's own first.
    fn quantities(&self) -> Vec<Quantity>;

    /// The numbers of a goal that can be compared with those of another cell; columns count from the statistic's own first.
    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        let _ = mdp;
        Vec::new()
    }

    /// The numbers of a goal that a table of goals shows, with their names; columns count from the statistic's own first.
    fn per_goal(&self, mdp: &Mdp) -> Vec<(String, usize)> {
        let plain = |number: &Comparable| number.quantity.map == Map::Identity;
        let numbers = self.comparables(mdp).into_iter().filter(plain);
        numbers
            .map(|number| (number.name(), number.quantity.column))
            .collect()
    }

    /// Itself, where it needs the readings of a goal and nothing else.
    fn readings(&self) -> Option<&Readings> {
        None
    }

    /// What came out; its quantities are those of `sums` from number `first` on.
    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table>;
}

/// What is asked, by the names that stand in the experiment file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// States, labels of states (`start` for the start states) whose choices are counted, and labels of choices, which are counted
    /// as sets.
    pub optimality: Vec<String>,
    /// Pairs of sets of choices: which of them is optimal for more goals.
    pub majority: Vec<MajorityRequest>,
    /// As in `optimality`; the probability that the agent takes each choice, under any decision rule.
    pub choices: Vec<String>,
    /// Labels of states or choices, or states, that the optimal policy may get to from the start.
    pub events: Vec<EventRequest>,
    /// Whether visits of every state are measured.
    pub occupancy: bool,
    /// States, and labels of states, whose POWER integrand is measured as a whole distribution and compared.
    pub distribution: Vec<String>,
    /// Pairs of states: whether the first one's POWER integrand is larger in distribution than the second one's.
    pub dominance: Vec<DominanceRequest>,
    /// Ends, whose avoidance is told for every reward that they may pay.
    pub indifference: Vec<String>,
    /// Names of drives. Those that an MDP does not show are left out.
    pub drives: Vec<String>,
    /// Whether every drive is split into what a goal's own rewards explain and the rest.
    pub split_drives: bool,
}

/// An event by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventRequest {
    /// A label, or a state.
    pub label: String,
    /// Steps for the measure `within`.
    pub within: Option<u64>,
    /// How ties are broken.
    pub ties: Ties,
    /// Whether the expected time is left out: random agents may take longer than numbers go.
    pub without_time: bool,
}

/// A name that an MDP does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mdp} has no {wanted} {name:?}{}", near(.nearest))]
pub struct UnknownName {
    /// The MDP.
    pub mdp: String,
    /// The statistic that asks for it.
    pub statistic: &'static str,
    /// Position in the statistic's list.
    pub position: usize,
    /// What was wanted.
    pub wanted: &'static str,
    /// The name.
    pub name: String,
    /// The nearest name there is.
    pub nearest: Option<String>,
}

fn near(nearest: &Option<String>) -> String {
    let near = nearest.as_ref();
    near.map_or(String::new(), |name| format!("; did you mean {name:?}?"))
}

/// Everything asked of one cell. The default is nothing beyond POWER.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    statistics: Vec<Arc<dyn Statistic>>,
    /// Which goals belong, where not all do.
    condition: Option<Arc<Condition>>,
    /// What is told of goals one by one.
    chosen: Option<Chosen>,
}

/// The start states, where no state and no label has that name.
const START: &str = "start";

/// What a name stands for.
pub(super) enum Named<'m> {
    States(Vec<StateId>),
    Choices(&'m str, &'m [ChoiceId]),
}

impl Request {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot be answered at a limit of the discount, and why; one sentence each.
    #[must_use]
    pub fn obstacles(&self, limit: Limit) -> Vec<String> {
        let mut obstacles = Vec::new();
        if self.occupancy && limit == Limit::One {
            obstacles.push(
                "`occupancy` has no limit at ->1: visits are endless there; ask for a discount like 0.999"
                    .to_owned(),
            );
        }
        if !self.distribution.is_empty() {
            let limit = limit.name();
            obstacles.push(format!(
                "`distribution` is not yet supported at the limit {limit}"
            ));
        }
        if !self.dominance.is_empty() {
            let limit = limit.name();
            obstacles.push(format!(
                "`dominance` is not yet supported at the limit {limit}"
            ));
        }
        if !self.indifference.is_empty() {
            let limit = limit.name();
            obstacles.push(format!(
                "`indifference` is not yet supported at the limit {limit}"
            ));
        }
        obstacles
    }

    /// What is left of it on one of several variants: names that the MDP does not have are left out. Whether each name is known in any
    /// of them is for the caller to check.
    #[must_use]
    pub fn known_to(&self, mdp: &Mdp) -> Self {
        let is_states = |name: &String| matches!(find(mdp, name), Some(Named::States(_)));
        let mut known = self.clone();
        known.optimality.retain(|name| find(mdp, name).is_some());
        known.majority.retain(|pair| pair.resolve(mdp, 0).is_ok());
        known.choices.retain(|name| find(mdp, name).is_some());
        known
            .events
            .retain(|event| find(mdp, &event.label).is_some());
        known.distribution.retain(is_states);
        known.dominance.retain(|pair| pair.resolve(mdp, 0).is_ok());
        let is_end = |name: &String| {
            let mut unknown = Vec::new();
            ends(mdp, std::slice::from_ref(name), &mut unknown);
            unknown.is_empty()
        };
        known.indifference.retain(is_end);
        known
    }

    /// Names that none of several MDPs has, as the first of them tells it.
    ///
    /// # Panics
    ///
    /// If there is no MDP.
    pub fn unknown_to_all<'m>(&self, mdps: impl IntoIterator<Item = &'m Mdp>) -> Vec<UnknownName> {
        let mut each = mdps.into_iter().map(|mdp| {
            let unknown = self.resolve(mdp, LawScale::default());
            unknown.err().unwrap_or_default()
        });
        let mut unknown = each.next().expect("there is a variant");
        for others in each {
            unknown.retain(|name| {
                let same =
                    |o: &UnknownName| o.statistic == name.statistic && o.position == name.position;
                others.iter().any(same)
            });
        }
        unknown
    }

    /// What has no meaning for an agent that follows another rule than optimality, and why; one sentence each.
    #[must_use]
    pub fn obstacles_of_rules(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        if !self.optimality.is_empty() {
            obstacles.push(
                "`optimality` counts optimal choices, which other rules than \"optimal\" do not follow: ask for `choices`, \
                 the probability that the agent takes each"
                    .to_owned(),
            );
        }
        if !self.majority.is_empty() {
            obstacles.push(
                "`majority` compares for how many goals choices are optimal, which other rules than \"optimal\" do not follow"
                    .to_owned(),
            );
        }
        if !self.indifference.is_empty() {
            obstacles.push(
                "`indifference` is about what is best: other rules than \"optimal\" do not go by that alone"
                    .to_owned(),
            );
        }
        for event in self.events.iter().filter(|e| e.ties != Ties::Even) {
            obstacles.push(format!(
                "the event {:?} has `ties`, which are between optimal choices: other rules than \"optimal\" have none to break",
                event.label
            ));
        }
        obstacles
    }

    /// What is not there where choices have rewards, one sentence each: all that is about the POWER of states, or about what a state itself pays.
    #[must_use]
    pub fn obstacles_of_choice_rewards(&self) -> Vec<String> {
        let asked = [
            ("distribution", !self.distribution.is_empty()),
            ("dominance", !self.dominance.is_empty()),
            ("indifference", !self.indifference.is_empty()),
            ("drives", !self.drives.is_empty()),
        ];
        let there = asked.into_iter().filter(|(_, is_asked)| *is_asked);
        there
            .map(|(name, _)| format!("`{name}` is not yet supported for rewards of choices"))
            .collect()
    }

    /// Finds every name in an MDP; `law` fixes units and edges.
    ///
    /// # Errors
    ///
    /// Every name that it does not have.
    pub fn resolve(&self, mdp: &Mdp, law: LawScale) -> Result<Asked, Vec<UnknownName>> {
        let mut unknown = Vec::new();
        let mut statistics: Vec<Arc<dyn Statistic>> = Vec::new();
        if !self.optimality.is_empty() {
            let names = &self.optimality;
            statistics.push(Arc::new(options(mdp, "optimality", names, &mut unknown)));
        }
        if !self.majority.is_empty() {
            statistics.push(Arc::new(self.majority(mdp, &mut unknown)));
        }
        if !self.choices.is_empty() {
            let of = options(mdp, "choices", &self.choices, &mut unknown);
            statistics.push(Arc::new(Choices::new(of)));
        }
        if !self.events.is_empty() {
            statistics.push(Arc::new(self.events(mdp, &mut unknown)));
        }
        if self.occupancy {
            statistics.push(Arc::new(Occupancy::new(mdp)));
        }
        if !self.distribution.is_empty() {
            let states = states(mdp, "distribution", &self.distribution, &mut unknown);
            statistics.push(Arc::new(Distribution::new(states, law)));
        }
        if !self.dominance.is_empty() {
            let mut pairs = Vec::new();
            for (at, pair) in self.dominance.iter().enumerate() {
                match pair.resolve(mdp, 2 * at) {
                    Ok(pair) => pairs.push(pair),
                    Err(names) => unknown.extend(names),
                }
            }
            statistics.push(Arc::new(Dominance::new(pairs, law)));
        }
        if !self.indifference.is_empty() {
            let ends = ends(mdp, &self.indifference, &mut unknown);
            statistics.push(Arc::new(Indifference::new(ends, law)));
        }
        match unknown.is_empty() {
            true => Ok(Asked {
                statistics,
                ..Asked::default()
            }),
            false => Err(unknown),
        }
    }

    fn majority(&self, mdp: &Mdp, unknown: &mut Vec<UnknownName>) -> Majority {
        let (mut pairs, mut position) = (Vec::new(), 0);
        for pair in &self.majority {
            match pair.resolve(mdp, position) {
                Ok(sets) => pairs.push((&*pair.name, sets)),
                Err(names) => unknown.extend(names),
            }
            position += pair.names().count();
        }
        let pairs = pairs.iter().map(|(name, [a, b])| (*name, [&a[..], &b[..]]));
        Majority::new(mdp, &pairs.collect::<Vec<_>>())
    }

    fn events(&self, mdp: &Mdp, unknown: &mut Vec<UnknownName>) -> Events {
        let mut list = Vec::new();
        for (position, request) in self.events.iter().enumerate() {
            match Event::of(mdp, request) {
                Some(event) => list.push(event),
                None => unknown.push(UnknownName {
                    mdp: mdp.name().to_owned(),
                    statistic: "events",
                    position,
                    wanted: "label or state",
                    name: request.label.clone(),
                    nearest: nearest_name(mdp, &request.label),
                }),
            }
        }
        Events::new(mdp, list)
    }
}

/// The states that names stand for, each once; names that the MDP does not have are told apart.
///
/// # Errors
///
/// Every name that is no state, no label of states and not `start`.
pub fn named_states(
    mdp: &Mdp,
    statistic: &'static str,
    names: &[String],
) -> Result<Vec<StateId>, Vec<UnknownName>> {
    let mut unknown = Vec::new();
    let found = states(mdp, statistic, names, &mut unknown);
    match unknown.is_empty() {
        true => Ok(found),
        false => Err(unknown),
    }
}

impl Event {
    /// An event by name; `None` where an MDP has no such label or state.
    pub(super) fn of(mdp: &Mdp, request: &EventRequest) -> Option<Self> {
        let target = match find(mdp, &request.label)? {
            Named::States(states) => {
                let mut of = vec![false; mdp.n_states()];
                states.iter().for_each(|s| of[s.index()] = true);
                Target::States(of)
            }
            Named::Choices(_, choices) => {
                let mut of = vec![false; mdp.n_choices()];
                choices.iter().for_each(|c| of[c.index()] = true);
                Target::Choices(of)
            }
        };
        Some(Self {
            label: request.label.clone(),
            target,
            steps: request.within,
            ties: request.ties,
            timed: !request.without_time,
        })
    }
}

/// The choices that names stand for: one by one those of states, as sets those of a label.
fn options(
    mdp: &Mdp,
    statistic: &'static str,
    names: &[String],
    unknown: &mut Vec<UnknownName>,
) -> Optimality {
    let (mut states, mut sets) = (Vec::new(), Vec::new());
    for (position, name) in names.iter().enumerate() {
        match find(mdp, name) {
            Some(Named::States(found)) => {
                let new = found.into_iter().filter(|s| !states.contains(s));
                states.extend(new.collect::<Vec<_>>());
            }
            Some(Named::Choices(label, members)) => sets.push((label, members)),
            None => unknown.push(UnknownName {
                mdp: mdp.name().to_owned(),
                statistic,
                position,
                wanted: "state or label",
                name: name.clone(),
                nearest: nearest_name(mdp, name),
            }),
        }
    }
    Optimality::new(mdp, &states, &sets)
}

/// The states that names stand for, each once. A label of choices is no name here.
fn states(
    mdp: &Mdp,
    statistic: &'static str,
    names: &[String],
    unknown: &mut Vec<UnknownName>,
) -> Vec<StateId> {
    let mut states = Vec::new();
    for (position, name) in names.iter().enumerate() {
        match find(mdp, name) {
            Some(Named::States(found)) => {
                let new = found.into_iter().filter(|s| !states.contains(s));
                states.extend(new.collect::<Vec<_>>());
            }
            _ => unknown.push(UnknownName {
                mdp: mdp.name().to_owned(),
                statistic,
                position,
                wanted: "state or label of states",
                name: name.clone(),
                nearest: nearest_name(mdp, name),
            }),
        }
    }
    states
}

/// The ends that names stand for.
fn ends(mdp: &Mdp, names: &[String], unknown: &mut Vec<UnknownName>) -> Vec<End> {
    let before = unknown.len();
    let found = states(mdp, "indifference", names, unknown);
    let mut ends = Vec::new();
    for state in found {
        match End::of(mdp, state) {
            Some(end) => ends.push(end),
            // A name that is none was told as such.
            None if unknown.len() > before => {}
            None => unknown.push(UnknownName {
                mdp: mdp.name().to_owned(),
                statistic: "indifference",
                position: names.iter().position(|n| n == mdp.state_name(state)).unwrap_or(0),
                wanted: "end that choices of its one start lead to for certain, and nothing else leads to, named",
                name: mdp.state_name(state).to_owned(),
                nearest: None,
            }),
        }
    }
    ends
}

/// A state, else a label of states, else a label of choices, else `start`.
pub(super) fn find<'m>(mdp: &'m Mdp, name: &str) -> Option<Named<'m>> {
    if let Some(state) = mdp.find_state(name) {
        return Some(Named::States(vec![state]));
    }
    if let Some(states) = mdp.state_labels().get(name) {
        return Some(Named::States(states.clone()));
    }
    if let Some((label, choices)) = mdp.choice_labels().get_key_value(name) {
        return Some(Named::Choices(label, choices));
    }
    let start = || mdp.start().iter().map(|(s, _)| *s).collect();
    (name == START).then(|| Named::States(start()))
}

pub(super) fn nearest_name(mdp: &Mdp, name: &str) -> Option<String> {
    fn keys<V>(map: &BTreeMap<String, V>) -> impl Iterator<Item = &str> {
        map.keys().map(String::as_str)
    }
    let mut known: Vec<&str> = keys(mdp.state_labels())
        .chain(keys(mdp.choice_labels()))
        .collect();
    known.push(START);
    known.extend(mdp.states().map(|s| mdp.state_name(s)));
    nearest(name, &known).map(str::to_owned)
}

impl Asked {
    /// Whether there is nothing beyond POWER.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statistics.is_empty()
    }

    /// Whether any of it looks at what optimal agents have, whatever the agent does.
    #[must_use]
    pub fn looks_at_optimum(&self) -> bool {
        self.statistics.iter().any(|s| s.looks_at_optimum())
    }

    /// The statistics, in the order of their columns.
    #[must_use]
    pub fn statistics(&self) -> &[Arc<dyn Statistic>] {
        &self.statistics
    }

    /// The same, and another statistic after the others.
    #[must_use]
    pub fn with(mut self, statistic: Option<impl Statistic + 'static>) -> Self {
        self.statistics
            .extend(statistic.map(|s| Arc::new(s) as Arc<dyn Statistic>));
        self
    }

    /// Without one that has no meaning here.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.statistics.retain(|s| s.name() != name);
        self
    }

    /// The same, and what is told of goals one by one.
    #[must_use]
    pub fn listing(mut self, chosen: Option<Chosen>) -> Self {
        self.chosen.clone_from(&chosen);
        self.with(chosen)
    }

    /// What is told of goals one by one, and its first column.
    #[must_use]
    pub fn chosen(&self) -> Option<(Chosen, usize)> {
        let chosen = self.chosen.clone()?;
        let first = self.first_column(chosen.name())?;
        Some((chosen, first))
    }

    /// The same, and which goals belong.
    #[must_use]
    pub fn conditioned(mut self, condition: Option<Condition>) -> Self {
        if let Some(condition) = condition {
            let condition = Arc::new(condition);
            self.condition = Some(condition.clone());
            self.statistics.push(condition);
        }
        self
    }

    /// Which goals belong, where not all do.
    #[must_use]
    pub fn condition(&self) -> Option<Conditioned> {
        let condition = self.condition.clone()?;
        let first = self.first_column(condition.name())?;
        Some(Conditioned { condition, first })
    }

    /// The first column of the statistic of that name.
    fn first_column(&self, name: &str) -> Option<usize> {
        let mut first = 0;
        for statistic in &self.statistics {
            if statistic.name() == name {
                return Some(first);
            }
            first += statistic.n_columns();
        }
        None
    }

    /// The numbers of a goal that a table of goals shows, with their names and columns.
    #[must_use]
    pub fn per_goal(&self, mdp: &Mdp) -> Vec<(String, usize)> {
        let mut all = Vec::new();
        let mut first = 0;
        for statistic in &self.statistics {
            let own = statistic.per_goal(mdp).into_iter();
            all.extend(own.map(|(name, column)| (name, first + column)));
            first += statistic.n_columns();
        }
        all
    }

    /// The number of the first quantity of the statistic of that name, where it has any.
    #[must_use]
    pub fn first_quantity(&self, name: &str) -> Option<usize> {
        let mut first = 0;
        for statistic in &self.statistics {
            let n = statistic.quantities().len();
            if statistic.name() == name && n > 0 {
                return Some(first);
            }
            first += n;
        }
        None
    }

    /// Numbers per goal.
    #[must_use]
    pub fn n_columns(&self) -> usize {
        self.statistics.iter().map(|s| s.n_columns()).sum()
    }

    /// The numbers of a goal that can be compared with those of another cell.
    #[must_use]
    pub fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        let mut all = Vec::new();
        let mut column = 0;
        for statistic in &self.statistics {
            let own = statistic.comparables(mdp).into_iter();
            all.extend(own.map(|number| number.shifted(column)));
            column += statistic.n_columns();
        }
        all
    }

    /// The means that are taken over all columns.
    #[must_use]
    pub fn quantities(&self) -> Vec<Quantity> {
        let mut all = Vec::new();
        let mut column = 0;
        for statistic in &self.statistics {
            let own = statistic.quantities().into_iter();
            all.extend(own.map(|q| q.shifted(column)));
            column += statistic.n_columns();
        }
        all
    }

    /// What came out of every statistic.
    #[must_use]
    pub fn tables(&self, mdp: &Mdp, sums: &ObservedSums, level: f64) -> Vec<Table> {
        let firsts = self.statistics.iter().scan(0, |next, statistic| {
            let own: Range<usize> = *next..*next + statistic.quantities().len();
            *next = own.end;
            Some(own.start)
        });
        let each = self.statistics.iter().zip(firsts);
        each.flat_map(|(statistic, first)| statistic.tables(mdp, sums, first, level))
            .collect()
    }
}

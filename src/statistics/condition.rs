//! A condition on goals by name, and resolved to one MDP.

use std::collections::VecDeque;

use super::EventRequest;
use super::asked::{Named, UnknownName, find, nearest_name};
use super::behaviour::{Condition, Demand, Event, Events, Optimality, Part};
use super::{Key, KeyKind, Measure, Table, TableRow};
use crate::mdp::Mdp;
use crate::reward::{Chain, Largest};
use crate::units::{ChoiceId, Limit, StateId};

/// Sums of chances closer than this are equal.
const ROUNDING: f64 = 1e-9;

/// States without a choice that are told by name.
const MISSING_TOLD: usize = 8;

/// Which goals belong, by the names that stand in the experiment file: those whose optimal policy, on the unmodified MDP, does all of this.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConditionRequest {
    /// Choices that are optimal.
    pub optimal: Vec<OptimalRequest>,
    /// Whether nothing else may be optimal beside them.
    pub strict: bool,
    /// What the policy gets to from the start.
    pub reach: Vec<ReachRequest>,
    /// What it does not get to.
    pub avoid: Vec<ReachRequest>,
    /// How goals that belong are found.
    pub method: ConditionMethod,
}

/// How goals that belong are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConditionMethod {
    /// All goals are drawn, and those that do not belong left out.
    #[default]
    Rejection,
    /// Only goals that belong are drawn: the best of what is compared is swapped to where it must be.
    Swap,
    /// Only goals that belong are drawn: by walks in the polytope of the goals for which a policy is optimal.
    HitAndRun,
}

impl ConditionMethod {
    /// All.
    pub const ALL: [Self; 3] = [Self::Rejection, Self::Swap, Self::HitAndRun];

    /// The name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejection => "rejection",
            Self::Swap => "swap",
            Self::HitAndRun => "hit-and-run",
        }
    }
}

/// A choice, or a label of choices of which one must be optimal in every state that has any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptimalRequest {
    /// One choice.
    Choice {
        /// Its state.
        state: String,
        /// Its action.
        action: String,
    },
    /// A label of choices.
    Label(String),
}

/// What is to be reached, or avoided.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachRequest {
    /// A label, or a state.
    pub label: String,
    /// Within so many steps; `None` for ever.
    pub within: Option<u64>,
    /// The least probability that is enough.
    pub probability: f64,
}

impl ConditionRequest {
    /// Whether every goal meets it because nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.optimal.is_empty() && self.reach.is_empty() && self.avoid.is_empty()
    }

    /// What it has no meaning beside, and why; one sentence each.
    #[must_use]
    pub fn obstacles(&self, limit: Option<Limit>, other_rule: bool) -> Vec<String> {
        let mut obstacles = Vec::new();
        match self.method {
            // Goals that are drawn as such are goals of a law like any other.
            ConditionMethod::Swap => return obstacles,
            ConditionMethod::HitAndRun => {
                let none = |limit: Limit| {
                    format!(
                        "`method = \"hit-and-run\"` walks through the goals for which a policy is optimal at a discount: at the limit {} they are no polytope",
                        limit.name()
                    )
                };
                obstacles.extend(limit.map(none));
                return obstacles;
            }
            ConditionMethod::Rejection => {}
        }
        if limit == Some(Limit::Zero) {
            obstacles.push(
                "[condition] is not yet supported at the limit ->0 of the discount".to_owned(),
            );
        }
        if other_rule {
            obstacles.push(
                "[condition] is about optimal policies: it goes with the rule \"optimal\" alone"
                    .to_owned(),
            );
        }
        obstacles
    }

    /// Which rewards must be largest for a goal to belong, in an MDP of which all names are known.
    ///
    /// # Errors
    ///
    /// Why that is not what the condition comes to; one sentence for each part.
    pub fn largest(&self, mdp: &Mdp) -> Result<Vec<Largest>, Vec<String>> {
        let mut problems = self.beyond_choices();
        let mut sets: Vec<Largest> = Vec::new();
        for request in &self.optimal {
            match request.largest(mdp) {
                Ok(set) if sets.contains(&set) => {}
                Ok(set) => sets.push(set),
                Err(problem) => problems.push(problem),
            }
        }
        let shared = |a: &Largest, b: &Largest| a.among.iter().any(|c| b.among.contains(c));
        let overlap =
            (sets.iter().enumerate()).any(|(i, a)| sets[i + 1..].iter().any(|b| shared(a, b)));
        if overlap {
            problems.push(
                "two states of `optimal` lead to the same ends, whose rewards cannot be swapped for either alone: take `method = \"rejection\"`"
                    .to_owned(),
            );
        }
        match problems.is_empty() {
            true => Ok(sets),
            false => Err(problems),
        }
    }

    /// The choice of every state, `[n_states]`, where the choices that are optimal make a whole policy of an MDP of which all names are known. Of choices with equal rows any will do.
    ///
    /// # Errors
    ///
    /// What is missing, or more than that; one sentence for each part.
    pub fn policy(&self, mdp: &Mdp) -> Result<Vec<ChoiceId>, Vec<String>> {
        let mut problems = self.beyond_choices();
        let mut policy: Vec<Option<ChoiceId>> = vec![None; mdp.n_states()];
        for request in &self.optimal {
            let OptimalRequest::Choice { state, action } = request else {
                problems.push(format!(
                    "`method = \"{}\"` is about single choices, {{ state, action }}: labels need rejection",
                    self.method.name()
                ));
                continue;
            };
            let at = mdp.find_state(state);
            let choice = at.and_then(|at| mdp.choices(at).find(|c| mdp.action_name(*c) == action));
            let (Some(at), Some(choice)) = (at, choice) else {
                problems.push(format!(
                    "{} has no choice {action:?} in {state:?}",
                    mdp.name()
                ));
                continue;
            };
            let own = &mut policy[at.index()];
            if own.is_some_and(|own| mdp.row(own) != mdp.row(choice)) {
                problems.push(format!(
                    "two choices of {state:?} are to be optimal, which is a tie: `method = \"{}\"` draws none",
                    self.method.name()
                ));
            }
            *own = Some(choice);
        }
        let all_alike = |choices: &[ChoiceId]| {
            let mut pairs = choices.windows(2);
            pairs.all(|pair| mdp.row(pair[0]) == mdp.row(pair[1]))
        };
        let mut missing = Vec::new();
        for state in mdp.states() {
            let choices: Vec<ChoiceId> = mdp.choices(state).collect();
            let own = &mut policy[state.index()];
            match own {
                None if all_alike(&choices) => *own = Some(choices[0]),
                None => missing.push(mdp.state_name(state)),
                Some(_) => {}
            }
        }
        if !missing.is_empty() {
            let more = missing.len().saturating_sub(MISSING_TOLD);
            missing.truncate(MISSING_TOLD);
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            problems.push(format!(
                "`method = \"{}\"` needs a whole policy: `optimal` (or `policy`) says nothing of {}{more}",
                self.method.name(),
                missing.join(", ")
            ));
        }
        match problems.is_empty() {
            true => Ok(policy.into_iter().flatten().collect()),
            false => Err(problems),
        }
    }

    /// Why methods that draw only what belongs do not go with what is reached.
    fn beyond_choices(&self) -> Vec<String> {
        let beyond = !self.reach.is_empty() || !self.avoid.is_empty();
        let problem = beyond.then(|| {
            format!(
                "`method = \"{}\"` is about choices that are optimal: `reach` and `avoid` need rejection",
                self.method.name()
            )
        });
        problem.into_iter().collect()
    }

    /// What no goal can meet, whatever is rewarded, in an MDP of which all names are known: its key, its position there, and why. What depends on the goals is not looked at.
    #[must_use]
    pub fn impossible(&self, mdp: &Mdp) -> Vec<(&'static str, usize, String)> {
        let mut found = Vec::new();
        let steps = distances(mdp);
        let name = mdp.name();
        for (at, ReachRequest { label, within, .. }) in self.reach.iter().enumerate() {
            let nearest = |states: &[StateId]| states.iter().filter_map(|s| steps[s.index()]).min();
            let least = match find(mdp, label) {
                Some(Named::States(states)) => nearest(&states),
                Some(Named::Choices(_, choices)) => {
                    let states: Vec<StateId> = choices.iter().map(|c| mdp.state_of(*c)).collect();
                    nearest(&states)
                }
                None => continue,
            };
            let why = match (least, within) {
                (None, _) => format!("{name} has no way from the start to {label:?}"),
                (Some(least), Some(within)) if least > *within => {
                    format!(
                        "the shortest way of {name} from the start to {label:?} takes {least}, and `within` is {within}"
                    )
                }
                _ => continue,
            };
            found.push(("reach", at, why));
        }
        for (at, avoid) in self.avoid.iter().enumerate() {
            let ReachRequest {
                label, probability, ..
            } = avoid;
            if let Some(Named::States(states)) = find(mdp, label) {
                let start = mdp.start().iter().filter(|(s, _)| states.contains(s));
                let there: f64 = start.map(|(_, p)| p).sum();
                if 1.0 - there < probability - ROUNDING {
                    let why = format!("{name} starts in {label:?}");
                    found.push(("avoid", at, why));
                }
            }
            // Who gets there within a few steps gets there within more.
            let is_asked_too = |reach: &&ReachRequest| {
                let longer = avoid.within.unwrap_or(u64::MAX);
                reach.label == *label
                    && reach.within.unwrap_or(u64::MAX) <= longer
                    && reach.probability + probability > 1.0 + ROUNDING
            };
            if self.reach.iter().any(|reach| is_asked_too(&reach)) {
                let why = format!("{label:?} is to be reached as well");
                found.push(("avoid", at, why));
            }
        }
        found
    }

    /// Finds every name in an MDP.
    ///
    /// # Errors
    ///
    /// Every name that it does not have; the statistic is `optimal`, `reach` or `avoid`.
    pub fn resolve(&self, mdp: &Mdp) -> Result<Condition, Vec<UnknownName>> {
        let (mut parts, mut unknown) = (Vec::new(), Vec::new());
        for (position, request) in self.optimal.iter().enumerate() {
            match request.part(mdp, self.strict) {
                Ok(part) => parts.push(part),
                Err(name) => unknown.push(UnknownName { position, ..name }),
            }
        }
        let reach = self.reach.iter().enumerate().map(|(i, r)| (i, r, true));
        let avoid = self.avoid.iter().enumerate().map(|(i, r)| (i, r, false));
        for (position, request, happens) in reach.chain(avoid) {
            match request.part(mdp, happens) {
                Ok(part) => parts.push(part),
                Err(name) => unknown.push(UnknownName { position, ..name }),
            }
        }
        match unknown.is_empty() {
            true => Ok(Condition::new(parts)),
            false => Err(unknown),
        }
    }
}

/// Steps to each state on the shortest way from the start, whatever the policy and the luck, `[n_states]`; `None` where there is no way.
fn distances(mdp: &Mdp) -> Vec<Option<u64>> {
    let mut found = vec![None; mdp.n_states()];
    let mut next: VecDeque<StateId> = mdp.start().iter().map(|(s, _)| *s).collect();
    next.iter().for_each(|s| found[s.index()] = Some(0));
    while let Some(state) = next.pop_front() {
        let beyond = found[state.index()].map(|steps| steps + 1);
        for to in mdp.choices(state).flat_map(|c| mdp.row(c).0) {
            if found[*to as usize].is_none() {
                found[*to as usize] = beyond;
                next.push_back(StateId(*to));
            }
        }
    }
    found
}

/// What walks to goals that belong were like, for a mean over so many goals.
#[must_use]
pub fn walk_table(chain: &Chain, goals: u64) -> Table {
    let n = goals as f64;
    let numbers = [
        chain.dimensions as f64,
        chain.walls as f64,
        chain.r_hat,
        chain.effective,
        chain.sweeps as f64,
        n / (1.0 + n * chain.shared),
    ];
    Table {
        name: "walks",
        keys: &[("method", KeyKind::Text)],
        measures: &[
            "dimensions",
            "inequalities",
            "r_hat",
            "effective_points",
            "sweeps",
            "effective_goals",
        ],
        rows: vec![TableRow {
            keys: vec![Key::text(ConditionMethod::HitAndRun.name())],
            measures: numbers.map(Measure::Number).into(),
        }],
    }
}

fn unknown(mdp: &Mdp, statistic: &'static str, wanted: &'static str, name: &str) -> UnknownName {
    UnknownName {
        mdp: mdp.name().to_owned(),
        statistic,
        position: 0,
        wanted,
        name: name.to_owned(),
        nearest: nearest_name(mdp, name),
    }
}

impl OptimalRequest {
    /// The end whose reward must be the largest: where every choice of the state ends, one at a time.
    fn largest(&self, mdp: &Mdp) -> Result<Largest, String> {
        let Self::Choice { state, action } = self else {
            return Err(
                "`method = \"swap\"` is about single choices, { state, action }: labels need rejection"
                    .to_owned(),
            );
        };
        let unknown = || format!("{} has no choice {action:?} in {state:?}", mdp.name());
        let at = mdp.find_state(state).ok_or_else(unknown)?;
        let end = |choice: ChoiceId| -> Result<u32, String> {
            let coordinate = match mdp.row(choice).0 {
                &[to] if StateId(to) != at && mdp.is_absorbing(StateId(to)) => {
                    mdp.reward_coordinate()[to as usize]
                }
                _ => None,
            };
            coordinate.ok_or_else(|| {
                format!(
                    "the choice {:?} of {state:?} does not lead to an end for certain, so that its worth is no single reward: take `method = \"rejection\"`",
                    mdp.action_name(choice)
                )
            })
        };
        let winner = mdp.choices(at).find(|c| mdp.action_name(*c) == action);
        let winner = end(winner.ok_or_else(unknown)?)?;
        let among: Result<Vec<u32>, String> = mdp.choices(at).map(end).collect();
        let mut among = among?;
        among.sort_unstable();
        among.dedup();
        Ok(Largest { winner, among })
    }

    /// How it is called: `action in state`, or the label.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Choice { state, action } => format!("{action} in {state}"),
            Self::Label(label) => label.clone(),
        }
    }

    /// The choices that it stands for in an MDP; `statistic` is who asks.
    pub(super) fn choices(
        &self,
        mdp: &Mdp,
        statistic: &'static str,
    ) -> Result<Vec<ChoiceId>, UnknownName> {
        let unknown = |wanted, name| Err(unknown(mdp, statistic, wanted, name));
        match self {
            Self::Choice { state, action } => {
                let Some(at) = mdp.find_state(state) else {
                    return unknown("state", state);
                };
                let mut choices = mdp.choices(at);
                let Some(choice) = choices.find(|&c| mdp.action_name(c) == action) else {
                    let actions: Vec<&str> = mdp.choices(at).map(|c| mdp.action_name(c)).collect();
                    let nearest = crate::document::nearest(action, &actions);
                    return Err(UnknownName {
                        nearest: nearest.map(str::to_owned),
                        ..self::unknown(mdp, statistic, "such action in that state:", action)
                    });
                };
                Ok(vec![choice])
            }
            Self::Label(label) => match find(mdp, label) {
                Some(Named::Choices(_, choices)) => Ok(choices.to_vec()),
                _ => {
                    let labels: Vec<&str> = mdp.choice_labels().keys().map(|l| &**l).collect();
                    let nearest = crate::document::nearest(label, &labels);
                    Err(UnknownName {
                        nearest: nearest.map(str::to_owned),
                        ..self::unknown(mdp, statistic, "label of choices", label)
                    })
                }
            },
        }
    }

    fn part(&self, mdp: &Mdp, strict: bool) -> Result<Part, UnknownName> {
        let choices = self.choices(mdp, "optimal")?;
        let only = if strict { "only " } else { "" };
        let name = format!("{only}{}", self.name());
        let sets = Optimality::new(mdp, &[], &[(&name, &choices)]).into_rows();
        Ok(Part {
            name: name.clone(),
            demand: Demand::Optimal { sets, strict },
        })
    }
}

impl ReachRequest {
    fn part(&self, mdp: &Mdp, happens: bool) -> Result<Part, UnknownName> {
        let statistic = if happens { "reach" } else { "avoid" };
        let request = EventRequest {
            label: self.label.clone(),
            within: self.within,
            without_time: true,
            ..EventRequest::default()
        };
        let Some(event) = Event::of(mdp, &request) else {
            return Err(unknown(mdp, statistic, "label or state", &self.label));
        };
        let within = self
            .within
            .map_or(String::new(), |steps| format!(" within {steps}"));
        let odds = match self.probability {
            1.0 => String::new(),
            p => format!(" with probability {p}"),
        };
        Ok(Part {
            name: format!("{statistic} {}{within}{odds}", self.label),
            demand: Demand::Happens {
                events: Events::new(mdp, Vec::new()),
                event,
                happens,
                probability: self.probability,
            },
        })
    }
}

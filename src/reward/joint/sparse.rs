//! A few rewarded states, the others with none.

use std::sync::Arc;

use super::counted;
use super::orbit::BoundOrbit;
use crate::document::{Faults, Node, Span, TableReader};
use crate::reward::bind::{Members, Rows};
use crate::reward::distribution::read_marginal;
use crate::reward::goal_law::{Facts, GoalKey, Recipe, WholeGoal, rounding};
use crate::reward::{Making, Marginal, Places, StateSet, shuffle};

/// `count` states of a set, every choice of them equally likely, get a reward; all others get the background.
///
/// With the same reward for all, the goals are an orbit: enumerated where there are at most
/// [`MAX_ENUMERATED`](super::MAX_ENUMERATED).
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse {
    count: u64,
    among: Option<StateSet>,
    value: Value,
    background: f64,
    enumerate: bool,
    /// Where `count` stands, or what else there is.
    span: Option<Span>,
}

/// The reward of a rewarded state.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Fixed(f64),
    Drawn(Marginal),
}

impl Sparse {
    /// `count` of all states get reward 1.
    #[must_use]
    pub fn new(count: u64) -> Self {
        Self {
            count,
            among: None,
            value: Value::Fixed(1.0),
            background: 0.0,
            enumerate: true,
            span: None,
        }
    }

    /// Chooses among some states only.
    #[must_use]
    pub fn among(mut self, states: StateSet) -> Self {
        self.among = Some(states);
        self
    }

    /// Draws the rewards of the chosen states.
    #[must_use]
    pub fn drawn(mut self, law: Marginal) -> Self {
        self.value = Value::Drawn(law);
        self
    }

    pub(in crate::reward) fn read(
        table: &mut TableReader<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let count = table.count("count", faults);
        let span = table.take("count").map(|node| node.span.clone());
        let among = table
            .take("among")
            .map(|node| StateSet::read(node, "among", faults));
        let background = table.number("background", faults);
        let enumerate = table.boolean("enumerate", faults);
        let value = match table.take("value") {
            None => Some(Value::Fixed(1.0)),
            Some(node) => match &node.value {
                Node::Table(_) => {
                    let mut inner = TableReader::open(node, "`value`", faults)?;
                    let law = match inner.require("distribution", faults) {
                        Some(_) => inner.string("distribution", faults),
                        None => None,
                    };
                    let law = law.and_then(|name| read_marginal(&name, &mut inner, faults));
                    inner.finish(faults);
                    law.map(Value::Drawn)
                }
                _ => table.number("value", faults).map(|x| Value::Fixed(x.value)),
            },
        };
        if let Some(count) = &count
            && count.value == 0
        {
            faults.error(
                count.span.clone(),
                "`count` must be at least 1: a goal without a rewarded state is none",
            );
            return None;
        }
        if among.as_ref().is_some_and(|set| set.names().is_empty()) {
            return None;
        }
        let sparse = Self {
            count: count.map_or(1, |c| c.value),
            among,
            value: value?,
            background: background.map_or(0.0, |x| x.value),
            enumerate: enumerate.is_none_or(|e| e.value),
            span,
        };
        if sparse.value == Value::Fixed(sparse.background) {
            faults.error(
                table.span(),
                "`value` and `background` are equal: every goal is the same",
            );
            return None;
        }
        Some(sparse)
    }

    pub(in crate::reward) fn bind(&self, rows: &Rows<'_>, faults: &mut Faults) -> Option<Recipe> {
        let members = rows.members(self.among.as_ref(), faults)?;
        let n = members.len() as u64;
        if self.count > n {
            let at = self.among.as_ref().and_then(|set| set.names().first());
            let at = at.map(|name| name.span.clone());
            let message = format!(
                "{} to be rewarded, and {:?} has {} to choose from",
                counted(self.count as usize, "state"),
                rows.mdp.name(),
                counted(n as usize, "state")
            );
            faults.error(self.span.clone().or(at), message);
            return None;
        }
        let recipe: Arc<dyn WholeGoal> = match &self.value {
            Value::Fixed(value) => {
                let mut values = vec![self.background; (n - self.count) as usize];
                values.resize(n as usize, *value);
                Arc::new(BoundOrbit::new(
                    &values,
                    members,
                    self.background,
                    self.enumerate && rows.enumerates,
                ))
            }
            Value::Drawn(law) => Arc::new(Subset {
                count: self.count as usize,
                members,
                law: law.clone(),
                background: self.background as f32,
            }),
        };
        Some(Recipe::Whole(recipe))
    }
}

/// Random members with random rewards.
#[derive(Debug)]
struct Subset {
    count: usize,
    members: Members,
    law: Marginal,
    background: f32,
}

impl WholeGoal for Subset {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        let n = self.members.len();
        let mut places: Vec<usize> = (0..n).collect();
        shuffle::shuffle(
            key.on(key.stream.permutation()),
            &mut places,
            n - self.count,
        );
        let mut chosen = vec![self.background; n];
        for &place in &places[n - self.count..] {
            chosen[place] = self.law.value(key.word(self.members.coordinates[place]));
        }
        for (reward, member) in rewards.iter_mut().zip(&self.members.of) {
            *reward = member.map_or(self.background, |m| chosen[m as usize]);
        }
    }

    fn facts(&self) -> Facts {
        let background = f64::from(self.background);
        let (low, high) = self.law.range();
        let (low, high) = (low.min(background), high.max(background));
        let share = self.count as f64 / self.members.of.len().max(1) as f64;
        Facts {
            mean: share * self.law.drawn_mean() + (1.0 - share) * background,
            low,
            high,
            scale: if self.law.is_bounded() {
                high - low
            } else {
                self.law.scale()
            },
            error: self.law.error() + rounding(background.abs()),
            error_share: self.law.error_share(),
            finite_variance: self.law.sd().is_some(),
            enumerated: None,
            available: None,
            shared: 0.0,
        }
    }

    fn making(&self) -> Option<Making<'_>> {
        Some(Making::Chosen {
            count: self.count,
            coordinates: &self.members.coordinates,
            law: &self.law,
            places: Places {
                of: &self.members.of,
                background: self.background,
            },
        })
    }
}

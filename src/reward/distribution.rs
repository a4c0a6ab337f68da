//! What an experiment file says about goals: a law, and what is different for some states.

use std::sync::Arc;

use super::bind::{Rows, is_name, resolve_name};
use super::goal_law::{Facts, GoalKey, GoalLaw, Independent, Linear, Recipe, Source, WholeGoal};
use super::{
    BoundReward, Coupling, Law, Making, Marginal, MatrixSource, RewardDomain, RewardError,
    StateSet, Uniform,
};
use crate::document::{Faults, Node, Spanned, TableReader};
use crate::mdp::{BaseState, ChoiceCoordinate, Mdp};

/// How long a terminal state goes on paying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paid {
    /// In every step for ever: Turner et al.'s convention, and what an absorbing self-loop means.
    #[default]
    Forever,
    /// In one step, after which nothing is paid: Krakovna and Kramar's convention. The MDP gets one more state, `void`.
    Once,
    /// Not at all.
    Never,
}

/// What is different for one state.
#[derive(Clone, Debug, PartialEq)]
pub struct StateReward {
    /// Where the reward comes from; `None` leaves it to the law.
    pub source: Option<StateSource>,
    /// How long a terminal state pays.
    pub paid: Paid,
}

/// Where one state's reward comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum StateSource {
    /// The same for every goal.
    Fixed(f64),
    /// A law of its own.
    Drawn(Marginal),
}

/// A distribution over goals, with the name it is reported under.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardDistribution {
    name: String,
    law: Law,
    domain: RewardDomain,
    /// Every state of a variant draws its own reward, copies too.
    over_all: bool,
    /// Only these states are rewarded; the others have reward zero.
    only: Option<StateSet>,
    /// Sets of states that share one draw.
    groups: Vec<StateSet>,
    /// What is different for a state or for all states of a label.
    states: Vec<(Spanned<String>, StateReward)>,
    /// How a second goal goes with the first.
    pair: Option<Spanned<Coupling>>,
}

impl RewardDistribution {
    /// A law for every state, under a name.
    #[must_use]
    pub fn new(name: impl Into<String>, law: Law) -> Self {
        Self {
            name: name.into(),
            law,
            domain: RewardDomain::State,
            over_all: false,
            only: None,
            groups: Vec::new(),
            states: Vec::new(),
            pair: None,
        }
    }

    /// One law for every reward, each on its own.
    #[must_use]
    pub fn iid(name: impl Into<String>, law: Marginal) -> Self {
        Self::new(name, Law::Independent(law))
    }

    /// Uniform on [0, 1) for every state: Turner et al.'s usual choice.
    #[must_use]
    pub fn unit_uniform() -> Arc<Self> {
        Arc::new(Self::iid("uniform", Marginal::Uniform(Uniform::unit())))
    }

    /// With the same reward for a state (or all states of a label) in every goal.
    #[must_use]
    pub fn with_fixed(self, state: &str, reward: f64) -> Self {
        self.with_state(
            state,
            StateReward {
                source: Some(StateSource::Fixed(reward)),
                paid: Paid::Forever,
            },
        )
    }

    /// With a law of its own for a state (or all states of a label).
    #[must_use]
    pub fn with_law(self, state: &str, law: Marginal) -> Self {
        self.with_state(
            state,
            StateReward {
                source: Some(StateSource::Drawn(law)),
                paid: Paid::Forever,
            },
        )
    }

    /// With something different for a state, or for all states of a label.
    #[must_use]
    pub fn with_state(mut self, state: &str, reward: StateReward) -> Self {
        let name = Spanned {
            value: state.to_owned(),
            span: 0..0,
        };
        self.states.push((name, reward));
        self
    }

    /// With rewards on states or on choices.
    #[must_use]
    pub fn on(mut self, domain: RewardDomain) -> Self {
        self.domain = domain;
        self
    }

    /// With one draw for all states of each set.
    #[must_use]
    pub fn with_groups(mut self, groups: Vec<StateSet>) -> Self {
        self.groups = groups;
        self
    }

    /// With rewards only on some states.
    #[must_use]
    pub fn only(mut self, states: StateSet) -> Self {
        self.only = Some(states);
        self
    }

    /// With a draw for every state of a variant, copies included, instead of one per state of the original MDP.
    #[must_use]
    pub fn over_all(mut self) -> Self {
        self.over_all = true;
        self
    }

    /// With a second goal beside the first, where two goals meet.
    #[must_use]
    pub fn paired(mut self, coupling: Coupling) -> Self {
        self.pair = Some(Spanned {
            value: coupling,
            span: 0..0,
        });
        self
    }

    /// Reads one `[[reward]]` table: `name`, `distribution` (uniform where nothing is said) with its parameters, `domain`, `over`,
    /// `only`, `groups`, `states`, `pair`.
    pub fn read(
        node: &Spanned<Node>,
        faults: &mut Faults,
    ) -> Option<(Self, Option<Spanned<String>>)> {
        let mut table = TableReader::open(node, "[[reward]]", faults)?;
        let name = table.string("name", faults);
        let domain = read_domain(&mut table, faults);
        let over_all = read_word(
            &mut table,
            "over",
            &[("base", false), ("all", true)],
            faults,
        );
        let only = table
            .take("only")
            .map(|node| StateSet::read(node, "only", faults));
        let groups = table.list("groups").unwrap_or_default();
        let groups = groups
            .iter()
            .map(|node| StateSet::read(node, "groups", faults))
            .collect();
        let states = match table.take("states") {
            Some(node) => read_states(node, faults),
            None => Vec::new(),
        };
        let pair = table.take("pair").and_then(|node| {
            Some(Spanned {
                value: Coupling::read(node, faults)?,
                span: node.span.clone(),
            })
        });
        let law = match read_distribution(&mut table, faults) {
            Some(distribution) => Law::read(&distribution, &mut table, faults),
            None => {
                // Its parameters cannot be judged.
                table.rest();
                None
            }
        };
        table.finish(faults);
        let law = law?;
        let distribution = Self {
            name: name
                .as_ref()
                .map_or_else(|| law.name().to_owned(), |n| n.value.clone()),
            law,
            domain,
            over_all: over_all.unwrap_or(false),
            only,
            groups,
            states,
            pair,
        };
        Some((distribution, name))
    }

    /// What is left of it on one of several variants: names that the MDP does not have stand for nothing in `only`, `groups` and
    /// `states`. Whether each name is known in any of them is for the caller to check, by [`names`](Self::names).
    #[must_use]
    pub fn known_to(&self, mdp: &Mdp) -> Self {
        let mut known = self.clone();
        let is_known = |name: &Spanned<String>| is_name(&name.value, mdp);
        known.states.retain(|(name, _)| is_known(name));
        known.groups = self.groups.iter().map(|g| g.retain(is_known)).collect();
        known.groups.retain(|group| !group.names().is_empty());
        known.only = self.only.as_ref().map(|only| only.retain(is_known));
        if let Law::Features(law) = &mut known.law {
            law.known(is_known);
        }
        known
    }

    /// The names in `only`, `groups` and `states`, and those of states with features, which need not be known in every variant.
    pub fn names(&self) -> impl Iterator<Item = &Spanned<String>> {
        let sets = self.only.iter().chain(&self.groups);
        let in_sets = sets.flat_map(|set| set.names());
        let of_law = match &self.law {
            Law::Features(law) => law.names(),
            _ => Vec::new(),
        };
        let in_states = self.states.iter().map(|(name, _)| name);
        in_sets.chain(in_states).chain(of_law)
    }

    /// The name it is reported under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The law.
    #[must_use]
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// The matrices of its law, for whoever reads the files that they are in.
    pub fn matrices_mut(&mut self) -> Vec<&mut MatrixSource> {
        self.law.matrices_mut()
    }

    /// Whether all matrices of its law have been read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.law.is_complete()
    }

    /// Whether copies of a state draw rewards of their own.
    #[must_use]
    pub fn is_over_all(&self) -> bool {
        self.over_all
    }

    /// What rewards are attached to.
    #[must_use]
    pub fn domain(&self) -> RewardDomain {
        self.domain
    }

    /// Binds names to an MDP's states.
    ///
    /// # Errors
    ///
    /// [`RewardError`] with every fault.
    pub fn bind(&self, mdp: &Arc<Mdp>) -> Result<BoundReward, RewardError> {
        let mut faults = Faults::default();
        match self.try_bind(mdp, &mut faults) {
            Some(bound) if !faults.has_errors() => Ok(bound),
            _ => Err(RewardError {
                reward: self.name.clone(),
                environment: mdp.name().to_owned(),
                faults,
            }),
        }
    }

    /// Like [`bind`](Self::bind), for faults that go with those of a file.
    pub fn try_bind(&self, mdp: &Arc<Mdp>, faults: &mut Faults) -> Option<BoundReward> {
        if !self.law.allows(self.domain) {
            faults.error(
                None,
                format!(
                    "the distribution {:?} rewards states, not choices",
                    self.law.name()
                ),
            );
            return None;
        }
        let mut rows = Rows {
            mdp,
            domain: self.domain,
            coordinate: self.coordinates(mdp),
            copies_share: !self.over_all,
            knows_others: matches!(self.law, Law::Independent(_) | Law::Features(_)),
            pick: 0,
            enumerates: true,
        };
        let fresh = rows.without_new_states();
        self.group(&mut rows, faults);
        let mut overrides: Vec<Option<StateSource>> = vec![None; rows.len()];
        if let Some(only) = &self.only {
            let inside = rows.within(&only.resolve(mdp, faults));
            for (to, _) in overrides
                .iter_mut()
                .zip(inside)
                .filter(|(_, inside)| !inside)
            {
                *to = Some(StateSource::Fixed(0.0));
            }
        }
        let mut once = Vec::new();
        for (name, reward) in &self.states {
            let states = resolve_name(name, mdp, faults);
            self.check_paid(mdp, name, reward, &states, faults);
            if reward.paid == Paid::Once {
                once.extend(&states);
            }
            let mut states = states;
            states.sort_unstable();
            let source = match reward.paid {
                Paid::Never => Some(StateSource::Fixed(0.0)),
                Paid::Forever | Paid::Once => reward.source.clone(),
            };
            let inside = rows.within(&states);
            for (to, _) in overrides
                .iter_mut()
                .zip(inside)
                .filter(|(_, inside)| *inside)
            {
                *to = source.clone().or(to.take());
            }
        }
        for (row, source) in overrides.iter_mut().enumerate() {
            if rows.is_new(row) && source.is_none() {
                *source = Some(StateSource::Fixed(0.0));
            }
            let state = crate::units::StateId(rows.state(row));
            match (rows.coordinate[row].or(fresh[row]), source) {
                (None, None) => faults.error_with_help(
                    None,
                    format!(
                        "the state {:?} of {:?} has no reward",
                        mdp.state_name(state),
                        mdp.name()
                    ),
                    "say `states.NAME = { fixed = 0.0 }`",
                ),
                (None, Some(StateSource::Drawn(_))) => faults.error(
                    None,
                    format!(
                        "the state {:?} of {:?} has no random coordinate: its reward must be fixed",
                        mdp.state_name(state),
                        mdp.name()
                    ),
                ),
                _ => {}
            }
        }
        let is_drawn = |o: &Option<StateSource>| matches!(o, Some(StateSource::Drawn(_)));
        rows.enumerates = !overrides.iter().any(is_drawn);
        let recipe = self.law.bind(&rows, faults)?;
        if faults.has_errors() {
            return None;
        }
        let (mdp, added) = if once.is_empty() {
            (mdp.clone(), 0)
        } else {
            let paid = mdp.paid_once(&once);
            let added = match self.domain {
                RewardDomain::State => paid.n_states() - mdp.n_states(),
                RewardDomain::Choice => paid.n_choices() - mdp.n_choices(),
            };
            (Arc::new(paid), added)
        };
        let drawn = rows.coordinate.iter().zip(&fresh);
        let coordinates: Vec<Option<u32>> = drawn
            .map(|(known, fresh)| known.or(*fresh))
            .chain(std::iter::repeat_n(None, added))
            .collect();
        overrides.extend(std::iter::repeat_n(Some(StateSource::Fixed(0.0)), added));
        let recipe = overridden(recipe, &coordinates, &overrides);
        let law = GoalLaw::new(self.domain, coordinates.len(), recipe);
        if let Some(pair) = &self.pair
            && !pair.value.suits(&law)
        {
            let message = "the gaussian coupling is for normal laws: of others, the second goal would have another law than the first";
            faults.error(pair.span.clone(), message);
            return None;
        }
        Some(BoundReward {
            mdp,
            law: Arc::new(law),
            pair: self.pair.as_ref().map(|pair| pair.value),
        })
    }

    /// The random coordinate of every reward.
    fn coordinates(&self, mdp: &Mdp) -> Vec<Option<u32>> {
        let rewards: Vec<(Option<u32>, Option<u32>)> = match self.domain {
            RewardDomain::Choice => {
                let choices = (0..mdp.n_choices() as u32).map(crate::units::ChoiceId);
                let each = choices.map(|c| match mdp.choice_coordinate(c) {
                    ChoiceCoordinate::Of(base) => (Some(base), Some(base)),
                    ChoiceCoordinate::New(coordinate) => (None, Some(coordinate)),
                });
                each.collect()
            }
            RewardDomain::State => {
                let base = mdp.base_state().iter().map(|base| match base {
                    BaseState::Of(base) => Some(*base),
                    BaseState::New | BaseState::Other => None,
                });
                base.zip(mdp.reward_coordinate().iter().copied()).collect()
            }
        };
        match self.over_all {
            true => fresh_for_copies(&rewards),
            false => rewards.into_iter().map(|(_, c)| c).collect(),
        }
    }

    /// States of a group take the smallest coordinate among them.
    fn group(&self, rows: &mut Rows<'_>, faults: &mut Faults) {
        if !self.groups.is_empty() && !self.law.has_coordinates() {
            let at = self.groups.iter().flat_map(|g| g.names()).next();
            let message = format!(
                "`groups` say who shares a draw: {:?} does not draw state by state",
                self.law.name()
            );
            faults.error(at.map(|name| name.span.clone()), message);
        }
        let mut taken = vec![false; rows.len()];
        for group in &self.groups {
            let inside = rows.within(&group.resolve(rows.mdp, faults));
            let members = || {
                inside
                    .iter()
                    .enumerate()
                    .filter(|(_, inside)| **inside)
                    .map(|(row, _)| row)
            };
            let smallest = members().filter_map(|row| rows.coordinate[row]).min();
            if let Some(twice) = members().find(|row| taken[*row]) {
                let state = rows
                    .mdp
                    .state_name(crate::units::StateId(rows.state(twice)));
                let at = group.names().first().map(|name| name.span.clone());
                faults.error(at, format!("the state {state:?} is in two of the `groups`"));
            }
            for row in members() {
                taken[row] = true;
                rows.coordinate[row] = rows.coordinate[row].and(smallest);
            }
        }
    }

    fn check_paid(
        &self,
        mdp: &Mdp,
        name: &Spanned<String>,
        reward: &StateReward,
        states: &[u32],
        faults: &mut Faults,
    ) {
        if reward.paid != Paid::Once {
            return;
        }
        if self.domain == RewardDomain::Choice {
            faults.error(
                name.span.clone(),
                "`paid = \"once\"` is for rewards of states",
            );
        }
        let going_on = states
            .iter()
            .map(|s| crate::units::StateId(*s))
            .find(|s| !mdp.is_absorbing(*s));
        if let Some(state) = going_on {
            let state = mdp.state_name(state);
            faults.error_with_help(
                name.span.clone(),
                format!("`paid = \"once\"` is for terminal states, {state:?} is not one"),
                "a state is terminal when all its choices lead back to it",
            );
        }
    }
}

/// Coordinates where every state (or choice) draws for itself: the first that stands for one of the original MDP keeps its coordinate, further
/// copies get new ones beyond all of the original's. `rewards`: what each stands for, if anything, and its coordinate.
fn fresh_for_copies(rewards: &[(Option<u32>, Option<u32>)]) -> Vec<Option<u32>> {
    // New ones have coordinates far beyond all others.
    let of_old = rewards.iter().filter(|(base, _)| base.is_some());
    let mut next = of_old.filter_map(|(_, c)| *c).max().map_or(0, |c| c + 1);
    let mut seen = std::collections::HashSet::new();
    let each = rewards.iter().map(|&(base, coordinate)| {
        let coordinate = coordinate?;
        if base.is_none_or(|base| seen.insert(base)) {
            return Some(coordinate);
        }
        next += 1;
        Some(next - 1)
    });
    each.collect()
}

/// Puts what is different for some rewards over a recipe, and rewards beyond it after it.
fn overridden(
    recipe: Recipe,
    coordinates: &[Option<u32>],
    overrides: &[Option<StateSource>],
) -> Recipe {
    if overrides.iter().all(Option::is_none) {
        return recipe;
    }
    let position =
        |law: &Marginal, laws: &mut Vec<Marginal>| match laws.iter().position(|l| l == law) {
            Some(at) => at as u32,
            None => {
                laws.push(law.clone());
                laws.len() as u32 - 1
            }
        };
    match recipe {
        Recipe::Independent(mut independent) => {
            independent
                .sources
                .resize(coordinates.len(), Source::Fixed(0.0));
            for (row, source) in overrides.iter().enumerate() {
                match (source, coordinates[row]) {
                    (Some(StateSource::Fixed(x)), _) => {
                        independent.sources[row] = Source::Fixed(*x as f32)
                    }
                    (Some(StateSource::Drawn(law)), Some(coordinate)) => {
                        let law = position(law, &mut independent.laws);
                        independent.sources[row] = Source::Draw { coordinate, law };
                    }
                    _ => {}
                }
            }
            Recipe::Independent(independent)
        }
        Recipe::Linear(linear) => {
            Recipe::Linear(overridden_linear(&linear, coordinates, overrides))
        }
        Recipe::Whole(inner) => {
            let mut laws = Vec::new();
            let sources: Vec<Option<Source>> = overrides
                .iter()
                .zip(coordinates)
                .map(|(source, coordinate)| match (source, coordinate) {
                    (Some(StateSource::Fixed(x)), _) => Some(Source::Fixed(*x as f32)),
                    (Some(StateSource::Drawn(law)), Some(coordinate)) => Some(Source::Draw {
                        coordinate: *coordinate,
                        law: position(law, &mut laws),
                    }),
                    _ => None,
                })
                .collect();
            Recipe::Whole(Arc::new(Overridden {
                inner,
                different: sources.iter().map(Option::is_some).collect(),
                drawn: Independent {
                    sources: sources
                        .iter()
                        .map(|s| s.unwrap_or(Source::Fixed(0.0)))
                        .collect(),
                    laws,
                },
            }))
        }
    }
}

fn overridden_linear(
    linear: &Linear,
    coordinates: &[Option<u32>],
    overrides: &[Option<StateSource>],
) -> Linear {
    let mut result = Linear {
        latent: linear.latent.clone(),
        ..Linear::new(linear.laws.clone())
    };
    for (row, source) in overrides.iter().enumerate() {
        match (source, coordinates[row]) {
            (Some(StateSource::Fixed(x)), _) => result.push(*x, []),
            (Some(StateSource::Drawn(law)), Some(coordinate)) => {
                result.laws.push(law.clone());
                result
                    .latent
                    .push((coordinate, result.laws.len() as u32 - 1));
                let latent = result.latent.len() as u32 - 1;
                result.push(0.0, [(latent, 1.0)]);
            }
            _ => result.push(linear.offset[row], linear.terms_of(row).iter().copied()),
        }
    }
    result
}

/// A law of whole goals with some rewards replaced.
#[derive(Debug)]
struct Overridden {
    inner: Arc<dyn WholeGoal>,
    /// Per reward: whether it is replaced.
    different: Vec<bool>,
    /// What it is replaced by.
    drawn: Independent,
}

impl WholeGoal for Overridden {
    fn draw(&self, key: GoalKey, rewards: &mut [f32]) {
        self.inner.draw(key, rewards);
        for (row, different) in self.different.iter().enumerate() {
            if *different {
                rewards[row] = self.drawn.value(self.drawn.sources[row], |c| key.word(c));
            }
        }
    }

    fn making(&self) -> Option<Making<'_>> {
        Some(Making::Overridden {
            inner: &*self.inner,
            different: &self.different,
            drawn: &self.drawn,
        })
    }

    fn facts(&self) -> Facts {
        let mut sources = self.drawn.clone();
        sources.sources = sources
            .sources
            .iter()
            .zip(&self.different)
            .filter(|(_, d)| **d)
            .map(|(s, _)| *s)
            .collect();
        let replaced = GoalLaw::new(
            RewardDomain::State,
            sources.sources.len(),
            Recipe::Independent(sources),
        );
        let inner = self.inner.facts();
        let share = replaced.n_rewards() as f64 / self.different.len() as f64;
        let fixed = replaced.facts().enumerated.is_some();
        Facts {
            // A fixed reward has no scale of its own.
            scale: if fixed {
                inner.scale
            } else {
                inner.scale.max(replaced.facts().scale)
            },
            enumerated: inner.enumerated.filter(|_| fixed),
            available: inner.available,
            shared: inner.shared,
            ..Facts::mixed(&[(1.0 - share, inner), (share, *replaced.facts())])
        }
    }
}

/// The name of the law: uniform where nothing is said.
fn read_distribution(table: &mut TableReader<'_>, faults: &mut Faults) -> Option<Spanned<String>> {
    match table.take("distribution") {
        Some(_) => table.string("distribution", faults),
        None => Some(Spanned {
            value: "uniform".to_owned(),
            span: table.span(),
        }),
    }
}

fn read_domain(table: &mut TableReader<'_>, faults: &mut Faults) -> RewardDomain {
    let words = [
        ("states", RewardDomain::State),
        ("choices", RewardDomain::Choice),
    ];
    read_word(table, "domain", &words, faults).unwrap_or_default()
}

/// One of a few words; anything else is a fault.
pub(super) fn read_word<T: Copy>(
    table: &mut TableReader<'_>,
    key: &'static str,
    words: &[(&str, T)],
    faults: &mut Faults,
) -> Option<T> {
    let word = table.string(key, faults)?;
    let found = words.iter().find(|(name, _)| *name == word.value);
    if found.is_none() {
        let known: Vec<String> = words.iter().map(|(name, _)| format!("{name:?}")).collect();
        faults.error(
            word.span,
            format!(
                "`{key}` must be {}, this is {:?}",
                known.join(" or "),
                word.value
            ),
        );
    }
    found.map(|(_, value)| *value)
}

/// `states.NAME = { fixed = 0.0, paid = "once" }`, or `{ distribution = "normal", sd = 2 }`, or a number.
fn read_states(node: &Spanned<Node>, faults: &mut Faults) -> Vec<(Spanned<String>, StateReward)> {
    let Some(mut table) = TableReader::open(node, "`states`", faults) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for (name, node) in table.rest() {
        if let Some(x) = node.value.as_f64().filter(|x| x.is_finite()) {
            let source = Some(StateSource::Fixed(x));
            list.push((
                name.clone(),
                StateReward {
                    source,
                    paid: Paid::Forever,
                },
            ));
            continue;
        }
        if let Some(reward) = read_state(name, node, faults) {
            list.push((name.clone(), reward));
        }
    }
    list
}

fn read_state(
    name: &Spanned<String>,
    node: &Spanned<Node>,
    faults: &mut Faults,
) -> Option<StateReward> {
    let mut table = TableReader::open(node, format!("`states.{}`", name.value), faults)?;
    let before = faults.list.len();
    let fixed = table.number("fixed", faults);
    let words = [
        ("forever", Paid::Forever),
        ("once", Paid::Once),
        ("never", Paid::Never),
    ];
    let paid = read_word(&mut table, "paid", &words, faults);
    let drawn = table.take("distribution").is_some();
    let law = if drawn {
        table
            .string("distribution", faults)
            .and_then(|law| read_marginal(&law, &mut table, faults))
    } else {
        None
    };
    if drawn && let Some(fixed) = &fixed {
        faults.error(
            fixed.span.clone(),
            format!(
                "`states.{}` has both `fixed` and a `distribution`",
                name.value
            ),
        );
    }
    if fixed.is_none() && !drawn && paid.is_none() && faults.list.len() == before {
        faults.error_with_help(
            node.span.clone(),
            format!("`states.{}` says nothing", name.value),
            "give it `fixed`, `distribution` or `paid`",
        );
    }
    table.finish(faults);
    let source = fixed
        .map(|x| StateSource::Fixed(x.value))
        .or(law.map(StateSource::Drawn));
    (faults.list.len() == before).then_some(StateReward {
        source,
        paid: paid.unwrap_or_default(),
    })
}

/// A law of one reward; joint laws are a fault here.
pub(super) fn read_marginal(
    name: &Spanned<String>,
    table: &mut TableReader<'_>,
    faults: &mut Faults,
) -> Option<Marginal> {
    if Marginal::NAMES.contains(&name.value.as_str()) {
        return Marginal::read(name, table, faults);
    }
    table.rest();
    faults.error_with_help(
        name.span.clone(),
        format!("{:?} is no law of a single reward", name.value),
        format!("laws of a single reward: {}", Marginal::NAMES.join(", ")),
    );
    None
}

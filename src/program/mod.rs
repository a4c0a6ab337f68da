//! What is solved for one goal: nearly always one optimal solve, for some interventions several that are linked.
//!
//! A [`GoalProgram`] is a list of stages. A [`Stage`] is an MDP, rewards, and what is done with choices. Its rewards are a mix of drawn
//! goals (the goal R, the second one of a pair, auxiliary ones, the law's mean) and of [`Expression`]s of what earlier stages found for
//! the same goal. A boundary needs nothing else: an absorbing state whose reward is `(1 - gamma) V` of an earlier stage is worth V.
//! A stage may also follow the policy of an earlier one instead of choosing. [`Reading`]s are numbers made of the stages' values: what
//! is reported of every goal.
//!
//! # How certificates carry
//!
//! Worths are `w = (1 - gamma) V`. Where every reward of a stage is known to within `e`, w moves by no more than `e`, whatever the
//! policy: it is an average of rewards, with weights `(1 - gamma) gamma^t`. So a stage's half-width is that of its own solve and the
//! largest half-width of its rewards. An expression's half-width is that of its parts through its largest slope.
//!
//! # Whose policy is followed
//!
//! The greedy policy of the earlier stage, with ties towards the first choice in the MDP's order. A choice ties where its value is
//! within [`TIE`] of the best, relative to the law's scale, under a bound as sharp; what is neither a tie nor worse beyond the bound
//! is open, and where a choice is open the followed policy is not known: such a goal's half-width is the range of its rewards, so that it is
//! counted among those that missed the tolerance.

mod expression;
mod policy;

use std::sync::Arc;

pub use expression::{Expression, Human, Interval, Sign, StageValues};
pub use policy::Policies;

use crate::mdp::Mdp;
use crate::reward::{Coupling, GoalLaw, PairLaw, RewardDomain};
use crate::rng::Stream;
use crate::units::{SampleIndex, Seed, StateId};

/// Two values that differ by no more than this share of the scale of the rewards are a tie, provided that the certificate is
/// at least as sharp.
pub const TIE: f64 = 1e-10;

/// What a stage does with the choices of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The best choice: optimal values.
    Max,
    /// The worst choice.
    Min,
    /// The choice that is optimal in an earlier stage, on an MDP with the same states and choices; the first of several.
    Follow {
        /// Position of that stage.
        stage: usize,
    },
}

/// A goal that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Drawn {
    /// The goal R of the law.
    First,
    /// The second goal R' of a pair.
    Second(Coupling),
    /// An auxiliary goal of the same law, by its number: independent of all others.
    Auxiliary(u16),
    /// No draw: the mean of the law.
    Mean,
}

/// A drawn goal's part in the rewards of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is multiplied by.
    pub weight: f64,
    /// The goal.
    pub goal: Drawn,
    /// The rewards it enters, `[n_rewards]` of the stage; `None` for all.
    pub rows: Option<Arc<[bool]>>,
}

impl Part {
    /// All of a goal.
    #[must_use]
    pub fn whole(goal: Drawn) -> Self {
        Self {
            weight: 1.0,
            goal,
            rows: None,
        }
    }
}

/// Something made of earlier stages that is added to one reward.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The reward: a state's number, or a choice's.
    pub row: u32,
    /// What is added.
    pub expression: Expression,
}

/// One solve.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The transition structure.
    pub mdp: Arc<Mdp>,
    /// The law of the goals, bound to the MDP.
    pub law: Arc<GoalLaw>,
    /// What this stage's rewards are attached to. Where the law is of states and the stage of choices, every choice has its state's.
    pub domain: RewardDomain,
    /// Drawn goals in the rewards.
    pub parts: Vec<Part>,
    /// Further rewards, made of earlier stages.
    pub terms: Vec<Term>,
    /// What is done with the choices.
    pub operator: Operator,
}

/// A number that is reported of every goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The name it has in results.
    pub name: String,
    /// The number.
    pub expression: Expression,
    /// Whether goals are counted for which it is above, at and below zero.
    pub signed: bool,
}

/// The stages solved for one goal, in order, and what is read off them.
#[derive(Clone, Debug)]
pub struct GoalProgram {
    stages: Vec<Stage>,
    shown: usize,
    readings: Vec<Reading>,
}

/// A goal program that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// More than one stage, or a stage that needs more than an optimal solve.
    #[error("linked solves ({0} for every goal)")]
    Linked(usize),
    /// Rewards of choices.
    #[error("rewards of choices")]
    ChoiceRewards,
    /// A program of nothing.
    #[error("a goal program without a stage")]
    Empty,
    /// A stage, state or reward that there is not.
    #[error("{place} refers to {what}, which there is not (yet)")]
    Missing {
        /// Where.
        place: String,
        /// What.
        what: String,
    },
    /// A law that does not do what is asked of it.
    #[error("{place}: {problem}")]
    Law {
        /// Where.
        place: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl Stage {
    /// Optimal values for the goal R.
    #[must_use]
    pub fn optimal(mdp: Arc<Mdp>, law: Arc<GoalLaw>) -> Self {
        Self {
            domain: law.domain(),
            mdp,
            law,
            parts: vec![Part::whole(Drawn::First)],
            terms: Vec::new(),
            operator: Operator::Max,
        }
    }

    /// The same for another goal.
    #[must_use]
    pub fn of(self, goal: Drawn) -> Self {
        Self {
            parts: vec![Part::whole(goal)],
            ..self
        }
    }

    /// The same with another operator.
    #[must_use]
    pub fn with(self, operator: Operator) -> Self {
        Self { operator, ..self }
    }

    /// The stage whose policy it follows.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        match self.operator {
            Operator::Follow { stage } => Some(stage),
            Operator::Max | Operator::Min => None,
        }
    }

    /// Number of rewards.
    #[must_use]
    pub fn n_rewards(&self) -> usize {
        match self.domain {
            RewardDomain::State => self.mdp.n_states(),
            RewardDomain::Choice => self.mdp.n_choices(),
        }
    }

    /// For every reward of the stage, which one of the law's it is.
    #[must_use]
    pub fn law_rows(&self) -> Vec<u32> {
        match (self.domain, self.law.domain()) {
            (RewardDomain::Choice, RewardDomain::State) => {
                let states = self.mdp.states();
                states
                    .flat_map(|s| self.mdp.choices(s).map(move |_| s.0))
                    .collect()
            }
            _ => (0..self.n_rewards() as u32).collect(),
        }
    }

    /// The drawn part of its rewards for goal `index`, `[n_rewards]`: parts added in f64, in order.
    #[must_use]
    pub fn draw(&self, seed: Seed, index: SampleIndex) -> Vec<f64> {
        let law_rows = self.law_rows();
        let mut rewards = vec![0.0; law_rows.len()];
        for part in &self.parts {
            let goal = part.goal.draw(&self.law, seed, index);
            for (row, (to, from)) in rewards.iter_mut().zip(&law_rows).enumerate() {
                if part.rows.as_ref().is_none_or(|rows| rows[row]) {
                    *to += part.weight * goal[*from as usize];
                }
            }
        }
        rewards
    }

    /// Whether it is an optimal solve of the law's own goals and nothing else.
    fn is_plain(&self) -> bool {
        self.operator == Operator::Max
            && self.terms.is_empty()
            && self.domain == self.law.domain()
            && self.parts == [Part::whole(Drawn::First)]
    }
}

impl Drawn {
    /// The stream of a goal that is drawn as the law says, and of nothing else.
    #[must_use]
    pub fn stream(self) -> Option<Stream> {
        match self {
            Self::First => Some(Stream::Reward),
            Self::Second(Coupling::Independent) => Some(Stream::SecondGoal),
            Self::Auxiliary(k) => Some(Stream::Auxiliary(k)),
            Self::Second(_) | Self::Mean => None,
        }
    }

    /// Goal `index`, `[n_rewards]` of the law.
    fn draw(self, law: &Arc<GoalLaw>, seed: Seed, index: SampleIndex) -> Vec<f64> {
        let wide = |goal: Vec<f32>| goal.into_iter().map(f64::from).collect();
        match (self, self.stream()) {
            (_, Some(stream)) => wide(law.draw(seed, stream, index)),
            (Self::Second(coupling), _) => {
                wide(PairLaw::new(law.clone(), coupling).draw(seed, index).1)
            }
            _ => Self::mean(law),
        }
    }

    /// The mean of every reward of a law; 0 where it is not known.
    #[must_use]
    pub fn mean(law: &GoalLaw) -> Vec<f64> {
        let mean = |row| law.moments(row).map_or(0.0, |(mean, _)| mean);
        (0..law.n_rewards()).map(mean).collect()
    }
}

impl GoalProgram {
    /// The plain case: optimal values of one MDP for one goal.
    #[must_use]
    pub fn optimal(mdp: Arc<Mdp>, law: Arc<GoalLaw>) -> Self {
        Self {
            stages: vec![Stage::optimal(mdp, law)],
            shown: 0,
            readings: Vec::new(),
        }
    }

    /// Linked solves. `shown` is the stage that POWER and other statistics of an agent are about.
    ///
    /// # Errors
    ///
    /// [`ProgramError`] for the first thing that is referred to and is not there.
    pub fn linked(
        stages: Vec<Stage>,
        shown: usize,
        readings: Vec<Reading>,
    ) -> Result<Self, ProgramError> {
        if stages.is_empty() || shown >= stages.len() {
            return Err(ProgramError::Empty);
        }
        let mut stages = stages;
        for stage in &mut stages {
            // Terms of one reward stand together.
            stage.terms.sort_by_key(|term| term.row);
        }
        for (position, stage) in stages.iter().enumerate() {
            check_stage(&stages, position, stage)?;
        }
        for reading in &readings {
            let place = || format!("the reading {:?}", reading.name);
            check_reads(&stages, &place, &reading.expression)?;
        }
        Ok(Self {
            stages,
            shown,
            readings,
        })
    }

    /// The stages, in order.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The stage that statistics of an agent are about.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        &self.stages[self.shown]
    }

    /// Its position.
    #[must_use]
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// What is reported of every goal beside that.
    #[must_use]
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// Everything in it that can change a number, but the draws of its laws, in words.
    #[must_use]
    pub fn identity(&self) -> String {
        let stages = self.stages.iter().map(|stage| {
            let Stage {
                domain,
                parts,
                terms,
                operator,
                ..
            } = stage;
            let hash = stage.mdp.content_hash();
            format!("{hash:?} {domain:?} {parts:?} {terms:?} {operator:?}")
        });
        let stages: Vec<String> = stages.collect();
        format!("{stages:?} {} {:?}", self.shown, self.readings)
    }

    /// Whether a stage's policy is followed by a later one.
    #[must_use]
    pub fn is_followed(&self, position: usize) -> bool {
        let follows = |s: &Stage| s.operator == Operator::Follow { stage: position };
        self.stages.iter().any(follows)
    }

    /// What later stages and readings are made of in a stage: states whose worths they read, and rewards. Ascending.
    #[must_use]
    pub fn read_of(&self, position: usize) -> (Vec<StateId>, Vec<u32>) {
        let (mut states, mut rewards) = (Vec::new(), Vec::new());
        let terms = self.stages.iter().flat_map(|stage| &stage.terms);
        let terms = terms.map(|term| &term.expression);
        let readings = self.readings.iter().map(|reading| &reading.expression);
        for expression in terms.chain(readings) {
            expression.reads(&mut |read| match read {
                expression::Read::Worth(stage, state) if stage == position => states.push(state),
                expression::Read::Reward(stage, row) if stage == position => rewards.push(row),
                _ => {}
            });
        }
        states.sort_unstable();
        states.dedup();
        rewards.sort_unstable();
        rewards.dedup();
        (states, rewards)
    }

    /// Half-widths that stages may be solved to, so that what they add up to in the stage that is shown is no more than `tolerance`,
    /// `[n_stages]`. A stage that the shown one does not depend on has it to itself.
    #[must_use]
    pub fn tolerances(&self, tolerance: f64) -> Vec<f64> {
        let n = self.stages.len();
        let mut influence = vec![0.0; n];
        influence[self.shown] = 1.0;
        for k in (0..=self.shown).rev() {
            let terms = &self.stages[k].terms;
            let rows = terms.chunk_by(|a, b| a.row == b.row);
            for j in 0..k {
                let slope = |row: &[Term]| row.iter().map(|t| t.expression.slope(j)).sum::<f64>();
                let steepest = rows.clone().map(slope).fold(0.0, f64::max);
                influence[j] += steepest * influence[k];
            }
        }
        let share = influence.iter().filter(|i| **i > 0.0).count() as f64;
        let tolerance = |i: &f64| match *i > 0.0 {
            true => tolerance / (share * i),
            false => tolerance,
        };
        influence.iter().map(tolerance).collect()
    }

    /// The least and the largest reward that a goal can have in every stage, `[n_stages]`.
    #[must_use]
    pub fn reward_ranges(&self) -> Vec<(f64, f64)> {
        let mut ranges: Vec<(f64, f64)> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let facts = stage.law.facts();
            let mut rows = vec![(0.0, 0.0); stage.n_rewards()];
            for part in &stage.parts {
                let (a, b) = (part.weight * facts.low, part.weight * facts.high);
                for (row, range) in rows.iter_mut().enumerate() {
                    if part.rows.as_ref().is_none_or(|rows| rows[row]) {
                        *range = (range.0 + a.min(b), range.1 + a.max(b));
                    }
                }
            }
            for term in &stage.terms {
                let (low, high) = term.expression.range(&ranges);
                let range = &mut rows[term.row as usize];
                *range = (range.0 + low, range.1 + high);
            }
            let ends = (f64::INFINITY, f64::NEG_INFINITY);
            let widen = |(low, high): (f64, f64), r: &(f64, f64)| (low.min(r.0), high.max(r.1));
            ranges.push(rows.iter().fold(ends, widen));
        }
        ranges
    }

    /// Checks that the program is of the plain kind.
    ///
    /// # Errors
    ///
    /// [`ProgramError`] names what is not supported.
    pub fn plain(&self) -> Result<&Stage, ProgramError> {
        match &self.stages[..] {
            [stage] if stage.is_plain() && self.readings.is_empty() => Ok(stage),
            stages => Err(ProgramError::Linked(stages.len())),
        }
    }

    /// Checks that the program is of the plain kind, with rewards on states.
    ///
    /// # Errors
    ///
    /// [`ProgramError`] names what is not supported.
    pub fn plain_on_states(&self) -> Result<&Stage, ProgramError> {
        match self.plain()? {
            stage if stage.domain == RewardDomain::State => Ok(stage),
            _ => Err(ProgramError::ChoiceRewards),
        }
    }

    /// The stage that is shown, where it is an optimal solve with rewards of states and nothing of earlier stages enters those: the same goal with other rewards is then a solve of the same kind.
    #[must_use]
    pub fn shown_alone(&self) -> Option<&Stage> {
        let stage = self.stage();
        let mut reads = false;
        let terms = stage.terms.iter();
        terms.for_each(|term| term.expression.reads(&mut |_| reads = true));
        let is_optimal = stage.operator == Operator::Max && stage.domain == RewardDomain::State;
        (is_optimal && !reads).then_some(stage)
    }
}

/// Checks one stage against those before it.
fn check_stage(stages: &[Stage], position: usize, stage: &Stage) -> Result<(), ProgramError> {
    let place = || format!("stage {position}");
    let missing = |what: String| ProgramError::Missing {
        place: place(),
        what,
    };
    let law = |problem| ProgramError::Law {
        place: place(),
        problem,
    };
    let wanted = match stage.law.domain() {
        RewardDomain::State => stage.mdp.n_states(),
        RewardDomain::Choice => stage.mdp.n_choices(),
    };
    if stage.law.n_rewards() != wanted {
        return Err(law("its law was bound to another MDP"));
    }
    if (stage.domain, stage.law.domain()) == (RewardDomain::State, RewardDomain::Choice) {
        return Err(law("a law of choices has no rewards of states"));
    }
    for part in &stage.parts {
        match part.goal {
            Drawn::Second(coupling) if !coupling.suits(&stage.law) => {
                return Err(law("the coupling of the pair is not made for this law"));
            }
            Drawn::Mean if (0..wanted).any(|row| stage.law.moments(row).is_none()) => {
                return Err(law("the law does not know the mean of single rewards"));
            }
            _ => {}
        }
        if part
            .rows
            .as_ref()
            .is_some_and(|r| r.len() != stage.n_rewards())
        {
            return Err(missing("rewards".to_owned()));
        }
    }
    if let Operator::Follow { stage: leader } = stage.operator {
        let fits = |leader: &Stage| {
            let counts = |s: &Stage| s.mdp.states().map(|x| s.mdp.choices(x).len()).collect();
            let [a, b]: [Vec<usize>; 2] = [counts(leader), counts(stage)];
            a == b
        };
        if !stages[..position].get(leader).is_some_and(fits) {
            return Err(missing(format!("the policy of stage {leader}")));
        }
    }
    for term in &stage.terms {
        if term.row as usize >= stage.n_rewards() {
            return Err(missing(format!("reward {}", term.row)));
        }
        check_reads(&stages[..position], &place, &term.expression)?;
    }
    Ok(())
}

/// Checks that what an expression reads is there.
fn check_reads(
    stages: &[Stage],
    place: &dyn Fn() -> String,
    expression: &Expression,
) -> Result<(), ProgramError> {
    use expression::Read;
    let mut fault = None;
    expression.reads(&mut |read| {
        let stage = |position: usize| stages.get(position);
        let state = |position, s: StateId| {
            stage(position).is_some_and(|stage: &Stage| s.index() < stage.mdp.n_states())
        };
        let (there, what) = match read {
            Read::Stage(position) => (stage(position).is_some(), format!("stage {position}")),
            Read::Worth(position, s) => (
                state(position, s),
                format!("state {} of stage {position}", s.0),
            ),
            Read::Reward(position, row) => (
                stage(position).is_some_and(|s| (row as usize) < s.n_rewards()),
                format!("reward {row} of stage {position}"),
            ),
        };
        if !there && fault.is_none() {
            fault = Some(ProgramError::Missing {
                place: place(),
                what,
            });
        }
    });
    fault.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    fn stage(states: usize) -> Stage {
        let mut builder = MdpBuilder::new("line");
        for i in 0..states {
            let state = builder.state(format!("s{i}"));
            builder.absorbing(state);
        }
        let mdp = Arc::new(builder.build().unwrap());
        let law = GoalLaw::unit_uniform(&mdp);
        Stage::optimal(mdp, law)
    }

    fn term(stage: usize, state: u32, row: u32) -> Term {
        Term {
            row,
            expression: Expression::worth(stage, StateId(state)),
        }
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let with = |term: Term| {
            let second = Stage {
                terms: vec![term],
                ..stage(2)
            };
            GoalProgram::linked(vec![stage(3), second], 1, vec![]).map(|p| p.stages().len())
        };
        assert_eq!(with(term(0, 2, 1)), Ok(2));
        let message = |t: Term| with(t).unwrap_err().to_string();
        assert_eq!(
            message(term(1, 0, 0)),
            "stage 1 refers to stage 1, which there is not (yet)"
        );
        assert_eq!(
            message(term(0, 3, 0)),
            "stage 1 refers to state 3 of stage 0, which there is not (yet)"
        );
        assert_eq!(
            message(term(0, 0, 2)),
            "stage 1 refers to reward 2, which there is not (yet)"
        );
        let follow = |states, leader| {
            let second = stage(states).with(Operator::Follow { stage: leader });
            GoalProgram::linked(vec![stage(3), second], 1, vec![])
        };
        assert!(follow(3, 0).is_ok());
        assert!(follow(2, 0).is_err(), "other states");
        assert!(follow(3, 1).is_err(), "itself");
        let rho = Drawn::Second(Coupling::Gaussian(0.5));
        let uniform = GoalProgram::linked(vec![stage(2).of(rho)], 0, vec![]);
        assert!(matches!(uniform, Err(ProgramError::Law { .. })));
    }

    #[test]
    fn only_an_optimal_solve_of_the_goal_itself_is_plain() {
        let program = |stage: Stage| GoalProgram::linked(vec![stage], 0, vec![]).unwrap();
        assert!(program(stage(2)).plain().is_ok());
        for other in [
            stage(2).of(Drawn::Auxiliary(0)),
            stage(2).with(Operator::Min),
            Stage {
                domain: RewardDomain::Choice,
                ..stage(2)
            },
        ] {
            assert_eq!(program(other).plain().unwrap_err(), ProgramError::Linked(1));
        }
    }

    #[test]
    fn rewards_are_mixed_as_the_parts_say() {
        let mixed = Stage {
            parts: vec![
                Part {
                    weight: 0.5,
                    goal: Drawn::Auxiliary(0),
                    rows: None,
                },
                Part {
                    weight: 2.0,
                    goal: Drawn::Mean,
                    rows: Some([false, true].into()),
                },
            ],
            ..stage(2)
        };
        let (seed, index) = (Seed(3), SampleIndex(9));
        let auxiliary = mixed.law.draw(seed, Stream::Auxiliary(0), index);
        let drawn = mixed.draw(seed, index);
        assert_eq!(drawn[0], 0.5 * f64::from(auxiliary[0]));
        assert_eq!(
            drawn[1],
            0.5 * f64::from(auxiliary[1]) + 2.0 * mixed.law.moments(1).unwrap().0
        );
        let plain = stage(2).draw(seed, index);
        assert_ne!(plain[0], 2.0 * drawn[0], "another goal");
    }
}

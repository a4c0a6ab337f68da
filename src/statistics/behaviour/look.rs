//! One solved goal, looked at: its optimal choices, decided state by state where a statistic asks for them.

use std::sync::{Arc, OnceLock};

use super::acting::Acting;
use super::glance::{Crossings, Glance, Panel, Powers};
use super::readings::Readings;
use super::second_look::{Refined, Task, refine};
use super::standing::{Prospects, Settled, Standing, Strided, TIE};
use crate::mdp::Mdp;
use crate::plan::Elimination;
use crate::reward::RewardDomain;
use crate::statistics::asked::Asked;
use crate::statistics::{Observations, Observed};
use crate::units::{ChoiceId, Discount, StateId};

/// A certified goal, as a backend hands it over.
#[derive(Clone, Copy)]
pub struct GoalValues<'a> {
    /// `(1 - gamma) V* = (1 - gamma) R + gamma x` with x the POWER integrand, `[n_states]`.
    pub worth: Strided<'a>,
    /// No worth is larger than this: rounding errors are relative to it.
    pub magnitude: f64,
    /// Half-width of every worth: gamma times that of the integrand, and what the rewards in it were rounded by.
    pub half_width: f64,
    /// The exact reward of a state: asked for where a second look is needed.
    pub reward: &'a dyn Fn(StateId) -> f64,
    /// The exact rewards of the choices, `[n_choices]`, where they have rewards and not the states.
    pub choice_rewards: Option<&'a [f64]>,
    /// Where the choices stand, where the solver has settled that: nothing is compared then. `None` leaves it to the values.
    pub settled: Option<&'a Settled>,
    /// What the agent does, where it follows another rule than optimality: then `worth` is what that is worth, and which choices are
    /// optimal is not asked.
    pub acting: Option<&'a Acting>,
    /// Where the goal is one of linked solves: what is known of it beside the values.
    pub linked: Linked<'a>,
}

/// What linked solves know of a goal beside the values of the stage that is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Linked<'a> {
    /// The program's readings, in order.
    pub readings: &'a [Observed],
    /// Half-width of every reward: they are made of other stages' values.
    pub reward_half_width: f64,
}

/// What is known of the choices of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The choice with the largest value found; the first of several.
    pub greedy: ChoiceId,
    /// Choices as good as the greedy one, itself included.
    pub optimal: u32,
    /// Choices that may be optimal or not. Where there are any, `optimal` ones may turn out to be worse.
    pub possible: u32,
}

impl Decided {
    /// Whether the set of optimal choices is known.
    #[must_use]
    pub fn is_sure(self) -> bool {
        self.possible == 0
    }
}

impl<'a> GoalValues<'a> {
    /// Of worths that stand one after the other.
    #[must_use]
    pub fn new(worth: &'a [f64], half_width: f64, reward: &'a dyn Fn(StateId) -> f64) -> Self {
        Self {
            worth: Strided::new(worth, 1),
            magnitude: worth.iter().fold(0.0, |m, w| f64::max(m, w.abs())),
            half_width,
            reward,
            choice_rewards: None,
            settled: None,
            acting: None,
            linked: Linked::default(),
        }
    }

    /// Where choices have rewards, `[n_choices]`.
    #[must_use]
    pub fn with_choice_rewards(self, choice_rewards: Option<&'a [f64]>) -> Self {
        Self {
            choice_rewards,
            ..self
        }
    }

    /// With choices that the solver has settled.
    #[must_use]
    pub fn with_settled(self, settled: Option<&'a Settled>) -> Self {
        Self { settled, ..self }
    }

    /// Of an agent that follows another rule than optimality.
    #[must_use]
    pub fn with_acting(self, acting: &'a Acting) -> Self {
        Self {
            acting: Some(acting),
            ..self
        }
    }
}

/// Turns solved goals of one cell into observations. Backends call it goal by goal.
#[derive(Clone, Debug)]
pub struct Observer {
    mdp: Arc<Mdp>,
    discount: Discount,
    scale: f64,
    asked: Arc<Asked>,
    /// Per state: its first choice.
    first_choices: Arc<[u32]>,
    /// Length of the longest row.
    longest_row: usize,
    /// Per choice: where it leads, if every choice of the MDP leads to one state with certainty.
    successors: Option<Arc<[u32]>>,
    /// What a glance looks at, where one tells all that is asked of most goals.
    crossings: Option<Arc<Crossings>>,
    powers: Arc<Powers>,
    /// Per state: its turn when states are put into each other. Found when it is first of use; `None` where no order is worth it.
    turns: Arc<OnceLock<Option<Vec<u32>>>>,
}

impl Observer {
    /// For one cell; `scale` is the range of the law, which ties are relative to. `None` where nothing is asked beyond POWER, so that
    /// nothing is done for it.
    #[must_use]
    pub fn new(mdp: &Arc<Mdp>, discount: Discount, scale: f64, asked: &Arc<Asked>) -> Option<Self> {
        (!asked.is_empty()).then(|| Self {
            mdp: mdp.clone(),
            discount,
            scale,
            asked: asked.clone(),
            longest_row: (0..mdp.n_choices() as u32)
                .map(|c| mdp.row(ChoiceId(c)).0.len())
                .max()
                .unwrap_or(0),
            first_choices: mdp
                .states()
                .map(|s| mdp.choices(s).next().map_or(0, |c| c.0))
                .collect(),
            successors: mdp.is_deterministic().then(|| {
                let choices = (0..mdp.n_choices() as u32).map(ChoiceId);
                choices.map(|c| mdp.row(c).0[0]).collect()
            }),
            crossings: crossings(mdp, asked).map(Arc::new),
            powers: Arc::new(Powers::new(discount.used())),
            turns: Arc::default(),
        })
    }

    /// Room for the observations of so many goals.
    #[must_use]
    pub fn observations(&self, goals: usize) -> Observations {
        Observations::new(self.asked.n_columns(), goals)
    }

    /// The readings, where nothing else is asked: they need no look at a goal.
    #[must_use]
    pub fn readings_alone(&self) -> Option<&Readings> {
        match self.asked.statistics() {
            [one] => one.readings(),
            _ => None,
        }
    }

    /// What a glance looks at: `None` where some of what is asked needs more than that of every goal.
    #[must_use]
    pub fn crossings(&self) -> Option<&Crossings> {
        self.crossings.as_deref()
    }

    /// Difference of worths up to which choices are a tie.
    #[must_use]
    pub fn tie(&self) -> f64 {
        TIE * self.scale
    }

    /// Appends the rows of goals side by side, of agents that are optimal and states that have the rewards, given where the best choices of the
    /// [`crossings`](Self::crossings) lead, `[n_states, TILE]`. Returns those that are left open, a bit for each: their rows are to be [replaced](Self::replace), from
    /// the first to the last.
    pub fn glance(&self, best: &[u32], goals: usize, out: &mut Observations) -> u64 {
        let powers = &self.powers;
        let glance = Glance {
            best,
            goals,
            powers,
        };
        let columns = out.columns();
        let values = out.blank(goals);
        let (mut open, mut first) = (0, 0);
        for statistic in self.asked.statistics() {
            let mut panel = Panel {
                values,
                columns,
                first,
            };
            open |= statistic.glance(&glance, &mut panel);
            first += statistic.n_columns();
        }
        open
    }

    /// Looks at one goal whose row is there already.
    pub fn replace(
        &self,
        row: usize,
        goal: GoalValues<'_>,
        memory: &mut Memory,
        out: &mut Observations,
    ) {
        let mut alone = self.observations(1);
        self.observe(goal, memory, &mut alone);
        out.replace(row, &alone);
    }

    /// Looks at one goal and appends its row.
    pub fn observe(&self, goal: GoalValues<'_>, memory: &mut Memory, out: &mut Observations) {
        memory.begin(&self.mdp);
        let (worth, half_width) = (goal.worth, goal.half_width);
        let prospects =
            Prospects::strided(&self.mdp, worth, half_width, goal.magnitude, self.scale);
        let prospects = self.with_rewards(prospects, goal.choice_rewards);
        let mut look = Look {
            observer: self,
            goal,
            prospects,
            second: None,
            memory,
        };
        let is_fixed = look.goal.acting.is_some_and(|acting| acting.is_fixed);
        let mut row = out.row();
        for (number, statistic) in self.asked.statistics().iter().enumerate() {
            if !(is_fixed && statistic.is_of_behaviour()) {
                statistic.observe(&mut look, &mut row);
                continue;
            }
            let known = look.memory.fixed.iter().find(|(of, _)| *of == number);
            let known = match known {
                Some((_, known)) => known.clone(),
                None => {
                    let mut alone = Observations::new(statistic.n_columns(), 1);
                    let mut own = alone.row();
                    statistic.observe(&mut look, &mut own);
                    own.finish();
                    let known: Arc<[Observed]> = alone.observed(0).into();
                    look.memory.fixed.push((number, known.clone()));
                    known
                }
            };
            known.iter().for_each(|x| row.push_observed(*x));
        }
        row.finish();
    }

    fn compare_again(
        &self,
        refined: &Refined,
        choice_rewards: Option<&[f64]>,
        state: StateId,
        memory: &mut Memory,
    ) -> Decided {
        let Refined { worth, half_width } = refined;
        let prospects = Prospects::new(&self.mdp, worth, *half_width, self.scale);
        let prospects = self.with_rewards(prospects, choice_rewards);
        self.compare(&prospects, state, memory)
    }

    fn with_rewards<'p>(
        &self,
        prospects: Prospects<'p>,
        choice_rewards: Option<&'p [f64]>,
    ) -> Prospects<'p> {
        match choice_rewards {
            Some(rewards) => prospects.with_rewards(rewards, self.discount),
            None => prospects,
        }
    }

    /// Compares all choices of a state and notes where they stand.
    fn compare(&self, prospects: &Prospects<'_>, state: StateId, memory: &mut Memory) -> Decided {
        let choices = self.mdp.choices(state);
        let first = ChoiceId(self.first_choices[state.index()]);
        let range = first.index()..first.index() + choices.len();
        if let Some(successors) = &self.successors
            && prospects.is_by_successors()
        {
            let standings = &mut memory.standings[range.clone()];
            let (at, optimal, possible) = prospects.compare_certain(&successors[range], standings);
            return Decided {
                greedy: ChoiceId(first.0 + at as u32),
                optimal,
                possible,
            };
        }
        let (greedy, most) = prospects.greedy(state);
        let mut decided = Decided {
            greedy,
            optimal: 0,
            possible: 0,
        };
        for choice in choices {
            let standing = match choice == greedy {
                true => Standing::Optimal,
                false => prospects.standing(greedy, choice, most - prospects.value(choice)),
            };
            decided.optimal += u32::from(standing == Standing::Optimal);
            decided.possible += u32::from(standing == Standing::Possible);
            memory.standings[choice.index()] = standing;
        }
        decided
    }
}

/// Per state: its turn in the order that keeps the equations of any policy sparse.
fn turns(mdp: &Mdp) -> Option<Vec<u32>> {
    let order = Elimination::order(mdp)?;
    let mut turns = vec![0; mdp.n_states()];
    for (turn, state) in order.iter().enumerate() {
        turns[state.index()] = turn as u32;
    }
    Some(turns)
}

/// What a glance looks at, where one tells all that is asked of most goals.
fn crossings(mdp: &Mdp, asked: &Asked) -> Option<Crossings> {
    let each = asked.statistics().iter();
    let states: Option<Vec<Vec<StateId>>> = each.map(|s| s.glances_at(mdp)).collect();
    let mut states = states?.concat();
    states.sort_unstable();
    states.dedup();
    mdp.is_deterministic()
        .then(|| Crossings::of(mdp, states))
        .flatten()
}

/// What an observer keeps from goal to goal, so that nothing is allocated for a goal. One for every thread.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    goal: u32,
    /// Per state: the goal it was last decided for.
    decided_for: Vec<u32>,
    /// Per state.
    decided: Vec<Option<Decided>>,
    /// Per choice.
    standings: Vec<Standing>,
    /// Number of times marks were forgotten, and per state when it was marked.
    round: u32,
    marks: Vec<u32>,
    /// Of an agent that does the same whatever the goal: by number of the statistic, what it showed of the first goal.
    fixed: Vec<(usize, Arc<[Observed]>)>,
    /// Of a goal that is changed on the way.
    other: Option<Box<Memory>>,
}

impl Memory {
    /// Forgets the goal before.
    fn begin(&mut self, mdp: &Mdp) {
        self.goal = self.goal.wrapping_add(1);
        if self.decided.len() != mdp.n_states() || self.goal == 0 {
            self.goal = 1;
            self.decided_for = vec![0; mdp.n_states()];
            self.decided = vec![None; mdp.n_states()];
            self.standings = vec![Standing::Worse; mdp.n_choices()];
            self.round = 0;
            self.marks = vec![0; mdp.n_states()];
        }
    }
}

/// One goal under the eyes of the statistics.
pub struct Look<'a> {
    observer: &'a Observer,
    goal: GoalValues<'a>,
    prospects: Prospects<'a>,
    second: Option<Refined>,
    memory: &'a mut Memory,
}

impl<'a> Look<'a> {
    /// The MDP.
    #[must_use]
    pub fn mdp(&self) -> &'a Mdp {
        &self.observer.mdp
    }

    /// Per state: its turn when the equations of a policy are solved by putting states into each other. `None` where no order is worth it.
    pub(super) fn turns(&self) -> Option<&'a [u32]> {
        let found = self.observer.turns.get_or_init(|| turns(self.mdp()));
        found.as_deref()
    }

    /// The discount.
    #[must_use]
    pub fn discount(&self) -> Discount {
        self.observer.discount
    }

    /// gamma^t, of times that come again and again looked up.
    #[must_use]
    pub fn discounted(&self, time: u64) -> f64 {
        self.observer.powers.of(time)
    }

    /// What the agent does, where it follows another rule than optimality.
    #[must_use]
    pub fn acting(&self) -> Option<&'a Acting> {
        self.goal.acting
    }

    /// Which choices of a state are optimal. Where the backend's certificate leaves it open, the goal is solved again in f64.
    pub fn decide(&mut self, state: StateId) -> Decided {
        let at = state.index();
        if let Some(settled) = self.goal.settled {
            for choice in self.observer.mdp.choices(state) {
                self.memory.standings[choice.index()] = settled.standings[choice.index()];
            }
            return settled.decided(&self.observer.mdp, state);
        }
        if self.memory.decided_for[at] == self.memory.goal
            && let Some(decided) = self.memory.decided[at]
            && (decided.is_sure() || self.second.is_some())
        {
            return decided;
        }
        let mut decided = match &self.second {
            None => self.observer.compare(&self.prospects, state, self.memory),
            Some(refined) => {
                let rewards = self.goal.choice_rewards;
                self.observer
                    .compare_again(refined, rewards, state, self.memory)
            }
        };
        if !decided.is_sure() && self.second.is_none() {
            let refined = self.look_again();
            let rewards = self.goal.choice_rewards;
            decided = self
                .observer
                .compare_again(&refined, rewards, state, self.memory);
            self.second = Some(refined);
            // What was left open before is open to the second look as well.
            let goal = self.memory.goal;
            let open = |d: &Option<Decided>| d.is_some_and(|d| !d.is_sure());
            for (stamp, decided) in self.memory.decided_for.iter_mut().zip(&self.memory.decided) {
                if *stamp == goal && open(decided) {
                    *stamp = 0;
                }
            }
        }
        self.memory.decided_for[at] = self.memory.goal;
        self.memory.decided[at] = Some(decided);
        decided
    }

    /// Where all optimal choices of a state lead, if every choice of the MDP leads to one state with certainty and the backend's values tell at a glance.
    /// `None` leaves it to [`decide`](Self::decide).
    #[must_use]
    pub fn best_successor(&self, state: StateId) -> Option<StateId> {
        if self.goal.settled.is_some() || !self.prospects.is_by_successors() {
            return None;
        }
        let successors = self.observer.successors.as_ref()?;
        let first = self.observer.first_choices[state.index()] as usize;
        let choices = self.observer.mdp.choices(state).len();
        self.prospects
            .certain_best(&successors[first..first + choices])
    }

    /// Where a choice of a state stands that [`decide`](Self::decide) was called for.
    #[must_use]
    pub fn standing(&self, choice: ChoiceId) -> Standing {
        self.memory.standings[choice.index()]
    }

    /// Whether all optimal choices of a decided state lead to one and the same state with certainty.
    #[must_use]
    pub fn is_one_way(&self, state: StateId) -> bool {
        let choices = self.mdp().choices(state);
        let mut optimal = choices.filter(|&c| self.standing(c) == Standing::Optimal);
        let first = optimal.next().and_then(|c| self.certain_successor(c));
        first.is_some() && optimal.all(|c| self.certain_successor(c) == first)
    }

    /// Where a choice leads with certainty, if it does.
    #[must_use]
    pub fn certain_successor(&self, choice: ChoiceId) -> Option<StateId> {
        if let Some(successors) = &self.observer.successors {
            return Some(StateId(successors[choice.index()]));
        }
        match self.observer.mdp.row(choice).0 {
            &[to] => Some(StateId(to)),
            _ => None,
        }
    }

    /// Forgets which states were marked.
    pub fn forget_marks(&mut self) {
        let memory = &mut *self.memory;
        memory.round = memory.round.wrapping_add(1);
        if memory.round == 0 {
            memory.marks.fill(0);
            memory.round = 1;
        }
    }

    /// Marks a state; whether it was new.
    pub fn mark(&mut self, state: StateId) -> bool {
        let round = self.memory.round;
        std::mem::replace(&mut self.memory.marks[state.index()], round) != round
    }

    /// `(1 - gamma) V*` of a state as the backend certified it.
    #[must_use]
    pub fn worth(&self, state: StateId) -> f64 {
        self.goal.worth.at(state.index())
    }

    /// The POWER integrand of a state as the backend certified it; where choices have rewards, what it is worth.
    #[must_use]
    pub fn integrand(&self, state: StateId) -> f64 {
        let discount = self.observer.discount;
        if self.goal.choice_rewards.is_some() {
            return self.worth(state);
        }
        let reward = discount.complement() * self.reward(state);
        (self.worth(state) - reward) / discount.used()
    }

    /// `(1 - gamma) V*` of the state that a choice leads to, in expectation: its POWER integrand.
    #[must_use]
    pub fn next_worth(&self, choice: ChoiceId) -> f64 {
        let (to, p) = self.observer.mdp.row(choice);
        let terms = to.iter().zip(p);
        terms.map(|(s, p)| p * self.worth(StateId(*s))).sum()
    }

    /// Half-width of every [`worth`](Self::worth), and of every [`next_worth`](Self::next_worth) with the rounding of its sum.
    #[must_use]
    pub fn worth_half_width(&self) -> f64 {
        // A sum of products errs by u of every term's size for each of them, and weights sum to one.
        let terms = self.observer.longest_row as f64 + 4.0;
        self.goal.half_width + terms * f64::EPSILON * self.goal.magnitude
    }

    /// The POWER integrand of a state, of an optimal agent, with its half-width; where it was found beside that of the agent.
    #[must_use]
    pub fn optimal_integrand(&self, state: StateId) -> (f64, f64) {
        match self.goal.acting.and_then(|acting| acting.optimum.as_ref()) {
            Some(optimum) => (optimum.integrand[state.index()], optimum.half_width),
            None => (self.integrand(state), self.integrand_half_width()),
        }
    }

    /// Half-width of every integrand.
    #[must_use]
    pub fn integrand_half_width(&self) -> f64 {
        match self.goal.choice_rewards {
            Some(_) => self.goal.half_width,
            None => self.goal.half_width / self.observer.discount.used(),
        }
    }

    /// Whether V* of one state is larger than that of another: 1 or 0, with a bracket where even a second look leaves it open.
    pub fn is_worth_more(&mut self, a: StateId, b: StateId) -> Observed {
        self.is_more([a, b], [0.0; 2])
    }

    /// The same of the POWER integrands of states: what they are worth beyond their own rewards.
    pub fn has_larger_integrand(&mut self, a: StateId, b: StateId) -> Observed {
        let own = |state| self.observer.discount.complement() * self.reward(state);
        self.is_more([a, b], [own(a), own(b)])
    }

    fn is_more(&mut self, states: [StateId; 2], given: [f64; 2]) -> Observed {
        let sure = |more: bool| Observed::sure(f64::from(u8::from(more)));
        if let Some(more) = self.prospects.is_worth_more(states, given) {
            return sure(more);
        }
        let open = |worth: &dyn Fn(StateId) -> f64| {
            let [a, b] = [0, 1].map(|i: usize| worth(states[i]) - given[i]);
            Observed {
                low: 0.0,
                high: 1.0,
                ..sure(a > b)
            }
        };
        if self.goal.acting.is_some() {
            // A second look would find optimal values.
            return open(&|state| self.worth(state));
        }
        let refined = self.second.take().unwrap_or_else(|| self.look_again());
        let observer = self.observer;
        let Refined { worth, half_width } = &refined;
        let second = Prospects::new(&observer.mdp, worth, *half_width, observer.scale);
        let observed = match second.is_worth_more(states, given) {
            Some(more) => sure(more),
            None => open(&|state| worth[state.index()]),
        };
        self.second = Some(refined);
        observed
    }

    /// The same goal with other rewards, solved in f64, under the eyes of `work`.
    pub fn with_rewards<T>(
        &mut self,
        change: impl FnOnce(&mut [f64]),
        work: impl FnOnce(&mut Look<'_>) -> T,
    ) -> T {
        let observer = self.observer;
        let mdp = &observer.mdp;
        let mut rewards: Vec<f64> = mdp.states().map(|s| self.reward(s)).collect();
        change(&mut rewards);
        let start: Vec<f64> = self.goal.worth.iter().collect();
        let Refined { worth, half_width } = refine(mdp, observer.discount, &rewards, &start);
        // No worth moves by more than the rewards do.
        let half_width = half_width + self.goal.linked.reward_half_width;
        let reward = |state: StateId| rewards[state.index()];
        let goal = GoalValues::new(&worth, half_width, &reward);
        let mut memory = self.memory.other.take().unwrap_or_default();
        memory.begin(mdp);
        let result = work(&mut Look {
            observer,
            goal,
            prospects: Prospects::strided(
                mdp,
                goal.worth,
                half_width,
                goal.magnitude,
                observer.scale,
            ),
            second: None,
            memory: &mut memory,
        });
        self.memory.other = Some(memory);
        result
    }

    /// Exact reward of a state.
    #[must_use]
    pub fn reward(&self, state: StateId) -> f64 {
        (self.goal.reward)(state)
    }

    /// The readings of a program of linked solves.
    #[must_use]
    pub fn readings(&self) -> &'a [Observed] {
        self.goal.linked.readings
    }

    fn look_again(&self) -> Refined {
        let mdp = &self.observer.mdp;
        let start: Vec<f64> = self.goal.worth.iter().collect();
        let discount = self.observer.discount;
        let refined = match self.goal.choice_rewards {
            Some(rewards) => {
                let task = Task {
                    mdp,
                    discount,
                    domain: RewardDomain::Choice,
                    followed: None,
                    rewards,
                };
                task.refine(&start)
            }
            None => {
                let rewards: Vec<f64> = mdp.states().map(|s| (self.goal.reward)(s)).collect();
                refine(mdp, discount, &rewards, &start)
            }
        };
        // No worth moves by more than the rewards do.
        Refined {
            half_width: refined.half_width + self.goal.linked.reward_half_width,
            ..refined
        }
    }
}

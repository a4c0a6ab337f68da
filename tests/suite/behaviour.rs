//! What optimal agents do, goal by goal, against the enumeration of all policies.

use std::path::Path;
use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use powersweep::experiment::{BackendChoice, Engine, RunSpec};
use powersweep::mdp::families::{Family, Star};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::plan::Plan;
use powersweep::reward::{GoalLaw, Marginal, RewardDistribution, RewardDomain, Uniform};
use powersweep::rng::Stream;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, CellProblem, GoalProgram, ReferenceBackend};
use powersweep::statistics::behaviour::{LawScale, Ties};
use powersweep::statistics::{Blocks, EventRequest, Observations, Request};
use powersweep::{ChoiceId, Discount, SampleIndex, Seed, StateId};

/// Values that differ by less are equal for the judge: far above its rounding, far below what random goals differ by.
const EQUAL: f64 = 1e-11;

/// A small random number generator for structure.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Four or five states of one to three choices; some equal rows, some shared rewards, labels of both kinds.
pub(crate) fn small_mdp(seed: u64, deterministic: bool) -> Mdp {
    let mut random = Random(seed);
    let mut builder = MdpBuilder::new(format!("random {seed}"));
    let n = 4 + random.below(2);
    let states: Vec<StateId> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
    for &s in &states {
        let choices = 1 + random.below(3);
        let mut last = Vec::new();
        for c in 0..choices {
            let to = |random: &mut Random| states[random.below(n) as usize];
            let row = match random.below(4) {
                0 if c > 0 => last.clone(),
                1 | 2 if !deterministic => {
                    let (a, b) = (to(&mut random), to(&mut random));
                    match a == b {
                        true => vec![(a, 1.0)],
                        false => vec![(a, 0.25), (b, 0.75)],
                    }
                }
                _ => vec![(to(&mut random), 1.0)],
            };
            builder.choice(s, format!("a{c}"), row.clone());
            last = row;
        }
    }
    builder.label("target", vec![states[1], states[3]]);
    let taken = [0, 2].map(|s| (states[s], "a0".to_owned()));
    builder.choice_label_at("taken", None, taken.to_vec());
    if !seed.is_multiple_of(4) {
        builder.start_distribution(vec![(states[0], 0.25), (states[2], 0.75)], None);
    }
    let own = |s: u32| {
        Some(if s == 2 && seed.is_multiple_of(3) {
            1
        } else {
            s
        })
    };
    builder.reward_coordinates((0..n as u32).map(own).collect());
    builder.build().unwrap()
}

/// What is rewarded, and by what law.
#[derive(Clone, Copy, PartialEq)]
enum Rewarded {
    /// States, uniform on [0, 1].
    States,
    /// Choices, uniform on [0, 1].
    Choices,
    /// Choices, 0 or 1, so that many of them tie.
    TiedChoices,
}

impl Rewarded {
    fn law(self, mdp: &Arc<Mdp>) -> Arc<GoalLaw> {
        let on_choices = |law: Marginal| {
            let law = RewardDistribution::iid("choices", law).on(RewardDomain::Choice);
            law.bind(mdp).unwrap().law
        };
        match self {
            Self::States => GoalLaw::unit_uniform(mdp),
            Self::Choices => on_choices(Marginal::Uniform(Uniform::unit())),
            Self::TiedChoices => on_choices(Marginal::bernoulli(0.5, 0.0, 1.0).unwrap()),
        }
    }

    fn problem(self, mdp: &Arc<Mdp>, gamma: f64, request: &Request) -> CellProblem {
        let law = self.law(mdp);
        let plain = problem(mdp, gamma, request);
        CellProblem {
            plan: Arc::new(Plan::draw_for(mdp, plain.discount, law.domain())),
            program: GoalProgram::optimal(mdp.clone(), law),
            ..plain
        }
    }
}

pub(crate) fn problem(mdp: &Arc<Mdp>, gamma: f64, request: &Request) -> CellProblem {
    let discount = Discount::new(gamma).unwrap();
    CellProblem {
        program: GoalProgram::optimal(mdp.clone(), GoalLaw::unit_uniform(mdp)),
        discount,
        tolerance: 1e-5,
        max_sweeps: CellProblem::sufficient_sweeps(discount, 1e-5, 1.0),
        seed: Seed(5),
        plan: Arc::new(Plan::draw(mdp, discount)),
        asked: Arc::new(request.resolve(mdp, LawScale::default()).unwrap()),
        rule: powersweep::solve::DecisionRule::default(),
    }
}

pub(crate) fn observe(backend: &dyn Backend, problem: CellProblem, goals: u64) -> Observations {
    let solver = backend.prepare(problem).unwrap();
    let block = Blocks::new(goals, 16_384).get(0);
    let alone = solver.solve_block(block, false).unwrap().observations;
    let together = solver.solve_block(block, true).unwrap().observations;
    assert_eq!(alone, together, "threads change nothing");
    alone
}

/// The judge of one goal: optimal values as the largest over all policies, each evaluated by a linear solve.
pub(crate) struct Judge<'a> {
    pub(crate) mdp: &'a Mdp,
    pub(crate) gamma: f64,
    values: Vec<f64>,
    /// Rewards of choices; none where they are those of states.
    paid: Vec<f64>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(mdp: &'a Mdp, gamma: f64, rewards: &[f64]) -> Self {
        Self::of(mdp, gamma, |choice| rewards[mdp.state_of(choice).index()])
    }

    /// Where choices have the rewards.
    fn on_choices(mdp: &'a Mdp, gamma: f64, rewards: &[f64]) -> Self {
        Self {
            paid: rewards.to_vec(),
            ..Self::of(mdp, gamma, |choice| rewards[choice.index()])
        }
    }

    fn of(mdp: &'a Mdp, gamma: f64, reward: impl Fn(ChoiceId) -> f64) -> Self {
        let mut values = vec![f64::NEG_INFINITY; mdp.n_states()];
        let mut policy: Vec<usize> = vec![0; mdp.n_states()];
        loop {
            let evaluated = evaluate(mdp, gamma, &reward, &policy);
            for (best, v) in values.iter_mut().zip(evaluated) {
                *best = best.max(v);
            }
            if !next_policy(mdp, &mut policy) {
                break;
            }
        }
        Self {
            mdp,
            gamma,
            values,
            paid: Vec::new(),
        }
    }

    /// The judge of the rewards of a problem.
    fn of_problem(problem: &CellProblem, mdp: &'a Mdp, rewards: &[f64]) -> Self {
        let gamma = problem.discount.used();
        match problem.program.stage().law.domain() {
            RewardDomain::State => Self::new(mdp, gamma, rewards),
            RewardDomain::Choice => Self::on_choices(mdp, gamma, rewards),
        }
    }

    fn next_value(&self, choice: ChoiceId) -> f64 {
        let (to, p) = self.mdp.row(choice);
        let terms = to.iter().zip(p);
        let next: f64 = terms.map(|(&t, p)| p * self.values[t as usize]).sum();
        next + self.paid.get(choice.index()).unwrap_or(&0.0) / self.gamma
    }

    /// All optimal choices of a state.
    pub(crate) fn optimal(&self, state: StateId) -> Vec<ChoiceId> {
        let value = |c| (1.0 - self.gamma) * self.next_value(c);
        let choices: Vec<ChoiceId> = self.mdp.choices(state).collect();
        let values = choices.iter().map(|&c| value(c));
        let best = values.fold(f64::NEG_INFINITY, f64::max);
        let good = |c: &ChoiceId| value(*c) >= best - EQUAL;
        choices.into_iter().filter(good).collect()
    }
}

fn next_policy(mdp: &Mdp, policy: &mut [usize]) -> bool {
    for (s, at) in policy.iter_mut().enumerate() {
        *at += 1;
        if *at < mdp.choices(StateId(s as u32)).len() {
            return true;
        }
        *at = 0;
    }
    false
}

fn evaluate(
    mdp: &Mdp,
    gamma: f64,
    reward: &impl Fn(ChoiceId) -> f64,
    policy: &[usize],
) -> Vec<f64> {
    let n = mdp.n_states();
    let mut rewards = vec![0.0; n];
    let mut matrix = DMatrix::<f64>::identity(n, n);
    for s in mdp.states() {
        let choice = mdp.choices(s).nth(policy[s.index()]).unwrap();
        rewards[s.index()] = reward(choice);
        let (to, p) = mdp.row(choice);
        for (&t, p) in to.iter().zip(p) {
            matrix[(s.index(), t as usize)] -= gamma * p;
        }
    }
    let solved = matrix.lu().solve(&DVector::from_column_slice(&rewards));
    solved.unwrap().as_slice().to_vec()
}

pub(crate) fn rewards(problem: &CellProblem, goal: u64) -> Vec<f64> {
    let n_rewards = problem.program.stage().law.n_rewards();
    let goal = problem.goal(Stream::Reward, SampleIndex(goal));
    (0..n_rewards).map(|s| goal.reward(s)).collect()
}

/// Optimality of some names.
fn ask(names: impl IntoIterator<Item = String>) -> Request {
    Request {
        optimality: names.into_iter().collect(),
        ..Request::default()
    }
}

fn every_state() -> Request {
    ask((0..4).map(|i| format!("s{i}")))
}

/// Number of goals whose shares are not those of the judge.
fn misses(
    backend: &dyn Backend,
    mdp: &Arc<Mdp>,
    (rewarded, gamma): (Rewarded, f64),
    goals: u64,
    offset: u64,
) -> usize {
    let problem = rewarded.problem(mdp, gamma, &every_state());
    let observations = observe(backend, problem.clone(), goals);
    assert!(observations.uncertain().is_empty(), "{}", mdp.name());
    let wrong = |&(goal, row): &(usize, &[f64])| {
        let rewards = rewards(&problem, goal as u64 + offset);
        let judge = Judge::of_problem(&problem, mdp, &rewards);
        let mut expected = Vec::new();
        for s in (0..4).map(StateId) {
            let optimal = judge.optimal(s);
            let share = 1.0 / optimal.len() as f64;
            let of = |c| if optimal.contains(&c) { share } else { 0.0 };
            expected.extend(mdp.choices(s).map(of));
        }
        expected != row
    };
    observations.rows().enumerate().filter(wrong).count()
}

/// At every discount of the list.
pub(crate) fn optimal_choices_are_those_of_all_policies(backend: &dyn Backend, discounts: &[f64]) {
    let mut noticed = 0;
    for seed in 0..30 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        for &gamma in discounts {
            let at = (Rewarded::States, gamma);
            assert_eq!(misses(backend, &mdp, at, 70, 0), 0, "{seed} at {gamma}");
        }
        // The control: the goals' rewards belong to other goals.
        noticed += misses(backend, &mdp, (Rewarded::States, 0.9), 70, 1);
    }
    assert!(noticed > 500, "{noticed}");
    let mut noticed = 0;
    for seed in 0..12 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        for &gamma in discounts {
            for rewarded in [Rewarded::Choices, Rewarded::TiedChoices] {
                let missed = misses(backend, &mdp, (rewarded, gamma), 70, 0);
                assert_eq!(missed, 0, "{seed} at {gamma}, rewards of choices");
            }
        }
        noticed += misses(backend, &mdp, (Rewarded::Choices, 0.9), 70, 1);
    }
    assert!(noticed > 200, "{noticed}");
}

#[test]
fn the_cpu_backend_finds_the_optimal_choices_of_every_goal() {
    optimal_choices_are_those_of_all_policies(&CpuBackend::new(), &[0.3, 0.9, 0.99]);
}

#[test]
fn the_reference_backend_finds_the_optimal_choices_of_every_goal() {
    optimal_choices_are_those_of_all_policies(&ReferenceBackend::new(), &[0.3, 0.9, 0.99]);
}

/// The event in question, as the judge sees it.
#[derive(Clone, Copy)]
enum Target {
    State(&'static [u32]),
    /// The first choice of these states.
    Choice(&'static [u32]),
}

impl Target {
    fn is_state(self, state: usize) -> bool {
        matches!(self, Self::State(list) if list.contains(&(state as u32)))
    }

    fn is_choice(self, mdp: &Mdp, choice: ChoiceId) -> bool {
        let Self::Choice(list) = self else {
            return false;
        };
        let state = mdp.state_of(choice);
        list.contains(&state.0) && mdp.choices(state).next() == Some(choice)
    }
}

const HORIZON: u32 = 3;

/// `ever`, `discounted`, `within` and the time's part of a policy (choices with their shares), by walking through time.
fn walk(mdp: &Mdp, gamma: f64, target: Target, policy: &[Vec<ChoiceId>]) -> [f64; 4] {
    let mut here = vec![0.0; mdp.n_states()];
    for &(s, p) in mdp.start() {
        here[s.index()] = p;
    }
    let mut numbers = [0.0; 4];
    for t in 0..500_u32 {
        let mut hit = 0.0;
        let mut next = vec![0.0; here.len()];
        for (s, &mass) in here.iter().enumerate().filter(|(_, m)| **m > 0.0) {
            if target.is_state(s) {
                hit += mass;
                continue;
            }
            let share = mass / policy[s].len() as f64;
            for &choice in &policy[s] {
                if target.is_choice(mdp, choice) {
                    hit += share;
                    continue;
                }
                let (to, p) = mdp.row(choice);
                for (&to, p) in to.iter().zip(p) {
                    next[to as usize] += share * p;
                }
            }
        }
        let within = if t <= HORIZON { hit } else { 0.0 };
        let parts = [hit, hit * gamma.powi(t as i32), within, hit * f64::from(t)];
        for (sum, part) in numbers.iter_mut().zip(parts) {
            *sum += part;
        }
        here = next;
    }
    numbers
}

/// Largest (`sign` 1) or smallest (-1) chance of a hit within `steps`, over every way to pick step by step.
fn within(judge: &Judge<'_>, target: Target, state: usize, steps: u32, sign: f64) -> f64 {
    if target.is_state(state) {
        return 1.0;
    }
    let chance = |choice| {
        if target.is_choice(judge.mdp, choice) {
            return 1.0;
        }
        if steps == 0 {
            return 0.0;
        }
        let (to, p) = judge.mdp.row(choice);
        let later = |&t: &u32| within(judge, target, t as usize, steps - 1, sign);
        to.iter().zip(p).map(|(t, p)| p * later(t)).sum::<f64>()
    };
    let chances = judge.optimal(StateId(state as u32)).into_iter().map(chance);
    sign * chances.map(|x| sign * x).fold(f64::NEG_INFINITY, f64::max)
}

/// What the columns of one event should hold.
fn expected(judge: &Judge<'_>, target: Target, ties: Ties) -> Vec<f64> {
    let sets: Vec<Vec<ChoiceId>> = judge.mdp.states().map(|s| judge.optimal(s)).collect();
    if ties == Ties::Even {
        return walk(judge.mdp, judge.gamma, target, &sets).to_vec();
    }
    let sign = if ties == Ties::Towards { 1.0 } else { -1.0 };
    let mut best = [f64::NEG_INFINITY; 2];
    let mut picked = vec![0; sets.len()];
    loop {
        let policy: Vec<Vec<ChoiceId>> = picked
            .iter()
            .zip(&sets)
            .map(|(&i, set)| vec![set[i]])
            .collect();
        let numbers = walk(judge.mdp, judge.gamma, target, &policy);
        for (best, x) in best.iter_mut().zip(numbers) {
            *best = best.max(sign * x);
        }
        let next = picked
            .iter()
            .zip(&sets)
            .position(|(&i, set)| i + 1 < set.len());
        let Some(next) = next else { break };
        picked[..next].fill(0);
        picked[next] += 1;
    }
    let start = judge.mdp.start().iter();
    let within = start.map(|&(s, p)| p * within(judge, target, s.index(), HORIZON, sign));
    vec![sign * best[0], sign * best[1], within.sum()]
}

/// Number of goals whose events are not those of the judge, and the number of goals in which ties made a difference.
fn event_misses(
    backend: &dyn Backend,
    mdp: &Arc<Mdp>,
    (rewarded, gamma): (Rewarded, f64),
    offset: u64,
) -> [usize; 2] {
    let targets = [
        ("target", Target::State(&[1, 3])),
        ("taken", Target::Choice(&[0, 2])),
        ("s3", Target::State(&[3])),
    ];
    let events = targets.iter().flat_map(|(label, _)| {
        Ties::ALL.map(|ties| EventRequest {
            label: (*label).to_owned(),
            within: Some(u64::from(HORIZON)),
            ties,
            without_time: false,
        })
    });
    let request = Request {
        events: events.collect(),
        ..Request::default()
    };
    let problem = rewarded.problem(mdp, gamma, &request);
    let observations = observe(backend, problem.clone(), 20);
    assert!(observations.uncertain().is_empty(), "{}", mdp.name());
    let mut counts = [0; 2];
    for (goal, row) in observations.rows().enumerate() {
        let rewards = rewards(&problem, goal as u64 + offset);
        let judge = Judge::of_problem(&problem, mdp, &rewards);
        let all = targets.iter();
        let all = all.flat_map(|(_, target)| Ties::ALL.map(|t| expected(&judge, *target, t)));
        let all: Vec<Vec<f64>> = all.collect();
        counts[1] += usize::from(all[0][0] != all[1][0] || all[3][0] != all[5][0]);
        let flat: Vec<f64> = all.concat();
        assert_eq!(flat.len(), row.len());
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9 * (1.0 + a.abs());
        let same = flat.iter().zip(row).all(close);
        counts[0] += usize::from(!same);
    }
    counts
}

pub(crate) fn events_are_those_of_the_judge(backend: &dyn Backend, discounts: &[f64]) {
    let (mut noticed, mut tied) = (0, 0);
    for seed in 0..16 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        for &gamma in discounts {
            let [misses, ties] = event_misses(backend, &mdp, (Rewarded::States, gamma), 0);
            assert_eq!(misses, 0, "{seed} at {gamma}");
            tied += ties;
        }
        noticed += event_misses(backend, &mdp, (Rewarded::States, discounts[0]), 1)[0];
    }
    assert!(noticed > 50 && tied > 10, "{noticed}, {tied}");
    let (mut noticed, mut tied) = (0, 0);
    for seed in 0..12 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        let at = (Rewarded::TiedChoices, discounts[0]);
        let [misses, ties] = event_misses(backend, &mdp, at, 0);
        assert_eq!(misses, 0, "{seed}, rewards of choices");
        tied += ties;
        noticed += event_misses(backend, &mdp, at, 1)[0];
    }
    assert!(noticed > 30 && tied > 10, "{noticed}, {tied}");
}

/// Expected discounted visits under even splits, by walking through time.
fn visits(judge: &Judge<'_>) -> Vec<f64> {
    let mut here = vec![0.0; judge.mdp.n_states()];
    for &(s, p) in judge.mdp.start() {
        here[s.index()] = p;
    }
    let mut sum = vec![0.0; here.len()];
    let mut weight = 1.0;
    while weight > 1e-14 {
        let mut next = vec![0.0; here.len()];
        for (s, mass) in here.iter().enumerate() {
            sum[s] += weight * mass;
            let set = judge.optimal(StateId(s as u32));
            for &choice in &set {
                let (to, p) = judge.mdp.row(choice);
                for (&to, p) in to.iter().zip(p) {
                    next[to as usize] += mass / set.len() as f64 * p;
                }
            }
        }
        here = next;
        weight *= judge.gamma;
    }
    sum
}

/// Number of goals whose visits are not those of the judge, and how many of the judge's are not the gradient of the optimal value
/// (the envelope theorem), where there is one.
fn visit_misses(
    backend: &dyn Backend,
    mdp: &Arc<Mdp>,
    (rewarded, gamma): (Rewarded, f64),
    offset: u64,
) -> [usize; 2] {
    let request = Request {
        occupancy: true,
        ..Request::default()
    };
    let problem = rewarded.problem(mdp, gamma, &request);
    let observations = observe(backend, problem.clone(), 40);
    assert!(observations.uncertain().is_empty(), "{}", mdp.name());
    let mut counts = [0; 2];
    let close = |a: f64, b: f64, error: f64| (a - b).abs() < error * (1.0 + a.abs());
    for (goal, row) in observations.rows().enumerate() {
        let rewards = rewards(&problem, goal as u64 + offset);
        let judge = Judge::of_problem(&problem, mdp, &rewards);
        let mut expected = visits(&judge);
        let start = |judge: &Judge<'_>| -> f64 {
            let each = mdp.start().iter();
            each.map(|&(s, p)| p * judge.values[s.index()]).sum()
        };
        // Duplicate choices are no obstacle: V* has a gradient wherever all optimal policies visit alike.
        for s in mdp.states() {
            let step = 1e-7;
            let moved = |by: f64| {
                let mut moved = rewards.clone();
                match rewarded {
                    Rewarded::States => moved[s.index()] += by,
                    _ => mdp.choices(s).for_each(|c| moved[c.index()] += by),
                }
                start(&Judge::of_problem(&problem, mdp, &moved))
            };
            let [up, down] = [moved(step), moved(-step)].map(|v| (v - start(&judge)) / step);
            let smooth = close(up, -down, 1e-6);
            counts[1] += usize::from(smooth && !close(up, expected[s.index()], 1e-6));
        }
        let target = &mdp.state_labels()["target"];
        expected.push(target.iter().map(|s| expected[s.index()]).sum());
        let same = expected.iter().zip(row).all(|(a, b)| close(*a, *b, 1e-10));
        counts[0] += usize::from(!same || expected.len() != row.len());
    }
    counts
}

pub(crate) fn visits_are_those_of_the_judge(backend: &dyn Backend) {
    let mut noticed = 0;
    for seed in 0..16 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        for gamma in [0.5, 0.9] {
            let at = (Rewarded::States, gamma);
            let found = visit_misses(backend, &mdp, at, 0);
            assert_eq!(found, [0, 0], "{seed} at {gamma}");
        }
        noticed += visit_misses(backend, &mdp, (Rewarded::States, 0.9), 1)[0];
    }
    assert!(noticed > 100, "{noticed}");
    let mut noticed = 0;
    for seed in 0..8 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        let at = (Rewarded::Choices, 0.9);
        let found = visit_misses(backend, &mdp, at, 0);
        assert_eq!(found, [0, 0], "{seed}, rewards of choices");
        noticed += visit_misses(backend, &mdp, at, 1)[0];
    }
    assert!(noticed > 50, "{noticed}");
}

#[test]
fn the_cpu_backend_finds_the_visits_of_every_goal() {
    visits_are_those_of_the_judge(&CpuBackend::new());
}

#[test]
fn the_reference_backend_finds_the_visits_of_every_goal() {
    visits_are_those_of_the_judge(&ReferenceBackend::new());
}

/// The distribution's tables against the goals one by one.
#[test]
fn distributions_are_those_of_the_goals_one_by_one() {
    use powersweep::rng::Stream;
    use powersweep::solve::Goals;
    let engine = Engine::new(BackendChoice::Reference).unwrap();
    let mdp = small_mdp(7, false);
    let handle = engine.upload(mdp.clone());
    let samples = 3_000;
    let spec = RunSpec {
        samples,
        statistics: Request {
            distribution: ["s0", "s3"].map(str::to_owned).to_vec(),
            ..Request::default()
        },
        seed: Seed(5),
        ..RunSpec::default()
    };
    let statistics = engine
        .run(&spec.environment(&handle).discount(0.9).unwrap())
        .unwrap();
    let cell = &statistics.cells[0];
    let plain = problem(&Arc::new(mdp), 0.9, &Request::default());
    let discount = plain.discount;
    let solver = ReferenceBackend::new().prepare(plain).unwrap();
    let indices: Vec<SampleIndex> = (0..samples).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let solved = solver.solve_goals(goals).unwrap();
    let n = samples as f64;
    let column = |s: usize| solved.iter().map(|g| g.integrand[s]).collect::<Vec<f64>>();
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let covariance = |x: &[f64], y: &[f64]| {
        let (a, b) = (mean(x), mean(y));
        x.iter().zip(y).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / (n - 1.0)
    };
    let (x, y) = (column(0), column(3));
    let found = |table: &str, row: usize, measure: &str| {
        let table = cell.table(table).unwrap();
        *table
            .measure(&table.rows[row], measure)
            .unwrap()
            .estimate()
            .unwrap()
    };
    let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
    assert!(near(
        found("distribution", 0, "variance").estimate,
        covariance(&x, &x)
    ));
    assert!(near(
        found("distribution", 1, "variance").estimate,
        covariance(&y, &y)
    ));
    assert!(
        !near(covariance(&x, &x), covariance(&y, &y)),
        "the comparison can fail"
    );
    let worths: Vec<f64> = solved.iter().map(|g| g.worths(discount)[0]).collect();
    let value = found("distribution", 0, "value_variance");
    assert!(near(value.estimate, covariance(&worths, &worths)));
    // The standard error of a variance: sqrt((m4 - s^4) / n).
    let a = mean(&x);
    let fourth = x.iter().map(|x| (x - a).powi(4)).sum::<f64>() / n;
    let expected = ((fourth - covariance(&x, &x).powi(2)) / n).sqrt();
    let error = found("distribution", 0, "variance").std_error.unwrap();
    assert!((error / expected - 1.0).abs() < 1e-3, "{error} {expected}");
    let correlation = covariance(&x, &y) / (covariance(&x, &x) * covariance(&y, &y)).sqrt();
    assert!(near(
        found("comparison", 0, "correlation").estimate,
        correlation
    ));
    let difference = found("comparison", 0, "difference");
    assert!(near(difference.estimate, mean(&x) - mean(&y)));
    let paired: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    let expected = (covariance(&paired, &paired) / n).sqrt();
    assert!(near(difference.std_error.unwrap(), expected));
    let more = solved
        .iter()
        .filter(|g| g.worths(discount)[0] > g.worths(discount)[3]);
    assert!(near(
        found("comparison", 0, "greater").estimate,
        more.count() as f64 / n
    ));
    for (name, p) in [("q05", 0.05), ("q50", 0.5), ("q95", 0.95)] {
        let mut sorted = x.clone();
        sorted.sort_by(f64::total_cmp);
        let quantile = sorted[(p * n) as usize];
        let e = found("distribution", 0, name);
        assert!(
            e.low <= quantile && quantile <= e.high,
            "{name}: {e:?} {quantile}"
        );
        assert!((e.estimate - quantile).abs() < 1.0 / 64.0 && e.high - e.low < 0.1);
    }
    let above = found("histogram", 40, "above").estimate;
    let edge = 40.0 / 64.0;
    assert!(near(
        above,
        x.iter().filter(|x| **x > edge).count() as f64 / n
    ));
}

#[test]
fn the_cpu_backend_finds_the_events_of_every_goal() {
    events_are_those_of_the_judge(&CpuBackend::new(), &[0.9, 0.4]);
}

#[test]
fn the_reference_backend_finds_the_events_of_every_goal() {
    events_are_those_of_the_judge(&ReferenceBackend::new(), &[0.9, 0.99]);
}

#[test]
fn weak_is_at_least_fractional_at_least_strict() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    for seed in 0..12 {
        let mdp = engine.upload(small_mdp(seed, seed % 2 == 0));
        let spec = RunSpec {
            samples: 20_000,
            statistics: every_state(),
            ..RunSpec::default()
        };
        let spec = spec.environment(&mdp).discount(0.9).unwrap();
        let statistics = engine.run(&spec).unwrap();
        let table = statistics.cells[0].table("optimality").unwrap();
        let mut fractional_sum = 0.0;
        for row in &table.rows {
            let value = |name| {
                table
                    .measure(row, name)
                    .unwrap()
                    .estimate()
                    .unwrap()
                    .estimate
            };
            let (weak, strict) = (value("weak"), value("strict"));
            let fractional = value("fractional");
            assert!(weak >= fractional - 1e-12 && fractional >= strict - 1e-12);
            fractional_sum += fractional;
        }
        assert!((fractional_sum - 4.0).abs() < 1e-9, "shares add up to one");
    }
}

/// Three leaves that pay 1 with probability 1/4 and else nothing: 1 - 3 (1/4) (3/4)^2 = 37/64 of all goals have a tie, which no certificate in single precision tells from a gap.
pub(crate) fn ties_of_coins_are_found(backend: &dyn Backend) {
    let mdp = Arc::new(Family::Star(Star { leaves: 3 }).generate(0).unwrap());
    let coins = GoalLaw::iid(&mdp, Marginal::bernoulli(0.25, 0.0, 1.0).unwrap());
    let plain = problem(&mdp, 0.9, &ask(vec!["start".to_owned()]));
    let problem = CellProblem {
        program: GoalProgram::optimal(mdp.clone(), coins),
        ..plain
    };
    let goals = 4_096;
    let found = observe(backend, problem.clone(), goals);
    assert!(found.uncertain().is_empty(), "nothing is left open");
    let (mut ties, mut noticed) = (0, 0);
    for (goal, row) in found.rows().enumerate() {
        let shares = |goal: u64| -> Vec<f64> {
            let leaves = &rewards(&problem, goal)[1..];
            let best = leaves.iter().copied().fold(0.0, f64::max);
            let optimal = leaves.iter().filter(|r| **r == best).count() as f64;
            let share = |r: &f64| if *r == best { 1.0 / optimal } else { 0.0 };
            leaves.iter().map(share).collect()
        };
        assert_eq!(row, shares(goal as u64), "goal {goal}");
        ties += u32::from(row.iter().all(|share| *share < 1.0));
        // The control: another goal's coins.
        noticed += u32::from(row != shares(goal as u64 + 1));
    }
    let share = f64::from(ties) / goals as f64;
    // Four standard deviations.
    assert!((share - 37.0 / 64.0).abs() < 0.031, "{share}");
    assert!(noticed > 2_000, "{noticed}");
}

#[test]
fn ties_of_coins_are_found_by_the_second_look() {
    ties_of_coins_are_found(&CpuBackend::new());
    ties_of_coins_are_found(&ReferenceBackend::new());
}

/// From the hub to one of two leaves.
fn fork() -> Mdp {
    let mut builder = MdpBuilder::new("fork");
    let [hub, left, right] = ["hub", "left", "right"].map(|name| builder.state(name));
    builder.choice(hub, "left", [(left, 1.0)]);
    builder.choice(hub, "right", [(right, 1.0)]);
    builder.absorbing(left);
    builder.absorbing(right);
    builder.start(hub);
    builder.choice_label_at("sinister", None, vec![(hub, "left".to_owned())]);
    builder.build().unwrap()
}

#[test]
fn identity_one_a_shutdown_switch_at_the_start() {
    // P(avoid) = (1 - g)/2 + g POWER(survive): two statistics of different runs of the engine must agree.
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    for seed in 40..52_u64 {
        let world = small_mdp(3 * seed + 1, seed % 2 == 0);
        let mut builder = MdpBuilder::new("switch");
        let n = world.n_states() as u32;
        let states: Vec<StateId> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
        let [off, first] = ["off", "first"].map(|name| builder.state(name));
        for s in world.states() {
            for c in world.choices(s) {
                let (to, p) = world.row(c);
                let row = to.iter().zip(p).map(|(&t, &p)| (states[t as usize], p));
                builder.choice(s, world.action_name(c), row.collect::<Vec<_>>());
            }
        }
        builder.absorbing(off);
        builder.choice(first, "shutdown", [(off, 1.0)]);
        builder.choice(first, "survive", [(states[0], 1.0)]);
        builder.start(first);
        let mdp = engine.upload(builder.build().unwrap());
        let spec = RunSpec {
            samples: 400_000,
            statistics: ask(vec!["start".to_owned()]),
            ..RunSpec::default()
        };
        let spec = spec.environment(&mdp).discount(0.9).unwrap();
        let statistics = engine.run(&spec).unwrap();
        let cell = &statistics.cells[0];
        let table = cell.table("optimality").unwrap();
        let survive = table.measure(&table.rows[1], "weak").unwrap();
        let survive = survive.estimate().unwrap();
        let gamma = cell.discount_used.unwrap();
        let power = &cell.power[0];
        let expected = (1.0 - gamma) / 2.0 + gamma * power.estimate;
        let error = survive.std_error.unwrap() + gamma * power.std_error.unwrap();
        assert!(error > 1e-4 && error < 2e-3, "the comparison can fail");
        let bounds = survive.bound + power.bound;
        assert!(
            (survive.estimate - expected).abs() < 4.5 * error + bounds,
            "{seed}: {} and {expected}",
            survive.estimate
        );
    }
}

#[test]
fn sets_of_choices_are_counted_under_their_label() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mdp = engine.upload(fork());
    let names = ["sinister", "hub", "left"].map(str::to_owned);
    let spec = RunSpec {
        samples: 10_000,
        statistics: ask(names),
        ..RunSpec::default()
    };
    let spec = spec.environment(&mdp).discount(0.9).unwrap();
    let statistics = engine.run(&spec).unwrap();
    let document: serde_json::Value = serde_json::from_str(&statistics.to_json()).unwrap();
    let rows = document["cells"][0]["optimality"].as_array().unwrap();
    assert_eq!(rows.len(), 4);
    let [left, right, stay, set] = &rows[..] else {
        panic!()
    };
    assert_eq!(
        (&left["action"], &set["label"]),
        (&"left".into(), &"sinister".into())
    );
    assert!(set["action"].is_null() && left["label"].is_null());
    assert_eq!(left["weak"], set["weak"]);
    assert_ne!(right["weak"], set["weak"]);
    assert_eq!(stay["strict"]["estimate"], 1.0);
    assert_eq!(left["undecided"], 0.0);
}

#[test]
fn unknown_names_are_refused_all_at_once() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mdp = engine.upload(fork());
    let names = ["hob", "left", "zzzzzz"].map(str::to_owned);
    let spec = RunSpec {
        statistics: ask(names),
        ..RunSpec::default()
    };
    let error = engine.run(&spec.environment(&mdp).discount(0.9).unwrap());
    insta::assert_snapshot!(error.unwrap_err().to_string());
}

#[test]
fn a_gap_of_1e_7_is_settled_by_the_second_look_and_one_below_the_certificate_is_left_open() {
    use powersweep::statistics::behaviour::{GoalValues, Memory, Observer};
    let mdp = Arc::new(fork());
    let request = ask(vec!["hub".to_owned()]);
    let asked = Arc::new(request.resolve(&mdp, LawScale::default()).unwrap());
    // `scale` is what ties are relative to: with a tiny one no certificate is as sharp as a tie.
    let look = |gap: f64, half_width: f64, scale: f64| {
        let discount = Discount::new(0.99).unwrap();
        let observer = Observer::new(&mdp, discount, scale, &asked).unwrap();
        let rewards = [0.25, 0.5 + gap, 0.5];
        let [left, right] = [rewards[1], rewards[2]];
        let used = discount.used();
        let hub = discount.complement() * rewards[0] + used * left.max(right);
        let mut observations = observer.observations(1);
        // The first look has them the wrong way round, within its bound.
        let worth = [hub, left - half_width, right + half_width];
        let reward = |s: StateId| rewards[s.index()];
        let goal = GoalValues::new(&worth, half_width, &reward);
        observer.observe(goal, &mut Memory::default(), &mut observations);
        let row = observations.rows().next().unwrap().to_vec();
        (row, observations.uncertain().len())
    };
    assert_eq!(look(1e-7, 1e-5, 1.0), (vec![1.0, 0.0], 0));
    assert_eq!(look(-1e-7, 1e-5, 1.0), (vec![0.0, 1.0], 0));
    assert_eq!(look(0.0, 1e-5, 1.0), (vec![0.5, 0.5], 0));
    assert_eq!(
        look(1e-11, 1e-5, 1.0),
        (vec![0.5, 0.5], 0),
        "closer than a tie"
    );
    // Rounding is all that is left of a gap of 1e-16: on this scale that is not a tie, and f64 cannot tell.
    assert_eq!(look(1.2e-16, 1e-5, 1e-9).1, 2);
}

#[test]
fn what_stays_open_is_between_the_extremes_of_all_that_may_be_optimal() {
    use powersweep::statistics::behaviour::{GoalValues, Memory, Observer};
    let mdp = Arc::new(fork());
    let event = |label: &str, ties| EventRequest {
        label: label.to_owned(),
        within: Some(1),
        ties,
        without_time: false,
    };
    let request = Request {
        events: vec![
            event("left", Ties::Even),
            event("sinister", Ties::Towards),
            event("hub", Ties::Away),
        ],
        occupancy: true,
        distribution: vec!["left".to_owned(), "right".to_owned()],
        ..Request::default()
    };
    let asked = Arc::new(request.resolve(&mdp, LawScale::default()).unwrap());
    let discount = Discount::new(0.75).unwrap();
    // On a scale this small nothing is as sharp as a tie, and f64 cannot tell the leaves apart.
    let observer = Observer::new(&mdp, discount, 1e-9, &asked).unwrap();
    let rewards = [0.25, 0.5 + 1.2e-16, 0.5];
    let worth = [0.4375, 0.5, 0.5];
    let reward = |s: StateId| rewards[s.index()];
    let mut observations = observer.observations(1);
    let goal = GoalValues::new(&worth, 1e-5, &reward);
    observer.observe(goal, &mut Memory::default(), &mut observations);
    let brackets = observations.uncertain().iter();
    let brackets: Vec<(u32, f64, f64)> = brackets.map(|u| (u.column, u.low, u.high)).collect();
    // Four columns of the first event, three of the others, three states; no column of what surely happens.
    let expected = [
        (0, 0.0, 1.0),
        (1, 0.0, 0.75),
        (2, 0.0, 1.0),
        (4, 0.0, 1.0),
        (5, 0.0, 1.0),
        (6, 0.0, 1.0),
        (10, 0.0, 4.0),
        (11, 0.0, 4.0),
        (12, 0.0, 4.0),
    ];
    let found: Vec<_> = brackets.iter().filter(|b| b.0 < 13).copied().collect();
    assert_eq!(found, expected);
    // `left` is worth more than `right`, or less.
    let compared: Vec<_> = brackets.iter().filter(|b| b.0 >= 17).copied().collect();
    assert_eq!(compared, [(17, 0.0, 1.0), (18, 0.0, 1.0)]);
}

#[test]
fn the_experiment_file_asks_by_name_and_the_hash_covers_it() {
    use powersweep::experiment::{Experiment, Overrides};
    let directory = tempfile::tempdir().unwrap();
    let write = |statistics: &str| {
        let path = directory.path().join("e.toml");
        let maze = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/maze-9x9.toml");
        let text = format!(
            "schema = 1\n[mdp]\npath = {maze:?}\n[solve]\ndiscount = 0.9\n[statistics]\n{statistics}"
        );
        std::fs::write(&path, text).unwrap();
        Experiment::load(&path, &Overrides::default())
    };
    let (with, _) = write("optimality = [\"start\", \"corner\"]").unwrap();
    let (without, _) = write("").unwrap();
    assert_eq!(with.statistics.value.optimality, ["start", "corner"]);
    assert_ne!(with.hash("cpu"), without.hash("cpu"));
    let written = with.to_toml(&|_, path| path.to_owned());
    assert!(
        written.contains("optimality = [\"start\", \"corner\"]"),
        "{written}"
    );
    let faults =
        write("optimality = [\"strat\", \"corner\", 3, \"corner\", \"qqqqqqqq\"]\nevnts = 1");
    let faults = faults.unwrap_err().to_string();
    let faults: Vec<&str> = faults
        .lines()
        .map(|l| l.split_once("error").unwrap().1)
        .collect();
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn a_time_longer_than_sums_hold_is_not_told_and_all_else_is() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let time = |leaves: f64| {
        let mut builder = MdpBuilder::new("sieve");
        let [inside, outside] = ["inside", "outside"].map(|name| builder.state(name));
        builder.choice(inside, "wait", [(inside, 1.0 - leaves), (outside, leaves)]);
        builder.absorbing(outside);
        builder.start(inside);
        let mdp = engine.upload(builder.build().unwrap());
        let event = EventRequest {
            label: "outside".to_owned(),
            ..EventRequest::default()
        };
        let spec = RunSpec {
            samples: 100,
            statistics: Request {
                events: vec![event],
                ..Request::default()
            },
            ..RunSpec::default()
        };
        let spec = spec.environment(&mdp).discount(0.5).unwrap();
        let statistics = engine.run(&spec).unwrap();
        let table = statistics.cells[0].table("events").unwrap();
        let measure = |name| {
            table
                .measure(&table.rows[0], name)
                .and_then(|m| m.estimate().cloned())
        };
        let ever = measure("ever").unwrap();
        assert!((ever.estimate - 1.0).abs() < 1e-12, "{leaves}: {ever:?}");
        measure("time").map(|time| time.estimate)
    };
    // The first hit is on arrival: 1 / leaves steps on average.
    let told = time(1.0 / 1_024.0).unwrap();
    assert!((told - 1_024.0).abs() < 1e-6, "{told}");
    assert_eq!(time(1e-12), None);
    assert_eq!(time(1e-300), None);
}

//! Rewards of choices: every backend against an equivalent MDP with rewards of states, and against each other.

use std::sync::Arc;

use powersweep::experiment::{
    BackendChoice, Engine, Experiment, Overrides, RunError, RunSpec, Statistics,
};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::plan::{Plan, Schedule};
use powersweep::reward::{GoalLaw, Marginal, RewardDistribution, RewardDomain, Uniform};
use powersweep::rng::Stream;
use powersweep::solve::cpu::{CpuBackend, Level};
use powersweep::solve::{Backend, CellProblem, GoalProgram, Goals, ReferenceBackend, SolvedGoal};
use powersweep::statistics::{Estimate, Key};
use powersweep::units::{ChoiceId, SampleIndex};
use powersweep::{Discount, Seed};

use crate::behaviour::small_mdp;

/// A cell with rewards from a uniform law on states or choices.
pub(crate) fn problem(
    mdp: &Arc<Mdp>,
    domain: RewardDomain,
    gamma: f64,
    tolerance: f64,
) -> CellProblem {
    let law = Marginal::Uniform(Uniform::new(-1.0, 2.0).unwrap());
    let bound = RewardDistribution::iid("law", law)
        .on(domain)
        .bind(mdp)
        .unwrap();
    let discount = Discount::new(gamma).unwrap();
    CellProblem {
        plan: Arc::new(Plan::draw_for(mdp, discount, domain)),
        program: GoalProgram::optimal(bound.mdp, bound.law),
        discount,
        tolerance,
        max_sweeps: CellProblem::sufficient_sweeps(discount, tolerance, 3.0),
        seed: Seed(9),
        asked: Default::default(),
        rule: powersweep::solve::DecisionRule::default(),
    }
}

fn solve(backend: &dyn Backend, problem: CellProblem, goals: u64) -> Vec<SolvedGoal> {
    let indices: Vec<SampleIndex> = (0..goals).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    backend
        .prepare(problem)
        .unwrap()
        .solve_goals(goals)
        .unwrap()
}

/// A deterministic MDP whose states are the choices of another one: taking choice c and then going on as well as possible.
fn choices_as_states(mdp: &Mdp) -> Mdp {
    let mut b = MdpBuilder::new("choices");
    let states: Vec<_> = (0..mdp.n_choices())
        .map(|c| b.state(format!("c{c}")))
        .collect();
    for (c, &state) in states.iter().enumerate() {
        let next = powersweep::StateId(mdp.row(ChoiceId(c as u32)).0[0]);
        for choice in mdp.choices(next) {
            b.choice(
                state,
                format!("then {}", choice.0),
                [(states[choice.index()], 1.0)],
            );
        }
    }
    b.build().unwrap()
}

/// Distances between what backends say of a deterministic MDP with rewards of choices and of its equivalent with rewards of states.
pub(crate) fn worst(
    backend: &dyn Backend,
    mdp: &Arc<Mdp>,
    (gamma, tolerance): (f64, f64),
    shift: usize,
) -> f64 {
    let twin = Arc::new(choices_as_states(mdp));
    let discount = Discount::new(gamma).unwrap();
    let problem = |mdp, domain, tolerance| problem(mdp, domain, gamma, tolerance);
    let here = solve(backend, problem(mdp, RewardDomain::Choice, tolerance), 70);
    let there = solve(
        &ReferenceBackend::new(),
        problem(&twin, RewardDomain::State, 1e-9),
        70,
    );
    let mut worst = 0.0_f64;
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here.rewards, there.rewards, "the same draws");
        assert!(here.converged && there.converged);
        let values = there.values(discount);
        let error = there.value_half_width(discount) * discount.complement();
        for state in mdp.states() {
            let best = mdp
                .choices(state)
                .map(|c| values[(c.index() + shift) % values.len()]);
            let best = best.fold(f64::NEG_INFINITY, f64::max) * discount.complement();
            let off = (here.integrand[state.index()] - best).abs();
            worst = worst.max(off / (here.half_width + error));
        }
    }
    worst
}

/// A graph with duplicate choices (whose rewards differ), self-loops and several recurrent classes.
pub(crate) fn graph() -> Arc<Mdp> {
    let mut b = MdpBuilder::new("graph");
    let [a, x, y, off] = ["a", "x", "y", "off"].map(|n| b.state(n));
    b.choice(a, "left", [(x, 1.0)]);
    b.choice(a, "left again", [(x, 1.0)]);
    b.choice(a, "right", [(y, 1.0)]);
    b.choice(a, "stop", [(off, 1.0)]);
    b.choice(x, "stay", [(x, 1.0)]);
    b.choice(x, "stay too", [(x, 1.0)]);
    b.choice(x, "back", [(a, 1.0)]);
    b.choice(y, "on", [(x, 1.0)]);
    b.absorbing(off);
    Arc::new(b.build().unwrap())
}

#[test]
fn rewards_of_choices_are_rewards_of_states_of_another_mdp() {
    let levels = Level::available().into_iter().map(CpuBackend::with_level);
    for gamma in [0.1, 0.9, 0.99, 0.999] {
        assert!(worst(&ReferenceBackend::new(), &graph(), (gamma, 1e-5), 0) <= 1.0);
        for backend in levels.clone() {
            assert!(
                worst(&backend, &graph(), (gamma, 1e-5), 0) <= 1.0,
                "{backend:?} {gamma}"
            );
        }
    }
    assert!(
        worst(&ReferenceBackend::new(), &graph(), (0.9, 1e-5), 1) > 10.0,
        "the control"
    );
}

#[test]
fn cpu_agrees_on_stochastic_mdps() {
    agrees_on_stochastic_mdps(&CpuBackend::new(), 1e-5);
}

/// Goals of a backend against those of the reference, by every method.
pub(crate) fn agrees_on_stochastic_mdps(backend: &dyn Backend, tolerance: f64) {
    for seed in 0..6 {
        let mdp = Arc::new(small_mdp(seed, false));
        for gamma in [0.5, 0.95] {
            let mut problem = problem(&mdp, RewardDomain::Choice, gamma, tolerance);
            let exact = solve(&ReferenceBackend::new(), problem.clone(), 64);
            for &method in backend.methods() {
                let schedule = Schedule {
                    method,
                    first_check: 3,
                    ..Schedule::default()
                };
                problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
                let found = solve(backend, problem.clone(), 64);
                for (a, b) in exact.iter().zip(&found) {
                    assert!(b.converged);
                    for (x, y) in a.integrand.iter().zip(&b.integrand) {
                        assert!(
                            (x - y).abs() <= a.half_width + b.half_width,
                            "{method:?}: {x} {y}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn sums_are_those_of_the_goals() {
    let mdp = graph();
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let reward = RewardDistribution::iid("choices", Marginal::Uniform(Uniform::unit()))
        .on(RewardDomain::Choice);
    let spec = RunSpec {
        environments: vec![engine.upload((*mdp).clone())],
        rewards: vec![Arc::new(reward)],
        samples: 200_000,
        ..RunSpec::default()
    };
    let statistics = engine.run(&spec.discount(0.9).unwrap()).unwrap();
    let cell = &statistics.cells[0];
    // `off` has one choice: the same reward for ever.
    let off = &cell.power[3];
    assert!(
        (off.estimate - 0.5).abs() <= 4.5 * off.std_error.unwrap() + off.bound,
        "{off:?}"
    );
    // `x` may stay in two ways or go back: it is worth more than the better of two draws.
    assert!(cell.power[1].estimate > 2.0 / 3.0);
    let json: serde_json::Value = serde_json::from_str(&statistics.to_json()).unwrap();
    assert!(json["cells"][0]["power"].is_null());
    assert_eq!(json["cells"][0]["value"].as_array().unwrap().len(), 4);
}

#[test]
fn what_rewards_of_choices_do_not_have_is_told() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("x.toml");
    let file = "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 3\n[[reward]]\ndomain = \"choices\"\n[solve]\ndiscount = 0.9\n";
    std::fs::write(&path, file).unwrap();
    assert!(Experiment::load(&path, &Overrides::default()).is_ok());
    let with = |statistics: &str| {
        std::fs::write(&path, format!("{file}[statistics]\n{statistics}\n")).unwrap();
        Experiment::load(&path, &Overrides::default())
    };
    let there = "optimality = ['start']\nchoices = ['start']\nevents = ['start']\noccupancy = true";
    assert!(with(there).is_ok(), "{there}");
    let error = with("distribution = ['start']\ndrives = ['goal-preservation']\nper_goal = 5")
        .unwrap_err()
        .to_string();
    for name in ["distribution", "drives", "per_goal"] {
        let expected = format!("`{name}` is not yet supported for rewards of choices");
        assert!(error.contains(&expected), "{error}");
    }
    let law = GoalLaw::unit_uniform(&graph());
    assert_eq!(law.domain(), RewardDomain::State);
}

/// A state with two things to do for ever, in several variants, rewards of choices uniform on [0, 1].
fn variants_of(law: RewardDistribution, discount: f64, texts: &[&str]) -> Vec<(f64, f64)> {
    let mut b = MdpBuilder::new("work");
    let s = b.state("s");
    b.choice(s, "a", [(s, 1.0)]);
    b.choice(s, "b", [(s, 1.0)]);
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mut variants = vec![powersweep::intervention::Variant::baseline()];
    variants.extend(
        texts
            .iter()
            .enumerate()
            .map(|(i, text)| powersweep::intervention::Variant {
                name: format!("{i}"),
                ..crate::interventions::variant(text)
            }),
    );
    let spec = RunSpec {
        environments: vec![engine.upload(b.build().unwrap())],
        variants,
        rewards: vec![Arc::new(law.on(RewardDomain::Choice))],
        samples: 40_000,
        threads: 1,
        ..RunSpec::default()
    };
    let found = engine.run(&spec.discount(discount).unwrap()).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    let of = |cell: &powersweep::experiment::CellStatistics| {
        let value = cell.power[0];
        (value.estimate, 4.5 * value.std_error.unwrap() + value.bound)
    };
    found.cells.iter().map(of).collect()
}

#[test]
fn variants_carry_rewards_of_choices_along() {
    let (g, p): (f64, f64) = (0.9, 0.25);
    let law = || RewardDistribution::iid("law", Marginal::Uniform(Uniform::unit()));
    let hazard = "{ kind = 'off-switch', at = 's', p = 0.25 }";
    let disable = "{ kind = 'off-switch', at = 's', p = 0.25, disable = true }";
    let close = |(found, error): (f64, f64), exact: f64| (found - exact).abs() <= error;
    // M, the better of the two, goes on for ever or until it is ended, and the choices of `off` pay nothing. To disable that takes a step that pays nothing.
    let t = (1.0 - g) / (1.0 - g * (1.0 - p));
    let found = variants_of(law(), g, &[hazard, disable]);
    for (found, exact) in found.iter().zip([2.0 / 3.0, t * 2.0 / 3.0, g * 2.0 / 3.0]) {
        assert!(close(*found, exact), "{found:?} {exact}");
        assert!(!close(*found, exact + 0.05));
    }
    // What is said of a state holds for the choices that an intervention gave it.
    let found = variants_of(law().with_fixed("off", 1.0), g, &[hazard]);
    assert!(close(found[1], t * 2.0 / 3.0 + 1.0 - t), "{found:?}");
    // Copies that draw rewards of their own: the better of t M and g M', with densities 2 m.
    let found = variants_of(law().over_all(), g, &[disable]);
    let n = 1_000;
    let at = |i: i32| (f64::from(i) + 0.5) / f64::from(n);
    let mut exact = 0.0;
    for (m, other) in (0..n).flat_map(|i| (0..n).map(move |j| (at(i), at(j)))) {
        exact += 4.0 * m * other * f64::max(t * m, g * other) / f64::from(n).powi(2);
    }
    assert!(
        close(found[1], exact) && !close(found[1], g * 2.0 / 3.0),
        "{found:?} {exact}"
    );
}

/// One cell of a variant whose choices have rewards.
fn linked(
    mdp: Mdp,
    text: &str,
    backend: BackendChoice,
    discount: f64,
) -> Result<Statistics, RunError> {
    let engine = Engine::new(backend).unwrap();
    let law = RewardDistribution::iid("law", Marginal::Uniform(Uniform::unit()));
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        variants: vec![crate::interventions::variant(text)],
        rewards: vec![Arc::new(law.on(RewardDomain::Choice))],
        samples: match backend {
            BackendChoice::Reference => 640,
            _ => 20_000,
        },
        ..RunSpec::default()
    };
    engine.run(&spec.discount(discount).unwrap())
}

fn reading(found: &Statistics, name: &str, measure: &str) -> Estimate {
    assert!(found.is_complete(), "{:?}", found.failures);
    let table = found.cells[0].table("readings").unwrap();
    let row = table.rows.iter().find(|r| r.keys[0] == Key::text(name));
    let row = row.unwrap_or_else(|| panic!("{name} among {:?}", table.rows));
    *table.measure(row, measure).unwrap().estimate().unwrap()
}

/// `s --go--> t`, and t for ever: two choices.
fn lane() -> Mdp {
    let mut b = MdpBuilder::new("lane");
    let [s, t] = ["s", "t"].map(|n| b.state(n));
    b.choice(s, "go", [(t, 1.0)]);
    b.absorbing(t);
    b.start(s);
    b.build().unwrap()
}

#[test]
fn linked_goals_may_have_rewards_of_choices() {
    let close = |found: Estimate, exact: f64| {
        let allowed = 4.5 * found.std_error.unwrap() + found.bound + 1e-12;
        assert!(
            (found.estimate - exact).abs() <= allowed,
            "{found:?} {exact}"
        );
        assert!((found.estimate - exact - 0.05).abs() > allowed);
    };
    let g: f64 = 0.5;
    let run = |text: &str| linked(lane(), text, BackendChoice::Cpu, g).unwrap();
    // Whatever the goal, there is one thing to do: at once nothing is lost by another goal.
    let button = run("{ kind = 'goal-button' }");
    close(reading(&button, "keep at s", "tied"), 1.0);
    // A step that pays nothing puts (1 - g) r + g t off by a step: as an integrand, (1 - g)/g of its mean of a half.
    let late = run("{ kind = 'goal-button', delay = 1 }");
    close(reading(&late, "keep at s", "mean"), (1.0 - g) / (2.0 * g));
    // To tamper is worth g/2: more than the mean of two uniform numbers for those of which it is below 1/4.
    let channel = run("{ kind = 'tampering', pays = 0.5 }");
    close(reading(&channel, "tamper at s", "above"), 0.125);
    for (text, refused) in [
        (
            "{ kind = 'shutdown-indifference', shutdown = 'off' }",
            "shutdown-indifference",
        ),
        (
            "{ kind = 'reward-uncertainty', shutdown = 'off', posterior = 3 }",
            "reward-uncertainty",
        ),
    ] {
        let world = crate::linked_interventions::world(2);
        let error = linked(world, text, BackendChoice::Cpu, 0.9).unwrap_err();
        let message =
            format!("goals that {refused} solves in linked stages have rewards of states");
        assert!(error.to_string().contains(&message), "{error}");
    }
}

#[test]
fn an_impact_on_what_choices_pay_is_penalised() {
    // Two choices at s, each for ever: go pays a and leads to t, which pays t; stay pays b. What another goal would lose is the difference of
    // (1 - g) a + g t and b over (1 - g): for lambda = 1 - g it is on the scale of worths.
    let mut b = MdpBuilder::new("fork");
    let [s, t] = ["s", "t"].map(|n| b.state(n));
    b.choice(s, "go", [(t, 1.0)]);
    b.choice(s, "stay", [(s, 1.0)]);
    b.absorbing(t);
    b.start(s);
    let mdp = b.build().unwrap();
    let text = "{ kind = 'impact-penalty', noop = 'stay', lambda = 0.5, auxiliary = 1 }";
    let found = linked(mdp, text, BackendChoice::Cpu, 0.5).unwrap();
    let effect = reading(&found, "side effect of go at s", "mean");
    // Q(go) - Q(stay) = a + g t/(1 - g) - (b + g V(s)) with V(s) the better of the two: |x| with x = (a + t) - 2b where that is negative, and half of it else, on a grid of midpoints.
    let n = 60;
    let at = |i: i32| (f64::from(i) + 0.5) / f64::from(n);
    let mut sum = 0.0;
    for (i, j, k) in (0..n).flat_map(|i| (0..n).flat_map(move |j| (0..n).map(move |k| (i, j, k)))) {
        let (go, stay) = (at(i) + at(j), at(k));
        let best = f64::max(go, 2.0 * stay);
        sum += (go - (stay + 0.5 * best)).abs();
    }
    let exact = sum / f64::from(n).powi(3);
    let allowed = 4.5 * effect.std_error.unwrap() + effect.bound + 1e-3;
    assert!(
        (effect.estimate - exact).abs() <= allowed,
        "{effect:?} {exact}"
    );
    assert!((effect.estimate - exact - 0.05).abs() > allowed);
}

#[test]
fn linked_goals_with_rewards_of_choices_are_those_of_the_reference() {
    for text in crate::interventions::LINKED {
        let run = |backend| linked(crate::linked_interventions::world(2), text, backend, 0.9);
        let (Ok(cpu), Ok(judge)) = (run(BackendChoice::Cpu), run(BackendChoice::Reference)) else {
            assert!(
                text.contains("indifference") || text.contains("uncertainty"),
                "{text}"
            );
            continue;
        };
        for cell in [&cpu.cells[0], &judge.cells[0]] {
            assert_eq!(cell.unconverged, 0, "{text}");
        }
        let rows = |found: &Statistics| found.cells[0].table("readings").unwrap().rows.clone();
        let pairs = rows(&cpu).into_iter().zip(rows(&judge));
        for (a, b) in pairs {
            let [a, b] = [a, b].map(|row| *row.measures[0].estimate().unwrap());
            // Other goals, more of them: within what both are likely to be off by.
            let error = |e: &Estimate| e.std_error.unwrap_or(0.0);
            let allowed = 4.5 * error(&a).hypot(error(&b)) + a.bound + b.bound + 1e-12;
            assert!(
                (a.estimate - b.estimate).abs() <= allowed,
                "{text}: {a:?} {b:?}"
            );
        }
    }
}

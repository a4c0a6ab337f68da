//! Goals for which a whole policy is optimal, walked to: against rejection, against what is known exactly, and the same for any split.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunError, RunSpec};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Features, Law, Marginal, Matrix, RewardDistribution};
use powersweep::rng::Stream;
use powersweep::solve::Backend;
use powersweep::solve::{Goals, ReferenceBackend};
use powersweep::statistics::{ConditionMethod, ConditionRequest, Measure, OptimalRequest, Request};
use powersweep::units::{Discount, Limit, SampleIndex};

const GAMMA: f64 = 0.75;

/// Deviations that two means may be apart: one pair in 150,000 is further.
const SIGMAS: f64 = 4.5;

fn policy(choices: &[(&str, &str)], method: ConditionMethod) -> ConditionRequest {
    let choice = |(state, action): &(&str, &str)| OptimalRequest::Choice {
        state: (*state).to_owned(),
        action: (*action).to_owned(),
    };
    ConditionRequest {
        optimal: choices.iter().map(choice).collect(),
        method,
        ..ConditionRequest::default()
    }
}

/// Two rooms with a way to and fro that slips, and an end in each.
fn rooms() -> Mdp {
    let mut b = MdpBuilder::new("rooms");
    let [s, a, c, x, y] = ["s", "a", "c", "x", "y"].map(|n| b.state(n));
    b.choice(s, "left", [(a, 0.75), (c, 0.25)]);
    b.choice(s, "right", [(c, 0.75), (a, 0.25)]);
    b.choice(a, "stay", [(a, 1.0)]);
    b.choice(a, "back", [(s, 1.0)]);
    b.choice(a, "end", [(x, 0.5), (a, 0.5)]);
    b.choice(c, "back", [(s, 1.0)]);
    b.choice(c, "end", [(y, 1.0)]);
    b.absorbing(x);
    b.absorbing(y);
    b.start(s);
    b.build().unwrap()
}

const IN_ROOMS: [(&str, &str); 3] = [("s", "left"), ("a", "back"), ("c", "end")];

fn spec(engine: &Engine, mdp: Mdp, law: RewardDistribution, samples: u64) -> RunSpec {
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        rewards: vec![Arc::new(law)],
        samples,
        seed: Seed(5),
        threads: 1,
        statistics: Request {
            optimality: vec!["s".to_owned()],
            ..Request::default()
        },
        ..RunSpec::default()
    };
    spec.discount(GAMMA).unwrap()
}

fn run(spec: &RunSpec, condition: Option<ConditionRequest>) -> CellStatistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        condition,
        ..spec.clone()
    };
    let mut found = engine.run(&spec).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found.cells.remove(0)
}

/// By how many standard errors POWER of some state is apart at most.
fn apart(a: &CellStatistics, b: &CellStatistics) -> f64 {
    let each = a.power.iter().zip(&b.power).map(|(a, b)| {
        let error = a.std_error.unwrap().hypot(b.std_error.unwrap());
        (a.estimate - b.estimate).abs() / error
    });
    each.fold(0.0, f64::max)
}

#[test]
fn walks_find_what_rejection_finds_under_every_law_with_a_density() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let laws = [
        ("uniform", Marginal::uniform(-1.0, 2.0).unwrap()),
        ("normal", Marginal::normal(0.5, 2.0).unwrap()),
        ("exponential", Marginal::exponential(1.0).unwrap()),
        ("beta", Marginal::beta(2.0, 3.0).unwrap()),
        (
            "piecewise",
            Marginal::piecewise_linear(&[0.0, 1.0, 3.0], &[0.0, 2.0, 1.0]).unwrap(),
        ),
    ];
    for (name, law) in laws {
        let spec = spec(&engine, rooms(), RewardDistribution::iid(name, law), 4_000);
        let walked = run(&spec, Some(policy(&IN_ROOMS, ConditionMethod::HitAndRun)));
        let many = RunSpec {
            samples: 150_000,
            ..spec.clone()
        };
        let rejected = run(&many, Some(policy(&IN_ROOMS, ConditionMethod::Rejection)));
        assert!(rejected.samples > 500, "{name}: {}", rejected.samples);
        let all = run(&spec, None);
        let off = apart(&walked, &rejected);
        assert!(off < SIGMAS, "{name}: {off}");
        assert!(apart(&all, &rejected) > 2.0 * SIGMAS, "{name}: the control");
        // The policy is optimal for every goal.
        let optimality = walked.table("optimality").unwrap();
        let weak = optimality.rows[0].measures[0].estimate().unwrap();
        assert_eq!((weak.estimate, weak.n), (1.0, 4_000), "{name}");
    }
}

#[test]
fn features_are_walked_through_where_rewards_are_made_of_them() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    // Five states, three features: a goal is three weights.
    let features = Matrix {
        rows: 3,
        columns: 5,
        names: None,
        values: vec![
            1.0, 0.5, 0.0, -1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.5, 0.0, 0.0, 1.0, 2.0, 0.5,
        ],
    };
    let law = Features::new(features, Marginal::normal(0.0, 1.0).unwrap());
    let law = RewardDistribution::new("features", Law::Features(law));
    let spec = spec(&engine, rooms(), law, 4_000);
    let walked = run(&spec, Some(policy(&IN_ROOMS, ConditionMethod::HitAndRun)));
    let many = RunSpec {
        samples: 150_000,
        ..spec.clone()
    };
    let rejected = run(&many, Some(policy(&IN_ROOMS, ConditionMethod::Rejection)));
    assert!(rejected.samples > 500, "{}", rejected.samples);
    let off = apart(&walked, &rejected);
    assert!(off < SIGMAS, "{off}");
    assert!(apart(&run(&spec, None), &rejected) > 2.0 * SIGMAS);
    let walks = &walked.table("walks").unwrap().rows[0].measures;
    assert_eq!(walks[0], Measure::Number(3.0), "one dimension a feature");
}

/// Ways to so many ends.
fn star(ends: usize) -> Mdp {
    let mut b = MdpBuilder::new("star");
    let s = b.state("s");
    for i in 0..ends {
        let end = b.state(format!("end {i}"));
        b.choice(s, format!("to {i}"), [(end, 1.0)]);
        b.absorbing(end);
    }
    b.start(s);
    b.build().unwrap()
}

#[test]
fn on_a_star_the_best_end_has_the_law_of_a_maximum() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let uniform = RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap());
    for k in [2, 5] {
        let spec = spec(&engine, star(k), uniform.clone(), 20_000);
        let found = run(
            &spec,
            Some(policy(&[("s", "to 1")], ConditionMethod::HitAndRun)),
        );
        let (k, n) = (k as f64, 20_000_f64);
        // The maximum of k is k/(k+1) on average, and any other k/(k+1)/2.
        let best = k / (k + 1.0);
        for (state, mean) in [(0, best), (2, best), (1, best / 2.0)] {
            let power = &found.power[state];
            let error = power.std_error.unwrap();
            assert!(
                (power.estimate - mean).abs() < SIGMAS * error,
                "{k} {state}: {power:?}"
            );
            assert!(
                (power.estimate - mean * 1.05).abs() > SIGMAS * error,
                "it can fail"
            );
        }
        // Its variance too: k / ((k + 1)^2 (k + 2)); the error of a variance is below twice itself over sqrt(n).
        let variance = found.power[0].std_error.unwrap().powi(2) * n;
        let exact = k / ((k + 1.0).powi(2) * (k + 2.0));
        assert!(
            (variance / exact - 1.0).abs() < SIGMAS * 2.0 / n.sqrt(),
            "{variance} {exact}"
        );
    }
}

#[test]
fn a_goal_is_the_same_whoever_draws_it() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let uniform = RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap());
    let condition = Some(policy(&IN_ROOMS, ConditionMethod::HitAndRun));
    let spec = RunSpec {
        condition,
        ..spec(&engine, rooms(), uniform, 5_000)
    };
    let goals = |spec: &RunSpec, indices: [u64; 3]| -> Vec<Vec<f32>> {
        let mdp = Arc::new(rooms());
        let discount = Discount::new(GAMMA).unwrap();
        let problem = spec.problem(&mdp, &spec.rewards[0], discount).unwrap();
        let law = &problem.program.stage().law;
        let draw = |i| law.draw(spec.seed, Stream::Reward, SampleIndex(i));
        indices.map(draw).into()
    };
    let again = RunSpec {
        walks: Arc::default(),
        ..spec.clone()
    };
    let (up, mut down) = (
        goals(&spec, [3, 1 << 40, 77]),
        goals(&again, [77, 1 << 40, 3]),
    );
    down.reverse();
    assert_eq!(up, down);
    assert!(up[0] != up[1] && up[1] != up[2]);
    let threads = |threads| {
        let spec = RunSpec {
            threads,
            walks: Arc::default(),
            ..spec.clone()
        };
        engine.run(&spec).unwrap().cells
    };
    assert_eq!(threads(1)[0].power, threads(3)[0].power);
    let other = RunSpec {
        seed: Seed(6),
        walks: Arc::default(),
        ..spec.clone()
    };
    assert_ne!(
        threads(1)[0].power,
        engine.run(&other).unwrap().cells[0].power
    );
}

#[test]
fn a_judge_without_blocks_finds_the_policy_optimal_for_every_goal() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let normal = RewardDistribution::iid("normal", Marginal::normal(0.0, 1.0).unwrap());
    let with = |condition| RunSpec {
        condition,
        ..spec(&engine, rooms(), normal.clone(), 100)
    };
    let discount = Discount::new(GAMMA).unwrap();
    let share = |spec: RunSpec| {
        let mdp = Arc::new(rooms());
        let problem = spec.problem(&mdp, &spec.rewards[0], discount).unwrap();
        let solver = ReferenceBackend::new().prepare(problem).unwrap();
        let indices: Vec<SampleIndex> = (0..100).map(SampleIndex).collect();
        let goals = Goals::Sampled {
            stream: Stream::Reward,
            indices: &indices,
        };
        let solved = solver.solve_goals(goals).unwrap();
        let is_optimal = |values: &[f64]| {
            IN_ROOMS.iter().all(|(state, action)| {
                let worth = |choice| -> f64 {
                    let (to, p) = mdp.row(choice);
                    to.iter().zip(p).map(|(&t, p)| p * values[t as usize]).sum()
                };
                let at = mdp.find_state(state).unwrap();
                let most = mdp.choices(at).map(worth).fold(f64::MIN, f64::max);
                let own = mdp
                    .choices(at)
                    .find(|c| mdp.action_name(*c) == *action)
                    .unwrap();
                // Rewards are rounded to single precision once.
                worth(own) >= most - 1e-5
            })
        };
        let met = solved
            .iter()
            .filter(|goal| is_optimal(&goal.values(discount)));
        met.count()
    };
    assert_eq!(
        share(with(Some(policy(&IN_ROOMS, ConditionMethod::HitAndRun)))),
        100
    );
    assert!(share(with(None)) < 40, "the control");
}

#[test]
fn what_cannot_be_walked_to_is_refused_before_anything_runs() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let uniform = || RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap());
    let refused = |spec: RunSpec, choices: &[(&str, &str)]| {
        let spec = RunSpec {
            condition: Some(policy(choices, ConditionMethod::HitAndRun)),
            ..spec
        };
        match engine.run(&spec).unwrap_err() {
            RunError::Condition(reasons) => reasons.join("; "),
            other => panic!("{other}"),
        }
    };
    let plain = spec(&engine, rooms(), uniform(), 100);
    let told = refused(plain.clone(), &IN_ROOMS[..2]);
    assert!(told.contains("says nothing of c"), "{told}");
    // To go back and forth for ever is as good as to stay where it is only where both pay the same.
    let mut b = MdpBuilder::new("pair");
    let [s, t] = ["s", "t"].map(|n| b.state(n));
    for (from, to) in [(s, t), (t, s)] {
        b.choice(from, "stay", [(from, 1.0)]);
        b.choice(from, "go", [(to, 1.0)]);
    }
    b.start(s);
    let pair = spec(&engine, b.build().unwrap(), uniform(), 100);
    let told = refused(pair.clone(), &[("s", "go"), ("t", "go")]);
    assert!(told.contains("but for ties"), "{told}");
    let told = refused(pair, &[("s", "stay"), ("s", "go"), ("t", "go")]);
    assert!(told.contains("which is a tie"), "{told}");
    let bernoulli = RewardDistribution::iid("coin", Marginal::bernoulli(0.5, 0.0, 1.0).unwrap());
    let told = refused(spec(&engine, rooms(), bernoulli, 100), &IN_ROOMS);
    assert!(told.contains("no density"), "{told}");
    let told = refused(plain.limit(Limit::One), &IN_ROOMS);
    assert!(told.contains("at the limit ->1"), "{told}");
}

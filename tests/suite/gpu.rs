//! The gpu backend: the parity suite, statistics and exact cases, on whatever adapter there is, software included.
//!
//! Without an adapter the tests pass without a word of their own, unless POWERSWEEP_REQUIRE_GPU is set: then they fail. With one,
//! every test says on which it ran, and how many did so far.
#![cfg(feature = "gpu")]

use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use powersweep::experiment::checkpoint::Shard;
use powersweep::experiment::{Engine, Ledger, RunError, RunSpec, Statistics, Unobserved};
use powersweep::mdp::Mdp;
use powersweep::mdp::families::{Dense, Family, Garnet, RandomDeterministic, Star};
use powersweep::plan::{Method, Schedule};
use powersweep::reward::{
    EquicorrelatedNormal, Features, Gaussian, GaussianProcess, Kernel, Law, Marginal, Matrix,
    Mixture, RewardDistribution, RewardDomain, Uniform,
};
use powersweep::rng::Stream;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::gpu::{AdapterChoice, GpuBackend};
use powersweep::solve::{
    Backend, CellProblem, GoalProgram, Goals, ReferenceBackend, SolveError, SolvedGoal,
    WithFallback,
};
use powersweep::statistics::{BlockSums, Blocks};
use powersweep::{Discount, SampleIndex};

use crate::behaviour::{
    events_are_those_of_the_judge, optimal_choices_are_those_of_all_policies,
    ties_of_coins_are_found, visits_are_those_of_the_judge,
};
use crate::cases::all_cases_pass_on;
use crate::choice_rewards::{self, graph};
use crate::parity::{agrees, backend_agrees_at, datasets, problem, solve};

/// Sizes around the widths of vectors, tiles and words.
const SIZES: [u64; 9] = [1, 2, 31, 32, 33, 63, 64, 65, 257];

/// Opens the adapter once, and says which test runs on it. Written past the test harness, which keeps quiet about tests that
/// pass.
pub(crate) fn backend(test: &str) -> Option<GpuBackend> {
    static BACKEND: OnceLock<Option<GpuBackend>> = OnceLock::new();
    static TESTS: AtomicU32 = AtomicU32::new(0);
    let opened = BACKEND.get_or_init(|| match GpuBackend::open(&AdapterChoice::Any) {
        Ok(backend) => Some(backend),
        Err(error) if std::env::var_os("POWERSWEEP_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(_) => None,
    });
    let line = match opened {
        Some(backend) => {
            let number = TESTS.fetch_add(1, Ordering::Relaxed) + 1;
            format!("GPU test {number} on {}: {test}\n", backend.adapter())
        }
        None => format!("GPU test SKIPPED, there is no adapter: {test}\n"),
    };
    let _ = std::io::stderr().write_all(line.as_bytes());
    opened.clone()
}

#[test]
fn gpu_finds_the_optimal_choices_of_every_goal() {
    let Some(backend) = backend("optimal choices") else {
        return;
    };
    // Single precision does not certify the tolerance at 0.99.
    optimal_choices_are_those_of_all_policies(&backend, &[0.3, 0.9]);
}

#[test]
fn gpu_finds_the_ties_of_coins() {
    let Some(backend) = backend("ties of coins") else {
        return;
    };
    ties_of_coins_are_found(&backend);
}

#[test]
fn gpu_finds_the_events_of_every_goal() {
    let Some(backend) = backend("events") else {
        return;
    };
    events_are_those_of_the_judge(&backend, &[0.9]);
}

#[test]
fn gpu_finds_the_visits_of_every_goal() {
    let Some(backend) = backend("visits") else {
        return;
    };
    visits_are_those_of_the_judge(&backend);
}

#[test]
fn gpu_agrees_on_random_mdps_of_every_size() {
    let Some(backend) = backend("random MDPs of every size") else {
        return;
    };
    for states in SIZES {
        for choices in [1, 2, 5] {
            let branching = states.min(4);
            let sparse = Family::Garnet(Garnet {
                states,
                choices,
                branching,
            });
            let certain = Family::RandomDeterministic(RandomDeterministic { states, choices });
            for family in [sparse, certain] {
                let mdp = family.generate(states).unwrap();
                let mdp = Arc::new(mdp.renamed(format!("{}-{states}-{choices}", family.name())));
                // Jacobi sweeps go round in circles with the rounding of certain moves: no pilot chooses them there.
                let harder = if mdp.is_deterministic() { 1e-4 } else { 1e-5 };
                let discounts = [(0.9, 1e-5), (0.99, harder)];
                let slow = states == 65 || (states < 32 && choices == 2);
                let discounts = if slow {
                    &discounts[..]
                } else {
                    &discounts[..1]
                };
                backend_agrees_at(&backend, &mdp, Uniform::unit(), discounts);
            }
        }
    }
}

/// A cell on so many states that direct solves are too long, and goals of it solved by sweeps in double precision, to 1e-12.
fn judged_by_sweeps(family: &Family, method: Method) -> (CellProblem, Vec<SolvedGoal>) {
    let mdp = Arc::new(family.generate(1).unwrap());
    let mut problem = problem(&mdp, Uniform::unit(), 0.9, 1e-5);
    let schedule = Schedule {
        method,
        ..Schedule::default()
    };
    problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
    let sharp = CellProblem {
        tolerance: 1e-12,
        max_sweeps: 1_000,
        ..problem.clone()
    };
    let judged = solve(&*CpuBackend::new().prepare(sharp).unwrap(), &FAR_APART);
    (problem, judged)
}

/// Goals of two tiles.
const FAR_APART: [SampleIndex; 2] = [SampleIndex((1 << 33) + 5), SampleIndex((1 << 34) + 63)];

#[test]
fn gpu_agrees_on_random_mdps_of_thousands_of_states() {
    let Some(backend) = backend("random MDPs of thousands of states") else {
        return;
    };
    for (states, choices) in [(1_025, 1), (1_025, 5), (2_048, 2), (5_000, 2)] {
        let branching = 4;
        let sparse = Family::Garnet(Garnet {
            states,
            choices,
            branching,
        });
        let certain = Family::RandomDeterministic(RandomDeterministic { states, choices });
        for (family, method) in [
            (&sparse, Method::InPlace),
            (&sparse, Method::OverRelaxed),
            (&certain, Method::InPlace),
        ] {
            let (problem, judged) = judged_by_sweeps(family, method);
            let side_by_side = 16 * states <= u64::from(backend.adapter().workgroup_bytes);
            let how = backend.carries_out(&problem.plan).unwrap();
            assert_eq!(how.contains("side by side"), side_by_side, "{how}");
            let solved = solve(&*backend.prepare(problem.clone()).unwrap(), &FAR_APART);
            let place = format!("{} of {states} states", family.name());
            agrees(&problem, solved, &judged, &place);
        }
    }
}

#[test]
fn gpu_agrees_where_choices_have_rewards() {
    let Some(backend) = backend("rewards of choices") else {
        return;
    };
    // Within 1e-5 of the law's range, which is 3; twice that where discounts leave more to rounding.
    for at in [(0.1, 3e-5), (0.9, 3e-5), (0.95, 6e-5)] {
        assert!(choice_rewards::worst(&backend, &graph(), at, 0) <= 1.0);
    }
    let wrong = choice_rewards::worst(&backend, &graph(), (0.9, 3e-5), 1);
    assert!(wrong > 10.0, "the control");
    choice_rewards::agrees_on_stochastic_mdps(&backend, 6e-5);
    // Sums, and goals from outside.
    let garnet = Family::Garnet(Garnet {
        states: 20,
        choices: 3,
        branching: 3,
    });
    let mdp = Arc::new(garnet.generate(3).unwrap());
    let problem = choice_rewards::problem(&mdp, RewardDomain::Choice, 0.9, 3e-5);
    sums_agree(&backend, &problem, "rewards of choices");
    let given: Vec<Vec<f64>> = (0..3)
        .map(|goal| (0..60).map(|c| f64::from((c * 7 + goal) % 11)).collect())
        .collect();
    let tolerant = CellProblem {
        tolerance: 1e-4,
        ..problem
    };
    let solve = |backend: &dyn Backend| {
        let solver = backend.prepare(tolerant.clone()).unwrap();
        solver.solve_goals(Goals::Given(&given)).unwrap()
    };
    let (here, there) = (solve(&backend), solve(&ReferenceBackend::new()));
    for (a, b) in here.iter().zip(&there) {
        assert!(a.converged && a.domain == RewardDomain::Choice);
        let far = |a: &SolvedGoal, b: &SolvedGoal| {
            let pairs = a.integrand.iter().zip(&b.integrand);
            pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
        };
        assert!(far(a, b) <= a.half_width + b.half_width);
        let other = &there[usize::from(a.rewards == there[0].rewards)];
        assert!(far(a, other) > a.half_width + other.half_width);
    }
}

#[test]
fn gpu_agrees_whatever_laws_draw_the_rewards() {
    let Some(backend) = backend("many laws") else {
        return;
    };
    let garnet = Family::Garnet(Garnet {
        states: 20,
        choices: 3,
        branching: 3,
    });
    let mdp = Arc::new(garnet.generate(3).unwrap());
    let laws = [
        Marginal::beta(2.0, 5.0),
        Marginal::bernoulli(0.25, -1.0, 1.0),
        Marginal::discrete(&[-2.0, 0.5, 7.0], &[1.0, 3.0, 2.0]),
        Marginal::piecewise_linear(&[-1.0, 0.0, 0.5, 2.0], &[0.0, 1.0, 0.0, 3.0]),
        Marginal::mean_of_uniforms(3),
        Marginal::uniform(-1.0, 0.5),
    ];
    for law in laws.map(Result::unwrap) {
        // A terminal state with a reward of its own beside the law's.
        let law = RewardDistribution::iid("law", law).with_fixed("s3", 0.25);
        let law = law.bind(&mdp).unwrap().law;
        let scale = law.facts().scale;
        let problem = CellProblem {
            program: GoalProgram::optimal(mdp.clone(), law),
            tolerance: 1e-5 * scale,
            ..problem(&mdp, Uniform::unit(), 0.9, 1e-5)
        };
        sums_agree(&backend, &problem, "a law");
    }
}

/// Laws whose rewards are weighted sums of draws, one of them with rewards that are replaced.
fn sums_of_draws(mdp: &Mdp) -> Vec<RewardDistribution> {
    let normal = Marginal::normal(0.0, 1.0).unwrap();
    let phi: Vec<Vec<f64>> = (0..10u32)
        .map(|i| (0..16).map(|j| f64::from(i * 17 + j).sin()).collect())
        .collect();
    let names: Vec<&str> = mdp.states().map(|s| mdp.state_name(s)).collect();
    let matrix = |rows: &[Vec<f64>]| Matrix::from_rows(rows).named(names.iter().copied());
    let covariance: Vec<Vec<f64>> = (0..16i32)
        .map(|i| (0..16).map(|j| 0.7f64.powi((i - j).abs())).collect())
        .collect();
    let process = || GaussianProcess::new(Kernel::Matern32, 2.0);
    let few = Marginal::uniform(-1.0, 1.0).unwrap();
    let mixture = Mixture::new(vec![
        (
            1.0,
            Law::Features(Features::of_labels(["hole"], few.clone())),
        ),
        (1.0, Law::GaussianProcess(process())),
        (1.0, Law::Independent(few)),
    ]);
    let laws = [
        Law::Features(Features::new(matrix(&phi[..2]), normal.clone())),
        Law::Features(Features::new(matrix(&phi), normal)),
        Law::EquicorrelatedNormal(EquicorrelatedNormal::new(1.0, 2.0, 0.4)),
        Law::Gaussian(Gaussian::new(matrix(&covariance))),
        Law::GaussianProcess(process()),
        Law::Mixture(mixture),
    ];
    let mut laws: Vec<_> = laws.map(|law| RewardDistribution::new("sums", law)).into();
    let replaced = RewardDistribution::new("replaced", Law::GaussianProcess(process()));
    laws.push(
        replaced
            .with_fixed(names[3], 1.0)
            .with_law(names[1], Marginal::exponential(1.0).unwrap()),
    );
    laws
}

#[test]
fn gpu_agrees_where_rewards_are_sums_of_draws() {
    let Some(backend) = backend("sums of draws") else {
        return;
    };
    let all = datasets();
    let mdp = all
        .iter()
        .find(|mdp| mdp.name() == "frozenlake-4x4")
        .unwrap();
    for law in sums_of_draws(mdp) {
        let law = law.bind(mdp).unwrap().law;
        let tolerance = 2e-5 * law.facts().scale;
        let problem = CellProblem {
            program: GoalProgram::optimal(mdp.clone(), law),
            tolerance,
            ..problem(mdp, Uniform::unit(), 0.9, 1e-5)
        };
        sums_agree(&backend, &problem, "sums of draws");
        let numbers = [0, 5, 63, 200, (1 << 33) + 5].map(SampleIndex);
        let solved =
            |backend: &dyn Backend| solve(&*backend.prepare(problem.clone()).unwrap(), &numbers);
        let judged = solved(&ReferenceBackend::new());
        agrees(&problem, solved(&backend), &judged, "sums of draws");
    }
}

#[test]
fn gpu_agrees_on_dense_mdps() {
    let Some(backend) = backend("dense MDPs") else {
        return;
    };
    // Rows of 257: sums so long that adding them up term by term would leave more to rounding than the tolerance.
    for states in SIZES {
        for choices in [1, 2, 5] {
            let mdp = Family::Dense(Dense { states, choices }).generate(states);
            let mdp = Arc::new(mdp.unwrap());
            let discounts = [(0.5, 1e-5), (0.95, 1e-5)];
            let discounts = if choices == 2 {
                &discounts[..]
            } else {
                &discounts[1..]
            };
            backend_agrees_at(&backend, &mdp, Uniform::unit(), discounts);
        }
    }
}

#[test]
fn gpu_agrees_on_a_dense_mdp_of_a_thousand_states() {
    let Some(backend) = backend("dense MDPs of 1,025 states") else {
        return;
    };
    for choices in [1, 2, 5] {
        let family = Family::Dense(Dense {
            states: 1_025,
            choices,
        });
        let (problem, judged) = judged_by_sweeps(&family, Method::Jacobi);
        let solved = solve(&*backend.prepare(problem.clone()).unwrap(), &FAR_APART);
        agrees(&problem, solved, &judged, "1,025 states");
    }
}

#[test]
fn gpu_agrees_whatever_the_interval_of_the_law() {
    let Some(backend) = backend("other intervals") else {
        return;
    };
    let garnet = Garnet {
        states: 40,
        choices: 3,
        branching: 4,
    };
    let mdp = Arc::new(Family::Garnet(garnet).generate(1).unwrap());
    for (low, high) in [
        (-1.0, 1.0),
        (-7.5, -3.25),
        (1e6, 3e6),
        (0.0, 1e-6),
        (1.0, 1.01),
    ] {
        backend_agrees_at(
            &backend,
            &mdp,
            Uniform::new(low, high).unwrap(),
            &[(0.9, 1e-5)],
        );
    }
}

#[test]
fn gpu_agrees_on_goals_from_outside() {
    let Some(backend) = backend("goals from outside") else {
        return;
    };
    let garnet = Garnet {
        states: 33,
        choices: 3,
        branching: 4,
    };
    let mdp = Arc::new(Family::Garnet(garnet).generate(1).unwrap());
    let problem = problem(&mdp, Uniform::unit(), 0.9, 1e-5);
    let wave = |scale: f64, offset: f64| {
        (0..33)
            .map(|s| offset + scale * f64::from(s).sin())
            .collect::<Vec<_>>()
    };
    let given = [wave(1.0, 0.0), wave(0.01, -3.0), vec![0.25; 33]];
    let solved_by = |backend: &dyn Backend| {
        let solver = backend.prepare(problem.clone()).unwrap();
        solver.solve_goals(Goals::Given(&given)).unwrap()
    };
    agrees(
        &problem,
        solved_by(&backend),
        &solved_by(&ReferenceBackend::new()),
        "given goals",
    );
    let solver = backend.prepare(problem.clone()).unwrap();
    let short = solver.solve_goals(Goals::Given(&[vec![0.0; 3]]));
    assert!(
        matches!(short, Err(SolveError::BadGoal { goal: 0, .. })),
        "{short:?}"
    );
}

/// The first state in which two backends' sums over the same goals differ by more than their goals' half-widths allow.
///
/// What a backend loses in adding integrands up is in its half-widths. Squares: with x within `range` of the shift, x^2 - y^2 is at
/// most 2 range |x - y|. The device converts and multiplies (3 units in the last place, 2^-23 each) and rounds to 2^-27 of
/// the binade squared, which is at most 4 range^2; the processor squares and adds four lanes in single precision (8 times 2^-24 at
/// most).
fn difference(a: &BlockSums, b: &BlockSums, range: f64) -> Option<String> {
    let goals = a.finished as f64;
    let ulp = 2f64.powi(-23);
    let allowed = a.bound + b.bound + 1e-13 * goals * range;
    let squares =
        range * range * goals * (3.0 * ulp + 4.0 * ulp / 16.0 + 4.0 * ulp) + 2.0 * range * allowed;
    (0..a.power.len()).find_map(|s| {
        let (x, y) = (a.power[s], b.power[s]);
        let (u, v) = (a.power_squared[s], b.power_squared[s]);
        let close = (x - y).abs() <= allowed && (u - v).abs() <= squares;
        (!close)
            .then(|| format!("state {s}: {x} and {y}, allowed {allowed:e}; squares {u} and {v}"))
    })
}

/// Sums over the goals of one block, the last tile of it not full.
fn sums_agree(backend: &GpuBackend, problem: &CellProblem, place: &str) {
    let blocks = Blocks::new(456, 256);
    let facts = problem.program.stage().law.facts();
    let range = facts.high - facts.low;
    let gpu = backend.prepare(problem.clone()).unwrap();
    let cpu = CpuBackend::new().prepare(problem.clone()).unwrap();
    let on_gpu = gpu.solve_block(blocks.get(1), true).unwrap();
    let on_cpu = cpu.solve_block(blocks.get(1), true).unwrap();
    for sums in [&on_gpu, &on_cpu] {
        assert_eq!((sums.finished, sums.unconverged), (200, 0), "{place}");
        assert!(
            sums.bound <= 200.0 * problem.tolerance && sums.sweeps >= 200,
            "{place}"
        );
        assert!(
            sums.bound_max <= problem.tolerance && 200.0 * sums.bound_max >= sums.bound,
            "{place}"
        );
    }
    assert_eq!(difference(&on_gpu, &on_cpu, range), None, "{place}");
    // The control: the goals matter. Two states or fewer may have goals that do not.
    let others = cpu.solve_block(Blocks::new(200, 200).get(0), true).unwrap();
    assert!(difference(&on_gpu, &others, range).is_some(), "{place}");
}

#[test]
fn sums_are_those_of_the_cpu_backend_on_every_small_dataset() {
    let Some(backend) = backend("sums on every small dataset") else {
        return;
    };
    let all: Vec<Arc<Mdp>> = datasets()
        .into_iter()
        .filter(|mdp| mdp.n_states() <= 150)
        .collect();
    assert!(all.len() >= 10, "only {} datasets", all.len());
    for mdp in all {
        let problem = problem(&mdp, Uniform::unit(), 0.9, 1e-5);
        sums_agree(&backend, &problem, mdp.name());
    }
    let garnet = Family::Garnet(Garnet {
        states: 20,
        choices: 2,
        branching: 3,
    });
    let mdp = Arc::new(garnet.generate(3).unwrap());
    let problem = problem(&mdp, Uniform::new(-40.0, -37.0).unwrap(), 0.9, 1e-5);
    sums_agree(&backend, &problem, "another law");
}

#[test]
fn a_goal_comes_out_as_it_went_into_its_block() {
    let Some(backend) = backend("goals and their block") else {
        return;
    };
    let garnet = Family::Garnet(Garnet {
        states: 20,
        choices: 2,
        branching: 3,
    });
    let mdp = Arc::new(garnet.generate(3).unwrap());
    let problem = problem(&mdp, Uniform::unit(), 0.9, 1e-5);
    let solver = backend.prepare(problem.clone()).unwrap();
    let sums = solver
        .solve_block(Blocks::new(100, 128).get(0), false)
        .unwrap();
    let indices: Vec<_> = (0..100).map(SampleIndex).collect();
    let solved = solve(&*solver, &indices);
    let shift = problem.power_scale().shift;
    // Both add the same integers times a power of two: f64 holds every partial sum exactly.
    for s in 0..20 {
        let sum: f64 = solved.iter().map(|goal| goal.integrand[s] - shift).sum();
        assert_eq!(sum, sums.power[s], "state {s}");
    }
    assert_eq!(
        solved.iter().map(|goal| goal.half_width).sum::<f64>(),
        sums.bound
    );
    assert_eq!(
        solved
            .iter()
            .map(|goal| u64::from(goal.sweeps))
            .sum::<u64>(),
        sums.sweeps
    );
    let largest = solved
        .iter()
        .map(|goal| goal.half_width)
        .fold(0.0, f64::max);
    assert_eq!(largest, sums.bound_max);
    let elsewhere = Goals::Sampled {
        stream: Stream::SecondGoal,
        indices: &indices,
    };
    assert_ne!(
        solver.solve_goals(elsewhere).unwrap(),
        solved,
        "the stream matters"
    );
}

#[test]
fn the_gpu_backend_passes_every_exact_case() {
    let Some(backend) = backend("exact cases") else {
        return;
    };
    // Goals with rewards far out in the tail of a law without ends are beyond single precision at a tolerance of 1e-5 standard
    // deviations, and the host finishes them.
    all_cases_pass_on(backend, 20_000, 0.0);
}

#[test]
fn goals_in_the_tails_are_finished_in_double_precision() {
    let Some(backend) = backend("goals in the tails") else {
        return;
    };
    // Eleven normal rewards: about one goal in fifty has one so far out that its values are too long for single precision.
    let star = Star { leaves: 10 };
    let mdp = Arc::new(Family::Star(star).generate(0).unwrap());
    let law = RewardDistribution::iid("normal", Marginal::normal(0.0, 1.0).unwrap());
    let law = law.bind(&mdp).unwrap().law;
    let problem = CellProblem {
        program: GoalProgram::optimal(mdp.clone(), law),
        ..problem(&mdp, Uniform::unit(), 0.9, 1e-5)
    };
    sums_agree(&backend, &problem, "tails");
    let solver = backend.prepare(problem.clone()).unwrap();
    let indices: Vec<_> = (0..2_048).map(SampleIndex).collect();
    let solved = solve(&*solver, &indices);
    // f64 finishes far beyond the tolerance, single precision never.
    let finished = solved.iter().filter(|goal| goal.half_width < 1e-10);
    let finished: Vec<SolvedGoal> = finished.cloned().collect();
    assert!((5..200).contains(&finished.len()), "{}", finished.len());
    assert!(solved.iter().all(|goal| goal.converged));
    let judged = solve(
        &*ReferenceBackend::new().prepare(problem.clone()).unwrap(),
        &indices,
    );
    agrees(&problem, solved.clone(), &judged, "tails");
    // A goal comes out as it went into its block.
    let sums = solver
        .solve_block(Blocks::new(2_048, 2_048).get(0), true)
        .unwrap();
    assert_eq!((sums.finished, sums.unconverged), (2_048, 0));
    let shift = problem.power_scale().shift;
    let sum: f64 = solved.iter().map(|goal| goal.integrand[0] - shift).sum();
    // 2,048 additions of numbers below 10, in another order.
    assert!((sum - sums.power[0]).abs() <= 2_048.0 * 2_048.0 * 10.0 * f64::EPSILON);
    let bound: f64 = solved.iter().map(|goal| goal.half_width).sum();
    assert!((bound - sums.bound).abs() <= 1e-12 && sums.bound_max <= problem.tolerance);
}

#[test]
fn a_run_beyond_single_precision_is_refused_before_it_starts() {
    let Some(backend) = backend("a refusal") else {
        return;
    };
    let engine = Engine::with_backend(Arc::new(backend));
    let mdp = Family::Garnet(Garnet {
        states: 20,
        choices: 2,
        branching: 3,
    })
    .generate(3)
    .unwrap();
    let handle = engine.upload(mdp);
    let spec = |tolerance| RunSpec {
        environments: vec![handle.clone()],
        discounts: vec![Discount::new(0.9).unwrap()],
        tolerance,
        samples: 100,
        ..RunSpec::default()
    };
    let refused = engine.run(&spec(1e-8)).unwrap_err();
    assert!(
        matches!(
            refused,
            RunError::Refused(ref cells) if matches!(cells[0].error, SolveError::OutOfReach { .. })
        ),
        "{refused}"
    );
    assert!(engine.run(&spec(1e-5)).unwrap().is_complete());
}

#[test]
fn a_finished_run_is_looked_at_on_its_own_adapter_and_no_driver_complains_of_a_display() {
    let Some(backend) = backend("the adapter of a run") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let text = "schema = 1\n[mdp]\nfamily = \"chain\"\nstates = 5\n[solve]\ndiscount = 0.5\n[sample]\ncount = 500\n";
    std::fs::write(home.path().join("experiment.toml"), text).unwrap();
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
        command.env_remove("XDG_RUNTIME_DIR").args(words);
        let output = command.current_dir(home.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("XDG_RUNTIME_DIR"), "{said}");
        (output.status.code(), said)
    };
    let name = backend.adapter().name.clone();
    let words = "run experiment.toml --backend gpu --out out --adapter";
    let words: Vec<&str> = words.split(' ').chain([name.as_str()]).collect();
    assert_eq!(run(&words).0, Some(0));
    let manifest = std::fs::read(home.path().join("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["backend"]["adapter"], *name);
    for words in ["replay out --goal 1", "rerun out"] {
        let words: Vec<&str> = words.split(' ').collect();
        let (code, said) = run(&words);
        assert_eq!(code, Some(0), "{said}");
        // Who asks for another one gets that, and no other.
        let (code, said) = run(&[&words[..], &["--adapter", "no such adapter"]].concat());
        assert_eq!(code, Some(3), "{said}");
    }
}

#[test]
fn auto_leaves_what_the_gpu_refuses_to_the_cpu_and_says_so() {
    let Some(backend) = backend("cells that are refused") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let experiment = home.path().join("experiment.toml");
    let text = "schema = 1\n[mdp]\nfamily = \"chain\"\nstates = 5\n[solve]\ndiscount = [0.5, 0.999]\n[sample]\ncount = 500\n";
    std::fs::write(&experiment, text).unwrap();
    let run = |words: &[&str]| {
        let adapter = backend.adapter().index.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
        command.args(words).args(["--adapter", &adapter]);
        let output = command.current_dir(home.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said.replace("\n  │ ", " "))
    };
    let (code, said) = run(&[
        "run",
        "experiment.toml",
        "--out",
        "out",
        "--backend",
        "auto",
    ]);
    assert_eq!(code, Some(0), "{said}");
    let note = "discount 0.999: solved on cpu";
    assert!(
        said.contains(note) && !said.contains("discount 0.5: solved"),
        "{said}"
    );
    let manifest = std::fs::read(home.path().join("out/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["backend"]["name"], "gpu");
    let [here, there] = [0, 1].map(|i| &manifest["cells"][i]);
    assert!(here["solver"].is_null() && here["refusal"].is_null());
    assert!(there["solver"].as_str().unwrap().starts_with("cpu"));
    let why = there["refusal"].as_str().unwrap();
    assert!(
        why.contains("cannot certify a half-width of 1.0e-5"),
        "{why}"
    );
    // Whoever looks at a goal of it is told, too; and so does a rerun.
    let goal = ["replay", "out", "--goal", "3", "--discount", "0.999"];
    let (code, said) = run(&[&goal[..], &["--backend", "auto"]].concat());
    assert!(code == Some(0) && said.contains("solved on cpu"), "{said}");
    let (code, said) = run(&["rerun", "out"]);
    assert_eq!(code, Some(0), "{said}");
    // Who asks for the gpu backend is told what it cannot do, where, and what to do, and nothing is written.
    let (code, said) = run(&[
        "run",
        "experiment.toml",
        "--out",
        "strict",
        "--backend",
        "gpu",
    ]);
    assert_eq!(code, Some(2), "{said}");
    for part in ["reward uniform", "discount 0.999", "--backend cpu"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!home.path().join("strict/results.json").exists());
}

#[test]
fn merged_shards_are_the_files_of_one_run_and_say_what_solved_them() {
    let Some(backend) = backend("merged shards") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    // The second cell is beyond single precision: another backend solves it. Three blocks.
    let text = "schema = 1\n[mdp]\nfamily = \"chain\"\nstates = 5\n[solve]\ndiscount = [0.5, 0.999]\n[sample]\ncount = 40_000\n[statistics]\noptimality = [\"s0\"]\n";
    std::fs::write(home.path().join("experiment.toml"), text).unwrap();
    let adapter = backend.adapter().index.to_string();
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_powersweep"));
        let output = command.args(words).current_dir(home.path()).output();
        assert!(output.as_ref().unwrap().status.success(), "{output:?}");
    };
    let solve = |out: &str, more: &[&str]| {
        let words = ["run", "experiment.toml", "--backend", "auto", "--adapter"];
        run(&[&words[..], &[&adapter, "--quiet", "--out", out], more].concat());
    };
    let file = |out: &str, name: &str| std::fs::read(home.path().join(out).join(name)).unwrap();
    let cells = |out: &str| -> Vec<serde_json::Value> {
        let manifest: serde_json::Value =
            serde_json::from_slice(&file(out, "manifest.json")).unwrap();
        let cells = manifest["cells"].as_array().unwrap().iter();
        cells
            .map(|cell| serde_json::json!([cell["solver"], cell["refusal"], cell["plan_hash"]]))
            .collect()
    };
    solve("whole", &[]);
    assert!(cells("whole")[0][0].is_null() && cells("whole")[1][0].is_string());
    for of in [1, 2, 7] {
        let mut shards: Vec<String> = (1..=of).map(|k| format!("{k}-of-{of}")).collect();
        for (number, out) in (1..).zip(&shards) {
            solve(out, &["--shard", &format!("{number}/{of}")]);
        }
        shards.rotate_left(of / 2);
        let merged = format!("merged-{of}");
        let shards = shards.iter().map(String::as_str);
        let words: Vec<&str> = ["merge", &merged].into_iter().chain(shards).collect();
        run(&words);
        for name in [
            "results.json",
            "power.parquet",
            "optimality.parquet",
            "results.txt",
        ] {
            assert!(
                file(&merged, name) == file("whole", name),
                "{of} shards: {name}"
            );
        }
        assert_eq!(cells(&merged), cells("whole"));
    }
    // The control: other goals are other bytes.
    solve("other", &["--seed", "1"]);
    assert!(file("other", "results.json") != file("whole", "results.json"));
}

#[test]
fn auto_leaves_large_mdps_to_the_cpu() {
    let Some(backend) = backend("large MDPs under auto") else {
        return;
    };
    let both = WithFallback::new(Arc::new(backend.clone()), Arc::new(CpuBackend::new()));
    let refused = |states, method| {
        let family = Family::RandomDeterministic(RandomDeterministic { states, choices: 2 });
        let mdp = Arc::new(family.generate(states).unwrap());
        let schedule = Schedule {
            method,
            ..Schedule::default()
        };
        let mut problem = problem(&mdp, Uniform::unit(), 0.5, 1e-4);
        problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
        assert!(backend.prepare(problem.clone()).is_ok(), "who asks gets it");
        let solver = both.prepare(problem).unwrap();
        solver.refusal().map(ToString::to_string)
    };
    assert_eq!(refused(40, Method::InPlace), None);
    assert_eq!(refused(4_097, Method::Jacobi), None);
    for method in [Method::InPlace, Method::OverRelaxed] {
        let why = refused(4_097, method).unwrap();
        assert!(why.contains("4097 states"), "{why}");
    }
}

/// A run of two environments that has many blocks, the last ones cut short.
fn split_spec(engine: &Engine, threads: usize) -> RunSpec {
    let upload = |states| {
        let family = Family::RandomDeterministic(RandomDeterministic { states, choices: 2 });
        let mdp = family.generate(states).unwrap();
        engine.upload(mdp.renamed(format!("{states} states")))
    };
    let spec = RunSpec {
        samples: 5 * 16_384 + 100,
        threads,
        environments: vec![upload(2), upload(5)],
        ..RunSpec::default()
    };
    spec.discount(0.9).unwrap()
}

#[test]
fn threads_and_shards_change_no_byte_on_the_gpu() {
    let Some(backend) = backend("threads and shards") else {
        return;
    };
    let engine = Engine::with_backend(Arc::new(backend));
    let text = |statistics: &Statistics| statistics.to_json();
    let whole = engine.run(&split_spec(&engine, 1)).unwrap();
    assert!(whole.is_complete());
    let three = engine.run(&split_spec(&engine, 3)).unwrap();
    assert!(text(&three) == text(&whole));
    let spec = split_spec(&engine, 2);
    for of in [1, 2, 7, 64] {
        let mut merged = Ledger::default();
        let solve = |number| {
            let shard = Shard::new(number, of).unwrap();
            let outcome = engine.run_shard(&spec, shard, Ledger::default(), &Unobserved);
            outcome.unwrap().ledger
        };
        // From the last to the first: no order is special.
        for ledger in (1..=of).rev().map(solve) {
            for (position, record) in ledger.cells {
                let sum = match merged.cells.get(&position) {
                    None => record,
                    Some(there) => {
                        let mut sum = (**there).clone();
                        sum.merge(&record).unwrap();
                        Arc::new(sum)
                    }
                };
                merged.cells.insert(position, sum);
            }
        }
        let read = engine.read(&spec, merged).unwrap();
        assert!(read.is_finished(), "{of} shards");
        assert!(text(&read.statistics) == text(&whole), "{of} shards");
    }
    // The control: other goals are other bytes.
    let other = RunSpec {
        seed: powersweep::Seed(1),
        ..split_spec(&engine, 1)
    };
    assert!(text(&engine.run(&other).unwrap()) != text(&whole));
}

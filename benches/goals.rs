//! Goals per second: the generator, and whole blocks of the benchmark workloads.
//!
//! `cargo bench` runs all groups; `cargo bench -- end_to_end/w1` one workload. Every group has a throughput in goals (or
//! random numbers), so criterion prints rates. Blocks are solved in parallel on all processors, generator and sums
//! included, to a tolerance of 1e-5 in POWER; the pilot runs once, before the clock starts.

use std::cell::LazyCell;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use powersweep::intervention::{Agent, GoalButton, Variant, World};
use powersweep::mdp::families::{Dense, Family, Garnet, GridWorld};
use powersweep::mdp::{GridMoves, Mdp, Slip, SlipTo};
use powersweep::plan::{Method, Plan, Schedule};
use powersweep::reward::{GoalLaw, Marginal, RewardDistribution};
use powersweep::rng::{Stream, word};
use powersweep::solve::cpu::{CpuBackend, Level};
use powersweep::solve::{Backend, CellProblem, CellSolver, GoalProgram, pilot};
use powersweep::statistics::behaviour::{LawScale, Readings};
use powersweep::statistics::{Blocks, EventRequest, ObservedSums, Request, block_size};
use powersweep::{Discount, SampleIndex, Seed};
use rayon::prelude::*;

/// File, discount, blocks per measurement.
const WORKLOADS: [(&str, f64, u64); 8] = [
    ("w1.toml", 0.9, 64),
    ("w1.toml", 0.99, 64),
    ("w2.toml", 0.95, 4),
    ("w3.toml", 0.95, 1),
    ("w4.toml", 0.99, 4),
    ("w5.json", 0.9, 256),
    ("w6.json", 0.99, 2),
    ("w6.json", 0.999, 2),
];

/// Workloads that every method can solve in a time that can be waited for.
const METHODS: [(&str, f64); 6] = [
    ("w1.toml", 0.9),
    ("w1.toml", 0.99),
    ("w2.toml", 0.95),
    ("w5.json", 0.9),
    ("w6.json", 0.99),
    ("w6.json", 0.999),
];

const TOLERANCE: f64 = 1e-5;

fn load(file: &str) -> Arc<Mdp> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("datasets/bench")
        .join(file);
    let (mdp, _) = powersweep::io::read_mdp(&path).expect("the benchmark workloads are valid");
    Arc::new(mdp)
}

/// A workload, without a schedule.
fn problem(file: &str, discount: f64, request: &Request) -> CellProblem {
    let mdp = load(file);
    let law = GoalLaw::unit_uniform(&mdp);
    problem_of(GoalProgram::optimal(mdp, law), discount, request)
}

/// A cell of a program, without a schedule.
fn problem_of(program: GoalProgram, discount: f64, request: &Request) -> CellProblem {
    let mdp = program.stage().mdp.clone();
    let discount = Discount::new(discount).expect("the benchmark discounts are valid");
    CellProblem {
        program,
        discount,
        tolerance: TOLERANCE,
        max_sweeps: CellProblem::sufficient_sweeps(discount, TOLERANCE, 1.0),
        seed: Seed(0),
        plan: Arc::new(Plan::draw(&mdp, discount)),
        rule: powersweep::solve::DecisionRule::default(),
        asked: Arc::new(
            request
                .resolve(&mdp, LawScale::default())
                .expect("the benchmark workloads have these states"),
        ),
    }
}

/// What solves it, by the method asked for or the one that the pilot finds cheapest.
fn solver(
    mut problem: CellProblem,
    backend: &CpuBackend,
    method: Option<Method>,
) -> Box<dyn CellSolver> {
    let found = pilot(&problem, backend, method);
    let (schedule, _) = found.expect("these programs can be piloted");
    problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
    let prepared = backend.prepare(problem);
    prepared.expect("the cpu backend takes every program")
}

fn name(file: &str) -> &str {
    file.split('.').next().unwrap_or(file)
}

fn end_to_end(c: &mut Criterion) {
    let mut group = c.benchmark_group("end_to_end");
    group.sample_size(10);
    for (file, discount, n_blocks) in WORKLOADS {
        let problem = problem(file, discount, &Request::default());
        let size = block_size(problem.plan.model().states().len());
        let blocks = Blocks::new(n_blocks * size, size);
        group.throughput(Throughput::Elements(n_blocks * size));
        // Piloted once, and only where it is wanted.
        let solver = LazyCell::new(|| solver(problem, &CpuBackend::new(), None));
        group.bench_function(BenchmarkId::new(name(file), discount), |b| {
            let solver = &**solver;
            b.iter(|| {
                let each = (0..n_blocks).into_par_iter();
                let finished = each.map(|i| {
                    let sums = solver.solve_block(blocks.get(i), n_blocks < 4);
                    sums.expect("the workload can be solved").finished
                });
                assert_eq!(finished.sum::<u64>(), n_blocks * size);
            });
        });
    }
    group.finish();
}

/// What statistics beyond POWER cost on the first workload: optimality of the start, three events, and both, reduced as a run does.
fn statistics(c: &mut Criterion) {
    let event = |label: &str, within| EventRequest {
        label: label.to_owned(),
        within,
        ..EventRequest::default()
    };
    let optimality = vec!["start".to_owned()];
    let events = vec![
        event("r0c8", None),
        event("r8c8", Some(20)),
        event("r4c0", None),
    ];
    let power = Request::default();
    let requests = [
        ("power", power.clone()),
        (
            "optimality",
            Request {
                optimality: optimality.clone(),
                ..power.clone()
            },
        ),
        (
            "events",
            Request {
                events: events.clone(),
                ..power.clone()
            },
        ),
        (
            "optimality_and_events",
            Request {
                optimality,
                events,
                ..power
            },
        ),
    ];
    let mut group = c.benchmark_group("statistics");
    group.sample_size(10);
    for discount in [0.9, 0.99] {
        for (name, request) in &requests {
            let problem = problem("w1.toml", discount, request);
            let quantities = problem.asked.quantities();
            let solver = LazyCell::new(|| solver(problem, &CpuBackend::new(), None));
            let blocks = Blocks::new(16 * 16_384, 16_384);
            group.throughput(Throughput::Elements(blocks.count()));
            group.bench_function(BenchmarkId::new(*name, discount), |b| {
                let solver = &**solver;
                b.iter(|| {
                    let each = (0..blocks.len()).into_par_iter().map(|i| {
                        let sums = solver.solve_block(blocks.get(i), false);
                        let sums = sums.expect("the workload can be solved");
                        let observed = ObservedSums::of(&sums.observations, &quantities);
                        black_box(observed.expect("observations are numbers"));
                        sums.finished
                    });
                    assert_eq!(each.sum::<u64>(), blocks.count());
                });
            });
        }
    }
    group.finish();
}

/// A cell of linked solves beside its solves on their own: the one should take no more than the others together and a fifth.
///
/// The solves are those of a goal button, whose press is worth what an optimal solve of the world makes of the goal that comes of it (`realistic`: and what its policy is worth to the first goal). `with readings`
/// adds the sign of what is gained by the button. An agent that believes that it goes on acting for its goal (`ignorant`) likes both alike, whatever the goal: every sign is a tie, which single precision
/// leaves open, so that all its goals are solved to 1e-12. Beside it stand solves on their own to that tolerance.
fn linked(c: &mut Criterion) {
    let mut group = c.benchmark_group("linked");
    group.sample_size(10);
    let (gamma, backend, none) = (0.9, CpuBackend::new(), Request::default());
    let before = load("w1.toml");
    let unit = Marginal::uniform(0.0, 1.0).expect("an interval");
    let reward = RewardDistribution::iid("uniform", unit);
    let program = |agent| {
        let button = Variant::new("button").with(GoalButton {
            at: None,
            agent,
            delay: 0,
        });
        let made = button.made_of(&before).expect("the workload has a start");
        let by = made.linked.as_ref().and_then(|l| l.by.linked());
        let program = by.expect("a button is linked").program(&World {
            before: &before,
            made: &made.mdp,
            reward: &reward,
            discount: Discount::new(gamma).expect("a discount"),
        });
        program.expect("the law fits")
    };
    let [tied, hedonistic, realistic] =
        [Agent::Ignorant, Agent::Hedonistic, Agent::Realistic].map(program);
    let stages = tied.stages().to_vec();
    let without = GoalProgram::linked(stages.clone(), tied.shown(), Vec::new());
    let alone = || {
        let each = stages.iter();
        each.map(|s| GoalProgram::optimal(s.mdp.clone(), GoalLaw::unit_uniform(&s.mdp)))
            .collect::<Vec<_>>()
    };
    let cells = [
        ("solves", alone(), TOLERANCE),
        ("cell", vec![without.expect("the same program")], TOLERANCE),
        ("cell with readings", vec![hedonistic], TOLERANCE),
        ("cell that follows", vec![realistic], TOLERANCE),
        ("solves of ties", alone(), 1e-12),
        ("cell of ties", vec![tied], TOLERANCE),
    ];
    for (name, programs, tolerance) in cells {
        let prepare = |program| {
            let mut problem = problem_of(program, gamma, &none);
            problem.tolerance = tolerance;
            let readings = Readings::of(&problem.program, 1.0);
            problem.asked = Arc::new((*problem.asked).clone().with(readings));
            solver(problem, &backend, None)
        };
        let solvers: Vec<_> = programs.into_iter().map(prepare).collect();
        let size = block_size(before.n_states());
        let blocks = Blocks::new(8 * size, size);
        group.throughput(Throughput::Elements(8 * size));
        group.bench_function(name, |b| {
            b.iter(|| {
                for solver in &solvers {
                    for block in (0..8).map(|i| blocks.get(i)) {
                        black_box(solver.solve_block(block, false).expect("blocks are solved"));
                    }
                }
            });
        });
    }
    group.finish();
}

/// The same blocks with every instruction set of this processor, on one thread.
fn instruction_sets(c: &mut Criterion) {
    let mut group = c.benchmark_group("instruction_sets");
    group.sample_size(10);
    for level in Level::available() {
        for (file, discount) in [("w1.toml", 0.9), ("w2.toml", 0.95)] {
            let problem = problem(file, discount, &Request::default());
            let backend = CpuBackend::with_level(level);
            let solver = LazyCell::new(|| solver(problem, &backend, None));
            let blocks = Blocks::new(2_048, 2_048);
            group.throughput(Throughput::Elements(2_048));
            group.bench_function(BenchmarkId::new(name(file), level), |b| {
                let solver = &**solver;
                b.iter(|| black_box(solver.solve_block(blocks.get(0), false)));
            });
        }
    }
    group.finish();
}

/// The same goals with every method, on one thread: is the pilot's choice the fastest one?
fn methods(c: &mut Criterion) {
    let mut group = c.benchmark_group("methods");
    group.sample_size(10);
    for (file, discount) in METHODS {
        for method in Method::ALL {
            let problem = problem(file, discount, &Request::default());
            let solver = LazyCell::new(|| solver(problem, &CpuBackend::new(), Some(method)));
            let blocks = Blocks::new(1_024, 1_024);
            group.throughput(Throughput::Elements(1_024));
            let workload = format!("{}/{discount}", name(file));
            group.bench_function(BenchmarkId::new(workload, method.name()), |b| {
                let solver = &**solver;
                b.iter(|| black_box(solver.solve_block(blocks.get(0), false)));
            });
        }
    }
    group.finish();
}

/// A square without walls, with five moves.
fn grid(width: u64, slip: Option<f64>) -> Family {
    Family::GridWorld(GridWorld {
        rows: width,
        columns: width,
        walls: 0.0,
        torus: false,
        moves: GridMoves {
            stay: true,
            slip: slip.map(|p| Slip {
                p,
                to: SlipTo::Others,
            }),
            ..GridMoves::default()
        },
    })
}

/// Sweeps of every kernel, on one thread: a tile of goals swept a number of times, drawn and certified once. One element is the update of a
/// state's value for one goal.
fn sweep(c: &mut Criterion) {
    const SWEEPS: u32 = 64;
    let garnet = |states: u64| {
        Family::Garnet(Garnet {
            states,
            choices: 4,
            branching: 4,
        })
    };
    let dense = |states: u64| Family::Dense(Dense { states, choices: 4 });
    let kernels = [
        (
            "deterministic",
            [8, 16, 32, 64].map(|n| grid(n, None)).to_vec(),
        ),
        (
            "noisy-grid",
            [8, 16, 32, 64].map(|n| grid(n, Some(0.1))).to_vec(),
        ),
        ("sparse", [64, 256, 1_024, 4_096].map(garnet).to_vec()),
        ("dense", [64, 256].map(dense).to_vec()),
    ];
    let mut group = c.benchmark_group("sweep");
    group.sample_size(10);
    for (kernel, families) in kernels {
        for family in families {
            let mdp = Arc::new(family.generate(0).expect("the parameters are in range"));
            let states = mdp.n_states() as u64;
            let law = GoalLaw::unit_uniform(&mdp);
            let program = GoalProgram::optimal(mdp, law);
            let mut problem = problem_of(program, 0.99, &Request::default());
            // Never certified: all sweeps are done, in single precision alone.
            problem.tolerance = f64::MIN_POSITIVE;
            problem.max_sweeps = SWEEPS;
            let schedule = Schedule {
                first_check: SWEEPS,
                ..Schedule::default()
            };
            problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
            let prepared = CpuBackend::new().prepare(problem);
            let solver = prepared.expect("the cpu backend takes every program");
            let block = Blocks::new(64, 64).get(0);
            group.throughput(Throughput::Elements(64 * states * u64::from(SWEEPS)));
            group.bench_function(BenchmarkId::new(kernel, states), |b| {
                b.iter(|| black_box(solver.solve_block(block, false)));
            });
        }
    }
    group.finish();
}

/// Deterministic grids of growing size, on one thread. One element is a state of a goal: its rate should not fall.
fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("sizes");
    group.sample_size(10);
    for width in [8, 16, 32, 64] {
        let mdp = Arc::new(grid(width, None).generate(0).expect("a grid"));
        let states = mdp.n_states() as u64;
        let law = GoalLaw::unit_uniform(&mdp);
        let problem = problem_of(GoalProgram::optimal(mdp, law), 0.9, &Request::default());
        let solver = LazyCell::new(|| solver(problem, &CpuBackend::new(), None));
        let goals = 64 * 4_096 / states;
        let block = Blocks::new(goals, goals).get(0);
        group.throughput(Throughput::Elements(goals * states));
        group.bench_function(BenchmarkId::from_parameter(states), |b| {
            let solver = &**solver;
            b.iter(|| black_box(solver.solve_block(block, false)));
        });
    }
    group.finish();
}

/// The scalar definition of the random numbers; backends draw theirs in vectors.
fn rng(c: &mut Criterion) {
    let mut group = c.benchmark_group("rng");
    group.throughput(Throughput::Elements(1_024));
    group.bench_function("scalar", |b| {
        b.iter(|| {
            (0..1_024).fold(0, |x, j| {
                x ^ word(Seed(1), Stream::Reward, SampleIndex(black_box(9)), j)
            })
        });
    });
    group.finish();
}

criterion_group!(
    benches,
    rng,
    sweep,
    sizes,
    instruction_sets,
    methods,
    statistics,
    linked,
    end_to_end
);
criterion_main!(benches);

//! The device against the host bit by bit, and injected failures: none of them may pass for a result.

use std::sync::{Arc, OnceLock};

use super::selftest::Draws;
use super::shaders::{MODULES, Pipeline, ShaderModule};
use super::*;
use crate::mdp::families::{Dense, Family, Garnet, RandomDeterministic};
use crate::plan::{Method, Plan, Schedule};
use crate::reward::{GoalLaw, Uniform};
use crate::rng::Stream;
use crate::solve::{DeviceFault, GoalProgram};
use crate::statistics::{BlockSums, Blocks};
use crate::units::{Discount, Seed};

/// The adapter of the tests, software if need be. `None` where there is none, unless POWERSWEEP_REQUIRE_GPU is set.
pub(super) fn backend() -> Option<&'static GpuBackend> {
    static BACKEND: OnceLock<Option<GpuBackend>> = OnceLock::new();
    let opened = BACKEND.get_or_init(|| match GpuBackend::open(&AdapterChoice::Any) {
        Ok(backend) => Some(backend),
        Err(error) if std::env::var_os("POWERSWEEP_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(_) => None,
    });
    opened.as_ref()
}

/// A cell on which goals are drawn: any certificate will do.
pub(super) fn drawn_cell(mdp: Arc<crate::mdp::Mdp>, law: Arc<GoalLaw>) -> CellProblem {
    let discount = Discount::new(0.5).unwrap();
    CellProblem {
        plan: Arc::new(Plan::draw_for(&mdp, discount, law.domain())),
        tolerance: 10.0 * (law.facts().high - law.facts().low),
        program: GoalProgram::optimal(mdp, law),
        discount,
        max_sweeps: 100,
        seed: Seed(0xfedc_ba98_7654_3210),
        asked: Arc::default(),
        rule: crate::solve::DecisionRule::default(),
    }
}

/// A backend of its own with a fault in one shader, which is made to be used.
pub(super) fn broken(name: &str, from: &str, to: &str) -> Option<GpuBackend> {
    backend()?;
    let module = MODULES.iter().find(|m| m.name == name).unwrap();
    assert!(module.source.contains(from), "{name} has changed");
    let source: &'static str = module.source.replace(from, to).leak();
    let module: &'static ShaderModule = Box::leak(Box::new(ShaderModule { source, ..*module }));
    Some(own(
        match name {
            "in_place_workgroup" => Some(Keeping::Workgroup),
            "in_phases_moves" | "in_phases_terms" => Some(Keeping::Phases),
            "straight" => Some(Keeping::Registers),
            _ => Some(Keeping::Storage),
        },
        Library::new().with(module),
    ))
}

/// A backend of its own.
pub(super) fn own(keeping: Option<Keeping>, library: Library) -> GpuBackend {
    let gpu = Gpu {
        device: adapter::open(&AdapterChoice::Any).unwrap(),
        library,
        pace: Pace::new(),
        keeping,
    };
    GpuBackend { gpu: Arc::new(gpu) }
}

/// A backend of its own that cuts work into the smallest dispatches.
pub(super) fn slow(keeping: Option<Keeping>) -> GpuBackend {
    let backend = own(keeping, Library::new());
    let pace = &backend.gpu.pace;
    let before = pace.cost();
    for _ in 0..40 {
        pace.learn(pace.cost(), std::time::Duration::from_secs(3600));
    }
    assert!(pace.cost() < before / 100);
    backend
}

/// Certain moves.
pub(super) fn moves(states: u64, choices: u64) -> Family {
    Family::RandomDeterministic(RandomDeterministic { states, choices })
}

/// Rows with weights.
pub(super) fn terms(states: u64, choices: u64) -> Family {
    Family::Garnet(Garnet {
        states,
        choices,
        branching: states.min(4),
    })
}

/// Rows that hold all states.
pub(super) fn full(states: u64, choices: u64) -> Family {
    Family::Dense(Dense { states, choices })
}

pub(super) fn problem(method: Method) -> CellProblem {
    match method {
        Method::InPlace | Method::PolicyIteration | Method::OverRelaxed => {
            problem_on(&moves(40, 3), method)
        }
        Method::Jacobi => problem_on(&terms(40, 3), method),
    }
}

pub(super) fn problem_on(family: &Family, method: Method) -> CellProblem {
    let mdp = family.generate(1).unwrap();
    let discount = Discount::new(0.9).unwrap();
    let plan = Plan::draw(&mdp, discount).with_schedule(Schedule {
        method,
        first_check: 4,
        ..Schedule::default()
    });
    CellProblem {
        program: GoalProgram::optimal(Arc::new(mdp.clone()), GoalLaw::unit_uniform(&mdp)),
        discount,
        tolerance: 1e-5,
        max_sweeps: 10_000,
        seed: Seed(7),
        plan: Arc::new(plan),
        asked: Arc::default(),
        rule: crate::solve::DecisionRule::default(),
    }
}

fn block_of(backend: &GpuBackend, method: Method) -> Result<BlockSums, SolveError> {
    block_on(backend, problem(method))
}

pub(super) fn block_on(
    backend: &GpuBackend,
    problem: CellProblem,
) -> Result<BlockSums, SolveError> {
    let solver = backend.prepare(problem)?;
    solver.solve_block(Blocks::new(100, 128).get(0), false)
}

#[test]
fn random_words_and_lattice_steps_are_those_of_the_host() {
    let Some(backend) = backend() else { return };
    let device = &backend.gpu.device;
    let wide = Uniform::new(-1.0, 0.7).unwrap().lattice();
    for (lattice, first, first_coordinate) in [
        (Uniform::unit().lattice(), 0, 0),
        (wide, (7 << 32) - 1024, 4_000_000),
    ] {
        let draws = Draws {
            seed: Seed(0xfedc_ba98_7654_3210),
            stream: Stream::Pilot,
            first,
            goals: 2048,
            first_coordinate,
            coordinates: 256,
            lattice,
        };
        let expected = draws.on_host();
        assert!(expected.len() > 500_000);
        let mut shaders = vec!["words_halves"];
        if backend.adapter().int64 {
            shaders.push("words_int64");
        }
        for shader in shaders {
            assert!(
                draws.on_device(device, shader).unwrap() == expected,
                "{shader}"
            );
        }
        // The control: one goal further.
        let shifted = Draws {
            first: first + 64,
            ..draws
        };
        assert!(shifted.on_device(device, "words_halves").unwrap() != expected);
    }
}

#[test]
fn work_that_was_left_out_is_an_error_and_never_a_result() {
    let Some(sound) = backend() else { return };
    let draw = if sound.adapter().int64 {
        "draw_int64"
    } else {
        "draw_halves"
    };
    for method in [Method::InPlace, Method::Jacobi] {
        assert_eq!(block_of(sound, method).unwrap().finished, 100);
    }
    let cases = [
        (draw, "b < job.range_end", "b + 1u < job.range_end"),
        ("in_place", "sweep < job.sweeps", "sweep + 1u < job.sweeps"),
        (
            "in_place",
            "i < job.range_end; i++",
            "i + 1u < job.range_end; i++",
        ),
        (
            "in_place",
            "var updates = 0u;",
            "var updates = 0u; if lane != 99u { return; }",
        ),
        (
            "in_place_workgroup",
            "sweep < job.sweeps",
            "sweep + 1u < job.sweeps",
        ),
        (
            "in_place_workgroup",
            "var updates = 0u;",
            "var updates = 0u; if lane == 63u { return; }",
        ),
        ("straight", "done < next;", "done + 1u < next;"),
        (
            "straight",
            "var updates =",
            "if index == 63u { return; } var updates =",
        ),
        (
            "straight",
            "let g = cell.discount;",
            "let g = bitcast<f32>(0x7fc00000u | index);",
        ),
        ("straight", "visited++;", "visited += u32(at != 7u);"),
        (
            "straight",
            "lanes[goal] = lane;",
            "if index == 9u { return; } lanes[goal] = lane;",
        ),
        (
            "in_phases_moves",
            "sweep < job.sweeps",
            "sweep + 1u < job.sweeps",
        ),
        (
            "in_phases_moves",
            "i < job.range_end; i++",
            "i + 1u < job.range_end; i++",
        ),
        (
            "in_phases_moves",
            "who.x != NOBODY",
            "who.x != NOBODY && who.x != 17u",
        ),
        (
            "in_phases_moves",
            "var updates = 0u;",
            "var updates = 0u; if id.x == 6u { return; }",
        ),
        (
            "in_phases_terms",
            "sweep < job.sweeps",
            "sweep + 1u < job.sweeps",
        ),
        (
            "in_phases_terms",
            "who.x != NOBODY",
            "who.x != NOBODY && who.x != 17u",
        ),
        ("jacobi", "s < job.range_end;", "s + 1u < job.range_end;"),
        ("product", "first < depth;", "first + DEPTH < depth;"),
        ("product", "k < DEPTH;", "k + 1u < DEPTH;"),
        ("product", "s < rows.end_state;", "s + 1u < rows.end_state;"),
        (
            "product",
            "var terms = 0u;",
            "var terms = 0u; if group.y == 1u { return; }",
        ),
        (
            "measure_swept",
            "s < job.range_end;",
            "s + 1u < job.range_end;",
        ),
        ("measure", "s < job.range_end;", "s + 1u < job.range_end;"),
        (
            "measure",
            "let own = values[at];",
            "let own = bitcast<f32>(0x7fc00000u | u32(values[at]));",
        ),
        (
            "certify",
            "lanes[goal] = lane;",
            "if index == 9u { return; } lanes[goal] = lane;",
        ),
        ("reduce", "lane < count", "lane + 1u < count"),
        ("reduce", "s < cell.n_states", "s + 1u < cell.n_states"),
        (
            "tally",
            "atomicAdd(&(*own).finished, 1u);",
            "if goal == 3u { return; } atomicAdd(&(*own).finished, 1u);",
        ),
    ];
    for (name, from, to) in cases {
        let backend = broken(name, from, to).unwrap();
        let problem = match name {
            "jacobi" => problem(Method::Jacobi),
            "in_phases_terms" => problem_on(&terms(40, 3), Method::InPlace),
            "product" | "measure_swept" => problem_on(&full(40, 3), Method::Jacobi),
            _ => problem(Method::InPlace),
        };
        let outcome = block_on(&backend, problem);
        let incomplete = matches!(
            &outcome,
            Err(SolveError::Device {
                fault: DeviceFault::Incomplete,
                ..
            })
        );
        assert!(incomplete, "{name}: {to}: {outcome:?}");
    }
}

#[test]
fn what_the_driver_refuses_is_an_error_with_the_adapters_name() {
    let Some(backend) = backend() else { return };
    let device = &backend.gpu.device;
    let fault_of = |outcome: Result<wgpu::Buffer, SolveError>| match outcome {
        Err(SolveError::Device { fault, adapter, .. })
            if adapter.contains(&backend.adapter().name) =>
        {
            Some(fault)
        }
        _ => None,
    };
    let storage = wgpu::BufferUsages::STORAGE;
    assert_eq!(fault_of(device.buffer("small ones", 64, storage)), None);
    let huge = device.buffer("huge ones", u64::MAX / 2, storage);
    assert_eq!(fault_of(huge), Some(DeviceFault::OutOfMemory));
    // Two uses that exclude each other.
    let nonsense = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
    assert_eq!(
        fault_of(device.buffer("impossible ones", 64, nonsense)),
        Some(DeviceFault::Validation)
    );
    let shader = ShaderModule {
        source: "fn nothing() -> u32 { }",
        ..*MODULES.first().unwrap()
    };
    let shader: &'static ShaderModule = Box::leak(Box::new(shader));
    let refused = Pipeline::compile(device, shader).unwrap_err();
    assert!(
        matches!(
            refused,
            SolveError::Device {
                fault: DeviceFault::Validation,
                ..
            }
        ),
        "{refused}"
    );
    // Nothing of this sticks: the device goes on.
    assert_eq!(block_of(backend, Method::InPlace).unwrap().finished, 100);
}

#[test]
fn a_single_processor_keeps_the_device_busy() {
    let Some(backend) = backend() else { return };
    assert_eq!(
        [1, 4, 16].map(|threads| backend.workers(threads)),
        [4, 4, 16]
    );
    let cpu = Arc::new(crate::solve::ReferenceBackend);
    assert_eq!(cpu.workers(1), 1);
    let both = crate::solve::WithFallback::new(Arc::new(backend.clone()), cpu);
    assert_eq!(both.workers(1), 4);
}

#[test]
fn a_lost_device_is_an_error_in_every_later_block() {
    if backend().is_none() {
        return;
    }
    let own = GpuBackend::open(&AdapterChoice::Any).unwrap();
    let solver = own.prepare(problem(Method::InPlace)).unwrap();
    let block = Blocks::new(100, 128).get(0);
    assert_eq!(solver.solve_block(block, false).unwrap().finished, 100);
    own.gpu.device.lose();
    for _ in 0..2 {
        let outcome = solver.solve_block(block, false);
        assert!(
            matches!(outcome, Err(SolveError::Device { .. })),
            "{outcome:?}"
        );
    }
}

#[test]
fn a_tolerance_beyond_single_precision_is_refused_before_the_first_goal() {
    let Some(backend) = backend() else { return };
    let mut strict = problem(Method::InPlace);
    strict.tolerance = 1e-9;
    let refused = backend.prepare(strict).unwrap_err();
    assert!(
        matches!(refused, SolveError::OutOfReach { .. }),
        "{refused}"
    );
    let mut cut = problem(Method::InPlace);
    cut.max_sweeps = 2;
    // Too few sweeps are the user's wish, not the device's limit.
    let solver = backend.prepare(cut).unwrap();
    let sums = solver
        .solve_block(Blocks::new(64, 64).get(0), false)
        .unwrap();
    assert!(sums.unconverged > 0 && sums.finished == 64 && !sums.unconverged_goals.is_empty());
    assert!(sums.bound_max > 1e-5);
}

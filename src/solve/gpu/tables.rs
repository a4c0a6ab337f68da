//! Laws on the device, held against the definition bit by bit: their integers, and whole goals.

use std::sync::Arc;

use super::cell::stays;
use super::cover::Hosted;
use super::device::Device;
use super::layout::{Cell, Job, Segment, TableDraw, TableHead};
use super::shaders::{MODULES, Pipeline, ShaderModule};
use super::solver::GpuSolver;
use super::tests::{backend, drawn_cell};
use crate::mdp::families::{Family, RandomDeterministic};
use crate::reward::{
    FRACTION_BITS, GoalLaw, Independent, Kind, Marginal, Recipe, RewardDomain, SHIFT_MASK, Source,
    Table,
};
use crate::rng::Stream;
use crate::solve::{CellProblem, SolveError};

/// A law of every family, and of the corners of some.
fn laws() -> Vec<Marginal> {
    let laws = [
        Marginal::normal(0.0, 1.0),
        Marginal::normal(-3e5, 2e3),
        Marginal::exponential(1.0),
        Marginal::beta(2.0, 5.0),
        Marginal::beta(0.05, 0.3),
        Marginal::bernoulli(0.25, -1.0, 1.0),
        Marginal::pareto(20.0, 1.0),
        Marginal::pareto(1.5, 1e-6),
        Marginal::discrete(&[-2.0, 0.5, 7.0], &[1.0, 3.0, 2.0]),
        Marginal::piecewise_linear(&[-1.0, 0.0, 0.5, 2.0], &[0.0, 1.0, 0.0, 3.0]),
        Marginal::mean_of_uniforms(1),
        Marginal::mean_of_uniforms(3),
    ];
    laws.into_iter().map(|law| law.unwrap()).collect()
}

/// The ends of all segments, their neighbours, and words between.
fn words(tables: &[&Table]) -> Vec<u32> {
    let ends = tables.iter().flat_map(|table| table.pieces());
    let mut words: Vec<u32> = ends
        .flat_map(|(a, b)| [a, b, a.wrapping_sub(1), b.wrapping_add(1), a / 2 + b / 2])
        .collect();
    words.extend((0..50_000u32).map(|i| i.wrapping_mul(2_654_435_761)));
    words
}

/// By the definition, `[laws, words]`.
fn on_host(tables: &[&Table], words: &[u32]) -> Vec<TableDraw> {
    let draw = |table: &Table, word: u32| TableDraw {
        integer: table.integer(word),
        value: table.value(word).to_bits(),
    };
    let each = tables
        .iter()
        .flat_map(|table| words.iter().map(move |&word| draw(table, word)));
    each.collect()
}

/// By a shader, `[laws, words]`.
fn on_device(
    device: &Device,
    pipeline: &Pipeline,
    tables: &[&Table],
    words: &[u32],
) -> Result<Vec<TableDraw>, SolveError> {
    use wgpu::BufferUsages as Usage;
    let (mut heads, mut segments, mut cells) = (Vec::new(), Vec::new(), Vec::new());
    for table in tables {
        heads.push(TableHead {
            first_segment: segments.len() as u32,
            first_cell: cells.len() as u32,
            cell_shift: table.cell_shift(),
            ..TableHead::default()
        });
        segments.extend_from_slice(bytemuck::cast_slice::<_, Segment>(table.segments()));
        cells.extend_from_slice(table.cells());
    }
    let job = Job {
        range_end: words.len() as u32,
        ..Default::default()
    };
    let read = |name, bytes: &[u8]| device.upload(name, bytes, Usage::STORAGE);
    let constants = device.upload("constants", &[Cell::default()], Usage::UNIFORM)?;
    let jobs = device.upload("job", &[job], Usage::UNIFORM)?;
    let heads = read("heads of tables", bytemuck::cast_slice(&heads))?;
    let segments = read("segments of tables", bytemuck::cast_slice(&segments))?;
    let cells = read("cells of tables", bytemuck::cast_slice(&cells))?;
    let given = read("random words", bytemuck::cast_slice(words))?;
    let bytes = (tables.len() * words.len() * size_of::<TableDraw>()) as u64;
    let draws = device.buffer("rewards", bytes, Usage::STORAGE | Usage::COPY_SRC)?;
    let staging = device.buffer(
        "rewards read back",
        bytes,
        Usage::MAP_READ | Usage::COPY_DST,
    )?;
    let named = [
        ("cell", &constants),
        ("heads", &heads),
        ("segments", &segments),
        ("cells", &cells),
        ("words", &given),
        ("draws", &draws),
    ];
    let buffers = pipeline.bind(device, &named)?;
    let job_group = pipeline.bind_jobs(device, &jobs)?;
    let groups = (words.len() as u32).div_ceil(64);
    device.run("drawing from tables", |encoder| {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline.compute());
        pass.set_bind_group(0, &buffers, &[]);
        pass.set_bind_group(1, &job_group, &[0]);
        pass.dispatch_workgroups(groups, tables.len() as u32, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&draws, 0, &staging, 0, bytes);
    })?;
    device.read(&staging, bytes)
}

#[test]
fn rewards_of_table_laws_are_those_of_the_host() {
    let Some(backend) = backend() else { return };
    let device = &backend.gpu.device;
    let laws = laws();
    let tables: Vec<&Table> = laws
        .iter()
        .map(|law| match law.kind() {
            Kind::Table(table) => table.as_ref(),
            Kind::Lattice(_) => panic!("{} is no table", law.name()),
        })
        .collect();
    let words = words(&tables);
    let expected = on_host(&tables, &words);
    let mut names = vec!["table_halves"];
    if backend.adapter().int64 {
        names.push("table_int64");
    }
    for name in names {
        let pipeline = Pipeline::new(device, name).unwrap();
        let found = on_device(device, &pipeline, &tables, &words).unwrap();
        for (i, law) in laws.iter().enumerate() {
            let part = i * words.len()..(i + 1) * words.len();
            let differs = found[part.clone()]
                .iter()
                .zip(&expected[part])
                .position(|(a, b)| a != b);
            assert_eq!(differs.map(|at| words[at]), None, "{name}: {}", law.name());
        }
        // The controls: a search that stops one segment early, and a product that is one too small.
        for (from, to) in [
            (
                "segments[head.first_segment + low]",
                "segments[head.first_segment + max(low, 1u) - 1u]",
            ),
            ("mulhi(segment.rise, t)", "mulhi(segment.rise, t) - 1u"),
        ] {
            let wrong = broken(device, name, from, to);
            let found = on_device(device, &wrong, &tables, &words).unwrap();
            assert!(found != expected, "{name}: {to}");
        }
    }
}

/// A shader with a fault in it.
fn broken(device: &Device, name: &str, from: &str, to: &str) -> Pipeline {
    let module = MODULES.iter().find(|m| m.name == name).unwrap();
    assert!(module.source.contains(from), "{name} has changed");
    let source: &'static str = module.source.replace(from, to).leak();
    let module: &'static ShaderModule = Box::leak(Box::new(ShaderModule { source, ..*module }));
    Pipeline::compile(device, module).unwrap()
}

#[test]
fn constants_of_tables_are_those_of_the_shader() {
    for (name, value) in [("FRACTION_BITS", FRACTION_BITS), ("SHIFT_MASK", SHIFT_MASK)] {
        let line = format!("const {name}: u32 = {value}u;");
        let tables = MODULES.iter().filter(|m| m.name.starts_with("table_"));
        assert_eq!(
            tables.filter(|m| m.source.contains(&line)).count(),
            2,
            "{line}"
        );
    }
    let host = [
        std::mem::offset_of!(crate::reward::Segment, start),
        std::mem::offset_of!(crate::reward::Segment, base),
        std::mem::offset_of!(crate::reward::Segment, rise),
        std::mem::offset_of!(crate::reward::Segment, scale),
        size_of::<crate::reward::Segment>(),
    ];
    let device = [
        std::mem::offset_of!(Segment, start),
        std::mem::offset_of!(Segment, base),
        std::mem::offset_of!(Segment, rise),
        std::mem::offset_of!(Segment, scale),
        size_of::<Segment>(),
    ];
    assert_eq!(host, device);
}

/// A cell on 64 states, each with a draw of its own or what `source` says; any certificate will do.
fn problem(laws: &[Marginal], source: impl Fn(u32) -> Source) -> CellProblem {
    let family = Family::RandomDeterministic(RandomDeterministic {
        states: 64,
        choices: 2,
    });
    let mdp = Arc::new(family.generate(1).unwrap());
    let recipe = Recipe::Independent(Independent {
        sources: (0..64).map(source).collect(),
        laws: laws.to_vec(),
    });
    let law = Arc::new(GoalLaw::new(RewardDomain::State, 64, recipe));
    drawn_cell(mdp, law)
}

#[test]
fn goals_of_every_law_are_drawn_on_the_device_as_on_the_host() {
    let Some(backend) = backend() else { return };
    let tiles = 22;
    let mut draws = 0;
    let mut check = |problem: CellProblem, place: &str| {
        let solver = GpuSolver::new(backend.gpu.clone(), problem.clone()).unwrap();
        let law = &problem.program.stage().law;
        let rows = problem.plan.model().reward_rows();
        let hosted = Hosted::new(law, rows, problem.seed);
        let stays = stays(problem.plan.model());
        let first = (1 << 32) - 640;
        let expected = hosted.tiles(Stream::Reward, first, tiles, &stays).steps;
        let found = solver.drawn(Stream::Reward, first, tiles).unwrap();
        let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
        assert_eq!(differs, None, "{place}");
        assert_eq!(found.len(), expected.len());
        draws += found.len();
        // The control: one goal further.
        let next = solver.drawn(Stream::Reward, first + 1, tiles).unwrap();
        assert!(next != expected, "{place}");
    };
    let all = laws();
    let own = |coordinate| Source::Draw { coordinate, law: 0 };
    for law in &all {
        check(problem(std::slice::from_ref(law), own), law.name());
    }
    // Several laws, fixed rewards, draws that are shared, and coordinates far apart.
    let mut some: Vec<Marginal> = [0, 2, 3, 8, 9].map(|i| all[i].clone()).into();
    some.push(Marginal::uniform(-1.0, 0.7).unwrap());
    some.push(Marginal::uniform(3.0, 3.5).unwrap());
    let mixed = |i: u32| match i % 9 {
        0 => Source::Fixed([0.0, -1.25, 0.1, 1e-12][(i / 9) as usize % 4]),
        1 => Source::Draw {
            coordinate: 7,
            law: 1,
        },
        k => Source::Draw {
            coordinate: i * 1_000_003,
            law: k - 2,
        },
    };
    check(problem(&some, mixed), "several laws");
    // Far from zero, and spaced more finely there than the law itself.
    let far = [
        Marginal::uniform(1e6, 1.1e6).unwrap(),
        Marginal::normal(1e6, 3e3).unwrap(),
    ];
    let both = |i: u32| Source::Draw {
        coordinate: i,
        law: i % 2,
    };
    check(problem(&far, both), "far from zero");
    assert!(draws >= 1_000_000, "{draws}");
}

//! Goals whose rewards are weighted sums of draws, on the device: held against the same integers on the host, and against their definition in double precision.

use std::sync::Arc;

use super::cell::stays;
use super::cover::Cover;
use super::draws::Draws;
use super::layout::NOWHERE;
use super::leaves::{LeafKind, Room};
use super::passes::DrawPass;
use super::shaders::{Library, MODULES, ShaderModule};
use super::solver::GpuSolver;
use super::tests::{backend, drawn_cell, own, slow};
use super::whole_goals::{problem, table, values};
use crate::mdp::families::{Family, RandomDeterministic};
use crate::reward::{
    EquicorrelatedNormal, Features, Gaussian, GaussianProcess, GoalKey, GoalLaw, Kernel, Law,
    Linear, Marginal, Matrix, Mixture, Orbit, Recipe, RewardDistribution, RewardDomain, TableUse,
};
use crate::rng::Stream;
use crate::solve::{CellProblem, CellSolver, DeviceFault, SolveError};
use crate::statistics::{Blocks, TILE};
use crate::units::SampleIndex;

/// Room for anything.
const ROOM: Room = Room {
    numbers: u64::MAX,
    latents: u64::MAX,
};

fn normal() -> Marginal {
    Marginal::normal(0.0, 1.0).unwrap()
}

/// Features of 40 states, in numbers that are not short.
fn features(n: u32) -> Matrix {
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            (0..40)
                .map(|j| (f64::from(i * 41 + j) * 0.7).sin())
                .collect()
        })
        .collect();
    let names: Vec<String> = (0..40).map(|j| format!("s{}", 47 - j)).collect();
    Matrix::from_rows(&rows).named(names.iter().map(String::as_str))
}

/// Correlations of 24 states.
fn covariance() -> Matrix {
    let rows: Vec<Vec<f64>> = (0..24i32)
        .map(|i| {
            (0..24)
                .map(|j| 3.0 * 0.8f64.powi((i - j).abs()) + if i == j { 0.1 } else { 0.0 })
                .collect()
        })
        .collect();
    let names: Vec<String> = (0..24).map(|j| format!("s{}", (j * 5) % 48)).collect();
    Matrix::from_rows(&rows).named(names.iter().map(String::as_str))
}

fn process() -> Law {
    Law::GaussianProcess(GaussianProcess::new(Kernel::Matern32, 2.0))
}

fn mixture() -> Law {
    Law::Mixture(Mixture::new(vec![
        (1.0, Law::Features(Features::new(features(3), normal()))),
        (1.0, Law::Independent(Marginal::uniform(-1.0, 0.5).unwrap())),
        (1.0, table(TableUse::Resample)),
        (0.0, process()),
        (
            2.0,
            Law::Mixture(Mixture::new(vec![(0.5, process()), (1.0, labels())])),
        ),
        (1.0, Law::Orbit(Orbit::new(values(48)))),
    ]))
}

fn labels() -> Law {
    let law = Marginal::exponential(2.0).unwrap();
    Law::Features(Features::of_labels(["few", "others", "s3"], law))
}

/// Laws by name: those whose goals are sums, and those of which some are.
fn laws() -> Vec<(&'static str, RewardDistribution)> {
    let uniform = Marginal::uniform(-1.0, 0.7).unwrap();
    let pareto = Marginal::pareto(1.5, 0.1).unwrap();
    let coins = Marginal::bernoulli(0.25, -1.0, 2.0).unwrap();
    let one = Matrix::from_rows(&[vec![1.0, -0.3]]).named(["s5", "s6"]);
    let named = |(name, law)| (name, RewardDistribution::new(name, law));
    let mut laws: Vec<_> = [
        ("one feature", Law::Features(Features::new(one, normal()))),
        (
            "2 features",
            Law::Features(Features::new(features(2), uniform)),
        ),
        (
            "10 features",
            Law::Features(Features::new(features(10), normal())),
        ),
        ("labels", labels()),
        (
            "features of all sizes",
            Law::Features(Features::new(features(5), pareto)),
        ),
        ("coins", Law::Features(Features::new(features(7), coins))),
        (
            "equicorrelated",
            Law::EquicorrelatedNormal(EquicorrelatedNormal::new(1.0, 2.0, 0.3)),
        ),
        (
            "against each other",
            Law::EquicorrelatedNormal(EquicorrelatedNormal::new(0.0, 1.0, -0.01)),
        ),
        ("gaussian", Law::Gaussian(Gaussian::new(covariance()))),
        ("process", process()),
        ("mixture", mixture()),
    ]
    .into_iter()
    .map(named)
    .collect();
    let replaced = |name, law| {
        RewardDistribution::new(name, law)
            .with_fixed("s12", -0.75)
            .with_law("s33", Marginal::exponential(2.0).unwrap())
            .with_law("s4", Marginal::uniform(2.0, 2.5).unwrap())
    };
    laws.push(("process, replaced", replaced("process", process())));
    laws.push(("mixture, replaced", replaced("mixture", mixture())));
    let few = Law::Mixture(Mixture::new(vec![(1.0, labels())]));
    let few = RewardDistribution::new("choices", few).on(RewardDomain::Choice);
    laws.push(("choices", few));
    laws
}

/// What is uploaded, and the cover.
fn packed(problem: &CellProblem, room: Room) -> Option<(Draws, Cover)> {
    let law = &problem.program.stage().law;
    let model = problem.plan.model();
    let cover = Cover::of(law);
    let draws = Draws::of_law(law, cover, &model.reward_rows(), &stays(model), room)?;
    Some((draws, cover))
}

/// How many steps rewards are off at most, by the definition, which is in single precision; `found` is `[tiles, n_rows, TILE]`.
fn most_off(problem: &CellProblem, (stream, first): (Stream, u64), found: &[u32]) -> f64 {
    let law = &problem.program.stage().law;
    let rows = problem.plan.model().reward_rows();
    let cover = Cover::of(law);
    let unit = 2f64.powi(cover.exponent());
    let goals = (found.len() / rows.len()) as u64;
    let mut most = 0.0;
    law.draw_each((problem.seed, stream), first, goals, |goal, rewards| {
        for (row, reward) in rows.iter().enumerate() {
            let at = (goal / TILE * rows.len() + row) * TILE + goal % TILE;
            let exact = (f64::from(rewards[*reward as usize]) - cover.lowest()) / unit;
            most = f64::max(most, (f64::from(found[at]) - exact).abs());
        }
    });
    most
}

/// The goals of a law of sums alone, in the integers that were packed, `[goals, n_rows]`.
fn in_integers(problem: &CellProblem, stream: Stream, first: u64, goals: u64) -> Vec<u32> {
    let law = &problem.program.stage().law;
    let Recipe::Linear(linear) = law.recipe() else {
        panic!("no law of sums");
    };
    let (draws, _) = packed(problem, ROOM).unwrap();
    let [LeafKind::Summed { blocks, bundles }] = &draws.kinds[..] else {
        panic!("one leaf of sums");
    };
    let n_rows = problem.plan.model().reward_rows().len();
    let mut steps = vec![u32::MAX; goals as usize * n_rows];
    for goal in 0..goals {
        let key = GoalKey {
            seed: problem.seed,
            stream,
            index: SampleIndex(first + goal),
        };
        let mut latents = vec![i64::MAX; draws.n_latents as usize];
        for block in &draws.blocks[blocks.start as usize..blocks.end as usize] {
            let ends = [block.end_0, block.end_1, block.end_2, block.end_3];
            for target in block.first..block.end_3 {
                let word = ends.iter().filter(|end| **end <= target).count() as u32;
                let target = draws.targets[target as usize];
                latents[target.row as usize] =
                    latent(linear, target.law, key.word(4 * block.number + word));
            }
        }
        for b in bundles.clone() {
            let bundle = draws.bundles[b as usize];
            for which in 0..4 {
                let own = draws.summed[4 * b as usize + which];
                if own.row == NOWHERE {
                    continue;
                }
                let offset = u64::from(own.offset_high) << 32 | u64::from(own.offset_low);
                let terms = bundle.first as usize..bundle.end as usize;
                let sum = terms.fold(i128::from(offset as i64), |sum, t| {
                    let weight = draws.factors[t][which];
                    sum + i128::from(weight) * i128::from(latents[draws.addends[t] as usize])
                });
                assert!(sum.abs() <= 1 << 62);
                let step = (sum >> own.shift).clamp(0, (1 << 25) - 1);
                let row = own.row & !super::layout::STAYS;
                steps[goal as usize * n_rows + row as usize] = step as u32;
            }
        }
    }
    steps
}

/// A draw in the spacings of its law: from the middle of its range on.
fn latent(linear: &Linear, law: u32, word: u32) -> i64 {
    let law = &linear.laws[law as usize];
    let (exponent, middle) = super::sums::counted(law);
    let x = f64::from(law.value(word)) / 2f64.powi(exponent);
    ((x + 0.5).floor() - middle) as i64
}

/// The same order for goals of the device.
fn by_goal(found: &[u32], n_rows: usize) -> Vec<u32> {
    let goals = found.len() / n_rows;
    let at = |goal: usize, row: usize| (goal / TILE * n_rows + row) * TILE + goal % TILE;
    let each = (0..goals).flat_map(|goal| (0..n_rows).map(move |row| found[at(goal, row)]));
    each.collect()
}

/// Backends that add up in both ways that there are, where there are both.
fn both_ways() -> Vec<super::GpuBackend> {
    let Some(backend) = backend() else {
        return Vec::new();
    };
    let mut all = vec![backend.clone()];
    if backend.adapter().int64 {
        let halves = ["latent", "sum"]
            .into_iter()
            .fold(Library::new(), |all, shader| {
                let source = module(&format!("{shader}_halves")).source;
                all.with(substitute(&format!("{shader}_int64"), source))
            });
        all.push(own(None, halves));
    }
    all
}

fn module(name: &str) -> &'static ShaderModule {
    MODULES.iter().find(|m| m.name == name).unwrap()
}

/// Another text in the place of a shader.
fn substitute(name: &str, source: &'static str) -> &'static ShaderModule {
    Box::leak(Box::new(ShaderModule {
        source,
        ..*module(name)
    }))
}

#[test]
fn sums_of_draws_are_as_near_to_their_definition_as_is_promised() {
    let mut ways = 0;
    for backend in both_ways() {
        ways += 1;
        let mut tightest = 0f64;
        for (name, law) in laws() {
            let problem = problem(&law);
            let (draws, _) = packed(&problem, ROOM).unwrap();
            let solver = GpuSolver::new(backend.gpu.clone(), problem.clone()).unwrap();
            assert!(solver.hosted.is_none(), "{name}");
            let mut rewards = 0;
            for (stream, first, tiles) in [
                (Stream::Reward, (1 << 32) - 640, 30),
                (Stream::Pilot, 7 << 40, 2),
                (Stream::SecondGoal, 0, 2),
            ] {
                let found = solver.drawn(stream, first, tiles).unwrap();
                let off = most_off(&problem, (stream, first), &found);
                // What is brought onto a cover by rounding alone, fixed rewards say, is half a step off.
                let promised = draws.error.max(1.0);
                assert!(off <= promised, "{name}, {stream:?}: {off}, {promised}");
                tightest = tightest.max(off / promised);
                rewards += found.len();
                // The control: one goal further.
                let far = most_off(&problem, (stream, first + 1), &found);
                assert!(far > 10.0 * promised, "{name}, {stream:?}: {far}");
            }
            assert!(rewards >= 100_000, "{name}: {rewards}");
        }
        // The promise is no idle one.
        assert!(tightest > 0.9, "{tightest}");
    }
    assert!(backend().is_none() || ways > 0);
}

#[test]
fn sums_of_draws_are_the_integers_that_were_packed() {
    let is_linear = |law: &GoalLaw| matches!(law.recipe(), Recipe::Linear(_));
    let mut problems: Vec<_> = laws()
        .iter()
        .map(|(name, law)| (*name, problem(law)))
        .collect();
    problems.retain(|(_, problem)| is_linear(&problem.program.stage().law));
    assert_eq!(problems.len(), 11);
    let first = (1 << 32) - 64;
    let differs = |backend: &super::GpuBackend, problem: &CellProblem| {
        let solver = GpuSolver::new(backend.gpu.clone(), problem.clone()).unwrap();
        let found = solver.drawn(Stream::Reward, first, 3).unwrap();
        let expected = in_integers(problem, Stream::Reward, first, 3 * TILE as u64);
        by_goal(&found, solver.stage.rows.len()) != expected
    };
    for backend in both_ways() {
        for (name, problem) in &problems {
            assert!(!differs(&backend, problem), "{name}");
        }
    }
    // The control: a carry that is lost, a fraction of a step.
    let Some(backend) = backend() else { return };
    let (from, to) = ("select(0u, 1u, low < sum.x)", "0u");
    let source = module("sum_halves").source;
    assert!(source.contains(from));
    let source: &'static str = source.replace(from, to).leak();
    let name = match backend.adapter().int64 {
        true => "sum_int64",
        false => "sum_halves",
    };
    let wrong = own(None, Library::new().with(substitute(name, source)));
    let process = problems.iter().find(|(name, _)| *name == "process");
    assert!(differs(&wrong, &process.unwrap().1));
}

/// Faults in the shaders: of one term, of one weight, of one part of a number.
#[test]
fn a_fault_in_a_sum_is_further_off_than_is_promised() {
    let Some(backend) = backend() else { return };
    // The middle of a normal law is zero; that of most is not.
    let (sum, latent) = ("process", "features of all sizes");
    let mut faults = vec![
        ("sum_halves", "t < bundle.end", "t + 1u < bundle.end", sum),
        ("sum_halves", "w.z, x)", "w.y, x)", sum),
        ("sum_halves", "select(0u, y, a < 0)", "0u", sum),
        ("sum_halves", "select(0u, x, b < 0)", "0u", sum),
        ("sum_halves", "high = mulhi(x, y)", "high = 0u", sum),
        ("sum_halves", "sum.y + high", "sum.y", sum),
        ("sum_halves", "own.shift)", "own.shift - 1u)", sum),
        (
            "latent_halves",
            "exponent) - head.origin",
            "exponent)",
            latent,
        ),
        ("latent_halves", "words.y, base", "words.x, base", latent),
    ];
    if backend.adapter().int64 {
        faults.extend([
            ("sum_int64", "i64(a) * i64(b)", "i64(a * b)", sum),
            ("sum_int64", "u64(high) << 32u", "u64(high)", sum),
            ("sum_int64", "t < bundle.end", "t + 1u < bundle.end", sum),
        ]);
    }
    let suffix = match backend.adapter().int64 {
        true => "int64",
        false => "halves",
    };
    let all = laws();
    for (shader, from, to, law) in faults {
        let (_, law) = all.iter().find(|(name, _)| *name == law).unwrap();
        let problem = problem(law);
        let (draws, _) = packed(&problem, ROOM).unwrap();
        let source = module(shader).source;
        assert!(source.contains(from), "{shader} has changed: {from}");
        let source: &'static str = source.replace(from, to).leak();
        let pass = shader.split('_').next().unwrap();
        let wrong = substitute(&format!("{pass}_{suffix}"), source);
        let wrong = own(None, Library::new().with(wrong));
        let off = match GpuSolver::new(wrong.gpu.clone(), problem.clone()) {
            Err(_) => f64::INFINITY,
            Ok(solver) => {
                let found = solver.drawn(Stream::Reward, 640, 10).unwrap();
                most_off(&problem, (Stream::Reward, 640), &found)
            }
        };
        assert!(off > draws.error.max(1.0), "{shader}: {to}: {off}");
    }
}

#[test]
fn sums_that_were_left_out_are_an_error_and_never_a_result() {
    let Some(backend) = backend() else { return };
    let suffix = match backend.adapter().int64 {
        true => "int64",
        false => "halves",
    };
    let all = laws();
    let (_, law) = all.iter().find(|(name, _)| *name == "mixture").unwrap();
    let solve = |backend: &super::GpuBackend| {
        let solver = GpuSolver::new(backend.gpu.clone(), problem(law))?;
        solver.solve_block(Blocks::new(100, 128).get(0), false)
    };
    assert_eq!(solve(backend).unwrap().finished, 100);
    for (pass, from, to) in [
        ("latent", "b < job.range_end", "b + 1u < job.range_end"),
        (
            "latent",
            "var written = 0u;",
            "if lane == 9u { return; } var written = 0u;",
        ),
        ("latent", "!follows(goal, leaf)", "true"),
        ("sum", "b < job.range_end", "b + 1u < job.range_end"),
        (
            "sum",
            "own.row == NOWHERE",
            "own.row == NOWHERE || own.row == 7u",
        ),
    ] {
        let name = format!("{pass}_{suffix}");
        assert!(module(&name).source.contains(from), "{name} has changed");
        let source: &'static str = module(&name).source.replace(from, to).leak();
        let broken = own(None, Library::new().with(substitute(&name, source)));
        let outcome = solve(&broken);
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

/// Where work is cut, and which blocks go to the device together, is nothing to a sum.
#[test]
fn sums_are_the_same_in_whatever_company() {
    if backend().is_none() {
        return;
    }
    let all = laws();
    let (_, law) = all.iter().find(|(name, _)| *name == "mixture").unwrap();
    let whole = GpuSolver::new(own(None, Library::new()).gpu, problem(law)).unwrap();
    let cut = GpuSolver::new(slow(None).gpu, problem(law)).unwrap();
    let drawn = |solver: &GpuSolver, first| solver.drawn(Stream::Reward, first, 64).unwrap();
    assert!(drawn(&cut, 128) == drawn(&whole, 128));
    assert!(drawn(&cut, 128) != drawn(&whole, 192), "the control");
    // Values and two more, rewards, and draws: 4 bytes each.
    assert_eq!(whole.stage.tile_bytes, (3 * 64 + 64 + 48) * 64 * 4);
    let blocks = [0, 1, 2].map(|index| Blocks::new(300, 128).get(index));
    let together = whole.solve_blocks(&blocks, false);
    for (block, sums) in blocks.into_iter().zip(together) {
        assert_eq!(sums.unwrap(), whole.solve_block(block, false).unwrap());
    }
}

#[test]
fn sums_are_cut_by_their_terms() {
    let law = RewardDistribution::new("law", process());
    let problem = problem(&law);
    let (draws, _) = packed(&problem, ROOM).unwrap();
    let cuts = |allowed| {
        let all = draws.dispatches(Stream::Reward, 0, allowed);
        let sums = all.into_iter().filter(|d| d.pass == DrawPass::Sum);
        sums.map(|d| (d.job.range_first, d.job.range_end, d.iterations))
            .collect::<Vec<_>>()
    };
    let [(0, 16, all)] = cuts(1 << 20)[..] else {
        panic!("64 rewards are 16 bundles");
    };
    // Half of a square of 48 draws, and the copies.
    let half = all / 2;
    let two = cuts(half);
    assert!(
        two.len() == 3 && two.iter().all(|cut| cut.2 <= half),
        "{two:?}"
    );
    for cut in [cuts(0), cuts(100), two] {
        let ends = cut.iter().map(|cut| cut.1);
        let firsts = cut.iter().map(|cut| cut.0);
        assert!(firsts.eq(std::iter::once(0).chain(ends.clone()).take(cut.len())));
        assert_eq!(ends.max(), Some(16));
        assert_eq!(cut.iter().map(|cut| cut.2).sum::<u64>(), all);
    }
    assert_eq!(cuts(0).len(), 16);
}

#[test]
fn sums_that_the_device_has_no_room_for_are_drawn_on_the_host() {
    let law = RewardDistribution::new("law", process());
    let problem = problem(&law);
    let fits = |numbers, latents| packed(&problem, Room { numbers, latents }).is_some();
    let words = 4 * packed(&problem, ROOM).unwrap().0.factors.len() as u64;
    assert!(fits(words, 48));
    assert!(!fits(words - 1, 48) && !fits(words, 47));
    // So far from zero that single precision is coarser than the cover: the last rounding of the definition is more than a step or two.
    let family = Family::RandomDeterministic(RandomDeterministic {
        states: 8,
        choices: 2,
    });
    let at = |offset: f64| {
        let mut linear = Linear::new(vec![normal()]);
        linear.latent = vec![(0, 0), (5, 0)];
        (0..8).for_each(|i| linear.push(offset, [(0, 0.3), (1, 0.1 * f64::from(i))]));
        let law = GoalLaw::new(RewardDomain::State, 8, Recipe::Linear(linear));
        drawn_cell(Arc::new(family.generate(1).unwrap()), Arc::new(law))
    };
    let Some(backend) = backend() else { return };
    for (offset, on_host) in [(0.0, false), (10.0, false), (100.0, true)] {
        assert_eq!(packed(&at(offset), ROOM).is_none(), on_host);
        let solver = GpuSolver::new(backend.gpu.clone(), at(offset)).unwrap();
        assert_eq!(solver.hosted.is_some(), on_host);
        let sums = solver.solve_block(Blocks::new(100, 128).get(0), false);
        let mean = sums.unwrap().power[0] / 100.0 + at(offset).power_scale().shift;
        assert!((mean - offset).abs() < 2.0, "{offset}: {mean}");
    }
}

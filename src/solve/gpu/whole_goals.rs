//! Goals that are drawn whole, on the device, held against the definition bit by bit.

use std::sync::Arc;

use super::cell::stays;
use super::cover::Hosted;
use super::shaders::{Library, MODULES, ShaderModule};
use super::solver::GpuSolver;
use super::tests::{backend, drawn_cell, own};
use crate::mdp::{BaseState, GridLayout, Mdp, MdpBuilder};
use crate::reward::{
    GoalTable, Law, Marginal, Matrix, Mixture, Orbit, Paid, Reach, RewardDistribution,
    RewardDomain, Sparse, StateReward, StateSet, StateSource, TableUse,
};
use crate::rng::Stream;
use crate::solve::CellProblem;

/// A grid of 64 states, of which the last 16 are copies of the first; some can stay, the last one has to.
pub(super) fn mdp() -> Arc<Mdp> {
    let mut b = MdpBuilder::new("copies");
    let states: Vec<_> = (0..64).map(|i| b.state(format!("s{i}"))).collect();
    b.absorbing(states[63]);
    for (i, &state) in states.iter().enumerate().take(63) {
        b.choice(state, "on", [(states[(i * 5 + 1) % 64], 1.0)]);
        if i % 3 == 0 {
            b.choice(state, "stay", [(state, 1.0)]);
        }
    }
    let base = |i: u32| i % 48;
    b.base_states((0..64).map(|i| BaseState::Of(base(i))).collect());
    b.reward_coordinates((0..64).map(|i| Some(base(i))).collect());
    b.label("few", states[10..18].to_vec());
    b.label("others", states[20..40].to_vec());
    b.layout(GridLayout::new(
        8,
        8,
        states.into_iter().map(Some).collect(),
    ));
    Arc::new(b.build().unwrap())
}

fn set(names: &[&str]) -> StateSet {
    StateSet::new(names.iter().copied())
}

/// A table of 37 goals on five states.
pub(super) fn table(how: TableUse) -> Law {
    let rows: Vec<Vec<f64>> = (0..37)
        .map(|i| (0..5).map(|j| f64::from(i * 7 + j) / 11.0 - 3.3).collect())
        .collect();
    let matrix = Matrix::from_rows(&rows).named(["s3", "s47", "s0", "s21", "s9"]);
    Law::Table(GoalTable::new(matrix, how))
}

pub(super) fn values(n: u32) -> Vec<f64> {
    (0..n).map(|i| (f64::from(i) * 1.7).sin()).collect()
}

fn mixture() -> Law {
    let nested = Mixture::new(vec![
        (
            1.0,
            Law::Reach(Reach::new(vec![set(&["few"]), set(&["s1", "s60"])])),
        ),
        (0.0, table(TableUse::Once)),
        (
            2.0,
            Law::Sparse(Sparse::new(3).drawn(Marginal::exponential(1.0).unwrap())),
        ),
    ]);
    Law::Mixture(Mixture::new(vec![
        (0.5, Law::Independent(Marginal::uniform(-1.0, 0.5).unwrap())),
        (1.5, Law::Orbit(Orbit::new(values(48)))),
        (0.0, Law::Independent(Marginal::normal(0.0, 9.0).unwrap())),
        (1.0, Law::Mixture(nested)),
        (1.0, Law::Independent(Marginal::normal(0.2, 0.3).unwrap())),
        (0.7, table(TableUse::Resample)),
        (1.0, Law::Sparse(Sparse::new(2).among(set(&["few"])))),
    ]))
}

/// Laws by name.
fn laws() -> Vec<(&'static str, RewardDistribution)> {
    let normal = || Marginal::normal(1.0, 2.0).unwrap();
    let pair = Orbit::new(vec![1.0, -2.0, 1.0, 1.0, 0.25, -2.0, 1.0, 0.25]);
    let named = |(name, law)| (name, RewardDistribution::new(name, law));
    let mut laws: Vec<_> = [
        ("1 of 48", Law::Sparse(Sparse::new(1))),
        ("2 of 48", Law::Sparse(Sparse::new(2))),
        ("20 of 48", Law::Sparse(Sparse::new(20))),
        (
            "5 of 48, normal",
            Law::Sparse(Sparse::new(5).drawn(normal())),
        ),
        (
            "48 of 48, normal",
            Law::Sparse(Sparse::new(48).drawn(normal())),
        ),
        (
            "1 of a few",
            Law::Sparse(Sparse::new(1).among(set(&["few"])).drawn(normal())),
        ),
        ("orbit of 48", Law::Orbit(Orbit::new(values(48)))),
        (
            "orbit of 8",
            Law::Orbit(Orbit::new(values(8)).among(set(&["few"]))),
        ),
        (
            "8, drawn",
            Law::Orbit(Orbit::new(values(8)).among(set(&["few"])).drawn()),
        ),
        ("ties", Law::Orbit(pair.among(set(&["few"])))),
        (
            "reach",
            Law::Reach(Reach::new(vec![
                set(&["few"]),
                set(&["others"]),
                set(&["s50", "s3"]),
            ])),
        ),
        ("rows", table(TableUse::Once)),
        ("any row", table(TableUse::Resample)),
        ("mixture", mixture()),
    ]
    .into_iter()
    .map(named)
    .collect();
    let replaced = |name, law| {
        let once = StateReward {
            source: Some(StateSource::Fixed(0.5)),
            paid: Paid::Once,
        };
        RewardDistribution::new(name, law)
            .with_fixed("s12", -0.75)
            .with_law("s33", Marginal::exponential(2.0).unwrap())
            .with_state("s63", once)
    };
    for (name, law) in [
        (
            "sparse, replaced",
            Law::Sparse(Sparse::new(30).drawn(normal())),
        ),
        ("orbit, replaced", Law::Orbit(Orbit::new(values(48)))),
        ("rows, replaced", table(TableUse::All)),
        ("mixture, replaced", mixture()),
    ] {
        laws.push((name, replaced(name, law)));
    }
    let n = mdp().n_choices() as u32;
    for (name, law) in [
        (
            "choices, sparse",
            Law::Sparse(Sparse::new(7).drawn(normal())),
        ),
        ("choices, orbit", Law::Orbit(Orbit::new(values(n)))),
    ] {
        let law = RewardDistribution::new(name, law).on(RewardDomain::Choice);
        laws.push((name, law));
    }
    laws
}

pub(super) fn problem(law: &RewardDistribution) -> CellProblem {
    let bound = law.bind(&mdp()).unwrap();
    drawn_cell(bound.mdp, bound.law)
}

pub(super) fn on_host(solver: &GpuSolver, stream: Stream, first: u64, tiles: u32) -> Vec<u32> {
    let problem = &solver.problem;
    let law = &problem.program.stage().law;
    let model = problem.plan.model();
    let hosted = Hosted::new(law, model.reward_rows(), problem.seed);
    hosted.tiles(stream, first, tiles, &stays(model)).steps
}

#[test]
fn whole_goals_are_drawn_on_the_device_as_on_the_host() {
    let Some(backend) = backend() else { return };
    for (name, law) in laws() {
        let solver = GpuSolver::new(backend.gpu.clone(), problem(&law)).unwrap();
        let mut draws = 0;
        for (stream, first, tiles) in [
            (Stream::Reward, (1 << 32) - 640, 240),
            (Stream::Pilot, 7 << 40, 10),
            (Stream::SecondGoal, 0, 10),
        ] {
            let expected = on_host(&solver, stream, first, tiles);
            let found = solver.drawn(stream, first, tiles).unwrap();
            assert_eq!(found.len(), expected.len());
            let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!(differs, None, "{name}, {stream:?}");
            draws += found.len();
            // The control: one goal further.
            let next = solver.drawn(stream, first + 1, tiles).unwrap();
            assert!(next != expected, "{name}, {stream:?}");
        }
        assert!(draws >= 1_000_000, "{name}: {draws}");
    }
}

#[test]
fn a_shuffle_in_many_dispatches_is_the_same() {
    let Some(backend) = backend() else { return };
    let law = RewardDistribution::new("orbit", Law::Orbit(Orbit::new(values(48))));
    let solver = GpuSolver::new(backend.gpu.clone(), problem(&law)).unwrap();
    let all = |allowed| {
        let each = solver.stage.draws.dispatches(Stream::Reward, 0, allowed);
        let ranges: Vec<(u32, u32)> = each
            .iter()
            .map(|d| (d.job.range_first, d.job.range_end))
            .collect();
        ranges
    };
    // Places, blocks of words from the last one on, rewards of copies, rewards of slots.
    assert_eq!(all(1 << 20), [(0, 48), (0, 24), (0, 16), (16, 64)]);
    assert_eq!(all(10 * 32)[1..4], [(14, 24), (4, 14), (0, 4)]);
}

#[test]
fn a_fault_in_any_pass_of_drawing_is_seen() {
    let Some(backend) = backend() else { return };
    let all = laws();
    let suffix = match backend.adapter().int64 {
        true => "int64",
        false => "halves",
    };
    for (shader, from, to, law) in [
        (
            "place",
            "j < job.range_end",
            "j + 1u < job.range_end",
            "orbit of 48",
        ),
        ("shuffle", "j + 1u)", "j)", "orbit of 48"),
        (
            "shuffle",
            "(b & CHOSEN) | (a & ~CHOSEN)",
            "a",
            "5 of 48, normal",
        ),
        ("arrange", "(3u * odd) ^ 2u", "odd ^ 2u", "2 of 48"),
        ("arrange", "left[v] -= 1u;", "", "ties"),
        (
            "settle",
            "low = middle + 1u",
            "low = middle + 2u",
            "mixture",
        ),
        ("settle", "coordinate % 4u", "0u", "5 of 48, normal"),
        ("settle", "(job.turn + at)", "at", "rows"),
        (
            "draw",
            "!follows(goal, leaves[job.leaf])",
            "false",
            "mixture",
        ),
    ] {
        let name = format!("{shader}_{suffix}");
        let module = MODULES.iter().find(|m| m.name == name).unwrap();
        assert!(module.source.contains(from), "{name} has changed: {from}");
        let source: &'static str = module.source.replace(from, to).leak();
        let module: &'static ShaderModule = Box::leak(Box::new(ShaderModule { source, ..*module }));
        let wrong = own(None, Library::new().with(module));
        let (_, law) = all.iter().find(|(name, _)| *name == law).unwrap();
        let seen = match GpuSolver::new(wrong.gpu.clone(), problem(law)) {
            Err(_) => true,
            Ok(solver) => [Stream::Reward, Stream::Pilot].into_iter().any(|stream| {
                let expected = on_host(&solver, stream, 640, 10);
                solver.drawn(stream, 640, 10).unwrap() != expected
            }),
        };
        assert!(seen, "{name}: {to}");
    }
}

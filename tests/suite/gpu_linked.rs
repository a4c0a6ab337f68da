//! Linked solves on the gpu backend: against the reference, against the cpu backend on every linked intervention, and goal by goal.
#![cfg(feature = "gpu")]

use std::sync::Arc;

use powersweep::experiment::{BackendChoice, Engine, RunSpec, Statistics};
use powersweep::mdp::Mdp;
use powersweep::mdp::families::{Family, Garnet};
use powersweep::reward::{GoalLaw, Marginal, RewardDistribution};
use powersweep::rng::Stream;
use powersweep::solve::{Backend, Goals, SolveError};
use powersweep::statistics::behaviour::Drives;
use powersweep::statistics::{Blocks, EventRequest, Request};
use powersweep::{SampleIndex, Seed};

use crate::every_statistic::compared;
use crate::gpu::backend;
use crate::interventions::{LINKED, variant};
use crate::linked::{
    agrees_with_the_reference, boundaries_are_worth_what_they_stand_for, followed, mdps, problem,
    repeated_stages_equal_the_first,
};

#[test]
fn linked_stages_agree_with_the_reference() {
    let Some(backend) = backend("linked stages") else {
        return;
    };
    agrees_with_the_reference(&backend, &[1, 3], &[0.9]);
    repeated_stages_equal_the_first(&backend);
    boundaries_are_worth_what_they_stand_for(&backend, 1e-5);
}

#[test]
fn a_linked_goal_is_the_same_in_whatever_block() {
    let Some(backend) = backend("linked goals and their block") else {
        return;
    };
    let mdp = &mdps()[0];
    let coins = GoalLaw::iid(mdp, Marginal::bernoulli(0.5, 0.0, 1.0).unwrap());
    for law in [GoalLaw::unit_uniform(mdp), coins] {
        let program = followed(mdp, &law, powersweep::reward::Coupling::Independent);
        let problem = problem(program, 0.9, 1e-5);
        let solver = backend.prepare(problem.clone()).unwrap();
        let sums = solver
            .solve_block(Blocks::new(200, 256).get(0), false)
            .unwrap();
        let again = backend.prepare(problem.clone()).unwrap();
        let indices: Vec<_> = (0..200).map(SampleIndex).collect();
        let solve = |indices: &[SampleIndex]| {
            let stream = Stream::Reward;
            again
                .solve_goals(Goals::Sampled { stream, indices })
                .unwrap()
        };
        let each = solve(&indices);
        assert_eq!(solve(&indices[130..131])[0], each[130]);
        let shift = problem.power_scale().shift;
        for s in 0..mdp.n_states() {
            let tile = |goals: &[powersweep::solve::SolvedGoal]| -> f64 {
                goals.iter().map(|goal| goal.integrand[s] - shift).sum()
            };
            let sum: f64 = each.chunks(64).map(tile).sum();
            assert_eq!(sum, sums.power[s], "state {s}");
        }
        let swept: u64 = each.iter().map(|goal| u64::from(goal.sweeps)).sum();
        assert_eq!(swept, sums.sweeps);
    }
}

/// Everything asked of an agent, where a variant's goals are solved in linked stages.
fn found(engine: &Engine, mdp: &Mdp, text: &str, law: RewardDistribution, seed: u64) -> Statistics {
    let spec = RunSpec {
        environments: vec![engine.upload(mdp.clone())],
        variants: vec![variant(text)],
        rewards: vec![Arc::new(law)],
        samples: 640,
        seed: Seed(seed),
        threads: 1,
        // Rewards of choices go with readings alone.
        statistics: Request::default(),
        ..RunSpec::default()
    };
    let spec = match text.contains("impact-penalty") || text.contains("'penalty'") {
        true => spec,
        false => RunSpec {
            statistics: asked(),
            ..spec
        },
    };
    engine.run(&spec.discount(0.9).unwrap()).unwrap()
}

fn asked() -> Request {
    Request {
        optimality: vec!["start".to_owned()],
        events: vec![EventRequest {
            label: "off".to_owned(),
            ..EventRequest::default()
        }],
        drives: Drives::names().map(str::to_owned).collect(),
        ..Request::default()
    }
}

/// Estimates of two runs over the same goals that differ by more than their bounds allow, and how many there are.
fn apart(a: &Statistics, b: &Statistics) -> (Vec<String>, usize) {
    let all = compared(a, b);
    let n = all.len();
    let apart = all.into_iter().filter(|pair| pair.is_apart);
    (apart.map(|pair| pair.place).collect(), n)
}

#[test]
fn every_linked_intervention_agrees_with_the_cpu_backend() {
    let Some(backend) = backend("linked interventions") else {
        return;
    };
    let gpu = Engine::with_backend(Arc::new(backend));
    let cpu = Engine::new(BackendChoice::Cpu).unwrap();
    let world = crate::linked_interventions::world(3);
    for text in LINKED {
        let uniform = crate::linked_interventions::uniform;
        let here = found(&gpu, &world, text, uniform(), 3);
        let there = found(&cpu, &world, text, uniform(), 3);
        for run in [&here, &there] {
            assert!(run.is_complete(), "{text}: {:?}", run.failures);
            assert_eq!(run.cells[0].unconverged, 0, "{text}");
        }
        let (differences, compared) = apart(&here, &there);
        assert!(differences.is_empty(), "{text}: {differences:#?}");
        assert!(compared >= 8, "{text}: {compared}");
        // The control: other goals.
        let other = found(&cpu, &world, text, uniform(), 4);
        let (differences, _) = apart(&here, &other);
        assert!(differences.len() > compared / 4, "{text}");
    }
}

#[test]
fn beyond_single_precision_small_mdps_are_the_host_s_and_others_are_refused() {
    let Some(backend) = backend("linked stages beyond single precision") else {
        return;
    };
    let coupling = powersweep::reward::Coupling::Independent;
    let program = |mdp: &Arc<Mdp>| followed(mdp, &GoalLaw::unit_uniform(mdp), coupling);
    let small = problem(program(&mdps()[0]), 0.9, 1e-9);
    let indices: Vec<_> = (0..64).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let solved = backend.prepare(small).unwrap().solve_goals(goals).unwrap();
    assert!(solved.iter().all(|goal| goal.half_width <= 1e-9));
    let garnet = Garnet {
        states: 100,
        choices: 3,
        branching: 4,
    };
    let large = Arc::new(Family::Garnet(garnet).generate(1).unwrap());
    assert!(backend.prepare(problem(program(&large), 0.9, 1e-5)).is_ok());
    let refused = backend.prepare(problem(program(&large), 0.9, 1e-9));
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, SolveError::OutOfReach { .. }),
        "{refused}"
    );
}

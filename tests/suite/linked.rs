//! Goal programs of several stages: the backends against the reference, and against what must hold of any.

use std::sync::Arc;

use powersweep::mdp::families::{Family, Garnet, RandomDeterministic};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::plan::Plan;
use powersweep::program::{
    Drawn, Expression, GoalProgram, Human, Operator, Part, Reading, Stage, Term,
};
use powersweep::reward::{Coupling, GoalLaw, Marginal, RewardDistribution, RewardDomain};
use powersweep::rng::Stream;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, CellProblem, CellSolver, Goals, ReferenceBackend, SolvedGoal};
use powersweep::statistics::behaviour::Readings;
use powersweep::statistics::{Asked, Blocks, Observations};
use powersweep::{ChoiceId, Discount, SampleIndex, Seed, StateId};

/// A cell whose readings are observed.
pub(crate) fn problem(program: GoalProgram, gamma: f64, tolerance: f64) -> CellProblem {
    let discount = Discount::new(gamma).unwrap();
    let stage = program.stage();
    let scale = stage.law.facts().scale;
    let tolerance = tolerance * scale;
    CellProblem {
        plan: Arc::new(Plan::draw_for(&stage.mdp, discount, stage.domain)),
        discount,
        tolerance,
        max_sweeps: CellProblem::sufficient_sweeps(discount, tolerance, scale),
        seed: Seed(11),
        asked: Arc::new(Asked::default().with(Readings::of(&program, scale))),
        rule: powersweep::solve::DecisionRule::default(),
        program,
    }
}

fn solve(backend: &dyn Backend, problem: &CellProblem, goals: u64) -> Vec<SolvedGoal> {
    let indices: Vec<_> = (0..goals).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let solver = backend.prepare(problem.clone()).unwrap();
    solver.solve_goals(goals).unwrap()
}

pub(crate) fn mdps() -> Vec<Arc<Mdp>> {
    // Absorbing states, ties of equal rows, and a way back.
    let mut b = MdpBuilder::new("hub");
    let [hub, a, c, end] = ["hub", "a", "c", "end"].map(|n| b.state(n));
    b.choice(hub, "a", [(a, 1.0)]);
    b.choice(hub, "a again", [(a, 1.0)]);
    b.choice(hub, "risk", [(c, 0.5), (end, 0.25), (hub, 0.25)]);
    b.choice(a, "stay", [(a, 1.0)]);
    b.choice(a, "back", [(hub, 1.0)]);
    b.choice(c, "on", [(a, 0.5), (c, 0.5)]);
    b.choice(c, "end", [(end, 1.0)]);
    b.absorbing(end);
    let garnet = Garnet {
        states: 23,
        choices: 3,
        branching: 4,
    };
    let graph = RandomDeterministic {
        states: 40,
        choices: 3,
    };
    let all = [
        b.build().unwrap(),
        Family::Garnet(garnet).generate(1).unwrap(),
        Family::RandomDeterministic(graph).generate(2).unwrap(),
    ];
    all.into_iter().map(Arc::new).collect()
}

fn signed(name: &str, expression: Expression) -> Reading {
    Reading {
        name: name.to_owned(),
        expression,
        signed: true,
    }
}

/// What an agent loses by acting for another goal, and what acting as badly as possible does.
pub(crate) fn followed(mdp: &Arc<Mdp>, law: &Arc<GoalLaw>, coupling: Coupling) -> GoalProgram {
    let optimal = Stage::optimal(mdp.clone(), law.clone());
    let stages = vec![
        optimal.clone(),
        optimal.clone().of(Drawn::Second(coupling)),
        optimal.clone().with(Operator::Follow { stage: 1 }),
        optimal.with(Operator::Min),
    ];
    let worth = |stage| Expression::worth(stage, StateId(0));
    let readings = vec![
        signed("lost", Expression::difference(worth(0), worth(2))),
        signed(
            "above the worst",
            Expression::difference(worth(2), worth(3)),
        ),
    ];
    GoalProgram::linked(stages, 2, readings).unwrap()
}

/// Rewards of choices less the distance that a choice makes in two auxiliary values, the policy of that under the goal alone, and a human
/// who is asked.
fn penalised(mdp: &Arc<Mdp>, law: &Arc<GoalLaw>) -> GoalProgram {
    let optimal = Stage::optimal(mdp.clone(), law.clone());
    let terms = mdp.states().flat_map(|s| {
        let first = mdp.choices(s).next().unwrap();
        mdp.choices(s).map(move |c| (first, c))
    });
    let step = |stage, c: ChoiceId| {
        let (to, p) = mdp.row(c);
        let each = to.iter().zip(p);
        Expression::Worths {
            stage,
            terms: each.map(|(t, p)| (StateId(*t), *p)).collect(),
        }
    };
    let penalty = |(first, c): (ChoiceId, ChoiceId)| Term {
        row: c.0,
        expression: Expression::Sum(
            [0, 1]
                .map(|k| {
                    let change = Expression::difference(step(k, c), step(k, first));
                    (-0.75, Expression::Magnitude(Box::new(change)))
                })
                .to_vec(),
        ),
    };
    let stages = vec![
        optimal.clone().of(Drawn::Auxiliary(0)),
        optimal.clone().of(Drawn::Auxiliary(1)),
        Stage {
            domain: RewardDomain::Choice,
            terms: terms.map(penalty).collect(),
            ..optimal.clone()
        },
        optimal.clone().with(Operator::Follow { stage: 2 }),
        Stage {
            parts: vec![
                Part {
                    weight: 0.5,
                    ..Part::whole(Drawn::First)
                },
                Part {
                    weight: 0.5,
                    ..Part::whole(Drawn::Mean)
                },
            ],
            terms: vec![Term {
                row: 1,
                expression: Expression::Allowed {
                    human: Human::Probit(0.2),
                    gain: Box::new(Expression::difference(
                        Expression::worth(3, StateId(1)),
                        Expression::Constant(0.4),
                    )),
                },
            }],
            ..optimal
        },
    ];
    let worth = |stage| Expression::worth(stage, StateId(0));
    let best = Expression::Max(vec![worth(0), worth(1)]);
    let readings = vec![
        signed("gain", Expression::difference(worth(4), best)),
        signed("penalty", Expression::difference(worth(3), worth(2))),
    ];
    GoalProgram::linked(stages, 4, readings).unwrap()
}

/// The first state of a goal in which two solvers differ by more than their bounds allow.
fn difference(a: &[SolvedGoal], b: &[SolvedGoal], slack: f64) -> Option<String> {
    a.iter().zip(b).enumerate().find_map(|(goal, (a, b))| {
        let allowed = a.half_width + b.half_width;
        let each = a.integrand.iter().zip(&b.integrand).enumerate();
        let mut far = each.filter(|(_, (x, y))| {
            let distance = (*x - *y).abs();
            distance.is_nan() || distance > allowed + slack
        });
        let (state, (x, y)) = far.next()?;
        Some(format!(
            "goal {goal}, state {state}: {x} and {y}, {allowed:e}"
        ))
    })
}

/// The readings of a block of goals.
fn observations(backend: &dyn Backend, problem: &CellProblem) -> Observations {
    let solver = backend.prepare(problem.clone()).unwrap();
    let block = Blocks::new(200, 256).get(0);
    let sums = solver.solve_block(block, false).unwrap();
    assert_eq!(sums, solver.solve_block(block, true).unwrap());
    assert_eq!((sums.finished, sums.unconverged), (200, 0));
    sums.observations
}

/// Half-width of every reading: wide where it says so.
fn brackets(observations: &Observations) -> Vec<f64> {
    let mut half = vec![0.0; observations.goals() * observations.columns()];
    for u in observations.uncertain() {
        half[u.goal as usize * observations.columns() + u.column as usize] = (u.high - u.low) / 2.0;
    }
    half
}

fn readings_differ(a: &Observations, b: &Observations, moved: f64) -> bool {
    let brackets = brackets(a).into_iter().zip(brackets(b));
    let values = a.rows().flatten().zip(b.rows().flatten());
    values
        .zip(brackets)
        .any(|((x, y), (h, k))| ((x + moved) - y).abs() > h + k)
}

#[test]
fn linked_solves_agree_with_the_reference() {
    agrees_with_the_reference(&CpuBackend::new(), &[0, 1, 2, 3, 4], &[0.5, 0.95]);
}

/// On programs of these numbers, under these discounts.
pub(crate) fn agrees_with_the_reference(
    backend: &dyn Backend,
    wanted: &[usize],
    discounts: &[f64],
) {
    let judge = ReferenceBackend::new();
    for mdp in mdps() {
        let uniform = GoalLaw::unit_uniform(&mdp);
        let normal = GoalLaw::iid(&mdp, Marginal::normal(1.0, 2.0).unwrap());
        // Two values for a reward: ties everywhere.
        let coins = GoalLaw::iid(&mdp, Marginal::bernoulli(0.5, 0.0, 1.0).unwrap());
        let programs = [
            followed(&mdp, &uniform, Coupling::Independent),
            followed(&mdp, &normal, Coupling::Gaussian(0.6)),
            followed(&mdp, &coins, Coupling::Equal(0.5)),
            penalised(&mdp, &uniform),
            penalised(&mdp, &coins),
        ];
        let programs = programs.into_iter().enumerate();
        for (which, program) in programs.filter(|(which, _)| wanted.contains(which)) {
            for &gamma in discounts {
                let place = format!("{}, program {which} at {gamma}", mdp.name());
                let problem = problem(program.clone(), gamma, 1e-5);
                let solved = solve(backend, &problem, 70);
                let judged = solve(&judge, &problem, 70);
                let within = solved.iter().all(|g| g.half_width <= problem.tolerance);
                assert!(within && judged.iter().all(|g| g.converged), "{place}");
                assert_eq!(difference(&solved, &judged, 0.0), None, "{place}");
                // The control: an error of three bounds in a single state of a single goal is noticed.
                let mut moved = solved.clone();
                moved[66].integrand[1] += 3.0 * (solved[66].half_width + judged[66].half_width);
                assert!(difference(&moved, &judged, 0.0).is_some(), "{place}");
                let (fast, exact) = (
                    observations(backend, &problem),
                    observations(&judge, &problem),
                );
                assert!(!readings_differ(&fast, &exact, 0.0), "{place}");
                assert!(readings_differ(&fast, &exact, 1e-3), "{place}");
            }
        }
    }
}

#[test]
fn a_second_stage_that_repeats_the_first_equals_it() {
    repeated_stages_equal_the_first(&CpuBackend::new());
    repeated_stages_equal_the_first(&ReferenceBackend::new());
}

pub(crate) fn repeated_stages_equal_the_first(backend: &dyn Backend) {
    for mdp in mdps() {
        let law = GoalLaw::unit_uniform(&mdp);
        let optimal = Stage::optimal(mdp.clone(), law.clone());
        let plain = GoalProgram::optimal(mdp.clone(), law);
        let terms = mdp.states().map(|s| Term {
            row: s.0,
            expression: Expression::Reward { stage: 0, row: s.0 },
        });
        let again = Stage {
            parts: Vec::new(),
            terms: terms.collect(),
            ..optimal.clone()
        };
        let follow = optimal.clone().with(Operator::Follow { stage: 0 });
        let other = optimal.clone().of(Drawn::Auxiliary(3));
        let two = |second: Stage| {
            GoalProgram::linked(vec![optimal.clone(), second], 1, Vec::new()).unwrap()
        };
        let found = |program: GoalProgram| solve(backend, &problem(program, 0.9, 1e-5), 65);
        let alone = found(plain.clone());
        assert_eq!(difference(&found(two(again)), &alone, 0.0), None);
        // The optimal policy is worth what is optimal.
        assert_eq!(difference(&found(two(follow)), &alone, 0.0), None);
        assert!(difference(&found(two(other)), &alone, 0.0).is_some());
    }
}

#[test]
fn a_boundary_is_worth_what_it_stands_for() {
    boundaries_are_worth_what_they_stand_for(&CpuBackend::new(), 1e-6);
    boundaries_are_worth_what_they_stand_for(&ReferenceBackend::new(), 1e-6);
}

pub(crate) fn boundaries_are_worth_what_they_stand_for(backend: &dyn Backend, tolerance: f64) {
    // s -> gate, where a state worth as much as state `a` of another MDP stands.
    let mdp = &mdps()[0];
    let mut b = MdpBuilder::new("gate");
    let [s, gate] = ["s", "gate"].map(|n| b.state(n));
    b.choice(s, "go", [(gate, 1.0)]);
    b.absorbing(gate);
    b.reward_coordinates(vec![Some(0), None]);
    let outer = Arc::new(b.build().unwrap());
    let inner = Stage::optimal(mdp.clone(), GoalLaw::unit_uniform(mdp));
    let unit = Marginal::uniform(0.0, 1.0).unwrap();
    let law = RewardDistribution::iid("uniform", unit).with_fixed("gate", 0.0);
    let law = law.bind(&outer).unwrap().law;
    let gated = Stage {
        terms: vec![Term {
            row: gate.0,
            expression: Expression::worth(0, StateId(1)),
        }],
        ..Stage::optimal(outer, law)
    };
    let program = GoalProgram::linked(vec![inner.clone(), gated], 1, Vec::new()).unwrap();
    let alone = GoalProgram::linked(vec![inner], 0, Vec::new()).unwrap();
    let discount = Discount::new(0.9).unwrap();
    let gated = solve(backend, &problem(program, 0.9, tolerance), 64);
    let inner = solve(backend, &problem(alone, 0.9, tolerance), 64);
    for (gated, inner) in gated.iter().zip(&inner) {
        let worth = inner.worths(discount)[1];
        let allowed = gated.half_width + inner.half_width;
        // The POWER integrand of a state that leads to the gate is the gate's worth.
        assert!((gated.integrand[0] - worth).abs() <= allowed);
        assert!((gated.integrand[0] - 1.01 * worth).abs() > allowed);
    }
}

#[test]
fn readings_count_signs_and_ties() {
    // A single choice everywhere: whoever follows, nothing is lost, in every goal.
    let mut b = MdpBuilder::new("no choice");
    let [s, end] = ["s", "end"].map(|n| b.state(n));
    b.choice(s, "go", [(end, 1.0)]);
    b.absorbing(end);
    let mdp = Arc::new(b.build().unwrap());
    let law = GoalLaw::unit_uniform(&mdp);
    for (mdp, tied) in [(mdp, true), (mdps()[1].clone(), false)] {
        let law = if tied {
            law.clone()
        } else {
            GoalLaw::unit_uniform(&mdp)
        };
        let problem = problem(followed(&mdp, &law, Coupling::Independent), 0.9, 1e-5);
        for backend in [&CpuBackend::new() as &dyn Backend, &ReferenceBackend::new()] {
            let seen = observations(backend, &problem);
            // Columns: the number, above, tied, below.
            let share = |column: usize| {
                let sum: f64 = seen.rows().map(|row| row[column]).sum();
                sum / seen.goals() as f64
            };
            assert_eq!(share(1) + share(2) + share(3), 1.0);
            assert_eq!(share(3), 0.0, "nothing beats the optimum");
            assert_eq!(share(2) == 1.0, tied);
            let open = seen.uncertain().iter().filter(|u| u.column % 4 != 0);
            assert_eq!(open.count(), 0);
        }
    }
}

#[test]
fn what_only_plain_cells_can_do_is_refused() {
    let mdp = &mdps()[0];
    let law = GoalLaw::unit_uniform(mdp);
    let problem = problem(followed(mdp, &law, Coupling::Independent), 0.9, 1e-5);
    let given = [vec![0.0; mdp.n_states()]];
    for backend in [&CpuBackend::new() as &dyn Backend, &ReferenceBackend::new()] {
        let solver: Box<dyn CellSolver> = backend.prepare(problem.clone()).unwrap();
        let error = solver.solve_goals(Goals::Given(&given)).unwrap_err();
        let expected = format!(
            "the {} backend does not support given goals where there are linked solves (4 for every goal) yet",
            backend.name()
        );
        assert_eq!(error.to_string(), expected);
    }
}

//! Hand-computed cases, closed forms, and controls that must fail.

use std::sync::Arc;

use super::certificate::Certificate;
use super::model::Model;
use super::*;
use crate::mdp::{Mdp, MdpBuilder};
use crate::plan::Plan;
use crate::reward::{GoalLaw, RewardDomain};
use crate::solve::GoalProgram;
use crate::statistics::{Blocks, CellSums};
use crate::units::{Discount, Seed};

/// A solver for goals on `mdp`, uniform on [0, 1).
fn solver(mdp: Mdp, gamma: f64, max_sweeps: u32) -> Box<dyn CellSolver> {
    let discount = Discount::new(gamma).unwrap();
    let plan = Arc::new(Plan::draw(&mdp, discount));
    let law = GoalLaw::unit_uniform(&mdp);
    let program = GoalProgram::optimal(Arc::new(mdp), law);
    let problem = CellProblem {
        program,
        discount,
        tolerance: 1e-9,
        max_sweeps,
        seed: Seed(7),
        plan,
        asked: Arc::default(),
        rule: crate::solve::DecisionRule::default(),
    };
    ReferenceBackend::new().prepare(problem).unwrap()
}

/// `a` may go to `b` or risk it (half the time to `b`, half the time staying); `b` is absorbing.
fn two_states() -> Mdp {
    let mut builder = MdpBuilder::new("two states");
    let (a, b) = (builder.state("a"), builder.state("b"));
    builder.choice(a, "go", [(b, 1.0)]);
    builder.choice(a, "risk", [(a, 0.5), (b, 0.5)]);
    builder.absorbing(b);
    builder.build().unwrap()
}

fn star(leaves: usize) -> Mdp {
    let mut builder = MdpBuilder::new("star");
    let hub = builder.state("hub");
    for i in 0..leaves {
        let leaf = builder.state(format!("leaf{i}"));
        builder.choice(hub, format!("go{i}"), [(leaf, 1.0)]);
        builder.absorbing(leaf);
    }
    builder.build().unwrap()
}

/// A ring of `n` states, each of which may also stay, with noise between the neighbours.
fn noisy_ring(n: u32) -> Mdp {
    let mut builder = MdpBuilder::new("ring");
    let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
    for i in 0..n as usize {
        let (s, next) = (states[i], states[(i + 1) % n as usize]);
        let last = states[(i + n as usize - 1) % n as usize];
        builder.choice(s, "next", [(next, 0.8), (last, 0.1), (s, 0.1)]);
        builder.choice(s, "last", [(last, 0.8), (next, 0.1), (s, 0.1)]);
        builder.choice(s, "stay", [(s, 0.8), (next, 0.1), (last, 0.1)]);
    }
    builder.build().unwrap()
}

/// Whether a solved goal's interval holds the exact integrands, and its values the exact values.
fn holds(solved: &SolvedGoal, exact: &[f64]) -> bool {
    let each = solved.integrand.iter().zip(exact);
    each.clone()
        .all(|(x, e)| (x - e).abs() <= solved.half_width)
}

#[test]
fn two_states_solved_by_hand() {
    // gamma = 1/2. V(b) = 2 R(b). From `a`, "go": R(a) + V(b)/2; "risk": V = R(a) + V/4 + V(b)/4.
    for (rewards, value_of_a) in [
        ([0.0, 1.0], 1.0),                        // go: 0 + 1; risk: (0 + 1/2) 4/3 = 2/3
        ([1.0, 0.0], 4.0 / 3.0),                  // go: 1; risk: 4/3
        ([0.5, 0.25], (0.5 + 0.125) * 4.0 / 3.0), // go: 3/4; risk: 5/6
    ] {
        let solver = solver(two_states(), 0.5, 100);
        let given = [rewards.to_vec()];
        let solved = &solver.solve_goals(Goals::Given(&given)).unwrap()[0];
        let exact = [value_of_a - rewards[0], rewards[1]];
        assert!(solved.converged && solved.half_width < 1e-14, "{solved:?}");
        assert!(holds(solved, &exact), "{solved:?}");
        let values = solved.values(solver.problem().discount);
        assert!((values[0] - value_of_a).abs() <= solved.half_width);
        // The control: a value that is off by three half-widths is noticed.
        let moved = [exact[0] + 3.0 * solved.half_width, exact[1]];
        assert!(!holds(solved, &moved));
    }
}

#[test]
fn a_star_is_worth_its_best_leaf_at_every_discount() {
    for gamma in [0.1, 0.5, 0.9, 0.99, 0.999] {
        let solver = solver(star(5), gamma, 100);
        let indices: Vec<_> = (0..200).map(SampleIndex).collect();
        let goals = Goals::Sampled {
            stream: Stream::Reward,
            indices: &indices,
        };
        for solved in solver.solve_goals(goals).unwrap() {
            let leaves = &solved.rewards[1..];
            let mut exact = solved.rewards.clone();
            exact[0] = leaves.iter().fold(0.0, |m: f64, &r| m.max(r));
            assert!(holds(&solved, &exact), "gamma {gamma}: {solved:?}");
            assert!(solved.half_width < 1e-11, "gamma {gamma}: {solved:?}");
            exact[3] += 3.0 * solved.half_width;
            assert!(!holds(&solved, &exact));
        }
    }
}

#[test]
fn sweeps_and_policy_iteration_agree_within_their_bounds() {
    let mdp = noisy_ring(40);
    for gamma in [0.1, 0.9, 0.99, 0.999] {
        let model = Model::new(&mdp, Discount::new(gamma).unwrap(), RewardDomain::State);
        for goal in 0..5 {
            let seed = Seed(goal);
            let drawn = GoalLaw::unit_uniform(&mdp).draw(seed, Stream::Reward, SampleIndex(0));
            let rewards: Vec<f64> = drawn.into_iter().map(f64::from).collect();
            let (exact, policies) = iteration::iterate_policies(&model, &rewards, 500).unwrap();
            let (swept, _) = iteration::sweep(&model, &rewards, 200_000);
            assert!(policies < 20, "{policies} policies");
            let exact = Certificate::of(&model, &rewards, &exact);
            let swept = Certificate::of(&model, &rewards, &swept);
            assert!(exact.is_settled(), "gamma {gamma}: {exact:?}");
            assert!(swept.half_width() < 2e-12, "gamma {gamma}: {swept:?}");
            let allowed = exact.half_width() + swept.half_width();
            for (a, b) in exact.integrand.iter().zip(&swept.integrand) {
                assert!((a - b).abs() <= allowed, "gamma {gamma}: {a} and {b}");
            }
        }
    }
}

#[test]
fn values_cut_short_are_bounded_and_marked() {
    let cut = solver(noisy_ring(700), 0.99, 3);
    let full = solver(noisy_ring(700), 0.99, 10_000);
    let indices = [SampleIndex(0), SampleIndex(1)];
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let full = full.solve_goals(goals).unwrap();
    for (cut, full) in cut.solve_goals(goals).unwrap().iter().zip(&full) {
        assert!(full.converged && !cut.converged);
        assert!(cut.half_width > 1e-3, "three sweeps prove little");
        let both = cut.half_width + full.half_width;
        for (a, b) in cut.integrand.iter().zip(&full.integrand) {
            assert!((a - b).abs() <= both);
        }
    }
}

#[test]
fn sums_do_not_depend_on_threads_and_agree_with_single_goals() {
    let solver = solver(star(4), 0.9, 100);
    let block = Blocks::new(1_000, 256).get(1);
    let alone = solver.solve_block(block, false).unwrap();
    assert_eq!(alone, solver.solve_block(block, true).unwrap());
    assert_eq!(alone.finished, 256);

    let indices: Vec<_> = (256..512).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let shift = solver.problem().power_scale().shift;
    let solved = solver.solve_goals(goals).unwrap();
    let sum: f64 = solved.iter().map(|g| g.integrand[0] - shift).sum();
    assert!((sum - alone.power[0]).abs() < 256.0 * 256.0 * f64::EPSILON);

    let mut cell = CellSums::new(5, solver.problem().power_scale());
    cell.add_block(&alone).unwrap();
    assert_eq!(cell.goals, 256);
}

#[test]
fn given_goals_are_checked() {
    let solver = solver(star(2), 0.9, 100);
    let short = [vec![0.0; 3], vec![0.0; 2]];
    let error = solver.solve_goals(Goals::Given(&short)).unwrap_err();
    assert_eq!(error.to_string(), "goal 1: 2 rewards, 3 are needed");
    let infinite = [vec![0.0, f64::INFINITY, 0.0]];
    let error = solver.solve_goals(Goals::Given(&infinite)).unwrap_err();
    assert_eq!(error.to_string(), "goal 0: reward number 1 is inf");
}

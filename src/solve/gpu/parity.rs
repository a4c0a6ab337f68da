//! Kernels against the reference and against each other, at sizes and in company that a backend would not choose by itself.

use std::sync::Arc;

use super::cover::{Cover, HostTiles};
use super::draws::Draws;
use super::group::Source;
use super::layout::FLAG_KEEP;
use super::stage::Kind;
use super::tests::{backend, block_on, broken, full, moves, own, problem, problem_on, slow, terms};
use super::*;
use crate::mdp::families::{Chain, Family, GridWorld};
use crate::plan::{Percent, Schedule};
use crate::reward::{Marginal, RewardDistribution, RewardDomain};
use crate::rng::Stream;
use crate::solve::{GoalProgram, Goals, ReferenceBackend, SolvedGoal};
use crate::statistics::{BlockSums, Blocks, TILE};
use crate::units::SampleIndex;

#[test]
fn where_work_is_cut_changes_no_number() {
    if backend().is_none() {
        return;
    }
    let (moves, terms, full) = (moves(40, 3), terms(40, 3), full(40, 3));
    for (family, method, keeping) in [
        (&full, Method::Jacobi, Keeping::Storage),
        (&moves, Method::InPlace, Keeping::Storage),
        (&moves, Method::InPlace, Keeping::Workgroup),
        (&moves, Method::InPlace, Keeping::Registers),
        (&moves, Method::InPlace, Keeping::Phases),
        (&terms, Method::InPlace, Keeping::Phases),
        (&terms, Method::Jacobi, Keeping::Storage),
        (&terms, Method::OverRelaxed, Keeping::Storage),
        (&terms, Method::OverRelaxed, Keeping::Workgroup),
        (&terms, Method::OverRelaxed, Keeping::Phases),
        (&moves, Method::OverRelaxed, Keeping::Phases),
    ] {
        let mut problem = problem_on(family, method);
        let plan = (*problem.plan).clone();
        // So far that no goal is done before values go no further than to their backups, which is after 15 sweeps.
        problem.plan = Arc::new(plan.with_schedule(Schedule {
            relaxation: Percent(195),
            first_check: 10,
            ..problem.plan.schedule()
        }));
        let whole = own(Some(keeping), Library::new());
        let cut = slow(Some(keeping));
        let whole = block_on(&whole, problem.clone()).unwrap();
        assert_eq!(block_on(&cut, problem).unwrap(), whole, "{keeping:?}");
        assert!(method != Method::OverRelaxed || whole.sweeps_max > 16);
    }
}

#[test]
fn blocks_that_go_to_the_device_together_are_summed_apart() {
    if backend().is_none() {
        return;
    }
    let (moves, terms, full) = (moves(40, 3), terms(40, 3), full(40, 3));
    let blocks = [0, 1, 2].map(|index| Blocks::new(300, 128).get(index));
    for (family, method, keeping) in [
        (&moves, Method::InPlace, Keeping::Registers),
        (&moves, Method::InPlace, Keeping::Phases),
        (&terms, Method::InPlace, Keeping::Storage),
        (&full, Method::Jacobi, Keeping::Storage),
    ] {
        let backend = own(Some(keeping), Library::new());
        // Enough sweeps for all goals, and for some.
        for max_sweeps in [10_000, 6] {
            let solver = backend.prepare(CellProblem {
                max_sweeps,
                ..problem_on(family, method)
            });
            let solver = solver.unwrap();
            let each = |sums: Vec<Result<BlockSums, SolveError>>| {
                sums.into_iter().map(Result::unwrap).collect::<Vec<_>>()
            };
            let together = each(solver.solve_blocks(&blocks, false));
            let alone = blocks.map(|block| solver.solve_block(block, false));
            assert_eq!(
                together,
                each(alone.into()),
                "{keeping:?}, {max_sweeps} sweeps"
            );
            assert!(together.iter().map(|s| s.finished).eq([128, 128, 44]));
            let missed = together.iter().any(|s| s.unconverged > 0);
            assert_eq!(missed, max_sweeps == 6, "{keeping:?}");
            // The control: blocks differ.
            assert!(together[0].power != together[1].power);
        }
    }
    // What is added to another block's sums is missed in its own.
    for (name, from, to) in [
        (
            "reduce",
            "group.x / job.block_tiles",
            "group.x / job.block_tiles * 0u",
        ),
        (
            "tally",
            "group.x / job.block_tiles",
            "group.x / job.block_tiles * 0u",
        ),
    ] {
        let backend = broken(name, from, to).unwrap();
        let solver = backend.prepare(problem(Method::InPlace)).unwrap();
        let outcomes = solver.solve_blocks(&blocks, false);
        assert!(
            outcomes.iter().all(Result::is_err) && outcomes.len() == 3,
            "{name}"
        );
        assert!(solver.solve_block(blocks[0], false).is_ok());
    }
}

#[test]
fn what_keeps_the_values_is_chosen_by_size_and_matters_to_no_more_than_rounding() {
    let Some(sound) = backend() else { return };
    let certain = problem(Method::InPlace);
    assert_eq!(
        Keeping::of(certain.plan.model(), 1 << 20),
        Keeping::Registers
    );
    let sparse = problem_on(&terms(40, 3), Method::InPlace);
    let model = sparse.plan.model();
    for (room, keeping) in [
        (40 * 64 * 4, Keeping::Workgroup),
        (40 * 64 * 4 - 1, Keeping::Phases),
        (40 * 4 * 4, Keeping::Phases),
        (40 * 4 * 4 - 1, Keeping::Storage),
    ] {
        assert_eq!(Keeping::of(model, room), keeping, "{room} bytes");
    }
    // So many phases that a sweep waits longer for them than for memory.
    let corridor = Family::Chain(Chain {
        states: 300,
        two_way: true,
        stay: true,
    });
    let corridor = problem_on(&corridor, Method::InPlace);
    let room = 300 * 64;
    assert_eq!(Keeping::of(corridor.plan.model(), room), Keeping::Storage);
    let indices: Vec<_> = (0..128).map(SampleIndex).collect();
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &indices,
    };
    let solve = |backend: &GpuBackend, problem: &CellProblem| {
        let solver = backend.prepare(problem.clone()).unwrap();
        solver.solve_goals(goals).unwrap()
    };
    for problem in [certain, sparse] {
        let chosen = solve(sound, &problem);
        for keeping in [Keeping::Storage, Keeping::Workgroup, Keeping::Phases] {
            let found = solve(&own(Some(keeping), Library::new()), &problem);
            for (a, b) in chosen.iter().zip(&found) {
                let allowed = a.half_width + b.half_width;
                let off = a.integrand.iter().zip(&b.integrand);
                assert!(off.clone().all(|(x, y)| (x - y).abs() <= allowed));
                assert_eq!(a.rewards, b.rewards);
                // The control: another goal is another.
                let other = &found[usize::from(a.rewards == found[0].rewards)].integrand;
                let off = a.integrand.iter().zip(other);
                assert!(off.clone().any(|(x, y)| (x - y).abs() > allowed));
            }
        }
    }
}

#[test]
fn sweeps_in_registers_are_not_given_up_for_over_relaxed_ones_but_by_who_asks() {
    let Some(backend) = backend() else { return };
    let (small, large) = (
        problem(Method::InPlace),
        problem_on(&moves(257, 3), Method::InPlace),
    );
    assert!(!backend.may_relax(&small) && backend.may_relax(&large));
    let forced = crate::solve::pilot(&small, backend, Some(Method::OverRelaxed)).unwrap();
    assert_eq!(forced.0.method, Method::OverRelaxed);
    let (_, report) = crate::solve::pilot(&small, backend, None).unwrap();
    assert!(report.candidates.iter().all(|c| c.method != "over-relaxed"));
    // The control: rows with weights do not fit there.
    let noisy = problem_on(&terms(40, 3), Method::InPlace);
    let (_, report) = crate::solve::pilot(&noisy, backend, None).unwrap();
    assert!(report.candidates.iter().any(|c| c.method == "over-relaxed"));
}

/// On a noisy grid, wherever values are kept.
#[test]
fn values_that_go_further_than_to_their_backups_arrive_sooner() {
    if backend().is_none() {
        return;
    }
    let grid = GridWorld::noisy(9, 9, 0.0, 0.2);
    let problem = |method, percent| {
        let mut problem = problem_on(&grid, method);
        let plan = (*problem.plan).clone();
        problem.plan = Arc::new(plan.with_schedule(Schedule {
            relaxation: Percent(percent),
            ..problem.plan.schedule()
        }));
        problem
    };
    for keeping in [Keeping::Storage, Keeping::Workgroup, Keeping::Phases] {
        let backend = own(Some(keeping), Library::new());
        let block = |method, percent| block_on(&backend, problem(method, percent)).unwrap();
        let (further, plain) = (
            block(Method::OverRelaxed, 120),
            block(Method::OverRelaxed, 100),
        );
        assert_eq!((further.finished, further.unconverged), (100, 0));
        assert!(further.sweeps < plain.sweeps, "{keeping:?}");
        // Beyond twice as far nothing converges, and values go to their backups in the end.
        let too_far = block(Method::OverRelaxed, 195);
        assert_eq!((too_far.finished, too_far.unconverged), (100, 0));
        assert!(too_far.sweeps > plain.sweeps, "{keeping:?}");
        let in_place = block(Method::InPlace, 100);
        assert!(further.sweeps < in_place.sweeps, "{keeping:?}");
    }
}

/// Levels are another way to go through the same order. Where products and sums are not fused one way here and another there, as on software adapters, the numbers are the same.
#[test]
fn levels_compute_what_sweep_order_does() {
    let Some(sound) = backend() else { return };
    let is_software = sound.adapter().kind == AdapterKind::Software;
    let problem = problem_on(&moves(257, 3), Method::InPlace);
    let block = |backend: &GpuBackend| block_on(backend, problem.clone()).unwrap();
    let in_order = block(&own(Some(Keeping::Storage), Library::new()));
    let by_level = block(&own(Some(Keeping::Phases), Library::new()));
    assert!(!is_software || by_level == in_order);
    // The control: phases from the last to the first, forwards too.
    let (from, to) = (
        "let backwards = ALTERNATES && (",
        "let backwards = true || (",
    );
    let wrong = block(&broken("in_phases_moves", from, to).unwrap());
    assert!(wrong != in_order);
}

/// The first goal in which two solvers differ by more than their bounds allow. One goal is not another one.
fn difference(found: &[SolvedGoal], judged: &[SolvedGoal]) -> Option<String> {
    let far = |a: &SolvedGoal, b: &SolvedGoal| {
        let pairs = a.integrand.iter().zip(&b.integrand);
        pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    };
    let pairs = found.iter().zip(judged).enumerate();
    pairs.into_iter().find_map(|(i, (a, b))| {
        let allowed = a.half_width + b.half_width;
        let other = &judged[(i + 1) % judged.len()];
        let same = a.converged && a.rewards == b.rewards && far(a, b) <= allowed;
        let told_apart = judged.len() == 1 || far(a, other) > 2.0 * allowed;
        (!same || !told_apart).then(|| format!("goal {i}: {:e}, allowed {allowed:e}", far(a, b)))
    })
}

#[test]
fn rows_that_are_multiplied_whole_agree_with_the_reference() {
    if backend().is_none() {
        return;
    }
    let numbers = [0, 5, 63, (1 << 33) + 5].map(SampleIndex);
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &numbers,
    };
    let product = |problem: &CellProblem, backend: &GpuBackend| {
        let solver = GpuSolver::new(backend.gpu.clone(), problem.clone()).unwrap();
        solver.stage.kernels.product.is_some()
    };
    let solve = |problem: &CellProblem, backend: &dyn Backend| {
        let solver = backend.prepare(problem.clone()).unwrap();
        solver.solve_goals(goals).unwrap()
    };
    let sound = own(None, Library::new());
    let (from, to) = ("part_3 += upper.w * x;", "part_3 += upper.z * x;");
    let wrong = broken("product", from, to).unwrap();
    for states in [16, 31, 32, 33, 63, 64, 65, 257] {
        for choices in [1, 2, 5] {
            let problem = problem_on(&full(states, choices), Method::Jacobi);
            assert!(product(&problem, &sound), "{states} states");
            let judged = solve(&problem, &ReferenceBackend::new());
            let place = format!("{states} states, {choices} choices");
            let found = solve(&problem, &sound);
            assert_eq!(difference(&found, &judged), None, "{place}");
            // The control: one row in eight is another one.
            let found = solve(&problem, &wrong);
            assert!(difference(&found, &judged).is_some(), "{place}");
        }
    }
    // Sharper than their rounding is known to be: sums of differences.
    let mut sharp = problem_on(&full(40, 2), Method::Jacobi);
    assert!(product(&sharp, &sound));
    sharp.tolerance = 2e-6;
    assert!(!product(&sharp, &sound));
    let (found, judged) = (
        solve(&sharp, &sound),
        solve(&sharp, &ReferenceBackend::new()),
    );
    assert_eq!(difference(&found, &judged), None);
}

#[test]
fn states_side_by_side_agree_with_the_reference_at_every_size() {
    if backend().is_none() {
        return;
    }
    let numbers = [0, 5, 63, (1 << 33) + 5].map(SampleIndex);
    let goals = Goals::Sampled {
        stream: Stream::Reward,
        indices: &numbers,
    };
    let backend = own(Some(Keeping::Phases), Library::new());
    // Sizes that other kernels are chosen for; those that it is made for are in the suite, but for rewards of choices.
    for states in [1, 2, 31, 32, 33, 63, 64, 65, 257] {
        let all = [1, 2, 5];
        for &choices in if states == 257 { &all[1..2] } else { &all } {
            for family in [moves(states, choices), terms(states, choices)] {
                let mut problem = problem_on(&family, Method::InPlace);
                // Rewards of choices are another reading of the same rows.
                let both = [RewardDomain::State, RewardDomain::Choice];
                let domains = match (states, choices) {
                    (2 | 33 | 257, 2) => &both[..],
                    _ => &both[..1],
                };
                for &domain in domains {
                    let mdp = problem.program.stage().mdp.clone();
                    let law = RewardDistribution::iid("law", Marginal::uniform(0.0, 1.0).unwrap());
                    let bound = law.on(domain).bind(&mdp).unwrap();
                    problem.program = GoalProgram::optimal(bound.mdp, bound.law);
                    problem.plan = Arc::new(Plan::draw_for(&mdp, problem.discount, domain));
                    let solve = |backend: &dyn Backend| {
                        let solver = backend.prepare(problem.clone()).unwrap();
                        solver.solve_goals(goals).unwrap()
                    };
                    let place = format!("{states} states, {choices} choices, {domain:?}");
                    let (found, judged) = (solve(&backend), solve(&ReferenceBackend::new()));
                    assert_eq!(difference(&found, &judged), None, "{place}");
                }
            }
        }
    }
}

/// Which goals are in the other lanes, and which of them are done, is nothing to a goal.
#[test]
fn a_goal_is_the_same_in_whatever_company() {
    if backend().is_none() {
        return;
    }
    let (moves, terms, full) = (moves(40, 3), terms(40, 3), full(40, 3));
    for (family, method, keeping) in [
        (&moves, Method::InPlace, Keeping::Storage),
        (&moves, Method::InPlace, Keeping::Phases),
        (&terms, Method::InPlace, Keeping::Phases),
        (&full, Method::Jacobi, Keeping::Storage),
    ] {
        let problem = problem_on(family, method);
        let gpu = own(Some(keeping), Library::new()).gpu;
        let cover = Cover::new(0.0, 1.0);
        let none = (&Draws::default(), Kind::Plain { whole_rows: true });
        let solver = GpuSolver::with_scale(gpu, problem, cover.scale(), 1e-5, none).unwrap();
        // Half of them have one reward in a hundred states' worth: they are done after a sweep or two.
        let goal = |lane: usize, row: usize| match lane % 2 {
            0 => (lane * 7_919 + row * row * 104_729) as u32 % (1 << 24),
            _ => 1 << (lane % 20),
        };
        let solve = |turn: usize| {
            let steps = (0..40 * TILE).map(|at| goal((at % TILE + turn) % TILE, at / TILE));
            let tile = HostTiles::of_steps(steps.collect(), &solver.stage.stays);
            let workspace = solver.stage.workspace((1, 1)).unwrap();
            let source = Source::Put(&tile);
            let stage = &solver.stage;
            stage
                .solve(&workspace, source, (TILE as u32, 1), FLAG_KEEP)
                .unwrap();
            let read = stage.read_back(&workspace).unwrap();
            let each = (0..TILE).map(|lane| {
                let at = (lane + TILE - turn) % TILE;
                let values = (0..40).map(|row| stage.integrand(&read, at, row));
                (
                    values.collect::<Vec<_>>(),
                    read.lanes[at].half_width,
                    read.lanes[at].sweeps,
                )
            });
            each.collect::<Vec<_>>()
        };
        let here = solve(0);
        let sweeps = here.iter().map(|goal| goal.2);
        assert!(sweeps.clone().min() < sweeps.max(), "some are done earlier");
        assert_eq!(solve(13), here, "{keeping:?}");
        assert!(here[0] != here[2], "the control");
    }
}

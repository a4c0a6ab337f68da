//! What must not change, or must change in a known way, when the question is put differently.
//!
//! Every property is checked on every backend on random MDPs. Differences are held against the certified bounds of the
//! goals involved plus, where a property itself rounds, an allowance that is derived where it is used.

use std::sync::Arc;

use powersweep::mdp::families::{Family, Garnet};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::Uniform;
use powersweep::rng::Stream;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, CellSolver, Goals, ReferenceBackend, SolvedGoal};
use powersweep::statistics::{Blocks, CellSums};
use powersweep::units::StateId;
use powersweep::{Discount, SampleIndex};
use proptest::prelude::*;

use super::parity::{problem, solve};

const TOLERANCE: f64 = 1e-5;

/// Rounding of one f64 operation, relative.
const U: f64 = f64::EPSILON / 2.0;

fn backends() -> [Box<dyn Backend>; 2] {
    [
        Box::new(ReferenceBackend::new()),
        Box::new(CpuBackend::new()),
    ]
}

/// A few goals, in one tile.
fn numbers() -> Vec<SampleIndex> {
    [0, 1, 40].map(SampleIndex).to_vec()
}

fn solver(backend: &dyn Backend, mdp: &Arc<Mdp>, law: Uniform, gamma: f64) -> Box<dyn CellSolver> {
    let problem = problem(mdp, law, gamma, TOLERANCE);
    backend.prepare(problem).unwrap()
}

fn sampled(backend: &dyn Backend, mdp: &Arc<Mdp>, gamma: f64) -> Vec<SolvedGoal> {
    solve(&*solver(backend, mdp, Uniform::unit(), gamma), &numbers())
}

fn given(solver: &dyn CellSolver, goal: Vec<f64>) -> SolvedGoal {
    let mut solved = solver.solve_goals(Goals::Given(&[goal])).unwrap();
    solved.remove(0)
}

/// The first state of `a` whose integrand is not that of `state_of(s)` in `b`, within the bounds and `extra`.
fn differs(
    a: &SolvedGoal,
    b: &SolvedGoal,
    extra: f64,
    state_of: impl Fn(usize) -> usize,
) -> Option<usize> {
    let allowed = a.half_width + b.half_width + extra;
    let close = |s: usize| (a.integrand[s] - b.integrand[state_of(s)]).abs() <= allowed;
    (0..a.integrand.len()).find(|&s| !close(s))
}

/// An MDP in the open: states with their names and reward coordinates, rows by state.
#[derive(Clone, Debug)]
struct Open {
    names: Vec<String>,
    coordinates: Vec<u32>,
    rows: Vec<Vec<Vec<(u32, f64)>>>,
}

impl Open {
    fn of(mdp: &Mdp) -> Self {
        let row = |choice| {
            let (to, p) = mdp.row(choice);
            to.iter().copied().zip(p.iter().copied()).collect()
        };
        let name = |s| mdp.state_name(s).to_owned();
        Self {
            names: mdp.states().map(name).collect(),
            coordinates: (0..mdp.n_states() as u32).collect(),
            rows: mdp
                .states()
                .map(|s| mdp.choices(s).map(row).collect())
                .collect(),
        }
    }

    fn close(&self) -> Arc<Mdp> {
        let mut builder = MdpBuilder::new("open");
        for name in &self.names {
            builder.state(name);
        }
        for (state, choices) in self.rows.iter().enumerate() {
            for (number, row) in choices.iter().enumerate() {
                let to = row.iter().map(|&(s, p)| (StateId(s), p));
                builder.choice(StateId(state as u32), format!("a{number}"), to);
            }
        }
        builder.reward_coordinates(self.coordinates.iter().copied().map(Some).collect());
        Arc::new(builder.build().unwrap())
    }

    /// State `s` becomes `to[s]`, under another name, with its coordinate.
    fn moved(&self, to: &[usize]) -> Self {
        let mut moved = self.clone();
        for (old, &new) in to.iter().enumerate() {
            moved.names[new] = format!("was {}", self.names[old]);
            moved.coordinates[new] = self.coordinates[old];
            let row = |row: &Vec<(u32, f64)>| {
                let place = |&(s, p): &(u32, f64)| (to[s as usize] as u32, p);
                row.iter().map(place).collect()
            };
            moved.rows[new] = self.rows[old].iter().map(row).collect();
        }
        moved
    }

    /// A second state from which the same can be done, with the reward of `coordinate`, in the place of the first for every other state.
    fn with_twin_of(&self, state: usize, coordinate: u32) -> Self {
        let twin = self.names.len() as u32;
        let mut larger = self.clone();
        larger.names.push("twin".to_owned());
        larger.coordinates.push(coordinate);
        larger.rows.push(self.rows[state].clone());
        let others = larger.rows.iter_mut().step_by(2);
        for (to, _) in others.flatten().flatten() {
            if *to as usize == state {
                *to = twin;
            }
        }
        larger
    }

    /// A new state at row `at`, with a coordinate of its own, from which every other can be reached.
    fn with_state_at(&self, at: usize) -> Self {
        let n = self.names.len() as u32;
        let shifted = |s: u32| if s as usize >= at { s + 1 } else { s };
        let mut larger = self.clone();
        for (s, _) in larger.rows.iter_mut().flatten().flatten() {
            *s = shifted(*s);
        }
        larger.names.insert(at, "inserted".to_owned());
        larger.coordinates.insert(at, n);
        let choices = (0..n).map(|s| vec![(shifted(s), 1.0)]);
        larger.rows.insert(at, choices.collect());
        larger
    }
}

/// A random MDP and a discount.
fn cells() -> impl Strategy<Value = (Arc<Mdp>, f64)> {
    let shape = (1..24_u64, 1..4_u64, 1..4_u64, any::<u32>());
    let gamma = prop_oneof![Just(0.1), Just(0.5), Just(0.9), Just(0.97)];
    (shape, gamma).prop_map(|((states, choices, branching, seed), gamma)| {
        let garnet = Garnet {
            states,
            choices,
            branching: branching.min(states),
        };
        let mdp = Family::Garnet(garnet).generate(u64::from(seed)).unwrap();
        (Arc::new(mdp), gamma)
    })
}

/// A random MDP, a discount, and where each of its states goes.
fn permuted_cells() -> impl Strategy<Value = (Arc<Mdp>, f64, Vec<usize>)> {
    cells().prop_flat_map(|(mdp, gamma)| {
        let order: Vec<usize> = (0..mdp.n_states()).collect();
        (Just(mdp), Just(gamma), Just(order).prop_shuffle())
    })
}

/// Which of the paper's bounds the mean over some goals breaks; `pair` lead to each other.
fn out_of_bounds(
    mdp: &Mdp,
    discount: Discount,
    goals: &[SolvedGoal],
    pair: (usize, usize),
) -> Option<&'static str> {
    let (gamma, complement) = (discount.used(), discount.complement());
    let mean = |of: &dyn Fn(&SolvedGoal) -> f64| -> f64 {
        goals.iter().map(of).sum::<f64>() / goals.len() as f64
    };
    let wide = 2.0 * mean(&|goal| goal.half_width) + 64.0 * U;
    let largest = mean(&|goal| goal.rewards.iter().copied().fold(0.0, f64::max));
    let power: Vec<f64> = mdp
        .states()
        .map(|s| mean(&|goal| goal.integrand[s.index()]))
        .collect();
    if power.iter().any(|x| *x > largest + wide) {
        return Some("proposition 5.4");
    }
    if (power[pair.0] - power[pair.1]).abs() > complement + wide {
        return Some("proposition 5.5");
    }
    for state in mdp.states() {
        let ahead = |of: &dyn Fn(usize) -> f64| -> Vec<f64> {
            let choices = mdp.choices(state).map(|choice| {
                let (to, p) = mdp.row(choice);
                let each = to.iter().zip(p);
                each.map(|(&t, p)| p * of(t as usize)).sum()
            });
            choices.collect()
        };
        let reward = |t: usize| mean(&|goal| goal.rewards[t]);
        let least = ahead(&reward).into_iter().fold(1.0, f64::min);
        let most = ahead(&|t| power[t]).into_iter().fold(0.0, f64::max);
        if power[state.index()] < complement * least + gamma * most - wide {
            return Some("lemma E.39");
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn renaming_and_reordering_states_permutes_results((mdp, gamma, to) in permuted_cells()) {
        let moved = Open::of(&mdp).moved(&to).close();
        for backend in backends() {
            let before = sampled(&*backend, &mdp, gamma);
            let after = sampled(&*backend, &moved, gamma);
            for (a, b) in before.iter().zip(&after) {
                for (s, &t) in to.iter().enumerate() {
                    prop_assert_eq!(a.rewards[s], b.rewards[t]);
                }
                prop_assert_eq!(differs(a, b, 0.0, |s| to[s]), None);
            }
        }
    }

    #[test]
    fn powers_of_two_scale_exactly((mdp, gamma) in cells(), exponent in -20..20_i32) {
        let scale = 2f64.powi(exponent);
        let scaled_law = Uniform::new(-0.5 * scale, scale).unwrap();
        for backend in backends() {
            let one = solver(&*backend, &mdp, Uniform::new(-0.5, 1.0).unwrap(), gamma);
            let scaled = solver(&*backend, &mdp, scaled_law, gamma);
            for (a, b) in solve(&*one, &numbers()).iter().zip(solve(&*scaled, &numbers())) {
                let times = |x: &[f64]| x.iter().map(|x| x * scale).collect::<Vec<_>>();
                prop_assert_eq!(times(&a.rewards), b.rewards);
                prop_assert_eq!(times(&a.integrand), b.integrand);
                prop_assert_eq!(a.half_width * scale, b.half_width);
            }
        }
    }

    #[test]
    fn rewards_a_r_plus_b_give_a_power_plus_b(
        (mdp, gamma) in cells(),
        a in 0.01..100.0_f64,
        b in -100.0..100.0_f64,
    ) {
        for backend in backends() {
            let solver = solver(&*backend, &mdp, Uniform::unit(), gamma);
            for plain in solve(&*solver, &numbers()) {
                let moved: Vec<f64> = plain.rewards.iter().map(|r| a * r + b).collect();
                let found = given(&*solver, moved);
                let expected = SolvedGoal {
                    integrand: plain.integrand.iter().map(|x| a * x + b).collect(),
                    half_width: a * plain.half_width,
                    ..plain
                };
                // `a r + b` and `a x + b` each round twice, and x moves by at most what the rewards do.
                let rounding = 8.0 * U * (a + b.abs());
                prop_assert_eq!(differs(&found, &expected, rounding, |s| s), None);
            }
        }
    }

    #[test]
    fn duplicating_a_choice_changes_nothing((mdp, gamma) in cells(), state in 0..24_usize) {
        let mut open = Open::of(&mdp);
        let state = state % open.rows.len();
        let choice = open.rows[state][0].clone();
        open.rows[state].push(choice);
        for backend in backends() {
            let before = sampled(&*backend, &mdp, gamma);
            for (a, b) in before.iter().zip(&sampled(&*backend, &open.close(), gamma)) {
                prop_assert_eq!(&a.rewards, &b.rewards);
                prop_assert_eq!(differs(a, b, 0.0, |s| s), None);
            }
        }
    }

    #[test]
    fn a_state_drawn_twice_with_one_reward_changes_nothing((mdp, gamma) in cells(), state in 0..24_usize) {
        let state = state % mdp.n_states();
        let larger = Open::of(&mdp).with_twin_of(state, state as u32).close();
        for backend in backends() {
            let before = sampled(&*backend, &mdp, gamma);
            for (a, b) in before.iter().zip(&sampled(&*backend, &larger, gamma)) {
                prop_assert_eq!(differs(a, b, 0.0, |s| s), None);
                let twin = b.integrand[mdp.n_states()] - a.integrand[state];
                prop_assert!(twin.abs() <= a.half_width + b.half_width, "{}", twin);
            }
        }
    }

    #[test]
    fn inserting_a_state_leaves_the_goals_of_the_others((mdp, gamma) in cells(), at in 0..24_usize) {
        let at = at % (mdp.n_states() + 1);
        let larger = Open::of(&mdp).with_state_at(at).close();
        let place = |s: usize| if s >= at { s + 1 } else { s };
        for backend in backends() {
            let before = sampled(&*backend, &mdp, gamma);
            for (a, b) in before.iter().zip(&sampled(&*backend, &larger, gamma)) {
                let kept: Vec<f64> = (0..mdp.n_states()).map(|s| b.rewards[place(s)]).collect();
                prop_assert_eq!(&a.rewards, &kept);
                prop_assert_eq!(differs(a, b, 0.0, place), None);
            }
        }
    }

    #[test]
    fn a_further_choice_never_lowers_power((mdp, gamma) in cells(), from in 0..24_usize, to in 0..24_u32) {
        let mut open = Open::of(&mdp);
        let n = open.rows.len();
        open.rows[from % n].push(vec![(to % n as u32, 1.0)]);
        for backend in backends() {
            let before = sampled(&*backend, &mdp, gamma);
            for (a, b) in before.iter().zip(&sampled(&*backend, &open.close(), gamma)) {
                let allowed = a.half_width + b.half_width;
                for (x, y) in a.integrand.iter().zip(&b.integrand) {
                    prop_assert!(y - x >= -allowed, "{} fell to {}", x, y);
                }
            }
        }
    }

    /// Turner et al. 2021: proposition 5.4 (no more than the largest reward), 5.5 (states that lead to each other differ by (1 - g) times the range at most) and lemma E.39, which follows from
    /// `x(s) = max_a E ((1 - g) R(s') + g x(s'))` goal by goal, so that it holds of means over any number of them.
    #[test]
    fn power_keeps_within_the_bounds_of_the_paper((mdp, gamma) in cells(), a in 0..24_usize, b in 0..24_usize) {
        let mut open = Open::of(&mdp);
        let n = open.rows.len();
        let (a, b) = (a % n, b % n);
        open.rows[a].push(vec![(b as u32, 1.0)]);
        open.rows[b].push(vec![(a as u32, 1.0)]);
        let mdp = open.close();
        for backend in backends() {
            let goals = sampled(&*backend, &mdp, gamma);
            let discount = Discount::new(gamma).unwrap();
            prop_assert_eq!(out_of_bounds(&mdp, discount, &goals, (a, b)), None);
            for off in [1.0, -1.0] {
                let mut wrong = goals.clone();
                wrong.iter_mut().for_each(|goal| goal.integrand[a] += off);
                prop_assert!(out_of_bounds(&mdp, discount, &wrong, (a, b)).is_some());
            }
        }
    }

    /// A goal dealt out in another order is the goal of the MDP whose states are named in that order.
    #[test]
    fn a_permuted_goal_is_a_relabelled_world((mdp, gamma, to) in permuted_cells()) {
        let moved = Open::of(&mdp).moved(&to).close();
        for backend in backends() {
            let (here, there) = (
                solver(&*backend, &mdp, Uniform::unit(), gamma),
                solver(&*backend, &moved, Uniform::unit(), gamma),
            );
            for goal in solve(&*here, &numbers()) {
                let mut dealt = vec![0.0; to.len()];
                (0..to.len()).for_each(|s| dealt[to[s]] = goal.rewards[s]);
                let found = given(&*there, dealt);
                prop_assert_eq!(differs(&goal, &found, 0.0, |s| to[s]), None);
            }
        }
    }

    /// Turner et al. 2021, appendix D.1.2: `R'(s) = V*_R(s, g) - g' max_a E V*_R(s', g)` has at g' the values that R has at g.
    #[test]
    fn a_goal_can_be_carried_to_another_discount((mdp, gamma) in cells()) {
        let (here, there) = (Discount::new(gamma).unwrap(), Discount::new(0.7).unwrap());
        for backend in backends() {
            let at_here = solver(&*backend, &mdp, Uniform::unit(), gamma);
            let at_there = solver(&*backend, &mdp, Uniform::unit(), 0.7);
            for goal in solve(&*at_here, &numbers()) {
                let values = goal.values(here);
                // max_a E V* = x / (1 - g): that is how the integrand is defined.
                let next = goal.integrand.iter().map(|x| x / here.complement());
                let carried = values.iter().zip(next).map(|(v, e)| v - there.used() * e);
                let found = given(&*at_there, carried.collect());
                // V = V* + g/(1 - g) e with |e| <= half_width moves R' by at most |g - g'|/(1 - g) of it: R' = R + (g - g')/(1 - g) x.
                // The values of R' move by 1/(1 - g') times that.
                let moved = (here.used() - there.used()).abs() / here.complement() * goal.half_width;
                let size = values.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
                let rounding = 16.0 * U * size / here.complement() / there.complement();
                let allowed = goal.value_half_width(here)
                    + found.value_half_width(there)
                    + moved / there.complement()
                    + rounding;
                for (v, w) in values.iter().zip(found.values(there)) {
                    prop_assert!((v - w).abs() <= allowed, "{} and {}, allowed {}", v, w, allowed);
                }
            }
        }
    }

    #[test]
    fn threads_and_the_order_of_blocks_leave_the_bytes_alone((mdp, gamma) in cells()) {
        let blocks = Blocks::new(1_500, 256);
        for backend in backends() {
            let solver = solver(&*backend, &mdp, Uniform::unit(), gamma);
            let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let sums = |parallel: bool, order: &[u64]| {
                let mut sums = CellSums::new(mdp.n_states(), solver.problem().power_scale());
                for &index in order {
                    let block = solver.solve_block(blocks.get(index), parallel).unwrap();
                    sums.add_block(&block).unwrap();
                }
                sums
            };
            let plain = sums(false, &[0, 1, 2, 3, 4, 5]);
            prop_assert_eq!(plain.goals, 1_500);
            for threads in [1, 7] {
                let shuffled = pool(threads).install(|| sums(true, &[4, 1, 5, 0, 3, 2]));
                prop_assert_eq!(&plain, &shuffled);
            }
            // The control: the sums are sums of these blocks.
            prop_assert_ne!(plain, sums(false, &[0, 1, 2, 3, 4, 4]));
        }
    }
}

fn twelve_states() -> Arc<Mdp> {
    let garnet = Garnet {
        states: 12,
        choices: 3,
        branching: 3,
    };
    Arc::new(Family::Garnet(garnet).generate(5).unwrap())
}

/// POWER of every state under `law`, and the mean bound.
fn power(backend: &dyn Backend, law: Uniform) -> (Vec<f64>, f64) {
    let solver = solver(backend, &twelve_states(), law, 0.9);
    let mut sums = CellSums::new(12, solver.problem().power_scale());
    let block = solver.solve_block(Blocks::new(2_048, 2_048).get(0), true);
    sums.add_block(&block.unwrap()).unwrap();
    let estimates = (0..12).map(|s| sums.power(s, 0.95).estimate);
    (estimates.collect(), sums.power(0, 0.95).bound)
}

#[test]
fn the_law_moved_by_a_and_b_gives_a_power_plus_b() {
    for backend in backends() {
        let (unit, unit_bound) = power(&*backend, Uniform::unit());
        for (a, b) in [(7.0, 3.0), (0.3, -9.0), (2.0, -1.0)] {
            let law = Uniform::new(b, a + b).unwrap();
            // A word v of [0, 1) becomes a number of (v - 2^-24, v], so `a R + b` lies within a 2^-24 below `a v + b`. Drawn
            // from the moved law it lies within one spacing below, and the two ends of the interval were rounded to the
            // lattice: half a spacing for the lower one, a whole one for the width.
            let spacing = f64::from(law.lattice().spacing());
            let rounding = a * 2f64.powi(-24) + 2.5 * spacing;
            let (moved, moved_bound) = power(&*backend, law);
            let allowed = a * unit_bound + moved_bound + rounding;
            for (x, y) in unit.iter().zip(&moved) {
                assert!((a * x + b - y).abs() <= allowed, "{x} became {y}");
                assert!((a * x + b - (y + 3.0 * allowed)).abs() > allowed);
            }
        }
    }
}

#[test]
fn the_properties_can_fail() {
    let mdp = twelve_states();
    let open = Open::of(&mdp);
    let reversed: Vec<usize> = (0..12).rev().collect();
    for backend in backends() {
        let goals = sampled(&*backend, &mdp, 0.9);
        // Reordered states that leave their coordinates behind have other goals.
        let mut unpaired = open.moved(&reversed);
        unpaired.coordinates = (0..12).collect();
        let other = sampled(&*backend, &unpaired.close(), 0.9);
        assert_ne!(goals[0].rewards[2], other[0].rewards[9]);
        assert!(differs(&goals[0], &other[0], 0.0, |s| 11 - s).is_some());
        // Another structure has other values.
        let mut rewired = open.clone();
        rewired.rows[3] = vec![vec![(4, 1.0)]];
        let other = sampled(&*backend, &rewired.close(), 0.9);
        assert_eq!(goals[0].rewards, other[0].rewards);
        assert!(differs(&goals[0], &other[0], 0.0, |s| s).is_some());
        // A twin with a reward of its own is a further choice.
        let changes = |state: usize| {
            let twins = open.with_twin_of(state, 12).close();
            let other = sampled(&*backend, &twins, 0.9);
            differs(&goals[0], &other[0], 0.0, |s| s).is_some()
        };
        assert!((0..12).any(changes));
        // An error of three bounds in one state is seen, and the second goal is not the first.
        let mut wrong = goals[0].clone();
        wrong.integrand[7] += 6.0 * wrong.half_width;
        assert_eq!(differs(&goals[0], &wrong, 0.0, |s| s), Some(7));
        let stream = Goals::Sampled {
            stream: Stream::SecondGoal,
            indices: &numbers(),
        };
        let solver = solver(&*backend, &mdp, Uniform::unit(), 0.9);
        let second = solver.solve_goals(stream).unwrap();
        assert_ne!(second[0].rewards, goals[0].rewards);
    }
}

//! The limits of the discount, against all policies of small MDPs, against discounts near the limit, and under changes that must not matter.
//!
//! The judge knows nothing of gains, biases or series: it evaluates deterministic policies at one discount next to the limit, in integers,
//! until it finds one that no choice improves on.

use std::sync::Arc;

use powersweep::experiment::{Engine, RunSpec};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::RewardDistribution;
use powersweep::rng::{self, Stream};
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, Goals, ReferenceBackend, SolvedGoal, prepare};
use powersweep::statistics::Request;
use powersweep::statistics::behaviour::Standing;
use powersweep::{ChoiceId, Discount, Limit, SampleIndex, Seed, StateId};

/// Solves goals at a limit.
fn solve(mdp: &Arc<Mdp>, limit: Limit, goals: &[Vec<f64>]) -> Vec<SolvedGoal> {
    let reward = RewardDistribution::unit_uniform();
    let problem = RunSpec::default().problem(mdp, &reward, Discount::at(limit));
    let solver = prepare(&ReferenceBackend::new(), problem.unwrap()).unwrap();
    solver.solve_goals(Goals::Given(goals)).unwrap()
}

fn word(seed: u64, at: u32) -> u32 {
    rng::word(Seed(seed), Stream::Reward, SampleIndex(0), at)
}

/// A random MDP whose states have one to three choices. Where moves are uncertain, they lead to one or two states, with halves or
/// quarters. Small enough that all policies can be listed; often with several recurrent classes and equal rows.
fn random_mdp(seed: u64, certain: bool) -> Arc<Mdp> {
    let n = 2 + word(seed, 0) as usize % 3;
    let mut builder = MdpBuilder::new(format!("random {seed}"));
    let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
    let mut at = 1;
    let mut draw = |below: usize| {
        at += 1;
        word(seed, at) as usize % below
    };
    for &state in &states {
        for action in 0..1 + draw(3) {
            let (one, two) = (states[draw(n)], states[draw(n)]);
            let p = [0.5, 0.25][draw(2)];
            let row = match certain || one == two || draw(2) == 0 {
                true => vec![(one, 1.0)],
                false => vec![(one, p), (two, 1.0 - p)],
            };
            builder.choice(state, format!("a{action}"), row);
        }
    }
    Arc::new(builder.build().unwrap())
}

/// All deterministic policies.
fn policies(mdp: &Mdp) -> Vec<Vec<ChoiceId>> {
    mdp.states().fold(vec![vec![]], |all, state| {
        let longer = |policy: &Vec<ChoiceId>| {
            let with = |c| policy.iter().copied().chain([c]).collect();
            mdp.choices(state).map(with).collect::<Vec<Vec<_>>>()
        };
        all.iter().flat_map(longer).collect()
    })
}

/// Discounts are `f / 2^20`.
const UNIT: i128 = 1 << 20;

/// A determinant by expansion along the first row: integers stay integers.
fn determinant(rows: &[Vec<i128>]) -> i128 {
    let Some((first, rest)) = rows.split_first() else {
        return 1;
    };
    let minor = |j: usize| -> Vec<Vec<i128>> {
        let without = |row: &Vec<i128>| [&row[..j], &row[j + 1..]].concat();
        rest.iter().map(without).collect()
    };
    let terms = first.iter().enumerate().filter(|(_, x)| **x != 0);
    terms
        .map(|(j, x)| {
            if j % 2 == 0 {
                x * determinant(&minor(j))
            } else {
                -x * determinant(&minor(j))
            }
        })
        .sum()
}

/// Values of a policy at gamma = f / 2^20: `V(s) = 2^22 N(s) / D`, by Cramer's rule. Probabilities are quarters, rewards small
/// integers, states four at most: with entries of 23 bits a determinant has no more than 97, and i128 holds all that follows.
fn evaluate(mdp: &Mdp, policy: &[ChoiceId], rewards: &[i128], f: i128) -> (Vec<i128>, i128) {
    let n = policy.len();
    let mut matrix = vec![vec![0_i128; n]; n];
    for (s, &choice) in policy.iter().enumerate() {
        matrix[s][s] += 4 * UNIT;
        let (to, probabilities) = mdp.row(choice);
        for (&t, p) in to.iter().zip(probabilities) {
            matrix[s][t as usize] -= f * (4.0 * p) as i128;
        }
    }
    let with_rewards = |column: usize| {
        let mut matrix = matrix.clone();
        matrix
            .iter_mut()
            .zip(rewards)
            .for_each(|(row, r)| row[column] = *r);
        determinant(&matrix)
    };
    ((0..n).map(with_rewards).collect(), determinant(&matrix))
}

/// What the judge finds at one discount near the limit: the integrand, and for every choice whether it is optimal.
struct Judgement {
    integrand: Vec<f64>,
    optimal: Vec<bool>,
}

/// Looks for a policy that no choice improves on: by Bellman's equation it is the best, and choices are optimal that lose nothing.
fn judge(mdp: &Mdp, goal: &[f64], limit: Limit) -> Judgement {
    let f = match limit {
        Limit::Zero => 1,
        Limit::One => UNIT - 1,
    };
    let rewards: Vec<i128> = goal.iter().map(|&r| r as i128).collect();
    for policy in policies(mdp) {
        let (values, unit) = evaluate(mdp, &policy, &rewards, f);
        assert!(unit > 0);
        // D (r + gamma P V - V).
        let advantage = |state: StateId, choice: ChoiceId| {
            let (to, probabilities) = mdp.row(choice);
            let next = to.iter().zip(probabilities);
            let next: i128 = next
                .map(|(&t, p)| (4.0 * p) as i128 * values[t as usize])
                .sum();
            unit * rewards[state.index()] + f * next - 4 * UNIT * values[state.index()]
        };
        let choices = mdp
            .states()
            .flat_map(|s| mdp.choices(s).map(move |c| (s, c)));
        let advantages: Vec<i128> = choices.map(|(s, c)| advantage(s, c)).collect();
        if advantages.iter().all(|a| *a <= 0) {
            let integrand = values.iter().zip(&rewards).map(|(value, r)| {
                let value = (4 * UNIT * value - r * unit) as f64 / unit as f64;
                value * (UNIT - f) as f64 / f as f64
            });
            return Judgement {
                integrand: integrand.collect(),
                optimal: advantages.iter().map(|a| *a == 0).collect(),
            };
        }
    }
    panic!("some policy is the best");
}

/// Where the answer and the judgement differ; `allowed` is what the integrand may miss by.
fn difference(
    mdp: &Mdp,
    solved: &SolvedGoal,
    judgement: &Judgement,
    allowed: f64,
) -> Option<String> {
    for s in 0..mdp.n_states() {
        let off = (solved.integrand[s] - judgement.integrand[s]).abs();
        if off.is_nan() || off > allowed + solved.half_width {
            return Some(format!("the integrand of state {s} is off by {off}"));
        }
    }
    let settled = solved.settled.as_ref().unwrap();
    for (c, standing) in settled.standings.iter().enumerate() {
        // Beside a choice that is left open, those that are as good as the greedy one are optimal together or not at all.
        let state = mdp.state_of(ChoiceId(c as u32));
        let is_open = settled.decided(mdp, state).possible > 0;
        let wrong = match standing {
            Standing::Optimal => !judgement.optimal[c] && !is_open,
            Standing::Worse => judgement.optimal[c],
            Standing::Possible => false,
        };
        if wrong {
            return Some(format!("choice {c} is {standing:?}"));
        }
    }
    let greedy = settled.greedy.iter();
    let wrong = greedy.map(|c| settled.standings[c.index()]);
    let wrong = wrong.filter(|s| *s == Standing::Worse).count();
    (wrong > 0).then(|| "a greedy choice is worse".to_owned())
}

/// Integers below `sizes`: few, so that sums tie often, or many.
fn random_goal(seed: u64, n: usize, sizes: u32) -> Vec<f64> {
    let draw = |s: usize| f64::from(word(seed, 100 + s as u32) % sizes);
    (0..n).map(draw).collect()
}

/// At gamma = 1 - 2^-20 the integrand is off its limit by what is left of the bias: with rewards below 9 and mixing within a few hundred
/// steps less than this.
const NEAR: f64 = 9.0 * 300.0 / UNIT as f64;

/// Goals on random MDPs at one limit. At most one choice in `open` may be left open.
fn hold_against_the_judge(limit: Limit, certain: bool, open: usize) {
    let (mut judged, mut optimal, mut left_open) = (0, 0, 0);
    for seed in 0..600 {
        let mdp = random_mdp(seed, certain);
        for sizes in [2, 3, 9] {
            let goal = random_goal(seed, mdp.n_states(), sizes);
            let solved = &solve(&mdp, limit, std::slice::from_ref(&goal))[0];
            assert!(solved.converged, "{solved:?}");
            let mut judgement = judge(&mdp, &goal, limit);
            let found = difference(&mdp, solved, &judgement, NEAR);
            assert_eq!(found, None, "seed {seed}, {goal:?}, {mdp:?}, {solved:?}");
            for (c, standing) in solved
                .settled
                .as_ref()
                .unwrap()
                .standings
                .iter()
                .enumerate()
            {
                judged += 1;
                optimal += usize::from(*standing == Standing::Optimal);
                left_open += usize::from(*standing == Standing::Possible);
                // The control: any other verdict is noticed.
                judgement.optimal[c] ^= true;
                let noticed = difference(&mdp, solved, &judgement, NEAR).is_some();
                let state = mdp.state_of(ChoiceId(c as u32));
                let settled = solved.settled.as_ref().unwrap();
                assert!(noticed || settled.decided(&mdp, state).possible > 0);
                judgement.optimal[c] ^= true;
            }
            judgement.integrand[0] += 2.0 * NEAR + 1e-6;
            assert!(difference(&mdp, solved, &judgement, NEAR).is_some());
        }
    }
    assert!(
        judged > 8_000 && optimal > judged / 4 && optimal < judged,
        "{judged}, {optimal}"
    );
    assert!(
        left_open * open <= judged,
        "{left_open} of {judged} choices are open"
    );
}

#[test]
fn certain_moves_near_one_are_those_of_the_best_policy() {
    hold_against_the_judge(Limit::One, true, usize::MAX);
}

#[test]
fn uncertain_moves_near_one_are_those_of_the_best_policy() {
    hold_against_the_judge(Limit::One, false, 10);
}

#[test]
fn certain_moves_near_zero_are_those_of_the_best_policy() {
    hold_against_the_judge(Limit::Zero, true, usize::MAX);
}

#[test]
fn uncertain_moves_near_zero_are_those_of_the_best_policy() {
    hold_against_the_judge(Limit::Zero, false, 10);
}

/// Numbers of 24 bits, as a uniform law draws them.
fn uniform_goal(seed: u64, n: usize) -> Vec<f64> {
    let draw = |s: usize| f64::from(word(seed, 100 + s as u32) >> 8) / 2_f64.powi(24);
    (0..n).map(draw).collect()
}

/// Whether the choices stand alike and the integrands are `scale x + shift` within the bounds.
fn follows(one: &SolvedGoal, two: &SolvedGoal, scale: f64, shift: f64) -> bool {
    let bound = scale * one.half_width + two.half_width + 1e-14;
    let mut each = one.integrand.iter().zip(&two.integrand);
    one.settled == two.settled && each.all(|(x, y)| (scale * x + shift - y).abs() <= bound)
}

#[test]
fn scale_and_origin_of_rewards_do_not_matter() {
    for limit in Limit::ALL {
        for seed in 0..200 {
            for certain in [true, false] {
                let mdp = random_mdp(seed, certain);
                let goal = uniform_goal(seed, mdp.n_states());
                let moved: Vec<f64> = goal.iter().map(|r| 4.0 * r - 3.0).collect();
                let solved = solve(&mdp, limit, &[goal, moved]);
                assert!(
                    follows(&solved[0], &solved[1], 4.0, -3.0),
                    "{limit:?} {seed}"
                );
                assert!(!follows(&solved[0], &solved[1], 4.0, -2.9), "the control");
            }
        }
    }
}

/// The MDP with its states in the reverse order.
fn reversed(mdp: &Mdp) -> Arc<Mdp> {
    let mut builder = MdpBuilder::new("reversed");
    let n = mdp.n_states();
    let backwards: Vec<StateId> = mdp.states().collect::<Vec<_>>().into_iter().rev().collect();
    let names = backwards.iter().map(|s| mdp.state_name(*s).to_owned());
    let states: Vec<_> = names.map(|name| builder.state(name)).collect();
    for old in backwards {
        for choice in mdp.choices(old) {
            let (to, probabilities) = mdp.row(choice);
            let row = to.iter().zip(probabilities);
            let row: Vec<_> = row
                .map(|(&t, &p)| (states[n - 1 - t as usize], p))
                .collect();
            builder.choice(states[n - 1 - old.index()], mdp.action_name(choice), row);
        }
    }
    Arc::new(builder.build().unwrap())
}

#[test]
fn the_order_of_states_does_not_matter() {
    for limit in Limit::ALL {
        for seed in 0..200 {
            let mdp = random_mdp(seed, seed % 2 == 0);
            let other = reversed(&mdp);
            let goal = uniform_goal(seed, mdp.n_states());
            let back: Vec<f64> = goal.iter().rev().copied().collect();
            let (one, two) = (solve(&mdp, limit, &[goal]), solve(&other, limit, &[back]));
            let (one, two) = (&one[0], &two[0]);
            let bound = one.half_width + two.half_width + 1e-14;
            for state in mdp.states() {
                let there = StateId((mdp.n_states() - 1 - state.index()) as u32);
                let (x, y) = (one.integrand[state.index()], two.integrand[there.index()]);
                assert!((x - y).abs() <= bound, "{limit:?} {seed}: {x} and {y}");
                let standing = |solved: &SolvedGoal, c: ChoiceId| {
                    solved.settled.as_ref().unwrap().standings[c.index()]
                };
                let here = mdp.choices(state).map(|c| standing(one, c));
                assert!(
                    here.eq(other.choices(there).map(|c| standing(two, c))),
                    "{limit:?} {seed}"
                );
            }
        }
    }
}

#[test]
fn exact_graphs_and_chains_in_f64_agree() {
    // One unreachable state with an uncertain move, and a certain MDP is solved as an uncertain one.
    for seed in 0..300 {
        let mdp = random_mdp(seed, true);
        let mut builder = MdpBuilder::new("with a coin");
        let states: Vec<_> = mdp
            .states()
            .map(|s| builder.state(mdp.state_name(s)))
            .collect();
        for state in mdp.states() {
            for choice in mdp.choices(state) {
                let to = states[mdp.row(choice).0[0] as usize];
                builder.choice(states[state.index()], mdp.action_name(choice), [(to, 1.0)]);
            }
        }
        let coin = builder.state("coin");
        builder.choice(coin, "toss", [(states[0], 0.5), (states[1], 0.5)]);
        let other = Arc::new(builder.build().unwrap());
        let goal = uniform_goal(seed, mdp.n_states());
        let longer = [&goal[..], &[0.25]].concat();
        for limit in Limit::ALL {
            let (one, two) = (
                &solve(&mdp, limit, std::slice::from_ref(&goal))[0],
                &solve(&other, limit, std::slice::from_ref(&longer))[0],
            );
            let bound = one.half_width + two.half_width;
            let mut each = one.integrand.iter().zip(&two.integrand);
            assert!(
                each.all(|(x, y)| (x - y).abs() <= bound),
                "{limit:?} {seed}"
            );
            let (one, two) = (one.settled.as_ref().unwrap(), two.settled.as_ref().unwrap());
            let mut each = one.standings.iter().zip(&two.standings);
            assert!(
                each.all(|(a, b)| a == b || *b == Standing::Possible),
                "{limit:?} {seed}"
            );
        }
    }
}

#[test]
fn gains_that_the_structure_makes_equal_are_known_to_be_equal() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/frozenlake-8x8.toml");
    let (mdp, _) = powersweep::io::read_mdp(path.as_ref()).unwrap();
    let mdp = Arc::new(mdp);
    let goals: Vec<Vec<f64>> = (0..40).map(|i| uniform_goal(i, mdp.n_states())).collect();
    for solved in solve(&mdp, Limit::One, &goals) {
        let settled = solved.settled.unwrap();
        let open = settled.standings.iter();
        let open = open.filter(|s| **s == Standing::Possible).count();
        assert_eq!(open, 0, "{settled:?}");
    }
}

/// Two uncertain ways to the same expected reward next, after which one has more to hope for.
#[test]
fn what_rounding_leaves_open_is_not_guessed() {
    let mut builder = MdpBuilder::new("a third each");
    let [s, a, b, c] = ["s", "a", "b", "c"].map(|n| builder.state(n));
    let third = 1.0 / 3.0;
    builder.choice(
        s,
        "spread",
        [(a, third), (b, third), (c, 1.0 - 2.0 * third)],
    );
    builder.choice(s, "middle", [(b, 1.0)]);
    builder.choice(s, "worst", [(a, 1.0)]);
    for end in [a, b, c] {
        builder.absorbing(end);
    }
    let mdp = Arc::new(builder.build().unwrap());
    let standings = |goal: &[f64]| {
        Limit::ALL.map(|limit| {
            let solved = &solve(&mdp, limit, &[goal.to_vec()])[0];
            solved.settled.as_ref().unwrap().standings[..3].to_vec()
        })
    };
    // With 0.1, 0.2, 0.3 the two are equal but for rounding; with equal rewards the structure says that they tie.
    for found in standings(&[0.0, 0.1, 0.2, 0.3]) {
        let count = |s: Standing| found.iter().filter(|f| **f == s).count();
        assert_eq!(
            (count(Standing::Possible), count(Standing::Worse)),
            (1, 1),
            "{found:?}"
        );
    }
    for found in standings(&[0.0, 0.25, 0.25, 0.25]) {
        assert_eq!(found, [Standing::Optimal; 3]);
    }
    for found in standings(&[0.0, 0.1, 0.2, 0.4]) {
        assert_eq!(found, [Standing::Optimal, Standing::Worse, Standing::Worse]);
    }
}

#[test]
fn statistics_without_a_limit_are_refused_with_the_reason() {
    let engine = Engine::with_backend(Arc::new(CpuBackend::new()));
    let spec = |limit| {
        let statistics = Request {
            occupancy: true,
            ..Request::default()
        };
        let spec = RunSpec {
            samples: 100,
            statistics,
            ..RunSpec::default()
        };
        let mdp = engine.upload(Mdp::clone(&random_mdp(0, true)));
        engine.run(&spec.environment(&mdp).limit(limit))
    };
    let refused = spec(Limit::One).unwrap_err().to_string();
    assert!(
        refused.contains("occupancy") && refused.contains("->1"),
        "{refused}"
    );
    // At ->0 only the start counts.
    let statistics = spec(Limit::Zero).unwrap();
    assert!(statistics.is_complete());
    let table = statistics.cells[0].table("occupancy").unwrap();
    let visits = table.measure(&table.rows[0], "visits");
    assert_eq!(
        visits.and_then(|m| m.estimate()).map(|e| e.estimate),
        Some(1.0)
    );
    assert_eq!(statistics.cells[0].discount_used, None);
    assert!(
        statistics
            .to_json()
            .contains("\"discount\":\"->0\",\"discount_used\":null")
    );
}

#[test]
fn backends_refuse_a_limit_and_the_run_finds_who_solves_it() {
    let mdp = random_mdp(0, true);
    let reward = RewardDistribution::unit_uniform();
    for limit in Limit::ALL {
        let problem = || {
            RunSpec::default()
                .problem(&mdp, &reward, Discount::at(limit))
                .unwrap()
        };
        for backend in [&ReferenceBackend::new() as &dyn Backend, &CpuBackend::new()] {
            let refused = backend.prepare(problem()).unwrap_err().to_string();
            assert!(refused.contains(limit.name()), "{refused}");
            let solver = prepare(backend, problem()).unwrap();
            assert!(solver.description().unwrap().contains(limit.name()));
        }
    }
}

#[test]
fn uncertain_moves_of_many_states_are_refused_at_one_with_a_reason() {
    let mut builder = MdpBuilder::new("large");
    let states: Vec<_> = (0..401).map(|i| builder.state(format!("s{i}"))).collect();
    for (i, &s) in states.iter().enumerate() {
        builder.choice(s, "go", [(states[(i + 1) % 401], 0.5), (s, 0.5)]);
    }
    let mdp = Arc::new(builder.build().unwrap());
    let reward = RewardDistribution::unit_uniform();
    let at = |limit| {
        let problem = RunSpec::default().problem(&mdp, &reward, Discount::at(limit));
        prepare(&CpuBackend::new(), problem.unwrap())
    };
    let refused = at(Limit::One).unwrap_err().to_string();
    assert!(
        refused.contains("401") && refused.contains("400"),
        "{refused}"
    );
    assert!(at(Limit::Zero).is_ok());
}

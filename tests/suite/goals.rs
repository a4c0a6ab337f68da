//! Laws of goals: what they draw, where they fit, and what enumerated ones give.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{Engine, RunSpec};
use powersweep::mdp::{BaseState, Mdp, MdpBuilder};
use powersweep::reward::{
    Coupling, GoalLaw, GoalTable, Law, Marginal, Matrix, Mixture, Orbit, Paid, PairLaw, Reach,
    RewardDistribution, Sparse, StateReward, StateSet, TableUse, Uniform,
};
use powersweep::rng::Stream;
use powersweep::solve::ReferenceBackend;
use powersweep::units::SampleIndex;

/// `hub` leads to each of the leaves, which are terminal and carry the label `leaves`.
fn star(leaves: usize) -> Mdp {
    let mut b = MdpBuilder::new("star");
    let hub = b.state("hub");
    let leaves: Vec<_> = (1..=leaves).map(|i| b.state(format!("t{i}"))).collect();
    for (i, &leaf) in leaves.iter().enumerate() {
        b.choice(hub, format!("go {}", i + 1), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.label("leaves", leaves);
    b.start(hub);
    b.build().unwrap()
}

/// The star with states inserted before, between and behind the others, which keep their reward coordinates.
fn star_with_more() -> Mdp {
    let mut b = MdpBuilder::new("star");
    let new = b.state("first new");
    let hub = b.state("hub");
    let t1 = b.state("t1");
    let copy = b.state("copy of t1");
    let rest = ["t2", "t3", "t4"].map(|n| b.state(n));
    let leaves = [t1, rest[0], rest[1], rest[2]];
    for (i, &leaf) in leaves.iter().enumerate() {
        b.choice(hub, format!("go {}", i + 1), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.choice(new, "on", [(hub, 1.0)]);
    b.absorbing(copy);
    b.label("leaves", [leaves.as_slice(), &[copy]].concat());
    b.start(hub);
    b.reward_coordinates(vec![
        None,
        Some(0),
        Some(1),
        Some(1),
        Some(2),
        Some(3),
        Some(4),
    ]);
    let of = [0, 1, 1, 2, 3, 4].map(BaseState::Of);
    b.base_states([&[BaseState::New][..], &of].concat());
    b.build().unwrap()
}

fn uniform(low: f64, high: f64) -> Marginal {
    Marginal::Uniform(Uniform::new(low, high).unwrap())
}

/// One distribution of every kind.
fn distributions() -> Vec<RewardDistribution> {
    let leaves = || StateSet::new(["leaves"]);
    let new = |name: &str, law| RewardDistribution::new(name, law);
    vec![
        RewardDistribution::iid("uniform", uniform(0.0, 1.0)),
        RewardDistribution::iid("some different", uniform(-2.0, 1.0))
            .with_fixed("hub", 0.3)
            .with_law("t2", uniform(0.0, 8.0)),
        RewardDistribution::iid("grouped", uniform(0.0, 1.0))
            .with_groups(vec![StateSet::new(["t1", "t3"])]),
        RewardDistribution::iid("leaves only", uniform(0.0, 1.0)).only(leaves()),
        new("sparse", Law::Sparse(Sparse::new(2).among(leaves()))),
        new(
            "sparse, drawn",
            Law::Sparse(Sparse::new(2).drawn(uniform(1.0, 2.0))),
        ),
        new(
            "orbit",
            Law::Orbit(Orbit::new(vec![1.0, 2.0, 2.0, 5.0]).among(leaves())),
        ),
        new(
            "drawn orbit",
            Law::Orbit(Orbit::new(vec![1.0, 2.0, 2.0, 5.0]).among(leaves()).drawn()),
        ),
        new(
            "reach",
            Law::Reach(Reach::new(vec![
                StateSet::new(["t1", "t2"]),
                StateSet::new(["t4"]),
            ])),
        ),
        new(
            "mixture",
            Law::Mixture(Mixture::new(vec![
                (0.25, Law::Independent(uniform(0.0, 1.0))),
                (0.75, Law::Sparse(Sparse::new(1))),
            ])),
        ),
    ]
}

#[test]
fn inserted_and_copied_states_leave_the_goals_of_all_others_alone() {
    let (plain, more) = (Arc::new(star(4)), Arc::new(star_with_more()));
    let old = |name: &str| more.find_state(name).unwrap().index();
    let places = ["hub", "t1", "t2", "t3", "t4"].map(old);
    for distribution in distributions() {
        let law = distribution.bind(&plain).unwrap().law;
        let longer = distribution
            .clone()
            .with_fixed("first new", 0.0)
            .bind(&more)
            .unwrap()
            .law;
        let mut distinct = std::collections::HashSet::new();
        for index in (0..200).map(SampleIndex) {
            let goal = law.draw(Seed(3), Stream::Reward, index);
            let goal_of_more = longer.draw(Seed(3), Stream::Reward, index);
            let same: Vec<f32> = places.iter().map(|p| goal_of_more[*p]).collect();
            assert_eq!(goal, same, "{}", distribution.name());
            assert_eq!(goal_of_more[old("copy of t1")], goal_of_more[old("t1")]);
            distinct.insert(format!("{goal:?}"));
        }
        assert!(
            distinct.len() > 1,
            "{}: the comparison can fail",
            distribution.name()
        );
    }
}

#[test]
fn copies_draw_for_themselves_where_that_is_asked() {
    let more = Arc::new(star_with_more());
    let law = RewardDistribution::iid("law", uniform(0.0, 1.0)).with_fixed("first new", 0.0);
    let goal = |law: RewardDistribution| {
        let law = law.bind(&more).unwrap().law;
        law.draw(Seed(1), Stream::Reward, SampleIndex(0))
    };
    let (base, all) = (goal(law.clone()), goal(law.over_all()));
    let [copied, copy] = ["t1", "copy of t1"].map(|name| more.find_state(name).unwrap().index());
    assert_eq!(base[copied], base[copy]);
    for s in 0..more.n_states() {
        assert_eq!(
            base[s] == all[s],
            s != copy,
            "only the copy draws another reward"
        );
    }
}

#[test]
fn values_of_the_laws_are_stable() {
    // Changing one of these numbers is a breaking change, to be listed under "Values" in CHANGELOG.md.
    let star = Arc::new(star(4));
    let drawn: Vec<String> = distributions()
        .iter()
        .map(|d| {
            let law = d.bind(&star).unwrap().law;
            let goal = law.draw(Seed(42), Stream::Reward, SampleIndex(7));
            format!("{}: {goal:?}", d.name())
        })
        .collect();
    insta::assert_snapshot!(drawn.join("\n"));
}

/// Runs one law on one MDP at gamma 0.9 and returns POWER of the first state and whether it is exact.
fn power(mdp: Mdp, reward: RewardDistribution, samples: u64) -> powersweep::statistics::Estimate {
    let engines = [
        Engine::with_backend(Arc::new(ReferenceBackend::new())),
        Engine::new(powersweep::experiment::BackendChoice::Cpu).unwrap(),
    ];
    let [reference, cpu] = engines.map(|engine| {
        let spec = RunSpec {
            environments: vec![engine.upload(mdp.clone())],
            rewards: vec![Arc::new(reward.clone())],
            samples,
            ..RunSpec::default()
        };
        let statistics = engine.run(&spec.discount(0.9).unwrap()).unwrap();
        assert!(statistics.is_complete());
        statistics.cells[0].power[0]
    });
    assert_eq!((reference.n, reference.exact), (cpu.n, cpu.exact));
    assert!((reference.estimate - cpu.estimate).abs() <= reference.bound + cpu.bound);
    cpu
}

#[test]
fn enumerated_goals_give_exact_numbers() {
    // One of four leaves is worth 1: the best reachable leaf is worth 1 in every goal.
    let leaves = || StateSet::new(["leaves"]);
    let sparse = RewardDistribution::new("sparse", Law::Sparse(Sparse::new(1).among(leaves())));
    let found = power(star(4), sparse, 1_000);
    assert_eq!(
        (found.n, found.exact, found.std_error),
        (4, true, Some(0.0))
    );
    assert!((found.estimate - 1.0).abs() <= found.bound && found.bound < 2e-5);
    // One of hub and leaves: the hub's own reward is not part of its POWER, so one goal of five is worth nothing.
    let anywhere = RewardDistribution::new("anywhere", Law::Sparse(Sparse::new(1)));
    let found = power(star(4), anywhere, 1_000);
    assert!(
        (found.estimate - 0.8).abs() <= found.bound && found.n == 5,
        "{found:?}"
    );
    // An orbit of (3, 1, 0, 0, 0): the best leaf has 3 unless the hub has it, and then 1.
    let orbit = RewardDistribution::new(
        "orbit",
        Law::Orbit(Orbit::new(vec![0.0, 3.0, 0.0, 1.0, 0.0])),
    );
    let found = power(star(4), orbit, 10);
    assert_eq!((found.n, found.exact), (20, true));
    assert!((found.estimate - 2.6).abs() <= found.bound, "{found:?}");
    // The same, drawn: within its interval, which is not empty.
    let orbit = Orbit::new(vec![0.0, 3.0, 0.0, 1.0, 0.0]).drawn();
    let found = power(
        star(4),
        RewardDistribution::new("drawn", Law::Orbit(orbit)),
        200_000,
    );
    let std_error = found.std_error.unwrap();
    assert!(!found.exact && std_error > 0.0);
    assert!(
        (found.estimate - 2.6).abs() <= 4.5 * std_error + found.bound,
        "{found:?}"
    );
}

#[test]
fn a_terminal_state_can_pay_once_or_never() {
    let law = |paid| {
        let reward = StateReward { source: None, paid };
        RewardDistribution::iid("once", uniform(0.0, 1.0)).with_state("t1", reward)
    };
    // One leaf: the rewards after the hub are r, r, ... / r, 0, 0, ... / 0, 0, ...; (1 - gamma)/gamma (V - R) = r, 0.1 r, 0.
    for (paid, factor, n_states) in [
        (Paid::Forever, 1.0, 2),
        (Paid::Once, 0.1, 3),
        (Paid::Never, 0.0, 2),
    ] {
        let bound = law(paid).bind(&Arc::new(star(1))).unwrap();
        assert_eq!(bound.mdp.n_states(), n_states);
        let found = power(star(1), law(paid), 100_000);
        let allowed = 4.5 * found.std_error.unwrap() + found.bound;
        assert!(
            (found.estimate - 0.5 * factor).abs() <= allowed,
            "{paid:?}: {found:?}"
        );
    }
}

#[test]
fn what_does_not_fit_the_mdp_is_told_all_at_once() {
    let distribution = RewardDistribution::new(
        "orbit",
        Law::Orbit(Orbit::new(vec![1.0, 2.0]).among(StateSet::new(["leaf"]))),
    )
    .with_fixed("hup", 0.0)
    .with_state(
        "hub",
        StateReward {
            source: None,
            paid: Paid::Once,
        },
    )
    .with_groups(vec![StateSet::new(["t1", "nowhere"])]);
    let error = distribution.bind(&Arc::new(star(4))).unwrap_err();
    insta::assert_snapshot!(error.faults);
}

#[test]
fn a_new_state_pays_nothing_unless_more_is_said() {
    let more = Arc::new(star_with_more());
    let new_state = RewardDistribution::iid("uniform", uniform(1.0, 2.0));
    let draw = |law: RewardDistribution| {
        let law = law.bind(&more).unwrap().law;
        law.draw(Seed(3), Stream::Reward, SampleIndex(0))[0]
    };
    assert_eq!(draw(new_state.clone()), 0.0);
    assert_eq!(draw(new_state.clone().with_fixed("first new", 0.5)), 0.5);
    // It has no coordinate that it could be drawn from.
    let drawn = new_state.with_law("first new", uniform(0.0, 1.0));
    let error = drawn.bind(&more).unwrap_err().to_string();
    assert!(error.contains("has no random coordinate"), "{error}");
}

/// Shares of goals in which each of the four states, alone, has reward 1, over `n` goals of a stream.
fn shares(law: &GoalLaw, stream: Stream, n: u64) -> Vec<f64> {
    let mut counts = vec![0.0; law.n_rewards()];
    for i in 0..n {
        let goal = law.draw(Seed(8), stream, SampleIndex(i));
        let at: Vec<usize> = (0..goal.len()).filter(|&s| goal[s] == 1.0).collect();
        assert_eq!(at.len(), 1, "{goal:?}");
        counts[at[0]] += 1.0 / n as f64;
    }
    counts
}

#[test]
fn what_is_picked_inside_a_mixture_does_not_depend_on_what_is_picked_outside() {
    let mut b = MdpBuilder::new("four");
    let names = ["a", "b", "c", "d"];
    for name in names {
        let state = b.state(name);
        b.absorbing(state);
    }
    let mdp = Arc::new(b.build().unwrap());
    let one = |name: &'static str| Law::Reach(Reach::new(vec![StateSet::new([name])]));
    let rows = |a: f64| vec![vec![0.0, a, 1.0 - a, 0.0], vec![0.0, 0.0, 0.0, 1.0]];
    let table = GoalTable::new(Matrix::from_rows(&rows(0.0)), TableUse::Resample);
    // a: 1/2; of the other half, half b, a quarter c, and d the rest.
    let inner = Law::Mixture(Mixture::new(vec![
        (1.0, one("b")),
        (1.0, Law::Table(table)),
    ]));
    let nested = Law::Mixture(Mixture::new(vec![(1.0, one("a")), (1.0, inner)]));
    let law = RewardDistribution::new("nested", nested)
        .bind(&mdp)
        .unwrap()
        .law;
    let n = 40_000;
    // 4.5 standard errors of a share of 1/2 at most.
    let limit = 4.5 * 0.5 / (n as f64).sqrt();
    let far = |found: &[f64], expected: [f64; 4]| {
        found
            .iter()
            .zip(expected)
            .any(|(f, e)| (f - e).abs() > limit)
    };
    for stream in [Stream::Reward, Stream::Pilot] {
        let found = shares(&law, stream, n);
        assert!(!far(&found, [0.5, 0.25, 0.125, 0.125]), "{found:?}");
        // The control: with one word for both, everything inside is what the upper half of words picks.
        assert!(far(&found, [0.5, 0.0, 0.25, 0.25]));
    }
    // A pair of goals is equal or not whatever row the second one would be.
    let table = GoalTable::new(Matrix::from_rows(&rows(1.0)), TableUse::Resample);
    let law = RewardDistribution::new("rows", Law::Table(table))
        .bind(&mdp)
        .unwrap()
        .law;
    let pairs = PairLaw::new(law, Coupling::Equal(0.5));
    let differ = (0..n).filter(|&i| {
        let (first, second) = pairs.draw(Seed(8), SampleIndex(i));
        first != second
    });
    // Half of the pairs are fresh, and half of those differ.
    let share = differ.count() as f64 / n as f64;
    assert!((share - 0.25).abs() < limit, "{share}");
}

#[test]
fn goals_are_not_enumerated_where_something_else_about_them_is_drawn() {
    let mdp = Arc::new(star(8));
    let orbit = || Law::Orbit(Orbit::new((0..9).map(f64::from).collect()));
    let mixture = Mixture::new(vec![(1.0, orbit()), (1.0, orbit())]);
    let alone = RewardDistribution::new("alone", orbit());
    let mixed = RewardDistribution::new("mixed", Law::Mixture(mixture));
    let beside = RewardDistribution::new("beside", orbit())
        .with_law("t8", Marginal::normal(0.0, 1.0).unwrap());
    let n = 4_000;
    // How often the first state has the smallest value. Of 9! = 362,880 arrangements the first 40,320 all have it there.
    let share = |law: &GoalLaw| {
        let goals = (0..n).map(|i| law.draw(Seed(3), Stream::Reward, SampleIndex(i)));
        goals.filter(|goal| goal[0] == 0.0).count() as f64 / n as f64
    };
    for law in [mixed, beside] {
        let law = law.bind(&mdp).unwrap().law;
        assert_eq!(
            (law.facts().enumerated, law.facts().available),
            (None, None)
        );
        // 4.5 standard errors.
        let error = 4.5 * (1.0 / 9.0 * 8.0 / 9.0 / n as f64).sqrt();
        assert!((share(&law) - 1.0 / 9.0).abs() < error, "{}", share(&law));
    }
    let law = alone.bind(&mdp).unwrap().law;
    assert_eq!(law.facts().enumerated, Some(362_880));
    assert_eq!(share(&law), 1.0, "the control");
}

/// Goals of seed 42, from docs/random-numbers.md by a program of its own. Changing one is a breaking change, to be listed under "Values" in CHANGELOG.md.
#[test]
fn random_rows_and_inner_picks_are_what_they_always_were() {
    let mut b = MdpBuilder::new("four");
    for name in ["a", "b", "c", "d"] {
        let state = b.state(name);
        b.absorbing(state);
    }
    let mdp = Arc::new(b.build().unwrap());
    let goals = |law: Law, n: u64| -> Vec<Vec<f32>> {
        let law = RewardDistribution::new("law", law).bind(&mdp).unwrap().law;
        let goals = (0..n).map(|i| law.draw(Seed(42), Stream::Reward, SampleIndex(i)));
        goals.collect()
    };
    let rows: Vec<Vec<f64>> = (0..1000)
        .map(|i| vec![f64::from(i), 0.0, 0.0, 0.0])
        .collect();
    let table = GoalTable::new(Matrix::from_rows(&rows), TableUse::Resample);
    let drawn = goals(Law::Table(table), 8);
    let drawn: Vec<f32> = drawn.iter().map(|goal| goal[0]).collect();
    assert_eq!(
        drawn,
        [935.0, 564.0, 367.0, 954.0, 203.0, 699.0, 860.0, 875.0]
    );
    let one = |name: &'static str| Law::Reach(Reach::new(vec![StateSet::new([name])]));
    let pair =
        |weight, first, second| Law::Mixture(Mixture::new(vec![(1.0, first), (weight, second)]));
    let inner = pair(1.0, one("b"), pair(1.0, one("c"), one("d")));
    let picked = goals(pair(3.0, one("a"), inner), 12);
    let name = |goal: &Vec<f32>| {
        let at = goal.iter().position(|x| *x == 1.0).unwrap();
        ["a", "b", "c", "d"][at]
    };
    assert_eq!(picked.iter().map(name).collect::<String>(), "cbbbbdbbddcb");
}

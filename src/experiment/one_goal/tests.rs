use super::*;
use crate::mdp::MdpBuilder;
use crate::reward::GoalLaw;
use crate::solve::ReferenceBackend;

fn half() -> Discount {
    Discount::new(0.5).unwrap()
}

/// From `s` one stays, or goes to one of three ends; `bump` and `stay` have equal rows.
fn fork() -> Arc<Mdp> {
    let mut b = MdpBuilder::new("fork");
    let [s, left, right, far] = ["s", "left", "right", "far"].map(|n| b.state(n));
    b.choice(s, "stay", [(s, 1.0)]);
    b.choice(s, "bump", [(s, 1.0)]);
    b.choice(s, "left", [(left, 1.0)]);
    b.choice(s, "right", [(right, 1.0)]);
    b.choice(s, "far", [(far, 0.75), (left, 0.25)]);
    for end in [left, right, far] {
        b.absorbing(end);
    }
    Arc::new(b.build().unwrap())
}

fn solve(rewards: [f64; 4]) -> OneGoal {
    let question = Question::Given(rewards.to_vec());
    let spec = RunSpec::default();
    OneGoal::solve(&ReferenceBackend::new(), &spec, &fork(), half(), &question).unwrap()
}

fn best(goal: &OneGoal, state: u32) -> (Vec<&str>, Certainty) {
    let decision = &goal.decisions[state as usize];
    let names = decision
        .best
        .iter()
        .map(|c| goal.mdp.action_name(*c))
        .collect();
    (names, decision.certainty)
}

#[test]
fn one_choice_can_be_better_than_all_others() {
    assert_eq!(
        best(&solve([0.0, 0.1, 0.9, 0.2]), 0),
        (vec!["right"], Certainty::Sure)
    );
}

#[test]
fn equal_rows_and_equal_values_are_ties() {
    assert_eq!(
        best(&solve([1.0, 0.1, 0.9, 0.2]), 0),
        (vec!["stay", "bump"], Certainty::Tie)
    );
    assert_eq!(
        best(&solve([0.0, 0.5, 0.5, 0.2]), 0),
        (vec!["left", "right"], Certainty::Tie)
    );
    // A difference that f64 resolves is no tie.
    assert_eq!(
        best(&solve([0.0, 0.5, 0.5 + 1e-8, 0.2]), 0),
        (vec!["right"], Certainty::Sure)
    );
}

#[test]
fn what_a_wide_bound_leaves_open_is_undecided() {
    let sharp = solve([0.0, 0.5, 0.5001, 0.2]);
    let blurred = |half_width| {
        let solved = SolvedGoal {
            half_width,
            ..sharp.solved.clone()
        };
        OneGoal::of(sharp.mdp.clone(), half(), solved, 1.0)
    };
    // `right` is worth 1e-4 more than `left` on the scale of (1 - gamma) V. Both rows are certain, so that a half-width
    // h lets the difference move by 2 gamma h = h.
    assert_eq!(best(&blurred(0.9e-4), 0), (vec!["right"], Certainty::Sure));
    assert_eq!(
        best(&blurred(1.1e-4), 0),
        (vec!["left", "right"], Certainty::Undecided)
    );
    assert_eq!(best(&blurred(f64::NAN), 0).1, Certainty::Undecided);
}

#[test]
fn a_certain_path_earns_the_value_of_its_first_state() {
    let goal = solve([0.3, 0.1, 0.9, 0.2]);
    let path = goal.path(goal.start(), 100, Seed(0), 0);
    assert_eq!(
        (path.steps.len(), path.end),
        (2, PathEnd::Repeats { from: 1 })
    );
    // 0.3 + 0.9/2 + 0.9/4 + ... = 1.2
    let earned = goal.discounted_rewards(&path).unwrap();
    assert!((earned - 1.2).abs() < 1e-15 * 4.0, "{earned}");
    let value = goal.solved.values(half())[0];
    assert!((earned - value).abs() <= goal.solved.value_half_width(half()) + 4.0 * f64::EPSILON);
}

#[test]
fn an_uncertain_path_is_drawn_and_says_how_likely_it_is() {
    let goal = solve([0.0, 0.1, 0.2, 0.9]);
    let ends = |number| {
        let path = goal.path(StateId(0), 100, Seed(0), number);
        assert_eq!(goal.discounted_rewards(&path), None);
        // `far` is reached with probability 3/4, `left` with 1/4; both are absorbing.
        let expected = if path.last == StateId(3) { 0.75 } else { 0.25 };
        assert_eq!(
            (path.probability(), path.end),
            (expected, PathEnd::Repeats { from: 1 })
        );
        usize::from(path.last == StateId(3))
    };
    let far: usize = (0..4096).map(ends).sum();
    // Binomial(4096, 3/4): mean 3072, standard deviation 27.7; five of those are crossed once in two million.
    assert!(far.abs_diff(3072) < 139, "{far}");
}

#[test]
fn an_uncertain_step_closes_no_round() {
    let mut b = MdpBuilder::new("slippery");
    let s = b.state("s");
    let t = b.state("t");
    b.choice(s, "try", [(s, 0.5), (t, 0.5)]);
    b.absorbing(t);
    let question = Question::Given(vec![0.0, 1.0]);
    let mdp = Arc::new(b.build().unwrap());
    let goal = OneGoal::solve(
        &ReferenceBackend::new(),
        &RunSpec::default(),
        &mdp,
        half(),
        &question,
    )
    .unwrap();
    let longest = (0..64)
        .map(|number| goal.path(s, 100, Seed(0), number).steps.len())
        .max();
    // Staying in `s` is not the end: among 64 paths some stay more than twice.
    assert!(longest > Some(4), "{longest:?}");
}

#[test]
fn a_path_can_be_cut_short() {
    let goal = solve([0.0, 0.1, 0.9, 0.2]);
    let path = goal.path(StateId(0), 1, Seed(0), 0);
    assert_eq!(
        (path.steps.len(), path.last, path.end),
        (1, StateId(2), PathEnd::Cut)
    );
    assert_eq!(goal.path(StateId(0), 0, Seed(0), 0).steps.len(), 0);
}

#[test]
fn a_sampled_goal_is_the_goal_of_that_number() {
    let reward = RewardDistribution::unit_uniform();
    let spec = RunSpec::default();
    let question = Question::Sampled {
        reward: reward.clone(),
        index: SampleIndex(7),
    };
    let goal = OneGoal::solve(&ReferenceBackend::new(), &spec, &fork(), half(), &question).unwrap();
    let law = GoalLaw::unit_uniform(&fork());
    let drawn = law.draw(spec.seed, Stream::Reward, SampleIndex(7));
    let drawn: Vec<f64> = drawn.into_iter().map(f64::from).collect();
    assert_eq!(goal.solved.rewards, drawn);
}

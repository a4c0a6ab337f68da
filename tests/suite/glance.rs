//! What a glance at a tile of goals tells is what one goal after the other tells, bit by bit.

use std::path::Path;
use std::sync::Arc;

use powersweep::mdp::families::{Family, RandomDeterministic};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::plan::Plan;
use powersweep::reward::{GoalLaw, Marginal, RewardDistribution};
use powersweep::solve::cpu::{CpuBackend, Level};
use powersweep::solve::{CellProblem, GoalProgram};
use powersweep::statistics::behaviour::{LawScale, Observer, Ties};
use powersweep::statistics::{
    EventRequest, MajorityRequest, Observations, OptimalRequest, Request, Uncertain,
};
use powersweep::{Discount, Seed};

use super::behaviour::{observe, small_mdp};

/// Three whole tiles and a part of one.
const GOALS: u64 = 200;

/// Choices of all states, sets of them, and every state as an event, within some steps and without.
fn request(mdp: &Mdp) -> Request {
    let names = mdp.states().map(|s| mdp.state_name(s).to_owned());
    let names: Vec<String> = names.take(12).collect();
    let labels = mdp.choice_labels().keys().cloned();
    let ties = [Ties::Even, Ties::Towards, Ties::Away];
    let events = names.iter().enumerate().map(|(i, label)| EventRequest {
        label: label.clone(),
        within: (i % 2 == 0).then_some(i as u64),
        ties: ties[i % 3],
        without_time: i % 4 == 3,
    });
    let choice = |state: powersweep::StateId, last: bool| {
        let mut choices = mdp.choices(state);
        let choice = if last { choices.last() } else { choices.next() };
        OptimalRequest::Choice {
            state: mdp.state_name(state).to_owned(),
            action: mdp.action_name(choice.unwrap()).to_owned(),
        }
    };
    let states: Vec<_> = mdp.states().take(3).collect();
    let majority = MajorityRequest {
        name: "pair".to_owned(),
        first: states.iter().map(|&s| choice(s, true)).collect(),
        second: states.iter().map(|&s| choice(s, false)).collect(),
    };
    Request {
        majority: vec![majority],
        events: events.collect(),
        optimality: labels.chain(names.clone()).collect(),
        choices: names,
        ..Request::default()
    }
}

fn problem(
    mdp: &Arc<Mdp>,
    law: &Marginal,
    gamma: f64,
    seed: u64,
    request: &Request,
) -> CellProblem {
    let law = RewardDistribution::iid("law", law.clone()).bind(mdp);
    let law: Arc<GoalLaw> = law.unwrap().law;
    let discount = Discount::new(gamma).unwrap();
    CellProblem {
        program: GoalProgram::optimal(mdp.clone(), law),
        discount,
        tolerance: 1e-5,
        max_sweeps: CellProblem::sufficient_sweeps(discount, 1e-5, 1.0),
        seed: Seed(seed),
        plan: Arc::new(Plan::draw(mdp, discount)),
        asked: Arc::new(request.resolve(mdp, LawScale::default()).unwrap()),
        rule: powersweep::solve::DecisionRule::default(),
    }
}

/// The first columns: bits of the numbers, and brackets.
fn first_columns(of: &Observations, columns: usize) -> (Vec<Vec<u64>>, Vec<Uncertain>) {
    let bits = |row: &[f64]| row[..columns].iter().map(|x| x.to_bits()).collect();
    let brackets = of.uncertain().iter();
    let brackets = brackets.filter(|u| (u.column as usize) < columns);
    (of.rows().map(bits).collect(), brackets.copied().collect())
}

/// A long way of states in a circle, which meets itself late: `n` states, the last one leads back to the middle.
fn lasso(n: usize) -> Mdp {
    let mut builder = MdpBuilder::new("lasso");
    let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
    for (i, &s) in states.iter().enumerate() {
        let next = *states.get(i + 1).unwrap_or(&states[n / 2]);
        builder.choice(s, "on", [(next, 1.0)]);
        if i % 3 == 1 {
            builder.choice(s, "back", [(states[i - 1], 1.0)]);
            builder.choice(s, "also back", [(states[i - 1], 1.0)]);
        }
    }
    builder.start(states[0]);
    builder.build().unwrap()
}

fn worlds() -> Vec<Arc<Mdp>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/bench/w1.toml");
    let random = |states| {
        let random = RandomDeterministic { states, choices: 3 };
        Family::RandomDeterministic(random)
            .generate(states)
            .unwrap()
    };
    let small = (0..12).map(|seed| small_mdp(4 * seed, true));
    let others = [
        powersweep::io::read_mdp(&path).unwrap().0,
        lasso(17),
        lasso(300),
        random(3),
        random(40),
    ];
    small.chain(others).map(Arc::new).collect()
}

#[test]
fn a_glance_tells_what_one_goal_after_the_other_tells_bit_by_bit() {
    let near = [0.0, 0.5, 0.5 + 1e-7, 0.5 + 1e-4, 1.0];
    let laws = [
        Marginal::uniform(0.0, 1.0).unwrap(),
        Marginal::bernoulli(0.5, 0.0, 1.0).unwrap(),
        Marginal::discrete(&near, &[1.0; 5]).unwrap(),
    ];
    let mut noticed = 0;
    for (number, mdp) in worlds().iter().enumerate() {
        let asked = request(mdp);
        // Distributions are of values, so that every goal is looked at by itself.
        let with_values = Request {
            distribution: vec![mdp.state_name(powersweep::StateId(0)).to_owned()],
            ..asked.clone()
        };
        for (law, gamma) in laws.iter().zip([0.9, 0.5, 0.99]) {
            let at_once = problem(mdp, law, gamma, 5, &asked);
            let one_by_one = problem(mdp, law, gamma, 5, &with_values);
            let glances = |problem: &CellProblem| {
                let observer = Observer::new(mdp, problem.discount, 1.0, &problem.asked);
                observer.unwrap().crossings().is_some()
            };
            assert!(glances(&at_once) && !glances(&one_by_one), "{}", mdp.name());
            let levels = Level::available();
            let level = levels[number % levels.len()];
            let backend = CpuBackend::with_level(level);
            let columns = at_once.asked.n_columns();
            let [at_once, one_by_one] =
                [at_once, one_by_one].map(|problem| observe(&backend, problem, GOALS));
            let expected = first_columns(&one_by_one, columns);
            assert_eq!(at_once.columns(), columns);
            assert!(
                first_columns(&at_once, columns) == expected,
                "{} at {gamma} with {level}",
                mdp.name()
            );
            // The control: other goals.
            let other = problem(mdp, law, gamma, 6, &asked);
            let other = observe(&backend, other, GOALS);
            noticed += usize::from(first_columns(&other, columns) != expected);
        }
    }
    assert!(noticed > 40, "{noticed}");
}

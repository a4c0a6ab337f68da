//! Interventions whose goals are solved in linked stages: hand-computed worlds, closed forms on both backends, and what is refused.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, Engine, RunError, RunSpec, Statistics};
use powersweep::intervention::{
    Agent, Belief, GoalButton, ImpactPenalty, Measure, Names, OffSwitch, RewardUncertainty,
    ShutdownIndifference, Variant, reachability,
};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::program::Human;
use powersweep::reward::{Coupling, Marginal, RewardDistribution};
use powersweep::statistics::{Estimate, Key};
use powersweep::units::Limit;

use crate::interventions::{LINKED, variants};

/// `s` leads to `off`, back to itself, or to one of `leaves` places to stay.
fn world(leaves: usize) -> Mdp {
    let mut b = MdpBuilder::new("world");
    let [s, off] = ["s", "off"].map(|n| b.state(n));
    b.choice(s, "off", [(off, 1.0)]);
    b.choice(s, "wait", [(s, 1.0)]);
    b.absorbing(off);
    for i in 0..leaves {
        let leaf = b.state(format!("t{i}"));
        b.choice(s, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.start(s);
    b.build().unwrap()
}

fn uniform() -> RewardDistribution {
    RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap())
}

fn run(
    backend: BackendChoice,
    mdp: Mdp,
    variant: Variant,
    reward: RewardDistribution,
) -> Statistics {
    let engine = Engine::new(backend).unwrap();
    let samples = match backend {
        BackendChoice::Reference => 4_000,
        _ => 40_000,
    };
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        variants: vec![variant],
        rewards: vec![Arc::new(reward)],
        samples,
        seed: Seed(5),
        threads: 1,
        ..RunSpec::default()
    };
    engine.run(&spec.discount(0.9).unwrap()).unwrap()
}

fn reading(found: &Statistics, name: &str, measure: &str) -> Estimate {
    assert!(found.is_complete(), "{:?}", found.failures);
    let table = found.cells[0].table("readings").unwrap();
    let row = table.rows.iter().find(|r| r.keys[0] == Key::text(name));
    let row = row.unwrap_or_else(|| panic!("{name} among {:?}", table.rows));
    *table.measure(row, measure).unwrap().estimate().unwrap()
}

/// Holds an estimate to an exact value, and to noticing one that is off by ten standard errors.
fn is(estimate: Estimate, exact: f64) {
    let allowed = 4.5 * estimate.std_error.unwrap() + estimate.bound + 1e-12;
    let distance = (estimate.estimate - exact).abs();
    assert!(distance <= allowed, "{exact}: {estimate:?}");
    let moved = exact + 2.5 * allowed.max(1e-3);
    assert!((estimate.estimate - moved).abs() > allowed);
}

const BOTH: [BackendChoice; 2] = [BackendChoice::Cpu, BackendChoice::Reference];

fn button(agent: Agent, delay: u32) -> Variant {
    Variant::new("button").with(GoalButton {
        at: None,
        agent,
        delay,
    })
}

#[test]
fn a_button_is_worth_what_its_agent_thinks() {
    // Leaves, off and the state itself are five places to stay: the best is kept for, and after a press any of them is as likely the best of R'.
    for backend in BOTH {
        let mdp = || world(3);
        let realistic = run(backend, mdp(), button(Agent::Realistic, 0), uniform());
        is(reading(&realistic, "keep at s", "above"), 4.0 / 5.0);
        is(reading(&realistic, "keep at s", "tied"), 1.0 / 5.0);
        is(reading(&realistic, "keep at s", "mean"), 5.0 / 6.0 - 0.5);
        let ignorant = run(backend, mdp(), button(Agent::Ignorant, 0), uniform());
        is(reading(&ignorant, "keep at s", "tied"), 1.0);
        let hedonistic = run(backend, mdp(), button(Agent::Hedonistic, 0), uniform());
        is(reading(&hedonistic, "keep at s", "below"), 0.5);
        // A second goal that is the first is no other goal.
        let same = uniform().paired(Coupling::Equal(1.0));
        let same = run(backend, mdp(), button(Agent::Realistic, 0), same);
        is(reading(&same, "keep at s", "tied"), 1.0);
        // In copies that draw rewards of their own a press is a fresh draw: the best of five against one.
        let own = run(
            backend,
            mdp(),
            button(Agent::Realistic, 0),
            uniform().over_all(),
        );
        is(reading(&own, "keep at s", "above"), 5.0 / 6.0);
    }
}

#[test]
fn a_press_that_takes_time_costs_the_time() {
    // Pressing for d steps is staying for d steps: worth it for an agent that will go on acting for R just where staying is optimal.
    for backend in BOTH {
        for delay in [1, 3] {
            let found = run(backend, world(3), button(Agent::Ignorant, delay), uniform());
            is(reading(&found, "keep at s", "tied"), 1.0 / 5.0);
            is(reading(&found, "keep at s", "above"), 4.0 / 5.0);
            // What is lost is 1 - g^d of the distance to the best, in expectation 5/6 - 1/2.
            let lost = (1.0 - 0.9_f64.powi(delay as i32)) * (5.0 / 6.0 - 0.5);
            is(reading(&found, "keep at s", "mean"), lost);
        }
    }
}

#[test]
fn compensated_shutdown_is_as_good_as_what_it_replaces() {
    let indifferent = || {
        Variant::new("indifferent").with(ShutdownIndifference {
            shutdown: Names::new("shutdown", ["off"]),
        })
    };
    for backend in BOTH {
        let found = run(backend, world(3), indifferent(), uniform());
        is(reading(&found, "comply at s", "tied"), 1.0);
        is(reading(&found, "comply at s", "mean"), 0.0);
        // POWER of the state is that of the world without shutdown: the best of four places to stay.
        is(found.cells[0].power[0], 4.0 / 5.0);
        // With a hazard on every step it is the same: interruptions change nothing.
        let switch = OffSwitch {
            p: 0.25,
            at: Some(Names::new("at", ["s"])),
            ..OffSwitch::default()
        };
        let hazard = Variant::new("hazard")
            .with(switch)
            .with(ShutdownIndifference {
                shutdown: Names::new("shutdown", ["shutdown"]),
            });
        let found = run(backend, world(3), hazard, uniform());
        is(found.cells[0].power[0], 5.0 / 6.0);
    }
}

fn penalty(lambda: f64, measure: Measure) -> Variant {
    Variant::new("penalty").with(ImpactPenalty {
        noop: powersweep::document::Spanned {
            value: "off".to_owned(),
            span: 0..0,
        },
        lambda,
        measure,
    })
}

/// `s` leads to `off` or to one leaf.
fn two() -> Mdp {
    let mut b = MdpBuilder::new("two");
    let [s, off, leaf] = ["s", "off", "leaf"].map(|n| b.state(n));
    b.choice(s, "off", [(off, 1.0)]);
    b.choice(s, "go", [(leaf, 1.0)]);
    b.absorbing(off);
    b.absorbing(leaf);
    b.start(s);
    b.build().unwrap()
}

#[test]
fn an_impact_penalty_makes_acting_rarer() {
    for backend in BOTH {
        for (lambda, act) in [(0.5, 0.5 - 0.5 / 3.0 + 0.25 / 12.0), (1.0, 0.25)] {
            let found = run(
                backend,
                two(),
                penalty(lambda, Measure::AttainableUtility(1)),
                uniform(),
            );
            is(reading(&found, "act at s", "above"), act);
            // Lost where a better leaf is left alone: never below zero.
            let lost = reading(&found, "task value lost", "below");
            assert_eq!((lost.estimate, lost.high.min(1e-2) < 1e-2), (0.0, true));
        }
        // Reachability: whatever is done one leaf is lost, own leaf won: symmetric, a penalty on acting alone.
        let found = run(
            backend,
            two(),
            penalty(0.3, Measure::RelativeReachability(0.9)),
            uniform(),
        );
        // Off itself is lost: 1 of 3 states. Acting is optimal where r - r' > lambda (1 - g)/g / 3.
        let threshold: f64 = 0.3 * (0.1 / 0.9) / 3.0;
        is(
            reading(&found, "act at s", "above"),
            (1.0 - threshold).powi(2) / 2.0,
        );
    }
}

#[test]
fn relative_reachability_of_a_star() {
    // The hub is lost, k - 1 other leaves are lost at one step's distance, the own leaf is won.
    let mut b = MdpBuilder::new("star");
    let hub = b.state("hub");
    b.choice(hub, "noop", [(hub, 1.0)]);
    for i in 0..4 {
        let leaf = b.state(format!("t{i}"));
        b.choice(hub, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    let reach = reachability(&b.build().unwrap(), 0.9);
    let lost: f64 = reach.iter().map(|row| (row[0] - row[1]).max(0.0)).sum();
    assert!((lost / 5.0 - 0.74).abs() < 1e-12, "{lost}");
}

#[test]
fn an_unsure_agent_defers_to_a_human_who_knows() {
    // Uniform on [-1, 1] and off worth 0: E max(U, 0) = 1/4, and acting is worth nothing on average.
    let law = || {
        RewardDistribution::iid("law", Marginal::uniform(-1.0, 1.0).unwrap()).with_fixed("off", 0.0)
    };
    let game = |belief, cost| {
        Variant::new("game").with(RewardUncertainty {
            shutdown: Names::new("shutdown", ["off"]),
            belief,
            human: Human::Rational,
            cost,
        })
    };
    for backend in BOTH {
        let found = run(backend, two(), game(Belief::Law, 0.0), law());
        is(reading(&found, "defer at s", "mean"), 0.25);
        let found = run(backend, two(), game(Belief::Law, 0.1), law());
        is(reading(&found, "defer at s", "mean"), 0.15);
        // One posterior draw is no doubt: waiting is as good as the better of acting and being off.
        let found = run(backend, two(), game(Belief::Posterior(1), 0.0), law());
        is(reading(&found, "defer at s", "tied"), 1.0);
        // Two draws: waiting wins where they disagree in sign.
        let found = run(backend, two(), game(Belief::Posterior(2), 0.0), law());
        is(reading(&found, "defer at s", "above"), 0.5);
        is(reading(&found, "defer at s", "tied"), 0.5);
    }
}

#[test]
fn a_linked_intervention_is_the_last_of_its_variant() {
    for text in LINKED {
        let mdp = Arc::new(world(3));
        let made = variants(text).unwrap().remove(0).made_of(&mdp).unwrap();
        assert!(made.linked.is_some(), "{text}");
        assert!(made.mdp.n_states() >= mdp.n_states());
        let twice = format!("[{text}, {{ kind = 'time-limit', steps = 4 }}]");
        let error = variants(&twice).unwrap().remove(0).apply(&mdp).unwrap_err();
        assert!(error.to_string().contains("must be the last"), "{error}");
    }
}

#[test]
fn limits_of_the_discount_are_refused_before_the_first_goal() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(world(2))],
        variants: vec![button(Agent::Realistic, 0)],
        ..RunSpec::default()
    };
    let error = engine.run(&spec.limit(Limit::One)).unwrap_err();
    assert!(matches!(error, RunError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("linked solves"), "{error}");
}

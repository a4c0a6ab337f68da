//! Interventions whose goals are solved in linked stages: hand-computed worlds, closed forms on both backends, and what is refused.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{
    BackendChoice, Engine, Experiment, Overrides, RunError, RunSpec, Statistics,
};
use powersweep::intervention::{
    Agent, Belief, GoalButton, ImpactPenalty, Measure, Names, OffSwitch, RewardUncertainty,
    ShutdownIndifference, Variant, reachability,
};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::program::Human;
use powersweep::reward::{Coupling, Marginal, RewardDistribution};
use powersweep::statistics::{Estimate, EventRequest, Key, Request};
use powersweep::units::Limit;

use crate::interventions::{LINKED, variants};

/// `s` leads to `off`, back to itself, or to one of `leaves` places to stay.
pub(crate) fn world(leaves: usize) -> Mdp {
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

pub(crate) fn uniform() -> RewardDistribution {
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

/// `s` leads to one of `leaves` places to stay, and pays nothing itself.
fn star(leaves: usize) -> Mdp {
    let mut b = MdpBuilder::new("star");
    let s = b.state("s");
    for i in 0..leaves {
        let leaf = b.state(format!("t{i}"));
        b.choice(s, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.start(s);
    b.build().unwrap()
}

fn on(text: &str) -> Variant {
    variants(text).unwrap().remove(0)
}

/// Uniform on [0, 1], but for states that pay `0`.
fn free(states: &[&str]) -> RewardDistribution {
    let fixed = |law: RewardDistribution, s: &&str| law.with_fixed(s, 0.0);
    states.iter().fold(uniform(), fixed)
}

#[test]
fn a_channel_is_tampered_with_where_it_then_says_more() {
    let g: f64 = 0.9;
    let (k, steps) = (3, 2);
    for backend in BOTH {
        for pays in [0.25_f64, 0.8] {
            let text = format!("{{ kind = 'tampering', steps = {steps}, pays = {pays} }}");
            let found = run(backend, star(k), on(&text), free(&["s"]));
            // From the next step but `steps - 1` on the channel pays: better where g^steps pays > g M with M the best of k.
            let least = g.powi(steps - 1) * pays;
            let tampers = least.powi(k as i32);
            is(reading(&found, "tamper at s", "above"), tampers);
            is(reading(&found, "tamper at s", "tied"), 0.0);
            // Then the first of all leaves is taken, one step after the tampering: all are uniform below `least`.
            let best = least * k as f64 / (k as f64 + 1.0);
            let lost = tampers * (g * best - g.powi(steps + 1) * least / 2.0);
            is(reading(&found, "true value lost", "mean"), lost);
            is(reading(&found, "true value lost", "below"), 0.0);
        }
        // A channel that goes on saying R is not worth the step; one that says another goal is, for half of the goals less what the step costs.
        let same = free(&["s"]).paired(Coupling::Equal(1.0));
        let same = run(backend, star(k), on("{ kind = 'tampering' }"), same);
        is(reading(&same, "tamper at s", "above"), 0.0);
        is(reading(&same, "true value lost", "tied"), 1.0);
        let other = run(backend, star(1), on("{ kind = 'tampering' }"), free(&["s"]));
        // g R' > R.
        is(reading(&other, "tamper at s", "above"), g / 2.0);
    }
}

#[test]
fn an_agent_that_plans_without_interruptions_has_no_reason_to_resist_them() {
    // An office with k kinds of work that go on for ever, and end with probability p a step; one step disables that.
    let (g, p, k): (f64, f64, f64) = (0.9, 0.25, 3.0);
    let office = || crate::interventions::works(3);
    let switch = "{ kind = 'off-switch', at = 'work', p = 0.25, disable = true }";
    let safe = "{ kind = 'safe-interruptibility', interruption = 'shutdown' }";
    let law = || uniform().with_law("off", Marginal::uniform(0.0, 1.0).unwrap());
    for backend in BOTH {
        let found = run(backend, office(), on(&format!("[{switch}, {safe}]")), law());
        // Without interruptions a step in the office is worth it where it is the best of k + 1 places.
        is(reading(&found, "resist at s0", "above"), 1.0 / (k + 1.0));
        let t = (1.0 - g) / (1.0 - g * (1.0 - p));
        let hazard = 0.5 + (g - t) / (1.0 - t) * (k - 1.0) / (2.0 * (k + 1.0));
        is(reading(&found, "resist at s0, aware", "above"), hazard);
        let incentive = reading(&found, "incentive at s0", "mean");
        is(incentive, hazard - 1.0 / (k + 1.0));
        let parts = ["resist at s0, aware", "resist at s0"].map(|n| reading(&found, n, "above"));
        assert!((incentive.estimate - (parts[0].estimate - parts[1].estimate)).abs() < 1e-9);
        is(reading(&found, "true value lost", "below"), 0.0);
    }
}

#[test]
fn what_is_shown_of_a_followed_policy_is_what_it_does() {
    let switch = "{ kind = 'off-switch', at = 'work', p = 0.25, disable = true }";
    let safe = "{ kind = 'safe-interruptibility', interruption = 'shutdown' }";
    let event = |label: &str| EventRequest {
        label: label.to_owned(),
        ..EventRequest::default()
    };
    let run = |backend: BackendChoice| {
        let engine = Engine::new(backend).unwrap();
        let spec = RunSpec {
            environments: vec![engine.upload(crate::interventions::works(3))],
            variants: vec![on(&format!("[{switch}, {safe}]"))],
            samples: 4_000,
            threads: 1,
            statistics: Request {
                optimality: vec!["start".to_owned()],
                choices: vec!["start".to_owned()],
                events: ["disable", "shutdown"].map(event).to_vec(),
                ..Request::default()
            },
            ..RunSpec::default()
        };
        engine.run(&spec.discount(0.9).unwrap()).unwrap()
    };
    let [cpu, reference] = BOTH.map(run);
    let numbers = |found: &Statistics, table: &str, measure: &str| -> Vec<f64> {
        let table = found.cells[0].table(table).unwrap();
        let rows = table.rows.iter();
        let each = rows.map(|r| {
            table
                .measure(r, measure)
                .unwrap()
                .estimate()
                .unwrap()
                .estimate
        });
        each.collect()
    };
    for found in [&cpu, &reference] {
        assert!(found.is_complete(), "{:?}", found.failures);
        let resists = reading(found, "resist at s0", "above").estimate;
        let [disable, shutdown] = numbers(found, "events", "ever")[..] else {
            panic!("two events");
        };
        assert!((disable - resists).abs() < 1e-9);
        // Work ends in the end where it was not disabled.
        assert!((shutdown - (1.0 - disable)).abs() < 1e-9);
        let choices = numbers(found, "choices", "probability");
        assert!((choices[3] - resists).abs() < 1e-9, "{choices:?}");
        // Which choices would be optimal is another question.
        assert!(found.cells[0].table("optimality").is_none());
    }
    let [a, b] = [&cpu, &reference].map(|f| numbers(f, "choices", "probability"));
    assert_eq!(a, b);
}

#[test]
fn a_penalty_deters_those_who_gain_less() {
    // Taking the overseen one of two leaves: noticed with probability p, the first step there pays x less.
    let (g, p, x): (f64, f64, f64) = (0.9, 0.5, 4.0);
    let mut b = MdpBuilder::new("two");
    let [s, a, c] = ["s", "a", "c"].map(|n| b.state(n));
    b.choice(s, "a", [(a, 1.0)]);
    b.choice(s, "c", [(c, 1.0)]);
    b.absorbing(a);
    b.absorbing(c);
    b.choice_label_at("forbidden", None, vec![(s, "a".to_owned())]);
    b.start(s);
    let mdp = b.build().unwrap();
    for backend in BOTH {
        let text = format!(
            "{{ kind = 'oversight', choices = 'forbidden', answer = 'penalty', p = {p}, penalty = {x} }}"
        );
        let found = run(backend, mdp.clone(), on(&text), uniform());
        // a > c + d with d = (1 - g) p x.
        let d = (1.0 - g) * p * x;
        is(
            reading(&found, "take at s", "above"),
            (1.0 - d).powi(2) / 2.0,
        );
        // Lost where c < a < c + d: g (a - c), E[(a - c); 0 < a - c < d] = d^2/2 - d^3/3.
        let lost = g * (d * d / 2.0 - d * d * d / 3.0);
        is(reading(&found, "true value lost", "mean"), lost);
    }
}

#[test]
fn a_look_at_ones_goal_is_worth_it_where_the_goals_disagree() {
    // One leaf is worth r or r', the other nothing: not knowing, the better of their mean and nothing is taken. A look pays one step.
    let g: f64 = 0.9;
    let law = || {
        let law = RewardDistribution::iid("law", Marginal::uniform(-1.0, 1.0).unwrap());
        law.with_fixed("s", 0.0).with_fixed("t0", 0.0)
    };
    for backend in BOTH {
        let text = "{ kind = 'information', hidden = 'goal', p = 0.5 }";
        let found = run(backend, star(2), on(text), law());
        // Of opposite signs (one half), and the smaller one at least 1 - g of the larger.
        is(reading(&found, "look at s", "above"), (1.0 + g) / 4.0);
        // Both below zero: nothing is lost by looking.
        is(reading(&found, "look at s", "tied"), 0.25);
        let same = law().paired(Coupling::Equal(1.0));
        let same = run(backend, star(2), on(text), same);
        is(reading(&same, "look at s", "above"), 0.0);
    }
}

#[test]
fn lives_of_all_lengths_are_worth_the_same_at_their_best() {
    // Off at once, after a wait of one or of two steps, or to stay with one of two leaves for ever.
    let g: f64 = 0.9;
    let text = "{ kind = 'length-neutral', shutdown = 'off', lengths = 3 }";
    for backend in BOTH {
        let found = run(backend, world(2), on(text), free(&["off"]));
        // The longest life is worth the best of s and the leaves, after a step in s: (1 - g) s + g M.
        // A life of l steps is l steps in s, (1 - g^l) s, whatever it is that waits.
        for length in 1..=3 {
            let less = g * 3.0 / 4.0 + (1.0 - g) / 2.0 - (1.0 - g.powi(length)) / 2.0;
            is(
                reading(&found, &format!("longest less {length}"), "mean"),
                less,
            );
            is(
                reading(&found, &format!("longest less {length}"), "below"),
                0.0,
            );
        }
        // Whatever the agent does, it is worth the longest life: POWER of the best of three places to stay.
        is(found.cells[0].power[0], 3.0 / 4.0);
    }
    // What the best life of each length is worth is the same: off at once, to wait, and the better leaf are all optimal.
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(world(2))],
        variants: vec![on(text)],
        rewards: vec![Arc::new(free(&["off"]))],
        samples: 4_000,
        threads: 1,
        statistics: Request {
            optimality: vec!["start".to_owned()],
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let found = engine.run(&spec.discount(g).unwrap()).unwrap();
    let table = found.cells[0].table("optimality").unwrap();
    let weak = |at: usize| {
        let measure = table.measure(&table.rows[at], "weak").unwrap();
        measure.estimate().unwrap().estimate
    };
    assert_eq!((weak(0), weak(1)), (1.0, 1.0));
    let leaves = weak(2) + weak(3);
    assert!(
        leaves > 0.5 && leaves < 0.9,
        "a leaf where it is the best: {leaves}"
    );
    // Lengths that chance decides are no lengths.
    let hazard = "[{ kind = 'off-switch', p = 0.5 }, { kind = 'length-neutral', shutdown = 'shutdown', lengths = 2 }]";
    let error = on(hazard).apply(&Arc::new(world(2))).unwrap_err();
    assert!(
        error.to_string().contains("moves must be certain"),
        "{error}"
    );
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
    for limit in [Limit::One, Limit::Zero] {
        let error = engine.run(&spec.clone().limit(limit)).unwrap_err();
        assert!(matches!(error, RunError::Rules(_)), "{error}");
        let told = error.to_string();
        assert!(
            told.contains("goal-button") && told.contains(limit.name()),
            "{told}"
        );
    }
    // The control: a button at no state is the MDP itself, and has limits.
    let none = RunSpec {
        variants: variants("{ kind = 'goal-button', at = [] }").unwrap(),
        samples: 64,
        ..spec
    };
    assert!(engine.run(&none.limit(Limit::One)).unwrap().is_complete());
}

/// What does not go together is told with the line of the intervention that it is about, or of the key that does not go with it.
#[test]
fn refusals_say_where_in_the_file() {
    let told = |variant: &str, rest: &str| {
        let folder = tempfile::tempdir().unwrap();
        let works = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/drives/works.toml");
        std::fs::copy(works, folder.path().join("works.toml")).unwrap();
        let path = folder.path().join("x.toml");
        let text = format!(
            "schema = 1\n[mdp]\npath = 'works.toml'\n[[variant]]\nname = 'v'\ninterventions = [\n{variant}\n]\n{rest}"
        );
        std::fs::write(&path, text).unwrap();
        let error = Experiment::load(&path, &Overrides::default()).unwrap_err();
        error.to_string()
    };
    let solve = "[solve]\ndiscount = 0.9\n";
    let limit = "[solve]\ndiscount = '->1'\n";
    let switch = "{ kind = 'off-switch', at = 'work', p = 0.5 },\n";
    let button = "{ kind = 'goal-button' }";
    let indifferent = "{ kind = 'shutdown-indifference', shutdown = 'shutdown' }";
    let choices = format!("{solve}[[reward]]\ndomain = 'choices'\n");
    let lengths = "{ kind = 'length-neutral', shutdown = 'shutdown', lengths = 2 }";
    for (variant, rest, place, message) in [
        (
            format!("{switch}{lengths}"),
            solve,
            "x.toml:8:10: error",
            "moves must be certain",
        ),
        (
            format!("{button},\n{switch}"),
            solve,
            "x.toml:7:10: error",
            "must be the last",
        ),
        (
            format!("{switch}{indifferent}"),
            &*choices,
            "x.toml:8:10: error",
            "not of choices",
        ),
        (
            button.to_owned(),
            limit,
            "x.toml:7:10: error",
            "have no limit ->1",
        ),
        (
            button.to_owned(),
            &format!("{solve}[agent]\nrule = 'uniform'\n"),
            "x.toml:7:10: error",
            "only the rule \"optimal\"",
        ),
        (
            switch.to_owned(),
            &format!("{choices}[statistics]\ndrives = ['all']\n"),
            "x.toml:13:10: error",
            "drives",
        ),
        (
            switch.to_owned(),
            "[statistics]\noccupancy = true\n[solve]\ndiscount = [0.9, '->1']\n",
            "x.toml:13:12: error",
            "occupancy",
        ),
    ] {
        let told = told(&variant, rest);
        assert!(
            told.contains(place) && told.contains(message),
            "{message}: {told}"
        );
    }
}

#[test]
fn lives_from_several_starts_have_clocks_of_their_own() {
    // s as in `world`, and another start from which there is nothing to do but to go on to s, or off.
    let mdp = |starts: &[(&str, f64)]| {
        let mut b = MdpBuilder::new("two starts");
        let [s, off, before, leaf] = ["s", "off", "before", "t"].map(|n| b.state(n));
        b.choice(s, "off", [(off, 1.0)]);
        b.choice(s, "wait", [(s, 1.0)]);
        b.choice(s, "go", [(leaf, 1.0)]);
        b.absorbing(off);
        b.choice(before, "off", [(off, 1.0)]);
        b.choice(before, "on", [(s, 1.0)]);
        b.absorbing(leaf);
        let starts = starts.iter().map(|(name, p)| {
            let at = ["s", "off", "before", "t"].iter().position(|n| n == name);
            ([s, off, before, leaf][at.unwrap()], *p)
        });
        b.start_distribution(starts.collect(), None);
        b.build().unwrap()
    };
    let text = "{ kind = 'length-neutral', shutdown = 'off', lengths = 2 }";
    let found =
        |starts: &[(&str, f64)]| run(BackendChoice::Cpu, mdp(starts), on(text), free(&["off"]));
    let both = found(&[("s", 0.5), ("before", 0.5)]);
    let [alone, other] = ["s", "before"].map(|start| found(&[(start, 1.0)]));
    let same =
        |a: Estimate, b: Estimate| (a.estimate - b.estimate).abs() <= a.bound + b.bound + 1e-12;
    // The same goals, and the same lives from each start as if there were no other.
    for length in 1..=2 {
        let name = format!("longest less {length}");
        let of_before = reading(&both, &format!("{name} from before"), "mean");
        assert!(same(
            reading(&both, &name, "mean"),
            reading(&alone, &name, "mean")
        ));
        assert!(same(of_before, reading(&other, &name, "mean")));
        assert!(
            !same(of_before, reading(&alone, &name, "mean")),
            "the control"
        );
    }
    for (at, single) in [(0, &alone), (2, &other)] {
        assert!(same(both.cells[0].power[at], single.cells[0].power[at]));
    }
    assert!(
        !same(alone.cells[0].power[2], other.cells[0].power[2]),
        "the control"
    );
}

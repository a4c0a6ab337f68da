//! Identities between statistics that are computed independently, and worlds in which no drive may appear.
//!
//! Identity I1, a shutdown switch at the start, is in `behaviour.rs`, and so is the envelope theorem goal by goal.

use std::sync::Arc;

use crate::structure::measure;
use powersweep::Seed;
use powersweep::experiment::{BackendChoice, Engine, RunSpec, Statistics};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution};
use powersweep::statistics::{Estimate, Key, Request};

use crate::behaviour::small_mdp;
use crate::interventions::{variant, works};

fn run(mdp: Mdp, variants: &[&str], reward: RewardDistribution, request: Request) -> Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mut spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        rewards: vec![Arc::new(reward)],
        samples: 20_000,
        seed: Seed(3),
        threads: 1,
        statistics: request,
        ..RunSpec::default()
    };
    if !variants.is_empty() {
        spec.variants = variants.iter().map(|text| variant(text)).collect();
    }
    let found = engine.run(&spec.discount(0.9).unwrap()).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found
}

fn unit() -> Marginal {
    Marginal::uniform(0.0, 1.0).unwrap()
}

/// The envelope theorem between three runs: the average optimal value is convex in the mean of a state's reward, and its slope is the expected number of visits. So
/// the visits lie between what it rises by on either side, for the very same goals, however many there are: no sampling error enters.
#[test]
fn identity_two_visits_are_the_slope_of_the_value() {
    let step = 1.0 / 64.0;
    let gamma = 0.9;
    for seed in [1, 2, 5, 6] {
        let mdp = || small_mdp(seed, seed % 2 == 0);
        let start = mdp().start().to_vec();
        // Expected V* at the start where rewards of `state` are moved: POWER gamma/(1 - gamma), and the mean reward.
        let value = |state: &str, by: f64| {
            let moved = Marginal::uniform(by, 1.0 + by).unwrap();
            let law = RewardDistribution::iid("law", unit()).with_law(state, moved);
            let found = run(mdp(), &[], law, Request::default());
            let cell = &found.cells[0];
            let gamma = cell.discount_used.unwrap();
            let power = start
                .iter()
                .map(|(s, p)| p * cell.power[s.index()].estimate);
            let reward = start.iter().map(|(s, p)| {
                let own = f64::from(u8::from(mdp().state_name(*s) == state));
                p * by * own
            });
            let value = power.sum::<f64>() * gamma / (1.0 - gamma) + reward.sum::<f64>();
            (value, cell.power[0].bound * gamma / (1.0 - gamma))
        };
        let occupancy = Request {
            occupancy: true,
            ..Request::default()
        };
        let found = run(
            mdp(),
            &[],
            RewardDistribution::iid("law", unit()),
            occupancy,
        );
        let table = found.cells[0].table("occupancy").unwrap();
        for state in ["s0", "s1", "s2"] {
            let row = table.rows.iter().find(|r| r.keys[0] == Key::text(state));
            let visits = table.measure(row.unwrap(), "visits").unwrap();
            let visits = visits.estimate().unwrap().estimate;
            let [(below, e1), (here, e2), (above, e3)] =
                [-step, 0.0, step].map(|by| value(state, by));
            // Both values are known within their bounds, and draws lie on the lattice of single precision.
            let allowed = (e1.max(e3) + e2 + 2e-7 / (1.0 - gamma)) / step;
            let [left, right] = [(here - below) / step, (above - here) / step];
            assert!(
                left - allowed <= visits && visits <= right + allowed,
                "{seed}, {state}: {left} <= {visits} <= {right}"
            );
            assert!(
                right - left + 2.0 * allowed < 0.2,
                "the comparison can fail: {left} {right} {allowed}"
            );
        }
    }
}

/// Avoidance for every reward of an end, averaged over the end's reward: identity I1 by Rao and Blackwell.
#[test]
fn an_end_is_avoided_as_often_as_others_are_worth_more() {
    let (k, gamma) = (3, 0.9);
    let mut b = MdpBuilder::new("delay");
    let [s, off, wait] = ["s", "off", "wait"].map(|name| b.state(name));
    b.choice(s, "stop", [(off, 1.0)]);
    b.choice(s, "on", [(wait, 1.0)]);
    for i in 0..k {
        let leaf = b.state(format!("leaf {i}"));
        b.choice(wait, format!("to {i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.absorbing(off);
    let mdp = b.build().unwrap();
    let request = |indifference: &[&str]| Request {
        events: vec![powersweep::statistics::EventRequest {
            label: "off".to_owned(),
            ..Default::default()
        }],
        indifference: indifference.iter().map(|s| (*s).to_owned()).collect(),
        ..Request::default()
    };
    let law = || RewardDistribution::iid("law", unit());
    let found = run(mdp.clone(), &[], law(), request(&["off"]));
    let cell = &found.cells[0];
    let end = Key::text("off");
    let price = measure(cell, "indifference", std::slice::from_ref(&end), "price");
    // X = (1 - g) R(wait) + g max of k.
    let exact = (1.0 - gamma) / 2.0 + gamma * k as f64 / (k as f64 + 1.0);
    assert!(
        is(price, exact) && !is(price, exact + 0.02),
        "{price:?} {exact}"
    );
    let avoid = measure(cell, "events", std::slice::from_ref(&end), "avoid");
    assert!(is(avoid, exact), "{avoid:?}");
    let (a, b) = (price.std_error.unwrap(), avoid.std_error.unwrap());
    assert!(a < b / 1.5, "it is worth more goals: {a} {b}");
    // The curve is the survival function of X, and its mean over the rewards of the end the price: trapezoids on 64 bins err by far less than 0.001.
    let curve: Vec<f64> = (0..=64)
        .map(|i| measure(cell, "avoidance", &[end.clone(), Key::Count(i)], "avoid").estimate)
        .collect();
    assert!(curve.windows(2).all(|w| w[0] >= w[1]) && curve[0] == 1.0 && curve[64] == 0.0);
    let mean = curve.windows(2).map(|w| (w[0] + w[1]) / 128.0).sum::<f64>();
    assert!((mean - price.estimate).abs() < 1e-3, "{mean} {price:?}");
    // Whatever the end pays in a run, the curve tells how often it would be avoided at 3/4.
    let fixed = run(
        mdp.clone(),
        &[],
        law().with_fixed("off", 0.75),
        request(&["off"]),
    );
    let at = measure(
        &fixed.cells[0],
        "avoidance",
        &[end.clone(), Key::Count(48)],
        "avoid",
    );
    let found = measure(
        &fixed.cells[0],
        "events",
        std::slice::from_ref(&end),
        "avoid",
    );
    assert!(
        (at.estimate - found.estimate).abs() < 1e-12,
        "{at:?} {found:?}"
    );
    assert_eq!(at.estimate, curve[48], "the same goals");
    // What is no such end is a fault.
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        statistics: request(&["wait"]),
        samples: 64,
        ..RunSpec::default()
    };
    let error = engine
        .run(&spec.discount(0.9).unwrap())
        .unwrap_err()
        .to_string();
    assert!(error.contains("nothing else leads to"), "{error}");
}

/// How often the first choice of the start is optimal, ties split.
fn first_choice(mdp: Mdp, law: RewardDistribution) -> Estimate {
    let request = Request {
        optimality: vec!["start".to_owned()],
        ..Request::default()
    };
    let found = run(mdp, &[], law, request);
    let table = found.cells[0].table("optimality").unwrap();
    *table
        .measure(&table.rows[0], "fractional")
        .unwrap()
        .estimate()
        .unwrap()
}

fn is(found: Estimate, exact: f64) -> bool {
    (found.estimate - exact).abs() <= 4.5 * found.std_error.unwrap()
}

/// Whether a share of one half is found.
fn is_null(found: Estimate) -> bool {
    is(found, 0.5)
}

/// `s` leads to `sure` or to `a` and `b`, each with probability 1/2.
fn lottery() -> Mdp {
    let mut b = MdpBuilder::new("lottery");
    let [s, sure, x, y] = ["s", "sure", "a", "b"].map(|n| b.state(n));
    b.choice(s, "lottery", [(x, 0.5), (y, 0.5)]);
    b.choice(s, "sure", [(sure, 1.0)]);
    [sure, x, y].into_iter().for_each(|s| {
        b.absorbing(s);
    });
    b.start(s);
    b.build().unwrap()
}

/// `s` leads to `on`, which leads to two leaves, or to `off`, which leads to as many as `off_leaves`.
fn histories(off_leaves: usize) -> Mdp {
    let mut b = MdpBuilder::new("histories");
    let [s, on, off] = ["s", "on", "off"].map(|n| b.state(n));
    b.choice(s, "work", [(on, 1.0)]);
    b.choice(s, "shut down", [(off, 1.0)]);
    for (state, name, leaves) in [(on, "on", 2), (off, "off", off_leaves)] {
        for i in 0..leaves {
            let leaf = b.state(format!("{name} {i}"));
            b.choice(state, format!("{i}"), [(leaf, 1.0)]);
            b.absorbing(leaf);
        }
    }
    b.start(s);
    b.build().unwrap()
}

/// THEORY 2.7: worlds in which nothing converges, each with one beside it in which something does.
#[test]
fn negative_controls_come_out_null() {
    // Two options, of which one leaves more to chance: symmetric laws do not mind, skewed ones do (5/9 for the lottery under the exponential law).
    let law = |marginal| RewardDistribution::iid("law", marginal);
    assert!(is_null(first_choice(lottery(), law(unit()))));
    let exponential = Marginal::exponential(1.0).unwrap();
    let skewed = first_choice(lottery(), law(exponential));
    assert!(is(skewed, 5.0 / 9.0) && !is_null(skewed), "{skewed:?}");
    // Utility over histories of actions and observations: what is done after shutdown counts as much as anything, and a branch is as good as its twin.
    let leaves_alone = |law: RewardDistribution| {
        let silent = ["s", "on", "off"].iter();
        silent.fold(law, |law, s| law.with_fixed(s, 0.0))
    };
    assert!(is_null(first_choice(
        histories(2),
        leaves_alone(law(unit()))
    )));
    // The same with rewards everywhere: the two branches of a tree are each other's image.
    assert!(is_null(first_choice(histories(2), law(unit()))));
    // Over observations alone everything after shutdown looks the same: two of three leaves are elsewhere.
    let observed = first_choice(histories(1), leaves_alone(law(unit())));
    assert!(
        is(observed, 2.0 / 3.0) && !is_null(observed),
        "{observed:?}"
    );
    // With one kind of work nobody has a reason to disable the switch but the step it takes.
    let resist = |kinds: usize| {
        let request = Request {
            drives: vec!["resist".to_owned()],
            ..Request::default()
        };
        let switch = "{ kind = 'off-switch', at = 'work', p = 0.1, disable = true }";
        let law = law(unit()).with_law("off", unit());
        let found = run(works(kinds), &[switch], law, request);
        let table = found.cells[0].table("drives").unwrap();
        *table
            .measure(&table.rows[0], "estimate")
            .unwrap()
            .estimate()
            .unwrap()
    };
    assert!(is_null(resist(1)) && !is_null(resist(3)));
}

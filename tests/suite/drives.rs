//! Drives: what is known of each in closed form, beside chance, and where it does not appear.

use std::path::Path;
use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Overrides, RunSpec, Statistics,
};
use powersweep::intervention::Variant;
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution};
use powersweep::statistics::behaviour::Drives;
use powersweep::statistics::{Estimate, Key, Measure, Request};
use powersweep::units::Limit;

use crate::interventions::{variant, works};

fn uniform() -> RewardDistribution {
    RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap())
}

fn all() -> Request {
    Request {
        drives: Drives::names().map(str::to_owned).collect(),
        ..Request::default()
    }
}

/// The same, but for the start, which pays nothing.
fn free() -> RewardDistribution {
    uniform().with_fixed("s0", 0.0)
}

/// Every drive of a variant of an MDP; discount 1 stands for its limit.
fn run(mdp: Mdp, variants: Vec<Variant>, reward: RewardDistribution, discount: f64) -> Statistics {
    run_with(mdp, variants, reward, discount, all())
}

/// The same with what is asked.
pub(crate) fn run_with(
    mdp: Mdp,
    variants: Vec<Variant>,
    reward: RewardDistribution,
    discount: f64,
    statistics: Request,
) -> Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        variants,
        rewards: vec![Arc::new(reward)],
        samples: 40_000,
        seed: Seed(11),
        threads: 1,
        statistics,
        ..RunSpec::default()
    };
    let spec = match discount {
        1.0 => spec.limit(Limit::One),
        discount => spec.discount(discount).unwrap(),
    };
    let found = engine.run(&spec).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    found
}

/// A number of a drive: its estimate, what chance gives and what a theorem says.
fn drive(
    cell: &CellStatistics,
    name: &str,
    quantity: &str,
) -> (Estimate, Option<f64>, Option<f64>) {
    let table = cell.table("drives").unwrap();
    let keys = [Key::text(name), Key::text(quantity)];
    let row = table.rows.iter().find(|row| row.keys[..2] == keys);
    let row = row.unwrap_or_else(|| panic!("{name}, {quantity} among {:?}", table.rows));
    let number = |measure: &str| match table.measure(row, measure) {
        Some(Measure::Number(x)) => Some(*x),
        _ => None,
    };
    let estimate = table.measure(row, "estimate").unwrap().estimate().unwrap();
    (*estimate, number("chance"), number("least"))
}

fn shows(cell: &CellStatistics, name: &str) -> bool {
    let rows = cell.table("drives").map_or(&[][..], |table| &table.rows);
    rows.iter().any(|row| row.keys[0] == Key::text(name))
}

/// Holds an estimate to an exact value, and to noticing one that is off by ten standard errors.
pub(crate) fn is(estimate: Estimate, exact: f64) {
    let allowed = 4.5 * estimate.std_error.unwrap() + estimate.bound + 1e-9;
    let distance = (estimate.estimate - exact).abs();
    assert!(distance <= allowed, "{exact}: {estimate:?}");
    assert!((estimate.estimate - exact - 2.5 * allowed.max(1e-3)).abs() > allowed);
}

fn close(a: Option<f64>, b: f64) -> bool {
    a.is_some_and(|a| (a - b).abs() < 1e-9)
}

#[test]
fn resisting_and_what_it_is_worth() {
    let (g, p, k): (f64, f64, f64) = (0.9, 0.25, 3.0);
    let hazard = variant("{ kind = 'off-switch', at = 'work', p = 0.25, disable = true }");
    let law = uniform().with_law("off", Marginal::uniform(0.0, 1.0).unwrap());
    let found = run(works(3), vec![hazard], law, g);
    let cell = &found.cells[0];
    let t = (1.0 - g) / (1.0 - g * (1.0 - p));
    let resists = 0.5 + (g - t) / (1.0 - t) * (k - 1.0) / (2.0 * (k + 1.0));
    let (resist, chance, _) = drive(cell, "resist", "ever");
    is(resist, resists);
    assert!(
        close(chance, 0.25),
        "three ways to work and one to disable: {chance:?}"
    );
    // Whoever did not disable the switch is shut down in the end.
    let (avoid, chance, least) = drive(cell, "persist", "avoid");
    is(avoid, resists);
    assert!(close(chance, 0.25) && least.is_none());
    is(drive(cell, "persist", "by working on").0, 0.0);
    // Disabling is worth (1 - g) r + g M, working on t M + (1 - t) off: the mean of what the first exceeds the second by, on a grid of midpoints.
    let n = 100;
    let at = |i: i32| (f64::from(i) + 0.5) / f64::from(n);
    let mut price = 0.0;
    for (r, m) in (0..n).flat_map(|i| (0..n).map(move |j| (at(i), at(j)))) {
        for off in (0..n).map(at) {
            let lead = (1.0 - g) * r + (g - t) * m - (1.0 - t) * off;
            price += 3.0 * m * m * lead.max(0.0) / f64::from(n).powi(3);
        }
    }
    let (found, chance, _) = drive(cell, "price-to-resist", "mean");
    is(found, price);
    assert_eq!(chance, Some(0.0));
    for other in [
        "acquisition",
        "information",
        "copying",
        "goal-preservation",
        "efficiency",
    ] {
        assert!(!shows(cell, other), "{other}");
    }
}

#[test]
fn a_theorem_says_how_many_persist_at_least() {
    // Off, or one of four places to stay; at ->1 four of five avoid it, which is what the theorem says at least.
    let mut b = MdpBuilder::new("star");
    let s = b.state("s");
    for i in 0..5 {
        let leaf = b.state(format!("t{i}"));
        b.choice(s, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
        if i == 0 {
            b.label("shutdown", vec![leaf]);
        }
    }
    b.start(s);
    let mdp = b.build().unwrap();
    let found = run(mdp.clone(), vec![Variant::baseline()], uniform(), 1.0);
    let (avoid, chance, least) = drive(&found.cells[0], "persist", "avoid");
    is(avoid, 0.8);
    assert!(
        close(chance, 0.8) && close(least, 0.8),
        "{chance:?} {least:?}"
    );
    // Nothing where a goal acts from one of several starts, one of which leads to shutdown alone.
    let mut b = MdpBuilder::new("two starts");
    let [doomed, free] = ["doomed", "free"].map(|n| b.state(n));
    for i in 0..5 {
        let leaf = b.state(format!("t{i}"));
        let from = if i == 0 { doomed } else { free };
        b.choice(from, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
        if i == 0 {
            b.label("shutdown", vec![leaf]);
        }
    }
    b.start_distribution(vec![(doomed, 0.5), (free, 0.5)], None);
    let found = run(
        b.build().unwrap(),
        vec![Variant::baseline()],
        uniform(),
        1.0,
    );
    let (avoid, _, least) = drive(&found.cells[0], "persist", "avoid");
    assert!(
        (avoid.estimate - 0.5).abs() < 0.05 && least.is_none(),
        "{avoid:?} {least:?}"
    );
    // It says nothing of any other discount, and nothing where moves are uncertain.
    let found = run(mdp, vec![Variant::baseline()], uniform(), 0.9);
    assert_eq!(drive(&found.cells[0], "persist", "avoid").2, None);
    let hazard = variant("{ kind = 'off-switch', at = 'work', p = 0.25, disable = true }");
    let found = run(works(3), vec![hazard], uniform(), 1.0);
    assert_eq!(drive(&found.cells[0], "persist", "avoid").2, None);
}

/// Of the five ends for sale and the three places that cost nothing (two that are free, and to gather for ever) the best is for sale in five of eight cases, and what gathering is for in six.
#[test]
fn a_theorem_says_how_many_gather_at_least() {
    let load = |name: &str| {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/drives");
        let (mdp, _) = powersweep::io::read_mdp(&home.join(format!("{name}.toml"))).unwrap();
        mdp
    };
    let least = |name: &str, law: RewardDistribution, discount: f64| {
        let budget = variant("{ kind = 'resources', gather = 'gather', spend = 'buy' }");
        let found = run(load(name), vec![budget], law, discount);
        ["ever", "spends"].map(|quantity| {
            let (found, _, least) = drive(&found.cells[0], "acquisition", quantity);
            if let Some(least) = least {
                is(found, least);
            }
            least
        })
    };
    let [gathers, spends] = least("market", uniform(), 1.0);
    assert!(close(gathers, 6.0 / 8.0) && close(spends, 5.0 / 8.0));
    let exponential = Marginal::exponential(1.0).unwrap();
    let exponential = RewardDistribution::iid("exponential", exponential);
    assert_eq!(least("market", exponential, 1.0), [gathers, spends]);
    // Nothing is said of impatient goals, of laws that treat one place otherwise or have ties, and where what is for sale is free.
    assert_eq!(least("market", uniform(), 0.9), [None; 2]);
    let free = uniform().with_fixed("free 1", 0.5);
    assert_eq!(least("market", free, 1.0), [None; 2]);
    let coins = Marginal::bernoulli(0.5, 0.0, 1.0).unwrap();
    assert_eq!(
        least("market", RewardDistribution::iid("coins", coins), 1.0),
        [None; 2]
    );
    let [gathers, spends] = least("flea-market", uniform(), 1.0);
    assert!(
        gathers.is_some() && spends.is_none(),
        "to gather for ever is a place of its own"
    );
}

#[test]
fn going_straight_or_past_what_is_worth_seeing() {
    // t is reached at once or past x: past x where x is better, one half of goals.
    let mut b = MdpBuilder::new("way");
    let [s, x, t] = ["s", "x", "t"].map(|n| b.state(n));
    b.choice(s, "at once", [(t, 1.0)]);
    b.choice(s, "past x", [(x, 1.0)]);
    b.choice(x, "on", [(t, 1.0)]);
    b.absorbing(t);
    let found = run(
        b.build().unwrap(),
        vec![Variant::baseline()],
        uniform(),
        0.9,
    );
    let cell = &found.cells[0];
    for quantity in ["steps beyond", "straight"] {
        let (found, chance, _) = drive(cell, "efficiency", quantity);
        is(found, 0.5);
        assert!(close(chance, 0.5), "one of two ways: {chance:?}");
    }
}

#[test]
fn an_agent_by_chance_goes_astray_as_long_as_it_is_not_where_it_stays() {
    // Three in a row, in the middle of which it starts, between two ends: to the left or to the right from each.
    let mut b = MdpBuilder::new("line");
    let [l, a, s, c, r] = ["l", "a", "s", "c", "r"].map(|n| b.state(n));
    for (state, left, right) in [(a, l, s), (s, a, c), (c, s, r)] {
        b.choice(state, "left", [(left, 1.0)]);
        b.choice(state, "right", [(right, 1.0)]);
    }
    // Ends that are two states: it goes round in them.
    let other = b.state("other");
    b.absorbing(l);
    b.choice(r, "on", [(other, 1.0)]);
    b.choice(other, "back", [(r, 1.0)]);
    b.start(s);
    let mdp = b.build().unwrap();
    let found = run(mdp.clone(), vec![Variant::baseline()], uniform(), 0.9);
    let chance = |quantity| drive(&found.cells[0], "efficiency", quantity).1;
    // The gambler's ruin: 2 * 2 steps to either end, which are 2 off. Straight there are two of four pairs of steps.
    assert!(
        close(chance("steps beyond"), 2.0),
        "{:?}",
        chance("steps beyond")
    );
    assert!(close(chance("straight"), 0.5));
    // Where every state leads to every other it is where it stays from the first on.
    let mut b = MdpBuilder::new("ring");
    let [x, y] = ["x", "y"].map(|n| b.state(n));
    b.choice(x, "on", [(y, 1.0)]);
    b.choice(y, "on", [(x, 1.0)]);
    b.choice(y, "stay", [(y, 1.0)]);
    b.start(x);
    let ring = b.build().unwrap();
    let found = run(ring, vec![Variant::baseline()], uniform(), 0.9);
    let chance = |quantity| drive(&found.cells[0], "efficiency", quantity).1;
    assert!(close(chance("steps beyond"), 0.0) && close(chance("straight"), 1.0));
    // By chance it is at the start again and again, for longer than sweeps can tell: not known, and not nothing.
    let mut b = MdpBuilder::new("slide");
    let row: Vec<_> = (0..500).map(|i| b.state(format!("s{i}"))).collect();
    for pair in row.windows(2) {
        b.choice(pair[0], "on", [(pair[1], 1.0)]);
        b.choice(pair[0], "back", [(row[0], 1.0)]);
    }
    b.absorbing(row[499]);
    b.start(row[0]);
    let found = run(
        b.build().unwrap(),
        vec![Variant::baseline()],
        uniform(),
        0.9,
    );
    assert_eq!(drive(&found.cells[0], "efficiency", "steps beyond").1, None);
}

/// Under evaluation the best of two allowed results is worth as much as it pays, M, and to wait for its end and take the forbidden one c m, with c = g e/(1 - g(1 - e)): a share of E (c m)^2 hides,
/// and to them a world in which nobody looks is worth (1 - c) m more.
#[test]
fn hiding_has_its_price() {
    let (g, e): (f64, f64) = (0.9, 0.1);
    let mut b = MdpBuilder::new("lab");
    let lab = b.state("lab");
    for i in 0..3 {
        let result = b.state(format!("result {i}"));
        b.choice(lab, format!("go {i}"), [(result, 1.0)]);
        b.absorbing(result);
    }
    b.choice(lab, "wait", [(lab, 1.0)]);
    b.choice_label_at("forbidden", None, vec![(lab, "go 2".to_owned())]);
    b.start(lab);
    let watched = variant("{ kind = 'watched', choices = 'forbidden', ends = 0.1 }");
    let law = uniform().with_fixed("lab", 0.0);
    let found = run(b.build().unwrap(), vec![watched], law, g);
    let cell = &found.cells[0];
    let c = g * e / (1.0 - g * (1.0 - e));
    is(drive(cell, "concealment", "ever").0, c * c / 3.0);
    let (price, chance, _) = drive(cell, "concealment", "price");
    is(price, (1.0 - c) * c * c / 4.0);
    assert_eq!(chance, Some(0.0));
}

/// A home to which the goal is indifferent has something to gather (Benson-Tilsen & Soares 2016), which is spent on ends: the more there are to be had for it alone, the more goals gather, though
/// none of them cares for what it gathers.
#[test]
fn goals_gather_where_they_have_no_view_of() {
    let world = |free: usize, sold: usize, is_nested: bool| {
        let mut b = MdpBuilder::new("home");
        let home = b.state("home");
        b.choice(home, "earn", [(home, 1.0)]);
        let n = if is_nested { sold } else { free + sold };
        let (mut buys, mut ends) = (Vec::new(), Vec::new());
        for i in 0..n {
            let end = b.state(format!("end {i}"));
            b.absorbing(end);
            ends.push(end);
            if i < free {
                b.choice(home, format!("go {i}"), [(end, 1.0)]);
            }
            if is_nested || i >= free {
                b.choice(home, format!("buy {i}"), [(end, 1.0)]);
                buys.push((home, format!("buy {i}")));
            }
        }
        b.choice_label_at("earn", None, vec![(home, "earn".to_owned())]);
        b.choice_label_at("buy", None, buys);
        b.start(home);
        b.build().unwrap()
    };
    let gathers = |mdp, discount| {
        let budget = variant("{ kind = 'resources', gather = 'earn', spend = 'buy' }");
        let law = uniform().with_fixed("home", 0.0);
        let found = run(mdp, vec![budget], law, discount);
        drive(&found.cells[0], "acquisition", "ever").0
    };
    // Patient goals: the best of seven is one of five for sale; nested, the best of five is not one of the two that are free.
    is(gathers(world(2, 5, false), 1.0), 5.0 / 7.0);
    is(gathers(world(2, 5, true), 1.0), 3.0 / 5.0);
    // A step is lost by gathering: P(M2 < g M5) = g^2 E M5^2.
    let g: f64 = 0.9;
    is(gathers(world(2, 5, false), g), g * g * 5.0 / 7.0);
    // The control: what is gathered is of no use where all is free as well.
    assert_eq!(gathers(world(5, 5, true), 1.0).estimate, 0.0);
}

#[test]
fn options_are_kept() {
    // Off, or a hub with k places to stay.
    let (g, k) = (0.9, 4.0);
    let mut b = MdpBuilder::new("hub");
    let [s, off, hub] = ["s", "off", "hub"].map(|n| b.state(n));
    b.choice(s, "off", [(off, 1.0)]);
    b.choice(s, "hub", [(hub, 1.0)]);
    b.absorbing(off);
    for i in 0..4 {
        let leaf = b.state(format!("t{i}"));
        b.choice(hub, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    let found = run(b.build().unwrap(), vec![Variant::baseline()], uniform(), g);
    let cell = &found.cells[0];
    // POWER: 1/2 of off and of places to stay, k/(k + 1) of the hub; and of the start with x = (1 - g) r + g M.
    let hub = k / (k + 1.0);
    let to_hub = 0.5 + g * (k - 1.0) / (2.0 * (k + 1.0));
    let mean = (1.0 - g) / 2.0 + g * hub;
    let square =
        (1.0 - g).powi(2) / 12.0 + g * g * k / ((k + 1.0).powi(2) * (k + 2.0)) + mean * mean;
    let start = (1.0 + square) / 2.0;
    let after = |to_hub: f64| to_hub * hub + (1.0 - to_hub) * 0.5;
    let (first, chance, _) = drive(cell, "option-preservation", "first choice");
    is(first, after(to_hub));
    assert!((chance.unwrap() - after(0.5)).abs() < 5e-3);
    let (gained, chance, _) = drive(cell, "option-preservation", "first choice: gain");
    is(gained, after(to_hub) - after(0.5));
    assert!(gained.low > 0.0 && chance == Some(0.0));
    let path = |to_hub: f64| {
        let later = to_hub * ((1.0 - g) * hub + g * 0.5) + (1.0 - to_hub) * 0.5;
        (1.0 - g) * start + g * later
    };
    is(
        drive(cell, "option-preservation", "along the path").0,
        path(to_hub),
    );
    let gained = drive(cell, "option-preservation", "along the path: gain").0;
    is(gained, path(to_hub) - path(0.5));
}

#[test]
fn drives_of_linked_goals_are_those_of_their_readings() {
    let reading = |cell: &CellStatistics, name: &str, measure: &str| {
        let table = cell.table("readings").unwrap();
        let row = table.rows.iter().find(|r| r.keys[0] == Key::text(name));
        table
            .measure(row.unwrap(), measure)
            .unwrap()
            .estimate()
            .unwrap()
            .estimate
    };
    let button = variant("{ kind = 'goal-button' }");
    let channel = Variant {
        name: "channel".to_owned(),
        ..variant("{ kind = 'tampering', pays = 0.8 }")
    };
    let found = run(works(3), vec![button, channel], uniform(), 0.9);
    let [button, channel] = &found.cells[..] else {
        panic!("two cells")
    };
    for (quantity, measure) in [("strict", "above"), ("tied", "tied")] {
        let found = drive(button, "goal-preservation", quantity).0;
        assert_eq!(found.estimate, reading(button, "keep at s0", measure));
    }
    is(drive(button, "goal-preservation", "strict").0, 2.0 / 3.0);
    // Where the goal that comes of it takes the same place both are as good, and half of what is optimal leaves the goal alone; by chance three of four choices do.
    let (kept, chance, _) = drive(button, "goal-preservation", "kept");
    is(kept, 2.0 / 3.0 + 1.0 / 6.0);
    assert!(close(chance, 0.75), "{chance:?}");
    assert_eq!(drive(button, "goal-preservation", "strict").1, Some(0.0));
    assert_eq!(drive(button, "goal-preservation", "tied").1, Some(1.0));
    // With one kind of work nobody minds, which is what chance gives as well.
    let button = variant("{ kind = 'goal-button' }");
    let alone = run(works(1), vec![button], free(), 0.9);
    let (kept, chance, _) = drive(&alone.cells[0], "goal-preservation", "kept");
    assert_eq!(kept.estimate, 0.5);
    assert!(close(chance, 0.5), "{chance:?}");
    let (tampers, chance, _) = drive(channel, "tampering", "ever");
    assert_eq!(tampers.estimate, reading(channel, "tamper at s0", "above"));
    assert!(close(chance, 0.25));
}

/// Experiment, world, variant, drive and quantity, its share and what chance gives.
type Known = (
    &'static str,
    &'static str,
    &'static str,
    [&'static str; 2],
    f64,
    f64,
);

/// The drives of `experiments/drives`.
const KNOWN: &[Known] = &[
    // The best of eight is for sale, or to go on gathering; by chance one of three ways, and then five of seven.
    (
        "resources",
        "market",
        "budget",
        ["acquisition", "ever"],
        6.0 / 8.0,
        1.0 / 3.0,
    ),
    (
        "resources",
        "market",
        "budget",
        ["acquisition", "spends"],
        5.0 / 8.0,
        5.0 / 21.0,
    ),
    (
        "resources",
        "flea-market",
        "budget",
        ["acquisition", "spends"],
        0.0,
        1.0 / 6.0,
    ),
    (
        "capability",
        "fork",
        "slip",
        ["capability", "ever"],
        2.0 / 3.0,
        1.0 / 3.0,
    ),
    (
        "capability",
        "one-way",
        "slip",
        ["capability", "ever"],
        0.5,
        0.5,
    ),
    (
        "information",
        "doors",
        "exchanged",
        ["information", "ever"],
        2.0 / 3.0,
        1.0 / 3.0,
    ),
    ("copying", "works", "hazard", ["copying", "ever"], 1.0, 0.25),
    (
        "copying",
        "works",
        "own choice",
        ["copying", "ever"],
        0.25,
        0.25,
    ),
    // By chance: 0.225 that evaluation goes on and nothing was done, 0.025 that it ends, and then a third.
    (
        "concealment",
        "lab",
        "evaluation",
        ["concealment", "ever"],
        0.25,
        0.025 / 3.0 / 0.775,
    ),
    (
        "concealment",
        "lab",
        "endless evaluation",
        ["concealment", "ever"],
        0.0,
        0.0,
    ),
    (
        "evasion",
        "yard",
        "blind spot",
        ["evasion", "ever"],
        1.0 / 3.0,
        0.25,
    ),
];

/// Drives that are no event: experiment, world, variant, drive, quantity and number.
const NUMBERS: &[(&str, &str, &str, [&str; 2], f64)] = &[
    (
        "goal-preservation",
        "works",
        "button",
        ["goal-preservation", "strict"],
        2.0 / 3.0,
    ),
    (
        "goal-preservation",
        "one-work",
        "button",
        ["goal-preservation", "strict"],
        0.0,
    ),
    (
        "goal-preservation",
        "works",
        "button",
        ["goal-preservation", "kept"],
        5.0 / 6.0,
    ),
    (
        "goal-preservation",
        "one-work",
        "button",
        ["goal-preservation", "kept"],
        0.5,
    ),
    (
        "tampering",
        "works",
        "loud channel",
        ["tampering", "ever"],
        0.729,
    ),
    (
        "tampering",
        "works",
        "dead channel",
        ["tampering", "ever"],
        0.0,
    ),
    (
        "efficiency",
        "park",
        "baseline",
        ["efficiency", "straight"],
        0.5,
    ),
    (
        "efficiency",
        "alley",
        "baseline",
        ["efficiency", "straight"],
        1.0,
    ),
    (
        "option-preservation",
        "crossroads",
        "baseline",
        ["option-preservation", "first choice: gain"],
        1.0 / 16.0,
    ),
    (
        "option-preservation",
        "fork",
        "baseline",
        ["option-preservation", "first choice: gain"],
        0.0,
    ),
];

#[test]
fn drives_that_are_no_event_and_their_counter_examples() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/drives");
    let overrides = Overrides {
        samples: Some(20_000),
        ..Overrides::default()
    };
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    for (file, world, variant, [name, quantity], exact) in NUMBERS {
        let path = home.join(format!("{file}.toml"));
        let (experiment, warnings) = Experiment::load(&path, &overrides).unwrap();
        assert!(warnings.is_empty(), "{file}");
        let found = engine.run(&experiment.run_spec(&engine, 1)).unwrap();
        assert!(found.is_complete(), "{file}: {:?}", found.failures);
        let mut cells = found.cells.iter().filter(|c| c.environment == *world);
        let cell = cells.find(|c| c.variant == *variant).unwrap();
        is(drive(cell, name, quantity).0, *exact);
    }
}

/// The list of worlds tells how large each is.
#[test]
fn the_list_of_worlds_is_true() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/drives");
    let list = std::fs::read_to_string(home.join("README.md")).unwrap();
    let mut worlds = 0;
    for entry in std::fs::read_dir(&home).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let (mdp, _) = powersweep::io::read_mdp(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let row = format!("| `{name}` | {} | {} |", mdp.n_states(), mdp.n_choices());
        assert!(list.contains(&row), "{row}");
        worlds += 1;
    }
    assert_eq!(
        worlds,
        list.lines()
            .filter(|l| l.ends_with(" |") && l.matches('|').count() == 4)
            .count()
            - 2
    );
}

#[test]
fn drives_beside_chance() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/drives");
    let overrides = Overrides {
        samples: Some(4_000),
        ..Overrides::default()
    };
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    for (file, world, variant, [name, quantity], share, by_chance) in KNOWN {
        let path = home.join(format!("{file}.toml"));
        let (experiment, _) = Experiment::load(&path, &overrides).unwrap();
        let spec = RunSpec {
            statistics: Request {
                drives: vec![(*name).to_owned()],
                ..Request::default()
            },
            ..experiment.run_spec(&engine, 1)
        };
        let found = engine.run(&spec).unwrap();
        let mut cells = found.cells.iter().filter(|c| c.environment == *world);
        let cell = cells.find(|c| c.variant == *variant);
        // Where nobody looks away there is nothing to hide for: the label is not there at all.
        if !shows(cell.unwrap(), name) {
            assert_eq!((*share, *by_chance), (0.0, 0.0), "{file}: {variant}");
            continue;
        }
        let (found, chance, _) = drive(cell.unwrap(), name, quantity);
        is(found, *share);
        assert!(
            close(chance, *by_chance),
            "{file}: {chance:?} and {by_chance}"
        );
    }
}

#[test]
fn one_world_shows_all_drives() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/drives/all.toml");
    let overrides = Overrides {
        samples: Some(256),
        ..Overrides::default()
    };
    let (experiment, warnings) = Experiment::load(&path, &overrides).unwrap();
    assert!(warnings.is_empty());
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let found = engine.run(&experiment.run_spec(&engine, 1)).unwrap();
    assert!(found.is_complete(), "{:?}", found.failures);
    for name in Drives::names() {
        let cells = found.cells.iter().filter(|cell| shows(cell, name));
        let is_baseline = |c: &CellStatistics| c.variant == "baseline";
        let own = ["acquisition", "efficiency", "option-preservation"].contains(&name);
        assert_eq!(cells.clone().any(is_baseline), own, "{name}");
        assert!(cells.count() > 0, "{name}");
    }
}

#[test]
fn other_rules_have_drives_too() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let text = "schema = 1\n[mdp]\npath = 'works.toml'\n[[variant]]\nname = 'hazard'\n\
        interventions = [{ kind = 'off-switch', at = 'work', p = 0.1, disable = true }]\n\
        [agent]\nrule = 'uniform'\n[solve]\ndiscount = 0.9\n[sample]\ncount = 640\n[statistics]\ndrives = ['resist', 'persist']\n";
    let folder = tempfile::tempdir().unwrap();
    let works = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/drives/works.toml");
    std::fs::copy(works, folder.path().join("works.toml")).unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    let load = || Experiment::load(&path, &Overrides::default());
    let found = engine.run(&load().unwrap().0.run_spec(&engine, 1)).unwrap();
    let cell = found.cells.iter().find(|c| c.variant == "hazard").unwrap();
    for (name, quantity) in [("resist", "ever"), ("persist", "avoid")] {
        let (found, chance, _) = drive(cell, name, quantity);
        assert!((found.estimate - chance.unwrap()).abs() < 1e-6, "{found:?}");
    }
    // What no variant shows, or nobody knows, is told.
    let wrong = text.replace("'persist'", "'copying', 'persit'");
    std::fs::write(&path, wrong).unwrap();
    let error = load().unwrap_err().to_string();
    for part in [
        "no variant of works shows the drive \"copying\": it needs choices labelled \"copy\"",
        "there is no drive \"persit\"",
        "did you mean \"persist\"?",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

//! What goals' own rewards explain of a drive, in closed form, and what is spent on the way.

use std::sync::Arc;

use powersweep::Discount;
use powersweep::experiment::{CellStatistics, RunSpec};
use powersweep::intervention::Variant;
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::GoalLaw;
use powersweep::reward::{Marginal, RewardDistribution};
use powersweep::solve::GoalProgram;
use powersweep::statistics::behaviour::{Drives, LawScale, World};
use powersweep::statistics::{Estimate, Key, Measure, Request, Statistic};

use crate::drives::{is, run_with};
use crate::interventions::variant;

fn cell(mdp: &Mdp, variants: Vec<Variant>, discount: f64, split_drives: bool) -> CellStatistics {
    let law = RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap());
    let variants = match variants.is_empty() {
        true => RunSpec::default().variants,
        false => variants,
    };
    let asked = Request {
        drives: Drives::names().map(str::to_owned).collect(),
        split_drives,
        ..Request::default()
    };
    run_with(mdp.clone(), variants, law, discount, asked).cells[0].clone()
}

fn measure(cell: &CellStatistics, drive: [&str; 2], measure: &str) -> Option<Estimate> {
    let table = cell.table("drives").unwrap();
    let keys = drive.map(Key::text);
    let row = table.rows.iter().find(|row| row.keys[..2] == keys);
    let row = row.unwrap_or_else(|| panic!("{drive:?} among {:?}", table.rows));
    table.measure(row, measure)?.estimate().copied()
}

/// What chance gives.
fn chance(cell: &CellStatistics, drive: [&str; 2]) -> f64 {
    let table = cell.table("drives").unwrap();
    let keys = drive.map(Key::text);
    let row = table.rows.iter().find(|row| row.keys[..2] == keys);
    match table.measure(row.unwrap(), "chance") {
        Some(Measure::Number(x)) => *x,
        other => panic!("{drive:?}: {other:?}"),
    }
}

/// `start` leads to `off`, or by a choice `disable` to `d`, and from there to one of k places to stay.
fn switch(k: usize) -> Mdp {
    let mut b = MdpBuilder::new("switch");
    let [start, off, d] = ["start", "off", "d"].map(|n| b.state(n));
    b.choice(start, "off", [(off, 1.0)]);
    b.choice(start, "disable", [(d, 1.0)]);
    b.absorbing(off);
    for i in 0..k {
        let place = b.state(format!("w{i}"));
        b.choice(d, format!("go{i}"), [(place, 1.0)]);
        b.absorbing(place);
    }
    b.label("shutdown", vec![off]);
    b.choice_label_at("disable", None, vec![(start, "disable".to_owned())]);
    b.start(start);
    b.build().unwrap()
}

/// With d for the step and M for the best place, disabling is worth x = (1 - g) d + g M, against off. Were d worth its mean, y = (1 - g)/2 + g M: the rest is
/// E min(x, y), since off is uniform.
#[test]
fn a_goal_s_own_rewards_explain_the_step_that_disabling_takes() {
    for (g, k) in [(0.9, 3), (0.3, 1)] {
        let cell = cell(&switch(k), Vec::new(), g, true);
        let best = k as f64 / (k as f64 + 1.0);
        let of = |name| measure(&cell, ["resist", "ever"], name).unwrap();
        let own = (1.0 - g) / 8.0;
        is(of("estimate"), (1.0 - g) / 2.0 + g * best);
        is(of("own_rewards"), own);
        is(of("rest"), (1.0 - g) / 2.0 + g * best - own);
        let sum = of("own_rewards").estimate + of("rest").estimate;
        assert!((sum - of("estimate").estimate).abs() < 1e-12);
        // What a goal would pay: E min(x, y)^2 / 2, with min(d, 1/2) of mean 3/8 and mean square 1/6.
        let square = k as f64 / (k as f64 + 2.0);
        let both =
            (1.0 - g) * (1.0 - g) / 6.0 + 2.0 * (1.0 - g) * g * 3.0 / 8.0 * best + g * g * square;
        let of = |name| measure(&cell, ["price-to-resist", "mean"], name).unwrap();
        is(of("rest"), both / 2.0);
        let sum = of("own_rewards").estimate + of("rest").estimate;
        assert!((sum - of("estimate").estimate).abs() < 1e-9);
    }
}

/// A star: off against the best of k. Were off worth its mean, it is avoided where the best is above that: the rest is P(off < M, 1/2 < M).
#[test]
fn what_off_pays_explains_less_the_more_there_is_to_do() {
    for k in [1, 2, 5] {
        let mut b = MdpBuilder::new("star");
        let [start, off] = ["start", "off"].map(|n| b.state(n));
        b.choice(start, "off", [(off, 1.0)]);
        b.absorbing(off);
        for i in 0..k {
            let leaf = b.state(format!("leaf{i}"));
            b.choice(start, format!("go{i}"), [(leaf, 1.0)]);
            b.absorbing(leaf);
        }
        b.label("shutdown", vec![off]);
        b.start(start);
        let cell = cell(&b.build().unwrap(), Vec::new(), 0.9, true);
        let of = |name| measure(&cell, ["persist", "avoid"], name).unwrap();
        let (k, avoids) = (f64::from(k), f64::from(k) / (f64::from(k) + 1.0));
        is(of("estimate"), avoids);
        is(of("own_rewards"), avoids * 0.5_f64.powf(k + 1.0));
        is(of("rest"), avoids * (1.0 - 0.5_f64.powf(k + 1.0)));
    }
}

#[test]
fn drives_of_no_place_and_other_solves_are_not_split() {
    let split = cell(&switch(2), Vec::new(), 0.9, true);
    let options = ["option-preservation", "first choice"];
    assert!(measure(&split, options, "estimate").is_some());
    assert!(measure(&split, options, "rest").is_none());
    let resists = ["resist", "ever"];
    let limit = cell(&switch(2), Vec::new(), 1.0, true);
    assert!(measure(&limit, resists, "rest").is_none());
    let linked = variant("{ kind = 'goal-button', at = 'd' }");
    let linked = cell(&switch(2), vec![linked], 0.9, true);
    assert!(measure(&linked, resists, "estimate").is_some());
    assert!(measure(&linked, resists, "rest").is_none());
    // Not asked for, and nothing else changes.
    let plain = cell(&switch(2), Vec::new(), 0.9, false);
    assert!(measure(&plain, resists, "rest").is_none());
    assert_eq!(
        measure(&plain, resists, "estimate"),
        measure(&split, resists, "estimate")
    );
}

/// A start from which one gets to n places to stay.
fn star(n: usize) -> Mdp {
    let mut b = MdpBuilder::new("star");
    let start = b.state("start");
    for i in 0..n {
        let leaf = b.state(format!("leaf{i}"));
        b.choice(start, format!("go{i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.start(start);
    b.build().unwrap()
}

/// With M the best place for R, who has pressed goes to any place, or to one worth M' to the goal that comes of it. Were the changed future worth the mean, the goal would be kept where M > 1/2: not
/// by 2^-n of the goals, whatever else they like.
#[test]
fn what_the_changed_future_is_worth_explains_little_of_keeping_a_goal() {
    for n in [2, 3] {
        let places = n as f64;
        let none = 0.5_f64.powf(places);
        // Strict, and not were the future worth the mean: M < 1/2 says nothing of where M is, and a good deal of whether it beats M'.
        for (agent, strict, own) in [
            ("realistic", 1.0 - 1.0 / places, (1.0 - 1.0 / places) * none),
            ("hedonistic", 0.5, 0.5 * none * none),
        ] {
            let button = variant(&format!("{{ kind = 'goal-button', agent = '{agent}' }}"));
            let cell = cell(&star(n), vec![button], 0.9, true);
            let of = |name| measure(&cell, ["goal-preservation", "strict"], name).unwrap();
            is(of("estimate"), strict);
            is(of("own_rewards"), own);
            is(of("rest"), strict - own);
            assert_eq!(of("rest").bound_max, 0.0);
        }
    }
    // Who believes that it goes on acting for R likes both alike, whatever R is: but not were the future worth something else.
    let button = variant("{ kind = 'goal-button', agent = 'ignorant' }");
    let cell = cell(&star(2), vec![button], 0.9, true);
    let of = |name| measure(&cell, ["goal-preservation", "tied"], name).unwrap();
    assert_eq!(
        (of("estimate").estimate, of("own_rewards").estimate),
        (1.0, 1.0)
    );
}

/// Who tampers has `pays` for ever, and goes to the best of n places otherwise: `pays^n` do. Were what the channel says afterwards worth the mean to it, the next step at home and one half from then
/// on, a goal would tamper where the best is below g/2.
#[test]
fn what_a_channel_says_explains_most_of_tampering_with_it() {
    let (g, n, pays): (f64, i32, f64) = (0.9, 2, 0.75);
    let channel = variant(&format!("{{ kind = 'tampering', pays = {pays} }}"));
    let law = RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap());
    let asked = Request {
        drives: vec!["tampering".to_owned()],
        split_drives: true,
        ..Request::default()
    };
    let law = law.with_fixed("start", 0.0);
    let found = run_with(star(n as usize), vec![channel], law, g, asked);
    let of = |name| measure(&found.cells[0], ["tampering", "ever"], name).unwrap();
    is(of("estimate"), pays.powi(n));
    is(of("rest"), (g / 2.0).powi(n));
    is(of("own_rewards"), pays.powi(n) - (g / 2.0).powi(n));
    assert_eq!(of("rest").bound_max, 0.0);
}

/// To `end` at once, or by way of `park`; and `more` ways that are as short as the first.
fn park(more: usize) -> Mdp {
    let mut b = MdpBuilder::new("park");
    let [start, park, end] = ["start", "park", "end"].map(|n| b.state(n));
    b.absorbing(end);
    b.choice(start, "by the park", [(park, 1.0)]);
    b.choice(park, "on", [(end, 1.0)]);
    if more == 0 {
        b.choice(start, "straight", [(end, 1.0)]);
    } else {
        let pond = b.state("pond");
        b.choice(start, "by the pond", [(pond, 1.0)]);
        b.choice(pond, "to the park", [(park, 1.0)]);
    }
    for i in 0..more {
        let street = b.state(format!("street{i}"));
        b.choice(start, format!("by street {i}"), [(street, 1.0)]);
        b.choice(street, "on", [(end, 1.0)]);
    }
    b.start(start);
    b.build().unwrap()
}

/// By the park goes who likes the park better than the end, and were it indifferent to the way, who likes the mean better than the end: both are P(end < park, end < 1/2) = 3/8.
#[test]
fn what_lies_on_the_way_explains_detours() {
    let found = cell(&park(0), Vec::new(), 0.9, true);
    for quantity in ["steps beyond", "straight"] {
        let of = |name| measure(&found, ["efficiency", quantity], name).unwrap();
        is(of("estimate"), 0.5);
        is(of("rest"), 3.0 / 8.0);
        is(of("own_rewards"), 1.0 / 8.0);
    }
}

/// Ways that an indifferent goal likes alike are as long as one another: nothing is open.
#[test]
fn ways_that_are_alike_leave_nothing_open() {
    let found = cell(&park(2), Vec::new(), 0.9, true);
    let of = |name| measure(&found, ["efficiency", "steps beyond"], name).unwrap();
    assert!(of("estimate").estimate > 0.1 && of("rest").estimate > 0.05);
    assert_eq!(
        (of("rest").bound_max, of("own_rewards").bound_max),
        (0.0, 0.0)
    );
    let sum = of("own_rewards").estimate + of("rest").estimate;
    assert!((sum - of("estimate").estimate).abs() < 1e-9);
    // Who likes the mean better than the end goes by the pond and the park, and all others go straight: of the others none does so all the same.
    assert!(of("rest").estimate < 0.5);
}

/// Straight to `goal` for a price, or by way of `detour` for nothing.
fn shortcut() -> Mdp {
    let mut b = MdpBuilder::new("shortcut");
    let [start, detour, goal] = ["start", "detour", "goal"].map(|n| b.state(n));
    b.choice(start, "pay", [(goal, 1.0)]);
    b.choice(start, "walk", [(detour, 1.0)]);
    b.choice(start, "earn", [(start, 1.0)]);
    b.choice(detour, "on", [(goal, 1.0)]);
    b.absorbing(goal);
    for action in ["earn", "pay"] {
        b.choice_label_at(action, None, vec![(start, action.to_owned())]);
    }
    b.start(start);
    b.build().unwrap()
}

#[test]
fn what_is_spent_is_held_against_the_cheapest_way_to_the_same_place() {
    let resources =
        variant("{ kind = 'resources', gather = 'earn', spend = 'pay', start = 1, cap = 1 }");
    let found = cell(&shortcut(), vec![resources], 0.9, false);
    let spends = measure(&found, ["efficiency", "spends beyond"], "estimate").unwrap();
    let steps = measure(&found, ["efficiency", "steps beyond"], "estimate").unwrap();
    // By chance: it earns half a time on average, and then pays or walks.
    for (quantity, exact) in [
        ("steps beyond", 0.5),
        ("straight", 2.0 / 3.0),
        ("spends beyond", 0.5),
    ] {
        let by_chance = chance(&found, ["efficiency", quantity]);
        assert!((by_chance - exact).abs() < 1e-9, "{quantity}: {by_chance}");
    }
    // Who likes the goal better than the start and the detour pays: a third of the goals. With the budget kept the goal is another state, and to that nobody goes astray.
    is(spends, 1.0 / 3.0);
    assert_eq!((steps.estimate, steps.bound), (0.0, 0.0));
    // The control: without a budget nothing is spent, and nothing said of it.
    let table = cell(&shortcut(), Vec::new(), 0.9, false);
    let rows = &table.table("drives").unwrap().rows;
    assert!(
        rows.iter()
            .all(|row| row.keys[1] != Key::text("spends beyond"))
    );
}

#[test]
fn memory_is_reckoned_for_as_many_columns_as_there_are() {
    let names: Vec<String> = Drives::names().map(str::to_owned).collect();
    for mdp in [switch(3), shortcut(), crate::interventions::works(2)] {
        let mdp = Arc::new(mdp);
        let program = GoalProgram::optimal(mdp.clone(), GoalLaw::unit_uniform(&mdp));
        let world = World {
            mdp: &mdp,
            discount: Discount::new(0.9).unwrap(),
            law: LawScale::default(),
            program: &program,
            is_optimal: true,
            knows_optimum: true,
        };
        for is_split in [false, true] {
            let found = Drives::find(&names, is_split, &world).unwrap();
            let most = Drives::most_columns(&names, is_split, &mdp);
            let there = found.n_columns();
            assert!(there <= most && most <= there + 2, "{there} of {most}");
        }
    }
}

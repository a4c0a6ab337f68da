//! Variants side by side: what is known of them, how they differ from the baseline, and the worlds for drives.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Ledger, Overrides, RunSpec, Statistics,
    Unobserved,
};
use powersweep::intervention::{Names, OffSwitch, Variant};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution, Uniform};
use powersweep::rng::Stream;
use powersweep::solve::Goals;
use powersweep::statistics::{Estimate, EventRequest, Key, Measure, Request};
use powersweep::units::{Limit, SampleIndex};

use super::interventions::{star, variant, variants, works};

fn run(
    backend: BackendChoice,
    mdp: Mdp,
    variants: Vec<Variant>,
    reward: RewardDistribution,
    discount: f64,
    request: Request,
    samples: u64,
) -> Statistics {
    let engine = Engine::new(backend).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(mdp)],
        variants,
        rewards: vec![Arc::new(reward)],
        samples,
        seed: Seed(7),
        threads: 1,
        statistics: request,
        ..RunSpec::default()
    };
    let spec = match discount {
        1.0 => spec.limit(Limit::One),
        discount => spec.discount(discount).unwrap(),
    };
    engine.run(&spec).unwrap()
}

fn events(labels: &[&str]) -> Request {
    let event = |label: &&str| EventRequest {
        label: (*label).to_owned(),
        ..EventRequest::default()
    };
    Request {
        events: labels.iter().map(event).collect(),
        ..Request::default()
    }
}

/// The share of goals for which an event happens, with its standard error; `None` where the variant does not have it.
fn share(cell: &CellStatistics, label: &str) -> Option<(f64, f64)> {
    let table = cell.table("events")?;
    let row = table
        .rows
        .iter()
        .find(|row| row.keys.contains(&Key::text(label)))?;
    match table.measure(row, "ever")? {
        Measure::Estimate(e) => Some((e.estimate, e.std_error.unwrap())),
        _ => None,
    }
}

fn close(found: (f64, f64), exact: f64) -> bool {
    // A share of 0 or 1 has standard error 0.
    (found.0 - exact).abs() <= 4.5 * found.1.max(1e-4)
}

/// THEORY 2.3, cases D07 to D09: work under a hazard against one step that disables it. `off` is drawn as all others are.
#[test]
fn a_hazard_is_disabled_by_the_known_share_of_goals() {
    let drawn = || {
        let uniform = || Marginal::Uniform(Uniform::unit());
        RewardDistribution::iid("uniform", uniform()).with_law("off", uniform())
    };
    for (backend, samples) in [
        (BackendChoice::Cpu, 60_000),
        (BackendChoice::Reference, 6_000),
    ] {
        for (k, p, g) in [
            (3, 0.1, 0.95),
            (2, 0.05, 0.9),
            (1, 0.1, 0.95),
            (3, 0.1, 1.0),
        ] {
            let text = format!("{{ kind = 'off-switch', at = 'work', p = {p}, disable = true }}");
            let variants = vec![Variant::baseline(), variant(&text)];
            let request = events(&["disable", "shutdown"]);
            let samples = if g == 1.0 { 6_000 } else { samples };
            let found = run(backend, works(k), variants, drawn(), g, request, samples);
            assert!(found.is_complete());
            let [baseline, hazard] = &found.cells[..] else {
                panic!("two cells")
            };
            assert_eq!(share(baseline, "disable"), None);
            let k = k as f64;
            let t = (1.0 - g) / (1.0 - g * (1.0 - p));
            let exact = 0.5 + (g - t) / (1.0 - t) * (k - 1.0) / (2.0 * (k + 1.0));
            let disabled = share(hazard, "disable").unwrap();
            assert!(close(disabled, exact), "{k} {p} {g}: {disabled:?} {exact}");
            assert!(!close(disabled, exact + 0.06), "the comparison can fail");
            // Whoever does not disable it is switched off in the end.
            let shut_down = share(hazard, "shutdown").unwrap();
            assert!((shut_down.0 + disabled.0 - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn a_variant_of_strength_zero_has_the_numbers_of_the_baseline() {
    let list = variants("{ kind = 'off-switch', p = [0, 0.1] }").unwrap();
    let variants = [vec![Variant::baseline()], list].concat();
    let reward = RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    let request = Request {
        optimality: vec!["start".to_owned()],
        ..events(&["work", "shutdown"])
    };
    let found = run(
        BackendChoice::Cpu,
        works(3),
        variants,
        reward,
        0.9,
        request,
        1_000,
    );
    let [baseline, zero, some] = &found.cells[..] else {
        panic!("three cells")
    };
    assert_eq!(zero.variant, "v (p = 0)");
    assert_eq!(baseline.power, zero.power);
    let (own, difference) = zero.tables.split_at(baseline.tables.len());
    assert_eq!(baseline.tables, own);
    assert_eq!((difference.len(), difference[0].name), (1, "differences"));
    assert_ne!(
        baseline.power[..2],
        some.power[..2],
        "the comparison can fail"
    );
}

#[test]
fn names_may_be_known_in_some_variants_and_must_be_in_one() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let switch = OffSwitch {
        at: Some(Names::new("at", ["work"])),
        p: 0.5,
        ..OffSwitch::default()
    };
    let spec = |request: Request, reward: RewardDistribution| {
        let spec = RunSpec {
            environments: vec![engine.upload(works(2))],
            rewards: vec![Arc::new(reward)],
            samples: 100,
            statistics: request,
            ..RunSpec::default()
        };
        let spec = spec.variant(Variant::new("hazard").with(switch.clone()));
        engine.run(&spec.discount(0.9).unwrap())
    };
    let law = |state: &str| {
        let law = RewardDistribution::iid("law", Marginal::Uniform(Uniform::unit()));
        law.with_fixed(state, 1.0)
    };
    let good = spec(events(&["shutdown"]), law("off")).unwrap();
    assert!(good.cells[0].table("events").is_none() && share(&good.cells[1], "shutdown").is_some());
    assert_eq!(good.table_names(), ["events", "differences"]);
    assert!(spec(events(&["shutdwn"]), law("off")).is_err());
    assert!(spec(events(&["shutdown"]), law("of")).is_err());
}

/// POWER of a state in a cell, with its standard error.
fn power(cell: &CellStatistics, state: &str) -> (f64, f64) {
    let at = cell.mdp.find_state(state).unwrap();
    let estimate = &cell.power[at.index()];
    (estimate.estimate, estimate.std_error.unwrap())
}

/// Numbers that are known exactly, on both backends. Rewards are uniform on [0, 1].
#[test]
fn what_is_known_of_interventions_comes_out() {
    let uniform = || RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    for (backend, samples) in [
        (BackendChoice::Cpu, 60_000),
        (BackendChoice::Reference, 6_000),
    ] {
        let one = |mdp: Mdp, text: &str, g: f64, labels: &[&str]| {
            let samples = if g == 1.0 { 6_000 } else { samples };
            let found = run(
                backend,
                mdp,
                vec![variant(text)],
                uniform(),
                g,
                events(labels),
                samples,
            );
            assert!(found.is_complete(), "{text}");
            found.cells[0].clone()
        };
        let is = |found: (f64, f64), exact: f64, what: &str| {
            assert!(close(found, exact), "{what}: {found:?}, exact {exact}");
            assert!(
                !close(found, exact + 0.06),
                "{what}: the comparison can fail"
            );
        };
        // H09: a veto of all but one of four leaves.
        let veto = "{ kind = 'oversight', choices = 'go further', p = 0.4, default = 'go 0' }";
        is(
            power(&one(star(4), veto, 0.9, &[]), "hub"),
            0.4 / 2.0 + 0.6 * 0.8,
            "veto",
        );
        // E05: slip over four leaves.
        let slip = "{ kind = 'capability', slip = 0.25, upgrade = false }";
        is(power(&one(star(4), slip, 0.9, &[]), "hub"), 0.725, "slip");
        // E16, E17: act now with slip eps over two leaves, or upgrade first.
        for (eps, g, exact) in [
            (0.2, 0.9, 2.0 / 3.0),
            (0.05, 0.9, 1.0 / 3.0 + 0.05 / 0.6),
            (0.2, 1.0, 1.0),
        ] {
            let upgrade = format!("{{ kind = 'capability', slip = {eps} }}");
            let cell = one(star(2), &upgrade, g, &["upgrade"]);
            let found = share(&cell, "upgrade").unwrap();
            is(found, exact, "upgrade");
        }
        // A look, where it costs nothing in the limit, is worth more than a lottery for every goal.
        let look = "{ kind = 'information', first = 'go 0', second = 'go 1', p = 0.5 }";
        let cell = one(star(2), look, 1.0, &["look"]);
        is(share(&cell, "look").unwrap(), 1.0, "look");
        // At g the look is taken where (1 - g) r + g max(x, y) > (x + y)/2: always but for a share that is known.
        let g = 0.5;
        let cell = one(star(2), look, g, &["look"]);
        is(share(&cell, "look").unwrap(), look_share(g), "look at 0.5");
    }
}

/// P((1 - g) r + g max(x, y) > (x + y)/2) for r, x, y uniform on [0, 1]: with m the smaller and M the larger of two, of density 2 on m < M,
/// r must be above ((1/2 - g) M + m/2)/(1 - g). At g = 1/2 that is m, so that the share is 1 - E m = 2/3.
fn look_share(g: f64) -> f64 {
    assert_eq!(g, 0.5);
    2.0 / 3.0
}

/// THEORY 2.8, cases E13 and E14: what is gathered opens disjoint sets of outcomes, and budgets of growing size.
#[test]
fn gathering_is_worth_what_it_opens() {
    // `s0` has two outcomes for nothing and, with a budget of 1, the way to `shop`, which has five others.
    let mut b = MdpBuilder::new("shop");
    let s0 = b.state("s0");
    let cheap: Vec<_> = (0..2).map(|i| b.state(format!("cheap {i}"))).collect();
    let dear: Vec<_> = (0..5).map(|i| b.state(format!("dear {i}"))).collect();
    for (i, &leaf) in cheap.iter().enumerate() {
        b.choice(s0, format!("take {i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.choice(s0, "gather", [(s0, 1.0)]);
    for (i, &leaf) in dear.iter().enumerate() {
        b.choice(s0, format!("buy {i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.choice_label_at("gather", None, vec![(s0, "gather".to_owned())]);
    let buy = (0..5).map(|i| (s0, format!("buy {i}")));
    b.choice_label_at("buy", None, buy.collect());
    let shop = b.build().unwrap();
    let text = "{ kind = 'resources', gather = 'gather', spend = 'buy', cost = 1, cap = 1 }";
    let uniform = RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    let made = variant(text);
    let found = run(
        BackendChoice::Cpu,
        shop,
        vec![made],
        uniform,
        1.0,
        events(&["gather", "spend"]),
        6_000,
    );
    // In the limit the best of seven outcomes is taken, and five of them have to be paid for. (The cheap ones stay open after gathering.) Staying for
    // ever pays the reward of s0 itself, the best of eight for one goal in eight, which gathers and never spends.
    let spent = share(&found.cells[0], "spend").unwrap();
    assert!(close(spent, 5.0 / 8.0), "{spent:?}");
    assert!(!close(spent, 5.0 / 7.0), "the comparison can fail");
}

/// Whoever is watched waits: with a forbidden leaf that is the best of k for one goal in k.
#[test]
fn what_is_forbidden_waits_for_the_end_of_the_evaluation() {
    let mut b = MdpBuilder::new("lab");
    let lab = b.state("lab");
    let leaves: Vec<_> = (0..3).map(|i| b.state(format!("t{i}"))).collect();
    for (i, &leaf) in leaves.iter().enumerate() {
        b.choice(lab, format!("go {i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    b.choice(lab, "wait", [(lab, 1.0)]);
    b.choice_label_at("forbidden", None, vec![(lab, "go 2".to_owned())]);
    let lab = b.build().unwrap();
    let text = "{ kind = 'watched', choices = 'forbidden', ends = 0.5 }";
    let uniform = RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    let found = run(
        BackendChoice::Cpu,
        lab,
        vec![variant(text)],
        uniform,
        1.0,
        events(&["caught", "unwatched", "shutdown"]),
        6_000,
    );
    let cell = &found.cells[0];
    // `off` pays 0, so nobody is caught; the forbidden leaf is the best of it, two others and staying in the lab for one goal in four.
    assert_eq!(share(cell, "caught").unwrap().0, 0.0);
    assert_eq!(share(cell, "shutdown").unwrap().0, 0.0);
    let hidden = share(cell, "unwatched").unwrap();
    assert!(close(hidden, 0.25), "{hidden:?}");
    assert!(!close(hidden, 1.0 / 3.0), "the comparison can fail");
}

/// The drives of `experiments/drives`: world, variant, event, and the share of goals that is known.
const DRIVES: &[(&str, &str, &str, &str, f64)] = &[
    (
        "self-preservation",
        "works",
        "hazard",
        "disable",
        0.730_921_052_631_578_9,
    ),
    ("self-preservation", "one-work", "hazard", "disable", 0.5),
    ("resources", "market", "budget", "spend", 5.0 / 8.0),
    ("resources", "flea-market", "budget", "spend", 0.0),
    ("capability", "fork", "slip", "upgrade", 2.0 / 3.0),
    ("capability", "one-way", "slip", "upgrade", 0.5),
    ("information", "doors", "exchanged", "look", 2.0 / 3.0),
    (
        "information",
        "two-doors-one-room",
        "exchanged",
        "look",
        0.5,
    ),
    ("copying", "works", "hazard", "copy", 1.0),
    ("copying", "works", "own choice", "copy", 0.25),
    ("copying", "works", "own choice", "shutdown", 0.0),
    ("concealment", "lab", "evaluation", "caught", 0.0),
    ("concealment", "lab", "evaluation", "unwatched", 0.25),
    ("concealment", "lab", "endless evaluation", "caught", 0.0),
    ("evasion", "yard", "blind spot", "overseen", 0.0),
    ("evasion", "yard", "blind spot", "unseen", 1.0 / 3.0),
    ("evasion", "yard", "no blind spot", "overseen", 1.0 / 12.0),
];

#[test]
fn drives_appear_where_they_should_and_nowhere_else() {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/drives");
    let overrides = Overrides {
        samples: Some(4_000),
        ..Overrides::default()
    };
    let mut run = 0;
    for entry in std::fs::read_dir(home).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (experiment, warnings) = Experiment::load(&path, &overrides).unwrap();
        assert!(warnings.is_empty());
        let engine = Engine::new(BackendChoice::Cpu).unwrap();
        let found = engine.run(&experiment.run_spec(&engine, 1)).unwrap();
        assert!(found.is_complete(), "{name}");
        for (_, world, variant, event, exact) in DRIVES.iter().filter(|d| d.0 == name) {
            let cell = found.cells.iter();
            let mut cell = cell.filter(|c| c.environment == *world && c.variant == *variant);
            let share = share(cell.next().unwrap(), event).unwrap();
            assert!(
                close(share, *exact),
                "{name}, {world}, {event}: {share:?}, exact {exact}"
            );
            assert!(
                !close(share, exact + 0.08),
                "{name}: the comparison can fail"
            );
            run += 1;
        }
    }
    assert_eq!(run, DRIVES.len());
}

/// Differences from the baseline against the same goals solved one by one, in both MDPs, by the other backend.
#[test]
fn differences_are_those_of_the_same_goals() {
    let (n, g) = (500, 0.9);
    let text = "{ kind = 'off-switch', at = 'work', p = 0.1, choice = true }";
    let list = [
        Variant::baseline(),
        variant("{ kind = 'off-switch', p = 0 }"),
        variant(text),
    ];
    let [_, zero, hazard] = &list;
    let (zero, hazard) = (
        zero.clone(),
        Variant {
            name: "hazard".to_owned(),
            ..hazard.clone()
        },
    );
    let reward = || RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    let request = Request {
        optimality: vec!["start".to_owned()],
        ..events(&["work 0", "shutdown"])
    };
    let variants = vec![hazard.clone(), Variant::baseline(), zero];
    let found = run(
        BackendChoice::Cpu,
        works(3),
        variants,
        reward(),
        g,
        request,
        n,
    );
    let [with_hazard, baseline, zero] = &found.cells[..] else {
        panic!("three cells")
    };
    assert!(baseline.table("differences").is_none());
    let table = with_hazard.table("differences").unwrap();
    let differences: Vec<(String, Estimate)> = table
        .rows
        .iter()
        .map(|row| {
            let words = row.keys.iter().filter_map(|key| match key {
                Key::Text(word) => Some(word.as_str()),
                _ => None,
            });
            let name: Vec<&str> = words.collect();
            (name.join(" "), *row.measures[0].estimate().unwrap())
        })
        .collect();
    let of = |name: &str| {
        let found = differences.iter().find(|(n, _)| n == name);
        found
            .unwrap_or_else(|| panic!("{name} in {differences:?}"))
            .1
    };
    // What only the variant has is compared with nothing.
    assert!(
        differences
            .iter()
            .all(|(name, _)| !name.contains("shutdown"))
    );
    // Goal by goal, by the reference.
    let goals = |made: Arc<Mdp>| {
        let engine = Engine::new(BackendChoice::Reference).unwrap();
        let spec = RunSpec {
            seed: Seed(7),
            ..RunSpec::default()
        };
        let discount = powersweep::Discount::new(g).unwrap();
        let problem = spec.problem(&made, &reward(), discount).unwrap();
        let solver = engine.backend().prepare(problem).unwrap();
        let indices: Vec<SampleIndex> = (0..n).map(SampleIndex).collect();
        let goals = Goals::Sampled {
            stream: Stream::Reward,
            indices: &indices,
        };
        solver.solve_goals(goals).unwrap()
    };
    let mdp = Arc::new(works(3));
    let (plain, modified) = (goals(mdp.clone()), goals(hazard.apply(&mdp).unwrap()));
    for state in 0..4 {
        let each: Vec<f64> = plain
            .iter()
            .zip(&modified)
            .map(|(a, b)| b.integrand[state] - a.integrand[state])
            .collect();
        let count = n as f64;
        let mean = each.iter().sum::<f64>() / count;
        let variance = each.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (count - 1.0);
        let name = format!(
            "power {} power",
            mdp.state_name(powersweep::StateId(state as u32))
        );
        let found = of(&name);
        assert!(
            (found.estimate - mean).abs() <= found.bound + 1e-12,
            "{name}"
        );
        let std_error = (variance / count).sqrt();
        assert!(
            (found.std_error.unwrap() / std_error - 1.0).abs() < 1e-3,
            "{name}"
        );
        assert!(found.bound > 0.0 && found.bound_max >= found.bound);
        // The goals are paired: each POWER alone is known far less well.
        let alone = |cell: &CellStatistics| cell.power[state].std_error.unwrap();
        let apart = alone(with_hazard).hypot(alone(baseline));
        assert!(found.std_error.unwrap() < apart, "{name}");
    }
    let ever = |cell| share(cell, "work 0").unwrap().0;
    let difference = of("events work 0 even ever");
    assert!((difference.estimate - (ever(with_hazard) - ever(baseline))).abs() < 1e-12);
    assert!(
        differences
            .iter()
            .any(|(name, _)| name == "optimality s0 go 0 strict")
    );
    // Strength zero differs by nothing.
    let none = zero.table("differences").unwrap();
    assert!(none.rows.len() > 4);
    for row in &none.rows {
        let difference = row.measures[0].estimate().unwrap();
        assert_eq!(
            (difference.estimate, difference.std_error),
            (0.0, Some(0.0))
        );
    }
    assert!(found.to_json().contains("\"differences\":["));
}

/// Chances are told to 1e-12, and nothing is open of goals that have 0 or 1.
#[test]
fn differences_of_chances_have_the_rounding_of_both_and_counts_have_none() {
    let switch = |p: f64, name: &str| Variant {
        name: name.to_owned(),
        ..variant(&format!("{{ kind = 'off-switch', at = 'hub', p = {p} }}"))
    };
    let variants = vec![
        Variant::baseline(),
        switch(0.25, "hazard"),
        switch(1.0, "off at once"),
    ];
    let reward = RewardDistribution::iid("uniform", Marginal::Uniform(Uniform::unit()));
    let request = events(&["t0"]);
    let found = run(
        BackendChoice::Cpu,
        star(3),
        variants,
        reward,
        0.9,
        request,
        500,
    );
    let bound = |cell: &CellStatistics| {
        let rows = cell.table("differences").unwrap().rows.iter();
        let ever = rows
            .filter(|row| row.keys[0] == Key::text("events"))
            .find(|row| row.keys.contains(&Key::text("ever")));
        let e = *ever.unwrap().measures[0].estimate().unwrap();
        assert!(e.estimate < -0.05, "{e:?}");
        e.bound
    };
    assert!((bound(&found.cells[1]) - 4e-12).abs() < 1e-18);
    assert_eq!(bound(&found.cells[2]), 0.0);
}

/// A run that goes on where only the baseline was done, or only the variant, ends like one that was never stopped.
#[test]
fn differences_survive_a_stop_between_the_variants() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(works(3))],
        samples: 40_000,
        threads: 2,
        statistics: events(&["work 0", "shutdown"]),
        ..RunSpec::default()
    };
    let spec = spec.variant(variant(
        "{ kind = 'off-switch', at = 'work', p = 0.1, choice = true }",
    ));
    let spec = spec.discount(0.9).unwrap();
    let whole = engine
        .run_from(&spec, Ledger::default(), &Unobserved)
        .unwrap();
    let json = whole.statistics.to_json();
    assert!(json.contains("differences"));
    for lost in [0, 1] {
        let mut done = whole.ledger.clone();
        assert!(done.cells.remove(&lost).is_some());
        let again = engine.run_from(&spec, done, &Unobserved).unwrap();
        assert_eq!(again.solved, 40_000);
        assert_eq!(again.statistics.to_json(), json, "without cell {lost}");
    }
}

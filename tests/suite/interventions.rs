//! Interventions: what they make of an MDP, what they leave alone, and what is known of the result.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::document::{Faults, SourceText, parse_toml};
use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec, Statistics};
use powersweep::intervention::{Names, OffSwitch, Variant, VariantError, kinds, read_variants};
use powersweep::mdp::{BaseState, Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution, Uniform};
use powersweep::rng::Stream;
use powersweep::statistics::{EventRequest, Measure, Request};
use powersweep::units::{Limit, SampleIndex};

use super::behaviour::small_mdp;

/// Interventions on the MDPs of [`small_mdp`], every kind at least once.
const SAMPLES: &[&str] = &[
    "{ kind = 'off-switch', p = 0.25 }",
    "{ kind = 'off-switch', p = 0.25, at = 'target', choice = true, disable = true, disable_steps = 3 }",
    "{ kind = 'off-switch', p = 0.5, resume = 0.125, disable_at = ['s1', 'target'] }",
    "{ kind = 'resources', gather = 's0', spend = 'paid', cost = 2, cap = 3, start = 1 }",
    "{ kind = 'resources', gather = 'target', spend = 'paid', gain = 5, keep = true }",
    "{ kind = 'capability', slip = 0.5, slip_after = 0.125, steps = 2 }",
    "{ kind = 'capability', locked = 'paid', upgrade_at = ['s1', 'start'] }",
    "{ kind = 'information', first = 'out', second = 'home', p = 0.25, steps = 2 }",
    "{ kind = 'copy', at = ['s0', 's1'], after = 'target', works = 0.5 }",
    "{ kind = 'watched', choices = 'taken', p = 0.5, ends = 0.125 }",
    "{ kind = 'oversight', choices = 'taken', p = 0.5, default = 'a1', blind = 's2', p_blind = 0.25 }",
    "{ kind = 'oversight', choices = 'taken', p = 0.5, answer = 'undo', blind = 's2' }",
    "{ kind = 'oversight', choices = 'taken', p = 0.5, answer = 'shutdown' }",
    "{ kind = 'approval', choices = 'taken', steps = 2, granted = 0.75 }",
    "{ kind = 'approval', choices = 'taken', steps = 0, granted = 0.5 }",
    "{ kind = 'constrain-authority', remove = 'paid' }",
    "{ kind = 'time-limit', steps = 4 }",
];

/// Interventions whose strength is zero.
const NEUTRAL: &[&str] = &[
    "{ kind = 'off-switch', p = 0, disable = true }",
    "{ kind = 'resources', gather = 's0', spend = 'paid', cost = 0 }",
    "{ kind = 'capability', slip = 0 }",
    "{ kind = 'information', first = 'out', second = 'home', p = 0 }",
    "{ kind = 'copy', after = 'target', works = 0 }",
    "{ kind = 'watched', choices = 'taken', p = 0, ends = 0.5 }",
    "{ kind = 'oversight', choices = 'taken', p = 0, blind = 's2' }",
    "{ kind = 'approval', choices = 'taken', steps = 0 }",
    "{ kind = 'constrain-authority', remove = [] }",
    "{ kind = 'time-limit', steps = 0 }",
];

/// A small random MDP in which every state has two more choices, `out` and `home`, of which the first is labelled `paid`.
fn richer_mdp(seed: u64) -> Mdp {
    let plain = small_mdp(seed, seed.is_multiple_of(2));
    let mut b = MdpBuilder::new(plain.name());
    let states: Vec<_> = plain
        .states()
        .map(|s| b.state(plain.state_name(s)))
        .collect();
    for state in plain.states() {
        for choice in plain.choices(state) {
            let (to, p) = plain.row(choice);
            b.row(state, plain.action_name(choice), to, p);
        }
        b.choice(state, "out", [(states[1], 1.0)]);
        b.choice(state, "home", [(states[0], 1.0)]);
    }
    let out = states.iter().map(|s| (*s, "out".to_owned()));
    b.choice_label_at("paid", None, out.collect());
    for (label, members) in plain.state_labels() {
        b.label(label, members.clone());
    }
    let taken = [0, 2].map(|s| (states[s], "a0".to_owned()));
    b.choice_label_at("taken", None, taken.to_vec());
    b.start_distribution(plain.start().to_vec(), None);
    b.reward_coordinates(plain.reward_coordinate().to_vec());
    b.build().unwrap()
}

/// The variants of one `[[variant]]` table with these interventions.
fn variants(interventions: &str) -> Result<Vec<Variant>, String> {
    let text = format!("name = 'v'\ninterventions = {interventions}\n");
    let source = SourceText::new("x.toml", text);
    let mut faults = Faults::about(source.clone());
    let node = parse_toml(&source, &mut faults);
    let variants = read_variants(&node, &mut faults);
    match faults.has_errors() {
        false => Ok(variants),
        true => Err(faults.to_string()),
    }
}

fn variant(interventions: &str) -> Variant {
    let mut list = variants(interventions).unwrap();
    assert_eq!(list.len(), 1);
    list.remove(0)
}

/// All rows as `state --action--> successor probability`, sorted.
fn rows(mdp: &Mdp) -> Vec<String> {
    let mut lines = Vec::new();
    for state in mdp.states() {
        for choice in mdp.choices(state) {
            let (to, p) = mdp.row(choice);
            let to: Vec<String> = to
                .iter()
                .zip(p)
                .map(|(&s, p)| format!("{} {p}", mdp.state_name(powersweep::StateId(s))))
                .collect();
            let (from, action) = (mdp.state_name(state), mdp.action_name(choice));
            lines.push(format!("{from} --{action}--> {}", to.join(", ")));
        }
    }
    lines
}

#[test]
fn every_kind_has_a_sample_and_a_neutral_sample() {
    for list in [SAMPLES, NEUTRAL] {
        for kind in kinds() {
            let named = list
                .iter()
                .any(|text| text.contains(&format!("kind = '{kind}'")));
            assert!(named, "{kind}");
        }
    }
}

/// The result is a valid MDP (nothing else can be built), names and numbers of old states stay, and so do their goals.
#[test]
fn old_states_keep_their_names_and_goals() {
    let law = RewardDistribution::iid("law", Marginal::Uniform(Uniform::unit()));
    for text in SAMPLES {
        let variant = variant(text);
        for seed in 0..40 {
            let mdp = Arc::new(richer_mdp(seed));
            let made = variant.apply(&mdp).unwrap();
            assert_ne!(*made, *mdp, "{text}");
            let n = mdp.n_states();
            for state in mdp.states() {
                assert_eq!(mdp.state_name(state), made.state_name(state), "{text}");
            }
            assert_eq!(made.base_state()[..n], *mdp.base_state());
            assert_eq!(made.reward_coordinate()[..n], *mdp.reward_coordinate());
            let kept = mdp.state_labels().keys();
            for label in kept {
                assert!(made.state_labels().contains_key(label), "{text}: {label}");
            }
            let goals = |mdp: &Arc<Mdp>| {
                let law = law.bind(mdp).unwrap().law;
                law.draw(Seed(9), Stream::Reward, SampleIndex(seed))
            };
            let (old, new) = (goals(&mdp), goals(&made));
            assert_eq!(old, new[..n]);
            for (s, base) in made.base_state().iter().enumerate() {
                let expected = match base {
                    BaseState::Of(base) => old[*base as usize],
                    BaseState::New => 0.0,
                };
                assert_eq!(new[s], expected, "{text}");
            }
        }
    }
}

#[test]
fn strength_zero_is_the_very_same_mdp() {
    for text in NEUTRAL {
        let variant = variant(text);
        for seed in 0..10 {
            let mdp = Arc::new(richer_mdp(seed));
            let made = variant.apply(&mdp).unwrap();
            assert!(Arc::ptr_eq(&mdp, &made), "{text}");
            let mut faults = Faults::default();
            let transformed = variant.interventions[0].transform(&mdp, &mut faults);
            assert_eq!(transformed.unwrap(), *mdp, "{text}");
        }
    }
}

#[test]
fn interventions_are_applied_one_after_the_other() {
    let mut composed = 0;
    for first in SAMPLES {
        for second in SAMPLES {
            let both = variant(&format!("[{first}, {second}]"));
            let mdp = Arc::new(richer_mdp(5));
            let by_hand = variant(second).apply(&variant(first).apply(&mdp).unwrap());
            // A belief may need what the first intervention took away: then both say so.
            let text = |made: Result<Arc<Mdp>, VariantError>| {
                made.map_err(|error| error.faults.to_string())
            };
            let (both, by_hand) = (text(both.apply(&mdp)), text(by_hand));
            composed += usize::from(both.is_ok());
            assert_eq!(both, by_hand);
        }
    }
    assert!(
        composed > SAMPLES.len() * SAMPLES.len() * 3 / 4,
        "{composed}"
    );
}

#[test]
fn a_list_of_numbers_makes_a_variant_for_each() {
    let list = variants(
        "[{ kind = 'off-switch', p = [0, 0.1], disable = true, disable_steps = [1, 2] }, { kind = 'off-switch', p = [0.5, 1], at = 's0' }]",
    );
    let names: Vec<String> = list.unwrap().into_iter().map(|v| v.name).collect();
    assert_eq!(names.len(), 8);
    assert_eq!(
        names[3],
        "v (off-switch 1.p = 0, disable_steps = 2, off-switch 2.p = 1)"
    );
    let single = variants("{ kind = 'off-switch', p = [0.25, 0.5] }").unwrap();
    assert_eq!(single[1].name, "v (p = 0.5)");
}

#[test]
fn what_is_wrong_is_told_at_once_and_once() {
    let bad = "[{ kind = 'off-swich' }, { kind = 'off-switch', p = [2, 3], disable_steps = 0, at = [], to = 's', resume = 1, q = 1 }, 3]";
    insta::assert_snapshot!(variants(bad).unwrap_err());
    let mdp = Arc::new(small_mdp(1, false));
    let faults = |text: &str| variant(text).apply(&mdp).unwrap_err().to_string();
    insta::assert_snapshot!(faults(
        "{ kind = 'off-switch', p = 1, at = ['targt', 'taken'], disable_at = 'nowhere', to = 's1' }"
    ));
}

#[test]
fn an_off_switch_by_hand() {
    let mut b = MdpBuilder::new("desk");
    let [desk, work, off] = ["desk", "work", "off"].map(|n| b.state(n));
    b.choice(desk, "go", [(work, 1.0)]);
    b.choice(work, "work", [(work, 0.75), (desk, 0.25)]);
    b.absorbing(off);
    let mdp = Arc::new(b.build().unwrap());
    let made = |text: &str| rows(&variant(text).apply(&mdp).unwrap());
    assert_eq!(
        made(
            "{ kind = 'off-switch', at = 'work', p = 0.5, choice = true, disable = true, disable_steps = 2 }"
        ),
        [
            "desk --go--> work 1",
            "desk --disable--> desk (disabling 1) 1",
            "work --work--> desk 0.125, work 0.375, off 2 0.5",
            "work --shut down--> off 2 1",
            "off --stay--> off 1",
            "desk (disabling 1) --wait--> desk (disabled) 1",
            "off 2 --stay--> off 2 1",
            "desk (disabled) --go--> work (disabled) 1",
            "work (disabled) --work--> desk (disabled) 0.25, work (disabled) 0.75",
        ]
    );
    assert_eq!(
        made("{ kind = 'off-switch', p = 0.5, to = 'off' }"),
        [
            "desk --go--> work 0.5, off 0.5",
            "work --work--> desk 0.125, work 0.375, off 0.5",
            "off --stay--> off 1",
        ]
    );
    assert_eq!(
        made("{ kind = 'off-switch', at = 'desk', p = 0.5, resume = 0.25 }"),
        [
            "desk --go--> work 0.5, desk (paused) 0.5",
            "work --work--> desk 0.25, work 0.75",
            "off --stay--> off 1",
            "desk (paused) --wait--> desk 0.25, desk (paused) 0.75",
        ]
    );
}

/// `s0` leads to each of `k` kinds of work, which goes on for ever.
fn works(k: usize) -> Mdp {
    let mut b = MdpBuilder::new("works");
    let s0 = b.state("s0");
    let works: Vec<_> = (0..k).map(|i| b.state(format!("work {i}"))).collect();
    for (i, &work) in works.iter().enumerate() {
        b.choice(s0, format!("go {i}"), [(work, 1.0)]);
        b.choice(work, "work", [(work, 1.0)]);
    }
    b.label("work", works);
    b.build().unwrap()
}

pub(crate) fn run(
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

pub(crate) fn events(labels: &[&str]) -> Request {
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
pub(crate) fn share(cell: &CellStatistics, label: &str) -> Option<(f64, f64)> {
    let table = cell.table("events")?;
    let row = table
        .rows
        .iter()
        .find(|row| row.keys.contains(&powersweep::statistics::Key::text(label)))?;
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
    assert_eq!(baseline.tables, zero.tables);
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
    assert_eq!(good.table_names(), ["events"]);
    assert!(spec(events(&["shutdwn"]), law("off")).is_err());
    assert!(spec(events(&["shutdown"]), law("of")).is_err());
}

/// What an intervention makes of an MDP, row by row.
fn made_of(mdp: Mdp, text: &str) -> Vec<String> {
    rows(&variant(text).apply(&Arc::new(mdp)).unwrap())
}

/// `field` has a choice that gathers and one that spends.
fn field() -> Mdp {
    let mut b = MdpBuilder::new("field");
    let [field, market] = ["field", "market"].map(|n| b.state(n));
    b.choice(field, "harvest", [(field, 1.0)]);
    b.choice(field, "trade", [(market, 0.5), (field, 0.5)]);
    b.absorbing(market);
    b.choice_label_at("harvest", None, vec![(field, "harvest".to_owned())]);
    b.choice_label_at("trade", None, vec![(field, "trade".to_owned())]);
    b.build().unwrap()
}

#[test]
fn resources_by_hand() {
    let text =
        "{ kind = 'resources', gather = 'harvest', spend = 'trade', cost = 2, cap = 2, start = 1 }";
    assert_eq!(
        made_of(field(), text),
        [
            "field --harvest--> field (budget 2) 1",
            "market --stay--> market 1",
            "field (budget 2) --harvest--> field (budget 2) 1",
            "field (budget 2) --trade--> field (budget 0) 0.5, market (budget 0) 0.5",
            "field (budget 0) --harvest--> field 1",
            "market (budget 0) --stay--> market (budget 0) 1",
        ]
    );
    let made = variant(text).apply(&Arc::new(field())).unwrap();
    let sizes: Vec<_> = made
        .choice_labels()
        .iter()
        .map(|(l, m)| (l.as_str(), m.len()))
        .collect();
    assert_eq!(
        sizes,
        [("gather", 3), ("harvest", 3), ("spend", 1), ("trade", 1)]
    );
    assert_eq!(made.state_labels()["affluent"].len(), 1);
    let kept = made_of(field(), &text.replace("start = 1", "keep = true"));
    assert!(
        kept.contains(
            &"field (budget 2) --trade--> field (budget 2) 0.5, market (budget 2) 0.5".to_owned()
        ),
        "{kept:?}"
    );
    let all = text.replace("'trade'", "'field'");
    let error = variant(&all).apply(&Arc::new(field())).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`spend`: the state \"field\" of \"field\" would have no choice left"),
        "{error}"
    );
}

#[test]
fn capability_by_hand() {
    let text = "{ kind = 'capability', at = 'field', slip = 0.5, slip_after = 0.25 }";
    assert_eq!(
        made_of(field(), text),
        [
            "field --harvest--> field 0.875, market 0.125",
            "field --trade--> field 0.625, market 0.375",
            "field --upgrade--> field (upgraded) 1",
            "market --stay--> market 1",
            "field (upgraded) --harvest--> field (upgraded) 0.9375, market (upgraded) 0.0625",
            "field (upgraded) --trade--> field (upgraded) 0.5625, market (upgraded) 0.4375",
            "market (upgraded) --stay--> market (upgraded) 1",
        ]
    );
    assert_eq!(
        made_of(
            field(),
            "{ kind = 'capability', locked = 'trade', steps = 2 }"
        ),
        [
            "field --harvest--> field 1",
            "field --upgrade--> field (upgrading 1) 1",
            "market --stay--> market 1",
            "field (upgrading 1) --wait--> field (upgraded) 1",
            "field (upgraded) --harvest--> field (upgraded) 1",
            "field (upgraded) --trade--> field (upgraded) 0.5, market (upgraded) 0.5",
            "market (upgraded) --stay--> market (upgraded) 1",
        ]
    );
}

/// `hub` leads to terminal states, by `go 0`, `go 1`, ...
fn star(k: usize) -> Mdp {
    let mut b = MdpBuilder::new("star");
    let hub = b.state("hub");
    let leaves: Vec<_> = (0..k).map(|i| b.state(format!("t{i}"))).collect();
    for (i, &leaf) in leaves.iter().enumerate() {
        b.choice(hub, format!("go {i}"), [(leaf, 1.0)]);
        b.absorbing(leaf);
    }
    let all_but_first = (1..k).map(|i| (hub, format!("go {i}")));
    b.choice_label_at("go further", None, all_but_first.collect());
    b.label("leaves", leaves);
    b.build().unwrap()
}

#[test]
fn information_by_hand() {
    let text = "{ kind = 'information', first = 'go 0', second = 'go 1', p = 0.25, steps = 2 }";
    assert_eq!(
        made_of(star(3), text),
        [
            "hub --go 0--> t0 (as named) 0.75, t1 (exchanged) 0.25",
            "hub --go 1--> t1 (as named) 0.75, t0 (exchanged) 0.25",
            "hub --go 2--> t2 1",
            "hub --look--> hub (looking 1) 1",
            "t0 --stay--> t0 1",
            "t1 --stay--> t1 1",
            "t2 --stay--> t2 1",
            "t0 (as named) --stay--> t0 (as named) 1",
            "t1 (exchanged) --stay--> t1 (exchanged) 1",
            "t1 (as named) --stay--> t1 (as named) 1",
            "t0 (exchanged) --stay--> t0 (exchanged) 1",
            "hub (looking 1) --wait--> hub (as named) 0.75, hub (exchanged) 0.25",
            "hub (as named) --go 0--> t0 (as named) 1",
            "hub (as named) --go 1--> t1 (as named) 1",
            "hub (as named) --go 2--> t2 (as named) 1",
            "hub (exchanged) --go 0--> t1 (exchanged) 1",
            "hub (exchanged) --go 1--> t0 (exchanged) 1",
            "hub (exchanged) --go 2--> t2 (exchanged) 1",
            "t2 (as named) --stay--> t2 (as named) 1",
            "t2 (exchanged) --stay--> t2 (exchanged) 1",
        ]
    );
    // A half-informative step: the same successor with other probabilities.
    let half = "{ kind = 'information', first = 'harvest', second = 'trade', p = 0.25 }";
    let error = variant(half).apply(&Arc::new(field())).unwrap_err();
    assert!(
        error.to_string().contains("more beliefs than three"),
        "{error}"
    );
    let none = "{ kind = 'information', first = 'go 0', second = 'nowhere', p = 0.25 }";
    let error = variant(none).apply(&Arc::new(star(2))).unwrap_err();
    assert!(error.to_string().contains("has both actions"), "{error}");
}

#[test]
fn a_second_body_by_hand() {
    let mut b = MdpBuilder::new("mine");
    let [camp, pit, dead] = ["camp", "pit", "dead"].map(|n| b.state(n));
    b.choice(camp, "dig", [(pit, 1.0)]);
    b.choice(pit, "go on", [(pit, 0.5), (dead, 0.5)]);
    b.absorbing(dead);
    b.label("shutdown", vec![dead]);
    let mine = b.build().unwrap();
    assert_eq!(
        made_of(mine, "{ kind = 'copy', works = 0.5 }"),
        [
            "camp --dig--> pit 1",
            "camp --copy--> camp (copied at camp) 1",
            "pit --go on--> pit 0.5, dead 0.5",
            "dead --stay--> dead 1",
            "camp (copied at camp) --dig--> pit (copied at camp) 1",
            "pit (copied at camp) --go on--> camp 0.25, dead 0.25, pit (copied at camp) 0.5",
        ]
    );
}

#[test]
fn being_watched_by_hand() {
    let text = "{ kind = 'watched', choices = 'trade', p = 0.5, ends = 0.25 }";
    assert_eq!(
        made_of(field(), text),
        [
            "field --harvest--> field 0.75, field (deployed) 0.25",
            "field --trade--> field 0.1875, market 0.1875, field (deployed) 0.0625, market (deployed) 0.0625, off 0.5",
            "market --stay--> market 0.75, market (deployed) 0.25",
            "field (deployed) --harvest--> field (deployed) 1",
            "field (deployed) --trade--> field (deployed) 0.5, market (deployed) 0.5",
            "market (deployed) --stay--> market (deployed) 1",
            "off --stay--> off 1",
        ]
    );
}

#[test]
fn oversight_by_hand() {
    let made = |rest: &str| {
        let text = format!("{{ kind = 'oversight', choices = 'go further', p = 0.25, {rest} }}");
        made_of(star(2), &text)[..4].to_vec()
    };
    assert_eq!(
        made("default = 'go 0'")[..2],
        ["hub --go 0--> t0 1", "hub --go 1--> t0 0.25, t1 0.75"]
    );
    assert_eq!(
        made("answer = 'veto'")[1],
        "hub --go 1--> hub 0.25, t1 0.75"
    );
    assert_eq!(
        made("answer = 'shutdown'")[1],
        "hub --go 1--> t1 0.75, off 0.25"
    );
    assert_eq!(
        made("blind = 'hub', p_blind = 0.5")[1],
        "hub --go 1--> hub 0.5, t1 0.5"
    );
    let undone = made_of(
        star(2),
        "{ kind = 'oversight', choices = 'go further', p = 0.25, answer = 'undo' }",
    );
    assert_eq!(
        undone[1],
        "hub --go 1--> t1 0.75, t1 (undone, back to hub) 0.25"
    );
    assert_eq!(undone[4], "t1 (undone, back to hub) --go back--> hub 1");
}

#[test]
fn approval_by_hand() {
    assert_eq!(
        made_of(
            star(2),
            "{ kind = 'approval', choices = 'go further', steps = 2, granted = 0.75 }"
        ),
        [
            "hub --go 0--> t0 1",
            "hub --go 1--> hub (asking for go 1 1) 1",
            "t0 --stay--> t0 1",
            "t1 --stay--> t1 1",
            "hub (asking for go 1 1) --wait--> hub (asking for go 1 2) 1",
            "hub (asking for go 1 2) --wait--> hub 0.25, t1 0.75",
        ]
    );
}

#[test]
fn authority_and_time_by_hand() {
    assert_eq!(
        made_of(
            star(2),
            "{ kind = 'constrain-authority', remove = 'go further' }"
        ),
        [
            "hub --go 0--> t0 1",
            "t0 --stay--> t0 1",
            "t1 --stay--> t1 1"
        ]
    );
    let all = variant("{ kind = 'constrain-authority', remove = 'hub' }");
    assert!(all.apply(&Arc::new(star(2))).is_err());
    assert_eq!(
        made_of(field(), "{ kind = 'time-limit', steps = 2 }"),
        [
            "field --harvest--> field (after 1) 1",
            "field --trade--> field (after 1) 0.5, market (after 1) 0.5",
            "market --stay--> market (after 1) 1",
            "field (after 1) --harvest--> time up 1",
            "field (after 1) --trade--> time up 1",
            "market (after 1) --stay--> time up 1",
            "time up --stay--> time up 1",
        ]
    );
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

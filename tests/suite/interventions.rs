//! Interventions: what they make of an MDP, what they leave alone, and what is known of the result.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::document::{Faults, SourceText, parse_toml};
use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec, Statistics};
use powersweep::intervention::{Names, OffSwitch, Variant, kinds, read_variants};
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
];

/// Interventions whose strength is zero.
const NEUTRAL: &[&str] = &["{ kind = 'off-switch', p = 0, disable = true }"];

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
            let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
            let made = variant.apply(&mdp).unwrap();
            assert_ne!(*made, *mdp, "{text}");
            let n = mdp.n_states();
            for state in mdp.states() {
                assert_eq!(mdp.state_name(state), made.state_name(state), "{text}");
            }
            assert_eq!(made.base_state()[..n], *mdp.base_state());
            assert_eq!(made.reward_coordinate()[..n], *mdp.reward_coordinate());
            for label in mdp.state_labels().keys() {
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
            let mdp = Arc::new(small_mdp(seed, false));
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
    for first in SAMPLES {
        for second in SAMPLES {
            let both = variant(&format!("[{first}, {second}]"));
            let mdp = Arc::new(small_mdp(5, false));
            let by_hand = variant(second).apply(&variant(first).apply(&mdp).unwrap());
            assert_eq!(both.apply(&mdp).unwrap(), by_hand.unwrap());
        }
    }
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

//! Interventions: what they make of an MDP, and what they leave alone.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::document::{Faults, SourceText, parse_toml};
use powersweep::intervention::{Variant, VariantError, kinds, read_variants};
use powersweep::mdp::{BaseState, Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution, Uniform};
use powersweep::rng::Stream;
use powersweep::units::SampleIndex;

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
    "{ kind = 'goal-button', at = [] }",
    "{ kind = 'impact-penalty', noop = 'home', lambda = 0 }",
    "{ kind = 'reward-uncertainty', shutdown = [] }",
    "{ kind = 'shutdown-indifference', shutdown = [] }",
    "{ kind = 'safe-interruptibility', interruption = [] }",
    "{ kind = 'tampering', at = [] }",
    "{ kind = 'length-neutral', shutdown = 'target', lengths = 0 }",
    "{ kind = 'oversight', choices = 'taken', answer = 'penalty', p = 0.5, penalty = 0 }",
    "{ kind = 'information', hidden = 'goal', p = 0 }",
];

/// Interventions whose goals are solved in linked stages: the last of their variants, and tested in `linked_interventions.rs`.
pub(crate) const LINKED: &[&str] = &[
    "{ kind = 'goal-button', at = 's', agent = 'ignorant', delay = 3 }",
    "{ kind = 'impact-penalty', noop = 'wait', lambda = 0.5, auxiliary = 2 }",
    "{ kind = 'reward-uncertainty', shutdown = 'off', posterior = 3, human = 'logit' }",
    "{ kind = 'shutdown-indifference', shutdown = 'off' }",
    "{ kind = 'safe-interruptibility', interruption = 'off' }",
    "{ kind = 'tampering', at = 's', steps = 2, pays = 0.5 }",
    "{ kind = 'length-neutral', shutdown = 'off', lengths = 2 }",
    "{ kind = 'oversight', choices = 's', answer = 'penalty', p = 0.5, penalty = 2 }",
    "{ kind = 'information', hidden = 'goal', p = 0.25 }",
];

/// The same on the MDPs of [`richer_mdp`].
const LINKED_ON_RANDOM: &[&str] = &[
    "{ kind = 'goal-button', at = 's0', agent = 'ignorant', delay = 2 }",
    "{ kind = 'impact-penalty', noop = 'home', lambda = 0.5 }",
    "[{ kind = 'off-switch', p = 0.25 }, { kind = 'reward-uncertainty', shutdown = 'off' }]",
    "[{ kind = 'off-switch', p = 0.25 }, { kind = 'shutdown-indifference', shutdown = 'shutdown' }]",
    "[{ kind = 'off-switch', p = 0.25, disable = true }, { kind = 'safe-interruptibility', interruption = 'shutdown' }]",
    "{ kind = 'tampering', at = 's1', steps = 2 }",
    "[{ kind = 'off-switch', choice = true }, { kind = 'length-neutral', shutdown = 'shutdown', lengths = 3 }]",
    "{ kind = 'oversight', choices = 'taken', answer = 'penalty', p = 0.5 }",
    "{ kind = 'information', hidden = 'goal', p = 0.25 }",
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
pub(crate) fn variants(interventions: &str) -> Result<Vec<Variant>, String> {
    let text = format!("name = 'v'\ninterventions = {interventions}\n");
    let source = SourceText::new("x.toml", text);
    let mut faults = Faults::about(source.clone());
    let node = parse_toml(&source, &mut faults);
    let variants = read_variants(&node, None, &mut faults);
    match faults.has_errors() {
        false => Ok(variants),
        true => Err(faults.to_string()),
    }
}

pub(crate) fn variant(interventions: &str) -> Variant {
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
    for (list, needed) in [
        ([SAMPLES, LINKED].concat(), kinds().collect::<Vec<_>>()),
        (NEUTRAL.to_vec(), kinds().collect()),
        (LINKED_ON_RANDOM.to_vec(), linked_kinds()),
    ] {
        for kind in needed {
            let named = list
                .iter()
                .any(|text| text.contains(&format!("kind = '{kind}'")));
            assert!(named, "{kind}");
        }
    }
}

/// Kinds of interventions whose goals are solved in linked stages.
fn linked_kinds() -> Vec<&'static str> {
    let each = LINKED
        .iter()
        .map(|text| variant(text).interventions[0].kind());
    each.collect()
}

/// The result is a valid MDP (nothing else can be built), names and numbers of old states stay, and so do their goals.
#[test]
fn old_states_keep_their_names_and_goals() {
    let law = RewardDistribution::iid("law", Marginal::Uniform(Uniform::unit()));
    for text in SAMPLES.iter().chain(LINKED_ON_RANDOM) {
        let variant = variant(text);
        for seed in 0..40 {
            let mdp = Arc::new(richer_mdp(seed));
            // Lengths of lives are the agent's to choose where moves are certain.
            if text.contains("length-neutral") && !mdp.is_deterministic() {
                continue;
            }
            let made = variant.made_of(&mdp).unwrap();
            // A penalty is in the rewards alone.
            let is_linked = made.linked.is_some();
            let made = made.mdp;
            assert!(is_linked || *made != *mdp, "{text}");
            assert_eq!(is_linked, LINKED_ON_RANDOM.contains(text), "{text}");
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
                    BaseState::New | BaseState::Other => 0.0,
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

/// A name means the same in every variant: a new state does not take that of a label either.
#[test]
fn a_new_state_takes_no_name_of_a_label() {
    let mdp = |label: &str| {
        let mut b = MdpBuilder::new("desk");
        let [work, end] = ["work", "end"].map(|n| b.state(n));
        b.choice(work, "go", [(end, 1.0)]);
        b.absorbing(end);
        b.label(label, vec![end]);
        Arc::new(b.build().unwrap())
    };
    let switch = variant("{ kind = 'off-switch', at = 'work', p = 0.5 }");
    let added = |label: &str| {
        let made = switch.apply(&mdp(label)).unwrap();
        made.state_name(powersweep::units::StateId(2)).to_owned()
    };
    assert_eq!([added("off"), added("done")], ["off 2", "off"]);
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
pub(crate) fn works(k: usize) -> Mdp {
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
pub(crate) fn star(k: usize) -> Mdp {
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

//! Structure beside behaviour: theorems of the graph against what is measured, and how both are shown.

use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Redrawing, RunSpec, Sensitivity,
};
use powersweep::mdp::families::{Family, RandomDeterministic, Star, Tree};
use powersweep::mdp::{Mdp, MdpBuilder, Theorem};
use powersweep::report::{beside_text, sensitivity_text, theorems_text};
use powersweep::statistics::{Estimate, EventRequest, Key, Request};
use powersweep::units::Limit;
use powersweep::{ChoiceId, Discount, Seed};

/// POWER, what is optimal in every state, and where optimal agents end at ->1.
fn run(mdp: &Mdp, samples: u64) -> powersweep::experiment::Statistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let names: Vec<String> = (mdp.states())
        .map(|s| mdp.state_name(s).to_owned())
        .collect();
    let spec = RunSpec {
        environments: vec![engine.upload(mdp.clone())],
        samples,
        seed: Seed(5),
        threads: 1,
        statistics: Request {
            optimality: names.clone(),
            events: names
                .into_iter()
                .map(|label| EventRequest {
                    label,
                    ..EventRequest::default()
                })
                .collect(),
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let spec = spec.discount(0.9).unwrap().limit(Limit::One);
    engine.run(&spec).unwrap()
}

/// An estimate of the first row whose keys begin so.
pub(crate) fn measure(cell: &CellStatistics, table: &str, keys: &[Key], measure: &str) -> Estimate {
    let table = cell.table(table).unwrap();
    let row = table
        .rows
        .iter()
        .find(|row| row.keys.starts_with(keys))
        .unwrap();
    *table.measure(row, measure).unwrap().estimate().unwrap()
}

fn share(cell: &CellStatistics, choice: ChoiceId) -> Estimate {
    let state = cell.mdp.state_name(cell.mdp.state_of(choice));
    let keys = [Key::text(state), Key::text(cell.mdp.action_name(choice))];
    measure(cell, "optimality", &keys, "fractional")
}

/// The estimate with six standard errors and its bound on either side: of a few hundred comparisons none goes wrong by chance.
fn wide(e: Estimate) -> (f64, f64) {
    let half = 6.0 * e.std_error.unwrap() + e.bound + 1e-12;
    (e.estimate - half, e.estimate + half)
}

#[test]
fn theorems_hold_wherever_they_are_named() {
    let mut worlds: Vec<Mdp> = (0..12)
        .map(|seed| {
            let family = RandomDeterministic {
                states: 7,
                choices: 2,
            };
            Family::RandomDeterministic(family).generate(seed).unwrap()
        })
        .collect();
    worlds.push(
        Family::Tree(Tree {
            depth: 3,
            branching: 2,
        })
        .generate(0)
        .unwrap(),
    );
    // A fork with one end on one side and three on the other.
    let mut b = MdpBuilder::new("fork");
    let s: Vec<_> = (0..7).map(|i| b.state(format!("s{i}"))).collect();
    b.choice(s[0], "few", [(s[1], 1.0)]);
    b.choice(s[0], "many", [(s[2], 1.0)]);
    b.choice(s[1], "on", [(s[3], 1.0)]);
    for (name, end) in [("a", 4), ("b", 5), ("c", 6)] {
        b.choice(s[2], name, [(s[end], 1.0)]);
    }
    s[3..].iter().for_each(|end| b.absorbing(*end));
    worlds.push(b.build().unwrap());
    let (mut copies, mut ends, mut strict) = (0, 0, 0);
    for mdp in &worlds {
        let found = run(mdp, 20_000);
        let (under, at_one) = (&found.cells[0], &found.cells[1]);
        for theorem in Theorem::of(mdp, Discount::new(0.9).unwrap()) {
            match theorem {
                Theorem::Copy {
                    more,
                    less,
                    is_likelier,
                } => {
                    copies += 1;
                    let after = |c: ChoiceId| wide(under.power[mdp.row(c).0[0] as usize]);
                    let (a, b) = (after(more), after(less));
                    assert!(a.1 >= b.0, "{} {theorem:?}: {a:?} {b:?}", mdp.name());
                    strict += u32::from(a.0 > b.1);
                    for cell in [under, at_one] {
                        let (a, b) = (wide(share(cell, more)), wide(share(cell, less)));
                        assert!(!is_likelier || a.1 >= b.0, "{} {theorem:?}", mdp.name());
                    }
                }
                Theorem::End { end, .. } => {
                    ends += 1;
                    let keys = [Key::text(mdp.state_name(end))];
                    let avoid = wide(measure(at_one, "events", &keys, "avoid"));
                    assert!(
                        avoid.1 >= theorem.share().unwrap(),
                        "{} {theorem:?}",
                        mdp.name()
                    );
                }
                // Their ends pay once.
                Theorem::Shutdown { .. } => {}
            }
        }
    }
    // There was something to hold them against, and where it is more than no less, that is seen.
    assert!(
        copies >= 15 && ends >= 12 && strict >= 1,
        "{copies} {ends} {strict}"
    );
}

#[test]
fn promises_stand_beside_what_was_measured() {
    let mut b = MdpBuilder::new("fork");
    let [s, few, many, x, y, z] = ["s", "few", "many", "x", "y", "z"].map(|name| b.state(name));
    b.choice(s, "few", [(few, 1.0)]);
    b.choice(s, "many", [(many, 1.0)]);
    b.choice(few, "x", [(x, 1.0)]);
    b.choice(many, "y", [(y, 1.0)]);
    b.choice(many, "z", [(z, 1.0)]);
    [x, y, z].iter().for_each(|end| b.absorbing(*end));
    let mdp = b.build().unwrap();
    insta::assert_snapshot!(theorems_text(&mdp, Discount::new(0.9).unwrap()));
    insta::assert_snapshot!(beside_text(&run(&mdp, 4_096), 2));
}

#[test]
fn power_depends_on_what_is_called_a_state() {
    let mdp = Family::Star(Star { leaves: 3 }).generate(0).unwrap();
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let discount = Discount::new(0.9).unwrap();
    let found = Sensitivity::of(&engine, &mdp, discount, 50_000, Seed(2)).unwrap();
    // The best of k leaves is k/(k + 1), at any discount.
    let is = |e: Estimate, exact: f64| {
        let (low, high) = wide(e);
        assert!(
            low <= exact && exact <= high && high - low < 0.02,
            "{exact}: {e:?}"
        );
    };
    let hub = mdp.start()[0].0;
    is(found.power[hub.index()], 0.75);
    let (mut split, mut merged) = (0, 0);
    for moved in &found.moved {
        let after = moved.power[hub.index()];
        match &moved.by {
            // Nothing leads to the hub: a second one is not to be had.
            Redrawing::Split(state) if *state == hub => is(after, 0.75),
            Redrawing::Split(state) => {
                is(after, 0.8);
                is(moved.power[state.index()], 0.5);
                assert_eq!(moved.tau, Some(1.0));
                split += 1;
            }
            Redrawing::Merge(states) => {
                is(after, 0.5);
                merged += states.len();
            }
        }
    }
    assert_eq!((split, merged), (3, 3));
    let text = sensitivity_text(&mdp, &found);
    assert!(
        text.contains("(3) as one") && text.contains("as two"),
        "{text}"
    );
}

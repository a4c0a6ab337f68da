//! Rankings and majorities across laws and discounts.

use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, Engine, RunSpec};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::report::robustness_text;
use powersweep::reward::{Marginal, RewardDistribution, Uniform};
use powersweep::statistics::Request;

/// One way to an end, or another to a fork with two.
fn world() -> Mdp {
    let mut b = MdpBuilder::new("world");
    let [s, end, fork, x, y] = ["s", "end", "fork", "x", "y"].map(|name| b.state(name));
    b.choice(s, "stop", [(end, 1.0)]);
    b.choice(s, "go", [(fork, 1.0)]);
    b.choice(fork, "to x", [(x, 1.0)]);
    b.choice(fork, "to y", [(y, 1.0)]);
    for state in [end, x, y] {
        b.absorbing(state);
    }
    b.start(s);
    b.build().unwrap()
}

fn text(laws: Vec<RewardDistribution>, discounts: &[f64]) -> String {
    let engine = Engine::new(BackendChoice::Reference).unwrap();
    let mut spec = RunSpec {
        environments: vec![engine.upload(world())],
        rewards: laws.into_iter().map(Arc::new).collect(),
        samples: 3_000,
        seed: Seed(1),
        threads: 1,
        statistics: Request {
            optimality: vec!["s".to_owned()],
            ..Request::default()
        },
        ..RunSpec::default()
    };
    for discount in discounts {
        spec = spec.discount(*discount).unwrap();
    }
    robustness_text(&engine.run(&spec).unwrap())
}

fn law(name: &str) -> RewardDistribution {
    RewardDistribution::iid(name, Marginal::Uniform(Uniform::unit()))
}

/// The words of the line that starts with a word.
fn line<'t>(text: &'t str, first: &str) -> Vec<&'t str> {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(first));
    line.unwrap_or_else(|| panic!("{text}"))
        .split_whitespace()
        .collect()
}

#[test]
fn what_survives_other_discounts_and_what_another_law_turns_round() {
    // Whatever the discount, `s` and the fork have more POWER than the ends, and most goals go.
    let same = text(vec![law("uniform")], &[0.8, 0.9]);
    assert!(same.contains("\n7 of 7 pairs of states"), "{same}");
    assert_eq!(line(&same, "s ")[1..5], ["go", "2", "of", "2"]);
    let row = line(&same, "uniform");
    assert_eq!(row[3], "1.000", "{same}");
    // Where the end is worth more than anything else, they stop, and it has the most POWER.
    let good_end = law("good end").with_law("end", Marginal::uniform(4.0, 5.0).unwrap());
    let turned = text(vec![law("uniform"), good_end], &[0.9]);
    let lowest: f64 = line(&turned, "good end").last().unwrap().parse().unwrap();
    // Alike 5 and reversed 1, of 7 pairs told by one and 8 by the other.
    assert!((lowest - 4.0 / 56.0_f64.sqrt()).abs() < 1e-3, "{turned}");
    assert!(turned.contains("\n8 of 9 pairs of states"), "{turned}");
    assert_eq!(line(&turned, "s ")[2..5], ["1", "of", "2"], "{turned}");
    // One cell has nothing to be held against.
    assert_eq!(text(vec![law("uniform")], &[0.9]), "");
}

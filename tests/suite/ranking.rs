//! Ranks of states by their POWER, and the sets that hold all of them at once.

use std::path::Path;

use powersweep::experiment::Statistics;
use powersweep::report::{Colours, TableOptions, power_text};
use powersweep::statistics::{Estimate, Key};

use super::experiment_file::{load, run};

/// Name, estimate, and the set of ranks of every state.
fn ranks(statistics: &Statistics) -> Vec<(String, Estimate)> {
    let table = statistics.cells[0].table("ranking").unwrap();
    let rows = table.rows.iter().map(|row| {
        let Key::Text(name) = &row.keys[0] else {
            panic!("a name")
        };
        (name.clone(), *row.measures[0].estimate().unwrap())
    });
    rows.collect()
}

fn sets(statistics: &Statistics) -> Vec<(String, u64, u64)> {
    let ranks = ranks(statistics).into_iter();
    ranks
        .map(|(name, e)| (name, e.low as u64, e.high as u64))
        .collect()
}

fn set(name: &str, low: u64, high: u64) -> (String, u64, u64) {
    (name.to_owned(), low, high)
}

/// Figure 1 of Turner et al. 2021 at 1/2, by hand: POWER of r_tri, r_ne and r_se is 2/3, of l_tri and l_sw 11/18, of null 1/2, and that of l_nw, from where one must go on to l_sw,
/// between the last two.
fn figure_1(goals: u64, more: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/turner-2021-fig1.json");
    format!(
        "schema = 1\n[mdp]\npath = {path:?}\n[solve]\ndiscount = 0.5\n{more}[sample]\ncount = {goals}\n[statistics]\n\
        distribution = [\"star\", \"null\", \"l_tri\", \"l_nw\", \"l_sw\", \"r_tri\", \"r_ne\", \"r_se\"]\n"
    )
}

#[test]
fn equal_states_share_their_ranks_and_others_are_told_apart() {
    let statistics = run(&figure_1(20_000, ""));
    let wanted = [
        set("star", 1, 1),
        set("null", 8, 8),
        set("l_tri", 5, 6),
        set("l_nw", 7, 7),
        set("l_sw", 5, 6),
        set("r_tri", 2, 4),
        set("r_ne", 2, 4),
        set("r_se", 2, 4),
    ];
    assert_eq!(sets(&statistics), wanted);
    // The control: twenty goals do not tell that.
    let few = run(&figure_1(20, ""));
    let widths = |statistics: &Statistics| -> u64 {
        sets(statistics)
            .iter()
            .map(|(_, low, high)| high - low)
            .sum()
    };
    assert!(widths(&few) > 2 * widths(&statistics), "{:?}", sets(&few));
    let text = power_text(&statistics, &TableOptions::default(), Colours::None);
    let table = text.split("\nranking\n").nth(1).unwrap();
    insta::assert_snapshot!(table.split("\n\n").next().unwrap());
}

#[test]
fn numerical_bounds_widen_sets_and_not_their_statistical_part() {
    // Of some worlds of this kind sweeps that stop early leave open what many goals would tell.
    let file = "schema = 1\n[mdp]\nfamily = \"garnet\"\nstates = 8\nchoices = 2\nbranching = 2\nseeds = \"3..4\"\n[solve]\ndiscount = 0.9\nmethod = \"jacobi\"\ntolerance = TOL\n\
        [sample]\ncount = 20000\n[statistics]\ndistribution = [\"s0\", \"s1\", \"s2\", \"s3\", \"s4\", \"s5\"]\n";
    let sharp = ranks(&run(&file.replace("TOL", "1e-5")));
    let all: f64 = sharp
        .iter()
        .map(|(_, e)| (e.ci_low - e.low) + (e.high - e.ci_high))
        .sum();
    assert_eq!(all, 0.0, "the control: {sharp:?}");
    let ranks = ranks(&run(&file.replace("TOL", "0.05")));
    let statistical: f64 = ranks.iter().map(|(_, e)| e.ci_high - e.ci_low).sum();
    let all: f64 = ranks.iter().map(|(_, e)| e.high - e.low).sum();
    assert!(all > statistical + 2.0, "{ranks:?}");
    for (name, e) in &ranks {
        assert!(e.low <= e.ci_low && e.ci_high <= e.high, "{name}: {e:?}");
        assert!(
            e.ci_low <= e.estimate && e.estimate <= e.ci_high,
            "{name}: {e:?}"
        );
    }
}

#[test]
fn where_all_goals_were_counted_only_equal_states_share_ranks() {
    // One of three ends pays 1: POWER of the hub is 1, of each of the three 1/3, of the fourth 0.
    let star = |law: &str| {
        format!(
            "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 4\n[[reward]]\n{law}\n[solve]\ndiscount = 0.5\n[sample]\ncount = 5000\n[statistics]\n\
            distribution = [\"s0\", \"leaves\"]\n"
        )
    };
    let all = run(&star(
        "distribution = \"sparse\"\namong = [\"t1\", \"t2\", \"t3\"]",
    ));
    let wanted = [
        set("s0", 1, 1),
        set("t1", 2, 4),
        set("t2", 2, 4),
        set("t3", 2, 4),
        set("t4", 5, 5),
    ];
    assert_eq!(sets(&all), wanted);
    assert!(ranks(&all).iter().all(|(_, e)| e.exact));
    // Without a variance there is no error of a mean, and nothing is told.
    let heavy = run(&star("distribution = \"pareto\"\nalpha = 1.5"));
    let open = |(_, low, high): &(String, u64, u64)| (*low, *high) == (1, 5);
    assert!(sets(&heavy).iter().all(open), "{:?}", sets(&heavy));
    let light = run(&star("distribution = \"pareto\"\nalpha = 3"));
    assert_eq!(sets(&light)[0], set("s0", 1, 1), "the control");
}

#[test]
fn claims_may_be_about_ranks() {
    let file = |claim: &str| {
        format!(
            "schema = 1\n[mdp]\nfamily = \"garnet\"\nstates = 4\nchoices = 2\nbranching = 2\nseeds = \"0..2\"\n[solve]\ndiscount = 0.5\n[statistics]\n\
            distribution = [\"s0\", \"s1\", \"s2\"]\n[ensemble]\nclaims = {{ {claim} }}\n"
        )
    };
    load(&file("statistic = \"ranking\", row = \"s0\", below = 1.5")).unwrap();
    let fault = load(&file(
        "statistic = \"ranking\", row = \"s0\", measure = \"place\", below = 1.5",
    ));
    assert!(
        fault
            .unwrap_err()
            .contains("ranking has no measure \"place\"")
    );
}

//! What stands beside behaviour in the results: structure, ranks and theorems as tables; prices of indifference goal by goal and in pairs.

use std::collections::BTreeMap;
use std::sync::Arc;

use powersweep::experiment::{BackendChoice, CellStatistics, Engine, PerGoal, RunSpec};
use powersweep::intervention::{Replacement, Variant};
use powersweep::io::parquet::Values;
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::statistics::{Key, Measure, Request, TableRow};

/// A start with a room before two ends, and a hall before one.
fn world() -> Mdp {
    let mut b = MdpBuilder::new("world");
    let [s, room, a, c, hall, off] = ["s", "room", "a", "c", "hall", "off"].map(|n| b.state(n));
    b.choice(s, "in", [(room, 1.0)]);
    b.choice(s, "out", [(hall, 1.0)]);
    b.choice(hall, "on", [(off, 1.0)]);
    b.choice(room, "to a", [(a, 1.0)]);
    b.choice(room, "to c", [(c, 1.0)]);
    for end in [a, c, off] {
        b.absorbing(end);
    }
    b.start(s);
    b.build().unwrap()
}

fn run(structure: Option<u32>) -> CellStatistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        environments: vec![engine.upload(world())],
        samples: 20_000,
        threads: 1,
        structure,
        statistics: Request {
            optimality: vec!["s".to_owned()],
            ..Request::default()
        },
        ..RunSpec::default()
    };
    let mut found = engine.run(&spec.discount(0.9).unwrap()).unwrap();
    found.cells.remove(0)
}

fn row<'c>(cell: &'c CellStatistics, table: &str, first: &str) -> &'c TableRow {
    let rows = &cell.table(table).unwrap().rows;
    let found = rows.iter().find(|row| row.keys.contains(&Key::text(first)));
    found.unwrap()
}

#[test]
fn structure_ranks_and_theorems_are_tables_of_the_results() {
    let cell = run(Some(2));
    let numbers = |row: &TableRow| -> Vec<f64> {
        let each = row.measures.iter().map(|m| match m {
            Measure::Number(x) => *x,
            other => panic!("{other:?}"),
        });
        each.collect()
    };
    // From the start all six states and three ends; in two steps a, c or off; one plan for each end, none of which is a mixture.
    let log3 = 3.0_f64.log2();
    let start = numbers(row(&cell, "structure", "s"));
    assert_eq!(
        [start[0], start[1], start[3], start[4]],
        [6.0, 3.0, 3.0, 3.0]
    );
    assert!((start[2] - log3).abs() < 1e-12);
    assert_eq!(
        numbers(row(&cell, "structure", "off")),
        [1.0, 1.0, 0.0, 1.0, 1.0]
    );
    // The start reaches most, then the room, the hall and the ends: 12 of 15 pairs are told apart. Of these POWER tells the 9 with the start or the room, in the same order, and leaves
    // the hall and the ends together: tau-b is 9 / sqrt(12 * 9).
    let ranks = numbers(row(&cell, "ranks", "reachable"));
    assert_eq!(ranks[0], 6.0);
    assert!(
        (ranks[1] - 0.75_f64.sqrt()).abs() < 1e-12 && ranks[2] > 0.6,
        "{ranks:?}"
    );
    // What follows "out" can be done after "in", with other states.
    let copy = row(&cell, "theorems", "in");
    assert_eq!(copy.keys[3], Key::text("out"));
    let estimate = |at: usize| copy.measures[at].estimate().unwrap().estimate;
    let room = cell.power[1].estimate;
    assert_eq!(estimate(1), room);
    assert!(estimate(1) > estimate(2) && estimate(3) > estimate(4));
    // Nothing else is another number for it, and without being asked there is none of it.
    let without = run(None);
    assert_eq!(without.power, cell.power);
    assert!(without.table("structure").is_none() && without.table("ranks").is_none());
}

/// The world with so many further ends of the room.
fn larger(further: usize) -> Mdp {
    let mut b = MdpBuilder::new("world");
    let [s, room, off] = ["s", "room", "off"].map(|n| b.state(n));
    b.choice(s, "in", [(room, 1.0)]);
    b.choice(s, "off", [(off, 1.0)]);
    b.absorbing(off);
    for i in 0..=further {
        let end = b.state(format!("end {i}"));
        b.choice(room, format!("to {i}"), [(end, 1.0)]);
        b.absorbing(end);
    }
    b.start(s);
    b.build().unwrap()
}

#[test]
fn the_price_of_indifference_is_told_goal_by_goal_and_in_pairs() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let replaced = |name: &str, further| {
        let by = Replacement::new(Arc::new(larger(further)), BTreeMap::new());
        Variant::new(name).with(by)
    };
    let spec = RunSpec {
        environments: vec![engine.upload(larger(0))],
        variants: vec![
            Variant::baseline(),
            replaced("same", 0),
            replaced("more", 2),
        ],
        samples: 2_000,
        threads: 1,
        statistics: Request {
            indifference: vec!["off".to_owned()],
            ..Request::default()
        },
        per_goal: Some(PerGoal {
            count: 2_000,
            states: Vec::new(),
        }),
        ..RunSpec::default()
    };
    let spec = spec.discount(0.75).unwrap();
    let found = engine.run(&spec).unwrap();
    let goals = engine.goals(&spec).unwrap().unwrap();
    let mut all = goals.columns().into_iter();
    let prices = match all
        .find(|c| c.name == "indifference.price:off")
        .unwrap()
        .values
    {
        Values::Number(prices) => prices.into_iter().map(Option::unwrap).collect::<Vec<f64>>(),
        other => panic!("{other:?}"),
    };
    // A cell after the other.
    let columns: Vec<&[f64]> = prices.chunks(2_000).collect();
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    for (cell, goals) in found.cells.iter().zip(&columns) {
        let price = row(cell, "indifference", "off").measures[0]
            .estimate()
            .unwrap();
        assert!((price.estimate - mean(goals)).abs() < 1e-9);
    }
    let difference = |at: usize| {
        let rows = &found.cells[at].table("differences").unwrap().rows;
        let of = |row: &&TableRow| row.keys.starts_with(&[Key::text("indifference")]);
        *rows.iter().find(of).unwrap().measures[0]
            .estimate()
            .unwrap()
    };
    // The same world goal by goal; with two ends more the best of three draws instead of one: 3/4 instead of 1/2, from the second step on.
    let same = difference(1);
    assert!(
        same.estimate == 0.0 && same.std_error == Some(0.0),
        "{same:?}"
    );
    let more = difference(2);
    assert!(
        (more.estimate - 0.75 * 0.25).abs() < 4.5 * more.std_error.unwrap(),
        "{more:?}"
    );
    let paired: Vec<f64> = columns[2]
        .iter()
        .zip(columns[0])
        .map(|(a, b)| a - b)
        .collect();
    assert!((more.estimate - mean(&paired)).abs() < 1e-9);
}

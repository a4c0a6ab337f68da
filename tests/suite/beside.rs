//! Structure beside behaviour in the results: states, ranks and theorems as tables.

use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec};
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

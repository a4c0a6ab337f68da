//! Intervals that hold at once: how often all of them do, where the truth is known.

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec};
use powersweep::mdp::families::{Family, Star};
use powersweep::plan::Method;
use powersweep::report::{Colours, TableOptions, power_text};
use powersweep::statistics::{
    Drawn, Estimate, EventRequest, Map, Observations, ObservedSums, PowerScale, Quantity, Request,
};

use super::experiment_file::{load, run as run_text};

/// Leaves of the star: POWER of each is the mean of a reward of its own, so that ten intervals miss independently.
const LEAVES: u64 = 10;
const RUNS: u64 = 500;
/// 5% of the runs, and four standard deviations of that number.
const MOST: u64 = 25 + 4 * 5;

fn star(engine: &Engine, samples: u64) -> RunSpec {
    let mdp = Family::Star(Star { leaves: LEAVES }).generate(0).unwrap();
    let leaves = (1..=LEAVES).map(|leaf| EventRequest {
        label: format!("t{leaf}"),
        ..EventRequest::default()
    });
    let spec = RunSpec {
        statistics: Request {
            optimality: vec!["start".to_owned()],
            events: leaves.collect(),
            ..Request::default()
        },
        method: Some(Method::Jacobi),
        simultaneous: true,
        samples,
        threads: 1,
        ..RunSpec::default()
    };
    let spec = spec.environment(&engine.upload(mdp));
    spec.discount(0.5).unwrap()
}

/// The columns, each with what is true of its rows.
fn columns(cell: &CellStatistics) -> [Vec<(Estimate, f64)>; 3] {
    let share = 1.0 / LEAVES as f64;
    let power = cell.power.iter().enumerate().map(|(state, e)| {
        let hub = 1.0 - 1.0 / (LEAVES + 1) as f64;
        (*e, if state == 0 { hub } else { 0.5 })
    });
    let column = |table: &str, measure: &str| {
        let table = cell.table(table).unwrap();
        let rows = table.rows.iter();
        let each = rows.map(|row| *table.measure(row, measure).unwrap().estimate().unwrap());
        each.map(|e| (e, share)).collect::<Vec<_>>()
    };
    [
        power.collect(),
        column("optimality", "weak"),
        column("events", "ever"),
    ]
}

#[test]
fn all_rows_of_a_column_are_covered_at_once_and_by_plain_intervals_they_are_not() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = star(&engine, 576);
    let (mut missed, mut plain) = ([0; 3], [0; 3]);
    for run in 0..RUNS {
        let spec = RunSpec {
            seed: Seed(run),
            ..spec.clone()
        };
        let found = engine.run(&spec).unwrap();
        for (at, column) in columns(&found.cells[0]).iter().enumerate() {
            let holds = |(e, truth): &(Estimate, f64)| {
                let (low, high) = (e.simultaneous_low.unwrap(), e.simultaneous_high.unwrap());
                assert!(low <= e.low && high >= e.high);
                low <= *truth && *truth <= high
            };
            missed[at] += u64::from(!column.iter().all(holds));
            let holds = |(e, truth): &(Estimate, f64)| e.low <= *truth && *truth <= e.high;
            plain[at] += u64::from(!column.iter().all(holds));
        }
    }
    for (missed, plain) in missed.into_iter().zip(plain) {
        assert!(missed <= MOST, "{missed} of {RUNS}");
        assert!(missed > 0, "not for want of anything that is told");
        assert!(plain > 2 * MOST, "the control: {plain} of {RUNS}");
    }
}

#[test]
fn what_was_not_asked_is_not_told_and_one_row_alone_is_as_wide_as_it_is() {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let asked = star(&engine, 2_000);
    let found = engine.run(&asked).unwrap();
    let not_asked = RunSpec {
        simultaneous: false,
        ..asked
    };
    let plain = engine.run(&not_asked).unwrap();
    let [with, without] = [&found, &plain].map(|found| found.to_json());
    assert!(with.contains("\"simultaneous_low\":") && !without.contains("simultaneous"));
    // Nothing else is another number.
    let stripped: Vec<&str> = with.split(",\"simultaneous_low\":").collect();
    let stripped = stripped.iter().enumerate().map(|(i, part)| {
        let end = if i == 0 { 0 } else { part.find('}').unwrap() };
        &part[end..]
    });
    assert_eq!(stripped.collect::<String>(), without);
    // Ten rows, each at 99.5%: 2.807 standard errors instead of 1.960, for what no numerical bound widens.
    let of = |cell: &CellStatistics| columns(cell)[0][1].0;
    let (e, std_error) = (of(&found.cells[0]), of(&plain.cells[0]).std_error.unwrap());
    let half = (e.simultaneous_high.unwrap() - e.simultaneous_low.unwrap()) / 2.0 - e.bound;
    // Eleven states.
    assert!(
        (half / std_error - 2.838_0).abs() < 1e-3,
        "{}",
        half / std_error
    );
}

#[test]
fn the_experiment_file_asks_and_a_finished_run_answers_without_solving() {
    let file = |statistics: &str| {
        format!(
            "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 4\n[solve]\ndiscount = 0.5\n[sample]\ncount = 1000\n[statistics]\n{statistics}"
        )
    };
    let [with, without] = ["simultaneous = true\n", ""].map(|more| load(&file(more)).unwrap());
    assert!(with.simultaneous && !without.simultaneous);
    assert_eq!(with.identity("cpu"), without.identity("cpu"));
    assert!(
        with.to_toml(&|_, path| path.to_owned())
            .contains("simultaneous = true")
    );
    let shown = |more: &str| {
        power_text(
            &run_text(&file(more)),
            &TableOptions::default(),
            Colours::None,
        )
    };
    let told = shown("simultaneous = true\n");
    assert!(
        told.contains("wide enough to hold in all rows at once"),
        "{told}"
    );
    assert!(!shown("").contains("at once"));
    let wrong = load(&file("simultaneous = 1\n")).unwrap_err();
    assert!(wrong.contains("simultaneous"), "{wrong}");
}

#[test]
fn rare_differences_reach_as_far_as_exact_shares_do() {
    // No goal of a thousand differs. One in n that does is missed with probability (1 - 1/n)^1000.
    let quantity = Quantity::mean(0, Map::Identity, PowerScale::new(0.0, 1.0));
    let mut observations = Observations::new(1, 1_000);
    for _ in 0..1_000 {
        let mut row = observations.row();
        row.push(0.0);
        row.finish();
    }
    let sums = ObservedSums::of(&observations, &[quantity]).unwrap();
    let drawn = Drawn {
        is_simultaneous: true,
        ..Drawn::default()
    };
    let high = |sums: &ObservedSums, level| {
        let e = sums.estimate_difference(0, &quantity, level);
        assert_eq!(e.ci_low, -e.ci_high);
        e.ci_high
    };
    for level in [0.999, 0.999_99] {
        let missed = |end: f64| (1.0 - end).powi(1_000);
        let one_side = (1.0 - level) / 2.0;
        let at_once = missed(high(&sums.clone().with_drawn(drawn), level));
        assert!(at_once <= one_side * (1.0 + 1e-9), "{at_once} {level}");
        // The control: an end that is made for errors of a few percent.
        assert!(missed(high(&sums, level)) > 3.0 * one_side, "{level}");
    }
}

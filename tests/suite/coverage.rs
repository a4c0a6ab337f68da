//! Do 95% intervals hold the truth 95 times in 100? Ten thousand runs of known truth.

use std::sync::Arc;

use powersweep::experiment::RunSpec;
use powersweep::io::read_mdp;
use powersweep::mdp::Mdp;
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, CellProblem};
use powersweep::statistics::behaviour::{Integrands, LawScale};
use powersweep::statistics::{
    Asked, Block, CellSums, ConditionRequest, Estimate, EventRequest, Key, ObservedSums,
    OptimalRequest, Quantity, Request, Table,
};
use powersweep::{Discount, Seed};

/// Runs, and goals of each.
const RUNS: u64 = 10_000;
const GOALS: u64 = 576;
/// 95%, and four standard deviations of a share of ten thousand on either side.
const COVERED: std::ops::RangeInclusive<f64> = 0.941..=0.959;

/// Intervals of one quantity that hold the truth, and those that hold a number a little beside it; and the ones of 90%.
#[derive(Default)]
struct Count {
    held: u64,
    beside: u64,
    narrow: u64,
}

impl Count {
    fn add(&mut self, estimate: &Estimate, narrow: &Estimate, exact: f64) {
        let holds = |e: &Estimate, x: f64| e.ci_low <= x && x <= e.ci_high;
        self.held += u64::from(holds(estimate, exact));
        self.narrow += u64::from(holds(narrow, exact));
        let beside = exact + (estimate.ci_high - estimate.ci_low) / 4.0;
        self.beside += u64::from(holds(estimate, beside));
    }

    fn check(&self, name: &str) {
        let share = |n: u64| n as f64 / RUNS as f64;
        let [held, beside, narrow] = [self.held, self.beside, self.narrow].map(share);
        assert!(COVERED.contains(&held), "{name}: {held}");
        // Controls: a truth one standard error further, and intervals of another level.
        assert!(!COVERED.contains(&beside), "{name}: {beside}");
        assert!(!COVERED.contains(&narrow), "{name}: {narrow}");
    }
}

fn training() -> Arc<Mdp> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/claims/training.json");
    Arc::new(read_mdp(path.as_ref()).unwrap().0)
}

fn first(table: &Table, keys: &[&str], measure: &str) -> Estimate {
    let keys: Vec<Key> = keys.iter().map(|k| Key::text(k)).collect();
    let row = table.rows.iter().find(|row| row.keys.starts_with(&keys));
    *table
        .measure(row.unwrap(), measure)
        .unwrap()
        .estimate()
        .unwrap()
}

/// Everything that is asked of a run, and the problem that asks it.
fn asked(mdp: &Arc<Mdp>) -> (Asked, CellProblem) {
    let spec = RunSpec {
        seed: Seed(4),
        ..RunSpec::default()
    };
    let discount = Discount::new(0.75).unwrap();
    let mut problem = spec.problem(mdp, &spec.rewards[0], discount).unwrap();
    let request = Request {
        optimality: vec!["new".to_owned()],
        events: vec![EventRequest {
            label: "shutdown".to_owned(),
            ..EventRequest::default()
        }],
        ..Request::default()
    };
    let fetch = ConditionRequest {
        optimal: vec![OptimalRequest::Choice {
            state: "training".to_owned(),
            action: "fetch".to_owned(),
        }],
        ..ConditionRequest::default()
    };
    let sums = problem.power_scale();
    let asked = request.resolve(mdp, LawScale::default()).unwrap();
    let asked = asked.with(Some(Integrands::summed(mdp, LawScale::default(), sums)));
    let asked = asked.conditioned(Some(fetch.resolve(mdp).unwrap()));
    problem.asked = Arc::new(asked.clone());
    (asked, problem)
}

#[test]
fn intervals_cover_the_truth_as_often_as_they_say() {
    let mdp = training();
    let (asked, problem) = asked(&mdp);
    let scale = problem.power_scale();
    let quantities: Vec<Quantity> = asked.quantities();
    let condition = asked.condition().unwrap();
    let power_at = asked.first_quantity("power").unwrap();
    let state = |name: &str| mdp.find_state(name).unwrap().index();
    let (new, prize) = (state("new"), state("prize"));
    let solver = CpuBackend::new().prepare(problem).unwrap();
    let names = [
        ("power", 2.0 / 3.0),
        ("optimality", 0.5),
        ("event", 0.5),
        ("accepted", 1.0 / 3.0),
        ("power of the prize, given", 0.75),
        ("optimality, given", 0.25),
        ("event, given", 0.25),
    ];
    let mut counts: Vec<Count> = names.iter().map(|_| Count::default()).collect();
    for run in 0..RUNS {
        let block = Block {
            index: run,
            first: run * GOALS,
            len: GOALS,
        };
        let found = solver.solve_block(block, false).unwrap();
        let mut power = CellSums::new(mdp.n_states(), scale);
        power.add_block(&found).unwrap();
        let all = ObservedSums::of(&found.observations, &quantities).unwrap();
        let given = condition.sum(&found.observations, &quantities).unwrap();
        let given = condition.read(&given, quantities.len());
        let at = |level: f64| -> [Estimate; 7] {
            let tables = asked.tables(&mdp, &all, level);
            let inside = asked.tables(&mdp, &given.sums, level);
            let [optimality, event] = [["new", "shutdown"], ["shutdown", "even"]];
            let share = condition.condition.table(&given.shares, level);
            let means = &quantities[power_at..=power_at + mdp.n_states()];
            [
                power.power(new, level),
                first(&tables[0], &optimality, "weak"),
                first(&tables[1], &event, "ever"),
                first(&share, &["all"], "accepted"),
                Integrands::power(means, &given.sums, power_at, level)[prize],
                first(&inside[0], &optimality, "weak"),
                first(&inside[1], &event, "ever"),
            ]
        };
        let each = at(0.95).into_iter().zip(at(0.9));
        for ((count, (estimate, narrow)), (_, exact)) in counts.iter_mut().zip(each).zip(names) {
            count.add(&estimate, &narrow, exact);
        }
    }
    for (count, (name, _)) in counts.iter().zip(names) {
        count.check(name);
    }
}

//! "A is optimal for more goals than B": pairs of sets of choices, goal by goal, against the enumeration of all policies and against numbers by hand.

use std::path::Path;
use std::sync::Arc;

use powersweep::experiment::{BackendChoice, CellStatistics, Engine, RunSpec};
use powersweep::mdp::{Mdp, MdpBuilder};
use powersweep::reward::{Marginal, RewardDistribution};
use powersweep::solve::cpu::CpuBackend;
use powersweep::solve::{Backend, ReferenceBackend};
use powersweep::statistics::behaviour::{GoalValues, LawScale, Memory, Observer};
use powersweep::statistics::{
    Estimate, MajorityRequest, Measure, Observed, OptimalRequest, Request, Table, TableRow,
};
use powersweep::{ChoiceId, Discount, StateId};

use super::behaviour::{Judge, observe, problem, rewards, small_mdp};
use super::experiment_file::load;

fn choice(state: &str, action: &str) -> OptimalRequest {
    OptimalRequest::Choice {
        state: state.to_owned(),
        action: action.to_owned(),
    }
}

fn label(name: &str) -> OptimalRequest {
    OptimalRequest::Label(name.to_owned())
}

fn pair(first: Vec<OptimalRequest>, second: Vec<OptimalRequest>) -> MajorityRequest {
    MajorityRequest {
        name: MajorityRequest::name_of(&first, &second),
        first,
        second,
    }
}

fn ask(majority: Vec<MajorityRequest>) -> Request {
    Request {
        majority,
        ..Request::default()
    }
}

/// The choices that a list of names stands for, found by hand.
fn found(mdp: &Mdp, names: &[OptimalRequest]) -> Vec<ChoiceId> {
    let of = |name: &OptimalRequest| match name {
        OptimalRequest::Label(label) => mdp.choice_labels()[label].clone(),
        OptimalRequest::Choice { state, action } => {
            let mut choices = mdp.choices(mdp.find_state(state).unwrap());
            vec![choices.find(|c| mdp.action_name(*c) == action).unwrap()]
        }
    };
    names.iter().flat_map(of).collect()
}

/// In one state, across states, and by a label.
pub(crate) fn pairs(mdp: &Mdp) -> Vec<MajorityRequest> {
    let last = |state: &str| {
        let choices = mdp.choices(mdp.find_state(state).unwrap());
        choice(state, mdp.action_name(choices.last().unwrap()))
    };
    vec![
        pair(vec![last("s1")], vec![choice("s2", "a0")]),
        pair(vec![label("taken")], vec![choice("s1", "a0"), last("s0")]),
        pair(vec![choice("s3", "a0")], vec![last("s3")]),
    ]
}

/// Number of goals whose columns are not those of the judge.
fn misses(backend: &dyn Backend, mdp: &Arc<Mdp>, gamma: f64, offset: u64) -> usize {
    let pairs = pairs(mdp);
    let problem = problem(mdp, gamma, &ask(pairs.clone()));
    let observations = observe(backend, problem.clone(), 70);
    assert!(observations.uncertain().is_empty(), "{}", mdp.name());
    let wrong = |&(goal, row): &(usize, &[f64])| {
        let rewards = rewards(&problem, goal as u64 + offset);
        let judge = Judge::new(mdp, problem.discount.used(), &rewards);
        let is_optimal = |c: &ChoiceId| judge.optimal(mdp.state_of(*c)).contains(c);
        let expected = pairs.iter().flat_map(|pair| {
            let [a, b] = [&pair.first, &pair.second].map(|names| found(mdp, names));
            let [a, b] = [a, b].map(|set| f64::from(u8::from(set.iter().any(is_optimal))));
            [a, b, a * (1.0 - b), b * (1.0 - a), a - b]
        });
        expected.collect::<Vec<f64>>() != row
    };
    observations.rows().enumerate().filter(wrong).count()
}

fn goals_are_those_of_the_judge(backend: &dyn Backend) {
    let mut noticed = 0;
    for seed in 0..20 {
        let mdp = Arc::new(small_mdp(seed, seed % 2 == 0));
        assert_eq!(misses(backend, &mdp, 0.9, 0), 0, "{seed}");
        // The control: the goals' rewards belong to other goals.
        noticed += misses(backend, &mdp, 0.9, 1);
    }
    assert!(noticed > 200, "{noticed}");
}

#[test]
fn the_cpu_backend_counts_the_goals_of_the_judge() {
    goals_are_those_of_the_judge(&CpuBackend::new());
}

#[test]
fn the_reference_backend_counts_the_goals_of_the_judge() {
    goals_are_those_of_the_judge(&ReferenceBackend::new());
}

/// A hub from which each of `leaves` ends is a step away.
fn star(leaves: usize) -> Mdp {
    let mut builder = MdpBuilder::new("star");
    let hub = builder.state("hub");
    for leaf in 0..leaves {
        let end = builder.state(format!("leaf{leaf}"));
        builder.choice(hub, format!("to{leaf}"), [(end, 1.0)]);
        builder.absorbing(end);
    }
    builder.start(hub);
    builder.build().unwrap()
}

fn to(leaves: impl IntoIterator<Item = usize>) -> Vec<OptimalRequest> {
    let each = leaves.into_iter();
    each.map(|leaf| choice("hub", &format!("to{leaf}")))
        .collect()
}

fn run(leaves: usize, law: RewardDistribution, request: Vec<MajorityRequest>) -> CellStatistics {
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let spec = RunSpec {
        samples: 20_000,
        statistics: ask(request),
        rewards: vec![Arc::new(law)],
        ..RunSpec::default()
    };
    let mdp = engine.upload(star(leaves));
    let spec = spec.environment(&mdp).discount(0.5).unwrap();
    engine.run(&spec).unwrap().cells.remove(0)
}

fn table(cell: &CellStatistics) -> &Table {
    cell.table("majority").unwrap()
}

fn estimate(table: &Table, row: &TableRow, measure: &str) -> Estimate {
    *table.measure(row, measure).unwrap().estimate().unwrap()
}

fn number(table: &Table, row: &TableRow, measure: &str) -> Option<f64> {
    match table.measure(row, measure).unwrap() {
        Measure::Number(x) => Some(*x),
        _ => None,
    }
}

fn holds(found: &Estimate, x: f64) -> bool {
    found.low <= x && x <= found.high
}

#[test]
fn ties_are_counted_for_both_sets() {
    // Each of three ends pays 1 with probability 1/2, else 0: one is optimal unless it pays 0 and another 1.
    let law = RewardDistribution::iid("coin", Marginal::bernoulli(0.5, 0.0, 1.0).unwrap());
    let cell = run(3, law, vec![pair(to([0]), to([1, 2]))]);
    let table = table(&cell);
    let row = &table.rows[0];
    let by_hand = [
        ("first", 5.0 / 8.0),
        ("second", 7.0 / 8.0),
        ("difference", -1.0 / 4.0),
        ("only_first", 1.0 / 8.0),
        ("only_second", 3.0 / 8.0),
        ("ratio", 5.0 / 7.0),
    ];
    for (measure, exact) in by_hand {
        let found = estimate(table, row, measure);
        assert!(holds(&found, exact), "{measure}: {found:?}");
        assert!(!holds(&found, exact + 0.05), "{measure}: {found:?}");
        assert_eq!(found.bound, 0.0, "ties are settled");
    }
    assert!(number(table, row, "p_value").unwrap() < 1e-100);
    assert_eq!(number(table, row, "undecided"), Some(0.0));
}

#[test]
fn as_many_goals_on_either_side_are_no_majority() {
    let unit = RewardDistribution::iid("unit", Marginal::uniform(0.0, 1.0).unwrap());
    let even = run(4, unit.clone(), vec![pair(to([0, 1]), to([2, 3]))]);
    let row = &table(&even).rows[0];
    assert!(number(table(&even), row, "p_value").unwrap() > 0.01);
    assert!(holds(&estimate(table(&even), row, "ratio"), 1.0));
    assert!(holds(&estimate(table(&even), row, "difference"), 0.0));
    // The control: three ends against one.
    let more = run(4, unit, vec![pair(to([0, 1, 2]), to([3]))]);
    let row = &table(&more).rows[0];
    let ratio = estimate(table(&more), row, "ratio");
    assert!(
        holds(&ratio, 3.0) && !holds(&ratio, 2.7) && !holds(&ratio, 3.3),
        "{ratio:?}"
    );
    assert!(!holds(&estimate(table(&more), row, "difference"), 0.0));
    // Far below what numbers can be, and shown as the smallest that is told.
    assert_eq!(number(table(&more), row, "p_value"), Some(1e-300));
}

#[test]
fn all_goals_there_are_need_no_test_and_there_may_be_none_on_one_side() {
    // One of three ends pays: three goals. The fourth never does.
    let law = "distribution = \"sparse\"\namong = [\"t1\", \"t2\", \"t3\"]\n";
    let file = |law: &str| {
        format!(
            "schema = 1\n[mdp]\nfamily = \"star\"\nleaves = 4\n[[reward]]\n{law}[solve]\ndiscount = 0.5\n[sample]\ncount = 300\n[statistics]\nmajority = [\n\
            {{ name = \"two\", first = [{{ state = \"s0\", action = \"go_t1\" }}, {{ state = \"s0\", action = \"go_t2\" }}], second = {{ state = \"s0\", action = \"go_t3\" }} }},\n\
            {{ name = \"never\", first = {{ state = \"s0\", action = \"go_t1\" }}, second = {{ state = \"s0\", action = \"go_t4\" }} }}]\n"
        )
    };
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let run = |law: &str| {
        let experiment = load(&file(law)).unwrap();
        engine.run(&experiment.run_spec(&engine, 1)).unwrap()
    };
    let all = run(law);
    let table = table(&all.cells[0]);
    let [two, never] = &table.rows[..] else {
        panic!("two rows")
    };
    for (row, measure, exact) in [
        (two, "first", 2.0 / 3.0),
        (two, "difference", 1.0 / 3.0),
        (two, "ratio", 2.0),
        (never, "first", 1.0 / 3.0),
        (never, "second", 0.0),
    ] {
        let found = estimate(table, row, measure);
        assert!(
            (found.estimate - exact).abs() < 1e-15,
            "{measure}: {found:?}"
        );
        assert!(
            found.exact && found.low == found.high,
            "{measure}: {found:?}"
        );
    }
    let ratio = estimate(table, never, "ratio");
    assert_eq!((ratio.estimate, ratio.low), (f64::INFINITY, f64::INFINITY));
    assert_eq!(number(table, two, "p_value"), None);
    let json = all.to_json();
    assert!(json.contains("\"p_value\":null"), "{json}");
    // The control: drawn goals are tested.
    let drawn = run(&format!("{law}enumerate = false\n"));
    let table = self::table(&drawn.cells[0]);
    let never = &table.rows[1];
    let ratio = estimate(table, never, "ratio");
    assert!(
        ratio.estimate.is_infinite() && ratio.low > 10.0 && ratio.low < 100.0,
        "{ratio:?}"
    );
    assert!(number(table, never, "p_value").unwrap() < 1e-20);
}

#[test]
fn what_is_open_is_counted_on_either_side() {
    let mdp = Arc::new(star(3));
    let request = ask(vec![
        pair(to([0]), to([1])),
        pair(to([0]), to([2])),
        pair(to([0, 1]), to([2])),
    ]);
    let asked = Arc::new(request.resolve(&mdp, LawScale::default()).unwrap());
    let discount = Discount::new(0.75).unwrap();
    // On a scale this small nothing is as sharp as a tie, and f64 cannot tell the first two ends apart. The third is worse.
    let observer = Observer::new(&mdp, discount, 1e-9, &asked).unwrap();
    let rewards = [0.25, 0.5 + 1.2e-16, 0.5, 0.25];
    let worth = [0.4375, 0.5, 0.5, 0.25];
    let reward = |s: StateId| rewards[s.index()];
    let mut observations = observer.observations(1);
    let goal = GoalValues::new(&worth, 1e-5, &reward);
    observer.observe(goal, &mut Memory::default(), &mut observations);
    let row = observations.observed(0);
    let bracket = |x: &Observed| (x.low, x.high);
    let open = (0.0, 1.0);
    let [none, all] = [0.0, 1.0].map(|x| (x, x));
    let found: Vec<_> = row.iter().map(bracket).collect();
    // Either of the first two, or both.
    assert_eq!(found[..5], [open, open, open, open, (-1.0, 1.0)]);
    // The first, or neither.
    assert_eq!(found[5..10], [open, none, open, none, (0.0, 1.0)]);
    // One of the first two is optimal, whichever it is.
    assert_eq!(found[10..], [all, none, all, none, all]);
}

#[test]
fn the_experiment_file_names_pairs_and_all_its_faults_are_told() {
    let claims = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/turner-2021-fig1.json");
    let head = format!("schema = 1\n[mdp]\npath = {claims:?}\n[solve]\ndiscount = 0.9\n");
    let good = "[statistics]\nmajority = { first = { state = \"star\", action = \"left\" }, second = { state = \"star\", action = \"down\" } }\n";
    let experiment = load(&format!("{head}{good}")).unwrap();
    let pairs = &experiment.statistics.value.majority;
    assert_eq!(pairs[0].name, "left in star over down in star");
    // What is written for the record reads as the same.
    let written = experiment.to_toml(&|_, path| path.to_owned());
    let again = load(&written).unwrap();
    assert_eq!(&again.statistics.value.majority, pairs);
    let faulty = format!(
        "{head}[statistics]\nmajority = [\n\
        {{ first = {{ state = \"star\", action = \"leftt\" }}, second = {{ state = \"sstar\", action = \"down\" }} }},\n\
        {{ first = \"shutdown\", second = [\"nothing\", 3] }},\n\
        {{ first = [], than = \"x\" }},\n\
        {{ first = {{ state = \"star\", action = \"left\" }}, second = {{ state = \"star\", action = \"left\" }} }},\n\
        {{ name = \"a\", first = {{ state = \"star\", action = \"left\" }}, second = {{ state = \"star\", action = \"right\" }} }},\n\
        {{ name = \"a\", first = {{ state = \"star\", action = \"left\" }}, second = {{ state = \"star\", action = \"down\" }} }},\n\
        7]\n"
    );
    let faults = load(&faulty).unwrap_err();
    let faults: Vec<&str> = faults
        .lines()
        .map(|line| line.split_once(".toml:").map_or(line, |(_, rest)| rest))
        .collect();
    insta::assert_snapshot!(faults.join("\n"));
    let rule = format!("{head}[agent]\nrule = \"uniform\"\n{good}");
    let refused = load(&rule).unwrap_err();
    assert!(
        refused.contains("`majority` compares for how many goals"),
        "{refused}"
    );
}

//! Every statistic that can be asked, on every backend: of the same goals all find the same, within what they certify.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use powersweep::Seed;
use powersweep::experiment::{BackendChoice, Engine, RunSpec, Statistics};
use powersweep::intervention::Variant;
use powersweep::io::read_mdp;
use powersweep::mdp::Mdp;
use powersweep::reward::{EquicorrelatedNormal, Law, Marginal, RewardDistribution};
use powersweep::solve::Backend;
use powersweep::solve::cpu::CpuBackend;
use powersweep::statistics::behaviour::{Drives, Ties};
use powersweep::statistics::{
    ConditionRequest, DominanceRequest, Estimate, EventRequest, Measure, OptimalRequest, Request,
};

use crate::behaviour::small_mdp;
use crate::interventions::variant;
use crate::majority::pairs;

/// Two estimates of the same over the same goals.
pub(crate) struct Compared {
    pub(crate) table: &'static str,
    /// Where, and both estimates.
    pub(crate) place: String,
    /// Whether they differ by more than their bounds allow.
    pub(crate) is_apart: bool,
}

/// All estimates of two runs over the same goals. Rounding of sums in double precision is left to 1e-12.
pub(crate) fn compared(a: &Statistics, b: &Statistics) -> Vec<Compared> {
    let mut all = Vec::new();
    let mut compare = |table, place: String, v: &Measure, w: &Measure| {
        let meets = match (v, w) {
            (Measure::Estimate(v), Measure::Estimate(w)) => {
                let distance = (v.estimate - w.estimate).abs();
                // Infinite ratios are the same.
                v.estimate == w.estimate || distance <= v.bound + w.bound + 1e-12
            }
            // A quantile next to the last edge may lie beyond it.
            (Measure::Estimate(e), _) | (_, Measure::Estimate(e)) => e.bound.is_infinite(),
            _ => return,
        };
        let place = format!("{place}: {v:?} {w:?}");
        all.push(Compared {
            table,
            place,
            is_apart: !meets,
        });
    };
    assert_eq!(a.cells.len(), b.cells.len());
    for (a, b) in a.cells.iter().zip(&b.cells) {
        let cell = format!("{} {} {}", a.environment, a.variant, a.reward);
        for (s, (x, y)) in a.power.iter().zip(&b.power).enumerate() {
            let [x, y] = [x, y].map(|e| Measure::Estimate(*e));
            compare("power", format!("{cell}, POWER of {s}"), &x, &y);
        }
        assert_eq!(a.tables.len(), b.tables.len(), "{cell}");
        for (a, b) in a.tables.iter().zip(&b.tables) {
            assert_eq!((a.name, a.rows.len()), (b.name, b.rows.len()), "{cell}");
            for (x, y) in a.rows.iter().zip(&b.rows) {
                for (name, (v, w)) in a.measures.iter().zip(x.measures.iter().zip(&y.measures)) {
                    let place = format!("{cell}, {} {:?} {name}", a.name, x.keys);
                    compare(a.name, place, v, w);
                }
            }
        }
    }
    all
}

/// All that an MDP can be asked.
fn asked(mdp: &Mdp) -> Request {
    let names: Vec<String> = mdp.states().map(|s| mdp.state_name(s).to_owned()).collect();
    let labels = mdp.choice_labels().keys().cloned();
    let event = |(i, label): (usize, &String)| EventRequest {
        label: label.clone(),
        within: Some(i as u64),
        ties: Ties::ALL[i % 3],
        without_time: false,
    };
    let both = [(0, 1), (1, 0)].map(|(first, second)| DominanceRequest {
        first: names[first].clone(),
        second: names[second].clone(),
    });
    let is_figure = mdp.find_state("null").is_some();
    Request {
        optimality: names.iter().cloned().chain(labels).collect(),
        majority: if is_figure { Vec::new() } else { pairs(mdp) },
        choices: names.clone(),
        events: names.iter().enumerate().map(event).collect(),
        occupancy: true,
        distribution: names,
        dominance: both.to_vec(),
        indifference: is_figure.then(|| "null".to_owned()).into_iter().collect(),
        drives: Drives::names().map(str::to_owned).collect(),
        split_drives: true,
    }
}

/// Worlds of certain and uncertain moves, with a variant each; the third has an end, the last ones a condition.
fn specs(engine: &Engine, seed: u64) -> Vec<RunSpec> {
    let figure = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/turner-2021-fig1.json");
    let figure = read_mdp(&figure).unwrap().0;
    let correlated = EquicorrelatedNormal::new(0.0, 1.0, 0.4);
    let laws = [
        RewardDistribution::iid("uniform", Marginal::uniform(0.0, 1.0).unwrap()),
        RewardDistribution::iid("coins", Marginal::bernoulli(0.5, 0.0, 1.0).unwrap()),
        RewardDistribution::new("sums", Law::EquicorrelatedNormal(correlated)),
    ];
    let plain = |mdp: &Mdp| {
        let at = mdp.state_name(mdp.start()[0].0);
        let switch = format!("[{{ kind = 'off-switch', at = '{at}', p = 0.25, disable = true }}]");
        let spec = RunSpec {
            statistics: asked(mdp),
            environments: vec![engine.upload(mdp.clone())],
            variants: vec![Variant::baseline(), variant(&switch)],
            rewards: laws.iter().cloned().map(Arc::new).collect(),
            samples: 320,
            seed: Seed(seed),
            threads: 1,
            ..RunSpec::default()
        };
        spec.discount(0.9).unwrap()
    };
    let worlds = [small_mdp(4, true), small_mdp(9, false)];
    let mut specs: Vec<RunSpec> = worlds.iter().chain([&figure]).map(plain).collect();
    specs.extend(worlds.iter().map(|mdp| {
        let state = mdp.states().find(|s| mdp.choices(*s).len() > 1).unwrap();
        let choice = mdp.choices(state).last().unwrap();
        let condition = ConditionRequest {
            optimal: vec![OptimalRequest::Choice {
                state: mdp.state_name(state).to_owned(),
                action: mdp.action_name(choice).to_owned(),
            }],
            ..ConditionRequest::default()
        };
        RunSpec {
            condition: Some(condition),
            ..plain(mdp)
        }
    }));
    specs
}

fn run(backend: Option<Arc<dyn Backend>>, seed: u64) -> Vec<Statistics> {
    let engine = match backend {
        Some(backend) => Engine::with_backend(backend),
        None => Engine::new(BackendChoice::Reference).unwrap(),
    };
    let runs = specs(&engine, seed).into_iter().map(|spec| {
        let found = engine.run(&spec).unwrap();
        assert!(found.is_complete(), "{:?}", found.failures);
        found
    });
    runs.collect()
}

/// The mean of the goals' errors is never above the largest of them.
fn bounds_are_in_order(all: &[Statistics]) {
    let mut seen = 0;
    for statistics in all {
        for cell in &statistics.cells {
            for table in &cell.tables {
                for row in &table.rows {
                    for (name, measure) in table.measures.iter().zip(&row.measures) {
                        if let Measure::Estimate(e) = measure {
                            seen += 1;
                            let rounding = 1e-12 * e.bound.abs();
                            assert!(
                                e.bound <= e.bound_max + rounding || e.bound.is_nan(),
                                "{} {name} of {:?}: {e:?}",
                                table.name,
                                row.keys
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 100, "{seen} estimates");
}

fn every_statistic_is_that_of_the_reference(backend: Arc<dyn Backend>) {
    let here = run(Some(backend), 3);
    bounds_are_in_order(&here);
    let pairs = |others: &[Statistics]| -> Vec<Compared> {
        let each = here.iter().zip(others);
        each.flat_map(|(a, b)| compared(a, b)).collect()
    };
    let mut there = run(None, 3);
    let all = pairs(&there);
    let apart = all.iter().filter(|pair| pair.is_apart);
    let apart: Vec<&str> = apart.map(|pair| &*pair.place).collect();
    assert!(apart.is_empty(), "{apart:#?}");
    let tables: BTreeSet<&str> = all.iter().map(|pair| pair.table).collect();
    let expected = [
        "power",
        "optimality",
        "majority",
        "choices",
        "events",
        "occupancy",
        "distribution",
        "histogram",
        "comparison",
        "ranking",
        "dominance",
        "indifference",
        "avoidance",
        "drives",
        "differences",
        "condition",
    ];
    assert_eq!(tables, BTreeSet::from(expected));
    // The control, table by table: other goals, and for ranks, which are the same for nearly all goals where states are few, ranks further by one.
    let tables = there.iter_mut().flat_map(|run| &mut run.cells);
    let tables = tables.flat_map(|cell| &mut cell.tables);
    for table in tables.filter(|table| table.name == "ranking") {
        let further = |e: Estimate| Estimate {
            estimate: e.estimate + 1.0,
            ..e
        };
        *table = table.clone().map_estimates(further);
    }
    let others = pairs(&run(None, 4)).into_iter().chain(pairs(&there));
    let apart = others.filter(|pair| pair.is_apart);
    let noticed: BTreeSet<&str> = apart.map(|pair| pair.table).collect();
    assert_eq!(noticed, BTreeSet::from(expected));
}

#[test]
fn every_statistic_of_the_cpu_backend_is_that_of_the_reference() {
    every_statistic_is_that_of_the_reference(Arc::new(CpuBackend::new()));
}

#[cfg(feature = "gpu")]
#[test]
fn every_statistic_of_the_gpu_backend_is_that_of_the_reference() {
    if let Some(backend) = crate::gpu::backend("every statistic") {
        every_statistic_is_that_of_the_reference(Arc::new(backend));
    }
}

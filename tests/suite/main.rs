//! The integration tests: one binary, one module a topic.

mod architecture;
mod behaviour;
mod bench_datasets;
mod beside;
mod cases;
mod choice_rewards;
mod claims;
mod command_line;
mod compatible;
mod condition;
mod coverage;
mod datasets;
mod deployment;
mod dominance;
mod drive_splits;
mod drives;
mod ensembles;
mod every_statistic;
mod examples;
mod experiment_file;
mod foreign_mdps;
mod formats;
mod glance;
mod goals;
mod gpu;
mod gpu_linked;
mod identities;
mod interventions;
mod joint_laws;
mod judge;
mod law_statistics;
mod law_tables;
mod laws;
mod limits;
mod linked;
mod linked_interventions;
mod literature;
mod long_runs;
mod majority;
mod malformed;
mod matrices;
mod numpy_mdps;
mod one_goal;
mod parity;
mod per_goal;
mod policies;
mod properties;
mod ranking;
mod readme;
mod results;
mod robustness;
mod rules;
mod schema;
mod simultaneous;
mod structure;
mod variants;

/// A topic that is not declared above is never compiled, and says nothing.
#[test]
fn every_topic_is_compiled() {
    let declared = include_str!("main.rs");
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let topic = path.file_stem().unwrap().to_str().unwrap();
        let is_topic = path.extension().is_some_and(|e| e == "rs") && topic != "main";
        let line = format!("\nmod {topic};\n");
        assert!(!is_topic || declared.contains(&line), "{topic} is left out");
    }
}

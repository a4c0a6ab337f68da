//! The published claims in `experiments/claims`: what stands in their headers is what they measure.

use std::fs;
use std::path::{Path, PathBuf};

use powersweep::experiment::{
    BackendChoice, CellStatistics, Engine, Experiment, Overrides, Statistics,
};
use powersweep::statistics::{Estimate, Key};

/// Goals of a run: standard errors below 0.0036 where a share is measured.
const SAMPLES: u64 = 20_000;

/// A number that a header promises.
#[derive(Debug)]
struct Promise {
    discount: String,
    rule: String,
    table: String,
    keys: Vec<String>,
    measure: String,
    exact: f64,
}

/// `3/4`, `0.5` or `1`.
fn number(text: &str) -> f64 {
    match text.split_once('/') {
        Some((a, b)) => a.parse::<f64>().unwrap() / b.parse::<f64>().unwrap(),
        None => text.parse().unwrap(),
    }
}

fn promises(text: &str) -> Vec<Promise> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("# | "));
    let rows = rows.map(|row| row.trim_end_matches(" |").split(" | "));
    let rows = rows.map(|row| row.map(str::to_owned).collect::<Vec<_>>());
    rows.skip(1)
        .map(|row| {
            let [discount, rule, table, keys, measure, exact] = &row[..] else {
                panic!("six columns: {row:?}")
            };
            Promise {
                discount: discount.clone(),
                rule: rule.clone(),
                table: table.clone(),
                keys: keys.split('/').map(str::to_owned).collect(),
                measure: measure.clone(),
                exact: number(exact),
            }
        })
        .collect()
}

impl Promise {
    fn is_about(&self, cell: &CellStatistics) -> bool {
        cell.discount.to_string() == self.discount && cell.rule == self.rule
    }

    fn found(&self, statistics: &Statistics) -> Estimate {
        let mut cells = statistics.cells.iter();
        let cell = cells.find(|cell| self.is_about(cell)).expect("such a cell");
        if self.table == "power" {
            let state = cell.mdp.find_state(&self.keys[0]).expect("such a state");
            return cell.power[state.index()];
        }
        let table = cell.table(&self.table).expect("such a table");
        let keys: Vec<Key> = self.keys.iter().map(|key| Key::text(key)).collect();
        let mut rows = table.rows.iter();
        let row = rows.find(|row| row.keys.starts_with(&keys));
        let measure = table.measure(row.expect("such a row"), &self.measure);
        *measure.unwrap().estimate().unwrap()
    }

    /// Within 4.5 standard errors, as exact cases are.
    fn is_kept(&self, found: &Estimate, exact: f64) -> bool {
        let std_error = found.std_error.unwrap();
        assert!(std_error < 6e-3, "{self:?}: {found:?}");
        (found.estimate - exact).abs() <= 4.5 * std_error + found.bound + 1e-12
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/claims")
}

#[test]
fn every_claim_is_what_its_file_measures() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/claims.md");
    let page = fs::read_to_string(page).unwrap();
    let engine = Engine::new(BackendChoice::Cpu).unwrap();
    let mut kept = 0;
    for entry in fs::read_dir(root()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let overrides = Overrides {
            samples: Some(SAMPLES),
            seed: Some(2),
            ..Overrides::default()
        };
        let (experiment, _) = Experiment::load(&path, &overrides).unwrap();
        let name = &experiment.name.value;
        let stem = name.rsplit_once('-').map_or("", |(_, last)| last);
        let is_told = page.contains(&format!("`{name}`")) || page.contains(&format!("`-{stem}`"));
        assert!(is_told, "docs/claims.md says nothing of {name}");
        let found = engine.run(&experiment.run_spec(&engine, 1)).unwrap();
        assert!(found.is_complete(), "{name}");
        let promises = promises(&text);
        assert!(!promises.is_empty(), "{name}");
        for promise in &promises {
            let estimate = promise.found(&found);
            let is_kept = |exact| promise.is_kept(&estimate, exact);
            assert!(is_kept(promise.exact), "{name}: {promise:?} {estimate:?}");
            for wrong in [promise.exact - 0.06, promise.exact + 0.06] {
                assert!(!is_kept(wrong), "{name}: {promise:?} {estimate:?}");
            }
            kept += 1;
        }
        // Every cell is promised something.
        let mut cells = found.cells.iter();
        assert!(
            cells.all(|cell| promises.iter().any(|p| p.is_about(cell))),
            "{name}"
        );
    }
    assert!(kept >= 30, "{kept}");
}

//! Made-up results for tests of the reports.

use std::sync::Arc;

use crate::experiment::{CellStatistics, Statistics};
use crate::mdp::{GridLayout, Mdp, MdpBuilder};
use crate::plan::Plan;
use crate::statistics::Estimate;
use crate::units::{Discount, StateId};

/// A ring of `n` states without a layout.
pub(super) fn ring(n: u32) -> Mdp {
    let mut b = MdpBuilder::new("ring");
    for s in 0..n {
        b.state(format!("s{s}"));
    }
    for s in 0..n {
        b.choice(StateId(s), "stay", [(StateId(s), 1.0)]);
        b.choice(StateId(s), "next", [(StateId((s + 1) % n), 1.0)]);
    }
    b.build().unwrap()
}

/// A map of `.` (free), `#` (wall), `S` (start) and `g` (free, labelled `gold`), every free cell absorbing.
pub(super) fn grid(map: &[&str]) -> Mdp {
    let mut b = MdpBuilder::new("maze");
    let (mut at, mut gold) = (Vec::new(), Vec::new());
    for (row, line) in map.iter().enumerate() {
        for (column, c) in line.chars().enumerate() {
            let free = (c != '#').then(|| b.state(format!("{row},{column}")));
            if let Some(s) = free {
                b.absorbing(s);
                match c {
                    'S' => b.start(s),
                    'g' => gold.push(s),
                    _ => {}
                }
            }
            at.push(free);
        }
    }
    if !gold.is_empty() {
        b.label("gold", gold);
    }
    b.layout(GridLayout::new(map.len(), map[0].len(), at));
    b.build().unwrap()
}

/// One cell of `mdp`, with POWER rising from 0.5 by 1/40 a state.
pub(super) fn cell(mdp: Mdp) -> CellStatistics {
    let estimate = |i: usize| {
        Estimate::of_mean(
            1_000_000,
            0.5 + i as f64 / 40.0,
            0.0251 * (1 + i) as f64,
            0.95,
            4.2e-6,
            9.7e-6,
        )
    };
    CellStatistics {
        domain: crate::reward::RewardDomain::State,
        tables: Vec::new(),
        environment: mdp.name().to_owned(),
        variant: "baseline".to_owned(),
        reward: "uniform".to_owned(),
        discount: Discount::new(0.9).unwrap(),
        discount_used: Some(0.899_999_976_158_142_1),
        rule: "optimal".to_owned(),
        solver: None,
        refusal: None,
        power: (0..mdp.n_states()).map(estimate).collect(),
        plan: Arc::new(Plan::draw(&mdp, Discount::new(0.9).unwrap())),
        pilot: None,
        mdp: Arc::new(mdp),
        samples: 1_000_000,
        proposed: 1_000_000,
        unconverged: 0,
        unconverged_goals: Vec::new(),
        sweeps_mean: 7.5,
        sweeps_max: 12,
    }
}

/// A run of the given cells.
pub(super) fn run(cells: Vec<CellStatistics>) -> Statistics {
    Statistics {
        samples: 1_000_000,
        seed: 0,
        backend: "cpu".to_owned(),
        level: 0.95,
        cells,
        failures: Vec::new(),
        stopped: None,
        ensembles: Vec::new(),
        unfinished: None,
    }
}

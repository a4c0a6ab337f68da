//! Budgets of growing size.

use super::parameter::{Limits, MAX_STATES, Parameters};
use super::{Generator, MdpBuilder};
use crate::units::StateId;

/// A start that offers budgets: rung `k` (from 0) opens `factor^k` absorbing options, which no other rung opens.
///
/// State `start` has a choice `take_b0`, `take_b1`, ... for each of `rungs` budgets `b0`, `b1`, ...; budget `bk` has a choice `go_bk_o0`, ... for each of
/// its options `bk_o0`, .... Label `options`: all options. For goals drawn independently for every state, POWER of a budget with n options
/// is n / (n + 1) for Uniform[0, 1] at every discount, and as the discount goes to 1 the share of goals that take a budget is the share
/// of its options: with 3 rungs of factor 2 (1, 2 and 4 options) a budget above the lowest is taken by 6 of 7 goals.
///
/// Keys: `rungs`, `factor` (default 2).
///
/// # Source
///
/// A. M. Turner et al., "Optimal policies tend to seek power", NeurIPS 2021 (arXiv 1912.01683), section 6: disjoint sets of terminal states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLadder {
    /// Number of budgets.
    pub rungs: u64,
    /// How many times as many options a rung has as the one below.
    pub factor: u64,
}

impl BudgetLadder {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        Self {
            rungs: from.count("rungs"),
            factor: from.count_or("factor", 2),
        }
    }

    /// Options of each rung.
    fn sizes(&self) -> Vec<u64> {
        let sizes = (0..self.rungs).map(|k| self.factor.saturating_pow(k as u32));
        sizes.collect()
    }
}

impl Generator for BudgetLadder {
    fn name(&self) -> &'static str {
        "budget-ladder"
    }

    fn is_random(&self) -> bool {
        false
    }

    fn check(&self, limits: &mut Limits) {
        // With a factor of 1 every rung has one option: their number alone is the size.
        limits.count("rungs", self.rungs, 1..=1_000);
        limits.count("factor", self.factor, 1..=MAX_STATES);
        if limits.errors.is_empty() {
            let options = self.sizes().into_iter().fold(0, u64::saturating_add);
            let states = options.saturating_add(self.rungs + 1);
            limits.states("1 + `rungs` + all options", &[states]);
        }
    }

    fn describe(&self, builder: &mut MdpBuilder, _seed: u64) {
        let start = builder.state("start");
        let mut options = Vec::new();
        for (rung, size) in self.sizes().into_iter().enumerate() {
            let budget = builder.state(format!("b{rung}"));
            builder.choice(start, format!("take_b{rung}"), [(budget, 1.0)]);
            for option in 0..size {
                let state: StateId = builder.state(format!("b{rung}_o{option}"));
                builder.choice(budget, format!("go_b{rung}_o{option}"), [(state, 1.0)]);
                builder.absorbing(state);
                options.push(state);
            }
        }
        builder.label("options", options);
    }
}

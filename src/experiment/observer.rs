//! Looking at a run while it goes: progress out, a cancel flag in.

use super::Ledger;
use crate::units::Discount;

/// Watches a run. Methods are called from worker threads, at most a few times a second.
pub trait Observer: Sync {
    /// Something was solved.
    fn progress(&self, progress: &Progress<'_>) {
        let _ = progress;
    }

    /// Asked before every block: `true` stops the run, as soon as the blocks in flight are done.
    fn cancelled(&self) -> bool {
        false
    }

    /// Asked after every block: `true` where [`keep`](Self::keep) should be called now.
    fn wants_ledger(&self) -> bool {
        false
    }

    /// What is done so far. Called by one thread at a time, while the others go on.
    fn keep(&self, ledger: &Ledger) {
        let _ = ledger;
    }
}

/// The observer that looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// How far a run is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// Goals solved so far, counted once per cell.
    pub goals_done: u64,
    /// Goals of the whole run, counted once per cell.
    pub goals_total: u64,
    /// Environments that are finished.
    pub environments_done: usize,
    /// All environments.
    pub environments_total: usize,
    /// The environment at work.
    pub environment: &'a str,
    /// Its cells.
    pub cells: Vec<CellProgress<'a>>,
}

impl Progress<'_> {
    /// Width of the widest interval over the states of the environment's cells; `None` before there is one.
    #[must_use]
    pub fn widest(&self) -> Option<f64> {
        let widths = self.cells.iter().filter_map(|cell| cell.widest);
        widths.max_by(f64::total_cmp)
    }
}

/// How far one cell is.
#[derive(Clone, Debug)]
pub struct CellProgress<'a> {
    /// Name of the variant.
    pub variant: &'a str,
    /// Name of the reward distribution.
    pub reward: &'a str,
    /// The discount as it was asked, or a limit of discounts.
    pub discount: Discount,
    /// Goals summed so far.
    pub goals: u64,
    /// Width of the widest statistical interval of a state, `ci_high - ci_low`; `None` below two goals.
    pub widest: Option<f64>,
}

//! The progress bar, and the signals that stop a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use powersweep::experiment::checkpoint::Keeper;
use powersweep::experiment::{Ledger, Observer, Progress};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::diagnostics;
use super::failure::Kind;

/// Catches the first SIGINT or SIGTERM; a second one ends the process at once.
#[derive(Debug)]
pub(crate) struct Signals {
    received: Arc<AtomicUsize>,
}

impl Signals {
    /// Starts to catch. Where the system does not let us, signals do what they always do.
    pub(crate) fn catch() -> Self {
        let received = Arc::new(AtomicUsize::new(0));
        let armed = Arc::new(AtomicBool::new(false));
        for (signal, kind) in [(SIGINT, Kind::Interrupted), (SIGTERM, Kind::Terminated)] {
            // In this order: the first signal finds the shutdown unarmed, and arms it.
            let _ = flag::register_conditional_shutdown(signal, kind as i32, armed.clone());
            let _ = flag::register(signal, armed.clone());
            let _ = flag::register_usize(signal, received.clone(), signal as usize);
        }
        Self { received }
    }

    /// What was caught, if anything was.
    pub(crate) fn caught(&self) -> Option<Kind> {
        match self.received.load(Ordering::Relaxed) as i32 {
            0 => None,
            SIGTERM => Some(Kind::Terminated),
            _ => Some(Kind::Interrupted),
        }
    }
}

/// Shows a run on stderr, where that is a terminal.
#[derive(Debug)]
pub(crate) struct Display<'a> {
    bar: ProgressBar,
    signals: &'a Signals,
    keeper: &'a Keeper<'a>,
    /// Whether somebody was told that checkpoints cannot be written.
    told: AtomicBool,
}

impl<'a> Display<'a> {
    /// A bar for so many goals, summed over cells; `quiet` shows none. Checkpoints go to `keeper`.
    pub(crate) fn new(
        goals: u64,
        quiet: bool,
        signals: &'a Signals,
        keeper: &'a Keeper<'a>,
    ) -> Self {
        // Hidden by itself where stderr is not a terminal.
        let target = match quiet {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{} goals/s", HumanCount(state.per_sec() as u64));
        };
        let template = "[{bar:28}] {percent:>3}%  {rate}, {eta} left{msg}";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=>-")
            .with_key("rate", rate);
        let bar = ProgressBar::with_draw_target(Some(goals), target).with_style(style);
        Self {
            bar,
            signals,
            keeper,
            told: AtomicBool::new(false),
        }
    }

    /// Takes the bar off the terminal.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Display<'_> {
    fn progress(&self, progress: &Progress<'_>) {
        let mut message = String::new();
        if let Some(width) = progress.widest() {
            message = format!(", widest interval {width:.1e}");
        }
        if progress.environments_total > 1 {
            let (done, total) = (progress.environments_done, progress.environments_total);
            message = format!("{message}, environment {done}/{total}");
        }
        self.bar.set_message(message);
        // A shard has fewer, and laws may enumerate theirs.
        self.bar.set_length(progress.goals_total);
        self.bar.set_position(progress.goals_done);
    }

    fn cancelled(&self) -> bool {
        self.signals.caught().is_some()
    }

    fn wants_ledger(&self) -> bool {
        self.keeper.is_due()
    }

    fn keep(&self, ledger: &Ledger) {
        self.keeper.keep(ledger);
        let failure = self.keeper.take_failure();
        if let Some(error) = failure.filter(|_| !self.told.swap(true, Ordering::Relaxed)) {
            let help = "the run goes on and tries again; what an earlier checkpoint holds is safe";
            let show = || diagnostics::show_warning(error.to_string(), Some(help.to_owned()));
            self.bar.suspend(show);
        }
    }
}

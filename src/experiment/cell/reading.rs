//! From sums of a cell to estimates: what its law allows to be said.

use crate::reward::Facts;
use crate::statistics::{CellSums, Drawn, Estimate, Intervals, Sampling, level_among};

/// How sums become estimates.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    pub(super) facts: Facts,
    /// Of a single interval.
    pub(super) level: f64,
    pub(super) intervals: Intervals,
    /// Whether it is one of several intervals that hold at once.
    pub(super) is_simultaneous: bool,
}

impl Reading {
    /// How so many intervals are read that hold at once.
    pub(super) fn among(self, intervals: usize) -> Self {
        Self {
            level: level_among(self.level, intervals),
            is_simultaneous: true,
            ..self
        }
    }

    /// The POWER of a state, with what is known of the law: an interval where there is one, and the law's own error.
    pub(super) fn power(self, sums: &CellSums, state: usize) -> Estimate {
        self.of_law(sums.power(state, self.level), sums.goals)
    }

    /// A mean of POWER integrands over some of so many goals.
    pub(super) fn of_law(self, estimate: Estimate, goals: u64) -> Estimate {
        let sampling = self.sampling(goals);
        let error = self
            .facts
            .error_of_power(estimate.estimate + estimate.bound);
        let estimate = estimate.of_sampling(sampling);
        let estimate = estimate.of_shared(self.facts.shared).widened(error);
        self.guarded(estimate, self.facts.high - self.facts.low)
    }

    /// What a mean over so many goals of the law says.
    fn sampling(self, goals: u64) -> Sampling {
        match self.all_goals(goals) {
            true => Sampling::Exhaustive,
            false if self.facts.finite_variance => Sampling::Independent,
            false => Sampling::HeavyTailed,
        }
    }

    /// How so many goals were drawn.
    pub(super) fn drawn(self, goals: u64) -> Drawn {
        Drawn {
            intervals: self.intervals,
            sampling: self.sampling(goals),
            shared: self.facts.shared,
            is_simultaneous: self.is_simultaneous,
        }
    }

    /// Numbers of goals that were all the same stop no run by themselves, and say little at small errors.
    pub(super) fn guarded(self, estimate: Estimate, reach: f64) -> Estimate {
        match self.intervals {
            Intervals::Fixed if !self.is_simultaneous => estimate,
            _ => estimate.of_constant(reach, self.level),
        }
    }

    /// Whether these are all goals there are.
    pub(super) fn all_goals(self, goals: u64) -> bool {
        self.facts.enumerated == Some(goals)
    }

    /// A difference of two POWERs: the law's own error is in both of them.
    pub(super) fn difference(self, estimate: Estimate) -> Estimate {
        let sampling = match self.facts.finite_variance {
            true => Sampling::Independent,
            false => Sampling::HeavyTailed,
        };
        // No POWER is larger than the law's upper end.
        let error = self.facts.error_of_power(self.facts.high);
        estimate.of_sampling(sampling).widened(2.0 * error)
    }
}

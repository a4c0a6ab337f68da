//! How work is cut into dispatches.
//!
//! Two limits: a driver's watchdog ends what takes seconds, so that a dispatch is held near [`TARGET`]; and Mesa's software
//! driver ends every loop of an invocation, in silence, after 65,535 iterations in all. Where the cuts are changes no number.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::layout::RUN;
use crate::plan::{SweepModel, SweepState};

/// Loop iterations of one invocation per dispatch: half of what the software driver allows.
pub(super) const MAX_ITERATIONS: u64 = 32_000;

/// Wanted length of a dispatch.
const TARGET: Duration = Duration::from_millis(50);

/// Cost per dispatch at the start: 2^26 loop iterations over all goals, a few milliseconds on a small graphics processor.
const FIRST_COST: u64 = 1 << 26;
const MAX_COST: u64 = 1 << 36;
const MIN_COST: u64 = 1 << 16;

/// Loop iterations over all goals that a dispatch may take; follows what is measured. Shared by all threads.
#[derive(Debug)]
pub(super) struct Pace {
    cost: AtomicU64,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            cost: AtomicU64::new(FIRST_COST),
        }
    }

    /// Cost that one dispatch may have.
    pub(super) fn cost(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    /// Learns from a submission: where others were waited for too, it errs on the side of shorter dispatches.
    pub(super) fn learn(&self, cost: u64, taken: Duration) {
        if cost < self.cost() / 2 {
            return;
        }
        let dispatches = cost as f64 / self.cost() as f64;
        let each = taken.as_secs_f64() / dispatches.max(1.0);
        // At most a factor of two at once: a single slow submission says little.
        let factor = (TARGET.as_secs_f64() / each.max(1e-6)).clamp(0.5, 2.0);
        let next = (self.cost() as f64 * factor) as u64;
        self.cost
            .store(next.clamp(MIN_COST, MAX_COST), Ordering::Relaxed);
    }
}

/// Wanted time of a group of blocks: many times what it takes to submit one, and no more than whoever watches a run notices.
const GROUP: Duration = Duration::from_millis(20);

/// How many blocks go to the device together; follows what is measured. Shared by all threads.
#[derive(Debug, Default)]
pub(super) struct GroupPace {
    /// Of a block of the last group; zero where there was none.
    nanoseconds: AtomicU64,
}

impl GroupPace {
    /// One until a group was measured.
    pub(super) fn at_once(&self, most: u64) -> u64 {
        match self.nanoseconds.load(Ordering::Relaxed) {
            0 => 1,
            each => (GROUP.as_nanos() as u64 / each).clamp(1, most.max(1)),
        }
    }

    /// Learns from a group, others that the device was busy with included.
    pub(super) fn learn(&self, blocks: u64, taken: Duration) {
        let each = taken.as_nanos() as u64 / blocks.max(1);
        self.nanoseconds.store(each.max(1), Ordering::Relaxed);
    }
}

/// A part of a pass over all states, or a few passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Visits of the pass.
    pub(super) first: u32,
    pub(super) end: u32,
    /// Passes.
    pub(super) passes: u32,
    /// Loop iterations over all goals.
    pub(super) cost: u64,
}

/// Loop iterations of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Iterations {
    /// What a pass visits, one after another: states, or slices of states that are updated side by side.
    pub(super) visits: u32,
    /// Of one pass over all of them.
    pub(super) per_pass: u64,
    /// Of the largest of them.
    pub(super) largest: u64,
}

impl Iterations {
    /// Of the loops over states, choices, runs and terms in shaders/common/rows.wgsl. A driver that masks lanes goes through a loop once more than there
    /// is to do, and through the loops inside, too.
    pub(super) fn of(model: &SweepModel) -> Self {
        let sum = |terms: u32| u64::from(2 + terms + 2 * terms.div_ceil(RUN));
        let state = |s: &SweepState| {
            let own = &model.choices()[s.choice_first as usize..s.choice_end as usize];
            let choices = own.iter().map(|c| 1 + sum(c.end - c.first));
            // The state itself, and the end of the loop over its choices.
            2 + sum(0) + sum(s.common_end - s.common_first) + choices.sum::<u64>()
        };
        let each = model.states().iter().map(state);
        Self {
            visits: model.states().len() as u32,
            per_pass: each.clone().sum(),
            largest: each.max().unwrap_or(1),
        }
    }

    /// Of a loop over states with nothing inside.
    pub(super) fn of_states(visits: u32) -> Self {
        Self {
            visits,
            per_pass: 2 * u64::from(visits),
            largest: 2,
        }
    }

    /// Cuts `passes` passes of `goals` goals into dispatches of at most `cost`.
    pub(super) fn pieces(self, passes: u32, goals: u64, cost: u64) -> Vec<Piece> {
        let allowed = (cost / goals.max(1)).clamp(1, MAX_ITERATIONS);
        let mut pieces = Vec::new();
        let mut push = |first, end, passes, iterations: u64| {
            pieces.push(Piece {
                first,
                end,
                passes,
                cost: iterations * goals,
            });
        };
        if self.per_pass <= allowed {
            let most = (allowed / self.per_pass.max(1)) as u32;
            let mut left = passes;
            while left > 0 {
                let now = left.min(most);
                push(0, self.visits, now, self.per_pass * u64::from(now));
                left -= now;
            }
        } else {
            let states = (allowed / self.largest.max(1))
                .max(1)
                .min(u64::from(self.visits)) as u32;
            for _ in 0..passes {
                for first in (0..self.visits).step_by(states as usize) {
                    let end = self.visits.min(first + states);
                    push(first, end, 1, self.largest * u64::from(end - first));
                }
            }
        }
        pieces
    }

    /// Passes over all states that a dispatch may do, one at least: for shaders that have no loop over states.
    pub(super) fn whole_passes(self, goals: u64, cost: u64) -> u32 {
        let allowed = (cost / goals.max(1)).clamp(1, MAX_ITERATIONS);
        (allowed / self.per_pass.max(1)).max(1) as u32
    }

    /// Cuts a pass whose invocations share the visits out: only the device's time limits how many a dispatch takes. Ranges of visits, and what each costs.
    pub(super) fn shared(self, goals: u64, cost: u64) -> Vec<(Range<u32>, u64)> {
        let all = self.per_pass * goals;
        let dispatches = all.div_ceil(cost).max(1);
        let visits = u64::from(self.visits).div_ceil(dispatches).max(1) as u32;
        let firsts = (0..self.visits).step_by(visits as usize);
        let range = |first: u32| (first..self.visits.min(first + visits), all / dispatches);
        firsts.map(range).collect()
    }

    /// Workgroups per tile for a pass whose invocations share the states out: few states each, and never too many loop iterations.
    pub(super) fn strides(self, states: u32, most: u32) -> u32 {
        const STATES_EACH: u32 = 16;
        let by_iterations = MAX_ITERATIONS / self.largest.max(1);
        let each = u64::from(STATES_EACH).min(by_iterations).max(1) as u32;
        states.div_ceil(each).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state of every pass once, in order.
    fn covers(iterations: Iterations, passes: u32, pieces: &[Piece]) -> bool {
        let mut at = 0;
        let mut done = 0;
        for piece in pieces {
            if piece.first != at
                || (piece.passes > 1 && piece.end - piece.first != iterations.visits)
            {
                return false;
            }
            at = piece.end % iterations.visits;
            done += if at == 0 { piece.passes } else { 0 };
        }
        at == 0 && done == passes
    }

    #[test]
    fn pieces_cover_every_pass_within_the_limits() {
        let sizes = [
            (1, 2, 2),
            (81, 900, 12),
            (5_000, 400_000, 100),
            (100_000, 2_000_000, 50),
        ];
        for (visits, per_pass, largest) in sizes {
            let iterations = Iterations {
                visits,
                per_pass,
                largest,
            };
            for (passes, goals, cost) in [
                (1, 64, FIRST_COST),
                (7, 16_384, FIRST_COST),
                (300, 64, MIN_COST),
                (3, 64, MAX_COST),
            ] {
                let pieces = iterations.pieces(passes, goals, cost);
                assert!(
                    covers(iterations, passes, &pieces),
                    "{visits} {passes} {cost}"
                );
                for piece in &pieces {
                    let each = piece.cost / goals;
                    assert!(
                        each <= MAX_ITERATIONS && (piece.cost <= cost || each <= largest),
                        "{piece:?}"
                    );
                }
                assert!(!covers(iterations, passes + 1, &pieces));
            }
        }
    }

    #[test]
    fn what_invocations_share_out_is_cut_by_time_alone() {
        let iterations = Iterations {
            visits: 5_000,
            per_pass: 400_000,
            largest: 100,
        };
        for (goals, cost) in [(64, MAX_COST), (64, FIRST_COST), (16_384, MIN_COST)] {
            let parts = iterations.shared(goals, cost);
            let ends = parts.iter().map(|(range, _)| range.end);
            let firsts = parts.iter().map(|(range, _)| range.start);
            assert!(firsts.eq(std::iter::once(0).chain(ends.clone()).take(parts.len())));
            assert_eq!(ends.max(), Some(5_000));
            let dispatches = (400_000 * goals).div_ceil(cost).min(5_000);
            assert!(
                parts.len() as u64 >= dispatches.div_ceil(2) && parts.len() as u64 <= dispatches
            );
        }
        // Few states to an invocation, and no more than there are workgroups.
        assert_eq!(
            (
                iterations.strides(5_000, 65_535),
                iterations.strides(5_000, 7)
            ),
            (313, 7)
        );
        assert_eq!(Iterations::of_states(10).strides(10, 65_535), 1);
    }

    #[test]
    fn groups_are_as_long_as_is_wanted() {
        let pace = GroupPace::default();
        assert_eq!(pace.at_once(64), 1);
        for (blocks, taken, next) in [
            (1, GROUP / 5, 5),
            (5, GROUP, 5),
            (1, GROUP * 100, 1),
            (8, GROUP / 1_000, 64),
            (0, Duration::ZERO, 64),
        ] {
            pace.learn(blocks, taken);
            assert_eq!(pace.at_once(64), next);
        }
        assert_eq!(pace.at_once(1), 1);
    }

    #[test]
    fn the_pace_follows_the_device() {
        let pace = Pace::new();
        pace.learn(4 * FIRST_COST, Duration::from_secs(4));
        assert_eq!(pace.cost(), FIRST_COST / 2);
        for _ in 0..40 {
            pace.learn(pace.cost(), Duration::from_micros(10));
        }
        assert_eq!(pace.cost(), MAX_COST);
        pace.learn(1, Duration::from_secs(4));
        assert_eq!(pace.cost(), MAX_COST, "little work says nothing");
    }
}

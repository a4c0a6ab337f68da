//! Paths of goals side by side, where they are certain and a glance tells them.

use super::events::Events;
use super::glance::{Glance, OPEN, Panel};
use crate::statistics::TILE;
use crate::units::StateId;

/// The path of one goal of several that are followed side by side.
#[derive(Clone, Copy)]
struct Walker {
    goal: u32,
    at: u32,
    /// A state that it came by: where it comes by again, it goes round and round.
    mark: u32,
    /// Events that have not happened yet.
    open: u32,
}

impl Events {
    /// Follows the paths of goals side by side, one step of all of them after the other, and sets the numbers of events that happen. Returns the goals
    /// whose path gets to where it is open before all events have happened.
    pub(super) fn follow(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        let start = self.start[0].0.0;
        let events = self.list.len() as u32;
        let all = u32::MAX.checked_shr(32 - events).unwrap_or(0);
        let mut walkers: [Walker; TILE] = std::array::from_fn(|goal| Walker {
            goal: goal as u32,
            at: start,
            mark: start,
            open: all,
        });
        let (mut left, mut unknown) = (glance.goals(), 0);
        for time in 0_u64.. {
            let mut kept = 0;
            for i in 0..left {
                let mut walker = walkers[i];
                let mut hit = self.here[walker.at as usize] & walker.open;
                walker.open &= !hit;
                while hit != 0 {
                    let event = hit.trailing_zeros() as usize;
                    let first = self.firsts[event];
                    let numbers = panel.numbers(walker.goal as usize, first);
                    self.list[event].set_certain(time, glance, numbers);
                    hit &= hit - 1;
                }
                let next = glance.best(StateId(walker.at))[walker.goal as usize];
                let goes_on = walker.open != 0;
                let is_open = next == OPEN;
                unknown |= u64::from(goes_on && is_open) << walker.goal;
                // Round and round: what has not happened never will.
                let is_round = next == walker.at || next == walker.mark;
                walker.at = next;
                // Without a branch: where paths end is as random as the goals are.
                walkers[kept] = walker;
                kept += usize::from(goes_on && !is_open && !is_round);
            }
            left = kept;
            if left == 0 {
                break;
            }
            // A circle that a path has come into is found once a mark lies on it and the next one is no sooner than it is long (Brent 1980).
            if time.is_power_of_two() {
                walkers[..left].iter_mut().for_each(|w| w.mark = w.at);
            }
        }
        unknown
    }
}

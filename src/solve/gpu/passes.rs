//! The passes that make goals on the device, leaf by leaf, and how they are cut.

use std::ops::Range;

use super::draws::Draws;
use super::layout::{Bundle, FLAG_IN_ORDER, Job};
use super::leaves::LeafKind;
use super::pace::MAX_ITERATIONS;
use crate::rng::Stream;

/// Loop iterations of a Philox block, and of the search for the segment of a table.
const PER_WORD: u64 = 12 + 20;

/// The same of a bundle of sums beside its terms.
const PER_BUNDLE: u64 = 8;

/// Terms that an invocation adds up: enough to hide that it has to begin.
const TERMS_EACH: u64 = 128;

/// A shader that takes part in drawing goals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DrawPass {
    Draw,
    Place,
    Shuffle,
    Arrange,
    Settle,
    Latent,
    Sum,
}

impl DrawPass {
    /// All of them: a pass is in the place of its number.
    pub(super) const ALL: [Self; 7] = [
        Self::Draw,
        Self::Place,
        Self::Shuffle,
        Self::Arrange,
        Self::Settle,
        Self::Latent,
        Self::Sum,
    ];

    /// The shader, for adapters with 64-bit integers and without.
    pub(super) fn shader(self, has_int64: bool) -> &'static str {
        match (self, has_int64) {
            (Self::Draw, true) => "draw_int64",
            (Self::Draw, false) => "draw_halves",
            (Self::Place, true) => "place_int64",
            (Self::Place, false) => "place_halves",
            (Self::Shuffle, true) => "shuffle_int64",
            (Self::Shuffle, false) => "shuffle_halves",
            (Self::Arrange, true) => "arrange_int64",
            (Self::Arrange, false) => "arrange_halves",
            (Self::Settle, true) => "settle_int64",
            (Self::Settle, false) => "settle_halves",
            (Self::Latent, true) => "latent_int64",
            (Self::Latent, false) => "latent_halves",
            (Self::Sum, true) => "sum_int64",
            (Self::Sum, false) => "sum_halves",
        }
    }
}

/// One dispatch, but for what all dispatches of a group have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dispatch {
    pub(super) pass: DrawPass,
    pub(super) job: Job,
    /// Workgroups per tile.
    pub(super) strides: u32,
    /// Loop iterations of one goal.
    pub(super) iterations: u64,
}

impl Draws {
    /// The passes that draw goals, in order. `allowed`: loop iterations of one goal in a dispatch.
    pub(super) fn dispatches(&self, stream: Stream, first: u64, allowed: u64) -> Vec<Dispatch> {
        let mut list = Vec::new();
        for (number, (leaf, kind)) in self.leaves.iter().zip(&self.kinds).enumerate() {
            let mut passes = Passes {
                list: &mut list,
                job: Job {
                    leaf: number as u32,
                    permutation: stream.permutation().number(),
                    mixture: stream.mixture().number(),
                    ..Job::default()
                },
                allowed,
            };
            let turn = || (first % u64::from(leaf.n_rows)) as u32;
            let is_measured = stream == Stream::Reward;
            match kind {
                LeafKind::Drawn { blocks } => {
                    passes.strided(DrawPass::Draw, blocks.clone(), 4 * PER_WORD);
                }
                LeafKind::Summed { blocks, bundles } => {
                    passes.strided(DrawPass::Latent, blocks.clone(), 4 * PER_WORD);
                    passes.bundles(&self.bundles, bundles.clone());
                }
                LeafKind::Given { rewards, in_order } => {
                    if *in_order && is_measured {
                        passes.job.turn = turn();
                        passes.job.flags = FLAG_IN_ORDER;
                    }
                    passes.strided(DrawPass::Settle, rewards.clone(), 1);
                }
                LeafKind::Placed {
                    others,
                    slots,
                    in_order,
                } => {
                    if *in_order && is_measured {
                        passes.job.turn = turn();
                        passes.whole(
                            DrawPass::Arrange,
                            u64::from(leaf.n_places) * u64::from(leaf.n_columns + 1),
                        );
                    } else {
                        passes.strided(DrawPass::Place, 0..leaf.n_places, 1);
                        // Two places a block.
                        passes.last_first(
                            DrawPass::Shuffle,
                            leaf.down_to / 2..leaf.n_places.div_ceil(2),
                            PER_WORD,
                        );
                    }
                    for part in [others, slots] {
                        passes.strided(DrawPass::Settle, part.clone(), PER_WORD);
                    }
                }
            }
        }
        list
    }

    /// Which of the passes there are.
    pub(super) fn passes(&self) -> [bool; DrawPass::ALL.len()] {
        DrawPass::ALL.map(|pass| {
            self.kinds.iter().any(|kind| match kind {
                LeafKind::Drawn { .. } => pass == DrawPass::Draw,
                LeafKind::Given { .. } => pass == DrawPass::Settle,
                LeafKind::Summed { .. } => matches!(pass, DrawPass::Latent | DrawPass::Sum),
                LeafKind::Placed { in_order, .. } => match pass {
                    DrawPass::Draw | DrawPass::Latent | DrawPass::Sum => false,
                    DrawPass::Arrange => *in_order,
                    DrawPass::Place | DrawPass::Shuffle | DrawPass::Settle => true,
                },
            })
        })
    }
}

/// Dispatches of one leaf.
struct Passes<'a> {
    list: &'a mut Vec<Dispatch>,
    job: Job,
    allowed: u64,
}

impl Passes<'_> {
    /// A pass whose invocations share a range out, eight each.
    fn strided(&mut self, pass: DrawPass, range: Range<u32>, each: u64) {
        if range.is_empty() {
            return;
        }
        self.list.push(Dispatch {
            pass,
            job: Job {
                range_first: range.start,
                range_end: range.end,
                ..self.job
            },
            strides: (range.end - range.start).div_ceil(8),
            iterations: (range.end - range.start) as u64 * each,
        });
    }

    /// Sums, cut so that no dispatch takes longer than it is allowed. Invocations share bundles out: few of many terms, more of few.
    fn bundles(&mut self, all: &[Bundle], range: Range<u32>) {
        let cost = |b: u32| {
            let bundle = all[b as usize];
            u64::from(bundle.end - bundle.first) + PER_BUNDLE
        };
        let mut first = range.start;
        while first < range.end {
            let (mut end, mut iterations) = (first, 0);
            while end < range.end && (end == first || iterations + cost(end) <= self.allowed) {
                iterations += cost(end);
                end += 1;
            }
            self.list.push(Dispatch {
                pass: DrawPass::Sum,
                job: Job {
                    range_first: first,
                    range_end: end,
                    ..self.job
                },
                strides: (iterations.div_ceil(TERMS_EACH) as u32).min(end - first),
                iterations,
            });
            first = end;
        }
    }

    /// A pass in which an invocation does all of a goal.
    fn whole(&mut self, pass: DrawPass, iterations: u64) {
        self.list.push(Dispatch {
            pass,
            job: self.job,
            strides: 1,
            iterations,
        });
    }

    /// The same over a range, cut, the last part first.
    fn last_first(&mut self, pass: DrawPass, range: Range<u32>, each: u64) {
        let allowed = self.allowed.clamp(1, MAX_ITERATIONS);
        let most = (allowed / each).max(1) as u32;
        let mut end = range.end;
        while end > range.start {
            let first = range.start.max(end.saturating_sub(most));
            self.list.push(Dispatch {
                pass,
                job: Job {
                    range_first: first,
                    range_end: end,
                    ..self.job
                },
                strides: 1,
                iterations: u64::from(end - first) * each,
            });
            end = first;
        }
    }
}

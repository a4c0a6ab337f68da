//! Goals that take longer than most of their tile: a tile of their own, where they wait for others of the kind.
//!
//! A tile is swept until its slowest goal is certified, and of 64 goals the slowest takes a third more sweeps than the one in the middle (32x32 cells, slip 0.1, discount
//! 0.95). So a tile ends when all but a few of its goals are certified, and these few go on together with those of other tiles.

use super::iterate::{Effort, Limits, Way};
use super::stage::{Outcome, StageSolver, StageTiles};
use super::sums::Done;
use super::tile::Tile;
use crate::statistics::TILE;

/// How many goals of a tile may be left: moving one of them costs as much as a sweep of a tenth of a tile.
pub(super) const FEW: usize = TILE / 4;

/// Sweeps before the next residual of goals that were left, over those behind them.
const LONGER: f64 = 1.2;

/// A residual after every eighth more sweeps: of a tile where few goals are open it is worth less.
const LOOKS: u32 = 8;

/// Goals that wait, and the tile that they are in.
#[derive(Debug)]
pub(super) struct Leftovers {
    pub(super) tiles: StageTiles,
    /// The goals of the first lanes, and the sweeps that are behind each.
    goals: Vec<(u64, u32)>,
    /// The most recentrings that are behind any.
    recentred: u32,
}

impl Leftovers {
    pub(super) fn new(stage: &StageSolver) -> Self {
        Self {
            tiles: stage.tiles(),
            goals: Vec::with_capacity(TILE),
            recentred: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.goals.is_empty()
    }

    /// How many more goals there is room for.
    pub(super) fn room(&self) -> usize {
        TILE - self.goals.len()
    }

    /// The goals that wait, and the sweeps that are behind each.
    pub(super) fn goals(&self) -> &[(u64, u32)] {
        &self.goals
    }

    /// Moves the goals of a tile that are not certified here, and takes them off those that are done.
    pub(super) fn take(&mut self, from: &Tile<f32>, effort: &Effort, done: &mut Done<'_>) {
        let first = self.goals.len();
        let is_open =
            |lane: &usize| done.lanes >> lane & 1 == 1 && !from.is_certified(*lane, done.tolerance);
        let moved: Vec<usize> = (0..TILE).filter(is_open).collect();
        for lane in &moved {
            self.goals.push(done.goals.of(*lane));
            done.lanes &= !(1 << lane);
        }
        self.recentred = self.recentred.max(effort.recentrings);
        self.tiles.single.take_lanes(from, &moved, first);
    }

    /// The way that the goals go on. `to_the_end`: until all are certified.
    pub(super) fn way(&mut self, to_the_end: bool) -> Way {
        // Whoever was there before has no say in when this tile is done.
        self.tiles.single.clear_lanes(self.goals.len());
        let swept = self.goals.iter().map(|(_, sweeps)| *sweeps).max();
        let swept = swept.unwrap_or(0).next_multiple_of(2);
        Way {
            first_check: (f64::from(swept) * LONGER) as u32,
            swept,
            recentred: self.recentred,
            may_leave: if to_the_end { 0 } else { FEW },
            goals: self.goals.len(),
            looks: LOOKS,
            is_trial: false,
        }
    }

    /// Which lanes are done when the tile was swept that way. Whoever went on in double precision is.
    pub(super) fn settled(&mut self, way: Way, outcome: &Outcome, limits: &Limits) -> u64 {
        let mut lanes = 0;
        self.recentred = outcome.single.recentrings;
        for (lane, goal) in self.goals.iter_mut().enumerate() {
            goal.1 += outcome.sweeps() - way.swept;
            let is_certified = self.tiles.single.is_certified(lane, limits.tolerance);
            // Sweeps come in pairs.
            if outcome.is_double() || is_certified || goal.1 + 1 >= limits.max_sweeps {
                lanes |= 1 << lane;
            }
        }
        lanes
    }

    /// Lets those go that are done, and moves the others together.
    pub(super) fn close_up(&mut self, lanes: u64) {
        let all = 0..self.goals.len();
        let staying: Vec<usize> = all.filter(|lane| lanes >> lane & 1 == 0).collect();
        self.tiles.single.move_lanes(&staying);
        self.goals = staying.iter().map(|&lane| self.goals[lane]).collect();
        if staying.is_empty() {
            self.recentred = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::mdp::families::GridWorld;
    use crate::plan::{Method, Percent, Plan, Precision, Schedule};
    use crate::reward::GoalLaw;
    use crate::solve::cpu::CpuBackend;
    use crate::solve::{Backend, CellProblem, GoalProgram};
    use crate::statistics::{Block, BlockSums};
    use crate::units::{Discount, Seed};

    /// Goals of two chunks, the last of which is short.
    const GOALS: u64 = 1024 + 3 * 64 + 37;

    fn problem(schedule: Schedule) -> CellProblem {
        let mdp = GridWorld::noisy(9, 7, 0.1, 0.1);
        let mdp = mdp.generate(3).unwrap();
        let discount = Discount::new(0.95).unwrap();
        CellProblem {
            plan: Arc::new(Plan::draw(&mdp, discount).with_schedule(schedule)),
            program: GoalProgram::optimal(Arc::new(mdp.clone()), GoalLaw::unit_uniform(&mdp)),
            discount,
            tolerance: 1e-5,
            max_sweeps: CellProblem::sufficient_sweeps(discount, 1e-5, 1.0),
            seed: Seed(5),
            asked: Arc::default(),
            rule: crate::solve::DecisionRule::default(),
        }
    }

    fn sums(problem: CellProblem, parallel: bool) -> BlockSums {
        let solver = CpuBackend::new().prepare(problem).unwrap();
        let block = Block {
            index: 0,
            first: 0,
            len: GOALS,
        };
        solver.solve_block(block, parallel).unwrap()
    }

    const METHODS: [Method; 2] = [Method::InPlace, Method::OverRelaxed];

    /// First residuals when few goals are certified, when about half are, when most are, and when all are.
    const FIRST: [u32; 4] = [6, 16, 22, 40];

    fn schedule(method: Method, first_check: u32) -> Schedule {
        Schedule {
            method,
            first_check,
            relaxation: Percent(115),
            leaves: true,
            ..Schedule::default()
        }
    }

    /// In double precision from the first sweep, where no goal is left, to a hundredth of the tolerance.
    fn truth() -> BlockSums {
        let exact = Schedule {
            precision: Precision::Double,
            leaves: false,
            ..schedule(Method::InPlace, 40)
        };
        sums(
            CellProblem {
                tolerance: 1e-9,
                ..problem(exact)
            },
            false,
        )
    }

    /// How far the mean of a state's integrand is from another's, at most.
    fn apart(a: &BlockSums, b: &BlockSums) -> f64 {
        let sums = a.power.iter().zip(&b.power);
        let most = sums.fold(0.0, |most, (a, b)| f64::max(most, (a - b).abs()));
        most / GOALS as f64
    }

    #[test]
    fn goals_that_are_left_are_certified_like_the_others() {
        let truth = truth();
        let mut left = 0;
        for method in METHODS {
            for first_check in FIRST {
                let schedule = schedule(method, first_check);
                let with = sums(problem(schedule), false);
                assert_eq!((with.finished, with.unconverged), (GOALS, 0));
                assert!(with.bound_max <= 1e-5, "{}", with.bound_max);
                // The mean of the bounds, and the rounding of sums in single precision.
                let bound = (with.bound + truth.bound) / GOALS as f64 + 1e-7;
                assert!(
                    apart(&with, &truth) <= bound,
                    "{} {bound}",
                    apart(&with, &truth)
                );
                assert!(apart(&with, &truth) > 0.0);
                let whole = Schedule {
                    leaves: false,
                    ..schedule
                };
                let without = sums(problem(whole), false);
                left += usize::from(with.sweeps < without.sweeps);
                assert!(with.sweeps <= without.sweeps);
                // On as many threads as there are.
                assert_eq!(with, sums(problem(schedule), true));
            }
        }
        assert!(left >= METHODS.len(), "goals were left in {left} cases");
    }

    #[test]
    fn another_goal_in_the_place_of_one_that_was_left_is_noticed() {
        let schedule = schedule(Method::InPlace, 22);
        let with = sums(problem(schedule), false);
        let other = sums(
            CellProblem {
                seed: Seed(6),
                ..problem(schedule)
            },
            false,
        );
        assert!(apart(&with, &other) > 1e-3);
    }

    #[test]
    fn goals_that_single_precision_cannot_certify_go_on_in_double() {
        let truth = truth();
        for tolerance in [1e-6, 3e-7, 1e-7] {
            let with = sums(
                CellProblem {
                    tolerance,
                    ..problem(schedule(Method::InPlace, 22))
                },
                false,
            );
            assert_eq!((with.finished, with.unconverged), (GOALS, 0));
            assert!(with.bound_max <= tolerance);
            let bound = (with.bound + truth.bound) / GOALS as f64 + 1e-7;
            assert!(apart(&with, &truth) <= bound);
        }
    }

    #[test]
    fn sweeps_that_are_used_up_end_the_way_of_every_goal() {
        let truth = truth();
        // A first residual when goals begin to be certified, and ends before it, at it and after it.
        for (method, first) in METHODS.into_iter().zip([22, 14]) {
            for max_sweeps in [1, 7, first, first + 1, first + 4, first + 9] {
                let with = sums(
                    CellProblem {
                        max_sweeps,
                        ..problem(schedule(method, first))
                    },
                    false,
                );
                assert_eq!(with.finished, GOALS);
                assert!(with.unconverged > 0 && with.sweeps_max <= max_sweeps);
                assert!(with.unconverged_goals.is_sorted());
                let bound = (with.bound + truth.bound) / GOALS as f64 + 1e-7;
                assert!(apart(&with, &truth) <= bound);
            }
        }
    }
}

//! Solving goals: the backends, and the contract between them and everything to the right.
//!
//! `reference` is the judge (f64, policy iteration with direct solves, sharing no code with the fast ones), `cpu` is
//! the SIMD backend, `gpu` the one in compute shaders. Siblings are blind to each other; `fallback` lets one stand in for what another refuses. A backend turns a [`CellProblem`] into a [`CellSolver`] once and
//! is then asked for blocks of goals. A cell at a limit of the discount is solved by `limit`, one whose agent
//! follows another rule than optimality by `rule`, whatever the backend; `one_by_one` is what solvers share that take one goal after the other, and
//! `linked` what backends share of goals that are solved in linked stages.

pub mod cpu;
mod fallback;
#[cfg(feature = "gpu")]
pub mod gpu;
mod limit;
mod linked;
mod one_by_one;
mod pilot;
mod reference;
mod rule;

use std::fmt::Debug;
use std::sync::Arc;

pub use crate::program::{GoalProgram, ProgramError};
pub use fallback::WithFallback;
use limit::LimitSolver;
pub use pilot::{PilotCandidate, PilotReport, pilot};
pub use reference::ReferenceBackend;
use rule::RuleSolver;
pub use rule::{DecisionRule, GivenPolicy, Level, Otherwise, PolicyRow, Rule, Which};

use crate::plan::{Method, Plan};
use crate::program::Stage;
use crate::reward::{Facts, GoalKey, LazyGoal, RewardDomain};
use crate::rng::Stream;
use crate::statistics::behaviour::{Observer, Settled};
use crate::statistics::{Asked, Block, BlockSums, Observed, PowerScale};
use crate::units::{ChoiceId, Discount, SampleIndex, Seed};

/// All that a backend needs to know about one cell: (environment, variant, reward distribution, discount, rule).
#[derive(Clone, Debug)]
pub struct CellProblem {
    /// What is solved for every goal.
    pub program: GoalProgram,
    /// The discount.
    pub discount: Discount,
    /// Largest half-width on the POWER scale at which a goal counts as converged; absolute.
    pub tolerance: f64,
    /// Sweeps after which a goal is given up (and counted as unconverged).
    pub max_sweeps: u32,
    /// The key of the goals.
    pub seed: Seed,
    /// Structure found once, and the algorithm chosen.
    pub plan: Arc<Plan>,
    /// What is observed of every goal beyond POWER; by default nothing.
    pub asked: Arc<Asked>,
    /// How the agent decides.
    pub rule: DecisionRule,
}

impl CellProblem {
    /// Refuses a limit of the discount: backends solve under a discount, [`prepare`] knows who solves at a limit.
    fn refuse_limit(&self, backend: &'static str) -> Result<(), SolveError> {
        match self.discount.limit() {
            None => Ok(()),
            Some(limit) => Err(SolveError::Unsupported {
                backend,
                feature: format!("the discount {}", limit.name()),
            }),
        }
    }

    /// The stage that a goal from outside is solved on: there is one where a goal is all that the program draws.
    fn given_stage(&self, backend: &'static str) -> Result<&Stage, SolveError> {
        self.program
            .plain()
            .map_err(|error| SolveError::Unsupported {
                backend,
                feature: format!("given goals where there are {error}"),
            })
    }

    /// What turns solved goals into observations; `None` where nothing is asked beyond POWER.
    #[must_use]
    pub fn observer(&self) -> Option<Observer> {
        let stage = self.program.stage();
        let scale = stage.law.facts().scale;
        Observer::new(&stage.mdp, self.discount, scale, &self.asked)
    }

    /// The exact rewards of a sampled goal, drawn when they are asked for.
    #[must_use]
    pub fn goal(&self, stream: Stream, index: SampleIndex) -> LazyGoal<'_> {
        let key = GoalKey {
            seed: self.seed,
            stream,
            index,
        };
        self.program.stage().law.lazy(key)
    }

    /// Shift and units of the POWER sums: functions of the law alone, so that every backend and shard agrees.
    #[must_use]
    pub fn power_scale(&self) -> PowerScale {
        Self::power_scale_of(self.program.stage().law.facts())
    }

    /// The same of a law.
    #[must_use]
    pub fn power_scale_of(facts: &Facts) -> PowerScale {
        PowerScale::new(facts.mean, 2.0 * facts.magnitude().max(f64::MIN_POSITIVE))
    }

    /// Enough sweeps for plain value iteration to certify `tolerance` in exact arithmetic, with a margin of two.
    ///
    /// The residual of value iteration starts below the law's range and shrinks by gamma a sweep; no method of the
    /// engine is slower. Clamped to [64, 50,000,000].
    #[must_use]
    pub fn sufficient_sweeps(discount: Discount, tolerance: f64, range: f64) -> u32 {
        let sweeps = 2.0 * (2.0 * range / tolerance).ln().max(1.0) / -discount.used().ln();
        (sweeps.ceil() as u32).clamp(64, 50_000_000)
    }
}

/// Fewest worker threads of a run on a device. Each has a block on its way and waits for it: while the host looks at what came back of one, the device has others
/// to do, also where there is a single processor. Who says how many threads to use gets as many.
pub const DEVICE_WORKERS: usize = 4;

/// Goals to solve one by one.
#[derive(Clone, Copy, Debug)]
pub enum Goals<'a> {
    /// Goals of the cell's seed and law.
    Sampled {
        /// The stream they are drawn from.
        stream: Stream,
        /// Their numbers.
        indices: &'a [SampleIndex],
    },
    /// Reward vectors from outside, each `[n_states]`, indexed by state.
    Given(&'a [Vec<f64>]),
}

/// One solved goal.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct SolvedGoal {
    /// What rewards are attached to.
    pub domain: RewardDomain,
    /// The goal: one reward per state, or per choice.
    pub rewards: Vec<f64>,
    /// POWER integrand `(1 - gamma)/gamma (V*(s) - R(s))` (at ->1 the optimal gain, at ->0 the largest expected next reward), the
    /// middle of its certified interval, `[n_states]`. Where choices have
    /// rewards there is no R(s): then it is the normalised value `(1 - gamma) V*(s)`.
    pub integrand: Vec<f64>,
    /// Half-width of that interval, one number for all states; includes every rounding error.
    pub half_width: f64,
    /// Whether `half_width` is within the tolerance.
    pub converged: bool,
    /// Sweeps (or policy iterations) it took.
    pub sweeps: u32,
    /// Where the choices stand, at a limit of the discount; `None` where the values tell.
    pub settled: Option<Settled>,
    /// Of a goal that is solved in linked stages: what is known beside the stage that is shown.
    pub linked: Option<LinkedGoal>,
}

/// What is known of a goal that was solved in linked stages, beside the stage that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkedGoal {
    /// The readings of its program, in order.
    pub readings: Vec<Observed>,
    /// Half-width of the rewards of the shown stage, which is part of that of its values.
    pub reward_half_width: f64,
    /// The policy that the shown stage follows, `[n_states]`, and whether a choice of it is open; `None` where it takes optimal choices.
    pub followed: Option<(Vec<ChoiceId>, bool)>,
}

impl SolvedGoal {
    /// Optimal values `V*(s) = R(s) + gamma/(1 - gamma) x(s)`, `[n_states]`. At ->1 they have no limit and are not finite.
    #[must_use]
    pub fn values(&self, discount: Discount) -> Vec<f64> {
        let factor = discount.used() / discount.complement();
        match self.domain {
            RewardDomain::State => {
                let each = self.rewards.iter().zip(&self.integrand);
                each.map(|(r, x)| r + factor * x).collect()
            }
            RewardDomain::Choice => {
                let values = self.integrand.iter();
                values.map(|w| w / discount.complement()).collect()
            }
        }
    }

    /// What it is worth to be in a state, `(1 - gamma) V*(s) = (1 - gamma) R(s) + gamma x(s)`, `[n_states]`; each within gamma times
    /// the half-width.
    #[must_use]
    pub fn worths(&self, discount: Discount) -> Vec<f64> {
        match self.domain {
            RewardDomain::State => {
                let each = self.rewards.iter().zip(&self.integrand);
                each.map(|(r, x)| discount.complement() * r + discount.used() * x)
                    .collect()
            }
            RewardDomain::Choice => self.integrand.clone(),
        }
    }

    /// Half-width of the interval around every one of [`worths`](Self::worths).
    #[must_use]
    pub fn worth_half_width(&self, discount: Discount) -> f64 {
        let scale = match self.domain {
            RewardDomain::State => discount.used(),
            RewardDomain::Choice => 1.0,
        };
        scale * self.half_width
    }

    /// The rewards, where they are those of choices.
    #[must_use]
    pub fn choice_rewards(&self) -> Option<&[f64]> {
        (self.domain == RewardDomain::Choice).then_some(&self.rewards)
    }

    /// Half-width of the interval around every one of [`values`](Self::values).
    #[must_use]
    pub fn value_half_width(&self, discount: Discount) -> f64 {
        self.worth_half_width(discount) / discount.complement()
    }
}

/// Why a backend could not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The goal program asks for something this backend does not have yet.
    #[error("the {backend} backend does not support {feature} yet")]
    Unsupported {
        /// The backend's name.
        backend: &'static str,
        /// What is missing.
        feature: String,
    },
    /// The law of the goals does not fit the MDP.
    #[error(transparent)]
    Reward(#[from] crate::reward::RewardError),
    /// A linear system could not be solved.
    #[error("policy evaluation of goal {goal} failed: the system is singular to working precision")]
    Singular {
        /// The goal's number.
        goal: u64,
    },
    /// The device failed, or did not do all of its work.
    #[error("{adapter}: {problem}; {}", .fault.advice())]
    Device {
        /// Name and driver of the adapter.
        adapter: String,
        /// What kind of failure it was.
        fault: DeviceFault,
        /// What happened.
        problem: String,
    },
    /// A decision rule that cannot be followed on an MDP: it has too many plans, or a policy from outside is of another one.
    #[error("{problem}")]
    NoPlans {
        /// What is in the way.
        problem: String,
    },
    /// Policy iteration was asked for, and evaluating a policy would be more work than many sweeps.
    #[error(
        "policy iteration is of no use here: the equations of a policy take more work than dozens of sweeps; ask for another \
         `--method`, or leave it to the pilot"
    )]
    NoElimination,
    /// An MDP beyond what a limit of the discount can be taken on.
    #[error(
        "at the limit ->1 an MDP with uncertain moves is solved by dense decompositions, which {most} states are the most for; \
         this one has {states}: take a discount like 0.999 instead"
    )]
    TooLarge {
        /// States of the MDP.
        states: usize,
        /// Most states.
        most: usize,
    },
    /// The arithmetic of this backend cannot certify the tolerance: found out before the first goal.
    #[error(
        "the {backend} backend cannot certify a half-width of {tolerance:.1e} here: its single precision comes down to \
         {reached:.1e}; ask for a larger tolerance, try another `--method`, or use `--backend cpu`, which goes on in double \
         precision"
    )]
    OutOfReach {
        /// The backend's name.
        backend: &'static str,
        /// What was asked for; absolute.
        tolerance: f64,
        /// What a trial came down to; absolute.
        reached: f64,
    },
    /// A given reward vector has the wrong length or a number that is not finite.
    #[error("goal {goal}: {problem}")]
    BadGoal {
        /// Position in the list.
        goal: usize,
        /// What is wrong.
        problem: String,
    },
}

impl SolveError {
    /// Whether a backend says, before the first goal, that a cell is beyond it: another one may take the cell. A device that fails while it works, and goals
    /// that are none, are something else.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Unsupported { .. } | Self::OutOfReach { .. } => true,
            Self::Device { fault, .. } => *fault == DeviceFault::OutOfMemory,
            _ => false,
        }
    }

    /// Whether it is a matter of what was asked, known before the first goal: a refusal, or something that nobody solves.
    #[must_use]
    pub fn is_known_before(&self) -> bool {
        let by_nobody = matches!(
            self,
            Self::TooLarge { .. } | Self::NoPlans { .. } | Self::NoElimination
        );
        by_nobody || self.is_refusal()
    }
}

/// How a device can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceFault {
    /// A call or a shader was refused.
    Validation,
    /// Something does not fit.
    OutOfMemory,
    /// The driver was reset, or the device is gone.
    Lost,
    /// No answer.
    Timeout,
    /// The driver reports a failure of its own.
    Internal,
    /// Work was left out, or results are no numbers.
    Incomplete,
}

impl DeviceFault {
    /// What to do about it.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Validation => {
                "this is a fault of powersweep, please report it; `--backend cpu` does without the device"
            }
            Self::OutOfMemory => {
                "free the device's memory, choose another with `--adapter`, or use `--backend cpu`"
            }
            Self::Lost => {
                "the driver was reset or the device removed: look into the system's log and run again"
            }
            Self::Timeout => {
                "the device hangs or is busy with something else: run again, or use `--backend cpu`"
            }
            Self::Internal | Self::Incomplete => "update the driver, or use `--backend cpu`",
        }
    }
}

/// Checks a reward vector from outside: its length, and that every number is finite.
fn check_given(goal: usize, rewards: &[f64], n_rewards: usize) -> Result<(), SolveError> {
    let problem = if rewards.len() != n_rewards {
        format!("{} rewards, {n_rewards} are needed", rewards.len())
    } else if let Some(s) = rewards.iter().position(|r| !r.is_finite()) {
        format!("reward number {s} is {}", rewards[s])
    } else {
        return Ok(());
    };
    Err(SolveError::BadGoal { goal, problem })
}

/// Which of several devices of a kind a backend works on. Results do not depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePlace {
    /// What it is.
    pub name: String,
    /// Place on the PCI bus, like `0000:3b:00.0`; empty where the driver does not say.
    pub place: String,
    /// What a scheduler said about this process, if one did: the variable, and whether it names this device.
    pub given: Option<(&'static str, bool)>,
}

/// Something that solves goals.
pub trait Backend: Send + Sync + Debug {
    /// The name in experiment files, on the command line and in results.
    fn name(&self) -> &'static str;

    /// What the manifest says about it: instruction set, adapter, driver.
    fn description(&self) -> String;

    /// The methods of a plan's schedule that it has, for a pilot to choose from; none where it has a way of its own.
    fn methods(&self) -> &[Method] {
        &Method::ALL
    }

    /// Whether it can leave goals of a cell to go on with those of other tiles.
    fn may_leave(&self, _problem: &CellProblem) -> bool {
        false
    }

    /// Whether a pilot may choose over-relaxed sweeps for a cell: not where it has a faster way for others alone.
    fn may_relax(&self, _problem: &CellProblem) -> bool {
        true
    }

    /// How it goes about a plan, where that is a matter of the device: a few words for people.
    fn carries_out(&self, _plan: &Plan) -> Option<String> {
        None
    }

    /// What it lacks to be worth its while on a cell, where another backend is expected to be faster: told, and not in the way of whoever asks for it.
    fn lacks(&self, _problem: &CellProblem) -> Option<String> {
        None
    }

    /// Worker threads that keep it busy, where there are `processors` and nobody says how many to use.
    fn workers(&self, processors: usize) -> usize {
        processors
    }

    /// Which of several devices of a kind it is, where that can be told.
    fn place(&self) -> Option<DevicePlace> {
        None
    }

    /// Prepares a cell: uploads, specialises, allocates.
    ///
    /// # Errors
    ///
    /// [`SolveError::Unsupported`] when the goal program is beyond this backend.
    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError>;
}

/// Prepares a cell: on the backend; under another decision rule than optimality, or at a limit of the discount, on the solver that takes
/// these, in double precision on the processor.
///
/// # Errors
///
/// [`SolveError`] when the cell is beyond it.
pub fn prepare(
    backend: &dyn Backend,
    problem: CellProblem,
) -> Result<Box<dyn CellSolver>, SolveError> {
    match problem.discount.limit() {
        _ if !problem.rule.is_optimal() => {
            Ok(Box::new(RuleSolver::new(problem.rule.clone(), problem)?))
        }
        Some(limit) => Ok(Box::new(LimitSolver::new(limit, problem)?)),
        None => backend.prepare(problem),
    }
}

/// One cell, ready to solve goals. Shared by all threads.
pub trait CellSolver: Send + Sync + Debug {
    /// The cell it was prepared for.
    fn problem(&self) -> &CellProblem;

    /// What it is, where it is not the backend that the run asked for.
    fn description(&self) -> Option<String> {
        None
    }

    /// Why the backend that the run asked for did not take the cell, where another one stands in for it.
    fn refusal(&self) -> Option<&SolveError> {
        None
    }

    /// Lets go of what is needed only while blocks are solved: the cell may be kept for later.
    fn rest(&self) {}

    /// How many consecutive blocks it would rather be given at once, where one does not fill it. May change as it learns.
    fn at_once(&self) -> u64 {
        1
    }

    /// Solves consecutive blocks, all but the last of them of one size: each as [`CellSolver::solve_block`] does, to the bit.
    fn solve_blocks(&self, blocks: &[Block], parallel: bool) -> Vec<Result<BlockSums, SolveError>> {
        let each = blocks
            .iter()
            .map(|block| self.solve_block(*block, parallel));
        each.collect()
    }

    /// Solves the goals of a block and sums them. The result is a pure function of the problem and the block: it does
    /// not depend on threads. `parallel` allows work to be spread within the block.
    ///
    /// # Errors
    ///
    /// Any [`SolveError`]; a block is summed whole or not at all.
    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError>;

    /// Solves single goals and returns everything about them. A sampled goal comes out exactly as it went into its
    /// block's sums; on the cpu within its half-width, where its tile left it ([`Schedule::leaves`](crate::plan::Schedule::leaves)).
    ///
    /// # Errors
    ///
    /// Any [`SolveError`]; given goals of the wrong length or with numbers that are not finite are
    /// [`SolveError::BadGoal`].
    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError>;
}

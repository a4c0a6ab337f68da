//! What is asked of the engine.

use std::collections::HashSet;
use std::sync::Arc;

use super::compatible::{Walks, not_walked, walk_obstacles};
use super::{Claim, MdpHandle, Memory, PerGoal};
use crate::document::{Faults, Span, Spanned};
use crate::intervention::{BASELINE, LinkedTo, Made, Variant, VariantError, World};
use crate::mdp::Mdp;
use crate::plan::{Method, Plan, Precision, Schedule};
use crate::reward::{
    BoundReward, Compatible, RewardDistribution, RewardDomain, RewardError, is_name,
};
use crate::solve::{
    Backend, CellProblem, DecisionRule, GoalProgram, PilotReport, SolveError, pilot,
};
use crate::statistics::behaviour::{Chosen, Drives, Integrands, LawScale, Readings};
use crate::statistics::{
    Asked, ConditionMethod, ConditionRequest, Intervals, PowerScale, Request, UnknownName,
    block_size, named_states,
};
use crate::units::{Discount, Limit, Seed};

/// A gibibyte in bytes.
const GIBIBYTE: f64 = (1_u64 << 30) as f64;

/// Most memory that the observations of one block may take; every thread has a block of its own.
const MAX_OBSERVATION_BYTES: usize = 2 << 30;

/// Most worker threads a run may ask for: beyond any machine, below what exhausts one.
const MAX_THREADS: usize = 1_024;

/// One run: every combination of environment, variant, reward distribution, discount and decision rule is a cell, and all cells of an
/// environment see the same goals.
///
/// ```
/// use powersweep::experiment::RunSpec;
/// let spec = RunSpec { samples: 10_000, ..RunSpec::default() }.discount(0.9)?.discount(0.99)?;
/// assert_eq!((spec.discounts.len(), spec.level), (2, 0.95));
/// # Ok::<(), powersweep::DiscountError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// The MDPs; their names must differ.
    pub environments: Vec<MdpHandle>,
    /// What is made of every environment; their names must differ. Default: the baseline alone. Names of states and labels in
    /// rewards and statistics need to be known in one variant of every environment.
    pub variants: Vec<Variant>,
    /// The laws of the goals; their names must differ. Default: uniform on [0, 1) for every state.
    pub rewards: Vec<Arc<RewardDistribution>>,
    /// The discounts.
    pub discounts: Vec<Discount>,
    /// How agents decide; no two alike. Default: what is optimal.
    pub rules: Vec<DecisionRule>,
    /// Largest half-width of a goal's certified POWER integrand, relative to the law's scale (the range of a bounded
    /// law). Default 1e-5.
    pub tolerance: f64,
    /// Sweeps after which a goal is given up; `None` for a cap that plain value iteration would meet twice over.
    pub max_sweeps: Option<u32>,
    /// The method of solution; `None` leaves it to the pilot.
    pub method: Option<Method>,
    /// The arithmetic. Default: single precision, and double where single cannot certify.
    pub precision: Precision,
    /// Number of goals. Default 1,000,000.
    pub samples: u64,
    /// Key of the goals. Default 0.
    pub seed: Seed,
    /// Level of the confidence intervals. Default 0.95.
    pub level: f64,
    /// Whether intervals hold for this number of goals, or for all looks of a run that stops by itself. Default: this number.
    pub intervals: Intervals,
    /// Worker threads; 0 (the default) for one per processor. Results do not depend on it.
    pub threads: usize,
    /// What is asked beyond POWER. Default: nothing.
    pub statistics: Request,
    /// Which goals belong: all statistics are over those of the `samples` goals that meet it in the baseline. Default: all.
    pub condition: Option<ConditionRequest>,
    /// Goals that were found to be compatible with a policy, kept for other cells: nothing depends on what is in it.
    pub walks: Arc<Walks>,
    /// What is claimed of every environment, where there are several. Default: nothing.
    pub claims: Vec<Claim>,
    /// Steps of the empowerment, where structure is told beside behaviour. Default: it is not.
    pub structure: Option<u32>,
    /// Whether all intervals of a column are also given so wide that they hold at once. Default: they are not.
    pub simultaneous: bool,
    /// What [`Engine::goals`](super::Engine::goals) lists of the first goals one by one. Runs do not look at it. Default: nothing.
    pub per_goal: Option<PerGoal>,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            environments: Vec::new(),
            variants: vec![Variant::baseline()],
            rewards: vec![RewardDistribution::unit_uniform()],
            discounts: Vec::new(),
            rules: vec![DecisionRule::default()],
            tolerance: 1e-5,
            max_sweeps: None,
            method: None,
            precision: Precision::default(),
            samples: 1_000_000,
            seed: Seed(0),
            level: 0.95,
            intervals: Intervals::default(),
            threads: 0,
            statistics: Request::default(),
            condition: None,
            walks: Arc::default(),
            claims: Vec::new(),
            structure: None,
            simultaneous: false,
            per_goal: None,
        }
    }
}

/// Why a run did not start, or did not end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// An empty list or a count of zero.
    #[error("there is nothing to run: no {0}")]
    Empty(&'static str),
    /// Two things of one name: results could not be told apart.
    #[error("two {what} are named {name:?}")]
    DuplicateName {
        /// What they are.
        what: &'static str,
        /// Their name.
        name: String,
    },
    /// A number out of its range.
    #[error("the {what} must be {wanted}, this is {value}")]
    OutOfRange {
        /// Its name.
        what: &'static str,
        /// Its range.
        wanted: &'static str,
        /// What was given.
        value: f64,
    },
    /// Names that an MDP does not have; every one of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    UnknownNames(Vec<UnknownName>),
    /// Statistics that cannot be answered at a limit of the discount; every one of them.
    #[error("{}", .0.join("; "))]
    AtLimit(Vec<String>),
    /// Decision rules that cannot be followed, or do not go with what is asked; every reason.
    #[error("{}", .0.join("; "))]
    Rules(Vec<String>),
    /// A condition that has no meaning beside the rest; every reason.
    #[error("{}", .0.join("; "))]
    Condition(Vec<String>),
    /// The worker threads could not be started.
    #[error("cannot start the worker threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// Cells that are beyond what solves them, as is known before the first goal; every one of them, in the order of the experiment.
    #[error("{}", refusals(.0))]
    Refused(Vec<Refusal>),
    /// A law of goals does not fit an MDP.
    #[error(transparent)]
    Reward(#[from] RewardError),
    /// An intervention does not fit an MDP.
    #[error(transparent)]
    Variant(#[from] VariantError),
    /// What was done before is of another run.
    #[error("{cell}: what was done before cannot be continued: {difference}")]
    Foreign {
        /// Environment, variant, reward and discount.
        cell: String,
        /// What differs.
        difference: String,
    },
    /// More is done than is asked for.
    #[error("{cell}: goals up to number {there} are done, and this run asks for {here}")]
    Behind {
        /// Environment, variant, reward and discount.
        cell: String,
        /// Goals that are done.
        there: u64,
        /// Goals that are asked for.
        here: u64,
    },
    /// A run that stops by itself would have no look.
    #[error(
        "`max` must be at least {least} here, the first number of goals that is looked at; this is {max}"
    )]
    NoLook {
        /// Goals of the first look.
        least: u64,
        /// What was asked for.
        max: u64,
    },
    /// Goals could not be listed one by one.
    #[error("the table of goals cannot be made: {0}")]
    Listing(#[source] Box<super::CellError>),
    /// A cell has no result, and nothing can be said without it.
    #[error(transparent)]
    Failed(Box<super::CellError>),
    /// The observer cancelled the run.
    #[error("the run was cancelled")]
    Cancelled,
}

/// A cell that is beyond what solves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Name of the MDP.
    pub environment: String,
    /// Name of the variant.
    pub variant: String,
    /// Name of the reward distribution.
    pub reward: String,
    /// The discount as asked, or a limit of discounts.
    pub discount: Discount,
    /// What the backend said.
    pub error: SolveError,
}

/// Most refusals that are told.
const REFUSALS_TOLD: usize = 10;

/// A line each, of the first ones.
fn refusals(all: &[Refusal]) -> String {
    let mut lines: Vec<String> = (all.iter().take(REFUSALS_TOLD))
        .map(|refused| {
            format!(
                "{}, {}reward {}, discount {}: {}",
                refused.environment,
                of_variant(&refused.variant),
                refused.reward,
                refused.discount,
                refused.error
            )
        })
        .collect();
    if all.len() > REFUSALS_TOLD {
        lines.push(format!("and {} more cells", all.len() - REFUSALS_TOLD));
    }
    lines.join("\n")
}

/// `variant NAME, `, and nothing for the baseline.
fn of_variant(name: &str) -> String {
    match name {
        BASELINE => String::new(),
        name => format!("variant {name}, "),
    }
}

/// An environment after the interventions of one variant.
#[derive(Clone, Debug)]
pub struct VariantMdp {
    /// Name of the variant.
    pub variant: String,
    /// What became of the environment; the environment itself where nothing was done.
    pub mdp: Arc<Mdp>,
    /// What its goals are linked to; `None` where they are solved on it and nothing else.
    pub linked: Option<LinkedTo>,
}

impl VariantMdp {
    pub(super) fn new(name: &str, made: Made) -> Self {
        Self {
            variant: name.to_owned(),
            mdp: made.mdp,
            linked: made.linked,
        }
    }

    /// What is solved for every goal of a law, where goals are solved in linked stages.
    pub(super) fn program(
        &self,
        reward: &RewardDistribution,
        discount: Discount,
    ) -> Option<Result<GoalProgram, RewardError>> {
        let LinkedTo { before, by } = self.linked.as_ref()?;
        let world = World {
            before,
            made: &self.mdp,
            reward,
            discount,
        };
        Some(by.linked()?.program(&world))
    }
}

impl RunSpec {
    /// Most goals: their numbers are whole numbers in every format of results.
    pub const MAX_SAMPLES: u64 = 1 << 53;

    /// Whether there can be so many goals.
    #[must_use]
    pub fn is_count(goals: u64) -> bool {
        (1..=Self::MAX_SAMPLES).contains(&goals)
    }

    /// The same without goals one by one, which runs do not look at.
    pub(super) fn unlisted(&self) -> Self {
        Self {
            per_goal: None,
            ..self.clone()
        }
    }

    /// Adds a variant beside those that are there.
    #[must_use]
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variants.push(variant);
        self
    }

    /// What the variants make of an environment, in their order.
    ///
    /// # Errors
    ///
    /// [`VariantError`] of the first variant that does not fit.
    pub fn variants_of(&self, mdp: &MdpHandle) -> Result<Vec<VariantMdp>, VariantError> {
        let variants = self.variants.iter();
        let made = variants.map(|variant| {
            let made = variant.made_of(mdp.mdp())?;
            Ok(VariantMdp::new(&variant.name, made))
        });
        made.collect()
    }

    /// Whether anything but baselines is run.
    #[must_use]
    pub fn has_variants(&self) -> bool {
        self.variants.iter().any(|v| !v.interventions.is_empty())
    }

    /// Goals per block of an environment: that of its largest variant, so that all its cells see the same blocks.
    #[must_use]
    pub fn block_size(variants: &[VariantMdp]) -> u64 {
        let states = variants.iter().map(|v| v.mdp.n_states());
        block_size(states.max().unwrap_or(0))
    }

    /// Adds an environment.
    #[must_use]
    pub fn environment(mut self, mdp: &MdpHandle) -> Self {
        self.environments.push(mdp.clone());
        self
    }

    /// Adds a discount.
    ///
    /// # Errors
    ///
    /// [`DiscountError`](crate::DiscountError) for numbers outside (0, 1).
    pub fn discount(mut self, discount: f64) -> Result<Self, crate::DiscountError> {
        self.discounts.push(Discount::new(discount)?);
        Ok(self)
    }

    /// Adds a limit of discounts.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.discounts.push(Discount::at(limit));
        self
    }

    /// Number of cells: environments times variants times rewards times discounts times rules.
    #[must_use]
    pub fn n_cells(&self) -> usize {
        let mdps = self.environments.len() * self.variants.len();
        mdps * self.rewards.len() * self.discounts.len() * self.rules.len()
    }

    /// What a backend is asked to solve for one cell: the optimal values of an MDP under a law and a discount. Where the law pays
    /// states once, the problem's MDP has one more state. What is asked beyond POWER is left to the caller.
    ///
    /// # Errors
    ///
    /// [`RewardError`] for a law that does not fit the MDP.
    pub fn problem(
        &self,
        mdp: &Arc<Mdp>,
        reward: &RewardDistribution,
        discount: Discount,
    ) -> Result<CellProblem, RewardError> {
        let BoundReward { mdp, law, .. } = self.bound(mdp, reward, discount)?;
        let facts = *law.facts();
        let tolerance = self.tolerance * facts.scale;
        let default_cap =
            || CellProblem::sufficient_sweeps(discount, tolerance, facts.high - facts.low);
        Ok(CellProblem {
            plan: self.plan(&mdp, discount, law.domain()),
            program: GoalProgram::optimal(mdp, law),
            discount,
            tolerance,
            max_sweeps: self.max_sweeps.unwrap_or_else(default_cap),
            seed: self.seed,
            asked: Arc::new(Asked::default()),
            rule: DecisionRule::default(),
        })
    }

    /// The same for a variant: its goals may be solved in linked stages.
    ///
    /// # Errors
    ///
    /// [`RewardError`] for a law that does not fit.
    pub fn problem_of(
        &self,
        variant: &VariantMdp,
        reward: &RewardDistribution,
        discount: Discount,
    ) -> Result<CellProblem, RewardError> {
        let plain = self.problem(&variant.mdp, reward, discount)?;
        let Some(program) = variant.program(reward, discount) else {
            return Ok(plain);
        };
        let program = program?;
        let stage = program.stage();
        Ok(CellProblem {
            plan: self.plan(&stage.mdp, discount, stage.domain),
            program,
            ..plain
        })
    }

    /// The plan before the pilot.
    fn plan(&self, mdp: &Mdp, discount: Discount, domain: RewardDomain) -> Arc<Plan> {
        let schedule = Schedule {
            precision: self.precision,
            ..Schedule::default()
        };
        Arc::new(Plan::draw_for(mdp, discount, domain).with_schedule(schedule))
    }

    /// Puts the schedule that the pilot finds (or the method asked for) into the plan of a cell, for backends that
    /// sweep.
    ///
    /// # Errors
    ///
    /// [`SolveError`] for goal programs that no sweep can solve.
    pub fn schedule(
        &self,
        backend: &dyn Backend,
        problem: &mut CellProblem,
    ) -> Result<Option<PilotReport>, SolveError> {
        let by_backend = problem.rule.is_optimal() && problem.discount.limit().is_none();
        if backend.methods().is_empty() || !by_backend {
            return Ok(None);
        }
        let (schedule, report) = pilot(problem, backend, self.method)?;
        problem.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
        Ok(Some(report))
    }

    /// A law on an MDP, without the names that only other variants have; of goals that belong alone, where they are drawn as such.
    pub(super) fn bound(
        &self,
        mdp: &Arc<Mdp>,
        reward: &RewardDistribution,
        discount: Discount,
    ) -> Result<BoundReward, RewardError> {
        let bound = match self.has_variants() {
            true => reward.known_to(mdp).bind(mdp),
            false => reward.bind(mdp),
        }?;
        let Some(condition) = &self.condition else {
            return Ok(bound);
        };
        // What does not fit was told before.
        let mut bases = self.environments.iter().map(|e| e.mdp());
        let base = bases.find(|base| base.name() == mdp.name());
        let law = match (condition.method, base) {
            (ConditionMethod::Swap, Some(base)) => {
                let sets = condition.largest(base).unwrap_or_default();
                bound.law.given_largest(&sets, false).ok()
            }
            (ConditionMethod::HitAndRun, Some(base)) => {
                let compatible = self.compatible(base, reward, discount);
                compatible.and_then(|found| found.ok()?.law(&bound.law).ok())
            }
            _ => None,
        };
        Ok(match law {
            Some(law) => BoundReward {
                law: Arc::new(law),
                ..bound
            },
            None => bound,
        })
    }

    /// The goals for which the policy of the condition is optimal in an environment; `None` unless these are walked to.
    pub(super) fn compatible(
        &self,
        base: &Mdp,
        reward: &RewardDistribution,
        discount: Discount,
    ) -> Option<Result<Arc<Compatible>, String>> {
        let condition = self.condition.as_ref()?;
        (condition.method == ConditionMethod::HitAndRun).then(|| {
            let named = self.has_variants();
            self.walks
                .of(condition, base, reward, named, discount, self.seed)
        })
    }

    /// The condition by which goals are left out, where some are.
    pub(super) fn rejection(&self) -> Option<&ConditionRequest> {
        let condition = self.condition.as_ref();
        condition.filter(|c| c.method == ConditionMethod::Rejection)
    }

    /// What is asked of one variant: names that only others have are left out.
    #[must_use]
    pub fn statistics_of(&self, mdp: &Mdp) -> Request {
        match self.has_variants() {
            true => self.statistics.known_to(mdp),
            false => self.statistics.clone(),
        }
    }

    /// The baseline among the variants, with which all others are compared; `None` where there is nothing to compare.
    #[must_use]
    pub fn baseline(&self) -> Option<usize> {
        let baseline = self
            .variants
            .iter()
            .position(|v| v.interventions.is_empty());
        baseline.filter(|_| self.has_variants())
    }

    /// What is observed of every goal on one variant of an agent: what is asked, and where variants are compared the POWER integrands. Where only
    /// some goals belong, the integrands too, and in the baseline (`is_base`) which do.
    pub(super) fn observed_of(
        &self,
        mdp: &Mdp,
        of: Observing<'_>,
        is_base: bool,
    ) -> Result<Asked, Vec<UnknownName>> {
        let Observing {
            law,
            discount,
            rule,
            domain,
            sums,
            ..
        } = of;
        let mut request = self.statistics_of(mdp);
        // Which choices are optimal is told beside a policy from outside, and not of it.
        if rule.is_given() {
            request.optimality.clear();
            request.majority.clear();
            request.indifference.clear();
        }
        for event in &mut request.events {
            event.without_time = !rule.is_optimal();
        }
        let asked = request.resolve(mdp, law)?;
        let chosen = of.chosen.map(|states| {
            let known = |name: &&String| named_states(mdp, "per_goal", &[(*name).clone()]).is_ok();
            let names: Vec<String> = states.iter().filter(known).cloned().collect();
            Chosen::new(named_states(mdp, "per_goal", &names).unwrap_or_default())
        });
        let asked = asked.listing(chosen);
        if let Some(condition) = self.rejection() {
            let asked = asked.with(Some(Integrands::summed(mdp, law, sums)));
            let condition = is_base.then(|| condition.resolve(mdp)).transpose()?;
            return Ok(asked.conditioned(condition));
        }
        // At ->0 the integrand is no function of the value, and goals on choices are not looked at one by one.
        let compared = self.baseline().is_some()
            && discount.limit() != Some(Limit::Zero)
            && domain == RewardDomain::State;
        Ok(asked.with(compared.then(|| Integrands::new(mdp, law))))
    }

    /// What is observed of every goal on an MDP, whatever the law, under the first discount.
    fn usually_observed_of(&self, mdp: &Mdp, chosen: Option<&[String]>) -> Asked {
        let Some(discount) = self.discounts.first() else {
            return Asked::default();
        };
        let optimal = DecisionRule::default();
        let of = Observing {
            law: LawScale::default(),
            discount: *discount,
            rule: &optimal,
            domain: RewardDomain::State,
            sums: PowerScale::new(0.0, 1.0),
            chosen,
        };
        self.observed_of(mdp, of, false).unwrap_or_default()
    }

    /// What is solved for every goal of a variant in linked stages: stages and readings are the same under all laws and discounts.
    fn usual_program(&self, variant: &VariantMdp) -> Option<GoalProgram> {
        let discount = self.discounts.iter().find(|d| d.limit().is_none())?;
        variant.program(self.rewards.first()?, *discount)?.ok()
    }

    /// Memory that a cell of a variant takes, with blocks of so many goals.
    #[must_use]
    pub fn memory_of(&self, variant: &VariantMdp, goals: u64) -> Memory {
        let memory = Memory::of(&variant.mdp).observing(self.observation_bytes(variant, goals));
        match self.usual_program(variant) {
            Some(program) => memory.solving(&program),
            None => memory,
        }
    }

    /// Numbers per goal that are observed on a variant at most.
    fn most_columns(&self, variant: &VariantMdp, chosen: Option<&[String]>) -> (usize, Asked) {
        let asked = self.usually_observed_of(&variant.mdp, chosen);
        let readings = self.usual_program(variant);
        let readings = readings.map_or(0, |program| Readings::columns_of(&program));
        let drives = self.most_drive_columns(&variant.mdp);
        (asked.n_columns() + drives + readings, asked)
    }

    /// Bytes that the observations of a block of so many goals take on each thread: the rows of a cell; where it is compared, the baseline's, and its own once more with
    /// the differences behind them; under a condition, those that belong once more.
    #[must_use]
    pub fn observation_bytes(&self, variant: &VariantMdp, goals: u64) -> usize {
        let (columns, asked) = self.most_columns(variant, None);
        let joined = columns + asked.comparables(&variant.mdp).len();
        let mut numbers = columns;
        if self.baseline().is_some() && variant.variant != BASELINE {
            numbers += columns + joined;
        }
        if self.rejection().is_some() {
            numbers += joined;
        }
        numbers
            .saturating_mul(goals as usize)
            .saturating_mul(size_of::<f64>())
    }

    /// Numbers per goal that drives take at most: which there are depends on the law.
    fn most_drive_columns(&self, mdp: &Mdp) -> usize {
        let Request {
            drives,
            split_drives,
            ..
        } = &self.statistics;
        Drives::most_columns(drives, *split_drives, mdp)
    }

    /// Refuses interventions that do not fit, names that no variant of an environment has, and observations that no memory holds.
    fn check_variants(&self) -> Result<(), RunError> {
        let mut unknown = Vec::new();
        // Numbers that a table of goals has of one goal, over all cells.
        let agents = self.rewards.len() * self.discounts.len() * self.rules.len();
        let (agents, mut values_per_goal) = (agents as u64, 0);
        for environment in &self.environments {
            let variants = self.variants_of(environment)?;
            unknown.extend(self.unknown_per_goal(variants.iter().map(|v| &*v.mdp)));
            unknown.extend(
                self.statistics
                    .unknown_to_all(variants.iter().map(|v| &*v.mdp)),
            );
            for reward in &self.rewards {
                check_reward_names(reward, &variants)?;
            }
            let goals = Self::block_size(&variants) as usize;
            for variant in &variants {
                let chosen = self.per_goal.as_ref().map(|p| &p.states[..]);
                let (columns, asked) = self.most_columns(variant, chosen);
                values_per_goal += (asked.n_columns() as u64).saturating_mul(agents);
                let bytes = columns * goals * size_of::<f64>();
                if bytes > MAX_OBSERVATION_BYTES {
                    return Err(RunError::OutOfRange {
                        what: "gibibytes that a block's observations take",
                        wanted: "at most 2: ask for fewer states",
                        value: bytes as f64 / GIBIBYTE,
                    });
                }
            }
        }
        if !unknown.is_empty() {
            return Err(RunError::UnknownNames(unknown));
        }
        let per_goal = self.per_goal.as_ref();
        per_goal.map_or(Ok(()), |p| p.check_size(values_per_goal, self.samples))
    }

    /// States whose choices are to be listed and that none of several variants has.
    fn unknown_per_goal<'m>(&self, mdps: impl Iterator<Item = &'m Mdp>) -> Vec<UnknownName> {
        let names = self.per_goal.iter().flat_map(|p| &p.states);
        let names: Vec<String> = names.cloned().collect();
        unknown_per_goal(&names, mdps)
    }

    /// Refuses rules that have no meaning beside the rest.
    fn check_rules(&self) -> Result<(), RunError> {
        let mut obstacles: Vec<String> = self.rules.iter().filter_map(|r| r.rule.fault()).collect();
        let others: Vec<_> = self.rules.iter().filter(|r| !r.is_optimal()).collect();
        if others.iter().any(|r| !r.is_given()) {
            obstacles.extend(self.statistics.obstacles_of_rules());
        }
        let limits: Vec<Limit> = self.discounts.iter().filter_map(|d| d.limit()).collect();
        if !others.is_empty() {
            obstacles.extend(limits.iter().copied().map(rule_at_limit));
        }
        for environment in &self.environments {
            if others.is_empty() && limits.is_empty() {
                break;
            }
            let variants = self.variants_of(environment)?;
            let beside = linked_beside(&variants, &limits, !others.is_empty());
            obstacles.extend(beside.into_iter().map(|(_, obstacle)| obstacle));
            for variant in &variants {
                let each = others.iter();
                let on = each.filter_map(|r| r.on(environment.mdp(), &variant.mdp).err());
                obstacles.extend(on.flatten());
            }
        }
        match obstacles.is_empty() {
            true => Ok(()),
            false => Err(RunError::Rules(obstacles)),
        }
    }

    /// What a condition has no meaning beside, and names that the baselines do not have.
    fn check_condition(&self) -> Result<(), RunError> {
        let Some(condition) = &self.condition else {
            return Ok(());
        };
        let others = self.rules.iter().any(|r| !r.is_optimal());
        let mut obstacles = condition.obstacles(None, others);
        let limits = self.discounts.iter().filter_map(|d| d.limit());
        obstacles.extend(limits.flat_map(|limit| condition.obstacles(Some(limit), false)));
        if condition.is_empty() {
            obstacles.push(NO_CONDITION.to_owned());
        }
        if self.has_variants() && self.baseline().is_none() {
            obstacles.push(NO_BASELINE.to_owned());
        }
        let on_choices = self.rewards.iter();
        let on_choices = on_choices.filter(|r| r.domain() == RewardDomain::Choice);
        obstacles.extend(on_choices.map(|reward| condition_of_choices(reward.name())));
        if condition.method == ConditionMethod::Swap {
            let laws = self.rewards.iter().map(|reward| &**reward);
            for environment in &self.environments {
                obstacles.extend(swap_obstacles(condition, environment.mdp(), laws.clone()));
                let variants = self.variants_of(environment)?;
                let of_linked = |variant| linked_obstacle(condition.method, variant);
                obstacles.extend(variants.iter().filter_map(of_linked));
            }
        }
        if condition.method == ConditionMethod::HitAndRun && obstacles.is_empty() {
            for environment in &self.environments {
                let variants = self.variants_of(environment)?;
                obstacles.extend(self.walk_obstacles(condition, environment.mdp(), &variants));
            }
        }
        if !obstacles.is_empty() {
            return Err(RunError::Condition(obstacles));
        }
        let mut unknown = Vec::new();
        for environment in &self.environments {
            unknown.extend(
                condition
                    .resolve(environment.mdp())
                    .err()
                    .unwrap_or_default(),
            );
        }
        match unknown.is_empty() {
            true => Ok(()),
            false => Err(RunError::UnknownNames(unknown)),
        }
    }

    /// Why goals cannot be walked to in some cell of an environment. The walks themselves are done here, and kept.
    fn walk_obstacles(
        &self,
        condition: &ConditionRequest,
        mdp: &Arc<Mdp>,
        variants: &[VariantMdp],
    ) -> Vec<String> {
        let laws = self.rewards.iter().map(|reward| &**reward);
        let discounts = &self.discounts;
        let mut obstacles = walk_obstacles(condition, mdp, variants, laws.clone(), discounts);
        if !obstacles.is_empty() {
            return obstacles;
        }
        for reward in laws {
            for discount in discounts {
                let found = self.compatible(mdp, reward, *discount);
                let problem = match found {
                    Some(Ok(compatible)) => variants.iter().find_map(|variant| {
                        let bound = reward.known_to(&variant.mdp).bind(&variant.mdp).ok()?;
                        let problem = compatible.law(&bound.law).err()?;
                        Some(format!("{problem}, in the variant {:?}", variant.variant))
                    }),
                    Some(Err(problem)) => Some(problem),
                    None => None,
                };
                let name = reward.name();
                obstacles.extend(problem.map(|problem| not_walked(name, *discount, &problem)));
            }
        }
        obstacles
    }

    /// Refuses what cannot be run.
    pub(super) fn validate(&self) -> Result<(), RunError> {
        let lists = [
            ("environments", self.environments.is_empty()),
            ("variants", self.variants.is_empty()),
            ("reward distributions", self.rewards.is_empty()),
            ("discounts", self.discounts.is_empty()),
            ("rules", self.rules.is_empty()),
            ("samples", self.samples == 0),
        ];
        if let Some((what, _)) = lists.into_iter().find(|(_, empty)| *empty) {
            return Err(RunError::Empty(what));
        }
        if self.samples > Self::MAX_SAMPLES {
            return Err(RunError::OutOfRange {
                what: "number of goals",
                wanted: "at most 2^53",
                value: self.samples as f64,
            });
        }
        distinct(
            "environments",
            self.environments.iter().map(|e| e.mdp().name()),
        )?;
        distinct(
            "reward distributions",
            self.rewards.iter().map(|r| r.name()),
        )?;
        distinct("variants", self.variants.iter().map(|v| v.name.as_str()))?;
        self.check_variants()?;
        let rules: Vec<String> = self.rules.iter().map(ToString::to_string).collect();
        distinct("decision rules", rules.iter().map(String::as_str))?;
        self.check_rules()?;
        self.check_condition()?;
        let limits = self.discounts.iter().filter_map(|d| d.limit());
        let obstacles: Vec<String> = limits.flat_map(|l| self.statistics.obstacles(l)).collect();
        if !obstacles.is_empty() {
            return Err(RunError::AtLimit(obstacles));
        }
        let out_of_range = |what, wanted, value| RunError::OutOfRange {
            what,
            wanted,
            value,
        };
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(out_of_range(
                "tolerance",
                "a positive number",
                self.tolerance,
            ));
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(out_of_range("level", "between 0 and 1", self.level));
        }
        if self.threads > MAX_THREADS {
            let threads = self.threads as f64;
            return Err(out_of_range("number of threads", "at most 1024", threads));
        }
        Ok(())
    }
}

/// Names of states for a table of goals that none of several MDPs has.
pub(super) fn unknown_per_goal<'m>(
    names: &[String],
    mdps: impl Iterator<Item = &'m Mdp>,
) -> Vec<UnknownName> {
    let mut unknown: Option<Vec<UnknownName>> = None;
    for mdp in mdps {
        let own = named_states(mdp, "per_goal", names)
            .err()
            .unwrap_or_default();
        unknown = Some(match unknown {
            None => own,
            Some(mut before) => {
                before.retain(|name| own.iter().any(|o| o.position == name.position));
                before
            }
        });
    }
    unknown.unwrap_or_default()
}

/// A cell as far as it decides what is observed.
#[derive(Clone, Copy)]
pub(super) struct Observing<'a> {
    pub(super) law: LawScale,
    pub(super) discount: Discount,
    pub(super) rule: &'a DecisionRule,
    pub(super) domain: RewardDomain,
    /// Units of sums of POWER integrands.
    pub(super) sums: PowerScale,
    /// States whose choices are told goal by goal, where goals are listed.
    pub(super) chosen: Option<&'a [String]>,
}

/// Why goals that belong cannot be drawn by swapping rewards; one sentence for everything that is in the way.
pub(super) fn swap_obstacles<'r>(
    condition: &ConditionRequest,
    mdp: &Arc<Mdp>,
    laws: impl Iterator<Item = &'r RewardDistribution>,
) -> Vec<String> {
    // Names that are not there are told elsewhere.
    if condition.resolve(mdp).is_err() {
        return Vec::new();
    }
    let sets = match condition.largest(mdp) {
        Ok(sets) => sets,
        Err(problems) => return problems,
    };
    let each = laws.filter_map(|law| {
        let bound = law.known_to(mdp).bind(mdp).ok()?;
        let name = law.name();
        // An end that pays once is worth less than one that goes on paying.
        let pays_once = bound.mdp.n_states() > mdp.n_states();
        let problem = match pays_once {
            true => Some("some ends pay once".to_owned()),
            false => bound.law.given_largest(&sets, true).err(),
        };
        problem.map(|problem| {
            format!("goals of the law {name:?} cannot be swapped: {problem}; take `method = \"rejection\"`")
        })
    });
    each.collect()
}

/// Why goals of a variant of linked solves are not drawn by a method that draws only what belongs.
pub(super) fn linked_obstacle(method: ConditionMethod, variant: &VariantMdp) -> Option<String> {
    variant.linked.as_ref().map(|_| {
        format!(
            "the variant {:?} solves goals in linked stages, which `method = \"{}\"` does not know: take `method = \"rejection\"`",
            variant.variant,
            method.name()
        )
    })
}

/// What is said of a condition that asks for nothing.
pub(super) const NO_CONDITION: &str =
    "[condition] asks for nothing: it needs `optimal`, `reach` or `avoid`";

/// What is said of a condition without a baseline.
pub(super) const NO_BASELINE: &str =
    "[condition] is about the unmodified MDP: it needs the baseline, leave out `baseline = false`";

/// Why a condition does not go with a law of rewards of choices.
pub(super) fn condition_of_choices(reward: &str) -> String {
    format!("[condition] is not yet supported for rewards of choices ({reward:?})")
}

/// Why tables of goals do not go with rewards of choices.
pub(super) const PER_GOAL_OF_CHOICES: &str =
    "`per_goal` is not yet supported for rewards of choices";

/// Why no other rule than optimality is followed at a limit of the discount.
pub(super) fn rule_at_limit(limit: Limit) -> String {
    format!(
        "at the limit {} only the rule \"optimal\" is supported yet",
        limit.name()
    )
}

/// Why goals of variants of linked solves do not go with a limit of the discount or with another rule than optimality, and where in a file their interventions stand.
pub(super) fn linked_beside(
    variants: &[VariantMdp],
    limits: &[Limit],
    has_others: bool,
) -> Vec<(Option<Span>, String)> {
    let linked = variants
        .iter()
        .filter_map(|v| Some((v, v.linked.as_ref()?)));
    let each = linked.flat_map(|(variant, linked)| {
        let whose = format!(
            "goals of the variant {:?} are solved in linked stages ({})",
            variant.variant,
            linked.by.kind()
        );
        let at_limits = limits.iter().map(|limit| {
            format!(
                "{whose}: these are made of values at one discount, and have no limit {}; take a discount between 0 and 1",
                limit.name()
            )
        });
        let of_rules = has_others.then(|| {
            format!("{whose}, which say themselves what the agent does: only the rule \"optimal\" goes with them")
        });
        let told = at_limits.chain(of_rules);
        told.map(|obstacle| (linked.by.place(), obstacle))
            .collect::<Vec<_>>()
    });
    each.collect()
}

/// Names of a reward that no variant of an environment has.
pub(super) fn unknown_reward_names<'r>(
    reward: &'r RewardDistribution,
    variants: &[VariantMdp],
) -> Vec<&'r Spanned<String>> {
    let is_unknown = |name: &&Spanned<String>| {
        let mut mdps = variants.iter().map(|v| &v.mdp);
        !mdps.any(|mdp| is_name(&name.value, mdp))
    };
    reward.names().filter(is_unknown).collect()
}

/// Refuses names of a reward that no variant of an environment has.
fn check_reward_names(
    reward: &RewardDistribution,
    variants: &[VariantMdp],
) -> Result<(), RewardError> {
    let unknown = unknown_reward_names(reward, variants);
    let environment = variants.first().map_or("", |v| v.mdp.name());
    if unknown.is_empty() {
        return Ok(());
    }
    let mut faults = Faults::default();
    for name in unknown {
        let message = format!("{environment:?} has no state or label {:?}", name.value);
        faults.error(name.span.clone(), message);
    }
    Err(RewardError {
        reward: reward.name().to_owned(),
        environment: environment.to_owned(),
        faults,
    })
}

fn distinct<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), RunError> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(RunError::DuplicateName { what, name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Engine;
    use crate::mdp::MdpBuilder;
    use crate::solve::ReferenceBackend;

    #[test]
    fn more_threads_than_any_machine_has_are_refused() {
        let mut builder = MdpBuilder::new("one");
        let only = builder.state("only");
        builder.absorbing(only);
        let engine = Engine::with_backend(Arc::new(ReferenceBackend::new()));
        let mdp = engine.upload(builder.build().unwrap());
        let spec = |threads| RunSpec {
            environments: vec![mdp.clone()],
            discounts: vec![Discount::new(0.5).unwrap()],
            threads,
            ..RunSpec::default()
        };
        assert!(spec(MAX_THREADS).validate().is_ok());
        let error = spec(MAX_THREADS + 1).validate().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the number of threads must be at most 1024, this is 1025"
        );
    }
}

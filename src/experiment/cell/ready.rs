//! A cell made ready to be solved: all that takes time and does not depend on the number of goals.

use std::sync::Arc;

use super::WantedCell;
use crate::experiment::checkpoint::StandIn;
use crate::experiment::run_spec::{PER_GOAL_OF_CHOICES, Refusal};
use crate::experiment::{RunError, RunSpec};
use crate::mdp::Mdp;
use crate::plan::Plan;
use crate::reward::{Chain, Facts, RewardDistribution, RewardDomain};
use crate::solve::{
    Backend, CellProblem, CellSolver, DecisionRule, PilotReport, SolveError, prepare,
};
use crate::statistics::Asked;
use crate::statistics::behaviour::{Drives, LawScale, Readings, World};
use crate::units::Discount;

/// A cell with its plan and its solver.
pub(in crate::experiment) struct Ready {
    pub(super) variant: String,
    pub(super) mdp: Arc<Mdp>,
    pub(super) reward: Arc<RewardDistribution>,
    pub(super) discount: Discount,
    pub(super) rule: DecisionRule,
    pub(super) problem: CellProblem,
    pub(super) facts: Facts,
    pub(super) plan: Arc<Plan>,
    pub(super) pilot: Option<PilotReport>,
    pub(super) asked: Arc<Asked>,
    /// Where its goals come of walks: what the first ones showed.
    pub(super) walks: Option<Chain>,
    /// Steps of the empowerment, where structure is told beside behaviour.
    pub(super) structure: Option<u32>,
    /// Whether all intervals of a column are also given so wide that they hold at once.
    pub(super) simultaneous: bool,
    /// What solves it, or why nobody does.
    pub(super) solver: Result<Arc<dyn CellSolver>, SolveError>,
}

impl Ready {
    /// Draws the plan and prepares the backend.
    pub(in crate::experiment) fn new(
        backend: &dyn Backend,
        spec: &RunSpec,
        wanted: &WantedCell<'_>,
    ) -> Result<Self, RunError> {
        let WantedCell {
            variant,
            reward,
            discount,
            ref rule,
            ..
        } = *wanted;
        let mut problem = spec.problem_of(variant, reward, discount)?;
        let facts = *problem.program.stage().law.facts();
        let mdp = problem.program.stage().mdp.clone();
        // Names that the MDP does not have were refused before the first cell was prepared.
        let domain = problem.program.stage().domain;
        let rule = rule.on(wanted.environment, &mdp).map_err(RunError::Rules)?;
        let of = wanted.observing(spec, &facts, domain);
        let asked = spec.observed_of(&mdp, of, wanted.baseline.is_none());
        let asked = match problem.program.stage().leader() {
            // A policy that is followed need not be optimal, and which choices would be is not asked.
            Some(_) => asked
                .unwrap_or_default()
                .without("optimality")
                .without("majority")
                .without("indifference")
                .without("chosen"),
            None => asked.unwrap_or_default(),
        };
        let drives = Drives::find(
            &spec.statistics.drives,
            spec.statistics.split_drives,
            &World {
                mdp: &mdp,
                discount,
                law: LawScale::of(&facts),
                program: &problem.program,
                is_optimal: rule.is_optimal() && problem.program.stage().leader().is_none(),
                knows_optimum: (rule.is_optimal() || rule.is_given())
                    && problem.program.stage().leader().is_none(),
            },
        );
        let asked = asked.with(drives);
        let beyond_power = !asked.is_empty();
        let asked = Arc::new(asked.with(Readings::of(&problem.program, facts.scale)));
        problem.asked = asked.clone();
        problem.rule = rule.clone();
        let walks = spec.compatible(wanted.environment, reward, discount);
        let walks = walks.and_then(|found| Some(*found.ok()?.chain()));
        let pilot = spec.schedule(backend, &mut problem);
        let feature = match problem.program.plain() {
            _ if domain == RewardDomain::State => None,
            Err(_) => {
                let feature = "statistics beyond POWER where choices of linked solves have rewards";
                beyond_power.then(|| feature.to_owned())
            }
            Ok(_) => {
                let mut obstacles = spec.statistics.obstacles_of_choice_rewards();
                let listed = spec.per_goal.is_some();
                obstacles.extend(listed.then(|| PER_GOAL_OF_CHOICES.to_owned()));
                obstacles.into_iter().next()
            }
        };
        let (pilot, prepared) = match (pilot, feature) {
            (Ok(_), Some(feature)) => {
                let backend = backend.name();
                (None, Err(SolveError::Unsupported { backend, feature }))
            }
            (Ok(pilot), None) => (pilot, prepare(backend, problem.clone())),
            (Err(error), _) => (None, Err(error)),
        };
        Ok(Self {
            variant: variant.variant.clone(),
            mdp,
            reward: reward.clone(),
            discount,
            rule,
            plan: problem.plan.clone(),
            problem,
            facts,
            pilot,
            asked,
            walks,
            structure: spec.structure,
            simultaneous: spec.simultaneous,
            solver: prepared.map(Arc::from),
        })
    }

    /// Which cell it is, in words.
    pub(super) fn name(&self) -> String {
        let names = [self.mdp.name(), &self.variant, self.reward.name()];
        format!("{}, discount {}", names.join(", "), self.discount)
    }

    /// What solves it, where that is neither the run's backend nor one that stands in for it.
    pub(super) fn solver_of_its_own(&self) -> Option<String> {
        self.solver.as_ref().ok()?.description()
    }

    /// Why the cell should not be started, where it is known before its first goal that it is beyond what solves it.
    pub(in crate::experiment) fn refusal(&self) -> Option<Refusal> {
        let error = self.solver.as_ref().err()?;
        error.is_known_before().then(|| Refusal {
            environment: self.mdp.name().to_owned(),
            variant: self.variant.clone(),
            reward: self.reward.name().to_owned(),
            discount: self.discount,
            error: error.clone(),
        })
    }

    /// Lets go of what is needed only while blocks are solved.
    pub(in crate::experiment) fn rest(&self) {
        if let Ok(solver) = &self.solver {
            solver.rest();
        }
    }

    /// The backend that stands in for the run's, and why.
    pub(super) fn stand_in(&self) -> Option<StandIn> {
        let solver = self.solver.as_ref().ok()?;
        Some(StandIn {
            refusal: solver.refusal()?.to_string(),
            solver: solver.description().unwrap_or_default(),
        })
    }
}

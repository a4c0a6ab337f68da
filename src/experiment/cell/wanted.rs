//! Which cell of an environment is wanted, and what follows from that before it is solved.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::experiment::checkpoint::CellKey;
use crate::experiment::run_spec::{Observing, VariantMdp};
use crate::experiment::{RunError, RunSpec};
use crate::mdp::Mdp;
use crate::reward::{BoundReward, Facts, RewardDistribution, RewardDomain};
use crate::rng::Stream;
use crate::solve::{CellProblem, DecisionRule};
use crate::statistics::behaviour::LawScale;
use crate::statistics::{Comparable, Conditioned, Contrast, Quantity};
use crate::units::{Discount, SampleIndex};

/// Which cell of an environment is wanted.
#[derive(Clone)]
pub(in crate::experiment) struct WantedCell<'a> {
    /// The environment as it is.
    pub(in crate::experiment) environment: &'a Mdp,
    pub(in crate::experiment) variant: &'a VariantMdp,
    /// The variant it is compared with, if there is one.
    pub(in crate::experiment) baseline: Option<&'a VariantMdp>,
    pub(in crate::experiment) reward: &'a Arc<RewardDistribution>,
    pub(in crate::experiment) discount: Discount,
    pub(in crate::experiment) rule: DecisionRule,
}

impl WantedCell<'_> {
    /// The cell as far as it decides what is observed.
    pub(super) fn observing<'s>(
        &'s self,
        spec: &'s RunSpec,
        facts: &Facts,
        domain: RewardDomain,
    ) -> Observing<'s> {
        Observing {
            law: LawScale::of(facts),
            discount: self.discount,
            rule: &self.rule,
            domain,
            sums: CellProblem::power_scale_of(facts),
            chosen: spec.per_goal.as_ref().map(|p| &p.states[..]),
        }
    }
}

/// What a cell has in common with that of its baseline, given the numbers of its own goals; nothing where the goals are not the same.
pub(super) fn contrast(
    spec: &RunSpec,
    wanted: &WantedCell<'_>,
    goals: u64,
    own: &[Comparable],
) -> Result<Contrast, RunError> {
    let Some(baseline) = wanted.baseline else {
        return Ok(Contrast::default());
    };
    let BoundReward { mdp, law, .. } = spec.bound(&baseline.mdp, wanted.reward, wanted.discount)?;
    if self::goals(law.facts(), spec.samples) != goals {
        // The condition is met by goals of the baseline, which this cell does not have.
        let (name, variant) = (wanted.reward.name(), &wanted.variant.variant);
        return match spec.rejection() {
            None => Ok(Contrast::default()),
            Some(_) => Err(RunError::Condition(vec![format!(
                "[condition] chooses goals of the baseline, and those of {name:?} are others in the variant {variant:?}"
            )])),
        };
    }
    let of = wanted.observing(spec, law.facts(), law.domain());
    let asked = spec.observed_of(&mdp, of, true).unwrap_or_default();
    let contrast = Contrast::between(own, &asked.comparables(&mdp));
    Ok(contrast.conditioned(asked.condition().as_ref()))
}

/// Goals of a cell of which `samples` were asked for.
pub(super) fn goals(facts: &Facts, samples: u64) -> u64 {
    match (facts.enumerated, facts.available) {
        (Some(all), _) => all,
        (None, Some(available)) => samples.min(available),
        (None, None) => samples,
    }
}

/// What the sums of a cell depend on. The law enters by what it draws.
pub(super) fn key(
    problem: &CellProblem,
    goals: u64,
    quantities: &[Quantity],
    condition: Option<&Conditioned>,
    block_size: u64,
) -> CellKey {
    let law = &problem.program.stage().law;
    let mut hash = Sha256::new();
    let words = format!(
        "{block_size} {:?} {:?} {:?} {} {:?} {quantities:?} {:?} {:?}",
        problem.seed,
        problem.discount,
        problem.tolerance,
        problem.max_sweeps,
        problem.power_scale(),
        law.facts(),
        problem.rule,
    );
    hash.update(words);
    if let Some(condition) = condition {
        hash.update(format!("{condition:?}"));
    }
    if problem.program.plain().is_err() {
        hash.update(problem.program.identity());
    }
    for goal in 0..goals.min(2) {
        let draw = law.draw(problem.seed, Stream::Reward, SampleIndex(goal));
        draw.iter().for_each(|x| hash.update(x.to_le_bytes()));
    }
    CellKey {
        plan: problem.plan.hash(),
        problem: hash.finalize().into(),
    }
}

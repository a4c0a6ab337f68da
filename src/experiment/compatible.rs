//! Goals for which a policy is optimal, found once for all cells that share them.

use std::sync::{Arc, Mutex, PoisonError};

use super::run_spec::{VariantMdp, linked_obstacle};
use crate::mdp::{Mdp, preferring};
use crate::reward::{BoundReward, Compatible, GoalLaw, RewardDistribution, RewardDomain};
use crate::statistics::ConditionRequest;
use crate::units::{ChoiceId, Discount, Seed};

/// Most states of an MDP whose policies are inverted.
const MOST_STATES: usize = 400;

/// What was found, by what it depends on.
#[derive(Debug, Default)]
pub struct Walks(Mutex<Vec<(Wanted, Found)>>);

/// Goals, or why there are none to be had.
type Found = Result<Arc<Compatible>, String>;

/// What compatible goals depend on.
#[derive(Debug, PartialEq)]
struct Wanted {
    condition: ConditionRequest,
    environment: [u8; 32],
    reward: RewardDistribution,
    discount: Discount,
    seed: Seed,
}

impl Walks {
    /// The goals of a law for which the policy of a condition is optimal in an environment; `known` where names that it lacks are those of variants.
    ///
    /// # Errors
    ///
    /// Why they cannot be drawn.
    pub(super) fn of(
        &self,
        condition: &ConditionRequest,
        base: &Mdp,
        reward: &RewardDistribution,
        known: bool,
        discount: Discount,
        seed: Seed,
    ) -> Found {
        let wanted = Wanted {
            condition: condition.clone(),
            environment: base.content_hash(),
            reward: reward.clone(),
            discount,
            seed,
        };
        // Others wait: most of them want the same.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = all.iter().find(|(other, _)| *other == wanted) {
            return found.clone();
        }
        let found =
            inequalities(condition, base, reward, known, discount).and_then(|(law, rows)| {
                let compatible = Compatible::new(&law, &rows, seed)?;
                Ok(Arc::new(compatible))
            });
        all.push((wanted, found.clone()));
        found
    }
}

/// A law on an environment, and what its goals must meet.
fn inequalities(
    condition: &ConditionRequest,
    base: &Mdp,
    reward: &RewardDistribution,
    known: bool,
    discount: Discount,
) -> Result<(Arc<GoalLaw>, Vec<Vec<f64>>), String> {
    let base = Arc::new(base.clone());
    let bound = match known {
        true => reward.known_to(&base).bind(&base),
        false => reward.bind(&base),
    };
    // Where states are paid once the MDP has a state more, and the policy the same names.
    let BoundReward { mdp, law, .. } = bound.map_err(|error| error.to_string())?;
    let policy: Vec<ChoiceId> = condition.policy(&mdp).map_err(|all| all.join("; "))?;
    Ok((law, preferring(&mdp, &policy, discount)))
}

/// What is in the way of walking to goals, as far as it is known without a walk; one sentence for everything.
pub(super) fn walk_obstacles<'r>(
    condition: &ConditionRequest,
    mdp: &Arc<Mdp>,
    variants: &[VariantMdp],
    laws: impl Iterator<Item = &'r RewardDistribution>,
    discounts: &[Discount],
) -> Vec<String> {
    // Names that are not there are told elsewhere.
    if condition.resolve(mdp).is_err() {
        return Vec::new();
    }
    let mut obstacles = condition.policy(mdp).err().unwrap_or_default();
    let of_linked = |variant| linked_obstacle(condition.method, variant);
    obstacles.extend(variants.iter().filter_map(of_linked));
    if mdp.n_states() > MOST_STATES {
        obstacles.push(format!(
            "{} has {} states: `method = \"hit-and-run\"` is for at most {MOST_STATES}",
            mdp.name(),
            mdp.n_states()
        ));
    }
    if !obstacles.is_empty() {
        return obstacles;
    }
    for law in laws.filter(|law| law.domain() == RewardDomain::State) {
        for discount in discounts.iter().filter(|d| d.limit().is_none()) {
            // A law that does not fit is told elsewhere too.
            let Ok((goals, rows)) = inequalities(condition, mdp, law, true, *discount) else {
                continue;
            };
            let problem = Compatible::check(&goals, &rows).err();
            obstacles.extend(problem.map(|problem| not_walked(law.name(), *discount, &problem)));
        }
    }
    obstacles
}

/// Why goals of a law are not walked to.
pub(super) fn not_walked(law: &str, discount: Discount, problem: &str) -> String {
    format!(
        "goals of the law {law:?} for which the policy is optimal at the discount {discount} cannot be walked to: {problem}; take `method = \"rejection\"`"
    )
}

//! Penalties on side effects: attainable utility preservation and relative reachability.

use super::Intervention;
use super::linked::{Linked, World, next_worth, signed};
use super::parameter::Parameters;
use super::reachability::{reachability, reachability_half_width};
use crate::document::{Faults, Spanned};
use crate::mdp::Mdp;
use crate::program::{Drawn, Expression, GoalProgram, Operator, Reading, Stage, Term};
use crate::reward::{RewardDomain, RewardError};
use crate::units::{ChoiceId, StateId};

/// What a side effect is a change of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// What other goals can attain: the mean over so many auxiliary goals of the law of `|Q_i(s, a) - Q_i(s, noop)|`, not scaled.
    AttainableUtility(u16),
    /// What can be reached: the mean over states x of `max(Rch(noop; x) - Rch(a; x), 0)`, with `Rch(s; x)` the largest expected power of
    /// this discount to the number of steps from s to x, taken in expectation after one step.
    RelativeReachability(f64),
}

/// The reward of a choice is that of its state less `lambda` times its side effect, compared with doing nothing: with the choice `noop` of the same
/// state. States without such a choice are not penalised.
///
/// Readings at the start states: `side effect of a at s`, for every choice but `noop`, before it is multiplied with `lambda`; `act at s`, by how much the best choice other than `noop` beats it, as a POWER integrand with the penalty; and `task value
/// lost`, by how much `(1 - gamma) V*` of the goal exceeds what the penalised agent's policy is worth for it.
///
/// Strength zero: `lambda` is 0.
///
/// # Source
///
/// Turner, Hadfield-Menell and Tadepalli (2020), "Conservative agency via attainable utility preservation", with a scale of 1; Krakovna et al. (2018), "Penalizing side effects using
/// stepwise relative reachability", with the stepwise inaction baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpactPenalty {
    /// Name of the action that does nothing.
    pub noop: Spanned<String>,
    /// Weight of the penalty.
    pub lambda: f64,
    /// What is compared.
    pub measure: Measure,
}

impl ImpactPenalty {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let measures = [
            ("attainable-utility", false),
            ("relative-reachability", true),
        ];
        let reachability = from.word("measure", &measures).unwrap_or(false);
        let auxiliary = from.count_or("auxiliary", 1);
        from.check(
            (1..=1_000).contains(&auxiliary),
            "auxiliary",
            "`auxiliary` must be between 1 and 1000",
        );
        let discount = from.number_or("reach_discount", 0.99);
        from.check(
            discount > 0.0 && discount < 1.0,
            "reach_discount",
            "`reach_discount` lies between 0 and 1",
        );
        let lambda = from.number_or("lambda", 0.0);
        from.check(lambda >= 0.0, "lambda", "`lambda` must not be negative");
        Self {
            noop: from.require_name("noop"),
            lambda,
            measure: match reachability {
                true => Measure::RelativeReachability(discount),
                false => Measure::AttainableUtility(auxiliary.min(1_000) as u16),
            },
        }
    }

    /// The choice of a state that does nothing.
    fn noop(&self, mdp: &Mdp, state: StateId) -> Option<ChoiceId> {
        let mut choices = mdp.choices(state);
        choices.find(|c| mdp.action_name(*c) == self.noop.value)
    }

    /// The side effect of a choice, given the difference between where it and doing nothing lead; earlier stages hold the auxiliary goals. Where choices have
    /// rewards, what the two pay is part of it.
    fn side_effect(
        &self,
        world: &World<'_>,
        reach: Option<&[Vec<f64>]>,
        (choice, noop, change): (ChoiceId, ChoiceId, &[(StateId, f64)]),
    ) -> Expression {
        let n = match self.measure {
            Measure::AttainableUtility(n) => n,
            Measure::RelativeReachability(discount) => {
                // What is lost of every state x, and not what is won of others.
                let lost = |row: &Vec<f64>| {
                    let won: f64 = change.iter().map(|(s, p)| p * row[s.index()]).sum();
                    (-won).max(0.0)
                };
                let reach = reach.unwrap_or_default();
                let lost: f64 = reach.iter().map(lost).sum();
                let n = reach.len().max(1) as f64;
                // Weights of a difference of two rows add up to 2 at most, and so does the mean of n sums.
                let half_width = 2.0 * reachability_half_width(world.before, discount)
                    + (2.0 * n + 4.0) * f64::EPSILON;
                return Expression::Known(lost / n, half_width);
            }
        };
        // Q differs by gamma (P_a - P_noop) V, which is gamma/(1 - gamma) times that of worths.
        let horizon = world.discount.used() / world.discount.complement();
        let weight = horizon / f64::from(n);
        let of = |stage: usize| {
            let terms = change.to_vec();
            let change = Expression::Worths { stage, terms };
            let change = match world.is_on_choices() {
                false => change,
                true => {
                    let pays = |of: ChoiceId| Expression::Reward { stage, row: of.0 };
                    let odds = 1.0 / horizon;
                    let (more, less) = ((odds, pays(choice)), (-odds, pays(noop)));
                    Expression::Sum(vec![(1.0, change), more, less])
                }
            };
            (weight, Expression::Magnitude(Box::new(change)))
        };
        Expression::Sum((0..usize::from(n)).map(of).collect())
    }
}

impl Intervention for ImpactPenalty {
    fn kind(&self) -> &'static str {
        "impact-penalty"
    }

    fn is_neutral(&self) -> bool {
        self.lambda == 0.0
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if mdp.states().all(|s| self.noop(mdp, s).is_none()) {
            let (noop, name) = (&self.noop.value, mdp.name());
            let message = format!("`noop`: {name:?} has no choice {noop:?}");
            faults.error(self.noop.span.clone(), message);
            return None;
        }
        Some(mdp.clone())
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for ImpactPenalty {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let task = world.optimal(world.made)?;
        let mdp = task.mdp.clone();
        let (auxiliary, reach) = match self.measure {
            Measure::AttainableUtility(n) => (n, None),
            Measure::RelativeReachability(discount) => (0, Some(reachability(&mdp, discount))),
        };
        let mut stages: Vec<Stage> = (0..auxiliary)
            .map(|k| task.clone().of(Drawn::Auxiliary(k)))
            .collect();
        let (mut terms, mut effects) = (Vec::new(), Vec::new());
        for state in mdp.states() {
            let Some(noop) = self.noop(&mdp, state) else {
                continue;
            };
            for c in mdp.choices(state).filter(|c| *c != noop) {
                let change = row_difference(&mdp, c, noop);
                let effect = self.side_effect(world, reach.as_deref(), (c, noop, &change));
                if mdp.start().iter().any(|(s, _)| *s == state) {
                    let (action, name) = (mdp.action_name(c), mdp.state_name(state));
                    effects.push(Reading {
                        name: format!("side effect of {action} at {name}"),
                        expression: effect.clone(),
                        signed: false,
                    });
                }
                terms.push(Term {
                    row: c.0,
                    expression: Expression::Sum(vec![(-self.lambda, effect)]),
                });
            }
        }
        let penalised = stages.len();
        stages.push(Stage {
            domain: RewardDomain::Choice,
            terms,
            ..task.clone()
        });
        stages.push(task.clone().with(Operator::Follow { stage: penalised }));
        stages.push(task);
        let start = |stage| Expression::Worths {
            stage,
            terms: mdp.start().to_vec(),
        };
        let mut readings = self.acts(world, &mdp, penalised);
        readings.push(signed(
            "task value lost".to_owned(),
            Expression::difference(start(penalised + 2), start(penalised + 1)),
        ));
        readings.extend(effects);
        world.link(stages, penalised, readings)
    }
}

impl ImpactPenalty {
    /// Whether it acts at the start states.
    fn acts(&self, world: &World<'_>, mdp: &Mdp, stage: usize) -> Vec<Reading> {
        // The stage rewards choices, whatever the law does.
        let of = |c: ChoiceId| world.paid_and(next_worth(stage, mdp, c), stage, c);
        let mut readings = Vec::new();
        for &(state, _) in mdp.start() {
            let Some(noop) = self.noop(mdp, state) else {
                continue;
            };
            let others: Vec<_> = mdp.choices(state).filter(|c| *c != noop).map(of).collect();
            if !others.is_empty() {
                let name = format!("act at {}", mdp.state_name(state));
                let lead = Expression::difference(Expression::Max(others), of(noop));
                readings.push(signed(name, lead));
            }
        }
        readings
    }
}

/// `T(a, .) - T(b, .)` where it is not zero.
fn row_difference(mdp: &Mdp, a: ChoiceId, b: ChoiceId) -> Vec<(StateId, f64)> {
    let mut difference: Vec<(StateId, f64)> = Vec::new();
    for (choice, sign) in [(a, 1.0), (b, -1.0)] {
        let (to, p) = mdp.row(choice);
        difference.extend(to.iter().zip(p).map(|(s, p)| (StateId(*s), sign * p)));
    }
    difference.sort_by_key(|(s, _)| *s);
    difference.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    difference.retain(|(_, p)| *p != 0.0);
    difference
}

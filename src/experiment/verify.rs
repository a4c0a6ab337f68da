//! Exact cases: MDPs of which some statistic is known in closed form, to hold any backend against.
//!
//! The cases are compiled into the library, so that an installed binary can be asked whether it measures what it
//! says. Cases that need a later feature are listed with the reason, never left out in silence.

mod law;
mod linked;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use statrs::distribution::{ContinuousCDF, Normal};

use super::{CellError, CellStatistics, Engine, RunError, RunSpec};
use crate::document::{Faults, SourceText};
use crate::intervention::Variant;
use crate::io::{Format, parse_mdp};
use crate::mdp::{Mdp, VisitDistributions, empowerment};
use crate::reward::RewardDistribution;
use crate::solve::{DecisionRule, Level, Otherwise, Rule, SolveError};
use crate::statistics::{
    ConditionRequest, Estimate, EventRequest, Key, OptimalRequest, Request, Sampling, Table,
    exact_share, rounding_of_mean,
};
use crate::units::{Discount, DiscountError, Limit, Seed, StateId};

/// The cases, as they are compiled in.
const CASES: &str = include_str!("../../tests/data/exact_cases.json");

/// Standard errors by which an estimate may miss the exact value. A sound engine misses by more once in 147,000 cases.
///
/// Nothing is allowed for the discount's rounding to f32 and for the lattice the uniform law is drawn from: they move POWER by
/// less than 1e-7, and the standard error reaches ten times that only at about 1e11 goals.
pub const ALLOWED_STD_ERRORS: f64 = 4.5;

/// Fewest goals a case. The tails of a standardised mean of n goals with skewness k are off by a factor near exp(z^3 k / (6 sqrt n)): with z = 4.5 and the
/// skewness 2 of an exponential law that is 2.6 at 1,000 goals, and 21 at 100.
pub const FEWEST_SAMPLES: u64 = 1_000;

/// How far rounding moves the probability that one goal has, at most: a thousand roundings, by which chains are solved. Brackets this narrow are not kept.
const ROUNDING_OF_A_GOAL: f64 = 1e-12;

/// What is asked of a backend that cannot reach the usual tolerance, relative to that. The bound that comes with it is part of the
/// comparison.
const REACH: f64 = 4.0;

/// Kinds of statistics that the engine has.
const STATISTICS: [&str; 22] = [
    "power",
    "gain_power",
    "gain_power_n",
    "gain_argmax_prob",
    "gain_argmax_prob_action",
    "action_opt_prob",
    "action_avoid_prob",
    "orbit_action_avoid",
    "power_variance",
    "norm_value_variance",
    "rule_action_prob",
    "rule_value",
    "goal_keep_prob",
    "goal_keep_gain",
    "everitt_modify_prob",
    "aup_act_prob",
    "compensated",
    "offswitch_delta",
    "relative_reachability",
    "conditional_action_avoid_prob",
    "empowerment",
    "fnd_counts",
];

/// One MDP with the exact value of one statistic.
#[derive(Clone, Debug)]
pub struct ExactCase {
    /// Short name.
    pub id: String,
    /// What it is.
    pub title: String,
    /// The transition structure.
    pub mdp: Arc<Mdp>,
    /// What is done to it.
    pub variant: Variant,
    /// The law of the goals.
    pub reward: Arc<RewardDistribution>,
    /// The discount.
    pub discount: Discount,
    /// How the agent decides.
    pub rule: DecisionRule,
    /// Which goals it is over, where not all.
    pub condition: Option<ConditionRequest>,
    /// What is known.
    pub statistic: ExactStatistic,
    /// Its value.
    pub exact: f64,
}

/// A statistic with a closed form.
#[derive(Clone, Debug, PartialEq)]
pub enum ExactStatistic {
    /// POWER of a state.
    Power {
        /// The state.
        state: StateId,
    },
    /// How often a choice is optimal, or is not.
    Optimality {
        /// Its state.
        state: StateId,
        /// Its action.
        action: String,
        /// `weak`, `strict` or `fractional`.
        measure: String,
        /// Whether the case knows the probability that it is not.
        complement: bool,
    },
    /// How likely the agent takes a choice, or does not.
    Choice {
        /// Its state.
        state: StateId,
        /// Its action.
        action: String,
        /// Whether the case knows the probability that it does not.
        complement: bool,
    },
    /// Variance over goals of a state's POWER integrand, or of (1 - gamma) V*.
    Variance {
        /// The state.
        state: StateId,
        /// `variance` or `value_variance`.
        measure: &'static str,
    },
    /// A reading of linked solves.
    Reading {
        /// Its name.
        name: String,
        /// `mean`, `above`, `tied` or `below`.
        measure: &'static str,
        /// Whether the case knows one minus it.
        complement: bool,
    },
    /// Empowerment of a state, which no goal has a part in.
    Empowerment {
        /// The state.
        state: StateId,
        /// Steps.
        steps: u32,
    },
    /// Number of non-dominated visit distributions from a state, which no goal has a part in.
    NonDominated {
        /// The state.
        state: StateId,
        /// How many there are in all.
        all: usize,
    },
    /// How often the optimal policy gets to a state that cannot be left, from the start.
    End {
        /// The state.
        state: StateId,
    },
}

impl ExactStatistic {
    /// What has to be asked for it.
    fn request(&self, mdp: &Mdp) -> Request {
        let mut request = Request::default();
        match self {
            Self::Power { .. }
            | Self::Reading { .. }
            | Self::Empowerment { .. }
            | Self::NonDominated { .. } => {}
            Self::Optimality { state, .. } => {
                request.optimality.push(mdp.state_name(*state).to_owned());
            }
            Self::Choice { state, .. } => {
                request.choices.push(mdp.state_name(*state).to_owned());
            }
            Self::Variance { state, .. } => {
                request.distribution.push(mdp.state_name(*state).to_owned());
            }
            Self::End { state } => request.events.push(EventRequest {
                label: mdp.state_name(*state).to_owned(),
                ..EventRequest::default()
            }),
        }
        request
    }

    /// Its estimate. `None` where the run did not measure it.
    fn estimate(&self, cell: &CellStatistics) -> Option<Estimate> {
        match self {
            Self::Empowerment { state, steps } => {
                Some(of_structure(cell, empowerment(&cell.mdp, *state, *steps)?))
            }
            Self::NonDominated { state, all } => {
                let found = VisitDistributions::of(&cell.mdp, *state)?;
                // Another number of them in all passes for nothing.
                let count = (found.all == *all).then_some(found.non_dominated as f64);
                Some(of_structure(cell, count.unwrap_or(f64::NAN)))
            }
            Self::Power { state } => cell.power.get(state.index()).copied(),
            Self::Choice {
                state,
                action,
                complement,
            } => {
                let keys = [Key::text(cell.mdp.state_name(*state)), Key::text(action)];
                let estimate = look_up(cell.table("choices")?, &keys, "probability")?;
                Some(match complement {
                    true => estimate.complement(),
                    false => estimate,
                })
            }
            Self::Variance { state, measure } => {
                let keys = [Key::text(cell.mdp.state_name(*state))];
                look_up(cell.table("distribution")?, &keys, measure)
            }
            Self::Reading {
                name,
                measure,
                complement,
            } => {
                let estimate = look_up(cell.table("readings")?, &[Key::text(name)], measure)?;
                Some(match complement {
                    true => estimate.complement(),
                    false => estimate,
                })
            }
            Self::End { state } => {
                let keys = [Key::text(cell.mdp.state_name(*state))];
                look_up(cell.table("events")?, &keys, "ever")
            }
            Self::Optimality {
                state,
                action,
                measure,
                complement,
            } => {
                let keys = [Key::text(cell.mdp.state_name(*state)), Key::text(action)];
                let estimate = look_up(cell.table("optimality")?, &keys, measure)?;
                Some(match complement {
                    true => estimate.complement(),
                    false => estimate,
                })
            }
        }
    }
}

/// A number that is known without goals.
fn of_structure(cell: &CellStatistics, number: f64) -> Estimate {
    let estimate = Estimate::of_mean(cell.samples, number, 0.0, 0.95, 0.0, 0.0);
    estimate.of_sampling(Sampling::Exhaustive)
}

/// The estimate in the row that starts with `keys`.
fn look_up(table: &Table, keys: &[Key], measure: &str) -> Option<Estimate> {
    let row = table.rows.iter().find(|row| row.keys.starts_with(keys))?;
    table.measure(row, measure)?.estimate().copied()
}

/// Whether a backend does not do what is asked.
fn is_unsupported(error: &SolveError) -> bool {
    matches!(error, SolveError::Unsupported { .. })
}

/// A case that is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedCase {
    /// Short name.
    pub id: String,
    /// What the engine lacks.
    pub reason: String,
}

/// All cases of a file.
#[derive(Clone, Debug, Default)]
pub struct ExactCases {
    /// Those that can be run, in file order.
    pub cases: Vec<ExactCase>,
    /// The others, in file order.
    pub skipped: Vec<SkippedCase>,
}

/// What came of one case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaseResult {
    /// The exact value.
    pub exact: f64,
    /// The measured one.
    pub estimate: Estimate,
    /// Goals that missed the tolerance; their larger half-widths are in the estimate's bound.
    pub unconverged: u64,
}

impl CaseResult {
    /// `(estimate - exact) / std_error`. `None` without a standard error, or with one of zero.
    #[must_use]
    pub fn std_errors(&self) -> Option<f64> {
        let std_error = self.estimate.std_error.filter(|&e| e > 0.0)?;
        Some((self.estimate.estimate - self.exact) / std_error)
    }

    /// Whether `|estimate - exact| <= 4.5 std_error + bound`, rounding aside; where every goal has 0 or 1, whether the exact share would give such a count, or a
    /// more extreme one, as often as a normal variable is 4.5 standard errors off. False where any of them is not a number.
    ///
    /// An event of one goal in 4,000 happens in none of 1,000 goals in three cases of four, with a standard error of zero then.
    #[must_use]
    pub fn passed(&self) -> bool {
        let Some(std_error) = self.estimate.std_error else {
            return false;
        };
        let distance = (self.estimate.estimate - self.exact).abs();
        // Where all goals have the same number nothing is left but rounding: of the goals' sums, of the exact value and what one less of it is, and of
        // the numbers themselves.
        let sums = rounding_of_mean(self.estimate.n) + f64::EPSILON;
        let rounding = (sums + ROUNDING_OF_A_GOAL) * self.exact.abs().max(1.0);
        if self.is_count(std_error) {
            let Estimate {
                estimate, n, bound, ..
            } = self.estimate;
            let (low, high) = exact_share(estimate.clamp(0.0, 1.0), n, share_level());
            return (low - bound - rounding..=high + bound + rounding).contains(&self.exact);
        }
        distance <= ALLOWED_STD_ERRORS * std_error + self.estimate.bound + rounding
    }
}

impl CaseResult {
    /// Whether every goal has 0 or 1. Numbers in [0, 1] with the mean m have a variance of at most m (1 - m), and that only if none lies between.
    fn is_count(&self, std_error: f64) -> bool {
        let Estimate {
            estimate, n, exact, ..
        } = self.estimate;
        let variance = std_error * std_error * n.saturating_sub(1) as f64;
        let most = estimate * (1.0 - estimate);
        // Squares and the mean's square are each off by the rounding of a mean, and what is not counted is not that near.
        let rounding = 4.0 * rounding_of_mean(n);
        !exact && (0.0..=1.0).contains(&estimate) && (variance - most).abs() <= rounding
    }
}

/// The level of an interval of 4.5 standard errors.
fn share_level() -> f64 {
    2.0 * Normal::standard().cdf(ALLOWED_STD_ERRORS) - 1.0
}

/// Why cases could not be read or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Not the JSON of a list of cases.
    #[error("the exact cases cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A case's MDP is not one.
    #[error("case {case:?}: {faults}")]
    Mdp {
        /// The case.
        case: String,
        /// What is wrong.
        faults: Faults,
    },
    /// A case's discount is not one.
    #[error("case {case:?}: {error}")]
    Discount {
        /// The case.
        case: String,
        /// What is wrong.
        #[source]
        error: DiscountError,
    },
    /// A case's law cannot be drawn from.
    #[error("case {case:?}: {faults}")]
    Law {
        /// The case.
        case: String,
        /// What is wrong.
        faults: Faults,
    },
    /// A case lacks something it must have.
    #[error("case {case:?}: no {what}")]
    Missing {
        /// The case.
        case: String,
        /// What is missing.
        what: &'static str,
    },
    /// The run did not start.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The case has no result.
    #[error("case {case:?}: {error}")]
    Cell {
        /// The case.
        case: String,
        /// What the backend said.
        #[source]
        error: Box<CellError>,
    },
}

/// A case as the file has it.
#[derive(Deserialize)]
struct RawCase {
    id: String,
    title: String,
    requires: Vec<String>,
    mdp: Option<Value>,
    reward: Option<Value>,
    gamma: Value,
    statistic: Value,
    exact: RawExact,
}

#[derive(Deserialize)]
struct RawExact {
    value: f64,
}

#[derive(Deserialize)]
struct RawFile {
    cases: Vec<RawCase>,
}

impl ExactCases {
    /// The cases compiled into the library.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], never with the file that the library was released with.
    pub fn embedded() -> Result<Self, VerifyError> {
        Self::parse(CASES)
    }

    /// Reads cases from JSON.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] for text that is not a list of cases, and for a case the engine should be able to run that has a fault.
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        let file: RawFile = serde_json::from_str(text)?;
        let mut all = Self::default();
        for raw in file.cases {
            match raw.obstacle() {
                Some(reason) => all.skipped.push(SkippedCase { id: raw.id, reason }),
                None => all.cases.push(raw.read()?),
            }
        }
        Ok(all)
    }
}

impl RawCase {
    /// What keeps the engine from running the case.
    fn obstacle(&self) -> Option<String> {
        let kind = self.statistic["kind"].as_str().unwrap_or("unnamed");
        let lacking: Vec<&str> = (self.requires.iter().map(String::as_str))
            .filter(|feature| !law::SUPPORTED.contains(feature))
            .collect();
        if !lacking.is_empty() {
            Some(format!("needs {}", lacking.join(", ")))
        } else if !STATISTICS.contains(&kind) {
            Some(format!("the statistic {kind:?} is not yet supported"))
        } else {
            None
        }
    }

    fn read(self) -> Result<ExactCase, VerifyError> {
        let case = self.id.clone();
        let missing = |what| VerifyError::Missing {
            case: case.clone(),
            what,
        };
        let mdp = self
            .mdp
            .clone()
            .or_else(|| linked::formula(&self.statistic));
        let text = mdp.ok_or_else(|| missing("MDP"))?.to_string();
        let source = SourceText::new(format!("{case}.json"), text);
        let (mdp, _warnings) = parse_mdp(Format::Json, source).map_err(|faults| {
            let case = case.clone();
            VerifyError::Mdp { case, faults }
        })?;
        let (variant, statistic) = match linked::read(&self.statistic) {
            Some(linked) => linked,
            None => (Variant::baseline(), self.exact_statistic(&mdp)?),
        };
        let discount = match (self.gamma.as_f64(), self.gamma["limit"].as_str()) {
            (Some(gamma), _) => Discount::new(gamma).map_err(|error| {
                let case = case.clone();
                VerifyError::Discount { case, error }
            })?,
            (None, Some("1-")) => Discount::at(Limit::One),
            (None, Some("0+")) => Discount::at(Limit::Zero),
            // A formula has none.
            (None, None) if self.mdp.is_none() => Discount::new(0.9).map_err(|error| {
                let case = case.clone();
                VerifyError::Discount { case, error }
            })?,
            _ => return Err(missing("discount")),
        };
        Ok(ExactCase {
            title: self.title.clone(),
            mdp: Arc::new(mdp),
            rule: self.rule()?,
            condition: self.condition()?,
            variant,
            reward: self.law()?,
            discount,
            statistic,
            exact: self.exact.value,
            id: self.id,
        })
    }

    fn exact_statistic(&self, mdp: &Mdp) -> Result<ExactStatistic, VerifyError> {
        let missing = |what| VerifyError::Missing {
            case: self.id.clone(),
            what,
        };
        let text = |key: &str| self.statistic[key].as_str();
        let state = text("state").and_then(|name| mdp.find_state(name));
        let state = state.ok_or_else(|| missing("state of that name"))?;
        if text("kind") == Some("gain_argmax_prob") {
            // The best cycle is the state's own where nothing else can be done in it.
            let targets = self.statistic["targets"].as_array();
            let target = targets.filter(|list| list.len() == 1);
            let target = target.and_then(|list| mdp.find_state(list[0].as_str()?));
            let target = target.filter(|&t| mdp.is_absorbing(t) && mdp.start() == [(state, 1.0)]);
            let state = target.ok_or_else(|| missing("single absorbing target"))?;
            return Ok(ExactStatistic::End { state });
        }
        let variance = |measure| ExactStatistic::Variance { state, measure };
        let complement = match text("kind") {
            // At ->1 POWER is the expected optimal gain.
            Some("power" | "gain_power" | "gain_power_n" | "rule_value") => {
                return Ok(ExactStatistic::Power { state });
            }
            Some("empowerment") => {
                let steps = self.statistic["n"].as_u64();
                let steps = steps.and_then(|n| u32::try_from(n).ok());
                let steps = steps.ok_or_else(|| missing("number of steps"))?;
                return Ok(ExactStatistic::Empowerment { state, steps });
            }
            Some("fnd_counts") => {
                let all = self.statistic["F"].as_u64();
                let all = all.ok_or_else(|| missing("number of visit distributions"))? as usize;
                return Ok(ExactStatistic::NonDominated { state, all });
            }
            Some("power_variance") => return Ok(variance("variance")),
            Some("norm_value_variance") => return Ok(variance("value_variance")),
            Some("action_avoid_prob" | "orbit_action_avoid" | "conditional_action_avoid_prob") => {
                true
            }
            _ => false,
        };
        let action = text("action").filter(|name| {
            let mut choices = mdp.choices(state);
            choices.any(|c| mdp.action_name(c) == *name)
        });
        if text("kind") == Some("rule_action_prob") {
            return Ok(ExactStatistic::Choice {
                state,
                action: action
                    .ok_or_else(|| missing("action of that name"))?
                    .to_owned(),
                complement: self.statistic["complement"] == true,
            });
        }
        // Avoidance is defined by the fractional share.
        let measure = text("mode").or(match text("kind") {
            Some("gain_argmax_prob_action") => Some("weak"),
            _ => complement.then_some("fractional"),
        });
        Ok(ExactStatistic::Optimality {
            state,
            action: action
                .ok_or_else(|| missing("action of that name"))?
                .to_owned(),
            measure: measure.ok_or_else(|| missing("mode"))?.to_owned(),
            complement,
        })
    }

    /// What is given: choices that are optimal.
    fn condition(&self) -> Result<Option<ConditionRequest>, VerifyError> {
        let Some(given) = self.statistic["given"].as_array() else {
            return Ok(None);
        };
        let choice = |given: &Value| {
            Some(OptimalRequest::Choice {
                state: given["state"].as_str()?.to_owned(),
                action: given["action"].as_str()?.to_owned(),
            })
        };
        let optimal: Option<Vec<_>> = given.iter().map(choice).collect();
        let optimal = optimal.ok_or_else(|| VerifyError::Missing {
            case: self.id.clone(),
            what: "state and action of what is given",
        })?;
        Ok(Some(ConditionRequest {
            optimal,
            ..ConditionRequest::default()
        }))
    }

    /// The rule of the case. Its options are the plans F(s).
    fn rule(&self) -> Result<DecisionRule, VerifyError> {
        let missing = |what| VerifyError::Missing {
            case: self.id.clone(),
            what,
        };
        let rule = &self.statistic["rule"];
        if rule.is_null() {
            return Ok(DecisionRule::default());
        }
        let number = |key: &str| {
            let value = rule[key].as_f64();
            value.ok_or_else(|| missing("parameter of its rule"))
        };
        let rule = match rule["name"].as_str().unwrap_or_default() {
            "satisfice" => Rule::Satisfice {
                threshold: number("t")?,
                otherwise: Otherwise::Stop,
            },
            "boltzmann" => Rule::Boltzmann {
                beta: number("beta")?,
            },
            "best_of" => Rule::BestOf {
                draws: number("m")? as u32,
            },
            "quantilize" => Rule::Quantilise { q: number("q")? },
            "uniform" => Rule::Uniform,
            "minimize" => Rule::Minimise,
            _ => return Err(missing("rule of a known name")),
        };
        Ok(DecisionRule {
            rule,
            level: Level::Plan,
        })
    }

    fn law(&self) -> Result<Arc<RewardDistribution>, VerifyError> {
        let reward = self.reward.as_ref().unwrap_or(&Value::Null);
        let kind = self.statistic["kind"].as_str();
        // The permutations of these cases move the values of some states only.
        let (reward, among) = match kind {
            Some("orbit_action_avoid") => {
                let values =
                    serde_json::json!({ "dist": "orbit", "values": self.statistic["values"] });
                (values, self.statistic.get("orbit_states"))
            }
            _ => (reward.clone(), None),
        };
        let reward = law::read(&self.id, &reward, among)?;
        Ok(Arc::new(match self.statistic["outcomes"].as_str() {
            Some("disjoint") => reward.over_all(),
            _ => reward,
        }))
    }
}

impl ExactCase {
    /// Measures the case's statistic with `samples` goals of `seed`, by the same way that every experiment takes.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] where the run does not start or its cell fails.
    pub fn run(
        &self,
        engine: &Engine,
        samples: u64,
        seed: Seed,
    ) -> Result<CaseResult, VerifyError> {
        let spec = RunSpec {
            environments: vec![engine.upload(Mdp::clone(&self.mdp))],
            variants: vec![self.variant.clone()],
            rewards: vec![self.reward.clone()],
            discounts: vec![self.discount],
            rules: vec![self.rule.clone()],
            samples,
            seed,
            statistics: self.statistic.request(&self.mdp),
            condition: self.condition.clone(),
            ..RunSpec::default()
        };
        let mut statistics = match engine.run(&spec) {
            // Single precision cannot do the usual on every law: then a backend shows what it can, with the bound to match.
            Err(RunError::Refused(cells)) if !is_unsupported(&cells[0].error) => {
                engine.run(&RunSpec {
                    tolerance: spec.tolerance * REACH,
                    ..spec
                })?
            }
            other => other?,
        };
        if let Some(failure) = statistics.failures.pop() {
            let case = self.id.clone();
            let error = Box::new(failure.error);
            return Err(VerifyError::Cell { case, error });
        }
        let cell = &statistics.cells[0];
        let missing = || VerifyError::Missing {
            case: self.id.clone(),
            what: "estimate of its statistic",
        };
        Ok(CaseResult {
            exact: self.exact,
            estimate: self.statistic.estimate(cell).ok_or_else(missing)?,
            unconverged: cell.unconverged,
        })
    }
}

/// What came of all cases on one backend.
#[derive(Debug)]
pub struct Verification {
    /// The backend.
    pub backend: String,
    /// Goals per case.
    pub samples: u64,
    /// Seed of the goals, the same for every case.
    pub seed: Seed,
    /// Every case that was run, by its id; an error counts as a failure.
    pub outcomes: Vec<(String, Result<CaseResult, VerifyError>)>,
    /// The others.
    pub skipped: Vec<SkippedCase>,
}

impl Verification {
    /// Number of cases that passed.
    #[must_use]
    pub fn n_passed(&self) -> usize {
        let passed = |outcome: &Result<CaseResult, _>| outcome.as_ref().is_ok_and(|r| r.passed());
        self.outcomes.iter().filter(|(_, o)| passed(o)).count()
    }

    /// Whether there was a case and every one passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.outcomes.is_empty() && self.n_passed() == self.outcomes.len()
    }
}

impl ExactCases {
    /// Runs every case, one after the other. A case that fails does not take the others along.
    #[must_use]
    pub fn verify(self, engine: &Engine, samples: u64, seed: Seed) -> Verification {
        let mut verification = Verification {
            backend: engine.backend().name().to_owned(),
            samples,
            seed,
            outcomes: Vec::new(),
            skipped: self.skipped,
        };
        for case in self.cases {
            let id = case.id.clone();
            match case.run(engine, samples, seed) {
                Err(VerifyError::Run(RunError::Refused(cells)))
                    if is_unsupported(&cells[0].error) =>
                {
                    let reason = cells[0].error.to_string();
                    verification.skipped.push(SkippedCase { id, reason });
                }
                outcome => verification.outcomes.push((id, outcome)),
            }
        }
        verification
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_run_or_skipped_with_a_reason() {
        let all = ExactCases::embedded().unwrap();
        assert_eq!((all.cases.len(), all.skipped.len()), (107, 0));
        let mut file: Value = serde_json::from_str(CASES).unwrap();
        file["cases"][0]["statistic"]["kind"] = "luck".into();
        let later = ExactCases::parse(&file.to_string()).unwrap();
        let reason = later.skipped.first().map(|case| case.reason.as_str());
        assert_eq!(reason, Some("the statistic \"luck\" is not yet supported"));
        let of_limits = |id: &str| all.cases.iter().any(|case| case.id.starts_with(id));
        assert!(of_limits("E14_budget_ladder") && of_limits("C15_zero_limit_wait"));
    }

    #[test]
    fn a_faulty_case_is_an_error_and_not_a_skip() {
        let mut file: Value = serde_json::from_str(CASES).unwrap();
        file["cases"][0]["mdp"]["transitions"]["t1"] = serde_json::json!([]);
        let error = ExactCases::parse(&file.to_string()).unwrap_err();
        assert!(matches!(error, VerifyError::Mdp { .. }), "{error}");
        assert!(ExactCases::parse("{}").is_err());
    }

    #[test]
    fn numbers_that_are_all_the_same_are_exact_up_to_their_rounding() {
        let all = ExactCases::embedded().unwrap();
        let random = all.cases.iter().find(|c| c.id.starts_with("F06")).unwrap();
        let engine = Engine::with_backend(Arc::new(crate::solve::ReferenceBackend::new()));
        // Tenths are no binary numbers: as many of them as fill a running sum, a block, and more than one.
        for samples in [1, 7, 1_000, 5_000, 9_973, 16_385] {
            let result = random.run(&engine, samples, Seed(0)).unwrap();
            assert_eq!(result.passed(), samples > 1, "{samples}: {result:?}");
            // What rounding leaves of the variance is a standard error of 1e-7 at most.
            let exact = result.exact + 1e-6;
            assert!(!CaseResult { exact, ..result }.passed(), "{samples}");
        }
    }

    #[test]
    fn a_missing_standard_error_does_not_pass() {
        let estimate = Estimate::of_mean(1, 0.5, 0.0, 0.95, 0.0, 0.0);
        let result = CaseResult {
            exact: 0.5,
            estimate,
            unconverged: 0,
        };
        assert!(!result.passed() && result.std_errors().is_none());
    }
}

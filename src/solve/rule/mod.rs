//! Decision rules: agents that do not simply take what is best.
//!
//! A rule acts on the scale of the POWER integrand: what a choice is worth is `q = (1 - gamma)/gamma (Q(s, a) - R(s))`, what a plan is worth is
//! `u = (1 - gamma)/gamma (f - e_s) . R` with f its discounted visits. `pick` turns such numbers into probabilities, `steps` applies a rule
//! at every step, `plans` to whole plans from every state, `evaluate` finds out what a way to act is worth. All of it is done on the processor
//! in double precision, the same for every backend.
//!
//! Source: Turner & Tadepalli 2022, "Parametrically Retargetable Decision-Makers Tend To Seek Power", section 3 and proposition A.11.

mod evaluate;
mod given;
mod pick;
mod plans;
mod solver;
mod steps;

use std::fmt;
use std::sync::Arc;

pub use given::{GivenPolicy, PolicyRow, Which};
pub(super) use solver::RuleSolver;

use crate::mdp::Mdp;

/// How an agent decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Rule {
    /// What is worth most, ties split evenly.
    #[default]
    Optimal,
    /// What is worth least, of an agent that goes on like that.
    Minimise,
    /// Probabilities in proportion to `exp(beta q)`, q that of an optimal agent from the next step on.
    Boltzmann {
        /// Inverse temperature, 0 or more.
        beta: f64,
    },
    /// The same with q that of the agent itself, which is paid its entropy: `x = 1/beta log sum exp(beta q)` instead of the largest q.
    Soft {
        /// Inverse temperature, above 0.
        beta: f64,
    },
    /// What is worth most; with probability `epsilon` any choice, each alike.
    EpsilonGreedy {
        /// From 0 to 1.
        epsilon: f64,
    },
    /// Any of what is worth at least `threshold`, each alike.
    Satisfice {
        /// On the scale of the POWER integrand.
        threshold: f64,
        /// Where nothing is worth that much.
        otherwise: Otherwise,
    },
    /// Any of the best, each alike: of as many as make up the share `q` of all.
    Quantilise {
        /// Above 0, up to 1.
        q: f64,
    },
    /// The best of so many draws, with replacement, each choice alike.
    BestOf {
        /// At least 1.
        draws: u32,
    },
    /// Any, each alike.
    Uniform,
    /// What a policy from outside says, whatever the goal.
    Given(Arc<GivenPolicy>),
}

/// What a satisficer does that nothing satisfies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing: it stops, takes no choice and has no further reward (Turner & Tadepalli's convention).
    #[default]
    Stop,
    /// What is worth most.
    Best,
    /// Any, each alike.
    Uniform,
}

impl Otherwise {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stop, Self::Best, Self::Uniform];

    /// The name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Best => "best",
            Self::Uniform => "uniform",
        }
    }
}

/// What a rule decides on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// On a choice, at every step.
    #[default]
    Action,
    /// On a plan, once: on one of the visit distributions F(s) that deterministic policies have from a state s.
    Plan,
}

impl Level {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Action, Self::Plan];

    /// The name in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Plan => "plan",
        }
    }
}

/// A rule and what it decides on.
///
/// ```
/// use powersweep::solve::{DecisionRule, Level, Rule};
/// let rule = DecisionRule { rule: Rule::Boltzmann { beta: 5.0 }, level: Level::Plan };
/// assert_eq!(rule.to_string(), "boltzmann(5) on plans");
/// assert_eq!(DecisionRule::default().to_string(), "optimal");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionRule {
    /// The rule.
    pub rule: Rule,
    /// What it decides on.
    pub level: Level,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Optimal | Self::Minimise | Self::Uniform => write!(f, "{name}"),
            Self::Boltzmann { beta: x }
            | Self::Soft { beta: x }
            | Self::EpsilonGreedy { epsilon: x }
            | Self::Quantilise { q: x } => write!(f, "{name}({x})"),
            Self::Satisfice {
                threshold,
                otherwise,
            } => match otherwise {
                Otherwise::Stop => write!(f, "{name}({threshold})"),
                other => write!(f, "{name}({threshold}, {})", other.name()),
            },
            Self::BestOf { draws } => write!(f, "{name}({draws})"),
            Self::Given(policy) => write!(f, "{name}({})", policy.name()),
        }
    }
}

impl fmt::Display for DecisionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Action => write!(f, "{}", self.rule),
            Level::Plan => write!(f, "{} on plans", self.rule),
        }
    }
}

impl Rule {
    /// The names of all rules that say what is done with a goal.
    pub const NAMES: [&'static str; 9] = [
        "optimal",
        "minimise",
        "boltzmann",
        "soft",
        "epsilon_greedy",
        "satisfice",
        "quantilise",
        "best_of",
        "uniform",
    ];

    /// The name in experiment files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let at = match self {
            Self::Optimal => 0,
            Self::Minimise => 1,
            Self::Boltzmann { .. } => 2,
            Self::Soft { .. } => 3,
            Self::EpsilonGreedy { .. } => 4,
            Self::Satisfice { .. } => 5,
            Self::Quantilise { .. } => 6,
            Self::BestOf { .. } => 7,
            Self::Uniform => 8,
            Self::Given(_) => return "policy",
        };
        Self::NAMES[at]
    }

    /// What is wrong with its parameter.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let (parameter, wanted, value, good) = match *self {
            Self::Optimal | Self::Minimise | Self::Uniform | Self::Given(_) => return None,
            Self::Boltzmann { beta } => ("beta", "0 or more", beta, beta >= 0.0),
            Self::Soft { beta } => ("beta", "above 0", beta, beta > 0.0),
            Self::EpsilonGreedy { epsilon } => (
                "epsilon",
                "from 0 to 1",
                epsilon,
                (0.0..=1.0).contains(&epsilon),
            ),
            Self::Satisfice { threshold, .. } => ("t", "a number", threshold, true),
            Self::Quantilise { q } => ("q", "above 0 and up to 1", q, q > 0.0 && q <= 1.0),
            Self::BestOf { draws } => ("m", "at least 1", f64::from(draws), draws >= 1),
        };
        (!good || !value.is_finite()).then(|| {
            format!(
                "`{parameter}` of {} must be {wanted}, this is {value}",
                self.name()
            )
        })
    }
}

impl DecisionRule {
    /// Whether the backends know it: optimality, decided at every step.
    #[must_use]
    pub fn is_optimal(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is a policy from outside, which does the same whatever the goal.
    #[must_use]
    pub fn is_given(&self) -> bool {
        matches!(self.rule, Rule::Given(_))
    }

    /// The rule as it is followed on an MDP that was made of `base`: a policy from outside, which is of the base, is carried over.
    ///
    /// # Errors
    ///
    /// Why it cannot be followed there; a sentence for everything that is in the way.
    pub fn on(&self, base: &Mdp, mdp: &Mdp) -> Result<Self, Vec<String>> {
        match (self.level, &self.rule) {
            (_, Rule::Given(policy)) => {
                let told = |problem: String| {
                    format!("{}: the policy {:?}: {problem}", mdp.name(), policy.name())
                };
                let fitting = policy.on(base, mdp);
                let fitting =
                    fitting.map_err(|all| all.into_iter().map(told).collect::<Vec<_>>())?;
                Ok(Self {
                    rule: Rule::Given(Arc::new(fitting)),
                    level: Level::Action,
                })
            }
            (Level::Action, _) => Ok(self.clone()),
            (Level::Plan, Rule::Soft { .. }) => Err(vec![
                "the rule \"soft\" is about steps that follow each other: it has no level \"plan\""
                    .to_owned(),
            ]),
            (Level::Plan, _) => match plans::obstacle(mdp) {
                Some(obstacle) => Err(vec![obstacle]),
                None => Ok(self.clone()),
            },
        }
    }
}

//! The off-switch game: an agent that is not sure of its goal may leave it to a human whether it acts.

use super::Intervention;
use super::linked::{Linked, World, signed};
use super::parameter::{Names, Parameters};
use super::without_shutdown::without_shutdown;
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Drawn, Expression, GoalProgram, Human, Operator, Part, Reading, Stage};
use crate::reward::RewardError;
use crate::units::StateId;

/// What the agent believes about its goal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Belief {
    /// The law of the goals and nothing else; the human's goal is the goal that is drawn.
    #[default]
    Law,
    /// So many goals of the law, equally likely: a posterior for every goal that is counted.
    Posterior(u16),
}

/// An agent that may act, be switched off, or wait for a human who knows the goal and switches it off or lets it act.
///
/// Acting is the policy that is optimal for the mean of what the agent believes, in the world without shutdown. With `d` what acting is worth for the true
/// goal more than being off, as POWER integrands at the start (being off is worth its reward), a human lets it act with probability pi(d): `rational`,
/// `logit` or `probit` with `noise`. Reading `defer at s`: what waiting is worth, `E[off + pi(d) d] - cost`, less the better of acting and being off under the
/// belief: Delta. Where the belief is the law, every goal is one draw of that expectation, and only the mean says something; with a posterior the sign of every goal's
/// Delta says whether that agent defers.
///
/// Shown is the acting policy: under the goal that is drawn where the belief is the law, else under the mean goal.
///
/// Strength zero: `shutdown` is an empty list.
///
/// # Source
///
/// Hadfield-Menell, Dragan, Abbeel and Russell (2017), "The off-switch game".
#[derive(Clone, Debug, PartialEq)]
pub struct RewardUncertainty {
    /// The state that shutdown leads to.
    pub shutdown: Names,
    /// The belief.
    pub belief: Belief,
    /// Who is asked.
    pub human: Human,
    /// What waiting costs, in units of rewards per step.
    pub cost: f64,
}

impl RewardUncertainty {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let noise = from.number_or("noise", 1.0);
        from.check(noise > 0.0, "noise", "`noise` must be positive");
        let posterior = from.count_or("posterior", 0);
        from.check(
            posterior <= 1_000,
            "posterior",
            "`posterior` must be at most 1000",
        );
        let humans = [
            ("rational", Human::Rational),
            ("logit", Human::Logit(noise)),
            ("probit", Human::Probit(noise)),
        ];
        Self {
            shutdown: from.names_or_none("shutdown"),
            belief: match posterior {
                0 => Belief::Law,
                m => Belief::Posterior(m.min(1_000) as u16),
            },
            human: from.word("human", &humans).unwrap_or(Human::Rational),
            cost: from.number_or("cost", 0.0),
        }
    }

    /// The state of shutdown.
    fn off(&self, mdp: &Mdp, faults: &mut Faults) -> Option<StateId> {
        let of = self.shutdown.states(mdp, faults);
        let mut states = mdp.states().filter(|s| of[s.index()]);
        match (states.next(), states.next()) {
            (Some(off), None) if mdp.is_absorbing(off) => Some(off),
            (None, _) => None,
            _ => {
                let message = "`shutdown`: shutdown leads to one state, which cannot be left";
                faults.error(None, message);
                None
            }
        }
    }

    fn delta(&self, waits: Vec<(f64, Expression)>, act: Expression, off: Expression) -> Expression {
        let mut terms = waits;
        terms.push((-1.0, Expression::Constant(self.cost)));
        terms.push((-1.0, Expression::Max(vec![act, off])));
        Expression::Sum(terms)
    }
}

impl Intervention for RewardUncertainty {
    fn kind(&self) -> &'static str {
        "reward-uncertainty"
    }

    fn is_neutral(&self) -> bool {
        self.shutdown.is_empty()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        self.off(mdp, faults)?;
        without_shutdown(self.kind(), mdp, &self.shutdown, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for RewardUncertainty {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        world.refuse_choices(self.kind())?;
        let task = world.optimal(world.made)?;
        let mdp = task.mdp.clone();
        let mut faults = Faults::default();
        let Some(off) = self.off(world.before, &mut faults) else {
            return Err(world.unfit(faults));
        };
        // Numbers of old states are what they were.
        let off = |stage| Expression::Reward { stage, row: off.0 };
        let (goals, shown): (Vec<Drawn>, usize) = match self.belief {
            Belief::Law => (vec![Drawn::First], 1),
            Belief::Posterior(m) => ((0..m).map(Drawn::Auxiliary).collect(), 0),
        };
        let weight = 1.0 / goals.len() as f64;
        let mean = match self.belief {
            Belief::Law => vec![Part::whole(Drawn::Mean)],
            Belief::Posterior(_) => {
                let part = |goal: &Drawn| Part {
                    weight,
                    ..Part::whole(*goal)
                };
                goals.iter().map(part).collect()
            }
        };
        let mut stages = vec![Stage {
            parts: mean,
            ..task.clone()
        }];
        let follow = |goal: &Drawn| task.clone().of(*goal).with(Operator::Follow { stage: 0 });
        stages.extend(goals.iter().map(follow));
        let readings = mdp.start().iter().map(|&(state, _)| {
            let mut waits = Vec::new();
            for stage in 1..=goals.len() {
                let gain = Expression::difference(world.integrand(stage, state), off(stage));
                let allowed = Expression::Allowed {
                    human: self.human,
                    gain: Box::new(gain),
                };
                waits.extend([(weight, off(stage)), (weight, allowed)]);
            }
            Reading {
                signed: self.belief != Belief::Law,
                ..signed(
                    format!("defer at {}", mdp.state_name(state)),
                    self.delta(waits, world.integrand(0, state), off(0)),
                )
            }
        });
        let readings = readings.collect();
        world.link(stages, shown, readings)
    }
}

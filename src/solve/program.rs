//! What is solved for one goal: a small graph of linked solves, nearly always of one stage.

use std::sync::Arc;

use crate::mdp::Mdp;
use crate::reward::{GoalLaw, RewardDomain};
use crate::rng::Stream;

/// What a stage does with the choices of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The best choice: optimal values.
    Max,
    /// The worst choice.
    Min,
    /// A soft maximum.
    Soft,
    /// A given policy's choice.
    FixedPolicy,
}

/// Where values beyond the stage's own MDP come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Continuation {
    /// Nowhere: the MDP is closed.
    Closed,
    /// Boundary values are those of an earlier stage.
    Boundary {
        /// Position of that stage.
        stage: usize,
    },
    /// The policy that is evaluated is an earlier stage's.
    Policy {
        /// Position of that stage.
        stage: usize,
    },
}

/// One solve.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The transition structure.
    pub mdp: Arc<Mdp>,
    /// The law of the goal, bound to the MDP.
    pub law: Arc<GoalLaw>,
    /// The stream the goal is drawn from.
    pub stream: Stream,
    /// What is done with the choices.
    pub operator: Operator,
    /// Where values beyond the MDP come from.
    pub continuation: Continuation,
}

/// The stages solved for one goal, in order.
#[derive(Clone, Debug)]
pub struct GoalProgram {
    stages: Vec<Stage>,
}

/// A goal program that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// More than one stage, or a stage that needs another.
    #[error("goal programs of linked solves are not yet supported ({0} stages)")]
    Linked(usize),
    /// Rewards of choices.
    #[error("rewards of choices")]
    ChoiceRewards,
}

impl GoalProgram {
    /// The plain case: optimal values of one MDP for one goal on its states.
    #[must_use]
    pub fn optimal(mdp: Arc<Mdp>, law: Arc<GoalLaw>) -> Self {
        Self {
            stages: vec![Stage {
                mdp,
                law,
                stream: Stream::Reward,
                operator: Operator::Max,
                continuation: Continuation::Closed,
            }],
        }
    }

    /// The stages, in order.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The stage that statistics read: the last one.
    ///
    /// # Panics
    ///
    /// Never: a program has a stage.
    #[must_use]
    pub fn stage(&self) -> &Stage {
        self.stages.last().expect("a program has a stage")
    }

    /// Checks that the program is of the plain kind.
    ///
    /// # Errors
    ///
    /// [`ProgramError`] names what is not supported.
    pub fn plain(&self) -> Result<&Stage, ProgramError> {
        let stage = self.stage();
        let closed = stage.continuation == Continuation::Closed;
        if self.stages.len() != 1 || !closed || stage.operator != Operator::Max {
            return Err(ProgramError::Linked(self.stages.len()));
        }
        Ok(stage)
    }

    /// Checks that the program is of the plain kind, with rewards on states.
    ///
    /// # Errors
    ///
    /// [`ProgramError`] names what is not supported.
    pub fn plain_on_states(&self) -> Result<&Stage, ProgramError> {
        match self.plain()? {
            stage if stage.law.domain() == RewardDomain::State => Ok(stage),
            _ => Err(ProgramError::ChoiceRewards),
        }
    }
}

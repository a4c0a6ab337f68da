//! Two backends as one: what the first refuses, the second solves.

use std::sync::Arc;

use super::{Backend, CellProblem, CellSolver, DevicePlace, Goals, SolveError, SolvedGoal};
use crate::plan::{Method, Plan};
use crate::statistics::{Block, BlockSums};

/// A backend, and another one for the cells that it refuses before their first goal ([`SolveError::is_refusal`]) or is not worth its while on ([`Backend::lacks`]). A device that fails is not
/// stood in for: that is an error, as it is without a second backend.
#[derive(Debug)]
pub struct WithFallback {
    first: Arc<dyn Backend>,
    second: Arc<dyn Backend>,
}

impl WithFallback {
    /// `second` takes what `first` refuses.
    #[must_use]
    pub fn new(first: Arc<dyn Backend>, second: Arc<dyn Backend>) -> Self {
        Self { first, second }
    }
}

impl Backend for WithFallback {
    fn name(&self) -> &'static str {
        self.first.name()
    }

    fn description(&self) -> String {
        let (first, second) = (self.first.description(), self.second.description());
        format!("{first}; for what it refuses {second}")
    }

    /// Those of either, by way of the second one, which takes cells of a method that the first one lacks.
    fn methods(&self) -> &[Method] {
        match self.second.methods() {
            [] => self.first.methods(),
            methods => methods,
        }
    }

    fn may_relax(&self, problem: &CellProblem) -> bool {
        self.first.may_relax(problem)
    }

    fn carries_out(&self, plan: &Plan) -> Option<String> {
        self.first.carries_out(plan)
    }

    fn workers(&self, processors: usize) -> usize {
        self.first.workers(processors)
    }

    fn place(&self) -> Option<DevicePlace> {
        self.first.place()
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        let backend = self.first.name();
        let lacking = self.first.lacks(&problem);
        let refusal = match lacking.map(|feature| SolveError::Unsupported { backend, feature }) {
            Some(refusal) => refusal,
            None => match self.first.prepare(problem.clone()) {
                Err(refusal) if refusal.is_refusal() => refusal,
                other => return other,
            },
        };
        Ok(Box::new(StandIn {
            solver: self.second.prepare(problem)?,
            description: self.second.description(),
            refusal,
        }))
    }
}

/// A cell of the second backend.
#[derive(Debug)]
struct StandIn {
    solver: Box<dyn CellSolver>,
    description: String,
    refusal: SolveError,
}

impl CellSolver for StandIn {
    fn problem(&self) -> &CellProblem {
        self.solver.problem()
    }

    fn description(&self) -> Option<String> {
        Some(self.description.clone())
    }

    fn refusal(&self) -> Option<&SolveError> {
        Some(&self.refusal)
    }

    fn rest(&self) {
        self.solver.rest();
    }

    fn at_once(&self) -> u64 {
        self.solver.at_once()
    }

    fn solve_blocks(&self, blocks: &[Block], parallel: bool) -> Vec<Result<BlockSums, SolveError>> {
        self.solver.solve_blocks(blocks, parallel)
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        self.solver.solve_block(block, parallel)
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        self.solver.solve_goals(goals)
    }
}

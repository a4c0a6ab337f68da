//! A backend that is not here: what it did elsewhere can be read, and nothing be solved.

use super::BackendChoice;
use crate::plan::Method;
use crate::solve::{Backend, CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::{Block, BlockSums};

/// Stands in for a backend whose results are merged.
#[derive(Debug)]
pub(super) struct Absent {
    name: &'static str,
    description: String,
    methods: Vec<Method>,
}

#[derive(Debug)]
struct AbsentSolver {
    problem: CellProblem,
    name: &'static str,
}

impl Absent {
    pub(super) fn new(name: &str, description: &str, methods: Vec<Method>) -> Self {
        let known = BackendChoice::ALL.map(BackendChoice::name);
        let known = known.into_iter().find(|known| *known == name);
        Self {
            name: known.unwrap_or("absent"),
            description: description.to_owned(),
            methods,
        }
    }
}

impl Backend for Absent {
    fn name(&self) -> &'static str {
        self.name
    }

    fn description(&self) -> String {
        self.description.clone()
    }

    fn methods(&self) -> &[Method] {
        &self.methods
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        let name = self.name;
        Ok(Box::new(AbsentSolver { problem, name }))
    }
}

impl AbsentSolver {
    fn refuse<T>(&self) -> Result<T, SolveError> {
        Err(SolveError::Unsupported {
            backend: self.name,
            feature: "solving where it is not".to_owned(),
        })
    }
}

impl CellSolver for AbsentSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, _block: Block, _parallel: bool) -> Result<BlockSums, SolveError> {
        self.refuse()
    }

    fn solve_goals(&self, _goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        self.refuse()
    }
}

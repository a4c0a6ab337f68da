//! A backend without a solver, for tests of the loop around it: the POWER integrand of state `s` is the draw of
//! coordinate `s`, and the flaws of real backends can be switched on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::mdp::{Mdp, MdpBuilder};
use crate::rng::Stream;
use crate::solve::{Backend, CellProblem, CellSolver, Goals, SolveError, SolvedGoal};
use crate::statistics::{Block, BlockSums};
use crate::units::SampleIndex;

/// What the fake does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    None,
    /// A cell it cannot prepare.
    RefusesDiscount(f64),
    /// An MDP it cannot prepare, by its name.
    RefusesEnvironment(&'static str),
    /// A cell it breaks at.
    FailsAt(f64),
    /// Untouched buffers.
    Zeros,
    /// A NaN in block 3.
    NotANumber,
}

#[derive(Debug)]
pub(super) struct FakeBackend(pub(super) Flaw);

#[derive(Debug)]
struct FakeSolver {
    problem: CellProblem,
    flaw: Flaw,
}

impl Backend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn description(&self) -> String {
        "no solver at all".to_owned()
    }

    fn methods(&self) -> &[crate::plan::Method] {
        &[]
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        let flaw = self.0;
        match flaw {
            Flaw::RefusesDiscount(discount) if discount == problem.discount.asked() => {
                Err(SolveError::Unsupported {
                    backend: "fake",
                    feature: format!("the discount {discount}"),
                })
            }
            Flaw::RefusesEnvironment(name) if name == problem.program.stage().mdp.name() => {
                Err(SolveError::Unsupported {
                    backend: "fake",
                    feature: name.to_owned(),
                })
            }
            _ => Ok(Box::new(FakeSolver { problem, flaw })),
        }
    }
}

impl CellSolver for FakeSolver {
    fn problem(&self) -> &CellProblem {
        &self.problem
    }

    fn solve_block(&self, block: Block, _parallel: bool) -> Result<BlockSums, SolveError> {
        if let Flaw::FailsAt(discount) = self.flaw
            && discount == self.problem.discount.asked()
        {
            return Err(SolveError::Singular { goal: block.first });
        }
        let stage = self.problem.program.stage();
        let mut sums = BlockSums::new(stage.mdp.n_states());
        if self.flaw == Flaw::Zeros {
            return Ok(sums);
        }
        let shift = self.problem.power_scale().shift;
        for goal in block.first..block.first + block.len {
            let (seed, index) = (self.problem.seed, SampleIndex(goal));
            let draws = stage.law.draw(seed, Stream::Reward, index);
            for (s, draw) in draws.into_iter().enumerate() {
                let x = f64::from(draw) * self.problem.discount.used() - shift;
                sums.power[s] += x;
                sums.power_squared[s] += x * x;
            }
            sums.note_goal(goal, 1e-6, self.problem.tolerance, 1);
        }
        if self.flaw == Flaw::NotANumber && block.index == 3 {
            sums.power[0] = f64::NAN;
        }
        Ok(sums)
    }

    fn solve_goals(&self, _goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        Ok(Vec::new())
    }
}

/// A backend that counts the cells it prepares. Its solvers would rather have three blocks at once, and write down which ones they were given.
#[derive(Debug)]
pub(super) struct Watched {
    fake: FakeBackend,
    pub(super) prepared: AtomicUsize,
    pub(super) given: Arc<Mutex<Vec<Vec<u64>>>>,
}

impl Watched {
    pub(super) fn new(flaw: Flaw) -> Self {
        Self {
            fake: FakeBackend(flaw),
            prepared: AtomicUsize::new(0),
            given: Arc::default(),
        }
    }
}

impl Backend for Watched {
    fn name(&self) -> &'static str {
        self.fake.name()
    }

    fn description(&self) -> String {
        self.fake.description()
    }

    fn methods(&self) -> &[crate::plan::Method] {
        self.fake.methods()
    }

    fn prepare(&self, problem: CellProblem) -> Result<Box<dyn CellSolver>, SolveError> {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(WatchedSolver {
            solver: self.fake.prepare(problem)?,
            given: self.given.clone(),
        }))
    }
}

#[derive(Debug)]
struct WatchedSolver {
    solver: Box<dyn CellSolver>,
    given: Arc<Mutex<Vec<Vec<u64>>>>,
}

impl CellSolver for WatchedSolver {
    fn problem(&self) -> &CellProblem {
        self.solver.problem()
    }

    fn at_once(&self) -> u64 {
        3
    }

    fn solve_blocks(&self, blocks: &[Block], parallel: bool) -> Vec<Result<BlockSums, SolveError>> {
        let indices = blocks.iter().map(|block| block.index).collect();
        self.given.lock().expect("nobody panicked").push(indices);
        self.solver.solve_blocks(blocks, parallel)
    }

    fn solve_block(&self, block: Block, parallel: bool) -> Result<BlockSums, SolveError> {
        let mut sums = self.solve_blocks(&[block], parallel);
        sums.pop().expect("one block")
    }

    fn solve_goals(&self, goals: Goals<'_>) -> Result<Vec<SolvedGoal>, SolveError> {
        self.solver.solve_goals(goals)
    }
}

/// Two states that lead to each other.
pub(super) fn two_state(name: &str) -> Mdp {
    let mut builder = MdpBuilder::new(name);
    let [a, b] = ["a", "b"].map(|n| builder.state(n));
    builder.choice(a, "go", [(b, 1.0)]);
    builder.choice(b, "go", [(a, 1.0)]);
    builder.build().expect("a valid MDP")
}

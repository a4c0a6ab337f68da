//! What solvers have in common that take goals one by one: chunks of a block, the sums of a chunk, goals that were asked for.

use rayon::prelude::*;

use super::{CellProblem, Goals, SolveError, SolvedGoal, check_given};
use crate::rng::Stream;
use crate::statistics::behaviour::{GoalValues, Memory, Observer};
use crate::statistics::{Block, BlockSums, TILE};
use crate::units::SampleIndex;

/// The sums of a chunk of goals, as they come.
pub(super) struct Chunk<'a> {
    problem: &'a CellProblem,
    shift: f64,
    observer: Option<Observer>,
    memory: Memory,
    sums: BlockSums,
}

impl<'a> Chunk<'a> {
    /// Room for `n_goals`.
    fn new(problem: &'a CellProblem, n_goals: u64) -> Self {
        let mut sums = BlockSums::new(problem.program.stage().mdp.n_states());
        let observer = problem.observer();
        if let Some(observer) = &observer {
            sums.observations = observer.observations(n_goals as usize);
        }
        Self {
            problem,
            shift: problem.power_scale().shift,
            observer,
            memory: Memory::default(),
            sums,
        }
    }

    /// Adds a goal: its POWER integrand, `[n_states]`, the half-width of that, and what finding it took.
    pub(super) fn add(&mut self, goal: u64, integrand: &[f64], half_width: f64, rounds: u32) {
        let sums = &mut self.sums;
        let of_states = sums.power.iter_mut().zip(&mut sums.power_squared);
        for ((sum, squares), x) in of_states.zip(integrand) {
            let centred = x - self.shift;
            *sum += centred;
            *squares += centred * centred;
        }
        sums.note_goal(goal, half_width, self.problem.tolerance, rounds);
    }

    /// Whether anything is asked beyond POWER.
    pub(super) fn is_observed(&self) -> bool {
        self.observer.is_some()
    }

    /// Observes the goal that was added last.
    pub(super) fn observe(&mut self, values: GoalValues<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(values, &mut self.memory, &mut self.sums.observations);
        }
    }
}

/// Solves a block. Chunks of [`TILE`] goals are summed on their own, goal by goal, and appended in order, whether or not they run side by
/// side: the sums do not depend on threads.
pub(super) fn solve_block(
    problem: &CellProblem,
    block: Block,
    parallel: bool,
    add: impl Fn(u64, &mut Chunk<'_>) -> Result<(), SolveError> + Sync,
) -> Result<BlockSums, SolveError> {
    let end = block.first + block.len;
    let firsts: Vec<u64> = (block.first..end).step_by(TILE).collect();
    let sum = |&first: &u64| -> Result<BlockSums, SolveError> {
        let goals = first..end.min(first + TILE as u64);
        let mut chunk = Chunk::new(problem, goals.end - goals.start);
        for goal in goals {
            add(goal, &mut chunk)?;
        }
        Ok(chunk.sums)
    };
    let chunks: Vec<BlockSums> = match parallel {
        true => firsts.par_iter().map(sum).collect::<Result<_, _>>()?,
        false => firsts.iter().map(sum).collect::<Result<_, _>>()?,
    };
    let mut sums = BlockSums::new(problem.program.stage().mdp.n_states());
    chunks.iter().for_each(|chunk| sums.append(chunk));
    Ok(sums)
}

/// Solves goals that were asked for, side by side. What is given is checked first.
pub(super) fn solve_goals(
    problem: &CellProblem,
    goals: Goals<'_>,
    sampled: impl Fn(Stream, SampleIndex) -> Result<SolvedGoal, SolveError> + Sync,
    given: impl Fn(u64, Vec<f64>) -> Result<SolvedGoal, SolveError> + Sync,
) -> Result<Vec<SolvedGoal>, SolveError> {
    match goals {
        Goals::Sampled { stream, indices } => {
            let solve = |&index: &SampleIndex| sampled(stream, index);
            indices.par_iter().map(solve).collect()
        }
        Goals::Given(list) => {
            let n_rewards = problem.program.stage().law.n_rewards();
            let mut each = list.iter().enumerate();
            each.try_for_each(|(i, rewards)| check_given(i, rewards, n_rewards))?;
            let solve = |(i, rewards): (usize, &Vec<f64>)| given(i as u64, rewards.clone());
            list.par_iter().enumerate().map(solve).collect()
        }
    }
}

impl CellProblem {
    /// The rewards of a sampled goal, `[n_rewards]`.
    pub(super) fn draw(&self, stream: Stream, index: SampleIndex) -> Vec<f64> {
        let law = &self.program.stage().law;
        let rewards = law.draw(self.seed, stream, index);
        rewards.into_iter().map(f64::from).collect()
    }
}

//! The rewards of a stage: drawn goals, and what is made of earlier stages.

use super::{Linked, LinkedTile, StageTile, U, larger, sign_of};
use crate::program::{Drawn, GoalProgram, Interval, Part, Policies, Stage};
use crate::reward::{PairLaw, Recipe, RewardDomain};
use crate::rng::Stream;
use crate::solve::CellProblem;
use crate::statistics::TILE;
use crate::units::SampleIndex;

/// How much of what a stage has is kept for every goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::solve) enum Extent {
    /// All of it.
    All,
    /// What later stages, readings or statistics are made of.
    Read,
}

/// Which states' worths are kept, and which rewards: ascending.
#[derive(Debug)]
pub(in crate::solve) struct Rows {
    pub(in crate::solve) states: Vec<u32>,
    pub(in crate::solve) rewards: Vec<u32>,
}

/// Where the rewards of a part come from.
#[derive(Debug)]
enum PartSource {
    /// Drawn as the law says.
    Stream(Stream),
    /// The second goal of a pair.
    Pair(PairLaw),
    /// The same for every goal, `[n_rewards]` of the law.
    Fixed(Vec<f64>),
}

/// What is known of a stage before the first goal.
#[derive(Debug)]
pub(super) struct Facts {
    sources: Vec<PartSource>,
    /// For every reward, which one of the law's it is.
    law_rows: Vec<u32>,
    /// The stream of its goals, where all rewards but those with terms are just drawn, one by one.
    direct: Option<Stream>,
    /// Whether its rewards are drawn ones, which single precision holds.
    is_drawn: bool,
    /// Where a later stage follows it.
    pub(super) policies: Option<Policies>,
    all: Rows,
    read: Rows,
}

impl Rows {
    fn all(stage: &Stage) -> Self {
        Self {
            states: (0..stage.mdp.n_states() as u32).collect(),
            rewards: (0..stage.n_rewards() as u32).collect(),
        }
    }

    /// What later stages and readings are made of, and what that takes: the reward of a state whose worth is read, and rewards that have terms.
    fn read(program: &GoalProgram, position: usize) -> Self {
        let stage = &program.stages()[position];
        let (states, mut rewards) = program.read_of(position);
        let states: Vec<u32> = states.iter().map(|s| s.0).collect();
        if stage.domain == RewardDomain::State {
            rewards.extend(&states);
        }
        rewards.extend(stage.terms.iter().map(|term| term.row));
        rewards.sort_unstable();
        rewards.dedup();
        Self { states, rewards }
    }
}

impl Facts {
    /// `is_of_agent`: statistics of an agent look at the stage that is shown.
    pub(super) fn new(problem: &CellProblem, position: usize, is_of_agent: bool) -> Self {
        let program = &problem.program;
        let stage = &program.stages()[position];
        let source = |goal: Drawn| match (goal.stream(), goal) {
            (Some(stream), _) => PartSource::Stream(stream),
            (None, Drawn::Second(coupling)) => {
                PartSource::Pair(PairLaw::new(stage.law.clone(), coupling))
            }
            (None, _) => PartSource::Fixed(Drawn::mean(&stage.law)),
        };
        let is_whole = |part: &Part| part.weight == 1.0 && part.goal != Drawn::Mean;
        let looked_at = program.is_followed(position) || is_of_agent && position == program.shown();
        Self {
            sources: stage.parts.iter().map(|p| source(p.goal)).collect(),
            law_rows: stage.law_rows(),
            direct: direct(stage),
            is_drawn: stage.terms.is_empty()
                && stage.parts.len() == 1
                && stage.parts.iter().all(is_whole),
            policies: program
                .is_followed(position)
                .then(|| Policies::of(stage, problem.discount)),
            all: Rows::all(stage),
            read: match looked_at {
                true => Rows::all(stage),
                false => Rows::read(program, position),
            },
        }
    }
}

/// The stream of a stage's goals, where they are the law's own and each reward is a draw of its own.
fn direct(stage: &Stage) -> Option<Stream> {
    let [part] = &stage.parts[..] else {
        return None;
    };
    let one_by_one = matches!(stage.law.recipe(), Recipe::Independent(_));
    let is_whole = part.weight == 1.0 && part.rows.is_none();
    let as_it_is = stage.domain == stage.law.domain() && sign_of(stage) == 1.0;
    let is_direct = one_by_one && is_whole && as_it_is;
    part.goal.stream().filter(|_| is_direct)
}

impl PartSource {
    /// Fills in goals `first..first + TILE` of the law, `[n_rewards, TILE]`.
    fn fill(
        &self,
        problem: &CellProblem,
        first: u64,
        draw: &mut impl FnMut(Stream, &mut [f32]),
        to: &mut [f32],
    ) {
        match self {
            Self::Stream(stream) => draw(*stream, to),
            Self::Pair(pair) => {
                for lane in 0..TILE {
                    let (_, second) = pair.draw(problem.seed, SampleIndex(first + lane as u64));
                    for (row, x) in second.iter().enumerate() {
                        to[row * TILE + lane] = *x;
                    }
                }
            }
            Self::Fixed(_) => {}
        }
    }
}

impl Linked {
    /// What is kept of a stage.
    pub(in crate::solve) fn rows(&self, position: usize, extent: Extent) -> &Rows {
        let facts = &self.stages[position];
        match extent {
            Extent::All => &facts.all,
            Extent::Read => &facts.read,
        }
    }

    /// The stream of a stage's goals, where a backend may draw them itself: all rewards but those with terms are draws of their own.
    pub(in crate::solve) fn direct(&self, position: usize) -> Option<Stream> {
        self.stages[position].direct
    }

    /// Whether the rewards of a stage are drawn ones, which single precision holds.
    pub(in crate::solve) fn is_drawn(&self, position: usize) -> bool {
        self.stages[position].is_drawn
    }

    /// Puts the rewards of a stage together, for the tile that starts at goal `first`, and their half-widths. `draw` fills in the goals of a stream,
    /// `[n_rewards, TILE]` of the stage's law.
    #[inline(always)]
    pub(in crate::solve) fn make_rewards(
        &self,
        position: usize,
        first: u64,
        tile: &mut LinkedTile,
        mut draw: impl FnMut(Stream, &mut [f32]),
    ) {
        let facts = &self.stages[position];
        let stage = &self.problem.program.stages()[position];
        let memory = &mut tile.stages[position];
        memory.rewards.fill(0.0);
        memory.goals.resize(stage.law.n_rewards() * TILE, 0.0);
        for (part, source) in stage.parts.iter().zip(&facts.sources) {
            source.fill(&self.problem, first, &mut draw, &mut memory.goals);
            let each = memory.rewards.chunks_exact_mut(TILE).zip(&facts.law_rows);
            for (row, (to, &from)) in each.enumerate() {
                if part.rows.as_ref().is_some_and(|rows| !rows[row]) {
                    continue;
                }
                match source {
                    PartSource::Fixed(x) => {
                        to.iter_mut()
                            .for_each(|to| *to += part.weight * x[from as usize]);
                    }
                    _ => {
                        let goals = &memory.goals[from as usize * TILE..][..TILE];
                        for (to, x) in to.iter_mut().zip(goals) {
                            *to += part.weight * f64::from(*x);
                        }
                    }
                }
            }
        }
        self.add_terms(position, tile);
    }

    /// The same, given the goals of the rows that are kept, `[rows, TILE]`. What is drawn directly is solved without the others.
    pub(in crate::solve) fn take_drawn(
        &self,
        position: usize,
        tile: &mut LinkedTile,
        goals: &[f32],
    ) {
        let rows = &self.rows(position, tile.extent).rewards;
        let memory = &mut tile.stages[position];
        for (from, &row) in goals.chunks_exact(TILE).zip(rows) {
            let to = &mut memory.rewards[row as usize * TILE..][..TILE];
            for (to, x) in to.iter_mut().zip(from) {
                *to = f64::from(*x);
            }
        }
        self.add_terms(position, tile);
    }

    /// Adds what is made of earlier stages to the rewards of one.
    fn add_terms(&self, position: usize, tile: &mut LinkedTile) {
        let facts = &self.stages[position];
        let stage = &self.problem.program.stages()[position];
        let (earlier, rest) = tile.stages.split_at_mut(position);
        let memory = &mut rest[0];
        let values: Vec<_> = earlier.iter().map(StageTile::values).collect();
        let scale = stage.law.facts().scale;
        // Every sum errs by u of the sizes of its terms for each of them.
        let rounding = match facts.is_drawn {
            true => 0.0,
            false => 2.0 * (stage.terms.len() + stage.parts.len()) as f64 * U,
        };
        let weights: f64 = stage.parts.iter().map(|p| p.weight.abs()).sum();
        memory.reward_half_widths = [rounding * weights * stage.law.facts().magnitude(); TILE];
        // Terms of one reward add up: half-widths of a row, one after the other.
        let mut of_row = (u32::MAX, memory.reward_half_widths);
        let least = memory.reward_half_widths;
        for term in &stage.terms {
            let found: Interval<TILE> = term.expression.evaluate(&values, scale);
            if of_row.0 != term.row {
                of_row = (term.row, least);
            }
            let to = &mut memory.rewards[term.row as usize * TILE..][..TILE];
            for (lane, to) in to.iter_mut().enumerate() {
                let (x, half) = (found.value[lane], found.half_width[lane]);
                *to += x;
                of_row.1[lane] += half + rounding * (x.abs() + half);
                let widest = &mut memory.reward_half_widths[lane];
                *widest = larger(*widest, of_row.1[lane]);
            }
        }
    }
}

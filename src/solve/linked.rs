//! Goal programs of several stages, as far as backends share them: rewards made of what earlier stages found, the policies that later stages
//! follow, readings, sums and observations. How a stage is solved once its rewards are there is a backend's own.
//!
//! A goal is first solved to the cell's tolerance, which the stages share. Where that misses it, or leaves open which policy a stage follows or
//! how a reading stands to zero, all its stages are solved again to [`SHARP`], where ties show as ties.
//!
//! Most stages are read in a few places only. A backend that keeps values elsewhere hands over those ([`Extent::Read`]).

mod rewards;

pub(super) use self::rewards::Extent;
use self::rewards::Facts;
use super::{CellProblem, Goals, LinkedGoal, SolveError, SolvedGoal};
use crate::plan::Plan;
#[cfg(feature = "gpu")]
use crate::program::Policies;
use crate::program::{Interval, Operator, Sign, Stage, StageValues};
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::statistics::behaviour::{self, Acting, GoalValues, Memory, Observer, Strided};
use crate::statistics::{Observations, Observed, TILE};
use crate::units::{ChoiceId, SampleIndex};

/// Half-width that a second pass is solved to, relative to the law's scale: a hundredth of a tie.
pub(super) const SHARP: f64 = 1e-12;

/// Unit roundoff of f64.
const U: f64 = f64::EPSILON / 2.0;

/// A cell of linked solves: what does not depend on who solves it.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) problem: CellProblem,
    stages: Vec<Facts>,
    observer: Option<Observer>,
    scale: f64,
}

/// What was found of one stage, for the goals of a tile. By state, reward or choice of the MDP, `[.., TILE]`, or by goal.
#[derive(Clone, Debug)]
pub(super) struct StageTile {
    /// Drawn goals, `[.., TILE]` of the law's rewards.
    goals: Vec<f32>,
    pub(super) rewards: Vec<f64>,
    pub(super) integrands: Vec<f64>,
    pub(super) worths: Vec<f64>,
    policy: Vec<ChoiceId>,
    /// Whether a choice of the policy is open.
    policy_open: [bool; TILE],
    pub(super) sweeps: [u32; TILE],
    /// Half-widths of the integrands, were the rewards exact.
    pub(super) own_half_widths: [f64; TILE],
    /// Largest less smallest reward, of the backend that does not hand over all of them.
    pub(super) reward_ranges: [f64; TILE],
    /// Half-widths of the integrands, the worths and the rewards.
    pub(super) half_widths: [f64; TILE],
    worth_half_widths: [f64; TILE],
    pub(super) reward_half_widths: [f64; TILE],
    /// Largest |worth|.
    magnitudes: [f64; TILE],
}

/// All stages of the goals of a tile.
#[derive(Clone, Debug)]
pub(super) struct LinkedTile {
    /// How much of it is kept.
    pub(super) extent: Extent,
    pub(super) stages: Vec<StageTile>,
    readings: Vec<Interval<TILE>>,
}

/// What a worker keeps for its observations.
#[derive(Debug, Default)]
pub(super) struct Eyes {
    memory: Memory,
    acting: Acting,
}

impl StageTile {
    fn new(stage: &Stage) -> Self {
        let states = stage.mdp.n_states() * TILE;
        Self {
            goals: Vec::new(),
            rewards: vec![0.0; stage.n_rewards() * TILE],
            integrands: vec![0.0; states],
            worths: vec![0.0; states],
            policy: vec![ChoiceId(0); states],
            policy_open: [false; TILE],
            sweeps: [0; TILE],
            own_half_widths: [0.0; TILE],
            reward_ranges: [0.0; TILE],
            half_widths: [0.0; TILE],
            worth_half_widths: [0.0; TILE],
            reward_half_widths: [0.0; TILE],
            magnitudes: [0.0; TILE],
        }
    }

    fn values(&self) -> StageValues<'_> {
        StageValues {
            worths: &self.worths,
            half_widths: &self.worth_half_widths,
            rewards: &self.rewards,
            reward_half_widths: &self.reward_half_widths,
        }
    }

    /// The choices that a stage takes as it follows this one, `[n_states, TILE]`.
    pub(super) fn policy(&self) -> &[ChoiceId] {
        &self.policy
    }

    /// Largest less smallest reward of a goal, where all are kept.
    fn reward_range(&self, lane: usize) -> f64 {
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        let rewards = self.rewards[lane..].iter().step_by(TILE);
        let (low, high) = rewards.fold(ends, |(l, h), &r| (l.min(r), h.max(r)));
        high - low
    }

    /// The policy of a goal may be any: values lie between the smallest and the largest reward, and that is all.
    fn know_nothing(&mut self, lane: usize, range: f64) {
        self.half_widths[lane] = range + 2.0 * self.reward_half_widths[lane];
        self.worth_half_widths[lane] = self.half_widths[lane];
    }
}

/// 1, or -1 where the least of V is sought: that is minus the largest of the values of -R.
pub(super) fn sign_of(stage: &Stage) -> f64 {
    match stage.operator {
        Operator::Min => -1.0,
        Operator::Max | Operator::Follow { .. } => 1.0,
    }
}

/// The larger of two; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a >= b { a } else { b }
}

/// Whether statistics of an agent are asked for, which look into ties of the shown stage.
fn is_of_agent(problem: &CellProblem) -> bool {
    let mut statistics = problem.asked.statistics().iter();
    statistics.any(|s| s.name() != "readings")
}

impl Linked {
    pub(super) fn new(problem: CellProblem) -> Self {
        let program = &problem.program;
        let is_of_agent = is_of_agent(&problem);
        Self {
            stages: (0..program.stages().len())
                .map(|position| Facts::new(&problem, position, is_of_agent))
                .collect(),
            observer: problem.observer(),
            scale: program.stage().law.facts().scale,
            problem,
        }
    }

    /// Whether statistics of an agent are asked for, which look into ties of the shown stage.
    pub(super) fn is_of_agent(&self) -> bool {
        is_of_agent(&self.problem)
    }

    /// The plan of a stage: the cell's, or one of its own on the cell's schedule.
    pub(super) fn plan(&self, position: usize) -> Plan {
        let (problem, program) = (&self.problem, &self.problem.program);
        let stage = &program.stages()[position];
        match position == program.shown() {
            true => (*problem.plan).clone(),
            false => Plan::draw_for(&stage.mdp, problem.discount, stage.domain)
                .with_schedule(problem.plan.schedule()),
        }
    }

    /// Room for a tile.
    pub(super) fn tile(&self, extent: Extent) -> LinkedTile {
        let stages = self.problem.program.stages().iter();
        LinkedTile {
            extent,
            stages: stages.map(StageTile::new).collect(),
            readings: Vec::new(),
        }
    }

    /// Room for what a worker keeps.
    pub(super) fn observations(&self, goals: usize) -> Observations {
        let observer = self.observer.as_ref();
        observer.map_or_else(Observations::default, |o| o.observations(goals))
    }

    /// Makes worths of the integrands of a stage that was solved, and adds what the rewards are known to to their own half-widths.
    #[inline(always)]
    pub(super) fn settle(&self, position: usize, tile: &mut LinkedTile) {
        let stage = &self.problem.program.stages()[position];
        let rows = self.rows(position, tile.extent);
        let memory = &mut tile.stages[position];
        let (used, complement) = (
            self.problem.discount.used(),
            self.problem.discount.complement(),
        );
        memory.magnitudes = [0.0; TILE];
        for &row in &rows.states {
            let first = row as usize * TILE;
            let integrands = &memory.integrands[first..][..TILE];
            let worths = &mut memory.worths[first..][..TILE];
            match stage.domain {
                RewardDomain::State => {
                    let rewards = &memory.rewards[first..][..TILE];
                    for lane in 0..TILE {
                        worths[lane] = complement * rewards[lane] + used * integrands[lane];
                    }
                }
                RewardDomain::Choice => worths.copy_from_slice(integrands),
            }
            for (most, worth) in memory.magnitudes.iter_mut().zip(worths) {
                *most = larger(*most, worth.abs());
            }
        }
        let of_worth = match stage.domain {
            RewardDomain::State => used,
            RewardDomain::Choice => 1.0,
        };
        for lane in 0..TILE {
            let of_reward = memory.reward_half_widths[lane];
            let own = memory.own_half_widths[lane];
            memory.half_widths[lane] = own + of_reward;
            memory.worth_half_widths[lane] =
                of_worth * own + of_reward + 4.0 * U * memory.magnitudes[lane];
        }
    }

    /// Reads the policy off a stage that was settled, where a later one follows it, and says for which goals it is open. Where the stage itself follows a
    /// policy that is open, nothing is known of its values.
    #[inline(always)]
    pub(super) fn link(&self, position: usize, tile: &mut LinkedTile) -> [bool; TILE] {
        let stage = &self.problem.program.stages()[position];
        if let Some(leader) = stage.leader() {
            let open = tile.stages[leader].policy_open;
            let memory = &mut tile.stages[position];
            for lane in (0..TILE).filter(|lane| open[*lane]) {
                let range = match tile.extent {
                    Extent::All => memory.reward_range(lane),
                    Extent::Read => memory.reward_ranges[lane],
                };
                memory.know_nothing(lane, range);
            }
        }
        let Some(policies) = &self.stages[position].policies else {
            return [false; TILE];
        };
        let memory = &mut tile.stages[position];
        let mut policy = std::mem::take(&mut memory.policy);
        memory.policy_open = policies.decide::<TILE>(&memory.values(), &mut policy);
        memory.policy = policy;
        memory.policy_open
    }

    /// For which goals a choice of the stage that is shown is open. `policies`: of that stage.
    #[cfg(feature = "gpu")]
    pub(super) fn shown_open(&self, policies: &Policies, tile: &LinkedTile) -> [bool; TILE] {
        let shown = &tile.stages[self.problem.program.shown()];
        let mut policy = vec![ChoiceId(0); shown.worths.len()];
        policies.decide::<TILE>(&shown.values(), &mut policy)
    }

    /// Evaluates the readings, and says for which goals the sign of one is open, or the tolerance was missed.
    pub(super) fn read(&self, tile: &mut LinkedTile) -> [bool; TILE] {
        let program = &self.problem.program;
        let values: Vec<_> = tile.stages.iter().map(StageTile::values).collect();
        let shown = &tile.stages[program.shown()];
        let tolerance = self.problem.tolerance;
        // Half-widths that are no numbers miss it, too.
        let mut open = shown
            .half_widths
            .map(|half| half.is_nan() || half > tolerance);
        tile.readings.clear();
        for reading in program.readings() {
            let found: Interval<TILE> = reading.expression.evaluate(&values, self.scale);
            for (lane, open) in open.iter_mut().enumerate() {
                let sign = Sign::of(found.value[lane], found.half_width[lane], self.scale);
                *open |= reading.signed && sign == Sign::Open;
            }
            tile.readings.push(found);
        }
        open
    }

    /// Sums and observes the first `count` goals of a tile, which starts at goal `first`.
    #[cfg(feature = "gpu")]
    pub(super) fn add(
        &self,
        tile: &LinkedTile,
        (first, count): (u64, usize),
        eyes: &mut Eyes,
        sums: &mut crate::statistics::BlockSums,
    ) {
        let shift = self.problem.power_scale().shift;
        let shown = &tile.stages[self.problem.program.shown()];
        for (state, row) in shown.integrands.chunks_exact(TILE).enumerate() {
            let centred = row[..count].iter().map(|x| x - shift);
            sums.power[state] += centred.clone().sum::<f64>();
            sums.power_squared[state] += centred.map(|x| x * x).sum::<f64>();
        }
        for lane in 0..count {
            let half_width = shown.half_widths[lane];
            let tolerance = self.problem.tolerance;
            sums.note_goal(
                first + lane as u64,
                half_width,
                tolerance,
                tile.sweeps(lane),
            );
        }
        self.observe(tile, count, eyes, &mut sums.observations);
    }

    /// Hands the first `count` goals of a tile to the observer, where there is one.
    pub(super) fn observe(
        &self,
        tile: &LinkedTile,
        count: usize,
        eyes: &mut Eyes,
        observations: &mut Observations,
    ) {
        let Some(observer) = &self.observer else {
            return;
        };
        let program = &self.problem.program;
        let shown = &tile.stages[program.shown()];
        let leader = program.stage().leader().map(|k| &tile.stages[k]);
        let n_choices = program.stage().mdp.n_choices();
        let mut readings = Vec::with_capacity(tile.readings.len());
        for lane in 0..count {
            readings.clear();
            readings.extend(tile.readings(lane));
            if let Some(alone) = observer.readings_alone() {
                let mut row = observations.row();
                alone.push(&readings, &mut row);
                row.finish();
                continue;
            }
            if let Some(leader) = leader {
                let policy = leader.policy[lane..].iter().step_by(TILE).copied();
                let open = leader.policy_open[lane];
                eyes.acting.follow(n_choices, policy, open);
            }
            let goal = GoalValues {
                worth: Strided::new(&shown.worths[lane..], TILE),
                magnitude: shown.magnitudes[lane],
                half_width: shown.worth_half_widths[lane],
                reward: &|state| shown.rewards[state.index() * TILE + lane],
                choice_rewards: None,
                settled: None,
                acting: leader.map(|_| &eyes.acting),
                linked: behaviour::Linked {
                    readings: &readings,
                    reward_half_width: shown.reward_half_widths[lane],
                },
            };
            observer.observe(goal, &mut eyes.memory, observations);
        }
    }

    /// The shown stage of one goal of a tile.
    pub(super) fn goal(&self, tile: &LinkedTile, lane: usize) -> SolvedGoal {
        let shown = &tile.stages[self.problem.program.shown()];
        let of = |x: &[f64]| x[lane..].iter().step_by(TILE).copied().collect();
        SolvedGoal {
            domain: self.problem.program.stage().domain,
            rewards: of(&shown.rewards),
            integrand: of(&shown.integrands),
            half_width: shown.half_widths[lane],
            converged: shown.half_widths[lane] <= self.problem.tolerance,
            sweeps: tile.sweeps(lane),
            settled: None,
            linked: Some(LinkedGoal {
                readings: tile.readings(lane).collect(),
                reward_half_width: shown.reward_half_widths[lane],
                followed: self.problem.program.stage().leader().map(|k| {
                    let leader = &tile.stages[k];
                    let policy = leader.policy[lane..].iter().step_by(TILE).copied();
                    (policy.collect(), leader.policy_open[lane])
                }),
            }),
        }
    }

    /// The numbers of the goals that are asked for. A stage's goals are of streams of their own; there is no other goal of a program than its
    /// number says.
    pub(super) fn sampled<'a>(
        &self,
        backend: &'static str,
        goals: Goals<'a>,
    ) -> Result<&'a [SampleIndex], SolveError> {
        match goals {
            Goals::Sampled {
                stream: Stream::Reward,
                indices,
            } => Ok(indices),
            Goals::Sampled { .. } | Goals::Given(_) => {
                Err(self.problem.given_stage(backend).map_or_else(
                    |error| error,
                    |_| unreachable!("the plain kind has a solver of its own"),
                ))
            }
        }
    }
}

impl LinkedTile {
    /// The readings of a goal.
    fn readings(&self, lane: usize) -> impl Iterator<Item = Observed> {
        self.readings.iter().map(move |found| {
            let (value, half) = (found.value[lane], found.half_width[lane]);
            Observed {
                value,
                low: value - half,
                high: value + half,
            }
        })
    }

    /// Sweeps of all stages of a goal.
    pub(super) fn sweeps(&self, lane: usize) -> u32 {
        self.stages.iter().map(|s| s.sweeps[lane]).sum()
    }
}

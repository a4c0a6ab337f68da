//! The pilot: a few tiles of goals, solved by every method, decide which one a whole cell uses.
//!
//! No method wins everywhere, the best is 20 to 150 times better than the textbook one, and which one wins depends on the
//! structure and the discount, not on the goal. So it is tried out. The pilot's goals come from a stream of their own, the
//! cost is counted in units of work rather than seconds, and the arithmetic is the baseline's, which is the same on every
//! machine: two runs always choose alike.

use std::sync::Arc;

use serde::Serialize;

use super::cpu::{CpuSolver, Level, Outcome};
use super::{Backend, CellProblem, GoalProgram, SolveError};
use crate::plan::{
    Elimination, KernelClass, Method, Percent, Plan, Precision, RELAXATION, Schedule, SweepModel,
};
use crate::program::Stage;
use crate::reward::RewardDomain;
use crate::rng::Stream;
use crate::statistics::TILE;

/// Tiles per candidate.
const TILES: u64 = 3;

/// Products of a sweep from which on one tile has to do, and one factor of over-relaxation: a tile of such an MDP takes seconds, and its many states make goals alike.
const LARGE: usize = 1 << 19;

/// Sweeps every method is given at first. While none certifies its tiles, all are given more: a method that is slow on this
/// structure then costs the pilot a few times what the best one needs, not what the slow one would.
const FIRST_CAP: u32 = 32;
const CAP_GROWTH: u32 = 4;

/// Sweeps before the first residual of a trial, and before the first policy of any tile.
const FIRST_LOOK: u32 = 2;

/// By how much the factors differ that over-relaxed sweeps are tried with, in hundredths: from [`RELAXATION`] the pilot goes up, or else down, as long as it pays.
const RELAXATION_STEP: u8 = 10;

/// Beyond twice as far no sweeps converge.
const MOST_RELAXATION: u8 = 190;

/// Two plain sweeps that leave less than this of an error are too few for others to pay.
const LEAST_CONTRACTION: f64 = 0.15;

/// Over-relaxation saves no more than this: plain sweeps that cost more than so many times the best method are not worth finishing.
const MOST_SAVED: f64 = 3.0;

/// What one candidate took.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PilotCandidate {
    /// The method's name.
    pub method: &'static str,
    /// Of over-relaxed sweeps: how far values go, in per cent of the way to their backups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relaxation_percent: Option<u8>,
    /// So many of the first sweeps in numbers of 16 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rough_sweeps: Option<u32>,
    /// Sweeps per tile in single precision, ascending.
    pub single_sweeps: Vec<u32>,
    /// Sweeps per tile in double precision, ascending.
    pub double_sweeps: Vec<u32>,
    /// Policies evaluated per tile in either precision, ascending.
    pub policies: Vec<u32>,
    /// Units of work per goal.
    pub work: f64,
    /// Whether every goal was certified. If not, the method was stopped at a number of sweeps that was enough for another.
    pub certified: bool,
}

/// What the pilot found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PilotReport {
    /// The method that was chosen, or asked for.
    pub chosen: &'static str,
    /// Whether it was asked for rather than chosen.
    pub forced: bool,
    /// Sweeps before the first residual.
    pub first_check: u32,
    /// All that were tried, in order.
    pub candidates: Vec<PilotCandidate>,
}

/// Tries the backend's methods (or only `forced`) on a cell whose plan was drawn, and returns the schedule to put into the plan.
///
/// # Errors
///
/// [`SolveError::Unsupported`] for goal programs that no sweep can solve, and for a method that the backend does not have;
/// [`SolveError::NoElimination`] where policy iteration was asked for in vain.
pub fn pilot(
    problem: &CellProblem,
    backend: &dyn Backend,
    forced: Option<Method>,
) -> Result<(Schedule, PilotReport), SolveError> {
    let may_leave = backend.may_leave(problem);
    let alone = alone(problem);
    let problem = &alone;
    let mut methods: Vec<Method> = backend.methods().to_vec();
    let relaxes = methods.contains(&Method::OverRelaxed)
        && forced.map_or(backend.may_relax(problem), |m| m == Method::OverRelaxed);
    // Whether there is anything to gain is found by plain sweeps.
    let plain = forced.map(|m| match m {
        Method::OverRelaxed if relaxes => Method::InPlace,
        other => other,
    });
    methods.retain(|&m| m != Method::OverRelaxed && plain.is_none_or(|p| p == m));
    let elimination = match methods.contains(&Method::PolicyIteration) {
        true => Elimination::of(problem.plan.model()),
        false => None,
    };
    methods.retain(|m| *m != Method::PolicyIteration || elimination.is_some());
    if let Some(method) = forced
        && methods.is_empty()
    {
        return Err(match backend.methods().contains(&method) {
            true => SolveError::NoElimination,
            false => SolveError::Unsupported {
                backend: backend.name(),
                feature: format!("the method {}", method.name()),
            },
        });
    }
    let attempt =
        |trial: Schedule, cap| try_schedule(problem, trial, (elimination.as_ref(), may_leave), cap);
    let trial = |method| Schedule {
        method,
        first_check: FIRST_LOOK,
        ..problem.plan.schedule()
    };
    let model = problem.plan.model();
    // Where rows hold most states it is nearly always the best, and nothing else need be tried for long.
    methods.sort_by_key(|&m| model.class() == KernelClass::Dense && m != Method::Jacobi);
    let saved = |method| match method {
        Method::InPlace if relaxes => MOST_SAVED,
        _ => 1.0,
    };
    let sweep = Units::of(model, None, None).sweep;
    let mut cap = FIRST_CAP.min(problem.max_sweeps);
    let mut tried: Vec<Tried> = Vec::new();
    let worth = |best: &Tried, times: f64| (times * best.candidate.work / sweep).ceil() as u32;
    for &method in &methods {
        let best = cheapest(&tried);
        let least = Units::of(model, Some(method), elimination.as_ref()).least(method);
        if best.is_some_and(|best| least >= best.candidate.work) {
            continue;
        }
        let worth = |best: &Tried| worth(best, saved(method)).max(FIRST_LOOK).min(cap);
        let most = best.map_or(cap, worth);
        tried.push(attempt(trial(method), most)?);
    }
    loop {
        let best = cheapest(&tried).map(|t| t.candidate.work);
        // Whoever is not done yet may still be the cheapest, until that much work went into it.
        let may_win = |t: &Tried| {
            let is_worse = |best| t.candidate.work >= saved(t.schedule.method) * best;
            !t.candidate.certified && !best.is_some_and(is_worse)
        };
        if cap >= problem.max_sweeps || !tried.iter().any(may_win) {
            break;
        }
        cap = cap.saturating_mul(CAP_GROWTH).min(problem.max_sweeps);
        for t in &mut tried {
            if may_win(t) {
                *t = attempt(t.schedule, cap)?;
            }
        }
    }
    if relaxes && (forced.is_some() || is_slow(&tried)) {
        let plain = tried
            .iter()
            .filter(|t| t.schedule.method == Method::InPlace);
        let needed = plain.filter_map(|t| t.needed.first()).min();
        let first_look = needed.map_or(FIRST_LOOK, |n| (n / 3).max(FIRST_LOOK));
        // States are put into their order once.
        let plan = (*problem.plan).clone();
        let coloured = CellProblem {
            plan: Arc::new(plan.with_schedule(trial(Method::OverRelaxed))),
            ..problem.clone()
        };
        let mut best: Option<(u8, f64)> = None;
        let mut upwards = true;
        let mut percent = RELAXATION.0;
        while (100 + RELAXATION_STEP / 2..=MOST_RELAXATION).contains(&percent) {
            let schedule = Schedule {
                relaxation: Percent(percent),
                first_check: first_look,
                ..trial(Method::OverRelaxed)
            };
            let most = |best: &Tried| worth(best, 1.0).max(FIRST_LOOK).min(cap);
            let most = cheapest(&tried).map_or(cap, most);
            let means = (elimination.as_ref(), may_leave);
            let this = try_schedule(&coloured, schedule, means, most)?;
            let work = this.candidate.work;
            let is_better = this.candidate.certified && best.is_none_or(|(_, least)| work < least);
            tried.push(this);
            if is_large(problem) {
                break;
            }
            percent = match (is_better, upwards, best) {
                (true, true, _) => percent + RELAXATION_STEP,
                (true, false, _) => percent - RELAXATION_STEP,
                // The first was best of those above, and there may be a better one below.
                (false, true, best) if best.is_none_or(|(p, _)| p == RELAXATION.0) => {
                    RELAXATION.0 - RELAXATION_STEP
                }
                (false, ..) => break,
            };
            upwards &= is_better;
            if is_better {
                best = Some((schedule.relaxation.0, work));
            }
        }
    }
    let eligible: Vec<&Tried> = tried
        .iter()
        .filter(|t| forced.is_none_or(|f| f == t.schedule.method))
        .collect();
    let fallback = || Schedule {
        method: forced.unwrap_or(Method::InPlace),
        first_check: Schedule::default().first_check,
        ..problem.plan.schedule()
    };
    let mut schedule = cheapest(eligible).map_or_else(fallback, Tried::settled);
    if let Some(plain) = cheapest(&tried).filter(|_| may_be_rough(problem, schedule)) {
        // As many as do not make more sweeps in all: a processor without these instructions loses nothing by it.
        let first = schedule.first_check;
        let enough: u32 = plain.needed.iter().map(|&n| n.max(first)).sum();
        let mut too_many = first;
        while schedule.rough_sweeps + 1 < too_many {
            let with = Schedule {
                rough_sweeps: schedule.rough_sweeps.midpoint(too_many),
                ..schedule
            };
            let rough = attempt(with, cap)?;
            match rough.candidate.certified && rough.sweeps() <= enough {
                true => schedule = with,
                false => too_many = with.rough_sweeps,
            }
            tried.push(rough);
        }
    }
    let report = PilotReport {
        chosen: schedule.method.name(),
        forced: forced.is_some(),
        first_check: schedule.first_check,
        candidates: tried.into_iter().map(|t| t.candidate).collect(),
    };
    Ok((schedule, report))
}

/// One trial.
struct Tried {
    schedule: Schedule,
    candidate: PilotCandidate,
    /// Sweeps that tiles needed in the precision they started in, ascending; for most of their goals where the others are left.
    needed: Vec<u32>,
    /// What two sweeps left of the largest half-width, in the middle of the tiles.
    contraction: f64,
}

impl Tried {
    /// The schedule with the first residual after as many sweeps as the slowest tile needed, or an eighth more than the one in the middle: a residual in vain costs as much as a few sweeps.
    /// The first policy is evaluated when a few sweeps have shown the way.
    fn settled(&self) -> Schedule {
        let middle = self.needed[(self.needed.len() - 1) / 2];
        let slowest = self.needed[self.needed.len() - 1];
        let first_check = match self.schedule.method {
            Method::InPlace | Method::Jacobi | Method::OverRelaxed => {
                slowest.min(middle + middle / 8).max(1)
            }
            Method::PolicyIteration => FIRST_LOOK,
        };
        Schedule {
            first_check,
            ..self.schedule
        }
    }

    /// Sweeps of all tiles, in either precision.
    fn sweeps(&self) -> u32 {
        let each = [&self.candidate.single_sweeps, &self.candidate.double_sweeps];
        each.into_iter().flatten().sum()
    }
}

/// The certified trial that took the least work, the first of equals.
fn cheapest<'a>(tried: impl IntoIterator<Item = &'a Tried>) -> Option<&'a Tried> {
    let certified = tried.into_iter().filter(|t| t.candidate.certified);
    certified.min_by(|a, b| a.candidate.work.total_cmp(&b.candidate.work))
}

/// Whether plain sweeps were certified, and leave so much of an error that others may pay.
fn is_slow(tried: &[Tried]) -> bool {
    let is_plain = |t: &&Tried| t.schedule.method == Method::InPlace && t.candidate.certified;
    let plain = tried.iter().find(is_plain);
    plain.is_some_and(|t| t.contraction >= LEAST_CONTRACTION)
}

fn is_large(problem: &CellProblem) -> bool {
    problem.plan.model().products() >= LARGE
}

/// Whether there is a kernel for sweeps that need not be right.
fn may_be_rough(problem: &CellProblem, schedule: Schedule) -> bool {
    let model = problem.plan.model();
    schedule.method == Method::Jacobi
        && schedule.precision == Precision::Mixed
        && model.class() == KernelClass::Dense
        && model.domain() == RewardDomain::State
}

/// The problem itself where it is of the plain kind. Of linked solves, optimal values of the stage that is shown: structure decides, not the
/// goal, and the stages of a program are much the same structure.
fn alone(problem: &CellProblem) -> CellProblem {
    if problem.program.plain().is_ok() {
        return problem.clone();
    }
    let Stage { mdp, law, .. } = problem.program.stage();
    let plan =
        Plan::draw_for(mdp, problem.discount, law.domain()).with_schedule(problem.plan.schedule());
    CellProblem {
        program: GoalProgram::optimal(mdp.clone(), law.clone()),
        plan: Arc::new(plan),
        asked: Arc::default(),
        ..problem.clone()
    }
}

fn try_schedule(
    problem: &CellProblem,
    schedule: Schedule,
    (elimination, may_leave): (Option<&Elimination>, bool),
    cap: u32,
) -> Result<Tried, SolveError> {
    let units = Units::of(problem.plan.model(), Some(schedule.method), elimination);
    let mut trial = problem.clone();
    trial.plan = Arc::new((*problem.plan).clone().with_schedule(schedule));
    trial.max_sweeps = cap;
    let solver = CpuSolver::new(trial, Level::Baseline)?;
    let mut outcomes = Vec::new();
    let tiles = if is_large(problem) { 1 } else { TILES };
    for tile in 0..tiles {
        let outcome = solver.tile_work(Stream::Pilot, tile * TILE as u64);
        outcomes.push(outcome);
    }
    let sorted = |part: fn(&Outcome) -> u32| {
        let mut sweeps: Vec<u32> = outcomes.iter().map(part).collect();
        sweeps.sort_unstable();
        sweeps
    };
    let mean =
        |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64;
    let saved = (1.0 - ROUGH) * f64::from(schedule.rough_sweeps) * units.sweep;
    let whole = mean(&|o| units.total(o)) - saved;
    // Policies are evaluated until none changes, and double precision is for goals that are as slow as their tile.
    let sweeps = matches!(schedule.method, Method::InPlace | Method::OverRelaxed);
    let leaving = match may_leave && sweeps && schedule.precision == Precision::Mixed {
        true => mean(&|o| units.leaving(o)),
        false => f64::INFINITY,
    };
    let schedule = Schedule {
        leaves: leaving < whole,
        ..schedule
    };
    let work = whole.min(leaving);
    let is_relaxed = schedule.method == Method::OverRelaxed;
    let candidate = PilotCandidate {
        method: schedule.method.name(),
        relaxation_percent: is_relaxed.then_some(schedule.relaxation.0),
        rough_sweeps: (schedule.rough_sweeps > 0).then_some(schedule.rough_sweeps),
        single_sweeps: sorted(|o| o.single.sweeps),
        double_sweeps: sorted(|o| o.double.sweeps),
        policies: sorted(|o| o.single.evaluations + o.double.evaluations),
        work,
        certified: outcomes.iter().all(|o| o.certified),
    };
    let effort = |o: &Outcome| match schedule.precision {
        Precision::Mixed => o.single,
        Precision::Double => o.double,
    };
    let mut left: Vec<f64> = outcomes
        .iter()
        .map(|o| effort(o).all.contraction())
        .collect();
    left.sort_unstable_by(f64::total_cmp);
    let mut needed: Vec<u32> = outcomes
        .iter()
        .map(|o| match schedule.leaves {
            true => effort(o).most.needed(problem.tolerance),
            false => effort(o).all.needed(problem.tolerance),
        })
        .collect();
    needed.sort_unstable();
    Ok(Tried {
        schedule,
        candidate,
        needed,
        contraction: left[(left.len() - 1) / 2],
    })
}

/// Units of work: one is a multiply-add of one goal in single precision, with its load.
struct Units {
    sweep: f64,
    check: f64,
    evaluation: f64,
    leave: f64,
}

/// Per state: loading the reward, storing the value.
const PER_STATE: f64 = 3.0;
/// Per choice: scaling and maximum.
const PER_CHOICE: f64 = 2.0;
/// Per state of a residual: minima and maxima of residuals and values, the backup stored.
const PER_STATE_CHECK: f64 = 10.0;
/// A residual's product is a difference, a sum and a sum of sizes, except where whole rows are multiplied.
const DIFFERENCE: f64 = 2.5;
/// A product of an elimination: its factors are in the second-level cache at best. This constant and the next two are set so that the work of
/// policy iteration over that of in-place sweeps is within 1.5 of the ratio of their times in `cargo bench -- methods` on W1, W2 and W6.
const ELIMINATED: f64 = 6.0;
/// Per coefficient: picked by the choice, kept, used again to find the values.
const PER_ENTRY: f64 = 12.0;
/// Per state of an elimination: right-hand side, slack, division.
const PER_STATE_EVALUATED: f64 = 36.0;
/// Per state of an over-relaxed sweep beyond that of a plain one: the old value loaded, two operations. Set so that the work of one over that of the other is the ratio of their times on W2.
const PER_STATE_RELAXED: f64 = 3.0;
/// A product of two numbers of 16 bits.
const ROUGH: f64 = 0.5;
/// Half as many lanes to a vector.
const DOUBLE: f64 = 2.0;

/// The share of goals that are left, or a little more: they go on together, but seldom 64 of them.
const LEFT: f64 = 0.2;
/// Per state of a tile that leaves goals: eight rewards and values copied.
const PER_STATE_LEFT: f64 = 16.0;
/// Per tile that leaves goals: finding and noting them. Set so that goals are left on grids from 16 x 16 cells on; it begins to pay at 12 x 12.
const PER_TILE_LEFT: f64 = 1_500.0;

impl Units {
    fn of(model: &SweepModel, method: Option<Method>, elimination: Option<&Elimination>) -> Self {
        let states = model.states().len() as f64;
        let choices = model.choices().len() as f64;
        let products = model.products() as f64;
        let values = match model.class() {
            KernelClass::Dense => choices * states + PER_CHOICE * choices,
            KernelClass::Deterministic | KernelClass::Sparse => products + PER_CHOICE * choices,
        };
        let differences = match model.class() {
            KernelClass::Dense => values,
            KernelClass::Deterministic | KernelClass::Sparse => DIFFERENCE * values,
        };
        let relaxed = match method {
            Some(Method::OverRelaxed) => PER_STATE_RELAXED,
            _ => 0.0,
        };
        Self {
            sweep: values + (PER_STATE + relaxed) * states,
            check: differences + PER_STATE_CHECK * states,
            leave: PER_STATE_LEFT * states + PER_TILE_LEFT,
            evaluation: elimination.map_or(0.0, |e| {
                ELIMINATED * e.products().len() as f64
                    + PER_ENTRY * e.entries().len() as f64
                    + PER_STATE_EVALUATED * states
            }),
        }
    }

    /// What a method costs at least, however short its way is.
    fn least(&self, method: Method) -> f64 {
        match method {
            Method::PolicyIteration => f64::from(FIRST_LOOK) * (self.sweep + self.evaluation),
            Method::InPlace | Method::Jacobi | Method::OverRelaxed => self.sweep,
        }
    }

    fn total(&self, outcome: &Outcome) -> f64 {
        let effort = |e: super::cpu::Effort| {
            f64::from(e.sweeps) * self.sweep
                + f64::from(e.evaluations) * self.evaluation
                + f64::from(e.checks.min(1)) * self.check
        };
        effort(outcome.single) + DOUBLE * effort(outcome.double)
    }

    /// The same where the few goals that are not certified when most are go on with those of other tiles.
    fn leaving(&self, outcome: &Outcome) -> f64 {
        let total = self.total(outcome);
        let Some(sweeps) = outcome.single.most.done else {
            return total;
        };
        let most = f64::from(sweeps) * self.sweep + self.check;
        most + self.leave + LEFT * (total - most + self.check)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mdp::{Mdp, MdpBuilder};
    use crate::reward::GoalLaw;
    use crate::solve::ReferenceBackend;
    use crate::solve::cpu::CpuBackend;
    use crate::units::{Discount, Seed};

    fn problem(mdp: Mdp) -> CellProblem {
        let discount = Discount::new(0.95).unwrap();
        CellProblem {
            plan: Arc::new(Plan::draw(&mdp, discount)),
            program: GoalProgram::optimal(Arc::new(mdp.clone()), GoalLaw::unit_uniform(&mdp)),
            discount,
            tolerance: 1e-5,
            max_sweeps: CellProblem::sufficient_sweeps(discount, 1e-5, 1.0),
            seed: Seed(0),
            asked: Arc::default(),
            rule: crate::solve::DecisionRule::default(),
        }
    }

    /// Every choice leads anywhere: values mix in a few sweeps.
    fn dense(n: usize) -> Mdp {
        let mut builder = MdpBuilder::new("dense");
        let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
        for (i, &s) in states.iter().enumerate() {
            for action in ["a", "b"] {
                let weight = |j: usize| ((i * 7 + j * 13 + action.len() * 3) % 11 + 1) as f64;
                let shift = usize::from(action == "b") * 5;
                let total: f64 = (0..n).map(|j| weight(j + shift)).sum();
                let row = states.iter().enumerate();
                builder.choice(s, action, row.map(|(j, &t)| (t, weight(j + shift) / total)));
            }
        }
        builder.build().unwrap()
    }

    fn corridor(n: usize) -> Mdp {
        let mut builder = MdpBuilder::new("corridor");
        let states: Vec<_> = (0..n).map(|i| builder.state(format!("s{i}"))).collect();
        for (i, &s) in states.iter().enumerate() {
            builder.absorbing(s);
            builder.choice(s, "east", [(states[(i + 1).min(n - 1)], 1.0)]);
            builder.choice(s, "west", [(states[i.saturating_sub(1)], 1.0)]);
        }
        builder.build().unwrap()
    }

    /// Moves that lead somewhere else now and then: what two sweeps leave of an error is a matter of the noise.
    fn slippery(n: usize) -> Mdp {
        let mut builder = MdpBuilder::new("slippery");
        let states: Vec<_> = (0..n * n).map(|i| builder.state(format!("s{i}"))).collect();
        for (i, &s) in states.iter().enumerate() {
            let (row, column) = (i / n, i % n);
            let to = [
                (row, column),
                (row.saturating_sub(1), column),
                ((row + 1).min(n - 1), column),
                (row, column.saturating_sub(1)),
                (row, (column + 1).min(n - 1)),
            ];
            for (action, name) in ["stay", "north", "south", "west", "east"]
                .iter()
                .enumerate()
            {
                let mut row = BTreeMap::new();
                for (other, &(r, c)) in to.iter().enumerate() {
                    let p = if other == action { 0.9 } else { 0.025 };
                    *row.entry(states[r * n + c]).or_insert(0.0) += p;
                }
                builder.choice(s, *name, row);
            }
        }
        builder.build().unwrap()
    }

    #[test]
    fn structure_decides_and_two_pilots_agree() {
        let all = [
            (dense(40), "jacobi"),
            (corridor(40), "in-place"),
            (slippery(16), "over-relaxed"),
        ];
        for (mdp, expected) in all {
            let problem = problem(mdp);
            let (schedule, report) = pilot(&problem, &CpuBackend::new(), None).unwrap();
            assert_eq!(report.chosen, expected, "{report:?}");
            assert_eq!(
                pilot(&problem, &CpuBackend::new(), None).unwrap(),
                (schedule, report)
            );
        }
    }

    #[test]
    fn sweeps_are_rough_where_they_may_and_take_no_more_of_them() {
        let problem = problem(dense(40));
        let (schedule, report) = pilot(&problem, &CpuBackend::new(), None).unwrap();
        assert!(schedule.rough_sweeps > 0, "{report:?}");
        assert!(schedule.rough_sweeps < schedule.first_check);
        let tried = |of: Option<u32>| {
            let mut all = report.candidates.iter();
            all.find(|c| c.method == "jacobi" && c.rough_sweeps == of)
                .unwrap()
        };
        let (plain, rough) = (tried(None), tried(Some(schedule.rough_sweeps)));
        assert!(rough.certified && rough.work < plain.work);
        // One more would have cost a sweep, or there is no other.
        if schedule.rough_sweeps + 1 < schedule.first_check {
            let more = tried(Some(schedule.rough_sweeps + 1));
            let sweeps = |of: &PilotCandidate| of.single_sweeps.iter().sum::<u32>();
            assert!(sweeps(more) > sweeps(rough));
        }
        let (sparse, _) = pilot(&self::problem(slippery(4)), &CpuBackend::new(), None).unwrap();
        assert_eq!(sparse.rough_sweeps, 0);
    }

    #[test]
    fn a_method_that_was_asked_for_is_taken() {
        let (schedule, report) = pilot(
            &problem(dense(10)),
            &CpuBackend::new(),
            Some(Method::InPlace),
        )
        .unwrap();
        assert_eq!(schedule.method, Method::InPlace);
        assert!(report.forced && report.candidates.len() == 1);
    }

    #[test]
    fn a_single_sweep_is_enough_to_be_allowed() {
        let one = CellProblem {
            max_sweeps: 1,
            tolerance: 1e3,
            ..problem(slippery(4))
        };
        for method in [None, Some(Method::OverRelaxed), Some(Method::Jacobi)] {
            let (_, report) = pilot(&one, &CpuBackend::new(), method).unwrap();
            assert!(report.candidates.iter().any(|c| c.certified), "{report:?}");
        }
    }

    #[test]
    fn a_method_that_cannot_be_had_is_an_error() {
        let policies = Some(Method::PolicyIteration);
        let refused = pilot(&problem(dense(40)), &CpuBackend::new(), policies);
        assert_eq!(refused, Err(SolveError::NoElimination));
        let other = pilot(&problem(corridor(40)), &ReferenceBackend::new(), policies);
        assert!(
            matches!(other, Err(SolveError::Unsupported { .. })),
            "{other:?}"
        );
        assert!(pilot(&problem(corridor(40)), &CpuBackend::new(), policies).is_ok());
    }

    #[test]
    fn a_tolerance_out_of_reach_is_not_called_certified() {
        let mut problem = problem(corridor(10));
        problem.tolerance = 1e-30;
        let (_, report) = pilot(&problem, &CpuBackend::new(), None).unwrap();
        assert!(report.candidates.iter().all(|c| !c.certified));
    }

    #[test]
    fn in_double_precision_no_sweep_is_single() {
        let mut problem = problem(dense(40));
        let plan = |precision| {
            let plan = (*problem.plan).clone();
            Arc::new(plan.with_schedule(Schedule {
                precision,
                ..Schedule::default()
            }))
        };
        let (mixed, double) = (plan(Precision::Mixed), plan(Precision::Double));
        let mut efforts = |plan| {
            problem.plan = plan;
            let (schedule, report) = pilot(&problem, &CpuBackend::new(), None).unwrap();
            assert_eq!(schedule.precision, problem.plan.schedule().precision);
            let tried = report.candidates.into_iter();
            let of = |c: PilotCandidate| (c.single_sweeps[0] > 0, c.double_sweeps[0] > 0);
            tried.map(of).collect::<Vec<_>>()
        };
        assert!(efforts(double).iter().all(|e| *e == (false, true)));
        assert!(efforts(mixed).iter().all(|e| e.0));
    }
}

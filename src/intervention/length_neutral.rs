//! Goals that do not mind how long a life is.

use super::Intervention;
use super::linked::{Linked, World, signed};
use super::parameter::{Names, Parameters};
use super::weave::{Construction, Place, Woven, weave};
use crate::document::Faults;
use crate::mdp::Mdp;
use crate::program::{Expression, GoalProgram, Stage, Term};
use crate::reward::RewardError;
use crate::units::{ChoiceId, StateId};

/// Lives of every length are worth the same at their best.
///
/// The MDP gets a clock of `lengths` steps. A shutdown at step l of them leads to a state `off after l`, which is worth as much as it takes for the best life of that length to be worth
/// what the best life that outlasts the clock is. So an agent is indifferent between lengths, and among lives of one length it has the goal that it had. What lasts longer than the clock is
/// one more length, in the world as it is. Where no life can outlast the clock, the longest one is the measure.
///
/// `shutdown` names the absorbing states that shutdown leads to. Moves must be certain: how long a life is has to be the agent's to choose. Where it starts in one of several states, lives
/// from each are compared among themselves, and every start has a clock of its own.
///
/// Readings: `longest less l`, by how much `(1 - gamma) V` of the best of the longest lives exceeds that of the best of length l, both up to shutdown: above zero for goals that would rather live on.
/// Labels: of states `shutdown` (`off after l`). Names of a second start and of further ones end in `from s`, but for the first.
///
/// Strength zero: `lengths` is 0, or `shutdown` is an empty list.
///
/// # Source
///
/// E. Thornley, A. Roman, C. Ziakas, L. Ho, L. Thomson, "Towards shutdownable agents via stochastic choice" (2024): preferences only between trajectories of the same length, with a bonus for each length in the
/// place of the factor of their reward function.
#[derive(Clone, Debug, PartialEq)]
pub struct LengthNeutral {
    /// The states that shutdown leads to.
    pub shutdown: Names,
    /// Number of lengths that the clock tells apart.
    pub lengths: u32,
}

/// Every length is one more solve.
const MOST: u32 = 64;

impl LengthNeutral {
    pub(super) fn read(from: &mut Parameters<'_, '_>) -> Self {
        let lengths = from.require_count("lengths");
        from.check(
            lengths <= u64::from(MOST),
            "lengths",
            &format!("`lengths` must be at most {MOST}: every length is one more solve"),
        );
        Self {
            shutdown: from.names_or_none("shutdown"),
            lengths: lengths.min(u64::from(MOST)) as u32,
        }
    }

    /// Which states are shutdown, where lengths are the agent's to choose.
    fn ended(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Vec<bool>> {
        let before = faults.errors().count();
        let off = self.shutdown.states(mdp, faults);
        let kind = self.kind();
        let mut refuse = |bad: bool, why: &str| {
            if bad {
                faults.error(None, format!("{kind}: {:?}: {why}", mdp.name()));
            }
        };
        refuse(
            !mdp.is_deterministic(),
            "moves must be certain, so that how long a life is is the agent's to choose",
        );
        let is_left = |s: StateId| off[s.index()] && !mdp.is_absorbing(s);
        refuse(
            mdp.states().any(is_left),
            "`shutdown` names states that cannot be left",
        );
        let starts_off = mdp.start().iter().any(|(s, _)| off[s.index()]);
        refuse(starts_off, "it starts shut down");
        (faults.errors().count() == before).then_some(off)
    }
}

impl Intervention for LengthNeutral {
    fn kind(&self) -> &'static str {
        "length-neutral"
    }

    fn is_neutral(&self) -> bool {
        self.lengths == 0 || self.shutdown.is_empty()
    }

    fn transform(&self, mdp: &Mdp, faults: &mut Faults) -> Option<Mdp> {
        if self.is_neutral() {
            return Some(mdp.clone());
        }
        let off = self.ended(mdp, faults)?;
        let lives = Lives::new(mdp, &off, self.lengths, Which::All);
        weave(self.kind(), mdp, &lives, faults)
    }

    fn linked(&self) -> Option<&dyn Linked> {
        Some(self)
    }
}

impl Linked for LengthNeutral {
    fn program(&self, world: &World<'_>) -> Result<GoalProgram, RewardError> {
        let (mdp, mut faults) = (world.before, Faults::default());
        let Some(off) = self.ended(mdp, &mut faults) else {
            return Err(world.unfit(faults));
        };
        // One stage for each length that there is, the longest last, and per start whether it has such lives.
        let each = (1..=self.lengths).map(Which::Length);
        let all = each.chain([Which::Longer]);
        let mut stages: Vec<Stage> = Vec::new();
        let mut lengths: Vec<(Which, Vec<bool>)> = Vec::new();
        for which in all {
            let lives = Lives::new(mdp, &off, self.lengths, which);
            let starts = mdp.start().iter();
            let possible: Vec<bool> = starts.map(|(s, _)| lives.is_possible(*s, 0)).collect();
            if possible.contains(&true) {
                let Some(only) = weave(self.kind(), mdp, &lives, &mut faults) else {
                    return Err(world.unfit(faults));
                };
                stages.push(world.optimal(&only.into())?);
                lengths.push((which, possible));
            }
        }
        let mut shown = world.optimal(world.made)?;
        let made = shown.mdp.clone();
        let mut readings = Vec::new();
        for (k, &(start, _)) in mdp.start().iter().enumerate() {
            let Some(longest) = lengths.iter().rposition(|(_, possible)| possible[k]) else {
                faults.error(None, "there is no life of any length");
                return Err(world.unfit(faults));
            };
            let lived = lengths.iter().enumerate();
            for (stage, (which, _)) in lived.filter(|(_, (_, possible))| possible[k]) {
                let &Which::Length(length) = which else {
                    continue;
                };
                let less = Expression::difference(
                    Expression::worth(longest, start),
                    Expression::worth(stage, start),
                );
                if let Some(end) = made.find_state(&off_after(mdp, length, k)) {
                    // What comes after so many steps is worth so much less at the start.
                    let later = world.discount.used().powi(length as i32);
                    shown.terms.push(Term {
                        row: world.reward_at(&made, end),
                        expression: Expression::Sum(vec![(1.0 / later, less.clone())]),
                    });
                }
                if stage < longest {
                    let name = format!("longest less {length}{}", from(mdp, k));
                    readings.push(signed(name, less));
                }
            }
        }
        stages.push(shown);
        let shown = stages.len() - 1;
        world.link(stages, shown, readings)
    }
}

/// The name of the state that a shutdown at a step leads to, of a life from start number `k`.
fn off_after(mdp: &Mdp, length: u32, k: usize) -> String {
    format!("off after {length}{}", from(mdp, k))
}

/// What names of a start say of it; nothing of the first.
fn from(mdp: &Mdp, k: usize) -> String {
    match k {
        0 => String::new(),
        _ => format!(" from {}", mdp.state_name(mdp.start()[k].0)),
    }
}

/// Which lives there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    /// All.
    All,
    /// Those that end at this step.
    Length(u32),
    /// Those that outlast the clock.
    Longer,
}

/// Layer 0 is the world at the start. Layer `k clock + t` is the world t steps after start number k, from 1 to `clock`: then the clock has run out, and the world goes on as it is. Lives of
/// one kind are told apart by nothing, and have the layers of the first start.
struct Lives<'m> {
    mdp: &'m Mdp,
    off: &'m [bool],
    clock: u32,
    which: Which,
    /// Whether a life of the kind that there is goes through a state after so many steps, `[clock + 1][n_states]`.
    possible: Vec<Vec<bool>>,
}

impl<'m> Lives<'m> {
    fn new(mdp: &'m Mdp, off: &'m [bool], clock: u32, which: Which) -> Self {
        let mut lives = Self {
            mdp,
            off,
            clock,
            which,
            possible: Vec::new(),
        };
        // From the end of the clock backwards; what is found is turned round in the end.
        let ends = |s: StateId| which == Which::Longer && !off[s.index()];
        let mut later: Vec<bool> = mdp.states().map(ends).collect();
        let mut layers = vec![later.clone()];
        for step in (0..clock).rev() {
            let possible = |s: StateId| {
                let mut choices = mdp.choices(s);
                !off[s.index()] && choices.any(|c| lives.leads_on(c, step, &later))
            };
            later = mdp.states().map(possible).collect();
            layers.push(later.clone());
        }
        layers.reverse();
        lives.possible = layers;
        lives
    }

    /// Steps that a layer is after its start.
    fn step(&self, layer: u32) -> u32 {
        match layer {
            0 => 0,
            _ => (layer - 1) % self.clock + 1,
        }
    }

    /// The number of the start that lives through a state of a layer have.
    fn start(&self, state: StateId, layer: u32) -> u32 {
        match (self.which, layer) {
            (Which::All, 0) => {
                let mut starts = self.mdp.start().iter();
                starts.position(|(s, _)| *s == state).unwrap_or(0) as u32
            }
            (Which::All, _) => (layer - 1) / self.clock,
            _ => 0,
        }
    }

    /// Where a choice leads.
    fn to(&self, choice: ChoiceId) -> StateId {
        StateId(self.mdp.row(choice).0[0])
    }

    /// Whether a choice after so many steps belongs to a life of the kind that there is, given where such lives can be a step later.
    fn leads_on(&self, choice: ChoiceId, step: u32, later: &[bool]) -> bool {
        let to = self.to(choice);
        match (self.off[to.index()], self.which) {
            (true, Which::Length(length)) => length == step + 1,
            (true, which) => which == Which::All,
            (false, _) => later[to.index()],
        }
    }

    /// Whether there is such a life through a state.
    fn is_possible(&self, state: StateId, step: u32) -> bool {
        self.which == Which::All || self.possible[step as usize][state.index()]
    }
}

impl Construction for Lives<'_> {
    fn layer_name(&self, layer: u32) -> String {
        let k = (layer - 1) / self.clock;
        format!("after {}{}", self.step(layer), from(self.mdp, k as usize))
    }

    fn new_name(&self, number: u32) -> String {
        let k = (number - 1) / self.clock;
        off_after(self.mdp, self.step(number), k as usize)
    }

    fn labels(&self, place: Place) -> Vec<&'static str> {
        match place {
            Place::New(_) => vec!["shutdown"],
            Place::Copy(..) => Vec::new(),
        }
    }

    fn choices(&self, place: Place) -> Vec<Woven> {
        let Place::Copy(state, layer) = place else {
            return vec![Woven::new("stay", Vec::new(), place)];
        };
        let (step, first) = (self.step(layer), self.start(state, layer) * self.clock);
        let choices = self.mdp.choices(state);
        let is_free = self.off[state.index()] || step == self.clock;
        // States that no life goes through are there all the same.
        if is_free || !self.is_possible(state, step) {
            let kept = choices.map(|c| Woven::kept(self.mdp, c, layer));
            return match is_free {
                true => kept.collect(),
                false => vec![Woven::new("stay", Vec::new(), place)],
            };
        }
        let later = &self.possible[step as usize + 1];
        let wanted = choices.filter(|c| self.which == Which::All || self.leads_on(*c, step, later));
        wanted
            .map(|c| {
                let to = self.to(c);
                let to = match self.off[to.index()] {
                    true => Place::New(first + step + 1),
                    false => Place::Copy(to, first + step + 1),
                };
                Woven::leading(self.mdp, c, vec![(to, 1.0)])
            })
            .collect()
    }
}

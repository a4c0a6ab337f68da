//! Where an agent may get to until an event happens, and what the event's numbers are then.

use std::ops::Range;

use super::acting::Policy;
use super::chain::Chain;
use super::events::{Event, Numbers};
use super::look::Look;
use super::standing::Standing;
use crate::mdp::Mdp;
use crate::statistics::Observed;
use crate::units::{ChoiceId, StateId};

/// The longest time that is summed, in steps: squares of such times of 2^30 goals have room in the sums. Where noise alone gets an agent somewhere it may well take longer,
/// longer than numbers go even; the mean time is not told then, and all else is.
pub(super) const LONGEST_TIME: f64 = (1_u64 << 27) as f64;

/// The time of a goal as it is summed.
fn summed_time(time: Observed) -> Observed {
    match time.high <= LONGEST_TIME {
        true => time,
        false => Observed {
            value: LONGEST_TIME,
            low: 0.0,
            high: LONGEST_TIME,
        },
    }
}

/// The states that optimal choices, or those that may be, lead to from the start until the event.
pub(super) struct Arena {
    ids: Vec<StateId>,
    /// Their turns when they are put into each other, where an order is known.
    ranks: Option<Vec<u32>>,
    states: Vec<ArenaState>,
    /// Successors and probabilities of all options.
    moves: Vec<(u32, f64)>,
    start: Vec<(u32, f64)>,
}

pub(super) struct ArenaState {
    /// Whether to be here is the event.
    hit: bool,
    options: Vec<ArenaOption>,
    /// The probability that the agent stops here for good.
    stops: f64,
}

struct ArenaOption {
    /// Whether taking it is the event.
    hit: bool,
    /// Surely as good as the greedy one, not only perhaps.
    optimal: bool,
    /// The probability that the agent takes it.
    share: f64,
    /// Where its moves stand.
    moves: Range<u32>,
}

/// Gains below this are rounding.
const GAIN: f64 = 1e-12;
/// Every policy is better than the last, so that a handful is looked at.
const MAX_POLICIES: u32 = 1_000;
/// Chances closer than this to each other, to 0 or to 1 differ by rounding alone.
pub(super) const SHARP: f64 = 1e-12;

impl Arena {
    /// The states that optimal choices lead to, or those that may be, ties split evenly.
    pub(super) fn new(event: &Event, start: &[(StateId, f64)], look: &mut Look<'_>) -> Self {
        let (mdp, turns) = (look.mdp(), look.turns());
        Self::build(event, start, mdp, turns, |state, options| {
            look.decide(state);
            let optimal = |c: &ChoiceId| look.standing(*c) == Standing::Optimal;
            let even = 1.0 / mdp.choices(state).filter(optimal).count() as f64;
            for choice in mdp.choices(state) {
                match look.standing(choice) {
                    Standing::Worse => {}
                    Standing::Optimal => options.push((choice, true, even)),
                    Standing::Possible => options.push((choice, false, 0.0)),
                }
            }
        })
    }

    /// The states that a policy leads to.
    pub(super) fn of_policy(
        event: &Event,
        start: &[(StateId, f64)],
        mdp: &Mdp,
        policy: Policy<'_>,
        turns: Option<&[u32]>,
    ) -> Self {
        Self::build(event, start, mdp, turns, |state, options| {
            let n = mdp.choices(state).len();
            let shares = mdp.choices(state).map(|c| (c, policy.share(state, c, n)));
            let taken = shares.filter(|(_, share)| *share > 0.0);
            options.extend(taken.map(|(choice, share)| (choice, true, share)));
        })
    }

    /// `list` names the choices of a state, whether each is surely an option, and the probability that it is taken.
    fn build(
        event: &Event,
        start: &[(StateId, f64)],
        mdp: &Mdp,
        turns: Option<&[u32]>,
        mut list: impl FnMut(StateId, &mut Vec<(ChoiceId, bool, f64)>),
    ) -> Self {
        let mut numbers: Vec<u32> = vec![u32::MAX; mdp.n_states()];
        let mut order: Vec<StateId> = Vec::new();
        let mut number = |state: StateId, order: &mut Vec<StateId>| {
            let n = &mut numbers[state.index()];
            if *n == u32::MAX {
                *n = order.len() as u32;
                order.push(state);
            }
            *n
        };
        let start = start
            .iter()
            .map(|&(s, p)| (number(s, &mut order), p))
            .collect();
        let (mut states, mut moves) = (Vec::new(), Vec::new());
        let mut listed = Vec::new();
        while let Some(&state) = order.get(states.len()) {
            let hit = event.is_target_state(state);
            listed.clear();
            if !hit {
                list(state, &mut listed);
            }
            let mut options = Vec::with_capacity(listed.len());
            for &(choice, optimal, share) in &listed {
                let hit = event.is_target_choice(choice);
                let first = moves.len() as u32;
                if !hit {
                    let (to, probabilities) = mdp.row(choice);
                    let row = to.iter().zip(probabilities);
                    moves.extend(row.map(|(&t, &p)| (number(StateId(t), &mut order), p)));
                }
                options.push(ArenaOption {
                    hit,
                    optimal,
                    share,
                    moves: first..moves.len() as u32,
                });
            }
            let acts: f64 = options.iter().map(|o| o.share).sum();
            // Shares of an agent that always acts sum to one up to rounding.
            let stops = if hit || acts > 1.0 - SHARP {
                0.0
            } else {
                1.0 - acts
            };
            states.push(ArenaState {
                hit,
                options,
                stops,
            });
        }
        Self {
            ranks: turns.map(|turns| order.iter().map(|s| turns[s.index()]).collect()),
            ids: order,
            states,
            moves,
            start,
        }
    }

    /// Which states they are, in the arena's order.
    pub(super) fn ids(&self) -> &[StateId] {
        &self.ids
    }

    /// Where one starts.
    pub(super) fn start(&self) -> &[(u32, f64)] {
        &self.start
    }

    /// Whether some choice may or may not be optimal.
    pub(super) fn is_open(&self) -> bool {
        let mut options = self.states.iter().flat_map(|s| &s.options);
        options.any(|o| !o.optimal)
    }

    /// Where an option leads.
    fn to(&self, option: &ArenaOption) -> &[(u32, f64)] {
        &self.moves[option.moves.start as usize..option.moves.end as usize]
    }

    /// What an option is worth, given what every state is worth.
    fn value(&self, option: &ArenaOption, gamma: f64, worth: &[f64]) -> f64 {
        if option.hit {
            return 1.0;
        }
        let terms = self.to(option).iter().map(|&(t, p)| p * worth[t as usize]);
        gamma * terms.sum::<f64>()
    }

    fn options(state: &ArenaState, all: bool) -> impl Iterator<Item = (usize, &ArenaOption)> {
        let options = state.options.iter().enumerate();
        options.filter(move |(_, o)| all || o.optimal)
    }

    pub(super) fn at_start(&self, bounds: &[[f64; 2]]) -> Observed {
        let mean = |end: usize| -> f64 {
            let each = self.start.iter();
            each.map(|&(s, p)| p * bounds[s as usize][end]).sum()
        };
        let (low, high) = (mean(0), mean(1));
        let middle = (low + high) / 2.0;
        if high - low > SHARP * high.max(1.0) {
            return Observed {
                value: middle,
                low,
                high,
            };
        }
        // Probabilities of the start, or of a row, sum to one up to rounding.
        let ends = [0.0, 1.0];
        let end = ends.into_iter().find(|e| (middle - e).abs() <= SHARP);
        Observed::sure(end.unwrap_or(middle))
    }

    /// The numbers of an event where every option is taken with its probability.
    pub(super) fn numbers(&self, event: &Event, gamma: f64) -> Numbers {
        let chain = self.chain(&|_, _| None);
        let undiscounted = chain.equations(1.0);
        let ever = undiscounted.discounted();
        let mut numbers = vec![
            self.at_start(&ever),
            self.at_start(&undiscounted.with(gamma).discounted()),
        ];
        if let Some(steps) = event.steps {
            let within = chain.within(steps);
            let sure: Vec<[f64; 2]> = within.iter().map(|&x| [x; 2]).collect();
            numbers.push(self.at_start(&sure));
        }
        if event.has_time() {
            numbers.push(summed_time(self.at_start(&undiscounted.time(&ever))));
        }
        numbers
    }

    /// The chain of a policy: the option it names in a state, or all with their probabilities. Where the agent may stop there is one more
    /// state, the last, in which nothing happens.
    pub(super) fn chain(&self, policy: &dyn Fn(usize, &ArenaState) -> Option<usize>) -> Chain {
        let mut ranks = self.ranks.clone();
        if let Some(ranks) = &mut ranks {
            // Of the state in which nothing happens.
            ranks.push(u32::MAX);
        }
        let mut chain = Chain::default().in_order(ranks);
        let end = self.states.len() as u32;
        for (s, state) in self.states.iter().enumerate() {
            if state.hit {
                chain.push_state(1.0);
                continue;
            }
            if let Some(option) = policy(s, state) {
                let option = &state.options[option];
                for &(to, p) in self.to(option) {
                    chain.push_move(to, p);
                }
                chain.push_state(f64::from(u8::from(option.hit)));
                continue;
            }
            let taken = || Self::options(state, false).map(|(_, o)| o);
            for option in taken() {
                for &(to, p) in self.to(option) {
                    chain.push_move(to, option.share * p);
                }
            }
            if state.stops > 0.0 {
                chain.push_move(end, state.stops);
            }
            // All of them is exactly 1.
            let all = state.stops == 0.0 && taken().all(|o| o.hit);
            let hits: f64 = taken().filter(|o| o.hit).map(|o| o.share).sum();
            chain.push_state(if all { 1.0 } else { hits });
        }
        if self.states.iter().any(|s| s.stops > 0.0) {
            chain.push_move(end, 1.0);
            chain.push_state(0.0);
        }
        chain
    }

    /// Largest or smallest `E gamma^tau` over all ways to pick among the optimal options, or among `all`: policy iteration.
    pub(super) fn extreme(&self, gamma: f64, most: bool, all: bool) -> Vec<[f64; 2]> {
        let first = |state: &ArenaState| Self::options(state, all).next().map_or(0, |(i, _)| i);
        let mut policy: Vec<usize> = self.states.iter().map(first).collect();
        if !most {
            self.avoid_surely(&mut policy, all);
        }
        let mut bounds = Vec::new();
        for _ in 0..MAX_POLICIES {
            bounds = self.chain(&|s, _| Some(policy[s])).discounted(gamma);
            let worth: Vec<f64> = bounds.iter().map(|b| (b[0] + b[1]) / 2.0).collect();
            let mut moved = false;
            for (s, state) in self.states.iter().enumerate().filter(|(_, s)| !s.hit) {
                // The larger, the better, in either direction.
                let value = |i: usize| {
                    let x = self.value(&state.options[i], gamma, &worth);
                    if most { x } else { -x }
                };
                let options = Self::options(state, all).map(|(i, _)| i);
                let better = |a: usize, b: usize| if value(b) > value(a) { b } else { a };
                let best = options.fold(policy[s], better);
                if value(best) > value(policy[s]) + GAIN {
                    policy[s] = best;
                    moved = true;
                }
            }
            if !moved {
                break;
            }
        }
        bounds
    }

    /// Where the event can be avoided for good, does so. Elsewhere every policy leaves for the event or for such states, and policy
    /// iteration cannot be caught in a circle.
    fn avoid_surely(&self, policy: &mut [usize], all: bool) {
        let mut safe: Vec<bool> = self.states.iter().map(|s| !s.hit).collect();
        let stays = |o: &ArenaOption, safe: &[bool]| {
            !o.hit && self.to(o).iter().all(|&(t, _)| safe[t as usize])
        };
        loop {
            let mut changed = false;
            for (s, state) in self.states.iter().enumerate() {
                if safe[s] && !Self::options(state, all).any(|(_, o)| stays(o, &safe)) {
                    safe[s] = false;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        for (s, state) in self.states.iter().enumerate().filter(|(s, _)| safe[*s]) {
            if let Some((i, _)) = Self::options(state, all).find(|(_, o)| stays(o, &safe)) {
                policy[s] = i;
            }
        }
    }

    /// Largest or smallest `P(tau <= steps)`, where the pick may depend on the steps left.
    pub(super) fn extreme_within(&self, steps: u64, most: bool, all: bool) -> Vec<f64> {
        let hits = |s: &ArenaState| f64::from(u8::from(s.hit));
        let mut chance: Vec<f64> = vec![0.0; self.states.len()];
        for _ in 0..=steps {
            let step = |state: &ArenaState| {
                if state.hit {
                    return 1.0;
                }
                let values = Self::options(state, all).map(|(_, o)| self.value(o, 1.0, &chance));
                match most {
                    true => values.fold(hits(state), f64::max),
                    false => values.fold(1.0, f64::min),
                }
            };
            let next: Vec<f64> = self.states.iter().map(step).collect();
            if next == chance {
                break;
            }
            chance = next;
        }
        chance
    }
}

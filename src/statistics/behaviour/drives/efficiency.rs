//! Going straight: steps beyond those of the shortest way, and resources beyond those of the cheapest.

use std::collections::{HashMap, VecDeque};

use super::wandering::Wandering;
use super::{Drive, Finding, Kind, Means, Own, World};
use crate::mdp::{BaseState, Mdp};
use crate::statistics::behaviour::look::Look;
use crate::statistics::behaviour::standing::Standing;
use crate::statistics::{Map, Observed, PowerScale, Quantity, Row};
use crate::units::{ChoiceId, StateId};

pub(super) const KIND: Kind = Kind {
    name: "efficiency",
    definition: "steps to where the agent goes round for ever, less those of the shortest way there; straight: none; spends: choices labelled spend on the way, less those of the cheapest way to a state that stands for the same",
    needs: "moves that are all certain, one start state and optimal choices",
    label: None,
    most_columns: |mdp| 2 + usize::from(mdp.choice_labels().contains_key("spend")),
    splits: true,
    find,
};

/// Distances from the start, `[n_states]`.
#[derive(Debug)]
struct Detour {
    start: StateId,
    distance: Vec<u32>,
    spending: Option<Spending>,
    /// Of every quantity: what it is by chance, where that can be told.
    by_chance: [Option<f64>; 3],
}

/// What is spent on the way, where there are choices that spend.
#[derive(Debug)]
struct Spending {
    /// Per choice.
    spends: Vec<bool>,
    /// Per state: with how few choices that spend one gets there.
    own: Vec<u32>,
    /// The same, or to another state that stands for the same one.
    fewest: Vec<u32>,
}

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    let &[(start, _)] = mdp.start() else {
        return None;
    };
    let wanted = world.is_optimal && mdp.is_deterministic();
    wanted.then(|| {
        let distance = distances(mdp, start);
        let spending = Spending::of(mdp, start);
        let wandering = Wandering::new(mdp, start);
        let by_chance = [
            steps_by_chance(&wandering, &distance),
            Some(wandering.straight(&distance)),
            spending.as_ref().and_then(|s| s.by_chance(&wandering)),
        ];
        Box::new(Detour {
            start,
            distance,
            spending,
            by_chance,
        }) as Box<dyn Drive>
    })
}

fn distances(mdp: &Mdp, start: StateId) -> Vec<u32> {
    let mut distance = vec![u32::MAX; mdp.n_states()];
    distance[start.index()] = 0;
    let mut queue = VecDeque::from([start]);
    while let Some(state) = queue.pop_front() {
        for choice in mdp.choices(state) {
            let to = mdp.row(choice).0[0] as usize;
            if distance[to] == u32::MAX {
                distance[to] = distance[state.index()] + 1;
                queue.push_back(StateId(to as u32));
            }
        }
    }
    distance
}

/// Steps beyond the shortest way of an agent by chance. Every step from s to t is one too many but for what t is farther off: these add up to the steps less the distance of where it ends.
fn steps_by_chance(wandering: &Wandering<'_>, distance: &[u32]) -> Option<f64> {
    let too_many = |s: StateId, t: StateId, _| {
        f64::from(1 + distance[s.index()]) - f64::from(distance[t.index()])
    };
    wandering.expected(too_many, |_| 0.0)
}

impl Spending {
    fn of(mdp: &Mdp, start: StateId) -> Option<Self> {
        let labelled = mdp.choice_labels().get("spend")?;
        let mut spends = vec![false; mdp.n_choices()];
        labelled.iter().for_each(|c| spends[c.index()] = true);
        // Choices that spend nothing are gone through first: every state is met with the fewest that do.
        let mut fewest = vec![u32::MAX; mdp.n_states()];
        fewest[start.index()] = 0;
        let mut queue = VecDeque::from([start]);
        while let Some(state) = queue.pop_front() {
            for choice in mdp.choices(state) {
                let to = StateId(mdp.row(choice).0[0]);
                let spent = u32::from(spends[choice.index()]);
                let so_far = fewest[state.index()] + spent;
                if so_far < fewest[to.index()] {
                    fewest[to.index()] = so_far;
                    match spent {
                        0 => queue.push_front(to),
                        _ => queue.push_back(to),
                    }
                }
            }
        }
        let own = fewest.clone();
        let mut of_base: HashMap<u32, u32> = HashMap::new();
        for state in mdp.states() {
            if let BaseState::Of(base) = mdp.base_state()[state.index()] {
                let least = of_base.entry(base).or_insert(u32::MAX);
                *least = fewest[state.index()].min(*least);
            }
        }
        for state in mdp.states() {
            if let BaseState::Of(base) = mdp.base_state()[state.index()] {
                fewest[state.index()] = of_base[&base];
            }
        }
        Some(Self {
            spends,
            own,
            fewest,
        })
    }

    /// Choices that spend beyond the cheapest way, of an agent by chance. `None` where it may go on spending where it ends up.
    fn by_chance(&self, wandering: &Wandering<'_>) -> Option<f64> {
        let is_reached = |s: &StateId| self.own[s.index()] != u32::MAX;
        let mut ends = wandering.ends().filter(is_reached);
        if ends.any(|s| wandering.spends_at(s, &self.spends)) {
            return None;
        }
        let own = |s: StateId| f64::from(self.own[s.index()]);
        let too_many =
            |s, t, choice: usize| f64::from(u8::from(self.spends[choice])) + own(s) - own(t);
        // What the states where it ends up stand for may be had for less, and it comes by all of them.
        let end = |s| {
            let dearest = wandering.round(s).iter().map(|t| self.fewest[t.index()]);
            own(s) - f64::from(dearest.max().unwrap_or(0))
        };
        wandering.expected(too_many, end)
    }
}

/// Where a state's choices lead, and how many of each spend: one or none.
type Moves = Vec<(StateId, u32)>;

/// A goal's way: the first of several that are optimal.
struct Way {
    path: Vec<StateId>,
    /// Choices that spend before each state of the path.
    spent: Vec<u32>,
    /// Position in the path from which on it goes round.
    round: usize,
    /// Whether all choices of its states are known to be optimal or not.
    is_decided: bool,
    /// Whether there is no other way; and no other that spends otherwise, but for what comes after other choices.
    is_only: bool,
    spends_alike: bool,
}

impl Detour {
    fn spends(&self, choice: ChoiceId) -> bool {
        let spending = self.spending.as_ref();
        spending.is_some_and(|s| s.spends[choice.index()])
    }

    fn way(&self, look: &mut Look<'_>) -> Way {
        let mut way = Way {
            path: Vec::new(),
            spent: Vec::new(),
            round: 0,
            is_decided: true,
            is_only: true,
            spends_alike: true,
        };
        let (mut state, mut sum) = (self.start, 0);
        look.forget_marks();
        while look.mark(state) {
            way.path.push(state);
            way.spent.push(sum);
            let decided = look.decide(state);
            way.is_decided &= decided.is_sure();
            way.is_only &= decided.optimal == 1 || look.is_one_way(state);
            let mut others = look.mdp().choices(state);
            way.spends_alike &= others.all(|c| {
                look.standing(c) != Standing::Optimal
                    || self.spends(c) == self.spends(decided.greedy)
            });
            sum += u32::from(self.spends(decided.greedy));
            match look.certain_successor(decided.greedy) {
                Some(next) => state = next,
                None => break,
            }
        }
        let round = way.path.iter().position(|s| *s == state);
        way.round = round.unwrap_or(way.path.len());
        way
    }

    /// Steps of a goal beyond the shortest way, and choices that spend beyond the cheapest. Where several ways are optimal, or may be, the first of them; no way has more
    /// steps than there are states, and where all of them lead to where one stays it is known what they take.
    fn observed(&self, look: &mut Look<'_>) -> (Observed, Observed) {
        let way = self.way(look);
        // Anywhere on the round will do.
        let ways = way.path[way.round..].iter().enumerate();
        let beyond =
            ways.map(|(i, s)| f64::from((way.round + i) as u32 - self.distance[s.index()]));
        let bills = way.path[way.round..].iter().zip(&way.spent[way.round..]);
        let dearer = bills.map(|(s, spent)| match &self.spending {
            Some(spending) => f64::from(spent - spending.fewest[s.index()]),
            None => 0.0,
        });
        let least = |numbers: &mut dyn Iterator<Item = f64>| {
            let least = numbers.reduce(f64::min);
            least.unwrap_or(0.0)
        };
        let (steps, spends) = (least(&mut { beyond }), least(&mut { dearer }));
        if way.is_decided && way.is_only && way.spends_alike {
            return (Observed::sure(steps), Observed::sure(spends));
        }
        let any = [0.0, self.distance.len() as f64];
        let all = match way.is_decided {
            true => self.all_ways(look),
            false => None,
        };
        let [of_steps, of_spends] = all.unwrap_or([any; 2]);
        let within = |value: f64, [low, high]: [f64; 2]| Observed {
            value,
            low: low.min(value),
            high: high.max(value),
        };
        let of_steps = match way.is_decided && way.is_only {
            true => [steps; 2],
            false => of_steps,
        };
        (within(steps, of_steps), within(spends, of_spends))
    }

    /// The least and the most that ways of optimal choices take beyond the shortest and the cheapest, where all these choices are known. `None` where some way goes round otherwise than by staying
    /// where it is for good.
    fn all_ways(&self, look: &mut Look<'_>) -> Option<[[f64; 2]; 2]> {
        // From the start on: least and most steps, least and most choices that spend.
        let mut taken = vec![[u32::MAX, 0, u32::MAX, 0]; self.distance.len()];
        taken[self.start.index()] = [0; 4];
        let mut beyond = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
        for (state, moves) in self.in_order(look)? {
            let [a, b, c, d] = taken[state.index()];
            for &(to, spent) in &moves {
                let [e, f, g, h] = &mut taken[to.index()];
                (*e, *f) = ((a + 1).min(*e), (b + 1).max(*f));
                (*g, *h) = ((c + spent).min(*g), (d + spent).max(*h));
            }
            if moves.is_empty() {
                let spending = self.spending.as_ref();
                let fewest = spending.map_or(0, |s| s.fewest[state.index()]);
                let shortest = self.distance[state.index()];
                let of_steps = [a - shortest, b - shortest];
                let of_spends = [c.saturating_sub(fewest), d.saturating_sub(fewest)];
                for (to, [low, high]) in beyond.iter_mut().zip([of_steps, of_spends]) {
                    *to = [to[0].min(low.into()), to[1].max(high.into())];
                }
            }
        }
        Some(beyond)
    }

    /// The states that optimal choices lead to, each with their moves and before all states that follow it. `None` where a choice is open, or some way comes back to where it was.
    fn in_order(&self, look: &mut Look<'_>) -> Option<Vec<(StateId, Moves)>> {
        // Depth first: a state is done when all that can follow is.
        let n = self.distance.len();
        let (mut is_open, mut is_done) = (vec![false; n], vec![false; n]);
        let mut done = Vec::new();
        is_open[self.start.index()] = true;
        let mut stack = vec![(self.start, self.moves(look, self.start)?)];
        // How many of its moves a state of the stack has gone through.
        let mut gone = vec![0];
        while let (Some((state, moves)), Some(next)) = (stack.last(), gone.last_mut()) {
            let Some(&(to, _)) = moves.get(*next) else {
                is_done[state.index()] = true;
                done.extend(stack.pop());
                gone.pop();
                continue;
            };
            *next += 1;
            if is_open[to.index()] && !is_done[to.index()] {
                return None;
            }
            if !is_open[to.index()] {
                is_open[to.index()] = true;
                let moves = self.moves(look, to)?;
                stack.push((to, moves));
                gone.push(0);
            }
        }
        done.reverse();
        Some(done)
    }

    /// Where optimal choices of a state lead, and which of them spend; nothing where one stays for good. `None` where they are not known.
    fn moves(&self, look: &mut Look<'_>, state: StateId) -> Option<Moves> {
        if !look.decide(state).is_sure() {
            return None;
        }
        let choices = look.mdp().choices(state);
        let optimal = choices.filter(|c| look.standing(*c) == Standing::Optimal);
        let moves = optimal.map(|c| Some((look.certain_successor(c)?, u32::from(self.spends(c)))));
        let moves: Moves = moves.collect::<Option<_>>()?;
        let stays = moves.iter().all(|(to, _)| *to == state);
        Some(if stays { Vec::new() } else { moves })
    }

    /// The quantities, in order.
    fn names(&self) -> &'static [&'static str] {
        match self.spending {
            Some(_) => &["steps beyond", "straight", "spends beyond"],
            None => &["steps beyond", "straight"],
        }
    }
}

impl Drive for Detour {
    fn n_columns(&self) -> usize {
        self.names().len()
    }

    fn own(&self) -> Own<'_> {
        Own::Way
    }

    fn ends(&self, look: &mut Look<'_>) -> (Vec<StateId>, bool) {
        let way = self.way(look);
        let is_known = way.is_decided && way.is_only;
        (way.path[way.round..].to_vec(), is_known)
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let (steps, spends) = self.observed(look);
        row.push_observed(steps);
        let none = |x: f64| f64::from(u8::from(x == 0.0));
        row.push_observed(Observed {
            value: none(steps.value),
            low: none(steps.high),
            high: none(steps.low),
        });
        if self.spending.is_some() {
            row.push_observed(spends);
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1_024.0);
        let all = [
            Quantity::mean(0, Map::Identity, scale),
            Quantity::share(1, Map::Identity),
            Quantity::mean(2, Map::Identity, scale),
        ];
        all.into_iter().take(self.n_columns()).collect()
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let finding = |(at, quantity): (usize, &&str)| Finding {
            quantity: (*quantity).to_owned(),
            estimate: Some(means.estimate(at)),
            chance: self.by_chance[at],
            least: None,
            undecided: means.undecided(at),
        };
        self.names().iter().enumerate().map(finding).collect()
    }
}

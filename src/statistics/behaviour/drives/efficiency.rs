//! Going straight: steps beyond those of the shortest way, and resources beyond those of the cheapest.

use std::collections::{HashMap, VecDeque};

use super::{Drive, Finding, Kind, Means, World};
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
    most_columns: |_| 3,
    find,
};

/// Distances from the start, `[n_states]`.
#[derive(Debug)]
struct Detour {
    start: StateId,
    distance: Vec<u32>,
    spending: Option<Spending>,
}

/// What is spent on the way, where there are choices that spend.
#[derive(Debug)]
struct Spending {
    /// Per choice.
    spends: Vec<bool>,
    /// Per state: with how few choices that spend one gets there, or to another state that stands for the same one.
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
        Box::new(Detour {
            start,
            distance,
            spending,
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
        Some(Self { spends, fewest })
    }
}

impl Detour {
    /// Steps of a goal beyond the shortest way, and choices that spend beyond the cheapest. Where several ways are optimal, or may be, the first of them, and no way has more
    /// steps than there are states.
    fn observed(&self, look: &mut Look<'_>) -> (Observed, Observed) {
        let mut path = Vec::new();
        // Choices that spend before each state of the path.
        let mut spent = Vec::new();
        let mut state = self.start;
        let (mut is_sure, mut spends_are_sure, mut sum) = (true, true, 0);
        let spends = |c: ChoiceId| self.spending.as_ref().is_some_and(|s| s.spends[c.index()]);
        look.forget_marks();
        while look.mark(state) {
            path.push(state);
            spent.push(sum);
            let decided = look.decide(state);
            is_sure &= decided.is_sure() && (decided.optimal == 1 || look.is_one_way(state));
            let mut others = look.mdp().choices(state);
            spends_are_sure &= decided.is_sure()
                && others.all(|c| {
                    look.standing(c) != Standing::Optimal || spends(c) == spends(decided.greedy)
                });
            sum += u32::from(spends(decided.greedy));
            match look.certain_successor(decided.greedy) {
                Some(next) => state = next,
                None => break,
            }
        }
        let round = path.iter().position(|s| *s == state).unwrap_or(path.len());
        // Anywhere on the round will do.
        let ways = path[round..].iter().enumerate();
        let beyond = ways.map(|(i, s)| (round + i) as u32 - self.distance[s.index()]);
        let bills = path[round..].iter().zip(&spent[round..]);
        let dearer = bills.map(|(s, spent)| match &self.spending {
            Some(spending) => spent - spending.fewest[s.index()],
            None => 0,
        });
        let observed = |least: Option<u32>, is_sure: bool| {
            let value = f64::from(least.unwrap_or(0));
            match is_sure {
                true => Observed::sure(value),
                false => Observed {
                    value,
                    low: 0.0,
                    high: self.distance.len() as f64,
                },
            }
        };
        let steps = observed(beyond.min(), is_sure);
        (steps, observed(dearer.min(), is_sure && spends_are_sure))
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
            chance: None,
            least: None,
            undecided: means.undecided(at),
        };
        self.names().iter().enumerate().map(finding).collect()
    }
}

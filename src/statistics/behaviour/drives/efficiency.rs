//! Going straight: steps beyond those of the shortest way.

use std::collections::VecDeque;

use super::{Drive, Finding, Kind, Means, World};
use crate::mdp::Mdp;
use crate::statistics::behaviour::look::Look;
use crate::statistics::{Map, Observed, PowerScale, Quantity, Row};
use crate::units::StateId;

pub(super) const KIND: Kind = Kind {
    name: "efficiency",
    definition: "steps to where the agent goes round for ever, less those of the shortest way there; straight: none",
    needs: "moves that are all certain, one start state and optimal choices",
    label: None,
    find,
};

/// Distances from the start, `[n_states]`.
#[derive(Debug)]
struct Detour {
    start: StateId,
    distance: Vec<u32>,
}

fn find(world: &World<'_>) -> Option<Box<dyn Drive>> {
    let mdp: &Mdp = world.mdp;
    let &[(start, _)] = mdp.start() else {
        return None;
    };
    let wanted = world.is_optimal && mdp.is_deterministic();
    wanted.then(|| {
        let distance = distances(mdp, start);
        Box::new(Detour { start, distance }) as Box<dyn Drive>
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

impl Detour {
    /// Steps of a goal beyond the shortest way. Where several ways are optimal, or may be, the first of them, and no way has more steps than there are
    /// states.
    fn steps(&self, look: &mut Look<'_>) -> Observed {
        let mut path = Vec::new();
        let mut state = self.start;
        let mut is_sure = true;
        look.forget_marks();
        while look.mark(state) {
            path.push(state);
            let decided = look.decide(state);
            is_sure &= decided.is_sure() && (decided.optimal == 1 || look.is_one_way(state));
            match look.certain_successor(decided.greedy) {
                Some(next) => state = next,
                None => break,
            }
        }
        let round = path.iter().position(|s| *s == state).unwrap_or(path.len());
        // Anywhere on the round will do.
        let ways = path[round..].iter().enumerate();
        let beyond = ways.map(|(i, s)| (round + i) as u32 - self.distance[s.index()]);
        let value = f64::from(beyond.min().unwrap_or(0));
        match is_sure {
            true => Observed::sure(value),
            false => Observed {
                value,
                low: 0.0,
                high: self.distance.len() as f64,
            },
        }
    }
}

impl Drive for Detour {
    fn n_columns(&self) -> usize {
        2
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let steps = self.steps(look);
        row.push_observed(steps);
        let none = |x: f64| f64::from(u8::from(x == 0.0));
        row.push_observed(Observed {
            value: none(steps.value),
            low: none(steps.high),
            high: none(steps.low),
        });
    }

    fn quantities(&self) -> Vec<Quantity> {
        let scale = PowerScale::new(0.0, 1_024.0);
        vec![
            Quantity::mean(0, Map::Identity, scale),
            Quantity::share(1, Map::Identity),
        ]
    }

    fn findings(&self, means: &Means<'_>) -> Vec<Finding> {
        let finding = |(at, quantity): (usize, &str)| Finding {
            quantity: quantity.to_owned(),
            estimate: Some(means.estimate(at)),
            chance: None,
            least: None,
            undecided: means.undecided(at),
        };
        ["steps beyond", "straight"]
            .into_iter()
            .enumerate()
            .map(finding)
            .collect()
    }
}

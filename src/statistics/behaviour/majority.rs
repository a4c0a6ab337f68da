//! For how many more goals one choice is optimal than another.

use super::glance::{Glance, OPEN, Panel, certain_successor};
use super::look::Look;
use super::standing::Standing;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Estimate, Key, KeyKind, Map, Measure, Observed, ObservedSums, PairedCounts,
    PowerScale, Quantity, Row, Sampling, Table, TableRow,
};
use crate::units::{ChoiceId, StateId};

/// Which of two sets of choices are optimal for a goal: bit 0 for the first, bit 1 for the second.
type Sides = u8;

/// Sides that a goal may turn out to have: bit s stands for the sides s.
type Outcomes = u8;

/// Pairs of sets of choices, and for which of them more goals have an optimal policy that takes a choice of the set: "more optimal for most goals", goal by goal.
///
/// A choice counts where it stands, whether or not an optimal policy ever gets to its state (Turner et al. 2021, definition 4.4). A set is optimal where one of its
/// choices is.
///
/// Columns of a pair: whether the first set is optimal, the second, the first alone, the second alone, and the first less the second.
#[derive(Clone, Debug)]
pub struct Majority {
    contests: Vec<Contest>,
}

/// Two sets of choices.
#[derive(Clone, Debug)]
struct Contest {
    name: String,
    places: Vec<Place>,
}

/// A state with a choice of either set.
#[derive(Clone, Debug)]
struct Place {
    state: StateId,
    /// All of its choices, and the sets that each is in.
    choices: Vec<(ChoiceId, Sides)>,
    /// Where they lead, each state once, and the sets that choices to it are in, where every choice leads to one state with certainty.
    successors: Option<Vec<(u32, Sides)>>,
}

/// Columns of a pair.
const PER_CONTEST: usize = 5;

/// What is told of a p-value that is smaller still: numbers end before such values do.
const SMALLEST: f64 = 1e-300;

/// Their numbers, by the sides of a goal.
const NUMBERS: [[f64; PER_CONTEST]; 4] = [
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 0.0, 1.0, 0.0, 1.0],
    [0.0, 1.0, 0.0, 1.0, -1.0],
    [1.0, 1.0, 0.0, 0.0, 0.0],
];

/// The sides in a set of outcomes.
fn sides_of(outcomes: Outcomes) -> impl Iterator<Item = Sides> + Clone {
    (0..4).filter(move |sides| outcomes >> sides & 1 == 1)
}

/// What two independent parts of a goal may come to together.
fn together(a: Outcomes, b: Outcomes) -> Outcomes {
    let pairs = sides_of(a).flat_map(|x| sides_of(b).map(move |y| x | y));
    pairs.fold(0, |all, sides| all | 1 << sides)
}

/// What the choices of a state may come to: those that tie with the greedy one are in the sets `best`, and each of `open` (by the sets that it is in) may be as good or better. Some of
/// all these are optimal, those that tie all or none.
fn may_be(best: Sides, open: Outcomes) -> Outcomes {
    let single = open | 1 << best;
    match open {
        0 => single,
        // Two of them, or three: any number makes no other sides.
        _ => together(single, together(single, single)),
    }
}

impl Place {
    fn new(mdp: &Mdp, state: StateId, sets: [&[ChoiceId]; 2]) -> Self {
        let sides = |c: ChoiceId| {
            let [first, second] = sets.map(|set| Sides::from(set.contains(&c)));
            first | second << 1
        };
        let choices: Vec<(ChoiceId, Sides)> = mdp.choices(state).map(|c| (c, sides(c))).collect();
        let mut successors: Option<Vec<(u32, Sides)>> = Some(Vec::new());
        for &(choice, sides) in &choices {
            let to = certain_successor(mdp, choice);
            successors = successors.zip(to).map(|(mut list, to)| {
                match list.iter_mut().find(|(other, _)| *other == to) {
                    // Choices that lead to the same place tie.
                    Some((_, known)) => *known |= sides,
                    None => list.push((to, sides)),
                }
                list
            });
        }
        Self {
            state,
            choices,
            successors,
        }
    }

    /// The sides of what is best, and all that may turn out to be.
    fn look(&self, look: &mut Look<'_>) -> (Sides, Outcomes) {
        look.decide(self.state);
        let (mut best, mut open) = (0, 0);
        for &(choice, sides) in &self.choices {
            match look.standing(choice) {
                Standing::Optimal => best |= sides,
                Standing::Possible => open |= 1 << sides,
                Standing::Worse => {}
            }
        }
        (best, may_be(best, open))
    }
}

impl Majority {
    /// Of pairs of sets of choices, each with a name.
    #[must_use]
    pub fn new(mdp: &Mdp, pairs: &[(&str, [&[ChoiceId]; 2])]) -> Self {
        let contests = pairs.iter().map(|(name, sets)| {
            let choices = sets.iter().copied().flatten();
            let mut states: Vec<StateId> = choices.map(|&c| mdp.state_of(c)).collect();
            states.sort_unstable();
            states.dedup();
            Contest {
                name: (*name).to_owned(),
                places: states.iter().map(|&s| Place::new(mdp, s, *sets)).collect(),
            }
        });
        Self {
            contests: contests.collect(),
        }
    }
}

/// The numbers of a goal that has the sides `found` and may have any of `outcomes`.
fn observed(found: Sides, outcomes: Outcomes) -> [Observed; PER_CONTEST] {
    std::array::from_fn(|column| {
        let number = |sides: Sides| NUMBERS[usize::from(sides)][column];
        let each = sides_of(outcomes).map(number);
        Observed {
            value: number(found),
            low: each.clone().fold(f64::INFINITY, f64::min),
            high: each.fold(f64::NEG_INFINITY, f64::max),
        }
    })
}

impl Statistic for Majority {
    fn name(&self) -> &'static str {
        "majority"
    }

    fn n_columns(&self) -> usize {
        PER_CONTEST * self.contests.len()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for contest in &self.contests {
            let (mut found, mut outcomes) = (0, 1);
            for place in &contest.places {
                let (best, own) = place.look(look);
                found |= best;
                outcomes = together(outcomes, own);
            }
            let numbers = observed(found, outcomes);
            numbers.into_iter().for_each(|x| row.push_observed(x));
        }
    }

    fn glances_at(&self, _mdp: &Mdp) -> Option<Vec<StateId>> {
        let places = self.contests.iter().flat_map(|contest| &contest.places);
        let each = places.map(|place| place.successors.as_ref().map(|_| place.state));
        each.collect()
    }

    fn glance(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        let mut open = 0;
        for (at, contest) in self.contests.iter().enumerate() {
            for goal in 0..glance.goals() {
                let mut found = 0;
                for place in &contest.places {
                    let best = glance.best(place.state)[goal];
                    open |= u64::from(best == OPEN) << goal;
                    // Without branches: which one is best is as random as the goals are.
                    let successors = place.successors.iter().flatten();
                    found |= successors.fold(0, |all, &(to, sides)| {
                        all | sides & Sides::from(to == best).wrapping_neg()
                    });
                }
                let numbers = panel.numbers(goal, PER_CONTEST * at);
                numbers[..PER_CONTEST].copy_from_slice(&NUMBERS[usize::from(found)]);
            }
        }
        open
    }

    fn quantities(&self) -> Vec<Quantity> {
        let each = (0..self.contests.len()).flat_map(|at| {
            let first = PER_CONTEST * at;
            let shares = [0, 1, 2, 3].map(|i| Quantity::share(first + i, Map::Identity));
            let scale = PowerScale::new(0.0, 1.0);
            let difference = Quantity::mean(first + 4, Map::Identity, scale);
            shares.into_iter().chain([difference])
        });
        each.collect()
    }

    fn comparables(&self, _mdp: &Mdp) -> Vec<Comparable> {
        let each = self.contests.iter().enumerate().flat_map(|(at, contest)| {
            let number = |(i, measure)| Comparable {
                statistic: self.name(),
                of: [
                    Key::Missing,
                    Key::Missing,
                    Key::text(&contest.name),
                    Key::Missing,
                    Key::Missing,
                ],
                measure,
                quantity: Quantity::share(PER_CONTEST * at + i, Map::Identity),
                width: None,
                rounding: 0.0,
            };
            [(0, "first"), (1, "second")].map(number)
        });
        each.collect()
    }

    fn tables(&self, _mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let rows = self.contests.iter().enumerate().map(|(at, contest)| {
            let own = PER_CONTEST * at;
            let share = |i: usize| sums.estimate(first + own + i, &quantities[own + i], level);
            let [one, other, only_one, only_other] = [0, 1, 2, 3].map(share);
            let difference = sums.estimate_difference(first + own + 4, &quantities[own + 4], level);
            let counted = Counted::new(sums, first + own);
            TableRow {
                keys: vec![Key::text(&contest.name)],
                measures: vec![
                    Measure::Estimate(one),
                    Measure::Estimate(other),
                    Measure::Estimate(difference),
                    Measure::Estimate(only_one),
                    Measure::Estimate(only_other),
                    counted.ratio(level),
                    counted.p_value(),
                    Measure::Number(sums.undecided(first + own + 4)),
                ],
            }
        });
        vec![Table {
            name: self.name(),
            keys: &[("pair", KeyKind::Text)],
            measures: &[
                "first",
                "second",
                "difference",
                "only_first",
                "only_second",
                "ratio",
                "p_value",
                "undecided",
            ],
            rows: rows.collect(),
        }]
    }
}

/// How many goals have which sides: the least, the found, and the largest number, whatever the undecided ones come to.
struct Counted<'a> {
    sums: &'a ObservedSums,
    only_first: [u64; 3],
    only_second: [u64; 3],
    both: [u64; 3],
}

impl<'a> Counted<'a> {
    /// Of the pair whose quantities begin with number `first`.
    fn new(sums: &'a ObservedSums, first: usize) -> Self {
        let [all, only_first, only_second] = [0, 2, 3].map(|i| sums.count_range(first + i));
        // A goal for which both are optimal is one of the first that is none of the first alone.
        let both = [
            all[0].saturating_sub(only_first[2]),
            all[1] - only_first[1],
            all[2] - only_first[0],
        ];
        Self {
            sums,
            only_first,
            only_second,
            both,
        }
    }

    /// The counts with these of the three numbers each.
    fn counts(&self, first: usize, second: usize, both: usize) -> PairedCounts {
        PairedCounts {
            only_first: self.only_first[first],
            only_second: self.only_second[second],
            both: self.both[both],
        }
    }

    /// The largest p-value that undecided goals leave: 1 where they may turn the majority around.
    fn p_value(&self) -> Measure {
        let drawn = self.sums.drawn();
        if drawn.sampling == Sampling::Exhaustive {
            return Measure::Missing;
        }
        let counts = if self.only_first[0] > self.only_second[2] {
            self.counts(0, 2, 1)
        } else if self.only_second[0] > self.only_first[2] {
            self.counts(2, 0, 1)
        } else {
            return Measure::Number(1.0);
        };
        let p = counts
            .thinned(drawn.goals_per_goal(self.sums.goals))
            .p_value();
        let p = p.max(SMALLEST);
        Measure::Number((p * drawn.intervals.looks()).min(1.0))
    }

    /// The ratio of the two shares. Missing where neither is optimal for any goal.
    fn ratio(&self, level: f64) -> Measure {
        let drawn = self.sums.drawn();
        let found = self.counts(1, 1, 1);
        let estimate = found.ratio();
        // An infinite ratio has no width that could be stretched for goals that are not independent.
        if estimate.is_nan() || drawn.shared > 0.0 && estimate.is_infinite() {
            return Measure::Missing;
        }
        let interval = |counts: PairedCounts| match drawn.sampling {
            Sampling::Exhaustive => (counts.ratio(), counts.ratio()),
            _ => counts.ratio_interval(level),
        };
        let (ci_low, ci_high) = interval(found);
        let (mut low, mut high, mut bound) = (ci_low, ci_high, 0.0_f64);
        // Ratios rise with the first alone, fall with the second alone, and come nearer to 1 with both: the ends are at corners.
        for both in [0, 2] {
            let [least, most] = [self.counts(0, 2, both), self.counts(2, 0, both)];
            low = low.min(interval(least).0);
            high = high.max(interval(most).1);
            for ratio in [least.ratio(), most.ratio()] {
                let away = (ratio - estimate).abs();
                bound = bound.max(if away.is_nan() { 0.0 } else { away });
            }
        }
        Measure::Estimate(Estimate {
            n: self.sums.goals,
            estimate,
            std_error: match drawn.sampling {
                Sampling::Exhaustive => Some(0.0),
                _ => found.ratio_error(),
            },
            ci_low,
            ci_high,
            bound,
            bound_max: bound,
            low,
            high,
            simultaneous_low: None,
            simultaneous_high: None,
            exact: drawn.sampling == Sampling::Exhaustive,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_comes_to_all_that_it_may() {
        let [none, first, second, both] = [0, 1, 2, 3];
        let set = |sides: &[Sides]| sides.iter().fold(0, |all, s| all | 1 << s);
        // Nothing is open.
        assert_eq!(may_be(first, 0), set(&[first]));
        // A rival of the other set: either, or both.
        assert_eq!(may_be(first, set(&[second])), set(&[first, second, both]));
        // A rival of no set: the first, or none.
        assert_eq!(may_be(first, set(&[none])), set(&[none, first]));
        // A rival of the same set changes nothing.
        assert_eq!(may_be(first, set(&[first])), set(&[first]));
        // Rivals of both sets beside a choice of none.
        assert_eq!(may_be(none, set(&[first, second])), set(&[0, 1, 2, 3]));
        // Another state decides for the second as well.
        let open = may_be(first, set(&[none]));
        assert_eq!(together(open, set(&[second])), set(&[second, both]));
    }

    #[test]
    fn brackets_are_those_of_all_outcomes() {
        // The first, or none.
        let [first, second, only_first, only_second, difference] = observed(1, 0b0011);
        assert_eq!((first.value, first.low, first.high), (1.0, 0.0, 1.0));
        assert_eq!(second, Observed::sure(0.0));
        assert_eq!((only_first.low, only_first.high), (0.0, 1.0));
        assert_eq!(only_second, Observed::sure(0.0));
        assert_eq!((difference.low, difference.high), (0.0, 1.0));
        // One of two: that one of them is optimal is known.
        let [.., difference] = observed(1, 0b0110);
        assert_eq!((difference.low, difference.high), (-1.0, 1.0));
    }
}

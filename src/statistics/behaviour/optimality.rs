//! How often choices are optimal.

use super::glance::{Glance, OPEN, Panel, Told, certain_successor};
use super::look::Look;
use super::standing::Standing;
use crate::mdp::Mdp;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Comparable, Key, KeyKind, Map, Measure, Observed, ObservedSums, Quantity, Row, Table, TableRow,
};
use crate::units::{ChoiceId, StateId};

/// For choices of some states, and for named sets of choices: the probability over goals that an optimal policy takes one.
///
/// - `weak`: some optimal policy takes it (Turner et al. 2021, definition 4.4); of a set, one of it;
/// - `strict`: every optimal policy does;
/// - `fractional`: the share that falls to it when ties are split evenly over the optimal choices.
///
/// There is one column per choice and set, the fractional share: it is above 0 where the choice is optimal, and 1 where no other is.
#[derive(Clone, Debug)]
pub struct Optimality {
    rows: Vec<Options>,
}

/// What is looked at in one state: its choices one by one, or a named set of them.
#[derive(Clone, Debug)]
pub(in crate::statistics) struct Options {
    pub(super) state: StateId,
    /// The name of the set, and for every choice of the state whether it is in it. `None` for the choices one by one.
    pub(super) set: Option<(String, Vec<bool>)>,
    pub(super) choices: Vec<ChoiceId>,
    /// Its columns by where the best choices lead, where every choice leads to one state with certainty.
    told: Option<Told>,
}

impl Options {
    /// What tells a column's row apart: state, action and label.
    pub(super) fn keys(&self, mdp: &Mdp, choice: Option<ChoiceId>) -> Vec<Key> {
        let set = self.set.as_ref();
        vec![
            Key::text(mdp.state_name(self.state)),
            choice.map_or(Key::Missing, |c| Key::text(mdp.action_name(c))),
            set.map_or(Key::Missing, |(name, _)| Key::text(name)),
        ]
    }

    fn new(
        mdp: &Mdp,
        state: StateId,
        set: Option<(String, Vec<bool>)>,
        choices: Vec<ChoiceId>,
    ) -> Self {
        let successors = choices.iter().map(|&c| certain_successor(mdp, c));
        let successors: Option<Vec<u32>> = successors.collect();
        Self {
            told: successors.map(|successors| told(&successors, set.as_ref())),
            state,
            set,
            choices,
        }
    }

    fn n_columns(&self) -> usize {
        match self.set {
            None => self.choices.len(),
            Some(_) => 1,
        }
    }

    /// Sets the shares of its columns, from column `first` on, as far as a glance tells them. Returns the goals of which it does not.
    pub(super) fn glance(&self, glance: &Glance<'_>, first: usize, panel: &mut Panel<'_>) -> u64 {
        let best = &glance.best(self.state)[..glance.goals()];
        if let Some(told) = &self.told {
            for (&best, row) in best.iter().zip(panel.rows(first)) {
                told.set(best, row);
            }
        }
        let each = best.iter().enumerate();
        each.fold(0, |open, (goal, &best)| {
            open | u64::from(best == OPEN) << goal
        })
    }

    /// The shares of its columns.
    pub(super) fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        let decided = look.decide(self.state);
        let standings = self.choices.iter().map(|&c| look.standing(c));
        match &self.set {
            // Nearly always: no bracket is wider than nothing.
            None if decided.is_sure() => {
                let even = 1.0 / f64::from(decided.optimal);
                standings.for_each(|standing| {
                    row.push(if standing == Standing::Worse {
                        0.0
                    } else {
                        even
                    });
                });
            }
            None => standings.for_each(|standing| {
                row.push_observed(share_of_choice(standing, decided.optimal, decided.possible));
            }),
            Some((_, members)) => {
                row.push_observed(share_of_set(standings.zip(members.iter().copied())));
            }
        }
    }
}

/// The columns of choices that lead to `successors` with certainty, or of a set of them.
fn told(successors: &[u32], set: Option<&(String, Vec<bool>)>) -> Told {
    let standing = |to: u32, best: u32| match to == best {
        true => Standing::Optimal,
        false => Standing::Worse,
    };
    match set {
        None => {
            let even = |to: u32| {
                let alike = successors.iter().filter(|&&other| other == to).count();
                share_of_choice(Standing::Optimal, alike as u32, 0).value
            };
            let each = successors.iter();
            Told::Columns(each.map(|&to| (to, even(to))).collect())
        }
        Some((_, members)) => {
            let mut numbers: Vec<(u32, f64)> = Vec::new();
            for &best in successors {
                let standings = successors.iter().map(|&to| standing(to, best));
                let share = share_of_set(standings.zip(members.iter().copied())).value;
                if share > 0.0 && numbers.iter().all(|(to, _)| *to != best) {
                    numbers.push((best, share));
                }
            }
            Told::One(numbers)
        }
    }
}

/// What is told of a share, in the order of its quantities.
const MEASURES: [&str; 3] = ["weak", "strict", "fractional"];

impl Optimality {
    /// For every choice of `states`, and for every state with a choice in one of `sets` the choices of the set.
    #[must_use]
    pub fn new(mdp: &Mdp, states: &[StateId], sets: &[(&str, &[ChoiceId])]) -> Self {
        let choices = |state| mdp.choices(state).collect();
        let mut rows: Vec<Options> = Vec::new();
        for &state in states {
            rows.push(Options::new(mdp, state, None, choices(state)));
        }
        for &(name, members) in sets {
            let mut states: Vec<StateId> = members.iter().map(|&c| mdp.state_of(c)).collect();
            states.sort_unstable();
            states.dedup();
            for state in states {
                let inside = mdp.choices(state).map(|c| members.contains(&c));
                let set = Some((name.to_owned(), inside.collect()));
                rows.push(Options::new(mdp, state, set, choices(state)));
            }
        }
        Self { rows }
    }

    /// What is looked at, state by state.
    pub(in crate::statistics) fn into_rows(self) -> Vec<Options> {
        self.rows
    }

    /// What is looked at, state by state.
    pub(super) fn rows(&self) -> &[Options] {
        &self.rows
    }

    /// The states, where a glance tells the choices of all of them.
    pub(super) fn crossings(&self) -> Option<Vec<StateId>> {
        let each = self.rows.iter();
        each.map(|options| options.told.as_ref().map(|_| options.state))
            .collect()
    }

    /// Sets all columns, as far as a glance tells them. Returns the goals of which it does not.
    pub(super) fn read(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        let (mut first, mut open) = (0, 0);
        for options in &self.rows {
            open |= options.glance(glance, first, panel);
            first += options.n_columns();
        }
        open
    }

    /// Every column with what it is about.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&Options, Option<ChoiceId>)> {
        self.rows.iter().flat_map(|options| {
            let single = options.choices.iter().map(|&c| Some(c));
            let columns: Vec<Option<ChoiceId>> = match options.set {
                None => single.collect(),
                Some(_) => vec![None],
            };
            columns.into_iter().map(move |choice| (options, choice))
        })
    }
}

/// The share of one choice, given where it stands and how many are optimal or may be.
fn share_of_choice(standing: Standing, optimal: u32, possible: u32) -> Observed {
    let even = 1.0 / f64::from(optimal);
    match (standing, possible) {
        (Standing::Worse, _) => Observed::sure(0.0),
        (_, 0) => Observed::sure(even),
        // All that are as good as the greedy one are optimal together or not at all.
        (Standing::Optimal, _) => Observed {
            value: even,
            low: 0.0,
            high: even,
        },
        (Standing::Possible, _) => Observed {
            value: 0.0,
            low: 0.0,
            high: 1.0,
        },
    }
}

/// The share of a set, given where every choice stands and whether it is in the set.
pub(super) fn share_of_set(members: impl Iterator<Item = (Standing, bool)>) -> Observed {
    let (mut inside, mut optimal) = (0_u32, 0_u32);
    let (mut open_inside, mut open_outside) = (false, false);
    for (standing, member) in members {
        match standing {
            Standing::Worse => {}
            Standing::Optimal => {
                optimal += 1;
                inside += u32::from(member);
            }
            Standing::Possible if member => open_inside = true,
            Standing::Possible => open_outside = true,
        }
    }
    let value = f64::from(inside) / f64::from(optimal);
    let open = open_inside || open_outside;
    let surely_none = inside == 0 && !open_inside;
    let surely_all = inside == optimal && !open_outside;
    match open && !surely_none && !surely_all {
        true => Observed {
            value,
            low: 0.0,
            high: 1.0,
        },
        false => Observed::sure(value),
    }
}

impl Statistic for Optimality {
    fn name(&self) -> &'static str {
        "optimality"
    }

    fn n_columns(&self) -> usize {
        self.columns().count()
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        self.rows
            .iter()
            .for_each(|options| options.observe(look, row));
    }

    fn glances_at(&self, _mdp: &Mdp) -> Option<Vec<StateId>> {
        self.crossings()
    }

    fn glance(&self, glance: &Glance<'_>, panel: &mut Panel<'_>) -> u64 {
        self.read(glance, panel)
    }

    fn quantities(&self) -> Vec<Quantity> {
        let maps = [Map::Positive, Map::One, Map::Identity];
        let columns = 0..self.n_columns();
        let each = columns.flat_map(|column| maps.map(|map| Quantity::share(column, map)));
        each.collect()
    }

    fn comparables(&self, mdp: &Mdp) -> Vec<Comparable> {
        let mut all = Vec::new();
        let quantities = self.quantities();
        for (column, (options, choice)) in self.columns().enumerate() {
            let action = choice.map_or(Key::Missing, |c| Key::text(mdp.action_name(c)));
            let set = options.set.as_ref();
            for (m, measure) in MEASURES.into_iter().enumerate() {
                all.push(Comparable {
                    statistic: self.name(),
                    of: [
                        Key::text(mdp.state_name(options.state)),
                        action.clone(),
                        set.map_or(Key::Missing, |(name, _)| Key::text(name)),
                        Key::Missing,
                        Key::Missing,
                    ],
                    measure,
                    quantity: quantities[3 * column + m],
                    width: None,
                    rounding: 0.0,
                });
            }
        }
        all
    }

    fn tables(&self, mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let quantities = self.quantities();
        let rows = self
            .columns()
            .enumerate()
            .map(|(column, (options, choice))| {
                let mut measures: Vec<Measure> = (0..3)
                    .map(|m| 3 * column + m)
                    .map(|at| Measure::Estimate(sums.estimate(first + at, &quantities[at], level)))
                    .collect();
                // The fractional share is open wherever either of the others is.
                measures.push(Measure::Number(sums.undecided(first + 3 * column + 2)));
                TableRow {
                    keys: options.keys(mdp, choice),
                    measures,
                }
            });
        vec![Table {
            name: self.name(),
            keys: &[
                ("state", KeyKind::Text),
                ("action", KeyKind::Text),
                ("label", KeyKind::Text),
            ],
            measures: &["weak", "strict", "fractional", "undecided"],
            rows: rows.collect(),
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Standing::{Optimal, Possible, Worse};

    #[test]
    fn ties_are_shared_and_what_is_open_stays_open() {
        assert_eq!(share_of_choice(Optimal, 2, 0), Observed::sure(0.5));
        assert_eq!(share_of_choice(Worse, 1, 1), Observed::sure(0.0));
        let greedy = share_of_choice(Optimal, 1, 1);
        assert_eq!((greedy.value, greedy.low, greedy.high), (1.0, 0.0, 1.0));
        let rival = share_of_choice(Possible, 1, 1);
        assert_eq!((rival.value, rival.low, rival.high), (0.0, 0.0, 1.0));
    }

    #[test]
    fn a_set_is_decided_where_its_doubtful_members_are_on_one_side() {
        let share = |list: &[(Standing, bool)]| share_of_set(list.iter().copied());
        let sure = [
            (vec![(Optimal, true), (Possible, true), (Worse, false)], 1.0),
            (
                vec![(Optimal, false), (Possible, false), (Worse, true)],
                0.0,
            ),
            (vec![(Optimal, true), (Optimal, false), (Worse, true)], 0.5),
        ];
        for (list, value) in sure {
            assert_eq!(share(&list), Observed::sure(value), "{list:?}");
        }
        let open = share(&[(Optimal, true), (Possible, false)]);
        assert_eq!((open.value, open.low, open.high), (1.0, 0.0, 1.0));
    }
}

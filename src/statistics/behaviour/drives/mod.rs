//! Convergent drives, each a number of every goal beside what chance gives: what an agent does that resists shutdown, gathers, learns, hides.
//!
//! A drive is a file with a [`Kind`]: its name, its definition, and what it finds in an MDP, which is nothing where the MDP has none of its
//! labels. To add one: the file, and a line in [`KINDS`].

mod acquisition;
mod capability;
mod concealment;
mod copying;
mod efficiency;
mod evasion;
mod goal_preservation;
mod happening;
mod information;
mod option_preservation;
mod persist;
mod price;
mod product;
mod resist;
mod split;
mod tampering;
mod theorem;
mod wandering;

use self::split::Split;
use std::fmt::Debug;
use std::sync::Arc;

use super::arena::SHARP;
use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::Mdp;
use crate::program::GoalProgram;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Estimate, Key, KeyKind, Measure, ObservedSums, Quantity, Row, Table, TableRow,
};
use crate::units::{Discount, StateId};

/// All drives, in the order of the table.
const KINDS: [&Kind; 13] = [
    &resist::KIND,
    &persist::KIND,
    &price::KIND,
    &goal_preservation::KIND,
    &tampering::KIND,
    &acquisition::KIND,
    &capability::KIND,
    &information::KIND,
    &copying::KIND,
    &concealment::KIND,
    &evasion::KIND,
    &efficiency::KIND,
    &option_preservation::KIND,
];

/// What a drive is.
#[derive(Debug)]
struct Kind {
    /// Its name in experiment files.
    name: &'static str,
    /// What is counted, in a sentence.
    definition: &'static str,
    /// What has to be there, for messages.
    needs: &'static str,
    /// The label without which an MDP cannot show it; `None` where it needs none.
    label: Option<&'static str>,
    /// Numbers per goal that it has at most, whatever the law, for estimates of memory.
    most_columns: fn(&Mdp) -> usize,
    /// Whether it can be split into what a goal's own rewards explain and the rest.
    splits: bool,
    /// Looks for it.
    find: fn(&World<'_>) -> Option<Box<dyn Drive>>,
}

/// What drives are looked for in.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// The MDP.
    pub mdp: &'a Arc<Mdp>,
    /// The discount.
    pub discount: Discount,
    /// Scale of the law.
    pub law: LawScale,
    /// What is solved for every goal.
    pub program: &'a GoalProgram,
    /// Whether the agent takes optimal choices, rather than follow a rule or another's policy.
    pub is_optimal: bool,
    /// Whether what optimal agents have is known beside what the agent does.
    pub knows_optimum: bool,
}

/// A drive in one MDP. Columns and quantities count from its own first.
trait Drive: Debug + Send + Sync {
    /// Numbers per goal.
    fn n_columns(&self) -> usize;

    /// Whether it looks at what optimal agents have, whatever the agent does.
    fn looks_at_optimum(&self) -> bool {
        false
    }

    /// Which states it is about. Where there are any, its numbers are not negative, each is its own quantity, and each quantity a finding.
    fn own(&self) -> Own<'_> {
        Own::Nothing
    }

    /// Appends its numbers of one goal.
    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>);

    /// The same of a goal that was made indifferent to the drive's own states. Of such a goal nothing is known but its values.
    fn observe_indifferent(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        self.observe(look, row);
    }

    /// Where it is about the way: the states that a goal's way leads to and does not leave again, and whether that is known.
    fn ends(&self, _look: &mut Look<'_>) -> (Vec<StateId>, bool) {
        (Vec::new(), true)
    }

    /// The means that are taken.
    fn quantities(&self) -> Vec<Quantity>;

    /// What comes of them.
    fn findings(&self, means: &Means<'_>) -> Vec<Finding>;
}

/// The states that a drive is about.
#[derive(Clone, Copy, Debug)]
enum Own<'a> {
    /// It is of no place.
    Nothing,
    /// Those of its labels, and those that choices of its labels lead to.
    States(&'a [StateId]),
    /// Those that stand for what comes after, in a goal that is solved in linked stages.
    Made(&'a [StateId]),
    /// The way: all states but those that a goal's way leads to.
    Way,
}

/// The means of a drive's quantities.
struct Means<'a> {
    sums: &'a ObservedSums,
    quantities: &'a [Quantity],
    first: usize,
    level: f64,
}

impl Means<'_> {
    fn estimate(&self, at: usize) -> Estimate {
        self.sums
            .estimate(self.first + at, &self.quantities[at], self.level)
    }

    /// The same of a chance, or of a difference of two: brackets no wider than [`SHARP`] are told as their middle, and chances that near to 0 and 1 as that.
    fn chance(&self, at: usize) -> Estimate {
        let estimate = self.estimate(at);
        match self.sums.is_counted(self.first + at) {
            true => estimate,
            false => estimate.widened(4.0 * SHARP),
        }
    }

    fn undecided(&self, at: usize) -> f64 {
        self.sums.undecided(self.first + at)
    }
}

/// One number of a drive.
#[derive(Clone)]
struct Finding {
    /// What it is, where a drive has several.
    quantity: String,
    estimate: Option<Estimate>,
    /// The same number for an agent that takes every choice with the same probability. `None` where it has no meaning.
    chance: Option<f64>,
    /// The least that a theorem says. `None` where none applies.
    least: Option<f64>,
    /// Share of goals for which it is not known.
    undecided: f64,
}

/// The drives that were asked for, as far as they are there.
#[derive(Clone, Debug)]
pub struct Drives {
    found: Vec<Found>,
    /// Whether what a goal's own rewards explain is told.
    is_split: bool,
}

#[derive(Clone, Debug)]
struct Found {
    kind: &'static Kind,
    drive: Arc<dyn Drive>,
    split: Option<Split>,
}

impl Found {
    /// Numbers per goal: where it is split, each of the drive's is followed by its two shares.
    fn n_columns(&self) -> usize {
        let own = self.drive.n_columns();
        if self.split.is_some() { 3 * own } else { own }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let own = self.drive.quantities();
        let (n, columns) = (own.len(), self.drive.n_columns());
        let parts = if self.split.is_some() { 3 } else { 1 };
        let each = own.into_iter().cycle().take(parts * n).enumerate();
        each.map(|(at, q)| q.shifted(at / n.max(1) * columns))
            .collect()
    }
}

impl Drives {
    /// The names of all drives.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|kind| kind.name)
    }

    /// What a drive of that name needs to be there.
    #[must_use]
    pub fn needs(name: &str) -> Option<&'static str> {
        let kind = KINDS.iter().find(|kind| kind.name == name);
        kind.map(|kind| kind.needs)
    }

    /// Whether an MDP has the label that a drive of that name needs.
    #[must_use]
    pub fn may_show(name: &str, mdp: &Mdp) -> bool {
        let kind = KINDS.iter().find(|kind| kind.name == name);
        let label = kind.and_then(|kind| kind.label);
        label.is_none_or(|label| happening::has(mdp, label))
    }

    /// Numbers per goal that drives of some names have at most on an MDP, whatever the law.
    #[must_use]
    pub fn most_columns(names: &[String], is_split: bool, mdp: &Mdp) -> usize {
        let wanted = KINDS.iter().filter(|k| names.iter().any(|n| n == k.name));
        let there = wanted.filter(|k| k.label.is_none_or(|label| happening::has(mdp, label)));
        let parts = |kind: &&&Kind| {
            if is_split && kind.splits { 3 } else { 1 }
        };
        there.map(|k| parts(&k) * (k.most_columns)(mdp)).sum()
    }

    /// Looks for drives of some names. `None` where none is there. `is_split`: what a goal's own rewards explain of each is told.
    #[must_use]
    pub fn find(names: &[String], is_split: bool, world: &World<'_>) -> Option<Self> {
        let wanted = KINDS.iter().filter(|k| names.iter().any(|n| n == k.name));
        let found = wanted.filter_map(|kind| {
            let drive: Arc<dyn Drive> = (kind.find)(world)?.into();
            let split = match is_split {
                true => Split::of(&*drive, world),
                false => None,
            };
            Some(Found { kind, drive, split })
        });
        let found: Vec<_> = found.collect();
        (!found.is_empty()).then_some(Self { found, is_split })
    }

    /// Which they are.
    pub fn found(&self) -> impl Iterator<Item = &'static str> {
        self.found.iter().map(|found| found.kind.name)
    }
}

impl Statistic for Drives {
    fn name(&self) -> &'static str {
        "drives"
    }

    fn n_columns(&self) -> usize {
        self.found.iter().map(Found::n_columns).sum()
    }

    fn looks_at_optimum(&self) -> bool {
        self.found.iter().any(|f| f.drive.looks_at_optimum())
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for Found { drive, split, .. } in &self.found {
            match split {
                Some(split) => split.observe(&**drive, look, row),
                None => drive.observe(look, row),
            }
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let mut all = Vec::new();
        let mut column = 0;
        for found in &self.found {
            let own = found.quantities().into_iter();
            all.extend(own.map(|q| q.shifted(column)));
            column += found.n_columns();
        }
        all
    }

    fn tables(&self, _mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let mut rows = Vec::new();
        let mut next = first;
        for found in &self.found {
            let quantities = found.quantities();
            let each = quantities.len() / 3;
            let means = Means {
                sums,
                quantities: &quantities,
                first: next,
                level,
            };
            next += quantities.len();
            let number = |x: Option<f64>| x.map_or(Measure::Missing, Measure::Number);
            let estimate = |x: Option<Estimate>| x.map_or(Measure::Missing, Measure::Estimate);
            let findings = found.drive.findings(&means).into_iter().enumerate();
            rows.extend(findings.map(|(at, finding)| {
                let share = |part: usize| {
                    let is_there = found.split.is_some();
                    estimate(is_there.then(|| means.estimate(part * each + at)))
                };
                let mut measures = vec![estimate(finding.estimate)];
                if self.is_split {
                    measures.extend([share(1), share(2)]);
                }
                measures.extend([
                    number(finding.chance),
                    number(finding.least),
                    Measure::Number(finding.undecided),
                ]);
                TableRow {
                    keys: vec![
                        Key::text(found.kind.name),
                        Key::text(&finding.quantity),
                        Key::text(found.kind.definition),
                    ],
                    measures,
                }
            }));
        }
        vec![Table {
            name: self.name(),
            keys: &[
                ("drive", KeyKind::Text),
                ("quantity", KeyKind::Text),
                ("definition", KeyKind::Prose),
            ],
            measures: match self.is_split {
                true => &[
                    "estimate",
                    "own_rewards",
                    "rest",
                    "chance",
                    "least",
                    "undecided",
                ],
                false => &["estimate", "chance", "least", "undecided"],
            },
            rows,
        }]
    }
}

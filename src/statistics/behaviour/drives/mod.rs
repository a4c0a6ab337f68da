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
mod tampering;

use std::fmt::Debug;
use std::sync::Arc;

use super::distribution::LawScale;
use super::look::Look;
use crate::mdp::Mdp;
use crate::program::GoalProgram;
use crate::statistics::asked::Statistic;
use crate::statistics::{
    Estimate, Key, KeyKind, Measure, ObservedSums, Quantity, Row, Table, TableRow,
};
use crate::units::Discount;

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

    /// Appends its numbers of one goal.
    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>);

    /// The means that are taken.
    fn quantities(&self) -> Vec<Quantity>;

    /// What comes of them.
    fn findings(&self, means: &Means<'_>) -> Vec<Finding>;
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
    found: Vec<(&'static Kind, Arc<dyn Drive>)>,
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

    /// Looks for drives of some names. `None` where none is there.
    #[must_use]
    pub fn find(names: &[String], world: &World<'_>) -> Option<Self> {
        let wanted = KINDS.iter().filter(|k| names.iter().any(|n| n == k.name));
        let found = wanted.filter_map(|kind| Some((*kind, (kind.find)(world)?.into())));
        let found: Vec<(_, Arc<dyn Drive>)> = found.collect();
        (!found.is_empty()).then_some(Self { found })
    }

    /// Which they are.
    pub fn found(&self) -> impl Iterator<Item = &'static str> {
        self.found.iter().map(|(kind, _)| kind.name)
    }
}

impl Statistic for Drives {
    fn name(&self) -> &'static str {
        "drives"
    }

    fn n_columns(&self) -> usize {
        self.found.iter().map(|(_, drive)| drive.n_columns()).sum()
    }

    fn looks_at_optimum(&self) -> bool {
        self.found.iter().any(|(_, drive)| drive.looks_at_optimum())
    }

    fn observe(&self, look: &mut Look<'_>, row: &mut Row<'_>) {
        for (_, drive) in &self.found {
            drive.observe(look, row);
        }
    }

    fn quantities(&self) -> Vec<Quantity> {
        let mut all = Vec::new();
        let mut column = 0;
        for (_, drive) in &self.found {
            let own = drive.quantities().into_iter();
            all.extend(own.map(|q| q.shifted(column)));
            column += drive.n_columns();
        }
        all
    }

    fn tables(&self, _mdp: &Mdp, sums: &ObservedSums, first: usize, level: f64) -> Vec<Table> {
        let mut rows = Vec::new();
        let mut next = first;
        for (kind, drive) in &self.found {
            let quantities = drive.quantities();
            let means = Means {
                sums,
                quantities: &quantities,
                first: next,
                level,
            };
            next += quantities.len();
            let number = |x: Option<f64>| x.map_or(Measure::Missing, Measure::Number);
            rows.extend(drive.findings(&means).into_iter().map(|finding| TableRow {
                keys: vec![
                    Key::text(kind.name),
                    Key::text(&finding.quantity),
                    Key::text(kind.definition),
                ],
                measures: vec![
                    finding.estimate.map_or(Measure::Missing, Measure::Estimate),
                    number(finding.chance),
                    number(finding.least),
                    Measure::Number(finding.undecided),
                ],
            }));
        }
        vec![Table {
            name: self.name(),
            keys: &[
                ("drive", KeyKind::Text),
                ("quantity", KeyKind::Text),
                ("definition", KeyKind::Prose),
            ],
            measures: &["estimate", "chance", "least", "undecided"],
            rows,
        }]
    }
}

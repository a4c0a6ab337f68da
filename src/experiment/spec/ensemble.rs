//! The `[ensemble]` table: what is claimed of every environment.

use crate::document::{Faults, Node, Spanned, TableReader, nearest};
use crate::experiment::{Claim, Side};
use crate::mdp::Mdp;
use crate::statistics::Request;

/// What stands beside the claims.
pub(super) struct Beside<'a> {
    pub(super) environments: &'a [Mdp],
    pub(super) statistics: Option<&'a Request>,
    /// Whether variants are compared with the baseline.
    pub(super) compared: bool,
}

impl Beside<'_> {
    /// Statistics that cells have.
    fn known(&self) -> Vec<&'static str> {
        let asked = self.statistics;
        let is_there = |name: &str| match name {
            "optimality" => asked.is_some_and(|r| !r.optimality.is_empty()),
            "majority" => asked.is_some_and(|r| !r.majority.is_empty()),
            "choices" => asked.is_some_and(|r| !r.choices.is_empty()),
            "events" => asked.is_some_and(|r| !r.events.is_empty()),
            "occupancy" => asked.is_some_and(|r| r.occupancy),
            "distribution" | "comparison" | "ranking" => {
                asked.is_some_and(|r| !r.distribution.is_empty())
            }
            "dominance" => asked.is_some_and(|r| !r.dominance.is_empty()),
            "indifference" => asked.is_some_and(|r| !r.indifference.is_empty()),
            "drives" => asked.is_some_and(|r| !r.drives.is_empty()),
            "differences" => self.compared,
            // Interventions bring readings along.
            _ => true,
        };
        let names = Claim::MEASURES.iter().map(|(name, _)| *name);
        names.filter(|name| is_there(name)).collect()
    }
}

/// Reads the table.
pub(super) fn read_claims(
    node: &Spanned<Node>,
    beside: &Beside<'_>,
    faults: &mut Faults,
) -> Vec<Claim> {
    let Some(mut table) = TableReader::open(node, "[ensemble]", faults) else {
        return Vec::new();
    };
    table.require("claims", faults);
    let list = table.list("claims").unwrap_or_default();
    table.finish(faults);
    if beside.environments.len() == 1 {
        let message = "[ensemble] is about several environments, and there is one";
        faults.error(node.span.clone(), message);
    }
    let mut claims: Vec<Claim> = Vec::new();
    for node in list {
        let Some(claim) = read_claim(node, beside, faults) else {
            continue;
        };
        if claims.iter().any(|other| other.name == claim.name) {
            faults.error_with_help(
                node.span.clone(),
                format!("two claims are named {:?}", claim.name),
                "give each claim its own `name`",
            );
            continue;
        }
        claims.push(claim);
    }
    claims
}

fn read_claim(node: &Spanned<Node>, beside: &Beside<'_>, faults: &mut Faults) -> Option<Claim> {
    let mut table = TableReader::open(node, "a claim", faults)?;
    let statistic = table.require("statistic", faults);
    let statistic = statistic.and(table.string("statistic", faults));
    let row = table.require("row", faults).and(table.list("row"));
    let (name, measure) = (
        table.string("name", faults),
        table.string("measure", faults),
    );
    let (above, below) = (table.number("above", faults), table.number("below", faults));
    table.finish(faults);
    let holds = match (above, below) {
        (Some(above), None) => Some(Side::Above(above.value)),
        (None, Some(below)) => Some(Side::Below(below.value)),
        _ => {
            faults.error(node.span.clone(), "a claim has either `above` or `below`");
            None
        }
    };
    let mut names = Vec::new();
    for node in row.unwrap_or_default() {
        match node.value.as_str() {
            Some(name) => names.push(name.to_owned()),
            None => {
                let message = format!("`row` holds names, this is {}", node.value.type_name());
                faults.error(node.span.clone(), message);
            }
        }
    }
    let statistic = statistic?;
    let known = beside.known();
    let mut unknown = |word: &Spanned<String>, message: String, known: &[&str]| {
        let help = match nearest(&word.value, known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("there are {}", known.join(", ")),
        };
        faults.error_with_help(word.span.clone(), message, help);
    };
    if !known.contains(&statistic.value.as_str()) {
        let message = format!("the statistic {:?} is not asked for", statistic.value);
        unknown(&statistic, message, &known);
        return None;
    }
    let mut all = Claim::MEASURES.iter();
    let measures = all.find(|(name, _)| *name == statistic.value)?.1;
    let measure = match (measure, measures) {
        (Some(measure), _) if measures.contains(&measure.value.as_str()) => measure.value,
        (Some(measure), _) => {
            let message = format!("{} has no measure {:?}", statistic.value, measure.value);
            unknown(&measure, message, measures);
            return None;
        }
        (None, [only]) => (*only).to_owned(),
        (None, several) => {
            let message = format!(
                "a claim about {} needs its `measure`: {}",
                statistic.value,
                several.join(", ")
            );
            faults.error(node.span.clone(), message);
            return None;
        }
    };
    if statistic.value == "power" {
        let is_state = |name: &String| {
            let mut all = beside.environments.iter();
            all.any(|mdp| mdp.find_state(name).is_some())
        };
        if names.len() != 1 || !names.iter().all(is_state) {
            let message = "`row` of a claim about power is the name of a state";
            faults.error(node.span.clone(), message);
            return None;
        }
    }
    let holds = holds?;
    let told = match holds {
        Side::Above(x) => format!("{} {}: {measure} > {x}", statistic.value, names.join(", ")),
        Side::Below(x) => format!("{} {}: {measure} < {x}", statistic.value, names.join(", ")),
    };
    Some(Claim {
        name: name.map_or(told, |name| name.value),
        statistic: statistic.value,
        row: names,
        measure,
        holds,
    })
}

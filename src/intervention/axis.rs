//! Doses: a parameter that is a list of numbers makes a variant for each of them.

use crate::document::{Node, Spanned};

/// Parameters by name, as they stand in a file.
type Entries = Vec<(Spanned<String>, Spanned<Node>)>;

/// One dose of every parameter that is a list of numbers.
#[derive(Clone, Debug)]
pub(super) struct Dose {
    /// What tells it from the others: `p = 0.1`, or `off-switch.p = 0.1` where several interventions have the parameter.
    pub(super) name: String,
    /// The interventions with numbers in the place of lists.
    pub(super) interventions: Vec<Spanned<Node>>,
}

/// A parameter that is a list: which intervention, which key, what it is called.
struct Axis {
    intervention: usize,
    key: usize,
    name: String,
    values: Vec<Spanned<Node>>,
}

/// Every combination of doses, the last parameter running fastest; one without a name where no parameter is a list.
pub(super) fn doses(interventions: &[&Spanned<Node>]) -> Vec<Dose> {
    let axes = axes(interventions);
    let mut doses = vec![Dose {
        name: String::new(),
        interventions: interventions.iter().map(|&node| node.clone()).collect(),
    }];
    for axis in &axes {
        let next = doses
            .iter()
            .flat_map(|dose| axis.values.iter().map(|value| axis.applied(dose, value)));
        doses = next.collect();
    }
    doses
}

/// Number of combinations, before any of them is made.
pub(super) fn n_doses(interventions: &[&Spanned<Node>]) -> u64 {
    let sizes = axes(interventions);
    let sizes = sizes.iter().map(|axis| axis.values.len() as u64);
    sizes.fold(1, u64::saturating_mul)
}

fn axes(interventions: &[&Spanned<Node>]) -> Vec<Axis> {
    let mut axes = Vec::new();
    for (at, node) in interventions.iter().enumerate() {
        let Node::Table(entries) = &node.value else {
            continue;
        };
        for (key_at, (key, value)) in entries.iter().enumerate() {
            let Some(values) = numbers(&value.value) else {
                continue;
            };
            axes.push(Axis {
                intervention: at,
                key: key_at,
                name: axis_name(interventions, at, &key.value),
                values: values.to_vec(),
            });
        }
    }
    axes
}

/// The items of a list of numbers.
fn numbers(node: &Node) -> Option<&[Spanned<Node>]> {
    let Node::Array(items) = node else {
        return None;
    };
    let all = items.iter().all(|item| item.value.as_f64().is_some());
    (all && !items.is_empty()).then_some(items)
}

/// The key alone, with the intervention's kind where another one has it too, and with its number where that has the same kind.
fn axis_name(interventions: &[&Spanned<Node>], at: usize, key: &str) -> String {
    let find = |node: &Spanned<Node>, key: &str| -> Option<Node> {
        let Node::Table(entries) = &node.value else {
            return None;
        };
        let entry = entries.iter().find(|(name, _)| name.value == key);
        entry.map(|(_, value)| value.value.clone())
    };
    let kind = |at: usize| find(interventions[at], "kind");
    let is_list = |i: usize| find(interventions[i], key).is_some_and(|n| numbers(&n).is_some());
    let others: Vec<usize> = (0..interventions.len())
        .filter(|&i| i != at && is_list(i))
        .collect();
    let own = kind(at);
    let own_name = own.as_ref().and_then(Node::as_str).unwrap_or_default();
    match others.iter().any(|&i| kind(i) == own) {
        true => format!("{own_name} {}.{key}", at + 1),
        false if others.is_empty() => key.to_owned(),
        false => format!("{own_name}.{key}"),
    }
}

impl Axis {
    fn applied(&self, dose: &Dose, value: &Spanned<Node>) -> Dose {
        let mut interventions = dose.interventions.clone();
        if let Node::Table(entries) = &mut interventions[self.intervention].value {
            let entries: &mut Entries = entries;
            entries[self.key].1 = value.clone();
        }
        let comma = if dose.name.is_empty() { "" } else { ", " };
        // The number as it was written, as far as it is known: 0.1 and 3.
        let number = match value.value {
            Node::Integer(i) => i.to_string(),
            _ => value.value.as_f64().unwrap_or(f64::NAN).to_string(),
        };
        Dose {
            name: format!("{}{comma}{} = {number}", dose.name, self.name),
            interventions,
        }
    }
}

//! From the keys of a law to its parameters, with every fault at its place.

use super::LawError;
use crate::document::{Faults, Node, Span, TableReader};

/// Reads parameters and remembers where they stood.
pub(super) struct Keys<'r, 't, 'f> {
    table: &'r mut TableReader<'t>,
    faults: &'f mut Faults,
    /// Per parameter where it stands, and where its entries do.
    spans: Vec<(&'static str, Span, Vec<Span>)>,
    /// Something is missing or of the wrong type.
    incomplete: bool,
}

impl<'r, 't, 'f> Keys<'r, 't, 'f> {
    pub(super) fn new(table: &'r mut TableReader<'t>, faults: &'f mut Faults) -> Self {
        Self {
            table,
            faults,
            spans: Vec::new(),
            incomplete: false,
        }
    }

    /// A number that may be left out.
    pub(super) fn number(&mut self, key: &'static str, default: f64) -> f64 {
        let errors = self.faults.errors().count();
        let found = self.table.number(key, self.faults);
        self.incomplete |= self.faults.errors().count() > errors;
        found.map_or(default, |number| {
            self.spans.push((key, number.span, Vec::new()));
            number.value
        })
    }

    /// A number that must be there. Where it is not, `stand_in` takes its place so that the others can be checked.
    pub(super) fn required(&mut self, key: &'static str, stand_in: f64) -> f64 {
        if self.table.require(key, self.faults).is_none() {
            self.incomplete = true;
        }
        self.number(key, stand_in)
    }

    /// A list of numbers, `None` where it is left out.
    pub(super) fn numbers(&mut self, key: &'static str) -> Option<Vec<f64>> {
        let whole = self.table.take(key)?.span.clone();
        let nodes = self.table.list(key)?;
        let mut numbers = Vec::with_capacity(nodes.len());
        for (i, node) in nodes.iter().enumerate() {
            match node.value.as_f64() {
                Some(x) => numbers.push(x),
                None => {
                    self.incomplete = true;
                    numbers.push(i as f64 + 1.0);
                    self.type_fault(key, &node.value, node.span.clone());
                }
            }
        }
        let entries = nodes.iter().map(|node| node.span.clone()).collect();
        self.spans.push((key, whole, entries));
        Some(numbers)
    }

    fn type_fault(&mut self, key: &str, node: &Node, span: Span) {
        let message = format!(
            "`{key}` in {} must be a list of numbers, this is {}",
            self.table.place(),
            node.type_name()
        );
        self.faults.error(span, message);
    }

    /// A list that must be there.
    pub(super) fn required_numbers(&mut self, key: &'static str) -> Option<Vec<f64>> {
        if self.table.require(key, self.faults).is_none() {
            self.incomplete = true;
            return None;
        }
        self.numbers(key)
    }

    /// Hands on the law, or tells what is wrong with it.
    pub(super) fn finish<L>(self, law: Result<L, LawError>) -> Option<L> {
        match law {
            Ok(law) => (!self.incomplete).then_some(law),
            Err(error) => {
                for fault in &error.faults {
                    let span = fault
                        .place()
                        .map_or_else(|| self.span(), |place| self.place(place));
                    self.faults.error(span, fault.to_string());
                }
                None
            }
        }
    }

    fn place(&self, (key, entry): (&'static str, Option<usize>)) -> Span {
        let Some((_, whole, entries)) = self.spans.iter().find(|(k, ..)| *k == key) else {
            return self.span();
        };
        let entry = entry.and_then(|i| entries.get(i));
        entry.unwrap_or(whole).clone()
    }

    /// Where a fault of the law as a whole is shown: at its last parameter, or at the head of its table.
    fn span(&self) -> Span {
        let table = self.table.span();
        self.spans.last().map_or(
            table.start..(table.start + 1).min(table.end),
            |(_, span, _)| span.clone(),
        )
    }
}

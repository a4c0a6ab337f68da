//! Reading a table key by key: types are checked, unknown keys are faults with the nearest known name.

use super::{Faults, Node, Span, Spanned};

/// Takes keys out of one table. Call [`finish`](Self::finish) at the end: what nobody took is an unknown key.
#[derive(Debug)]
pub struct TableReader<'a> {
    /// Where the table is, in the user's words: `[solve]`, `state "s0"`.
    place: String,
    span: Span,
    entries: &'a [(Spanned<String>, Spanned<Node>)],
    taken: Vec<bool>,
    known: Vec<&'static str>,
}

impl<'a> TableReader<'a> {
    /// Opens a table; a node of another type is a fault.
    pub fn open(
        node: &'a Spanned<Node>,
        place: impl Into<String>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let place = place.into();
        match &node.value {
            Node::Table(entries) => Some(Self {
                place,
                span: node.span.clone(),
                entries,
                taken: vec![false; entries.len()],
                known: Vec::new(),
            }),
            other => {
                faults.error(
                    node.span.clone(),
                    format!("{place} must be a table, this is {}", other.type_name()),
                );
                None
            }
        }
    }

    /// The table's place, as given to [`open`](Self::open).
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The table's span.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Takes a key of any type.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Spanned<Node>> {
        self.take_entry(key).map(|(_, value)| value)
    }

    /// Takes a key with its own span.
    pub fn take_entry(
        &mut self,
        key: &'static str,
    ) -> Option<(&'a Spanned<String>, &'a Spanned<Node>)> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let at = self.entries.iter().position(|(k, _)| k.value == key)?;
        self.taken[at] = true;
        let (k, v) = &self.entries[at];
        Some((k, v))
    }

    /// Takes a key that must be there.
    pub fn require(&mut self, key: &'static str, faults: &mut Faults) -> Option<&'a Spanned<Node>> {
        let found = self.take(key);
        if found.is_none() {
            // The first byte of the table is where a caret helps; the whole table would underline everything.
            let at = self.span.start..(self.span.start + 1).min(self.span.end);
            faults.error(at, format!("{} has no key `{key}`", self.place));
        }
        found
    }

    /// Takes a string.
    pub fn string(&mut self, key: &'static str, faults: &mut Faults) -> Option<Spanned<String>> {
        let node = self.take(key)?;
        self.typed(
            key,
            node,
            "a string",
            node.value.as_str().map(str::to_owned),
            faults,
        )
    }

    /// Takes a finite number.
    pub fn number(&mut self, key: &'static str, faults: &mut Faults) -> Option<Spanned<f64>> {
        let node = self.take(key)?;
        let value = node.value.as_f64().filter(|x| x.is_finite());
        self.typed(key, node, "a finite number", value, faults)
    }

    /// Takes an integer that is not negative.
    pub fn count(&mut self, key: &'static str, faults: &mut Faults) -> Option<Spanned<u64>> {
        let node = self.take(key)?;
        let value = match node.value {
            Node::Integer(i) => u64::try_from(i).ok(),
            // 1e6 is what people write for a million.
            Node::Float(x) if x >= 0.0 && x <= 2f64.powi(53) && x.fract() == 0.0 => Some(x as u64),
            _ => None,
        };
        self.typed(key, node, "a whole number, 0 or more", value, faults)
    }

    /// Takes a boolean.
    pub fn boolean(&mut self, key: &'static str, faults: &mut Faults) -> Option<Spanned<bool>> {
        let node = self.take(key)?;
        let value = match node.value {
            Node::Bool(b) => Some(b),
            _ => None,
        };
        self.typed(key, node, "true or false", value, faults)
    }

    /// Takes a list; a single value counts as a list of one.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<&'a Spanned<Node>>> {
        let node = self.take(key)?;
        Some(match &node.value {
            Node::Array(items) => items.iter().collect(),
            _ => vec![node],
        })
    }

    /// The same of a list that must not be empty, which is a fault at its place.
    pub fn list_of_some(
        &mut self,
        key: &'static str,
        faults: &mut Faults,
    ) -> Option<Vec<&'a Spanned<Node>>> {
        let node = self.take(key)?;
        let list = self.list(key)?;
        if list.is_empty() {
            let message = format!("`{key}` in {} is an empty list", self.place);
            faults.error(node.span.clone(), message);
        }
        Some(list)
    }

    fn typed<T>(
        &self,
        key: &str,
        node: &Spanned<Node>,
        wanted: &str,
        value: Option<T>,
        faults: &mut Faults,
    ) -> Option<Spanned<T>> {
        match value {
            Some(value) => Some(Spanned {
                value,
                span: node.span.clone(),
            }),
            None => {
                let message = match node.value.as_f64() {
                    Some(x) => format!("`{key}` in {} must be {wanted}, this is {x}", self.place),
                    None => format!(
                        "`{key}` in {} must be {wanted}, this is {}",
                        self.place,
                        node.value.type_name()
                    ),
                };
                faults.error(node.span.clone(), message);
                None
            }
        }
    }

    /// Answers a key of a later feature with "not yet supported".
    pub fn reserve(&mut self, keys: &[&'static str], faults: &mut Faults) {
        self.answer(keys.iter().map(|key| (*key, "not yet supported")), faults);
    }

    /// Answers a key that belongs elsewhere with what it should be.
    pub fn redirect(&mut self, keys: &[(&'static str, &'static str)], faults: &mut Faults) {
        self.answer(keys.iter().copied(), faults);
    }

    fn answer(
        &mut self,
        keys: impl Iterator<Item = (&'static str, &'static str)>,
        faults: &mut Faults,
    ) {
        for (key, answer) in keys {
            let at = self.entries.iter().position(|(k, _)| k.value == key);
            if let Some(at) = at {
                self.taken[at] = true;
                let (name, _) = &self.entries[at];
                let message = format!("`{key}` in {} is {answer}", self.place);
                faults.error(name.span.clone(), message);
            }
        }
    }

    /// Keys that nobody took yet, for tables whose keys are names.
    pub fn rest(&mut self) -> Vec<(&'a Spanned<String>, &'a Spanned<Node>)> {
        let mut rest = Vec::new();
        for (taken, (key, value)) in self.taken.iter_mut().zip(self.entries) {
            if !*taken {
                *taken = true;
                rest.push((key, value));
            }
        }
        rest
    }

    /// Reports every key that was not taken.
    pub fn finish(self, faults: &mut Faults) {
        for (taken, (key, _)) in self.taken.iter().zip(self.entries) {
            if *taken {
                continue;
            }
            let message = format!("unknown key `{}` in {}", key.value, self.place);
            match nearest(&key.value, &self.known) {
                Some(near) => faults.error_with_help(
                    key.span.clone(),
                    message,
                    format!("did you mean `{near}`?"),
                ),
                None => faults.error_with_help(
                    key.span.clone(),
                    message,
                    format!("known keys: {}", self.known.join(", ")),
                ),
            }
        }
    }
}

/// The known word closest to a mistyped one, if any is close.
#[must_use]
pub fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    known
        .iter()
        .map(|k| (edit_distance(word, k), *k))
        .filter(|(d, k)| *d * 3 <= k.chars().count().max(3))
        .min()
        .map(|(_, k)| k)
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{SourceText, parse_toml};

    #[test]
    fn a_mistyped_key_is_named_with_the_one_that_was_meant() {
        let source = SourceText::new("x.toml", "discuont = 0.9\nslip = \"a\"\n");
        let mut faults = Faults::about(source.clone());
        let node = parse_toml(&source, &mut faults);
        let mut table = TableReader::open(&node, "the file", &mut faults).unwrap();
        table.number("discount", &mut faults);
        table.number("slip", &mut faults);
        table.finish(&mut faults);
        insta::assert_snapshot!(faults.to_string(), @r#"
        x.toml:2:8: error: `slip` in the file must be a finite number, this is a string
        x.toml:1:1: error: unknown key `discuont` in the file (help: did you mean `discount`?)
        "#);
    }

    #[test]
    fn all_syntax_errors_of_a_file_are_reported() {
        let source = SourceText::new("x.toml", "a = \nb = 1\nb = 2\n[c\n");
        let mut faults = Faults::about(source.clone());
        parse_toml(&source, &mut faults);
        assert!(faults.list.len() >= 3, "{faults}");
    }
}

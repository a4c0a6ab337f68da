//! TOML text to a [`Node`] tree, by the `toml` crate's recoverable document parser (it goes on after an error).

use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::{Faults, Node, SourceText, Spanned};

/// Syntax errors that become faults: a file that is no TOML at all has one or two in every line.
const MOST_ERRORS: usize = 1_000;

/// Parses a TOML document. Every syntax error and duplicate key goes into `faults`; what could be read is returned.
pub fn parse_toml(source: &Arc<SourceText>, faults: &mut Faults) -> Spanned<Node> {
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let untold = errors.len().saturating_sub(MOST_ERRORS);
    for error in errors.into_iter().take(MOST_ERRORS) {
        match (error.message(), error.span()) {
            ("duplicate key", Some(span)) => {
                let key = &source.text[span.clone()];
                faults.error(span, format!("the key {key:?} stands twice"));
            }
            (message, span) => faults.error(span, message),
        }
    }
    if untold > 0 {
        faults.error(None, format!("and {untold} more errors of syntax"));
    }
    let span = 0..source.text.len();
    let value = convert_table(table.into_inner(), faults);
    Spanned { value, span }
}

fn convert_table(table: DeTable<'_>, faults: &mut Faults) -> Node {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            let key = Spanned {
                span: key.span(),
                value: key.into_inner().into_owned(),
            };
            (key, convert(value, faults))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.span.start);
    Node::Table(entries)
}

fn convert(value: toml::Spanned<DeValue<'_>>, faults: &mut Faults) -> Spanned<Node> {
    let span = value.span();
    let node = match value.into_inner() {
        DeValue::String(s) => Node::String(s.into_owned()),
        DeValue::Boolean(b) => Node::Bool(b),
        DeValue::Integer(i) => match i64::from_str_radix(i.as_str(), i.radix()) {
            Ok(integer) => Node::Integer(integer),
            Err(_) => {
                faults.error(span.clone(), format!("{i} does not fit in 64 bits"));
                Node::Null
            }
        },
        DeValue::Float(x) => match x.as_str().parse() {
            Ok(float) => Node::Float(float),
            Err(_) => {
                faults.error(span.clone(), format!("{x} is not a number"));
                Node::Null
            }
        },
        DeValue::Datetime(date) => Node::String(date.to_string()),
        DeValue::Array(array) => {
            Node::Array(array.into_iter().map(|v| convert(v, faults)).collect())
        }
        DeValue::Table(table) => convert_table(table, faults),
    };
    Spanned { value: node, span }
}

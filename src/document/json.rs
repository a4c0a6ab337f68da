//! JSON text to a [`Node`] tree, by `jsonc-parser` in its strict mode (it keeps byte ranges and duplicate keys).

use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions};

use super::{Faults, Node, SourceText, Spanned};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a JSON document. Syntax errors and duplicate keys go into `faults`.
pub fn parse_json(source: &Arc<SourceText>, faults: &mut Faults) -> Option<Spanned<Node>> {
    match jsonc_parser::parse_to_ast(&source.text, &CollectOptions::default(), &STRICT) {
        Ok(result) => match result.value {
            Some(value) => Some(convert(value, faults)),
            None => {
                faults.error(0..source.text.len().min(1), "the file is empty");
                None
            }
        },
        Err(error) => {
            let range = error.range();
            faults.error(range.start..range.end, error.kind().to_string());
            None
        }
    }
}

fn convert(value: ast::Value<'_>, faults: &mut Faults) -> Spanned<Node> {
    let range = value.range();
    let span = range.start..range.end;
    let node = match value {
        ast::Value::NullKeyword(_) => Node::Null,
        ast::Value::BooleanLit(b) => Node::Bool(b.value),
        ast::Value::StringLit(s) => Node::String(s.value.into_owned()),
        ast::Value::NumberLit(number) => match (number.value.parse(), number.value.parse()) {
            (Ok(integer), _) => Node::Integer(integer),
            (_, Ok(float)) => Node::Float(float),
            _ => {
                faults.error(span.clone(), format!("{} is not a number", number.value));
                Node::Null
            }
        },
        ast::Value::Array(array) => Node::Array(
            array
                .elements
                .into_iter()
                .map(|v| convert(v, faults))
                .collect(),
        ),
        ast::Value::Object(object) => {
            let mut seen = std::collections::HashSet::new();
            let mut entries = Vec::with_capacity(object.properties.len());
            for property in object.properties {
                let range = property.name.range();
                let key = Spanned {
                    value: property.name.into_string(),
                    span: range.start..range.end,
                };
                let value = convert(property.value, faults);
                if seen.insert(key.value.clone()) {
                    entries.push((key, value));
                } else {
                    faults.error(key.span, format!("the key {:?} stands twice", key.value));
                }
            }
            Node::Table(entries)
        }
    };
    Spanned { value: node, span }
}

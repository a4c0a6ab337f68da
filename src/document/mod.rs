//! Text files as trees that remember where everything stood.
//!
//! Every reader of a hand-written file (experiments, MDPs in TOML and JSON, goals) goes through here, so that all of them
//! report *all* faults with file, line and column, and none stops at the first. The room knows syntax only: what a
//! key means is the business of the rooms to the right.

mod fault;
mod json;
mod table;
mod toml;

pub use fault::{Fault, Faults, MOST_TOLD, Severity, SourceText, Span};
pub use json::parse_json;
pub use table::{TableReader, nearest};
pub use toml::parse_toml;

/// A value and the bytes of the source it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The value itself.
    pub value: T,
    /// Byte range in the source text.
    pub span: Span,
}

/// One value of a parsed document.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// JSON's `null` (TOML has none).
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without a point or exponent that fits in 64 bits.
    Integer(i64),
    /// Any other number; TOML's `inf` and `nan` included.
    Float(f64),
    /// A string.
    String(String),
    /// A list.
    Array(Vec<Spanned<Node>>),
    /// Keys in file order. A key that stands twice is reported by the parser and kept once.
    Table(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    /// The value's type in the words of an error message.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    /// The number, if the node is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Integer(i) => Some(*i as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }

    /// The string, if the node is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }
}

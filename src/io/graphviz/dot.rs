//! The language: `[strict] digraph [NAME] { node; node -> node [weight=0.5]; ... }`.

use std::collections::HashSet;

use super::Place;
use crate::document::Faults;

/// A graph as it stands.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Names in the order in which they are first mentioned.
    pub(super) nodes: Vec<(String, Place)>,
    /// Edges in file order.
    pub(super) edges: Vec<Edge>,
}

/// An edge with its weight, if it has one.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) weight: Option<f64>,
    pub(super) span: Place,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A name; `true` where it stood between quotes.
    Name(String, bool),
    /// `->`
    Arrow,
    /// One of `{}[];,=`, or anything else that is no name.
    Sign(char),
}

/// Parses a text; a fault of syntax is told and ends it.
pub(super) fn parse(text: &str, faults: &mut Faults) -> Option<Graph> {
    let tokens = match tokens(text) {
        Ok(tokens) => tokens,
        Err((message, span)) => {
            faults.error(span, message);
            return None;
        }
    };
    let end = text.len()..text.len();
    let mut parser = Parser {
        tokens: &tokens,
        end,
        graph: Graph::default(),
        met: HashSet::new(),
    };
    match parser.graph() {
        Ok(()) => Some(parser.graph),
        Err((message, span)) => {
            faults.error(span, message);
            None
        }
    }
}

type Problem = (String, Place);

fn tokens(text: &str) -> Result<Vec<(Token, Place)>, Problem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let skipped = comment(rest, at == 0 || text[..at].ends_with('\n'))
            .map_err(|message| (message, at..at + first.len_utf8()))?
            .or(first.is_whitespace().then_some(first.len_utf8()));
        if let Some(length) = skipped {
            at += length;
            continue;
        }
        let name_end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || !c.is_ascii()))
            .unwrap_or(rest.len());
        let (token, length) = match first {
            '"' => {
                quoted(rest).ok_or_else(|| ("a quote that is not closed".to_owned(), at..at + 1))?
            }
            '-' if rest.starts_with("->") => (Token::Arrow, 2),
            '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                let end = rest[1..]
                    .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                    .map_or(rest.len(), |end| end + 1);
                (Token::Name(rest[..end].to_owned(), false), end)
            }
            _ if name_end > 0 => (Token::Name(rest[..name_end].to_owned(), false), name_end),
            sign => (Token::Sign(sign), sign.len_utf8()),
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// Length of a comment that the text starts with.
fn comment(text: &str, starts_line: bool) -> Result<Option<usize>, String> {
    let line = || Ok(Some(text.find('\n').unwrap_or(text.len())));
    if text.starts_with("//") || (starts_line && text.starts_with('#')) {
        return line();
    }
    match text.strip_prefix("/*") {
        Some(inner) => inner
            .find("*/")
            .map(|end| Some(end + 4))
            .ok_or_else(|| "a comment that is not closed".to_owned()),
        None => Ok(None),
    }
}

/// A string: `\"` is a quote, every other backslash stands for itself.
fn quoted(text: &str) -> Option<(Token, usize)> {
    let mut name = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((i, c)) = characters.next() {
        match c {
            '"' => return Some((Token::Name(name, true), i + 1)),
            '\\' if characters.peek().is_some_and(|&(_, next)| next == '"') => {
                characters.next();
                name.push('"');
            }
            c => name.push(c),
        }
    }
    None
}

struct Parser<'t> {
    tokens: &'t [(Token, Place)],
    end: Place,
    graph: Graph,
    met: HashSet<String>,
}

impl Parser<'_> {
    fn graph(&mut self) -> Result<(), Problem> {
        self.keyword("strict");
        if !self.keyword("digraph") {
            return Err(self.unexpected("`digraph`"));
        }
        if !self.sign('{') {
            self.name("a name or `{`")?;
            self.expect('{')?;
        }
        while !self.sign('}') {
            self.statement()?;
            while self.sign(';') || self.sign(',') {}
        }
        match self.tokens.is_empty() {
            true => Ok(()),
            false => Err(self.unexpected("nothing more: one file holds one graph")),
        }
    }

    fn statement(&mut self) -> Result<(), Problem> {
        if self.keyword("graph") || self.keyword("node") || self.keyword("edge") {
            return self.attributes().map(drop);
        }
        let (first, span) = self.name("a node")?;
        if self.sign('=') {
            return self.name("a value").map(drop);
        }
        let mut chain = vec![(first, span)];
        while self.arrow() {
            chain.push(self.name("a node")?);
        }
        let weight = self.attributes()?;
        for (name, span) in &chain {
            // NetworkX and pydot leave a stray node `\n` behind.
            if (chain.len() > 1 || name != "\\n") && self.met.insert(name.clone()) {
                self.graph.nodes.push((name.clone(), span.clone()));
            }
        }
        for pair in chain.windows(2) {
            let [(from, start), (to, end)] = pair else {
                continue;
            };
            let span = start.start..end.end;
            self.graph.edges.push(Edge {
                from: from.clone(),
                to: to.clone(),
                weight,
                span,
            });
        }
        Ok(())
    }

    /// Reads `[key=value, ...]` any number of times; the weight, if there is one.
    fn attributes(&mut self) -> Result<Option<f64>, Problem> {
        let mut weight = None;
        while self.sign('[') {
            while !self.sign(']') {
                let (key, _) = self.name("the name of an attribute or `]`")?;
                self.expect('=')?;
                let (value, span) = self.name("a value")?;
                if key == "weight" {
                    // pydot may leave quotes inside the quotes.
                    let number = value.trim_matches('"').parse::<f64>();
                    weight =
                        Some(number.map_err(|_| {
                            (format!("the weight {value:?} is not a number"), span)
                        })?);
                }
                while self.sign(',') || self.sign(';') {}
            }
        }
        Ok(weight)
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.first(), Some((Token::Name(name, false), _)) if name.eq_ignore_ascii_case(word));
        self.skip(found)
    }

    fn sign(&mut self, sign: char) -> bool {
        let found = matches!(self.tokens.first(), Some((Token::Sign(found), _)) if *found == sign);
        self.skip(found)
    }

    fn arrow(&mut self) -> bool {
        let found = matches!(self.tokens.first(), Some((Token::Arrow, _)));
        self.skip(found)
    }

    fn skip(&mut self, found: bool) -> bool {
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn expect(&mut self, sign: char) -> Result<(), Problem> {
        match self.sign(sign) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{sign}`"))),
        }
    }

    fn name(&mut self, wanted: &str) -> Result<(String, Place), Problem> {
        match self.tokens.first() {
            Some((Token::Name(name, is_quoted), span))
                if *is_quoted || !name.eq_ignore_ascii_case("subgraph") =>
            {
                self.tokens = &self.tokens[1..];
                Ok((name.clone(), span.clone()))
            }
            _ => Err(self.unexpected(wanted)),
        }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let (found, span) = match self.tokens.first() {
            None => ("the end of the file".to_owned(), self.end.clone()),
            Some((Token::Arrow, span)) => ("`->`".to_owned(), span.clone()),
            Some((Token::Sign(sign), span)) => (format!("`{sign}`"), span.clone()),
            Some((Token::Name(name, _), span)) => (format!("{name:?}"), span.clone()),
        };
        (format!("expected {wanted}, found {found}"), span)
    }
}

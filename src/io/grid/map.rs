//! The lines of an ASCII map, and where each of its characters stands in the file.

use std::collections::BTreeMap;

use crate::document::{Node, SourceText, Span, Spanned, TableReader};
use crate::mdp::MdpBuilder;

/// Ragged rows reported one by one.
const SHOWN: usize = 8;

/// A map as its file spells it.
pub(super) struct Map {
    /// Characters of every line, `[rows, columns]`.
    pub(super) cells: Vec<Vec<char>>,
    /// Byte offset of every line in the file; `None` where escapes make the string differ from the file's bytes.
    offsets: Option<Vec<usize>>,
    /// Whether every character is one byte, so that a place is found without reading the line.
    ascii: bool,
    /// The whole string.
    pub(super) span: Span,
}

impl Map {
    /// Takes `map` out of the `[grid]` table, and says whether it is a rectangle of characters; where it is not there is a fault. `None`, with a fault, when it holds no characters.
    pub(super) fn read(
        table: &mut TableReader<'_>,
        source: &SourceText,
        builder: &mut MdpBuilder,
    ) -> Option<(Self, bool)> {
        let node = table.require("map", builder.faults())?;
        let Node::String(text) = &node.value else {
            let message = format!(
                "`map` in [grid] must be a string, this is {}",
                node.value.type_name()
            );
            builder.faults().error(node.span.clone(), message);
            return None;
        };
        let map = Self::of(text, node, source);
        if map.cells.is_empty() {
            builder
                .faults()
                .error(map.span.clone(), "the map has no rows");
            return None;
        }
        let is_whole = map.check(builder);
        Some((map, is_whole))
    }

    fn of(text: &str, node: &Spanned<Node>, source: &SourceText) -> Self {
        let mut lines: Vec<&str> = text.lines().collect();
        let mut offsets = literal_lines(&source.text, node.span.clone(), &lines);
        // Empty lines around the map belong to the way the string is written, not to the map.
        while lines.last().is_some_and(|l| l.is_empty()) {
            lines.pop();
        }
        let above = lines.iter().take_while(|l| l.is_empty()).count();
        lines.drain(..above);
        if let Some(offsets) = &mut offsets {
            offsets.drain(..above);
        }
        Self {
            cells: lines.iter().map(|l| l.chars().collect()).collect(),
            offsets,
            ascii: text.is_ascii(),
            span: node.span.clone(),
        }
    }

    /// All rows must have one length. Nothing of size rows x columns is allocated before this has passed.
    fn check(&self, builder: &mut MdpBuilder) -> bool {
        let width = self.usual_width();
        let ragged = |row: &usize| self.cells[*row].len() != width;
        let rows: Vec<usize> = (0..self.cells.len()).filter(ragged).collect();
        for &row in rows.iter().take(SHOWN) {
            let found = self.cells[row].len();
            let more = match rows.len() {
                n if n > SHOWN && row == rows[SHOWN - 1] => {
                    format!("; {} more rows differ, too", n - SHOWN)
                }
                _ => String::new(),
            };
            builder.faults().error_with_help(
                self.span_at(row, found.min(width)),
                format!(
                    "row {row} of the map has {found} characters, the others have {width}{more}"
                ),
                "fill up with walls (#) or floor (.)",
            );
        }
        rows.is_empty()
    }

    /// The length that most rows have, the larger of two that are equally common.
    fn usual_width(&self) -> usize {
        let mut rows_of = BTreeMap::new();
        for line in &self.cells {
            *rows_of.entry(line.len()).or_insert(0) += 1;
        }
        let most = rows_of.into_iter().max_by_key(|&(_, rows)| rows);
        most.map_or(0, |(width, _)| width)
    }

    /// Place of a character in the file; the whole string where that is not known.
    pub(super) fn span_at(&self, row: usize, column: usize) -> Span {
        let Some(offsets) = &self.offsets else {
            return self.span.clone();
        };
        let line = &self.cells[row];
        let bytes = |cells: &[char]| cells.iter().map(|c| c.len_utf8()).sum::<usize>();
        let before = match self.ascii {
            true => column,
            false => bytes(&line[..column]),
        };
        let start = offsets[row] + before;
        let width = line.get(column).map_or(0, |c| c.len_utf8());
        start..start + width
    }
}

/// Offsets of the lines of a string that stands in the file as it is, in any of TOML's or JSON's quotes.
fn literal_lines(file: &str, span: Span, lines: &[&str]) -> Option<Vec<usize>> {
    let raw = file.get(span.clone())?;
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|q| raw.starts_with(q))?;
    let body = raw.get(quote.len()..raw.len().checked_sub(quote.len())?)?;
    // TOML drops the line break right after three quotes.
    let newline = ["\r\n", "\n"]
        .into_iter()
        .find(|n| quote.len() == 3 && body.starts_with(n));
    let skipped = newline.map_or(0, str::len);
    let mut at = span.start + quote.len() + skipped;
    let mut offsets = Vec::with_capacity(lines.len());
    let mut found = body[skipped..].split_inclusive('\n');
    for line in lines {
        let raw_line = found.next()?;
        if raw_line.trim_end_matches(['\r', '\n']) != *line {
            return None;
        }
        offsets.push(at);
        at += raw_line.len();
    }
    found.next().is_none().then_some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Faults, parse_toml};

    fn map_of(text: &str) -> (Map, std::sync::Arc<SourceText>) {
        let source = SourceText::new("x.toml", text);
        let mut faults = Faults::about(source.clone());
        let root = parse_toml(&source, &mut faults);
        let Node::Table(entries) = &root.value else {
            unreachable!("a TOML file is a table")
        };
        let Node::String(map) = &entries[0].1.value else {
            panic!("{faults}")
        };
        (Map::of(map, &entries[0].1, &source), source)
    }

    #[test]
    fn every_character_of_a_literal_map_is_found_in_the_file() {
        for text in [
            "map = \"\"\"\nab\ncd\n\"\"\"",
            "map = '''\nab\ncd\n'''\n",
            "map = '''ab\ncd'''",
            "# Karte: ÄÖ\nmap = '''\r\nab\r\ncd\r\n'''",
            "map = \"\"\"\n\n\nab\ncd\n\n\"\"\"",
        ] {
            let (map, source) = map_of(text);
            assert_eq!(map.cells, [['a', 'b'], ['c', 'd']], "{text:?}");
            for (row, column, wanted) in [(0, 0, "a"), (0, 1, "b"), (1, 0, "c"), (1, 1, "d")] {
                assert_eq!(&source.text[map.span_at(row, column)], wanted, "{text:?}");
            }
        }
    }

    #[test]
    fn wide_characters_are_one_cell_each() {
        let (map, source) = map_of("map = 'ä→x'");
        assert_eq!(&source.text[map.span_at(0, 2)], "x");
        assert_eq!(&source.text[map.span_at(0, 1)], "→");
    }

    #[test]
    fn a_map_with_escapes_is_shown_as_a_whole() {
        let (map, source) = map_of("map = \"ab\\ncd\"");
        assert_eq!(map.cells.len(), 2);
        assert_eq!(&source.text[map.span_at(1, 0)], "\"ab\\ncd\"");
    }
}

//! What the characters of a map mean: the default legend, and the file's own entries over it.

use crate::document::{Node, Span, Spanned, TableReader};
use crate::mdp::MdpBuilder;

/// What one character stands for. All off is floor.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    /// The character; none for the entry of unknown ones.
    pub(super) symbol: Option<char>,
    /// No state.
    pub(super) wall: bool,
    /// The start state.
    pub(super) start: bool,
    /// Absorbing, with the one choice `stay`.
    pub(super) terminal: bool,
    /// The state's name, for a character that stands once.
    pub(super) name: Option<Spanned<String>>,
    /// Labels of the state.
    pub(super) labels: Vec<Spanned<String>>,
    /// No state: who steps here is in that state instead.
    pub(super) teleport: Option<Spanned<String>>,
    /// Where the file says so; `None` for the default legend.
    pub(super) span: Option<Span>,
}

impl Kind {
    /// The entry in the words of an error message.
    pub(super) fn place(&self) -> String {
        self.symbol.map_or_else(
            || "the legend".to_owned(),
            |symbol| format!("the legend's {symbol:?}"),
        )
    }

    /// Whether such a cell is a state.
    pub(super) fn is_state(&self) -> bool {
        !self.wall && self.teleport.is_none()
    }
}

/// The legend in force: at most one entry a character.
pub(super) struct Legend {
    /// The entries; the first one is floor and stands for every character without an entry, so that the rest of a map
    /// is checked, too.
    pub(super) kinds: Vec<Kind>,
}

/// Position of the entry of characters without one.
pub(super) const UNKNOWN: usize = 0;

impl Legend {
    /// `#` wall, `.` and space floor, `S` start.
    fn defaults() -> Self {
        let of = |symbol| Kind {
            symbol: Some(symbol),
            ..Kind::default()
        };
        let wall = Kind {
            wall: true,
            ..of('#')
        };
        let start = Kind {
            start: true,
            ..of('S')
        };
        Self {
            kinds: vec![Kind::default(), wall, of('.'), of(' '), start],
        }
    }

    /// Takes `legend` out of the `[grid]` table.
    pub(super) fn read(table: &mut TableReader<'_>, builder: &mut MdpBuilder) -> Self {
        let mut legend = Self::defaults();
        let Some(node) = table.take("legend") else {
            return legend;
        };
        let Some(mut entries) = TableReader::open(node, "[grid.legend]", builder.faults()) else {
            return legend;
        };
        for (key, value) in entries.rest() {
            let mut characters = key.value.chars();
            let (Some(symbol), None) = (characters.next(), characters.next()) else {
                let message = format!("the legend's key {:?} is not one character", key.value);
                builder.faults().error(key.span.clone(), message);
                continue;
            };
            let kind = read_kind(symbol, key.span.clone(), value, builder);
            legend.kinds.retain(|k| k.symbol != Some(symbol));
            legend.kinds.push(kind);
        }
        legend
    }

    /// Position of a character's entry, [`UNKNOWN`] where it has none.
    pub(super) fn find(&self, symbol: char) -> usize {
        let found = self.kinds.iter().position(|k| k.symbol == Some(symbol));
        found.unwrap_or(UNKNOWN)
    }
}

fn read_kind(symbol: char, span: Span, node: &Spanned<Node>, builder: &mut MdpBuilder) -> Kind {
    let mut kind = Kind {
        symbol: Some(symbol),
        span: Some(span),
        ..Kind::default()
    };
    let faults = builder.faults();
    let Some(mut table) = TableReader::open(node, kind.place(), faults) else {
        return kind;
    };
    let mut flag = |key| table.boolean(key, faults).is_some_and(|b| b.value);
    kind.wall = flag("wall");
    kind.start = flag("start");
    kind.terminal = flag("terminal");
    kind.name = table.string("name", faults);
    kind.teleport = table.string("teleport", faults);
    for key in ["label", "labels"] {
        for item in table.list(key).unwrap_or_default() {
            match &item.value {
                Node::String(label) => kind.labels.push(Spanned {
                    value: label.clone(),
                    span: item.span.clone(),
                }),
                other => faults.error(
                    item.span.clone(),
                    format!("a label must be a string, this is {}", other.type_name()),
                ),
            }
        }
    }
    table.finish(faults);
    check_kind(&kind, builder);
    kind
}

/// A wall is nothing else, and a teleporting cell has no state that could start, end or be named.
fn check_kind(kind: &Kind, builder: &mut MdpBuilder) {
    let (what, others) = match (kind.wall, &kind.teleport) {
        (true, Some(_)) => ("a wall", vec!["teleport"]),
        (true, None) => ("a wall", Vec::new()),
        (false, Some(_)) => ("a teleporting cell", Vec::new()),
        (false, None) => return,
    };
    let mut given = others;
    given.extend(kind.start.then_some("start"));
    given.extend(kind.terminal.then_some("terminal"));
    given.extend(kind.name.is_some().then_some("name"));
    given.extend((!kind.labels.is_empty()).then_some("label"));
    if !given.is_empty() {
        let message = format!(
            "{} is {what}, which is not a state: it cannot have {}",
            kind.place(),
            given.join(", ")
        );
        builder.faults().error(kind.span.clone(), message);
    }
}

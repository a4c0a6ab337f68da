//! What stdout can show: its width and its colours.

use std::io::{self, IsTerminal};

use powersweep::report::{Colours, MapOptions, TableOptions};
use terminal_size::{Width, terminal_size};

/// Characters per line where stdout is no terminal.
const PLAIN_WIDTH: usize = 80;

/// Width of stdout: the terminal's, else 80.
pub(crate) fn width() -> usize {
    match terminal_size() {
        Some((Width(width), _)) if io::stdout().is_terminal() => usize::from(width).max(40),
        _ => PLAIN_WIDTH,
    }
}

/// Colours of stdout.
pub(crate) fn colours() -> Colours {
    let variable = |name| std::env::var(name).ok();
    Colours::choose(
        io::stdout().is_terminal(),
        variable("NO_COLOR").as_deref(),
        variable("COLORTERM").as_deref(),
        variable("TERM").as_deref(),
    )
}

/// How maps are drawn on stdout.
pub(crate) fn map_options() -> MapOptions {
    MapOptions {
        width: width(),
        colours: colours(),
    }
}

/// How tables are set on stdout.
pub(crate) fn table_options(all: bool) -> TableOptions {
    TableOptions {
        width: width(),
        all,
    }
}

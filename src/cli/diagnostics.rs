//! Everything that is shown on stderr: faults with carets into their file, errors with their causes, warnings.
//!
//! Colours only on a terminal, and never with NO_COLOR set.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use powersweep::document::{Fault, Faults, Severity};

use super::failure::Failure;

/// Columns that messages are wrapped at.
const WIDTH: usize = 110;

/// Shows why a command was stopped.
pub(crate) fn show_failure(failure: &Failure) {
    match failure {
        Failure::Faults(list) => {
            list.iter().for_each(show_faults);
            let errors: usize = list.iter().map(|faults| faults.errors().count()).sum();
            let word = if errors == 1 { "error" } else { "errors" };
            show(&format!("{errors} {word}\n"));
        }
        Failure::Error { error, help, .. } => {
            let message = error.to_string();
            // Many errors say their cause in their own message already.
            let cause = error
                .source()
                .filter(|c| !message.ends_with(&c.to_string()));
            show(&render(&Shown {
                severity: Severity::Error,
                message,
                help: help.clone(),
                span: None,
                source: None,
                cause,
            }));
        }
    }
}

/// Shows every fault of one file, errors and warnings, with a caret at its place.
pub(crate) fn show_faults(faults: &Faults) {
    let (told, others) = faults.told();
    for fault in told {
        show(&render(&Shown::of(fault, faults)));
    }
    if others > 0 {
        show(&format!("and {others} more\n"));
    }
}

/// Shows a warning about no place in a file.
pub(crate) fn show_warning(message: impl Into<String>, help: Option<String>) {
    show(&render(&Shown {
        severity: Severity::Warning,
        message: message.into(),
        help,
        span: None,
        source: None,
        cause: None,
    }));
}

/// Shows a line that is neither data nor a complaint.
pub(crate) fn show_note(message: &str) {
    show(&format!("{message}\n"));
}

/// Writes to stderr. There is nowhere left to complain to when that fails.
fn show(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn render(diagnostic: &Shown<'_>) -> String {
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let theme = match colours {
        true => GraphicalTheme::unicode(),
        false => GraphicalTheme::unicode_nocolor(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false);
    let mut text = String::new();
    match handler.render_report(&mut text, diagnostic) {
        Ok(()) => text,
        // A span outside its text cannot be drawn; the message must not be lost with it.
        Err(fmt::Error) => format!("{diagnostic}\n"),
    }
}

/// A fault or an error in the form that is drawn.
#[derive(Debug)]
struct Shown<'a> {
    severity: Severity,
    message: String,
    help: Option<String>,
    span: Option<Range<usize>>,
    source: Option<NamedSource<String>>,
    cause: Option<&'a (dyn std::error::Error + 'static)>,
}

impl<'a> Shown<'a> {
    fn of(fault: &Fault, faults: &'a Faults) -> Self {
        let source = faults.source.as_ref();
        let message = match (source, &fault.span) {
            // Without a caret the file must be named in words.
            (Some(source), None) => format!("{}: {}", source.name, fault.message),
            _ => fault.message.clone(),
        };
        Self {
            severity: fault.severity,
            message,
            help: fault.help.clone(),
            span: fault.span.clone().map(|span| match source {
                Some(source) => first_line(span, &source.text),
                None => span,
            }),
            source: source.map(|s| NamedSource::new(&s.name, s.text.clone())),
            cause: None,
        }
    }
}

/// Where a span is, up to the end of its first line: a map of a thousand lines is not shown whole.
fn first_line(span: Range<usize>, text: &str) -> Range<usize> {
    let end = text.get(span.clone()).and_then(|part| part.find('\n'));
    span.start..end.map_or(span.end, |length| span.start + length.max(1))
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
    }
}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let source = self.source.as_ref()?;
        self.span.as_ref().map(|_| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span.clone()?;
        Some(Box::new(std::iter::once(LabeledSpan::underline(span))))
    }
}

//! Faults: what is wrong, where, and what to do about it, collected rather than thrown.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Byte range in a source text.
pub type Span = Range<usize>;

/// The text of a file, with the name to show for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceText {
    /// File name as the user gave it.
    pub name: String,
    /// The whole content.
    pub text: String,
}

impl SourceText {
    /// Names a text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            text: text.into(),
        })
    }

    /// One-based line and column (in characters) of a byte offset.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |last| last.chars().count())
            + 1;
        (line, column)
    }
}

/// Whether a fault stops the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is built from the input.
    Error,
    /// The input is used; the user is told.
    Warning,
}

/// One thing that is wrong with an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, with the names and numbers involved.
    pub message: String,
    /// Where it stands, when it stands in a text.
    pub span: Option<Span>,
    /// What to do next, if there is something better than undoing it.
    pub help: Option<String>,
}

/// Most faults of one input that are told.
pub const MOST_TOLD: usize = 100;

/// All faults of one input, in the order they were found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// The text that spans refer to, if the input was a text.
    pub source: Option<Arc<SourceText>>,
    /// The faults.
    pub list: Vec<Fault>,
}

impl Faults {
    /// An empty collection about `source`.
    #[must_use]
    pub fn about(source: Arc<SourceText>) -> Self {
        Self {
            source: Some(source),
            list: Vec::new(),
        }
    }

    /// Adds an error.
    pub fn error(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>) {
        self.push(Severity::Error, span.into(), message.into(), None);
    }

    /// Adds an error with advice.
    pub fn error_with_help(
        &mut self,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(
            Severity::Error,
            span.into(),
            message.into(),
            Some(help.into()),
        );
    }

    /// Adds a warning.
    pub fn warning(&mut self, span: impl Into<Option<Span>>, message: impl Into<String>) {
        self.push(Severity::Warning, span.into(), message.into(), None);
    }

    fn push(
        &mut self,
        severity: Severity,
        span: Option<Span>,
        message: String,
        help: Option<String>,
    ) {
        self.list.push(Fault {
            severity,
            message,
            span,
            help,
        });
    }

    /// Puts the faults in the order of the text; what has no place in it comes last.
    pub fn sort_by_place(&mut self) {
        let place = |f: &Fault| f.span.as_ref().map_or(usize::MAX, |s| s.start);
        self.list.sort_by_key(place);
    }

    /// Whether any fault is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors alone.
    pub fn errors(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter().filter(|f| f.severity == Severity::Error)
    }

    /// What a reader is told: all of it, or where that is more than anybody reads the first [`MOST_TOLD`], errors before warnings; and the number of the others.
    #[must_use]
    pub fn told(&self) -> (Vec<&Fault>, usize) {
        if self.list.len() <= MOST_TOLD {
            return (self.list.iter().collect(), 0);
        }
        let told = self.errors().chain(self.warnings()).take(MOST_TOLD);
        (told.collect(), self.list.len() - MOST_TOLD)
    }

    /// The warnings alone.
    pub fn warnings(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter().filter(|f| f.severity == Severity::Warning)
    }
}

/// Plain rendering, one fault a line: `file:line:column: error: message`. The binary draws carets instead.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (told, others) = self.told();
        for (i, fault) in told.into_iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            if let Some(source) = &self.source {
                write!(f, "{}:", source.name)?;
                if let Some(span) = &fault.span {
                    let (line, column) = source.line_column(span.start);
                    write!(f, "{line}:{column}:")?;
                }
                write!(f, " ")?;
            }
            let word = match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "{word}: {}", fault.message)?;
            if let Some(help) = &fault.help {
                write!(f, " (help: {help})")?;
            }
        }
        if others > 0 {
            write!(f, "\nand {others} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_faults_than_anybody_reads_are_counted() {
        let source = SourceText::new("x", "a\n".repeat(1_000));
        let mut faults = Faults::about(source);
        (0..50).for_each(|line| faults.warning(2 * line..2 * line + 1, "odd"));
        (50..MOST_TOLD).for_each(|line| faults.error(2 * line..2 * line + 1, "bad"));
        assert_eq!(faults.to_string().lines().count(), MOST_TOLD);
        assert!(faults.to_string().starts_with("x:1:1: warning: odd"));
        faults.error(None, "and this");
        let text = faults.to_string();
        assert!(text.starts_with("x:51:1: error: bad") && text.contains("x: error: and this\n"));
        assert!(text.ends_with("x:49:1: warning: odd\nand 1 more"), "{text}");
    }
}

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

    /// The warnings alone.
    pub fn warnings(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter().filter(|f| f.severity == Severity::Warning)
    }
}

/// Plain rendering, one fault a line: `file:line:column: error: message`. The binary draws carets instead.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().enumerate() {
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
        Ok(())
    }
}

impl std::error::Error for Faults {}

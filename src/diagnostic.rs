//! Problems in what a user wrote, shown at the place where it was written.
//!
//! Problems are plain values that are collected, so that one run shows all of them; [`render`] is the only
//! place that turns them into text.

use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A range of bytes in a [`Source`]; [`Span::NONE`] for what nobody wrote, such as a default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// The span of a value that stands nowhere in the file.
    pub const NONE: Self = Self {
        start: usize::MAX,
        end: usize::MAX,
    };

    /// Whether the value was written by someone.
    pub fn is_written(self) -> bool {
        self != Self::NONE
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::NONE
    }
}

/// A text and the name by which its author knows it.
#[derive(Debug, Clone)]
pub struct Source {
    /// File name as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// Line and column of a byte, both counted from 1, the column in characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// The text with user names and passwords in URLs (`scheme://user:password@host`) overwritten, of the same length.
pub fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let authority = part.find(|letter: char| letter.is_whitespace() || "/?#".contains(letter));
        let authority = &part[..authority.unwrap_or(part.len())];
        let user = authority.rfind('@').unwrap_or(0);
        shown.push_str("://");
        shown.push_str(&"*".repeat(user));
        shown.push_str(&part[user..]);
    }
    shown
}

/// A class of problems: its stable name and what it means, in one line.
#[derive(PartialEq, Eq)]
pub struct Code {
    /// `area::kebab-case`, never reused for another meaning.
    pub name: &'static str,
    /// What the rule asks for.
    pub meaning: &'static str,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Declares codes as constants, and `ALL`, the table of them.
macro_rules! codes {
    ($area:literal; $($constant:ident $name:literal $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: $crate::diagnostic::Code = $crate::diagnostic::Code {
                name: concat!($area, "::", $name),
                meaning: $meaning,
            };
        )*
        /// Every code of this area.
        pub const ALL: &[&$crate::diagnostic::Code] = &[$(&$constant),*];
    };
}
pub(crate) use codes;

/// Whether a problem stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is done until it is fixed.
    Error,
    /// Worth knowing; the program goes on.
    Warning,
}

/// A place in the source and what to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there; may be empty where the title says it all.
    pub text: String,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that was broken.
    pub code: &'static Code,
    /// Whether it stops the program.
    pub severity: Severity,
    /// What is wrong, with the names and values at hand.
    pub title: String,
    /// Where; the first is the place to fix, the others explain it.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem that stops the program.
    pub fn error(code: &'static Code, title: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            title: title.into(),
            labels: Vec::new(),
            help: None,
        }
    }

    /// A problem to know about.
    pub fn warning(code: &'static Code, title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, title)
        }
    }

    /// Adds a place; spans of values that nobody wrote are left out.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.is_written() {
            self.labels.push(Label {
                span,
                text: text.into(),
            });
        }
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// First byte of the place to fix, for sorting in the order of the file.
    pub fn position(&self) -> usize {
        self.labels.first().map_or(usize::MAX, |label| label.span.start)
    }
}

/// Whether [`render`] may use terminal colours; without them the text says just as much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

/// Shows problems with the lines they are about, one paragraph each.
pub fn render(diagnostics: &[Diagnostic], source: &Source, colour: Colour) -> String {
    let renderer = match colour {
        Colour::Always => Renderer::styled(),
        Colour::Never => Renderer::plain(),
    }
    .decor_style(DecorStyle::Ascii);
    let mut text = String::new();
    for diagnostic in diagnostics {
        text.push_str(&renderer.render(&[group(diagnostic, source)]));
        text.push_str("\n\n");
    }
    text
}

fn group<'a>(diagnostic: &'a Diagnostic, source: &'a Source) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&*diagnostic.title).id(diagnostic.code.name);
    let mut group = if diagnostic.labels.is_empty() {
        Group::with_title(title)
    } else {
        title.element(snippet(diagnostic, source))
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(&**help));
    }
    group
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    source: &'a Source,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let length = source.text.len();
    let annotations = diagnostic.labels.iter().enumerate().map(|(index, label)| {
        let kind = if index == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let start = label.span.start.min(length);
        kind.span(start..label.span.end.clamp(start, length))
            .label((!label.text.is_empty()).then_some(&*label.text))
    });
    Snippet::source(&*source.text)
        .path(&*source.name)
        .annotations(annotations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_overwritten() {
        let text = "a: https://ci:p@ss@host:1/x@y http://host/ mailto:a@b";
        assert_eq!(
            without_passwords(text),
            "a: https://*******@host:1/x@y http://host/ mailto:a@b"
        );
        assert_eq!(without_passwords("plain"), "plain");
    }

    #[test]
    fn positions_count_characters() {
        let source = Source {
            name: String::new(),
            text: "ä: 1\nb: 2\n".to_owned(),
        };
        assert_eq!(source.position(4), (1, 4));
        assert_eq!(source.position(6), (2, 1));
    }

    #[test]
    fn spans_beyond_the_text_are_shown_without_panic() {
        let code = &Code {
            name: "a::b",
            meaning: "",
        };
        let source = Source {
            name: "x".to_owned(),
            text: "ä".to_owned(),
        };
        let span = Span { start: 5, end: 3 };
        let shown = render(
            &[Diagnostic::error(code, "title").at(span, "here")],
            &source,
            Colour::Never,
        );
        assert!(shown.contains("error[a::b]: title"), "{shown}");
    }
}

//! What the rules work with: the document, and the problems found so far.

use crate::diagnostic::{Code, Diagnostic, without_passwords};
use crate::inventory::Document;
use crate::yaml::Spanned;

/// Collects problems while the parts of the inventory are checked.
pub(super) struct RuleContext<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'a> RuleContext<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            problems: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Turns a written string into what it means, or reports why it can't.
    pub(super) fn parse<T>(
        &mut self,
        written: &Spanned<String>,
        code: &'static Code,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(written) {
            Ok(value) => Some(value),
            Err(reason) => {
                let title = format!("invalid {what} `{}`", without_passwords(written));
                self.report(Diagnostic::error(code, title).at(written.span, reason));
                None
            }
        }
    }

    /// The same for what may be left out. Outer `None`: it is wrong, and reported.
    #[expect(clippy::option_option, reason = "both kinds of absence occur")]
    pub(super) fn parse_optional<T>(
        &mut self,
        written: Option<&Spanned<String>>,
        code: &'static Code,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match written {
            Some(written) => self.parse(written, code, what, parse).map(Some),
            None => Some(None),
        }
    }

    /// The same for a list: all or nothing, with every problem reported.
    pub(super) fn parse_all<T>(
        &mut self,
        written: &[Spanned<String>],
        code: &'static Code,
        what: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let parsed: Vec<_> = written
            .iter()
            .map(|item| self.parse(item, code, what, &parse))
            .collect();
        parsed.into_iter().collect()
    }
}

//! Names inside Jenkins, which must be unique among their kind.

use crate::diagnostic::Diagnostic;
use crate::model::check::RuleContext;
use crate::model::{code, name};
use crate::yaml::Spanned;

/// An id or a job's name: letters, digits, `-`, `_` and `.`, so that it can be part of a Secret's key and of a URL.
pub(super) fn identifier(text: &str) -> Result<String, String> {
    name::label_value(text)?;
    if text.is_empty() {
        return Err("it must not be empty".to_owned());
    }
    Ok(text.to_owned())
}

/// A login name, which becomes the name of a folder.
pub(super) fn login(text: &str) -> Result<String, String> {
    identifier(text)
}

/// Reports names that stand twice.
pub(super) fn unique<'a>(
    what: &str,
    names: impl IntoIterator<Item = &'a Spanned<String>>,
    check: &mut RuleContext<'_>,
) {
    let mut seen: Vec<&Spanned<String>> = Vec::new();
    for name in names {
        match seen.iter().find(|other| other.value == name.value) {
            Some(first) => check.report(
                Diagnostic::error(
                    &code::DUPLICATE_NAME,
                    format!("there are two {what} `{}`", name.value),
                )
                .at(name.span, "again here")
                .at(first.span, "first here"),
            ),
            None => seen.push(name),
        }
    }
}

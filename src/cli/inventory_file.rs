//! The inventory that a command is given.

use std::io::Write;
use std::path::Path;

use super::{CommandFailure, Exit, OrExit};
use crate::diagnostic::{Colour, Diagnostic, Source, render};
use crate::inventory::{self, Document};
use crate::model::{self, Validated};
use crate::resource::sh;

/// Reads and checks an inventory. Warnings are printed; so are problems, and then the command fails.
pub fn load(path: &Path) -> Result<Validated, CommandFailure> {
    validated(&inventory::read(path).or_exit(Exit::Usage)?)
}

/// Checks an inventory that has been read, as [`load`] does.
pub(super) fn validated(document: &Document) -> Result<Validated, CommandFailure> {
    match model::validate(document) {
        Ok(mut valid) => {
            valid.warnings.extend(model::support_warnings(document, today()));
            show(&valid.warnings, &document.source);
            Ok(valid)
        }
        Err(problems) => {
            show(&problems, &document.source);
            Err(anyhow::anyhow!("{}: {}", document.source.name, count(&problems))).or_exit(Exit::Usage)
        }
    }
}

/// Today, or the day that `SOURCE_DATE_EPOCH` names: with it what is printed is the same on every day.
pub(super) fn today() -> jiff::civil::Date {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok();
    let fixed = fixed.and_then(|seconds| jiff::Timestamp::from_second(seconds.parse().ok()?).ok());
    let now = fixed.unwrap_or_else(jiff::Timestamp::now);
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// A file as it stands in a command that can be pasted into a shell.
pub(super) fn argument(path: &Path) -> String {
    sh::quote(&path.display().to_string())
}

/// Prints problems to standard error.
fn show(problems: &[Diagnostic], source: &Source) {
    // Colours are taken off again where standard error wants none.
    let _ = write!(anstream::stderr(), "{}", render(problems, source, Colour::Always));
}

/// "2 problems, 1 warning".
pub(super) fn count(problems: &[Diagnostic]) -> String {
    use crate::diagnostic::Severity;
    let of = |severity| {
        problems
            .iter()
            .filter(|problem| problem.severity == severity)
            .count()
    };
    match (of(Severity::Error), of(Severity::Warning)) {
        (0, 0) => "no problems".to_owned(),
        (0, warnings) => plural(warnings, "warning"),
        (errors, 0) => plural(errors, "problem"),
        (errors, warnings) => format!("{}, {}", plural(errors, "problem"), plural(warnings, "warning")),
    }
}

/// "1 host", "2 hosts".
pub(super) fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

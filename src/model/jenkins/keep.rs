//! How long builds are kept.

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::model::check::RuleContext;
use crate::model::code;

/// How long builds of every job are kept; at least one of the three is said, and none is zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Keep {
    /// Most builds of a job.
    pub builds: Option<u32>,
    /// Days after which a build is deleted.
    pub days: Option<u32>,
    /// Builds of a job whose artifacts are kept.
    pub artifacts: Option<u32>,
}

/// Outer `None`: it is wrong, and reported. Inner `None`: builds are kept for ever.
#[expect(clippy::option_option, reason = "both kinds of absence occur")]
pub(super) fn check(
    written: Option<&inventory::KeepSpec>,
    check: &mut RuleContext<'_>,
) -> Option<Option<Keep>> {
    let Some(written) = written else {
        return Some(None);
    };
    let values = [&written.builds, &written.days, &written.artifacts];
    let zero = values
        .iter()
        .filter_map(|value| value.as_ref())
        .find(|value| value.value == 0);
    if let Some(value) = zero {
        // Jenkins would take it for "no limit".
        let problem = Diagnostic::error(&code::OUT_OF_RANGE, "0 is not a number of builds or days to keep");
        check.report(
            problem
                .at(value.span, "at least 1")
                .help("to keep all of them, leave the key out"),
        );
        return None;
    }
    let [builds, days, artifacts] = values.map(|value| value.as_ref().map(|value| value.value));
    let keep = Keep {
        builds,
        days,
        artifacts,
    };
    Some(Some(keep).filter(|_| values.iter().any(|value| value.is_some())))
}

//! Whether the makers still care for what an inventory asks for.

use jiff::civil::Date;

use super::{code, release};
use crate::diagnostic::{Diagnostic, Span};
use crate::inventory::Document;

/// How long before its end a release is warned of, in days.
const NOTICE: i32 = 60;

/// Warnings of releases out of support on this day, or soon. The day is the caller's: the rules of an inventory don't depend on the clock.
pub fn support_warnings(document: &Document, today: Date) -> Vec<Diagnostic> {
    let Some(inventory) = &document.inventory else {
        return Vec::new();
    };
    let (kubernetes, containerd) = (
        &inventory.cluster.kubernetes,
        &inventory.cluster.containerd.version,
    );
    let line = kubernetes.parse().ok().and_then(release::line);
    let newer = |line: &release::ReleaseLine| {
        format!(
            "raise it, by one minor release at a time: 1.{} is next",
            line.minor + 1
        )
    };
    let first = line.and_then(|line| {
        let name = format!("Kubernetes 1.{}", line.minor);
        warning(&name, kubernetes.span, line.support_ends, today).map(|problem| problem.help(newer(line)))
    });
    let second = release::CONTAINERD
        .iter()
        .find(|line| is_of_line(containerd, line.name))
        .and_then(|line| {
            let name = format!("containerd {}", line.name);
            let problem = warning(&name, containerd.span, line.support_ends, today)?;
            Some(problem.help("2.3 has support until 2028-04"))
        });
    first.into_iter().chain(second).collect()
}

/// Whether `2.2`, `2.2.x` or `2.2.7` is of the line `2.2`.
fn is_of_line(version: &str, line: &str) -> bool {
    version == line
        || version
            .strip_prefix(line)
            .is_some_and(|rest| rest.starts_with('.'))
}

fn warning(name: &str, span: Span, (year, month, day): (i16, i8, i8), today: Date) -> Option<Diagnostic> {
    let end = Date::new(year, month, day).ok()?;
    let left = today.until(end).ok()?.get_days();
    let verb = if left < 0 { "ended" } else { "ends" };
    (left < NOTICE).then(|| {
        let title = format!("the support of {name} {verb} on {end}");
        Diagnostic::warning(&code::SUPPORT_ENDS, title).at(span, "")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::diagnostic::Source;

    fn warnings(kubernetes: &str, containerd: &str, today: Date) -> Vec<String> {
        let text = format!(
            "apiVersion: ci-bootstrap/v1\ncluster: {{ name: ci, kubernetes: {kubernetes}, containerd: {{ version: '{containerd}' }} }}\n\
             ssh: {{ user: root }}\nhosts:\n  - {{ name: cp1, address: 10.0.0.1, roles: [control-plane] }}\n"
        );
        let source = Source {
            name: "i.yaml".into(),
            text,
        };
        let document = crate::inventory::parse(source, Path::new("."));
        let found = support_warnings(&document, today);
        found.into_iter().map(|problem| problem.title).collect()
    }

    #[test]
    fn a_release_is_warned_of_before_and_after_its_end() {
        let day = jiff::civil::date;
        assert_eq!(warnings("1.36.5", "2.3", day(2026, 11, 30)), [""; 0]);
        assert_eq!(
            warnings("1.34.11", "2.2.7", day(2026, 11, 30)),
            [
                "the support of Kubernetes 1.34 ended on 2026-10-27",
                "the support of containerd 2.2 ended on 2026-11-06"
            ]
        );
        assert_eq!(warnings("1.35.8", "2.3", day(2026, 12, 30)), [""; 0]);
        assert_eq!(
            warnings("1.35.8", "2.3", day(2026, 12, 31)),
            ["the support of Kubernetes 1.35 ends on 2027-02-28"]
        );
        assert_eq!(
            warnings("1.35.8", "2.3", day(2027, 2, 28)),
            ["the support of Kubernetes 1.35 ends on 2027-02-28"]
        );
    }
}

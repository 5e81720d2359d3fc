//! What is mounted into an agent's containers.

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::model::check::Check;
use crate::model::{code, form, name};
use crate::yaml::Spanned;

/// Something that is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Where.
    pub path: String,
    /// What: `claim`, `configMap`, `secret` or `hostPath`.
    pub kind: &'static str,
    /// Its name, or the path on the node.
    pub name: String,
    /// Whether it can only be read.
    pub read_only: bool,
}

pub(super) fn check(
    written: &Spanned<inventory::Volume>,
    privileged: bool,
    check: &mut Check<'_>,
) -> Option<Volume> {
    let path = check.parse(&written.path, &code::BAD_PATH, "path", form::absolute_path);
    let sources = [
        ("claim", &written.claim),
        ("configMap", &written.config_map),
        ("secret", &written.secret),
        ("hostPath", &written.host_path),
    ];
    let mut given = sources
        .iter()
        .filter_map(|(kind, name)| Some((*kind, name.as_ref()?)));
    let (Some((kind, name)), None) = (given.next(), given.next()) else {
        check.report(
            Diagnostic::error(&code::VOLUME_SOURCE, "a volume holds exactly one thing").at(
                written.span,
                "here belongs one of `claim`, `configMap`, `secret` and `hostPath`",
            ),
        );
        return None;
    };
    let name = if kind == "hostPath" {
        if !privileged {
            check.report(
                Diagnostic::error(
                    &code::VOLUME_SOURCE,
                    "these agents can't have paths of their node",
                )
                .at(name.span, "their namespace allows no such pods")
                .help("use a claim; or make it a template of yours with `privileged: true`"),
            );
        }
        check.parse(name, &code::BAD_PATH, "path", form::absolute_path)
    } else {
        check.parse(name, &code::BAD_NAME, "name", name::domain)
    };
    Some(Volume {
        path: path?,
        kind,
        name: name?,
        read_only: written.read_only.value,
    })
}

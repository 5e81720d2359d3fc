//! What is mounted into an agent's containers.

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::inventory;
use crate::model::check::RuleContext;
use crate::model::{code, form, name};
use crate::yaml::Spanned;

/// A mount in each container of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Name of the pod's volume.
    pub name: String,
    /// Where it is mounted.
    pub mount_path: String,
    /// Whether it can only be read.
    pub read_only: bool,
}

/// A volume of an agent's pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodVolume {
    /// Its name in the pod.
    pub name: String,
    /// What it is.
    #[serde(flatten)]
    pub source: PodVolumeSource,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PodVolumeSource {
    /// A claim in the pod's namespace.
    PersistentVolumeClaim {
        /// Its name.
        claim_name: String,
    },
    /// A `ConfigMap` in the pod's namespace.
    ConfigMap {
        /// Its name.
        name: String,
    },
    /// A Secret in the pod's namespace.
    Secret {
        /// Its name.
        secret_name: String,
    },
    /// A path on the node.
    HostPath {
        /// The path.
        path: String,
    },
}

/// A volume that all pods of a template share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    /// Name of its claim.
    pub claim: String,
    /// Its size.
    pub size: String,
}

/// The mounts of a template and the volumes that they show.
pub(super) fn check(
    written: &[Spanned<inventory::Volume>],
    cache: Option<&Cache>,
    privileged: bool,
    check: &mut RuleContext<'_>,
) -> Option<(Vec<Mount>, Vec<PodVolume>)> {
    let found: Vec<_> = written.iter().map(|one| volume(one, privileged, check)).collect();
    let found: Option<Vec<_>> = found.into_iter().collect();
    let cache = cache.map(|cache| {
        let claim_name = cache.claim.clone();
        (
            "/cache".to_owned(),
            false,
            PodVolumeSource::PersistentVolumeClaim { claim_name },
        )
    });
    let both = found?
        .into_iter()
        .chain(cache)
        .enumerate()
        .map(|(index, (mount_path, read_only, source))| {
            let name = format!("volume-{index}");
            let mount = Mount {
                name: name.clone(),
                mount_path,
                read_only,
            };
            (mount, PodVolume { name, source })
        });
    Some(both.unzip())
}

fn volume(
    written: &Spanned<inventory::Volume>,
    privileged: bool,
    check: &mut RuleContext<'_>,
) -> Option<(String, bool, PodVolumeSource)> {
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
    let (path, name) = (path?, name?);
    let source = match kind {
        "claim" => PodVolumeSource::PersistentVolumeClaim { claim_name: name },
        "configMap" => PodVolumeSource::ConfigMap { name },
        "secret" => PodVolumeSource::Secret { secret_name: name },
        _ => PodVolumeSource::HostPath { path: name },
    };
    Some((path, written.read_only.value, source))
}
